//! VC and NV rules on a stage: what one replica does with the VIEW-CHANGEs and NEW-VIEWs of others.

use std::{sync::Arc, time::Duration};

use pbft_core::{
    Effect, Epoch, Input, Message, Seq, View,
    effect::ViewChangeReason,
    evidence::{Evidence, WeakEvidence},
    message::{Batch, PrePrepare, Prepare, Proposal, ProvenNewView, ProvenViewChange, SlotStatus, Status},
    service::{Executed, Outcome},
};

use crate::{
    stage::{
        START, Stage, evidence, executions, id, key, messages, own_checkpoint, request, sent, seq, status,
        votes,
    },
    view_messages::{OTHER, STATE, new_view, prepared, view_change},
};

fn on_view_change(proven: ProvenViewChange) -> Message {
    Message::ViewChange(Box::new(proven))
}

fn on_new_view(proven: ProvenNewView) -> Message {
    Message::NewView(Box::new(proven))
}

fn own_view_changes(effects: &[Effect]) -> Vec<ProvenViewChange> {
    let mine = |message: &Message| match message {
        Message::ViewChange(proven) => Some((**proven).clone()),
        _ => None,
    };
    messages(effects).filter_map(mine).collect()
}

fn view(stage: &Stage) -> (u64, bool) {
    let progress = stage.replica.progress();
    (progress.view.value(), progress.view_active)
}

/// Two others want view 1, and so does the replica then.
fn joined() -> (Stage, Vec<Effect>) {
    let mut stage = Stage::new(3);
    let effects = join(&mut stage);
    (stage, effects)
}

fn join(stage: &mut Stage) -> Vec<Effect> {
    let mut effects = Vec::new();
    for other in [0, 2] {
        let vote = view_change(stage, other, 1, 0, vec![]);
        effects.extend(stage.hear_and_settle(other, &on_view_change(vote)));
    }
    effects
}

/// More than `f` are faulty if a view assigns another batch to a number that is final. It is not voted for all the same.
#[test]
fn nv_5_nothing_else_is_accepted_for_a_number_that_is_final() {
    let mut stage = Stage::new(3);
    let decided = stage.proposal(2, vec![request(1, 0)]);
    let committed = stage.committed(&decided, &[0, 1, 2]);
    stage.hear_and_settle(1, &Message::Committed(committed));
    let other = batch_of(9);
    let proof = prepared(&stage, 0, 2, other.digest());
    let first = prepared(&stage, 0, 1, batch_of(1).digest());
    let mut supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 0, vec![]));
    supporters[2] = view_change(&stage, 2, 1, 0, vec![first.clone(), proof.clone()]);
    let assigned = [(1, batch_of(1).digest()), (2, other.digest())];
    let begun = new_view(&stage, &supporters, 0, &assigned, vec![first, proof]);
    let mut effects = stage.hear_and_settle(1, &on_new_view(begun));
    assert_eq!(view(&stage), (1, true));
    for (number, batch) in [(2, other), (1, batch_of(1))] {
        effects.extend(stage.hear_and_settle(1, &proposal_in_view_1(&stage, number, batch)));
    }
    assert_eq!(votes(&effects), ["prepare"], "for number 1 alone");
}

/// View 1 begins with nothing in flight.
fn empty_view(stage: &Stage) -> ProvenNewView {
    let votes = [0, 1, 2].map(|signer| view_change(stage, signer, 1, 0, vec![]));
    new_view(stage, &votes, 0, &[], vec![])
}

/// View 1 begins, and gives number 1 to `batch`, which was prepared in view 0.
fn view_with(stage: &Stage, batch: &Batch) -> ProvenNewView {
    let proof = prepared(stage, 0, 1, batch.digest());
    let mut votes = [0, 1, 2].map(|signer| view_change(stage, signer, 1, 0, vec![]));
    votes[2] = view_change(stage, 2, 1, 0, vec![proof.clone()]);
    new_view(stage, &votes, 0, &[(1, batch.digest())], vec![proof])
}

fn proposal_in_view_1(stage: &Stage, number: u64, batch: Batch) -> Message {
    let statement = PrePrepare { view: View::new(1), seq: seq(number), digest: batch.digest() };
    Message::PrePrepare(Proposal { pre_prepare: stage.sign(1, statement), batch: Arc::new(batch) })
}

fn batch_of(client: u8) -> Batch {
    Batch { origin: View::ZERO, time: START, requests: vec![request(client, 0)] }
}

// --- View change --------------------------------------------------------------------------------------------------

