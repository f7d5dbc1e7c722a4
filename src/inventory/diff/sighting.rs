//! One row as a comparison sees it: who it is of, and what of it lasts.
//!
//! What changes from one connection to the next is not taken over (times, attempts, confidence, what is sent as evidence),
//! or in a form that does not change: lists in alphabetical order, data ports left out.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::lasting::without_port;
use crate::inventory::key::{Identity, push_text, take_array, take_text};
use crate::inventory::row::Row;
use crate::observation::Outcome;
use crate::output::escape::split_list;
use crate::output::{Column, Kind as ColumnKind};

/// One row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) identity: Identity,
    /// By which the last of several rows of one endpoint is known.
    pub(super) rank: Rank,
    /// In the order of the items.
    texts: Vec<(Item, String)>,
}

/// Bytes that sort: whether it says anything of the endpoint, then when, then of which file it is, then how many rows came
/// before it on its side.
pub(super) type Rank = [u8; RANK];

/// How long a [`Rank`] is.
pub(super) const RANK: usize = 1 + 8 + 4 + 8;

/// Where a row is from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// How many files of its side come before its own, where that is known.
    pub(super) file: Option<usize>,
    /// How many rows of its side come before it.
    pub(super) number: u64,
}

fn rank(row: &Row, origin: Origin) -> Rank {
    // What this machine could not do takes the place of nothing that it did.
    let is_verdict = row.outcome() != Some(Outcome::LocalError);
    let micros = row.text(Column::Time).and_then(|text| micros(&text)).unwrap_or_default();
    // Of more files than that nobody tells which they are.
    let file = origin.file.and_then(|file| u32::try_from(file).ok()?.checked_add(1)).unwrap_or_default();
    let mut rank = [u8::from(is_verdict); RANK];
    rank[1..9].copy_from_slice(&micros.to_be_bytes());
    rank[9..13].copy_from_slice(&file.to_be_bytes());
    rank[13..].copy_from_slice(&origin.number.to_be_bytes());
    rank
}

/// A time as RFC 3339 has it, in microseconds since 1970.
pub(super) fn micros(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1000).ok()
}

/// What of a row is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// What lasts.
    Lasting,
    /// Every column.
    All,
}

/// What a text is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// A column, by its number.
    Column(u8),
    /// The codes of the evidence.
    Codes,
    /// How bad each finding is, as `id=severity`.
    Grades,
    /// The servers that repeated connections met, each by what tells it from others.
    Variants,
    /// What an old hello came to.
    Legacy,
    /// That it was read from NDJSON, which tells more.
    Json,
    /// That the row itself says how bad each finding is.
    Graded,
    /// That the other side has something that stands at its address and port, by whatever name.
    Met,
}

impl Item {
    const EXTRAS: [Self; 7] =
        [Self::Codes, Self::Grades, Self::Variants, Self::Legacy, Self::Json, Self::Graded, Self::Met];

    const fn number(self) -> u8 {
        match self {
            Self::Column(number) => number,
            Self::Codes => 200,
            Self::Grades => 201,
            Self::Variants => 202,
            Self::Legacy => 203,
            Self::Json => 204,
            Self::Graded => 205,
            Self::Met => 206,
        }
    }

    fn numbered(number: u8) -> Self {
        Self::EXTRAS.into_iter().find(|item| item.number() == number).unwrap_or(Self::Column(number))
    }
}

impl From<Column> for Item {
    fn from(column: Column) -> Self {
        // There are some fifty.
        Self::Column(u8::try_from(column.number()).unwrap_or(u8::MAX))
    }
}

/// Columns that say nothing of the server, are different each time, or say what others do.
const fn is_fleeting(column: Column) -> bool {
    matches!(
        column,
        Column::Time
            | Column::Name
            | Column::Ip
            | Column::Port
            | Column::ConnectMs
            | Column::TlsMs
            | Column::GreetingMs
            | Column::Attempts
            | Column::Confidence
            | Column::Truncated
            | Column::Vendor
            | Column::Cpe
            | Column::Evidence
    )
}

impl Sighting {
    pub(super) fn of(row: &Row, origin: Origin, keep: Keep) -> Self {
        let mut texts = Vec::with_capacity(24);
        for column in Column::ALL.into_iter().filter(|column| keep == Keep::All || !is_fleeting(*column)) {
            let Some(text) = row.text(column) else { continue };
            let text = match column.kind() {
                ColumnKind::List => sorted(column, split_list(&text).into_iter().map(str::to_owned).collect()),
                ColumnKind::Text | ColumnKind::Number | ColumnKind::Flag | ColumnKind::Evidence => text.into_owned(),
            };
            texts.push((column.into(), text));
        }
        let evidence = row.text(Column::Evidence).is_some().then(|| row.evidence());
        let codes = evidence.map(|told| told.into_iter().map(|told| told.code).collect());
        let extras = [
            (Item::Codes, codes),
            (Item::Grades, Some(row.findings().iter().map(|it| format!("{}={}", it.id, it.severity)).collect())),
            (Item::Graded, row.other("findings_detail").map(|_| vec!["true".to_owned()])),
            (Item::Variants, row.other("variants").map(|json| variants(&json))),
            (Item::Legacy, row.other("tls_legacy").map(|json| legacy(&json).into_iter().collect())),
            (Item::Json, row.is_of_json().then(|| vec!["true".to_owned()])),
        ];
        for (item, list) in extras {
            let mut list: Vec<String> = list.unwrap_or_default();
            list.sort_unstable();
            list.dedup();
            if !list.is_empty() {
                texts.push((item, list.join("\n")));
            }
        }
        Self { identity: Identity::of(row), rank: rank(row, origin), texts }
    }

