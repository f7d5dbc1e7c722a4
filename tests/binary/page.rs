//! The page that `hailer report -o x.html` and `hailer scan -o x.html` write, in a browser.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::browser::Browser;
use super::peers::{Peer, polite};
use super::program::{hailer_in, run, scan};

/// The page of these rows.
fn page(folder: &Path, rows: &str) -> PathBuf {
    fs::write(folder.join("rows.ndjson"), rows).unwrap();
    // However long a slow machine takes over many rows.
    let ended = hailer_in(folder, "report rows.ndjson -o page.html --overwrite").output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
    folder.join("page.html")
}

/// Hosts with a mail and an FTP server each, of which every tenth has something to mend.
fn fleet(hosts: usize) -> String {
    let mut lines = String::new();
    for host in 0..hosts {
        let ip = format!("10.{}.{}.{}", host >> 16, host >> 8 & 255, host & 255);
        let (software, version) = [("Exim", "4.90"), ("Postfix", ""), ("Sendmail", "8.17.1")][host % 3];
        let mut mail = json!({
            "time": "2026-11-21T03:11:00.000001Z", "ip": ip, "port": 25, "service": "smtp", "outcome": "greeted", "code": 220,
            "banner": format!("220 mail{host}.example.com ESMTP {software} {version}\\r\\n"), "hostname": format!("mail{host}.example.com"),
            "software": software, "version": version, "tls": "starttls", "tls_version": "TLSv1.3", "fronting": "not_observed",
        });
        if host % 10 == 0 {
            mail["severity"] = "high".into();
            mail["findings"] = json!(["no_starttls"]);
            mail["findings_detail"] =
                json!([{ "id": "no_starttls", "severity": "high", "detail": "EHLO without STARTTLS" }]);
        }
        let ftp =
            json!({ "time": "2026-11-21T03:12:00Z", "ip": ip, "port": 21, "service": "ftp", "outcome": "refused" });
        writeln!(lines, "{mail}\n{ftp}").unwrap();
    }
    lines
}

/// The page of what differs between these rows.
fn changes_page(folder: &Path, old: &str, new: &str) -> PathBuf {
    fs::write(folder.join("old.ndjson"), old).unwrap();
    fs::write(folder.join("new.ndjson"), new).unwrap();
    let ended = hailer_in(folder, "diff old.ndjson new.ndjson -q -o changes.html --overwrite").output().unwrap();
    assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(5), b"".as_slice()), "{ended:?}");
    folder.join("changes.html")
}

/// What the table shows, cell by cell.
const SHOWN: &str = "[...document.querySelectorAll('#grid .canvas .row')].map((row) => [...row.children].map((cell) => cell.textContent))";

fn count(browser: &mut Browser) -> String {
    browser.text("document.getElementById('count').textContent")
}

