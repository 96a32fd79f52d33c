use std::sync::{Arc, Mutex};

use tenure_core::Secret;
use tenure_net::Proxy;
use tenure_oci::{Credential, Layer, OciError};
use tenure_testkit::oci::{Artifact, Login, Registry, Transport};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{pull, remote, resolve, tag};

/// What a client asked a proxy for: the line of its request, and its login.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A proxy that lets in whoever has the password `hunter2`.
async fn proxy() -> (String, Asked) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", socket.local_addr().unwrap());
    let asked = Asked::default();
    let noted = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            tokio::spawn(serve(stream, noted.clone()));
        }
    });
    (address, asked)
}

async fn serve(stream: TcpStream, noted: Asked) -> std::io::Result<()> {
    let mut client = BufReader::new(stream);
    let (mut first, mut login) = (String::new(), None);
    client.read_line(&mut first).await?;
    loop {
        let mut line = String::new();
        client.read_line(&mut line).await?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("proxy-authorization") => {
                login = Some(value.to_owned());
            }
            Some(_) => {}
            None => break,
        }
    }
    noted
        .lock()
        .unwrap()
        .push((first.trim_end().to_owned(), login.clone()));
    // bob:hunter2
    if login.as_deref() != Some("Basic Ym9iOmh1bnRlcjI=") {
        return client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            .await;
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    let mut server = TcpStream::connect(target).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

#[tokio::test]
async fn a_registry_is_reached_through_the_proxy_that_the_source_names() {
    let registry = Registry::start_with(Transport::Https, Login::Nobody)
        .await
        .unwrap();
    registry
        .push("app", "v1", &Artifact::flux(&[("a", "1")], "https://git", "main"))
        .await
        .unwrap();
    let (address, asked) = proxy().await;
    let mut remote = remote(&registry, "app", Credential::None);
    let login = |password: &str| Some(("bob".to_owned(), Secret::from(password.to_owned())));
    remote.outbound.proxy = Some(Proxy {
        address: address.clone(),
        login: login("hunter2"),
    });
    pull(&remote, &tag("v1"), &Layer::default()).await.unwrap();
    let connects = asked.lock().unwrap().clone();
    let wanted = format!("CONNECT {} HTTP/1.1", registry.host());
    assert!(
        !connects.is_empty() && connects.iter().all(|(line, _)| *line == wanted),
        "{connects:?}"
    );

    let before = registry.requests().len();
    remote.outbound.proxy = Some(Proxy {
        address,
        login: login("sw0rdfish-canary"),
    });
    let error = resolve(&remote, &tag("v1")).await.unwrap_err();
    assert!(matches!(error, OciError::Unavailable { .. }), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    assert_eq!(registry.requests().len(), before);
}

#[tokio::test]
async fn a_proxy_at_a_forbidden_address_is_not_used() {
    let registry = Registry::start_with(Transport::Https, Login::Nobody)
        .await
        .unwrap();
    for address in [
        "http://169.254.169.254:3128",
        "http://bob:pw@127.0.0.1:1",
        "ftp://127.0.0.1:1",
        "proxy",
    ] {
        let mut remote = remote(&registry, "app", Credential::None);
        remote.outbound.proxy = Some(Proxy {
            address: address.to_owned(),
            login: None,
        });
        let error = resolve(&remote, &tag("v1")).await.unwrap_err();
        assert!(
            matches!(error, OciError::AuthenticationFailed { .. }),
            "{address}: {error}"
        );
    }
    assert!(registry.requests().iter().all(|line| !line.contains("/app/")));
}
