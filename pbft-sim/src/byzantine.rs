//! Replicas that lie. Each runs the unmodified core and a real log, and bends what it says: one file for each way to.
//!
//! At most `f` replicas of a cluster are Byzantine. They may do anything but forge the signatures of others.

mod censor;
mod checkpoint_liar;
mod clock_liar;
mod empty_primary;
mod equivocator;
mod false_new_view;
mod false_reader;
mod false_returner;
mod false_witness;
mod fetch_flooder;
mod fickle;
mod forger;
mod forgetful;
mod garbage_relay;
mod garbler;
mod hider;
mod last_moment;
mod liar;
mod mutator;
mod new_view_withholder;
mod proof_forger;
mod replayer;
mod resealer;
mod selective;
mod selective_commit;
mod sequence_flooder;
mod signature_flooder;
mod silent;
mod silent_primary;
mod slow_primary;
mod stale_reader;
mod state_liar;
mod status_flooder;
mod trickler;
mod twin;
mod two_faced;
mod two_new_views;
mod usurper;
mod view_spammer;
mod wrong_digest;

use core::time::Duration;
use std::{collections::BTreeMap, sync::Arc};

use pbft_core::{
    Input, Message, Now, ReplicaId, Seq, UnixMillis, ValidConfig,
    crypto::Crypto,
    message::{Batch, NewView, PrePrepare, ReadReply, Reply, Signed, Statement},
    wire,
};
use pbft_crypto::Digest;
use serde::{Deserialize, Serialize};

use crate::{rng::Rng, service::ServiceKind};

/// A way to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Says nothing at all after a while.
    Silent,
    /// Sends to some replicas only.
    Selective,
    /// Sends old messages of anyone again.
    Replayer,
    /// Flips bits, cuts off, and appends.
    Garbler,
    /// Claims wild progress, gives wrong replies, and answers no fetch.
    Liar,
    /// Changes any field by one, and signs again.
    Mutator,
    /// Votes for two digests.
    TwoFaced,
    /// Makes votes and certificates in the names of others.
    Forger,
    /// Whenever it is primary, proposes different batches to different backups.
    Equivocator,
    /// Is two instances with one name, each known to some of the others.
    Twin,
    /// Proposes nothing as primary.
    SilentPrimary,
    /// Proposes just before the others lose patience.
    SlowPrimary,
    /// Leaves out the requests of one client.
    Censor,
    /// Asks for any view, all the time.
    ViewSpammer,
    /// Votes for numbers far past the window.
    SequenceFlooder,
    /// Sends many votes with wrong signatures.
    SignatureFlooder,
    /// Votes for digests that no batch has.
    WrongDigest,
    /// Claims other states at checkpoints.
    CheckpointLiar,
    /// Makes up proofs in its VIEW-CHANGE.
    ProofForger,
    /// Hides from some replicas what it prepared.
    Forgetful,
    /// Begins views that do not follow from the votes.
    FalseNewView,
    /// Begins one view in two ways.
    TwoNewViews,
    /// Tells only some that its view began.
    NewViewWithholder,
    /// Commits towards one replica only.
    SelectiveCommit,
    /// Votes at the last moment.
    LastMoment,
    /// Has a clock that is far off.
    ClockLiar,
    /// Asks for everything, again and again.
    FetchFlooder,
    /// Says again and again that it has nothing.
    StatusFlooder,
    /// Passes on garbage in the clothes of something true.
    GarbageRelay,
    /// Proposes and begins views although others are the primary.
    Usurper,
    /// Attests false results.
    FalseWitness,
    /// Hands out wrong states.
    StateLiar,
    /// Says that it lost its log, and tells wrong things to who did.
    FalseReturner,
    /// Answers questions from states that it has left.
    StaleReader,
    /// Answers questions with results that no state has.
    FalseReader,
    /// Orders empty batches alone.
    EmptyPrimary,
    /// Shows one client's requests to one backup at a time, and has the rest agree on something else.
    Hider,
    /// Passes on NEW-VIEWs with other good signatures inside.
    Resealer,
    /// Takes back how far it is, and claims much again.
    Fickle,
    /// Hands out batches one by one.
    Trickler,
}

