//! Cipher suites: which are asked for, in which order, and what those that we can speak are made of.
//!
//! Numbers and names are rustls's, which knows all that IANA has registered for these versions; what a suite is made of
//! is read from its name, which says it in full.

use std::borrow::Cow;

use rustls::CipherSuite;

/// Suites that a session can be had with, the better first.
pub(super) const SPOKEN: &[CipherSuite] = &[
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_WITH_AES_128_CBC_SHA256,
    CipherSuite::TLS_DHE_RSA_WITH_AES_256_CBC_SHA256,
    CipherSuite::TLS_DHE_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256,
    CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA256,
    CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_DHE_DSS_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_DHE_DSS_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_DHE_DSS_WITH_AES_128_CBC_SHA256,
    CipherSuite::TLS_DHE_DSS_WITH_AES_256_CBC_SHA256,
    CipherSuite::TLS_DHE_DSS_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_DHE_DSS_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA,
];

/// Suites that are only named. What Windows Server 2003 knows comes first: it looks at 64 suites and no further.
pub(super) const NAMED: &[CipherSuite] = &[
    CipherSuite::TLS_RSA_WITH_RC4_128_SHA,
    CipherSuite::TLS_RSA_WITH_RC4_128_MD5,
    CipherSuite::TLS_RSA_WITH_DES_CBC_SHA,
    CipherSuite::TLS_DHE_DSS_WITH_DES_CBC_SHA,
    CipherSuite::TLS_RSA_EXPORT1024_WITH_RC4_56_SHA,
    CipherSuite::TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA,
    CipherSuite::TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA,
    CipherSuite::TLS_RSA_EXPORT_WITH_RC4_40_MD5,
    CipherSuite::TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5,
    CipherSuite::TLS_RSA_EXPORT_WITH_DES40_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_WITH_DES_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA,
    CipherSuite::TLS_DHE_DSS_EXPORT_WITH_DES40_CBC_SHA,
    CipherSuite::TLS_ECDHE_RSA_WITH_RC4_128_SHA,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,
    CipherSuite::TLS_DHE_DSS_WITH_RC4_128_SHA,
    CipherSuite::TLS_DHE_DSS_EXPORT1024_WITH_RC4_56_SHA,
    CipherSuite::TLS_RSA_EXPORT1024_WITH_RC4_56_MD5,
    CipherSuite::TLS_RSA_EXPORT1024_WITH_RC2_CBC_56_MD5,
    CipherSuite::TLS_RSA_WITH_IDEA_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_128_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_256_CBC_SHA,
    CipherSuite::TLS_DHE_DSS_WITH_CAMELLIA_128_CBC_SHA,
    CipherSuite::TLS_DHE_DSS_WITH_CAMELLIA_256_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_WITH_SEED_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_SEED_CBC_SHA,
    CipherSuite::TLS_DHE_DSS_WITH_SEED_CBC_SHA,
    CipherSuite::TLS_ECDH_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_ECDH_RSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_ECDH_RSA_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_ECDH_RSA_WITH_RC4_128_SHA,
    CipherSuite::TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_ECDH_ECDSA_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_ECDH_ECDSA_WITH_RC4_128_SHA,
    CipherSuite::TLS_DH_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_DH_RSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_DH_RSA_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_DH_DSS_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_DH_DSS_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_DH_DSS_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CCM,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8,
    CipherSuite::TLS_DHE_RSA_WITH_AES_128_CCM,
    CipherSuite::TLS_DHE_RSA_WITH_AES_256_CCM,
    CipherSuite::TLS_RSA_WITH_AES_128_CCM,
    CipherSuite::TLS_RSA_WITH_AES_256_CCM,
    CipherSuite::TLS_RSA_WITH_AES_128_CCM_8,
    CipherSuite::TLS_RSA_WITH_AES_256_CCM_8,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384,
    CipherSuite::TLS_DHE_RSA_WITH_CAMELLIA_128_GCM_SHA256,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_128_GCM_SHA256,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384,
    CipherSuite::TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA256,
    CipherSuite::TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA256,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_256_CBC_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384,
    CipherSuite::TLS_DHE_RSA_WITH_ARIA_128_GCM_SHA256,
    CipherSuite::TLS_RSA_WITH_ARIA_128_GCM_SHA256,
    CipherSuite::TLS_RSA_WITH_ARIA_256_GCM_SHA384,
];

