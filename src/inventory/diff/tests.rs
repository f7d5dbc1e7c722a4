use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Family;
use crate::inventory::Rows;
use crate::manifest::Manifest;
use crate::manifest::scope::{Asked, Scope};

/// A row with these cells over the usual ones; null takes one away.
pub(super) fn row(more: &Value) -> String {
    let mut row = json!({
        "time": "2026-11-21T03:11:00.000000Z", "ip": "192.0.2.1", "port": 25, "service": "smtp", "outcome": "greeted",
        "connect_ms": 1.5, "code": 220, "banner": r"220 mail.example ESMTP Postfix\r\n", "hostname": "mail.example",
        "software": "Postfix", "confidence": 90, "fronting": "not_observed", "banner_hash": "aa".repeat(32), "attempts": 1,
    });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    row.to_string() + "\n"
}

pub(super) fn secured(more: &Value) -> Value {
    let mut row = json!({
        "tls": "starttls", "tls_version": "TLSv1.3", "cert_sha256": "11".repeat(32), "cert_issuer": "CN=R10,O=Authority,C=US",
        "cert_names": ["mail.example", "mx.example"], "cert_not_after": "2026-12-01T00:00:00Z", "cert_status": "valid",
        "capabilities": ["SIZE 1000", "PIPELINING"], "cert_key": "RSA 2048",
    });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

pub(super) fn compared(old: &str, new: &str, coverages: [&Coverage; 2], choice: Choice) -> (Vec<Change>, Summary) {
    let mut diff = Diff::new(choice);
    for (side, text) in [(Side::Old, old), (Side::New, new)] {
        for row in Rows::new("rows", text.as_bytes()).unwrap() {
            diff.take(side, &row.unwrap()).unwrap();
        }
    }
    let changes = diff.finish(coverages[0], coverages[1]).unwrap();
    let summary = changes.summary().clone();
    (changes.collect::<Result<_, _>>().unwrap(), summary)
}

fn changes(old: &str, new: &str) -> Vec<Change> {
    compared(old, new, [&Coverage::default(); 2], Choice::default()).0
}

/// Each difference of a field as `field from>to what severity`.
fn fields(old: &Value, new: &Value) -> Vec<String> {
    let changes = changes(&row(old), &row(new));
    assert!(changes.len() <= 1, "{changes:?}");
    let shown = |text: &Option<String>| text.clone().unwrap_or_default();
    let fields = changes.iter().flat_map(|change| &change.fields);
    let told = fields
        .map(|it| format!("{} {}>{} {} {}", it.field, shown(&it.from), shown(&it.to), it.what.as_str(), it.severity));
    told.collect()
}

#[test]
fn what_does_not_last_is_no_difference() {
    let table = [
        (json!({"time": "2026-10-21T03:11:00.000000Z", "connect_ms": 9, "greeting_ms": 7, "attempts": 3}), json!({})),
        (
            json!({"banner": r"220 m ESMTP id=1; Mon, 1 Jan\r\n"}),
            json!({"banner": r"220 m ESMTP id=2; Tue, 2 Jan\r\n"}),
        ),
        (json!({"fronting": "possible", "confidence": 80}), json!({"confidence": 90})),
        (json!({"ptr": ["a.example", "b.example"]}), json!({"ptr": ["b.example", "a.example"]})),
        (json!({"pasv": ["PASV 192.0.2.1:4001 open"]}), json!({"pasv": ["PASV 192.0.2.1:4002 open"]})),
        // What only one of them asked.
        (json!({}), secured(&json!({"findings": ["legacy_tls", "cert_expired"], "severity": "high"}))),
        (json!({"pasv": ["EPSV 1 open"], "findings": ["anonymous_ftp"], "severity": "medium"}), json!({})),
        // A new verdict without new evidence that lasts.
        (
            json!({"fronting": "likely", "evidence": [{"code": "accept_then_close", "excerpt": "as on 9 endpoints"}]}),
            json!({"fronting": "not_observed"}),
        ),
        // Times of HTTP, and bytes of who knows what.
        (
            json!({"outcome": "other_protocol", "protocol": "http", "banner": r"HTTP/1.1 400 Bad\r\nDate: Sat\r\nServer: nginx\r\nX: 1\r\n"}),
            json!({"outcome": "other_protocol", "protocol": "http", "banner": r"HTTP/1.1 400 Bad\r\nDate: Sun\r\nServer: nginx\r\nX: 2\r\n"}),
        ),
        (
            json!({"outcome": "other_protocol", "banner": r"\x01\x02abc", "banner_hash": null}),
            json!({"outcome": "other_protocol", "banner": r"\x01\x02xyz", "banner_hash": null}),
        ),
        // Of one pool, asked once and several times.
        (
            json!({"fronting": "likely", "front": "nginx", "evidence": [{"code": "samples_disagree"}, {"code": "nginx_mail"}]}),
            json!({}),
        ),
        // Salt of MySQL.
        (
            json!({"outcome": "other_protocol", "protocol": "mysql", "banner": r"J\x00\x00\x00\x0a5.7.44\x00abc", "banner_hash": null}),
            json!({"outcome": "other_protocol", "protocol": "mysql", "banner": r"J\x00\x00\x00\x0a5.7.44\x00xyz", "banner_hash": null}),
        ),
    ];
    for (old, new) in table {
        assert_eq!(fields(&old, &new), [""; 0], "{old} {new}");
        assert_eq!(fields(&new, &old), [""; 0], "{new} {old}");
    }
}

#[test]
fn postscreen_that_remembers_is_no_difference() {
    let first = json!({
        "banner": r"220-mail.example ESMTP\r\n220 mail.example ESMTP Postfix\r\n", "banner_hash": "bb".repeat(32),
        "fronting": "likely", "front": "postscreen", "evidence": [{"code": "postscreen", "ms": 6000}],
        "capabilities": ["SIZE 1000"],
    });
    let later = json!({"capabilities": ["PIPELINING", "SIZE 1000"]});
    assert_eq!(fields(&first, &later), [""; 0]);
    assert_eq!(fields(&later, &first), [""; 0]);
    let other = json!({"banner": r"220 mail.example ESMTP Exim 4.96\r\n", "banner_hash": "cc".repeat(32), "capabilities": ["SIZE 1000"]});
    assert_eq!(fields(&first, &other).len(), 1, "another greeting is a difference all the same");
}

#[test]
fn a_pool_that_takes_turns_is_no_difference() {
    let hash = |digit: &str| digit.repeat(64);
    let server = |name: &str, digit: &str, count: u32| json!({"count": count, "code": 220, "banner_hash": hash(digit), "hostname": name});
    let pool = |first: &str, digit: &str, servers: [Value; 2]| json!({"hostname": first, "banner": format!("220 {first}\\r\\n"), "banner_hash": hash(digit), "variants": servers});
    let one = pool("a", "1", [server("a", "1", 3), server("b", "2", 2)]);
    let other = pool("b", "2", [server("b", "2", 4), server("a", "1", 1)]);
    assert_eq!(fields(&one, &other), [""; 0]);
    // Asked once it is one of them, or none.
    let [member, stranger] =
        ["2", "3"].map(|digit| json!({"hostname": "b", "banner": "220 b\\r\\n", "banner_hash": hash(digit)}));
    assert_eq!(fields(&one, &member), [""; 0]);
    assert_eq!(fields(&member, &one), [""; 0]);
    assert!(!fields(&one, &stranger).is_empty());
    // Nor are findings and verdicts that come of the one that was met.
    let mut sampled = one.clone();
    sampled["fronting"] = "likely".into();
    sampled["evidence"] = json!([{"code": "samples_disagree"}]);
    let mut met = member.clone();
    met["findings"] = json!(["version_disclosed"]);
    assert_eq!(fields(&sampled, &met), [""; 0]);
    assert_eq!(fields(&met, &sampled), [""; 0]);
    // CSV tells no more than that there are several.
    let csv = |name: &str| json!({"hostname": name, "banner": format!("220 {name}\\r\\n"), "banner_hash": hash("7"), "evidence": [{"code": "samples_disagree"}]});
    assert_eq!(fields(&csv("a"), &member), [""; 0]);
    let third = pool("b", "2", [server("b", "2", 4), server("c", "3", 1)]);
    let told = fields(&one, &third);
    assert!(
        told.len() == 1
            && told[0].starts_with("variants 220 a - - 1111111111111111 ->220 c - - 3333333333333333 - other low"),
        "{told:?}"
    );
}

#[test]
fn what_lasts_is_told_with_what_it_means() {
    let version = |version: &str| json!({"software": "Exim", "version": version, "banner_hash": version.repeat(16)});
    let other_hash = "dd".repeat(32);
    let certificate = |hash: &str, more: &Value| {
        let mut row = secured(more);
        row["cert_sha256"] = hash.repeat(32).into();
        row
    };
    let finding = |id: &str, severity: &str| json!({"findings": [id], "severity": severity, "findings_detail": [{"id": id, "severity": severity}]});
    let table = [
        (version("4.9"), version("4.90"), vec!["version 4.9>4.90 upgrade info"]),
        (version("4.90"), version("4.9"), vec!["version 4.90>4.9 downgrade medium"]),
        (
            json!({}),
            json!({"software": "Exim", "banner_hash": other_hash}),
            vec!["software Postfix>Exim other_software low"],
        ),
        (
            json!({}),
            json!({"banner": r"220 hello\r\n", "banner_hash": other_hash, "hostname": null}),
            vec![
                r"banner 220 mail.example ESMTP Postfix\r\n>220 hello\r\n other info",
                "hostname mail.example> other low",
            ],
        ),
        (
            json!({}),
            json!({"outcome": "silent", "code": null, "banner": null}),
            vec!["outcome greeted>silent greets_no_more medium"],
        ),
        (
            json!({"code": 421, "banner": r"421 later\r\n", "banner_hash": "ee", "software": null, "hostname": null}),
            json!({}),
            vec!["code 421>220 other low"],
        ),
        (
            secured(&json!({})),
            secured(&json!({"tls_version": "TLSv1.0", "capabilities": ["SIZE 1000", "VRFY"]})),
            vec!["tls_version TLSv1.3>TLSv1.0 tls_worse medium", "capabilities PIPELINING>VRFY other info"],
        ),
        (
            secured(&json!({})),
            json!({"tls": "not_offered", "capabilities": ["SIZE 1000", "PIPELINING"]}),
            vec!["tls starttls>not_offered tls_worse high"],
        ),
        (secured(&json!({"tls_version": "GMTLS"})), secured(&json!({})), vec!["tls_version GMTLS>TLSv1.3 other info"]),
        (
            json!({"outcome": "other_protocol", "protocol": "http", "banner": r"HTTP/1.1 400 Bad\r\nDate: Sat\r\nServer: nginx\r\nX: 1\r\n"}),
            json!({"outcome": "other_protocol", "protocol": "http", "banner": r"HTTP/1.1 400 Bad\r\nDate: Sun\r\nServer: apache\r\n"}),
            vec![
                r"banner HTTP/1.1 400 Bad\r\nDate: Sat\r\nServer: nginx\r\nX: 1\r\n>HTTP/1.1 400 Bad\r\nDate: Sun\r\nServer: apache\r\n other info",
            ],
        ),
        (
            json!({"outcome": "other_protocol", "protocol": "mysql", "banner": r"J\x00\x00\x00\x0a5.7.44\x00abc"}),
            json!({"outcome": "other_protocol", "protocol": "mysql", "banner": r"J\x00\x00\x00\x0a8.0.36\x00abc"}),
            vec![r"banner J\x00\x00\x00\x0a5.7.44\x00abc>J\x00\x00\x00\x0a8.0.36\x00abc other info"],
        ),
        (
            certificate("11", &json!({})),
            certificate(
                "22",
                &json!({"cert_not_after": "2027-03-01T00:00:00Z", "cert_issuer": "CN=R11,O=Authority,C=US"}),
            ),
            vec!["cert_not_after 2026-12-01T00:00:00Z>2027-03-01T00:00:00Z renewed info"],
        ),
        (
            certificate("11", &json!({})),
            certificate("22", &json!({"cert_issuer": "CN=Other", "cert_status": "self_signed"})),
            vec![
                "cert_sha256 1111111111111111111111111111111111111111111111111111111111111111>2222222222222222222222222222222222222222222222222222222222222222 other_certificate low",
                "cert_issuer CN=R10,O=Authority,C=US>CN=Other other info",
                "cert_status valid>self_signed tls_worse medium",
            ],
        ),
        (json!({}), finding("open_but_odd", "high"), vec!["findings >open_but_odd new_finding high"]),
        (finding("open_but_odd", "high"), json!({}), vec!["findings open_but_odd> gone_finding info"]),
        (finding("odd", "low"), finding("odd", "high"), vec!["findings odd (low)>odd (high) worse_finding high"]),
        (
            json!({}),
            json!({"fronting": "confirmed", "front": "nginx", "evidence": [{"code": "unsolicited_error"}]}),
            vec!["front >nginx other low", "fronting not_observed>confirmed other low"],
        ),
    ];
    for (old, new, expected) in table {
        assert_eq!(fields(&old, &new), expected, "{old} {new}");
    }
    let renewed = changes(
        &row(&certificate("11", &json!({}))),
        &row(&certificate("22", &json!({"cert_not_after": "2027-03-01T00:00:00Z", "cert_key": "EC P-256"}))),
    );
    assert_eq!((renewed[0].kind, renewed[0].trend), (Kind::Renewed, None));
}

/// What a file does not have, or not in words that can be read, does not prove that it is the same.
#[test]
fn a_certificate_is_renewed_only_where_that_is_known() {
    let renewal = |more: &Value| {
        let mut new = json!({"cert_sha256": "22".repeat(32), "cert_not_after": "2027-03-01T00:00:00Z"});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        changes(&row(&secured(&json!({}))), &row(&secured(&new)))[0].fields[0].what
    };
    assert_eq!(renewal(&json!({})), What::Renewed);
    let others = [
        json!({"cert_names": null}),
        json!({"cert_issuer": null}),
        json!({"cert_not_after": null}),
        json!({"cert_not_after": "31.12.2027 00:00"}),
        json!({"cert_not_after": "2026-12-01T01:00:00+02:00"}),
    ];
    for more in others {
        assert_eq!(renewal(&more), What::OtherCertificate, "{more}");
    }
    // Nor does what neither has.
    for column in ["cert_names", "cert_issuer", "cert_not_after"] {
        let without = |more: Value| {
            let mut row = secured(&more);
            row.as_object_mut().unwrap().remove(column);
            super::tests::row(&row)
        };
        let new = json!({"cert_sha256": "22".repeat(32), "cert_not_after": "2027-03-01T00:00:00Z"});
        let told = changes(&without(json!({})), &without(new));
        assert_eq!(told[0].fields[0].what, What::OtherCertificate, "{column}");
    }
}

/// Each difference as `kind ip name: field from>to, …`.
pub(super) fn told(changes: &[Change]) -> Vec<String> {
    let told = changes.iter().map(|it| {
        let fields = it.fields.iter().map(|field| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            format!(" {} {}>{}", field.field, text(&field.from), text(&field.to))
        });
        let ip = it.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let name = it.name.clone().unwrap_or_default();
        format!("{} {ip} {name}:{}", it.kind.as_str(), fields.collect::<String>())
    });
    told.collect()
}

