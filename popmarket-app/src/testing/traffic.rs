//! People who do all kinds of things.

mod assets;

use std::collections::BTreeMap;

use ledger::{
    AccountOp, Amount, AssetId, ChargeId, ChargeOp, Description, ExchangeOp, Label, Ledger, ListingContent,
    ListingId, ListingOp, Memo, Name, Operation, OrderId, PaymentId, PaymentOp, Photos, PollId, PollOp,
    Rating, Reason, Reference, ReviewOp, ReviewText, Title, TokenOp, Tracking, TradeId, TradeOp, Transaction,
    WithdrawalId, WithdrawalOp,
};
use pbft_core::message::Request;
use pbft_core::service::OrderedBatch;
use pbft_crypto::{Address, Digest, KeyPair};

use super::{START, address, batch, key, sign};
use crate::service::request_of;

/// SplitMix64.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let index = usize::try_from(self.below(of.len().max(1) as u64)).unwrap();
        of.get(index).copied()
    }
}

/// Who issues shares.
const ISSUER: usize = 4;

/// Makes batches that fit the ledger, more or less.
pub(crate) struct Traffic {
    rng: Rng,
    time: u64,
    people: Vec<KeyPair>,
    nonces: BTreeMap<Address, u64>,
    charges: Vec<ChargeId>,
    withdrawals: Vec<WithdrawalId>,
    listings: Vec<ListingId>,
    trades: Vec<TradeId>,
    orders: Vec<OrderId>,
    polls: Vec<PollId>,
    payments: Vec<PaymentId>,
}

