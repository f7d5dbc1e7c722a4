//! The roots that chains have to lead to, read once for a scan.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, TrustAnchor};
use sha2::{Digest, Sha256};

/// Which authorities are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those that browsers trust, compiled in.
    #[default]
    Public,
    /// Those that this machine trusts.
    System,
    /// Those in a PEM file, and no others. A server's own certificate may be among them.
    File(PathBuf),
}

impl Roots {
    /// The word for [`Roots::Public`].
    pub const PUBLIC: &str = "webpki";

    /// The word for [`Roots::System`].
    pub const SYSTEM: &str = "system";
}

impl From<PathBuf> for Roots {
    /// One of the two words, and otherwise a file: one that has such a name is written `./system`.
    fn from(word: PathBuf) -> Self {
        match word.to_str() {
            Some(Self::PUBLIC) => Self::Public,
            Some(Self::SYSTEM) => Self::System,
            Some(_) | None => Self::File(word),
        }
    }
}

impl fmt::Display for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.pad(Self::PUBLIC),
            Self::System => f.pad(Self::SYSTEM),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// The roots as they are used.
#[derive(Debug)]
pub(crate) struct Anchors {
    anchors: Cow<'static, [TrustAnchor<'static>]>,
    /// The hashes of the certificates that they were made of; the compiled-in ones come without theirs.
    certificates: HashSet<[u8; 32]>,
}

impl Anchors {
    /// Reads the roots.
    ///
    /// # Errors
    /// Why they cannot be used, and what to do about it.
    pub(crate) fn read(roots: &Roots) -> Result<Self, String> {
        match roots {
            Roots::Public => {
                Ok(Self { anchors: Cow::Borrowed(webpki_roots::TLS_SERVER_ROOTS), certificates: HashSet::new() })
            }
            Roots::System => Self::system(),
            Roots::File(path) => Self::file(path),
        }
    }

    pub(super) fn as_slice(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// Whether this very certificate is one of them.
    pub(super) fn contain(&self, certificate: &CertificateDer<'_>) -> bool {
        !self.certificates.is_empty() && self.certificates.contains::<[u8; 32]>(&Sha256::digest(certificate).into())
    }

    /// What a system trusts may contain what webpki cannot read; the rest is used.
    fn system() -> Result<Self, String> {
        let found = rustls_native_certs::load_native_certs();
        let anchors: Vec<_> = found.certs.iter().filter_map(anchor).collect();
        if anchors.is_empty() {
            let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
            return Err(format!(
                "this system has no root certificates{why}: install them (on Debian `ca-certificates`), or name a PEM file"
            ));
        }
        Ok(Self { anchors: anchors.into(), certificates: hashes(&found.certs) })
    }

    /// What a person put into a file is meant to be used, all of it.
    fn file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|error| format!("cannot read it: {error}"))?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|error: pem::Error| format!("it is no sound PEM file: {error}; mend it, or export it anew"))?;
        if certificates.is_empty() {
            return Err("there is no certificate in it, which would begin with '-----BEGIN CERTIFICATE-----'; \
                        `openssl x509 -inform der -in FILE` makes one of a binary file"
                .to_owned());
        }
        Self::of(&certificates)
    }

    /// Those that are made of these certificates, each of which has to be readable.
    pub(crate) fn of(certificates: &[CertificateDer<'_>]) -> Result<Self, String> {
        let read = |(number, certificate): (u32, _)| {
            anchor(certificate)
                .ok_or_else(|| format!("certificate {number} in it cannot be read: mend it, or take it out"))
        };
        let anchors: Vec<_> = (1..).zip(certificates).map(read).collect::<Result<_, _>>()?;
        Ok(Self { anchors: anchors.into(), certificates: hashes(certificates) })
    }
}

fn anchor(certificate: &CertificateDer<'_>) -> Option<TrustAnchor<'static>> {
    webpki::anchor_from_trusted_cert(certificate).ok().map(|anchor| anchor.to_owned())
}

fn hashes(certificates: &[CertificateDer<'_>]) -> HashSet<[u8; 32]> {
    certificates.iter().map(|certificate| Sha256::digest(certificate).into()).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn words_and_files() {
        let table = [
            ("webpki", Roots::Public),
            ("system", Roots::System),
            ("./system", Roots::File("./system".into())),
            ("ca.pem", Roots::File("ca.pem".into())),
        ];
        for (word, roots) in table {
            assert_eq!(Roots::from(PathBuf::from(word)), roots);
            assert_eq!(roots.to_string(), word);
        }
    }

    #[test]
    fn public_roots_are_there() {
        assert!(Anchors::read(&Roots::Public).unwrap().as_slice().len() > 50);
    }

    #[test]
    fn a_file_is_used_whole_or_refused_in_words() {
        let certificate = || {
            let params = CertificateParams::new(vec!["ca.example".to_owned()]).unwrap();
            params.self_signed(&KeyPair::generate().unwrap()).unwrap()
        };
        let (first, second) = (certificate(), certificate());
        let key = KeyPair::generate().unwrap().serialize_pem();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Anchors::read(&Roots::File(path.clone()))
        };

        let both = read(&format!("words before\n{}{key}{}", first.pem(), second.pem())).unwrap();
        assert_eq!(both.as_slice().len(), 2);
        assert!(both.contain(first.der()) && both.contain(second.der()) && !both.contain(certificate().der()));

        let unread = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let table = [
            ("", "no certificate in it"),
            (&key, "no certificate in it"),
            ("\u{30}\u{7f}", "no certificate in it"),
            (&format!("{}{unread}", first.pem()), "certificate 2 in it"),
            ("-----BEGIN CERTIFICATE-----\nMAA=\n", "no sound PEM"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "no sound PEM"),
        ];
        for (text, words) in table {
            let refused = read(text).expect_err(text);
            assert!(refused.contains(words), "{text}: {refused}");
        }
        let missing = Anchors::read(&Roots::File(folder.path().join("none.pem"))).unwrap_err();
        assert!(missing.starts_with("cannot read it: "), "{missing}");
    }
}
