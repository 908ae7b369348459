//! What a node counts of those who must not get in.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    reconfiguration::Count,
    support::{Cluster, until},
};

/// The log has one line a second for all of them; the metrics have each.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_counted_by_what_is_wrong_with_them() {
    let mut cluster = Cluster::new();
    let service = Count::new(&cluster);
    let node = cluster.start(0, service);
    for _ in 0..3 {
        let mut stranger = TcpStream::connect(cluster.addresses[0]).await.unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        // In order or by a reset: both are an end.
        drop(stranger.read_to_end(&mut Vec::new()).await);
    }
    let counted = || cluster.metric("pbft_cut_off_connections_total{replica=\"0\",kind=\"not_tls\"}");
    until("they are counted", || counted() == 3).await;
    node.shutdown().await;
}
