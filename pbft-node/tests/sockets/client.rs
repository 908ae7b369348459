//! A client against replicas that are played by the test: what they answer is up to each test.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::net::{CLUSTER, Cluster, Node, soon};
use pbft_core::{
    ClientId, ReplicaId, Request, RequestNumber, Seq, View,
    message::{DeclineReason, Operation, Reply},
    replica::{Progress, WaitsFor},
    service::Outcome,
};
use pbft_crypto::KeyPair;
use pbft_node::{
    client::{Client, ClientError, ClientOptions, ClientStartError, Receipt, SubmitError},
    transport::{ClientAnswer, ClientRequest, CutOff, Inbound, ReplicaReport},
};
use tokio::{sync::mpsc, task::JoinSet};

/// What a played replica does with a request.
type Behaviour = fn(&Request) -> Option<ClientAnswer>;

fn reply(request: &Request, result: &[u8]) -> Option<ClientAnswer> {
    let outcome = Outcome::Applied(result.to_vec());
    let seq = Seq::new(request.number.value() + 1);
    Some(ClientAnswer::Reply(Reply {
        view: View::ZERO,
        seq,
        id: request.id(),
        request: request.digest(),
        outcome,
    }))
}

fn honest(request: &Request) -> Option<ClientAnswer> {
    reply(request, request.operation.as_bytes())
}

fn liar(request: &Request) -> Option<ClientAnswer> {
    reply(request, b"a lie")
}

fn busy(request: &Request) -> Option<ClientAnswer> {
    Some(ClientAnswer::Decline(request.id(), DeclineReason::Busy))
}

fn silent(_: &Request) -> Option<ClientAnswer> {
    None
}

/// Replicas that run, and how many frames of requests all of them have received.
struct Played {
    cluster: Cluster,
    frames: Arc<AtomicUsize>,
    gone: mpsc::UnboundedReceiver<()>,
    _tasks: JoinSet<()>,
}

/// Plays one replica for each behaviour; `None` is a dead one.
fn play(behaviours: &[Option<Behaviour>]) -> Played {
    let mut cluster = Cluster::new(behaviours.len());
    let frames = Arc::new(AtomicUsize::new(0));
    let (gone_seen, gone) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for (index, behaviour) in (0..).zip(behaviours) {
        match behaviour {
            Some(behaviour) => {
                let node = cluster.start(index);
                tasks.spawn(play_one(node, index, *behaviour, frames.clone(), gone_seen.clone()));
            }
            None => cluster.listeners[usize::from(index)] = None,
        }
    }
    Played { cluster, frames, gone, _tasks: tasks }
}

fn play_four(behaviour: Behaviour) -> Played {
    play(&[Some(behaviour); 4])
}

async fn play_one(
    mut node: Node,
    index: u16,
    behaviour: Behaviour,
    frames: Arc<AtomicUsize>,
    gone: mpsc::UnboundedSender<()>,
) {
    while let Some(event) = node.inbound.recv().await {
        match event {
            Inbound::Client { connection, request: ClientRequest::Submit(requests), .. } => {
                frames.fetch_add(1, Ordering::Relaxed);
                for answer in requests.iter().filter_map(behaviour) {
                    node.transport.answer(connection, answer);
                }
            }
            Inbound::Client { connection, request: ClientRequest::Report, .. } => {
                node.transport.answer(connection, ClientAnswer::Report(report(index)));
            }
            // Nobody asks questions here.
            Inbound::Client { request: ClientRequest::Read(_), .. } => {}
            Inbound::ClientGone(_) => drop(gone.send(())),
            Inbound::Replica { .. } => {}
        }
    }
}

fn report(index: u16) -> ReplicaReport {
    let progress = Progress {
        replica: ReplicaId::new(index),
        view: View::ZERO,
        view_active: true,
        primary: ReplicaId::new(0),
        executed: Seq::new(u64::from(index)),
        proposed: Seq::ZERO,
        stable_checkpoint: Seq::ZERO,
        low: Seq::ZERO,
        high: Seq::ZERO,
        waiting_requests: 0,
        clients: 0,
        farthest_claim: Seq::ZERO,
        first_archived: None,
    };
    let waits_for = WaitsFor::Nothing;
    ReplicaReport { progress, waits_for, waited: 0, application: vec![u8::try_from(index).unwrap()] }
}

impl Played {
    fn options(&self) -> ClientOptions {
        let key = KeyPair::from_secret_bytes(&self.cluster.client_key.secret_bytes()).unwrap();
        let mut options =
            ClientOptions::new(CLUSTER, self.cluster.replicas(), self.cluster.addresses.clone(), key);
        options.limits = self.cluster.limits.link;
        options
    }