#[test]
fn names_and_addresses_that_change_are_told_as_such() {
    let at = |name: &str, ip: &str| row(&json!({"name": name, "ip": ip}));
    let bare = |ip: &str| row(&json!({"ip": ip}));
    let table = [
        (
            at("a.example", "192.0.2.1"),
            at("b.example", "192.0.2.1"),
            vec!["changed 192.0.2.1 b.example: name a.example>b.example"],
        ),
        (
            at("a.example", "192.0.2.1"),
            at("a.example", "192.0.2.9"),
            vec!["moved 192.0.2.9 a.example: ip 192.0.2.1>192.0.2.9"],
        ),
        // Only one of them asked by a name.
        (bare("192.0.2.1"), at("b.example", "192.0.2.1"), vec![]),
        // A name that moved where another was: each is told for itself.
        (
            at("a.example", "192.0.2.1") + &at("b.example", "192.0.2.2"),
            at("a.example", "192.0.2.2") + &at("b.example", "192.0.2.1"),
            vec![
                "moved 192.0.2.1 b.example: ip 192.0.2.2>192.0.2.1",
                "moved 192.0.2.2 a.example: ip 192.0.2.1>192.0.2.2",
            ],
        ),
        // Two servers of one name that went elsewhere in another order.
        (
            row(&json!({"name": "a.example", "ip": "192.0.2.1", "banner_hash": "11"}))
                + &row(&json!({"name": "a.example", "ip": "192.0.2.2", "banner_hash": "22"})),
            row(&json!({"name": "a.example", "ip": "192.0.2.8", "banner_hash": "22"}))
                + &row(&json!({"name": "a.example", "ip": "192.0.2.9", "banner_hash": "11"})),
            vec![
                "moved 192.0.2.8 a.example: ip 192.0.2.2>192.0.2.8",
                "moved 192.0.2.9 a.example: ip 192.0.2.1>192.0.2.9",
            ],
        ),
        // Of two addresses one stays.
        (
            at("a.example", "192.0.2.1") + &at("a.example", "192.0.2.2"),
            at("a.example", "192.0.2.1") + &at("a.example", "192.0.2.3"),
            vec!["moved 192.0.2.3 a.example: ip 192.0.2.2>192.0.2.3"],
        ),
        // Two names at one address, and the case of letters.
        (
            at("A.example", "192.0.2.1") + &at("b.example", "192.0.2.1"),
            at("b.example", "192.0.2.1") + &at("a.Example", "192.0.2.1"),
            vec![],
        ),
        (
            at("a.example", "192.0.2.1"),
            row(&json!({"name": "a.example", "ip": null, "outcome": "unresolved", "detail": "no such name"})),
            vec!["vanished 192.0.2.1 a.example:"],
        ),
        (
            at("a.example", "192.0.2.1"),
            row(&json!({"name": "a.example", "ip": "192.0.2.9", "outcome": "refused"})),
            vec!["vanished 192.0.2.1 a.example:"],
        ),
    ];
    for (old, new, expected) in table {
        assert_eq!(told(&changes(&old, &new)), expected, "{old}{new}");
    }
    let of = |domain: &str| row(&json!({"name": "mx.example", "detail": format!("MX 10 of {domain}")}));
    assert_eq!(told(&changes(&(of("a.example") + &of("b.example")), &(of("b.example") + &of("a.example")))), [""; 0]);
}

