//! A stalled replica says in a sentence what it waits for.

use std::{collections::BTreeSet, time::Duration};

use pbft_core::{
    Epoch, Message, View,
    replica::{Need, WaitsFor},
};

use crate::{
    cluster::{Cluster, requests},
    stage::{Stage, id, own_checkpoint, request, seq, status, status_in},
    view_messages::{OTHER, new_view, prepared, view_change},
};

#[test]
fn each_phase_of_a_number_is_named_with_those_who_are_silent() {
    let mut stage = Stage::new(3);
    let say = |stage: &Stage| stage.replica.diagnose().to_string();
    assert_eq!(say(&stage), "waits for nothing");
    hear_all(&mut stage);
    stage.ask(request(1, 0));
    let oldest = request(1, 0).id();
    let waits = "waits for replica 0, the primary, to propose 1 requests";
    assert_eq!(say(&stage), format!("{waits}; the oldest, {oldest}, for 0.0 s; gives up in 2.0 s"));
    stage.advance(Duration::from_millis(1_300));
    stage.ask(request(1, 1));
    let waits = "waits for replica 0, the primary, to propose 2 requests";
    assert_eq!(say(&stage), format!("{waits}; the oldest, {oldest}, for 1.3 s; gives up in 0.7 s"));
    let proposal = stage.proposal(1, vec![request(1, 0), request(1, 1)]);
    stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    assert_eq!(say(&stage), "waits for 3 prepares of number 1; silent: 1, 2; gives up in 0.7 s");
    let prepare = stage.prepare(2, &proposal);
    stage.hear_and_settle(2, &prepare);
    assert_eq!(say(&stage), "waits for 3 commits of number 1; silent: 0, 1, 2; gives up in 0.7 s");
    for signer in [0, 2] {
        let commit = stage.commit(signer, &proposal);
        stage.hear(signer, &commit);
    }
    assert_eq!(say(&stage), "waits for the service to execute number 1");
    stage.executed(2, false);
    assert_eq!(say(&stage), "waits for nothing");
}

/// A checkpoint on its way stands in nobody's way before the end of what may be proposed.
#[test]
fn a_checkpoint_that_nothing_waits_for_is_not_named() {
    let mut stage = Stage::new(3);
    let effects = stage.order(1, vec![request(1, 1)]);
    assert!(own_checkpoint(&effects).is_none());
    let effects = stage.order(2, vec![request(1, 2)]);
    assert_eq!(own_checkpoint(&effects).unwrap().statement.seq, seq(2));
    assert_eq!(stage.replica.diagnose(), WaitsFor::Nothing);
    stage.ask(request(1, 9));
    assert_eq!(stage.replica.diagnose().kind(), "proposal");
}

/// B-2: with window 8 nothing past 4 is proposed before a checkpoint is stable, and no primary can help that.
#[test]
fn a_checkpoint_that_is_not_stable_is_named() {
    let mut stage = Stage::new(3);
    let mut effects = Vec::new();
    for number in 1..=4 {
        effects = stage.order(number, vec![request(1, number)]);
    }
    let statement = own_checkpoint(&effects).unwrap().statement;
    hear_all(&mut stage);
    stage.ask(request(1, 9));
    let say = |stage: &Stage| stage.replica.diagnose().to_string();
    assert_eq!(say(&stage), "waits for 3 equal checkpoints of number 4; silent: 0, 1, 2; gives up in 2.0 s");
    let vote = stage.sign(2, statement);
    stage.hear(2, &Message::Checkpoint(vote));
    assert_eq!(say(&stage), "waits for 3 equal checkpoints of number 4; silent: 0, 1; gives up in 2.0 s");
    let vote = stage.sign(0, statement);
    stage.hear_and_settle(0, &Message::Checkpoint(vote));
    assert!(
        say(&stage).starts_with("waits for replica 0, the primary, to propose 1 requests"),
        "{}",
        say(&stage)
    );
}

