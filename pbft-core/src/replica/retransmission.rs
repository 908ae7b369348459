//! Retransmission: the network may lose anything, so replicas tell each other what they have, and send what is lacking.
//!
//! Two ways: what is in flight is sent again, vote by vote, to whoever lacks it (ST rules); a replica that fell behind
//! asks one peer at a time for final batches with their proofs (CU rules).

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Replica, Step};
use crate::{
    config::ReplicaSet,
    effect::Effect,
    ids::{ReplicaId, Seq},
    message::{CommittedBatch, Fetch, Message, SlotStatus, Status},
    storage::Record,
};

/// Answers to one status or fetch carry at most this many numbers.
const MAX_NUMBERS_PER_ANSWER: usize = 64;
/// ... and about this many bytes of operations.
const MAX_BYTES_PER_ANSWER: usize = 1 << 20;

/// In how many status periods a peer has to answer.
pub(super) const ANSWER_PERIODS: u32 = 5;

/// Whom this replica asks for what it missed.
#[derive(Clone, Debug, Default)]
pub(super) struct CatchUp {
    /// How far each peer says it got. Claims only: they cost a question, no more.
    claims: BTreeMap<ReplicaId, Seq>,
    /// The oldest batch that each peer says it can hand out.
    firsts: BTreeMap<ReplicaId, Seq>,
    /// How often each peer said the same again: who relays what to it changes each time.
    standing: BTreeMap<ReplicaId, u64>,
    asked: Option<Asked>,
    /// Who was asked last, in this question or an earlier one: the next one is somebody else.
    last_asked: Option<ReplicaId>,
    /// When each peer was last sent what it lacks: one that asks without end is answered now and then.
    helped: BTreeMap<ReplicaId, Duration>,
    /// The same for proofs of checkpoints, and for the word that there is something to fetch.
    proved: BTreeMap<ReplicaId, Duration>,
    offered: BTreeMap<ReplicaId, Duration>,
    /// How far each peer was sent batches, and when.
    answered: BTreeMap<ReplicaId, (Seq, Duration)>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    peer: ReplicaId,
    after: Seq,
    at: Duration,
    /// Whether the whole answer has come: a status closes it.
    answered: bool,
}

impl CatchUp {
    pub(super) fn forget_all_but(&mut self, members: &ReplicaSet) {
        self.claims.retain(|peer, _| members.contains(*peer));
        self.firsts.retain(|peer, _| members.contains(*peer));
        self.standing.retain(|peer, _| members.contains(*peer));
        self.asked = self.asked.filter(|asked| members.contains(asked.peer));
    }

    /// How many have said how far they are.
    pub(super) fn claimants(&self) -> usize {
        self.claims.len()
    }

    /// Who was asked for more, and has not answered in full.
    pub(super) fn asked_peer(&self) -> Option<ReplicaId> {
        self.asked.map(|asked| asked.peer)
    }
}

impl Replica {
    pub(super) fn on_start(&mut self, step: &mut Step<'_>) {
        self.start_return(step);
        self.suspicion.view_entered(step.now.elapsed);
        self.send_status(step);
        self.try_hand_over(step);
        self.resume_votes(step);
        self.try_execute(step);
        self.try_propose(step);
    }

    /// ST-1.
    pub(super) fn send_status(&self, step: &mut Step<'_>) {
        step.push(Effect::Broadcast(Message::Status(self.status(step))));
    }

    fn status(&self, step: &Step<'_>) -> Status {
        let mut slots = self.log.progress_after(self.execution.executed);
        slots.truncate(usize::try_from(self.config.window).unwrap_or(usize::MAX));
        let executed = self.execution.executed;
        Status {
            view: self.view,
            active: self.views.active,
            executed,
            stable: self.stable_seq(),
            slots,
            epoch: self.epoch(),
            known: self.roster().newest().epoch(),
            certified: self.certified(),
            first: self.log.first_available(executed),
            votes: !self.is_returning(),
            left: self.has_left(),
            needs: self.needs(),
            heard: self.heard_need(step.now.elapsed),
        }
    }

