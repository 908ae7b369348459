//! Executes batches, one after the other, and answers the replica's questions.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use crossbeam_channel::{Receiver, Sender};
use pbft_core::service::{OrderedBatch, Service, ServiceAnswer, ServiceQuestion};

use super::events::{Failure, Internal, ToService};
use crate::{metrics::ReplicaMetrics, sparing::Sparing};

/// Runs until the replica's end of the channel is gone, or the service fails.
pub(crate) fn run<S: Service>(
    mut service: S,
    failure: &dyn Fn() -> Option<String>,
    orders: &Receiver<ToService>,
    replica: &Sender<Internal>,
    metrics: &ReplicaMetrics,
) {
    for order in orders {
        let answer = carry_out(&mut service, order, metrics);
        let answer = match failure() {
            Some(why) => Err(Failure::Execution(why)),
            None => answer,
        };
        let failed = answer.is_err();
        let sent = match answer.unwrap_or_else(|failure| Some(Internal::Failed(failure))) {
            Some(answer) => replica.send(answer),
            None => Ok(()),
        };
        // Nobody is left to hear it, or nothing more is to be expected of the service.
        if failed || sent.is_err() {
            return;
        }
    }
}

fn carry_out<S: Service>(
    service: &mut S,
    order: ToService,
    metrics: &ReplicaMetrics,
) -> Result<Option<Internal>, Failure> {
    Ok(match order {
        ToService::Execute { batch, checkpoint } => {
            let started = Instant::now();
            let executed = guarded(&batch, || service.execute(&batch))?;
            metrics.executed(batch.requests.len(), started.elapsed());
            let checkpoint = checkpoint.then(|| guarded(&batch, || service.checkpoint())).transpose()?;
            Some(Internal::Executed { executed, checkpoint })
        }
        ToService::Certified(certificate) => {
            service.certified(certificate);
            None
        }
        ToService::Evidence(evidence) => {
            service.evidence(evidence);
            None
        }
        ToService::Ask(ServiceQuestion::Queries(queries)) => {
            let results = queries.iter().map(|query| answered(service, query.as_bytes())).collect();
            Some(Internal::Answered(ServiceAnswer::Results(results)))
        }
        ToService::Ask(question) => Some(Internal::Answered(question.put_to(service))),
    })
}

/// Whoever knows such a question can ask it as often as it likes. (What the process's panic hook writes is its own affair.)
static PANICS: Sparing<()> = Sparing::new();

/// Mistake 31: any client may ask anything of any replica, and no order names who did. What makes the service panic is a
/// question that it does not know. It changes nothing by answering, so it goes on.
fn answered<S: Service>(service: &mut S, query: &[u8]) -> Option<Vec<u8>> {
    catch_unwind(AssertUnwindSafe(|| service.query(query))).unwrap_or_else(|panic| {
        if let Some(left_out) = PANICS.may_say(()) {
            let why = message_of(&*panic);
            tracing::error!(why, bytes = query.len(), left_out, "the service panics at a question");
        }
        None
    })
}

