//! Handing the chain out, and taking over that of others.
//!
//! What is transferred are the blocks without what executing them brings back: their headers say what must come of it. So
//! history, events and the read model come along, and any checkpoint can be served from the chain, at any time.

use ledger::{Height, Ledger};
use pbft_core::Seq;
use pbft_crypto::Digest;

use super::LedgerService;
use crate::store::{
    BareBlock, BatchRecord, Boundary, Install, MAX_VOLUMES, Manifest, Source, StoreError, check_part,
};

impl LedgerService {
    // --- Handing out ----------------------------------------------------------------------------------------------

    pub(super) fn hand_out_manifest(&self, seq: Seq) -> Result<Option<Vec<u8>>, StoreError> {
        let manifest = self.view.store().manifest(seq)?;
        if manifest.as_ref().is_some_and(|manifest| manifest.volumes.len() > MAX_VOLUMES) {
            tracing::error!("the chain is too long to be handed out");
            return Ok(None);
        }
        Ok(manifest.map(|manifest| manifest.encode()))
    }

    // --- Taking over ----------------------------------------------------------------------------------------------

    pub(super) fn read_manifest(&self, certified: &Digest, bytes: &[u8]) -> Option<Manifest> {
        Manifest::decode(bytes, certified, self.volume_bytes)
    }

    /// Begins, and says which parts are missing. What came before a restart, or for an earlier checkpoint, stays if it is
    /// part of this one, too.
    pub(super) fn begin(&mut self, seq: Seq, manifest: Manifest) -> Result<Vec<u32>, StoreError> {
        let store = self.view.store();
        let first = self.own(Height::GENESIS)?;
        let install = Install { seq, manifest, first };
        self.check_own_chain(&install)?;
        let before = self.install.take();
        let mut waiting = store.waiting()?;
        waiting.retain(|index| {
            let span = before.as_ref().and_then(|before| before.span(*index));
            span.is_some() && span == install.span(*index)
        });
        store.begin_install(&install, &waiting)?;
        let height = self.view.read(Ledger::height);
        let missing = install.past(height).filter(|index| !waiting.contains(index)).collect();
        self.install = Some(install);
        Ok(missing)
    }

    /// A quorum certified the other chain. If this one is not its beginning, this store is not to be trusted.
    fn check_own_chain(&self, install: &Install) -> Result<(), StoreError> {
        let height = self.view.read(Ledger::height);
        let tip = install.manifest.name.tip();
        if self.applied < install.seq && height > tip.height {
            return Err(StoreError::NotCertified(height));
        }
        let ends = install.manifest.volumes.iter().copied().chain([tip]);
        match ends.filter(|end| end.height <= height).max_by_key(|end| end.height) {
            Some(end) if self.own(end.height)? != end => Err(StoreError::NotCertified(end.height)),
            _ => Ok(()),
        }
    }

    fn own(&self, height: Height) -> Result<Boundary, StoreError> {
        let block = self.view.store().block(height)?.ok_or(StoreError::Damaged("a block is missing"))?;
        Ok(Boundary::of(&block.header))
    }

    /// Takes a part in, if it is that part.
    pub(super) fn take_in(&mut self, index: u32, part: &[u8]) -> Result<bool, StoreError> {
        let Some((before, last)) = self.install.as_ref().and_then(|install| install.span(index)) else {
            return Ok(false);
        };
        let Some(blocks) = check_part(part, before, last) else { return Ok(false) };
        let (height, tip_hash) = self.view.read(|ledger| (ledger.height(), *ledger.tip_hash()));
        let own = blocks.iter().find(|block| block.header.height == height);
        if own.is_some_and(|block| block.header.hash() != tip_hash) {
            return Err(StoreError::NotCertified(height));
        }
        self.view.store().keep_part(index, part)?;
        Ok(true)
    }

    /// Whether all parts are there, and on the disk.
    pub(super) fn complete(&self) -> Result<bool, StoreError> {
        let Some(install) = &self.install else { return Ok(false) };
        let (store, height) = (self.view.store(), self.view.read(Ledger::height));
        let waiting = store.waiting()?;
        let whole = install.past(height).all(|index| waiting.contains(&index));
        if whole {
            store.sync()?;
        }
        Ok(whole)
    }

    /// Whether the checkpoint after this batch is one that was taken in and that this ledger has not gone to yet.
    pub(super) fn awaits(&self, seq: Seq) -> bool {
        self.install.as_ref().is_some_and(|install| install.seq == seq && seq >= self.applied)
    }

    /// Executes what waits, from wherever it was left, and goes to the checkpoint.
    pub(super) fn take_over(&mut self) -> Result<(), StoreError> {
        while self.execute_part()? {}
        self.stand_at_install()
    }

    /// Executes the next part that waits, if there is one.
    pub(super) fn execute_part(&mut self) -> Result<bool, StoreError> {
        let height = self.view.read(Ledger::height);
        let Some(index) = self.install.as_ref().and_then(|install| install.past(height).next()) else {
            return Ok(false);
        };
        let mut blocks = self.view.store().waiting_part(index)?.into_iter().peekable();
        while let Some(block) = blocks.next() {
            if block.header.height > height {
                self.execute_block(&block, blocks.peek().is_none().then_some(index))?;
            }
        }
        Ok(true)
    }

    /// Executes a block again. It must come out as it was certified.
    fn execute_block(&mut self, block: &BareBlock, part: Option<u32>) -> Result<(), StoreError> {
        let (seq, before) = (Seq::new(block.header.seq), self.applied);
        let wrong = StoreError::NotCertified(block.header.height);
        if seq <= before {
            return Err(wrong);
        }
        self.advance(seq, Source::Chain { before, part }, |ledger| {
            let applied = ledger.apply(block.input());
            let same = applied.block.as_ref().is_some_and(|made| made.header == block.header);
            if same { Ok((applied, Vec::new())) } else { Err(wrong) }
        })?;
        Ok(())
    }

    /// The batch at the checkpoint may have made no block, but it is the last one now.
    fn stand_at_install(&mut self) -> Result<(), StoreError> {
        let Some(Install { seq, manifest, .. }) = &self.install else { return Ok(()) };
        let (seq, volumes) = (*seq, self.volumes.name());
        let record = self.view.read(|ledger| {
            let made_block = ledger.tip().seq == seq.value();
            BatchRecord::of(ledger, volumes, Vec::new(), made_block)
        });
        if record.name() != manifest.name {
            return Err(StoreError::NotCertified(record.after.height));
        }
        self.view.store().finish_install(seq, &record)?;
        self.install = None;
        (self.applied, self.cursor) = (seq, seq);
        Ok(())
    }

    /// Batches came after all, and got as far as what was to be taken over.
    pub(super) fn give_up_needless_install(&mut self) -> Result<(), StoreError> {
        if self.install.as_ref().is_some_and(|install| install.seq <= self.applied) {
            self.view.store().give_up_install()?;
            self.install = None;
        }
        Ok(())
    }
}
