//! Begins one view in two ways. Each follows from the votes that it shows: in one of them its own vote hides what it
//! prepared.

use pbft_core::{Message, ReplicaId, message::ProvenNewView};

use super::{Behaviour, Kit, assignments};

pub(super) struct TwoNewViews;

impl Behaviour for TwoNewViews {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::NewView(honest) if to.value() % 2 == 1 => {
                let other = other(kit, honest);
                kit.send(to, &Message::NewView(Box::new(other)));
            }
            _ => kit.send(to, message),
        }
    }
}

fn other(kit: &Kit<'_>, honest: &ProvenNewView) -> ProvenNewView {
    let mut announced = honest.announcement.statement.clone();
    for vote in &mut announced.view_changes {
        if vote.signer == kit.id {
            let mut statement = vote.statement.clone();
            statement.prepared.clear();
            *vote = kit.sign_as(kit.id, statement);
        }
    }
    let assigned = assignments(&announced);
    announced.pre_prepares = assigned.into_iter().map(|vote| kit.sign_as(kit.id, vote)).collect();
    let digests: Vec<_> = announced.pre_prepares.iter().map(|vote| vote.statement.digest).collect();
    let mut prepared = honest.prepared.clone();
    prepared.retain(|proof| digests.contains(&proof.statement().digest));
    ProvenNewView { announcement: kit.sign_as(kit.id, announced), stable: honest.stable.clone(), prepared }
}
