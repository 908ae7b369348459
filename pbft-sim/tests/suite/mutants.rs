//! The table of defects in the source of the core. `pbft-sim mutants` plants and hunts them; here only that it can.

use std::collections::BTreeSet;

use pbft_sim::mutants::{Scratch, table};

/// What is looked for is there, once: else a defect would not be planted, or in the wrong place.
#[test]
fn every_place_is_still_there() {
    let bugs = table();
    if let Err(error) = Scratch::new().planted(&bugs) {
        panic!("{error}");
    }
    let names: BTreeSet<_> = bugs.iter().map(|bug| &bug.name).collect();
    assert_eq!(names.len(), bugs.len(), "names tell them apart");
    assert!(bugs.len() >= 60, "{}", bugs.len());
}

/// A replacement that changes nothing would escape for ever, and one that stands elsewhere already is no defect.
#[test]
fn every_replacement_is_another_text() {
    for bug in table() {
        assert_ne!(bug.find, bug.replace, "{}", bug.name);
        assert!(!bug.sizes.is_empty() && bug.liars.len() <= 2, "{}", bug.name);
    }
}
