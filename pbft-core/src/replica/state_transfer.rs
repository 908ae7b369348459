//! State transfer: a replica for which the batches that it missed are gone takes over the state at a certified
//! checkpoint, part by part, from several peers.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::{Replica, Step, retransmission::ANSWER_PERIODS, state_serving::Purpose};
use crate::{
    certificate::Certificate,
    client_table::{ClientTable, chunk_digest},
    effect::{Effect, TransferEvent},
    ids::{ReplicaId, Seq},
    message::{Checkpoint, FetchState, Message, State, StatePart, StateSummary},
    service::{ServiceCheckpoint, ServiceQuestion},
    storage::LogPosition,
};

/// So many parts are asked for at once.
const MAX_ASKED: usize = 8;
/// So often the time that a transfer may stand still is doubled.
const MAX_DOUBLINGS: u32 = 4;

/// The transfer that runs, if one does.
#[derive(Clone, Debug, Default)]
pub(super) struct StateTransfer {
    pub(super) current: Option<Box<Transfer>>,
    /// So often in a row the next batch was not to be had and nothing was executed, once in a status period.
    looks: u32,
    /// The certified checkpoint that this replica is on its way to by batches, and for how many status periods.
    way: (Seq, u32),
    /// The way by batches is too long, and the state is taken over as soon as nothing executes.
    overdue: bool,
    /// So many transfers in a row were given up, with nothing executed in between.
    given_up: u32,
    /// Nobody had the last checkpoint that was tried: the next one is waited for.
    pub(super) stranded: Option<Seq>,
}

#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub(super) target: Certificate<Checkpoint>,
    pub(super) summary: Option<StateSummary>,
    /// What has not come yet, or is being checked.
    pub(super) missing: BTreeSet<StatePart>,
    done: u64,
    asked: BTreeMap<ReplicaId, AskedPart>,
    peers: BTreeMap<ReplicaId, Peer>,
    pub(super) clients: BTreeMap<u32, Vec<u8>>,
    pub(super) snapshot: Option<Vec<u8>>,
    pub(super) stage: Stage,
    /// When it began, or a good part came.
    went_on: Duration,
}

#[derive(Clone, Copy, Debug)]
struct AskedPart {
    part: StatePart,
    /// When somebody else is asked; never, while the part is being checked.
    until: Option<Duration>,
    expired: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    failures: u32,
    /// It sent a wrong part.
    avoided: bool,
    /// It does not have this checkpoint.
    lacks: bool,
    /// ... any more: it had said that it was past it.
    had_it: bool,
    /// Not asked before.
    next_at: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum Stage {
    Fetching,
    Completing,
    /// The checkpoint is in the log, perhaps not durable yet.
    Recorded {
        /// Where the handovers are that lead to it.
        begins: LogPosition,
        position: LogPosition,
        durable: bool,
        clients: Box<ClientTable>,
    },
}

impl StateTransfer {
    pub(super) const fn is_running(&self) -> bool {
        self.current.is_some()
    }

    /// The checkpoint that peers have to make before they can help.
    pub(super) const fn stranded(&self) -> Option<Seq> {
        self.stranded
    }

    /// Which checkpoint, how many parts are there and how many there are, and who is asked.
    pub(super) fn describe(&self) -> Option<(Seq, u64, u64, Vec<ReplicaId>)> {
        let transfer = self.current.as_ref()?;
        let parts = transfer.done.saturating_add(transfer.missing.len() as u64);
        let asked = transfer.asked.iter().filter(|(_, asked)| !asked.expired).map(|(peer, _)| *peer);
        Some((transfer.target.statement.seq, transfer.done, parts, asked.collect()))
    }
}

impl Transfer {
    fn new(target: Certificate<Checkpoint>, now: Duration) -> Self {
        Self {
            target,
            summary: None,
            missing: BTreeSet::from([StatePart::Summary]),
            done: 0,
            asked: BTreeMap::new(),
            peers: BTreeMap::new(),
            clients: BTreeMap::new(),
            snapshot: None,
            stage: Stage::Fetching,
            went_on: now,
        }
    }

