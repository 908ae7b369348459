use ledger::{
    EventKind, HostPort, NewReplica, Reason, ReplicaChangeId, ReplicaChangeStatus, ReplicaEdit, ReplicaEvent,
    ReplicaId, ReplicaOp, ReplicaRejection, ReplicaStatus, replica_set_hash,
};
use pbft_crypto::Digest;

use crate::world::{World, address, key, replica, unknown};

fn id(id: u16) -> ReplicaId {
    ReplicaId::new(id)
}

fn host(text: &str) -> HostPort {
    text.parse().unwrap()
}

fn reason() -> Reason {
    Reason::new("not now").unwrap()
}

fn propose(edit: ReplicaEdit) -> ReplicaOp {
    ReplicaOp::Propose { edit }
}

fn add(name: &str) -> ReplicaEdit {
    ReplicaEdit::Add { replica: replica(name) }
}

fn replace<const R: usize, const A: usize>(remove: [u16; R], names: [&str; A]) -> ReplicaEdit {
    ReplicaEdit::Replace { remove: remove.map(id).to_vec(), add: names.map(replica).to_vec() }
}

impl World {
    fn propose(&mut self, edit: ReplicaEdit) -> ReplicaChangeId {
        ReplicaChangeId::from(self.ok("ann", propose(edit)).id)
    }

    /// Asked for by one admin, approved by the other. The events that follow on the approval.
    fn change(&mut self, edit: ReplicaEdit) -> Vec<EventKind> {
        let change = self.propose(edit);
        self.ok("ben", ReplicaOp::Approve { change }).events.split_off(1)
    }

    fn members(&self) -> Vec<u16> {
        self.ledger.members().map(|(id, _)| id.value()).collect()
    }

    fn refuses(&mut self, edit: ReplicaEdit, why: ReplicaRejection) {
        assert_eq!(self.rejected("ann", propose(edit)), why.into());
    }
}

#[test]
fn an_approved_replica_joins() {
    let mut world = World::new();
    let before = world.ledger.replica_set_hash();
    let proposed = world.ok("ann", propose(add("r4")));
    let change = ReplicaChangeId::from(proposed.id);
    let event = ReplicaEvent::Proposed { change, proposer: address("ann"), edit: add("r4"), at: world.now };
    assert_eq!(proposed.events, [EventKind::Replica(event)]);
    assert_eq!((world.members(), world.ledger.replica_set_hash()), (vec![0, 1, 2, 3], before));

    let approved = world.ok("ben", ReplicaOp::Approve { change });
    let (at, by) = (world.now, address("ben"));
    let NewReplica { public_key, address: host } = replica("r4");
    let events = [
        ReplicaEvent::Approved { change, proposer: address("ann"), by, at },
        ReplicaEvent::Joined { replica: id(4), public_key, address: host, at },
    ];
    assert_eq!(approved.events, events.map(EventKind::Replica));
    assert_eq!(world.members(), [0, 1, 2, 3, 4]);
    assert_ne!(world.ledger.replica_set_hash(), before);
    let status = ReplicaChangeStatus::Approved { by, at };
    assert_eq!(world.ledger.replica_change(&change).unwrap().status, status);
    let again = [ReplicaOp::Approve { change }, ReplicaOp::Reject { change, reason: reason() }];
    for op in again {
        assert_eq!(world.rejected("ben", op), ReplicaRejection::AlreadyDecided { status }.into());
    }
}

#[test]
fn a_rejected_change_leaves_all_as_it_is() {
    let mut world = World::new();
    let change = world.propose(add("r4"));
    let rejected = world.ok("ben", ReplicaOp::Reject { change, reason: reason() });
    let (by, at) = (address("ben"), world.now);
    let event = ReplicaEvent::Rejected { change, proposer: address("ann"), by, reason: reason(), at };
    assert_eq!(rejected.events, [EventKind::Replica(event)]);
    let status = ReplicaChangeStatus::Rejected { by, at };
    let approve = ReplicaOp::Approve { change };
    assert_eq!(world.rejected("ben", approve), ReplicaRejection::AlreadyDecided { status }.into());
    assert_eq!(world.members(), [0, 1, 2, 3]);
    // The key was not used up.
    world.change(add("r4"));
}

