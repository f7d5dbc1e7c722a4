//! How rows are laid out, as the command line says it: `--csv`, `--delimiter`, `--columns`.

use clap::ValueEnum;
use hailer::inventory::{Key, Writer};
use hailer::output::{Column, CsvProfile, Delimiter, Dialect, Extra, Field, Fields, Format, Layout};

use super::Failure;
use super::look;

/// Without these no row can be read back.
pub(super) const NEEDED: [Column; 4] = [Column::Ip, Column::Port, Column::Service, Column::Outcome];

/// Under which words the options are shown.
const OUTPUTS: &str = "Outputs";

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct LayoutArgs {
    /// How CSV is written: for every reader, for spreadsheets, or for programs [default: default]
    #[arg(long, value_enum, value_name = "PROFILE", help_heading = OUTPUTS)]
    csv: Option<CsvArg>,

    /// What stands between two cells of CSV: ',', ';', '|' or tab [default: ,]
    #[arg(long, value_name = "CHARACTER", help_heading = OUTPUTS)]
    delimiter: Option<Delimiter>,

    /// Write these columns only, in this order, as ip,port,software,version; in NDJSON also keys that CSV does not have
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = OUTPUTS)]
    columns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CsvArg {
    /// UTF-8 with LF; what would be a formula gets an apostrophe in front
    Default,
    /// For Excel and LibreOffice: a byte order mark, CRLF, times as 2026-11-21 03:11:00, no cell longer than they take
    Excel,
    /// For programs: no apostrophe in front of anything
    Raw,
}

impl From<CsvArg> for CsvProfile {
    fn from(profile: CsvArg) -> Self {
        match profile {
            CsvArg::Default => Self::Default,
            CsvArg::Excel => Self::Excel,
            CsvArg::Raw => Self::Raw,
        }
    }
}

impl LayoutArgs {
    /// The columns that were chosen and are none of ours.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str).filter(|name| Field::named(name).is_none())
    }

    /// Whether columns were chosen.
    pub(super) fn has_chosen(&self) -> bool {
        !self.columns.is_empty()
    }

    /// What goes to stdout where rows do.
    pub(super) fn of_stdout(&self) -> Format {
        if self.csv.is_some() || self.delimiter.is_some() { Format::Csv } else { Format::Ndjson }
    }

    fn dialect(&self) -> Dialect {
        let profile = self.csv.map(Into::into).unwrap_or_default();
        Dialect { profile, delimiter: self.delimiter.unwrap_or_default() }
    }

    /// Refuses what none of the outputs has a use for, and what one of them has no place for. What is made of all rows is
    /// none of these formats: it has every column.
    pub(super) fn suits(&self, formats: &[Format]) -> Result<(), Failure> {
        let is_asked = self.csv.is_some() || self.delimiter.is_some() || !self.columns.is_empty();
        if formats.is_empty() && is_asked {
            let words = "--csv, --delimiter and --columns are for rows: name a file for them (-o FILE.csv)";
            return Err(Failure::usage(words));
        }
        let has_csv = formats.contains(&Format::Csv);
        let given = [("--csv", self.csv.is_some()), ("--delimiter", self.delimiter.is_some())];
        if let Some((option, _)) = given.into_iter().find(|(_, given)| *given && !has_csv) {
            return Err(Failure::usage(format!("{option}: none of the outputs is CSV: name one (-o FILE.csv)")));
        }
        if !self.columns.is_empty() && formats.iter().all(|format| *format == Format::Text) {
            let words = "lines for people have columns of their own: name a file (-o FILE.csv, -o FILE.ndjson)";
            return Err(Failure::usage(format!("--columns: {words}")));
        }
        Ok(())
    }
}

/// How the rows of a scan are laid out, whatever the format.
#[derive(Debug, Clone)]
pub(super) struct Layouts {
    fields: Fields,
    dialect: Dialect,
    has_transcripts: bool,
    shows_dialogues: bool,
}

impl Layouts {
    /// For outputs of these formats. Transcripts are taken for the eye alone where they are not for rows.
    pub(super) fn new(args: &LayoutArgs, formats: &[Format], has_transcripts: bool) -> Result<Self, Failure> {
        args.suits(formats)?;
        let refuse = |words: String| Failure::usage(format!("--columns: {words}"));
        let fields = if args.columns.is_empty() {
            Fields::default()
        } else {
            let names = args.columns.iter().map(String::as_str);
            let wrong = args.others().next();
            Fields::named(names).map_err(|words| refuse(wrong.map_or(words, no_column)))?
        };
        if let Some(extra) = fields.beyond_csv().filter(|_| formats.contains(&Format::Csv)) {
            return Err(refuse(format!("CSV has no cell for '{}', only NDJSON has it", extra.as_str())));
        }
        let names_transcripts = fields.beyond_csv().is_some() && fields.list().contains(&TRANSCRIPT);
        if names_transcripts && !has_transcripts {
            return Err(refuse("there is no transcript without --transcript".to_owned()));
        }
        Ok(Self { fields, dialect: args.dialect(), has_transcripts, shows_dialogues: false })
    }

