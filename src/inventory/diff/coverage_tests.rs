//! What several scans of one side prove together.

use serde_json::{Value, json};

use super::tests::{compared, manifest, row};
use super::*;
use crate::Family;
use crate::inventory::Rows;
use crate::manifest::Manifest;

fn covering(manifests: &[Manifest]) -> Coverage {
    let mut coverage = Coverage::default();
    for manifest in manifests {
        coverage.add(manifest).unwrap();
    }
    coverage
}

fn of(hosts: &[&str]) -> Manifest {
    manifest(hosts, &json!({"refused": 9}), Family::Any)
}

/// Each difference as `kind why`.
fn told(old: &str, new: &str, coverages: [&Coverage; 2]) -> Vec<String> {
    let (changes, _) = compared(old, new, coverages, Choice::default());
    changes.iter().map(|it| format!("{} {}", it.kind.as_str(), it.detail.clone().unwrap_or_default())).collect()
}

#[test]
fn what_one_scan_does_not_list_the_others_do_not_deny() {
    let mut partly = of(&["198.51.100.0/24"]);
    partly.scope.as_mut().unwrap().more_targets = 70_000;
    let another_port = |mut manifest: Manifest| {
        manifest.scope.as_mut().unwrap().targets[0].ports = "26=smtp".into();
        manifest
    };
    let mut shard = of(&["192.0.2.0/24"]);
    shard.shard = "1/256".into();
    let words = "its manifest lists only a part of its targets";
    for other in [of(&["203.0.113.0/24"]), another_port(of(&["192.0.2.0/24"])), shard] {
        let (both, nothing) = (covering(&[partly.clone(), other]), Coverage::default());
        let gone = told(&row(&json!({})), "", [&nothing, &both]);
        assert_eq!(gone, [format!("not_scanned {words}")]);
        let came = told("", &row(&json!({})), [&both, &nothing]);
        assert_eq!(came, [format!("appeared whether it was probed before is not known: {words}")]);
    }
    let proved = covering(&[partly, of(&["192.0.2.0/24"])]);
    assert_eq!(told(&row(&json!({})), "", [&proved, &proved]), ["vanished refused"]);
}

/// A name of one label is one target with the root's dot, and another without.
#[test]
fn the_dot_of_a_single_label_is_of_the_name() {
    let coverage = covering(&[of(&["localhost."])]);
    let dotted = row(&json!({"name": "localhost."}));
    let gone = "vanished its name leads elsewhere, or to where connections are refused";
    assert_eq!(told(&dotted, "", [&coverage; 2]), [gone]);
    assert_eq!(told(&row(&json!({"name": "localhost"})), "", [&coverage; 2]), ["not_scanned it was no target"]);
    let both = dotted + &row(&json!({"name": "localhost"}));
    let (changes, summary) = compared(&both, &both, [&coverage; 2], Choice::default());
    assert_eq!((changes.len(), summary.superseded, summary.unchanged), (0, [0, 0], 2));
}

/// A scan of these hosts at port 25, which began and ended in these minutes, and counted so much.
fn scan(hosts: &[&str], [began, ended]: [&str; 2], counts: &Value) -> Manifest {
    let mut manifest = manifest(hosts, counts, Family::Any);
    [manifest.began, manifest.ended] = [began, ended].map(at);
    manifest
}

fn at(minute: &str) -> String {
    format!("2026-11-21T03:{minute}Z")
}

/// What differs from one row to files of one side, each with what covers it; and what the later scans said.
fn since(old: &str, files: &[(Option<&Manifest>, &str)]) -> (Vec<String>, Outdated) {
    let mut covered = Coverage::default();
    let mut diff = Diff::new(Choice::default());
    let whole = covering(&[of(&["192.0.2.0/24", "a.example"])]);
    for row in Rows::new("old", old.as_bytes()).unwrap() {
        diff.take_of(Side::Old, 0, &row.unwrap()).unwrap();
    }
    for (file, (manifest, rows)) in files.iter().enumerate() {
        match manifest {
            Some(manifest) => covered.add(manifest).unwrap(),
            None => covered.add_untold("there is no manifest beside it"),
        }
        for row in Rows::new("new", rows.as_bytes()).unwrap() {
            diff.take_of(Side::New, file, &row.unwrap()).unwrap();
        }
    }
    let changes = diff.finish(&whole, &covered).unwrap();
    let [_, outdated] = changes.summary().outdated.clone();
    let told = changes.map(Result::unwrap);
    let told = told.map(|it| format!("{} {}", it.kind.as_str(), it.detail.clone().unwrap_or_default()));
    (told.collect(), outdated)
}

fn greets(minute: &str, more: &Value) -> String {
    let mut cells = json!({"time": at(minute)});
    cells.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row(&cells)
}

