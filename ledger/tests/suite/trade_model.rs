//! The rules about trades once more, as naively as possible: when what happened, and all else computed from that.

use std::collections::BTreeMap;

use ledger::{AssetId, HandoverCode, Role, Ruling, Split, TradeId, TradeOp, TradeParams};
use pbft_crypto::{Address, Digest, Domain, Hasher};

use crate::model::{Model, Outcome, ensure};

#[derive(Clone, Debug)]
pub(crate) struct MTrade {
    pub(crate) listing: Digest,
    pub(crate) buyer: Address,
    pub(crate) seller: Address,
    pub(crate) price: u64,
    pub(crate) state: &'static str,
    opened: u64,
    pub(crate) asked_to_cancel: Option<u64>,
    pub(crate) shipped: u64,
    pub(crate) delivered: Option<u64>,
    pub(crate) extended: Option<u64>,
    pub(crate) offer: Option<(Address, Split)>,
    pub(crate) was_disputed: bool,
    pub(crate) arbiter: Option<Address>,
    /// Since when the present arbiter may decide.
    term: u64,
    is_second: bool,
    /// Who put how much on record in this dispute; arbiters together.
    pub(crate) evidence: BTreeMap<&'static str, usize>,
    /// Since when the goods are to be sent back.
    pub(crate) returning: Option<u64>,
    pub(crate) sent_back: Option<u64>,
    pub(crate) came_back: Option<u64>,
    pub(crate) code_hash: Option<Digest>,
    /// For the buyer, the seller and the fee account.
    pub(crate) paid: Option<[u64; 3]>,
    pub(crate) given_back: u64,
    /// How often who did what can be done again and again.
    pub(crate) repeats: BTreeMap<(&'static str, &'static str), usize>,
    /// The last deadline that there was a reminder of.
    reminded_of: u64,
}

impl MTrade {
    pub(crate) fn live(&self) -> bool {
        !matches!(self.state, "RELEASED" | "CANCELLED" | "REFUNDED" | "SPLIT")
    }

    /// The deadline, since when it is known, and what for it is.
    pub(crate) fn deadline(&self, times: &TradeParams) -> Option<(u64, u64, &'static str)> {
        let ship_by = (self.opened + times.ship_within.value(), self.opened, "ShipBy");
        match self.state {
            "FUNDED" => Some(ship_by),
            "ACCEPTED" => {
                let span = times.cancel_answer_within.value();
                let answer_by = self.asked_to_cancel.map(|at| (at + span, at, "AnswerBy"));
                Some(answer_by.filter(|answer_by| answer_by.0 < ship_by.0).unwrap_or(ship_by))
            }
            "SHIPPED" => {
                let extension = self.extended.map_or(0, |_| times.extension.value());
                let (from, span) = match self.delivered {
                    Some(at) => (at, times.confirm_after_delivery.value()),
                    None => (self.shipped, times.confirm_within.value()),
                };
                Some((from + span + extension, from.max(self.extended.unwrap_or(0)), "ConfirmBy"))
            }
            "DISPUTED" if self.is_second => {
                Some((self.term + times.second_resolve_within.value(), self.term, "SecondResolveBy"))
            }
            "DISPUTED" => Some((self.term + times.resolve_within.value(), self.term, "ResolveBy")),
            "RETURNING" => Some(match (self.came_back, self.sent_back) {
                (Some(at), _) => (at + times.return_confirm_after_delivery.value(), at, "ReturnConfirmBy"),
                (None, Some(at)) => (at + times.return_confirm_within.value(), at, "ReturnConfirmBy"),
                (None, None) => (self.returning? + times.return_within.value(), self.returning?, "ReturnBy"),
            }),
            _ => None,
        }
    }

    /// A reminder or the deadline.
    pub(crate) fn due(&self, times: &TradeParams) -> Option<u64> {
        let (at, since, _) = self.deadline(times)?;
        let reminder = at - times.remind_before.value();
        Some(if reminder > since && self.reminded_of != at { reminder } else { at })
    }

    pub(crate) fn times(&self, role: &'static str, what: &'static str) -> usize {
        self.repeats.get(&(role, what)).copied().unwrap_or_default()
    }

    fn role_of(&self, who: &Address, is_courier: bool) -> &'static str {
        match who {
            _ if *who == self.buyer => "BUYER",
            _ if *who == self.seller => "SELLER",
            _ if self.arbiter == Some(*who) => "ARBITER",
            _ if is_courier => "COURIER",
            _ => "STRANGER",
        }
    }
}

