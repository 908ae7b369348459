//! Quorum reads: questions about the state, answered without being ordered (QR). A client believes a quorum of equal
//! answers. Each final number was committed by a quorum, too; the two share a correct replica, and that one answers only
//! from a state that has what it signed a COMMIT for: no such read misses what any correct replica had executed before.

use core::time::Duration;
use std::collections::VecDeque;

use super::{Replica, Step, state_serving::Purpose};
use crate::{
    effect::Effect,
    ids::{Asker, Epoch, ReadNumber, Seq},
    message::{
        Operation, Read, ReadAnswer, ReadRefusal, ReadReply, Shown,
        read::{MAX_QUERY_BYTES, MAX_RESULT_BYTES},
    },
    service::ServiceQuestion,
};

/// So many questions wait at once.
const MAX_WAITING: usize = 1024;
/// So many of them are one asker's.
const MAX_WAITING_OF_ONE: usize = 64;
/// So many are put to the service at once.
const MAX_AT_ONCE: usize = 32;

/// The questions that are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// QR-1: the highest number for which this replica has signed a COMMIT. The log has it (L-1), or a checkpoint past it.
    signed: Seq,
    /// In the order in which they came, so ascending by `from`.
    waiting: VecDeque<Waiting>,
    /// What the service is being asked.
    asked: Option<Asked>,
}

#[derive(Clone, Debug)]
struct Waiting {
    question: Question,
    query: Operation,
    /// The first state that may answer it.
    from: Seq,
    since: Duration,
}

/// Who asked, and under which number.
type Question = (Asker, ReadNumber);

#[derive(Clone, Debug)]
struct Asked {
    epoch: Epoch,
    /// What the service has executed when it answers.
    executed: Seq,
    questions: Vec<Question>,
}

impl Replica {
    /// QR-1: this replica decides to commit a number.
    pub(super) fn note_commit(&mut self, seq: Seq) {
        self.reading.signed = self.reading.signed.max(seq);
    }

    pub(super) fn on_read(&mut self, step: &mut Step<'_>, asker: Asker, read: Read) {
        let (now, question) = (step.now.elapsed, (asker, read.number));
        if let Some(refusal) = self.reason_to_refuse(now, asker, &read) {
            return answer(step, question, ReadAnswer::Refused(refusal));
        }
        // QR-1: what this replica has committed others may have executed and acknowledged.
        let from = self.reading.signed.max(self.execution.executed);
        self.reading.waiting.push_back(Waiting { question, query: read.query, from, since: now });
    }

    /// QR-5: questions are bounded, each and all together.
    fn reason_to_refuse(&mut self, now: Duration, asker: Asker, read: &Read) -> Option<ReadRefusal> {
        self.forget_old_reads(now);
        let waiting = &self.reading.waiting;
        let of_one = || waiting.iter().filter(|waiting| waiting.question.0 == asker).count();
        if !self.may_answer_reads() {
            Some(ReadRefusal::NotNow)
        } else if read.query.len() > MAX_QUERY_BYTES {
            Some(ReadRefusal::TooLarge)
        } else if waiting.len() >= MAX_WAITING || of_one() >= MAX_WAITING_OF_ONE {
            Some(ReadRefusal::Busy)
        } else {
            None
        }
    }

    /// QR-5: whoever asked has gone the ordered way since.
    fn forget_old_reads(&mut self, now: Duration) {
        let patience = self.config.request_timeout;
        let old = |waiting: &Waiting| now.saturating_sub(waiting.since) > patience;
        while self.reading.waiting.pop_front_if(|waiting| old(waiting)).is_some() {}
    }

    /// QR-3: whether a quorum of this epoch proves anything now, and what this replica knows of it is what it said in it.
    fn may_answer_reads(&self) -> bool {
        let settled = self.last_of_epoch().is_none() && self.roster().newest().epoch() == self.epoch();
        self.is_member() && settled && !self.is_returning() && !self.transfer.is_running()
    }

    /// After each step: puts to the service what its state may answer.
    pub(super) fn try_answer_reads(&mut self, step: &mut Step<'_>) {
        if self.reading.waiting.is_empty() || !self.is_desk_free() {
            return;
        }
        if !self.may_answer_reads() {
            let waiting = core::mem::take(&mut self.reading.waiting);
            let refused = || ReadAnswer::Refused(ReadRefusal::NotNow);
            return waiting.into_iter().for_each(|waiting| answer(step, waiting.question, refused()));
        }
        let executed = self.executed_by_service();
        let (mut questions, mut queries) = (Vec::new(), Vec::new());
        while questions.len() < MAX_AT_ONCE
            && let Some(ready) = self.reading.waiting.pop_front_if(|waiting| waiting.from <= executed)
        {
            questions.push(ready.question);
            queries.push(ready.query);
        }
        if !questions.is_empty() {
            self.reading.asked = Some(Asked { epoch: self.epoch(), executed, questions });
            self.ask_service(step, Purpose::Read, ServiceQuestion::Queries(queries));
        }
    }

    /// QR-2: the service takes its orders one after the other, so it answers from the state after the batch that it was
    /// given last, also if this replica has not heard yet what came of it.
    const fn executed_by_service(&self) -> Seq {
        let executed = self.execution.executed;
        if self.execution.is_idle() { executed } else { executed.next() }
    }

    /// The service has answered what it was asked.
    pub(super) fn on_results(&mut self, step: &mut Step<'_>, results: Vec<Option<Vec<u8>>>) {
        let Some(asked) = self.reading.asked.take() else { return };
        // QR-3: also now; a batch before the answer may have asked for other replicas.
        let may = self.may_answer_reads() && asked.epoch == self.epoch();
        let (executed, replicas) = (asked.executed, self.members_digest());
        let shown = |result| Shown { epoch: asked.epoch, replicas, executed, result };
        let mut results = results.into_iter();
        for question in asked.questions {
            let verdict = match results.next().flatten() {
                _ if !may => ReadAnswer::Refused(ReadRefusal::NotNow),
                None => ReadAnswer::Refused(ReadRefusal::Unsupported),
                Some(result) if result.len() > MAX_RESULT_BYTES => ReadAnswer::Refused(ReadRefusal::TooLarge),
                Some(result) => ReadAnswer::Shown(shown(result)),
            };
            answer(step, question, verdict);
        }
    }
}

fn answer(step: &mut Step<'_>, (to, number): Question, answer: ReadAnswer) {
    step.push(Effect::ReadReply { to, reply: ReadReply { number, answer } });
}
