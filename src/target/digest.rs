//! What a set of targets is, in 32 bytes, whatever words named it.
//!
//! Everything that is hashed begins with a letter and has a width of its own, or says how long it is, so that no two
//! sets are hashed alike.

use std::net::IpAddr;

use ring::digest::{Context, SHA256};

use super::Family;
use super::exclusions::Exclusions;
use super::ports::Ports;

/// A digest under way. Spans and names come in the order of the table, which is the same for the same set.
pub(super) struct Fingerprint {
    hash: Context,
    ports: Option<u32>,
}

impl Default for Fingerprint {
    fn default() -> Self {
        // ring's takes a third less time than sha2's where the processor has no instructions for it.
        Self { hash: Context::new(&SHA256), ports: None }
    }
}

impl Fingerprint {
    pub(super) fn span(&mut self, ipv6: bool, first: u128, last: u128) {
        self.hash.update(if ipv6 { b"6" } else { b"4" });
        self.hash.update(&first.to_be_bytes());
        self.hash.update(&last.to_be_bytes());
    }

    pub(super) fn name(&mut self, mx: bool, name: &str) {
        self.hash.update(if mx { b"m" } else { b"n" });
        self.text(name);
    }

    pub(super) fn excluded_name(&mut self, mx: bool, name: &str) {
        self.hash.update(if mx { b"M" } else { b"N" });
        self.text(name);
    }

    /// The ports of what comes next; equal sets have equal numbers.
    pub(super) fn ports(&mut self, number: u32, ports: &Ports) {
        if self.ports.replace(number) == Some(number) {
            return;
        }
        self.hash.update(b"p");
        for (port, service) in ports.iter() {
            self.hash.update(&port.to_be_bytes());
            self.text(service.as_str());
        }
        // No port has this number.
        self.hash.update(&[0, 0]);
    }

    pub(super) fn finish(mut self, family: Family, exclusions: &Exclusions) -> [u8; 32] {
        for (first, last) in exclusions.iter() {
            self.hash.update(if first.is_ipv6() { b"X" } else { b"x" });
            for end in [first, last] {
                match end {
                    IpAddr::V4(ip) => self.hash.update(&ip.octets()),
                    IpAddr::V6(ip) => self.hash.update(&ip.octets()),
                }
            }
        }
        self.hash.update(match family {
            Family::Any => b"fa",
            Family::V4 => b"f4",
            Family::V6 => b"f6",
        });
        let mut digest = [0; 32];
        digest.copy_from_slice(self.hash.finish().as_ref());
        digest
    }

    fn text(&mut self, text: &str) {
        // Names have at most 253 bytes, services fewer.
        self.hash.update(&[u8::try_from(text.len()).unwrap_or(u8::MAX)]);
        self.hash.update(text.as_bytes());
    }
}
