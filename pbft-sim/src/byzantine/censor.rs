//! Never hears of one client's requests: it orders those of all others.

use pbft_core::{Input, Message, Now, ReplicaId};

use super::{Behaviour, Kit};
use crate::customer::client_id;

pub(super) struct Censor;

impl Behaviour for Censor {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
    }

    fn hears(&mut self, _kit: &mut Kit<'_>, _now: Now, input: &Input) -> bool {
        !matches!(input, Input::Request { request, .. } if request.get().client == client_id(0))
    }
}
