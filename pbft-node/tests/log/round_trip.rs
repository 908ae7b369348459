//! What goes in comes out, also after closing, dying and truncating.

use pbft_core::storage::Log;
use pbft_node::{disk::MemoryDisk, log::LogError};

use crate::model::{assert_filled, at, die, fill, open, options, record};

#[test]
fn an_empty_log_stays_empty() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    assert_eq!(log.load().unwrap(), []);
    assert_eq!(log.sync().unwrap().position(), at(0));
    log.truncate(at(5)).unwrap();
    drop(log);
    assert!(disk.image().is_empty());
}

#[test]
fn records_come_back_in_order_over_many_segments() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 50, 500);
    assert!(log.segments() > 5);
    assert_filled(&log.load().unwrap(), 1..=50, 500);
    drop(log);
    let mut log = open(disk.clone()).unwrap();
    assert_filled(&log.load().unwrap(), 1..=50, 500);
    assert_filled(&log.load().unwrap(), 1..=50, 500);
    for position in 51..=60 {
        log.append(at(position), &record(position, 500)).unwrap();
    }
    // Loading makes durable what it returns.
    assert_filled(&log.load().unwrap(), 1..=60, 500);
    let disk = die(log, &disk);
    assert_filled(&open(disk).unwrap().load().unwrap(), 1..=60, 500);
}

#[test]
fn one_sync_is_one_write_for_all_that_was_appended() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 1, 10);
    let before = disk.operations();
    for position in 2..=9 {
        log.append(at(position), &record(position, 100)).unwrap();
    }
    assert_eq!(disk.operations(), before);
    assert_eq!(log.sync().unwrap().position(), at(9));
    assert_eq!(disk.operations(), before + 2, "a write and a sync");
    assert_eq!(log.sync().unwrap().position(), at(9));
    assert_eq!(disk.operations(), before + 2, "nothing to do");
}

#[test]
fn a_record_may_be_larger_than_a_segment() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    for position in 1..=3 {
        log.append(at(position), &record(position, 10_000)).unwrap();
    }
    assert_eq!(log.segments(), 3);
    drop(log);
    assert_filled(&open(disk).unwrap().load().unwrap(), 1..=3, 10_000);
}

#[test]
fn positions_must_not_jump() {
    for wrong in [0, 3, 5] {
        let mut log = open(MemoryDisk::new()).unwrap();
        fill(&mut log, 3, 10);
        let refused = log.append(at(wrong), &record(wrong, 10)).unwrap_err();
        assert!(matches!(refused, LogError::OutOfOrder { expected, found }
            if expected == at(4) && found == at(wrong)));
        assert!(matches!(log.sync(), Err(LogError::Failed)));
    }
    assert!(open(MemoryDisk::new()).unwrap().append(at(0), &record(0, 0)).is_err());
}

#[test]
fn truncation_takes_effect_with_the_next_sync() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 50, 500);
    let before = disk.image();
    log.truncate(at(40)).unwrap();
    assert_eq!(disk.image(), before, "what makes the old records needless may not be durable yet");
    log.sync().unwrap();
    assert!(disk.image().len() < before.len());
    assert_filled(&log.load().unwrap(), 40..=50, 500);
    // It never goes back.
    log.truncate(at(1)).unwrap();
    log.sync().unwrap();
    drop(log);
    assert_filled(&open(disk).unwrap().load().unwrap(), 40..=50, 500);
}

#[test]
fn truncation_keeps_the_last_record() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 20, 500);
    log.truncate(at(1000)).unwrap();
    log.sync().unwrap();
    assert_eq!(log.segments(), 1);
    drop(log);
    let mut log = open(disk).unwrap();
    assert_filled(&log.load().unwrap(), 20..=20, 500);
    log.append(at(21), &record(21, 500)).unwrap();
    log.sync().unwrap();
    assert_filled(&log.load().unwrap(), 20..=21, 500);
}

#[test]
fn a_log_may_start_anywhere() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    log.append(at(77), &record(77, 10)).unwrap();
    assert_eq!(log.sync().unwrap().position(), at(77));
    drop(log);
    assert_filled(&open(disk).unwrap().load().unwrap(), 77..=77, 10);
}

#[test]
fn opening_and_closing_adds_nothing() {
    let disk = MemoryDisk::new();
    fill(&mut open(disk.clone()).unwrap(), 10, 500);
    let closed = disk.image();
    for _ in 0..3 {
        drop(open(disk.clone()).unwrap());
        assert_eq!(disk.image(), closed);
    }
}

#[test]
fn sizes_may_change_between_runs() {
    let disk = MemoryDisk::new();
    for (round, (segment_bytes, reserve_bytes)) in
        [(4096, 0), (100, 1), (50_000, 4096)].into_iter().enumerate()
    {
        let options = pbft_node::log::LogOptions { segment_bytes, reserve_bytes, ..options() };
        let mut log = pbft_node::log::DurableLog::open(disk.clone(), options).unwrap();
        let done = round as u64 * 10;
        assert_filled(&log.load().unwrap(), 1..=done, 300);
        for position in done + 1..=done + 10 {
            log.append(at(position), &record(position, 300)).unwrap();
            log.sync().unwrap();
        }
    }
    assert_filled(&open(disk).unwrap().load().unwrap(), 1..=30, 300);
}
