//! Looks at the ledger nearby before a transaction is sent. One that would fail is not sent: then no failure is recorded,
//! and the nonce is free for another transaction.
//!
//! This is advice only. If something changes before the transaction is in a block, the ledger rejects it there. Pages use
//! the same checks to show only those buttons that work.

mod accounts;
mod payments;
mod polls;
mod treasury;

use ledger::{
    Amount, AssetId, Ledger, Listing, ListingId, ListingOp, ListingRejection, ListingStatus, MoneyRejection,
    Operation, Rejection, ReplicaChangeStatus, ReplicaOp, ReplicaRejection, ReviewOp, TokenOp, TradeOp,
};
use pbft_crypto::Address;

pub(crate) use polls::is_asked;

/// Checks what a sender wants to do.
///
/// # Errors
/// What the ledger would say now.
pub(crate) fn check(ledger: &Ledger, sender: &Address, operation: &Operation) -> Result<(), Rejection> {
    match operation {
        Operation::Account(op) => Ok(accounts::check(ledger, sender, op)?),
        Operation::Charge(op) => Ok(treasury::charge(ledger, sender, op)?),
        Operation::Payment(op) => payments::check(ledger, sender, op),
        Operation::Listing(op) => listing(ledger, sender, op),
        Operation::Trade(op) => trade(ledger, sender, op),
        Operation::Replica(op) => Ok(replica(ledger, sender, op)?),
        Operation::Review(ReviewOp::Post { trade, .. }) => {
            Ok(ledger.check_review(sender, trade).map(drop)?)
        }
        Operation::Withdrawal(op) => treasury::withdrawal(ledger, sender, op),
        Operation::Token(op) => token(ledger, sender, op),
        Operation::Exchange(op) => ledger.check_exchange(sender, op, ledger.tip().time.next()),
        Operation::Poll(op) => Ok(polls::check(ledger, sender, op)?),
    }
}

fn replica(ledger: &Ledger, sender: &Address, op: &ReplicaOp) -> Result<(), ReplicaRejection> {
    let (id, approves) = match op {
        ReplicaOp::Propose { edit } => return ledger.check_replica_edit(edit),
        ReplicaOp::Approve { change } => (change, true),
        ReplicaOp::Reject { change, .. } => (change, false),
    };
    let change = ledger.replica_change(id).ok_or(ReplicaRejection::UnknownChange)?;
    if change.proposer == *sender {
        return Err(ReplicaRejection::OwnChange);
    }
    match change.status {
        ReplicaChangeStatus::Proposed if approves && !ledger.is_admin(&change.proposer) => {
            Err(ReplicaRejection::ProposerNotAdmin)
        }
        ReplicaChangeStatus::Proposed if approves => ledger.check_replica_edit(&change.edit),
        ReplicaChangeStatus::Proposed => Ok(()),
        status => Err(ReplicaRejection::AlreadyDecided { status }),
    }
}

fn token(ledger: &Ledger, sender: &Address, op: &TokenOp) -> Result<(), Rejection> {
    ledger.check_token(sender, op)?;
    match op {
        TokenOp::Burn { token, amount } | TokenOp::Transfer { token, amount, .. } => {
            has(ledger, sender, (*token).into(), *amount)
        }
        TokenOp::TransferFrom { token, owner, amount, .. } => has(ledger, owner, (*token).into(), *amount),
        _ => Ok(()),
    }
}

/// Whether so much may leave the account, and is there.
fn has(ledger: &Ledger, sender: &Address, asset: AssetId, needed: Amount) -> Result<(), Rejection> {
    ledger.check_spending(sender, asset, needed, ledger.tip().time)?;
    if ledger.balance(sender, asset).available < needed {
        return Err(MoneyRejection::InsufficientFunds { asset }.into());
    }
    Ok(())
}

fn open_listing<'a>(ledger: &'a Ledger, id: &ListingId) -> Result<&'a Listing, ListingRejection> {
    let listing = ledger.listing(id).ok_or(ListingRejection::UnknownListing)?;
    match listing.status {
        ListingStatus::Open => Ok(listing),
        status => Err(ListingRejection::NotOpen { status }),
    }
}

fn listing(ledger: &Ledger, sender: &Address, op: &ListingOp) -> Result<(), Rejection> {
    if let ListingOp::Update { listing, .. } | ListingOp::Close { listing } = op {
        if ledger.listing(listing).is_some_and(|listing| listing.seller != *sender) {
            return Err(ListingRejection::NotOwner.into());
        }
        let now = open_listing(ledger, listing)?.version;
        if matches!(op, ListingOp::Update { from_version, .. } if *from_version != now) {
            return Err(ListingRejection::StaleVersion { current: now }.into());
        }
    }
    match op {
        ListingOp::Create { content } | ListingOp::Update { content, .. } if content.price.is_zero() => {
            Err(ListingRejection::ZeroPrice.into())
        }
        _ => Ok(()),
    }
}

fn trade(ledger: &Ledger, sender: &Address, op: &TradeOp) -> Result<(), Rejection> {
    ledger.check_trade(sender, op)?;
    match op {
        TradeOp::Open { listing, .. } => {
            has(ledger, sender, AssetId::Pop, open_listing(ledger, listing)?.price)
        }
        TradeOp::GiveBack { amount, .. } => has(ledger, sender, AssetId::Pop, *amount),
        _ => Ok(()),
    }
}
