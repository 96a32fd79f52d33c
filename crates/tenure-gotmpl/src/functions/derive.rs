//! Passwords that are made from a master password, as the Master Password algorithm does.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Outcome;
use super::argument::{bytes, text};
use crate::value::Value;

const SEED: &[u8] = b"com.lyndir.masterpassword";

/// The templates of a kind of password; each letter is a class of characters.
fn templates(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

fn class(letter: u8) -> &'static [u8] {
    match letter {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn sized(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], text].concat()
}

/// `derivePassword`: counter, kind, master password, user and site.
pub(super) fn password(a: &[Value]) -> Outcome {
    let kind = text(a, 1);
    let Some(templates) = templates(&kind) else {
        return Ok(format!("cannot find password template {kind}").into());
    };
    let counter = match a.first() {
        Some(Value::Uint64(counter)) => u32::try_from(*counter).unwrap_or(u32::MAX),
        _ => 0,
    };
    let salt = [SEED, &sized(bytes(a, 3))].concat();
    let mut key = [0; 64];
    let derived = scrypt::Params::new(15, 8, 2)
        .ok()
        .and_then(|params| scrypt::scrypt(bytes(a, 2), &salt, &params, &mut key).ok());
    let mac = Hmac::<Sha256>::new_from_slice(&key)
        .ok()
        .filter(|_| derived.is_some());
    let Some(mut mac) = mac else {
        return Ok("failed to derive password".into());
    };
    mac.update(SEED);
    mac.update(&sized(bytes(a, 4)));
    mac.update(&counter.to_be_bytes());
    let seed = mac.finalize().into_bytes();
    let mut seed = seed.iter().map(|byte| usize::from(*byte));
    let first = seed.next().unwrap_or(0);
    let template = templates
        .get(first % templates.len())
        .copied()
        .unwrap_or_default();
    let password: String = template
        .bytes()
        .zip(seed)
        .filter_map(|(letter, number)| {
            let class = class(letter);
            class.get(number % class.len()).map(|byte| char::from(*byte))
        })
        .collect();
    Ok(password.into())
}