    async fn client(&self, connected: usize) -> Client {
        let client = Client::start(&self.options()).unwrap();
        soon(client.connected().wait_for(|count| *count >= connected)).await.unwrap();
        client
    }
}

fn client_id() -> ClientId {
    ClientId::from_bytes([3; 32])
}

fn request(number: u64) -> Request {
    let operation = Operation::new(number.to_le_bytes().to_vec());
    Request { client: client_id(), number: RequestNumber::new(number), operation }
}

fn receipt(number: u64) -> Receipt {
    let outcome = Outcome::Applied(number.to_le_bytes().to_vec());
    Receipt { id: request(number).id(), seq: Seq::new(number + 1), outcome }
}

#[tokio::test]
async fn a_request_is_answered_by_agreement() {
    let played = play_four(honest);
    let client = played.client(4).await;
    assert_eq!(soon(client.submit(request(7))).await, Ok(receipt(7)));
}

#[tokio::test]
async fn one_liar_changes_nothing_and_one_dead_replica_does_not_matter() {
    for behaviours in [
        [Some(liar as Behaviour), Some(honest), Some(honest), Some(honest)],
        [Some(honest), Some(honest), None, Some(honest)],
        [Some(busy), Some(honest), Some(honest), Some(honest)],
    ] {
        let played = play(&behaviours);
        let client = played.client(3).await;
        for number in 0..100 {
            assert_eq!(soon(client.submit(request(number))).await, Ok(receipt(number)));
        }
    }
}

#[tokio::test]
async fn without_agreement_there_is_no_receipt() {
    let played = play(&[Some(honest), Some(liar), Some(silent), None]);
    let mut options = played.options();
    options.config.give_up_after = Duration::from_millis(300);
    options.config.retry_after = Duration::from_millis(100);
    let client = Client::start(&options).unwrap();
    let error = soon(client.submit(request(1))).await.unwrap_err();
    let SubmitError::Failed(ClientError::TimedOut { needed, .. }) = error else { panic!("{error}") };
    assert_eq!(needed, 2);
}

#[tokio::test]
async fn a_decline_needs_agreement_too() {
    let played = play(&[Some(busy), Some(busy), Some(silent), Some(silent)]);
    let client = played.client(4).await;
    let declined = SubmitError::Failed(ClientError::Declined(DeclineReason::Busy));
    assert_eq!(soon(client.submit(request(1))).await, Err(declined));
}

#[tokio::test]
async fn requests_that_come_together_share_frames() {
    let played = play_four(honest);
    let client = played.client(4).await;
    let mut submits = JoinSet::new();
    for number in 0..4000 {
        let client = client.clone();
        submits.spawn(async move { (number, client.submit(request(number)).await) });
    }
    while let Some(done) = soon(submits.join_next()).await {
        let (number, result) = done.unwrap();
        assert_eq!(result, Ok(receipt(number)));
    }
    let frames = played.frames.load(Ordering::Relaxed);
    assert!(frames < 4000, "{frames} frames for 4000 requests to 4 replicas");
}

#[tokio::test]
async fn several_callers_may_wait_for_one_request_and_none_for_another_under_its_number() {
    let played = play(&[Some(silent), Some(silent), Some(honest), Some(silent)]);
    let mut options = played.options();
    options.config.give_up_after = Duration::from_millis(500);
    let client = Client::start(&options).unwrap();
    let other = Request { operation: Operation::new(vec![1, 2, 3]), ..request(1) };
    let (first, again, other) = soon(async {
        tokio::join!(client.submit(request(1)), client.submit(request(1)), client.submit(other))
    })
    .await;
    assert_eq!(other, Err(ClientError::NumberInUse.into()));
    assert!(matches!(first, Err(SubmitError::Failed(ClientError::TimedOut { .. }))));
    assert_eq!(first, again);
}

#[tokio::test]
async fn those_who_wait_for_one_request_are_bounded() {
    let played = play_four(silent);
    let mut options = played.options();
    options.config.give_up_after = Duration::from_millis(300);
    let client = Client::start(&options).unwrap();
    let mut submits = JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        submits.spawn(async move { client.submit(request(1)).await.unwrap_err() });
    }
    let errors = soon(submits.join_all()).await;
    let refused = SubmitError::Failed(ClientError::TooManyOutstanding);
    assert_eq!(errors.iter().filter(|error| **error == refused).count(), 4);
}

