//! Begins one view in two ways. Each follows from the votes that it shows: in one of them its own vote hides what it
//! prepared.

use std::collections::BTreeMap;

use pbft_core::{
    Message, ReplicaId, Seq,
    message::{Batch, NewView, PrePrepare, ProvenNewView},
};

use super::{Behaviour, Kit};

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
