//! One loses its disk, takes over the state of the others, and votes again.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use pbft_core::{
    Seq,
    replica::WaitsFor,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
};
use pbft_node::{
    Founder, Node, NodeConfig, StartError,
    log::{Damage, LogError},
    recorder::RecordOptions,
};

use crate::support::{Cluster, session, shut_down, until};

/// Adds up the numbers that it is sent, and shows the sum to the outside.
struct Sum {
    value: u64,
    seen: Arc<AtomicU64>,
}

impl Sum {
    fn show(&mut self, value: u64) {
        self.value = value;
        self.seen.store(value, Ordering::Relaxed);
    }
}

impl Service for Sum {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let mut outcomes = Vec::new();
        for request in &batch.requests {
            let number = request.operation.as_bytes().try_into().map_or(0, u64::from_le_bytes);
            self.show(self.value.wrapping_add(number));
            outcomes.push(Outcome::Applied(self.value.to_le_bytes().to_vec()));
        }
        Executed::new(outcomes)
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(self.value.to_le_bytes().to_vec())
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let bytes = snapshot.and_then(|bytes| bytes.try_into().ok());
        let value = bytes.map(u64::from_le_bytes).ok_or(StateLost { seq, why: "no snapshot".into() })?;
        self.show(value);
        Ok(())
    }
}

/// Nobody keeps old batches: who was away needs a state.
fn forgetful() -> Cluster {
    Cluster::with(4, 4, |config| {
        (config.checkpoint_period, config.window, config.max_in_flight) = (4, 16, 8);
        config.archive_bytes = 0;
    })
}

fn start(cluster: &mut Cluster, index: u16) -> (Node, Arc<AtomicU64>) {
    let seen = Arc::new(AtomicU64::new(0));
    (cluster.start(index, Sum { value: 0, seen: seen.clone() }), seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_folder_was_deleted_comes_back_and_votes_again() {
    loses_its_log(|_| {}).await;
}

/// The host refuses such a log, and leaves it as it is. An operator then does what is done for a lost disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_log_has_rotted_starts_without_it_and_votes_again() {
    loses_its_log(|cluster| {
        let folder = cluster.log_folder(3);
        turn_a_bit(&folder);
        let bytes = || files(&folder).iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
        let before = bytes();
        for _ in 0..2 {
            let service = Sum { value: 0, seen: Arc::default() };
            let Err(refused) = cluster.try_start(cluster.config(3), service) else { panic!("it starts") };
            let StartError::Log(LogError::Damaged { damage, .. }) = &refused else { panic!("{refused}") };
            assert_eq!(*damage, Damage::Payload, "{refused}");
        }
        assert!(bytes() == before, "it is still there for whoever wants to look");
    })
    .await;
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "segment")).collect();
    segments.sort();
    segments
}

/// In the first record of a log.
fn turn_a_bit(log: &Path) {
    let file = &files(log)[0];
    let mut bytes = fs::read(file).unwrap();
    bytes[120] ^= 4;
    fs::write(file, bytes).unwrap();
}

/// Replica 3 stops, `spoil` does something to its log, the log is removed, and the replica is started again.
async fn loses_its_log(spoil: impl FnOnce(&mut Cluster)) {
    let mut cluster = forgetful();
    let mut nodes: Vec<_> = (0..4).map(|index| Some(start(&mut cluster, index))).collect();
    let client = cluster.client();
    let session = session(&client, 1);
    let send = async |numbers: std::ops::RangeInclusive<u64>| {
        for number in numbers {
            session.submit(number.to_le_bytes().to_vec()).await.unwrap();
        }
    };
    send(1..=30).await;
    let marker = cluster.folder.path().join("replica-3/log.founder");
    // The others are a quorum, and may be done before it has begun.
    until("it has voted", || !marker.exists()).await;

    let (lost, _) = nodes[3].take().unwrap();
    lost.shutdown().await;
    spoil(&mut cluster);
    fs::remove_dir_all(cluster.log_folder(3)).unwrap();
    send(31..=80).await;
    let before = nodes[0].as_ref().unwrap().0.progress().borrow().view;
    nodes[3] = Some(start(&mut cluster, 3));
    send(81..=90).await;

    let (node, seen) = nodes[3].as_ref().unwrap();
    let (diagnosis, progress) = (node.diagnosis(), node.progress());
    until("the state comes back", || seen.load(Ordering::Relaxed) == 90 * 91 / 2).await;
    // A busy machine may change the view by itself: then it votes already.
    let may_vote = || match diagnosis.borrow().waits_for {
        WaitsFor::LaterView { .. } => true,
        WaitsFor::Nothing => progress.borrow().view > before,
        _ => false,
    };
    until("it may vote again", may_vote).await;
    assert!(cluster.metric("pbft_state_transfers_total") >= 1);
    assert_eq!(cluster.metric("pbft_bad_state_parts_total"), 0);

    // Without replica 1 nothing goes on but with its votes.
    let (other, _) = nodes[1].take().unwrap();
    other.shutdown().await;
    send(91..=100).await;
    let sums = || nodes.iter().flatten().map(|(_, seen)| seen.load(Ordering::Relaxed));
    until("all have the same", || sums().all(|sum| sum == 100 * 101 / 2)).await;
    for (node, _) in nodes.into_iter().flatten() {
        assert_eq!(*node.failure().borrow(), None);
        node.shutdown().await;
    }
}

/// A crash between the first sync and the removal of the mark leaves a log and the mark. Votes from the log are sent again
/// without any sync, so the mark has to go before anything starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_mark_beside_a_log_goes_before_anything_starts() {
    let mut cluster = forgetful();
    let nodes: Vec<_> = (0..4).map(|index| start(&mut cluster, index).0).collect();
    let client = cluster.client();
    session(&client, 1).submit(1u64.to_le_bytes().to_vec()).await.unwrap();
    let marker = cluster.folder.path().join("replica-3/log.founder");
    until("it has voted", || !marker.exists()).await;
    shut_down(nodes).await;
    Founder::of(&cluster.log_folder(3)).mark().unwrap();
    assert!(marker.exists());

    // One that cannot start: nothing runs that could remove the mark later.
    let file = cluster.folder.path().join("recording");
    fs::write(&file, b"").unwrap();
    let config = NodeConfig { record: Some(RecordOptions::new(file)), ..cluster.config(3) };
    let started = cluster.try_start(config, Sum { value: 0, seen: Arc::default() }).map(drop);
    assert!(matches!(started, Err(StartError::Recording(_))), "{started:?}");
    assert!(!marker.exists(), "a log that is lost from now on is a lost one");
}
