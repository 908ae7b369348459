//! Who asks for what about people: roles and reviews.

use ledger::{Operation, Rating, Reason, ReviewOp, ReviewText, Role, RoleChangeId, RoleOp, TradeId};
use pbft_crypto::{Address, Digest};

use super::Run;
use crate::{role_model::MRoleChange, world::address};

impl Run {
    /// Mostly by an admin. There are never many more admins than at the start, and mostly a courier and two arbiters.
    pub(super) fn role(&mut self, who: Address) -> (Address, Operation) {
        let admins: Vec<Address> = {
            let rows = self.model.accounts.iter().filter(|(_, row)| row.role == Role::Admin);
            rows.map(|(who, _)| *who).collect()
        };
        let admin = self.dice.pick(&admins).copied().unwrap_or(who);
        let who = if self.dice.percent(8) { who } else { admin };
        let open = self.open_role_changes();
        let needed = [address("ann"), address("ben")];
        let others = open.iter().map(|(_, row)| row.who).filter(|who| !needed.contains(who));
        let proposers: Vec<Address> = others.collect();
        if self.dice.percent(50) {
            let account = if self.dice.percent(5) { address("nobody") } else { self.role_taker(&admins) };
            // Who has asked for something may be no admin any more when others look at it.
            let asked = self.dice.pick(&proposers).copied().filter(|_| self.dice.percent(40));
            let role = match self.dice.below(6) {
                _ if asked.is_some() => Role::Member,
                0 if admins.len() < 4 => Role::Admin,
                0..=2 => Role::Member,
                3 => Role::Courier,
                _ => Role::Arbiter,
            };
            let account = asked.unwrap_or(account);
            return (who, Operation::from(ledger::AccountOp::Role(RoleOp::Propose { account, role })));
        }
        let tells = |(_, row): &&(Digest, MRoleChange)| {
            proposers.contains(&row.account) || !admins.contains(&row.who)
        };
        let telling: Vec<Digest> = open.iter().filter(tells).map(|(id, _)| *id).collect();
        let open: Vec<Digest> = open.iter().map(|(id, _)| *id).collect();
        let any = self.known(|model| &model.role_changes);
        let usual = if self.dice.percent(80) { self.dice.pick(&open).copied().unwrap_or(any) } else { any };
        let id = self.dice.pick(&telling).copied().filter(|_| self.dice.percent(50)).unwrap_or(usual);
        let change = RoleChangeId::new(id);
        let approve = self.dice.percent(70);
        let reason = Reason::new("no").unwrap();
        let op = if approve { RoleOp::Approve { change } } else { RoleOp::Reject { change, reason } };
        (who, ledger::AccountOp::Role(op).into())
    }

    fn open_role_changes(&self) -> Vec<(Digest, MRoleChange)> {
        let rows = self.model.role_changes.iter().filter(|(_, row)| row.state == "PROPOSED");
        rows.map(|(id, row)| (*id, row.clone())).collect()
    }

    /// The two admins that the other choices rely on are rarely among them.
    fn role_taker(&mut self, admins: &[Address]) -> Address {
        let anyone = self.anyone();
        let is_needed = [address("ann"), address("ben")].contains(&anyone);
        let other = admins.iter().find(|who| ![address("ann"), address("ben")].contains(who));
        if is_needed && self.dice.percent(70) { other.copied().unwrap_or(anyone) } else { anyone }
    }

    pub(super) fn review(&mut self, who: Address) -> (Address, Operation) {
        let over: Vec<Digest> = {
            let rows =
                self.model.trades.iter().filter(|(_, trade)| !trade.live() && trade.state != "CANCELLED");
            rows.map(|(id, _)| *id).collect()
        };
        let any = self.known(|model| &model.trades);
        let id = if self.dice.percent(85) { self.dice.pick(&over).copied().unwrap_or(any) } else { any };
        let parties = self.model.trades.get(&id).map(|trade| [trade.buyer, trade.seller]);
        let party = parties.and_then(|parties| self.dice.pick(&parties).copied());
        let who = if self.dice.percent(5) { who } else { party.unwrap_or(who) };
        let rating = Rating::new(u8::try_from(1 + self.dice.below(5)).unwrap()).unwrap();
        let text = ReviewText::new(format!("number {}", self.dice.below(50))).unwrap();
        (who, ReviewOp::Post { trade: TradeId::new(id), rating, text }.into())
    }
}