#[test]
fn what_answers_at_its_address_is_not_gone_for_want_of_a_name() {
    let named = |name: &str| row(&json!({"name": name}));
    let by_address = || coverage(&["192.0.2.0/24"], &json!({"refused": 9}));
    let by_name = || coverage(&["192.0.2.0/24", "a.example"], &json!({"refused": 9}));
    let both = named("a.example") + &row(&json!({}));
    let words = |name: &str| format!("its address answers, and as to its name, {name}");
    let table = [
        (both.clone(), row(&json!({})), by_address(), vec![format!("not_scanned {}", words("it was no target"))]),
        (
            both.clone(),
            row(&json!({})),
            by_name(),
            vec!["vanished its name leads elsewhere, or to where connections are refused".to_owned()],
        ),
        // What is asked by a name alone answers there, too.
        (both, named("a.example"), coverage(&["a.example"], &json!({})), vec![]),
    ];
    for (old, new, covered, expected) in table {
        let nothing = Coverage::default();
        let (gone, summary) = compared(&old, &new, [&nothing, &covered], Choice::default());
        let told: Vec<_> =
            gone.iter().map(|it| format!("{} {}", it.kind.as_str(), it.detail.clone().unwrap_or_default())).collect();
        assert_eq!((told, summary.unchanged), (expected, 1));
        let (came, _) = compared(&new, &old, [&covered, &nothing], Choice::default());
        assert_eq!(came.len(), gone.len());
        assert!(came.iter().zip(&gone).all(|(came, gone)| match gone.kind {
            Kind::NotScanned => came.kind == Kind::NewlyScanned,
            _ => came.kind == Kind::Appeared,
        }));
    }
}

