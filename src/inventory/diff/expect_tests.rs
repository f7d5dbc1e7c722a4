//! What people write down of what should be there, and programs save.

use std::fs;

use serde_json::{Value, json};

use super::Coverage;
use super::asked_tests::expected;
use super::expect::Expectations;
use super::tests::{coverage_of, manifest, row, secured};
use crate::Family;

/// Why an inventory cannot be read, without its path.
fn refused(inventory: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("i.csv");
    fs::write(&path, inventory).unwrap();
    let told = Expectations::read(&path).unwrap_err().to_string();
    told.split_once("i.csv:").unwrap().1.to_owned()
}

#[test]
fn mistakes_are_told_where_editors_count_them() {
    let table = [
        ("ip,port\n192.0.2.1,25\n192.0.2.2,x\n", "3:11: 'x' is not a port"),
        ("ip,port\n192.0.2.1,25\n\n\n192.0.2.2,x\n", "5:11: 'x' is not a port"),
        ("ip,port\n\n192.0.2.1,25\n\n192.0.2.1,25\n", "5:1: this endpoint is on line 3 already"),
        ("\n\nip,prt\n", "3:1: there is no column 'port'"),
        ("ip,port,software\n192.0.2.1,25,\"a\nb\"\n192.0.2.2,x,\n", "4:11: 'x' is not a port"),
        ("ip,port,software\n192.0.2.1,25,\"a\n192.0.2.2,25,b\n", "2:14: a quotation mark opens here, and none closes"),
    ];
    for (inventory, expected) in table {
        for text in [inventory.to_owned(), inventory.replace('\n', "\r\n"), format!("\u{feff}{inventory}")] {
            let told = refused(&text);
            assert!(told.starts_with(expected), "{text:?}: {told} should be {expected}");
        }
    }
    // A file in which one line was mended by another editor.
    let mixed = "ip,port\r\n192.0.2.1,25\n192.0.2.2,25\r\n192.0.2.3,x\r\n";
    assert!(refused(mixed).starts_with("4:11: 'x' is not a port"));
    // The last line needs no end.
    let endless = "ip,port,software\n192.0.2.1,25,5\" disk";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("i.csv");
    fs::write(&path, endless).unwrap();
    assert_eq!(Expectations::read(&path).unwrap().len(), 1);
}

fn covering(targets: &[&str], counts: &Value) -> Coverage {
    coverage_of(targets, counts, Family::Any)
}

/// Where nothing should answer, nothing is missing.
#[test]
fn a_line_that_says_why_nothing_answers_is_held_against_why() {
    let (quiet, loud) =
        (covering(&["192.0.2.0/24"], &json!({"refused": 9})), covering(&["192.0.2.0/24"], &json!({"timeout": 1})));
    let closed = |outcome: &str, more: &str| {
        let (header, cells) = more
            .split_once('=')
            .map_or((String::new(), String::new()), |(name, cell)| (format!(",{name}"), format!(",{cell}")));
        format!("ip,port,outcome{header}\n192.0.2.1,25,{outcome}{cells}\n")
    };
    let of = |outcome: &str| row(&json!({"outcome": outcome, "code": null, "banner": null}));
    let table = [
        (closed("timeout", ""), String::new(), &quiet, vec!["differs line 2: refused outcome"]),
        (closed("unreachable", ""), String::new(), &quiet, vec!["differs line 2: refused outcome"]),
        (closed("timeout", ""), of("refused"), &quiet, vec!["differs line 2: refused outcome"]),
        (closed("timeout", ""), of("timeout"), &loud, vec![]),
        (closed("timeout", ""), of("unreachable"), &loud, vec![]),
        (closed("refused", ""), of("refused"), &quiet, vec![]),
        (closed("refused", "service=ftps"), of("refused"), &quiet, vec!["differs line 2: refused service"]),
        (closed("timeout", "service=ftps"), of("timeout"), &loud, vec!["differs line 2: timeout service"]),
        // That is not known.
        (closed("refused", ""), of("timeout"), &loud, vec!["not_answered line 2: timeout"]),
        (closed("timeout", ""), of("local_error"), &quiet, vec!["not_scanned line 2: local_error"]),
        // Something answers.
        (closed("timeout", ""), row(&json!({})), &quiet, vec!["differs line 2 outcome"]),
    ];
    for (inventory, rows, coverage, lines) in table {
        assert_eq!(expected(&inventory, &rows, coverage), lines, "{inventory}{rows}");
    }
}

