//! Sends many votes whose signatures are wrong, in its own name and in others', and drowns its true ones in them.

use pbft_core::{
    Message, ReplicaId,
    message::{Signed, Statement},
};
use pbft_crypto::Digest;

use super::{Behaviour, Kit};

pub(super) struct SignatureFlooder;

const VOTES: usize = 4;

impl Behaviour for SignatureFlooder {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        for _ in 0..VOTES {
            let flood = match message {
                Message::Prepare(vote) => Message::Prepare(spoilt(kit, vote)),
                Message::Commit(vote) => Message::Commit(spoilt(kit, vote)),
                Message::Checkpoint(vote) => Message::Checkpoint(spoilt(kit, vote)),
                _ => break,
            };
            kit.send(to, &flood);
        }
        kit.send(to, message);
    }
}

fn spoilt<T: Statement + Clone>(kit: &mut Kit<'_>, vote: &Signed<T>) -> Signed<T> {
    let mut random = [0; 32];
    random.fill_with(|| u8::try_from(kit.rng.below(256)).unwrap_or(0));
    let signature = kit.crypto.sign(&Digest::from_bytes(random));
    let signer = if kit.rng.chance(500_000) { kit.id } else { kit.someone() };
    Signed { statement: vote.statement.clone(), signer, signature }
}
