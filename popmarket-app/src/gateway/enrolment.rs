//! How someone becomes a member: a login here and an account on the ledger, or neither.
//!
//! The login is written down first, as unfinished. It is finished when the account is open, and removed when it is certain
//! that it never will be. Until then whoever asks again with the same password goes on with it, and so does
//! [`Gateway::look_after_enrolments`], also after a crash.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use ledger::{AccountOp, Name, Operation, Refusal, Transaction};
use pbft_crypto::{Address, sha256};

use super::fate::{self, Standing};
use super::{EnrolError, Gateway, GatewayError, Recorded, Submission};
use crate::accounts_db::{AccountsError, KeyKeeping, Member, Password};

/// How long to wait for the fate of an account that nobody else waits for.
const LONG: Duration = Duration::from_secs(600);
/// How often unfinished enrolments are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// So many of them each time.
const LOOK_AT: u32 = 256;
/// So many of them at once.
const AT_ONCE: usize = 16;

type Enrolled = (Member, Recorded);

/// What shows that a registration was signed for this enrolment: 32 bytes whose SHA-256 begins with the registration's
/// `client_ref`. Everyone can read a registration on the chain; only its signer knows these.
pub struct Proof([u8; 32]);

impl Proof {
    /// The bytes that the signer has drawn.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The `client_ref` that registrations with this proof have.
    pub fn client_ref(&self) -> [u8; 16] {
        first_half(sha256(&self.0).as_bytes())
    }
}

