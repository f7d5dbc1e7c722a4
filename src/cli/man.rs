//! `hailer man`: the manual pages, from the same words as `--help`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;
use hailer::output::replace;

use super::args::Args;
use super::{Ended, Failure, print, tell};

const AFTER: &str = "\
  hailer man | man -l -                                        the page of hailer itself
  hailer man --out ~/.local/share/man/man1                     hailer.1, hailer-scan.1 and those of the other commands

Exit codes: 0 done, 1 failed, 2 usage.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct ManArgs {
    /// Write the pages of all commands to this folder, which is made where it is not there; older ones are replaced
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs) -> Result<Ended, Failure> {
    let mut command = Args::command();
    command.build();
    match &args.out {
        None => print(&page(command)?),
        Some(folder) => write_all(&command, folder),
    }
}

fn write_all(command: &clap::Command, folder: &Path) -> Result<Ended, Failure> {
    fs::create_dir_all(folder).map_err(|error| {
        Failure::failed(format!("cannot make {}: {error}; choose another folder", folder.display()))
    })?;
    let mut count = 0;
    let mut waiting = vec![command.clone()];
    while let Some(command) = waiting.pop() {
        let own = command.get_subcommands().filter(|own| own.get_name() != "help");
        waiting.extend(own.cloned());
        let name = name(&command);
        replace(&folder.join(format!("{name}.1")), &page(command)?).map_err(Failure::failed)?;
        count += 1;
    }
    tell(format_args!("{count} pages are in {}", folder.display()));
    Ok(Ended::Done)
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let man = Man::new(command.version(env!("CARGO_PKG_VERSION"))).manual("hailer");
    man.render(&mut page).map_err(Failure::failed)?;
    Ok(page)
}

/// What a page is called: `hailer-scan`.
fn name(command: &clap::Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}
