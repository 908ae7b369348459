//! The clients: what they ask, and what they believe.

use core::time::Duration;

use pbft_core::{
    ReplicaId, Request,
    client::{ClientEffect, Found, FoundAnswer},
    message::Read,
};

use super::{Event, Simulation};
use crate::{checks::Violation, counters::Sometimes, customer::Verdict, mishap::Link, service::Verb};

impl Simulation {
    pub(super) fn ask(&mut self, client: usize) -> Result<(), Violation> {
        let customer = &mut self.customers[client];
        if !customer.may_ask() {
            return Ok(());
        }
        let Some(request) = customer.next_request() else { return Ok(()) };
        let pause = customer.pause();
        self.checks.execution.on_submitted(&request);
        self.agenda.at(self.now + pause, Event::Ask { client });
        if request.operation.as_bytes().first() == Some(&(Verb::Read as u8)) {
            return self.read(client, &request);
        }
        self.submit(client, request)
    }

    /// A question, with the request that asks the same if no quorum answers. Whoever asks knows who the replicas are.
    fn read(&mut self, client: usize, fallback: &Request) -> Result<(), Violation> {
        let id = fallback.id();
        self.note(16, ReplicaId::new(0), id.number.value(), &id.client.as_bytes()[..8], || {
            format!("client {client} asks a question")
        });
        let replicas = self.checks.roster().newest().replicas.clone();
        let mut effects = Vec::new();
        let customer = &mut self.customers[client];
        customer.learn(&replicas);
        let number = customer
            .begin_read(self.now, fallback, &mut effects)
            .map_err(|error| Violation::FalseRefusal { id, error })?;
        self.checks.reads.on_asked(client, number);
        self.carry_out_client(client, effects)
    }

    pub(super) fn ask_again(&mut self, client: usize, request: Request) -> Result<(), Violation> {
        self.submit(client, request)
    }

    fn submit(&mut self, client: usize, request: Request) -> Result<(), Violation> {
        let id = request.id();
        self.note(7, ReplicaId::new(0), id.number.value(), &id.client.as_bytes()[..8], || {
            format!("client {client} asks: {} {:?}", id.number, request.operation.as_bytes())
        });
        let mut effects = Vec::new();
        let submitted = self.customers[client].client.submit(self.now, request, &mut effects);
        submitted.map_err(|error| Violation::FalseRefusal { id, error })?;
        self.carry_out_client(client, effects)
    }

    pub(super) fn on_client_timer(&mut self, client: usize, at: Duration) -> Result<(), Violation> {
        let customer = &mut self.customers[client];
        if customer.timer.take_if(|set| *set == at).is_none() {
            return Ok(());
        }
        let mut effects = Vec::new();
        customer.client.on_timer(self.now, &mut effects);
        if effects.iter().any(|effect| matches!(effect, ClientEffect::SendToAll(_))) {
            self.counters.saw(Sometimes::AnsweredAgain);
        }
        self.note(8, ReplicaId::new(0), client as u64, &[], || format!("client {client}: timer"));
        self.carry_out_client(client, effects)
    }

    pub(super) fn carry_out_client(
        &mut self,
        client: usize,
        effects: Vec<ClientEffect>,
    ) -> Result<(), Violation> {
        for effect in effects {
            match &effect {
                ClientEffect::SendToAll(request) => self.send_request(request),
                ClientEffect::ReadFromAll(read) => self.send_read(client, read),
                ClientEffect::SetTimer(at) => {
                    self.customers[client].timer = Some(*at);
                    self.agenda.at(*at, Event::ClientTimer { client, at: *at });
                }
                ClientEffect::Accepted(_)
                | ClientEffect::Failed(..)
                | ClientEffect::Found(_)
                | ClientEffect::ReadFailed(..) => {}
            }
            if let Some(verdict) = self.customers[client].judge(effect) {
                self.on_verdict(client, verdict)?;
            }
        }
        Ok(())
    }

    fn on_verdict(&mut self, client: usize, verdict: Verdict) -> Result<(), Violation> {
        match verdict {
            Verdict::Answered(accepted) => self.checks.on_accepted(&accepted)?,
            Verdict::Found(found) => self.on_found(client, &found)?,
            Verdict::TurnedAway => self.counters.saw(Sometimes::TurnedAway),
            Verdict::AskAgain(request) => {
                self.counters.saw(Sometimes::GaveUp);
                let pause = self.customers[client].pause();
                self.agenda.at(self.now + pause, Event::AskAgain { client, request });
                return Ok(());
            }
            Verdict::Wrong(id, error) => return Err(Violation::FalseRefusal { id, error }),
        }
        let pause = self.customers[client].pause();
        self.agenda.at(self.now + pause, Event::Ask { client });
        self.try_finish();
        Ok(())
    }

    fn on_found(&mut self, client: usize, found: &Found) -> Result<(), Violation> {
        self.checks.reads.on_found(client, found.number, &found.answer)?;
        match &found.answer {
            FoundAnswer::Quorum { executed, .. } => {
                self.trace
                    .note(self.now, || format!("  client {client}: question {}: {executed}", found.number));
                self.counters.saw(Sometimes::ReadByQuorum);
                Ok(())
            }
            FoundAnswer::Ordered(accepted) => {
                self.counters.saw(Sometimes::ReadOrdered);
                self.checks.on_accepted(accepted)
            }
        }
    }

    fn send_read(&mut self, client: usize, read: &Read) {
        for to in self.plan.seats() {
            let fate = self.network.fate(self.now, Link::Ask(to));
            self.count_fate(fate);
            for at in [fate.first, fate.second].into_iter().flatten() {
                self.agenda.at(at, Event::Read { to, client, read: read.clone() });
            }
        }
    }

    fn send_request(&mut self, request: &Request) {
        for to in self.plan.seats() {
            let fate = self.network.fate(self.now, Link::Ask(to));
            self.count_fate(fate);
            for at in [fate.first, fate.second].into_iter().flatten() {
                self.agenda.at(at, Event::Request { to, request: request.clone() });
            }
        }
    }
}
