//! A recorded replica's life, lived again.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use pbft_core::{
    Epoch, Seq,
    recording::{Beginning, FRAME_HEADER, Moment, RecordedInput, ReplayError, Replayed, frame, replay},
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
    storage::{LogPosition, Record},
    wire::decode,
};
use pbft_node::{Node, NodeConfig, StartError, recorder::RecordOptions};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    reconfiguration::{CHANGE, Count, reach},
    support::{Cluster, PATIENCE, session, shut_down, until},
};

const REQUESTS: u8 = 40;

/// So many batches a life holds at least, and with them a checkpoint.
const BATCHES: u64 = 8;

/// Says what it was told.
struct Echo;

impl Service for Echo {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let echo =
            batch.requests.iter().map(|request| Outcome::Applied(request.operation.as_bytes().to_vec()));
        Executed::new(echo.collect())
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(Vec::new())
    }

    fn restore(&mut self, _seq: Seq, _snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        Ok(())
    }
}

/// Lets a recorded cluster serve some requests, and returns the four recordings.
async fn live(max_bytes: u64) -> Vec<Vec<u8>> {
    // So that there are checkpoints and truncation in it, too.
    let mut cluster = Cluster::with(4, 4, |config| {
        (config.checkpoint_period, config.window, config.max_in_flight) = (4, 16, 8);
    });
    let files: Vec<_> = (0..4).map(|id| cluster.folder.path().join(format!("recording-{id}"))).collect();
    let mut nodes = Vec::new();
    for (index, file) in (0..).zip(&files) {
        let record = Some(RecordOptions { file: file.clone(), max_bytes });
        nodes.push(cluster.start_with(NodeConfig { record, ..cluster.config(index) }, Echo));
    }
    let client = cluster.client();
    let session = session(&client, 1);
    for request in 0..REQUESTS {
        let answer = tokio::time::timeout(PATIENCE, session.submit(vec![request])).await;
        answer.expect("it must not take so long").unwrap();
    }
    // Three are a quorum: the fourth may be done later, or need a state.
    for node in &nodes {
        reach(node, 0, Seq::new(REQUESTS.into())).await;
    }
    shut_down(nodes).await;
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_life_comes_out_the_same() {
    for recording in live(1 << 30).await {
        let Replayed { steps, torn } = replay(&recording).unwrap();
        assert!(steps > u64::from(REQUESTS) && !torn, "{steps} steps");
        // A crash of the process cuts the last frame off.
        let cut = &recording[..recording.len() - 3];
        assert_eq!(replay(cut), Ok(Replayed { steps: steps - 1, torn: true }));
        any_change_is_noticed(&recording);
    }
}

fn any_change_is_noticed(recording: &[u8]) {
    let frames = Parts::places(recording);
    let headers =
        [0, frames.len() / 2, frames.len() - 1].map(|frame| frames[frame]..frames[frame] + FRAME_HEADER);
    let bodies = [recording.len() / 3, recording.len() / 2, recording.len() - 1];
    for at in headers.into_iter().flatten().chain(bodies) {
        let mut damaged = recording.to_vec();
        damaged[at] ^= 0x10;
        let replayed = replay(&damaged);
        assert!(matches!(replayed, Err(ReplayError::Damaged(_))), "byte {at}: {replayed:?}");
    }
    // Whole frames that say something else.
    let parts = Parts::of(recording);
    let executed = |moment: &Moment| matches!(moment.input, RecordedInput::Executed { .. });
    let without = parts.edited(|moment| (!executed(moment)).then_some(()));
    let replayed = replay(&without);
    assert!(matches!(replayed, Err(ReplayError::Differs { .. })), "a step that is left out: {replayed:?}");
    let other = parts.edited(|moment| {
        if let RecordedInput::Executed { executed, .. } = &mut moment.input {
            executed.outcomes.iter_mut().for_each(|outcome| *outcome = Outcome::Applied(b"other".to_vec()));
        }
        Some(())
    });
    let replayed = replay(&other);
    assert!(matches!(replayed, Err(ReplayError::Differs { .. })), "another outcome: {replayed:?}");
    let unsigned = parts.edited(|moment| {
        moment.signatures.clear();
        Some(())
    });
    let replayed = replay(&unsigned);
    assert!(matches!(replayed, Err(ReplayError::Differs { .. })), "without signatures: {replayed:?}");
}

/// A recording, taken apart.
struct Parts {
    beginning: Beginning,
    /// What the log held.
    records: Vec<(LogPosition, Record)>,
    moments: Vec<Moment>,
}

impl Parts {
    /// Where its frames begin.
    fn places(recording: &[u8]) -> Vec<usize> {
        let (mut places, mut at) = (Vec::new(), 0);
        while let Some(length) = recording[at..].first_chunk::<4>() {
            places.push(at);
            at += FRAME_HEADER + usize::try_from(u32::from_le_bytes(*length)).unwrap();
        }
        places
    }

    fn of(recording: &[u8]) -> Self {
        let places = Self::places(recording);
        let ends = places.iter().skip(1).copied().chain([recording.len()]);
        let bodies: Vec<_> =
            places.iter().zip(ends).map(|(at, end)| &recording[at + FRAME_HEADER..end]).collect();
        let beginning: Beginning = decode(bodies[0]).unwrap();
        let (records, moments) = bodies[1..].split_at(usize::try_from(beginning.records).unwrap());
        Self {
            beginning,
            records: records.iter().map(|body| decode(body).unwrap()).collect(),
            moments: moments.iter().map(|body| decode(body).unwrap()).collect(),
        }
    }

    /// The recording with its moments changed, or left out.
    fn edited(&self, mut edit: impl FnMut(&mut Moment) -> Option<()>) -> Vec<u8> {
        let mut bytes = frame(&self.beginning).unwrap();
        self.records.iter().for_each(|record| bytes.extend(frame(record).unwrap()));
        for moment in &self.moments {
            let mut moment = moment.clone();
            if edit(&mut moment).is_some() {
                bytes.extend(frame(&moment).unwrap());
            }
        }
        bytes
    }

    /// What the replica was told.
    fn told(&self) -> BTreeSet<&'static str> {
        let told = |moment: &Moment| match &moment.input {
            RecordedInput::Message { message, .. } => Some(message.kind()),
            RecordedInput::Read { .. } => Some("read"),
            _ => None,
        };
        self.moments.iter().filter_map(told).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_ends_at_its_bound_and_the_replica_goes_on() {
    const BOUND: u64 = 20_000;
    for recording in live(BOUND).await {
        assert!(recording.len() as u64 <= BOUND && recording.len() > 10_000, "{}", recording.len());
        assert!(replay(&recording).unwrap().steps > 0);
    }
}

// --- A life with everything in it -------------------------------------------------------------------------------------

/// Somebody who asks for one thing after the other, and how many there are by now, until it is told to stop.
struct Load {
    connected: watch::Receiver<usize>,
    served: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Load {
    fn start(cluster: &Cluster) -> Self {
        let (served, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (client, counter, stopped) = (cluster.client(), served.clone(), stop.clone());
        let connected = client.connected();
        let task = tokio::spawn(async move {
            let session = session(&client, 1);
            while !stopped.load(Ordering::Relaxed) {
                session.submit(vec![1]).await.unwrap();
                session.read(vec![1], vec![1]).await.unwrap();
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { connected, served, stop, task }
    }

    /// Waits until so many replicas hear it.
    async fn reaches(&self, replicas: usize) {
        let mut connected = self.connected.clone();
        let all = connected.wait_for(|connected| *connected >= replicas);
        tokio::time::timeout(PATIENCE, all).await.expect("all are reached").unwrap();
    }

    /// Waits until so many requests more are answered.
    async fn goes_on(&self, requests: u64) {
        let enough = self.served.load(Ordering::Relaxed) + requests;
        until("the load goes on", || self.served.load(Ordering::Relaxed) >= enough).await;
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
    }
}

fn start(cluster: &mut Cluster, index: u16) -> Node {
    let service = Count::new(cluster);
    cluster.start(index, service)
}

/// Starts replica 3, and says how many batches it has carried out in this life.
fn start_recorded(cluster: &mut Cluster, file: &Path) -> Result<(Node, Arc<AtomicU64>), StartError> {
    let record = Some(RecordOptions::new(file.to_owned()));
    let service = Count::new(cluster);
    let batches = service.batches.clone();
    Ok((cluster.try_start(NodeConfig { record, ..cluster.config(3) }, service)?, batches))
}

/// Two lives of replica 3, under load. In the first one the primary dies. The second one begins with the log of the first,
/// and with less than the others keep batches for; a fifth replica joins. Returns both recordings.
async fn two_lives() -> [Vec<u8>; 2] {
    let mut cluster = Cluster::with(4, 5, |config| {
        (config.checkpoint_period, config.window, config.max_in_flight) = (4, 16, 8);
        config.archive_bytes = 0;
    });
    let files: [PathBuf; 2] = ["first", "second"].map(|name| cluster.folder.path().join(name));
    let mut others: Vec<_> = (0..3).map(|index| start(&mut cluster, index)).collect();
    let (recorded, carried_out) = start_recorded(&mut cluster, &files[0]).unwrap();
    let load = Load::start(&cluster);
    load.reaches(4).await;
    load.goes_on(10).await;
    others.remove(0).shutdown().await;
    load.goes_on(10).await;
    until("it carries out batches", || carried_out.load(Ordering::Relaxed) >= BATCHES).await;
    others.push(start(&mut cluster, 0));
    recorded.shutdown().await;
    load.goes_on(60).await;

    let again = start_recorded(&mut cluster, &files[0]).map(drop);
    let Err(StartError::Recording(error)) = again else { panic!("{again:?}") };
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "what was recorded is not written over");
    let (recorded, carried_out) = start_recorded(&mut cluster, &files[1]).unwrap();
    load.reaches(4).await;
    load.goes_on(20).await;
    others.push(start(&mut cluster, 4));
    let client = cluster.client();
    let session = session(&client, 2);
    session.submit(vec![CHANGE, 0, 1, 2, 3, 4]).await.unwrap();
    load.goes_on(10).await;
    load.stop().await;
    // Under load it may have followed by states alone: it comes to rest before each of these.
    let already = carried_out.load(Ordering::Relaxed);
    while carried_out.load(Ordering::Relaxed) < already + BATCHES {
        let now = others[0].progress().borrow().executed;
        reach(&recorded, 1, now).await;
        session.submit(vec![1]).await.unwrap();
    }
    recorded.shutdown().await;
    shut_down(others).await;
    files.map(|file| fs::read(file).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn lives_with_a_dead_primary_a_restart_and_a_newcomer_come_out_the_same() {
    let lives = two_lives().await;
    let [first, second] = lives.each_ref().map(|life| Parts::of(life));
    assert_eq!(first.beginning.records, 0);
    assert!(second.beginning.records > 0, "it begins with what it knew");
    for (parts, expected) in
        [(&first, &["view-change", "new-view", "read"][..]), (&second, &["state", "read"][..])]
    {
        let told = parts.told();
        assert!(expected.iter().all(|kind| told.contains(kind)), "{expected:?} are not all in {told:?}");
    }
    let is_later = |moment: &Moment| matches!(&moment.input, RecordedInput::Message { known, .. } if *known > Epoch::ZERO);
    assert!(
        !first.moments.iter().any(is_later) && second.moments.iter().any(is_later),
        "the replicas changed"
    );
    for life in &lives {
        let Replayed { steps, torn } = replay(life).unwrap();
        assert!(steps > 100 && !torn, "{steps} steps");
        any_change_is_noticed(life);
    }
}

/// RE-5: a replica whose key was exchanged gives its word for its last checkpoint again, with the new key, when it is
/// recovered: before its first step. Who lives that again has no key.
#[tokio::test(flavor = "multi_thread")]
async fn a_life_that_begins_with_another_key_comes_out_the_same() {
    let mut cluster = Cluster::with(4, 4, |config| {
        (config.checkpoint_period, config.window, config.max_in_flight) = (4, 16, 8);
    });
    let nodes: Vec<_> = (0..4).map(|index| cluster.start(index, Echo)).collect();
    let client = cluster.client();
    let session = session(&client, 1);
    for request in 0..REQUESTS {
        session.submit(vec![request]).await.unwrap();
    }
    reach(&nodes[3], 0, Seq::new(8)).await;
    shut_down(nodes).await;

    cluster.change_key(3);
    let file = cluster.folder.path().join("recording");
    let record = Some(RecordOptions::new(file.clone()));
    let node = cluster.start_with(NodeConfig { record, ..cluster.config(3) }, Echo);
    node.shutdown().await;
    let recording = fs::read(file).unwrap();
    let is_checkpoint = |(_, record): &(LogPosition, Record)| matches!(record, Record::Checkpoint(_));
    assert!(Parts::of(&recording).records.iter().any(is_checkpoint), "there is something to sign again");
    let Replayed { steps, torn } = replay(&recording).unwrap();
    assert!(steps > 0 && !torn, "{steps} steps");
}
