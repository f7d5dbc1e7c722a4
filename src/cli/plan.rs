//! Arguments to what is done: files are read, targets and outputs checked against each other. Nothing is sent, and
//! nothing is written yet.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};

use hailer::output::Format;
use hailer::{Config, Family, Leave, Ports, Scan, Targets, TargetsBuilder};

use super::Failure;
use super::args::{LeaveArg, ScanArgs};

/// A scan and where its rows go.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) scan: Scan,
    pub(super) outputs: Vec<Output>,
    pub(super) overwrite: bool,
    pub(super) threads: u16,
    pub(super) quiet: bool,
    /// Targets that `-4` or `-6` leaves out.
    pub(super) left_out: u64,
}

/// Where rows go, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    Stdout(Format),
    File(PathBuf, Format),
}

impl Plan {
    pub(super) fn new(args: ScanArgs) -> Result<Self, Failure> {
        let outputs = outputs(&args.output, args.overwrite)?;
        let ports = match &args.ports {
            Some(list) => Ports::parse(list).map_err(|error| Failure::usage(format!("-p {list}: {error}")))?,
            None => Ports::default(),
        };
        let family = match (args.ipv4, args.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        };
        let targets = gather(&args.targets)?.build(&ports, family).map_err(Failure::usage)?;
        let left_out = targets.left_out();
        let (overwrite, threads, quiet) = (args.overwrite, args.threads, args.quiet);
        let scan = Scan::builder().targets(targets).config(config(args)).build().map_err(Failure::usage)?;
        Ok(Self { scan, outputs, overwrite, threads, quiet, left_out })
    }
}

/// The settings that were given, over the library's defaults.
fn config(args: ScanArgs) -> Config {
    let default = Config::default();
    Config {
        concurrency: args.concurrency,
        connect_timeout: args.connect_timeout.unwrap_or(default.connect_timeout),
        tls_timeout: args.tls_timeout.unwrap_or(default.tls_timeout),
        mail_greeting_timeout: args.greeting_timeout.unwrap_or(default.mail_greeting_timeout),
        ftp_greeting_timeout: args.greeting_timeout.unwrap_or(default.ftp_greeting_timeout),
        leave: match args.leave {
            LeaveArg::Quit => Leave::Quit,
            LeaveArg::Close => Leave::Close,
        },
        all: args.all,
        seed: args.seed,
        source: args.source,
        interface: args.interface,
        ..default
    }
}

fn gather(words: &[String]) -> Result<TargetsBuilder, Failure> {
    let mut targets = Targets::builder();
    let mut stdin_taken = false;
    for word in words {
        if let Some(path) = word.strip_prefix('@') {
            let file =
                File::open(path).map_err(|error| Failure::usage(format!("{path}: cannot read targets: {error}")))?;
            targets.add_list(path, BufReader::new(file)).map_err(Failure::usage)?;
        } else if word == "-" {
            if std::mem::replace(&mut stdin_taken, true) {
                return Err(Failure::usage("'-': stdin can be read once only"));
            }
            targets.add_list("stdin", io::stdin().lock()).map_err(Failure::usage)?;
        } else {
            targets.add(word).map_err(|error| Failure::usage(format!("target '{word}': {error}")))?;
        }
    }
    Ok(targets)
}

/// The outputs that were named, or stdout as suits whoever reads it.
fn outputs(paths: &[PathBuf], overwrite: bool) -> Result<Vec<Output>, Failure> {
    let stdout = || Output::Stdout(if io::stdout().is_terminal() { Format::Text } else { Format::Ndjson });
    if paths.is_empty() {
        return Ok(vec![stdout()]);
    }
    let mut outputs = Vec::with_capacity(paths.len());
    let mut places = Vec::with_capacity(paths.len());
    for path in paths {
        let output = if path == Path::new("-") {
            stdout()
        } else {
            let format = Format::from_path(path).ok_or_else(|| {
                Failure::usage(format!(
                    "-o {}: no format is known by this ending: use .csv, .ndjson or .jsonl",
                    path.display()
                ))
            })?;
            if path.is_file() && !overwrite {
                let advice = "it exists: name another file, or replace it with --overwrite";
                return Err(Failure::usage(format!("-o {}: {advice}", path.display())));
            }
            Output::File(path.clone(), format)
        };
        let place = place(path);
        if places.contains(&place) {
            return Err(Failure::usage(format!("-o {}: it is named twice", path.display())));
        }
        places.push(place);
        outputs.push(output);
    }
    Ok(outputs)
}

