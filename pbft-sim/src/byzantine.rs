//! Replicas that lie. Each runs the unmodified core and a real log, and bends what it says: one file for each way to.
//!
//! At most `f` replicas of a cluster are Byzantine. They may do anything but forge the signatures of others.

mod equivocator;
mod forger;
mod garbler;
mod liar;
mod mutator;
mod replayer;
mod selective;
mod silent;
mod two_faced;

use pbft_core::{
    Message, ReplicaId, ValidConfig,
    crypto::Crypto,
    message::{Reply, Signed, Statement},
    wire,
};
use pbft_crypto::Digest;

use crate::rng::Rng;

/// A way to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
}

impl Kind {
    /// All of them: each replica is primary in its turn.
    pub const ALL: [Self; 9] = [
        Self::Silent,
        Self::Selective,
        Self::Replayer,
        Self::Garbler,
        Self::Liar,
        Self::Mutator,
        Self::TwoFaced,
        Self::Forger,
        Self::Equivocator,
    ];

    /// A replica that lies in this way.
    #[must_use]
    pub fn behaviour(self, rng: &mut Rng) -> Box<dyn Behaviour> {
        match self {
            Self::Silent => Box::new(silent::Silent::new(rng)),
            Self::Selective => Box::new(selective::Selective::new(rng)),
            Self::Replayer => Box::new(replayer::Replayer::default()),
            Self::Garbler => Box::new(garbler::Garbler),
            Self::Liar => Box::new(liar::Liar),
            Self::Mutator => Box::new(mutator::Mutator),
            Self::TwoFaced => Box::new(two_faced::TwoFaced),
            Self::Forger => Box::new(forger::Forger),
            Self::Equivocator => Box::new(equivocator::Equivocator::default()),
        }
    }
}

/// How a Byzantine replica bends what the core wants to say.
pub trait Behaviour: Send {
    /// The core wants to send this.
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message);

    /// This came in, and the core hears it too.
    fn on_receive(&mut self, _message: &Message) {}

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
    pub config: &'a ValidConfig,
    /// Its own key.
    pub crypto: &'a dyn Crypto,
    /// Chance.
    pub rng: &'a mut Rng,
    /// What goes out.
    pub out: Vec<(ReplicaId, Vec<u8>)>,
}

impl Kit<'_> {
    /// Sends a message.
    pub fn send(&mut self, to: ReplicaId, message: &Message) {
        if let Ok(bytes) = wire::encode(message) {
            self.out.push((to, bytes));
        }
    }

    /// Signs with the own key, in whoever's name.
    #[must_use]
    pub fn sign_as<T: Statement>(&self, signer: ReplicaId, statement: T) -> Signed<T> {
        Signed::sign(statement, signer, self.config, self.crypto)
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
