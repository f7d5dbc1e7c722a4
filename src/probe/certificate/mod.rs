//! Certificates as facts: read as far as they can be read, judged, never enforced.
//!
//! Reading is x509-parser's (`read`), judging is webpki's against the chosen roots (`trust`, `roots`, `name`). Both are
//! done once for each chain, however many hosts show it; what differs between hosts and moments, names and dates, is
//! judged each time.

mod cache;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod name;
mod read;
mod roots;
#[cfg(test)]
mod tests;
mod trust;

use std::net::IpAddr;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;

use self::cache::Cache;
pub(super) use self::read::has_checkable_key;
pub(crate) use self::roots::Anchors;
pub use self::roots::Roots;
use self::trust::{Trust, is_self_signed};
use crate::observation::{Certificate, CertificateVerdict};

/// What is kept of chains, and of single certificates, in bytes: some 3,000 chains, as they usually are. Bytes, because
/// chains of a hostile peer may be a hundred times as long.
const ROOM: usize = 16 * 1024 * 1024;

/// How many certificates of a chain are looked at: more than any path needs, and few enough for one row.
const MAX_CHAIN: usize = 32;

/// Reads and judges the certificates of a scan. Shared by all its probes; two that meet the same chain at once may both
/// do the work.
#[derive(Debug)]
pub(crate) struct Certificates {
    anchors: Anchors,
    single: Mutex<Cache<CertificateDer<'static>, Arc<Certificate>>>,
    chains: Mutex<Cache<Vec<CertificateDer<'static>>, Arc<Chain>>>,
    #[cfg(test)]
    verifications: AtomicUsize,
}

/// What is known of a chain whoever shows it.
#[derive(Debug)]
struct Chain {
    certificates: Arc<[Arc<Certificate>]>,
    is_self_signed: bool,
    trust: Trust,
}

impl Certificates {
    pub(crate) fn new(anchors: Anchors) -> Self {
        Self {
            anchors,
            single: Mutex::new(Cache::new(ROOM)),
            chains: Mutex::new(Cache::new(ROOM)),
            #[cfg(test)]
            verifications: AtomicUsize::new(0),
        }
    }

    /// The facts of a chain up to [`MAX_CHAIN`], the server's own certificate first, and what speaks for and against it now; no verdict where
    /// there is no certificate. `name` is the one that the server was reached by, and `bad_signature` whether it failed to
    /// prove that it holds the key.
    pub(super) fn judge(
        &self,
        chain: &[CertificateDer<'static>],
        name: Option<&str>,
        bad_signature: bool,
    ) -> (Arc<[Arc<Certificate>]>, Option<CertificateVerdict>) {
        self.judge_at(SystemTime::now(), chain, name, bad_signature)
    }

    fn judge_at(
        &self,
        now: SystemTime,
        chain: &[CertificateDer<'static>],
        name: Option<&str>,
        bad_signature: bool,
    ) -> (Arc<[Arc<Certificate>]>, Option<CertificateVerdict>) {
        let chain = &chain[..chain.len().min(MAX_CHAIN)];
        let Some(der) = chain.first() else { return (Arc::default(), None) };
        let known = self.chain(now, chain);
        let validity = validity(&known.certificates);
        let name = name.filter(|name| validity.is_some() && name.parse::<IpAddr>().is_err());
        let verdict = CertificateVerdict {
            malformed: validity.is_none(),
            bad_signature,
            not_yet_valid: validity.is_some_and(|(begin, _)| now < begin),
            expired: validity.is_some_and(|(_, end)| now > end),
            self_signed: known.is_self_signed,
            trusted: known.trust.is_trusted,
            name_matches: name.map(|name| name::is_for(der, name)),
        };
        (Arc::clone(&known.certificates), Some(verdict))
    }

    /// What is known of a chain, with its trust at the moment of the first certificate's validity that is nearest to now:
    /// webpki's answer about one that has ended hides whether its issuer is known.
    fn chain(&self, now: SystemTime, chain: &[CertificateDer<'static>]) -> Arc<Chain> {
        let known = lock(&self.chains).get(chain);
        let certificates = match &known {
            Some(known) => Arc::clone(&known.certificates),
            None => chain.iter().map(|der| self.certificate(der)).collect(),
        };
        let moment = validity(&certificates).map_or(now, |(begin, end)| now.min(end).max(begin));
        if let Some(known) = known.filter(|known| known.trust.holds(moment)) {
            return known;
        }
        #[cfg(test)]
        self.verifications.fetch_add(1, Ordering::Relaxed);
        let trust = Trust::at(moment, chain, certificates.iter().map(|certificate| &**certificate), &self.anchors);
        let is_self_signed = chain.first().is_some_and(|der| is_self_signed(der));
        let known = Arc::new(Chain { certificates, is_self_signed, trust });
        lock(&self.chains).insert(chain.to_vec(), Arc::clone(&known), chain.iter().map(weight).sum());
        known
    }

    /// The facts of one certificate: those of an authority are met in many chains.
    fn certificate(&self, der: &CertificateDer<'static>) -> Arc<Certificate> {
        if let Some(known) = lock(&self.single).get(der) {
            return known;
        }
        let certificate = Arc::new(read::read(der, sha256(der)));
        lock(&self.single).insert(der.clone(), Arc::clone(&certificate), weight(der));
        certificate
    }
}

/// From when to when the server's own certificate is valid; none where it is malformed.
fn validity(certificates: &[Arc<Certificate>]) -> Option<(SystemTime, SystemTime)> {
    certificates.first().and_then(|own| own.not_before.zip(own.not_after))
}

/// What a certificate takes, about: it is kept as it is, and its texts are parts of it.
fn weight(der: &CertificateDer<'static>) -> usize {
    size_of::<Certificate>() + 2 * der.len()
}

/// By ring, in half the time that it takes where the processor has no instruction for it.
fn sha256(der: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, der).as_ref());
    hash
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
