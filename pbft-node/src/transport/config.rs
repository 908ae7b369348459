//! What a transport needs to know, and its bounds.

use core::time::Duration;
use std::{io, net::SocketAddr};

use pbft_core::{ReplicaId, config::ReplicaSet, roster::Roster, wire::MAX_ENCODED_BYTES};
use pbft_crypto::{Digest, PublicKey};
use thiserror::Error;

use super::{protocol::OVERHEAD_BYTES, queue::QueueLimits};
use crate::{config::NodeConfig, tls::TlsError};

/// One replica's place in the network.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// Which replica it is.
    pub id: ReplicaId,
    /// Its cluster.
    pub cluster: Digest,
    /// The members.
    pub replicas: ReplicaSet,
    /// Where each member listens, by id.
    pub addresses: Vec<SocketAddr>,
    /// Keys that may connect as clients, besides the replicas' own.
    pub clients: Vec<PublicKey>,
    /// Its bounds.
    pub limits: TransportLimits,
}

impl TransportConfig {
    /// A node's, with the usual bounds.
    #[must_use]
    pub fn of(node: &NodeConfig) -> Self {
        Self {
            id: node.id,
            cluster: node.protocol.cluster,
            replicas: node.protocol.replicas.clone(),
            addresses: node.addresses.clone(),
            clients: node.clients.clone(),
            limits: TransportLimits::default(),
        }
    }

    /// RE-3: a replica may have another key than it had in the first set, since an epoch that its log knows, or, if its
    /// operator says so, will know. One that the log does not know at all is to join.
    pub(crate) fn with_later_key(
        mut self,
        roster: &Roster,
        key: &PublicKey,
        is_new: bool,
    ) -> Result<Self, TransportError> {
        let members = || roster.configs().flat_map(|config| config.replicas.members());
        let owners = || members().filter(|(_, of)| of == key);
        let is_own = owners().any(|(id, _)| *id == self.id);
        // A new key is nobody's yet: another replica's is a mistake, whatever the operator says.
        let is_others = !is_own && owners().next().is_some();
        let is_known = members().any(|(id, _)| *id == self.id);
        if is_others || (is_known && !is_own && !is_new) {
            return Err(TransportError::NotThisReplica { id: self.id, key: *key });
        }
        let first = self.replicas.members().iter().copied();
        let own = |(id, first)| (id, if id == self.id { *key } else { first });
        self.replicas = ReplicaSet::of(first.map(own));
        Ok(self)
    }

    pub(crate) fn check(&self, key: &PublicKey) -> Result<(), TransportError> {
        let (count, addresses) = (self.replicas.count(), self.addresses.len());
        if addresses != usize::from(count) {
            return Err(TransportError::Addresses { addresses, replicas: count });
        }
        // Who is to join is not in the first set.
        if self.replicas.key(self.id).is_some_and(|own| own != key) {
            return Err(TransportError::NotThisReplica { id: self.id, key: *key });
        }
        Ok(())
    }
}

/// The bounds of one outgoing connection that is kept up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLimits {
    /// How long a handshake may take, from the first packet to the welcome.
    pub handshake: Duration,
    /// A peer that takes nothing for so long is given up.
    pub stall: Duration,
    /// The first wait before dialing again; doubles up to `max_backoff`.
    pub min_backoff: Duration,
    /// The longest wait before dialing again.
    pub max_backoff: Duration,
    /// What may wait to be sent. What does not fit is dropped.
    pub queue: QueueLimits,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            stall: Duration::from_secs(10),
            min_backoff: Duration::from_millis(20),
            max_backoff: Duration::from_secs(2),
            queue: QueueLimits { count: 16 << 10, bytes: 16 << 20 },
        }
    }
}

/// The bounds of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportLimits {
    /// Each link to another replica.
    pub link: LinkLimits,
    /// How long an incoming connection may take to say who it is.
    pub handshake: Duration,
    /// How many incoming connections there may be at all.
    pub connections: usize,
    /// How many of them from one address may not have said yet who they are.
    pub unauthenticated_per_address: usize,
    /// How many connections clients may have together. Less than `connections`, so that replicas find room.
    pub client_connections: usize,
    /// How many of these one key may have.
    pub connections_per_client: usize,
    /// The longest frame that a client may send.
    pub client_frame_bytes: usize,
    /// How many bytes of one replica may be on their way through the host, see [`Quota`](super::Quota).
    pub replica_inbound_bytes: usize,
    /// The same for one client's key.
    pub client_inbound_bytes: usize,
    /// What may wait to be sent to one connection of a client. One that falls further behind is cut off.
    pub answers: QueueLimits,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            link: LinkLimits::default(),
            handshake: Duration::from_secs(5),
            connections: 512,
            unauthenticated_per_address: 128,
            client_connections: 256,
            connections_per_client: 8,
            client_frame_bytes: 2 << 20,
            replica_inbound_bytes: 16 << 20,
            client_inbound_bytes: 4 << 20,
            answers: QueueLimits { count: 64 << 10, bytes: 16 << 20 },
        }
    }
}

/// No frame between replicas is longer.
pub(crate) const REPLICA_FRAME_BYTES: usize = MAX_ENCODED_BYTES;

// The usual bounds leave room for the largest message.
const _: () = assert!(16 << 20 >= REPLICA_FRAME_BYTES + OVERHEAD_BYTES);

/// Why a transport cannot start: the operator must act.
#[derive(Debug, Error)]
pub enum TransportError {
    /// Addresses and members do not match.
    #[error("{addresses} addresses for {replicas} replicas")]
    Addresses {
        /// How many addresses there are.
        addresses: usize,
        /// How many replicas there are.
        replicas: u16,
    },
    /// The key is not that of the replica that this is to be, as far as its log knows.
    #[error("the key {key} is not that of replica {id}, as far as its log knows")]
    NotThisReplica {
        /// Which replica.
        id: ReplicaId,
        /// Which key.
        key: PublicKey,
    },
    /// A key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The socket cannot be used.
    #[error("cannot listen: {0}")]
    Listen(#[source] io::Error),
    /// It runs on tokio.
    #[error("not called within a tokio runtime: {0}")]
    NoRuntime(#[from] tokio::runtime::TryCurrentError),
}
