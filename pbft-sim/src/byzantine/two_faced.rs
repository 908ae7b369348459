//! Votes for two digests: provably faulty to whoever sees both votes.

use pbft_core::{Message, ReplicaId};

use super::{Behaviour, Kit, flipped};

pub(super) struct TwoFaced;

impl Behaviour for TwoFaced {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let other = match message {
            Message::Prepare(vote) => {
                let mut statement = vote.statement;
                statement.digest = flipped(statement.digest);
                Message::Prepare(kit.sign_as(kit.id, statement))
            }
            Message::Commit(vote) => {
                let mut statement = vote.statement;
                statement.digest = flipped(statement.digest);
                Message::Commit(kit.sign_as(kit.id, statement))
            }
            Message::Checkpoint(vote) => {
                let mut statement = vote.statement;
                statement.digest = flipped(statement.digest);
                Message::Checkpoint(kit.sign_as(kit.id, statement))
            }
            Message::Attestation(vote) => {
                let mut statement = vote.statement;
                statement.digest = flipped(statement.digest);
                Message::Attestation(kit.sign_as(kit.id, statement))
            }
            _ => return kit.send(to, message),
        };
        match kit.rng.below(3) {
            0 => kit.send(to, message),
            1 => kit.send(to, &other),
            _ => {
                kit.send(to, &other);
                kit.send(to, message);
            }
        }
    }
}