#[test]
fn an_admin_asks_and_another_one_decides() {
    let mut world = World::new();
    assert_eq!(world.rejected("bea", propose(add("r4"))), ReplicaRejection::NotAdmin.into());
    let change = world.propose(add("r4"));
    let decisions = [ReplicaOp::Approve { change }, ReplicaOp::Reject { change, reason: reason() }];
    for op in decisions {
        assert_eq!(world.rejected("bea", op.clone()), ReplicaRejection::NotAdmin.into());
        assert_eq!(world.rejected("ann", op), ReplicaRejection::OwnChange.into());
    }
    let nothing = ReplicaOp::Approve { change: unknown() };
    assert_eq!(world.rejected("ben", nothing), ReplicaRejection::UnknownChange.into());
    world.ok("ben", ReplicaOp::Approve { change });
}

#[test]
fn removals_stop_before_a_single_fault_can_stop_the_rest() {
    let mut world = World::new();
    world.refuses(ReplicaEdit::Remove { id: id(0) }, ReplicaRejection::TooFew { count: 3 });
    world.refuses(replace([0, 1], ["r4"]), ReplicaRejection::TooFew { count: 3 });
    world.refuses(replace([0, 1, 2, 3], []), ReplicaRejection::TooFew { count: 0 });
    world.change(add("r4"));
    let [first, second] = [0, 1].map(|n| world.propose(ReplicaEdit::Remove { id: id(n) }));
    let left = world.ok("ben", ReplicaOp::Approve { change: first }).events.pop();
    assert_eq!(left, Some(EventKind::Replica(ReplicaEvent::Left { replica: id(0), at: world.now })));
    // It could be carried out when it was asked for, and now it cannot; it can still be turned down.
    let approve = ReplicaOp::Approve { change: second };
    assert_eq!(world.rejected("ben", approve), ReplicaRejection::TooFew { count: 3 }.into());
    world.ok("ben", ReplicaOp::Reject { change: second, reason: reason() });
    assert_eq!(world.members(), [1, 2, 3, 4]);
    let row = world.ledger.replicas().next().unwrap().1;
    assert_eq!((row.status, row.status.code()), (ReplicaStatus::Left, "LEFT"));
}

#[test]
fn a_small_cluster_may_shrink_but_not_vanish() {
    let mut genesis = crate::world::genesis();
    genesis.replicas.truncate(3);
    let mut world = World::of(&genesis);
    world.change(ReplicaEdit::Remove { id: id(0) });
    world.change(ReplicaEdit::Remove { id: id(2) });
    world.refuses(ReplicaEdit::Remove { id: id(1) }, ReplicaRejection::TooFew { count: 0 });
    assert_eq!(world.members(), [1]);
}

