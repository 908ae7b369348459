//! The primary falls silent under load, killed or stopped, perhaps with those that would take over from it: how long nothing
//! is acknowledged.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use pbft_core::{ReplicaId, replica::Progress};
use pbft_node::{Client, transport::ReplicaReport};

use super::{LoadError, Processes};

/// So long the payments are watched after each kill: past any change of views that goes well.
const WATCHED_FOR: Duration = Duration::from_secs(5);
/// A primary is missed for longer than this: the others begin with a timeout of seconds.
const MISSED_FOR: Duration = Duration::from_millis(500);
/// So many batches lie between replicas that are level under load.
const LEVEL: u64 = 64;
/// So long a cluster may take to go on, or a replica to come back.
const RESUMES_WITHIN: Duration = Duration::from_secs(60);

/// Who is primary, as the replica in the latest view says. One that waits for a view which the others do not want says
/// nothing about that.
async fn primary(client: &Client) -> usize {
    let reports = client.reports().await;
    let active =
        reports.values().flatten().map(|report| &report.progress).filter(|progress| progress.view_active);
    let latest = active.max_by_key(|progress| progress.view);
    latest.map_or(0, |progress| progress.primary.index())
}

/// Waits until all take part in one view and none is far behind. Whoever dies before the last one is back is one more than
/// may fail.
pub(super) async fn all_are_back(client: &Client, replicas: usize) -> Result<(), LoadError> {
    let (started, mut tick) = (Instant::now(), tokio::time::interval(Duration::from_millis(50)));
    loop {
        tick.tick().await;
        let reports = client.reports().await;
        let all: Vec<_> = reports.values().flatten().map(|report| &report.progress).collect();
        let latest = all.iter().map(|progress| (progress.view, progress.executed)).max();
        let is_level = |progress: &&Progress| {
            latest.is_some_and(|(view, executed)| {
                progress.view_active && progress.view == view && executed.since(progress.executed) <= LEVEL
            })
        };
        if all.len() == replicas && all.iter().all(is_level) {
            return Ok(());
        }
        if started.elapsed() > RESUMES_WITHIN {
            let seen = reports.iter().map(how_far).collect::<Vec<_>>().join(", ");
            return Err(LoadError::NotBack { limit: RESUMES_WITHIN, seen });
        }
    }
}

fn how_far((id, report): (&ReplicaId, &Option<ReplicaReport>)) -> String {
    match report {
        Some(ReplicaReport { progress, .. }) => {
            format!("{id} has executed {} in view {}", progress.executed, progress.view)
        }
        None => format!("{id} does not answer"),
    }
}

/// How a primary falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// `kill -9`; later it is started again from its log.
    Killed,
    /// It keeps its connections and all that it knows, and does nothing for a while.
    Stopped,
}

/// Silences the primary and those after it, `in_a_row` in all, watches the payments until they are acknowledged again, and
/// has them go on. Returns the longest time without any acknowledgement, or nothing if the load was over before there was one.
pub(super) async fn silence_primaries(
    client: &Client,
    processes: &mut Processes,
    silence: Silence,
    in_a_row: usize,
    done: &ProgressBar,
) -> Result<Option<Duration>, LoadError> {
    let first = primary(client).await;
    let victims: Vec<_> = (0..in_a_row).map(|next| (first + next) % processes.len()).collect();
    for victim in &victims {
        match silence {
            Silence::Killed => processes.kill(*victim).await?,
            Silence::Stopped => processes.pause(*victim)?,
        }
    }
    let pause = longest_pause(done).await;
    for victim in &victims {
        match silence {
            Silence::Killed => processes.restart(*victim).await?,
            Silence::Stopped => processes.resume(*victim)?,
        }
    }
    let over = Some(done.position()) == done.length();
    Ok(Some(pause).filter(|pause| !over || *pause > MISSED_FOR))
}

/// Watches payments being acknowledged for some time, at least until they go on, or to the end of the load.
async fn longest_pause(done: &ProgressBar) -> Duration {
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    let (started, mut last, mut since, mut longest) =
        (Instant::now(), done.position(), Instant::now(), Duration::ZERO);
    while started.elapsed() < RESUMES_WITHIN && Some(last) != done.length() {
        tick.tick().await;
        let position = done.position();
        if position > last {
            longest = longest.max(since.elapsed());
            (last, since) = (position, Instant::now());
            if started.elapsed() >= WATCHED_FOR {
                break;
            }
        }
    }
    longest.max(since.elapsed())
}
