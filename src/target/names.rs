//! Names to addresses, each name once: the ports of a name share one answer, and so do slots that ask at the same time.
//!
//! That a name has no address is an answer. That nobody could say is none, and is asked for again.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{sleep, timeout};

use super::{Family, Host};

/// How many names are asked for at once: the system's resolver holds a thread for each.
const MAX_QUESTIONS: usize = 32;

/// How long one question may take; resolvers ask two or three servers twice, five seconds each.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before asking again what nobody could say.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// What a name leads to, or why it leads nowhere.
pub(crate) type Answer = Result<Arc<[Found]>, NoAddress>;

/// One thing that a name leads to, which becomes one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The mail exchange that it belongs to, for the `mx:` of a domain.
    pub(crate) exchange: Option<Exchange>,
    /// The address, or why the exchange has none.
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

/// Who is asked for names.
pub(crate) trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of a name, of both families.
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NoAddress>>;

    /// The mail exchanges of a domain (RFC 5321 §5.1).
    #[expect(dead_code, reason = "the `mx:` of a domain is not followed yet")]
    fn exchanges<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Vec<Exchange>, NoAddress>>;
}

/// Answers given so far; it grows with the names that the user listed, never with the addresses probed.
#[derive(Debug)]
pub(crate) struct Names {
    family: Family,
    resolver: Arc<dyn Resolve>,
    answers: Mutex<HashMap<u64, Arc<OnceCell<Answer>>>>,
    questions: Semaphore,
}

impl Names {
    pub(crate) fn new(family: Family, resolver: Arc<dyn Resolve>) -> Self {
        Self { family, resolver, answers: Mutex::default(), questions: Semaphore::new(MAX_QUESTIONS) }
    }

    /// What a name or the `mx:` of a domain leads to in the wanted family; it is asked for where nobody has asked before.
    /// `record` is its number in the targets.
    pub(crate) async fn answer(&self, record: u64, host: &Host) -> Answer {
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(record).or_default())
        };
        let name = match host {
            Host::Name(name) => name,
            Host::Mx(_) => return Err(NoAddress::Unknown("the mail exchanges of a domain cannot be found yet".into())),
            Host::Address(ip) => return Ok([Found { exchange: None, address: Ok(*ip) }].into()),
        };
        cell.get_or_init(|| self.ask(name)).await.clone()
    }

    async fn ask(&self, name: &str) -> Answer {
        let mut pauses = PAUSES.into_iter();
        loop {
            let asked = {
                // The semaphore is never closed.
                let _permit = self.questions.acquire().await;
                timeout(PATIENCE, self.resolver.addresses(name)).await
            };
            let answer = asked.unwrap_or_else(|_| Err(NoAddress::Unknown("the resolver does not answer".into())));
            match (&answer, pauses.next()) {
                (Err(NoAddress::Unknown(_)), Some(pause)) => sleep(pause).await,
                _ => return answer.and_then(|addresses| self.wanted(&addresses)),
            }
        }
    }

    fn wanted(&self, addresses: &[IpAddr]) -> Answer {
        let found = |ip| Found { exchange: None, address: Ok(ip) };
        let wanted: Arc<[_]> = addresses.iter().copied().filter(|ip| self.family.has(*ip)).map(found).collect();
        match (wanted.is_empty(), addresses.is_empty()) {
            (false, _) => Ok(wanted),
            (true, true) => Err(NoAddress::None("the name has no address".into())),
            (true, false) => Err(NoAddress::None("the name has addresses of the other family only".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::{pending, ready};

    use futures::FutureExt;
    use tokio::time::Instant;

    use super::*;

    /// Answers in turn; then never again.
    #[derive(Debug)]
    struct Scripted(Mutex<VecDeque<Result<Vec<IpAddr>, NoAddress>>>);

    impl Resolve for Scripted {
        fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NoAddress>> {
            self.0.lock().unwrap().pop_front().map_or_else(|| pending().boxed(), |answer| ready(answer).boxed())
        }

        fn exchanges<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Exchange>, NoAddress>> {
            pending().boxed()
        }
    }

    fn names(family: Family, answers: impl IntoIterator<Item = Result<Vec<IpAddr>, NoAddress>>) -> Names {
        Names::new(family, Arc::new(Scripted(Mutex::new(answers.into_iter().collect()))))
    }

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    fn found(list: &[&str]) -> Arc<[Found]> {
        ips(list).into_iter().map(|ip| Found { exchange: None, address: Ok(ip) }).collect()
    }

    fn name() -> Host {
        Host::Name("mail.example".into())
    }

    #[tokio::test]
    async fn each_name_is_asked_for_once_and_filtered() {
        let names = names(Family::V4, [Ok(ips(&["::1", "127.0.0.1"]))]);
        assert_eq!(names.answer(0, &name()).await, Ok(found(&["127.0.0.1"])));
        assert_eq!(names.answer(0, &name()).await, Ok(found(&["127.0.0.1"])), "nobody would answer again");
    }

    #[tokio::test]
    async fn no_address_has_its_reason() {
        let none = |reason: &str| Err(NoAddress::None(reason.into()));
        let no_such = Err(NoAddress::None("no such name".into()));
        let names = names(Family::V6, [Ok(vec![]), Ok(ips(&["127.0.0.1"])), no_such]);
        assert_eq!(names.answer(0, &name()).await, none("the name has no address"));
        assert_eq!(names.answer(1, &name()).await, none("the name has addresses of the other family only"));
        assert_eq!(names.answer(2, &name()).await, none("no such name"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_could_say_is_asked_again() {
        let unknown = || Err(NoAddress::Unknown("try again".into()));
        let names =
            names(Family::Any, [unknown(), unknown(), Ok(ips(&["127.0.0.1"])), unknown(), unknown(), unknown()]);
        assert_eq!(names.answer(0, &name()).await, Ok(found(&["127.0.0.1"])));
        assert_eq!(names.answer(1, &name()).await, Err(NoAddress::Unknown("try again".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_never_answers_has_a_deadline() {
        let begun = Instant::now();
        let answer = names(Family::Any, []).answer(0, &name()).await;
        assert_eq!(answer, Err(NoAddress::Unknown("the resolver does not answer".into())));
        assert_eq!(begun.elapsed().as_secs(), 3 * 30 + 1 + 4);
    }
}
