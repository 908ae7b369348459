//! Where the replicas are: the ledger's address book, as node and gateway dial it.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use ledger::{Genesis, HostPort, Ledger};
use pbft_core::ReplicaId;
use pbft_node::node::AddressBook;
use tokio::{
    net::lookup_host,
    sync::watch,
    time::{sleep, timeout},
};

use crate::{config::ClusterFile, introduction::Introduction, service::LedgerView};

/// Names are looked up again so often: what is behind them may move without the ledger.
const LOOK_UP_EVERY: Duration = Duration::from_secs(60);
/// ... and so soon, if one was not found.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Whoever answers later than this is not found.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(3);

/// What this node's operator knows of addresses, besides what the ledger says.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Replicas of this very process: nobody else knows their ports.
    here: AddressBook,
    /// What the genesis says of each of the first replicas, and where the cluster's file says that it is. That counts until
    /// the ledger knows of a move.
    first: BTreeMap<ReplicaId, (HostPort, SocketAddr)>,
    /// What a newcomer was told. That counts for replicas that its ledger does not know yet.
    told: BTreeMap<ReplicaId, HostPort>,
}

/// How a replica is found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Known(SocketAddr),
    Named(HostPort),
}

type Places = BTreeMap<ReplicaId, Place>;

impl Directory {
    /// For a node whose cluster's file has an address for each of the first replicas.
    #[must_use]
    pub fn new(cluster: &ClusterFile, genesis: &Genesis) -> Self {
        let known = genesis.replicas.iter().map(|replica| replica.address.clone()).zip(cluster.addresses());
        let first = (0..).map(ReplicaId::new).zip(known).collect();
        Self { here: AddressBook::new(), first, told: BTreeMap::new() }
    }

    /// With what a newcomer was told.
    #[must_use]
    pub fn told(self, introduction: &Introduction) -> Self {
        let told =
            introduction.addresses.iter().map(|known| (ReplicaId::new(known.id), known.address.clone()));
        Self { told: told.collect(), ..self }
    }

    /// With replicas that run in this process, by id.
    #[must_use]
    pub fn here(self, addresses: &[SocketAddr]) -> Self {
        Self { here: (0..).map(ReplicaId::new).zip(addresses.iter().copied()).collect(), ..self }
    }

    /// Where all replicas are, also those that have left: they decide until the next ones take over.
    fn places(&self, ledger: &Ledger) -> Places {
        let place = |(id, row): (ledger::ReplicaId, &ledger::Replica)| {
            let id = ReplicaId::new(id.value());
            (id, self.place(id, &row.address))
        };
        let mut places: Places = ledger.replicas().map(place).collect();
        for (id, address) in &self.told {
            places.entry(*id).or_insert_with(|| self.place(*id, address));
        }
        places
    }

    fn place(&self, id: ReplicaId, recorded: &HostPort) -> Place {
        if let Some(address) = self.here.get(&id) {
            return Place::Known(*address);
        }
        if let Some((_, address)) = self.first.get(&id).filter(|(first, _)| first == recorded) {
            return Place::Known(*address);
        }
        recorded.as_str().parse().map_or_else(|_| Place::Named(recorded.clone()), Place::Known)
    }

    /// Keeps a book in step with the ledger, until nobody reads it any more.
    pub async fn keep(self, ledger: LedgerView, book: watch::Sender<AddressBook>) {
        let mut height = ledger.height();
        let mut places = Places::new();
        loop {
            height.borrow_and_update();
            let now = ledger.read(|ledger| self.places(ledger));
            let mut pause = None;
            if now != places || has_names(&now) {
                pause = find_all(&now, &book).await;
                places = now;
            }
            let wait = async {
                match pause {
                    Some(pause) => sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = book.closed() => return,
                () = wait => {}
                changed = changed(&mut height, &ledger, &self, &places) => if !changed { return },
            }
        }
    }
}

/// Waits for a block that changes where replicas are. `false` if there will be none.
async fn changed(
    height: &mut watch::Receiver<ledger::Height>,
    ledger: &LedgerView,
    directory: &Directory,
    places: &Places,
) -> bool {
    loop {
        if height.changed().await.is_err() {
            return false;
        }
        if ledger.read(|ledger| directory.places(ledger)) != *places {
            return true;
        }
    }
}

fn has_names(places: &Places) -> bool {
    places.values().any(|place| matches!(place, Place::Named(_)))
}

/// Writes down where all are, and says when to look again. Who is not found is believed to be where it was.
async fn find_all(places: &Places, book: &watch::Sender<AddressBook>) -> Option<Duration> {
    let before = book.borrow().clone();
    let (mut found, mut all_found) = (AddressBook::new(), true);
    for (id, place) in places {
        let address = match place {
            Place::Known(address) => Some(*address),
            Place::Named(name) => look_up(name, before.get(id)).await,
        };
        all_found &= address.is_some();
        found.extend(address.or_else(|| before.get(id).copied()).map(|address| (*id, address)));
    }
    book.send_if_modified(|book| std::mem::replace(book, found.clone()) != found);
    has_names(places).then_some(if all_found { LOOK_UP_EVERY } else { TRY_AGAIN_AFTER })
}

/// One of the addresses of a name: the same as before, if it still is one.
async fn look_up(name: &HostPort, before: Option<&SocketAddr>) -> Option<SocketAddr> {
    let found: Vec<_> = match timeout(LOOK_UP_WITHIN, lookup_host(name.as_str())).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => {
            tracing::warn!(%name, %error, "the name of a replica's host is not known");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!(%name, "looking up the name of a replica's host takes too long");
            Vec::new()
        }
    };
    before.filter(|before| found.contains(before)).or_else(|| found.first()).copied()
}

