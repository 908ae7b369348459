//! What the replicas say about themselves, put together.

mod shared;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{FutureExt, future::BoxFuture};
use ledger::{Height, Ledger, UnixMillis};
use pbft_core::{ReplicaId, config::ReplicaSet, quorum::QuorumSizes, replica::WaitsFor};
use pbft_crypto::Digest;
use pbft_node::{Client, client::Reports, transport::ReplicaReport as NodeReport};

use self::shared::Shared;
use super::Membership;
use crate::{
    http::{NetworkReport, NetworkStatus, ReplicaReport, ReplicaStatus},
    service::{LedgerQuery, LedgerView, Report},
};

/// A replica may lag by so many blocks and still count as up: they are on their way.
const SLACK: u64 = 2;
/// Who waits so long for one thing is held up.
const HELD_UP: Duration = Duration::from_secs(10);
/// So old may be what someone is told, so that many who ask cost the replicas no more than one.
const FRESH_FOR: Duration = Duration::from_millis(200);

/// Asks the replicas of a cluster how they are.
pub struct ClusterStatus {
    client: Client,
    chain_id: Digest,
    members: Membership,
    ledger: LedgerView,
    /// What each of the present replicas said last.
    last: Mutex<BTreeMap<ReplicaId, ReplicaReport>>,
    answer: Shared<NetworkReport>,
}

impl ClusterStatus {
    /// For the replicas that decide, whoever they come to be. `client` follows them.
    #[must_use]
    pub fn new(client: Client, chain_id: Digest, members: Membership, ledger: LedgerView) -> Self {
        Self { client, chain_id, members, ledger, last: Mutex::default(), answer: Shared::new(FRESH_FOR) }
    }

    async fn ask(&self) -> NetworkReport {
        let reports = self.client.reports().await;
        let newest = self.members.roster.borrow().newest().clone();
        // A replica that waits for a view which the others do not want says nothing about who is primary, nor does one that
        // has yet to reach the epoch: views count anew there.
        let views = reports
            .values()
            .flatten()
            .map(|report| report.progress)
            .filter(|progress| progress.executed >= newest.after())
            .map(|progress| (progress.view_active, progress.view.value(), progress.primary.value()));
        let (active, view, primary) = views.max().unwrap_or_default();
        let replicas = self.remember(&newest.replicas, &reports);
        let answering =
            replicas.iter().filter(|replica| replica.status != ReplicaStatus::Unreachable).count();
        let sizes = QuorumSizes::of(u16::try_from(replicas.len()).unwrap_or(u16::MAX));
        NetworkReport {
            chain_id: self.chain_id,
            height: height_of_weak_quorum(&replicas, sizes),
            epoch: newest.epoch().value(),
            view,
            primary,
            diagnosis: diagnose(&replicas, active.then_some(primary), sizes),
            has_quorum: answering >= sizes.quorum(),
            replicas,
        }
    }

