//! Every code that the ledger answers with is tried by somebody, or it is said why not.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Refusal, Rejection};

use super::attacks::attacks;
use super::door::TRICKS;

/// What nobody tries here, and why.
const NOT_TRIED: &[(&str, &str)] = &[
    ("NO_REPLICA_ID_LEFT", "it takes 65,536 replicas, one after the other"),
    (
        "PROPOSER_NOT_ADMIN",
        "an admin has to lose the role in between, and the scene does not change: see `roles`",
    ),
];

/// The codes that are expected of some request.
pub(super) fn tried() -> BTreeSet<&'static str> {
    attacks().iter().map(|attack| attack.2).chain(TRICKS.iter().map(|trick| trick.1)).collect()
}

/// All that the ledger can answer with.
fn all() -> BTreeSet<&'static str> {
    Refusal::codes().chain(Rejection::codes()).collect()
}

#[test]
fn each_code_is_tried_or_it_is_said_why_not() {
    let all = all();
    assert!(all.len() > 140 && all.contains("INSUFFICIENT_FUNDS") && all.contains("NONCE_USED"), "{all:?}");
    let (tried, not_tried) = (tried(), NOT_TRIED.iter().copied().collect::<BTreeMap<_, _>>());
    for code in &all {
        let is_tried = tried.contains(code);
        match not_tried.get(code) {
            None => assert!(is_tried, "{code}: nobody tries it; add an attack, or say in NOT_TRIED why not"),
            Some(why) => assert!(!is_tried, "{code} is tried, although {why}"),
        }
    }
    let named = tried.into_iter().chain(not_tried.into_keys());
    assert_eq!(named.filter(|code| !all.contains(code)).collect::<Vec<_>>(), [""; 0], "no such codes");
}
