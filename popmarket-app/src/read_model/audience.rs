//! Whom events are told to: those whom they are [about](super::concerned), and those who have to know of them.
//!
//! | event | told to, besides |
//! | --- | --- |
//! | of a trade with a dispute | its arbiter; the one who is replaced, too |
//! | a poll begins or ends | the voters whom it names, at most [`MAX_VOTERS`](ledger::MAX_VOTERS); if everyone is asked, nobody |
//! | guardians are named | these, and those of before |
//! | a recovery begins, goes on or ends | the guardians of the account, at most [`MAX_GUARDIANS`](ledger::MAX_GUARDIANS) |
//!
//! What an event does not say itself is in an earlier one, and is looked up when somebody asks: the answer is the same on every
//! node and at any time, and no event makes rows for those whom it is told to.

use std::collections::BTreeSet;

use ledger::{AccountEvent, Census, EventKind, PollEvent, PollId, TradeChange, TradeEvent, TradeId};
use pbft_crypto::Address;

use super::concerned::concerned;
use super::events::event;
use super::page::Position;
use super::records::EventRecord;
use super::{ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, Query, Transaction},
};

/// Events of older tables that are looked at in one step.
const CHUNK: i64 = 256;

impl ReadModel {
    /// Whom an event is told to.
    pub(crate) async fn audience(&self, record: &EventRecord) -> Result<BTreeSet<Address>, ReadError> {
        let at = record.position;
        let mut audience: BTreeSet<Address> = concerned(&record.event.kind).collect();
        match &record.event.kind {
            EventKind::Trade(trade) => {
                audience.extend(arbiter(trade));
                if matches!(trade.change, TradeChange::ArbiterReplaced { .. }) {
                    audience.extend(self.arbiter_before(trade.trade, at).await?);
                }
            }
            EventKind::Poll(PollEvent::Created { census, .. }) => audience.extend(voters(census)),
            EventKind::Poll(PollEvent::Closed { poll, .. }) => audience.extend(self.voters(*poll).await?),
            EventKind::Account(AccountEvent::GuardiansSet { address, guardians, .. }) => {
                audience.extend(guardians);
                audience.extend(self.guardians_before(*address, at).await?);
            }
            EventKind::Account(
                AccountEvent::RecoveryProposed { address, .. }
                | AccountEvent::RecoveryAgreed { address, .. }
                | AccountEvent::Recovered { address, .. }
                | AccountEvent::RecoveryCancelled { address, .. }
                | AccountEvent::RecoveryLapsed { address, .. },
            ) => audience.extend(self.guardians_before(*address, at).await?),
            _ => {}
        }
        Ok(audience)
    }

    /// Who was to decide on a trade before something happened to it.
    async fn arbiter_before(&self, trade: TradeId, at: Position) -> Result<Option<Address>, ReadError> {
        let sql = "SELECT events.position, events.at, events.body FROM trade_steps \
                   JOIN events ON events.position = trade_steps.position \
                   WHERE trade_steps.trade = $1 AND trade_steps.position < $2 \
                   ORDER BY trade_steps.position DESC LIMIT 1";
        let found = self.earlier(either::query(sql).bind(Col(trade)).bind(Col(at))).await?;
        Ok(found.and_then(|kind| if let EventKind::Trade(trade) = kind { arbiter(&trade) } else { None }))
    }

    /// Whom a poll asks by name.
    async fn voters(&self, poll: PollId) -> Result<Vec<Address>, ReadError> {
        let sql = "SELECT events.position, events.at, events.body FROM polls \
                   JOIN events ON events.position = polls.position WHERE polls.id = $1";
        let found = self.earlier(either::query(sql).bind(Col(poll))).await?;
        Ok(match found {
            Some(EventKind::Poll(PollEvent::Created { census, .. })) => voters(&census).to_vec(),
            _ => Vec::new(),
        })
    }

    /// Who were the guardians of an account before something happened to it.
    async fn guardians_before(&self, account: Address, at: Position) -> Result<Vec<Address>, ReadError> {
        let sql = "SELECT events.position, events.at, events.body FROM guardians \
                   JOIN events ON events.position = guardians.position \
                   WHERE guardians.account = $1 AND guardians.position < $2 \
                   ORDER BY guardians.position DESC LIMIT 1";
        let found = self.earlier(either::query(sql).bind(Col(account)).bind(Col(at))).await?;
        Ok(match found {
            Some(EventKind::Account(AccountEvent::GuardiansSet { guardians, .. })) => guardians,
            _ => Vec::new(),
        })
    }

    async fn earlier(&self, query: Query) -> Result<Option<EventKind>, ReadError> {
        let row = query.fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(event).transpose()?.map(|record| record.event.kind))
    }

    /// Notes which events name guardians, where the tables are older than these notes.
    pub(super) async fn note_older_guardians(&self) -> Result<(), ReadError> {
        loop {
            // The name is that of the index.
            let sql = "SELECT position, at, body FROM events WHERE name = 'account.guardians_set' \
                       AND position > (SELECT COALESCE(MAX(position), -1) FROM guardians) \
                       ORDER BY position LIMIT $1";
            let rows = either::query(sql).bind(CHUNK).fetch_all(self.readers()).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut transaction = self.begin_write().await?;
            for row in &rows {
                let record = event(row)?;
                let EventKind::Account(event) = &record.event.kind else {
                    return Err(sqlx::Error::Decode("not an event of an account".into()).into());
                };
                note_guardians(&mut transaction, record.position, event.address()).await?;
            }
            transaction.commit().await?;
        }
    }
}

/// Notes that an event names the guardians of an account.
pub(crate) async fn note_guardians(
    to: &mut Transaction<'_>,
    position: Position,
    account: &Address,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO guardians (position, account) VALUES ($1, $2)";
    either::query(sql).bind(Col(position)).bind(Col(*account)).execute(to).await
}

fn arbiter(trade: &TradeEvent) -> Option<Address> {
    trade.row.dispute.and_then(|dispute| dispute.arbiter)
}

fn voters(census: &Census) -> &[Address] {
    match census {
        Census::Everyone => &[],
        Census::Listed { voters } => voters.as_slice(),
    }
}
