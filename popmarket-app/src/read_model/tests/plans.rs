//! How SQLite finds what anybody may ask for: by an index that leads to the rows that are shown, whatever else there is.

use ledger::{OrderId, TradeId, TradeState, TxId};
use pbft_crypto::Address;

use super::super::query::{PaymentPhase, PaymentQuery, TradeQuery, TradeSide};
use super::super::{OrderQuery, PageRequest, PageStart, ReadModel, accounts, exchange, tokens, trades};
use crate::sql::either::QueryBuilder;

/// The steps of a statement.
async fn plan(model: &ReadModel, statement: QueryBuilder) -> Vec<String> {
    let rows = statement.explained().build().fetch_all(model.readers()).await.unwrap();
    rows.iter().map(|row| row.get("detail").unwrap()).collect()
}

fn uses(plan: &[String], index: &str) -> bool {
    plan.iter().any(|step| step.split(' ').any(|word| word == index))
}

/// Nothing is sorted but the rows of a half, which are no more than are shown, and nothing is looked through as a whole.
fn is_bounded(plan: &[String]) -> bool {
    let is_half = |step: &str| step == "SCAN one" || step == "SCAN other";
    let sorts_much = |steps: &[String]| steps[1].contains("TEMP B-TREE") && !is_half(&steps[0]);
    let looks_at_all =
        |step: &String| step.contains("MULTI-INDEX OR") || (step.starts_with("SCAN") && !is_half(step));
    !plan.windows(2).any(sorts_much) && !plan.iter().any(looks_at_all)
}

async fn model(folder: &tempfile::TempDir) -> ReadModel {
    ReadModel::open(&folder.path().join("read_model.db")).await.unwrap()
}

#[tokio::test]
async fn both_sides_of_an_account_are_found_by_their_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(&folder).await;
    let account = Some(Address::from_bytes([7; 32]));
    let id = pbft_crypto::Digest::ZERO;
    for start in [PageStart::First, PageStart::After(id), PageStart::Before(id)] {
        let page = PageRequest { start: of(start, TradeId::new), ..PageRequest::default() };
        let query = TradeQuery { member: account, ..TradeQuery::default() };
        let plan_of = plan(&model, trades::statement(query, page)).await;
        let both = uses(&plan_of, "trades_by_buyer") && uses(&plan_of, "trades_by_seller");
        assert!(both && is_bounded(&plan_of), "{plan_of:#?}");

        let page = PageRequest { start: of(start, TxId::new), ..PageRequest::default() };
        let query = PaymentQuery { account, ..PaymentQuery::default() };
        let plan_of = plan(&model, accounts::payments(query, page)).await;
        let both = uses(&plan_of, "payments_by_payer") && uses(&plan_of, "payments_by_payee");
        assert!(both && is_bounded(&plan_of), "{plan_of:#?}");
        let query = PaymentQuery { status: Some(PaymentPhase::Authorized), ..query };
        let plan_of = plan(&model, accounts::payments(query, page)).await;
        let (payer, payee) = ("payments_by_payer_and_status", "payments_by_payee_and_status");
        let both = uses(&plan_of, payer) && uses(&plan_of, payee);
        assert!(both && is_bounded(&plan_of), "{plan_of:#?}");
    }
}

/// Also if none is, among however many others.
#[tokio::test]
async fn trades_of_an_account_in_a_state_are_found_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(&folder).await;
    let (buyer, seller) = ("trades_by_buyer_and_state", "trades_by_seller_and_state");
    let id = pbft_crypto::Digest::ZERO;
    for (side, indexes) in [
        (TradeSide::Any, vec![buyer, seller]),
        (TradeSide::Buyer, vec![buyer]),
        (TradeSide::Seller, vec![seller]),
        (TradeSide::Arbiter, vec!["trades_by_arbiter_and_state"]),
    ] {
        let (member, state) = (Some(Address::from_bytes([7; 32])), Some(TradeState::Split));
        let query = TradeQuery { member, side, state, ..TradeQuery::default() };
        for start in [PageStart::First, PageStart::After(id), PageStart::Before(id)] {
            let page = PageRequest { start: of(start, TradeId::new), ..PageRequest::default() };
            let plan_of = plan(&model, trades::statement(query, page)).await;
            let all = indexes.iter().all(|index| uses(&plan_of, index));
            assert!(all && is_bounded(&plan_of), "{plan_of:#?}");
        }
    }
}

fn of<K>(start: PageStart<pbft_crypto::Digest>, name: impl Fn(pbft_crypto::Digest) -> K) -> PageStart<K> {
    match start {
        PageStart::First => PageStart::First,
        PageStart::After(id) => PageStart::After(name(id)),
        PageStart::Before(id) => PageStart::Before(name(id)),
    }
}

#[tokio::test]
async fn what_came_to_nothing_or_is_over_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(&folder).await;
    let owner = Some(Address::from_bytes([7; 32]));
    let query = OrderQuery { owner, only_open: true, ..OrderQuery::default() };
    let open = plan(&model, exchange::orders(query, PageRequest::<OrderId>::default())).await;
    assert!(uses(&open, "orders_open_by_owner") && is_bounded(&open), "{open:#?}");
    for (sql, index) in
        [(accounts::TOKENS_OF_ACCOUNT, "balances_of_account"), (tokens::HOLDERS, "balances_of_asset")]
    {
        let steps = plan(&model, QueryBuilder::new(sql)).await;
        let sorted = steps.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(uses(&steps, index) && is_bounded(&steps) && !sorted, "{steps:#?}");
    }
}
