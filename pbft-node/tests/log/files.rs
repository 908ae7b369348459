//! The same on a real folder.

use std::fs::{self, OpenOptions};

use pbft_core::storage::Log;
use pbft_node::{
    disk::{Disk, MAX_FILE_BYTES, OpenError, RealDisk},
    log::LogError,
};
use tempfile::TempDir;

use crate::model::{assert_filled, at, fill, open, record};

fn disk(folder: &TempDir) -> RealDisk {
    RealDisk::open(folder.path()).unwrap()
}

#[test]
fn a_log_survives_on_real_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(disk(&folder)).unwrap();
    fill(&mut log, 50, 500);
    let files = || fs::read_dir(folder.path()).unwrap().count();
    let full = files();
    log.truncate(at(30)).unwrap();
    log.sync().unwrap();
    assert!(files() < full);
    drop(log);
    let mut log = open(disk(&folder)).unwrap();
    assert_filled(&log.load().unwrap(), 30..=50, 500);
    log.append(at(51), &record(51, 500)).unwrap();
    log.sync().unwrap();
    // Not closed: the process is killed.
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    assert_filled(&open(disk(&copy)).unwrap().load().unwrap(), 30..=51, 500);
}

#[test]
fn two_logs_cannot_have_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = disk(&folder);
    let second = RealDisk::open(folder.path()).unwrap_err();
    assert!(matches!(second, OpenError::Locked { folder: path } if path == folder.path()));
    drop(first);
    RealDisk::open(folder.path()).unwrap();
}

#[test]
fn a_folder_is_made_with_its_parents() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/c");
    drop(RealDisk::open(&deep).unwrap());
    assert!(deep.is_dir());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(RealDisk::open(&file), Err(OpenError::Io { .. })));
}

#[test]
fn a_file_that_is_too_long_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let name = "00000000000000000001.segment";
    let file = OpenOptions::new().write(true).create_new(true).open(folder.path().join(name)).unwrap();
    // A hole: it takes no space on the disk.
    file.set_len(MAX_FILE_BYTES as u64 + 1).unwrap();
    assert!(matches!(open(disk(&folder)), Err(LogError::Disk { file, .. }) if file == name));
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["notes.txt", "1.segment", "00000000000000000001.segment.bak"] {
        fs::write(folder.path().join(name), "mine").unwrap();
    }
    let mut log = open(disk(&folder)).unwrap();
    fill(&mut log, 20, 500);
    log.truncate(at(20)).unwrap();
    log.sync().unwrap();
    drop(log);
    assert_filled(&open(disk(&folder)).unwrap().load().unwrap(), 20..=20, 500);
    assert_eq!(fs::read_to_string(folder.path().join("notes.txt")).unwrap(), "mine");
}

#[test]
fn the_disk_writes_reads_and_removes_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(&folder);
    disk.write("a", 3, b"def").unwrap();
    disk.write("b", 0, b"x").unwrap();
    disk.write("a", 0, b"abc").unwrap();
    disk.sync("a").unwrap();
    assert_eq!(disk.read("a").unwrap(), b"abcdef");
    let mut names = disk.list().unwrap();
    names.sort();
    assert_eq!(names, ["a", "b"]);
    disk.remove("a").unwrap();
    assert!(disk.read("a").is_err());
    assert!(disk.remove("a").is_err());
    disk.write("a", 0, b"new").unwrap();
    assert_eq!(disk.read("a").unwrap(), b"new");
}
