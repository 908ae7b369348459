//! A replica's life as bytes: everything that its host told it, and what came of each step. Since a replica is a pure state
//! machine, the same life can be lived again anywhere, step by step, and must come out the same.
//!
//! ```text
//! recording: frame(Beginning) frame(Moment) frame(Moment) ...
//! frame:     length of the body (4 bytes, little-endian), its checksum (8 bytes), the body's checksum (8 bytes), body
//! ```
//!
//! A checksum is the beginning of a digest. The length has its own: a damaged one would look like a frame that a crash has
//! cut off.
//!
//! A recording is trusted like a log: what is in it counts as verified. It holds no secret key; what the replica signed is
//! in it.
#![expect(clippy::disallowed_types, reason = "the port to signatures takes `&self`; nobody ever waits here")]

use core::time::Duration;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pbft_crypto::{Digest, Domain, PublicKey, Signature};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{
    config::{Config, ConfigError},
    crypto::{Crypto, SignatureCheck},
    effect::Effect,
    error::RecoverError,
    ids::{Asker, Epoch, ReplicaId},
    input::Input,
    message::{Message, Read, Request},
    replica::{EmptyLog, Replica},
    request_buffer::{FairBuffer, Lane},
    service::{Executed, ServiceAnswer, ServiceCheckpoint},
    storage::{Durable, LogPosition, Record},
    time::{Now, UnixMillis},
    verify::Verified,
    wire::{DecodeError, EncodeError, decode, encode},
};

/// What a replica starts from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Beginning {
    /// Which replica.
    pub id: ReplicaId,
    /// The key that it signs with.
    pub key: PublicKey,
    /// Its configuration.
    pub config: Config,
    /// What it means if that is none.
    pub empty_log: EmptyLog,
    /// How many records its log holds; each is in a frame of its own, right behind.
    pub records: u64,
}

/// One step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moment {
    /// The host's clocks: elapsed, and the time of day.
    pub now: (Duration, UnixMillis),
    /// What happened.
    pub input: RecordedInput,
    /// What the replica signed in this step.
    pub signatures: Vec<Signature>,
    /// The digest of what came of it.
    pub effects: Digest,
}

/// An [`Input`] as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Input`")]
pub enum RecordedInput {
    Start,
    Message { from: ReplicaId, message: Message, known: Epoch },
    Request { lane: Lane, request: Request },
    Durable(LogPosition),
    Executed { executed: Executed, checkpoint: Option<ServiceCheckpoint> },
    Timer,
    Answered(ServiceAnswer),
    Read { asker: Asker, read: Read },
}

impl From<&Input> for RecordedInput {
    fn from(input: &Input) -> Self {
        match input.clone() {
            Input::Start => Self::Start,
            Input::Message { from, message } => {
                let known = message.known();
                Self::Message { from, message: message.into_inner(), known }
            }
            Input::Request { lane, request } => Self::Request { lane, request: request.into_inner() },
            Input::Durable(durable) => Self::Durable(durable.position()),
            Input::Executed { executed, checkpoint } => Self::Executed { executed, checkpoint },
            Input::Timer => Self::Timer,
            Input::Answered(answer) => Self::Answered(answer),
            Input::Read { asker, read } => Self::Read { asker, read },
        }
    }
}

impl RecordedInput {
    fn into_input(self) -> Input {
        match self {
            Self::Start => Input::Start,
            Self::Message { from, message, known } => {
                Input::Message { from, message: Verified::from_recording(message, known) }
            }
            Self::Request { lane, request } => {
                Input::Request { lane, request: Verified::from_recording(request, Epoch::default()) }
            }
            Self::Durable(position) => Input::Durable(Durable::through(position)),
            Self::Executed { executed, checkpoint } => Input::Executed { executed, checkpoint },
            Self::Timer => Input::Timer,
            Self::Answered(answer) => Input::Answered(answer),
            Self::Read { asker, read } => Input::Read { asker, read },
        }
    }
}

const EFFECTS_DOMAIN: Domain = Domain::new("pbft/recorded-effects/v1");
const LENGTH_DOMAIN: Domain = Domain::new("pbft/recorded-length/v1");
const FRAME_DOMAIN: Domain = Domain::new("pbft/recorded-frame/v1");

/// So many bytes of a frame come before its body.
pub const FRAME_HEADER: usize = 20;

/// The name of what came of a step.
///
/// # Errors
/// If an effect cannot be encoded; none within the configuration's bounds is.
pub fn digest_of(effects: &[Effect]) -> Result<Digest, EncodeError> {
    let mut hasher = pbft_crypto::Hasher::new(EFFECTS_DOMAIN);
    for effect in effects {
        // Each by itself: many large ones together would be longer than any message.
        let bytes = encode(effect)?;
        hasher.update_u64(bytes.len() as u64).update(&bytes);
    }
    Ok(hasher.finish())
}

/// One frame.
///
/// # Errors
/// If the value is longer than any message.
pub fn frame<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let body = encode(value)?;
    let length =
        u32::try_from(body.len()).map_err(|_| EncodeError::TooLong { length: body.len() })?.to_le_bytes();
    Ok([&length[..], &checksum(LENGTH_DOMAIN, &length), &checksum(FRAME_DOMAIN, &body), &body].concat())
}

fn checksum(domain: Domain, bytes: &[u8]) -> [u8; 8] {
    let digest = pbft_crypto::digest(domain, bytes);
    let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
    [a, b, c, d, e, f, g, h]
}

