//! Batches: proposed at once when few are in flight, filled under load, empty only when the service waits for a time.

use std::time::Duration;

use pbft_core::{
    Effect, Input, Message, Request, RequestId, UnixMillis,
    message::Proposal,
    replica::{EmptyLog, Replica},
    request_buffer::{BatchLimits, BufferRefusal, FairBuffer, Lane, RequestBuffer, Waiting},
};

use crate::stage::{Stage, id, key, messages, request, votes};

fn proposals(effects: &[Effect]) -> Vec<Proposal> {
    let proposal = |message: &Message| match message {
        Message::PrePrepare(proposal) => Some(proposal.clone()),
        _ => None,
    };
    messages(effects).filter_map(proposal).collect()
}

fn sizes(effects: &[Effect]) -> Vec<usize> {
    proposals(effects).iter().map(|proposal| proposal.batch.requests.len()).collect()
}

/// The others make a number final.
fn finish(stage: &mut Stage, proposal: &Proposal) -> Vec<Effect> {
    let committed = Message::Committed(stage.committed(proposal, &[1, 2, 3]));
    stage.hear_and_settle(1, &committed)
}

/// B-1: a lone request goes at once; what comes while one is in flight waits, and goes together.
#[test]
fn b_1_lone_requests_go_at_once_and_others_gather() {
    let mut stage = Stage::new(0);
    stage.ask(request(1, 0));
    let first = stage.sync();
    assert_eq!(sizes(&first), [1]);
    for number in 1..=3 {
        stage.ask(request(1, number));
    }
    assert_eq!(sizes(&stage.sync()), [0; 0], "one is in flight, and three are no full batch");
    assert_eq!(sizes(&finish(&mut stage, &proposals(&first)[0])), [3]);
}

/// B-1: full batches go out although others are in flight, up to `max_in_flight`.
#[test]
fn b_1_full_batches_do_not_wait() {
    let mut stage = Stage::new(0);
    for number in 0..20 {
        stage.ask(request(1, number));
    }
    assert_eq!(sizes(&stage.sync()), [1, 4, 4], "three in flight");
    assert_eq!(stage.replica.progress().waiting_requests, 11);
}

/// Hands out nothing, though much waits.
struct HoldsBack(FairBuffer);

impl RequestBuffer for HoldsBack {
    fn offer(&mut self, now: Duration, lane: Lane, request: Request) -> Result<(), BufferRefusal> {
        self.0.offer(now, lane, request)
    }
    fn take(&mut self, _: BatchLimits) -> Vec<Request> {
        Vec::new()
    }
    fn release(&mut self) {
        self.0.release();
    }
    fn settle(&mut self, ids: &[RequestId]) {
        self.0.settle(ids);
    }
    fn overdue(&mut self, now: Duration, since: Duration, limits: BatchLimits) -> Vec<Request> {
        self.0.overdue(now, since, limits)
    }
    fn waiting(&self) -> Waiting {
        self.0.waiting()
    }
}

/// B-1: a buffer that keeps what it has leads to no empty batches, nor to a loop.
#[test]
fn b_1_a_buffer_that_gives_nothing_has_nothing_proposed() {
    let mut stage = Stage::new(0);
    let buffer = Box::new(HoldsBack(FairBuffer::new(stage.config.buffer.clone())));
    stage.replica = Replica::recover(id(0), stage.config.clone(), key(0), buffer, Vec::new(), EmptyLog::New)
        .unwrap()
        .replica;
    stage.input(Input::Start);
    for number in 0..9 {
        stage.ask(request(1, number));
    }
    assert_eq!(sizes(&stage.sync()), [0; 0]);
    assert_eq!(stage.replica.progress().waiting_requests, 9);
}

/// T-1: times rise strictly, also when the primary's clock stands still or is turned back.
#[test]
fn t_1_time_moves_on() {
    let mut stage = Stage::with(0, 4, |config| config.eager_in_flight = 3);
    stage.ask(request(1, 0));
    stage.ask(request(1, 1));
    stage.now.wall = UnixMillis::new(5);
    stage.ask(request(1, 2));
    let times: Vec<_> = proposals(&stage.sync()).iter().map(|proposal| proposal.batch.time).collect();
    assert_eq!(times.len(), 3);
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
}

/// T-2: an empty batch moves time on when the service has something due and nobody sends anything.
#[test]
fn t_2_the_service_is_woken() {
    let mut stage = Stage::new(0);
    stage.wake_at = Some(stage.now.wall.plus(Duration::from_secs(5)));
    stage.ask(request(1, 0));
    let first = proposals(&stage.sync());
    finish(&mut stage, &first[0]);
    stage.advance(Duration::from_secs(4));
    let early = stage.timer();
    assert_eq!(sizes(&stage.settle(early)), [0; 0]);
    stage.advance(Duration::from_secs(1));
    let due = stage.timer();
    let effects = stage.settle(due);
    assert_eq!(sizes(&effects), [0], "one batch without requests");
    assert!(proposals(&effects)[0].batch.time >= stage.wake_at.unwrap());
}

/// T-2: a primary whose window is full cannot wake the service, and must not be woken for it again and again.
#[test]
fn t_2_a_full_window_does_not_spin() {
    let mut stage = Stage::with(0, 4, |config| config.max_batch_requests = 1);
    stage.wake_at = Some(stage.now.wall);
    for number in 0..4 {
        stage.ask(request(1, number));
        for proposal in proposals(&stage.sync()) {
            finish(&mut stage, &proposal);
        }
    }
    assert_eq!(stage.replica.progress().executed.value(), 4, "half the window, no checkpoint stable");
    stage.advance(Duration::from_secs(10));
    let effects = stage.timer();
    let armed = effects.iter().find_map(|effect| match effect {
        Effect::SetTimer(at) => Some(*at),
        _ => None,
    });
    assert!(armed.is_some_and(|at| at > stage.now.elapsed), "{armed:?} at {:?}", stage.now.elapsed);
    assert_eq!(votes(&effects), [""; 0]);
}
