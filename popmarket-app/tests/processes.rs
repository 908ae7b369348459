//! Real processes, killed with `kill -9` while payments run: what was acknowledged is on every replica's chain, once.
//!
//! The load program itself checks the chains at the end and fails if anything is missing or there twice; see
//! `popmarket_app::load::Audit`.

use popmarket_app::load::{LoadPlan, Report, Scenario, TemporaryFolder};

async fn run(scenario: Scenario, payments: u32) -> Report {
    run_with(4, 1, scenario, payments).await
}

async fn run_with(replicas: u16, in_a_row: u16, scenario: Scenario, payments: u32) -> Report {
    let folder = TemporaryFolder::new("popmarket-test").expect("there is a folder for temporary files");
    let plan = LoadPlan {
        replicas,
        payments,
        sequential: 5,
        accounts: 100,
        in_flight: if scenario == Scenario::Replace { 50 } else { 500 },
        scenario,
        kills: 2,
        in_a_row,
        folder: folder.path().into(),
        program: env!("CARGO_BIN_EXE_popmarket").into(),
        progress: false,
    };
    plan.run().await.unwrap_or_else(|error| panic!("{error}"))
}

fn check(report: &Report, payments: u32) {
    assert_eq!(report.load.missed, 0, "{:?}", report.load.first_error);
    assert_eq!(report.load.acknowledged, payments as usize);
    assert_eq!(report.audit.payments, u64::from(payments) + 5, "nothing but what was sent, each once");
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
    assert_eq!(report.outages_seconds.len(), 2);
}

/// Two of seven may be faulty, also when the one would take over from the other. What they sent before and what they say
/// when they go on is late by seconds, and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn two_primaries_in_a_row_that_stop_and_go_on_are_replaced() {
    let report = run_with(7, 2, Scenario::PausePrimary, 4_000).await;
    check(&report, 4_000);
    assert_eq!(report.outages_seconds.len(), 2);
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
}
