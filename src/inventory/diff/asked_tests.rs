//! What was asked of one side alone is no difference, and what was not asked at all is not missing.

use std::fs;

use serde_json::{Value, json};

use super::tests::{compared, coverage_of, manifest, row, secured, told};
use super::*;
use crate::Family;
use crate::inventory::Rows;
use crate::target::OTHER_FAMILY;

fn at_depth(depth: &str) -> Coverage {
    let mut manifest = manifest(&["192.0.2.0/24"], &json!({"refused": 9}), Family::Any);
    manifest.configuration.depth = depth.to_owned();
    let mut coverage = Coverage::default();
    coverage.add(&manifest).unwrap();
    coverage
}

#[test]
fn what_more_questions_bring_is_no_difference() {
    let plain_on_tls = |more: &Value| {
        let mut row = json!({"port": 465, "service": "smtps", "tls": "not_offered", "findings": ["plain_on_tls_port"], "severity": "high"});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let table = [
        // At a depth that asks for no more than was offered in clear.
        (
            plain_on_tls(&json!({"capabilities": ["SIZE 1000", "STARTTLS"]})),
            plain_on_tls(&json!({
                "tls": "starttls", "tls_version": "TLSv1.3", "capabilities": ["SIZE 1000", "STARTTLS", "tls:SIZE 1000"],
                "findings": ["plain_on_tls_port", "cert_untrusted", "version_disclosed"], "auth": ["PLAIN"],
            })),
        ),
        (
            json!({"capabilities": ["UTF8"], "auth": ["PLAIN"]}),
            secured(
                &json!({"capabilities": ["UTF8", "tls:PROT P"], "auth": ["LOGIN", "PLAIN"], "findings": ["no_auth_tls"], "severity": "medium"}),
            ),
        ),
        (
            json!({"software": null, "hostname": null}),
            json!({"capabilities": ["SIZE"], "version": "3.7", "fronting": "likely", "evidence": [{"code": "chained_banner"}]}),
        ),
        (json!({"fronting": "confirmed", "front": "nginx"}), json!({"capabilities": ["SIZE"]})),
    ];
    for (less, more) in table {
        for (old, new, depths) in [(&less, &more, ["features", "tls"]), (&more, &less, ["tls", "features"])] {
            let [one, other] = depths.map(at_depth);
            let (changes, _) = compared(&row(old), &row(new), [&one, &other], Choice::default());
            assert_eq!(told(&changes), [""; 0], "{old} {new}");
            let (changes, _) = compared(&row(old), &row(new), [&one, &one], Choice::default());
            assert!(!changes.is_empty(), "asked alike it is one: {old} {new}");
        }
    }
    // What shows at every depth is told all the same.
    let expired = |finding: &[&str]| secured(&json!({"port": 465, "tls": "implicit", "findings": finding}));
    let [one, other] = ["greeting", "tls"].map(at_depth);
    let (changes, _) =
        compared(&row(&expired(&[])), &row(&expired(&["cert_expired"])), [&one, &other], Choice::default());
    assert_eq!(changes[0].fields[0].what, What::NewFinding);
    let other_software = json!({"software": "Exim", "banner": r"220 Exim\r\n", "banner_hash": "ff"});
    let (changes, _) = compared(&row(&json!({})), &row(&other_software), [&one, &other], Choice::default());
    assert_eq!(changes[0].fields.len(), 2, "{changes:?}");
}

/// Where no manifest tells how much was asked, rows do.
#[test]
fn rows_show_how_much_was_asked() {
    let other = |more: &Value| row(more).replace("192.0.2.1", "192.0.2.2");
    let plain_on_tls =
        |tls: &str| json!({"port": 465, "service": "smtps", "tls": tls, "findings": ["plain_on_tls_port"]});
    // One that was asked for STARTTLS; and of another, on a port for TLS, what comes of that.
    let (asked, unasked) = (other(&secured(&json!({}))), other(&json!({})));
    for tls in ["starttls", "refused"] {
        let (more, less) =
            (asked.clone() + &row(&plain_on_tls(tls)), unasked.clone() + &row(&plain_on_tls("not_offered")));
        for (old, new) in [(&more, &less), (&less, &more)] {
            let (changes, _) = compared(old, new, [&Coverage::default(); 2], Choice::default());
            assert_eq!(told(&changes), [""; 0], "{tls}");
        }
        // Both were asked as much.
        let less = asked.clone() + &row(&plain_on_tls("not_offered"));
        let (changes, _) = compared(&more, &less, [&Coverage::default(); 2], Choice::default());
        assert_eq!(changes.len(), 1, "{tls}");
    }
    // A scan that went on at another depth was asked neither way throughout.
    let mut resumed = manifest(&["192.0.2.0/24"], &json!({"refused": 9}), Family::Any);
    resumed.configuration.depth = "tls".to_owned();
    resumed.configuration.depths_before = vec!["greeting".to_owned()];
    let mut mixed = Coverage::default();
    mixed.add(&resumed).unwrap();
    let (more, less) = (row(&plain_on_tls("starttls")), row(&plain_on_tls("not_offered")));
    for (coverage, count) in [(&mixed, 0), (&at_depth("tls"), 1)] {
        let (changes, _) = compared(&more, &less, [&at_depth("tls"), coverage], Choice::default());
        assert_eq!(changes.len(), count, "{changes:?}");
    }
}

#[test]
fn what_others_make_of_the_same_is_no_difference() {
    let by = |wordlists: &str, roots: &str| {
        let mut manifest = manifest(&["192.0.2.0/24"], &json!({"refused": 9}), Family::Any);
        manifest.configuration.wordlists_sha256 = wordlists.to_owned();
        manifest.configuration.roots = roots.to_owned();
        let mut coverage = Coverage::default();
        coverage.add(&manifest).unwrap();
        coverage
    };
    let (usual, lists, roots) = (by("aa", "public"), by("bb", "public"), by("aa", "system"));
    let named = |software: &str, hash: &str| {
        row(&json!({"software": software, "banner": hash, "banner_hash": hash.repeat(32)}))
    };
    let trusted = |status: &str| row(&secured(&json!({"cert_status": status})));
    let table = [
        (named("vsftpd", "aa"), named("CorpFTP", "aa"), &lists, 0),
        (named("vsftpd", "aa"), named("CorpFTP", "aa"), &usual, 1),
        (named("vsftpd", "aa"), named("CorpFTP", "bb"), &lists, 2),
        (trusted("valid"), trusted("untrusted"), &roots, 0),
        (trusted("valid"), trusted("untrusted"), &usual, 1),
        (trusted("valid"), trusted("expired"), &roots, 1),
    ];
    for (old, new, coverage, count) in table {
        let (changes, _) = compared(&old, &new, [&usual, coverage], Choice::default());
        assert_eq!(changes.iter().map(|change| change.fields.len()).sum::<usize>(), count, "{changes:?}");
    }
}

/// Of one pool: a server is the same where more questions, or other wordlists, told more of it.
#[test]
fn what_more_questions_tell_of_a_pool_is_no_difference() {
    let server = |digit: &str, more: &Value| {
        let mut server = json!({"count": 2, "code": 220, "banner_hash": digit.repeat(64), "hostname": digit});
        server.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server
    };
    let pool = |servers: &[Value]| row(&json!({"variants": servers}));
    let (one, other) = (server("1", &json!({})), server("2", &json!({})));
    let asked = json!({"cert_sha256": "7".repeat(64), "version": "4.96"});
    let less = pool(&[one.clone(), other.clone()]);
    let more = pool(&[server("1", &asked), server("2", &asked)]);
    let listed = pool(&[one.clone(), server("2", &json!({"software": "CorpFTP"}))]);
    let stranger = pool(&[server("1", &asked), server("3", &asked)]);
    let [greeting, tls] = ["greeting", "tls"].map(at_depth);
    let mut manifest = manifest(&["192.0.2.0/24"], &json!({"refused": 9}), Family::Any);
    manifest.configuration.wordlists_sha256 = "bb".to_owned();
    let mut corp = Coverage::default();
    corp.add(&manifest).unwrap();
    let table = [
        (&less, &more, [&greeting, &tls], 0),
        (&more, &less, [&tls, &greeting], 0),
        (&less, &more, [&tls, &tls], 1),
        (&less, &stranger, [&greeting, &tls], 1),
        (&less, &listed, [&greeting, &corp], 0),
        (&less, &listed, [&greeting, &greeting], 1),
    ];
    for (old, new, coverages, count) in table {
        let (changes, _) = compared(old, new, coverages, Choice::default());
        assert_eq!(changes.len(), count, "{old} {new} {changes:?}");
    }
    let (changes, _) = compared(&less, &stranger, [&greeting, &tls], Choice::default());
    assert!(told(&changes)[0].contains("variants 220 2 "), "{changes:?}");
}

#[test]
fn a_domain_whose_exchanges_are_not_known_is_not_gone() {
    let exchange = row(&json!({"name": "mx1.test", "detail": "MX 10 of ex.test"}));
    let failing = |outcome: &str| {
        row(&json!({"name": "mx:ex.test", "ip": null, "outcome": outcome, "detail": "the resolver does not answer"}))
    };
    let coverage = coverage_of(&["mx:ex.test"], &json!({"refused": 9}), Family::Any);
    let told = |old: &str, new: &str| {
        let (changes, _) = compared(old, new, [&coverage; 2], Choice::default());
        changes.iter().map(|it| (it.kind.as_str(), it.detail.clone().unwrap_or_default())).collect::<Vec<_>>()
    };
    let words = "local_error: the resolver does not answer";
    assert_eq!(told(&exchange, &failing("local_error")), [("not_scanned", words.to_owned())]);
    assert_eq!(told(&failing("local_error"), &exchange), [("newly_scanned", format!("before: {words}"))]);
    // It has none any more.
    assert_eq!(told(&exchange, &failing("unresolved"))[0].0, "vanished");
    // Another domain's failure says nothing of it.
    let other = failing("local_error").replace("ex.test", "other.test");
    assert_eq!(told(&exchange, &other)[0].0, "vanished");
    // Nor is it a difference that only one side asked for exchanges.
    let by_address = row(&json!({}));
    assert_eq!(told(&exchange, &by_address), []);
    assert_eq!(told(&by_address, &exchange), []);
}

/// A host that is a target by its name, and as the mail exchange of a domain that one side alone asked.
#[test]
fn a_domain_that_was_not_asked_is_not_gone() {
    let by_name = row(&json!({"name": "mx1.test"}));
    let by_both = by_name.clone() + &row(&json!({"name": "mx1.test", "detail": "MX 10 of ex.test"}));
    let [name, both] =
        [&["mx1.test"][..], &["mx1.test", "mx:ex.test"]].map(|it| coverage_of(it, &json!({"refused": 9}), Family::Any));
    let told = |old: &str, new: &str, coverages| {
        let (changes, _) = compared(old, new, coverages, Choice::default());
        changes.iter().map(|it| (it.kind.as_str(), it.detail.clone().unwrap_or_default())).collect::<Vec<_>>()
    };
    let words = "its address answers, and as to its domain, it was no target";
    assert_eq!(told(&by_both, &by_name, [&both, &name]), [("not_scanned", words.to_owned())]);
    assert_eq!(told(&by_name, &by_both, [&name, &both]), [("newly_scanned", format!("before: {words}"))]);
    // Asked, it has another exchange by now.
    assert_eq!(told(&by_both, &by_name, [&both; 2])[0].0, "vanished");
}

#[test]
fn columns_that_a_file_does_not_have_are_not_compared() {
    let full = row(&secured(&json!({"findings": ["cert_expired"], "severity": "high"})));
    let csv = "ip,port,service,outcome,software\n192.0.2.1,25,smtp,greeted,Exim\n";
    let mut diff = Diff::new(Choice::default());
    for (side, text) in [(Side::Old, full.as_str()), (Side::New, csv)] {
        let mut rows = Rows::new("rows", text.as_bytes()).unwrap();
        diff.lacks(Column::ALL.into_iter().filter(|column| !rows.has(*column)));
        rows.by_ref().for_each(|row| diff.take(side, &row.unwrap()).unwrap());
    }
    let changes: Vec<_> =
        diff.finish(&Coverage::default(), &Coverage::default()).unwrap().map(Result::unwrap).collect();
    assert_eq!(told(&changes), ["changed 192.0.2.1 : software Postfix>Exim"]);

    // NDJSON has no header: that what every row has is missing tells.
    let few = "{\"ip\":\"192.0.2.1\",\"port\":25,\"service\":\"smtp\",\"outcome\":\"greeted\",\"software\":\"Exim\"}\n";
    for (text, is_of_some) in [(few, true), (full.as_str(), false)] {
        let mut rows = Rows::new("rows", text.as_bytes()).unwrap();
        assert!(rows.by_ref().all(|row| row.is_ok()));
        assert_eq!(!rows.has(Column::Ptr), is_of_some);
        assert!(rows.has(Column::Software));
    }
    // Or its manifest does.
    let mut of_few = manifest(&["192.0.2.0/24"], &json!({}), Family::Any);
    of_few.columns = ["ip", "port", "service", "outcome"].map(str::to_owned).to_vec();
    let mut coverage = Coverage::default();
    coverage.add(&of_few).unwrap();
    let few = "{\"ip\":\"192.0.2.1\",\"port\":25,\"service\":\"smtp\",\"outcome\":\"greeted\"}\n";
    let (changes, _) = compared(&full, few, [&Coverage::default(), &coverage], Choice::default());
    assert_eq!(told(&changes), [""; 0]);
}

/// What of an inventory is not as it should be, as `kind line: why field from>to`.
pub(super) fn expected(inventory: &str, rows: &str, coverage: &Coverage) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inventory.csv");
    fs::write(&path, inventory).unwrap();
    let lines = Expectations::read(&path).unwrap();
    let mut expecting = Expectations::begin(Choice::default());
    for row in Rows::new("rows", rows.as_bytes()).unwrap() {
        expecting.take(&row.unwrap()).unwrap();
    }
    let changes = expecting.finish(lines, coverage).unwrap().map(Result::unwrap);
    let told = changes.map(|it| {
        let fields = it.fields.iter().map(|field| format!(" {}", field.field));
        format!("{} {}{}", it.kind.as_str(), it.detail.clone().unwrap_or_default(), fields.collect::<String>())
    });
    told.collect()
}

