//! The kinds of endpoints that a fleet has, and how common each is.

use std::fmt;

use super::draw::Draw;
use crate::observation::Service;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $plain:literal $tls:literal,)*) => {
        /// What an endpoint of the fleet is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$kind),*];

            /// The name that it has in lists of truths.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// How many there are in a thousand endpoints, in clear and on ports where TLS comes first.
            const fn shares(self) -> (u32, u32) {
                match self {
                    $(Self::$kind => ($plain, $tls),)*
                }
            }
        }
    };
}

kinds! {
    /// A server that says who it is, in the words of one of the wordlists' own examples.
    Server "server" 512 520,
    /// A greeting that reveals nothing.
    Unnamed "unnamed" 60 40,
    /// A greeting longer than what is kept of one.
    Long "long" 1 0,
    /// A server that takes its time before it greets.
    Slow "slow" 25 10,
    /// Postfix's postscreen: a teaser, a pause, and the rest.
    Postscreen "postscreen" 15 0,
    /// `120 soon`, a pause, and `220` (RFC 959 §5.4).
    Preliminary "preliminary" 10 5,
    /// `421`: too busy.
    Busy "busy" 20 10,
    /// `554` or `530`: not for us.
    Denying "denying" 20 10,
    /// Accepts, and says nothing.
    Silent "silent" 15 6,
    /// Begins a greeting, and says no more.
    Unfinished "unfinished" 8 0,
    /// Closes at once.
    Closing "closing" 15 15,
    /// Begins a greeting and closes.
    BreakingOff "breaking_off" 10 0,
    /// Resets the connection.
    Resetting "resetting" 20 15,
    /// Greets, and resets the connection when spoken to.
    HangingUp "hanging_up" 8 0,
    /// Speaks another protocol.
    Foreign "foreign" 60 20,
    /// A mail server where FTP was expected, or the reverse.
    Misplaced "misplaced" 10 0,
    /// A proxy without a server behind it: it closes when it has given up.
    DeadPool "dead_pool" 12 10,
    /// A second reply after the greeting that nobody asked for, as a PROXY header provokes it.
    UnaskedReply "unasked_reply" 12 10,
    /// A proxy in front of two servers, which take turns.
    RoundRobin "round_robin" 15 10,
    /// Plain text where TLS should come first.
    PlainText "plain_text" 0 80,
    /// Answers a `ClientHello` with an alert.
    TlsAlert "tls_alert" 0 40,
    /// Never answers a `ClientHello`.
    TlsStall "tls_stall" 0 8,
    /// Nothing listens there.
    Refused "refused" 150 190,
    /// Every SYN is dropped. Few, since each costs a connect timeout; on Linux only.
    Dark "dark" 2 1,
}

impl Kind {
    /// What an endpoint with this service is.
    pub(super) fn choose(draw: &mut Draw, service: Service) -> Self {
        let share = |kind: Self| {
            let (plain, tls) = kind.shares();
            if service.is_implicit_tls() { tls } else { plain }
        };
        let mut place = draw.below(Self::ALL.into_iter().map(share).sum());
        let chosen = Self::ALL.into_iter().find(|kind| {
            let found = place < share(*kind);
            place = place.saturating_sub(share(*kind));
            found
        });
        match chosen.unwrap_or(Self::Server) {
            // Elsewhere a queue that is full is not known to drop what comes.
            Self::Dark if !cfg!(target_os = "linux") => Self::Refused,
            // Each in the one protocol that has it.
            Self::Postscreen if service.is_ftp() => Self::Preliminary,
            Self::Preliminary if !service.is_ftp() => Self::Slow,
            kind => kind,
        }
    }

    /// How many open files it takes to be it, without connections.
    pub(super) const fn files(self) -> u64 {
        match self {
            Self::Refused => 0,
            // A listener, and the two connections that fill its queue.
            Self::Dark => 3,
            _ => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_a_thousand() {
        let sums = Kind::ALL.map(Kind::shares).iter().fold((0, 0), |sum, share| (sum.0 + share.0, sum.1 + share.1));
        assert_eq!(sums, (1000, 1000));
    }
}
