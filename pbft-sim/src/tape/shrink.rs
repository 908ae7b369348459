//! Makes a failing run small: leaves things out, as long as the same promise is broken (Zeller and Hildebrandt,
//! "Simplifying and isolating failure-inducing input", TSE '02).

use core::time::Duration;
use std::time::Instant;

use super::Tape;
use crate::{
    customer::Wish,
    mishap::{Link, Mishap},
    oracle::Signatures,
    service::{ServiceKind, Verb},
};

/// How much may be tried.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// So many runs.
    pub runs: u64,
    /// So long.
    pub time: Duration,
}

impl Default for Effort {
    fn default() -> Self {
        Self { runs: 2_000, time: Duration::from_secs(60) }
    }
}

/// What is left.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest run that was found.
    pub tape: Tape,
    /// How many runs it took.
    pub runs: u64,
}

/// Makes `tape` smaller while it breaks the promise called `name`.
#[must_use]
pub fn shrink(tape: Tape, name: &str, effort: Effort) -> Shrunk {
    let mut search = Search { name, effort, began: Instant::now(), runs: 0 };
    let mut tape = search.simpler(tape);
    loop {
        let before = size(&tape);
        tape = search.fewer_mishaps(tape);
        tape = search.fewer_people(tape);
        tape = search.fewer_wishes(tape);
        tape = search.simpler(tape);
        if size(&tape) >= before || search.is_spent() {
            return Shrunk { tape, runs: search.runs };
        }
    }
}

fn size(tape: &Tape) -> usize {
    let plan = &tape.plan;
    tape.mishaps.len() + tape.requests() + plan.byzantine.len() + plan.outside.len() + usize::from(plan.n)
}

struct Search<'a> {
    name: &'a str,
    effort: Effort,
    began: Instant,
    runs: u64,
}

impl Search<'_> {
    fn is_spent(&self) -> bool {
        self.runs >= self.effort.runs || self.began.elapsed() >= self.effort.time
    }

    fn fails(&mut self, tape: &Tape) -> bool {
        if self.is_spent() {
            return false;
        }
        self.runs += 1;
        tape.run(false).violation.is_some_and(|violation| violation.name() == self.name)
    }

    fn fewer_mishaps(&mut self, tape: Tape) -> Tape {
        let mishaps = minimal(tape.mishaps.clone(), |fewer| {
            self.fails(&Tape { mishaps: fewer.to_vec(), ..tape.clone() })
        });
        Tape { mishaps, ..tape }
    }

    /// Fewer liars, fewer replicas that are gone.
    fn fewer_people(&mut self, mut tape: Tape) -> Tape {
        let mut attempt = tape.clone();
        tape.plan.byzantine = minimal(tape.plan.byzantine.clone(), |fewer| {
            attempt.plan.byzantine = fewer.to_vec();
            self.fails(&attempt)
        });
        let mut attempt = tape.clone();
        tape.plan.outside = minimal(tape.plan.outside.clone(), |fewer| {
            attempt.plan.outside = fewer.to_vec();
            self.fails(&attempt)
        });
        tape
    }

    /// Clients keep their places, and with them their names.
    fn fewer_wishes(&mut self, tape: Tape) -> Tape {
        let places = tape.clients.iter().enumerate();
        let all: Vec<(usize, Wish)> =
            places.flat_map(|(client, wishes)| wishes.iter().map(move |wish| (client, *wish))).collect();
        let clients = |wishes: &[(usize, Wish)]| {
            let of = |client| wishes.iter().filter(move |(of, _)| *of == client).map(|(_, wish)| *wish);
            (0..tape.clients.len()).map(|client| of(client).collect()).collect::<Vec<Vec<_>>>()
        };
        let fewer = minimal(all, |fewer| self.fails(&Tape { clients: clients(fewer), ..tape.clone() }));
        Tape { clients: clients(&fewer), ..tape }
    }

    fn simpler(&mut self, mut tape: Tape) -> Tape {
        for simplify in SIMPLER {
            let mut attempt = tape.clone();
            simplify(&mut attempt);
            if attempt != tape && self.fails(&attempt) {
                tape = attempt;
            }
        }
        tape
    }
}

