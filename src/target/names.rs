//! Names to addresses, each name once: the ports of a name share one answer, and so do slots that ask at the same time.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, Semaphore};

use super::Family;

/// How many names are asked for at once: the system's resolver holds a thread for each.
const MAX_QUESTIONS: usize = 32;

/// The addresses of a name, or why there are none.
pub(crate) type Answer = Result<Arc<[IpAddr]>, Arc<str>>;

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
    pub(crate) async fn addresses<R>(&self, name: &Arc<str>, resolve: impl FnOnce() -> R) -> Answer
    where
        R: Future<Output = io::Result<Vec<IpAddr>>>,
    {
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(Arc::clone(name)).or_default())
        };
        let ask = || async {
            // The semaphore is never closed.
            let _permit = self.questions.acquire().await;
            self.answer(resolve().await)
        };
        cell.get_or_init(ask).await.clone()
    }

    fn answer(&self, resolved: io::Result<Vec<IpAddr>>) -> Answer {
        let addresses = resolved.map_err(|error| Arc::from(error.to_string()))?;
        let wanted: Arc<[_]> = addresses.iter().copied().filter(|ip| self.family.has(*ip)).collect();
        match (wanted.is_empty(), addresses.is_empty()) {
            (false, _) => Ok(wanted),
            (true, true) => Err("the name has no address".into()),
            (true, false) => Err("the name has addresses of the other family only".into()),
        }
    }
}

#[cfg(test)]
mod tests {
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
        let none = || async { Ok(vec![]) };
        assert_eq!(names.addresses(&"a.example".into(), none).await, Err("the name has no address".into()));
        let v4 = || async { Ok(vec!["127.0.0.1".parse().unwrap()]) };
        let other: Answer = Err("the name has addresses of the other family only".into());
        assert_eq!(names.addresses(&"b.example".into(), v4).await, other);
        let fails = || async { Err(io::Error::other("no such name")) };
        assert_eq!(names.addresses(&"c.example".into(), fails).await, Err("no such name".into()));
    }
}
