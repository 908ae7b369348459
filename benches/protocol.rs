//! Encoding, decoding and stepping.

use std::{hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pbft_core::{
    ClientId, Config, Message, Request, RequestNumber, Seq, UnixMillis, View,
    config::ReplicaSet,
    crypto::P256Crypto,
    local::LocalCluster,
    message::{Batch, Operation, PrePrepare, Proposal, Signed},
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
    wire,
};
use pbft_crypto::{Digest, KeyPair};

const REQUESTS: usize = 500;
const OPERATION_BYTES: usize = 256;

fn proposal() -> Message {
    let key = KeyPair::generate();
    let config = Config::new(Digest::ZERO, ReplicaSet::new(vec![key.public_key()]));
    let config = config.validate().expect("one replica is a cluster");
    let request = |number| Request {
        client: ClientId::from_bytes([1; 32]),
        number: RequestNumber::new(number),
        operation: Operation::new(vec![7; OPERATION_BYTES]),
    };
    let requests = (0..REQUESTS as u64).map(request).collect();
    let batch = Batch { origin: View::ZERO, time: UnixMillis::new(1), requests };
    let statement = PrePrepare { view: View::ZERO, seq: Seq::new(1), digest: batch.digest() };
    let signer = config.replicas.ids().next().expect("there is one replica");
    let pre_prepare = Signed::sign(statement, signer, &config, &P256Crypto::new(key));
    Message::PrePrepare(Proposal { pre_prepare, batch: Arc::new(batch) })
}

fn codec(c: &mut Criterion) {
    let message = proposal();
    let bytes = wire::encode(&message).expect("it is within all bounds");
    let mut group =
        c.benchmark_group(format!("protocol/pre-prepare of {REQUESTS} x {OPERATION_BYTES} bytes"));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode", |b| b.iter(|| wire::encode(black_box(&message))));
    group.bench_function("decode", |b| b.iter(|| wire::decode::<Message>(black_box(&bytes))));
    if let Message::PrePrepare(proposal) = &message {
        group.bench_function("digest", |b| b.iter(|| black_box(&proposal.batch).digest()));
    }
}

/// Does nothing, at any speed.
struct Idle;

impl Service for Idle {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        Executed::new(batch.requests.iter().map(|_| Outcome::Applied(Vec::new())).collect())
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(Vec::new())
    }

    fn restore(&mut self, _seq: Seq, _snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        Ok(())
    }
}

/// Everything that four replicas do for some requests, on one thread: real signatures, no I/O.
fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("protocol/four replicas in memory");
    for count in [1usize, 200] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{count} requests together"), |b| {
            let mut cluster = LocalCluster::new(4, || Idle);
            let operations = || vec![vec![7; OPERATION_BYTES]; count];
            b.iter_batched(
                operations,
                |operations| cluster.submit_together(operations),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, codec, step);
criterion_main!(benches);
