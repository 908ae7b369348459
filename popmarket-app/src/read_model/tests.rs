mod audience;
mod plans;

use std::collections::BTreeSet;
use std::fmt::Debug;

use ledger::{
    Amount, AssetId, Decimals, Ledger, Memo, PaymentOp, TokenId, TokenName, TokenOp, TradeState, UnixMillis,
};
use pbft_core::service::{OrderedBatch, Service};

use super::*;
use crate::projector::Projector;
use crate::service::request_of;
use crate::testing::{Databases, START, address, batch, busy_market, key, on_each_database, service, sign};

on_each_database!(
    pages_cover_each_list_once,
    tokens_of_an_account_come_page_by_page,
    payments_are_found_by_what_became_of_them,
    an_account_has_its_transactions_and_trades,
    listings_are_searched_filtered_and_sorted,
    a_page_that_begins_nowhere_is_an_error,
    streams_begin_anywhere_and_miss_nothing,
);

struct World {
    model: ReadModel,
    _folder: tempfile::TempDir,
}

async fn world(databases: &Databases, seed: u64) -> World {
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = busy_market(folder.path(), seed, 200);
    let model = databases.open("model").await;
    Projector::new(service.view(), model.clone()).catch_up().await.unwrap();
    World { model, _folder: folder }
}

/// Walks through a list with pages of each size, forwards and backwards, and gives the whole list.
async fn walk<T, K, F>(key: impl Fn(&T) -> K, list: impl Fn(PageRequest<K>) -> F) -> Vec<T>
where
    T: PartialEq + Debug + Clone,
    K: Copy,
    F: Future<Output = Listed<T>>,
{
    let page = async |limit: u32, start: PageStart<K>| {
        list(PageRequest { limit: PageLimit::new(limit).unwrap(), start }).await.unwrap()
    };
    let mut all: Option<Vec<T>> = None;
    for limit in [100, 1, 3, 7] {
        let mut forwards: Vec<T> = Vec::new();
        let mut start = PageStart::First;
        loop {
            let Page { items, has_more } = page(limit, start).await;
            assert!(items.len() <= limit as usize && (!has_more || items.len() == limit as usize));
            forwards.extend(items);
            match forwards.last() {
                Some(last) if has_more => start = PageStart::After(key(last)),
                _ => break,
            }
        }
        if let Some(last) = forwards.last() {
            let mut backwards = vec![last.clone()];
            loop {
                let Page { items, has_more } = page(limit, PageStart::Before(key(&backwards[0]))).await;
                backwards.splice(0..0, items);
                if !has_more {
                    break;
                }
            }
            assert_eq!(backwards, forwards);
            let end = page(limit, PageStart::After(key(last))).await;
            assert_eq!(end, Page { items: Vec::new(), has_more: false });
        }
        match &all {
            Some(all) => assert_eq!(*all, forwards),
            None => all = Some(forwards),
        }
    }
    all.unwrap()
}

