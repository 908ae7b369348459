//! What the tests share: records that are easy to tell apart, small logs, and a source of choices.

use pbft_core::{
    Epoch, ReplicaId, Seq, UnixMillis,
    message::{Attestation, Checkpoint, Membership, Signed, StateSummary},
    storage::{CheckpointRecord, Log, LogPosition, Record},
};
use pbft_crypto::{Digest, Signature};
use pbft_node::{
    disk::{Disk, MemoryDisk},
    log::{DurableLog, LogError, LogOptions},
};

pub(crate) type MemoryDiskLog = DurableLog<MemoryDisk>;

pub(crate) const OWNER: [u8; 32] = [7; 32];

pub(crate) fn at(position: u64) -> LogPosition {
    LogPosition::new(position)
}

/// A record whose content depends on `content`, with so many bytes besides its fixed fields.
pub(crate) fn record(content: u64, bytes: usize) -> Record {
    let mut choices = Choices::new(content);
    Record::Checkpoint(Box::new(CheckpointRecord {
        checkpoint: Signed {
            statement: Checkpoint { seq: Seq::new(content), digest: Digest::from_bytes([3; 32]) },
            signer: ReplicaId::new(1),
            signature: Signature::from_r_and_s(&[1; 32], &[2; 32]),
        },
        clients: (0..bytes).map(|_| choices.byte()).collect(),
        snapshot: None,
        summary: StateSummary {
            seq: Seq::new(content),
            time: UnixMillis::new(content),
            wake_at: None,
            service: Digest::ZERO,
            snapshot: false,
            clients: Vec::new(),
            membership: Membership { epoch: Epoch::ZERO, replicas: Digest::ZERO, next: None, wanted: None },
        },
        certified: Seq::ZERO,
        // No record ends with zeros: the tests look for the end of what was written.
        results: vec![Attestation { seq: Seq::new(1), digest: Digest::from_bytes([4; 32]) }],
    }))
}

/// Small segments, so that a short test has many.
pub(crate) fn options() -> LogOptions {
    LogOptions { owner: OWNER, segment_bytes: 4096, reserve_bytes: 1000, salt: 0x5a17 }
}

pub(crate) fn open<D: Disk>(disk: D) -> Result<DurableLog<D>, LogError> {
    DurableLog::open(disk, options())
}

/// A log with records `1..=count` of these many bytes, each synced by itself.
pub(crate) fn fill<D: Disk>(log: &mut DurableLog<D>, count: u64, bytes: usize) {
    for position in 1..=count {
        log.append(at(position), &record(position, bytes)).unwrap();
        log.sync().unwrap();
    }
}

/// What `fill` has written.
pub(crate) fn filled(positions: std::ops::RangeInclusive<u64>, bytes: usize) -> Vec<(LogPosition, Record)> {
    positions.map(|position| (at(position), record(position, bytes))).collect()
}

/// Whether records are what `fill` has written at these positions.
#[track_caller]
pub(crate) fn assert_filled(
    records: &[(LogPosition, Record)],
    positions: std::ops::RangeInclusive<u64>,
    bytes: usize,
) {
    let found: Vec<_> = records.iter().map(|(position, _)| position.value()).collect();
    assert_eq!(found, positions.clone().collect::<Vec<_>>());
    assert!(records == filled(positions, bytes), "a record is not what was written");
}

/// A process that dies: nothing is closed, and the disk keeps all that it was told.
pub(crate) fn die(log: MemoryDiskLog, disk: &MemoryDisk) -> MemoryDisk {
    let after = disk.crash(|length| length);
    drop(log);
    after
}

/// Repeatable choices (xorshift64*).
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % bound.max(1)
    }

    pub(crate) fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    /// How much of a piece survives a crash: all, nothing, or a part of it.
    pub(crate) fn survivor(&mut self, length: usize) -> usize {
        match self.below(5) {
            0 | 1 => length,
            2 | 3 => 0,
            _ => self.index(length + 1),
        }
    }
}
