//! What can be done with a trade, and what has to be said with it.

use ledger::{Amount, HandoverCode, Memo, Reason, Ruling, Split, Tracking, TradeAction};
use pbft_crypto::Digest;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $verb:literal;)*) => {
        /// What can be done with a trade, the one that moves it forward most naturally first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $verb)] $name,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The last part of its path.
            pub const fn verb(self) -> &'static str {
                match self {
                    $(Self::$name => $verb,)*
                }
            }
        }

        impl From<TradeAction> for Action {
            fn from(action: TradeAction) -> Self {
                match action {
                    $(TradeAction::$name => Self::$name,)*
                }
            }
        }
    };
}

actions! {
    /// The seller will ship.
    Accept = "accept";
    /// The seller has shipped.
    Ship = "ship";
    /// The buyer is content: the seller is paid.
    Confirm = "confirm";
    /// The buyer has the goods and the seller's code: the seller is paid.
    Collect = "collect";
    /// The buyer has sent the goods back.
    ReturnShip = "return";
    /// The seller has the goods back: the buyer is paid back.
    ReturnConfirm = "confirm-return";
    /// The arbiter decides.
    Resolve = "resolve";
    /// A courier has delivered the parcel.
    Attest = "attest";
    /// Take the offer to share the money.
    AcceptSplit = "accept-split";
    /// Offer to share the money.
    ProposeSplit = "split";
    /// Something is wrong: an arbiter decides.
    Dispute = "dispute";
    /// Put something on record.
    AddEvidence = "evidence";
    /// The buyer wants more time to confirm.
    Extend = "extend";
    /// The seller hands the goods over in person, against a code.
    HandOver = "hand-over";
    /// Give the money back, or ask the seller to.
    Cancel = "cancel";
    /// The seller, who was paid, gives money back.
    GiveBack = "give-back";
}

// A derived one has the names of Rust: names that come out of a macro are not seen.
impl PartialSchema for Action {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|action| action.verb());
        let about = "What can be done with a trade: the last part of its path.";
        let one = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        one.description(Some(about)).into()
    }
}

impl ToSchema for Action {}

/// That something is on its way.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shipping {
    /// How the parcel can be followed.
    #[schema(value_type = String, max_length = 200, example = "CJ 1234-5678")]
    pub tracking: Tracking,
}

/// How the money is to be shared. The parts add up to the price.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitBody {
    /// The buyer's part.
    #[schema(value_type = String, example = "4000")]
    pub to_buyer: Amount,
    /// The seller's part, of which a fee is taken.
    #[schema(value_type = String, example = "8000")]
    pub to_seller: Amount,
}

impl From<SplitBody> for Split {
    fn from(SplitBody { to_buyer, to_seller }: SplitBody) -> Self {
        Self { to_buyer, to_seller }
    }
}

/// What is wrong.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Complaint {
    /// In words.
    #[schema(value_type = String, max_length = 200, example = "a wheel is missing")]
    pub reason: Reason,
}

/// Something to put on record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The SHA-256 value of a file, such as a picture of `POST /v1/blobs`.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// What it shows.
    #[serde(default = "crate::http::model::no_memo")]
    #[schema(value_type = String, max_length = 256, example = "how it arrived")]
    pub note: Memo,
}

/// What an arbiter can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RulingName {
    /// The seller is paid.
    Release,
    /// The buyer is paid back.
    Refund,
    /// Both get a part.
    Split,
    /// The buyer is paid back once the goods are back. Not in a second dispute.
    Return,
}

/// What an arbiter decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// How.
    pub ruling: RulingName,
    /// Why.
    #[schema(value_type = String, max_length = 200, example = "the pictures show it")]
    pub reason: Reason,
    /// With `split`: the parts.
    pub split: Option<SplitBody>,
}

impl Judgement {
    /// How and why, if the parts are there just when they are needed.
    pub fn ruling(self) -> Option<(Ruling, Reason)> {
        let ruling = match (self.ruling, self.split) {
            (RulingName::Release, None) => Ruling::Release,
            (RulingName::Refund, None) => Ruling::Refund,
            (RulingName::Return, None) => Ruling::Return,
            (RulingName::Split, Some(split)) => Ruling::Split(split.into()),
            _ => return None,
        };
        Some((ruling, self.reason))
    }
}

/// How much a seller gives back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivingBack {
    /// In minor units.
    #[schema(value_type = String, example = "500")]
    pub amount: Amount,
}

/// The code that a seller shows when handing goods over in person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoverCodeBody {
    /// Printable ASCII without spaces. Only its hash goes to the ledger until the buyer enters it.
    #[schema(value_type = String, max_length = 64, example = "7-apples")]
    pub code: HandoverCode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_has_the_names_that_are_sent() {
        let described = serde_json::to_value(Action::schema()).unwrap()["enum"].clone();
        assert_eq!(described, serde_json::to_value(Action::ALL).unwrap());
    }
}
