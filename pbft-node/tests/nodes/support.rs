//! A cluster of nodes, started one by one.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use pbft_core::{ClientId, Config, ReplicaId, ValidConfig, config::ReplicaSet, service::Service};
use pbft_crypto::{Digest, KeyPair};
use pbft_node::{
    Application, Client, Founder, Node, NodeConfig, StartError,
    client::{ClientOptions, Session},
    metrics::Metrics,
    node::AddressBook,
};
use prometheus_client::registry::Registry;

/// Far more than any of this takes: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Keys, ports and folders of a cluster.
pub(crate) struct Cluster {
    pub(crate) protocol: Arc<ValidConfig>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) folder: tempfile::TempDir,
    keys: Vec<Arc<KeyPair>>,
    client_key: KeyPair,
    listeners: Vec<Option<TcpListener>>,
    registry: Registry,
    metrics: Metrics,
}

impl Cluster {
    /// Four replicas.
    pub(crate) fn new() -> Self {
        Self::with(4, 4, |_| {})
    }

    /// So many members, and others that may join.
    pub(crate) fn with(members: usize, all: usize, configure: impl FnOnce(&mut Config)) -> Self {
        let keys: Vec<_> = (0..all).map(|_| Arc::new(KeyPair::generate())).collect();
        let listeners: Vec<_> = keys.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let first = keys.iter().take(members).map(|key| key.public_key()).collect();
        let mut config = Config::new(Digest::ZERO, ReplicaSet::new(first));
        configure(&mut config);
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let cluster = Self {
            protocol: Arc::new(config.validate().unwrap()),
            client_key: KeyPair::generate(),
            addresses: listeners.iter().map(|listener| listener.local_addr().unwrap()).collect(),
            listeners: listeners.into_iter().map(Some).collect(),
            folder: tempfile::tempdir().unwrap(),
            keys,
            registry,
            metrics,
        };
        for index in (0..).take(all) {
            Founder::of(&cluster.log_folder(index)).mark().unwrap();
        }
        cluster
    }

    pub(crate) fn log_folder(&self, index: u16) -> PathBuf {
        self.folder.path().join(format!("replica-{index}/log"))
    }

    /// What a node starts with if nothing else is said.
    pub(crate) fn config(&self, index: u16) -> NodeConfig {
        let (id, first) = (ReplicaId::new(index), self.first_addresses());
        let mut config = NodeConfig::new(id, self.protocol.clone(), first, self.log_folder(index));
        config.clients = vec![self.client_key.public_key()];
        config
    }

    pub(crate) fn start(&mut self, index: u16, service: impl Service + 'static) -> Node {
        self.start_with(self.config(index), service)
    }

    /// Starts one, at its address of before if it ran already.
    pub(crate) fn start_with(&mut self, config: NodeConfig, service: impl Service + 'static) -> Node {
        self.try_start(config, service).unwrap()
    }

    pub(crate) fn try_start(
        &mut self,
        config: NodeConfig,
        service: impl Service + 'static,
    ) -> Result<Node, StartError> {
        let index = config.id.index();
        let again = || TcpListener::bind(self.addresses[index]).unwrap();
        let listener = self.listeners[index].take().unwrap_or_else(again);
        let application = Application::open(service);
        let node = Node::start(config, &self.keys[index], listener, application, &self.metrics)?;
        node.set_addresses(self.book());
        Ok(node)
    }

    /// Gives replica `index` another key, as if it had never had any other. What was signed in epoch 0 does not say whom
    /// the keys belong to, so the others' signatures of before are still good.
    pub(crate) fn change_key(&mut self, index: u16) {
        self.keys[usize::from(index)] = Arc::new(KeyPair::generate());
        let members = usize::from(self.protocol.replicas.count());
        let keys = self.keys.iter().take(members).map(|key| key.public_key()).collect();
        let config = Config { replicas: ReplicaSet::new(keys), ..Config::clone(&self.protocol) };
        self.protocol = Arc::new(config.validate().unwrap());
    }

    /// Starts replica `index` with the key of `other` from now on. Returns the one that it had.
    pub(crate) fn hand_over_key(&mut self, index: u16, other: u16) -> Arc<KeyPair> {
        let key = self.keys[usize::from(other)].clone();
        self.set_key(index, key)
    }

    pub(crate) fn set_key(&mut self, index: u16, key: Arc<KeyPair>) -> Arc<KeyPair> {
        std::mem::replace(&mut self.keys[usize::from(index)], key)
    }

    /// Where everyone is, also those who may join.
    pub(crate) fn book(&self) -> AddressBook {
        (0..).map(ReplicaId::new).zip(self.addresses.iter().copied()).collect()
    }

    /// Members, and those who may join.
    pub(crate) fn everyone(&self) -> ReplicaSet {
        ReplicaSet::new(self.keys.iter().map(|key| key.public_key()).collect())
    }

    fn first_addresses(&self) -> Vec<SocketAddr> {
        self.addresses[..usize::from(self.protocol.replicas.count())].to_vec()
    }

    pub(crate) fn client_options(&self) -> ClientOptions {
        let key = KeyPair::from_secret_bytes(&self.client_key.secret_bytes()).unwrap();
        ClientOptions::new(Digest::ZERO, self.protocol.replicas.clone(), self.first_addresses(), key)
    }

    pub(crate) fn client(&self) -> Client {
        Client::start(&self.client_options()).unwrap()
    }

    /// The sum of a metric over all replicas.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let values = text.lines().filter(|line| line.starts_with(name));
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}

pub(crate) fn session(client: &Client, id: u8) -> Session {
    client.session(ClientId::from_bytes([id; 32]))
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn shut_down(nodes: impl IntoIterator<Item = Node>) {
    for node in nodes {
        node.shutdown().await;
    }
}
