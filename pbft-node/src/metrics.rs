//! Metrics in the Prometheus text format. One registry serves any number of replicas in a process.

use std::{sync::atomic::AtomicU64, time::Duration};

use pbft_core::{
    ReplicaId,
    effect::{TransferEvent, ViewChangeReason},
    message::{ReadAnswer, ReadRefusal},
    replica::Progress,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::{diagnosis::Diagnosis, transport::CutOffs};

/// Which replica of the process.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReplicaLabel {
    replica: u16,
}

/// Which replica, and which kind of thing.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    replica: u16,
    kind: &'static str,
}

type Histograms = Family<ReplicaLabel, Histogram, fn() -> Histogram>;

/// All metrics of the nodes in one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    executed: Family<ReplicaLabel, Gauge>,
    stable: Family<ReplicaLabel, Gauge>,
    view: Family<ReplicaLabel, Gauge>,
    waiting: Family<ReplicaLabel, Gauge>,
    waits_for: Family<KindLabel, Gauge>,
    waited: Family<ReplicaLabel, Gauge<f64, AtomicU64>>,
    gives_up_in: Family<ReplicaLabel, Gauge>,
    requests: Family<ReplicaLabel, Counter>,
    replies: Family<ReplicaLabel, Counter>,
    declined: Family<ReplicaLabel, Counter>,
    certified: Family<ReplicaLabel, Counter>,
    reads: Family<ReplicaLabel, Counter>,
    reads_refused: Family<KindLabel, Counter>,
    evidence: Family<KindLabel, Counter>,
    messages: Family<KindLabel, Counter>,
    invalid: Family<ReplicaLabel, Counter>,
    unreachable: Family<ReplicaLabel, Counter>,
    cut_off: Family<KindLabel, Counter>,
    view_changes: Family<KindLabel, Counter>,
    transfers: Family<ReplicaLabel, Counter>,
    bad_parts: Family<ReplicaLabel, Counter>,
    sync_seconds: Histograms,
    records_per_sync: Histograms,
    batch_requests: Histograms,
    execute_seconds: Histograms,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 16))
}

fn counts() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 13))
}

fn histograms(make: fn() -> Histogram) -> Histograms {
    Family::new_with_constructor(make)
}

