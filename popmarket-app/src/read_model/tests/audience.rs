//! Whom events are told to, besides those whom they are about.

use ledger::{
    AccountOp, Ballot, Census, Description, ListingContent, ListingOp, Millis, Operation, Photos,
    PollContent, PollOp, PollTimes, Reason, Title, Tracking, TradeOp, UnixMillis, Voters, key_binding,
};
use pbft_core::service::Service;
use pbft_crypto::Address;

use super::*;
use crate::service::{LedgerService, request_of};
use crate::sql::either;
use crate::testing::{START, batch, genesis, service, sign};

on_each_database!(
    voters_are_told_of_their_poll,
    guardians_are_told_of_the_account,
    arbiters_are_told_of_the_trade,
    tables_of_an_older_version_learn_who_the_guardians_are,
);

const ALICE: u8 = 4;
const BOB: u8 = 5;
const CAROL: u8 = 6;
const JUDGES: [u8; 2] = [11, 12];
const DAY: u64 = 86_400_000;

struct Market {
    _folder: tempfile::TempDir,
    service: LedgerService,
    model: ReadModel,
    seq: u64,
    now: u64,
    nonces: std::collections::BTreeMap<u8, u64>,
}

fn of(number: u8) -> Address {
    address(&key(number))
}

fn people(numbers: &[u8]) -> BTreeSet<Address> {
    numbers.iter().map(|number| of(*number)).collect()
}

impl Market {
    async fn new(databases: &Databases) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = service(folder.path());
        let model = databases.open("model").await;
        Self { _folder: folder, service, model, seq: 0, now: START, nonces: Default::default() }
    }

    /// Someone does something, and the ledger takes it.
    async fn does(&mut self, who: u8, operation: impl Into<Operation>) -> ledger::TxId {
        let nonce = self.nonces.entry(who).or_default();
        let transaction = sign(&key(who), *nonce, operation);
        *nonce += 1;
        self.passes(0, vec![request_of(&transaction)]).await;
        let id = transaction.id();
        let record = self.model.transaction(&id).await.unwrap().unwrap();
        assert!(record.outcome.is_applied(), "{:?}", record.outcome);
        id
    }

    /// Time passes, and there is a block.
    async fn passes(&mut self, millis: u64, requests: Vec<pbft_core::message::Request>) {
        self.seq += 1;
        self.now += millis + 1;
        self.service.execute(&batch(self.seq, self.now, requests));
        Projector::new(self.service.view(), self.model.clone()).catch_up().await.unwrap();
    }

    /// Whom all events of a kind are told to, the oldest first.
    async fn told(&self, name: &str) -> Vec<BTreeSet<Address>> {
        let mut told = Vec::new();
        let mut after = -1;
        loop {
            let events = self.model.events_after(after).await.unwrap();
            let Some(last) = events.last() else { return told };
            after = last.position.to_number();
            for event in events.iter().filter(|event| event.event.name() == name) {
                told.push(self.model.audience(event).await.unwrap());
            }
        }
    }

    /// Guardians are named, and a recovery begins.
    async fn recovers(&mut self) -> ledger::TxId {
        let guardians = vec![of(BOB), of(CAROL)];
        self.does(ALICE, AccountOp::SetGuardians { guardians, threshold: 2, delay: Millis::days(2) }).await;
        let new = key(60);
        let proof = new.sign(&key_binding(&genesis().chain_id(), &of(ALICE)));
        let public_key = new.public_key();
        let wish = AccountOp::ProposeRecovery { account: of(ALICE), public_key, proof };
        self.does(BOB, wish).await
    }
}

async fn voters_are_told_of_their_poll(databases: &Databases) {
    let mut market = Market::new(databases).await;
    let poll = |census: Census| {
        let options = ["a", "b"].map(|text| text.parse().unwrap()).to_vec();
        let content =
            PollContent { question: "Which?".parse().unwrap(), options: options.try_into().unwrap() };
        let times = PollTimes { opens_at: UnixMillis::new(START), closes_at: UnixMillis::new(START + DAY) };
        PollOp::Create { content, ballot: Ballot::Open, census, changeable: false, times }
    };
    let listed: Vec<Address> = people(&[BOB, CAROL]).into_iter().collect();
    let voters = Voters::try_from(listed).unwrap();
    let id = market.does(ALICE, poll(Census::Listed { voters })).await;
    market.does(JUDGES[0], poll(Census::Everyone)).await;
    market.does(BOB, PollOp::Vote { poll: id.into(), choice: 1 }).await;
    market.passes(2 * DAY, Vec::new()).await;
    let expected = [people(&[ALICE, BOB, CAROL]), people(&[JUDGES[0]])];
    assert_eq!(market.told("poll.created").await, expected);
    assert_eq!(market.told("poll.voted").await, [people(&[BOB])]);
    let closed: BTreeSet<_> = market.told("poll.closed").await.into_iter().collect();
    assert_eq!(closed, expected.into_iter().collect());
    // It is in the histories of those alone whom it is about.
    let history = async |who: u8| {
        let query = TransactionQuery { account: Some(of(who)) };
        market.model.transactions(query, PageRequest::default()).await.unwrap().items.len()
    };
    assert_eq!((history(ALICE).await, history(BOB).await, history(CAROL).await), (1, 1, 0));
}

