//! The segment that is written to.

use pbft_core::storage::LogPosition;

use super::{
    LogOptions,
    error::{LogError, Operation},
    frame::{self, FRAME_BYTES, Kind, Place},
    header::{Header, file_name},
};
use crate::disk::Disk;

/// Beyond this the buffer gives memory back after a write.
const KEPT_BUFFER_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Active {
    pub(super) header: Header,
    pub(super) name: String,
    /// The last record, written or buffered.
    pub(super) last: LogPosition,
    /// The checksum of the last frame.
    pub(super) chain: u32,
    /// Where the next write goes. Everything before is durable.
    pub(super) end: usize,
    /// How long the file is; zeros from `end` on.
    pub(super) length: usize,
    /// Whether the last frame is a mark by itself.
    pub(super) proven: bool,
    /// Frames that are not written yet.
    pub(super) buffer: Vec<u8>,
}

impl Active {
    /// Makes a file for the segment and waits until it is durable, so that a frame never stands behind a header that
    /// a crash may take away.
    pub(super) fn create<D: Disk>(
        disk: &mut D,
        header: Header,
        options: &LogOptions,
    ) -> Result<Self, LogError> {
        let mut segment = Self {
            header,
            name: file_name(header.first),
            last: LogPosition::new(header.first.value().saturating_sub(1)),
            chain: header.seed,
            end: 0,
            length: 0,
            proven: false,
            buffer: header.to_bytes(),
        };
        segment.flush(disk, options)?;
        Ok(segment)
    }

    /// Whether a record with a payload of this length still belongs in here. The first one always does.
    pub(super) fn has_room(&self, payload: usize, options: &LogOptions) -> bool {
        let length =
            self.end.saturating_add(self.buffer.len()).saturating_add(FRAME_BYTES).saturating_add(payload);
        self.last < self.header.first || length <= options.segment_bytes
    }

    /// Adds a frame to the next write.
    pub(super) fn push(&mut self, kind: Kind, position: LogPosition, payload: &[u8]) {
        let starts_write = self.buffer.is_empty();
        let place = Place { salt: self.header.salt, starts_write, position, previous: self.chain };
        self.chain = frame::push(&mut self.buffer, kind, place, payload);
        self.last = position;
        self.proven = kind == Kind::Mark && starts_write;
    }

    /// Says that the records before `low` are not needed.
    pub(super) fn push_mark(&mut self, low: LogPosition) {
        self.push(Kind::Mark, self.last, &low.value().to_le_bytes());
    }

    /// Writes what is buffered, all at once, and waits until it is durable.
    pub(super) fn flush<D: Disk>(&mut self, disk: &mut D, options: &LogOptions) -> Result<(), LogError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let end = self.end.saturating_add(self.buffer.len());
        if end > self.length {
            self.length = options.length_for(end);
            self.buffer.resize(self.length.saturating_sub(self.end), 0);
        }
        write_and_sync(disk, &self.name, self.end, &self.buffer)?;
        self.end = end;
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER_BYTES);
        Ok(())
    }
}

pub(super) fn write_and_sync<D: Disk>(
    disk: &mut D,
    name: &str,
    offset: usize,
    bytes: &[u8],
) -> Result<(), LogError> {
    let failed = |operation| {
        let file = name.to_owned();
        move |source| LogError::Disk { operation, file, source }
    };
    disk.write(name, offset as u64, bytes).map_err(failed(Operation::Write))?;
    disk.sync(name).map_err(failed(Operation::Sync))
}