    pub(super) const fn seq(&self) -> Seq {
        self.target.statement.seq
    }

    /// A part that nobody was asked for.
    fn next_part(&self) -> Option<StatePart> {
        let asked =
            |part: &&StatePart| self.asked.values().any(|asked| asked.part == **part && !asked.expired);
        self.missing.iter().find(|part| !asked(part)).copied()
    }

    /// Who may be asked, the most helpful first.
    fn candidates(&self, members: impl Iterator<Item = ReplicaId>) -> Vec<(ReplicaId, Peer)> {
        let free = |peer: &ReplicaId| self.asked.get(peer).is_none_or(|asked| asked.expired);
        let peer = |id: ReplicaId| (id, self.peers.get(&id).copied().unwrap_or_default());
        let mut free: Vec<_> =
            members.filter(free).map(peer).filter(|(_, peer)| !peer.avoided && !peer.lacks).collect();
        free.sort_by_key(|(_, peer)| peer.failures);
        free
    }

    fn got(&mut self, part: StatePart, now: Duration) {
        if self.missing.remove(&part) {
            self.done = self.done.saturating_add(1);
            self.went_on = now;
        }
    }

    /// Whether the service looks at a part.
    fn is_being_checked(&self) -> bool {
        self.asked.values().any(|asked| asked.until.is_none())
    }

    /// SX-3: a part that the core can check by itself. Nothing if the service has to.
    fn check(&mut self, part: StatePart, bytes: &[u8]) -> Option<bool> {
        match (part, &self.summary) {
            (StatePart::Summary, _) => Some(self.take_summary(bytes)),
            (_, None) => Some(false),
            (StatePart::Clients(index), Some(summary)) => {
                let expected = usize::try_from(index).ok().and_then(|index| summary.clients.get(index));
                let good = expected == Some(&chunk_digest(bytes));
                if good {
                    self.clients.insert(index, bytes.to_vec());
                }
                Some(good)
            }
            (StatePart::Service(_), Some(summary)) if summary.snapshot => {
                let named = ServiceCheckpoint::from_snapshot(bytes.to_vec());
                let good = named.digest == summary.service;
                self.snapshot = named.snapshot.filter(|_| good).or_else(|| self.snapshot.take());
                Some(good)
            }
            _ => None,
        }
    }

    /// SX-2: the summary proves itself: it has the certified digest.
    fn take_summary(&mut self, bytes: &[u8]) -> bool {
        let Ok(summary) = crate::wire::decode::<StateSummary>(bytes) else { return false };
        let certified = self.target.statement;
        if summary.seq != certified.seq || summary.digest() != certified.digest {
            return false;
        }
        let chunks = u32::try_from(summary.clients.len()).unwrap_or(u32::MAX);
        self.missing.extend((0..chunks).map(StatePart::Clients));
        self.missing.insert(if summary.snapshot { StatePart::Service(0) } else { StatePart::Manifest });
        self.summary = Some(summary);
        true
    }
}

impl Replica {
    /// SX-1: once in a status period. Batches are better than a state: only if none came for a while, or too few.
    pub(super) fn watch_gap(&mut self, step: &mut Step<'_>) {
        if self.transfer.is_running() {
            return self.renew_transfer(step);
        }
        let (executed, stalled) = (self.execution.executed, self.is_stalled(step));
        self.transfer.stranded.take_if(|stranded| *stranded <= executed);
        if !stalled {
            self.transfer.given_up = 0;
        }
        let patience = self.gap_patience().filter(|_| stalled && self.execution.is_idle());
        self.transfer.looks = if patience.is_some() { self.transfer.looks.saturating_add(1) } else { 0 };
        self.transfer.overdue = self.measure_way() || patience.is_some_and(|most| self.transfer.looks > most);
        self.begin_overdue_transfer(step);
    }

