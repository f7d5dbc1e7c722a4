//! Whether a chain leads to a root, and until when that stays so.
//!
//! webpki builds and checks the paths. It asks for server certificates, knows no revocation, and judges at one moment;
//! what of the answer depends on that moment is told by [`Trust::holds`].

use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::read::is_checkable;
use super::roots::Anchors;
use crate::observation::Certificate;

/// More intermediates than this are not looked at: path building is exponential in what a hostile peer sends.
const MAX_INTERMEDIATES: usize = 10;

/// The answer for one chain, which holds for a while: until a validity of one of its certificates begins or ends.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) is_trusted: bool,
    from: Option<SystemTime>,
    to: Option<SystemTime>,
}

impl Trust {
    /// Whether the chain is trusted at that moment.
    pub(super) fn at<'a>(
        moment: SystemTime,
        chain: &[CertificateDer<'static>],
        certificates: impl IntoIterator<Item = &'a Certificate>,
        anchors: &Anchors,
    ) -> Self {
        let (mut from, mut to) = (None, None);
        for certificate in certificates {
            // webpki counts seconds, the last one being within the validity.
            let end = certificate.not_after.and_then(|end| end.checked_add(Duration::from_secs(1)));
            for turn in [certificate.not_before, end].into_iter().flatten() {
                if turn <= moment {
                    from = from.max(Some(turn));
                } else {
                    to = Some(to.map_or(turn, |to: SystemTime| to.min(turn)));
                }
            }
        }
        Self { is_trusted: is_trusted(moment, chain, anchors), from, to }
    }

    /// Whether the answer would be the same at another moment.
    pub(super) fn holds(&self, moment: SystemTime) -> bool {
        self.from.is_none_or(|from| from <= moment) && self.to.is_none_or(|to| moment < to)
    }
}

fn is_trusted(moment: SystemTime, chain: &[CertificateDer<'static>], anchors: &Anchors) -> bool {
    let Some((own, intermediates)) = chain.split_first() else { return false };
    if anchors.contain(own) {
        return true;
    }
    let Ok(own) = EndEntityCert::try_from(own) else { return false };
    let since_epoch = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let intermediates = &intermediates[..intermediates.len().min(MAX_INTERMEDIATES)];
    own.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        anchors.as_slice(),
        intermediates,
        UnixTime::since_unix_epoch(since_epoch),
        KeyUsage::server_auth(),
        None,
        None,
    )
    .is_ok()
}

/// Whether it names itself as its issuer and is signed by its own key. Where ring cannot tell, knowing too little of the
/// key or the algorithm, the names decide.
pub(super) fn is_self_signed(der: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    if certificate.subject().as_raw() != certificate.issuer().as_raw() {
        return false;
    }
    match certificate.verify_signature(None) {
        Err(X509Error::SignatureVerificationError) => !is_checkable(certificate.public_key()),
        Ok(()) | Err(_) => true,
    }
}
