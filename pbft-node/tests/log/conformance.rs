//! The rules of the port, as the core's kit knows them.

use std::fs;

use pbft_core::{
    conformance,
    storage::{Durable, Log, LogPosition, Record},
};
use pbft_node::{
    disk::{Disk, MemoryDisk, RealDisk},
    log::{DurableLog, LogError},
};
use tempfile::TempDir;

use crate::model::{Choices, open};

/// A log, and where it is.
struct Placed<D: Disk, P> {
    log: DurableLog<D>,
    place: P,
}

impl<D: Disk, P: Send> Log for Placed<D, P> {
    type Error = LogError;

    fn append(&mut self, position: LogPosition, record: &Record) -> Result<(), LogError> {
        self.log.append(position, record)
    }

    fn sync(&mut self) -> Result<Durable, LogError> {
        self.log.sync()
    }

    fn load(&mut self) -> Result<Vec<(LogPosition, Record)>, LogError> {
        self.log.load()
    }

    fn truncate(&mut self, position: LogPosition) -> Result<(), LogError> {
        self.log.truncate(position)
    }
}

fn in_memory(disk: MemoryDisk) -> Placed<MemoryDisk, MemoryDisk> {
    Placed { log: open(disk.clone()).unwrap(), place: disk }
}

/// Takes the log through the rules on a disk of which so much of each unsynced piece survives a power cut.
fn survives(mut survive: impl FnMut(usize) -> usize) {
    let power_cut = |log: Placed<MemoryDisk, MemoryDisk>| {
        let disk = log.place.crash(&mut survive);
        // What the dead process still does reaches no disk.
        drop(log);
        in_memory(disk)
    };
    conformance::log(|| in_memory(MemoryDisk::new()), power_cut).unwrap();
}

#[test]
fn the_log_keeps_the_rules_whatever_a_power_cut_takes() {
    survives(|_| 0);
    survives(|length| length);
    for seed in 0..20 {
        let mut choices = Choices::new(seed);
        survives(|length| choices.survivor(length));
    }
}

fn in_folder(folder: TempDir) -> Placed<RealDisk, TempDir> {
    Placed { log: open(RealDisk::open(folder.path()).unwrap()).unwrap(), place: folder }
}

/// Nothing here cuts the power of a real disk: the process is killed, and what it has not written is lost.
#[test]
fn the_log_keeps_the_rules_in_a_real_folder() {
    let killed = |log: Placed<RealDisk, TempDir>| {
        let left = tempfile::tempdir().unwrap();
        for file in fs::read_dir(log.place.path()).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
        }
        in_folder(left)
    };
    conformance::log(|| in_folder(tempfile::tempdir().unwrap()), killed).unwrap();
}

/// A disk that forgets what it has synced is no fault of the log's, and shows that the kit looks.
#[test]
fn a_disk_that_forgets_breaks_the_rules() {
    let forgets = |log: Placed<MemoryDisk, MemoryDisk>| {
        drop(log);
        in_memory(MemoryDisk::new())
    };
    let broken = conformance::log(|| in_memory(MemoryDisk::new()), forgets).unwrap_err();
    assert!(broken.to_string().contains("what a sync has answered for"), "{broken}");
}
