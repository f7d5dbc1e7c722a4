//! What single words of the command line mean: rates, times, addresses, numbers within bounds. What is wrong with one is said
//! with what to write.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use hailer::{Canary, Limit, Ports, Rate};

/// What may stand behind EHLO (RFC 5321 §4.1.1.1): a domain with a dot, or an address literal.
pub(super) fn ehlo_name(word: &str) -> Result<String, String> {
    hailer::is_ehlo_name(word)
        .then(|| word.to_owned())
        .ok_or_else(|| "write a host name with a dot, as scan.example.net, or an address literal, as [10.0.0.5] or [IPv6:2001:db8::5]".to_owned())
}

/// How many connections to one endpoint.
pub(super) fn samples(word: &str) -> Result<NonZeroU32, String> {
    let samples = word.parse().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()));
    samples.ok_or_else(|| "write how many connections in all, from 1 to 100".to_owned())
}

/// Connections a second, or `none`.
pub(super) fn limit(word: &str) -> Result<Limit, String> {
    if word == "none" {
        return Ok(Limit::None);
    }
    let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let rate = word.parse().ok().filter(|_| plain).and_then(Rate::per_second);
    rate.map(Limit::Rate)
        .ok_or_else(|| "write connections a second, from 0.0003 (one an hour) to 10000000, or none".to_owned())
}

/// An address with its port, and the service where the port does not say it.
pub(super) fn canary(word: &str) -> Result<Canary, String> {
    let (address, service) = word.split_once('=').map_or((word, None), |(address, service)| (address, Some(service)));
    let address: SocketAddr =
        address.parse().map_err(|_| "write an address and a port, as 10.0.0.5:25 or [2001:db8::1]:25".to_owned())?;
    let port = address.port();
    let port = service.map_or_else(|| port.to_string(), |service| format!("{port}={service}"));
    let ports = Ports::parse(&port).map_err(|error| error.to_string())?;
    let (_, service) = ports.iter().next().ok_or("a port is missing")?;
    Ok(Canary { address, service })
}

/// A DNS server's address, with its port if that is not 53 (RFC 1035 §4.2).
pub(super) fn resolver(word: &str) -> Result<SocketAddr, String> {
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    let address = bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)).ok();
    address
        .or_else(|| word.parse().ok())
        .filter(|address| address.port() != 0)
        .ok_or_else(|| "write an address, as 10.0.0.53, 10.0.0.53:5353 or [2001:db8::53]:5353".to_owned())
}

/// Seconds as a decimal number, or with `s` or `ms` behind it.
pub(super) fn duration(word: &str) -> Result<Duration, String> {
    let (number, scale) = if let Some(number) = word.strip_suffix("ms") {
        (number, 1e-3)
    } else {
        (word.strip_suffix('s').unwrap_or(word), 1.0)
    };
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds = number.parse::<f64>().ok().filter(|_| plain).map(|number| number * scale);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(duration))
        .ok_or_else(|| "write a time from 1ms to 3600s, as 4, 2.5s or 800ms".to_owned())
}

/// How long a connection may take, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectTimeout {
    /// As long as this.
    Fixed(Duration),
    /// As long as answers show to be enough.
    Auto,
}

/// A time, or `auto`.
pub(super) fn connect_timeout(word: &str) -> Result<ConnectTimeout, String> {
    match word {
        "auto" => Ok(ConnectTimeout::Auto),
        _ => duration(word).map(ConnectTimeout::Fixed).map_err(|words| format!("{words}, or auto")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let per_second = |rate| Rate::per_second(rate).map(Limit::Rate);
        let table = [("100", 100.0), ("0.5", 0.5), ("1000000", 1e6), ("0.0003", 0.0003)];
        for (word, rate) in table {
            assert_eq!(limit(word).ok(), per_second(rate), "{word}");
        }
        assert_eq!(limit("none"), Ok(Limit::None));
        for word in ["", "0", "-1", "+1", "1e3", "inf", "nan", "0.0001", "99999999", "None", "1/s"] {
            assert!(limit(word).is_err(), "{word}");
        }
    }

    #[test]
    fn numbers_of_samples() {
        assert_eq!(samples("1").map(NonZeroU32::get), Ok(1));
        assert_eq!(samples("100").map(NonZeroU32::get), Ok(100));
        for word in ["", "0", "-1", "+2", "2.5", "many"] {
            assert!(samples(word).is_err(), "{word}");
        }
    }

    #[test]
    fn canaries_and_resolvers() {
        let shown = |word| canary(word).map(|canary| format!("{} {}", canary.address, canary.service));
        let table = [
            ("10.0.0.5:25", "10.0.0.5:25 smtp"),
            ("10.0.0.5:2121=ftp", "10.0.0.5:2121 ftp"),
            ("[2001:db8::1]:990", "[2001:db8::1]:990 ftps"),
        ];
        for (word, expected) in table {
            assert_eq!(shown(word).as_deref(), Ok(expected));
        }
        for word in ["10.0.0.5", "10.0.0.5:0", "mail.example:25", "10.0.0.5:4711", "10.0.0.5:25=imap", "::1:25=", ""] {
            assert!(canary(word).is_err(), "{word}");
        }
        let table = [
            ("10.0.0.53", "10.0.0.53:53"),
            ("10.0.0.53:5353", "10.0.0.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ];
        for (word, expected) in table {
            assert_eq!(resolver(word).map(|address| address.to_string()).as_deref(), Ok(expected));
        }
        for word in ["", "dns.example", "10.0.0.53:0", "10.0.0.53:", "[::1", "10.0.0.0/8"] {
            assert!(resolver(word).is_err(), "{word}");
        }
    }

    #[test]
    fn times_that_may_be_learnt() {
        assert_eq!(connect_timeout("auto"), Ok(ConnectTimeout::Auto));
        assert_eq!(connect_timeout("2.5s"), Ok(ConnectTimeout::Fixed(Duration::from_millis(2500))));
        assert!(connect_timeout("Auto").unwrap_err().ends_with("or auto"));
    }

    #[test]
    fn durations() {
        let table = [("4", 4000), ("2.5s", 2500), ("800ms", 800), ("0.5", 500), ("3600", 3_600_000)];
        for (word, millis) in table {
            assert_eq!(duration(word), Ok(Duration::from_millis(millis)), "{word}");
        }
        for word in ["", "s", "-1", "+1", "1e3", "inf", "0", "3601", "4m", "4 s"] {
            assert!(duration(word).is_err() && connect_timeout(word).is_err(), "{word}");
        }
    }
}
