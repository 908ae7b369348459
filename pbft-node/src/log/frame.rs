//! Frames: the records of a segment, each with its length, its place, and a checksum that covers its predecessor's.
//!
//! The byte table is in the repository's `docs/FORMATS.md`, section "Durable log".

use pbft_core::{storage::LogPosition, wire::MAX_ENCODED_BYTES};

/// How many bytes stand before a payload.
pub(super) const FRAME_BYTES: usize = 28;

/// Set in the kind of the first frame of each write.
const STARTS_WRITE: u8 = 0x80;

/// What a frame is for. Zero is no kind: zeros are space that was not written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// The payload is a record.
    Record = 1,
    /// The payload is the position before which records are not needed any more (8 bytes). A log that is closed in
    /// good order ends with one, which proves what stands before it.
    Mark = 2,
    /// The log goes on in another file. No payload.
    End = 3,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte & !STARTS_WRITE {
            1 => Some(Self::Record),
            2 => Some(Self::Mark),
            3 => Some(Self::End),
            _ => None,
        }
    }
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// Everything that stands before this frame in the log was durable when this frame was written.
    pub(super) starts_write: bool,
    /// Of the record, or of the last record before it if this is none.
    pub(super) position: LogPosition,
    /// The checksum of the frame before, or the segment's seed.
    pub(super) previous: u32,
    /// How long the payload is.
    pub(super) length: usize,
    /// The payload's CRC-32.
    pub(super) payload_checksum: u32,
    /// Covers the log's salt and all of the above.
    pub(super) checksum: u32,
}

impl Frame {
    /// Reads the head of a frame at the start of `bytes`. Nothing unless it is one, and of the log with this salt.
    pub(super) fn read(bytes: &[u8], salt: u64) -> Option<Self> {
        let (head, _) = bytes.split_at_checked(FRAME_BYTES)?;
        let (covered, checksum) = head.split_last_chunk()?;
        let (length, rest) = covered.split_first_chunk()?;
        let ([kind, 0, 0, 0], rest) = rest.split_first_chunk()? else { return None };
        let (position, rest) = rest.split_first_chunk()?;
        let (previous, payload_checksum) = rest.split_first_chunk()?;
        let frame = Self {
            kind: Kind::from_byte(*kind)?,
            starts_write: kind & STARTS_WRITE != 0,
            position: LogPosition::new(u64::from_le_bytes(*position)),
            previous: u32::from_le_bytes(*previous),
            length: usize::try_from(u32::from_le_bytes(*length)).ok()?,
            payload_checksum: u32::from_le_bytes(payload_checksum.try_into().ok()?),
            checksum: u32::from_le_bytes(*checksum),
        };
        let genuine = frame.length <= MAX_ENCODED_BYTES && head_checksum(salt, covered) == frame.checksum;
        genuine.then_some(frame)
    }

    /// The payload behind the head, if it is all there.
    pub(super) fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let payload = bytes.get(FRAME_BYTES..)?.get(..self.length)?;
        (crc32fast::hash(payload) == self.payload_checksum).then_some(payload)
    }

    /// How many bytes head and payload take.
    pub(super) const fn total_bytes(&self) -> usize {
        FRAME_BYTES.saturating_add(self.length)
    }
}

/// Where a frame goes: all of its head but the payload's part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) salt: u64,
    pub(super) starts_write: bool,
    pub(super) position: LogPosition,
    pub(super) previous: u32,
}

/// Writes a frame behind `out` and returns its checksum. `payload` is no longer than [`MAX_ENCODED_BYTES`].
pub(super) fn push(out: &mut Vec<u8>, kind: Kind, place: Place, payload: &[u8]) -> u32 {
    let start = out.len();
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.reserve(FRAME_BYTES.saturating_add(payload.len()));
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[kind as u8 | if place.starts_write { STARTS_WRITE } else { 0 }, 0, 0, 0]);
    out.extend_from_slice(&place.position.value().to_le_bytes());
    out.extend_from_slice(&place.previous.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let checksum = head_checksum(place.salt, out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(payload);
    checksum
}

fn head_checksum(salt: u64, covered: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(covered);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let place = Place { salt: 9, starts_write: true, position: LogPosition::new(5), previous: 7 };
        let mut bytes = Vec::new();
        push(&mut bytes, Kind::Record, place, payload);
        bytes
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let bytes = framed(b"payload");
        let frame = Frame::read(&bytes, 9).unwrap();
        assert_eq!((frame.kind, frame.starts_write, frame.length), (Kind::Record, true, 7));
        assert_eq!((frame.position, frame.previous), (LogPosition::new(5), 7));
        assert_eq!(frame.payload(&bytes), Some(b"payload".as_slice()));
        assert_eq!(frame.total_bytes(), bytes.len());
        assert_eq!(Frame::read(&bytes, 8), None, "another log's salt");
    }

    #[test]
    fn no_record_is_longer_than_any_that_can_be_written() {
        assert!(Frame::read(&framed(&vec![0; MAX_ENCODED_BYTES]), 9).is_some());
        assert_eq!(Frame::read(&framed(&vec![0; MAX_ENCODED_BYTES + 1]), 9), None);
    }

    /// The bytes of `docs/FORMATS.md`. They must never change: logs on disk have them.
    #[test]
    fn the_format_is_frozen() {
        let expected = "07000000" // length
            .to_owned()
            + "81000000" // a record, first of its write
            + "0500000000000000" // position
            + "07000000" // checksum of the frame before
            + "156a2c42" // checksum of the payload
            + "085eb2c7" // checksum of salt and head
            + "7061796c6f6164";
        let hex: String = framed(b"payload").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }
}
