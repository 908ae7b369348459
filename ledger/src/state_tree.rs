//! One hash for the whole state, with proofs, kept up to date at a cost that grows with what changes.
//!
//! A binary trie over the digests of the state's keys. A node has two sides, always: where all keys below agree in their
//! next bits, these are skipped, so `n` entries have `n - 1` nodes. The shape depends on the set of keys alone, not on the
//! order in which they came. A block's changes are applied together, and each node above them is hashed once.

use pbft_crypto::{Digest, Domain, Hasher, digest, sha256};
use serde::{Deserialize, Serialize};

const PATH: Domain = Domain::new("popmarket.state.path.v1");
const LEAF: Domain = Domain::new("popmarket.state.leaf.v1");
const NODE: Domain = Domain::new("popmarket.state.node.v1");

/// Where a key is in the trie: bit 0 is the highest bit of byte 0.
type Path = [u8; 32];

/// For how many updates the nodes above them are brought near together: so many fit into a small cache.
const NEAR: usize = 64;

/// How many bytes come before the data in what [`Hasher`] takes: a length and the tag.
const TAG: usize = 24;

fn path_of(key: &[u8]) -> Path {
    *digest(PATH, key).as_bytes()
}

fn leaf_hash(path: &Path, value: &[u8]) -> Digest {
    Hasher::new(LEAF).update(path).update(value).finish()
}

/// `digest(NODE, bit || left || right)`, put together in one piece, since this is where the time goes.
fn node_hash(bit: u8, left: &Digest, right: &Digest) -> Digest {
    const TEMPLATE: [u8; TAG + 65] = {
        let mut bytes = [0; TAG + 65];
        let (head, _) = bytes.split_at_mut(TAG);
        let (length, tag) = head.split_at_mut(1);
        length.copy_from_slice(&[23]);
        tag.copy_from_slice(NODE.tag().as_bytes());
        bytes
    };
    let mut bytes = TEMPLATE;
    let (_, data) = bytes.split_at_mut(TAG);
    let (first, children) = data.split_at_mut(1);
    let (one, other) = children.split_at_mut(32);
    first.copy_from_slice(&[bit]);
    one.copy_from_slice(left.as_bytes());
    other.copy_from_slice(right.as_bytes());
    sha256(&bytes)
}

