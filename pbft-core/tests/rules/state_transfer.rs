//! SX rules: a replica takes over the state at a certified checkpoint. Long, since nearly all of these tests begin with a
//! replica that was left behind in one of two ways.

use std::{collections::BTreeSet, time::Duration};

use pbft_core::{
    Config, Effect, Epoch, Message, Seq,
    effect::TransferEvent,
    message::{Checkpoint, PartBytes, State, StatePart, Status},
};
use pbft_crypto::Digest;

use crate::{
    cluster::{Cluster, change_to, requests},
    returning::{assert_no_contradiction, votes_of},
    stage::{Stage, executions, messages, request, sent, seq, status},
};

/// Nobody keeps old batches.
fn no_archive(config: &mut Config) {
    config.archive_bytes = 0;
    config.max_batch_requests = 1;
}

fn without_archive(durable: bool) -> Cluster {
    if durable { Cluster::durable(4, no_archive) } else { Cluster::new(4, no_archive) }
}

/// Replica 3 was away while the others went on past all that they could send.
fn left_behind(mut cluster: Cluster) -> Cluster {
    let all = requests(40);
    cluster.complete(&all[..5]);
    cluster.down = vec![3];
    cluster.complete(&all);
    cluster.down.clear();
    cluster
}

fn begun(cluster: &Cluster) -> Vec<u64> {
    let begun = |(_, event): &(u16, TransferEvent)| match event {
        TransferEvent::Begun { seq } => Some(seq.value()),
        _ => None,
    };
    cluster.transfers.iter().filter_map(begun).collect()
}

fn bad_parts(cluster: &Cluster) -> Vec<(u16, StatePart)> {
    let bad = |(_, event): &(u16, TransferEvent)| match event {
        TransferEvent::BadPart { peer, part, .. } => Some((peer.value(), *part)),
        _ => None,
    };
    cluster.transfers.iter().filter_map(bad).collect()
}

#[track_caller]
fn assert_caught_up(cluster: &Cluster, index: u16) {
    assert_eq!(cluster.journal(index), cluster.journal(0));
    let done =
        |(at, event): &(u16, TransferEvent)| *at == index && matches!(event, TransferEvent::Done { .. });
    assert!(cluster.transfers.iter().any(done), "{:?}", cluster.transfers);
}

#[test]
fn sx_1_sx_6_who_missed_more_than_peers_keep_takes_over_their_state() {
    let mut cluster = left_behind(Cluster::new(4, no_archive));
    cluster.pass(Duration::from_secs(5));
    assert_caught_up(&cluster, 3);
    cluster.complete(&requests(44));
    assert_eq!(cluster.journal(3), cluster.journal(0));
}

#[test]
fn sx_3_a_durable_service_hands_its_state_on_in_parts() {
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    cluster.pass(Duration::from_secs(5));
    assert_caught_up(&cluster, 3);
    cluster.complete(&requests(44));
    assert_eq!(cluster.journal(3), cluster.journal(0));
    assert!(cluster.service(0).keeps().len() <= 6, "{:?}", cluster.service(0).keeps());
}

/// Small gaps stay with CU rules.
#[test]
fn sx_1_batches_are_preferred_while_they_are_to_be_had() {
    let mut cluster = left_behind(Cluster::new(4, |config| config.max_batch_requests = 1));
    cluster.pass(Duration::from_secs(5));
    assert_eq!(cluster.journal(3), cluster.journal(0));
    assert_eq!(begun(&cluster), Vec::<u64>::new());
}

/// One liar for each kind of part: it is noted, and others are asked.
#[test]
fn sx_2_sx_3_mistake_29_a_part_that_is_not_what_was_certified_is_refused() {
    fn bend(from: u16, message: Message) -> Option<Message> {
        let Message::State(mut state) = message else { return Some(message) };
        if let (0, Some(content)) = (from, &mut state.content) {
            content.0[1] ^= 1;
        }
        Some(Message::State(state))
    }
    for durable in [false, true] {
        let mut cluster = left_behind(without_archive(durable));
        cluster.lie = bend;
        cluster.pass(Duration::from_secs(10));
        assert_caught_up(&cluster, 3);
        let bad = bad_parts(&cluster);
        assert!(!bad.is_empty() && bad.iter().all(|(peer, _)| *peer == 0), "{bad:?}");
    }
}

