//! Many seeds, with everything that can go wrong.

use pbft_sim::{report, sweep::Sweep};

/// As few as make the check for rare things meaningful; the first thousands are for longer sweeps.
const SEEDS: u64 = 500;

/// Mixed faults on 4, 7 and 10 replicas. Fails too if something that should happen often never did.
#[test]
fn many_seeds() {
    let summary = Sweep::new(5_000, SEEDS, vec![4, 7, 10]).run(|_| ());
    assert_eq!(summary.seeds, SEEDS);
    assert!(summary.passed(), "{}", report::table(&summary));
}
