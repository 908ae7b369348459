//! Blocks.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use ledger::Height;
use pbft_crypto::Digest;

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
use crate::read_model::{BlockRecord, TransactionRecord};

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

/// A block with its transactions, by height or hash.
#[utoipa::path(get, path = "/v1/blocks/{id}", tag = "explorer", params(("id" = String, Path, description = "Height or hash.")), responses(
    (status = 200, description = "The block.", body = BlockDetails),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    lang: Lang,
    Id(id): Id<BlockId>,
) -> Answer<Json<BlockDetails>> {
    let (block, transactions) = find(&state, &id).await?;
    let transactions = views(&state, &transactions, &Viewer::from(&caller), lang).await?;
    let certificate = certificate_of(&state, block.header.seq)?.map(CertificateView::from);
    Ok(Json(BlockDetails { block: block.into(), certificate, transactions }))
}

/// A block and its transactions.
pub(crate) async fn find(
    state: &AppState,
    id: &BlockId,
) -> Result<(BlockRecord, Vec<TransactionRecord>), Failure> {
    let block = match id {
        BlockId::Height(height) => state.read.block_at(*height).await,
        BlockId::Hash(hash) => state.read.block_by_hash(hash).await,
    };
    let block = block.map_err(read_problem)?.ok_or_else(|| Problem::new(Code::UNKNOWN_BLOCK))?;
    let transactions = state.read.transactions_of_block(block.header.height).await.map_err(read_problem)?;
    Ok((block, transactions))
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
