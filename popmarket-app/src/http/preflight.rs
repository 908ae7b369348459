//! Looks at the ledger nearby before a transaction is sent. One that would fail is not sent: then no failure is recorded,
//! and the nonce is free for another transaction.
//!
//! This is advice only. If something changes before the transaction is in a block, the ledger rejects it there. Pages use
//! the same checks to show only those buttons that work.

mod payments;
mod polls;

use ledger::{Amount, AssetId, ListingId};
use ledger::{
    ChargeOp, ChargeRejection, ChargeStatus, Ledger, Listing, ListingOp, ListingRejection, ListingStatus,
    MoneyRejection, Operation, Rejection, ReplicaChangeStatus, ReplicaOp, ReplicaRejection, TradeOp,
    TradeRejection, TradeState,
};
use pbft_crypto::Address;

use super::model::Action;
pub(crate) use polls::is_asked;

/// Checks what a sender wants to do.
///
/// # Errors
/// What the ledger would say now.
pub(crate) fn check(ledger: &Ledger, sender: &Address, operation: &Operation) -> Result<(), Rejection> {
    match operation {
        // Opening an account is checked where members are made.
        Operation::Account(_) => Ok(()),
        Operation::Charge(op) => charge(ledger, sender, op),
        Operation::Payment(op) => payments::check(ledger, sender, op),
        Operation::Listing(op) => listing(ledger, sender, op),
        Operation::Trade(op) => trade(ledger, sender, op),
        Operation::Replica(op) => Ok(replica(ledger, sender, op)?),
        Operation::Poll(op) => Ok(polls::check(ledger, sender, op)?),
    }
}

fn charge(ledger: &Ledger, sender: &Address, op: &ChargeOp) -> Result<(), Rejection> {
    let id = match op {
        ChargeOp::Request { amount, .. } if amount.is_zero() => {
            return Err(ChargeRejection::ZeroAmount.into());
        }
        ChargeOp::Request { .. } => return Ok(()),
        ChargeOp::Approve { charge } | ChargeOp::Reject { charge, .. } => charge,
    };
    let charge = ledger.charge(id).ok_or(ChargeRejection::UnknownCharge)?;
    if charge.requester == *sender {
        return Err(ChargeRejection::OwnCharge.into());
    }
    match charge.status {
        ChargeStatus::Requested => Ok(()),
        status => Err(ChargeRejection::AlreadyDecided { status }.into()),
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
        ReplicaChangeStatus::Proposed if approves => ledger.check_replica_edit(&change.edit),
        ReplicaChangeStatus::Proposed => Ok(()),
        status => Err(ReplicaRejection::AlreadyDecided { status }),
    }
}

fn has(ledger: &Ledger, sender: &Address, asset: AssetId, needed: Amount) -> Result<(), Rejection> {
    let available = ledger.balance(sender, asset).available;
    if available < needed {
        return Err(MoneyRejection::InsufficientFunds { asset, needed, available }.into());
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
        open_listing(ledger, listing)?;
    }
    match op {
        ListingOp::Create { content } | ListingOp::Update { content, .. } if content.price.is_zero() => {
            Err(ListingRejection::ZeroPrice.into())
        }
        _ => Ok(()),
    }
}

fn trade(ledger: &Ledger, sender: &Address, op: &TradeOp) -> Result<(), Rejection> {
    let (id, action) = match op {
        TradeOp::Open { listing, version, content_hash } => {
            return purchase(ledger, sender, open_listing(ledger, listing)?, *version, content_hash);
        }
        TradeOp::Accept { trade } => (trade, Action::Accept),
        TradeOp::Ship { trade, .. } => (trade, Action::Ship),
        TradeOp::Confirm { trade } => (trade, Action::Confirm),
        TradeOp::Cancel { trade } => (trade, Action::Cancel),
    };
    let trade = ledger.trade(id).ok_or(TradeRejection::UnknownTrade)?;
    let standing = Standing {
        is_buyer: trade.buyer == *sender,
        is_seller: trade.seller == *sender,
        state: trade.state,
        cancel_requested: trade.cancel_requested,
    };
    Ok(standing.may(action)?)
}

fn purchase(
    ledger: &Ledger,
    sender: &Address,
    listing: &Listing,
    version: u32,
    content_hash: &pbft_crypto::Digest,
) -> Result<(), Rejection> {
    if listing.version != version {
        return Err(ListingRejection::StaleVersion { current: listing.version }.into());
    }
    if listing.content_hash != *content_hash {
        return Err(ListingRejection::ContentMismatch.into());
    }
    if listing.seller == *sender {
        return Err(TradeRejection::OwnListing.into());
    }
    has(ledger, sender, AssetId::Pop, listing.price)
}

/// How a member stands to a trade.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) is_buyer: bool,
    pub(crate) is_seller: bool,
    pub(crate) state: TradeState,
    pub(crate) cancel_requested: bool,
}

impl Standing {
    /// Whether the member can do this now.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn may(&self, action: Action) -> Result<(), TradeRejection> {
        use TradeState::{Accepted, Funded, Shipped};
        let Self { is_buyer, is_seller, state, cancel_requested } = *self;
        match action {
            Action::Accept | Action::Ship if !is_seller => Err(TradeRejection::NotSeller),
            Action::Confirm if !is_buyer => Err(TradeRejection::NotBuyer),
            Action::Cancel if !is_buyer && !is_seller => Err(TradeRejection::NotParty),
            Action::Cancel if is_buyer && state == Accepted && cancel_requested => {
                Err(TradeRejection::CancelAlreadyRequested)
            }
            Action::Accept if state == Funded => Ok(()),
            Action::Ship | Action::Cancel if matches!(state, Funded | Accepted) => Ok(()),
            Action::Confirm if matches!(state, Funded | Accepted | Shipped) => Ok(()),
            _ => Err(TradeRejection::WrongState { state }),
        }
    }
}
