//! Whether parts belong together, and are all of it: from their manifests alone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::manifest::{Manifest, Output, Scope};
use crate::schedule::Shard;

/// A part: a file with rows, and what its scan says of itself.
#[derive(Debug, Clone)]
pub struct PartFile {
    /// What people call it.
    pub name: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// The file as it is now.
    pub output: Output,
}

/// What parts are together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Why they cannot be joined, in words.
    pub problems: Vec<String>,
    /// The shards that are not among them.
    pub missing: Vec<Shard>,
    /// What the reader of the whole should know, in words.
    pub remarks: Vec<String>,
}

/// Settings by which parts may differ: each machine has its own, and rows say the same.
const OF_A_MACHINE: [&str; 14] = [
    "pace",
    "profile",
    "concurrency",
    "connect_timeout_ms",
    "learn_connect_timeout",
    "tls_timeout_ms",
    "mail_greeting_timeout_ms",
    "ftp_greeting_timeout_ms",
    "leave",
    "ehlo_name",
    "our_addresses",
    "retries",
    "retry_busy",
    "authorised",
];

/// Those by which they may differ without a word.
const ASIDE: [&str; 9] = [
    "canaries",
    "canary_interval_ms",
    "resolvers",
    "wordlists",
    "wordlists_before",
    "depths_before",
    "source",
    "interface",
    "sample_interval_ms",
];

/// Holds parts against the first of them.
pub fn check(parts: &[PartFile]) -> Checked {
    let mut checked = Checked::default();
    let Some(first) = parts.first() else { return checked };
    let mut by_shard: BTreeMap<u32, &str> = BTreeMap::new();
    let mut count = None;
    for part in parts {
        checked.judge(part);
        if !checked.belongs(first, part) {
            continue;
        }
        let Ok(shards) = part.manifest.shards() else { continue };
        for shard in shards {
            let (of, known) = (shard.count(), *count.get_or_insert((shard.count(), &part.name)));
            if of != known.0 {
                let (name, other) = (&part.name, known.1);
                checked.problems.push(format!("{name} is shard {shard}, and {other} is one of {}", known.0));
            } else if let Some(other) = by_shard.insert(shard.index(), &part.name) {
                checked
                    .problems
                    .push(format!("shard {shard} is there twice: {other} and {}; leave one out", part.name));
            }
        }
    }
    if let Some((count, _)) = count {
        let absent = (0..count.get()).filter(|index| !by_shard.contains_key(index));
        checked.missing = absent.filter_map(|index| Shard::new(index.checked_add(1)?, count).ok()).collect();
    }
    if checked.problems.is_empty() && checked.missing.is_empty() {
        checked.add_up(parts);
    }
    checked
}

impl Checked {
    /// Whether a part is what it says.
    fn judge(&mut self, PartFile { name, manifest, output }: &PartFile) {
        match manifest.shards() {
            Ok(_) => {
                if manifest.proper_digest().as_ref() != Some(&manifest.configuration_digest) {
                    self.problems.push(format!(
                        "{name}: its manifest contradicts itself (configuration_digest): it was changed; restore it"
                    ));
                }
            }
            Err(error) => self.problems.push(format!("{name}: its manifest names no shard: {error}; restore it")),
        }
        if !manifest.outputs.iter().any(|told| told.sha256 == output.sha256) {
            let told = manifest.outputs.iter().find(|told| told.format == output.format);
            let words = match told {
                Some(told) if output.bytes < told.bytes => {
                    let (found, expected) = (output.bytes, told.bytes);
                    format!("it broke off: {found} bytes of {expected}")
                }
                Some(_) => "it was changed since its scan ended".to_owned(),
                None => "its scan did not write it".to_owned(),
            };
            self.problems.push(format!("{name}: {words} (its SHA-256 is not the manifest's); restore it"));
        }
        let tells = |column: &str| manifest.columns.is_empty() || manifest.columns.iter().any(|name| name == column);
        if let Some(column) = ["name", "detail"].into_iter().find(|column| !tells(column))
            && manifest.scope.as_ref().is_some_and(Scope::has_names)
        {
            self.problems.push(format!(
                "{name}: its targets are names, and its rows have no column '{column}' to tell them apart by: make it anew with it"
            ));
        }
        let told = &manifest.endpoints;
        if told.done.saturating_add(told.not_done) < told.total {
            let open = told.total.saturating_sub(told.done).saturating_sub(told.not_done);
            self.problems.push(format!("{name}: {open} of its {} endpoints were not probed", told.total));
        }
        if told.not_done > 0 {
            let (open, total) = (told.not_done, told.total);
            self.remarks.push(format!("{name}: {open} of {total} endpoints could not be tried (local_error)"));
        }
    }

    /// Whether a part is of the same scan as the first.
    fn belongs(&mut self, first: &PartFile, part: &PartFile) -> bool {
        let (one, other) = (&first.manifest, &part.manifest);
        let differ = |what: &str, one: &dyn std::fmt::Display, other: &dyn std::fmt::Display| {
            format!("{} is of another scan than {}: {what} {other}, not {one}", part.name, first.name)
        };
        if one.targets_digest != other.targets_digest {
            self.problems.push(differ("targets_digest", &one.targets_digest, &other.targets_digest));
            return false;
        }
        if one.seed != other.seed {
            self.problems.push(differ("seed", &one.seed, &other.seed));
            return false;
        }
        let before = self.problems.len();
        if one.columns != other.columns {
            let [one, other] = [one, other].map(|it| match it.columns.as_slice() {
                [] => "all columns".to_owned(),
                some => format!("--columns {}", some.join(",")),
            });
            let (name, first) = (&part.name, &first.name);
            let words = format!("{name} has {other}, and {first} {one}: make them alike, by hailer scan");
            self.problems.push(words);
        }
        for (key, one, other) in settings(one, other) {
            if ASIDE.contains(&key.as_str()) {
                continue;
            }
            if OF_A_MACHINE.contains(&key.as_str()) {
                let (name, first) = (&part.name, &first.name);
                self.remarks.push(format!("{name} was made with {key} {other}, {first} with {one}"));
            } else {
                self.problems.push(differ(&key, &one, &other));
            }
        }
        if one.hailer != other.hailer {
            let (name, first) = (&part.name, &first.name);
            self.remarks.push(format!("{name} was made by hailer {}, {first} by {}", other.hailer, one.hailer));
        }
        self.problems.len() == before
    }

    /// Whether all shards have as many endpoints as there are.
    fn add_up(&mut self, parts: &[PartFile]) {
        let told = parts.iter().filter_map(|part| Some(part.manifest.scope.as_ref()?.endpoints)).max();
        let found: u64 = parts.iter().map(|part| part.manifest.endpoints.total).sum();
        if let Some(told) = told.filter(|told| *told != found) {
            self.problems.push(format!("all parts together have {found} endpoints, and their targets {told}"));
        }
    }
}

/// The settings that are not the same.
fn settings(one: &Manifest, other: &Manifest) -> Vec<(String, Value, Value)> {
    let [one, other] = [one, other].map(|manifest| serde_json::to_value(&manifest.configuration).unwrap_or_default());
    let keys = one.as_object().into_iter().flatten();
    let differ = keys.filter_map(|(key, one)| {
        let other = other.get(key).cloned().unwrap_or_default();
        (*one != other).then(|| (key.clone(), one.clone(), other))
    });
    differ.collect()
}