#[test]
fn vc_1_vc_4_who_joins_a_view_change_takes_no_further_part_in_the_old_view() {
    let (mut stage, effects) = joined();
    let [own] = &own_view_changes(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((own.vote.signer, own.vote.statement.view), (id(3), View::new(1)));
    assert_eq!(view(&stage), (1, false));
    assert_eq!(stage.reasons, [ViewChangeReason::Joined]);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    let mut effects = stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    for other in [1, 2] {
        let prepare = stage.prepare(other, &proposal);
        effects.extend(stage.hear_and_settle(other, &prepare));
    }
    assert_eq!(votes(&effects), [""; 0]);
}

/// L-1 for view changes: a VIEW-CHANGE that a crash may take away is not sent.
#[test]
fn l_1_vc_1_a_view_change_leaves_after_the_sync() {
    let mut stage = Stage::new(3);
    let mut effects = Vec::new();
    for other in [0, 2] {
        let vote = view_change(&stage, other, 1, 0, vec![]);
        effects.extend(stage.hear(other, &on_view_change(vote)));
    }
    assert_eq!(own_view_changes(&effects), []);
    assert_eq!(own_view_changes(&stage.sync()).len(), 1);
}

/// What was prepared is told, with its proof, and what was only proposed is not.
#[test]
fn vc_1_mistake_07_what_was_prepared_is_told_with_its_proof() {
    let mut stage = Stage::new(3);
    for number in [1, 2] {
        let proposal = stage.proposal(number, vec![request(1, number)]);
        stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
        if number == 2 {
            let prepare = stage.prepare(1, &proposal);
            assert_eq!(votes(&stage.hear_and_settle(1, &prepare)), ["commit"]);
        }
    }
    let [own] = &own_view_changes(&join(&mut stage))[..] else { panic!("one view-change") };
    let told: Vec<_> = own.vote.statement.prepared.iter().map(|fact| fact.seq).collect();
    assert_eq!(told, [seq(2)]);
    assert!(stage.verify(3, &on_view_change(own.clone())).is_ok(), "with all proofs");
}

/// VC-3: the newest vote of a signer counts, so an old one that comes late takes nothing back.
#[test]
fn vc_3_an_older_view_change_does_not_replace_a_newer_one() {
    let mut stage = Stage::new(3);
    let (newer, older) = (view_change(&stage, 0, 2, 0, vec![]), view_change(&stage, 0, 1, 0, vec![]));
    stage.hear_and_settle(0, &on_view_change(newer));
    assert!(evidence(&stage.hear_and_settle(0, &on_view_change(older))).is_empty());
    let second = view_change(&stage, 2, 2, 0, vec![]);
    stage.hear_and_settle(2, &on_view_change(second));
    assert_eq!(view(&stage), (2, false), "two want view 2");
}

/// VC-15: what a NEW-VIEW goes on after may end the view that it begins. A primary that begins its view twice must not bring
/// a replica back into a view that it has left.
#[test]
fn vc_15_a_new_view_whose_checkpoint_ends_the_view_is_not_entered() {
    let mut stage = Stage::with(3, 4, |config| config.rotation_period = 1);
    stage.order(1, vec![]);
    let own = own_checkpoint(&stage.order(2, vec![])).unwrap();
    join(&mut stage);
    let digests = [1, 2].map(|number| (number, stage.proposal(number, vec![]).batch.digest()));
    let facts = digests.map(|(number, digest)| prepared(&stage, 0, number, digest)).to_vec();
    let votes = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 0, facts.clone()));
    let first = new_view(&stage, &votes, 0, &digests, facts);
    stage.hear_and_settle(1, &on_new_view(first));
    assert_eq!(view(&stage), (1, true));

    let stable = Some(stage.certificate(own.statement, &[0, 1, 2]));
    let later = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 2, vec![]));
    let again = ProvenNewView { stable, ..new_view(&stage, &later, 2, &[], vec![]) };
    let effects = stage.hear_and_settle(1, &on_new_view(again));
    let asked: Vec<_> = own_view_changes(&effects).iter().map(|own| own.vote.statement.view).collect();
    assert_eq!((asked, view(&stage)), (vec![View::new(2)], (2, false)));
}

