//! Attestation: what executing a batch had as its result is signed by each replica, once, and `f + 1` equal signatures are
//! a proof of it that outlives the cluster.
//!
//! Nothing waits for it: batches go on being proposed and executed while the results of earlier ones are certified. And
//! it needs no record of its own: a result follows from the order alone, so whoever executes a batch again signs the same.

use core::time::Duration;
use std::collections::BTreeMap;

use pbft_crypto::Digest;

use super::{Replica, Step};
use crate::{
    certificate::Certificate,
    effect::Effect,
    evidence::Evidence,
    ids::{ReplicaId, Seq},
    log::{Added, Votes},
    message::{Attestation, Message, Signed, Status},
};

/// A checkpoint's record has at most so many results.
pub(crate) const MAX_RESULTS_IN_RECORD: usize = 4096;
/// The answer to one status has at most so many numbers.
const MAX_NUMBERS_PER_ANSWER: usize = 64;

/// What is known of results.
#[derive(Clone, Debug, Default)]
pub(super) struct Attesting {
    /// All results up to here are certified, or were given up.
    certified: Seq,
    /// Where `certified` was when the last checkpoint was asked for: the service keeps what it was handed before.
    handed_over: Seq,
    /// This replica's own results. A number that was executed and is not here had none.
    results: BTreeMap<Seq, Digest>,
    votes: BTreeMap<Seq, Votes<Attestation>>,
    certificates: BTreeMap<Seq, Certificate<Attestation>>,
    /// How often each peer was helped, and when.
    helped: BTreeMap<ReplicaId, (u64, Duration)>,
}

impl Attesting {
    /// The checkpoint is asked for: its record will say that what was certified so far need not come again.
    pub(super) const fn hand_over(&mut self) {
        self.handed_over = self.certified;
    }

    pub(super) const fn handed_over(&self) -> Seq {
        self.handed_over
    }

    /// AT-6: what a checkpoint's record knows of results.
    pub(super) fn replay(&mut self, certified: Seq, results: &[Attestation], executed: Seq) {
        self.certified = certified;
        self.handed_over = certified;
        self.results.extend(results.iter().map(|result| (result.seq, result.digest)));
        self.advance(executed);
    }

    /// Numbers without a result need no certificate.
    fn advance(&mut self, executed: Seq) {
        let is_done = |seq: Seq| !self.results.contains_key(&seq) || self.certificates.contains_key(&seq);
        while self.certified < executed && is_done(self.certified.next()) {
            self.certified = self.certified.next();
        }
    }

    /// AT-7.
    fn forget(&mut self, floor: Seq) {
        self.results = self.results.split_off(&floor.next());
        self.votes = self.votes.split_off(&floor.next());
        self.certificates = self.certificates.split_off(&floor.next());
        self.certified = self.certified.max(floor);
    }

    /// The first and the last of the numbers of which anything is kept.
    pub(super) fn ends(&self) -> impl Iterator<Item = Seq> {
        let (mut results, mut votes, mut proofs) =
            (self.results.keys(), self.votes.keys(), self.certificates.keys());
        let first = [results.next(), votes.next(), proofs.next()];
        let last = [results.next_back(), votes.next_back(), proofs.next_back()];
        first.into_iter().chain(last).flatten().copied()
    }
}

impl Replica {
    /// The results of all batches are certified up to this number, as far as anyone can still certify them.
    #[must_use]
    pub const fn certified(&self) -> Seq {
        self.attesting.certified
    }

    /// AT-1: signs the result, once in a life, and not if its proof has come already.
    pub(super) fn attest(&mut self, step: &mut Step<'_>, seq: Seq, result: Option<Digest>) {
        if let Some(digest) = result {
            self.attesting.results.insert(seq, digest);
        }
        match (self.attesting.certificates.get(&seq).cloned(), result) {
            (Some(certificate), _) => self.deliver(step, certificate),
            (None, Some(digest)) if self.is_member_at(seq) => {
                let vote = self.sign_result(Attestation { seq, digest });
                step.push(Effect::Broadcast(Message::Attestation(vote.clone())));
                self.on_attestation(step, vote);
            }
            (None, _) => {}
        }
        self.attesting.advance(self.execution.executed);
    }

    /// AT-3: the first word of each signer counts, for numbers that are not certified yet and in the window.
    pub(super) fn on_attestation(&mut self, step: &mut Step<'_>, vote: Signed<Attestation>) {
        let seq = vote.statement.seq;
        if let Some(certificate) = self.attesting.certificates.get(&seq) {
            if let Some(first) = other_word(certificate, &vote) {
                step.push(Effect::Evidence(Evidence::Attestations(Box::new([first, vote]))));
            }
            return;
        }
        if !self.lacks_certificate(seq) {
            return;
        }
        if vote.signer != self.id {
            self.recall_own_word(seq);
        }
        let weak = self.roster().at(seq).sizes().weak();
        let votes = self.attesting.votes.entry(seq).or_default();
        match votes.add(vote.clone()) {
            Added::New => {
                if let Some(certificate) = votes.certificate(weak) {
                    self.on_certified(step, certificate);
                }
            }
            Added::Repeated => {}
            Added::Contradicts(first) => {
                step.push(Effect::Evidence(Evidence::Attestations(Box::new([first, vote]))));
            }
        }
    }

    /// AT-3: its own word counts too, also for a batch that it executed before it was restarted.
    fn recall_own_word(&mut self, seq: Seq) {
        let said = self.attesting.votes.get(&seq).is_some_and(|votes| votes.of(self.id).is_some());
        let result = self.attesting.results.get(&seq).copied();
        if let Some(digest) = result.filter(|_| !said && self.is_member_at(seq)) {
            let own = self.sign_result(Attestation { seq, digest });
            self.attesting.votes.entry(seq).or_default().add(own);
        }
    }

