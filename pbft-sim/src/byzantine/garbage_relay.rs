//! Passes on what is true with something else in it: other bodies, requests in clients' names, proofs of other numbers.

use std::sync::Arc;

use pbft_core::{
    Message, ReplicaId, Request, RequestNumber,
    message::{Batch, CommittedBatch, Operation, PrePrepare, Proposal},
};

use super::{Behaviour, Kit};
use crate::customer::client_id;

pub(super) struct GarbageRelay;

impl Behaviour for GarbageRelay {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::PrePrepare(proposal) if kit.rng.chance(500_000) => {
                let lie = smuggled(kit, proposal);
                kit.send(to, &Message::PrePrepare(lie));
            }
            Message::Committed(committed) => {
                let batch = Arc::new(stuffed(&committed.batch));
                let certificate = committed.certificate.clone();
                kit.send(to, &Message::Committed(CommittedBatch { batch, certificate }));
            }
            Message::Stable(proof) => {
                let mut proof = proof.clone();
                proof.statement.seq = proof.statement.seq.plus(kit.config.checkpoint_period);
                kit.send(to, &Message::Stable(proof));
            }
            _ => kit.send(to, message),
        }
        if kit.rng.chance(100_000) {
            kit.send(to, &Message::Forward(vec![forged_request()]));
        }
    }
}

/// A request that no client sent.
fn forged_request() -> Request {
    let operation = Operation::new(vec![0, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0]);
    Request { client: client_id(0), number: RequestNumber::new(150), operation }
}

fn stuffed(batch: &Batch) -> Batch {
    let mut batch = batch.clone();
    batch.requests.push(forged_request());
    batch
}

/// Signed and in form: only the client's signature is missing.
fn smuggled(kit: &Kit<'_>, honest: &Proposal) -> Proposal {
    let batch = stuffed(&honest.batch);
    let statement = PrePrepare { digest: batch.digest(), ..honest.pre_prepare.statement };
    Proposal { pre_prepare: kit.sign_as(kit.id, statement), batch: Arc::new(batch) }
}
