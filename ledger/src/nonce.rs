//! Which of an account's numbers are used up.

use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;
use crate::table::{Row, TableId};
use pbft_crypto::Address;

/// How many numbers from the lowest unused one on may be used, in any order.
pub const NONCE_WINDOW: u64 = 256;

/// The nonces of one account: all below `base` are used, those above by the mask. A window instead of a counter lets one
/// account have many transactions in flight, without one that gets lost holding up the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceWindow {
    base: u64,
    used: [u64; 4],
}

impl NonceWindow {
    /// The lowest unused nonce.
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// Whether a transaction with this nonce could still be recorded.
    ///
    /// # Errors
    /// [`Refusal::NonceUsed`] or [`Refusal::NonceTooFar`].
    pub fn check(&self, nonce: u64) -> Result<(), Refusal> {
        let base = self.base;
        let Some(offset) = nonce.checked_sub(base) else {
            return Err(Refusal::NonceUsed { base });
        };
        match self.word(offset) {
            None => Err(Refusal::NonceTooFar { base }),
            Some((word, bit)) if word & bit != 0 => Err(Refusal::NonceUsed { base }),
            Some(_) => Ok(()),
        }
    }

    /// The lowest nonce above all used ones: what a sender that shares its account with nobody uses next.
    pub fn after_last_used(&self) -> u64 {
        let words = self.used.iter().rev();
        let unused_at_end = words.scan(true, |all_zero, word| {
            let zeros = if *all_zero { word.leading_zeros() } else { 0 };
            *all_zero &= *word == 0;
            Some(u64::from(zeros))
        });
        let unused: u64 = unused_at_end.sum();
        self.base.saturating_add(NONCE_WINDOW.saturating_sub(unused))
    }

    /// Uses a nonce up, which [`check`](Self::check) has let pass.
    pub(crate) fn use_up(&mut self, nonce: u64) {
        let offset = nonce.saturating_sub(self.base);
        let index = usize::try_from(offset / 64).unwrap_or(usize::MAX);
        if let Some(word) = self.used.get_mut(index) {
            *word |= 1 << (offset % 64);
        }
        self.slide();
    }

    /// Moves the base over the used ones.
    fn slide(&mut self) {
        while self.used[0] == u64::MAX {
            self.used = [self.used[1], self.used[2], self.used[3], 0];
            self.base = self.base.saturating_add(64);
        }
        let steps = self.used[0].trailing_ones();
        if steps > 0 {
            let [a, b, c, d] = self.used;
            let join = |low: u64, high: u64| (low >> steps) | (high << 64u32.saturating_sub(steps));
            self.used = [join(a, b), join(b, c), join(c, d), d >> steps];
            self.base = self.base.saturating_add(u64::from(steps));
        }
    }

    /// The word and the bit of a nonce, if it is within the window. The last nonce of all is never valid, as nothing
    /// could follow it.
    fn word(&self, offset: u64) -> Option<(u64, u64)> {
        self.base.checked_add(offset)?.checked_add(1)?;
        let word = self.used.get(usize::try_from(offset / 64).ok()?)?;
        Some((*word, 1 << (offset % 64)))
    }
}

impl Row for NonceWindow {
    type Key = Address;
    const TABLE: TableId = TableId::Nonces;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn in_order_the_window_is_just_a_counter() {
        let mut window = NonceWindow::default();
        for nonce in 0..1_000 {
            assert_eq!(window.check(nonce), Ok(()));
            window.use_up(nonce);
            assert_eq!(window, NonceWindow { base: nonce + 1, used: [0; 4] });
            assert_eq!(window.check(nonce), Err(Refusal::NonceUsed { base: nonce + 1 }));
            assert_eq!(window.after_last_used(), nonce + 1);
        }
    }

    #[test]
    fn the_window_ends_after_256() {
        let mut window = NonceWindow::default();
        assert_eq!(window.check(256), Err(Refusal::NonceTooFar { base: 0 }));
        for nonce in (1..256).rev() {
            window.use_up(nonce);
            assert_eq!(window.base(), 0);
        }
        assert_eq!(window.after_last_used(), 256);
        window.use_up(0);
        assert_eq!(window, NonceWindow { base: 256, used: [0; 4] });
    }

    #[test]
    fn the_last_nonce_of_all_is_never_valid() {
        let window = NonceWindow { base: u64::MAX - 1, used: [0; 4] };
        assert_eq!(window.check(u64::MAX - 1), Ok(()));
        assert_eq!(window.check(u64::MAX), Err(Refusal::NonceTooFar { base: u64::MAX - 1 }));
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(nonces in prop::collection::vec(0u64..600, 0..600)) {
            let mut window = NonceWindow::default();
            let mut used = BTreeSet::new();
            for nonce in nonces {
                let base = (0..).find(|n| !used.contains(n)).unwrap();
                let expected = if used.contains(&nonce) {
                    Err(Refusal::NonceUsed { base })
                } else if nonce >= base + NONCE_WINDOW {
                    Err(Refusal::NonceTooFar { base })
                } else {
                    Ok(())
                };
                prop_assert_eq!(window.check(nonce), expected);
                if expected.is_ok() {
                    window.use_up(nonce);
                    used.insert(nonce);
                }
                let next = used.last().map_or(0, |n| n + 1);
                prop_assert_eq!(window.after_last_used(), next.max(window.base()));
            }
        }
    }
}