/// An answer under another name than the question had is no answer, good or bad: nobody is blamed for it.
#[test]
fn sx_3_mistake_29_a_part_is_bound_to_its_index() {
    fn shift(from: u16, message: Message) -> Option<Message> {
        let Message::State(mut state) = message else { return Some(message) };
        if let (0, StatePart::Service(index)) = (from, state.part) {
            state.part = StatePart::Service(index + 1);
        }
        Some(Message::State(state))
    }
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    cluster.lie = shift;
    cluster.pass(Duration::from_secs(10));
    assert_caught_up(&cluster, 3);
    assert_eq!(bad_parts(&cluster), [], "nothing was looked at that was not asked for");
}

/// A good part that this peer was not asked for is not taken either: what was asked for is what is checked.
#[test]
fn sx_3_mistake_29_a_good_part_that_was_not_asked_for_is_not_installed() {
    fn swap(from: u16, message: Message) -> Option<Message> {
        let Message::FetchState(mut fetch) = message else { return Some(message) };
        match fetch.part {
            // Its peers look up another part than it will ask about: the answer keeps that other name.
            StatePart::Service(0) if from == 3 => fetch.part = StatePart::Service(2),
            StatePart::Service(2) if from == 3 => return None,
            _ => {}
        }
        Some(Message::FetchState(fetch))
    }
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    cluster.lie = swap;
    cluster.pass(Duration::from_secs(5));
    let answered = |(_, message): &(u16, Message)| matches!(message, Message::State(state) if state.part == StatePart::Service(2));
    assert!(cluster.sent.iter().any(answered));
    let accepted = &cluster.service(3).accepted;
    assert!(!accepted.is_empty() && !accepted.contains(&2), "{accepted:?}");
    cluster.lie = |_, message| Some(message);
    cluster.pass(Duration::from_secs(8));
    assert_caught_up(&cluster, 3);
}

#[test]
fn sx_4_who_does_not_answer_is_passed_over() {
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    cluster.lie = |from, message| match message {
        Message::State(_) if from == 1 => None,
        message => Some(message),
    };
    cluster.pass(Duration::from_secs(20));
    assert_caught_up(&cluster, 3);
    let asked = |message: &&(u16, Message)| message.0 == 3 && matches!(message.1, Message::FetchState(_));
    assert!(cluster.sent.iter().filter(asked).count() < 100, "not asked without end");
}

#[test]
fn sx_4_parts_come_with_a_third_of_all_messages_lost() {
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    cluster.loss = 33;
    cluster.pass(Duration::from_secs(60));
    cluster.loss = 0;
    cluster.pass(Duration::from_secs(10));
    assert_caught_up(&cluster, 3);
}

/// Replica 4 takes over from replica 2 while replica 0 is away, and replica 1 loses its disk: of the new set only replica 3 has
/// the state, and no batches.
#[test]
fn sx_1_one_that_is_ahead_is_enough_after_a_while() {
    let mut cluster = Cluster::new(4, no_archive);
    cluster.changes = true;
    cluster.down = vec![cluster.join()];
    cluster.complete_by(&[0, 1, 2, 3], &requests(1));
    cluster.down = vec![0, 4];
    cluster.complete_by(&[1, 2, 3], &requests(20));
    let change = change_to(9, 0, &[0, 1, 3, 4]);
    cluster.complete_by(&[1, 2, 3], &[change]);
    cluster.pass(Duration::from_secs(5));
    assert_eq!(cluster.replica(3).epoch(), Epoch::new(1));
    cluster.down = vec![2];
    cluster.lose_disk(1, false);
    cluster.pass(Duration::from_secs(20));
    assert_eq!([0, 1, 4].map(|index| cluster.executed(index)), [cluster.executed(3); 3]);
    cluster.complete_by(&[0, 1, 3, 4], &requests(60));
}

