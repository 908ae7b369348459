//! As primary it proposes one client's requests to one backup at a time, and has all others agree on a batch without them:
//! each backup has seen them proposed, and none sees them ordered.

use std::sync::Arc;

use pbft_core::{
    Message, ReplicaId,
    message::{Batch, Commit, PrePrepare, Proposal},
};

use super::{Behaviour, Kit};
use crate::customer::client_id;

pub(super) struct Hider;

impl Behaviour for Hider {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let Message::PrePrepare(proposal) = message else { return kit.send(to, message) };
        let Some(rest) = without_the_victims(kit, proposal) else { return kit.send(to, message) };
        if to == only_witness(kit, proposal) {
            return kit.send(to, message);
        }
        let PrePrepare { view, seq, digest } = rest.pre_prepare.statement;
        kit.send(to, &Message::PrePrepare(rest));
        // Its own core waits for votes on the other batch.
        let commit = kit.sign_as(kit.id, Commit { view, seq, digest });
        kit.send(to, &Message::Commit(commit));
    }
}

fn only_witness(kit: &Kit<'_>, proposal: &Proposal) -> ReplicaId {
    let others: Vec<_> = kit.config.replicas.ids().filter(|other| *other != kit.id).collect();
    let turn = proposal.pre_prepare.statement.seq.value() % others.len().max(1) as u64;
    usize::try_from(turn).ok().and_then(|turn| others.get(turn)).copied().unwrap_or(kit.id)
}

/// Nothing if it holds none of theirs.
fn without_the_victims(kit: &Kit<'_>, proposal: &Proposal) -> Option<Proposal> {
    let mut batch = Batch::clone(&proposal.batch);
    batch.requests.retain(|request| request.client != client_id(0));
    let statement = PrePrepare { digest: batch.digest(), ..proposal.pre_prepare.statement };
    (batch.requests.len() < proposal.batch.requests.len())
        .then(|| Proposal { pre_prepare: kit.sign_as(kit.id, statement), batch: Arc::new(batch) })
}
