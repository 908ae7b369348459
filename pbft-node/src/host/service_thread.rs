//! Executes batches, one after the other.

use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use pbft_core::service::Service;

use super::events::{Internal, ToService};
use crate::metrics::ReplicaMetrics;

/// Runs until the replica's end of the channel is gone.
pub(crate) fn run<S: Service>(
    mut service: S,
    orders: &Receiver<ToService>,
    replica: &Sender<Internal>,
    metrics: &ReplicaMetrics,
) {
    for ToService { batch, checkpoint } in orders {
        let started = Instant::now();
        let executed = service.execute(&batch);
        metrics.executed(batch.requests.len(), started.elapsed());
        let checkpoint = checkpoint.then(|| service.checkpoint());
        if replica.send(Internal::Executed { executed, checkpoint }).is_err() {
            return;
        }
    }
}
