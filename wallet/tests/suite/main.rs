//! The public behaviour of the crate, in one test binary.

mod custody;
mod keystore;
mod keystore_format;
mod nonces;
mod signing;

use std::fs;
use std::path::Path;

/// The names in a folder, sorted.
fn names_in(folder: &Path) -> Vec<String> {
    let entry_names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entry_names.collect();
    names.sort();
    names
}

/// The permission bits of a file or folder.
#[cfg(unix)]
fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
