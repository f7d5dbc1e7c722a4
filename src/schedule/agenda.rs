//! Who is next: the order, the pace, the limits of this machine and what is done, behind one lock.
//!
//! Slots ask with [`Agenda::next`]. One of them at a time waits for what comes next, a time or a change; the others wait
//! behind it, so that thousands of idle slots cost one timer.

mod guards;
mod seats;
mod work;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::sleep_until;

pub(crate) use self::guards::{Held, Pause, Seat, Underway};
pub(crate) use self::work::{Done, Named, Retried, Task, Work};

use self::seats::{Room, Seats};

use super::ledger::{Checkpoint, Ledger, Position, Ticket};
use super::order::Order;
use super::pacer::{Next, Pace, Pacer};
use super::patience::Patience;
use super::stop::Stop;
use crate::notice::Notice;
use crate::observation::Outcome;
use crate::stats::Stats;
use crate::target::{Endpoint, Found, Host, Place, Targets};

/// Endpoints that are not due. They take some megabytes at most, and are many enough that a few slow networks, whose
/// endpoints pile up here, do not soon hold up all others.
const WAITING: usize = 65_536;

/// Endpoints drawn at once while none is due, before others have their turn at the lock.
const DRAWN_AT_ONCE: usize = 1024;

/// Names that were drawn and wait to be looked up.
const NAMES_WAITING: usize = 4096;

/// Names that are looked up at once: a few more than questions are asked at once. The other slots are for addresses, which
/// a resolver that does not answer must not hold up.
const RESOLVING: usize = 64;

/// What people are to be told and have not been yet.
const NOTICES: usize = 64;

/// How often fewer or more slots are tried after this machine ran out of something.
const SHRINK_EVERY: Duration = Duration::from_millis(250);
const GROW_EVERY: Duration = Duration::from_secs(1);

/// Whose turn it is, and what is done.
#[derive(Debug)]
pub(crate) struct Agenda {
    targets: Targets,
    stats: Arc<Stats>,
    stop: Stop,
    notices: mpsc::Sender<Notice>,
    /// How many slots there are at most.
    slots: usize,
    /// Whether endpoints are tried again later, so that what is under way may come back when its slot is gone.
    retries: bool,
    state: Mutex<State>,
    /// Whether any network was ever slowed down; where none was, good news is no news.
    has_slowed: AtomicBool,
    /// Held by the one slot that waits.
    baton: tokio::sync::Mutex<()>,
    changed: Notify,
    /// When nothing is left to be begun and nothing is under way.
    over: Notify,
}

#[derive(Debug)]
struct State {
    order: Order,
    ledger: Ledger,
    pacer: Pacer<Task>,
    seats: Seats,
    in_flight: usize,
    /// Names whose turn to be looked up has not come.
    names: VecDeque<Named>,
    /// Names that may yet lead to addresses.
    resolving: usize,
    /// Who waits for a host outside the order, first come, first served.
    callers: Vec<(IpAddr, oneshot::Sender<Held>)>,
    /// How many slots may be used now, and when that was last changed.
    allowed: usize,
    changed_at: Option<Instant>,
    /// Reasons for which nothing is begun.
    pauses: usize,
}

/// What can be done at a moment.
enum Step {
    Do(Work),
    Wait(Option<Instant>),
    Ended,
}

/// What an agenda is made of.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) targets: Targets,
    pub(crate) order: Order,
    pub(crate) pace: Pace,
    pub(crate) slots: usize,
    /// Whether endpoints are tried again that are busy, or that nothing came back from.
    pub(crate) retries: bool,
    pub(crate) patience: Patience,
    pub(crate) from: Checkpoint,
}

