//! Log before send (rule L-1): a vote waits here until its record is durable. Only then does it leave, and only then
//! does it count at its own sender: a vote that a crash may take away is no vote.

use super::{Replica, Step};
use crate::{
    effect::Effect,
    message::{
        Checkpoint, Commit, Message, NewView, PrePrepare, Prepare, Proposal, ProvenViewChange, Signed,
        Statement,
    },
    storage::{Durable, Held, LogPosition, Record},
};

/// Something that this replica has put its name to.
#[derive(Clone, Debug)]
pub(super) enum Vote {
    PrePrepare(Proposal),
    Prepare(Signed<Prepare>),
    Commit(Signed<Commit>),
    Checkpoint(Signed<Checkpoint>),
    ViewChange(Box<ProvenViewChange>),
    NewView(Signed<NewView>),
}

impl Replica {
    pub(super) fn sign<T: Statement>(&self, statement: T) -> Signed<T> {
        Signed::sign(statement, self.id, &self.config, &*self.crypto)
    }

    /// Writes a record.
    pub(super) fn persist(&mut self, step: &mut Step<'_>, record: Record) -> LogPosition {
        self.last_position = self.last_position.next();
        step.push(Effect::Persist(self.last_position, record));
        self.last_position
    }

    /// Writes a record, and holds the vote that rests on it.
    pub(super) fn persist_then_vote(
        &mut self,
        step: &mut Step<'_>,
        record: Record,
        vote: Vote,
    ) -> LogPosition {
        let position = self.persist(step, record);
        self.held.push_back(Held::until(position, vote));
        position
    }

    pub(super) fn on_durable(&mut self, step: &mut Step<'_>, durable: Durable) {
        self.try_truncate_log(step, durable);
        self.on_install_durable(step, durable);
        self.on_return_durable(step, durable);
        while let Some(held) = self.held.pop_front() {
            match held.release(durable) {
                Ok(vote) => self.cast(step, vote),
                Err(held) => {
                    self.held.push_front(held);
                    return;
                }
            }
        }
    }

    /// Sends a durable vote to all, itself included.
    fn cast(&mut self, step: &mut Step<'_>, vote: Vote) {
        // RE-5: who is no member has no say, and its vote must not count here either.
        if !self.is_member() {
            return;
        }
        match vote {
            Vote::PrePrepare(proposal) => {
                let PrePrepare { view, seq, .. } = proposal.pre_prepare.statement;
                step.push(Effect::Broadcast(Message::PrePrepare(proposal)));
                if view != self.view {
                    return;
                }
                if let Some(slot) = self.log.slot_mut(seq) {
                    slot.pre_prepared = true;
                }
                self.try_prepare_quorum(step, seq);
            }
            Vote::Prepare(prepare) => {
                step.push(Effect::Broadcast(Message::Prepare(prepare.clone())));
                self.on_prepare(step, prepare);
            }
            Vote::Commit(commit) => {
                step.push(Effect::Broadcast(Message::Commit(commit.clone())));
                self.on_commit(step, commit);
            }
            Vote::Checkpoint(checkpoint) => {
                step.push(Effect::Broadcast(Message::Checkpoint(checkpoint.clone())));
                self.on_checkpoint(step, checkpoint);
            }
            Vote::ViewChange(proven) => {
                step.push(Effect::Broadcast(Message::ViewChange(proven.clone())));
                self.on_view_change(step, proven);
            }
            Vote::NewView(announcement) => self.cast_new_view(step, &announcement),
        }
    }
}
