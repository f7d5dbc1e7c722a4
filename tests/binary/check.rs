//! `hailer check`: what is told of a host, in both forms, and with which exit code it ends.

use std::ffi::OsStr;
use std::process::Command;

use nix::sys::signal::Signal::SIGINT;
use serde_json::Value;

use super::names::Dns;
use super::peers::{ClosedPort, Gate, Peer, Step, listen, polite, say};
use super::program::{Ended, Running, hailer, run};

fn check(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = hailer(["check"]);
    command.args(words);
    command
}

/// A mail server that knows no EHLO, and hangs up thereafter: whoever asks in depth has its greeting and no more.
fn taciturn(greeting: impl AsRef<[u8]>) -> Vec<Step> {
    vec![say(greeting), Step::HearLine, say("502 no\r\n"), Step::Finish, Step::HearEnd]
}

/// A resolver of the test's own that knows no name: addresses are asked for their names.
fn nameless() -> Dns {
    Dns::new("* ANY REFUSED")
}

fn document(ended: &Ended) -> Value {
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[test]
fn both_forms_tell_the_same_and_the_row_is_as_in_ndjson() {
    let peer = Peer::new(taciturn("220 mx.example ESMTP Postfix\r\n"));
    let (dns, target) = (nameless(), peer.target("smtp"));
    let text = run(check([&target]).arg(dns.option()));
    let port = peer.address.port();
    for words in [
        format!("── {port} smtp  {}", peer.address).as_str(),
        "* connected\n",
        "< 220 mx.example ESMTP Postfix\n",
        "> EHLO ",
        "< 502 no\n",
        "verdict  It answers as Postfix, and calls itself mx.example.",
        "1 of 1 ports answer.",
    ] {
        assert!(text.stdout.contains(words), "{words}: {text:?}");
    }
    let json = run(check([&target]).arg(dns.option()).args(["--json", "--quiet"]));
    assert_eq!((json.code, json.stderr.as_str()), (text.code, ""));
    let document = document(&json);
    let row = &document["ports"][0]["row"];
    assert_eq!((&row["outcome"], &row["code"], &row["software"]), (&"greeted".into(), &220.into(), &"Postfix".into()));
    assert!(row["transcript"].as_array().is_some_and(|moments| moments.len() > 4), "{row}");
    assert_eq!(document["exit_code"].as_i64(), text.code.map(Into::into));
    let verdict = document["ports"][0]["verdict"].as_str().unwrap();
    let one_line = text.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        one_line.contains(verdict) && one_line.contains(document["verdict"].as_str().unwrap()),
        "{verdict}: {text:?}"
    );
}

#[test]
fn hostile_bytes_reach_neither_form() {
    let peer = Peer::new(taciturn(b"220 mx.example \x1b[2J\x07 \xc2\x9b31m\xff ESMTP\r\n"));
    let dns = nameless();
    for form in [&[][..], &["--json"]] {
        let ended = run(check([peer.target("smtp")]).arg(dns.option()).args(form));
        let is_inert = |c: char| c == '\n' || !c.is_control();
        assert!(ended.stdout.chars().all(is_inert), "{ended:?}");
        assert!(ended.stdout.contains(r"x1b[2J"), "{ended:?}");
    }
}

#[test]
fn a_host_on_which_nothing_answers_is_a_finding() {
    let (closed, dns) = (ClosedPort::new(), nameless());
    let target = format!("{}=smtp", closed.address);
    let ended = run(check([&target]).arg(dns.option()));
    assert_eq!(ended.code, Some(5), "{ended:?}");
    for words in ["* not connected: refused", "Refused: nothing listens on port ", "no_answer: ", "1 finding: 1 high."]
    {
        assert!(ended.stdout.contains(words), "{words}: {ended:?}");
    }
    let document = document(&run(check([&target]).arg(dns.option()).arg("--json")));
    assert_eq!(document["findings"][0]["id"], "no_answer");
    assert_eq!(document["exit_code"], 5);
}

#[test]
fn the_expected_name_decides() {
    let (peer, dns) = (Peer::new(taciturn("220 mx1.example ESMTP\r\n")), nameless());
    let table = [("MX1.example", Some(0), "yes"), ("mx2.example", Some(5), "no")];
    for (name, code, answered) in table {
        let words = [peer.target("smtp"), dns.option(), format!("--expect-name={name}")];
        // A server may have findings of its own, which another name must not hide.
        let plain = run(&mut check(&words[..2])).code;
        let code = if answered == "yes" { plain } else { code };
        let text = run(&mut check(&words));
        let told = format!("{}: {answered}, ", name.to_lowercase());
        assert!(text.code == code && text.stdout.contains(&told), "{name}: {text:?}");
        let document = document(&run(check(&words).arg("--json")));
        assert_eq!(document["ports"][0]["expected_name"], answered);
        assert_eq!(document["is_expected"], answered == "yes");
        let findings = document["findings"].as_array().unwrap();
        assert_eq!(findings.iter().any(|finding| finding["id"] == "unexpected_name"), answered == "no");
    }
}