async fn pages_cover_each_list_once(databases: &Databases) {
    let World { model, _folder } = &world(databases, 21).await;
    let blocks = walk(|b: &BlockRecord| b.header.height, |page| model.blocks(page)).await;
    assert_eq!(blocks.len() as u64, model.watermark().unwrap().height.value() + 1);
    let transactions = walk(
        |t: &TransactionRecord| t.transaction.id(),
        |page| model.transactions(TransactionQuery::default(), page),
    )
    .await;
    assert!(
        transactions.is_sorted_by_key(|t| std::cmp::Reverse((t.height, t.index))) && transactions.len() > 100
    );
    let full = blocks.iter().max_by_key(|block| block.transactions).unwrap().header.height;
    let of_block =
        walk(|t: &TransactionRecord| t.transaction.id(), |page| model.transactions_of_block(full, page))
            .await;
    assert!(of_block.iter().eq(transactions.iter().rev().filter(|t| t.height == full)) && of_block.len() > 1);
    let events = walk(|e: &EventRecord| e.position, |page| model.events(page)).await;
    assert!(events.is_sorted_by(|a, b| a.position < b.position) && events.len() > 200);
    let payments = walk(|p: &PaymentRecord| p.tx, |page| model.payments(PaymentQuery::default(), page)).await;
    assert!(payments.len() > 20);
    let charges = walk(|c: &ChargeRecord| c.id, |page| model.charges(ChargeQuery::default(), page)).await;
    let mut by_status = 0;
    for status in [ChargePhase::Requested, ChargePhase::Approved, ChargePhase::Rejected] {
        let query = ChargeQuery { status: Some(status), requester: None };
        let of_status = walk(|c: &ChargeRecord| c.id, |page| model.charges(query, page)).await;
        assert!(of_status.iter().all(|charge| charge.status.code() == status.code()));
        if status == ChargePhase::Requested {
            assert_eq!(model.open_charges().await.unwrap(), of_status.len() as u64);
        }
        by_status += of_status.len();
    }
    assert!(by_status == charges.len() && by_status > 5);
    let all = WithdrawalQuery::default();
    let withdrawals = walk(|w: &WithdrawalRecord| w.id, |page| model.withdrawals(all, page)).await;
    let mut by_status = 0;
    for status in [WithdrawalPhase::Requested, WithdrawalPhase::Settled, WithdrawalPhase::Voided] {
        let query = WithdrawalQuery { status: Some(status), owner: None };
        let of_status = walk(|w: &WithdrawalRecord| w.id, |page| model.withdrawals(query, page)).await;
        assert!(of_status.iter().all(|withdrawal| withdrawal.status.code() == status.code()));
        if status == WithdrawalPhase::Requested {
            assert_eq!(model.open_withdrawals().await.unwrap(), of_status.len() as u64);
        }
        by_status += of_status.len();
    }
    assert!(by_status == withdrawals.len() && by_status > 3);
}

/// By length and then by letters, as the ledger has them, wherever a page begins.
async fn tokens_of_an_account_come_page_by_page(databases: &Databases) {
    let folder = tempfile::tempdir().unwrap();
    let mut service = service(folder.path());
    let (issuer, symbols) = (key(4), ["AAAA", "ZZZ", "B2B", "LONGER", "ZZZZ", "AAA"]);
    let mut operations = Vec::new();
    for symbol in symbols {
        let (token, to) = (TokenId::new(symbol).unwrap(), address(&issuer));
        let (name, decimals) = (TokenName::new("Shares").unwrap(), Decimals::new(0).unwrap());
        operations.push(TokenOp::Create { token, name, decimals, cap: None });
        operations.push(TokenOp::Mint { token, to, amount: Amount::new(5) });
    }
    let request = |(operation, nonce): (TokenOp, u64)| request_of(&sign(&issuer, nonce, operation));
    service.execute(&batch(1, START + 1_000, operations.into_iter().zip(0..).map(request).collect()));
    let model = databases.open("model").await;
    Projector::new(service.view(), model.clone()).catch_up().await.unwrap();

    for limit in [1, 2, 4, 100] {
        let limit = PageLimit::new(limit).unwrap();
        let mut found: Vec<TokenId> = Vec::new();
        loop {
            let page = model.balances(&address(&issuer), found.last().copied(), limit).await.unwrap().tokens;
            assert!(!page.items.is_empty());
            found.extend(page.items.iter().map(|row| row.token));
            if !page.has_more {
                break;
            }
        }
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["AAA", "B2B", "ZZZ", "AAAA", "ZZZZ", "LONGER"], "{limit:?}");
        let last = TokenId::new("LONGER").unwrap();
        assert!(model.balances(&address(&issuer), Some(last), limit).await.unwrap().tokens.items.is_empty());
    }
}

