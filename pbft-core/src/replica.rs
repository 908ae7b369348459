//! The replica: one door in ([`Replica::step`]), one list of effects out.
//!
//! This file dispatches, and keeps what holds for every message (L-1, RE-3, RE-5). Each phase of the protocol has a file of
//! its own: `on_*` takes an input, `send_*` makes an output, `try_*` goes on if the time has come.
//!
//! | what happens | where | the papers' word |
//! | --- | --- | --- |
//! | a request gets a number, and votes | `ordering` | pre-prepare, prepare, commit |
//! | batches are executed in order | `execution`, `attesting` | reply |
//! | states are certified, the log is cut | `checkpointing` | checkpoint, garbage collection |
//! | a primary is given up | `suspicion`, `view_change`, `new_view` | view change |
//! | votes and batches that were missed come again | `retransmission` | status |
//! | a state is taken over, and handed on | `state_transfer`, `state_serving`, `state_install` | state transfer |
//! | a restart, with and without the log | `recovery`, `returning`, `needs` | recovery |
//! | replicas come and go | `reconfiguration` | |
//! | questions outside the order | `reading` | read-only operations |
//! | what leaves, and when | `outbox`, `timers` | |
//! | what stands in the way, and what must hold | `diagnosis`, `waits_for`, `invariants` | |
//!
//! How far behind is a replica? Several places ask, each for its own reason:
//!
//! | condition | means | asked for |
//! | --- | --- | --- |
//! | `is_outrun` | `f + 1` peers claim to have executed more | VC-11: another primary would not help |
//! | `is_far_behind` | ... by more than what may be in flight | R-5, VC-13, diagnosis |
//! | `is_behind` | one peer is ahead by more than that, or at all while nothing moves here | CU-1: asks for batches |
//! | `is_stalled` | nothing was executed for a status period | CU-1 |
//! | `batches_are_gone` | a quorum got further, and `f + 1` members have given up the next batch | R-5: a state is due (SX-1) |
//! | `is_returning` | it lost its log, and does not vote yet | SX-8 to SX-11 |
//! | `has_left` | ... and it waits for its view without having asked for it | SX-10 |
//! | `is_succeeded` | a later epoch is known: others decide | RE-3 |

mod attesting;
pub mod checkpointing;
pub mod diagnosis;
mod execution;
mod invariants;
mod needs;
pub(crate) mod new_view;
mod ordering;
mod outbox;
mod reading;
mod reconfiguration;
mod recovery;
mod retransmission;
mod returning;
mod state_install;
mod state_serving;
mod state_transfer;
mod suspicion;
mod timers;
mod view_change;
mod waits_for;

use std::{collections::VecDeque, sync::Arc};

use attesting::Attesting;
pub(crate) use attesting::MAX_RESULTS_IN_RECORD;
use checkpointing::Checkpoints;
pub use diagnosis::Progress;
use execution::Execution;
pub use invariants::InvariantViolation;
use needs::Needs;
use outbox::Vote;
use reading::Reading;
use reconfiguration::Reconfiguration;
pub use recovery::{EmptyLog, Recovered, RecoveredCheckpoint};
use retransmission::CatchUp;
use returning::Returning;
use state_serving::StateServing;
use state_transfer::StateTransfer;
use suspicion::Suspicion;
use timers::Timers;
use view_change::Views;
pub use waits_for::{Need, OldestRequest, WaitsFor};

use crate::{
    client_table::ClientTable,
    config::ValidConfig,
    crypto::Crypto,
    effect::Effect,
    ids::{ReplicaId, Seq, View},
    input::Input,
    log::MessageLog,
    message::Message,
    request_buffer::RequestBuffer,
    storage::{Held, LogPosition},
    time::Now,
};

/// One member of the cluster. Made by [`Replica::recover`], from an empty log at first.
pub struct Replica {
    id: ReplicaId,
    config: Arc<ValidConfig>,
    crypto: Arc<dyn Crypto>,
    buffer: Box<dyn RequestBuffer>,
    view: View,
    views: Views,
    suspicion: Suspicion,
    reconfiguration: Reconfiguration,
    log: MessageLog,
    clients: ClientTable,
    execution: Execution,
    checkpoints: Checkpoints,
    /// The last number that this replica proposed as primary, or knows to be proposed.
    proposed: Seq,
    last_position: LogPosition,
    /// Votes that wait for their records to become durable, by position.
    held: VecDeque<Held<Vote>>,
    attesting: Attesting,
    catch_up: CatchUp,
    transfer: StateTransfer,
    serving: StateServing,
    needing: Needs,
    reading: Reading,
    /// Set while something is forbidden to it since it lost its log.
    returning: Option<Returning>,
    /// Whether it was one that votes at the end of the last step.
    voted: bool,
    timers: Timers,
}

