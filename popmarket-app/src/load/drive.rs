//! Sends payments and takes down what comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use pbft_core::{Request, RequestId, service::Outcome};
use pbft_node::Client;
use serde::Serialize;
use tokio::task::JoinSet;

use super::LoadError;
use crate::{service::Report, store::StateName};

/// What came of some payments.
#[derive(Debug, Default)]
pub(super) struct Driven {
    /// How long each took, in milliseconds, ascending.
    pub(super) latencies_ms: Vec<f64>,
    /// Those that `f + 1` replicas reported as carried out.
    pub(super) acknowledged: Vec<RequestId>,
    /// Those without an answer, with the first error.
    pub(super) missed: usize,
    pub(super) first_error: Option<String>,
    /// How long it all took.
    pub(super) took: Duration,
}

impl Driven {
    fn take_down(&mut self, id: RequestId, latency: Duration, outcome: Result<Outcome, String>) {
        match outcome {
            Ok(Outcome::Applied(_)) => {
                self.latencies_ms.push(latency.as_secs_f64() * 1e3);
                self.acknowledged.push(id);
            }
            Ok(Outcome::Refused(why)) => self.miss(format!("refused: {}", String::from_utf8_lossy(&why))),
            Err(why) => self.miss(why),
        }
    }

    fn miss(&mut self, why: String) {
        self.missed += 1;
        self.first_error.get_or_insert(why);
    }

    pub(super) fn join(&mut self, other: Self) {
        self.latencies_ms.extend(other.latencies_ms);
        self.acknowledged.extend(other.acknowledged);
        self.missed += other.missed;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    pub(super) fn finish(mut self, started: Instant) -> Self {
        self.took = started.elapsed();
        self.latencies_ms.sort_by(f64::total_cmp);
        self
    }
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latencies {
    /// Half were faster.
    pub p50_ms: f64,
    /// 99 of 100 were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Latencies {
    pub(super) fn of(ascending: &[f64]) -> Self {
        let at = |hundredths: usize| {
            let index = (ascending.len() * hundredths / 100).min(ascending.len().saturating_sub(1));
            ascending.get(index).copied().unwrap_or(0.0)
        };
        Self { p50_ms: at(50), p99_ms: at(99), max_ms: at(100) }
    }
}

async fn pay(client: &Client, request: Request, driven: &mut Driven) {
    let (id, sent) = (request.id(), Instant::now());
    let answer = client.submit(request).await;
    let outcome = answer.map(|receipt| receipt.outcome).map_err(|error| error.to_string());
    driven.take_down(id, sent.elapsed(), outcome);
}

/// One payment at a time.
pub(super) async fn one_after_the_other(client: &Client, requests: &[Request], bar: &ProgressBar) -> Driven {
    let (started, mut driven) = (Instant::now(), Driven::default());
    for request in requests {
        pay(client, request.clone(), &mut driven).await;
        bar.inc(1);
    }
    driven.finish(started)
}

/// `in_flight` payments at a time.
pub(super) async fn together(
    client: &Client,
    requests: &[Request],
    in_flight: usize,
    bar: &ProgressBar,
) -> Driven {
    let (started, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let requests: Arc<[Request]> = requests.into();
    let mut workers = JoinSet::new();
    for _ in 0..in_flight.clamp(1, requests.len().max(1)) {
        let (client, requests, next, bar) = (client.clone(), requests.clone(), next.clone(), bar.clone());
        workers.spawn(async move {
            let mut driven = Driven::default();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                pay(&client, request.clone(), &mut driven).await;
                bar.inc(1);
            }
            driven
        });
    }
    let mut driven = Driven::default();
    while let Some(part) = workers.join_next().await {
        match part {
            Ok(part) => driven.join(part),
            Err(error) => driven.miss(error.to_string()),
        }
    }
    driven.finish(started)
}

/// Waits until so many payments are done.
pub(super) async fn reaches(bar: &ProgressBar, count: u64) {
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    while bar.position() < count {
        tick.tick().await;
    }
}

/// Waits until all replicas report one state, and returns it with the time that took.
pub(super) async fn settle(client: &Client, within: Duration) -> Result<(StateName, Duration), LoadError> {
    let started = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        let reports = client.reports().await;
        let states: Vec<_> = reports
            .values()
            .map(|report| Some(Report::decode(&report.as_ref()?.application)?.state))
            .collect();
        if let Some(Some(first)) = states.first()
            && states.iter().all(|state| state.as_ref() == Some(first))
        {
            return Ok((*first, started.elapsed()));
        }
        if started.elapsed() > within {
            return Err(LoadError::NoCommonState { limit: within, seen: format!("{states:?}") });
        }
    }
}