#[test]
fn words_are_in_any_case_and_days_are_of_any_hour() {
    let nothing = Coverage::default();
    let found = row(&secured(&json!({"cert_not_after": "2027-03-01T10:00:00Z"})));
    for (cells, lines) in [
        ("SMTP,Greeted,2027-03-01", vec![]),
        ("Smtp,GREETED,2027-03-01T10:00:00Z", vec![]),
        ("smtp,greeted,2027-03-02", vec!["differs line 2 cert_not_after"]),
        ("smtp,Silent,", vec!["differs line 2 outcome"]),
    ] {
        let inventory = format!("ip,port,service,outcome,cert_not_after\n192.0.2.1,25,{cells}\n");
        assert_eq!(expected(&inventory, &found, &nothing), lines, "{inventory}");
    }
    assert!(refused("ip,port,outcome\n192.0.2.1,25,Asleep\n").starts_with("2:14: 'Asleep' is not an outcome"));
}

/// A result that was made an inventory has rows of domains whose mail exchanges are not known, and of one that two led to.
#[test]
fn domains_may_be_expected() {
    let coverage = covering(&["mx:null.test", "mx:ex.test", "a.test"], &json!({"refused": 9}));
    let none = row(&json!({"name": "mx:null.test", "ip": null, "outcome": "unresolved", "detail": "no MX"}));
    let gone = row(&json!({"name": "mx:null.test", "ip": null, "outcome": "unresolved", "detail": "NXDOMAIN"}));
    let one = row(&json!({"name": "a.test"}));
    let other = row(&json!({"name": "a.test", "detail": "MX 10 of ex.test"}));
    let header = "name,ip,port,outcome,detail\n";
    let line = |words: &str| format!("{header}{words}");
    let both = line("a.test,192.0.2.1,25,greeted,\na.test,192.0.2.1,25,greeted,MX 10 of ex.test\n");
    let table = [
        (line("mx:null.test,,25,unresolved,no MX\n"), none.clone(), vec![]),
        (line("MX:Null.test.,,25,,\n"), none.clone(), vec!["missing line 2: unresolved: no MX"]),
        (line("mx:null.test,,25,unresolved,no MX\n"), gone, vec!["differs line 2: unresolved: NXDOMAIN detail"]),
        (both.clone(), one.clone() + &other, vec![]),
        (line("a.test,192.0.2.1,25,greeted,\n"), other.clone(), vec![]),
        (line("a.test,192.0.2.1,25,greeted,MX 10 of ex.test\n"), one, vec!["differs line 2 detail"]),
        (both.replace("MX 10 of ex.test", "MX 20 of ex.test"), other, vec!["differs line 3 detail"]),
    ];
    for (inventory, rows, lines) in table {
        assert_eq!(expected(&inventory, &rows, &coverage), lines, "{inventory}{rows}");
    }
    assert!(refused(&line("mx:10.0.0.1,,25,,\n")).starts_with("2:1: 'mx:10.0.0.1' is not a name"));
    assert!(
        refused(&line("a.test,,25,,MX 1 of b.test\na.test,,25,,MX 2 of b.test\n")).starts_with("3:1: this endpoint")
    );
}

/// Lines that a row may be of are looked up, whatever else has its name or its address.
#[test]
fn many_lines_of_one_name_or_address_are_each_found() {
    let coverage = Coverage::default();
    let count = 3000;
    let ip = |number: u32| std::net::Ipv4Addr::from_bits(0xc612_0000 + number);
    let lines = (0..count).map(|number| format!("a.test,{},25\n", ip(number))).collect::<Vec<_>>().concat();
    let rows: String = (0..count).map(|number| row(&json!({"name": "a.test", "ip": ip(number)}))).collect();
    assert_eq!(expected(&format!("name,ip,port\n{lines}"), &rows, &coverage), [""; 0]);
    let lines = (0..count).map(|number| format!("h{number}.test,192.0.2.1,25\n")).collect::<Vec<_>>().concat();
    let rows: String = (0..count).map(|number| row(&json!({"name": format!("h{number}.test")}))).collect();
    assert_eq!(expected(&format!("name,ip,port\n{lines}"), &rows, &coverage), [""; 0]);
}

