//! The thread that owns the replica: inputs in, effects out, nothing that waits.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crossbeam_channel::{Receiver, Sender, never, select_biased};
use pbft_core::{
    Effect, Input, Now, Replica, ReplicaId, UnixMillis, effect::TransferEvent, evidence::Evidence,
    network::Network, recording::RecordedInput,
};
use pbft_crypto::Digest;

use super::{
    events::{External, Failure, Internal, ToLog, ToService},
    evidence::is_news,
    waiters::Waiters,
    windows::Shown,
};
use crate::{
    metrics::ReplicaMetrics,
    recorder::Recorder,
    sparing::Sparing,
    transport::{ClientAnswer, ConnectionId, Transport},
};

/// After so many inputs the outside world is told how far the replica is.
const MAX_INPUTS_BETWEEN_REPORTS: usize = 256;

/// How often it looks what it waits for, at most.
const BETWEEN_DIAGNOSES: Duration = Duration::from_millis(200);

/// The replica and the ends of all channels.
pub(crate) struct ReplicaThread {
    pub(crate) replica: Replica,
    pub(crate) internal: Receiver<Internal>,
    pub(crate) inputs: Receiver<External>,
    pub(crate) to_log: Sender<ToLog>,
    pub(crate) to_service: Sender<ToService>,
    pub(crate) transport: Transport,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) shown: Shown,
    /// When it last looked what it waits for.
    pub(crate) diagnosed: Duration,
    pub(crate) metrics: ReplicaMetrics,
    pub(crate) clock: Clock,
    pub(crate) timer: Option<Duration>,
    pub(crate) recorder: Option<Recorder>,
    /// Which replicas were said to send wrong parts of states.
    pub(crate) bad_parts: Sparing<ReplicaId>,
}

/// The host's two clocks.
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = UnixMillis::new(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        Now { elapsed: self.started.elapsed(), wall }
    }
}

/// Why the thread ends.
enum End {
    Stopped,
    Failed(Failure),
}

/// What wakes the thread.
enum Event {
    Internal(Internal),
    External(External),
    Timer,
}

impl Event {
    fn into_input(self) -> Result<Input, End> {
        match self {
            Self::External(external) => Ok(external.input),
            Self::Timer => Ok(Input::Timer),
            Self::Internal(Internal::Start) => Ok(Input::Start),
            Self::Internal(Internal::Durable(durable)) => Ok(Input::Durable(durable)),
            Self::Internal(Internal::Executed { executed, checkpoint }) => {
                Ok(Input::Executed { executed, checkpoint })
            }
            Self::Internal(Internal::Answered(answer)) => Ok(Input::Answered(answer)),
            Self::Internal(Internal::Failed(failure)) => Err(End::Failed(failure)),
            Self::Internal(Internal::Stop) => Err(End::Stopped),
        }
    }
}

impl ReplicaThread {
    /// Runs until it is told to stop, or something fails that no replica can go on without.
    pub(crate) fn run(mut self) {
        if let Err(End::Failed(failure)) = self.serve() {
            tracing::error!(%failure, "this replica stops");
            self.shown.failure.send_replace(Some(failure));
        }
    }

    fn serve(&mut self) -> Result<(), End> {
        let mut effects = Vec::new();
        loop {
            let mut next = Some(self.wait()?);
            let mut handled = 0;
            while let Some(event) = next {
                self.step(event.into_input()?, &mut effects);
                for effect in effects.drain(..) {
                    self.carry_out(effect)?;
                }
                handled += 1;
                next = if handled < MAX_INPUTS_BETWEEN_REPORTS { self.poll() } else { None };
            }
            self.publish_progress();
        }
    }

    fn step(&mut self, input: Input, effects: &mut Vec<Effect>) {
        let now = self.clock.now();
        let recorded = self.recorder.as_ref().map(|_| RecordedInput::from(&input));
        self.replica.step(now, input, effects);
        if let (Some(recorder), Some(input)) = (&mut self.recorder, recorded) {
            recorder.moment(now, input, effects);
        }
    }

    /// The next event, waiting for it. The node's own threads come first: what they bring frees resources.
    fn wait(&mut self) -> Result<Event, End> {
        let deadline = self.timer.map(|at| self.clock.started + at);
        let timer = deadline.map_or_else(never, crossbeam_channel::at);
        select_biased! {
            recv(self.internal) -> event => event.map(Event::Internal).map_err(|_| End::Stopped),
            recv(timer) -> _ => {
                self.timer = None;
                Ok(Event::Timer)
            }
            recv(self.inputs) -> event => event.map(Event::External).map_err(|_| End::Stopped),
        }
    }