/// A last batch, with payments that wait for their payees.
fn holds(ledger: &Ledger) -> OrderedBatch {
    let tip = ledger.tip();
    let until = UnixMillis::new(tip.time.value() + 3_600_000);
    let hold = |number: u8| {
        let (payer, to) = (key(number), address(&key(number + 1)));
        let nonce = ledger.nonces(&address(&payer)).after_last_used();
        let (asset, amount, memo) = (AssetId::Pop, Amount::new(1), Memo::default());
        let operation = PaymentOp::Authorize { to, asset, amount, reference: None, memo, until };
        request_of(&sign(&payer, nonce, operation))
    };
    batch(201, tip.time.value() + 1, [4, 5, 6].map(hold).to_vec())
}

async fn payments_are_found_by_what_became_of_them(databases: &Databases) {
    use PaymentPhase::{Authorized, Paid, Voided};
    let folder = tempfile::tempdir().unwrap();
    let (mut service, _) = busy_market(folder.path(), 24, 200);
    let last = service.view().read(holds);
    service.execute(&last);
    let model = &databases.open("model").await;
    Projector::new(service.view(), model.clone()).catch_up().await.unwrap();
    let everything =
        walk(|p: &PaymentRecord| p.tx, |page| model.payments(PaymentQuery::default(), page)).await;
    let first = PageRequest { limit: PageLimit::MAX, ..PageRequest::default() };
    let mut found = 0;
    for number in 1..=8 {
        let who = address(&key(number));
        for (side, status) in [PaymentSide::Any, PaymentSide::Payer, PaymentSide::Payee]
            .into_iter()
            .flat_map(|side| [None, Some(Authorized), Some(Paid), Some(Voided)].map(|status| (side, status)))
        {
            let is_on_side = |payment: &PaymentRecord| match side {
                PaymentSide::Any => payment.from == who || payment.to == who,
                PaymentSide::Payer => payment.from == who,
                PaymentSide::Payee => payment.to == who,
            };
            let is_so_far =
                |payment: &PaymentRecord| status.is_none_or(|status| status.code() == payment.status.code());
            let expected = everything.iter().filter(|payment| is_on_side(payment) && is_so_far(payment));
            let query = PaymentQuery { account: Some(who), side, status };
            let of_query = model.payments(query, first).await.unwrap().items;
            assert!(of_query.iter().eq(expected.take(100)), "{query:?}");
            found += usize::from(status.is_some() && side == PaymentSide::Payee && !of_query.is_empty());
        }
    }
    let codes: BTreeSet<_> = everything.iter().map(|payment| payment.status.code()).collect();
    assert!(codes.len() == 3 && found > 8, "{codes:?} {found}");
}

async fn an_account_has_its_transactions_and_trades(databases: &Databases) {
    let World { model, _folder } = &world(databases, 22).await;
    let all = walk(
        |t: &TransactionRecord| t.transaction.id(),
        |page| model.transactions(TransactionQuery::default(), page),
    )
    .await;
    let trades = walk(|t: &TradeRecord| t.id, |page| model.trades(TradeQuery::default(), page)).await;
    for number in 4..=6 {
        let account = address(&key(number));
        let query = TransactionQuery { account: Some(account) };
        let own =
            walk(|t: &TransactionRecord| t.transaction.id(), |page| model.transactions(query, page)).await;
        let ids: BTreeSet<_> = own.iter().map(|t| t.transaction.id()).collect();
        for transaction in &all {
            let sent = transaction.transaction.body().sender == account;
            assert!(!sent || ids.contains(&transaction.transaction.id()));
        }
        assert!(own.iter().any(|t| t.transaction.body().sender != account), "also what others did");
        for (side, is_on_it) in [
            (TradeSide::Buyer, [true, false]),
            (TradeSide::Seller, [false, true]),
            (TradeSide::Any, [true; 2]),
        ] {
            let query = TradeQuery { member: Some(account), side, ..TradeQuery::default() };
            let found = walk(|t: &TradeRecord| t.id, |page| model.trades(query, page)).await;
            let on_side =
                |t: &&TradeRecord| is_on_it[0] && t.buyer == account || is_on_it[1] && t.seller == account;
            assert!(found.iter().eq(trades.iter().filter(on_side)), "{side:?}");
        }
    }
    let query = TradeQuery { state: Some(TradeState::Released), ..TradeQuery::default() };
    let released = walk(|t: &TradeRecord| t.id, |page| model.trades(query, page)).await;
    assert!(
        released.iter().eq(trades.iter().filter(|t| t.state == TradeState::Released)) && !released.is_empty()
    );
    let listing = released[0].listing;
    let query = TradeQuery { listing: Some(listing), ..TradeQuery::default() };
    assert!(
        walk(|t: &TradeRecord| t.id, |page| model.trades(query, page))
            .await
            .iter()
            .all(|t| t.listing == listing)
    );
}

