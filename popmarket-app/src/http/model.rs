//! What clients get and send, as JSON. Money is an integer in a string beside its asset, times are RFC 3339 in UTC, ids are
//! hex, addresses bech32m.

mod account;
mod charge;
mod event;
mod exchange;
mod explorer;
mod key;
mod listing;
mod network;
mod payment;
mod policy;
mod poll;
mod privacy;
mod replica;
mod reply;
mod review;
mod role;
mod sale;
mod search;
mod standing;
mod table;
mod token;
mod trade;
mod webhook;
mod withdrawal;

use ledger::{AssetId, Description, Memo};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub use account::{
    AccountView, BalanceView, MemberView, NewMember, NewSession, Secret, SessionView, SignedHex, WalletKey,
    WalletView,
};
pub use charge::{ChargeView, NewCharge, Rejecting};
pub use event::EventView;
pub use exchange::{
    BookView, CandleList, CandleView, FillView, Level, MarketList, MarketView, NewMarket, NewOrderBody,
    OrderKind, OrderList, OrderView, Reducing,
};
pub use explorer::{
    BlockDetails, BlockList, BlockView, CertificateView, OutcomeView, SignedTransaction, TransactionView,
};
pub use key::{
    GuardiansView, KeyNaming, KeyView, NewGuardians, NewKey, NewRecovery, OwnKeys, RecoveryList, RecoveryView,
};
pub(crate) use listing::blob_link;
pub use listing::{BlobView, Buying, ListingChange, ListingList, ListingView, NewListing};
pub use network::{
    EvidenceList, EvidenceView, HandoverList, HandoverView, NetworkReport, ReplicaReport, ReplicaStatus,
};
pub use payment::{NewPayment, PaymentList, PaymentPart, PaymentView};
pub use policy::{NewPolicy, PolicyProposalView, PolicyTerms, PolicyView};
pub use poll::{
    Committing, NewCensus, NewPoll, OptionView, PollDetails, PollList, PollView, Revealing, Voting, VotingIn,
};
pub use privacy::{Viewer, sees_all};
pub use replica::{
    AddressBook, BookEntry, Joining, NewReplicaChange, RejectingChange, ReplicaChangeList, ReplicaChangeView,
};
pub use reply::{Kind, Reply, ReplyStatus};
pub use review::{NewReview, RecordView, ReviewList, ReviewView, TallyView};
pub use role::{NewRole, RoleChangeList, RoleChangeView};
pub use sale::SaleView;
pub use search::{HitView, SearchResults};
pub use standing::{FreezeList, FreezeView, Freezing, LimitView, NewLimit, PastFreezeView, RaiseView};
pub use token::{
    AllowanceView, Allowing, Burning, GivenAllowanceView, GivenAllowances, Giving, HandingOver, HolderList,
    HolderView, Minting, NewToken, TokenList, TokenView,
};
pub use trade::{
    Action, Complaint, DeadlineView, DisputeView, Evidence, GivingBack, HandoverCodeBody, Judgement, Look,
    MoveView, PaidView, ReturnView, RulingName, Shipping, SplitBody, SplitOfferView, SplitView, StepView,
    TradeDetails, TradeList, TradeView,
};
pub use webhook::{
    AttemptList, AttemptView, NewWebhook, Replayed, Replaying, WebhookCreated, WebhookList, WebhookSecret,
    WebhookView,
};
pub use withdrawal::{NewWithdrawal, Voiding, WithdrawalList, WithdrawalView};

/// The asset of a request that names none.
const fn coin() -> AssetId {
    AssetId::Pop
}

/// The asset of a request that can name the coin alone.
fn only_coin<'de, D: Deserializer<'de>>(from: D) -> Result<AssetId, D::Error> {
    match AssetId::deserialize(from)? {
        AssetId::Pop => Ok(AssetId::Pop),
        AssetId::Token(token) => Err(D::Error::custom(format_args!("only POP, not {token}"))),
    }
}

/// The memo of a request that has none.
pub(crate) fn no_memo() -> Memo {
    Memo::new("").expect("a memo may be empty: see the test")
}

/// The description of a listing that has none.
pub(crate) fn no_description() -> Description {
    Description::new("").expect("a description may be empty: see the test")
}

/// A part of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The items.
    pub data: Vec<T>,
    /// Whether the list goes on in the direction in which this part was asked for.
    pub has_more: bool,
}

impl<T> List<T> {
    /// From a page of the read model.
    pub fn of<R>(page: crate::read_model::Page<R>, view: impl FnMut(R) -> T) -> Self {
        Self { data: page.items.into_iter().map(view).collect(), has_more: page.has_more }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn texts_that_may_be_empty_are() {
        assert!(super::no_memo().as_str().is_empty() && super::no_description().as_str().is_empty());
    }
}
