//! Mistake 24: a replica is what its log says, at every point of the log, alone or with all others.

use std::{collections::BTreeMap, time::Duration};

use pbft_core::{
    Message, Request, Seq, View,
    error::RecoverError,
    message::{Batch, Commit, Prepare, Signed, SlotStatus, Statement, StatementKind, signed::signing_digest},
    storage::{Log, LogPosition, MemoryLog, Record},
};
use pbft_crypto::Digest;

use crate::{
    cluster::{Cluster, requests},
    stage::{
        Stage, executions, messages, own_checkpoint, recover_from, request, seq, status, truncations, votes,
    },
    view_messages::{OTHER, new_view, prepared, view_change},
};

/// Signer, kind, view and number: what may be said only once.
type Occasion = (u16, StatementKind, View, Seq);

/// What a vote says, and the occasion.
fn vote(message: &Message) -> Option<(Occasion, Digest)> {
    fn of<T: Statement>(signed: &Signed<T>, view: View, seq: Seq) -> Option<(Occasion, Digest)> {
        let said = signing_digest(&Digest::ZERO, signed.signer, &signed.statement);
        Some(((signed.signer.value(), T::KIND, view, seq), said))
    }
    match message {
        Message::PrePrepare(p) => {
            of(&p.pre_prepare, p.pre_prepare.statement.view, p.pre_prepare.statement.seq)
        }
        Message::Prepare(v) => of(v, v.statement.view, v.statement.seq),
        Message::Commit(v) => of(v, v.statement.view, v.statement.seq),
        Message::Checkpoint(v) => of(v, View::ZERO, v.statement.seq),
        Message::ViewChange(v) => of(&v.vote, v.vote.statement.view, Seq::ZERO),
        Message::NewView(v) => of(&v.announcement, v.view(), Seq::ZERO),
        _ => None,
    }
}

fn vote_in(record: &Record) -> Option<Message> {
    match record {
        Record::Proposal(proposal) => Some(Message::PrePrepare(proposal.clone())),
        Record::Prepare(prepare) => Some(Message::Prepare(prepare.clone())),
        Record::Commit { commit, .. } => Some(Message::Commit(commit.clone())),
        Record::Checkpoint(record) => Some(Message::Checkpoint(record.checkpoint.clone())),
        Record::ViewChange(proven) => Some(Message::ViewChange(proven.clone())),
        Record::NewView(proven) => Some(Message::NewView(proven.clone())),
        _ => None,
    }
}

/// The logs of a cluster in which all of `history` and nothing else is durable.
fn logs_after(history: &[(u16, LogPosition, Record)], n: u16) -> Vec<MemoryLog> {
    let mut logs: Vec<_> = (0..n).map(|_| MemoryLog::default()).collect();
    for (replica, position, record) in history {
        let log = &mut logs[usize::from(*replica)];
        log.append(*position, record).unwrap();
        log.sync().unwrap();
    }
    logs
}

/// RC-1: all replicas crash after every single record of a run, come back, and finish the same work: once each, in one order,
/// and without a vote that contradicts what any of them had written before.
fn all_restart_at_every_log_point(recorded: &Cluster, work: &[Request]) {
    for cut in 0..=recorded.history.len() {
        let before = &recorded.history[..cut];
        let mut cluster = Cluster::from_logs(recorded.config.clone(), logs_after(before, 4));
        cluster.run();
        cluster.complete(work);
        cluster.pass(Duration::from_secs(2));
        for index in 0..4 {
            assert_eq!(cluster.journal(index).len(), work.len(), "cut {cut}, replica {index}");
            assert_eq!(cluster.journal(index), cluster.journal(0), "cut {cut}");
        }
        let mut said: BTreeMap<_, _> =
            before.iter().filter_map(|(_, _, record)| vote(&vote_in(record)?)).collect();
        for (occasion, digest) in cluster.sent.iter().filter_map(|(_, message)| vote(message)) {
            assert_eq!(*said.entry(occasion).or_insert(digest), digest, "cut {cut}: {occasion:?}");
        }
    }
}

