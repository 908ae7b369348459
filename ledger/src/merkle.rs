//! Merkle trees over lists, exactly as in RFC 6962 (Certificate Transparency): `SHA-256(0x00 || leaf)`,
//! `SHA-256(0x01 || left || right)`, the left side of each node a full tree. Any tool for such trees can check them. The
//! digests of this project begin with the length of a tag, which is neither 0 nor 1, so none of them is also a node.

use pbft_crypto::{Digest, sha256};
use serde::{Deserialize, Serialize};

fn leaf_hash(leaf: &[u8]) -> Digest {
    let mut bytes = Vec::with_capacity(leaf.len().saturating_add(1));
    bytes.push(0);
    bytes.extend_from_slice(leaf);
    sha256(&bytes)
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    let (_, children) = bytes.split_at_mut(1);
    let (first, second) = children.split_at_mut(32);
    first.copy_from_slice(left.as_bytes());
    second.copy_from_slice(right.as_bytes());
    sha256(&bytes)
}

/// The hashes of a tree, level by level from the leaves up.
#[derive(Clone, Debug)]
pub struct MerkleTree {
    levels: Vec<Vec<Digest>>,
}

impl<L: AsRef<[u8]>> FromIterator<L> for MerkleTree {
    fn from_iter<I: IntoIterator<Item = L>>(leaves: I) -> Self {
        let mut level: Vec<_> = leaves.into_iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level.chunks(2).map(|pair| match pair {
                [left, right] => node_hash(left, right),
                // An odd one out moves up as it is.
                rest => rest.first().copied().unwrap_or(Digest::ZERO),
            });
            let above = above.collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Self { levels }
    }
}

impl MerkleTree {
    /// The root; of no leaves, the SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_else(|| sha256(&[]))
    }

    /// How many leaves there are.
    pub fn leaves(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// Shows that the leaf at `index` is in the tree.
    pub fn prove(&self, index: usize) -> Option<InclusionProof> {
        if index >= self.leaves() {
            return None;
        }
        let mut position = index;
        let mut path = Vec::new();
        for level in &self.levels {
            path.extend(level.get(position ^ 1));
            position /= 2;
        }
        Some(InclusionProof { index: index as u64, leaves: self.leaves() as u64, path })
    }
}

/// The way from a leaf up to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The place of the leaf.
    pub index: u64,
    /// How many leaves the tree has.
    pub leaves: u64,
    /// The hashes beside the way, from below.
    pub path: Vec<Digest>,
}

/// On which side of the way up a hash stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Before it.
    Left,
    /// After it.
    Right,
}

/// One step of the way up, which needs no number of leaves: every byte of it decides the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Where the other hash stands.
    pub side: Side,
    /// The other hash.
    pub hash: Digest,
}

/// The root that these steps lead to from `leaf`.
pub fn climb(leaf: &[u8], steps: &[Step]) -> Digest {
    steps.iter().fold(leaf_hash(leaf), |hash, step| match step.side {
        Side::Left => node_hash(&step.hash, &hash),
        Side::Right => node_hash(&hash, &step.hash),
    })
}

impl InclusionProof {
    /// The same way as steps.
    pub fn steps(&self) -> Vec<Step> {
        let (mut position, mut last) = (self.index, self.leaves.saturating_sub(1));
        let mut steps = Vec::with_capacity(self.path.len());
        for hash in &self.path {
            let left = !position.is_multiple_of(2) || position == last;
            if left {
                while position.is_multiple_of(2) && position != 0 {
                    position /= 2;
                    last /= 2;
                }
            }
            steps.push(Step { side: if left { Side::Left } else { Side::Right }, hash: *hash });
            position /= 2;
            last /= 2;
        }
        steps
    }

    /// Whether a tree with this root has `leaf` at [`index`](Self::index) (RFC 9162, section 2.1.3.2).
    pub fn verify(&self, root: &Digest, leaf: &[u8]) -> bool {
        if self.index >= self.leaves {
            return false;
        }
        let mut position = self.index;
        let mut last = self.leaves.saturating_sub(1);
        let mut hash = leaf_hash(leaf);
        for sibling in &self.path {
            if last == 0 {
                return false;
            }
            if !position.is_multiple_of(2) || position == last {
                hash = node_hash(sibling, &hash);
                while position.is_multiple_of(2) && position != 0 {
                    position /= 2;
                    last /= 2;
                }
            } else {
                hash = node_hash(&hash, sibling);
            }
            position /= 2;
            last /= 2;
        }
        last == 0 && hash == *root
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition in RFC 6962, section 2.1, word for word.
    fn root_by_definition(leaves: &[Vec<u8>]) -> Digest {
        match leaves {
            [] => sha256(&[]),
            [leaf] => leaf_hash(leaf),
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                node_hash(&root_by_definition(&leaves[..half]), &root_by_definition(&leaves[half..]))
            }
        }
    }

    /// From the tests of the Certificate Transparency log server.
    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let leaves: Vec<Vec<u8>> = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .iter()
        .map(|leaf| hex::decode(leaf).unwrap())
        .collect();
        let root = |n: usize| leaves[..n].iter().collect::<MerkleTree>().root().to_string();
        assert_eq!(root(0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(root(1), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(root(2), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(root(3), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
        assert_eq!(root(8), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    #[test]
    fn every_leaf_of_every_size_is_proven_and_nothing_else() {
        for n in 1..40usize {
            let leaves: Vec<Vec<u8>> = (0..n).map(|i| vec![u8::try_from(i).unwrap(); i % 3]).collect();
            let tree: MerkleTree = leaves.iter().collect();
            assert_eq!(tree.root(), root_by_definition(&leaves));
            assert_eq!(tree.prove(n), None);
            for (i, leaf) in leaves.iter().enumerate() {
                let proof = tree.prove(i).unwrap();
                assert!(proof.verify(&tree.root(), leaf));
                assert_eq!(climb(leaf, &proof.steps()), tree.root());
                assert!(!proof.verify(&tree.root(), b"another leaf"));
                assert!(!proof.verify(&Digest::ZERO, leaf));
                let elsewhere = InclusionProof { index: proof.index + 1, ..proof.clone() };
                assert!(!elsewhere.verify(&tree.root(), leaf));
                let mut longer = proof.clone();
                longer.path.push(Digest::ZERO);
                assert!(!longer.verify(&tree.root(), leaf));
                let mut shorter = proof;
                if shorter.path.pop().is_some() {
                    assert!(!shorter.verify(&tree.root(), leaf));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_proof_changed_anywhere_fails(
            n in 2usize..200, pick: prop::sample::Index, step: prop::sample::Index, bit in 0u8..8, byte in 0usize..32,
        ) {
            let tree: MerkleTree = (0..n).map(usize::to_be_bytes).collect();
            let index = pick.index(n);
            let mut proof = tree.prove(index).unwrap();
            let place = step.index(proof.path.len());
            let mut changed = *proof.path[place].as_bytes();
            changed[byte] ^= 1 << bit;
            proof.path[place] = Digest::from_bytes(changed);
            prop_assert!(!proof.verify(&tree.root(), &index.to_be_bytes()));
        }

        #[test]
        fn any_proof_at_all_is_answered(index: u64, leaves: u64, hashes in 0usize..80) {
            let proof = InclusionProof { index, leaves, path: vec![Digest::ZERO; hashes] };
            prop_assert!(!proof.verify(&Digest::ZERO, b"leaf"));
        }
    }
}
