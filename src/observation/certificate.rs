//! What is known of certificates: the facts of each one, and what speaks for and against a chain.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

/// One certificate, as far as it could be read: a broken part is absent, the rest is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The subject's distinguished name, RFC 4514 style.
    pub subject: Option<String>,
    /// The issuer's distinguished name, RFC 4514 style.
    pub issuer: Option<String>,
    /// Subject alternative names: DNS names, addresses, mail addresses and URIs; the common name where there are none.
    pub names: Vec<String>,
    /// How many more names it has than are kept.
    pub names_left_out: u32,
    /// Start of validity.
    pub not_before: Option<SystemTime>,
    /// End of validity.
    pub not_after: Option<SystemTime>,
    /// The public key.
    pub key: Option<Key>,
    /// The signature algorithm, as `sha256WithRSAEncryption`.
    pub signature: Option<String>,
    /// SHA-256 of the whole certificate.
    pub sha256: [u8; 32],
}

impl Certificate {
    /// Whether it is signed over a hash for which collisions can be made: MD2, MD5 or SHA-1. Not told of RSASSA-PSS, whose
    /// name does not say which hash it is used with.
    ///
    /// ```
    /// use hailer::observation::Certificate;
    ///
    /// let signed = |by: &str| Certificate { signature: Some(by.to_owned()), ..Certificate::default() };
    /// assert!(signed("sha1WithRSAEncryption").has_weak_signature());
    /// assert!(!signed("sha256WithRSAEncryption").has_weak_signature());
    /// ```
    pub fn has_weak_signature(&self) -> bool {
        let weak = [
            "md2WithRSAEncryption",
            "md5WithRSAEncryption",
            "sha1WithRSAEncryption",
            "ecdsa-with-SHA1",
            "dsa-with-sha1",
            // sha1WithRSASignature of the OIW, which old tools of Microsoft's wrote.
            "1.3.14.3.2.29",
        ];
        self.signature.as_deref().is_some_and(|signature| weak.contains(&signature))
    }
}

/// A public key: what its strength is judged by, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What kind of key it is.
    pub kind: KeyKind,
    /// Its size as its kind counts it: the bits of the modulus, of the prime, or of the curve's field; none where that is
    /// not known.
    pub bits: Option<u32>,
    /// As it stands in rows: `RSA 2048`, `EC P-256`, or the algorithm's OID.
    pub text: Cow<'static, str>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The kind of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the algorithm of that name")]
pub enum KeyKind {
    Rsa,
    Ec,
    Ed25519,
    Ed448,
    Dsa,
    /// Another algorithm, or a broken key.
    Other,
}

/// What speaks for and against a certificate chain; several things may at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each holds or not whatever the others do")]
pub struct CertificateVerdict {
    /// The server's certificate cannot be parsed.
    pub malformed: bool,
    /// The server did not prove that it holds the certificate's key.
    pub bad_signature: bool,
    /// The certificate's validity has not begun.
    pub not_yet_valid: bool,
    /// The certificate's validity has ended.
    pub expired: bool,
    /// The certificate is signed by its own key. Where that cannot be checked, being a key or an algorithm that the library
    /// does not know, it is so if the subject is the issuer.
    pub self_signed: bool,
    /// A chain leads to one of the roots, now or, where the certificate is not valid now, at the moment of its validity that
    /// is nearest; or the certificate is itself one of the roots.
    pub trusted: bool,
    /// Whether the certificate is for the name that the endpoint was reached by, where there was one.
    pub name_matches: Option<bool>,
}

impl CertificateVerdict {
    /// The first reason why the chain is not valid, in the order of the fields; or that it is.
    ///
    /// ```
    /// use hailer::observation::{CertificateStatus, CertificateVerdict};
    ///
    /// let verdict = CertificateVerdict { expired: true, name_matches: Some(false), ..CertificateVerdict::default() };
    /// assert_eq!(verdict.status(), CertificateStatus::Expired);
    /// ```
    pub const fn status(self) -> CertificateStatus {
        if self.malformed {
            CertificateStatus::Malformed
        } else if self.bad_signature {
            CertificateStatus::BadSignature
        } else if self.not_yet_valid {
            CertificateStatus::NotYetValid
        } else if self.expired {
            CertificateStatus::Expired
        } else if self.trusted {
            match self.name_matches {
                Some(false) => CertificateStatus::NameMismatch,
                Some(true) | None => CertificateStatus::Valid,
            }
        } else if self.self_signed {
            CertificateStatus::SelfSigned
        } else {
            CertificateStatus::Untrusted
        }
    }
}

/// Whether a certificate chain is trusted by the roots and fits the name; if not, the first reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateStatus {
    /// Trusted, in its validity, and for the name where one was given.
    Valid,
    /// It cannot be parsed.
    Malformed,
    /// The server did not prove that it holds the certificate's key.
    BadSignature,
    /// Its validity has not begun.
    NotYetValid,
    /// Its validity has ended.
    Expired,
    /// It is signed by itself, and none of the roots.
    SelfSigned,
    /// No chain leads to a root.
    Untrusted,
    /// It is for other names than the one that the endpoint was reached by.
    NameMismatch,
}

impl CertificateStatus {
    /// The name used in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Malformed => "malformed",
            Self::BadSignature => "bad_signature",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::SelfSigned => "self_signed",
            Self::Untrusted => "untrusted",
            Self::NameMismatch => "name_mismatch",
        }
    }
}
