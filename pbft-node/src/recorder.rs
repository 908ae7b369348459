//! Writes a replica's life to a file, to be lived again by `pbft-sim replay`. For finding out what happened, not for every
//! day: it costs time, and the file grows up to its bound.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::PathBuf,
    sync::Arc,
};

use pbft_core::{
    Effect, Now, ReplicaId, ValidConfig,
    crypto::Crypto,
    recording::{Beginning, Moment, RecordedInput, TakesDown, digest_of, frame},
    replica::EmptyLog,
    storage::{LogPosition, Record},
};

/// Where to record, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordOptions {
    /// The file. There must be none yet.
    pub file: PathBuf,
    /// The recording ends there.
    pub max_bytes: u64,
}

impl RecordOptions {
    /// Up to 1 GiB.
    #[must_use]
    pub const fn new(file: PathBuf) -> Self {
        Self { file, max_bytes: 1 << 30 }
    }
}

/// A recording in the making.
pub(crate) struct Recorder {
    /// Nothing once it has ended.
    file: Option<BufWriter<File>>,
    left: u64,
    crypto: Arc<TakesDown>,
}

impl Recorder {
    /// Begins a recording. The replica must sign with [`Self::crypto`].
    pub(crate) fn begin(
        options: &RecordOptions,
        id: ReplicaId,
        config: &ValidConfig,
        (records, empty_log): (&[(LogPosition, Record)], EmptyLog),
        crypto: Arc<dyn Crypto>,
    ) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(&options.file)?;
        let crypto = Arc::new(TakesDown::new(crypto));
        let mut recorder = Self { file: Some(BufWriter::new(file)), left: options.max_bytes, crypto };
        let config = pbft_core::Config::clone(config);
        let (key, count) = (recorder.crypto.public_key(), records.len() as u64);
        let beginning = Beginning { id, key, config, empty_log, records: count };
        recorder.write(&frame(&beginning).map_err(io::Error::other)?)?;
        for record in records {
            recorder.write(&frame(record).map_err(io::Error::other)?)?;
        }
        Ok(recorder)
    }

    pub(crate) fn crypto(&self) -> Arc<dyn Crypto> {
        self.crypto.clone()
    }

    /// Takes down a step. A recording that cannot go on ends; the replica does not.
    pub(crate) fn moment(&mut self, now: Now, input: RecordedInput, effects: &[Effect]) {
        let signatures = self.crypto.signed();
        if self.file.is_none() {
            return;
        }
        let framed = digest_of(effects)
            .and_then(|effects| frame(&Moment { now: (now.elapsed, now.wall), input, signatures, effects }));
        let written = framed.map_err(io::Error::other).and_then(|bytes| self.write(&bytes));
        if let Err(error) = written {
            tracing::warn!(%error, "the recording ends");
            self.file = None;
        }
    }

    /// What was recorded so far can be read from the file.
    pub(crate) fn flush(&mut self) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush()
        {
            tracing::warn!(%error, "the recording ends");
            self.file = None;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "it is as long as it may be"))?;
        file.write_all(bytes)
    }
}
