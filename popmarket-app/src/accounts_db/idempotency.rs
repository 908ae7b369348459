//! Requests that are answered once, however often they come.
//!
//! While a request is being answered its scope is claimed in memory; the ticket gives the claim back, whatever happens. A
//! request without an answer whose claim is gone was interrupted: it may be answered anew. That its transaction is not made
//! twice is the [outbox](super::AccountsDb)'s work.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use ledger::Millis;
use pbft_crypto::{Address, Digest};

use super::{AccountsDb, AccountsError};
use crate::sql::{Col, RowExt};

/// How long an answer is kept.
const KEPT: Millis = Millis::hours(24);
/// Requests that are being answered at a time.
const MAX_IN_FLIGHT: usize = 10_000;
/// Answers that are kept for one asker, if not a few more. Of more the oldest are forgotten: a request with a forgotten
/// key still finds its transaction, by the `client_ref` that is made of the key.
const MAX_KEPT: u32 = 20_000;
/// After how many requests of an asker the answers are counted.
const COUNT_EVERY: u32 = 1_000;
/// Askers whose requests are counted at a time.
const MAX_COUNTED: usize = 16_384;

/// A request that the server answers once, however often it comes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyScope {
    /// Who asks: a member, or something that stands for those who ask from one place and are not signed in.
    pub member: Address,
    /// Method and path.
    pub route: String,
    /// The client's key.
    pub key: String,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What is known about a request.
#[derive(Debug)]
pub enum IdempotencyBegin {
    /// It is new: answer it, then [`AccountsDb::answer`] or [`AccountsDb::abandon`].
    New(IdempotencyTicket),
    /// The first one is being answered.
    InFlight,
    /// The key was used for another request.
    OtherRequest,
    /// It was answered.
    Answered(StoredAnswer),
}

/// The right to answer a request. Nobody else has it until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct IdempotencyTicket {
    scope: IdempotencyScope,
    claims: Arc<Claims>,
}

#[cfg(test)]
impl IdempotencyTicket {
    pub(super) const fn scope(&self) -> &IdempotencyScope {
        &self.scope
    }
}

impl Drop for IdempotencyTicket {
    fn drop(&mut self) {
        self.claims.with(|claims| claims.remove(&self.scope));
    }
}

/// Which requests are being answered.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<HashSet<IdempotencyScope>>);

