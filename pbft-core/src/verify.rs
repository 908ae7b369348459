//! From bytes to trust: what is checked of a message before the replica sees it.
//!
//! [`Replica::step`](crate::Replica::step) takes only what went through here, so no phase of the protocol has to think
//! about forged votes, batches that are not what their digest says, or requests that were never admitted. The work is
//! pure and needs no lock: hosts do it on worker threads, for many messages at once.

mod checks;
mod views;

use std::{collections::BTreeSet, sync::Arc};

use thiserror::Error;

pub use self::checks::succession;

use crate::{
    config::ValidConfig,
    crypto::{Crypto, SignatureCheck},
    ids::{Epoch, ReplicaId, RequestId},
    input::Input,
    message::{DeclineReason, Message, Request},
    roster::Roster,
    service::Admission,
};

/// Something that has passed the checks of this module. Only this module makes it, and
/// [`crate::recording`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    checked: T,
    known: Epoch,
}

impl<T> Verified<T> {
    /// What was checked.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.checked
    }

    /// For recordings, which hold only what was checked when they were made.
    pub(crate) const fn from_recording(checked: T, known: Epoch) -> Self {
        Self { checked, known }
    }

    /// What was checked.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.checked
    }

    /// The newest epoch that was known to whoever checked it. A replica that knows a later one does not believe a message.
    #[must_use]
    pub const fn known(&self) -> Epoch {
        self.known
    }
}

/// Why a message is not believed. Whoever sent it is at fault, or its link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidMessage {
    /// It speaks of a replica that is no member.
    #[error("the signer is no member")]
    UnknownSigner,
    /// Only the primary may pre-prepare, and it may not prepare.
    #[error("the signer has the wrong role in this view")]
    WrongRole,
    /// A signature is not valid.
    #[error("a signature is not valid")]
    BadSignature,
    /// Number 0 is the state before the first batch.
    #[error("number 0 is no batch's")]
    SeqZero,
    /// The batch is not the one that was signed for.
    #[error("the batch does not have the digest that was signed")]
    WrongDigest,
    /// The batch is larger than the configuration allows.
    #[error("the batch is too large")]
    TooLarge,
    /// Two requests of a batch have the same id.
    #[error("a request is in the batch twice")]
    RepeatedRequest,
    /// The batch claims to come from a later view.
    #[error("the batch comes from a later view")]
    FutureOrigin,
    /// A request would not have been admitted.
    #[error("a request that is not admitted was passed on")]
    NotAdmitted,
    /// Signers are too few, repeated, or not in order.
    #[error("the certificate has no quorum of distinct signers")]
    NoQuorum,
    /// A view-change says what cannot be: about its own view, out of order, or outside the window.
    #[error("a view-change states what cannot be")]
    ImpossibleFact,
    /// A fact of a view-change lacks its proof.
    #[error("a fact of a view-change is not proven")]
    Unproven,
    /// A new view does not do what follows from its view-changes.
    #[error("the new view's assignments do not follow from its view-changes")]
    WrongAssignment,
    /// A list is longer than the window.
    #[error("the status is longer than the window")]
    LongStatus,
    /// A handover is of an epoch whose replicas are not known yet.
    #[error("the replicas that hand over are not known")]
    UnknownEpoch,
    /// A handover does not show a certified change, or not one that can be.
    #[error("the handover does not follow from what was certified")]
    WrongHandover,
}

/// Checks messages and requests for one replica.
#[derive(Clone)]
pub struct Verifier {
    /// The bounds, which are the same in all epochs.
    config: Arc<ValidConfig>,
    roster: Arc<Roster>,
    crypto: Arc<dyn Crypto>,
    admission: Arc<dyn Admission>,
}

/// What has to be true of one message besides its form.
#[derive(Default)]
struct Checks {
    signatures: Vec<SignatureCheck>,
}

impl Checks {
    fn add(&mut self, more: Self) {
        self.signatures.extend(more.signatures);
    }
}

impl Verifier {
    /// Checks against this configuration.
    #[must_use]
    pub fn new(config: Arc<ValidConfig>, crypto: Arc<dyn Crypto>, admission: Arc<dyn Admission>) -> Self {
        let roster = Arc::new(Roster::new(config.clone()));
        Self { config, roster, crypto, admission }
    }

    /// Checks votes against these replicas from now on: see [`Effect::Reconfigured`](crate::Effect::Reconfigured).
    pub fn update(&mut self, roster: Arc<Roster>) {
        self.roster = roster;
    }

    /// Checks many messages at once and makes inputs of them: one each, but for forwarded requests, which become one
    /// input for each that is admitted.
    ///
    /// # Errors
    /// For each message by itself, the first thing that is wrong with it.
    pub fn verify(&self, messages: Vec<(ReplicaId, Message)>) -> Vec<Result<Vec<Input>, InvalidMessage>> {
        let formed: Vec<_> = messages.iter().map(|(_, message)| self.check_form(message)).collect();
        let all =
            formed.iter().flatten().flat_map(|checks| checks.signatures.iter().cloned()).collect::<Vec<_>>();
        let mut verdicts = self.crypto.verify_many(&all).into_iter();
        let judge = |((from, message), formed): ((ReplicaId, Message), Result<Checks, InvalidMessage>)| {
            let checks = formed?;
            // Every verdict of this message is consumed, also after a bad one: they belong to it alone.
            let good = verdicts.by_ref().take(checks.signatures.len()).filter(|valid| *valid).count();
            if good < checks.signatures.len() {
                return Err(InvalidMessage::BadSignature);
            }
            self.admit_contents(from, message)
        };
        messages.into_iter().zip(formed).map(judge).collect()
    }

    /// Asks the service's admission about requests.
    ///
    /// # Errors
    /// For each request by itself, why it is declined.
    pub fn admit(&self, requests: Vec<Request>) -> Vec<Result<Input, (RequestId, DeclineReason)>> {
        let verdicts = self.admission.admit(&requests);
        let judge = |(request, verdict): (Request, _)| {
            let id = request.id();
            if request.operation.len() > self.config.max_operation_bytes {
                return Err((id, DeclineReason::TooLarge));
            }
            match verdict {
                Ok(lane) => Ok(Input::Request { lane, request: self.checked(request) }),
                Err(why) => Err((id, DeclineReason::NotAdmitted(why))),
            }
        };
        requests.into_iter().zip(verdicts).map(judge).collect()
    }

    fn checked<T>(&self, checked: T) -> Verified<T> {
        Verified { checked, known: self.roster.newest().epoch() }
    }

    /// PP-5. The last check, and the most expensive: requests inside messages.
    fn admit_contents(&self, from: ReplicaId, message: Message) -> Result<Vec<Input>, InvalidMessage> {
        match &message {
            Message::Forward(requests) => {
                return Ok(self.admit(requests.clone()).into_iter().flatten().collect());
            }
            Message::PrePrepare(proposal) => {
                let requests = &proposal.batch.requests;
                if self.admission.admit(requests).iter().any(Result::is_err) {
                    return Err(InvalidMessage::NotAdmitted);
                }
            }
            _ => {}
        }
        Ok(vec![Input::Message { from, message: self.checked(message) }])
    }
}

/// Whether no two requests have the same id.
fn all_distinct(requests: &[Request]) -> bool {
    let mut seen = BTreeSet::new();
    requests.iter().all(|request| seen.insert(request.id()))
}
