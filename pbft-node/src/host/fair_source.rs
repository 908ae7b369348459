//! Which message is verified next: senders take turns. One that sends more than its turn lets by waits by itself, however
//! much of the processor its signatures would take (deficit round robin: Shreedhar and Varghese, SIGCOMM '95).

use std::collections::{BTreeMap, VecDeque};

use pbft_core::ReplicaId;
use tokio::sync::mpsc;

use crate::transport::{ConnectionId, Inbound};

/// How many bytes of one sender are verified in its turn. A signature takes 64 bytes, so bytes bound the checks.
const TURN_BYTES: i64 = 16 << 10;

/// How much is taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Portion {
    /// So many events at most.
    pub(crate) events: usize,
    /// No more once there are so many bytes.
    pub(crate) bytes: i64,
}

/// All that has come in and was not verified. How much that can be is bounded by the senders' shares of memory.
pub(crate) struct FairSource {
    incoming: mpsc::Receiver<Inbound>,
    replicas: Turns<ReplicaId>,
    /// Together they take as many turns as the replicas together.
    clients: Turns<ConnectionId>,
}

struct Turns<K> {
    order: VecDeque<K>,
    senders: BTreeMap<K, Sender>,
    waiting: usize,
}

#[derive(Default)]
struct Sender {
    events: VecDeque<Inbound>,
    /// Below zero after a long message: its next turns pay for that.
    credit: i64,
}

impl FairSource {
    pub(crate) fn new(incoming: mpsc::Receiver<Inbound>) -> Self {
        Self { incoming, replicas: Turns::new(), clients: Turns::new() }
    }

    /// Waits for something to come, and takes a portion. If it takes nothing, nothing will come any more.
    pub(crate) fn take(&mut self, portion: Portion, into: &mut Vec<Inbound>) {
        self.sort_in_all();
        if self.is_empty() {
            let Some(event) = self.incoming.blocking_recv() else { return };
            self.sort_in(event);
            self.sort_in_all();
        }
        let mut left = portion;
        while left.events > 0 && left.bytes > 0 && !self.is_empty() {
            self.replicas.turn(&mut left, into);
            self.clients.turn(&mut left, into);
        }
    }

    const fn is_empty(&self) -> bool {
        self.replicas.waiting == 0 && self.clients.waiting == 0
    }

    fn sort_in_all(&mut self) {
        while let Ok(event) = self.incoming.try_recv() {
            self.sort_in(event);
        }
    }

    fn sort_in(&mut self, event: Inbound) {
        match &event {
            Inbound::Replica { from, .. } => self.replicas.push(*from, event),
            Inbound::Client { connection, .. } | Inbound::ClientGone(connection) => {
                self.clients.push(*connection, event);
            }
        }
    }
}

impl<K: Ord + Copy> Turns<K> {
    const fn new() -> Self {
        Self { order: VecDeque::new(), senders: BTreeMap::new(), waiting: 0 }
    }

    fn push(&mut self, from: K, event: Inbound) {
        let order = &mut self.order;
        let sender = self.senders.entry(from).or_insert_with(|| {
            order.push_back(from);
            Sender::default()
        });
        sender.events.push_back(event);
        self.waiting = self.waiting.saturating_add(1);
    }

    /// Takes what the next sender's turn lets by.
    fn turn(&mut self, left: &mut Portion, into: &mut Vec<Inbound>) {
        // With no room left its turn would be lost.
        if left.events == 0 {
            return;
        }
        let Some(from) = self.order.pop_front() else { return };
        let Some(sender) = self.senders.get_mut(&from) else { return };
        sender.credit = sender.credit.saturating_add(TURN_BYTES).min(TURN_BYTES);
        while sender.credit > 0
            && left.events > 0
            && let Some(event) = sender.events.pop_front()
        {
            let weight = weight(&event);
            sender.credit = sender.credit.saturating_sub(weight);
            left.bytes = left.bytes.saturating_sub(weight);
            left.events = left.events.saturating_sub(1);
            self.waiting = self.waiting.saturating_sub(1);
            into.push(event);
        }
        // Who owes something stays, also with nothing to say: else one long message after the other would cost nothing.
        if sender.events.is_empty() && sender.credit >= 0 {
            self.senders.remove(&from);
        } else {
            self.order.push_back(from);
        }
    }
}