/// VC-5, mistake 17: the wait for the new primary begins once a quorum wants the view, and not before.
#[test]
fn vc_5_vc_6_mistake_17_the_timer_starts_with_a_quorum() {
    let mut stage = Stage::with(3, 7, |_| ());
    for other in [0, 2, 4] {
        let vote = view_change(&stage, other, 1, 0, vec![]);
        stage.hear_and_settle(other, &on_view_change(vote));
    }
    assert_eq!(view(&stage), (1, false), "four of five");
    for _ in 0..100 {
        stage.advance(Duration::from_secs(1));
        stage.timer();
    }
    assert_eq!(view(&stage), (1, false));
    let fifth = view_change(&stage, 5, 1, 0, vec![]);
    stage.hear_and_settle(5, &on_view_change(fifth));
    for _ in 0..100 {
        stage.advance(Duration::from_secs(1));
        stage.timer();
    }
    assert_eq!(
        view(&stage),
        (2, false),
        "the quorum's primary did not begin: the next one, and no further alone"
    );
}

/// VC-7, mistake 25: what is sent again is the same, although the log was truncated and a checkpoint became stable
/// meanwhile, and the replica restarted.
#[test]
fn vc_7_mistake_25_a_view_change_is_sent_again_unchanged() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![]);
    let own = own_checkpoint(&stage.order(2, vec![])).unwrap();
    let first = own_view_changes(&join(&mut stage));
    assert_eq!((first.len(), first[0].vote.statement.stable), (1, Seq::ZERO));
    stage.stabilize(&own, &[0, 1, 2]);
    assert_eq!(stage.replica.progress().stable_checkpoint, seq(2));
    let again = |stage: &mut Stage| {
        stage.advance(Duration::from_secs(1));
        let effects = stage.timer();
        own_view_changes(&stage.settle(effects))
    };
    assert_eq!(again(&mut stage), first);
    stage.restart(0);
    assert_eq!(again(&mut stage), first);
}

/// Mistake 16: between views no request is forwarded.
#[test]
fn r_5_mistake_16_request_timers_rest_between_views() {
    let (mut stage, _) = joined();
    stage.ask(request(1, 0));
    for _ in 0..3 {
        stage.advance(Duration::from_millis(600));
        assert!(!sent(&stage.timer()).contains(&"forward"));
    }
    let begun = empty_view(&stage);
    stage.hear_and_settle(1, &on_new_view(begun));
    stage.advance(Duration::from_millis(600));
    assert!(sent(&stage.timer()).contains(&"forward"), "the new primary is told");
}

/// Nor is the old primary, or the next one, judged: who waits for a view that no quorum wants stays where it is.
#[test]
fn r_5_vc_5_mistake_16_who_waits_alone_gives_up_on_nobody() {
    let mut stage = Stage::new(3);
    stage.ask(request(1, 0));
    let pass = |stage: &mut Stage, steps| {
        for _ in 0..steps {
            stage.advance(Duration::from_millis(100));
            (0..3).for_each(|other| drop(stage.hear(other, &status(0, 0, &[]))));
            let effects = stage.timer();
            stage.settle(effects);
        }
        view(stage)
    };
    assert_eq!(pass(&mut stage, 25), (1, false), "it lost patience, and nobody else did");
    assert_eq!(pass(&mut stage, 100), (1, false), "ten seconds later");
}

// --- New view -----------------------------------------------------------------------------------------------------

/// NV-1: a quorum's votes, its own among them, and the primary begins its view; the NEW-VIEW leaves after the sync.
#[test]
fn nv_1_the_primary_of_a_view_that_a_quorum_wants_begins_it() {
    let mut stage = Stage::new(1);
    let effects = join(&mut stage);
    let announced = messages(&effects).find(|message| message.kind() == "new-view").unwrap();
    assert_eq!(view(&stage), (1, true));
    assert!(stage.verify(1, announced).is_ok(), "it would be believed");
}

/// NV-4: a valid NEW-VIEW convinces a replica that never asked for the view.
#[test]
fn nv_4_a_new_view_is_entered_without_an_own_view_change() {
    let mut stage = Stage::new(3);
    let begun = empty_view(&stage);
    let effects = stage.hear_and_settle(2, &on_new_view(begun.clone()));
    assert_eq!((view(&stage), own_view_changes(&effects)), ((1, true), vec![]));
    let work = Batch { origin: View::new(1), ..batch_of(1) };
    let proposal = proposal_in_view_1(&stage, 1, work);
    assert_eq!(votes(&stage.hear_and_settle(1, &proposal)), ["prepare"]);
}

/// NV-4: a view that was left is not entered again.
#[test]
fn nv_4_an_old_new_view_moves_nobody_back() {
    let mut stage = Stage::new(3);
    let begun = empty_view(&stage);
    for other in [0, 2] {
        let vote = view_change(&stage, other, 2, 0, vec![]);
        stage.hear_and_settle(other, &on_view_change(vote));
    }
    stage.hear_and_settle(1, &on_new_view(begun));
    assert_eq!(view(&stage), (2, false));
}

