//! A small market to try things with: members with money, things for sale, a trade that is over and some that are not,
//! shares that change hands, and a vote.
//!
//! Everything is made by real transactions. Each has its own `client_ref`, and the gateway makes one transaction for each of
//! these: whoever stops in the middle goes on from there at the next start.

mod assets;
mod goods;
mod pictures;

#[cfg(test)]
mod tests;

use std::time::Duration;

use ledger::{
    Amount, AssetId, BadOptions, ChargeId, ChargeOp, ListingContent, ListingId, ListingOp, Memo, Name,
    Operation, PaymentOp, Photos, Reason, SymbolError, TextError, Tracking, TradeId, TradeOp, TxId,
};
use pbft_crypto::{Address, sha256};
use thiserror::Error;

use crate::accounts_db::{AccountsDb, AccountsError, Password, WeakPassword};
use crate::blobs::{BlobError, BlobStore};
use crate::gateway::{EnrolError, Gateway, GatewayError, Recorded};
use crate::http::AppState;
use crate::read_model::{ReadError, ReadModel};
use goods::{GOODS, Good};

/// The members of the demo. All have the same password.
pub const MEMBERS: [&str; 4] = ["minji", "junho", "sora", "alex"];

const ADMINS: [&str; 2] = ["admin1", "admin2"];

/// How long one step may take.
const WAIT: Duration = Duration::from_secs(60);

