//! How someone becomes a member: a login here and an account on the ledger, or neither.

use std::time::Duration;

use ledger::{AccountOp, Name, Operation, Transaction};
use pbft_crypto::Address;

use super::{EnrolError, Gateway, GatewayError, Recorded, Submission};
use crate::accounts_db::{AccountsError, KeyKeeping, Member, Password};

/// How long to wait for the fate of an account whose member has gone away, at most.
const LONG: Duration = Duration::from_secs(600);

impl Gateway {
    /// A new member whose key is kept here: makes the key, the login and the account, and waits for the account.
    ///
    /// # Errors
    /// [`EnrolError`]. After [`GatewayError::TimedOut`] the login is there, and goes if the account is refused after all.
    pub async fn enrol_custodial(
        &self,
        name: Name,
        password: &Password,
        wait: Duration,
    ) -> Result<(Member, Recorded), EnrolError> {
        let is_taken = self.view().read(|ledger| ledger.account_by_name(&name).is_some());
        if is_taken || self.shared.accounts.member_by_name(&name).await?.is_some() {
            return Err(AccountsError::NameTaken.into());
        }
        let address = Address::from_public_key(&self.create_key().await?);
        let member = Member { name: name.clone(), address, keeping: KeyKeeping::Custodial };
        self.shared.accounts.enrol(member.clone(), password).await?;
        // The first 16 bytes of the address: an address is registered once.
        let mut client_ref = [0; 16];
        client_ref.copy_from_slice(&address.as_bytes()[..16]);
        let submission = self.submit_as(address, AccountOp::Register { name }, client_ref).await;
        self.finish(member, submission, wait).await
    }

    /// A new member who signs: `registration` is the signed transaction that opens the account with its name.
    ///
    /// # Errors
    /// As for [`enrol_custodial`](Self::enrol_custodial).
    pub async fn enrol_self_custody(
        &self,
        registration: Transaction,
        password: &Password,
        wait: Duration,
    ) -> Result<(Member, Recorded), EnrolError> {
        let body = registration.body();
        let Operation::Account(AccountOp::Register { name }) = &body.operation else {
            return Err(EnrolError::NotARegistration);
        };
        registration.verify_signature().map_err(GatewayError::Refused)?;
        let is_taken = self
            .view()
            .read(|ledger| ledger.account_by_name(name).is_some_and(|(owner, _)| owner != body.sender));
        if is_taken {
            return Err(AccountsError::NameTaken.into());
        }
        let member = Member { name: name.clone(), address: body.sender, keeping: KeyKeeping::SelfCustody };
        self.shared.accounts.enrol(member.clone(), password).await?;
        let submission = self.submit_signed(registration).await;
        self.finish(member, submission, wait).await
    }

    async fn finish(
        &self,
        member: Member,
        submission: Result<Submission, GatewayError>,
        wait: Duration,
    ) -> Result<(Member, Recorded), EnrolError> {
        let mut submission = match submission {
            Ok(submission) => submission,
            Err(error) => {
                self.shared.accounts.remove(&member.address).await?;
                return Err(error.into());
            }
        };
        match submission.recorded(wait).await.and_then(Recorded::applied) {
            Ok(recorded) => Ok((member, recorded)),
            Err(error @ (GatewayError::Refused(_) | GatewayError::Rejected { .. })) => {
                self.shared.accounts.remove(&member.address).await?;
                Err(error.into())
            }
            Err(error) => {
                let gateway = self.clone();
                tokio::spawn(async move { gateway.remove_if_refused(member.address, submission).await });
                Err(error.into())
            }
        }
    }

    async fn remove_if_refused(&self, address: Address, mut submission: Submission) {
        let fate = submission.recorded(LONG).await.and_then(Recorded::applied);
        if matches!(fate, Err(GatewayError::Refused(_) | GatewayError::Rejected { .. }))
            && let Err(error) = self.shared.accounts.remove(&address).await
        {
            tracing::warn!(%error, %address, "a member without an account stays");
        }
    }
}
