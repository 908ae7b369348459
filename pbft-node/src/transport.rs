//! Connections between replicas, and with clients: mutual TLS 1.3 with pinned keys, over TCP.
//!
//! ```text
//! send, broadcast -> encode once -> a bounded queue for each peer -> its link's task -> the peer
//! accepted socket -> door (caps) -> TLS -> hello -> frames -> decode -> Inbound, bounded -> the host
//! ```
//!
//! * A replica dials every other one, and sends only on connections that it dialed. It receives on accepted ones, at
//!   most one from each replica: a newer one replaces the older.
//! * Nothing here waits for a peer: what does not fit a queue is dropped and counted, since the protocol sends again
//!   what matters. A peer that cannot be reached costs one try now and then.
//! * Nobody can fill memory: lengths are checked before anything is allocated, each sender has its [`Quota`], and when
//!   the host is busy, TCP makes senders wait.

mod accept;
mod config;
mod cut_off;
pub(crate) mod dial;
mod door;
mod frame;
mod hello;
pub(crate) mod link;
mod peers;
mod protocol;
mod queue;
mod receive;

use core::net::SocketAddr;
use std::{net::TcpListener, sync::Arc};

use bytes::Bytes;
use pbft_core::{Message, ReplicaId, config::ReplicaSet, network::Network, wire};
use pbft_crypto::KeyPair;
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    task::JoinSet,
};

pub(crate) use self::config::REPLICA_FRAME_BYTES;
use self::{
    accept::Acceptor,
    dial::Dialer,
    door::Door,
    link::{Expect, Link},
    peers::Peers,
};
pub use self::{
    config::{LinkLimits, TransportConfig, TransportError, TransportLimits},
    cut_off::{CutOff, CutOffs},
    dial::LinkError,
    frame::FrameError,
    hello::{Hello, HelloError, Refusal, Role, TRANSPORT_VERSION, Welcome},
    link::LinkState,
    protocol::{ClientAnswer, ClientRequest, ConnectionId, Inbound, Quota, ReplicaReport},
    queue::QueueLimits,
};
use crate::tls::TlsIdentity;

/// One replica's connections. A handle: clones are the same transport, which ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Transport {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    replicas: ReplicaSet,
    /// By id; none to itself.
    links: Vec<Option<Link>>,
    peers: Arc<Peers>,
    address: SocketAddr,
    connected: watch::Receiver<usize>,
    stop: watch::Sender<()>,
    ended: watch::Receiver<()>,
}

impl Transport {
    /// Accepts on `listener`, dials all other replicas, and hands what comes in to `inbound`. Runs on the current tokio
    /// runtime.
    ///
    /// # Errors
    /// If the configuration does not fit together, or the socket cannot be used.
    pub fn start(
        config: TransportConfig,
        listener: TcpListener,
        key: &KeyPair,
        inbound: mpsc::Sender<Inbound>,
    ) -> Result<Self, TransportError> {
        config.check(&key.public_key())?;
        let runtime = Handle::try_current()?;
        listener.set_nonblocking(true).map_err(TransportError::Listen)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(TransportError::Listen)?;
        let address = listener.local_addr().map_err(TransportError::Listen)?;

        let peers = Peers::new(&config);
        let identity = TlsIdentity::new(key)?;
        let hello = Hello::new(config.cluster, Role::Replica(config.id));
        let limits = &config.limits;
        let acceptor = Acceptor {
            tls: identity.acceptor(peers.keys())?,
            hello,
            peers: peers.clone(),
            door: Door::new(limits.connections, limits.unauthenticated_per_address),
            inbound,
            handshake: limits.handshake,
            client_frame_bytes: limits.client_frame_bytes,
        };
        let mut tasks = JoinSet::new();
        let (connected, connected_seen) = watch::channel(0);
        let dialers = dialers(&config.replicas, &config.addresses, &identity, hello, &limits.link)?;
        let link = |dialer: Dialer| {
            let seen = peers.seen(config.replicas.key(dialer.peer));
            let (expect, is_other) = (Expect::Nothing, dialer.peer != config.id);
            is_other.then(|| Link::start(&mut tasks, dialer, expect, limits.link, connected.clone(), seen))
        };
        let links = dialers.into_iter().map(link).collect();
        let (stop, stopped) = watch::channel(());
        let (running, ended) = watch::channel(());
        runtime.spawn(async move {
            acceptor.run(listener, tasks, stopped).await;
            drop(running);
        });
        let replicas = config.replicas;
        let inner = Inner { replicas, links, peers, address, connected: connected_seen, stop, ended };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Queues an answer for a client. Never waits: a client that is so slow that there is no room for it is cut off, and
    /// an answer for one that is gone is forgotten.
    pub fn answer(&self, connection: ConnectionId, answer: ClientAnswer) {
        self.inner.peers.answer(connection, answer);
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.address
    }

    /// How the links to all other replicas are, by id.
    #[must_use]
    pub fn links(&self) -> Vec<LinkState> {
        let state = |link: &Link| {
            let key = self.inner.replicas.key(link.peer());
            let (frames, bytes) = key.map_or((0, 0), |key| self.inner.peers.received(key));
            link.state(frames, bytes)
        };
        self.inner.links.iter().flatten().map(state).collect()
    }

    /// How many links are connected, now and whenever a link changes or fails to connect.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<usize> {
        self.inner.connected.clone()
    }

    /// How many connections were refused or cut off, by reason, now and whenever it changes.
    #[must_use]
    pub fn cut_offs(&self) -> watch::Receiver<CutOffs> {
        self.inner.peers.cut_offs.watch()
    }

    /// Ends all connections and tasks, and returns when they have ended. The port is free then.
    pub async fn shutdown(&self) {
        self.inner.stop.send_replace(());
        let mut ended = self.inner.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}

impl Network for Transport {
    fn send(&mut self, to: ReplicaId, message: &Message) {
        let Some(Some(link)) = self.inner.links.get(to.index()) else { return };
        if !link.takes_frames() {
            return link.count_dropped();
        }
        if let Some(frame) = encode(message) {
            link.send(frame);
        }
    }

    fn broadcast(&mut self, message: &Message) {
        let links = || self.inner.links.iter().flatten();
        if !links().any(Link::takes_frames) {
            return links().for_each(Link::count_dropped);
        }
        if let Some(frame) = encode(message) {
            links().for_each(|link| link.send(frame.clone()));
        }
    }
}

fn encode(message: &Message) -> Option<Bytes> {
    match wire::encode(message) {
        Ok(bytes) => Some(bytes.into()),
        Err(error) => {
            // The bounds of a valid configuration leave no way to get here.
            tracing::error!(kind = message.kind(), %error, "a message cannot be sent");
            None
        }
    }
}

/// How to reach each replica, by id.
pub(crate) fn dialers(
    replicas: &ReplicaSet,
    addresses: &[SocketAddr],
    identity: &TlsIdentity,
    hello: Hello,
    limits: &LinkLimits,
) -> Result<Vec<Dialer>, crate::tls::TlsError> {
    let dialer = |(peer, address): (ReplicaId, &SocketAddr)| {
        let key = *replicas.key(peer)?;
        let dialer = |tls| Dialer { peer, address: *address, tls, hello, handshake: limits.handshake };
        Some(identity.connector(key).map(dialer))
    };
    replicas.ids().zip(addresses).filter_map(dialer).collect()
}