/// Where a replica is now, for a file that lists addresses. Port 9 of this machine stands for nowhere.
pub(crate) async fn look_up_or_nowhere(name: &HostPort) -> SocketAddr {
    let known = name.as_str().parse().ok();
    match known {
        Some(address) => address,
        None => look_up(name, None).await.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 9).into()),
    }
}

#[cfg(test)]
mod tests {
    use ledger::{NewReplica, ReplicaEdit, ReplicaOp};
    use pbft_core::service::Service;

    use super::*;
    use crate::{
        config::ReplicaEntry,
        service::{LedgerService, request_of},
        testing::{batch, genesis, key, service, sign},
    };

    /// The replicas of the world, on other ports than the genesis says.
    fn directory() -> Directory {
        let entry = |(replica, port): (&NewReplica, u16)| ReplicaEntry {
            public_key: replica.public_key,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        };
        let replicas = genesis().replicas.iter().zip(201..).map(entry).collect();
        Directory::new(&ClusterFile { replicas, clients: Vec::new(), archive_bytes: None }, &genesis())
    }

    fn ports(book: &AddressBook) -> Vec<(u16, u16)> {
        book.iter().map(|(id, address)| (id.value(), address.port())).collect()
    }

    /// One admin asks, the other one approves.
    fn change(service: &mut LedgerService, edit: ReplicaEdit) {
        let seq = service.applied().next().value();
        let propose = sign(&key(1), seq, ReplicaOp::Propose { edit });
        let change = ledger::ReplicaChangeId::new(*propose.id().digest());
        let approve = sign(&key(2), seq, ReplicaOp::Approve { change });
        let requests = vec![request_of(&propose), request_of(&approve)];
        let executed = service.execute(&batch(seq, crate::testing::START + seq, requests));
        assert_eq!(executed.outcomes.len(), 2);
    }

    #[tokio::test]
    async fn the_book_follows_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let mut service = service(folder.path());
        let (book, mut seen) = watch::channel(AddressBook::new());
        let keeper = tokio::spawn(directory().keep(service.view(), book));
        let mut becomes = async |expected: Vec<(u16, u16)>| {
            let reached = seen.wait_for(|book| ports(book) == expected);
            let within = timeout(Duration::from_secs(30), reached).await;
            assert!(within.is_ok(), "{expected:?}");
        };
        becomes(vec![(0, 201), (1, 202), (2, 203), (3, 204)]).await;
        let id = ledger::ReplicaId::new;
        change(&mut service, ReplicaEdit::Move { id: id(1), address: "127.0.0.1:302".parse().unwrap() });
        becomes(vec![(0, 201), (1, 302), (2, 203), (3, 204)]).await;
        // Who has left is still needed for a while; names are looked up.
        let joining = |number: u8, address: &str| NewReplica {
            public_key: key(number).public_key(),
            address: address.parse().unwrap(),
        };
        let add = vec![joining(105, "127.0.0.1:305"), joining(106, "localhost:306")];
        change(&mut service, ReplicaEdit::Replace { remove: vec![id(0)], add });
        becomes(vec![(0, 201), (1, 302), (2, 203), (3, 204), (4, 305), (5, 306)]).await;
        drop(seen);
        timeout(Duration::from_secs(30), keeper).await.expect("it ends with its readers").unwrap();
    }

    #[tokio::test]
    async fn replicas_of_this_process_are_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut service = service(folder.path());
        let here: Vec<SocketAddr> = (401..405).map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect();
        let directory = directory().here(&here);
        change(
            &mut service,
            ReplicaEdit::Move { id: ledger::ReplicaId::new(1), address: "a:1".parse().unwrap() },
        );
        let places = service.view().read(|ledger| directory.places(ledger));
        let expected = here.into_iter().map(Place::Known);
        assert_eq!(places, (0..).map(ReplicaId::new).zip(expected).collect());
    }
}
