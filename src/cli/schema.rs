//! `hailer schema`: what a row looks like, for programs that read rows.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hailer::inventory::Spoken;
use hailer::output::{Column, Delimiter, Format, Kind, schema};

use super::{Ended, Failure, print};

const AFTER: &str = "\
  hailer schema >row.schema.json                               a JSON Schema (draft 2020-12) of a line of NDJSON
  hailer schema duckdb inventory.ndjson >inventory.sql         then: duckdb -init inventory.sql

Exit codes: 0 done, 1 failed, 2 usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct SchemaArgs {
    /// In which language
    #[arg(value_enum, default_value_t = Language::Json)]
    language: Language,

    /// The files that DuckDB is to read, CSV or NDJSON; patterns as *.ndjson are DuckDB's [default: inventory.ndjson]
    #[arg(value_name = "RESULTS")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// JSON Schema
    Json,
    /// SQL for DuckDB: a view named inventory, whose types are not guessed
    Duckdb,
}

/// No header is as long as that.
const MOST: u64 = 64 * 1024;

pub(super) fn run(args: &SchemaArgs) -> Result<Ended, Failure> {
    let text = match args.language {
        Language::Json if args.files.is_empty() => schema::json(),
        Language::Json => return Err(Failure::usage("a JSON Schema is that of any row: name no files for it")),
        Language::Duckdb => duckdb(&args.files)?,
    };
    print(text.as_bytes())
}

fn duckdb(files: &[PathBuf]) -> Result<String, Failure> {
    let usual = [PathBuf::from("inventory.ndjson")];
    let files = if files.is_empty() { &usual[..] } else { files };
    let formats = files.iter().map(|path| format(path)).collect::<Result<Vec<_>, _>>()?;
    let format = formats.first().copied().unwrap_or(Format::Ndjson);
    if let Some((_, other)) = formats.iter().zip(files).find(|(other, _)| **other != format) {
        let words = format!("{}: it has another format than {}", other.display(), files[0].display());
        return Err(Failure::usage(format!("{words}; name files of one format")));
    }
    let names: Result<Vec<_>, _> = files.iter().map(|path| quoted(path)).collect();
    let names = names?;
    let from = if let [name] = names.as_slice() { name.clone() } else { format!("[{}]", names.join(", ")) };
    let header = if format == Format::Csv { Header::of(files)? } else { None };
    let columns = match &header {
        Some(header) => schema::duckdb_of(format, header.names.iter().map(String::as_str)),
        None => schema::duckdb(format),
    };
    let delimiter = header.as_ref().map_or(Delimiter::Comma, |header| header.delimiter).as_char();
    // Writing to a String does not fail.
    let mut sql = "CREATE OR REPLACE VIEW inventory AS\n".to_owned();
    let lists = match (format, &header) {
        (Format::Csv, Some(header)) => lists(header.names.iter().map(String::as_str)),
        (Format::Csv, None) => lists(Column::ALL.iter().map(|column| column.as_str())),
        (Format::Ndjson | Format::Text, _) => String::new(),
    };
    let _ = write!(sql, "SELECT *{lists} FROM ");
    let _ = match format {
        Format::Csv => writeln!(
            sql,
            "read_csv({from}, header = true, delim = '{delimiter}', quote = '\"', escape = '\"', auto_detect = false, columns = {columns});"
        ),
        Format::Ndjson | Format::Text => {
            // A greeting has up to 64 KiB, and a transcript four times that, of which each byte may be escaped.
            writeln!(
                sql,
                "read_json({from}, format = 'newline_delimited', maximum_object_size = 16777216, columns = {columns});"
            )
        }
    };
    Ok(sql)
}

/// Cells of CSV that are lists, as lists: their items stand between `; `, and a `;` or `\` of theirs behind a `\`.
fn lists<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let is_list = |name: &&str| Column::named(name).is_some_and(|it| matches!(it.kind(), Kind::List | Kind::Evidence));
    let split = |name: &str| {
        let name = format!("\"{name}\"");
        // Cells have no control characters, so that two of these can stand for what is escaped.
        let marked = format!(r"replace(replace({name}, '\\', chr(1)), '\;', chr(2))");
        format!(
            r"[replace(replace(item, chr(2), ';'), chr(1), '\\') FOR item IN string_split({marked}, '; ')] AS {name}"
        )
    };
    let lists: Vec<_> = names.filter(is_list).map(split).collect();
    if lists.is_empty() { String::new() } else { format!(" REPLACE (\n    {}\n)", lists.join(",\n    ")) }
}

