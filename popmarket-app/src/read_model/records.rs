//! What the read model answers with.

use ledger::{
    AssetId, Balance, BlockHeader, Cause, ChargeId, ChargeStatus, Decimals, Event, Height, ListingContent,
    ListingId, ListingStatus, Memo, Mover, Name, Outcome, PaymentStatus, PollClosing, PollId, PollOption,
    PollPhase, Question, Rating, Reason, Reference, ReviewSide, ReviewText, Role, Title, TokenId, Tracking,
    Trade, TradeChange, TradeDeadline, TradeId, TradeState, Transaction, TxId, UnixMillis, WithdrawalId,
    WithdrawalStatus,
};
use pbft_crypto::{Address, Digest, PublicKey};

use super::page::{Page, Position};

/// How far the read model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// The last block that is in it.
    pub height: Height,
    /// The time of that block.
    pub time: UnixMillis,
}

/// A block, without what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRecord {
    /// Its hash.
    pub hash: Digest,
    /// Its header.
    pub header: BlockHeader,
    /// How many transactions it has.
    pub transactions: u32,
    /// How many things happened in it.
    pub events: u32,
}

/// A transaction in its place on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRecord {
    /// Its block.
    pub height: Height,
    /// Its place among the block's transactions.
    pub index: u32,
    /// The time of the block.
    pub time: UnixMillis,
    /// The transaction.
    pub transaction: Transaction,
    /// What came of it.
    pub outcome: Outcome,
}

/// An account, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// What names it.
    pub address: Address,
    /// The name it shows.
    pub name: Name,
    /// The key that its address comes from.
    pub public_key: PublicKey,
    /// What it may do.
    pub role: Role,
    /// How many of its charges were approved.
    pub charge_count: u64,
    /// Since when it exists.
    pub registered_at: UnixMillis,
}

/// What an account has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balances {
    /// Of the coin.
    pub coin: Balance,
    /// Of tokens, by symbol: a part of those of which it has some.
    pub tokens: Page<BalanceRecord>,
}

/// What an account has of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceRecord {
    /// Which one.
    pub token: TokenId,
    /// How many digits of an amount are behind the point.
    pub decimals: Decimals,
    /// How much.
    pub balance: Balance,
}

/// A charge, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRecord {
    /// What names it.
    pub id: ChargeId,
    /// Who asks.
    pub requester: Address,
    /// The name of who asks.
    pub requester_name: Name,
    /// For how much.
    pub amount: ledger::Amount,
    /// What an admin needs to find the deposit.
    pub memo: Memo,
    /// How far it is.
    pub status: ChargeStatus,
    /// The first of the two admins that it takes, who has approved it.
    pub first_approval: Option<Address>,
    /// Why it was turned down, if it was.
    pub reason: Option<Reason>,
    /// When it was asked for.
    pub requested_at: UnixMillis,
}

/// A withdrawal, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalRecord {
    /// What names it.
    pub id: WithdrawalId,
    /// Whose money it is.
    pub owner: Address,
    /// The name of the owner.
    pub owner_name: Name,
    /// How much.
    pub amount: ledger::Amount,
    /// What an admin needs to pay it out.
    pub memo: Memo,
    /// How far it is.
    pub status: WithdrawalStatus,
    /// Why it was voided, if it was.
    pub reason: Option<Reason>,
    /// When it was asked for.
    pub requested_at: UnixMillis,
}

/// A listing in its last version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingRecord {
    /// What names it.
    pub id: ListingId,
    /// Who offers it.
    pub seller: Address,
    /// The seller's name.
    pub seller_name: Name,
    /// Whether it can be bought.
    pub status: ListingStatus,
    /// The version, counted from 1.
    pub version: u32,
    /// What is said about it.
    pub content: ListingContent,
    /// The hash of that, which a trade binds.
    pub content_hash: Digest,
    /// Since when it is offered.
    pub created_at: UnixMillis,
    /// Since when it is in this version.
    pub updated_at: UnixMillis,
}

/// A version of a listing: they never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingVersion {
    /// The version, counted from 1.
    pub version: u32,
    /// What is said about it.
    pub content: ListingContent,
    /// The hash of that.
    pub content_hash: Digest,
    /// Since when.
    pub at: UnixMillis,
}

