//! The client's half of the protocol, without I/O: sends requests to all replicas, again if need be, and believes an
//! answer when `f + 1` replicas give the same one. Questions about the state need a quorum ([`Client::read`]).
//!
//! Requests go to every replica from the start, not to the primary alone: each replica must hear of a request to
//! answer it and to notice a primary that leaves it out, and signatures are checked before the proposal arrives.

mod reads;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use pbft_crypto::Digest;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::reads::Reads;
pub use self::reads::{Found, FoundAnswer};
use crate::{
    config::ReplicaSet,
    ids::{ReadNumber, ReplicaId, RequestId, Seq},
    message::{DeclineReason, Read, Reply, Request},
    quorum::QuorumSizes,
    service::Outcome,
};

/// A client's bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientConfig {
    /// The number of replicas at first; their ids are those below it.
    pub replicas: u16,
    /// How long to wait before a request is sent again; doubles each time, up to eight times as long.
    pub retry_after: Duration,
    /// How long to wait at all.
    pub give_up_after: Duration,
    /// How long a quorum has to agree on the answer to a question; then it goes the ordered way.
    pub read_within: Duration,
    /// How many requests and questions may be outstanding.
    pub max_outstanding: usize,
}

impl ClientConfig {
    /// The usual choices for a cluster of `replicas`.
    #[must_use]
    pub const fn new(replicas: u16) -> Self {
        Self {
            replicas,
            retry_after: Duration::from_secs(1),
            give_up_after: Duration::from_secs(30),
            read_within: Duration::from_millis(600),
            max_outstanding: 20_000,
        }
    }
}

/// What `f + 1` replicas agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Which request.
    pub id: RequestId,
    /// Where it was executed.
    pub seq: Seq,
    /// What came of it.
    pub outcome: Outcome,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClientError {
    /// This client has too many requests outstanding.
    #[error("too many requests are outstanding")]
    TooManyOutstanding,
    /// Another request with this id is outstanding.
    #[error("another request with this number is outstanding")]
    NumberInUse,
    /// `f + 1` replicas decline it for the same reason.
    #[error("declined: {0:?}")]
    Declined(DeclineReason),
    /// Too few replicas answered in time. It may still be executed: ask again with the same request.
    #[error("no agreement of {needed} replicas within the time limit ({answered} answered)")]
    TimedOut {
        /// How many answers of any kind there were.
        answered: usize,
        /// How many equal ones are needed.
        needed: usize,
    },
    /// No quorum shows the same state, and there is no request that asks the same in order.
    #[error("no quorum of {needed} replicas shows the same state ({answered} do)")]
    NoQuorum {
        /// How many replicas said the same at most.
        answered: usize,
        /// How many are needed.
        needed: usize,
    },
}

/// One thing for the host to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEffect {
    /// Send to every replica.
    SendToAll(Request),
    /// The request is answered.
    Accepted(Accepted),
    /// The request has no answer.
    Failed(RequestId, ClientError),
    /// Call [`Client::on_timer`] then. Replaces the time set before.
    SetTimer(Duration),
    /// Put this question to every replica.
    ReadFromAll(Read),
    /// The question is answered.
    Found(Found),
    /// The question has no answer.
    ReadFailed(ReadNumber, ClientError),
}

/// What one replica said last about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Reply(Seq, Outcome),
    Decline(DeclineReason),
}

#[derive(Clone, Debug)]
struct Outstanding {
    request: Request,
    digest: Digest,
    since: Duration,
    retry_at: Duration,
    retry_after: Duration,
    answers: BTreeMap<ReplicaId, Answer>,
}

/// Any number of requests on their way.
#[derive(Clone, Debug)]
pub struct Client {
    config: ClientConfig,
    sizes: QuorumSizes,
    /// Whose answers count.
    members: BTreeSet<ReplicaId>,
    outstanding: BTreeMap<RequestId, Outstanding>,
    reads: Reads,
    armed: Option<Duration>,
}

