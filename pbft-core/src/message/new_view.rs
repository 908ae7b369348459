//! NEW-VIEW: the primary of a new view shows why it is one, and what becomes of the numbers in flight.

use pbft_crypto::Hasher;
use serde::{Deserialize, Serialize};

use super::{
    Checkpoint, PrePrepare, PreparedCertificate, Signed, Statement, StatementKind, ViewChange,
    signed::absorb_signed,
};
use crate::{certificate::Certificate, ids::View};

/// "A quorum wants `view`; from what it prepared follows this assignment of the numbers past its newest checkpoint."
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewView {
    /// The view that begins.
    pub view: View,
    /// What a quorum said, ascending by signer.
    pub view_changes: Vec<Signed<ViewChange>>,
    /// The primary's assignment of each number from the newest checkpoint to the last prepared one, ascending.
    pub pre_prepares: Vec<Signed<PrePrepare>>,
}

impl Statement for NewView {
    const KIND: StatementKind = StatementKind::NewView;

    fn absorb(&self, hasher: &mut Hasher) {
        hasher.update_u64(self.view.value());
        hasher.update_u64(self.view_changes.len() as u64);
        for vote in &self.view_changes {
            absorb_signed(vote, hasher);
        }
        hasher.update_u64(self.pre_prepares.len() as u64);
        for vote in &self.pre_prepares {
            absorb_signed(vote, hasher);
        }
    }
}

/// A NEW-VIEW with the proof of every fact that decided something in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenNewView {
    /// The signed announcement.
    pub announcement: Signed<NewView>,
    /// Proof of the newest checkpoint among the view-changes; nothing if that is 0.
    pub stable: Option<Certificate<Checkpoint>>,
    /// Proof of each assignment that is not a null request's, ascending by number.
    pub prepared: Vec<PreparedCertificate>,
}

impl ProvenNewView {
    /// The view that begins.
    #[must_use]
    pub const fn view(&self) -> View {
        self.announcement.statement.view
    }
}
