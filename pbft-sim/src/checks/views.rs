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
    /// What those who lost their disks say that they have left for (SX-10).
    left: Vec<View>,
    entered: Vec<View>,
}

impl Views {
    pub(super) fn new(plan: &Plan) -> Self {
        let (n, seats) = (usize::from(plan.n), usize::from(plan.n + plan.spares));
        let faulty = (n - 1) / 3;
        let quorum = (n + faulty + 1).div_ceil(2);
        // Who joins is told of the view, which no record of its own shows.
        let liars = if plan.changes > 0 { n } else { plan.byzantine.len() };
        let views = || vec![View::ZERO; seats];
        Self { liars, faulty, quorum, wants: views(), left: views(), entered: views() }
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
            Record::Returned(record) if record.votes_from.is_some() => {
                self.left[place] = self.left[place].max(record.last_view);
            }
            _ => {}
        }
        Ok(())
    }

    fn may_want(&self, replica: ReplicaId, view: View) -> bool {
        let from = |view| self.wants.iter().filter(|wanted| **wanted >= view).count() + self.liars;
        let both = self.wants.iter().zip(&self.left);
        let left = |view| both.filter(|(wanted, left)| (**wanted).max(**left) >= view).count() + self.liars;
        let before = View::new(view.value().saturating_sub(1));
        before <= self.entered[replica.index()] || from(view) > self.faulty || left(before) >= self.quorum
    }
}
