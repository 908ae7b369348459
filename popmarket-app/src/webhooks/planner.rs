//! Deals out events: which of them goes to which hook.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pbft_crypto::Address;

use super::store::{Hook, HookId};
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

/// Whether nothing is sent to anyone. Then what has happened is for nobody, whoever listens from now on.
pub(super) async fn nobody_listens(shared: &Shared, planned: &mut Position) -> Result<bool, WebhookError> {
    if shared.store.has_enabled().await? {
        return Ok(false);
    }
    *planned = end(&shared.read).unwrap_or(*planned).max(*planned);
    Ok(true)
}

/// Deals out some events. Whether there may be more.
async fn step(shared: &Shared, unsaved: &mut usize) -> Result<bool, WebhookError> {
    let mut planned = shared.planned.lock().await;
    if nobody_listens(shared, &mut planned).await? {
        return Ok(false);
    }
    let events = shared.read.events_after(planned.to_number()).await?;
    let Some(last) = events.last().map(|event| event.position) else { return Ok(false) };
    *unsaved += events.len();
    let wanted = deal(shared, events).await?;
    if !wanted.is_empty() || *unsaved > UNSAVED {
        let (now, max_open) = ((shared.options.clock)(), shared.options.max_open);
        for (hook, why) in shared.store.plan(&wanted, last, now, max_open).await? {
            tracing::warn!(%hook, why, "a webhook is disabled");
        }
        *unsaved = 0;
    }
    *planned = last;
    if !wanted.is_empty() {
        shared.due.notify_one();
    }
    Ok(true)
}

/// What of some events goes to which hooks.
async fn deal(
    shared: &Shared,
    events: Vec<EventRecord>,
) -> Result<BTreeMap<HookId, Vec<Position>>, WebhookError> {
    let mut told = Vec::new();
    for event in events {
        let audience = shared.read.audience(&event).await?;
        told.push((event, audience));
    }
    let owners: BTreeSet<Address> = told.iter().flat_map(|(_, audience)| audience.iter().copied()).collect();
    let mut wanted = BTreeMap::new();
    for (hook, since) in shared.store.listening(&owners).await? {
        let is_for = |(event, audience): &&(EventRecord, BTreeSet<Address>)| {
            let is_told = hook.subscription.everything || audience.contains(&hook.owner);
            event.position > since && is_told && is_wanted(&hook, event)
        };
        let positions: Vec<_> = told.iter().filter(is_for).map(|(event, _)| event.position).collect();
        if !positions.is_empty() {
            wanted.insert(hook.id, positions);
        }
    }
    Ok(wanted)
}

/// Whether it is one of those kinds of events that a hook is for.
fn is_wanted(hook: &Hook, event: &EventRecord) -> bool {
    let (events, name) = (&hook.subscription.events, event.event.name());
    events.is_empty() || events.iter().any(|prefix| name.starts_with(prefix.as_str()))
}

/// Whether a hook is to hear of an event.
async fn is_for(shared: &Shared, hook: &Hook, event: &EventRecord) -> Result<bool, WebhookError> {
    let wanted = is_wanted(hook, event);
    Ok(wanted && (hook.subscription.everything || shared.read.audience(event).await?.contains(&hook.owner)))
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
            if !is_for(shared, hook, event).await? {
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

/// The first place behind a range at which something happened. What `matching` did not find in the read model yet, from `known` on, was
/// not looked at.
pub(super) async fn behind(shared: &Shared, to: Position, known: i64) -> Result<i64, WebhookError> {
    let next = shared.read.scan_events(to.to_number()).await?;
    Ok(next.first().map_or(known, |next| next.position.to_number().min(known)))
}