    /// AT-2: a proof counts from whomever it comes.
    pub(super) fn on_certified(&mut self, step: &mut Step<'_>, certificate: Certificate<Attestation>) {
        let seq = certificate.statement.seq;
        if !self.lacks_certificate(seq) || self.attesting.certificates.contains_key(&seq) {
            return;
        }
        self.attesting.votes.remove(&seq);
        self.attesting.certificates.insert(seq, certificate.clone());
        if seq <= self.execution.executed {
            self.deliver(step, certificate);
            self.attesting.advance(self.execution.executed);
        }
    }

    /// In the name of the epoch that decided the number, which may be over.
    fn sign_result(&self, result: Attestation) -> Signed<Attestation> {
        Signed::sign(result, self.id, self.roster().at(result.seq), &*self.crypto)
    }

    fn lacks_certificate(&self, seq: Seq) -> bool {
        seq > self.attesting.certified && seq <= self.log.high()
    }

    /// AT-4: the service gets the proof of what it computed itself, and only that.
    fn deliver(&self, step: &mut Step<'_>, certificate: Certificate<Attestation>) {
        let Attestation { seq, digest: certified } = certificate.statement;
        let own = self.attesting.results.get(&seq).copied().unwrap_or(Digest::ZERO);
        step.push(if own == certified {
            Effect::Certified(certificate)
        } else {
            Effect::Diverged { seq, own, certified }
        });
    }

    // --- Retransmission -------------------------------------------------------------------------------------------

    /// AT-5: what the peer lacked already when it spoke before, by and by.
    pub(super) fn help_with_results(
        &mut self,
        step: &mut Step<'_>,
        to: ReplicaId,
        executed_before: Option<Seq>,
        status: &Status,
    ) {
        let through = executed_before.unwrap_or_default().min(status.executed).min(self.execution.executed);
        if through <= status.certified || !self.may_help_with_results(step, to) {
            return;
        }
        // The peer chooses its number: what is given up must not be counted through.
        let first = status.certified.max(self.results_floor()).next();
        for seq in (first.value()..=through.value()).map(Seq::new).take(MAX_NUMBERS_PER_ANSWER) {
            let proven = self.attesting.certificates.contains_key(&seq);
            if !proven || self.has_turn(to, seq) {
                self.send_result(step, to, seq);
            }
        }
    }

    /// Once in a quarter of a status period for each peer.
    fn may_help_with_results(&mut self, step: &Step<'_>, to: ReplicaId) -> bool {
        let (now, pause) = (step.now.elapsed, self.answer_pause());
        let (count, at) = self.attesting.helped.get(&to).copied().unwrap_or_default();
        if count > 0 && now.saturating_sub(at) < pause {
            return false;
        }
        self.attesting.helped.insert(to, (count.saturating_add(1), now));
        true
    }

    /// One proof is enough: each time another peer sends it.
    fn has_turn(&self, to: ReplicaId, seq: Seq) -> bool {
        let count = self.attesting.helped.get(&to).map_or(0, |(count, _)| *count);
        let turn = seq.value().saturating_add(count).checked_rem(self.config.sizes().n() as u64);
        turn == self.config.replicas.rank(self.id).map(|rank| rank as u64)
    }

    /// The proof of a result, or else this replica's vote.
    pub(super) fn send_result(&self, step: &mut Step<'_>, to: ReplicaId, seq: Seq) {
        if let Some(certificate) = self.attesting.certificates.get(&seq) {
            step.push(Effect::Send(to, Message::Certified(certificate.clone())));
        } else if let Some(digest) = self.attesting.results.get(&seq).filter(|_| self.is_member_at(seq)) {
            let own = self.attesting.votes.get(&seq).and_then(|votes| votes.of(self.id)).cloned();
            let vote = own.unwrap_or_else(|| self.sign_result(Attestation { seq, digest: *digest }));
            step.push(Effect::Send(to, Message::Attestation(vote)));
        }
    }

    // --- What is kept ---------------------------------------------------------------------------------------------

    /// AT-6: the results that nobody executes again once there is a checkpoint at `seq`.
    pub(super) fn recent_results(&self, seq: Seq) -> Vec<Attestation> {
        let period_before = seq.value().saturating_sub(self.config.checkpoint_period);
        let most = seq.value().saturating_sub(MAX_RESULTS_IN_RECORD as u64);
        let after = Seq::new(self.attesting.handed_over.value().min(period_before).max(most));
        let results = self.attesting.results.range(after.next()..=seq.max(after.next()));
        results.map(|(seq, digest)| Attestation { seq: *seq, digest: *digest }).collect()
    }

    /// AT-7: as far back as the archive goes, and a window at least.
    pub(super) fn forget_results(&mut self) {
        let floor = self.results_floor();
        self.attesting.forget(floor);
    }

    pub(super) fn results_floor(&self) -> Seq {
        let window_before = self.log.low().value().saturating_sub(self.config.window);
        self.log.floor().min(Seq::new(window_before))
    }
}

/// What the signer of `vote` said in the certificate, if that was something else.
fn other_word(
    certificate: &Certificate<Attestation>,
    vote: &Signed<Attestation>,
) -> Option<Signed<Attestation>> {
    if certificate.statement == vote.statement {
        return None;
    }
    let (signer, signature) = certificate.signatures.iter().find(|(signer, _)| *signer == vote.signer)?;
    Some(Signed { statement: certificate.statement, signer: *signer, signature: *signature })
}
