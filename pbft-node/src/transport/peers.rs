//! Who may connect, and who is connected.

use core::sync::atomic::{AtomicU64, Ordering};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pbft_core::ReplicaId;
use pbft_crypto::PublicKey;
use tokio::sync::{Notify, oneshot};

use super::{
    config::{REPLICA_FRAME_BYTES, TransportConfig, TransportLimits},
    cut_off::{CutOff, CutOffCounts},
    hello::{Refusal, Role},
    protocol::{ClientAnswer, ConnectionId, Share},
    queue::{NotQueued, QueueReceiver, QueueSender, queue},
};

/// All keys that are allowed here, and their connections.
#[derive(Debug)]
pub(crate) struct Peers {
    known: BTreeMap<PublicKey, Known>,
    seats: Mutex<Seats>,
    next: AtomicU64,
    limits: TransportLimits,
    pub(crate) cut_offs: CutOffCounts,
}

/// What belongs to one key, over all its connections.
#[derive(Debug)]
struct Known {
    replica: Option<ReplicaId>,
    as_replica: Arc<Share>,
    as_client: Arc<Share>,
    /// Told when it connects.
    seen: Arc<Notify>,
}

/// The connections that are in use. Who is taken out of here is cut off: its `stop` is dropped.
#[derive(Debug, Default)]
struct Seats {
    replicas: BTreeMap<ReplicaId, ReplicaSeat>,
    clients: BTreeMap<ConnectionId, ClientSeat>,
}

#[derive(Debug)]
struct ReplicaSeat {
    number: u64,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug)]
struct ClientSeat {
    key: PublicKey,
    answers: QueueSender<ClientAnswer>,
    _stop: oneshot::Sender<()>,
}

/// A connection's right to be served, until `stopped` resolves. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Seated {
    peers: Arc<Peers>,
    number: u64,
    pub(crate) share: Arc<Share>,
    pub(crate) stopped: oneshot::Receiver<()>,
    pub(crate) as_what: SeatedAs,
}

#[derive(Debug)]
pub(crate) enum SeatedAs {
    Replica(ReplicaId),
    Client(ConnectionId, QueueReceiver<ClientAnswer>),
}

impl Peers {
    pub(crate) fn new(config: &TransportConfig) -> Arc<Self> {
        let limits = config.limits;
        let replica_keys = config.replicas.ids().filter_map(|id| config.replicas.key(id));
        let known = |key: &PublicKey| {
            let replica = config.replicas.replica_with(key);
            Known {
                // Nobody else is this replica.
                replica: replica.filter(|id| *id != config.id),
                as_replica: Share::new(limits.replica_inbound_bytes, REPLICA_FRAME_BYTES),
                as_client: Share::new(limits.client_inbound_bytes, limits.client_frame_bytes),
                seen: Arc::default(),
            }
        };
        Arc::new(Self {
            known: replica_keys.chain(&config.clients).map(|key| (*key, known(key))).collect(),
            seats: Mutex::default(),
            next: AtomicU64::new(0),
            limits,
            cut_offs: CutOffCounts::default(),
        })
    }

    /// The keys that may connect at all.
    pub(crate) fn keys(&self) -> impl Iterator<Item = PublicKey> {
        self.known.keys().copied()
    }

    /// Frames and bytes received from the replica with this key.
    pub(crate) fn received(&self, key: &PublicKey) -> (u64, u64) {
        self.known.get(key).map_or((0, 0), |known| known.as_replica.taken())
    }

    /// What is told when a replica with this key connects.
    pub(crate) fn seen(&self, key: Option<&PublicKey>) -> Arc<Notify> {
        key.and_then(|key| self.known.get(key)).map_or_else(Arc::default, |known| known.seen.clone())
    }

    /// Lets the owner of `key` in, in that role. A replica that is in already is replaced: the older connection is dead,
    /// or will be.
    pub(crate) fn seat(self: &Arc<Self>, key: PublicKey, role: Role) -> Result<Seated, CutOff> {
        let known = self.known.get(&key).ok_or(CutOff::UnknownKey)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (stop, stopped) = oneshot::channel();
        let mut seats = self.lock();
        let (as_what, share) = match role {
            Role::Replica(id) if known.replica == Some(id) => {
                seats.replicas.insert(id, ReplicaSeat { number, _stop: stop });
                known.seen.notify_one();
                (SeatedAs::Replica(id), &known.as_replica)
            }
            Role::Replica(_) => return Err(CutOff::Refused(Refusal::WrongReplica)),
            Role::Client => {
                let of_this = seats.clients.values().filter(|seat| seat.key == key).count();
                if of_this >= self.limits.connections_per_client
                    || seats.clients.len() >= self.limits.client_connections
                {
                    return Err(CutOff::Refused(Refusal::TooManyClients));
                }
                let (answers, receiver) = queue(self.limits.answers);
                let id = ConnectionId::new(number);
                seats.clients.insert(id, ClientSeat { key, answers, _stop: stop });
                (SeatedAs::Client(id, receiver), &known.as_client)
            }
        };
        drop(seats);
        Ok(Seated { peers: self.clone(), number, share: share.clone(), stopped, as_what })
    }

    /// Queues an answer. A client that is so slow that there is no room for it is cut off; one that is gone is ignored.
    pub(crate) fn answer(&self, connection: ConnectionId, answer: ClientAnswer) {
        let mut seats = self.lock();
        let Some(seat) = seats.clients.get(&connection) else { return };
        if seat.answers.push(answer) == Err(NotQueued::Full) {
            seats.clients.remove(&connection);
            drop(seats);
            self.cut_offs.count(CutOff::ClientTooSlow);
            tracing::warn!(%connection, "a client does not read its answers: cut off");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut seats = self.peers.lock();
        match &self.as_what {
            SeatedAs::Replica(id) => {
                if seats.replicas.get(id).is_some_and(|seat| seat.number == self.number) {
                    seats.replicas.remove(id);
                }
            }
            SeatedAs::Client(id, _) => {
                seats.clients.remove(id);
            }
        }
    }
}
