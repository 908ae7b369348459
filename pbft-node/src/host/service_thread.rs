//! Executes batches, one after the other, and answers the replica's questions.

use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use pbft_core::service::Service;

use super::events::{Failure, Internal, ToService};
use crate::metrics::ReplicaMetrics;

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
        if let Some(why) = failure() {
            // Nobody is left to hear it if this fails.
            let _ = replica.send(Internal::Failed(Failure::Execution(why)));
            return;
        }
        if answer.is_some_and(|answer| replica.send(answer).is_err()) {
            return;
        }
    }
}

fn carry_out<S: Service>(service: &mut S, order: ToService, metrics: &ReplicaMetrics) -> Option<Internal> {
    match order {
        ToService::Execute { batch, checkpoint } => {
            let started = Instant::now();
            let executed = service.execute(&batch);
            metrics.executed(batch.requests.len(), started.elapsed());
            let checkpoint = checkpoint.then(|| service.checkpoint());
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
        ToService::Ask(question) => Some(Internal::Answered(question.put_to(service))),
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;
    use pbft_core::{
        ReplicaId, Seq, UnixMillis, View,
        service::{Executed, OrderedBatch, ServiceCheckpoint, StateLost},
    };
    use pbft_crypto::Digest;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::metrics::Metrics;

    struct Anything;

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
            let (origin, time) = (View::ZERO, UnixMillis::new(seq));
            let (requests, replicas) = (Vec::new(), Digest::ZERO);
            let batch = OrderedBatch { seq: Seq::new(seq), origin, time, requests, replicas };
            orders.send(ToService::Execute { batch, checkpoint: true }).unwrap();
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
