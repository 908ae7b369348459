//! The rules of tokens once more, as naively as possible.

use ledger::{AssetId, TokenId, TokenOp};
use pbft_crypto::Address;

use crate::exchange_model::MToken;
use crate::model::{Model, Outcome, ensure};

impl Model {
    pub(crate) fn token(&mut self, who: Address, time: u64, op: &TokenOp) -> Outcome {
        match op {
            TokenOp::Create { token, cap, .. } => {
                ensure(!self.exchange.tokens.contains_key(token), "SYMBOL_TAKEN")?;
                self.is_not_frozen(&who)?;
                let cap = cap.map(ledger::Amount::value);
                self.exchange.tokens.insert(*token, MToken { issuer: who, cap, minted: 0, burned: 0 });
                Ok(())
            }
            TokenOp::Mint { token, to, amount } => self.mint_token(who, *token, *to, amount.value()),
            TokenOp::Burn { token, amount } => {
                self.exchange.token(token)?;
                ensure(amount.value() > 0, "ZERO_AMOUNT")?;
                self.spend(who, (*token).into(), amount.value(), time)?;
                let amount = i128::from(amount.value());
                *self.wealth_of(who, (*token).into()) -= amount;
                self.exchange.tokens.get_mut(token).unwrap().burned += u128::try_from(amount).unwrap();
                Ok(())
            }
            TokenOp::Transfer { token, to, amount } => {
                self.give(*token, (who, *to), amount.value(), None, time)
            }
            TokenOp::TransferFrom { token, owner, to, amount } => {
                self.give(*token, (*owner, *to), amount.value(), Some(who), time)
            }
            TokenOp::Approve { token, spender, from, to } => {
                self.exchange.token(token)?;
                ensure(self.accounts.contains_key(spender), "UNKNOWN_RECIPIENT")?;
                ensure(who != *spender, "SAME_ACCOUNT")?;
                let allowance = *self.exchange.allowance(who, *spender, *token);
                ensure(allowance == from.value(), "ALLOWANCE_CHANGED")?;
                if to.value() > allowance {
                    self.is_not_frozen(&who)?;
                }
                *self.exchange.allowance(who, *spender, *token) = to.value();
                Ok(())
            }
            TokenOp::HandOver { token, to } => {
                ensure(self.exchange.token(token)?.issuer == who, "NOT_ISSUER")?;
                ensure(self.accounts.contains_key(to), "UNKNOWN_RECIPIENT")?;
                ensure(who != *to, "SAME_ACCOUNT")?;
                self.is_not_frozen(&who)?;
                self.exchange.tokens.get_mut(token).unwrap().issuer = *to;
                Ok(())
            }
        }
    }

    fn mint_token(&mut self, who: Address, token: TokenId, to: Address, amount: u64) -> Outcome {
        let row = self.exchange.token(&token)?.clone();
        ensure(row.issuer == who, "NOT_ISSUER")?;
        ensure(amount > 0, "ZERO_AMOUNT")?;
        ensure(self.accounts.contains_key(&to), "UNKNOWN_RECIPIENT")?;
        let there = row.minted - row.burned + u128::from(amount);
        ensure(row.cap.is_none_or(|cap| there <= u128::from(cap)), "CAP_EXCEEDED")?;
        self.is_not_frozen(&who)?;
        let minted = row.minted + u128::from(amount);
        ensure(minted <= u128::from(u64::MAX), "SUPPLY_EXCEEDED")?;
        self.exchange.tokens.get_mut(&token).unwrap().minted = minted;
        *self.wealth_of(to, token.into()) += i128::from(amount);
        Ok(())
    }

    fn give(
        &mut self,
        token: TokenId,
        (from, to): (Address, Address),
        amount: u64,
        by: Option<Address>,
        time: u64,
    ) -> Outcome {
        self.exchange.token(&token)?;
        ensure(amount > 0, "ZERO_AMOUNT")?;
        ensure(self.accounts.contains_key(&to), "UNKNOWN_RECIPIENT")?;
        ensure(from != to, "SAME_ACCOUNT")?;
        if let Some(spender) = by {
            ensure(*self.exchange.allowance(from, spender, token) >= amount, "ALLOWANCE_TOO_SMALL")?;
            self.is_not_frozen(&spender)?;
        }
        let asset = AssetId::from(token);
        self.spend(from, asset, amount, time)?;
        if let Some(spender) = by {
            *self.exchange.allowance(from, spender, token) -= amount;
        }
        *self.wealth_of(from, asset) -= i128::from(amount);
        *self.wealth_of(to, asset) += i128::from(amount);
        Ok(())
    }
}
