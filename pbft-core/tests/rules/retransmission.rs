//! Lost messages: what status and fetch get for an answer, and clusters that lose a third of everything.

use std::{collections::BTreeSet, time::Duration};

use pbft_core::{
    Effect, Message,
    message::{Fetch, SlotStatus},
    storage::Record,
};

use crate::{
    cluster::{Cluster, requests},
    stage::{Stage, executions, messages, own_checkpoint, request, sent, seq, status},
};

/// ST-1: five statuses a second with unfinished work, one without.
#[test]
fn st_1_statuses_come_with_work_and_without() {
    for (work, expected) in [(false, 10), (true, 50)] {
        let mut stage = Stage::new(0);
        if work {
            stage.ask(request(1, 0));
        }
        let mut statuses = 0;
        for _ in 0..1000 {
            stage.advance(Duration::from_millis(10));
            statuses += sent(&stage.timer()).iter().filter(|kind| **kind == "status").count();
        }
        assert!((expected - 1..=expected + 1).contains(&statuses), "{statuses} in ten seconds, work: {work}");
    }
}

/// ST-2: whoever is behind a stable checkpoint is sent its proof, or the vote for one that is not proven yet.
#[test]
fn st_2_a_peer_behind_a_checkpoint_is_helped() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![]);
    let own = own_checkpoint(&stage.order(2, vec![])).unwrap();
    assert_eq!(sent(&stage.hear(1, &status(2, 0, &[]))), ["checkpoint"], "not proven yet");
    stage.stabilize(&own, &[0, 1, 2]);
    let mut proofs = 0;
    for _ in 0..20 {
        stage.advance(stage.config.status_period / 20);
        let answer = stage.hear(1, &status(2, 0, &[]));
        proofs += sent(&answer).iter().filter(|kind| **kind == "stable").count();
    }
    assert!((3..=4).contains(&proofs), "not more in a status period: {proofs}");
    assert_eq!(sent(&stage.hear(1, &status(2, 2, &[]))), [""; 0]);
}

/// CU-3: a batch from a peer is logged before it executes, and waits for its turn.
#[test]
fn cu_3_a_fetched_batch_is_logged_and_executes_in_its_turn() {
    let mut stage = Stage::new(3);
    let [first, second] = [1, 2].map(|number| {
        let proposal = stage.proposal(number, vec![]);
        Message::Committed(stage.committed(&proposal, &[0, 1, 2]))
    });
    let kinds = |effects: &[Effect]| -> Vec<&str> {
        let kind = |effect: &Effect| match effect {
            Effect::Persist(_, Record::CaughtUp(_)) => Some("record"),
            Effect::Execute { .. } => Some("execute"),
            _ => None,
        };
        effects.iter().filter_map(kind).collect()
    };
    assert_eq!(kinds(&stage.hear(1, &second)), ["record"]);
    assert_eq!(kinds(&stage.hear(1, &first)), ["record", "execute"]);
}

/// ST-3: a peer that stands still gets what it lacks, and no more. Replica 1 relays proposals of 1, 5, 9, ...
#[test]
fn st_3_a_status_is_answered_with_what_is_lacking() {
    use SlotStatus::{Committed, Empty, PrePrepared, Prepared};
    let rows: [(&[SlotStatus], &[&str]); 5] = [
        (&[], &["pre-prepare", "prepare", "commit"]),
        (&[Empty], &["pre-prepare", "prepare", "commit"]),
        (&[PrePrepared], &["prepare", "commit"]),
        (&[Prepared], &["commit"]),
        (&[Committed], &[]),
    ];
    for (slots, expected) in rows {
        let mut stage = Stage::new(1);
        let proposal = stage.proposal(1, vec![request(1, 0)]);
        stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
        let prepare = stage.prepare(2, &proposal);
        stage.hear_and_settle(2, &prepare);
        assert_eq!(sent(&stage.hear(3, &status(0, 0, slots))), [""; 0], "it may be on its way");
        assert_eq!(sent(&stage.hear(3, &status(0, 0, slots))), expected, "{slots:?}");
    }
}