fn weight(event: &Inbound) -> i64 {
    match event {
        Inbound::Replica { quota, .. } | Inbound::Client { quota, .. } => {
            i64::try_from(quota.bytes()).unwrap_or(i64::MAX)
        }
        Inbound::ClientGone(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pbft_core::{Message, Seq, message::Fetch};

    use super::*;
    use crate::transport::Share;

    /// What a sender whose frames take up so many bytes sends.
    async fn said(from: u16, after: u64, bytes: usize) -> Inbound {
        let share: Arc<Share> = Share::new(bytes, bytes);
        let quota = share.take(bytes).await.unwrap();
        let message = Message::Fetch(Fetch { after: Seq::new(after) });
        Inbound::Replica { from: ReplicaId::new(from), message, quota }
    }

    const fn at_most(events: usize) -> Portion {
        Portion { events, bytes: i64::MAX }
    }

    fn senders(events: &[Inbound]) -> Vec<u16> {
        let from = |event: &Inbound| match event {
            Inbound::Replica { from, .. } => from.value(),
            _ => u16::MAX,
        };
        events.iter().map(from).collect()
    }

    async fn source(events: Vec<Inbound>) -> FairSource {
        let (to, incoming) = mpsc::channel(events.len().max(1));
        for event in events {
            to.send(event).await.unwrap();
        }
        FairSource::new(incoming)
    }

    async fn flood(from: u16, count: u64, bytes: usize) -> Vec<Inbound> {
        let mut events = Vec::new();
        for after in 0..count {
            events.push(said(from, after, bytes).await);
        }
        events
    }

    #[tokio::test]
    async fn mistake_32_who_sends_a_few_does_not_wait_for_who_sends_many() {
        let mut events = flood(3, 10_000, 100).await;
        events.extend(flood(1, 5, 100).await);
        let mut source = source(events).await;
        let mut taken = Vec::new();
        source.take(at_most(256), &mut taken);
        let from = senders(&taken);
        assert_eq!((taken.len(), from.iter().filter(|from| **from == 1).count()), (256, 5));
    }

    /// Each message that asks for many checks of signatures uses up several turns, also if it comes alone.
    #[tokio::test]
    async fn mistake_32_long_messages_are_paid_for() {
        let mut events = flood(3, 50, 160 << 10).await;
        for from in 0..3 {
            events.extend(flood(from, 1_000, 100).await);
        }
        let mut source = source(events).await;
        let mut taken = Vec::new();
        source.take(at_most(1_000), &mut taken);
        let long = senders(&taken).into_iter().filter(|from| *from == 3).count();
        assert!((1..=2).contains(&long), "{long}");
        let mut rest = Vec::new();
        source.take(at_most(10_000), &mut rest);
        assert_eq!(taken.len() + rest.len(), 3_050, "none is lost");
    }

    /// What comes first is handed on before all that came with it is checked.
    #[tokio::test]
    async fn long_messages_are_taken_a_few_at_a_time() {
        let mut source = source(flood(3, 50, 40 << 10).await).await;
        let mut portions = Vec::new();
        while portions.iter().sum::<usize>() < 50 {
            let mut taken = Vec::new();
            source.take(Portion { events: 256, bytes: 100 << 10 }, &mut taken);
            portions.push(taken.len());
        }
        assert!(portions.iter().all(|count| (1..=3).contains(count)), "{portions:?}");
    }

    #[tokio::test]
    async fn each_senders_messages_keep_their_order() {
        let mut events = Vec::new();
        for after in 0..100 {
            events.extend([said(1, after, 3_000).await, said(2, after, 100).await]);
        }
        let mut source = source(events).await;
        let mut taken = Vec::new();
        source.take(at_most(200), &mut taken);
        for sender in [1, 2] {
            let numbers = taken.iter().filter_map(|event| match event {
                Inbound::Replica { from, message: Message::Fetch(fetch), .. } if from.value() == sender => {
                    Some(fetch.after.value())
                }
                _ => None,
            });
            assert!(numbers.eq(0..100));
        }
    }

    #[test]
    fn the_end_is_noticed() {
        let (to, incoming) = mpsc::channel(1);
        drop(to);
        let mut taken = Vec::new();
        FairSource::new(incoming).take(at_most(1), &mut taken);
        assert!(taken.is_empty());
    }
}