impl Traffic {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Rng(seed),
            time: START,
            people: (1..=8).map(key).collect(),
            nonces: BTreeMap::new(),
            charges: Vec::new(),
            withdrawals: Vec::new(),
            listings: Vec::new(),
            trades: Vec::new(),
            orders: Vec::new(),
            polls: Vec::new(),
            payments: Vec::new(),
        }
    }

    /// The next batch. Sometimes days pass before it; sometimes it is empty.
    pub(crate) fn batch(&mut self, seq: u64, ledger: &Ledger) -> OrderedBatch {
        self.time += if self.rng.below(12) == 0 { 3 * 86_400_000 } else { 1 + self.rng.below(5_000) };
        let count = [0, 1, 2, 6, 14, 30][usize::try_from(self.rng.below(6)).unwrap()];
        let requests = (0..count).map(|_| self.request(ledger)).collect();
        batch(seq, self.time, requests)
    }

    fn request(&mut self, ledger: &Ledger) -> Request {
        let transaction = self.transaction(ledger);
        let mut request = request_of(&transaction);
        match self.rng.below(40) {
            0 => request.operation = pbft_core::message::Operation::new(vec![1, 2, 3]),
            1 => request.number = request.number.next(),
            _ => {}
        }
        request
    }

    fn transaction(&mut self, ledger: &Ledger) -> Transaction {
        let anyone = usize::try_from(self.rng.below(8)).unwrap();
        let operation = self.operation(anyone, ledger);
        let person = self.who_may(&operation, ledger).unwrap_or(anyone);
        let sender = address(&self.people[person]);
        let nonce = self.nonces.entry(sender).or_default();
        let nonce = if self.rng.below(30) == 0 {
            nonce.saturating_sub(1)
        } else {
            std::mem::replace(nonce, *nonce + 1)
        };
        let transaction = sign(&self.people[person], nonce, operation);
        match &transaction.body().operation {
            Operation::Charge(ChargeOp::Request { .. }) => self.charges.push(transaction.id().into()),
            Operation::Withdrawal(WithdrawalOp::Request { .. }) => {
                self.withdrawals.push(transaction.id().into());
            }
            Operation::Listing(ListingOp::Create { .. }) => self.listings.push(transaction.id().into()),
            Operation::Trade(TradeOp::Open { .. }) => self.trades.push(transaction.id().into()),
            Operation::Exchange(ExchangeOp::Place { .. }) => self.orders.push(transaction.id().into()),
            Operation::Poll(PollOp::Create { .. }) => self.polls.push(transaction.id().into()),
            Operation::Payment(PaymentOp::Authorize { .. }) => self.payments.push(transaction.id().into()),
            _ => {}
        }
        transaction
    }

    /// Often someone whose affair it is.
    fn who_may(&mut self, operation: &Operation, ledger: &Ledger) -> Option<usize> {
        if self.rng.below(3) == 0 {
            return None;
        }
        let trade = match operation {
            Operation::Token(TokenOp::Create { .. } | TokenOp::Mint { .. }) => return Some(ISSUER),
            Operation::Trade(operation) => operation.trade()?,
            Operation::Review(ReviewOp::Post { trade, .. }) => *trade,
            _ => return None,
        };
        let trade = ledger.trade(&trade)?;
        let party = if self.rng.below(2) == 0 { trade.buyer } else { trade.seller };
        self.people.iter().position(|person| address(person) == party)
    }

    fn operation(&mut self, person: usize, ledger: &Ledger) -> Operation {
        match self.rng.below(21) {
            14 => self.withdraw(),
            15 => self.guard(person),
            16 => self.token(),
            17 | 18 => self.order(),
            19 => self.poll(),
            20 => self.hold(),
            0 => AccountOp::Register { name: Name::new(format!("person{person}")).unwrap() }.into(),
            1 => ChargeOp::Request { amount: self.amount(), memo: Memo::new("cash 입금").unwrap() }.into(),
            2 => self.decide().unwrap_or_else(|| self.pay()),
            3 | 4 => self.pay(),
            5 | 6 => ListingOp::Create { content: self.content() }.into(),
            7 => self.change_listing(ledger).unwrap_or_else(|| self.pay()),
            8..=10 => self.buy(ledger).unwrap_or_else(|| self.pay()),
            _ => self.move_trade(ledger).unwrap_or_else(|| self.pay()),
        }
    }

    fn amount(&mut self) -> Amount {
        Amount::new(self.rng.below(2_000))
    }

    fn pay(&mut self) -> Operation {
        let to = usize::try_from(self.rng.below(8)).unwrap();
        let reference =
            (self.rng.below(3) == 0).then(|| Reference::new(format!("R{}", self.rng.below(9))).unwrap());
        let to = address(&self.people[to]);
        PaymentOp::Pay {
            to,
            asset: AssetId::Pop,
            amount: self.amount(),
            reference,
            memo: Memo::new("").unwrap(),
        }
        .into()
    }

    fn decide(&mut self) -> Option<Operation> {
        let charge = self.rng.one_of(&self.charges)?;
        Some(match self.rng.below(4) {
            0 => ChargeOp::Reject { charge, reason: Reason::new("no deposit").unwrap() }.into(),
            _ => ChargeOp::Approve { charge }.into(),
        })
    }

    fn withdraw(&mut self) -> Operation {
        let withdrawal = self.rng.one_of(&self.withdrawals);
        let reason = Reason::new("no such account").unwrap();
        match (self.rng.below(4), withdrawal) {
            (0, Some(withdrawal)) => WithdrawalOp::Void { withdrawal, reason }.into(),
            (1, Some(withdrawal)) => WithdrawalOp::Settle { withdrawal }.into(),
            _ => WithdrawalOp::Request { amount: self.amount(), memo: Memo::new("bank").unwrap() }.into(),
        }
    }

    /// Something about keys, guardians, limits and freezes.
    fn guard(&mut self, person: usize) -> Operation {
        let account = address(&self.people[(person + 1) % 8]);
        let per_day = (self.rng.below(2) == 0).then(|| Amount::new(500_000));
        let public_key = self.people[person].public_key();
        match self.rng.below(5) {
            0 => AccountOp::SetLimit { asset: AssetId::Pop, per_day }.into(),
            1 => AccountOp::Freeze { account, reason: Reason::new("odd").unwrap() }.into(),
            2 | 3 => AccountOp::Unfreeze { account }.into(),
            _ if person.is_multiple_of(2) => {
                AccountOp::LabelKey { public_key, label: Label::new("laptop").unwrap() }.into()
            }
            _ => {
                let (guardians, delay) = (vec![account], ledger::Millis::days(2));
                AccountOp::SetGuardians { guardians, threshold: 1, delay }.into()
            }
        }
    }

    fn content(&mut self) -> ListingContent {
        let things = ["필름 카메라", "Bicycle", "100% wool_hat", "책상"];
        let thing = self.rng.one_of(&things).unwrap();
        let count = self.rng.below(3);
        let photo = |_| Digest::from_bytes([u8::try_from(self.rng.below(256)).unwrap(); 32]);
        let photos: Vec<_> = (0..count).map(photo).collect();
        ListingContent {
            title: Title::new(thing).unwrap(),
            description: Description::new(format!("{thing}\nused {} years", self.rng.below(9))).unwrap(),
            price: self.amount(),
            photos: Photos::try_from(photos).unwrap(),
        }
    }

    fn change_listing(&mut self, ledger: &Ledger) -> Option<Operation> {
        let listing = self.rng.one_of(&self.listings)?;
        let from_version = ledger.listing(&listing)?.version;
        Some(match self.rng.below(4) {
            0 => ListingOp::Close { listing }.into(),
            _ => ListingOp::Update { listing, from_version, content: self.content() }.into(),
        })
    }

    fn buy(&mut self, ledger: &Ledger) -> Option<Operation> {
        let listing = self.rng.one_of(&self.listings)?;
        let row = ledger.listing(&listing)?;
        Some(TradeOp::Open { listing, version: row.version, content_hash: row.content_hash }.into())
    }

    fn move_trade(&mut self, ledger: &Ledger) -> Option<Operation> {
        let is_over = |id: &TradeId| ledger.trade(id).is_some_and(|trade| trade.state.is_final());
        let closed: Vec<_> = self.trades.iter().copied().filter(is_over).collect();
        if self.rng.below(4) == 0
            && let Some(trade) = self.rng.one_of(&closed)
        {
            return Some(self.review(trade));
        }
        let trade = self.rng.one_of(&self.trades)?;
        Some(match self.rng.below(9) {
            0 => TradeOp::Accept { trade }.into(),
            1 | 2 => TradeOp::Ship { trade, tracking: Tracking::new("CJ 1234").unwrap() }.into(),
            3 => TradeOp::Confirm { trade }.into(),
            4 => TradeOp::Cancel { trade }.into(),
            5 => TradeOp::Dispute { trade, reason: Reason::new("broken").unwrap() }.into(),
            6 => TradeOp::Extend { trade }.into(),
            _ => self.review(trade),
        })
    }

    fn review(&mut self, trade: TradeId) -> Operation {
        let rating = Rating::new(u8::try_from(1 + self.rng.below(5)).unwrap()).unwrap();
        ReviewOp::Post { trade, rating, text: ReviewText::new("so so").unwrap() }.into()
    }
}