    /// The same, and whether people are shown what both sides say.
    pub(super) fn showing_dialogues(self, shows_dialogues: bool) -> Self {
        Self { shows_dialogues, ..self }
    }

    /// Whether they are.
    pub(super) fn shows_dialogues(&self) -> bool {
        self.shows_dialogues
    }

    /// That of one output.
    pub(super) fn of(&self, format: Format) -> Layout {
        let fields = if self.has_transcripts || !self.fields.is_all() {
            self.fields.clone()
        } else {
            self.fields.without(Extra::Transcript)
        };
        Layout { format, fields, dialect: self.dialect, look: look::of_stdout() }
    }

    /// That of rows which a report is to be made of: nothing of them is lost.
    pub(super) fn of_kept(&self) -> Layout {
        let all = Fields::default();
        let fields = if self.has_transcripts { all } else { all.without(Extra::Transcript) };
        Layout { fields, ..Layout::from(Format::Ndjson) }
    }

    /// Whether rows have it, in a format that has a place for it.
    pub(super) fn has(&self, field: Field) -> bool {
        self.fields.list().contains(&field)
    }

    /// The names of columns and keys, where they were chosen.
    pub(super) fn chosen(&self) -> Vec<String> {
        let fields = Some(&self.fields).filter(|fields| !fields.is_all()).map(Fields::list).unwrap_or_default();
        fields.iter().map(|field| field.as_str().to_owned()).collect()
    }

    /// What must stay the same in a file, in words of the command line; nothing where it is as usual.
    pub(super) fn told(&self) -> String {
        let mut words = Vec::new();
        let Dialect { profile, delimiter } = self.dialect;
        if profile != CsvProfile::default() {
            words.push(format!("--csv {}", profile.as_str()));
        }
        if delimiter != Delimiter::default() {
            words.push(format!("--delimiter '{delimiter}'"));
        }
        let chosen = self.chosen();
        if !chosen.is_empty() {
            words.push(format!("--columns {}", chosen.join(",")));
        }
        words.join(" ")
    }
}

const TRANSCRIPT: Field = Field::Extra(Extra::Transcript);

/// How rows that were read are written again. Columns of somebody else's are known once all of them are read.
pub(super) fn writer(args: &LayoutArgs, format: Format, others: &[std::sync::Arc<str>]) -> Result<Writer, Failure> {
    let is_csv = format == Format::Csv;
    let keys = if args.columns.is_empty() {
        let columns = Fields::default().columns().map(Key::Column).collect::<Vec<_>>();
        columns.into_iter().chain(others.iter().cloned().map(Key::Other)).collect()
    } else {
        chosen(&args.columns, is_csv, others)?
    };
    Ok(match (is_csv, args.columns.is_empty()) {
        (true, _) => Writer::CsvOf(args.dialect(), keys),
        (false, true) => Writer::Ndjson,
        (false, false) => Writer::NdjsonOf(keys),
    })
}

