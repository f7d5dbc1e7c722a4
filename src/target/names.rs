//! Names to addresses, each name once: the ports of a name share one answer, and so do slots that ask at the same time.
//!
//! That a name has no address is an answer, and is kept with the others in the [`AnswerBook`]; so is what was found of a
//! domain's exchanges when one of them could not be found out, since rows were made of it. That nobody could say is no
//! answer: it is remembered for a minute, so that the ports of a name do not wait for a dead resolver one after the other,
//! and then asked again. In memory are the names that are asked for at this moment, and a bounded number of those.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::answers::AnswerBook;
use super::exchanges;
use super::{Family, Host};

/// How many names are asked for at once. Each is two questions; the resolver of a small router takes 150 (dnsmasq).
pub(super) const MAX_QUESTIONS: usize = 32;

/// How long one name may take; resolvers ask two or three servers twice, five seconds each.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before asking again what nobody could say.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// How long it is remembered that nobody could say.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Of how many names that is remembered at most.
const MAX_REMEMBERED: usize = 1024;

/// More addresses of one name than this are told and not probed: whoever owns a name can give it thousands.
const MAX_ADDRESSES: usize = 256;

/// What is said of a name that leads nowhere, since it was asked for addresses that it does not have.
pub(crate) const OTHER_FAMILY: &str = "the name has addresses of the other family only";

/// What a name leads to, or why it leads nowhere.
pub(crate) type Answer = Result<Arc<[Found]>, NoAddress>;

/// One thing that a name leads to, which becomes one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The mail exchange that it belongs to, for the `mx:` of a domain.
    pub(crate) exchange: Option<Exchange>,
    /// The address, or why there is none.
    pub(crate) address: Result<IpAddr, NoAddress>,
}

/// A mail exchange of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) name: Arc<str>,
    /// Lower is preferred (RFC 5321 §5.1).
    pub(crate) preference: u16,
}

/// Why there are no addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NoAddress {
    /// The name has none.
    None(Arc<str>),
    /// It could not be found out.
    Unknown(Arc<str>),
}

/// Who is asked for names. A name that ends in a dot is looked up as it stands, in no search domain.
pub(crate) trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of a name, of both families. Where there are none of the wanted ones because these could not be
    /// found out, that is the answer, whatever is known of the others.
    fn addresses<'a>(&'a self, name: &'a str, wanted: Family) -> BoxFuture<'a, Result<Vec<IpAddr>, NoAddress>>;

    /// The mail exchanges of a domain (RFC 5321 §5.1); none where it names none. The root is called `.`.
    fn exchanges<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Vec<Exchange>, NoAddress>>;
}

/// Gives the answers, each from the book if it is there.
#[derive(Debug)]
pub(crate) struct Names {
    family: Family,
    resolver: Arc<dyn Resolve>,
    book: Arc<AnswerBook>,
    asking: Mutex<Asking>,
    unknown: Mutex<Unknown>,
    questions: Semaphore,
}

impl Names {
    pub(crate) fn new(family: Family, resolver: Arc<dyn Resolve>, book: Arc<AnswerBook>) -> Self {
        let questions = Semaphore::new(MAX_QUESTIONS);
        Self { family, resolver, book, asking: Mutex::default(), unknown: Mutex::default(), questions }
    }

    /// What is known so far, on disk.
    pub(crate) fn book(&self) -> &Arc<AnswerBook> {
        &self.book
    }

    /// What a name or the `mx:` of a domain leads to in the wanted family; it is asked for where nobody has asked before.
    /// `record` is its number in the targets.
    ///
    /// A book that cannot be read or written makes the answer unknown: it must neither lose a row nor pass for a verdict.
    pub(crate) async fn answer(&self, record: u64, host: &Host) -> Answer {
        if let Host::Address(_) = host {
            return self.ask(host).await;
        }
        let question = self.join(record);
        question.answer.get_or_init(|| self.find(record, host)).await.clone()
    }