impl Model {
    pub(crate) fn expire_trade(&mut self, id: Digest, time: u64) {
        let (at, ..) = self.trades[&id].deadline(&self.times).unwrap();
        let trade = self.trades.get_mut(&id).unwrap();
        if at > time {
            trade.reminded_of = at;
            return;
        }
        let sent_back = trade.sent_back.is_some() || trade.came_back.is_some();
        match (trade.state, trade.is_second) {
            ("FUNDED" | "ACCEPTED", _) => self.end(id, "CANCELLED", "TIME"),
            ("SHIPPED", _) => self.end(id, "RELEASED", "TIME"),
            ("RETURNING", _) => self.end(id, if sent_back { "REFUNDED" } else { "RELEASED" }, "TIME"),
            ("DISPUTED", false) => {
                let present = trade.arbiter;
                match self.draw(id, id, time, present) {
                    Some(arbiter) => {
                        self.moves.insert(("DISPUTED", "DISPUTED", "TIME"));
                        let trade = self.trades.get_mut(&id).unwrap();
                        (trade.arbiter, trade.term, trade.is_second) = (Some(arbiter), time, true);
                    }
                    None => self.decide(id),
                }
            }
            ("DISPUTED", true) => self.decide(id),
            other => panic!("{other:?} has no deadline"),
        }
    }

    fn decide(&mut self, id: Digest) {
        let trade = &self.trades[&id];
        let released = trade.came_back.is_none() && trade.delivered.is_some();
        self.end(id, if released { "RELEASED" } else { "REFUNDED" }, "TIME");
    }

    fn draw(&self, id: Digest, salt: Digest, time: u64, present: Option<Address>) -> Option<Address> {
        let trade = &self.trades[&id];
        let mut free: Vec<Address> =
            self.accounts.iter().filter(|(_, row)| row.role == Role::Arbiter).map(|(who, _)| *who).collect();
        free.retain(|who| *who != trade.buyer && *who != trade.seller && Some(*who) != present);
        free.retain(|who| !self.identity.frozen.contains_key(who));
        if free.is_empty() {
            return None;
        }
        let mut hasher = Hasher::new(Domain::new("popmarket.arbiter.v2"));
        for part in [self.parent.as_bytes().as_slice(), salt.as_bytes(), &time.to_be_bytes()] {
            hasher.update(part);
        }
        let head: [u8; 8] = hasher.finish().as_bytes()[..8].try_into().unwrap();
        let n = u64::try_from(free.len()).unwrap();
        Some(free[usize::try_from(u64::from_be_bytes(head) % n).unwrap()])
    }

