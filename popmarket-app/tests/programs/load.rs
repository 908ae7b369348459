//! Real processes, killed with `kill -9` while payments run: what was acknowledged is on every replica's chain, once.
//!
//! The load program itself checks the chains at the end and fails if anything is missing or there twice; see
//! `popmarket_app::load::Audit`.

use std::path::Path;

use ledger::Height;
use pbft_core::{Seq, service::Service};
use popmarket_app::{
    config::LoadedNode,
    load::{LoadPlan, Report, Scenario, TemporaryFolder},
    projector::Projector,
    read_model::ReadModel,
    service::LedgerService,
    store::StoreOptions,
};

fn folder() -> TemporaryFolder {
    TemporaryFolder::new("popmarket-test").expect("there is a folder for temporary files")
}

async fn run(scenario: Scenario, payments: u32) -> Report {
    run_with(4, 1, scenario, payments).await
}

async fn run_with(replicas: u16, in_a_row: u16, scenario: Scenario, payments: u32) -> Report {
    let folder = folder();
    let plan = LoadPlan { replicas, in_a_row, ..plan(folder.path(), scenario, payments) };
    go(plan).await
}

async fn go(plan: LoadPlan) -> Report {
    plan.run().await.unwrap_or_else(|error| panic!("{error}"))
}

fn plan(folder: &Path, scenario: Scenario, payments: u32) -> LoadPlan {
    LoadPlan {
        replicas: 4,
        payments,
        sequential: 5,
        accounts: 100,
        in_flight: if scenario == Scenario::Replace { 50 } else { 500 },
        scenario,
        kills: 1,
        in_a_row: 1,
        folder: folder.into(),
        program: env!("CARGO_BIN_EXE_popmarket").into(),
        progress: false,
    }
}

fn check(report: &Report, payments: u32) {
    assert_eq!(report.load.missed, 0, "{:?}", report.load.first_error);
    assert_eq!(report.load.acknowledged, payments as usize);
    assert_eq!(report.audit.payments, u64::from(payments) + 5, "nothing but what was sent, each once");
}

/// It was the primary that fell silent, and the others did not wait for it for longer than they have to. The goal is one
/// timeout more than there are silent ones in a row; a machine that builds and tests at once gets three times that.
fn check_outage(report: &Report, in_a_row: u32) {
    const REQUEST_TIMEOUT: f64 = 2.0;
    let [seconds] = report.outages_seconds.as_slice() else { panic!("{:?}", report.outages_seconds) };
    let limit = f64::from(in_a_row + 1) * REQUEST_TIMEOUT * 3.0;
    assert!((0.5..limit).contains(seconds), "{seconds} s without an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_under_load_catches_up_and_nothing_is_lost() {
    let report = run(Scenario::KillBackup, 10_000).await;
    check(&report, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_replicas_killed_under_load_go_on_and_nothing_acknowledged_is_lost() {
    let report = run(Scenario::KillAll, 3_000).await;
    check(&report, 3_000);
}

/// The clients go on with the next primary, soon: a request timeout until the backups give up, and the change itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_killed_under_load_is_replaced_and_nothing_acknowledged_is_lost() {
    let report = run(Scenario::KillPrimary, 6_000).await;
    check(&report, 6_000);
    check_outage(&report, 1);
}

/// Two of seven may be faulty, also when the one would take over from the other. What they sent before and what they say
/// when they go on is late by seconds, and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn two_primaries_in_a_row_that_stop_and_go_on_are_replaced() {
    let report = run_with(7, 2, Scenario::PausePrimary, 4_000).await;
    check(&report, 4_000);
    check_outage(&report, 2);
}

/// The ledger that a replica left behind.
fn ledger_of(folder: &Path, replica: u16) -> LedgerService {
    let node = LoadedNode::load(&folder.join(format!("cluster/node-{replica}/node.toml"))).unwrap();
    LedgerService::open(&node.data.join("ledger"), &node.genesis, &StoreOptions::default()).unwrap()
}

/// All blocks as the tables have them that are made from a replica's chain.
async fn blocks_for_readers(folder: &Path, replica: u16) -> Vec<String> {
    let ledger = ledger_of(folder, replica);
    let model = ReadModel::open(&folder.join(format!("tables-{replica}.db"))).await.unwrap();
    Projector::new(ledger.view(), model.clone()).catch_up().await.unwrap();
    let mut blocks = Vec::new();
    for height in 0.. {
        match model.block_at(Height::new(height)).await.unwrap() {
            Some(block) => blocks.push(format!("{block:?}")),
            None => return blocks,
        }
    }
    blocks
}

/// It took the chain over: of what it had not ordered itself it has no answers, while the others have.
fn has_taken_over(folder: &Path, replica: u16) -> bool {
    let answered = |replica| {
        let view = ledger_of(folder, replica).view();
        view.store().batch_record(Seq::new(1)).unwrap().is_some()
    };
    answered(0) && !answered(replica)
}

/// The other replicas keep no batches for it, so it needs their chain.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_loses_its_disk_under_load_gets_the_ledger_from_the_others() {
    let folder = folder();
    let report = go(LoadPlan { in_flight: 60, ..plan(folder.path(), Scenario::LoseDisk, 9_000) }).await;
    check(&report, 9_000);
    assert!(report.back_seconds.is_some());
    assert!(has_taken_over(folder.path(), 3));
    let blocks = blocks_for_readers(folder.path(), 3).await;
    assert_eq!(blocks.len() as u64, report.audit.blocks);
    assert_eq!(blocks, blocks_for_readers(folder.path(), 0).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_away_for_too_long_gets_the_rest_of_the_ledger_from_the_others() {
    let folder = folder();
    let report = go(LoadPlan { in_flight: 60, ..plan(folder.path(), Scenario::Away, 9_000) }).await;
    check(&report, 9_000);
    assert!(has_taken_over(folder.path(), 3));
    let mut ledger = ledger_of(folder.path(), 3);
    let last = ledger.applied();
    ledger.restore(last, None).unwrap();
}

/// Two of seven are gone for good; `popmarket join` brings two others, and all go on from one state.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_killed_under_load_are_replaced_by_two_that_join() {
    let report = run_with(7, 1, Scenario::Replace, 6_000).await;
    check(&report, 6_000);
    println!(
        "from the approval to the vote: {:?} s; load {:.1} s",
        report.joins_seconds, report.load.seconds
    );
    assert_eq!(report.joins_seconds.len(), 2);
    assert_eq!(report.usage.len(), 7);
    assert!(report.usage.iter().all(|usage| usage.peak_resident_kib > 0), "{:?}", report.usage);
}
