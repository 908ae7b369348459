//! VC-11, VC-13, VC-14 and B-2: a primary that is there, and still is not fair or not fast enough.

use std::{ops::Range, sync::Arc, time::Duration};

use pbft_core::{
    Effect, Message, Request, View,
    effect::ViewChangeReason,
    message::{Batch, Commit, PrePrepare, Prepare, Proposal},
    request_buffer::{BatchLimits, BufferLimits, FairBuffer, Lane, RequestBuffer},
};

use pbft_crypto::Digest;

use crate::{
    stage::{START, Stage, id, messages, own_checkpoint, request, sent, seq, status, status_in},
    view_messages::{new_view, prepared, view_change},
};

/// The primary of `view` proposes a batch to the replica, number 3.
fn propose(stage: &mut Stage, view: u64, number: u64, requests: Vec<Request>) -> Digest {
    let (view, seq) = (View::new(view), seq(number));
    let primary = stage.config.replicas.primary(view).value();
    let batch = Batch { origin: view, time: START, requests };
    let digest = batch.digest();
    let pre_prepare = stage.sign(primary, PrePrepare { view, seq, digest });
    let proposal = Proposal { pre_prepare, batch: Arc::new(batch) };
    stage.hear_and_settle(primary, &Message::PrePrepare(proposal));
    digest
}

/// All others vote for what was proposed, the replica executes it, and they say that they have done so, too.
fn decide(stage: &mut Stage, view: u64, number: u64, digest: Digest) -> Vec<Effect> {
    let mut effects = decide_in_silence(stage, view, number, digest);
    let executed = stage.replica.progress().farthest_claim.max(seq(number)).value();
    for other in 0..3 {
        effects.extend(stage.hear(other, &status_in(View::new(view), executed, 0, &[])));
    }
    effects
}

/// The same, but for their word.
fn decide_in_silence(stage: &mut Stage, view: u64, number: u64, digest: Digest) -> Vec<Effect> {
    let (view, seq) = (View::new(view), seq(number));
    let primary = stage.config.replicas.primary(view).value();
    let mut effects = Vec::new();
    for backup in (0..3).filter(|other| *other != primary) {
        let prepare = stage.sign(backup, Prepare { view, seq, digest });
        effects.extend(stage.hear_and_settle(backup, &Message::Prepare(prepare)));
    }
    for other in 0..3 {
        let commit = stage.sign(other, Commit { view, seq, digest });
        effects.extend(stage.hear_and_settle(other, &Message::Commit(commit)));
    }
    assert_eq!(stage.replica.progress().executed, seq);
    effects
}

/// Time passes. Whether the replica gives up on its primary.
fn gives_up(stage: &mut Stage) -> bool {
    let timer = stage.timer();
    let said = |message: &Message| matches!(message, Message::ViewChange(own) if own.vote.signer == id(3));
    messages(&stage.settle(timer)).any(said)
}

/// The primary of `view` orders client 1's requests, one for each number and each `pace`. Whether the replica gives up.
fn serve(stage: &mut Stage, view: u64, numbers: Range<u64>, pace: Duration) -> bool {
    serve_by(decide, stage, view, numbers, pace)
}

/// The same, but the others say nothing else.
fn serve_in_silence(stage: &mut Stage, view: u64, numbers: Range<u64>, pace: Duration) -> bool {
    serve_by(decide_in_silence, stage, view, numbers, pace)
}

fn serve_by(
    decide: fn(&mut Stage, u64, u64, Digest) -> Vec<Effect>,
    stage: &mut Stage,
    view: u64,
    numbers: Range<u64>,
    pace: Duration,
) -> bool {
    for number in numbers {
        stage.advance(pace);
        let digest = propose(stage, view, number, vec![request(1, number - 1)]);
        let effects = decide(stage, view, number, digest);
        if let Some(own) = own_checkpoint(&effects) {
            stage.stabilize(&own, &[0, 1, 2]);
        }
        if gives_up(stage) {
            return true;
        }
    }
    false
}

