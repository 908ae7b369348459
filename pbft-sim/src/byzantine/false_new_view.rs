//! Begins views that do not follow from the votes for them: leaves a number out, gives it to another batch, or counts
//! too few votes.

use pbft_core::{
    Message, ReplicaId,
    message::{Batch, NewView, PrePrepare, ProvenNewView, Signed},
};

use super::{Behaviour, Kit, assignments, flipped};

pub(super) struct FalseNewView;

impl Behaviour for FalseNewView {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let Message::NewView(honest) = message else { return kit.send(to, message) };
        let lie = bent(kit, ProvenNewView::clone(honest));
        kit.send(to, &Message::NewView(Box::new(lie)));
    }
}

fn bent(kit: &mut Kit<'_>, mut proven: ProvenNewView) -> ProvenNewView {
    let mut announced = proven.announcement.statement;
    let last = announced.pre_prepares.last().map(|vote| vote.statement);
    match (kit.rng.below(7), last) {
        (0, Some(last)) => {
            announced.pre_prepares.pop();
            proven.prepared.retain(|proof| proof.statement().seq != last.seq);
        }
        (1, Some(last)) => replace_last(kit, &mut announced.pre_prepares, Batch::null().digest(), last),
        (2, Some(last)) => replace_last(kit, &mut announced.pre_prepares, flipped(last.digest), last),
        (3, _) => {
            let first = announced.view_changes.first().cloned();
            announced.view_changes.iter_mut().zip(first).for_each(|(vote, first)| *vote = first);
            announced.view_changes.pop();
        }
        (4, _) => {
            // As many votes as there should be, all of one replica.
            let newest = announced.view_changes.iter().max_by_key(|vote| vote.statement.stable).cloned();
            announced
                .view_changes
                .iter_mut()
                .zip(newest.into_iter().cycle())
                .for_each(|(vote, one)| *vote = one);
            assign_anew(kit, &mut announced);
            let digests: Vec<_> = announced.pre_prepares.iter().map(|vote| vote.statement.digest).collect();
            proven.prepared.retain(|proof| digests.contains(&proof.statement().digest));
        }
        (5, Some(last)) => {
            // Its own vote says what nobody prepared, and shows a proof of something else.
            let before = pbft_core::View::new(announced.view.value().saturating_sub(1));
            let own = announced.view_changes.iter_mut().find(|vote| vote.signer == kit.id);
            if let Some(vote) = own {
                let mut statement = vote.statement.clone();
                statement.prepared.retain(|fact| fact.seq != last.seq);
                statement.prepared.push(PrePrepare {
                    view: before,
                    seq: last.seq,
                    digest: flipped(last.digest),
                });
                *vote = kit.sign_as(kit.id, statement);
            }
            assign_anew(kit, &mut announced);
        }
        _ => {
            let last = last.map_or(announced.view_changes[0].statement.stable, |last| last.seq);
            let digest = flipped(Batch::null().digest());
            let extra = PrePrepare { view: announced.view, seq: last.next(), digest };
            announced.pre_prepares.push(kit.sign_as(kit.id, extra));
        }
    }
    proven.announcement = kit.sign_as(kit.id, announced);
    proven
}

fn assign_anew(kit: &Kit<'_>, announced: &mut NewView) {
    let assigned = assignments(announced);
    announced.pre_prepares = assigned.into_iter().map(|vote| kit.sign_as(kit.id, vote)).collect();
}

fn replace_last(
    kit: &Kit<'_>,
    votes: &mut Vec<Signed<PrePrepare>>,
    digest: pbft_crypto::Digest,
    last: PrePrepare,
) {
    votes.pop();
    votes.push(kit.sign_as(kit.id, PrePrepare { digest, ..last }));
}
