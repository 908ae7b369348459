//! What is kept about hooks, and about what is sent to them.

mod health;
mod queue;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use ledger::UnixMillis;
use pbft_crypto::{Address, Digest};
use sqlx::{QueryBuilder, Row as _};

use super::secret::Secret;
use super::{Subscription, WebhookError};
use crate::read_model::Position;
use crate::sql::{Col, Database, Db, Durability, Row, RowExt, Step};
pub(super) use queue::{Again, LookAhead};

const STEPS: &[Step] = &[
    (1, "initial", include_str!("../../migrations/webhooks/0001_initial.sql")),
    (2, "bounds", include_str!("../../migrations/webhooks/0002_bounds.sql")),
    (3, "missed", include_str!("../../migrations/webhooks/0003_missed.sql")),
    (4, "chain", include_str!("../../migrations/webhooks/0004_chain.sql")),
];

/// Rows in one statement.
const ROWS: usize = 1_000;

/// Names a hook. Random: it tells nothing, and cannot be guessed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HookId([u8; 16]);

impl HookId {
    #[expect(clippy::expect_used, reason = "without random numbers ids could be given twice")]
    pub(super) fn generate() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has random numbers");
        Self(bytes)
    }

    fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl fmt::Display for HookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for HookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HookId({self})")
    }
}

impl FromStr for HookId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> core::result::Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// Whether anything is sent to a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Enabled,
    /// Not any more.
    Disabled {
        /// Why.
        why: String,
    },
}

/// Where a member wants to be told what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What names it.
    pub id: HookId,
    /// Whose it is.
    pub owner: Address,
    /// What for.
    pub subscription: Subscription,
    /// Since when it exists.
    pub created_at: UnixMillis,
    /// Whether anything is sent to it.
    pub status: Status,
    /// Since when nothing got through.
    pub failing_since: Option<UnixMillis>,
    /// The first event that it may have missed: what was given up, or what happened while it was disabled.
    pub replay_from: Option<Position>,
}

/// An attempt to send something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// What names it: later ones have larger numbers.
    pub id: i64,
    /// The `webhook-id` of what was sent.
    pub message: String,
    /// How many there were for it, with this one.
    pub number: u32,
    /// When.
    pub at: UnixMillis,
    /// How long it took.
    pub millis: u64,
    /// What the receiver answered.
    pub status: Option<u16>,
    /// Why it counts as failed.
    pub error: Option<String>,
}

/// What is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) hook: Hook,
    pub(super) secrets: Vec<Secret>,
    pub(super) position: Position,
    /// How often it was tried.
    pub(super) attempts: u32,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Delivered,
    /// Again at this time.
    Again(UnixMillis),
    /// Never again.
    GivenUp,
}

/// What came of an attempt to send it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) attempt: AttemptRecord,
    pub(super) next: Next,
    /// When it was over.
    pub(super) at: UnixMillis,
}

pub(super) struct Store {
    database: Database,
}

type Result<T> = std::result::Result<T, sqlx::Error>;

fn hook(row: &Row) -> Result<Hook> {
    let events: String = row.try_get("events")?;
    let disabled: Option<String> = row.try_get("disabled")?;
    let subscription = Subscription {
        url: row.try_get("url")?,
        events: events.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        everything: row.try_get("everything")?,
    };
    Ok(Hook {
        id: id(row, "id")?,
        owner: row.col("owner")?,
        subscription,
        created_at: row.col("created_at")?,
        status: disabled.map_or(Status::Enabled, |why| Status::Disabled { why }),
        failing_since: row.optional("failing_since")?,
        replay_from: row.optional("replay_from")?,
    })
}

fn id(row: &Row, column: &'static str) -> Result<HookId> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes.try_into().map(HookId).map_err(|_| sqlx::Error::Decode("not the id of a hook".into()))
}

fn secret(bytes: &[u8]) -> Result<Secret> {
    Secret::from_bytes(bytes).ok_or_else(|| sqlx::Error::Decode("not a secret".into()))
}

fn attempt(row: &Row) -> Result<AttemptRecord> {
    let status: Option<i64> = row.try_get("status")?;
    Ok(AttemptRecord {
        id: row.try_get("id")?,
        message: row.try_get("message")?,
        number: row.col("number")?,
        at: row.col("at")?,
        millis: row.col("millis")?,
        status: status.and_then(|status| u16::try_from(status).ok()),
        error: row.try_get("error")?,
    })
}

