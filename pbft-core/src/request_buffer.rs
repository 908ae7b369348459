//! The port to the request buffer: admitted requests that wait for their turn, and the fair, bounded default.
//!
//! Many requests may arrive at once at every replica. None of them starts a round of its own: they wait here, and the
//! primary takes them in batches.

mod fair;

use core::time::Duration;

pub use fair::FairBuffer;
use serde::{Deserialize, Serialize};

use crate::{ids::RequestId, message::Request};

/// Which requests go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Before all others: what keeps the system running. A tenth of each batch stays open to the other lane.
    Urgent,
    /// Everything else.
    #[default]
    Normal,
}

/// What a buffer may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferLimits {
    /// How many requests.
    pub requests: usize,
    /// How many bytes of operations.
    pub bytes: usize,
    /// How many requests of one client.
    pub requests_per_client: usize,
    /// How long a request may wait. A client that is still interested sends it again.
    pub time_to_live: Duration,
}

impl Default for BufferLimits {
    fn default() -> Self {
        Self {
            requests: 50_000,
            bytes: 32 << 20,
            requests_per_client: 1_024,
            time_to_live: Duration::from_secs(60),
        }
    }
}

/// Why a buffer does not take a request. It keeps no trace of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferRefusal {
    /// No room, or the client's share is used up.
    Full,
    /// The very same request is in here already.
    Duplicate,
    /// Another request of the client with this number is in here.
    NumberInUse,
}

/// How much one batch may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// How many requests.
    pub requests: usize,
    /// How many bytes of operations.
    pub bytes: usize,
}

/// How much waits for its turn (what was taken and is not settled does not count).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many requests.
    pub requests: usize,
    /// How many bytes of operations.
    pub bytes: usize,
}

/// Admitted requests, from their arrival until they are executed.
///
/// # To be correct
/// * A request that was offered and accepted is returned by `take` some time, whatever others send (no client can keep
///   another from its turn), unless it is settled or expires first. Else clients are censored.
/// * A request that was refused leaves no trace: offered again, it may be accepted.
/// * `take` returns each request once, and never two with one id: a proposal with a repeated id is a fault.
/// * Everything is bounded by [`BufferLimits`], also what was taken and is not settled yet.
pub trait RequestBuffer: Send {
    /// Takes in an admitted request.
    ///
    /// # Errors
    /// If there is no room for it or its id is in use.
    fn offer(&mut self, now: Duration, lane: Lane, request: Request) -> Result<(), BufferRefusal>;

    /// The next requests for a proposal, within `limits`. They stay in the buffer, as taken, until they are settled.
    fn take(&mut self, limits: BatchLimits) -> Vec<Request>;

    /// These are in a proposal of the primary: they need not be handed to it any more, unless time goes by.
    fn proposed(&mut self, _ids: &[RequestId]) {}

    /// The view in which requests were taken or proposed is over: what is not settled waits again.
    fn release(&mut self);

    /// These were executed, or can never be: forgets them.
    fn settle(&mut self, ids: &[RequestId]);

    /// Forgets what is too old, and returns up to `limits` of what still waits since before `since`, oldest first.
    fn overdue(&mut self, now: Duration, since: Duration, limits: BatchLimits) -> Vec<Request>;

    /// Of what has waited since before `since` those that a fair primary comes to next: of each client the one that goes first.
    /// A primary that leaves one of them out for long is given up (VC-13), so it must be none that others may rightly
    /// overtake. Without turns: the one that has waited longest.
    fn next_in_turn(&mut self, now: Duration, since: Duration) -> Vec<RequestId> {
        let one = BatchLimits { requests: 1, bytes: usize::MAX };
        self.overdue(now, since, one).iter().map(Request::id).collect()
    }

    /// How much waits.
    fn waiting(&self) -> Waiting;

    /// What has waited longest, and since when: for people who ask why nothing happens.
    fn oldest(&self) -> Option<(RequestId, Duration)> {
        None
    }
}
