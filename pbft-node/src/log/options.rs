//! How a log is laid out.

use crate::disk::MAX_FILE_BYTES;

/// How a log is laid out. What is already written can be read whatever the sizes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Whose log it is: a digest of the cluster and the replica, say. A log of another owner is refused, because a
    /// replica that takes another's votes for its own may vote against them.
    pub owner: [u8; 32],
    /// A file that would grow longer is ended and the next one begun. At most [`Self::MAX_SEGMENT_BYTES`].
    pub segment_bytes: usize,
    /// A file grows by this much at once, in zeros, so that most writes change no length and a sync has only one
    /// place to write to: measured by `examples/log_latency.rs` at one half to three quarters of the time. 0 or 1: by
    /// what is written.
    pub reserve_bytes: usize,
    /// Tells the frames of a new log from those of any other. Keep it from clients: one who knows it could send a
    /// request that looks like a frame of the log, and a torn write in that request would look like damage.
    pub salt: u64,
}

impl LogOptions {
    /// Larger segments count as this.
    pub const MAX_SEGMENT_BYTES: usize = 64 << 20;

    /// 16 MiB for each segment, reserved 1 MiB at a time, with a salt of its own.
    #[must_use]
    pub fn new(owner: [u8; 32]) -> Self {
        Self { owner, segment_bytes: 16 << 20, reserve_bytes: 1 << 20, salt: random_salt() }
    }

    /// The same with all values within their bounds.
    pub(super) fn bounded(mut self) -> Self {
        self.segment_bytes = self.segment_bytes.min(Self::MAX_SEGMENT_BYTES);
        self.reserve_bytes = self.reserve_bytes.min(Self::MAX_SEGMENT_BYTES);
        self
    }

    /// How long to make a file that must have `end` bytes.
    pub(super) fn length_for(&self, end: usize) -> usize {
        let reserved = end.checked_next_multiple_of(self.reserve_bytes.max(1)).unwrap_or(end);
        reserved.min(self.segment_bytes).max(end)
    }
}

impl Default for LogOptions {
    /// Nobody's log: for tests, and where there is only one.
    fn default() -> Self {
        Self::new([0; 32])
    }
}

/// The standard library seeds its hash tables from the system's randomness.
fn random_salt() -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one("salt of a log")
}

// The longest file: a segment that is almost full, then marks and the end; or one record larger than any segment.
const _: () = assert!(LogOptions::MAX_SEGMENT_BYTES + (1 << 20) <= MAX_FILE_BYTES);
const _: () = assert!(pbft_core::wire::MAX_ENCODED_BYTES + (1 << 20) <= LogOptions::MAX_SEGMENT_BYTES);
