//! The words that a scan was asked for with, kept so that another run can repeat them, all or but for some.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory};
use hailer::Roots;

use super::Failure;
use super::args::ScanArgs;

/// What is no part of a scan, but of how it is begun.
const NOT_KEPT: [&str; 5] = ["resume", "overwrite", "list", "quiet", "verbose"];

/// Those that say the same in other words: one that is given takes the place of all in its row.
const ALIKE: [&[&str]; 2] = [&["shard", "shard_index", "shard_count"], &["ipv4", "ipv6"]];

/// Those whose values are paths, but for words that are none; a target is a path behind its `@`.
const PATHS: [(&str, &[&str]); 4] =
    [("output", &["-"]), ("exclude_file", &["-"]), ("roots", &[Roots::PUBLIC, Roots::SYSTEM]), ("wordlists", &[])];

/// The values of each option that was given, by its name. A flag has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Given(BTreeMap<String, Vec<OsString>>);

impl Given {
    /// As they stand on the command line.
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let command = ScanArgs::command();
        let names = command.get_arguments().map(|arg| arg.get_id().as_str());
        let given = names
            .filter(|name| matches.value_source(name) == Some(ValueSource::CommandLine) && !NOT_KEPT.contains(name));
        let values = |name: &str| match find(&command, name) {
            Some(arg) if arg.get_action().takes_values() => {
                matches.get_raw(name).into_iter().flatten().map(OsStr::to_owned).collect()
            }
            Some(_) | None => Vec::new(),
        };
        Self(given.map(|name| (name.to_owned(), values(name))).collect())
    }

    /// As a journal has them.
    pub(super) fn recorded(command: &BTreeMap<String, Vec<String>>) -> Self {
        let values = |values: &Vec<String>| values.iter().map(Into::into).collect();
        Self(command.iter().map(|(name, given)| (name.clone(), values(given))).collect())
    }

    /// For a journal, and for whoever reads it in another folder.
    pub(super) fn record(&self) -> Result<BTreeMap<String, Vec<String>>, Failure> {
        let record = |name: &str, value: &OsString| {
            let text = value.to_str().ok_or_else(|| {
                Failure::usage(format!("'{}' is not UTF-8, and could not be kept in the journal", value.display()))
            })?;
            if PATHS.iter().any(|(path, words)| *path == name && !words.contains(&text)) {
                return absolute(text);
            }
            match text.strip_prefix('@') {
                Some(path) if name == "targets" => Ok(format!("@{}", absolute(path)?)),
                Some(_) | None => Ok(text.to_owned()),
            }
        };
        let record_all = |(name, values): (&String, &Vec<OsString>)| {
            let values = values.iter().map(|value| record(name, value)).collect::<Result<_, _>>()?;
            Ok((name.clone(), values))
        };
        self.0.iter().map(record_all).collect()
    }

    /// These, and of the others what these do not have.
    pub(super) fn over(mut self, other: Self) -> Self {
        let given: BTreeSet<_> = self.0.keys().cloned().collect();
        let is_given = |name: &str| {
            let alike = ALIKE.iter().filter(|alike| alike.contains(&name)).copied().flatten();
            given.contains(name) || alike.into_iter().any(|name| given.contains(*name))
        };
        self.0.extend(other.0.into_iter().filter(|(name, _)| !is_given(name)));
        self
    }

    /// As a command line: options, then targets.
    pub(super) fn words(&self) -> Result<Vec<OsString>, String> {
        let command = ScanArgs::command();
        let mut words: Vec<OsString> = vec!["hailer".into(), "scan".into()];
        let mut targets = Vec::new();
        for (name, values) in &self.0 {
            let arg = find(&command, name).filter(|_| !NOT_KEPT.contains(&name.as_str()));
            let arg = arg.ok_or_else(|| format!("there is no option '{name}'"))?;
            if arg.is_positional() {
                targets.extend(values.iter().cloned());
                continue;
            }
            let option = option(arg);
            if !arg.get_action().takes_values() {
                words.push(option.into());
                continue;
            }
            for value in values {
                let mut word = OsString::from(&option);
                word.push("=");
                word.push(value);
                words.push(word);
            }
        }
        if targets.iter().any(|target| target.as_encoded_bytes().starts_with(b"-") && target != "-") {
            words.push("--".into());
        }
        words.extend(targets);
        Ok(words)
    }

    /// Reads them again.
    pub(super) fn read(&self) -> Result<ScanArgs, String> {
        // The first word is the program; that of the subcommand is none of its own.
        let words = self.words()?.into_iter().skip(1);
        ScanArgs::read(words).map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    }
}

