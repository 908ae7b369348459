//! Keys: an account may have several, all of which sign for it alike. A key belongs to one account, once and for all.

use std::collections::{BTreeMap, BTreeSet};

use pbft_crypto::{Address, Digest, Domain, PublicKey, Signature, digest, verify};
use serde::{Deserialize, Serialize};

use super::{AccountEvent, AccountRejection, Accounts};
use crate::event::EventKind;
use crate::state::Context;
use crate::table::{EntryError, Row, Table, TableId};
use crate::text::Label;
use crate::time::UnixMillis;

/// How many keys an account can have had when its owner adds one. A recovery may go beyond: otherwise a thief could use
/// them all up.
pub const MAX_ACCOUNT_KEYS: u16 = 256;

const BINDING: Domain = Domain::new("popmarket.key.v1");

/// A key of an account. It is kept when it is revoked: a key is never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountKey {
    /// Whose it is or was.
    pub account: Address,
    /// What the owner calls it. May be empty.
    pub label: Label,
    /// Since when.
    pub added_at: UnixMillis,
    /// When it ceased to sign, if it did.
    pub revoked_at: Option<UnixMillis>,
}

impl AccountKey {
    pub(super) const fn new(account: Address, label: Label, added_at: UnixMillis) -> Self {
        Self { account, label, added_at, revoked_at: None }
    }

    /// Whether it signs for the account.
    pub const fn is_live(&self) -> bool {
        self.revoked_at.is_none()
    }
}

impl Row for AccountKey {
    type Key = PublicKey;
    const TABLE: TableId = TableId::AccountKeys;
}

/// What a key signs to become one of an account's.
pub fn key_binding(chain_id: &Digest, account: &Address) -> Digest {
    digest(BINDING, &binding(chain_id, account))
}

/// The bytes whose plain SHA-256 is the [`key_binding`], for signers that hash by themselves.
pub fn binding_preimage(chain_id: &Digest, account: &Address) -> Vec<u8> {
    let tag = BINDING.tag().as_bytes();
    let mut bytes: Vec<u8> = u8::try_from(tag.len()).into_iter().chain(tag.iter().copied()).collect();
    bytes.extend(binding(chain_id, account));
    bytes
}

fn binding(chain_id: &Digest, account: &Address) -> Vec<u8> {
    [chain_id.as_bytes().as_slice(), account.as_bytes()].concat()
}

/// The keys of all accounts.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) rows: Table<AccountKey>,
    /// Which keys an account has or had. Follows from the rows.
    of: BTreeMap<Address, BTreeSet<PublicKey>>,
}

impl Keys {
    pub(crate) fn find(&self, key: &PublicKey) -> Option<&AccountKey> {
        self.rows.find(key)
    }

    /// Whether the key signs for the account.
    pub(crate) fn signs_for(&self, account: &Address, key: &PublicKey) -> bool {
        self.find(key).is_some_and(|row| row.account == *account && row.is_live())
    }

    /// All that an account has or had, in the order of their bytes.
    pub(crate) fn of(&self, account: &Address) -> impl Iterator<Item = (PublicKey, &AccountKey)> {
        let keys = self.of.get(account).into_iter().flatten();
        keys.filter_map(|key| Some((*key, self.find(key)?)))
    }

    pub(super) fn put(&mut self, key: PublicKey, row: AccountKey) {
        self.of.entry(row.account).or_default().insert(key);
        self.rows.put(key, row);
    }

    pub(crate) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), EntryError> {
        let (key, row) = self.rows.load(key, value)?;
        self.of.entry(row.account).or_default().insert(key);
        Ok(())
    }

    /// Each account has a key that signs, and the index is that of the keys.
    pub(crate) fn are_sound(&self, mut accounts: impl Iterator<Item = Address>) -> bool {
        let mut of: BTreeMap<Address, BTreeSet<PublicKey>> = BTreeMap::new();
        for (key, row) in self.rows.iter() {
            of.entry(row.account).or_default().insert(*key);
        }
        of == self.of && accounts.all(|account| self.of(&account).any(|(_, row)| row.is_live()))
    }
}

pub(crate) fn add(
    accounts: &mut Accounts,
    context: &Context,
    public_key: PublicKey,
    proof: &Signature,
    label: &Label,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    let (address, at) = (context.sender, context.now);
    check_new(accounts, context, address, &public_key, proof)?;
    if accounts.keys.of(&address).count() >= usize::from(MAX_ACCOUNT_KEYS) {
        return Err(AccountRejection::TooManyKeys { max: MAX_ACCOUNT_KEYS });
    }
    put_new(accounts, address, public_key, label, at, events);
    Ok(())
}

pub(crate) fn revoke(
    accounts: &mut Accounts,
    context: &Context,
    public_key: PublicKey,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    let address = context.sender;
    if !accounts.keys.signs_for(&address, &public_key) {
        return Err(AccountRejection::UnknownKey);
    }
    if accounts.keys.of(&address).filter(|(_, row)| row.is_live()).count() < 2 {
        return Err(AccountRejection::LastKey);
    }
    put_revoked(accounts, address, public_key, context.now, events);
    Ok(())
}

/// The account is never without a key in between, and one transaction does it all.
pub(crate) fn rotate(
    accounts: &mut Accounts,
    context: &Context,
    public_key: PublicKey,
    proof: &Signature,
    label: &Label,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    add(accounts, context, public_key, proof, label, events)?;
    put_revoked(accounts, context.sender, context.key, context.now, events);
    Ok(())
}

pub(crate) fn label(
    accounts: &mut Accounts,
    context: &Context,
    public_key: PublicKey,
    label: &Label,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    let (address, at) = (context.sender, context.now);
    let row = accounts.keys.find(&public_key).filter(|row| row.account == address && row.is_live());
    let row = row.ok_or(AccountRejection::UnknownKey)?.clone();
    accounts.keys.put(public_key, AccountKey { label: label.clone(), ..row });
    events.push(AccountEvent::KeyLabelled { address, public_key, label: label.clone(), at }.into());
    Ok(())
}

/// Whether a key may become one of an account's: nobody has it, and it is held by someone who wants that.
pub(super) fn check_new(
    accounts: &Accounts,
    context: &Context,
    account: Address,
    key: &PublicKey,
    proof: &Signature,
) -> Result<(), AccountRejection> {
    if accounts.keys.find(key).is_some() {
        return Err(AccountRejection::KeyUsed);
    }
    let binding = key_binding(&context.chain_id, &account);
    verify(key, &binding, proof).map_err(|_| AccountRejection::BadKeyProof)
}

pub(super) fn put_new(
    accounts: &mut Accounts,
    address: Address,
    public_key: PublicKey,
    label: &Label,
    at: UnixMillis,
    events: &mut Vec<EventKind>,
) {
    accounts.keys.put(public_key, AccountKey::new(address, label.clone(), at));
    events.push(AccountEvent::KeyAdded { address, public_key, label: label.clone(), at }.into());
}

pub(super) fn put_revoked(
    accounts: &mut Accounts,
    address: Address,
    public_key: PublicKey,
    at: UnixMillis,
    events: &mut Vec<EventKind>,
) {
    if let Some(row) = accounts.keys.find(&public_key) {
        let row = AccountKey { revoked_at: Some(at), ..row.clone() };
        accounts.keys.put(public_key, row);
        events.push(AccountEvent::KeyRevoked { address, public_key, at }.into());
    }
}
