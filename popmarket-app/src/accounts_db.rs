//! What does not belong on a chain: who may sign in, who is signed in, and what was answered to which request. In a
//! database of its own, which a rebuild of the read model leaves alone.

use std::path::Path;
use std::time::Duration;

use ledger::{Name, UnixMillis};
use pbft_crypto::{Address, Digest};
use thiserror::Error;

/// Members, sessions and idempotency records. Clones share it.
#[derive(Clone)]
pub struct AccountsDb {}

/// Who keeps a member's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKeeping {
    /// This server signs for the member.
    Custodial,
    /// The member signs.
    SelfCustody,
}

/// Someone who can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name to sign in with, which is that of the account. Two names that differ in the case of Latin letters only
    /// are the same.
    pub name: Name,
    /// The account.
    pub address: Address,
    /// Who keeps the key.
    pub keeping: KeyKeeping,
}

/// What a member proves itself with: 8 to 128 characters. Wiped when dropped.
#[derive(zeroize::ZeroizeOnDrop)]
pub struct Password(String);

/// Not 8 to 128 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a password has 8 to 128 characters")]
pub struct WeakPassword;

/// 32 random bytes that prove that someone has signed in; hex in texts.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken([u8; 32]);

/// Someone has signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub member: Member,
    /// Until when.
    pub expires_at: UnixMillis,
}

/// A request that the server answers once, however often it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyScope {
    /// Who asks; the zero address for someone who is not signed in.
    pub member: Address,
    /// Method and path.
    pub route: String,
    /// The client's key.
    pub key: String,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What is known about a request.
#[derive(Debug)]
pub enum IdempotencyBegin {
    /// It is new: answer it, then [`AccountsDb::answer`] or [`AccountsDb::abandon`].
    New(IdempotencyTicket),
    /// The first one is being answered.
    InFlight,
    /// The key was used for another request.
    OtherRequest,
    /// It was answered.
    Answered(StoredAnswer),
}

/// The right to answer a request.
#[derive(Debug)]
#[must_use]
pub struct IdempotencyTicket {
    #[allow(dead_code)]
    scope: IdempotencyScope,
}

/// Why something about members does not work.
#[derive(Debug, Error)]
pub enum AccountsError {
    /// Another member has the name.
    #[error("the name is taken")]
    NameTaken,
    /// A member has this account.
    #[error("the account belongs to a member already")]
    AccountTaken,
    /// Name and password do not belong together; which one is wrong is not said.
    #[error("name and password do not belong together")]
    WrongCredentials,
    /// Too many passwords are being checked, or too many requests remembered: try again later.
    #[error("too much is going on at once")]
    Busy,
    /// The database said no.
    #[error("the members' database: {0}")]
    Database(#[from] sqlx::Error),
    /// The tables could not be made.
    #[error("the members' tables: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row holds something that was never written there.
    #[error("the members' database is damaged: {0}")]
    Damaged(&'static str),
    /// There is not enough memory to hash the password.
    #[error("hashing the password: {0}")]
    Hash(argon2::Error),
}

#[allow(unused_variables, clippy::unused_async, clippy::todo)]
impl AccountsDb {
    /// Opens the database file, or begins it.
    pub async fn open(file: &Path) -> Result<Self, AccountsError> {
        todo!()
    }

    /// Takes in a new member.
    pub async fn enrol(&self, member: Member, password: &Password) -> Result<(), AccountsError> {
        todo!()
    }
    /// Forgets a member whose account did not come to be.
    pub async fn remove(&self, address: &Address) -> Result<(), AccountsError> {
        todo!()
    }
    /// By name, in whatever case its Latin letters are.
    pub async fn member_by_name(&self, name: &Name) -> Result<Option<Member>, AccountsError> {
        todo!()
    }
    /// By account.
    pub async fn member_by_address(&self, address: &Address) -> Result<Option<Member>, AccountsError> {
        todo!()
    }

    /// Signs in. Takes as long whether the name or the password is wrong.
    pub async fn sign_in(
        &self,
        name: &Name,
        password: &Password,
        lasts: Duration,
    ) -> Result<(SessionToken, Session), AccountsError> {
        todo!()
    }
    /// Who has this token, if it is still good.
    pub async fn session(&self, token: &SessionToken) -> Result<Option<Session>, AccountsError> {
        todo!()
    }
    /// Ends a session.
    pub async fn sign_out(&self, token: &SessionToken) -> Result<(), AccountsError> {
        todo!()
    }

    /// A request with an idempotency key comes in. `fingerprint` is a digest of its body.
    pub async fn begin(
        &self,
        scope: IdempotencyScope,
        fingerprint: &Digest,
    ) -> Result<IdempotencyBegin, AccountsError> {
        todo!()
    }
    /// The answer, kept for 24 hours.
    pub async fn answer(
        &self,
        ticket: IdempotencyTicket,
        answer: &StoredAnswer,
    ) -> Result<(), AccountsError> {
        todo!()
    }
    /// Nothing was done: the same request may come again.
    pub async fn abandon(&self, ticket: IdempotencyTicket) -> Result<(), AccountsError> {
        todo!()
    }
}

impl Password {
    /// Checks the length and wraps it.
    ///
    /// # Errors
    /// [`WeakPassword`].
    pub fn new(text: String) -> Result<Self, WeakPassword> {
        let password = Self(text);
        if (8..=128).contains(&password.0.chars().count()) { Ok(password) } else { Err(WeakPassword) }
    }
}

impl std::fmt::Display for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for SessionToken {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}
