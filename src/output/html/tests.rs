use std::ops::Range;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use serde_json::{Value, json};

use super::*;
use crate::classify::fronting::Overview;
use crate::inventory::Rows;
use crate::output::escape::inert;
use crate::output::{Column, Kind};

/// What would be something else than text, wherever it got through.
pub(super) const HOSTILE: [&str; 12] = [
    "<script>hacked=1</script>",
    "</script><script>hacked=1</script>",
    "<img src=x onerror=hacked=1>",
    "\"><svg onload=hacked=1>",
    "' onmouseover='hacked=1",
    "</style><style>*{display:none}",
    "<!--",
    "-->",
    "<!--<script>",
    "]]>&lt;b&gt;",
    "\u{2028}\u{2029}",
    "__proto__",
];

/// The elements that a page is made of.
const TAGS: [&str; 49] = [
    "!doctype",
    "a",
    "aside",
    "body",
    "button",
    "circle",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "input",
    "kbd",
    "label",
    "li",
    "link",
    "main",
    "meta",
    "nav",
    "noscript",
    "p",
    "pre",
    "rect",
    "script",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
];

/// The names of the elements that begin or end in HTML.
fn tags(html: &str) -> Vec<String> {
    let name =
        |part: &str| part.trim_start_matches('/').chars().take_while(|it| it.is_alphanumeric() || *it == '!').collect();
    html.split('<').skip(1).map(name).collect()
}

/// No element is there but those that a page is made of; what is in scripts is looked at elsewhere.
pub(super) fn strange_tag(html: &str) -> Option<String> {
    let mut outside = html.to_owned();
    for (_, place) in scripts(html).iter().rev() {
        outside.replace_range(place.clone(), "");
    }
    tags(&outside).into_iter().find(|tag| !TAGS.contains(&tag.as_str()))
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn page_of(ndjson: &str, most: u64) -> String {
    let notes = vec![format!("rows: line 3 broke off {}", HOSTILE[0])];
    page_with(ndjson, most, &Head { sources: vec![HOSTILE[0].to_owned()], now: None, notes })
}

fn page_with(ndjson: &str, most: u64, head: &Head) -> String {
    let mut page = Page::holding(most).unwrap();
    for row in Rows::new("rows", ndjson.as_bytes()).unwrap() {
        page.row(&row.unwrap()).unwrap();
    }
    let mut html = Vec::new();
    page.write(head, &Overview::default(), &mut html).unwrap();
    String::from_utf8(html).unwrap()
}

/// A row in which every text, list, finding and piece of evidence says this.
fn row_of(number: usize, words: &str) -> Value {
    let mut row = json!({ "ip": format!("192.0.2.{}", number % 250), "port": 25, "service": "smtp", "outcome": "greeted", "note": words, words: words });
    for column in Column::ALL {
        let value = match column.kind() {
            _ if row.get(column.as_str()).is_some() => continue,
            Kind::Text => words.into(),
            Kind::List => json!([words, words]),
            Kind::Evidence => json!([{ "code": words, "grade": words, "excerpt": words, "ms": 1 }]),
            Kind::Number | Kind::Flag => continue,
        };
        row[column.as_str()] = value;
    }
    row["findings_detail"] = json!([{ "id": words, "severity": "high", "detail": words }]);
    row
}

/// Where the content of each script element lies, as a browser finds it, with its attributes.
pub(super) fn scripts(html: &str) -> Vec<(String, Range<usize>)> {
    let (mut all, mut from) = (Vec::new(), 0);
    while let Some(at) = html[from..].find("<script") {
        let begin = from + at + html[from + at..].find('>').unwrap() + 1;
        let end = begin + html[begin..].find("</script").unwrap();
        all.push((html[from + at + "<script".len()..begin - 1].to_owned(), begin..end));
        from = end + 1;
    }
    all
}

/// The rows in a page, with their cells by the names of the columns.
fn rows_in(html: &str) -> Vec<Value> {
    let names = || Column::ALL.iter().map(|column| column.as_str()).chain(["others"]);
    let scripts = scripts(html);
    let chunks = scripts.iter().filter(|(attributes, _)| attributes.contains("class=\"rows\""));
    let arrays = chunks.flat_map(|(_, place)| serde_json::from_str::<Vec<Vec<Value>>>(&html[place.clone()]).unwrap());
    arrays.map(|cells| names().map(str::to_owned).zip(cells).collect::<serde_json::Map<_, _>>().into()).collect()
}

#[test]
fn the_policy_allows_the_pages_own_style_and_script_and_nothing_else() {
    assert_policy(&page_of("", 9));
}

/// The policy allows the page's own style and script, and nothing else.
pub(super) fn assert_policy(html: &str) {
    let policy = html.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    let hash = |content: &str| {
        use base64::Engine as _;
        use sha2::Digest as _;
        base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(content))
    };
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let scripts = scripts(html);
    let (attributes, script) = scripts.last().unwrap();
    let expected = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(&html[script.clone()])
    );
    assert_eq!((policy, attributes.as_str(), html.matches("<style").count()), (expected.as_str(), "", 1));
    // Before the policy nothing is there that it should hold for.
    assert!(html.find("<style").unwrap() > html.find("Content-Security-Policy").unwrap());
    assert!(
        !html.contains(" style=") && !html.contains(" onclick=") && !html.contains("http://") && !html.contains("src=")
    );
}

