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

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};
use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;
use pbft_core::{Message, ReplicaId, config::ReplicaSet, network::Network, wire};
use pbft_crypto::{KeyPair, PublicKey};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};

pub(crate) use self::config::REPLICA_FRAME_BYTES;
#[cfg(test)]
pub(crate) use self::protocol::Share;
use self::{
    accept::{Acceptor, LinkFuture},
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
    protocol::{
        ClientAnswer, ClientRequest, ConnectionId, Inbound, MAX_READS_IN_FRAME, Quota, ReplicaReport,
    },
    queue::QueueLimits,
};
use crate::tls::{TlsError, TlsIdentity};

/// One replica's connections. A handle: clones are the same transport, which ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Transport {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: ReplicaId,
    identity: TlsIdentity,
    hello: Hello,
    limits: LinkLimits,
    links: RwLock<BTreeMap<ReplicaId, PeerLink>>,
    /// How many messages were for replicas that it does not dial.
    unreachable: AtomicU64,
    starts: mpsc::UnboundedSender<LinkFuture>,
    peers: Arc<Peers>,
    address: SocketAddr,
    connected: watch::Sender<usize>,
    stop: watch::Sender<()>,
    ended: watch::Receiver<()>,
}

/// A link, and to whom it leads.
#[derive(Debug)]
struct PeerLink {
    key: PublicKey,
    address: SocketAddr,
    link: Link,
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

        let peers = Peers::new(&config)?;
        let identity = TlsIdentity::new(key)?;
        let hello = Hello::new(config.cluster, Role::Replica(config.id));
        let limits = &config.limits;
        let acceptor = Acceptor {
            tls: identity.acceptor(peers.allowed().clone())?,
            hello,
            peers: peers.clone(),
            door: Door::new(limits.connections, limits.unauthenticated_per_address),
            inbound,
            handshake: limits.handshake,
            client_frame_bytes: limits.client_frame_bytes,
        };
        let (connected, _) = watch::channel(0);
        let (starts, started) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(());
        let (running, ended) = watch::channel(());
        runtime.spawn(async move {
            acceptor.run(listener, started, stopped).await;
            drop(running);
        });
        let (id, limits, links) = (config.id, limits.link, RwLock::default());
        let inner = Inner {
            id,
            identity,
            hello,
            limits,
            links,
            unreachable: AtomicU64::new(0),
            starts,
            peers,
            address,
            connected,
            stop,
            ended,
        };
        let transport = Self { inner: Arc::new(inner) };
        let addresses = config.replicas.ids().zip(config.addresses).collect();
        transport.connect(config.replicas.members(), &addresses)?;
        Ok(transport)
    }

    /// RE-5: lets these replicas in from now on, dials `members` where they are said to be, and hangs up on all others. Who
    /// keeps key and address keeps its connection.
    ///
    /// # Errors
    /// If a key is none; nothing has changed then.
    pub fn update(
        &self,
        admitted: impl IntoIterator<Item = (ReplicaId, PublicKey)>,
        members: &ReplicaSet,
        addresses: &BTreeMap<ReplicaId, SocketAddr>,
    ) -> Result<(), TlsError> {
        self.inner.peers.let_in(admitted)?;
        self.connect(members.members(), addresses)
    }

    fn connect(
        &self,
        members: &[(ReplicaId, PublicKey)],
        addresses: &BTreeMap<ReplicaId, SocketAddr>,
    ) -> Result<(), TlsError> {
        let inner = &*self.inner;
        let mut before = inner.lock();
        let mut links = BTreeMap::new();
        for (peer, key) in members.iter().filter(|(peer, _)| *peer != inner.id) {
            let Some(address) = addresses.get(peer) else { continue };
            let same = |link: &PeerLink| (link.key, link.address) == (*key, *address);
            let link = match before.remove(peer).filter(same) {
                Some(link) => link,
                None => inner.dial(*peer, *key, *address)?,
            };
            links.insert(*peer, link);
        }
        *before = links;
        Ok(())
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
        let state = |peer: &PeerLink| {
            let (frames, bytes) = self.inner.peers.received(&peer.key);
            peer.link.state(frames, bytes)
        };
        self.inner.read().values().map(state).collect()
    }

    /// How many messages were dropped since they were for replicas that it does not dial: former members, or such whose
    /// address it does not know.
    #[must_use]
    pub fn unreachable(&self) -> u64 {
        self.inner.unreachable.load(Ordering::Relaxed)
    }

    /// How many links are connected, now and whenever a link changes or fails to connect.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<usize> {
        self.inner.connected.subscribe()
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
        let links = self.inner.read();
        let Some(PeerLink { link, .. }) = links.get(&to) else {
            self.inner.unreachable.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if !link.takes_frames() {
            return link.count_dropped();
        }
        if let Some(frame) = encode(message) {
            link.send(frame);
        }
    }

    fn broadcast(&mut self, message: &Message) {
        let links = self.inner.read();
        let links = || links.values().map(|peer| &peer.link);
        if !links().any(Link::takes_frames) {
            return links().for_each(Link::count_dropped);
        }
        if let Some(frame) = encode(message) {
            links().for_each(|link| link.send(frame.clone()));
        }
    }
}

impl Inner {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ReplicaId, PeerLink>> {
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> RwLockWriteGuard<'_, BTreeMap<ReplicaId, PeerLink>> {
        self.links.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn dial(&self, peer: ReplicaId, key: PublicKey, address: SocketAddr) -> Result<PeerLink, TlsError> {
        let (tls, hello, handshake) = (self.identity.connector(key)?, self.hello, self.limits.handshake);
        let dialer = Dialer { peer, address, tls, hello, handshake };
        let seen = self.peers.seen(&key);
        let (link, task) = Link::new(dialer, Expect::Nothing, self.limits, self.connected.clone(), seen);
        // If nobody takes it, the transport is shut down.
        let _ = self.starts.send(Box::pin(task));
        Ok(PeerLink { key, address, link })
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
