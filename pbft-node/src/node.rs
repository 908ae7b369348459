//! One replica as a running process part.

mod follow;
mod introduction;

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use pbft_core::{
    Replica,
    crypto::{Crypto, P256Crypto},
    error::RecoverError,
    evidence::Evidence,
    message::Handover,
    replica::{EmptyLog, Progress},
    request_buffer::FairBuffer,
    roster::Roster,
    service::{Admission, AdmitAll, Service, StateLost},
    storage::Log,
    verify::{InvalidMessage, Verifier},
};
use pbft_crypto::KeyPair;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

pub use self::follow::AddressBook;
use self::{
    follow::{first_addresses, follow},
    introduction::introduction,
};
pub use crate::host::Failure;
use crate::{
    diagnosis::Diagnosis,
    config::NodeConfig,
    disk::{OpenError, RealDisk},
    founder::Founder,
    host::{
        Channels, External, Internal,
        fair_source::FairSource,
        known_signatures::KnownSignatures,
        log_thread,
        replica_thread::{Clock, ReplicaThread},
        service_thread,
        verify_threads::VerifyThread,
        waiters::Waiters,
    },
    log::{DurableLog, LogError},
    metrics::Metrics,
    recorder::Recorder,
    transport::{LinkState, Transport, TransportConfig, TransportError},
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
    progress: watch::Receiver<Progress>,
    diagnosis: watch::Receiver<Diagnosis>,
    failure: watch::Receiver<Option<Failure>>,
    evidence: Arc<Mutex<Vec<Evidence>>>,
    roster: watch::Receiver<Arc<Roster>>,
    handovers: watch::Receiver<Arc<[Handover]>>,
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
        let disk = RealDisk::open(&config.log_folder)?;
        let mut log = DurableLog::open(disk, config.log.clone())?;
        let records = log.load()?;
        let founder = Founder::of(&config.log_folder);
        let (record, empty_log) = (config.record.as_ref(), founder.empty_log());
        let recorder = record.map(|options| {
            Recorder::begin(options, config.id, &config.protocol, (&records, empty_log), crypto.clone())
                .map_err(StartError::Recording)
        });
        let recorder = recorder.transpose()?;
        let signer = recorder.as_ref().map_or_else(|| crypto.clone(), Recorder::crypto);
        let introduction = introduction(&config, &crypto)?;
        let replica = recover(&config, &signer, records, empty_log, &mut application.service)?;
        let (events, source) = mpsc::channel(MAX_WAITING_EVENTS);
        let own = TransportConfig::of(&config).with_later_key(replica.roster(), &key.public_key());
        let transport = Transport::start(own, listener, key, events)?;

        let channels = Channels::new();
        let (progress, progress_seen) = watch::channel(replica.progress());
        let (diagnosis, diagnosis_seen) = watch::channel(Diagnosis::of(&replica));
        let (failure, failure_seen) = watch::channel(None);
        let (roster, roster_seen) = watch::channel(replica.roster().clone());
        let (handovers, handovers_seen) = watch::channel(replica.handovers().into());
        let waiters = Arc::new(Waiters::default());
        let evidence = Arc::new(Mutex::new(Vec::new()));
        let mut metrics = metrics.of(config.id);
        metrics.diagnosed(&diagnosis_seen.borrow());

        let bells = Bells { internal: channels.internal.0.clone(), failure: failure.clone() };
        let replica_thread = ReplicaThread {
            replica,
            internal: channels.internal.1,
            inputs: channels.inputs.1,
            to_log: channels.to_log.0,
            to_service: channels.to_service.0,
            transport: transport.clone(),
            waiters: waiters.clone(),
            progress,
            diagnosis,
            diagnosed: Duration::ZERO,
            failure,
            evidence: evidence.clone(),
            roster,
            handovers,
            metrics: metrics.clone(),
            clock: Clock::start(),
            timer: None,
            recorder,
        };
        let to_replica = channels.inputs.0.clone();
        let crypto = Arc::new(KnownSignatures::new(crypto));
        let mut verifier = Verifier::new(config.protocol.clone(), crypto, application.admission);
        verifier.update(roster_seen.borrow().clone());
        let verify_thread = VerifyThread {
            source: Arc::new(Mutex::new(FairSource::new(source))),
            verifier,
            roster: roster_seen.clone(),
            inputs: channels.inputs.0,
            waiters,
            transport: transport.clone(),
            progress: progress_seen.clone(),
            diagnosis: diagnosis_seen.clone(),
            report: application.report,
            metrics: metrics.clone(),
        };
        let mut threads = Threads { bells, handles: Vec::new() };
        for index in 0..config.verify_threads.max(1) {
            let thread = verify_thread.clone();
            threads.spawn("verify", format!("pbft-verify-{index}"), move || thread.run())?;
        }
        let (orders, replies, of_log) = (channels.to_log.1, channels.internal.0.clone(), metrics.clone());
        threads.spawn("log", "pbft-log".into(), move || {
            log_thread::run(log, founder, &orders, &replies, &of_log);
        })?;
        let (orders, replies) = (channels.to_service.1, channels.internal.0.clone());
        let (service, failure) = (application.service, application.failure);
        threads.spawn("service", "pbft-service".into(), move || {
            service_thread::run(service, &*failure, &orders, &replies, &metrics);
        })?;
        threads.spawn("replica", "pbft-replica".into(), move || replica_thread.run())?;

        let (addresses, book) = watch::channel(first_addresses(&config));
        tokio::spawn(follow(transport.clone(), roster_seen.clone(), book));
        let internal = channels.internal.0;
        // The replica thread holds the other end.
        let _ = internal.send(Internal::Start);
        for input in introduction {
            let _ = to_replica.send(External { input, _quota: None });
        }
        Ok(Self {
            config,
            transport,
            internal,
            progress: progress_seen,
            diagnosis: diagnosis_seen,
            failure: failure_seen,
            evidence,
            roster: roster_seen,
            handovers: handovers_seen,
            addresses,
            threads: threads.handles,
        })
    }

    /// What the replica waits for: a quorum and who is silent, a view, a batch. Looked at a few times a second.
    #[must_use]
    pub fn diagnosis(&self) -> watch::Receiver<Diagnosis> {
        self.diagnosis.clone()
    }

    /// How far the replica is, now and whenever it changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Why the node had to stop by itself, if it had to.
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<Failure>> {
        self.failure.clone()
    }

    /// The replicas of all epochs that it knows of, now and whenever they change.
    #[must_use]
    pub fn roster(&self) -> watch::Receiver<Arc<Roster>> {
        self.roster.clone()
    }

    /// The proof for each epoch past the first, oldest first, now and whenever there are more. Whoever knows the first
    /// replicas is led by them to the present ones.
    #[must_use]
    pub fn handovers(&self) -> watch::Receiver<Arc<[Handover]>> {
        self.handovers.clone()
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
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

/// The replica from its log, with the service at the same point.
fn recover<S: Service>(
    config: &NodeConfig,
    crypto: &Arc<dyn Crypto>,
    records: Vec<(pbft_core::storage::LogPosition, pbft_core::storage::Record)>,
    empty: EmptyLog,
    service: &mut S,
) -> Result<Replica, StartError> {
    let buffer = Box::new(FairBuffer::new(config.protocol.buffer.clone()));
    let (protocol, crypto) = (config.protocol.clone(), crypto.clone());
    let recovered = Replica::recover(config.id, protocol, crypto, buffer, records, empty)?;
    if let Some(checkpoint) = recovered.checkpoint {
        service.restore(checkpoint.seq, checkpoint.snapshot.as_deref())?;
    }
    Ok(recovered.replica)
}

/// The node's threads. One that panics brings the node down, loudly.
struct Threads {
    bells: Bells,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    fn spawn(
        &mut self,
        what: &'static str,
        name: String,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let alarm = Alarm { what, bells: self.bells.clone() };
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let _alarm = alarm;
            body();
        })?;
        self.handles.push(thread);
        Ok(())
    }
}

/// Who hears of a panic.
#[derive(Clone)]
struct Bells {
    internal: crossbeam_channel::Sender<Internal>,
    failure: watch::Sender<Option<Failure>>,
}

/// Rings when it is dropped by a panic.
struct Alarm {
    what: &'static str,
    bells: Bells,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let failure = Failure::Panicked(self.what);
            // The replica thread may be the one that panicked: then nobody hears the second.
            self.bells.failure.send_replace(Some(failure.clone()));
            let _ = self.bells.internal.send(Internal::Failed(failure));
        }
    }
}
