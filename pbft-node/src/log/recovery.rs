//! Opening a log: check all that is there, tell torn from damaged, and repair the former.
//!
//! Nothing on the disk is changed before everything has been checked, so that a log that is refused stays as it was.

use std::collections::VecDeque;

use pbft_core::{
    storage::{LogPosition, Record},
    wire,
};

use super::{
    active::{Active, write_and_sync},
    error::{Damage, LogError, Operation},
    frame::{self, Kind, Place},
    header::{HEADER_BYTES, Header, NoHeader, file_name, first_of},
    scan::{Scan, Stop, is_blank, written_bytes},
};
use crate::disk::Disk;

/// What a log holds.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// The segment to go on with; nothing if the log is empty.
    pub(super) active: Option<Active>,
    /// The first positions of the segments before it, ascending.
    pub(super) older: VecDeque<LogPosition>,
    /// Earlier records are not needed.
    pub(super) low: LogPosition,
    /// All others.
    pub(super) records: Vec<(LogPosition, Record)>,
}

/// A segment file.
struct SegmentFile {
    name: String,
    header: Header,
    bytes: Vec<u8>,
}

/// Bytes to be put in order.
struct Repair {
    file: String,
    offset: usize,
    bytes: Vec<u8>,
}

/// Reads a log and repairs its end.
pub(super) fn recover<D: Disk>(disk: &mut D, owner: &[u8; 32]) -> Result<Recovered, LogError> {
    let mut firsts = segments(disk)?;
    let mut unneeded = Vec::new();
    let Some(newest) = newest(disk, owner, &mut firsts, &mut unneeded)? else {
        remove(disk, &unneeded)?;
        return Ok(Recovered::default());
    };
    let scan = Scan::new(newest.header, &newest.bytes);
    check_newest(&newest, &scan)?;
    let low = scan.low;
    let mut repairs = vec![tail_repair(&newest, &scan)];
    let mut decoded = vec![newest.decode(&scan)?];
    let mut older = VecDeque::new();
    let (mut next, mut next_is_empty) = (newest.header, scan.is_empty());
    while next.first > low {
        let first = firsts.pop().ok_or(LogError::Missing { from: low, before: next.first })?;
        let segment = SegmentFile::read(disk, first, owner)?;
        let scan = Scan::new(segment.header, &segment.bytes);
        segment.check_followed_by(&next, next_is_empty, &scan)?;
        if next_is_empty {
            repairs.push(end_repair(&segment, &scan));
        }
        decoded.push(segment.decode(&scan)?);
        older.push_front(first);
        (next, next_is_empty) = (segment.header, false);
    }
    unneeded.extend(firsts.into_iter().map(file_name));
    // The newest file first: an older one may say that it ends only if the next one is sure to be there.
    for repair in repairs {
        write_and_sync(disk, &repair.file, repair.offset, &repair.bytes)?;
    }
    remove(disk, &unneeded)?;
    let records = decoded.into_iter().rev().flatten().filter(|(position, _)| *position >= low).collect();
    Ok(Recovered { active: Some(resume(&newest, &scan)), older, low, records })
}

