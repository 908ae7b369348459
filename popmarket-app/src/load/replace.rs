//! Replicas are killed under load, and new ones join in their places.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use ledger::{
    Body, HostPort, NewReplica, Operation, ReplicaChangeId, ReplicaEdit, ReplicaOp, Transaction, UnixMillis,
};
use pbft_core::{ReplicaId, config::ReplicaSet, quorum::QuorumSizes};
use pbft_crypto::{Address, Digest, KeyPair, PublicKey};
use pbft_node::{Client, node::AddressBook};

use super::{LoadError, Processes, processes::free_ports};
use crate::{
    config::{NodeFile, read_key, read_toml, write_toml},
    service::{Verdict, request_of},
    testnet::Testnet,
};

/// The replica whose web newcomers ask. It stays.
const WITH_WEB: u16 = 1;

/// How many ports it takes: for the replicas and for their webs.
pub(super) const fn ports(replicas: u16) -> u16 {
    replicas.saturating_mul(2)
}

/// The tables behind the other webs would cost the replicas their processors.
pub(super) fn leave_one_web(testnet: &Testnet) -> Result<(), LoadError> {
    for path in testnet.node_files.iter().enumerate().filter(|(id, _)| *id != usize::from(WITH_WEB)) {
        let file: NodeFile = read_toml(path.1)?;
        fs::remove_file(path.1).map_err(|source| LoadError::Io { what: "changing a node's file", source })?;
        write_toml(path.1, &NodeFile { http: None, officials: Vec::new(), ..file })?;
    }
    Ok(())
}

/// Kills as many as may fail, the last ones, and lets others join. Returns how long each took from the approval to its vote.
pub(super) async fn replace(
    testnet: &Testnet,
    client_key: &PublicKey,
    client: &Client,
    processes: &mut Processes,
) -> Result<Vec<Duration>, LoadError> {
    let members = testnet.cluster.replica_set();
    let count = members.count();
    let faults = u16::try_from(QuorumSizes::of(count).f()).unwrap_or(0);
    let leaving: Vec<u16> = (count.saturating_sub(faults)..count).collect();
    for replica in &leaving {
        processes.kill(usize::from(*replica)).await?;
    }
    let (mut newcomers, mut joining) = (Vec::new(), Vec::new());
    for nth in 0..faults {
        let (newcomer, replica) = start(testnet, client_key, processes, nth).await?;
        newcomers.push(newcomer);
        joining.push(replica);
    }
    let remove = leaving.iter().map(|id| ledger::ReplicaId::new(*id)).collect();
    decide(testnet, client, ReplicaEdit::Replace { remove, add: joining.clone() }).await?;
    let approved = Instant::now();
    let mut took = Vec::new();
    for newcomer in newcomers {
        processes.joined(newcomer).await?;
        took.push(approved.elapsed());
    }
    follow(testnet, client, &leaving, &joining).await?;
    Ok(took)
}

/// Starts a newcomer, which waits for two admins.
async fn start(
    testnet: &Testnet,
    client_key: &PublicKey,
    processes: &mut Processes,
    nth: u16,
) -> Result<(usize, NewReplica), LoadError> {
    let file = testnet.node_files.get(usize::from(WITH_WEB));
    let missing = |why: &str| LoadError::Process { replica: WITH_WEB, why: why.to_owned() };
    let file = file.ok_or_else(|| missing("there is no such replica"))?;
    let web = read_toml::<NodeFile>(file)?.http.ok_or_else(|| missing("it has no web"))?;
    // Found only now: what the others dial from takes ports, too.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_ports(1)?));
    let place: HostPort = address.to_string().parse().map_err(|_| missing("its address is none"))?;
    let folder = file.parent().unwrap_or(file).with_file_name(format!("newcomer-{nth}"));
    let arguments = [
        format!("--from=http://{web}"),
        format!("--address={address}"),
        format!("--chain-id={}", testnet.genesis.chain_id()),
        format!("--client={client_key}"),
    ];
    let (newcomer, public_key) = processes.join(&folder, &arguments).await?;
    Ok((newcomer, NewReplica { public_key, address: place }))
}

/// One admin asks for it, the other one approves.
async fn decide(testnet: &Testnet, client: &Client, edit: ReplicaEdit) -> Result<(), LoadError> {
    let folder = testnet.node_files.first().and_then(|file| file.parent()?.parent());
    let folder = folder.map(|folder| folder.join("accounts")).unwrap_or_default();
    let (one, other) = (read_key(&folder.join("admin1.key"))?, read_key(&folder.join("admin2.key"))?);
    let chain = testnet.genesis.chain_id();
    let asked = carry_out(client, chain, &one, ReplicaOp::Propose { edit }).await?;
    carry_out(client, chain, &other, ReplicaOp::Approve { change: asked }).await?;
    Ok(())
}

async fn carry_out(
    client: &Client,
    chain_id: Digest,
    admin: &KeyPair,
    operation: ReplicaOp,
) -> Result<ReplicaChangeId, LoadError> {
    let body = Body {
        chain_id,
        operation: Operation::Replica(operation),
        sender: Address::from_public_key(&admin.public_key()),
        nonce: 0,
        valid_until: UnixMillis::MAX,
        client_ref: [0; 16],
    };
    let transaction = Transaction::sign(body, admin);
    let failed = |why: String| LoadError::Client(format!("the change of the replicas: {why}"));
    let receipt = client.submit(request_of(&transaction)).await.map_err(|error| failed(error.to_string()))?;
    match Verdict::from_outcome(&receipt.outcome) {
        Ok(Verdict::Recorded(result)) if result.outcome.is_applied() => {
            Ok(ReplicaChangeId::new(*transaction.id().digest()))
        }
        other => Err(failed(format!("{other:?}"))),
    }
}

/// Newcomers have the ids above all that were given.
async fn follow(
    testnet: &Testnet,
    client: &Client,
    leaving: &[u16],
    joining: &[NewReplica],
) -> Result<(), LoadError> {
    let first = testnet.cluster.replicas.iter().map(|replica| (replica.public_key, replica.address));
    let mut all: Vec<_> = first.collect();
    for replica in joining {
        let address = replica.address.as_str().parse();
        let address = address.map_err(|_| LoadError::Client(format!("{} is no address", replica.address)))?;
        all.push((replica.public_key, address));
    }
    let members = || (0..).map(ReplicaId::new).zip(&all).filter(|(id, _)| !leaving.contains(&id.value()));
    let addresses: AddressBook = members().map(|(id, (_, address))| (id, *address)).collect();
    client.follow(ReplicaSet::of(members().map(|(id, (key, _))| (id, *key))), addresses).await;
    Ok(())
}
