//! Which of two versions is later, as the servers that are found here number them: `1.3.5rc4`, `1.3.5`, `1.3.5e`, `4.90`,
//! `8.18.1`, `15.2 (Build 2507.6)`.

use std::cmp::Ordering;

/// What stands in a version.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Letters that say that it comes before what they follow: `rc`, `beta`.
    Before(String),
    /// The end.
    End,
    /// Other letters, as `e` in `1.3.5e` or `p` in `8.4p1`.
    Letters(String),
    /// A number, without leading noughts: no version is too long for it.
    Number(String),
}

impl Piece {
    const fn kind(&self) -> u8 {
        match self {
            Self::Before(_) => 0,
            Self::End => 1,
            Self::Letters(_) => 2,
            Self::Number(_) => 3,
        }
    }
}

const BEFORE: [&str; 9] = ["a", "alpha", "b", "beta", "dev", "pre", "preview", "rc", "snapshot"];

/// How the first stands to the second; what has no number is no version. `1.0` is `1`.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    if ![one, other].iter().all(|version| version.contains(|c: char| c.is_ascii_digit())) {
        return Ordering::Equal;
    }
    let (mut one, mut other) = (pieces(one), pieces(other));
    loop {
        let (first, second) = (one.next().unwrap_or(Piece::End), other.next().unwrap_or(Piece::End));
        let ordering = match (&first, &second) {
            (Piece::End, Piece::End) => return Ordering::Equal,
            (Piece::End, Piece::Number(more)) | (Piece::Number(more), Piece::End) if more.is_empty() => Ordering::Equal,
            (Piece::Number(one), Piece::Number(other)) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
            (Piece::Letters(one), Piece::Letters(other)) | (Piece::Before(one), Piece::Before(other)) => one.cmp(other),
            (one, other) => one.kind().cmp(&other.kind()),
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

fn pieces(version: &str) -> impl Iterator<Item = Piece> {
    let mut rest = version;
    let mut before = None;
    std::iter::from_fn(move || {
        let separated = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_apart = separated.len() < rest.len();
        let first = separated.chars().next()?;
        let is_number = first.is_ascii_digit();
        let end = separated.find(|c: char| !c.is_ascii_alphanumeric() || c.is_ascii_digit() != is_number);
        let (piece, after) = separated.split_at(end.unwrap_or(separated.len()));
        rest = after;
        let follows_number = before.replace(is_number) == Some(true) && !is_apart;
        if is_number {
            return Some(Piece::Number(piece.trim_start_matches('0').to_owned()));
        }
        let letters = piece.to_ascii_lowercase();
        // `1.3.5a` is a version of its own, `1.3.5a1` and `1.3.5-a` come before it.
        let is_letter_of_its_own =
            letters.len() == 1 && follows_number && !after.starts_with(|c: char| c.is_ascii_digit());
        let is_before = BEFORE.contains(&letters.as_str()) && !is_letter_of_its_own;
        Some(if is_before { Piece::Before(letters) } else { Piece::Letters(letters) })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn later_versions_are_later() {
        let table: [&[&str]; 6] = [
            &["1.3.5rc1", "1.3.5rc4", "1.3.5", "1.3.5a", "1.3.5e", "1.3.6", "1.3.10"],
            &["4.9", "4.90", "4.90.1", "4.98.2", "4.100"],
            &["1.0-beta", "1.0", "1.0.1"],
            &["8.4", "8.4p1", "8.4p2", "8.5"],
            &["15.1 (Build 2507.6)", "15.2 (Build 2507.6)", "15.2 (Build 2507.61)"],
            &["2.0a1", "2.0b2", "2.0"],
        ];
        for versions in table {
            for (at, one) in versions.iter().enumerate() {
                for (other_at, other) in versions.iter().enumerate() {
                    assert_eq!(compare(one, other), at.cmp(&other_at), "{one} and {other}");
                }
            }
        }
        assert_eq!(compare("01.2", "1.02"), Ordering::Equal);
        for (one, other) in [("", ""), ("10.0.14393.0", "10.0.14393"), ("unknown", "3.0"), ("0", "0.0")] {
            assert_eq!(compare(one, other), Ordering::Equal, "{one} and {other}");
        }
    }

    proptest! {
        #[test]
        fn the_other_way_round_is_the_other_way_round(one in "[0-9a-rc. ]{0,12}", other in "[0-9a-rc. ]{0,12}") {
            prop_assert_eq!(compare(&one, &other), compare(&other, &one).reverse());
            prop_assert_eq!(compare(&one, &one), Ordering::Equal);
        }
    }
}
