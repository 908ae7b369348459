//! `popmarket completions`: what a shell needs to complete the command line.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, CommandError, answer::written};

/// For which shell.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<(), CommandError> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "popmarket", &mut script);
    let mut output = std::io::stdout();
    written(output.write_all(&script).and_then(|()| output.flush()))
}