#[test]
fn mistake_24_all_replicas_restart_at_every_log_point() {
    let work = requests(6);
    let mut recorded = Cluster::new(4, |_| ());
    recorded.complete(&work);
    assert!(recorded.history.len() > 40, "{}", recorded.history.len());
    all_restart_at_every_log_point(&recorded, &work);
}

/// The primary dies with numbers in flight, and the others go on in the next view.
fn with_a_view_change() -> (Cluster, Vec<Request>) {
    let work = requests(6);
    let mut recorded = Cluster::new(4, |config| config.max_batch_requests = 1);
    recorded.complete(&work[..2]);
    // The primary proposes 3, 4 and 5; the last one lies past the next checkpoint.
    work.iter().for_each(|request| recorded.submit(request));
    recorded.down = vec![0];
    (recorded, work)
}

#[test]
fn mistake_24_all_replicas_restart_at_every_log_point_of_a_view_change() {
    let (mut recorded, work) = with_a_view_change();
    let before = recorded.history.len();
    recorded.complete(&work);
    let carried = |(_, _, record): &(u16, LogPosition, Record)| match record {
        Record::NewView(proven) => !proven.prepared.is_empty(),
        _ => false,
    };
    assert!(!recorded.history[..before].iter().any(carried));
    assert!(recorded.history[before..].iter().any(carried), "something was in flight");
    all_restart_at_every_log_point(&recorded, &work);
}

/// One replica dies and comes back at every moment of a run in which the primary changes at each checkpoint, the others
/// going on.
#[test]
fn mistake_24_each_replica_restarts_at_every_moment_of_view_changes() {
    let work = requests(5);
    let every_third = |(moment, index): &(usize, u16)| (moment + usize::from(*index)) % 3 == 0;
    let moments = (0..160).flat_map(|moment| (0..4).map(move |index| (moment, index)));
    for (moment, index) in moments.filter(every_third) {
        let mut cluster = Cluster::new(4, |config| {
            config.max_batch_requests = 1;
            config.rotation_period = 1;
        });
        work.iter().for_each(|request| cluster.submit(request));
        cluster.run_some(moment);
        cluster.restart(index);
        cluster.complete(&work);
        for other in 0..4 {
            assert_eq!(cluster.journal(other), cluster.journal(0), "{index} after {moment} messages");
        }
        let mut said = BTreeMap::new();
        for (occasion, digest) in cluster.sent.iter().filter_map(|(_, message)| vote(message)) {
            assert_eq!(*said.entry(occasion).or_insert(digest), digest, "{index}, {moment}: {occasion:?}");
        }
    }
}

/// The same without asking again: what was decided on and written goes on by itself.
#[test]
fn mistake_24_work_in_the_logs_is_finished_without_its_clients() {
    let mut recorded = Cluster::new(4, |config| config.max_batch_requests = 50);
    let work = requests(1);
    recorded.complete(&work);
    for cut in 1..=recorded.history.len() {
        let logs = logs_after(&recorded.history[..cut], 4);
        let mut cluster = Cluster::from_logs(recorded.config.clone(), logs);
        cluster.pass(Duration::from_secs(4));
        let done: Vec<_> = (0..4).map(|index| cluster.journal(index).len()).collect();
        assert_eq!(done, [1; 4], "cut {cut}");
    }
}

/// RC-3: a crash between the records of a proposal and of the prepare for it: the vote is cast after the restart.
#[test]
fn mistake_24_a_prepare_that_was_lost_is_cast_again() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    stage.hear(0, &Message::PrePrepare(proposal.clone()));
    let start = stage.restart(1);
    assert_eq!(votes(&stage.settle(start)), ["prepare"]);
    let prepare = stage.prepare(1, &proposal);
    assert_eq!(votes(&stage.hear_and_settle(1, &prepare)), ["commit"]);
}

/// A crash that takes both: the replica never saw it, and may accept another proposal.
#[test]
fn mistake_24_what_was_not_durable_was_never_said() {
    let mut stage = Stage::new(3);
    let first = stage.proposal(1, vec![request(1, 0)]);
    assert_eq!(votes(&stage.hear(0, &Message::PrePrepare(first))), [""; 0]);
    stage.restart(0);
    let second = stage.proposal(1, vec![request(2, 0)]);
    let effects = stage.hear_and_settle(0, &Message::PrePrepare(second));
    assert_eq!(votes(&effects), ["prepare"]);
    assert!(crate::stage::evidence(&effects).is_empty());
}

