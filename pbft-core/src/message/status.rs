//! STATUS: what a replica has, so that the others send again what it lacks. Unsigned: it proves nothing.

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, Seq, View};

/// How far a replica got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its view.
    pub view: View,
    /// Whether it takes part in that view already, or waits for it to begin.
    pub active: bool,
    /// The last number it executed.
    pub executed: Seq,
    /// Its stable checkpoint.
    pub stable: Seq,
    /// The numbers after `executed`, in order, as far as it knows of any.
    pub slots: Vec<SlotStatus>,
    /// The epoch that its view belongs to.
    pub epoch: Epoch,
    /// The newest epoch that it knows of, where it may not have got yet.
    pub known: Epoch,
    /// The results of all batches that it executed are certified up to this number.
    pub certified: Seq,
    /// The oldest batch that it can hand out; past `executed` if there is none.
    pub first: Seq,
    /// Whether it votes; not while it does not know what it voted for before it lost its log.
    pub votes: bool,
    /// Whether it waits for its view without asking for it, as it may have before it lost its log.
    pub left: bool,
    /// It can go on only once the others have got here.
    pub needs: Option<Seq>,
    /// What it has heard of such needs lately, from those who have them.
    pub heard: Option<Seq>,
}

/// How far one number got at a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SlotStatus {
    /// It lacks the batch.
    #[default]
    Empty,
    /// It has the pre-prepare and lacks a quorum of prepares.
    PrePrepared,
    /// It lacks a quorum of commits.
    Prepared,
    /// It lacks nothing.
    Committed,
}
