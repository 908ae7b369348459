//! Evidence: two signed statements that contradict each other prove their signer faulty to anyone.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    config::ValidConfig,
    crypto::Crypto,
    ids::{ReplicaId, Seq, View},
    message::{Attestation, Checkpoint, Commit, NewView, PrePrepare, Prepare, Signed, Statement, ViewChange},
};

/// A provable fault: both statements carry the same signer's valid signature, and no correct replica signs both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// A primary gave one number to two batches in one view.
    PrePrepares(Box<[Signed<PrePrepare>; 2]>),
    /// A backup prepared two batches for one number of one view.
    Prepares(Box<[Signed<Prepare>; 2]>),
    /// A replica committed two batches for one number of one view.
    Commits(Box<[Signed<Commit>; 2]>),
    /// A replica claims two results for the same executed prefix.
    Checkpoints(Box<[Signed<Checkpoint>; 2]>),
    /// A replica states two sets of facts on its way to one view.
    ViewChanges(Box<[Signed<ViewChange>; 2]>),
    /// A primary begins one view in two ways.
    NewViews(Box<[Signed<NewView>; 2]>),
    /// A replica claims two results of one batch.
    Attestations(Box<[Signed<Attestation>; 2]>),
}

/// Why evidence proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WeakEvidence {
    /// Two replicas may say two things.
    #[error("the statements are of two replicas")]
    TwoSigners,
    /// The signer is no member.
    #[error("the signer is no member")]
    UnknownSigner,
    /// A correct replica may say both: they are the same, or about different things.
    #[error("the statements do not contradict each other")]
    NoContradiction,
    /// Anyone could have written it.
    #[error("a signature is wrong")]
    BadSignature,
}

/// What a statement is about: for each of it a correct replica says one thing at most.
trait Single: Statement + PartialEq {
    fn about(&self) -> (View, Seq);
}

macro_rules! single {
    ($($statement:ident: $about:expr;)*) => {
        $(impl Single for $statement {
            fn about(&self) -> (View, Seq) {
                let about: fn(&Self) -> (View, Seq) = $about;
                about(self)
            }
        })*
    };
}

single! {
    PrePrepare: |s| (s.view, s.seq);
    Prepare: |s| (s.view, s.seq);
    Commit: |s| (s.view, s.seq);
    Checkpoint: |s| (View::ZERO, s.seq);
    ViewChange: |s| (s.view, Seq::ZERO);
    NewView: |s| (s.view, Seq::ZERO);
    Attestation: |s| (View::ZERO, s.seq);
}

/// Does the same with the pair, of whatever statement it is.
macro_rules! with_pair {
    ($evidence:expr, $pair:ident => $do:expr) => {
        match $evidence {
            Evidence::PrePrepares($pair) => $do,
            Evidence::Prepares($pair) => $do,
            Evidence::Commits($pair) => $do,
            Evidence::Checkpoints($pair) => $do,
            Evidence::ViewChanges($pair) => $do,
            Evidence::NewViews($pair) => $do,
            Evidence::Attestations($pair) => $do,
        }
    };
}

impl Evidence {
    /// Who is at fault.
    #[must_use]
    pub fn culprit(&self) -> ReplicaId {
        const fn signer<T>([first, _]: &[Signed<T>; 2]) -> ReplicaId {
            first.signer
        }
        with_pair!(self, pair => signer(pair))
    }

    /// The view and the number that it is about; zero where there is none.
    #[must_use]
    pub fn about(&self) -> (View, Seq) {
        fn about<T: Single>([first, _]: &[Signed<T>; 2]) -> (View, Seq) {
            first.statement.about()
        }
        with_pair!(self, pair => about(pair))
    }

    /// A short name, for metrics and people.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::PrePrepares(_) => "pre-prepare",
            Self::Prepares(_) => "prepare",
            Self::Commits(_) => "commit",
            Self::Checkpoints(_) => "checkpoint",
            Self::ViewChanges(_) => "view-change",
            Self::NewViews(_) => "new-view",
            Self::Attestations(_) => "attestation",
        }
    }

    /// Whether it convicts, for anyone who knows the cluster as it was in the epoch of the statements: one member has signed two statements, of which a correct
    /// replica signs one at most.
    ///
    /// # Errors
    /// Why it does not.
    pub fn verify(&self, config: &ValidConfig, crypto: &dyn Crypto) -> Result<(), WeakEvidence> {
        with_pair!(self, pair => verify_pair(pair, config, crypto))
    }
}

fn verify_pair<T: Single>(
    [first, second]: &[Signed<T>; 2],
    config: &ValidConfig,
    crypto: &dyn Crypto,
) -> Result<(), WeakEvidence> {
    if first.signer != second.signer {
        return Err(WeakEvidence::TwoSigners);
    }
    if first.statement.about() != second.statement.about() {
        return Err(WeakEvidence::NoContradiction);
    }
    let checks = [first.signature_check(config), second.signature_check(config)];
    let [Some(first), Some(second)] = checks else { return Err(WeakEvidence::UnknownSigner) };
    // Not the statements: in a NEW-VIEW are signatures of others, which anybody can exchange for other valid ones.
    if first.digest == second.digest {
        return Err(WeakEvidence::NoContradiction);
    }
    let good = crypto.verify(&first) && crypto.verify(&second);
    if good { Ok(()) } else { Err(WeakEvidence::BadSignature) }
}
