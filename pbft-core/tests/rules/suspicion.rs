//! VC-11, VC-13 and VC-14: a primary that is there, and still is not fair or not fast enough.

use std::{ops::Range, sync::Arc, time::Duration};

use pbft_core::{
    Effect, Message, Request, View,
    message::{Batch, Commit, PrePrepare, Prepare, Proposal},
};

use crate::{
    stage::{START, Stage, id, messages, own_checkpoint, request, sent, seq, status},
    view_messages::{new_view, view_change},
};

/// Has the replica, number 3, go through `number` in `view` with the help of all others.
fn order(stage: &mut Stage, view: u64, number: u64, request: Request) -> Vec<Effect> {
    let (view, seq) = (View::new(view), seq(number));
    let primary = stage.config.replicas.primary(view).value();
    let batch = Batch { origin: view, time: START, requests: vec![request] };
    let digest = batch.digest();
    let pre_prepare = stage.sign(primary, PrePrepare { view, seq, digest });
    let proposal = Proposal { pre_prepare, batch: Arc::new(batch) };
    let mut effects = stage.hear_and_settle(primary, &Message::PrePrepare(proposal));
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

/// The primary of `view` orders client 1's requests, one for each number and each `pace`. Whether the replica gives up.
fn serve(stage: &mut Stage, view: u64, numbers: Range<u64>, pace: Duration) -> bool {
    for number in numbers {
        stage.advance(pace);
        let effects = order(stage, view, number, request(1, number - 1));
        if let Some(own) = own_checkpoint(&effects) {
            stage.stabilize(&own, &[0, 1, 2]);
        }
        let timer = stage.timer();
        let said =
            |message: &Message| matches!(message, Message::ViewChange(own) if own.vote.signer == id(3));
        if messages(&stage.settle(timer)).any(said) {
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
}

#[test]
fn vc_13_a_primary_that_serves_all_who_ask_here_is_kept() {
    let mut stage = Stage::new(3);
    for number in 1..60 {
        stage.ask(request(1, number - 1));
        assert!(!serve(&mut stage, 0, number..number + 1, PACE));
    }
}

/// Many requests wait all the time; ten a second are executed in view 0. Whether the primary of view 1 is given up.
fn second_primary_is_given_up(pace: Duration) -> bool {
    let mut stage = Stage::new(3);
    for number in 0..250 {
        stage.ask(request(1, number));
    }
    assert!(!serve(&mut stage, 0, 1..81, PACE));
    let supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 80, vec![]));
    let begun = new_view(&stage, &supporters, 80, &[], vec![]);
    stage.hear_and_settle(1, &Message::NewView(Box::new(begun)));
    assert_eq!(stage.replica.progress().view, View::new(1));
    serve(&mut stage, 1, 81..161, pace)
}

#[test]
fn vc_14_a_primary_much_slower_than_the_one_before_is_given_up() {
    assert!(second_primary_is_given_up(4 * PACE));
    assert!(!second_primary_is_given_up(PACE));
    assert!(!second_primary_is_given_up(PACE + PACE / 2), "somewhat slower is no reason");
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