    /// SX-1: whether batches come too slowly, and a member says that it cannot hand out the next one any more.
    fn measure_way(&mut self) -> bool {
        let (to, periods) = self.transfer.way;
        let arrived = self.execution.executed >= to;
        self.transfer.way = if arrived { (self.proven_seq(), 0) } else { (to, periods.saturating_add(1)) };
        periods >= self.way_patience() && !arrived && self.without_next_batch() > 0
    }

    /// A state is taken over between two batches, so that none that is handed in at the right time can put it off.
    pub(super) fn begin_overdue_transfer(&mut self, step: &mut Step<'_>) {
        let due = self.execution.is_idle() && core::mem::take(&mut self.transfer.overdue);
        if due && self.proven_seq() > self.execution.executed {
            self.begin_transfer(step);
        }
    }

    /// For how many status periods nothing may be executed before a state is taken over. After a change of the replicas fewer
    /// than a weak quorum of them may have got further, so one is enough once all that are heard of had time to be asked for
    /// batches, one in each status period; and so they are before each further try.
    fn gap_patience(&self) -> Option<u32> {
        let sizes = self.roster().newest().sizes();
        let gone = if self.has_next_batch() { 0 } else { self.without_next_batch() };
        let sure = gone >= sizes.weak() && self.transfer.given_up == 0;
        (gone > 0).then(|| if sure { 2 } else { self.round() })
    }

    /// For how many status periods a certified checkpoint may be on its way by batches: whoever has them was asked by then, and
    /// had time to answer. One that hands them out one by one would have this replica follow for ever, and never arrive.
    fn way_patience(&self) -> u32 {
        self.round().saturating_mul(ANSWER_PERIODS)
    }

    /// In how many status periods each peer is asked for batches once, if nobody answers; and two.
    fn round(&self) -> u32 {
        let peers = self.catch_up.claimants().max(self.roster().newest().sizes().n());
        u32::try_from(peers.saturating_add(2)).unwrap_or(u32::MAX)
    }

    fn begin_transfer(&mut self, step: &mut Step<'_>) {
        let Some(target) = self.checkpoints.proven.clone() else { return };
        (self.transfer.looks, self.transfer.way) = (0, (target.statement.seq, 0));
        self.forget_asked();
        step.push(Effect::Transfer(TransferEvent::Begun { seq: target.statement.seq }));
        self.transfer.current = Some(Box::new(Transfer::new(target, step.now.elapsed)));
        self.ask_for_parts(step);
    }

    /// SX-4: what is not to be had is given up, for a later checkpoint or for batches.
    fn renew_transfer(&mut self, step: &mut Step<'_>) {
        let Some(transfer) = &self.transfer.current else { return };
        if !matches!(transfer.stage, Stage::Fetching) || transfer.is_being_checked() {
            return;
        }
        let lacking = self.is_lacking();
        if lacking && self.proven_seq() > transfer.seq() {
            return self.restart_transfer(step);
        }
        let idle = transfer.asked.values().all(|asked| asked.expired);
        let nobody = idle && transfer.candidates(self.peers()).is_empty();
        let waited = step.now.elapsed.saturating_sub(transfer.went_on);
        if nobody || waited >= self.transfer_patience() {
            self.give_up_transfer(step, nobody || lacking);
        }
    }

    /// Back to batches: by one liar's word alone they were gone, or somebody who has them was away.
    fn give_up_transfer(&mut self, step: &mut Step<'_>, gone: bool) {
        let Some(old) = self.transfer.current.take() else { return };
        if gone {
            // A peer that restarted may have its checkpoint no more, and makes another one only if something happens.
            let next = old.seq().plus(self.config.checkpoint_period);
            self.transfer.stranded = Some(next.max(self.proven_seq()));
        }
        self.transfer.given_up = self.transfer.given_up.saturating_add(1);
        step.push(Effect::Transfer(TransferEvent::Abandoned { seq: old.seq() }));
        // What became final meanwhile has waited for this (SX-7).
        self.try_execute(step);
        self.try_propose(step);
    }

