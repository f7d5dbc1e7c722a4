//! Networks of the bench's own: namespaces, which one process keeps for as long as the bench lives.
//!
//! They have no names: who wants to work inside goes there by way of the keeper's open files, and with the keeper, however
//! it ends, they are gone. A cable delays each packet by [`DELAY`]: a veth pair with netem where the kernel has it, otherwise
//! a TUN device on each side and [`relay`](crate::relay) in between, in the keeper.
//!
//! Limits: Linux, root, `ip` and `nft`; `tc` for netem. The relay carries some hundred thousand packets a second, on a core
//! that peers and clients could use: its CPU time is nobody's, but walls are longer.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio, id};
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use serde::{Deserialize, Serialize};
use tun_rs::{DeviceBuilder, SyncDevice};

use crate::{Role, relay, role};

/// How long a packet is under way on a cable. On loopback the result of `connect()` is there at once, as on no network.
const DELAY: Duration = Duration::from_millis(1);

/// So many packets may wait in a device: a burst of all that are in flight must not be dropped.
const QUEUE: u32 = 50_000;

/// What there is to be kept.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Nothing answers in 127.1.0.0/16.
    Dark,
    /// 10.98.0.0/16 is at the other end of a cable.
    Far,
}

/// Namespaces; dropping it takes them down.
#[derive(Debug)]
pub(crate) struct World {
    keeper: Child,
    told: Told,
}

/// What the keeper says once all stands.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    /// Where the client belongs.
    near: PathBuf,
    /// Where the peers do.
    far: PathBuf,
    /// What the way between them is made of.
    way: String,
}

/// Why there can be no such network here; none where it can be tried.
pub(crate) fn obstacle() -> Option<String> {
    // The owner of what stands for this process is who it runs as.
    if !fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        return Some("namespaces take root".to_owned());
    }
    let missing = |tool: &&str| {
        let tried = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        // ip knows no such option, but is there to say so.
        tried.is_err()
    };
    ["ip", "nft"].iter().find(|tool| missing(tool)).map(|tool| format!("there is no '{tool}'"))
}

impl World {
    pub(crate) fn make(job: Job) -> Result<Self, Box<dyn Error>> {
        let mut keeper = role(Role::Keeper, &job)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let read = keeper.stdout.take().map_or(Ok(0), |pipe| BufReader::new(pipe).read_line(&mut line));
        let told = read.map_err(Box::from).and_then(|_| Ok(serde_json::from_str(&line)?));
        let told: Result<Told, Box<dyn Error>> = told;
        if told.is_err() {
            drop(keeper.stdin.take());
            keeper.wait()?;
        }
        Ok(Self { keeper, told: told.map_err(|_| "the namespaces could not be made")? })
    }

    /// What the way to the peers is made of.
    pub(crate) fn way(&self) -> &str {
        &self.told.way
    }

    /// Does something where the client belongs; what it starts stays there.
    pub(crate) fn near<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Box<dyn Error>> + Send,
    ) -> Result<T, Box<dyn Error>> {
        within(&self.told.near, work)
    }

    /// The same where the peers do.
    pub(crate) fn far<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Box<dyn Error>> + Send,
    ) -> Result<T, Box<dyn Error>> {
        within(&self.told.far, work)
    }

    /// How many SYNs were sent to the dark range so far. Of a burst not all come in: the queue before that holds a thousand.
    pub(crate) fn syns(&self) -> Result<u32, Box<dyn Error>> {
        let counter =
            self.near(|| Ok(Command::new("nft").args(["list", "counter", "ip", "floor", "syns"]).output()?))?;
        let text = String::from_utf8(counter.stdout)?;
        let count = text.split_whitespace().skip_while(|word| *word != "packets").nth(1);
        Ok(count.ok_or("nft tells no count of SYNs")?.parse()?)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Nothing is left to do about a process that cannot be waited for.
        let _ = self.keeper.wait();
    }
}

/// A namespace is a thread's: what it does, and whom it starts, is inside.
fn within<T: Send>(
    namespace: &PathBuf,
    work: impl FnOnce() -> Result<T, Box<dyn Error>> + Send,
) -> Result<T, Box<dyn Error>> {
    let inside = move || {
        setns(File::open(namespace)?, CloneFlags::CLONE_NEWNET)?;
        work()
    };
    std::thread::scope(|scope| {
        let working = scope.spawn(|| inside().map_err(|error| error.to_string()));
        working.join().map_err(|_| "a thread in a namespace panicked")?.map_err(Box::from)
    })
}

