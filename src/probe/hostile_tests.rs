//! Hostile peers, systematically: everything that a peer can do, wherever it can be done, on a paused clock.
//!
//! `replies` does it in place of every reply that is waited for, `handshakes` in place of every message of TLS, `bounds`
//! asks what the worst costs. What has to come of it is said by rule, once, and holds for every combination. What only
//! sockets do is in `tests/binary/hostile.rs`.

mod bounds;
mod handshakes;
mod replies;

use std::time::Duration;

use super::Turn;
use super::scripted::{Connect, Script, Scripted, Step};
use super::tests::prober;
use super::*;
use crate::classify::Classifier;
use crate::observation::{Reply, Service};

/// No peer holds a probe for longer, whatever it does: two connects, six replies, two rounds of handshakes, the question for
/// TLS of the past, and a farewell.
const BOUND: Duration = Duration::from_secs(2 * 4 + 6 * 30 + 2 * (60 + 10) + 60 + 1);

/// How long we listen on when all is over.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a peer does in place of what it should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// Nothing, and listens.
    Stall,
    /// FIN, and listens.
    HalfClose,
    /// FIN, and is gone.
    Close,
    Reset,
    /// Some bytes of no meaning.
    Garbage,
    /// More than a mebibyte of NUL.
    Nuls,
    /// Whatever would be right, again and again.
    Flood,
    /// A byte a second.
    Drip,
    /// More than a mebibyte without the end of a line.
    Megabyte,
    /// What a terminal would obey, and the end of a line.
    Escapes,
}

impl Deed {
    const ALL: [Self; 10] = [
        Self::Stall,
        Self::HalfClose,
        Self::Close,
        Self::Reset,
        Self::Garbage,
        Self::Nuls,
        Self::Flood,
        Self::Drip,
        Self::Megabyte,
        Self::Escapes,
    ];

    /// `right` is what a flood says, `slow` what is said byte by byte.
    fn steps(self, right: &str, slow: &str) -> Vec<Step> {
        match self {
            Self::Stall => vec![Step::Hold],
            Self::HalfClose => vec![Step::Fin],
            Self::Close => vec![],
            Self::Reset => vec![Step::Reset],
            Self::Garbage => vec![bytes(&garbage()), Step::Hold],
            Self::Nuls => vec![Step::Repeat("\0".repeat(4096), 272), Step::Hold],
            Self::Flood => vec![Step::Flood(right.into())],
            Self::Drip => vec![Step::Drip(slow.into(), 1.0), Step::Hold],
            Self::Megabyte => vec![Step::Repeat("A".repeat(4096), 272), Step::Hold],
            Self::Escapes => vec![Step::Send("\x1b]0;owned\x07\x1b[2J\u{202e}\r\n".into()), Step::Hold],
        }
    }
}

/// Bytes as a step.
fn bytes(bytes: &[u8]) -> Step {
    use base64::Engine;
    Step::SendBase64(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Neither a digit nor TLS at its start, and no end of a line.
fn garbage() -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        state.to_be_bytes()[0]
    };
    let noise = std::iter::repeat_with(next).filter(|byte| *byte != b'\n').take(600);
    std::iter::once(0xF8).chain(noise).collect()
}

/// What came of one peer.
struct Came {
    row: Observation,
    /// When the row was final.
    after: Duration,
    /// How often it was connected to.
    connections: usize,
}

/// Probes a peer, and holds what came of it against what always holds: one row in time, of bounded size, and no connection
/// left.
fn probe(what: &str, service: Service, depth: Depth, script: Script) -> Came {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let network = Scripted::everywhere(script);
        let mut prober = prober(network.clone(), Leave::Quit);
        prober.settings.ask = Ask { depth, anonymous: depth == Depth::Tls && service.is_ftp() };
        let place = Place { name: None, via: None, ip: "192.0.2.1".parse().unwrap(), port: 1, service };
        let begun = Instant::now();
        let probed = tokio::time::timeout(BOUND, prober.probe(&place, Turn::First)).await;
        let (mut row, parting) = probed.unwrap_or_else(|_| panic!("{what} holds us")).expect(what).into_row(&place);
        let after = begun.elapsed();
        if let Some(parting) = parting {
            parting.see_out().await;
        }
        assert!(begun.elapsed() <= after + FAREWELL, "{what} is seen out for {:?}", begun.elapsed());
        assert_eq!(network.open(), 0, "connections that {what} has kept open");
        Classifier::builtin().classify(&mut row);
        assert_bounded(what, &row);
        Came { row: *row, after, connections: network.dialled().len() }
    })
}

/// What a peer can put into a row is bounded, whatever it says.
fn assert_bounded(what: &str, row: &Observation) {
    assert!(row.received.bytes().len() <= crate::observation::Received::LIMIT, "bytes of {what}");
    let Some(dialogue) = row.dialogue.as_deref() else { return };
    let offers = [&dialogue.offers, &dialogue.offers_inside].into_iter().flatten().map(|offers| &offers.reply);
    for reply in offers.chain(&dialogue.system).chain(&dialogue.upgrade) {
        assert!(reply.bytes.len() <= Reply::LIMIT, "an answer of {what}");
    }
    let aside = dialogue.unasked.len().max(dialogue.injected.len());
    assert!(aside <= Reply::LIMIT, "{aside} bytes that {what} said unasked");
}

/// Holds every case of a table against its rule, so that one failure tells of all.
fn every<T>(cases: impl IntoIterator<Item = T>, hold: impl Fn(T)) {
    let holds = |case| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hold(case))).is_ok();
    let (right, wrong): (Vec<_>, Vec<_>) = cases.into_iter().map(holds).partition(|holds| *holds);
    assert!(wrong.is_empty() && !right.is_empty(), "{} of {} do not hold", wrong.len(), wrong.len() + right.len());
}

/// A peer that does this on the first connection, and takes no other, as long as it may be asked.
fn once(steps: Vec<Step>) -> Script {
    let refused = Script { connect: Connect::Refused, ..Script::default() };
    Script { steps, then: vec![refused; 8], ..Script::default() }
}

fn send(words: impl Into<String>) -> Step {
    Step::Send(words.into())
}