    /// How long no part may come: so that each peer can be asked, and longer each time, as the network may be slow.
    fn transfer_patience(&self) -> Duration {
        let peers = u32::try_from(self.roster().newest().sizes().n()).unwrap_or(u32::MAX);
        let times = 1_u32 << self.transfer.given_up.min(MAX_DOUBLINGS);
        self.answer_patience().saturating_mul(peers).saturating_mul(times)
    }

    /// One correct member at least does not have the checkpoint any more. Who has not come to it yet does not count: the others
    /// may well hand it out, and a later one would be lacked by the same.
    fn is_lacking(&self) -> bool {
        let newest = self.roster().newest();
        let lacks =
            |(id, peer): &(&ReplicaId, &Peer)| peer.lacks && peer.had_it && newest.replicas.contains(**id);
        let lacking = self.transfer.current.iter().flat_map(|transfer| &transfer.peers).filter(lacks);
        lacking.count() >= newest.sizes().weak()
    }

    pub(super) fn restart_transfer(&mut self, step: &mut Step<'_>) {
        if let Some(old) = self.transfer.current.take() {
            step.push(Effect::Transfer(TransferEvent::Abandoned { seq: old.seq() }));
        }
        self.begin_transfer(step);
    }

    /// All other members: first those that say that they got as far as the certified checkpoint.
    fn peers(&self) -> impl Iterator<Item = ReplicaId> + use<> {
        let (own, proven) = (self.id, self.proven_seq());
        let mut members: Vec<_> = self.roster().newest().replicas.ids().collect();
        members.sort_by_key(|peer| self.claim_of(*peer) < proven);
        members.into_iter().filter(move |id| *id != own)
    }

    /// SX-4: one part from each peer at a time, at most so many in all.
    pub(super) fn ask_for_parts(&mut self, step: &mut Step<'_>) {
        let (now, members) = (step.now.elapsed, self.peers());
        let (pause, patience) = (self.part_pause(), self.answer_patience());
        let Some(transfer) = &mut self.transfer.current else { return };
        if !matches!(transfer.stage, Stage::Fetching) {
            return;
        }
        for (peer, state) in transfer.candidates(members).into_iter().filter(|(_, peer)| peer.next_at <= now)
        {
            let outstanding = transfer.asked.values().filter(|asked| !asked.expired).count();
            let Some(part) = transfer.next_part().filter(|_| outstanding < MAX_ASKED) else { return };
            let asked = AskedPart { part, until: Some(now.saturating_add(patience)), expired: false };
            transfer.asked.insert(peer, asked);
            transfer.peers.insert(peer, Peer { next_at: now.saturating_add(pause), ..state });
            let seq = transfer.seq();
            step.push(Effect::Send(peer, Message::FetchState(FetchState { seq, part })));
        }
    }

    /// Slower than what peers answer: see [`super::state_serving`].
    fn part_pause(&self) -> Duration {
        self.answer_pause().checked_div(2).unwrap_or_default()
    }

    /// When to look at the transfer next.
    pub(super) fn transfer_at(&self, step: &Step<'_>) -> Option<Duration> {
        let transfer = self.transfer.current.as_ref()?;
        if !matches!(transfer.stage, Stage::Fetching) {
            return None;
        }
        let expiry =
            transfer.asked.values().filter(|asked| !asked.expired).filter_map(|asked| asked.until).min();
        let outstanding = transfer.asked.values().filter(|asked| !asked.expired).count();
        let more = transfer.next_part().is_some() && outstanding < MAX_ASKED;
        let free = transfer.candidates(self.peers()).into_iter().map(|(_, peer)| peer.next_at).min();
        // What could be asked for now has been: a deadline now, and again now, would never end.
        let free = free.filter(|at| more && *at > step.now.elapsed);
        expiry.into_iter().chain(free).min()
    }

