//! The system's resolver, as it is set up: hosts file, DNS, whatever else.

use std::io;
use std::net::IpAddr;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use futures::future::BoxFuture;

use super::names::{Exchange, NoAddress, Resolve};

/// Asks the system. tokio's own call does not tell a name without an address from a server that does not answer.
#[derive(Debug)]
pub(crate) struct Resolver;

impl Resolve for Resolver {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NoAddress>> {
        let name = name.to_owned();
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || addresses(&name)).await;
            asked.unwrap_or_else(|error| Err(NoAddress::Unknown(error.to_string().into())))
        })
    }

    fn exchanges<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Exchange>, NoAddress>> {
        Box::pin(async { Err(NoAddress::Unknown("mail exchanges cannot be asked for yet".into())) })
    }
}

fn addresses(name: &str) -> Result<Vec<IpAddr>, NoAddress> {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let answer = getaddrinfo(Some(name), None, Some(hints)).map_err(|error| {
        let kind = error.kind();
        let reason = io::Error::from(error).to_string().into();
        match kind {
            LookupErrorKind::NoName | LookupErrorKind::NoData => NoAddress::None(reason),
            _ => NoAddress::Unknown(reason),
        }
    })?;
    // An entry that cannot be read is of a family that is neither.
    let mut addresses: Vec<_> = answer.flatten().map(|entry| entry.sockaddr.ip()).collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
}