/// CU-1: a replica that learns it is far behind asks; the answer needs no trust.
#[test]
fn cu_1_a_replica_that_is_behind_fetches() {
    let mut stage = Stage::new(3);
    let far = stage.config.max_in_flight + 1;
    assert_eq!(sent(&stage.hear(1, &status(far + 1, 4, &[]))), ["fetch"]);
    assert_eq!(sent(&stage.hear(2, &status(far, 0, &[]))), [""; 0], "one peer at a time");
    let proposals: Vec<_> = (1..=far).map(|number| stage.proposal(number, vec![])).collect();
    let mut done = Vec::new();
    for proposal in &proposals {
        let committed = Message::Committed(stage.committed(proposal, &[0, 1, 2]));
        done.extend(executions(&stage.hear_and_settle(1, &committed)));
    }
    assert_eq!(done, [1, 2, 3, 4]);
    assert_eq!(sent(&stage.hear(1, &status(far + 1, 4, &[]))), ["fetch"], "the answer is over: it asks on");
}

/// A peer that says how far behind it is, is told that there is more; not each time.
#[test]
fn cu_1_who_is_behind_is_told_now_and_then() {
    let mut stage = Stage::new(3);
    (1..=5).for_each(|number| drop(stage.order(number, vec![])));
    let mut told = 0;
    for _ in 0..20 {
        stage.advance(stage.config.status_period / 20);
        told += sent(&stage.hear(1, &status(0, 0, &[]))).iter().filter(|kind| **kind == "status").count();
    }
    assert!((3..=4).contains(&told), "not more in a status period: {told}");
}

/// Who is asked for batches.
fn asked(effects: &[Effect]) -> Option<u16> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(to, Message::Fetch(_)) => Some(to.value()),
        _ => None,
    })
}

/// Two that claim much, then nothing, then much again would be asked in turns, and nobody else.
#[test]
fn cu_1_mistake_27_claims_that_come_and_go_keep_nobody_from_being_asked() {
    let mut stage = Stage::with(0, 7, |_| {});
    let mut peers = BTreeSet::new();
    for round in 0..16 {
        if round == 8 {
            // At first each is asked in its turn; the trap closes when it is the turn of those two.
            peers.clear();
        }
        for (from, executed) in [(2, 0), (2, 100), (1, 0), (1, 100), (3, 100), (4, 100), (5, 100), (6, 100)] {
            // Those who are correct say it once in a status period, the other two when it suits them.
            peers.extend(asked(&stage.hear(from, &status(executed, 0, &[]))));
        }
        stage.advance(stage.config.status_period);
        peers.extend(asked(&stage.timer()));
        for executed in [0, 100] {
            peers.extend(asked(&stage.hear(2, &status(executed, 0, &[]))));
        }
    }
    assert_eq!(peers, (1..7).collect());
}

/// A peer that hands out a batch now and then, and never says that this was all.
#[test]
fn cu_1_who_answers_slowly_is_not_waited_for() {
    let mut stage = Stage::new(3);
    let mut peers = vec![];
    for from in [0, 1, 2] {
        peers.extend(asked(&stage.hear(from, &status(100, 0, &[]))));
    }
    for number in 1..=7 {
        stage.advance(stage.config.status_period * 3 / 5);
        let committed = Message::Committed(stage.committed(&stage.proposal(number, vec![]), &[0, 1, 2]));
        assert_eq!(executions(&stage.hear_and_settle(0, &committed)), [number]);
        stage.advance(stage.config.status_period * 2 / 5);
        peers.extend(asked(&stage.timer()));
    }
    assert_eq!(peers, [0, 1], "the next one is asked after five status periods");
}

/// A peer that is asked and does not answer is not asked for ever.
#[test]
fn cu_1_the_next_peer_is_asked_when_one_is_silent() {
    let mut stage = Stage::new(3);
    let mut peers = Vec::new();
    for from in [0, 1, 2] {
        peers.extend(asked(&stage.hear(from, &status(100, 0, &[]))));
    }
    for _ in 0..3 {
        stage.advance(stage.config.status_period * 2);
        peers.extend(asked(&stage.timer()));
    }
    assert_eq!(peers, [0, 1, 2, 0]);
}

