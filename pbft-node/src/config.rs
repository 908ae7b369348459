//! What one node needs to know besides its key.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use pbft_core::{ReplicaId, ValidConfig};
use pbft_crypto::PublicKey;

use crate::log::LogOptions;

/// One node's configuration.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Which replica it is.
    pub id: ReplicaId,
    /// What the cluster agrees on.
    pub protocol: Arc<ValidConfig>,
    /// Where each replica listens, by id.
    pub addresses: Vec<SocketAddr>,
    /// Keys of clients that may connect, besides the replicas' own.
    pub clients: Vec<PublicKey>,
    /// The folder of the durable log. Made if need be; used by one node only.
    pub log_folder: PathBuf,
    /// How the log is laid out.
    pub log: LogOptions,
    /// How many threads check signatures.
    pub verify_threads: usize,
}

impl NodeConfig {
    /// The usual choices: a log with default options, one verification thread for each processor, at most four.
    #[must_use]
    pub fn new(
        id: ReplicaId,
        protocol: Arc<ValidConfig>,
        addresses: Vec<SocketAddr>,
        log_folder: PathBuf,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let clients = Vec::new();
        let verify_threads = processors.min(4);
        Self { id, protocol, addresses, clients, log_folder, log: LogOptions::default(), verify_threads }
    }
}
