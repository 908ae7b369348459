//! What can go wrong with a log.

use std::io;

use pbft_core::{
    storage::LogPosition,
    wire::{DecodeError, EncodeError},
};
use thiserror::Error;

use crate::disk::OpenError;

/// Why a log cannot be used. After any of these an open log refuses everything: see [`LogError::Failed`].
#[derive(Debug, Error)]
pub enum LogError {
    /// The folder is in use, or cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk refused.
    #[error("cannot {operation} {file}: {source}")]
    Disk {
        /// What was tried.
        operation: Operation,
        /// On which file.
        file: String,
        /// What the disk says.
        source: io::Error,
    },
    /// Bytes that were durable are not as they were written.
    #[error("{file} is damaged at byte {offset}, where record {} should be: {damage}", position.value())]
    Damaged {
        /// Which file.
        file: String,
        /// Where.
        offset: usize,
        /// The first record that is lost by it.
        position: LogPosition,
        /// What is wrong.
        damage: Damage,
    },
    /// A whole file is gone.
    #[error("records {} to {} are in no file", from.value(), before.value().saturating_sub(1))]
    Missing {
        /// The first record that is lost.
        from: LogPosition,
        /// The next one that is there.
        before: LogPosition,
    },
    /// The newest file is gone.
    #[error("record {} and those after it are in no file", from.value())]
    MissingEnd {
        /// The first record that is lost.
        from: LogPosition,
    },
    /// Written by another version of this program.
    #[error("{file} has format version {version}, which cannot be read")]
    Version {
        /// Which file.
        file: String,
        /// Its version.
        version: u32,
    },
    /// It is somebody else's log.
    #[error("{file} belongs to the log of another replica or cluster")]
    Owner {
        /// Which file.
        file: String,
    },
    /// The frame is whole, but what is in it is no record.
    #[error("record {} at byte {offset} of {file} cannot be decoded: {source}", position.value())]
    Undecodable {
        /// Which file.
        file: String,
        /// Where.
        offset: usize,
        /// Which record.
        position: LogPosition,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A record that could not be read back.
    #[error("record {} cannot be written: {source}", position.value())]
    Unencodable {
        /// Which record.
        position: LogPosition,
        /// What is wrong with it.
        source: EncodeError,
    },
    /// Records must come without a gap, from 1 on.
    #[error("record {} was appended where record {} is due", found.value(), expected.value())]
    OutOfOrder {
        /// What is due.
        expected: LogPosition,
        /// What came.
        found: LogPosition,
    },
    /// There was an error before. What is on the disk is known only after the log has been opened again.
    #[error("the log has failed before and takes no more orders")]
    Failed,
}

/// What was tried on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Operation {
    /// See [`Disk::list`](crate::disk::Disk::list).
    #[error("list the files of")]
    List,
    /// See [`Disk::read`](crate::disk::Disk::read).
    #[error("read")]
    Read,
    /// See [`Disk::write`](crate::disk::Disk::write).
    #[error("write")]
    Write,
    /// See [`Disk::sync`](crate::disk::Disk::sync).
    #[error("sync")]
    Sync,
    /// See [`Disk::remove`](crate::disk::Disk::remove).
    #[error("remove")]
    Remove,
}

/// What is wrong with bytes that were durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// The start of a file is no header.
    #[error("its header cannot be read")]
    Header,
    /// The header and the name, or the files before and after, do not fit together.
    #[error("it does not belong beside the other files")]
    Misplaced,
    /// No frame where one must be.
    #[error("no frame can be read")]
    Frame,
    /// The payload is not all there, or its checksum differs.
    #[error("the payload is not what its checksum covers")]
    Payload,
    /// The frame is whole, but it is not the one that follows the one before.
    #[error("a frame that does not follow the one before")]
    Chain,
    /// The frame is whole, but makes no sense.
    #[error("a frame that makes no sense")]
    Content,
    /// The file is shorter than it was when the log was opened.
    #[error("it ends too early")]
    Shortened,
}
