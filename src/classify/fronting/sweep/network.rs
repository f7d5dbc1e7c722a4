//! One network: whether one thing answers on all of it.
//!
//! On a port, at least [`FEWEST`] addresses answered, 95 % of them with one greeting, and as much of what was probed
//! answered at all. Where what was probed is not known it takes [`NEARLY_ALL`] of 256. Servers of one kind that were
//! looked up in a list answer alike and all, too, so that fewer than [`MANY`] must greet alike on an FTP and on a mail
//! port. A farm that greets with its software's default on some addresses of many is none of this.

use super::{Glimpse, MAX_PORTS, Words};

/// Fewer addresses say nothing about a network.
pub(super) const FEWEST: u32 = 16;
/// From here on one port is enough: a quarter of a /24.
pub(super) const MANY: u32 = 64;
/// Of 256, where nobody says what was probed.
pub(super) const NEARLY_ALL: u32 = 230;
/// What part is nearly all, in percent.
const SHARE: u32 = 95;

/// With more greetings than that none can be 95 % of at most 256.
const MAX_GREETINGS: usize = 13;
/// From so many times on what a greeting says is kept.
const KEPT_FROM: u16 = 8;

/// What is known of a network.
#[derive(Debug, Default)]
pub(super) struct State {
    /// In their order.
    ports: Vec<Port>,
}

#[derive(Debug)]
struct Port {
    number: u16,
    is_ftp: bool,
    answered: Places,
    /// None where they are too many.
    greetings: Option<Vec<Greeting>>,
}

#[derive(Debug)]
struct Greeting {
    hash: u64,
    count: u16,
    words: Option<Box<str>>,
}

/// A port of a network on which nearly all addresses greet alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alike {
    pub(super) port: u16,
    pub(super) is_ftp: bool,
    pub(super) hash: u64,
    pub(super) addresses: u32,
    pub(super) greeting: Option<String>,
}

impl State {
    pub(super) fn learn(&mut self, place: u8, glimpse: &Glimpse<'_>) {
        let at = match self.ports.binary_search_by_key(&glimpse.port, |known| known.number) {
            Ok(at) => at,
            Err(at) => {
                self.ports.insert(at, Port::new(glimpse.port, glimpse.service.is_ftp()));
                self.ports.truncate(MAX_PORTS);
                at
            }
        };
        if let Some(port) = self.ports.get_mut(at)
            && port.answered.add(place)
            && let Some(hash) = glimpse.hash()
        {
            port.greeted(hash, glimpse.greeting);
        }
    }

    /// The ports on which it answers as one, given how much did not answer at all; none where that is not known.
    pub(super) fn alike(&self, unanswered: impl Fn(u16) -> Option<u32>) -> Vec<Alike> {
        let mut alike: Vec<_> = self.ports.iter().filter_map(|port| port.alike(unanswered(port.number))).collect();
        let has = |hash, is_ftp| alike.iter().any(|other| other.hash == hash && other.is_ftp == is_ftp);
        let counts: Vec<_> =
            alike.iter().map(|one| one.addresses >= MANY || has(one.hash, true) && has(one.hash, false)).collect();
        let mut counts = counts.into_iter();
        alike.retain(|_| counts.next().unwrap_or_default());
        alike
    }
}

impl Port {
    fn new(number: u16, is_ftp: bool) -> Self {
        Self { number, is_ftp, answered: Places::default(), greetings: Some(Vec::new()) }
    }

    fn greeted(&mut self, hash: u64, words: Words<'_>) {
        let Some(greetings) = &mut self.greetings else { return };
        let known = greetings.iter_mut().find(|greeting| greeting.hash == hash);
        if let Some(greeting) = known {
            greeting.count = greeting.count.saturating_add(1);
            if greeting.count >= KEPT_FROM {
                greeting.words = Some(words.least(greeting.words.take()));
            }
        } else if greetings.len() < MAX_GREETINGS {
            greetings.push(Greeting { hash, count: 1, words: None });
        } else {
            self.greetings = None;
        }
    }

    fn alike(&self, unanswered: Option<u32>) -> Option<Alike> {
        let most = self.greetings.as_ref()?.iter().max_by_key(|greeting| (greeting.count, greeting.hash))?;
        let (answered, count) = (self.answered.count(), u32::from(most.count));
        let is_all = match unanswered {
            Some(unanswered) => answered >= FEWEST && is_share(answered, answered.saturating_add(unanswered)),
            None => answered >= NEARLY_ALL,
        };
        let greeting = most.words.as_deref().map(str::to_owned);
        let alike = Alike { port: self.number, is_ftp: self.is_ftp, hash: most.hash, addresses: count, greeting };
        (is_all && is_share(count, answered)).then_some(alike)
    }
}

/// Some of 256 places.
#[derive(Debug, Default)]
struct Places([u64; 4]);

impl Places {
    /// Whether it is new.
    fn add(&mut self, place: u8) -> bool {
        let (word, bit) = (usize::from(place >> 6), 1 << (place & 63));
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// How many endpoints of a network did not answer, by port.
#[derive(Debug, Default)]
pub(super) struct Unanswered(Vec<(u16, u32)>);

impl Unanswered {
    pub(super) fn count(&mut self, port: u16) {
        match self.0.binary_search_by_key(&port, |(port, _)| *port) {
            Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(1),
            Err(place) => self.0.insert(place, (port, 1)),
        }
        self.0.truncate(MAX_PORTS);
    }

    pub(super) fn of(&self, port: u16) -> u32 {
        self.0.iter().find(|(known, _)| *known == port).map_or(0, |(_, count)| *count)
    }
}

fn is_share(part: u32, whole: u32) -> bool {
    u64::from(part) * 100 >= u64::from(whole) * u64::from(SHARE)
}