#[test]
fn of_several_rows_of_an_endpoint_the_latest_counts() {
    let at = |time: &str, software: &str| row(&json!({"time": time, "software": software}));
    let old = at("2026-01-02T00:00:00Z", "Exim") + &at("2026-01-01T00:00:00Z", "Postfix");
    let (changes, summary) =
        compared(&old, &at("2026-03-01T00:00:00Z", "Exim"), [&Coverage::default(); 2], Choice::default());
    assert_eq!((changes.len(), summary.superseded, summary.unchanged), (0, [1, 0], 1));
    // Whatever a time looks like; but what this machine could not do is no later word on what it did.
    let failed = row(
        &json!({"time": "2026-02-01T00:00:00Z", "outcome": "local_error", "software": null, "detail": "no memory"}),
    );
    for old in [
        at("2026-01-02T00:00:00Z", "Exim") + &at("2026-01-01T00:00:00.123456Z", "Postfix"),
        at("2026-01-01T00:00:00.123456Z", "Postfix") + &at("2026-01-02T00:00:00Z", "Exim"),
        failed + &at("2026-01-02T00:00:00Z", "Exim"),
    ] {
        let (changes, _) =
            compared(&old, &at("2026-03-01T00:00:00Z", "Exim"), [&Coverage::default(); 2], Choice::default());
        assert_eq!(changes, [], "{old}");
    }
}

