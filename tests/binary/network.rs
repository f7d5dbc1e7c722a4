//! Networks of the tests' own: two namespaces with a cable between them, made and torn down by each test.
//!
//! Needs root, `ip` and `nft`, and for a long way /dev/net/tun. Nothing that runs here reaches the host's network, nor the other way round.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, id};
use std::thread;

use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use super::peers::{Peer, Step};
use super::program::{run, scan, succeeds, through_shell};
use super::relay::{Delay, Relay, tun};

/// A client and a server, each in a namespace of its own: `10.99.0.1`, `fd99::1` and `10.99.0.2`, `fd99::2`.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) client: String,
    pub(crate) server: String,
}

impl Network {
    /// `client` and `server` are lines of `ip`, `sysctl` or `nft`, run in their namespace behind a common setup.
    pub(crate) fn new(name: &str, client: &str, server: &str) -> Result<Self, String> {
        let network = Self::without_cable(name)?;
        let Self { client: c, server: s } = &network;
        let cable = format!("ip -n {c} link add near type veth peer name far netns {s}");
        succeeds(Command::new("sh").args(["-ec", &cable]))?;
        network.set_up(client, server)?;
        Ok(network)
    }

    /// The same with a relay in place of the cable: every packet is late, and some overtake others.
    pub(crate) fn far_apart(name: &str, delay: Delay, client: &str, server: &str) -> Result<(Self, Relay), String> {
        let network = Self::without_cable(name)?;
        let near = within(&network.client, || tun("near"))?;
        let far = within(&network.server, || tun("far"))?;
        network.set_up(client, server)?;
        Ok((network, Relay::between([near, far], delay)))
    }

    fn without_cable(name: &str) -> Result<Self, String> {
        let namespace = |side: &str| format!("hailer-{}-{name}-{side}", id());
        let network = Self { client: namespace("c"), server: namespace("s") };
        for tool in ["ip -Version", "nft --version"] {
            succeeds(Command::new("sh").args(["-c", tool]))?;
        }
        for namespace in [&network.client, &network.server] {
            let make = format!("ip netns add {namespace}\nip -n {namespace} link set lo up\n");
            succeeds(Command::new("sh").args(["-ec", &make]))?;
        }
        Ok(network)
    }

    /// Addresses for the cable's ends, `near` and `far`; then the lines of each side.
    fn set_up(&self, client: &str, server: &str) -> Result<(), String> {
        for (side, namespace, own, lines) in [("near", &self.client, 1, client), ("far", &self.server, 2, server)] {
            let mut setup = format!(
                "ip address add 10.99.0.{own}/24 dev {side}\nip address add fd99::{own}/64 dev {side} nodad\n\
                 ip link set {side} up\n"
            );
            setup.push_str(lines);
            succeeds(Command::new("ip").args(["netns", "exec", namespace, "sh", "-ec", &setup]))?;
        }
        Ok(())
    }

    /// Runs a scan on the client's side.
    pub(crate) fn scan(&self, words: &[String]) -> Vec<Value> {
        run(&mut self.command(words.iter().map(String::as_str).chain(["--all", "-q"]))).rows()
    }

    /// `hailer scan` with these words, to be run on the client's side.
    pub(crate) fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        through_shell(&["ip", "netns", "exec", &self.client], "", &scan(words))
    }

    /// Runs a line of the shell on the client's side.
    pub(crate) fn change(&self, line: &str) {
        succeeds(Command::new("ip").args(["netns", "exec", &self.client, "sh", "-ec", line])).unwrap();
    }

    /// A connection from the client's side.
    pub(crate) fn connect(&self, to: SocketAddr) -> TcpStream {
        within(&self.client, move || TcpStream::connect(to).unwrap())
    }

    /// A peer on the server's side.
    pub(crate) fn serve(&self, address: &str, steps: impl Into<Vec<Step>>) -> Peer {
        let steps = steps.into();
        Peer::behind(self.listen(address), move || steps.clone())
    }

    /// A socket that listens on the server's side.
    pub(crate) fn listen(&self, address: &str) -> TcpListener {
        let address = address.parse::<SocketAddr>().unwrap();
        within(&self.server, move || TcpListener::bind(address).unwrap())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // A namespace outlives its name as long as a peer listens in it; the cable must not.
        drop(succeeds(Command::new("ip").args(["-n", &self.client, "link", "del", "near"])));
        for namespace in [&self.client, &self.server] {
            drop(succeeds(Command::new("ip").args(["netns", "del", namespace])));
        }
    }
}

/// Makes something in a namespace. That is a thread's; what is made, sockets say, stays in the one where it was made.
fn within<T: Send + 'static>(namespace: &str, make: impl FnOnce() -> T + Send + 'static) -> T {
    let namespace = File::open(format!("/run/netns/{namespace}")).unwrap();
    let made = thread::spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        make()
    });
    made.join().unwrap()
}
