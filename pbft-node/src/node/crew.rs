//! The threads of a node, and who hears of it if one panics.

use std::{
    io,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use pbft_core::{crypto::Crypto, service::Service, verify::Verifier};
use tokio::sync::{mpsc, watch};

use super::{Application, recovered::Recovered};
use crate::{
    config::NodeConfig,
    host::{
        Channels, Failure, Internal,
        fair_source::FairSource,
        known_signatures::KnownSignatures,
        log_thread,
        replica_thread::{Clock, ReplicaThread},
        service_thread,
        verify_threads::VerifyThread,
        waiters::Waiters,
        windows::{Seen, Shown},
    },
    metrics::ReplicaMetrics,
    sparing::Sparing,
    transport::{Inbound, Transport},
};

/// What the threads are made of.
pub(super) struct Crew<S> {
    pub(super) recovered: Recovered,
    pub(super) application: Application<S>,
    pub(super) crypto: Arc<dyn Crypto>,
    pub(super) transport: Transport,
    pub(super) source: mpsc::Receiver<Inbound>,
    pub(super) channels: Channels,
    pub(super) shown: Shown,
    pub(super) seen: Seen,
    pub(super) metrics: ReplicaMetrics,
}

impl<S: Service + 'static> Crew<S> {
    /// Starts them all.
    pub(super) fn start(self, config: &NodeConfig) -> io::Result<Vec<JoinHandle<()>>> {
        let Self { recovered, application, crypto, transport, source, channels, shown, seen, metrics } = self;
        let Recovered { replica, log, founder, recorder } = recovered;
        let Application { service, admission, report, failure } = application;
        let Channels { internal, inputs, to_log, to_service } = channels;
        let bells = Bells { internal: internal.0.clone(), failure: shown.failure.clone() };
        let mut threads = Threads { bells, handles: Vec::new() };
        let waiters = Arc::new(Waiters::default());

        let mut verifier =
            Verifier::new(config.protocol.clone(), Arc::new(KnownSignatures::new(crypto)), admission);
        verifier.update(replica.roster().clone());
        let verify_thread = VerifyThread {
            source: Arc::new(Mutex::new(FairSource::new(source))),
            verifier,
            inputs: inputs.0,
            waiters: waiters.clone(),
            transport: transport.clone(),
            seen,
            report,
            metrics: metrics.clone(),
            refused: Arc::default(),
        };
        for index in 0..config.verify_threads.max(1) {
            let thread = verify_thread.clone();
            threads.spawn("verify", format!("pbft-verify-{index}"), move || thread.run())?;
        }
        let (replies, of_log) = (internal.0.clone(), metrics.clone());
        threads.spawn("log", "pbft-log".into(), move || {
            log_thread::run(log, founder, &to_log.1, &replies, &of_log);
        })?;
        let (replies, of_service) = (internal.0, metrics.clone());
        threads.spawn("service", "pbft-service".into(), move || {
            service_thread::run(service, &*failure, &to_service.1, &replies, &of_service);
        })?;
        let replica_thread = ReplicaThread {
            replica,
            internal: internal.1,
            inputs: inputs.1,
            to_log: to_log.0,
            to_service: to_service.0,
            transport,
            waiters,
            shown,
            diagnosed: Duration::ZERO,
            metrics,
            clock: Clock::start(),
            timer: None,
            recorder,
            bad_parts: Sparing::default(),
        };
        threads.spawn("replica", "pbft-replica".into(), move || replica_thread.run())?;
        Ok(threads.handles)
    }
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
