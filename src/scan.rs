//! A scan: a fixed number of slots, each taking the next endpoint, probing it, and handing its row on.
//!
//! The rows go through a bounded channel to a [`futures::Stream`]. A consumer that stalls keeps slots from taking the next
//! endpoint; the clocks of endpoints under way run on, because each slot is a task of its own. Dropping the stream stops
//! everything.

mod again;
mod canary;
mod further;
mod handed_out;
mod knocked;
mod lapsed;
mod row;
mod told;

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use tokio::task::{JoinError, JoinSet, yield_now};
use tokio::time::Instant;

use self::again::turn;
pub(crate) use self::further::Further;
pub use self::handed_out::{NamesLog, Observations};
use self::knocked::Knocked;
use self::row::{Nowhere, is_spoilt};
use crate::classify::Classifier;
use crate::config::{Canary, ScanBuilder};
use crate::notice::Notice;
use crate::observation::{Observation, Outcome};
use crate::probe::{Lapse, Lapses, Network, Probed, Prober, System};
use crate::schedule::{Agenda, Known, Named, Shard, Task, Ticket, Underway, Work};
use crate::target::{Found, Host, Names, NoAddress, Place};

/// Rows on their way to the consumer. A slot whose row finds no room waits; a thousand is a few milliseconds of work.
const ROWS_IN_TRANSIT: usize = 1024;

/// Slots that are opened before those that are there have their turn.
const OPENED_AT_ONCE: usize = 64;

/// How long a server that is busy is left alone; twice as long the next time.
const BUSY: Duration = Duration::from_secs(60);

/// A scan that can be run. Made by [`ScanBuilder::build`] alone.
///
/// ```
/// use futures::StreamExt;
/// use hailer::{Family, Ports, Scan, Targets};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut targets = Targets::builder();
/// targets.add("127.0.0.1:1=smtp")?;
/// let targets = targets.build(&Ports::default(), Family::Any)?;
/// let mut rows = Scan::builder().targets(targets).build()?.run();
/// while let Some(row) = rows.next().await {
///     println!("{:?} port {}: {}", row.ip, row.port, row.outcome);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Scan {
    pub(crate) prober: Prober<System>,
    pub(crate) names: Names,
    pub(crate) notices: mpsc::Receiver<Notice>,
    pub(crate) settings: Settings,
    pub(crate) facts: Facts,
}

/// How slots do their work.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) concurrency: NonZeroUsize,
    /// Whether every endpoint has its row.
    pub(crate) all: bool,
    /// How often an endpoint is tried again that nothing came back from.
    pub(crate) retries: u32,
    /// How often a server that is busy is tried again.
    pub(crate) retry_busy: u32,
    pub(crate) canaries: Vec<Canary>,
    /// The time between two hails of each.
    pub(crate) canary_interval: Duration,
    pub(crate) further: Further,
    /// Made before anything is begun: wordlists of the user's own take some milliseconds, which would count as some endpoint's.
    pub(crate) classifier: Arc<Classifier>,
    /// The addresses that servers see us at, where those are not the sockets' own.
    pub(crate) our_addresses: Vec<IpAddr>,
}

/// What a scan is, for whoever writes it down.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) digest: [u8; 32],
    pub(crate) seed: u64,
    pub(crate) shard: Shard,
    pub(crate) pace: String,
    pub(crate) ehlo_name: Option<String>,
}

impl Scan {
    /// Begins a scan's making.
    pub fn builder() -> ScanBuilder {
        ScanBuilder::default()
    }

    /// How many endpoints there are, in this shard.
    pub fn endpoints(&self) -> u64 {
        self.prober.agenda.stats().total()
    }

    /// How many are probed at once.
    pub fn concurrency(&self) -> NonZeroUsize {
        self.settings.concurrency
    }

    /// What the order is derived from.
    pub fn seed(&self) -> u64 {
        self.facts.seed
    }

    /// Which part of the targets this is.
    pub fn shard(&self) -> Shard {
        self.facts.shard
    }

    /// How fast it will go, in words.
    pub fn pace(&self) -> &str {
        &self.facts.pace
    }

    /// Who we say we are to mail servers, where that is not our address; none where they are told nothing.
    pub fn ehlo_name(&self) -> Option<&str> {
        self.facts.ehlo_name.as_deref()
    }

    /// What rows are classified by.
    pub fn classifier(&self) -> &Classifier {
        &self.settings.classifier
    }

