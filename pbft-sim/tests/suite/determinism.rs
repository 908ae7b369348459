//! A seed is a run: the same one every time, whoever else runs beside it.

use std::collections::BTreeSet;

use pbft_sim::{
    Plan,
    byzantine::Kind,
    sweep::{Sweep, run_plan, run_seed},
};

#[test]
fn a_seed_gives_the_same_run_again() {
    let mut digests = BTreeSet::new();
    for seed in 0..60 {
        let (first, second) = (run_seed(seed, &[4, 7]), run_seed(seed, &[4, 7]));
        assert_eq!((first.digest, first.events), (second.digest, second.events), "seed {seed}");
        assert_eq!(first.counters, second.counters, "seed {seed}");
        digests.insert(first.digest);
    }
    assert_eq!(digests.len(), 60, "different seeds are different runs");
}

/// The replay command names the size of the one cluster, not the list that it was picked from.
#[test]
fn the_size_alone_replays_a_seed() {
    for seed in 100..110 {
        let swept = run_seed(seed, &[4, 7, 10]);
        let replayed = run_plan(Plan::of(seed, &[swept.plan.n]), false);
        assert_eq!(swept.digest, replayed.digest, "seed {seed}");
    }
}

#[test]
fn threads_change_nothing() {
    let digests = |threads| {
        let mut sweep = Sweep::new(500, 40, vec![4]);
        sweep.threads = threads;
        let mut digests = BTreeSet::new();
        sweep.run(|finished| {
            digests.insert((finished.plan.seed, finished.digest));
        });
        digests
    };
    assert_eq!(digests(1), digests(3));
}

#[test]
fn real_and_ideal_signatures_take_part() {
    let kinds: BTreeSet<_> = (0..300).map(|seed| format!("{:?}", Plan::of(seed, &[4]).signatures)).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["Ideal", "P256"]);
}

/// Each way to lie has its turn in a sweep, and as the first primary, too.
#[test]
fn every_kind_of_liar_takes_part() {
    let liars = || (0..2_000).flat_map(|seed| Plan::of(seed, &[4, 7, 10]).byzantine);
    let missing =
        |seen: &BTreeSet<_>| Kind::ALL.into_iter().filter(|kind| !seen.contains(kind)).collect::<Vec<_>>();
    let primaries = liars().filter(|(replica, _)| replica.index() == 0).map(|(_, kind)| kind).collect();
    let all = liars().map(|(_, kind)| kind).collect();
    assert_eq!((missing(&all), missing(&primaries)), (vec![], vec![]));
}
