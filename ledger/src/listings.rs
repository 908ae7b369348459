//! Listings: things for sale, one piece each. A new version never changes an old one: a trade names the version and the
//! hash of what the buyer saw. The texts are in the transactions; the state keeps their hash.

use pbft_crypto::{Address, Digest, Domain, digest};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::amount::Amount;
use crate::codec::encode;
use crate::event::{EventKind, event_names};
use crate::ids::{ListingId, TradeId};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::table::{Row, Table, TableId};
use crate::text::{Description, Title};
use crate::time::UnixMillis;

const CONTENT: Domain = Domain::new("popmarket.listing.v1");

/// How many photos a listing may have.
pub const MAX_PHOTOS: usize = 16;

/// How many versions a listing may have.
pub const MAX_VERSIONS: u32 = 1_000;

/// Transactions about listings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListingOp {
    /// Offers something. The sender is the seller.
    Create {
        /// What.
        content: ListingContent,
    },
    /// Replaces what is said about it by a new version. By the seller, while it is open.
    Update {
        /// Which.
        listing: ListingId,
        /// The version that this takes the place of, so that nothing said meanwhile is lost.
        from_version: u32,
        /// What.
        content: ListingContent,
    },
    /// Takes it back for good. By the seller, while it is open.
    Close {
        /// Which.
        listing: ListingId,
    },
}

/// What a seller says about something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingContent {
    /// What it is.
    pub title: Title,
    /// More about it. May be empty.
    pub description: Description,
    /// What the buyer pays, in the coin.
    pub price: Amount,
    /// The SHA-256 values of its photos, which are not on the chain.
    pub photos: Photos,
}

impl ListingContent {
    /// What a trade binds.
    pub fn hash(&self) -> Digest {
        digest(CONTENT, &encode(self))
    }
}

/// The SHA-256 values of at most [`MAX_PHOTOS`] photos.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Digest>")]
pub struct Photos(Vec<Digest>);

impl Photos {
    /// The hashes, in the order in which the photos are shown.
    pub fn as_slice(&self) -> &[Digest] {
        &self.0
    }
}

/// More photos than a listing may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a listing has at most {MAX_PHOTOS} photos")]
pub struct TooManyPhotos;

impl TryFrom<Vec<Digest>> for Photos {
    type Error = TooManyPhotos;

    fn try_from(hashes: Vec<Digest>) -> Result<Self, TooManyPhotos> {
        if hashes.len() <= MAX_PHOTOS { Ok(Self(hashes)) } else { Err(TooManyPhotos) }
    }
}

/// Whether something can be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListingStatus {
    /// It can.
    Open,
    /// Someone is buying it. If the trade is cancelled, it is open again.
    Reserved {
        /// In this trade.
        trade: TradeId,
    },
    /// It was bought.
    Sold {
        /// In this trade.
        trade: TradeId,
    },
    /// The seller took it back.
    Closed,
}

impl ListingStatus {
    /// A name that never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Reserved { .. } => "RESERVED",
            Self::Sold { .. } => "SOLD",
            Self::Closed => "CLOSED",
        }
    }
}

/// Something for sale, in its last version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Who offers it.
    pub seller: Address,
    /// Whether it can be bought.
    pub status: ListingStatus,
    /// The version, counted from 1.
    pub version: u32,
    /// What the buyer pays.
    pub price: Amount,
    /// The hash of what is said about it.
    pub content_hash: Digest,
    /// Since when it is offered.
    pub created_at: UnixMillis,
    /// Since when it is in this version.
    pub updated_at: UnixMillis,
}

impl Row for Listing {
    type Key = ListingId;
    const TABLE: TableId = TableId::Listings;
}

/// Why nothing happens to a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum ListingRejection {
    /// For nothing.
    #[error("the price is zero")]
    ZeroPrice,
    /// No such listing.
    #[error("there is no such listing")]
    UnknownListing,
    /// Only the seller changes a listing.
    #[error("only the seller may do this")]
    NotOwner,
    /// It is reserved, sold or closed.
    #[error("the listing is not open: {}", status.code())]
    NotOpen {
        /// What it is.
        status: ListingStatus,
    },
    /// The seller has changed it since.
    #[error("the listing is at version {current}")]
    StaleVersion {
        /// The version of now.
        current: u32,
    },
    /// The version is another than the buyer saw.
    #[error("the content is another one")]
    ContentMismatch,
    /// It was changed too often.
    #[error("a listing has at most {MAX_VERSIONS} versions")]
    VersionLimit,
}

codes_of! {
    pub(crate) ListingRejection {
        ZeroPrice => "ZERO_PRICE",
        UnknownListing => "UNKNOWN_LISTING",
        NotOwner => "NOT_LISTING_OWNER",
        NotOpen => "LISTING_NOT_OPEN",
        StaleVersion => "STALE_VERSION",
        ContentMismatch => "CONTENT_MISMATCH",
        VersionLimit => "VERSION_LIMIT",
    }
}