/// An empty cell of a row means that nobody knows, never no.
#[test]
fn what_was_not_asked_is_not_otherwise() {
    let shallow = row(&json!({"findings": ["version_disclosed"], "severity": "info"}));
    let deep = row(&secured(&json!({"findings": ["cert_expired"], "severity": "high"})));
    let implicit = row(&json!({"service": "smtps", "outcome": "tls_failed"}));
    let silent = row(&json!({"outcome": "silent"}));
    let table = [
        ("tls", "starttls", &shallow, false),
        ("tls", "starttls", &deep, false),
        ("tls", "auth_tls", &deep, true),
        ("cert_status", "valid", &shallow, false),
        ("cert_status", "valid", &implicit, true),
        ("capabilities", "SIZE 1000; PIPELINING", &shallow, false),
        ("capabilities", "SIZE 1000", &deep, true),
        ("auth", "PLAIN", &shallow, false),
        ("auth", "PLAIN", &deep, true),
        ("pasv", "192.0.2.1:30000", &deep, false),
        ("ptr", "mx.example", &deep, false),
        ("findings", "no_starttls; version_disclosed", &shallow, false),
        ("findings", "no_starttls", &shallow, true),
        ("findings", "clock_skew; version_disclosed", &shallow, true),
        ("tls", "failed", &silent, false),
        ("tls", "starttls", &silent, true),
        ("severity", "medium", &shallow, false),
        ("severity", "low", &deep, true),
        ("software", "Exim", &shallow, true),
        ("software", "Postfix", &shallow, false),
    ];
    let usual = Coverage::default();
    for (column, cell, row, differs) in table {
        let inventory = format!("ip,port,{column}\n192.0.2.1,25,{cell}\n");
        let told = expected(&inventory, row, &usual);
        let shown = if differs { vec![format!("differs line 2 {column}")] } else { Vec::new() };
        assert_eq!(told, shown, "{column} {cell}: {row}");
    }
    // Who asked everything knows how bad it is.
    let mut manifest = manifest(&["192.0.2.0/24"], &json!({"refused": 9}), Family::Any);
    manifest.configuration.depth = "tls".to_owned();
    let mut coverage = Coverage::default();
    coverage.add(&manifest).unwrap();
    // And that what is not there is not there: who hangs up on EHLO was asked.
    for (column, cell, differs) in [
        ("severity", "medium", true),
        ("capabilities", "PIPELINING", true),
        ("auth", "PLAIN", true),
        ("tls", "starttls", true),
        ("cert_status", "valid", true),
        ("findings", "cert_expired; version_disclosed", true),
        ("findings", "anonymous_ftp; version_disclosed", false),
        ("pasv", "192.0.2.1:30000", false),
        ("ptr", "mx.example", false),
    ] {
        let told = expected(&format!("ip,port,{column}\n192.0.2.1,25,{cell}\n"), &shallow, &coverage);
        assert_eq!(!told.is_empty(), differs, "{column} {cell}: {told:?}");
    }
}

/// On a port for TLS that speaks in clear, who asks no more than the greeting does not ask for STARTTLS.
#[test]
fn tls_that_begins_in_clear_where_it_should_not_is_asked_for_in_depth() {
    let plain = json!({
        "service": "smtps", "tls": "not_offered", "findings": ["plain_on_tls_port"], "severity": "high",
    });
    let inventory =
        "ip,port,tls,cert_status,findings\n192.0.2.1,25,starttls,self_signed,cert_self_signed; plain_on_tls_port\n";
    assert_eq!(expected(inventory, &row(&plain), &Coverage::default()), [""; 0]);
    let asked = row(&plain).replace("\"attempts\"", "\"capabilities\":[\"SIZE\"],\"attempts\"");
    assert_eq!(expected(inventory, &asked, &Coverage::default()), ["differs line 2 tls cert_status findings"]);
    // Where TLS was to begin at once it is another thing.
    let inventory = "ip,port,tls,cert_status\n192.0.2.1,25,implicit,valid\n";
    assert_eq!(expected(inventory, &row(&plain), &Coverage::default()), ["differs line 2 tls cert_status"]);
}