    /// SX-4: a part that did not come in time is asked of another peer.
    pub(super) fn on_transfer_timer(&mut self, step: &mut Step<'_>) {
        let now = step.now.elapsed;
        let Some(transfer) = &mut self.transfer.current else { return };
        for (peer, asked) in &mut transfer.asked {
            if !asked.expired && asked.until.is_some_and(|until| now >= until) {
                asked.expired = true;
                let peer = transfer.peers.entry(*peer).or_default();
                peer.failures = peer.failures.saturating_add(1);
            }
        }
        self.ask_for_parts(step);
    }

    /// SX-3: only what this peer was asked for is looked at, as the part that it was asked for.
    pub(super) fn on_state(&mut self, step: &mut Step<'_>, from: ReplicaId, state: State) {
        let had_it = self.claim_of(from) >= state.seq;
        let Some(transfer) = &mut self.transfer.current else { return };
        let asked =
            transfer.asked.get(&from).is_some_and(|asked| asked.part == state.part && asked.until.is_some());
        let open = matches!(transfer.stage, Stage::Fetching) && transfer.missing.contains(&state.part);
        if state.seq != transfer.seq() || !asked {
            return;
        }
        transfer.asked.remove(&from);
        let Some(content) = state.content else {
            let peer = transfer.peers.entry(from).or_default();
            (peer.lacks, peer.had_it) = (true, had_it);
            return self.on_lacking(step);
        };
        if !open {
            return self.ask_for_parts(step);
        }
        match transfer.check(state.part, &content.0) {
            Some(good) => self.on_part_checked(step, from, state.seq, state.part, good),
            None => self.have_part_checked(step, from, state.part, content.0),
        }
    }

    /// A correct peer does not have the checkpoint any more: goes on to a later one, if there is one.
    fn on_lacking(&mut self, step: &mut Step<'_>) {
        let Some(transfer) = &self.transfer.current else { return };
        let later = self.proven_seq() > transfer.seq() && matches!(transfer.stage, Stage::Fetching);
        if later && self.is_lacking() {
            self.restart_transfer(step);
        } else {
            self.ask_for_parts(step);
        }
    }

    /// SX-3: the service checks its own parts.
    fn have_part_checked(&mut self, step: &mut Step<'_>, from: ReplicaId, part: StatePart, bytes: Vec<u8>) {
        let Some(transfer) = &mut self.transfer.current else { return };
        let Some(summary) = &transfer.summary else { return };
        let question = match part {
            StatePart::Service(index) => ServiceQuestion::Accept { index, part: bytes },
            _ => ServiceQuestion::Begin { seq: summary.seq, digest: summary.service, manifest: bytes },
        };
        let seq = summary.seq;
        transfer.asked.insert(from, AskedPart { part, until: None, expired: false });
        self.ask_service(step, Purpose::Check { from, seq, part }, question);
        self.ask_for_parts(step);
    }

    pub(super) fn on_manifest_checked(
        &mut self,
        step: &mut Step<'_>,
        from: ReplicaId,
        seq: Seq,
        missing: Option<Vec<u32>>,
    ) {
        let (part, good) = (StatePart::Manifest, missing.is_some());
        if let (Some(missing), Some(transfer)) = (missing, &mut self.transfer.current)
            && transfer.seq() == seq
            && transfer.missing.contains(&part)
        {
            transfer.missing.extend(missing.into_iter().map(StatePart::Service));
        }
        self.on_part_checked(step, from, seq, part, good);
    }

    pub(super) fn on_part_checked(
        &mut self,
        step: &mut Step<'_>,
        from: ReplicaId,
        seq: Seq,
        part: StatePart,
        good: bool,
    ) {
        let Some(transfer) = &mut self.transfer.current else { return };
        if transfer.seq() != seq {
            return;
        }
        if transfer.asked.get(&from).is_some_and(|asked| asked.part == part) {
            transfer.asked.remove(&from);
        }
        if good {
            transfer.got(part, step.now.elapsed);
        } else {
            transfer.peers.entry(from).or_default().avoided = true;
            step.push(Effect::Transfer(TransferEvent::BadPart { peer: from, seq, part }));
        }
        self.try_complete(step);
        self.ask_for_parts(step);
    }
}