    /// What decides which rows there will be, and in which order they are begun: two scans with the same digest have the
    /// same endpoints at the same positions, and one can go on where the other stopped.
    pub fn digest(&self) -> [u8; 32] {
        self.facts.digest
    }

    /// What names will have led to, for whoever keeps checkpoints: it must be on the disk before a checkpoint is. None
    /// where there are no names.
    pub fn names_log(&self) -> Option<NamesLog> {
        let has_names = self.prober.agenda.targets().has_names();
        has_names.then(|| NamesLog(Arc::clone(self.names.book())))
    }

    /// Starts the scan on the current tokio runtime.
    ///
    /// Whoever keeps that runtime from running for a second and a half stands in the way of hearing the peers: what was under
    /// way is then probed again.
    ///
    /// # Panics
    /// Outside a tokio runtime with its I/O and time drivers enabled.
    pub fn run(self) -> Observations {
        let mut rows = self.stand_by();
        rows.begin();
        rows
    }

    /// The same, but until [`Observations::begin`] nothing is sent but to canaries.
    ///
    /// # Panics
    /// As [`Scan::run`] does.
    pub fn stand_by(self) -> Observations {
        let Self { prober, names, notices, settings, .. } = self;
        // Taken before any slot can ask for work.
        let (pause, _) = prober.agenda.pause();
        Observations { standing_by: Some(pause), ..Run::new(prober, names, settings).start(notices) }
    }
}

/// What the slots of a running scan share.
struct Run<N> {
    prober: Prober<N>,
    names: Names,
    settings: Settings,
    knocked: Knocked,
    /// When people were last told that this machine had slept, or that we had stood still.
    told_at: Mutex<Option<Instant>>,
}

/// Where rows go from a slot.
type Rows = mpsc::Sender<(Ticket, Box<Observation>)>;

/// Nobody wants rows any longer.
struct Unwanted;

impl<N: Network> Run<N> {
    fn new(prober: Prober<N>, names: Names, settings: Settings) -> Self {
        Self { prober, names, settings, knocked: Knocked::default(), told_at: Mutex::default() }
    }

    fn start(self, notices: mpsc::Receiver<Notice>) -> Observations {
        let (sender, rows) = mpsc::channel(ROWS_IN_TRANSIT);
        let agenda = Arc::clone(&self.prober.agenda);
        // A name may have any number of addresses, each of which takes a slot.
        let enough = if agenda.targets().has_names() { u64::MAX } else { agenda.stats().total() };
        let slots = usize::try_from(enough).unwrap_or(usize::MAX).min(self.settings.concurrency.get());
        let run = Arc::new(self);
        let mut tasks: JoinSet<()> = JoinSet::new();
        let hailing = run.watch_canaries(&mut tasks, &sender);
        tasks.spawn(Arc::clone(&run).watch_machine());
        tasks.spawn(run.open(slots, sender));
        let notices = Some(notices);
        Observations { rows, slots: tasks, agenda, handed_out: Vec::new(), notices, hailing, standing_by: None }
    }

    /// Keeps an eye on this machine for as long as something is begun.
    async fn watch_machine(self: Arc<Self>) {
        tokio::select! {
            () = self.prober.watch() => {}
            () = self.agenda().over() => {}
        }
        self.prober.watch_no_more();
    }

    /// Opens the slots, a few at a time: the first are at work before the last of thousands is there.
    async fn open(self: Arc<Self>, slots: usize, rows: Rows) {
        let mut open = JoinSet::new();
        for slot in 1..=slots {
            open.spawn(Arc::clone(&self).slot(rows.clone()));
            if slot.is_multiple_of(OPENED_AT_ONCE) {
                yield_now().await;
            }
        }
        drop((self, rows));
        let mut panic = None;
        while let Some(ended) = open.join_next().await {
            panic = panic.or(ended.err().filter(JoinError::is_panic));
        }
        // The others have gone on to the end.
        if let Some(panic) = panic {
            resume_unwind(panic.into_panic());
        }
    }

