//! Hands out wrong states: other bytes, other parts, a summary of another state, nothing at all, or that it has nothing.

use pbft_core::{
    Message, ReplicaId,
    message::{PartBytes, State, StatePart, StateSummary},
    wire,
};

use super::{Behaviour, Kit, flipped};

pub(super) struct StateLiar;

impl Behaviour for StateLiar {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let Message::State(state) = message else { return kit.send(to, message) };
        let mut state = state.clone();
        match kit.rng.below(6) {
            0 => return,
            1 => state.content = None,
            2 => other_bytes(kit, &mut state),
            3 => state.part = another(state.part),
            4 => other_summary(&mut state),
            _ => {}
        }
        kit.send(to, &Message::State(state));
    }
}

fn other_bytes(kit: &mut Kit<'_>, state: &mut State) {
    let Some(PartBytes(bytes)) = &mut state.content else { return };
    match kit.rng.below(3) {
        0 => bytes.clear(),
        1 => bytes.push(0),
        _ => {
            let place = kit.rng.index(bytes.len().max(1));
            bytes.get_mut(place).into_iter().for_each(|byte| *byte ^= 1);
        }
    }
}

const fn another(part: StatePart) -> StatePart {
    match part {
        StatePart::Summary => StatePart::Manifest,
        StatePart::Clients(index) => StatePart::Clients(index + 1),
        StatePart::Manifest => StatePart::Service(0),
        StatePart::Service(index) => StatePart::Service(index.saturating_sub(1)),
    }
}

/// A summary that is one in form.
fn other_summary(state: &mut State) {
    let Some(PartBytes(bytes)) = &mut state.content else { return };
    if let Ok(mut summary) = wire::decode::<StateSummary>(bytes) {
        summary.service = flipped(summary.service);
        summary.time = summary.time.next();
        *bytes = wire::encode(&summary).unwrap_or_default();
    }
}
