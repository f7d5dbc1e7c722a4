//! What further connections to an endpoint tell: whether each meets the same server, and whether a port on which nothing
//! should listen takes one as well.
//!
//! They are dialled as any other, one after the other; the host's slot stays taken meanwhile. A server that has enough of
//! us is not connected to again. After a request to stop, what is known by then is the row.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::sleep;

use super::Run;
use super::row::is_pushback;
use crate::observation::{Decoy, Observation, Outcome, Variant};
use crate::probe::{Network, Parting};
use crate::target::Place;

/// So many different servers are told apart behind one address; connections that meet yet others are counted nowhere but
/// in `attempts`.
const MAX_VARIANTS: usize = 16;

/// So much is kept of a variant's greeting.
const MAX_BANNER: usize = 4096;

/// So long a connection that is under way may take after a request to stop: half of what a scan is given then.
const GRACE: Duration = Duration::from_secs(5);

/// What is tried on an endpoint beyond its probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Further {
    /// How many connections are made to it in all.
    pub(crate) samples: NonZeroU32,
    /// The time between two of them.
    pub(crate) sample_interval: Duration,
    /// The port on which nothing should listen.
    pub(crate) decoy: Option<u16>,
}

impl Further {
    /// Whether anything of it is to be tried on an endpoint of which this is known.
    pub(super) fn is_worth_it(self, row: &Observation) -> bool {
        self.is_sampled(row) || self.decoy_beside(row).is_some()
    }

    /// Whether others may stand behind the same address: a server that greets, or that hangs up at once, as a pool does
    /// whose member is dead.
    fn is_sampled(self, row: &Observation) -> bool {
        let answers = match row.outcome {
            Outcome::Greeted => !is_pushback(row),
            Outcome::Reset | Outcome::Closed => row.received.is_empty(),
            Outcome::OtherProtocol
            | Outcome::TlsFailed
            | Outcome::Silent
            | Outcome::Refused
            | Outcome::Unreachable
            | Outcome::Timeout
            | Outcome::LocalError
            | Outcome::Unresolved => false,
        };
        answers && self.samples.get() > 1
    }

    fn decoy_beside(self, row: &Observation) -> Option<u16> {
        self.decoy.filter(|_| row.outcome == Outcome::Greeted && !is_pushback(row))
    }
}

impl<N: Network> Run<N> {
    /// Tries what is worth it, once the connection of the probe is closed.
    pub(super) async fn look_further(&self, place: &Place, row: &mut Observation, parting: Option<Parting<N::Stream>>) {
        if let Some(parting) = parting {
            parting.see_out().await;
        }
        let further = self.settings.further;
        if let Some(port) = further.decoy_beside(row) {
            row.decoy = self.knock(place.ip, port).await.map(|accepted| Decoy { port, accepted });
        }
        if further.is_sampled(row) {
            self.sample(place, row).await;
        }
    }

    /// Whether a host's decoy accepts, as it did the first time.
    async fn knock(&self, host: IpAddr, port: u16) -> Option<bool> {
        if let Some(accepted) = self.knocked.of(host) {
            return Some(accepted);
        }
        let accepted = self.unless_stopped(self.prober.knock(SocketAddr::new(host, port))).await?;
        self.knocked.keep(host, accepted);
        Some(accepted)
    }

    /// Connects again and again, and keeps which servers that meets.
    async fn sample(&self, place: &Place, row: &mut Observation) {
        // The rules for what stands in front read the variants, so that the row is classified once more when it is whole.
        self.settings.classifier.classify(row);
        let mut pool = Pool::default();
        pool.meet(row);
        for _ in 1..self.settings.further.samples.get() {
            tokio::select! {
                () = sleep(self.settings.further.sample_interval) => {}
                () = self.agenda().stop().asked() => break,
            }
            let Some(again) = self.unless_stopped(self.prober.sample(place)).await else { break };
            let (mut again, parting) = again.into_row(place);
            if let Some(parting) = parting {
                parting.see_out().await;
            }
            row.attempts += again.attempts;
            match again.outcome {
                Outcome::Greeted
                | Outcome::OtherProtocol
                | Outcome::TlsFailed
                | Outcome::Reset
                | Outcome::Closed
                | Outcome::Silent => {
                    self.settings.classifier.classify(&mut again);
                    pool.meet(&again);
                }
                // It took the first connection.
                Outcome::Refused => self.agenda().pushed_back(place.ip),
                Outcome::Unreachable | Outcome::Timeout | Outcome::LocalError | Outcome::Unresolved => {}
            }
            if is_pushback(&again) {
                self.agenda().pushed_back(place.ip);
                break;
            }
        }
        row.variants = pool.into_variants();
    }

