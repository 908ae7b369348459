mod actions;

use ledger::{
    Amount, AssetId, Cause, DeadlineKind, Height, ListingId, Mover, Name, Party, Split, Title, Tracking,
    Trade, TradeChange, TradeDeadline, TradeId, TradeState, TxId, UnixMillis,
};
use pbft_crypto::{Address, Digest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::timestamp::rfc3339;
use crate::read_model::{TradeRecord, TradeStep};

pub use actions::{
    Action, Complaint, Evidence, GivingBack, HandoverCodeBody, Judgement, RulingName, Shipping, SplitBody,
};

/// When a trade moves on by itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadlineView {
    /// `ship_by`: else the buyer is paid back. `answer_by`: the same, after the buyer asked to cancel. `confirm_by`: else
    /// the seller is paid. `resolve_by`: else there is a second arbiter. `second_resolve_by`: else what couriers have
    /// attested decides. `return_by`: else the seller is paid. `return_confirm_by`: else the buyer is paid back.
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

/// How money is shared.
#[derive(Debug, Serialize, ToSchema)]
pub struct SplitView {
    /// The buyer's part.
    #[schema(value_type = String, example = "4000")]
    pub to_buyer: Amount,
    /// The seller's part, of which a fee is taken.
    #[schema(value_type = String, example = "8000")]
    pub to_seller: Amount,
}

impl From<Split> for SplitView {
    fn from(Split { to_buyer, to_seller }: Split) -> Self {
        Self { to_buyer, to_seller }
    }
}

/// An offer to share the money.
#[derive(Debug, Serialize, ToSchema)]
pub struct SplitOfferView {
    /// Whose: `buyer` or `seller`.
    #[schema(value_type = String, example = "buyer")]
    pub by: Party,
    /// How.
    #[serde(flatten)]
    pub split: SplitView,
}

/// Where the money went.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaidView {
    /// To the buyer.
    #[schema(value_type = String, example = "0")]
    pub to_buyer: Amount,
    /// To the seller.
    #[schema(value_type = String, example = "11880")]
    pub to_seller: Amount,
    /// To the fee account.
    #[schema(value_type = String, example = "120")]
    pub fee: Amount,
}

/// A dispute, also after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DisputeView {
    /// Since when.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// Who decides. Null if there is no arbiter but buyer and seller.
    #[schema(value_type = Option<String>)]
    pub arbiter: Option<Address>,
    /// How many pieces of evidence there are in all.
    pub evidence: u8,
}

/// How far the goods are on their way back.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReturnView {
    /// Whether the buyer says that they are on their way.
    pub is_shipped: bool,
    /// How the parcel can be followed. Only buyer, seller and admins see it here.
    #[schema(value_type = Option<String>)]
    pub tracking: Option<Tracking>,
    /// When a courier delivered them.
    #[schema(format = DateTime)]
    pub delivered_at: Option<String>,
}

/// Something that someone can do with a trade now.
#[derive(Debug, Serialize, ToSchema)]
pub struct MoveView {
    /// Who: `buyer`, `seller`, `arbiter` or `courier`.
    #[schema(value_type = String, example = "seller")]
    pub by: Party,
    /// What: the last part of its path.
    pub action: Action,
    /// Until when at least. Null: for good.
    #[schema(format = DateTime)]
    pub until: Option<String>,
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
    /// What the buyer pays. Held until the state is `RELEASED`, `CANCELLED`, `REFUNDED` or `SPLIT`.
    #[schema(value_type = String, example = "12000")]
    pub amount: Amount,
    /// The part of it that is kept as a fee if the seller gets the rest.
    #[schema(value_type = String, example = "120")]
    pub fee: Amount,
    /// What the seller gets if all goes well.
    #[schema(value_type = String, example = "11880")]
    pub payout: Amount,
    /// Of what.
    #[schema(value_type = String, example = "POP")]
    pub asset: AssetId,
    /// `FUNDED`, `ACCEPTED`, `SHIPPED`, `DISPUTED`, `RETURNING`; final: `RELEASED`, `CANCELLED`, `REFUNDED`, `SPLIT`.
    #[schema(example = "FUNDED")]
    pub state: &'static str,
    /// When it moves on by itself.
    pub deadline: Option<DeadlineView>,
    /// Whether the buyer has asked the seller to cancel.
    pub cancel_requested: bool,
    /// How the parcel can be followed. Only buyer, seller and admins see it here.
    #[schema(value_type = Option<String>)]
    pub tracking: Option<Tracking>,
    /// When a courier delivered it.
    #[schema(format = DateTime)]
    pub delivered_at: Option<String>,
    /// Whether the buyer had more time to confirm.
    pub is_extended: bool,
    /// Whether the seller hands it over in person, against a code.
    pub has_handover: bool,
    /// The offer to share the money that can be taken.
    pub split_offer: Option<SplitOfferView>,
    /// The last dispute.
    pub dispute: Option<DisputeView>,
    /// How far the goods are on their way back, if an arbiter wants them to.
    #[serde(rename = "return")]
    pub returning: Option<ReturnView>,
    /// Where the money went, once it is over.
    pub paid: Option<PaidView>,
    /// What the seller gave back afterwards.
    #[schema(value_type = String, example = "0")]
    pub given_back: Amount,
    /// What whoever asks can do with it now.
    pub actions: Vec<Action>,
    /// Who can do what until when.
    pub moves: Vec<MoveView>,
    /// When it began.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// When something happened to it last.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// Who looks at a trade, and when.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Nobody: the public.
    pub viewer: Option<Address>,
    /// Whether the viewer has the role of a courier.
    pub is_courier: bool,
    /// Whether the viewer's account is frozen: then it is trusted with nothing of others.
    pub is_frozen: bool,
    /// The time of the ledger.
    pub now: UnixMillis,
}

