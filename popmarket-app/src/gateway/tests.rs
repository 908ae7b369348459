mod enrolment;

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures_util::future::join_all;
use ledger::{Amount, AssetId, Height, Memo, Outcome, PaymentOp, Refusal};
use pbft_core::Request;
use pbft_core::message::DeclineReason;
use tempfile::TempDir;
use wallet::MasterKey;

use super::local::LocalSubmitter;
use super::*;
use crate::projector::Projector;
use crate::read_model::TransactionQuery;
use crate::testing::{START, address, genesis, key, service, sign};

const LONG: Duration = Duration::from_secs(30);

/// What happens to the next requests on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It gets lost.
    Lost,
    /// It is executed, and the answer gets lost.
    AnswerLost,
    /// The replicas are full; one of them takes it all the same.
    BusyAndTaken,
    /// The replicas are full.
    Busy,
    /// The chain has as many accounts as it can have.
    Full,
    /// It never gets an answer.
    Never,
}

struct Road {
    local: LocalSubmitter,
    troubles: Mutex<VecDeque<Trouble>>,
    sent: AtomicUsize,
}

impl Submitter for Road {
    fn submit(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, NoAnswer>> + Send + '_>> {
        Box::pin(async move {
            self.sent.fetch_add(1, Ordering::Relaxed);
            let trouble = self.troubles.lock().unwrap().pop_front();
            match trouble {
                None => self.local.submit(request).await,
                Some(Trouble::Lost) => Err(NoAnswer::TimedOut),
                Some(Trouble::AnswerLost) => self.local.submit(request).await.and(Err(NoAnswer::TimedOut)),
                Some(Trouble::Busy) => Err(NoAnswer::Declined(DeclineReason::Busy)),
                Some(Trouble::Full) => Err(NoAnswer::Declined(DeclineReason::TooManyClients)),
                Some(Trouble::BusyAndTaken) => {
                    self.local.submit(request).await.and(Err(NoAnswer::Declined(DeclineReason::Busy)))
                }
                Some(Trouble::Never) => std::future::pending().await,
            }
        })
    }
}

struct World {
    gateway: Gateway,
    road: Arc<Road>,
    model: ReadModel,
    accounts: AccountsDb,
    clock: Arc<AtomicU64>,
    _projector: tokio::task::JoinHandle<()>,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut GatewayOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = service(&folder.path().join("ledger"));
        let seconds = Arc::new(AtomicU64::new(START));
        let now = Arc::clone(&seconds);
        let clock: Clock = Arc::new(move || UnixMillis::new(now.load(Ordering::Relaxed)));
        let view = ledger.view();
        let local = LocalSubmitter::new(ledger, Arc::clone(&clock));
        let road = Arc::new(Road { local, troubles: Mutex::default(), sent: AtomicUsize::new(0) });
        let model = ReadModel::open(&folder.path().join("read.db")).await.unwrap();
        let projector = Projector::new(view.clone(), model.clone());
        let projector = tokio::spawn(async move { projector.run().await.unwrap() });
        let (file, chain) = (folder.path().join("members.db"), genesis().chain_id());
        let accounts = AccountsDb::open_with_clock(&file, &chain, Arc::clone(&clock)).await.unwrap();
        let master = MasterKey::from_bytes([7; 32]);
        let custody =
            Custody::open(folder.path().join("keys"), master, NonZeroUsize::new(100).unwrap()).unwrap();
        for number in 1..=6 {
            custody.keep(key(number)).unwrap();
        }
        let pause = Duration::from_millis(1);
        let mut options = GatewayOptions { clock, pause, ..GatewayOptions::default() };
        change(&mut options);
        let gateway = Gateway::new(GatewayParts {
            submitter: road.clone(),
            view,
            model: model.clone(),
            accounts: accounts.clone(),
            custody,
            options,
        });
        Self { gateway, road, model, accounts, clock: seconds, _projector: projector, folder }
    }

    fn trouble(&self, troubles: &[Trouble]) {
        self.road.troubles.lock().unwrap().extend(troubles);
    }

    async fn pay(&self, amount: u64, client_ref: u8) -> Result<Recorded, GatewayError> {
        self.gateway.submit_as(alice(), pay(amount), [client_ref; 16]).await?.recorded(LONG).await
    }

    fn balance(&self, account: Address) -> u64 {
        self.gateway.view().read(|ledger| ledger.balance(&account, AssetId::Pop).available.value())
    }

    /// All transactions on the chain.
    fn on_chain(&self) -> Vec<ledger::TxId> {
        let blocks =
            self.gateway.view().store().blocks_from(Height::GENESIS, usize::MAX, usize::MAX).unwrap();
        blocks.iter().flat_map(|stored| &stored.block.transactions).map(Transaction::id).collect()
    }
}