/// For how many status periods each of four may be asked and answer, and two rounds more.
const LONG_ENOUGH: u64 = 5 * (4 + 2);

/// Replica 3, which is told that 100 is certified, and from where on each of the others has batches.
fn on_the_way(firsts: &[(u16, u64)]) -> Stage {
    let mut stage = Stage::new(3);
    let checkpoint = Checkpoint { seq: seq(100), digest: Digest::ZERO };
    stage.hear(0, &Message::Stable(stage.certificate(checkpoint, &[0, 1, 2])));
    firsts.iter().for_each(|(peer, first)| have_from(&mut stage, *peer, *first));
    stage
}

fn have_from(stage: &mut Stage, peer: u16, first: u64) {
    let Message::Status(status) = status(100, 100, &[]) else { unreachable!() };
    stage.hear(peer, &Message::Status(Status { first: seq(first), ..status }));
}

fn empty_batch(stage: &Stage, number: u64) -> Message {
    Message::Committed(stage.committed(&stage.proposal(number, vec![]), &[0, 1, 2]))
}

/// A liar hands old batches out one by one, which others have given up: the replica would go on after it, and never arrive.
/// After a change of the replicas there may be a single one of those.
#[test]
fn sx_1_who_hands_out_batches_one_by_one_puts_no_transfer_off() {
    for firsts in [&[(0, 1), (1, 99), (2, 99)][..], &[(0, 1), (1, 99)]] {
        let mut stage = on_the_way(firsts);
        let begun = (1..=2 * LONG_ENOUGH).find(|number| {
            stage.advance(stage.config.status_period * 3 / 5);
            let batch = empty_batch(&stage, *number);
            assert_eq!(executions(&stage.hear_and_settle(0, &batch)), [*number]);
            stage.advance(stage.config.status_period * 2 / 5);
            let effects = stage.timer();
            sent(&stage.settle(effects)).contains(&"fetch-state")
        });
        assert_eq!(begun, Some(LONG_ENOUGH + 2), "the first look only takes note of where the way leads");
    }
}

/// A liar sees to it that a batch is being executed, and the next one is here, whenever the replica looks.
#[test]
fn sx_1_who_hands_out_batches_at_the_right_time_puts_no_transfer_off() {
    let mut stage = on_the_way(&[(0, 1), (1, 99), (2, 99)]);
    let first = empty_batch(&stage, 1);
    let mut runs = stage.hear(0, &first);
    let begun = (1..=2 * LONG_ENOUGH).find(|number| {
        assert_eq!(executions(&runs), [*number]);
        let next = empty_batch(&stage, number + 1);
        assert_eq!(executions(&stage.hear(0, &next)), [0; 0], "one after the other");
        stage.sync();
        stage.advance(stage.config.status_period);
        assert!(!sent(&stage.timer()).contains(&"fetch-state"), "not while a batch is being executed");
        let checkpoint = runs.iter().any(|effect| matches!(effect, Effect::Execute { checkpoint: true, .. }));
        runs = stage.executed(0, checkpoint);
        sent(&runs).contains(&"fetch-state")
    });
    assert_eq!((begun, executions(&runs)), (Some(LONG_ENOUGH + 2), vec![]));
}

