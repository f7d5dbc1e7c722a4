//! Names to addresses, each name once: the ports of a name share one answer, and so do slots that ask at the same time.
//!
//! That a name has no address is an answer. That nobody could say is none, and is asked for again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{sleep, timeout};

use super::Family;

/// How many names are asked for at once: the system's resolver holds a thread for each.
const MAX_QUESTIONS: usize = 32;

/// How long one question may take; resolvers ask two or three servers twice, five seconds each.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before asking again what nobody could say.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// The addresses of a name, or why there are none.
pub(crate) type Answer = Result<Arc<[IpAddr]>, NoAddress>;

/// Why there are no addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAddress {
    /// The name has none.
    None(Arc<str>),
    /// It could not be found out.
    Unknown(Arc<str>),
}

/// Answers given so far; it grows with the names that the user listed, never with the addresses probed.
#[derive(Debug)]
pub(crate) struct Names {
    family: Family,
    answers: Mutex<HashMap<Arc<str>, Arc<OnceCell<Answer>>>>,
    questions: Semaphore,
}

impl Names {
    pub(crate) fn new(family: Family) -> Self {
        Self { family, answers: Mutex::default(), questions: Semaphore::new(MAX_QUESTIONS) }
    }

    /// The addresses of `name` in the wanted family; `resolve` asks for them where nobody has asked before.
    pub(crate) async fn addresses<R>(&self, name: &Arc<str>, resolve: impl Fn() -> R) -> Answer
    where
        R: Future<Output = Result<Vec<IpAddr>, NoAddress>>,
    {
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(Arc::clone(name)).or_default())
        };
        cell.get_or_init(|| self.ask(resolve)).await.clone()
    }

    async fn ask<R>(&self, resolve: impl Fn() -> R) -> Answer
    where
        R: Future<Output = Result<Vec<IpAddr>, NoAddress>>,
    {
        let mut pauses = PAUSES.into_iter();
        loop {
            let asked = {
                // The semaphore is never closed.
                let _permit = self.questions.acquire().await;
                timeout(PATIENCE, resolve()).await
            };
            let answer = asked.unwrap_or_else(|_| Err(NoAddress::Unknown("the resolver does not answer".into())));
            match (&answer, pauses.next()) {
                (Err(NoAddress::Unknown(_)), Some(pause)) => sleep(pause).await,
                _ => return answer.and_then(|addresses| self.wanted(&addresses)),
            }
        }
    }

    fn wanted(&self, addresses: &[IpAddr]) -> Answer {
        let wanted: Arc<[_]> = addresses.iter().copied().filter(|ip| self.family.has(*ip)).collect();
        match (wanted.is_empty(), addresses.is_empty()) {
            (false, _) => Ok(wanted),
            (true, true) => Err(NoAddress::None("the name has no address".into())),
            (true, false) => Err(NoAddress::None("the name has addresses of the other family only".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn each_name_is_asked_for_once_and_filtered() {
        let names = Names::new(Family::V4);
        let name: Arc<str> = "mail.example".into();
        let both = || async { Ok(vec!["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()]) };
        let expected: Answer = Ok(Arc::from(["127.0.0.1".parse().unwrap()]));
        assert_eq!(names.addresses(&name, both).await, expected);
        let never = || async { panic!("asked twice") };
        assert_eq!(names.addresses(&name, never).await, expected);
    }

    #[tokio::test]
    async fn no_address_has_its_reason() {
        let names = Names::new(Family::V6);
        let none = |reason: &str| Err(NoAddress::None(reason.into()));
        let empty = || async { Ok(vec![]) };
        assert_eq!(names.addresses(&"a.example".into(), empty).await, none("the name has no address"));
        let v4 = || async { Ok(vec!["127.0.0.1".parse().unwrap()]) };
        let other = none("the name has addresses of the other family only");
        assert_eq!(names.addresses(&"b.example".into(), v4).await, other);
        let unknown = || async { Err(NoAddress::None("no such name".into())) };
        assert_eq!(names.addresses(&"c.example".into(), unknown).await, none("no such name"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_could_say_is_asked_again() {
        let names = Names::new(Family::Any);
        let asked = AtomicU32::new(0);
        let at_last = || async {
            match asked.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Err(NoAddress::Unknown("try again".into())),
                _ => Ok(vec!["127.0.0.1".parse().unwrap()]),
            }
        };
        assert!(names.addresses(&"a.example".into(), at_last).await.is_ok());
        let never = || async { Err(NoAddress::Unknown("try again".into())) };
        assert_eq!(names.addresses(&"b.example".into(), never).await, Err(NoAddress::Unknown("try again".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_never_answers_has_a_deadline() {
        let names = Names::new(Family::Any);
        let begun = Instant::now();
        let answer = names.addresses(&"a.example".into(), pending).await;
        assert_eq!(answer, Err(NoAddress::Unknown("the resolver does not answer".into())));
        assert_eq!(begun.elapsed().as_secs(), 3 * 30 + 1 + 4);
    }
}
