//! What makes things happen: signs for members, checks what can be known beforehand, submits, and knows what came of it.
//!
//! A transaction has one of three fates, and it is never called by a wrong name:
//!
//! | fate | known from | its nonce |
//! | --- | --- | --- |
//! | recorded, carried out or rejected | f + 1 replicas, or the local chain | used up |
//! | refused | f + 1 replicas, or a nonce that another transaction has used | free again |
//! | unknown | nobody answers | taken until the transaction expires |
//!
//! A request that comes again with the same `client_ref` leads to the same transaction, also after a crash: what is signed
//! is written down before it is sent.

mod cluster;
mod enrolment;
mod error;
mod fate;
mod flight;
pub mod local;
mod submission;
mod submitter;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ledger::{Height, Ledger, Millis, Operation, Transaction, UnixMillis};
use pbft_crypto::{Address, PublicKey};
use wallet::{Custody, Draft, NonceLease, NonceView, SignError, Signed, Wallet};

use crate::accounts_db::AccountsDb;
use crate::clock::{self, Clock};
use crate::read_model::ReadModel;
use crate::service::LedgerView;

pub use enrolment::Proof;
pub use error::{EnrolError, GatewayError};
use fate::Standing;
use flight::{Begun, Flights};
pub use submission::{Recorded, Submission};
pub use submitter::{Answer, NoAnswer, Submitter};

/// What a gateway is made of.
pub struct GatewayParts {
    /// The way to the replicas.
    pub submitter: Arc<dyn Submitter>,
    /// The ledger of a replica nearby: for advice and look-ups.
    pub view: LedgerView,
    /// The read model that answers wait for.
    pub model: ReadModel,
    /// Where what is signed is written down.
    pub accounts: AccountsDb,
    /// The keys of members.
    pub custody: Custody,
    /// How it works.
    pub options: GatewayOptions,
}

/// How a gateway works.
#[derive(Clone)]
pub struct GatewayOptions {
    /// How long a transaction that is signed here may be recorded.
    pub validity: Duration,
    /// How long the gateway goes on asking what came of a transaction. Longer than it is valid.
    pub patience: Duration,
    /// How long to wait before a transaction is sent again; doubles each time, up to forty times as long.
    pub pause: Duration,
    /// How long a request waits for the read model to have read what was on the chain at the start.
    pub catch_up: Duration,
    /// Transactions on their way at a time.
    pub max_in_flight: usize,
    /// Tells until when a transaction is valid.
    pub clock: Clock,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            validity: Duration::from_secs(60),
            patience: Duration::from_secs(120),
            pause: Duration::from_millis(50),
            catch_up: Duration::from_secs(5),
            max_in_flight: 10_000,
            clock: clock::system(),
        }
    }
}

/// The gateway. Clones share it.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    submitter: Arc<dyn Submitter>,
    view: LedgerView,
    model: ReadModel,
    accounts: AccountsDb,
    wallet: Arc<Wallet<Custody>>,
    options: GatewayOptions,
    flights: Flights,
    /// The read model is behind what an earlier process did as long as it has not read so far.
    since: Height,
}

impl Gateway {
    /// Puts it together.
    pub fn new(parts: GatewayParts) -> Self {
        let GatewayParts { submitter, view, model, accounts, custody, options } = parts;
        let (chain_id, since) = view.read(|ledger| (*ledger.chain_id(), ledger.height()));
        let wallet = Arc::new(Wallet::new(chain_id, custody));
        let flights = Flights::new(options.max_in_flight);
        let shared = Shared { submitter, view, model, accounts, wallet, options, flights, since };
        Self { shared: Arc::new(shared) }
    }

    /// The ledger that it looks at.
    pub fn view(&self) -> &LedgerView {
        &self.shared.view
    }

    /// How many transactions are on their way.
    pub fn in_flight(&self) -> usize {
        self.shared.flights.count()
    }

    /// Signs an operation with the key that is kept for the account, and submits it. If that was done before for the same
    /// sender and `client_ref`, it is the transaction of that time which is submitted.
    ///
    /// # Errors
    /// [`GatewayError`]: nothing was submitted.
    pub async fn submit_as(
        &self,
        sender: Address,
        operation: impl Into<Operation> + Send,
        client_ref: [u8; 16],
    ) -> Result<Submission, GatewayError> {
        if let Some(submission) = self.resume(&sender, &client_ref).await? {
            return Ok(submission);
        }
        let Signed { transaction, lease } = self.sign(sender, operation.into(), client_ref).await?;
        let tx_id = transaction.id();
        let written = self.shared.accounts.put_outgoing(&transaction).await;
        if matches!(written, Ok(true)) {
            return match self.shared.flights.begin(tx_id) {
                Ok(begun) => Ok(self.launch(transaction, Some(lease), begun)),
                Err(error) => {
                    self.shared.wallet.nonces().release(lease);
                    self.shared.accounts.drop_outgoing(&transaction).await?;
                    Err(error)
                }
            };
        }
        self.shared.wallet.nonces().release(lease);
        written?;
        // Another call with the same `client_ref` was faster.
        self.resume(&sender, &client_ref).await?.ok_or(GatewayError::Busy)
    }