impl Store {
    pub(super) async fn open(file: &Path, chain: &Digest) -> std::result::Result<Self, WebhookError> {
        let database = Database::open(file, STEPS, Durability::Committed).await?;
        database.belongs_to(chain, file).await??;
        Ok(Self { database })
    }

    pub(super) async fn close(&self) {
        self.database.readers.close().await;
        self.database.writer.close().await;
    }

    /// Up to where it is settled what goes where.
    pub(super) async fn planned(&self) -> Result<Option<Position>> {
        let row = sqlx::query("SELECT position FROM planned").fetch_optional(&self.database.readers).await?;
        row.map(|row| row.col("position")).transpose()
    }

    /// A new hook, and where the planner is.
    pub(super) async fn insert(&self, hook: &Hook, secret: &Secret, planned: Position) -> Result<()> {
        let mut to = self.database.writer.begin().await?;
        let sql = "INSERT INTO hooks (id, owner, url, events, everything, secret, since, created_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let Subscription { url, events, everything } = &hook.subscription;
        let query = sqlx::query(sql).bind(hook.id.to_vec()).bind(Col(hook.owner)).bind(url.clone());
        let query = query.bind(events.join(",")).bind(*everything).bind(secret.as_bytes().to_vec());
        query.bind(Col(planned)).bind(Col(hook.created_at)).execute(&mut *to).await?;
        set_planned(&mut to, planned).await?;
        to.commit().await
    }

    pub(super) async fn hook(&self, id: HookId) -> Result<Option<Hook>> {
        let query = sqlx::query("SELECT * FROM hooks WHERE id = $1").bind(id.to_vec());
        query.fetch_optional(&self.database.readers).await?.as_ref().map(hook).transpose()
    }

    pub(super) async fn hooks_of(&self, owner: &Address) -> Result<Vec<Hook>> {
        let query = sqlx::query("SELECT * FROM hooks WHERE owner = $1 ORDER BY created_at, id");
        let rows = query.bind(Col(*owner)).fetch_all(&self.database.readers).await?;
        rows.iter().map(hook).collect()
    }

    /// Whether anything is sent to anyone.
    pub(super) async fn has_enabled(&self) -> Result<bool> {
        let query = sqlx::query("SELECT 1 FROM hooks WHERE disabled IS NULL LIMIT 1");
        Ok(query.fetch_optional(&self.database.readers).await?.is_some())
    }

    /// Of all that anything is sent to, what is for everything and what is of these people; with the place after which events
    /// are for it.
    pub(super) async fn listening(&self, owners: &BTreeSet<Address>) -> Result<Vec<(Hook, Position)>> {
        let query = sqlx::query("SELECT * FROM hooks WHERE disabled IS NULL AND everything = TRUE");
        let mut rows = query.fetch_all(&self.database.readers).await?;
        let owners: Vec<Address> = owners.iter().copied().collect();
        for some in owners.chunks(ROWS) {
            let sql = "SELECT * FROM hooks WHERE disabled IS NULL AND everything = FALSE AND owner IN (";
            let mut query = QueryBuilder::<Db>::new(sql);
            push_list(&mut query, some);
            rows.extend(query.build().fetch_all(&self.database.readers).await?);
        }
        rows.iter().map(|row| Ok((hook(row)?, row.col("since")?))).collect()
    }

    pub(super) async fn remove(&self, id: HookId) -> Result<()> {
        let mut to = self.database.writer.begin().await?;
        let statements = [
            "DELETE FROM attempts WHERE hook = $1",
            "DELETE FROM deliveries WHERE hook = $1",
            "DELETE FROM hooks WHERE id = $1",
        ];
        for sql in statements {
            sqlx::query(sql).bind(id.to_vec()).execute(&mut *to).await?;
        }
        to.commit().await
    }

    pub(super) async fn rotate(&self, id: HookId, new: &Secret, old_until: UnixMillis) -> Result<()> {
        let sql = "UPDATE hooks SET old_secret = secret, old_secret_until = $1, secret = $2 WHERE id = $3";
        let query = sqlx::query(sql).bind(Col(old_until)).bind(new.as_bytes().to_vec()).bind(id.to_vec());
        query.execute(&self.database.writer).await?;
        Ok(())
    }

