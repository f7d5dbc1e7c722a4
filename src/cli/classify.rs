//! `hailer classify`: greetings from files or stdin, named by the wordlists; nothing is sent.
//!
//! One thread cuts the input into greetings, the others name them, and rows are written in the order of the input. What
//! is in memory is some hundred kilobytes for each thread, however long the input is.

mod entry;
mod framing;
mod lines;
mod pool;
mod tally;
mod work;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use clap::Parser;
use hailer::Service;
use hailer::output::escape::escape;

use self::framing::{Batch, Format, Framer, Source};
use self::lines::{Line, Lines};
use self::pool::Pool;
use self::work::Work;
use super::same::refuse_stdout;
use super::{Ended, Failure, tell, wordlists};

const AFTER: &str = "\
What a line can be:
  {\"banner\":\"220 …\",\"port\":21}   as rows in NDJSON: banner or banner_b64; service, port, ip, name
  220 ftp.example.com ready\\r\\n  as rows show it, with \\r, \\n, \\\\ and \\xNN, or as it came
  220-mail.example.com ESMTP     and on, up to the line with 220 and a blank: one greeting
CSV is known by a header with the column banner, as that of a scan's rows.

Exit codes: 0 done, 1 a line or a file could not be read (told on stderr; the others are done), 2 usage.";

#[derive(Debug, Parser)]
#[command(after_help = AFTER)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct ClassifyArgs {
    /// Files with greetings, and - for stdin, one after the other [default: -]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Every line is text, whatever it begins with
    #[arg(long, conflicts_with = "ndjson")]
    text: bool,

    /// Every line is an object
    #[arg(long)]
    ndjson: bool,

    /// Which service greeted, where the input does not say: ftp, ftps, smtp, submission or smtps [default: as the words suggest]
    #[arg(long, value_name = "SERVICE", value_parser = service)]
    service: Option<Service>,

    /// Name servers by the wordlists in this folder, too: ftp.toml, smtp.toml, fronts.toml, or some of these, added to those compiled in
    #[arg(long, value_name = "FOLDER")]
    wordlists: Option<PathBuf>,

    /// Write only what no signature names
    #[arg(long)]
    only_unnamed: bool,

    /// No summary
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(args: &ClassifyArgs) -> Result<Ended, Failure> {
    let classifier = wordlists::classifier(args.wordlists.as_deref())?;
    let work = Work { classifier, service: args.service, only_unnamed: args.only_unnamed };
    let format = match (args.text, args.ndjson) {
        (true, _) => Format::Text,
        (false, true) => Format::Ndjson,
        (false, false) => Format::Guess,
    };
    let stdin = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &stdin } else { args.files.as_slice() };
    refuse_stdout(files)?;
    if !args.quiet {
        invite(files);
    }
    let mut unread_files = 0;
    let classified = thread::scope(|scope| {
        let mut pool = Pool::start(scope, &work).map_err(|error| super::scan::cannot_start(&error))?;
        for path in files {
            let source = Arc::new(Source::new(path, files.len() > 1));
            if let Err(error) = open(path).and_then(|file| feed(file, &source, format, &mut pool)) {
                tell(format_args!("hailer: {}: cannot be read: {error}", escape(source.name.as_bytes())));
                unread_files += 1;
            }
            if pool.is_over() {
                break;
            }
        }
        pool.end()
    });
    // Whoever read it has read enough.
    let Some(tally) = classified? else { return Ok(Ended::Done) };
    if !args.quiet {
        tell(tally.render().trim_end());
    }
    conclude(unread_files, tally.unread)
}

fn conclude(unread_files: u64, unread_lines: u64) -> Result<Ended, Failure> {
    match (unread_files, unread_lines) {
        (0, 0) => Ok(Ended::Done),
        (0, lines) => Err(Failure::failed(format!("not read: {lines} of the lines, as told above"))),
        (files, 0) => Err(Failure::failed(format!("not read: {files} of the files, as told above"))),
        (files, lines) => {
            Err(Failure::failed(format!("not read: {files} of the files and {lines} lines, as told above")))
        }
    }
}

/// Whoever waits for us should know that we wait for them.
fn invite(files: &[PathBuf]) {
    if files.iter().any(|file| file.as_os_str() == "-") && io::stdin().is_terminal() {
        tell("greetings are read from this terminal; Ctrl-D ends them");
    }
}

/// Gives the greetings of a file to those who name them. An error is the file's; of the output the pool knows.
fn feed(file: File, source: &Arc<Source>, format: Format, pool: &mut Pool) -> io::Result<()> {
    let mut lines = Lines::new(file);
    let mut framer = Framer::new(format);
    let mut batch = Batch::new(source);
    let mut line = Vec::new();
    let read = loop {
        // Before anything is waited for, all that came is written.
        if !lines.is_here() {
            pool.give(std::mem::replace(&mut batch, Batch::new(source)));
            pool.drain();
        }
        match lines.read(&mut line) {
            Ok(Some(Line::Whole)) => framer.take(&line, &mut batch),
            Ok(Some(Line::TooLong)) => framer.pass_over(&mut batch),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        if batch.is_full() {
            pool.give(std::mem::replace(&mut batch, Batch::new(source)));
        }
        if pool.is_over() {
            return Ok(());
        }
    };
    framer.end(&mut batch);
    pool.give(batch);
    read
}

fn open(path: &Path) -> io::Result<File> {
    if path.as_os_str() != "-" {
        return File::open(path);
    }
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn service(word: &str) -> Result<Service, String> {
    let service = Service::ALL.into_iter().find(|service| service.as_str() == word);
    service.ok_or_else(|| format!("write one of {}", Service::ALL.map(Service::as_str).join(", ")))
}
