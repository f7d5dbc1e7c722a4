//! Arguments to what is done: which hosts, each with the scan that probes it. Nothing is sent yet.

use std::net::IpAddr;
use std::sync::Arc;

use hailer::classify::Classifier;
use hailer::{Config, Depth, Family, Host, Lookup, Ports, Scan, Targets, TargetsBuilder};

use super::super::{Failure, wordlists};
use super::args::CheckArgs;

/// What is to be checked, and how.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) hosts: Vec<Asked>,
    pub(super) settings: Settings,
}

/// One host, and what probes it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) host: Host,
    pub(super) scan: Scan,
}

/// What is the same for all hosts.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) lookup: Lookup,
    pub(super) family: Family,
    /// Whose answer is expected.
    pub(super) expected: Option<Arc<str>>,
    pub(super) json: bool,
    pub(super) quiet: bool,
    config: Config,
    classifier: Arc<Classifier>,
    /// Addresses that were named, to which names may therefore lead.
    named: Vec<IpAddr>,
}

impl Plan {
    pub(super) fn new(args: &CheckArgs) -> Result<Self, Failure> {
        let ports = match &args.ports {
            Some(list) => Ports::parse(list).map_err(|error| Failure::usage(format!("-p {list}: {error}")))?,
            None => Ports::default(),
        };
        let family = match (args.ipv4, args.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            (false, false) => Family::Any,
        };
        let host = |word: &String| one_host(word, builder(word)?, &ports, Family::Any);
        let named = args.hosts.iter().map(host).collect::<Result<Vec<_>, _>>()?;
        let named = named.iter().filter_map(|(host, _)| match host {
            Host::Address(ip) => Some(*ip),
            Host::Name(_) | Host::Mx(_) => None,
        });
        let settings = Settings {
            lookup: Lookup::new(&args.resolver)?,
            family,
            expected: args.expect_name.as_deref().map(|word| name(word, &ports)).transpose()?,
            json: args.json,
            quiet: args.quiet,
            config: config(args),
            classifier: wordlists::classifier(args.wordlists.as_deref())?,
            named: named.collect(),
        };
        let asked = |word: &String| {
            let mut targets = builder(word)?;
            for ip in &settings.named {
                targets.vouch(*ip);
            }
            let (host, targets) = one_host(word, targets, &ports, family)?;
            Ok(Asked { host, scan: settings.scan(targets, settings.config.clone())? })
        };
        let hosts = args.hosts.iter().map(asked).collect::<Result<_, Failure>>()?;
        Ok(Self { hosts, settings })
    }
}

impl Settings {
    /// What tells whether these mail exchanges answer: a greeting from each of their addresses.
    pub(super) fn greet(&self, exchanges: &[Arc<str>]) -> Result<Scan, Failure> {
        let mut targets = Targets::builder();
        for ip in &self.named {
            targets.vouch(*ip);
        }
        for name in exchanges {
            // An exchange is named in full: search domains are for people.
            let root = if name.contains('.') { "" } else { "." };
            targets.add(&format!("{name}{root}:25")).map_err(Failure::failed)?;
        }
        let targets = targets.build(&Ports::default(), self.family).map_err(Failure::failed)?;
        self.scan(targets, Config { depth: Depth::Greeting, ..self.config.clone() })
    }

    fn scan(&self, targets: Targets, config: Config) -> Result<Scan, Failure> {
        let classifier = Arc::clone(&self.classifier);
        Ok(Scan::builder().targets(targets).config(config).classifier(classifier).build()?)
    }
}

/// The settings that were given, over the library's defaults: everything is asked, told and written down.
fn config(args: &CheckArgs) -> Config {
    let default = Config::default();
    Config {
        depth: Depth::Tls,
        transcript: true,
        all: true,
        anonymous: args.anonymous,
        ehlo_name: args.ehlo_name.clone(),
        connect_timeout: args.connect_timeout.unwrap_or(default.connect_timeout),
        tls_timeout: args.tls_timeout.unwrap_or(default.tls_timeout),
        mail_greeting_timeout: args.greeting_timeout.unwrap_or(default.mail_greeting_timeout),
        ftp_greeting_timeout: args.greeting_timeout.unwrap_or(default.ftp_greeting_timeout),
        resolvers: args.resolver.clone(),
        roots: args.roots.clone(),
        source: args.source.clone(),
        interface: args.interface.clone(),
        ..default
    }
}

fn builder(word: &str) -> Result<TargetsBuilder, Failure> {
    let mut targets = Targets::builder();
    targets.add(word).map_err(|error| Failure::usage(format!("host '{word}': {error}")))?;
    Ok(targets)
}

