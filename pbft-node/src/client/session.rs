//! Numbers for the requests of one client, so that each is executed once.
//!
//! Replicas remember a window of [`WINDOW`] numbers for each client, which slides over numbers that are used up. So a
//! number that is taken must be used up in the end: by its own request, whose fate may be unknown for a while, or by
//! another one if it is sure that the first left no trace.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pbft_core::{
    ClientId, Request, RequestNumber, client::ClientError, client_table::WINDOW, message::DeclineReason,
    message::Operation, service::Outcome,
};
use tokio::sync::Notify;

use super::{Client, FoundAnswer, Receipt, SubmitError};

/// Hands out one client's numbers. Clones share them; nobody else may send requests of this client meanwhile.
#[derive(Clone, Debug)]
pub struct Session {
    client: Client,
    id: ClientId,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    numbers: Mutex<Numbers>,
    changed: Notify,
}

impl Session {
    pub(super) fn new(client: Client, id: ClientId, next: RequestNumber) -> Self {
        let numbers = Mutex::new(Numbers { next, ..Numbers::default() });
        Self { client, id, shared: Arc::new(Shared { numbers, changed: Notify::new() }) }
    }

    /// Whose requests these are.
    #[must_use]
    pub const fn id(&self) -> ClientId {
        self.id
    }

    /// Has an operation executed, under the next number. Waits while the window is full of requests on their way.
    ///
    /// # Errors
    /// As [`Client::submit`]. The fate of the request may be unknown then: see [`Session::unresolved`].
    pub async fn submit(&self, operation: impl Into<Arc<[u8]>>) -> Result<Receipt, SubmitError> {
        let number = self.number().await?;
        let operation = Operation::new(operation);
        self.carry(Request { client: self.id, number, operation }).await
    }

    /// Asks about the state; if no quorum shows one in time, has `operation` executed instead, which asks the same. A number
    /// is taken only then.
    ///
    /// # Errors
    /// As [`Session::submit`].
    pub async fn read(
        &self,
        query: impl Into<Arc<[u8]>> + Send,
        operation: impl Into<Arc<[u8]>> + Send,
    ) -> Result<FoundAnswer, SubmitError> {
        match self.client.read(query, None).await {
            Err(SubmitError::Failed(ClientError::NoQuorum { .. })) => {
                self.submit(operation).await.map(FoundAnswer::Ordered)
            }
            end => end,
        }
    }

    /// Requests that were sent and may or may not have been executed: those without an answer, and those whose future
    /// was dropped.
    #[must_use]
    pub fn unresolved(&self) -> Vec<Request> {
        self.shared.lock().unresolved.values().cloned().collect()
    }

    /// Sends an unresolved request again. It is executed no more than once.
    ///
    /// # Errors
    /// As [`Session::submit`].
    pub async fn resubmit(&self, request: Request) -> Result<Receipt, SubmitError> {
        self.shared.lock().resume(request.number);
        self.carry(request).await
    }

    async fn number(&self) -> Result<RequestNumber, SubmitError> {
        loop {
            let mut changed = core::pin::pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            match self.shared.lock().take() {
                Take::Number(number) => return Ok(number),
                Take::Blocked => return Err(SubmitError::WindowBlocked),
                Take::Full => {}
            }
            changed.await;
        }
    }

    async fn carry(&self, request: Request) -> Result<Receipt, SubmitError> {
        let mut flight = Flight { shared: &self.shared, request, fate: Fate::Unknown };
        let result = self.client.submit(flight.request.clone()).await;
        flight.fate = Fate::of(&result);
        result
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nobody can use it any more.
    UsedUp,
    /// Its request left no trace, and never will.
    Free,
    /// Its request may still be executed, or was.
    Unknown,
}

impl Fate {
    fn of(result: &Result<Receipt, SubmitError>) -> Self {
        match result {
            Ok(receipt) => match receipt.outcome {
                Outcome::Applied(_) => Self::UsedUp,
                Outcome::Refused(_) => Self::Free,
            },
            Err(SubmitError::Failed(error)) => match error {
                // Questions use no number up.
                ClientError::TooManyOutstanding | ClientError::NoQuorum { .. } => Self::Free,
                // Somebody else uses this client's numbers: leave that one to them.
                ClientError::NumberInUse => Self::UsedUp,
                ClientError::TimedOut { .. } => Self::Unknown,
                ClientError::Declined(reason) => match reason {
                    // All correct replicas say so, always.
                    DeclineReason::TooLarge | DeclineReason::NotAdmitted(_) => Self::Free,
                    DeclineReason::NumberInUse
                    | DeclineReason::NumberTooOld
                    | DeclineReason::ReplyForgotten => Self::UsedUp,
                    // Other replicas may have taken it.
                    DeclineReason::Busy | DeclineReason::NumberTooFar | DeclineReason::TooManyClients => {
                        Self::Unknown
                    }
                },
            },
            Err(SubmitError::TooLarge { .. } | SubmitError::WindowBlocked) => Self::Free,
            Err(SubmitError::Stopped) => Self::Unknown,
        }
    }
}

/// A request on its way. Says what became of its number when it ends, also if nobody waits for the end.
struct Flight<'a> {
    shared: &'a Shared,
    request: Request,
    fate: Fate,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.shared.lock().settle(&self.request, self.fate);
        self.shared.changed.notify_waiters();
    }
}

