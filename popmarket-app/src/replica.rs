//! One replica of the market: the ledger on a node of the cluster.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};

use ledger::Genesis;
use pbft_core::{ReplicaId, error::ConfigError, message::Handover};
use pbft_crypto::KeyPair;
use pbft_node::{
    Application, Node, NodeConfig, StartError, metrics::Metrics, node::AddressBook, recorder::RecordOptions,
};
use thiserror::Error;
use tokio::sync::watch;

use crate::{
    config::ClusterFile,
    directory::Directory,
    service::{InvariantChecks, LedgerAdmission, LedgerService, LedgerView},
    store::{StoreError, StoreOptions},
};

/// What one replica is started with.
pub struct ReplicaPlan<'a> {
    /// Which one.
    pub id: ReplicaId,
    /// Its key.
    pub key: Arc<KeyPair>,
    /// Its cluster.
    pub cluster: &'a ClusterFile,
    /// Where the first replicas listen, by id: as the cluster's file says, but for clusters within one process.
    pub addresses: Vec<SocketAddr>,
    /// Where they and later ones are, once the ledger is read.
    pub directory: Directory,
    /// The first block.
    pub genesis: &'a Genesis,
    /// What it was told about later replicas.
    pub handovers: Vec<Handover>,
    /// Where log and ledger are kept.
    pub data: PathBuf,
    /// After which blocks the whole ledger is checked.
    pub checks: InvariantChecks,
    /// How many threads check signatures.
    pub verify_threads: Option<usize>,
    /// Whether its key is one that its log need not know of yet.
    pub new_key: bool,
    /// Where its life is recorded, if it is.
    pub record: Option<PathBuf>,
}

/// Where the replica's votes are, below its data.
#[must_use]
pub fn log_folder(data: &Path) -> PathBuf {
    data.join("log")
}

/// A running replica.
pub struct Replica {
    /// Its node.
    pub node: Node,
    /// Its ledger, to look at.
    pub ledger: LedgerView,
    /// Where the replicas are, now and whenever that changes.
    pub addresses: watch::Receiver<AddressBook>,
}

/// Why a replica does not start.
#[derive(Debug, Error)]
pub enum ReplicaError {
    /// The cluster's configuration.
    #[error("the cluster's configuration: {0}")]
    Config(#[from] ConfigError),
    /// Its ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its node.
    #[error(transparent)]
    Node(#[from] StartError),
}

impl ReplicaPlan<'_> {
    /// Opens log and ledger, and takes part in the cluster. Runs on the current tokio runtime.
    ///
    /// # Errors
    /// If something that it needs cannot be used.
    pub fn start(self, listener: TcpListener, metrics: &Metrics) -> Result<Replica, ReplicaError> {
        let chain_id = self.genesis.chain_id();
        let service = LedgerService::open(&self.data.join("ledger"), self.genesis, &StoreOptions::default())?;
        let service = service.checking(self.checks)?;
        let protocol = self.cluster.protocol(chain_id)?;
        let mut config = NodeConfig::new(self.id, protocol, self.addresses, log_folder(&self.data));
        config.handovers = self.handovers;
        config.clients.clone_from(&self.cluster.clients);
        config.verify_threads = self.verify_threads.unwrap_or(config.verify_threads);
        config.new_key = self.new_key;
        config.record = self.record.map(RecordOptions::new);
        let (ledger, reported, failed) = (service.view(), service.view(), service.view());
        let application = Application {
            service,
            admission: Arc::new(LedgerAdmission::new(chain_id)),
            report: Arc::new(move || reported.report()),
            failure: Arc::new(move || failed.failure()),
        };
        let node = Node::start(config, &self.key, listener, application, metrics)?;
        let addresses = node.addresses().subscribe();
        tokio::spawn(self.directory.keep(ledger.clone(), node.addresses()));
        Ok(Replica { node, ledger, addresses })
    }
}
