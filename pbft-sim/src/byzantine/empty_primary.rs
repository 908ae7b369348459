//! As primary it orders one empty batch after the other, each just in time, and no request at all.

use core::time::Duration;
use std::sync::Arc;

use pbft_core::{
    Input, Message, Now, ReplicaId, Seq, UnixMillis, View,
    message::{Batch, PrePrepare, Proposal, Status},
};

use super::{Behaviour, Kit};

#[derive(Default)]
pub(super) struct EmptyPrimary {
    now: Duration,
    wall: UnixMillis,
    /// What it proposed last, and when.
    last: Option<(Proposal, Duration)>,
}

impl Behaviour for EmptyPrimary {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
        if let Message::Status(status) = message
            && kit.config.replicas.primary(status.view) == kit.id
            && let Some(proposal) = self.propose(kit, status)
        {
            kit.send(to, &Message::PrePrepare(proposal));
        }
    }

    fn hears(&mut self, _kit: &mut Kit<'_>, now: Now, input: &Input) -> bool {
        (self.now, self.wall) = (now.elapsed, now.wall);
        !matches!(input, Input::Request { .. })
    }
}

impl EmptyPrimary {
    /// All backups get the same. The next one comes once most of their patience is over.
    fn propose(&mut self, kit: &Kit<'_>, status: &Status) -> Option<Proposal> {
        let (view, seq) = (status.view, status.executed.next());
        if let Some((last, at)) = &self.last {
            if place(last) == (view, seq) {
                return Some(last.clone());
            }
            let pause = kit.config.request_timeout * 8 / 10;
            if place(last).0 == view && self.now < at.saturating_add(pause) {
                return None;
            }
        }
        let batch = Batch { origin: view, time: self.wall, requests: Vec::new() };
        let statement = PrePrepare { view, seq, digest: batch.digest() };
        let proposal = Proposal { pre_prepare: kit.sign_as(kit.id, statement), batch: Arc::new(batch) };
        self.last = Some((proposal.clone(), self.now));
        Some(proposal)
    }
}

fn place(proposal: &Proposal) -> (View, Seq) {
    let PrePrepare { view, seq, .. } = proposal.pre_prepare.statement;
    (view, seq)
}
