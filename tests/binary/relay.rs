//! A long way between two namespaces: a TUN device in each, and a thread that carries packets from one to the other, late.
//!
//! Each packet has a delay of its own, so that some overtake others; the delays follow from a seed, which packets there
//! are does not. Nothing gets lost as long as no more than [`ROOM`] are under way.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use tun_rs::{DeviceBuilder, SyncDevice};

/// So many packets may be under way; others wait in the devices' queues, and are dropped there as routers do it.
const ROOM: usize = 1_000;

/// Larger than any packet of these devices, whose MTU is 1,500.
const LARGEST: usize = 2_048;

/// How long a packet takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delay {
    pub(crate) least: Duration,
    /// At most so much is added at random.
    pub(crate) jitter: Duration,
    pub(crate) seed: u64,
}

impl Delay {
    /// The delay of one packet, by `SplitMix64` (Steele, Lea and Flood, 2014).
    fn draw(&mut self) -> Duration {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [high, ..] = (mixed ^ (mixed >> 31)).to_be_bytes();
        self.least + self.jitter * u32::from(high) / 255
    }
}

/// A TUN device in this thread's namespace. It goes when its file is closed.
pub(crate) fn tun(name: &str) -> Result<SyncDevice, String> {
    // The crate would make the node.
    if !Path::new("/dev/net/tun").exists() {
        return Err("there is no /dev/net/tun".into());
    }
    let device = DeviceBuilder::new().name(name).mtu(1_500).build_sync();
    device.map_err(|error| format!("/dev/net/tun: {error}"))
}

/// One side of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// A TCP segment as it set out.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) from: Side,
    /// Tells connections apart as long as there is one to each address.
    pub(crate) server: IpAddr,
    pub(crate) fin: bool,
    pub(crate) reset: bool,
    pub(crate) payload: Vec<u8>,
}

/// What the relay saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// In the order in which they set out.
    pub(crate) segments: Vec<Segment>,
    /// How many packets arrived after one that had set out later.
    pub(crate) overtaken: usize,
}

/// The thread that carries packets. It ends by itself when this is dropped, or a device is gone.
#[derive(Debug)]
pub(crate) struct Relay {
    stop: PipeWriter,
    thread: JoinHandle<io::Result<Seen>>,
}

impl Relay {
    /// Between the client's device and the server's, which are up.
    pub(crate) fn between(devices: [SyncDevice; 2], delay: Delay) -> Self {
        let (stopped, stop) = io::pipe().unwrap();
        Self { stop, thread: thread::spawn(move || carry(&devices, &stopped, UnderWay::new(delay))) }
    }

    /// Ends the relay once nothing is under way.
    pub(crate) fn end(self) -> Seen {
        drop(self.stop);
        self.thread.join().unwrap().unwrap()
    }
}

fn carry(devices: &[SyncDevice; 2], stopped: &PipeReader, mut under_way: UnderWay) -> io::Result<Seen> {
    let mut packet = [0; LARGEST];
    let mut stopping = false;
    loop {
        while let Some((from, packet)) = under_way.arrive(Instant::now()) {
            let [client, server] = devices;
            match from {
                Side::Client => server.send(&packet)?,
                Side::Server => client.send(&packet)?,
            };
        }
        let next = under_way.next_arrival().map(|next| next.saturating_duration_since(Instant::now()));
        let patience = next.or(stopping.then_some(Duration::ZERO));
        let takes = if under_way.has_room() { PollFlags::POLLIN } else { PollFlags::empty() };
        let [client, server] = devices.each_ref().map(|device| PollFd::new(device.as_fd(), takes));
        let mut files = [client, server, PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
        // A pipe without a writer is always ready: nothing more is to be learned from it.
        let watched = if stopping { &mut files[..2] } else { &mut files[..] };
        let ready = ppoll(watched, patience.map(TimeSpec::from), None)?;
        if ready == 0 && stopping && next.is_none() {
            return Ok(under_way.seen);
        }
        let is_ready = |file: &PollFd| file.any().unwrap_or_default();
        let [from_client, from_server, has_stopped] = files.each_ref().map(is_ready);
        stopping |= has_stopped;
        for (side, device, is_ready) in
            [(Side::Client, &devices[0], from_client), (Side::Server, &devices[1], from_server)]
        {
            if is_ready {
                let length = device.recv(&mut packet)?;
                under_way.set_out(side, &packet[..length], Instant::now());
            }
        }
    }
}

/// The packets under way, by their time of arrival and the order in which they set out.
struct UnderWay {
    delay: Delay,
    packets: BTreeMap<(Instant, usize), (Side, Vec<u8>)>,
    /// How many have set out.
    count: usize,
    /// The last to set out of those that have arrived from the client, and from the server.
    arrived: [usize; 2],
    seen: Seen,
}

impl UnderWay {
    fn new(delay: Delay) -> Self {
        Self { delay, packets: BTreeMap::new(), count: 0, arrived: [0; 2], seen: Seen::default() }
    }

    fn has_room(&self) -> bool {
        self.packets.len() < ROOM
    }

    fn set_out(&mut self, from: Side, packet: &[u8], now: Instant) {
        self.count += 1;
        self.packets.insert((now + self.delay.draw(), self.count), (from, packet.to_vec()));
        self.seen.segments.extend(segment(from, packet));
    }

    fn next_arrival(&self) -> Option<Instant> {
        self.packets.first_key_value().map(|((time, _), _)| *time)
    }

    /// Takes a packet whose time has come.
    fn arrive(&mut self, now: Instant) -> Option<(Side, Vec<u8>)> {
        let first = self.packets.first_entry().filter(|first| first.key().0 <= now)?;
        let ((_, number), (from, packet)) = first.remove_entry();
        let [client, server] = &mut self.arrived;
        let last = match from {
            Side::Client => client,
            Side::Server => server,
        };
        self.seen.overtaken += usize::from(number < *last);
        *last = number.max(*last);
        Some((from, packet))
    }
}

/// The TCP segment in an IP packet (RFC 791, RFC 8200 without extension headers, RFC 9293).
fn segment(from: Side, packet: &[u8]) -> Option<Segment> {
    const TCP: u8 = 6;
    let first = *packet.first()?;
    let ipv4 = |at: usize| Some(IpAddr::from(*packet.get(at..)?.first_chunk::<4>()?));
    let ipv6 = |at: usize| Some(IpAddr::from(*packet.get(at..)?.first_chunk::<16>()?));
    let (protocol, header, source, destination) = match first >> 4 {
        4 => (*packet.get(9)?, usize::from(first & 0x0f) * 4, ipv4(12)?, ipv4(16)?),
        _ => (*packet.get(6)?, 40, ipv6(8)?, ipv6(24)?),
    };
    let server = if from == Side::Server { source } else { destination };
    let segment = packet.get(header..).filter(|_| protocol == TCP)?;
    let (offset, flags) = (*segment.get(12)?, *segment.get(13)?);
    let payload = segment.get(usize::from(offset >> 4) * 4..)?.to_vec();
    Some(Segment { from, server, fin: flags & 1 != 0, reset: flags & 4 != 0, payload })
}
