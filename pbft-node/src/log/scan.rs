//! Reading a segment: frame after frame, as far as they are whole and chained; and what is behind.

use pbft_core::storage::LogPosition;

use super::{
    error::Damage,
    frame::{FRAME_BYTES, Frame, Kind},
    header::{HEADER_BYTES, Header},
};

/// The whole and chained frames of a segment.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    header: Header,
    bytes: &'a [u8],
    /// The records: where the frame is, the position, the payload.
    pub(super) records: Vec<(usize, LogPosition, &'a [u8])>,
    /// Of the last record in the log so far.
    pub(super) last: LogPosition,
    /// The newest word on what is not needed any more.
    pub(super) low: LogPosition,
    /// The checksum of the last frame, but for the end frame.
    pub(super) chain: u32,
    /// Where the next frame would go; where the end frame is, if there is one.
    pub(super) end: usize,
    /// Where the last write starts; at the header if there is no frame.
    pub(super) last_write: usize,
    /// Whether the last frame is a mark by itself: it proves all that stands before it.
    pub(super) proven: bool,
    /// Why there are no more.
    pub(super) stop: Stop,
}

/// Why a scan is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// At an end frame.
    Ended,
    /// There is nothing behind: zeros, if anything.
    Blank,
    /// What follows is no frame, or not the right one.
    Broken(Damage),
}

impl<'a> Scan<'a> {
    /// Reads the segment of which `bytes` are the file and `header` is the header.
    pub(super) fn new(header: Header, bytes: &'a [u8]) -> Self {
        let mut scan = Self {
            header,
            bytes,
            records: Vec::new(),
            last: LogPosition::new(header.first.value().saturating_sub(1)),
            low: header.low,
            chain: header.seed,
            end: HEADER_BYTES,
            last_write: 0,
            proven: false,
            stop: Stop::Blank,
        };
        while let Some(frame) = scan.next_frame() {
            if let Err(stop) = scan.accept(frame) {
                scan.stop = stop;
                return scan;
            }
        }
        if !is_blank(scan.rest()) {
            scan.stop = Stop::Broken(Damage::Frame);
        }
        scan
    }

    /// Whether there is no frame before the end frame.
    pub(super) const fn is_empty(&self) -> bool {
        self.end == HEADER_BYTES
    }

    /// The bytes behind the last frame.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.end..).unwrap_or_default()
    }

    /// The bytes of the last write, or the header if there is no frame.
    pub(super) fn last_written(&self) -> &'a [u8] {
        self.bytes.get(self.last_write..self.end).unwrap_or_default()
    }

    /// What breaks the log off cannot be a torn write if it is a whole frame out of place, or if something behind it
    /// was written later: writes start only after the one before is durable. Other frames behind it prove nothing,
    /// since of one write any part may have reached the disk.
    pub(super) fn was_durable(&self, damage: Damage) -> bool {
        let may_be_torn = matches!(damage, Damage::Frame | Damage::Payload);
        !may_be_torn || self.later_write().is_some()
    }

    /// Where behind the end a later write starts.
    fn later_write(&self) -> Option<usize> {
        let rest = self.rest();
        let furthest = self.last.value().saturating_add(rest.len() as u64);
        let starts_write = |offset: &usize| {
            let frame = rest.get(*offset..).and_then(|bytes| Frame::read(bytes, self.header.salt));
            frame.is_some_and(|frame| {
                frame.starts_write && (self.last.value()..=furthest).contains(&frame.position.value())
            })
        };
        (1..rest.len().saturating_sub(FRAME_BYTES - 1)).find(starts_write)
    }

    fn next_frame(&self) -> Option<Frame> {
        Frame::read(self.rest(), self.header.salt)
    }

    fn accept(&mut self, frame: Frame) -> Result<(), Stop> {
        let due = if frame.kind == Kind::Record { self.last.next() } else { self.last };
        if frame.previous != self.chain || frame.position != due {
            return Err(Stop::Broken(Damage::Chain));
        }
        let payload = frame.payload(self.rest()).ok_or(Stop::Broken(Damage::Payload))?;
        match (frame.kind, payload.len()) {
            (Kind::Record, _) => self.records.push((self.end, frame.position, payload)),
            (Kind::Mark, 8) => {
                let low = payload.try_into().map(u64::from_le_bytes).unwrap_or_default();
                self.low = self.low.max(LogPosition::new(low));
            }
            (Kind::End, 0) => return Err(Stop::Ended),
            (Kind::Mark | Kind::End, _) => return Err(Stop::Broken(Damage::Content)),
        }
        if frame.starts_write {
            self.last_write = self.end;
        }
        self.proven = frame.kind == Kind::Mark && frame.starts_write;
        self.last = due;
        self.chain = frame.checksum;
        self.end = self.end.saturating_add(frame.total_bytes());
        Ok(())
    }
}

/// Whether there is nothing but zeros.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    written_bytes(bytes) == 0
}

/// How many bytes there are up to the last that is not zero.
pub(super) fn written_bytes(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1))
}
