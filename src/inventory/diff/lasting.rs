//! What of a cell lasts, where that is not all of it.

use crate::classify::banner_hash;
use crate::observation::Fronting;
use crate::output::escape::unescape;

/// What lasts of a verdict on what stands in front, which is surer one day than another.
pub(super) fn lasting_verdict(fronting: &str) -> Option<Fronting> {
    Fronting::named(fronting).map(|fronting| match fronting {
        Fronting::NotObserved | Fronting::Possible => Fronting::NotObserved,
        Fronting::Likely | Fronting::Confirmed => Fronting::Confirmed,
        Fronting::Nat => Fronting::Nat,
    })
}

/// What lasts of what speaks neither FTP nor mail, as a hash; nothing where that is not known.
///
/// HTTP says the time, and much that is of one answer: its status and who it is last (RFC 9110 §10.2.4). MySQL's handshake
/// has its version up to a NUL, then what is new each time. Of others what is text lasts, and bytes may be anything.
pub(super) fn lasting_words(protocol: Option<&str>, banner: &str) -> Option<[u8; 32]> {
    let bytes = unescape(banner).unwrap_or_else(|| banner.into());
    let words = match protocol {
        Some("http") => {
            let is_of_the_server =
                |line: &&[u8]| line.get(..7).is_some_and(|name| name.eq_ignore_ascii_case(b"server:"));
            let mut lines = bytes.split(|byte| *byte == b'\n');
            lines.next().into_iter().chain(lines.find(is_of_the_server)).collect::<Vec<_>>().join(&b'\n')
        }
        Some("mysql") => {
            // Behind the header of the packet and the version of the protocol.
            let version = bytes.iter().skip(5).take_while(|byte| **byte != 0);
            version.copied().collect()
        }
        Some(_) | None => {
            let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
            (str::from_utf8(&bytes).is_ok() && bytes.iter().all(is_text)).then(|| bytes.clone())?
        }
    };
    Some(banner_hash(&words))
}

/// The hash of a greeting as a cell has it, in which nothing counts that does not last, nor how it ends.
pub(super) fn hash_of_cell(banner: &str) -> [u8; 32] {
    banner_hash(unescape(banner).unwrap_or_else(|| banner.into()).trim_ascii_end())
}

/// What a greeting ends with: postscreen's teaser stands before it.
pub(super) fn last_line(greeting: &[u8]) -> &[u8] {
    let trimmed = greeting.trim_ascii_end();
    let start = trimmed.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    greeting.get(start..).unwrap_or_default()
}

/// Who issued it: the organisation, where it has one, since authorities have several intermediates in turn.
pub(super) fn authority(issuer: &str) -> &str {
    issuer.split(',').map(str::trim).find(|part| part.starts_with("O=")).unwrap_or(issuer)
}

/// A data address without its port, which is another each time: `PASV 192.0.2.9:40001 open`, `EPSV 40002 open`.
pub(super) fn without_port(item: &str) -> String {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let words = item.split(' ').enumerate().filter_map(|(at, word)| match word.rsplit_once(':') {
        Some((address, port)) if at == 1 && is_number(port) => Some(address),
        None if at == 1 && is_number(word) && item.starts_with("EPSV ") => None,
        Some(_) | None => Some(word),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_ports_are_left_out() {
        for (item, expected) in [
            ("PASV 192.0.2.9:40001 open", "PASV 192.0.2.9 open"),
            ("PASV 192.0.2.9:40001", "PASV 192.0.2.9"),
            ("EPSV 40002 open", "EPSV open"),
            ("EPSV refused: 500", "EPSV refused: 500"),
            ("login refused: 530", "login refused: 530"),
        ] {
            assert_eq!(without_port(item), expected);
        }
    }
}
