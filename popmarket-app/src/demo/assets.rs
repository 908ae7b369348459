//! Shares of a café, the market where they are traded, and a vote.

use ledger::{
    Amount, AssetId, Ballot, Census, Decimals, ExchangeOp, Lifetime, MarketId, Millis, NewOrder, OrderSide,
    PollContent, PollId, PollOp, PollOptions, PollTimes, SelfTrade, TokenId, TokenName, TokenOp,
};
use pbft_crypto::Address;

use super::{Demo, DemoError};

const SYMBOL: &str = "CAFE";

/// How long a vote is open.
const OPEN_FOR: Millis = Millis::days(14);

impl Demo<'_> {
    /// The issuer sells a few shares, and those who have them deal with each other.
    pub(super) async fn shares(
        &self,
        issuer: Address,
        one: Address,
        other: Address,
    ) -> Result<(), DemoError> {
        let base: TokenId = SYMBOL.parse()?;
        let (name, cap) = (TokenName::new("동네 카페 Corner Cafe")?, Some(Amount::new(1_000)));
        let create = TokenOp::Create { token: base, name, decimals: Decimals::NONE, cap };
        self.act(issuer, create, "issue shares").await?;
        for (to, amount) in [(issuer, 600), (one, 250), (other, 150)] {
            let mint = TokenOp::Mint { token: base, to, amount: Amount::new(amount) };
            self.act(issuer, mint, &format!("shares for {to}")).await?;
        }
        let (quote, tick, lot) = (AssetId::Pop, Amount::new(10), Amount::new(1));
        self.act(issuer, ExchangeOp::OpenMarket { base, quote, tick, lot }, "open a market").await?;
        let market = MarketId { base, quote };
        let orders = [
            (issuer, OrderSide::Sell, 520, 40),
            (one, OrderSide::Buy, 520, 25),
            (other, OrderSide::Buy, 530, 10),
            (one, OrderSide::Sell, 550, 30),
            (other, OrderSide::Buy, 550, 12),
            (other, OrderSide::Buy, 500, 20),
            (issuer, OrderSide::Buy, 490, 30),
            (issuer, OrderSide::Sell, 580, 50),
        ];
        for (number, (who, side, price, quantity)) in orders.into_iter().enumerate() {
            let (price, quantity) = (Some(Amount::new(price)), Amount::new(quantity));
            let (lifetime, self_trade) = (Lifetime::UntilCancelled, SelfTrade::CancelNewest);
            let order = NewOrder { market, side, price, quantity, lifetime, self_trade };
            self.act(who, ExchangeOp::Place { order }, &format!("order {number}")).await?;
        }
        Ok(())
    }

    /// Somebody asks, and the others answer.
    pub(super) async fn vote(&self, asks: Address, voters: [Address; 3]) -> Result<(), DemoError> {
        let options = ["토요일 · Saturday".parse()?, "일요일 · Sunday".parse()?];
        let content = PollContent {
            question: "플리마켓은 언제 열까요? · When shall the flea market be?".parse()?,
            options: PollOptions::try_from(options.to_vec())?,
        };
        let now = self.gateway.view().read(|ledger| ledger.tip().time);
        let times = PollTimes { opens_at: now, closes_at: now.plus(OPEN_FOR) };
        let (ballot, census) = (Ballot::Open, Census::Everyone);
        let create = PollOp::Create { content, ballot, census, changeable: true, times };
        let poll = PollId::from(self.act(asks, create, "ask").await?);
        for (voter, choice) in voters.into_iter().zip([0, 1, 0]) {
            self.act(voter, PollOp::Vote { poll, choice }, &format!("vote of {voter}")).await?;
        }
        Ok(())
    }
}
