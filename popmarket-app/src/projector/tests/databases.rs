//! What is the same on every database, and what becomes of one that is in use, rebuilt or gone.

use std::time::Duration;

use ledger::Ledger;
use pbft_core::service::Service;

use super::World;
use crate::projector::Projector;
use crate::read_model::{CONTENTS, Contents, ReadError, ReadModel};
use crate::sql::either;
use crate::testing::{Databases, Rng, busy_market, on_each_database, service};

on_each_database!(
    two_nodes_do_not_write_to_one_database,
    a_rebuild_that_was_stopped_goes_on,
    a_difference_is_found,
);

async fn two_nodes_do_not_write_to_one_database(databases: &Databases) {
    let first = databases.open("shared").await;
    let place = databases.place("shared").await;
    for second in [ReadModel::open_at(&place).await, ReadModel::begin_anew(&place).await] {
        assert!(matches!(second, Err(ReadError::InUse(_))));
    }
    first.close().await;
    ReadModel::open_at(&place).await.unwrap();
}

async fn a_rebuild_that_was_stopped_goes_on(databases: &Databases) {
    let world = World::busy(17, 80);
    let expected = world.filled(databases, "expected").await.digest().await.unwrap();
    let place = databases.place("rebuilt").await;
    let model = ReadModel::begin_anew(&place).await.unwrap();
    let projector = Projector::new(world.service.view(), model.clone()).verifying();
    let mut blocks = projector.blocks_after(None).await.unwrap();
    blocks.truncate(20);
    let begun = projector.project(None, blocks).await.unwrap();
    model.close().await;

    let model = ReadModel::open_at(&place).await.unwrap();
    assert!(model.is_being_rebuilt().await.unwrap());
    assert_eq!(model.watermark(), Some(begun.watermark()));
    let mut steps = Vec::new();
    let projector = Projector::new(world.service.view(), model.clone()).verifying();
    projector.fill(|mark| steps.push(mark.height)).await.unwrap();
    assert!(steps.first().is_some_and(|first| *first > begun.height), "not from the beginning");
    model.set_being_rebuilt(false).await.unwrap();
    assert!(!model.is_being_rebuilt().await.unwrap());
    assert_eq!(model.digest().await.unwrap(), expected);
}

async fn a_difference_is_found(databases: &Databases) {
    let world = World::busy(18, 60);
    let (one, other) = (world.filled(databases, "one").await, world.filled(databases, "other").await);
    assert_eq!(one.first_difference(&other).await.unwrap(), None);
    let changes = [
        ("UPDATE trades SET tracking = 'lost' WHERE position = (SELECT MAX(position) FROM trades)", "trades"),
        ("DELETE FROM events WHERE position = (SELECT MAX(position) FROM events)", "events"),
    ];
    for (sql, table) in changes {
        let mut change = one.begin_write().await.unwrap();
        either::query(sql).execute(&mut change).await.unwrap();
        change.commit().await.unwrap();
        let difference = one.first_difference(&other).await.unwrap().unwrap();
        assert_eq!(difference.table, table);
        assert_eq!(difference.here.is_none(), table == "events", "{difference}");
        let reverse = other.first_difference(&one).await.unwrap().unwrap();
        assert_eq!((reverse.here, reverse.there), (difference.there, difference.here));
        assert_ne!(one.digest().await.unwrap(), other.digest().await.unwrap());
    }
}

/// Everything that blocks lead to is the same, however it came to be and wherever it is.
#[tokio::test]
async fn a_digest_is_the_same_on_all_databases() {
    let files = Databases::sqlite();
    let server = Databases::postgres();
    for seed in 41..44 {
        let folder = tempfile::tempdir().unwrap();
        let mut live = service(folder.path());
        let grown = files.open(&format!("grown_{seed}")).await;
        let projector = Projector::new(live.view(), grown.clone());
        let mut rng = Rng(seed);
        let (_, batches) = busy_market(tempfile::tempdir().unwrap().path(), seed, 40 + rng.below(60));
        for batch in &batches {
            live.execute(batch);
            if rng.below(3) > 0 {
                projector.catch_up().await.unwrap();
            }
        }
        projector.catch_up().await.unwrap();
        let digest = grown.digest().await.unwrap();
        for databases in [Some(&files), server.as_ref()].into_iter().flatten() {
            let place = databases.place(&format!("rebuilt_{seed}")).await;
            let rebuilt = ReadModel::begin_anew(&place).await.unwrap();
            Projector::new(live.view(), rebuilt.clone()).verifying().catch_up().await.unwrap();
            assert_eq!(grown.first_difference(&rebuilt).await.unwrap(), None);
            assert_eq!(rebuilt.digest().await.unwrap(), digest, "seed {seed}");
            rebuilt.close().await;
        }
    }
    if let Some(server) = server {
        server.remove().await;
    }
}

#[tokio::test]
async fn a_server_that_goes_away_loses_no_block() {
    let Some(databases) = Databases::postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut live = service(folder.path());
    let model = databases.open("cut").await;
    let projector = tokio::spawn(Projector::new(live.view(), model.clone()).run());
    let (_, batches) = busy_market(tempfile::tempdir().unwrap().path(), 19, 30);
    for (index, batch) in batches.iter().enumerate() {
        live.execute(batch);
        if index % 10 == 5 {
            databases.cut_connections().await;
        }
    }
    let height = live.view().read(Ledger::height);
    let long = Duration::from_secs(60);
    assert!(model.wait_for_height(height, long).await.is_some());
    projector.abort();
    let whole = Databases::sqlite();
    let expected = whole.open("whole").await;
    Projector::new(live.view(), expected.clone()).catch_up().await.unwrap();
    assert_eq!(model.first_difference(&expected).await.unwrap(), None);
    databases.remove().await;
}

/// A table that nobody listed would not be compared, nor thrown away.
#[tokio::test]
async fn all_tables_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.db");
    ReadModel::open(&file).await.unwrap().close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).read_only(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' \
               AND name <> 'rebuild' ORDER BY name";
    let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap();
    let mut listed: Vec<_> = CONTENTS.iter().map(Contents::name).collect();
    listed.sort_unstable();
    assert_eq!(found, listed);
}
