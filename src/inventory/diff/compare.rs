//! In what two sightings of one endpoint differ, and what that means.
//!
//! An empty cell means *not asked*, so that what only one of two scans asked is no difference: TLS where only one looked
//! at it, what EHLO or FEAT offers, and the findings that come of these. What a greeting says is compared by its hash, in
//! which dates, ids and counters are masked. postscreen greets whom it knows without its teaser, and a pool of servers by
//! one or another of them: neither is a difference.

use std::cmp::Ordering;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::change::{FieldChange, What};
use super::common::Alike;
use super::findings;
use super::lasting::{authority, last_line, lasting_verdict, lasting_words};
use super::sighting::{HASH_DIGITS, Item, Sighting, Variant};
use super::version;
use crate::classify::banner_hash;
use crate::inventory::key::without_exchange;
use crate::observation::{EvidenceCode, Outcome, Severity};
use crate::output::Column;
use crate::output::escape::{split_list, unescape};

/// The name that postscreen has in `front`.
const POSTSCREEN: &str = "postscreen";

/// With this begins what is offered inside TLS.
const INSIDE_TLS: &str = "tls:";

/// Repeated connections met several servers.
const OF_A_POOL: EvidenceCode = EvidenceCode::SamplesDisagree;

/// Evidence that does not last: what a server remembers of us, what only other rows give, and what only some scans ask.
const FLEETING: [EvidenceCode; 6] = [
    OF_A_POOL,
    EvidenceCode::Postscreen,
    EvidenceCode::SameEverywhere,
    EvidenceCode::AcceptThenClose,
    EvidenceCode::AcceptsEverything,
    EvidenceCode::IdentityMismatch,
];

/// All differences, in the order of the columns. Where one side was asked more than the other, only what that cannot explain.
pub(super) fn compare(old: &Sighting, new: &Sighting, alike: Alike) -> Vec<FieldChange> {
    let mut pair = Pair { old, new, alike, changes: Vec::new() };
    pair.compare();
    pair.changes
}

struct Pair<'a> {
    old: &'a Sighting,
    new: &'a Sighting,
    alike: Alike,
    changes: Vec<FieldChange>,
}

impl<'a> Pair<'a> {
    fn compare(&mut self) {
        self.plain(Column::Service, What::Other, Severity::Info);
        let same_outcome = self.outcome();
        let is_same_pool = self.pool();
        if same_outcome {
            self.detail();
            self.plain(Column::Protocol, What::Other, Severity::Info);
            if !is_same_pool {
                self.plain(Column::Code, What::Other, Severity::Low);
                if !self.is_busy() {
                    self.banner();
                }
            }
        }
        let both_greet =
            [self.old, self.new].iter().all(|it| it.outcome() == Some(Outcome::Greeted)) && !self.is_busy();
        if both_greet && !is_same_pool {
            self.plain(Column::Hostname, What::Other, Severity::Low);
            self.software();
        }
        if !is_same_pool {
            self.fronting();
        }
        self.tls();
        if !is_same_pool {
            self.certificate();
        }
        if both_greet && !is_same_pool && !self.is_known_to_postscreen() {
            self.list(Column::Capabilities);
            // What is offered inside TLS counts as well.
            if self.alike.depth {
                self.list(Column::Auth);
            }
        }
        self.list(Column::Pasv);
        self.list(Column::Ptr);
        if !is_same_pool {
            let changes = findings::compare(self.old, self.new, self.alike);
            self.changes.extend(changes);
        }
    }

    fn texts(&self, item: impl Into<Item> + Copy) -> [Option<&'a str>; 2] {
        [self.old.get(item), self.new.get(item)]
    }

    fn has(&self, item: impl Into<Item> + Copy) -> bool {
        self.texts(item).iter().all(Option::is_some)
    }

    fn push(&mut self, field: &str, [from, to]: [Option<String>; 2], what: What, severity: Severity) {
        self.changes.push(FieldChange { field: field.to_owned(), from, to, what, severity });
    }

    fn tell(&mut self, column: Column, what: What, severity: Severity) {
        let texts = self.texts(column).map(|text| text.map(str::to_owned));
        self.push(column.as_str(), texts, what, severity);
    }

    /// Whether something is on one side alone that more questions may have brought.
    fn is_asked_of_one(&self, item: impl Into<Item> + Copy) -> bool {
        !self.alike.depth && !self.has(item)
    }