/// Also where rows elsewhere have few columns; none is chosen for a page.
#[test]
fn a_scan_has_its_page_made_when_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let peer = Peer::new(polite("220 m.example ESMTP Postfix\r\n"));
    let again = |words: &[&str]| run(scan([peer.target("smtp")]).args(words).current_dir(folder));
    let ended = again(&["-o", "rows.html", "-o", "rows.csv", "--columns", "ip"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["rows.csv", "rows.html", "rows.html.manifest.json"]);
    let html = fs::read_to_string(folder.join("rows.html")).unwrap();
    let ip = peer.address.ip().to_string();
    assert!(html.starts_with("<!doctype html>") && html.contains("Postfix") && html.contains(&ip), "{html}");
    assert_eq!(fs::read_to_string(folder.join("rows.csv")).unwrap(), format!("ip\n{ip}\n"));
    let refused = again(&["-o", "page.html", "--columns", "ip"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.starts_with("hailer: --csv, --delimiter and --columns are for rows: "),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_reader_searches_sorts_filters_and_opens_hosts() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    browser.open(&page(folder.path(), &fleet(300)));
    assert_eq!(count(&mut browser), "600 endpoints");
    assert_eq!(browser.text("document.querySelector('.cards strong').textContent"), "600");

    // The worst comes first.
    let shown = browser.value(SHOWN);
    assert_eq!(
        (&shown[0][0], &shown[0][1], &shown[0][10]),
        (&json!("high"), &json!("10.0.0.0:25"), &json!("no_starttls"))
    );
    let grid = "(name) => document.getElementById('grid').getAttribute(name)";
    assert_eq!(browser.value(&format!("({grid})('aria-rowcount')")), "601");
    assert!(shown.as_array().unwrap().len() < 60, "only rows in sight are elements");

    // Sorting: by address, where 10.0.0.2 comes before 10.0.0.10, and back.
    browser.click(".row.head .endpoint button");
    let addresses = |browser: &mut Browser| browser.value(&format!("{SHOWN}.slice(0, 5).map((row) => row[1])"));
    let expected = json!(["10.0.0.0:21", "10.0.0.0:25", "10.0.0.1:21", "10.0.0.1:25", "10.0.0.2:21"]);
    assert_eq!(addresses(&mut browser), expected);
    assert_eq!(browser.value("document.querySelector('.row.head .endpoint').ariaSort"), "ascending");
    browser.click(".row.head .endpoint button");
    assert_eq!(addresses(&mut browser)[0], "10.0.1.43:25");
    assert_eq!(browser.text("location.hash"), "#sort=-endpoint");

    // Searching: every word must be there, in whichever column.
    browser.press("Escape");
    browser.press("/");
    browser.write("EXIM mail12.");
    browser.until("document.getElementById('count').textContent.startsWith('1 of')");
    assert_eq!(
        browser.value(&format!("{SHOWN}.map((row) => [row[1], row[5], row[6]])")),
        json!([["10.0.0.12:25", "Exim", "4.90"]])
    );
    browser.press("Escape");
    browser.until("document.getElementById('count').textContent === '600 endpoints'");
    // Also as an endpoint is shown.
    browser.press("/");
    browser.write("10.0.0.12:25");
    browser.until("document.getElementById('count').textContent === '1 of 600 endpoints'");
    browser.press("Escape");
    browser.until("document.getElementById('count').textContent === '600 endpoints'");

    // Facets: a value of one, and how many of each other then remain.
    browser.click("#facets input[data-value='software=Exim']");
    assert_eq!(count(&mut browser), "100 of 600 endpoints");
    browser.click("#facets input[data-value='severity=high']");
    assert_eq!(count(&mut browser), "10 of 600 endpoints");
    let counts = "[...document.querySelectorAll('#facets details')].find((it) => it.firstChild.textContent === 'Software').innerText";
    assert!(browser.text(counts).contains("Exim\n10") && browser.text(counts).contains("Postfix\n10"));
    assert_eq!(browser.text("document.getElementById('chips').innerText").lines().count(), 2);

    // A host, by the keyboard, and back by the browser.
    browser.value("document.getElementById('grid').focus()");
    browser.press("ArrowDown");
    let active = "document.getElementById(document.getElementById('grid').getAttribute('aria-activedescendant'))";
    let chosen = browser.text(&format!("{active}.children[1].textContent"));
    browser.press("Enter");
    browser.until("!document.getElementById('host').hidden");
    let host = browser.text("document.getElementById('host').innerText");
    assert!(chosen.starts_with(&browser.text("new URLSearchParams(location.hash.slice(1)).get('host')")), "{chosen}");
    for words in [
        "2 endpoints",
        "25 smtp",
        "21 ftp",
        "refused",
        "ESMTP Exim 4.90",
        "does not offer STARTTLS",
        "EHLO without STARTTLS",
    ] {
        assert!(host.contains(words), "{words:?} is missing in\n{host}");
    }
    assert_eq!(browser.value("document.activeElement.tagName"), "H2");
    browser.click("#host details.finding summary");
    let open = browser.text("document.querySelector('#host details[open]').innerText");
    assert!(open.contains("Remedy") && open.contains("-starttls smtp"), "{open}");
    assert!(open.contains(&chosen), "the command has the endpoint in it:\n{open}");
    browser.value("history.back()");
    browser.until("document.getElementById('host').hidden");
    assert_eq!(count(&mut browser), "10 of 600 endpoints");
    assert_eq!(browser.text("location.hash"), "#severity=high&software=Exim&sort=-endpoint");

    // On paper there is all but the table.
    browser.call("Emulation.setEmulatedMedia", &json!({ "media": "print" }));
    let heights = "['overview', 'findings', 'endpoints'].map((id) => document.getElementById(id).offsetHeight > 0)";
    assert_eq!(browser.value(heights), json!([true, true, false]));
    browser.call("Emulation.setEmulatedMedia", &json!({ "media": "" }));

    // What the charts lead to.
    browser.press("Escape");
    browser.until("document.getElementById('count').textContent === '600 endpoints'");
    browser.click("a[href='#software=Sendmail']");
    browser.until("document.getElementById('count').textContent === '100 of 600 endpoints'");
    assert_eq!(browser.problems(), [""; 0]);
}

#[test]
fn an_address_leads_to_what_it_names() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ftps = json!({
        "ip": "2001:db8::5", "port": 990, "name": "ftp.example.com", "service": "ftps", "outcome": "greeted", "tls": "implicit",
        "cert_not_after": "2026-01-01T00:00:00Z", "severity": "high", "findings": ["cert_expired"], "findings_detail": [{ "id": "cert_expired", "severity": "high" }],
    });
    let path = page(folder.path(), &format!("{}{ftps}\n", fleet(30)));
    let at = |fragment: &str| PathBuf::from(format!("{}#{fragment}", path.display()));
    browser.open(&at("host=10.0.0.20"));
    assert_eq!(browser.text("document.title"), "10.0.0.20 – FTP and mail servers");
    assert!(browser.text("document.getElementById('host').innerText").contains("mail20.example.com"));
    browser.press("Escape");
    browser.until("document.getElementById('host').hidden");
    browser.open(&at("q=mail2&software=Sendmail&sort=endpoint"));
    assert_eq!(
        browser.value(&format!("{SHOWN}.map((row) => row[1])")),
        json!(["10.0.0.2:25", "10.0.0.20:25", "10.0.0.23:25", "10.0.0.26:25", "10.0.0.29:25"])
    );
    // Of what no row has there is nothing, and it is said what was asked for.
    browser.open(&at("software=Nosuch&severity=high"));
    assert_eq!(count(&mut browser), "0 of 61 endpoints");
    assert_eq!(browser.text("document.getElementById('none').innerText"), "No endpoint has all of that.");
    assert_eq!(browser.text("location.hash"), "#severity=high&software=Nosuch");
    let chips = "[...document.querySelectorAll('#chips button')].map((chip) => chip.textContent).join()";
    assert_eq!(browser.text(chips), "Worst finding: high ×,Software: Nosuch ×");
    assert_eq!(browser.value("document.querySelector(\"#facets input[data-value='software=Nosuch']\").checked"), true);
    browser.click("#chips li:last-child button");
    browser.until("document.getElementById('count').textContent === '4 of 61 endpoints'");
    browser.open(&at("q=%5B2001%3Adb8%3A%3A5%5D%3A990"));
    // What its colour says of a certificate stands there, too.
    assert_eq!(
        browser.value(&format!("{SHOWN}.map((row) => [row[1], row[9]])")),
        json!([["[2001:db8::5]:990", "2026-01-01, expired"]])
    );
    browser.open(&at("finding-no_starttls"));
    browser.until("document.getElementById('finding-no_starttls').open");
    // Commands are for the endpoint: its address in brackets, no STARTTLS where TLS comes at once.
    browser.open(&at("host=2001%3Adb8%3A%3A5"));
    let commands = browser.text("document.querySelector('#host .finding pre').textContent");
    let expected = "$ openssl s_client -connect [2001:db8::5]:990 -servername ftp.example.com </dev/null";
    assert!(commands.starts_with(expected), "{commands}");
    browser.open(&at("host=198.51.100.1"));
    assert!(browser.text("document.getElementById('host').innerText").contains("No row of this page is of that host."));
    assert_eq!(browser.problems(), [""; 0]);
}

#[test]
fn as_many_rows_as_a_page_holds_are_gone_through() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    browser.open(&page(folder.path(), &fleet(25_000)));
    assert_eq!(count(&mut browser), "50,000 endpoints");
    browser.press("/");
    browser.write("mail24999.example.com");
    browser.until("document.getElementById('count').textContent.startsWith('1 of')");
    browser.press("Escape");
    browser.until("document.getElementById('count').textContent === '50,000 endpoints'");
    browser.click(".row.head .endpoint button");
    browser.value("document.getElementById('grid').focus()");
    browser.press("End");
    let active = "document.getElementById(document.getElementById('grid').getAttribute('aria-activedescendant'))";
    assert_eq!(browser.text(&format!("{active}.children[1].textContent")), "10.0.97.167:25");
    assert!(browser.value("document.querySelectorAll('#grid .row').length").as_u64().unwrap() < 60);
    browser.press("Enter");
    browser.until("document.getElementById('host').innerText.includes('mail24999.example.com')");
    assert_eq!(browser.problems(), [""; 0]);

    // One more than that are too many; the worst are there.
    let plain = |number: u32| {
        let ip = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
        format!("{{\"ip\":\"{ip}\",\"port\":25,\"service\":\"smtp\",\"outcome\":\"silent\"}}\n")
    };
    let rows: String = (0..50_000).map(plain).collect();
    let one_more = "{\"ip\":\"192.0.2.1\",\"port\":25,\"service\":\"smtp\",\"outcome\":\"silent\",\"severity\":\"high\",\"findings\":[\"open_but_silent\",\"no_starttls\"]}\n";
    browser.open(&page(folder.path(), &(rows + one_more)));
    assert_eq!(count(&mut browser), "2,000 endpoints");
    assert!(browser.text("document.getElementById('limited').innerText").contains("all 50,001 endpoints"));
    assert_eq!(browser.value(&format!("{SHOWN}[0][1]")), "192.0.2.1:25");
    browser.value("location.hash = 'outcome=greeted'");
    browser.until("document.getElementById('count').textContent === '0 of 2,000 endpoints on this page'");
    let none = browser.text("document.getElementById('none').innerText");
    assert_eq!(none, "No endpoint has all of that. Not every endpoint is on this page.");
    assert_eq!(browser.problems(), [""; 0]);
}