#[test]
fn what_nobody_probed_is_not_missing() {
    let covering = |counts: &Value| coverage_of(&["192.0.2.0/24"], counts, Family::Any);
    let (quiet, loud) = (covering(&json!({"refused": 9})), covering(&json!({"timeout": 1})));
    let failed = row(&json!({"outcome": "local_error", "detail": "no memory"}));
    let exchanges = coverage_of(&["mx:ex.test"], &json!({"refused": 9}), Family::Any);
    let table = [
        ("ip,port\n192.0.2.1,25\n", "", &quiet, vec!["missing line 2: refused"]),
        (
            "ip,port\n192.0.2.1,25\n",
            "",
            &loud,
            vec!["not_answered line 2: refused, or nothing came back: only a scan with --all tells"],
        ),
        ("ip,port\n198.51.100.1,25\n", "", &quiet, vec!["not_scanned line 2: it was no target"]),
        ("ip,port\n192.0.2.1,25\n", &failed, &quiet, vec!["not_scanned line 2: local_error: no memory"]),
        // Nor is it proved that nothing is there.
        ("ip,port,outcome\n192.0.2.1,25,refused\n", "", &quiet, vec![]),
        ("ip,port,outcome\n192.0.2.1,25,timeout\n", "", &loud, vec![]),
        (
            "ip,port,outcome\n192.0.2.1,25,refused\n",
            "",
            &loud,
            vec!["not_answered line 2: refused, or nothing came back: only a scan with --all tells"],
        ),
        ("ip,port,outcome\n198.51.100.1,25,refused\n", "", &quiet, vec!["not_scanned line 2: it was no target"]),
        // Only the other family was asked for.
        (
            "name,port\nsix.test,25\n",
            &row(&json!({"name": "six.test", "ip": null, "outcome": "unresolved", "detail": OTHER_FAMILY})),
            &coverage_of(&["six.test"], &json!({"refused": 9}), Family::V4),
            vec!["not_scanned line 2: unresolved: the name has addresses of the other family only"],
        ),
        (
            "name,ip,port\nsix.test,::1,25\n",
            &row(&json!({"name": "six.test", "ip": null, "outcome": "unresolved", "detail": OTHER_FAMILY})),
            &coverage_of(&["six.test"], &json!({"refused": 9}), Family::V4),
            vec!["not_scanned line 2: its name was asked for addresses of the other family alone"],
        ),
        // A mail exchange of a domain, of which nothing could be learnt, or which has no such any more.
        (
            "name,port,detail\nmx1.test,25,MX 10 of ex.test\n",
            &row(&json!({"name": "mx:ex.test", "ip": null, "outcome": "local_error", "detail": "no resolver"})),
            &exchanges,
            vec!["not_scanned line 2: local_error: no resolver"],
        ),
        (
            "name,port,detail\nmx1.test,25,MX 10 of ex.test\n",
            "",
            &exchanges,
            vec!["missing line 2: its name leads elsewhere, or to where connections are refused"],
        ),
        (
            "name,port\nmx1.test,25\n",
            "",
            &exchanges,
            vec!["not_scanned line 2: it was no target, unless as a mail exchange of a domain that was"],
        ),
    ];
    for (inventory, rows, coverage, lines) in table {
        assert_eq!(expected(inventory, rows, coverage), lines, "{inventory}{rows}");
    }
}