/// What a session knows of its numbers. No more than [`WINDOW`] of them are neither used up nor untouched.
#[derive(Debug, Default)]
struct Numbers {
    next: RequestNumber,
    in_flight: BTreeSet<RequestNumber>,
    unresolved: BTreeMap<RequestNumber, Request>,
    free: BTreeSet<RequestNumber>,
}

#[derive(Debug, PartialEq, Eq)]
enum Take {
    Number(RequestNumber),
    /// Requests on their way will make room.
    Full,
    /// Nothing will make room but resubmission.
    Blocked,
}

impl Numbers {
    fn take(&mut self) -> Take {
        if let Some(number) = self.free.pop_first() {
            self.in_flight.insert(number);
            return Take::Number(number);
        }
        let unresolved = self.unresolved.first_key_value().map(|(number, _)| *number);
        let oldest = self.in_flight.first().copied().into_iter().chain(unresolved).min();
        if oldest.is_some_and(|oldest| self.next.since(oldest) >= WINDOW) {
            return if oldest == unresolved { Take::Blocked } else { Take::Full };
        }
        let number = self.next;
        self.next = number.next();
        self.in_flight.insert(number);
        Take::Number(number)
    }

    fn resume(&mut self, number: RequestNumber) {
        self.unresolved.remove(&number);
        self.in_flight.insert(number);
    }

    fn settle(&mut self, request: &Request, fate: Fate) {
        self.in_flight.remove(&request.number);
        match fate {
            Fate::UsedUp => {}
            Fate::Free => drop(self.free.insert(request.number)),
            Fate::Unknown => drop(self.unresolved.insert(request.number, request.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: u64) -> Request {
        let (client, operation) = (ClientId::from_bytes([1; 32]), Operation::new(vec![1]));
        Request { client, number: RequestNumber::new(number), operation }
    }

    fn number(value: u64) -> Take {
        Take::Number(RequestNumber::new(value))
    }

    #[test]
    fn numbers_stay_within_the_window_of_the_oldest_that_is_open() {
        let mut numbers = Numbers::default();
        (0..WINDOW).for_each(|value| assert_eq!(numbers.take(), number(value)));
        assert_eq!(numbers.take(), Take::Full);
        numbers.settle(&request(5), Fate::UsedUp);
        assert_eq!(numbers.take(), Take::Full, "number 0 is still open");
        numbers.settle(&request(0), Fate::UsedUp);
        assert_eq!(numbers.take(), number(WINDOW));
    }

    #[test]
    fn a_number_without_trace_is_used_again_and_one_of_unknown_fate_never_by_another_request() {
        let mut numbers = Numbers::default();
        assert_eq!((numbers.take(), numbers.take()), (number(0), number(1)));
        numbers.settle(&request(0), Fate::Unknown);
        numbers.settle(&request(1), Fate::Free);
        assert_eq!(numbers.take(), number(1));
        (2..WINDOW).for_each(|value| assert_eq!(numbers.take(), number(value)));
        assert_eq!(numbers.take(), Take::Blocked);
        numbers.resume(RequestNumber::new(0));
        assert_eq!(numbers.take(), Take::Full);
        numbers.settle(&request(0), Fate::UsedUp);
        assert_eq!((numbers.take(), numbers.take()), (number(WINDOW), Take::Full), "number 1 is still open");
        numbers.settle(&request(1), Fate::UsedUp);
        assert_eq!(numbers.take(), number(WINDOW + 1));
    }

    #[test]
    fn a_decline_that_others_need_not_share_leaves_the_fate_unknown() {
        let declined = |reason| Fate::of(&Err(ClientError::Declined(reason).into()));
        assert_eq!(declined(DeclineReason::Busy), Fate::Unknown);
        assert_eq!(declined(DeclineReason::NotAdmitted(vec![])), Fate::Free);
        assert_eq!(Fate::of(&Err(SubmitError::Stopped)), Fate::Unknown);
    }
}