    pub(super) fn on_status(&mut self, step: &mut Step<'_>, from: ReplicaId, status: &Status) {
        if from == self.id || !self.roster().knows(from) {
            return;
        }
        let before = self.catch_up.claims.insert(from, status.executed);
        self.catch_up.firsts.insert(from, status.first);
        if self.config.replicas.contains(from) {
            self.suspicion.found_in(from, status.epoch, status.view);
        }
        self.judge_leader(step, from, status);
        self.note_need(step, from, status);
        self.note_left(step, from, status);
        self.help_with_checkpoints(step, from, status);
        self.help_with_results(step, from, before, status);
        // A peer that moves needs no help; one that stands still, or restarted, does.
        let stands = before.is_some_and(|before| status.executed <= before);
        let past = self.is_past_view_of(status);
        let outlived = status.known < self.roster().newest().epoch();
        let (now, pause) = (step.now.elapsed, self.answer_pause());
        if (stands || past || outlived) && is_due(&mut self.catch_up.helped, from, now, pause) {
            if outlived {
                self.help_with_handovers(step, from, status);
            } else if past {
                self.help_with_view(step, from);
            } else {
                self.help_with_votes(step, from, status);
            }
        }
        let standing = self.catch_up.standing.entry(from).or_default();
        *standing = if stands { standing.saturating_add(1) } else { 0 };
        if let Some(asked) = &mut self.catch_up.asked
            && asked.peer == from
        {
            asked.answered = true;
            self.go_on_catching_up(step);
        } else if status.executed < self.execution.executed {
            self.offer_catch_up(step, from, status);
        } else if self.catch_up.asked.is_none() && self.is_behind(step, status.executed) {
            self.try_fetch(step);
        }
    }

    /// One question of a peer is answered once in so long.
    pub(super) fn answer_pause(&self) -> Duration {
        self.config.status_period.checked_div(4).unwrap_or_default()
    }

    /// A peer learns from our status that there is something to fetch.
    fn offer_catch_up(&mut self, step: &mut Step<'_>, to: ReplicaId, status: &Status) {
        let (now, pause) = (step.now.elapsed, self.answer_pause());
        let behind = self.execution.executed.since(status.executed) > self.config.max_in_flight;
        let has_more = behind && self.log.committed(status.executed.next()).is_some();
        if has_more && is_due(&mut self.catch_up.offered, to, now, pause) {
            step.push(Effect::Send(to, Message::Status(self.status(step))));
        }
    }

    /// Whether a peer that executed up to `claim` is ahead by more than what is in flight anyway.
    fn is_behind(&self, step: &Step<'_>, claim: Seq) -> bool {
        let ahead = claim.since(self.execution.executed);
        ahead > self.config.max_in_flight || (ahead > 0 && self.is_stalled(step))
    }

    /// ST-2: the proof of a stable checkpoint, or this replica's vote for one.
    fn help_with_checkpoints(&mut self, step: &mut Step<'_>, to: ReplicaId, status: &Status) {
        let (now, pause) = (step.now.elapsed, self.answer_pause());
        let own = self.checkpoints.own_vote.clone().filter(|vote| vote.statement.seq > status.stable);
        let proven = self.stable_seq() > status.stable;
        if !(proven || own.is_some()) || !is_due(&mut self.catch_up.proved, to, now, pause) {
            return;
        }
        if proven {
            self.send_stable(step, to);
        }
        if let Some(vote) = own {
            step.push(Effect::Send(to, Message::Checkpoint(vote)));
        }
    }

    /// ST-3: what the peer lacks of the numbers in flight.
    fn help_with_votes(&self, step: &mut Step<'_>, to: ReplicaId, status: &Status) {
        if (status.epoch, status.view) != (self.epoch(), self.view) || !status.active || !self.views.active {
            return;
        }
        let known = status.slots.iter().copied().map(Some).chain(core::iter::repeat(None));
        let mut budget = Budget::default();
        for (offset, have) in (1..=self.config.window).zip(known) {
            let seq = status.executed.plus(offset);
            if seq > self.proposed || budget.is_spent() {
                return;
            }
            self.send_again(step, to, seq, have.unwrap_or_default(), &mut budget);
        }
    }