/// Words that would be something else than text wherever they got through.
const HOSTILE: [&str; 13] = [
    "<script>hacked=1</script>",
    "</script><script>hacked=1</script>",
    "<img src=//192.0.2.9/x onerror=hacked=1>",
    "\"><svg onload=hacked=1>",
    "' onmouseover='hacked=1' autofocus onfocus='hacked=1",
    "<iframe srcdoc='<script>parent.hacked=1</script>'>",
    "</style><style>*{display:none}</style>",
    "<base href=//192.0.2.9/><meta http-equiv=refresh content='0;url=//192.0.2.9/'>",
    "<!--<script>",
    "javascript:hacked=1",
    "\u{2028}hacked=1;//\u{202e}",
    "__proto__",
    "constructor",
];

fn hostile_rows() -> String {
    let mut lines = String::new();
    for (number, words) in HOSTILE.into_iter().enumerate() {
        let mut row =
            json!({ "port": 25, "service": "smtp", "outcome": "greeted", "tls": words, words: words, "note": words });
        for name in [
            "time",
            "name",
            "detail",
            "protocol",
            "banner",
            "hostname",
            "software",
            "version",
            "vendor",
            "device",
            "os",
            "cpe",
            "fronting",
            "front",
            "tls_version",
            "tls_cipher",
            "tls_group",
            "tls_error",
            "cert_subject",
            "cert_issuer",
            "cert_not_before",
            "cert_not_after",
            "cert_key",
            "cert_signature",
            "cert_status",
            "cert_sha256",
            "severity",
            "banner_hash",
        ] {
            row[name] = words.into();
        }
        for name in ["cert_names", "capabilities", "auth", "pasv", "ptr", "findings"] {
            row[name] = json!([words]);
        }
        row["evidence"] = json!([{ "code": words, "grade": words, "excerpt": words }]);
        row["findings_detail"] = json!([{ "id": words, "severity": words, "detail": words }]);
        if number % 2 == 0 {
            row["ip"] = format!("192.0.2.{number}").into();
        }
        if number % 3 == 0 {
            row["cert_not_after"] = "2026-11-01T00:00:00Z".into();
        }
        writeln!(lines, "{row}").unwrap();
    }
    lines
}

