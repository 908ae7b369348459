//! Rows into tables.

mod payments;
mod polls;

use ledger::{
    AccountEvent, Approver, ChargeEvent, Event, EventKind, ListingContent, ListingEvent, ListingId,
    ListingStatus, ReviewEvent, RoleEvent, TradeChange, TradeEvent, UnixMillis, WithdrawalEvent,
};
use pbft_crypto::Digest;

use super::exchange::{exchange, token};
use super::rows::Rows;
use crate::read_model::{EventRecord, Position, note_freeze, note_guardians, search_text, side_code};
use crate::sql::{
    Col,
    either::{self, Transaction},
    insert,
};

pub(super) type To<'a> = Transaction<'a>;
pub(super) type Done = Result<(), sqlx::Error>;

impl Rows {
    /// Writes everything, or nothing if the transaction is not committed.
    pub(super) async fn write(&self, to: &mut To<'_>) -> Done {
        self.write_blocks(to).await?;
        self.write_transactions(to).await?;
        self.write_events(to).await?;
        for event in &self.events {
            write_objects(to, &event.record).await?;
        }
        payments::write(to, &self.payments).await?;
        self.write_fills(to).await?;
        self.tape.write(to).await?;
        self.write_balances(to).await?;
        self.write_holders(to).await?;
        self.projection.write(to).await
    }

    async fn write_blocks(&self, to: &mut To<'_>) -> Done {
        insert(
            to,
            "blocks (height, hash, header, transactions, events)",
            5,
            "",
            &self.blocks,
            |mut row, block| {
                row.push_bind(Col(block.header.height)).push_bind(Col(block.hash));
                row.push_bind(block.header.encode());
                row.push_bind(count(block.transactions)).push_bind(count(block.events));
            },
        )
        .await
    }

    async fn write_transactions(&self, to: &mut To<'_>) -> Done {
        let table = "transactions (position, id, sender_ref, at, body, outcome)";
        insert(to, table, 6, "", &self.transactions, |mut row, transaction| {
            row.push_bind(Col(transaction.position)).push_bind(Col(transaction.id));
            row.push_bind(transaction.sender_ref.clone()).push_bind(Col(transaction.at));
            row.push_bind(transaction.body.clone()).push_bind(Col(transaction.outcome.clone()));
        })
        .await?;
        let table = "account_transactions (account, position)";
        insert(to, table, 2, "", &self.account_transactions, |mut row, (account, position)| {
            row.push_bind(Col(*account)).push_bind(Col(*position));
        })
        .await
    }

    async fn write_events(&self, to: &mut To<'_>) -> Done {
        insert(to, "events (position, at, name, body)", 4, "", &self.events, |mut row, event| {
            row.push_bind(Col(event.record.position)).push_bind(Col(event.record.at));
            row.push_bind(event.record.event.name()).push_bind(event.body.clone());
        })
        .await?;
        insert(to, "trade_steps (trade, position)", 2, "", &self.trade_steps, |mut row, (trade, position)| {
            row.push_bind(Col(*trade)).push_bind(Col(*position));
        })
        .await
    }

    async fn write_fills(&self, to: &mut To<'_>) -> Done {
        let table = "fills (position, market, number, price, quantity, cost, fee, buyer, seller, maker, taker, \
                     taker_side, at, base)";
        insert(to, table, 14, "", &self.fills, |mut row, (position, fill)| {
            row.push_bind(Col(*position)).push_bind(Col(fill.market)).push_bind(Col(fill.number));
            row.push_bind(Col(fill.price)).push_bind(Col(fill.quantity)).push_bind(Col(fill.cost));
            row.push_bind(Col(fill.fee)).push_bind(Col(fill.buyer)).push_bind(Col(fill.seller));
            row.push_bind(Col(fill.maker)).push_bind(Col(fill.taker));
            row.push_bind(Col(fill.taker_side)).push_bind(Col(fill.at));
            row.push_bind(Col(fill.market.base));
        })
        .await
    }

    async fn write_balances(&self, to: &mut To<'_>) -> Done {
        let or_replace = " ON CONFLICT (account, asset) DO UPDATE SET available = excluded.available, held = excluded.held";
        let table = "balances (account, asset, length, available, held)";
        insert(to, table, 5, or_replace, &self.balances, |mut row, ((account, asset), balance)| {
            row.push_bind(Col(*account)).push_bind(Col(*asset)).push_bind(count(asset.to_string().len()));
            row.push_bind(Col(balance.available)).push_bind(Col(balance.held));
        })
        .await
    }

