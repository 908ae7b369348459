//! What must hold of a replica after every step. Checked in tests and in the simulator.

use thiserror::Error;

use super::Replica;
use crate::ids::Seq;

/// A rule about the replica's own state is broken: a defect of this crate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvariantViolation {
    /// The low water mark passed what was executed.
    #[error("low water mark {low} lies past executed {executed}")]
    LowPastExecuted {
        /// The mark.
        low: Seq,
        /// The cursor.
        executed: Seq,
    },
    /// Something is kept outside the window.
    #[error("number {seq} is kept outside the window ({low}, {high}]")]
    OutsideWindow {
        /// The number.
        seq: Seq,
        /// Low water mark.
        low: Seq,
        /// High water mark.
        high: Seq,
    },
    /// A number that is not final was executed.
    #[error("number {seq} was executed but is not final")]
    ExecutedBeforeFinal {
        /// The number.
        seq: Seq,
    },
    /// The archive outgrew its bound.
    #[error("the archive holds {bytes} bytes, more than {limit}")]
    ArchiveTooLarge {
        /// What it holds.
        bytes: usize,
        /// Its bound.
        limit: usize,
    },
    /// More clients are remembered than configured.
    #[error("{clients} clients are remembered, more than {limit}")]
    TooManyClients {
        /// How many.
        clients: usize,
        /// The bound.
        limit: usize,
    },
    /// Results were certified that are not known yet.
    #[error("certified {certified} lies past executed {executed}")]
    CertifiedPastExecuted {
        /// The results.
        certified: Seq,
        /// The cursor.
        executed: Seq,
    },
    /// What is known of a result is kept for too long, or came too early.
    #[error("the result of number {seq} is kept outside ({floor}, {high}]")]
    ResultOutside {
        /// The number.
        seq: Seq,
        /// What the archive does not reach.
        floor: Seq,
        /// High water mark.
        high: Seq,
    },
    /// A stable checkpoint lies ahead of what this replica executed.
    #[error("stable checkpoint {stable} lies past executed {executed}")]
    StablePastExecuted {
        /// The checkpoint.
        stable: Seq,
        /// The cursor.
        executed: Seq,
    },
}

impl Replica {
    /// Checks everything that this module knows of.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn check_invariants(&self) -> Result<(), InvariantViolation> {
        use InvariantViolation as Broken;
        let (low, high, executed) = (self.log.low(), self.log.high(), self.execution.executed);
        if low > executed {
            return Err(Broken::LowPastExecuted { low, executed });
        }
        for (seq, slot) in self.log.slots() {
            if seq <= low || seq > high {
                return Err(Broken::OutsideWindow { seq, low, high });
            }
            if seq <= executed && !slot.is_committed() {
                return Err(Broken::ExecutedBeforeFinal { seq });
            }
        }
        let (bytes, limit) = (self.log.archive().bytes(), self.config.archive_bytes);
        if bytes > limit {
            return Err(Broken::ArchiveTooLarge { bytes, limit });
        }
        let (clients, limit) = (self.clients.clients(), self.config.max_clients);
        if clients > limit {
            return Err(Broken::TooManyClients { clients, limit });
        }
        let stable = self.stable_seq();
        if stable > executed {
            return Err(Broken::StablePastExecuted { stable, executed });
        }
        let certified = self.certified();
        if certified > executed {
            return Err(Broken::CertifiedPastExecuted { certified, executed });
        }
        let floor = self.results_floor();
        match self.attesting.ends().find(|seq| *seq <= floor || *seq > high) {
            Some(seq) => Err(Broken::ResultOutside { seq, floor, high }),
            None => Ok(()),
        }
    }
}