/// What the manifest of a scan of these hosts at port 25 proves.
fn coverage(hosts: &[&str], counts: &Value) -> Coverage {
    coverage_of(hosts, counts, Family::Any)
}

pub(super) fn coverage_of(hosts: &[&str], counts: &Value, family: Family) -> Coverage {
    let mut coverage = Coverage::default();
    coverage.add(&manifest(hosts, counts, family)).unwrap();
    coverage
}

pub(super) fn manifest(hosts: &[&str], counts: &Value, family: Family) -> Manifest {
    let text = json!({
        "hailer_manifest": 1, "hailer": "0.1.0", "command_line": [], "contact": null, "began": "", "ended": "", "seconds": 1.0,
        "seed": 7, "shard": "1/1", "configuration_digest": "", "targets_digest": "", "endpoints": {"total": 1, "done": 1, "not_done": 0, "coverage": 1.0},
        "configuration": {
            "pace": "", "profile": null, "ports": "", "concurrency": 1, "connect_timeout_ms": 1, "tls_timeout_ms": 1,
            "mail_greeting_timeout_ms": 1, "ftp_greeting_timeout_ms": 1, "leave": "", "depth": "greeting", "anonymous": false,
            "ehlo_name": null, "transcript": false, "all": false, "retry_busy": 0, "canaries": [], "canary_interval_ms": 1,
            "resolvers": [], "roots": "", "authorised": false, "source": [], "interface": null,
        },
        "outcomes": {}, "ports": {"25": counts}, "canaries": null, "slowed": {"networks": 0, "slowest": []}, "outputs": [],
    });
    let mut manifest: Manifest = serde_json::from_value(text).unwrap();
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let targets = vec![Asked { ports: "25=smtp".into(), hosts }];
    let excluded = vec!["192.0.2.7".into()];
    manifest.scope = Some(Scope { endpoints: 512, targets, excluded, family, ..Scope::default() });
    manifest
}