#[test]
fn a_view_that_does_not_begin_is_named() {
    let mut cluster = Cluster::new(7, |_| ());
    cluster.submit(&requests(1)[0]);
    cluster.run();
    cluster.down = vec![0, 1];
    cluster.submit(&request(7, 0));
    cluster.pass(Duration::from_millis(3_000));
    let said = cluster.replica(3).diagnose();
    let left = said.gives_up_in().unwrap();
    assert!((500..2_000).contains(&left), "{said}");
    let tenths = format!("{}.{} s", left / 1000, left / 100 % 10);
    assert_eq!(said.to_string(), format!("waits for replica 1 to begin view 1; gives up in {tenths}"));
    cluster.loss = 100;
    cluster.pass(Duration::from_millis(3_500));
    let lonely = cluster.replica(3).diagnose().to_string();
    assert_eq!(lonely, "waits for 5 replicas to ask for view 2; silent: 0, 1, 2, 4, 5, 6");
}

#[test]
fn who_is_behind_says_whom_it_asked() {
    let mut stage = Stage::new(3);
    for other in 0..3 {
        stage.hear(other, &status(60, 0, &[]));
    }
    let said = stage.replica.diagnose().to_string();
    assert!(said.starts_with("is at 0 where others are at 60, and waits for replica "), "{said}");
}

#[test]
fn a_batch_that_nobody_has_sent_is_named() {
    let mut stage = Stage::new(3);
    let proof = prepared(&stage, 0, 1, OTHER);
    let supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 0, vec![proof.clone()]));
    let begun = new_view(&stage, &supporters, 0, &[(1, OTHER)], vec![proof]);
    stage.hear_and_settle(1, &Message::NewView(Box::new(begun)));
    hear_all(&mut stage);
    let said = stage.replica.diagnose().to_string();
    assert_eq!(said, "waits for someone to send the batch of number 1; gives up in 2.0 s");
}

fn hear_all(stage: &mut Stage) {
    for other in 0..3 {
        stage.hear(other, &status_in(stage.replica.view(), 0, 0, &[]));
    }
}

/// VC-11 and VC-12: who is cut off, or left behind, gives up on nobody, and does not say that it will.
#[test]
fn vc_11_vc_12_who_could_not_be_helped_by_another_primary_gives_up_on_nobody() {
    let mut stage = Stage::new(3);
    stage.ask(request(1, 0));
    let gives_up_in = |stage: &Stage| stage.replica.diagnose().gives_up_in();
    assert_eq!(gives_up_in(&stage), None, "it has heard nobody");
    hear_all(&mut stage);
    assert_eq!(gives_up_in(&stage), Some(2_000));
    for other in 0..2 {
        stage.hear(other, &status(1, 0, &[]));
    }
    assert_eq!(gives_up_in(&stage), None, "two others are ahead");
}

/// Nobody asks for anything, and numbers have to pass all the same.
#[test]
fn sx_11_empty_batches_that_are_needed_are_named() {
    let mut stage = Stage::new(3);
    hear_all(&mut stage);
    for other in [1, 2] {
        let Message::Status(mut said) = status(0, 0, &[]) else { unreachable!() };
        said.heard = Some(seq(20));
        stage.hear(other, &Message::Status(said));
    }
    let named = "waits for replica 0, the primary, to go on without requests: ";
    let said = stage.replica.diagnose().to_string();
    assert_eq!(said, format!("{named}a replica needs the others to get to number 20; gives up in 3.0 s"));
}

#[test]
fn who_is_no_member_and_who_lost_its_log_say_so() {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.changes = true;
    cluster.complete(&requests(4));
    let joiner = cluster.join();
    let say = |cluster: &Cluster, index| cluster.replica(index).diagnose().to_string();
    assert_eq!(say(&cluster, joiner), "is not one of the replicas of epoch 0: waits to be made one");
    cluster.lose_disk(3, false);
    assert_eq!(say(&cluster, 3), "returned without its log: asks the others where they are");
    cluster.run();
    let said = say(&cluster, 3);
    assert!(said.starts_with("returned without its log: votes again from "), "{said}");
}

#[test]
fn who_takes_over_a_state_says_how_far_it_is() {
    let mut cluster = Cluster::new(4, |config| (config.archive_bytes, config.max_batch_requests) = (0, 1));
    cluster.complete(&requests(2));
    cluster.down = vec![3];
    cluster.complete(&requests(40));
    cluster.down.clear();
    cluster.lie = |_, message| (!matches!(message, Message::State(_))).then_some(message);
    cluster.pass(Duration::from_secs(3));
    let said = cluster.replica(3).diagnose().to_string();
    assert!(said.starts_with("is rebuilding: has 0 of 1 parts of checkpoint 40; asked: "), "{said}");
}

