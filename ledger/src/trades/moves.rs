//! Who may do what with a trade, and until when: the one place that knows.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::{Dispute, Repeats, Ruling, Split, Trade, TradeOp, TradeRejection, TradeState, handover_hash};
use crate::amount::Amount;
use crate::ids::TradeId;
use crate::time::UnixMillis;

/// How many pieces of evidence each of buyer, seller and arbiters may put on record in a dispute.
pub const MAX_EVIDENCE: u8 = 8;

/// How often each of buyer and seller may offer to share the money of a trade.
pub const MAX_OFFERS: u8 = 50;

/// How many codes for handing over the seller of a trade may prepare, one after the other.
pub const MAX_HANDOVERS: u8 = 50;

/// How often the seller of a trade may give something back.
pub const MAX_GIVE_BACKS: u8 = 50;

/// What someone is in a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Who buys.
    Buyer,
    /// Who sells.
    Seller,
    /// Who decides on its dispute.
    Arbiter,
    /// Anyone else with the role of a courier.
    Courier,
}

impl Party {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Buyer, Self::Seller, Self::Arbiter, Self::Courier];
}

/// What can be done with a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeAction {
    /// [`TradeOp::Accept`](crate::TradeOp::Accept).
    Accept,
    /// [`TradeOp::Ship`](crate::TradeOp::Ship).
    Ship,
    /// [`TradeOp::Confirm`](crate::TradeOp::Confirm).
    Confirm,
    /// [`TradeOp::Cancel`](crate::TradeOp::Cancel).
    Cancel,
    /// [`TradeOp::Attest`](crate::TradeOp::Attest).
    Attest,
    /// [`TradeOp::Extend`](crate::TradeOp::Extend).
    Extend,
    /// [`TradeOp::ProposeSplit`](crate::TradeOp::ProposeSplit).
    ProposeSplit,
    /// [`TradeOp::AcceptSplit`](crate::TradeOp::AcceptSplit).
    AcceptSplit,
    /// [`TradeOp::Dispute`](crate::TradeOp::Dispute).
    Dispute,
    /// [`TradeOp::AddEvidence`](crate::TradeOp::AddEvidence).
    AddEvidence,
    /// [`TradeOp::Resolve`](crate::TradeOp::Resolve).
    Resolve,
    /// [`TradeOp::ReturnShip`](crate::TradeOp::ReturnShip).
    ReturnShip,
    /// [`TradeOp::ReturnConfirm`](crate::TradeOp::ReturnConfirm).
    ReturnConfirm,
    /// [`TradeOp::GiveBack`](crate::TradeOp::GiveBack).
    GiveBack,
    /// [`TradeOp::HandOver`](crate::TradeOp::HandOver).
    HandOver,
    /// [`TradeOp::Collect`](crate::TradeOp::Collect).
    Collect,
}

impl TradeAction {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Accept,
        Self::Ship,
        Self::Confirm,
        Self::Cancel,
        Self::Attest,
        Self::Extend,
        Self::ProposeSplit,
        Self::AcceptSplit,
        Self::Dispute,
        Self::AddEvidence,
        Self::Resolve,
        Self::ReturnShip,
        Self::ReturnConfirm,
        Self::GiveBack,
        Self::HandOver,
        Self::Collect,
    ];

    /// Those who do it at all, and what anyone else is told.
    const fn actors(self) -> (&'static [Party], TradeRejection) {
        use Party::{Arbiter, Buyer, Courier, Seller};
        match self {
            Self::Accept | Self::Ship | Self::ReturnConfirm | Self::GiveBack | Self::HandOver => {
                (&[Seller], TradeRejection::NotSeller)
            }
            Self::Confirm | Self::Extend | Self::ReturnShip | Self::Collect => {
                (&[Buyer], TradeRejection::NotBuyer)
            }
            Self::Cancel | Self::ProposeSplit | Self::AcceptSplit | Self::Dispute => {
                (&[Buyer, Seller], TradeRejection::NotParty)
            }
            Self::AddEvidence => (&[Buyer, Seller, Arbiter], TradeRejection::NotParty),
            Self::Resolve => (&[Arbiter], TradeRejection::NotArbiter),
            Self::Attest => (&[Courier], TradeRejection::NotCourier),
        }
    }
}