    pub(super) fn get(&self, item: impl Into<Item>) -> Option<&str> {
        let item = item.into();
        self.texts.iter().find(|(other, _)| *other == item).map(|(_, text)| text.as_str())
    }

    pub(super) fn owned(&self, column: Column) -> Option<String> {
        self.get(column).map(str::to_owned)
    }

    /// The items of a list of its own.
    pub(super) fn extra(&self, item: Item) -> Vec<&str> {
        self.get(item).map(|text| text.split('\n').collect()).unwrap_or_default()
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        Outcome::named(self.get(Column::Outcome)?)
    }

    /// Whether a connection stood.
    pub(super) fn stands(&self) -> bool {
        self.outcome().is_some_and(Outcome::is_connected)
    }

    /// How many files of its side come before its own, where that is known.
    pub(super) fn file(&self) -> Option<usize> {
        let [_, _, _, _, _, _, _, _, _, file @ .., _, _, _, _, _, _, _, _] = self.rank;
        usize::try_from(u32::from_be_bytes(file)).ok()?.checked_sub(1)
    }

    /// When it was, in microseconds since 1970, where that is known.
    pub(super) fn micros(&self) -> Option<u64> {
        let (_, mut rest) = self.rank.split_first()?;
        take_array(&mut rest).map(u64::from_be_bytes).filter(|micros| *micros > 0)
    }

    /// Whether it was taken of a row whose time cannot be read.
    pub(super) fn is_untimed(&self, row: &Row) -> bool {
        self.micros().is_none() && row.text(Column::Time).is_some()
    }

    /// Keeps of what it says only some.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Item) -> bool) {
        self.texts.retain(|(item, _)| keep(*item));
    }

    /// Takes note that the other side has something that stands at its address and port.
    pub(super) fn meet(&mut self) {
        self.texts.push((Item::Met, "true".to_owned()));
    }

    pub(super) fn is_met(&self) -> bool {
        self.get(Item::Met).is_some()
    }

    /// Appends it; what it is of comes first, then which of several it is.
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        self.identity.push(out);
        out.extend(self.rank);
        for (item, text) in &self.texts {
            out.push(item.number());
            push_text(text, out);
        }
    }

    pub(super) fn take(mut from: &[u8]) -> Option<Self> {
        let identity = Identity::take(&mut from)?;
        let rank = take_array(&mut from)?;
        let mut texts = Vec::with_capacity(24);
        while !from.is_empty() {
            let [number] = take_array(&mut from)?;
            texts.push((Item::numbered(number), take_text(&mut from)?.to_owned()));
        }
        Some(Self { identity, rank, texts })
    }
}

/// In alphabetical order and each once, joined as in CSV.
fn sorted(column: Column, mut items: Vec<String>) -> String {
    if column == Column::Pasv {
        items = items.iter().map(|item| without_port(item)).collect();
    }
    items.sort_unstable();
    items.dedup();
    items.join("; ")
}

/// What tells a server of a pool from others. How often it was met does not.
fn variants(json: &str) -> Vec<String> {
    #[derive(serde::Deserialize, Default)]
    #[serde(default)]
    struct Variant {
        code: Option<u16>,
        banner_hash: Option<String>,
        hostname: Option<String>,
        software: Option<String>,
        version: Option<String>,
        cert_sha256: Option<String>,
    }
    let variants: Vec<Variant> = serde_json::from_str(json).unwrap_or_default();
    let shown = |variant: Variant| {
        let Variant { code, banner_hash, hostname, software, version, cert_sha256 } = variant;
        let code = code.map(|code| code.to_string());
        let hash = banner_hash.map(|hash| hash.chars().take(HASH_DIGITS).collect());
        let certificate = cert_sha256.map(|hash| hash.chars().take(HASH_DIGITS).collect::<String>());
        let texts = [code, hostname, software, version, hash, certificate];
        texts.map(|text| text.unwrap_or_else(|| "-".into()).replace(['\n', ' '], "_")).join(" ")
    };
    variants.into_iter().map(shown).collect()
}

/// What an item of [`Item::Variants`] says of a server; `-` where it says nothing.
pub(super) struct Variant<'a> {
    /// Its code, and the hash of its words.
    pub(super) greeting: [&'a str; 2],
    /// Its host name, software and version.
    pub(super) names: [&'a str; 3],
    pub(super) certificate: &'a str,
}

impl<'a> Variant<'a> {
    pub(super) fn of(item: &'a str) -> Self {
        let mut words = item.split(' ');
        let [code, hostname, software, version, hash, certificate] = [(); 6].map(|()| words.next().unwrap_or("-"));
        Self { greeting: [code, hash], names: [hostname, software, version], certificate }
    }
}

/// Enough to tell servers apart.
pub(super) const HASH_DIGITS: usize = 16;

/// What would be spoken; nothing where that was refused, or could not be found out.
fn legacy(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Legacy {
        version: String,
        #[serde(default)]
        cipher: Option<String>,
    }
    let Legacy { version, cipher } = serde_json::from_str(json).ok()?;
    Some(cipher.map_or_else(|| version.clone(), |cipher| format!("{version} with {cipher}")))
}
