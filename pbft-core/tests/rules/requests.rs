//! Requests: exactly once, answered again, declined without a trace.

use std::time::Duration;

use pbft_core::{
    ClientId, Effect, Input, Message, Request, RequestNumber, View,
    effect::ViewChangeReason,
    message::{Batch, Checkpoint, Commit, CommittedBatch, DeclineReason, Operation, PrePrepare, Status},
    service::{Executed, Outcome},
};
use pbft_crypto::Digest;

use crate::stage::{Stage, executions, messages, request, sent, seq, status};

fn replies(effects: &[Effect]) -> Vec<(u64, Outcome)> {
    let reply = |effect: &Effect| match effect {
        Effect::Reply(reply) => Some((reply.id.number.value(), reply.outcome.clone())),
        _ => None,
    };
    effects.iter().filter_map(reply).collect()
}

fn declines(effects: &[Effect]) -> Vec<DeclineReason> {
    let decline = |effect: &Effect| match effect {
        Effect::Decline { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    effects.iter().filter_map(decline).collect()
}

fn done() -> Outcome {
    Outcome::Applied(b"done".to_vec())
}

/// what was executed is answered again, with the same words.
#[test]
fn r_1_a_repeated_request_gets_the_same_reply() {
    let mut stage = Stage::new(3);
    let effects = stage.order(1, vec![request(1, 0)]);
    assert_eq!(replies(&effects), [(0, done())]);
    assert_eq!(replies(&stage.ask(request(1, 0))), [(0, done())]);
    let other = Request { operation: Operation::new(vec![42]), ..request(1, 0) };
    assert_eq!(
        declines(&stage.ask(other)),
        [DeclineReason::NumberInUse],
        "it is not the one that was executed"
    );
}

/// E-2: ordered twice, executed once.
#[test]
fn e_2_a_request_in_two_batches_executes_once() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![request(1, 0)]);
    let effects = stage.order(2, vec![request(1, 0), request(1, 1)]);
    let due = effects.iter().find_map(|effect| match effect {
        Effect::Execute { batch, .. } => Some(batch.requests.clone()),
        _ => None,
    });
    assert_eq!(due, Some(vec![request(1, 1)]));
    assert_eq!(replies(&effects), [(1, done())]);
}

/// Mistake 22: a later number does not shut out an earlier one.
#[test]
fn mistake_22_numbers_execute_in_any_order() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![request(1, 9)]);
    assert_eq!(executions(&stage.order(2, vec![request(1, 3)])), [2]);
    assert_eq!(replies(&stage.ask(request(1, 3))), [(3, done())]);
}

/// E-4, mistake 23: what the service refuses may come again under the same number.
#[test]
fn mistake_23_a_refused_request_leaves_no_trace() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    let committed = Message::Committed(stage.committed(&proposal, &[0, 1, 2]));
    stage.hear(1, &committed);
    let refused = Executed::new(vec![Outcome::Refused(b"no".to_vec())]);
    let effects = stage.input(Input::Executed { executed: refused, checkpoint: None });
    assert_eq!(replies(&effects), [(0, Outcome::Refused(b"no".to_vec()))]);
    assert_eq!(replies(&stage.ask(request(1, 0))), [], "there is no reply to give again");
    assert_eq!(replies(&stage.order(2, vec![request(1, 0)])), [(0, done())]);
}

/// R-3, mistake 23: what a full buffer does not take can be offered again.
#[test]
fn mistake_23_a_request_turned_away_by_a_full_buffer_may_come_again() {
    let mut stage = Stage::with(3, 4, |config| config.buffer.requests = 1);
    assert_eq!(declines(&stage.ask(request(1, 0))), []);
    assert_eq!(declines(&stage.ask(request(1, 1))), [DeclineReason::Busy]);
    stage.order(1, vec![request(1, 0)]);
    assert_eq!(declines(&stage.ask(request(1, 1))), []);
    assert_eq!(stage.replica.progress().waiting_requests, 1);
}

/// a request that waits longer than a buffer keeps it is gone, and may come again.
#[test]
fn r_3_a_request_that_expired_may_come_again() {
    let mut stage = Stage::new(3);
    stage.ask(request(1, 0));
    assert_eq!(declines(&stage.ask(request(1, 0))), [], "it waits already");
    stage.advance(stage.config.buffer.time_to_live + Duration::from_secs(1));
    stage.timer();
    assert_eq!(stage.replica.progress().waiting_requests, 0);
    assert_eq!(declines(&stage.ask(request(1, 0))), []);
    assert_eq!(stage.replica.progress().waiting_requests, 1);
}

