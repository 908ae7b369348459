//! One hash for the whole state, with proofs, kept up to date at a cost that grows with what changes.
//!
//! A binary trie over the digests of the state's keys. A node has two sides, always: where all keys below agree in their
//! next bits, these are skipped, so `n` entries have `n - 1` nodes. The shape depends on the set of keys alone, not on the
//! order in which they came. A block's changes are applied together, and each node above them is hashed once.

use pbft_crypto::{Digest, Domain, Hasher, digest};
use serde::{Deserialize, Serialize};

const PATH: Domain = Domain::new("popmarket.state.path.v1");
const LEAF: Domain = Domain::new("popmarket.state.leaf.v1");
const NODE: Domain = Domain::new("popmarket.state.node.v1");

/// Where a key is in the trie: bit 0 is the highest bit of byte 0.
type Path = [u8; 32];

fn path_of(key: &[u8]) -> Path {
    *digest(PATH, key).as_bytes()
}

fn leaf_hash(path: &Path, value: &[u8]) -> Digest {
    Hasher::new(LEAF).update(path).update(value).finish()
}

fn node_hash(bit: u8, left: &Digest, right: &Digest) -> Digest {
    Hasher::new(NODE).update(&[bit]).update(left.as_bytes()).update(right.as_bytes()).finish()
}

fn bit_at(path: &Path, bit: u8) -> bool {
    path.get(usize::from(bit / 8)).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

/// The first bit in which two paths differ.
fn first_difference(a: &Path, b: &Path) -> Option<u8> {
    let (index, x, y) = a.iter().zip(b).enumerate().find_map(|(i, (x, y))| (x != y).then_some((i, x, y)))?;
    u8::try_from(index).ok()?.checked_mul(8)?.checked_add(u8::try_from((x ^ y).leading_zeros()).ok()?)
}

enum Node {
    Leaf {
        path: Path,
        hash: Digest,
    },
    /// All paths below agree with `prefix` before `bit`. Those with a 0 there are on the left.
    Branch {
        bit: u8,
        prefix: Path,
        hash: Digest,
        left: Box<Node>,
        right: Box<Node>,
    },
}

/// A change of one leaf; `None` takes it away.
struct Update {
    path: Path,
    hash: Option<Digest>,
}

impl Node {
    const fn hash(&self) -> &Digest {
        match self {
            Self::Leaf { hash, .. } | Self::Branch { hash, .. } => hash,
        }
    }

    const fn path(&self) -> &Path {
        match self {
            Self::Leaf { path, .. } | Self::Branch { prefix: path, .. } => path,
        }
    }
}

/// Puts two sides together. A side with nothing in it leaves no node.
fn join(bit: u8, left: Option<Box<Node>>, right: Option<Box<Node>>) -> Option<Box<Node>> {
    match (left, right) {
        (Some(left), Some(right)) => {
            let hash = node_hash(bit, left.hash(), right.hash());
            Some(Box::new(Node::Branch { bit, prefix: *left.path(), hash, left, right }))
        }
        (one, other) => one.or(other),
    }
}

/// Splits sorted updates that agree before `bit`.
fn split(updates: &[Update], bit: u8) -> (&[Update], &[Update]) {
    updates.split_at(updates.partition_point(|update| !bit_at(&update.path, bit)))
}

/// Applies sorted updates, one for each path, to a subtree. At most 256 deep.
fn apply(node: Option<Box<Node>>, updates: &[Update]) -> Option<Box<Node>> {
    let (Some(first), Some(last)) = (updates.first(), updates.last()) else {
        return node;
    };
    // As the updates are sorted, the ends differ first.
    let within = first_difference(&first.path, &last.path);
    let Some(node) = node else {
        return match within {
            Some(bit) => {
                let (zeros, ones) = split(updates, bit);
                join(bit, apply(None, zeros), apply(None, ones))
            }
            None => first.hash.map(|hash| Box::new(Node::Leaf { path: first.path, hash })),
        };
    };
    let against = first_difference(node.path(), &first.path);
    let earliest = [within, against].into_iter().flatten().min();
    match (*node, earliest) {
        (Node::Branch { bit, left, right, .. }, earliest) if earliest.is_none_or(|other| other >= bit) => {
            let (zeros, ones) = split(updates, bit);
            join(bit, apply(Some(left), zeros), apply(Some(right), ones))
        }
        (Node::Leaf { .. }, None) => first.hash.map(|hash| Box::new(Node::Leaf { path: first.path, hash })),
        (node, Some(bit)) => {
            let (zeros, ones) = split(updates, bit);
            let goes_right = bit_at(node.path(), bit);
            let node = Some(Box::new(node));
            let (left, right) = if goes_right { (None, node) } else { (node, None) };
            join(bit, apply(left, zeros), apply(right, ones))
        }
        // A branch without a difference is covered by the first arm.
        (node, None) => Some(Box::new(node)),
    }
}

/// The tree over all entries of the state.
#[derive(Default)]
pub struct StateTree {
    top: Option<Box<Node>>,
}

impl StateTree {
    /// A tree without entries.
    pub const fn new() -> Self {
        Self { top: None }
    }

    /// Sets the values of some keys; `None` takes a key away. If a key comes more than once, the last one counts.
    pub fn update<'a>(&mut self, changes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>) {
        let mut updates: Vec<Update> = changes
            .into_iter()
            .map(|(key, value)| {
                let path = path_of(key);
                Update { path, hash: value.map(|value| leaf_hash(&path, value)) }
            })
            .collect();
        // The sort is stable: of two changes of one key the later one stays behind the earlier.
        updates.sort_by_key(|update| update.path);
        updates.dedup_by(|later, earlier| {
            let same = later.path == earlier.path;
            if same {
                earlier.hash = later.hash;
            }
            same
        });
        self.top = apply(self.top.take(), &updates);
    }

    /// The root; zero if there are no entries.
    pub fn root(&self) -> Digest {
        self.top.as_ref().map_or(Digest::ZERO, |node| *node.hash())
    }

    /// Shows that there is an entry with this key, if there is.
    pub fn prove(&self, key: &[u8]) -> Option<StateProof> {
        let path = path_of(key);
        let mut steps = Vec::new();
        let mut node = self.top.as_deref()?;
        loop {
            match node {
                Node::Leaf { path: found, .. } => {
                    steps.reverse();
                    return (*found == path).then_some(StateProof { steps });
                }
                Node::Branch { bit, left, right, .. } => {
                    let (next, beside) = if bit_at(&path, *bit) { (right, left) } else { (left, right) };
                    steps.push(ProofStep { bit: *bit, beside: *beside.hash() });
                    node = next;
                }
            }
        }
    }
}

/// One node on the way from an entry to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofStep {
    /// The bit of the path that says which side the entry is on.
    pub bit: u8,
    /// The hash of the other side.
    pub beside: Digest,
}

/// The way from an entry up to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateProof {
    /// The nodes on the way, from below.
    pub steps: Vec<ProofStep>,
}

impl StateProof {
    /// Whether the state with this root has this entry.
    pub fn verify(&self, root: &Digest, key: &[u8], value: &[u8]) -> bool {
        let path = path_of(key);
        let mut hash = leaf_hash(&path, value);
        for step in &self.steps {
            hash = if bit_at(&path, step.bit) {
                node_hash(step.bit, &step.beside, &hash)
            } else {
                node_hash(step.bit, &hash, &step.beside)
            };
        }
        hash == *root
    }
}

#[cfg(test)]
mod tests;
