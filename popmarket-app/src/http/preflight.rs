//! What can be known to fail before it is sent: then nothing is recorded, and the nonce stays unused.
//!
//! This is advice from the read model, with the ledger's own rejections, and what pages show buttons by. The ledger
//! decides: what has changed by the time of the block fails there, and is recorded.

use ledger::{
    Amount, AssetId, ChargeOp, ChargeRejection, ChargeStatus, ListingId, ListingOp, ListingRejection,
    ListingStatus, MoneyRejection, Operation, PaymentOp, PaymentRejection, Rejection, TradeOp, TradeRejection, TradeState,
};
use pbft_crypto::Address;

use super::model::Action;
use super::problem::{Failure, Problem};
use crate::read_model::{ListingRecord, ReadError, ReadModel, TradeRecord};

/// Why an operation is not sent.
enum Doubt {
    Rejection(Rejection),
    Read(ReadError),
}

impl<R: Into<Rejection>> From<R> for Doubt {
    fn from(rejection: R) -> Self {
        Self::Rejection(rejection.into())
    }
}

/// Checks what a sender wants to do.
///
/// # Errors
/// What the ledger would say now, without a transaction.
pub(crate) async fn check(read: &ReadModel, sender: &Address, operation: &Operation) -> Result<(), Failure> {
    let doubt = match operation {
        // Opening an account is checked where members are made.
        Operation::Account(_) => Ok(()),
        Operation::Charge(op) => charge(read, sender, op).await,
        Operation::Payment(op) => payment(read, sender, op).await,
        Operation::Listing(op) => listing(read, sender, op).await,
        Operation::Trade(op) => trade(read, sender, op).await,
    };
    doubt.map_err(|doubt| match doubt {
        Doubt::Rejection(rejection) => Problem::rejected(&rejection, None),
        Doubt::Read(error) => Problem::internal(&error),
    })
}

async fn charge(read: &ReadModel, sender: &Address, op: &ChargeOp) -> Result<(), Doubt> {
    let id = match op {
        ChargeOp::Request { amount, .. } if amount.is_zero() => return Err(ChargeRejection::ZeroAmount.into()),
        ChargeOp::Request { .. } => return Ok(()),
        ChargeOp::Approve { charge } | ChargeOp::Reject { charge, .. } => charge,
    };
    let charge = read.charge(id).await.map_err(Doubt::Read)?.ok_or(ChargeRejection::UnknownCharge)?;
    if charge.requester == *sender {
        return Err(ChargeRejection::OwnCharge.into());
    }
    match charge.status {
        ChargeStatus::Requested => Ok(()),
        status => Err(ChargeRejection::AlreadyDecided { status }.into()),
    }
}

async fn payment(read: &ReadModel, sender: &Address, op: &PaymentOp) -> Result<(), Doubt> {
    let PaymentOp::Pay { to, asset, amount, .. } = op;
    if amount.is_zero() {
        return Err(PaymentRejection::ZeroAmount.into());
    }
    if to == sender {
        return Err(PaymentRejection::SelfPayment.into());
    }
    read.account(to).await.map_err(Doubt::Read)?.ok_or(PaymentRejection::UnknownPayee)?;
    has(read, sender, *asset, *amount).await
}

async fn has(read: &ReadModel, sender: &Address, asset: AssetId, needed: Amount) -> Result<(), Doubt> {
    let balances = read.balances(sender).await.map_err(Doubt::Read)?;
    let available = balances.iter().find(|record| record.asset == asset);
    let available = available.map_or(Amount::ZERO, |record| record.balance.available);
    if available < needed {
        return Err(MoneyRejection::InsufficientFunds { asset, needed, available }.into());
    }
    Ok(())
}

async fn find_listing(read: &ReadModel, id: &ListingId) -> Result<ListingRecord, Doubt> {
    let listing = read.listing(id).await.map_err(Doubt::Read)?;
    Ok(listing.ok_or(ListingRejection::UnknownListing)?)
}

fn is_open(listing: &ListingRecord) -> Result<(), ListingRejection> {
    match listing.status {
        ListingStatus::Open => Ok(()),
        status => Err(ListingRejection::NotOpen { status }),
    }
}

async fn listing(read: &ReadModel, sender: &Address, op: &ListingOp) -> Result<(), Doubt> {
    if let ListingOp::Update { listing, .. } | ListingOp::Close { listing } = op {
        let listing = find_listing(read, listing).await?;
        if listing.seller != *sender {
            return Err(ListingRejection::NotOwner.into());
        }
        is_open(&listing)?;
    }
    match op {
        ListingOp::Create { content } | ListingOp::Update { content, .. } if content.price.is_zero() => {
            Err(ListingRejection::ZeroPrice.into())
        }
        _ => Ok(()),
    }
}

async fn trade(read: &ReadModel, sender: &Address, op: &TradeOp) -> Result<(), Doubt> {
    let (id, action) = match op {
        TradeOp::Open { listing, version, content_hash } => {
            let listing = find_listing(read, listing).await?;
            is_open(&listing)?;
            if listing.version != *version {
                return Err(ListingRejection::StaleVersion { current: listing.version }.into());
            }
            if listing.content_hash != *content_hash {
                return Err(ListingRejection::ContentMismatch.into());
            }
            if listing.seller == *sender {
                return Err(TradeRejection::OwnListing.into());
            }
            return has(read, sender, AssetId::Pop, listing.content.price).await;
        }
        TradeOp::Accept { trade } => (trade, Action::Accept),
        TradeOp::Ship { trade, .. } => (trade, Action::Ship),
        TradeOp::Confirm { trade } => (trade, Action::Confirm),
        TradeOp::Cancel { trade } => (trade, Action::Cancel),
    };
    let trade = read.trade(id).await.map_err(Doubt::Read)?.ok_or(TradeRejection::UnknownTrade)?;
    Ok(trade_action(&trade, sender, action)?)
}

/// Whether a member can do this with a trade.
///
/// # Errors
/// Why not.
pub(crate) fn trade_action(trade: &TradeRecord, member: &Address, action: Action) -> Result<(), TradeRejection> {
    use TradeState::{Accepted, Funded, Shipped};
    let is_buyer = trade.buyer == *member;
    let is_seller = trade.seller == *member;
    let (state, asked) = (trade.state, trade.cancel_requested);
    match action {
        Action::Accept | Action::Ship if !is_seller => Err(TradeRejection::NotSeller),
        Action::Confirm if !is_buyer => Err(TradeRejection::NotBuyer),
        Action::Cancel if !is_buyer && !is_seller => Err(TradeRejection::NotParty),
        Action::Cancel if is_buyer && state == Accepted && asked => Err(TradeRejection::CancelAlreadyRequested),
        Action::Accept if state == Funded => Ok(()),
        Action::Ship | Action::Cancel if matches!(state, Funded | Accepted) => Ok(()),
        Action::Confirm if matches!(state, Funded | Accepted | Shipped) => Ok(()),
        _ => Err(TradeRejection::WrongState { state }),
    }
}

