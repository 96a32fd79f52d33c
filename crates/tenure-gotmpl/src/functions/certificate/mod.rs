//! Keys and certificates.

mod der;
mod dsa;
mod issue;
mod key;
mod pem;

use super::argument::{any, int, list, text};
use super::{Function, Outcome, fixed};
use crate::error::Error;
use crate::exec::Run;
use crate::value::{Field, List, Object, Param, Shape, Str, Value};

use self::issue::{Names, Request};
use self::key::Key;

const STRING: Param = Param::String;
const INT: Param = Param::Int;
const LIST: Param = Param::List;
const PAIR: Param = Param::Named(CERTIFICATE);
const CERTIFICATE: &str = "sprig.certificate";

/// Steps that making a key of RSA counts for.
const KEY_STEPS: u64 = 500_000;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("genPrivateKey", &[STRING], private_key),
    fixed("buildCustomCert", &[STRING, STRING], custom),
    fixed("genCA", &[STRING, INT], |run, a| {
        let key = rsa_2048(run)?;
        authority(run, a, key)
    }),
    fixed("genCAWithKey", &[STRING, INT, STRING], |run, a| {
        let key = given(a, 2)?;
        authority(run, a, key)
    }),
    fixed("genSelfSignedCert", &[STRING, LIST, LIST, INT], |run, a| {
        let key = rsa_2048(run)?;
        self_signed(run, a, key)
    }),
    fixed(
        "genSelfSignedCertWithKey",
        &[STRING, LIST, LIST, INT, STRING],
        |run, a| {
            let key = given(a, 4)?;
            self_signed(run, a, key)
        },
    ),
    fixed("genSignedCert", &[STRING, LIST, LIST, INT, PAIR], |run, a| {
        let key = rsa_2048(run)?;
        signed(run, a, key)
    }),
    fixed(
        "genSignedCertWithKey",
        &[STRING, LIST, LIST, INT, PAIR, STRING],
        |run, a| {
            let key = given(a, 5)?;
            signed(run, a, key)
        },
    ),
];

/// A certificate and its key, both in PEM.
struct Pair {
    certificate: Str,
    key: Str,
}

impl Object for Pair {
    fn type_name(&self) -> &'static str {
        CERTIFICATE
    }

    fn shape(&self) -> Shape {
        Shape::Struct(vec![
            Field::new("Cert", self.certificate.clone()),
            Field::new("Key", self.key.clone()),
        ])
    }
}

fn rsa_2048(run: &mut Run<'_>) -> Result<Key, Error> {
    run.steps(KEY_STEPS)?;
    Key::rsa(run.world, 2048).map_err(|reason| format!("error generating rsa key: {reason}").into())
}

fn given(a: &[Value], at: usize) -> Result<Key, Error> {
    Key::read(&text(a, at)).map_err(|reason| format!("parsing private key: {reason}").into())
}

fn private_key(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let kind = text(a, 0);
    let key = match &*kind {
        "" | "rsa" => {
            run.steps(4 * KEY_STEPS)?;
            Key::rsa(run.world, 4096)
        }
        "dsa" => {
            run.steps(4 * KEY_STEPS)?;
            Key::dsa(run.world)
        }
        "ecdsa" => Key::ecdsa(run.world),
        "ed25519" => Ok(Key::ed25519(run.world)),
        other => return Ok(format!("Unknown type {other}").into()),
    };
    Ok(match key.and_then(|key| key.write()) {
        Ok(text) => text.into(),
        Err(reason) => format!("failed to generate private key: {reason}").into(),
    })
}

fn custom(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let decoded = |at: usize, what: &str| {
        crate::golang::base64::decode(super::argument::bytes(a, at))
            .map(|data| String::from_utf8_lossy(&data).into_owned())
            .map_err(|_| Error::plain(format!("unable to decode base64 {what}")))
    };
    let certificate = decoded(0, "certificate")?;
    let key = decoded(1, "private key")?;
    let block = pem::read(&certificate).ok_or("unable to decode certificate")?;
    issue::Parent::read(&block.data)
        .map_err(|reason| format!("error parsing certificate: decodedCert.Bytes: {reason}"))?;
    Key::read(&key).map_err(|reason| format!("error parsing private key: {reason}"))?;
    Ok(Value::object(Pair {
        certificate: certificate.into(),
        key: key.into(),
    }))
}

/// The request that the first arguments make.
fn request(run: &Run<'_>, name: &str, names: Names, days: i64) -> Request {
    let mut serial = [0; 16];
    run.world.random(&mut serial);
    Request {
        name: name.to_owned(),
        names,
        serial,
        from: run.world.now().as_second(),
        days,
        authority: false,
    }
}

fn pair(certificate: &[u8], key: &Key) -> Outcome {
    Ok(Value::object(Pair {
        certificate: pem::write("CERTIFICATE", certificate).into(),
        key: key
            .write()
            .map_err(|reason| format!("error pem-encoding key: {reason}"))?
            .into(),
    }))
}

fn created(result: Result<Vec<u8>, String>) -> Result<Vec<u8>, Error> {
    result.map_err(|reason| format!("error creating certificate: {reason}").into())
}

fn authority(run: &mut Run<'_>, a: &[Value], key: Key) -> Outcome {
    let mut request = request(run, &text(a, 0), Names::default(), int(a, 1));
    request.authority = true;
    pair(&created(issue::self_signed(&request, &key))?, &key)
}

fn self_signed(run: &mut Run<'_>, a: &[Value], key: Key) -> Outcome {
    let names = names(&list(a, 1), &list(a, 2))?;
    let request = request(run, &text(a, 0), names, int(a, 3));
    pair(&created(issue::self_signed(&request, &key))?, &key)
}

fn signed(run: &mut Run<'_>, a: &[Value], key: Key) -> Outcome {
    let issuer = any(a, 4);
    let Some(issuer) = issuer.downcast::<Pair>() else {
        return Err("unable to decode certificate".into());
    };
    let block = pem::read(&issuer.certificate.to_str()).ok_or("unable to decode certificate")?;
    let parent = issue::Parent::read(&block.data)
        .map_err(|reason| format!("error parsing certificate: decodedCert.Bytes: {reason}"))?;
    let signer =
        Key::read(&issuer.key.to_str()).map_err(|reason| format!("error parsing private key: {reason}"))?;
    let names = names(&list(a, 1), &list(a, 2))?;
    let request = request(run, &text(a, 0), names, int(a, 3));
    pair(&created(issue::signed(&request, &key, &parent, &signer))?, &key)
}

/// The alternative names of a certificate.
fn names(addresses: &List, hosts: &List) -> Result<Names, Error> {
    let shown = |value: &Value| {
        let text = crate::format::plain(value, 1 << 16)?;
        Ok::<_, Error>(String::from_utf8_lossy(&text).into_owned())
    };
    let mut names = Names::default();
    for address in addresses.to_vec() {
        let Value::String(text) = &address else {
            return Err(format!("error parsing ip: {} is not a string", shown(&address)?).into());
        };
        let parsed = text.to_str().parse();
        names
            .addresses
            .push(parsed.map_err(|_| format!("error parsing ip: {text}"))?);
    }
    for host in hosts.to_vec() {
        let Value::String(text) = &host else {
            return Err(format!(
                "error processing alternate dns name: {} is not a string",
                shown(&host)?
            )
            .into());
        };
        names.hosts.push(text.to_string());
    }
    Ok(names)
}
