use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Response, StatusCode, Url};
use tenure_core::{Digest, printable};
use tenure_net::{Order, Reply, Route};
use zeroize::Zeroizing;

use crate::error::{failed, local};
use crate::transfer::{Disk, Memory, Sink, take, within};
use crate::validators::Validators;
use crate::{ChartVersion, Credential, Downloaded, HttpError, Index, Limits, Missing, Remote};

const INDEX: &str = "index.yaml";
const ARTIFACT: &str = "the artifact";
/// How often a download may break off.
const BREAKS: u32 = 3;

/// Downloads the repository's index and reads it.
///
/// *Cancel safety*: drop the future to stop. It ends by itself after `limits.timeout`.
///
/// # Errors
/// [`HttpError`].
pub async fn index(remote: &Remote, limits: &Limits) -> Result<Index, HttpError> {
    let conversation = Conversation::new(remote)?;
    within(&conversation.shown, limits, async {
        let url = conversation.url(INDEX)?;
        let (route, order) = conversation.way(&url, false)?;
        let response = conversation.answer(&route, &order, INDEX).await?;
        conversation.read_index(&route, &order, response, limits).await
    })
    .await
}

/// A repository's index, as the server answers who knows an earlier state of it.
#[derive(Debug)]
pub enum Look<K> {
    /// It is still the one that is known.
    Same(Validators, K),
    /// It may be another one; and what the server calls it, if it calls it anything.
    New(Box<Index>, Option<Validators>),
}

/// Asks for the index unless it is the one that `known` stands for, of which the caller knows `K`. The credential is shown either way: who is told that
/// nothing has changed has been let in.
///
/// *Cancel safety*: drop the future to stop. It ends by itself after `limits.timeout`.
///
/// # Errors
/// [`HttpError`].
pub async fn look<K>(
    remote: &Remote,
    known: Option<(Validators, K)>,
    limits: &Limits,
) -> Result<Look<K>, HttpError> {
    let conversation = Conversation::new(remote)?;
    within(&conversation.shown, limits, async {
        let url = conversation.url(INDEX)?;
        let (route, order) = conversation.way(&url, false)?;
        let mut asked = order.clone();
        if let Some((validators, _)) = &known {
            validators.onto(&mut asked.headers);
        }
        let answer = route.ask(&asked).await;
        let Reply { response, own } = answer.map_err(|e| failed(&conversation.shown, e))?;
        if let Some((validators, known)) = known
            && response.status() == StatusCode::NOT_MODIFIED
        {
            return Ok(Look::Same(validators, known));
        }
        if !response.status().is_success() {
            return Err(conversation.explain(&response, own, INDEX));
        }
        let validators = Validators::of(response.headers());
        let index = conversation.read_index(&route, &order, response, limits).await?;
        Ok(Look::New(Box::new(index), validators))
    })
    .await
}

/// Downloads the archive of a chart to `out`, which must not exist yet, and verifies the index's digest of it.
///
/// *Cancel safety*: drop the future to stop; `out` may then be there in part.
///
/// # Errors
/// [`HttpError`]; `out` may then be there in part.
pub async fn chart(
    remote: &Remote,
    version: &ChartVersion,
    out: &Path,
    limits: &Limits,
) -> Result<Downloaded, HttpError> {
    let conversation = Conversation::new(remote)?;
    within(&conversation.shown, limits, async {
        let name = printable(&format!("{} {}", version.name, version.version));
        let wanted = version.sha256();
        let (url, pass) = conversation.place(version, &name)?;
        conversation
            .keep(&url, pass, limits.chart_bytes, &name, wanted, out)
            .await
    })
    .await
}

/// Finds the version of a chart that a range asks for, and proves that the credential opens its archive: who may read
/// an index need not be one who may read what it lists. `known` is what the same question has found before, in an index
/// that the validators stand for.
///
/// *Cancel safety*: drop the future to stop. It ends by itself after `limits.timeout`.
///
/// # Errors
/// [`HttpError`].
pub async fn locate(
    remote: &Remote,
    (name, wanted): (&str, &str),
    known: Option<(Validators, ChartVersion)>,
    limits: &Limits,
) -> Result<(ChartVersion, Option<Validators>), HttpError> {
    let conversation = Conversation::new(remote)?;
    within(&conversation.shown, limits, async {
        let (version, validators) = match Box::pin(look(remote, known, limits)).await? {
            Look::Same(validators, version) => (version, Some(validators)),
            Look::New(index, validators) => {
                let mut version = index.select(name, wanted)?.clone();
                version.urls.truncate(1);
                (version, validators)
            }
        };
        let shown = printable(&format!("{} {}", version.name, version.version));
        let (url, pass) = conversation.place(&version, &shown)?;
        let (route, order) = conversation.way(&url, pass)?;
        conversation.answer(&route, &order, &shown).await?;
        Ok((version, validators))
    })
    .await
}