    /// Takes part in a question, whether or not somebody asks it already.
    fn join(&self, record: u64) -> Question<'_> {
        let mut asking = lock(&self.asking);
        let (waiting, answer) = asking.entry(record).or_default();
        *waiting += 1;
        Question { asking: &self.asking, record, answer: Arc::clone(answer) }
    }

    async fn find(&self, record: u64, host: &Host) -> Answer {
        if let Some(answer) = self.in_book(move |book| book.get(record)).await? {
            return answer;
        }
        if let Some(reason) = lock(&self.unknown).recall(record) {
            return Err(NoAddress::Unknown(reason));
        }
        let answer = self.ask(host).await;
        match &answer {
            Err(NoAddress::Unknown(reason)) => lock(&self.unknown).remember(record, Arc::clone(reason)),
            Ok(_) | Err(NoAddress::None(_)) => {
                let copy = answer.clone();
                self.in_book(move |book| book.put(record, &copy)).await?;
            }
        }
        answer
    }

    /// Reads or writes the book on a thread of its own: a disk that stalls must not stop a clock.
    async fn in_book<T: Send + 'static>(
        &self,
        act: impl FnOnce(&AnswerBook) -> io::Result<T> + Send + 'static,
    ) -> Result<T, NoAddress> {
        let book = Arc::clone(&self.book);
        let acted = spawn_blocking(move || act(&book)).await.unwrap_or_else(|failure| Err(failure.into()));
        acted.map_err(|error| NoAddress::Unknown(error.to_string().into()))
    }

    async fn ask(&self, host: &Host) -> Answer {
        match host {
            Host::Address(ip) => Ok([Found { exchange: None, address: Ok(*ip) }].into()),
            Host::Name(name) => self.addresses(name, None).await.map(Into::into),
            Host::Mx(domain) => self.follow(domain).await,
        }
    }

    /// Where the mail exchanges of a domain are. What keeps one from having an address is told in its place.
    async fn follow(&self, domain: &str) -> Answer {
        let exchanges = self.insist(|| self.resolver.exchanges(domain)).await?;
        let found = exchanges::in_order(exchanges)?.into_iter().map(async |(exchange, flaw)| {
            let nowhere = |reason| vec![Found { exchange: Some(exchange.clone()), address: Err(reason) }];
            if let Some(flaw) = flaw {
                return nowhere(flaw);
            }
            // An exchange is named in full: search domains are for people.
            let absolute = format!("{}.", exchange.name);
            self.addresses(&absolute, Some(&exchange)).await.unwrap_or_else(nowhere)
        });
        Ok(join_all(found).await.into_iter().flatten().collect())
    }

    async fn addresses(&self, name: &str, exchange: Option<&Exchange>) -> Result<Vec<Found>, NoAddress> {
        let addresses = self.insist(|| self.resolver.addresses(name, self.family)).await?;
        let mut wanted = addresses.iter().copied().filter(|ip| self.family.has(*ip));
        let found = |address| Found { exchange: exchange.cloned(), address };
        let mut list: Vec<_> = wanted.by_ref().take(MAX_ADDRESSES).map(|ip| found(Ok(ip))).collect();
        match wanted.count() {
            0 => {}
            more => list.push(found(Err(NoAddress::Unknown(
                format!("{more} more addresses of the name are not probed: it has more than {MAX_ADDRESSES}").into(),
            )))),
        }
        match (list.is_empty(), addresses.is_empty()) {
            (false, _) => Ok(list),
            (true, true) => Err(NoAddress::None("the name has no address".into())),
            (true, false) => Err(NoAddress::None(OTHER_FAMILY.into())),
        }
    }

    /// Asks until there is an answer, or until it makes no sense any more.
    async fn insist<'a, T>(
        &self,
        ask: impl Fn() -> BoxFuture<'a, Result<T, NoAddress>> + Send,
    ) -> Result<T, NoAddress> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let asked = {
                // The semaphore is never closed.
                let _permit = self.questions.acquire().await;
                timeout(PATIENCE, ask()).await
            };
            let answer = asked.unwrap_or_else(|_| Err(NoAddress::Unknown("the resolver does not answer".into())));
            match (&answer, pauses.next()) {
                (Err(NoAddress::Unknown(_)), Some(pause)) => sleep(pause).await,
                _ => return answer,
            }
        }
    }
}

/// The questions that are being asked: how many wait for the answer, and the answer.
type Asking = HashMap<u64, (usize, Arc<OnceCell<Answer>>)>;

/// One that waits for an answer. The last one to leave takes the question away.
struct Question<'a> {
    asking: &'a Mutex<Asking>,
    record: u64,
    answer: Arc<OnceCell<Answer>>,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        let mut asking = lock(self.asking);
        if let Entry::Occupied(mut question) = asking.entry(self.record) {
            question.get_mut().0 -= 1;
            if question.get().0 == 0 {
                question.remove();
            }
        }
    }
}

/// What nobody could say lately, the oldest first.
#[derive(Debug, Default)]
struct Unknown(VecDeque<(Instant, u64, Arc<str>)>);

impl Unknown {
    fn remember(&mut self, record: u64, reason: Arc<str>) {
        self.forget();
        if self.0.len() >= MAX_REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((Instant::now(), record, reason));
    }

    fn recall(&mut self, record: u64) -> Option<Arc<str>> {
        self.forget();
        self.0.iter().find(|(_, of, _)| *of == record).map(|(.., reason)| Arc::clone(reason))
    }

    fn forget(&mut self) {
        while self.0.front().is_some_and(|(at, ..)| at.elapsed() >= REMEMBERED) {
            self.0.pop_front();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