/// Suites without authentication or without encryption.
pub(super) const UNPROTECTED: &[CipherSuite] = &[
    CipherSuite::TLS_ECDH_anon_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_ECDH_anon_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_DH_anon_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_DH_anon_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_DH_anon_WITH_AES_128_CBC_SHA256,
    CipherSuite::TLS_DH_anon_WITH_AES_256_CBC_SHA256,
    CipherSuite::TLS_DH_anon_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_DH_anon_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_ECDH_anon_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_DH_anon_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_DH_anon_WITH_CAMELLIA_128_CBC_SHA,
    CipherSuite::TLS_DH_anon_WITH_CAMELLIA_256_CBC_SHA,
    CipherSuite::TLS_DH_anon_WITH_SEED_CBC_SHA,
    CipherSuite::TLS_ECDH_anon_WITH_RC4_128_SHA,
    CipherSuite::TLS_DH_anon_WITH_RC4_128_MD5,
    CipherSuite::TLS_DH_anon_WITH_DES_CBC_SHA,
    CipherSuite::TLS_DH_anon_EXPORT_WITH_DES40_CBC_SHA,
    CipherSuite::TLS_DH_anon_EXPORT_WITH_RC4_40_MD5,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_NULL_SHA,
    CipherSuite::TLS_ECDHE_RSA_WITH_NULL_SHA,
    CipherSuite::TLS_ECDH_ECDSA_WITH_NULL_SHA,
    CipherSuite::TLS_ECDH_RSA_WITH_NULL_SHA,
    CipherSuite::TLS_RSA_WITH_NULL_SHA256,
    CipherSuite::TLS_RSA_WITH_NULL_SHA,
    CipherSuite::TLS_RSA_WITH_NULL_MD5,
    CipherSuite::TLS_ECDH_anon_WITH_NULL_SHA,
];

/// What a suite is made of, where a session can be had with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) exchange: Exchange,
    pub(super) cipher: Cipher,
    /// The MAC of a CBC suite; what its name ends with. Suites of TLS 1.2 derive their keys with it too.
    pub(super) hash: Hash,
}

/// How the two sides come to a secret. Who signs it is all the same to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    Rsa,
    Dhe,
    Ecdhe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    Aes128Cbc,
    Aes256Cbc,
    TripleDesCbc,
    Aes128Gcm,
    Aes256Gcm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
}

impl Parameters {
    pub(super) fn of(suite: CipherSuite) -> Option<Self> {
        let (exchange, rest) = suite.as_str()?.strip_prefix("TLS_")?.split_once("_WITH_")?;
        let exchange = match exchange {
            "RSA" => Exchange::Rsa,
            "DHE_RSA" | "DHE_DSS" | "DH_anon" => Exchange::Dhe,
            "ECDHE_RSA" | "ECDHE_ECDSA" | "ECDH_anon" => Exchange::Ecdhe,
            _ => return None,
        };
        let (cipher, hash) = rest.rsplit_once('_')?;
        let cipher = match cipher {
            "AES_128_CBC" => Cipher::Aes128Cbc,
            "AES_256_CBC" => Cipher::Aes256Cbc,
            "3DES_EDE_CBC" => Cipher::TripleDesCbc,
            "AES_128_GCM" => Cipher::Aes128Gcm,
            "AES_256_GCM" => Cipher::Aes256Gcm,
            _ => return None,
        };
        let hash = match hash {
            "SHA" => Hash::Sha1,
            "SHA256" => Hash::Sha256,
            "SHA384" => Hash::Sha384,
            _ => return None,
        };
        Some(Self { exchange, cipher, hash })
    }
}

impl Hash {
    /// In bytes.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// What the server says in its `ServerKeyExchange`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A temporary RSA key, shorter than that of the certificate.
    ExportRsa,
    Dh,
    Curve,
    /// Nothing that we know how to read.
    Unknown,
}

impl Said {
    pub(super) fn with(suite: CipherSuite) -> Self {
        let name = suite.as_str().unwrap_or_default();
        let exchange =
            name.strip_prefix("TLS_").and_then(|name| name.split_once("_WITH_")).map_or("", |(first, _)| first);
        match exchange.trim_end_matches("1024").trim_end_matches("_EXPORT") {
            "RSA" => Self::ExportRsa,
            "DHE_RSA" | "DHE_DSS" | "DH_anon" => Self::Dh,
            "ECDHE_RSA" | "ECDHE_ECDSA" | "ECDH_anon" => Self::Curve,
            _ => Self::Unknown,
        }
    }
}

