//! The form of each kind of message, and the signatures that must hold for it.

use super::{Checks, InvalidMessage, Verifier, all_distinct};
use crate::{
    certificate::Certificate,
    config::ValidConfig,
    crypto::SignatureCheck,
    ids::{Seq, View},
    message::{Attestation, Batch, CommittedBatch, Handover, Message, Prepare, Proposal, Signed, Statement},
};

pub(super) type Form = Result<Checks, InvalidMessage>;

impl Verifier {
    pub(super) fn check_form(&self, message: &Message) -> Form {
        match message {
            Message::Forward(requests) if requests.len() > self.config.max_batch_requests => {
                Err(InvalidMessage::TooLarge)
            }
            Message::Status(status) if status.slots.len() as u64 > self.config.window => {
                Err(InvalidMessage::LongStatus)
            }
            Message::Forward(_)
            | Message::Status(_)
            | Message::Fetch(_)
            | Message::FetchState(_)
            | Message::State(_)
            | Message::Returned(_) => Ok(Checks::default()),
            Message::Standing(standing) => match &standing.stable {
                None => Ok(Checks::default()),
                Some(stable) => self.check_certificate(stable.statement.seq, stable),
            },
            Message::PrePrepare(proposal) => self.check_proposal(proposal),
            Message::Prepare(prepare) => self.check_prepare(prepare),
            Message::Commit(commit) => self.check_signed(commit.statement.seq, commit),
            Message::Checkpoint(checkpoint) => self.check_signed(checkpoint.statement.seq, checkpoint),
            Message::Committed(committed) => self.check_committed(committed),
            Message::Stable(certificate) => self.check_certificate(certificate.statement.seq, certificate),
            Message::ViewChange(proven) => self.check_view_change(proven),
            Message::NewView(proven) => self.check_new_view(proven),
            Message::Handover(handover) => self.check_handover(handover),
            Message::Attestation(vote) => self.check_signed(vote.statement.seq, vote),
            Message::Certified(certificate) => self.check_result(certificate),
        }
    }

    /// PP-1 and PP-2; PP-3 and PP-4 in [`Self::check_batch`], PP-5 in [`Self::admit_contents`].
    fn check_proposal(&self, proposal: &Proposal) -> Form {
        let statement = &proposal.pre_prepare.statement;
        if proposal.pre_prepare.signer != self.roster.at(statement.seq).replicas.primary(statement.view) {
            return Err(InvalidMessage::WrongRole);
        }
        self.check_batch(&proposal.batch, statement.view)?;
        if proposal.batch.digest() != statement.digest {
            return Err(InvalidMessage::WrongDigest);
        }
        self.check_signed(statement.seq, &proposal.pre_prepare)
    }

    /// PP-3: within bounds. PP-4: no request twice.
    fn check_batch(&self, batch: &Batch, view: View) -> Result<(), InvalidMessage> {
        let fits = |operation: usize| operation <= self.config.max_operation_bytes;
        if batch.requests.len() > self.config.max_batch_requests
            || batch.operation_bytes() > self.config.max_batch_bytes
            || !batch.requests.iter().all(|request| fits(request.operation.len()))
        {
            return Err(InvalidMessage::TooLarge);
        }
        if batch.origin > view {
            return Err(InvalidMessage::FutureOrigin);
        }
        if !all_distinct(&batch.requests) {
            return Err(InvalidMessage::RepeatedRequest);
        }
        Ok(())
    }

    /// P-1: the primary's vote is its pre-prepare.
    fn check_prepare(&self, prepare: &Signed<Prepare>) -> Form {
        let config = self.roster.at(prepare.statement.seq);
        if prepare.signer == config.replicas.primary(prepare.statement.view) && config.sizes().n() > 1 {
            return Err(InvalidMessage::WrongRole);
        }
        self.check_signed(prepare.statement.seq, prepare)
    }

    pub(super) fn check_signed<T: Statement>(&self, seq: Seq, signed: &Signed<T>) -> Form {
        if seq == Seq::ZERO {
            return Err(InvalidMessage::SeqZero);
        }
        check_by(self.roster.at(seq), signed)
    }

    /// CU-2: the certificate alone decides; the requests need no second admission.
    fn check_committed(&self, committed: &CommittedBatch) -> Form {
        let statement = &committed.certificate.statement;
        self.check_batch(&committed.batch, statement.view)?;
        if committed.batch.digest() != statement.digest {
            return Err(InvalidMessage::WrongDigest);
        }
        self.check_certificate(statement.seq, &committed.certificate)
    }

    pub(super) fn check_certificate<T: Statement>(&self, seq: Seq, certificate: &Certificate<T>) -> Form {
        if seq == Seq::ZERO {
            return Err(InvalidMessage::SeqZero);
        }
        let config = self.roster.at(seq);
        check_signers(config, certificate, config.sizes().quorum())
    }

    /// RE-4: the replicas that were known certified who follows them.
    fn check_handover(&self, handover: &Handover) -> Form {
        let config = self.roster.of(handover.epoch()).ok_or(InvalidMessage::UnknownEpoch)?;
        let (_, signatures) = succession(config, handover)?;
        Ok(Checks { signatures })
    }

    /// AT-2: a weak quorum is enough for a result.
    fn check_result(&self, certificate: &Certificate<Attestation>) -> Form {
        if certificate.statement.seq == Seq::ZERO {
            return Err(InvalidMessage::SeqZero);
        }
        let config = self.roster.at(certificate.statement.seq);
        check_signers(config, certificate, config.sizes().weak())
    }
}

/// RE-4: who follows the replicas of `config` by this handover, if all these signatures are valid.
///
/// # Errors
/// If it cannot be one of theirs, whatever the signatures.
pub fn succession(
    config: &ValidConfig,
    handover: &Handover,
) -> Result<(ValidConfig, Vec<SignatureCheck>), InvalidMessage> {
    if handover.epoch() != config.epoch() {
        return Err(InvalidMessage::UnknownEpoch);
    }
    let of_these = handover.summary.membership.replicas == config.replicas.digest();
    let change = handover.change().filter(|_| of_these).ok_or(InvalidMessage::WrongHandover)?;
    let next = config.succeeded_by(change.replicas.clone(), change.after);
    let next = next.map_err(|_| InvalidMessage::WrongHandover)?;
    let checks = check_signers(config, &handover.certificate, config.sizes().quorum())?;
    Ok((next, checks.signatures))
}

/// So many members signed it.
fn check_signers<T: Statement>(config: &ValidConfig, certificate: &Certificate<T>, needed: usize) -> Form {
    let signatures = certificate.signature_checks(config, needed).ok_or(InvalidMessage::NoQuorum)?;
    Ok(Checks { signatures })
}

/// A member signed it.
pub(super) fn check_by<T: Statement>(config: &ValidConfig, signed: &Signed<T>) -> Form {
    let check = signed.signature_check(config).ok_or(InvalidMessage::UnknownSigner)?;
    Ok(Checks { signatures: vec![check] })
}
