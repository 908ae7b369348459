//! Flips bits, cuts off, and appends: bytes that are no message, or not the one that was signed.

use pbft_core::{Message, ReplicaId, wire};

use super::{Behaviour, Kit};

pub(super) struct Garbler;

impl Behaviour for Garbler {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        if kit.rng.chance(500_000) {
            kit.send(to, message);
        }
        let Ok(mut bytes) = wire::encode(message) else { return };
        let place = kit.rng.index(bytes.len());
        match kit.rng.below(8) {
            0 => bytes.truncate(place),
            1 => bytes.push(0),
            _ => bytes[place] ^= 1 << kit.rng.below(8),
        }
        kit.out.push((to, bytes, core::time::Duration::ZERO));
    }
}
