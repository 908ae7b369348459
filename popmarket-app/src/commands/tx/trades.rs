//! Purchases, and what buyers and sellers say of each other.

use std::{fmt::Display, fs, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use ledger::{
    Amount, HandoverCode, ListingContent, ListingId, Memo, Operation, Rating, Reason, ReviewOp, ReviewText,
    Ruling, Split, Tracking, TradeId, TradeOp, handover_hash,
};
use pbft_crypto::{Digest, sha256};
use serde::Deserialize;

use super::values::rating;
use crate::{api::Api, commands::CommandError};

/// Which trade.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The trade
    trade: TradeId,
}

/// How the money is shared.
#[derive(Debug, Args)]
pub(super) struct Parts {
    /// The trade
    trade: TradeId,
    /// The buyer's part
    to_buyer: Amount,
    /// The seller's part, of which the fee is taken
    to_seller: Amount,
}

impl Parts {
    const fn split(&self) -> Split {
        Split { to_buyer: self.to_buyer, to_seller: self.to_seller }
    }
}

/// What to buy.
#[derive(Debug, Args)]
pub(super) struct Purchase {
    /// The listing
    listing: ListingId,
    /// The price that you have seen: nothing is bought at another one
    #[arg(long)]
    price: Option<Amount>,
}

/// What an arbiter decides.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Decision {
    /// The seller is paid
    Release,
    /// The buyer is paid back
    Refund,
    /// The buyer is paid back once the goods are back
    Return,
    /// Both get a part: see --to-buyer and --to-seller
    Split,
}

#[derive(Debug, Subcommand)]
pub(super) enum TradeKind {
    /// Buy something: the money is held until you confirm
    Buy(Purchase),
    /// You will ship
    Accept(Which),
    /// You have shipped
    Ship {
        /// The trade
        trade: TradeId,
        /// How the parcel can be followed
        tracking: Tracking,
    },
    /// You are content: the seller is paid
    Confirm(Which),
    /// You do not want it any more
    Cancel(Which),
    /// You have delivered the parcel; for couriers
    Attest(Which),
    /// Take more time to confirm, once
    Extend(Which),
    /// Offer to share the money
    Split(Parts),
    /// Take the offer of the other one
    AcceptSplit(Parts),
    /// Something is wrong: an arbiter decides
    Dispute {
        /// The trade
        trade: TradeId,
        /// What
        reason: Reason,
    },
    /// Put a file on record: its hash, not the file itself
    Evidence {
        /// The trade
        trade: TradeId,
        /// The file
        file: PathBuf,
        /// What it shows
        #[arg(long, default_value = "")]
        note: Memo,
    },
    /// Decide on a dispute; for its arbiter
    Resolve {
        /// The trade
        trade: TradeId,
        /// How
        ruling: Decision,
        /// Why
        reason: Reason,
        /// The buyer's part of a split
        #[arg(long, required_if_eq("ruling", "split"))]
        to_buyer: Option<Amount>,
        /// The seller's part of a split
        #[arg(long, required_if_eq("ruling", "split"))]
        to_seller: Option<Amount>,
    },
    /// You have sent the goods back
    ReturnShip {
        /// The trade
        trade: TradeId,
        /// How the parcel can be followed
        tracking: Tracking,
    },
    /// You have the goods back: the buyer is paid back
    ReturnConfirm(Which),
    /// Give money back of your own free will
    GiveBack {
        /// The trade
        trade: TradeId,
        /// How much
        amount: Amount,
    },
    /// You will hand the goods over in person, and show a code then
    HandOver {
        /// The trade
        trade: TradeId,
        /// The code, which only you know until then
        code: HandoverCode,
    },
    /// You have the goods from the seller's hands: the seller is paid
    Collect {
        /// The trade
        trade: TradeId,
        /// The code that the seller shows
        code: HandoverCode,
    },
}

impl TradeKind {
    pub(super) fn operation(self) -> Result<TradeOp, CommandError> {
        Ok(match self {
            Self::Buy(_) => return Err(CommandError::Usage("a purchase takes a look at the listing".into())),
            Self::Accept(Which { trade }) => TradeOp::Accept { trade },
            Self::Ship { trade, tracking } => TradeOp::Ship { trade, tracking },
            Self::Confirm(Which { trade }) => TradeOp::Confirm { trade },
            Self::Cancel(Which { trade }) => TradeOp::Cancel { trade },
            Self::Attest(Which { trade }) => TradeOp::Attest { trade },
            Self::Extend(Which { trade }) => TradeOp::Extend { trade },
            Self::Split(parts) => TradeOp::ProposeSplit { trade: parts.trade, split: parts.split() },
            Self::AcceptSplit(parts) => TradeOp::AcceptSplit { trade: parts.trade, split: parts.split() },
            Self::Dispute { trade, reason } => TradeOp::Dispute { trade, reason },
            Self::Evidence { trade, file, note } => {
                let bytes = fs::read(&file);
                let bytes =
                    bytes.map_err(|error| CommandError::Usage(format!("{}: {error}", file.display())))?;
                TradeOp::AddEvidence { trade, hash: sha256(&bytes), note }
            }
            Self::Resolve { trade, ruling, reason, to_buyer, to_seller } => {
                let split = Split {
                    to_buyer: to_buyer.unwrap_or_default(),
                    to_seller: to_seller.unwrap_or_default(),
                };
                let ruling = match ruling {
                    Decision::Release => Ruling::Release,
                    Decision::Refund => Ruling::Refund,
                    Decision::Return => Ruling::Return,
                    Decision::Split => Ruling::Split(split),
                };
                TradeOp::Resolve { trade, ruling, reason }
            }
            Self::ReturnShip { trade, tracking } => TradeOp::ReturnShip { trade, tracking },
            Self::ReturnConfirm(Which { trade }) => TradeOp::ReturnConfirm { trade },
            Self::GiveBack { trade, amount } => TradeOp::GiveBack { trade, amount },
            Self::HandOver { trade, code } => {
                TradeOp::HandOver { trade, code_hash: handover_hash(&trade, &code) }
            }
            Self::Collect { trade, code } => TradeOp::Collect { trade, code },
        })
    }
}

/// What the market says about something for sale.
#[derive(Deserialize)]
struct Offer {
    version: u32,
    content_hash: Digest,
    #[serde(flatten)]
    content: ListingContent,
}

impl Purchase {
    /// Buys what the market shows, if that is what its hash says.
    pub(super) async fn operation(self, api: &Api) -> Result<Operation, CommandError> {
        let Self { listing, price } = self;
        let Offer { version, content_hash, content } = api.get(&format!("/v1/listings/{listing}")).await?;
        if content.hash() != content_hash {
            return Err(refused("the market shows something else than what it asks you to sign"));
        }
        if price.is_some_and(|price| price != content.price) {
            return Err(refused(format_args!("it costs {} POP now", content.price)));
        }
        complain!("{}, for {} POP", content.title, content.price);
        Ok(TradeOp::Open { listing, version, content_hash }.into())
    }
}

fn refused(why: impl Display) -> CommandError {
    CommandError::failed("nothing was bought", why)
}

/// What a buyer or seller says about the other one.
#[derive(Debug, Args)]
pub(super) struct Opinion {
    /// The trade
    trade: TradeId,
    /// From 1, bad, to 5, good
    #[arg(value_parser = rating)]
    rating: Rating,
    /// In words
    #[arg(default_value = "")]
    text: ReviewText,
}

impl Opinion {
    pub(super) fn operation(self) -> ReviewOp {
        let Self { trade, rating, text } = self;
        ReviewOp::Post { trade, rating, text }
    }
}
