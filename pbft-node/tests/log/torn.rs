//! The last write, torn at each byte.

use pbft_core::storage::Log;
use pbft_node::{disk::MemoryDisk, log::LogOptions};

use crate::model::{Choices, assert_filled, at, die, open, options, record};

/// A log of two synced records, before and after a third write of three records.
fn before_and_after(options: &LogOptions) -> (String, Vec<u8>, Vec<u8>) {
    let disk = MemoryDisk::new();
    let mut log = pbft_node::log::DurableLog::open(disk.clone(), options.clone()).unwrap();
    for position in 1..=2 {
        log.append(at(position), &record(position, 50)).unwrap();
    }
    log.sync().unwrap();
    let (name, before) = disk.image().pop_first().unwrap();
    for position in 3..=5 {
        log.append(at(position), &record(position, 50)).unwrap();
    }
    log.sync().unwrap();
    let after = disk.image().remove(&name).unwrap();
    (name, before, after)
}

fn disk_with(name: &str, bytes: Vec<u8>) -> MemoryDisk {
    MemoryDisk::from_image([(name.to_owned(), bytes)].into())
}

/// Opens a torn log: it must hold the synced records and whole ones of the torn write, and go on. What it goes on with
/// is as long as what was lost, so that leftovers of that would follow it without a gap.
fn check(disk: &MemoryDisk, whole: u64) {
    for content in [whole + 1, 100] {
        let disk = MemoryDisk::from_image(disk.image());
        let mut log = open(disk.clone()).unwrap();
        assert_filled(&log.load().unwrap(), 1..=whole, 50);
        log.append(at(whole + 1), &record(content, 50)).unwrap();
        log.sync().unwrap();
        let mut records = open(die(log, &disk)).unwrap().load().unwrap();
        assert_eq!(records.pop(), Some((at(whole + 1), record(content, 50))));
        assert_filled(&records, 1..=whole, 50);
    }
}

/// How many of five records a log that is written up to `length` holds.
fn whole_records(before: &[u8], after: &[u8], length: usize) -> u64 {
    let written = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let (start, end) = (written(before), written(after));
    let each = (end - start) / 3;
    2 + u64::try_from((length - start) / each).unwrap()
}

#[test]
fn a_write_torn_at_each_byte_is_cut_off() {
    for reserve_bytes in [0, 4000] {
        let options = LogOptions { reserve_bytes, ..options() };
        let (name, before, after) = before_and_after(&options);
        let first_new = before.iter().zip(&after).position(|(old, new)| old != new).unwrap_or(before.len());
        let last_new = after.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let mut seen = [0; 6];
        for length in first_new..=last_new {
            let mut torn = after[..length].to_vec();
            torn.extend_from_slice(before.get(length..).unwrap_or_default());
            let whole = whole_records(&before, &after, length);
            seen[usize::try_from(whole).unwrap()] += 1;
            check(&disk_with(&name, torn), whole);
        }
        assert_eq!(seen[5], 1);
        assert!(seen[2] > 100 && seen[3] > 100 && seen[4] > 100, "{seen:?}");
    }
}

#[test]
fn a_write_whose_start_is_lost_is_cut_off_with_its_whole_frames() {
    let (name, before, after) = before_and_after(&options());
    let start = before.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for lost in 1..40 {
        let mut torn = after.clone();
        torn[start..start + lost].fill(0);
        check(&disk_with(&name, torn), 2);
    }
}

#[test]
fn garbage_behind_the_last_write_is_cut_off() {
    let (name, _, after) = before_and_after(&options());
    let end = after.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for seed in 0..300 {
        let mut choices = Choices::new(seed);
        let mut bytes = after[..end].to_vec();
        bytes.extend((0..choices.index(200)).map(|_| choices.byte()));
        check(&disk_with(&name, bytes), 5);
    }
}

#[test]
fn a_segment_torn_while_it_was_made_is_removed() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    log.append(at(1), &record(1, 10)).unwrap();
    let (name, made) = disk.image().pop_first().unwrap();
    for length in 0..made.len() {
        let disk = disk_with(&name, made[..length].to_vec());
        let mut log = open(disk.clone()).unwrap();
        assert_eq!(log.load().unwrap(), []);
        log.append(at(1), &record(1, 10)).unwrap();
        log.sync().unwrap();
        drop(log);
        assert_filled(&open(disk).unwrap().load().unwrap(), 1..=1, 10);
    }
}
