//! QR: questions about the state are answered without being ordered, and miss nothing that was acknowledged.

use std::{collections::BTreeMap, time::Duration};

use pbft_core::{
    Asker, Config, Effect, Epoch, Input, Message, ReadNumber, Seq,
    client::{Client, ClientConfig, ClientEffect, FoundAnswer},
    message::{
        Operation, Read, ReadAnswer, ReadRefusal, ReadReply, Reply, Shown,
        read::{MAX_QUERY_BYTES, MAX_RESULT_BYTES},
    },
    service::{ServiceAnswer, ServiceQuestion},
};

use crate::{
    cluster::{Cluster, change_to, requests},
    stage::{Stage, id, read_replies, request},
};

const ALL: [u16; 4] = [0, 1, 2, 3];

fn shown(reply: &ReadReply) -> &Shown {
    let ReadAnswer::Shown(shown) = &reply.answer else { panic!("{reply:?}") };
    shown
}

/// From which number on the state was that answered.
fn numbers(effects: &[Effect]) -> Vec<u64> {
    read_replies(effects).into_iter().map(|reply| shown(reply).executed.value()).collect()
}

fn refusals(effects: &[Effect]) -> Vec<ReadRefusal> {
    let refusal = |reply: &ReadReply| match reply.answer {
        ReadAnswer::Refused(refusal) => Some(refusal),
        ReadAnswer::Shown(_) => None,
    };
    read_replies(effects).into_iter().filter_map(refusal).collect()
}

/// Replica 1 has committed number 1 and executed nothing.
fn committed_and_not_executed() -> (Stage, Vec<Message>) {
    let mut stage = Stage::new(1);
    let proposal = stage.proposal(1, vec![request(7, 1)]);
    stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    let prepare = stage.prepare(2, &proposal);
    let effects = stage.hear_and_settle(2, &prepare);
    assert!(crate::stage::votes(&effects).contains(&"commit"));
    let commits = [0, 2].map(|other| stage.commit(other, &proposal));
    (stage, commits.to_vec())
}

#[test]
fn qr_1_an_answer_waits_for_what_this_replica_has_committed() {
    let (mut stage, commits) = committed_and_not_executed();
    let asked = stage.read(1, 5, b"?");
    assert!(read_replies(&asked).is_empty() && !asked.iter().any(|effect| matches!(effect, Effect::Ask(_))));
    let mut effects = stage.hear_and_settle(0, &commits[0]);
    assert!(read_replies(&effects).is_empty());
    effects.extend(stage.hear_and_settle(2, &commits[1]));
    assert_eq!(numbers(&effects), [1]);
    let [reply] = read_replies(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((reply.number, &shown(reply).result[..]), (ReadNumber::new(5), &b"?"[..]));
}

#[test]
fn qr_1_a_restart_does_not_forget_what_was_committed() {
    let (mut stage, commits) = committed_and_not_executed();
    stage.restart(0);
    let mut effects = stage.read(1, 5, b"?");
    effects = stage.settle(effects);
    assert_eq!(numbers(&effects), [0; 0]);
    let mut effects = stage.hear_and_settle(0, &commits[0]);
    effects.extend(stage.hear_and_settle(2, &commits[1]));
    assert_eq!(numbers(&effects), [1]);
}

/// A write is acknowledged by one correct replica and a liar; two others know nothing of it, but have committed it.
#[test]
fn qr_1_mistake_33_equal_answers_from_before_an_acknowledged_write_are_no_quorum() {
    let (mut stage, _) = committed_and_not_executed();
    // Without the rule these two, and the liar, would be three equal answers from the state before.
    for _ in 0..2 {
        let effects = stage.read(1, 5, b"?");
        assert!(read_replies(&stage.settle(effects)).is_empty());
    }
}

#[test]
fn qr_2_the_answer_names_the_batch_that_the_service_was_given_last() {
    let mut stage = Stage::new(1);
    stage.order(1, vec![request(7, 1)]);
    let proposal = stage.proposal(2, vec![request(7, 2)]);
    let committed = stage.committed(&proposal, &[0, 2, 3]);
    // The service works on number 2 when the question comes, so it answers after it.
    let executing = stage.hear(0, &Message::Committed(committed));
    assert_eq!(crate::stage::executions(&executing), [2]);
    let asked = stage.read(1, 5, b"?");
    assert!(asked.iter().any(|effect| matches!(effect, Effect::Ask(ServiceQuestion::Queries(_)))));
    let done = stage.executed(1, true);
    stage.settle(done);
    let effects = stage.echo(&[Operation::new(b"?".to_vec())]);
    let [reply] = read_replies(&effects)[..] else { panic!("{effects:?}") };
    let (config, shown) = (&stage.config, shown(reply));
    assert_eq!((shown.executed, shown.epoch), (Seq::new(2), Epoch::ZERO));
    assert_eq!(shown.replicas, config.replicas.digest());
}

#[test]
fn qr_3_nobody_answers_while_the_replicas_are_about_to_change() {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.changes = true;
    cluster.complete(&requests(4));
    let joiner = cluster.join();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 4]));
    cluster.run_some(40);
    let scheduled = |cluster: &Cluster| cluster.replica(1).next_change().is_some();
    while !scheduled(&cluster) {
        cluster.run_some(1);
    }
    cluster.ask(&[1], 0, b"count");
    assert_eq!(cluster.answers[&ReadNumber::new(0)][&1], ReadAnswer::Refused(ReadRefusal::NotNow));
    for _ in 0..100 {
        cluster.pass(Duration::from_millis(200));
    }
    cluster.ask(&[0, 1, 2, 3, joiner], 1, b"count");
    let answers = &cluster.answers[&ReadNumber::new(1)];
    assert_eq!(answers[&3], ReadAnswer::Refused(ReadRefusal::NotNow), "no member any more");
    for member in [0, 1, 2, joiner] {
        let ReadAnswer::Shown(shown) = &answers[&member] else { panic!("{answers:?}") };
        assert_eq!(shown.epoch, Epoch::new(1));
    }
}