/// NV-5: the assignment is the primary's vote; the batch may come from anyone, and is what was assigned.
#[test]
fn nv_5_an_assigned_batch_is_taken_from_any_peer() {
    let mut stage = Stage::new(3);
    let batch = batch_of(1);
    let begun = view_with(&stage, &batch);
    assert_eq!(votes(&stage.hear_and_settle(1, &on_new_view(begun))), [""; 0], "the batch is not here yet");
    let body = proposal_in_view_1(&stage, 1, batch);
    assert_eq!(votes(&stage.hear_and_settle(2, &body)), ["prepare"]);
}

/// PP-8 and PP-10: what the view assigned stands; another proposal for that number is evidence, not work.
#[test]
fn pp_8_pp_10_another_proposal_for_an_assigned_number_is_evidence() {
    let mut stage = Stage::new(3);
    let begun = view_with(&stage, &batch_of(1));
    stage.hear_and_settle(1, &on_new_view(begun));
    let other = proposal_in_view_1(&stage, 1, batch_of(2));
    let effects = stage.hear_and_settle(1, &other);
    assert_eq!(votes(&effects), [""; 0]);
    let [Evidence::PrePrepares(pair)] = evidence(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(pair[0].signer, id(1));
}

/// PP-10: a view that began after checkpoint 2 assigns nothing up to 2, also to a replica that is not there yet.
#[test]
fn pp_10_nothing_is_proposed_at_or_below_the_views_floor() {
    let mut stage = Stage::new(3);
    let supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 2, vec![]));
    let begun = new_view(&stage, &supporters, 2, &[], vec![]);
    stage.hear_and_settle(1, &on_new_view(begun));
    let work = |number| proposal_in_view_1(&stage, number, Batch { origin: View::new(1), ..batch_of(1) });
    let (at, past) = (work(2), work(3));
    assert_eq!(votes(&stage.hear_and_settle(1, &at)), [""; 0]);
    assert_eq!(votes(&stage.hear_and_settle(1, &past)), ["prepare"]);
}

/// Mistakes 13 and 14: a number that was executed and is carried into the next view is voted on, not executed again.
#[test]
fn e_1_mistakes_13_14_what_was_executed_is_not_executed_in_the_next_view() {
    let mut stage = Stage::new(3);
    assert_eq!(executions(&stage.order(1, vec![request(1, 0)])), [1]);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    let digest = proposal.pre_prepare.statement.digest;
    let begun = view_with(&stage, &proposal.batch);
    let mut effects = stage.hear_and_settle(1, &on_new_view(begun));
    assert_eq!(votes(&effects), ["prepare"], "peers that lack it are helped to it");
    for other in [0, 2] {
        let prepare = stage.sign(other, Prepare { view: View::new(1), seq: seq(1), digest });
        effects.extend(stage.hear_and_settle(other, &Message::Prepare(prepare)));
    }
    let commit = pbft_core::message::Commit { view: View::new(1), seq: seq(1), digest };
    for other in [0, 1, 2] {
        let vote = stage.sign(other, commit);
        effects.extend(stage.hear_and_settle(other, &Message::Commit(vote)));
    }
    assert_eq!(executions(&effects), [0; 0]);
    assert_eq!(stage.replica.progress().executed, seq(1));
}

/// VC-8: a peer that says it is in an older view, or waits for this one, is shown the NEW-VIEW, not too often.
#[test]
fn vc_8_a_peer_that_missed_the_new_view_is_shown_it() {
    let mut stage = Stage::new(3);
    let begun = on_new_view(empty_view(&stage));
    stage.hear_and_settle(1, &begun);
    let shown = |effects: &[Effect]| messages(effects).filter(|message| **message == begun).count();
    assert_eq!(shown(&stage.hear(2, &status(0, 0, &[]))), 1);
    assert_eq!(shown(&stage.hear(2, &status(0, 0, &[]))), 0, "just now");
    let at = |active| {
        let (view, executed, stable) = (View::new(1), Seq::ZERO, Seq::ZERO);
        Message::Status(Status {
            view,
            active,
            executed,
            stable,
            slots: vec![SlotStatus::Empty],
            epoch: Epoch::ZERO,
            known: Epoch::ZERO,
            certified: executed,
            first: Seq::new(1),
            votes: true,
            left: false,
            needs: None,
            heard: None,
        })
    };
    assert_eq!(shown(&stage.hear(0, &at(true))), 0, "it is there");
    assert_eq!(shown(&stage.hear(0, &at(false))), 1);
    let mut times = 0;
    for _ in 0..20 {
        stage.advance(stage.config.status_period / 20);
        times += shown(&stage.hear(0, &at(false)));
    }
    assert_eq!(times, 4, "in a status period");
}

