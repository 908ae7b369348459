//! The ledger and the model, side by side.

use std::collections::BTreeMap;

use ledger::{
    Amount, AssetId, BatchInput, Ledger, ListingId, Party, PaymentId, PaymentStatus, PollId, Record,
    Reference, Repeats, ReplicaChangeId, ReplicaStatus, ReviewSide, ReviewText, RoleChangeId, Trade, TradeId,
    UnixMillis, Vote, review_hash,
};

use super::Run;
use crate::polls_model::Act;
use crate::trade_model::MTrade;
use crate::world::DECIDERS;

impl Run {
    pub(super) fn compare(&self) {
        let (ledger, model, at) = (&self.ledger, &self.model, (self.seed, self.seq));
        for (who, _) in &self.people {
            let balance = ledger.balance(who, AssetId::Pop);
            let funds = [balance.available, balance.held].map(|part| i128::from(part.value()));
            assert_eq!(funds, [model.available(who), model.held(who)], "{at:?}");
            assert!(funds[0] >= 0);
            self.compare_tokens_of(who);
            let account = ledger.account(who).map(|a| (a.name.as_str(), a.key, a.role, a.charge_count));
            let expected = model.accounts.get(who).map(|a| (a.name.as_str(), a.key, a.role, a.charges));
            assert_eq!(account, expected, "{at:?}");
            let used = model.nonces.get(who).cloned().unwrap_or_default();
            let base = (0..).find(|nonce| !used.contains(nonce)).unwrap();
            assert_eq!(ledger.nonces(who).base(), base, "{at:?}");
        }
        assert_eq!(u128::from(ledger.supply(AssetId::Pop).minted.value()), model.minted, "{at:?}");
        assert_eq!(ledger.next_deadline().map(UnixMillis::value), model.next_deadline(), "{at:?}");
        self.compare_payments();
        self.compare_polls();
        self.compare_network();
        self.compare_identity();
        self.compare_treasury();
        self.compare_exchange();
        for (id, listing) in &model.listings {
            let row = ledger.listing(&ListingId::new(*id)).unwrap();
            let (price, hash) = *listing.versions.last().unwrap();
            let got = (row.seller, row.status.code(), row.price.value(), row.content_hash);
            assert_eq!(got, (listing.seller, model.listing_state(id), price, hash), "{at:?}");
            assert_eq!(usize::try_from(row.version).unwrap(), listing.versions.len(), "{at:?}");
        }
        self.compare_trades();
        self.compare_opinions();
    }

    fn compare_trades(&self) {
        let (ledger, model, at) = (&self.ledger, &self.model, (self.seed, self.seq));
        for (id, trade) in &model.trades {
            let row = ledger.trade(&TradeId::new(*id)).unwrap();
            let got = (row.buyer, row.seller, row.amount.value(), row.state.code());
            assert_eq!(got, (trade.buyer, trade.seller, trade.price, trade.state), "{at:?}");
            assert_eq!(row.due().map(UnixMillis::value), trade.due(&model.times), "{at:?}");
            assert_eq!(i128::from(row.fee.value()), model.fee(trade.price), "{at:?}");
            let paid = row.payout.map(|paid| [paid.to_buyer, paid.to_seller, paid.fee].map(Amount::value));
            assert_eq!((paid, row.given_back.value()), (trade.paid, trade.given_back), "{at:?}");
            let arbiter = row.dispute.and_then(|dispute| dispute.arbiter);
            assert_eq!((row.dispute.is_some(), arbiter), (trade.was_disputed, trade.arbiter), "{at:?}");
            assert_eq!(row.delivered_at.map(UnixMillis::value), trade.delivered, "{at:?}");
            self.compare_details(row, trade);
        }
    }

    /// What is only noted of a trade, and decides what may come next.
    fn compare_details(&self, row: &Trade, trade: &MTrade) {
        let at = (self.seed, self.seq);
        let deadline = row.deadline.map(|deadline| (deadline.at.value(), format!("{:?}", deadline.kind)));
        let expected = trade.deadline(&self.model.times).map(|(at, _, kind)| (at, kind.to_owned()));
        assert_eq!(deadline, expected, "{at:?}");
        let is_asked = trade.live() && trade.shipped == 0 && trade.asked_to_cancel.is_some();
        let got = (row.cancel_requested, row.is_extended, row.handover);
        assert_eq!(got, (is_asked, trade.extended.is_some(), trade.code_hash), "{at:?}");
        let address = |party| if party == Party::Buyer { row.buyer } else { row.seller };
        let offer = row.split_offer.map(|offer| (address(offer.by), offer.split));
        assert_eq!(offer, trade.offer, "{at:?}");
        let Repeats { offers_of_buyer, offers_of_seller, handovers, give_backs } = row.repeats;
        let times = [("BUYER", "offer"), ("SELLER", "offer"), ("SELLER", "code"), ("SELLER", "give back")];
        let times = times.map(|(who, what)| trade.times(who, what));
        let got = [offers_of_buyer, offers_of_seller, handovers, give_backs].map(usize::from);
        assert_eq!(got, times, "{at:?}");
        let evidence = row.dispute.map_or([0; 3], |d| [d.from_buyer, d.from_seller, d.from_arbiter]);
        let of = |who| trade.evidence.get(who).copied().unwrap_or_default();
        assert_eq!(evidence.map(usize::from), ["BUYER", "SELLER", "ARBITER"].map(of), "{at:?}");
        let back = row.returning.map(|back| (back.is_shipped, back.delivered_at.map(UnixMillis::value)));
        let is_shipped = trade.sent_back.is_some() || trade.came_back.is_some();
        assert_eq!(back, trade.returning.map(|_| (is_shipped, trade.came_back)), "{at:?}");
    }