/// Why a recording cannot be lived again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// Bytes are missing, or not those that were written.
    #[error("frame {0} is damaged")]
    Damaged(u64),
    /// A frame holds something else than it should.
    #[error("frame {0}: {1}")]
    Malformed(u64, DecodeError),
    /// The configuration is not one.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log is not one.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The step came out otherwise: the code is another one, or it is not a pure state machine.
    #[error("step {step} ({input}) came out otherwise: now {effects:?}")]
    Differs {
        /// Which, counted from 1.
        step: u64,
        /// What happened.
        input: String,
        /// What came of it this time.
        effects: Vec<String>,
    },
}

/// How a replay went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// So many steps came out as before.
    pub steps: u64,
    /// Whether the last frame was cut off, as by a crash.
    pub torn: bool,
}

/// Lives a recording again.
///
/// # Errors
/// The first thing that is wrong, or different.
pub fn replay(recording: &[u8]) -> Result<Replayed, ReplayError> {
    let mut frames = Frames { rest: recording, count: 0 };
    let beginning: Beginning = frames.read()?.ok_or(ReplayError::Damaged(1))?;
    let mut records: Vec<(LogPosition, Record)> = Vec::new();
    for _ in 0..beginning.records {
        records.push(frames.read()?.ok_or(ReplayError::Damaged(frames.count))?);
    }
    let config = Arc::new(beginning.config.validate()?);
    let crypto = Arc::new(Remembered { key: beginning.key, signatures: Mutex::default() });
    let buffer = Box::new(FairBuffer::new(config.buffer.clone()));
    let empty = beginning.empty_log;
    let recovered = Replica::recover(beginning.id, config, crypto.clone(), buffer, records, empty)?;
    let (mut replica, mut steps) = (recovered.replica, 0u64);
    while let Some(moment) = frames.read::<Moment>()? {
        steps = steps.saturating_add(1);
        crypto.remember(&moment.signatures);
        let (elapsed, wall) = moment.now;
        let input = format!("{:?}", moment.input);
        let mut effects = Vec::new();
        replica.step(Now { elapsed, wall }, moment.input.into_input(), &mut effects);
        let same = digest_of(&effects).is_ok_and(|digest| digest == moment.effects);
        if !same || !crypto.is_used_up() {
            let effects = effects.iter().map(|effect| brief(&format!("{effect:?}"))).collect();
            return Err(ReplayError::Differs { step: steps, input: brief(&input), effects });
        }
    }
    Ok(Replayed { steps, torn: !frames.rest.is_empty() })
}

fn brief(text: &str) -> String {
    text.chars().take(200).collect()
}

struct Frames<'a> {
    rest: &'a [u8],
    count: u64,
}

impl Frames<'_> {
    /// The next frame; nothing at the end, also if the last one was cut off.
    fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ReplayError> {
        self.count = self.count.saturating_add(1);
        let damaged = Err(ReplayError::Damaged(self.count));
        let Some((length, after)) = self.rest.split_first_chunk::<4>() else { return Ok(None) };
        let Some((length_sum, after)) = after.split_first_chunk::<8>() else { return Ok(None) };
        if checksum(LENGTH_DOMAIN, length) != *length_sum {
            return damaged;
        }
        let Some((body_sum, after)) = after.split_first_chunk::<8>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((body, rest)) = after.split_at_checked(length) else { return Ok(None) };
        if checksum(FRAME_DOMAIN, body) != *body_sum {
            return damaged;
        }
        self.rest = rest;
        decode(body).map(Some).map_err(|error| ReplayError::Malformed(self.count, error))
    }
}

/// Signs as it was signed then: without a key.
#[derive(Debug)]
struct Remembered {
    key: PublicKey,
    signatures: Mutex<VecDeque<Signature>>,
}

impl Remembered {
    fn signatures(&self) -> MutexGuard<'_, VecDeque<Signature>> {
        self.signatures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, signatures: &[Signature]) {
        *self.signatures() = signatures.iter().copied().collect();
    }

    fn is_used_up(&self) -> bool {
        self.signatures().is_empty()
    }
}

impl Crypto for Remembered {
    fn public_key(&self) -> PublicKey {
        self.key
    }

    fn sign(&self, _digest: &Digest) -> Signature {
        // One too many shows as a different step.
        self.signatures().pop_front().unwrap_or_else(|| Signature::from_r_and_s(&[0; 32], &[0; 32]))
    }

    fn verify(&self, _check: &SignatureCheck) -> bool {
        true
    }
}

/// A replica's crypto that takes down what it signs, for a [`Moment`].
pub struct TakesDown {
    inner: Arc<dyn Crypto>,
    signed: Mutex<Vec<Signature>>,
}

impl TakesDown {
    /// Signs with `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Crypto>) -> Self {
        Self { inner, signed: Mutex::new(Vec::new()) }
    }

    /// What was signed since this was asked last.
    #[must_use]
    pub fn signed(&self) -> Vec<Signature> {
        core::mem::take(&mut *self.signed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Crypto for TakesDown {
    fn public_key(&self) -> PublicKey {
        self.inner.public_key()
    }

    fn sign(&self, digest: &Digest) -> Signature {
        let signature = self.inner.sign(digest);
        self.signed.lock().unwrap_or_else(PoisonError::into_inner).push(signature);
        signature
    }

    fn verify(&self, check: &SignatureCheck) -> bool {
        self.inner.verify(check)
    }

    fn verify_many(&self, checks: &[SignatureCheck]) -> Vec<bool> {
        self.inner.verify_many(checks)
    }
}
