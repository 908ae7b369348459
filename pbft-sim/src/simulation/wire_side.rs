//! The way of a message: encoded, sent, lost or repeated, decoded, verified.

use core::time::Duration;
use std::sync::Arc;

use pbft_core::{
    Asker, Input, Message, Now, ReplicaId, Request,
    message::{Prepare, Read, ReadReply, Reply, Signed},
    verify::InvalidMessage,
    wire,
};
use pbft_crypto::Digest;

use super::{Answer, Event, Simulation};
use crate::{
    byzantine::{Behaviour, Kit},
    checks::Violation,
    counters::{Fault, Sometimes},
    customer::client_index,
    network::Fate,
    sabotage::Sabotage,
};

impl Simulation {
    pub(super) fn send(
        &mut self,
        from: ReplicaId,
        to: &[ReplicaId],
        message: &Message,
    ) -> Result<(), Violation> {
        if matches!(message, Message::Forward(_)) {
            self.counters.saw(Sometimes::Forwarded);
        }
        if self.plan.is_byzantine(from) {
            self.lie(from, to, message);
            return Ok(());
        }
        let (sabotage, synced) = (self.plan.sabotage, self.node(from).disk.synced());
        if sabotage.is_some_and(|sabotage| sabotage.swallows(message)) {
            return Ok(());
        }
        self.checks.on_sent(from, message, synced)?;
        if sabotage == Some(Sabotage::SignTwice)
            && let Message::Prepare(vote) = message
        {
            let second = self.second_vote(from, vote);
            self.checks.on_sent(from, &second, synced)?;
        }
        let bytes = match message {
            Message::Prepare(vote) if sabotage == Some(Sabotage::WrongSigner) => {
                let signer = ReplicaId::new((vote.signer.value() + 1) % self.plan.n);
                wire::encode(&Message::Prepare(Signed { signer, ..vote.clone() }))
            }
            _ => wire::encode(message),
        };
        let bytes: Arc<[u8]> = bytes.expect("a message within bounds").into();
        for to in to {
            self.post(from, *to, &bytes, Duration::ZERO);
        }
        Ok(())
    }

    fn second_vote(&mut self, from: ReplicaId, vote: &Signed<Prepare>) -> Message {
        let statement = Prepare { digest: Digest::ZERO, ..vote.statement };
        let node = self.node(from);
        Message::Prepare(Signed::sign(statement, from, &node.config, &*node.crypto))
    }

    /// What a Byzantine replica says instead.
    fn lie(&mut self, from: ReplicaId, to: &[ReplicaId], message: &Message) {
        self.with_liar(from, |behaviour, kit| to.iter().for_each(|to| behaviour.on_send(kit, *to, message)));
    }

    pub(super) fn bent_reply(&mut self, from: ReplicaId, reply: Reply) -> Option<Reply> {
        if !self.plan.is_byzantine(from) {
            return Some(reply);
        }
        self.with_liar(from, |behaviour, kit| behaviour.on_reply(kit, reply)).flatten()
    }

    pub(super) fn bent_read_reply(&mut self, from: ReplicaId, reply: ReadReply) -> Option<ReadReply> {
        if !self.plan.is_byzantine(from) {
            return Some(reply);
        }
        self.with_liar(from, |behaviour, kit| behaviour.on_read_reply(kit, reply)).flatten()
    }

    /// Whether an input reaches the core of a replica.
    pub(super) fn hears(&mut self, replica: ReplicaId, now: Now, input: &Input) -> bool {
        self.with_liar(replica, |behaviour, kit| behaviour.hears(kit, now, input)).unwrap_or(true)
    }

