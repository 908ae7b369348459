//! Passes on the NEW-VIEWs of others with other signatures inside, which are as good: the primary's own does not cover them.

use pbft_core::{
    Message, ReplicaId,
    message::{NewView, ProvenNewView, Signed},
};

use super::{Behaviour, Kit};

#[derive(Default)]
pub(super) struct Resealer {
    newest: Option<Box<ProvenNewView>>,
}

impl Behaviour for Resealer {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
        if let (Message::Status(_), Some(newest)) = (message, &self.newest) {
            let mut copy = newest.clone();
            reseal(kit, &mut copy.announcement.statement);
            kit.send(to, &Message::NewView(copy));
        }
    }

    fn on_receive(&mut self, message: &Message) {
        if let Message::NewView(new_view) = message
            && self.newest.as_ref().is_none_or(|newest| newest.view() <= new_view.view())
        {
            self.newest = Some(new_view.clone());
        }
    }
}

fn reseal(kit: &mut Kit<'_>, announced: &mut NewView) {
    announced.view_changes.iter_mut().for_each(|inside| turn_hint(kit, inside));
    announced.pre_prepares.iter_mut().for_each(|inside| turn_hint(kit, inside));
}

fn turn_hint<T>(kit: &mut Kit<'_>, signed: &mut Signed<T>) {
    if kit.rng.chance(500_000) {
        signed.signature = signed.signature.with_hint(!signed.signature.hint());
    }
}