#[test]
fn what_is_expected_is_read_as_rows_are() {
    let nothing = Coverage::default();
    let of_name =
        row(&json!({"name": "xn--bcher-kva.example", "cert_not_after": "2027-03-01T10:00:00Z", "connect_ms": 1.5}));
    for inventory in [
        "name,port\nBücher.example.,25\n",
        "ip;port;cert_not_after;connect_ms\r\n192.0.2.1;25;2027-03-01 10:00:00;1,5\r\n",
        "\u{feff}ip|port|software\n192.0.2.1|25|postfix\n",
        "\"ip\",port,hostname\n192.0.2.1,25,mail.example\n",
        "ip\tPort\n192.0.2.1\t25\n",
    ] {
        assert_eq!(expected(inventory, &of_name, &nothing), [""; 0], "{inventory}");
    }
    // A sweep of addresses knows no names.
    let bare = row(&json!({}));
    assert_eq!(expected("ip,name,port\n192.0.2.1,a.example,25\n", &bare, &nothing), [""; 0]);
    let others = expected("ip,name,port\n192.0.2.1,a.example,25\n", &of_name, &nothing);
    assert_eq!(others, ["differs line 2 name"]);
}

/// Lines and rows of one address by several names, or by none.
#[test]
fn each_row_is_of_its_own_line() {
    let quiet = coverage_of(&["192.0.2.0/24"], &json!({"refused": 9}), Family::Any);
    let named = |name: &str| row(&json!({"name": name}));
    let all = ["m.test", "a.test", "b.test"].map(named).concat();
    let bare = row(&json!({}));
    let table = [
        // Of a sweep by address, which knows no names.
        ("name,ip,port\n,192.0.2.1,25\na.test,192.0.2.1,25\n", &bare, vec![]),
        ("name,ip,port\na.test,192.0.2.1,25\nb.test,192.0.2.1,25\n", &bare, vec![]),
        // Who else leads there says nothing of a line that has its own row.
        ("name,ip,port\nm.test,192.0.2.1,25\n", &all, vec!["unexpected ", "unexpected "]),
        ("ip,port\n192.0.2.1,25\n", &all, vec![]),
        ("name,ip,port\n,192.0.2.1,25\nm.test,192.0.2.1,25\n", &all, vec![]),
        // Each of two that are called otherwise now is told once.
        ("name,ip,port\nx.test,192.0.2.1,25\n", &all, vec!["unexpected ", "unexpected ", "differs line 2 name"]),
        ("name,ip,port\na.test,192.0.2.9,25\n", &named("a.test"), vec!["differs line 2 ip"]),
        // Nothing was to answer there.
        ("ip,port,outcome\n192.0.2.1,25,refused\n", &named("a.test"), vec!["differs line 2 outcome"]),
        (
            "name,ip,port,outcome\na.test,192.0.2.1,25,\n,192.0.2.1,25,refused\n",
            &named("a.test"),
            vec!["differs line 3 outcome"],
        ),
        // It answers, and its name does not lead there any more.
        (
            "name,ip,port\na.test,192.0.2.1,25\n",
            &(bare.clone() + &row(&json!({"name": "a.test", "ip": null, "outcome": "unresolved"}))),
            vec!["missing line 2: unresolved"],
        ),
    ];
    for (inventory, rows, lines) in table {
        assert_eq!(expected(inventory, rows, &quiet), lines, "{inventory}{rows}");
    }
}

