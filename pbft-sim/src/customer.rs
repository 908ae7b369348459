//! One client with its list of things to ask for.

use core::time::Duration;
use std::collections::BTreeMap;

use pbft_core::{
    ClientId, ReadNumber, ReplicaId, Request, RequestId, RequestNumber,
    client::{Accepted, Client, ClientConfig, ClientEffect, ClientError, Found},
    config::ReplicaSet,
    message::{DeclineReason, Operation},
};
use serde::{Deserialize, Serialize};

use crate::{plan::Plan, rng::Rng, service::Verb};

/// A client and what it still has to do.
#[derive(Debug)]
pub struct Customer {
    /// The client's half of the protocol.
    pub client: Client,
    id: ClientId,
    rng: Rng,
    heal_at: Duration,
    in_flight: u64,
    replicas: ReplicaSet,
    wishes: Vec<Wish>,
    next: usize,
    /// Asked and not answered.
    open: BTreeMap<RequestId, Request>,
    /// Questions without an answer, with what is ordered if they get none.
    reads: BTreeMap<ReadNumber, RequestId>,
    /// The time its timer is set to.
    pub timer: Option<Duration>,
}

/// One thing to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// What to do.
    pub verb: Verb,
    /// To what.
    pub key: u8,
    /// How much.
    pub amount: u8,
}

impl Wish {
    /// What the customer with this index asks for in the run that `plan` describes. The first one also asks for other
    /// replicas.
    #[must_use]
    pub fn list(index: usize, plan: &Plan) -> Vec<Self> {
        let mut rng = Rng::stream(plan.seed, &format!("wishes {index}"));
        let mut changes = if index == 0 { plan.changes } else { 0 };
        let mut wishes = Vec::new();
        for left in (0..plan.workload.requests).rev() {
            if changes > 0 && (rng.chance(200_000) || left < changes) {
                changes -= 1;
                wishes.push(Self::for_other_replicas(&mut rng, plan));
            } else {
                wishes.push(Self::draw(&mut rng, plan.workload.reminders));
            }
        }
        Self::with_questions(wishes, Rng::stream(plan.seed, &format!("questions {index}")), plan)
    }

    /// Other members, or another key for a correct one: a liar keeps what it has.
    fn for_other_replicas(rng: &mut Rng, plan: &Plan) -> Self {
        let seat = u8::try_from(rng.below(u64::from(plan.n))).unwrap_or(0);
        if rng.chance(400_000) && !plan.is_byzantine(ReplicaId::new(seat.into())) {
            return Self { verb: Verb::Rekey, key: seat, amount: u8::try_from(plan.n).unwrap_or(0) };
        }
        let [key, amount] = plan.other_replicas(rng).to_le_bytes();
        Self { verb: Verb::Change, key, amount }
    }

    /// Some of them are followed by a question.
    fn with_questions(wishes: Vec<Self>, mut rng: Rng, plan: &Plan) -> Vec<Self> {
        let question = Self { verb: Verb::Read, key: 0, amount: 0 };
        let with = |wish| [Some(wish), rng.chance(plan.workload.reads).then_some(question)];
        wishes.into_iter().flat_map(with).flatten().collect()
    }

    fn draw(rng: &mut Rng, reminders: bool) -> Self {
        let verb = match rng.below(100) {
            0..=4 => Verb::Fail,
            5..=9 => Verb::Malformed,
            10..=34 => Verb::Take,
            35..=49 if reminders => Verb::Remind,
            _ => Verb::Put,
        };
        let [key, amount] = [rng.below(12), rng.below(40)].map(|byte| u8::try_from(byte).unwrap_or(0));
        Self { verb, key, amount }
    }
}

/// What an answer means for the customer.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was carried out, or refused by the service.
    Answered(Accepted),
    /// A question was answered.
    Found(Found),
    /// It was rightly turned away at the door.
    TurnedAway,
    /// It has to be asked again.
    AskAgain(Request),
    /// No correct replica should have said this.
    Wrong(RequestId, ClientError),
}