impl Kind {
    /// All of them: each replica is primary in its turn.
    pub const ALL: [Self; 40] = [
        Self::Silent,
        Self::Selective,
        Self::Replayer,
        Self::Garbler,
        Self::Liar,
        Self::Mutator,
        Self::TwoFaced,
        Self::Forger,
        Self::Equivocator,
        Self::Twin,
        Self::SilentPrimary,
        Self::SlowPrimary,
        Self::Censor,
        Self::ViewSpammer,
        Self::SequenceFlooder,
        Self::SignatureFlooder,
        Self::WrongDigest,
        Self::CheckpointLiar,
        Self::ProofForger,
        Self::Forgetful,
        Self::FalseNewView,
        Self::TwoNewViews,
        Self::NewViewWithholder,
        Self::SelectiveCommit,
        Self::LastMoment,
        Self::ClockLiar,
        Self::FetchFlooder,
        Self::StatusFlooder,
        Self::GarbageRelay,
        Self::Usurper,
        Self::FalseWitness,
        Self::StateLiar,
        Self::FalseReturner,
        Self::StaleReader,
        Self::FalseReader,
        Self::EmptyPrimary,
        Self::Hider,
        Self::Resealer,
        Self::Fickle,
        Self::Trickler,
    ];

    /// Those about clients' questions: they are put into runs in which some are asked.
    pub const READERS: [Self; 2] = [Self::StaleReader, Self::FalseReader];

    /// All others.
    #[must_use]
    pub fn drawn() -> Vec<Self> {
        Self::ALL.into_iter().filter(|kind| !Self::READERS.contains(kind)).collect()
    }

    /// A replica that lies in this way.
    #[must_use]
    pub fn behaviour(self, rng: &mut Rng) -> Box<dyn Behaviour> {
        match self {
            Self::Silent => Box::new(silent::Silent::new(rng)),
            Self::Selective => Box::new(selective::Selective::new(rng)),
            Self::Replayer => Box::new(replayer::Replayer::default()),
            Self::Garbler => Box::new(garbler::Garbler),
            Self::Liar => Box::new(liar::Liar::new(rng)),
            Self::Mutator => Box::new(mutator::Mutator),
            Self::TwoFaced => Box::new(two_faced::TwoFaced),
            Self::Forger => Box::new(forger::Forger),
            Self::Equivocator => Box::new(equivocator::Equivocator::default()),
            Self::Twin => Box::new(twin::Twin::new(rng)),
            Self::SilentPrimary => Box::new(silent_primary::SilentPrimary),
            Self::SlowPrimary => Box::new(slow_primary::SlowPrimary::new(rng)),
            Self::Censor => Box::new(censor::Censor),
            Self::ViewSpammer => Box::new(view_spammer::ViewSpammer::default()),
            Self::SequenceFlooder => Box::new(sequence_flooder::SequenceFlooder),
            Self::SignatureFlooder => Box::new(signature_flooder::SignatureFlooder),
            Self::WrongDigest => Box::new(wrong_digest::WrongDigest),
            Self::CheckpointLiar => Box::new(checkpoint_liar::CheckpointLiar),
            Self::ProofForger => Box::new(proof_forger::ProofForger),
            Self::Forgetful => Box::new(forgetful::Forgetful),
            Self::FalseNewView => Box::new(false_new_view::FalseNewView),
            Self::TwoNewViews => Box::new(two_new_views::TwoNewViews),
            Self::NewViewWithholder => Box::new(new_view_withholder::NewViewWithholder::new(rng)),
            Self::SelectiveCommit => Box::new(selective_commit::SelectiveCommit::new(rng)),
            Self::LastMoment => Box::new(last_moment::LastMoment::new(rng)),
            Self::ClockLiar => Box::new(clock_liar::ClockLiar::new(rng)),
            Self::FetchFlooder => Box::new(fetch_flooder::FetchFlooder::default()),
            Self::StatusFlooder => Box::new(status_flooder::StatusFlooder::default()),
            Self::GarbageRelay => Box::new(garbage_relay::GarbageRelay),
            Self::Usurper => Box::new(usurper::Usurper),
            Self::FalseWitness => Box::new(false_witness::FalseWitness),
            Self::StateLiar => Box::new(state_liar::StateLiar),
            Self::FalseReturner => Box::new(false_returner::FalseReturner::new(rng)),
            Self::StaleReader => Box::new(stale_reader::StaleReader::default()),
            Self::FalseReader => Box::new(false_reader::FalseReader),
            Self::EmptyPrimary => Box::new(empty_primary::EmptyPrimary::default()),
            Self::Hider => Box::new(hider::Hider),
            Self::Resealer => Box::new(resealer::Resealer::default()),
            Self::Fickle => Box::new(fickle::Fickle),
            Self::Trickler => Box::new(trickler::Trickler::default()),
        }
    }

