//! What a scan was asked for, as a manifest tells it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::output::hex;
use crate::{Config, Leave, Ports, Scan};

/// The settings of a scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, clippy::struct_excessive_bools, reason = "they are those of `Config`, as text and numbers")]
pub struct Settings {
    pub pace: String,
    pub profile: Option<String>,
    pub ports: String,
    pub concurrency: usize,
    pub connect_timeout_ms: u64,
    #[serde(default)]
    pub learn_connect_timeout: bool,
    pub tls_timeout_ms: u64,
    pub mail_greeting_timeout_ms: u64,
    pub ftp_greeting_timeout_ms: u64,
    pub leave: String,
    pub depth: String,
    /// That of earlier runs, where it was another: some of the rows were asked so much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depths_before: Vec<String>,
    pub anonymous: bool,
    pub ehlo_name: Option<String>,
    pub transcript: bool,
    #[serde(default)]
    pub samples: u32,
    #[serde(default)]
    pub sample_interval_ms: u64,
    #[serde(default)]
    pub decoy: Option<u16>,
    #[serde(default)]
    pub our_addresses: Vec<String>,
    pub all: bool,
    #[serde(default)]
    pub retries: u32,
    pub retry_busy: u32,
    pub canaries: Vec<String>,
    pub canary_interval_ms: u64,
    pub resolvers: Vec<String>,
    pub roots: String,
    /// The folder of wordlists that were laid over those compiled in, absolute.
    #[serde(default)]
    pub wordlists: Option<PathBuf>,
    /// [`crate::classify::Classifier::digest`], in hexadecimal digits.
    #[serde(default)]
    pub wordlists_sha256: String,
    /// The same of earlier runs, where it was another: some rows were named by these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wordlists_before: Vec<String>,
    pub authorised: bool,
    pub source: Vec<String>,
    pub interface: Option<String>,
}

impl Settings {
    /// The settings that a scan was made with. Only [`Scan`] knows its pace, how much is done at once, and who
    /// it says it is; where its wordlists are from, and what earlier runs were, knows nobody here.
    pub fn new(config: &Config, scan: &Scan, ports: &Ports) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let listed: Vec<_> = ports.iter().map(|(port, service)| format!("{port}={service}")).collect();
        Self {
            pace: scan.pace().to_owned(),
            profile: config.profile.map(|profile| profile.to_string()),
            ports: listed.join(","),
            concurrency: scan.concurrency().get(),
            connect_timeout_ms: millis(config.connect_timeout),
            learn_connect_timeout: config.learn_connect_timeout,
            tls_timeout_ms: millis(config.tls_timeout),
            mail_greeting_timeout_ms: millis(config.mail_greeting_timeout),
            ftp_greeting_timeout_ms: millis(config.ftp_greeting_timeout),
            leave: match config.leave {
                Leave::Quit => "quit".into(),
                Leave::Close => "close".into(),
            },
            depth: config.depth.as_str().into(),
            depths_before: Vec::new(),
            anonymous: config.anonymous,
            ehlo_name: scan.ehlo_name().map(str::to_owned),
            transcript: config.transcript,
            samples: config.samples.get(),
            sample_interval_ms: millis(config.sample_interval),
            decoy: config.decoy,
            our_addresses: config.our_addresses.iter().map(ToString::to_string).collect(),
            all: config.all,
            retries: config.retries,
            retry_busy: config.retry_busy,
            canaries: config.canaries.iter().map(|canary| format!("{}={}", canary.address, canary.service)).collect(),
            canary_interval_ms: millis(config.canary_interval),
            resolvers: config.resolvers.iter().map(ToString::to_string).collect(),
            roots: config.roots.to_string(),
            wordlists: None,
            wordlists_before: Vec::new(),
            wordlists_sha256: hex(scan.classifier().digest()),
            authorised: config.authorised,
            source: config.source.iter().map(ToString::to_string).collect(),
            interface: config.interface.clone(),
        }
    }
}
