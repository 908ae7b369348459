//! Everyone who must not get in, or not stay.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pbft_core::{
    ClientId, ReplicaId, RequestId, RequestNumber, Seq, View, message::Reply, network::Network,
    service::Outcome,
};
use pbft_crypto::{Digest, KeyPair};
use pbft_node::{
    tls::{AllowedKeys, TlsIdentity},
    transport::{
        ClientAnswer, ClientRequest, CutOff, Hello, Inbound, LinkError, Refusal, Role, TRANSPORT_VERSION,
        TransportError, Welcome,
    },
};
use rustls::{
    ClientConfig, RootCertStore, SignatureScheme,
    client::ResolvesClientCert,
    crypto::aws_lc_rs::{default_provider, sign::any_ecdsa_type},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::TLS12,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::net::{Cluster, Node, hello, message, small_queue, soon};

impl Node {
    /// Waits until `reason` has been counted `count` times.
    async fn counted(&self, reason: CutOff, count: u64) {
        let mut counts = self.transport.cut_offs();
        let reached = counts.wait_for(|counts| counts.get(&reason).copied().unwrap_or(0) >= count);
        assert_eq!(soon(reached).await.unwrap().get(&reason), Some(&count));
    }
}

/// Waits until the other side hangs up.
async fn closed(socket: &mut TcpStream) {
    // In order or by a reset: both are an end.
    drop(soon(socket.read_to_end(&mut Vec::new())).await);
}

#[tokio::test]
async fn unknown_keys_are_refused() {
    let mut cluster = Cluster::new(2);
    let node = cluster.start(0);
    let mut stranger = cluster.dial(0, &KeyPair::generate()).await.unwrap();
    // The server's verdict comes after the client's part of the handshake is done.
    assert!(stranger.is_hung_up().await);
    node.counted(CutOff::UnknownKey, 1).await;
    cluster.dial_as_client(0).await;
}

/// Shows a certificate, or none, and signs with a key that need not be the one in it.
#[derive(Debug)]
struct Shown(Option<Arc<CertifiedKey>>);

impl Shown {
    fn stolen(certificate: CertificateDer<'static>) -> Self {
        let own = KeyPair::generate().to_pkcs8_der();
        let own = any_ecdsa_type(&PrivatePkcs8KeyDer::from(own.as_slice()).into()).unwrap();
        Self(Some(Arc::new(CertifiedKey::new(vec![certificate], own))))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}

/// Replica `index`'s certificate: anyone who dials it gets to see it.
async fn certificate_of(cluster: &Cluster, index: usize) -> CertificateDer<'static> {
    let peer = soon(cluster.dial(index, &KeyPair::generate())).await.unwrap();
    peer.stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

/// Dials replica 0 and shows what is given.
async fn dial_with(cluster: &Cluster, shown: Shown) -> TlsStream<TcpStream> {
    let identity = TlsIdentity::new(&KeyPair::generate()).unwrap();
    let connector = identity.connector(cluster.keys[0].public_key()).unwrap();
    let mut config = (**connector.config()).clone();
    config.client_auth_cert_resolver = Arc::new(shown);
    let socket = TcpStream::connect(cluster.addresses[0]).await.unwrap();
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let connector = TlsConnector::from(Arc::new(config));
    soon(connector.connect(name, socket)).await.unwrap().into()
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let mut cluster = Cluster::new(2);
    let node = cluster.start(0);
    let mut stream = dial_with(&cluster, Shown(None)).await;
    assert!(soon(stream.read_u8()).await.is_err());
    node.counted(CutOff::UnknownKey, 1).await;
}

#[tokio::test]
async fn a_certificate_without_its_secret_key_lets_nobody_in() {
    let mut cluster = Cluster::new(2);
    let node = cluster.start(0);
    let second = cluster.start(1);
    let certificate = certificate_of(&cluster, 1).await;
    second.transport.shutdown().await;
    let mut stream = dial_with(&cluster, Shown::stolen(certificate)).await;
    assert!(soon(stream.read_u8()).await.is_err());
    node.counted(CutOff::BadHandshake, 1).await;
}

#[tokio::test]
async fn a_certificate_without_its_secret_key_makes_no_replica() {
    let mut cluster = Cluster::new(2);
    let second = cluster.start(1);
    let certificate = certificate_of(&cluster, 1).await;
    second.transport.shutdown().await;
    let acceptor = TlsIdentity::new(&cluster.keys[1])
        .unwrap()
        .acceptor(AllowedKeys::new([cluster.keys[0].public_key()]).unwrap());
    let mut config = (**acceptor.unwrap().config()).clone();
    config.cert_resolver = Arc::new(Shown::stolen(certificate));
    let impostor = TcpListener::bind(cluster.addresses[1]).await.unwrap();
    let node = cluster.start(0);
    let (socket, _) = soon(impostor.accept()).await.unwrap();
    assert!(soon(TlsAcceptor::from(Arc::new(config)).accept(socket)).await.is_err());
    let link = node.link_is(1, |link| link.last_error.is_some()).await;
    assert!(matches!(link.last_error.as_deref(), Some(LinkError::Tls(_))), "{link:?}");
}

#[tokio::test]
async fn plaintext_is_refused() {
    let mut cluster = Cluster::new(2);
    let node = cluster.start(0);
    let mut socket = TcpStream::connect(cluster.addresses[0]).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    closed(&mut socket).await;
    node.counted(CutOff::NotTls, 1).await;
}

/// Counts what a node warns of.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicU64>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN && metadata.target().starts_with("pbft_node")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Anyone who reaches the port can be refused as often as they like: each time counts, and some of them make a line.
#[tokio::test]
async fn strangers_do_not_fill_the_log() {
    const STRANGERS: u64 = 100;
    let warnings = Warnings::default();
    let _here = tracing::subscriber::set_default(warnings.clone());
    let mut cluster = Cluster::new(2);
    let node = cluster.start(0);
    let started = Instant::now();
    for _ in 0..STRANGERS {
        let mut socket = TcpStream::connect(cluster.addresses[0]).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        closed(&mut socket).await;
    }
    node.counted(CutOff::NotTls, STRANGERS).await;
    let (lines, most) = (warnings.0.load(Ordering::Relaxed), 1 + started.elapsed().as_secs());
    assert!(lines >= 1 && lines <= most && most < STRANGERS, "{lines} lines, {most} would do");
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let mut cluster = Cluster::new(2);
    let node = cluster.start(0);
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let socket = TcpStream::connect(cluster.addresses[0]).await.unwrap();
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let old = TlsConnector::from(Arc::new(config));
    assert!(soon(old.connect(name, socket)).await.is_err());
    node.counted(CutOff::OldTls, 1).await;
}

#[tokio::test]
async fn a_hello_that_does_not_fit_is_refused_with_the_reason() {
    let mut cluster = Cluster::new(3);
    let node = cluster.start(0);
    let (replica, client) = (&cluster.keys[1], &cluster.client_key);
    let id = |index| Role::Replica(ReplicaId::new(index));
    let other_version = Hello { version: TRANSPORT_VERSION + 1, ..hello(id(1)) };
    let other_cluster = Hello { cluster: Digest::ZERO, ..hello(id(1)) };
    let cases = [
        (replica, other_version, Refusal::Version { spoken: TRANSPORT_VERSION }),
        (replica, other_cluster, Refusal::OtherCluster),
        (replica, hello(id(2)), Refusal::WrongReplica),
        (replica, hello(id(0)), Refusal::WrongReplica),
        (replica, hello(id(7)), Refusal::WrongReplica),
        (client, hello(id(1)), Refusal::WrongReplica),
        (&cluster.keys[0], hello(id(0)), Refusal::WrongReplica),
    ];
    for (key, said, refusal) in cases {
        let mut peer = soon(cluster.dial(0, key)).await.unwrap();
        peer.write(&said).await;
        assert_eq!(peer.read::<Welcome>().await, Some(Welcome::Refused(refusal)), "{said:?}");
        assert!(peer.is_hung_up().await);
    }
    node.counted(CutOff::Refused(Refusal::WrongReplica), 5).await;
    node.counted(CutOff::Refused(Refusal::OtherCluster), 1).await;
}

#[tokio::test]
async fn a_replica_s_key_may_be_a_client() {
    let mut cluster = Cluster::new(2);
    let _node = cluster.start(0);
    let mut peer = soon(cluster.dial(0, &cluster.keys[1])).await.unwrap();
    peer.write(&hello(Role::Client)).await;
    assert!(matches!(peer.read::<Welcome>().await, Some(Welcome::Accepted(_))));
}

#[tokio::test]
async fn a_first_frame_that_is_no_hello_is_refused() {
    let mut cluster = Cluster::new(2);
    let node = cluster.start(0);
    for (length, payload) in [(3, &b"abc"[..]), (1 << 20, &[][..]), (0, &[][..])] {
        let mut peer = soon(cluster.dial(0, &cluster.client_key)).await.unwrap();
        peer.write_raw(length, payload).await;
        assert!(peer.is_hung_up().await);
    }
    node.counted(CutOff::MalformedHello, 3).await;
}

#[tokio::test]
async fn frames_too_long_or_malformed_end_the_connection_and_no_other() {
    let mut cluster = Cluster::new(2);
    let mut node = cluster.start(0);
    let mut other = cluster.start(1);
    other.connected(1).await;

    let mut long = cluster.dial_as_client(0).await;
    long.write_raw((2 << 20) + 1, b"").await;
    assert!(long.is_hung_up().await);
    node.counted(CutOff::FrameTooLong, 1).await;

    let mut garbage = cluster.dial_as_client(0).await;
    garbage.write(&ClientRequest::Report).await;
    garbage.write_raw(5, &[1, 2, 3, 4, 5]).await;
    assert!(garbage.is_hung_up().await);
    node.counted(CutOff::MalformedFrame, 1).await;

    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(soon(node.inbound.recv()).await.unwrap());
    }
    let [Inbound::ClientGone(first), Inbound::Client { connection, .. }, Inbound::ClientGone(second)] =
        &events[..]
    else {
        panic!("{events:?}");
    };
    assert!(connection == second && first != second);
    other.transport.send(ReplicaId::new(0), &message(5));
    assert_eq!(node.message().await, (1, message(5)));
}

#[tokio::test]
async fn an_oversize_frame_of_a_replica_is_refused() {
    let mut cluster = Cluster::new(2);
    let node = cluster.start(0);
    let mut peer = soon(cluster.dial(0, &cluster.keys[1])).await.unwrap();
    peer.write(&hello(Role::Replica(ReplicaId::new(1)))).await;
    assert!(matches!(peer.read::<Welcome>().await, Some(Welcome::Accepted(_))));
    peer.write_raw(u32::MAX, b"").await;
    assert!(peer.is_hung_up().await);
    node.counted(CutOff::FrameTooLong, 1).await;
}

#[tokio::test]
async fn a_newer_connection_of_a_replica_replaces_the_older() {
    let mut cluster = Cluster::new(2);
    let mut node = cluster.start(0);
    let mut peers = Vec::new();
    for _ in 0..2 {
        let mut peer = soon(cluster.dial(0, &cluster.keys[1])).await.unwrap();
        peer.write(&hello(Role::Replica(ReplicaId::new(1)))).await;
        assert!(matches!(peer.read::<Welcome>().await, Some(Welcome::Accepted(_))));
        peers.push(peer);
    }
    assert!(peers[0].is_hung_up().await);
    peers[1].write(&message(9)).await;
    assert_eq!(node.message().await, (1, message(9)));
}

#[tokio::test]
async fn a_slow_handshake_ends_in_time_and_holds_up_nobody() {
    let mut cluster = Cluster::new(2);
    // Two others must be through with theirs in that time, also on a busy machine.
    cluster.limits.handshake = Duration::from_secs(5);
    let node = cluster.start(0);
    let mut silent = TcpStream::connect(cluster.addresses[0]).await.unwrap();
    let mut no_hello = soon(cluster.dial(0, &cluster.client_key)).await.unwrap();
    cluster.dial_as_client(0).await;
    closed(&mut silent).await;
    assert!(no_hello.is_hung_up().await);
    node.counted(CutOff::HandshakeTooSlow, 2).await;
}

#[tokio::test]
async fn connections_are_bounded_in_total() {
    let mut cluster = Cluster::new(2);
    cluster.limits.connections = 2;
    let node = cluster.start(0);
    let first = cluster.dial_as_client(0).await;
    let _second = cluster.dial_as_client(0).await;
    let mut third = TcpStream::connect(cluster.addresses[0]).await.unwrap();
    closed(&mut third).await;
    node.counted(CutOff::TooManyConnections, 1).await;
    drop(first);
    // Its place is free when its end is noticed; until then a try may come too early.
    soon(async { while cluster.dial(0, &cluster.client_key).await.is_err() {} }).await;
}

#[tokio::test]
async fn unauthenticated_connections_are_bounded_by_address() {
    let mut cluster = Cluster::new(2);
    cluster.limits.unauthenticated_per_address = 1;
    let node = cluster.start(0);
    let _authenticated = cluster.dial_as_client(0).await;
    let _silent = TcpStream::connect(cluster.addresses[0]).await.unwrap();
    let mut refused = TcpStream::connect(cluster.addresses[0]).await.unwrap();
    closed(&mut refused).await;
    node.counted(CutOff::TooManyFromAddress, 1).await;
}

#[tokio::test]
async fn connections_of_clients_are_bounded_by_key_and_in_total() {
    let mut cluster = Cluster::new(2);
    cluster.limits.connections_per_client = 1;
    cluster.limits.client_connections = 2;
    let extra = KeyPair::generate();
    let mut config = cluster.config(0);
    config.clients.push(extra.public_key());
    let node = cluster.start_with(config, 10);
    let _first = cluster.dial_as_client(0).await;
    let expected = [
        (&cluster.client_key, Some(Refusal::TooManyClients)),
        (&extra, None),
        (&cluster.keys[1], Some(Refusal::TooManyClients)),
    ];
    let mut peers = Vec::new();
    for (key, refusal) in expected {
        let mut peer = soon(cluster.dial(0, key)).await.unwrap();
        peer.write(&hello(Role::Client)).await;
        match peer.read::<Welcome>().await.unwrap() {
            Welcome::Accepted(_) => assert_eq!(refusal, None),
            Welcome::Refused(given) => assert_eq!(refusal, Some(given)),
        }
        peers.push(peer);
    }
    node.counted(CutOff::Refused(Refusal::TooManyClients), 2).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let mut cluster = Cluster::new(2);
    cluster.limits.answers = small_queue(1000, 1 << 20);
    let mut node = cluster.start(0);
    let mut client = cluster.dial_as_client(0).await;
    client.write(&ClientRequest::Report).await;
    let Some(Inbound::Client { connection, request: ClientRequest::Report, .. }) =
        soon(node.inbound.recv()).await
    else {
        panic!("no request");
    };
    let id = RequestId { client: ClientId::from_bytes([1; 32]), number: RequestNumber::ZERO };
    let (request, outcome) = (Digest::ZERO, Outcome::Applied(vec![7; 100_000]));
    let reply = Reply { view: View::ZERO, seq: Seq::new(1), id, request, outcome };
    // 100 MB: far more than sockets and queue hold.
    for _ in 0..1000 {
        node.transport.answer(connection, ClientAnswer::Reply(reply.clone()));
    }
    node.counted(CutOff::ClientTooSlow, 1).await;
    assert!(matches!(soon(node.inbound.recv()).await, Some(Inbound::ClientGone(gone)) if gone == connection));
}

#[tokio::test]
async fn dialing_reaches_the_expected_replica_or_nobody() {
    let mut cluster = Cluster::new(3);
    let _second = cluster.start(1);
    let _third = cluster.start(2);
    let mut config = cluster.config(0);
    config.addresses.swap(1, 2);
    let first = cluster.start_with(config, 10);
    for peer in [1, 2] {
        let link = first.link_is(peer, |link| link.last_error.is_some()).await;
        assert!(matches!(link.last_error.as_deref(), Some(LinkError::Tls(_))), "{link:?}");
        assert!(!link.connected);
    }
}

#[tokio::test]
async fn a_configuration_that_does_not_fit_is_refused() {
    let cluster = Cluster::new(2);
    let start = |config, key| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (sender, _) = tokio::sync::mpsc::channel(1);
        pbft_node::transport::Transport::start(config, listener, key, sender).unwrap_err()
    };
    let error = start(cluster.config(0), &cluster.keys[1]);
    assert!(matches!(error, TransportError::NotThisReplica { .. }), "{error}");
    let mut config = cluster.config(0);
    config.addresses.pop();
    let error = start(config, &cluster.keys[0]);
    assert!(matches!(error, TransportError::Addresses { addresses: 1, replicas: 2 }), "{error}");
}
