//! Listings: things for sale.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use ledger::{ListingContent, ListingId, ListingOp, Photos, TradeOp};
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::code::Code;
use crate::http::csv::Wanted;
use crate::http::cursor::{TableQuery, page, parsed};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query, TEXT_BODY};
use crate::http::model::{
    Buying, Kind, List, ListingChange, ListingList, ListingView, NewListing, Reply, SaleView,
};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::read_model::{ListingPhase, ListingQuery, ListingRecord, ListingSort, TradeQuery};

/// How long the tables have to read what the ledger has.
const CATCH_UP: Duration = Duration::from_secs(1);
/// How long a search text may be.
const MAX_SEARCH_CHARS: usize = 200;

/// Offer something for sale.
#[utoipa::path(post, path = "/v1/listings", tag = "listings", request_body = NewListing, responses(
    (status = 201, description = "It is for sale.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewListing, TEXT_BODY>,
) -> Answer<Settled> {
    let NewListing { title, description, price, asset: _, photos } = body.value;
    photos_exist(&state, &photos).await?;
    let content = ListingContent { title, description, price, photos };
    intent
        .carry_out(&state, body.fingerprint, ListingOp::Create { content }, Subject::New(Kind::Listing))
        .await
}

async fn photos_exist(state: &AppState, photos: &Photos) -> Result<(), Failure> {
    for hash in photos.as_slice() {
        if !state.blobs.contains(hash).await.map_err(|error| Problem::internal(&error))? {
            return Err(Problem::in_field(Code::UNKNOWN_PHOTO, "photos", hash));
        }
    }
    Ok(())
}

/// Which listings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListingsQuery {
    /// Only those with each of these words in title or description.
    #[param(max_length = 200)]
    q: Option<String>,
    /// `OPEN`, `RESERVED`, `SOLD` or `CLOSED`.
    status: Option<String>,
    /// Only those of this account.
    seller: Option<String>,
    /// Only those that cost as much or more.
    min_price: Option<String>,
    /// Only those that cost as much or less.
    max_price: Option<String>,
    /// `newest`, `price` or `-price`.
    #[param(default = "newest")]
    sort: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    ending_before: Option<String>,
}

/// Search the listings.
#[utoipa::path(get, path = "/v1/listings", tag = "listings", params(ListingsQuery), responses(
    (status = 200, description = "A part of the list.", body = List<ListingView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(query): Query<ListingsQuery>,
) -> Answer<Json<ListingList>> {
    let start = page::<ListingId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let filter = ListingQuery {
        text: query.q.map(search_text).transpose()?,
        status: query.status.as_deref().map(phase).transpose()?,
        seller: parsed("seller", query.seller)?,
        min_price: parsed("min_price", query.min_price)?,
        max_price: parsed("max_price", query.max_price)?,
        sort: sort(query.sort.as_deref())?,
    };
    let page = state.read.listings(&filter, start).await.map_err(read_problem)?;
    Ok(Json(List::of(page, |listing| ListingView::new(listing, state.chain.fee))))
}

fn search_text(text: String) -> Result<String, Failure> {
    if text.chars().count() > MAX_SEARCH_CHARS {
        return Err(Problem::because(Code::INVALID_QUERY, "q: at most 200 characters"));
    }
    Ok(text)
}

fn phase(name: &str) -> Result<ListingPhase, Failure> {
    use ListingPhase::{Closed, Open, Reserved, Sold};
    let phase = [Open, Reserved, Sold, Closed].into_iter().find(|phase| phase.code() == name);
    phase.ok_or_else(|| Problem::because(Code::INVALID_QUERY, "status: OPEN, RESERVED, SOLD or CLOSED"))
}

fn sort(name: Option<&str>) -> Result<ListingSort, Failure> {
    match name {
        None | Some("newest") => Ok(ListingSort::Newest),
        Some("price") => Ok(ListingSort::PriceAscending),
        Some("-price") => Ok(ListingSort::PriceDescending),
        Some(_) => Err(Problem::because(Code::INVALID_QUERY, "sort: newest, price or -price")),
    }
}

async fn find(state: &AppState, id: &ListingId) -> Result<ListingRecord, Failure> {
    let listing = state.read.listing(id).await.map_err(read_problem)?;
    listing.ok_or_else(|| Problem::new(Code::UNKNOWN_LISTING))
}

