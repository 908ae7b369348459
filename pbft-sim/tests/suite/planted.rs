//! A simulator that finds nothing proves nothing: broken hosts, each of which the checks must catch, and by the promise
//! that it breaks.

use std::collections::BTreeSet;

use pbft_sim::{Plan, sabotage::Sabotage, sweep::run_plan};

const RUNS: usize = 16;

#[test]
fn every_planted_bug_is_caught() {
    let mut escaped = Vec::new();
    for sabotage in Sabotage::ALL {
        let names = sabotage.breaks();
        let plans = (0u64..).map(|seed| Plan::of(seed, &[4])).filter(|plan| plan.byzantine.is_empty());
        let runs = plans.take(RUNS).map(|plan| run_plan(plan.with_sabotage(sabotage), false));
        let found: Vec<_> = runs.filter_map(|run| Some(run.violation?.name())).collect();
        let strange: BTreeSet<_> = found.iter().filter(|name| !names.contains(&name.as_str())).collect();
        println!("{sabotage:?}: {} of {RUNS} runs: {:?}", found.len(), BTreeSet::from_iter(&found));
        if found.len() < RUNS / 2 || !strange.is_empty() {
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
