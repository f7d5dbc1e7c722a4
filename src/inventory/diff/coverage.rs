//! Whether an endpoint without a row was probed, as far as manifests prove it.

use std::collections::BTreeMap;

use super::later::Since;
use super::patience::{Patience, Shorter, shorter};
use super::sighting::{Sighting, micros};
use crate::inventory::key::Identity;
use crate::manifest::scope::{Asking, Reach, Whereabouts};
use crate::manifest::{Manifest, Settings};
use crate::output::Column;

/// In microseconds.
const SECOND: u64 = 1_000_000;

/// What the scans of one side covered.
#[derive(Debug, Default)]
pub struct Coverage {
    scans: Vec<Scan>,
    /// Of each file, in the order in which they came, which of the scans it is of, where that is known.
    files: Vec<Option<usize>>,
    /// Why nothing is known of the rest, where there is a file that says nothing.
    untold: Option<String>,
    /// Columns that rows of some file do not have, where columns were chosen.
    lacking: Vec<Column>,
}

#[derive(Debug)]
struct Scan {
    reach: Reach,
    /// When, in microseconds since 1970: its first run, and its last.
    began: Option<u64>,
    ended: Option<u64>,
    /// Whether it asked the mail exchanges of a domain.
    has_exchanges: bool,
    ports: BTreeMap<u16, BTreeMap<String, u64>>,
    depths: Vec<String>,
    /// By which wordlists its rows were named.
    wordlists: Vec<String>,
    roots: String,
    patience: Patience,
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
        let is_there = |column: Column| manifest.columns.iter().any(|name| name == column.as_str());
        let lacks = |column: Column| !manifest.columns.is_empty() && !is_there(column);
        self.lacking.extend(Column::ALL.into_iter().filter(|column| lacks(*column)));
        let Some(scope) = &manifest.scope else {
            self.add_untold("its manifest is of an earlier hailer, and does not tell what was asked");
            return Ok(());
        };
        let shards = manifest.shards().map_err(|error| error.to_string())?;
        let reach = Reach::new(scope, manifest.seed, &shards)?;
        let Settings { depth, depths_before, wordlists_sha256, wordlists_before, roots, .. } = &manifest.configuration;
        // Without these nobody can tell of which endpoints it has rows.
        let tells_places = ![Column::Ip, Column::Port].into_iter().any(lacks);
        let all = |before: &[String], last: &String| before.iter().chain([last]).cloned().collect();
        self.files.push(Some(self.scans.len()));
        self.scans.push(Scan {
            began: micros(&manifest.began).filter(|_| tells_places),
            ended: micros(&manifest.ended),
            has_exchanges: reach.has_exchanges(),
            reach,
            ports: manifest.ports.clone(),
            depths: all(depths_before, depth),
            wordlists: all(wordlists_before, wordlists_sha256),
            roots: roots.clone(),
            patience: Patience::of(manifest),
        });
        Ok(())
    }

    /// Knows that there is a file that says nothing of what was probed, and why.
    pub fn add_untold(&mut self, why: &str) {
        self.untold.get_or_insert_with(|| why.to_owned());
        self.files.push(None);
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

    /// For what it waited less long than the other side, and gave up.
    pub fn shorter_than(&self, other: &Self) -> Vec<Shorter> {
        let [own, others] = [self, other].map(|it| it.scans.iter().map(|scan| &scan.patience).collect::<Vec<_>>());
        shorter(&own, &others)
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

impl Coverage {
    /// Whether a scan began after all that some other file of its side tells of may have been done.
    pub(super) fn has_later_scans(&self) -> bool {
        let is_later = |later: &Scan| {
            self.files.iter().any(|file| match file {
                Some(scan) => is_before(self.scans[*scan].ended, later),
                None => later.began.is_some(),
            })
        };
        self.scans.iter().any(is_later)
    }

    /// What later scans say of a row; these are the files that have rows of its address and port.
    pub(super) fn since(&self, row: &Sighting, files: &[usize]) -> Since {
        let Identity { ip: Some(ip), port, ref name, ref domain } = row.identity else { return Since::Nothing };
        let Some(own) = row.file().and_then(|file| self.files.get(file)) else { return Since::Nothing };
        // What is not known of a scan its rows tell.
        let done = own.map_or_else(|| row.micros(), |own| self.scans[own].ended);
        let has_rows = |scan: usize| files.iter().any(|file| self.files.get(*file) == Some(&Some(scan)));
        let others = self.scans.iter().enumerate().filter(|(number, _)| !has_rows(*number));
        let later = others.map(|(_, scan)| scan).filter(|scan| is_before(done, scan));
        let by_address = Whereabouts { name: None, domain: None, ip: Some(ip), port };
        let at = Whereabouts { name: name.as_deref(), domain: domain.as_deref(), ..by_address };
        let since = later.map(|scan| {
            if scan.reach.asks(by_address) == Asking::Asked && scan.is_heard(port) {
                Since::Refused
            } else if scan.reach.asks(at) == Asking::Asked {
                Since::Doubtful
            } else {
                Since::Nothing
            }
        });
        since.max().unwrap_or(Since::Nothing)
    }
}

/// Whether that was done before a scan began: by a second at least, since some write no fractions of one.
fn is_before(done: Option<u64>, scan: &Scan) -> bool {
    done.zip(scan.began).is_some_and(|(done, began)| done.saturating_add(SECOND) <= began)
}

impl Scan {
    /// Whether every endpoint of a port that has no row refused the connection.
    fn is_heard(&self, port: u16) -> bool {
        let counts = self.ports.get(&port);
        let unheard = ["timeout", "unreachable"].iter().filter_map(|outcome| counts?.get(*outcome));
        unheard.sum::<u64>() == 0
    }
}
