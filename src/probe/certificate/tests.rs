//! Chains of authorities made here, judged at moments chosen here.

use std::time::Duration;

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use sha2::{Digest, Sha256};

use super::*;
use crate::observation::CertificateStatus;

/// An authority, or a server's certificate, from the first of January of one year to that of another.
fn params(name: &str, is_ca: bool, years: (i32, i32)) -> CertificateParams {
    let names = if is_ca { vec![] } else { vec![name.to_owned()] };
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

/// A root, and an intermediate that is valid from 2020 to 2030.
struct Authority {
    root: CertificateDer<'static>,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let params_of_root = params("a root", true, (2010, 2040));
        let root = params_of_root.self_signed(&root_key).unwrap().der().clone();
        let params = params("an intermediate", true, (2020, 2030));
        let intermediate = params.signed_by(&key, &Issuer::new(params_of_root, root_key)).unwrap().der().clone();
        Self { root, intermediate, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str, years: (i32, i32)) -> Vec<CertificateDer<'static>> {
        let own = params(name, false, years).signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap();
        vec![own.der().clone(), self.intermediate.clone()]
    }

    fn trusted(&self) -> Certificates {
        trusting(&self.root)
    }
}

fn trusting(root: &CertificateDer<'_>) -> Certificates {
    Certificates::new(Anchors::of(std::slice::from_ref(root)).unwrap())
}

fn self_signed(name: &str, is_ca: bool) -> CertificateDer<'static> {
    params(name, is_ca, (2020, 2030)).self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

/// The first of January.
fn at(year: u64) -> SystemTime {
    let leap_days = (year - 1969) / 4;
    SystemTime::UNIX_EPOCH + Duration::from_secs(86_400) * u32::try_from((year - 1970) * 365 + leap_days).unwrap()
}

