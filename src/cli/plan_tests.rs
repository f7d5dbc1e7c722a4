//! Command lines, and what they come to.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::*;

fn parse(line: &str) -> Result<ScanArgs, String> {
    let words = format!("scan {line}");
    ScanArgs::read(words.split_whitespace()).map_err(|error| error.to_string())
}

fn refusal(line: &str) -> String {
    match Plan::new(parse(line).unwrap()).expect_err(line) {
        Failure::Usage(words) | Failure::Policy(words) | Failure::Failed(words) => words,
    }
}

/// A command line, and what it changes in the default configuration.
#[test]
fn settings_reach_the_configuration() {
    type Change = fn(&mut Config);
    let table: &[(&str, Change)] = &[
        ("10.0.0.1", |_| {}),
        ("10.0.0.1 --connect-timeout 2.5s", |config| config.connect_timeout = Duration::from_millis(2500)),
        ("10.0.0.1 --tls-timeout 800ms", |config| config.tls_timeout = Duration::from_millis(800)),
        ("10.0.0.1 --greeting-timeout 7", |config| {
            config.mail_greeting_timeout = Duration::from_secs(7);
            config.ftp_greeting_timeout = Duration::from_secs(7);
        }),
        ("10.0.0.1 --leave close", |config| config.leave = Leave::Close),
        ("10.0.0.1 --all --seed 7", |config| (config.all, config.seed) = (true, Some(7))),
        ("10.0.0.1 --concurrency 9", |config| config.concurrency = NonZeroUsize::new(9)),
        ("10.0.0.1 --source 127.0.0.1 --source ::1", |config| {
            config.source = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        }),
        ("10.0.0.1 --interface lo", |config| config.interface = Some("lo".into())),
    ];
    for (line, change) in table {
        let mut expected = Config::default();
        change(&mut expected);
        let found = settings(&parse(line).unwrap()).unwrap();
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{line}");
    }
}

#[test]
fn endpoints_are_counted() {
    let table = [
        ("10.0.0.0/30", 20),
        ("10.0.0.0/30 -p 25", 4),
        ("10.0.0.0/8 -p 21", 1 << 24),
        ("10.0.0.1 ::1 -4", 5),
        ("10.0.0.1 ::1 -6 -p 21", 1),
        ("10.0.0.1:21 host.example -p 25", 2),
    ];
    for (line, endpoints) in table {
        assert_eq!(Plan::new(parse(line).unwrap()).unwrap().scan.endpoints(), endpoints, "{line}");
    }
}

#[test]
fn refusals_name_the_word() {
    let table = [
        ("10.0.0.0/33", "target '10.0.0.0/33': '/33' is not a prefix length"),
        ("10.0.0.1 -p 21,4711", "-p 21,4711: no service is known for port 4711"),
        ("@/nonexistent/list", "/nonexistent/list: cannot read targets: No such file"),
        ("10.0.0.1 -o out.doc", "-o out.doc: no format is known by this ending"),
        ("10.0.0.1 -o a.csv -o a.csv", "-o a.csv: it is named twice"),
        ("10.0.0.1 -o a.csv -o ./src/../a.csv", "-o ./src/../a.csv: it is named twice"),
        ("::1 -4", "no targets: all 1 of them"),
        ("2001:db8::/32", "the targets have"),
    ];
    for (line, expected) in table {
        let words = refusal(line);
        assert!(words.starts_with(expected), "{line}: {words}");
    }
    assert!(parse("10.0.0.1 -4 -6").is_err());
    assert!(parse("").is_err());
}

#[test]
fn an_existing_output_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, "precious").unwrap();
    let line = format!("10.0.0.1 -o {}", path.display());
    assert!(refusal(&line).contains("--overwrite"));
    assert!(Plan::new(parse(&format!("{line} --overwrite")).unwrap()).is_ok());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious", "a plan writes nothing");
}

#[test]
fn a_bad_line_in_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nets.txt");
    std::fs::write(&path, "10.0.0.1\n10.0.0.0/16 10.0.0.999\n").unwrap();
    let words = refusal(&format!("@{}", path.display()));
    assert!(words.contains("nets.txt:2:13: '10.0.0.999': it looks like an address"), "{words}");
}
