//! The routes of the API, by what they are about.

mod blobs;
mod blocks;
mod charges;
mod events;
mod listings;
mod members;
mod network;
mod payments;
mod polls;
mod receipts;
mod replicas;
mod sessions;
mod trades;
mod transactions;
mod wallets;
mod webhooks;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Failure, Problem};
use super::state::AppState;
use crate::read_model::ReadError;

pub(crate) use blobs::store_photo;
pub(crate) use blocks::{BlockId, find as find_block};
pub(crate) use listings::purchase;
pub(crate) use members::{Who, enrol};
pub(crate) use network::evidence_from;
pub(crate) use receipts::certificate_of;
pub(crate) use replicas::{address_book, changes_from};
pub(crate) use sessions::sign_in;
pub(crate) use trades::details as trade_details;
pub(crate) use wallets::wallet;

/// All of them, with their documentation.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(members::create))
        .routes(routes!(members::me))
        .routes(routes!(sessions::create, sessions::delete))
        .routes(routes!(wallets::create))
        .routes(routes!(wallets::show))
        .routes(routes!(wallets::account))
        .routes(routes!(wallets::account_transactions))
        .routes(routes!(wallets::account_trades))
        .routes(routes!(charges::create, charges::list))
        .routes(routes!(charges::show))
        .routes(routes!(charges::approve))
        .routes(routes!(charges::reject))
        .routes(routes!(listings::create, listings::list))
        .routes(routes!(listings::show, listings::update, listings::close))
        .routes(routes!(listings::buy))
        .routes(routes!(blobs::create))
        .routes(routes!(blobs::show))
        .routes(routes!(trades::list))
        .routes(routes!(trades::show))
        .routes(routes!(trades::accept))
        .routes(routes!(trades::ship))
        .routes(routes!(trades::confirm))
        .routes(routes!(trades::cancel))
        .routes(routes!(payments::create))
        .routes(routes!(payments::create_by_alias))
        .routes(routes!(payments::show))
        .routes(routes!(payments::capture))
        .routes(routes!(payments::void))
        .routes(routes!(payments::refund))
        .routes(routes!(polls::create, polls::list))
        .routes(routes!(polls::show))
        .routes(routes!(polls::vote))
        .routes(routes!(polls::vote_by_alias))
        .routes(routes!(polls::commit))
        .routes(routes!(polls::reveal))
        .routes(routes!(polls::close))
        .routes(routes!(webhooks::create, webhooks::list))
        .routes(routes!(webhooks::show, webhooks::remove))
        .routes(routes!(webhooks::attempts))
        .routes(routes!(webhooks::replay))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::enable))
        .routes(routes!(blocks::list))
        .routes(routes!(blocks::show))
        .routes(routes!(transactions::list, transactions::create))
        .routes(routes!(transactions::show))
        .routes(routes!(receipts::show))
        .routes(routes!(network::show))
        .routes(routes!(network::genesis))
        .routes(routes!(network::handovers))
        .routes(routes!(replicas::list, replicas::propose))
        .routes(routes!(replicas::remove))
        .routes(routes!(replicas::changes))
        .routes(routes!(replicas::change))
        .routes(routes!(replicas::approve))
        .routes(routes!(replicas::reject))
        .routes(routes!(network::evidence))
        .routes(routes!(events::stream))
        .routes(routes!(network::health))
        .routes(routes!(network::ready))
        .routes(routes!(network::metrics))
}

/// What a client is told when the read model does not answer.
pub(crate) fn read_problem(error: ReadError) -> Failure {
    match error {
        ReadError::UnknownCursor => Problem::because(super::code::Code::INVALID_QUERY, error),
        other => Problem::internal(&other),
    }
}