    pub(crate) fn trade(&mut self, who: Address, tx: Digest, time: u64, op: &TradeOp) -> Outcome {
        if let TradeOp::Open { listing, version, content_hash } = op {
            return self.open(who, tx, time, *listing.digest(), *version, content_hash);
        }
        let id = *op.trade().unwrap().digest();
        let courier = self.accounts.get(&who).is_some_and(|account| account.role == Role::Courier);
        let row = self.trades.get(&id).ok_or("UNKNOWN_TRADE")?;
        let (state, role) = (row.state, row.role_of(&who, courier));
        if ["ARBITER", "COURIER"].contains(&role) {
            self.is_not_frozen(&who)?;
        }
        let (is_buyer, is_seller) = (role == "BUYER", role == "SELLER");
        let sent_back = row.sent_back.is_some() || row.came_back.is_some();
        let within = |states: &[&str]| ensure(states.contains(&state), "WRONG_STATE");
        match op {
            TradeOp::Open { .. } => Ok(()),
            TradeOp::Accept { .. } => {
                ensure(is_seller, "NOT_SELLER")?;
                within(&["FUNDED"])?;
                self.go(id, "ACCEPTED", "SELLER");
                Ok(())
            }
            TradeOp::Ship { .. } => {
                ensure(is_seller, "NOT_SELLER")?;
                within(&["FUNDED", "ACCEPTED"])?;
                self.go(id, "SHIPPED", "SELLER").shipped = time;
                Ok(())
            }
            TradeOp::Confirm { .. } => {
                ensure(is_buyer, "NOT_BUYER")?;
                within(&["FUNDED", "ACCEPTED", "SHIPPED"])?;
                self.end(id, "RELEASED", "BUYER");
                Ok(())
            }
            TradeOp::Cancel { .. } => {
                ensure(is_buyer || is_seller, "NOT_A_PARTY")?;
                within(&["FUNDED", "ACCEPTED"])?;
                if state == "ACCEPTED" && is_buyer {
                    ensure(row.asked_to_cancel.is_none(), "CANCEL_ALREADY_REQUESTED")?;
                    self.trades.get_mut(&id).unwrap().asked_to_cancel = Some(time);
                } else {
                    self.end(id, "CANCELLED", role);
                }
                Ok(())
            }
            TradeOp::Attest { .. } => {
                ensure(role == "COURIER", "NOT_COURIER")?;
                within(&["SHIPPED", "DISPUTED", "RETURNING"])?;
                let row = self.trades.get_mut(&id).unwrap();
                let which = if row.returning.is_some() { &mut row.came_back } else { &mut row.delivered };
                ensure(which.is_none(), "ALREADY_ATTESTED")?;
                *which = Some(time);
                Ok(())
            }
            TradeOp::Extend { .. } => {
                ensure(is_buyer, "NOT_BUYER")?;
                within(&["SHIPPED"])?;
                ensure(row.extended.is_none(), "ALREADY_EXTENDED")?;
                self.trades.get_mut(&id).unwrap().extended = Some(time);
                Ok(())
            }
            TradeOp::ProposeSplit { split, .. } => {
                ensure(is_buyer || is_seller, "NOT_A_PARTY")?;
                within(&["ACCEPTED", "SHIPPED", "DISPUTED"])?;
                ensure(row.times(role, "offer") < 50, "OFFER_LIMIT")?;
                adds_up(split, row.price)?;
                self.once_more(id, role, "offer").offer = Some((who, *split));
                Ok(())
            }
            TradeOp::AcceptSplit { split, .. } => {
                ensure(is_buyer || is_seller, "NOT_A_PARTY")?;
                within(&["ACCEPTED", "SHIPPED", "DISPUTED"])?;
                let offer = row.offer.ok_or("NO_SPLIT_OFFER")?;
                ensure(offer.0 != who, "OWN_SPLIT_OFFER")?;
                ensure(offer.1 == *split, "OTHER_SPLIT_OFFER")?;
                self.share(id, *split, role);
                Ok(())
            }
            TradeOp::HandOver { code_hash, .. } => {
                ensure(is_seller, "NOT_SELLER")?;
                within(&["FUNDED", "ACCEPTED"])?;
                ensure(row.times(role, "code") < 50, "HANDOVER_LIMIT")?;
                self.once_more(id, role, "code").code_hash = Some(*code_hash);
                Ok(())
            }
            TradeOp::Collect { trade, code } => {
                ensure(is_buyer, "NOT_BUYER")?;
                within(&["FUNDED", "ACCEPTED"])?;
                let expected = row.code_hash.ok_or("NO_HANDOVER")?;
                ensure(expected == hash_of(trade, code), "WRONG_CODE")?;
                self.end(id, "RELEASED", "BUYER");
                Ok(())
            }
            TradeOp::GiveBack { amount, .. } => {
                ensure(is_seller, "NOT_SELLER")?;
                within(&["RELEASED"])?;
                let left = row.price - row.given_back;
                ensure(left > 0, "TOO_MUCH_GIVEN_BACK")?;
                ensure(row.times(role, "give back") < 50, "GIVE_BACK_LIMIT")?;
                ensure(amount.value() > 0, "ZERO_AMOUNT")?;
                ensure(amount.value() <= left, "TOO_MUCH_GIVEN_BACK")?;
                let (buyer, units) = (row.buyer, i128::from(amount.value()));
                self.spend(who, AssetId::Pop, amount.value(), time)?;
                *self.wealth.entry(who).or_default() -= units;
                *self.wealth.entry(buyer).or_default() += units;
                self.once_more(id, role, "give back").given_back += amount.value();
                Ok(())
            }
            TradeOp::Dispute { .. } => {
                ensure(is_buyer || is_seller, "NOT_A_PARTY")?;
                within(if is_buyer { &["SHIPPED"] } else { &["RETURNING"] })?;
                ensure(is_buyer || sent_back, "NOT_SHIPPED_BACK")?;
                let arbiter = self.draw(id, tx, time, None);
                let row = self.go(id, "DISPUTED", role);
                row.evidence.clear();
                (row.was_disputed, row.is_second, row.term) = (true, false, time);
                row.arbiter = arbiter;
                Ok(())
            }
            TradeOp::AddEvidence { .. } => {
                ensure(is_buyer || is_seller || role == "ARBITER", "NOT_A_PARTY")?;
                within(&["DISPUTED"])?;
                let n = self.trades.get_mut(&id).unwrap().evidence.entry(role).or_default();
                ensure(*n < 8, "EVIDENCE_LIMIT")?;
                *n += 1;
                Ok(())
            }
            TradeOp::Resolve { ruling, .. } => {
                ensure(role == "ARBITER", "NOT_ARBITER")?;
                within(&["DISPUTED"])?;
                self.rule(id, time, *ruling)
            }
            TradeOp::ReturnShip { .. } => {
                ensure(is_buyer, "NOT_BUYER")?;
                within(&["RETURNING"])?;
                ensure(!sent_back, "ALREADY_SHIPPED_BACK")?;
                self.trades.get_mut(&id).unwrap().sent_back = Some(time);
                Ok(())
            }
            TradeOp::ReturnConfirm { .. } => {
                ensure(is_seller, "NOT_SELLER")?;
                within(&["RETURNING"])?;
                self.end(id, "REFUNDED", "SELLER");
                Ok(())
            }
        }
    }

