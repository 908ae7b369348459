//! What is kept about hooks, and about what is sent to them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use ledger::UnixMillis;
use pbft_crypto::Address;
use sqlx::{QueryBuilder, Row as _};

use super::secret::Secret;
use super::{Subscription, WebhookError};
use crate::read_model::Position;
use crate::sql::{Col, Database, Db, Durability, Row, RowExt, Step};

const STEPS: &[Step] = &[(1, "initial", include_str!("../../migrations/webhooks/0001_initial.sql"))];

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
    pub(super) async fn open(file: &Path) -> std::result::Result<Self, WebhookError> {
        Ok(Self { database: Database::open(file, STEPS, Durability::Committed).await? })
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

    /// All that anything is sent to, with the place after which events are for them.
    pub(super) async fn enabled(&self) -> Result<Vec<(Hook, Position)>> {
        let query = sqlx::query("SELECT * FROM hooks WHERE disabled IS NULL");
        let rows = query.fetch_all(&self.database.readers).await?;
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

    pub(super) async fn enable(&self, id: HookId) -> Result<()> {
        let sql = "UPDATE hooks SET disabled = NULL, failing_since = NULL WHERE id = $1";
        sqlx::query(sql).bind(id.to_vec()).execute(&self.database.writer).await?;
        Ok(())
    }

    /// Settles what goes where, up to a place. All of it, or nothing.
    pub(super) async fn plan(
        &self,
        deliveries: &[(HookId, Position)],
        planned: Position,
        now: UnixMillis,
    ) -> Result<()> {
        let mut to = self.database.writer.begin().await?;
        for some in deliveries.chunks(ROWS) {
            let table = "INSERT INTO deliveries (hook, position, attempts, due_at, delivered, updated_at) ";
            let mut query = QueryBuilder::<Db>::new(table);
            query.push_values(some, |mut row, (hook, position)| {
                row.push_bind(hook.to_vec()).push_bind(Col(*position)).push_bind(0_i64);
                row.push_bind(Col(now)).push_bind(false).push_bind(Col(now));
            });
            // What is there was settled before.
            query.push(" ON CONFLICT (hook, position) DO NOTHING").build().execute(&mut *to).await?;
        }
        set_planned(&mut to, planned).await?;
        to.commit().await
    }

    /// Sends these again, as if for the first time.
    pub(super) async fn replay(&self, id: HookId, positions: &[Position], now: UnixMillis) -> Result<()> {
        let mut to = self.database.writer.begin().await?;
        for some in positions.chunks(ROWS) {
            let table = "INSERT INTO deliveries (hook, position, attempts, due_at, delivered, updated_at) ";
            let mut query = QueryBuilder::<Db>::new(table);
            query.push_values(some, |mut row, position| {
                row.push_bind(id.to_vec()).push_bind(Col(*position)).push_bind(0_i64);
                row.push_bind(Col(now)).push_bind(false).push_bind(Col(now));
            });
            query.push(
                " ON CONFLICT (hook, position) DO UPDATE SET attempts = 0, due_at = excluded.due_at, \
                 delivered = excluded.delivered, updated_at = excluded.updated_at",
            );
            query.build().execute(&mut *to).await?;
        }
        to.commit().await
    }

    /// What is due: of each member so much, and the first of each before the second of any.
    pub(super) async fn due(&self, now: UnixMillis, of_each: u32, limit: u32) -> Result<Vec<Delivery>> {
        let sql = "SELECT * FROM (SELECT hooks.*, deliveries.position, deliveries.attempts, deliveries.due_at, \
                   ROW_NUMBER() OVER (PARTITION BY hooks.owner ORDER BY deliveries.due_at, deliveries.position) \
                   AS turn FROM deliveries JOIN hooks ON hooks.id = deliveries.hook \
                   WHERE deliveries.due_at <= $1 AND hooks.disabled IS NULL) \
                   WHERE turn <= $2 ORDER BY turn, due_at, position LIMIT $3";
        let query = sqlx::query(sql).bind(Col(now)).bind(of_each).bind(limit);
        let rows = query.fetch_all(&self.database.readers).await?;
        rows.iter()
            .map(|row| {
                let (position, attempts) = (row.col("position")?, row.col("attempts")?);
                Ok(Delivery { hook: hook(row)?, secrets: secrets(row, now)?, position, attempts })
            })
            .collect()
    }

    /// The secrets that sign for a hook now.
    pub(super) async fn secrets(&self, id: HookId, now: UnixMillis) -> Result<Vec<Secret>> {
        let query = sqlx::query("SELECT * FROM hooks WHERE id = $1").bind(id.to_vec());
        let row = query.fetch_optional(&self.database.readers).await?;
        row.as_ref().map_or(Ok(Vec::new()), |row| secrets(row, now))
    }

    /// Writes down an attempt to deliver something, and what is to become of it and of its hook.
    pub(super) async fn record(
        &self,
        delivery: &Delivery,
        attempt: &AttemptRecord,
        next: Next,
        disable: Option<&str>,
    ) -> Result<()> {
        let mut to = self.database.writer.begin().await?;
        let id = delivery.hook.id;
        insert_attempt(&mut to, id, attempt).await?;
        let due = match next {
            Next::Again(at) => Some(Col(at)),
            Next::Delivered | Next::GivenUp => None,
        };
        let sql = "UPDATE deliveries SET attempts = $1, due_at = $2, delivered = $3, updated_at = $4 \
                   WHERE hook = $5 AND position = $6";
        let query = sqlx::query(sql).bind(Col(attempt.number)).bind(due).bind(next == Next::Delivered);
        let query = query.bind(Col(attempt.at)).bind(id.to_vec()).bind(Col(delivery.position));
        query.execute(&mut *to).await?;
        let health = if next == Next::Delivered {
            sqlx::query("UPDATE hooks SET failing_since = NULL WHERE id = $1").bind(id.to_vec())
        } else {
            let sql = "UPDATE hooks SET failing_since = COALESCE(failing_since, $1), \
                       disabled = COALESCE(disabled, $2) WHERE id = $3";
            sqlx::query(sql).bind(Col(attempt.at)).bind(disable.map(str::to_owned)).bind(id.to_vec())
        };
        health.execute(&mut *to).await?;
        to.commit().await
    }

    /// Writes down an attempt that was a test.
    pub(super) async fn record_test(&self, id: HookId, attempt: &AttemptRecord) -> Result<i64> {
        let mut to = self.database.writer.begin().await?;
        let id = insert_attempt(&mut to, id, attempt).await?;
        to.commit().await?;
        Ok(id)
    }

    /// Puts something off that cannot be read yet.
    pub(super) async fn put_off(&self, delivery: &Delivery, until: UnixMillis) -> Result<()> {
        let sql = "UPDATE deliveries SET due_at = $1 WHERE hook = $2 AND position = $3";
        let query = sqlx::query(sql).bind(Col(until)).bind(delivery.hook.id.to_vec());
        query.bind(Col(delivery.position)).execute(&self.database.writer).await?;
        Ok(())
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
