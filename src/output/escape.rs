//! What peers say, made inert: for terminals, for spreadsheets, for whatever reads a line at a time.
//!
//! [`escape`] turns any bytes into printable text on one line. It loses nothing: [`unescape`] gives the bytes back.
//!
//! | written | stands for |
//! |---|---|
//! | `\r` `\n` `\\` | CR, LF and the backslash itself |
//! | `\xNN` | one byte of what is not printable, or not UTF-8 |
//! | `\;` | a semicolon inside an item of a list in CSV |
//! | anything else | itself |
//!
//! Not printable are control characters (C0, DEL, C1, TAB among them), format characters (bidi controls, zero-width
//! joiners, tags), other characters that show nothing (variation selectors, fillers), line and paragraph separators,
//! private use and noncharacters. Unassigned characters stay: a reader with a newer Unicode knows them, and others show
//! a box. Combining marks stay, too: they are how many scripts are written.
//!
//! CSV has one more danger, and one more guard: see [`guard`].

use std::borrow::Cow;

use super::cell::{hex_digits, push_ascii};

/// Bytes as printable text on one line.
///
/// ```
/// use hailer::output::escape::{escape, unescape};
///
/// let line = escape(b"220 caf\xc3\xa9 \x1b[2J \xff\r\n");
/// assert_eq!(line, r"220 café \x1b[2J \xff\r\n");
/// assert_eq!(unescape(&line).as_deref(), Some(&b"220 caf\xc3\xa9 \x1b[2J \xff\r\n"[..]));
/// ```
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    push_escaped(&mut out, bytes);
    out
}

/// The bytes that an escaped text stands for; none where it holds an escape that [`escape`] does not write.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'\\' { unescape_one(&mut rest)? } else { byte });
    }
    Some(bytes)
}

/// Whether a cell of CSV would be a formula to a spreadsheet, or could not be told from one that was guarded.
///
/// A cell that a peer can influence gets a leading `'` where it begins, after any blanks, with one of `= + - @` or its
/// full-width form, which spreadsheets take for the same. TAB, CR and NUL, which some skip, are escaped before. A cell
/// that begins with `'` gets another one, so that [`unguard`] always gives the cell back.
///
/// ```
/// use hailer::output::escape::{guard, unguard};
///
/// assert!(guard("=HYPERLINK(1)") && guard(" +1") && guard("＠SUM(1)") && guard("'quoted'"));
/// assert!(!guard("220 a=b"));
/// assert_eq!(unguard("'=HYPERLINK(1)"), "=HYPERLINK(1)");
/// assert_eq!(unguard("''quoted'"), "'quoted'");
/// assert_eq!(unguard("220 a=b"), "220 a=b");
/// assert_eq!(unguard("'t was"), "'t was");
/// ```
pub fn guard(cell: &str) -> bool {
    cell.starts_with('\'') || cell.trim_start().starts_with(begins_formula)
}

/// A cell of CSV without the `'` of its [`guard`]; for columns that a peer can influence. A `'` that guards nothing is part
/// of the cell: another program may have written it.
pub fn unguard(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| guard(rest)).unwrap_or(cell)
}

/// The items of a list in CSV, after [`unguard`]; each is still to be given to [`unescape`].
///
/// ```
/// use hailer::output::escape::split_list;
///
/// assert_eq!(split_list(r"a.example; b\; c; d"), ["a.example", r"b\; c", "d"]);
/// assert!(split_list("").is_empty());
/// ```
pub fn split_list(cell: &str) -> Vec<&str> {
    let mut items = Vec::new();
    if cell.is_empty() {
        return items;
    }
    let mut start = 0;
    let mut bytes = cell.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == b';' {
            items.push(&cell[start..at]);
            start = at + 1 + usize::from(cell[at + 1..].starts_with(' '));
        }
    }
    items.push(&cell[start..]);
    items
}

/// Appends escaped bytes.
pub(super) fn push_escaped(out: &mut String, bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        return push_escaped_text(out, text);
    }
    for chunk in bytes.utf8_chunks() {
        push_escaped_text(out, chunk.valid());
        push_escaped_bytes(out, chunk.invalid());
    }
}

