//! Keys, guardians, limits and freezes.

use ledger::{
    AccountOp, Amount, AssetId, Label, Millis, Operation, Reason, RecoveryId, RecoveryStatus, UnixMillis,
    key_binding,
};
use pbft_crypto::{Address, Digest, PublicKey, Signature};

use super::Run;
use crate::world::{address, key};

impl Run {
    pub(super) fn identity(&mut self, who: Address) -> (Address, Operation) {
        match self.dice.below(16) {
            0..=2 => (who, self.key_op(who).into()),
            3..=5 => (who, self.set_guardians()),
            6 | 7 => self.propose_recovery(who),
            8..=10 => self.agree(who),
            11 => self.cancel(who),
            12 => (who, self.set_limit()),
            _ => self.freeze(who),
        }
    }

    /// A key that some account has or had.
    pub(super) fn any_key(&mut self) -> PublicKey {
        let keys: Vec<PublicKey> = self.model.identity.keys.keys().copied().collect();
        *self.dice.pick(&keys).unwrap()
    }

    /// Mostly a new key with its proof; sometimes an old one, or with a proof of something else.
    fn new_key(&mut self, account: &Address) -> (PublicKey, Signature) {
        self.serial += 1;
        let pair = key(&format!("key {} {}", self.seed, self.serial));
        let chain = if self.dice.percent(5) { Digest::ZERO } else { *self.ledger.chain_id() };
        let proof = pair.sign(&key_binding(&chain, account));
        let used = self.any_key();
        (if self.dice.percent(8) { used } else { pair.public_key() }, proof)
    }

    fn key_op(&mut self, who: Address) -> AccountOp {
        let ((public_key, proof), label) = (self.new_key(&who), Label::new("k").unwrap());
        let own = self.model.identity.live(&who);
        let known = self.dice.pick(&own).copied().unwrap_or(public_key);
        let known = if self.dice.percent(15) { self.any_key() } else { known };
        match self.dice.below(8) {
            0..=2 => AccountOp::AddKey { public_key, proof, label },
            3 => AccountOp::RotateKey { public_key, proof, label },
            4 => AccountOp::LabelKey { public_key: known, label },
            _ => AccountOp::RevokeKey { public_key: known },
        }
    }

    fn set_guardians(&mut self) -> Operation {
        let mut guardians: Vec<Address> = (0..self.dice.below(4)).map(|_| self.anyone()).collect();
        if self.dice.percent(80) {
            guardians.sort_unstable();
            guardians.dedup();
        }
        let n = u8::try_from(guardians.len()).unwrap();
        let some = u8::try_from(self.dice.below(2)).unwrap();
        let threshold = if self.dice.percent(90) { n.min(1 + some) } else { n + some };
        let delay = Millis::days(if self.dice.percent(90) { 1 } else { self.dice.below(40) });
        AccountOp::SetGuardians { guardians, threshold, delay }.into()
    }

    fn propose_recovery(&mut self, who: Address) -> (Address, Operation) {
        let rows = self.model.identity.guardians.iter();
        let pairs: Vec<(Address, Address)> =
            rows.flat_map(|(account, row)| row.who.iter().map(|guardian| (*account, *guardian))).collect();
        let (account, guardian) = self.dice.pick(&pairs).copied().unwrap_or((who, who));
        let account = if self.dice.percent(4) { address("nobody") } else { account };
        let who = if self.dice.percent(10) { who } else { guardian };
        let (new, proof) = self.new_key(&account);
        let waiting = self.model.identity.asked_for(&who, &account, "PROPOSED");
        let public_key = match waiting.first() {
            Some(id) if self.dice.percent(20) => self.model.identity.recoveries[id].key,
            _ => new,
        };
        (who, AccountOp::ProposeRecovery { account, public_key, proof }.into())
    }

    /// Mostly one that can still be agreed to, or stopped.
    fn recovery(&mut self) -> Digest {
        let rows = &self.model.identity.recoveries;
        let open = rows.iter().filter(|(_, row)| matches!(row.state, "PROPOSED" | "READY"));
        let open: Vec<Digest> = open.map(|(id, _)| *id).collect();
        let any = self.known(|model| &model.identity.recoveries);
        if self.dice.percent(20) { any } else { self.dice.pick(&open).copied().unwrap_or(any) }
    }