impl Customer {
    /// The customer with this index.
    #[must_use]
    pub fn new(index: usize, plan: &Plan, wishes: Vec<Wish>, replicas: &ReplicaSet) -> Self {
        let config = ClientConfig {
            retry_after: Duration::from_millis(250),
            give_up_after: plan.workload.patience,
            read_within: Duration::from_millis(300),
            ..ClientConfig::new(plan.n)
        };
        let mut client = Client::new(config);
        client.follow(replicas);
        Self {
            client,
            id: client_id(index),
            rng: Rng::stream(plan.seed, &format!("customer {index}")),
            heal_at: plan.heal_at,
            in_flight: plan.workload.in_flight,
            replicas: replicas.clone(),
            wishes,
            next: 0,
            open: BTreeMap::new(),
            reads: BTreeMap::new(),
            timer: None,
        }
    }

    /// Whether it may ask for something new now.
    #[must_use]
    pub fn may_ask(&self) -> bool {
        self.next < self.wishes.len() && (self.open.len() as u64) < self.in_flight
    }

    /// Has it ask for one thing more.
    pub fn wish(&mut self, wish: Wish) {
        self.wishes.push(wish);
    }

    /// Whether everything was asked and answered.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.next >= self.wishes.len() && self.open.is_empty()
    }

    /// How many requests have no answer.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// The next thing to ask for.
    pub fn next_request(&mut self) -> Option<Request> {
        let Wish { verb, key, amount } = *self.wishes.get(self.next)?;
        let request = verb.request(self.id, RequestNumber::new(self.next as u64), key, amount);
        self.next += 1;
        self.open.insert(request.id(), request.clone());
        Some(request)
    }

    /// Puts the next thing to ask for as a question: what is ordered if no quorum answers is on the list as well.
    ///
    /// # Errors
    /// If the client's protocol does not take it.
    pub fn begin_read(
        &mut self,
        now: Duration,
        fallback: &Request,
        effects: &mut Vec<ClientEffect>,
    ) -> Result<ReadNumber, ClientError> {
        let query = Operation::new(b"history".to_vec());
        let number = self.client.read(now, query, Some(fallback.clone()), effects)?;
        self.reads.insert(number, fallback.id());
        Ok(number)
    }

    /// Who the replicas are by now.
    pub fn learn(&mut self, replicas: &ReplicaSet) {
        if self.replicas != *replicas {
            self.replicas = replicas.clone();
            self.client.follow(replicas);
        }
    }

    /// Judges the end of a request as the client's protocol sees it; nothing for what is not an end.
    pub fn judge(&mut self, effect: ClientEffect) -> Option<Verdict> {
        match effect {
            ClientEffect::Accepted(accepted) => {
                self.open.remove(&accepted.id);
                Some(Verdict::Answered(accepted))
            }
            ClientEffect::Failed(id, error) => Some(self.judge_failure(id, error)),
            ClientEffect::Found(found) => {
                let id = self.reads.remove(&found.number)?;
                self.open.remove(&id);
                Some(Verdict::Found(found))
            }
            ClientEffect::ReadFailed(number, error) => {
                let id = self.reads.remove(&number)?;
                Some(self.judge_failure(id, error))
            }
            ClientEffect::SendToAll(_) | ClientEffect::ReadFromAll(_) | ClientEffect::SetTimer(_) => None,
        }
    }

    fn judge_failure(&mut self, id: RequestId, error: ClientError) -> Verdict {
        let Some(request) = self.open.get(&id) else { return Verdict::Wrong(id, error) };
        let malformed = request.operation.as_bytes().first() == Some(&(Verb::Malformed as u8));
        match error {
            ClientError::Declined(DeclineReason::NotAdmitted(_)) if malformed => {
                self.open.remove(&id);
                Verdict::TurnedAway
            }
            ClientError::TimedOut { .. } | ClientError::Declined(DeclineReason::Busy) => {
                Verdict::AskAgain(request.clone())
            }
            other => Verdict::Wrong(id, other),
        }
    }

    /// How long it waits before it asks for the next thing.
    pub fn pause(&mut self) -> Duration {
        self.rng.span((Duration::from_micros(100), self.heal_at / 40))
    }
}

/// The id of the customer with this index.
#[must_use]
pub fn client_id(index: usize) -> ClientId {
    ClientId::from_bytes([u8::try_from(index + 1).unwrap_or(u8::MAX); 32])
}

/// The index of the customer with this id.
#[must_use]
pub const fn client_index(id: &ClientId) -> usize {
    (id.as_bytes()[0] as usize).saturating_sub(1)
}
