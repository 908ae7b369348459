//! Signing, checking and hashing.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pbft_crypto::{Domain, KeyPair, VerifyingKey, digest, verify};

const DOMAIN: Domain = Domain::new("bench/v1");

fn signatures(c: &mut Criterion) {
    let key = KeyPair::generate();
    let message = digest(DOMAIN, b"a payment");
    let signature = key.sign(&message);
    c.bench_function("crypto/sign", |b| b.iter(|| key.sign(black_box(&message))));
    c.bench_function("crypto/verify", |b| {
        b.iter(|| verify(&key.public_key(), black_box(&message), &signature));
    });
    let known = VerifyingKey::new(&key.public_key()).expect("a fresh key is on the curve");
    c.bench_function("crypto/verify with a parsed key", |b| {
        b.iter(|| known.verify(black_box(&message), &signature));
    });
}

fn digests(c: &mut Criterion) {
    let mut group = c.benchmark_group("crypto/digest");
    for size in [64usize, 1 << 10, 1 << 20] {
        let bytes = vec![7; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("{size} bytes"), |b| b.iter(|| digest(DOMAIN, black_box(&bytes))));
    }
}

criterion_group!(benches, signatures, digests);
criterion_main!(benches);