/// One call of [`Replica::step`]: the time, and where effects go.
struct Step<'a> {
    now: Now,
    effects: &'a mut Vec<Effect>,
}

impl Step<'_> {
    fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}

impl Replica {
    /// Takes one input and appends what has to be done to `effects`, in order.
    ///
    /// Pure: the same inputs at the same times give the same effects. Never panics, whatever the input.
    pub fn step(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        let mut step = Step { now, effects };
        match input {
            Input::Start => self.on_start(&mut step),
            // RE-3: it was checked before the replicas changed, so by the wrong keys perhaps. It will be sent again.
            Input::Message { message, .. } if message.known() < self.roster().newest().epoch() => {}
            Input::Message { from, message } => self.on_message(&mut step, from, message.into_inner()),
            Input::Request { lane, request } => self.on_request(&mut step, lane, request.into_inner()),
            Input::Durable(durable) => self.on_durable(&mut step, durable),
            Input::Executed { executed, checkpoint } => self.on_executed(&mut step, executed, checkpoint),
            Input::Answered(answer) => self.on_answered(&mut step, answer),
            Input::Read { asker, read } => self.on_read(&mut step, asker, read),
            Input::Timer => self.on_timer(&mut step),
        }
        self.try_vote_again(&mut step);
        self.try_answer_reads(&mut step);
        self.observe(step.now);
        self.update_timer(&mut step);
    }

    fn on_message(&mut self, step: &mut Step<'_>, from: ReplicaId, message: Message) {
        if self.config.replicas.contains(from) {
            self.suspicion.heard(from, step.now.elapsed);
        }
        // L-1: what a peer brings back of this replica's own votes may be on no disk any more.
        if message.voter() == Some(self.id) {
            return;
        }
        // RE-5: votes are the members' business.
        if message.is_of_view() && !self.is_member() {
            return;
        }
        match message {
            // Verification turns these into one input for each request.
            Message::Forward(_) => {}
            Message::PrePrepare(proposal) => self.on_pre_prepare(step, proposal),
            Message::Prepare(prepare) => self.on_prepare(step, prepare),
            Message::Commit(commit) => self.on_commit(step, commit),
            Message::Checkpoint(checkpoint) => self.on_checkpoint(step, checkpoint),
            Message::Status(status) => self.on_status(step, from, &status),
            Message::Fetch(fetch) => self.on_fetch(step, from, fetch),
            Message::Committed(committed) => self.on_committed(step, committed),
            Message::Stable(certificate) => self.on_stable(step, certificate),
            Message::ViewChange(proven) => self.on_view_change(step, proven),
            Message::NewView(new_view) => self.on_new_view(step, new_view),
            Message::Handover(handover) => self.on_handover(step, *handover),
            Message::Attestation(vote) => self.on_attestation(step, vote),
            Message::Certified(certificate) => self.on_certified(step, certificate),
            Message::FetchState(fetch) => self.on_fetch_state(step, from, fetch),
            Message::State(state) => self.on_state(step, from, state),
            Message::Returned(returned) => self.on_returned(step, from, returned),
            Message::Standing(standing) => self.on_standing(step, from, standing),
        }
    }

    /// This replica's id.
    #[must_use]
    pub const fn id(&self) -> ReplicaId {
        self.id
    }

    /// Its view.
    #[must_use]
    pub const fn view(&self) -> View {
        self.view
    }

    /// The primary of its view.
    #[must_use]
    pub fn primary(&self) -> ReplicaId {
        self.config.replicas.primary(self.view)
    }

    /// Whether it is the primary.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.primary() == self.id
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Arc<ValidConfig> {
        &self.config
    }

    /// SX-9: what was held back while this replica did not vote is taken up.
    fn try_vote_again(&mut self, step: &mut Step<'_>) {
        let votes = !self.is_returning();
        let voted = core::mem::replace(&mut self.voted, votes);
        if voted || !votes {
            return;
        }
        self.resume_votes(step);
        self.try_join(step);
        self.try_new_view(step);
        self.try_propose(step);
        self.send_status(step);
    }

    fn quorum(&self) -> usize {
        self.config.sizes().quorum()
    }
}
