//! A simulator that finds nothing proves nothing: planted defects, each of which the checks must catch, and by a promise
//! that it breaks.

use std::collections::BTreeSet;

use pbft_sim::{
    Plan,
    sabotage::{Hunt, Sabotage},
    sweep::run_plan,
};

const RUNS: usize = 12;

fn plans() -> impl Iterator<Item = Plan> {
    (0u64..).map(|seed| Plan::of(seed, &[4])).filter(|plan| plan.byzantine.is_empty()).take(RUNS)
}

#[test]
fn every_planted_bug_is_caught() {
    for sabotage in Sabotage::ALL {
        let hunt = sabotage.hunt(100);
        assert!(matches!(hunt, Hunt::Caught { .. }), "{sabotage:?}: {hunt:?}");
    }
}

/// A defect that is found by accident, or by a promise that it does not break, points to a check that is wrong.
#[test]
fn each_is_found_by_what_it_breaks_alone() {
    let mut wrong = Vec::new();
    for sabotage in Sabotage::ALL {
        let runs = plans().map(|plan| run_plan(plan.with_sabotage(sabotage), false));
        let found: Vec<_> = runs.filter_map(|run| Some(run.violation?.name())).collect();
        let names: BTreeSet<_> = found.iter().map(String::as_str).collect();
        println!("{sabotage:?}: {} of {RUNS} runs: {names:?}", found.len());
        // A forged proof matters only where a new view would do without it: rare.
        // And results are lost only where many crash at once.
        let rare = matches!(sabotage, Sabotage::TrustAnyProof | Sabotage::ForgetResults);
        let strange = names.iter().any(|name| !sabotage.breaks().contains(name));
        if strange || (found.len() < RUNS / 3 && !rare) {
            wrong.push(format!("{sabotage:?}: {} of {RUNS}: {names:?}", found.len()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The same seeds on a sound host are fine: it is the defects that are found.
#[test]
fn the_same_seeds_without_a_bug_pass() {
    for plan in plans() {
        let finished = run_plan(plan, false);
        assert_eq!(finished.violation, None, "{}", finished.plan);
    }
}
