//! Sends what is due, many at a time, and writes down what came of it.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use ledger::Millis;
use pbft_crypto::Address;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, redirect};
use serde_json::json;
use tokio::task::{Id, JoinError, JoinSet};

use super::address::CheckedNames;
use super::schedule;
use super::secret::Secret;
use super::store::{AttemptRecord, Delivery, Hook, HookId, LookAhead, Next, Outcome};
use super::{Shared, WebhookError, WebhookOptions};
use crate::http::model::{EventView, Viewer};
use crate::http::timestamp::rfc3339;
use crate::read_model::{EventRecord, Position};

/// How many are sent at the same time.
const AT_ONCE: u32 = 128;
/// How many of them of one member, so that slow receivers are in the way of nobody else's.
const AT_ONCE_OF_ONE: u32 = 4;
/// Where it is looked for what can be sent. Whatever is on its way is still due: looking at as many hooks as are sent at once, and
/// at as much of each as is sent of one, there is always something else among it, if there is anything.
const LOOK_AHEAD: LookAhead = LookAhead { hooks: AT_ONCE, of_each: AT_ONCE_OF_ONE };
/// What cannot be read yet is tried again after this time.
const NOT_YET: Millis = Millis::new(5_000);
/// The name of an event that means nothing.
const TEST: &str = "webhook.test";

