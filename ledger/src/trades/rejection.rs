//! Why nothing happens to a trade.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{MAX_EVIDENCE, MAX_GIVE_BACKS, MAX_HANDOVERS, MAX_OFFERS, Split, TradeState};
use crate::amount::Amount;

/// Why nothing happens to a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum TradeRejection {
    /// No such trade.
    #[error("there is no such trade")]
    UnknownTrade,
    /// A purchase from oneself.
    #[error("the listing is the buyer's own")]
    OwnListing,
    /// Only the buyer does this.
    #[error("only the buyer may do this")]
    NotBuyer,
    /// Only the seller does this.
    #[error("only the seller may do this")]
    NotSeller,
    /// Neither buyer nor seller.
    #[error("only buyer and seller may do this")]
    NotParty,
    /// Not possible in this state.
    #[error("not possible: the trade is {}", state.code())]
    WrongState {
        /// The state.
        state: TradeState,
    },
    /// The buyer has asked already.
    #[error("the buyer has asked to cancel already")]
    CancelAlreadyRequested,
    /// Only the arbiter of the dispute decides.
    #[error("only the arbiter of this dispute may do this")]
    NotArbiter,
    /// Only a courier who is neither buyer nor seller attests.
    #[error("only a courier may do this, neither buyer nor seller")]
    NotCourier,
    /// The buyer had more time already.
    #[error("the buyer had more time already")]
    AlreadyExtended,
    /// A courier has said so already.
    #[error("the delivery is attested already")]
    AlreadyAttested,
    /// The parts are not the price.
    #[error("the parts must add up to {hold}")]
    SplitSum {
        /// The price.
        hold: Amount,
    },
    /// There is nothing to take.
    #[error("nobody offers to share the money")]
    NoSplitOffer,
    /// Nobody takes an offer of their own.
    #[error("the other one decides on this offer")]
    OwnSplitOffer,
    /// The offer is another one.
    #[error("the offer is {} for the buyer, {} for the seller", offer.to_buyer, offer.to_seller)]
    OtherSplitOffer {
        /// The offer.
        offer: Split,
    },
    /// Enough is on record.
    #[error("there is room for {MAX_EVIDENCE} pieces of evidence")]
    EvidenceLimit,
    /// The goods were on their way back once.
    #[error("the goods are sent back once only")]
    ReturnedBefore,
    /// The buyer has said so already.
    #[error("the goods are on their way back already")]
    AlreadyShippedBack,
    /// Nothing is on its way back.
    #[error("the goods are not on their way back")]
    NotShippedBack,
    /// Nothing would be given back.
    #[error("the amount is zero")]
    ZeroAmount,
    /// More than the price would be given back.
    #[error("at most {left} can be given back")]
    TooMuch {
        /// What is left of the price.
        left: Amount,
    },
    /// The seller shows no code.
    #[error("the seller hands nothing over in person")]
    NoHandover,
    /// The code is another one.
    #[error("the code is another one")]
    WrongCode,
    /// Enough was offered.
    #[error("each side offers to share the money at most {MAX_OFFERS} times")]
    OfferLimit,
    /// There were enough codes.
    #[error("there are at most {MAX_HANDOVERS} codes for handing over")]
    HandoverLimit,
    /// It was given back in enough parts.
    #[error("something is given back at most {MAX_GIVE_BACKS} times")]
    GiveBackLimit,
}

codes_of! {
    pub(crate) TradeRejection {
        UnknownTrade => "UNKNOWN_TRADE",
        OwnListing => "OWN_LISTING",
        NotBuyer => "NOT_BUYER",
        NotSeller => "NOT_SELLER",
        NotParty => "NOT_A_PARTY",
        WrongState => "WRONG_STATE",
        CancelAlreadyRequested => "CANCEL_ALREADY_REQUESTED",
        NotArbiter => "NOT_ARBITER",
        NotCourier => "NOT_COURIER",
        AlreadyExtended => "ALREADY_EXTENDED",
        AlreadyAttested => "ALREADY_ATTESTED",
        SplitSum => "SPLIT_SUM",
        NoSplitOffer => "NO_SPLIT_OFFER",
        OwnSplitOffer => "OWN_SPLIT_OFFER",
        OtherSplitOffer => "OTHER_SPLIT_OFFER",
        EvidenceLimit => "EVIDENCE_LIMIT",
        ReturnedBefore => "RETURNED_BEFORE",
        AlreadyShippedBack => "ALREADY_SHIPPED_BACK",
        NotShippedBack => "NOT_SHIPPED_BACK",
        ZeroAmount => "ZERO_AMOUNT",
        TooMuch => "TOO_MUCH_GIVEN_BACK",
        NoHandover => "NO_HANDOVER",
        WrongCode => "WRONG_CODE",
        OfferLimit => "OFFER_LIMIT",
        HandoverLimit => "HANDOVER_LIMIT",
        GiveBackLimit => "GIVE_BACK_LIMIT",
    }
}