/// Mistake 21: batches below the stable checkpoint are still there for a replica that is late.
#[test]
fn mistake_21_the_archive_answers_late_replicas() {
    let mut stage = Stage::new(3);
    let mut own = None;
    for number in 1..=4 {
        own = own_checkpoint(&stage.order(number, vec![request(1, number)])).or(own);
    }
    stage.stabilize(&own.unwrap(), &[0, 1, 2]);
    assert_eq!(stage.replica.progress().low, seq(4));
    let fetch = |stage: &mut Stage| stage.hear(2, &Message::Fetch(Fetch { after: seq(1) }));
    let effects = fetch(&mut stage);
    let numbers: Vec<_> = messages(&effects)
        .filter_map(|message| match message {
            Message::Committed(committed) => Some(committed.certificate.statement.seq.value()),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [2, 3, 4]);
    assert_eq!(sent(&effects).last(), Some(&"status"), "a status ends the answer");
    assert_eq!(sent(&fetch(&mut stage)), [""; 0], "the same question at once is not answered twice");
    let ask = |stage: &mut Stage, after| sent(&stage.hear(2, &Message::Fetch(Fetch { after: seq(after) })));
    assert_eq!(ask(&mut stage, 0), [""; 0], "nor is another one about the same");
    assert_eq!(ask(&mut stage, 4), ["status"], "who has got all of it may go on");
    assert_eq!(ask(&mut stage, 4), [""; 0]);
    stage.advance(stage.config.status_period);
    assert_eq!(ask(&mut stage, 0).len(), 5, "some time later it may have been lost");

    stage.sync();
    stage.restart(0);
    assert_eq!(sent(&fetch(&mut stage)).len(), 4, "the archive survives a restart");
}

/// Records lie in the order of arrival: truncation keeps those of every archived batch, not from the lowest number on.
#[test]
fn mistake_21_the_archive_keeps_the_records_of_all_its_batches() {
    let mut stage = Stage::new(3);
    let second = Message::PrePrepare(stage.proposal(2, vec![request(1, 2)]));
    stage.hear_and_settle(0, &second);
    stage.order(1, vec![request(1, 1)]);
    let own = own_checkpoint(&stage.order(2, vec![request(1, 2)])).unwrap();
    stage.stabilize(&own, &[0, 1, 2]);
    stage.restart(0);
    let effects = stage.hear(2, &Message::Fetch(Fetch { after: seq(0) }));
    assert_eq!(sent(&effects), ["committed", "committed", "status"]);
}

/// Mistake 34: with no loss and with a third lost, everything is executed, everywhere, in one order.
#[test]
fn mistake_34_no_loss_and_much_loss() {
    for (n, loss) in [(4, 0), (4, 30), (7, 30)] {
        let mut cluster = Cluster::new(n, |_| ());
        cluster.loss = loss;
        let requests = requests(12);
        cluster.complete(&requests);
        cluster.loss = 0;
        cluster.pass(Duration::from_secs(5));
        for index in 0..n {
            assert_eq!(cluster.journal(index).len(), 12, "n = {n}, {loss} %, replica {index}");
            assert_eq!(cluster.journal(index), cluster.journal(0));
            assert_eq!(cluster.executed(index), cluster.executed(0));
        }
    }
}

/// Mistakes 21 and 34: a replica that was away while many checkpoints became stable catches up, with nobody else
/// sending requests.
#[test]
fn mistake_21_a_replica_that_was_away_catches_up() {
    let mut cluster = Cluster::new(4, |config| config.max_batch_requests = 1);
    cluster.down.push(2);
    let requests = requests(20);
    cluster.complete(&requests);
    assert_eq!(cluster.executed(2), 0);
    cluster.restart(2);
    cluster.pass(Duration::from_secs(10));
    assert_eq!(cluster.journal(2), cluster.journal(0));
    assert_eq!(
        cluster.replica(2).progress().stable_checkpoint,
        cluster.replica(0).progress().stable_checkpoint
    );
}
