use ledger::{
    AccountRejection, Amount, AssetId, BasisPoints, Cause, EventKind, Genesis, GenesisError, Height, Ledger,
    MAX_REPLICAS, Millis, Name, Params, ReplicaId, ReplicaRejection, Role,
};
use pbft_crypto::PublicKey;

use crate::world::{COINS, START, address, genesis, replica};

#[test]
fn the_first_block_holds_what_the_genesis_says() {
    let (ledger, applied) = Ledger::begin(&genesis()).unwrap();
    let block = applied.block.unwrap();
    assert_eq!((ledger.tip(), *ledger.tip_hash()), (&block.header, block.hash()));
    assert_eq!(block.header.height, Height::GENESIS);
    assert_eq!(block.header.parent, genesis().chain_id());
    assert_eq!((block.header.time, block.header.view, block.header.seq), (START, 0, 0));
    assert_eq!(block.header.replica_set_hash, genesis().replica_set_hash());
    assert_eq!(ledger.replica_set_hash(), genesis().replica_set_hash());
    let replicas: Vec<_> = ledger.members().map(|(id, row)| (id.value(), row.address.as_str())).collect();
    let expected = ["r0", "r1", "r2", "r3"].map(|name| format!("{name}.example:9000"));
    assert_eq!(replicas, (0..).zip(expected.iter().map(String::as_str)).collect::<Vec<_>>());
    assert!(block.roots_match() && block.transactions.is_empty() && block.receipts.is_empty());
    assert!(applied.events.iter().all(|event| event.cause == Cause::Genesis));
    let registered = applied.events.iter().filter(|event| matches!(event.kind, EventKind::Account(_)));
    assert_eq!(registered.count(), 9);
    assert_eq!(ledger.supply(AssetId::Pop).minted, Amount::new(3 * COINS));
    assert_eq!(ledger.account(&address("ann")).unwrap().role, Role::Admin);
    assert_eq!((ledger.params(), *ledger.fee_account()), (&genesis().params, address("fees")));
    ledger.check_invariants().unwrap();
    let stored: Vec<_> =
        applied.changes.into_iter().map(|change| (change.key, change.value.unwrap())).collect();
    assert!(ledger.entries().eq(stored));
}

#[test]
fn everything_in_it_names_the_chain() {
    let changes: [fn(&mut Genesis); 7] = [
        |genesis| genesis.chain = Name::new("other").unwrap(),
        |genesis| genesis.time = genesis.time.next(),
        |genesis| genesis.replicas[0] = replica("other"),
        |genesis| genesis.params.max_replicas = 8,
        |genesis| genesis.fee_account = address("ann"),
        |genesis| genesis.params.fee = BasisPoints::new(1).unwrap(),
        |genesis| genesis.accounts[0].role = Role::Member,
    ];
    let mut seen = vec![genesis().chain_id()];
    for change in changes {
        let mut other = genesis();
        change(&mut other);
        assert!(!seen.contains(&other.chain_id()));
        assert_ne!(
            Ledger::from_genesis(&other).unwrap().tip_hash(),
            Ledger::from_genesis(&genesis()).unwrap().tip_hash()
        );
        seen.push(other.chain_id());
    }
}

#[test]
fn a_chain_cannot_begin_without_sense() {
    let error = |change: fn(&mut Genesis)| {
        let mut genesis = genesis();
        change(&mut genesis);
        Ledger::from_genesis(&genesis).err().unwrap()
    };
    let late = error(|genesis| genesis.params.charges.tiers[0].from = 2);
    assert_eq!(late, GenesisError::LoyaltyTiers);
    let hasty = error(|genesis| genesis.params.trade.second_resolve_within = Millis::new(0));
    assert_eq!(hasty, GenesisError::NoTime);
    let nobody = error(|genesis| genesis.accounts.retain(|account| account.role == Role::Member));
    assert_eq!(nobody, GenesisError::NoAdmin);
    assert_eq!(error(|genesis| genesis.fee_account = address("nobody")), GenesisError::UnknownFeeAccount);
    let twice = error(|genesis| genesis.accounts.push(genesis.accounts[3].clone()));
    let name = Name::new("bea").unwrap();
    assert_eq!(twice, GenesisError::Account { name, rejection: AccountRejection::AlreadyRegistered });
    let same_name = error(|genesis| genesis.accounts[4].name = Name::new("BEA").unwrap());
    let name = Name::new("BEA").unwrap();
    assert_eq!(same_name, GenesisError::Account { name, rejection: AccountRejection::NameTaken });
    let no_point = error(|genesis| {
        let mut bytes = [0xff; 33];
        bytes[0] = 2;
        genesis.accounts[1].public_key = postcard::from_bytes::<PublicKey>(&bytes).unwrap();
    });
    assert_eq!(no_point, GenesisError::BadKey(Name::new("ben").unwrap()));
    let too_rich = error(|genesis| genesis.accounts[0].coins = Amount::MAX);
    assert!(matches!(too_rich, GenesisError::Coins(_)));
    assert_eq!(error(|genesis| genesis.params.max_replicas = 257), GenesisError::MaxReplicas(257));
    let nobody = error(|genesis| genesis.replicas.clear());
    assert_eq!(nobody, ReplicaRejection::NothingToChange.into());
    let too_many = error(|genesis| genesis.params.max_replicas = 3);
    assert_eq!(too_many, ReplicaRejection::TooMany { count: 4, max: 3 }.into());
    let one_key = error(|genesis| genesis.replicas[3].public_key = genesis.replicas[1].public_key);
    assert_eq!(one_key, ReplicaRejection::KeyUsed.into());
    let one_address = error(|genesis| genesis.replicas[3].address = genesis.replicas[1].address.clone());
    assert_eq!(one_address, ReplicaRejection::AddressInUse { id: ReplicaId::new(1) }.into());
    assert_eq!(Params::STANDARD.max_replicas, MAX_REPLICAS);
}

#[test]
fn it_can_be_written_by_hand() {
    let text = toml::to_string(&genesis()).unwrap();
    let read: Genesis = toml::from_str(&text).unwrap();
    assert_eq!(read, genesis());
    assert_eq!(read.chain_id(), genesis().chain_id());
    assert!(
        text.contains("coins = \"1000000\"") && text.contains("role = \"admin\"") && text.contains("pop1")
    );
    assert!(toml::from_str::<Genesis>(&text.replace("fee = 250", "fee = 10001")).is_err());
    assert_eq!(Params::STANDARD.fee.value(), 100);
}
