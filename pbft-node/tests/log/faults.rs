//! Disks that refuse.

use pbft_core::storage::Log;
use pbft_node::{
    disk::MemoryDisk,
    log::{LogError, Operation},
};

use crate::model::{assert_filled, at, die, fill, open, record};

#[test]
fn a_failed_sync_poisons_the_log() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 5, 100);
    log.append(at(6), &record(6, 100)).unwrap();
    disk.fail_sync_after(0);
    let error = log.sync().unwrap_err();
    assert!(matches!(error, LogError::Disk { operation: Operation::Sync, .. }), "{error}");
    let operations = disk.operations();
    assert!(matches!(log.sync(), Err(LogError::Failed)));
    assert!(matches!(log.append(at(7), &record(7, 1)), Err(LogError::Failed)));
    assert!(matches!(log.load(), Err(LogError::Failed)));
    assert!(matches!(log.truncate(at(3)), Err(LogError::Failed)));
    drop(log);
    assert_eq!(disk.operations(), operations, "nothing more reaches the disk, not even on closing");
    // What the failed sync was for may be lost, what was durable is not.
    let disk = disk.crash(|_| 0);
    assert_filled(&open(disk).unwrap().load().unwrap(), 1..=5, 100);
}

#[test]
fn records_of_a_failed_sync_are_written_again_before_they_are_handed_out() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 5, 100);
    log.append(at(6), &record(6, 100)).unwrap();
    disk.fail_sync_after(0);
    log.sync().unwrap_err();
    drop(log);
    // The process starts anew, the system does not: readers still see what never reached the medium, and another sync
    // would not bring it there.
    let disk = disk.restart();
    let mut log = open(disk.clone()).unwrap();
    assert_filled(&log.load().unwrap(), 1..=6, 100);
    let disk = disk.crash(|_| 0);
    drop(log);
    assert_filled(&open(disk).unwrap().load().unwrap(), 1..=6, 100);
}

#[test]
fn opening_makes_durable_what_it_hands_out() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 5, 100);
    log.append(at(6), &record(6, 100)).unwrap();
    // The power goes between the write and the sync, and the write survives by luck.
    disk.cut_power_after(1);
    log.sync().unwrap_err();
    let disk = die(log, &disk);
    let mut log = open(disk.clone()).unwrap();
    assert_filled(&log.load().unwrap(), 1..=6, 100);
    // The next crash loses all that is not synced.
    let disk = disk.crash(|_| 0);
    drop(log);
    assert_filled(&open(disk).unwrap().load().unwrap(), 1..=6, 100);
}

#[test]
fn a_full_disk_stops_the_log_and_loses_nothing_durable() {
    for room in (0..3000).step_by(37) {
        let disk = MemoryDisk::new();
        let mut log = open(disk.clone()).unwrap();
        fill(&mut log, 4, 700);
        let used: usize = disk.image().values().map(Vec::len).sum();
        disk.set_capacity(used + room);
        let mut durable = 4;
        let error = loop {
            let result = log.append(at(durable + 1), &record(durable + 1, 700)).and_then(|()| log.sync());
            match result {
                Ok(through) => durable = through.position().value(),
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, LogError::Disk { operation: Operation::Write, source, .. }
            if source.kind() == std::io::ErrorKind::StorageFull));
        assert!(matches!(log.sync(), Err(LogError::Failed)));
        drop(log);
        // Opening needs no room: it repairs in place.
        let mut log = open(disk.clone()).unwrap();
        let records = log.load().unwrap();
        let last = records.last().unwrap().0.value();
        assert!(
            last == durable || last == durable + 1,
            "what did not fit may have been the space reserved behind"
        );
        assert_filled(&records, 1..=last, 700);
        disk.set_capacity(usize::MAX);
        log.append(at(last + 1), &record(last + 1, 700)).unwrap();
        drop(log);
        assert_filled(&open(disk).unwrap().load().unwrap(), 1..=last + 1, 700);
    }
}

#[test]
fn errors_say_what_and_where() {
    let mut said = Vec::new();
    for byte in (100..1_000).step_by(100) {
        let disk = MemoryDisk::new();
        fill(&mut open(disk.clone()).unwrap(), 3, 100);
        let (name, _) = disk.image().pop_first().unwrap();
        assert!(disk.rot(&name, byte, 1));
        let text = open(disk).unwrap_err().to_string();
        assert!(text.contains(&name) && text.contains("byte"), "{text}");
        said.push(text);
    }
    for record in ["record 1", "record 2"] {
        assert!(said.iter().any(|text| text.contains(record)), "{said:#?}");
    }
}
