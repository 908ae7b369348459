//! Chores of this workspace, in Rust, so that they need nothing but the toolchain.

mod coverage;
mod postgres;
mod programs;
mod test;
mod walk_through;

use std::{path::Path, process::ExitCode};

const USAGE: &str = "\
Usage: cargo xtask <CHORE>

Chores:
  test           Everything that must pass: `cargo xtask test --help`
  postgres       The tests that need a server of PostgreSQL, beside a fresh one
  coverage       Which lines of the replica no test and no simulated run comes to
  walk-through   What the README and the pages of docs/api show with curl, beside fresh POP Markets;
                 `walk-through voting.md` is that page alone
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((chore, rest)) if chore == "test" => test::main(rest),
        Some((chore, [])) if chore == "coverage" => coverage::main(),
        Some((chore, [])) if chore == "postgres" => postgres::main(),
        Some((chore, pages)) if chore == "walk-through" => walk_through::main(pages),
        Some((help, _)) if matches!(help.as_str(), "help" | "--help" | "-h") => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The folder above this crate.
fn workspace_root() -> &'static Path {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().unwrap_or(crate_folder)
}
