//! Votes: no correct replica signs two digests for one (kind, view, number), whatever crashes come between; and no vote
//! leaves before its record is durable. Checked against what is sent and what is on the disk, not what the replica says.

use std::collections::BTreeMap;

use pbft_core::{
    Message, ReplicaId, Seq, View,
    message::StatementKind,
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

/// A vote in short.
type Vote = (ReplicaId, StatementKind, View, Seq, Digest);

impl Voting {
    pub(super) fn on_record(&mut self, replica: ReplicaId, position: LogPosition, record: &Record) {
        if let Some((signer, kind, view, seq, digest)) = vote_in_record(record)
            && signer == replica
        {
            self.written.insert(((signer, kind, view, seq), digest), position);
        }
    }

    pub(super) fn on_crash(&mut self, replica: ReplicaId, last: LogPosition) {
        self.written.retain(|(key, _), position| key.0 != replica || *position <= last);
    }

    pub(super) fn on_sent(
        &mut self,
        replica: ReplicaId,
        message: &Message,
        synced: LogPosition,
    ) -> Result<(), Violation> {
        let Some((signer, kind, view, seq, digest)) = vote_in_message(message) else { return Ok(()) };
        if signer != replica {
            return Ok(());
        }
        let key = (signer, kind, view, seq);
        if *self.said.entry(key).or_insert(digest) != digest {
            return Err(Violation::SaidTwoThings { replica, kind, view, seq });
        }
        if self.written.get(&(key, digest)).is_none_or(|position| *position > synced) {
            return Err(Violation::SentBeforeDurable { replica, kind, seq });
        }
        Ok(())
    }
}

fn vote_in_message(message: &Message) -> Option<Vote> {
    match message {
        Message::PrePrepare(proposal) => {
            let (signer, s) = (proposal.pre_prepare.signer, proposal.pre_prepare.statement);
            Some((signer, StatementKind::PrePrepare, s.view, s.seq, s.digest))
        }
        Message::Prepare(vote) => {
            let s = vote.statement;
            Some((vote.signer, StatementKind::Prepare, s.view, s.seq, s.digest))
        }
        Message::Commit(vote) => {
            let s = vote.statement;
            Some((vote.signer, StatementKind::Commit, s.view, s.seq, s.digest))
        }
        Message::Checkpoint(vote) => {
            let s = vote.statement;
            Some((vote.signer, StatementKind::Checkpoint, View::ZERO, s.seq, s.digest))
        }
        Message::Forward(_)
        | Message::Status(_)
        | Message::Fetch(_)
        | Message::Committed(_)
        | Message::Stable(_) => None,
    }
}

fn vote_in_record(record: &Record) -> Option<Vote> {
    match record {
        Record::Proposal(proposal) => vote_in_message(&Message::PrePrepare(proposal.clone())),
        Record::Prepare(vote) => vote_in_message(&Message::Prepare(vote.clone())),
        Record::Commit { commit, .. } => vote_in_message(&Message::Commit(commit.clone())),
        Record::Checkpoint(record) => vote_in_message(&Message::Checkpoint(record.checkpoint.clone())),
        Record::Committed(_) | Record::CaughtUp(_) | Record::Stable(_) => None,
    }
}
