//! `hailer completions`: what completes hailer's words in a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Args;
use super::{Ended, Failure, print};

const AFTER: &str = "\
  hailer completions bash >~/.local/share/bash-completion/completions/hailer
  hailer completions zsh >~/.zfunc/_hailer                     where fpath+=~/.zfunc stands before compinit
  hailer completions fish >~/.config/fish/completions/hailer.fish
  hailer completions powershell >>$PROFILE
  hailer completions elvish >~/.config/elvish/lib/hailer.elv   and: use hailer";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<Ended, Failure> {
    let mut script = Vec::new();
    // What cannot be written to memory is nothing.
    clap_complete::generate(args.shell, &mut Args::command(), "hailer", &mut script);
    print(&script)
}
