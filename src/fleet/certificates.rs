//! The certificates of a fleet: every one follows from the seed and the name, as does everything else about it.
//!
//! Ed25519, because its keys can be made of a seed and its signatures have no random part (RFC 8032 §5.1), so that two
//! runs show the same certificates. Nothing is protected by these keys; the authority is nobody's root.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, Error, IsCa, Issuer, KeyPair, PKCS_ED25519, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};

use super::draw::Draw;
use crate::observation::CertificateStatus;

/// A server inside TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The name that its certificate is for.
    pub(super) name: String,
    /// What is wrong with the certificate.
    pub(super) status: CertificateStatus,
    /// TLS 1.3, otherwise 1.2 and nothing newer.
    pub(super) is_tls13: bool,
}

/// The authority that signs, for one seed.
#[derive(Debug)]
pub(super) struct Authority {
    seed: u64,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    pub(super) fn new(seed: u64) -> Result<Self, Error> {
        let key = key(seed, "authority")?.0;
        let mut params = params(vec![], "Simulated fleet authority", Years::CURRENT)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.serial_number = Some(1.into());
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { seed, issuer: Issuer::new(params, key), certificate })
    }

    /// What a server of that identity shows; made anew for each connection, which costs less than the handshake.
    pub(super) fn server(&self, identity: &Identity) -> Result<ServerConfig, rustls::Error> {
        let (chain, key) = self.issue(identity).map_err(|error| rustls::Error::General(error.to_string()))?;
        let version = if identity.is_tls13 { &TLS13 } else { &TLS12 };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])?
            .with_no_client_auth()
            .with_single_cert(chain, key.into())?;
        // Nobody comes back, and what is kept for them would be memory for each connection.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn issue(&self, identity: &Identity) -> Result<(Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>), Error> {
        let (key, secret) = key(self.seed, &identity.name)?;
        let years = match identity.status {
            CertificateStatus::Expired => Years::PAST,
            CertificateStatus::NotYetValid => Years::FUTURE,
            _ => Years::CURRENT,
        };
        let mut params = params(vec![identity.name.clone()], &identity.name, years)?;
        // Positive, and at most eight bytes (RFC 5280 §4.1.2.2).
        params.serial_number = Some((Draw::of(self.seed, &identity.name).number() >> 1).into());
        if identity.status == CertificateStatus::SelfSigned {
            return Ok((vec![params.self_signed(&key)?.der().clone()], secret));
        }
        let own = params.signed_by(&key, &self.issuer)?.der().clone();
        Ok((vec![own, self.certificate.clone()], secret))
    }
}

/// From the first of January of one year to that of another. They are far apart, for the machine's clock may be wrong.
#[derive(Debug, Clone, Copy)]
struct Years(i32, i32);

impl Years {
    const PAST: Self = Self(2010, 2015);
    const CURRENT: Self = Self(2020, 2120);
    const FUTURE: Self = Self(2110, 2120);
}

fn params(names: Vec<String>, common_name: &str, years: Years) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    Ok(params)
}

/// The key that belongs to a seed and a purpose, also as PKCS #8.
fn key(seed: u64, purpose: &str) -> Result<(KeyPair, PrivatePkcs8KeyDer<'static>), Error> {
    // A `OneAsymmetricKey` of version 1 for Ed25519 up to its 32 bytes (RFC 8410 §7).
    const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let mut draw = Draw::of(seed, purpose);
    let secret = [0; 4].map(|_: u8| draw.number().to_be_bytes()).concat();
    let der = PrivatePkcs8KeyDer::from([&HEAD[..], &secret].concat());
    Ok((KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519)?, der))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_follow_from_the_seed() {
        use CertificateStatus::{Expired, NotYetValid, SelfSigned, Untrusted};
        let chain = |seed, status| {
            let identity = Identity { name: "mail.oslo.example".into(), status, is_tls13: true };
            Authority::new(seed).unwrap().issue(&identity).unwrap().0
        };
        for status in [Untrusted, Expired, SelfSigned, NotYetValid] {
            assert_eq!(chain(1, status), chain(1, status));
            assert_ne!(chain(1, status), chain(2, status));
        }
        assert_ne!(chain(1, Untrusted), chain(1, Expired));
    }
}
