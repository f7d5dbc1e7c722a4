use std::fs;
use std::net::IpAddr;

use proptest::prelude::*;

use super::super::names::{Exchange, Found, NoAddress};
use super::*;

/// `none: REASON`, or words: addresses, and exchanges for which nobody could say.
fn answer(words: &str) -> Answer {
    if let Some(reason) = words.strip_prefix("none: ") {
        return Err(NoAddress::None(reason.into()));
    }
    let found = words.split_whitespace().map(|word| match word.parse::<IpAddr>() {
        Ok(ip) => Found { exchange: None, address: Ok(ip) },
        Err(_) => Found {
            exchange: Some(Exchange { name: word.into(), preference: 10 }),
            address: Err(NoAddress::Unknown("the resolver\ndoes \"not\" answer".into())),
        },
    });
    Ok(found.collect())
}

/// One answer of each kind, and the record it is for; a later one for a record that has one.
fn entries() -> Vec<(u64, Answer)> {
    let long: Vec<_> = (0..100).map(|number| format!("mx{number}.mail.example")).collect();
    vec![
        (7, answer("10.0.0.1 ::1")),
        (0, answer("none: no such name")),
        (1_000_000, answer(&long.join(" "))),
        (7, answer("10.0.0.2")),
        (8, answer("none: no such name; ünlikely")),
    ]
}

fn known(book: &AnswerBook, records: &[u64]) -> Vec<(u64, Answer)> {
    records.iter().filter_map(|record| Some((*record, book.get(*record).unwrap()?))).collect()
}

#[test]
fn what_was_put_is_found() {
    let book = AnswerBook::temporary();
    assert_eq!(book.get(7).unwrap(), None);
    assert!(book.file().is_none(), "nothing is made before there is an answer");
    for (record, answer) in entries() {
        book.put(record, &answer).unwrap();
        assert_eq!(book.get(record).unwrap(), Some(answer));
    }
    assert_eq!(known(&book, &[1, 6, 9, 999_999, 1_000_001, 1 << 40]), []);
    assert!(book.get(u64::MAX).unwrap_err().to_string().contains("no record"));
    book.sync().unwrap();
}

#[test]
fn answers_outlast_the_scan_unless_it_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names");
    let book = AnswerBook::at(&path, false).unwrap();
    for (record, answer) in entries() {
        book.put(record, &answer).unwrap();
    }
    let before = known(&book, &[0, 7, 8, 1_000_000]);
    assert_eq!(before.len(), 4);
    assert!(!path.exists(), "it has its name once it is on the disk");
    book.sync().unwrap();
    drop(book);

    let book = AnswerBook::at(&path, true).unwrap();
    assert_eq!(known(&book, &[0, 7, 8, 1_000_000]), before);
    book.put(9, &answer("none: gone")).unwrap();
    book.sync().unwrap();
    drop(book);
    assert_eq!(AnswerBook::at(&path, true).unwrap().get(9).unwrap(), Some(answer("none: gone")));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the index has no name");

    let before = fs::read(&path).unwrap();
    let book = AnswerBook::at(&path, false).unwrap();
    assert_eq!(book.get(9).unwrap(), None);
    drop(book);
    assert_eq!(fs::read(&path).unwrap(), before, "a scan that does not begin destroys nothing");
    AnswerBook::at(&path, false).unwrap().sync().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Wherever a kill cuts the log, the whole lines before are there, and more can be put.
#[test]
fn a_log_that_is_cut_at_any_byte_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names");
    let small: Vec<_> = entries().into_iter().filter(|(record, _)| *record < 100).collect();
    let book = AnswerBook::at(&path, false).unwrap();
    for (record, answer) in &small {
        book.put(*record, answer).unwrap();
    }
    book.sync().unwrap();
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let book = AnswerBook::at(&path, true).unwrap();
        let lines = whole[..cut].split(|byte| *byte == b'\n').count() - 1;
        let last = |record| small[..lines].iter().rfind(|(at, _)| *at == record).cloned();
        let expected: Vec<_> = [0, 7, 8].into_iter().filter_map(last).collect();
        assert_eq!(known(&book, &[0, 7, 8]), expected, "{cut}");
        book.put(3, &answer("none: later")).unwrap();
        drop(book);
        assert_eq!(AnswerBook::at(&path, true).unwrap().get(3).unwrap(), Some(answer("none: later")), "{cut}");
    }
}

#[test]
fn garbage_is_cut_off_at_the_end_and_told_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names");
    let good = r#"{"record":3,"found":{"Err":{"None":"gone"}}}"#;
    for garbage in ["{}", "\0\0\0", "{\"record\":3}", "", "\u{fffd}", "{\"record\":-1,\"found\":{\"Ok\":[]}}"] {
        fs::write(&path, format!("{good}\n{garbage}\n")).unwrap();
        assert_eq!(AnswerBook::at(&path, true).unwrap().get(3).unwrap(), Some(answer("none: gone")), "{garbage:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{good}\n"), "{garbage:?}");

        fs::write(&path, format!("{good}\n{garbage}\n{good}\n")).unwrap();
        let refused = AnswerBook::at(&path, true).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{}:2: not an answer", path.display())), "{refused}");
    }
}

#[test]
fn what_cannot_be_opened_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names");
    let refused = AnswerBook::at(&path, true).unwrap_err().to_string();
    assert!(refused.starts_with(&format!("cannot go on with {}: ", path.display())), "{refused}");
    let refused = AnswerBook::at(&folder.path().join("none/names"), false).unwrap_err().to_string();
    assert!(refused.starts_with("cannot create ") && refused.ends_with("choose another place"), "{refused}");
}

#[test]
fn a_full_disk_is_told() {
    let book = AnswerBook::full();
    let refused = book.put(1, &answer("none: gone")).unwrap_err().to_string();
    assert!(refused.starts_with("cannot write /dev/full: "), "{refused}");
    assert_eq!(book.get(1).unwrap(), None);
}

proptest! {
    /// A book is a map whose last entry for a record wins, also after it is read back.
    #[test]
    fn a_book_is_a_map(puts in prop::collection::vec((0u64..12, 0u8..40), 1..30)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names");
        let mut map = std::collections::BTreeMap::new();
        let book = AnswerBook::at(&path, false).unwrap();
        for (record, size) in puts {
            let answer: Answer = Ok((0..size)
                .map(|last| Found { exchange: None, address: Ok([10, 0, 0, last].into()) })
                .collect());
            book.put(record, &answer).unwrap();
            map.insert(record, answer);
        }
        let records: Vec<_> = (0..13).collect();
        let expected: Vec<_> = map.into_iter().collect();
        prop_assert_eq!(&known(&book, &records), &expected);
        book.sync().unwrap();
        let again = AnswerBook::at(&path, true).unwrap();
        prop_assert_eq!(&known(&again, &records), &expected);
    }
}
