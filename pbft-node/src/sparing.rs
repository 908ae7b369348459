//! Lines of the log that others can cause as often as they like: of each kind one now and then, with how many were left out.
//! Whoever wants the totals finds them in the metrics.

use core::time::Duration;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Nothing is said twice in less.
const PAUSE: Duration = Duration::from_secs(1);

/// What was said when. There must be few kinds, whatever others do: they are kept.
#[derive(Debug)]
pub(crate) struct Sparing<K>(Mutex<BTreeMap<K, Said>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    left_out: u64,
}

impl<K> Default for Sparing<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Sparing<K> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord> Sparing<K> {
    /// How many lines of this kind were left out since the last one, if it is time for another.
    pub(crate) fn may_say(&self, kind: K) -> Option<u64> {
        self.may_say_at(Instant::now(), kind)
    }

    fn may_say_at(&self, now: Instant, kind: K) -> Option<u64> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind) {
            Entry::Vacant(first) => {
                first.insert(Said { at: now, left_out: 0 });
                Some(0)
            }
            Entry::Occupied(mut said) => {
                let said = said.get_mut();
                if now.saturating_duration_since(said.at) < PAUSE {
                    said.left_out = said.left_out.saturating_add(1);
                    return None;
                }
                said.at = now;
                Some(core::mem::take(&mut said.left_out))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_makes_one_line_a_second_with_the_number_of_the_others() {
        let (lines, start) = (Sparing::default(), Instant::now());
        let at = |millis: u64| start + Duration::from_millis(millis);
        let said: Vec<_> = (0..3_000).filter_map(|millis| lines.may_say_at(at(millis), "bad")).collect();
        assert_eq!(said, [0, 999, 999]);
        assert_eq!(lines.may_say_at(at(2_999), "other"), Some(0), "another kind has its own lines");
        assert_eq!(lines.may_say_at(at(9_000), "bad"), Some(999));
        assert_eq!(lines.may_say_at(at(20_000), "bad"), Some(0));
    }
}