    async fn write_holders(&self, to: &mut To<'_>) -> Done {
        for (token, change) in self.holders.iter().filter(|(_, change)| **change != 0) {
            let sql = "UPDATE tokens SET holders = holders + $1 WHERE symbol = $2";
            either::query(sql).bind(*change).bind(Col(*token)).execute(to).await?;
        }
        Ok(())
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What an event says about accounts, charges, listings, trades, tokens, markets and orders.
async fn write_objects(to: &mut To<'_>, record: &EventRecord) -> Done {
    let EventRecord { position, event: Event { kind, .. }, .. } = record;
    match kind {
        EventKind::Account(AccountEvent::Frozen { .. } | AccountEvent::Unfrozen { .. }) => {
            note_freeze(to, record).await
        }
        // Written together with others of their kind.
        EventKind::Money(_) | EventKind::Payment(_) => Ok(()),
        // Few and small: who asks for them asks the ledger.
        EventKind::Replica(_) => Ok(()),
        EventKind::Withdrawal(event) => withdrawal(to, *position, event).await,
        EventKind::Account(event) => account(to, *position, event).await,
        EventKind::Charge(event) => charge(to, *position, event).await,
        EventKind::Listing(event) => listing(to, *position, event).await,
        EventKind::Trade(event) => trade(to, *position, event).await,
        EventKind::Review(event) => review(to, *position, event).await,
        EventKind::Token(event) => token(to, *position, event).await,
        EventKind::Exchange(event) => exchange(to, *position, event).await,
        EventKind::Poll(event) => polls::write(to, *position, event).await,
    }
}

async fn account(to: &mut To<'_>, position: Position, event: &AccountEvent) -> Done {
    let (address, name, public_key, role, at) = match event {
        AccountEvent::Registered { address, name, public_key, role, at } => {
            (address, name, public_key, role, at)
        }
        AccountEvent::Role(RoleEvent::Approved { account, to: role, .. }) => {
            let sql = "UPDATE accounts SET role = $1 WHERE address = $2";
            either::query(sql).bind(Col(*role)).bind(Col(*account)).execute(to).await?;
            return Ok(());
        }
        // Who they are is in the event.
        AccountEvent::GuardiansSet { address, .. } => return note_guardians(to, position, address).await,
        // Keys, limits, freezes and wishes for roles: whoever asks for them asks the ledger.
        _ => return Ok(()),
    };
    let sql = "INSERT INTO accounts (address, name, public_key, role, charge_count, registered_at) \
               VALUES ($1, $2, $3, $4, 0, $5)";
    let query = either::query(sql).bind(Col(*address)).bind(name.as_str()).bind(Col(*public_key));
    query.bind(Col(*role)).bind(Col(*at)).execute(to).await?;
    Ok(())
}

async fn charge(to: &mut To<'_>, position: Position, event: &ChargeEvent) -> Done {
    let decide =
        "UPDATE charges SET status = $1, decided_by = $2, decided_at = $3, reason = $4 WHERE id = $5";
    match event {
        ChargeEvent::Requested { charge, requester, amount, memo, at } => {
            let sql = "INSERT INTO charges (id, position, requester, amount, memo, status, requested_at) \
                       VALUES ($1, $2, $3, $4, $5, 'REQUESTED', $6)";
            let query = either::query(sql).bind(Col(*charge)).bind(Col(position)).bind(Col(*requester));
            query.bind(Col(*amount)).bind(memo.as_str()).bind(Col(*at)).execute(to).await?;
        }
        ChargeEvent::Approved { charge, requester, by, charge_count, at, .. } => {
            let admin = match by {
                Approver::Admin(admin) => Some(Col(*admin)),
                Approver::Policy => None,
            };
            let query = either::query(decide).bind("APPROVED").bind(admin).bind(Col(*at));
            query.bind(None::<&str>).bind(Col(*charge)).execute(to).await?;
            let sql = "UPDATE accounts SET charge_count = $1 WHERE address = $2";
            either::query(sql).bind(Col(*charge_count)).bind(Col(*requester)).execute(to).await?;
        }
        ChargeEvent::Rejected { charge, by, reason, at, .. } => {
            let query = either::query(decide).bind("REJECTED").bind(Col(*by)).bind(Col(*at));
            query.bind(reason.as_str()).bind(Col(*charge)).execute(to).await?;
        }
        ChargeEvent::ApprovedOnce { charge, by, .. } => {
            let sql = "UPDATE charges SET first_approval = $1 WHERE id = $2";
            either::query(sql).bind(Col(*by)).bind(Col(*charge)).execute(to).await?;
        }
        // One row, which the ledger has.
        ChargeEvent::PolicyProposed { .. }
        | ChargeEvent::PolicySet { .. }
        | ChargeEvent::PolicyRejected { .. } => {}
    }
    Ok(())
}

async fn withdrawal(to: &mut To<'_>, position: Position, event: &WithdrawalEvent) -> Done {
    let decide =
        "UPDATE withdrawals SET status = $1, decided_by = $2, decided_at = $3, reason = $4 WHERE id = $5";
    match event {
        WithdrawalEvent::Requested { withdrawal, owner, amount, memo, at } => {
            let sql = "INSERT INTO withdrawals (id, position, owner, amount, memo, status, requested_at) \
                       VALUES ($1, $2, $3, $4, $5, 'REQUESTED', $6)";
            let query = either::query(sql).bind(Col(*withdrawal)).bind(Col(position)).bind(Col(*owner));
            query.bind(Col(*amount)).bind(memo.as_str()).bind(Col(*at)).execute(to).await?;
        }
        WithdrawalEvent::Settled { withdrawal, by, at, .. } => {
            let query = either::query(decide).bind("SETTLED").bind(Col(*by)).bind(Col(*at));
            query.bind(None::<&str>).bind(Col(*withdrawal)).execute(to).await?;
        }
        WithdrawalEvent::Voided { withdrawal, by, reason, at, .. } => {
            let query = either::query(decide).bind("VOIDED").bind(Col(*by)).bind(Col(*at));
            query.bind(reason.as_str()).bind(Col(*withdrawal)).execute(to).await?;
        }
    }
    Ok(())
}

async fn listing(to: &mut To<'_>, position: Position, event: &ListingEvent) -> Done {
    match event {
        ListingEvent::Created { listing, seller, version, content, content_hash, at } => {
            let sql = "INSERT INTO listings (id, position, seller, status, version, price, search_text, created_at, \
                       updated_at) VALUES ($1, $2, $3, 'OPEN', $4, $5, $6, $7, $7)";
            let query = either::query(sql).bind(Col(*listing)).bind(Col(position)).bind(Col(*seller));
            let query = query.bind(Col(*version)).bind(Col(content.price)).bind(search_text(content));
            query.bind(Col(*at)).execute(to).await?;
            listing_version(to, *listing, *version, content, *content_hash, *at).await
        }
        ListingEvent::Updated { listing, version, content, content_hash, at, .. } => {
            let sql = "UPDATE listings SET version = $1, price = $2, search_text = $3, updated_at = $4 WHERE id = $5";
            let query =
                either::query(sql).bind(Col(*version)).bind(Col(content.price)).bind(search_text(content));
            query.bind(Col(*at)).bind(Col(*listing)).execute(to).await?;
            listing_version(to, *listing, *version, content, *content_hash, *at).await
        }
        ListingEvent::StatusChanged { listing, to: status, .. } => {
            let trade = match status {
                ListingStatus::Reserved { trade } | ListingStatus::Sold { trade } => Some(Col(*trade)),
                ListingStatus::Open | ListingStatus::Closed => None,
            };
            let sql = "UPDATE listings SET status = $1, trade = $2 WHERE id = $3";
            let query = either::query(sql).bind(status.code()).bind(trade).bind(Col(*listing));
            query.execute(to).await?;
            Ok(())
        }
    }
}

async fn listing_version(
    to: &mut To<'_>,
    listing: ListingId,
    version: u32,
    content: &ListingContent,
    content_hash: Digest,
    at: UnixMillis,
) -> Done {
    let sql = "INSERT INTO listing_versions (listing, version, title, description, price, photos, content_hash, at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let query = either::query(sql).bind(Col(listing)).bind(Col(version)).bind(content.title.as_str());
    let query = query.bind(content.description.as_str()).bind(Col(content.price));
    let query = query.bind(Col(content.photos.clone())).bind(Col(content_hash)).bind(Col(at));
    query.execute(to).await?;
    Ok(())
}

async fn trade(to: &mut To<'_>, position: Position, event: &TradeEvent) -> Done {
    if let TradeChange::Opened { version, content_hash } = &event.change {
        let sql = "INSERT INTO trades (id, position, listing, version, content_hash, buyer, seller, state, disputed, \
                   body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let query = either::query(sql).bind(Col(event.trade)).bind(Col(position)).bind(Col(event.listing));
        let query = query.bind(Col(*version)).bind(Col(*content_hash)).bind(Col(event.buyer));
        let query = query.bind(Col(event.seller)).bind(Col(event.to)).bind(false).bind(Col(*event.row));
        query.execute(to).await?;
        return Ok(());
    }
    let (tracking, return_tracking) = match &event.change {
        TradeChange::Shipped { tracking } => (Some(tracking.as_str()), None),
        TradeChange::ReturnShipped { tracking } => (None, Some(tracking.as_str())),
        _ => (None, None),
    };
    let arbiter = event.row.dispute.and_then(|dispute| dispute.arbiter);
    let sql = "UPDATE trades SET state = $1, arbiter = $2, disputed = $3, tracking = COALESCE($4, tracking), \
               return_tracking = COALESCE($5, return_tracking), closed_at = COALESCE(closed_at, $6), body = $7 \
               WHERE id = $8";
    let query = either::query(sql).bind(Col(event.to)).bind(arbiter.map(Col));
    let query = query.bind(event.row.dispute.is_some()).bind(tracking).bind(return_tracking);
    // Something can be given back after the end.
    let query = query.bind(event.to.is_final().then_some(Col(event.at)));
    query.bind(Col(*event.row)).bind(Col(event.trade)).execute(to).await?;
    Ok(())
}

async fn review(to: &mut To<'_>, position: Position, event: &ReviewEvent) -> Done {
    let ReviewEvent::Posted { trade, side, author, subject, rating, text, at, .. } = event;
    let sql = "INSERT INTO reviews (position, trade, side, author, subject, rating, text, at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let query = either::query(sql).bind(Col(position)).bind(Col(*trade)).bind(side_code(*side));
    let query = query.bind(Col(*author)).bind(Col(*subject)).bind(Col(*rating));
    query.bind(text.as_str()).bind(Col(*at)).execute(to).await?;
    Ok(())
}
