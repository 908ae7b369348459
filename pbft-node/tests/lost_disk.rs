//! Whole nodes on loopback: one loses its disk, takes over the state of the others, and votes again.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pbft_core::{
    ClientId, Config, ReplicaId, Seq, ValidConfig,
    config::ReplicaSet,
    replica::WaitsFor,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
};
use pbft_crypto::{Digest, KeyPair};
use pbft_node::{Application, Client, Founder, Node, NodeConfig, client::ClientOptions, metrics::Metrics};
use prometheus_client::registry::Registry;

/// Far more than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

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

struct Cluster {
    protocol: Arc<ValidConfig>,
    keys: Vec<Arc<KeyPair>>,
    client_key: Arc<KeyPair>,
    addresses: Vec<SocketAddr>,
    folder: tempfile::TempDir,
    registry: Registry,
    metrics: Metrics,
}

impl Cluster {
    /// Nobody keeps old batches: who was away needs a state.
    fn new() -> (Self, Vec<TcpListener>) {
        let keys: Vec<_> = (0..4).map(|_| Arc::new(KeyPair::generate())).collect();
        let listeners: Vec<_> = keys.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let replicas = ReplicaSet::new(keys.iter().map(|key| key.public_key()).collect());
        let mut config = Config::new(Digest::ZERO, replicas);
        (config.checkpoint_period, config.window, config.max_in_flight) = (4, 16, 8);
        config.archive_bytes = 0;
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let cluster = Self {
            protocol: Arc::new(config.validate().unwrap()),
            keys,
            client_key: Arc::new(KeyPair::generate()),
            addresses: listeners.iter().map(|listener| listener.local_addr().unwrap()).collect(),
            folder: tempfile::tempdir().unwrap(),
            registry,
            metrics,
        };
        (cluster, listeners)
    }

    fn log_folder(&self, index: u16) -> PathBuf {
        self.folder.path().join(format!("replica-{index}/log"))
    }

    fn start(&self, index: u16, listener: TcpListener) -> (Node, Arc<AtomicU64>) {
        let id = ReplicaId::new(index);
        let mut config =
            NodeConfig::new(id, self.protocol.clone(), self.addresses.clone(), self.log_folder(index));
        config.clients = vec![self.client_key.public_key()];
        let seen = Arc::new(AtomicU64::new(0));
        let application = Application::open(Sum { value: 0, seen: seen.clone() });
        let key = &self.keys[usize::from(index)];
        (Node::start(config, key, listener, application, &self.metrics).unwrap(), seen)
    }

    fn start_again(&self, index: u16) -> (Node, Arc<AtomicU64>) {
        self.start(index, TcpListener::bind(self.addresses[usize::from(index)]).unwrap())
    }

    fn client(&self) -> Client {
        let key = KeyPair::from_secret_bytes(&self.client_key.secret_bytes()).unwrap();
        let replicas = self.protocol.replicas.clone();
        Client::start(&ClientOptions::new(Digest::ZERO, replicas, self.addresses.clone(), key)).unwrap()
    }

    fn metric(&self, name: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let values = text.lines().filter(|line| line.starts_with(name));
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_folder_was_deleted_comes_back_and_votes_again() {
    let (cluster, listeners) = Cluster::new();
    let mut nodes = Vec::new();
    for (index, listener) in (0..).zip(listeners) {
        Founder::of(&cluster.log_folder(index)).mark().unwrap();
        nodes.push(Some(cluster.start(index, listener)));
    }
    let client = cluster.client();
    let session = client.session(ClientId::from_bytes([1; 32]));
    let send = async |numbers: std::ops::RangeInclusive<u64>| {
        for number in numbers {
            session.submit(number.to_le_bytes().to_vec()).await.unwrap();
        }
    };
    send(1..=30).await;
    let marker = cluster.folder.path().join("replica-3/log.founder");
    assert!(!marker.exists(), "it has voted");

    let (lost, _) = nodes[3].take().unwrap();
    lost.shutdown().await;
    std::fs::remove_dir_all(cluster.log_folder(3)).unwrap();
    send(31..=80).await;
    nodes[3] = Some(cluster.start_again(3));
    send(81..=90).await;

    let (node, seen) = nodes[3].as_ref().unwrap();
    let waits_for = node.diagnosis();
    until("the state comes back", || seen.load(Ordering::Relaxed) == 90 * 91 / 2).await;
    until("it votes again", || *waits_for.borrow() == WaitsFor::Nothing).await;
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
