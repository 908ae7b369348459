//! The programs of this workspace, built as its tests are.
//!
//! Cargo builds what a package depends on once for each set of features. Those of the whole workspace with its tests are more
//! than those of one program: built by itself, each program would bring a build of its own.

use std::path::{Path, PathBuf};

/// What builds them all. That examples are among them has cargo take the features of tests, too.
pub(crate) const BUILD: [&str; 4] = ["build", "--workspace", "--bins", "--examples"];

/// Where a program is.
pub(crate) fn program(name: &str) -> PathBuf {
    target().join(name)
}

/// Where an example is.
pub(crate) fn example(name: &str) -> PathBuf {
    target().join("examples").join(name)
}

/// Where what programs in Python need is installed.
pub(crate) fn python_environment() -> PathBuf {
    target().with_file_name("python")
}

/// Where this program is itself.
fn target() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    here.parent().unwrap_or_else(|| Path::new("target/debug")).to_path_buf()
}
