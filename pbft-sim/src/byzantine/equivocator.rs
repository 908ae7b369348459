//! A primary that proposes different batches to different backups, and commits to both.

use std::{collections::BTreeMap, sync::Arc};

use pbft_core::{
    Message, ReplicaId, Seq,
    message::{Batch, Commit, PrePrepare, Proposal},
};
use pbft_crypto::Digest;

use super::{Behaviour, Kit};

#[derive(Default)]
pub(super) struct Equivocator {
    twins: BTreeMap<Seq, Digest>,
}

impl Behaviour for Equivocator {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let other_side = to.value() % 2 == 1;
        match message {
            Message::PrePrepare(proposal) => {
                let twin = twin_of(kit, proposal);
                let statement = twin.pre_prepare.statement;
                self.twins.insert(statement.seq, statement.digest);
                let (first, second) = (Message::PrePrepare(proposal.clone()), Message::PrePrepare(twin));
                kit.send(to, if other_side { &second } else { &first });
                if kit.rng.chance(200_000) {
                    kit.send(to, if other_side { &first } else { &second });
                }
            }
            Message::Commit(commit) => {
                let twin = self.twins.get(&commit.statement.seq).filter(|_| other_side);
                let digest = twin.copied().unwrap_or(commit.statement.digest);
                let commit = kit.sign_as(kit.id, Commit { digest, ..commit.statement });
                kit.send(to, &Message::Commit(commit));
            }
            _ => kit.send(to, message),
        }
    }
}

/// The same requests a little later: another batch.
fn twin_of(kit: &Kit<'_>, proposal: &Proposal) -> Proposal {
    let batch = Batch { time: proposal.batch.time.next(), ..Batch::clone(&proposal.batch) };
    let statement = PrePrepare { digest: batch.digest(), ..proposal.pre_prepare.statement };
    Proposal { pre_prepare: kit.sign_as(kit.id, statement), batch: Arc::new(batch) }
}