/// Why there is no demo.
#[derive(Debug, Error)]
pub enum DemoError {
    /// There is no admin whose key is kept here.
    #[error("there is no member {0} to approve charges")]
    NoAdmin(&'static str),
    /// Something about members.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// A step did not work.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The members' database.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// The read model.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A picture cannot be kept.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A picture cannot be made.
    #[error("a picture cannot be made: {0}")]
    Picture(#[from] png::EncodingError),
    /// A text of the demo is not allowed on the ledger.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A symbol of the demo is not allowed on the ledger.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    /// A vote of the demo is not allowed on the ledger.
    #[error(transparent)]
    Options(#[from] BadOptions),
    /// The password is too short.
    #[error(transparent)]
    Password(#[from] WeakPassword),
}

/// Makes the demo, unless it is there.
///
/// # Errors
/// [`DemoError`].
pub async fn seed(state: &AppState, password: &str) -> Result<(), DemoError> {
    let AppState { gateway, read, accounts, blobs, .. } = state;
    Demo { gateway, read, accounts, blobs }.seed(password).await
}

struct Demo<'a> {
    gateway: &'a Gateway,
    read: &'a ReadModel,
    accounts: &'a AccountsDb,
    blobs: &'a BlobStore,
}

/// The step after which nothing is left to do.
const LAST: &str = "greeting";

impl Demo<'_> {
    async fn seed(&self, password: &str) -> Result<(), DemoError> {
        let [admin, _] = [self.admin(ADMINS[0]).await?, self.admin(ADMINS[1]).await?];
        let [minji, junho, sora, alex] = self.members(password).await?;
        if self.read.transaction_by_ref(&minji, &client_ref(LAST)).await?.is_some() {
            return Ok(());
        }
        for (member, amount) in [(minji, 300_000), (junho, 800_000), (sora, 450_000), (alex, 250_000)] {
            let charge = self.ask_for_charge(member, amount, "first").await?;
            self.act(admin, ChargeOp::Approve { charge }, &format!("approve {charge}")).await?;
        }
        let refused = self.ask_for_charge(alex, 9_000_000, "refused").await?;
        let reason = Reason::new("입금 내역이 없습니다. No deposit was found.")?;
        self.act(admin, ChargeOp::Reject { charge: refused, reason }, "reject").await?;
        self.ask_for_charge(alex, 30_000, "waiting").await?;

        let mut offers = Vec::new();
        for good in &GOODS {
            let seller = [minji, junho, sora, alex][good.seller];
            offers.push(self.offer(seller, good).await?);
        }
        let [camera, bicycle, lamp, ..] = offers.as_slice() else { return Ok(()) };
        let sold = self.buy(junho, camera).await?;
        self.act(minji, TradeOp::Accept { trade: sold }, "accept the camera").await?;
        self.ship(minji, sold, "CJ대한통운 6543-2109-8765", "ship the camera").await?;
        self.act(junho, TradeOp::Confirm { trade: sold }, "confirm the camera").await?;
        let on_its_way = self.buy(sora, bicycle).await?;
        self.act(junho, TradeOp::Accept { trade: on_its_way }, "accept the bicycle").await?;
        self.ship(junho, on_its_way, "우체국 1234-5678-9012", "ship the bicycle").await?;
        self.buy(alex, lamp).await?;
        self.shares(minji, junho, sora).await?;
        self.vote(sora, [minji, junho, alex]).await?;
        self.greet(minji, sora).await
    }

    async fn admin(&self, name: &'static str) -> Result<Address, DemoError> {
        let member = self.accounts.member_by_name(&Name::new(name)?).await?;
        Ok(member.ok_or(DemoError::NoAdmin(name))?.address)
    }

    async fn members(&self, password: &str) -> Result<[Address; 4], DemoError> {
        let mut addresses = [Address::from_bytes([0; 32]); 4];
        for (name, address) in MEMBERS.into_iter().zip(&mut addresses) {
            let name = Name::new(name)?;
            *address = match self.accounts.member_by_name(&name).await? {
                Some(member) if !self.accounts.is_unfinished(&member.address).await? => member.address,
                _ => {
                    let password = Password::new(password.to_owned())?;
                    self.gateway.enrol_custodial(name, &password, WAIT).await?.0.address
                }
            };
        }
        Ok(addresses)
    }

    /// Does something, once, and waits for it.
    async fn act(
        &self,
        member: Address,
        operation: impl Into<Operation> + Send,
        step: &str,
    ) -> Result<TxId, DemoError> {
        let mut submission = self.gateway.submit_as(member, operation, client_ref(step)).await?;
        submission.recorded(WAIT).await.and_then(Recorded::applied)?;
        Ok(submission.tx_id())
    }

    async fn ask_for_charge(&self, member: Address, amount: u64, what: &str) -> Result<ChargeId, DemoError> {
        let operation = ChargeOp::Request {
            amount: Amount::new(amount),
            memo: Memo::new("무통장 입금 · bank transfer")?,
        };
        Ok(self.act(member, operation, &format!("charge {what}")).await?.into())
    }

    async fn offer(&self, seller: Address, good: &'static Good) -> Result<Offer, DemoError> {
        let photo = self.blobs.put(pictures::png(&good.scene)?).await?;
        let content = ListingContent {
            title: good.title.parse()?,
            description: good.description.parse()?,
            price: Amount::new(good.price),
            photos: Photos::try_from(vec![photo]).unwrap_or_default(),
        };
        let operation = ListingOp::Create { content: content.clone() };
        let listing = self.act(seller, operation, &format!("offer {}", good.title)).await?.into();
        Ok(Offer { listing, content })
    }

    async fn buy(&self, buyer: Address, offer: &Offer) -> Result<TradeId, DemoError> {
        let Offer { listing, content } = offer;
        let operation = TradeOp::Open { listing: *listing, version: 1, content_hash: content.hash() };
        Ok(self.act(buyer, operation, &format!("buy {listing}")).await?.into())
    }

    async fn ship(&self, seller: Address, trade: TradeId, how: &str, step: &str) -> Result<(), DemoError> {
        self.act(seller, TradeOp::Ship { trade, tracking: Tracking::new(how)? }, step).await?;
        Ok(())
    }

    async fn greet(&self, from: Address, to: Address) -> Result<(), DemoError> {
        let memo = Memo::new("지난번 커피 · coffee, with thanks")?;
        let amount = Amount::new(4_500);
        self.act(from, PaymentOp::Pay { to, asset: AssetId::Pop, amount, reference: None, memo }, LAST)
            .await?;
        Ok(())
    }
}

struct Offer {
    listing: ListingId,
    content: ListingContent,
}

fn client_ref(step: &str) -> [u8; 16] {
    let mut client_ref = [0; 16];
    client_ref.copy_from_slice(&sha256(format!("popmarket demo: {step}").as_bytes()).as_bytes()[..16]);
    client_ref
}
