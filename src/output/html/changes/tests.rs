use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::inventory::diff::Source;
use crate::observation::Severity;
use crate::output::escape::inert;
use crate::output::html::kept::MAX_WORST;
use crate::output::html::tests::{HOSTILE, assert_policy, scripts, strange_tag};

/// A difference with these words wherever it has any.
fn change(number: u16, severity: Severity, words: &str) -> Change {
    let change = json!({
        "kind": "changed", "severity": severity, "trend": "worse", "name": words, "ip": "192.0.2.1", "port": number,
        "service": words, "outcome": words, "software": words, "version": words, "detail": words,
        "fields": [
            { "field": "findings", "to": words, "what": "new_finding", "severity": severity },
            { "field": "version", "from": words, "to": words, "what": "upgrade", "severity": "info" },
        ],
    });
    serde_json::from_value(change).unwrap()
}

fn about(words: &str) -> About {
    let sources = vec![Source::new(Side::Old, words), Source::new(Side::New, "new.csv").lacking(words)];
    About { is_of_expectations: false, sources, notes: vec![words.to_owned()] }
}

fn page_of(changes: &[Change], most: u64, about: About) -> String {
    let mut html = Vec::new();
    let mut page = Box::new(ChangesPage::holding(most, about, &mut html).unwrap());
    let mut summary = Summary { rows: [7, 8], unchanged: 5, ..Summary::default() };
    for Change { kind, severity, .. } in changes {
        *summary.kinds.entry(*kind).or_default() += 1;
        *summary.severities.entry((*kind, *severity)).or_default() += 1;
    }
    page.begin(&summary).unwrap();
    changes.iter().try_for_each(|change| page.change(change)).unwrap();
    page.end().unwrap();
    String::from_utf8(html).unwrap()
}

/// The rows in a page, as the script reads them.
fn rows_in(html: &str) -> Vec<Vec<Value>> {
    let scripts = scripts(html);
    let chunks = scripts.iter().filter(|(attributes, _)| attributes.contains("class=\"rows\""));
    chunks.flat_map(|(_, place)| serde_json::from_str::<Vec<Vec<Value>>>(&html[place.clone()]).unwrap()).collect()
}

#[test]
fn nothing_needs_a_script_but_the_table() {
    let changes = [change(25, Severity::High, "4.90"), change(26, Severity::Low, "x")];
    let html = page_of(&changes, 9, about("old.csv"));
    assert_policy(&html);
    let body = &html[..html.find("<section id=\"changes\"").unwrap()];
    for words in [
        "<title>What changed</title>",
        "<h1>What changed</h1><p class=\"about\">2 endpoints differ; before: old.csv; now: new.csv</p>",
        "<p class=\"notice\">old.csv</p>",
        "<strong>2</strong> <span>of 7 rows before and 8 now</span>",
        "<strong>5</strong> <span>in all that is compared</span>",
        "<a href=\"#kind=changed\">changed</a>",
        "<a href=\"#finding=4.90\">4.90</a>",
        "<a href=\"#what=new_finding\">new finding</a>",
        "<a href=\"#host=192.0.2.1\">192.0.2.1:25</a>",
        "findings + 4.90; version 4.90 → 4.90; 4.90",
        "<td class=\"name\">new.csv</td>",
    ] {
        assert!(body.contains(words), "{words}: {body}");
    }
    let mut unknown = change(27, Severity::Info, "it was <excluded>");
    unknown.kind = Kind::NotScanned;
    assert!(page_of(&[unknown], 9, about("a")).contains("it was &lt;excluded&gt;</a></th><td class=\"bar\">"));
    // The worst comes first, also where it was told later.
    let html = page_of(&[changes[1].clone(), changes[0].clone()], 9, about("old.csv"));
    assert!(html.find("192.0.2.1:25") < html.find("192.0.2.1:26"));
    let nothing = page_of(&[], 9, About { is_of_expectations: true, ..About::default() });
    assert!(nothing.contains("Nothing differs.") && nothing.contains("<h1>What should be there, and what is</h1>"));
    assert!(rows_in(&nothing).is_empty());
}

#[test]
fn too_many_leave_the_worst_and_the_page_says_so() {
    let severity = |number: u16| if number >= 2990 { Severity::High } else { Severity::Info };
    let changes: Vec<_> = (0..3000).map(|number| change(number, severity(number), "x")).collect();
    let html = page_of(&changes, 2999, about("old.csv"));
    let rows = rows_in(&html);
    assert_eq!(
        (rows.len(), &rows[0][5], &rows[9][1], &rows[10][1]),
        (MAX_WORST, &json!(2990), &json!("high"), &json!("info"))
    );
    assert!(html.contains("Figures and charts are of all 3,000 that differ. The table has the 2,000 that matter most"));
    let html = page_of(&changes, 3000, about("old.csv"));
    assert!(rows_in(&html).len() == 3000 && !html.contains("id=\"limited\""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever peers say, and whatever files are called, no part of it is anything but text.
    #[test]
    fn nothing_gets_through(
        words in "(<|>|&|-->|</script|<!--|\"|'|\u{2028}|\\PC|[\\x00-\\x1f]){0,24}", which in 0..=HOSTILE.len(),
    ) {
        let words = HOSTILE.get(which).map_or(words.as_str(), |words| words);
        let html = page_of(&[change(25, Severity::High, words)], 9, about(words));
        let scripts = scripts(&html);
        prop_assert_eq!(scripts.len(), 3);
        for (_, place) in &scripts[..2] {
            let means = ['<', '>', '&', '\u{2028}', '\u{2029}'];
            prop_assert!(!html[place.clone()].contains(means));
        }
        let told = json!(inert(words.into()));
        let rows = rows_in(&html);
        for cell in [3, 6, 7, 8, 9, 10] {
            prop_assert_eq!(&rows[0][cell], &told);
        }
        prop_assert_eq!(&rows[0][11][1][2], &told);
        prop_assert_eq!(strange_tag(&html), None);
    }
}