    fn rule(&mut self, id: Digest, time: u64, ruling: Ruling) -> Outcome {
        match ruling {
            Ruling::Release => self.end(id, "RELEASED", "ARBITER"),
            Ruling::Refund => self.end(id, "REFUNDED", "ARBITER"),
            Ruling::Split(split) => {
                adds_up(&split, self.trades[&id].price)?;
                self.share(id, split, "ARBITER");
            }
            Ruling::Return => {
                ensure(self.trades[&id].returning.is_none(), "RETURNED_BEFORE")?;
                self.go(id, "RETURNING", "ARBITER").returning = Some(time);
            }
        }
        Ok(())
    }

    fn open(
        &mut self,
        who: Address,
        id: Digest,
        time: u64,
        listing: Digest,
        version: u32,
        hash: &Digest,
    ) -> Outcome {
        let row = self.listings.get(&listing).ok_or("UNKNOWN_LISTING")?.clone();
        ensure(self.listing_state(&listing) == "OPEN", "LISTING_NOT_OPEN")?;
        ensure(usize::try_from(version).unwrap() == row.versions.len(), "STALE_VERSION")?;
        let (price, current) = *row.versions.last().unwrap();
        ensure(current == *hash, "CONTENT_MISMATCH")?;
        ensure(row.seller != who, "OWN_LISTING")?;
        self.spend(who, AssetId::Pop, price, time)?;
        let trade = MTrade {
            listing,
            buyer: who,
            seller: row.seller,
            price,
            state: "FUNDED",
            opened: time,
            asked_to_cancel: None,
            shipped: 0,
            delivered: None,
            extended: None,
            offer: None,
            was_disputed: false,
            arbiter: None,
            term: 0,
            is_second: false,
            evidence: BTreeMap::new(),
            returning: None,
            sent_back: None,
            came_back: None,
            code_hash: None,
            paid: None,
            given_back: 0,
            repeats: BTreeMap::new(),
            reminded_of: 0,
        };
        self.trades.insert(id, trade);
        Ok(())
    }

    /// The trade, in which somebody does something again.
    fn once_more(&mut self, id: Digest, role: &'static str, what: &'static str) -> &mut MTrade {
        let trade = self.trades.get_mut(&id).unwrap();
        *trade.repeats.entry((role, what)).or_default() += 1;
        trade
    }

    /// To another state, and the trade there.
    fn go(&mut self, id: Digest, to: &'static str, by: &'static str) -> &mut MTrade {
        let trade = self.trades.get_mut(&id).unwrap();
        self.moves.insert((trade.state, to, by));
        (trade.state, trade.offer) = (to, None);
        trade
    }

    /// All to one side.
    fn end(&mut self, id: Digest, to: &'static str, by: &'static str) {
        let price = self.trades[&id].price;
        let fee = u64::try_from(self.fee(price)).unwrap();
        let paid = if to == "RELEASED" { [0, price - fee, fee] } else { [price, 0, 0] };
        self.pay_out(id, to, by, paid);
    }

    fn share(&mut self, id: Digest, split: Split, by: &'static str) {
        let fee = u64::try_from(self.fee(split.to_seller.value())).unwrap();
        self.pay_out(id, "SPLIT", by, [split.to_buyer.value(), split.to_seller.value() - fee, fee]);
    }

    fn pay_out(&mut self, id: Digest, to: &'static str, by: &'static str, paid: [u64; 3]) {
        let trade = self.go(id, to, by);
        trade.paid = Some(paid);
        let (buyer, seller, price) = (trade.buyer, trade.seller, trade.price);
        *self.wealth.entry(buyer).or_default() -= i128::from(price);
        for (who, units) in [buyer, seller, self.fee_account].into_iter().zip(paid) {
            *self.wealth.entry(who).or_default() += i128::from(units);
        }
    }
}

fn adds_up(split: &Split, price: u64) -> Outcome {
    let sum = u128::from(split.to_buyer.value()) + u128::from(split.to_seller.value());
    ensure(sum == u128::from(price), "SPLIT_SUM")
}

fn hash_of(trade: &TradeId, code: &HandoverCode) -> Digest {
    let data = [trade.as_bytes().as_slice(), code.as_str().as_bytes()].concat();
    pbft_crypto::digest(Domain::new("popmarket.handover.v1"), &data)
}
