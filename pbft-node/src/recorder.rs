//! Writes a replica's life to a file, to be lived again by `pbft-sim replay`. For finding out what happened, not for every
//! day: it costs time, and the file grows up to its bound.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::PathBuf,
    sync::Arc,
};

use pbft_core::{
    Effect, Now, ReplicaId, ValidConfig,
    crypto::Crypto,
    message::{Checkpoint, Signed},
    recording::{Beginning, Moment, RecordedInput, TakesDown, digest_of, frame},
    replica::EmptyLog,
    roster::Roster,
    storage::{LogPosition, Record},
};
use pbft_crypto::Signature;

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
    /// The file, as long as it has no step in it: a node that does not start leaves none behind.
    unused: Option<PathBuf>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(file) = self.unused.take() {
            // Whoever starts the node again is told if it is still there.
            let _ = fs::remove_file(file);
        }
    }
}

impl Recorder {
    /// Makes the file. The replica must be recovered, and sign, with [`Self::crypto`].
    pub(crate) fn create(options: &RecordOptions, crypto: Arc<dyn Crypto>) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(&options.file)?;
        let crypto = Arc::new(TakesDown::new(crypto));
        let unused = Some(options.file.clone());
        Ok(Self { file: Some(BufWriter::new(file)), left: options.max_bytes, crypto, unused })
    }

    /// Takes down what the replica was recovered from: who it is, in which first configuration, with which replica sets by
    /// now, and the records of its log.
    pub(crate) fn begin(
        &mut self,
        (id, config, roster): (ReplicaId, &ValidConfig, &Roster),
        records: Vec<(LogPosition, Record)>,
        empty_log: EmptyLog,
    ) -> io::Result<()> {
        // What it signed while it was recovered is no part of its first step.
        let signed = self.crypto.signed();
        let config = pbft_core::Config::clone(config);
        let (key, count) = (self.crypto.public_key(), records.len() as u64);
        let beginning = Beginning { id, key, config, empty_log, records: count };
        self.write(&frame(&beginning).map_err(io::Error::other)?)?;
        for (position, record) in records {
            let record = signed_again(record, &signed, roster, &*self.crypto);
            self.write(&frame(&(position, record)).map_err(io::Error::other)?)?;
        }
        Ok(())
    }

    pub(crate) fn crypto(&self) -> Arc<dyn Crypto> {
        self.crypto.clone()
    }

    /// Takes down a step. A recording that cannot go on ends; the replica does not.
    pub(crate) fn moment(&mut self, now: Now, input: RecordedInput, effects: &[Effect]) {
        self.unused = None;
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

/// A record as the replica takes it: with its own word for a checkpoint as it gave it again after it got another key (RE-5). A
/// replay has no key to tell that what is in the log does not count, nor to sign.
fn signed_again(
    mut record: Record,
    signatures: &[Signature],
    roster: &Roster,
    crypto: &dyn Crypto,
) -> Record {
    if let Record::Checkpoint(checkpoint) = &mut record {
        let vote = &mut checkpoint.checkpoint;
        let config = roster.at(vote.statement.seq);
        let counts = |vote: &Signed<Checkpoint>| {
            vote.signature_check(config).is_some_and(|check| crypto.verify(&check))
        };
        let again = |signature: &Signature| Signed { signature: *signature, ..vote.clone() };
        if !counts(vote)
            && let Some(given) = signatures.iter().map(again).find(counts)
        {
            *vote = given;
        }
    }
    record
}
