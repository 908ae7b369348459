//! The default buffer: clients take turns, urgent requests first.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::{BatchLimits, BufferLimits, BufferRefusal, Lane, RequestBuffer, Waiting};
use crate::{
    ids::{ClientId, RequestId, RequestNumber},
    message::Request,
};

/// Round robin over clients within each lane; each client's requests by number.
#[derive(Debug)]
pub struct FairBuffer {
    limits: BufferLimits,
    entries: BTreeMap<RequestId, Entry>,
    lanes: [Turns; 2],
    per_client: BTreeMap<ClientId, usize>,
    by_age: BTreeSet<(Duration, RequestId)>,
    held_bytes: usize,
    waiting: Waiting,
    normal_first: bool,
}

#[derive(Debug)]
struct Entry {
    request: Request,
    lane: Lane,
    since: Duration,
    taken: bool,
}

/// Whose turn it is in one lane: a client has a turn if, and only if, it has waiting numbers.
#[derive(Debug, Default)]
struct Turns {
    order: BTreeMap<u64, ClientId>,
    clients: BTreeMap<ClientId, WaitingClient>,
    last_turn: u64,
}

#[derive(Debug)]
struct WaitingClient {
    turn: u64,
    numbers: BTreeSet<RequestNumber>,
}

impl Turns {
    fn push(&mut self, id: RequestId) {
        if let Some(client) = self.clients.get_mut(&id.client) {
            client.numbers.insert(id.number);
        } else {
            self.queue(id.client, BTreeSet::from([id.number]));
        }
    }

    fn queue(&mut self, client: ClientId, numbers: BTreeSet<RequestNumber>) {
        self.last_turn = self.last_turn.saturating_add(1);
        self.order.insert(self.last_turn, client);
        self.clients.insert(client, WaitingClient { turn: self.last_turn, numbers });
    }

    /// The lowest number of the client whose turn it is. The turn stays until `pass`.
    fn peek(&self) -> Option<RequestId> {
        let (_, client) = self.order.first_key_value()?;
        let number = *self.clients.get(client)?.numbers.first()?;
        Some(RequestId { client: *client, number })
    }

    /// The lowest number of each client.
    fn first_of_each(&self) -> impl Iterator<Item = RequestId> {
        let first = |(client, waiting): (&ClientId, &WaitingClient)| {
            Some(RequestId { client: *client, number: *waiting.numbers.first()? })
        };
        self.clients.iter().filter_map(first)
    }

    /// Takes what `peek` showed and gives the turn to the next client.
    fn pass(&mut self) {
        let Some((_, client)) = self.order.pop_first() else { return };
        let Some(mut waiting) = self.clients.remove(&client) else { return };
        waiting.numbers.pop_first();
        if !waiting.numbers.is_empty() {
            self.queue(client, waiting.numbers);
        }
    }

    fn remove(&mut self, id: &RequestId) {
        let Some(client) = self.clients.get_mut(&id.client) else { return };
        client.numbers.remove(&id.number);
        if client.numbers.is_empty() {
            let turn = client.turn;
            self.clients.remove(&id.client);
            self.order.remove(&turn);
        }
    }
}

impl FairBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(limits: BufferLimits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            lanes: [Turns::default(), Turns::default()],
            per_client: BTreeMap::new(),
            by_age: BTreeSet::new(),
            held_bytes: 0,
            waiting: Waiting::default(),
            normal_first: false,
        }
    }

    const fn lane(&mut self, lane: Lane) -> &mut Turns {
        let [urgent, normal] = &mut self.lanes;
        match lane {
            Lane::Urgent => urgent,
            Lane::Normal => normal,
        }
    }

    fn has_room_for(&self, request: &Request) -> bool {
        self.entries.len() < self.limits.requests
            && self.held_bytes.saturating_add(request.operation.len()) <= self.limits.bytes
            && self.per_client.get(&request.client).is_none_or(|held| *held < self.limits.requests_per_client)
    }

    fn forget(&mut self, id: &RequestId) {
        let Some(entry) = self.entries.remove(id) else { return };
        let bytes = entry.request.operation.len();
        self.by_age.remove(&(entry.since, *id));
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        if let Some(held) = self.per_client.get_mut(&id.client) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.per_client.remove(&id.client);
            }
        }
        if !entry.taken {
            self.lane(entry.lane).remove(id);
            self.no_longer_waiting(bytes);
        }
    }

    const fn no_longer_waiting(&mut self, bytes: usize) {
        self.waiting.requests = self.waiting.requests.saturating_sub(1);
        self.waiting.bytes = self.waiting.bytes.saturating_sub(bytes);
    }

    /// Moves requests of one lane into `batch` while it stays within `limits`.
    fn fill(&mut self, lane: Lane, limits: BatchLimits, bytes: &mut usize, batch: &mut Vec<Request>) {
        while batch.len() < limits.requests {
            let Some(id) = self.lane(lane).peek() else { return };
            let Some(entry) = self.entries.get_mut(&id) else { return };
            let size = entry.request.operation.len();
            let total = bytes.saturating_add(size);
            if total > limits.bytes {
                return;
            }
            *bytes = total;
            entry.taken = true;
            batch.push(entry.request.clone());
            self.lane(lane).pass();
            self.no_longer_waiting(size);
        }
    }
}

