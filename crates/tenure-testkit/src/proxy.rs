//! A proxy that opens tunnels, and notes who asked for which.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::net::local;

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

/// How it serves.
#[derive(Debug, Clone, Default)]
struct Rules {
    /// What a client must show, if anything.
    login: Option<String>,
    /// Where every tunnel leads, if not where it was asked to.
    leads_to: Option<String>,
}

impl Proxy {
    /// Lets in whoever shows this login, and leads where it is asked to.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn for_login(user: &str, password: &str) -> anyhow::Result<Self> {
        let login = STANDARD.encode(format!("{user}:{password}"));
        Self::start(Rules {
            login: Some(format!("Basic {login}")),
            ..Rules::default()
        })
        .await
    }

    /// Lets everybody in, and leads to `address` whatever name it is asked for.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn leading_to(address: &str) -> anyhow::Result<Self> {
        Self::start(Rules {
            leads_to: Some(address.to_owned()),
            ..Rules::default()
        })
        .await
    }

    async fn start(rules: Rules) -> anyhow::Result<Self> {
        let socket = TcpListener::bind(local(0)).await?;
        let address = format!("http://{}", socket.local_addr()?);
        let (asked, stop) = (Arc::<Mutex<Vec<String>>>::default(), CancellationToken::new());
        let noted = asked.clone();
        let served = async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(serve(stream, rules.clone(), noted.clone()));
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(served));
        Ok(Self {
            address,
            asked,
            _stop: stop.drop_guard(),
        })
    }

    /// `http://host:port`
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The first line of each request so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(stream: TcpStream, rules: Rules, noted: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
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
        .unwrap_or_else(PoisonError::into_inner)
        .push(first.trim_end().to_owned());
    if rules.login.is_some() && login != rules.login {
        return client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            .await;
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    let target = rules.leads_to.as_deref().unwrap_or(target);
    let mut server = TcpStream::connect(target).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
