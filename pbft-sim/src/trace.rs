//! What happened, as one number: two runs with equal digests went the same way, event by event.

use core::{fmt, time::Duration};

/// Takes down every event.
#[derive(Debug)]
pub struct Trace {
    digest: u64,
    events: u64,
    print: bool,
}

impl Trace {
    /// A trace that prints each event, or only remembers that it was.
    #[must_use]
    pub const fn new(print: bool) -> Self {
        Self { digest: 0xcbf2_9ce4_8422_2325, events: 0, print }
    }

    /// One event, with everything that tells it from others.
    pub fn event(&mut self, at: Duration, numbers: [u64; 3], bytes: &[u8], say: impl FnOnce() -> String) {
        self.events += 1;
        self.absorb(u64::try_from(at.as_micros()).unwrap_or(u64::MAX));
        numbers.into_iter().for_each(|number| self.absorb(number));
        self.absorb(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.absorb(u64::from_le_bytes(word));
        }
        if self.print {
            self.say(at, &say());
        }
    }

    /// Prints a line that is no event by itself.
    pub fn note(&self, at: Duration, say: impl FnOnce() -> String) {
        if self.print {
            self.say(at, &say());
        }
    }

    fn say(&self, at: Duration, line: &dyn fmt::Display) {
        println!("{:>7} {:>12.6}  {line}", self.events, at.as_secs_f64());
    }

    fn absorb(&mut self, word: u64) {
        self.digest = (self.digest.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// How many events there were.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The digest of all of them.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest
    }
}
