//! Clusters of transports on loopback, for tests.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use pbft_core::{
    Epoch, Message, ReplicaId, Seq, View,
    config::ReplicaSet,
    message::Status,
    wire::{decode, encode},
};
use pbft_crypto::{Digest, KeyPair};
use pbft_node::{
    tls::{AllowedKeys, TlsIdentity},
    transport::{
        Hello, Inbound, LinkState, QueueLimits, Role, TRANSPORT_VERSION, Transport, TransportConfig,
        TransportLimits, Welcome,
    },
};
use rustls::pki_types::ServerName;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use tokio_rustls::TlsStream;

/// Far more than any of this takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const CLUSTER: Digest = Digest::from_bytes([42; 32]);

/// Waits for something that must come.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it must not take so long")
}

/// Keys, ports and addresses of a cluster; its replicas are started one by one.
pub(crate) struct Cluster {
    pub(crate) keys: Vec<KeyPair>,
    pub(crate) client_key: KeyPair,
    pub(crate) listeners: Vec<Option<TcpListener>>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) limits: TransportLimits,
}

/// A started transport, and what comes out of it.
pub(crate) struct Node {
    pub(crate) transport: Transport,
    pub(crate) inbound: mpsc::Receiver<Inbound>,
}

impl Cluster {
    pub(crate) fn new(count: usize) -> Self {
        let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let mut limits = TransportLimits::default();
        limits.link.max_backoff = Duration::from_millis(50);
        Self {
            keys: (0..count).map(|_| KeyPair::generate()).collect(),
            client_key: KeyPair::generate(),
            addresses: listeners.iter().map(|listener| listener.local_addr().unwrap()).collect(),
            listeners: listeners.into_iter().map(Some).collect(),
            limits,
        }
    }

    pub(crate) fn replicas(&self) -> ReplicaSet {
        ReplicaSet::new(self.keys.iter().map(KeyPair::public_key).collect())
    }

    pub(crate) fn config(&self, index: u16) -> TransportConfig {
        TransportConfig {
            id: ReplicaId::new(index),
            cluster: CLUSTER,
            replicas: self.replicas(),
            addresses: self.addresses.clone(),
            clients: vec![self.client_key.public_key()],
            limits: self.limits,
        }
    }

    pub(crate) fn start(&mut self, index: u16) -> Node {
        self.start_with(self.config(index), 10_000)
    }

    pub(crate) fn start_with(&mut self, config: TransportConfig, capacity: usize) -> Node {
        let index = config.id.index();
        let listener = match self.listeners[index].take() {
            Some(listener) => listener,
            None => TcpListener::bind(self.addresses[index]).unwrap(),
        };
        let (sender, inbound) = mpsc::channel(capacity);
        let transport = Transport::start(config, listener, &self.keys[index], sender).unwrap();
        Node { transport, inbound }
    }

    pub(crate) fn start_all(&mut self) -> Vec<Node> {
        (0..).take(self.keys.len()).map(|index| self.start(index)).collect()
    }

    /// A connection to replica `to` with any key, after TLS and before the hello.
    pub(crate) async fn dial(&self, to: usize, key: &KeyPair) -> std::io::Result<RawPeer> {
        let connector = TlsIdentity::new(key).unwrap().connector(self.keys[to].public_key()).unwrap();
        let socket = TcpStream::connect(self.addresses[to]).await?;
        let name = ServerName::IpAddress(self.addresses[to].ip().into());
        let stream = connector.connect(name, socket).await?;
        Ok(RawPeer { stream: stream.into() })
    }

    /// A connection as a client that was welcomed.
    pub(crate) async fn dial_as_client(&self, to: usize) -> RawPeer {
        let mut peer = soon(self.dial(to, &self.client_key)).await.unwrap();
        peer.write(&hello(Role::Client)).await;
        let welcome = peer.read::<Welcome>().await;
        assert!(matches!(welcome, Some(Welcome::Accepted(_))), "{welcome:?}");
        peer
    }