/// What stands in the first line of CSV.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    names: Vec<String>,
    delimiter: Delimiter,
}

impl Header {
    /// That of all files that are there: DuckDB goes by the order of columns, not by their names.
    fn of(files: &[PathBuf]) -> Result<Option<Self>, Failure> {
        let mut known: Option<(Self, &Path)> = None;
        for path in files {
            // What is not there yet, and patterns, are taken to be as usual.
            let Ok(file) = File::open(path) else { continue };
            let header = Self::read(file).map_err(|words| Failure::failed(format!("{}:1: {words}", path.display())))?;
            match &known {
                None => known = Some((header, path)),
                Some((first, _)) if *first == header => {}
                Some((_, first)) => {
                    let words = format!("{}: it has other columns than {}", path.display(), first.display());
                    return Err(Failure::failed(format!("{words}: bring both into one form with hailer report")));
                }
            }
        }
        Ok(known.map(|(header, _)| header))
    }

    fn read(file: File) -> Result<Self, String> {
        let mut line = Vec::new();
        let mut file = BufReader::new(file).take(MOST);
        file.read_until(b'\n', &mut line).map_err(|error| format!("it cannot be read: {error}"))?;
        let is_for_spreadsheets = line.starts_with(b"\xef\xbb\xbf");
        let Spoken { delimiter, .. } = Spoken::of(&line, &[Column::Ip]);
        if is_for_spreadsheets {
            return Err("this is CSV for spreadsheets: bring it into NDJSON with hailer report".to_owned());
        }
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.delimiter(delimiter.as_byte()).from_reader(line.as_slice());
        let names = reader.headers().map_err(|error| error.to_string())?;
        Ok(Self { names: names.iter().map(str::to_owned).collect(), delimiter })
    }
}

fn format(path: &Path) -> Result<Format, Failure> {
    let format = Format::from_path(path);
    format.ok_or_else(|| Failure::usage(format!("{}: name files of rows: .csv, .ndjson or .jsonl", path.display())))
}

/// A path as SQL has a text.
fn quoted(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().ok_or_else(|| Failure::usage(format!("{}: it is not UTF-8", path.display())))?;
    Ok(format!("'{}'", text.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(files: &[&str]) -> Result<String, Failure> {
        duckdb(&files.iter().map(Into::into).collect::<Vec<_>>())
    }

    #[test]
    fn a_view_is_of_its_files() {
        for (files, begin) in [
            (&[][..], "SELECT * FROM read_json('inventory.ndjson', format = 'newline_delimited', "),
            (&["it's.jsonl"], "SELECT * FROM read_json('it''s.jsonl', format"),
            (&["a.csv", "b.csv"], ") FROM read_csv(['a.csv', 'b.csv'], header = true, "),
        ] {
            let text = sql(files).unwrap();
            assert!(text.lines().any(|line| line.starts_with(begin)), "{text}");
            assert!(text.contains("\n    \"version\": 'VARCHAR',\n") && text.ends_with("\n});\n"), "{text}");
        }
        for files in [&["a.csv", "b.ndjson"][..], &["a.txt"]] {
            assert!(matches!(sql(files), Err(Failure::Usage(_))));
        }
    }

    #[test]
    fn columns_are_those_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let one = written("one.csv", "port;\"own; \"\"x\"\"\";ip\n");
        let text = sql(&[&one]).unwrap();
        assert!(text.contains(", delim = ';', "), "{text}");
        let columns =
            "columns = {\n    \"port\": 'INTEGER',\n    \"own; \"\"x\"\"\": 'VARCHAR',\n    \"ip\": 'VARCHAR'\n});\n";
        assert!(text.ends_with(columns), "{text}");
        assert!(text.contains("\nSELECT * FROM read_csv("), "{text}");
        let text = sql(&[&written("lists.csv", "ip,findings\n")]).unwrap();
        assert!(
            text.contains("\nSELECT * REPLACE (\n    [replace(") && text.contains(" AS \"findings\"\n) FROM"),
            "{text}"
        );
        let other = written("other.csv", "ip,port\n");
        for (files, words) in [
            (vec![one.as_str(), &other], "it has other columns than"),
            (vec![&written("excel.csv", "\u{feff}ip,port\r\n")], "this is CSV for spreadsheets"),
        ] {
            let Err(Failure::Failed(told)) = sql(&files) else { panic!("{files:?}") };
            assert!(told.contains(words), "{told}");
        }
    }
}