const PACE: Duration = Duration::from_millis(100);

#[test]
fn vc_13_a_primary_that_leaves_a_request_out_is_given_up() {
    let mut stage = Stage::new(3);
    stage.ask(request(9, 0));
    assert!(!serve(&mut stage, 0, 1..15, PACE), "it may have its turn yet");
    assert!(serve(&mut stage, 0, 15..60, PACE));
    assert_eq!(stage.reasons, [ViewChangeReason::LeftOut]);
}

#[test]
fn vc_13_a_primary_that_serves_all_who_ask_here_is_kept() {
    let mut stage = Stage::new(3);
    for number in 1..60 {
        stage.ask(request(1, number - 1));
        assert!(!serve(&mut stage, 0, number..number + 1, PACE));
    }
}

/// What is fetched from others was decided before the request came.
#[test]
fn vc_13_who_is_behind_judges_nobody() {
    let mut stage = Stage::new(3);
    stage.ask(request(9, 0));
    for other in 0..3 {
        stage.hear(other, &status(60, 0, &[]));
    }
    // More than can be in flight lies between.
    let last = 60 - stage.config.max_in_flight;
    assert!(!serve(&mut stage, 0, 1..last, PACE));
    assert!(serve(&mut stage, 0, last..120, PACE), "level with the others, and still left out");
}

/// VC-12: nor does who hears no quorum, as it could not get another view.
#[test]
fn vc_13_who_hears_no_quorum_judges_nobody() {
    let mut stage = Stage::new(3);
    stage.ask(request(9, 0));
    assert!(!serve_in_silence(&mut stage, 0, 1..60, PACE));
    assert!(serve(&mut stage, 0, 60..90, PACE), "they are heard, and it is still left out");
}

/// What was proposed before the request was overdue could not hold it any more.
#[test]
fn vc_13_what_is_under_way_does_not_count() {
    let mut stage = Stage::new(3);
    stage.ask(request(9, 0));
    assert!(!serve(&mut stage, 0, 1..19, PACE));
    let batch = |number| (0..4).map(|nth| request(2, 4 * (number - 19) + nth)).collect();
    let under_way = [19, 20, 21].map(|number| (number, propose(&mut stage, 0, number, batch(number))));
    stage.advance(4 * PACE);
    assert!(!gives_up(&mut stage), "it is overdue only now");
    for (number, digest) in under_way {
        decide(&mut stage, 0, number, digest);
        stage.advance(2 * PACE);
        assert!(!gives_up(&mut stage), "12 requests were under way: {number}");
    }
    assert!(serve(&mut stage, 0, 22..40, PACE));
}

/// A primary could have a client of its own ask for one thing in each batch.
#[test]
fn vc_13_nearly_empty_batches_put_nothing_off() {
    let mut stage = Stage::with(3, 4, |config| config.max_batch_requests = 400);
    for number in 0..40 {
        stage.ask(request(9, number));
    }
    assert!(!serve(&mut stage, 0, 1..20, PACE), "nothing is overdue");
    assert!(serve(&mut stage, 0, 20..30, PACE), "all that waits would have had room in one batch");
}

/// forty clients ask for one thing after the other, and one more has asked for a hundred at once. They take turns, so
/// much of what the one has asked for is rightly overtaken.
#[test]
fn vc_13_a_fair_primary_is_kept_though_one_client_asks_for_much_at_once() {
    const BATCH: usize = 10;
    let mut stage = Stage::with(3, 4, |config| config.max_batch_requests = BATCH);
    let mut primary = FairBuffer::new(BufferLimits::default());
    let mut new: Vec<_> = (0..100).map(|number| request(1, number)).collect();
    new.extend((2..42).map(|client| request(client, 0)));
    for number in 1..700 {
        // Batches bear the time of the start, which must not be long ago (PP-9).
        stage.advance(PACE / 3);
        for request in new.drain(..) {
            stage.ask(request.clone());
            primary.offer(stage.now.elapsed, Lane::Normal, request).unwrap();
        }
        let batch = primary.take(BatchLimits { requests: BATCH, bytes: usize::MAX });
        let ids: Vec<_> = batch.iter().map(Request::id).collect();
        let again = batch.iter().filter(|request| request.client.as_bytes()[0] > 1);
        new.extend(again.map(|done| request(done.client.as_bytes()[0], done.number.value() + 1)));
        let digest = propose(&mut stage, 0, number, batch);
        let effects = decide(&mut stage, 0, number, digest);
        primary.settle(&ids);
        if let Some(own) = own_checkpoint(&effects) {
            stage.stabilize(&own, &[0, 1, 2]);
        }
        assert!(!gives_up(&mut stage), "{number}");
    }
}

