//! Votes of one kind for one number: at most one for each signer.

use std::collections::BTreeMap;

use crate::{
    certificate::Certificate,
    ids::ReplicaId,
    message::{Signed, Statement},
};

/// Votes by signer.
#[derive(Clone, Debug)]
pub struct Votes<T> {
    by_signer: BTreeMap<ReplicaId, Signed<T>>,
}

impl<T> Default for Votes<T> {
    fn default() -> Self {
        Self { by_signer: BTreeMap::new() }
    }
}

/// What became of a vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added<T> {
    /// It counts from now on.
    New,
    /// It was here already.
    Repeated,
    /// Its signer has said something else before, which keeps counting.
    Contradicts(Signed<T>),
}

impl<T: Statement + Clone + PartialEq> Votes<T> {
    /// Adds a vote. A signer's first vote stands.
    pub fn add(&mut self, vote: Signed<T>) -> Added<T> {
        match self.by_signer.get(&vote.signer) {
            None => {
                self.by_signer.insert(vote.signer, vote);
                Added::New
            }
            Some(first) if first.statement == vote.statement => Added::Repeated,
            Some(first) => Added::Contradicts(first.clone()),
        }
    }

    /// The votes for exactly this statement, ascending by signer.
    pub fn matching<'a>(&'a self, statement: &'a T) -> impl Iterator<Item = &'a Signed<T>> {
        self.by_signer.values().filter(move |vote| vote.statement == *statement)
    }

    /// A statement that at least `quorum` have signed.
    #[must_use]
    pub fn certificate(&self, quorum: usize) -> Option<Certificate<T>> {
        let statement = self
            .by_signer
            .values()
            .map(|vote| &vote.statement)
            .find(|statement| self.matching(statement).count() >= quorum)?;
        Certificate::from_votes(self.matching(statement))
    }

    /// The vote of one replica.
    #[must_use]
    pub fn of(&self, signer: ReplicaId) -> Option<&Signed<T>> {
        self.by_signer.get(&signer)
    }

    /// Who has voted.
    pub fn signers(&self) -> impl Iterator<Item = ReplicaId> {
        self.by_signer.keys().copied()
    }
}
