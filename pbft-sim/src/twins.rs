//! All two-view partitions of four replicas of which one is there twice (Bano et al., "Twins: BFT systems made robust",
//! OPODIS '21). Both twins are the unmodified core, with one name and one key; what they say together is what a Byzantine
//! replica may say.
//!
//! There are five instances: replica 0 and its twin, and replicas 1 to 3. A case has two views, and for each of them 256
//! scenes, so there are 65,536 cases:
//!
//! * which replica is the primary: 4;
//! * how the five instances fall into two sides, one of which may be empty: 2^4 = 16;
//! * from which phase on the sides do not hear each other: from the view's beginning (VIEW-CHANGE and NEW-VIEW) on, from
//!   its pre-prepares, from its prepares, or from its commits on: 4.
//!
//! All instances start in view 0. The first view is the next one with the wanted primary, the second one the next after
//! that; views between are skipped, since nobody hears of their beginning. The twins hear of two requests in opposite
//! order, so they propose different batches. After the second view everybody hears everybody, and both requests must be
//! executed.

mod cast;

use core::fmt;
use std::{
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use pbft_core::{Message, Seq, View};

use cast::Cast;

use crate::rng::Rng;

/// How many cases there are.
pub const CASES: u32 = 1 << 16;

/// What is different in one view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scene {
    /// Which replica is the primary.
    pub primary: u8,
    /// Bit `i`: instance `i + 1` is on the other side than instance 0.
    pub sides: u8,
    /// From when on the sides do not hear each other.
    pub from: Phase,
}

/// A part of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// VIEW-CHANGE and NEW-VIEW; and status, which keeps replicas together.
    Beginning,
    /// Pre-prepares; and what is handed to the primary.
    PrePrepare,
    /// Prepares.
    Prepare,
    /// Commits, and what comes after them.
    Commit,
}

impl Phase {
    /// The phase that a message belongs to.
    #[must_use]
    pub const fn of(message: &Message) -> Self {
        match message {
            Message::ViewChange(_) | Message::NewView(_) | Message::Status(_) => Self::Beginning,
            Message::PrePrepare(_) | Message::Forward(_) => Self::PrePrepare,
            Message::Prepare(_) => Self::Prepare,
            _ => Self::Commit,
        }
    }
}

impl Scene {
    /// The scene with this number.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        let from = match number & 3 {
            0 => Phase::Beginning,
            1 => Phase::PrePrepare,
            2 => Phase::Prepare,
            _ => Phase::Commit,
        };
        Self { primary: number >> 6, sides: number >> 2 & 15, from }
    }

    /// Whether a message gets from one instance to another.
    #[must_use]
    pub fn hears(&self, from: usize, to: usize, message: &Message) -> bool {
        let side = |instance: usize| (self.sides as usize) << 1 >> instance & 1;
        (side(from) == side(to)) || (Phase::of(message) as u8) < (self.from as u8)
    }

    /// The next view after `view` with the wanted primary.
    fn next_view(self, view: View) -> View {
        let mut next = view.next();
        while next.value() % 4 != u64::from(self.primary) {
            next = next.next();
        }
        next
    }
}

/// What can be wrong with a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Two batches were decided for one number.
    Disagreement(Seq),
    /// Two correct replicas executed different things.
    ExecutionDiffers(Seq),
    /// A correct replica was blamed.
    WronglyBlamed(u16),
    /// A replica's own rules are broken.
    Invariant(String),
    /// Not everything was executed after the end of all partitions.
    Stuck,
}

/// A case that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which.
    pub case: u16,
    /// How.
    pub wrong: Wrong,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = scenes(self.case);
        write!(f, "case {}: {:?}\n  first view: {first:?}\n  second view: {second:?}", self.case, self.wrong)
    }
}

/// The two scenes of a case.
#[must_use]
pub const fn scenes(case: u16) -> [Scene; 2] {
    let [first, second] = case.to_be_bytes();
    [Scene::new(first), Scene::new(second)]
}

/// How a case ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Numbers that were decided.
    pub decided: usize,
    /// Of these, before the partitions ended.
    pub decided_apart: usize,
    /// Whether somebody was proven faulty.
    pub evidence: bool,
    /// The latest view.
    pub view: View,
}

/// Plays one case.
///
/// # Errors
/// What was wrong.
pub fn play(case: u16) -> Result<Seen, Wrong> {
    let mut cast = Cast::new();
    let mut view = View::ZERO;
    for scene in scenes(case) {
        view = scene.next_view(view);
        cast.play(scene, view)?;
    }
    let decided_apart = cast.decided();
    cast.reunite()?;
    let (evidence, view) = (cast.evidence(), cast.latest_view());
    Ok(Seen { decided: cast.decided(), decided_apart, evidence, view })
}

/// What came of many cases.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many there were.
    pub cases: u32,
    /// In how many something was decided before the partitions ended.
    pub decided_apart: u32,
    /// In how many a twin was proven faulty.
    pub evidence: u32,
    /// What went wrong.
    pub failures: Vec<Failure>,
}

/// Plays `count` cases on all cores: all of them, or a sample that a seed chooses. `on_done` hears of each.
pub fn play_many(count: u32, seed: u64, mut on_done: impl FnMut()) -> Summary {
    let next = AtomicU32::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut summary = Summary::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(case) = case_at(next.fetch_add(1, Ordering::Relaxed), count, seed) {
                    if sender.send((case, play(case))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (case, played) in receiver {
            on_done();
            summary.cases += 1;
            match played {
                Ok(seen) => {
                    summary.decided_apart += u32::from(seen.decided_apart > 0);
                    summary.evidence += u32::from(seen.evidence);
                }
                Err(wrong) => summary.failures.push(Failure { case, wrong }),
            }
        }
    });
    summary.failures.sort_by_key(|failure| failure.case);
    summary
}

/// The case in this place: all of them in order, or a sample.
fn case_at(place: u32, count: u32, seed: u64) -> Option<u16> {
    if place >= count {
        return None;
    }
    let case = if count >= CASES {
        u64::from(place)
    } else {
        Rng::stream(seed, "twins").of(0, u64::from(place)).below(u64::from(CASES))
    };
    u16::try_from(case).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_as_many_scenes_as_choices() {
        let scenes: Vec<_> = (0..=u8::MAX).map(Scene::new).collect();
        let different: BTreeSet<_> = scenes.iter().map(|scene| format!("{scene:?}")).collect();
        assert_eq!(different.len(), 256);
        let count = |values: BTreeSet<u8>| values.len();
        assert_eq!(count(scenes.iter().map(|scene| scene.primary).collect()), 4);
        assert_eq!(count(scenes.iter().map(|scene| scene.sides).collect()), 16);
        assert_eq!(count(scenes.iter().map(|scene| scene.from as u8).collect()), 4);
    }

    #[test]
    fn the_second_view_comes_after_the_first() {
        let scene = Scene { primary: 1, sides: 0, from: Phase::Commit };
        assert_eq!(scene.next_view(View::ZERO), View::new(1));
        assert_eq!(scene.next_view(View::new(1)), View::new(5));
    }
}
