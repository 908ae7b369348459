//! Sends old messages of anyone again, also to whoever sent them first.

use pbft_core::{Message, ReplicaId};

use super::{Behaviour, Kit};

#[derive(Default)]
pub(super) struct Replayer {
    heard: Vec<Message>,
}

const MEMORY: usize = 400;

impl Behaviour for Replayer {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
        if !self.heard.is_empty() && kit.rng.chance(400_000) {
            let old = self.heard[kit.rng.index(self.heard.len())].clone();
            let victim = kit.someone();
            kit.send(victim, &old);
        }
    }

    fn on_receive(&mut self, message: &Message) {
        if self.heard.len() < MEMORY {
            self.heard.push(message.clone());
        }
    }
}
