//! Takes back how far it is, and claims much again at once: whoever asks it for batches is to ask it again. Hands out none.

use pbft_core::{Message, ReplicaId, Seq, message::Status};

use super::{Behaviour, Kit};

pub(super) struct Fickle;

impl Behaviour for Fickle {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::Committed(_) => {}
            Message::Status(status) => {
                for executed in [Seq::ZERO, status.executed.plus(100)] {
                    kit.send(to, &Message::Status(Status { executed, first: Seq::ZERO, ..status.clone() }));
                }
            }
            _ => kit.send(to, message),
        }
    }
}