/// The first positions of all segments, ascending.
fn segments<D: Disk>(disk: &D) -> Result<Vec<LogPosition>, LogError> {
    let failed = |source| LogError::Disk { operation: Operation::List, file: "the log".into(), source };
    let mut firsts: Vec<_> = disk.list().map_err(failed)?.iter().filter_map(|name| first_of(name)).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

/// The newest segment that has a header. A file without one is what a crash leaves of a segment that was being made:
/// frames are written only once the header is durable, so there must not be anything behind. There may be several: a crash
/// may bring back one that an earlier recovery removed.
fn newest<D: Disk>(
    disk: &D,
    owner: &[u8; 32],
    firsts: &mut Vec<LogPosition>,
    unneeded: &mut Vec<String>,
) -> Result<Option<SegmentFile>, LogError> {
    while let Some(first) = firsts.pop() {
        let bytes = read(disk, &file_name(first))?;
        let behind = bytes.get(HEADER_BYTES..).unwrap_or_default();
        if Header::read(&bytes) != Err(NoHeader::Unreadable) || !is_blank(behind) {
            return SegmentFile::parse(first, bytes, owner).map(Some);
        }
        tracing::warn!(
            file = file_name(first),
            "a crash interrupted the making of this segment: it is removed"
        );
        unneeded.push(file_name(first));
    }
    Ok(None)
}

fn check_newest(file: &SegmentFile, scan: &Scan<'_>) -> Result<(), LogError> {
    match scan.stop {
        Stop::Ended => Err(LogError::MissingEnd { from: scan.last.next() }),
        Stop::Broken(damage) if scan.was_durable(damage) => Err(file.damaged(scan, damage)),
        Stop::Broken(_) => {
            let (bytes, last) = (written_bytes(scan.rest()), scan.last.value());
            tracing::warn!(file = file.name, offset = scan.end, bytes, last, "a torn write is cut off");
            Ok(())
        }
        Stop::Blank => Ok(()),
    }
}

/// Writes the last write again, since the process that wrote it may not have lived to sync it, or was told that it
/// could not be synced; and zeros over what is torn.
fn tail_repair(file: &SegmentFile, scan: &Scan<'_>) -> Repair {
    let mut bytes = scan.last_written().to_vec();
    bytes.resize(bytes.len().saturating_add(written_bytes(scan.rest())), 0);
    Repair { file: file.name.clone(), offset: scan.last_write, bytes }
}

/// Writes the end frame, again or at last: while the next segment is empty, nothing says that it is durable.
fn end_repair(file: &SegmentFile, scan: &Scan<'_>) -> Repair {
    let place =
        Place { salt: file.header.salt, starts_write: true, position: scan.last, previous: scan.chain };
    let mut bytes = Vec::new();
    frame::push(&mut bytes, Kind::End, place, &[]);
    bytes.resize(bytes.len().max(written_bytes(scan.rest())), 0);
    Repair { file: file.name.clone(), offset: scan.end, bytes }
}

fn resume(file: &SegmentFile, scan: &Scan<'_>) -> Active {
    Active {
        header: file.header,
        name: file.name.clone(),
        last: scan.last,
        chain: scan.chain,
        end: scan.end,
        length: file.bytes.len(),
        proven: scan.proven,
        buffer: Vec::new(),
    }
}

fn read<D: Disk>(disk: &D, name: &str) -> Result<Vec<u8>, LogError> {
    let failed = |source| LogError::Disk { operation: Operation::Read, file: name.to_owned(), source };
    disk.read(name).map_err(failed)
}

fn remove<D: Disk>(disk: &mut D, names: &[String]) -> Result<(), LogError> {
    let failed = |name: &String| {
        let file = name.clone();
        move |source| LogError::Disk { operation: Operation::Remove, file, source }
    };
    names.iter().try_for_each(|name| disk.remove(name).map_err(failed(name)))
}

impl SegmentFile {
    fn read<D: Disk>(disk: &D, first: LogPosition, owner: &[u8; 32]) -> Result<Self, LogError> {
        Self::parse(first, read(disk, &file_name(first))?, owner)
    }

    fn parse(first: LogPosition, bytes: Vec<u8>, owner: &[u8; 32]) -> Result<Self, LogError> {
        let name = file_name(first);
        let damaged = |file, damage| LogError::Damaged { file, offset: 0, position: first, damage };
        match Header::read(&bytes) {
            Ok(header) if header.owner != *owner => Err(LogError::Owner { file: name }),
            Ok(header) if header.first != first => Err(damaged(name, Damage::Misplaced)),
            Ok(header) => Ok(Self { name, header, bytes }),
            Err(NoHeader::Version(version)) => Err(LogError::Version { file: name, version }),
            Err(NoHeader::Unreadable) => Err(damaged(name, Damage::Header)),
        }
    }

    /// Whether all of this segment is there, and `next` is the one that follows it. Everything in it was durable when
    /// the next one was made; the end frame was when the first frame was written to the next one.
    fn check_followed_by(&self, next: &Header, next_is_empty: bool, scan: &Scan<'_>) -> Result<(), LogError> {
        let after = scan.last.next();
        let follows = after == next.first && scan.chain == next.seed;
        match scan.stop {
            Stop::Ended if follows => Ok(()),
            Stop::Ended if after < next.first => Err(LogError::Missing { from: after, before: next.first }),
            Stop::Ended => Err(LogError::Damaged {
                file: file_name(next.first),
                offset: 0,
                position: next.first,
                damage: Damage::Misplaced,
            }),
            Stop::Blank | Stop::Broken(_) if follows && next_is_empty => Ok(()),
            Stop::Blank => Err(self.damaged(scan, Damage::Frame)),
            Stop::Broken(damage) => Err(self.damaged(scan, damage)),
        }
    }

    fn damaged(&self, scan: &Scan<'_>, damage: Damage) -> LogError {
        LogError::Damaged { file: self.name.clone(), offset: scan.end, position: scan.last.next(), damage }
    }

    fn decode(&self, scan: &Scan<'_>) -> Result<Vec<(LogPosition, Record)>, LogError> {
        let decode = |&(offset, position, payload): &(usize, LogPosition, &[u8])| {
            let file = || self.name.clone();
            let undecodable = |source| LogError::Undecodable { file: file(), offset, position, source };
            wire::decode(payload).map(|record| (position, record)).map_err(undecodable)
        };
        scan.records.iter().map(decode).collect()
    }
}
