//! One replica on a stage: the test plays its peers, its disk and its service.

use std::{sync::Arc, time::Duration};

use pbft_core::{
    Asker, ClientId, Config, Effect, Epoch, Input, Message, Now, ReadNumber, Replica, ReplicaId, Request,
    RequestNumber, Seq, UnixMillis, ValidConfig, View,
    certificate::Certificate,
    config::ReplicaSet,
    crypto::{Crypto, P256Crypto},
    effect::ViewChangeReason,
    error::InvalidMessage,
    evidence::Evidence,
    message::{
        Batch, Checkpoint, Commit, CommittedBatch, Operation, PrePrepare, Prepare, Proposal, Read, ReadReply,
        Signed, SlotStatus, Statement, Status,
    },
    replica::EmptyLog,
    request_buffer::FairBuffer,
    service::{AdmitAll, Executed, Outcome, ServiceAnswer, ServiceCheckpoint, ServiceQuestion},
    storage::{Log, LogPosition, MemoryLog, Record},
    verify::Verifier,
    wire,
};
use pbft_crypto::{Digest, KeyPair};

pub(crate) const START: UnixMillis = UnixMillis::new(1_700_000_000_000);

pub(crate) fn id(index: u16) -> ReplicaId {
    ReplicaId::new(index)
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// Fixed keys: replica `i` has the secret `i + 1`.
pub(crate) fn key(index: u16) -> Arc<P256Crypto> {
    let mut secret = [0; 32];
    secret[30..].copy_from_slice(&(index + 1).to_be_bytes());
    Arc::new(P256Crypto::new(KeyPair::from_secret_bytes(&secret).unwrap()))
}

pub(crate) fn public_key(index: u16) -> pbft_crypto::PublicKey {
    let mut secret = [0; 32];
    secret[30..].copy_from_slice(&(index + 1).to_be_bytes());
    KeyPair::from_secret_bytes(&secret).unwrap().public_key()
}

/// A cluster of `n` with small bounds: checkpoints at 2, 4, 6, ...; window 8; at most 3 in flight.
pub(crate) fn config(n: u16, tweak: impl FnOnce(&mut Config)) -> Arc<ValidConfig> {
    let mut config = Config::new(Digest::ZERO, ReplicaSet::new((0..n).map(public_key).collect()));
    config.checkpoint_period = 2;
    config.window = 8;
    config.max_in_flight = 3;
    config.eager_in_flight = 1;
    config.max_batch_requests = 4;
    config.max_operation_bytes = 64;
    tweak(&mut config);
    Arc::new(config.validate().unwrap())
}

pub(crate) fn request(client: u8, number: u64) -> Request {
    Request {
        client: ClientId::from_bytes([client; 32]),
        number: RequestNumber::new(number),
        operation: Operation::new(vec![client, u8::try_from(number % 256).unwrap()]),
    }
}

/// The replica under test, and everything around it.
pub(crate) struct Stage {
    pub(crate) config: Arc<ValidConfig>,
    pub(crate) replica: Replica,
    pub(crate) verifier: Verifier,
    pub(crate) log: MemoryLog,
    pub(crate) now: Now,
    index: u16,
    /// Makes the service ask to be woken.
    pub(crate) wake_at: Option<UnixMillis>,
    /// What the service wants certified of each batch.
    pub(crate) result: Option<Digest>,
    /// Why it asked for other views.
    pub(crate) reasons: Vec<ViewChangeReason>,
}

impl Stage {
    /// Replica `index` of four.
    pub(crate) fn new(index: u16) -> Self {
        Self::with(index, 4, |_| ())
    }

    pub(crate) fn with(index: u16, n: u16, tweak: impl FnOnce(&mut Config)) -> Self {
        let config = config(n, tweak);
        let mut log = MemoryLog::default();
        let replica = recover(index, &config, &mut log);
        let verifier = Verifier::new(config.clone(), key(index), Arc::new(AdmitAll));
        let now = Now { elapsed: Duration::from_secs(1), wall: START };
        let (wake_at, result, reasons) = (None, None, Vec::new());
        let mut stage = Self { config, replica, verifier, log, now, index, wake_at, result, reasons };
        stage.input(Input::Start);
        stage
    }

    /// The process dies and comes back; the disk keeps the first `kept` records that were not synced.
    pub(crate) fn restart(&mut self, kept: usize) -> Vec<Effect> {
        self.log.lose_unsynced(kept);
        self.replica = recover(self.index, &self.config, &mut self.log);
        self.replica.check_invariants().unwrap();
        self.input(Input::Start)
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now.elapsed += by;
        self.now.wall = self.now.wall.plus(by);
    }

    // --- Inputs ---------------------------------------------------------------------------------------------------

    /// One step. Records are appended and not synced; nothing else is carried out.
    pub(crate) fn input(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.replica.step(self.now, input, &mut effects);
        for effect in &effects {
            match effect {
                Effect::Persist(position, record) => self.log.append(*position, record).unwrap(),
                Effect::TruncateLog(position) => self.log.truncate(*position).unwrap(),
                Effect::Reconfigured(roster) => self.verifier.update(roster.clone()),
                Effect::ViewChange { why, .. } => self.reasons.push(*why),
                _ => {}
            }
        }
        self.replica.check_invariants().unwrap();
        effects
    }

    /// A message comes in as bytes, and must be believed.
    pub(crate) fn hear(&mut self, from: u16, message: &Message) -> Vec<Effect> {
        let inputs = self.verify(from, message).unwrap();
        inputs.into_iter().flat_map(|input| self.input(input)).collect()
    }

    /// The same, with everything that follows: syncs and executions.
    pub(crate) fn hear_and_settle(&mut self, from: u16, message: &Message) -> Vec<Effect> {
        let effects = self.hear(from, message);
        self.settle(effects)
    }

    pub(crate) fn verify(&self, from: u16, message: &Message) -> Result<Vec<Input>, InvalidMessage> {
        let message = wire::decode(&wire::encode(message).unwrap()).unwrap();
        self.verifier.verify(vec![(id(from), message)]).pop().unwrap()
    }

    pub(crate) fn ask(&mut self, request: Request) -> Vec<Effect> {
        let input = self.verifier.admit(vec![request]).pop().unwrap().unwrap();
        self.input(input)
    }

    /// The disk syncs.
    pub(crate) fn sync(&mut self) -> Vec<Effect> {
        let durable = self.log.sync().unwrap();
        self.input(Input::Durable(durable))
    }

    /// The service has executed `count` requests.
    pub(crate) fn executed(&mut self, count: usize, checkpoint: bool) -> Vec<Effect> {
        let outcomes = vec![Outcome::Applied(b"done".to_vec()); count];
        let executed = Executed { outcomes, wake_at: self.wake_at, replicas: None, result: self.result };
        let checkpoint = checkpoint.then(|| ServiceCheckpoint::from_snapshot(b"state".to_vec()));
        self.input(Input::Executed { executed, checkpoint })
    }

    /// A client asks about the state.
    pub(crate) fn read(&mut self, asker: u64, number: u64, query: &[u8]) -> Vec<Effect> {
        let read = Read { number: ReadNumber::new(number), query: Operation::new(query) };
        self.input(Input::Read { asker: Asker::new(asker), read })
    }

    /// The service has answered questions: each with itself.
    pub(crate) fn echo(&mut self, queries: &[Operation]) -> Vec<Effect> {
        let results = queries.iter().map(|query| Some(query.as_bytes().to_vec())).collect();
        self.input(Input::Answered(ServiceAnswer::Results(results)))
    }

    pub(crate) fn timer(&mut self) -> Vec<Effect> {
        self.input(Input::Timer)
    }

    /// Syncs and executes until nothing follows any more. Returns all effects, the given ones first.
    pub(crate) fn settle(&mut self, mut effects: Vec<Effect>) -> Vec<Effect> {
        let mut seen = 0;
        while seen < effects.len() {
            let next = match &effects[seen] {
                Effect::Persist(..) => self.sync(),
                Effect::Execute { batch, checkpoint } => self.executed(batch.requests.len(), *checkpoint),
                Effect::Ask(ServiceQuestion::Queries(queries)) => self.echo(&queries.clone()),
                _ => vec![],
            };
            seen += 1;
            effects.extend(next);
        }
        effects
    }

    // --- What the others say --------------------------------------------------------------------------------------

    pub(crate) fn sign<T: Statement>(&self, signer: u16, statement: T) -> Signed<T> {
        Signed::sign(statement, id(signer), &self.config, &*key(signer))
    }

    /// The primary's proposal of requests as `number`.
    pub(crate) fn proposal(&self, number: u64, requests: Vec<Request>) -> Proposal {
        self.proposal_at(number, START.plus(Duration::from_millis(number)), requests)
    }

    pub(crate) fn proposal_at(&self, number: u64, time: UnixMillis, requests: Vec<Request>) -> Proposal {
        let batch = Arc::new(Batch { origin: View::ZERO, time, requests });
        let statement = PrePrepare { view: View::ZERO, seq: seq(number), digest: batch.digest() };
        Proposal { pre_prepare: self.sign(0, statement), batch }
    }

    pub(crate) fn prepare(&self, signer: u16, proposal: &Proposal) -> Message {
        let PrePrepare { view, seq, digest } = proposal.pre_prepare.statement;
        Message::Prepare(self.sign(signer, Prepare { view, seq, digest }))
    }

    pub(crate) fn commit(&self, signer: u16, proposal: &Proposal) -> Message {
        let PrePrepare { view, seq, digest } = proposal.pre_prepare.statement;
        Message::Commit(self.sign(signer, Commit { view, seq, digest }))
    }

    /// A final batch with its proof.
    pub(crate) fn committed(&self, proposal: &Proposal, signers: &[u16]) -> CommittedBatch {
        let PrePrepare { view, seq, digest } = proposal.pre_prepare.statement;
        let certificate = self.certificate(Commit { view, seq, digest }, signers);
        CommittedBatch { batch: proposal.batch.clone(), certificate }
    }

    pub(crate) fn certificate<T: Statement + Copy>(&self, statement: T, signers: &[u16]) -> Certificate<T> {
        let sign = |signer: &u16| (id(*signer), self.sign(*signer, statement).signature);
        Certificate { statement, signatures: signers.iter().map(sign).collect() }
    }

    /// Has the replica, a backup, go through `number` with the help of all others. Returns what it did.
    pub(crate) fn order(&mut self, number: u64, requests: Vec<Request>) -> Vec<Effect> {
        let proposal = self.proposal(number, requests);
        let backups: Vec<u16> = (1..4).filter(|other| *other != self.index).collect();
        let mut effects = self.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
        for backup in &backups {
            let prepare = self.prepare(*backup, &proposal);
            effects.extend(self.hear_and_settle(*backup, &prepare));
        }
        for other in [0].iter().chain(&backups) {
            let commit = self.commit(*other, &proposal);
            effects.extend(self.hear_and_settle(*other, &commit));
        }
        effects
    }

    /// The others' votes for the replica's own checkpoint at `number`.
    pub(crate) fn stabilize(&mut self, own: &Signed<Checkpoint>, signers: &[u16]) -> Vec<Effect> {
        let certificate = self.certificate(own.statement, signers);
        self.hear_and_settle(0, &Message::Stable(certificate))
    }
}

pub(crate) fn recover(index: u16, config: &Arc<ValidConfig>, log: &mut MemoryLog) -> Replica {
    let records = log.load().unwrap();
    recover_from(index, config, records).unwrap()
}

pub(crate) fn recover_from(
    index: u16,
    config: &Arc<ValidConfig>,
    records: Vec<(LogPosition, Record)>,
) -> Result<Replica, pbft_core::error::RecoverError> {
    let buffer = Box::new(FairBuffer::new(config.buffer.clone()));
    let crypto: Arc<dyn Crypto> = key(index);
    Ok(Replica::recover(id(index), config.clone(), crypto, buffer, records, EmptyLog::New)?.replica)
}

// --- What effects say ---------------------------------------------------------------------------------------------

/// The kinds of messages sent, in order.
pub(crate) fn sent(effects: &[Effect]) -> Vec<&'static str> {
    messages(effects).map(Message::kind).collect()
}

