//! What a modern handshake shows on its way, kept also where the handshake fails later.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

use crate::observation::{TlsFacts, TlsUse};
use crate::probe::certificate::{Certificates, has_checkable_key};

/// Accepts every certificate and writes down what it saw.
#[derive(Debug)]
pub(super) struct Recorder {
    provider: Arc<CryptoProvider>,
    certificates: Arc<Certificates>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default, Clone)]
struct Seen {
    chain: Vec<CertificateDer<'static>>,
    bad_signature: bool,
    asks_for_certificate: bool,
}

impl Recorder {
    pub(super) fn new(provider: Arc<CryptoProvider>, certificates: Arc<Certificates>) -> Self {
        Self { provider, certificates, seen: Mutex::default() }
    }

    pub(super) fn facts(&self, tls: TlsUse, name: Option<&str>) -> TlsFacts {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let mut facts = TlsFacts::new(tls);
        facts.asks_for_certificate = seen.asks_for_certificate;
        (facts.chain, facts.verdict) = self.certificates.judge(&seen.chain, name, seen.bad_signature);
        facts.chain_left_out = seen.chain.len() - facts.chain.len();
        facts
    }

    /// A signature that was checked and does not fit is a fact; one that cannot be checked (a key or a certificate of a
    /// kind that the library does not know) is not held against the server.
    fn record(
        &self,
        certificate: &CertificateDer<'_>,
        result: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> HandshakeSignatureValid {
        result.unwrap_or_else(|error| {
            let bad = matches!(error, rustls::Error::InvalidCertificate(CertificateError::BadSignature))
                && has_checkable_key(certificate);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).bad_signature |= bad;
            HandshakeSignatureValid::assertion()
        })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).chain = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        Ok(self.record(certificate, verify_tls12_signature(message, certificate, signature, algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        Ok(self.record(certificate, verify_tls13_signature(message, certificate, signature, algorithms)))
    }

    /// Every scheme there is, so that no server need refuse us for want of one.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            // rsa_pss_pss_sha256, _sha384 and _sha512: with a key that is for RSASSA-PSS alone (RFC 8446 §4.2.3).
            SignatureScheme::Unknown(0x0809),
            SignatureScheme::Unknown(0x080A),
            SignatureScheme::Unknown(0x080B),
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}

/// We have no certificate; that one is asked for is a fact.
impl ResolvesClientCert for Recorder {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).asks_for_certificate = true;
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