/// The keeper itself: keeps until standard input ends.
pub(crate) fn keep(job: Job) -> Result<(), Box<dyn Error>> {
    match job {
        Job::Dark => {
            let own = unshared()?;
            shell(
                "ip link set lo up\nnft add table ip floor\nnft add counter ip floor syns\n\
                 nft add chain ip floor sent '{ type filter hook output priority 0; }'\n\
                 nft add rule ip floor sent ip daddr 127.1.0.0/16 counter name syns\n\
                 nft add chain ip floor came '{ type filter hook input priority 0; }'\n\
                 nft add rule ip floor came ip daddr 127.1.0.0/16 drop\n",
            )?;
            tell(&own, &own, "loopback that drops SYNs")?;
            until_end()
        }
        Job::Far => {
            let (near, far) = (unshared()?, unshared()?);
            let devices = match netem(&near) {
                Ok(()) => None,
                Err(_) => Some(tuns(&near, &far)?),
            };
            setns(&near, CloneFlags::CLONE_NEWNET)?;
            shell(&format!("{}ip route add 10.98.0.0/16 via 10.99.0.2\n", up("near", 1)))?;
            setns(&far, CloneFlags::CLONE_NEWNET)?;
            shell(&format!("{}ip route add local 10.98.0.0/16 dev lo\n", up("far", 2)))?;
            tell(
                &near,
                &far,
                if devices.is_some() { "TUN relay, 1 ms each way" } else { "veth, 1 ms each way by netem" },
            )?;
            match devices {
                Some(devices) => relay::carry(&devices, DELAY),
                None => until_end(),
            }
        }
    }
}

fn until_end() -> Result<(), Box<dyn Error>> {
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A namespace of our own, in which this process is from now on.
fn unshared() -> Result<File, Box<dyn Error>> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    Ok(File::open("/proc/self/ns/net")?)
}

/// A cable whose both ends hold packets back. The process is where the far end belongs.
fn netem(near: &File) -> Result<(), Box<dyn Error>> {
    let near = path(near);
    let pair = format!("ip link add far type veth peer name near\nip link set near netns '{}'\n", near.display());
    let delay = |device| format!("tc qdisc add dev {device} root netem delay 1ms limit {QUEUE}\n");
    shell(&pair)?;
    let both = shell(&delay("far")).and_then(|()| within(&near, || shell(&delay("near"))));
    if both.is_err() {
        shell("ip link del far\n")?;
    }
    both
}

fn tuns(near: &File, far: &File) -> Result<[SyncDevice; 2], Box<dyn Error>> {
    let tun = |name| -> Result<SyncDevice, Box<dyn Error>> {
        let device = DeviceBuilder::new().name(name).mtu(1500).build_sync()?;
        device.set_nonblocking(true)?;
        Ok(device)
    };
    setns(near, CloneFlags::CLONE_NEWNET)?;
    let near = tun("near")?;
    setns(far, CloneFlags::CLONE_NEWNET)?;
    Ok([near, tun("far")?])
}

/// Lines that bring up this end of the cable.
fn up(device: &str, number: u8) -> String {
    format!(
        "ip link set lo up\nip address add 10.99.0.{number}/30 dev {device}\n\
         ip link set {device} up txqueuelen {QUEUE}\n"
    )
}

fn tell(near: &File, far: &File, way: &str) -> Result<(), Box<dyn Error>> {
    crate::answer(&Told { near: path(near), far: path(far), way: way.to_owned() })
}

/// Where others find an open file of this process.
fn path(file: &File) -> PathBuf {
    format!("/proc/{}/fd/{}", id(), file.as_raw_fd()).into()
}

fn shell(lines: &str) -> Result<(), Box<dyn Error>> {
    let ended = Command::new("sh").args(["-ec", lines]).stdin(Stdio::null()).output()?;
    if ended.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", lines.lines().next().unwrap_or_default(), String::from_utf8_lossy(&ended.stderr).trim())
        .into())
}
