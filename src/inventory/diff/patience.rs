//! How long scans waited, where one gave up on what another may have waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::Ports;
use crate::manifest::Manifest;
use crate::observation::{Outcome, Service};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A connection.
    Connection,
    /// A TLS handshake.
    Handshake,
    /// The greeting of a mail server.
    MailGreeting,
    /// The greeting of an FTP server.
    FtpGreeting,
}

impl Wait {
    const ALL: [Self; 4] = [Self::Connection, Self::Handshake, Self::MailGreeting, Self::FtpGreeting];

    /// What it is for, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connections",
            Self::Handshake => "TLS handshakes",
            Self::MailGreeting => "greetings of mail servers",
            Self::FtpGreeting => "greetings of FTP servers",
        }
    }

    /// What is told of who does not come in time.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Connection => Outcome::Timeout,
            Self::Handshake => Outcome::TlsFailed,
            Self::MailGreeting | Self::FtpGreeting => Outcome::Silent,
        }
    }

    /// Whether servers of that kind are waited for so.
    fn is_for(self, service: Service) -> bool {
        match self {
            Self::Connection => true,
            Self::Handshake => service.is_implicit_tls(),
            Self::MailGreeting => !service.is_ftp(),
            Self::FtpGreeting => service.is_ftp(),
        }
    }
}

/// That one side waited less long for something than the other, and did so in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shorter {
    /// For what.
    pub wait: Wait,
    /// How long at least.
    pub waited: Duration,
    /// How long the other side did at most.
    pub other: Duration,
}

/// How long a scan waited for what it asked: what for, how long, and whether it gave up on anything.
#[derive(Debug, Default)]
pub(super) struct Patience(Vec<(Wait, u64, bool)>);

impl Patience {
    pub(super) fn of(manifest: &Manifest) -> Self {
        let asked = manifest.scope.iter().flat_map(|scope| &scope.targets);
        // Many targets are asked the same.
        let lists: BTreeSet<_> = asked.map(|asked| asked.ports.as_str()).collect();
        let ports = lists.into_iter().filter_map(|list| Ports::parse(list).ok());
        let asked: BTreeSet<_> = ports.flat_map(|ports| ports.iter().collect::<Vec<_>>()).collect();
        let settings = &manifest.configuration;
        let waits = Wait::ALL.map(|wait| {
            let millis = match wait {
                Wait::Connection => settings.connect_timeout_ms,
                Wait::Handshake => settings.tls_timeout_ms,
                Wait::MailGreeting => settings.mail_greeting_timeout_ms,
                Wait::FtpGreeting => settings.ftp_greeting_timeout_ms,
            };
            let of_wait: Vec<_> = asked.iter().filter(|(_, service)| wait.is_for(*service)).collect();
            let gave_up =
                |counts: &BTreeMap<String, u64>| counts.get(wait.outcome().as_str()).is_some_and(|it| *it > 0);
            let has_given_up = of_wait.iter().any(|(port, _)| manifest.ports.get(port).is_some_and(gave_up));
            (!of_wait.is_empty()).then_some((wait, millis, has_given_up))
        });
        Self(waits.into_iter().flatten().collect())
    }
}

/// Where these scans of one side waited less long than those of the other, and gave up on something.
pub(super) fn shorter(own: &[&Patience], others: &[&Patience]) -> Vec<Shorter> {
    let of = |wait: Wait, all: &[&Patience]| {
        let all = all.iter().flat_map(|it| it.0.iter().copied());
        all.filter(|(other, ..)| *other == wait)
            .map(|(_, millis, has_given_up)| (millis, has_given_up))
            .collect::<Vec<_>>()
    };
    let shorter = |wait: Wait| {
        let other = of(wait, others).into_iter().map(|(millis, _)| millis).max()?;
        let given_up = of(wait, own).into_iter().filter_map(|(millis, has_given_up)| has_given_up.then_some(millis));
        let waited = given_up.min().filter(|waited| *waited < other)?;
        let [waited, other] = [waited, other].map(Duration::from_millis);
        Some(Shorter { wait, waited, other })
    };
    Wait::ALL.into_iter().filter_map(shorter).collect()
}
