//! The rules about keys, guardians, limits and freezes once more, as naively as possible: lists of all that ever was.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{AccountOp, AssetId, Genesis, Role};
use pbft_crypto::{Address, Digest, Domain, PublicKey, Signature};

use crate::model::{MAccount, Model, Outcome, ensure};

#[derive(Clone, Debug)]
pub(crate) struct MRecovery {
    pub(crate) account: Address,
    pub(crate) key: PublicKey,
    /// Who has agreed and when, each time. The first one has asked for it.
    words: Vec<(Address, u64)>,
    generation: u64,
    pub(crate) state: &'static str,
    pub(crate) due: u64,
}

impl MRecovery {
    /// Each once, in the order of their first words, with the time of the last one.
    pub(crate) fn agreed(&self) -> Vec<(Address, u64)> {
        let mut agreed: Vec<(Address, u64)> = Vec::new();
        for (who, at) in &self.words {
            match agreed.iter().position(|(other, _)| other == who) {
                Some(place) => agreed[place].1 = *at,
                None => agreed.push((*who, *at)),
            }
        }
        agreed
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct MGuardians {
    pub(crate) who: BTreeSet<Address>,
    threshold: usize,
    delay: u64,
    pub(crate) generation: u64,
}

/// From when on how much, if there is a limit then.
type DatedLimit = (u64, Option<u64>);

#[derive(Default)]
pub(crate) struct Identity {
    raise_delay: u64,
    delays: (u64, u64),
    /// All keys that ever were: whose, and whether they sign.
    pub(crate) keys: BTreeMap<PublicKey, (Address, bool)>,
    pub(crate) guardians: BTreeMap<Address, MGuardians>,
    pub(crate) recoveries: BTreeMap<Digest, MRecovery>,
    /// From when on how much may be spent in a day. Of those that have begun the last one holds.
    limits: BTreeMap<(Address, AssetId), Vec<DatedLimit>>,
    /// When and how much, since there is a limit.
    spent: BTreeMap<(Address, AssetId), Vec<(u64, u64)>>,
    /// By whom.
    pub(crate) frozen: BTreeMap<Address, Address>,
    /// Who was frozen and when, each time.
    freezes: Vec<(Address, u64)>,
}

impl Identity {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let params = &genesis.params.accounts;
        let key = |account: &ledger::GenesisAccount| (account.public_key, (account.address(), true));
        Self {
            raise_delay: params.limit_raise_delay.value(),
            delays: (params.min_recovery_delay.value(), params.max_recovery_delay.value()),
            keys: genesis.accounts.iter().map(key).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn signs(&self, who: &Address, key: &PublicKey) -> bool {
        self.keys.get(key) == Some(&(*who, true))
    }

    pub(crate) fn live(&self, who: &Address) -> Vec<PublicKey> {
        self.keys.iter().filter(|(_, of)| **of == (*who, true)).map(|(key, _)| *key).collect()
    }

    pub(crate) fn limit(&self, who: &Address, asset: AssetId, time: u64) -> Option<u64> {
        let mut wishes = self.limits.get(&(*who, asset)).into_iter().flatten();
        wishes.rfind(|(from, _)| *from <= time).and_then(|(_, limit)| *limit)
    }

    pub(crate) fn due(&self) -> impl Iterator<Item = (u64, Digest)> {
        let ready = self.recoveries.iter().filter(|(_, row)| row.state == "READY");
        ready.map(|(id, row)| (row.due, *id))
    }

    pub(crate) fn expire(&mut self, id: Digest) {
        let row = self.recoveries[&id].clone();
        let outdated = self.generation(&row.account) != row.generation;
        let (few, MRecovery { account, key, .. }) = (!self.enough_agree(&row), row);
        let lapsed = outdated || few || self.keys.contains_key(&key);
        self.recoveries.get_mut(&id).unwrap().state = if lapsed { "LAPSED" } else { "DONE" };
        if !lapsed {
            for of in self.keys.values_mut().filter(|of| of.0 == account) {
                of.1 = false;
            }
            self.keys.insert(key, (account, true));
            self.guardians.get_mut(&account).unwrap().generation += 1;
        }
    }

    fn generation(&self, who: &Address) -> u64 {
        self.guardians.get(who).map_or(0, |row| row.generation)
    }

    fn may_be_new(&self, chain: &Digest, who: &Address, key: &PublicKey, proof: &Signature) -> Outcome {
        ensure(!self.keys.contains_key(key), "KEY_USED")?;
        let data = [chain.as_bytes().as_slice(), who.as_bytes()].concat();
        let digest = pbft_crypto::digest(Domain::new("popmarket.key.v1"), &data);
        ensure(pbft_crypto::verify(key, &digest, proof).is_ok(), "BAD_KEY_PROOF")
    }

    fn is_guardian(&self, who: &Address, of: &Address) -> Outcome {
        ensure(self.guardians.get(of).is_some_and(|row| row.who.contains(who)), "NOT_GUARDIAN")?;
        ensure(!self.frozen.contains_key(who), "ACCOUNT_FROZEN")
    }

    /// What a guardian has asked for, since guardians were named, that is in some state.
    pub(crate) fn asked_for(&self, who: &Address, account: &Address, state: &str) -> Vec<Digest> {
        let generation = self.generation(account);
        let is_such = |row: &MRecovery| {
            let is_theirs = row.account == *account && row.words[0].0 == *who;
            is_theirs && row.generation == generation && row.state == state
        };
        self.recoveries.iter().filter(|(_, row)| is_such(row)).map(|(id, _)| *id).collect()
    }

    /// Those of them whose asker was not frozen since.
    fn own(&self, asked_for: &[Digest]) -> Vec<Digest> {
        let is_own = |id: &Digest| {
            let (who, at) = self.recoveries[id].words[0];
            self.freezes.iter().all(|(frozen, since)| *frozen != who || *since < at)
        };
        asked_for.iter().copied().filter(is_own).collect()
    }

    /// Those who have agreed after each freeze of theirs.
    fn who_counts(&self, row: &MRecovery) -> BTreeSet<Address> {
        let is_void = |word: &(Address, u64)| {
            self.freezes.iter().any(|(frozen, since)| *frozen == word.0 && *since >= word.1)
        };
        row.words.iter().filter(|word| !is_void(word)).map(|(who, _)| *who).collect()
    }

    fn enough_agree(&self, row: &MRecovery) -> bool {
        self.who_counts(row).len() >= self.guardians[&row.account].threshold
    }

    fn agree(&mut self, who: Address, id: Digest, time: u64) {
        let were_enough = self.enough_agree(&self.recoveries[&id]);
        self.recoveries.get_mut(&id).unwrap().words.push((who, time));
        let row = self.recoveries[&id].clone();
        if !were_enough && self.enough_agree(&row) {
            let due = time + self.guardians[&row.account].delay;
            self.recoveries.insert(id, MRecovery { state: "READY", due, ..row });
        }
    }
}

impl Model {
    /// Takes account of what leaves an account, if it may.
    pub(crate) fn spend(&mut self, who: Address, asset: AssetId, amount: u64, time: u64) -> Outcome {
        self.may_spend(&who, asset, u128::from(amount), time)?;
        ensure(self.available_of(&who, asset) >= i128::from(amount), "INSUFFICIENT_FUNDS")?;
        self.count_spent(who, asset, amount, time);
        Ok(())
    }

    pub(crate) fn is_not_frozen(&self, who: &Address) -> Outcome {
        ensure(!self.identity.frozen.contains_key(who), "ACCOUNT_FROZEN")
    }

    /// As far as freezes and limits are concerned.
    pub(crate) fn may_spend(&self, who: &Address, asset: AssetId, amount: u128, time: u64) -> Outcome {
        let day = |time: u64| time / 86_400_000;
        self.is_not_frozen(who)?;
        let spent = self.identity.spent.get(&(*who, asset)).into_iter().flatten();
        let today = spent.filter(|(at, _)| day(*at) == day(time)).map(|(_, amount)| u128::from(*amount));
        match self.identity.limit(who, asset, time) {
            Some(limit) => {
                ensure(today.sum::<u128>() + amount <= u128::from(limit), "SPENDING_LIMIT_EXCEEDED")
            }
            None => Ok(()),
        }
    }

    pub(crate) fn count_spent(&mut self, who: Address, asset: AssetId, amount: u64, time: u64) {
        if self.identity.limits.contains_key(&(who, asset)) {
            self.identity.spent.entry((who, asset)).or_default().push((time, amount));
        }
    }

    pub(crate) fn account(
        &mut self,
        who: Address,
        signer: &PublicKey,
        id: Digest,
        time: u64,
        op: &AccountOp,
    ) -> Outcome {
        match op {
            AccountOp::Register { name } => self.register(who, signer, name.as_str()),
            AccountOp::AddKey { public_key, proof, .. } => self.add_key(who, public_key, proof),
            AccountOp::RotateKey { public_key, proof, .. } => {
                self.add_key(who, public_key, proof)?;
                self.identity.keys.insert(*signer, (who, false));
                Ok(())
            }
            AccountOp::RevokeKey { public_key } => {
                ensure(self.identity.signs(&who, public_key), "UNKNOWN_KEY")?;
                ensure(self.identity.live(&who).len() > 1, "LAST_KEY")?;
                self.identity.keys.insert(*public_key, (who, false));
                Ok(())
            }
            AccountOp::LabelKey { public_key, .. } => {
                ensure(self.identity.signs(&who, public_key), "UNKNOWN_KEY")
            }
            AccountOp::SetLimit { asset, per_day } => {
                self.set_limit(who, *asset, time, per_day.map(ledger::Amount::value));
                Ok(())
            }
            AccountOp::Freeze { account, .. } => self.freeze(who, *account, time),
            AccountOp::Unfreeze { account } => {
                ensure(self.is_admin(&who), "NOT_ADMIN")?;
                ensure(self.accounts.contains_key(account), "UNKNOWN_ACCOUNT")?;
                let by = self.identity.frozen.get(account).ok_or("NOT_FROZEN")?;
                ensure(*by != who, "OWN_FREEZE")?;
                self.identity.frozen.remove(account);
                Ok(())
            }
            AccountOp::Role(op) => self.change_role(who, id, op),
            AccountOp::SetGuardians { .. }
            | AccountOp::ProposeRecovery { .. }
            | AccountOp::AgreeToRecovery { .. }
            | AccountOp::CancelRecovery { .. } => self.recover(who, id, time, op),
        }
    }

    fn register(&mut self, who: Address, key: &PublicKey, name: &str) -> Outcome {
        ensure(!self.accounts.contains_key(&who), "ALREADY_REGISTERED")?;
        ensure(!self.accounts.values().any(|other| other.name.eq_ignore_ascii_case(name)), "NAME_TAKEN")?;
        ensure(!self.identity.keys.contains_key(key), "KEY_USED")?;
        let account = MAccount { name: name.to_owned(), key: *key, role: Role::Member, charges: 0 };
        self.accounts.insert(who, account);
        self.identity.keys.insert(*key, (who, true));
        self.polls.registered(who);
        Ok(())
    }

    fn add_key(&mut self, who: Address, key: &PublicKey, proof: &Signature) -> Outcome {
        self.identity.may_be_new(&self.chain_id, &who, key, proof)?;
        ensure(self.identity.keys.values().filter(|of| of.0 == who).count() < 256, "TOO_MANY_KEYS")?;
        self.identity.keys.insert(*key, (who, true));
        Ok(())
    }

    fn set_limit(&mut self, who: Address, asset: AssetId, time: u64, wish: Option<u64>) {
        let holds = self.identity.limit(&who, asset, time);
        let is_more = holds.is_some_and(|holds| wish.is_none_or(|wish| wish > holds));
        let wishes = self.identity.limits.entry((who, asset)).or_default();
        wishes.retain(|(from, _)| *from <= time);
        wishes.push((if is_more { time + self.identity.raise_delay } else { time }, wish));
    }

    fn freeze(&mut self, who: Address, account: Address, time: u64) -> Outcome {
        ensure(self.is_admin(&who), "NOT_ADMIN")?;
        ensure(self.accounts.contains_key(&account), "UNKNOWN_ACCOUNT")?;
        ensure(!self.is_admin(&account), "ADMIN_ACCOUNT")?;
        ensure(!self.identity.frozen.contains_key(&account), "ALREADY_FROZEN")?;
        self.identity.frozen.insert(account, who);
        self.identity.freezes.push((account, time));
        Ok(())
    }

    fn recover(&mut self, who: Address, id: Digest, time: u64, op: &AccountOp) -> Outcome {
        let identity = &mut self.identity;
        match op {
            AccountOp::SetGuardians { guardians, threshold, delay } => {
                ensure(!identity.frozen.contains_key(&who), "ACCOUNT_FROZEN")?;
                let set: BTreeSet<Address> = guardians.iter().copied().collect();
                let is_other = |other: &Address| *other != who && self.accounts.contains_key(other);
                let is_good = set.len() == guardians.len() && set.len() <= 16 && set.iter().all(is_other);
                ensure(is_good, "BAD_GUARDIANS")?;
                let (n, threshold) = (set.len(), usize::from(*threshold));
                ensure(threshold <= n && (n == 0 || threshold > 0), "BAD_THRESHOLD")?;
                let delay = delay.value();
                ensure(delay >= identity.delays.0 && delay <= identity.delays.1, "BAD_DELAY")?;
                let generation = identity.generation(&who) + 1;
                identity.guardians.insert(who, MGuardians { who: set, threshold, delay, generation });
            }
            AccountOp::ProposeRecovery { account, public_key, proof } => {
                ensure(self.accounts.contains_key(account), "UNKNOWN_ACCOUNT")?;
                identity.is_guardian(&who, account)?;
                let [waiting, running, lapsed] =
                    ["PROPOSED", "READY", "LAPSED"].map(|state| identity.asked_for(&who, account, state));
                let (own_waiting, own_lapsed) = (identity.own(&waiting), identity.own(&lapsed));
                let may = running.is_empty() && (own_waiting.is_empty() || own_lapsed.len() < 10);
                let waits_for_it = |id: &Digest| identity.recoveries[id].key == *public_key;
                ensure(may && !own_waiting.iter().any(waits_for_it), "RECOVERY_OPEN")?;
                identity.may_be_new(&self.chain_id, account, public_key, proof)?;
                for before in waiting {
                    identity.recoveries.get_mut(&before).unwrap().state = "LAPSED";
                }
                let (account, key, words) = (*account, *public_key, Vec::new());
                let generation = identity.generation(&account);
                let row = MRecovery { account, key, words, generation, state: "PROPOSED", due: 0 };
                identity.recoveries.insert(id, row);
                identity.agree(who, id, time);
            }
            AccountOp::AgreeToRecovery { recovery } => {
                let row = identity.recoveries.get(recovery.digest()).ok_or("UNKNOWN_RECOVERY")?;
                identity.is_guardian(&who, &row.account)?;
                let is_current = row.generation == identity.generation(&row.account);
                ensure(!identity.who_counts(row).contains(&who), "ALREADY_AGREED")?;
                ensure(is_current && matches!(row.state, "PROPOSED" | "READY"), "RECOVERY_OVER")?;
                identity.agree(who, *recovery.digest(), time);
            }
            AccountOp::CancelRecovery { recovery } => {
                let row = identity.recoveries.get_mut(recovery.digest()).ok_or("UNKNOWN_RECOVERY")?;
                ensure(row.account == who, "NOT_ACCOUNT_OWNER")?;
                ensure(matches!(row.state, "PROPOSED" | "READY"), "RECOVERY_OVER")?;
                row.state = "CANCELLED";
            }
            _ => unreachable!("not about recoveries"),
        }
        Ok(())
    }
}