#[test]
fn there_are_no_more_than_the_genesis_allows() {
    let mut world = World::new();
    world.change(replace([], ["r4", "r5", "r6"]));
    world.refuses(add("r7"), ReplicaRejection::TooMany { count: 8, max: 7 });
    world.change(replace([0], ["r7"]));
    assert_eq!(world.members(), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn several_leave_and_join_at_once() {
    let mut world = World::new();
    let events = world.change(replace([1, 3], ["r4", "r5", "r6"]));
    let kinds: Vec<_> = events
        .iter()
        .map(|event| match event {
            EventKind::Replica(ReplicaEvent::Left { replica, .. }) => ("left", replica.value()),
            EventKind::Replica(ReplicaEvent::Joined { replica, .. }) => ("joined", replica.value()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, [("left", 1), ("left", 3), ("joined", 4), ("joined", 5), ("joined", 6)]);
    assert_eq!(world.members(), [0, 2, 4, 5, 6]);
    let named = [0, 2, 4, 5, 6].map(|n| (id(n), key(&format!("r{n}")).public_key()));
    assert_eq!(world.ledger.replica_set_hash(), replica_set_hash(named));
    assert_eq!(replica_set_hash(named.into_iter().rev()), replica_set_hash(named));
    world.refuses(replace([], []), ReplicaRejection::NothingToChange);
    world.refuses(replace([0, 0], ["r7", "r8"]), ReplicaRejection::UnknownReplica { id: id(0) });
    world.refuses(replace([], ["r7", "r7"]), ReplicaRejection::KeyUsed);
}

#[test]
fn ids_and_keys_are_never_given_again() {
    let mut world = World::new();
    world.change(add("r4"));
    world.change(ReplicaEdit::Remove { id: id(4) });
    world.refuses(add("r4"), ReplicaRejection::KeyUsed);
    let back = NewReplica { public_key: key("again").public_key(), address: replica("r4").address };
    world.change(ReplicaEdit::Add { replica: back });
    assert_eq!(world.members(), [0, 1, 2, 3, 5]);
    let edits = [
        ReplicaEdit::Remove { id: id(4) },
        ReplicaEdit::Rotate { id: id(4), public_key: key("new").public_key() },
        ReplicaEdit::Move { id: id(4), address: host("new:1") },
    ];
    for edit in edits {
        world.refuses(edit, ReplicaRejection::UnknownReplica { id: id(4) });
    }
}

#[test]
fn a_replica_gets_another_key_and_moves() {
    let mut world = World::new();
    let set = world.ledger.replica_set_hash();
    let moved = world.change(ReplicaEdit::Move { id: id(2), address: host("10.0.0.2:9000") });
    let event = ReplicaEvent::Moved { replica: id(2), address: host("10.0.0.2:9000"), at: world.now };
    assert_eq!(moved, [EventKind::Replica(event)]);
    assert_eq!(world.ledger.replica_set_hash(), set, "an address is not part of the set");

    let public_key = key("new").public_key();
    let rotate = ReplicaEdit::Rotate { id: id(2), public_key };
    let rotated = world.change(rotate.clone());
    let event = ReplicaEvent::KeyRotated { replica: id(2), public_key, at: world.now };
    assert_eq!(rotated, [EventKind::Replica(event)]);
    assert_ne!(world.ledger.replica_set_hash(), set);
    let (_, row) = world.ledger.replicas().nth(2).unwrap();
    assert_eq!((row.public_key, row.address.as_str()), (public_key, "10.0.0.2:9000"));
    assert_eq!(row.updated_at, world.now);
    assert!(row.joined_at < row.updated_at);

    world.refuses(rotate, ReplicaRejection::KeyUsed);
    let old = ReplicaEdit::Rotate { id: id(2), public_key: key("r2").public_key() };
    world.refuses(old, ReplicaRejection::KeyUsed);
    let no_point = postcard::from_bytes(&[[2].as_slice(), &[0xff; 32]].concat()).unwrap();
    world.refuses(ReplicaEdit::Rotate { id: id(2), public_key: no_point }, ReplicaRejection::BadKey);
    let taken = ReplicaEdit::Move { id: id(2), address: replica("r3").address };
    world.refuses(taken, ReplicaRejection::AddressInUse { id: id(3) });
}

#[test]
fn the_last_id_is_the_last() {
    use ledger::{Ledger, StateKey};
    let world = World::new();
    // A state in which the highest id was given: that of a replica that left.
    let mut entries: Vec<_> = world.ledger.entries().collect();
    let left = ledger::Replica {
        public_key: key("last").public_key(),
        address: host("last:1"),
        status: ReplicaStatus::Left,
        joined_at: world.now,
        updated_at: world.now,
    };
    let owner = ledger::ReplicaKey { replica: id(u16::MAX), since: world.now };
    let row = (StateKey::Replica(id(u16::MAX)).to_bytes(), postcard::to_allocvec(&left).unwrap());
    let owned = (StateKey::ReplicaKey(left.public_key).to_bytes(), postcard::to_allocvec(&owner).unwrap());
    entries.extend([row, owned]);
    let mut tree = ledger::state_tree::StateTree::new();
    tree.update(entries.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice()))));
    let mut tip = world.ledger.tip().clone();
    tip.state_root = tree.root();
    let mut world = World::with(Ledger::restore(&crate::world::genesis(), tip, entries).unwrap());
    world.refuses(add("r4"), ReplicaRejection::NoIdLeft);
    world.change(ReplicaEdit::Rotate { id: id(0), public_key: key("new").public_key() });
    assert_ne!(world.ledger.replica_set_hash(), Digest::ZERO);
}