#[test]
fn what_vanished_is_what_was_probed() {
    let (all, quiet, loud) = (["192.0.2.0/24"], json!({"refused": 9}), json!({"refused": 9, "timeout": 1}));
    let table = [
        (coverage(&all, &quiet), json!({}), None, "vanished refused"),
        (
            coverage(&all, &loud),
            json!({}),
            None,
            "not_answered refused, or nothing came back: only a scan with --all tells",
        ),
        (coverage(&["198.51.100.0/24"], &quiet), json!({}), None, "not_scanned it was no target"),
        (coverage(&all, &quiet), json!({"port": 26}), None, "not_scanned this port was not asked"),
        (coverage(&all, &quiet), json!({"ip": "192.0.2.7"}), None, "not_scanned it was excluded"),
        (Coverage::default(), json!({}), None, "not_scanned there is no manifest beside it"),
        (
            coverage(&["a.example"], &quiet),
            json!({"name": "a.example"}),
            None,
            "vanished its name leads elsewhere, or to where connections are refused",
        ),
        (coverage(&all, &loud), json!({}), Some(json!({"outcome": "refused"})), "vanished refused"),
        (coverage(&all, &quiet), json!({}), Some(json!({"outcome": "timeout"})), "not_answered timeout"),
        (
            coverage(&all, &quiet),
            json!({}),
            Some(json!({"outcome": "unreachable", "detail": "ICMP 3/1"})),
            "not_answered unreachable: ICMP 3/1",
        ),
        (coverage(&all, &quiet), json!({}), Some(json!({"outcome": "local_error"})), "not_scanned local_error"),
        (
            coverage_of(&["a.example"], &quiet, Family::V4),
            json!({"name": "a.example", "ip": "2001:db8::1"}),
            Some(json!({"name": "a.example", "ip": null, "outcome": "unresolved", "detail": "IPv6 only"})),
            "not_scanned its name was asked for addresses of the other family alone",
        ),
        (
            coverage(&["a.example"], &quiet),
            json!({"name": "a.example"}),
            Some(json!({"name": "a.example", "ip": null, "outcome": "unresolved", "detail": "no such name"})),
            "vanished unresolved: no such name",
        ),
    ];
    for (coverage, old, new, expected) in table {
        let new = new.map(|new| row(&new)).unwrap_or_default();
        let nothing = Coverage::default();
        let (gone, _) = compared(&row(&old), &new, [&nothing, &coverage], Choice::default());
        let told: Vec<_> =
            gone.iter().map(|it| format!("{} {}", it.kind.as_str(), it.detail.clone().unwrap_or_default())).collect();
        assert_eq!(told, [expected]);
        // The other way round it came.
        let (came, _) = compared(&new, &row(&old), [&coverage, &nothing], Choice::default());
        let is_new = !expected.starts_with("not_scanned") || expected.ends_with("no manifest beside it");
        assert_eq!(came[0].kind, if is_new { Kind::Appeared } else { Kind::NewlyScanned }, "{expected}");
    }
}