fn first_half(bytes: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&bytes[..16]);
    half
}

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
    ) -> Result<Enrolled, EnrolError> {
        if let Some(enrolled) = self.go_on(&name, None, password, wait).await? {
            return Ok(enrolled);
        }
        self.check_is_free(&name)?;
        let address = Address::from_public_key(&self.create_key().await?);
        self.enrol_with_key(Member { name, address, keeping: KeyKeeping::Custodial }, password, wait).await
    }

    /// A new member whose key was made here before, by [`create_key`](Self::create_key).
    ///
    /// # Errors
    /// As for [`enrol_custodial`](Self::enrol_custodial).
    pub async fn enrol_wallet(
        &self,
        name: Name,
        wallet: Address,
        password: &Password,
        wait: Duration,
    ) -> Result<Enrolled, EnrolError> {
        if let Some(enrolled) = self.go_on(&name, Some(&wallet), password, wait).await? {
            return Ok(enrolled);
        }
        self.check_is_free(&name)?;
        if self.view().read(|ledger| ledger.account(&wallet).is_some()) {
            return Err(AccountsError::AccountTaken.into());
        }
        let key = self.with_wallet(move |keys| Ok(keys.signer().public_key(&wallet)?)).await;
        key.map_err(|error| match error {
            GatewayError::Custody(wallet::CustodyError::UnknownAccount(_)) => EnrolError::UnknownWallet,
            error => error.into(),
        })?;
        let member = Member { name, address: wallet, keeping: KeyKeeping::Custodial };
        self.enrol_with_key(member, password, wait).await
    }

    /// A new member who signs: `registration` is the signed transaction that opens the account with its name, and `proof`
    /// shows that it is the signer who asks.
    ///
    /// # Errors
    /// As for [`enrol_custodial`](Self::enrol_custodial).
    pub async fn enrol_self_custody(
        &self,
        registration: Transaction,
        proof: &Proof,
        password: &Password,
        wait: Duration,
    ) -> Result<Enrolled, EnrolError> {
        let body = registration.body();
        let Operation::Account(AccountOp::Register { name }) = &body.operation else {
            return Err(EnrolError::NotARegistration);
        };
        if body.client_ref != proof.client_ref() {
            return Err(EnrolError::NotProven);
        }
        registration.verify_signature().map_err(GatewayError::Refused)?;
        if let Some(enrolled) = self.go_on(name, Some(&body.sender), password, wait).await? {
            return Ok(enrolled);
        }
        let member = Member { name: name.clone(), address: body.sender, keeping: KeyKeeping::SelfCustody };
        if !self.has_account(&member) {
            self.check_is_free(name)?;
        }
        if let Standing::Refused(refusal) =
            fate::standing(self.view(), &registration, Some(self.now())).map_err(GatewayError::from)?
        {
            return Err(GatewayError::Refused(refusal).into());
        }
        self.note_down(&member, &registration, password).await?;
        let submission = self.submit_signed(registration).await;
        self.finish(member, submission, wait).await
    }

    /// First the registration, so that an unfinished login always has one to go on with.
    async fn note_down(
        &self,
        member: &Member,
        registration: &Transaction,
        password: &Password,
    ) -> Result<(), AccountsError> {
        let accounts = &self.shared.accounts;
        let is_new = accounts.put_outgoing(registration).await?;
        let enrolled = accounts.enrol(member.clone(), password).await;
        if enrolled.is_err() && is_new {
            accounts.drop_outgoing(registration).await?;
        }
        enrolled
    }

    fn check_is_free(&self, name: &Name) -> Result<(), AccountsError> {
        let is_taken = self.view().read(|ledger| ledger.account_by_name(name).is_some());
        if is_taken { Err(AccountsError::NameTaken) } else { Ok(()) }
    }

    async fn enrol_with_key(
        &self,
        member: Member,
        password: &Password,
        wait: Duration,
    ) -> Result<Enrolled, EnrolError> {
        self.shared.accounts.enrol(member.clone(), password).await?;
        let submission = self.register(&member).await;
        self.finish(member, submission, wait).await
    }

    /// Goes on with an enrolment that was interrupted, for who knows its password.
    async fn go_on(
        &self,
        name: &Name,
        account: Option<&Address>,
        password: &Password,
        wait: Duration,
    ) -> Result<Option<Enrolled>, EnrolError> {
        let accounts = &self.shared.accounts;
        let Some(member) = accounts.member_by_name(name).await? else { return Ok(None) };
        let is_same = account.is_none_or(|account| *account == member.address);
        if !is_same
            || !accounts.is_unfinished(&member.address).await?
            || !accounts.is_password(&member, password).await?
        {
            return Err(AccountsError::NameTaken.into());
        }
        match self.resume_registration(&member).await? {
            Some(submission) => self.finish(member, Ok(submission), wait).await.map(Some),
            None if self.conclude(&member, None).await? => Err(AccountsError::NameTaken.into()),
            None => Ok(None),
        }
    }

    /// Submits the transaction that opens a member's account. It is the same one each time.
    async fn register(&self, member: &Member) -> Result<Submission, GatewayError> {
        let operation = AccountOp::Register { name: member.name.clone() };
        // An address is registered once.
        self.submit_as(member.address, operation, first_half(member.address.as_bytes())).await
    }

    /// Submits the transaction again that opens a member's account, unless there is none or the account is open.
    async fn resume_registration(&self, member: &Member) -> Result<Option<Submission>, GatewayError> {
        let client_ref = match member.keeping {
            KeyKeeping::Custodial => first_half(member.address.as_bytes()),
            KeyKeeping::SelfCustody => match self.shared.accounts.registration_of(member).await? {
                Some(registration) => registration.body().client_ref,
                None => return Ok(None),
            },
        };
        let resumed = self.resume(&member.address, &client_ref).await?;
        if resumed.is_some() || member.keeping == KeyKeeping::SelfCustody || self.has_account(member) {
            return Ok(resumed);
        }
        self.register(member).await.map(Some)
    }

    async fn finish(
        &self,
        member: Member,
        submission: Result<Submission, GatewayError>,
        wait: Duration,
    ) -> Result<Enrolled, EnrolError> {
        let fate = match submission {
            Ok(mut submission) => submission.recorded(wait).await.and_then(Recorded::applied),
            Err(error) => Err(error),
        };
        self.conclude(&member, Some(&fate)).await?;
        Ok((member, fate?))
    }

    /// Finishes or removes a login if it is certain what comes of its account; `None` is of a registration that is
    /// nowhere. Says whether the account is open.
    async fn conclude(
        &self,
        member: &Member,
        fate: Option<&Result<Recorded, GatewayError>>,
    ) -> Result<bool, AccountsError> {
        let is_open = matches!(fate, Some(Ok(_))) || self.has_account(member);
        if is_open {
            self.shared.accounts.finish_enrolment(&member.address).await?;
        } else if fate.is_none_or(|fate| fate.as_ref().is_err_and(is_final)) {
            self.shared.accounts.remove(&member.address).await?;
        }
        Ok(is_open)
    }

    fn has_account(&self, member: &Member) -> bool {
        let owner = |ledger: &ledger::Ledger| ledger.account_by_name(&member.name).map(|(owner, _)| owner);
        self.view().read(owner) == Some(member.address)
    }

    /// Goes on with interrupted enrolments, now and then, for ever.
    pub async fn look_after_enrolments(&self) {
        loop {
            if let Err(error) = self.finish_enrolments().await {
                tracing::warn!(%error, "interrupted enrolments cannot be looked up");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Goes on with the enrolments that are unfinished now.
    ///
    /// # Errors
    /// They cannot be looked up.
    pub async fn finish_enrolments(&self) -> Result<(), AccountsError> {
        let unfinished = self.shared.accounts.unfinished(LOOK_AT).await?;
        let go_on = async |member: Member| {
            let fate = match self.resume_registration(&member).await {
                Ok(Some(mut submission)) => Some(submission.recorded(LONG).await.and_then(Recorded::applied)),
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            };
            if let Err(error) = self.conclude(&member, fate.as_ref()).await {
                tracing::warn!(%error, name = %member.name, "an enrolment stays unfinished");
            }
        };
        stream::iter(unfinished).map(go_on).buffer_unordered(AT_ONCE).collect::<()>().await;
        Ok(())
    }
}

/// Whether no account comes of it. A used nonce may have been used by an earlier registration.
const fn is_final(error: &GatewayError) -> bool {
    match error {
        GatewayError::Refused(refusal) => {
            !matches!(refusal, Refusal::NonceUsed { .. } | Refusal::NonceTooFar { .. })
        }
        GatewayError::Rejected { .. } | GatewayError::Full => true,
        _ => false,
    }
}
