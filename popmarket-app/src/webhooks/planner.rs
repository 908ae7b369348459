//! Deals out events: which of them goes to which hook.

use std::time::Duration;

use super::store::Hook;
use super::{MAX_REPLAY, Shared, WebhookError};
use crate::read_model::{EventRecord, Position, ReadModel};

/// After an error it is tried again after this time.
const PAUSE: Duration = Duration::from_secs(1);
/// After so many events that are for nobody it is written down how far the planner is.
const UNSAVED: usize = 4_096;

/// The last place in the read model. `None`: nothing is in it yet.
pub(super) fn end(read: &ReadModel) -> Option<Position> {
    let next = Position::new(read.watermark()?.height.next(), 0)?;
    Position::from_number(next.to_number() - 1)
}

pub(super) async fn run(shared: &Shared) {
    let mut blocks = shared.read.watermarks();
    let mut unsaved = 0;
    loop {
        // What comes after the look at the tables ends the wait below.
        blocks.mark_unchanged();
        match step(shared, &mut unsaved).await {
            Ok(true) => {}
            Ok(false) => {
                if blocks.changed().await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "webhooks wait");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Deals out some events. Whether there may be more.
async fn step(shared: &Shared, unsaved: &mut usize) -> Result<bool, WebhookError> {
    let mut planned = shared.planned.lock().await;
    let hooks = shared.store.enabled().await?;
    if hooks.is_empty() {
        *planned = end(&shared.read).unwrap_or(*planned).max(*planned);
        return Ok(false);
    }
    let events = shared.read.events_after(planned.to_number()).await?;
    let Some(last) = events.last().map(|event| event.position) else { return Ok(false) };
    let wanted = |(hook, since): &&(Hook, Position), event: &EventRecord| {
        event.position > *since && is_for(hook, event)
    };
    let deliveries: Vec<_> = events
        .iter()
        .flat_map(|event| {
            let hooks = hooks.iter().filter(move |hook| wanted(hook, event));
            hooks.map(|(hook, _)| (hook.id, event.position))
        })
        .collect();
    *unsaved += events.len();
    if !deliveries.is_empty() || *unsaved > UNSAVED {
        shared.store.plan(&deliveries, last, (shared.options.clock)()).await?;
        *unsaved = 0;
    }
    *planned = last;
    if !deliveries.is_empty() {
        shared.due.notify_one();
    }
    Ok(true)
}

/// Whether a hook wants to hear of an event.
fn is_for(hook: &Hook, event: &EventRecord) -> bool {
    let subscription = &hook.subscription;
    let name = event.event.name();
    let is_named = |prefix: &String| name.starts_with(prefix.as_str());
    let is_wanted = subscription.events.is_empty() || subscription.events.iter().any(is_named);
    is_wanted && (subscription.everything || event.concerns(&hook.owner))
}

/// The places of those events of a range that are for a hook, and where the rest of the range begins if that is not all:
/// one replay sends so much, and looks at so much.
pub(super) async fn matching(
    shared: &Shared,
    hook: &Hook,
    from: Position,
    to: Position,
) -> Result<(Vec<Position>, Option<Position>), WebhookError> {
    let mut positions = Vec::new();
    let (mut after, mut seen) = (from.to_number() - 1, 0);
    loop {
        let events = shared.read.scan_events(after).await?;
        for event in events.iter().take_while(|event| event.position <= to) {
            if !is_for(hook, event) {
                continue;
            }
            if positions.len() == MAX_REPLAY {
                return Ok((positions, Some(event.position)));
            }
            positions.push(event.position);
        }
        let last = events.last().map(|event| event.position).filter(|last| *last < to);
        let Some(last) = last else { return Ok((positions, None)) };
        after = last.to_number();
        seen += events.len();
        if seen >= shared.options.max_replay_scan {
            return Ok((positions, Position::from_number(after + 1)));
        }
    }
}
