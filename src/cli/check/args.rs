//! What can be written behind `hailer check`: syntax and nothing else.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::{PathBufValueParser, TypedValueParser};
use hailer::Roots;

use super::super::values::{duration, ehlo_name, resolver};

const AFTER: &str = "\
How hosts are written:
  mail.example.com  10.0.0.5  2001:db8::1      a name, with all its addresses; an address
  mx:example.com                               the mail exchanges of a domain
  host:2525=smtp  [2001:db8::1]:25             with ports of their own

A name is not followed into private or loopback space unless the address is named, too: `check mail.internal 10.0.0.5`.

Exit codes: 0 nothing of high severity, 1 nothing could be checked, 2 usage, 3 stopped, 4 refused by policy, 5 a finding \
of high severity, or another name than the expected one. Of several hosts 5 comes first, then 1, then 4.

Check only what you own or are asked to check.";

// Under which words the options are shown.
const ANSWER: &str = "Answer";
const DEPTH: &str = "Depth";
const PATIENCE: &str = "Patience";
const NETWORK: &str = "Network";

#[derive(Debug, Parser)]
#[command(after_help = AFTER)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(in super::super) struct CheckArgs {
    /// Whom to check: names, addresses, mx:DOMAIN; one after the other
    #[arg(required = true, value_name = "HOST")]
    pub(super) hosts: Vec<String>,

    /// Ports and services, as 21,25,2121=ftp [default: 21,25,465,587,990]
    #[arg(short, long, value_name = "PORTS")]
    pub(super) ports: Option<String>,

    /// IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub(super) ipv4: bool,

    /// IPv6 only
    #[arg(short = '6')]
    pub(super) ipv6: bool,

    /// Say whether this server answers, and not another: its name must be in the greeting, the answer to EHLO or the certificate
    #[arg(long, value_name = "NAME", help_heading = ANSWER)]
    pub(super) expect_name: Option<String>,

    /// One JSON document for each host, in a line
    #[arg(long, help_heading = ANSWER)]
    pub(super) json: bool,

    /// Say nothing on stderr of what is under way
    #[arg(short, long, help_heading = ANSWER)]
    pub(super) quiet: bool,

    /// Who we say we are in EHLO: a host name with a dot, or an address literal as [10.0.0.5] [default: this machine's name if it has a dot, otherwise the address that we connect from]
    #[arg(long, value_name = "NAME", value_parser = ehlo_name, help_heading = DEPTH)]
    pub(super) ehlo_name: Option<String>,

    /// Log in to FTP servers as anonymous, and ask where data connections would go; nothing is transferred
    #[arg(long, help_heading = DEPTH)]
    pub(super) anonymous: bool,

    /// How long a connection may take, as 4, 2.5s or 800ms [default: 4s]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = PATIENCE)]
    pub(super) connect_timeout: Option<Duration>,

    /// How long a TLS handshake may take [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = PATIENCE)]
    pub(super) tls_timeout: Option<Duration>,

    /// How long a greeting may take in all [default: 30s on mail ports, 15s on FTP]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = PATIENCE)]
    pub(super) greeting_timeout: Option<Duration>,

    /// Connect from this address; may be given once for each address family
    #[arg(long, value_name = "ADDRESS", help_heading = NETWORK)]
    pub(super) source: Vec<IpAddr>,

    /// Connect through this network interface
    #[arg(long, value_name = "NAME", help_heading = NETWORK)]
    pub(super) interface: Option<String>,

    /// Ask this DNS server and not the system's, nor its hosts file; may repeat
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = resolver, help_heading = NETWORK)]
    pub(super) resolver: Vec<SocketAddr>,

    /// By which authorities certificates are judged: the public ones compiled in, those that this system trusts, or those in a PEM file and no others
    #[arg(long, value_name = "webpki|system|FILE", default_value_t = Roots::default(), value_parser = PathBufValueParser::new().map(Roots::from), help_heading = DEPTH)]
    pub(super) roots: Roots,

    /// Name servers by the wordlists in this folder, too: ftp.toml, smtp.toml, fronts.toml, or some of these, added to those compiled in
    #[arg(long, value_name = "FOLDER", help_heading = DEPTH)]
    pub(super) wordlists: Option<PathBuf>,
}
