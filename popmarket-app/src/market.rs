//! The web on top of one replica: read model, members, custody, gateway, pages.

mod membership;
mod network;

use std::{
    convert::Infallible,
    net::SocketAddr,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ledger::Genesis;
use pbft_core::client::ClientConfig;
use pbft_crypto::{Address, KeyPair};
use pbft_node::{
    Client,
    client::{ClientOptions, ClientStartError},
};
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinError, JoinHandle},
};
use wallet::{Custody, CustodyError, MasterKey};

pub use self::{membership::Membership, network::ClusterStatus};
use crate::{
    accounts_db::{AccountsDb, AccountsError, KeyKeeping, Member, Password},
    blobs::{BlobError, BlobStore},
    config::{ConfigFileError, DatabasePlace, read_key, write_key},
    gateway::{Gateway, GatewayOptions, GatewayParts},
    http::{AppState, ChainInfo, HttpOptions, Shared, serve},
    projector::{Projector, ProjectorError},
    read_model::{ReadError, ReadModel},
    service::LedgerView,
    webhooks::{Targets, WebhookError, WebhookOptions, Webhooks},
};

/// So many members' keys are kept ready to sign.
const KEYS_AT_HAND: NonZeroUsize = NonZeroUsize::new(10_000).expect("ten thousand is not zero");
/// The gateway asks again itself: the client need not be patient.
const GIVE_UP_AFTER: Duration = Duration::from_secs(20);
/// How often what has expired is taken out of the members' database.
const TIDY_EVERY: Duration = Duration::from_secs(300);

/// What a market is started with.
pub struct MarketPlan<'a> {
    /// The first block.
    pub genesis: &'a Genesis,
    /// The replicas.
    pub members: Membership,
    /// Where the first ones listened, by id.
    pub first_addresses: Vec<SocketAddr>,
    /// The key that the gateway shows to the replicas.
    pub client_key: KeyPair,
    /// The ledger of the replica nearby.
    pub ledger: LedgerView,
    /// Where tables, keys and pictures are kept.
    pub data: &'a Path,
    /// The database of the read model.
    pub read_model: &'a DatabasePlace,
    /// The file of the key that members' keys are encrypted with. Without it there is one in `data`, made at the first
    /// start.
    pub custody_key: Option<&'a Path>,
    /// Accounts of the first block that sign in here.
    pub officials: Vec<Official>,
    /// What the operator chose for the web.
    pub http: HttpOptions,
}

/// An account of the first block whose key is kept here.
pub struct Official {
    /// Its name.
    pub name: ledger::Name,
    /// Its key.
    pub key: Arc<KeyPair>,
    /// What to sign in with.
    pub password: Password,
}

/// A running market.
pub struct Market {
    /// What its routes work with.
    pub state: AppState,
    /// Where the web is.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    web: JoinHandle<std::io::Result<()>>,
    projector: JoinHandle<Result<(), ProjectorError>>,
    tidier: JoinHandle<()>,
    teller: JoinHandle<()>,
    leader: JoinHandle<()>,
}

