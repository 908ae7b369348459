//! Many seeds, with everything that can go wrong.

use pbft_sim::{report, sweep::Sweep};

/// Mixed faults on 4, 7 and 10 replicas. Fails too if something that should happen often never did.
#[test]
fn two_thousand_seeds() {
    let summary = Sweep::new(0, 2_000, vec![4, 7, 10]).run(|_| ());
    assert_eq!(summary.seeds, 2_000);
    assert!(summary.passed(), "{}", report::table(&summary));
}
