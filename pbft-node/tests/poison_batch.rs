//! Mistake 31: a request that makes the service panic stops every replica at the same batch, which is named. It is in their
//! logs, so a restart alone helps nobody; with a mended service they go on where they stopped.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use pbft_core::{
    ClientId, Config, ReplicaId, Seq, ValidConfig,
    config::ReplicaSet,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
};
use pbft_crypto::{Digest, KeyPair};
use pbft_node::{
    Application, Client, Founder, Node, NodeConfig, client::ClientOptions, metrics::Metrics, node::Failure,
};
use prometheus_client::registry::Registry;

/// Far more than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);
const POISON: &[u8] = b"poison";

/// Panics on poison, until it is mended: then it refuses it.
struct Taster {
    mended: bool,
}

impl Service for Taster {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let taste = |bytes: &[u8]| match bytes {
            POISON if self.mended => Outcome::Refused(b"inedible".to_vec()),
            POISON => panic!("it is poison"),
            other => Outcome::Applied(other.to_vec()),
        };
        Executed::new(batch.requests.iter().map(|request| taste(request.operation.as_bytes())).collect())
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(Vec::new())
    }

    fn restore(&mut self, _: Seq, _: Option<&[u8]>) -> Result<(), StateLost> {
        Ok(())
    }
}

struct Cluster {
    protocol: Arc<ValidConfig>,
    keys: Vec<Arc<KeyPair>>,
    client_key: KeyPair,
    addresses: Vec<SocketAddr>,
    folder: tempfile::TempDir,
    metrics: Metrics,
}

impl Cluster {
    fn new() -> (Self, Vec<TcpListener>) {
        let keys: Vec<_> = (0..4).map(|_| Arc::new(KeyPair::generate())).collect();
        let listeners: Vec<_> = keys.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let replicas = ReplicaSet::new(keys.iter().map(|key| key.public_key()).collect());
        let cluster = Self {
            protocol: Arc::new(Config::new(Digest::ZERO, replicas).validate().unwrap()),
            keys,
            client_key: KeyPair::generate(),
            addresses: listeners.iter().map(|listener| listener.local_addr().unwrap()).collect(),
            folder: tempfile::tempdir().unwrap(),
            metrics: Metrics::register(&mut Registry::default()),
        };
        (cluster, listeners)
    }

    fn start(&self, index: u16, listener: TcpListener, mended: bool) -> Node {
        let folder = self.folder.path().join(format!("replica-{index}/log"));
        let id = ReplicaId::new(index);
        let mut config = NodeConfig::new(id, self.protocol.clone(), self.addresses.clone(), folder);
        config.clients = vec![self.client_key.public_key()];
        if !config.log_folder.exists() {
            Founder::of(&config.log_folder).mark().unwrap();
        }
        let application = Application::open(Taster { mended });
        Node::start(config, &self.keys[usize::from(index)], listener, application, &self.metrics).unwrap()
    }

    fn start_all_again(&self, mended: bool) -> Vec<Node> {
        let listeners = self.addresses.iter().map(|address| TcpListener::bind(address).unwrap());
        (0..).zip(listeners).map(|(index, listener)| self.start(index, listener, mended)).collect()
    }

    fn client(&self) -> Client {
        let key = KeyPair::from_secret_bytes(&self.client_key.secret_bytes()).unwrap();
        let (replicas, addresses) = (self.protocol.replicas.clone(), self.addresses.clone());
        Client::start(&ClientOptions::new(Digest::ZERO, replicas, addresses, key)).unwrap()
    }
}

/// Why each node stopped; all of them do.
async fn failures(nodes: &[Node]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for node in nodes {
        let mut failure = node.failure();
        let failed = tokio::time::timeout(PATIENCE, failure.wait_for(Option::is_some)).await;
        failures.push(failed.expect("it stops").unwrap().clone().unwrap());
    }
    failures
}

async fn shut_down(nodes: Vec<Node>) {
    for node in nodes {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_31_all_stop_at_a_named_batch_and_go_on_once_the_service_is_mended() {
    let (cluster, listeners) = Cluster::new();
    let starts = (0..).zip(listeners).map(|(index, listener)| cluster.start(index, listener, false));
    let nodes: Vec<_> = starts.collect();
    let client = cluster.client();
    let session = client.session(ClientId::from_bytes([1; 32]));
    session.submit(b"bread".to_vec()).await.unwrap();
    let first = tokio::select! {
        answer = session.submit(POISON.to_vec()) => panic!("nobody can answer: {answer:?}"),
        failures = failures(&nodes) => failures,
    };
    let Failure::PoisonBatch { seq, why, requests } = &first[0] else { panic!("{first:?}") };
    assert_eq!((seq.value(), why.as_str()), (2, "it is poison"));
    assert!(!requests.is_empty());
    assert!(first.iter().all(|failure| *failure == first[0]), "{first:?}");
    shut_down(nodes).await;

    let nodes = cluster.start_all_again(false);
    assert_eq!(failures(&nodes).await, first, "a restart repeats it");
    shut_down(nodes).await;

    let nodes = cluster.start_all_again(true);
    let again = cluster.client();
    let session = again.session(ClientId::from_bytes([2; 32]));
    let receipt = session.submit(b"water".to_vec()).await.unwrap();
    assert!(receipt.seq > *seq, "after the batch that stopped them");
    assert!(nodes.iter().all(|node| node.failure().borrow().is_none()));
    shut_down(nodes).await;
}