/// A client that goes only where it may, and nowhere else if it is told to.
pub(super) fn client(options: &WebhookOptions) -> reqwest::Result<reqwest::Client> {
    let resolver = CheckedNames { targets: options.targets, names: Arc::clone(&options.names) };
    reqwest::Client::builder()
        .dns_resolver(resolver)
        .redirect(redirect::Policy::none())
        // A proxy would look names up by itself.
        .no_proxy()
        .timeout(options.timeout)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("popmarket-webhooks/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// What is on its way.
#[derive(Default)]
struct OnTheWay {
    tasks: HashMap<Id, What>,
    all: BTreeSet<(HookId, Position)>,
    of_each: BTreeMap<Address, u32>,
}

/// What of whom.
type What = (Address, HookId, Position);

impl OnTheWay {
    /// Whether there is room for it, and it is not on its way already.
    fn has_room_for(&self, (owner, hook, position): What) -> bool {
        let of_this = self.of_each.get(&owner).copied().unwrap_or_default();
        of_this < AT_ONCE_OF_ONE && !self.all.contains(&(hook, position))
    }

    fn begin(&mut self, task: Id, what: What) {
        let (owner, hook, position) = what;
        self.tasks.insert(task, what);
        self.all.insert((hook, position));
        *self.of_each.entry(owner).or_default() += 1;
    }

    fn end(&mut self, ended: Result<(Id, ()), JoinError>) {
        // It is still due: nothing was written down.
        let task = ended.map_or_else(
            |error| {
                tracing::error!(%error, "what came of a webhook was not written down");
                error.id()
            },
            |(task, ())| task,
        );
        let Some((owner, hook, position)) = self.tasks.remove(&task) else { return };
        self.all.remove(&(hook, position));
        if let Some(of_this) = self.of_each.get_mut(&owner) {
            *of_this = of_this.saturating_sub(1);
        }
        self.of_each.retain(|_, count| *count > 0);
    }

    /// Members for whom nothing more can be sent now.
    fn busy(&self) -> Vec<Address> {
        let busy = self.of_each.iter().filter(|(_, count)| **count >= AT_ONCE_OF_ONE);
        busy.map(|(owner, _)| *owner).collect()
    }

    fn is_full(&self) -> bool {
        self.tasks.len() >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX)
    }
}

pub(super) async fn run(shared: &Arc<Shared>) {
    let mut sending = JoinSet::new();
    let mut on_the_way = OnTheWay::default();
    loop {
        if let Err(error) = launch(shared, &mut sending, &mut on_the_way).await {
            tracing::warn!(%error, "webhooks wait to be sent");
        }
        tokio::select! {
            Some(ended) = sending.join_next_with_id() => on_the_way.end(ended),
            () = shared.due.notified() => {}
            () = tokio::time::sleep(shared.options.tick) => {}
        }
        while let Some(ended) = sending.try_join_next_with_id() {
            on_the_way.end(ended);
        }
    }
}

async fn launch(
    shared: &Arc<Shared>,
    sending: &mut JoinSet<()>,
    on_the_way: &mut OnTheWay,
) -> Result<(), WebhookError> {
    if on_the_way.is_full() {
        return Ok(());
    }
    let now = (shared.options.clock)();
    for delivery in shared.store.due(now, &on_the_way.busy(), LOOK_AHEAD).await? {
        if on_the_way.is_full() {
            break;
        }
        let what = (delivery.hook.owner, delivery.hook.id, delivery.position);
        if on_the_way.has_room_for(what) {
            let task = sending.spawn(deliver(Arc::clone(shared), delivery));
            on_the_way.begin(task.id(), what);
        }
    }
    Ok(())
}

/// Sends something, and writes down what came of it. An error in this program counts as a failed attempt: others go on, and it is
/// not tried for good.
async fn deliver(shared: Arc<Shared>, delivery: Delivery) {
    let done = match AssertUnwindSafe(send(&shared, &delivery)).catch_unwind().await {
        Ok(done) => done,
        Err(panic) => {
            let (hook, event) = (delivery.hook.id, delivery.position);
            tracing::error!(%hook, %event, panic = words(&*panic), "a webhook cannot be sent");
            let at = (shared.options.clock)();
            let (message, number) = name(&delivery);
            let error = Some("an error in the program that sends webhooks".to_owned());
            let attempt = AttemptRecord { id: 0, message, number, at, millis: 0, status: None, error };
            settle(&shared, &delivery, attempt, None).await
        }
    };
    if let Err(error) = done {
        tracing::warn!(%error, "a webhook is sent again later");
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("nothing")
}

/// Its `webhook-id`, and the number of the attempt.
fn name(delivery: &Delivery) -> (String, u32) {
    (format!("evt_{}", delivery.position), delivery.attempts.saturating_add(1))
}

async fn send(shared: &Shared, delivery: &Delivery) -> Result<(), WebhookError> {
    let Some(record) = shared.read.event(delivery.position).await? else {
        // The read model is being made anew.
        let now = (shared.options.clock)();
        return Ok(shared.store.put_off(delivery, (now, now.plus(NOT_YET))).await?);
    };
    let body = payload(shared, &delivery.hook, &record);
    let (attempt, wish) = attempt(shared, &delivery.hook, &delivery.secrets, name(delivery), body).await;
    settle(shared, delivery, attempt, wish).await
}

/// Writes down an attempt, and what follows from it.
async fn settle(
    shared: &Shared,
    delivery: &Delivery,
    attempt: AttemptRecord,
    wish: Option<Duration>,
) -> Result<(), WebhookError> {
    let at = (shared.options.clock)();
    let next = match &attempt.error {
        None => Next::Delivered,
        Some(_) => schedule::next(at, attempt.number, wish, chance()).map_or(Next::GivenUp, Next::Again),
    };
    if let Some(why) = shared.store.record(delivery, &Outcome { attempt, next, at }).await? {
        tracing::warn!(hook = %delivery.hook.id, why, "a webhook is disabled");
    }
    Ok(())
}

/// Sends an event that means nothing, at once.
pub(super) async fn test(shared: &Shared, hook: &Hook) -> Result<AttemptRecord, WebhookError> {
    let now = (shared.options.clock)();
    let secrets = shared.store.secrets(hook.id, now).await?;
    let time = rfc3339(now);
    let body = json!({"type": TEST, "timestamp": time, "data": {"webhook": hook.id.to_string()}});
    let message = format!("test_{}", HookId::generate());
    let (attempt, _) = attempt(shared, hook, &secrets, (message, 1), to_bytes(&body)).await;
    let id = shared.store.record_test(hook.id, &attempt).await?;
    Ok(AttemptRecord { id, ..attempt })
}

/// What the owner of a hook may see of an event.
fn payload(shared: &Shared, hook: &Hook, record: &EventRecord) -> Vec<u8> {
    let is_admin = shared.view.read(|ledger| ledger.is_admin(&hook.owner));
    let view = EventView::new(record, &Viewer::of(hook.owner, is_admin));
    to_bytes(&json!({
        "type": view.name,
        "timestamp": view.time,
        "data": view.data,
        "id": view.id,
        "height": view.height,
        "cause": view.cause,
    }))
}

fn to_bytes(value: &serde_json::Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// One attempt, and after which time the receiver wants the next one.
async fn attempt(
    shared: &Shared,
    hook: &Hook,
    secrets: &[Secret],
    (message, number): (String, u32),
    body: Vec<u8>,
) -> (AttemptRecord, Option<Duration>) {
    let at = (shared.options.clock)();
    let begun = Instant::now();
    let timestamp = at.value() / 1_000;
    let signatures: Vec<String> =
        secrets.iter().map(|secret| secret.sign(&message, timestamp, &body)).collect();
    let headers = [
        ("webhook-id", message.clone()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    let answer = post(shared, &hook.subscription.url, &headers, body).await;
    let wish = answer.as_ref().ok().and_then(retry_after);
    let status = answer.as_ref().ok().map(|response| response.status().as_u16());
    let error = match &answer {
        Ok(response) if response.status().is_success() => None,
        Ok(response) => Some(format!("the receiver answered {}", response.status())),
        Err(why) => Some(why.clone()),
    };
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    (AttemptRecord { id: 0, message, number, at, millis, status, error }, wish)
}

async fn post(
    shared: &Shared,
    url: &str,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
) -> Result<Response, String> {
    // It may have been allowed under other options.
    let url = shared.options.targets.check(url).map_err(|error| error.to_string())?;
    let mut request = shared.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.send().await.map_err(|error| causes(&error))
}

/// An error with what led to it. The URL is not in it: it may hold a secret of the receiver.
fn causes(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the receiver did not answer in time".to_owned();
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// In seconds; dates are not understood.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn chance() -> u64 {
    let mut bytes = [0; 8];
    // Without chance all come back at the same moment, which is no harm.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
