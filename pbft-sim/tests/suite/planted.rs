//! A simulator that finds nothing proves nothing: broken hosts, each of which the checks must catch, and by the promise
//! that it breaks.

use std::collections::BTreeSet;

use pbft_sim::{Plan, sabotage::Sabotage, sweep::run_plan};

/// Which promises a defect may be caught by, and in how many of `RUNS` seeds at least.
fn expectation(sabotage: Sabotage) -> (&'static [&'static str], usize) {
    match sabotage {
        Sabotage::VoteBeforeSync => (&["SentBeforeDurable"], RUNS),
        Sabotage::ForgetSynced => (&FORGOTTEN, RUNS / 4),
        Sabotage::TruncateAll => (&FORGOTTEN, RUNS / 4),
        Sabotage::SkipRestore => (&["OutcomesDiffer", "StateDiffers", "FinalStatesDiffer"], RUNS / 4),
        Sabotage::ResetClients => (&["ExecutionDiffers", "ExecutedTwice", "StateDiffers"], RUNS / 4),
        Sabotage::RandomService | Sabotage::ReorderBatch => (&["OutcomesDiffer", "StateDiffers"], RUNS / 8),
        Sabotage::TrustAnySignature => (&["BadCertificate", "NotPrepared", "WeakEvidence"], RUNS / 2),
        Sabotage::SignTwice => (&["SaidTwoThings"], RUNS),
        Sabotage::InventRequest => (&["NeverSubmitted"], RUNS / 2),
        Sabotage::SwapOutcomes => (&["FalseAnswer"], RUNS / 2),
        Sabotage::DropStatus | Sabotage::DropTimers => (&["Stuck"], RUNS / 8),
        Sabotage::SkipBatch => (&["OutcomesDiffer", "StateDiffers"], RUNS / 2),
    }
}

/// A replica without its memory: it votes twice, or stands before what it said and did.
const FORGOTTEN: [&str; 5] = ["SaidTwoThings", "MovedBack", "Invariant", "CannotRecover", "CannotRestore"];

const RUNS: usize = 16;

#[test]
fn every_planted_bug_is_caught() {
    let mut escaped = Vec::new();
    for sabotage in Sabotage::ALL {
        let (names, at_least) = expectation(sabotage);
        let plans = (0u64..).map(|seed| Plan::of(seed, &[4])).filter(|plan| plan.byzantine.is_empty());
        let runs = plans.take(RUNS).map(|plan| run_plan(plan.with_sabotage(sabotage), false));
        let found: Vec<_> = runs.filter_map(|run| Some(run.violation?.name())).collect();
        let strange: BTreeSet<_> = found.iter().filter(|name| !names.contains(&name.as_str())).collect();
        println!("{sabotage:?}: {} of {RUNS} runs: {:?}", found.len(), BTreeSet::from_iter(&found));
        if found.len() < at_least.max(1) || !strange.is_empty() {
            escaped.push(format!("{sabotage:?}: caught in {} of {RUNS}, by {found:?}", found.len()));
        }
    }
    assert!(escaped.is_empty(), "{escaped:#?}");
}

/// The same seeds on a sound host are fine: it is the defects that are found.
#[test]
fn the_same_seeds_without_a_bug_pass() {
    let plans = (0u64..).map(|seed| Plan::of(seed, &[4])).filter(|plan| plan.byzantine.is_empty());
    for plan in plans.take(RUNS) {
        let finished = run_plan(plan, false);
        assert_eq!(finished.violation, None, "{}", finished.plan);
    }
}