    fn send_again(
        &self,
        step: &mut Step<'_>,
        to: ReplicaId,
        seq: Seq,
        have: SlotStatus,
        budget: &mut Budget,
    ) {
        let Some(slot) = self.log.slot(seq) else { return };
        let mut send = |message| step.push(Effect::Send(to, message));
        if have == SlotStatus::Empty
            && slot.pre_prepared
            && self.relays(seq, to)
            && let Some(proposal) = &slot.proposal
        {
            budget.spend(proposal.batch.operation_bytes());
            send(Message::PrePrepare(proposal.clone()));
        }
        if have < SlotStatus::Prepared
            && let Some(prepare) = slot.prepares.of(self.id)
        {
            send(Message::Prepare(prepare.clone()));
        }
        if have < SlotStatus::Committed
            && let Some(commit) = slot.commits.of(self.id)
        {
            send(Message::Commit(commit.clone()));
        }
        budget.spend(0);
    }

    /// Proposals are large: the primary sends them again, and one backup for each number in case it cannot, another one
    /// each time.
    fn relays(&self, seq: Seq, to: ReplicaId) -> bool {
        let asked = self.catch_up.standing.get(&to).copied().unwrap_or_default();
        let turn = seq.value().saturating_add(asked).checked_rem(self.config.sizes().n() as u64);
        self.is_primary() || turn == self.config.replicas.rank(self.id).map(|rank| rank as u64)
    }

    // --- Catching up ----------------------------------------------------------------------------------------------

    /// CU-1: asks one peer that claims to be ahead, another one each time.
    pub(super) fn try_fetch(&mut self, step: &mut Step<'_>) {
        if self.transfer.is_running() {
            return;
        }
        let executed = self.execution.executed;
        let last = self.catch_up.last_asked.unwrap_or(self.id);
        let ahead: Vec<_> = self
            .catch_up
            .claims
            .iter()
            .filter(|(peer, claim)| **claim > executed && self.hands_out(**peer, executed.next()))
            .map(|(peer, _)| *peer)
            .collect();
        let next = ahead.iter().find(|peer| **peer > last).or_else(|| ahead.first());
        match next {
            Some(peer) => self.send_fetch(step, *peer),
            None => self.catch_up.asked = None,
        }
    }

    fn send_fetch(&mut self, step: &mut Step<'_>, peer: ReplicaId) {
        let after = self.execution.executed;
        self.catch_up.asked = Some(Asked { peer, after, at: step.now.elapsed, answered: false });
        self.catch_up.last_asked = Some(peer);
        step.push(Effect::Send(peer, Message::Fetch(Fetch { after })));
    }

    /// CU-1: whether the peer that was asked had its time, and has not answered in full. It may hand out a batch now and then.
    pub(super) fn is_kept_waiting(&self, now: Duration) -> bool {
        let late = |asked: Asked| !asked.answered && now.saturating_sub(asked.at) >= self.answer_patience();
        self.catch_up.asked.is_some_and(late)
    }

    /// How long a peer has for an answer before another one is asked.
    pub(super) fn answer_patience(&self) -> Duration {
        self.config.status_period.saturating_mul(ANSWER_PERIODS)
    }

    /// After a useful answer another peer is asked for more: none of them can slow this replica down for long.
    pub(super) fn go_on_catching_up(&mut self, step: &mut Step<'_>) {
        let Some(asked) = self.catch_up.asked else { return };
        let claim = self.catch_up.claims.get(&asked.peer).copied().unwrap_or_default();
        let executed = self.execution.executed;
        if claim <= executed {
            self.catch_up.asked = None;
        } else if asked.answered && self.execution.is_idle() && executed > asked.after {
            self.try_fetch(step);
        }
    }

    pub(super) fn on_fetch(&mut self, step: &mut Step<'_>, from: ReplicaId, fetch: Fetch) {
        let now = step.now.elapsed;
        let pause = self.answer_pause();
        // Who goes on after all that it was sent may ask at once; all other questions are spaced out.
        let repeated =
            |(through, at): &(Seq, Duration)| fetch.after < *through && now.saturating_sub(*at) < pause;
        if from == self.id
            || !self.roster().knows(from)
            || self.catch_up.answered.get(&from).is_some_and(repeated)
        {
            return;
        }
        let mut budget = Budget::default();
        let (mut sent, mut seq) = (fetch.after, fetch.after.next());
        while seq <= self.execution.executed && !budget.is_spent() {
            let Some(committed) = self.log.committed(seq) else { break };
            budget.spend(committed.batch.operation_bytes());
            step.push(Effect::Send(from, Message::Committed(committed)));
            self.send_result(step, from, seq);
            (sent, seq) = (seq, seq.next());
        }
        // With nothing sent, the same question comes too soon.
        self.catch_up.answered.insert(from, (sent.max(fetch.after.next()), now));
        step.push(Effect::Send(from, Message::Status(self.status(step))));
    }

