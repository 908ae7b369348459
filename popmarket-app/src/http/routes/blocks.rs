//! Blocks.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use ledger::{Height, TxId};
use pbft_crypto::Digest;
use serde::Deserialize;
use utoipa::IntoParams;

use super::transactions::views;
use super::{certificate_of, read_problem};
use crate::http::caller::Caller;
use crate::http::code::Code;
use crate::http::cursor::{ListQuery, page, parsed};
use crate::http::extract::{Id, Query};
use crate::http::model::{BlockDetails, BlockList, BlockView, CertificateView, List, Viewer};
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::pages::Lang;
use crate::read_model::{BlockRecord, PageLimit};

/// What names a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockId {
    Height(Height),
    Hash(Digest),
}

impl FromStr for BlockId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(hash) = text.parse() {
            return Ok(Self::Hash(hash));
        }
        let height = text.parse().map_err(|_| "a height, or a hash of 64 hexadecimal digits")?;
        Ok(Self::Height(Height::new(height)))
    }
}

/// Blocks, newest first. The cursor is a height.
#[utoipa::path(get, path = "/v1/blocks", tag = "explorer", params(ListQuery), responses(
    (status = 200, description = "A part of the list.", body = List<BlockView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(list): Query<ListQuery>,
) -> Answer<Json<BlockList>> {
    let after: Option<u64> = parsed("starting_after", list.starting_after)?;
    let before: Option<u64> = parsed("ending_before", list.ending_before)?;
    let start = page(list.limit, after.map(Height::new), before.map(Height::new))?;
    let page = state.read.blocks(start).await.map_err(read_problem)?;
    Ok(Json(List::of(page, BlockView::from)))
}

/// Which transactions of a block. One may have 2,048, and each takes some steps to be put into words.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BlockQuery {
    /// How many transactions, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u32>,
    /// The id of the transaction before the first one wanted.
    starting_after: Option<String>,
    /// The id of the transaction after the last one wanted.
    ending_before: Option<String>,
}

/// A block with its transactions, by height or hash: all of them, or the first hundred.
#[utoipa::path(get, path = "/v1/blocks/{id}", tag = "explorer", params(("id" = String, Path, description = "Height or hash."), BlockQuery), responses(
    (status = 200, description = "The block.", body = BlockDetails),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    lang: Lang,
    Id(id): Id<BlockId>,
    Query(query): Query<BlockQuery>,
) -> Answer<Json<BlockDetails>> {
    let start = page::<TxId>(
        query.limit.or(Some(PageLimit::MAX.value())),
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let block = find(&state, &id).await?;
    let found = state.read.transactions_of_block(block.header.height, start).await.map_err(read_problem)?;
    let transactions = views(&state, &found.items, &Viewer::from(&caller), lang).await?;
    let certificate = certificate_of(&state, block.header.seq)?.map(CertificateView::from);
    Ok(Json(BlockDetails { block: block.into(), certificate, transactions, has_more: found.has_more }))
}

/// A block.
pub(crate) async fn find(state: &AppState, id: &BlockId) -> Result<BlockRecord, Failure> {
    let block = match id {
        BlockId::Height(height) => state.read.block_at(*height).await,
        BlockId::Hash(hash) => state.read.block_by_hash(hash).await,
    };
    block.map_err(read_problem)?.ok_or_else(|| Problem::new(Code::UNKNOWN_BLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_named_by_height_or_hash() {
        assert_eq!("12".parse(), Ok(BlockId::Height(Height::new(12))));
        let digits = "1".repeat(64);
        assert_eq!(digits.parse(), Ok(BlockId::Hash(digits.parse().unwrap())));
        for bad in ["", "-1", "1.5", "latest", "18446744073709551616", &"g".repeat(64)] {
            assert!(bad.parse::<BlockId>().is_err(), "{bad}");
        }
    }
}
