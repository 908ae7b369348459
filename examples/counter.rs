//! A replicated counter: four replicas in memory, on one thread.
//!
//! ```sh
//! cargo run --release --example counter
//! ```

use pbft_core::{
    Replica, ReplicaId, Seq,
    local::LocalCluster,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
};

/// Adds up the numbers that it is sent, one byte each.
#[derive(Default)]
struct Counter(u64);

impl Service for Counter {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let outcomes = batch.requests.iter().map(|request| {
            let Some(number) = request.operation.as_bytes().first() else {
                return Outcome::Refused(b"which number?".to_vec());
            };
            self.0 += u64::from(*number);
            Outcome::Applied(self.0.to_le_bytes().to_vec())
        });
        Executed::new(outcomes.collect())
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(self.0.to_le_bytes().to_vec())
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let bytes = snapshot.and_then(|bytes| bytes.try_into().ok());
        self.0 = bytes.map(u64::from_le_bytes).ok_or(StateLost { seq, why: "no snapshot".into() })?;
        Ok(())
    }
}

fn main() {
    let mut cluster = LocalCluster::new(4, Counter::default);
    for number in [40, 2, 100] {
        let total =
            cluster.submit(vec![number]).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        println!(
            "add {number:>3}: two replicas agree that the total is {}",
            total.expect("nothing is faulty here")
        );
    }
    for replica in (0..4).map(ReplicaId::new) {
        let (counter, progress) = (cluster.service(replica), cluster.replica(replica).map(Replica::progress));
        let (counter, progress) = counter.zip(progress).expect("there are four");
        println!("replica {replica}: total {} after {} batches", counter.0, progress.executed);
    }
}