#[test]
fn hostile_words_are_shown_as_words() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = page(folder.path(), &hostile_rows());
    let html = fs::read_to_string(&path).unwrap();
    assert!(!html.contains(|it: char| it != '\n' && it.is_control() || "\u{2028}\u{2029}\u{202e}".contains(it)));
    // Once more without the policy: that nothing is run is not its doing alone.
    for is_bypassed in [false, true] {
        browser.call("Page.setBypassCSP", &json!({ "enabled": is_bypassed }));
        browser.open(&path);
        assert_eq!(count(&mut browser), "13 endpoints");
        browser.value("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
        let hosts: Vec<Value> = browser.value("[...hosts.keys()]").as_array().unwrap().clone();
        assert_eq!(hosts.len(), HOSTILE.len());
        let strange = "document.querySelectorAll('img, iframe, object, embed, base, form, video, audio, style ~ style, [onload], [onerror], [onmouseover], [onfocus], [autofocus], a:not([href^=\"#\"])').length";
        for host in hosts {
            browser.value(&format!("location.hash = new URLSearchParams({{ host: {host} }}).toString()"));
            browser.until(&format!("document.querySelector('#host h2')?.firstChild.textContent === {host}"));
            browser.value("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
            assert_eq!(browser.value(strange), 0, "{host}");
            // What the page says of itself, and its own; rows were taken out when they were read.
            assert_eq!(browser.value("document.scripts.length"), 2, "{host}");
            assert!(browser.value("document.querySelectorAll('#host article').length").as_u64() > Some(0));
        }
        browser.press("Escape");
        browser.until("document.getElementById('host').hidden");
        browser.press("/");
        browser.write("<script>");
        browser.until("document.getElementById('count').textContent.includes(' of ')");
        let shown = browser.value(&format!("{SHOWN}.map((row) => row[5])"));
        assert!(shown.as_array().unwrap().iter().any(|software| software == HOSTILE[0]), "{shown}");
        browser.press("Escape");
        for column in 0..11 {
            browser.click(&format!(".row.head .cell:nth-child({}) button", column + 1));
        }
        assert_eq!((browser.value(strange), browser.value("typeof hacked")), (json!(0), json!("undefined")));
        assert_eq!(browser.value("getComputedStyle(document.body).display"), "block");
    }
    assert_eq!(browser.problems(), [""; 0]);
}

/// What a peer said is told as it said it, also where it looks like a value; what a row has as a value is told in words.
#[test]
fn what_looks_like_a_value_is_told_as_it_stands() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let texts = [
        ("software", "true"),
        ("version", "[4.90]"),
        ("os", "[]"),
        ("hostname", "[1]"),
        ("cert_subject", r#"{"CN":"bank.example"}"#),
        ("remark", r#"{"is":"text"}"#),
    ];
    let mut row = json!({
        "ip": "192.0.2.1", "port": 465, "service": "smtps", "outcome": "greeted", "tls_legacy": ["TLSv1.0", "TLSv1.1"],
        "greylist": { "first_code": 451, "passed": true }, "serial": 18_446_744_073_709_551_615_u64,
    });
    for (name, text) in texts {
        row[name] = text.into();
    }
    let path = page(folder.path(), &format!("{row}\n"));
    browser.open(&PathBuf::from(format!("{}#host=192.0.2.1", path.display())));
    let told = browser.value(
        "Object.fromEntries([...document.querySelectorAll('#host .groups dl div')].map((line) => [...line.children].map((it) => it.textContent)))",
    );
    for (name, text) in texts {
        assert_eq!(told[name.replace('_', " ")], text, "{told}");
    }
    assert_eq!(told["tls legacy"], "TLSv1.0, TLSv1.1");
    let greylist = told["greylist"].as_str().unwrap();
    assert!(["first code: 451", "passed: yes"].iter().all(|words| greylist.contains(words)), "{greylist}");
    assert_eq!(told["serial"], "18446744073709551615");
    browser.press("Escape");
    browser.until("document.getElementById('host').hidden");
    assert_eq!(browser.problems(), [""; 0]);
}

/// The certificates are those around now, whenever the rows are from and however many are long dead.
#[test]
fn the_certificates_that_expire_next_are_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let row = |number: u32, not_after: &str| {
        let row = json!({
            "time": "2014-01-01T00:00:00Z", "ip": std::net::Ipv4Addr::from_bits(0x0a00_0000 + number), "port": 465, "service": "smtps",
            "outcome": "greeted", "cert_status": "valid", "cert_sha256": format!("{number:064}"), "cert_not_after": not_after,
            "cert_subject": format!("CN=of {not_after}"),
        });
        format!("{row}\n")
    };
    let dead: String = (0..5000)
        .map(|number| row(number, &format!("2015-01-01T{:02}:{:02}:00Z", number / 60 % 24, number % 60)))
        .collect();
    let html = fs::read_to_string(page(folder.path(), &(dead + &row(5000, "9999-01-01T00:00:00Z")))).unwrap();
    let (_, section) = html.split_once("The next to expire</h3>").unwrap();
    let (next, expired) = section.split_once("Expired, the latest first</h3>").unwrap();
    assert!(next.contains("CN=of 9999-01-01T00:00:00Z") && !next.contains("2015"), "{next}");
    assert!(expired.contains("CN=of 2015-01-01T23:59:00Z"), "{expired}");
    assert!(expired.contains("More expired before; 2,952 endpoints show some that are not counted here."), "{expired}");
}

#[test]
fn without_a_script_figures_charts_and_findings_are_there() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = page(folder.path(), &fleet(30));
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.open_without_script(&path);
    let shown = browser.text("document.body.innerText");
    for words in [
        "FTP and mail servers",
        "endpoints\n60\non 30 hosts",
        "Outcomes by port",
        "Sendmail",
        "does not offer STARTTLS",
        "need JavaScript",
    ] {
        assert!(shown.contains(words), "{words:?} is missing in\n{shown}");
    }
    // Elements that open without a script.
    browser.click("#finding-no_starttls summary");
    let open = browser.text("document.getElementById('finding-no_starttls').innerText");
    assert!(open.contains("Remedy") && open.contains("10.0.0.20:25"), "{open}");
    assert_eq!(browser.value("document.querySelectorAll('#grid .row').length"), 0);
    assert_eq!(browser.problems(), [""; 0]);
}

