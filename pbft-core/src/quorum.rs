//! The only place that computes a quorum.
//!
//! With `n` replicas of which `f = floor((n - 1) / 3)` may be faulty, a quorum has `q = ceil((n + f + 1) / 2)` members:
//! any two quorums share at least `f + 1` replicas, so one correct replica at least, and the `n - f` correct replicas
//! can form one by themselves. (`2f + 1` is the same number only if `n = 3f + 1`; for other `n` it is too small.)

use serde::{Deserialize, Serialize};

/// The sizes that follow from the number of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumSizes {
    n: u32,
}

impl QuorumSizes {
    /// The sizes for `n` replicas.
    #[must_use]
    pub const fn of(n: u16) -> Self {
        Self { n: n as u32 }
    }

    /// How many replicas there are.
    #[must_use]
    pub const fn n(self) -> usize {
        self.n as usize
    }

    /// How many of them may be faulty.
    #[must_use]
    pub const fn f(self) -> usize {
        (self.n.saturating_sub(1) / 3) as usize
    }

    /// A quorum: enough for a certificate.
    #[must_use]
    pub const fn quorum(self) -> usize {
        // ceil((n + f + 1) / 2) = floor((n + f) / 2) + 1
        (self.n().saturating_add(self.f()) / 2).saturating_add(1)
    }

    /// A weak quorum: at least one member is correct.
    #[must_use]
    pub const fn weak(self) -> usize {
        self.f().saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mistake 1 of docs/PROTOCOL.md: 2f + 1 used where n is not 3f + 1.
    #[test]
    fn quorums_intersect_in_a_correct_replica_and_can_be_formed_without_the_faulty() {
        for n in 1..=200u16 {
            let sizes = QuorumSizes::of(n);
            let (n, f, q) = (sizes.n(), sizes.f(), sizes.quorum());
            assert!(n > 3 * f, "n = {n}");
            assert!(2 * q - n > f, "two quorums of {q} among {n} share a correct replica");
            assert!(q <= n - f, "the correct replicas alone are a quorum of {q} among {n}");
            assert_eq!(q, (n + f + 1).div_ceil(2));
            assert!(sizes.weak() <= q && sizes.weak() == f + 1);
        }
    }

    #[test]
    fn known_sizes() {
        let table = [(1, 0, 1), (4, 1, 3), (5, 1, 4), (6, 1, 4), (7, 2, 5), (10, 3, 7), (50, 16, 34)];
        for (n, f, q) in table {
            let sizes = QuorumSizes::of(n);
            assert_eq!((sizes.f(), sizes.quorum()), (f, q), "n = {n}");
        }
    }
}
