//! Bytes that change on the medium, and files that come and go: an error, or nothing lost; never wrong records.

use std::collections::BTreeMap;

use pbft_core::storage::{Log, LogPosition, Record};
use pbft_node::{
    disk::MemoryDisk,
    log::{Damage, DurableLog, LogError, LogOptions},
};
use proptest::prelude::*;

use crate::model::{Choices, assert_filled, at, die, fill, filled, open, options, record};

type Image = BTreeMap<String, Vec<u8>>;

fn closed(records: u64, bytes: usize) -> Image {
    let disk = MemoryDisk::new();
    fill(&mut open(disk.clone()).unwrap(), records, bytes);
    disk.image()
}

fn load(image: Image) -> Result<Vec<(LogPosition, Record)>, LogError> {
    open(MemoryDisk::from_image(image))?.load()
}

/// Where the last byte that is not zero is.
fn last_written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap()
}

#[test]
fn every_flipped_byte_of_a_closed_log_is_detected_or_harmless() {
    let image = closed(20, 500);
    let newest = image.keys().next_back().unwrap().clone();
    let all = filled(1..=20, 500);
    let (mut detected, mut harmless) = (0, 0);
    for (name, bytes) in &image {
        // Behind the last frame nothing is read; the mark that closes the log proves the rest, and is not needed.
        let needed = last_written(bytes) + 1 - if *name == newest { 36 } else { 0 };
        for offset in 0..bytes.len() {
            for mask in [1 << (offset % 8), 0xff] {
                let disk = MemoryDisk::from_image(image.clone());
                assert!(disk.rot(name, offset, mask));
                match open(disk).and_then(|mut log| log.load()) {
                    Ok(records) => {
                        assert!(records == all, "{name} {offset}");
                        assert!(offset >= needed, "{name} {offset} {mask} was not detected");
                        harmless += 1;
                    }
                    Err(LogError::Damaged { .. }) => detected += 1,
                    Err(other) => panic!("{name} {offset}: {other}"),
                }
            }
        }
    }
    assert!(detected > 20_000 && harmless > 100, "{detected} {harmless}");
}

#[test]
fn after_a_crash_only_the_last_write_may_be_taken_for_torn() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 8, 100);
    let start_of_last = last_written(&disk.image().pop_first().unwrap().1) + 1;
    for position in 9..=11 {
        log.append(at(position), &record(position, 100)).unwrap();
    }
    log.sync().unwrap();
    let image = die(log, &disk).image();
    let (name, bytes) = image.first_key_value().unwrap();
    let mut cut = 0;
    for offset in 0..=last_written(bytes) {
        let disk = MemoryDisk::from_image(image.clone());
        assert!(disk.rot(name, offset, 0x10));
        match open(disk).and_then(|mut log| log.load()) {
            Ok(records) => {
                assert!(offset >= start_of_last, "{offset}");
                let whole = records.last().unwrap().0.value();
                assert!((8..11).contains(&whole));
                assert_filled(&records, 1..=whole, 100);
                cut += 1;
            }
            Err(error) => assert!(matches!(error, LogError::Damaged { .. }) && offset < start_of_last),
        }
    }
    assert_eq!(cut, last_written(bytes) + 1 - start_of_last);
}

#[test]
fn a_missing_file_is_missed() {
    let image = closed(50, 500);
    assert!(image.len() > 5);
    for name in image.keys() {
        let mut image = image.clone();
        image.remove(name);
        let error = load(image).unwrap_err();
        assert!(matches!(error, LogError::Missing { .. } | LogError::MissingEnd { .. }), "{name}: {error}");
    }
}

#[test]
fn files_that_truncation_made_needless_may_be_back() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 50, 500);
    let before = disk.image();
    log.truncate(at(40)).unwrap();
    drop(log);
    let after = disk.image();
    for (name, bytes) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
        let mut image = after.clone();
        image.insert(name.clone(), bytes.clone());
        let disk = MemoryDisk::from_image(image);
        assert_filled(&open(disk.clone()).unwrap().load().unwrap(), 40..=50, 500);
        assert_eq!(disk.image().keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    }
}

/// The frames of a segment: where each starts, and where it ends.
fn frames(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut frames = Vec::new();
    let mut start = 76;
    while let Some([a, b, c, d, kind]) = bytes.get(start..start + 5)
        && *kind != 0
    {
        let end = start + 28 + u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        frames.push((start, end));
        start = end;
    }
    frames
}

#[test]
fn frames_swapped_repeated_or_left_out_are_found() {
    let image = closed(8, 100);
    let (name, bytes) = image.first_key_value().unwrap();
    let frames = frames(bytes);
    assert_eq!(frames.len(), 9, "eight records and a mark");
    let rebuilt = |order: Vec<usize>| {
        let mut file = bytes[..76].to_vec();
        for (start, end) in order.into_iter().map(|index| frames[index]) {
            file.extend_from_slice(&bytes[start..end]);
        }
        load([(name.clone(), file)].into())
    };
    assert_filled(&rebuilt((0..9).collect()).unwrap(), 1..=8, 100);
    for index in 0..7 {
        let mut swapped: Vec<usize> = (0..9).collect();
        swapped.swap(index, index + 1);
        let left_out = (0..9).filter(|other| *other != index).collect();
        let repeated = (0..=index).chain(index..9).collect();
        for order in [swapped, left_out, repeated] {
            let error = rebuilt(order).unwrap_err();
            assert!(matches!(error, LogError::Damaged { damage: Damage::Chain, .. }), "{error}");
        }
    }
}

