//! Who asks for what: mostly what may be, sometimes what may not.

use std::collections::BTreeMap;

use ledger::{
    AccountOp, ListingContent, ListingId, ListingOp, Name, NewReplica, Operation, Reason, ReplicaChangeId,
    ReplicaEdit, ReplicaId, ReplicaOp, Title,
};
use pbft_crypto::{Address, Digest};

use super::Run;
use crate::model::Model;
use crate::world::{address, content, key, replica};

impl Run {
    pub(super) fn anyone(&mut self) -> Address {
        let all = if self.dice.percent(90) { self.model.accounts.len() } else { self.people.len() };
        let known: Vec<Address> = self.model.accounts.keys().copied().collect();
        let n = usize::try_from(self.dice.below(u64::try_from(all).unwrap())).unwrap();
        known.get(n).copied().unwrap_or(self.people[n].0)
    }

    pub(super) fn units(&mut self) -> u64 {
        match self.dice.below(20) {
            0 => 0,
            1 => u64::MAX,
            2..=4 => self.dice.below(2_000_000),
            _ => self.dice.below(5_000),
        }
    }

    /// One that exists, or, rarely, one that does not.
    pub(super) fn known<V>(&mut self, of: fn(&Model) -> &BTreeMap<Digest, V>) -> Digest {
        let ids: Vec<Digest> = of(&self.model).keys().copied().collect();
        let nothing = Digest::from_bytes([0xee; 32]);
        if self.dice.percent(3) { nothing } else { self.dice.pick(&ids).copied().unwrap_or(nothing) }
    }

    fn content(&mut self) -> ListingContent {
        let units = self.units();
        let title = Title::new(format!("number {}", self.dice.below(1_000))).unwrap();
        ListingContent { title, ..content(units) }
    }

    /// Who does what: mostly someone who may.
    pub(super) fn choose(&mut self) -> (Address, Operation) {
        if self.many_versions && self.dice.percent(70) {
            return self.one_more_version();
        }
        let who = self.anyone();
        if self.dice.percent(30) {
            return self.token_or_order(who);
        }
        match self.dice.below(145) {
            0..=3 => (who, self.register()),
            4..=13 => self.charge(who),
            14..=30 => self.payment(who),
            31..=41 => self.listing(who),
            42..=54 => (who, self.open()),
            55..=61 => self.replica(who),
            62..=65 => self.role(who),
            66..=71 => self.review(who),
            72..=86 => self.poll(who),
            87..=104 => self.identity(who),
            105..=111 => self.withdrawal(who),
            _ => self.move_trade(who),
        }
    }

    fn one_more_version(&mut self) -> (Address, Operation) {
        let content = content(u64::MAX);
        let is_open = |id: &Digest| self.model.listing_state(id) == "OPEN";
        let open =
            self.model.listings.iter().filter(|(id, row)| row.versions[0].0 == u64::MAX && is_open(id));
        match open.max_by_key(|(_, row)| row.versions.len()) {
            Some((id, row)) => {
                let from_version = u32::try_from(row.versions.len()).unwrap() + self.planned_versions;
                self.planned_versions += 1;
                let listing = ListingId::new(*id);
                (row.seller, ListingOp::Update { listing, from_version, content }.into())
            }
            None => (address("sam"), ListingOp::Create { content }.into()),
        }
    }

    fn register(&mut self) -> Operation {
        let names = ["kim", "KIM", "lee", "park", "choi", "jung", "Ann", "someone else"];
        AccountOp::Register { name: Name::new(*self.dice.pick(&names).unwrap()).unwrap() }.into()
    }

    fn replica(&mut self, who: Address) -> (Address, Operation) {
        let admin = if self.dice.percent(50) { address("ann") } else { address("ben") };
        let who = if self.dice.percent(5) { who } else { admin };
        if self.dice.percent(50) {
            return (who, ReplicaOp::Propose { edit: self.edit() }.into());
        }
        let changes = &self.model.network.changes;
        let open: Vec<Digest> =
            changes.iter().filter(|(_, row)| row.state == "PROPOSED").map(|(id, _)| *id).collect();
        let all: Vec<Digest> = changes.iter().map(|(id, _)| *id).collect();
        let of = if self.dice.percent(80) { open } else { all };
        let nothing = Digest::from_bytes([0xee; 32]);
        let change = ReplicaChangeId::new(self.dice.pick(&of).copied().unwrap_or(nothing));
        let reason = Reason::new("no").unwrap();
        let approve = self.dice.percent(70);
        (
            who,
            if approve { ReplicaOp::Approve { change } } else { ReplicaOp::Reject { change, reason } }.into(),
        )
    }

    fn edit(&mut self) -> ReplicaEdit {
        match self.dice.below(12) {
            0..=3 => ReplicaEdit::Add { replica: self.newcomer() },
            4..=6 => ReplicaEdit::Remove { id: self.replica_id() },
            7 => ReplicaEdit::Rotate { id: self.replica_id(), public_key: self.newcomer().public_key },
            8 => ReplicaEdit::Move { id: self.replica_id(), address: self.newcomer().address },
            _ => ReplicaEdit::Replace {
                remove: (0..self.dice.below(4)).map(|_| self.replica_id()).collect(),
                add: (0..self.dice.below(4)).map(|_| self.newcomer()).collect(),
            },
        }
    }

    /// Most are members; a few have left or never were.
    fn replica_id(&mut self) -> ReplicaId {
        let all = self.model.network.replicas.iter().zip(0..);
        let active: Vec<u16> = all.filter(|(replica, _)| replica.active).map(|(_, id)| id).collect();
        let n = u64::try_from(self.model.network.replicas.len()).unwrap();
        let anyone = u16::try_from(self.dice.below(n + 2)).unwrap();
        let member = self.dice.pick(&active).copied();
        ReplicaId::new(if self.dice.percent(10) { anyone } else { member.unwrap_or(anyone) })
    }

    /// Mostly a key that nobody has, and an address out of a few.
    fn newcomer(&mut self) -> NewReplica {
        let address = replica(&format!("r{}", self.dice.below(40))).address;
        let public_key = match self.dice.below(20) {
            0 => postcard::from_bytes(&[[2; 1].as_slice(), &[0xff; 32]].concat()).unwrap(),
            1 | 2 => replica(&format!("r{}", self.dice.below(4))).public_key,
            _ => {
                self.serial += 1;
                key(&format!("replica {} {}", self.seed, self.serial)).public_key()
            }
        };
        NewReplica { public_key, address }
    }

    fn listing(&mut self, who: Address) -> (Address, Operation) {
        let content = self.content();
        if self.dice.percent(50) {
            return (who, ListingOp::Create { content }.into());
        }
        let listing = self.known(|model| &model.listings);
        let owner = self.model.listings.get(&listing).map(|row| row.seller);
        let who = if self.dice.percent(15) { who } else { owner.unwrap_or(who) };
        let versions = self.model.listings.get(&listing).map_or(1, |row| row.versions.len());
        let current = u32::try_from(versions).unwrap();
        let from_version = if self.dice.percent(10) { current - 1 } else { current };
        let listing = ListingId::new(listing);
        let close = ListingOp::Close { listing };
        let update = ListingOp::Update { listing, from_version, content };
        (who, if self.dice.percent(20) { close } else { update }.into())
    }
}