fn alice() -> Address {
    address(&key(4))
}

fn bob() -> Address {
    address(&key(5))
}

fn pay(amount: u64) -> PaymentOp {
    let memo = Memo::new("").unwrap();
    PaymentOp::Pay { to: bob(), asset: AssetId::Pop, amount: Amount::new(amount), reference: None, memo }
}

#[tokio::test]
async fn who_waits_for_a_payment_reads_it_afterwards() {
    let world = World::new().await;
    let recorded = world.pay(10, 1).await.unwrap().applied().unwrap();
    let payment = world.model.payment(&recorded.tx_id).await.unwrap().unwrap();
    assert_eq!((payment.height, payment.amount.value()), (recorded.height, 10));
    assert_eq!(world.model.watermark().unwrap().height, recorded.height);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_account_pays_many_at_once_and_each_once() {
    let world = World::new().await;
    let payments = (0..200u8).map(|n| world.pay(u64::from(n) + 1, n + 1));
    let results = join_all(payments).await;
    let ids: BTreeSet<_> =
        results.into_iter().map(|result| result.unwrap().applied().unwrap().tx_id).collect();
    assert_eq!(ids.len(), 200);
    assert_eq!(world.on_chain().into_iter().collect::<BTreeSet<_>>(), ids);
    assert_eq!(world.balance(bob()), 1_000_000 + 200 * 201 / 2);
    let query = TransactionQuery { account: Some(alice()) };
    assert!(world.model.transactions(query, Default::default()).await.unwrap().has_more);
    // The last seat is left just after its fate is told.
    let landed = async {
        while world.gateway.in_flight() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, landed).await.expect("all have landed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_wish_many_times_is_one_transaction() {
    let world = World::new().await;
    let results = join_all((0..30).map(|_| world.pay(5, 9))).await;
    let ids: BTreeSet<_> = results.into_iter().map(|result| result.unwrap().tx_id).collect();
    assert_eq!((ids.len(), world.on_chain().len()), (1, 1));
    assert_eq!(world.balance(bob()), 1_000_005);
}

#[tokio::test]
async fn troubles_on_the_way_do_not_double_or_lose_a_payment() {
    let all = [Trouble::Lost, Trouble::AnswerLost, Trouble::BusyAndTaken, Trouble::Busy];
    let world = World::new().await;
    let mut expected = 1_000_000;
    for (number, troubles) in all.iter().flat_map(|a| all.iter().map(move |b| [*a, *b])).zip(1..) {
        let (troubles, number): ([Trouble; 2], u8) = (number, troubles);
        world.trouble(&troubles);
        let recorded = world.pay(3, number).await.unwrap_or_else(|e| panic!("{troubles:?}: {e}"));
        recorded.applied().unwrap();
        expected += 3;
        assert_eq!(world.balance(bob()), expected, "{troubles:?}");
    }
    assert_eq!(world.on_chain().len(), 16);
}

#[tokio::test]
async fn who_does_not_want_to_wait_learns_it_later() {
    let world = World::new().await;
    world.trouble(&[Trouble::Never]);
    let mut submission = world.gateway.submit_as(alice(), pay(1), [1; 16]).await.unwrap();
    let tx_id = submission.tx_id();
    let waited = submission.recorded(Duration::from_millis(20)).await;
    assert!(
        matches!(&waited, Err(e @ GatewayError::TimedOut { tx_id: t }) if *t == tx_id && e.is_retryable())
    );
    assert_eq!(world.gateway.in_flight(), 1);
    // The same wish finds the one that is on its way.
    let again = world.gateway.submit_as(alice(), pay(1), [1; 16]).await.unwrap();
    assert_eq!((again.tx_id(), world.gateway.in_flight()), (tx_id, 1));
}

#[tokio::test]
async fn what_nobody_answers_is_unknown_and_may_be_submitted_again() {
    let world = World::with(|options| options.patience = Duration::from_millis(200)).await;
    world.trouble(&[Trouble::Lost; 1_000]);
    let waited = world.gateway.submit_as(alice(), pay(1), [1; 16]).await.unwrap().recorded(10 * LONG).await;
    let Err(GatewayError::TimedOut { tx_id }) = waited else { panic!("{waited:?}") };
    assert_eq!(world.gateway.in_flight(), 0);
    world.road.troubles.lock().unwrap().clear();
    let recorded = world.pay(1, 1).await.unwrap();
    assert_eq!((recorded.tx_id, world.on_chain().len()), (tx_id, 1));
}

#[tokio::test]
async fn a_transaction_that_came_too_late_is_refused_and_its_nonce_is_free() {
    let world = World::new().await;
    world.trouble(&[Trouble::Lost]);
    let mut submission = world.gateway.submit_as(alice(), pay(1), [1; 16]).await.unwrap();
    world.clock.fetch_add(3_600_000, Ordering::Relaxed);
    let refused = submission.recorded(LONG).await;
    assert!(matches!(&refused, Err(GatewayError::Refused(Refusal::Expired { .. }))), "{refused:?}");
    assert!(world.on_chain().is_empty());
    // The same wish leads to another transaction now, with the same nonce.
    let recorded = world.pay(1, 1).await.unwrap();
    assert_ne!(recorded.tx_id, submission.tx_id());
    assert_eq!(world.model.transaction(&recorded.tx_id).await.unwrap().unwrap().transaction.body().nonce, 0);
}

#[tokio::test]
async fn a_rejection_is_recorded_and_uses_the_nonce_up() {
    let world = World::new().await;
    let recorded = world.pay(5_000_000, 1).await.unwrap();
    assert!(matches!(&recorded.outcome, Outcome::Rejected(_)));
    let error = recorded.clone().applied().unwrap_err();
    assert_eq!(
        (error.code(), error.tx_id(), error.is_retryable()),
        ("INSUFFICIENT_FUNDS", Some(recorded.tx_id), false)
    );
    // Also when it is asked for again.
    assert_eq!(world.pay(5_000_000, 1).await.unwrap(), recorded);
    let next = world.pay(1, 2).await.unwrap();
    assert_eq!(world.model.transaction(&next.tx_id).await.unwrap().unwrap().transaction.body().nonce, 1);
}

#[tokio::test]
async fn what_a_member_signed_goes_on_the_chain_once() {
    let world = World::new().await;
    let transaction = sign(&key(4), 0, pay(7));
    let one = world.gateway.submit_signed(transaction.clone()).await.unwrap().recorded(LONG).await.unwrap();
    let again = world.gateway.submit_signed(transaction.clone()).await.unwrap().recorded(LONG).await.unwrap();
    assert_eq!((&one, one.tx_id), (&again, transaction.id()));
    // Another one with the same nonce.
    let other = world.gateway.submit_signed(sign(&key(4), 0, pay(8))).await;
    assert!(matches!(other.err(), Some(GatewayError::Refused(Refusal::NonceUsed { base: 1 }))));
    let forged = ledger::Transaction::new(transaction.body().clone(), *sign(&key(5), 0, pay(7)).auth());
    let unregistered = sign(&key(9), 0, pay(1));
    let far = sign(&key(4), 400, pay(1));
    let foreign = {
        let body =
            ledger::Body { chain_id: pbft_crypto::Digest::ZERO, ..sign(&key(4), 1, pay(1)).body().clone() };
        ledger::Transaction::sign(body, &key(4))
    };
    for (transaction, code) in
        [(unregistered, "UNKNOWN_ACCOUNT"), (far, "NONCE_TOO_FAR"), (foreign, "WRONG_CHAIN")]
    {
        let refused = world.gateway.submit_signed(transaction).await.err().unwrap();
        assert_eq!(refused.code(), code);
    }
    // Only the id counts: what is on the chain is on the chain.
    assert!(world.gateway.submit_signed(forged).await.is_ok());
    let body = ledger::Body { nonce: 1, ..transaction.body().clone() };
    let forged = ledger::Transaction::new(body, *transaction.auth());
    assert_eq!(world.gateway.submit_signed(forged).await.err().unwrap().code(), "BAD_SIGNATURE");
    assert_eq!(world.on_chain().len(), 1);
}

#[tokio::test]
async fn two_with_one_nonce_on_their_way_at_once_have_two_fates() {
    let world = World::new().await;
    world.trouble(&[Trouble::Lost, Trouble::Lost]);
    let [one, other] = [sign(&key(4), 0, pay(7)), sign(&key(4), 0, pay(8))];
    let mut one = world.gateway.submit_signed(one).await.unwrap();
    let mut other = world.gateway.submit_signed(other).await.unwrap();
    let fates = [one.recorded(LONG).await, other.recorded(LONG).await];
    assert_eq!(fates.iter().filter(|fate| fate.is_ok()).count(), 1, "{fates:?}");
    let refused = fates.iter().find_map(|fate| fate.as_ref().err()).unwrap();
    assert!(matches!(refused, GatewayError::Refused(Refusal::NonceUsed { .. })));
    assert_eq!(world.on_chain().len(), 1);
}

#[tokio::test]
async fn what_is_on_its_way_is_bounded() {
    let world = World::with(|options| options.max_in_flight = 3).await;
    world.trouble(&[Trouble::Never; 3]);
    for client_ref in 1..=3 {
        world.gateway.submit_as(alice(), pay(1), [client_ref; 16]).await.unwrap();
    }
    let busy = world.gateway.submit_as(alice(), pay(1), [4; 16]).await.err().unwrap();
    assert!(matches!(busy, GatewayError::Busy) && busy.is_retryable());
    // Nothing was submitted, so the nonce is free: someone else's transaction takes it.
    assert_eq!(world.gateway.shared.wallet.nonces().taken(&alice()), 3);
}

#[tokio::test]
async fn an_account_can_fill_its_window_and_no_more() {
    let world = World::new().await;
    world.trouble(&[Trouble::Never; 256]);
    for n in 0..256u16 {
        let mut client_ref = [1; 16];
        client_ref[..2].copy_from_slice(&n.to_be_bytes());
        world.gateway.submit_as(alice(), pay(1), client_ref).await.unwrap();
    }
    let full = world.gateway.submit_as(alice(), pay(1), [255; 16]).await.err().unwrap();
    assert!(matches!(full, GatewayError::Nonces(_)) && full.is_retryable());
}

#[tokio::test]
async fn a_wish_survives_a_crash_as_the_same_transaction() {
    let mut world = World::new().await;
    // Signed and written down; then the process is gone.
    let lost = sign(&key(4), 0, pay(9));
    let body = ledger::Body { client_ref: [3; 16], ..lost.body().clone() };
    let lost = ledger::Transaction::sign(body, &key(4));
    assert!(world.accounts.put_outgoing(&lost).await.unwrap());
    let recorded = world.pay(9, 3).await.unwrap();
    assert_eq!(recorded.tx_id, lost.id());
    // A loss of power takes the outbox away, but not the chain.
    world.accounts.close().await;
    for file in ["members.db", "members.db-wal", "members.db-shm"] {
        let _ = std::fs::remove_file(world.folder.path().join(file));
    }
    let (file, chain) = (world.folder.path().join("members.db"), genesis().chain_id());
    world.accounts = AccountsDb::open(&file, &chain).await.unwrap();
    let found = world.model.transaction_by_ref(&alice(), &[3; 16]).await.unwrap().unwrap();
    assert_eq!(found.transaction.id(), lost.id());
    assert!(world.model.transaction_by_ref(&bob(), &[3; 16]).await.unwrap().is_none());
    assert_eq!(world.balance(bob()), 1_000_009);
}

#[tokio::test]
async fn an_account_whose_key_is_elsewhere_is_not_signed_for() {
    let world = World::new().await;
    let error = world.gateway.submit_as(address(&key(8)), pay(1), [1; 16]).await.err().unwrap();
    assert_eq!((error.code(), error.is_retryable()), ("NO_CUSTODY", false));
}

/// Rule: a wish that comes again never becomes a second transaction, even if the outbox has forgotten the first one and the
/// read model has not read it yet.
#[tokio::test]
async fn nothing_is_signed_before_the_chain_of_the_start_is_read() {
    let mut world = World::new().await;
    let first = world.pay(9, 3).await.unwrap();
    let paid = world.model.transaction(&first.tx_id).await.unwrap().unwrap().transaction;
    world.accounts.drop_outgoing(&paid).await.unwrap();
    // A new process with an empty read model.
    world.model = ReadModel::open(&world.folder.path().join("new.db")).await.unwrap();
    let master = MasterKey::from_bytes([7; 32]);
    let keys = world.folder.path().join("keys");
    world.gateway = Gateway::new(GatewayParts {
        submitter: world.road.clone(),
        view: world.gateway.view().clone(),
        model: world.model.clone(),
        accounts: world.accounts.clone(),
        custody: Custody::open(keys, master, NonZeroUsize::new(100).unwrap()).unwrap(),
        options: GatewayOptions { catch_up: Duration::from_millis(5), ..GatewayOptions::default() },
    });
    let early = world.pay(9, 3).await.err().unwrap();
    assert!(matches!(early, GatewayError::CatchingUp) && early.is_retryable());
    Projector::new(world.gateway.view().clone(), world.model.clone()).catch_up().await.unwrap();
    assert_eq!(world.pay(9, 3).await.unwrap(), first);
    assert_eq!(world.on_chain(), [first.tx_id]);
}
