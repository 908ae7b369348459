use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger::{Height, TradeState};
use pbft_core::Request;
use wallet::{Custody, MasterKey};

use super::*;
use crate::accounts_db::{KeyKeeping, Member};
use crate::clock;
use crate::gateway::local::LocalSubmitter;
use crate::gateway::{Answer, GatewayOptions, GatewayParts, NoAnswer, Submitter};
use crate::projector::Projector;
use crate::read_model::{
    ChargePhase, ChargeQuery, ListingQuery, PageLimit, PageRequest, PollQuery, TradeQuery,
};
use crate::service::LedgerView;
use crate::testing::{address, genesis, key, service};

const PASSWORD: &str = "correct horse";

/// Goes so far and no further.
struct Road {
    local: LocalSubmitter,
    left: AtomicUsize,
}

impl Submitter for Road {
    fn submit(
        &self,
        request: Request,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Answer, NoAnswer>> + Send + '_>> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(_) => self.local.submit(request),
            Err(_) => Box::pin(std::future::ready(Err(NoAnswer::Closed))),
        }
    }
}

struct World {
    gateway: Gateway,
    read: ReadModel,
    accounts: AccountsDb,
    blobs: BlobStore,
    view: LedgerView,
    projector: tokio::task::JoinHandle<()>,
}

impl World {
    /// A process that comes up, and can submit so many transactions until it dies.
    async fn start(folder: &std::path::Path, left: usize) -> Self {
        let ledger = service(&folder.join("ledger"));
        let view = ledger.view();
        let read = ReadModel::open(&folder.join("read.db")).await.unwrap();
        let chain = genesis().chain_id();
        let accounts = AccountsDb::open(&folder.join("members.db"), &chain).await.unwrap();
        let blobs = BlobStore::open(folder.join("blobs")).await.unwrap();
        let size = NonZeroUsize::new(100).unwrap();
        let custody = Custody::open(folder.join("keys"), MasterKey::from_bytes([7; 32]), size).unwrap();
        for (number, name) in [(1, "admin1"), (2, "admin2")] {
            if custody.keep(key(number)).is_ok() {
                let name = Name::new(name).unwrap();
                let member = Member { name, address: address(&key(number)), keeping: KeyKeeping::Custodial };
                accounts.enrol(member, &Password::new(PASSWORD.into()).unwrap()).await.unwrap();
            }
        }
        let local = LocalSubmitter::new(ledger, clock::system());
        let gateway = Gateway::new(GatewayParts {
            submitter: Arc::new(Road { local, left: AtomicUsize::new(left) }),
            view: view.clone(),
            model: read.clone(),
            accounts: accounts.clone(),
            custody,
            options: GatewayOptions::default(),
        });
        let projector = Projector::new(view.clone(), read.clone());
        let projector = tokio::spawn(async move { projector.run().await.unwrap() });
        Self { gateway, read, accounts, blobs, view, projector }
    }

    async fn seed(&self) -> Result<(), DemoError> {
        let Self { gateway, read, accounts, blobs, .. } = self;
        Demo { gateway, read, accounts, blobs }.seed(PASSWORD).await
    }

    async fn stop(self) {
        self.projector.abort();
        let _ = self.projector.await;
        self.read.close().await;
        self.accounts.close().await;
    }

    fn transactions(&self) -> usize {
        let blocks = self.view.store().blocks_from(Height::GENESIS, usize::MAX, usize::MAX).unwrap();
        blocks.iter().map(|stored| stored.block.transactions.len()).sum()
    }
}

#[tokio::test]
async fn the_demo_is_made_once_however_often_it_is_interrupted() {
    let whole = tempfile::tempdir().unwrap();
    let world = World::start(whole.path(), usize::MAX).await;
    world.seed().await.unwrap();
    let expected = world.transactions();
    world.seed().await.unwrap();
    assert_eq!(world.transactions(), expected, "nothing is left to do");

    // Once, after each of the first steps, and then again and again.
    for lives in [[0, ALL], [1, ALL], [2, ALL], [3, ALL], [4, ALL], [5, ALL], [6, ALL], [7, 7]] {
        let folder = tempfile::tempdir().unwrap();
        let world = live(folder.path(), lives.into_iter().chain(std::iter::repeat(lives[1]))).await;
        assert_eq!(world.transactions(), expected, "{lives:?}");
        world.view.read(|ledger| ledger.check_invariants().unwrap());
    }
}

const ALL: usize = usize::MAX;

/// Lives of so many steps each, until all is done. There is more than one.
async fn live(folder: &std::path::Path, mut lives: impl Iterator<Item = usize>) -> World {
    let mut deaths = 0;
    loop {
        let world = World::start(folder, lives.next().unwrap()).await;
        match world.seed().await {
            Ok(()) => {
                assert!(deaths > 0);
                return world;
            }
            Err(
                DemoError::Gateway(GatewayError::Stopping)
                | DemoError::Enrol(EnrolError::Gateway(GatewayError::Stopping)),
            ) => deaths += 1,
            Err(other) => panic!("after {deaths} deaths: {other}"),
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn the_demo_shows_all_kinds_of_things() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), usize::MAX).await;
    world.seed().await.unwrap();
    let page = || PageRequest { limit: PageLimit::MAX, ..PageRequest::default() };
    let listings = world.read.listings(&ListingQuery::default(), page()).await.unwrap().items;
    assert_eq!(listings.len(), GOODS.len());
    let mut photos = BTreeSet::new();
    for listing in &listings {
        let photo = listing.content.photos.as_slice()[0];
        let picture = world.blobs.read(&photo).await.unwrap().unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() < 64 * 1024, "{} bytes", picture.len());
        photos.insert(photo);
    }
    assert_eq!(photos.len(), listings.len(), "each has its own picture");
    let trades = world.read.trades(TradeQuery::default(), PageRequest::default()).await.unwrap().items;
    let states: Vec<_> = trades.iter().map(|trade| trade.state).collect();
    assert_eq!(states, [TradeState::Funded, TradeState::Shipped, TradeState::Released]);
    for phase in [ChargePhase::Requested, ChargePhase::Rejected, ChargePhase::Approved] {
        let query = ChargeQuery { status: Some(phase), requester: None };
        let charges = world.read.charges(query, PageRequest::default()).await.unwrap().items;
        assert_eq!(charges.len(), if phase == ChargePhase::Approved { 4 } else { 1 }, "{phase:?}");
    }
    let markets = world.read.markets(PageRequest::default()).await.unwrap().items;
    assert_eq!(markets.len(), 1);
    assert!(markets[0].fills >= 3 && markets[0].last_price.is_some());
    let polls = world.read.polls(PollQuery::default(), PageRequest::default()).await.unwrap().items;
    assert_eq!(world.view.read(|ledger| ledger.poll(&polls[0].id).unwrap().tallies.clone()), [2, 1]);
    for name in MEMBERS {
        let (name, password) = (Name::new(name).unwrap(), Password::new(PASSWORD.into()).unwrap());
        world.accounts.sign_in(&name, &password, Duration::from_secs(60)).await.unwrap();
    }
}