impl Metrics {
    /// Registers all metrics, with names that start with `pbft_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            executed: Family::default(),
            stable: Family::default(),
            view: Family::default(),
            waiting: Family::default(),
            waits_for: Family::default(),
            waited: Family::default(),
            gives_up_in: Family::default(),
            requests: Family::default(),
            replies: Family::default(),
            declined: Family::default(),
            certified: Family::default(),
            reads: Family::default(),
            reads_refused: Family::default(),
            evidence: Family::default(),
            messages: Family::default(),
            invalid: Family::default(),
            unreachable: Family::default(),
            cut_off: Family::default(),
            view_changes: Family::default(),
            transfers: Family::default(),
            bad_parts: Family::default(),
            sync_seconds: histograms(seconds),
            records_per_sync: histograms(counts),
            batch_requests: histograms(counts),
            execute_seconds: histograms(seconds),
        };
        let m = metrics.clone();
        let registry = registry.sub_registry_with_prefix("pbft");
        registry.register("executed_seq", "Last batch executed", m.executed);
        registry.register("stable_checkpoint_seq", "Stable checkpoint", m.stable);
        registry.register("view", "Current view", m.view);
        registry.register("waiting_requests", "Requests that wait for a proposal", m.waiting);
        registry.register("waits_for", "1 for the kind of thing that it waits for", m.waits_for);
        registry.register(
            "waited_seconds",
            "For how long it has waited for that, and executed nothing; 0 if for nothing",
            m.waited,
        );
        registry.register(
            "gives_up_in_milliseconds",
            "When it asks for another primary if nothing happens; -1 if it would not",
            m.gives_up_in,
        );
        registry.register("requests", "Requests admitted", m.requests);
        registry.register("replies", "Replies given", m.replies);
        registry.register("declined", "Requests declined", m.declined);
        registry.register("certified_results", "Results of batches certified", m.certified);
        registry.register("reads", "Questions answered without being ordered", m.reads);
        registry.register("refused_reads", "Questions refused, by reason", m.reads_refused);
        registry.register(
            "evidence",
            "Provable faults, each counted once, by what was said twice",
            m.evidence,
        );
        registry.register("messages", "Messages from replicas that passed verification", m.messages);
        registry.register("invalid_messages", "Messages from replicas that failed verification", m.invalid);
        registry.register(
            "unreachable_messages",
            "Messages dropped since they were for replicas that are not dialed: long gone, or at no known address",
            m.unreachable,
        );
        registry.register("cut_off_connections", "Connections refused or ended, by reason", m.cut_off);
        registry.register("view_changes", "How often it asked for another view, by reason", m.view_changes);
        registry.register("state_transfers", "States taken over from other replicas", m.transfers);
        registry.register("bad_state_parts", "Wrong parts of a state that others sent", m.bad_parts);
        let unit = Unit::Seconds;
        registry.register_with_unit("log_sync", "Time of one fsync of the log", unit.clone(), m.sync_seconds);
        registry.register("log_records_per_sync", "Records that share an fsync", m.records_per_sync);
        registry.register("batch_requests", "Requests in an executed batch", m.batch_requests);
        registry.register_with_unit("execute", "Time the service takes for a batch", unit, m.execute_seconds);
        metrics
    }

    /// The metrics of one replica.
    #[must_use]
    pub(crate) fn of(&self, replica: ReplicaId) -> ReplicaMetrics {
        let label = ReplicaLabel { replica: replica.value() };
        ReplicaMetrics {
            replica: replica.value(),
            executed: self.executed.get_or_create_owned(&label),
            stable: self.stable.get_or_create_owned(&label),
            view: self.view.get_or_create_owned(&label),
            waiting: self.waiting.get_or_create_owned(&label),
            waits_for: self.waits_for.clone(),
            waited: self.waited.get_or_create_owned(&label),
            gives_up_in: self.gives_up_in.get_or_create_owned(&label),
            waited_for: None,
            requests: self.requests.get_or_create_owned(&label),
            replies: self.replies.get_or_create_owned(&label),
            declined: self.declined.get_or_create_owned(&label),
            certified: self.certified.get_or_create_owned(&label),
            reads: self.reads.get_or_create_owned(&label),
            reads_refused: self.reads_refused.clone(),
            evidence: self.evidence.clone(),
            messages: self.messages.clone(),
            invalid: self.invalid.get_or_create_owned(&label),
            unreachable: self.unreachable.get_or_create_owned(&label),
            unreachable_before: 0,
            cut_off: self.cut_off.clone(),
            view_changes: self.view_changes.clone(),
            transfers: self.transfers.get_or_create_owned(&label),
            bad_parts: self.bad_parts.get_or_create_owned(&label),
            sync_seconds: self.sync_seconds.get_or_create_owned(&label),
            records_per_sync: self.records_per_sync.get_or_create_owned(&label),
            batch_requests: self.batch_requests.get_or_create_owned(&label),
            execute_seconds: self.execute_seconds.get_or_create_owned(&label),
        }
    }
}

/// One replica's metrics.
#[derive(Clone, Debug)]
pub(crate) struct ReplicaMetrics {
    replica: u16,
    executed: Gauge,
    stable: Gauge,
    view: Gauge,
    waiting: Gauge,
    waits_for: Family<KindLabel, Gauge>,
    waited: Gauge<f64, AtomicU64>,
    gives_up_in: Gauge,
    waited_for: Option<&'static str>,
    pub(crate) requests: Counter,
    pub(crate) replies: Counter,
    pub(crate) declined: Counter,
    pub(crate) certified: Counter,
    reads: Counter,
    reads_refused: Family<KindLabel, Counter>,
    evidence: Family<KindLabel, Counter>,
    messages: Family<KindLabel, Counter>,
    pub(crate) invalid: Counter,
    unreachable: Counter,
    unreachable_before: u64,
    cut_off: Family<KindLabel, Counter>,
    view_changes: Family<KindLabel, Counter>,
    transfers: Counter,
    bad_parts: Counter,
    sync_seconds: Histogram,
    records_per_sync: Histogram,
    batch_requests: Histogram,
    execute_seconds: Histogram,
}

