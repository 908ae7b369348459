//! The process ends somewhere on the way.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::store::tests::{copy, journal};

/// Ends the process before step `kill` of an install, and starts it again.
fn killed_at(kill: usize, source: &mut Source, own: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut target = behind(folder.path(), source, own);
    let old = name(&target);
    let missing = source.begin(&mut target);
    let mut accepted = 0;
    for index in missing.iter().copied().take(kill) {
        target.accept_part(index, &source.part(index)).unwrap();
        accepted += 1;
    }
    let mut steps_left = kill - accepted;
    let complete = steps_left > 0;
    if complete {
        target.complete_install().unwrap();
        steps_left -= 1;
        while steps_left > 0 && target.execute_part().unwrap() {
            steps_left -= 1;
        }
    }
    let begun = name(&target) != old;
    drop(target);

    let mut target = open(folder.path());
    assert_eq!(name(&target) != old, begun, "the work of whole blocks");
    if !complete {
        assert_eq!((name(&target), target.applied()), (old, Seq::new(own as u64)));
        target.restore(Seq::new(own as u64), None).unwrap();
        let still = source.begin(&mut target);
        assert_eq!(still, missing[accepted..], "what came need not come again");
        for index in still {
            target.accept_part(index, &source.part(index)).unwrap();
        }
        target.complete_install().unwrap();
    }
    target.restore(source.seq, None).unwrap();
    assert_goes_on(source, &mut target);
    complete && steps_left > 0
}

#[test]
fn a_kill_at_any_point_of_an_install_leaves_the_old_state_or_the_new_one() {
    let mut source = Source::new(5, 24, 27);
    for (own, every) in [(0, 3), (11, 1)] {
        let kills = (0..).step_by(every).take_while(|kill| !killed_at(*kill, &mut source, own));
        assert!(kills.count() * every > 6);
    }
}

/// Within parts, too: the journal ends anywhere.
#[test]
fn a_torn_write_while_a_chain_is_executed_loses_nothing_that_waits() {
    let mut source = Source::new(6, 32, 33);
    let folder = tempfile::tempdir().unwrap();
    let mut target = behind(folder.path(), &source, 9);
    for index in source.begin(&mut target) {
        target.accept_part(index, &source.part(index)).unwrap();
    }
    target.complete_install().unwrap();
    let used = |path: &Path| fs::read(path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let from = used(&journal(folder.path()));
    target.restore(source.seq, None).unwrap();
    let to = used(&journal(folder.path()));
    drop(target);

    let mut heights = BTreeSet::new();
    for step in 0..=12 {
        let image = tempfile::tempdir().unwrap();
        copy(folder.path(), image.path());
        let file = fs::File::options().write(true).open(journal(image.path())).unwrap();
        file.set_len((from + (to - from) * step / 12) as u64).unwrap();
        drop(file);
        let mut target = open(image.path());
        heights.insert(name(&target).height);
        target.restore(source.seq, None).unwrap_or_else(|lost| panic!("cut at {step}/12: {lost}"));
        assert_goes_on(&mut source, &mut target);
    }
    assert!(heights.len() > 6, "{heights:?}");
}