/// Whoever gets to certified checkpoints in time follows by batches, for however long.
#[test]
fn sx_1_batches_that_come_in_time_begin_no_transfer() {
    let mut guide = Stage::new(2);
    let mut stage = Stage::new(3);
    for target in (8..=40).step_by(8) {
        let batches: Vec<_> = (target - 7..=target).map(|number| empty_batch(&stage, number)).collect();
        let effects: Vec<_> = batches.iter().flat_map(|batch| guide.hear_and_settle(0, batch)).collect();
        let reached = messages(&effects).filter_map(|message| match message {
            Message::Checkpoint(vote) => Some(vote.statement),
            _ => None,
        });
        let reached = reached.max_by_key(|checkpoint| checkpoint.seq).unwrap();
        assert_eq!(reached.seq, seq(target));
        let proof = Message::Stable(stage.certificate(reached, &[0, 1, 2]));
        guide.hear(0, &proof);
        stage.hear(0, &proof);
        have_from(&mut stage, 0, 1);
        have_from(&mut stage, 1, 99);
        for batch in &batches {
            stage.advance(stage.config.status_period / 2);
            assert_eq!(executions(&stage.hear_and_settle(0, batch)).len(), 1);
            stage.advance(stage.config.status_period / 2);
            let mut effects = stage.timer();
            effects.extend(pass(&mut stage));
            assert!(!sent(&effects).contains(&"fetch-state"));
        }
    }
}

/// Mistake 27: a claim moves nobody; only a certificate does.
#[test]
fn sx_1_mistake_27_claims_begin_no_transfer() {
    let mut cluster = Cluster::new(4, no_archive);
    cluster.complete(&requests(5));
    cluster.lie = |from, message| match message {
        Message::Status(mut status) if from < 3 => {
            status.executed = Seq::new(1_000_000);
            status.stable = Seq::new(1_000_000);
            status.first = Seq::new(900_000);
            Some(Message::Status(status))
        }
        message => Some(message),
    };
    cluster.pass(Duration::from_secs(10));
    assert_eq!(begun(&cluster), Vec::<u64>::new());
}

/// The others go on all the time: what is being fetched is not taken away, or a later checkpoint is taken instead.
#[test]
fn sx_5_peers_go_on_while_they_hand_out_their_state() {
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    let all = requests(90);
    for end in (41..90).step_by(3) {
        for request in &all[end - 3..end] {
            cluster.submit(request);
        }
        cluster.run();
        cluster.pass(Duration::from_millis(100));
    }
    cluster.complete(&all);
    assert_caught_up(&cluster, 3);
}

/// Mistake 26: who knows what it voted for may go on voting within its window while it takes over a state; it proposes
/// nothing, makes no checkpoint, and executes nothing.
#[test]
fn sx_7_mistake_26_what_is_done_during_a_transfer() {
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    cluster.lie = |_, message| match message {
        Message::State(_) => None,
        message => Some(message),
    };
    cluster.pass(Duration::from_secs(3));
    assert!(!begun(&cluster).is_empty());
    let (before, executed) = (cluster.sent.len(), cluster.executed(3));
    cluster.down = vec![0];
    requests(50).iter().for_each(|request| cluster.submit(request));
    cluster.pass(Duration::from_secs(3));
    let kinds = |message: &Message| ["pre-prepare", "checkpoint", "new-view"].contains(&message.kind());
    let old =
        |message: &Message| matches!(message, Message::Checkpoint(vote) if vote.statement.seq.value() < 6);
    let mut said =
        cluster.sent[before..].iter().filter(|(from, message)| *from == 3 && kinds(message) && !old(message));
    assert_eq!(said.next().map(|(_, message)| message.kind()), None);
    assert_eq!(cluster.executed(3), executed);
    (cluster.lie, cluster.down) = (|_, message| Some(message), vec![]);
    cluster.complete(&requests(54));
    assert_caught_up(&cluster, 3);
}