    fn compare_opinions(&self) {
        let (ledger, model, at) = (&self.ledger, &self.model, (self.seed, self.seq));
        for ((trade, author), review) in &model.reviews {
            let side =
                if model.trades[trade].buyer == *author { ReviewSide::ByBuyer } else { ReviewSide::BySeller };
            let row = ledger.review(&TradeId::new(*trade), side).unwrap();
            let text_hash = review_hash(&ReviewText::new(review.text.as_str()).unwrap());
            let got = (row.author, row.subject, u64::from(row.rating.value()), row.text_hash);
            assert_eq!(got, (*author, review.subject, review.stars, text_hash), "{at:?}");
        }
        for (who, _) in &self.people {
            let Record { as_buyer, as_seller } = ledger.record(who);
            let got =
                [as_buyer, as_seller].map(|t| [t.completed, t.cancelled, t.disputed, t.reviews, t.stars]);
            assert_eq!(got, model.record(who), "{at:?}");
        }
        for (id, change) in &model.role_changes {
            let row = ledger.role_change(&RoleChangeId::new(*id)).unwrap();
            let got = (row.proposer, row.account, row.role, row.status.code());
            assert_eq!(got, (change.who, change.account, change.role, change.state), "{at:?}");
        }
    }

    fn compare_payments(&self) {
        let (ledger, payments, at) = (&self.ledger, &self.model.payments, (self.seed, self.seq));
        let mut references = BTreeMap::new();
        for (id, payment) in payments {
            let row = ledger.payment(&PaymentId::new(*id)).unwrap();
            let got = (row.payer, row.payee, row.amount.value(), row.status.code());
            assert_eq!(got, (payment.payer, payment.payee, payment.amount, payment.state), "{at:?}");
            assert_eq!(row.asset, payment.asset, "{at:?}");
            if let PaymentStatus::Paid { paid, refunded } = row.status {
                assert_eq!(paid.value(), payment.paid, "{at:?}");
                assert_eq!(u128::from(refunded.value()), payment.refunded(), "{at:?}");
            }
            references.extend(payment.reference.clone().map(|text| ((payment.payee, text), *id)));
        }
        for ((payee, reference), last) in references {
            let found = ledger.payment_by_reference(&payee, &Reference::new(reference).unwrap());
            assert_eq!(found.map(|id| *id.digest()), Some(last), "{at:?}");
        }
    }

    fn compare_polls(&self) {
        let at = (self.seed, self.seq);
        for (id, poll) in &self.model.polls.all {
            let row = self.ledger.poll(&PollId::new(*id)).unwrap();
            assert_eq!((row.tallies.clone(), row.unrevealed), poll.count(), "{at:?}");
            assert_eq!(row.phase(UnixMillis::new(self.now)).code(), poll.phase(self.now), "{at:?}");
            let closed = row.closed.map(|closing| (closing.height.value(), closing.at.value()));
            assert_eq!((row.creator, closed), (poll.creator, poll.closed), "{at:?}");
            for (who, _) in &self.people {
                let expected = poll.last(*who).map(|act| match act {
                    Act::Vote(choice) | Act::Reveal(choice) => Vote::Counted { choice },
                    Act::Commit(commitment) => Vote::Sealed { commitment },
                });
                assert_eq!(self.ledger.vote(&PollId::new(*id), who), expected, "{at:?}");
            }
        }
    }

    fn compare_network(&self) {
        let (network, at) = (&self.model.network, (self.seed, self.seq));
        let got = self.ledger.replicas().map(|(id, row)| {
            (id.value(), row.public_key, row.address.as_str(), row.status == ReplicaStatus::Active)
        });
        let expected = network.replicas.iter().zip(0..).map(|(replica, id)| {
            (id, *replica.keys.last().unwrap(), replica.address.as_str(), replica.active)
        });
        assert!(got.eq(expected), "{at:?}: {:?}", network.replicas);
        for (id, change) in &network.changes {
            let row = self.ledger.replica_change(&ReplicaChangeId::new(*id)).unwrap();
            let got = (row.proposer, &row.edit, row.status.code());
            assert_eq!(got, (change.who, &change.edit, change.state), "{at:?}");
        }
    }

    /// A ledger from the entries goes on exactly like the live one.
    pub(super) fn compare_restored(&mut self) {
        let tip = self.ledger.tip().clone();
        let mut restored = Ledger::restore(&self.genesis, tip, self.ledger.entries()).unwrap();
        let transactions: Vec<_> = (0..20).map(|_| self.transaction()).collect();
        let time = UnixMillis::new(self.now + 3 * 86_400_000);
        let batch =
            BatchInput { seq: self.seq + 1, view: 1, time, transactions: &transactions, replicas: DECIDERS };
        assert_eq!(restored.apply(batch), self.ledger.apply(batch), "seed {}", self.seed);
    }
}
