//! The host: carries effects out in order, as a production host does, with delays and with faults.

use core::time::Duration;

use pbft_core::{
    Asker, Effect, Input, ReplicaId, Seq,
    certificate::Certificate,
    effect::{TransferEvent, ViewChangeReason},
    message::{Attestation, ReadAnswer, ReadReply, Reply},
    service::{OrderedBatch, Outcome, ServiceQuestion},
    storage::{Durable, LogPosition, Record},
};

use super::{Answer, Event, Simulation};
use crate::{
    checks::Violation,
    counters::{Fault, Sometimes},
    customer::client_index,
    mishap::Link,
    sabotage::Sabotage,
};

/// What a replica waits for.
#[derive(Clone, Copy)]
enum Busy {
    Sync,
    Execute,
}

impl Simulation {
    pub(super) fn carry_out(&mut self, replica: ReplicaId, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Persist(position, record) => self.persist(replica, position, record),
            Effect::TruncateLog(position) => {
                self.truncate(replica, position);
                Ok(())
            }
            Effect::Send(to, message) => self.send(replica, &[to], &message),
            Effect::Broadcast(message) => {
                let members = self.node(replica).newest.replicas.ids();
                let others: Vec<_> = members.filter(|other| *other != replica).collect();
                self.send(replica, &others, &message)
            }
            Effect::Reply(reply) => {
                self.reply(replica, reply);
                Ok(())
            }
            Effect::Decline { id, reason, .. } => {
                self.answer(replica, client_index(&id.client), &Answer::Decline(id, reason));
                Ok(())
            }
            Effect::ReadReply { to, reply } => {
                self.reply_to_read(replica, to, reply);
                Ok(())
            }
            Effect::Execute { batch, checkpoint } => self.execute(replica, &batch, checkpoint),
            Effect::Ask(question) => {
                self.ask_service(replica, question);
                Ok(())
            }
            Effect::Transfer(event) => self.on_transfer(replica, event),
            Effect::ViewChange { why, .. } => {
                self.on_view_change(replica, why);
                Ok(())
            }
            Effect::SetTimer(at) => {
                self.set_timer(replica, at);
                Ok(())
            }
            Effect::Reconfigured(roster) => {
                let node = self.node(replica);
                node.newest = roster.newest().clone();
                if let Some(life) = &mut node.life {
                    life.verifier.update(roster.clone());
                }
                if self.plan.is_byzantine(replica) {
                    return Ok(());
                }
                self.counters.saw(Sometimes::Reconfigured);
                self.checks.on_roster(replica, &roster)
            }
            Effect::Certified(certificate) => self.on_certified(replica, &certificate),
            accusation @ (Effect::Evidence(_)
            | Effect::CheckpointTooLarge { .. }
            | Effect::Diverged { .. }
            | Effect::StateLost(_)) => {
                if self.plan.is_byzantine(replica) {
                    return Ok(());
                }
                self.trace.note(self.now, || format!("  replica {replica}: {accusation:?}"));
                let liars = |accused| self.plan.is_byzantine(accused);
                self.checks.on_accusation(replica, &accusation, &liars, &mut self.counters)
            }
        }
    }

    // --- Disk -----------------------------------------------------------------------------------------------------

    fn persist(
        &mut self,
        replica: ReplicaId,
        position: LogPosition,
        record: Record,
    ) -> Result<(), Violation> {
        if self.disk_fails(replica, Fault::DiskFull) {
            return Ok(());
        }
        if !self.plan.is_byzantine(replica) {
            self.checks.on_record(replica, position, &record, &mut self.counters)?;
            self.check_window(replica, &record)?;
        }
        let node = self.node(replica);
        let (life, hasty) = (node.lives, node.sabotage == Some(Sabotage::VoteBeforeSync));
        node.kept.on_record(position, &record);
        node.disk.append(position, record);
        let started = node.disk.start_sync();
        if started {
            let at = self.now + self.takes(replica, Busy::Sync);
            self.agenda.at(at, Event::Synced { replica, life });
        }
        if hasty {
            // The record waits for its sync, and the replica is told that it was.
            return self.step_later(replica, Input::Durable(Durable::through(position)));
        }
        Ok(())
    }

    /// A primary leaves half of the window free, so that no backup's is overrun.
    fn check_window(&mut self, replica: ReplicaId, record: &Record) -> Result<(), Violation> {
        let Some(seq) = self.checks.on_own_proposal(self.now, replica, record) else { return Ok(()) };
        let Some(life) = &self.nodes[replica.index()].life else { return Ok(()) };
        let low = life.replica.progress().low;
        if seq > low.plus(self.plan.tuning.window / 2) {
            return Err(Violation::PastWindow { replica, seq, low });
        }
        Ok(())
    }

    /// A step within a step: only a broken host does this.
    fn step_later(&mut self, replica: ReplicaId, input: Input) -> Result<(), Violation> {
        let now = self.nodes[replica.index()].clock(self.now);
        let Some(life) = &mut self.node(replica).life else { return Ok(()) };
        let mut effects = Vec::new();
        life.replica.step(now, input, &mut effects);
        effects.into_iter().try_for_each(|effect| self.carry_out(replica, effect))
    }

    pub(super) fn on_synced(&mut self, replica: ReplicaId, life: u64) -> Result<(), Violation> {
        if !self.is_alive(replica, life) {
            return Ok(());
        }
        if self.disk_fails(replica, Fault::SyncFailed) {
            return Ok(());
        }
        let early = self.node(replica).disk.last();
        let Some(mut durable) = self.node(replica).disk.finish_sync() else { return Ok(()) };
        match self.plan.sabotage {
            Some(Sabotage::EarlyDurable) => durable = Durable::through(early),
            Some(Sabotage::DropDurable) => return Ok(()),
            _ => {}
        }
        self.note(1, replica, durable.position().value(), &[], || {
            format!("replica {replica}: durable through {}", durable.position().value())
        });
        if self.node(replica).disk.start_sync() {
            let at = self.now + self.takes(replica, Busy::Sync);
            self.agenda.at(at, Event::Synced { replica, life });
        }
        self.step(replica, Input::Durable(durable))
    }

    fn truncate(&mut self, replica: ReplicaId, position: LogPosition) {
        self.counters.saw(Sometimes::Truncated);
        self.trace.note(self.now, || format!("  replica {replica}: truncate before {}", position.value()));
        let node = self.node(replica);
        let position = match node.sabotage {
            Some(Sabotage::TruncateAll) => node.disk.synced(),
            _ => position,
        };
        node.kept.truncate(position);
        node.disk.truncate(position);
    }

    /// How long a replica's disk or service takes this time.
    fn takes(&mut self, replica: ReplicaId, what: Busy) -> Duration {
        let span = match what {
            Busy::Sync => self.plan.sync,
            Busy::Execute => self.plan.execute,
        };
        let count = &mut self.node(replica).worked;
        *count += 1;
        let count = *count;
        self.schedule.of(u64::from(replica.value()), count).span(span)
    }

    // --- Service --------------------------------------------------------------------------------------------------

    fn execute(
        &mut self,
        replica: ReplicaId,
        batch: &OrderedBatch,
        checkpoint: bool,
    ) -> Result<(), Violation> {
        let correct = !self.plan.is_byzantine(replica);
        if correct {
            self.checks.on_execute(self.now, replica, batch, &mut self.counters)?;
        }
        if batch.requests.len() > 1 {
            self.counters.saw(Sometimes::FullBatch);
        }
        if correct && checkpoint {
            self.checks.on_checkpoint(replica, batch.seq);
        }
        let life = self.node(replica).lives;
        let given = self.sabotaged_batch(replica, batch.clone());
        let Some(executed) = self.node(replica).execute(&given, checkpoint) else { return Ok(()) };
        if executed.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_))) {
            self.counters.saw(Sometimes::Refused);
        }
        if correct {
            let service = self.node(replica).life.as_ref().map_or(Ok(()), |life| life.service.check());
            service.map_err(|what| Violation::Service { replica, seq: batch.seq, what })?;
            self.checks.on_executed(batch, &executed)?;
        }
        self.note_state(replica, batch.seq);
        let at = self.now + self.takes(replica, Busy::Execute);
        self.agenda.at(at, Event::Executed { replica, life });
        Ok(())
    }

    /// Liars may remember it.
    fn note_state(&mut self, replica: ReplicaId, seq: Seq) {
        let node = self.node(replica);
        let Some(state) = node.life.as_ref().map(|life| life.service.history()) else { return };
        match &mut node.behaviour {
            Some(behaviour) => behaviour.on_state(seq, state),
            None => self.checks.reads.on_state(seq, state),
        }
    }

    fn on_certified(
        &mut self,
        replica: ReplicaId,
        certificate: &Certificate<Attestation>,
    ) -> Result<(), Violation> {
        let seq = certificate.statement.seq;
        self.trace.note(self.now, || format!("  replica {replica}: the result of {seq} is certified"));
        let Some(life) = &self.nodes[replica.index()].life else { return Ok(()) };
        let (executed, restored) = (life.cursor, life.restored);
        if self.plan.is_byzantine(replica) {
            return Ok(());
        }
        self.counters.saw(if seq <= restored { Sometimes::CertifiedLate } else { Sometimes::Certified });
        self.checks.on_certified(replica, executed, certificate)
    }

    fn sabotaged_batch(&mut self, replica: ReplicaId, mut batch: OrderedBatch) -> OrderedBatch {
        let odd = replica.value() % 2 == 1;
        match self.plan.sabotage {
            Some(Sabotage::LocalTime) => batch.time = self.nodes[replica.index()].clock(self.now).wall,
            Some(Sabotage::SkipRequest) if odd => drop(batch.requests.pop()),
            _ => {}
        }
        let skip = self.node(replica).sabotage == Some(Sabotage::SkipBatch) && replica.value() == 1;
        if skip && batch.seq.value() % 4 == 3 {
            batch.time = batch.time.next();
        }
        batch
    }

    pub(super) fn on_executed(&mut self, replica: ReplicaId, life: u64) -> Result<(), Violation> {
        if !self.is_alive(replica, life) {
            return Ok(());
        }
        if self.plan.sabotage == Some(Sabotage::DropExecuted) {
            return Ok(());
        }
        let swap = self.node(replica).sabotage == Some(Sabotage::SwapOutcomes);
        let Some(life) = &mut self.node(replica).life else { return Ok(()) };
        let Some((mut executed, checkpoint)) = life.executed.take() else { return Ok(()) };
        life.cursor = life.cursor.next();
        let cursor = life.cursor;
        if swap {
            executed.outcomes.iter_mut().for_each(|outcome| *outcome = Outcome::Applied(b"swapped".to_vec()));
        }
        self.note(2, replica, cursor.value(), &[], || format!("replica {replica}: executed {cursor}"));
        self.step(replica, Input::Executed { executed, checkpoint })?;
        self.try_finish();
        Ok(())
    }

    fn ask_service(&mut self, replica: ReplicaId, question: ServiceQuestion) {
        let node = self.node(replica);
        let Some(life) = &mut node.life else { return };
        life.answer = Some(question.put_to(&mut life.service));
        let life = node.lives;
        let at = self.now + self.schedule.span(self.plan.execute);
        self.agenda.at(at, Event::Answered { replica, life });
    }

    pub(super) fn on_answered(&mut self, replica: ReplicaId, life: u64) -> Result<(), Violation> {
        if !self.is_alive(replica, life) {
            return Ok(());
        }
        let Some(answer) = self.node(replica).life.as_mut().and_then(|life| life.answer.take()) else {
            return Ok(());
        };
        self.note(14, replica, 0, &[], || format!("replica {replica}: its service answers"));
        self.step(replica, Input::Answered(answer))?;
        self.try_finish();
        Ok(())
    }

    fn on_view_change(&mut self, replica: ReplicaId, why: ViewChangeReason) {
        self.trace.note(self.now, || format!("  replica {replica} asks for another view: {}", why.name()));
        if !self.plan.is_byzantine(replica) {
            self.counters.saw(Sometimes::from(why));
        }
    }

    fn on_transfer(&mut self, replica: ReplicaId, event: TransferEvent) -> Result<(), Violation> {
        self.trace.note(self.now, || format!("  replica {replica}: {event:?}"));
        if self.plan.is_byzantine(replica) {
            if let TransferEvent::Done { seq } = event
                && let Some(life) = &mut self.node(replica).life
            {
                life.cursor = seq;
            }
            return Ok(());
        }
        match event {
            TransferEvent::Begun { .. } => self.counters.saw(Sometimes::TransferBegun),
            TransferEvent::Abandoned { .. } => self.counters.saw(Sometimes::TransferRenewed),
            TransferEvent::BadPart { peer, .. } => {
                self.counters.saw(Sometimes::BadPart);
                if !self.plan.is_byzantine(peer) {
                    return Err(Violation::WronglyBlamed { accuser: replica, culprit: peer });
                }
            }
            TransferEvent::Done { seq } => {
                self.counters.saw(Sometimes::TransferDone);
                if self.plan.durable_service {
                    self.counters.saw(Sometimes::PartsInstalled);
                }
                return self.jump(replica, seq);
            }
        }
        Ok(())
    }

    /// The cursor goes to a checkpoint: forward, and to a state that others have.
    fn jump(&mut self, replica: ReplicaId, seq: Seq) -> Result<(), Violation> {
        let Some(life) = &mut self.node(replica).life else { return Ok(()) };
        let (before, after) = (life.cursor, seq);
        if after <= before {
            return Err(Violation::MovedBack { replica, what: "the cursor", before, after });
        }
        life.cursor = seq;
        self.checks.on_taken_over(replica, seq);
        Ok(())
    }

    // --- Timers and replies ---------------------------------------------------------------------------------------

    fn set_timer(&mut self, replica: ReplicaId, at: Duration) {
        let at = at.max(self.now);
        let node = self.node(replica);
        let life = node.lives;
        if let Some(alive) = &mut node.life
            && node.sabotage != Some(Sabotage::DropTimers)
        {
            alive.timer = Some(at);
            self.agenda.at(at, Event::Timer { replica, life, at });
        }
    }

    pub(super) fn on_timer(&mut self, replica: ReplicaId, life: u64, at: Duration) -> Result<(), Violation> {
        if !self.is_alive(replica, life) {
            return Ok(());
        }
        let armed = self.node(replica).life.as_mut().and_then(|life| life.timer.take_if(|set| *set == at));
        if armed.is_none() {
            return Ok(());
        }
        self.note(3, replica, 0, &[], || format!("replica {replica}: timer"));
        self.step(replica, Input::Timer)?;
        self.try_finish();
        Ok(())
    }

    fn reply(&mut self, replica: ReplicaId, mut reply: Reply) {
        match self.plan.sabotage {
            Some(Sabotage::DropReplies) => return,
            Some(Sabotage::WrongReplyNumber) => reply.seq = reply.seq.next(),
            _ => {}
        }
        let client = client_index(&reply.id.client);
        if let Some(reply) = self.bent_reply(replica, reply) {
            self.answer(replica, client, &Answer::Reply(reply));
        }
    }

    fn reply_to_read(&mut self, replica: ReplicaId, to: Asker, reply: ReadReply) {
        let client = usize::try_from(to.value()).unwrap_or(usize::MAX);
        if matches!(reply.answer, ReadAnswer::Refused(_)) {
            self.counters.saw(Sometimes::ReadRefused);
        }
        if let Some(reply) = self.bent_read_reply(replica, reply) {
            self.answer(replica, client, &Answer::Read(reply));
        }
    }

    pub(super) fn answer(&mut self, from: ReplicaId, client: usize, answer: &Answer) {
        if matches!(answer, Answer::Decline(_, pbft_core::message::DeclineReason::Busy)) {
            self.counters.saw(Sometimes::Busy);
        }
        let fate = self.network.fate(self.now, Link::Answer(from));
        self.count_fate(fate);
        for at in [fate.first, fate.second].into_iter().flatten() {
            self.agenda.at(at, Event::Answer { from, client, answer: answer.clone() });
        }
    }

    pub(super) fn is_alive(&self, replica: ReplicaId, life: u64) -> bool {
        let node = &self.nodes[replica.index()];
        node.life.is_some() && node.lives == life
    }
}