/// SX-7: what it votes for meanwhile is in its log, so neither a restart in the middle nor the next view has it say anything
/// else; and without its votes the others could not go on once one of them is gone.
#[test]
fn sx_7_mistake_26_votes_during_a_transfer_contradict_nothing() {
    for restarts in [false, true] {
        let mut cluster = Cluster::durable(4, no_archive);
        cluster.complete(&requests(5));
        cluster.down = vec![3];
        cluster.complete(&requests(8));
        cluster.down.clear();
        cluster.lie = |_, message| match message {
            Message::State(_) => None,
            message => Some(message),
        };
        cluster.pass(Duration::from_secs(3));
        assert!(!begun(&cluster).is_empty());
        let before = cluster.sent.len();
        cluster.complete_by(&[0, 1, 2], &requests(10));
        let meanwhile = cluster.sent.len();
        let mut said = votes_of(&cluster, 3, before);
        said.sort_unstable();
        assert_eq!(said, [9, 9, 10, 10].map(Seq::new), "prepares and commits");
        if restarts {
            cluster.restart(3);
        }
        cluster.down = vec![0];
        cluster.complete_by(&[1, 2], &requests(12));
        assert!(!votes_of(&cluster, 3, meanwhile).is_empty(), "the rest needs it");
        assert!(cluster.view(3).0 > 0);
        assert_eq!(cluster.executed(3), 5);
        assert_no_contradiction(&cluster);
        (cluster.lie, cluster.down) = (|_, message| Some(message), vec![]);
        cluster.complete(&requests(14));
        assert_eq!(cluster.journal(3), cluster.journal(1));
        assert_no_contradiction(&cluster);
    }
}

/// SX-11: nobody has the last checkpoint any more, since all restarted, and nothing happens: the next one is made.
#[test]
fn sx_11_a_checkpoint_is_made_for_who_finds_none() {
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    (0..3).for_each(|index| cluster.forget_served(index));
    cluster.pass(Duration::from_secs(20));
    assert_caught_up(&cluster, 3);
    assert!(cluster.executed(0) > 40 && cluster.executed(0) < 60, "{}", cluster.executed(0));
}

/// SX-4: one of them is never heard at all.
#[test]
fn sx_4_sx_11_who_is_silent_does_not_keep_others_from_the_next_checkpoint() {
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    (0..3).for_each(|index| cluster.forget_served(index));
    cluster.cut = vec![(2, 3)];
    cluster.pass(Duration::from_secs(30));
    assert_caught_up(&cluster, 3);
}

/// SX-4: replica 0 alone is heard for a while, says that all batches are gone, and then nothing. The others have all of them,
/// and the state no more.
#[test]
fn sx_4_a_state_that_nobody_has_is_given_up_for_batches() {
    let mut cluster = left_behind(Cluster::durable(4, |config| config.max_batch_requests = 1));
    (0..3).for_each(|index| cluster.forget_served(index));
    cluster.cut = vec![(1, 3), (2, 3)];
    cluster.lie = |from, message| match message {
        Message::Status(mut status) if from == 0 => {
            status.first = status.executed.next();
            Some(Message::Status(status))
        }
        Message::State(_) | Message::Committed(_) if from == 0 => None,
        message => Some(message),
    };
    cluster.pass(Duration::from_secs(10));
    assert_eq!(
        (begun(&cluster).first(), cluster.executed(3)),
        (Some(&40), 5),
        "one is believed after a while"
    );
    cluster.cut.clear();
    let executed = cluster.executed(1);
    cluster.pass(Duration::from_secs(30));
    assert_eq!(cluster.journal(3), cluster.journal(1));
    assert!(cluster.executed(1) < executed + 10, "hardly any batch is made for it (SX-11)");
}

/// A replica to which all say that they have no batches before checkpoint 2, and that asks them for its state.
fn fetching() -> Stage {
    let mut stage = Stage::new(3);
    let checkpoint = Checkpoint { seq: seq(2), digest: Digest::ZERO };
    stage.hear(0, &Message::Stable(stage.certificate(checkpoint, &[0, 1, 2])));
    for peer in 0..3 {
        let Message::Status(status) = status(2, 2, &[]) else { unreachable!() };
        stage.hear(peer, &Message::Status(Status { first: seq(3), ..status }));
    }
    let begun = (0..9).find(|_| sent(&pass(&mut stage)).contains(&"fetch-state"));
    assert!(begun.is_some(), "the batches are gone");
    stage
}

/// A status period.
fn pass(stage: &mut Stage) -> Vec<Effect> {
    stage.advance(stage.config.status_period);
    let effects = stage.timer();
    stage.settle(effects)
}