#[test]
fn r_2_numbers_outside_the_window_are_declined() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![request(1, 0)]);
    let window = pbft_core::client_table::WINDOW;
    let rows = [(window + 1, vec![DeclineReason::NumberTooFar]), (window, vec![]), (1, vec![])];
    for (number, expected) in rows {
        assert_eq!(declines(&stage.ask(request(1, number))), expected, "{number}");
    }
    let other = Request { operation: Operation::new(vec![42]), ..request(1, 1) };
    assert_eq!(declines(&stage.ask(other)), [DeclineReason::NumberInUse]);
    assert_eq!(declines(&stage.ask(request(1, 1))), [], "the very same waits already");
}

/// once a reply is forgotten, the request still does not execute again.
#[test]
fn r_2_a_forgotten_reply_is_declined() {
    let mut stage = Stage::with(3, 4, |config| config.reply_cache_bytes = 100);
    stage.order(1, vec![request(1, 5)]);
    stage.order(2, vec![request(2, 0)]);
    assert_eq!(declines(&stage.ask(request(1, 5))), [DeclineReason::ReplyForgotten]);
    let used_up =
        Request { client: ClientId::from_bytes([2; 32]), number: RequestNumber::new(0), ..request(2, 0) };
    assert_eq!(replies(&stage.ask(used_up)).len(), 1);
    stage.order(3, vec![request(1, 0)]);
    assert_eq!(declines(&stage.ask(request(2, 0))), [DeclineReason::NumberTooOld]);
}

/// a backup hands what does not execute in time to the primary, again and again; the primary does not.
#[test]
fn r_5_overdue_requests_are_forwarded() {
    let mut stage = Stage::new(3);
    stage.ask(request(1, 0));
    for _ in 0..2 {
        stage.advance(stage.config.forward_after * 2);
        let effects = stage.timer();
        let forwarded = messages(&effects).find_map(|message| match message {
            Message::Forward(requests) => Some(requests.clone()),
            _ => None,
        });
        assert_eq!(forwarded, Some(vec![request(1, 0)]));
    }
    let mut primary = Stage::new(0);
    let forward = Message::Forward(vec![request(1, 0), request(2, 0)]);
    primary.hear(3, &forward);
    assert_eq!(sent(&primary.sync()), ["pre-prepare"], "taken in like a client's own request");
    primary.advance(primary.config.forward_after * 2);
    assert!(!sent(&primary.timer()).contains(&"forward"));
    assert_eq!(stage.replica.progress().executed, seq(0));
}

/// a request that the others executed, or refused, must not be proposed again because one replica is behind.
#[test]
fn r_5_who_is_behind_forwards_nothing() {
    let mut stage = Stage::new(3);
    stage.ask(request(1, 0));
    let ahead = stage.config.max_in_flight + 1;
    for peer in [1, 2] {
        stage.hear(peer, &status(ahead, 0, &[]));
        stage.advance(stage.config.forward_after * 2);
        let forwards = sent(&stage.timer()).contains(&"forward");
        assert_eq!(forwards, peer == 1, "one alone may be lying");
    }
}

/// nor while what it misses is not to be had as batches, however little that is.
#[test]
fn r_5_who_has_to_take_over_a_state_forwards_nothing() {
    for gone in [false, true] {
        let mut stage = Stage::new(3);
        stage.ask(request(1, 0));
        let point = seq(stage.config.checkpoint_period);
        assert!(point.value() <= stage.config.max_in_flight, "it is not far behind");
        let certificate = stage.certificate(Checkpoint { seq: point, digest: Digest::ZERO }, &[0, 1, 2]);
        stage.hear(0, &Message::Stable(certificate));
        for peer in [1, 2] {
            let Message::Status(told) = status(point.value(), point.value(), &[]) else { panic!("a status") };
            let first = if gone { point.next() } else { seq(1) };
            stage.hear(peer, &Message::Status(Status { first, ..told }));
        }
        stage.advance(stage.config.forward_after * 2);
        assert_eq!(sent(&stage.timer()).contains(&"forward"), !gone);
    }
}

