//! Ports and the services expected there: `21,25,2121=ftp,8000-8010=smtp,smtps`.
//!
//! Which service a bare number means comes from `wordlists/ports.toml`; a number that it does not know must be given
//! its service, because who speaks first, and whether TLS comes first, depends on it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use crate::observation::Service;

/// Ports with their services, in ascending order, each port once. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ports(Arc<[(u16, Service)]>);

/// What is wrong with a list of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortsError {
    /// A part is empty, as in `21,,25`.
    #[error("a port is missing: write a comma only between two ports, as in 21,25")]
    Empty,
    /// A part is neither a port, a range of ports, nor a service.
    #[error("'{0}' is not a port: write a number from 1 to 65535, a range as 8000-8010, or one of {names}", names = names())]
    NotAPort(String),
    /// A range runs backwards.
    #[error("the range '{0}' ends before it begins")]
    Backwards(String),
    /// The word after `=` is no service.
    #[error("'{0}' is not a service: write one of {names}", names = names())]
    NotAService(String),
    /// A port without a service that everybody would expect there.
    #[error("no service is known for port {0}: name it, as in {0}=ftp or {0}=smtp")]
    NoService(u16),
    /// One port is asked for as two services.
    #[error("port {port} is asked for both as {first} and as {second}: keep one")]
    Conflict {
        /// The port.
        port: u16,
        /// The service named first.
        first: Service,
        /// The service named after it.
        second: Service,
    },
}

fn names() -> String {
    Service::ALL.map(Service::as_str).join(", ")
}

/// The table in `wordlists/ports.toml`.
struct WellKnown {
    default: Vec<u16>,
    service: BTreeMap<u16, Service>,
}

static WELL_KNOWN: LazyLock<WellKnown> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct File {
        default: Vec<u16>,
        service: BTreeMap<String, String>,
    }
    let file: File = toml::from_str(include_str!("../../wordlists/ports.toml")).unwrap_or_else(|e| {
        unreachable!("wordlists/ports.toml is compiled in and tested: {e}");
    });
    let service =
        file.service.iter().filter_map(|(port, service)| Some((port.parse().ok()?, service_named(service)?))).collect();
    WellKnown { default: file.default, service }
});

fn service_named(word: &str) -> Option<Service> {
    Service::ALL.into_iter().find(|service| service.as_str().eq_ignore_ascii_case(word))
}

impl Ports {
    /// Reads a list of ports.
    ///
    /// ```
    /// use hailer::{Ports, Service};
    ///
    /// let ports = Ports::parse("25,2121=ftp")?;
    /// assert_eq!(ports.iter().collect::<Vec<_>>(), [(25, Service::Smtp), (2121, Service::Ftp)]);
    /// assert!(Ports::parse("4711").is_err());
    /// # Ok::<(), hailer::PortsError>(())
    /// ```
    ///
    /// # Errors
    /// The first part that is wrong, in words.
    pub fn parse(list: &str) -> Result<Self, PortsError> {
        let mut found = BTreeMap::new();
        for item in list.split(',') {
            let item = item.trim();
            if item.is_empty() {
                return Err(PortsError::Empty);
            }
            if let Some(service) = service_named(item) {
                let usual = WELL_KNOWN.default.iter().find(|port| WELL_KNOWN.service.get(port) == Some(&service));
                let port = usual.copied().ok_or_else(|| PortsError::NotAPort(item.to_owned()))?;
                insert(&mut found, port, service)?;
                continue;
            }
            let (numbers, named) = match item.split_once('=') {
                Some((numbers, word)) => {
                    let word = word.trim();
                    let service = service_named(word).ok_or_else(|| PortsError::NotAService(word.to_owned()))?;
                    (numbers.trim(), Some(service))
                }
                None => (item, None),
            };
            let (first, last) = match numbers.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(numbers)?, number(numbers)?),
            };
            if last < first {
                return Err(PortsError::Backwards(numbers.to_owned()));
            }
            for port in first..=last {
                let service = named.or_else(|| WELL_KNOWN.service.get(&port).copied());
                insert(&mut found, port, service.ok_or(PortsError::NoService(port))?)?;
            }
        }
        Ok(found.into_iter().collect())
    }

    /// How many ports there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ports with their services, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, Service)> + '_ {
        self.0.iter().copied()
    }

    /// Where a port stands in the list.
    pub fn position(&self, port: u16) -> Option<usize> {
        self.0.binary_search_by_key(&port, |(port, _)| *port).ok()
    }

    pub(super) fn at(&self, index: usize) -> Option<(u16, Service)> {
        self.0.get(index).copied()
    }
}

