//! Changes any field of what it sends by one, and signs again with its own key.

use std::sync::Arc;

use pbft_core::{
    Message, ReplicaId, Seq, View,
    message::{Batch, Proposal, Returned, Signed, Statement},
};
use pbft_crypto::Digest;

use super::{Behaviour, Kit, flipped};

pub(super) struct Mutator;

impl Behaviour for Mutator {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        if kit.rng.chance(500_000) {
            kit.send(to, message);
        }
        if kit.rng.chance(500_000) {
            let mutant = mutated(kit, message.clone());
            kit.send(to, &mutant);
        }
    }
}

fn mutated(kit: &mut Kit<'_>, message: Message) -> Message {
    match message {
        Message::PrePrepare(proposal) => Message::PrePrepare(mutated_proposal(kit, &proposal)),
        Message::Prepare(vote) => Message::Prepare(mutated_vote(kit, vote, |kit, s| {
            mutate(kit, &mut s.view, &mut s.seq, &mut s.digest);
        })),
        Message::Commit(vote) => Message::Commit(mutated_vote(kit, vote, |kit, s| {
            mutate(kit, &mut s.view, &mut s.seq, &mut s.digest);
        })),
        Message::Checkpoint(vote) => Message::Checkpoint(mutated_vote(kit, vote, |kit, s| {
            mutate(kit, &mut View::ZERO.clone(), &mut s.seq, &mut s.digest);
        })),
        Message::Status(mut status) => {
            mutate(kit, &mut status.view, &mut status.executed, &mut Digest::ZERO.clone());
            status.stable = by_one(kit, status.stable);
            status.certified = by_one(kit, status.certified);
            status.slots.pop();
            Message::Status(status)
        }
        Message::Fetch(mut fetch) => {
            fetch.after = by_one(kit, fetch.after);
            Message::Fetch(fetch)
        }
        Message::FetchState(mut fetch) => {
            fetch.seq = by_one(kit, fetch.seq);
            Message::FetchState(fetch)
        }
        Message::State(mut state) => {
            state.seq = by_one(kit, state.seq);
            Message::State(state)
        }
        Message::Standing(mut standing) => {
            standing.view = View::new(by_one(kit, Seq::new(standing.view.value())).value());
            Message::Standing(standing)
        }
        Message::Returned(returned) => Message::Returned(Returned { since: returned.since.next() }),
        Message::Committed(mut committed) => {
            let statement = &mut committed.certificate.statement;
            mutate(kit, &mut statement.view, &mut statement.seq, &mut statement.digest);
            Message::Committed(committed)
        }
        Message::Stable(mut certificate) => {
            match kit.rng.below(3) {
                0 => certificate.statement.seq = by_one(kit, certificate.statement.seq),
                1 => drop(certificate.signatures.pop()),
                _ => certificate.signatures.extend(certificate.signatures.last().copied()),
            }
            Message::Stable(certificate)
        }
        Message::ViewChange(mut proven) => {
            proven.vote = mutated_vote(kit, proven.vote, |kit, s| match kit.rng.below(4) {
                0 => s.view = View::new(by_one(kit, Seq::new(s.view.value())).value()),
                1 => s.stable = by_one(kit, s.stable),
                2 => drop(s.prepared.pop()),
                _ => s.prepared.iter_mut().for_each(|p| mutate(kit, &mut p.view, &mut p.seq, &mut p.digest)),
            });
            if kit.rng.chance(500_000) {
                proven.prepared.truncate(proven.vote.statement.prepared.len());
            }
            Message::ViewChange(proven)
        }
        Message::NewView(mut proven) => {
            proven.announcement = mutated_vote(kit, proven.announcement, |kit, s| match kit.rng.below(3) {
                0 => s.view = View::new(by_one(kit, Seq::new(s.view.value())).value()),
                1 => drop(s.view_changes.pop()),
                _ => drop(s.pre_prepares.pop()),
            });
            Message::NewView(proven)
        }
        Message::Handover(mut handover) => {
            let summary = &mut handover.summary;
            match kit.rng.below(4) {
                0 => summary.seq = by_one(kit, summary.seq),
                1 => summary.service = flipped(summary.service),
                2 => summary.membership.next = None,
                _ => drop(handover.certificate.signatures.pop()),
            }
            Message::Handover(handover)
        }
        Message::Attestation(vote) => Message::Attestation(mutated_vote(kit, vote, |kit, s| {
            mutate(kit, &mut View::ZERO.clone(), &mut s.seq, &mut s.digest);
        })),
        Message::Certified(mut certificate) => {
            match kit.rng.below(3) {
                0 => certificate.statement.seq = by_one(kit, certificate.statement.seq),
                1 => drop(certificate.signatures.pop()),
                _ => certificate.signatures.extend(certificate.signatures.last().copied()),
            }
            Message::Certified(certificate)
        }
        Message::Forward(mut requests) => {
            requests.extend(requests.last().cloned());
            Message::Forward(requests)
        }
    }
}

fn mutated_vote<T: Statement>(
    kit: &mut Kit<'_>,
    mut vote: Signed<T>,
    mutate: impl Fn(&mut Kit<'_>, &mut T),
) -> Signed<T> {
    if kit.rng.chance(150_000) {
        vote.signer = kit.someone();
        return vote;
    }
    mutate(kit, &mut vote.statement);
    kit.sign_as(kit.id, vote.statement)
}

fn mutate(kit: &mut Kit<'_>, view: &mut View, seq: &mut Seq, digest: &mut Digest) {
    match kit.rng.below(3) {
        0 => *view = View::new(by_one(kit, Seq::new(view.value())).value()),
        1 => *seq = by_one(kit, *seq),
        _ => *digest = flipped(*digest),
    }
}

fn by_one(kit: &mut Kit<'_>, seq: Seq) -> Seq {
    let value = seq.value();
    Seq::new(if kit.rng.chance(500_000) { value.wrapping_add(1) } else { value.wrapping_sub(1) })
}

/// Only the primary's proposals pass verification; a wrong batch, a repeated or an inadmissible request never does.
fn mutated_proposal(kit: &mut Kit<'_>, proposal: &Proposal) -> Proposal {
    let mut statement = proposal.pre_prepare.statement;
    let mut batch = Batch::clone(&proposal.batch);
    match kit.rng.below(5) {
        0 => batch.time = batch.time.next(),
        1 => batch.requests.extend(batch.requests.last().cloned()),
        2 => batch.requests.reverse(),
        3 => batch.origin = batch.origin.next(),
        _ => mutate(kit, &mut statement.view, &mut statement.seq, &mut statement.digest),
    }
    if kit.rng.chance(700_000) {
        statement.digest = batch.digest();
    }
    Proposal { pre_prepare: kit.sign_as(kit.id, statement), batch: Arc::new(batch) }
}