#[test]
fn a_reader_finds_what_changed() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (old, hosts) = (fleet(300), 300);
    // Exim is upgraded everywhere, every tenth server loses a finding, the first host is gone, and one has come.
    let lines = old.lines().skip(2).map(|line| format!("{}\n", line.replace("4.90", "4.98")));
    let new = lines.collect::<String>().replace("\"no_starttls\"", "\"version_disclosed\"");
    let come = json!({ "ip": "192.0.2.7", "port": 21, "service": "ftp", "outcome": "greeted", "software": "vsftpd" });
    let path = changes_page(folder.path(), &old, &format!("{new}{come}\n"));
    browser.open(&path);
    assert_eq!(browser.text("document.title"), "What changed");
    let cards = browser.text("document.querySelector('.cards').innerText");
    let changed = hosts / 3 + hosts / 10 - hosts / 30;
    assert!(cards.starts_with(&format!("endpoints differ\n{}\n", changed + 1)), "{cards}");
    assert!(cards.contains("\nappeared\n1\n"), "{cards}");
    assert_eq!(count(&mut browser), format!("{} endpoints", changed + 1));
    let shown = browser.value(SHOWN);
    assert_eq!((&shown[0][0], &shown[0][1], &shown[0][7]), (&json!("high"), &json!("changed"), &json!("worse")));
    assert!(shown[0][8].as_str().unwrap().contains("findings + version_disclosed"), "{shown}");

    // Sorting, searching, facets.
    browser.click(".row.head .endpoint button");
    assert_eq!(
        browser.value(&format!("{SHOWN}.slice(0, 2).map((row) => row[2])")),
        json!(["10.0.0.0:25", "10.0.0.3:25"])
    );
    browser.press("/");
    browser.write("vsftpd");
    browser.until("document.getElementById('count').textContent.startsWith('1 of')");
    assert_eq!(browser.value(&format!("{SHOWN}[0].slice(0, 3)")), json!(["low", "appeared", "192.0.2.7:21"]));
    browser.press("Escape");
    browser.click("#facets input[data-value='what=upgrade']");
    assert_eq!(count(&mut browser), format!("{} of {} endpoints", hosts / 3 - 1, changed + 1));
    browser.click("#facets input[data-value='field=findings']");
    assert_eq!(count(&mut browser), format!("{} of {} endpoints", hosts / 30 - 1, changed + 1));

    // A host, by the keyboard, and back.
    browser.value("document.getElementById('grid').focus()");
    browser.press("Enter");
    browser.until("!document.getElementById('host').hidden");
    let host = browser.text("document.getElementById('host').innerText");
    for words in ["10.0.0.30", "25 smtp", "answers otherwise than before", "4.90", "4.98", "upgrade", "new finding"] {
        assert!(host.contains(words), "{words:?} is missing in\n{host}");
    }
    assert_eq!(browser.value("document.activeElement.tagName"), "H2");
    assert_eq!(browser.text("document.title"), "10.0.0.30 – What changed");
    browser.press("Escape");
    browser.until("document.getElementById('host').hidden");
    browser.press("Escape");
    browser.until("document.getElementById('chips').childElementCount === 0");
    browser.click("a[href='#kind=appeared']");
    browser.until("document.getElementById('count').textContent.startsWith('1 of')");

    // On paper there is all but the table; without a script as well.
    browser.call("Emulation.setEmulatedMedia", &json!({ "media": "print" }));
    let heights =
        "['overview', 'worst', 'compared', 'changes'].map((id) => document.getElementById(id).offsetHeight > 0)";
    assert_eq!(browser.value(heights), json!([true, true, true, false]));
    browser.call("Emulation.setEmulatedMedia", &json!({ "media": "" }));
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.open_without_script(&path);
    let shown = browser.text("document.body.innerText");
    for words in ["old.ndjson", "there is no manifest beside it", "version 4.90 → 4.98", "need JavaScript"] {
        assert!(shown.contains(words), "{words:?} is missing in\n{shown}");
    }
    assert_eq!(browser.problems(), [""; 0]);
}