impl Default for Ports {
    /// The ports of `wordlists/ports.toml`: 21, 25, 465, 587, 990.
    fn default() -> Self {
        WELL_KNOWN.default.iter().filter_map(|port| Some((*port, *WELL_KNOWN.service.get(port)?))).collect()
    }
}

impl FromIterator<(u16, Service)> for Ports {
    fn from_iter<I: IntoIterator<Item = (u16, Service)>>(ports: I) -> Self {
        Self(ports.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
    }
}

fn insert(ports: &mut BTreeMap<u16, Service>, port: u16, service: Service) -> Result<(), PortsError> {
    match ports.insert(port, service) {
        Some(first) if first != service => Err(PortsError::Conflict { port, first, second: service }),
        _ => Ok(()),
    }
}

fn number(word: &str) -> Result<u16, PortsError> {
    let word = word.trim();
    let digits_only = word.bytes().all(|byte| byte.is_ascii_digit());
    match word.parse() {
        Ok(port) if port > 0 && digits_only => Ok(port),
        _ => Err(PortsError::NotAPort(word.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_table_is_whole() {
        assert_eq!(
            Ports::default().iter().collect::<Vec<_>>(),
            [
                (21, Service::Ftp),
                (25, Service::Smtp),
                (465, Service::Smtps),
                (587, Service::Submission),
                (990, Service::Ftps)
            ]
        );
        assert!(WELL_KNOWN.default.iter().all(|port| WELL_KNOWN.service.contains_key(port)));
        assert_eq!(WELL_KNOWN.service.len(), 8, "every line of ports.toml is understood");
    }

    #[test]
    fn lists_are_read() {
        let table: &[(&str, &[(u16, Service)])] = &[
            ("25", &[(25, Service::Smtp)]),
            ("587, 21", &[(21, Service::Ftp), (587, Service::Submission)]),
            ("2000-2002=ftp", &[(2000, Service::Ftp), (2001, Service::Ftp), (2002, Service::Ftp)]),
            ("smtps,FTPS", &[(465, Service::Smtps), (990, Service::Ftps)]),
            ("25,25", &[(25, Service::Smtp)]),
            ("25=submission", &[(25, Service::Submission)]),
        ];
        for (list, expected) in table {
            assert_eq!(Ports::parse(list).unwrap().iter().collect::<Vec<_>>(), *expected, "{list}");
        }
    }

    #[test]
    fn bad_lists_are_refused_in_words() {
        let table = [
            ("", PortsError::Empty),
            ("21,,25", PortsError::Empty),
            ("0", PortsError::NotAPort("0".into())),
            ("65536", PortsError::NotAPort("65536".into())),
            ("+25", PortsError::NotAPort("+25".into())),
            ("imap", PortsError::NotAPort("imap".into())),
            ("30-20=ftp", PortsError::Backwards("30-20".into())),
            ("2121=sftp", PortsError::NotAService("sftp".into())),
            ("4711", PortsError::NoService(4711)),
            ("25,25=ftp", PortsError::Conflict { port: 25, first: Service::Smtp, second: Service::Ftp }),
        ];
        for (list, expected) in table {
            assert_eq!(Ports::parse(list), Err(expected), "{list}");
        }
    }
}
