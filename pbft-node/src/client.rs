//! A client of a cluster: sends requests to all replicas, and believes what `f + 1` of them say.
//!
//! [`Client`] is a handle on one task that holds the protocol's client ([`pbft_core::client::Client`]) and a link to
//! each replica. Requests that come in together go out together. [`Session`] numbers a client's requests.

mod engine;
mod session;

use core::{net::SocketAddr, time::Duration};

pub use pbft_core::client::{Accepted as Receipt, ClientConfig, ClientError, FoundAnswer};
use pbft_core::{ClientId, Request, config::ReplicaSet, message::Operation};
use pbft_crypto::{Digest, KeyPair};
use thiserror::Error;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};

pub use self::engine::Reports;
use self::engine::{Command, Engine};
pub use self::session::Session;
use crate::{
    node::AddressBook,
    tls::TlsError,
    transport::{LinkLimits, LinkState},
};

/// So many calls may wait for the client's task; past that, callers wait.
const MAX_WAITING_COMMANDS: usize = 4096;

/// What a client needs to know.
#[derive(Debug)]
pub struct ClientOptions {
    /// The cluster.
    pub cluster: Digest,
    /// Its members.
    pub replicas: ReplicaSet,
    /// Where each member listens, by id.
    pub addresses: Vec<SocketAddr>,
    /// The key that the client proves to replicas: one of those configured there as clients, or a replica's own. It has
    /// nothing to do with who signs operations.
    pub key: KeyPair,
    /// How long to wait for answers, and how many.
    pub config: ClientConfig,
    /// The bounds of each link.
    pub limits: LinkLimits,
    /// How long [`Client::reports`] waits for replicas that do not answer.
    pub report_timeout: Duration,
}

impl ClientOptions {
    /// The usual choices.
    #[must_use]
    pub fn new(cluster: Digest, replicas: ReplicaSet, addresses: Vec<SocketAddr>, key: KeyPair) -> Self {
        let config = ClientConfig::new(replicas.count());
        let (limits, report_timeout) = (LinkLimits::default(), Duration::from_millis(500));
        Self { cluster, replicas, addresses, key, config, limits, report_timeout }
    }
}

/// Why a client cannot start: whoever configured it must act.
#[derive(Debug, Error)]
pub enum ClientStartError {
    /// Addresses, members and configuration do not match.
    #[error("{addresses} addresses and a configuration for {configured} replicas, but {replicas} members")]
    Counts {
        /// How many addresses there are.
        addresses: usize,
        /// How many replicas [`ClientConfig`] is for.
        configured: u16,
        /// How many members there are.
        replicas: u16,
    },
    /// A key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It runs on tokio.
    #[error("not called within a tokio runtime: {0}")]
    NoRuntime(#[from] tokio::runtime::TryCurrentError),
}

/// Why a request has no receipt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// The cluster declined it, did not answer in time, or this client has too many requests on their way.
    #[error(transparent)]
    Failed(#[from] ClientError),
    /// The operation fits no frame. It was not sent.
    #[error("an operation of {bytes} bytes: at most {limit} can be sent")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// What can be sent.
        limit: usize,
    },
    /// The session's window is full of requests whose fate is unknown: [`Session::resubmit`] them first.
    #[error("the fate of too many earlier requests of this session is unknown")]
    WindowBlocked,
    /// The client's task has ended, with its runtime. The request may still be executed.
    #[error("the client has stopped")]
    Stopped,
}

/// A handle on a client. Clones share it; it ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    connected: watch::Receiver<usize>,
    read_counts: watch::Receiver<ReadCounts>,
}

/// How questions were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// A quorum showed the same state.
    pub by_quorum: u64,
    /// None did in time: they went the ordered way, or have no answer.
    pub without_quorum: u64,
}

impl Client {
    /// Dials all replicas, and keeps doing so. Runs on the current tokio runtime.
    ///
    /// # Errors
    /// If the options do not fit together.
    pub fn start(options: &ClientOptions) -> Result<Self, ClientStartError> {
        let (addresses, replicas) = (options.addresses.len(), options.replicas.count());
        let configured = options.config.replicas;
        if addresses != usize::from(replicas) || configured != replicas {
            return Err(ClientStartError::Counts { addresses, configured, replicas });
        }
        let runtime = Handle::try_current()?;
        let (commands, source) = mpsc::channel(MAX_WAITING_COMMANDS);
        let (connected, connected_seen) = watch::channel(0);
        let (counts, read_counts) = watch::channel(ReadCounts::default());
        let (engine, answers) = Engine::new(options, &connected, counts)?;
        runtime.spawn(engine.run(source, answers));
        Ok(Self { commands, connected: connected_seen, read_counts })
    }

    /// Has a request executed. Dropping the future does not take the request back. The same request again, also after a
    /// time-out, is executed no more than once and has the same receipt.
    ///
    /// # Errors
    /// If there is no agreement of `f + 1` replicas on an answer in time.
    pub async fn submit(&self, request: Request) -> Result<Receipt, SubmitError> {
        let (to, answer) = oneshot::channel();
        self.commands.send(Command::Submit(request, to)).await.map_err(|_| SubmitError::Stopped)?;
        answer.await.unwrap_or(Err(SubmitError::Stopped))
    }

    /// Asks the service about its state without ordering anything: what a quorum shows has all that was acknowledged before.
    /// If none does within [`ClientConfig::read_within`], `fallback` is submitted, a request that asks the same; its number
    /// is used up then.
    ///
    /// # Errors
    /// [`ClientError::NoQuorum`] without a fallback; else as [`Client::submit`].
    pub async fn read(
        &self,
        query: impl Into<std::sync::Arc<[u8]>> + Send,
        fallback: Option<Request>,
    ) -> Result<FoundAnswer, SubmitError> {
        let (to, answer) = oneshot::channel();
        let command = Command::Read(Operation::new(query), fallback, to);
        self.commands.send(command).await.map_err(|_| SubmitError::Stopped)?;
        answer.await.unwrap_or(Err(SubmitError::Stopped))
    }

    /// How questions were answered so far, now and whenever it changes.
    #[must_use]
    pub fn read_counts(&self) -> watch::Receiver<ReadCounts> {
        self.read_counts.clone()
    }

    /// Others took over: believes these replicas from now on, and dials them where they are said to be.
    pub async fn follow(&self, replicas: ReplicaSet, addresses: AddressBook) {
        // A client that has stopped follows nobody.
        let _ = self.commands.send(Command::Follow(replicas, addresses)).await;
    }

    /// What each replica says about itself: nothing for those that do not answer in time, and no
    /// entries at all once the client has stopped.
    pub async fn reports(&self) -> Reports {
        let (to, answer) = oneshot::channel();
        if self.commands.send(Command::Reports(to)).await.is_err() {
            return Reports::new();
        }
        answer.await.unwrap_or_default()
    }

    /// The links to all replicas, by id.
    pub async fn links(&self) -> Vec<LinkState> {
        let (to, answer) = oneshot::channel();
        if self.commands.send(Command::Links(to)).await.is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// How many replicas are connected, now and whenever a link changes or fails to connect.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<usize> {
        self.connected.clone()
    }

    /// Numbers the requests of `id`, which has sent none so far.
    #[must_use]
    pub fn session(&self, id: ClientId) -> Session {
        Session::new(self.clone(), id, pbft_core::RequestNumber::ZERO)
    }

    /// Goes on after a restart: `next` is the number after the last one that `id` has used.
    #[must_use]
    pub fn session_from(&self, id: ClientId, next: pbft_core::RequestNumber) -> Session {
        Session::new(self.clone(), id, next)
    }
}