/// statuses go to members. Who is none does not hear that a request was refused long ago.
#[test]
fn r_5_who_is_no_member_forwards_nothing() {
    for (index, forwards) in [(3, true), (4, false)] {
        let mut stage = Stage::new(index);
        stage.ask(request(1, 0));
        stage.advance(stage.config.forward_after * 2);
        assert_eq!(sent(&stage.timer()).contains(&"forward"), forwards, "{index}");
    }
}

/// the table of clients has an end, and those in it go on.
#[test]
fn r_2_a_client_too_many_is_told_so() {
    let mut stage = Stage::with(3, 4, |config| config.max_clients = 1);
    stage.order(1, vec![request(1, 0)]);
    assert_eq!(declines(&stage.ask(request(2, 0))), [DeclineReason::TooManyClients]);
    assert_eq!(replies(&stage.order(2, vec![request(1, 1)])), [(1, done())]);
}

/// a primary proposes a request to one backup after the other, and has the rest agree on something else each time. It
/// would count as proposed everywhere, and be nowhere.
#[test]
fn r_6_what_was_proposed_in_vain_waits_again() {
    let (stage, effects) = hide(View::ZERO);
    assert_eq!(stage.replica.progress().executed, seq(1));
    assert_eq!(stage.replica.progress().waiting_requests, 1, "and not ordered");
    assert!(sent(&effects).contains(&"view-change"));
    assert_eq!(stage.reasons, [ViewChangeReason::TwoBatches], "the primary has signed both");
}

/// In another view the others may well have agreed on something else: its primary has said one thing only.
#[test]
fn r_6_a_primary_of_another_view_has_deceived_nobody() {
    let (stage, effects) = hide(View::new(1));
    assert_eq!(stage.replica.progress().waiting_requests, 1, "it waits again all the same");
    assert!(!sent(&effects).contains(&"view-change"));
}

/// The same the other way round: the number is final here, and not yet due, when the primary proposes something else for it.
#[test]
fn r_6_nothing_can_be_hidden_in_a_number_that_is_final() {
    let mut stage = Stage::new(3);
    stage.ask(request(9, 0));
    let decided = stage.proposal(2, vec![request(1, 0)]);
    let committed = stage.committed(&decided, &[0, 1, 2]);
    stage.hear_and_settle(1, &Message::Committed(committed));
    let other = stage.proposal(2, vec![request(9, 0)]);
    let effects = stage.hear_and_settle(0, &Message::PrePrepare(other));
    assert_eq!(stage.replica.progress().waiting_requests, 1);
    assert!(sent(&effects).contains(&"view-change"), "the primary has signed both");
}

/// And where all know what the others have agreed on without being shown it: nothing at all.
#[test]
fn r_6_nothing_can_be_hidden_behind_the_null_request() {
    let mut stage = Stage::new(3);
    stage.ask(request(9, 0));
    let hidden = stage.proposal(1, vec![request(9, 0)]);
    stage.hear_and_settle(0, &Message::PrePrepare(hidden));
    let null = Commit { view: View::ZERO, seq: seq(1), digest: Batch::null().digest() };
    for from in 0..2 {
        stage.hear_and_settle(from, &Message::Commit(stage.sign(from, null)));
    }
    let effects = stage.hear_and_settle(2, &Message::Commit(stage.sign(2, null)));
    assert_eq!(stage.replica.progress().waiting_requests, 1, "and not ordered");
    assert!(sent(&effects).contains(&"view-change"), "the primary has signed both");
}

/// A backup was shown one batch in view 0, and hears that the others have agreed on another one in `view`.
fn hide(view: View) -> (Stage, Vec<Effect>) {
    let mut stage = Stage::new(3);
    stage.ask(request(9, 0));
    let hidden = stage.proposal(1, vec![request(9, 0)]);
    stage.hear_and_settle(0, &Message::PrePrepare(hidden));
    assert_eq!(stage.replica.progress().waiting_requests, 0, "proposed");
    let PrePrepare { seq, digest, .. } = stage.proposal(1, vec![request(1, 0)]).pre_prepare.statement;
    let batch = stage.proposal(1, vec![request(1, 0)]).batch;
    let certificate = stage.certificate(Commit { view, seq, digest }, &[0, 1, 2]);
    let committed = CommittedBatch { batch, certificate };
    let effects = stage.hear_and_settle(1, &Message::Committed(committed));
    (stage, effects)
}