async fn listings_are_searched_filtered_and_sorted(databases: &Databases) {
    let World { model, _folder } = &world(databases, 23).await;
    let list =
        async |query: ListingQuery| walk(|l: &ListingRecord| l.id, |page| model.listings(&query, page)).await;
    let all = list(ListingQuery::default()).await;
    assert!(all.len() > 20);
    let text = |text: &str| ListingQuery { text: Some(text.into()), ..ListingQuery::default() };
    for (words, title) in
        [("카메라", "필름 카메라"), ("USED bicycle", "Bicycle"), ("100% wool_", "100% wool_hat")]
    {
        let found = list(text(words)).await;
        assert!(found.iter().eq(all.iter().filter(|l| l.content.title.as_str() == title)), "{words}");
        assert!(!found.is_empty());
    }
    assert_eq!(list(text("%")).await.len(), list(text("wool")).await.len(), "a percent sign is itself");
    assert!(list(text("bicycle 카메라")).await.is_empty());
    for status in [ListingPhase::Open, ListingPhase::Reserved, ListingPhase::Sold, ListingPhase::Closed] {
        let found = list(ListingQuery { status: Some(status), ..ListingQuery::default() }).await;
        assert!(
            found.iter().eq(all.iter().filter(|l| l.status.code() == status.code())) && !found.is_empty()
        );
    }
    let (min, max) = (Amount::new(300), Amount::new(1_200));
    let between = ListingQuery { min_price: Some(min), max_price: Some(max), ..ListingQuery::default() };
    let found = list(between).await;
    assert!(
        found.iter().eq(all.iter().filter(|l| (min..=max).contains(&l.content.price))) && !found.is_empty()
    );
    let cheap = list(ListingQuery { sort: ListingSort::PriceAscending, ..ListingQuery::default() }).await;
    let dear = list(ListingQuery { sort: ListingSort::PriceDescending, ..ListingQuery::default() }).await;
    assert!(cheap.is_sorted_by_key(|l| l.content.price) && cheap.len() == all.len());
    assert!(dear.iter().rev().eq(cheap.iter()));
    let seller = all[0].seller;
    let own = list(ListingQuery { seller: Some(seller), ..ListingQuery::default() }).await;
    assert!(own.iter().eq(all.iter().filter(|l| l.seller == seller)));
}

async fn a_page_that_begins_nowhere_is_an_error(databases: &Databases) {
    let World { model, _folder } = &world(databases, 24).await;
    let nowhere = ledger::ListingId::new(pbft_crypto::Digest::ZERO);
    for start in [PageStart::After(nowhere), PageStart::Before(nowhere)] {
        let page = PageRequest { limit: PageLimit::DEFAULT, start };
        assert!(matches!(
            model.listings(&ListingQuery::default(), page).await,
            Err(ReadError::UnknownCursor)
        ));
    }
}

async fn streams_begin_anywhere_and_miss_nothing(databases: &Databases) {
    let World { model, _folder } = &world(databases, 25).await;
    let events = walk(|e: &EventRecord| e.position, |page| model.events(page)).await;
    for from in [0, 1, events.len() / 2, events.len() - 1] {
        let mut stream = model.subscribe(Some(events[from].position));
        for expected in &events[from + 1..] {
            assert_eq!(*stream.next().await.unwrap(), *expected);
        }
    }
    let mut new = model.subscribe(None);
    let none = tokio::time::timeout(std::time::Duration::from_millis(50), new.next()).await;
    assert!(none.is_err(), "nothing happens any more");
}
