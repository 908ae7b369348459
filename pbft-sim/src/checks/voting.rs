//! Votes: no correct replica signs two digests for one (kind, view, number), whatever crashes come between; and no vote
//! leaves before its record is durable. Checked against what is sent and what is on the disk, not what the replica says.

use std::{collections::BTreeMap, sync::Arc};

use pbft_core::{
    Message, ReplicaId, Seq, ValidConfig, View,
    crypto::Crypto,
    message::{PrePrepare, Signed, Statement, StatementKind, signed::signing_digest},
    roster::Roster,
    storage::{LogPosition, Record},
};
use pbft_crypto::Digest;

use super::Violation;

type Key = (ReplicaId, StatementKind, View, Seq);

/// What was said and what was written.
#[derive(Debug, Default)]
pub struct Voting {
    said: BTreeMap<Key, Digest>,
    written: BTreeMap<(Key, Digest), LogPosition>,
}

/// What it takes to tell whose name a vote was signed in.
pub(super) struct Judge<'a> {
    pub(super) roster: &'a Roster,
    pub(super) crypto: &'a dyn Crypto,
}

impl Judge<'_> {
    /// Where the epoch begins in whose name this was signed: views of different epochs have equal numbers.
    fn epoch<T: Statement>(&self, signed: &Signed<T>) -> Seq {
        let valid = |config: &&Arc<ValidConfig>| {
            signed.signature_check(config).is_some_and(|check| self.crypto.verify(&check))
        };
        self.roster.configs().find(valid).map_or(Seq::ZERO, |config| config.after())
    }
}

/// A vote in short.
type Vote = (ReplicaId, StatementKind, View, Seq, Digest);

impl Voting {
    pub(super) fn on_record(
        &mut self,
        judge: &Judge<'_>,
        replica: ReplicaId,
        position: LogPosition,
        record: &Record,
    ) {
        for (signer, kind, view, seq, digest) in votes_in_record(judge, record) {
            if signer == replica {
                // Some records are written again; the first one counts.
                self.written.entry(((signer, kind, view, seq), digest)).or_insert(position);
            }
        }
    }

    pub(super) fn on_crash(&mut self, replica: ReplicaId, last: LogPosition) {
        self.written.retain(|(key, _), position| key.0 != replica || *position <= last);
    }

    pub(super) fn on_sent(
        &mut self,
        judge: &Judge<'_>,
        replica: ReplicaId,
        message: &Message,
        synced: LogPosition,
    ) -> Result<(), Violation> {
        votes_in(judge, message).into_iter().try_for_each(|vote| self.check_vote(replica, vote, synced))
    }

    fn check_vote(
        &mut self,
        replica: ReplicaId,
        (signer, kind, view, seq, digest): Vote,
        synced: LogPosition,
    ) -> Result<(), Violation> {
        if signer != replica {
            return Ok(());
        }
        let key = (signer, kind, view, seq);
        if *self.said.entry(key).or_insert(digest) != digest {
            return Err(Violation::SaidTwoThings { replica, kind, view, seq });
        }
        // A result follows from the order: whoever loses it in a crash gets the same one again.
        if kind == StatementKind::Attestation {
            return Ok(());
        }
        if self.written.get(&(key, digest)).is_none_or(|position| *position > synced) {
            return Err(Violation::SentBeforeDurable { replica, kind, seq });
        }
        Ok(())
    }
}

fn votes_in(judge: &Judge<'_>, message: &Message) -> Vec<Vote> {
    match message {
        Message::PrePrepare(proposal) => vec![pre_prepare(&proposal.pre_prepare)],
        Message::Prepare(vote) => {
            let s = vote.statement;
            vec![(vote.signer, StatementKind::Prepare, s.view, s.seq, s.digest)]
        }
        Message::Commit(vote) => {
            let s = vote.statement;
            vec![(vote.signer, StatementKind::Commit, s.view, s.seq, s.digest)]
        }
        Message::Checkpoint(vote) => {
            let s = vote.statement;
            vec![(vote.signer, StatementKind::Checkpoint, View::ZERO, s.seq, s.digest)]
        }
        Message::Attestation(vote) => {
            let s = vote.statement;
            vec![(vote.signer, StatementKind::Attestation, View::ZERO, s.seq, s.digest)]
        }
        Message::ViewChange(proven) => vec![about_view(judge, &proven.vote, proven.vote.statement.view)],
        Message::NewView(proven) => {
            let announced = about_view(judge, &proven.announcement, proven.view());
            let assigned = proven.announcement.statement.pre_prepares.iter().map(pre_prepare);
            assigned.chain([announced]).collect()
        }
        Message::Forward(_)
        | Message::Status(_)
        | Message::Fetch(_)
        | Message::Committed(_)
        | Message::Stable(_)
        | Message::Handover(_)
        | Message::Certified(_)
        | Message::FetchState(_)
        | Message::State(_)
        | Message::Returned(_)
        | Message::Standing(_) => vec![],
    }
}

const fn pre_prepare(vote: &Signed<PrePrepare>) -> Vote {
    let s = vote.statement;
    (vote.signer, StatementKind::PrePrepare, s.view, s.seq, s.digest)
}

/// A statement about a view as a whole: one for each signer, epoch and view.
fn about_view<T: Statement>(judge: &Judge<'_>, signed: &Signed<T>, view: View) -> Vote {
    let digest = signing_digest(&Digest::ZERO, signed.signer, &signed.statement);
    (signed.signer, T::KIND, view, judge.epoch(signed), digest)
}

fn votes_in_record(judge: &Judge<'_>, record: &Record) -> Vec<Vote> {
    match record {
        Record::Proposal(proposal) => votes_in(judge, &Message::PrePrepare(proposal.clone())),
        Record::Prepare(vote) => votes_in(judge, &Message::Prepare(vote.clone())),
        Record::Commit { commit, .. } => votes_in(judge, &Message::Commit(commit.clone())),
        Record::Checkpoint(record) => votes_in(judge, &Message::Checkpoint(record.checkpoint.clone())),
        Record::ViewChange(proven) => votes_in(judge, &Message::ViewChange(proven.clone())),
        Record::NewView(proven) => votes_in(judge, &Message::NewView(proven.clone())),
        Record::Committed(_)
        | Record::CaughtUp(_)
        | Record::Stable(_)
        | Record::Handover(_)
        | Record::Returned(_)
        | Record::Lineage(_) => vec![],
    }
}