impl TradeView {
    /// As someone sees it.
    pub fn new(record: TradeRecord, look: &Look) -> Self {
        let row = &record.row;
        let (moves, actions) = moves(row, look);
        let is_known = look.viewer.is_some();
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
            amount: row.amount,
            fee: row.fee,
            payout: row.seller_part(),
            asset: AssetId::Pop,
            state: row.state.code(),
            deadline: row.deadline.map(Into::into),
            cancel_requested: row.cancel_requested,
            tracking: record.tracking.filter(|_| is_known),
            delivered_at: row.delivered_at.map(rfc3339),
            is_extended: row.is_extended,
            has_handover: row.handover.is_some(),
            split_offer: row
                .split_offer
                .map(|offer| SplitOfferView { by: offer.by, split: offer.split.into() }),
            dispute: row.dispute.map(|dispute| DisputeView {
                opened_at: rfc3339(dispute.opened_at),
                arbiter: dispute.arbiter,
                evidence: dispute.evidence(),
            }),
            returning: row.returning.map(|returning| ReturnView {
                is_shipped: returning.is_shipped,
                tracking: record.return_tracking.filter(|_| is_known),
                delivered_at: returning.delivered_at.map(rfc3339),
            }),
            paid: row.payout.map(|paid| PaidView {
                to_buyer: paid.to_buyer,
                to_seller: paid.to_seller,
                fee: paid.fee,
            }),
            given_back: row.given_back,
            actions,
            moves,
            opened_at: rfc3339(row.opened_at),
            updated_at: rfc3339(row.updated_at),
        }
    }
}

/// Who can do what, and what of it whoever looks can, the most natural first.
fn moves(row: &Trade, look: &Look) -> (Vec<MoveView>, Vec<Action>) {
    let me = look.viewer.and_then(|viewer| row.party(&viewer, look.is_courier));
    let me = me.filter(|me| !look.is_frozen || matches!(me, Party::Buyer | Party::Seller));
    let possible = row.possible(look.now);
    let mut actions: Vec<Action> =
        possible.iter().filter(|it| Some(it.by) == me).map(|it| it.action.into()).collect();
    actions.sort_unstable();
    let view = |it: ledger::PossibleMove| MoveView {
        by: it.by,
        action: it.action.into(),
        until: it.until.map(rfc3339),
    };
    (possible.into_iter().map(view).collect(), actions)
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
    /// What happened, as the events of trades are called.
    #[schema(example = "opened")]
    pub change: &'static str,
    /// What was said with it: a reason, a note, an offer.
    pub words: Option<String>,
    /// `buyer`, `seller`, `arbiter`, `courier` or `deadline`.
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
            change: step.change.code(),
            words: words(&step.change),
            by: match step.by {
                Mover::Buyer => "buyer",
                Mover::Seller => "seller",
                Mover::Arbiter => "arbiter",
                Mover::Courier => "courier",
                Mover::Deadline(_) => "deadline",
            },
            to: step.to,
        }
    }
}

/// What someone said when they did it.
fn words(change: &TradeChange) -> Option<String> {
    match change {
        TradeChange::Shipped { tracking } | TradeChange::ReturnShipped { tracking } => {
            Some(tracking.to_string())
        }
        TradeChange::Disputed { reason, .. } | TradeChange::Resolved { reason, .. } => {
            Some(reason.to_string())
        }
        TradeChange::EvidenceAdded { hash, note } => Some(format!("{note} ({hash})")),
        TradeChange::SplitProposed { split } | TradeChange::Split { split, .. } => {
            Some(format!("{} + {}", split.to_buyer, split.to_seller))
        }
        TradeChange::GivenBack { amount, .. } => Some(amount.to_string()),
        _ => None,
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
