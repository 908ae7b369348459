//! Evidence against replicas: kept, shown, and good enough for strangers.

use pbft_core::{
    Config, ReplicaId, Seq, ValidConfig, View,
    crypto::P256Crypto,
    evidence::Evidence,
    message::{Commit, Signed},
    wire,
};
use pbft_crypto::Digest;

use super::world::World;
use crate::store::MAX_EVIDENCE_EACH;
use crate::testing::{key, replicas};

fn config(world: &World) -> ValidConfig {
    Config::new(world.state.chain.id, replicas()).validate().unwrap()
}

/// Replica `signer` committed two batches for one number.
fn evidence(world: &World, signer: u8, number: u64) -> Evidence {
    let commit = |byte| {
        let (seq, digest) = (Seq::new(number), Digest::from_bytes([byte; 32]));
        let crypto = P256Crypto::new(key(101 + signer));
        let statement = Commit { view: View::new(3), seq, digest };
        Signed::sign(statement, ReplicaId::new(signer.into()), &config(world), &crypto)
    };
    Evidence::Commits(Box::new([commit(1), commit(2)]))
}

#[tokio::test]
async fn a_stranger_gets_what_convicts() {
    let world = World::new().await;
    let stranger = world.stranger();
    let none = stranger.get("/network?lang=en").await;
    assert!(none.text().contains("No replica has been caught"), "{}", none.text());
    let store = world.state.gateway.view().store();
    assert!(store.keep_evidence(&evidence(&world, 2, 7)).unwrap());
    assert!(!store.keep_evidence(&evidence(&world, 2, 7)).unwrap(), "it is known");
    assert!(store.keep_evidence(&evidence(&world, 1, 9)).unwrap());

    let list = stranger.get("/v1/network/evidence").await.json();
    let data = list["data"].as_array().unwrap();
    let about: Vec<_> =
        data.iter().map(|item| (item["replica"].as_u64().unwrap(), item["seq"].as_u64().unwrap())).collect();
    assert_eq!((about, list["has_more"].as_bool().unwrap()), (vec![(1, 9), (2, 7)], false));
    for item in data {
        assert_eq!((item["kind"].as_str().unwrap(), item["view"].as_u64().unwrap()), ("commit", 3));
        let bytes = hex::decode(item["statements"].as_str().unwrap()).unwrap();
        let evidence: Evidence = wire::decode(&bytes).unwrap();
        evidence.verify(&config(&world), &P256Crypto::new(key(1))).unwrap();
    }
    let first = stranger.get("/v1/network/evidence?limit=1").await.json();
    assert_eq!((&first["data"][0], first["has_more"].as_bool().unwrap()), (&data[0], true));
    let cursor = data[0]["id"].as_str().unwrap();
    let rest = stranger.get(&format!("/v1/network/evidence?starting_after={cursor}")).await.json();
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["data"][0]), (1, &data[1]));
    assert_eq!(stranger.get("/v1/network/evidence?starting_after=x").await.code(), "INVALID_QUERY");
    for (lang, words) in [("en", "Provable faults"), ("ko", "증명된 결함")] {
        let page = stranger.get(&format!("/network?lang={lang}")).await;
        assert!(page.text().contains(words) && page.text().contains("commit"), "{}", page.text());
    }
}

#[tokio::test]
async fn a_liar_fills_no_disk() {
    let world = World::new().await;
    let store = world.state.gateway.view().store();
    let kept = (1..=40).filter(|number| store.keep_evidence(&evidence(&world, 3, *number)).unwrap()).count();
    assert_eq!(kept, MAX_EVIDENCE_EACH);
    assert!(store.keep_evidence(&evidence(&world, 0, 1)).unwrap(), "others count for themselves");
}
