//! Reads: what a quorum shows is a state of the one order, and not an older one than any correct replica had executed, or
//! any client had been shown, when the question was asked.

use std::collections::BTreeMap;

use pbft_core::{ReadNumber, Seq, client::FoundAnswer};
use pbft_crypto::Digest;

use super::Violation;

/// All states, and the questions that are open.
#[derive(Debug, Default)]
pub struct Reads {
    states: BTreeMap<Seq, Digest>,
    /// The last number that any correct replica has executed, or any client was shown.
    newest: Seq,
    /// What it was when each question was asked.
    open: BTreeMap<(usize, ReadNumber), Seq>,
}

impl Reads {
    /// A correct replica has this state after `seq`. (Whether all have the same is checked elsewhere.)
    pub fn on_state(&mut self, seq: Seq, state: Digest) {
        self.states.entry(seq).or_insert(state);
        self.newest = self.newest.max(seq);
    }

    /// A client asks.
    pub fn on_asked(&mut self, client: usize, number: ReadNumber) {
        self.open.insert((client, number), self.newest);
    }

    /// A client believes an answer.
    ///
    /// # Errors
    /// If it should not.
    pub fn on_found(
        &mut self,
        client: usize,
        number: ReadNumber,
        answer: &FoundAnswer,
    ) -> Result<(), Violation> {
        let floor = self.open.remove(&(client, number)).unwrap_or_default();
        let FoundAnswer::Quorum { executed, result, .. } = answer else { return Ok(()) };
        let (executed, initial) = (*executed, Digest::ZERO);
        if executed < floor {
            return Err(Violation::StaleRead { client, executed, floor });
        }
        let state = self.states.get(&executed).or((executed == Seq::ZERO).then_some(&initial));
        if state.is_none_or(|state| state.as_bytes() != result.as_slice()) {
            return Err(Violation::FalseRead { client, executed });
        }
        self.newest = self.newest.max(executed);
        Ok(())
    }
}
