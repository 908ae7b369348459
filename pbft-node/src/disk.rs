//! The disk as the durable log sees it: a flat set of files, five verbs, and a plain word on what a crash may do.
//!
//! [`RealDisk`] is a folder. [`MemoryDisk`] is a disk in memory that loses power, tears, rots and fills up on demand.

mod memory;
mod real;

pub use memory::MemoryDisk;
pub use real::{OpenError, RealDisk};

use std::io;

/// No file is longer; [`Disk::read`] refuses one that is, before it allocates.
pub const MAX_FILE_BYTES: usize = 128 << 20;

/// A flat set of files that one process uses.
///
/// # What a crash may do
/// Only what [`sync`](Self::sync) has answered for is sure to be there afterwards, unchanged. As for the rest:
/// * Of the bytes written since the file's last sync any part may be there, the rest is as before (or zero, beyond
///   the old end): a later write may survive an earlier one, and a write may be torn at any byte. A write that puts the
///   same bytes where they already are cannot harm them.
/// * A file made since its last sync may be gone.
/// * A removed file may be back.
///
/// # To be correct
/// * `read` returns what was written, crash or not.
/// * A `sync` that has failed is never made good by a later one: the caller gives up, and so must not be told `Ok`
///   for bytes that are not on the medium.
pub trait Disk: Send {
    /// The names of all files, in any order.
    ///
    /// # Errors
    /// Whatever the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// A whole file.
    ///
    /// # Errors
    /// If there is none, or it is longer than [`MAX_FILE_BYTES`].
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Puts `bytes` at `offset`, all of them or an error. Makes the file if there is none, and makes it longer if need
    /// be.
    ///
    /// # Errors
    /// Whatever the system says; any part of the bytes may have been written then.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Waits until the file's bytes, and its name, are on the medium.
    ///
    /// # Errors
    /// Whatever the system says; nothing is known then of what was written since the last sync.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Takes a file away.
    ///
    /// # Errors
    /// If there is none, or whatever the system says.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}