/// Leaves out ever smaller parts of a list, as long as `fails` says that nothing is lost by it.
fn minimal<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut part = items.len();
    while part > 0 {
        let mut start = 0;
        while start < items.len() {
            let end = items.len().min(start + part);
            let fewer = [&items[..start], &items[end..]].concat();
            if fails(&fewer) {
                items = fewer;
            } else {
                start = end;
            }
        }
        part = if part == 1 { 0 } else { part.div_ceil(2) };
    }
    items
}

/// Each makes one thing plain.
const SIMPLER: [fn(&mut Tape); 18] = [
    |tape| {
        // They count for nothing on a tape.
        let network = &mut tape.plan.network;
        (network.drop, network.repeat, network.late) = (0, 0, 0);
        let faults = &mut tape.plan.faults;
        (faults.crash, faults.sync_fails, faults.disk_full) = (0, 0, 0);
        (faults.blackouts, faults.partitions, faults.clock_jumps) = (0, 0, 0);
    },
    |tape| {
        // Spares have the numbers after the members'.
        let n = tape.plan.n;
        (tape.plan.spares, tape.plan.changes) = (0, 0);
        keep_only(tape, n);
    },
    |tape| smaller(tape, 4),
    |tape| smaller(tape, 7),
    |tape| tape.plan.network.slow = 0,
    |tape| tape.plan.network.keeps_order = true,
    |tape| tape.plan.network.delay.1 = tape.plan.network.delay.0,
    |tape| tape.plan.sync.1 = tape.plan.sync.0,
    |tape| tape.plan.execute = (Duration::ZERO, Duration::ZERO),
    |tape| tape.plan.skew = Duration::ZERO,
    |tape| tape.plan.durable_service = false,
    |tape| tape.plan.service = ServiceKind::Recording,
    |tape| tape.plan.signatures = Signatures::Ideal,
    |tape| tape.plan.tuning.rotation_period = 0,
    |tape| tape.plan.tuning.eager_in_flight = 1,
    |tape| tape.plan.tuning.max_in_flight = 1,
    |tape| tape.plan.workload.in_flight = 1,
    |tape| tape.plan.heal_at /= 2,
];

/// A smaller cluster: what speaks of others goes.
fn smaller(tape: &mut Tape, n: u16) {
    if n >= tape.plan.n {
        return;
    }
    let faulty = usize::from((n - 1) / 3);
    tape.plan.n = n;
    (tape.plan.spares, tape.plan.changes) = (0, 0);
    keep_only(tape, n);
    tape.plan.byzantine.truncate(faulty);
    tape.plan.outside.truncate(faulty - tape.plan.byzantine.len());
}

/// Nothing is said of others than the first `n` replicas any more.
fn keep_only(tape: &mut Tape, n: u16) {
    let is_in = |replica: pbft_core::ReplicaId| replica.value() < n;
    tape.plan.byzantine.retain(|(liar, _)| is_in(*liar));
    tape.plan.outside.retain(|gone| is_in(*gone));
    tape.clients
        .iter_mut()
        .for_each(|wishes| wishes.retain(|wish| !matches!(wish.verb, Verb::Change | Verb::Rekey)));
    tape.mishaps.retain(|mishap| match mishap {
        Mishap::Crash { replica, .. }
        | Mishap::DiskFails { replica, .. }
        | Mishap::ClockSet { replica, .. }
        | Mishap::Away { replica, .. }
        | Mishap::Wiped { replica, .. } => is_in(*replica),
        Mishap::Lost(link, _) | Mishap::Repeated(link, _) | Mishap::Late(link, _) => match *link {
            Link::Peers(from, to) => is_in(from) && is_in(to),
            Link::Ask(replica) | Link::Answer(replica) => is_in(replica),
        },
        Mishap::Blackout { .. } | Mishap::Partition { .. } => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_two_that_matter_together() {
        let mut tried = 0;
        let left = minimal((0..100).collect(), |items: &[u32]| {
            tried += 1;
            items.contains(&17) && items.contains(&61)
        });
        assert_eq!(left, [17, 61]);
        assert!(tried < 60, "{tried}");
        assert!(minimal(vec![1, 2, 3], |_| true).is_empty());
        assert_eq!(minimal(vec![1, 2, 3], |_| false), [1, 2, 3]);
    }
}