impl Client {
    /// A client without requests.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        let sizes = QuorumSizes::of(config.replicas);
        let members = (0..config.replicas).map(ReplicaId::new).collect();
        Self { config, sizes, members, outstanding: BTreeMap::new(), reads: Reads::default(), armed: None }
    }

    /// Others took over ([`crate::roster`]): from now on the answers of these replicas count, and what others said of
    /// requests that are on their way is forgotten.
    pub fn follow(&mut self, replicas: &ReplicaSet) {
        self.sizes = replicas.sizes();
        self.members = replicas.ids().collect();
        self.reads.follow(replicas);
        for outstanding in self.outstanding.values_mut() {
            outstanding.answers.retain(|replica, _| self.members.contains(replica));
        }
    }

    /// Sends a request. The same request again only sends it once more.
    ///
    /// # Errors
    /// If it cannot be taken; nothing is remembered of it then.
    pub fn submit(
        &mut self,
        now: Duration,
        request: Request,
        effects: &mut Vec<ClientEffect>,
    ) -> Result<(), ClientError> {
        let id = request.id();
        if let Some(outstanding) = self.outstanding.get(&id) {
            if outstanding.request != request {
                return Err(ClientError::NumberInUse);
            }
        } else if self.outstanding.len() >= self.config.max_outstanding {
            return Err(ClientError::TooManyOutstanding);
        } else {
            let retry_after = self.config.retry_after;
            let retry_at = now.saturating_add(retry_after);
            let (digest, answers, request) = (request.digest(), BTreeMap::new(), request.clone());
            let outstanding = Outstanding { request, digest, since: now, retry_at, retry_after, answers };
            self.outstanding.insert(id, outstanding);
        }
        effects.push(ClientEffect::SendToAll(request));
        self.arm(now, effects);
        Ok(())
    }

    /// A replica has answered.
    pub fn on_reply(&mut self, from: ReplicaId, reply: Reply, effects: &mut Vec<ClientEffect>) {
        let asked = self.outstanding.get(&reply.id).map(|outstanding| outstanding.digest);
        if asked != Some(reply.request) {
            return;
        }
        self.on_answer(from, reply.id, Answer::Reply(reply.seq, reply.outcome), effects);
    }

    /// A replica does not take the request.
    pub fn on_decline(
        &mut self,
        from: ReplicaId,
        id: RequestId,
        reason: DeclineReason,
        effects: &mut Vec<ClientEffect>,
    ) {
        self.on_answer(from, id, Answer::Decline(reason), effects);
    }

    /// A replica's last word counts; `f + 1` equal ones include a correct replica's.
    fn on_answer(&mut self, from: ReplicaId, id: RequestId, answer: Answer, effects: &mut Vec<ClientEffect>) {
        if !self.members.contains(&from) {
            return;
        }
        let Some(outstanding) = self.outstanding.get_mut(&id) else { return };
        outstanding.answers.insert(from, answer.clone());
        let equal = outstanding.answers.values().filter(|other| **other == answer).count();
        if equal < self.sizes.weak() {
            return;
        }
        self.outstanding.remove(&id);
        self.finish(
            id,
            match answer {
                Answer::Reply(seq, outcome) => Ok(Accepted { id, seq, outcome }),
                Answer::Decline(reason) => Err(ClientError::Declined(reason)),
            },
            effects,
        );
    }

    /// What became of a request, told as whoever asked for it expects it.
    fn finish(&mut self, id: RequestId, end: Result<Accepted, ClientError>, effects: &mut Vec<ClientEffect>) {
        effects.push(match (self.reads.take_ordered(&id), end) {
            (None, Ok(accepted)) => ClientEffect::Accepted(accepted),
            (None, Err(error)) => ClientEffect::Failed(id, error),
            (Some(number), Ok(accepted)) => {
                ClientEffect::Found(Found { number, answer: FoundAnswer::Ordered(accepted) })
            }
            (Some(number), Err(error)) => ClientEffect::ReadFailed(number, error),
        });
    }

    /// Sends again what has no answer yet, and gives up on what is too old.
    pub fn on_timer(&mut self, now: Duration, effects: &mut Vec<ClientEffect>) {
        self.armed = None;
        let oldest = now.saturating_sub(self.config.give_up_after);
        let (needed, longest) = (self.sizes.weak(), self.config.retry_after.saturating_mul(8));
        let mut failed = Vec::new();
        self.outstanding.retain(|id, outstanding| {
            if outstanding.since < oldest {
                let answered = outstanding.answers.len();
                failed.push((*id, ClientError::TimedOut { answered, needed }));
                return false;
            }
            if outstanding.retry_at <= now {
                outstanding.retry_after = outstanding.retry_after.saturating_mul(2).min(longest);
                outstanding.retry_at = now.saturating_add(outstanding.retry_after);
                effects.push(ClientEffect::SendToAll(outstanding.request.clone()));
            }
            true
        });
        failed.into_iter().for_each(|(id, error)| self.finish(id, Err(error), effects));
        self.on_read_timer(now, effects);
        self.arm(now, effects);
    }

    /// One timer for all requests and questions, a few times per retry period.
    fn arm(&mut self, now: Duration, effects: &mut Vec<ClientEffect>) {
        let requests = (!self.outstanding.is_empty()).then_some(self.config.retry_after);
        let reads = (self.reads.len() > 0).then_some(self.config.read_within);
        let Some(period) = requests.into_iter().chain(reads).min() else { return };
        let at = now.saturating_add(period.checked_div(4).unwrap_or_default());
        if self.armed.is_none_or(|armed| armed > at) {
            self.armed = Some(at);
            effects.push(ClientEffect::SetTimer(at));
        }
    }

    /// How many requests have no answer yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{ClientId, RequestNumber, View},
        message::Operation,
    };

    fn request(operation: u8) -> Request {
        let client = ClientId::from_bytes([1; 32]);
        Request { client, number: RequestNumber::new(1), operation: Operation::new(vec![operation]) }
    }

    fn reply(result: u8) -> Reply {
        let outcome = Outcome::Applied(vec![result]);
        let request = request(0);
        Reply { view: View::ZERO, seq: Seq::new(9), id: request.id(), request: request.digest(), outcome }
    }

    fn client() -> (Client, Vec<ClientEffect>) {
        let mut effects = Vec::new();
        let mut client = Client::new(ClientConfig::new(4));
        client.submit(Duration::ZERO, request(0), &mut effects).unwrap();
        effects.clear();
        (client, effects)
    }

    #[test]
    fn one_liar_convinces_nobody() {
        let (mut client, mut effects) = client();
        for _ in 0..10 {
            client.on_reply(ReplicaId::new(3), reply(66), &mut effects);
        }
        client.on_reply(ReplicaId::new(7), reply(66), &mut effects);
        assert_eq!(effects, []);
        client.on_reply(ReplicaId::new(0), reply(5), &mut effects);
        client.on_reply(ReplicaId::new(1), reply(5), &mut effects);
        let [ClientEffect::Accepted(accepted)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(accepted.outcome, Outcome::Applied(vec![5]));
        assert_eq!(client.outstanding(), 0);
    }

    #[test]
    fn after_a_change_the_new_replicas_are_believed() {
        let (mut client, mut effects) = client();
        client.on_reply(ReplicaId::new(0), reply(5), &mut effects);
        let key = pbft_crypto::KeyPair::generate().public_key();
        client.follow(&ReplicaSet::of([1, 2, 3, 9].map(|id| (ReplicaId::new(id), key))));
        client.on_reply(ReplicaId::new(0), reply(5), &mut effects);
        client.on_reply(ReplicaId::new(1), reply(5), &mut effects);
        assert_eq!(effects, [], "replica 0 has left");
        client.on_reply(ReplicaId::new(9), reply(5), &mut effects);
        assert!(matches!(effects[..], [ClientEffect::Accepted(_)]));
    }

    #[test]
    fn sends_again_and_gives_up_in_the_end() {
        let (mut client, mut effects) = client();
        client.on_timer(Duration::from_millis(1100), &mut effects);
        assert!(effects.contains(&ClientEffect::SendToAll(request(0))));
        effects.clear();
        client.on_timer(Duration::from_secs(31), &mut effects);
        let timed_out = ClientError::TimedOut { answered: 0, needed: 2 };
        assert!(effects.contains(&ClientEffect::Failed(request(0).id(), timed_out)));
    }

    #[test]
    fn declines_must_agree_too() {
        let (mut client, mut effects) = client();
        client.on_decline(ReplicaId::new(0), request(0).id(), DeclineReason::Busy, &mut effects);
        client.on_decline(ReplicaId::new(1), request(0).id(), DeclineReason::TooLarge, &mut effects);
        assert_eq!(effects, []);
        client.on_decline(ReplicaId::new(2), request(0).id(), DeclineReason::Busy, &mut effects);
        assert_eq!(
            effects,
            [ClientEffect::Failed(request(0).id(), ClientError::Declined(DeclineReason::Busy))]
        );
    }

    #[test]
    fn outstanding_requests_are_bounded_and_named_once() {
        let mut client = Client::new(ClientConfig { max_outstanding: 1, ..ClientConfig::new(4) });
        let mut effects = Vec::new();
        client.submit(Duration::ZERO, request(0), &mut effects).unwrap();
        assert_eq!(client.submit(Duration::ZERO, request(1), &mut effects), Err(ClientError::NumberInUse));
        let other = Request { number: RequestNumber::new(2), ..request(0) };
        assert_eq!(client.submit(Duration::ZERO, other, &mut effects), Err(ClientError::TooManyOutstanding));
    }
}