/// Something that can be done with a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PossibleMove {
    /// By whom.
    pub by: Party,
    /// What.
    pub action: TradeAction,
    /// Before when: then the deadline moves the trade. After the end of a trade there is none.
    pub until: Option<UnixMillis>,
}

impl Trade {
    /// What someone is in it. `is_courier`: whether they have that role.
    pub fn party(&self, who: &Address, is_courier: bool) -> Option<Party> {
        let arbiter = self.dispute.and_then(|dispute| dispute.arbiter);
        if *who == self.buyer {
            Some(Party::Buyer)
        } else if *who == self.seller {
            Some(Party::Seller)
        } else if arbiter == Some(*who) {
            Some(Party::Arbiter)
        } else {
            is_courier.then_some(Party::Courier)
        }
    }

    /// Whether someone may do something with it now, its deadline not having passed. For what comes with it see
    /// [`check_details`](Self::check_details).
    ///
    /// # Errors
    /// [`TradeRejection`]: first if it is not theirs to do, then if the state does not allow it, then if something else is
    /// in the way.
    pub fn check(&self, who: Option<Party>, action: TradeAction) -> Result<Party, TradeRejection> {
        let (actors, refusal) = action.actors();
        let who = who.filter(|who| actors.contains(who)).ok_or(refusal)?;
        if !self.state_allows(who, action) {
            return Err(TradeRejection::WrongState { state: self.state });
        }
        match self.obstacle(who, action) {
            Some(rejection) => Err(rejection),
            None => Ok(who),
        }
    }

    /// Whether what comes with an operation fits the trade, which is called `id`: numbers, codes, rulings. Balances are looked
    /// at later.
    ///
    /// # Errors
    /// [`TradeRejection`].
    pub fn check_details(&self, id: &TradeId, op: &TradeOp) -> Result<(), TradeRejection> {
        match op {
            TradeOp::ProposeSplit { split, .. } => self.check_sum(*split),
            TradeOp::AcceptSplit { split, .. } => match self.split_offer {
                Some(offer) if offer.split != *split => {
                    Err(TradeRejection::OtherSplitOffer { offer: offer.split })
                }
                _ => Ok(()),
            },
            TradeOp::Resolve { ruling: Ruling::Split(split), .. } => self.check_sum(*split),
            TradeOp::Resolve { ruling: Ruling::Return, .. } if self.returning.is_some() => {
                Err(TradeRejection::ReturnedBefore)
            }
            TradeOp::GiveBack { amount, .. } if amount.is_zero() => Err(TradeRejection::ZeroAmount),
            TradeOp::GiveBack { amount, .. } if *amount > self.left_to_give_back() => {
                Err(TradeRejection::TooMuch { left: self.left_to_give_back() })
            }
            TradeOp::Collect { code, .. } if self.handover != Some(handover_hash(id, code)) => {
                Err(TradeRejection::WrongCode)
            }
            _ => Ok(()),
        }
    }

    fn check_sum(&self, split: Split) -> Result<(), TradeRejection> {
        let hold = self.amount;
        if split.sum() == Some(hold) { Ok(()) } else { Err(TradeRejection::SplitSum { hold }) }
    }

    /// What the seller has not given back of the price.
    fn left_to_give_back(&self) -> Amount {
        self.amount.checked_sub(self.given_back).unwrap_or(Amount::ZERO)
    }

    /// All that can be done with it now, and until when: nothing once its deadline has passed, since that comes first.
    pub fn possible(&self, now: UnixMillis) -> Vec<PossibleMove> {
        let until = self.deadline.map(|deadline| deadline.at);
        if until.is_some_and(|at| at <= now) {
            return Vec::new();
        }
        let has = |who: &Party| *who != Party::Arbiter || self.dispute.is_some_and(|d| d.arbiter.is_some());
        let moves = |by: Party| TradeAction::ALL.map(|action| PossibleMove { by, action, until });
        let all = Party::ALL.into_iter().filter(has).flat_map(moves);
        all.filter(|it| self.check(Some(it.by), it.action).is_ok()).collect()
    }