/// A verdict in words.
fn judged(certificates: &Certificates, chain: &[CertificateDer<'static>], name: Option<&str>, year: u64) -> String {
    let verdict = certificates.judge_at(at(year), chain, name, false).1.unwrap();
    let words = [
        (verdict.malformed, "malformed"),
        (verdict.not_yet_valid, "not_yet_valid"),
        (verdict.expired, "expired"),
        (verdict.self_signed, "self_signed"),
        (verdict.trusted, "trusted"),
        (verdict.name_matches == Some(true), "named"),
        (verdict.name_matches == Some(false), "misnamed"),
    ];
    let words: Vec<_> = words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();
    format!("{}: {}", verdict.status().as_str(), words.join(" "))
}

#[test]
fn several_things_may_be_wrong_at_once() {
    let authority = Authority::new();
    let (ours, strangers) = (authority.trusted(), Authority::new().trusted());
    let chain = authority.issue("mail.example", (2022, 2024));
    let wild = authority.issue("*.mail.example", (2022, 2024));
    let table = [
        (&ours, &chain[..], None, 2023, "valid: trusted"),
        (&ours, &chain, Some("mail.example"), 2023, "valid: trusted named"),
        (&ours, &chain, Some("MAIL.example."), 2023, "valid: trusted named"),
        (&ours, &wild, Some("a.mail.example"), 2023, "valid: trusted named"),
        (&ours, &wild, Some("a.b.mail.example"), 2023, "name_mismatch: trusted misnamed"),
        (&ours, &chain, Some("other.example"), 2023, "name_mismatch: trusted misnamed"),
        (&ours, &chain, Some("no name at all"), 2023, "name_mismatch: trusted misnamed"),
        (&ours, &chain, Some("192.0.2.1"), 2023, "valid: trusted"),
        (&ours, &chain, Some("mail.example"), 2025, "expired: expired trusted named"),
        (&ours, &chain, Some("other.example"), 2025, "expired: expired trusted misnamed"),
        (&ours, &chain, None, 2021, "not_yet_valid: not_yet_valid trusted"),
        // Without its intermediate, and with the wrong root.
        (&ours, &chain[..1], Some("mail.example"), 2023, "untrusted: named"),
        (&strangers, &chain, None, 2023, "untrusted: "),
        (&strangers, &chain, Some("other.example"), 2025, "expired: expired misnamed"),
        (&strangers, &chain, None, 2021, "not_yet_valid: not_yet_valid"),
    ];
    for (certificates, chain, name, year, expected) in table {
        assert_eq!(judged(certificates, chain, name, year), expected, "{name:?} in {year}");
    }
    assert_eq!(ours.judge_at(at(2023), &[], None, false), (Arc::default(), None));
}

#[test]
fn an_intermediate_that_has_ended_breaks_the_chain_unless_there_is_another_way() {
    let authority = Authority::new();
    let certificates = authority.trusted();
    let mut chain = authority.issue("mail.example", (2022, 2035));
    assert_eq!(judged(&certificates, &chain, None, 2025), "valid: trusted");
    assert_eq!(judged(&certificates, &chain, None, 2032), "untrusted: ");
    assert_eq!(
        judged(&certificates, &chain, None, 2026),
        "valid: trusted",
        "the answer of another year does not stick"
    );
    let root = trusting(&chain.pop().unwrap());
    assert_eq!(judged(&root, &chain, None, 2032), "valid: trusted", "the intermediate is itself a root");
}

#[test]
fn who_signs_himself() {
    let nobody = Authority::new().trusted();
    for is_ca in [false, true] {
        let own = self_signed("mail.example", is_ca);
        let chain = std::slice::from_ref(&own);
        assert_eq!(judged(&nobody, chain, None, 2025), "self_signed: self_signed");
        assert_eq!(judged(&nobody, chain, None, 2031), "expired: expired self_signed");
        // A root may be the server's own certificate, whatever it says of itself.
        assert_eq!(judged(&trusting(&own), chain, None, 2025), "valid: self_signed trusted");
        assert_eq!(judged(&trusting(&own), chain, Some("b.example"), 2031)[..7], *"expired");
        // The same in all but the key.
        assert_eq!(
            judged(&trusting(&self_signed("mail.example", is_ca)), chain, None, 2025),
            "self_signed: self_signed"
        );
    }
    let issuer = Issuer::new(params("mail.example", true, (2020, 2030)), KeyPair::generate().unwrap());
    let by_a_namesake = params("mail.example", false, (2020, 2030)).signed_by(&KeyPair::generate().unwrap(), &issuer);
    let by_a_namesake = by_a_namesake.unwrap().der().clone();
    assert_eq!(judged(&nobody, &[by_a_namesake], None, 2025), "untrusted: ");
}

#[test]
fn where_a_signature_cannot_be_checked_the_names_decide() {
    let old = read::tests::with_a_short_key();
    let nobody = Authority::new().trusted();
    let verdict = nobody.judge_at(at(2027), &[CertificateDer::from(old)], None, false).1;
    assert_eq!(verdict.map(CertificateVerdict::status), Some(CertificateStatus::SelfSigned));
}

#[test]
fn what_cannot_be_read_is_malformed() {
    let authority = Authority::new();
    let certificates = authority.trusted();
    let junk = [CertificateDer::from(vec![0x30, 0x82]), authority.intermediate.clone()];
    assert_eq!(judged(&certificates, &junk, Some("mail.example"), 2025), "malformed: malformed");
    let (chain, verdict) = certificates.judge_at(at(2025), &junk, None, true);
    assert_eq!(verdict.unwrap().status(), CertificateStatus::Malformed);
    assert!(chain[0].subject.is_none() && chain[1].subject.is_some());
}

#[test]
fn a_server_without_the_key_comes_before_all_that_its_certificate_says() {
    let authority = Authority::new();
    let chain = authority.issue("mail.example", (2022, 2024));
    let verdict = authority.trusted().judge_at(at(2025), &chain, Some("other.example"), true).1.unwrap();
    assert_eq!(verdict.status(), CertificateStatus::BadSignature);
    assert!(verdict.expired && verdict.trusted);
}

#[test]
fn a_chain_is_verified_once_for_all_who_show_it() {
    let authority = Authority::new();
    let certificates = authority.trusted();
    let (chain, other) = (authority.issue("a.example", (2022, 2024)), authority.issue("b.example", (2022, 2024)));
    let first = certificates.judge_at(at(2023), &chain, None, false);
    for number in 0..1000 {
        let name = format!("{number}.example");
        let (facts, verdict) = certificates.judge_at(at(2023), &chain, Some(&name), false);
        assert!(Arc::ptr_eq(&facts, &first.0));
        assert_eq!(verdict.unwrap(), CertificateVerdict { name_matches: Some(false), ..first.1.unwrap() });
    }
    assert_eq!(certificates.verifications.load(Ordering::Relaxed), 1);

    // Another chain, with the same intermediate.
    let (facts, _) = certificates.judge_at(at(2023), &other, None, false);
    assert_eq!(certificates.verifications.load(Ordering::Relaxed), 2);
    assert!(Arc::ptr_eq(&facts[1], &first.0[1]));
    // The same certificates in another order are another chain.
    let reversed: Vec<_> = chain.iter().rev().cloned().collect();
    assert_ne!(certificates.judge_at(at(2023), &reversed, None, false).0[0], first.0[0]);

    // Facts from the cache are those that are read anew.
    assert_eq!(authority.trusted().judge_at(at(2023), &chain, None, false), first);
}

#[test]
fn what_is_forgotten_is_judged_again_alike() {
    let authority = Authority::new();
    let certificates = Certificates {
        chains: Mutex::new(Cache::new(5000)),
        single: Mutex::new(Cache::new(5000)),
        ..authority.trusted()
    };
    let chains: Vec<_> = (0..8).map(|number| authority.issue(&format!("{number}.example"), (2022, 2024))).collect();
    let judge = |chain: &Vec<_>| certificates.judge_at(at(2023), chain, None, false);
    let first: Vec<_> = chains.iter().map(judge).collect();
    assert_eq!(chains.iter().map(judge).collect::<Vec<_>>(), first);
    let verified = certificates.verifications.load(Ordering::Relaxed);
    assert!(verified > chains.len(), "{verified}");
}

proptest! {
    /// One corrupted byte anywhere: facts or none, never a panic, and always the hash.
    #[test]
    fn corrupt_certificates_do_no_harm(at_byte in 0usize..400, value: u8) {
        let mut der = self_signed("mail.example", false).to_vec();
        let at_byte = at_byte % der.len();
        der[at_byte] = value;
        let nobody = Certificates::new(Anchors::read(&Roots::Public).unwrap());
        let sha256 = <[u8; 32]>::from(Sha256::digest(&der));
        let (facts, verdict) = nobody.judge_at(at(2025), &[CertificateDer::from(der)], Some("mail.example"), false);
        prop_assert_eq!(facts[0].sha256, sha256);
        prop_assert!(verdict.is_some_and(|verdict| !verdict.trusted));
    }
}
