use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// The root by definition: split the sorted leaves at the first bit in which any two differ.
fn root_by_definition(entries: &Entries) -> Digest {
    fn of(leaves: &[(Path, Digest)], bit: u8) -> Digest {
        let [(_, hash)] = leaves else {
            let (zeros, ones): (Vec<_>, Vec<_>) = leaves.iter().partition(|(path, _)| !bit_at(path, bit));
            return if zeros.is_empty() || ones.is_empty() {
                of(leaves, bit + 1)
            } else {
                node_hash(bit, &of(&zeros, bit), &of(&ones, bit))
            };
        };
        *hash
    }
    let leaf = |(key, value): (&Vec<u8>, &Vec<u8>)| (path_of(key), leaf_hash(&path_of(key), value));
    let leaves: Vec<_> = entries.iter().map(leaf).collect();
    if leaves.is_empty() { Digest::ZERO } else { of(&leaves, 0) }
}

fn update(tree: &mut StateTree, entries: &mut Entries, changes: &[(Vec<u8>, Option<Vec<u8>>)]) {
    tree.update(changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref())));
    for (key, value) in changes {
        match value {
            Some(value) => entries.insert(key.clone(), value.clone()),
            None => entries.remove(key),
        };
    }
}

fn change() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
    let key = (0u16..300).prop_map(|n| n.to_be_bytes().to_vec());
    let value = prop::option::weighted(0.7, (0u8..4).prop_map(|n| vec![n; usize::from(n)]));
    (key, value)
}

proptest! {
    #[test]
    fn batches_lead_to_the_root_by_definition(
        batches in prop::collection::vec(prop::collection::vec(change(), 0..80), 0..12),
    ) {
        let (mut tree, mut entries) = (StateTree::new(), Entries::new());
        for batch in &batches {
            update(&mut tree, &mut entries, batch);
            prop_assert_eq!(tree.root(), root_by_definition(&entries));
        }
        for (key, value) in &entries {
            let proof = tree.prove(key).unwrap();
            prop_assert!(proof.verify(&tree.root(), key, value));
            prop_assert!(!proof.verify(&tree.root(), key, b"another value"));
            prop_assert!(!proof.verify(&tree.root(), b"another key", value));
        }
        for absent in (0u16..300).map(u16::to_be_bytes).filter(|key| !entries.contains_key(&key[..])) {
            prop_assert_eq!(tree.prove(&absent), None);
        }
    }

    #[test]
    fn the_order_of_changes_makes_no_difference(
        keys in prop::collection::btree_set(any::<u16>(), 0..60), swap in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut keys: Vec<_> = keys.iter().map(|key| key.to_be_bytes()).collect();
        let one_by_one = |keys: &[[u8; 2]]| {
            let mut tree = StateTree::new();
            for key in keys {
                tree.update([(&key[..], Some(&b"value"[..]))]);
            }
            tree.root()
        };
        let expected = one_by_one(&keys);
        let n = keys.len();
        if n > 0 {
            keys.swap(0, swap.index(n));
            keys.rotate_left(cut.index(n));
        }
        prop_assert_eq!(one_by_one(&keys), expected);
        let mut at_once = StateTree::new();
        at_once.update(keys.iter().map(|key| (&key[..], Some(&b"value"[..]))));
        prop_assert_eq!(at_once.root(), expected);
    }
}

#[test]
fn a_removed_entry_leaves_nothing_behind() {
    let mut tree = StateTree::new();
    tree.update([(&b"a"[..], Some(&b"1"[..])), (b"b", Some(b"2"))]);
    let before = tree.root();
    tree.update([(&b"c"[..], Some(&b"3"[..]))]);
    assert_ne!(tree.root(), before);
    tree.update([(&b"c"[..], None), (b"never there", None)]);
    assert_eq!(tree.root(), before);
    tree.update([(&b"a"[..], None), (b"b", None)]);
    assert_eq!(tree.root(), Digest::ZERO);
}

#[test]
fn of_two_changes_of_a_key_the_last_one_counts() {
    let (mut twice, mut once) = (StateTree::new(), StateTree::new());
    twice.update([(&b"a"[..], Some(&b"1"[..])), (b"a", Some(b"2")), (b"b", Some(b"3")), (b"b", None)]);
    once.update([(&b"a"[..], Some(&b"2"[..]))]);
    assert_eq!(twice.root(), once.root());
}

/// Paths that agree in all but their last bits, which no test by keys would find.
#[test]
fn long_common_prefixes_are_one_node() {
    let mut paths = [[7; 32]; 3];
    paths[1][31] ^= 1;
    paths[2][31] ^= 2;
    paths.sort_unstable();
    let updates = paths.map(|path| Update { path, hash: Some(leaf_hash(&path, b"value")) });
    let mut top = build(&updates).unwrap();
    let Node::Branch(branch) = &top.node else { panic!("three leaves are not a leaf") };
    assert_eq!(branch.bit, 254);
    let leaves = [&branch.left, &branch.right].map(|side| matches!(side.node, Node::Leaf(_)));
    assert_eq!(leaves.iter().filter(|leaf| **leaf).count(), 1);
    let gone = paths.map(|path| Update { path, hash: None });
    assert!(!top.update(0, &gone));
}

#[test]
fn nodes_are_hashed_as_the_format_says() {
    let [left, right] = [1, 2].map(|byte| Digest::from_bytes([byte; 32]));
    let in_steps = Hasher::new(NODE).update(&[200]).update(left.as_bytes()).update(right.as_bytes()).finish();
    assert_eq!(node_hash(200, &left, &right), in_steps);
}

#[test]
fn differences_are_counted_from_the_highest_bit() {
    let zero = [0; 32];
    let one = |byte: usize, bit: u8| {
        let mut path = zero;
        path[byte] = 0x80 >> bit;
        path
    };
    assert_eq!(first_difference(&zero, &zero), None);
    assert_eq!(first_difference(&zero, &one(0, 0)), Some(0));
    assert_eq!(first_difference(&zero, &one(1, 3)), Some(11));
    assert_eq!(first_difference(&one(31, 7), &zero), Some(255));
    assert!(bit_at(&one(31, 7), 255) && !bit_at(&one(31, 7), 254));
}