#[test]
fn a_name_is_told_with_all_that_dns_says() {
    let peer = Peer::new(polite("220 mail.example ESMTP\r\n"));
    let ip = peer.address.ip();
    let dns = Dns::new(&format!(
        "mail.example A {ip}\nmail.example MX 10 gone.example\nmail.example MX 20 other.example\n\
         alias.example CNAME mail.example\nprivate.example A {ip}"
    ));
    let target = format!("alias.example:{}=smtp", peer.address.port());
    // What a name leads to must be named, being loopback.
    let named = format!("{ip}:{}=smtp", peer.address.port());
    let ended = run(check([&target, &named]).arg(dns.option()).arg("-4"));
    for words in
        ["alias  of mail.example\n", &format!("A      {ip}\n"), "MX     10 gone.example: unresolved (no such name)\n"]
    {
        assert!(ended.stdout.contains(words), "{words}: {ended:?}");
    }
    assert!(ended.stdout.contains("mx_silent: ") && ended.code == Some(5), "{ended:?}");
    assert!(ended.stdout.find("alias.example  DNS") < ended.stdout.find(&format!("{ip}  DNS")), "{ended:?}");

    let ended = run(check([format!("private.example:{}=smtp", peer.address.port())]).arg(dns.option()));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("private.example: nothing could be checked: ") && ended.stderr.contains("loopback"));
}

#[test]
fn a_name_without_an_address_cannot_be_checked() {
    let dns = Dns::new("broken.example ANY SERVFAIL\nempty.example TXT -");
    let table = [
        ("gone.example", "no such name"),
        ("empty.example", "the name has no address"),
        ("broken.example", "the resolver answered SERVFAIL"),
    ];
    for (name, reason) in table {
        let ended = run(check([name]).arg(dns.option()).arg("-q"));
        let expected = format!("hailer: {name}: nothing could be checked: {reason}\n");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), expected.as_str()), "{ended:?}");
        assert!(ended.stdout.contains(&format!("dig {name} A; dig {name} AAAA")), "{ended:?}");
        let json = run(check([name]).arg(dns.option()).arg("--json"));
        assert_eq!((json.code, &document(&json)["exit_code"]), (Some(1), &1.into()));
    }
}

#[test]
fn a_finding_outweighs_a_host_that_leads_nowhere() {
    let (closed, dns) = (ClosedPort::new(), Dns::new("found.example TXT -"));
    let ended = run(check(["gone.example", &format!("{}=smtp", closed.address)]).args([&dns.option(), "-q"]));
    let expected = "hailer: gone.example: nothing could be checked: no such name\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(5), expected), "{ended:?}");
}

#[test]
fn nobody_is_asked_for_whom_nobody_reads() {
    let (closed, listener, dns) = (ClosedPort::new(), listen(), nameless());
    let targets = [closed.address, listener.local_addr().unwrap()].map(|address| format!("{address}=smtp"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = Running::start_onto(check(targets).arg(dns.option()), writer.into()).end();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "the second host was asked");
}

#[test]
fn what_cannot_be_asked_is_usage_and_nothing_is_sent() {
    let listener = listen();
    let target = format!("{}=smtp", listener.local_addr().unwrap());
    let table = [
        ("10.0.0.0/30", "hailer: host '10.0.0.0/30': it is more than one host"),
        ("-p 4711", "hailer: -p 4711: no service is known"),
        ("--expect-name 10.0.0.1", "hailer: --expect-name '10.0.0.1': write a host name"),
        ("--ehlo-name host", "error: invalid value 'host' for '--ehlo-name"),
        ("--depth tls", "error: unexpected argument '--depth'"),
    ];
    for (words, expected) in table {
        let ended = run(&mut check([target.as_str()].into_iter().chain(words.split(' '))));
        assert!(ended.code == Some(2) && ended.stdout.is_empty(), "{words}: {ended:?}");
        assert!(ended.stderr.starts_with(expected), "{words}: {ended:?}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nothing may have been sent");
}

#[test]
fn an_interrupt_ends_it_at_once() {
    let gate = Gate::default();
    let peer = Peer::new([Step::Hold(gate.clone())]);
    let dns = nameless();
    let running = Running::start(check([peer.target("smtp")]).arg(dns.option()));
    peer.until_connected();
    running.signal(SIGINT);
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""), "{ended:?}");
    gate.open();
}