#[test]
fn what_only_ndjson_can_tell_is_no_difference_from_csv() {
    let csv = "ip,port,service,outcome,tls,tls_version,capabilities,findings,severity\n\
        192.0.2.1,465,smtps,greeted,implicit,TLSv1.3,SIZE,legacy_tls,medium\n";
    let json = json!({
        "ip": "192.0.2.1", "port": 465, "service": "smtps", "outcome": "greeted", "tls": "implicit", "tls_version": "TLSv1.3",
        "capabilities": ["SIZE"], "findings": ["legacy_tls"], "severity": "medium", "tls_legacy": {"version": "TLSv1.0"},
        "findings_detail": [{"id": "legacy_tls", "severity": "medium"}], "features": {"asked": "EHLO", "code": 250},
    });
    let without = |key: &str| {
        let mut json = json.clone();
        json.as_object_mut().unwrap().remove(key);
        json.to_string()
    };
    for (old, new) in [(csv, &json.to_string()), (&*json.to_string(), &csv.to_owned())] {
        assert_eq!(changes(old, new), []);
    }
    assert_eq!(changes(&without("tls_legacy"), &json.to_string())[0].fields[0].what, What::TlsWorse);
}

#[test]
fn one_can_choose_what_is_told() {
    let old = row(&json!({})) + &row(&json!({"ip": "192.0.2.2"}));
    let new = row(&json!({"hostname": "b", "software": "Exim", "banner_hash": "ee"}));
    let choice = |only: &[Kind], ignore: &[&str]| Choice {
        only: only.to_vec(),
        ignore: ignore.iter().map(|field| (*field).to_owned()).collect(),
    };
    let chosen = |choice| told(&compared(&old, &new, [&Coverage::default(); 2], choice).0);
    assert_eq!(chosen(choice(&[Kind::NotScanned], &[])), ["not_scanned 192.0.2.2 :"]);
    assert_eq!(chosen(choice(&[Kind::Changed], &["software"])), ["changed 192.0.2.1 : hostname mail.example>b"]);
    assert_eq!(chosen(choice(&[Kind::Changed], &["software", "hostname"])), [""; 0]);
}

#[test]
fn files_hold_no_formula_and_nothing_that_acts_on_a_terminal() {
    let new = "{\"ip\":\"192.0.2.1\",\"port\":25,\"service\":\"smtp\",\"outcome\":\"greeted\",\"hostname\":\"=cmd|' /C calc'!A0\",\"software\":\"a\\u001b[2Jb\"}\n";
    let told = changes(&row(&json!({"banner": null, "banner_hash": null, "code": null})), new);
    let (mut csv_text, mut ndjson) = (Vec::new(), Vec::new());
    let writers: [Box<dyn ChangeWriter + '_>; 2] = [Box::new(Csv::new(&mut csv_text)), Box::new(Ndjson(&mut ndjson))];
    for mut writer in writers {
        writer.begin(&Summary::default()).unwrap();
        told.iter().try_for_each(|change| writer.change(change)).unwrap();
        writer.end().unwrap();
    }
    let csv_text = String::from_utf8(csv_text).unwrap();
    assert!(csv_text.contains(",'=cmd|' /C calc'!A0,") && csv_text.contains("a\\x1b[2Jb"), "{csv_text}");
    let ndjson = String::from_utf8(ndjson).unwrap();
    for text in [&csv_text, &ndjson] {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text}");
    }
    let read: Change = serde_json::from_str(&ndjson).unwrap();
    assert_eq!(read, told[0]);
}

