//! Why a cipher suite is weak, read from its IANA name.
//!
//! Only what is broken or out of use on its own account: neither CBC nor a key exchange without forward secrecy is held
//! against a suite here, and what the protocol version adds is not looked at.

/// The worst that can be said of a suite, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weakness {
    /// It does not encrypt.
    Null,
    /// The server proves nothing, so that anyone between can play it.
    Anonymous,
    /// Keys of 40 or 56 bits, as once allowed abroad.
    Export,
    /// Keys of 56 bits.
    Des,
    /// Its key stream is biased.
    Rc4,
    /// A cipher of 64-bit blocks, never more than an export cipher in TLS.
    Rc2,
    /// A cipher of 64-bit blocks, out of use.
    Idea,
    /// A cipher of 64-bit blocks with a strength of 112 bits.
    TripleDes,
    /// Its MAC rests on MD5.
    Md5,
}

impl Weakness {
    /// In a word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Anonymous => "anonymous",
            Self::Export => "EXPORT",
            Self::Des => "DES",
            Self::Rc4 => "RC4",
            Self::Rc2 => "RC2",
            Self::Idea => "IDEA",
            Self::TripleDes => "3DES",
            Self::Md5 => "MD5",
        }
    }

    /// Who says so.
    pub(crate) fn source(self) -> &'static str {
        match self {
            // Below 112 bits, below 128 bits, and NULL.
            Self::Null | Self::Export | Self::Rc2 | Self::TripleDes => "RFC 9325 §4.1",
            Self::Anonymous => "RFC 5246 §A.5",
            Self::Des | Self::Idea => "RFC 5469 §4",
            Self::Rc4 => "RFC 7465 §2",
            Self::Md5 => "RFC 6151 §2.3",
        }
    }
}

/// The worst that can be said of a suite, if anything.
pub(crate) fn weakness(suite: &str) -> Option<Weakness> {
    let has = |word: &str| suite.split('_').any(|part| part == word);
    let table = [
        (Weakness::Null, has("NULL")),
        (Weakness::Anonymous, has("anon")),
        (Weakness::Export, has("EXPORT") || has("EXPORT1024") || has("DES40") || has("40")),
        (Weakness::Des, has("DES")),
        (Weakness::Rc4, has("RC4")),
        (Weakness::Rc2, has("RC2")),
        (Weakness::Idea, has("IDEA")),
        (Weakness::TripleDes, has("3DES")),
        (Weakness::Md5, has("MD5")),
    ];
    table.into_iter().find_map(|(weakness, applies)| applies.then_some(weakness))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::legacy::suite::{self, NAMED, SPOKEN, UNPROTECTED};

    #[test]
    fn the_worst_is_said() {
        let table = [
            ("TLS_RSA_WITH_NULL_MD5", Some(Weakness::Null)),
            ("TLS_ECDH_anon_WITH_NULL_SHA", Some(Weakness::Null)),
            ("TLS_DH_anon_EXPORT_WITH_RC4_40_MD5", Some(Weakness::Anonymous)),
            ("TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5", Some(Weakness::Export)),
            ("TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA", Some(Weakness::Export)),
            ("TLS_DHE_RSA_WITH_DES_CBC_SHA", Some(Weakness::Des)),
            ("TLS_RSA_WITH_RC4_128_MD5", Some(Weakness::Rc4)),
            ("TLS_RSA_WITH_IDEA_CBC_SHA", Some(Weakness::Idea)),
            ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", Some(Weakness::TripleDes)),
            ("TLS_KRB5_WITH_3DES_EDE_CBC_MD5", Some(Weakness::TripleDes)),
            ("TLS_RSA_WITH_SEED_CBC_SHA", None),
            ("TLS_RSA_WITH_AES_128_CBC_SHA", None),
            ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", None),
            ("TLS_AES_128_GCM_SHA256", None),
            ("0xFAFA", None),
            ("", None),
        ];
        for (suite, expected) in table {
            assert_eq!(weakness(suite), expected, "{suite}");
        }
    }

    #[test]
    fn of_what_we_ask_for_only_the_old_is_weak() {
        let weak = |suites: &[_]| suites.iter().filter(|suite| weakness(&suite::name(**suite)).is_some()).count();
        assert_eq!(weak(SPOKEN), 5, "3DES");
        assert_eq!(weak(UNPROTECTED), UNPROTECTED.len());
        assert_eq!(weak(&NAMED[..20]), 20, "what Windows Server 2003 knows and other exports");
    }

    #[test]
    fn every_weakness_has_a_source() {
        let all = [
            Weakness::Null,
            Weakness::Anonymous,
            Weakness::Export,
            Weakness::Des,
            Weakness::Rc4,
            Weakness::Rc2,
            Weakness::Idea,
            Weakness::TripleDes,
            Weakness::Md5,
        ];
        for weakness in all {
            assert!(weakness.source().starts_with("RFC ") && !weakness.as_str().is_empty(), "{weakness:?}");
        }
        assert!(all.is_sorted(), "worst first");
    }
}
