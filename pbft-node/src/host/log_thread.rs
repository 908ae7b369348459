//! Group commit: while one fsync runs, records gather; the next one covers them all.

use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use pbft_core::storage::Log;

use super::events::{Failure, Internal, ToLog};
use crate::metrics::ReplicaMetrics;

/// Runs until the replica's end of the channel is gone, or the log fails.
pub(crate) fn run<L: Log>(
    mut log: L,
    orders: &Receiver<ToLog>,
    replica: &Sender<Internal>,
    metrics: &ReplicaMetrics,
) {
    while let Ok(first) = orders.recv() {
        if let Err(error) = carry_out(&mut log, first, orders, replica, metrics) {
            tracing::error!(%error, "the durable log failed: this replica stops");
            // The replica may be gone already; then nobody needs to know.
            let _ = replica.send(Internal::Failed(Failure::Log(error.to_string())));
            return;
        }
    }
}

fn carry_out<L: Log>(
    log: &mut L,
    first: ToLog,
    orders: &Receiver<ToLog>,
    replica: &Sender<Internal>,
    metrics: &ReplicaMetrics,
) -> Result<(), L::Error> {
    let mut records = 0;
    let mut truncate = None;
    for order in std::iter::once(first).chain(orders.try_iter()) {
        match order {
            ToLog::Append(position, record) => {
                log.append(position, &record)?;
                records += 1;
            }
            ToLog::Truncate(position) => truncate = Some(position),
        }
    }
    if records > 0 {
        let started = Instant::now();
        let durable = log.sync()?;
        metrics.synced(records, started.elapsed());
        let _ = replica.send(Internal::Durable(durable));
    }
    match truncate {
        Some(position) => log.truncate(position),
        None => Ok(()),
    }
}