#[test]
fn as_many_changes_as_a_page_holds_are_gone_through() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let row = |number: u32, more: &str| {
        let ip = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
        format!("{{\"ip\":\"{ip}\",\"port\":21,\"service\":\"ftp\",\"outcome\":\"greeted\",{more}}}\n")
    };
    let rows = |more: &str| (0..50_000).map(|number| row(number, more)).collect::<String>();
    let (old, mut new) = (rows("\"hostname\":\"old.example\""), rows("\"hostname\":\"new.example\""));
    browser.open(&changes_page(folder.path(), &old, &new));
    assert_eq!(count(&mut browser), "50,000 endpoints");
    browser.press("/");
    browser.write("10.0.195.79 old.example new.example");
    browser.until("document.getElementById('count').textContent.startsWith('1 of')");
    browser.press("Escape");
    browser.until("document.getElementById('count').textContent === '50,000 endpoints'");
    browser.click(".row.head .endpoint button");
    browser.value("document.getElementById('grid').focus()");
    browser.press("End");
    assert!(browser.value("document.querySelectorAll('#grid .row').length").as_u64().unwrap() < 60);
    browser.press("Enter");
    browser.until("document.getElementById('host').innerText.includes('10.0.195.79')");
    // One more than that are too many; the worst are there.
    new += &row(50_000, "\"severity\":\"high\",\"findings\":[\"anonymous_ftp\"]");
    browser.open(&changes_page(folder.path(), &old, &new));
    assert_eq!(count(&mut browser), "2,000 endpoints");
    assert!(browser.text("document.getElementById('limited').innerText").contains("all 50,001 that differ"));
    assert_eq!(browser.value("document.querySelectorAll('#worst tbody tr').length"), 25);
    assert_eq!(browser.problems(), [""; 0]);
}