impl Agenda {
    /// What people are to be told comes out of the other end.
    pub(crate) fn new(setup: Setup) -> (Arc<Self>, mpsc::Receiver<Notice>) {
        let Setup { targets, order, pace, slots, retries, patience, from } = setup;
        let stats = Stats::new(order.len(), targets.ports().clone(), patience, from.counts());
        let state = State {
            ledger: Ledger::new(order.len(), from),
            order,
            pacer: Pacer::new(pace, WAITING, now()),
            seats: Seats::default(),
            in_flight: 0,
            names: VecDeque::new(),
            resolving: 0,
            callers: Vec::new(),
            allowed: slots,
            changed_at: None,
            pauses: 0,
        };
        let (notices, told) = mpsc::channel(NOTICES);
        let agenda = Self {
            targets,
            stats: Arc::new(stats),
            stop: Stop::default(),
            notices,
            slots,
            retries,
            state: Mutex::new(state),
            has_slowed: AtomicBool::new(false),
            baton: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            over: Notify::new(),
        };
        (Arc::new(agenda), told)
    }

    pub(crate) fn targets(&self) -> &Targets {
        &self.targets
    }

    pub(crate) fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// The next thing to do, as soon as it is due; none once all is done or a stop is asked for.
    pub(crate) async fn next(self: &Arc<Self>) -> Option<Work> {
        match self.step() {
            Step::Do(work) => Some(work),
            Step::Ended => None,
            // Thousands of slots that seldom wait need not each keep room for it.
            Step::Wait(_) => Box::pin(self.wait()).await,
        }
    }

    async fn wait(self: &Arc<Self>) -> Option<Work> {
        let _baton = self.baton.lock().await;
        loop {
            let mut changed = pin!(self.changed.notified());
            // What changes from here on is heard, also before it is waited for.
            changed.as_mut().enable();
            let at = match self.step() {
                Step::Do(work) => return Some(work),
                Step::Ended => return None,
                Step::Wait(at) => at,
            };
            let due = async {
                match at {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = changed => {}
                () = due => {}
                () = self.stop.asked() => {}
            }
        }
    }

    fn step(self: &Arc<Self>) -> Step {
        if self.stop.is_asked() {
            return Step::Ended;
        }
        let now = now();
        let mut state = self.lock();
        state.grow(now, self.slots);
        if state.pauses > 0 || state.in_flight >= state.allowed {
            return Step::Wait(None);
        }
        if let Some(step) = self.next_name(&mut state) {
            return step;
        }
        state.call_back();
        for _ in 0..DRAWN_AT_ONCE {
            match state.pacer.take(now) {
                Next::Start(ip, task) => return self.start(&mut state, ip, task),
                Next::Wait { at, more } => {
                    if !state.ledger.all_begun() && more && state.has_room() {
                        if let Some(step) = self.draw(&mut state, now) {
                            return step;
                        }
                        continue;
                    }
                    return if state.is_over(self.retries) { Step::Ended } else { Step::Wait(at) };
                }
            }
        }
        Step::Wait(Some(now))
    }

    /// Takes the next of the order; nothing is to be done about it yet where its network or its host is not due.
    fn draw(self: &Arc<Self>, state: &mut State, now: Instant) -> Option<Step> {
        let Position { position, known } = state.ledger.begin()?;
        let index = state.order.at(position)?;
        let Ok(found) = self.targets.lookup(index) else {
            // The targets keep the reason, for whoever asks why the scan has ended.
            self.stop.stop();
            return Some(Step::Ended);
        };
        let (Endpoint { host, port, service }, record) = found?;
        let Host::Address(ip) = host else {
            state.names.push_back(Named { position, host, record, port, service, known });
            return self.next_name(state);
        };
        let place = Place { name: None, via: None, ip, port, service };
        let task = Task::fresh(Ticket { position, part: 0 }, place);
        if state.pacer.try_start(ip, now) {
            return Some(self.start(state, ip, task));
        }
        state.pacer.put(ip, task, None);
        None
    }

    /// The first of the names that wait, if few enough are being looked up, and what they lead to has room.
    fn next_name(self: &Arc<Self>, state: &mut State) -> Option<Step> {
        if state.resolving >= RESOLVING || !state.pacer.has_room() {
            return None;
        }
        let named = state.names.pop_front()?;
        state.resolving += 1;
        Some(Step::Do(Work::Resolve(self.underway(state, None, false), named)))
    }

    fn start(self: &Arc<Self>, state: &mut State, ip: IpAddr, task: Task) -> Step {
        if task.has_seat {
            state.seats.begin();
        }
        Step::Do(Work::Probe(self.underway(state, Some(ip), task.has_seat), task))
    }

    fn underway(self: &Arc<Self>, state: &mut State, host: Option<IpAddr>, has_seat: bool) -> Underway {
        state.in_flight += 1;
        self.stats.begin();
        Underway { agenda: Arc::clone(self), host, has_seat, is_over: false }
    }

    /// What a name led to; each address that is not done is to be put, each other part finished.
    pub(crate) fn split(&self, position: u64, found: &Arc<[Found]>, done: &[u32]) {
        self.lock().ledger.split(position, found, done);
    }

    /// Puts in something that waits for its turn, and for `not_before` if that is later.
    pub(crate) fn put(&self, task: Task, not_before: Option<Instant>) {
        self.lock().pacer.put(task.place.ip, task, not_before);
        self.changed.notify_one();
    }

    /// Leave for a connection that stands to go on saying nothing; none where it has to make room for others. The endpoint
    /// is then to be put back.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let mut state = self.lock();
        let room = state.room();
        // A stop leaves who is under way what time there is.
        let room = Room { fresh: room.fresh && !self.stop.is_asked(), ..room };
        state.seats.ask(room).then(|| Seat(Arc::clone(self)))
    }

