//! Blocks and transactions.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger::{Height, TxId};
use serde::Deserialize;

use super::links::{Links, Part};
use super::page;
use super::ui::{Ui, Visitor};
use super::words::{Line, Writer};
use crate::http::model::{BlockView, CertificateView, HitView, Viewer, sees_all};
use crate::http::routes::{
    BlockId, MAX_SEARCH_CHARS, certificate_of, find_block, read_problem, search_ledger,
};
use crate::http::timestamp::rfc3339;
use crate::http::{Answer, AppState, Caller, Code, Id, Problem, Query};
use crate::read_model::{BlockRecord, PageLimit, PageRequest, PageStart};

#[derive(Template)]
#[template(path = "blocks.html")]
struct Blocks {
    ui: Ui,
    blocks: Vec<BlockView>,
    links: Links,
}

pub(super) async fn blocks(
    State(state): State<AppState>,
    visitor: Visitor,
    Query(part): Query<Part>,
) -> Answer<Response> {
    let PageRequest { limit, start } = part.request::<u64>()?;
    let start = match start {
        PageStart::First => PageStart::First,
        PageStart::After(height) => PageStart::After(Height::new(height)),
        PageStart::Before(height) => PageStart::Before(Height::new(height)),
    };
    let found = state.read.blocks(PageRequest { limit, start }).await.map_err(read_problem)?;
    let height = |block: Option<&BlockRecord>| block.map(|block| block.header.height.to_string());
    let links = part.links(found.has_more, height(found.items.first()), height(found.items.last()), &[]);
    let blocks = found.items.into_iter().map(BlockView::from).collect();
    Ok(page(StatusCode::OK, &Blocks { ui: visitor.ui(&state), blocks, links }))
}

#[derive(Template)]
#[template(path = "search.html")]
struct Search {
    ui: Ui,
    q: String,
    hits: Vec<HitView>,
}

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(super) struct SearchQuery {
    #[serde(default)]
    q: String,
}

pub(super) async fn find(
    State(state): State<AppState>,
    visitor: Visitor,
    Query(query): Query<SearchQuery>,
) -> Answer<Response> {
    let q: String = query.q.trim().chars().take(MAX_SEARCH_CHARS).collect();
    let hits = search_ledger(&state, &visitor.caller, &q).await?;
    Ok(page(StatusCode::OK, &Search { ui: visitor.ui(&state), q, hits }))
}

#[derive(Template)]
#[template(path = "block.html")]
struct Block {
    ui: Ui,
    height: String,
    block: BlockView,
    older: Option<u64>,
    newer: Option<u64>,
    lines: Vec<Line>,
    links: Links,
    signers: String,
}

pub(super) async fn block(
    State(state): State<AppState>,
    visitor: Visitor,
    Id(id): Id<BlockId>,
    Query(part): Query<Part>,
) -> Answer<Response> {
    let block = find_block(&state, &id).await?;
    let start = PageRequest { limit: PageLimit::MAX, ..part.request::<TxId>()? };
    let found = state.read.transactions_of_block(block.header.height, start).await.map_err(read_problem)?;
    let ui = visitor.ui(&state);
    let mut writer = Writer::new(&state.read, ui.lang);
    let mut lines = Vec::with_capacity(found.items.len());
    for transaction in &found.items {
        lines.push(writer.line(transaction).await.map_err(read_problem)?);
    }
    let id = |line: Option<&Line>| line.map(|line| line.id.clone());
    let links = part.links(found.has_more, id(lines.first()), id(lines.last()), &[]);
    let height = block.header.height.value();
    let older = height.checked_sub(1);
    let newer = Some(height.saturating_add(1)).filter(|newer| *newer <= ui.height);
    let signers = signers(&state, block.header.seq)?;
    let block = BlockView::from(block);
    let height = height.to_string();
    Ok(page(StatusCode::OK, &Block { ui, height, block, older, newer, lines, links, signers }))
}

/// Who has signed for the block of a batch; empty if nobody has yet.
fn signers(state: &AppState, seq: u64) -> Answer<String> {
    let certificate = certificate_of(state, seq)?.map(CertificateView::from);
    Ok(certificate.as_ref().map(CertificateView::signers).unwrap_or_default())
}

#[derive(Template)]
#[template(path = "transaction.html")]
struct Transaction {
    ui: Ui,
    line: Line,
    time: String,
    height: String,
    signers: String,
    may_download: bool,
}

pub(super) async fn transaction(
    State(state): State<AppState>,
    visitor: Visitor,
    caller: Caller,
    Id(id): Id<TxId>,
) -> Answer<Response> {
    let record = state.read.transaction(&id).await.map_err(read_problem)?;
    let record = record.ok_or_else(|| Problem::new(Code::UNKNOWN_TRANSACTION))?;
    let block = find_block(&state, &BlockId::Height(record.height)).await?;
    let ui = visitor.ui(&state);
    let line = Writer::new(&state.read, ui.lang).line(&record).await.map_err(read_problem)?;
    let signers = signers(&state, block.header.seq)?;
    let may_download = !signers.is_empty() && sees_all(&record, &Viewer::from(&caller));
    let (time, height) = (rfc3339(record.time), record.height.to_string());
    Ok(page(StatusCode::OK, &Transaction { ui, line, time, height, signers, may_download }))
}
