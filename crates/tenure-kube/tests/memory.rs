//! What a worker pays for its clients. A test binary of its own: other tests would be measured too.
#![allow(missing_docs)]

use tenure_core::{Account, Name};
use tenure_kube::{ActingClient, Cluster, Connection, OwnClient, TokenCell};
use tenure_testkit::control_plane::ControlPlane;

/// Private memory of this process, in KiB.
fn private() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let lines = text.lines().filter(|line| line.starts_with("Private_"));
    let number = |line: &str| line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
    Ok(lines.filter_map(number).sum())
}

#[tokio::test]
async fn the_clients_of_a_worker_cost_little_memory() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    let endpoint = plane.endpoint()?;
    let secret = plane.token_for(("default", "default"), None, 600).await?;
    let before = private()?;
    let connection = Connection::open(&Cluster {
        url: endpoint.url,
        ca_pem: endpoint.ca.into_bytes(),
    })?;
    let token = TokenCell::new(secret);
    let home: Name = "default".parse()?;
    let own = OwnClient::new(&connection, token.clone(), home.clone());
    own.whoami().await?;
    let acting = ActingClient::new(
        &connection,
        token,
        Account {
            namespace: home.clone(),
            name: home,
        },
    );
    let pods = own
        .discovery()
        .await?
        .resolve("v1", "Pod")
        .expect("pods are always served");
    let refused = acting.list(&pods, Some("default"), tenure_kube::By::All).await;
    assert!(
        refused.is_err_and(|error| error.is_forbidden()),
        "default may not impersonate itself"
    );
    let used = private()?.saturating_sub(before);
    println!("private memory of the clients, with discovery: {used} KiB");
    assert!(used < 4096, "{used} KiB");
    Ok(())
}
