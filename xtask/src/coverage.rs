//! `cargo xtask coverage`: which lines of the replica the tests and the simulator never come to.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use crate::workspace_root;

/// What is looked at: the phases of the protocol.
const SOURCES: &str = "pbft-core/src/replica";
/// Whose tests run it.
const PACKAGES: [&str; 2] = ["pbft-core", "pbft-sim"];

pub(crate) fn main() -> ExitCode {
    match run(workspace_root()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("no coverage: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path) -> Result<(), String> {
    let tools = Tools::find()?;
    let target = root.join("target/coverage");
    let profiles = target.join("profiles");
    // Profiles and programs of an earlier run have lines that may not be there any more.
    let _ = fs::remove_dir_all(&profiles);
    for program in files(&target.join("debug/deps"), is_program) {
        fs::remove_file(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    }
    let mut tests = Command::new("cargo");
    tests.current_dir(root).arg("test").args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    tests.args(["--lib", "--bins", "--tests"]);
    tests.env("RUSTFLAGS", "-C instrument-coverage").env("CARGO_TARGET_DIR", &target);
    tests.env("LLVM_PROFILE_FILE", profiles.join("%p-%8m.profraw"));
    check(&mut tests)?;

    let merged = profiles.join("all.profdata");
    check(
        Command::new(&tools.profdata)
            .args(["merge", "--sparse", "--output"])
            .arg(&merged)
            .args(files(&profiles, |path| path.extension().is_some_and(|ending| ending == "profraw"))),
    )?;
    let binaries = files(&target.join("debug/deps"), is_program);
    let cov = |what: &[&str]| {
        let mut command = Command::new(&tools.cov);
        command.args(what).arg("--instr-profile").arg(&merged);
        command.args(binaries.iter().flat_map(|binary| [Path::new("--object"), binary]));
        command.arg("--sources").arg(root.join(SOURCES));
        command
    };
    check(&mut cov(&["report"]))?;
    let export = cov(&["export", "--format=lcov"]).output().map_err(|error| error.to_string())?;
    for (file, lines) in never_run(&String::from_utf8_lossy(&export.stdout)) {
        println!("{file}: never run: {}", ranges(&lines));
    }
    Ok(())
}

/// The two programs that read what was counted.
struct Tools {
    profdata: PathBuf,
    cov: PathBuf,
}

impl Tools {
    /// In the toolchain (`rustup component add llvm-tools`), or in the folder that `LLVM_BIN` names.
    fn find() -> Result<Self, String> {
        let sysroot = Command::new("rustc").args(["--print", "target-libdir"]).output();
        let sysroot = sysroot.map_err(|error| error.to_string())?.stdout;
        let own = PathBuf::from(String::from_utf8_lossy(&sysroot).trim()).with_file_name("bin");
        let named = std::env::var_os("LLVM_BIN").map(PathBuf::from);
        for folder in named.into_iter().chain([own]) {
            let tools = Self { profdata: folder.join("llvm-profdata"), cov: folder.join("llvm-cov") };
            if tools.profdata.exists() && tools.cov.exists() {
                return Ok(tools);
            }
        }
        Err("there are no llvm-profdata and llvm-cov: `rustup component add llvm-tools`, or LLVM_BIN=FOLDER"
            .into())
    }
}

fn check(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}

fn files(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| wanted(path)).collect()
}

/// Programs have no ending, and may be run.
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let may_be_run = || path.metadata().is_ok_and(|about| about.permissions().mode() & 0o111 != 0);
    path.extension().is_none() && path.is_file() && may_be_run()
}

/// By file, the lines that were counted as run 0 times.
fn never_run(lcov: &str) -> BTreeMap<String, Vec<u32>> {
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut file = String::new();
    for line in lcov.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            file = path.split_once(SOURCES).map_or(path, |(_, rest)| rest.trim_start_matches('/')).to_owned();
        }
        let counted = line.strip_prefix("DA:").and_then(|counted| counted.split_once(','));
        if let Some((line, "0")) = counted {
            found.entry(file.clone()).or_default().extend(line.parse::<u32>());
        }
    }
    found
}

/// `3-5, 9`.
fn ranges(lines: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *line => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let text = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_never_ran_are_listed_by_file() {
        let lcov = "SF:/x/pbft-core/src/replica/commit.rs\nDA:3,0\nDA:4,0\nDA:5,12\nDA:9,0\nend_of_record\n\
                    SF:/x/pbft-core/src/replica/prepare.rs\nDA:1,1\nend_of_record\n";
        let found = never_run(lcov);
        assert_eq!(found.len(), 1);
        assert_eq!(ranges(&found["commit.rs"]), "3-4, 9");
    }
}
