//! `cargo xtask walk-through`: pastes what the README and the pages of docs/api show into a shell, beside a fresh POP Market
//! for each.
//!
//! What is pasted is every fenced block whose fence says `sh`, one after the other. They speak to 127.0.0.1:8080; here a free
//! port takes that one's place. The pages check by themselves what comes out; for the README `readme_check.sh` does.

mod market;
mod page;

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use crate::{programs, workspace_root};
use market::Market;
use page::Page;

const USUAL_ADDRESS: &str = "127.0.0.1:8080";

/// Comes before the first line of each page, and says which line failed: the outermost one, should it be in a function.
const TRAP: &str = r#"trap 'at=($LINENO ${BASH_LINENO[*]}); echo "FAILED: $0, line ${at[-1]}" >&2' ERR; "#;

/// Runs the chore: all pages, or those whose names end so.
pub(crate) fn main(only: &[String]) -> ExitCode {
    match run(workspace_root(), only) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("walk-through: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, only: &[String]) -> Result<(), String> {
    let mut pages = page::all(root)?;
    pages.retain(|page| only.is_empty() || only.iter().any(|name| page.name.ends_with(name.as_str())));
    if pages.is_empty() {
        return Err(format!("there is no page {}", only.join(" ")));
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    succeed(Command::new(cargo).current_dir(root).args(programs::BUILD))
        .map_err(|why| format!("cargo: {why}"))?;
    for page in &pages {
        println!("\n-- {}", page.name);
        paste(root, page).map_err(|why| format!("{}: {why}", page.name))?;
    }
    println!("\nAll that {} pages show works.", pages.len());
    Ok(())
}

fn paste(root: &Path, page: &Page) -> Result<(), String> {
    let market = Market::start(&page.options)?;
    let script = TRAP.to_owned() + &page.script.replace(USUAL_ADDRESS, &market.address.to_string());
    let mut bash = Command::new("bash");
    bash.current_dir(root).args(["-Eeuo", "pipefail", "-c", &script, &page.name]);
    // What the pages take for given if it is there.
    bash.env_remove("api").env_remove("admin_password").env("popmarket", programs::program("popmarket"));
    succeed(&mut bash)
}

fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