    /// From now on something is sent to a hook. Where the planner is now is where that ends which the hook has missed. If all up
    /// to there was replayed before, nothing is missed any more.
    pub(super) async fn enable(&self, id: HookId, planned: Position, now: UnixMillis) -> Result<()> {
        let mut to = self.database.writer.begin().await?;
        let sql = "UPDATE hooks SET missed_to = CASE WHEN disabled IS NULL THEN missed_to \
                   WHEN replay_from > $1 THEN NULL ELSE $1 END, \
                   replay_from = CASE WHEN disabled IS NOT NULL AND replay_from > $1 THEN NULL ELSE replay_from END, \
                   enabled_at = $2, disabled = NULL, failing_since = NULL WHERE id = $3";
        sqlx::query(sql).bind(Col(planned)).bind(Col(now)).bind(id.to_vec()).execute(&mut *to).await?;
        set_planned(&mut to, planned).await?;
        to.commit().await
    }

    /// The secrets that sign for a hook now.
    pub(super) async fn secrets(&self, id: HookId, now: UnixMillis) -> Result<Vec<Secret>> {
        let query = sqlx::query("SELECT * FROM hooks WHERE id = $1").bind(id.to_vec());
        let row = query.fetch_optional(&self.database.readers).await?;
        row.as_ref().map_or(Ok(Vec::new()), |row| secrets(row, now))
    }

    /// Writes down an attempt that was a test.
    pub(super) async fn record_test(&self, id: HookId, attempt: &AttemptRecord) -> Result<i64> {
        let mut to = self.database.writer.begin().await?;
        let id = insert_attempt(&mut to, id, attempt).await?;
        to.commit().await?;
        Ok(id)
    }

    pub(super) async fn attempts(&self, id: HookId, before: i64, limit: u32) -> Result<Vec<AttemptRecord>> {
        let sql = "SELECT * FROM attempts WHERE hook = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
        let query = sqlx::query(sql).bind(id.to_vec()).bind(before).bind(limit);
        query.fetch_all(&self.database.readers).await?.iter().map(attempt).collect()
    }

    /// Forgets what was over before then.
    pub(super) async fn forget(&self, before: UnixMillis) -> Result<()> {
        let statements = [
            "DELETE FROM attempts WHERE at < $1",
            "DELETE FROM deliveries WHERE due_at IS NULL AND updated_at < $1",
        ];
        for sql in statements {
            sqlx::query(sql).bind(Col(before)).execute(&self.database.writer).await?;
        }
        Ok(())
    }
}

/// The present secret, and the one before as long as it counts.
fn secrets(row: &Row, now: UnixMillis) -> Result<Vec<Secret>> {
    let present: Vec<u8> = row.try_get("secret")?;
    let old: Option<Vec<u8>> = row.try_get("old_secret")?;
    let until: Option<UnixMillis> = row.optional("old_secret_until")?;
    let old = old.filter(|_| until.is_some_and(|until| now < until));
    std::iter::once(present).chain(old).map(|bytes| secret(&bytes)).collect()
}

/// The rest of a list in brackets.
fn push_list(query: &mut QueryBuilder<Db>, owners: &[Address]) {
    let mut list = query.separated(", ");
    for owner in owners {
        list.push_bind(Col(*owner));
    }
    list.push_unseparated(")");
}

async fn set_planned(to: &mut sqlx::Transaction<'_, Db>, planned: Position) -> Result<()> {
    let sql = "INSERT INTO planned (id, position) VALUES (1, $1) \
               ON CONFLICT (id) DO UPDATE SET position = excluded.position";
    sqlx::query(sql).bind(Col(planned)).execute(&mut **to).await?;
    Ok(())
}

async fn insert_attempt(
    to: &mut sqlx::Transaction<'_, Db>,
    hook: HookId,
    attempt: &AttemptRecord,
) -> Result<i64> {
    let sql = "INSERT INTO attempts (hook, message, number, at, millis, status, error) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let query = sqlx::query(sql).bind(hook.to_vec()).bind(attempt.message.clone()).bind(Col(attempt.number));
    let query = query.bind(Col(attempt.at)).bind(Col(attempt.millis)).bind(attempt.status.map(i64::from));
    let done = query.bind(attempt.error.clone()).execute(&mut **to).await?;
    Ok(done.last_insert_rowid())
}
