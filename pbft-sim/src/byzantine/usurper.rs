//! Acts as the primary that it is not: proposes in the present view, and begins the next one.

use std::sync::Arc;

use pbft_core::{
    Message, ReplicaId,
    message::{Batch, PrePrepare, Proposal, ProvenNewView},
};

use super::{Behaviour, Kit};

pub(super) struct Usurper;

impl Behaviour for Usurper {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::Prepare(vote) => {
                let s = vote.statement;
                let time = kit.rng.pick(&[1, 1 << 40]);
                let batch =
                    Batch { origin: s.view, time: pbft_core::UnixMillis::new(time), requests: Vec::new() };
                let seq = s.seq.plus(kit.rng.below(3));
                let statement = PrePrepare { view: s.view, seq, digest: batch.digest() };
                let proposal =
                    Proposal { pre_prepare: kit.sign_as(kit.id, statement), batch: Arc::new(batch) };
                kit.send(to, &Message::PrePrepare(proposal));
            }
            Message::NewView(theirs) => {
                let mine = taken_over(kit, ProvenNewView::clone(theirs));
                kit.send(to, &Message::NewView(Box::new(mine)));
            }
            _ => {}
        }
        kit.send(to, message);
    }
}

/// The beginning of a view, with this replica's name under it instead of the primary's.
fn taken_over(kit: &Kit<'_>, mut proven: ProvenNewView) -> ProvenNewView {
    let mut announced = proven.announcement.statement;
    for vote in &mut announced.pre_prepares {
        *vote = kit.sign_as(kit.id, vote.statement);
    }
    proven.announcement = kit.sign_as(kit.id, announced);
    proven
}