#[test]
fn hostile_words_that_differ_are_shown_as_words() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let new = hostile_rows();
    let old = new.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let mut same: serde_json::Map<_, _> = ["ip", "port", "service", "outcome", "name", "tls", "cert_sha256"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), row.get(name)?.clone())))
            .collect();
        // As whole rows have, or what they lack would be taken for columns that were left out.
        same.extend(
            [("time", json!("2026-11-21T03:11:00Z")), ("code", json!(220)), ("banner", json!("before"))]
                .map(|(name, value)| (name.to_owned(), value)),
        );
        format!("{}\n", Value::Object(same))
    });
    let path = changes_page(folder.path(), &old.collect::<String>(), &new);
    for is_bypassed in [false, true] {
        browser.call("Page.setBypassCSP", &json!({ "enabled": is_bypassed }));
        browser.open(&path);
        let strange = "document.querySelectorAll('img, iframe, object, embed, base, form, video, audio, style ~ style, script:not(#meta):not(:last-of-type), [onload], [onerror], [onmouseover], [onfocus], [autofocus], a:not([href^=\"#\"])').length";
        let hosts: Vec<Value> = browser.value("[...hosts.keys()]").as_array().unwrap().clone();
        assert_eq!(hosts.len(), HOSTILE.len());
        for host in hosts {
            browser.value(&format!("location.hash = new URLSearchParams({{ host: {host} }}).toString()"));
            browser.until(&format!("document.querySelector('#host h2')?.firstChild.textContent === {host}"));
            assert_eq!(browser.value(strange), 0, "{host}");
            assert!(browser.value("document.querySelectorAll('#host tbody tr').length").as_u64() > Some(0));
        }
        browser.press("Escape");
        browser.until("document.getElementById('host').hidden");
        browser.press("/");
        browser.write("<script>");
        browser.until("document.getElementById('count').textContent.includes(' of ')");
        browser.press("Escape");
        for column in 0..9 {
            browser.click(&format!(".row.head .cell:nth-child({}) button", column + 1));
        }
        assert_eq!((browser.value(strange), browser.value("typeof hacked")), (json!(0), json!("undefined")));
    }
    assert_eq!(browser.problems(), [""; 0]);
}

/// Whoever reads the page alone has to know it as well.
#[test]
fn a_page_says_where_its_rows_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let csv = "ip,port,service,outcome\n192.0.2.1,21,ftp,silent\n192.0.2.2,21,f";
    fs::write(folder.join("rows.csv"), csv).unwrap();
    let ended = run(&mut hailer_in(folder, "report rows.csv -o page.html"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), "rows.csv: line 3 broke off, and is left out\n"));
    let html = fs::read_to_string(folder.join("page.html")).unwrap();
    assert!(html.contains("<p class=\"notice\">rows.csv: line 3 broke off, and is left out</p>"), "{html}");
}