/// Its own checkpoint vote counts again after a restart: with one silent peer it is needed for a quorum.
#[test]
fn mistake_24_the_own_checkpoint_vote_counts_after_a_restart() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![]);
    let own = own_checkpoint(&stage.order(2, vec![])).unwrap();
    stage.restart(0);
    for signer in [0, 1] {
        let vote = stage.sign(signer, own.statement);
        stage.hear_and_settle(signer, &Message::Checkpoint(vote));
    }
    assert_eq!(stage.replica.progress().stable_checkpoint, seq(2));
}

/// Records are in the order of arrival, not of numbers: a log that begins with number 2 does not mean that 1 is done.
#[test]
fn recovery_does_not_take_the_first_record_for_the_low_water_mark() {
    let mut stage = Stage::new(3);
    let second = stage.proposal(2, vec![]);
    stage.hear_and_settle(0, &Message::PrePrepare(second));
    stage.restart(0);
    assert_eq!(stage.replica.progress().low, seq(0));
    let effects = stage.order(1, vec![]);
    assert!(votes(&effects).contains(&"prepare"));
}

/// A proof that lies far ahead moves no mark, and does not stretch the window, before a restart and after.
#[test]
fn recovery_and_a_proof_that_lies_ahead() {
    let mut stage = Stage::new(3);
    let ahead = pbft_core::message::Checkpoint { seq: seq(40), digest: Digest::from_bytes([4; 32]) };
    let certificate = Message::Stable(stage.certificate(ahead, &[0, 1, 2]));
    let marks = |stage: &Stage| (stage.replica.progress().low, stage.replica.progress().high);
    stage.hear_and_settle(1, &certificate);
    assert_eq!(marks(&stage), (seq(0), seq(8)));
    stage.restart(0);
    assert_eq!(marks(&stage), (seq(0), seq(8)));
    stage.hear_and_settle(1, &certificate);
    stage.order(1, vec![]);
    stage.order(2, vec![]);
    assert_eq!(marks(&stage), (seq(2), seq(10)));
    stage.restart(0);
    assert_eq!(marks(&stage), (seq(2), seq(10)));
}

/// A primary gives no number twice, also if the crash came before the proposal left.
#[test]
fn a_restarted_primary_goes_on_after_its_last_proposal() {
    let mut stage = Stage::new(0);
    stage.ask(request(1, 0));
    stage.restart(1);
    stage.ask(request(2, 0));
    let effects = stage.sync();
    let numbers: Vec<_> = messages(&effects)
        .filter_map(|message| match message {
            Message::PrePrepare(proposal) => Some(proposal.pre_prepare.statement.seq.value()),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [0; 0], "1 is in flight, and eager_in_flight is 1");
    assert_eq!(stage.replica.progress().proposed, seq(1));
}

/// RC-2: execution goes on after the newest checkpoint in the log.
#[test]
fn rc_2_batches_after_the_checkpoint_execute_again() {
    let mut stage = Stage::new(3);
    (1..=3).for_each(|number| drop(stage.order(number, vec![request(1, number)])));
    let start = stage.restart(0);
    assert_eq!(stage.replica.progress().executed, seq(2));
    assert_eq!(executions(&start), [3]);
}

/// RC-3: own votes are sent again to whoever lacks them.
#[test]
fn rc_3_own_votes_are_sent_again_after_a_restart() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    let prepare = stage.prepare(1, &proposal);
    stage.hear_and_settle(1, &prepare);
    let start = stage.restart(0);
    stage.settle(start);
    let lacks = status(0, 0, &[SlotStatus::PrePrepared]);
    stage.hear(2, &lacks);
    assert_eq!(votes(&stage.hear(2, &lacks)), ["prepare", "commit"]);
}

