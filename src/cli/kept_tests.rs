//! A scan that takes outputs over, and is killed at any moment of that.

use std::collections::BTreeMap;

use indicatif::ProgressBar;
use tempfile::TempDir;

use super::super::args::ScanArgs;
use super::super::plan::Plan;
use super::*;

const LINE: &str = "mail.example 127.0.0.1:1=ftp -o {}/a.csv -o {}/b.ndjson -o {}/c.xlsx --overwrite";

/// What scans before left: the first was done, the second is not, and of the third there is a workbook.
const BEFORE: [(&str, &str); 8] = [
    ("a.csv", "ip,port\n127.0.0.9,21\n"),
    ("a.csv.hailer-names", "of another scan\n"),
    ("a.csv.manifest.json", "{}"),
    ("b.ndjson", "{}\n"),
    ("b.ndjson.hailer", "{}"),
    ("b.ndjson.hailer-stdin", "127.0.0.9"),
    ("c.xlsx", "old"),
    ("c.xlsx.manifest.json", "{}"),
];

fn before() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in BEFORE {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn plan(folder: &TempDir, line: &str) -> Result<Plan, Failure> {
    let line = format!("scan {line}").replace("{}", folder.path().to_str().unwrap());
    Plan::new(ScanArgs::read(line.split_whitespace()).unwrap())
}

/// Opens its outputs, in which all is as before, and does that with them.
fn with_outputs(mut plan: Plan, then: impl FnOnce(&mut Kept, &mut Outputs, Vec<File>, Option<NamesLog>)) {
    let opened = Outputs::open(&mut plan.destination, &plan.layouts, &ProgressBar::hidden());
    let (mut outputs, handles) = opened.unwrap();
    then(plan.kept.as_mut().unwrap(), &mut outputs, handles, plan.scan.names_log());
}

fn content(folder: &TempDir) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
    files.map(|it| (it.file_name().into_string().unwrap(), fs::read_to_string(it.path()).unwrap())).collect()
}

/// As long as there is no journal, all is there as it was; the rows of a workbook are new, and empty.
#[test]
fn nothing_is_touched_before_there_is_a_journal() {
    let folder = before();
    with_outputs(plan(&folder, LINE).unwrap(), |_, _, _, _| {});
    let mut left = content(&folder);
    assert_eq!(left.remove("c.xlsx.hailer-rows").as_deref(), Some(""));
    assert_eq!(left, BEFORE.map(|(name, content)| (name.to_owned(), content.to_owned())).into());
}

/// With the journal, the scan goes on from each step as if it had never been killed.
#[test]
fn a_scan_that_is_killed_as_it_takes_over_goes_on() {
    let begin = |kept: &mut Kept, outputs: &mut Outputs, handles, names| {
        drop(kept.begin(outputs, handles, names).unwrap());
    };
    let folder = before();
    with_outputs(plan(&folder, LINE).unwrap(), begin);
    let names = ["a.csv", "a.csv.hailer", "a.csv.hailer-names", "b.ndjson", "c.xlsx", "c.xlsx.hailer-rows"];
    let expected = content(&folder);
    assert_eq!(expected.keys().collect::<Vec<_>>(), names);
    assert_eq!(["b.ndjson", "c.xlsx", "c.xlsx.hailer-rows"].map(|name| expected[name].as_str()), ["", "old", ""]);
    assert!(!expected["a.csv.hailer"].contains("takes_over") && expected["a.csv.hailer-names"].is_empty());

    let mut steps = 0;
    for step in 0.. {
        let folder = before();
        with_outputs(plan(&folder, LINE).unwrap(), |kept, outputs, _, _| {
            kept.journal.write(&kept.beside.journal()).unwrap();
            let of_before = kept.of_before();
            steps = of_before.len();
            of_before.iter().take(step).for_each(|path| remove(path).unwrap());
            if step > steps {
                outputs.begin().unwrap();
            }
        });
        assert!(content(&folder)["a.csv.hailer"].contains("\"takes_over\":true"));
        // Nobody else takes it for done, or for nobody's.
        for line in ["127.0.0.1 -o {}/a.csv", "127.0.0.1 -o {}/b.ndjson"] {
            assert!(matches!(plan(&folder, line), Err(Failure::Usage(_))), "{step}: {line}");
        }
        let resumed = plan(&folder, "--resume {}/a.csv").unwrap_or_else(|failure| panic!("{step}: {failure:?}"));
        with_outputs(resumed, begin);
        let left = content(&folder);
        assert_eq!(left.keys().collect::<Vec<_>>(), names, "{step}");
        assert!(!left["a.csv.hailer"].contains("takes_over") && left["a.csv.hailer-names"].is_empty(), "{step}");
        assert_eq!(["b.ndjson", "c.xlsx", "c.xlsx.hailer-rows"].map(|name| left[name].as_str()), ["", "old", ""]);
        assert!(!left["a.csv"].contains("127.0.0.9"), "{step}");
        if step > steps {
            break;
        }
    }
}

/// Whatever was there before, from the second time on it is this scan's own.
#[test]
fn what_another_scan_wrote_since_is_no_longer_taken_over() {
    let folder = before();
    with_outputs(plan(&folder, LINE).unwrap(), |kept, outputs, handles, names| {
        drop(kept.begin(outputs, handles, names).unwrap());
    });
    fs::write(folder.path().join("b.ndjson.manifest.json"), "{}").unwrap();
    let refused = plan(&folder, "--resume {}/a.csv");
    assert!(matches!(refused, Err(Failure::Usage(words)) if words.contains("another scan has written to it since")));
}
