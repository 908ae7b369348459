mod databases;
mod freezes;

use std::task::Poll;
use std::time::Duration;

use ledger::{AssetId, ChargeId, Height, Ledger, ListingId, TradeId, WithdrawalId};
use pbft_core::service::Service;
use tempfile::TempDir;

use super::*;
use crate::read_model::{EventStream, PageLimit, PageRequest, PageStart, Position};
use crate::service::LedgerService;
use crate::sql::either::QueryBuilder;
use crate::testing::{Databases, Rng, busy_market, genesis, on_each_database, service};

on_each_database!(
    the_tables_say_what_the_ledger_says,
    a_rebuilt_read_model_equals_one_that_grew,
    tables_of_before_get_what_is_counted_now,
    a_projector_that_is_killed_anywhere_loses_and_doubles_nothing,
    a_running_projector_wakes_those_who_wait,
    another_chain_is_not_mixed_in,
    a_chain_that_is_taken_over_fills_the_tables,
);

struct World {
    _folder: TempDir,
    service: LedgerService,
}

impl World {
    fn busy(seed: u64, batches: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (service, _) = busy_market(folder.path(), seed, batches);
        Self { _folder: folder, service }
    }

    /// A read model that was filled in one go.
    async fn filled(&self, databases: &Databases, name: &str) -> ReadModel {
        let model = databases.open(name).await;
        Projector::new(self.service.view(), model.clone()).catch_up().await.unwrap();
        model
    }
}

async fn the_tables_say_what_the_ledger_says(databases: &Databases) {
    let world = World::busy(11, 150);
    let model = world.filled(databases, "model").await;
    let view = world.service.view();
    let mut counts = [0; 6];
    for number in 1..=8 {
        let address = crate::testing::address(&crate::testing::key(number));
        let expected = view.read(|ledger| ledger.account(&address).cloned());
        let found = model.account(&address).await.unwrap();
        let found = found.map(|a| (a.name, a.public_key, a.role, a.charge_count, a.registered_at));
        assert_eq!(found, expected.map(|a| (a.name, a.key, a.role, a.charge_count, a.registered_at)));
        counts[0] += usize::from(found_some(&model.account(&address).await.unwrap()));
        let mut balances: Vec<_> = view.read(|ledger| ledger.balances(&address, None).collect());
        balances.retain(|(asset, balance)| *asset != AssetId::Pop && !balance.is_zero());
        let found = model.balances(&address, None, PageLimit::MAX).await.unwrap();
        let tokens = found.tokens.items.iter().map(|row| (AssetId::from(row.token), row.balance));
        assert_eq!(tokens.collect::<Vec<_>>(), balances);
        assert_eq!(found.coin, view.read(|ledger| ledger.balance(&address, AssetId::Pop)));
    }
    let blocks = view.store().blocks_from(Height::GENESIS, usize::MAX, usize::MAX).unwrap();
    for stored in &blocks {
        let record = model.block_at(stored.block.header.height).await.unwrap().unwrap();
        assert_eq!((record.hash, &record.header), (stored.block.hash(), &stored.block.header));
        assert_eq!(record.events as usize, stored.events.len());
        let page = PageRequest { limit: PageLimit::MAX, start: PageStart::First };
        let transactions = model.transactions_of_block(stored.block.header.height, page).await.unwrap().items;
        assert_eq!(transactions.len(), stored.block.transactions.len());
        for (record, transaction) in transactions.iter().zip(&stored.block.transactions) {
            assert_eq!(&record.transaction, transaction);
            let receipt = stored.block.receipt_of(&transaction.id()).unwrap().1;
            assert_eq!(record.outcome, receipt.outcome);
            same_objects(&model, &view, transaction.id(), &mut counts).await;
        }
    }
    assert!(counts.iter().all(|count| *count > 3), "all kinds of things are there: {counts:?}");
}

fn found_some<T>(found: &Option<T>) -> bool {
    found.is_some()
}

