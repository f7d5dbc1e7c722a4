//! Whether an endpoint without a row was probed, as far as manifests prove it.

use std::collections::BTreeMap;

use crate::inventory::key::Identity;
use crate::manifest::scope::{Asking, Reach, Whereabouts};
use crate::manifest::{Manifest, Settings};
use crate::output::Column;

/// What the scans of one side covered.
#[derive(Debug, Default)]
pub struct Coverage {
    scans: Vec<Scan>,
    /// Why nothing is known of the rest, where there is a file that says nothing.
    untold: Option<String>,
    /// Columns that rows of some file do not have, where columns were chosen.
    lacking: Vec<Column>,
}

#[derive(Debug)]
struct Scan {
    reach: Reach,
    /// Whether it asked the mail exchanges of a domain.
    has_exchanges: bool,
    ports: BTreeMap<u16, BTreeMap<String, u64>>,
    depths: Vec<String>,
    /// By which wordlists its rows were named.
    wordlists: Vec<String>,
    roots: String,
}

/// What is known of an endpoint without a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was probed, and refused the connection.
    Refused,
    /// A name was, which leads elsewhere by now, or to where connections are refused.
    NameRefused,
    /// It was probed, and refused or was not heard of.
    Unheard,
    /// It was not probed, and why.
    NotProbed(String),
    /// Nobody can say, and why.
    Unknown(String),
}

impl Coverage {
    /// Takes over what the manifest of a scan that is done proves.
    ///
    /// # Errors
    /// What of it cannot be read.
    pub fn add(&mut self, manifest: &Manifest) -> Result<(), String> {
        if !manifest.columns.is_empty() {
            let is_there = |column: &Column| manifest.columns.iter().any(|name| name == column.as_str());
            self.lacking.extend(Column::ALL.into_iter().filter(|column| !is_there(column)));
        }
        let Some(scope) = &manifest.scope else {
            self.add_untold("its manifest is of an earlier hailer, and does not tell what was asked");
            return Ok(());
        };
        let shards = manifest.shards().map_err(|error| error.to_string())?;
        let reach = Reach::new(scope, manifest.seed, &shards)?;
        let Settings { depth, depths_before, wordlists_sha256, wordlists_before, roots, .. } = &manifest.configuration;
        let all = |before: &[String], last: &String| before.iter().chain([last]).cloned().collect();
        self.scans.push(Scan {
            has_exchanges: reach.has_exchanges(),
            reach,
            ports: manifest.ports.clone(),
            depths: all(depths_before, depth),
            wordlists: all(wordlists_before, wordlists_sha256),
            roots: roots.clone(),
        });
        Ok(())
    }

    /// Knows that there is a file that says nothing of what was probed, and why.
    pub fn add_untold(&mut self, why: &str) {
        self.untold.get_or_insert_with(|| why.to_owned());
    }

    /// Columns that rows of some file do not have.
    pub fn lacking(&self) -> &[Column] {
        &self.lacking
    }

    /// At which depths it was asked; nothing where no manifest tells.
    pub fn depths(&self) -> Vec<&str> {
        self.each(|scan| &scan.depths)
    }

    /// By which wordlists rows were named; nothing where no manifest tells.
    pub fn wordlists(&self) -> Vec<&str> {
        self.each(|scan| &scan.wordlists)
    }

    /// By which roots certificates were judged; nothing where no manifest tells.
    pub fn roots(&self) -> Vec<&str> {
        self.each(|scan| std::slice::from_ref(&scan.roots))
    }

    fn each(&self, of: impl Fn(&Scan) -> &[String]) -> Vec<&str> {
        let mut all: Vec<_> = self.scans.iter().flat_map(of).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn verdict(&self, of: &Identity) -> Verdict {
        let Identity { ip, port, name, domain } = of;
        let at = Whereabouts { name: name.as_deref(), domain: domain.as_deref(), ip: *ip, port: *port };
        let asking = |scan: &Scan| scan.reach.asks(at);
        let asked: Vec<_> = self.scans.iter().filter(|scan| asking(scan) == Asking::Asked).collect();
        if !asked.is_empty() {
            let by_address = Whereabouts { name: None, domain: None, ..at };
            let is_heard = asked.iter().any(|scan| scan.is_heard(*port));
            let has_address = asked.iter().any(|scan| scan.reach.asks(by_address) == Asking::Asked);
            return match (is_heard, has_address) {
                (true, true) => Verdict::Refused,
                (true, false) => Verdict::NameRefused,
                (false, _) => Verdict::Unheard,
            };
        }
        if let Some(why) = &self.untold {
            return Verdict::Unknown(why.clone());
        }
        let words = match self.scans.iter().map(asking).max() {
            None => return Verdict::Unknown("there is no manifest beside it".to_owned()),
            Some(Asking::NotListed) => {
                return Verdict::Unknown("its manifest lists only a part of its targets".to_owned());
            }
            Some(Asking::NoTarget)
                if name.is_some() && domain.is_none() && self.scans.iter().any(|scan| scan.has_exchanges) =>
            {
                "it was no target, unless as a mail exchange of a domain that was"
            }
            Some(Asking::NoTarget) => "it was no target",
            Some(Asking::Excluded) => "it was excluded",
            Some(Asking::NoPort) => "this port was not asked",
            Some(Asking::OtherFamily) => "its name was asked for addresses of the other family alone",
            Some(Asking::OtherShard | Asking::Asked) => "it belongs to a shard that is not there",
        };
        Verdict::NotProbed(words.to_owned())
    }
}

impl Scan {
    /// Whether every endpoint of a port that has no row refused the connection.
    fn is_heard(&self, port: u16) -> bool {
        let counts = self.ports.get(&port);
        let unheard = ["timeout", "unreachable"].iter().filter_map(|outcome| counts?.get(*outcome));
        unheard.sum::<u64>() == 0
    }
}