fn lacks(stage: &mut Stage, peer: u16) -> Vec<Effect> {
    stage.hear(peer, &Message::State(State { seq: seq(2), part: StatePart::Summary, content: None }))
}

/// SX-4, SX-7: what became final while a state was fetched is executed when that is given up: nothing else would remind of it.
#[test]
fn sx_4_what_is_here_when_a_transfer_is_given_up_is_executed() {
    let mut stage = fetching();
    let batches = [1, 2].map(|number| stage.proposal(number, vec![request(1, number)]));
    for batch in &batches {
        let committed = Message::Committed(stage.committed(batch, &[0, 1, 2]));
        assert_eq!(executions(&stage.hear_and_settle(0, &committed)), [0; 0], "a state is taken over");
    }
    (0..3).for_each(|peer| drop(lacks(&mut stage, peer)));
    let effects: Vec<_> = (0..40).flat_map(|_| pass(&mut stage)).collect();
    assert_eq!(executions(&effects), [1, 2]);
}

/// SX-4: the others have the checkpoint no more, one of them says nothing, and only then a later one is certified.
#[test]
fn sx_4_a_checkpoint_certified_later_is_taken_as_soon_as_it_is_known() {
    let mut stage = fetching();
    (0..2).for_each(|peer| drop(lacks(&mut stage, peer)));
    let asked = |effects: &[Effect]| {
        let fetched = messages(effects).filter_map(|message| match message {
            Message::FetchState(fetch) => Some(fetch.seq.value()),
            _ => None,
        });
        fetched.collect::<BTreeSet<_>>()
    };
    assert!(!asked(&pass(&mut stage)).contains(&4));
    let checkpoint = Checkpoint { seq: seq(4), digest: Digest::ZERO };
    stage.hear(0, &Message::Stable(stage.certificate(checkpoint, &[0, 1, 2])));
    assert_eq!(asked(&pass(&mut stage)), [4].into());
}

/// SX-4: who has not come to the checkpoint yet does not have it, nor the one after it. Others have it.
#[test]
fn sx_4_who_is_behind_does_not_make_a_transfer_begin_anew() {
    let mut stage = Stage::with(6, 7, |_| {});
    let certify = |stage: &mut Stage, number: u64| {
        let checkpoint = Checkpoint { seq: seq(number), digest: Digest::ZERO };
        stage.hear(0, &Message::Stable(stage.certificate(checkpoint, &[0, 1, 2, 3, 4])));
    };
    certify(&mut stage, 2);
    for (peer, executed) in [(0, 2), (1, 2), (2, 0), (3, 2), (4, 2), (5, 2)] {
        let Message::Status(status) = status(executed, 0, &[]) else { unreachable!() };
        stage.hear(peer, &Message::Status(Status { first: seq(3), ..status }));
    }
    assert!((0..9).any(|_| sent(&pass(&mut stage)).contains(&"fetch-state")), "the batches are gone");
    let abandons = |effects: &[Effect]| {
        let abandoned = |effect: &Effect| matches!(effect, Effect::Transfer(TransferEvent::Abandoned { .. }));
        effects.iter().any(abandoned)
    };
    certify(&mut stage, 4);
    // Two liars, and one that is behind.
    assert!(![0, 1, 2].into_iter().any(|peer| abandons(&lacks(&mut stage, peer))));
    assert!(!abandons(&pass(&mut stage)));
    assert!(abandons(&lacks(&mut stage, 3)), "a third that had it has it no more");
}

/// SX-6: whatever record of the install is the last one that a crash leaves, the replica comes back and gets there.
#[test]
fn sx_6_a_crash_at_each_record_of_an_install() {
    for durable in [false, true] {
        for cut in 0..12 {
            let mut cluster = left_behind(without_archive(durable));
            let before = cluster.history.len();
            for _ in 0..100 {
                cluster.pass(Duration::from_millis(50));
                let written = cluster.history[before..].iter().filter(|(by, ..)| *by == 3).count();
                if written >= cut {
                    break;
                }
            }
            cluster.restart(3);
            cluster.pass(Duration::from_secs(8));
            assert_eq!(cluster.journal(3), cluster.journal(0), "cut at {cut}");
            cluster.complete(&requests(44));
        }
    }
}

