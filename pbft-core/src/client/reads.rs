//! The client's half of quorum reads (QR): asks every replica, and believes what a quorum says alike. If there is no such
//! answer in time, the same question goes the ordered way, if the caller gave a request for that.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Accepted, Client, ClientEffect, ClientError};
use crate::{
    config::ReplicaSet,
    ids::{Epoch, ReadNumber, ReplicaId, RequestId, Seq},
    message::{Operation, Read, ReadAnswer, ReadReply, Request, Shown},
};

/// So often all replicas are asked again because their answers differ: they are at different batches while writes go on.
const MAX_ROUNDS: u32 = 4;

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which question.
    pub number: ReadNumber,
    /// What, and which way it came.
    pub answer: FoundAnswer,
}

/// Which way an answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundAnswer {
    /// A quorum showed it, without ordering anything.
    Quorum {
        /// In which epoch.
        epoch: Epoch,
        /// The last batch that the state had executed.
        executed: Seq,
        /// The service's answer.
        result: Vec<u8>,
    },
    /// A quorum did not agree in time: it was executed like any other request.
    Ordered(Accepted),
}

impl FoundAnswer {
    /// The service's answer.
    #[must_use]
    pub fn result(&self) -> &[u8] {
        match self {
            Self::Quorum { result, .. } => result,
            Self::Ordered(accepted) => accepted.outcome.as_bytes(),
        }
    }

    /// The batch after which, or in which, it holds.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Quorum { executed, .. } => *executed,
            Self::Ordered(accepted) => accepted.seq,
        }
    }
}

/// All questions on their way.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// Whose quorum counts. Without it nothing can be believed that is not ordered.
    members: Option<pbft_crypto::Digest>,
    next: ReadNumber,
    open: BTreeMap<ReadNumber, OpenRead>,
    /// The requests that were sent instead.
    ordered: BTreeMap<RequestId, ReadNumber>,
}

#[derive(Clone, Debug)]
struct OpenRead {
    query: Operation,
    fallback: Option<Request>,
    since: Duration,
    ask_again_at: Duration,
    rounds: u32,
    answers: BTreeMap<ReplicaId, ReadAnswer>,
}

impl OpenRead {
    /// How many replicas say this.
    fn support(&self, answer: &ReadAnswer) -> usize {
        self.answers.values().filter(|other| *other == answer).count()
    }

    /// The most replicas that say the same.
    fn best(&self, members: Option<pbft_crypto::Digest>) -> usize {
        let counts = |answer: &&ReadAnswer| is_of(answer, members);
        self.answers.values().filter(counts).map(|answer| self.support(answer)).max().unwrap_or_default()
    }
}

/// QR-4: only what members of the set that this client knows say in this set's name.
fn is_of(answer: &ReadAnswer, members: Option<pbft_crypto::Digest>) -> bool {
    matches!(answer, ReadAnswer::Shown(Shown { replicas, .. }) if Some(*replicas) == members)
}

impl Reads {
    /// Others took over: what was said in the name of those before proves nothing together with what these say.
    pub(super) fn follow(&mut self, replicas: &ReplicaSet) {
        self.members = Some(replicas.digest());
        self.open.values_mut().for_each(|read| read.answers.clear());
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether a request that has come to its end was sent for a question.
    pub(super) fn take_ordered(&mut self, id: &RequestId) -> Option<ReadNumber> {
        self.ordered.remove(id)
    }
}

impl Client {
    /// Asks about the state; `fallback` is the request that asks the same if no quorum agrees in time. The replicas must
    /// have been named by [`Client::follow`], else only the fallback is left.
    ///
    /// # Errors
    /// If too much is outstanding; nothing is remembered of it then.
    pub fn read(
        &mut self,
        now: Duration,
        query: Operation,
        fallback: Option<Request>,
        effects: &mut Vec<ClientEffect>,
    ) -> Result<ReadNumber, ClientError> {
        if self.outstanding.len().saturating_add(self.reads.len()) >= self.config.max_outstanding {
            return Err(ClientError::TooManyOutstanding);
        }
        let number = self.reads.next;
        self.reads.next = number.next();
        let ask_again_at = now.saturating_add(self.pause_between_reads());
        let answers = BTreeMap::new();
        let read = OpenRead { query: query.clone(), fallback, since: now, ask_again_at, rounds: 1, answers };
        self.reads.open.insert(number, read);
        if self.reads.members.is_some() {
            effects.push(ClientEffect::ReadFromAll(Read { number, query }));
            self.arm(now, effects);
        } else {
            self.fall_back(now, number, effects);
        }
        Ok(number)
    }

