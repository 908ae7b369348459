//! What is to be sent: what is open for each hook, and whose turn it is.
//!
//! A hook has so much open at most. One that has more is too far behind: it is disabled, what was open for it is forgotten, and its
//! owner is told from where on to replay. Events stay in the read model, so nothing is lost.
//!
//! Hooks wait in one line, by `next_at`. An attempt puts its hook behind all who wait. So hooks with much to send, or with slow
//! receivers, are in the way of nobody, and it costs the same to find out who is next however much is open.

use std::collections::BTreeMap;

use ledger::UnixMillis;
use pbft_crypto::Address;
use sqlx::{QueryBuilder, Transaction};

use super::{
    Delivery, HookId, Next, Outcome, ROWS, Result, Store, health, hook, insert_attempt, push_list, secrets,
    set_planned,
};
use crate::read_model::Position;
use crate::sql::{Col, Db, RowExt};

type To<'a> = Transaction<'a, Db>;

/// Of how many hooks what is due is looked at, and how much of each.
#[derive(Clone, Copy, Debug)]
pub(in crate::webhooks) struct LookAhead {
    pub(in crate::webhooks) hooks: u32,
    pub(in crate::webhooks) of_each: u32,
}

/// What of a range is to be sent again.
#[derive(Clone, Copy, Debug)]
pub(in crate::webhooks) struct Again<'a> {
    /// Where the range begins.
    pub(in crate::webhooks) from: Position,
    /// What of it is for the hook.
    pub(in crate::webhooks) positions: &'a [Position],
    /// The first place that was not looked at.
    pub(in crate::webhooks) up_to: i64,
}

/// What becomes of a delivery that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfThere {
    /// It was settled before.
    Keep,
    /// As if it were new.
    Again,
}

impl Store {
    /// Settles what goes where, up to a place. All of it, or nothing. Returns who is too far behind now, and why.
    pub(in crate::webhooks) async fn plan(
        &self,
        wanted: &BTreeMap<HookId, Vec<Position>>,
        planned: Position,
        now: UnixMillis,
        max_open: u32,
    ) -> Result<Vec<(HookId, String)>> {
        let mut to = self.database.writer.begin().await?;
        let mut behind = Vec::new();
        for (id, positions) in wanted {
            let sql = "SELECT open FROM hooks WHERE id = $1 AND disabled IS NULL";
            let row = sqlx::query(sql).bind(id.to_vec()).fetch_optional(&mut *to).await?;
            // Disabled or removed since it was looked for.
            let Some(row) = row else { continue };
            let open: u64 = row.col("open")?;
            let added = add(&mut to, *id, positions, now, IfThere::Keep).await?;
            if open.saturating_add(added) > u64::from(max_open) {
                behind.push((*id, health::set_aside(&mut to, *id, max_open).await?));
            } else if added > 0 {
                let sql = "UPDATE hooks SET open = open + $1, next_at = MIN(COALESCE(next_at, $2), $2) WHERE id = $3";
                let query = sqlx::query(sql).bind(Col(added)).bind(Col(now)).bind(id.to_vec());
                query.execute(&mut *to).await?;
            }
        }
        set_planned(&mut to, planned).await?;
        to.commit().await?;
        Ok(behind)
    }

    /// Sends these again, as if for the first time: as many, from the first one on, as there is room for if so much may be open
    /// after it. Returns how many that are. In the same step it is noted what is missed no more.
    pub(in crate::webhooks) async fn replay(
        &self,
        id: HookId,
        again: Again<'_>,
        now: UnixMillis,
        max_open: u32,
    ) -> Result<usize> {
        let mut to = self.database.writer.begin().await?;
        let row = sqlx::query("SELECT open FROM hooks WHERE id = $1").bind(id.to_vec());
        // Removed meanwhile.
        let Some(row) = row.fetch_optional(&mut *to).await? else { return Ok(0) };
        let open: u32 = row.col("open")?;
        let room = usize::try_from(max_open.saturating_sub(open)).unwrap_or(usize::MAX);
        let positions = again.positions.get(..room).unwrap_or(again.positions);
        if !positions.is_empty() {
            add(&mut to, id, positions, now, IfThere::Again).await?;
            let sql = "UPDATE hooks SET next_at = MIN(COALESCE(next_at, $1), $1), \
                       open = (SELECT COUNT(*) FROM deliveries WHERE hook = $2 AND due_at IS NOT NULL) WHERE id = $2";
            sqlx::query(sql).bind(Col(now)).bind(id.to_vec()).execute(&mut *to).await?;
        }
        let rest = again.positions.get(positions.len());
        let up_to = rest.map_or(again.up_to, |position| position.to_number());
        health::replayed(&mut to, id, (again.from, up_to)).await?;
        to.commit().await?;
        Ok(positions.len())
    }

    /// What is due, but for the busy: the first of each member before the second of any, and those first who have waited longest.
    pub(in crate::webhooks) async fn due(
        &self,
        now: UnixMillis,
        busy: &[Address],
        most: LookAhead,
    ) -> Result<Vec<Delivery>> {
        let mut query = QueryBuilder::<Db>::new("");
        push_due(&mut query, now, busy, most);
        let rows = query.build().fetch_all(&self.database.readers).await?;
        rows.iter()
            .map(|row| {
                let (position, attempts) = (row.col("position")?, row.col("attempts")?);
                Ok(Delivery { hook: hook(row)?, secrets: secrets(row, now)?, position, attempts })
            })
            .collect()
    }