/// Whatever object a transaction has made, if any, is the same on both sides.
async fn same_objects(model: &ReadModel, view: &LedgerView, id: ledger::TxId, counts: &mut [usize; 6]) {
    let (charge, listing, trade) = (ChargeId::from(id), ListingId::from(id), TradeId::from(id));
    let expected = view.read(|ledger| ledger.charge(&charge).cloned());
    let found = model.charge(&charge).await.unwrap();
    counts[1] += usize::from(found.is_some());
    let found = found.map(|c| (c.requester, c.amount, c.status, c.first_approval, c.requested_at));
    let expected = expected.map(|c| (c.requester, c.amount, c.status, c.first_approval, c.requested_at));
    assert_eq!(found, expected);

    let withdrawal = WithdrawalId::from(id);
    let expected = view.read(|ledger| ledger.withdrawal(&withdrawal).copied());
    let found = model.withdrawal(&withdrawal).await.unwrap();
    counts[5] += usize::from(found.is_some());
    let found = found.map(|w| (w.owner, w.amount, w.status, w.requested_at));
    assert_eq!(found, expected.map(|w| (w.owner, w.amount, w.status, w.requested_at)));

    let expected = view.read(|ledger| ledger.listing(&listing).cloned());
    let found = model.listing(&listing).await.unwrap();
    counts[2] += usize::from(found.is_some());
    if let Some(record) = &found {
        assert_eq!(record.content.hash(), record.content_hash);
        let versions = model.listing_versions(&listing).await.unwrap();
        assert!(versions.iter().map(|v| v.version).eq(1..=record.version));
        assert_eq!(versions.last().unwrap().content, record.content);
    }
    let found = found.map(|l| {
        (l.seller, l.status, l.version, l.content.price, l.content_hash, l.created_at, l.updated_at)
    });
    let expected = expected
        .map(|l| (l.seller, l.status, l.version, l.price, l.content_hash, l.created_at, l.updated_at));
    assert_eq!(found, expected);

    let expected = view.read(|ledger| ledger.trade(&trade).cloned());
    let found = model.trade(&trade).await.unwrap();
    counts[3] += usize::from(found.is_some());
    if let Some(record) = &found {
        let history = model.trade_history(&trade).await.unwrap();
        // A reminder is told, and nothing happens to the trade.
        let last = history.iter().rfind(|step| step.change != ledger::TradeChange::Reminder);
        assert_eq!(last.map(|step| (step.to, step.at)), Some((record.state, record.row.updated_at)));
        assert!(history.windows(2).all(|steps| steps[1].from == Some(steps[0].to)));
        let end = history.iter().find(|step| step.to.is_final()).map(|step| step.at);
        assert_eq!((record.closed_at, end.is_some()), (end, record.state.is_final()));
    }
    let found = found.map(|t| (t.listing, t.version, t.content_hash, t.buyer, t.seller, t.state, t.row));
    let expected = expected.map(|t| (t.listing, t.version, t.content_hash, t.buyer, t.seller, t.state, t));
    assert_eq!(found, expected);
    counts[4] += usize::from(model.payment(&id).await.unwrap().is_some());
}

async fn a_rebuilt_read_model_equals_one_that_grew(databases: &Databases) {
    let folder = tempfile::tempdir().unwrap();
    let mut live = service(folder.path());
    let model = databases.open("live").await;
    let projector = Projector::new(live.view(), model.clone());
    let (_, batches) = busy_market(tempfile::tempdir().unwrap().path(), 12, 160);
    for batch in &batches {
        live.execute(batch);
        projector.catch_up().await.unwrap();
    }
    let grown = model.dump().await;
    let unused: Vec<_> = grown.iter().filter(|(_, rows)| rows.is_empty()).map(|(name, _)| name).collect();
    assert!(unused.is_empty(), "every table is used, but not {unused:?}");
    let digest = model.digest().await.unwrap();
    model.close().await;
    let model = ReadModel::begin_anew(&databases.place("live").await).await.unwrap();
    assert_ne!(model.digest().await.unwrap(), digest, "nothing is left");
    let mut seen = Vec::new();
    Projector::new(live.view(), model.clone()).fill(|mark| seen.push(mark.height)).await.unwrap();
    assert_eq!(seen.last(), Some(&live.view().read(ledger::Ledger::height)));
    assert_eq!(model.dump().await, grown);
    assert_eq!(model.digest().await.unwrap(), digest);
}

