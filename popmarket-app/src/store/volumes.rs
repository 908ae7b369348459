//! Volumes: how the chain is cut for those who take it over. Where a volume ends follows from the chain alone, so all replicas
//! have the same ones, and each checkpoint names those that are closed: a part can be checked by itself, whoever sends it.

use ledger::{BatchInput, Block, BlockHeader, Height, Transaction, transactions_root};
use pbft_core::wire::MAX_ENCODED_BYTES;
use pbft_crypto::{Digest, Domain, Hasher, digest};
use serde::{Deserialize, Serialize};

use super::codec::{decode, encode};
use super::records::StateName;

/// A volume is closed by the block with which it has so many bytes.
pub const VOLUME_BYTES: usize = 256 << 10;
/// What a block counts besides its transactions: more than its header takes.
const BLOCK_BYTES: usize = 256;
/// What a boundary takes at most in a manifest.
const BOUNDARY_BYTES: usize = 44;
/// A list of more volumes would not fit a message: a chain of more than 60 GiB is not handed out.
pub const MAX_VOLUMES: usize = (MAX_ENCODED_BYTES - (1 << 20)) / BOUNDARY_BYTES;

const VOLUME: Domain = Domain::new("popmarket.volume.v1");
const CHECKPOINT: Domain = Domain::new("popmarket.checkpoint.v2");

/// A block after which something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boundary {
    /// Its height.
    pub height: Height,
    /// Its hash, which stands for all blocks before it, too.
    pub hash: Digest,
}

impl Boundary {
    /// After this block.
    pub fn of(header: &BlockHeader) -> Self {
        Self { height: header.height, hash: header.hash() }
    }
}

/// Names the closed volumes of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesName {
    /// How many there are.
    pub count: u32,
    /// Zero if there are none; each one is digested with what there was before it.
    pub digest: Digest,
}

impl VolumesName {
    const NONE: Self = Self { count: 0, digest: Digest::ZERO };

    fn with(self, last: &Boundary) -> Self {
        let mut hasher = Hasher::new(VOLUME);
        hasher.update(self.digest.as_bytes()).update_u64(last.height.value()).update(last.hash.as_bytes());
        Self { count: self.count.saturating_add(1), digest: hasher.finish() }
    }
}

/// The volumes of a chain up to some block.
#[derive(Clone, Copy, Debug)]
pub struct Volumes {
    limit: usize,
    name: VolumesName,
    /// What is in the one that is not closed.
    open: usize,
}

impl Volumes {
    /// Of a chain with nothing but its first block, which is in none.
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, name: VolumesName::NONE, open: 0 }
    }

    /// The closed ones.
    pub const fn name(&self) -> VolumesName {
        self.name
    }

    /// Takes in the next block. Gives the volume that it closes, by its number.
    pub(crate) fn push(&mut self, block: &Block) -> Option<(u32, Boundary)> {
        let bytes = block.transactions.iter().map(|transaction| transaction.encode().len());
        self.open = self.open.saturating_add(BLOCK_BYTES).saturating_add(bytes.sum());
        (self.open >= self.limit).then(|| self.close(Boundary::of(&block.header)))
    }

    pub(super) fn close(&mut self, last: Boundary) -> (u32, Boundary) {
        let index = self.name.count;
        (self.name, self.open) = (self.name.with(&last), 0);
        (index, last)
    }
}

/// Names all that a replica has after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointName {
    /// The ledger.
    pub state: StateName,
    /// How its chain is cut.
    pub volumes: VolumesName,
}

impl CheckpointName {
    /// One digest of it all: what replicas sign in a checkpoint.
    pub fn digest(&self) -> Digest {
        digest(CHECKPOINT, &encode(self))
    }

    /// The last block.
    pub const fn tip(&self) -> Boundary {
        Boundary { height: self.state.height, hash: self.state.tip_hash }
    }
}

/// What must be known of a checkpoint to check parts of its chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What is certified.
    pub name: CheckpointName,
    /// The closed volumes, each by its last block.
    pub volumes: Vec<Boundary>,
}