/// What a view begins with goes before everything else, however far that reaches.
#[test]
fn vc_13_what_a_new_view_had_to_assign_does_not_count() {
    const LAST: u64 = 40;
    let mut stage = Stage::with(3, 4, |config| (config.window, config.checkpoint_period) = (128, 64));
    stage.ask(request(9, 0));
    let proposed: Vec<(u64, Digest)> = (1..=LAST)
        .map(|number| (number, propose(&mut stage, 0, number, vec![request(1, number - 1)])))
        .collect();
    let proofs: Vec<_> =
        proposed.iter().map(|(number, digest)| prepared(&stage, 0, *number, *digest)).collect();
    let supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 0, proofs.clone()));
    let begun = new_view(&stage, &supporters, 0, &proposed, proofs);
    stage.hear_and_settle(1, &Message::NewView(Box::new(begun)));
    assert_eq!(stage.replica.progress().view, View::new(1));
    for (number, digest) in proposed {
        stage.advance(2 * PACE);
        decide(&mut stage, 1, number, digest);
        assert!(!gives_up(&mut stage), "{number}");
    }
    assert!(serve(&mut stage, 1, LAST + 1..LAST + 20, PACE), "now it has its turn");
}

/// VC-11: an empty batch gets nothing done while there is something to do, and is what it should be otherwise.
#[test]
fn vc_11_a_primary_that_orders_nothing_but_empty_batches_is_given_up() {
    for (requests, given_up) in [(1, true), (0, false)] {
        let mut stage = Stage::new(3);
        for number in 0..requests {
            stage.ask(request(9, number));
        }
        assert_eq!(empty_batches(&mut stage, 1..4), given_up, "{requests} requests wait");
    }
}

/// The same if it has put the request into a proposal that comes after many empty ones.
#[test]
fn vc_11_a_request_that_lies_ahead_is_not_done_either() {
    let mut stage = Stage::new(3);
    stage.ask(request(9, 0));
    propose(&mut stage, 0, 3, vec![request(9, 0)]);
    assert_eq!(stage.replica.progress().waiting_requests, 0);
    assert!(empty_batches(&mut stage, 1..3));
}

/// B-2: what lies far ahead could wait for long. A primary that executes a little earlier proposes a little farther, and that
/// counts as soon as it could be in flight here.
#[test]
fn b_2_what_is_proposed_too_far_ahead_goes_on_waiting() {
    let mut stage = Stage::new(3);
    let in_flight = stage.config.max_in_flight;
    for (client, number, waiting) in [(9, in_flight, 0), (8, in_flight + 1, 1)] {
        stage.ask(request(client, 0));
        propose(&mut stage, 0, number, vec![request(client, 0)]);
        assert_eq!(stage.replica.progress().waiting_requests, waiting, "as number {number}");
    }
    let digest = propose(&mut stage, 0, 1, vec![request(1, 0)]);
    decide(&mut stage, 0, 1, digest);
    assert_eq!(stage.replica.progress().waiting_requests, 0);
}

/// A primary could say that very much is under way: one empty proposal at the end of the window.
#[test]
fn vc_13_a_proposal_far_ahead_puts_nothing_off() {
    let mut stage = Stage::with(3, 4, |config| config.window = 128);
    stage.ask(request(9, 0));
    propose(&mut stage, 0, 128, vec![]);
    assert!(!serve(&mut stage, 0, 1..20, PACE), "nothing is overdue");
    assert!(serve(&mut stage, 0, 20..40, PACE));
}

