//! Runs as lists: the same as the seed's, and small once they are shrunk.

use std::time::Duration;

use pbft_sim::{
    Plan,
    sabotage::Sabotage,
    sweep::run_plan,
    tape::{Effort, Tape, shrink},
};

#[test]
fn a_run_that_is_written_down_is_the_same_run() {
    let mut mishaps = 0;
    for seed in 0..40 {
        let plan = Plan::of(seed, &[4, 7]);
        let (finished, tape) = Tape::of_plan(&plan);
        let (tape, plain) = (tape.expect("no panic"), run_plan(plan, false));
        assert_eq!(
            (finished.digest, finished.events),
            (plain.digest, plain.events),
            "writing changes nothing"
        );
        let again = tape.run(false);
        assert_eq!((again.digest, again.events), (plain.digest, plain.events), "seed {seed}");
        mishaps += tape.mishaps.len();
    }
    assert!(mishaps > 2_000, "{mishaps}");
}

/// The first run that shows a planted defect, as a tape.
fn failing(sabotage: Sabotage) -> (Tape, String) {
    let runs = (0..200).map(|seed| Plan::of(seed, &[4, 7]).with_sabotage(sabotage));
    let mut failing = runs.filter_map(|plan| {
        let (finished, tape) = Tape::of_plan(&plan);
        let tape = tape.filter(|tape| tape.mishaps.len() > 20)?;
        Some((tape, finished.violation?.name()))
    });
    failing.next().expect("a run with many mishaps that shows it")
}

#[test]
fn a_planted_defect_shrinks_to_a_small_tape_that_shows_it() {
    for sabotage in
        [Sabotage::Amnesia, Sabotage::ResetClients, Sabotage::RandomService, Sabotage::ForgetSynced]
    {
        let (tape, name) = failing(sabotage);
        let effort = Effort { runs: 3_000, time: Duration::from_secs(120) };
        let shrunk = shrink(tape.clone(), &name, effort).tape;
        println!(
            "{sabotage:?}: {} -> {:?}, {} requests",
            tape.mishaps.len(),
            shrunk.mishaps,
            shrunk.requests()
        );
        assert!(shrunk.mishaps.len() <= 3, "{sabotage:?}: {:#?}", shrunk.mishaps);
        assert!(shrunk.requests() <= 12, "{sabotage:?}: {:?}", shrunk.clients);
        replays_from_a_file(&shrunk, &name);
    }
}

fn replays_from_a_file(tape: &Tape, name: &str) {
    let path = std::env::temp_dir().join(format!("pbft-sim-tape-{}-{name}.json", std::process::id()));
    tape.write(&path).unwrap();
    let read = Tape::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(read, *tape);
    let (first, second) = (tape.run(false), read.run(false));
    assert_eq!((first.digest, first.events), (second.digest, second.events));
    assert_eq!(second.violation.map(|violation| violation.name()).as_deref(), Some(name));
}