/// RC-4: a vote of someone else is no record of this replica's.
#[test]
fn rc_4_another_replicas_log_is_refused() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![]);
    let records = stage.log.load().unwrap();
    let refused = recover_from(2, &stage.config, records).err();
    assert!(matches!(refused, Some(RecoverError::Contradiction { .. })), "{refused:?}");
}

/// RC-4: a log in which something is missing says nothing for sure.
#[test]
fn a_log_with_a_gap_is_refused() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![]);
    let mut records = stage.log.load().unwrap();
    records.remove(1);
    let refused = recover_from(3, &stage.config, records).err();
    assert_eq!(refused, Some(RecoverError::Gap { after: LogPosition::new(1) }));
}

/// RC-1: the last NEW-VIEW is that of the latest view, whatever follows in the log.
#[test]
fn rc_1_an_older_new_view_in_the_log_changes_nothing() {
    let mut stage = Stage::new(3);
    let begin = |view: u64| {
        let supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, view, 0, vec![]));
        Box::new(new_view(&stage, &supporters, 0, &[], vec![]))
    };
    let [older, newer] = [1, 2].map(begin);
    stage.hear_and_settle(2, &Message::NewView(newer));
    let mut records = stage.log.load().unwrap();
    records.push((records.last().unwrap().0.next(), Record::NewView(older)));
    let progress = recover_from(3, &stage.config, records).unwrap().progress();
    assert_eq!((progress.view, progress.view_active), (View::new(2), true));
}

/// A single replica is its own quorum, and finishes after a restart what its log holds.
#[test]
fn a_cluster_of_one_resumes() {
    let mut cluster = Cluster::new(1, |_| ());
    let work = requests(3);
    cluster.complete(&work);
    for cut in 0..=cluster.history.len() {
        let logs = logs_after(&cluster.history[..cut], 1);
        let mut again = Cluster::from_logs(cluster.config.clone(), logs);
        again.complete(&work);
        assert_eq!(again.journal(0).len(), 3, "cut {cut}");
    }
}

/// CK-6, mistake 7: a null request that was prepared is told in every later view-change, also when the log was truncated
/// behind the beginning of its view and the replica restarted between views.
#[test]
fn ck_6_mistake_07_a_prepared_null_request_outlives_truncation_and_restart() {
    let mut stage = Stage::new(3);
    let null = Batch::null().digest();
    let fact = prepared(&stage, 0, 4, OTHER);
    let supporters = [0, 1, 2].map(|signer| view_change(&stage, signer, 1, 0, vec![fact.clone()]));
    let assigned = [(1, null), (2, null), (3, null), (4, OTHER)];
    let begun = new_view(&stage, &supporters, 0, &assigned, vec![fact]);
    let mut effects = stage.hear_and_settle(1, &Message::NewView(Box::new(begun)));
    for number in 1..=3 {
        let (view, seq) = (View::new(1), seq(number));
        for other in [0, 2] {
            let prepare = stage.sign(other, Prepare { view, seq, digest: null });
            effects.extend(stage.hear_and_settle(other, &Message::Prepare(prepare)));
        }
    }
    for number in [1, 2] {
        for other in [0, 1, 2] {
            let commit = stage.sign(other, Commit { view: View::new(1), seq: seq(number), digest: null });
            effects.extend(stage.hear_and_settle(other, &Message::Commit(commit)));
        }
    }
    let own = own_checkpoint(&effects).unwrap();
    let truncated = stage.stabilize(&own, &[0, 1, 2]);
    assert!(!truncations(&truncated).is_empty());
    let told = |stage: &mut Stage, view| {
        let mut effects = Vec::new();
        for other in [0, 2] {
            let vote = view_change(stage, other, view, 0, vec![]);
            effects.extend(stage.hear_and_settle(other, &Message::ViewChange(Box::new(vote))));
        }
        let told = messages(&effects).find_map(|message| match message {
            Message::ViewChange(own) => Some(own.vote.statement.prepared.clone()),
            _ => None,
        });
        told.unwrap().iter().map(|fact| fact.seq.value()).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut stage, 2), [3]);
    stage.restart(0);
    assert_eq!(told(&mut stage, 3), [3]);
}
