//! `hailer schema` against rows as they are written: of every kind of endpoint, at every depth.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::peers::{Peer, listen, polite};
use super::program::{hailer, hailer_in, rows_in, run, scan};

fn printed() -> Value {
    let ended = run(&mut hailer(["schema"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The schema lets other keys through, for rows of later versions. Those of this one have none.
fn closed(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") {
                members.insert("additionalProperties".into(), false.into());
            }
            members.values_mut().for_each(closed);
        }
        Value::Array(items) => items.iter_mut().for_each(closed),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn demo(folder: &Path, words: &str) -> Vec<Value> {
    let pid = std::process::id();
    let at = format!("127.{}.{}.1", 100 + pid % 100, 60 + pid / 100 % 20);
    let words = format!("demo --hosts 40 --at {at} -o rows.ndjson --overwrite {words}");
    let ended = run(&mut hailer_in(folder, &words));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    rows_in(&folder.join("rows.ndjson"))
}

#[test]
fn rows_are_as_the_schema_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut schema = printed();
    closed(&mut schema);
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let (mut seen, mut count) = (BTreeSet::new(), 0);
    for depth in ["greeting", "features", "tls"] {
        for row in demo(folder.path(), &format!("--depth {depth}")) {
            let mistakes: Vec<_> =
                validator.iter_errors(&row).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(mistakes.is_empty(), "{mistakes:?} in {row}");
            seen.extend(row.as_object().unwrap().keys().cloned());
            count += 1;
        }
    }
    assert_eq!(count, 3 * 200);
    // Two servers in turn, of which one knows nothing of UTF-8.
    let turn = AtomicUsize::new(0);
    let greetings: [&[u8]; 2] = [b"220 Gr\xfc\xdfe (vsFTPd 3.0.5)\r\n", b"220 ProFTPD Server ready.\r\n"];
    let peer = Peer::behind(listen(), move || polite(greetings[turn.fetch_add(1, Ordering::Relaxed) % 2]));
    let more = ["--samples", "3", "--sample-interval", "1ms", "--transcript", "--depth", "features"];
    let rows = run(scan([peer.target("ftp")]).args(more)).rows();
    assert!(validator.is_valid(&rows[0]), "{:?} in {}", validator.iter_errors(&rows[0]).next(), rows[0]);
    seen.extend(rows[0].as_object().unwrap().keys().cloned());
    // It would not do to have seen the poorest rows alone.
    for key in
        ["features", "features_tls", "chain", "tls_legacy", "evidence", "findings_detail", "banner_b64", "variants"]
    {
        assert!(seen.contains(key), "{key} in {seen:?}");
    }
    let mut wrong = rows_in(&folder.path().join("rows.ndjson")).remove(0);
    for (key, value) in [("version", Value::from(4.9)), ("port", 70_000.into()), ("quux", true.into())] {
        let before = wrong.as_object_mut().unwrap().insert(key.into(), value);
        assert!(!validator.is_valid(&wrong), "{key}");
        match before {
            Some(before) => drop(wrong.as_object_mut().unwrap().insert(key.into(), before)),
            None => drop(wrong.as_object_mut().unwrap().remove(key)),
        }
        assert!(validator.is_valid(&wrong), "{key}");
    }
}