    const fn state_allows(&self, who: Party, action: TradeAction) -> bool {
        use TradeState::{Accepted, Disputed, Funded, Released, Returning, Shipped};
        match action {
            TradeAction::Accept => matches!(self.state, Funded),
            TradeAction::Ship | TradeAction::Cancel | TradeAction::HandOver | TradeAction::Collect => {
                matches!(self.state, Funded | Accepted)
            }
            TradeAction::Confirm => matches!(self.state, Funded | Accepted | Shipped),
            TradeAction::Attest => matches!(self.state, Shipped | Disputed | Returning),
            TradeAction::Extend => matches!(self.state, Shipped),
            TradeAction::ProposeSplit | TradeAction::AcceptSplit => {
                matches!(self.state, Accepted | Shipped | Disputed)
            }
            TradeAction::Dispute => {
                matches!((self.state, who), (Shipped, Party::Buyer) | (Returning, Party::Seller))
            }
            TradeAction::AddEvidence | TradeAction::Resolve => matches!(self.state, Disputed),
            TradeAction::ReturnShip | TradeAction::ReturnConfirm => matches!(self.state, Returning),
            TradeAction::GiveBack => matches!(self.state, Released),
        }
    }

    /// What is in the way although the state allows it.
    fn obstacle(&self, who: Party, action: TradeAction) -> Option<TradeRejection> {
        let is_shipped_back = self.returning.is_some_and(|returning| returning.is_shipped);
        match action {
            TradeAction::Cancel if who == Party::Buyer && self.cancel_requested => {
                Some(TradeRejection::CancelAlreadyRequested)
            }
            TradeAction::Collect if self.handover.is_none() => Some(TradeRejection::NoHandover),
            TradeAction::Extend if self.is_extended => Some(TradeRejection::AlreadyExtended),
            TradeAction::Attest if self.is_attested() => Some(TradeRejection::AlreadyAttested),
            TradeAction::AcceptSplit => match self.split_offer {
                None => Some(TradeRejection::NoSplitOffer),
                Some(offer) => (offer.by == who).then_some(TradeRejection::OwnSplitOffer),
            },
            TradeAction::Dispute if self.state == TradeState::Returning && !is_shipped_back => {
                Some(TradeRejection::NotShippedBack)
            }
            TradeAction::AddEvidence => {
                let count = self.dispute.map_or(0, |dispute| dispute.evidence_of(who));
                (count >= MAX_EVIDENCE).then_some(TradeRejection::EvidenceLimit)
            }
            TradeAction::ReturnShip if is_shipped_back => Some(TradeRejection::AlreadyShippedBack),
            TradeAction::GiveBack if self.left_to_give_back().is_zero() => {
                Some(TradeRejection::TooMuch { left: Amount::ZERO })
            }
            TradeAction::GiveBack if self.repeats.give_backs >= MAX_GIVE_BACKS => {
                Some(TradeRejection::GiveBackLimit)
            }
            TradeAction::ProposeSplit if self.repeats.offers_of(who) >= MAX_OFFERS => {
                Some(TradeRejection::OfferLimit)
            }
            TradeAction::HandOver if self.repeats.handovers >= MAX_HANDOVERS => {
                Some(TradeRejection::HandoverLimit)
            }
            _ => None,
        }
    }

    /// Whether a courier has said already that the parcel that is on its way, or was last, has arrived.
    fn is_attested(&self) -> bool {
        self.returning.map_or(self.delivered_at, |returning| returning.delivered_at).is_some()
    }
}

impl Repeats {
    /// How many offers to share the money someone made.
    pub const fn offers_of(&self, who: Party) -> u8 {
        match who {
            Party::Buyer => self.offers_of_buyer,
            Party::Seller => self.offers_of_seller,
            Party::Arbiter | Party::Courier => 0,
        }
    }
}

impl Dispute {
    /// How many pieces of evidence are from someone.
    pub const fn evidence_of(&self, who: Party) -> u8 {
        match who {
            Party::Buyer => self.from_buyer,
            Party::Seller => self.from_seller,
            Party::Arbiter => self.from_arbiter,
            Party::Courier => 0,
        }
    }

    /// How many pieces of evidence there are.
    pub fn evidence(&self) -> u8 {
        Party::ALL.into_iter().map(|who| self.evidence_of(who)).fold(0, u8::saturating_add)
    }
}