    /// A replica has answered a question. QR-4: its last word counts, and a quorum of equal ones is believed.
    pub fn on_read_reply(
        &mut self,
        now: Duration,
        from: ReplicaId,
        reply: ReadReply,
        effects: &mut Vec<ClientEffect>,
    ) {
        let ReadReply { number, answer } = reply;
        let (members, quorum) = (self.reads.members, self.sizes.quorum());
        let Some(read) = self.reads.open.get_mut(&number).filter(|_| self.members.contains(&from)) else {
            return;
        };
        read.answers.insert(from, answer.clone());
        if is_of(&answer, members) && read.support(&answer) >= quorum {
            self.reads.open.remove(&number);
            if let ReadAnswer::Shown(Shown { epoch, executed, result, .. }) = answer {
                let answer = FoundAnswer::Quorum { epoch, executed, result };
                effects.push(ClientEffect::Found(Found { number, answer }));
            }
            return;
        }
        let silent = self.members.len().saturating_sub(read.answers.len());
        if read.best(members).saturating_add(silent) < quorum {
            self.on_disagreement(now, number, effects);
        }
    }

    /// No quorum can come of these answers any more.
    fn on_disagreement(&mut self, now: Duration, number: ReadNumber, effects: &mut Vec<ClientEffect>) {
        let members = self.reads.members;
        let Some(read) = self.reads.open.get_mut(&number) else { return };
        // Replicas that refuse will refuse again.
        let refused = read.answers.values().filter(|answer| !is_of(answer, members)).count();
        let left = self.members.len().saturating_sub(refused);
        if read.rounds >= MAX_ROUNDS || left < self.sizes.quorum() {
            return self.fall_back(now, number, effects);
        }
        read.rounds = read.rounds.saturating_add(1);
        read.answers.clear();
        effects.push(ClientEffect::ReadFromAll(Read { number, query: read.query.clone() }));
    }

    /// QR-6: the ordered way.
    fn fall_back(&mut self, now: Duration, number: ReadNumber, effects: &mut Vec<ClientEffect>) {
        let Some(read) = self.reads.open.remove(&number) else { return };
        let Some(request) = read.fallback else {
            let (answered, needed) = (read.best(self.reads.members), self.sizes.quorum());
            let error = ClientError::NoQuorum { answered, needed };
            return effects.push(ClientEffect::ReadFailed(number, error));
        };
        let id = request.id();
        match self.submit(now, request, effects) {
            Ok(()) => drop(self.reads.ordered.insert(id, number)),
            Err(error) => effects.push(ClientEffect::ReadFailed(number, error)),
        }
    }

    /// Asks again what got lost, and sends what waited for too long the ordered way.
    pub(super) fn on_read_timer(&mut self, now: Duration, effects: &mut Vec<ClientEffect>) {
        let (within, pause) = (self.config.read_within, self.pause_between_reads());
        let mut late = Vec::new();
        for (number, read) in &mut self.reads.open {
            if now.saturating_sub(read.since) >= within {
                late.push(*number);
            } else if read.ask_again_at <= now {
                read.ask_again_at = now.saturating_add(pause);
                effects.push(ClientEffect::ReadFromAll(Read { number: *number, query: read.query.clone() }));
            }
        }
        late.into_iter().for_each(|number| self.fall_back(now, number, effects));
    }

    fn pause_between_reads(&self) -> Duration {
        self.config.read_within.checked_div(3).unwrap_or_default()
    }

    /// How many questions have no answer yet; those that went the ordered way are requests.
    #[must_use]
    pub fn open_reads(&self) -> usize {
        self.reads.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::ClientConfig,
        ids::{ClientId, RequestNumber, View},
        message::{ReadRefusal, Reply},
        service::Outcome,
    };

    fn replicas(ids: &[u16]) -> ReplicaSet {
        let key = pbft_crypto::KeyPair::from_secret_bytes(&[7; 32]).unwrap().public_key();
        ReplicaSet::of(ids.iter().map(|id| (ReplicaId::new(*id), key)))
    }

    fn fallback() -> Request {
        let (client, number) = (ClientId::from_bytes([1; 32]), RequestNumber::new(4));
        Request { client, number, operation: Operation::new(b"?".to_vec()) }
    }

    fn shown(executed: u64, result: u8) -> Shown {
        let replicas = replicas(&[0, 1, 2, 3]).digest();
        Shown { epoch: Epoch::ZERO, replicas, executed: Seq::new(executed), result: vec![result] }
    }

    fn asking(fallback: Option<Request>) -> (Client, Vec<ClientEffect>) {
        let (mut client, mut effects) = (Client::new(ClientConfig::new(4)), Vec::new());
        client.follow(&replicas(&[0, 1, 2, 3]));
        client.read(Duration::ZERO, Operation::new(b"?".to_vec()), fallback, &mut effects).unwrap();
        assert!(matches!(effects[0], ClientEffect::ReadFromAll(_)));
        effects.clear();
        (client, effects)
    }

    fn tell(client: &mut Client, from: u16, answer: ReadAnswer) -> Vec<ClientEffect> {
        let (mut effects, reply) = (Vec::new(), ReadReply { number: ReadNumber::ZERO, answer });
        client.on_read_reply(Duration::ZERO, ReplicaId::new(from), reply, &mut effects);
        effects
    }

