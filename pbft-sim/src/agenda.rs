//! Virtual time: what happens next, in the order of (time, id). Nothing else decides an order.

use core::{cmp::Ordering, time::Duration};
use std::collections::BinaryHeap;

/// Events to come.
#[derive(Debug)]
pub struct Agenda<E> {
    heap: BinaryHeap<Entry<E>>,
    next_id: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Duration,
    id: u64,
    event: E,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), next_id: 0 }
    }
}

impl<E> Agenda<E> {
    /// Adds an event. Of two at the same time the one that was added first comes first.
    pub fn at(&mut self, at: Duration, event: E) {
        let id = self.next_id;
        self.next_id += 1;
        self.heap.push(Entry { at, id, event });
    }

    /// The next event, with its time.
    pub fn pop(&mut self) -> Option<(Duration, E)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Reversed: the heap gives the greatest first, and the earliest is wanted.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.id).cmp(&(self.at, self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_then_in_order_of_arrival() {
        let mut agenda = Agenda::default();
        for (millis, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            agenda.at(Duration::from_millis(millis), event);
        }
        let order: String = std::iter::from_fn(|| agenda.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "abcd");
    }
}
