//! What the replicas say about themselves, put together.

mod shared;

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{FutureExt, future::BoxFuture};
use ledger::{Height, UnixMillis};
use pbft_core::{quorum::QuorumSizes, replica::WaitsFor};
use pbft_crypto::Digest;
use pbft_node::{Client, client::Reports, transport::ReplicaReport as NodeReport};

use self::shared::Shared;
use crate::{
    http::{NetworkReport, NetworkStatus, ReplicaReport, ReplicaStatus},
    service::{LedgerQuery, Report},
};

/// A replica may lag by so many blocks and still count as up: they are on their way.
const SLACK: u64 = 2;
/// So old may be what someone is told, so that many who ask cost the replicas no more than one.
const FRESH_FOR: Duration = Duration::from_millis(200);

/// Asks the replicas of a cluster how they are.
pub struct ClusterStatus {
    client: Client,
    chain_id: Digest,
    addresses: Vec<SocketAddr>,
    /// What each said last, by id.
    last: Mutex<Vec<Option<ReplicaReport>>>,
    answer: Shared<NetworkReport>,
}

impl ClusterStatus {
    /// For the replicas at these addresses.
    #[must_use]
    pub fn new(client: Client, chain_id: Digest, addresses: Vec<SocketAddr>) -> Self {
        let last = Mutex::new(vec![None; addresses.len()]);
        Self { client, chain_id, addresses, last, answer: Shared::new(FRESH_FOR) }
    }

    async fn ask(&self) -> NetworkReport {
        let reports = self.client.reports().await;
        // A replica that waits for a view which the others do not want says nothing about who is primary.
        let views = reports
            .values()
            .flatten()
            .map(|report| report.progress)
            .map(|progress| (progress.view_active, progress.view.value(), progress.primary.value()));
        let (active, view, primary) = views.max().unwrap_or_default();
        let replicas = self.remember(&reports);
        let answering =
            replicas.iter().filter(|replica| replica.status != ReplicaStatus::Unreachable).count();
        let sizes = QuorumSizes::of(u16::try_from(replicas.len()).unwrap_or(u16::MAX));
        NetworkReport {
            chain_id: self.chain_id,
            height: height_of_weak_quorum(&replicas, sizes),
            view,
            primary,
            diagnosis: diagnose(&replicas, active.then_some(primary), sizes),
            has_quorum: answering >= sizes.quorum(),
            replicas,
        }
    }

    /// What each replica says now, or said last.
    fn remember(&self, reports: &Reports) -> Vec<ReplicaReport> {
        let tallest = reports.values().flatten().filter_map(state_of).map(|report| report.state.height).max();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for ((slot, report), (address, id)) in
            last.iter_mut().zip(reports.values()).zip(self.addresses.iter().zip(0..))
        {
            match report.as_ref().and_then(|report| Some((report, state_of(report)?))) {
                Some((report, state)) => {
                    let lag = tallest.unwrap_or_default().value().saturating_sub(state.state.height.value());
                    let status = if lag > SLACK { ReplicaStatus::Behind } else { ReplicaStatus::Up };
                    *slot = Some(ReplicaReport {
                        id,
                        address: address.to_string(),
                        status,
                        height: state.state.height,
                        view: report.progress.view.value(),
                        state_root: state.state.state_root,
                        stable_checkpoint: report.progress.stable_checkpoint.value(),
                        waits_for: waits_for(report),
                        last_seen: Some(now()),
                    });
                }
                None => {
                    let known = slot.get_or_insert_with(|| unknown(id, *address));
                    known.status = ReplicaStatus::Unreachable;
                }
            }
        }
        last.iter().flatten().cloned().collect()
    }
}

impl NetworkStatus for ClusterStatus {
    fn network(&self) -> BoxFuture<'_, NetworkReport> {
        self.answer.get(|| self.ask()).boxed()
    }

    fn query(&self, query: LedgerQuery) -> BoxFuture<'_, Option<Vec<u8>>> {
        // The ledger has no operation that only looks, so there is nothing to order instead.
        let ask = async move { self.client.read(query.encode(), None).await };
        ask.map(|found| found.ok().map(|found| found.result().to_vec())).boxed()
    }
}

fn state_of(report: &NodeReport) -> Option<Report> {
    Report::decode(&report.application)
}

fn waits_for(report: &NodeReport) -> Option<String> {
    (report.waits_for != WaitsFor::Nothing).then(|| report.waits_for.to_string())
}

fn unknown(id: u16, address: SocketAddr) -> ReplicaReport {
    ReplicaReport {
        id,
        address: address.to_string(),
        status: ReplicaStatus::Unreachable,
        height: Height::default(),
        view: 0,
        state_root: Digest::ZERO,
        stable_checkpoint: 0,
        waits_for: None,
        last_seen: None,
    }
}

/// The highest block that `f + 1` replicas have: one of them is correct.
fn height_of_weak_quorum(replicas: &[ReplicaReport], sizes: QuorumSizes) -> Height {
    let mut heights: Vec<_> = replicas
        .iter()
        .filter(|replica| replica.status != ReplicaStatus::Unreachable)
        .map(|replica| replica.height)
        .collect();
    heights.sort_unstable_by(|a, b| b.cmp(a));
    heights.get(sizes.weak().saturating_sub(1)).copied().unwrap_or_default()
}

/// In a sentence, what is wrong, if anything is.
fn diagnose(replicas: &[ReplicaReport], primary: Option<u16>, sizes: QuorumSizes) -> String {
    let with = |status: ReplicaStatus| {
        let ids =
            replicas.iter().filter(|replica| replica.status == status).map(|replica| replica.id.to_string());
        ids.collect::<Vec<_>>()
    };
    let (up, away, behind) =
        (with(ReplicaStatus::Up), with(ReplicaStatus::Unreachable), with(ReplicaStatus::Behind));
    if up.len() + behind.len() < sizes.quorum() {
        let needed = sizes.quorum();
        return format!(
            "replicas {} do not answer: {needed} are needed to agree on anything",
            away.join(", ")
        );
    }
    match primary {
        None => return "the replicas are changing to another primary".into(),
        Some(primary) if away.iter().any(|id| *id == primary.to_string()) => {
            return format!("replica {primary}, the primary, does not answer: the others will replace it");
        }
        Some(_) => {}
    }
    let mut tallest = replicas.iter().filter(|replica| replica.status == ReplicaStatus::Up);
    let first = tallest.next();
    let differs = |replica: &&ReplicaReport| {
        first.is_some_and(|first| first.height == replica.height && first.state_root != replica.state_root)
    };
    if let Some(other) = tallest.find(differs) {
        return format!("replica {} has another state at height {} than the others", other.id, other.height);
    }
    match (away.is_empty(), behind.is_empty()) {
        (true, true) => format!("all {} replicas agree", replicas.len()),
        (false, true) => format!("replicas {} do not answer; the others agree", away.join(", ")),
        (true, false) => format!("replicas {} are behind and catch up", behind.join(", ")),
        (false, false) => {
            format!("replicas {} do not answer, {} are behind", away.join(", "), behind.join(", "))
        }
    }
}

fn now() -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis::new(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
