//! What can be done with a trade: one route for each.

use axum::extract::State;
use ledger::{TradeId, TradeOp, handover_hash};

use crate::http::code::Code;
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody};
use crate::http::model::{
    Complaint, Evidence, GivingBack, HandoverCodeBody, Judgement, Kind, Reply, Shipping, SplitBody,
};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};

/// What a ruling lacks that comes with the wrong fields.
const PARTS: &str = "the parts come with the ruling split, and with no other";

fn about(trade: TradeId) -> Subject {
    Subject::Old(Kind::Trade, trade.to_string())
}

/// Accept an order. By the seller.
#[utoipa::path(post, path = "/v1/trades/{id}/accept", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 201, description = "The seller will ship.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn accept(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let operation = TradeOp::Accept { trade };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Say that it is shipped. By the seller.
#[utoipa::path(post, path = "/v1/trades/{id}/ship", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = Shipping, responses(
    (status = 201, description = "It is on its way to the buyer.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn ship(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<Shipping>,
) -> Answer<Settled> {
    let operation = TradeOp::Ship { trade, tracking: body.value.tracking };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Confirm: the held money goes to the seller. By the buyer.
#[utoipa::path(post, path = "/v1/trades/{id}/confirm", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 201, description = "The seller is paid.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn confirm(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let operation = TradeOp::Confirm { trade };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Cancel: the held money goes back. By the seller, or by the buyer before the seller accepts; after that the buyer asks.
#[utoipa::path(post, path = "/v1/trades/{id}/cancel", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 201, description = "It is cancelled, or the seller is asked to.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn cancel(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let operation = TradeOp::Cancel { trade };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Say that the parcel was delivered: to the buyer, or, on its way back, to the seller. By a courier who is neither.
#[utoipa::path(post, path = "/v1/trades/{id}/attest", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 201, description = "It is attested.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn attest(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let operation = TradeOp::Attest { trade };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Take more time to confirm. By the buyer, once.
#[utoipa::path(post, path = "/v1/trades/{id}/extend", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 201, description = "The deadline is later.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn extend(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let operation = TradeOp::Extend { trade };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Offer to share the held money. By buyer or seller; a new offer takes the place of an old one.
#[utoipa::path(post, path = "/v1/trades/{id}/split", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = SplitBody, responses(
    (status = 201, description = "The offer can be taken.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn split(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<SplitBody>,
) -> Answer<Settled> {
    let operation = TradeOp::ProposeSplit { trade, split: body.value.into() };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Take the offer to share the held money, with just these parts. By whoever did not make it.
#[utoipa::path(post, path = "/v1/trades/{id}/accept-split", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = SplitBody, responses(
    (status = 201, description = "Both are paid.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn accept_split(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<SplitBody>,
) -> Answer<Settled> {
    let operation = TradeOp::AcceptSplit { trade, split: body.value.into() };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Say that something is wrong: an arbiter decides. By the buyer of goods that were shipped, or the seller of goods on their way back.
#[utoipa::path(post, path = "/v1/trades/{id}/dispute", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = Complaint, responses(
    (status = 201, description = "An arbiter decides.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn dispute(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<Complaint>,
) -> Answer<Settled> {
    let operation = TradeOp::Dispute { trade, reason: body.value.reason };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Put something on record in a dispute. By buyer, seller or arbiter, eight times each.
#[utoipa::path(post, path = "/v1/trades/{id}/evidence", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = Evidence, responses(
    (status = 201, description = "It is on record.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn evidence(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<Evidence>,
) -> Answer<Settled> {
    let Evidence { hash, note } = body.value;
    let operation = TradeOp::AddEvidence { trade, hash, note };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Decide on a dispute. By its arbiter.
#[utoipa::path(post, path = "/v1/trades/{id}/resolve", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = Judgement, responses(
    (status = 201, description = "It is decided.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn resolve(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<Judgement>,
) -> Answer<Settled> {
    let ruling = body.value.ruling();
    let (ruling, reason) = ruling.ok_or_else(|| Problem::in_field(Code::INVALID_BODY, "split", PARTS))?;
    let operation = TradeOp::Resolve { trade, ruling, reason };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Say that the goods are on their way back. By the buyer.
#[utoipa::path(post, path = "/v1/trades/{id}/return", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = Shipping, responses(
    (status = 201, description = "The seller is told.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn return_ship(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<Shipping>,
) -> Answer<Settled> {
    let operation = TradeOp::ReturnShip { trade, tracking: body.value.tracking };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Say that the goods are back: the held money goes back. By the seller.
#[utoipa::path(post, path = "/v1/trades/{id}/confirm-return", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 201, description = "The buyer is paid back.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn return_confirm(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let operation = TradeOp::ReturnConfirm { trade };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Give money back of your own free will after being paid. By the seller.
#[utoipa::path(post, path = "/v1/trades/{id}/give-back", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = GivingBack, responses(
    (status = 201, description = "The buyer has it.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn give_back(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<GivingBack>,
) -> Answer<Settled> {
    let operation = TradeOp::GiveBack { trade, amount: body.value.amount };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Hand over in person, against a code: only its hash goes to the ledger. By the seller.
#[utoipa::path(post, path = "/v1/trades/{id}/hand-over", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = HandoverCodeBody, responses(
    (status = 201, description = "The code is set.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn hand_over(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<HandoverCodeBody>,
) -> Answer<Settled> {
    let code_hash = handover_hash(&trade, &body.value.code);
    let operation = TradeOp::HandOver { trade, code_hash };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Enter the code that the seller shows with the goods: the held money goes to the seller. By the buyer.
#[utoipa::path(post, path = "/v1/trades/{id}/collect", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = HandoverCodeBody, responses(
    (status = 201, description = "The seller is paid.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(in crate::http) async fn collect(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<HandoverCodeBody>,
) -> Answer<Settled> {
    let operation = TradeOp::Collect { trade, code: body.value.code };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}