    /// Writes down an attempt to deliver something, and what is to become of it and of its hook. Returns why the hook gets nothing
    /// more, if that is so from now on.
    pub(in crate::webhooks) async fn record(
        &self,
        delivery: &Delivery,
        outcome: &Outcome,
    ) -> Result<Option<&'static str>> {
        let Outcome { attempt, next, at } = outcome;
        let mut to = self.database.writer.begin().await?;
        let id = delivery.hook.id;
        insert_attempt(&mut to, id, attempt).await?;
        let due = match next {
            Next::Again(at) => Some(Col(*at)),
            Next::Delivered | Next::GivenUp => None,
        };
        // It may have been forgotten meanwhile.
        let sql = "UPDATE deliveries SET attempts = $1, due_at = $2, delivered = $3, updated_at = $4 \
                   WHERE hook = $5 AND position = $6 AND due_at IS NOT NULL";
        let closes = due.is_none();
        let query = sqlx::query(sql).bind(Col(attempt.number)).bind(due).bind(*next == Next::Delivered);
        let query = query.bind(Col(attempt.at)).bind(id.to_vec()).bind(Col(delivery.position));
        let found = query.execute(&mut *to).await?.rows_affected();
        let closed = if closes { found } else { 0 };
        let sql = "UPDATE hooks SET open = open - $1 WHERE id = $2";
        sqlx::query(sql).bind(Col(closed)).bind(id.to_vec()).execute(&mut *to).await?;
        let disabled = if *next == Next::Delivered {
            health::succeeds(&mut to, id).await?;
            None
        } else {
            health::fails(&mut to, id, attempt).await?
        };
        if *next == Next::GivenUp && closed > 0 {
            health::misses(&mut to, id, delivery.position).await?;
        }
        end_turn(&mut to, id, *at).await?;
        to.commit().await?;
        Ok(disabled)
    }

    /// How much is open for a hook.
    #[cfg(test)]
    pub(in crate::webhooks) async fn open_for(&self, id: HookId) -> u64 {
        let query = sqlx::query("SELECT open FROM hooks WHERE id = $1").bind(id.to_vec());
        query.fetch_one(&self.database.readers).await.unwrap().col("open").unwrap()
    }

    /// Puts something off that cannot be read yet.
    pub(in crate::webhooks) async fn put_off(
        &self,
        delivery: &Delivery,
        (now, until): (UnixMillis, UnixMillis),
    ) -> Result<()> {
        let mut to = self.database.writer.begin().await?;
        let sql =
            "UPDATE deliveries SET due_at = $1 WHERE hook = $2 AND position = $3 AND due_at IS NOT NULL";
        let query = sqlx::query(sql).bind(Col(until)).bind(delivery.hook.id.to_vec());
        query.bind(Col(delivery.position)).execute(&mut *to).await?;
        end_turn(&mut to, delivery.hook.id, now).await?;
        to.commit().await
    }
}

/// The hooks whose turn it is come from one index and what is due of each from another one; no more rows than that are looked at.
fn push_due(query: &mut QueryBuilder<Db>, now: UnixMillis, busy: &[Address], most: LookAhead) {
    query.push(
        "SELECT turns.*, deliveries.position, deliveries.attempts, \
         ROW_NUMBER() OVER (PARTITION BY turns.owner ORDER BY turns.next_at, turns.id, deliveries.due_at, deliveries.position) \
         AS turn FROM (SELECT * FROM hooks WHERE disabled IS NULL AND next_at <= ",
    );
    query.push_bind(Col(now));
    if !busy.is_empty() {
        query.push(" AND owner NOT IN (");
        push_list(query, busy);
    }
    query.push(" ORDER BY next_at, id LIMIT ").push_bind(most.hooks);
    query.push(
        ") AS turns CROSS JOIN deliveries ON deliveries.hook = turns.id AND deliveries.position IN \
         (SELECT due.position FROM deliveries AS due WHERE due.hook = turns.id AND due.due_at <= ",
    );
    query.push_bind(Col(now)).push(" ORDER BY due.due_at, due.position LIMIT ").push_bind(most.of_each);
    query.push(") ORDER BY turn, turns.next_at, deliveries.due_at, deliveries.position");
}

/// Opens deliveries, and says how many were not there, or were changed.
async fn add(
    to: &mut To<'_>,
    id: HookId,
    positions: &[Position],
    now: UnixMillis,
    if_there: IfThere,
) -> Result<u64> {
    let mut added = 0;
    for some in positions.chunks(ROWS) {
        let table = "INSERT INTO deliveries (hook, position, attempts, due_at, delivered, updated_at) ";
        let mut query = QueryBuilder::<Db>::new(table);
        query.push_values(some, |mut row, position| {
            row.push_bind(id.to_vec()).push_bind(Col(*position)).push_bind(0_i64);
            row.push_bind(Col(now)).push_bind(false).push_bind(Col(now));
        });
        query.push(match if_there {
            IfThere::Keep => " ON CONFLICT (hook, position) DO NOTHING",
            IfThere::Again => {
                " ON CONFLICT (hook, position) DO UPDATE SET attempts = 0, due_at = excluded.due_at, \
                 delivered = excluded.delivered, updated_at = excluded.updated_at"
            }
        });
        added += query.build().execute(&mut **to).await?.rows_affected();
    }
    Ok(added)
}

/// A hook was served: it comes after all who wait, when it has something due.
async fn end_turn(to: &mut To<'_>, id: HookId, now: UnixMillis) -> Result<()> {
    let sql = "UPDATE hooks SET next_at = (SELECT MAX(due_at, $1) FROM deliveries \
               WHERE hook = $2 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1) WHERE id = $2";
    sqlx::query(sql).bind(Col(now)).bind(id.to_vec()).execute(&mut **to).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