/// The columns that were chosen, of which some may be somebody else's.
fn chosen(names: &[String], is_csv: bool, others: &[std::sync::Arc<str>]) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::new();
    for name in names {
        let refuse = |words: &str| Err(Failure::usage(format!("--columns: {words}")));
        let key = Key::named(name);
        let is_known = match (&key, Field::named(name)) {
            (Key::Column(_), _) => true,
            (Key::Other(_), Some(_)) if !is_csv => true,
            (Key::Other(_), Some(_)) => return refuse(&format!("CSV has no cell for '{name}', only NDJSON has it")),
            (Key::Other(other), None) => others.contains(other),
        };
        if !is_known {
            return refuse(&no_column(name));
        }
        if keys.contains(&key) {
            return refuse(&format!("the column '{name}' is named twice"));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// That a name is none, and the column that may have been meant. It is escaped where it is told.
fn no_column(wrong: &str) -> String {
    if wrong.is_empty() {
        return "a name is missing: write them as ip,port".to_owned();
    }
    let words = format!("there is no column '{wrong}'");
    let known = Field::all().iter().map(|field| field.as_str());
    let distance = |name: &&str| strsim::damerau_levenshtein(name, wrong);
    // Any short name is that near to another one.
    let most = (wrong.chars().count() / 2).min(2);
    match known.min_by_key(distance).filter(|name| distance(name) <= most) {
        Some(name) => format!("{words}: did you mean '{name}'?"),
        None => format!("{words}: the README lists them, and `hailer schema` prints them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(csv: Option<CsvArg>, delimiter: &str, columns: &str) -> LayoutArgs {
        let columns = columns.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        LayoutArgs { csv, delimiter: delimiter.parse().ok(), columns }
    }

    fn refusal(args: &LayoutArgs, formats: &[Format]) -> String {
        match Layouts::new(args, formats, false) {
            Err(Failure::Usage(words)) => words,
            other => panic!("it should be refused: {other:?}"),
        }
    }

    #[test]
    fn what_no_output_can_have_is_refused() {
        use Format::{Csv, Ndjson, Text};
        let table = [
            (args(Some(CsvArg::Raw), "", ""), &[Ndjson][..], "--csv: none of the outputs is CSV"),
            (args(None, "", "ip"), &[], "--csv, --delimiter and --columns are for rows: name a file"),
            (args(None, ";", ""), &[Text], "--delimiter: none of the outputs is CSV"),
            (args(None, "", "ip"), &[Text], "--columns: lines for people have columns of their own"),
            (args(None, "", "ip,chain"), &[Ndjson, Csv], "--columns: CSV has no cell for 'chain'"),
            (args(None, "", "ip,verison"), &[Csv], "--columns: there is no column 'verison': did you mean 'version'?"),
            (args(None, "", "quux"), &[Csv], "--columns: there is no column 'quux': the README lists them"),
            (args(None, "", "ip,port,ip"), &[Csv], "--columns: the column 'ip' is named twice"),
            (args(None, "", "ip,transcript"), &[Ndjson], "--columns: there is no transcript without --transcript"),
        ];
        for (args, formats, expected) in table {
            let words = refusal(&args, formats);
            assert!(words.starts_with(expected), "{words}");
        }
    }

    /// Nothing is made of a name that is too short to be a slip of another's.
    #[test]
    fn what_may_have_been_meant_is_like_it() {
        let table = [
            ("", "a name is missing: write them as ip,port"),
            ("i", "there is no column 'i': the README"),
            ("xy", "there is no column 'xy': the README"),
            ("pi", "there is no column 'pi': did you mean 'ip'?"),
            ("tsl", "there is no column 'tsl': did you mean 'tls'?"),
            ("verison", "there is no column 'verison': did you mean 'version'?"),
        ];
        for (wrong, expected) in table {
            for before in [vec![], vec!["port".to_owned()]] {
                let args = LayoutArgs { columns: [before, vec![wrong.to_owned()]].concat(), ..LayoutArgs::default() };
                let words = refusal(&args, &[Format::Csv]);
                assert!(words.starts_with(&format!("--columns: {expected}")), "{words}");
            }
        }
    }

    /// Rows of which a report is made have all columns, whichever were chosen for others.
    #[test]
    fn what_reports_are_made_of_is_whole() {
        let kept = |has| Layouts::new(&args(None, ";", "ip"), &[Format::Csv], has).unwrap().of_kept();
        assert_eq!((kept(true).format, kept(true).fields), (Format::Ndjson, Fields::default()));
        assert_eq!(kept(false).fields, Fields::default().without(Extra::Transcript));
    }

    #[test]
    fn a_layout_is_told_as_it_was_asked_for() {
        let told = |args: &LayoutArgs| Layouts::new(args, &[Format::Csv], false).unwrap().told();
        assert_eq!(told(&args(None, ",", "")), "");
        assert_eq!(told(&args(Some(CsvArg::Default), "", "")), "");
        let all = args(Some(CsvArg::Excel), "tab", "port,ip");
        assert_eq!(told(&all), "--csv excel --delimiter 'tab' --columns port,ip");
    }

    /// Also where another that is none of ours stands before it.
    #[test]
    fn the_column_that_is_none_is_told_with_the_nearest() {
        match chosen(&["owner".to_owned(), "verison".to_owned()], true, &["owner".into()]) {
            Err(Failure::Usage(words)) => assert!(words.ends_with("'verison': did you mean 'version'?"), "{words}"),
            other => panic!("it should be refused: {other:?}"),
        }
    }

    #[test]
    fn transcripts_are_written_where_they_are_asked_for() {
        let list = |args: &LayoutArgs, has| {
            let layout = Layouts::new(args, &[Format::Ndjson], has).unwrap().of(Format::Ndjson);
            layout.fields.list().contains(&TRANSCRIPT)
        };
        assert!(list(&args(None, "", ""), true) && !list(&args(None, "", ""), false));
        assert!(!list(&args(None, "", "ip"), true) && list(&args(None, "", "ip,transcript"), true));
    }
}