/// Rows of a few endpoints that may differ in everything.
fn inventory() -> impl Strategy<Value = String> {
    let cells = (
        prop::sample::select(vec!["greeted", "silent", "refused", "timeout", "unresolved", "local_error"]),
        prop::option::of(prop::sample::select(vec!["a.example", "b.example", "c.example"])),
        prop::sample::select(vec!["Postfix", "Exim"]),
        prop::sample::select(vec!["1.0", "1.1", "2"]),
        prop::option::of(prop::sample::select(vec!["starttls", "not_offered"])),
        prop::sample::subsequence(vec!["cert_expired", "no_starttls", "version_disclosed"], 0..3),
    );
    let rows = prop::collection::btree_map((1u8..6, 24u16..27), cells, 0..12);
    rows.prop_map(|rows| {
        let row = |((host, port), (outcome, name, software, version, tls, findings)): ((u8, u16), _)| {
            let findings: Vec<&str> = findings;
            let (name, tls): (Option<&str>, Option<&str>) = (name, tls);
            let (outcome, software, version): (&str, &str, &str) = (outcome, software, version);
            row(&json!({
                "ip": format!("192.0.2.{host}"), "port": port, "outcome": outcome, "name": name, "software": software,
                "version": version, "tls": tls, "findings": (!findings.is_empty()).then_some(findings),
                "banner": format!("220 {software} {version}"), "banner_hash": null,
            }))
        };
        rows.into_iter().map(row).collect()
    })
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(rows in inventory()) {
        let (changes, summary) = compared(&rows, &rows, [&Coverage::default(); 2], Choice::default());
        prop_assert_eq!(changes, []);
        prop_assert_eq!(summary.rows[0], summary.rows[1]);
    }

    /// The other way round each kind is its opposite, and each field goes from where it went to.
    #[test]
    fn the_other_way_round_is_the_other_way_round(old in inventory(), new in inventory(), heard: bool) {
        let counts = if heard { json!({}) } else { json!({"timeout": 1}) };
        let (one, other) = (coverage(&["192.0.2.1-192.0.2.4", "a.example"], &counts), coverage(&["192.0.2.2-192.0.2.5"], &counts));
        let (forth, _) = compared(&old, &new, [&one, &other], Choice::default());
        let (back, _) = compared(&new, &old, [&other, &one], Choice::default());
        let class = |kind: Kind, is_back: bool| match kind {
            Kind::Appeared | Kind::NewlyScanned => if is_back { "gone" } else { "came" },
            Kind::Vanished | Kind::NotScanned | Kind::NotAnswered => if is_back { "came" } else { "gone" },
            Kind::Changed | Kind::Moved | Kind::Renewed => "changed",
            Kind::Missing | Kind::Unexpected | Kind::Differs => "of expectations",
        };
        let told = |changes: &[Change], is_back: bool| {
            let mut told = BTreeMap::<String, usize>::new();
            for change in changes {
                let mut fields: Vec<_> = change.fields.iter().map(|field| {
                    let ends = if is_back { (&field.to, &field.from) } else { (&field.from, &field.to) };
                    format!("{} {ends:?}", field.field)
                }).collect();
                fields.sort();
                // What moved is told at the new place, what was renamed by the new name.
                let place = if change.fields.iter().any(|field| ["ip", "name"].contains(&&*field.field)) {
                    String::new()
                } else {
                    format!("{:?} {:?}", change.ip, change.name)
                };
                *told.entry(format!("{} {place} {} {fields:?}", class(change.kind, is_back), change.port)).or_default() += 1;
            }
            told
        };
        prop_assert_eq!(told(&forth, false), told(&back, true));
    }
}