// --- Evidence -----------------------------------------------------------------------------------------------------

#[test]
fn vc_3_two_sets_of_facts_for_one_view_are_evidence() {
    let mut stage = Stage::new(3);
    let first = view_change(&stage, 2, 1, 0, vec![]);
    let second = view_change(&stage, 2, 1, 0, vec![prepared(&stage, 0, 1, STATE)]);
    for vote in [&first, &first] {
        assert!(evidence(&stage.hear(2, &on_view_change(vote.clone()))).is_empty(), "repetition is none");
    }
    let effects = stage.hear(0, &on_view_change(second.clone()));
    let [found @ Evidence::ViewChanges(pair)] = evidence(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((found.culprit(), &**pair), (id(2), &[first.vote, second.vote]));
}

#[test]
fn nv_4_a_view_begun_in_two_ways_is_evidence() {
    let mut stage = Stage::new(3);
    let first = empty_view(&stage);
    let proof = prepared(&stage, 0, 1, OTHER);
    let votes = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 0, vec![proof.clone()]));
    let second = new_view(&stage, &votes, 0, &[(1, OTHER)], vec![proof]);
    for begun in [&first, &first] {
        assert!(evidence(&stage.hear(1, &on_new_view(begun.clone()))).is_empty(), "repetition is none");
    }
    let effects = stage.hear(2, &on_new_view(second.clone()));
    let [found @ Evidence::NewViews(pair)] = evidence(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((found.culprit(), &**pair), (id(1), &[first.announcement, second.announcement]));
    assert_eq!(view(&stage), (1, true), "the first one stands");
}

/// NV-4: anybody can give another valid signature for one of those inside, and the primary is not to blame for that.
#[test]
fn nv_4_another_signature_inside_is_no_second_word() {
    let mut stage = Stage::new(3);
    let proof = prepared(&stage, 0, 1, OTHER);
    let votes = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 0, vec![proof.clone()]));
    let first = new_view(&stage, &votes, 0, &[(1, OTHER)], vec![proof]);
    stage.hear(1, &on_new_view(first.clone()));
    let turned = |signature: pbft_crypto::Signature| signature.with_hint(!signature.hint());
    let mut in_a_vote = first.clone();
    let inside = &mut in_a_vote.announcement.statement.view_changes[0].signature;
    *inside = turned(*inside);
    let mut in_an_assignment = first.clone();
    let inside = &mut in_an_assignment.announcement.statement.pre_prepares[0].signature;
    *inside = turned(*inside);
    for second in [in_a_vote, in_an_assignment] {
        assert_ne!(first.announcement, second.announcement);
        assert!(evidence(&stage.hear(2, &on_new_view(second.clone()))).is_empty());
        let made_up = Evidence::NewViews(Box::new([first.announcement.clone(), second.announcement]));
        assert_eq!(made_up.verify(&stage.config, &*key(0)), Err(WeakEvidence::NoContradiction));
    }
}

/// E-4, NV-5: a batch that was executed is voted for again when a view assigns it; a request of it that was refused, and
/// waits again under the same name, must not count as proposed with it: it would wait until it expires.
#[test]
fn nv_5_e_4_a_refused_request_that_waits_again_is_not_taken_for_the_old_one() {
    let mut stage = Stage::new(3);
    let batch = batch_of(1);
    let statement = PrePrepare { view: View::ZERO, seq: seq(1), digest: batch.digest() };
    let proposal = Proposal { pre_prepare: stage.sign(0, statement), batch: Arc::new(batch.clone()) };
    let committed = stage.committed(&proposal, &[0, 1, 2]);
    stage.hear(1, &Message::Committed(committed));
    let outcomes = vec![Outcome::Refused(b"not now".to_vec())];
    stage.input(Input::Executed { executed: Executed::new(outcomes), checkpoint: None });
    stage.ask(request(1, 0));
    assert_eq!(stage.replica.progress().waiting_requests, 1);
    let effects = stage.hear_and_settle(1, &on_new_view(view_with(&stage, &batch)));
    assert_eq!(votes(&effects), ["prepare"], "the others may need the vote");
    assert_eq!(stage.replica.progress().waiting_requests, 1);
}
