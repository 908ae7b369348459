//! What attempts say about a hook, and what it has missed.
//!
//! `replay_from` is the first event that a hook may have missed, `missed_to` the last one. While it is disabled it misses more and more: then
//! there is no last one, and whatever is replayed, something may still be missing until it is enabled.

use ledger::UnixMillis;
use sqlx::{Row as _, Transaction};

use super::{AttemptRecord, HookId, Result};
use crate::read_model::Position;
use crate::sql::{Col, Db, RowExt};
use crate::webhooks::schedule;

type To<'a> = Transaction<'a, Db>;

/// Something got through.
pub(super) async fn succeeds(to: &mut To<'_>, id: HookId) -> Result<()> {
    let query = sqlx::query("UPDATE hooks SET failing_since = NULL WHERE id = $1").bind(id.to_vec());
    query.execute(&mut **to).await?;
    Ok(())
}

/// An attempt failed. Returns why its hook gets nothing more, if that is so from now on. What counts is how the hook is now, and not
/// how it was when the attempt began: something may have got through meanwhile, or its owner has enabled it.
pub(super) async fn fails(
    to: &mut To<'_>,
    id: HookId,
    attempt: &AttemptRecord,
) -> Result<Option<&'static str>> {
    let query = sqlx::query("SELECT disabled, failing_since, enabled_at FROM hooks WHERE id = $1");
    let Some(row) = query.bind(id.to_vec()).fetch_optional(&mut **to).await? else { return Ok(None) };
    let enabled_at: Option<UnixMillis> = row.optional("enabled_at")?;
    if enabled_at.is_some_and(|enabled_at| attempt.at < enabled_at) {
        return Ok(None);
    }
    let sql = "UPDATE hooks SET failing_since = COALESCE(failing_since, $1) WHERE id = $2";
    sqlx::query(sql).bind(Col(attempt.at)).bind(id.to_vec()).execute(&mut **to).await?;
    let is_disabled = row.try_get::<Option<String>, _>("disabled")?.is_some();
    let why = schedule::reason_to_disable(row.optional("failing_since")?, attempt);
    let Some(why) = why.filter(|_| !is_disabled) else { return Ok(None) };
    // What comes after that to which everything is dealt out is missed, and what was missed before.
    let sql = "UPDATE hooks SET disabled = $1, missed_to = NULL, replay_from = \
               (SELECT MIN(position + 1, COALESCE(hooks.replay_from, position + 1)) FROM planned) WHERE id = $2";
    sqlx::query(sql).bind(why).bind(id.to_vec()).execute(&mut **to).await?;
    Ok(Some(why))
}

/// Something was given up: it can be had by a replay.
pub(super) async fn misses(to: &mut To<'_>, id: HookId, position: Position) -> Result<()> {
    let sql = "UPDATE hooks SET replay_from = MIN(COALESCE(replay_from, $1), $1), \
               missed_to = CASE WHEN disabled IS NULL THEN MAX(COALESCE(missed_to, $1), $1) END WHERE id = $2";
    sqlx::query(sql).bind(Col(position)).bind(id.to_vec()).execute(&mut **to).await?;
    Ok(())
}

/// All of a range up to here (it is the first place that is left) is sent again: what was missed begins there now, or nothing is missed
/// any more.
pub(super) async fn replayed(to: &mut To<'_>, id: HookId, (from, up_to): (Position, i64)) -> Result<()> {
    let sql = "UPDATE hooks SET \
               replay_from = CASE WHEN disabled IS NULL AND $1 > missed_to THEN NULL ELSE $1 END, \
               missed_to = CASE WHEN disabled IS NULL AND $1 > missed_to THEN NULL ELSE missed_to END \
               WHERE id = $2 AND replay_from BETWEEN $3 AND $1";
    sqlx::query(sql).bind(up_to).bind(id.to_vec()).bind(Col(from)).execute(&mut **to).await?;
    Ok(())
}

/// Disables a hook for which too much is open, and forgets that. Returns why, with what its owner has to know.
pub(super) async fn set_aside(to: &mut To<'_>, id: HookId, max_open: u32) -> Result<String> {
    // Also what was given up, or was missed before and not replayed.
    let sql = "SELECT MIN(MIN(position), COALESCE((SELECT replay_from FROM hooks WHERE id = $1), MIN(position))) AS position \
               FROM deliveries WHERE hook = $1 AND NOT delivered";
    let oldest: Position = sqlx::query(sql).bind(id.to_vec()).fetch_one(&mut **to).await?.col("position")?;
    let sql = "SELECT position FROM deliveries WHERE hook = $1 AND delivered AND position < $2 \
               ORDER BY position DESC LIMIT 1";
    let last = sqlx::query(sql).bind(id.to_vec()).bind(Col(oldest)).fetch_optional(&mut **to).await?;
    let last: Option<Position> = last.map(|row| row.col("position")).transpose()?;
    let last = last.map_or_else(String::new, |last| format!("; the last one that it got before is {last}"));
    let why = format!(
        "too far behind: more than {max_open} events waited. Enable it again and replay from event {oldest}{last}"
    );
    let sql = "DELETE FROM deliveries WHERE hook = $1 AND due_at IS NOT NULL";
    sqlx::query(sql).bind(id.to_vec()).execute(&mut **to).await?;
    let sql = "UPDATE hooks SET open = 0, next_at = NULL, disabled = $1, replay_from = $2, missed_to = NULL \
               WHERE id = $3";
    let query = sqlx::query(sql).bind(why.clone()).bind(Col(oldest)).bind(id.to_vec());
    query.execute(&mut **to).await?;
    Ok(why)
}
