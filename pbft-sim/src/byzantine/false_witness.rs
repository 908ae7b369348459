//! Attests results that no batch had, and claims that its word alone is a proof of them.

use pbft_core::{Message, ReplicaId, certificate::Certificate, message::Attestation};

use super::{Behaviour, Kit, flipped};

pub(super) struct FalseWitness;

impl Behaviour for FalseWitness {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let honest = match message {
            Message::Attestation(vote) => vote.statement,
            Message::Certified(certificate) => certificate.statement,
            _ => return kit.send(to, message),
        };
        let seq = honest.seq.plus(kit.rng.pick(&[0, 0, 0, 1, kit.config.window]));
        let vote = kit.sign_as(kit.id, Attestation { seq, digest: flipped(honest.digest) });
        kit.send(to, &Message::Attestation(vote.clone()));
        let names = kit.rng.pick(&[1, kit.config.sizes().weak()]);
        let alone =
            Certificate { statement: vote.statement, signatures: vec![(kit.id, vote.signature); names] };
        kit.send(to, &Message::Certified(alone));
    }
}
