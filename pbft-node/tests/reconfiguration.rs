//! Replicas that come and go, over real connections and with real logs.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use pbft_core::{
    ClientId, Config, Epoch, ReplicaId, Seq, ValidConfig,
    config::ReplicaSet,
    message::Handover,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
    wire,
};
use pbft_crypto::{Digest, KeyPair};
use pbft_node::{
    NodeConfig,
    client::{Client, ClientOptions, Session},
    founder::Founder,
    metrics::Metrics,
    node::{AddressBook, Application, Node},
};

/// Longer than any of this takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first byte of an operation that asks for other replicas; their ids follow.
const CHANGE: u8 = 0xee;

/// Counts requests, and asks for the replicas that it was told last.
struct Count {
    requests: u64,
    members: Option<Vec<u8>>,
    everyone: ReplicaSet,
}

impl Service for Count {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let count = |request: &pbft_core::Request| {
            self.requests += 1;
            if let [CHANGE, ids @ ..] = request.operation.as_bytes() {
                self.members = Some(ids.to_vec());
            }
            Outcome::Applied(self.requests.to_le_bytes().to_vec())
        };
        let executed = Executed::new(batch.requests.iter().map(count).collect());
        let wanted = self.members.as_ref().map(|ids| {
            let of = |id: &u8| {
                (ReplicaId::new((*id).into()), *self.everyone.key(ReplicaId::new((*id).into())).unwrap())
            };
            Arc::new(ReplicaSet::of(ids.iter().map(of)))
        });
        Executed { replicas: wanted, ..executed }
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(wire::encode(&(self.requests, &self.members)).unwrap())
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let state = snapshot.and_then(|bytes| wire::decode(bytes).ok());
        (self.requests, self.members) = state.ok_or(StateLost { seq, why: "no snapshot".into() })?;
        Ok(())
    }
}

/// `members` replicas, and others that may join.
struct Cluster {
    protocol: Arc<ValidConfig>,
    keys: Vec<Arc<KeyPair>>,
    client_key: KeyPair,
    addresses: Vec<SocketAddr>,
    listeners: Vec<Option<TcpListener>>,
    folder: tempfile::TempDir,
}

impl Cluster {
    fn new(members: usize, all: usize) -> Self {
        let keys: Vec<_> = (0..all).map(|_| Arc::new(KeyPair::generate())).collect();
        let listeners: Vec<_> = keys.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let first = keys.iter().take(members).map(|key| key.public_key()).collect();
        let mut config = Config::new(Digest::ZERO, ReplicaSet::new(first));
        (config.checkpoint_period, config.window, config.max_in_flight) = (16, 64, 8);
        Self {
            protocol: Arc::new(config.validate().unwrap()),
            client_key: KeyPair::generate(),
            addresses: listeners.iter().map(|listener| listener.local_addr().unwrap()).collect(),
            listeners: listeners.into_iter().map(Some).collect(),
            folder: tempfile::tempdir().unwrap(),
            keys,
        }
    }

    fn everyone(&self) -> ReplicaSet {
        ReplicaSet::new(self.keys.iter().map(|key| key.public_key()).collect())
    }

    fn start(&mut self, index: usize) -> Node {
        self.start_told(index, Vec::new())
    }

    /// Starts one that was told about later replicas.
    fn start_told(&mut self, index: usize, handovers: Vec<Handover>) -> Node {
        let id = ReplicaId::new(u16::try_from(index).unwrap());
        let members = usize::from(self.protocol.replicas.count());
        let first = self.addresses[..members].to_vec();
        let folder = self.folder.path().join(format!("replica-{index}"));
        Founder::of(&folder).mark().unwrap();
        let mut config = NodeConfig::new(id, self.protocol.clone(), first, folder);
        config.handovers = handovers;
        config.clients = vec![self.client_key.public_key()];
        let application = Application::open(Count { requests: 0, members: None, everyone: self.everyone() });
        let listener = self.listeners[index].take().unwrap();
        let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
        let node = Node::start(config, &self.keys[index], listener, application, &metrics).unwrap();
        node.set_addresses(self.book());
        node
    }

    fn book(&self) -> AddressBook {
        (0..).map(ReplicaId::new).zip(self.addresses.iter().copied()).collect()
    }

    fn client(&self) -> Client {
        let key = KeyPair::from_secret_bytes(&self.client_key.secret_bytes()).unwrap();
        let members = self.protocol.replicas.clone();
        let first = self.addresses[..usize::from(members.count())].to_vec();
        Client::start(&ClientOptions::new(Digest::ZERO, members, first, key)).unwrap()
    }
}

