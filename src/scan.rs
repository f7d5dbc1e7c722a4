//! A scan: a fixed number of slots, each taking the next endpoint, probing it, and handing its row on.
//!
//! The rows go through a bounded channel to a [`futures::Stream`]. A consumer that stalls keeps slots from taking the next
//! endpoint; the clocks of endpoints under way run on, because each slot is a task of its own. Dropping the stream stops
//! everything.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::task::coop::consume_budget;

use crate::classify::Classifier;
use crate::config::ScanBuilder;
use crate::observation::{Observation, Outcome, Service};
use crate::probe::{Network, Place, Prober, System};
use crate::schedule::{Schedule, Stop};
use crate::stats::Stats;
use crate::target::{AnswerBook, Endpoint, Found, Host, Names, NoAddress, Resolve, Resolver, Targets};

/// Rows on their way to the consumer. A slot whose row finds no room waits; a thousand is a few milliseconds of work.
const ROWS_IN_TRANSIT: usize = 1024;

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
    targets: Targets,
    prober: Prober<System>,
    concurrency: NonZeroUsize,
    seed: u64,
    all: bool,
}

impl Scan {
    /// Begins a scan's making.
    pub fn builder() -> ScanBuilder {
        ScanBuilder::default()
    }

    pub(crate) fn new(
        targets: Targets,
        prober: Prober<System>,
        concurrency: NonZeroUsize,
        seed: u64,
        all: bool,
    ) -> Self {
        Self { targets, prober, concurrency, seed, all }
    }

    /// How many endpoints there are.
    pub fn endpoints(&self) -> u64 {
        self.targets.len()
    }

    /// How many are probed at once.
    pub fn concurrency(&self) -> NonZeroUsize {
        self.concurrency
    }

    /// What the order is derived from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Starts the scan on the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime with its I/O and time drivers enabled.
    pub fn run(self) -> Observations {
        let Self { targets, prober, concurrency, seed, all } = self;
        Run::new(targets, prober, Arc::new(Resolver::system()), seed, all).start(concurrency)
    }
}

/// The rows of a running scan. Dropping it stops the scan.
#[derive(Debug)]
pub struct Observations {
    rows: mpsc::Receiver<Observation>,
    slots: JoinSet<()>,
    stats: Arc<Stats>,
    stop: Stop,
}

impl Observations {
    /// What the scan has done so far.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// What asks the scan to begin nothing new.
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }
}

impl Stream for Observations {
    type Item = Observation;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Observation>> {
        if let Some(row) = ready!(self.rows.poll_recv(cx)) {
            return Poll::Ready(Some(row));
        }
        // All slots have ended; one that panicked has lost a row, which must not pass for the end of the scan.
        while let Some(ended) = ready!(self.slots.poll_join_next(cx)) {
            if let Some(panic) = ended.err().filter(tokio::task::JoinError::is_panic) {
                std::panic::resume_unwind(panic.into_panic());
            }
        }
        Poll::Ready(None)
    }
}

/// What the slots of a running scan share.
struct Run<N> {
    targets: Targets,
    schedule: Schedule,
    names: Names,
    prober: Prober<N>,
    stats: Arc<Stats>,
    stop: Stop,
    classifier: &'static Classifier,
    all: bool,
}

impl<N: Network> Run<N> {
    fn new(targets: Targets, prober: Prober<N>, resolver: Arc<dyn Resolve>, seed: u64, all: bool) -> Self {
        Self {
            schedule: Schedule::new(targets.len(), seed),
            names: Names::new(targets.family(), resolver, Arc::new(AnswerBook::temporary())),
            stats: Arc::new(Stats::new(targets.len(), targets.ports().clone())),
            stop: prober.stop.clone(),
            // Made before anything is begun: it takes some milliseconds, which would count as some endpoint's.
            classifier: Classifier::builtin(),
            targets,
            prober,
            all,
        }
    }

