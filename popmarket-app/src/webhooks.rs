//! Tells members' own programs what happens, as [Standard Webhooks](https://www.standardwebhooks.com) has it.
//!
//! ```text
//! read model -> planner: which event goes to which hook, written down in one step with how far it is
//!            -> sender: signs, sends, writes down what came of it, tries again later
//! ```
//!
//! An event that is in the read model is committed, and its id is its place in the order that all replicas agree on. So
//! every server sends it under the same id. It is sent at least once, however often this program ends in between: what is
//! to be sent is on the disk before the planner goes on, and stays there until a receiver has said that it has it, or until so
//! much is open for its hook that this one is disabled: then its owner replays.

mod address;
mod planner;
mod schedule;
mod secret;
mod sender;
mod store;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger::{Millis, UnixMillis};
use pbft_crypto::Address;
use thiserror::Error;
use tokio::sync::{Mutex, Notify};

use crate::clock::{self, Clock};
use crate::read_model::{Position, ReadError, ReadModel};
use crate::service::LedgerView;
use crate::sql::{self, OpenError, OtherChain};

pub use address::{BadTarget, Names, SystemNames, Targets};
pub use secret::{NotASecret, Secret};
use store::{Again, Store};
pub use store::{AttemptRecord, Hook, HookId, Status};

/// How many hooks a member may have.
pub const MAX_HOOKS: usize = 16;
/// How many beginnings of names a hook may be for.
pub const MAX_EVENTS: usize = 16;
/// How many events one replay may send again.
pub const MAX_REPLAY: usize = 1_000;
/// How much may be open for a hook. Replays fill half of that at most, so that there is room for what happens meanwhile.
pub const MAX_OPEN: u32 = 10_000;
/// How many events one replay looks at: what is for a hook may be rare.
pub const MAX_REPLAY_SCAN: usize = 65_536;
/// So long an old secret signs along after a new one was made.
const OLD_SECRET_LASTS: Millis = Millis::hours(24);
/// So long it is remembered what was sent.
const REMEMBERED: Millis = Millis::days(30);

/// What a member wants to be told, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Where.
    pub url: String,
    /// Beginnings of names of events. Empty: all.
    pub events: Vec<String>,
    /// Also what does not concern the member.
    pub everything: bool,
}

/// What a replay has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// So many events are sent again.
    pub events: usize,
    /// Where to go on, if that were not all.
    pub next: Option<Position>,
}

/// How it is done.
#[derive(Clone)]
pub struct WebhookOptions {
    /// Where hooks may be.
    pub targets: Targets,
    /// Who knows the addresses of names.
    pub names: Arc<dyn Names>,
    /// When it is now.
    pub clock: Clock,
    /// So long a receiver may take.
    pub timeout: Duration,
    /// How often it is looked for what is due, at least.
    pub tick: Duration,
    /// How much may be open for a hook.
    pub max_open: u32,
    /// How many events one replay looks at.
    pub max_replay_scan: usize,
}

impl WebhookOptions {
    /// For public addresses, with the clock and the names of the system, 15 seconds.
    pub fn new(targets: Targets) -> Self {
        Self {
            targets,
            names: Arc::new(SystemNames),
            clock: clock::system(),
            timeout: Duration::from_secs(15),
            tick: Duration::from_secs(1),
            max_open: MAX_OPEN,
            max_replay_scan: MAX_REPLAY_SCAN,
        }
    }
}

/// Why something about webhooks does not work.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// It may not go there.
    #[error(transparent)]
    Target(#[from] BadTarget),
    /// Another member's, or nobody's.
    #[error("there is no such webhook")]
    Unknown,
    /// One too many.
    #[error("a member has at most {MAX_HOOKS} webhooks")]
    TooMany,
    /// The database said no.
    #[error("the webhooks' database: {0}")]
    Database(#[from] sqlx::Error),
    /// The tables could not be made.
    #[error("the webhooks' tables: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// They are of another chain.
    #[error(transparent)]
    OtherChain(#[from] OtherChain),
    /// The read model.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No way to send anything.
    #[error("the sender: {0}")]
    Client(#[from] reqwest::Error),
}

impl WebhookError {
    /// Whether it passes by itself: the database is busy, or out of reach.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(error) => sql::may_pass(error),
            Self::Read(error) => error.may_pass(),
            _ => false,
        }
    }
}

impl From<OpenError> for WebhookError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Database(error) => Self::Database(error),
            OpenError::Migrate(error) => Self::Migrate(error),
        }
    }
}

/// The webhooks of all members. Clones share them.
#[derive(Clone)]
pub struct Webhooks {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    read: ReadModel,
    view: LedgerView,
    options: WebhookOptions,
    client: reqwest::Client,
    /// Up to where it is settled what goes where. Held while hooks come and events are dealt out, so that a new hook gets
    /// all that comes after it.
    planned: Mutex<Position>,
    /// There may be something to send.
    due: Notify,
}

