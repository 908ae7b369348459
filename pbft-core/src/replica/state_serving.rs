//! Handing the state out, and the desk at which the service is asked: one question at a time.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use super::{Replica, Step};
use crate::{
    client_table::CHUNK_BYTES,
    effect::Effect,
    ids::{ReplicaId, Seq},
    message::{FetchState, Message, PartBytes, State, StatePart, StateSummary},
    service::{ServiceAnswer, ServiceQuestion},
};

/// So many stable checkpoints are kept for peers, besides those that one of them is fetching.
const KEPT_STABLE: usize = 2;
/// So many checkpoints are taken out of the log after a restart.
const KEPT_RECOVERED: usize = 3;
/// So many questions of one peer are answered in a quarter of a status period.
const MAX_ANSWERS_IN_PAUSE: u32 = 4;

/// What this replica keeps for peers that need its state.
#[derive(Clone, Debug, Default)]
pub(super) struct StateServing {
    kept: BTreeMap<Seq, Kept>,
    fetching: BTreeMap<ReplicaId, Fetching>,
    /// Asked of the service and not answered yet: the one in front, if `busy`.
    waiting: VecDeque<(Purpose, ServiceQuestion)>,
    busy: Option<Purpose>,
    pub(super) standings: BTreeMap<ReplicaId, Duration>,
}

/// A checkpoint of this replica, but for what a durable service keeps of it.
#[derive(Clone, Debug)]
struct Kept {
    summary: Vec<u8>,
    clients: Vec<u8>,
    snapshot: Option<Vec<u8>>,
}

/// What a peer fetches.
#[derive(Clone, Copy, Debug)]
struct Fetching {
    seq: Seq,
    at: Duration,
    /// When the present quarter of a status period began, and how many answers it has seen.
    pause: (Duration, u32),
}

/// What a question to the service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A peer asked.
    Serve { to: ReplicaId, fetch: FetchState },
    /// A part of the checkpoint that this replica takes over.
    Check { from: ReplicaId, seq: Seq, part: StatePart },
    /// It is all there.
    Complete { seq: Seq },
    /// The service becomes what was installed.
    Restore { seq: Seq },
    /// What may go.
    Keep,
    /// Clients want to know something of the state.
    Read,
}

impl Kept {
    /// A part that needs no question to the service.
    fn part(&self, part: StatePart) -> Option<Vec<u8>> {
        match part {
            StatePart::Summary => Some(self.summary.clone()),
            StatePart::Clients(index) => {
                let index = usize::try_from(index).ok()?;
                self.clients.chunks(CHUNK_BYTES).nth(index).map(<[u8]>::to_vec)
            }
            StatePart::Service(0) => self.snapshot.clone(),
            StatePart::Manifest | StatePart::Service(_) => None,
        }
    }

    /// Whether the service has to be asked.
    const fn is_with_service(&self, part: StatePart) -> bool {
        self.snapshot.is_none() && matches!(part, StatePart::Manifest | StatePart::Service(_))
    }
}

impl StateServing {
    fn keep(&mut self, summary: &StateSummary, clients: &[u8], snapshot: Option<&[u8]>) {
        // A summary is far smaller than any bound of the encoding.
        let Ok(encoded) = crate::wire::encode(summary) else { return };
        let snapshot = snapshot.map(<[u8]>::to_vec);
        self.kept.insert(summary.seq, Kept { summary: encoded, clients: clients.to_vec(), snapshot });
    }

    /// Nothing from before a checkpoint that was taken over is of use to anyone.
    pub(super) fn give_up_kept(&mut self, before: Seq) {
        self.kept = self.kept.split_off(&before);
    }

    /// While the log is read nothing is asked in earnest.
    pub(super) fn clear_desk(&mut self) {
        self.waiting.clear();
        self.busy = None;
    }

    /// SX-5: whether one more question of a peer is answered now.
    fn may_answer(&mut self, peer: ReplicaId, seq: Seq, now: Duration, pause: Duration) -> bool {
        let fetching = self.fetching.entry(peer).or_insert(Fetching { seq, at: now, pause: (now, 0) });
        let (began, count) = &mut fetching.pause;
        if now.saturating_sub(*began) >= pause {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        let pending = |purpose: &Purpose| matches!(purpose, Purpose::Serve { to, .. } if *to == peer);
        let asked = self.waiting.iter().map(|(purpose, _)| purpose).chain(&self.busy).any(pending);
        *count <= MAX_ANSWERS_IN_PAUSE && !asked
    }
}

impl Replica {
    /// SX-5: what a checkpoint consists of is kept for peers.
    pub(super) fn keep_state(&mut self, summary: &StateSummary, clients: &[u8], snapshot: Option<&[u8]>) {
        self.serving.keep(summary, clients, snapshot);
    }

