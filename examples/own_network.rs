//! Your own network: the core asks only that messages arrive sometimes. Here one of three is lost, on channels between
//! threads, and the counter still gets every request executed once, in one order.
//!
//! ```sh
//! cargo run --release --example own_network
//! cargo test --example own_network    # whether it keeps the rules of the port
//! ```

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use pbft_core::{
    ClientId, Config, Effect, Input, Message, Now, Replica, ReplicaId, Request, RequestNumber, UnixMillis,
    ValidConfig,
    config::ReplicaSet,
    crypto::{Crypto, P256Crypto},
    message::{Operation, Reply},
    network::Network,
    replica::EmptyLog,
    request_buffer::FairBuffer,
    service::{AdmitAll, Outcome},
    storage::{Log, MemoryLog},
    verify::Verifier,
};
use pbft_crypto::{Digest, KeyPair};

const REPLICAS: u16 = 4;
const REQUESTS: u64 = 200;

/// What travels to a replica: a message of another one, or a client's request.
enum Packet {
    Peer(ReplicaId, Message),
    Client(Request),
}

/// Channels that lose one message of three.
struct LossyChannels {
    from: ReplicaId,
    peers: Vec<Sender<Packet>>,
    /// Goes on with each message.
    chance: u64,
    lost: Arc<AtomicU64>,
}

impl LossyChannels {
    /// Not every third one: a broadcast is three messages, and the same replica would miss them all. The multiples of the
    /// golden ratio jump about evenly.
    const fn loses_the_next(&mut self) -> bool {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.chance < u64::MAX / 3
    }
}

impl Network for LossyChannels {
    fn send(&mut self, to: ReplicaId, message: &Message) {
        if self.loses_the_next() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // A peer that is gone is one more way to lose a message.
        let _ = self.peers[to.index()].send(Packet::Peer(self.from, message.clone()));
    }

    fn broadcast(&mut self, message: &Message) {
        let own = self.from;
        for to in (0..REPLICAS).map(ReplicaId::new).filter(|to| *to != own) {
            self.send(to, message);
        }
    }
}