    /// Puts back an endpoint that had to make room.
    pub(crate) fn put_back(&self, task: Task) {
        self.lock().seats.put_back(task);
        self.changed.notify_one();
    }

    /// An endpoint without a row is done.
    pub(crate) fn finish(&self, done: Done) {
        self.finish_all([done]);
    }

    /// Rows have reached whoever takes them.
    pub(crate) fn finish_all(&self, all: impl IntoIterator<Item = Done>) {
        let mut state = self.lock();
        for done in all {
            self.count(&mut state, done);
        }
    }

    fn count(&self, state: &mut State, done: Done) {
        let Done { ticket, port, outcome, retried } = done;
        let finished = state.ledger.finish(ticket, outcome == Outcome::LocalError);
        self.stats.record(port, outcome, finished);
        if let Some(retried) = retried {
            self.stats.note_retried(retried);
        }
    }

    /// What would have to be done if everything ended now.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let state = self.lock();
        Checkpoint::new(&state.ledger, self.stats.counts())
    }

    /// Once nothing more is to be begun: what waits to be tried again, the rows of which are to be handed on as they are.
    /// What else waits stays undone.
    pub(crate) fn give_up_busy(&self) -> Vec<Task> {
        let mut state = self.lock();
        let put_back: Vec<_> = state.seats.drain().collect();
        let waiting = state.pacer.drain_waiting().into_iter().map(|(_, task)| task);
        waiting.chain(put_back).filter(|task| task.earlier.is_some()).collect()
    }

    /// Waits until one more connection to a host that is held already may be made; none where a request to stop comes
    /// first.
    pub(crate) async fn again(&self, host: IpAddr) -> Option<()> {
        let at = self.lock().pacer.again(host, now());
        tokio::select! {
            () = sleep_until(at.into()) => Some(()),
            () = self.stop.asked() => None,
        }
    }

    /// A connection to a host outside the order, as soon as the host has none too many; none where a request to stop comes
    /// first. The pace is asked with [`Agenda::again`].
    pub(crate) async fn hold(self: &Arc<Self>, host: IpAddr) -> Option<Held> {
        let freed = {
            let mut state = self.lock();
            if state.pacer.hold(host) {
                return Some(Held { agenda: Arc::clone(self), host });
            }
            let (caller, freed) = oneshot::channel();
            state.callers.push((host, caller));
            freed
        };
        tokio::select! {
            held = freed => held.ok(),
            () = self.stop.asked() => None,
        }
    }

    /// Frees a host, or hands it to who waits for it outside the order.
    fn release(self: &Arc<Self>, state: &mut State, host: IpAddr) -> Option<(oneshot::Sender<Held>, Held)> {
        let Some(first) = state.callers.iter().position(|(wanted, _)| *wanted == host) else {
            state.pacer.release(host, now());
            return None;
        };
        let (_, caller) = state.callers.remove(first);
        Some((caller, Held { agenda: Arc::clone(self), host }))
    }

    /// Waits until nothing is left to be begun and nothing is under way, or a stop is asked for.
    pub(crate) async fn over(&self) {
        loop {
            let mut over = pin!(self.over.notified());
            over.as_mut().enable();
            if self.stop.is_asked() || self.lock().is_all_done() {
                return;
            }
            tokio::select! {
                () = over => {}
                () = self.stop.asked() => {}
            }
        }
    }

    /// The host told us to go easier.
    pub(crate) fn pushed_back(&self, host: IpAddr) {
        let mut state = self.lock();
        state.pacer.pushed_back(host, now());
        self.stats.note_slowed(state.pacer.slowed());
        self.has_slowed.store(true, Ordering::Relaxed);
    }

    /// The host answered as it should. That nothing answered is no such news: a network may as well have shut us out.
    pub(crate) fn went_well(&self, host: IpAddr) {
        if self.has_slowed.load(Ordering::Relaxed) {
            self.lock().pacer.went_well(host, now());
        }
    }

    /// This machine ran out of something: a quarter of what is under way is too much. How many slots are left, if that is
    /// news.
    pub(crate) fn ran_out(&self) -> Option<usize> {
        let now = now();
        let mut state = self.lock();
        if state.changed_at.is_some_and(|at| now.saturating_duration_since(at) < SHRINK_EVERY) {
            return None;
        }
        let before = state.allowed;
        state.allowed = (state.in_flight.min(before) * 3 / 4).max(1);
        state.changed_at = Some(now);
        (state.allowed < before).then_some(state.allowed)
    }

    /// Whether nothing but the one who asks is under way.
    pub(crate) fn is_alone(&self) -> bool {
        self.lock().in_flight <= 1
    }

    /// Nothing is begun until the pause is ended or dropped; and whether this is the first of several at a time.
    pub(crate) fn pause(self: &Arc<Self>) -> (Pause, bool) {
        let mut state = self.lock();
        state.pauses += 1;
        (Pause(Some(Arc::clone(self))), state.pauses == 1)
    }

    /// Says something to people, if anybody listens.
    pub(crate) fn tell(&self, notice: Notice) {
        // Where nobody has listened for long, what is old may as well be told first.
        drop(self.notices.try_send(notice));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One sixteenth more slots a second, as long as that goes well.
    fn grow(&mut self, now: Instant, slots: usize) {
        if self.allowed < slots && self.changed_at.is_none_or(|at| now.saturating_duration_since(at) >= GROW_EVERY) {
            self.allowed = (self.allowed + (self.allowed / 16).max(1)).min(slots);
            self.changed_at = Some(now);
        }
    }

    /// What seats are counted by. What was called, or waits for a time, is not fresh.
    fn room(&self) -> Room {
        let waits = !self.ledger.all_begun() || !self.names.is_empty() || self.pacer.lined_up() > self.seats.called();
        // During a pause nobody would take the room.
        let fresh = waits && self.pauses == 0;
        Room { slots: self.allowed, full: self.in_flight >= self.allowed, fresh }
    }

    /// Lets those who were put back wait for their turn, before others of their networks, as far as there are seats.
    fn call_back(&mut self) {
        if self.seats.is_empty() {
            return;
        }
        let room = self.room();
        while let Some(task) = self.seats.call(room) {
            self.pacer.put_first(task.place.ip, task);
        }
    }

    /// Whether another endpoint may be drawn, which may have to wait.
    fn has_room(&self) -> bool {
        self.pacer.has_room() && self.names.len() < NAMES_WAITING
    }

    /// Whether nothing is left to be begun and nothing is under way.
    fn is_all_done(&self) -> bool {
        self.in_flight == 0 && self.nothing_waits()
    }

    /// Whether nothing can come any more, but for what other slots put back, which is theirs to take.
    fn is_over(&self, retries: bool) -> bool {
        self.nothing_waits() && self.resolving == 0 && !(retries && self.in_flight > 0)
    }

    fn nothing_waits(&self) -> bool {
        self.ledger.all_begun() && self.pacer.waiting() == 0 && self.names.is_empty() && self.seats.is_empty()
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