    /// The next event, if there is one.
    fn poll(&mut self) -> Option<Event> {
        if let Ok(event) = self.internal.try_recv() {
            return Some(Event::Internal(event));
        }
        if self.timer.take_if(|at| self.clock.started.elapsed() >= *at).is_some() {
            return Some(Event::Timer);
        }
        self.inputs.try_recv().ok().map(Event::External)
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), End> {
        match effect {
            Effect::Persist(position, record) => {
                // A log thread that ended has said why, through the internal channel.
                let _ = self.to_log.send(ToLog::Append(position, record));
            }
            Effect::TruncateLog(position) => {
                let _ = self.to_log.send(ToLog::Truncate(position));
            }
            Effect::Send(to, message) => self.transport.send(to, &message),
            Effect::Broadcast(message) => self.transport.broadcast(&message),
            Effect::Reply(reply) => {
                self.metrics.replies.inc();
                let request = reply.request;
                self.answer(&request, ClientAnswer::Reply(reply));
            }
            Effect::Decline { id, request, reason } => {
                self.metrics.declined.inc();
                self.answer(&request, ClientAnswer::Decline(id, reason));
            }
            Effect::ReadReply { to, reply } => {
                self.metrics.read(&reply.answer);
                self.transport.answer(ConnectionId::new(to.value()), ClientAnswer::Read(reply));
            }
            Effect::Execute { batch, checkpoint } => {
                let _ = self.to_service.send(ToService::Execute { batch, checkpoint });
            }
            Effect::Certified(certificate) => {
                self.metrics.certified.inc();
                let _ = self.to_service.send(ToService::Certified(certificate));
            }
            Effect::Ask(question) => {
                let _ = self.to_service.send(ToService::Ask(question));
            }
            Effect::Transfer(event) => self.report(event),
            Effect::ViewChange { view, why } => {
                self.metrics.view_change(why);
                tracing::info!(%view, why = why.name(), "asks for another view");
            }
            Effect::StateLost(lost) => return Err(End::Failed(Failure::Service(lost))),
            Effect::SetTimer(at) => self.timer = Some(at),
            Effect::Evidence(evidence) => self.keep(evidence),
            Effect::Reconfigured(roster) => {
                // First, so that whoever sees the epoch finds its proof.
                self.shown.handovers.send_replace(self.replica.handovers().into());
                self.shown.roster.send_replace(roster);
            }
            Effect::CheckpointTooLarge { seq, bytes, limit } => {
                return Err(End::Failed(Failure::CheckpointTooLarge { seq, bytes, limit }));
            }
            Effect::Diverged { seq, own, certified } => {
                return Err(End::Failed(Failure::Diverged { seq, own, certified }));
            }
        }
        Ok(())
    }

    fn answer(&self, request: &Digest, answer: ClientAnswer) {
        let mut connections = self.waiters.take(request);
        let last = connections.pop();
        for connection in connections {
            self.transport.answer(connection, answer.clone());
        }
        if let Some(connection) = last {
            self.transport.answer(connection, answer);
        }
    }

    fn report(&self, event: TransferEvent) {
        self.metrics.transfer(event);
        match event {
            TransferEvent::Begun { seq } => {
                tracing::info!(%seq, "takes over the state at a checkpoint of others");
            }
            TransferEvent::Done { seq } => tracing::info!(%seq, "has taken over the state at a checkpoint"),
            TransferEvent::Abandoned { seq } => tracing::info!(%seq, "nobody has this checkpoint any more"),
            TransferEvent::BadPart { peer, seq, part } => {
                if let Some(left_out) = self.bad_parts.may_say(peer) {
                    tracing::warn!(%peer, %seq, ?part, left_out, "a replica sent a wrong part of its state");
                }
            }
        }
    }

    fn keep(&self, evidence: Evidence) {
        let mut kept = self.shown.evidence.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if is_news(&kept, &evidence) {
            let (kind, about) = (evidence.kind(), evidence.about());
            self.metrics.evidence(kind);
            tracing::warn!(culprit = %evidence.culprit(), kind, ?about, "a replica is provably faulty");
            kept.push(evidence.clone());
            let _ = self.to_service.send(ToService::Evidence(evidence));
        }
    }

    fn publish_progress(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.flush();
        }
        let elapsed = self.clock.started.elapsed();
        if elapsed.saturating_sub(self.diagnosed) >= BETWEEN_DIAGNOSES {
            self.diagnosed = elapsed;
            self.shown.diagnosis.send_modify(|diagnosis| {
                diagnosis.look(&self.replica);
                self.metrics.diagnosed(diagnosis);
            });
        }
        let progress = self.replica.progress();
        self.metrics.progress(&progress);
        self.metrics.unreachable(self.transport.unreachable());
        self.shown.progress.send_if_modified(|before| {
            let changed = *before != progress;
            *before = progress;
            changed
        });
    }
}
