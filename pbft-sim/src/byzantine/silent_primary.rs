//! A primary that proposes nothing and begins no view, though its status says that it is well.

use pbft_core::{Message, ReplicaId};

use super::{Behaviour, Kit};

pub(super) struct SilentPrimary;

impl Behaviour for SilentPrimary {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        if !matches!(message, Message::PrePrepare(_) | Message::NewView(_)) {
            kit.send(to, message);
        }
    }
}
