use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::inventory::Rows;
use crate::output::Timestamp;

fn figures(lines: &str) -> Figures {
    let mut figures = Figures::default();
    for row in Rows::new("rows", lines.as_bytes()).unwrap() {
        figures.count(&row.unwrap());
    }
    figures
}

/// A row with these cells besides those that every row has.
fn row(host: u32, port: u16, more: &Value) -> String {
    let ip = std::net::Ipv4Addr::from_bits(0x0a00_0000 + host);
    let mut row =
        json!({ "time": "2026-11-21T03:11:00.5Z", "ip": ip, "port": port, "service": "smtp", "outcome": "greeted" });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("{row}\n")
}

fn at(text: &str) -> SystemTime {
    moment(text).unwrap()
}

#[test]
fn rows_are_counted_by_what_is_asked_first() {
    let finding = |id: &str, severity: &str| json!({ "id": id, "severity": severity });
    let lines = [
        row(
            1,
            25,
            &json!({ "software": "Exim", "version": "4.90", "vendor": "Exim", "tls": "starttls", "tls_version": "TLSv1.2",
            "severity": "high", "findings": ["a", "b"], "findings_detail": [finding("a", "high"), finding("b", "low")] }),
        ),
        row(
            1,
            587,
            &json!({ "software": "Exim", "version": "4.9", "tls": "starttls", "tls_version": "TLSv1.3",
            "severity": "low", "findings": ["b"], "findings_detail": [finding("b", "low")], "fronting": "likely", "front": "nginx" }),
        ),
        row(
            2,
            25,
            &json!({ "software": "Exim", "version": "4.90", "fronting": "not_observed", "cert_status": "expired",
            "time": "2026-11-20T23:00:00Z" }),
        ),
        row(3, 25, &json!({ "software": "Postfix", "severity": "low", "findings": ["b"] })),
        row(4, 25, &json!({})),
        row(4, 26, &json!({ "outcome": "refused" })),
    ];
    let figures = figures(&lines.concat());
    assert_eq!((figures.rows(), figures.unnamed()), (6, 1));
    assert_eq!(figures.hosts(), Hosts { count: 4, is_exact: true, worst: [0, 1, 0, 1] });
    assert_eq!(figures.span(), Some((at("2026-11-20T23:00:00Z"), at("2026-11-21T03:11:00.5Z"))));
    let outcomes: Vec<_> = figures.outcomes().into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(outcomes, [(Outcome::Greeted, 5), (Outcome::Refused, 1)]);
    assert_eq!(figures.census().ports().count(), 3);
    let exim = Product {
        name: "Exim",
        vendor: Some("Exim"),
        count: 3,
        versions: vec![(Some("4.90"), 2), (Some("4.9"), 1)],
        left_out: 0,
    };
    let postfix = Product { name: "Postfix", vendor: None, count: 1, versions: vec![(None, 1)], left_out: 0 };
    assert_eq!(figures.software(), [exim, postfix]);
    assert_eq!((figures.fronts(), figures.fronting()[3]), (vec![("nginx", 1)], (Fronting::Likely, 1)));
    assert_eq!((figures.tls().of("starttls"), figures.tls().total()), (2, 2));
    assert_eq!(figures.tls_versions().commonest(), [("TLSv1.2", 1), ("TLSv1.3", 1)]);
    assert_eq!(figures.certificate_statuses().of("expired"), 1);
    assert_eq!(figures.severities(), [0, 2, 0, 1]);
    let found: Vec<_> = figures.findings().iter().map(|it| (it.id, it.severity, it.count)).collect();
    // In the last row nothing says how much it matters there, but that it is the worst.
    assert_eq!(found, [("a", Severity::High, 1), ("b", Severity::Low, 3)]);
}

#[test]
fn no_rows_come_to_nothing() {
    let figures = Figures::default();
    assert_eq!((figures.rows(), figures.span(), figures.hosts().count), (0, None, 0));
    assert!(figures.software().is_empty() && figures.findings().is_empty() && figures.certificates().next().is_none());
    assert_eq!(figures.expiry(SystemTime::UNIX_EPOCH), Expiry::default());
}

#[test]
fn certificates_come_once_each_by_expiry() {
    let certificate = |host, sha256: &str, not_after: &str| {
        row(
            host,
            465,
            &json!({ "cert_sha256": sha256, "cert_not_after": not_after, "cert_subject": format!("CN={sha256}") }),
        )
    };
    let mut lines = String::new();
    for host in 0..6 {
        lines += &certificate(host, "b", "2026-12-31T00:00:00Z");
    }
    lines += &certificate(9, "a", "2026-11-20T23:59:59Z");
    lines += &certificate(9, "c", "2027-02-19T00:00:00Z");
    lines += &certificate(9, "d", "9999-12-31T23:59:59Z");
    lines += &row(9, 466, &json!({ "cert_sha256": "e" }));
    let figures = figures(&lines);
    let told: Vec<_> = figures.certificates().map(|it| (&*it.sha256, it.count, it.at.len())).collect();
    assert_eq!(told, [("a", 1, 1), ("b", 6, 4), ("c", 1, 1), ("d", 1, 1)]);
    let b = figures.certificates().nth(1).unwrap();
    assert_eq!((b.subject.as_deref(), b.at[0].as_str()), (Some("CN=b"), "10.0.0.0:465"));
    let expiry = figures.expiry(at("2026-11-21T12:00:00Z"));
    assert_eq!(expiry, Expiry { expired: 1, month: 0, quarter: 7, later: 1 });
    let expiry = figures.expiry(at("2026-12-01T12:00:00Z"));
    assert_eq!(expiry, Expiry { expired: 1, month: 6, quarter: 1, later: 1 });
}