    /// Plays replica `index`: accepts one connection, welcomes it, and does no more with it.
    pub(crate) async fn accept_one(&mut self, index: u16) -> RawPeer {
        let index_usize = usize::from(index);
        let listener = self.listeners[index_usize].take().unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let keys = self.keys.iter().map(KeyPair::public_key);
        let acceptor = TlsIdentity::new(&self.keys[index_usize])
            .unwrap()
            .acceptor(AllowedKeys::new(keys).unwrap())
            .unwrap();
        let (socket, _) = soon(listener.accept()).await.unwrap();
        let stream = soon(acceptor.accept(socket)).await.unwrap();
        let mut peer = RawPeer { stream: stream.into() };
        assert_eq!(peer.read::<Hello>().await.unwrap().cluster, CLUSTER);
        peer.write(&Welcome::Accepted(hello(Role::Replica(ReplicaId::new(index))))).await;
        peer
    }
}

impl Node {
    /// Waits until `count` links are connected.
    pub(crate) async fn connected(&self, count: usize) {
        soon(self.transport.connected().wait_for(|connected| *connected >= count)).await.unwrap();
    }

    /// Waits until a link is as wanted.
    pub(crate) async fn link_is(&self, peer: u16, wanted: impl Fn(&LinkState) -> bool) -> LinkState {
        let mut changed = self.transport.connected();
        loop {
            changed.mark_unchanged();
            let link = self.link(peer);
            if wanted(&link) {
                return link;
            }
            soon(changed.changed()).await.unwrap();
        }
    }

    pub(crate) fn link(&self, peer: u16) -> LinkState {
        let links = self.transport.links();
        links.into_iter().find(|link| link.peer == ReplicaId::new(peer)).expect("a link to the peer")
    }

    /// The next message from a replica.
    pub(crate) async fn message(&mut self) -> (u16, Message) {
        match soon(self.inbound.recv()).await {
            Some(Inbound::Replica { from, message, .. }) => (from.value(), message),
            other => panic!("{other:?} instead of a message"),
        }
    }
}

/// The other end of a connection, frame by frame, by hand.
pub(crate) struct RawPeer {
    pub(crate) stream: TlsStream<TcpStream>,
}

impl RawPeer {
    pub(crate) async fn write(&mut self, value: &impl Serialize) {
        let payload = encode(value).unwrap();
        self.write_raw(u32::try_from(payload.len()).unwrap(), &payload).await;
    }

    pub(crate) async fn write_raw(&mut self, length: u32, payload: &[u8]) {
        let frame = [&length.to_le_bytes()[..], payload].concat();
        soon(self.stream.write_all(&frame)).await.unwrap();
        soon(self.stream.flush()).await.unwrap();
    }

    /// The next frame, or nothing if the connection ends first.
    pub(crate) async fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        let length = soon(self.stream.read_u32_le()).await.ok()?;
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        soon(self.stream.read_exact(&mut payload)).await.ok()?;
        Some(decode(&payload).unwrap())
    }

    /// Waits for the end, and says whether it came without any byte before it.
    pub(crate) async fn is_hung_up(&mut self) -> bool {
        soon(self.stream.read_u8()).await.is_err()
    }
}

pub(crate) fn hello(role: Role) -> Hello {
    Hello { version: TRANSPORT_VERSION, cluster: CLUSTER, role }
}

/// A message with a number in it.
pub(crate) fn message(number: u64) -> Message {
    let (view, seq) = (View::ZERO, Seq::new(number));
    let (epoch, known) = (Epoch::ZERO, Epoch::ZERO);
    Message::Status(Status {
        view,
        active: true,
        executed: seq,
        stable: seq,
        slots: Vec::new(),
        epoch,
        known,
        certified: seq,
        first: seq.next(),
        votes: true,
        left: false,
        needs: None,
        heard: None,
    })
}

/// A message of about so many bytes.
pub(crate) fn large_message(bytes: usize) -> Message {
    let Message::Status(status) = message(0) else { unreachable!() };
    Message::Status(Status { slots: vec![pbft_core::message::SlotStatus::Empty; bytes], ..status })
}

pub(crate) const fn small_queue(count: usize, bytes: usize) -> QueueLimits {
    QueueLimits { count, bytes }
}
