//! Rows of both sides matched: by address, port and name; what has no match by name and port, then by the domain whose mail
//! exchange it is, then by address and port; and what has none then is judged by what the other side covered.

use std::collections::{HashMap, VecDeque};
use std::io;

use super::change::{Change, FieldChange, Kind, What};
use super::common::Common;
use super::compare::compare;
use super::coverage::Coverage;
use super::sighting::Sighting;
use super::stream::{Groups, PLACE, Stream};
use super::why::{Why, why};
use super::{Gathered, MOST_ALIKE, Side};
use crate::inventory::key::{Identity, push_place, push_text};
use crate::inventory::limits;
use crate::observation::Severity;
use crate::output::Column;
use crate::target::sort::Sorter;

/// A match under way.
pub(super) struct Join<'a> {
    coverage: [&'a Coverage; 2],
    common: Common,
    gathered: Gathered,
    place: Place,
    by_name: Rest,
    by_domain: Rest,
    by_place: Rest,
}

/// The rows of one address and port, while they pass.
#[derive(Default)]
struct Place {
    /// As the rows sort.
    key: Vec<u8>,
    /// Whether something stands there on the old and on the new side.
    stands: [bool; 2],
    /// Those without a match.
    left: Vec<(Side, Sighting)>,
}

/// Rows without a match, of both sides, to be sorted by something else.
struct Rest {
    sorter: Sorter,
    record: Vec<u8>,
}

impl Rest {
    fn new() -> Self {
        Self { sorter: Sorter::new(&limits()), record: Vec::new() }
    }

    fn push(&mut self, key: impl FnOnce(&mut Vec<u8>), side: Side, sighting: &Sighting) -> io::Result<()> {
        self.record.clear();
        let mut bytes = Vec::new();
        key(&mut bytes);
        // A length, so that a key is never the beginning of another.
        self.record.extend(u32::try_from(bytes.len()).map_err(io::Error::other)?.to_be_bytes());
        self.record.extend(bytes);
        self.record.push(match side {
            Side::Old => 0,
            Side::New => 1,
        });
        sighting.push(&mut self.record);
        self.sorter.push(&self.record)
    }
}