    /// CU-2 and CU-3: a certified batch is final, from whomever it comes.
    pub(super) fn on_committed(&mut self, step: &mut Step<'_>, committed: CommittedBatch) {
        let seq = committed.certificate.statement.seq;
        if seq <= self.execution.executed {
            return;
        }
        let Some(slot) = self.log.slot_mut(seq) else { return };
        if slot.is_committed() {
            return;
        }
        let deceiver = self.finish(seq, committed.certificate.clone(), committed.batch.clone());
        self.proposed = self.proposed.max(seq);
        let position = self.persist(step, Record::CaughtUp(committed));
        if let Some(slot) = self.log.slot_mut(seq) {
            slot.recorded_at(position);
        }
        self.try_execute(step);
        if let Some(view) = deceiver {
            self.give_up_on_deceiver(step, view);
        }
    }

    /// Whether a peer has not said that it cannot send this batch any more.
    fn hands_out(&self, peer: ReplicaId, seq: Seq) -> bool {
        self.catch_up.firsts.get(&peer).is_none_or(|first| *first <= seq)
    }

    /// A quorum got further, and what lies between is not here: one correct peer at least has given it up, and a state is due (SX-1).
    pub(super) fn batches_are_gone(&self) -> bool {
        !self.has_next_batch() && self.without_next_batch() >= self.roster().newest().sizes().weak()
    }

    /// Whether the next batch to be executed is final and here.
    pub(super) fn has_next_batch(&self) -> bool {
        self.log.committed(self.execution.executed.next()).is_some()
    }

    /// How many members got further and say that they cannot hand out the next batch, if a quorum got further.
    pub(super) fn without_next_batch(&self) -> usize {
        let (executed, next) = (self.execution.executed, self.execution.executed.next());
        if self.proven_seq() <= executed {
            return 0;
        }
        let members = &self.roster().newest().replicas;
        let ahead =
            self.catch_up.claims.iter().filter(|(_, claim)| **claim > executed).map(|(peer, _)| *peer);
        ahead.filter(|peer| members.contains(*peer) && !self.hands_out(*peer, next)).count()
    }

    pub(super) fn forget_asked(&mut self) {
        self.catch_up.asked = None;
    }

    /// At least one correct replica has executed more than can be in flight: this one has batches to fetch.
    pub(super) fn is_far_behind(&self) -> bool {
        self.credible_claim().since(self.execution.executed) > self.config.max_in_flight
    }

    /// The farthest that a weak quorum of peers claims to have executed: one of them at least is correct.
    pub(super) fn credible_claim(&self) -> Seq {
        let config = self.roster().newest();
        let of_members = self.catch_up.claims.iter().filter(|(peer, _)| config.replicas.contains(**peer));
        let mut claims: Vec<_> = of_members.map(|(_, claim)| *claim).collect();
        claims.sort_unstable_by(|left, right| right.cmp(left));
        claims.get(config.sizes().f()).copied().unwrap_or_default()
    }

    /// How far a peer claims to have executed.
    pub(super) fn claim_of(&self, peer: ReplicaId) -> Seq {
        self.catch_up.claims.get(&peer).copied().unwrap_or_default()
    }

    /// The farthest that any peer claims to have executed.
    pub(super) fn farthest_claim(&self) -> Seq {
        self.catch_up.claims.values().copied().max().unwrap_or_default()
    }
}

/// Whether a peer was last answered a while ago; it is now, if so.
fn is_due(
    answered: &mut BTreeMap<ReplicaId, Duration>,
    peer: ReplicaId,
    now: Duration,
    pause: Duration,
) -> bool {
    let due = answered.get(&peer).is_none_or(|at| now.saturating_sub(*at) >= pause);
    if due {
        answered.insert(peer, now);
    }
    due
}

/// How much one answer may still carry.
struct Budget {
    numbers: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { numbers: MAX_NUMBERS_PER_ANSWER, bytes: MAX_BYTES_PER_ANSWER }
    }
}

impl Budget {
    const fn is_spent(&self) -> bool {
        self.numbers == 0 || self.bytes == 0
    }

    const fn spend(&mut self, bytes: usize) {
        self.numbers = self.numbers.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