#[test]
fn a_whole_frame_out_of_place_at_the_end_is_not_taken_for_torn() {
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    fill(&mut log, 8, 100);
    let (name, mut bytes) = die(log, &disk).image().pop_first().unwrap();
    let frames = frames(&bytes);
    let ((start, end), (_, behind)) = (frames[6], frames[7]);
    bytes.truncate(behind);
    bytes.extend_from_within(start..end);
    let error = load([(name, bytes)].into()).unwrap_err();
    assert!(matches!(error, LogError::Damaged { damage: Damage::Chain, .. }), "{error}");
}

#[test]
fn a_frame_from_another_life_of_the_log_is_found() {
    let image = closed(8, 100);
    let disk = MemoryDisk::new();
    let mut log = open(disk.clone()).unwrap();
    for position in 1..=8 {
        log.append(at(position), &record(position + 50, 100)).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let (name, other) = disk.image().pop_first().unwrap();
    for (start, end) in frames(&other).into_iter().skip(1) {
        // Same place, same length, same salt, same position.
        let mut mine = image[&name].clone();
        let length = end - start;
        let place = frames(&mine).into_iter().find(|(at, to)| to - at == length && *at == start).unwrap();
        mine[place.0..place.1].copy_from_slice(&other[start..end]);
        let error = load([(name.clone(), mine)].into()).unwrap_err();
        assert!(matches!(error, LogError::Damaged { damage: Damage::Chain, .. }), "{error}");
    }
}

#[test]
fn files_of_another_log_are_found() {
    let mine = closed(50, 500);
    let with = |options: LogOptions, content: u64| {
        let disk = MemoryDisk::new();
        let mut log = DurableLog::open(disk.clone(), options).unwrap();
        for position in 1..=50 {
            log.append(at(position), &record(position + content, 500)).unwrap();
            log.sync().unwrap();
        }
        drop(log);
        disk.image()
    };
    let other_salt = with(LogOptions { salt: 1, ..options() }, 0);
    // Numbers of the same length, so that the files hold the same positions.
    let other_content = with(options(), 70);
    let other_owner = with(LogOptions { owner: [8; 32], ..options() }, 0);
    for name in mine.keys() {
        for other in [&other_salt, &other_content, &other_owner] {
            let mut image = mine.clone();
            image.insert(name.clone(), other[name].clone());
            let error = load(image).unwrap_err();
            assert!(matches!(error, LogError::Damaged { .. } | LogError::Owner { .. }), "{name}: {error}");
        }
    }
    assert!(matches!(load(other_owner), Err(LogError::Owner { .. })));
}

#[test]
fn a_file_under_another_name_is_found() {
    let image = closed(50, 500);
    let names: Vec<_> = image.keys().cloned().collect();
    for pair in names.windows(2) {
        let mut image = image.clone();
        let bytes = image[&pair[0]].clone();
        image.insert(pair[1].clone(), bytes);
        let error = load(image).unwrap_err();
        assert!(matches!(error, LogError::Damaged { damage: Damage::Misplaced, .. }), "{error}");
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let mut image = closed(3, 10);
    let bytes = image.first_entry().unwrap().into_mut();
    bytes[8] = 2;
    let checksum = crc32fast::hash(&bytes[..72]);
    bytes[72..76].copy_from_slice(&checksum.to_le_bytes());
    assert!(matches!(load(image), Err(LogError::Version { version: 2, .. })));
}

#[test]
fn a_refused_log_stays_as_it_was() {
    let image = closed(50, 500);
    for (index, name) in image.keys().enumerate() {
        let disk = MemoryDisk::from_image(image.clone());
        disk.rot(name, 300, 1);
        let damaged = disk.image();
        open(disk.clone()).unwrap_err();
        assert_eq!(disk.image(), damaged, "{index}");
        assert_eq!(disk.operations(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is done to the files, opening them gives an error or a run of the records that were written.
    #[test]
    fn mangled_files_never_give_wrong_records(seed: u64, edits in 1usize..4) {
        let mut choices = Choices::new(seed);
        let mut image = closed(12, 300);
        for _ in 0..edits {
            mangle(&mut image, &mut choices);
        }
        if let Ok(records) = load(image) {
            let first = records.first().map_or(1, |(position, _)| position.value());
            let last = records.last().map_or(0, |(position, _)| position.value());
            assert_filled(&records, first..=last, 300);
        }
    }
}

fn mangle(image: &mut Image, choices: &mut Choices) {
    let Some(index) = image.len().checked_sub(1).map(|last| choices.index(last + 1)) else { return };
    let name = image.keys().nth(index).unwrap().clone();
    let bytes = image.get_mut(&name).unwrap();
    let start = choices.index(bytes.len());
    let end = start + choices.index(bytes.len() - start);
    match choices.below(5) {
        0 => bytes.truncate(start),
        1 => bytes[start..end].fill(0),
        2 => bytes[start..end].iter_mut().for_each(|byte| *byte = choices.byte()),
        3 => bytes.copy_within(start..end, 0),
        _ => drop(image.remove(&name)),
    }
}