/// A primary could have older requests of its own wait, too, and order them one by one: the oldest would be another one each
/// time.
#[test]
fn vc_13_who_orders_the_oldest_just_in_time_is_given_up() {
    let mut stage = Stage::with(3, 4, |config| config.max_batch_requests = 700);
    for number in 0..60 {
        stage.ask(request(1, number));
    }
    stage.ask(request(9, 0));
    assert!(!serve(&mut stage, 0, 1..20, PACE), "nothing is overdue");
    assert!(serve(&mut stage, 0, 20..50, PACE), "all of it would have had room in few batches");
}

/// An empty batch each second and a half. Whether the primary is given up.
fn empty_batches(stage: &mut Stage, numbers: Range<u64>) -> bool {
    for other in 0..3 {
        stage.hear(other, &status(0, 0, &[]));
    }
    for number in numbers {
        stage.advance(15 * PACE);
        let digest = propose(stage, 0, number, vec![]);
        let effects = decide(stage, 0, number, digest);
        if let Some(own) = own_checkpoint(&effects) {
            stage.stabilize(&own, &[0, 1, 2]);
        }
        if gives_up(stage) {
            return true;
        }
    }
    false
}

/// Many requests wait all the time; ten a second are executed in view 0. Then view 1 begins.
fn after_a_fast_primary() -> Stage {
    let mut stage = Stage::new(3);
    for number in 0..250 {
        stage.ask(request(1, number));
    }
    assert!(!serve(&mut stage, 0, 1..81, PACE));
    let supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 80, vec![]));
    let begun = new_view(&stage, &supporters, 80, &[], vec![]);
    stage.hear_and_settle(1, &Message::NewView(Box::new(begun)));
    assert_eq!(stage.replica.progress().view, View::new(1));
    stage
}

/// Whether the primary of view 1 is given up if it works at this pace.
fn second_primary_is_given_up(pace: Duration) -> bool {
    let mut stage = after_a_fast_primary();
    let given_up = serve(&mut stage, 1, 81..161, pace);
    assert!(!given_up || stage.reasons == [ViewChangeReason::Slow], "{:?}", stage.reasons);
    given_up
}

#[test]
fn vc_14_a_primary_much_slower_than_the_one_before_is_given_up() {
    assert!(second_primary_is_given_up(4 * PACE));
    assert!(!second_primary_is_given_up(PACE));
    assert!(!second_primary_is_given_up(PACE + PACE / 2), "somewhat slower is no reason");
}

/// VC-12: it could not get another view.
#[test]
fn vc_14_who_hears_no_quorum_judges_nobody() {
    let mut stage = after_a_fast_primary();
    assert!(!serve_in_silence(&mut stage, 1, 81..111, 4 * PACE));
    assert!(serve(&mut stage, 1, 111..135, 4 * PACE), "they are heard, and it is still slow");
    assert_eq!(stage.reasons, [ViewChangeReason::Slow]);
}

/// VC-11: what falls due is work, though nobody asks for it. A primary that is heard and proposes nothing holds it up.
#[test]
fn vc_11_a_primary_that_holds_up_deadlines_is_given_up() {
    for (wake_at, given_up) in [(Some(START.plus(Duration::from_millis(500))), true), (None, false)] {
        let mut stage = Stage::new(3);
        stage.wake_at = wake_at;
        stage.order(1, vec![request(1, 0)]);
        let mut effects = Vec::new();
        for _ in 0..40 {
            stage.advance(Duration::from_millis(100));
            for other in 0..3 {
                effects.extend(stage.hear(other, &status(1, 0, &[])));
            }
            let timer = stage.timer();
            effects.extend(stage.settle(timer));
        }
        assert_eq!(sent(&effects).contains(&"view-change"), given_up, "{wake_at:?}");
    }
}