    /// Submits what a member signed. One that is on the chain already is not submitted again: its submission answers
    /// with what came of it.
    ///
    /// # Errors
    /// [`GatewayError`]: nothing was submitted.
    pub async fn submit_signed(&self, transaction: Transaction) -> Result<Submission, GatewayError> {
        match fate::standing(self.view(), &transaction, Some(self.now()))? {
            Standing::OnChain(recorded) => {
                return Ok(Submission::settled(recorded, self.shared.model.clone()));
            }
            Standing::Refused(refusal) => return Err(GatewayError::Refused(refusal)),
            Standing::Open => transaction.verify_signature().map_err(GatewayError::Refused)?,
        }
        let begun = self.shared.flights.begin(transaction.id())?;
        Ok(self.launch(transaction, None, begun))
    }

    /// Makes a key for an account to be, and keeps it.
    ///
    /// # Errors
    /// [`GatewayError::Custody`].
    pub async fn create_key(&self) -> Result<PublicKey, GatewayError> {
        self.with_wallet(|wallet| Ok(wallet.signer().create_key()?)).await
    }

    /// Goes on with the transaction that was made before for this sender and `client_ref`, unless there is none or it can
    /// never be recorded.
    async fn resume(
        &self,
        sender: &Address,
        client_ref: &[u8; 16],
    ) -> Result<Option<Submission>, GatewayError> {
        let Some(transaction) = self.made_before(sender, client_ref).await? else { return Ok(None) };
        match fate::standing(self.view(), &transaction, None)? {
            Standing::OnChain(recorded) => {
                return Ok(Some(Submission::settled(recorded, self.shared.model.clone())));
            }
            Standing::Refused(refusal) if fate::is_final(&refusal) => {
                self.shared.accounts.drop_outgoing(&transaction).await?;
                return Ok(None);
            }
            // The replicas have the last word.
            Standing::Refused(_) | Standing::Open => {}
        }
        let begun = self.shared.flights.begin(transaction.id())?;
        Ok(Some(self.launch(transaction, None, begun)))
    }

    async fn made_before(
        &self,
        sender: &Address,
        client_ref: &[u8; 16],
    ) -> Result<Option<Transaction>, GatewayError> {
        if let Some(transaction) = self.shared.accounts.outgoing(sender, client_ref).await? {
            return Ok(Some(transaction));
        }
        // The outbox forgets, the chain does not.
        let model = &self.shared.model;
        let Shared { since, options, .. } = &*self.shared;
        if model.wait_for_height(*since, options.catch_up).await.is_none() {
            return Err(GatewayError::CatchingUp);
        }
        let recorded = model.transaction_by_ref(sender, client_ref).await?;
        Ok(recorded.map(|record| record.transaction))
    }

    async fn sign(
        &self,
        sender: Address,
        operation: Operation,
        client_ref: [u8; 16],
    ) -> Result<Signed, GatewayError> {
        let validity =
            Millis::new(u64::try_from(self.shared.options.validity.as_millis()).unwrap_or(u64::MAX));
        let (window, tip) = self.shared.view.read(|ledger| (ledger.nonces(&sender), ledger.tip().time));
        let valid_until = self.now().max(tip).plus(validity);
        let draft = Draft { sender, operation, valid_until, client_ref };
        let view = NonceView { window, as_of: tip };
        let signed =
            self.with_wallet(move |wallet| wallet.sign(draft, &view).map_err(GatewayError::from)).await?;
        let now = self.now();
        let check = |ledger: &Ledger| ledger.check(&signed.transaction, now.max(ledger.tip().time));
        match self.view().read(check) {
            Ok(()) => Ok(signed),
            Err(refusal) => {
                self.shared.wallet.nonces().release(signed.lease);
                Err(GatewayError::Refused(refusal))
            }
        }
    }

    /// Keys may have to be read from files.
    async fn with_wallet<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Wallet<Custody>) -> Result<T, GatewayError> + Send + 'static,
    ) -> Result<T, GatewayError> {
        let wallet = Arc::clone(&self.shared.wallet);
        tokio::task::spawn_blocking(move || work(&wallet)).await.map_err(|_| GatewayError::Stopping)?
    }

    pub(crate) fn now(&self) -> UnixMillis {
        (self.shared.options.clock)()
    }

    /// Sends a transaction on its way, unless it is.
    fn launch(&self, transaction: Transaction, lease: Option<NonceLease>, begun: Begun) -> Submission {
        let Begun { seat, progress } = begun;
        let submission = Submission::new(transaction.id(), progress, self.shared.model.clone());
        if let Some(seat) = seat {
            let gateway = self.clone();
            tokio::spawn(async move { gateway.fly(transaction, lease, seat).await });
        }
        submission
    }
}

impl From<SignError<wallet::CustodyError>> for GatewayError {
    fn from(error: SignError<wallet::CustodyError>) -> Self {
        match error {
            SignError::Nonce(error) => Self::Nonces(error),
            SignError::Signer(error) => Self::Custody(error),
        }
    }
}
