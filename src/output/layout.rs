//! How rows are laid out: in which format, what of a row and in which order, and for CSV in which dialect.
//!
//! | profile | for | bytes | cells |
//! |---|---|---|---|
//! | `default` | every reader | UTF-8, LF | guarded against formulas |
//! | `excel` | spreadsheets | byte order mark, CRLF | guarded; times as `2026-11-21 03:11:00`, cut at 32,767 characters |
//! | `raw` | programs | UTF-8, LF | as they are |
//!
//! Every profile keeps a row on one line, in the escaped form of [`escape`](super::escape). What was written in any of
//! them is read back by [`inventory`](crate::inventory).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Format;
use super::field::{Extra, Field};
use super::row::Column;

/// For whom CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CsvProfile {
    /// For every reader.
    #[default]
    Default,
    /// For spreadsheets.
    Excel,
    /// For programs.
    Raw,
}

impl CsvProfile {
    /// The name that it has on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Excel => "excel",
            Self::Raw => "raw",
        }
    }
}

/// What stands between two cells of CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Delimiter {
    /// `,`
    #[default]
    Comma,
    /// `;`, which spreadsheets split at where a comma is the decimal mark.
    Semicolon,
    /// TAB
    Tab,
    /// `|`
    Bar,
}

impl Delimiter {
    /// All of them, the likeliest first.
    pub const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Bar];

    /// The character.
    pub const fn as_char(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Semicolon => ';',
            Self::Tab => '\t',
            Self::Bar => '|',
        }
    }

    /// The same as a byte.
    pub const fn as_byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Bar => b'|',
        }
    }
}

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "tab" | "\\t" => Ok(Self::Tab),
            word => {
                let known = Self::ALL.into_iter().find(|delimiter| word.chars().eq([delimiter.as_char()]));
                known.ok_or_else(|| "write ',', ';', '|' or tab".to_owned())
            }
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tab => f.write_str("tab"),
            Self::Comma | Self::Semicolon | Self::Bar => write!(f, "{}", self.as_char()),
        }
    }
}

/// How CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dialect {
    /// For whom.
    pub profile: CsvProfile,
    /// With what between two cells.
    pub delimiter: Delimiter,
}

impl Dialect {
    /// Whether numbers have a decimal comma: a spreadsheet that splits at semicolons would take `1.5` for a day in May.
    pub(crate) fn has_decimal_comma(self) -> bool {
        self.profile == CsvProfile::Excel && self.delimiter == Delimiter::Semicolon
    }

    /// How a line ends.
    pub(crate) const fn line_end(self) -> &'static str {
        match self.profile {
            CsvProfile::Excel => "\r\n",
            CsvProfile::Default | CsvProfile::Raw => "\n",
        }
    }
}

/// How lines for people look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Look {
    /// No line is wider, in columns of a terminal.
    pub width: usize,
    /// Whether they are coloured, by escape sequences.
    pub is_coloured: bool,
}

impl Default for Look {
    /// 120 columns without colour.
    fn default() -> Self {
        Self { width: 120, is_coloured: false }
    }
}

/// What of a row is written: all of it, or some, in an order of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Fields(Option<Arc<[Field]>>);

impl Fields {
    /// These, in this order.
    ///
    /// # Errors
    /// The name that is none, or that is there twice, and what to do.
    ///
    /// ```
    /// use hailer::output::Fields;
    ///
    /// assert!(Fields::named(["ip", "port", "software"]).is_ok());
    /// assert_eq!(Fields::named(["ip", "prot"]).unwrap_err(), "there is no column 'prot'");
    /// assert_eq!(Fields::named(["ip", "ip"]).unwrap_err(), "the column 'ip' is named twice");
    /// ```
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut fields = Vec::new();
        for name in names {
            let shown = name.escape_debug();
            let field = Field::named(name).ok_or_else(|| format!("there is no column '{shown}'"))?;
            if fields.contains(&field) {
                return Err(format!("the column '{shown}' is named twice"));
            }
            fields.push(field);
        }
        if fields.is_empty() {
            return Err("no column is named".to_owned());
        }
        Ok(Self(Some(fields.into())))
    }

    /// All of them but one.
    #[must_use]
    pub fn without(&self, extra: Extra) -> Self {
        Self(Some(self.list().iter().copied().filter(|field| *field != Field::Extra(extra)).collect()))
    }

    /// In their order.
    pub fn list(&self) -> &[Field] {
        self.0.as_deref().unwrap_or(Field::all())
    }

    /// The columns among them.
    pub fn columns(&self) -> impl Iterator<Item = Column> + '_ {
        self.list().iter().filter_map(|field| match field {
            Field::Column(column) => Some(*column),
            Field::Extra(_) => None,
        })
    }

    /// The first that CSV has no cell for, where some were chosen.
    pub fn beyond_csv(&self) -> Option<Extra> {
        self.0.as_deref().unwrap_or_default().iter().find_map(|field| match field {
            Field::Column(_) => None,
            Field::Extra(extra) => Some(*extra),
        })
    }

    /// Whether it is all of them, in their usual order.
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }
}

/// How rows are laid out. A [`Format`] alone is its usual layout.
///
/// ```
/// use hailer::output::{Fields, Format, Layout, RowSink, RowWriter};
/// use hailer::{Observation, Outcome, Service};
/// use std::time::SystemTime;
///
/// let mut layout = Layout::from(Format::Csv);
/// layout.fields = Fields::named(["port", "ip"]).unwrap();
/// let row = Observation::new(SystemTime::UNIX_EPOCH, "192.0.2.1".parse().ok(), 21, Service::Ftp, Outcome::Silent);
/// let mut lines = Vec::new();
/// let mut sink = RowSink::over(layout, "memory", &mut lines);
/// sink.write(&row)?;
/// sink.flush()?;
/// drop(sink);
/// assert_eq!(lines, b"port,ip\n21,192.0.2.1\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The format.
    pub format: Format,
    /// What of a row is written; lines for people have a layout of their own.
    pub fields: Fields,
    /// How CSV is written.
    pub dialect: Dialect,
    /// How lines for people look.
    pub look: Look,
}

impl From<Format> for Layout {
    fn from(format: Format) -> Self {
        Self { format, fields: Fields::default(), dialect: Dialect::default(), look: Look::default() }
    }
}

/// The most that a spreadsheet takes in one cell, in UTF-16 code units, as Excel counts.
pub const MAX_CELL: usize = 32_767;
