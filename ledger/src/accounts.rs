//! Accounts: who takes part, under which name and key, and what they may do.

mod roles;

use std::collections::{BTreeMap, BTreeSet};

use pbft_crypto::{Address, PublicKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::EventKind;
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::table::{EntryError, Row, Table, TableId};
use crate::text::Name;
use crate::time::UnixMillis;

pub use roles::{RoleChange, RoleChangeStatus, RoleEvent, RoleOp, RoleRejection};

/// Transactions about accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountOp {
    /// Opens the sender's account. The sender is the address of the key that signs, which becomes the account's key.
    Register {
        /// The account's name, which no other account has.
        name: Name,
    },
    /// What accounts may do.
    Role(RoleOp),
}

/// What an account may do beyond the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing.
    Member,
    /// Decide on charges of others, and with another admin on who the replicas are and who has which role.
    Admin,
    /// Decide on disputes of others.
    Arbiter,
    /// Attest that parcels of others were delivered.
    Courier,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Member, Self::Admin, Self::Arbiter, Self::Courier];

    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Member => "MEMBER",
            Self::Admin => "ADMIN",
            Self::Arbiter => "ARBITER",
            Self::Courier => "COURIER",
        }
    }
}

/// Someone who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The name it shows.
    pub name: Name,
    /// The key that signs for it.
    pub key: PublicKey,
    /// What it may do.
    pub role: Role,
    /// How many of its charges were approved.
    pub charge_count: u64,
    /// Since when it exists.
    pub registered_at: UnixMillis,
}

impl Row for Account {
    type Key = Address;
    const TABLE: TableId = TableId::Accounts;
}

/// Why nothing happens to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum AccountRejection {
    /// The sender has an account.
    #[error("the account is open already")]
    AlreadyRegistered,
    /// Another account has the name.
    #[error("the name is taken")]
    NameTaken,
    /// Roles.
    #[error(transparent)]
    Role(#[from] RoleRejection),
}

impl AccountRejection {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered => "ALREADY_REGISTERED",
            Self::NameTaken => "NAME_TAKEN",
            Self::Role(rejection) => rejection.code(),
        }
    }
}

/// What happens to accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountEvent {
    /// Someone takes part from now on.
    Registered {
        /// The new account.
        address: Address,
        /// Its name.
        name: Name,
        /// Its key.
        public_key: PublicKey,
        /// What it may do.
        role: Role,
        /// When.
        at: UnixMillis,
    },
    /// Roles.
    Role(RoleEvent),
}

impl AccountEvent {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "account.registered",
            Self::Role(event) => event.name(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) rows: Table<Account>,
    /// By folded name. Follows from the rows.
    names: BTreeMap<String, Address>,
    /// Those with that role. Follows from the rows.
    arbiters: BTreeSet<Address>,
    pub(crate) role_changes: Table<RoleChange>,
}

impl Accounts {
    pub(crate) fn find(&self, address: &Address) -> Option<&Account> {
        self.rows.find(address)
    }

    pub(crate) fn contains(&self, address: &Address) -> bool {
        self.rows.contains(address)
    }

    pub(crate) fn address_of(&self, name: &Name) -> Option<Address> {
        self.names.get(&name.folded()).copied()
    }

    pub(crate) fn is_admin(&self, address: &Address) -> bool {
        self.find(address).is_some_and(|account| account.role == Role::Admin)
    }

    pub(crate) fn is_courier(&self, address: &Address) -> bool {
        self.find(address).is_some_and(|account| account.role == Role::Courier)
    }

    /// In the order of their addresses.
    pub(crate) fn arbiters(&self) -> impl Iterator<Item = &Address> {
        self.arbiters.iter()
    }

    pub(crate) fn open(
        &mut self,
        address: Address,
        account: Account,
        events: &mut Vec<EventKind>,
    ) -> Result<(), AccountRejection> {
        if self.contains(&address) {
            return Err(AccountRejection::AlreadyRegistered);
        }
        if self.address_of(&account.name).is_some() {
            return Err(AccountRejection::NameTaken);
        }
        let Account { name, key: public_key, role, registered_at: at, .. } = account.clone();
        self.names.insert(name.folded(), address);
        self.index_role(address, role);
        self.rows.put(address, account);
        events.push(AccountEvent::Registered { address, name, public_key, role, at }.into());
        Ok(())
    }

    pub(crate) fn count_charge(&mut self, address: Address) {
        if let Some(account) = self.find(&address) {
            let charge_count = account.charge_count.saturating_add(1);
            let account = Account { charge_count, ..account.clone() };
            self.rows.put(address, account);
        }
    }

    fn set_role(&mut self, address: Address, role: Role) {
        if let Some(account) = self.find(&address) {
            let account = Account { role, ..account.clone() };
            self.rows.put(address, account);
            self.index_role(address, role);
        }
    }

    fn index_role(&mut self, address: Address, role: Role) {
        if role == Role::Arbiter {
            self.arbiters.insert(address);
        } else {
            self.arbiters.remove(&address);
        }
    }

    pub(crate) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), EntryError> {
        let (address, account) = self.rows.load(key, value)?;
        let role = account.role;
        self.names.insert(account.name.folded(), address);
        self.index_role(address, role);
        Ok(())
    }

    /// The index is that of the accounts.
    pub(crate) fn arbiters_are_sound(&self) -> bool {
        let arbiters = self.rows.iter().filter(|(_, account)| account.role == Role::Arbiter);
        arbiters.map(|(address, _)| address).eq(self.arbiters.iter())
    }

    /// Each account has its own name, and the index is that of the accounts.
    pub(crate) fn names_are_unique(&self) -> bool {
        self.names.len() == self.rows.iter().count()
            && self.rows.iter().all(|(address, account)| self.address_of(&account.name) == Some(*address))
    }
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &AccountOp,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    match op {
        AccountOp::Register { name } => {
            let account = Account {
                name: name.clone(),
                key: context.key,
                role: Role::Member,
                charge_count: 0,
                registered_at: context.now,
            };
            Ok(state.accounts.open(context.sender, account, events)?)
        }
        AccountOp::Role(op) => {
            roles::apply(&mut state.accounts, context, op, events).map_err(AccountRejection::Role)?;
            Ok(())
        }
    }
}