/// One replica's thread: feeds inputs, carries out effects. Ends when the client hangs up.
fn run(
    id: ReplicaId,
    key: KeyPair,
    config: Arc<ValidConfig>,
    mut network: LossyChannels,
    inbox: &Receiver<Packet>,
    client: &Sender<(ReplicaId, Reply)>,
) {
    let crypto: Arc<dyn Crypto> = Arc::new(P256Crypto::new(key));
    let buffer = Box::new(FairBuffer::new(config.buffer.clone()));
    let recovered = Replica::recover(id, config.clone(), crypto.clone(), buffer, Vec::new(), EmptyLog::New);
    let mut replica = recovered.expect("an empty log is valid").replica;
    let verifier = Verifier::new(config, crypto, Arc::new(AdmitAll));
    let (started, mut log, mut timer, mut total) =
        (Instant::now(), MemoryLog::default(), Duration::ZERO, 0u64);
    let mut inputs = vec![Input::Start];
    loop {
        let elapsed = started.elapsed();
        let now = Now { elapsed, wall: UnixMillis::new(1_700_000_000_000).plus(elapsed) };
        for input in std::mem::take(&mut inputs) {
            let mut effects = Vec::new();
            replica.step(now, input, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Persist(position, record) => {
                        let Ok(()) = log.append(position, &record);
                        let Ok(durable) = log.sync();
                        inputs.push(Input::Durable(durable));
                    }
                    Effect::Send(to, message) => network.send(to, &message),
                    Effect::Broadcast(message) => network.broadcast(&message),
                    Effect::Execute { batch, .. } => {
                        total += batch.requests.len() as u64;
                        let outcome = Outcome::Applied(total.to_le_bytes().to_vec());
                        let outcomes = batch.requests.iter().map(|_| outcome.clone()).collect();
                        let executed = pbft_core::service::Executed::new(outcomes);
                        inputs.push(Input::Executed { executed, checkpoint: None });
                    }
                    Effect::Reply(reply) => {
                        if client.send((id, reply)).is_err() {
                            return;
                        }
                    }
                    Effect::SetTimer(at) => timer = at,
                    Effect::TruncateLog(_)
                    | Effect::Decline { .. }
                    | Effect::Certified(_)
                    | Effect::Evidence(_)
                    | Effect::Reconfigured(_)
                    | Effect::CheckpointTooLarge { .. }
                    | Effect::Diverged { .. }
                    | Effect::Transfer(_)
                    | Effect::ViewChange { .. }
                    | Effect::StateLost(_)
                    // Nobody asks questions here.
                    | Effect::ReadReply { .. }
                    // Nothing is kept for peers here: no checkpoint is ever made.
                    | Effect::Ask(_) => {}
                }
            }
        }
        if !inputs.is_empty() {
            continue;
        }
        match inbox.recv_timeout(timer.saturating_sub(started.elapsed())) {
            Ok(Packet::Peer(from, message)) => {
                inputs.extend(verifier.verify(vec![(from, message)]).into_iter().flatten().flatten());
            }
            Ok(Packet::Client(request)) => inputs.extend(verifier.admit(vec![request]).into_iter().flatten()),
            Err(RecvTimeoutError::Timeout) => inputs.push(Input::Timer),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn main() {
    let keys: Vec<_> = (0..REPLICAS).map(|_| KeyPair::generate()).collect();
    let replicas = ReplicaSet::new(keys.iter().map(KeyPair::public_key).collect());
    let config = Config { status_period: Duration::from_millis(20), ..Config::new(Digest::ZERO, replicas) };
    let config = Arc::new(config.validate().expect("the usual choices fit together"));
    let (senders, inboxes): (Vec<_>, Vec<_>) = keys.iter().map(|_| mpsc::channel()).unzip();
    let (replies, answers) = mpsc::channel();
    let lost = Arc::new(AtomicU64::new(0));
    for ((id, key), inbox) in config.replicas.ids().zip(keys).zip(inboxes) {
        let network = LossyChannels { from: id, peers: senders.clone(), chance: 0, lost: lost.clone() };
        let (config, replies) = (config.clone(), replies.clone());
        thread::spawn(move || run(id, key, config, network, &inbox, &replies));
    }

    let started = Instant::now();
    for number in (0..REQUESTS).map(RequestNumber::new) {
        let client = ClientId::from_bytes([7; 32]);
        let request = Request { client, number, operation: Operation::new(b"one more".to_vec()) };
        for replica in &senders {
            replica.send(Packet::Client(request.clone())).expect("replicas run until we are done");
        }
    }
    // Requests are executed when two replicas (f + 1) say the same of each.
    let mut said = std::collections::BTreeMap::new();
    let mut agreed = 0;
    while agreed < REQUESTS {
        let (_, reply) = answers.recv_timeout(Duration::from_secs(30)).expect("the cluster makes progress");
        let count = said.entry((reply.id, reply.seq, reply.outcome.as_bytes().to_vec())).or_insert(0);
        *count += 1;
        agreed += u64::from(*count == 2);
    }
    println!(
        "{agreed} requests executed by {REPLICAS} replicas in {:?}, although {} messages were lost",
        started.elapsed(),
        lost.load(Ordering::Relaxed)
    );
}

#[cfg(test)]
mod tests {
    use pbft_core::conformance;

    use super::*;

    /// What is lost may be lost, as long as it arrives when it is sent again and again.
    #[test]
    fn lossy_channels_keep_the_rules_of_a_network() {
        let (peers, inboxes): (Vec<_>, Vec<_>) = (0..REPLICAS).map(|_| mpsc::channel()).unzip();
        let members: Vec<_> = (0..REPLICAS).map(ReplicaId::new).collect();
        let lost = Arc::new(AtomicU64::new(0));
        for from in members.iter().copied() {
            let mut network = LossyChannels { from, peers: peers.clone(), chance: 0, lost: lost.clone() };
            let received = || {
                let mut received = Vec::new();
                for (at, inbox) in members.iter().zip(&inboxes) {
                    for packet in inbox.try_iter() {
                        let Packet::Peer(from, message) = packet else { panic!("nobody asks for anything") };
                        received.push((*at, from, message));
                    }
                }
                received
            };
            conformance::network(&mut network, from, &members, received).unwrap();
        }
        assert!(lost.load(Ordering::Relaxed) > 0);
    }
}
