//! SX-8 to SX-11: a replica that lost its disk.

use std::{collections::BTreeMap, time::Duration};

use pbft_core::{
    Config, Message, Seq, View,
    message::{PrePrepare, Returned},
    replica::WaitsFor,
};

use crate::{
    cluster::{Cluster, refused, requests},
    stage::request,
};

fn one_each(config: &mut Config) {
    config.max_batch_requests = 1;
}

fn vote(message: &Message) -> Option<(&'static str, View, Seq, pbft_crypto::Digest)> {
    let kind = message.kind();
    match message {
        Message::PrePrepare(proposal) => {
            let PrePrepare { view, seq, digest } = proposal.pre_prepare.statement;
            Some((kind, view, seq, digest))
        }
        Message::Prepare(vote) => {
            Some((kind, vote.statement.view, vote.statement.seq, vote.statement.digest))
        }
        Message::Commit(vote) => Some((kind, vote.statement.view, vote.statement.seq, vote.statement.digest)),
        _ => None,
    }
}

/// No replica says two things, whatever it forgot.
#[track_caller]
pub(crate) fn assert_no_contradiction(cluster: &Cluster) {
    let mut said = BTreeMap::new();
    for (from, message) in &cluster.sent {
        if let Some((kind, view, seq, digest)) = vote(message)
            && !matches!(message, Message::PrePrepare(p) if p.pre_prepare.signer.value() != *from)
        {
            assert_eq!(
                *said.entry((*from, kind, view, seq)).or_insert(digest),
                digest,
                "replica {from}, {seq}"
            );
        }
    }
}

/// The first votes of a replica since `from`.
pub(crate) fn votes_of(cluster: &Cluster, replica: u16, from: usize) -> Vec<Seq> {
    let sent = cluster.sent[from..].iter().filter(|(by, _)| *by == replica);
    sent.filter_map(|(_, message)| vote(message)).map(|(_, _, seq, _)| seq).collect()
}

#[test]
fn sx_8_sx_9_mistake_30_a_replica_that_lost_its_disk_votes_only_past_all_that_it_may_have_voted_for() {
    for (durable, archive) in [(false, 0), (true, 0), (false, 1 << 20)] {
        let tweak = |config: &mut Config| {
            one_each(config);
            config.archive_bytes = archive;
        };
        let mut cluster = if durable { Cluster::durable(4, tweak) } else { Cluster::new(4, tweak) };
        cluster.complete(&requests(21));
        let (before, stable) = (cluster.sent.len(), 20);
        cluster.lose_disk(3, durable);
        cluster.run();
        assert!(matches!(cluster.replica(3).diagnose(), WaitsFor::Return { votes_from: Some(_), .. }));
        assert_eq!(votes_of(&cluster, 3, before), vec![], "not yet");
        let all = requests(60);
        for end in (25..=60).step_by(5) {
            cluster.complete(&all[..end]);
        }
        assert_eq!(cluster.replica(3).diagnose(), WaitsFor::LaterView { view: View::new(1) });
        assert_eq!(votes_of(&cluster, 3, before), vec![], "it may have left view 0");
        cluster.down = vec![0];
        cluster.complete(&requests(64));
        let votes = votes_of(&cluster, 3, before);
        assert!(!votes.is_empty(), "it votes again");
        // The window is 8.
        assert!(votes.iter().all(|seq| seq.value() > stable + 2 * 8), "{votes:?}");
        assert_no_contradiction(&cluster);
        assert_eq!(cluster.journal(3), cluster.journal(1));
    }
}

/// SX-11: nobody asks for anything, and it gets there all the same.
#[test]
fn sx_11_an_idle_cluster_goes_on_for_a_replica_that_is_back() {
    for lost in [0, 3] {
        let mut cluster = Cluster::new(4, one_each);
        cluster.complete(&requests(5));
        let before = cluster.sent.len();
        cluster.lose_disk(lost, false);
        cluster.pass(Duration::from_secs(40));
        let waits_for = cluster.replica(lost).diagnose();
        assert!(matches!(waits_for, WaitsFor::Nothing | WaitsFor::LaterView { .. }), "{lost}: {waits_for}");
        let executed = cluster.executed(1);
        assert!((4 + 16..100).contains(&executed), "bounded: {executed}");
        cluster.pass(Duration::from_secs(10));
        assert_eq!(cluster.executed(1), executed, "and then it rests");
        cluster.down = vec![1];
        cluster.complete(&requests(9));
        assert!(!votes_of(&cluster, lost, before).is_empty());
        assert_no_contradiction(&cluster);
    }
}

/// A liar cannot have the primary fill the log for ever, nor name a far place.
#[test]
fn sx_11_a_false_return_costs_little() {
    let mut cluster = Cluster::new(4, one_each);
    cluster.complete(&requests(5));
    cluster.lie = |from, message| match message {
        Message::Status(mut status) if from == 3 => {
            status.needs = Some(Seq::new(1_000_000));
            Some(Message::Status(status))
        }
        message => Some(message),
    };
    cluster.pass(Duration::from_secs(10));
    assert_eq!(cluster.executed(1), 5);
}