    /// Lets a Byzantine replica do something, and sends what it wants to send. Nothing for a correct one.
    fn with_liar<T>(
        &mut self,
        liar: ReplicaId,
        act: impl FnOnce(&mut dyn Behaviour, &mut Kit<'_>) -> T,
    ) -> Option<T> {
        let node = self.node(liar);
        let behaviour = node.behaviour.as_mut()?;
        let mut kit = Kit {
            id: liar,
            config: &node.newest,
            crypto: &node.crypto,
            service: node.service,
            rng: &mut node.rng,
            out: Vec::new(),
        };
        let done = act(&mut **behaviour, &mut kit);
        for (to, bytes, after) in kit.out {
            self.post(liar, to, &bytes.into(), after);
        }
        Some(done)
    }

    fn post(&mut self, from: ReplicaId, to: ReplicaId, bytes: &Arc<[u8]>, after: Duration) {
        let fate = self.network.between(self.now + after, from, to);
        self.count_fate(fate);
        for at in [fate.first, fate.second].into_iter().flatten() {
            self.agenda.at(at, Event::Deliver { from, to, bytes: bytes.clone() });
        }
    }

    pub(super) fn count_fate(&mut self, fate: Fate) {
        let counts = [
            (fate.cut, Fault::Cut),
            (!fate.cut && fate.first.is_none(), Fault::Lost),
            (fate.second.is_some(), Fault::Repeated),
            (fate.late, Fault::Late),
            (fate.slow, Fault::Slow),
        ];
        counts.into_iter().filter(|(is, _)| *is).for_each(|(_, fault)| self.counters.fault(fault));
    }

    pub(super) fn deliver(&mut self, from: ReplicaId, to: ReplicaId, bytes: &[u8]) -> Result<(), Violation> {
        let decoded = wire::decode::<Message>(bytes);
        self.note(4, to, u64::from(from.value()), bytes, || match &decoded {
            Ok(message) => format!("replica {to} <- {from}: {}", brief(message)),
            Err(error) => format!("replica {to} <- {from}: {error}"),
        });
        let Ok(message) = decoded else {
            self.counters.saw(Sometimes::Undecodable);
            return Ok(());
        };
        self.notice_early_vote(to, &message);
        if let Message::Forward(requests) = &message {
            self.on_handed_on(from, requests);
        }
        let node = self.node(to);
        let Some(life) = &node.life else { return Ok(()) };
        if let Some(behaviour) = &mut node.behaviour {
            behaviour.on_receive(&message);
        }
        for inputs in life.verifier.verify(vec![(from, message)]) {
            match inputs {
                Ok(inputs) => inputs.into_iter().try_for_each(|input| self.step(to, input))?,
                Err(why) => self.refuse(to, why),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, to: ReplicaId, why: InvalidMessage) {
        self.trace.note(self.now, || format!("  replica {to} refuses it: {why}"));
        self.counters.refused(why);
    }

    fn notice_early_vote(&mut self, to: ReplicaId, message: &Message) {
        let Some(life) = &self.nodes[to.index()].life else { return };
        let early = |vote: pbft_core::Seq| vote > life.replica.progress().proposed;
        if matches!(message, Message::Commit(vote) if early(vote.statement.seq)) {
            self.counters.saw(Sometimes::VoteFirst);
        }
    }

    pub(super) fn deliver_request(&mut self, to: ReplicaId, request: Request) -> Result<(), Violation> {
        let id = request.id();
        self.note(5, to, id.number.value(), &id.client.as_bytes()[..8], || {
            format!("replica {to} <- client {}: request {}", client_index(&id.client), id.number)
        });
        let Some(life) = &self.node(to).life else { return Ok(()) };
        for admitted in life.verifier.admit(vec![request]) {
            match admitted {
                Ok(input) => self.step(to, input)?,
                Err((id, reason)) => {
                    self.answer(to, client_index(&id.client), &Answer::Decline(id, reason));
                }
            }
        }
        Ok(())
    }

    pub(super) fn deliver_read(&mut self, to: ReplicaId, client: usize, read: Read) -> Result<(), Violation> {
        self.note(15, to, read.number.value(), &[], || {
            format!("replica {to} <- client {client}: question {}", read.number)
        });
        self.step(to, Input::Read { asker: Asker::new(client as u64), read })
    }

    pub(super) fn deliver_answer(
        &mut self,
        from: ReplicaId,
        client: usize,
        answer: Answer,
    ) -> Result<(), Violation> {
        self.note(6, from, client as u64, &[], || format!("client {client} <- {from}: {answer:?}"));
        if self.customers.get(client).is_none() {
            return Ok(());
        }
        let (mut effects, now) = (Vec::new(), self.now);
        let core = &mut self.customers[client].client;
        match answer {
            Answer::Reply(reply) => core.on_reply(from, reply, &mut effects),
            Answer::Decline(id, reason) => core.on_decline(from, id, reason, &mut effects),
            Answer::Read(reply) => core.on_read_reply(now, from, reply, &mut effects),
        }
        self.carry_out_client(client, effects)
    }
}

/// A message in a few words.
fn brief(message: &Message) -> String {
    let kind = message.kind();
    match message {
        Message::PrePrepare(proposal) => {
            let statement = proposal.pre_prepare.statement;
            format!("{kind} {} with {} requests", statement.seq, proposal.batch.requests.len())
        }
        Message::Prepare(vote) => format!("{kind} {} of {}", vote.statement.seq, vote.signer),
        Message::Commit(vote) => format!("{kind} {} of {}", vote.statement.seq, vote.signer),
        Message::Checkpoint(vote) => format!("{kind} {} of {}", vote.statement.seq, vote.signer),
        Message::Attestation(vote) => format!("{kind} {} of {}", vote.statement.seq, vote.signer),
        Message::Certified(certificate) => format!("{kind} {}", certificate.statement.seq),
        Message::Status(status) => {
            let view = if status.active { "in" } else { "waits for" };
            format!(
                "{kind} {view} {} executed {} stable {} first {} votes {} needs {:?} heard {:?} {:?}",
                status.view,
                status.executed,
                status.stable,
                status.first,
                status.votes,
                status.needs,
                status.heard,
                status.slots
            )
        }
        Message::Fetch(fetch) => format!("{kind} after {}", fetch.after),
        Message::Committed(committed) => format!("{kind} {}", committed.certificate.statement.seq),
        Message::Stable(certificate) => format!("{kind} {}", certificate.statement.seq),
        Message::ViewChange(proven) => {
            let facts = &proven.vote.statement;
            let prepared: Vec<_> = facts.prepared.iter().map(|p| (p.seq.value(), p.view.value())).collect();
            format!(
                "{kind} of {} to {}: stable {}, prepared {prepared:?}",
                proven.vote.signer, facts.view, facts.stable
            )
        }
        Message::NewView(proven) => {
            let assigned: Vec<_> =
                proven.announcement.statement.pre_prepares.iter().map(|p| p.statement.seq.value()).collect();
            format!("{kind} {}: {assigned:?}", proven.view())
        }
        Message::Handover(handover) => format!("{kind} of epoch {}", handover.epoch()),
        Message::FetchState(fetch) => format!("{kind} {} {:?}", fetch.seq, fetch.part),
        Message::State(state) => {
            let bytes = state.content.as_ref().map(|content| content.0.len());
            format!("{kind} {} {:?}: {bytes:?} bytes", state.seq, state.part)
        }
        Message::Returned(returned) => format!("{kind} at {}", returned.since),
        Message::Standing(standing) => {
            let stable = standing.stable.as_ref().map(|stable| stable.statement.seq.value());
            format!("{kind} in {} stable {stable:?}", standing.view)
        }
        Message::Forward(requests) => format!("{kind} {} requests", requests.len()),
    }
}