impl Manifest {
    /// The bytes that are sent.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads one, if it is that of a checkpoint with this digest.
    pub fn decode(bytes: &[u8], certified: &Digest, volume_bytes: usize) -> Option<Self> {
        let manifest: Self = canonical(bytes)?;
        let named = Self::named(&manifest.volumes);
        let good = manifest.name.digest() == *certified && manifest.name.volumes == named;
        (good && manifest.is_reasonable(volume_bytes)).then_some(manifest)
    }

    /// What a list of volumes is called.
    pub(crate) fn named(volumes: &[Boundary]) -> VolumesName {
        volumes.iter().fold(VolumesName::NONE, VolumesName::with)
    }

    /// What follows from how volumes are made. Only a quorum that lies could have certified anything else.
    fn is_reasonable(&self, volume_bytes: usize) -> bool {
        let max_blocks = u64::try_from(volume_bytes.div_ceil(BLOCK_BYTES)).unwrap_or(u64::MAX);
        let mut before = 0;
        let mut grows = |end: Boundary| {
            let blocks = end.height.value().saturating_sub(before);
            before = end.height.value();
            (1..=max_blocks).contains(&blocks)
        };
        self.volumes.len() <= MAX_VOLUMES
            && self.ends().all(&mut grows)
            && before == self.name.state.height.value()
    }

    /// The last blocks of all parts: of the closed volumes, and of what comes after them.
    fn ends(&self) -> impl Iterator<Item = Boundary> {
        self.volumes.iter().copied().chain(self.rest())
    }

    fn rest(&self) -> Option<Boundary> {
        let tip = self.name.tip();
        (self.volumes.last().map_or(0, |last| last.height.value()) != tip.height.value()).then_some(tip)
    }

    /// How many parts there are.
    pub fn parts(&self) -> u32 {
        self.name.volumes.count.saturating_add(u32::from(self.rest().is_some()))
    }

    /// The last block of a part.
    pub fn end(&self, index: u32) -> Option<Boundary> {
        let index = usize::try_from(index).ok()?;
        let rest = || self.rest().filter(|_| index == self.volumes.len());
        self.volumes.get(index).copied().or_else(rest)
    }

    /// The last block before a part; nothing if that is the first block of the chain.
    pub fn start(&self, index: u32) -> Option<Boundary> {
        self.end(index.checked_sub(1)?)
    }
}

/// A block without what executing it brings back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BareBlock {
    /// What the whole block hashes to.
    pub header: BlockHeader,
    /// What to execute.
    pub transactions: Vec<Transaction>,
}

impl From<Block> for BareBlock {
    fn from(block: Block) -> Self {
        Self { header: block.header, transactions: block.transactions }
    }
}

impl BareBlock {
    /// The batch that leads to this block again, on a ledger that has its parent as the tip.
    pub fn input(&self) -> BatchInput<'_> {
        BatchInput {
            seq: self.header.seq,
            view: self.header.view,
            time: self.header.time,
            transactions: &self.transactions,
            replicas: self.header.replica_set_hash,
        }
    }

    fn follows(&self, before: &Boundary) -> bool {
        self.header.height == before.height.next()
            && self.header.parent == before.hash
            && self.header.tx_root == transactions_root(&self.transactions)
    }
}

/// The bytes of a part.
pub(super) fn encode_part(blocks: &[BareBlock]) -> Vec<u8> {
    encode(blocks)
}

/// The blocks of a part that was checked before.
pub(super) fn decode_part(bytes: &[u8]) -> Result<Vec<BareBlock>, super::StoreError> {
    decode(bytes, "a part of a chain that is taken over")
}

/// Reads a part, if it is the blocks after `before` up to `last`.
pub fn check_part(bytes: &[u8], before: Boundary, last: Boundary) -> Option<Vec<BareBlock>> {
    let blocks: Vec<BareBlock> = canonical(bytes)?;
    let mut end = before;
    for block in &blocks {
        if !block.follows(&end) {
            return None;
        }
        end = Boundary::of(&block.header);
    }
    (end == last).then_some(blocks)
}

/// Reads what has one encoding, so that no byte of it can be another one.
fn canonical<T: Serialize + for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    let value = decode(bytes, "a part").ok()?;
    (encode(&value) == bytes).then_some(value)
}