#[tokio::test]
async fn a_request_that_was_lost_is_sent_again() {
    fn first_time_silent(request: &Request) -> Option<ClientAnswer> {
        static SEEN: AtomicUsize = AtomicUsize::new(0);
        // Four replicas hear of it for the first time, and ignore it.
        if SEEN.fetch_add(1, Ordering::Relaxed) < 4 { None } else { honest(request) }
    }
    let played = play_four(first_time_silent);
    let mut options = played.options();
    options.config.retry_after = Duration::from_millis(50);
    let client = Client::start(&options).unwrap();
    soon(client.connected().wait_for(|count| *count == 4)).await.unwrap();
    assert_eq!(soon(client.submit(request(1))).await, Ok(receipt(1)));
}

#[tokio::test]
async fn an_operation_that_fits_no_frame_is_refused_here() {
    let played = play_four(honest);
    let client = played.client(4).await;
    let large = |bytes| Request { operation: Operation::new(vec![0; bytes]), ..request(1) };
    let error = soon(client.submit(large(2 << 20))).await.unwrap_err();
    assert!(matches!(error, SubmitError::TooLarge { .. }), "{error}");
    let SubmitError::TooLarge { limit, .. } = error else { unreachable!() };
    let receipt = soon(client.submit(large(limit))).await.unwrap();
    assert_eq!(receipt.outcome.as_bytes().len(), limit, "the longest one that is not refused passes");
}

#[tokio::test]
async fn reports_come_from_all_that_live() {
    let played = play(&[Some(silent), Some(silent), None, Some(silent)]);
    let mut options = played.options();
    // Who is not connected is not waited for, and the others answer when they get to it.
    options.report_timeout = Duration::from_secs(3600);
    let client = Client::start(&options).unwrap();
    soon(client.connected().wait_for(|count| *count >= 3)).await.unwrap();
    let reports = soon(client.reports()).await;
    let reports: Vec<_> = reports.into_values().collect();
    assert_eq!(reports, [Some(report(0)), Some(report(1)), None, Some(report(3))]);
    let links = soon(client.links()).await;
    assert_eq!(links.iter().map(|link| link.connected).collect::<Vec<_>>(), [true, true, false, true]);
}

#[tokio::test]
async fn a_session_numbers_its_requests() {
    let played = play_four(honest);
    let session = played.client(4).await.session(client_id());
    let mut submits = JoinSet::new();
    for _ in 0..1000 {
        let session = session.clone();
        submits.spawn(async move { session.submit(vec![5]).await.unwrap().id.number.value() });
    }
    let mut numbers = soon(submits.join_all()).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    assert!(session.unresolved().is_empty());
}

#[tokio::test]
async fn a_session_keeps_what_has_no_answer_for_another_try() {
    let played = play(&[Some(busy), Some(busy), Some(silent), Some(silent)]);
    let session = played.client(4).await.session(client_id());
    let error = soon(session.submit(vec![5])).await.unwrap_err();
    assert_eq!(error, SubmitError::Failed(ClientError::Declined(DeclineReason::Busy)));
    let unresolved = session.unresolved();
    assert_eq!(unresolved.iter().map(|request| request.number.value()).collect::<Vec<_>>(), [0]);
    soon(session.resubmit(unresolved[0].clone())).await.unwrap_err();
    soon(session.submit(vec![6])).await.unwrap_err();
    let numbers: Vec<_> = session.unresolved().iter().map(|request| request.number.value()).collect();
    assert_eq!(numbers, [0, 1]);
}

#[tokio::test]
async fn dropping_the_last_handle_hangs_up() {
    let mut played = play_four(honest);
    let client = played.client(4).await;
    let clone = client.clone();
    drop(client);
    assert_eq!(soon(clone.submit(request(1))).await, Ok(receipt(1)));
    drop(clone);
    for _ in 0..4 {
        soon(played.gone.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_client_is_refused_everywhere() {
    let mut cluster = Cluster::new(1);
    let node = cluster.start(0);
    let options =
        ClientOptions::new(CLUSTER, cluster.replicas(), cluster.addresses.clone(), KeyPair::generate());
    let client = Client::start(&options).unwrap();
    let mut counts = node.transport.cut_offs();
    soon(counts.wait_for(|counts| counts.contains_key(&CutOff::UnknownKey))).await.unwrap();
    assert_eq!(*client.connected().borrow(), 0);
}

#[tokio::test]
async fn options_that_do_not_fit_are_refused() {
    let played = play(&[Some(honest), Some(honest)]);
    let mut options = played.options();
    options.addresses.pop();
    let error = Client::start(&options).unwrap_err();
    assert!(
        matches!(error, ClientStartError::Counts { addresses: 1, configured: 2, replicas: 2 }),
        "{error}"
    );
}