    /// What comes of a connection, unless a request to stop would have the row wait for it.
    async fn unless_stopped<T>(&self, connection: impl Future<Output = Option<T>>) -> Option<T> {
        let given_up = async {
            self.agenda().stop().asked().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            what = connection => what,
            () = given_up => None,
        }
    }
}

/// The servers that were met, each once, in order of appearance.
#[derive(Debug, Default)]
struct Pool(Vec<Variant>);

impl Pool {
    /// Counts one connection, by what was read of it.
    fn meet(&mut self, row: &Observation) {
        let variant = Variant {
            count: 1,
            code: row.code,
            banner: row.greeting().iter().copied().take(MAX_BANNER).collect(),
            banner_hash: row.banner_hash,
            hostname: row.hostname.clone(),
            software: row.software.as_ref().map(|software| software.name.clone()),
            version: row.software.as_ref().and_then(|software| software.version.clone()),
            capabilities: row.dialogue.as_ref().map(|dialogue| dialogue.capabilities.clone()).unwrap_or_default(),
            cert_sha256: row.tls.as_ref().and_then(|facts| facts.chain.first()).map(|certificate| certificate.sha256),
        };
        let has_room = self.0.len() < MAX_VARIANTS;
        match self.0.iter_mut().find(|known| are_alike(known, &variant)) {
            Some(known) => known.count += 1,
            None if has_room => self.0.push(variant),
            None => {}
        }
    }

    /// The commonest first.
    fn into_variants(self) -> Vec<Variant> {
        let Self(mut variants) = self;
        variants.sort_by_key(|variant| std::cmp::Reverse(variant.count));
        variants
    }
}

/// Whether two connections met the same server: everything but the words of the greeting, which change with the date.
fn are_alike(one: &Variant, other: &Variant) -> bool {
    let Variant { count: _, code, banner: _, banner_hash, hostname, software, version, capabilities, cert_sha256 } =
        one;
    (code, banner_hash, cert_sha256) == (&other.code, &other.banner_hash, &other.cert_sha256)
        && (hostname, software, version) == (&other.hostname, &other.software, &other.version)
        && *capabilities == other.capabilities
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Service;

    fn row(words: &str) -> Observation {
        let mut row = Observation::new(std::time::SystemTime::UNIX_EPOCH, None, 25, Service::Smtp, Outcome::Greeted);
        row.code = Some(220);
        row.received.push(words.as_bytes(), Duration::ZERO);
        row.greeting_len = words.len();
        crate::classify::Classifier::builtin().classify(&mut row);
        row
    }

    fn counts(pool: Pool) -> Vec<(u32, String)> {
        let told = |variant: Variant| (variant.count, String::from_utf8(variant.banner).unwrap());
        pool.into_variants().into_iter().map(told).collect()
    }

    #[test]
    fn dates_make_no_variant_and_names_do() {
        let mut pool = Pool::default();
        let second = "220 b.example ESMTP Exim 4.98 Thu, 02 Jan 2025 10:11:14 +0000\r\n";
        for words in [
            "220 a.example ESMTP Exim 4.98 Thu, 02 Jan 2025 10:11:12 +0000\r\n",
            second,
            "220 b.example ESMTP Exim 4.98 Thu, 02 Jan 2025 10:11:15 +0000\r\n",
            "220 b.example ESMTP Exim 4.97 Thu, 02 Jan 2025 10:11:15 +0000\r\n",
        ] {
            pool.meet(&row(words));
        }
        let found = counts(pool);
        assert_eq!(found[0], (2, second.to_owned()), "the commonest first, as it came the first time");
        assert_eq!(found.iter().map(|(count, _)| *count).collect::<Vec<_>>(), [2, 1, 1]);
        assert!(found[1].1.contains("a.example"), "then in order of appearance: {found:?}");
    }

    #[test]
    fn there_is_an_end_to_variants_and_to_their_words() {
        let mut pool = Pool::default();
        for number in 0..100 {
            pool.meet(&row(&format!("220 host-{}.example {}\r\n", number % 50, "x".repeat(10_000))));
        }
        let found = counts(pool);
        assert_eq!(found.len(), MAX_VARIANTS);
        assert!(found.iter().all(|(count, banner)| *count == 2 && banner.len() == MAX_BANNER));
    }
}