    /// A column that means no more than it says.
    fn plain(&mut self, column: Column, what: What, severity: Severity) {
        let [from, to] = self.texts(column);
        if from != to && !self.is_asked_of_one(column) {
            self.tell(column, what, severity);
        }
    }

    /// What is said beside the outcome. Where only one side asked for the mail exchanges of a domain, the other does not say of
    /// which it is one.
    fn detail(&mut self) {
        let [old, new] = [self.old, self.new].map(|it| it.identity.domain.is_some());
        let [from, to] = self.texts(Column::Detail);
        if old == new || from.and_then(without_exchange) != to.and_then(without_exchange) {
            self.plain(Column::Detail, What::Other, Severity::Info);
        }
    }

    /// A list that both sides have: empty means that nothing was asked.
    fn list(&mut self, column: Column) {
        let [Some(from), Some(to)] = self.texts(column) else { return };
        if from == to {
            return;
        }
        let (mut old, mut new) = (split_list(from), split_list(to));
        let is_inside = |item: &&str| item.starts_with(INSIDE_TLS);
        if !self.alike.depth && old.iter().any(is_inside) != new.iter().any(is_inside) {
            old.retain(|item| !is_inside(item));
            new.retain(|item| !is_inside(item));
        }
        let texts = [without(&old, &new), without(&new, &old)];
        if texts != [None, None] {
            self.push(column.as_str(), texts, What::Other, Severity::Info);
        }
    }

    /// Whether one of them has no time for us, and says so in its own words: nothing else about it is known then.
    fn is_busy(&self) -> bool {
        let is_busy = |code: Option<&str>| matches!(code, Some("120" | "421"));
        let [old, new] = self.texts(Column::Code).map(is_busy);
        old != new
    }

    /// Whether the outcome is the same.
    fn outcome(&mut self) -> bool {
        let [old, new] = [self.old.outcome(), self.new.outcome()];
        let (what, severity) = match (old, new) {
            (old, new) if old == new => return true,
            (Some(Outcome::Greeted), _) => (What::GreetsNoMore, Severity::Medium),
            (_, Some(Outcome::Greeted)) => (What::GreetsAgain, Severity::Info),
            _ => (What::Other, Severity::Low),
        };
        self.tell(Column::Outcome, what, severity);
        false
    }

    /// Whether it is a pool of servers, of which any may have answered, and the same one.
    fn pool(&mut self) -> bool {
        let [old, new] = [self.old, self.new].map(|it| it.extra(Item::Variants));
        match (old.is_empty(), new.is_empty()) {
            // CSV tells that it is a pool, and not of which servers.
            (true, true) => [self.old, self.new].iter().any(|it| it.extra(Item::Codes).contains(&OF_A_POOL.as_str())),
            (false, false) => {
                let others = |list: &[&str], other: &[&str]| {
                    let is_other = |one: &&&str| !other.iter().any(|it| self.is_same_server(one, it));
                    Some(list.iter().filter(is_other).copied().collect::<Vec<_>>().join("; "))
                        .filter(|it| !it.is_empty())
                };
                let texts = [others(&old, &new), others(&new, &old)];
                if texts != [None, None] {
                    self.push("variants", texts, What::Other, Severity::Low);
                }
                true
            }
            // One that was asked once is one of the pool, or another server.
            (false, true) => is_of(&old, self.new),
            (true, false) => is_of(&new, self.old),
        }
    }

    /// Whether two of a pool are the same server: where one side was asked more, or was named by other wordlists, as far as
    /// both would say so.
    fn is_same_server(&self, old: &str, new: &str) -> bool {
        let [old, new] = [old, new].map(Variant::of);
        let Alike { depth, wordlists, .. } = self.alike;
        let is_alike = |one: &str, other: &str| one == other || !depth && (one == "-" || other == "-");
        old.greeting == new.greeting
            && is_alike(old.certificate, new.certificate)
            && (!wordlists || old.names.iter().zip(new.names).all(|(one, other)| is_alike(one, other)))
    }

    fn banner(&mut self) {
        let [old, new] = self.texts(Column::Banner);
        if old == new || self.says_the_same() {
            return;
        }
        self.tell(Column::Banner, What::Other, Severity::Info);
    }