/// How long it takes until the replica wants a later view. The others are heard all the time, so that silence is no reason.
fn wait(stage: &mut Stage) -> Duration {
    let (step, before) = (Duration::from_millis(50), stage.replica.view());
    for steps in 1..1_000 {
        stage.advance(step);
        let executed = stage.replica.progress().executed.value();
        for other in 0..3 {
            stage.hear_and_settle(other, &status_in(before, executed, 0, &[]));
        }
        let effects = stage.timer();
        stage.settle(effects);
        if stage.replica.view() > before {
            return step * steps;
        }
    }
    panic!("it waits for ever");
}

/// All others want this view.
fn want(stage: &mut Stage, view: u64) {
    for other in 0..3 {
        let vote = view_change(stage, other, view, 0, vec![]);
        stage.hear_and_settle(other, &Message::ViewChange(Box::new(vote)));
    }
}

/// VC-9: each view change that brings nothing doubles the wait, up to a cap; one batch of the new view, and it is back at the
/// start. View 3 would be led by the replica itself, so the others skip it.
#[test]
fn vc_9_mistake_19_timeouts_are_capped_and_reset() {
    let mut stage = Stage::with(3, 4, |config| config.max_timeout = Duration::from_secs(8));
    stage.ask(request(9, 0));
    let mut waits = vec![wait(&mut stage)];
    for view in [1, 2, 4, 5] {
        want(&mut stage, view);
        assert_eq!(stage.replica.view(), View::new(view));
        waits.push(wait(&mut stage));
    }
    assert_eq!(waits, [2, 2, 4, 8, 8].map(Duration::from_secs));
    let votes = [0, 1, 2].map(|signer| view_change(&stage, signer, 6, 0, vec![]));
    let begun = new_view(&stage, &votes, 0, &[], vec![]);
    stage.hear_and_settle(2, &Message::NewView(Box::new(begun)));
    let digest = propose(&mut stage, 6, 1, vec![request(9, 0)]);
    decide(&mut stage, 6, 1, digest);
    stage.ask(request(9, 1));
    assert_eq!(wait(&mut stage), Duration::from_secs(2));
}

/// VC-12: to a process that was stopped, and is led into a view at once, all that was said meanwhile comes late. It must not
/// take the others to stand still.
#[test]
fn vc_12_who_hears_the_others_in_an_earlier_view_only_gives_up_on_nobody() {
    let mut stage = Stage::new(3);
    stage.ask(request(9, 0));
    let supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 0, vec![]));
    let begun = new_view(&stage, &supporters, 0, &[], vec![]);
    stage.hear_and_settle(1, &Message::NewView(Box::new(begun)));
    let mut gives_up_hearing = |view: u64| {
        (0..25).any(|_| {
            stage.advance(PACE);
            for other in 0..3 {
                stage.hear(other, &status_in(View::new(view), 0, 0, &[]));
            }
            gives_up(&mut stage)
        })
    };
    assert!(!gives_up_hearing(0), "what they say is from before");
    assert!(gives_up_hearing(1), "nothing gets done");
}

/// SX-11: a primary that says it has no vote is given up; but not for what it said in an earlier view, before it had one.
#[test]
fn sx_11_a_primary_without_a_vote_is_given_up_if_it_says_so_now() {
    for (said_in, given_up) in [(0, false), (1, true)] {
        let mut stage = Stage::new(3);
        let supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 0, vec![]));
        let begun = new_view(&stage, &supporters, 0, &[], vec![]);
        stage.hear_and_settle(1, &Message::NewView(Box::new(begun)));
        for other in [0, 2] {
            stage.hear(other, &status_in(View::new(1), 0, 0, &[]));
        }
        let Message::Status(mut said) = status_in(View::new(said_in), 0, 0, &[]) else { unreachable!() };
        said.votes = false;
        stage.hear_and_settle(1, &Message::Status(said));
        let expected: &[_] = if given_up { &[ViewChangeReason::NotVoting] } else { &[] };
        assert_eq!(stage.reasons, expected, "said in view {said_in}");
    }
}