/// Appends escaped text.
pub(super) fn push_escaped_text(out: &mut String, text: &str) {
    let mut rest = text;
    loop {
        let plain = find_byte(rest, |byte| !matches!(byte, b' '..=b'~') || byte == b'\\').unwrap_or(rest.len());
        let (before, from) = rest.split_at(plain);
        out.push_str(before);
        let mut characters = from.chars();
        let Some(character) = characters.next() else { return };
        match character {
            '\r' => out.push_str(r"\r"),
            '\n' => out.push_str(r"\n"),
            '\\' => out.push_str(r"\\"),
            _ if is_printable(character) => out.push(character),
            _ => push_escaped_bytes(out, character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = characters.as_str();
    }
}

/// Text that should be in escaped form already, and may not be where somebody else wrote it, or that people read, with
/// commands and quotes in it: backslashes stay, and what is not printable is escaped.
///
/// ```
/// use hailer::output::escape::inert;
///
/// assert_eq!(inert("run 'it'\\''s' \u{1b}[2J".into()), r"run 'it'\''s' \x1b[2J");
/// ```
pub fn inert(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.chars().all(is_printable) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    push_inert(&mut out, &text);
    Cow::Owned(out)
}

/// Appends such text.
pub(super) fn push_inert(out: &mut String, text: &str) {
    for (index, part) in text.split('\\').enumerate() {
        out.push_str(if index > 0 { "\\" } else { "" });
        push_escaped_text(out, part);
    }
}

/// Escapes what is not printable in the JSON that begins there, which stays the same JSON: such characters stand in strings
/// alone, for which JSON has `\uNNNN`.
pub(crate) fn make_json_inert(json: &mut String, start: usize) {
    let Some(plain) = find_byte(&json[start..], |byte| !matches!(byte, b' '..=b'~')) else { return };
    if json[start + plain..].chars().all(is_printable) {
        return;
    }
    let text = json.split_off(start + plain);
    for character in text.chars() {
        if is_printable(character) {
            json.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let [high, low] = unit.to_be_bytes();
            push_ascii(json, b"\\u");
            for byte in [high, low] {
                push_ascii(json, &hex_digits(byte));
            }
        }
    }
}

/// Appends an escaped item of a list in CSV.
pub(super) fn push_escaped_item(out: &mut String, item: &str) {
    for (index, part) in item.split(';').enumerate() {
        if index > 0 {
            out.push_str(r"\;");
        }
        push_escaped_text(out, part);
    }
}

/// Appends `\xNN` for each byte.
pub(super) fn push_escaped_bytes(out: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        let [high, low] = hex_digits(byte);
        push_ascii(out, &[b'\\', b'x', high, low]);
    }
}

/// Where the first byte is that `is_special`. Most texts hold none: sixteen bytes at a time are asked without a branch.
pub(super) fn find_byte(text: &str, is_special: impl Fn(u8) -> bool) -> Option<usize> {
    const STEP: usize = 16;
    let bytes = text.as_bytes();
    if bytes.first().is_some_and(|&byte| is_special(byte)) {
        return Some(0);
    }
    let has_special = |step: &[u8]| step.iter().fold(false, |found, &byte| found | is_special(byte));
    let quiet = STEP * bytes.chunks_exact(STEP).take_while(|step| !has_special(step)).count();
    bytes[quiet..].iter().position(|&byte| is_special(byte)).map(|at| quiet + at)
}

/// Whether a spreadsheet takes a cell that begins with this for a formula.
pub(super) const fn begins_formula(character: char) -> bool {
    matches!(character, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
}

fn unescape_one(rest: &mut impl Iterator<Item = u8>) -> Option<u8> {
    match rest.next()? {
        b'r' => Some(b'\r'),
        b'n' => Some(b'\n'),
        same @ (b'\\' | b';') => Some(same),
        b'x' => {
            let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit()? << 4 | digit()?)
        }
        _ => None,
    }
}

fn is_printable(character: char) -> bool {
    /// Unicode 16: general categories Cc, Cf, Co, Zl and Zp, default-ignorable code points and noncharacters below the
    /// planes of tags and private use; the test below holds them against the `regex` crate's tables.
    const NOT_PRINTABLE: [(char, char); 29] = [
        ('\u{0}', '\u{1f}'),
        ('\u{7f}', '\u{9f}'),
        ('\u{ad}', '\u{ad}'),
        ('\u{34f}', '\u{34f}'),
        ('\u{600}', '\u{605}'),
        ('\u{61c}', '\u{61c}'),
        ('\u{6dd}', '\u{6dd}'),
        ('\u{70f}', '\u{70f}'),
        ('\u{890}', '\u{891}'),
        ('\u{8e2}', '\u{8e2}'),
        ('\u{115f}', '\u{1160}'),
        ('\u{17b4}', '\u{17b5}'),
        ('\u{180b}', '\u{180f}'),
        ('\u{200b}', '\u{200f}'),
        ('\u{2028}', '\u{202e}'),
        ('\u{2060}', '\u{206f}'),
        ('\u{3164}', '\u{3164}'),
        ('\u{e000}', '\u{f8ff}'),
        ('\u{fdd0}', '\u{fdef}'),
        ('\u{fe00}', '\u{fe0f}'),
        ('\u{feff}', '\u{feff}'),
        ('\u{ffa0}', '\u{ffa0}'),
        ('\u{fff0}', '\u{fffb}'),
        ('\u{110bd}', '\u{110bd}'),
        ('\u{110cd}', '\u{110cd}'),
        ('\u{13430}', '\u{1343f}'),
        ('\u{1bca0}', '\u{1bca3}'),
        ('\u{1d173}', '\u{1d17a}'),
        ('\u{e0000}', char::MAX),
    ];
    let is_noncharacter = u32::from(character) & 0xfffe == 0xfffe;
    let next = NOT_PRINTABLE.partition_point(|&(_, last)| last < character);
    !is_noncharacter && NOT_PRINTABLE.get(next).is_none_or(|&(first, _)| character < first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    #[test]
    fn printable_is_what_unicode_says() {
        let hidden = r"[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]";
        let hidden = Regex::new(hidden).unwrap();
        for character in '\0'..'\u{e0000}' {
            let text = character.encode_utf8(&mut [0; 4]).to_owned();
            assert_eq!(is_printable(character), !hidden.is_match(&text), "U+{:04X}", u32::from(character));
        }
        assert!(('\u{e0000}'..=char::MAX).all(|character| !is_printable(character)));
    }

    #[test]
    fn what_is_not_printable_is_escaped() {
        for (bytes, text) in [
            (&b"220 ready\r\n"[..], r"220 ready\r\n"),
            (b"C:\\ftp\t\0\x7f", r"C:\\ftp\x09\x00\x7f"),
            ("\u{9b}31m \u{202e}moc \u{2028}".as_bytes(), r"\xc2\x9b31m \xe2\x80\xaemoc \xe2\x80\xa8"),
            (b"\xe2\x82 \xc0\xaf", r"\xe2\x82 \xc0\xaf"),
            ("Grüße, 東京, नमस्ते".as_bytes(), "Grüße, 東京, नमस्ते"),
        ] {
            assert_eq!(escape(bytes), text);
        }
    }

    #[test]
    fn what_was_never_escaped_is_not_unescaped() {
        for text in [r"\", r"\t", r"\x", r"\x1", r"\xg0", r"\x+1"] {
            assert_eq!(unescape(text), None, "{text}");
        }
        assert_eq!(unescape(r"\;\x3B").as_deref(), Some(&b";;"[..]));
    }

    #[test]
    fn json_that_is_inert_is_the_same_json() {
        let text = "a\u{9b}31m \u{202e}\u{e0001}\u{7f} Grüße \u{1b}\"";
        let mut json = "\u{9b}".to_owned();
        json.push_str(&serde_json::json!({ text: [text] }).to_string());
        make_json_inert(&mut json, 2);
        let inert = json.strip_prefix('\u{9b}').unwrap();
        assert!(inert.chars().all(is_printable) && inert.contains(r"\u009b31m \u202e\udb40\udc01"), "{inert}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(inert).unwrap(), serde_json::json!({ text: [text] }));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = escape(&bytes);
            prop_assert!(text.chars().all(is_printable));
            prop_assert_eq!(unescape(&text), Some(bytes));
        }

        #[test]
        fn no_character_is_lost(text in any::<String>()) {
            prop_assert_eq!(unescape(&escape(text.as_bytes())), Some(text.into_bytes()));
        }

        #[test]
        fn lists_come_apart_as_they_were_joined(items in proptest::collection::vec("([;\\\\ '=a]|\\PC){0,6}", 0..5)) {
            prop_assume!(items != [""]);
            let mut cell = String::new();
            for (index, item) in items.iter().enumerate() {
                cell.push_str(if index > 0 { "; " } else { "" });
                push_escaped_item(&mut cell, item);
            }
            let read: Vec<_> = split_list(&cell).into_iter().filter_map(unescape).collect();
            prop_assert_eq!(read, items.into_iter().map(String::into_bytes).collect::<Vec<_>>());
        }
    }
}
