//! Its clock is far ahead, or stands still since long ago.

use core::time::Duration;

use pbft_core::{Message, ReplicaId, UnixMillis};

use super::{Behaviour, Kit};
use crate::rng::Rng;

pub(super) struct ClockLiar {
    /// How far ahead; nothing for a clock that stands.
    ahead: Option<Duration>,
}

impl ClockLiar {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let ahead = rng.pick(&[None, Some(60), Some(3_600), Some(1 << 40)]);
        Self { ahead: ahead.map(Duration::from_secs) }
    }
}

impl Behaviour for ClockLiar {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
    }

    fn wall(&self, honest: UnixMillis) -> UnixMillis {
        self.ahead.map_or(UnixMillis::new(0), |ahead| honest.plus(ahead))
    }
}