/// The targets of one word, if they are one host.
fn one_host(word: &str, targets: TargetsBuilder, ports: &Ports, family: Family) -> Result<(Host, Targets), Failure> {
    let refuse = |words: String| Failure::usage(format!("host '{word}': {words}"));
    let targets = targets.build(ports, family).map_err(|error| refuse(error.to_string()))?;
    let at = |index| targets.endpoint(index).map_err(Failure::failed);
    match (at(0)?, at(targets.len().saturating_sub(1))?) {
        (Some(first), Some(last)) if first.host == last.host => Ok((first.host, targets)),
        _ => Err(refuse("it is more than one host: `hailer scan` sweeps networks".into())),
    }
}

/// A host name as it is compared with others.
fn name(word: &str, ports: &Ports) -> Result<Arc<str>, Failure> {
    let refuse = |words: &str| Failure::usage(format!("--expect-name '{word}': {words}"));
    let mut targets = Targets::builder();
    targets.add(word).map_err(|error| refuse(&error.to_string()))?;
    match one_host(word, targets, ports, Family::Any)?.0 {
        Host::Name(name) => Ok(name.strip_suffix('.').map_or_else(|| Arc::clone(&name), Into::into)),
        Host::Address(_) | Host::Mx(_) => Err(refuse("write a host name, as mail.example.com")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    fn plan(line: &str) -> Result<Plan, String> {
        let words = format!("check {line}");
        let args = CheckArgs::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())?;
        Plan::new(&args).map_err(|failure| match failure {
            Failure::Usage(words) | Failure::Policy(words) | Failure::Failed(words) => words,
        })
    }

    #[test]
    fn hosts_and_their_endpoints() {
        let table = [
            ("10.0.0.5", "10.0.0.5", 5),
            ("10.0.0.5:25", "10.0.0.5", 1),
            ("10.0.0.5 -p 21,2525=smtp", "10.0.0.5", 2),
            ("Mail.Example.com.", "mail.example.com", 5),
            ("mx:example.com:25", "mx:example.com", 1),
            ("[2001:db8::1]:2121=ftp", "2001:db8::1", 1),
        ];
        for (line, host, endpoints) in table {
            let plan = plan(line).unwrap();
            let told: Vec<_> = plan.hosts.iter().map(|it| (it.host.to_string(), it.scan.endpoints())).collect();
            assert_eq!(told, [(host.to_owned(), endpoints)], "{line}");
        }
    }

    #[test]
    fn settings_reach_the_configuration() {
        let line = "10.0.0.5 --anonymous --ehlo-name probe.example --connect-timeout 2 --tls-timeout 3 \
            --greeting-timeout 4 --resolver 10.0.0.53 --expect-name MX1.Example. --json";
        let Plan { settings, .. } = plan(line).unwrap();
        let Settings { config, expected, json, named, .. } = settings;
        let seconds =
            [config.connect_timeout, config.tls_timeout, config.mail_greeting_timeout, config.ftp_greeting_timeout];
        assert_eq!(seconds, [2, 3, 4, 4].map(Duration::from_secs));
        assert_eq!((config.depth, config.transcript, config.all, config.anonymous), (Depth::Tls, true, true, true));
        assert_eq!(config.ehlo_name.as_deref(), Some("probe.example"));
        assert_eq!(config.resolvers, ["10.0.0.53:53".parse().unwrap()]);
        assert_eq!((expected.as_deref(), json), (Some("mx1.example"), true));
        assert_eq!(named, ["10.0.0.5".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let table = [
            ("10.0.0.0/30", "host '10.0.0.0/30': it is more than one host"),
            ("10.0.0.1-10.0.0.2", "host '10.0.0.1-10.0.0.2': it is more than one host"),
            ("10.0.0.300", "host '10.0.0.300': it looks like an address and is none"),
            ("@hosts.txt", "host '@hosts.txt': it is neither an address nor a host name"),
            ("10.0.0.5 -p 4711", "-p 4711: no service is known"),
            ("10.0.0.5 -6", "host '10.0.0.5': no targets: all 1 of them"),
            ("224.0.0.1", "host '224.0.0.1': nothing is left to probe: 224.0.0.0/4 is never probed"),
            ("10.0.0.5 --expect-name 10.0.0.5", "--expect-name '10.0.0.5': write a host name"),
            ("10.0.0.5 --expect-name a..b", "--expect-name 'a..b': it is neither"),
            ("10.0.0.5 --interface nosuch0", "there is no network interface 'nosuch0'"),
        ];
        for (line, expected) in table {
            let words = plan(line).expect_err(line);
            assert!(words.starts_with(expected), "{line}: {words}");
        }
    }
}
