//! The routes of the API, by what they are about.

mod allowances;
mod blobs;
mod blocks;
mod charges;
mod events;
mod freezes;
mod guardians;
mod keys;
mod listings;
mod markets;
mod members;
mod network;
mod orders;
mod payment_requests;
mod payments;
mod policy;
mod polls;
mod receipts;
mod replicas;
mod reviews;
mod roles;
mod search;
mod sessions;
mod tokens;
mod trades;
mod transactions;
mod wallets;
mod webhooks;
mod withdrawals;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Failure, Problem};
use super::state::AppState;
use crate::read_model::ReadError;

pub(crate) use blobs::store_photo;
pub(crate) use blocks::{BlockId, find as find_block};
pub(crate) use listings::purchase;
pub(crate) use markets::{DEFAULT_DEPTH, book_of, find as find_market};
pub(crate) use members::{Who, enrol};
pub(crate) use network::evidence_from;
pub(crate) use receipts::certificate_of;
pub(crate) use replicas::{address_book, changes_from};
pub(crate) use search::{MAX_SEARCH_CHARS, find as search_ledger};
pub(crate) use sessions::sign_in;
pub(crate) use trades::{details as trade_details, look as trade_look};
pub(crate) use wallets::{balances, wallet};

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
        .routes(routes!(policy::show, policy::propose))
        .routes(routes!(policy::approve))
        .routes(routes!(policy::reject))
        .routes(routes!(charges::show))
        .routes(routes!(charges::approve))
        .routes(routes!(charges::reject))
        .routes(routes!(withdrawals::create, withdrawals::list))
        .routes(routes!(withdrawals::show))
        .routes(routes!(withdrawals::settle))
        .routes(routes!(withdrawals::void))
        .routes(routes!(keys::list, keys::add))
        .routes(routes!(keys::rename, keys::revoke))
        .routes(routes!(keys::limit, keys::set_limit))
        .routes(routes!(keys::of_account))
        .routes(routes!(guardians::show, guardians::set))
        .routes(routes!(guardians::propose))
        .routes(routes!(guardians::recoveries))
        .routes(routes!(guardians::recovery))
        .routes(routes!(guardians::agree))
        .routes(routes!(guardians::cancel))
        .routes(routes!(guardians::freeze))
        .routes(routes!(guardians::unfreeze))
        .routes(routes!(freezes::list))
        .routes(routes!(listings::create, listings::list))
        .routes(routes!(listings::show, listings::update, listings::close))
        .routes(routes!(listings::buy))
        .routes(routes!(listings::trades))
        .routes(routes!(blobs::create))
        .routes(routes!(blobs::show))
        .routes(routes!(trades::list))
        .routes(routes!(trades::show))
        .routes(routes!(trades::moves::accept))
        .routes(routes!(trades::moves::ship))
        .routes(routes!(trades::moves::confirm))
        .routes(routes!(trades::moves::cancel))
        .routes(routes!(trades::moves::attest))
        .routes(routes!(trades::moves::extend))
        .routes(routes!(trades::moves::split))
        .routes(routes!(trades::moves::accept_split))
        .routes(routes!(trades::moves::dispute))
        .routes(routes!(trades::moves::evidence))
        .routes(routes!(trades::moves::resolve))
        .routes(routes!(trades::moves::return_ship))
        .routes(routes!(trades::moves::return_confirm))
        .routes(routes!(trades::moves::give_back))
        .routes(routes!(trades::moves::hand_over))
        .routes(routes!(trades::moves::collect))
        .routes(routes!(reviews::create))
        .routes(routes!(reviews::of_account))
        .routes(routes!(roles::propose))
        .routes(routes!(roles::changes))
        .routes(routes!(roles::change))
        .routes(routes!(roles::approve))
        .routes(routes!(roles::reject))
        .routes(routes!(payments::create, payments::list))
        .routes(routes!(payments::create_by_alias))
        .routes(routes!(payments::show))
        .routes(routes!(payments::capture))
        .routes(routes!(payments::void))
        .routes(routes!(payments::refund))
        .routes(routes!(payment_requests::qr))
        .routes(routes!(tokens::create, tokens::list))
        .routes(routes!(tokens::show))
        .routes(routes!(tokens::holders))
        .routes(routes!(tokens::allowance))
        .routes(routes!(allowances::list))
        .routes(routes!(tokens::trades))
        .routes(routes!(tokens::mint))
        .routes(routes!(tokens::burn))
        .routes(routes!(tokens::transfer))
        .routes(routes!(tokens::approve))
        .routes(routes!(tokens::hand_over))
        .routes(routes!(markets::create, markets::list))
        .routes(routes!(markets::show))
        .routes(routes!(markets::halt))
        .routes(routes!(markets::resume))
        .routes(routes!(markets::book))
        .routes(routes!(markets::trades))
        .routes(routes!(markets::candles))
        .routes(routes!(orders::create, orders::list))
        .routes(routes!(orders::show, orders::cancel))
        .routes(routes!(orders::reduce))
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
        .routes(routes!(receipts::show, receipts::show_to_holder))
        .routes(routes!(search::search))
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
        other => Problem::of_database(&other, other.may_pass()),
    }
}
