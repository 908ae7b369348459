//! Frames: the length of the payload as a little-endian `u32`, and the payload.

use std::io;

use bytes::{Buf, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter};

/// The length before each payload.
pub(crate) const LENGTH_BYTES: usize = 4;
/// So much is asked of the stream at once: TLS hands out a record at a time.
const READ_BYTES: usize = 16 << 10;
/// So much is gathered before it is written.
const WRITE_BYTES: usize = 64 << 10;
/// A buffer that grew past this for one large frame is given back after it.
const KEEP_BYTES: usize = 4 * READ_BYTES;

/// Why there is no further frame.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The length is over the limit; nothing was allocated for it.
    #[error("a frame of {length} bytes: at most {limit} are allowed")]
    TooLong {
        /// What the frame claims, or has.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The stream ended inside a frame.
    #[error("the connection ended inside a frame")]
    Truncated,
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Takes frames out of a stream. One read may bring many.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
    limit: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R, limit: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), limit }
    }

    /// Frames up to `limit` bytes from here on.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The next payload, or nothing at the end of the stream. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<BytesMut>, FrameError> {
        loop {
            let missing = match self.missing()? {
                0 => return Ok(Some(self.take())),
                missing => missing,
            };
            if self.fill(missing).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(FrameError::Truncated) };
            }
        }
    }

    /// How many bytes are missing to the next frame, as far as its length is known.
    fn missing(&self) -> Result<usize, FrameError> {
        let Some(header) = self.buffer.first_chunk::<LENGTH_BYTES>() else {
            return Ok(LENGTH_BYTES.saturating_sub(self.buffer.len()));
        };
        let length = usize::try_from(u32::from_le_bytes(*header)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(FrameError::TooLong { length, limit: self.limit });
        }
        Ok(length.saturating_add(LENGTH_BYTES).saturating_sub(self.buffer.len()))
    }

    /// The frame at the front of the buffer, which is complete.
    fn take(&mut self) -> BytesMut {
        let length = usize::try_from(self.buffer.get_u32_le()).unwrap_or(usize::MAX);
        let payload = self.buffer.split_to(length.min(self.buffer.len()));
        if self.buffer.is_empty() && payload.len() > KEEP_BYTES {
            self.buffer = BytesMut::new();
        }
        payload
    }

    /// Reads more. The buffer grows with what arrives, not with what a length promises.
    async fn fill(&mut self, missing: usize) -> io::Result<usize> {
        let room = missing.min(self.buffer.len()).max(READ_BYTES);
        self.buffer.reserve(room);
        match self.stream.read_buf(&mut self.buffer).await {
            // A peer that goes without the closing ritual of TLS: frames say themselves where they end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            result => result,
        }
    }
}

/// Puts frames into a stream. Nothing is sure to be on its way before [`FrameWriter::flush`].
#[derive(Debug)]
pub(crate) struct FrameWriter<W: AsyncWrite> {
    stream: BufWriter<W>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(crate) fn new(stream: W) -> Self {
        Self { stream: BufWriter::with_capacity(WRITE_BYTES, stream) }
    }

    pub(crate) async fn write(&mut self, payload: &[u8]) -> Result<(), FrameError> {
        let limit = u32::MAX as usize;
        let length =
            u32::try_from(payload.len()).map_err(|_| FrameError::TooLong { length: payload.len(), limit })?;
        self.stream.write_all(&length.to_le_bytes()).await?;
        self.stream.write_all(payload).await?;
        Ok(())
    }

    pub(crate) async fn flush(&mut self) -> Result<(), FrameError> {
        Ok(self.stream.flush().await?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    async fn read_all<R: AsyncRead + Unpin>(
        stream: R,
        limit: usize,
    ) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
        let mut reader = FrameReader::new(stream, limit);
        let mut frames = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => return (frames, Ok(())),
                Err(error) => return (frames, Err(error)),
            }
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            frames in vec(vec(any::<u8>(), 0..300), 0..40),
            pipe in 1usize..500,
            cut in 0usize..20,
        ) {
            let (near, far) = tokio::io::duplex(pipe);
            let (read, outcome) = block_on(async {
                let write = async {
                    let mut bytes = Vec::new();
                    let mut writer = FrameWriter::new(&mut bytes);
                    for frame in &frames {
                        writer.write(frame).await.unwrap();
                    }
                    writer.flush().await.unwrap();
                    bytes.truncate(bytes.len().saturating_sub(cut));
                    let mut near = near;
                    near.write_all(&bytes).await.unwrap();
                };
                tokio::join!(write, read_all(far, 300)).1
            });
            let whole = cut == 0 || frames.is_empty();
            prop_assert!(frames.starts_with(&read));
            prop_assert!(!whole || read.len() == frames.len());
            prop_assert!(!whole || outcome.is_ok());
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_anything_is_allocated_for_it() {
        let bytes = [0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        let mut reader = FrameReader::new(&bytes[..], 1000);
        let error = block_on(reader.next()).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { length: 0xffff_ffff, limit: 1000 }));
        assert!(reader.buffer.capacity() <= 2 * READ_BYTES);
    }

    #[test]
    fn a_promised_length_costs_no_memory_until_the_bytes_arrive() {
        let limit = 12 << 20;
        let mut bytes = 12_000_000_u32.to_le_bytes().to_vec();
        bytes.extend([7; 100]);
        let mut reader = FrameReader::new(&bytes[..], limit);
        assert!(matches!(block_on(reader.next()), Err(FrameError::Truncated)));
        assert!(reader.buffer.capacity() <= 2 * READ_BYTES);
    }

    #[test]
    fn a_large_frame_s_buffer_is_given_back() {
        let mut bytes = 2_000_000_u32.to_le_bytes().to_vec();
        bytes.resize(2_000_004, 7);
        let mut reader = FrameReader::new(&bytes[..], 1 << 22);
        assert_eq!(block_on(reader.next()).unwrap().unwrap().len(), 2_000_000);
        assert!(reader.buffer.capacity() <= 2 * READ_BYTES);
    }
}