#[test]
fn qr_3_a_question_that_waits_when_a_change_is_asked_for_is_refused() {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.changes = true;
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 4]));
    // As soon as replica 1 has committed the batch that asks for the change, a question has to wait for it.
    while !cluster.sent.iter().any(|(from, message)| *from == 1 && message.kind() == "commit") {
        cluster.run_some(1);
    }
    cluster.ask(&[1], 0, b"count");
    assert!(cluster.answers.is_empty());
    cluster.run();
    assert_eq!(cluster.answers[&ReadNumber::new(0)][&1], ReadAnswer::Refused(ReadRefusal::NotNow));
}

#[test]
fn qr_3_who_lost_its_log_does_not_answer_until_it_votes() {
    let mut cluster = Cluster::new(4, |config: &mut Config| config.max_batch_requests = 1);
    cluster.complete(&requests(9));
    cluster.lose_disk(3, false);
    cluster.run();
    cluster.ask(&ALL, 0, b"count");
    let answers = &cluster.answers[&ReadNumber::new(0)];
    assert_eq!(answers[&3], ReadAnswer::Refused(ReadRefusal::NotNow));
    assert!(matches!(answers[&0], ReadAnswer::Shown(_)));
    let all = requests(60);
    for end in (15..=60).step_by(5) {
        cluster.complete_by(&[0, 1, 2], &all[..end]);
        cluster.pass(Duration::from_secs(1));
    }
    assert_eq!(cluster.replica(3).votes_from(), None);
    cluster.ask(&ALL, 1, b"count");
    assert!(matches!(cluster.answers[&ReadNumber::new(1)][&3], ReadAnswer::Shown(_)));
}

#[test]
fn qr_3_who_takes_over_a_state_does_not_answer() {
    let small = |config: &mut Config| {
        config.archive_bytes = 0;
        config.max_batch_requests = 1;
    };
    let mut cluster = Cluster::new(4, small);
    let all = requests(40);
    cluster.complete(&all[..5]);
    cluster.down = vec![3];
    cluster.complete(&all);
    cluster.down.clear();
    // Whoever is asked hands nothing out: the transfer runs and runs.
    cluster.lie = |_, message| (!matches!(message, Message::State(_))).then_some(message);
    cluster.pass(Duration::from_secs(3));
    assert!(!cluster.transfers.is_empty());
    cluster.ask(&[3], 0, b"count");
    assert_eq!(cluster.answers[&ReadNumber::new(0)][&3], ReadAnswer::Refused(ReadRefusal::NotNow));
    cluster.lie = |_, message| Some(message);
    cluster.pass(Duration::from_secs(20));
    cluster.ask(&ALL, 1, b"count");
    let answers = &cluster.answers[&ReadNumber::new(1)];
    assert!(ALL.iter().all(|index| answers[index] == answers[&0]), "{answers:?}");
}

#[test]
fn qr_5_questions_are_bounded() {
    let (mut stage, commits) = committed_and_not_executed();
    let long = vec![0; MAX_QUERY_BYTES + 1];
    assert_eq!(refusals(&stage.read(1, 0, &long)), [ReadRefusal::TooLarge]);
    for number in 0..64 {
        assert_eq!(refusals(&stage.read(1, number, b"?")), []);
    }
    assert_eq!(refusals(&stage.read(1, 64, b"?")), [ReadRefusal::Busy], "enough of one");
    let mut taken = 64;
    while refusals(&stage.read(2 + taken / 64, taken, b"?")).is_empty() {
        taken += 1;
    }
    assert_eq!(taken, 1024, "enough of all");
    let mut effects = stage.hear_and_settle(0, &commits[0]);
    effects.extend(stage.hear_and_settle(2, &commits[1]));
    assert_eq!(numbers(&effects), vec![1; 1024], "each is answered");
}