/// Metrics go by the word, operators by the sentence.
#[test]
fn each_wait_has_a_word_and_a_sentence_of_its_own() {
    let (view, silent) = (View::new(1), vec![id(2)]);
    let all = [
        WaitsFor::Nothing,
        WaitsFor::Proposal { requests: 2, primary: id(1), oldest: None, gives_up_in: None },
        WaitsFor::Batch { seq: seq(1), gives_up_in: None },
        WaitsFor::Prepares { seq: seq(1), quorum: 3, silent: silent.clone(), gives_up_in: None },
        WaitsFor::Commits { seq: seq(1), quorum: 3, silent: silent.clone(), gives_up_in: None },
        WaitsFor::Execution { seq: seq(1) },
        WaitsFor::CatchUp { executed: seq(1), others: seq(9), asked: None },
        WaitsFor::ViewChanges { view, quorum: 3, silent: silent.clone() },
        WaitsFor::NewView { view, primary: id(1), gives_up_in: None },
        WaitsFor::Membership { epoch: Epoch::new(1) },
        WaitsFor::State { seq: seq(8), done: 1, parts: 2, asked: silent },
        WaitsFor::Return { votes_from: None, executed: seq(1) },
        WaitsFor::LaterView { view },
        WaitsFor::Key { epoch: Epoch::new(1) },
        WaitsFor::EmptyBatches { primary: id(1), need: Need::Time, gives_up_in: None },
        WaitsFor::Checkpoint { seq: seq(8), quorum: 3, silent: vec![id(2)], gives_up_in: None },
    ];
    let words: BTreeSet<_> = all.iter().map(WaitsFor::kind).collect();
    let sentences: BTreeSet<_> = all.iter().map(WaitsFor::to_string).collect();
    assert_eq!((words.len(), sentences.len()), (all.len(), all.len()));
}

/// Who waits for the lead of a primary says when it gives up; who waits for anything else gives up on nobody.
#[test]
fn each_wait_that_has_an_end_tells_it() {
    let (primary, silent) = (id(1), vec![id(2)]);
    let with_an_end = |gives_up_in| {
        [
            WaitsFor::Proposal { requests: 2, primary, oldest: None, gives_up_in },
            WaitsFor::Batch { seq: seq(1), gives_up_in },
            WaitsFor::Prepares { seq: seq(1), quorum: 3, silent: silent.clone(), gives_up_in },
            WaitsFor::Commits { seq: seq(1), quorum: 3, silent: silent.clone(), gives_up_in },
            WaitsFor::EmptyBatches { primary, need: Need::Time, gives_up_in },
            WaitsFor::Checkpoint { seq: seq(8), quorum: 3, silent: silent.clone(), gives_up_in },
            WaitsFor::NewView { view: View::new(1), primary, gives_up_in },
        ]
    };
    for wait in with_an_end(Some(1_300)) {
        assert_eq!(wait.gives_up_in(), Some(1_300), "{wait}");
        assert!(wait.to_string().ends_with("; gives up in 1.3 s"), "{wait}");
    }
    for wait in with_an_end(None) {
        assert_eq!(wait.gives_up_in(), None, "{wait}");
        assert!(!wait.to_string().contains("gives up"), "{wait}");
    }
    assert_eq!(WaitsFor::Execution { seq: seq(1) }.gives_up_in(), None);
}

/// T-2, RE-1 and SX-11: why numbers pass although nobody asks for anything.
#[test]
fn each_need_for_empty_batches_has_a_sentence() {
    let sentence = |need| {
        let wait = WaitsFor::EmptyBatches { primary: id(1), need, gives_up_in: None };
        wait.to_string().split_once("without requests: ").map(|(_, why)| why.to_owned()).unwrap()
    };
    assert_eq!(sentence(Need::Time), "something in the service is due");
    assert_eq!(sentence(Need::Change(seq(7))), "the replicas change after number 7");
    assert_eq!(sentence(Need::Replica(seq(9))), "a replica needs the others to get to number 9");
}
