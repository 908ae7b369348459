//! The network: decides what becomes of each message.

use core::time::Duration;
use std::{collections::BTreeMap, sync::Arc};

use pbft_core::ReplicaId;
use serde::{Deserialize, Serialize};

use crate::{
    mishap::{Link, MessageFate, Mishap, Script},
    plan::NetworkPlan,
    rng::Rng,
};

/// Links between replicas, and to clients.
#[derive(Debug)]
pub struct Network {
    plan: NetworkPlan,
    rng: Rng,
    n: usize,
    healed: bool,
    partition: Option<Partition>,
    /// The latest arrival on each link, for runs in which links keep the order.
    last: Vec<Duration>,
    /// How many messages each link was given.
    counts: BTreeMap<Link, u64>,
    /// What goes wrong, if it is not left to chance.
    script: Option<Arc<Script>>,
    /// What went wrong, if that is wanted.
    happened: Option<Vec<Mishap>>,
}

/// Who does not hear whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Partition {
    /// Two sides: bit `i` says on which one replica `i` is.
    Sides(u64),
    /// The same, but side 0 still hears side 1.
    OneWay(u64),
    /// Each of `n` replicas hears its two neighbours only, so no quorum hears each other.
    Ring(u16),
}

impl Partition {
    fn cuts(self, from: ReplicaId, to: ReplicaId) -> bool {
        let side = |sides: u64, replica: ReplicaId| sides >> replica.index() & 1;
        match self {
            Self::Sides(sides) => side(sides, from) != side(sides, to),
            Self::OneWay(sides) => side(sides, from) == 0 && side(sides, to) == 1,
            Self::Ring(n) => ![1, n - 1].contains(&from.value().abs_diff(to.value())),
        }
    }
}

/// What becomes of one message: when each copy arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// The message, unless it is lost.
    pub first: Option<Duration>,
    /// A second copy.
    pub second: Option<Duration>,
    /// Whether a partition swallowed it.
    pub cut: bool,
    /// Whether it was held up.
    pub late: bool,
    /// Whether its link is slow.
    pub slow: bool,
}

impl Network {
    /// The network of a plan.
    #[must_use]
    pub fn new(plan: NetworkPlan, n: u16, rng: Rng) -> Self {
        let n = usize::from(n);
        Self {
            plan,
            rng,
            n,
            healed: false,
            partition: None,
            last: vec![Duration::ZERO; n * n],
            counts: BTreeMap::new(),
            script: None,
            happened: None,
        }
    }

    /// Nothing is left to chance but how long messages take.
    pub fn follow(&mut self, script: Arc<Script>) {
        self.script = Some(script);
    }

    /// Takes down what goes wrong.
    pub fn record(&mut self) {
        self.happened = Some(Vec::new());
    }

    /// What went wrong.
    pub fn happened(&mut self) -> Vec<Mishap> {
        self.happened.take().unwrap_or_default()
    }

    /// From now on nothing is lost, repeated or cut off any more.
    pub const fn heal(&mut self) {
        self.healed = true;
        self.partition = None;
    }

    /// Cuts the replicas into two sides, or joins them again.
    pub const fn set_partition(&mut self, partition: Option<Partition>) {
        self.partition = partition;
    }

    /// What becomes of a message between replicas.
    pub fn between(&mut self, now: Duration, from: ReplicaId, to: ReplicaId) -> Fate {
        if self.partition.is_some_and(|partition| partition.cuts(from, to)) {
            return Fate { cut: true, ..Fate::default() };
        }
        let slow = !self.healed && (self.plan.slow >> from.index() | self.plan.slow >> to.index()) & 1 == 1;
        let mut fate = self.fate(if slow { now + self.plan.slowness } else { now }, Link::Peers(from, to));
        fate.slow = slow;
        if self.plan.keeps_order {
            let last = &mut self.last[from.index() * self.n + to.index()];
            for arrival in [&mut fate.first, &mut fate.second].into_iter().flatten() {
                *arrival = (*arrival).max(*last);
                *last = *arrival;
            }
        }
        fate
    }

    /// What becomes of a message on a link.
    pub fn fate(&mut self, now: Duration, link: Link) -> Fate {
        let count = self.counts.entry(link).or_default();
        let nth = *count;
        *count += 1;
        let mut rng = self.rng.of(link.number(), nth);
        let arrival = now + rng.span(self.plan.delay);
        if self.healed {
            return Fate { first: Some(arrival), ..Fate::default() };
        }
        let (chance, lateness, again) = (
            MessageFate {
                lost: rng.chance(self.plan.drop),
                late: rng.chance(self.plan.late),
                repeated: rng.chance(self.plan.repeat),
            },
            rng.span((Duration::ZERO, self.plan.lateness)),
            rng.span(self.plan.delay) * 4,
        );
        let MessageFate { lost, late, repeated } =
            self.script.as_ref().map_or(chance, |script| script.message(link, nth));
        self.take_down(link, nth, [lost, repeated, late]);
        let arrival = if late { arrival + lateness } else { arrival };
        let second = repeated.then(|| arrival + again);
        Fate { first: (!lost).then_some(arrival), second, cut: false, late, slow: false }
    }

    fn take_down(&mut self, link: Link, nth: u64, [lost, repeated, late]: [bool; 3]) {
        let Some(happened) = &mut self.happened else { return };
        let all = [
            (lost, Mishap::Lost(link, nth)),
            (repeated, Mishap::Repeated(link, nth)),
            (late, Mishap::Late(link, nth)),
        ];
        happened.extend(all.into_iter().filter(|(is, _)| *is).map(|(_, mishap)| mishap));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_cut_across_and_one_way_only_from_side_zero() {
        let (a, b, c) = (ReplicaId::new(0), ReplicaId::new(1), ReplicaId::new(2));
        let both = Partition::Sides(0b010);
        assert!(both.cuts(a, b) && both.cuts(b, a) && !both.cuts(a, c));
        let one_way = Partition::OneWay(0b010);
        assert!(one_way.cuts(a, b) && !one_way.cuts(b, a));
        let ring = Partition::Ring(4);
        assert!(ring.cuts(a, c) && !ring.cuts(a, b) && !ring.cuts(a, ReplicaId::new(3)));
    }
}
