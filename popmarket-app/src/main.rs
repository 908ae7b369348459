//! `popmarket`: the marketplace, its nodes and its tools. See `popmarket --help`.

use std::process::ExitCode;

use clap::Parser;
use popmarket_app::commands::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
