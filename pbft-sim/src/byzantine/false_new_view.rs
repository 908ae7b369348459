//! Begins views that do not follow from the votes for them: leaves a number out, gives it to another batch, or counts
//! too few votes.

use pbft_core::{
    Message, ReplicaId,
    message::{Batch, PrePrepare, ProvenNewView, Signed},
};

use super::{Behaviour, Kit, flipped};

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
    match (kit.rng.below(5), last) {
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

fn replace_last(
    kit: &Kit<'_>,
    votes: &mut Vec<Signed<PrePrepare>>,
    digest: pbft_crypto::Digest,
    last: PrePrepare,
) {
    votes.pop();
    votes.push(kit.sign_as(kit.id, PrePrepare { digest, ..last }));
}