    fn agree(&mut self, who: Address) -> (Address, Operation) {
        let id = self.recovery();
        let account = self.model.identity.recoveries.get(&id).map(|row| row.account);
        let guardians = account.and_then(|account| self.model.identity.guardians.get(&account));
        let guardians: Vec<Address> = guardians.into_iter().flat_map(|row| row.who.clone()).collect();
        let guardian = self.dice.pick(&guardians).copied().unwrap_or(who);
        let who = if self.dice.percent(10) { who } else { guardian };
        (who, AccountOp::AgreeToRecovery { recovery: RecoveryId::new(id) }.into())
    }

    fn cancel(&mut self, who: Address) -> (Address, Operation) {
        let id = self.recovery();
        let owner = self.model.identity.recoveries.get(&id).map_or(who, |row| row.account);
        let who = if self.dice.percent(20) { who } else { owner };
        (who, AccountOp::CancelRecovery { recovery: RecoveryId::new(id) }.into())
    }

    fn set_limit(&mut self) -> Operation {
        let per_day = self.dice.percent(70).then(|| Amount::new(self.dice.below(20_000)));
        AccountOp::SetLimit { asset: self.asset(), per_day }.into()
    }

    fn freeze(&mut self, who: Address) -> (Address, Operation) {
        let admin = if self.dice.percent(50) { address("ann") } else { address("ben") };
        let (who, someone) = (if self.dice.percent(10) { who } else { admin }, self.anyone());
        let frozen: Vec<Address> = self.model.identity.frozen.keys().copied().collect();
        let account = if self.dice.percent(4) { address("nobody") } else { someone };
        // Lifted more often than set: otherwise nobody could do anything.
        if self.dice.percent(30) {
            let reason = Reason::new("odd").unwrap();
            return (who, AccountOp::Freeze { account, reason }.into());
        }
        let account = self.dice.pick(&frozen).copied().unwrap_or(account);
        (who, AccountOp::Unfreeze { account }.into())
    }

    pub(super) fn compare_identity(&self) {
        let (ledger, identity, at) = (&self.ledger, &self.model.identity, (self.seed, self.seq));
        for who in self.model.accounts.keys() {
            let of_them = identity.keys.iter().filter(|(_, of)| of.0 == *who);
            let expected = of_them.map(|(key, of)| (*key, of.1));
            assert!(ledger.keys(who).map(|(key, row)| (key, row.is_live())).eq(expected), "{at:?}");
            let frozen = ledger.freeze(who).map(|freeze| freeze.by);
            assert_eq!(frozen, identity.frozen.get(who).copied(), "{at:?}");
            let now = UnixMillis::new(self.now);
            let tokens = self.model.exchange.tokens.keys().map(|token| AssetId::from(*token));
            for asset in std::iter::once(AssetId::Pop).chain(tokens) {
                let limit = ledger.spending_limit(who, asset).and_then(|row| row.at(now));
                assert_eq!(limit.map(Amount::value), identity.limit(who, asset, self.now), "{at:?}");
            }
            let guardians = ledger.guardians(who).map(|row| (row.guardians.clone(), row.generation));
            let expected = identity.guardians.get(who);
            let expected = expected.map(|row| (row.who.iter().copied().collect(), row.generation));
            assert_eq!(guardians, expected, "{at:?}");
            let guarded = identity.guardians.iter().filter(|(_, row)| row.who.contains(who));
            assert!(ledger.guarded_by(who, None).eq(guarded.map(|(account, _)| account)), "{at:?}");
            let recoveries = identity.recoveries.values().filter(|row| row.account == *who).count();
            assert_eq!(ledger.recoveries_after(who, None, None).count(), recoveries, "{at:?}");
        }
        for (id, recovery) in &identity.recoveries {
            let row = ledger.recovery(&RecoveryId::new(*id)).unwrap();
            let agreed: Vec<(Address, u64)> =
                row.agreed.iter().map(|word| (word.guardian, word.at.value())).collect();
            let got = (row.account, row.public_key, agreed, row.status.code());
            let expected = (recovery.account, recovery.key, recovery.agreed(), recovery.state);
            assert_eq!(got, expected, "{at:?}");
            if let RecoveryStatus::Ready { due } = row.status {
                assert_eq!(due.value(), recovery.due, "{at:?}");
            }
        }
    }
}