/// Whether the file at the remote's URL can be read.
///
/// # Errors
/// [`HttpError`].
pub async fn reach(remote: &Remote, limits: &Limits) -> Result<(), HttpError> {
    let conversation = Conversation::new(remote)?;
    within(&conversation.shown, limits, async {
        let url = conversation.itself();
        let (route, order) = conversation.way(&url, false)?;
        conversation.answer(&route, &order, ARTIFACT).await?;
        Ok(())
    })
    .await
}

/// Downloads the file at the remote's URL to `out`, which must not exist yet, and verifies its digest.
///
/// *Cancel safety*: drop the future to stop; `out` may then be there in part.
///
/// # Errors
/// [`HttpError`]; `out` may then be there in part.
pub async fn file(
    remote: &Remote,
    digest: Digest,
    out: &Path,
    limits: &Limits,
) -> Result<Downloaded, HttpError> {
    let conversation = Conversation::new(remote)?;
    within(&conversation.shown, limits, async {
        let url = conversation.itself();
        conversation
            .keep(&url, false, limits.artifact_bytes, ARTIFACT, Some(digest), out)
            .await
    })
    .await
}

struct Conversation<'a> {
    remote: &'a Remote,
    /// The repository, redacted.
    shown: String,
    base: Url,
    authorization: Option<HeaderValue>,
}