/// A path by which the same file is known however it was named; the file itself may not be there yet.
fn place(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let plain = folder.join(path.file_name().unwrap_or_default());
    plain.canonicalize().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::super::args::{Args, Command};
    use super::*;

    fn parse(line: &str) -> Result<ScanArgs, String> {
        let words = format!("hailer scan {line}");
        let args = Args::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())?;
        let Command::Scan(args) = args.command else { panic!("{line} is no scan") };
        Ok(*args)
    }

    fn refusal(line: &str) -> String {
        match Plan::new(parse(line).unwrap()).expect_err(line) {
            Failure::Usage(words) | Failure::Failed(words) => words,
        }
    }

    /// A command line, and what it changes in the default configuration.
    #[test]
    fn settings_reach_the_configuration() {
        type Change = fn(&mut Config);
        let table: &[(&str, Change)] = &[
            ("10.0.0.1", |_| {}),
            ("10.0.0.1 --connect-timeout 2.5s", |config| config.connect_timeout = Duration::from_millis(2500)),
            ("10.0.0.1 --tls-timeout 800ms", |config| config.tls_timeout = Duration::from_millis(800)),
            ("10.0.0.1 --greeting-timeout 7", |config| {
                config.mail_greeting_timeout = Duration::from_secs(7);
                config.ftp_greeting_timeout = Duration::from_secs(7);
            }),
            ("10.0.0.1 --leave close", |config| config.leave = Leave::Close),
            ("10.0.0.1 --all --seed 7", |config| (config.all, config.seed) = (true, Some(7))),
            ("10.0.0.1 --concurrency 9", |config| config.concurrency = NonZeroUsize::new(9)),
            ("10.0.0.1 --source 127.0.0.1 --source ::1", |config| {
                config.source = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
            }),
            ("10.0.0.1 --interface lo", |config| config.interface = Some("lo".into())),
        ];
        for (line, change) in table {
            let mut expected = Config::default();
            change(&mut expected);
            let found = config(parse(line).unwrap());
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{line}");
        }
    }

    #[test]
    fn endpoints_are_counted() {
        let table = [
            ("10.0.0.0/30", 20),
            ("10.0.0.0/30 -p 25", 4),
            ("10.0.0.0/8 -p 21", 1 << 24),
            ("10.0.0.1 ::1 -4", 5),
            ("10.0.0.1 ::1 -6 -p 21", 1),
            ("10.0.0.1:21 host.example -p 25", 2),
        ];
        for (line, endpoints) in table {
            assert_eq!(Plan::new(parse(line).unwrap()).unwrap().scan.endpoints(), endpoints, "{line}");
        }
    }

    #[test]
    fn refusals_name_the_word() {
        let table = [
            ("10.0.0.0/33", "target '10.0.0.0/33': '/33' is not a prefix length"),
            ("10.0.0.1 -p 21,4711", "-p 21,4711: no service is known for port 4711"),
            ("@/nonexistent/list", "/nonexistent/list: cannot read targets: No such file"),
            ("10.0.0.1 -o out.doc", "-o out.doc: no format is known by this ending"),
            ("10.0.0.1 -o a.csv -o a.csv", "-o a.csv: it is named twice"),
            ("10.0.0.1 -o a.csv -o ./src/../a.csv", "-o ./src/../a.csv: it is named twice"),
            ("::1 -4", "no targets: all 1 of them"),
            ("2001:db8::/32", "the targets have"),
        ];
        for (line, expected) in table {
            let words = refusal(line);
            assert!(words.starts_with(expected), "{line}: {words}");
        }
        assert!(parse("10.0.0.1 -4 -6").is_err());
        assert!(parse("").is_err());
    }

    #[test]
    fn an_existing_output_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "precious").unwrap();
        let line = format!("10.0.0.1 -o {}", path.display());
        assert!(refusal(&line).contains("--overwrite"));
        assert!(Plan::new(parse(&format!("{line} --overwrite")).unwrap()).is_ok());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious", "a plan writes nothing");
    }

    #[test]
    fn a_bad_line_in_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nets.txt");
        std::fs::write(&path, "10.0.0.1\n10.0.0.0/16 10.0.0.999\n").unwrap();
        let words = refusal(&format!("@{}", path.display()));
        assert!(words.contains("nets.txt:2:13: '10.0.0.999': it looks like an address"), "{words}");
    }
}