    /// What each replica says now, or said last.
    fn remember(&self, members: &ReplicaSet, reports: &Reports) -> Vec<ReplicaReport> {
        let tallest = reports.values().flatten().filter_map(state_of).map(|report| report.state.height).max();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|id, _| members.contains(*id));
        for id in members.ids() {
            let address = self.address(id);
            let report = reports.get(&id).and_then(Option::as_ref);
            match report.and_then(|report| Some((report, state_of(report)?))) {
                Some((report, state)) => {
                    let lag = tallest.unwrap_or_default().value().saturating_sub(state.state.height.value());
                    let status = match report {
                        _ if lag > SLACK => ReplicaStatus::Behind,
                        report if is_held_up(report) => ReplicaStatus::Waiting,
                        _ => ReplicaStatus::Up,
                    };
                    last.insert(id, said(id, address, status, report, state));
                }
                None => {
                    let known = last.entry(id).or_insert_with(|| unknown(id));
                    (known.status, known.address) = (ReplicaStatus::Unreachable, address);
                }
            }
        }
        last.values().cloned().collect()
    }

    /// Where it is dialed, or where the ledger says that it is.
    fn address(&self, id: ReplicaId) -> String {
        if let Some(address) = self.members.addresses.borrow().get(&id) {
            return address.to_string();
        }
        let recorded = |ledger: &Ledger| {
            let mut all = ledger.replicas();
            all.find(|(other, _)| other.value() == id.value()).map(|(_, row)| row.address.to_string())
        };
        self.ledger.read(recorded).unwrap_or_default()
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

/// Whether it has no say, or waits for longer than it takes to give up on a primary and go on under the next.
fn is_held_up(report: &NodeReport) -> bool {
    match report.waits_for {
        WaitsFor::Nothing => false,
        WaitsFor::Key { .. }
        | WaitsFor::LaterView { .. }
        | WaitsFor::Membership { .. }
        | WaitsFor::Return { .. } => true,
        _ => Duration::from_millis(report.waited) >= HELD_UP,
    }
}

fn waits_for(report: &NodeReport) -> Option<String> {
    (report.waits_for != WaitsFor::Nothing).then(|| report.waits_for.to_string())
}

fn said(
    id: ReplicaId,
    address: String,
    status: ReplicaStatus,
    report: &NodeReport,
    state: Report,
) -> ReplicaReport {
    ReplicaReport {
        id: id.value(),
        address,
        status,
        height: state.state.height,
        view: report.progress.view.value(),
        state_root: state.state.state_root,
        stable_checkpoint: report.progress.stable_checkpoint.value(),
        waits_for: waits_for(report),
        last_seen: Some(now()),
    }
}

fn unknown(id: ReplicaId) -> ReplicaReport {
    ReplicaReport {
        id: id.value(),
        address: String::new(),
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
    let mut waiting = replicas.iter().filter(|replica| replica.status == ReplicaStatus::Waiting);
    let held_up = waiting.clone().count();
    if up.len() + behind.len() + held_up < sizes.quorum() {
        let needed = sizes.quorum();
        let away = named(&away, "does not answer", "do not answer");
        return format!("{away}: {needed} are needed to agree on anything");
    }
    if let Some(replica) = waiting.next().filter(|_| held_up + away.len() > replicas.len() - sizes.quorum()) {
        let waits_for = replica.waits_for.as_deref().unwrap_or("is held up");
        return format!("nothing is decided: replica {} {waits_for}", replica.id);
    }
    match primary {
        None => return "the replicas are changing to another primary".into(),
        Some(primary) if away.iter().any(|id| *id == primary.to_string()) => {
            return format!("replica {primary}, the primary, does not answer: the others will replace it");
        }
        Some(_) => {}
    }
    let level = [ReplicaStatus::Up, ReplicaStatus::Waiting];
    let mut tallest = replicas.iter().filter(|replica| level.contains(&replica.status));
    let first = tallest.next();
    let differs = |replica: &&ReplicaReport| {
        first.is_some_and(|first| first.height == replica.height && first.state_root != replica.state_root)
    };
    if let Some(other) = tallest.find(differs) {
        return format!("replica {} has another state at height {} than the others", other.id, other.height);
    }
    let waiting = with(ReplicaStatus::Waiting);
    let groups = [
        (&away, "does not answer", "do not answer"),
        (&behind, "is behind and catches up", "are behind and catch up"),
        (&waiting, "has no say, or is held up", "have no say, or are held up"),
    ];
    let troubles = groups.iter().filter(|(ids, ..)| !ids.is_empty());
    let troubles: Vec<_> = troubles.map(|(ids, one, many)| named(ids, one, many)).collect();
    if troubles.is_empty() {
        return format!("all {} replicas agree", replicas.len());
    }
    format!("{}; the others agree", troubles.join(", "))
}

fn named(ids: &[String], one: &str, many: &str) -> String {
    match ids {
        [id] => format!("replica {id} {one}"),
        ids => format!("replicas {} {many}", ids.join(", ")),
    }
}

fn now() -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis::new(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use pbft_core::{Seq, View, replica::Progress};

    use super::*;

    fn says(waits_for: WaitsFor, waited: Duration) -> NodeReport {
        let (seq, replica) = (Seq::new(3), ReplicaId::new(0));
        let progress = Progress {
            replica,
            view: View::ZERO,
            view_active: true,
            primary: replica,
            executed: seq,
            proposed: seq,
            stable_checkpoint: seq,
            low: seq,
            high: seq,
            waiting_requests: 0,
            clients: 0,
            farthest_claim: seq,
            first_archived: None,
        };
        let waited = u64::try_from(waited.as_millis()).unwrap();
        NodeReport { progress, waits_for, waited, application: Vec::new() }
    }

    fn replicas(statuses: [ReplicaStatus; 4]) -> Vec<ReplicaReport> {
        let replica = |(id, status)| ReplicaReport {
            status,
            waits_for: Some("waits for 3 replicas to ask for view 1; silent: 2, 3".into()),
            ..unknown(ReplicaId::new(id))
        };
        (0..).zip(statuses).map(replica).collect()
    }

    #[test]
    fn who_waits_too_long_or_has_no_say_is_held_up() {
        let view = View::new(1);
        let asks = || WaitsFor::ViewChanges { view, quorum: 3, silent: Vec::new() };
        assert!(!is_held_up(&says(asks(), Duration::from_secs(2))), "views change now and then");
        assert!(is_held_up(&says(asks(), HELD_UP)));
        assert!(is_held_up(&says(WaitsFor::LaterView { view }, Duration::ZERO)));
        assert!(!is_held_up(&says(WaitsFor::Nothing, HELD_UP)));
    }

    /// All processes answer, and the cluster stands still: that is not well.
    #[test]
    fn a_standstill_of_replicas_that_answer_is_told() {
        use ReplicaStatus::{Behind, Unreachable, Up, Waiting};

        let sizes = QuorumSizes::of(4);
        let say = |statuses, primary| diagnose(&replicas(statuses), primary, sizes);
        let nothing = "nothing is decided: replica 0 waits for 3 replicas to ask for view 1; silent: 2, 3";
        assert_eq!(say([Waiting; 4], None), nothing);
        assert_eq!(say([Waiting, Up, Up, Unreachable], Some(1)), nothing);
        assert_eq!(say([Up; 4], Some(0)), "all 4 replicas agree");
        let returned = "replica 3 has no say, or is held up; the others agree";
        assert_eq!(say([Up, Up, Up, Waiting], Some(0)), returned);
        let two = "replica 2 is behind and catches up, replica 3 has no say, or is held up; the others agree";
        assert_eq!(say([Up, Up, Behind, Waiting], Some(0)), two);
        assert_eq!(say([Up, Up, Up, Unreachable], Some(0)), "replica 3 does not answer; the others agree");
        let needed = "replicas 2, 3 do not answer: 3 are needed to agree on anything";
        assert_eq!(say([Up, Up, Unreachable, Unreachable], Some(0)), needed);
    }
}
