//! The steps, in the order in which they run: what is quick and fails often comes first. All share one build: it takes
//! most of the time of a clean checkout, and a second one for speed would double that.

use std::{fs, path::Path};

use super::{invocation::Invocation, python};
use crate::{postgres, programs};

/// One check.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What it takes in this checkout and on this machine.
    pub(super) plan: fn(&Path) -> Plan,
}

/// What a step takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Run(Vec<Invocation>),
    /// It cannot run here, and why.
    Skip(String),
}

/// Says to tests that the programs of all packages are of one build.
const WHOLE_BUILD: &str = "POPMARKET_TEST_WHOLE_BUILD";
/// Every simulator seed is a whole cluster with faults.
const SIMULATOR_SEEDS: &str = "2000";

pub(super) const STEPS: &[Step] = &[
    Step { name: "format", about: "all files are formatted", plan: |_| cargo(&["fmt", "--all", "--check"]) },
    Step {
        name: "clippy",
        about: "no warnings in any target",
        plan: |_| cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    },
    Step { name: "tests", about: "unit, property and integration tests", plan: tests },
    Step { name: "postgres", about: "the same read model on PostgreSQL", plan: on_postgres },
    Step {
        name: "doc-tests",
        about: "examples in the documentation",
        plan: |_| cargo(&["test", "--doc", "--workspace"]),
    },
    Step {
        name: "portable",
        about: "without C: the same verdicts, and receipts can be checked",
        plan: portable,
    },
    Step { name: "web", about: "receipts can be checked in a browser", plan: web },
    Step { name: "docs", about: "the documentation builds without warnings", plan: docs },
    Step {
        name: "simulator",
        about: "whole clusters with faults, one for each seed",
        plan: |_| Plan::Run(after_build([program("pbft-sim", &["run", "--seeds", SIMULATOR_SEEDS])])),
    },
    Step { name: "examples", about: "each example runs to its end", plan: examples },
    Step { name: "benches", about: "each bench runs once", plan: benches },
    Step { name: "deny", about: "licences, bans and sources of dependencies", plan: deny },
    Step { name: "readme", about: "what the README and docs/api show, pasted into a shell", plan: readme },
    Step {
        name: "webhooks",
        about: "webhooks of a real market, as their reference library sees them",
        plan: |root| in_python(root, "webhooks"),
    },
    Step {
        name: "api",
        about: "a real market answers made-up requests as its own description says",
        plan: |root| in_python(root, "api"),
    },
];

fn cargo(arguments: &[&str]) -> Plan {
    Plan::Run(vec![Invocation::cargo(arguments)])
}

fn program(name: &str, arguments: &[&str]) -> Invocation {
    Invocation::program(&programs::program(name).to_string_lossy(), arguments)
}

/// Programs of this workspace.
fn after_build(programs: impl IntoIterator<Item = Invocation>) -> Vec<Invocation> {
    [Invocation::cargo(&programs::BUILD)].into_iter().chain(programs).collect()
}

fn tests(_: &Path) -> Plan {
    if Invocation::cargo(&["nextest", "--version"]).works() {
        let tests = Invocation::cargo(&["nextest", "run", "--workspace"]);
        return Plan::Run(vec![tests.with(WHOLE_BUILD, "1")]);
    }
    println!("cargo-nextest is not installed: `cargo test` does the same, more slowly");
    let tests = Invocation::cargo(&["test", "--workspace", "--lib", "--bins", "--tests"]);
    Plan::Run(vec![tests.with(WHOLE_BUILD, "1")])
}

fn on_postgres(_: &Path) -> Plan {
    match postgres::Programs::find_or_install() {
        Ok(_) => cargo(&["xtask", "postgres"]),
        Err(reason) => Plan::Skip(reason),
    }
}

fn portable(_: &Path) -> Plan {
    Plan::Run(vec![
        Invocation::cargo(&["test", "--quiet", "-p", "pbft-crypto", "--no-default-features", "--tests"]),
        Invocation::cargo(&CHECK_RECEIPT),
    ])
}

const CHECK_RECEIPT: [&str; 5] = ["check", "-p", "receipt", "--no-default-features", "--lib"];

/// What browsers run.
const WEB: &str = "wasm32-unknown-unknown";

fn web(_: &Path) -> Plan {
    // A toolchain that was not installed by rustup may lack it.
    if Invocation::program("rustup", &["target", "add", WEB]).works() {
        cargo(&[&CHECK_RECEIPT[..], &["--target", WEB]].concat())
    } else {
        Plan::Skip(format!("rustup cannot add the target {WEB}"))
    }
}

fn docs(_: &Path) -> Plan {
    let build = Invocation::cargo(&["doc", "--no-deps", "--workspace"]);
    Plan::Run(vec![build.with("RUSTDOCFLAGS", "-D warnings")])
}

fn examples(root: &Path) -> Plan {
    let run = |name: String| Invocation::program(&programs::example(&name).to_string_lossy(), &["--quick"]);
    let all = |names: Vec<String>| after_build(names.into_iter().map(run));
    each_or_skip(rust_files(&root.join("examples")), "examples", all)
}

fn benches(root: &Path) -> Plan {
    let all = |names: Vec<String>| {
        let mut arguments = vec!["test", "--workspace"];
        arguments.extend(names.iter().flat_map(|name| ["--bench", name]));
        vec![Invocation::cargo(&arguments)]
    };
    each_or_skip(rust_files(&root.join("benches")), "benches", all)
}

fn deny(_: &Path) -> Plan {
    if Invocation::cargo(&["deny", "--version"]).works() {
        cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"])
    } else {
        Plan::Skip("cargo-deny is not installed".into())
    }
}

fn readme(_: &Path) -> Plan {
    if let Some(missing) =
        ["bash", "curl", "python3"].iter().find(|name| !Invocation::program(name, &["--version"]).works())
    {
        Plan::Skip(format!("{missing} is not installed"))
    } else {
        cargo(&["xtask", "walk-through"])
    }
}

fn in_python(root: &Path, name: &str) -> Plan {
    match python::environment(root) {
        Ok(python) => Plan::Run(after_build([python::program(&python, name)])),
        Err(reason) => Plan::Skip(reason),
    }
}

fn each_or_skip(names: Vec<String>, folder: &str, run: impl Fn(Vec<String>) -> Vec<Invocation>) -> Plan {
    if names.is_empty() { Plan::Skip(format!("there are none in {folder}/")) } else { Plan::Run(run(names)) }
}

/// The names, without extension, of the Rust files that lie in a folder, sorted.
fn rust_files(folder: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let rust = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<_> =
        rust.filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_names_of_their_own() {
        for (index, step) in STEPS.iter().enumerate() {
            assert!(!STEPS[..index].iter().any(|other| other.name == step.name), "{}", step.name);
        }
    }

    #[test]
    fn examples_and_benches_are_found_by_their_files() {
        let root = crate::workspace_root();
        let Plan::Run(invocations) = examples(root) else { panic!("there are no examples") };
        let lines: Vec<_> = invocations.iter().map(ToString::to_string).collect();
        assert!(lines.iter().any(|line| line.ends_with("/examples/counter --quick")), "{lines:?}");
        let Plan::Run(invocations) = benches(root) else { panic!("there are no benches") };
        let [only] = invocations.as_slice() else { panic!("benches run in one go") };
        assert!(only.to_string().contains("--bench crypto") && only.to_string().contains(" test "));
        assert_eq!(rust_files(Path::new("no-such-folder")), [""; 0]);
    }
}