/// The votes sent, in order.
pub(crate) fn votes(effects: &[Effect]) -> Vec<&'static str> {
    let vote = |kind: &&str| ["pre-prepare", "prepare", "commit", "checkpoint"].contains(kind);
    sent(effects).into_iter().filter(vote).collect()
}

pub(crate) fn messages(effects: &[Effect]) -> impl Iterator<Item = &Message> {
    effects.iter().filter_map(|effect| match effect {
        Effect::Send(_, message) | Effect::Broadcast(message) => Some(message),
        _ => None,
    })
}

/// The numbers handed to the service.
pub(crate) fn executions(effects: &[Effect]) -> Vec<u64> {
    let number = |effect: &Effect| match effect {
        Effect::Execute { batch, .. } => Some(batch.seq.value()),
        _ => None,
    };
    effects.iter().filter_map(number).collect()
}

/// What was said to clients' questions.
pub(crate) fn read_replies(effects: &[Effect]) -> Vec<&ReadReply> {
    let mut replies = Vec::new();
    for effect in effects {
        if let Effect::ReadReply { reply, .. } = effect {
            replies.push(reply);
        }
    }
    replies
}

pub(crate) fn evidence(effects: &[Effect]) -> Vec<&Evidence> {
    let mut found = Vec::new();
    for effect in effects {
        if let Effect::Evidence(evidence) = effect {
            found.push(evidence);
        }
    }
    found
}

pub(crate) fn own_checkpoint(effects: &[Effect]) -> Option<Signed<Checkpoint>> {
    messages(effects).find_map(|message| match message {
        Message::Checkpoint(vote) => Some(vote.clone()),
        _ => None,
    })
}

pub(crate) fn truncations(effects: &[Effect]) -> Vec<u64> {
    let position = |effect: &Effect| match effect {
        Effect::TruncateLog(position) => Some(position.value()),
        _ => None,
    };
    effects.iter().filter_map(position).collect()
}

pub(crate) fn status(executed: u64, stable: u64, slots: &[SlotStatus]) -> Message {
    status_in(View::ZERO, executed, stable, slots)
}

pub(crate) fn status_in(view: View, executed: u64, stable: u64, slots: &[SlotStatus]) -> Message {
    let slots = slots.to_vec();
    Message::Status(Status {
        view,
        active: true,
        executed: seq(executed),
        stable: seq(stable),
        slots,
        epoch: Epoch::ZERO,
        known: Epoch::ZERO,
        certified: seq(executed),
        first: seq(1),
        votes: true,
        left: false,
        needs: None,
        heard: None,
    })
}