/// A result that was made an inventory, another scan later.
#[test]
fn what_is_another_each_time_cannot_be_expected() {
    let mut lines = String::new();
    let inventory = "ip,port,service,outcome,banner,fronting,pasv,evidence,time,attempts\n\
                     192.0.2.1,21,ftp,greeted,\"220 m ESMTP Sat, 21 Nov 2026 10:00:00 +0000\\r\\n\",possible,PASV 192.0.2.1:4001 open,\
                     \"x@1ms\",2026-11-21T03:11:00Z,1\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inventory.csv");
    fs::write(&path, inventory).unwrap();
    let mut expected = Expectations::read(&path).unwrap();
    assert_eq!(expected.passing(), [Column::Time, Column::Evidence, Column::Attempts]);
    let passing = expected.passing();
    expected.disregard(&passing);
    lines.push_str(&row(&json!({
        "port": 21, "service": "ftp", "banner": r"220 m ESMTP Sun, 22 Nov 2026 11:00:00 +0000\r\n", "pasv": ["PASV 192.0.2.1:4002 open"], "attempts": 2,
    })));
    let mut expecting = Expectations::begin(Choice::default());
    for row in Rows::new("rows", lines.as_bytes()).unwrap() {
        expecting.take(&row.unwrap()).unwrap();
    }
    let changes = expecting.finish(expected, &Coverage::default()).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(changes, []);
}
