//! Two instances with one identity (Bano et al., OPODIS '21): some replicas know the one, the others the other. Both are
//! the unmodified core and mean no harm.

use std::{collections::VecDeque, sync::Arc};

use pbft_core::{
    Effect, Input, Message, Now, Replica, ReplicaId, replica::EmptyLog, request_buffer::FairBuffer,
    service::Service, storage::Durable,
};

use super::{Behaviour, Kit};
use crate::{key_ring::KeyRing, rng::Rng, service::SimulatedService};

pub(super) struct Twin {
    /// Bit `i`: replica `i` knows the second instance.
    friends: u64,
    second: Option<(Replica, SimulatedService)>,
}

impl Twin {
    pub(super) const fn new(rng: &mut Rng) -> Self {
        Self { friends: rng.next(), second: None }
    }

    const fn is_friend(&self, of: ReplicaId) -> bool {
        self.friends >> of.index() & 1 == 1
    }

    /// The second instance takes an input, on a disk and a service that need no time.
    fn step_second(&mut self, kit: &mut Kit<'_>, now: Now, input: Input) {
        let born = self.second.is_none();
        let Some((mut replica, mut service)) = self.second.take().or_else(|| instance(kit)) else { return };
        let mut inputs: VecDeque<_> = born.then_some(Input::Start).into_iter().chain([input]).collect();
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            replica.step(now, input, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Persist(position, _) => {
                        inputs.push_back(Input::Durable(Durable::through(position)));
                    }
                    Effect::Execute { batch, checkpoint } => {
                        let executed = service.execute(&batch);
                        let checkpoint = checkpoint.then(|| service.checkpoint());
                        inputs.push_back(Input::Executed { executed, checkpoint });
                    }
                    Effect::Ask(question) => {
                        inputs.push_back(Input::Answered(question.put_to(&mut service)));
                    }
                    Effect::Send(to, message) if self.is_friend(to) => kit.send(to, &message),
                    Effect::Broadcast(message) => {
                        let all: Vec<_> = kit.config.replicas.ids().filter(|to| *to != kit.id).collect();
                        all.into_iter()
                            .filter(|to| self.is_friend(*to))
                            .for_each(|to| kit.send(to, &message));
                    }
                    _ => {}
                }
            }
        }
        self.second = Some((replica, service));
    }
}

fn instance(kit: &Kit<'_>) -> Option<(Replica, SimulatedService)> {
    let buffer = Box::new(FairBuffer::new(kit.config.buffer.clone()));
    let new =
        Replica::recover(kit.id, kit.config.clone(), kit.crypto.clone(), buffer, Vec::new(), EmptyLog::New);
    let everyone = Arc::new(KeyRing::of(&kit.config.replicas));
    Some((new.ok()?.replica, SimulatedService::new(kit.service, false, everyone)))
}

impl Behaviour for Twin {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        if !self.is_friend(to) {
            kit.send(to, message);
        }
    }

    fn hears(&mut self, kit: &mut Kit<'_>, now: Now, input: &Input) -> bool {
        let (first, second) = match input {
            Input::Message { from, .. } => (!self.is_friend(*from), self.is_friend(*from)),
            Input::Request { .. } | Input::Timer => (true, true),
            Input::Start
            | Input::Durable(_)
            | Input::Executed { .. }
            | Input::Answered(_)
            | Input::Read { .. } => (true, false),
        };
        if second {
            self.step_second(kit, now, input.clone());
        }
        first
    }
}
