//! The real binary against real sockets: what it writes, says and answers with, and what its peers see on the wire.
//!
//! One test crate for all of it links once. Traffic stays on 127.0.0.0/8 and `::1`, or in network namespaces of the
//! tests' own; those need root, `ip` (iproute2), `nft` (nftables) and some /dev/net/tun, `prlimit` or `unshare` (util-linux).
//! What cannot run here says so (`skipped: …`) and passes, but with `HAILER_REQUIRE_ALL=1` in the environment it fails.
//!
//! Linux only: elsewhere 127.0.0.0/8 is one address, and there is no `/proc`, `/dev/full` or namespace.
#![cfg(target_os = "linux")]

// `cfg(test)` tells clippy what these modules are, though nothing here is built without it.
#[cfg(test)]
mod asked_to_stop;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod check;
#[cfg(test)]
mod classify;
#[cfg(test)]
mod delayed;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod depth;
#[cfg(test)]
mod diff;
#[cfg(test)]
#[path = "../../src/target/dns_server.rs"]
mod dns_server;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod farewell;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod further;
#[cfg(test)]
mod good_runs;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod lossy;
#[cfg(test)]
mod manners;
#[cfg(test)]
mod merge;
#[cfg(test)]
mod names;
#[cfg(test)]
mod namespaces;
#[cfg(test)]
mod network;
#[cfg(test)]
mod old_tls;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod overwrite;
#[cfg(test)]
mod page;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod program;
#[cfg(test)]
mod recall;
#[cfg(test)]
mod recipes;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod report;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod shards;
#[cfg(test)]
mod shells;
#[cfg(test)]
mod talkers;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod wordlists;
#[cfg(test)]
mod words_for_people;
#[cfg(test)]
mod workbook;
