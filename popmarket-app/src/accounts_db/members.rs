//! Members.

use ledger::Name;
use pbft_crypto::Address;

use super::passwords::{Password, PasswordRecord};
use super::{AccountsDb, AccountsError};
use crate::sql::{Col, Column, Row, RowExt};

/// Who keeps a member's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKeeping {
    /// This server signs for the member.
    Custodial,
    /// The member signs.
    SelfCustody,
}

impl Column for KeyKeeping {
    type Raw = String;

    fn to_raw(&self) -> String {
        match self {
            Self::Custodial => "CUSTODIAL",
            Self::SelfCustody => "SELF_CUSTODY",
        }
        .to_owned()
    }

    fn from_raw(raw: String) -> Option<Self> {
        match raw.as_str() {
            "CUSTODIAL" => Some(Self::Custodial),
            "SELF_CUSTODY" => Some(Self::SelfCustody),
            _ => None,
        }
    }
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

pub(super) fn member(row: &Row) -> Result<Member, sqlx::Error> {
    Ok(Member { name: row.col("name")?, address: row.col("address")?, keeping: row.col("keeping")? })
}

fn password(row: &Row) -> Result<PasswordRecord, sqlx::Error> {
    let (salt, hash) = (sqlx::Row::try_get(row, "password_salt")?, sqlx::Row::try_get(row, "password_hash")?);
    Ok(PasswordRecord { scheme: row.col("password_scheme")?, salt, hash })
}

impl AccountsDb {
    /// Takes in a new member, whose enrolment is unfinished until [`finish_enrolment`](Self::finish_enrolment).
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn enrol(&self, member: Member, password: &Password) -> Result<(), AccountsError> {
        // Before the costly part; what decides is the insertion.
        if self.member_by_name(&member.name).await?.is_some() {
            return Err(AccountsError::NameTaken);
        }
        let record = self.shared.hashing.record(password).await?;
        let sql = "INSERT INTO members (address, name, folded, keeping, password_scheme, password_salt, \
                   password_hash, enrolled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(Col(member.address)).bind(member.name.as_str());
        let query = query.bind(member.name.folded()).bind(Col(member.keeping)).bind(Col(record.scheme));
        let query = query.bind(record.salt).bind(record.hash).bind(Col(self.now()));
        if query.execute(&self.shared.database.writer).await?.rows_affected() == 1 {
            return Ok(());
        }
        match self.member_by_address(&member.address).await? {
            Some(_) => Err(AccountsError::AccountTaken),
            None => Err(AccountsError::NameTaken),
        }
    }

    /// The member's account is open.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn finish_enrolment(&self, address: &Address) -> Result<(), AccountsError> {
        let query = sqlx::query("UPDATE members SET is_open = 1 WHERE address = $1").bind(Col(*address));
        query.execute(&self.shared.database.writer).await?;
        Ok(())
    }

    /// Some members of whom it is not known that the account is open, those who wait longest first.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn unfinished(&self, at_most: u32) -> Result<Vec<Member>, AccountsError> {
        let sql = "SELECT * FROM members WHERE is_open = 0 ORDER BY enrolled_at LIMIT $1";
        let rows = sqlx::query(sql).bind(at_most).fetch_all(&self.shared.database.readers).await?;
        Ok(rows.iter().map(member).collect::<Result<_, _>>()?)
    }

    /// Whether it is not known that the member's account is open.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn is_unfinished(&self, address: &Address) -> Result<bool, AccountsError> {
        let sql = "SELECT is_open FROM members WHERE address = $1 AND is_open = 0";
        let query = sqlx::query(sql).bind(Col(*address));
        Ok(query.fetch_optional(&self.shared.database.readers).await?.is_some())
    }

    /// Whether a member has this password.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn is_password(&self, member: &Member, password: &Password) -> Result<bool, AccountsError> {
        let record = self.credentials(&member.name).await?.map(|(_, record)| record);
        self.shared.hashing.check(password, record.as_ref()).await
    }

    /// Forgets a member whose account did not come to be.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn remove(&self, address: &Address) -> Result<(), AccountsError> {
        for sql in ["DELETE FROM members WHERE address = $1", "DELETE FROM sessions WHERE member = $1"] {
            sqlx::query(sql).bind(Col(*address)).execute(&self.shared.database.writer).await?;
        }
        Ok(())
    }

    /// By name, in whatever case its Latin letters are.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn member_by_name(&self, name: &Name) -> Result<Option<Member>, AccountsError> {
        Ok(self.credentials(name).await?.map(|(member, _)| member))
    }

    pub(super) async fn credentials(
        &self,
        name: &Name,
    ) -> Result<Option<(Member, PasswordRecord)>, AccountsError> {
        let query = sqlx::query("SELECT * FROM members WHERE folded = $1").bind(name.folded());
        let row = query.fetch_optional(&self.shared.database.readers).await?;
        Ok(row.as_ref().map(|row| Ok::<_, sqlx::Error>((member(row)?, password(row)?))).transpose()?)
    }

    /// By account.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn member_by_address(&self, address: &Address) -> Result<Option<Member>, AccountsError> {
        let query = sqlx::query("SELECT * FROM members WHERE address = $1").bind(Col(*address));
        let row = query.fetch_optional(&self.shared.database.readers).await?;
        Ok(row.as_ref().map(member).transpose()?)
    }
}
