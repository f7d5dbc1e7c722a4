//! What a word names, as bytes that sort as the table of targets is sorted: IPv4, IPv6, names, mail domains; what lies
//! at the same place stands side by side.

/// What is said of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// It is to be probed at the ports of the scan.
    Default,
    /// It is to be probed at the ports with this number.
    Ports(u32),
    /// It is not probed, for the reserved network with this number.
    Reserved(u32),
    /// It is excluded.
    Excluded,
    /// It stands for what is excluded, behind NAT64.
    Translated,
}

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// Addresses of one family from the first to the last.
    Range { ipv6: bool, first: u128, last: u128 },
    /// A name, or a domain whose mail exchanges are meant.
    Name { mx: bool, name: &'a str },
}

const V4: u8 = 0;
const V6: u8 = 1;
const NAME: u8 = 2;
const MX: u8 = 3;

const DEFAULT: u8 = 0;
const PORTS: u8 = 1;
const RESERVED: u8 = 2;
const EXCLUDED: u8 = 3;
const TRANSLATED: u8 = 4;

/// Writes a record in place of what the buffer held.
pub(super) fn encode(place: Place<'_>, mark: Mark, record: &mut Vec<u8>) {
    record.clear();
    match place {
        Place::Range { ipv6: false, first, last } => {
            record.push(V4);
            for end in [first, last] {
                // Numbers of IPv4 addresses have no more than 32 bits.
                record.extend(u32::try_from(end).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
        Place::Range { ipv6: true, first, last } => {
            record.push(V6);
            record.extend(first.to_be_bytes());
            record.extend(last.to_be_bytes());
        }
        Place::Name { mx, name } => {
            record.push(if mx { MX } else { NAME });
            record.extend(name.as_bytes());
            // No name has it, so that a name sorts before those that begin with it.
            record.push(0);
        }
    }
    let (kind, number) = match mark {
        Mark::Default => (DEFAULT, 0),
        Mark::Ports(number) => (PORTS, number),
        Mark::Reserved(number) => (RESERVED, number),
        Mark::Excluded => (EXCLUDED, 0),
        Mark::Translated => (TRANSLATED, 0),
    };
    record.push(kind);
    record.extend(number.to_be_bytes());
}

/// Reads a record, if it is one.
pub(super) fn decode(record: &[u8]) -> Option<(Place<'_>, Mark)> {
    let (kind, rest) = record.split_first()?;
    let (place, [mark, number @ ..]) = rest.split_last_chunk::<5>()?;
    let place = match *kind {
        V4 => {
            let (first, last) = place.split_first_chunk::<4>()?;
            let number = |bytes: [u8; 4]| u128::from(u32::from_be_bytes(bytes));
            Place::Range { ipv6: false, first: number(*first), last: number(last.try_into().ok()?) }
        }
        V6 => {
            let (first, last) = place.split_first_chunk::<16>()?;
            Place::Range {
                ipv6: true,
                first: u128::from_be_bytes(*first),
                last: u128::from_be_bytes(last.try_into().ok()?),
            }
        }
        NAME | MX => Place::Name { mx: *kind == MX, name: str::from_utf8(place.strip_suffix(&[0])?).ok()? },
        _ => return None,
    };
    let number = u32::from_be_bytes(*number);
    let mark = match *mark {
        DEFAULT => Mark::Default,
        PORTS => Mark::Ports(number),
        RESERVED => Mark::Reserved(number),
        EXCLUDED => Mark::Excluded,
        TRANSLATED => Mark::Translated,
        _ => return None,
    };
    Some((place, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_sort_as_their_places_and_come_back() {
        let range = |ipv6, first, last| Place::Range { ipv6, first, last };
        let name = |mx, name| Place::Name { mx, name };
        let places = [
            (range(false, 0, 0), Mark::Default),
            (range(false, 1, 9), Mark::Reserved(7)),
            (range(false, 256, 256), Mark::Default),
            (range(false, 256, 256), Mark::Ports(3)),
            (range(false, 256, u128::from(u32::MAX)), Mark::Excluded),
            (range(true, 0, u128::MAX), Mark::Default),
            (range(true, 1, 1), Mark::Default),
            (range(true, 1, 1), Mark::Translated),
            (name(false, "a"), Mark::Ports(u32::MAX)),
            (name(false, "a-b"), Mark::Default),
            (name(false, "a.b"), Mark::Excluded),
            (name(true, "a"), Mark::Default),
        ];
        let records = places.map(|(place, mark)| {
            let mut record = Vec::new();
            encode(place, mark, &mut record);
            record
        });
        assert!(records.is_sorted());
        for (record, expected) in records.iter().zip(places) {
            assert_eq!(decode(record), Some(expected));
            assert_eq!(decode(&record[..4]), None);
        }
    }
}