    /// A checkpoint from the log.
    pub(super) fn keep_recovered(&mut self, clients: &[u8], snapshot: Option<&[u8]>, summary: &StateSummary) {
        self.serving.keep(summary, clients, snapshot);
        while self.serving.kept.len() > KEPT_RECOVERED {
            self.serving.kept.pop_first();
        }
    }

    /// The newest stable checkpoints stay, and what a peer is fetching.
    pub(super) fn give_up_old_states(&mut self, step: &mut Step<'_>) {
        let (proven, now) = (self.proven_seq(), step.now.elapsed);
        let lease = self.config.max_timeout;
        self.serving.fetching.retain(|_, fetching| now.saturating_sub(fetching.at) < lease);
        let stable = self.serving.kept.keys().rev().filter(|seq| **seq <= proven);
        let Some(oldest) = stable.take(KEPT_STABLE).last().copied() else { return };
        let before = self.serving.kept.len();
        let StateServing { kept, fetching, .. } = &mut self.serving;
        kept.retain(|seq, _| *seq >= oldest || fetching.values().any(|fetching| fetching.seq == *seq));
        if kept.len() < before && kept.values().any(|kept| kept.snapshot.is_none()) {
            let needed = kept.keys().copied().collect();
            self.ask_service(step, Purpose::Keep, ServiceQuestion::Keep(needed));
        }
    }

    /// SX-5: paced and bounded, as all answers are.
    pub(super) fn on_fetch_state(&mut self, step: &mut Step<'_>, from: ReplicaId, fetch: FetchState) {
        if from == self.id || !self.roster().knows(from) {
            return;
        }
        let (now, pause) = (step.now.elapsed, self.answer_pause());
        if !self.serving.may_answer(from, fetch.seq, now, pause) {
            return;
        }
        let Some(kept) = self.serving.kept.get(&fetch.seq) else {
            return send_part(step, from, fetch, None);
        };
        if let Some(fetching) = self.serving.fetching.get_mut(&from) {
            (fetching.seq, fetching.at) = (fetch.seq, now);
        }
        if !kept.is_with_service(fetch.part) {
            return send_part(step, from, fetch, kept.part(fetch.part));
        }
        let question = match fetch.part {
            StatePart::Service(index) => ServiceQuestion::Part(fetch.seq, index),
            _ => ServiceQuestion::Manifest(fetch.seq),
        };
        self.ask_service(step, Purpose::Serve { to: from, fetch }, question);
    }

    // --- The desk -------------------------------------------------------------------------------------------------

    pub(super) fn ask_service(&mut self, step: &mut Step<'_>, purpose: Purpose, question: ServiceQuestion) {
        self.serving.waiting.push_back((purpose, question));
        self.ask_next(step);
    }

    fn ask_next(&mut self, step: &mut Step<'_>) {
        if self.serving.busy.is_none()
            && let Some((purpose, question)) = self.serving.waiting.pop_front()
        {
            self.serving.busy = Some(purpose);
            step.push(Effect::Ask(question));
        }
    }

    /// Whether the service would answer at once.
    pub(super) const fn is_desk_free(&self) -> bool {
        self.serving.busy.is_none()
    }

    pub(super) fn on_answered(&mut self, step: &mut Step<'_>, answer: ServiceAnswer) {
        let Some(purpose) = self.serving.busy.take() else { return };
        self.ask_next(step);
        match (purpose, answer) {
            (Purpose::Serve { to, fetch }, ServiceAnswer::Part(part)) => send_part(step, to, fetch, part),
            (Purpose::Check { from, seq, .. }, ServiceAnswer::Begun(begun)) => {
                self.on_manifest_checked(step, from, seq, begun.ok());
            }
            (Purpose::Check { from, seq, part }, ServiceAnswer::Accepted(accepted)) => {
                self.on_part_checked(step, from, seq, part, accepted.is_ok());
            }
            (Purpose::Complete { seq }, ServiceAnswer::Done(done)) => {
                self.on_completed(step, seq, done.is_ok());
            }
            (Purpose::Restore { seq }, ServiceAnswer::Done(done)) => self.on_restored(step, seq, done),
            (Purpose::Read, ServiceAnswer::Results(results)) => self.on_results(step, results),
            // The host answers what was asked.
            _ => {}
        }
    }
}

fn send_part(step: &mut Step<'_>, to: ReplicaId, fetch: FetchState, part: Option<Vec<u8>>) {
    let FetchState { seq, part: which } = fetch;
    let content = part.map(PartBytes);
    step.push(Effect::Send(to, Message::State(State { seq, part: which, content })));
}
