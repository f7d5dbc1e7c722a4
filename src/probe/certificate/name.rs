//! Whether a certificate is for a name, as RFC 9525 has it: alternative names count and the common name does not, a
//! wildcard stands for one whole label, the left-most.

use rustls::pki_types::{CertificateDer, DnsName, ServerName};
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::read::dns_names;

/// Whether the certificate is for this DNS name, which has A-labels where it is international.
pub(super) fn is_for(der: &CertificateDer<'static>, name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let by_webpki = || {
        let certificate = EndEntityCert::try_from(der).ok()?;
        let name = ServerName::DnsName(DnsName::try_from(name).ok()?);
        match certificate.verify_is_valid_for_subject_name(&name) {
            Ok(()) => Some(true),
            Err(webpki::Error::CertNotValidForName(_)) => Some(false),
            Err(_) => None,
        }
    };
    by_webpki().unwrap_or_else(|| is_listed(der, name))
}

/// The same for certificates that webpki does not take: of version 1, with a broken alternative name and so on.
fn is_listed(der: &[u8], name: &str) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    dns_names(&certificate).any(|presented| matches(presented, name))
}

fn matches(presented: &[u8], name: &str) -> bool {
    let name = match presented.strip_prefix(b"*.") {
        None => return !name.is_empty() && presented.eq_ignore_ascii_case(name.as_bytes()),
        // One label, with something before its dot; and what is beside the wildcard has to be more than a top-level domain.
        Some(parent) if parent.contains(&b'.') => name.split_once('.').filter(|(label, _)| !label.is_empty()),
        Some(_) => None,
    };
    name.is_some_and(|(_, parent)| presented[2..].eq_ignore_ascii_case(parent.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    /// webpki gives up at a general name of a kind that there is not.
    #[test]
    fn a_broken_alternative_name_does_not_hide_the_others() {
        let der = read::tests::with_names(b"\x8f\x01x\x82\x0cmail.example");
        let by_webpki = EndEntityCert::try_from(&der).unwrap();
        let mail = ServerName::try_from("mail.example").unwrap();
        let refused = by_webpki.verify_is_valid_for_subject_name(&mail).unwrap_err();
        assert!(!matches!(refused, webpki::Error::CertNotValidForName(_)), "{refused:?}");
        assert!(is_for(&der, "mail.example"));
        assert!(!is_for(&der, "other.example"));
    }

    #[test]
    fn names_match_whole_or_by_their_first_label() {
        let table = [
            ("mail.example", "mail.example", true),
            ("MAIL.Example", "mail.eXample", true),
            ("mail.example.", "mail.example", false),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", true),
            ("*.mail.example", "a.mail.example", true),
            ("*.MAIL.example", "a.mail.example", true),
            ("*.mail.example", "mail.example", false),
            ("*.mail.example", "a.b.mail.example", false),
            ("*.mail.example", ".mail.example", false),
            ("a*.mail.example", "ab.mail.example", false),
            ("b.*.example", "b.mail.example", false),
            ("*", "example", false),
            ("*.example", "mail.example", false),
            ("", "", false),
            ("mail.example", "other.example", false),
            ("mail.example\0.other", "mail.example", false),
        ];
        for (presented, name, expected) in table {
            assert_eq!(matches(presented.as_bytes(), name), expected, "{presented} for {name}");
        }
    }
}