#[test]
fn what_refused_a_later_scan_of_its_side_is_gone() {
    let (all, others, name) = (&["192.0.2.0/24"][..], &["198.51.100.0/24"][..], &["a.example"][..]);
    let (quiet, loud) = (json!({"refused": 9}), json!({"timeout": 1}));
    let scanned = |hosts, times, counts| Some(scan(hosts, times, counts));
    let first = || scanned(all, ["00:00", "10:00"], &quiet);
    let later = |hosts, counts| scanned(hosts, ["20:00", "30:00"], counts);
    let [bare, named] = [json!({}), json!({"name": "a.example"})].map(|more| greets("05:00", &more));
    let (bare, named, none) = (bare.as_str(), named.as_str(), "");
    let failed = greets("25:00", &json!({"outcome": "local_error"}));
    let [during, before] = ["25:00", "01:00"].map(|minute| greets(minute, &json!({})));
    let timeless = row(&json!({"time": null}));
    let table = vec![
        // What proves it.
        (bare, [(first(), bare), (later(all, &quiet), none)], [1, 0]),
        (bare, [(later(all, &quiet), none), (first(), bare)], [1, 0]),
        (named, [(first(), named), (later(all, &quiet), none)], [1, 0]),
        (bare, [(None, bare), (later(all, &quiet), none)], [1, 0]),
        // What does not: timeouts, a name, which may lead elsewhere by then.
        (bare, [(first(), bare), (later(all, &loud), none)], [0, 1]),
        (named, [(first(), named), (later(name, &quiet), none)], [0, 1]),
        // Others were asked; at the same time, as where a scan was resumed; nothing is known of when.
        (bare, [(first(), bare), (later(others, &quiet), none)], [0, 0]),
        (bare, [(first(), bare), (scanned(all, ["09:00", "30:00"], &quiet), none)], [0, 0]),
        (bare, [(None, &during), (later(all, &quiet), none)], [0, 0]),
        (bare, [(None, &timeless), (later(all, &quiet), none)], [0, 0]),
        // It is the later one's; also where a clock was set back meanwhile.
        (bare, [(first(), none), (later(all, &quiet), bare)], [0, 0]),
        (bare, [(first(), none), (later(all, &quiet), &before)], [0, 0]),
        // That has a row there: by another name, or of what this machine could not do.
        (named, [(first(), named), (later(all, &quiet), bare)], [0, 0]),
        (bare, [(first(), bare), (later(all, &quiet), &failed)], [0, 0]),
        // One scan in two formats.
        (bare, [(first(), bare), (first(), bare)], [0, 0]),
    ];
    for (old, files, [refused, doubtful]) in table {
        let files = files.each_ref().map(|(manifest, rows)| (manifest.as_ref(), *rows));
        let (changes, outdated) = since(old, &files);
        let gone = if refused > 0 { vec!["vanished refused"] } else { vec![] };
        assert_eq!(changes, gone, "{files:?}");
        assert_eq!([outdated.refused, outdated.doubtful], [refused, doubtful], "{files:?}");
        assert_eq!(outdated.example.as_deref(), (doubtful > 0).then_some("192.0.2.1:25"));
    }
}

/// Of shards of one scan, one after the other, none asked what another has; the same shard again did.
#[test]
fn shards_say_nothing_of_each_others_rows() {
    let shards = [("1/3", ["00:00", "10:00"]), ("2/3", ["20:00", "30:00"]), ("3/3", ["40:00", "50:00"])];
    let shard = |(shard, times): (&str, _)| Manifest {
        shard: shard.to_owned(),
        ..scan(&["192.0.2.0/24"], times, &json!({"refused": 9}))
    };
    let manifests = shards.map(shard);
    let mut met = [0; 3];
    for host in (1..40).filter(|host| *host != 7) {
        let row = greets("05:00", &json!({"ip": format!("192.0.2.{host}")}));
        let asks = |manifest: &Manifest| {
            told(&row, "", [&Coverage::default(), &covering(std::slice::from_ref(manifest))]) == ["vanished refused"]
        };
        let own = manifests.iter().position(asks).unwrap();
        met[own] += 1;
        let mut files: Vec<_> = manifests.iter().map(|manifest| (Some(manifest), "")).collect();
        files[own].1 = &row;
        assert_eq!(since(&row, &files), (vec![], Outdated::default()), "{host}");
        let again = shard((shards[own].0, ["55:00", "59:00"]));
        files.push((Some(&again), ""));
        let (changes, outdated) = since(&row, &files);
        assert_eq!((changes, outdated.refused), (vec!["vanished refused".to_owned()], 1), "{host}");
    }
    assert!(met.iter().all(|count| *count > 0), "{met:?}");
}

/// A shorter wait explains a difference only where it was in vain.
#[test]
fn who_waited_less_and_gave_up_is_told() {
    let waiting = |millis: u64, ports: &str, counts: &Value| {
        let mut manifest = manifest(&["192.0.2.0/24"], counts, Family::Any);
        manifest.scope.as_mut().unwrap().targets[0].ports = ports.to_owned();
        let settings = &mut manifest.configuration;
        settings.connect_timeout_ms = millis;
        settings.mail_greeting_timeout_ms = millis;
        settings.ftp_greeting_timeout_ms = millis;
        covering(&[manifest])
    };
    let silent = json!({"silent": 1, "greeted": 3});
    let table = [
        (waiting(2000, "25=smtp", &silent), vec![Wait::MailGreeting]),
        (waiting(2000, "25=ftp", &silent), vec![]),
        (waiting(2000, "25=smtp", &json!({"greeted": 4})), vec![]),
        (waiting(2000, "25=smtp", &json!({"timeout": 4})), vec![Wait::Connection]),
        (waiting(9000, "25=smtp", &silent), vec![]),
        (Coverage::default(), vec![]),
    ];
    let patient = waiting(9000, "25=smtp", &silent);
    for (short, waits) in table {
        let told = short.shorter_than(&patient);
        assert_eq!(told.iter().map(|it| it.wait).collect::<Vec<_>>(), waits);
        assert!(told.iter().all(|it| (it.waited.as_secs(), it.other.as_secs()) == (2, 9)));
        assert_eq!(patient.shorter_than(&short), []);
        assert_eq!(short.shorter_than(&Coverage::default()), []);
    }
}
