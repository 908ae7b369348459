//! A copy of the source with all defects in it, each behind a switch, and its build.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use thiserror::Error;

use super::{Bug, SWITCH};

/// Why there is no build.
#[derive(Debug, Error)]
pub enum PlantError {
    /// The place is not there, or more than once.
    #[error("{bug}: its place is {times} times in {file}, and must be there once")]
    Place {
        /// The defect.
        bug: String,
        /// Where it belongs.
        file: String,
        /// How often it is there.
        times: usize,
    },
    /// Two defects want one place.
    #[error("{0} and another defect want the same place")]
    Overlap(String),
    /// Files cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The compiler's messages are on the standard error output.
    #[error("the planted source does not compile")]
    Build,
}

/// What is copied: the simulator and what it is made of.
const CRATES: [&str; 4] = ["pbft-crypto", "pbft-core", "ledger", "pbft-sim"];

/// The folder of the copy.
#[derive(Clone, Debug)]
pub struct Scratch {
    root: PathBuf,
    folder: PathBuf,
}

impl Scratch {
    /// In the target directory of the workspace.
    #[must_use]
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Self { folder: target.join("planted"), root }
    }

    /// Plants all defects, and builds. Returns the binary.
    ///
    /// # Errors
    /// If a place is not there, or the result does not compile.
    pub fn build(&self, bugs: &[Bug]) -> Result<PathBuf, PlantError> {
        let planted = self.planted(bugs)?;
        let mut kept = BTreeSet::new();
        for name in CRATES {
            for path in files(&self.root.join(name))? {
                let relative = path.strip_prefix(&self.root).unwrap_or(&path).to_owned();
                let text = match planted.get(&relative) {
                    Some(text) => text.clone().into_bytes(),
                    None => read(&path)?,
                };
                write_if_changed(&self.folder.join(&relative), &text)?;
                kept.insert(relative);
            }
            self.remove_others(name, &kept)?;
        }
        write_if_changed(&self.folder.join("Cargo.toml"), self.manifest()?.as_bytes())?;
        write_if_changed(&self.folder.join("Cargo.lock"), &read(&self.root.join("Cargo.lock"))?)?;
        self.compile()
    }

    fn compile(&self) -> Result<PathBuf, PlantError> {
        let target = self.folder.join("target");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--release", "--offline", "--quiet", "-p", "pbft-sim", "--target-dir"])
            .arg(&target)
            .env("RUSTFLAGS", "-Awarnings")
            .current_dir(&self.folder)
            .status();
        match built {
            Ok(status) if status.success() => Ok(target.join("release/pbft-sim")),
            _ => Err(PlantError::Build),
        }
    }

    /// The changed files, by their path in the workspace.
    ///
    /// # Errors
    /// If a place is not there.
    pub fn planted(&self, bugs: &[Bug]) -> Result<BTreeMap<PathBuf, String>, PlantError> {
        let source = Path::new("pbft-core/src");
        let mut by_file: BTreeMap<&str, Vec<(usize, &Bug)>> = BTreeMap::new();
        for (place, bug) in bugs.iter().enumerate() {
            by_file.entry(&bug.file).or_default().push((place, bug));
        }
        let mut changed = BTreeMap::new();
        for (file, bugs) in by_file {
            let path = source.join(file);
            let text = String::from_utf8_lossy(&read(&self.root.join(&path))?).into_owned();
            changed.insert(path, plant(&text, &bugs)?);
        }
        let lib = source.join("lib.rs");
        let text = match changed.remove(&lib) {
            Some(text) => text,
            None => String::from_utf8_lossy(&read(&self.root.join(&lib))?).into_owned(),
        };
        changed.insert(lib, text + &switch());
        Ok(changed)
    }

    fn manifest(&self) -> Result<String, PlantError> {
        let text = String::from_utf8_lossy(&read(&self.root.join("Cargo.toml"))?).into_owned();
        let mut lines = Vec::new();
        let mut skipping = false;
        for line in text.lines() {
            skipping |= line.starts_with("members = [") || line.starts_with("default-members = [");
            if !skipping {
                lines.push(line.to_owned());
            }
            skipping &= !line.starts_with(']');
            if line.starts_with("[workspace]") {
                lines.push(format!("members = {CRATES:?}"));
            }
        }
        Ok(lines.join("\n"))
    }

    fn remove_others(&self, name: &str, kept: &BTreeSet<PathBuf>) -> Result<(), PlantError> {
        for path in files(&self.folder.join(name))? {
            if path.strip_prefix(&self.folder).is_ok_and(|relative| !kept.contains(relative)) {
                fs::remove_file(&path).map_err(|error| PlantError::File { path, error })?;
            }
        }
        Ok(())
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// The text with all of its defects.
fn plant(text: &str, bugs: &[(usize, &Bug)]) -> Result<String, PlantError> {
    let mut places = Vec::new();
    for (number, bug) in bugs {
        let found: Vec<_> = text.match_indices(&bug.find).map(|(at, _)| at).collect();
        let [at] = found[..] else {
            let (bug, file) = (bug.name.clone(), bug.file.clone());
            return Err(PlantError::Place { bug, file, times: found.len() });
        };
        places.push((at, number, bug));
    }
    places.sort_unstable_by_key(|(at, number, _)| (*at, **number));
    let (mut planted, mut done) = (String::new(), 0);
    for (at, number, bug) in places {
        if at < done {
            return Err(PlantError::Overlap(bug.name.clone()));
        }
        planted.push_str(&text[done..at]);
        planted.push_str(&switched(bug, *number));
        done = at + bug.find.len();
    }
    planted.push_str(&text[done..]);
    Ok(planted)
}

fn switched(bug: &Bug, number: usize) -> String {
    let on = format!("crate::planted::is({number})");
    if bug.replace.contains('@') {
        return bug.replace.replace('@', &on);
    }
    format!("(if {on} {{ {} }} else {{ {} }})", bug.replace, bug.find)
}

fn switch() -> String {
    format!(
        "
/// Which defect is planted.
pub mod planted {{
    static PLANTED: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();

    /// Whether it is this one.
    pub fn is(number: u32) -> bool {{
        *PLANTED.get_or_init(|| std::env::var({SWITCH:?}).ok()?.parse().ok()) == Some(number)
    }}
}}
"
    )
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, PlantError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(PlantError::File { path: folder, error }),
        };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, PlantError> {
    fs::read(path).map_err(|error| PlantError::File { path: path.to_owned(), error })
}

/// What is the same keeps its time, so that it is not built again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), PlantError> {
    if fs::read(path).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    let file = |error| PlantError::File { path: path.to_owned(), error };
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(file)?;
    fs::write(path, bytes).map_err(|error| PlantError::File { path: path.to_owned(), error })
}