#[test]
fn the_script_puts_nothing_in_but_text() {
    for way in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "DOMParser",
        "srcdoc",
        "createContextualFragment",
        "setHTML",
        "import(",
        "fetch(",
        "XMLHttpRequest",
        "</script",
        "<!--",
    ] {
        for look in [endpoints::LOOK, changes::LOOK] {
            assert!(!look.script.contains(way), "{way}");
        }
    }
    for style in [endpoints::LOOK.style, changes::LOOK.style] {
        assert!(!style.contains('<') && !style.contains("url(") && !style.contains("@import"));
    }
}

#[test]
fn hostile_words_are_text_wherever_they_stand() {
    let lines: Vec<_> =
        HOSTILE.iter().enumerate().map(|(number, words)| format!("{}\n", row_of(number, words))).collect();
    let html = page_of(&lines.concat(), 99);
    let scripts = scripts(&html);
    assert_eq!(scripts.len(), 3, "the meta, the rows, the script");
    let mut outside = html.clone();
    for (_, place) in scripts.iter().rev() {
        outside.replace_range(place.clone(), "");
    }
    for words in ["<script>hacked", "<img", "<svg onload", "onmouseover='", "</style><style>", "<!--"] {
        assert!(!outside.contains(words), "{words}");
    }
    // What is there is there as text.
    assert!(outside.contains("&lt;img src=x onerror=hacked=1&gt;") && outside.contains("from &lt;script&gt;hacked=1"));
    for (_, place) in &scripts[..2] {
        assert!(!html[place.clone()].contains(['<', '>', '&', '\u{2028}', '\u{2029}']));
    }
    for (row, words) in rows_in(&html).iter().zip(HOSTILE) {
        let words = inert(words.into()).into_owned();
        assert_eq!((&row["banner"], &row["others"]["note"]), (&json!(words), &json!(words)));
        assert_eq!(row["findings"], json!([[words, "high", words]]));
        assert_eq!(row["evidence"], json!([[words, words, words, 1]]));
        assert_eq!(row["ptr"], json!([words, words]));
    }
}

/// What a terminal, or a reader's eye, takes for something else is there in words alone, wherever it came from.
#[test]
fn nothing_that_cannot_be_seen_is_in_a_page() {
    let hostile = "b\u{202e}\u{1b}[31m\u{7}\u{9b}\u{200b}\ta";
    // Without an address it is where its name says.
    let mut named = row_of(2, hostile);
    named.as_object_mut().unwrap().remove("ip");
    named["cert_not_after"] = "2026-11-01T00:00:00Z".into();
    let lines = format!("{}\n{named}\n", row_of(1, hostile));
    let html = page_with(&lines, 9, &Head { sources: vec![hostile.into()], now: None, notes: vec![hostile.into()] });
    let strange =
        html.chars().find(|character| *character != '\n' && !inert(character.to_string().into()).contains(*character));
    assert_eq!(strange, None);
    assert!(html.contains(r"from b\xe2\x80\xae\x1b[31m\x07") && html.contains("notice\">b\\xe2\\x80\\xae"), "{html}");
    assert!(html.contains(r"<code>b\xe2\x80\xae\x1b[31m\x07"), "in Where");
}