    /// Whether it may use up most of the others' patience for each batch.
    #[must_use]
    pub const fn dawdles(self) -> bool {
        matches!(self, Self::SlowPrimary | Self::LastMoment)
    }
}

/// How a Byzantine replica bends what the core wants to say.
pub trait Behaviour: Send {
    /// The core wants to send this.
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message);

    /// This came in, and the core hears it too.
    fn on_receive(&mut self, _message: &Message) {}

    /// Something is about to reach the core. Says whether it may.
    fn hears(&mut self, _kit: &mut Kit<'_>, _now: Now, _input: &Input) -> bool {
        true
    }

    /// What its wall clock says.
    fn wall(&self, honest: UnixMillis) -> UnixMillis {
        honest
    }

    /// Its service has this state after `seq`.
    fn on_state(&mut self, _seq: Seq, _state: Digest) {}

    /// The core wants to say this to a client's question.
    fn on_read_reply(&mut self, _kit: &mut Kit<'_>, reply: ReadReply) -> Option<ReadReply> {
        Some(reply)
    }

    /// The core wants to tell a client this.
    fn on_reply(&mut self, _kit: &mut Kit<'_>, reply: Reply) -> Option<Reply> {
        Some(reply)
    }
}

/// What a liar has at hand: its own name and key, and the network.
pub struct Kit<'a> {
    /// Its id.
    pub id: ReplicaId,
    /// The cluster.
    pub config: &'a Arc<ValidConfig>,
    /// Its own key.
    pub crypto: &'a Arc<dyn Crypto>,
    /// Which service its cluster runs.
    pub service: ServiceKind,
    /// Chance.
    pub rng: &'a mut Rng,
    /// What goes out, and after how long.
    pub out: Vec<(ReplicaId, Vec<u8>, Duration)>,
}

impl Kit<'_> {
    /// Sends a message.
    pub fn send(&mut self, to: ReplicaId, message: &Message) {
        self.send_later(to, message, Duration::ZERO);
    }

    /// Sends a message after a while.
    pub fn send_later(&mut self, to: ReplicaId, message: &Message, after: Duration) {
        if let Ok(bytes) = wire::encode(message) {
            self.out.push((to, bytes, after));
        }
    }

    /// Signs with the own key, in whoever's name.
    #[must_use]
    pub fn sign_as<T: Statement>(&self, signer: ReplicaId, statement: T) -> Signed<T> {
        Signed::sign(statement, signer, self.config, &**self.crypto)
    }

    /// Any replica but this one.
    pub fn someone(&mut self) -> ReplicaId {
        let others: Vec<_> = self.config.replicas.ids().filter(|other| *other != self.id).collect();
        self.rng.pick(&others)
    }
}

/// The same digest with one bit flipped: no batch has it.
fn flipped(digest: Digest) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[0] ^= 1;
    Digest::from_bytes(bytes)
}

/// What follows from the votes, by the protocol's own rule.
fn assignments(announced: &NewView) -> Vec<PrePrepare> {
    let votes = || announced.view_changes.iter().map(|vote| &vote.statement);
    let stable = votes().map(|vote| vote.stable).max().unwrap_or_default();
    let mut latest = BTreeMap::<Seq, PrePrepare>::new();
    for fact in votes().flat_map(|vote| &vote.prepared).filter(|fact| fact.seq > stable) {
        let known = latest.entry(fact.seq).or_insert(*fact);
        if fact.view > known.view {
            *known = *fact;
        }
    }
    let last = latest.keys().next_back().copied().unwrap_or(stable);
    let assign = |seq| {
        let digest = latest.get(&seq).map_or_else(|| Batch::null().digest(), |fact| fact.digest);
        PrePrepare { view: announced.view, seq, digest }
    };
    (stable.next().value()..=last.value()).map(Seq::new).map(assign).collect()
}