/// The purchases of a listing that are over, newest first: prices and times, whatever its version was.
#[utoipa::path(get, path = "/v1/listings/{id}/trades", tag = "listings", params(("id" = String, Path, description = "The listing."), TableQuery), responses(
    (status = 200, description = "A part of the list. Items are named by their trades.", content(
        (List<SaleView> = "application/json"), (String = "text/csv"))),
))]
pub(super) async fn trades(
    State(state): State<AppState>,
    Id(id): Id<ListingId>,
    wanted: Wanted,
    Query(query): Query<TableQuery>,
) -> Answer<Response> {
    find(&state, &id).await?;
    let format = query.format;
    let filter = TradeQuery { listing: Some(id), only_closed: true, ..TradeQuery::default() };
    let page = state.read.trades(filter, query.page()?).await.map_err(read_problem)?;
    Ok(wanted.answer(format, List::of(page, SaleView::new)))
}

/// A listing in its last version.
#[utoipa::path(get, path = "/v1/listings/{id}", tag = "listings", params(("id" = String, Path, description = "The listing.")), responses(
    (status = 200, description = "The listing.", body = ListingView),
))]
pub(super) async fn show(State(state): State<AppState>, Id(id): Id<ListingId>) -> Answer<Json<ListingView>> {
    let listing = find(&state, &id).await?;
    Ok(Json(ListingView::new(listing, state.chain.fee)))
}

/// Change a listing: there is a new version from then on. By the seller, while it is open.
///
/// What the body does not say stays as it is in the version of now. If another change is recorded before this one, this one
/// changes nothing, and is answered `STALE_VERSION`: send it again, with another `Idempotency-Key`. The same one gets the same
/// answer.
#[utoipa::path(patch, path = "/v1/listings/{id}", tag = "listings", params(("id" = String, Path, description = "The listing.")), request_body = ListingChange, responses(
    (status = 201, description = "The new version is there.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn update(
    State(state): State<AppState>,
    intent: Intent,
    Id(listing): Id<ListingId>,
    body: JsonBody<ListingChange, TEXT_BODY>,
) -> Answer<Settled> {
    if let Some(photos) = &body.value.photos {
        photos_exist(&state, photos).await?;
    }
    let now = latest(&state, &listing).await?;
    let (from_version, content) = (now.version, body.value.apply(now.content));
    let subject = Subject::Old(Kind::Listing, listing.to_string());
    let operation = ListingOp::Update { listing, from_version, content };
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}

/// A listing in the version that the ledger nearby has, which keeps no texts: the tables may be a moment behind it.
async fn latest(state: &AppState, id: &ListingId) -> Result<ListingRecord, Failure> {
    let found = find(state, id).await?;
    let view = state.gateway.view();
    let newer = |ledger: &ledger::Ledger| {
        let is_newer = ledger.listing(id).is_some_and(|listing| listing.version > found.version);
        is_newer.then(|| ledger.height())
    };
    let Some(height) = view.read(newer) else { return Ok(found) };
    // If that takes too long, the ledger says that the version is not the one of now.
    state.read.wait_for_height(height, CATCH_UP).await;
    find(state, id).await
}

/// Take a listing back for good. By the seller, while it is open.
#[utoipa::path(delete, path = "/v1/listings/{id}", tag = "listings", params(("id" = String, Path, description = "The listing.")), responses(
    (status = 201, description = "It is closed.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn close(
    State(state): State<AppState>,
    intent: Intent,
    Id(listing): Id<ListingId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Listing, listing.to_string());
    intent.carry_out(&state, body.fingerprint, ListingOp::Close { listing }, subject).await
}

/// Buy: the price is held in escrow until the trade is over.
///
/// A body with `version` and `content_hash` makes sure that what is bought is what was seen. Without it, the version of
/// now is bought.
#[utoipa::path(post, path = "/v1/listings/{id}/buy", tag = "trades", params(("id" = String, Path, description = "The listing.")), request_body = Option<Buying>, responses(
    (status = 201, description = "The money is held. `id` is that of the trade.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn buy(
    State(state): State<AppState>,
    intent: Intent,
    Id(listing): Id<ListingId>,
    body: OptionalBody<Buying>,
) -> Answer<Settled> {
    let operation = purchase(&state, listing, &body.value).await?;
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::Trade)).await
}

/// The operation that buys a listing as it was seen.
pub(crate) async fn purchase(
    state: &AppState,
    listing: ListingId,
    seen: &Buying,
) -> Result<TradeOp, Failure> {
    let now = find(state, &listing).await?;
    let version = seen.version.unwrap_or(now.version);
    let content_hash = seen.content_hash.unwrap_or(now.content_hash);
    Ok(TradeOp::Open { listing, version, content_hash })
}
