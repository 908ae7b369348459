//! Quorum reads of whole nodes over mutual TLS: a read sees every write that was acknowledged, also with a replica down, and
//! while writes go on.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use pbft_core::{
    ClientId, Config, ReplicaId, Seq, ValidConfig,
    client::{ClientConfig, FoundAnswer},
    config::ReplicaSet,
    message::read::MAX_QUERY_BYTES,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
};
use pbft_crypto::{Digest, KeyPair};
use pbft_node::{
    Application, Client, Founder, Node, NodeConfig,
    client::{ClientError, ClientOptions, Session, SubmitError},
    metrics::Metrics,
};
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;

/// Far more than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts. Asked for it, in order or not, it says how far it is.
struct Count(u64);

const ADD: &[u8] = b"add";
const HOW_MANY: &[u8] = b"how many?";

impl Service for Count {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let mut outcomes = Vec::new();
        for request in &batch.requests {
            self.0 += u64::from(request.operation.as_bytes() == ADD);
            outcomes.push(Outcome::Applied(self.0.to_le_bytes().to_vec()));
        }
        Executed::new(outcomes)
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(self.0.to_le_bytes().to_vec())
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let bytes = snapshot.and_then(|bytes| bytes.try_into().ok());
        self.0 = bytes.map(u64::from_le_bytes).ok_or(StateLost { seq, why: "no snapshot".into() })?;
        Ok(())
    }

    fn query(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        (query == HOW_MANY).then(|| self.0.to_le_bytes().to_vec())
    }
}

struct Cluster {
    protocol: Arc<ValidConfig>,
    addresses: Vec<SocketAddr>,
    client_key: KeyPair,
    nodes: Vec<Option<Node>>,
    registry: Registry,
    _folder: tempfile::TempDir,
}

impl Cluster {
    fn start() -> Self {
        let keys: Vec<_> = (0..4).map(|_| Arc::new(KeyPair::generate())).collect();
        let listeners: Vec<_> = keys.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let replicas = ReplicaSet::new(keys.iter().map(|key| key.public_key()).collect());
        let protocol = Arc::new(Config::new(Digest::ZERO, replicas).validate().unwrap());
        let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let (client_key, folder) = (KeyPair::generate(), tempfile::tempdir().unwrap());
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let mut nodes = Vec::new();
        for (index, (key, listener)) in (0..).zip(keys.iter().zip(listeners)) {
            let log = folder.path().join(format!("replica-{index}/log"));
            Founder::of(&log).mark().unwrap();
            let mut config = NodeConfig::new(ReplicaId::new(index), protocol.clone(), addresses.clone(), log);
            config.clients = vec![client_key.public_key()];
            let application = Application::open(Count(0));
            nodes.push(Some(Node::start(config, key, listener, application, &metrics).unwrap()));
        }
        Self { protocol, addresses, client_key, nodes, registry, _folder: folder }
    }

    async fn client(&self) -> Client {
        let key = KeyPair::from_secret_bytes(&self.client_key.secret_bytes()).unwrap();
        let replicas = self.protocol.replicas.clone();
        let mut options = ClientOptions::new(Digest::ZERO, replicas, self.addresses.clone(), key);
        // A busy machine is no reason to order what can be read.
        options.config = ClientConfig { read_within: Duration::from_secs(10), ..options.config };
        let client = Client::start(&options).unwrap();
        let up = self.nodes.iter().flatten().count();
        client.connected().wait_for(|connected| *connected >= up).await.unwrap();
        client
    }

    async fn stop(&mut self, index: usize) {
        self.nodes[index].take().unwrap().shutdown().await;
    }

    async fn shutdown(self) {
        for node in self.nodes.into_iter().flatten() {
            assert_eq!(*node.failure().borrow(), None);
            node.shutdown().await;
        }
    }

    fn metric(&self, name: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let values = text.lines().filter(|line| line.starts_with(name));
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}

fn session(client: &Client, id: u8) -> Session {
    client.session(ClientId::from_bytes([id; 32]))
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_sees_what_was_acknowledged_also_with_a_replica_down() {
    let mut cluster = Cluster::start();
    let client = cluster.client().await;
    let writer = session(&client, 1);
    for round in 1..=40 {
        if round == 21 {
            cluster.stop(3).await;
        }
        let written = writer.submit(ADD).await.unwrap();
        let found = client.read(HOW_MANY, None).await.unwrap();
        let FoundAnswer::Quorum { executed, result, .. } = found else { panic!("{found:?}") };
        assert_eq!(number(&result), round);
        assert!(executed >= written.seq);
    }
    assert_eq!(client.read_counts().borrow().by_quorum, 40);
    assert!(cluster.metric("pbft_reads_total") >= 40 * 3, "{}", cluster.metric("pbft_reads_total"));

    // Two down: nothing can be shown, and nothing can be ordered; without an ordered way it says so at once.
    cluster.stop(2).await;
    let mut options = ClientOptions::new(
        Digest::ZERO,
        cluster.protocol.replicas.clone(),
        cluster.addresses.clone(),
        KeyPair::from_secret_bytes(&cluster.client_key.secret_bytes()).unwrap(),
    );
    options.config.read_within = Duration::from_millis(300);
    let hasty = Client::start(&options).unwrap();
    let error = hasty.read(HOW_MANY, None).await.unwrap_err();
    assert!(matches!(error, SubmitError::Failed(ClientError::NoQuorum { needed: 3, .. })), "{error}");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_the_service_does_not_answer_goes_the_ordered_way() {
    let cluster = Cluster::start();
    let client = cluster.client().await;
    let session = session(&client, 1);
    session.submit(ADD).await.unwrap();
    let found = session.read(b"unheard of".as_slice(), HOW_MANY).await.unwrap();
    assert!(matches!(found, FoundAnswer::Ordered(_)), "{found:?}");
    assert_eq!(number(found.result()), 1);
    assert_eq!(client.read_counts().borrow().without_quorum, 1);
    assert!(cluster.metric("pbft_refused_reads_total") >= 2);
    let long = client.read(vec![0; MAX_QUERY_BYTES + 1], None).await;
    assert!(matches!(long, Err(SubmitError::TooLarge { .. })));
    cluster.shutdown().await;
}

/// Each write is acknowledged before the next read begins: so each read has at least as many as that.
#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_at_once() {
    let mut cluster = Cluster::start();
    let client = cluster.client().await;
    let mut tasks = JoinSet::new();
    for id in 1..=4 {
        let (client, session) = (client.clone(), session(&client, id));
        tasks.spawn(async move {
            let mut last = 0;
            for _ in 0..50 {
                let written = number(session.submit(ADD).await.unwrap().outcome.as_bytes());
                let found = session.read(HOW_MANY, HOW_MANY).await.unwrap();
                let shown = number(found.result());
                assert!(shown >= written && shown >= last, "{shown} after {written} and {last}");
                last = shown;
            }
            drop(client);
        });
    }
    cluster.stop(1).await;
    let all = async { while tasks.join_next().await.transpose().unwrap().is_some() {} };
    tokio::time::timeout(PATIENCE, all).await.expect("it must not take so long");
    let counts = *client.read_counts().borrow();
    assert_eq!(counts.by_quorum + counts.without_quorum, 200);
    assert!(counts.by_quorum > 0, "{counts:?}");
    let found = client.read(HOW_MANY, None).await.unwrap();
    assert_eq!(number(found.result()), 200);
    cluster.shutdown().await;
}