fn bit_at(path: &Path, bit: u8) -> bool {
    path.get(usize::from(bit / 8)).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

/// The first bit in which two paths differ.
fn first_difference(a: &Path, b: &Path) -> Option<u8> {
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let differences = words.map(|(x, y)| u64::from_be_bytes(*x) ^ u64::from_be_bytes(*y));
    let (index, difference) = (0u8..).zip(differences).find(|(_, difference)| *difference != 0)?;
    index.checked_mul(64)?.checked_add(u8::try_from(difference.leading_zeros()).ok()?)
}

/// A part of the trie. The hash stands beside the node, so that who changes the other side need not look into this one.
struct Subtree {
    hash: Digest,
    node: Node,
}

enum Node {
    Leaf(Path),
    Branch(Box<Branch>),
}

struct Branch {
    /// The first bit in which paths below differ. Those with a 0 there are on the left.
    bit: u8,
    left: Subtree,
    right: Subtree,
    /// All paths below agree with this one before `bit`.
    prefix: Path,
}

/// A change of one leaf; `None` takes it away.
struct Update {
    path: Path,
    hash: Option<Digest>,
}

impl Subtree {
    /// What stands in a place for a moment while its subtree is moved.
    const NOTHING: Self = Self { hash: Digest::ZERO, node: Node::Leaf([0; 32]) };

    const fn leaf(path: Path, hash: Digest) -> Self {
        Self { hash, node: Node::Leaf(path) }
    }

    fn branch(bit: u8, left: Self, right: Self) -> Self {
        let (hash, prefix) = (node_hash(bit, &left.hash, &right.hash), *left.prefix());
        Self { hash, node: Node::Branch(Box::new(Branch { bit, left, right, prefix })) }
    }

    const fn take(&mut self) -> Self {
        std::mem::replace(self, Self::NOTHING)
    }

    const fn prefix(&self) -> &Path {
        match &self.node {
            Node::Leaf(path) => path,
            Node::Branch(branch) => &branch.prefix,
        }
    }

    /// The first bit in which the updates leave what all paths here have in common. They are known to do so before
    /// `agreed`, and most branches part right there: then there is nothing to compare.
    fn leaves_at(&self, agreed: u16, updates: &[Update]) -> Option<u8> {
        if let Node::Branch(branch) = &self.node
            && u16::from(branch.bit) == agreed
        {
            return None;
        }
        // As the updates are sorted, if one differs, then the first or the last one does.
        let ends = updates.first().into_iter().chain(updates.last());
        let bit = ends.filter_map(|update| first_difference(self.prefix(), &update.path)).min();
        match &self.node {
            Node::Leaf(_) => bit,
            Node::Branch(branch) => bit.filter(|bit| *bit < branch.bit),
        }
    }

    /// Applies sorted updates, one for each path. `false` if nothing is left; then this must not be used any more.
    fn update(&mut self, agreed: u16, updates: &[Update]) -> bool {
        let Some(first) = updates.first() else {
            return true;
        };
        if let Some(bit) = self.leaves_at(agreed, updates) {
            return self.grow(bit, updates);
        }
        match &mut self.node {
            // All updates have this path, so there is one.
            Node::Leaf(_) => {
                self.hash = first.hash.unwrap_or(Digest::ZERO);
                first.hash.is_some()
            }
            Node::Branch(branch) => {
                let (zeros, ones) = split(updates, branch.bit);
                branch.left.bring_near(zeros, updates.len());
                branch.right.bring_near(ones, updates.len());
                let agreed = u16::from(branch.bit).saturating_add(1);
                match (branch.left.update(agreed, zeros), branch.right.update(agreed, ones)) {
                    (true, true) => {
                        self.hash = node_hash(branch.bit, &branch.left.hash, &branch.right.hash);
                        return true;
                    }
                    (true, false) => *self = branch.left.take(),
                    (false, true) => *self = branch.right.take(),
                    (false, false) => return false,
                }
                true
            }
        }
    }

    /// Walks down to all updates, each one step at a time, for nothing but to have the nodes in the cache: one update after
    /// the other would wait for the memory at each node. More than halves the time for large trees. Done where the updates,
    /// `of` so many above, become few.
    fn bring_near(&self, updates: &[Update], of: usize) {
        if updates.len() > NEAR || of <= NEAR {
            return;
        }
        let mut seen = 0;
        let mut ways: Vec<(&Self, &Path)> = updates.iter().map(|update| (self, &update.path)).collect();
        while !ways.is_empty() {
            ways.retain_mut(|(here, path)| {
                let Node::Branch(branch) = &here.node else {
                    return false;
                };
                seen ^= branch.right.hash.as_bytes()[31];
                *here = if bit_at(path, branch.bit) { &branch.right } else { &branch.left };
                true
            });
        }
        std::hint::black_box(seen);
    }

    /// Applies updates of which some leave at `bit`: there a branch grows, unless these only take away what is not there.
    fn grow(&mut self, bit: u8, updates: &[Update]) -> bool {
        let (zeros, ones) = split(updates, bit);
        let on_the_right = bit_at(self.prefix(), bit);
        let (mine, others) = if on_the_right { (ones, zeros) } else { (zeros, ones) };
        let agreed = u16::from(bit).saturating_add(1);
        match (self.update(agreed, mine), build(others)) {
            (true, Some(other)) => {
                let this = self.take();
                let (left, right) = if on_the_right { (other, this) } else { (this, other) };
                *self = Self::branch(bit, left, right);
            }
            (true, None) => {}
            (false, Some(other)) => *self = other,
            (false, None) => return false,
        }
        true
    }
}

/// Splits sorted updates that agree before `bit`.
fn split(updates: &[Update], bit: u8) -> (&[Update], &[Update]) {
    updates.split_at(updates.partition_point(|update| !bit_at(&update.path, bit)))
}

/// A subtree of sorted updates alone.
fn build(updates: &[Update]) -> Option<Subtree> {
    let (first, last) = (updates.first()?, updates.last()?);
    let Some(bit) = first_difference(&first.path, &last.path) else {
        return first.hash.map(|hash| Subtree::leaf(first.path, hash));
    };
    let (zeros, ones) = split(updates, bit);
    match (build(zeros), build(ones)) {
        (Some(left), Some(right)) => Some(Subtree::branch(bit, left, right)),
        (one, other) => one.or(other),
    }
}

/// The tree over all entries of the state.
#[derive(Default)]
pub struct StateTree {
    top: Option<Subtree>,
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
        self.top = match self.top.take() {
            Some(mut top) => {
                top.bring_near(&updates, usize::MAX);
                top.update(0, &updates).then_some(top)
            }
            None => build(&updates),
        };
    }

    /// The root; zero if there are no entries.
    pub fn root(&self) -> Digest {
        self.top.as_ref().map_or(Digest::ZERO, |top| top.hash)
    }

    /// Shows that there is an entry with this key, if there is.
    pub fn prove(&self, key: &[u8]) -> Option<StateProof> {
        let path = path_of(key);
        let mut steps = Vec::new();
        let mut here = self.top.as_ref()?;
        loop {
            match &here.node {
                Node::Leaf(found) => {
                    steps.reverse();
                    return (*found == path).then_some(StateProof { steps });
                }
                Node::Branch(branch) => {
                    let Branch { bit, left, right, .. } = &**branch;
                    let (next, beside) = if bit_at(&path, *bit) { (right, left) } else { (left, right) };
                    steps.push(ProofStep { bit: *bit, beside: beside.hash });
                    here = next;
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
