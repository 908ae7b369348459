//! Group commit: while one fsync runs, records gather; the next one covers them all.

use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use pbft_core::storage::Log;

use super::events::{Failure, Internal, ToLog};
use crate::{founder::Founder, metrics::ReplicaMetrics};

/// Runs until the replica's end of the channel is gone, or the log fails.
pub(crate) fn run<L: Log>(
    mut log: L,
    mut founder: Option<Founder>,
    orders: &Receiver<ToLog>,
    replica: &Sender<Internal>,
    metrics: &ReplicaMetrics,
) {
    while let Ok(first) = orders.recv() {
        if let Err(error) = carry_out(&mut log, &mut founder, first, orders, replica, metrics) {
            tracing::error!(error, "the durable log failed: this replica stops");
            // The replica may be gone already; then nobody needs to know.
            let _ = replica.send(Internal::Failed(Failure::Log(error)));
            return;
        }
    }
}

fn carry_out<L: Log>(
    log: &mut L,
    founder: &mut Option<Founder>,
    first: ToLog,
    orders: &Receiver<ToLog>,
    replica: &Sender<Internal>,
    metrics: &ReplicaMetrics,
) -> Result<(), String> {
    let mut records = 0;
    let mut truncate = None;
    for order in std::iter::once(first).chain(orders.try_iter()) {
        match order {
            ToLog::Append(position, record) => {
                log.append(position, &record).map_err(said)?;
                records += 1;
            }
            ToLog::Truncate(position) => truncate = Some(position),
        }
    }
    if records > 0 {
        let started = Instant::now();
        let durable = log.sync().map_err(said)?;
        // Before any vote that rests on these records leaves: from now on a missing log is a lost one.
        founder.take().map_or(Ok(()), Founder::has_a_log).map_err(said)?;
        metrics.synced(records, started.elapsed());
        let _ = replica.send(Internal::Durable(durable));
    }
    match truncate {
        Some(position) => log.truncate(position).map_err(said),
        None => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn said(error: impl ToString) -> String {
    error.to_string()
}
