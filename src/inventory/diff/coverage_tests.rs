//! What several scans of one side prove together.

use serde_json::json;

use super::tests::{compared, manifest, row};
use super::*;
use crate::Family;
use crate::manifest::Manifest;

fn covering(manifests: &[Manifest]) -> Coverage {
    let mut coverage = Coverage::default();
    manifests.iter().for_each(|manifest| coverage.add(manifest).unwrap());
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
