//! Why a conversation with an old server broke.

use std::io;

use rustls::AlertDescription;

/// What the peer did that no session survives, or what we could not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// The peer said so.
    #[error("alert {0}")]
    Alert(u8),
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// Something well-formed where it has no place.
    #[error("unexpected {0}")]
    Unexpected(&'static str),
    #[error("{what} of more than {limit} bytes")]
    TooLong { what: &'static str, limit: usize },
    /// Its padding or its MAC is wrong.
    #[error("a record that does not decrypt")]
    Undecryptable,
    /// The two sides saw different handshakes.
    #[error("the server's Finished does not fit the handshake")]
    Finished,
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl Error {
    /// What the peer is told (RFC 5246 §7.2.2); nothing where it ended the session itself.
    pub(super) fn alert(self) -> Option<AlertDescription> {
        match self {
            Self::Alert(_) => None,
            Self::Malformed(_) => Some(AlertDescription::DecodeError),
            Self::Unexpected(_) => Some(AlertDescription::UnexpectedMessage),
            Self::TooLong { .. } => Some(AlertDescription::RecordOverflow),
            Self::Undecryptable => Some(AlertDescription::BadRecordMac),
            Self::Finished => Some(AlertDescription::DecryptError),
            Self::NoRandomness => Some(AlertDescription::InternalError),
        }
    }
}

/// A received alert becomes what rustls makes of one, so that a caller names both in one way.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Alert(alert) => Self::other(rustls::Error::AlertReceived(AlertDescription::from(alert))),
            Error::Malformed(_)
            | Error::Unexpected(_)
            | Error::TooLong { .. }
            | Error::Undecryptable
            | Error::Finished
            | Error::NoRandomness => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}