/// Waits until a node has executed `seq` in an epoch of its own.
async fn reach(node: &Node, epoch: u64, seq: Seq) {
    let roster = async {
        let mut roster = node.roster();
        roster.wait_for(|roster| roster.newest().epoch() >= Epoch::new(epoch)).await.unwrap();
    };
    let executed = async {
        let mut progress = node.progress();
        progress.wait_for(|progress| progress.executed >= seq).await.unwrap();
    };
    let both = async { tokio::join!(roster, executed) };
    if tokio::time::timeout(PATIENCE, both).await.is_err() {
        panic!("{:?}, {}", *node.progress().borrow(), *node.diagnosis().borrow());
    }
}

async fn submit(session: &Session, requests: u32) -> u64 {
    let mut last = 0;
    for _ in 0..requests {
        let receipt = tokio::time::timeout(PATIENCE, session.submit(vec![1])).await.unwrap().unwrap();
        last = u64::from_le_bytes(receipt.outcome.as_bytes().try_into().unwrap());
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_are_gone_and_two_others_take_their_places() {
    let mut cluster = Cluster::new(7, 9);
    let mut nodes: Vec<_> = (0..7).map(|index| cluster.start(index)).collect();
    let client = cluster.client();
    let session = client.session(ClientId::from_bytes([1; 32]));
    assert_eq!(submit(&session, 50).await, 50);

    nodes.remove(6).shutdown().await;
    nodes.remove(0).shutdown().await;
    assert_eq!(submit(&session, 50).await, 100);
    nodes.extend([cluster.start(7), cluster.start(8)]);
    let wish = [&[CHANGE][..], &[1, 2, 3, 4, 5, 7, 8]].concat();
    session.submit(wish).await.unwrap();
    let counted = submit(&session, 50).await;
    assert_eq!(counted, 151, "nothing twice, nothing lost");

    let after = nodes[0].progress().borrow().executed;
    for node in &nodes {
        reach(node, 1, after).await;
    }
    let newest = nodes[0].roster().borrow().newest().replicas.clone();
    client.follow(newest.clone(), cluster.book()).await;
    let peers: Vec<_> = client.links().await.iter().map(|link| link.peer).collect();
    assert_eq!(peers, newest.ids().collect::<Vec<_>>(), "the client has followed");
    // The new ones vote: two more of the old ones may be gone.
    nodes.remove(0).shutdown().await;
    nodes.remove(0).shutdown().await;
    assert_eq!(submit(&session, 50).await, 201);
    for node in nodes {
        node.shutdown().await;
    }
}

/// RE-4: the first replicas are all gone, so nobody is left whom a newcomer knows from the configuration alone.
#[tokio::test(flavor = "multi_thread")]
async fn handovers_that_it_was_told_lead_a_newcomer_to_later_replicas() {
    let mut cluster = Cluster::new(4, 9);
    let mut nodes: Vec<_> = (0..4).map(|index| cluster.start(index)).collect();
    let client = cluster.client();
    let session = client.session(ClientId::from_bytes([1; 32]));
    for (epoch, members) in [(1, [2, 3, 4, 5]), (2, [4, 5, 6, 7])] {
        nodes.extend(members[2..].iter().map(|index| cluster.start(usize::from(*index))));
        session.submit([&[CHANGE][..], &members].concat()).await.unwrap();
        submit(&session, 20).await;
        let leaving = nodes.drain(..2).collect::<Vec<_>>();
        for node in &nodes {
            reach(node, epoch, Seq::new(1)).await;
        }
        client.follow(nodes[0].roster().borrow().newest().replicas.clone(), cluster.book()).await;
        submit(&session, 20).await;
        for node in leaving {
            node.shutdown().await;
        }
    }
    let told = nodes[0].handovers().borrow().to_vec();
    assert_eq!(told.len(), 2);
    let mut forged = told.clone();
    forged[1].certificate.signatures.swap_remove(0);
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cluster.start_told(8, forged)));
    assert!(refused.is_err(), "what is not proven is not believed");
    cluster.listeners[8] = Some(TcpListener::bind(cluster.addresses[8]).unwrap());
    nodes.push(cluster.start_told(8, told));
    session.submit([&[CHANGE][..], &[4, 5, 6, 7, 8]].concat()).await.unwrap();
    let counted = submit(&session, 20).await;
    assert_eq!(counted, 3 + 5 * 20);
    let after = nodes[0].progress().borrow().executed;
    for node in &nodes {
        reach(node, 3, after).await;
    }
    for node in nodes {
        node.shutdown().await;
    }
}