/// A count that stands beside a severity is of that severity.
#[test]
fn findings_of_several_severities_say_how_many_have_which() {
    let row = |host: usize, severity: &str| {
        let findings = json!([{ "id": "no_starttls", "severity": severity }]);
        format!(
            "{}\n",
            json!({ "ip": format!("192.0.2.{host}"), "port": 25, "service": "smtp", "outcome": "greeted", "findings_detail": findings })
        )
    };
    let html = page_of(&(row(1, "medium") + &row(2, "high") + &row(3, "medium")), 9);
    assert!(html.contains("<span class=\"n\">3 <small>endpoints: 1 high, 2 medium</small>"), "{html}");
    let html = page_of(&(row(1, "medium") + &row(2, "medium")), 9);
    assert!(html.contains("<span class=\"n\">2 <small>endpoints</small>"), "{html}");
}

/// Certificates are held against one time, which the page names; what a scan made of them is as of the scan.
#[test]
fn certificates_are_held_against_the_time_that_is_told() {
    let row = json!({
        "time": "2026-01-10T00:00:00Z", "ip": "192.0.2.1", "port": 465, "service": "smtps", "outcome": "greeted",
        "cert_status": "valid", "cert_sha256": "ab", "cert_not_after": "2026-03-01T00:00:00Z",
    });
    let told = |now| page_with(&format!("{row}\n"), 9, &Head { now, ..Head::default() });
    let then = told(None);
    assert!(then.contains("<strong>0</strong> <span>as of 2026-01-10, and 0 within 30 days"), "{then}");
    // 2026-11-22.
    let now = told(Some(at(20_779 * 86_400)));
    assert!(now.contains("<strong>1</strong> <span>as of 2026-11-22, and 0 within 30 days"), "{now}");
    assert!(now.contains("As they were when they were seen. As of 2026-11-22, valid for 30 days at most: 0;"), "{now}");
}

/// Peers send what they like: years from 1950 on have a form of their own (RFC 5280 §4.1.2.5.1).
#[test]
fn a_certificate_may_have_ended_before_1970() {
    let row = |host: u8, not_after: &str| {
        let row = json!({
            "ip": format!("192.0.2.{host}"), "port": 465, "service": "smtps", "outcome": "greeted", "cert_status": "expired",
            "cert_sha256": format!("{host:02}"), "cert_not_after": not_after, "time": "1970-01-02T03:00:00Z",
        });
        format!("{row}\n")
    };
    let lines = row(1, "1950-01-01T00:00:00Z") + &row(2, "1969-12-31T23:59:59Z") + &row(3, "1970-01-01T12:00:00Z");
    let html = page_with(&lines, 9, &Head { now: Some(at(86_400)), ..Head::default() });
    for days in ["−7,306<", "−2<", "−1<"] {
        assert!(html.contains(days), "{days} {html}");
    }
}

/// What the figures say of the day on which a certificate ends, its table says as well.
#[test]
fn a_certificate_that_ended_today_is_expired_everywhere() {
    let row = |host: u8, not_after: &str| {
        let row = json!({
            "ip": format!("192.0.2.{host}"), "port": 465, "service": "smtps", "outcome": "greeted", "cert_status": "valid",
            "cert_sha256": format!("{host:02}"), "cert_not_after": not_after, "time": "2026-11-20T00:00:00Z",
        });
        format!("{row}\n")
    };
    let lines = row(1, "2026-11-22T00:00:00Z") + &row(2, "2026-11-22T03:30:00Z") + &row(3, "2026-12-22T03:24:00Z");
    let mut page = Page::holding(9).unwrap().seen_from(at(1_795_317_817));
    for row in Rows::new("rows", lines.as_bytes()).unwrap() {
        page.row(&row.unwrap()).unwrap();
    }
    let mut html = Vec::new();
    let head = Head { now: Some(at(1_795_317_817)), ..Head::default() };
    page.write(&head, &Overview::default(), &mut html).unwrap();
    let html = String::from_utf8(html).unwrap();
    assert!(html.contains("<strong>1</strong> <span>as of 2026-11-22, and 1 within 30 days"), "{html}");
    let (valid, expired) = html.split_once("Expired, the latest first</h3>").unwrap();
    let days = |table: &str| -> Vec<String> {
        let cells = table.split("<td class=\"n ").skip(1);
        cells.map(|cell| cell.split("</td>").next().unwrap().to_owned()).collect()
    };
    assert_eq!((days(valid), days(expired)), (vec!["warn\">today".into(), "\">30".into()], vec!["bad\">today".into()]));
}