    /// One slot: the next endpoint, and the next, until there are no more or nobody wants their rows.
    #[expect(clippy::manual_async_fn, reason = "an async fn keeps its arguments twice, in each of thousands of slots")]
    fn slot(self: Arc<Self>, rows: Rows) -> impl Future<Output = ()> + Send {
        async move {
            loop {
                let Some(work) = self.agenda().next().await else { break };
                // Each of thousands of slots has room for what is held here, and no more: a match keeps it twice.
                let probed = match &work {
                    Work::Probe(_, task) => self.probe(task).await,
                    Work::Resolve(..) => None,
                };
                if let Some(left) = self.come_to(work, probed).and_then(|left| self.at_once(left, &rows))
                    && Box::pin(self.conclude(left, &rows)).await.is_err()
                {
                    return;
                }
                // Endpoints that are decided at once, as by an error of our own, must not keep the other slots from their turn.
                consume_budget().await;
            }
            Box::pin(self.give_up(&rows)).await;
        }
    }

    /// Where a stop was asked for, what is to be tried again will not be: what came of it before is its row. Where none was,
    /// what comes back now is another slot's.
    async fn give_up(&self, rows: &Rows) {
        let given_up = if self.agenda().stop().is_asked() { self.agenda().give_up_busy() } else { Vec::new() };
        for task in given_up {
            if let Some(row) = task.earlier
                && self.hand_on(task.ticket, row, rows).await.is_err()
            {
                return;
            }
        }
    }

    fn agenda(&self) -> &Arc<Agenda> {
        &self.prober.agenda
    }

    /// One name, each of whose addresses then waits for its turn.
    async fn resolve(&self, underway: Underway, named: Named, rows: &Rows) -> Result<(), Unwanted> {
        let Named { position, host, record, port, service, known } = named;
        let (found, done) = match known {
            Some(Known { found, done, .. }) => (found, done),
            None => match self.names.answer(record, &host).await {
                Ok(found) => (found, Vec::new()),
                Err(reason) => {
                    drop(underway);
                    let place = Nowhere { name: host.to_string().into(), via: None, ip: None, port, service };
                    return self.hand_on(Ticket { position, part: 0 }, place.row(reason), rows).await;
                }
            },
        };
        self.agenda().split(position, &found, &done);
        for (part, Found { exchange, address }) in (0u32..).zip(found.iter()) {
            if done.binary_search(&part).is_ok() {
                continue;
            }
            let ticket = Ticket { position, part };
            let via = exchange.as_ref().map(|exchange| match &host {
                Host::Mx(domain) => format!("MX {} of {domain}", exchange.preference).into(),
                Host::Address(_) | Host::Name(_) => Arc::clone(&exchange.name),
            });
            let name = exchange.as_ref().map_or_else(|| host.to_string().into(), |exchange| Arc::clone(&exchange.name));
            let targets = self.agenda().targets();
            let by_name = exchange.as_ref().map_or(Ok(()), |exchange| targets.admits_exchange(&exchange.name));
            let admitted = by_name.map_err(NoAddress::None).and_then(|()| {
                let ip = address.clone()?;
                targets.admits(ip).map(|()| ip).map_err(NoAddress::None)
            });
            match admitted {
                Ok(ip) => {
                    let place = Place { name: Some(name), via, ip, port, service };
                    self.agenda().put(Task::fresh(ticket, place), None);
                }
                Err(reason) => {
                    let place = Nowhere { name, via, ip: address.as_ref().ok().copied(), port, service };
                    self.hand_on(ticket, place.row(reason), rows).await?;
                }
            }
        }
        Ok(())
    }

    /// One address and port; none where a request to stop came before its turn.
    #[expect(clippy::manual_async_fn, reason = "an async fn keeps its arguments twice, in each of thousands of slots")]
    fn probe(&self, task: &Task) -> impl Future<Output = Option<Probed<N::Stream>>> + Send {
        async move {
            let before = self.prober.lapses();
            let first = self.prober.probe(&task.place, turn(task)).await?;
            match self.spoilt_by(first.outcome(), before) {
                Some(lapse) => Box::pin(self.probe_again(&task.place, first, lapse)).await,
                None => Some(first),
            }
        }
    }

    /// What befell this machine since then that makes such an outcome say nothing of the peer.
    fn spoilt_by(&self, outcome: Outcome, since: Lapses) -> Option<Lapse> {
        // Nothing does that to a refusal, which is what most of a range comes to.
        let lapse = if outcome == Outcome::Refused { None } else { self.prober.lapse_since(since) };
        lapse.filter(|lapse| is_spoilt(outcome, *lapse))
    }

    /// Whether a row is written for such an outcome.
    fn is_wanted(&self, outcome: Outcome) -> bool {
        self.settings.all || outcome.is_row()
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
