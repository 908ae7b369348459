//! One replica as a running process part.

mod crew;
mod follow;
mod introduction;
mod recovered;

use std::{
    io,
    net::TcpListener,
    sync::{Arc, PoisonError},
    thread::JoinHandle,
};

use pbft_core::{
    crypto::{Crypto, P256Crypto},
    error::RecoverError,
    evidence::Evidence,
    message::Handover,
    replica::Progress,
    roster::Roster,
    service::{Admission, AdmitAll, Service, StateLost},
    verify::InvalidMessage,
};
use pbft_crypto::KeyPair;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

pub use self::follow::AddressBook;
use self::{
    crew::Crew,
    follow::{first_addresses, follow},
    introduction::introduction,
    recovered::Recovered,
};
pub use crate::host::Failure;
use crate::{
    config::NodeConfig,
    diagnosis::Diagnosis,
    disk::OpenError,
    host::{
        Channels, External, Internal,
        windows::{Seen, windows},
    },
    log::LogError,
    metrics::{Metrics, ReplicaMetrics},
    transport::{CutOffs, LinkState, Transport, TransportConfig, TransportError},
};

/// So many events from the network may wait for verification.
const MAX_WAITING_EVENTS: usize = 4_096;

/// What runs on the replicas.
pub struct Application<S> {
    /// Executes batches.
    pub service: S,
    /// Decides which requests may enter.
    pub admission: Arc<dyn Admission>,
    /// The service's own words about its state, for [`crate::client::Client::reports`].
    pub report: Arc<dyn Fn() -> Vec<u8> + Send + Sync>,
    /// Why the service cannot go on, its disk say. Asked after each batch: what was executed then does not count, and
    /// the node stops.
    pub failure: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

impl<S: Service> Application<S> {
    /// A service that admits everything, reports nothing and never fails.
    pub fn open(service: S) -> Self {
        Self {
            service,
            admission: Arc::new(AdmitAll),
            report: Arc::new(Vec::new),
            failure: Arc::new(|| None),
        }
    }
}

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The folder of the log cannot be used.
    #[error("the durable log cannot be used: {0}")]
    Disk(#[from] OpenError),
    /// The mark of a founder outlived its first vote, and cannot be removed.
    #[error("the mark beside the durable log cannot be removed: {0}")]
    Founder(#[source] io::Error),
    /// The log is damaged, or another replica's.
    #[error("the durable log cannot be used: {0}")]
    Log(#[from] LogError),
    /// The log and the configuration do not fit together.
    #[error("the replica cannot be rebuilt from its log: {0}")]
    Recover(#[from] RecoverError),
    /// The service's state is lost.
    #[error(transparent)]
    Service(#[from] StateLost),
    /// What it was told about later replicas is not proven.
    #[error("the handovers do not lead from the first replicas to others: {0}")]
    Handovers(#[from] InvalidMessage),
    /// The network cannot be set up.
    #[error("the transport cannot start: {0}")]
    Transport(#[from] TransportError),
    /// The recording cannot be written.
    #[error("the recording cannot begin: {0}")]
    Recording(#[source] io::Error),
    /// The system gives no threads.
    #[error("no thread can be started: {0}")]
    Thread(#[from] io::Error),
}

/// A running replica. Dropping it without [`Node::shutdown`] leaves its threads running until the process ends.
pub struct Node {
    config: NodeConfig,
    transport: Transport,
    internal: crossbeam_channel::Sender<Internal>,
    seen: Seen,
    addresses: watch::Sender<AddressBook>,
    threads: Vec<JoinHandle<()>>,
}

impl Node {
    /// Rebuilds the replica from its log and lets it run. Needs a tokio runtime; `listener` is where peers and clients
    /// connect.
    ///
    /// # Errors
    /// If the log, the service's state or the network cannot be used.
    pub fn start<S: Service + 'static>(
        config: NodeConfig,
        key: &Arc<KeyPair>,
        listener: TcpListener,
        mut application: Application<S>,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let crypto: Arc<dyn Crypto> = Arc::new(P256Crypto::new(key.clone()));
        let introduction = introduction(&config, &crypto)?;
        let recovered = Recovered::from_disk(&config, &crypto, &mut application.service)?;
        let (roster, public) = (recovered.replica.roster(), key.public_key());
        let own = TransportConfig::of(&config).with_later_key(roster, &public, config.new_key)?;
        let (events, source) = mpsc::channel(MAX_WAITING_EVENTS);
        let transport = Transport::start(own, listener, key, events)?;
        let (shown, seen) = windows(&recovered.replica);
        let mut metrics = metrics.of(config.id);
        metrics.diagnosed(&seen.diagnosis.borrow());
        tokio::spawn(count_cut_offs(transport.cut_offs(), metrics.clone()));

        let channels = Channels::new();
        let (internal, inputs) = (channels.internal.0.clone(), channels.inputs.0.clone());
        let crew = Crew {
            recovered,
            application,
            crypto,
            transport: transport.clone(),
            source,
            channels,
            shown,
            seen: seen.clone(),
            metrics,
        };
        let threads = crew.start(&config)?;

        let (addresses, book) = watch::channel(first_addresses(&config));
        tokio::spawn(follow(transport.clone(), seen.roster.clone(), book));
        // The replica thread holds the other end.
        let _ = internal.send(Internal::Start);
        for input in introduction {
            let _ = inputs.send(External { input, _quota: None });
        }
        Ok(Self { config, transport, internal, seen, addresses, threads })
    }

    /// What the replica waits for: a quorum and who is silent, a view, a batch. Looked at a few times a second.
    #[must_use]
    pub fn diagnosis(&self) -> watch::Receiver<Diagnosis> {
        self.seen.diagnosis.clone()
    }

    /// How far the replica is, now and whenever it changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.seen.progress.clone()
    }

    /// Why the node had to stop by itself, if it had to.
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<Failure>> {
        self.seen.failure.clone()
    }

    /// The replicas of all epochs that it knows of, now and whenever they change.
    #[must_use]
    pub fn roster(&self) -> watch::Receiver<Arc<Roster>> {
        self.seen.roster.clone()
    }

    /// The proof for each epoch past the first, oldest first, now and whenever there are more. Whoever knows the first
    /// replicas is led by them to the present ones.
    #[must_use]
    pub fn handovers(&self) -> watch::Receiver<Arc<[Handover]>> {
        self.seen.handovers.clone()
    }

    /// Where replicas are from now on: those that join, or have moved. Replicas that are not in here are not dialed.
    pub fn set_addresses(&self, addresses: AddressBook) {
        self.addresses.send_if_modified(|before| {
            let news = *before != addresses;
            *before = addresses;
            news
        });
    }

    /// The address book itself, for whoever keeps it: see [`Node::set_addresses`].
    #[must_use]
    pub fn addresses(&self) -> watch::Sender<AddressBook> {
        self.addresses.clone()
    }

    /// Provable faults that it has seen.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        self.seen.evidence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The links to the other replicas.
    #[must_use]
    pub fn links(&self) -> Vec<LinkState> {
        self.transport.links()
    }

    /// Its configuration.
    #[must_use]
    pub const fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Stops and waits until all is quiet. What was said to be durable is.
    pub async fn shutdown(self) {
        let _ = self.internal.send(Internal::Stop);
        self.transport.shutdown().await;
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // A panic was reported when it happened.
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }
}

/// Keeps the metrics in step with what the transport counts. Ends with the transport.
async fn count_cut_offs(mut counts: watch::Receiver<CutOffs>, metrics: ReplicaMetrics) {
    let mut before = CutOffs::new();
    while counts.changed().await.is_ok() {
        let now = counts.borrow_and_update().clone();
        metrics.cut_offs(&before, &now);
        before = now;
    }
}
