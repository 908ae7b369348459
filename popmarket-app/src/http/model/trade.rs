use ledger::{
    Amount, AssetId, Cause, DeadlineKind, Height, ListingId, Mover, Name, Title, Tracking, TradeChange,
    TradeDeadline, TradeId, TradeState, TxId,
};
use pbft_crypto::{Address, Digest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::preflight::Standing;
use crate::http::timestamp::rfc3339;
use crate::read_model::{TradeRecord, TradeStep};

/// What buyer and seller can do with a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The seller will ship.
    Accept,
    /// The seller has shipped.
    Ship,
    /// The buyer is content: the seller is paid.
    Confirm,
    /// Give the money back, or ask the seller to.
    Cancel,
}

impl Action {
    /// All of them, the one that moves a trade forward most naturally first.
    pub const ALL: [Self; 4] = [Self::Accept, Self::Ship, Self::Confirm, Self::Cancel];

    /// The last part of its path.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Ship => "ship",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
        }
    }

    /// Whether it comes with a tracking text.
    pub const fn needs_tracking(self) -> bool {
        matches!(self, Self::Ship)
    }
}

/// That something is on its way.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shipping {
    /// How the parcel can be followed.
    #[schema(value_type = String, max_length = 200, example = "CJ 1234-5678")]
    pub tracking: Tracking,
}

/// When a trade moves on by itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadlineView {
    /// `ship_by`: else the buyer is paid back. `answer_by`: the same, after the buyer asked to cancel. `confirm_by`: else
    /// the seller is paid.
    #[schema(value_type = String, example = "ship_by")]
    pub kind: DeadlineKind,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
}

impl From<TradeDeadline> for DeadlineView {
    fn from(TradeDeadline { kind, at }: TradeDeadline) -> Self {
        Self { kind, at: rfc3339(at) }
    }
}

/// A purchase, as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub struct TradeView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: TradeId,
    /// What is bought.
    #[schema(value_type = String)]
    pub listing: ListingId,
    /// In which version.
    pub version: u32,
    /// The hash of what the buyer saw.
    #[schema(value_type = String)]
    pub content_hash: Digest,
    /// What it is called in that version.
    #[schema(value_type = String)]
    pub title: Title,
    /// Who buys.
    #[schema(value_type = String)]
    pub buyer: Address,
    /// The buyer's name.
    #[schema(value_type = String)]
    pub buyer_name: Name,
    /// Who sells.
    #[schema(value_type = String)]
    pub seller: Address,
    /// The seller's name.
    #[schema(value_type = String)]
    pub seller_name: Name,
    /// What the buyer pays. Held until the state is `RELEASED` or `CANCELLED`.
    #[schema(value_type = String, example = "12000")]
    pub amount: Amount,
    /// The part of it that is kept as a fee.
    #[schema(value_type = String, example = "120")]
    pub fee: Amount,
    /// What the seller gets.
    #[schema(value_type = String, example = "11880")]
    pub payout: Amount,
    /// Of what.
    #[schema(value_type = String, example = "POP")]
    pub asset: AssetId,
    /// `FUNDED`, `ACCEPTED`, `SHIPPED`, `RELEASED` or `CANCELLED`.
    #[schema(example = "FUNDED")]
    pub state: &'static str,
    /// When it moves on by itself.
    pub deadline: Option<DeadlineView>,
    /// Whether the buyer has asked the seller to cancel.
    pub cancel_requested: bool,
    /// How the parcel can be followed. Only buyer, seller and admins see it here.
    #[schema(value_type = Option<String>)]
    pub tracking: Option<Tracking>,
    /// What whoever asks can do with it now.
    pub actions: Vec<Action>,
    /// When it began.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// When something happened to it last.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl TradeView {
    /// As a member sees it, or, with nobody, the public.
    pub fn new(record: TradeRecord, viewer: Option<&Address>) -> Self {
        let standing = Standing {
            is_buyer: viewer == Some(&record.buyer),
            is_seller: viewer == Some(&record.seller),
            state: record.state,
            cancel_requested: record.cancel_requested,
        };
        let can = |action: &Action| standing.may(*action).is_ok();
        let actions = Action::ALL.into_iter().filter(can).collect();
        let payout = record.amount.checked_sub(record.fee).unwrap_or_default();
        Self {
            id: record.id,
            listing: record.listing,
            version: record.version,
            content_hash: record.content_hash,
            title: record.title,
            buyer: record.buyer,
            buyer_name: record.buyer_name,
            seller: record.seller,
            seller_name: record.seller_name,
            amount: record.amount,
            fee: record.fee,
            payout,
            asset: AssetId::Pop,
            state: record.state.code(),
            deadline: record.deadline.map(Into::into),
            cancel_requested: record.cancel_requested,
            tracking: record.tracking.filter(|_| viewer.is_some()),
            actions,
            opened_at: rfc3339(record.opened_at),
            updated_at: rfc3339(record.updated_at),
        }
    }
}

/// Something that happened to a trade.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// The block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// The transaction behind it; none if a deadline passed.
    #[schema(value_type = Option<String>)]
    pub tx_id: Option<TxId>,
    /// `opened`, `accepted`, `shipped`, `cancel_requested`, `released` or `cancelled`.
    #[schema(example = "opened")]
    pub change: &'static str,
    /// `buyer`, `seller` or `deadline`.
    #[schema(example = "buyer")]
    pub by: &'static str,
    /// The state after it.
    #[schema(value_type = String, example = "FUNDED")]
    pub to: TradeState,
}

impl From<TradeStep> for StepView {
    fn from(step: TradeStep) -> Self {
        Self {
            at: rfc3339(step.at),
            height: step.position.height(),
            tx_id: match step.cause {
                Cause::Transaction { id, .. } => Some(id),
                Cause::Genesis | Cause::Deadline { .. } => None,
            },
            change: match step.change {
                TradeChange::Opened { .. } => "opened",
                TradeChange::Accepted => "accepted",
                TradeChange::Shipped { .. } => "shipped",
                TradeChange::CancelRequested => "cancel_requested",
                TradeChange::Released { .. } => "released",
                TradeChange::Cancelled => "cancelled",
            },
            by: match step.by {
                Mover::Buyer => "buyer",
                Mover::Seller => "seller",
                Mover::Deadline(_) => "deadline",
            },
            to: step.to,
        }
    }
}

/// A purchase and what happened to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TradeDetails {
    /// The purchase.
    #[serde(flatten)]
    pub trade: TradeView,
    /// What happened, oldest first.
    pub timeline: Vec<StepView>,
}

/// Trades, newest first.
pub type TradeList = super::List<TradeView>;
