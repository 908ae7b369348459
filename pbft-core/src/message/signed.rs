//! The one envelope for everything that is signed: who claims what, and the proof.

use pbft_crypto::{Digest, Domain, Hasher, Signature};
use serde::{Deserialize, Serialize};

use crate::{
    config::ValidConfig,
    crypto::{Crypto, SignatureCheck},
    ids::ReplicaId,
};

/// The first byte of what is signed; no two kinds share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StatementKind {
    /// See [`PrePrepare`](super::PrePrepare).
    PrePrepare = 1,
    /// See [`Prepare`](super::Prepare).
    Prepare = 2,
    /// See [`Commit`](super::Commit).
    Commit = 3,
    /// See [`Checkpoint`](super::Checkpoint).
    Checkpoint = 4,
    /// See [`ViewChange`](super::ViewChange).
    ViewChange = 5,
    /// See [`NewView`](super::NewView).
    NewView = 6,
    /// See [`Attestation`](super::Attestation).
    Attestation = 7,
}

/// Something that a replica can put its name to.
pub trait Statement {
    /// Tells it from every other kind of statement.
    const KIND: StatementKind;

    /// Feeds all its fields to `hasher`, each with a fixed length; a list begins with its own.
    fn absorb(&self, hasher: &mut Hasher);
}

/// For statements that contain others: signer and statement. Its signature adds nothing to what is said.
pub(super) fn absorb_signed<T: Statement>(signed: &Signed<T>, hasher: &mut Hasher) {
    hasher.update(&signed.signer.value().to_le_bytes());
    signed.statement.absorb(hasher);
}

const STATEMENT_DOMAIN: Domain = Domain::new("pbft/statement/v1");

/// What a signature over `statement` covers: the cluster and its epoch ([`ValidConfig::domain`]), the kind, the signer and
/// all fields.
pub fn signing_digest<T: Statement>(domain: &Digest, signer: ReplicaId, statement: &T) -> Digest {
    let mut hasher = Hasher::new(STATEMENT_DOMAIN);
    hasher.update(domain.as_bytes());
    hasher.update(&[T::KIND as u8]);
    hasher.update(&signer.value().to_le_bytes());
    statement.absorb(&mut hasher);
    hasher.finish()
}

/// A statement with its signer's name and signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<T> {
    /// What is claimed.
    pub statement: T,
    /// Who claims it.
    pub signer: ReplicaId,
    /// The proof.
    pub signature: Signature,
}

impl<T: Statement> Signed<T> {
    /// Signs `statement` as `signer`.
    pub fn sign(statement: T, signer: ReplicaId, config: &ValidConfig, crypto: &dyn Crypto) -> Self {
        let signature = crypto.sign(&signing_digest(config.domain(), signer, &statement));
        Self { statement, signer, signature }
    }

    /// What must be checked before this may be believed; nothing if the signer is no member.
    #[must_use]
    pub fn signature_check(&self, config: &ValidConfig) -> Option<SignatureCheck> {
        Some(SignatureCheck {
            key: *config.replicas.key(self.signer)?,
            digest: signing_digest(config.domain(), self.signer, &self.statement),
            signature: self.signature,
        })
    }
}