#[test]
fn qr_5_questions_that_nobody_waits_for_any_more_make_room() {
    let (mut stage, commits) = committed_and_not_executed();
    for number in 0..64 {
        stage.read(1, number, b"?");
    }
    stage.advance(stage.config.request_timeout + Duration::from_millis(1));
    assert_eq!(refusals(&stage.read(1, 64, b"?")), []);
    let mut effects = stage.hear_and_settle(0, &commits[0]);
    effects.extend(stage.hear_and_settle(2, &commits[1]));
    assert_eq!(read_replies(&effects).len(), 1);
}

/// Two clients, or two lives of one, may use one number: each gets the answer to its own question.
#[test]
fn qr_5_an_answer_goes_to_the_one_who_asked() {
    let (mut stage, commits) = committed_and_not_executed();
    stage.read(1, 5, b"early");
    stage.read(2, 5, b"late");
    let mut effects = stage.hear_and_settle(0, &commits[0]);
    effects.extend(stage.hear_and_settle(2, &commits[1]));
    let answers = effects.iter().filter_map(|effect| match effect {
        Effect::ReadReply { to, reply } => Some((*to, shown(reply).result.clone())),
        _ => None,
    });
    let answers: BTreeMap<_, _> = answers.collect();
    let expected = [(Asker::new(1), b"early".to_vec()), (Asker::new(2), b"late".to_vec())];
    assert_eq!(answers, expected.into());
}

/// A client, and the answers of a whole cluster.
struct Reader {
    client: Client,
    effects: Vec<ClientEffect>,
}

impl Reader {
    fn new(cluster: &Cluster) -> Self {
        let mut client = Client::new(ClientConfig::new(4));
        client.follow(&cluster.config.replicas);
        Self { client, effects: Vec::new() }
    }

    /// Asks, and hears what these replicas say.
    fn read(&mut self, cluster: &mut Cluster, replicas: &[u16]) -> ReadNumber {
        let fallback = Some(request(50, 0));
        let query = Operation::new(b"count".to_vec());
        let number = self.client.read(Duration::ZERO, query, fallback, &mut self.effects).unwrap();
        let asked = self.effects.iter().rev().find_map(|effect| match effect {
            ClientEffect::ReadFromAll(Read { number, query }) => Some((*number, query.clone())),
            _ => None,
        });
        let (asked, query) = asked.unwrap();
        cluster.ask(replicas, asked.value(), query.as_bytes());
        cluster.run();
        for (from, answer) in cluster.answers.remove(&asked).unwrap_or_default() {
            let reply = ReadReply { number: asked, answer };
            self.client.on_read_reply(Duration::ZERO, id(from), reply, &mut self.effects);
        }
        number
    }
}

#[test]
fn qr_4_what_a_quorum_shows_is_found_without_ordering_anything() {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.complete(&requests(7));
    let before = cluster.executed(0);
    let mut reader = Reader::new(&cluster);
    reader.effects.clear();
    reader.read(&mut cluster, &[0, 1, 3]);
    let Some(ClientEffect::Found(found)) = reader.effects.last() else { panic!("{:?}", reader.effects) };
    let expected = 7usize.to_le_bytes();
    assert!(matches!(&found.answer, FoundAnswer::Quorum { result, .. } if *result == expected));
    assert_eq!((found.answer.seq().value(), cluster.executed(0)), (before, before));
}

#[test]
fn qr_6_mistake_33_without_a_quorum_the_question_is_ordered() {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.complete(&requests(7));
    let mut reader = Reader::new(&cluster);
    // Two answer: no quorum, and the client does not wait for it for ever.
    let number = reader.read(&mut cluster, &[0, 1]);
    assert_eq!(reader.client.open_reads(), 1);
    reader.client.on_timer(Duration::from_secs(2), &mut reader.effects);
    let sent = reader.effects.iter().find_map(|effect| match effect {
        ClientEffect::SendToAll(request) => Some(request.clone()),
        _ => None,
    });
    let ordered = sent.unwrap();
    cluster.complete(std::slice::from_ref(&ordered));
    for (from, (seq, outcome)) in cluster.replies[&ordered.id()].clone() {
        let (view, request) = (pbft_core::View::ZERO, ordered.digest());
        let reply = Reply { view, seq, id: ordered.id(), request, outcome };
        reader.client.on_reply(id(from), reply, &mut reader.effects);
    }
    let found = reader.effects.iter().find_map(|effect| match effect {
        ClientEffect::Found(found) => Some(found),
        _ => None,
    });
    let found = found.unwrap();
    assert_eq!(found.number, number);
    assert!(matches!(found.answer, FoundAnswer::Ordered(_)));
}

/// QR-5: what cannot be shown is refused, and each is told why.
#[test]
fn qr_5_answers_are_bounded_too() {
    for (result, why) in
        [(None, ReadRefusal::Unsupported), (Some(vec![0; MAX_RESULT_BYTES + 1]), ReadRefusal::TooLarge)]
    {
        let mut stage = Stage::new(3);
        stage.order(1, vec![request(1, 0)]);
        assert_eq!(read_replies(&stage.read(1, 0, b"?")).len(), 0, "the service is asked first");
        let effects = stage.input(Input::Answered(ServiceAnswer::Results(vec![result])));
        assert_eq!(refusals(&effects), [why]);
    }
}
