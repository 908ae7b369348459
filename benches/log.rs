//! The durable log on a real disk: append alone, and with one fsync for a group of records.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pbft_core::{
    Config, Seq, View,
    config::ReplicaSet,
    crypto::P256Crypto,
    message::{Prepare, Signed},
    storage::{Log, LogPosition, Record},
};
use pbft_crypto::{Digest, KeyPair};
use pbft_node::{
    disk::RealDisk,
    log::{DurableLog, LogOptions},
};

fn vote() -> Record {
    let key = KeyPair::generate();
    let config = Config::new(Digest::ZERO, ReplicaSet::new(vec![key.public_key()]));
    let config = config.validate().expect("one replica is a cluster");
    let signer = config.replicas.ids().next().expect("there is one replica");
    let prepare = Prepare { view: View::ZERO, seq: Seq::new(1), digest: Digest::ZERO };
    Record::Prepare(Signed::sign(prepare, signer, &config, &P256Crypto::new(key)))
}

fn append(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let disk = RealDisk::open(folder.path()).expect("the folder is new");
    let mut log = DurableLog::open(disk, LogOptions::default()).expect("the log is new");
    let record = vote();
    let mut position = LogPosition::START;
    let mut group = c.benchmark_group("log/append and sync");
    group.sample_size(20);
    for records in [1u64, 16, 256] {
        group.throughput(Throughput::Elements(records));
        group.bench_with_input(
            BenchmarkId::new("records for each fsync", records),
            &records,
            |b, records| {
                b.iter(|| {
                    for _ in 0..*records {
                        position = position.next();
                        log.append(position, &record).expect("the disk takes it");
                    }
                    log.sync().expect("the disk syncs")
                });
            },
        );
    }
}

criterion_group!(benches, append);
criterion_main!(benches);
