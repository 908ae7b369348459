//! Votes for digests that no batch has, always the same ones, to everybody.

use std::sync::Arc;

use pbft_core::{
    Message, ReplicaId,
    message::{Commit, PrePrepare, Prepare, Proposal},
};

use super::{Behaviour, Kit, flipped};

pub(super) struct WrongDigest;

impl Behaviour for WrongDigest {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let wrong = match message {
            Message::PrePrepare(proposal) => {
                let honest = proposal.pre_prepare.statement;
                let statement = PrePrepare { digest: flipped(honest.digest), ..honest };
                let batch = Arc::clone(&proposal.batch);
                Message::PrePrepare(Proposal { pre_prepare: kit.sign_as(kit.id, statement), batch })
            }
            Message::Prepare(vote) => {
                let digest = flipped(vote.statement.digest);
                Message::Prepare(kit.sign_as(kit.id, Prepare { digest, ..vote.statement }))
            }
            Message::Commit(vote) => {
                let digest = flipped(vote.statement.digest);
                Message::Commit(kit.sign_as(kit.id, Commit { digest, ..vote.statement }))
            }
            other => return kit.send(to, other),
        };
        kit.send(to, &wrong);
    }
}