/// What reading the log leads to is not asked of the service: its answer would be waited for without end.
#[test]
fn sx_5_a_restart_leaves_no_question_open() {
    let mut cluster = Cluster::durable(4, no_archive);
    cluster.complete(&requests(13));
    (0..4).for_each(|index| cluster.restart(index));
    let mut cluster = left_behind(cluster);
    cluster.restart(3);
    cluster.pass(Duration::from_secs(8));
    assert_caught_up(&cluster, 3);
}

/// Mistake 15: the view changed meanwhile, twice.
#[test]
fn sx_6_mistake_15_a_transfer_across_view_changes() {
    let mut cluster = Cluster::durable(4, no_archive);
    let all = requests(60);
    cluster.complete(&all[..5]);
    cluster.down = vec![3];
    cluster.complete(&all[..30]);
    cluster.down = vec![0];
    // With replica 0 gone as well as behind, the rest needs replica 3 to get anywhere.
    cluster.pass(Duration::from_secs(20));
    cluster.complete(&all);
    cluster.down.clear();
    cluster.complete(&requests(64));
    assert_eq!(cluster.journal(3), cluster.journal(1));
    assert!(cluster.view(3).0 > 0 && cluster.view(3).1, "{:?}", cluster.view(3));
}

#[test]
fn sx_5_unasked_and_wrong_answers_lead_nowhere() {
    let mut cluster = left_behind(Cluster::new(4, no_archive));
    let state =
        State { seq: Seq::new(40), part: StatePart::Summary, content: Some(PartBytes(vec![1, 2, 3])) };
    cluster.say(0, Message::State(state));
    cluster.run();
    assert_eq!(bad_parts(&cluster), vec![], "nobody asked");
}

/// A replica alone in a later view takes over one state after the other. The record of its view must not keep all that it
/// wrote meanwhile.
#[test]
fn ck_6_sx_6_states_taken_over_in_a_view_alone_leave_no_old_records() {
    let mut cluster = Cluster::new(4, no_archive);
    cluster.complete(&requests(2));
    cluster.cut = vec![(0, 3)];
    cluster.pass(Duration::from_secs(10));
    assert_eq!(cluster.view(3), (1, false));
    for round in 1..=12 {
        cluster.cut = vec![(0, 3), (1, 3), (2, 3)];
        cluster.complete_by(&[0, 1, 2], &requests(2 + round * 12));
        cluster.cut.clear();
        cluster.pass(Duration::from_secs(5));
        assert_eq!(cluster.journal(3), cluster.journal(0));
    }
    assert_eq!(cluster.view(3), (1, false));
    assert!(begun(&cluster).len() >= 10, "{:?}", cluster.transfers);
    let (kept, last) = (cluster.records(3).len(), cluster.records(3).last().unwrap().0);
    assert!(kept <= 10 && last.value() > 40, "{kept} records up to {}", last.value());
}

/// SX-6: a service that cannot complete an install is given all parts again.
#[test]
fn sx_6_an_install_that_fails_at_its_end_begins_anew() {
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    cluster.fail_install(3);
    cluster.pass(Duration::from_secs(10));
    assert_eq!(cluster.service(3).failures, 0, "it has failed");
    assert_caught_up(&cluster, 3);
}

/// SX-6: a service that has lost what it has installed is the end of its replica, and stands for nothing meanwhile.
#[test]
fn sx_6_a_state_that_is_gone_at_its_restore_is_said() {
    let mut cluster = left_behind(Cluster::durable(4, no_archive));
    let (before, seq) =
        (cluster.replica(3).progress().executed, cluster.replica(0).progress().stable_checkpoint);
    cluster.forget_installs(3);
    cluster.pass(Duration::from_secs(10));
    assert_eq!(cluster.lost, [(3, seq)]);
    assert_eq!(cluster.replica(3).progress().executed, before);
}
