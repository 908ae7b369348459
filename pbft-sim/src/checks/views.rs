//! Views: nobody runs ahead. A replica gives up on a view that began, or with `f + 1` others, or once a quorum has waited
//! for the view in vain.

use pbft_core::{ReplicaId, View, storage::Record};

use super::Violation;
use crate::plan::Plan;

/// What each replica wants and has entered, as its records say.
#[derive(Debug)]
pub struct Views {
    /// Liars may have said anything.
    liars: usize,
    faulty: usize,
    quorum: usize,
    wants: Vec<View>,
    entered: Vec<View>,
}

impl Views {
    pub(super) fn new(plan: &Plan) -> Self {
        let (n, seats) = (usize::from(plan.n), usize::from(plan.n + plan.spares));
        let faulty = (n - 1) / 3;
        let quorum = (n + faulty + 1).div_ceil(2);
        // Who joins is told of the view, which no record of its own shows.
        // Nor does the record of a view survive a lost disk.
        let liars = if plan.changes > 0 || plan.faults.wipes > 0 { n } else { plan.byzantine.len() };
        Self { liars, faulty, quorum, wants: vec![View::ZERO; seats], entered: vec![View::ZERO; seats] }
    }

    pub(super) fn on_record(&mut self, replica: ReplicaId, record: &Record) -> Result<(), Violation> {
        let place = replica.index();
        match record {
            Record::NewView(proven) => self.entered[place] = self.entered[place].max(proven.view()),
            Record::ViewChange(proven) => {
                let view = proven.vote.statement.view;
                // It is written again at checkpoints.
                if view > self.wants[place] && !self.may_want(replica, view) {
                    return Err(Violation::RanAhead { replica, view });
                }
                self.wants[place] = self.wants[place].max(view);
            }
            _ => {}
        }
        Ok(())
    }

    fn may_want(&self, replica: ReplicaId, view: View) -> bool {
        let from = |view| self.wants.iter().filter(|wanted| **wanted >= view).count() + self.liars;
        let before = View::new(view.value().saturating_sub(1));
        before <= self.entered[replica.index()] || from(view) > self.faulty || from(before) >= self.quorum
    }
}
