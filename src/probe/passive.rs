//! Where FTP data connections go: the answers to PASV (RFC 959 §4.1.2) and EPSV (RFC 2428 §3), as pure functions.

use std::net::{Ipv4Addr, SocketAddrV4};

/// The address in an answer to PASV: six numbers with commas between, wherever they stand, for RFC 959 fixes neither the
/// parentheses nor the words before them (RFC 1123 §4.1.2.6).
pub(super) fn address(reply: &[u8]) -> Option<SocketAddrV4> {
    let text = String::from_utf8_lossy(reply.get(3..)?);
    let is_part = |character: char| character.is_ascii_digit() || character == ',';
    text.split(|character| !is_part(character)).find_map(|part| {
        let numbers: Vec<u8> = part.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [a, b, c, d, high, low] = *numbers else { return None };
        Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])))
    })
}

/// The port in an answer to EPSV: `(|||40002|)`, with any character in place of the bars.
pub(super) fn port(reply: &[u8]) -> Option<u16> {
    let open = reply.iter().position(|byte| *byte == b'(')?;
    let [bar, second, third, rest @ ..] = reply.get(open + 1..)? else { return None };
    if bar != second || bar != third || bar.is_ascii_digit() {
        return None;
    }
    let end = rest.iter().position(|byte| byte == bar)?;
    str::from_utf8(&rest[..end]).ok()?.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("227 Entering Passive Mode (192,0,2,9,156,65).\r\n", Some("192.0.2.9:40001")),
            ("227 Entering Passive Mode 192,0,2,9,156,65\r\n", Some("192.0.2.9:40001")),
            ("227 =192,0,2,9,0,20\r\n", Some("192.0.2.9:20")),
            ("227 mode 2, (0,0,0,0,1,2)\r\n", Some("0.0.0.0:258")),
            ("227 Entering Passive Mode (192,0,2,256,156,65)\r\n", None),
            ("227 Entering Passive Mode (192,0,2,9,156)\r\n", None),
            ("227 Entering Passive Mode (1,2,3,4,5,6,7)\r\n", None),
            ("227 \r\n", None),
            ("22", None),
        ];
        for (reply, expected) in table {
            assert_eq!(address(reply.as_bytes()), expected.map(|text| text.parse().unwrap()), "{reply}");
        }
    }

    #[test]
    fn ports() {
        let table = [
            ("229 Entering Extended Passive Mode (|||40002|)\r\n", Some(40002)),
            ("229 Entering Extended Passive Mode (!!!21!).\r\n", Some(21)),
            ("229 ok (|1|192.0.2.9|40002|)\r\n", None),
            ("229 ok (|||0|)\r\n", None),
            ("229 ok (|||70000|)\r\n", None),
            ("229 ok (|||40002\r\n", None),
            ("229 ok (000800)\r\n", None),
            ("229 ok\r\n", None),
        ];
        for (reply, expected) in table {
            assert_eq!(port(reply.as_bytes()), expected, "{reply}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            address(&bytes);
            port(&bytes);
        }

        #[test]
        fn what_is_written_is_read(a: u8, b: u8, c: u8, d: u8, number in 1u16..) {
            let [high, low] = number.to_be_bytes();
            let reply = format!("227 Entering Passive Mode ({a},{b},{c},{d},{high},{low})\r\n");
            prop_assert_eq!(address(reply.as_bytes()), Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), number)));
            prop_assert_eq!(port(format!("229 x (|||{number}|)\r\n").as_bytes()), Some(number));
        }
    }
}