impl Webhooks {
    /// Opens the database file, or begins it.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn open(
        file: &Path,
        read: ReadModel,
        view: LedgerView,
        options: WebhookOptions,
    ) -> Result<Self, WebhookError> {
        let store = Store::open(file, &view.read(|ledger| *ledger.chain_id())).await?;
        let planned = store.planned().await?.or_else(|| planner::end(&read)).unwrap_or(Position::START);
        let client = sender::client(&options)?;
        let (planned, due) = (Mutex::new(planned), Notify::new());
        Ok(Self { shared: Arc::new(Shared { store, read, view, options, client, planned, due }) })
    }

    /// Deals out events and sends them, until it is dropped.
    pub async fn run(&self) {
        tokio::join!(planner::run(&self.shared), sender::run(&self.shared), self.tidy());
    }

    async fn tidy(&self) {
        let mut tick = tokio::time::interval(Duration::from_secs(3_600));
        loop {
            tick.tick().await;
            let before = UnixMillis::new(self.now().value().saturating_sub(REMEMBERED.value()));
            if let Err(error) = self.shared.store.forget(before).await {
                tracing::warn!(%error, "old deliveries are remembered for now");
            }
        }
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.shared.store.close().await;
    }

    fn now(&self) -> UnixMillis {
        (self.shared.options.clock)()
    }

    /// A new hook of a member, with its secret. It gets what happens from now on.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn create(
        &self,
        owner: Address,
        subscription: Subscription,
    ) -> Result<(Hook, Secret), WebhookError> {
        self.shared.options.targets.check(&subscription.url)?;
        let mut planned = self.shared.planned.lock().await;
        planner::nobody_listens(&self.shared, &mut planned).await?;
        if self.shared.store.hooks_of(&owner).await?.len() >= MAX_HOOKS {
            return Err(WebhookError::TooMany);
        }
        let secret = Secret::generate();
        let hook = Hook {
            id: HookId::generate(),
            owner,
            subscription,
            created_at: self.now(),
            status: Status::Enabled,
            failing_since: None,
            replay_from: None,
        };
        // Where the planner is counts from here on, also after a restart.
        self.shared.store.insert(&hook, &secret, *planned).await?;
        Ok((hook, secret))
    }

    /// The hooks of a member.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn hooks_of(&self, owner: &Address) -> Result<Vec<Hook>, WebhookError> {
        Ok(self.shared.store.hooks_of(owner).await?)
    }

    /// A hook of a member.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn hook(&self, owner: &Address, id: HookId) -> Result<Hook, WebhookError> {
        let hook = self.shared.store.hook(id).await?;
        hook.filter(|hook| hook.owner == *owner).ok_or(WebhookError::Unknown)
    }

    /// Takes a hook away, with all that is known about it.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn remove(&self, owner: &Address, id: HookId) -> Result<(), WebhookError> {
        self.hook(owner, id).await?;
        Ok(self.shared.store.remove(id).await?)
    }

    /// A new secret for a hook. The old one signs along for a day.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn rotate(&self, owner: &Address, id: HookId) -> Result<Secret, WebhookError> {
        self.hook(owner, id).await?;
        let secret = Secret::generate();
        self.shared.store.rotate(id, &secret, self.now().plus(OLD_SECRET_LASTS)).await?;
        Ok(secret)
    }

    /// Sends to a disabled hook again: what is open, and what happens from now on. What happened meanwhile can be replayed.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn enable(&self, owner: &Address, id: HookId) -> Result<Hook, WebhookError> {
        self.hook(owner, id).await?;
        let mut planned = self.shared.planned.lock().await;
        planner::nobody_listens(&self.shared, &mut planned).await?;
        // As for a new one: where the planner is counts from here on, also after a restart.
        self.shared.store.enable(id, *planned, self.now()).await?;
        drop(planned);
        self.shared.due.notify_one();
        self.hook(owner, id).await
    }

    /// What was tried for a hook, the newest first; before the attempt with this id, if there is one.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn attempts(
        &self,
        owner: &Address,
        id: HookId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AttemptRecord>, WebhookError> {
        self.hook(owner, id).await?;
        Ok(self.shared.store.attempts(id, before.unwrap_or(i64::MAX), limit).await?)
    }

    /// Sends again what happened in a range, both ends included, under the same ids: as much of it as one replay may, and as
    /// fits.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn replay(
        &self,
        owner: &Address,
        id: HookId,
        (from, to): (Position, Position),
    ) -> Result<Replay, WebhookError> {
        let hook = self.hook(owner, id).await?;
        let known = planner::end(&self.shared.read).map_or(0, |end| end.to_number().saturating_add(1));
        let (positions, rest) = planner::matching(&self.shared, &hook, from, to).await?;
        let up_to = match rest {
            Some(rest) => rest.to_number().min(known),
            None => planner::behind(&self.shared, to, known).await?,
        };
        let again = Again { from, positions: &positions, up_to };
        let max_open = self.shared.options.max_open / 2;
        let events = self.shared.store.replay(id, again, self.now(), max_open).await?;
        self.shared.due.notify_one();
        Ok(Replay { events, next: positions.get(events).copied().or(rest) })
    }

    /// Sends an event that means nothing, and says what came of it.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn test(&self, owner: &Address, id: HookId) -> Result<AttemptRecord, WebhookError> {
        let hook = self.hook(owner, id).await?;
        sender::test(&self.shared, &hook).await
    }
}