impl Claims {
    fn with<T>(&self, act: impl FnOnce(&mut HashSet<IdempotencyScope>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn claim(self: &Arc<Self>, scope: &IdempotencyScope) -> Result<Option<IdempotencyTicket>, AccountsError> {
        let is_new = self.with(|claims| {
            if claims.len() >= MAX_IN_FLIGHT {
                return Err(AccountsError::Busy);
            }
            Ok(claims.insert(scope.clone()))
        })?;
        Ok(is_new.then(|| IdempotencyTicket { scope: scope.clone(), claims: Arc::clone(self) }))
    }
}

/// How many requests of each asker came since the answers were counted.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<Address, u32>>);

impl Kept {
    /// Another request: whether it is time to count.
    pub(super) fn is_time_to_count(&self, asker: Address) -> bool {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() >= MAX_COUNTED {
            requests.clear();
        }
        let requests = requests.entry(asker).or_default();
        *requests = requests.wrapping_add(1) % COUNT_EVERY;
        *requests == 0
    }
}

#[cfg(test)]
impl Kept {
    pub(super) fn askers(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// What is known from before.
enum Known {
    Nothing,
    Interrupted,
    OtherRequest,
    Answered(StoredAnswer),
}

impl AccountsDb {
    /// A request with an idempotency key comes in. `fingerprint` is a digest of its body.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn begin(
        &self,
        scope: IdempotencyScope,
        fingerprint: &Digest,
    ) -> Result<IdempotencyBegin, AccountsError> {
        let Some(ticket) = self.shared.claims.claim(&scope)? else { return Ok(IdempotencyBegin::InFlight) };
        match self.known(&scope, fingerprint).await? {
            Known::Nothing => self.remember(&scope, fingerprint).await?,
            Known::Interrupted => {}
            Known::OtherRequest => return Ok(IdempotencyBegin::OtherRequest),
            Known::Answered(answer) => return Ok(IdempotencyBegin::Answered(answer)),
        }
        Ok(IdempotencyBegin::New(ticket))
    }

    async fn known(&self, scope: &IdempotencyScope, fingerprint: &Digest) -> Result<Known, AccountsError> {
        let sql = "SELECT fingerprint, status, content_type, body FROM idempotency \
                   WHERE member = $1 AND route = $2 AND key = $3 AND expires_at > $4";
        let query = sqlx::query(sql).bind(Col(scope.member)).bind(&scope.route).bind(&scope.key);
        let row = query.bind(Col(self.now())).fetch_optional(&self.shared.database.readers).await?;
        let Some(row) = row else { return Ok(Known::Nothing) };
        if row.col::<Digest>("fingerprint")? != *fingerprint {
            return Ok(Known::OtherRequest);
        }
        let Some(status) = row.optional::<u32>("status")? else { return Ok(Known::Interrupted) };
        let status = u16::try_from(status).map_err(|_| AccountsError::Damaged("the status of an answer"))?;
        let (content_type, body) =
            (sqlx::Row::try_get(&row, "content_type")?, sqlx::Row::try_get(&row, "body")?);
        Ok(Known::Answered(StoredAnswer { status, content_type, body }))
    }

    async fn remember(&self, scope: &IdempotencyScope, fingerprint: &Digest) -> Result<(), AccountsError> {
        if self.shared.kept.is_time_to_count(scope.member) {
            self.forget_oldest_answers(&scope.member, MAX_KEPT).await?;
        }
        let sql = "INSERT INTO idempotency (member, route, key, fingerprint, expires_at) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (member, route, key) DO UPDATE SET fingerprint = excluded.fingerprint, \
                   expires_at = excluded.expires_at, status = NULL, content_type = NULL, body = NULL";
        let query = sqlx::query(sql).bind(Col(scope.member)).bind(&scope.route).bind(&scope.key);
        let query = query.bind(Col(*fingerprint)).bind(Col(self.now().plus(KEPT)));
        query.execute(&self.shared.database.writer).await?;
        Ok(())
    }

    /// Keeps so many answers of an asker at most. Requests that are still being answered stay.
    pub(super) async fn forget_oldest_answers(
        &self,
        asker: &Address,
        at_most: u32,
    ) -> Result<(), AccountsError> {
        let sql = "DELETE FROM idempotency WHERE member = $1 AND status IS NOT NULL AND expires_at <= \
                   (SELECT expires_at FROM idempotency WHERE member = $1 AND status IS NOT NULL \
                   ORDER BY expires_at DESC LIMIT 1 OFFSET $2)";
        let query = sqlx::query(sql).bind(Col(*asker)).bind(at_most);
        query.execute(&self.shared.database.writer).await?;
        Ok(())
    }

    /// The answer, kept for 24 hours.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn answer(
        &self,
        ticket: IdempotencyTicket,
        answer: &StoredAnswer,
    ) -> Result<(), AccountsError> {
        let sql = "UPDATE idempotency SET status = $1, content_type = $2, body = $3, expires_at = $4 \
                   WHERE member = $5 AND route = $6 AND key = $7";
        let query = sqlx::query(sql).bind(Col(u32::from(answer.status))).bind(&answer.content_type);
        let query = query.bind(&answer.body).bind(Col(self.now().plus(KEPT)));
        let IdempotencyScope { member, route, key } = &ticket.scope;
        let query = query.bind(Col(*member)).bind(route).bind(key);
        query.execute(&self.shared.database.writer).await?;
        Ok(())
    }

    /// Nothing was done: the same request may come again.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn abandon(&self, ticket: IdempotencyTicket) -> Result<(), AccountsError> {
        let sql = "DELETE FROM idempotency WHERE member = $1 AND route = $2 AND key = $3";
        let IdempotencyScope { member, route, key } = &ticket.scope;
        let query = sqlx::query(sql).bind(Col(*member)).bind(route).bind(key);
        query.execute(&self.shared.database.writer).await?;
        Ok(())
    }
}
