//! The kit for [`Service`].

use pbft_crypto::Digest;

use super::{Verdict, equal, failed, hold};
use crate::{
    ids::{ClientId, RequestNumber, Seq, View},
    message::{Operation, Request},
    service::{Executed, OrderedBatch, Service, ServiceCheckpoint},
    time::UnixMillis,
};

/// Ends a process and starts it again: what the service has in memory is gone.
pub type Restart<'a, S> = &'a mut dyn FnMut(S) -> S;

/// Takes services through the rules of [`Service`].
///
/// `make` makes a new one, with nothing executed; `restart` is what a restart makes of one (a new one, unless the service
/// keeps its own durable state). `requests` are what clients might ask for, in this order; the kit cuts them into batches
/// and adds garbage of its own.
///
/// # Errors
/// The first rule that is broken.
pub fn service<S: Service>(
    mut make: impl FnMut() -> S,
    restart: Restart<'_, S>,
    requests: &[(ClientId, Vec<u8>)],
) -> Verdict {
    let batches = batches(requests);
    let (mut first, mut second) = (make(), make());
    for batch in &batches {
        let (one, other) = (first.execute(batch), second.execute(batch));
        let count = (one.outcomes.len(), batch.requests.len());
        hold("there is one outcome for each request", count.0 == count.1, || format!("{count:?}"))?;
        equal("equal batches have equal outcomes", &one, &other)?;
        wakes_later(batch, &one)?;
        // A checkpoint only looks: one of the two makes one now and then, the other after each batch.
        if batch.seq.value().is_multiple_of(3) {
            let names = (first.checkpoint().digest, second.checkpoint().digest);
            equal("equal states have equal names", &names.0, &names.1)?;
        } else {
            second.checkpoint();
        }
    }
    for cut in 1..batches.len() {
        goes_on_after_a_restart(make(), restart, &batches, cut)?;
    }
    Ok(())
}

/// A service that wants to be woken at a time that has come already would be woken without end.
fn wakes_later(batch: &OrderedBatch, executed: &Executed) -> Verdict {
    let late = executed.wake_at.is_none_or(|at| at > batch.time);
    hold("what is due at the time of a batch is done by it", late, || format!("{:?}", executed.wake_at))
}

/// A checkpoint after `cut` batches and a few more after it; a restart; the same batches again; and the rest.
fn goes_on_after_a_restart<S: Service>(
    mut service: S,
    restart: Restart<'_, S>,
    batches: &[OrderedBatch],
    cut: usize,
) -> Verdict {
    let (before, after) = batches.split_at(cut);
    before.iter().for_each(|batch| drop(service.execute(batch)));
    let checkpoint = service.checkpoint();
    let expected: Vec<_> = after.iter().map(|batch| service.execute(batch)).collect();
    let end = service.checkpoint().digest;
    let seq = before.last().map_or(Seq::ZERO, |batch| batch.seq);
    let mut service = restart(service);
    restore(&mut service, seq, &checkpoint)?;
    let again: Vec<_> = after.iter().map(|batch| service.execute(batch)).collect();
    equal("after a restart the same batches have the same outcomes", &again, &expected)?;
    equal::<Digest>(
        "after a restart the same batches lead to the same state",
        &service.checkpoint().digest,
        &end,
    )
}

pub(super) fn restore<S: Service>(service: &mut S, seq: Seq, checkpoint: &ServiceCheckpoint) -> Verdict {
    let restored = service.restore(seq, checkpoint.snapshot.as_deref());
    restored.map_err(failed("a service goes back to its own checkpoint"))
}

/// Batches of different sizes, empty ones and such with garbage among them.
pub(super) fn batches(requests: &[(ClientId, Vec<u8>)]) -> Vec<OrderedBatch> {
    let asked = requests.iter().zip(0..).map(|((client, operation), number)| Request {
        client: *client,
        number: RequestNumber::new(number),
        operation: Operation::new(operation.clone()),
    });
    let mut asked = asked.peekable();
    let mut batches = Vec::new();
    for seq in (1..).map(Seq::new) {
        if asked.peek().is_none() && batches.len() >= 9 {
            return batches;
        }
        let size = usize::try_from(seq.value() % 5).unwrap_or(1);
        let mut requests: Vec<_> = asked.by_ref().take(size).collect();
        if seq.value().is_multiple_of(4) {
            requests.push(garbage(seq));
        }
        let time = UnixMillis::new(1_700_000_000_000).plus(core::time::Duration::from_secs(seq.value()));
        batches.push(OrderedBatch { seq, origin: View::ZERO, time, replicas: Digest::ZERO, requests });
    }
    batches
}

fn garbage(seq: Seq) -> Request {
    let bytes = seq.value().to_le_bytes().repeat(usize::try_from(seq.value() % 7).unwrap_or(0));
    Request {
        client: ClientId::from_bytes([0xcc; 32]),
        number: RequestNumber::new(seq.value()),
        operation: Operation::new(bytes),
    }
}
