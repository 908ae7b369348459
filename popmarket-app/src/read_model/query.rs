//! What lists are filtered by.

use ledger::{Amount, ListingId, TradeState, UnixMillis};
use pbft_crypto::Address;

/// Which charges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChargeQuery {
    /// Only those that are so far.
    pub status: Option<ChargePhase>,
    /// Only those of one account.
    pub requester: Option<Address>,
}

/// How far a charge is, without by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargePhase {
    /// Nobody has decided.
    Requested,
    /// The amount was minted.
    Approved,
    /// Turned down.
    Rejected,
}

/// Which withdrawals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WithdrawalQuery {
    /// Only those that are so far.
    pub status: Option<WithdrawalPhase>,
    /// Only those of one account.
    pub owner: Option<Address>,
}

/// How far a withdrawal is, without by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithdrawalPhase {
    /// The money is held.
    Requested,
    /// It was burned.
    Settled,
    /// The owner has it back.
    Voided,
}

impl WithdrawalPhase {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Settled => "SETTLED",
            Self::Voided => "VOIDED",
        }
    }
}

/// Whether something can be bought, without by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingPhase {
    /// It can.
    Open,
    /// Someone is buying it.
    Reserved,
    /// It was bought.
    Sold,
    /// The seller took it back.
    Closed,
}

/// In which order listings come. Those that are equal come newest first, but oldest first among the cheapest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListingSort {
    /// The newest first.
    #[default]
    Newest,
    /// The cheapest first.
    PriceAscending,
    /// The dearest first.
    PriceDescending,
}

/// Which listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingQuery {
    /// Only those with each of these words in title or description. Words past the eighth do not count.
    pub text: Option<String>,
    /// Only those in this phase.
    pub status: Option<ListingPhase>,
    /// Only those of one account.
    pub seller: Option<Address>,
    /// Only those that cost as much or more.
    pub min_price: Option<Amount>,
    /// Only those that cost as much or less.
    pub max_price: Option<Amount>,
    /// In which order.
    pub sort: ListingSort,
}

/// On which side of a trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TradeSide {
    /// Either.
    #[default]
    Any,
    /// Who buys.
    Buyer,
    /// Who sells.
    Seller,
    /// Who decides on its dispute, or did.
    Arbiter,
}

/// Which trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TradeQuery {
    /// Only those of one account.
    pub member: Option<Address>,
    /// On which side that account is.
    pub side: TradeSide,
    /// Only those in this state.
    pub state: Option<TradeState>,
    /// Only those about one listing.
    pub listing: Option<ListingId>,
    /// Only those that are over.
    pub only_closed: bool,
}

/// Which transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionQuery {
    /// Only those that one account sent, or that changed something of it.
    pub account: Option<Address>,
}

/// On which side of a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaymentSide {
    /// Either.
    #[default]
    Any,
    /// Who pays.
    Payer,
    /// Who is paid.
    Payee,
}

/// How far a payment is, without how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentPhase {
    /// The money is held.
    Authorized,
    /// The payee has it, or has given it back since.
    Paid,
    /// It went back before the payee had it.
    Voided,
}

/// Which payments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaymentQuery {
    /// Only those from or to one account.
    pub account: Option<Address>,
    /// On which side that account is.
    pub side: PaymentSide,
    /// Only those that are so far.
    pub status: Option<PaymentPhase>,
}

/// Which polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollQuery {
    /// Only those of one account.
    pub creator: Option<Address>,
    /// Only those whose result is open at this time, or final.
    pub running_at: Option<(bool, UnixMillis)>,
}

impl ChargePhase {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
        }
    }
}

impl PaymentPhase {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Authorized => "AUTHORIZED",
            Self::Paid => "PAID",
            Self::Voided => "VOIDED",
        }
    }
}

impl ListingPhase {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Reserved => "RESERVED",
            Self::Sold => "SOLD",
            Self::Closed => "CLOSED",
        }
    }
}