#[test]
fn too_many_rows_leave_the_worst_and_the_page_says_so() {
    let row = |number: usize, severity: &str| {
        let findings =
            if severity.is_empty() { json!([]) } else { json!([{ "id": "no_starttls", "severity": severity }]) };
        json!({ "ip": format!("10.0.{}.{}", number / 250, number % 250), "port": 25, "service": "smtp", "outcome": "greeted", "findings_detail": findings })
    };
    let severity = |number: usize| match number {
        2990.. => "high",
        _ if number.is_multiple_of(2) => "low",
        _ => "",
    };
    let lines = (0..3000).map(|number| row(number, severity(number)).to_string()).collect::<Vec<_>>().join("\n") + "\n";
    let html = page_of(&lines, 2999);
    let rows = rows_in(&html);
    assert_eq!(rows.len(), kept::MAX_WORST);
    let severity = |row: &Value| row["findings"][0][1].as_str().unwrap_or_default().to_owned();
    let severities: Vec<_> = rows.iter().map(severity).collect();
    assert!(severities[..10].iter().all(|severity| severity == "high") && severities[10] == "low");
    assert_eq!(
        (severities.iter().filter(|severity| *severity == "low").count(), &rows[0]["ip"]),
        (1495, &json!("10.0.11.240"))
    );
    assert!(
        html.contains(
            "Figures, charts and findings are of all 3,000 endpoints. The table has the 2,000 with the worst"
        )
    );
    assert!(html.contains("<strong>3,000</strong>") && html.contains("\"rows\":2000"));

    let html = page_of(&lines, 3000);
    let rows = rows_in(&html);
    assert!(rows.len() == 3000 && rows[0]["ip"] == "10.0.0.0" && !html.contains("id=\"limited\""));
    assert_eq!(scripts(&html).len(), 5, "rows come a thousand at a time");
}

#[test]
fn rows_beyond_measure_are_cut_and_say_so() {
    let long = "\u{e9}".repeat(9000);
    let mut row = row_of(1, &long);
    row["cert_names"] = (0..500).map(|number| format!("{number}.{}", &long[..600])).collect();
    let rows = rows_in(&page_of(&format!("{row}\n"), 9));
    let row = &rows[0];
    assert!(row.to_string().len() < 16 << 10, "{}", row.to_string().len());
    assert!(row["banner"].as_str().unwrap().ends_with('…'));
    let names = row["cert_names"].as_array().unwrap();
    assert_eq!((names.len(), names.last().unwrap()), (9, &json!("… 492 more")));
}

/// Nobody asked a port that refused; and shares say what they are of. Of many parts the first are named.
#[test]
fn charts_say_what_they_count() {
    let rows = json!({ "ip": "192.0.2.1", "port": 25, "service": "smtp", "outcome": "refused" }).to_string()
        + "\n"
        + &json!({ "ip": "192.0.2.2", "port": 25, "service": "smtp", "outcome": "greeted", "tls": "starttls", "tls_version": "TLSv1.3" })
            .to_string();
    let sources = (0..150).map(|part| format!("part-{part}.ndjson")).collect();
    let html = page_with(&(rows + "\n"), 9, &Head { sources, ..Head::default() });
    assert!(html.contains("no finding, or no answer") && !html.contains("nothing found"), "{html}");
    assert!(html.contains("The version agreed on; shares are of all that were asked for TLS."), "{html}");
    assert!(html.contains("part-4.ndjson and 145 more</p>"), "{html}");
}

/// What is cut says so, and never what matters most.
#[test]
fn the_worst_findings_of_a_row_are_told_first() {
    let finding =
        |number: usize| json!({ "id": format!("f{number}"), "severity": if number == 59 { "high" } else { "low" } });
    let mut row = row_of(1, "plain");
    row["findings_detail"] = (0..60).map(finding).collect();
    row["evidence"] = (0..60).map(|number| json!({ "code": format!("e{number}") })).collect();
    for number in 0..60 {
        row[format!("key{number:02}")] = "told".into();
    }
    let rows = rows_in(&page_of(&format!("{row}\n"), 9));
    let findings = rows[0]["findings"].as_array().unwrap();
    assert_eq!((findings.len(), &findings[0], &findings[1][0]), (49, &json!(["f59", "high", ""]), &json!("f0")));
    assert_eq!((&findings[48], &rows[0]["evidence"][48][0]), (&json!(["… 12 more", "", ""]), &json!("… 12 more")));
    // With the note, and one that is named by its words.
    assert_eq!((rows[0]["others"].as_object().unwrap().len(), &rows[0]["others"]["…"]), (49, &json!("… 14 more")));
}

