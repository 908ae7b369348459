//! A check that never fails checks nothing: each promise is seen broken, by one bad event in a good history, by a run on
//! something that is broken, by a defect of the host, or by one that is planted in the core.

mod history;
mod runs;

use pbft_sim::{Plan, Violation, mutants, sabotage::Sabotage, sweep::run_plan};

/// How it is known that a violation can be raised.
enum By {
    /// One bad event.
    Event(fn() -> (Result<(), Violation>, Violation)),
    /// A defect of the host: one of its first runs shows it.
    Host(Sabotage),
    /// A defect in the source of the core: `pbft-sim mutants` finds it, and `docs/TESTING.md` says so.
    Planted(&'static str),
    /// A test that has its own way to.
    Test { source: &'static str, name: &'static str },
}

const RUNS: &str = include_str!("promises/runs.rs");
const MINTED: &str = include_str!("../../src/service/market/minted.rs");

macro_rules! shown {
    ($($violation:ident by $by:expr,)+) => {
        fn table() -> Vec<(&'static str, By)> {
            vec![$((stringify!($violation), $by),)+]
        }

        /// A new promise does not compile before it has its line.
        const fn has_its_line(violation: &Violation) {
            match violation {
                $(Violation::$violation { .. } => {})+
            }
        }
    };
}

const _: fn(&Violation) = has_its_line;

shown! {
    Disagreement by By::Event(history::disagreement),
    WrongBody by By::Event(history::wrong_body),
    BadCertificate by By::Planted("certificate-signers-repeat"),
    NotPrepared by By::Planted("primary-counted-twice"),
    ForgottenByNewView by By::Planted("prepared-not-carried"),
    Unwanted by By::Planted("new-view-with-too-few-supporters"),
    RanAhead by By::Planted("one-replica-moves-all"),
    Service by By::Test { source: MINTED, name: "a_ledger_that_comes_back_with_other_money_is_noticed" },
    PastWindow by By::Planted("primary-fills-the-whole-window"),
    Dawdles by By::Planted("commit-before-proposal-lost"),
    StateDiffers by By::Host(Sabotage::RandomCheckpoint),
    RostersDiffer by By::Event(history::rosters_differ),
    OutOfOrder by By::Planted("executes-while-executing"),
    Undecided by By::Event(history::undecided),
    ExecutionDiffers by By::Planted("batch-digest-not-checked"),
    TimeStands by By::Planted("time-of-the-batch-taken-as-it-is"),
    NeverSubmitted by By::Host(Sabotage::InventRequest),
    ExecutedTwice by By::Planted("request-twice-in-a-batch"),
    LeftOut by By::Planted("later-number-shuts-out-earlier"),
    Smuggled by By::Event(history::smuggled),
    OutcomesDiffer by By::Event(history::outcomes_differ),
    FalseAnswer by By::Planted("client-believes-one"),
    StaleRead by By::Planted("read-believes-a-weak-quorum"),
    FalseRead by By::Planted("read-names-the-batch-before"),
    FalseRefusal by By::Test { source: RUNS, name: "a_refusal_that_no_client_should_see_is_noticed" },
    SaidTwoThings by By::Host(Sabotage::SignTwice),
    SentBeforeDurable by By::Host(Sabotage::VoteBeforeSync),
    Diverged by By::Planted("proofs-of-unknown-results-are-handed-on"),
    FalseCertificate by By::Planted("one-replica-certifies-a-result"),
    CertifiedTwice by By::Planted("results-are-certified-twice"),
    WronglyBlamed by By::Planted("summary-not-checked"),
    WeakEvidence by By::Planted("prepare-signature-not-checked"),
    Invariant by By::Planted("accepted-proposal-forgotten"),
    CannotRecover by By::Test { source: RUNS, name: "a_log_that_makes_no_replica_is_noticed" },
    CannotRestore by By::Event(history::cannot_restore),
    MovedBack by By::Planted("executes-while-a-state-is-taken-over"),
    Unbounded by By::Test { source: RUNS, name: "a_log_that_only_grows_is_noticed" },
    Stuck by By::Host(Sabotage::DropReplies),
    Restless by By::Planted("need-of-one-is-held-against-the-primary"),
    Idling by By::Planted("a-liar-needs-something-else-each-time"),
    Endless by By::Test { source: RUNS, name: "a_run_without_an_end_is_noticed" },
    TimeStuck by By::Planted("silent-peer-not-passed-over"),
    FinalStatesDiffer by By::Planted("snapshot-not-checked"),
    Panic by By::Test { source: RUNS, name: "a_panic_is_a_broken_promise" },
}

#[test]
fn each_bad_event_is_found_by_the_promise_that_it_breaks() {
    for (name, by) in table() {
        if let By::Event(case) = by {
            let (said, expected) = case();
            assert_eq!(said, Err(expected.clone()));
            assert_eq!(expected.name(), name);
        }
    }
}

#[test]
fn each_promise_that_a_broken_host_is_named_for_is_broken_by_it() {
    for (name, by) in table() {
        if let By::Host(sabotage) = by {
            assert!(shows(sabotage, name), "{sabotage:?} does not show {name}");
        }
    }
}

/// Of the rest a table or a test says so.
#[test]
fn every_promise_is_seen_broken_somewhere() {
    let planted: Vec<_> = mutants::table().into_iter().map(|bug| bug.name).collect();
    let found = include_str!("../../../docs/TESTING.md");
    for (name, by) in table() {
        match by {
            By::Event(_) | By::Host(_) => {}
            By::Planted(bug) => {
                assert!(planted.iter().any(|planted| planted == bug), "nobody plants {bug}");
                let row = found.lines().find(|line| line.starts_with(&format!("| `{bug}` |")));
                assert!(row.is_some_and(|row| row.ends_with(&format!("| {name} |"))), "{name}: {row:?}");
            }
            By::Test { source, name: test } => {
                let (is_there, says) = (format!("#[test]\nfn {test}()"), format!("Violation::{name}"));
                assert!(source.contains(&is_there) && source.contains(&says), "{test} does not show {name}");
            }
        }
    }
}

fn shows(sabotage: Sabotage, name: &str) -> bool {
    let plans = (0u64..).map(|seed| Plan::of(seed, &[4])).filter(|plan| plan.byzantine.is_empty());
    let mut runs = plans.take(12).filter_map(|plan| run_plan(plan.with_sabotage(sabotage), false).violation);
    runs.any(|violation| violation.name() == name)
}

/// What the bad events are put into is good: it is they that are found.
#[test]
fn the_good_history_breaks_none() {
    assert_eq!(history::goes_on(), Ok(()));
}

#[test]
fn a_request_that_is_carried_out_twice_at_one_number_is_one_too_many() {
    let (said, expected) = history::smuggled_twice();
    assert_eq!(said, Err(expected));
}