/// Why a market does not start.
#[derive(Debug, Error)]
pub enum MarketError {
    /// The read model.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is in the tables is not of this chain, or the chain cannot be read.
    #[error(transparent)]
    Projector(#[from] ProjectorError),
    /// The members' database.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// The pictures.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The keys.
    #[error(transparent)]
    Custody(#[from] CustodyError),
    /// The way to the replicas.
    #[error(transparent)]
    Client(#[from] ClientStartError),
    /// The file of the master key.
    #[error(transparent)]
    Files(#[from] ConfigFileError),
    /// Keys are kept here, and what they are encrypted with is not.
    #[error("{} is missing, and members' keys cannot be read without it: put it back, or say where it is with --custody-key", .0.display())]
    MasterKeyMissing(std::path::PathBuf),
    /// The webhooks.
    #[error(transparent)]
    Webhooks(#[from] WebhookError),
    /// Something about files or sockets.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl MarketPlan<'_> {
    /// Opens everything and serves.
    ///
    /// # Errors
    /// If something that it needs cannot be used.
    pub async fn start(self, listener: TcpListener, registry: Registry) -> Result<Market, MarketError> {
        std::fs::create_dir_all(self.data)?;
        let read = ReadModel::open_at(self.read_model).await?;
        // Webhooks and the web read the tables while the projector begins.
        let projector = Projector::new(self.ledger.clone(), read.clone());
        projector.check().await?;
        // From here on the projector brings it to its end.
        read.set_being_rebuilt(false).await?;
        let chain = ChainInfo { id: self.genesis.chain_id(), fee: self.genesis.params.fee };
        let accounts = AccountsDb::open(&self.data.join("members.db"), &chain.id).await?;
        let blobs = BlobStore::open(self.data.join("pictures")).await?;
        let master = master_key(self.data, self.custody_key)?;
        let custody = Custody::open(self.data.join("custody"), master, KEYS_AT_HAND)?;
        for official in self.officials {
            enrol(&accounts, &custody, official).await?;
        }
        let members = self.members;
        let first = members.first();
        let config = ClientConfig { give_up_after: GIVE_UP_AFTER, ..ClientConfig::new(first.count()) };
        let options = ClientOptions::new(chain.id, first, self.first_addresses, self.client_key);
        let client = Client::start(&ClientOptions { config, ..options })?;
        let leader = tokio::spawn(members.clone().lead(client.clone()));
        let network = ClusterStatus::new(client.clone(), chain.id, members.clone(), self.ledger.clone());
        let gateway = Gateway::new(GatewayParts {
            submitter: Arc::new(client),
            view: self.ledger.clone(),
            model: read.clone(),
            accounts: accounts.clone(),
            custody,
            options: GatewayOptions::default(),
        });
        let projector = tokio::spawn(projector.run());
        let targets = if self.http.allow_private_webhooks { Targets::Any } else { Targets::Public };
        let (file, options) = (self.data.join("webhooks.db"), WebhookOptions::new(targets));
        let webhooks = Webhooks::open(&file, read.clone(), self.ledger, options).await?;
        let telling = webhooks.clone();
        let teller = tokio::spawn(async move { telling.run().await });
        let (kept, enrolling) = (accounts.clone(), gateway.clone());
        let tidier = tokio::spawn(async move {
            tokio::join!(tidy(kept), enrolling.look_after_enrolments());
        });
        let registry = Mutex::new(registry);
        let metrics = move || {
            let mut text = String::new();
            let registry = registry.lock().unwrap_or_else(PoisonError::into_inner);
            // Writing to a string cannot fail.
            let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
            text
        };
        let state = AppState {
            gateway,
            read,
            accounts,
            blobs,
            network: Arc::new(network),
            metrics: Arc::new(metrics),
            chain,
            genesis: Arc::new(self.genesis.clone()),
            members,
            webhooks,
            options: self.http,
            shared: Shared::new(&self.http),
        };
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            // A market that is dropped stops, too.
            let _ = stopped.await;
        };
        let web = tokio::spawn(serve(listener, state.clone(), stopped));
        Ok(Market { state, address, stop: Some(stop), web, projector, tidier, teller, leader })
    }
}

impl Market {
    /// Waits until the read model, the web or the webhooks cannot go on, and says why. Troubles that pass do not count.
    pub async fn failed(&mut self) -> String {
        let why = tokio::select! {
            ended = &mut self.projector => why("the read model", ended),
            ended = &mut self.web => why("the web", ended),
            ended = &mut self.teller => why("the teller of webhooks", ended.map(Ok::<(), Infallible>)),
        };
        tracing::error!(%why, "the market stops");
        why
    }

    /// Lets requests that run end, and closes everything.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // What ended by itself was told by `failed`.
        if !self.web.is_finished() {
            let _ = self.web.await;
        }
        self.projector.abort();
        self.tidier.abort();
        self.teller.abort();
        self.leader.abort();
        // Until they are gone they hold connections.
        if !self.projector.is_finished() {
            let _ = self.projector.await;
        }
        if !self.tidier.is_finished() {
            let _ = self.tidier.await;
        }
        if !self.teller.is_finished() {
            let _ = self.teller.await;
        }
        self.state.webhooks.close().await;
        self.state.read.close().await;
        self.state.accounts.close().await;
    }
}

fn why<E: std::error::Error>(what: &str, ended: Result<Result<(), E>, JoinError>) -> String {
    match ended {
        Ok(Err(error)) => format!("{what} failed: {error}"),
        Ok(Ok(())) => format!("{what} has ended"),
        Err(error) => format!("{what} failed: {error}"),
    }
}

async fn tidy(accounts: AccountsDb) {
    let mut tick = tokio::time::interval(TIDY_EVERY);
    loop {
        tick.tick().await;
        if let Err(error) = accounts.forget_expired().await {
            tracing::warn!(%error, "what has expired stays in the members' database for now");
        }
    }
}

/// The key that members' keys are encrypted with. Where keys are kept already it has to be there: a new one would open
/// nothing.
fn master_key(data: &Path, elsewhere: Option<&Path>) -> Result<MasterKey, MarketError> {
    let beside = data.join("custody-master.key");
    if elsewhere.is_none() && !beside.exists() {
        if data.join("custody").exists() {
            return Err(MarketError::MasterKeyMissing(beside));
        }
        write_key(&beside, &KeyPair::generate())?;
    }
    Ok(MasterKey::from_bytes(*read_key(elsewhere.unwrap_or(&beside))?.secret_bytes()))
}

async fn enrol(accounts: &AccountsDb, custody: &Custody, official: Official) -> Result<(), MarketError> {
    let Official { name, key, password } = official;
    let address = Address::from_public_key(&key.public_key());
    if accounts.member_by_address(&address).await?.is_some() {
        return Ok(());
    }
    let kept = KeyPair::from_secret_bytes(&key.secret_bytes()).map_err(std::io::Error::other)?;
    match custody.keep(kept) {
        // An earlier start may have got as far as this.
        Ok(_) | Err(CustodyError::AlreadyKept(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let member = Member { name, address, keeping: KeyKeeping::Custodial };
    match accounts.enrol(member, &password).await {
        Ok(()) | Err(AccountsError::AccountTaken) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{genesis, key, service};

    /// Mistake: something that only webhooks need breaks, and nobody hears of it until nothing has been told for days.
    #[tokio::test]
    async fn a_market_whose_webhooks_have_ended_stops() {
        let folder = tempfile::tempdir().unwrap();
        let (genesis, service) = (genesis(), service(&folder.path().join("ledger")));
        let read_model = DatabasePlace::Sqlite(folder.path().join("read.db"));
        let plan = MarketPlan {
            genesis: &genesis,
            members: Membership::unchanged(&genesis),
            // Nobody is there.
            first_addresses: vec![SocketAddr::from(([127, 0, 0, 1], 1)); 4],
            client_key: key(90),
            ledger: service.view(),
            data: &folder.path().join("web"),
            read_model: &read_model,
            custody_key: None,
            officials: Vec::new(),
            http: HttpOptions::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut market = plan.start(listener, Registry::default()).await.unwrap();
        market.teller.abort();
        let why = tokio::time::timeout(Duration::from_secs(30), market.failed()).await.expect("in time");
        assert!(why.starts_with("the teller of webhooks failed"), "{why}");
        market.shutdown().await;
    }

    #[test]
    fn a_custody_key_that_is_kept_elsewhere_is_used_and_never_made() {
        let (data, safe) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = safe.path().join("custody.key");
        assert!(master_key(data.path(), Some(&file)).is_err());
        assert!(!file.exists());

        write_key(&file, &KeyPair::generate()).unwrap();
        let open = |elsewhere| {
            let key = master_key(data.path(), elsewhere).unwrap();
            Custody::open(data.path().join("custody"), key, KEYS_AT_HAND)
        };
        open(Some(&file)).unwrap().create_key().unwrap();
        let missing = matches!(master_key(data.path(), None), Err(MarketError::MasterKeyMissing(_)));
        assert!(missing, "another key would open nothing");
        assert!(!data.path().join("custody-master.key").exists(), "none beside the keys");
        open(Some(&file)).unwrap();
    }
}
