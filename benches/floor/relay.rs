//! Carries packets from one TUN device to another and back, each late by the same time, in order.
//!
//! Limits: one thread; packets of 1,500 bytes. What the devices have no room for they drop, as routers do.

use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use tun_rs::SyncDevice;

/// The devices' MTU.
const LARGEST: usize = 1500;

/// So many are taken from one device before the other has its turn.
const BATCH: usize = 256;

/// Carries until standard input ends.
pub(crate) fn carry(devices: &[SyncDevice; 2], delay: Duration) -> Result<(), Box<dyn Error>> {
    let life = io::stdin();
    let mut under_way: [VecDeque<(Instant, Vec<u8>)>; 2] = Default::default();
    // Packets that have arrived: their memory serves others.
    let mut spare: Vec<Vec<u8>> = Vec::new();
    loop {
        for (queue, to) in under_way.iter_mut().zip(devices.iter().rev()) {
            while queue.front().is_some_and(|(due, _)| *due <= Instant::now())
                && let Some((_, packet)) = queue.pop_front()
            {
                match to.send(&packet) {
                    Ok(_) => {}
                    // No memory for one more, or the device's own queue is full: it is lost.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
                spare.push(packet);
            }
        }
        let next = under_way.iter().filter_map(|queue| Some(queue.front()?.0)).min();
        let patience = next.map(|next| TimeSpec::from(next.saturating_duration_since(Instant::now())));
        let [near, far] = devices.each_ref().map(|device| PollFd::new(device.as_fd(), PollFlags::POLLIN));
        let mut files = [near, far, PollFd::new(life.as_fd(), PollFlags::POLLIN)];
        ppoll(&mut files, patience, None)?;
        let [near, far, ended] = files.map(|file| file.any().unwrap_or_default());
        if ended {
            return Ok(());
        }
        for ((queue, from), is_ready) in under_way.iter_mut().zip(devices).zip([near, far]) {
            for _ in 0..if is_ready { BATCH } else { 0 } {
                let mut packet = spare.pop().unwrap_or_default();
                packet.resize(LARGEST, 0);
                match from.recv(&mut packet) {
                    Ok(length) => packet.truncate(length),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
                queue.push_back((Instant::now() + delay, packet));
            }
        }
    }
}
