//! The manifest of a whole, from those of its parts and from what its rows came to.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::parts::PartFile;
use crate::classify::fronting::Overview;
use crate::inventory::Census;
use crate::manifest::{Canaries, Endpoints, Joined, Manifest, Middleboxes, Output, Part, RetriedEndpoints, SlowedDown};
use crate::output::schema::SCHEMA_VERSION;
use crate::schedule::Shard;

/// How many of the networks that were slowed down are named.
const SLOWEST: usize = 10;

/// What was joined of `parts`, without these shards; its outputs are still to be named. None without parts.
pub fn whole(parts: &[PartFile], missing: &[Shard], census: &Census, overview: &Overview) -> Option<Manifest> {
    let manifests: Vec<_> = parts.iter().map(|part| &part.manifest).collect();
    let first = *manifests.first()?;
    let mut of_shards: Vec<_> =
        parts.iter().filter_map(|part| Some((part.manifest.shards().ok()?.first()?.index(), part))).collect();
    of_shards.sort_by_key(|(index, _)| *index);
    let shards = of_shards.iter().map(|(_, part)| part.manifest.shard.as_str()).collect::<Vec<_>>().join(",");
    let sum = |count: fn(&Manifest) -> u64| manifests.iter().map(|manifest| count(manifest)).sum::<u64>();
    let endpoints = Endpoints::of(
        sum(|manifest| manifest.endpoints.total),
        sum(|manifest| manifest.endpoints.done),
        sum(|manifest| manifest.endpoints.not_done),
    );
    let canaries = |count: fn(&Canaries) -> u64| {
        manifests.iter().filter_map(|manifest| manifest.canaries.as_ref()).map(count).sum::<u64>()
    };
    let retried = |count: fn(&RetriedEndpoints) -> u64| {
        manifests.iter().filter_map(|manifest| manifest.retried.as_ref()).map(count).sum::<u64>()
    };
    let mut configuration = first.configuration.clone();
    for other in manifests.iter().map(|manifest| &manifest.configuration) {
        unite(&mut configuration.wordlists_before, &other.wordlists_before);
        unite(&mut configuration.depths_before, &other.depths_before);
    }
    let mut outcomes = BTreeMap::new();
    let mut ports: BTreeMap<u16, BTreeMap<String, u64>> = BTreeMap::new();
    for manifest in &manifests {
        add(&mut outcomes, &manifest.outcomes);
        for (port, counts) in &manifest.ports {
            add(ports.entry(*port).or_default(), counts);
        }
    }
    let contacts: Vec<_> = manifests.iter().filter_map(|manifest| manifest.contact.as_deref()).collect();
    let tally = census.tally();
    let named = |counts: &BTreeMap<std::sync::Arc<str>, u64>| {
        counts.iter().map(|(name, count)| (name.to_string(), *count)).collect()
    };
    let mut whole = Manifest {
        version: Manifest::VERSION,
        // Of the rows as they are written now.
        schema_version: SCHEMA_VERSION,
        hailer: first.hailer.clone(),
        command_line: Vec::new(),
        contact: contacts.first().map(|contact| (*contact).to_owned()),
        began: manifests.iter().map(|manifest| manifest.began.as_str()).min().unwrap_or_default().to_owned(),
        ended: manifests.iter().map(|manifest| manifest.ended.as_str()).max().unwrap_or_default().to_owned(),
        seconds: manifests.iter().map(|manifest| manifest.seconds).sum(),
        seed: first.seed,
        shard: if missing.is_empty() { Shard::WHOLE.to_string() } else { shards },
        configuration_digest: String::new(),
        targets_digest: first.targets_digest.clone(),
        configuration,
        columns: columns(&manifests),
        scope: manifests.iter().find_map(|manifest| manifest.scope.clone()),
        joined: Some(Joined {
            parts: of_shards.iter().map(|(_, part)| told(part)).collect(),
            missing: missing.iter().map(ToString::to_string).collect(),
            command_line: first.scan_command_line().to_owned(),
        }),
        endpoints,
        outcomes,
        ports,
        canaries: Canaries::new((canaries(|canaries| canaries.hailed), canaries(|canaries| canaries.failed))),
        retried: RetriedEndpoints::new((retried(|retried| retried.endpoints), retried(|retried| retried.answered))),
        connect_timeout: None,
        slowed: slowed(&manifests),
        fronting: named(&tally.fronting),
        fronts: named(&tally.fronts),
        middleboxes: Middleboxes::from(overview),
        outputs: Vec::new(),
    };
    whole.configuration_digest = whole.proper_digest().unwrap_or_default();
    Some(whole)
}

/// What any part had.
fn unite(all: &mut Vec<String>, of_one: &[String]) {
    for one in of_one {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

/// What the rows of any part have, where all of them have only some.
fn columns(manifests: &[&Manifest]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for manifest in manifests {
        if manifest.columns.is_empty() {
            return Vec::new();
        }
        unite(&mut columns, &manifest.columns);
    }
    columns
}

fn told(part: &PartFile) -> Part {
    let Manifest { shard, began, ended, .. } = &part.manifest;
    let output = Output { ..part.output.clone() };
    Part { shard: shard.clone(), began: began.clone(), ended: ended.clone(), output }
}

fn add(counts: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (outcome, count) in more {
        counts.entry(outcome.clone()).or_default().add_assign(count);
    }
}

/// A network that several shards were slowed down in is named with the least rate that it had.
fn slowed(manifests: &[&Manifest]) -> SlowedDown {
    let mut slowest: BTreeMap<&str, &str> = BTreeMap::new();
    for (network, rate) in manifests.iter().flat_map(|manifest| &manifest.slowed.slowest) {
        let known = slowest.entry(network).or_insert(rate);
        if per_second(rate) < per_second(known) {
            *known = rate;
        }
    }
    let mut slowest: Vec<_> =
        slowest.into_iter().map(|(network, rate)| (network.to_owned(), rate.to_owned())).collect();
    slowest.sort_by(|(_, one), (_, other)| per_second(one).total_cmp(&per_second(other)));
    slowest.truncate(SLOWEST);
    let most = manifests.iter().map(|manifest| manifest.slowed.networks).max().unwrap_or_default();
    let named = u64::try_from(slowest.len()).unwrap_or(u64::MAX);
    SlowedDown { networks: most.max(named), slowest }
}

/// How many a second `57/s` or `12/min` are.
fn per_second(rate: &str) -> f64 {
    let Some((number, unit)) = rate.split_once('/') else { return f64::MAX };
    let seconds = match unit {
        "min" => 60.0,
        "h" => 3600.0,
        _ => 1.0,
    };
    number.parse::<f64>().map_or(f64::MAX, |number| number / seconds)
}
