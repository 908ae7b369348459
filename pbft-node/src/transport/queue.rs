//! A queue with two bounds, count and bytes, that never makes its sender wait.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;

/// How much memory something holds, roughly.
pub(crate) trait Weight {
    fn weight(&self) -> usize;
}

impl Weight for Bytes {
    fn weight(&self) -> usize {
        self.len()
    }
}

/// What a queue holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// How many items.
    pub count: usize,
    /// How many bytes.
    pub bytes: usize,
}

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotQueued {
    #[error("the queue is full")]
    Full,
    #[error("the queue's reader is gone")]
    Closed,
}

/// The end that puts items in, from any thread.
#[derive(Debug)]
pub(crate) struct QueueSender<T> {
    items: mpsc::Sender<T>,
    bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// The end that takes items out.
#[derive(Debug)]
pub(crate) struct QueueReceiver<T> {
    items: mpsc::Receiver<T>,
    bytes: Arc<AtomicUsize>,
    /// The weight of what was taken out last: it counts until the next call.
    in_hand: usize,
}

pub(crate) fn queue<T: Weight>(limits: QueueLimits) -> (QueueSender<T>, QueueReceiver<T>) {
    let (sender, receiver) = mpsc::channel(limits.count.clamp(1, mpsc_limit()));
    let bytes = Arc::new(AtomicUsize::new(0));
    (
        QueueSender { items: sender, bytes: bytes.clone(), max_bytes: limits.bytes },
        QueueReceiver { items: receiver, bytes, in_hand: 0 },
    )
}

const fn mpsc_limit() -> usize {
    tokio::sync::Semaphore::MAX_PERMITS
}

impl<T: Weight> QueueSender<T> {
    /// Never waits: what does not fit is not taken.
    pub(crate) fn push(&self, item: T) -> Result<(), NotQueued> {
        let weight = item.weight();
        let before = self.bytes.fetch_add(weight, Ordering::Relaxed);
        let sent = if before.saturating_add(weight) > self.max_bytes {
            Err(NotQueued::Full)
        } else {
            self.items.try_send(item).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => NotQueued::Full,
                mpsc::error::TrySendError::Closed(_) => NotQueued::Closed,
            })
        };
        if sent.is_err() {
            self.bytes.fetch_sub(weight, Ordering::Relaxed);
        }
        sent
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl<T: Weight> QueueReceiver<T> {
    /// Waits for something, and then takes up to `limit` of what is there. Returns 0 when all senders are gone. What
    /// was taken counts as held until the next call.
    pub(crate) async fn take(&mut self, items: &mut Vec<T>, limit: usize) -> usize {
        self.release();
        let count = self.items.recv_many(items, limit).await;
        self.in_hand = items.iter().rev().take(count).map(Weight::weight).sum();
        count
    }

    /// Whether all senders are gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.items.is_closed()
    }

    /// Throws away what is there, and says how much it was.
    pub(crate) fn clear(&mut self) -> usize {
        let mut count = 0;
        while let Ok(item) = self.items.try_recv() {
            self.in_hand = self.in_hand.saturating_add(item.weight());
            count += 1;
        }
        self.release();
        count
    }

    fn release(&mut self) {
        self.bytes.fetch_sub(core::mem::take(&mut self.in_hand), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(length: usize) -> Bytes {
        Bytes::from(vec![0; length])
    }

    #[tokio::test]
    async fn both_bounds_hold_and_what_is_taken_makes_room_at_the_next_call() {
        let (sender, mut receiver) = queue(QueueLimits { count: 3, bytes: 100 });
        assert_eq!(sender.push(item(60)), Ok(()));
        assert_eq!(sender.push(item(41)), Err(NotQueued::Full));
        assert_eq!(sender.push(item(40)), Ok(()));
        let mut taken = Vec::new();
        assert_eq!(receiver.take(&mut taken, 1).await, 1);
        assert_eq!(sender.push(item(1)), Err(NotQueued::Full), "what is in hand counts");
        assert_eq!(receiver.take(&mut taken, 10).await, 1);
        for _ in 0..3 {
            assert_eq!(sender.push(item(0)), Ok(()));
        }
        assert_eq!(sender.push(item(0)), Err(NotQueued::Full), "the count is bounded, too");
        assert_eq!(receiver.clear(), 3);
        assert_eq!(sender.bytes(), 0);
        drop(receiver);
        assert_eq!(sender.push(item(1)), Err(NotQueued::Closed));
        assert_eq!(sender.bytes(), 0);
    }
}