/// What happens to listings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListingEvent {
    /// Something is offered.
    Created {
        /// Which listing.
        listing: ListingId,
        /// Who offers it.
        seller: Address,
        /// Always 1.
        version: u32,
        /// What is said about it.
        content: ListingContent,
        /// The hash of that.
        content_hash: Digest,
        /// When.
        at: UnixMillis,
    },
    /// There is a new version.
    Updated {
        /// Which listing.
        listing: ListingId,
        /// Who offers it.
        seller: Address,
        /// The new version.
        version: u32,
        /// What is said about it now.
        content: ListingContent,
        /// The hash of that.
        content_hash: Digest,
        /// What it cost before.
        old_price: Amount,
        /// When.
        at: UnixMillis,
    },
    /// It can be bought, or cannot any more.
    StatusChanged {
        /// Which listing.
        listing: ListingId,
        /// Who offers it.
        seller: Address,
        /// What it was.
        from: ListingStatus,
        /// What it is.
        to: ListingStatus,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    ListingEvent {
        Self::Created { .. } => "listing.created",
        Self::Updated { .. } => "listing.updated",
        Self::StatusChanged { to: ListingStatus::Open, .. } => "listing.reopened",
        Self::StatusChanged { to: ListingStatus::Reserved { .. }, .. } => "listing.reserved",
        Self::StatusChanged { to: ListingStatus::Sold { .. }, .. } => "listing.sold",
        Self::StatusChanged { to: ListingStatus::Closed, .. } => "listing.closed",
    }
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &ListingOp,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    let listings = &mut state.listings;
    Ok(match op {
        ListingOp::Create { content } => create(listings, context, content, events),
        ListingOp::Update { listing, from_version, content } => {
            update(listings, context, (*listing, *from_version), content, events)
        }
        ListingOp::Close { listing } => close(listings, context, *listing, events),
    }?)
}

fn create(
    listings: &mut Table<Listing>,
    context: &Context,
    content: &ListingContent,
    events: &mut Vec<EventKind>,
) -> Result<(), ListingRejection> {
    if content.price.is_zero() {
        return Err(ListingRejection::ZeroPrice);
    }
    let (listing, seller, at) = (ListingId::from(context.tx), context.sender, context.now);
    let content_hash = content.hash();
    let row = Listing {
        seller,
        status: ListingStatus::Open,
        version: 1,
        price: content.price,
        content_hash,
        created_at: at,
        updated_at: at,
    };
    listings.put(listing, row);
    let content = content.clone();
    events.push(ListingEvent::Created { listing, seller, version: 1, content, content_hash, at }.into());
    Ok(())
}

fn update(
    listings: &mut Table<Listing>,
    context: &Context,
    (listing, from_version): (ListingId, u32),
    content: &ListingContent,
    events: &mut Vec<EventKind>,
) -> Result<(), ListingRejection> {
    let old = own_and_open(listings, context, listing)?;
    if from_version != old.version {
        return Err(ListingRejection::StaleVersion { current: old.version });
    }
    if content.price.is_zero() {
        return Err(ListingRejection::ZeroPrice);
    }
    let version = old.version.saturating_add(1);
    if version > MAX_VERSIONS {
        return Err(ListingRejection::VersionLimit);
    }
    let (seller, old_price, content_hash, at) = (old.seller, old.price, content.hash(), context.now);
    let row = Listing { version, price: content.price, content_hash, updated_at: at, ..old };
    listings.put(listing, row);
    let content = content.clone();
    let event = ListingEvent::Updated { listing, seller, version, content, content_hash, old_price, at };
    events.push(event.into());
    Ok(())
}

fn close(
    listings: &mut Table<Listing>,
    context: &Context,
    listing: ListingId,
    events: &mut Vec<EventKind>,
) -> Result<(), ListingRejection> {
    own_and_open(listings, context, listing)?;
    change_status(listings, listing, ListingStatus::Closed, context.now, events);
    Ok(())
}

fn own_and_open(
    listings: &Table<Listing>,
    context: &Context,
    id: ListingId,
) -> Result<Listing, ListingRejection> {
    let listing = listings.find(&id).ok_or(ListingRejection::UnknownListing)?;
    if listing.seller != context.sender {
        return Err(ListingRejection::NotOwner);
    }
    match listing.status {
        ListingStatus::Open => Ok(*listing),
        status => Err(ListingRejection::NotOpen { status }),
    }
}

/// The listing, if it can be bought now as the buyer saw it.
pub(crate) fn buyable<'a>(
    listings: &'a Table<Listing>,
    id: &ListingId,
    version: u32,
    content_hash: &Digest,
) -> Result<&'a Listing, ListingRejection> {
    let listing = listings.find(id).ok_or(ListingRejection::UnknownListing)?;
    if listing.status != ListingStatus::Open {
        return Err(ListingRejection::NotOpen { status: listing.status });
    }
    if listing.version != version {
        return Err(ListingRejection::StaleVersion { current: listing.version });
    }
    if listing.content_hash != *content_hash {
        return Err(ListingRejection::ContentMismatch);
    }
    Ok(listing)
}

pub(crate) fn change_status(
    listings: &mut Table<Listing>,
    id: ListingId,
    to: ListingStatus,
    at: UnixMillis,
    events: &mut Vec<EventKind>,
) {
    if let Some(listing) = listings.find(&id) {
        let (seller, from) = (listing.seller, listing.status);
        let row = Listing { status: to, ..*listing };
        listings.put(id, row);
        events.push(ListingEvent::StatusChanged { listing: id, seller, from, to, at }.into());
    }
}