async fn guardians_are_told_of_the_account(databases: &Databases) {
    let mut market = Market::new(databases).await;
    let recovery = market.recovers().await;
    let all = people(&[ALICE, BOB, CAROL]);
    assert_eq!(market.told("account.guardians_set").await, std::slice::from_ref(&all));
    assert_eq!(market.told("account.recovery_proposed").await, std::slice::from_ref(&all));
    assert_eq!(market.told("account.recovery_agreed").await, std::slice::from_ref(&all));
    market.does(ALICE, AccountOp::CancelRecovery { recovery: recovery.into() }).await;
    assert_eq!(market.told("account.recovery_cancelled").await, std::slice::from_ref(&all));

    // Others take their place: those of before learn of it, and are told nothing after that.
    let guardians = vec![of(JUDGES[0])];
    market.does(ALICE, AccountOp::SetGuardians { guardians, threshold: 1, delay: Millis::days(1) }).await;
    let changed = people(&[ALICE, BOB, CAROL, JUDGES[0]]);
    assert_eq!(market.told("account.guardians_set").await, [all.clone(), changed]);
    let new = key(61);
    let proof = new.sign(&key_binding(&genesis().chain_id(), &of(ALICE)));
    let wish = AccountOp::ProposeRecovery { account: of(ALICE), public_key: new.public_key(), proof };
    market.does(JUDGES[0], wish).await;
    market.passes(2 * DAY, Vec::new()).await;
    let few = people(&[ALICE, JUDGES[0]]);
    assert_eq!(market.told("account.recovered").await, std::slice::from_ref(&few));
    // What happened before was told to those of before, whenever somebody asks.
    assert_eq!(market.told("account.recovery_proposed").await, [all, few]);
    // What else becomes of the account is not their affair.
    assert!(market.told("account.key_revoked").await.iter().all(|told| *told == people(&[ALICE])));
}

async fn tables_of_an_older_version_learn_who_the_guardians_are(databases: &Databases) {
    let mut market = Market::new(databases).await;
    market.recovers().await;
    let expected = market.model.dump().await;
    let mut change = market.model.begin_write().await.unwrap();
    either::query("DELETE FROM guardians").execute(&mut change).await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(market.told("account.recovery_proposed").await, [people(&[ALICE, BOB])]);
    market.model.close().await;
    market.model = databases.open("model").await;
    assert_eq!(market.told("account.recovery_proposed").await, [people(&[ALICE, BOB, CAROL])]);
    assert_eq!(market.model.dump().await, expected);
}

async fn arbiters_are_told_of_the_trade(databases: &Databases) {
    let mut market = Market::new(databases).await;
    let content = ListingContent {
        title: Title::new("Lamp").unwrap(),
        description: Description::new("").unwrap(),
        price: Amount::new(300),
        photos: Photos::try_from(Vec::new()).unwrap(),
    };
    let content_hash = content.hash();
    let listing = market.does(ALICE, ListingOp::Create { content }).await.into();
    let trade = market.does(BOB, TradeOp::Open { listing, version: 1, content_hash }).await.into();
    market.does(ALICE, TradeOp::Ship { trade, tracking: Tracking::new("CJ 1").unwrap() }).await;
    let parties = people(&[ALICE, BOB]);
    assert_eq!(market.told("trade.shipped").await, std::slice::from_ref(&parties));
    market.does(BOB, TradeOp::Dispute { trade, reason: Reason::new("broken").unwrap() }).await;
    let row = market.service.view().read(|ledger| ledger.trade(&trade).copied()).unwrap();
    let first = row.dispute.unwrap().arbiter.unwrap();
    let with = |arbiters: &[Address]| parties.iter().chain(arbiters).copied().collect::<BTreeSet<_>>();
    assert_eq!(market.told("trade.disputed").await, [with(&[first])]);
    // They stay silent.
    market.passes(30 * DAY, Vec::new()).await;
    market.passes(30 * DAY, Vec::new()).await;
    let both = with(&[of(JUDGES[0]), of(JUDGES[1])]);
    assert_eq!(market.told("trade.arbiter_replaced").await, std::slice::from_ref(&both));
    let second: Vec<Address> =
        both.into_iter().filter(|who| *who != first && !parties.contains(who)).collect();
    assert_eq!(market.told("trade.refunded").await, [with(&second)]);
    // Before there was a dispute, no arbiter had to know.
    assert_eq!(market.told("trade.shipped").await, [parties]);
}