    #[test]
    fn qr_4_a_quorum_of_distinct_members_is_believed_and_nothing_less() {
        let (mut client, _) = asking(None);
        for from in [0, 0, 1, 7, 1] {
            assert_eq!(tell(&mut client, from, ReadAnswer::Shown(shown(9, 5))), []);
        }
        let answer = FoundAnswer::Quorum { epoch: Epoch::ZERO, executed: Seq::new(9), result: vec![5] };
        let found = ClientEffect::Found(Found { number: ReadNumber::ZERO, answer });
        assert_eq!(tell(&mut client, 2, ReadAnswer::Shown(shown(9, 5))), [found]);
        assert_eq!(client.open_reads(), 0);
    }

    #[test]
    fn qr_4_answers_that_differ_in_anything_are_not_equal() {
        let others = [
            Shown { epoch: Epoch::new(1), ..shown(9, 5) },
            Shown { executed: Seq::new(8), ..shown(9, 5) },
            Shown { result: vec![6], ..shown(9, 5) },
            Shown { replicas: replicas(&[0, 1, 2, 4]).digest(), ..shown(9, 5) },
        ];
        for other in others {
            let (mut client, _) = asking(None);
            assert_eq!(tell(&mut client, 0, ReadAnswer::Shown(shown(9, 5))), []);
            assert_eq!(tell(&mut client, 1, ReadAnswer::Shown(shown(9, 5))), []);
            assert_eq!(tell(&mut client, 2, ReadAnswer::Shown(other)), []);
        }
    }

    #[test]
    fn qr_4_a_quorum_in_the_name_of_another_set_proves_nothing() {
        let (mut client, _) = asking(None);
        let other = Shown { replicas: replicas(&[0, 1, 2, 3, 4, 5, 6]).digest(), ..shown(9, 5) };
        let told: Vec<_> = (0..4)
            .flat_map(|from| tell(&mut client, from, ReadAnswer::Shown(other.clone())))
            .filter(|effect| matches!(effect, ClientEffect::Found(_)))
            .collect();
        assert_eq!(told, []);
    }

    #[test]
    fn qr_4_what_was_said_before_others_took_over_is_forgotten() {
        let (mut client, _) = asking(None);
        tell(&mut client, 0, ReadAnswer::Shown(shown(9, 5)));
        tell(&mut client, 1, ReadAnswer::Shown(shown(9, 5)));
        client.follow(&replicas(&[0, 1, 2, 3]));
        assert_eq!(tell(&mut client, 2, ReadAnswer::Shown(shown(9, 5))), []);
    }

    #[test]
    fn qr_6_replicas_that_are_at_different_batches_are_asked_again_and_then_it_is_ordered() {
        let (mut client, _) = asking(Some(fallback()));
        for round in 1..=MAX_ROUNDS {
            assert_eq!(tell(&mut client, 0, ReadAnswer::Shown(shown(1, 5))), []);
            assert_eq!(tell(&mut client, 1, ReadAnswer::Shown(shown(2, 5))), []);
            let last = tell(&mut client, 2, ReadAnswer::Shown(shown(3, 5)));
            let again = ClientEffect::SendToAll(fallback());
            match round {
                MAX_ROUNDS => assert!(last.contains(&again), "{last:?}"),
                _ => assert!(matches!(last[..], [ClientEffect::ReadFromAll(_)]), "{last:?}"),
            }
        }
        let request = fallback().digest();
        let outcome = Outcome::Applied(vec![5]);
        let reply = Reply { view: View::ZERO, seq: Seq::new(4), id: fallback().id(), request, outcome };
        let mut effects = Vec::new();
        client.on_reply(ReplicaId::new(0), reply.clone(), &mut effects);
        client.on_reply(ReplicaId::new(1), reply, &mut effects);
        let [ClientEffect::Found(found)] = &effects[..] else { panic!("{effects:?}") };
        assert!(matches!(found.answer, FoundAnswer::Ordered(_)));
        assert_eq!((found.answer.result(), found.answer.seq()), (&[5][..], Seq::new(4)));
    }

    #[test]
    fn qr_6_refusals_and_silence_lead_to_the_ordered_way() {
        let (mut client, _) = asking(Some(fallback()));
        tell(&mut client, 0, ReadAnswer::Refused(ReadRefusal::NotNow));
        let refused = tell(&mut client, 1, ReadAnswer::Refused(ReadRefusal::NotNow));
        assert!(refused.contains(&ClientEffect::SendToAll(fallback())), "{refused:?}");

        let (mut client, mut effects) = asking(Some(fallback()));
        let within = ClientConfig::new(4).read_within;
        client.on_timer(within / 2, &mut effects);
        assert!(matches!(effects[0], ClientEffect::ReadFromAll(_)), "what got lost is asked again");
        effects.clear();
        client.on_timer(within, &mut effects);
        assert!(effects.contains(&ClientEffect::SendToAll(fallback())), "{effects:?}");
    }

    #[test]
    fn without_an_ordered_way_it_fails() {
        let (mut client, mut effects) = asking(None);
        tell(&mut client, 0, ReadAnswer::Shown(shown(9, 5)));
        client.on_timer(ClientConfig::new(4).read_within, &mut effects);
        let error = ClientError::NoQuorum { answered: 1, needed: 3 };
        assert!(effects.contains(&ClientEffect::ReadFailed(ReadNumber::ZERO, error)), "{effects:?}");
    }
}