/// What the step says that brings older tables up to date is what the projector writes.
async fn tables_of_before_get_what_is_counted_now(databases: &Databases) {
    let world = World::busy(12, 160);
    let model = world.filled(databases, "model").await;
    let expected = model.dump().await;
    for (table, nothing) in
        [("trades", "closed_at = NULL"), ("tokens", "holders = 0"), ("balances", "length = 0")]
    {
        let step = include_str!("../../migrations/read_model/0128_bounded.sql");
        let update = step.split(';').find_map(|part| part.split_once(&format!("UPDATE {table} ")));
        let (_, update) = update.unwrap();
        let mut transaction = model.begin_write().await.unwrap();
        for sql in [format!("UPDATE {table} SET {nothing}"), format!("UPDATE {table} {update}")] {
            QueryBuilder::new(&sql).build().execute(&mut transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
    assert_eq!(model.dump().await, expected);
    let page = PageRequest { limit: PageLimit::MAX, start: PageStart::First };
    let tokens = model.tokens(page).await.unwrap().items;
    for token in &tokens {
        let holders = model.holders(token.symbol, None, 100).await.unwrap();
        assert_eq!(token.holders, holders.len() as u64, "{}", token.symbol);
    }
    assert!(tokens.iter().any(|token| token.holders > 0), "{tokens:?}");
}

/// Kills the projector when it wakes up for the nth time, wherever it is then.
async fn killed_at(
    wakeup: u64,
    work: impl Future<Output = Result<Option<Watermark>, ProjectorError>>,
) -> bool {
    let mut work = Box::pin(work);
    let mut left = wakeup;
    std::future::poll_fn(move |context| match left.checked_sub(1) {
        None => Poll::Ready(true),
        Some(less) => {
            left = less;
            work.as_mut().poll(context).map(|result| result.map(|_| false).unwrap())
        }
    })
    .await
}

async fn a_projector_that_is_killed_anywhere_loses_and_doubles_nothing(databases: &Databases) {
    let world = World::busy(13, 60);
    let expected = world.filled(databases, "whole").await.dump().await;
    let folder = tempfile::tempdir().unwrap();
    let mut live = service(folder.path());
    let (_, batches) = busy_market(tempfile::tempdir().unwrap().path(), 13, 60);
    let mut model = databases.open("killed").await;
    let mut stream = model.subscribe(None);
    let mut rng = Rng(1);
    let (mut kills, mut events) = (0, Vec::new());
    for batch in &batches {
        live.execute(batch);
        let projector = Projector::new(live.view(), model.clone());
        // How often it wakes up for one block depends on the database and on how busy the machine is.
        let end = 1 << rng.below(10);
        let wakeup = if rng.below(3) == 0 { u64::MAX } else { rng.below(end) };
        kills += u32::from(killed_at(wakeup, projector.catch_up()).await);
        if rng.below(10) == 0 {
            // The whole process goes.
            drain(&mut stream, &mut events).await;
            model.close().await;
            model = databases.open("killed").await;
            stream = model.subscribe(Some(events.last().copied().unwrap_or(Position::START)));
        }
    }
    Projector::new(live.view(), model.clone()).catch_up().await.unwrap();
    // On a busy machine the next one may be long in coming.
    let after = |events: &[Position]| events.last().map_or(-1, |last| last.to_number());
    while !model.events_after(after(&events)).await.unwrap().is_empty() {
        let event = tokio::time::timeout(Duration::from_secs(60), stream.next()).await;
        events.push(event.expect("an event in time").unwrap().position);
    }
    // Nothing comes twice.
    drain(&mut stream, &mut events).await;
    assert!(kills >= 5, "{kills} kills");
    assert_eq!(model.dump().await, expected);
    let all = expected["events"].len();
    assert!(events.is_sorted_by(|a, b| a < b), "in order, none twice");
    assert!(
        events.len() == all || events.len() == all - 1 && events[0] > Position::START,
        "{} of {all}",
        events.len()
    );
}

/// Reads what is ready now.
async fn drain(stream: &mut EventStream, events: &mut Vec<Position>) {
    while let Ok(event) = tokio::time::timeout(Duration::from_millis(200), stream.next()).await {
        events.push(event.unwrap().position);
    }
}

async fn a_running_projector_wakes_those_who_wait(databases: &Databases) {
    let folder = tempfile::tempdir().unwrap();
    let mut live = service(folder.path());
    let model = databases.open("model").await;
    let projector = tokio::spawn(Projector::new(live.view(), model.clone()).run());
    let (_, batches) = busy_market(tempfile::tempdir().unwrap().path(), 14, 30);
    let mut stream = model.subscribe(None);
    let long = Duration::from_secs(20);
    for batch in &batches {
        live.execute(batch);
        let (height, time) = live.view().read(|ledger| (ledger.height(), ledger.tip().time));
        let mark = model.wait_for_height(height, long).await.unwrap();
        assert_eq!((mark.height, mark.time), (height, time));
        assert!(model.block_at(height).await.unwrap().is_some());
    }
    let height = live.view().read(ledger::Ledger::height);
    assert_eq!(model.wait_for_height(height.next(), Duration::ZERO).await, None);
    let all = model
        .events(PageRequest { limit: crate::read_model::PageLimit::MAX, ..PageRequest::default() })
        .await
        .unwrap();
    for expected in all.items {
        let event = tokio::time::timeout(long, stream.next()).await.unwrap().unwrap();
        assert_eq!(*event, expected);
    }
    projector.abort();
}

async fn another_chain_is_not_mixed_in(databases: &Databases) {
    let world = World::busy(15, 20);
    world.filled(databases, "model").await.close().await;
    let folder = tempfile::tempdir().unwrap();
    let mut other = genesis();
    other.time = ledger::UnixMillis::new(5);
    let other = LedgerService::open(folder.path(), &other, &crate::store::StoreOptions::default()).unwrap();
    let model = databases.open("model").await;
    let result = Projector::new(other.view(), model.clone()).catch_up().await;
    assert!(matches!(result, Err(ProjectorError::Model(ReadError::OtherChain))));
    // The same genesis, but another history.
    let fork = World::busy(16, 60);
    let result = Projector::new(fork.service.view(), model).catch_up().await;
    assert!(matches!(result, Err(ProjectorError::Model(ReadError::OtherChain))));
}

/// Readers see blocks that come from peers as they see any others, while they come.
async fn a_chain_that_is_taken_over_fills_the_tables(databases: &Databases) {
    let mut world = World::busy(31, 120);
    let expected = world.filled(databases, "expected").await.dump().await;
    let seq = world.service.applied();
    let digest = world.service.checkpoint().digest;

    let target_folder = tempfile::tempdir().unwrap();
    let mut target = service(target_folder.path());
    let model = databases.open("taken_over").await;
    let follower = tokio::spawn(Projector::new(target.view(), model.clone()).run());
    let manifest = world.service.manifest(seq).unwrap();
    for index in target.begin_install(seq, &digest, &manifest).unwrap() {
        target.accept_part(index, &world.service.part(seq, index).unwrap()).unwrap();
    }
    target.complete_install().unwrap();
    let install = tokio::task::spawn_blocking(move || {
        target.restore(seq, None).unwrap();
        target
    });
    let target = install.await.unwrap();
    let tip = target.view().read(Ledger::height);
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while model.projection().await.unwrap().is_none_or(|last| last.height < tip) {
        assert!(std::time::Instant::now() < deadline, "the tables do not follow");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    follower.abort();
    assert_eq!(model.dump().await, expected);
}
