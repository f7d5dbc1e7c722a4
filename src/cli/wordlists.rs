//! `hailer wordlists`, and the option `--wordlists` of all that names servers.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use hailer::classify::{Classifier, Mistake, Product, WORDLISTS, WordlistsError};
use hailer::output::escape::{escape, inert};
use serde::Serialize;

use super::{Ended, Failure, tell};

#[derive(Debug, Args)]
pub(super) struct WordlistsArgs {
    #[command(subcommand)]
    command: WordlistsCommand,
}

#[derive(Debug, Subcommand)]
enum WordlistsCommand {
    /// Prove every signature by its examples; exit code 1 where one does not hold
    Check {
        /// A folder with ftp.toml, smtp.toml, fronts.toml, or some of these, which are added to those compiled in [default: these alone]
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// List the products that can be named: vendor, signatures, what each is
    List {
        /// A folder with ftp.toml, smtp.toml, fronts.toml, or some of these, which are added to those compiled in [default: these alone]
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,

        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Write the wordlists that are compiled in to a folder, to begin with
    Export {
        /// A folder that is new or empty
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

pub(super) fn run(args: &WordlistsArgs) -> Result<Ended, Failure> {
    match &args.command {
        WordlistsCommand::Check { folder } => check(folder.as_deref()),
        WordlistsCommand::List { folder, json } => list(folder.as_deref(), *json),
        WordlistsCommand::Export { folder } => export(folder),
    }
}

/// The wordlists that are compiled in, with those of a folder where one is named.
pub(super) fn classifier(folder: Option<&Path>) -> Result<Arc<Classifier>, Failure> {
    let Some(folder) = folder else { return Ok(Arc::clone(Classifier::builtin())) };
    Classifier::load(folder).map(Arc::new).map_err(Failure::usage)
}

fn check(folder: Option<&Path>) -> Result<Ended, Failure> {
    let classifier = match folder.map(Classifier::load).transpose() {
        Ok(loaded) => loaded.map_or_else(|| Arc::clone(Classifier::builtin()), Arc::new),
        Err(WordlistsError::Signatures(errors)) => {
            errors.iter().for_each(tell_escaped);
            let count = mistakes(errors.len());
            print(&format!("{count}: the examples are tried once they are mended\n"))?;
            return Err(Failure::failed(count));
        }
        Err(error) => return Err(Failure::usage(error)),
    };
    let mut wrong = classifier.check();
    // One's own are what one can mend.
    let is_others = |mistake: &Mistake| folder.is_some_and(|folder| !Path::new(&mistake.file).starts_with(folder));
    wrong.sort_by_key(|mistake| (is_others(mistake), mistake.file.clone(), mistake.line));
    wrong.iter().for_each(tell_escaped);
    let products = classifier.products();
    let sum = |count: fn(&Product) -> usize| products.iter().map(count).sum::<usize>();
    let verdict = if wrong.is_empty() { "all hold".to_owned() } else { mistakes(wrong.len()) };
    let summary = format!(
        "{} signatures of {} products, {} examples: {verdict}\n",
        sum(|product| product.signatures),
        products.len(),
        sum(|product| product.examples)
    );
    print(&summary)?;
    if wrong.is_empty() { Ok(Ended::Done) } else { Err(Failure::failed(mistakes(wrong.len()))) }
}

fn mistakes(count: usize) -> String {
    if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") }
}

fn tell_escaped(words: &impl ToString) {
    tell(inert(words.to_string().into()));
}

fn list(folder: Option<&Path>, json: bool) -> Result<Ended, Failure> {
    let products = classifier(folder)?.products();
    if json {
        let mut lines = String::new();
        for product in &products {
            lines += &serde_json::to_string(&Line::of(product)).map_err(Failure::failed)?;
            lines.push('\n');
        }
        return print(&lines);
    }
    let shown = |text: &str| escape(text.as_bytes());
    let width = |texts: &mut dyn Iterator<Item = String>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let vendor = |product: &Product| shown(product.vendor.as_deref().unwrap_or("-"));
    let name_width = width(&mut products.iter().map(|product| shown(&product.name)));
    let vendor_width = width(&mut products.iter().map(vendor));
    let line = |product: &Product| {
        let (name, vendor, signatures) = (shown(&product.name), vendor(product), product.signatures);
        format!("{name:name_width$}  {vendor:vendor_width$}  {signatures:>4}  {}\n", product.services.join(" "))
    };
    print(&products.iter().map(line).collect::<String>())
}

/// A product for programs.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    vendor: Option<&'a str>,
    signatures: usize,
    examples: usize,
    services: &'a [&'static str],
}

impl<'a> Line<'a> {
    fn of(product: &'a Product) -> Self {
        Self {
            name: &product.name,
            vendor: product.vendor.as_deref(),
            signatures: product.signatures,
            examples: product.examples,
            services: &product.services,
        }
    }
}

fn export(folder: &Path) -> Result<Ended, Failure> {
    let shown = folder.display();
    let cannot = |error: io::Error| Failure::failed(format!("{shown}: cannot be written to: {error}"));
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => {
            return Err(Failure::usage(format!("{shown}: there is something in it: name a new or empty folder")));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir_all(folder).map_err(cannot)?,
        Err(error) => return Err(Failure::usage(format!("{shown}: {error}: name a new or empty folder"))),
    }
    for (file, content) in WORDLISTS {
        let path = folder.join(Path::new(file).file_name().unwrap_or(file.as_ref()));
        File::create_new(path).and_then(|mut file| file.write_all(content.as_bytes())).map_err(cannot)?;
    }
    tell(format_args!("{}: ftp.toml, smtp.toml, fronts.toml", escape(shown.to_string().as_bytes())));
    tell(
        "Keep only what you change: a signature takes the place of the compiled-in one with the same id, and others are",
    );
    tell("added. With `replace = true` as the first line of a file, that file stands alone.");
    Ok(Ended::Done)
}

/// Whoever has read enough may go.
fn print(text: &str) -> Result<Ended, Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to stdout: {error}")))
        }
        Ok(()) | Err(_) => Ok(Ended::Done),
    }
}
