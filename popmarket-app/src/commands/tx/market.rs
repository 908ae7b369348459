//! Things for sale.

use clap::{Args, Subcommand};
use ledger::{Amount, Description, ListingContent, ListingId, ListingOp, Photos, Title};
use pbft_crypto::Digest;

use crate::commands::CommandError;

/// What a seller says about something.
#[derive(Debug, Args)]
pub(super) struct Content {
    /// What it is
    title: Title,
    /// What the buyer pays, in minor units of POP
    price: Amount,
    /// More about it
    #[arg(long, default_value = "")]
    description: Description,
    /// The hash of a photo that was sent to /v1/blobs before; may be given several times
    #[arg(long = "photo", value_name = "HEX")]
    photos: Vec<Digest>,
}

impl Content {
    fn check(self) -> Result<ListingContent, CommandError> {
        let Self { title, price, description, photos } = self;
        let photos = Photos::try_from(photos).map_err(|error| CommandError::Usage(error.to_string()))?;
        Ok(ListingContent { title, description, price, photos })
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ListingKind {
    /// Offer something
    Create(Content),
    /// Say something else about it
    Update {
        /// Which
        listing: ListingId,
        /// The version that this takes the place of: if there is a newer one, nothing happens
        #[arg(long, value_name = "NUMBER")]
        from_version: u32,
        #[command(flatten)]
        content: Content,
    },
    /// Take it back for good
    Close {
        /// Which
        listing: ListingId,
    },
}

impl ListingKind {
    pub(super) fn operation(self) -> Result<ListingOp, CommandError> {
        Ok(match self {
            Self::Create(content) => ListingOp::Create { content: content.check()? },
            Self::Update { listing, from_version, content } => {
                ListingOp::Update { listing, from_version, content: content.check()? }
            }
            Self::Close { listing } => ListingOp::Close { listing },
        })
    }
}
