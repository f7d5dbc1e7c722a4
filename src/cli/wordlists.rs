//! `hailer wordlists`: wordlists proved by their own examples.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use hailer::classify::{Classifier, WORDLISTS};

use super::{Ended, Failure, tell};

#[derive(Debug, Args)]
pub(super) struct WordlistsArgs {
    #[command(subcommand)]
    command: WordlistsCommand,
}

#[derive(Debug, Subcommand)]
enum WordlistsCommand {
    /// Prove every signature in a folder by its examples
    Check {
        /// A folder with ftp.toml, smtp.toml or fronts.toml
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

pub(super) fn run(args: &WordlistsArgs) -> Result<Ended, Failure> {
    let WordlistsCommand::Check { folder } = &args.command;
    let mut lists: Vec<(String, String)> = Vec::new();
    for (file, builtin) in WORDLISTS {
        let path = folder.join(file.trim_start_matches("wordlists/"));
        let content = if path.exists() { fs::read_to_string(&path).map_err(Failure::failed)? } else { builtin.into() };
        lists.push((path.display().to_string(), content));
    }
    let lists: Vec<_> = lists.iter().map(|(file, content)| (file.as_str(), content.as_str())).collect();
    let lists = lists.try_into().map_err(|_| Failure::Failed("three wordlists".into()))?;
    let mistakes = Classifier::new(lists).map_err(Failure::failed)?.check();
    for mistake in &mistakes {
        tell(mistake);
    }
    if mistakes.is_empty() { Ok(Ended::Done) } else { Err(Failure::Failed(format!("{} mistakes", mistakes.len()))) }
}