    /// Whether greetings differ in nothing that lasts.
    fn says_the_same(&self) -> bool {
        if self.old.outcome() == Some(Outcome::OtherProtocol) {
            let protocol = self.old.get(Column::Protocol);
            let [old, new] =
                self.texts(Column::Banner).map(|banner| lasting_words(protocol, banner.unwrap_or_default()));
            return old.is_none() || new.is_none() || old == new;
        }
        if let [Some(old), Some(new)] = self.texts(Column::BannerHash)
            && old == new
        {
            return true;
        }
        if self.is_postscreen() {
            let [old, new] = self.hashes(last_line);
            return old == new;
        }
        let [old, new] = self.hashes(|greeting| greeting);
        !self.has(Column::BannerHash) && old == new
    }

    fn hashes(&self, part: fn(&[u8]) -> &[u8]) -> [Option<[u8; 32]>; 2] {
        self.texts(Column::Banner).map(|banner| {
            let bytes = banner.map(|text| unescape(text).unwrap_or_else(|| text.into()));
            bytes.map(|bytes| banner_hash(part(&bytes)))
        })
    }

    /// Whether either side met postscreen.
    fn is_postscreen(&self) -> bool {
        [self.old, self.new].into_iter().any(is_postscreen)
    }

    /// Whether one side met postscreen, and the other the server behind it.
    fn is_known_to_postscreen(&self) -> bool {
        is_postscreen(self.old) != is_postscreen(self.new)
    }

    fn software(&mut self) {
        // What others call it is not what it is.
        if let [Some(one), Some(other)] = self.texts(Column::BannerHash)
            && one == other
            && !self.alike.wordlists
        {
            return;
        }
        let [old, new] = self.texts(Column::Software);
        if old != new && !self.is_asked_of_one(Column::Software) {
            self.tell(Column::Software, What::OtherSoftware, Severity::Low);
        }
        let is_same = old == new;
        if let [Some(from), Some(to)] = self.texts(Column::Version)
            && from != to
            && is_same
        {
            let (what, severity) = match version::compare(from, to) {
                Ordering::Less => (What::Upgrade, Severity::Info),
                Ordering::Greater => (What::Downgrade, Severity::Medium),
                Ordering::Equal => (What::Other, Severity::Info),
            };
            self.tell(Column::Version, what, severity);
        } else {
            self.plain(Column::Version, What::Other, Severity::Info);
        }
        self.plain(Column::Device, What::Other, Severity::Info);
        self.plain(Column::Os, What::Other, Severity::Info);
    }

    /// The verdict wobbles with the evidence, so that it counts only where it says another thing.
    fn fronting(&mut self) {
        let [old, new] = self.texts(Column::Front);
        let [old, new] = [old, new].map(|front| front.filter(|front| *front != POSTSCREEN));
        // Each way of taking leave shows other fronts.
        if old != new && !self.is_known_to_postscreen() && !self.is_asked_of_one(Column::Front) {
            self.tell(Column::Front, What::Other, Severity::Low);
        }
        let lasting = |it: &Sighting| -> Vec<String> {
            let is_fleeting = |code: &str| EvidenceCode::named(code).is_some_and(|code| FLEETING.contains(&code));
            it.extra(Item::Codes).into_iter().filter(|code| !is_fleeting(code)).map(str::to_owned).collect()
        };
        let [Some(old), Some(new)] = self.texts(Column::Fronting).map(|fronting| lasting_verdict(fronting?)) else {
            return;
        };
        if old != new && self.alike.depth && lasting(self.old) != lasting(self.new) {
            self.tell(Column::Fronting, What::Other, Severity::Low);
        }
    }

