//! Accounts: who takes part, under which name and keys, what they may do, who may bring an account back, and how much may
//! leave it.
//!
//! * `keys.rs`: an account has several keys; its address stays that of the first one.
//! * `guardians.rs`: whom an owner trusts to bring the account back.
//! * `recovery.rs`: guardians give an account whose keys are lost a new one, after a delay; `recoveries.rs`: how they are found.
//! * `limits.rs`: what an owner lets go out in a day.
//! * `freezes.rs`: admins stop an account from spending.
//! * `roles.rs`: two admins change what an account may do.
//! * `params.rs`: what operators choose.

mod event;
mod freezes;
mod guardians;
mod keys;
mod limits;
mod params;
mod recoveries;
mod recovery;
mod rejection;
mod roles;

use std::collections::{BTreeMap, BTreeSet};

use pbft_crypto::{Address, PublicKey, Signature};
use serde::{Deserialize, Serialize};

use crate::amount::{Amount, AssetId};
use crate::event::EventKind;
use crate::ids::RecoveryId;
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::table::{EntryError, Row, Table, TableId};
use crate::text::{Label, Name, Reason};
use crate::time::{Millis, UnixMillis};

pub use event::AccountEvent;
pub use freezes::Freeze;
pub(crate) use freezes::Freezes;
pub(crate) use guardians::AllGuardians;
pub use guardians::{Guardians, MAX_GUARDIANS};
pub(crate) use keys::Keys;
pub use keys::{AccountKey, MAX_ACCOUNT_KEYS, binding_preimage, key_binding};
pub use limits::{LimitRaise, SpendingLimit};
pub(crate) use limits::{check_spending, spend};
pub use params::AccountParams;
pub(crate) use recoveries::Recoveries;
pub use recoveries::RecoveryPlace;
pub use recovery::{Agreement, MAX_LAPSED_WISHES, Recovery, RecoveryStatus};
pub(crate) use recovery::{check_agreement, check_proposal, expire, in_the_way_of};
pub use rejection::AccountRejection;
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
    /// One more key for the sender's account.
    AddKey {
        /// The key. It never was a key of any account.
        public_key: PublicKey,
        /// The signature of [`key_binding`] with it: nobody takes a key that is somebody else's.
        proof: Signature,
        /// What the owner calls it. May be empty.
        label: Label,
    },
    /// A key of the sender's account signs no more. It never comes back, for any account.
    RevokeKey {
        /// Which. Not the last one.
        public_key: PublicKey,
    },
    /// Another key in the place of the one that signs this.
    RotateKey {
        /// The new one.
        public_key: PublicKey,
        /// The signature of [`key_binding`] with it.
        proof: Signature,
        /// What the owner calls it. May be empty.
        label: Label,
    },
    /// Another name for a key of the sender's account.
    LabelKey {
        /// Which.
        public_key: PublicKey,
        /// What the owner calls it. May be empty.
        label: Label,
    },
    /// Who may bring the sender's account back, from now on. What was begun by those of before comes to nothing.
    SetGuardians {
        /// Their accounts. Nobody, to have none.
        guardians: Vec<Address>,
        /// How many of them it takes.
        threshold: u8,
        /// How long the owner may object.
        delay: Millis,
    },
    /// A guardian of an account whose keys are lost asks for a new one. As long as too few agree, it may ask for another one instead.
    ProposeRecovery {
        /// Which account.
        account: Address,
        /// The new key. It never was a key of any account.
        public_key: PublicKey,
        /// The signature of [`key_binding`] with it.
        proof: Signature,
    },
    /// Another guardian agrees; or, once more, one who was frozen since.
    AgreeToRecovery {
        /// To which one.
        recovery: RecoveryId,
    },
    /// The owner, who has a key after all, stops a recovery.
    CancelRecovery {
        /// Which.
        recovery: RecoveryId,
    },
    /// The most that may leave the sender's account in a day, UTC. Less holds at once, more after a delay.
    SetLimit {
        /// Of what.
        asset: AssetId,
        /// How much; `None` is no limit.
        per_day: Option<Amount>,
    },
    /// Stops an account from spending. By an admin.
    Freeze {
        /// Whose: not an admin's.
        account: Address,
        /// Why. Everybody can read it.
        reason: Reason,
    },
    /// Lets it spend again. By an admin other than who stopped it.
    Unfreeze {
        /// Whose.
        account: Address,
    },
    /// What accounts may do.
    Role(RoleOp),
}

