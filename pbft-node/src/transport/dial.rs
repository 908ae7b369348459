//! Dialing a replica, and waiting between two tries.

use core::time::Duration;
use std::{io, net::SocketAddr};

use pbft_core::ReplicaId;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::{
    io::{ReadHalf, WriteHalf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, TlsStream};

use super::{
    config::LinkLimits,
    frame::{FrameError, FrameReader, FrameWriter},
    hello::{Hello, HelloError, MAX_HELLO_BYTES},
};

/// A connection whose two ends know each other.
pub(crate) struct Connection {
    pub(crate) reader: FrameReader<ReadHalf<TlsStream<TcpStream>>>,
    pub(crate) writer: FrameWriter<WriteHalf<TlsStream<TcpStream>>>,
}

impl Connection {
    /// Over a stream whose handshake is done. Takes small frames only, until told otherwise.
    pub(crate) fn new(stream: TlsStream<TcpStream>) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self { reader: FrameReader::new(read, MAX_HELLO_BYTES), writer: FrameWriter::new(write) }
    }
}

/// Why a link is down.
#[derive(Debug, Error)]
pub enum LinkError {
    /// Nobody answers there.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The peer is not the one expected, or does not speak our TLS.
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// The handshake took too long.
    #[error("the handshake took too long")]
    HandshakeTooSlow,
    /// The two sides do not agree.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The connection failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer hung up.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer takes nothing.
    #[error("the peer stopped reading")]
    Stalled,
    /// The peer sent what it must not, or what nobody can read.
    #[error("the peer sent a frame that is not expected here")]
    Unexpected,
    /// This side is done.
    #[error("the link is shut down")]
    ShutDown,
}

/// How to reach one replica.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) peer: ReplicaId,
    pub(crate) address: SocketAddr,
    pub(crate) tls: TlsConnector,
    pub(crate) hello: Hello,
    pub(crate) handshake: Duration,
}

impl Dialer {
    /// A connection to the replica, and to no one else.
    pub(crate) async fn dial(&self) -> Result<Connection, LinkError> {
        timeout(self.handshake, self.connect()).await.map_err(|_| LinkError::HandshakeTooSlow)?
    }

    async fn connect(&self) -> Result<Connection, LinkError> {
        let socket = TcpStream::connect(self.address).await.map_err(LinkError::Connect)?;
        tune(&socket).map_err(LinkError::Connect)?;
        // Not sent, and not checked: only the key counts.
        let name = ServerName::IpAddress(self.address.ip().into());
        let stream = self.tls.connect(name, socket).await.map_err(LinkError::Tls)?;
        let mut connection = Connection::new(stream.into());
        self.hello.introduce(self.peer, &mut connection.reader, &mut connection.writer).await?;
        Ok(connection)
    }
}

/// What is sent must be acknowledged within this. Without it the system sends again after ever longer pauses, up to two
/// minutes: a link over a network that loses everything for a while would stay silent for long after that is over.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Small messages go at once, and hosts that vanish are noticed.
pub(crate) fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let seconds = Duration::from_secs;
    let keepalive = TcpKeepalive::new().with_time(seconds(15)).with_interval(seconds(5));
    let socket = SockRef::from(socket);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.set_tcp_keepalive(&keepalive)
}

/// How long to wait between two tries: doubles each time, with jitter, so that replicas do not dial in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(limits: &LinkLimits) -> Self {
        Self { min: limits.min_backoff, max: limits.max_backoff, next: limits.min_backoff }
    }

    /// The next wait: between half of the step and the whole step.
    pub(crate) fn wait(&mut self) -> Duration {
        let step = self.next.min(self.max);
        self.next = step.saturating_mul(2);
        step.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// A connection was up for so long. One that fails at once is no success, else two sides that disagree would dial as
    /// fast as they can.
    pub(crate) fn was_up(&mut self, time: Duration) {
        if time >= self.next {
            self.reset();
        }
    }

    /// Starts anew.
    pub(crate) const fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_anew_after_a_success() {
        let (min, max) = (Duration::from_millis(20), Duration::from_secs(2));
        let mut backoff =
            Backoff::new(&LinkLimits { min_backoff: min, max_backoff: max, ..LinkLimits::default() });
        let mut step = min;
        for _ in 0..20 {
            let wait = backoff.wait();
            assert!(wait >= step / 2 && wait <= step, "{wait:?} for {step:?}");
            step = (step * 2).min(max);
        }
        backoff.was_up(Duration::from_millis(1));
        assert!(backoff.wait() >= max / 2, "a connection that failed at once is no success");
        backoff.was_up(Duration::from_secs(60));
        assert!(backoff.wait() <= min);
    }

    /// What the system does then is its own affair.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn both_ends_are_told_to_give_up_soon_what_nobody_acknowledges() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (dialed, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        for socket in [dialed.unwrap(), accepted.unwrap().0] {
            assert_eq!(SockRef::from(&socket).tcp_user_timeout().unwrap(), None);
            tune(&socket).unwrap();
            let timeout = SockRef::from(&socket).tcp_user_timeout().unwrap();
            assert!(timeout.is_some_and(|timeout| timeout <= LinkLimits::default().stall), "{timeout:?}");
        }
    }
}