/// The views that a replica asked for since `from`.
fn asked_by(cluster: &Cluster, replica: u16, from: usize) -> Vec<u64> {
    let own = |(by, message): &(u16, Message)| match message {
        Message::ViewChange(proven) if *by == replica && proven.vote.signer.value() == replica => {
            Some(proven.vote.statement.view.value())
        }
        _ => None,
    };
    cluster.sent[from..].iter().filter_map(own).collect()
}

/// SX-10: it may have asked for the view that comes next, so it has left for it, asks for the one after, and has no part in
/// what is decided before. A second loss, or a restart in between, changes nothing.
#[test]
fn sx_10_no_view_is_asked_for_that_it_may_have_asked_for_before() {
    for losses in 1..=3 {
        let mut cluster = Cluster::new(4, one_each);
        cluster.complete(&requests(5));
        for loss in 1..=losses {
            cluster.lose_disk(3, false);
            cluster.complete(&requests(60 * loss));
            assert_eq!(cluster.replica(3).diagnose(), WaitsFor::LaterView { view: View::new(1) });
            cluster.restart(3);
            cluster.run();
            assert_eq!(cluster.replica(3).diagnose(), WaitsFor::LaterView { view: View::new(1) });
        }
        let before = cluster.sent.len();
        cluster.down = vec![0];
        cluster.complete(&requests(60 * losses + 4));
        let asked = asked_by(&cluster, 3, before);
        assert!(!asked.is_empty() && asked.iter().all(|view| *view == 2), "{asked:?}");
        assert!(cluster.replica(3).progress().view_active);
        assert_no_contradiction(&cluster);
    }
}

/// SX-10: one after the other loses its disk, each the primary of its time. None asks for one view in two ways.
#[test]
fn sx_10_all_replicas_lose_their_disks_one_by_one() {
    let mut cluster = Cluster::new(4, one_each);
    cluster.complete(&requests(5));
    for lost in 0..4 {
        cluster.lose_disk(lost, false);
        cluster.pass(Duration::from_secs(60));
        cluster.complete(&requests(5 + 10 * (u64::from(lost) + 1)));
        assert_eq!(cluster.replica(lost).votes_from(), None, "{}", cluster.replica(lost).diagnose());
    }
    let mut said = BTreeMap::new();
    for (_, message) in &cluster.sent {
        if let Message::ViewChange(proven) = message {
            let (signer, words) = (proven.vote.signer, &proven.vote.statement);
            assert_eq!(*said.entry((signer, words.view)).or_insert(words), words, "replica {signer}");
        }
    }
    assert_no_contradiction(&cluster);
}

/// What it remembers of its return survives a crash, at every record.
#[test]
fn sx_9_a_restart_does_not_end_the_return() {
    for cut in 0..20 {
        let mut cluster = Cluster::new(4, one_each);
        cluster.complete(&requests(21));
        let (before, sent) = (cluster.history.len(), cluster.sent.len());
        cluster.lose_disk(3, false);
        let all = requests(70);
        for request in &all[21..] {
            let written = cluster.history[before..].iter().filter(|(by, ..)| *by == 3).count();
            if written >= cut {
                break;
            }
            cluster.submit(request);
            cluster.run();
        }
        cluster.restart(3);
        cluster.complete(&all);
        let votes = votes_of(&cluster, 3, sent);
        assert!(votes.iter().all(|seq| seq.value() > 20 + 2 * 8), "{votes:?}");
        assert_no_contradiction(&cluster);
    }
}

/// SX-8: an answer to another question does not count, nor do fewer than a quorum.
#[test]
fn sx_8_only_answers_to_this_return_count() {
    let mut cluster = Cluster::new(4, one_each);
    cluster.complete(&requests(5));
    cluster.lie = |from, message| match message {
        Message::Standing(_) if from == 1 => None,
        Message::Standing(mut standing) if from == 2 => {
            standing.since = standing.since.next();
            Some(Message::Standing(standing))
        }
        message => Some(message),
    };
    cluster.lose_disk(3, false);
    cluster.pass(Duration::from_secs(5));
    assert!(matches!(cluster.replica(3).diagnose(), WaitsFor::Return { votes_from: None, .. }));
    let asked = |(from, message): &&(u16, Message)| {
        *from == 3 && matches!(message, Message::Returned(Returned { .. }))
    };
    assert!(cluster.sent.iter().filter(asked).count() > 3, "it asks again");
    cluster.lie = |_, message| Some(message);
    cluster.pass(Duration::from_secs(5));
    assert!(!matches!(cluster.replica(3).diagnose(), WaitsFor::Return { votes_from: None, .. }));
}

/// VC-4 and VC-5: two of four have left view 0 without a word, and the others give up on it. Nobody is lost.
#[test]
fn vc_4_vc_5_those_who_only_left_are_waited_for_and_met() {
    let mut cluster = Cluster::new(4, one_each);
    cluster.complete(&requests(5));
    for (lost, end) in [(3, 40), (2, 44)] {
        cluster.lose_disk(lost, false);
        cluster.complete(&requests(end));
    }
    assert!(cluster.view(1).0 >= 2, "the two that voted in view 0 are no quorum");
    cluster.complete(&requests(90));
    for replica in 0..4 {
        assert_eq!(cluster.replica(replica).votes_from(), None);
        assert_eq!(cluster.view(replica), cluster.view(1));
    }
    assert_no_contradiction(&cluster);
}

