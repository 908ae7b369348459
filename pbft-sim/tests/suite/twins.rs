//! A sample of the two-view partitions; `pbft-sim twins` plays all of them.

use pbft_sim::twins;

const SAMPLE: u32 = 1_000;

#[test]
fn a_sample_of_all_partitions_agrees() {
    let summary = twins::play_many(SAMPLE, 0, || ());
    assert_eq!(summary.cases, SAMPLE);
    assert!(summary.failures.is_empty(), "{:#?}", &summary.failures[..summary.failures.len().min(5)]);
    // Else the partitions let nothing through, or the twins say the same.
    assert!(summary.decided_apart > SAMPLE / 4 && summary.evidence > SAMPLE / 50, "{summary:?}");
}
