//! What one node needs to know besides its key.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use pbft_core::{ReplicaId, ValidConfig, message::Handover};
use pbft_crypto::{Digest, Domain, Hasher, PublicKey};

use crate::{log::LogOptions, recorder::RecordOptions};

/// One node's configuration.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Which replica it is.
    pub id: ReplicaId,
    /// What the cluster agrees on.
    pub protocol: Arc<ValidConfig>,
    /// Where each replica listens, by id.
    pub addresses: Vec<SocketAddr>,
    /// What leads from the first replicas to later ones, oldest first, if somebody has handed it on: then one of the later ones
    /// is enough to begin with. Nothing in it is believed unproven.
    pub handovers: Vec<Handover>,
    /// Whether its key is one that a change of the replicas gives it, which its own log need not know of yet: it was away
    /// while the others changed (RE-5). Without it such a key is taken for another replica's.
    pub new_key: bool,
    /// Keys of clients that may connect, besides the replicas' own.
    pub clients: Vec<PublicKey>,
    /// The folder of the durable log. Made if need be; used by one node only. A node of a new cluster is laid out with
    /// [`Founder::mark`](crate::founder::Founder::mark); without it an empty folder is a lost log.
    pub log_folder: PathBuf,
    /// How the log is laid out.
    pub log: LogOptions,
    /// How many threads check signatures.
    pub verify_threads: usize,
    /// Whether the replica's life is recorded.
    pub record: Option<RecordOptions>,
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
        let verify_threads = processors.min(4);
        let log = LogOptions::new(log_owner(protocol.cluster, id));
        Self {
            id,
            protocol,
            addresses,
            handovers: Vec::new(),
            new_key: false,
            clients: Vec::new(),
            log_folder,
            log,
            verify_threads,
            record: None,
        }
    }
}

const LOG_OWNER_DOMAIN: Domain = Domain::new("pbft/log-owner/v1");

/// Names the one replica whose log it is.
fn log_owner(cluster: Digest, id: ReplicaId) -> [u8; 32] {
    let mut hasher = Hasher::new(LOG_OWNER_DOMAIN);
    hasher.update(cluster.as_bytes()).update_u64(id.value().into());
    *hasher.finish().as_bytes()
}
