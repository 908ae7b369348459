//! Certificates: one statement signed by enough replicas, which convinces anyone who knows the replica set.

use pbft_crypto::Signature;
use serde::{Deserialize, Serialize};

use crate::{
    config::ValidConfig,
    crypto::SignatureCheck,
    ids::ReplicaId,
    message::{Signed, Statement, signed::signing_digest},
};

/// A statement with the signatures of a quorum (of a weak one, if it is about a result), ascending by signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate<T> {
    /// What all of them signed.
    pub statement: T,
    /// Who, and the proof.
    pub signatures: Vec<(ReplicaId, Signature)>,
}

impl<T: Statement> Certificate<T> {
    /// What must be checked before the certificate may be believed. Nothing if it cannot be valid: fewer signers than
    /// `needed`, one named twice (signers must ascend), or one that is no member.
    #[must_use]
    pub fn signature_checks(&self, config: &ValidConfig, needed: usize) -> Option<Vec<SignatureCheck>> {
        let ascending = self.signatures.windows(2).all(|pair| match pair {
            [(left, _), (right, _)] => left < right,
            _ => true,
        });
        let count = self.signatures.len();
        if !ascending || count < needed || count > usize::from(config.replicas.count()) {
            return None;
        }
        let check = |(signer, signature): &(ReplicaId, Signature)| {
            Some(SignatureCheck {
                key: *config.replicas.key(*signer)?,
                digest: signing_digest(config.domain(), *signer, &self.statement),
                signature: *signature,
            })
        };
        self.signatures.iter().map(check).collect()
    }
}

impl<T: Statement + PartialEq + Clone> Certificate<T> {
    /// Puts votes for the same statement together, from signers in ascending order; nothing without any vote.
    pub fn from_votes<'a>(votes: impl IntoIterator<Item = &'a Signed<T>>) -> Option<Self>
    where
        T: 'a,
    {
        let mut votes = votes.into_iter();
        let first = votes.next()?;
        let mut signatures = vec![(first.signer, first.signature)];
        signatures.extend(
            votes.filter(|vote| vote.statement == first.statement).map(|vote| (vote.signer, vote.signature)),
        );
        Some(Self { statement: first.statement.clone(), signatures })
    }
}