/// A trade, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeRecord {
    /// What names it.
    pub id: TradeId,
    /// What is bought.
    pub listing: ListingId,
    /// In which version.
    pub version: u32,
    /// The hash of what the buyer saw.
    pub content_hash: Digest,
    /// What it is called in that version.
    pub title: Title,
    /// The first photo of that version.
    pub photo: Option<Digest>,
    /// Who buys.
    pub buyer: Address,
    /// The buyer's name.
    pub buyer_name: Name,
    /// Who sells.
    pub seller: Address,
    /// The seller's name.
    pub seller_name: Name,
    /// How far it is.
    pub state: TradeState,
    /// How the parcel can be followed, once it is on its way.
    pub tracking: Option<Tracking>,
    /// How the parcel on its way back can be followed.
    pub return_tracking: Option<Tracking>,
    /// When it came to its end. Nothing, as long as it goes on.
    pub closed_at: Option<UnixMillis>,
    /// All that the ledger keeps of it.
    pub row: Trade,
}

/// What someone says of the other side of a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewRecord {
    /// Where it is in the one order.
    pub position: Position,
    /// In which trade.
    pub trade: TradeId,
    /// From which side.
    pub side: ReviewSide,
    /// Who says so.
    pub author: Address,
    /// The author's name.
    pub author_name: Name,
    /// Of whom.
    pub subject: Address,
    /// From 1 to 5.
    pub rating: Rating,
    /// In words.
    pub text: ReviewText,
    /// What was bought.
    pub title: Title,
    /// When.
    pub at: UnixMillis,
}

/// Something that happened to a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeStep {
    /// Where it is in the one order.
    pub position: Position,
    /// When.
    pub at: UnixMillis,
    /// The transaction or deadline behind it.
    pub cause: Cause,
    /// The state before; none before the first.
    pub from: Option<TradeState>,
    /// The state after.
    pub to: TradeState,
    /// Who or what moved it.
    pub by: Mover,
    /// What happened.
    pub change: TradeChange,
    /// When the trade moves on by itself from here.
    pub deadline: Option<TradeDeadline>,
}

/// A payment that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRecord {
    /// The transaction.
    pub tx: TxId,
    /// Its block.
    pub height: Height,
    /// Who pays.
    pub from: Address,
    /// Who is paid.
    pub to: Address,
    /// In what.
    pub asset: AssetId,
    /// How much.
    pub amount: ledger::Amount,
    /// The payee's own number for it.
    pub reference: Option<Reference>,
    /// A note to the payee.
    pub memo: Memo,
    /// When it began.
    pub at: UnixMillis,
    /// How far it is.
    pub status: PaymentStatus,
    /// When something happened to it last.
    pub updated_at: UnixMillis,
}

/// A poll, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollRecord {
    /// What names it.
    pub id: PollId,
    /// Who asks.
    pub creator: Address,
    /// The name of who asks.
    pub creator_name: Name,
    /// What is asked.
    pub question: Question,
    /// The answers, and how many votes each has.
    pub options: Vec<(PollOption, u64)>,
    /// Until when votes can be revealed, if they are sealed.
    pub reveal_by: Option<UnixMillis>,
    /// Whether a vote may be changed.
    pub changeable: bool,
    /// How many are asked by name; none if everyone is.
    pub listed: Option<u32>,
    /// From when on votes count.
    pub opens_at: UnixMillis,
    /// When they count no longer.
    pub closes_at: UnixMillis,
    /// How many votes nobody knows yet.
    pub unrevealed: u64,
    /// When it was created.
    pub created_at: UnixMillis,
    /// The block that closed it.
    pub closed: Option<PollClosing>,
}

impl PollRecord {
    /// What it is doing at some time.
    pub fn phase(&self, now: UnixMillis) -> PollPhase {
        if self.closed.is_some() || now >= self.reveal_by.unwrap_or(self.closes_at) {
            PollPhase::Closed
        } else if now < self.opens_at {
            PollPhase::Pending
        } else if now < self.closes_at {
            PollPhase::Voting
        } else {
            PollPhase::Revealing
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Where it is in the one order. Names it.
    pub position: Position,
    /// When: the time of the block.
    pub at: UnixMillis,
    /// What happened.
    pub event: Event,
}