impl<'a> Conversation<'a> {
    fn new(remote: &'a Remote) -> Result<Self, HttpError> {
        let shown = remote.url.to_string();
        let url = &remote.url;
        let path = url.path().trim_end_matches('/');
        let text = format!("{}://{}:{}{path}/", url.scheme(), url.host(), url.port());
        let base = Url::parse(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = base.ok_or_else(|| HttpError::InvalidReference {
            remote: shown.clone(),
            message: "it is not an http or https URL".to_owned(),
        })?;
        let authorization = match &remote.credential {
            Credential::None => None,
            Credential::Basic { username, password } => {
                let pair = Zeroizing::new([username.as_bytes(), b":", password.expose()].concat());
                let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair)));
                let value = HeaderValue::from_str(&text).map_err(|_| HttpError::AuthenticationFailed {
                    remote: shown.clone(),
                    message: "the Secret cannot be used".to_owned(),
                });
                let mut value = value?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            remote,
            shown,
            base,
            authorization,
        })
    }

    fn url(&self, place: &str) -> Result<Url, HttpError> {
        let refuse = |message: String| HttpError::Malformed {
            remote: self.shown.clone(),
            message,
        };
        let shown = printable(place);
        let url = self
            .base
            .join(place)
            .map_err(|_| refuse(format!("{shown:?} is no place of a chart")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse(format!(
                "it keeps the chart at {shown:?}; for a chart in an OCI registry use a HelmRepository of type 'oci'"
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("its index has a user in the URL of a chart".to_owned()));
        }
        Ok(url)
    }

    /// Where the archive is, and whether the credential goes along.
    fn place(&self, version: &ChartVersion, name: &str) -> Result<(Url, bool), HttpError> {
        let place = version.urls.first().ok_or_else(|| HttpError::Malformed {
            remote: self.shown.clone(),
            message: format!("its index gives no place for {name}"),
        })?;
        let url = self.url(place)?;
        let pass = self.may_go_to(&url, version.sha256().is_some())?;
        Ok((url, pass))
    }

    /// Whether the credential goes along to another origin; an error if nothing may.
    fn may_go_to(&self, url: &Url, has_digest: bool) -> Result<bool, HttpError> {
        let leaves_tls = self.base.scheme() == "https" && url.scheme() != "https";
        if leaves_tls && !has_digest {
            return Err(HttpError::Malformed {
                remote: self.shown.clone(),
                message: "its index names a chart over plain http without a digest".to_owned(),
            });
        }
        Ok(self.remote.pass_credentials && !leaves_tls)
    }

    /// What the remote's URL is itself.
    fn itself(&self) -> Url {
        let mut url = self.base.clone();
        url.set_path(self.base.path().trim_end_matches('/'));
        url
    }

    /// Downloads to a new file.
    async fn keep(
        &self,
        url: &Url,
        pass: bool,
        limit: u64,
        name: &str,
        wanted: Option<Digest>,
        out: &Path,
    ) -> Result<Downloaded, HttpError> {
        let file = File::options().write(true).create_new(true).open(out);
        let file = file.map_err(|e| local(&self.shown, &e))?;
        let mut sink = Disk(BufWriter::with_capacity(64 << 10, file));
        let done = self.download(url, pass, limit, name, &mut sink).await?;
        sink.flush().map_err(|e| local(&self.shown, &e))?;
        match wanted {
            Some(wanted) if wanted != done.digest => Err(HttpError::DigestMismatch {
                remote: self.shown.clone(),
                name: name.to_owned(),
                wanted,
                found: done.digest,
            }),
            _ => Ok(done),
        }
    }

    fn way(&self, url: &Url, pass: bool) -> Result<(Route, Order), HttpError> {
        let home = if pass { url.clone() } else { self.base.clone() };
        let plain = self.base.scheme() == "http";
        let route = Route::new(&self.remote.outbound, home, plain).map_err(|error| {
            HttpError::AuthenticationFailed {
                remote: self.shown.clone(),
                message: error.to_string(),
            }
        })?;
        let mut order = Order::get(url.clone());
        if let Some(value) = &self.authorization {
            order.private.insert(AUTHORIZATION, value.clone());
        }
        Ok((route, order))
    }

    /// A good answer, of which nothing was read yet.
    async fn answer(&self, route: &Route, order: &Order, name: &str) -> Result<Response, HttpError> {
        let asked = route.ask(order).await;
        let Reply { response, own } = asked.map_err(|e| failed(&self.shown, e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.explain(&response, own, name))
    }

    async fn download(
        &self,
        url: &Url,
        pass: bool,
        limit: u64,
        name: &str,
        sink: &mut dyn Sink,
    ) -> Result<Downloaded, HttpError> {
        let (route, order) = self.way(url, pass)?;
        let response = self.answer(&route, &order, name).await?;
        self.take(&route, &order, response, (limit, name), sink).await
    }

    /// Takes what an answer holds; asks again when it breaks off.
    async fn take(
        &self,
        route: &Route,
        order: &Order,
        mut response: Response,
        (limit, name): (u64, &str),
        sink: &mut dyn Sink,
    ) -> Result<Downloaded, HttpError> {
        let mut breaks = 0;
        loop {
            sink.restart().map_err(|e| local(&self.shown, &e))?;
            match take(&self.shown, response, limit, name, sink).await {
                Err(HttpError::Unavailable { .. }) if breaks < BREAKS => breaks += 1,
                done => return done,
            }
            response = self.answer(route, order, name).await?;
        }
    }

    async fn read_index(
        &self,
        route: &Route,
        order: &Order,
        response: Response,
        limits: &Limits,
    ) -> Result<Index, HttpError> {
        let mut bytes = Vec::new();
        let what = (limits.index_bytes, INDEX);
        self.take(route, order, response, what, &mut Memory(&mut bytes))
            .await?;
        Index::parse(&self.shown, &bytes)
    }

    fn explain(&self, response: &Response, own: bool, name: &str) -> HttpError {
        let status = response.status();
        let code = status.as_u16();
        let remote = self.shown.clone();
        let refused = |message: String| HttpError::AuthenticationFailed {
            remote: remote.clone(),
            message,
        };
        match (status, &self.authorization) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) if !own => refused(format!(
                "{name} lies at {}, which is not shown the credential (HTTP {code}); set spec.passCredentials if it \
                 should be",
                response.url().host_str().unwrap_or_default()
            )),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => refused(format!(
                "it asks for a credential and none was given (HTTP {code}); name a Secret in spec.secretRef"
            )),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(_)) => {
                refused(format!("it does not accept the credential (HTTP {code})"))
            }
            (StatusCode::NOT_FOUND | StatusCode::GONE, _) => HttpError::NotFound {
                remote,
                what: Missing::File(printable(name)),
            },
            _ => HttpError::Unavailable {
                remote,
                message: format!("it answered HTTP {code}"),
            },
        }
    }
}
