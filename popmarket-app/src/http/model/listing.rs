use ledger::{
    Amount, AssetId, BasisPoints, Description, ListingContent, ListingId, ListingStatus, Name, Photos, Title,
    TradeId,
};
use pbft_crypto::{Address, Digest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{coin, no_description, only_coin};
use crate::http::timestamp::rfc3339;
use crate::read_model::ListingRecord;

/// Something to be sold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewListing {
    /// What it is.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "Film camera")]
    pub title: Title,
    /// More about it.
    #[serde(default = "no_description")]
    #[schema(value_type = Option<String>, max_length = 3000)]
    pub description: Description,
    /// What the buyer pays, in minor units.
    #[schema(value_type = String, example = "12000", pattern = "^[0-9]{1,20}$")]
    pub price: Amount,
    /// Of what.
    #[serde(default = "coin", deserialize_with = "only_coin")]
    #[schema(value_type = String, example = "POP", default = "POP")]
    pub asset: AssetId,
    /// Photos that were uploaded before, by their SHA-256 values.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 16)]
    pub photos: Photos,
}

/// A new version of a listing: what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListingChange {
    /// What it is.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    pub title: Option<Title>,
    /// More about it.
    #[schema(value_type = Option<String>, max_length = 3000)]
    pub description: Option<Description>,
    /// What the buyer pays, in minor units.
    #[schema(value_type = Option<String>, example = "11000", pattern = "^[0-9]{1,20}$")]
    pub price: Option<Amount>,
    /// All photos that it is to have.
    #[schema(value_type = Option<Vec<String>>, max_items = 16)]
    pub photos: Option<Photos>,
}

impl ListingChange {
    /// The new version of this content.
    pub fn apply(self, old: ListingContent) -> ListingContent {
        ListingContent {
            title: self.title.unwrap_or(old.title),
            description: self.description.unwrap_or(old.description),
            price: self.price.unwrap_or(old.price),
            photos: self.photos.unwrap_or(old.photos),
        }
    }
}

/// What the buyer saw. Without it, the version of now is bought.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Buying {
    /// The version.
    pub version: Option<u32>,
    /// The hash of its content.
    #[schema(value_type = Option<String>)]
    pub content_hash: Option<Digest>,
}

/// A photo that is stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlobView {
    /// SHA-256 of the stored picture, which is a JPEG.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// Where it is.
    #[schema(example = "/v1/blobs/2c26b46b...")]
    pub href: String,
    /// How many bytes it has.
    pub bytes: usize,
}

/// Something for sale, in its last version.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListingView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: ListingId,
    /// Who offers it.
    #[schema(value_type = String)]
    pub seller: Address,
    /// The seller's name.
    #[schema(value_type = String)]
    pub seller_name: Name,
    /// `OPEN`, `RESERVED`, `SOLD` or `CLOSED`.
    #[schema(example = "OPEN")]
    pub status: &'static str,
    /// The trade in which it is reserved or sold.
    #[schema(value_type = Option<String>)]
    pub trade: Option<TradeId>,
    /// The version, counted from 1.
    pub version: u32,
    /// What it is.
    #[schema(value_type = String)]
    pub title: Title,
    /// More about it.
    #[schema(value_type = String)]
    pub description: Description,
    /// What the buyer pays.
    #[schema(value_type = String, example = "12000")]
    pub price: Amount,
    /// The part of it that is kept as a fee.
    #[schema(value_type = String, example = "120")]
    pub fee: Amount,
    /// What the seller gets.
    #[schema(value_type = String, example = "11880")]
    pub seller_receives: Amount,
    /// Of what.
    #[schema(value_type = String, example = "POP")]
    pub asset: AssetId,
    /// The SHA-256 values of its photos: see `/v1/blobs/{hash}`.
    #[schema(value_type = Vec<String>)]
    pub photos: Photos,
    /// The hash of all that is said about it, which a trade binds.
    #[schema(value_type = String)]
    pub content_hash: Digest,
    /// Since when it is offered.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Since when it is in this version.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl ListingView {
    /// With what is left for the seller after the fee.
    pub fn new(record: ListingRecord, fee: BasisPoints) -> Self {
        let ListingRecord { id, seller, seller_name, status, version, content, content_hash, .. } = record;
        let ListingContent { title, description, price, photos } = content;
        let fee = fee.of(price);
        Self {
            id,
            seller,
            seller_name,
            status: status.code(),
            trade: match status {
                ListingStatus::Reserved { trade } | ListingStatus::Sold { trade } => Some(trade),
                ListingStatus::Open | ListingStatus::Closed => None,
            },
            version,
            title,
            description,
            price,
            fee,
            seller_receives: price.checked_sub(fee).unwrap_or_default(),
            asset: AssetId::Pop,
            photos,
            content_hash,
            created_at: rfc3339(record.created_at),
            updated_at: rfc3339(record.updated_at),
        }
    }

    /// Where its photos are.
    pub fn photo_links(&self) -> Vec<String> {
        self.photos.as_slice().iter().map(blob_link).collect()
    }

    /// Where its first photo is.
    pub fn cover(&self) -> Option<String> {
        self.photos.as_slice().first().map(blob_link)
    }
}

/// Where a picture is.
pub(crate) fn blob_link(hash: &Digest) -> String {
    format!("/v1/blobs/{hash}")
}

/// Listings.
pub type ListingList = super::List<ListingView>;
