//! Who may connect, and who is connected.

use core::sync::atomic::{AtomicU64, Ordering};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use pbft_core::ReplicaId;
use pbft_crypto::PublicKey;
use tokio::sync::{Notify, oneshot};

use super::{
    config::{REPLICA_FRAME_BYTES, TransportConfig, TransportLimits},
    cut_off::{CutOff, CutOffCounts, Who},
    hello::{Refusal, Role},
    protocol::{ClientAnswer, ConnectionId, Share},
    queue::{NotQueued, QueueReceiver, QueueSender, queue},
};
use crate::tls::{AllowedKeys, TlsError};

/// All keys that are allowed here, and their connections.
#[derive(Debug)]
pub(crate) struct Peers {
    id: ReplicaId,
    clients: Vec<PublicKey>,
    known: RwLock<BTreeMap<PublicKey, Arc<Known>>>,
    /// The keys of `known`, as TLS looks at them.
    allowed: AllowedKeys,
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
    pub(crate) fn new(config: &TransportConfig) -> Result<Arc<Self>, TlsError> {
        let peers = Self {
            id: config.id,
            clients: config.clients.clone(),
            known: RwLock::default(),
            allowed: AllowedKeys::default(),
            seats: Mutex::default(),
            next: AtomicU64::new(0),
            limits: config.limits,
            cut_offs: CutOffCounts::default(),
        };
        peers.let_in(config.replicas.members().iter().copied())?;
        Ok(Arc::new(peers))
    }

    /// These replicas may connect from now on, and the clients as before. Who keeps key and id keeps all else.
    pub(crate) fn let_in(
        &self,
        replicas: impl IntoIterator<Item = (ReplicaId, PublicKey)>,
    ) -> Result<(), TlsError> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let replicas = replicas.into_iter().map(|(id, key)| (key, Some(id)));
        let wanted: BTreeMap<_, _> = self.clients.iter().map(|key| (*key, None)).chain(replicas).collect();
        self.allowed.replace(wanted.keys().copied())?;
        let mut seats = self.lock();
        for (key, before) in known.iter() {
            let after = wanted.get(key).copied().flatten().filter(|id| *id != self.id);
            if let Some(gone) = before.replica.filter(|id| Some(*id) != after) {
                seats.replicas.remove(&gone);
            }
        }
        let keep = |(key, id): (PublicKey, Option<ReplicaId>)| {
            // Nobody else is this replica.
            let replica = id.filter(|id| *id != self.id);
            let before = known.get(&key).filter(|before| before.replica == replica).cloned();
            (key, before.unwrap_or_else(|| Arc::new(self.newcomer(replica))))
        };
        let next = wanted.into_iter().map(keep).collect();
        *known = next;
        Ok(())
    }

    fn newcomer(&self, replica: Option<ReplicaId>) -> Known {
        Known {
            replica,
            as_replica: Share::new(self.limits.replica_inbound_bytes, REPLICA_FRAME_BYTES),
            as_client: Share::new(self.limits.client_inbound_bytes, self.limits.client_frame_bytes),
            seen: Arc::default(),
        }
    }

    /// The keys that may connect at all.
    pub(crate) const fn allowed(&self) -> &AllowedKeys {
        &self.allowed
    }

    fn owner(&self, key: &PublicKey) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Frames and bytes received from the replica with this key.
    pub(crate) fn received(&self, key: &PublicKey) -> (u64, u64) {
        self.owner(key).map_or((0, 0), |known| known.as_replica.taken())
    }

    /// What is told when a replica with this key connects.
    pub(crate) fn seen(&self, key: &PublicKey) -> Arc<Notify> {
        self.owner(key).map_or_else(Arc::default, |known| known.seen.clone())
    }

    /// Lets the owner of `key` in, in that role. A replica that is in already is replaced: the older connection is dead,
    /// or will be.
    pub(crate) fn seat(self: &Arc<Self>, key: PublicKey, role: Role) -> Result<Seated, CutOff> {
        // Held until it has its seat: else others could be let in meanwhile, and it would take the seat of the one who
        // has come after it.
        let all = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&key).ok_or(CutOff::UnknownKey)?;
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
            if let Some(left_out) = self.cut_offs.count(CutOff::ClientTooSlow, Who::Client) {
                tracing::warn!(%connection, left_out, "a client does not read its answers: cut off");
            }
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

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::TryLockError,
        thread,
        time::{Duration, Instant},
    };

    use pbft_core::config::ReplicaSet;
    use pbft_crypto::{Digest, KeyPair};

    use super::*;

    const OTHER: ReplicaId = ReplicaId::new(1);

    fn key() -> PublicKey {
        KeyPair::generate().public_key()
    }

    fn peers(own: PublicKey, other: PublicKey) -> Arc<Peers> {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let config = TransportConfig {
            id: ReplicaId::new(0),
            cluster: Digest::ZERO,
            replicas: ReplicaSet::new(vec![own, other]),
            addresses: vec![nowhere; 2],
            clients: Vec::new(),
            limits: TransportLimits::default(),
        };
        Peers::new(&config).unwrap()
    }

    fn replica_seat(peers: &Arc<Peers>, key: PublicKey) -> Result<Seated, CutOff> {
        peers.seat(key, Role::Replica(OTHER))
    }

    /// Waits until something holds, and goes on holding.
    fn is_lasting(holds: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if (0..1_000).all(|_| {
                thread::yield_now();
                holds()
            }) {
                return true;
            }
        }
        false
    }

    /// Whoever is on the way to a seat has it before others are let in, and loses it then; or comes too late for it.
    #[test]
    fn an_old_key_is_not_seated_once_another_one_is_let_in() {
        let (own, old, new) = (key(), key(), key());
        let peers = peers(own, old);
        let busy = peers.lock();
        let on_its_way = {
            let peers = peers.clone();
            thread::spawn(move || replica_seat(&peers, old))
        };
        // It has been recognised, and waits for the seats.
        let known_is_held = || matches!(peers.known.try_write(), Err(TryLockError::WouldBlock));
        assert!(is_lasting(known_is_held), "who is known must not change meanwhile");
        drop(busy);
        let mut seated = on_its_way.join().unwrap().unwrap();
        peers.let_in([(ReplicaId::new(0), own), (OTHER, new)]).unwrap();
        assert_eq!(seated.stopped.try_recv(), Err(oneshot::error::TryRecvError::Closed), "it is cut off");
        let mut real = replica_seat(&peers, new).unwrap();
        assert_eq!(replica_seat(&peers, old).unwrap_err(), CutOff::UnknownKey);
        drop(seated);
        assert_eq!(real.stopped.try_recv(), Err(oneshot::error::TryRecvError::Empty), "the real one stays");
    }
}
