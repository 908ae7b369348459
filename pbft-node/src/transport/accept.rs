//! Accepting: one loop that only accepts, and a task for each connection that does the rest.

use core::{pin::Pin, time::Duration};
use std::{io, net::SocketAddr, sync::Arc};

use pbft_crypto::PublicKey;
use rustls::{CertificateError, Error as TlsError};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    cut_off::{CutOff, Who},
    dial::{Connection, tune},
    door::{Door, Place},
    frame::FrameError,
    hello::{Hello, HelloError, Welcome},
    peers::{Peers, Seated, SeatedAs},
    protocol::Inbound,
    receive,
};
use crate::{
    sparing::Sparing,
    tls::{proved_key, tls_error},
};

/// When the system has no sockets left, others must end first.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// A task that keeps a link up.
pub(crate) type LinkFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// All that a new connection needs.
#[derive(Clone)]
pub(crate) struct Acceptor {
    pub(crate) tls: TlsAcceptor,
    pub(crate) hello: Hello,
    pub(crate) peers: Arc<Peers>,
    pub(crate) door: Arc<Door>,
    pub(crate) inbound: mpsc::Sender<Inbound>,
    pub(crate) handshake: Duration,
    pub(crate) client_frame_bytes: usize,
}

impl Acceptor {
    /// Accepts until told to stop, or until whoever could tell is gone; then ends all tasks, also those that came out of
    /// `links`.
    pub(crate) async fn run(
        self,
        listener: TcpListener,
        mut links: mpsc::UnboundedReceiver<LinkFuture>,
        mut stop: watch::Receiver<()>,
    ) {
        let (mut tasks, lines) = (JoinSet::new(), Sparing::default());
        loop {
            tokio::select! {
                _ = stop.changed() => break,
                Some(link) = links.recv() => {
                    tasks.spawn(link);
                }
                Some(ended) = tasks.join_next() => report_panic(ended),
                accepted = listener.accept() => match accepted {
                    Ok((socket, address)) => self.receive(socket, address, &mut tasks),
                    Err(error) => {
                        if let Some(left_out) = lines.may_say(()) {
                            tracing::warn!(%error, left_out, "cannot accept a connection");
                        }
                        sleep(ACCEPT_RETRY).await;
                    }
                },
            }
        }
        drop(listener);
        tasks.shutdown().await;
    }

    fn receive(&self, socket: TcpStream, address: SocketAddr, tasks: &mut JoinSet<()>) {
        match self.door.enter(address.ip()) {
            Ok(place) => {
                let acceptor = self.clone();
                tasks.spawn(async move { acceptor.serve(socket, address, place).await });
            }
            Err(reason) => self.cut_off(reason, Who::Stranger, address),
        }
    }

    async fn serve(&self, socket: TcpStream, address: SocketAddr, mut place: Place) {
        let greeting = timeout(self.handshake, self.greet(socket));
        let (connection, seated) = match greeting.await.unwrap_or(Err(CutOff::HandshakeTooSlow)) {
            Ok(greeted) => greeted,
            Err(reason) => return self.cut_off(reason, Who::Stranger, address),
        };
        place.authenticated();
        let who = match seated.as_what {
            SeatedAs::Replica(id) => Who::Replica(id),
            SeatedAs::Client(..) => Who::Client,
        };
        tracing::debug!(%address, as_what = ?seated.as_what, "accepted");
        let ended = receive::serve(connection, seated, &self.inbound, self.client_frame_bytes).await;
        match ended {
            Some(reason) => self.cut_off(reason, who, address),
            None => tracing::debug!(%address, "closed"),
        }
        drop(place);
    }

    /// TLS, and then who it is.
    async fn greet(&self, socket: TcpStream) -> Result<(Connection, Seated), CutOff> {
        tune(&socket).map_err(|_| CutOff::HandshakeAborted)?;
        let stream = self.tls.accept(socket).await.map_err(|error| why_no_tls(&error))?;
        let key = proved_key(stream.get_ref().1.peer_certificates()).ok_or(CutOff::UnknownKey)?;
        let mut connection = Connection::new(stream.into());
        let hello = Hello::listen(&mut connection.reader).await.map_err(|error| why_no_hello(&error))?;
        let (welcome, seated) = match self.judge(&hello, key) {
            Ok(seated) => (Welcome::Accepted(self.hello), Ok(seated)),
            Err(CutOff::Refused(refusal)) => (Welcome::Refused(refusal), Err(CutOff::Refused(refusal))),
            Err(reason) => return Err(reason),
        };
        let said = welcome.say(&mut connection.writer).await;
        let seated = seated?;
        said.map_err(|_| CutOff::HandshakeAborted)?;
        Ok((connection, seated))
    }

    fn judge(&self, hello: &Hello, key: PublicKey) -> Result<Seated, CutOff> {
        self.hello.check(hello).map_err(CutOff::Refused)?;
        self.peers.seat(key, hello.role)
    }

    fn cut_off(&self, reason: CutOff, who: Who, address: SocketAddr) {
        let Some(left_out) = self.peers.cut_offs.count(reason, who) else { return };
        match reason {
            // Anyone can cause these as often as they like.
            CutOff::TooManyConnections | CutOff::TooManyFromAddress | CutOff::HandshakeAborted => {
                tracing::debug!(%address, %reason, left_out, "cut off");
            }
            _ => tracing::warn!(%address, %reason, left_out, "cut off"),
        }
    }
}

fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

fn why_no_tls(error: &io::Error) -> CutOff {
    match tls_error(error) {
        Some(
            TlsError::InvalidCertificate(CertificateError::Other(_)) | TlsError::NoCertificatesPresented,
        ) => CutOff::UnknownKey,
        Some(TlsError::PeerIncompatible(_)) => CutOff::OldTls,
        Some(TlsError::InvalidMessage(_)) => CutOff::NotTls,
        Some(_) => CutOff::BadHandshake,
        None => CutOff::HandshakeAborted,
    }
}

fn why_no_hello(error: &HelloError) -> CutOff {
    match error {
        HelloError::Frame(FrameError::TooLong { .. }) | HelloError::Malformed(_) => CutOff::MalformedHello,
        _ => CutOff::HandshakeAborted,
    }
}