    fn tls(&mut self) {
        let [Some(from), Some(to)] = self.texts(Column::Tls) else { return };
        let is_asked_for = |tls: &&str| ["starttls", "auth_tls", "not_offered", "refused"].contains(tls);
        if !self.alike.depth && [from, to].iter().all(is_asked_for) {
            // On a port for TLS that speaks plain, who asked less did not ask for it.
            return;
        }
        let [old, new] = [from, to].map(is_secured);
        if from != to {
            let (what, severity) = match (old, new) {
                (true, false) => (What::TlsWorse, Severity::High),
                (false, true) => (What::TlsBetter, Severity::Info),
                _ => (What::Other, Severity::Info),
            };
            self.tell(Column::Tls, what, severity);
        }
        if !(old && new) {
            return;
        }
        if let [Some(from), Some(to)] = self.texts(Column::TlsVersion)
            && from != to
        {
            let ordering = rank(from).zip(rank(to)).map(|(from, to)| from.cmp(&to));
            let (what, severity) = match ordering {
                Some(Ordering::Less) => (What::TlsBetter, Severity::Info),
                Some(Ordering::Greater) => (What::TlsWorse, Severity::Medium),
                Some(Ordering::Equal) | None => (What::Other, Severity::Info),
            };
            self.tell(Column::TlsVersion, what, severity);
        }
        for column in [Column::TlsCipher, Column::TlsGroup] {
            if self.has(column) {
                self.plain(column, What::Other, Severity::Info);
            }
        }
        let [old, new] = self.texts(Item::Legacy);
        if old != new && self.alike.depth && self.has(Item::Json) && findings::asked_alike(self.old, self.new) {
            let texts = [old, new].map(|text| text.map(str::to_owned));
            let (what, severity) = match (old, new) {
                (None, Some(_)) => (What::TlsWorse, Severity::Medium),
                (Some(_), None) => (What::TlsBetter, Severity::Info),
                _ => (What::Other, Severity::Info),
            };
            self.push("tls_legacy", texts, what, severity);
        }
    }

    fn certificate(&mut self) {
        let [Some(_), Some(_)] = self.texts(Column::CertSha256) else { return };
        let [old, new] = self.texts(Column::CertSha256);
        if old != new {
            if self.is_renewed() {
                self.tell(Column::CertNotAfter, What::Renewed, Severity::Info);
            } else {
                self.tell(Column::CertSha256, What::OtherCertificate, Severity::Low);
                for column in [Column::CertSubject, Column::CertIssuer, Column::CertNotAfter] {
                    self.plain(column, What::Other, Severity::Info);
                }
                self.list(Column::CertNames);
            }
            for column in [Column::CertKey, Column::CertSignature] {
                self.plain(column, What::Other, Severity::Info);
            }
        }
        if let [Some(from), Some(to)] = self.texts(Column::CertStatus)
            && from != to
            && (self.alike.roots || ![from, to].iter().all(|status| ["valid", "untrusted"].contains(status)))
        {
            let (what, severity) = match (from, to) {
                ("valid", _) => (What::TlsWorse, Severity::Medium),
                (_, "valid") => (What::TlsBetter, Severity::Info),
                _ => (What::Other, Severity::Low),
            };
            self.tell(Column::CertStatus, what, severity);
        }
    }

    /// Whether the certificate took the place of the same one: same names and issuer, later expiry. What one of them does not
    /// say proves nothing.
    fn is_renewed(&self) -> bool {
        let is_same = |[old, new]: [Option<&str>; 2]| old.is_some() && old == new;
        let issuers = self.texts(Column::CertIssuer).map(|issuer| issuer.map(authority));
        let expiries = self.texts(Column::CertNotAfter).map(|time| OffsetDateTime::parse(time?, &Rfc3339).ok());
        let is_later = matches!(expiries, [Some(old), Some(new)] if new > old);
        is_same(self.texts(Column::CertNames)) && is_same(issuers) && is_later
    }
}

/// The items that the other list does not have, if there are any.
fn without(list: &[&str], other: &[&str]) -> Option<String> {
    let items: Vec<_> = list.iter().filter(|item| !other.contains(item)).copied().collect();
    Some(items.join("; ")).filter(|items| !items.is_empty())
}

/// Whether a sighting without variants is of one of these servers.
fn is_of(variants: &[&str], one: &Sighting) -> bool {
    let short = |column| one.get(column).and_then(|hash: &str| hash.get(..HASH_DIGITS));
    let (hash, certificate) = (short(Column::BannerHash), short(Column::CertSha256));
    variants.iter().any(|variant| {
        let Variant { greeting: [_, banner], certificate: theirs, .. } = Variant::of(variant);
        Some(banner) == hash && (Some(theirs) == certificate || theirs == "-" || certificate.is_none())
    })
}

fn is_postscreen(one: &Sighting) -> bool {
    one.get(Column::Front) == Some(POSTSCREEN) || one.extra(Item::Codes).contains(&EvidenceCode::Postscreen.as_str())
}

fn is_secured(tls: &str) -> bool {
    matches!(tls, "implicit" | "starttls" | "auth_tls")
}

/// From the worst to the best; what is not known is none of them.
fn rank(version: &str) -> Option<usize> {
    ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"].iter().position(|known| *known == version)
}