impl ReplicaMetrics {
    pub(crate) fn message(&self, kind: &'static str) {
        self.messages.get_or_create(&KindLabel { replica: self.replica, kind }).inc();
    }

    pub(crate) fn evidence(&self, kind: &'static str) {
        self.evidence.get_or_create(&KindLabel { replica: self.replica, kind }).inc();
    }

    /// What the replica waits for: of all kinds that it ever waited for, one is 1.
    pub(crate) fn diagnosed(&mut self, diagnosis: &Diagnosis) {
        let (replica, kind) = (self.replica, diagnosis.waits_for.kind());
        if let Some(before) = self.waited_for.replace(kind).filter(|before| *before != kind) {
            self.waits_for.get_or_create(&KindLabel { replica, kind: before }).set(0);
        }
        self.waits_for.get_or_create(&KindLabel { replica, kind }).set(1);
        let millis = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
        self.gives_up_in.set(diagnosis.waits_for.gives_up_in().map_or(-1, millis));
        self.waited.set(diagnosis.waited().as_secs_f64());
    }

    pub(crate) fn read(&self, answer: &ReadAnswer) {
        match answer {
            ReadAnswer::Shown(_) => {
                self.reads.inc();
            }
            ReadAnswer::Refused(refusal) => {
                let kind = refusal_kind(*refusal);
                self.reads_refused.get_or_create(&KindLabel { replica: self.replica, kind }).inc();
            }
        }
    }

    /// So many messages were for replicas that are not dialed, in all.
    pub(crate) fn unreachable(&mut self, total: u64) {
        let before = core::mem::replace(&mut self.unreachable_before, total);
        self.unreachable.inc_by(total.saturating_sub(before));
    }

    /// So many connections were cut off, in all, and so many when this was told last.
    pub(crate) fn cut_offs(&self, before: &CutOffs, now: &CutOffs) {
        for (reason, total) in now {
            let more = total.saturating_sub(before.get(reason).copied().unwrap_or(0));
            let label = KindLabel { replica: self.replica, kind: reason.label() };
            self.cut_off.get_or_create(&label).inc_by(more);
        }
    }

    pub(crate) fn view_change(&self, why: ViewChangeReason) {
        self.view_changes.get_or_create(&KindLabel { replica: self.replica, kind: why.name() }).inc();
    }

    pub(crate) fn transfer(&self, event: TransferEvent) {
        match event {
            TransferEvent::Done { .. } => drop(self.transfers.inc()),
            TransferEvent::BadPart { .. } => drop(self.bad_parts.inc()),
            TransferEvent::Begun { .. } | TransferEvent::Abandoned { .. } => {}
        }
    }

    pub(crate) fn synced(&self, records: usize, took: Duration) {
        self.sync_seconds.observe(took.as_secs_f64());
        self.records_per_sync.observe(as_f64(records));
    }

    pub(crate) fn executed(&self, requests: usize, took: Duration) {
        self.execute_seconds.observe(took.as_secs_f64());
        self.batch_requests.observe(as_f64(requests));
    }

    pub(crate) fn progress(&self, progress: &Progress) {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.executed.set(signed(progress.executed.value()));
        self.stable.set(signed(progress.stable_checkpoint.value()));
        self.view.set(signed(progress.view.value()));
        self.waiting.set(signed(progress.waiting_requests));
    }
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

const fn refusal_kind(refusal: ReadRefusal) -> &'static str {
    match refusal {
        ReadRefusal::Busy => "busy",
        ReadRefusal::NotNow => "not-now",
        ReadRefusal::TooLarge => "too-large",
        ReadRefusal::Unsupported => "unsupported",
    }
}
