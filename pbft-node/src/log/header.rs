//! The start of each segment file, and the file's name.

use pbft_core::storage::LogPosition;

/// How many bytes stand before the first frame.
pub(super) const HEADER_BYTES: usize = 76;

const MAGIC: [u8; 8] = *b"PBFT-LOG";
const VERSION: u32 = 1;
const EXTENSION: &str = ".segment";

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The checksum of the last frame of the segment before; zero in a log's first segment.
    pub(super) seed: u32,
    /// The position of the first record.
    pub(super) first: LogPosition,
    /// Records before this one were not needed any more when the segment was made; the log's first one if all were.
    pub(super) low: LogPosition,
    /// Drawn by lot when the log was made. Tells its frames from those of other logs, and keeps whoever may choose the
    /// content of records from writing a frame into one.
    pub(super) salt: u64,
    /// Whose log it is.
    pub(super) owner: [u8; 32],
}

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// The bytes are damaged, or were never written.
    Unreadable,
    /// It is one, of another version.
    Version(u32),
}

impl Header {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.seed.to_le_bytes());
        bytes.extend_from_slice(&self.first.value().to_le_bytes());
        bytes.extend_from_slice(&self.low.value().to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.owner);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, NoHeader> {
        let (version, header) = Self::parse(bytes).ok_or(NoHeader::Unreadable)?;
        if version == VERSION { Ok(header) } else { Err(NoHeader::Version(version)) }
    }

    fn parse(bytes: &[u8]) -> Option<(u32, Self)> {
        let (bytes, _) = bytes.split_at_checked(HEADER_BYTES)?;
        let (covered, checksum) = bytes.split_last_chunk()?;
        if crc32fast::hash(covered) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let rest = covered.strip_prefix(&MAGIC)?;
        let (version, rest) = rest.split_first_chunk()?;
        let (seed, rest) = rest.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (low, rest) = rest.split_first_chunk()?;
        let (salt, owner) = rest.split_first_chunk()?;
        let header = Self {
            seed: u32::from_le_bytes(*seed),
            first: LogPosition::new(u64::from_le_bytes(*first)),
            low: LogPosition::new(u64::from_le_bytes(*low)),
            salt: u64::from_le_bytes(*salt),
            owner: owner.try_into().ok()?,
        };
        Some((u32::from_le_bytes(*version), header))
    }
}

/// The name of the segment that starts with this record. Names sort as positions do.
pub(super) fn file_name(first: LogPosition) -> String {
    format!("{:020}{EXTENSION}", first.value())
}

/// The position in a segment's name; nothing if this is no segment.
pub(super) fn first_of(name: &str) -> Option<LogPosition> {
    let first = LogPosition::new(name.strip_suffix(EXTENSION)?.parse().ok()?);
    (name == file_name(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        seed: 0x0403_0201,
        first: LogPosition::new(5),
        low: LogPosition::new(3),
        salt: 9,
        owner: [0xee; 32],
    };

    /// The bytes of `docs/FORMATS.md`. They must never change: logs on disk have them.
    #[test]
    fn the_format_is_frozen() {
        let expected = "504246542d4c4f47".to_owned() // magic
            + "01000000" // version
            + "01020304" // seed
            + "0500000000000000" // first position
            + "0300000000000000" // low position
            + "0900000000000000" // salt
            + &"ee".repeat(32) // owner
            + "eb8cc6d4"; // checksum
        let hex: String = HEADER.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
        assert_eq!(Header::read(&HEADER.to_bytes()), Ok(HEADER));
    }

    #[test]
    fn names_are_positions() {
        assert_eq!(file_name(LogPosition::new(77)), "00000000000000000077.segment");
        for position in [1, 77, u64::MAX].map(LogPosition::new) {
            assert_eq!(first_of(&file_name(position)), Some(position));
        }
        for other in ["lock", "77.segment", "+0000000000000000077.segment", "00000000000000000077.segment~"] {
            assert_eq!(first_of(other), None, "{other}");
        }
    }
}