/// The name that IANA gives a suite, or its number.
pub(super) fn name(suite: CipherSuite) -> Cow<'static, str> {
    match suite.as_str() {
        Some(name) if name.starts_with("TLS13_") => name.replacen("TLS13_", "TLS_", 1).into(),
        Some(name) => name.into(),
        None => format!("0x{:04X}", u16::from(suite)).into(),
    }
}

/// Whether a suite does not encrypt.
pub(super) fn is_open(suite: CipherSuite) -> bool {
    suite.as_str().is_some_and(|name| name.contains("_NULL_"))
}

/// Whether a suite's cipher is broken or out of use: RC4, DES, 3DES, RC2, IDEA, and whatever was for export.
pub(super) fn is_weak(suite: CipherSuite) -> bool {
    let broken = ["RC4", "DES", "3DES", "RC2", "IDEA"];
    let is_weak = |part: &str| broken.contains(&part) || part.starts_with("EXPORT") || part.starts_with("DES40");
    suite.as_str().is_some_and(|name| name.split('_').any(is_weak))
}

/// Whether a suite is of TLS 1.2 and unknown to what came before: it is authenticated encryption, or names its hash.
pub(super) fn is_new(suite: CipherSuite) -> bool {
    let name = suite.as_str().unwrap_or_default();
    ["_SHA256", "_SHA384", "_CCM", "_CCM_8"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_is_spoken_is_what_can_be_spoken() {
        for suite in SPOKEN {
            assert!(Parameters::of(*suite).is_some(), "{suite:?}");
        }
        for suite in NAMED {
            assert_eq!(Parameters::of(*suite), None, "{suite:?}");
        }
        let suite = CipherSuite::TLS_DHE_RSA_WITH_AES_256_CBC_SHA256;
        let expected = Parameters { exchange: Exchange::Dhe, cipher: Cipher::Aes256Cbc, hash: Hash::Sha256 };
        assert_eq!(Parameters::of(suite), Some(expected));
    }

    #[test]
    fn no_suite_is_asked_for_twice_and_each_has_a_name() {
        let mut seen = HashSet::new();
        for suite in SPOKEN.iter().chain(NAMED).chain(UNPROTECTED) {
            assert!(seen.insert(u16::from(*suite)), "{suite:?}");
            assert!(name(*suite).starts_with("TLS_"), "{suite:?}");
        }
    }

    #[test]
    fn only_the_last_resort_is_without_protection() {
        let unprotected = |suite: &CipherSuite| name(*suite).contains("_anon_") || name(*suite).contains("_NULL_");
        assert!(!SPOKEN.iter().chain(NAMED).any(unprotected));
        assert!(UNPROTECTED.iter().all(unprotected));
    }

    #[test]
    fn suites_are_named_as_iana_does() {
        let table = [
            (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
            (0x0064, "TLS_RSA_EXPORT1024_WITH_RC4_56_SHA"),
            (0x1301, "TLS_AES_128_GCM_SHA256"),
            (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
            (0xfafa, "0xFAFA"),
        ];
        for (number, expected) in table {
            assert_eq!(name(CipherSuite::from(number)), expected);
        }
    }

    #[test]
    fn the_key_exchange_message_follows_from_the_suite() {
        let table = [
            (CipherSuite::TLS_RSA_EXPORT_WITH_RC4_40_MD5, Said::ExportRsa),
            (CipherSuite::TLS_RSA_EXPORT1024_WITH_RC4_56_SHA, Said::ExportRsa),
            (CipherSuite::TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA, Said::Dh),
            (CipherSuite::TLS_DH_anon_EXPORT_WITH_RC4_40_MD5, Said::Dh),
            (CipherSuite::TLS_DHE_RSA_WITH_SEED_CBC_SHA, Said::Dh),
            (CipherSuite::TLS_ECDH_anon_WITH_NULL_SHA, Said::Curve),
            (CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA, Said::Unknown),
            (CipherSuite::Unknown(0xfafa), Said::Unknown),
        ];
        for (suite, said) in table {
            assert_eq!(Said::with(suite), said, "{suite:?}");
        }
    }
}