impl RequestBuffer for FairBuffer {
    // what is not taken leaves no trace.
    fn offer(&mut self, now: Duration, lane: Lane, request: Request) -> Result<(), BufferRefusal> {
        let id = request.id();
        if let Some(entry) = self.entries.get(&id) {
            let same = entry.request == request;
            return Err(if same { BufferRefusal::Duplicate } else { BufferRefusal::NumberInUse });
        }
        if !self.has_room_for(&request) {
            return Err(BufferRefusal::Full);
        }
        let bytes = request.operation.len();
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        self.waiting.requests = self.waiting.requests.saturating_add(1);
        self.waiting.bytes = self.waiting.bytes.saturating_add(bytes);
        let held = self.per_client.entry(id.client).or_default();
        *held = held.saturating_add(1);
        self.by_age.insert((now, id));
        self.lane(lane).push(id);
        self.entries.insert(id, Entry { request, lane, since: now, taken: false });
        Ok(())
    }

    //
    fn take(&mut self, limits: BatchLimits) -> Vec<Request> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        if !self.normal_first {
            let share = |limit: usize| limit.saturating_sub(limit / 10).max(1);
            let urgent = BatchLimits { requests: share(limits.requests), bytes: share(limits.bytes) };
            self.fill(Lane::Urgent, urgent, &mut bytes, &mut batch);
        }
        let urgent = batch.len();
        self.fill(Lane::Normal, limits, &mut bytes, &mut batch);
        // A normal request that was too large for what was left goes first next time.
        self.normal_first = batch.len() == urgent && self.lane(Lane::Normal).peek().is_some();
        self.fill(Lane::Urgent, limits, &mut bytes, &mut batch);
        batch
    }

    fn proposed(&mut self, ids: &[RequestId]) {
        for id in ids {
            let Some(entry) = self.entries.get_mut(id).filter(|entry| !entry.taken) else { continue };
            entry.taken = true;
            let (lane, size) = (entry.lane, entry.request.operation.len());
            self.lane(lane).remove(id);
            self.no_longer_waiting(size);
        }
    }

    fn release(&mut self) {
        let [urgent, normal] = &mut self.lanes;
        for (id, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.taken) {
            entry.taken = false;
            match entry.lane {
                Lane::Urgent => urgent.push(*id),
                Lane::Normal => normal.push(*id),
            }
            self.waiting.requests = self.waiting.requests.saturating_add(1);
            self.waiting.bytes = self.waiting.bytes.saturating_add(entry.request.operation.len());
        }
    }

    fn settle(&mut self, ids: &[RequestId]) {
        for id in ids {
            self.forget(id);
        }
    }

    fn overdue(&mut self, now: Duration, since: Duration, limits: BatchLimits) -> Vec<Request> {
        let expired = now.saturating_sub(self.limits.time_to_live);
        while let Some((_, id)) = self.by_age.first().copied().filter(|(age, _)| *age < expired) {
            self.forget(&id);
        }
        let mut bytes = 0usize;
        let old = self.by_age.iter().take_while(|(age, _)| *age <= since);
        let waiting = old.filter_map(|(_, id)| self.entries.get(id)).filter(|entry| !entry.taken);
        waiting
            .take(limits.requests)
            .take_while(|entry| {
                bytes = bytes.saturating_add(entry.request.operation.len());
                bytes <= limits.bytes
            })
            .map(|entry| entry.request.clone())
            .collect()
    }

    fn next_in_turn(&mut self, _now: Duration, since: Duration) -> Vec<RequestId> {
        // Asked for all the time; mostly nothing is old, and there may be very many clients.
        if self.by_age.first().is_none_or(|(oldest, _)| *oldest > since) {
            return Vec::new();
        }
        let is_old = |id: &RequestId| self.entries.get(id).is_some_and(|entry| entry.since <= since);
        self.lanes.iter().flat_map(Turns::first_of_each).filter(is_old).collect()
    }

    fn waiting(&self) -> Waiting {
        self.waiting
    }

    fn oldest(&self) -> Option<(RequestId, Duration)> {
        let waits = |id: &RequestId| self.entries.get(id).is_some_and(|entry| !entry.taken);
        self.by_age.iter().find(|(_, id)| waits(id)).map(|(since, id)| (*id, *since))
    }
}