/// A chart leads to the rows that it counted, however long the name is.
#[test]
fn charts_lead_to_long_names_as_well() {
    let long = "Server ".repeat(40);
    let mut row = row_of(1, "plain");
    for name in ["software", "tls", "tls_version", "cert_status"] {
        row[name] = long.as_str().into();
    }
    row["findings_detail"] = json!([{ "id": long, "severity": "high" }]);
    let html = page_of(&format!("{row}\n"), 9);
    let row = &rows_in(&html)[0];
    for (facet, value) in [
        ("software", &row["software"]),
        ("tls_version", &row["tls_version"]),
        ("cert_status", &row["cert_status"]),
        ("findings", &row["findings"][0][0]),
    ] {
        let value = value.as_str().unwrap();
        assert_eq!((value.chars().count(), value.ends_with('…')), (120, true), "{facet}");
        assert!(html.contains(&format!("href=\"#{facet}={}\"", escape::Fragment(value))), "{facet}");
    }
    assert!(html.contains("<code>192.0.2.1:25</code>"), "in Where");
}

#[test]
fn figures_need_no_script() {
    let row = json!({
        "time": "2026-11-21T03:11:00Z", "ip": "192.0.2.1", "port": 25, "service": "smtp", "outcome": "greeted", "software": "Postfix",
        "tls": "starttls", "tls_version": "TLSv1.0", "cert_status": "expired", "cert_sha256": "ab", "cert_subject": "CN=old.example",
        "cert_not_after": "2026-11-01T00:00:00Z", "severity": "high", "findings": ["no_starttls"], "fronting": "likely", "front": "nginx",
        "findings_detail": [{ "id": "no_starttls", "severity": "high" }],
    });
    let html = page_of(&format!("{row}\n"), 9);
    let body = &html[..html.find("<section id=\"endpoints\"").unwrap()];
    for words in [
        "<strong>1</strong> <span>on 1 host</span>",
        "probed 2026-11-21 03:11 UTC",
        "from &lt;script&gt;",
        "<p class=\"notice\">rows: line 3 broke off &lt;script",
        "<a href=\"#software=Postfix\">Postfix</a>",
        "TLSv1.0",
        "Named: nginx 1.",
        "<details class=\"finding\" id=\"finding-no_starttls\">",
        "does not offer STARTTLS",
        "<code>192.0.2.1:25</code>",
        "<dt>Postfix</dt>",
        "CN=old.example",
        "−20",
    ] {
        assert!(body.contains(words), "{words}");
    }
    assert!(page_of("", 9).contains("No findings."));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever peers say, no part of it is anything but text, and the page's JSON gives it back.
    #[test]
    fn nothing_gets_through(words in "(<|>|&|-->|</script|<!--|\"|'|\u{2028}|\\PC|[\\x00-\\x1f]){0,24}") {
        let mut row = row_of(1, "plain");
        for name in ["banner", "hostname", "software", "version", "front", "tls", "cert_subject", "detail", "note"] {
            row[name] = words.as_str().into();
        }
        row["ptr"] = json!([words]);
        let html = page_of(&format!("{row}\n"), 9);
        let scripts = scripts(&html);
        prop_assert_eq!(scripts.len(), 3);
        for (_, place) in &scripts[..2] {
            let means = ['<', '>', '&', '\u{2028}', '\u{2029}'];
            prop_assert!(!html[place.clone()].contains(means));
        }
        let told = inert(words.as_str().into()).into_owned();
        let rows = rows_in(&html);
        for name in ["banner", "hostname", "software", "version", "front", "tls", "cert_subject", "detail"] {
            prop_assert_eq!(&rows[0][name], &json!(told));
        }
        prop_assert_eq!(&rows[0]["ptr"], &json!([told]));
        prop_assert_eq!(strange_tag(&html), None);
    }
}