impl<'a> Join<'a> {
    pub(super) fn new(coverage: [&'a Coverage; 2], common: Common, gathered: Gathered) -> Self {
        let [by_name, by_domain, by_place] = [(); 3].map(|()| Rest::new());
        Self { coverage, common, gathered, place: Place::default(), by_name, by_domain, by_place }
    }

    /// Matches what has the same address, port and name.
    pub(super) fn exact(&mut self, old: Sorter, new: Sorter) -> io::Result<()> {
        let [of_old, of_new] = self.coverage;
        let (mut old, mut new) = (Stream::new(old, of_old)?, Stream::new(new, of_new)?);
        loop {
            let (one, other) = (old.identity(), new.identity());
            let Some(next) = [one, other].into_iter().flatten().min() else { break };
            self.go_to(next)?;
            let (is_old, is_new) = (one == Some(next), other == Some(next));
            match (is_old, is_new) {
                (true, true) => {
                    let sighting = old.sighting()?;
                    // Most rows are the same to the last byte, but for the time.
                    if old.content() == new.content() {
                        self.gathered.summary.unchanged += u64::from(sighting.stands());
                        self.place.stands = self.place.stands.map(|stands| stands || sighting.stands());
                    } else {
                        let other = new.sighting()?;
                        self.pass(Side::Old, &sighting);
                        self.pass(Side::New, &other);
                        self.judge(&sighting, &other)?;
                    }
                }
                (true, false) => self.leave(Side::Old, old.sighting()?)?,
                (false, _) => self.leave(Side::New, new.sighting()?)?,
            }
            if is_old {
                old.advance()?;
            }
            if is_new {
                new.advance()?;
            }
        }
        self.end_place()?;
        self.gathered.summary.superseded = [old.superseded, new.superseded];
        self.gathered.summary.outdated = [old.outdated(), new.outdated()].map(Clone::clone);
        Ok(())
    }

    /// Matches what is left, in turn by name and by address, and judges what has no match at all.
    pub(super) fn rest(mut self) -> io::Result<Gathered> {
        let by_name = std::mem::replace(&mut self.by_name, Rest::new());
        let mut groups = Groups::new(by_name.sorter)?;
        while let Some(group) = groups.next()? {
            self.match_group(group, Kind::Moved)?;
        }
        let by_domain = std::mem::replace(&mut self.by_domain, Rest::new());
        let mut groups = Groups::new(by_domain.sorter)?;
        while let Some(group) = groups.next()? {
            self.match_domain(group)?;
        }
        let by_place = std::mem::replace(&mut self.by_place, Rest::new());
        let mut groups = Groups::new(by_place.sorter)?;
        while let Some(group) = groups.next()? {
            self.match_group(group, Kind::Changed)?;
        }
        Ok(self.gathered)
    }

    /// Rows of another address and port may follow.
    fn go_to(&mut self, identity: &[u8]) -> io::Result<()> {
        let key = identity.get(..PLACE).unwrap_or(identity);
        if self.place.key != key {
            self.end_place()?;
            self.place.key.clear();
            self.place.key.extend_from_slice(key);
        }
        Ok(())
    }

    fn pass(&mut self, side: Side, sighting: &Sighting) {
        let [old, new] = &mut self.place.stands;
        let stands = if side == Side::Old { old } else { new };
        *stands |= sighting.stands();
    }

    fn leave(&mut self, side: Side, sighting: Sighting) -> io::Result<()> {
        self.pass(side, &sighting);
        self.place.left.push((side, sighting));
        // So many names lead nowhere, or to one address, that only those at hand can be looked at together.
        if self.place.left.len() < MOST_ALIKE { Ok(()) } else { self.leave_place() }
    }

    fn end_place(&mut self) -> io::Result<()> {
        self.leave_place()?;
        self.place.stands = [false; 2];
        Ok(())
    }

    /// Leaves what has no match at this address and port to be matched by something else.
    fn leave_place(&mut self) -> io::Result<()> {
        let [old, new] = self.place.stands;
        for (side, mut sighting) in std::mem::take(&mut self.place.left) {
            if if side == Side::Old { new } else { old } {
                sighting.meet();
            }
            self.leave_by_name(side, &sighting)?;
        }
        Ok(())
    }

    fn leave_by_name(&mut self, side: Side, sighting: &Sighting) -> io::Result<()> {
        let Identity { port, name, .. } = &sighting.identity;
        match name {
            Some(name) => self.by_name.push(by_text(name, *port), side, sighting),
            None => self.leave_by_place(side, sighting),
        }
    }

    /// What its name does not match may have gone with the mail exchanges of its domain.
    fn leave_by_domain(&mut self, side: Side, sighting: &Sighting) -> io::Result<()> {
        let Identity { port, domain, .. } = &sighting.identity;
        match domain {
            Some(domain) => self.by_domain.push(by_text(domain, *port), side, sighting),
            None => self.leave_by_place(side, sighting),
        }
    }

    fn leave_by_place(&mut self, side: Side, sighting: &Sighting) -> io::Result<()> {
        let Identity { ip, port, .. } = sighting.identity;
        self.by_place.push(|key| push_place(ip, port, key), side, sighting)
    }

    /// Matches rows of one name, or of one place: what stands with what stands, those that look the same first, then in the
    /// order of their addresses and names; then what stood with what says why it does not.
    fn match_group(&mut self, [old, new]: [Vec<Sighting>; 2], as_what: Kind) -> io::Result<()> {
        let (old, old_absent): (Vec<_>, Vec<_>) = old.into_iter().partition(Sighting::stands);
        let (new, new_absent): (Vec<_>, Vec<_>) = new.into_iter().partition(Sighting::stands);
        let (pairs, old, new) = paired(old, new);
        for (one, other) in &pairs {
            self.judge_as(one, other, as_what)?;
        }
        for one in &old {
            if new_absent.is_empty() && as_what == Kind::Moved {
                self.leave_by_domain(Side::Old, one)?;
            } else {
                self.gone(one, &new_absent)?;
            }
        }
        for other in &new {
            if old_absent.is_empty() && as_what == Kind::Moved {
                self.leave_by_domain(Side::New, other)?;
            } else {
                self.came(other, &old_absent)?;
            }
        }
        // What stood nowhere may still say why something else at its address does not.
        if as_what == Kind::Moved {
            let absent = old_absent.iter().map(|it| (Side::Old, it)).chain(new_absent.iter().map(|it| (Side::New, it)));
            for (side, sighting) in absent {
                if sighting.identity.is_of_no_exchange() {
                    self.leave_by_domain(side, sighting)?;
                } else if sighting.identity.ip.is_some() {
                    self.leave_by_place(side, sighting)?;
                }
            }
        }
        Ok(())
    }

    /// Of mail exchanges of one domain: what stood where the other side has a row that says why none of them is known.
    fn match_domain(&mut self, sides: [Vec<Sighting>; 2]) -> io::Result<()> {
        let [(old, no_old), (new, no_new)] =
            sides.map(|rows| rows.into_iter().partition::<Vec<_>, _>(|row| !row.identity.is_of_no_exchange()));
        for one in &old {
            if no_new.is_empty() { self.leave_by_place(Side::Old, one)? } else { self.gone(one, &no_new)? }
        }
        for other in &new {
            if no_old.is_empty() { self.leave_by_place(Side::New, other)? } else { self.came(other, &no_old)? }
        }
        Ok(())
    }

    /// Two rows of the same address, port and name.
    fn judge(&mut self, old: &Sighting, new: &Sighting) -> io::Result<()> {
        match (old.stands(), new.stands()) {
            (true, true) => self.judge_as(old, new, Kind::Changed),
            (true, false) => self.gone(old, std::slice::from_ref(new)),
            (false, true) => self.came(new, std::slice::from_ref(old)),
            (false, false) => Ok(()),
        }
    }

    fn judge_as(&mut self, old: &Sighting, new: &Sighting, kind: Kind) -> io::Result<()> {
        let mut fields = Vec::new();
        let (one, other) = (&old.identity, &new.identity);
        // Where only one side asked by a name, the other says nothing of it.
        if one.name != other.name && one.name.is_some() && other.name.is_some() {
            let what = if kind == Kind::Changed { What::Renamed } else { What::Other };
            fields.push(moved(Column::Name, [one.name.clone(), other.name.clone()], what));
        }
        if one.ip != other.ip {
            fields.push(moved(Column::Ip, [one.ip, other.ip].map(|ip| ip.map(|ip| ip.to_string())), What::Moved));
        }
        let kind = if kind == Kind::Moved && one.ip == other.ip { Kind::Changed } else { kind };
        fields.extend(compare(&self.common.of(old), &self.common.of(new), self.common.alike));
        if fields.is_empty() {
            self.gathered.summary.unchanged += 1;
            return Ok(());
        }
        let name = other.name.clone().or_else(|| one.name.clone());
        self.gathered.push(Change { name, fields, ..change(kind, new, Severity::Info) })
    }

    /// Something stood that does not now, as rows tell, or as none does.
    fn gone(&mut self, old: &Sighting, rows: &[Sighting]) -> io::Result<()> {
        let Some(verdict) = why(self.coverage[1], old, rows) else { return Ok(()) };
        let (kind, severity) = match verdict.why {
            Why::Known => (Kind::Vanished, Severity::Medium),
            Why::Unheard => (Kind::NotAnswered, Severity::Low),
            Why::NotProbed | Why::Unknown => (Kind::NotScanned, Severity::Info),
        };
        self.gathered.push(Change { detail: Some(verdict.words), ..change(kind, old, severity) })
    }

    /// Something stands that did not before, as rows tell, or as none does.
    fn came(&mut self, new: &Sighting, rows: &[Sighting]) -> io::Result<()> {
        let Some(verdict) = why(self.coverage[0], new, rows) else { return Ok(()) };
        let own = new.get(Column::Severity).and_then(Severity::named);
        let own = own.unwrap_or(Severity::Info);
        let (kind, severity) = match verdict.why {
            // Where nothing is known nothing speaks against it.
            Why::Known | Why::Unheard | Why::Unknown => (Kind::Appeared, own.max(Severity::Low)),
            Why::NotProbed => (Kind::NewlyScanned, own),
        };
        let detail = match verdict.why {
            Why::Unknown => format!("whether it was probed before is not known: {}", verdict.words),
            Why::NotProbed | Why::Unheard | Why::Known => format!("before: {}", verdict.words),
        };
        self.gathered.push(Change { detail: Some(detail), ..change(kind, new, severity) })
    }
}

/// A key of a text and a port.
fn by_text(text: &str, port: u16) -> impl FnOnce(&mut Vec<u8>) {
    move |key| {
        push_text(text, key);
        key.extend(port.to_be_bytes());
    }
}

/// Pairs of both sides, and what is left of each.
fn paired(old: Vec<Sighting>, new: Vec<Sighting>) -> (Vec<(Sighting, Sighting)>, Vec<Sighting>, Vec<Sighting>) {
    let look = |it: &Sighting| [Column::BannerHash, Column::CertSha256].map(|column| it.owned(column));
    let mut alike: HashMap<_, VecDeque<Sighting>> = HashMap::new();
    let mut order = Vec::with_capacity(new.len());
    for it in new {
        order.push(look(&it));
        alike.entry(look(&it)).or_default().push_back(it);
    }
    let (mut pairs, mut left) = (Vec::new(), Vec::new());
    for it in old {
        match alike.get_mut(&look(&it)).and_then(VecDeque::pop_front) {
            Some(other) => pairs.push((it, other)),
            None => left.push(it),
        }
    }
    // The last of each look, in the order in which they came.
    let mut rest: Vec<_> = order.iter().rev().filter_map(|look| alike.get_mut(look)?.pop_back()).collect();
    rest.reverse();
    let count = left.len().min(rest.len());
    let (old, new) = (left.split_off(count), rest.split_off(count));
    pairs.extend(left.into_iter().zip(rest));
    (pairs, old, new)
}

/// A difference of this endpoint, without fields.
pub(super) fn change(kind: Kind, of: &Sighting, severity: Severity) -> Change {
    let Identity { ip, port, name, .. } = &of.identity;
    Change {
        kind,
        severity,
        trend: None,
        name: name.clone(),
        ip: *ip,
        port: *port,
        service: of.owned(Column::Service),
        outcome: of.owned(Column::Outcome),
        software: of.owned(Column::Software),
        version: of.owned(Column::Version),
        detail: None,
        fields: Vec::new(),
    }
}

fn moved(column: Column, [from, to]: [Option<String>; 2], what: What) -> FieldChange {
    FieldChange { field: column.as_str().to_owned(), from, to, what, severity: Severity::Low }
}