    fn start(self, concurrency: NonZeroUsize) -> Observations {
        let (sender, rows) = mpsc::channel(ROWS_IN_TRANSIT);
        let (stats, stop) = (Arc::clone(&self.stats), self.stop.clone());
        let slots = usize::try_from(self.targets.len()).unwrap_or(usize::MAX).min(concurrency.get());
        let run = Arc::new(self);
        let slots = (0..slots).map(|_| Arc::clone(&run).slot(sender.clone())).collect();
        Observations { rows, slots, stats, stop }
    }

    /// One slot: the next endpoint, and the next, until there are no more or nobody wants their rows.
    async fn slot(self: Arc<Self>, rows: mpsc::Sender<Observation>) {
        while !self.stop.is_asked()
            && let Some((endpoint, record)) = self.schedule.take().and_then(|index| self.targets.lookup(index))
        {
            self.stats.begin();
            let done = self.endpoint(endpoint, record, &rows).await;
            self.stats.end(done);
            if !done {
                return;
            }
            // Endpoints that are decided at once, as by an error of our own, must not keep the other slots from their turn.
            consume_budget().await;
        }
    }

    /// One endpoint, which for a name is each of its addresses; whether it was done. It is not where rows are no longer
    /// wanted, or where a request to stop came before its turn.
    async fn endpoint(&self, endpoint: Endpoint, record: u64, rows: &mpsc::Sender<Observation>) -> bool {
        let Endpoint { host, port, service } = endpoint;
        if let Host::Address(ip) = host {
            return self.place(Place { name: None, ip, port, service }, rows).await;
        }
        match Box::pin(self.names.answer(record, &host)).await {
            Ok(found) => {
                for Found { exchange, address } in found.iter() {
                    let name: Arc<str> = exchange
                        .as_ref()
                        .map_or_else(|| host.to_string().into(), |exchange| Arc::clone(&exchange.name));
                    let done = match address {
                        Ok(ip) => {
                            let place = Place { name: Some(name), ip: *ip, port, service };
                            Box::pin(self.place(place, rows)).await
                        }
                        Err(reason) => self.nowhere(name, port, service, reason.clone(), rows).await,
                    };
                    if !done {
                        return false;
                    }
                }
                true
            }
            Err(reason) => self.nowhere(host.to_string().into(), port, service, reason, rows).await,
        }
    }

    /// A name that leads nowhere; whether that was done.
    async fn nowhere(
        &self,
        name: Arc<str>,
        port: u16,
        service: Service,
        reason: NoAddress,
        rows: &mpsc::Sender<Observation>,
    ) -> bool {
        let row = without_address(name, port, service, reason);
        self.stats.record(port, row.outcome);
        rows.send(row).await.is_ok()
    }

    /// One address and port; whether it was done.
    async fn place(&self, place: Place, rows: &mpsc::Sender<Observation>) -> bool {
        let Some((mut row, parting)) = self.prober.probe(&place).await else { return false };
        self.stats.record(place.port, row.outcome);
        if !(row.outcome.is_row() || self.all) {
            return true;
        }
        self.classifier.classify(&mut row);
        let handed_on = rows.send(row);
        match parting {
            // The peer's second runs on while a slow consumer makes us wait.
            Some(parting) => tokio::join!(handed_on, parting.see_out()).0.is_ok(),
            None => handed_on.await.is_ok(),
        }
    }
}

fn without_address(name: Arc<str>, port: u16, service: Service, reason: NoAddress) -> Observation {
    let (outcome, detail) = match reason {
        NoAddress::None(reason) => (Outcome::Unresolved, reason),
        NoAddress::Unknown(reason) => (Outcome::LocalError, reason),
    };
    let mut row = Observation::new(SystemTime::now(), None, port, service, outcome);
    row.name = Some(name);
    row.detail = Some(Cow::Owned(detail.to_string()));
    row
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