impl AccountOp {
    /// The existing recovery that it is about.
    pub(crate) const fn recovery(&self) -> Option<RecoveryId> {
        match self {
            Self::AgreeToRecovery { recovery } | Self::CancelRecovery { recovery } => Some(*recovery),
            _ => None,
        }
    }
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
    /// The key that its address comes from. Which keys sign for it: [`AccountKey`].
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

#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) rows: Table<Account>,
    pub(crate) keys: Keys,
    pub(crate) guardians: AllGuardians,
    pub(crate) recoveries: Recoveries,
    pub(crate) freezes: Freezes,
    pub(crate) limits: Table<SpendingLimit>,
    /// By folded name. Follows from the rows.
    names: BTreeMap<String, Address>,
    /// Those with that role. Follows from the rows.
    arbiters: BTreeSet<Address>,
    /// The same.
    admins: BTreeSet<Address>,
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

    /// Whether an account decides as an admin. A frozen one that was made an admin does not.
    pub(crate) fn is_admin(&self, address: &Address) -> bool {
        let has_role = self.find(address).is_some_and(|account| account.role == Role::Admin);
        has_role && !self.freezes.holds(address)
    }

    /// Whether somebody decides on what another one asked for: only admins do, and never on what they asked for.
    pub(crate) fn may_decide<E>(
        &self,
        who: &Address,
        asker: &Address,
        not_admin: E,
        own: E,
    ) -> Result<(), E> {
        match self.is_admin(who) {
            false => Err(not_admin),
            true if who == asker => Err(own),
            true => Ok(()),
        }
    }

    pub(crate) fn is_courier(&self, address: &Address) -> bool {
        self.find(address).is_some_and(|account| account.role == Role::Courier)
    }

    /// In the order of their addresses.
    pub(crate) fn arbiters(&self) -> impl Iterator<Item = &Address> {
        self.arbiters.iter()
    }

    /// Those with that role, frozen or not, in the order of their addresses.
    pub(crate) fn admins(&self) -> impl Iterator<Item = &Address> {
        self.admins.iter()
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
        if self.keys.find(&account.key).is_some() {
            return Err(AccountRejection::KeyUsed);
        }
        let Account { name, key: public_key, role, registered_at: at, .. } = account.clone();
        self.names.insert(name.folded(), address);
        self.index_role(address, role);
        self.rows.put(address, account);
        self.keys.put(public_key, AccountKey::new(address, Label::default(), at));
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
        for (of, index) in [(Role::Arbiter, &mut self.arbiters), (Role::Admin, &mut self.admins)] {
            if role == of {
                index.insert(address);
            } else {
                index.remove(&address);
            }
        }
    }

    pub(crate) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), EntryError> {
        let (address, account) = self.rows.load(key, value)?;
        let role = account.role;
        self.names.insert(account.name.folded(), address);
        self.index_role(address, role);
        Ok(())
    }

    /// The indexes are those of the accounts.
    pub(crate) fn roles_are_sound(&self) -> bool {
        let with =
            |role| self.rows.iter().filter(move |(_, account)| account.role == role).map(|(who, _)| who);
        with(Role::Arbiter).eq(self.arbiters.iter()) && with(Role::Admin).eq(self.admins.iter())
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
        AccountOp::AddKey { public_key, proof, label } => {
            Ok(keys::add(&mut state.accounts, context, *public_key, proof, label, events)?)
        }
        AccountOp::RevokeKey { public_key } => {
            Ok(keys::revoke(&mut state.accounts, context, *public_key, events)?)
        }
        AccountOp::RotateKey { public_key, proof, label } => {
            Ok(keys::rotate(&mut state.accounts, context, *public_key, proof, label, events)?)
        }
        AccountOp::LabelKey { public_key, label } => {
            Ok(keys::label(&mut state.accounts, context, *public_key, label, events)?)
        }
        AccountOp::SetGuardians { guardians, threshold, delay } => {
            Ok(guardians::set(state, context, guardians, *threshold, *delay, events)?)
        }
        AccountOp::ProposeRecovery { account, public_key, proof } => {
            Ok(recovery::propose(state, context, *account, *public_key, proof, events)?)
        }
        AccountOp::AgreeToRecovery { recovery } => Ok(recovery::agree(state, context, *recovery, events)?),
        AccountOp::CancelRecovery { recovery } => Ok(recovery::cancel(state, context, *recovery, events)?),
        AccountOp::SetLimit { asset, per_day } => {
            limits::set(state, context, *asset, *per_day, events);
            Ok(())
        }
        AccountOp::Freeze { account, reason } => {
            Ok(freezes::freeze(&mut state.accounts, context, *account, reason, events)?)
        }
        AccountOp::Unfreeze { account } => {
            Ok(freezes::unfreeze(&mut state.accounts, context, *account, events)?)
        }
        AccountOp::Role(op) => {
            roles::apply(&mut state.accounts, context, op, events).map_err(AccountRejection::Role)?;
            Ok(())
        }
    }
}
