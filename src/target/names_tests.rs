use std::future::{pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use tokio::time::Instant;

use super::*;

type Addresses = Result<Vec<IpAddr>, NoAddress>;
type Exchanges = Result<Vec<Exchange>, NoAddress>;

/// Gives each name its answers in turn; then never again.
#[derive(Debug, Default)]
struct Scripted {
    addresses: Mutex<HashMap<String, VecDeque<Addresses>>>,
    exchanges: Mutex<VecDeque<Exchanges>>,
    asked: AtomicUsize,
}

impl Scripted {
    fn new(
        addresses: impl IntoIterator<Item = (&'static str, Vec<Addresses>)>,
        exchanges: Vec<Exchanges>,
    ) -> Arc<Self> {
        let addresses = addresses.into_iter().map(|(name, answers)| (name.to_owned(), answers.into())).collect();
        Arc::new(Self { addresses: Mutex::new(addresses), exchanges: Mutex::new(exchanges.into()), asked: 0.into() })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Resolve for Scripted {
    fn addresses<'a>(&'a self, name: &'a str, _: Family) -> BoxFuture<'a, Addresses> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.addresses.lock().unwrap().get_mut(name).and_then(VecDeque::pop_front);
        answer.map_or_else(|| pending().boxed(), |answer| ready(answer).boxed())
    }

    fn exchanges<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Exchanges> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.exchanges.lock().unwrap().pop_front().map_or_else(|| pending().boxed(), |answer| ready(answer).boxed())
    }
}

fn names(family: Family, resolver: &Arc<Scripted>) -> Names {
    Names::new(family, Arc::<Scripted>::clone(resolver), Arc::new(AnswerBook::temporary()))
}

/// Names of one name, whose resolver gives these answers in turn.
fn one(family: Family, answers: impl Into<Vec<Addresses>>) -> Names {
    names(family, &Scripted::new([("mail.example", answers.into())], vec![]))
}

fn name() -> Host {
    Host::Name("mail.example".into())
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|ip| ip.parse().unwrap()).collect()
}

fn found(list: &[&str]) -> Arc<[Found]> {
    ips(list).into_iter().map(|ip| Found { exchange: None, address: Ok(ip) }).collect()
}

fn none(reason: &str) -> NoAddress {
    NoAddress::None(reason.into())
}

fn unknown(reason: &str) -> NoAddress {
    NoAddress::Unknown(reason.into())
}

#[tokio::test]
async fn each_name_is_asked_for_once_and_filtered() {
    let names = one(Family::V4, [Ok(ips(&["::1", "127.0.0.1"]))]);
    assert_eq!(names.answer(0, &name()).await, Ok(found(&["127.0.0.1"])));
    assert_eq!(names.answer(0, &name()).await, Ok(found(&["127.0.0.1"])), "nobody would answer again");
}

#[tokio::test]
async fn no_address_has_its_reason() {
    let names = one(Family::V6, [Ok(vec![]), Ok(ips(&["127.0.0.1"])), Err(none("no such name"))]);
    assert_eq!(names.answer(0, &name()).await, Err(none("the name has no address")));
    assert_eq!(names.answer(1, &name()).await, Err(none("the name has addresses of the other family only")));
    assert_eq!(names.answer(2, &name()).await, Err(none("no such name")));
    assert_eq!(names.answer(2, &name()).await, Err(none("no such name")), "nobody would answer again");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_could_say_is_asked_again() {
    let again = || Err(unknown("try again"));
    let names = one(Family::Any, [again(), again(), Ok(ips(&["127.0.0.1"])), again(), again(), again()]);
    assert_eq!(names.answer(0, &name()).await, Ok(found(&["127.0.0.1"])));
    assert_eq!(names.answer(1, &name()).await, Err(unknown("try again")));
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_never_answers_has_a_deadline() {
    let begun = Instant::now();
    let answer = one(Family::Any, []).answer(0, &name()).await;
    assert_eq!(answer, Err(unknown("the resolver does not answer")));
    assert_eq!(begun.elapsed().as_secs(), 3 * 30 + 1 + 4);
}

/// The ports of a name do not wait for a dead resolver one after the other, and it may come back to life.
#[tokio::test(start_paused = true)]
async fn that_nobody_could_say_is_remembered_for_a_minute() {
    let resolver = Scripted::new([("mail.example", vec![])], vec![]);
    let names = names(Family::Any, &resolver);
    assert_eq!(names.answer(0, &name()).await, Err(unknown("the resolver does not answer")));
    let begun = Instant::now();
    assert_eq!(names.answer(0, &name()).await, Err(unknown("the resolver does not answer")));
    assert_eq!((begun.elapsed(), resolver.asked()), (Duration::ZERO, 3));

    sleep(REMEMBERED).await;
    resolver.addresses.lock().unwrap().insert("mail.example".into(), [Ok(ips(&["127.0.0.1"]))].into());
    assert_eq!(names.answer(0, &name()).await, Ok(found(&["127.0.0.1"])));
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded() {
    let mut unknown = Unknown::default();
    for record in 0..5000 {
        unknown.remember(record, "the resolver does not answer".into());
    }
    assert_eq!(unknown.0.len(), MAX_REMEMBERED);
    assert!(unknown.recall(4999).is_some() && unknown.recall(0).is_none());
    sleep(REMEMBERED).await;
    assert!(unknown.recall(4999).is_none() && unknown.0.is_empty());
}

#[tokio::test]
async fn those_who_ask_at_the_same_time_share_the_question() {
    let resolver = Scripted::new([("mail.example", vec![Ok(ips(&["127.0.0.1"]))])], vec![]);
    let names = names(Family::Any, &resolver);
    let answers = join_all((0..100).map(async |_| names.answer(7, &name()).await)).await;
    assert!(answers.iter().all(|answer| *answer == Ok(found(&["127.0.0.1"]))));
    assert_eq!(resolver.asked(), 1);
    assert!(lock(&names.asking).is_empty(), "only the book remembers");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_waits_for_is_dropped() {
    let names = one(Family::Any, []);
    let host = name();
    let (first, second) = (names.answer(7, &host), names.answer(7, &host));
    let _ = timeout(Duration::from_secs(1), async { tokio::join!(first, second) }).await;
    assert!(lock(&names.asking).is_empty());
}

/// A name is found again in a book that was kept, without a question.
#[tokio::test]
async fn a_kept_book_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names");
    for (resume, answers) in [(false, vec![Ok(ips(&["127.0.0.1"]))]), (true, vec![])] {
        let resolver = Scripted::new([("mail.example", answers)], vec![]);
        let book = Arc::new(AnswerBook::at(&path, resume).unwrap());
        let names = Names::new(Family::Any, Arc::<Scripted>::clone(&resolver), Arc::clone(&book));
        assert_eq!(names.answer(3, &name()).await, Ok(found(&["127.0.0.1"])));
        assert_eq!(resolver.asked(), usize::from(!resume));
        book.sync().unwrap();
    }
}

#[tokio::test]
async fn a_book_that_cannot_be_written_makes_no_verdict() {
    let resolver = Scripted::new([("mail.example", vec![Err(none("no such name"))])], vec![]);
    let names = Names::new(Family::Any, resolver, Arc::new(AnswerBook::full()));
    let Err(NoAddress::Unknown(reason)) = names.answer(0, &name()).await else { panic!("it was not written") };
    assert!(reason.starts_with("cannot write "), "{reason}");
}

#[tokio::test]
async fn addresses_without_end_are_told_and_not_probed() {
    let many: Vec<IpAddr> =
        (0..1000u16).map(|low| [127, 0, low.to_be_bytes()[0], low.to_be_bytes()[1]].into()).collect();
    let answer = one(Family::Any, [Ok(many.clone())]).answer(0, &name()).await.unwrap();
    let probed: Vec<_> = answer.iter().filter_map(|found| found.address.clone().ok()).collect();
    assert_eq!(probed, many[..MAX_ADDRESSES]);
    let last = answer.last().unwrap().address.clone();
    assert_eq!(last, Err(unknown("744 more addresses of the name are not probed: it has more than 256")));
}

fn exchange(preference: u16, name: &str) -> Exchange {
    Exchange { name: name.into(), preference }
}

#[tokio::test(start_paused = true)]
async fn exchanges_are_followed_each_with_its_own_fate() {
    let again = || Err(unknown("try again"));
    let addresses = [
        ("a.example.", vec![again(), Ok(ips(&["127.0.0.1", "::1"]))]),
        ("b.example.", vec![Ok(ips(&["::1"]))]),
        ("c.example.", vec![Err(none("no such name"))]),
        ("d.example.", vec![again(), again(), again()]),
    ];
    let exchanges = ["d.example", "c.example", "b.example", "A.example.", "a.example"];
    let exchanges = exchanges.iter().rev().zip(1..).map(|(name, preference)| exchange(preference, name)).collect();
    let resolver = Scripted::new(addresses, vec![Err(unknown("try again")), Ok(exchanges)]);
    let names = names(Family::V4, &resolver);
    let answer = names.answer(0, &Host::Mx("corp.example".into())).await;
    let expected = [
        (exchange(1, "a.example"), Ok("127.0.0.1".parse().unwrap())),
        (exchange(3, "b.example"), Err(none("the name has addresses of the other family only"))),
        (exchange(4, "c.example"), Err(none("no such name"))),
        (exchange(5, "d.example"), Err(unknown("try again"))),
    ];
    let expected: Arc<[_]> =
        expected.into_iter().map(|(exchange, address)| Found { exchange: Some(exchange), address }).collect();
    assert_eq!(answer, Ok(Arc::clone(&expected)));
    let asked = resolver.asked();
    assert_eq!(names.answer(0, &Host::Mx("corp.example".into())).await, Ok(expected), "rows were made of it");
    assert_eq!(resolver.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_domain_without_exchanges_is_told() {
    let exchanges = vec![Ok(vec![exchange(0, ".")]), Ok(vec![]), Err(none("no such name"))];
    let names = names(Family::Any, &Scripted::new([], exchanges));
    let reasons = [
        none("null MX: the domain accepts no mail (RFC 7505)"),
        none("no MX: the domain names no mail exchange"),
        none("no such name"),
        unknown("the resolver does not answer"),
    ];
    for (record, reason) in (0..).zip(reasons) {
        assert_eq!(names.answer(record, &Host::Mx("corp.example".into())).await, Err(reason));
    }
}
