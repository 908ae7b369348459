//! SX-11: a replica may go on only once the others have got somewhere. It says so, and a cluster without work goes there.
//!
//! One replica alone must neither have numbers pass without end nor have the others give up on a primary, so each tells
//! what it heard: what a weak quorum stands for is done, and what a quorum stands for is held against a primary.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Replica, Step};
use crate::{
    config::ReplicaSet,
    ids::{ReplicaId, Seq},
    message::Status,
};

/// What peers say of needs. All of it is forgotten unless it is said again.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    /// Where each peer itself needs the others to get.
    own: BTreeMap<ReplicaId, Need>,
    /// What each peer has heard from others, and when it said so.
    heard: BTreeMap<ReplicaId, (Seq, Duration)>,
    /// As primary this replica moves numbers on up to here.
    fill_until: Seq,
    filled_at: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Need {
    seq: Seq,
    /// When this number was first named: another one is believed only after a while.
    since: Duration,
    /// When it was last named; nothing once it is needed no more.
    said: Option<Duration>,
}

impl Needs {
    pub(super) fn forget_all_but(&mut self, members: &ReplicaSet) {
        self.own.retain(|peer, _| members.contains(*peer));
        self.heard.retain(|peer, _| members.contains(*peer));
    }

    /// Who needs something else all the time could have numbers pass without end.
    fn note(&mut self, from: ReplicaId, stated: Option<Seq>, now: Duration, pause: Duration) {
        let known = self.own.get_mut(&from);
        let Some(seq) = stated else {
            return known.into_iter().for_each(|known| known.said = None);
        };
        match known {
            Some(known) if seq == known.seq || now.saturating_sub(known.since) < pause => {
                // Who needs more needs this, too.
                known.said = if seq >= known.seq { Some(now) } else { known.said };
            }
            _ => {
                self.own.insert(from, Need { seq, since: now, said: Some(now) });
            }
        }
    }

    /// What this peer needed or had heard of, when it spoke last.
    fn of(&self, peer: ReplicaId, since: Duration) -> Option<Seq> {
        let own = self.own.get(&peer).filter(|need| need.said.is_some_and(|said| said >= since));
        let heard = self.heard.get(&peer).filter(|(_, said)| *said >= since);
        own.map(|need| need.seq).max(heard.map(|(seq, _)| *seq))
    }

    /// The farthest that any peer itself needs the others to get.
    fn farthest(&self, since: Duration) -> Option<Seq> {
        let lately = |need: &&Need| need.said.is_some_and(|said| said >= since);
        self.own.values().filter(lately).map(|need| need.seq).max()
    }
}

impl Replica {
    /// Where the others must get before this replica can go on.
    pub(super) fn needs(&self) -> Option<Seq> {
        let returning = self.votes_from().filter(|from| *from > Seq::ZERO);
        returning.into_iter().chain(self.transfer.stranded()).max()
    }

    /// Where a peer needs the others to get, as far as it told this replica itself. Hearsay is not handed on: it would go
    /// round for ever.
    pub(super) fn heard_need(&self, now: Duration) -> Option<Seq> {
        self.needing.farthest(self.lately(now)).filter(|need| *need > self.execution.executed)
    }

    pub(super) fn note_need(&mut self, step: &mut Step<'_>, from: ReplicaId, status: &Status) {
        if !self.roster().newest().replicas.contains(from) {
            return;
        }
        let now = step.now.elapsed;
        // Nothing that a correct replica needs lies farther away.
        let limit = self.proven_seq().plus(self.config.window.saturating_mul(3));
        let stated = status.needs.filter(|need| *need <= limit);
        self.needing.note(from, stated, now, self.config.max_timeout);
        match status.heard {
            Some(heard) => self.needing.heard.insert(from, (heard, now)),
            None => self.needing.heard.remove(&from),
        };
        self.grant(step);
    }

    /// The primary lets some numbers pass, once in a status period.
    pub(super) fn grant(&mut self, step: &mut Step<'_>) {
        let now = step.now.elapsed;
        let recently = |at| now.saturating_sub(at) < self.config.status_period;
        if !self.is_primary() || !self.is_needed(now) || self.needing.filled_at.is_some_and(recently) {
            return;
        }
        let burst = self.config.checkpoint_period.max(self.config.max_in_flight);
        let weak = self.roster().newest().sizes().weak();
        let granted = self.needed_by(weak, now).min(self.execution.executed.plus(burst));
        self.needing.filled_at = Some(now);
        self.needing.fill_until = self.needing.fill_until.max(granted);
        self.try_propose(step);
    }

    /// Without anything else to do the primary moves numbers on.
    pub(super) fn try_fill(&mut self, step: &mut Step<'_>) {
        while self.may_propose() && self.in_flight() == 0 && self.proposed < self.needing.fill_until {
            self.propose(step, Vec::new());
        }
    }

    /// Whether numbers have to pass for a peer, as one correct replica at least has heard from it.
    pub(super) fn is_needed(&self, now: Duration) -> bool {
        self.needed_until(now).is_some()
    }

    /// Up to where they have to.
    pub(super) fn needed_until(&self, now: Duration) -> Option<Seq> {
        let until = self.needed_by(self.roster().newest().sizes().weak(), now);
        (until > self.execution.executed).then_some(until)
    }

    /// Whether so many stand for it that a primary must have heard it from enough of them.
    pub(super) fn is_needed_of_primary(&self, now: Duration) -> bool {
        self.needed_by(self.roster().newest().sizes().quorum(), now) > self.execution.executed
    }

    /// Up to where so many members, this one counted in, need numbers to pass, or have heard so from a peer.
    fn needed_by(&self, count: usize, now: Duration) -> Seq {
        let since = self.lately(now);
        let need = |member: ReplicaId| {
            if member == self.id {
                self.needs().max(self.heard_need(now))
            } else {
                self.needing.of(member, since)
            }
        };
        let mut needs: Vec<_> = self.roster().newest().replicas.ids().filter_map(need).collect();
        needs.sort_unstable_by(|left, right| right.cmp(left));
        needs.get(count.saturating_sub(1)).copied().unwrap_or_default()
    }
}
