//! What others say about a member, and what they have behind them.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger::Record;
use pbft_crypto::Address;

use super::links::{Links, Part};
use super::page;
use super::ui::{Ui, Visitor};
use crate::http::model::ReviewView;
use crate::http::routes::read_problem;
use crate::http::{Answer, AppState, Code, Id, Problem, Query};
use crate::read_model::{Position, ReviewRecord};

#[derive(Template)]
#[template(path = "member.html")]
struct Member {
    ui: Ui,
    name: String,
    address: Address,
    record: Record,
    reviews: Vec<ReviewView>,
    links: Links,
}

pub(super) async fn show(
    State(state): State<AppState>,
    visitor: Visitor,
    Id(address): Id<Address>,
    Query(part): Query<Part>,
) -> Answer<Response> {
    let account = state.read.account(&address).await.map_err(read_problem)?;
    let name = account.ok_or_else(|| Problem::new(Code::UNKNOWN_ACCOUNT))?.name.to_string();
    let found = state.read.reviews_of(address, part.request::<Position>()?).await.map_err(read_problem)?;
    let record = state.gateway.view().read(|ledger| ledger.record(&address));
    let id = |review: Option<&ReviewRecord>| review.map(|review| review.position.to_string());
    let links = part.links(found.has_more, id(found.items.first()), id(found.items.last()), &[]);
    let reviews = found.items.into_iter().map(ReviewView::from).collect();
    let ui = visitor.ui(&state);
    Ok(page(StatusCode::OK, &Member { ui, name, address, record, reviews, links }))
}
