//! In which dialect of CSV a file is, by its first line.

use crate::output::csv::is_plain_name;
use crate::output::{Column, Delimiter};

/// What the first line of CSV says of how the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    /// What stands between two cells.
    pub delimiter: Delimiter,
    /// Whether a leading `'` may be a guard.
    pub is_guarded: bool,
}

impl Spoken {
    /// Of the delimiters the one that parts the names that are needed; of none, a comma.
    ///
    /// ```
    /// use hailer::inventory::Spoken;
    /// use hailer::output::{Column, Delimiter};
    ///
    /// let spoken = Spoken::of(b"\"ip\";port;banner\r\n", &[Column::Banner]);
    /// assert_eq!(spoken, Spoken { delimiter: Delimiter::Semicolon, is_guarded: false });
    /// ```
    pub fn of(line: &[u8], needed: &[Column]) -> Self {
        let line = line.trim_ascii_end();
        let parts = |delimiter: Delimiter| {
            let mut is_quoted = false;
            line.split(move |byte| {
                is_quoted ^= *byte == b'"';
                !is_quoted && *byte == delimiter.as_byte()
            })
        };
        let is_name = |cell: &[u8], name: Column| without_quotes(cell.trim_ascii()) == name.as_str().as_bytes();
        let has_all =
            |delimiter: &Delimiter| needed.iter().all(|name| parts(*delimiter).any(|cell| is_name(cell, *name)));
        let delimiter = Delimiter::ALL.into_iter().find(has_all).unwrap_or_default();
        let plain = parts(delimiter).filter(|cell| is_plain_name(without_quotes(cell)));
        let is_quoted: Vec<_> = plain.map(|cell| cell.starts_with(b"\"")).collect();
        // So `raw` marks itself; programs that quote names quote all, or those that need it.
        let is_raw = matches!(*is_quoted, [true, ref others @ ..] if !others.is_empty() && !others.contains(&true));
        Self { delimiter, is_guarded: !is_raw }
    }
}

/// A name of a header without the quotes around it.
fn without_quotes(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name)
}