fn find<'a>(command: &'a clap::Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_id() == name)
}

fn option(arg: &Arg) -> String {
    match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => String::new(),
    }
}

fn absolute(path: &str) -> Result<String, Failure> {
    let absolute = std::path::absolute(Path::new(path)).map_err(|error| Failure::usage(format!("{path}: {error}")))?;
    let text = absolute.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        Failure::usage(format!("'{}' is not UTF-8, and could not be kept in the journal", absolute.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(line: &str) -> Given {
        ScanArgs::read(format!("scan {line}").split_whitespace()).unwrap().given
    }

    fn shown(given: &Given) -> String {
        let words: Vec<_> = given.words().unwrap().iter().map(|word| word.display().to_string()).collect();
        words.join(" ")
    }

    #[test]
    fn words_are_kept_as_they_were_given() {
        let table = [
            ("10.0.0.1", "hailer scan 10.0.0.1"),
            ("10.0.0.1 -p 21 ::1 -4", "hailer scan -4 --ports=21 10.0.0.1 ::1"),
            ("--rate 0.50 --all a.example", "hailer scan --all --rate=0.50 a.example"),
            (
                "-x 10.0.0.1,10.0.0.2 -x b.example -",
                "hailer scan --exclude=10.0.0.1 --exclude=10.0.0.2 --exclude=b.example -",
            ),
            ("-o a.csv -o - --overwrite -- --odd", "hailer scan --output=a.csv --output=- -- --odd"),
            (
                "--connect-timeout=2.5s --canary 10.0.0.1:25 c",
                "hailer scan --canary=10.0.0.1:25 --connect-timeout=2.5s c",
            ),
        ];
        for (line, expected) in table {
            assert_eq!(shown(&given(line)), expected);
            assert_eq!(given(line).read().unwrap().given, given(line), "{line}");
        }
    }

    #[test]
    fn a_journal_names_files_from_everywhere() {
        let here = std::env::current_dir().unwrap();
        let here = here.to_str().unwrap();
        let line = "@nets.txt 10.0.0.1 - -o rows.csv -o - --exclude-file /not.txt --wordlists lists";
        let recorded = given(line).record().unwrap();
        assert_eq!(recorded["targets"], [format!("@{here}/nets.txt"), "10.0.0.1".into(), "-".into()]);
        assert_eq!(recorded["output"], [format!("{here}/rows.csv"), "-".into()]);
        assert_eq!(recorded["exclude_file"], ["/not.txt"]);
        assert_eq!(recorded["wordlists"], [format!("{here}/lists")]);
        for (word, expected) in [("webpki", "webpki"), ("system", "system"), ("ca.pem", &format!("{here}/ca.pem"))] {
            let recorded = given(&format!("--roots {word} 10.0.0.1")).record().unwrap();
            assert_eq!(recorded["roots"], [expected]);
        }
        assert_eq!(Given::recorded(&recorded).record().unwrap(), recorded);
    }

    #[test]
    fn what_is_given_anew_counts() {
        let both = given("--rate none --resume rows.csv").over(given("10.0.0.1 --rate 5 --all --retry-busy 2"));
        assert_eq!(shown(&both), "hailer scan --all --rate=none --retry-busy=2 10.0.0.1");
        let both =
            given("--shard-index 2 --shard-count 16 -6 --resume rows.csv").over(given("10.0.0.1 -4 --shard 3/16"));
        assert_eq!(shown(&both), "hailer scan -6 --shard-count=16 --shard-index=2 10.0.0.1");
        assert_eq!(shown(&given("10.0.0.1 -q")), "hailer scan 10.0.0.1", "who goes on says whether to be quiet");
    }

    #[test]
    fn what_is_no_command_line_is_refused() {
        let recorded = |name: &str, value: &str| {
            Given::recorded(&BTreeMap::from([(name.to_owned(), vec![value.to_owned()])])).read().unwrap_err()
        };
        assert_eq!(recorded("frobnicate", "1"), "there is no option 'frobnicate'");
        assert_eq!(recorded("overwrite", ""), "there is no option 'overwrite'");
        assert!(recorded("rate", "fast").starts_with("error: invalid value 'fast' for '--rate"));
        assert!(recorded("all", "").starts_with("error: the following required arguments"));
    }
}