/// Mistake 31: whatever makes the service panic here makes it panic on every replica, and again after each restart. Nobody
/// can skip the batch, so at least it gets a name. The service is in an unknown state and is not used any more.
fn guarded<T>(batch: &OrderedBatch, work: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let ids = batch.requests.iter().map(|request| request.id().to_string()).collect::<Vec<_>>();
        Failure::PoisonBatch { seq: batch.seq, requests: ids.join(", "), why: message_of(&*panic) }
    })
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;
    use pbft_core::{
        ReplicaId, Seq, UnixMillis, View,
        message::Operation,
        service::{Executed, OrderedBatch, ServiceCheckpoint, StateLost},
    };
    use pbft_crypto::Digest;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::metrics::Metrics;

    struct Anything;

    /// Panics when it executes 2, and when it makes a checkpoint after 4.
    #[derive(Default)]
    struct Brittle {
        last: u64,
    }

    impl Service for Brittle {
        fn execute(&mut self, batch: &OrderedBatch) -> Executed {
            self.last = batch.seq.value();
            assert!(self.last != 2, "two is too many");
            Executed::default()
        }

        fn checkpoint(&mut self) -> ServiceCheckpoint {
            assert!(self.last != 4, "{} is too many", self.last);
            ServiceCheckpoint::durable(Digest::ZERO)
        }

        fn query(&mut self, query: &[u8]) -> Option<Vec<u8>> {
            assert!(query != b"why", "no reason");
            Some(query.to_vec())
        }

        fn restore(&mut self, _: Seq, _: Option<&[u8]>) -> Result<(), StateLost> {
            Ok(())
        }
    }

    fn order(seq: u64) -> ToService {
        let (origin, time) = (View::ZERO, UnixMillis::new(seq));
        let (requests, replicas) = (Vec::new(), Digest::ZERO);
        let batch = OrderedBatch { seq: Seq::new(seq), origin, time, requests, replicas };
        ToService::Execute { batch, checkpoint: true }
    }

    #[test]
    fn mistake_31_a_panic_names_the_batch() {
        for (seq, message) in [(2, "two is too many"), (4, "4 is too many")] {
            let (orders, to_do) = unbounded();
            let (replica, heard) = unbounded();
            for seq in [seq - 1, seq, seq + 1] {
                orders.send(order(seq)).unwrap();
            }
            let metrics = Metrics::register(&mut Registry::default()).of(ReplicaId::new(0));
            run(Brittle::default(), &|| None, &to_do, &replica, &metrics);
            drop(replica);
            let heard: Vec<_> = heard.iter().collect();
            let [Internal::Executed { .. }, Internal::Failed(failure)] = heard.as_slice() else {
                panic!("{heard:?}")
            };
            let (requests, why) = (String::new(), message.to_owned());
            assert_eq!(*failure, Failure::PoisonBatch { seq: Seq::new(seq), requests, why });
            assert_eq!(to_do.len(), 1, "the next batch is left alone");
        }
    }

    #[test]
    fn mistake_31_a_question_that_panics_is_not_answered() {
        let (orders, to_do) = unbounded();
        let (replica, heard) = unbounded();
        let queries = [b"who", b"why", b"how"].map(|query| Operation::new(query.to_vec()));
        orders.send(ToService::Ask(ServiceQuestion::Queries(queries.to_vec()))).unwrap();
        orders.send(order(1)).unwrap();
        drop(orders);
        let metrics = Metrics::register(&mut Registry::default()).of(ReplicaId::new(0));
        run(Brittle::default(), &|| None, &to_do, &replica, &metrics);
        drop(replica);
        let heard: Vec<_> = heard.iter().collect();
        let [Internal::Answered(ServiceAnswer::Results(results)), Internal::Executed { .. }] = &heard[..]
        else {
            panic!("{heard:?}")
        };
        assert_eq!(*results, [Some(b"who".to_vec()), None, Some(b"how".to_vec())]);
    }

    impl Service for Anything {
        fn execute(&mut self, _: &OrderedBatch) -> Executed {
            Executed::default()
        }

        fn checkpoint(&mut self) -> ServiceCheckpoint {
            ServiceCheckpoint::durable(Digest::ZERO)
        }

        fn restore(&mut self, _: Seq, _: Option<&[u8]>) -> Result<(), StateLost> {
            Ok(())
        }
    }

    #[test]
    fn what_a_failed_service_answers_is_not_handed_on() {
        let (orders, to_do) = unbounded();
        let (replica, heard) = unbounded();
        for seq in 1..=2 {
            orders.send(order(seq)).unwrap();
        }
        let metrics = Metrics::register(&mut Registry::default()).of(ReplicaId::new(0));
        run(Anything, &|| Some("the disk is full".into()), &to_do, &replica, &metrics);
        drop(replica);
        let heard: Vec<_> = heard.iter().collect();
        let [Internal::Failed(Failure::Execution(why))] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!(why, "the disk is full");
        assert_eq!(to_do.len(), 1, "the second batch is left alone");
    }
}