/// VC-4: `f` false words move nobody.
#[test]
fn vc_4_one_that_says_it_has_left_moves_nobody() {
    let mut cluster = Cluster::new(4, one_each);
    cluster.lie = |from, message| match message {
        Message::Status(mut status) if from == 3 => {
            (status.view, status.active, status.left) = (View::new(u64::MAX), false, true);
            Some(Message::Status(status))
        }
        message => Some(message),
    };
    cluster.complete(&requests(5));
    cluster.pass(Duration::from_secs(30));
    assert_eq!([0, 1, 2].map(|replica| cluster.view(replica)), [(0, true); 3]);
}

/// SX-10: a primary that has left its view does not lead it.
#[test]
fn sx_10_a_primary_that_has_left_is_given_up_at_once() {
    let mut cluster = Cluster::new(4, one_each);
    cluster.complete(&requests(5));
    cluster.lie = |from, message| match message {
        Message::Status(mut status) if from == 0 => {
            (status.view, status.active, status.left) = (View::new(1), false, true);
            Some(Message::Status(status))
        }
        message => Some(message),
    };
    cluster.pass(Duration::from_secs(1));
    assert!(cluster.view(1).0 >= 1);
}

/// the others' primary is none of its own, so it hands a request to all of them.
#[test]
fn r_5_who_has_left_forwards_to_all() {
    let mut cluster = Cluster::new(4, one_each);
    cluster.complete(&requests(5));
    cluster.lose_disk(3, false);
    cluster.complete(&requests(60));
    assert_eq!(cluster.replica(3).diagnose(), WaitsFor::LaterView { view: View::new(1) });
    cluster.submit_to(3, &requests(61)[60]);
    cluster.pass(Duration::from_secs(5));
    assert_eq!(cluster.executed(0), 61);
    assert_eq!(cluster.view(0), (0, true));
}

/// Nobody keeps old batches, and each number has a checkpoint: who has no view takes over one state after the other.
fn states_alone(config: &mut Config) {
    one_each(config);
    (config.archive_bytes, config.checkpoint_period, config.window) = (0, 1, 2);
    (config.max_in_flight, config.eager_in_flight) = (1, 1);
}

/// a request leaves no trace where it was refused, and who takes over states alone never sees that it was. It must not
/// hand it to the others for ever: they would order it each time, and be ahead again. The same under another name, or asked
/// for once more, is told once more.
#[test]
fn r_5_what_the_others_refused_is_handed_to_them_once() {
    let mut cluster = Cluster::new(4, states_alone);
    cluster.complete(&requests(5));
    cluster.lose_disk(3, false);
    cluster.complete(&requests(20));
    assert_eq!(cluster.replica(3).diagnose(), WaitsFor::LaterView { view: View::new(1) });
    for executed in 21..24 {
        cluster.submit_to(3, &refused(9, 0));
        cluster.pass(Duration::from_secs(20));
        assert_eq!([0, 1, 2, 3].map(|replica| cluster.executed(replica)), [executed; 4]);
    }
    // The number was not used up.
    cluster.submit_to(3, &request(9, 0));
    cluster.pass(Duration::from_secs(20));
    assert!(cluster.replies.contains_key(&request(9, 0).id()));
    assert_eq!((cluster.executed(3), cluster.view(0)), (24, (0, true)));
}

/// two of them do not hand each other what the others refused, in turns.
#[test]
fn r_5_two_without_a_view_tell_the_others_alone() {
    let mut cluster = Cluster::new(7, states_alone);
    cluster.complete(&requests(5));
    cluster.lose_disk(5, false);
    cluster.lose_disk(6, false);
    cluster.complete(&requests(20));
    for replica in [5, 6] {
        assert!(matches!(cluster.replica(replica).diagnose(), WaitsFor::LaterView { .. }));
    }
    cluster.submit_to(5, &refused(8, 0));
    cluster.submit_to(6, &refused(9, 0));
    cluster.pass(Duration::from_secs(20));
    assert_eq!([0, 5, 6].map(|replica| cluster.executed(replica)), [22; 3]);
}

/// SX-9: also where the next view begins before it has got that far: there it takes part, and is silent.
#[test]
fn sx_9_a_view_that_begins_early_does_not_have_it_vote() {
    let mut cluster = Cluster::new(7, one_each);
    cluster.complete(&requests(21));
    let before = cluster.sent.len();
    cluster.lose_disk(6, false);
    cluster.run();
    cluster.down = vec![0];
    cluster.complete(&requests(60));
    assert!(cluster.view(6).1);
    let votes = votes_of(&cluster, 6, before);
    assert!(!votes.is_empty(), "it votes again");
    assert!(votes.iter().all(|seq| seq.value() > 20 + 2 * 8), "{votes:?}");
    assert_no_contradiction(&cluster);
}
