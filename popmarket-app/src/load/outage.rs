//! The primary is killed under load: how long nothing is acknowledged, until the next one has taken over.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use pbft_node::Client;

use super::{LoadError, Processes};

/// So long the payments are watched after each kill: past any change of views that goes well.
const WATCHED_FOR: Duration = Duration::from_secs(5);
/// So long a cluster may take to go on.
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

/// Kills the primary, watches the payments until they are acknowledged again, and starts it again. Returns the longest time
/// without any acknowledgement.
pub(super) async fn kill_primary(
    client: &Client,
    processes: &mut Processes,
    done: &ProgressBar,
) -> Result<Duration, LoadError> {
    let victim = primary(client).await;
    processes.kill(victim).await?;
    let pause = longest_pause(done).await;
    processes.restart(victim).await?;
    Ok(pause)
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
