//! Who is signed in. The table has a digest of each token, so that who reads it cannot use it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ledger::{Millis, Name, UnixMillis};
use pbft_crypto::{Address, Digest, sha256};

use super::members::{Member, member};
use super::passwords::Password;
use super::{AccountsDb, AccountsError};
use crate::sql::{Col, RowExt};

/// Sessions of one member. With one more the one that ends first is ended.
const MAX_SESSIONS: i64 = 16;

/// 32 random bytes that prove that someone has signed in; hex in texts.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken([u8; 32]);

impl SessionToken {
    #[expect(clippy::expect_used, reason = "without random numbers no session is safe")]
    fn generate() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system has random numbers");
        Self(bytes)
    }

    fn digest(&self) -> Digest {
        sha256(&self.0)
    }
}

impl fmt::Display for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken")
    }
}

impl FromStr for SessionToken {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// Someone has signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub member: Member,
    /// Until when.
    pub expires_at: UnixMillis,
}

impl AccountsDb {
    /// Signs in. Takes as long whether the name or the password is wrong.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn sign_in(
        &self,
        name: &Name,
        password: &Password,
        lasts: Duration,
    ) -> Result<(SessionToken, Session), AccountsError> {
        let credentials = self.credentials(name).await?;
        let record = credentials.as_ref().map(|(_, record)| record);
        let is_right = self.shared.hashing.check(password, record).await?;
        let member = credentials.filter(|_| is_right).map(|(member, _)| member);
        let member = member.ok_or(AccountsError::WrongCredentials)?;
        self.begin_session(member, lasts).await
    }

    /// Signs someone in whose password was just set.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn begin_session(
        &self,
        member: Member,
        lasts: Duration,
    ) -> Result<(SessionToken, Session), AccountsError> {
        let token = SessionToken::generate();
        let lasts = Millis::new(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
        let expires_at = self.now().plus(lasts);
        let sql = "INSERT INTO sessions (token, member, expires_at) VALUES ($1, $2, $3)";
        let query =
            sqlx::query(sql).bind(Col(token.digest())).bind(Col(member.address)).bind(Col(expires_at));
        query.execute(&self.shared.database.writer).await?;
        self.end_sessions_above_limit(&member.address).await?;
        Ok((token, Session { member, expires_at }))
    }

    async fn end_sessions_above_limit(&self, member: &Address) -> Result<(), AccountsError> {
        let sql = "DELETE FROM sessions WHERE member = $1 AND token NOT IN \
                   (SELECT token FROM sessions WHERE member = $1 ORDER BY expires_at DESC LIMIT $2)";
        let query = sqlx::query(sql).bind(Col(*member)).bind(MAX_SESSIONS);
        query.execute(&self.shared.database.writer).await?;
        Ok(())
    }

    /// Who has this token, if it is still good.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn session(&self, token: &SessionToken) -> Result<Option<Session>, AccountsError> {
        let sql = "SELECT members.*, sessions.expires_at FROM sessions \
                   JOIN members ON members.address = sessions.member \
                   WHERE sessions.token = $1 AND sessions.expires_at > $2";
        let query = sqlx::query(sql).bind(Col(token.digest())).bind(Col(self.now()));
        let Some(row) = query.fetch_optional(&self.shared.database.readers).await? else { return Ok(None) };
        Ok(Some(Session { member: member(&row)?, expires_at: row.col("expires_at")? }))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn sign_out(&self, token: &SessionToken) -> Result<(), AccountsError> {
        let query = sqlx::query("DELETE FROM sessions WHERE token = $1").bind(Col(token.digest()));
        query.execute(&self.shared.database.writer).await?;
        Ok(())
    }
}