fn certificates<'a>(ends: impl IntoIterator<Item = &'a str>) -> Figures {
    let mut figures = Figures::around(at("2026-11-22T03:23:37.9Z"));
    for (host, not_after) in (0..).zip(ends) {
        let line = row(
            host,
            465,
            &json!({ "cert_sha256": format!("{host:064}"), "cert_not_after": not_after, "time": "2024-01-01T00:00:00Z" }),
        );
        for row in Rows::new("rows", line.as_bytes()).unwrap() {
            figures.count(&row.unwrap());
        }
    }
    figures
}

/// On the day of its end a certificate is valid until then, and not after it; so at the ends of 30 days and of 90.
#[test]
fn expiry_is_told_to_the_second() {
    let figures = certificates([
        "2026-11-22T00:00:00Z",
        "2026-11-22T03:23:36Z",
        "2026-11-22T03:23:37Z",
        "2026-11-22T23:59:59Z",
        "2026-12-22T03:23:37Z",
        "2026-12-22T03:23:38Z",
        "2027-02-20T03:23:37Z",
        "2027-02-20T03:23:38Z",
    ]);
    let expiry = figures.expiry(at("2026-11-22T03:23:37.9Z"));
    assert_eq!(expiry, Expiry { expired: 2, month: 3, quarter: 2, later: 1 });
    // A report takes its time.
    let expiry = figures.expiry(at("2026-11-22T03:23:38Z"));
    assert_eq!(expiry, Expiry { expired: 3, month: 3, quarter: 2, later: 0 });
}

/// However many are long dead, those that end next are there, and so are those that ended last.
#[test]
fn the_next_to_expire_are_kept_whatever_has_expired() {
    let moment =
        |seconds| Timestamp::seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap().to_string();
    // From 2015 on, one every 25 minutes; the next ones, from the third day on; and too many of 2030.
    let dead: Vec<_> = (0..5000).map(|number| moment(1_420_070_400 + number * 1500)).collect();
    let next: Vec<_> = (0..10).map(|number| moment(1_795_588_000 + number)).collect();
    let late: Vec<_> = (0..3000).map(|number| moment(1_893_456_000 + number)).collect();
    let figures = certificates([&late, &dead, &next].into_iter().flatten().map(String::as_str));
    let kept: Vec<_> = figures.certificates().map(|it| Timestamp::seconds(it.not_after).unwrap().to_string()).collect();
    assert_eq!((&kept[..2048], &kept[2048..2058], &kept[2058..]), (&dead[5000 - 2048..], &next[..], &late[..2038]));
    assert_eq!(figures.certificates_left_out(), (5000 - 2048, 3000 - 2038));
}

/// Whoever makes up names without end costs bounded memory, and what was left out is told.
#[test]
fn what_has_no_bound_is_bounded() {
    let mut lines = String::new();
    for number in 0u32..6000 {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs((6000 - u64::from(number)) * 86_400);
        let not_after = crate::output::Timestamp::seconds(at).unwrap().to_string();
        lines += &row(
            number,
            25,
            &json!({
                "software": format!("product {number}"), "tls_version": format!("TLS {number}"), "front": format!("f{number}"),
                "findings": [format!("finding {number}")], "cert_sha256": format!("{number:064}"), "cert_not_after": not_after,
            }),
        );
        lines += &row(number, 26, &json!({ "software": "product 1", "version": format!("1.{number}") }));
    }
    let figures = figures(&lines);
    assert_eq!((figures.rows(), figures.hosts().count), (12_000, 6000));
    let software = figures.software();
    assert_eq!((software.len(), figures.software_left_out()), (MAX_PRODUCTS, 6000 - 1024));
    assert_eq!((software[0].count, software[0].versions.len(), software[0].left_out), (6001, MAX_VERSIONS, 5745));
    assert_eq!((figures.tls_versions().commonest().len(), figures.tls_versions().left_out()), (256, 5744));
    assert_eq!(figures.tls_versions().total(), 6000);
    assert_eq!((figures.findings().len(), figures.findings_left_out()), (MAX_FINDINGS, 5744));
    // All have expired, the first ones last.
    assert_eq!(figures.certificates_left_out(), (6000 - 2048, 0));
    let kept: Vec<_> = figures.certificates().map(|it| it.not_after).collect();
    let day = |day: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
    assert_eq!((kept.len(), kept[0], kept[2047]), (2048, day(6000 - 2047), day(6000)));
}

proptest! {
    /// However rows are dealt out, the sums are those of all rows, and names of others are inert and short.
    #[test]
    fn sums_are_those_of_all_rows(names in prop::collection::vec("\\PC{0,9}|[\\x00-\\x1f\u{9b}]{1,3}|x{200}", 1..40)) {
        let mut lines = String::new();
        for (host, name) in (0u32..).zip(&names) {
            let findings = json!({ "findings": [name], "software": name, "version": name, "tls": name, "cert_status": name });
            write!(lines, "{}", row(host / 2, 25, &findings)).unwrap();
        }
        let figures = figures(&lines);
        let named = names.iter().filter(|name| !name.is_empty()).count();
        let count = |count: usize| u64::try_from(count).unwrap();
        let named = count(named);
        let software = figures.software();
        prop_assert_eq!(software.iter().map(|product| product.count).sum::<u64>(), named);
        prop_assert_eq!(figures.tls().total(), named);
        prop_assert_eq!(figures.rows(), count(names.len()));
        prop_assert_eq!(figures.hosts().count, count(names.len().div_ceil(2)));
        for name in software.iter().map(|product| product.name).chain(figures.tls().commonest().iter().map(|kind| kind.0)) {
            prop_assert!(name.chars().count() <= 120 && !name.chars().any(char::is_control));
        }
    }
}
