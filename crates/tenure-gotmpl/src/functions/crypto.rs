//! Digests, passwords and AES.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blowfish::Blowfish;

use super::argument::{bytes, reserve, text};
use super::{Function, Outcome, derive, fixed};
use crate::error::Error;
use crate::exec::Run;
use crate::value::{Param, Value};

const STRING: &[Param] = &[Param::String];
const TWO: &[Param] = &[Param::String, Param::String];

/// Steps that a slow hash counts for.
const SLOW: u64 = 100_000;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("sha1sum", STRING, digest::<sha1::Sha1>),
    fixed("sha256sum", STRING, digest::<sha2::Sha256>),
    fixed("sha512sum", STRING, digest::<sha2::Sha512>),
    fixed("adler32sum", STRING, |_, a| {
        Ok(adler32(bytes(a, 0)).to_string().into())
    }),
    fixed("bcrypt", STRING, |run, a| Ok(bcrypt(run, bytes(a, 0))?.into())),
    fixed("htpasswd", TWO, |run, a| {
        let name = text(a, 0);
        if name.contains(':') {
            return Ok(format!("invalid username: {name}").into());
        }
        Ok(format!("{name}:{}", bcrypt(run, bytes(a, 1))?).into())
    }),
    fixed("encryptAES", TWO, encrypt),
    fixed("decryptAES", TWO, decrypt),
    fixed(
        "derivePassword",
        &[
            Param::Uint32,
            Param::String,
            Param::String,
            Param::String,
            Param::String,
        ],
        |run, a| {
            run.steps(3 * SLOW)?;
            derive::password(a)
        },
    ),
];

fn digest<D: sha2::Digest>(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let data = bytes(a, 0);
    run.steps(u64::try_from(data.len() / 256).unwrap_or(u64::MAX))?;
    let hash = D::digest(data);
    Ok(hex(&hash).into())
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn adler32(data: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1_u32, 0_u32);
    for chunk in data.chunks(5_552) {
        for byte in chunk {
            a += u32::from(*byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    b << 16 | a
}

/// A bcrypt hash of cost 10, or what sprig says in its place.
fn bcrypt(run: &mut Run<'_>, password: &[u8]) -> Result<String, Error> {
    if password.len() > 72 {
        return Ok("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".into());
    }
    run.steps(SLOW)?;
    let mut salt = [0; 16];
    run.world.random(&mut salt);
    Ok(bcrypt_with(password, &salt))
}

fn bcrypt_with(password: &[u8], salt: &[u8; 16]) -> String {
    const COST: u32 = 10;
    const TEXT: [u32; 6] = [
        0x4f72_7068,
        0x6561_6e42,
        0x6568_6f6c,
        0x6465_7253,
        0x6372_7944,
        0x6f75_6274,
    ];
    let key = [password, &[0]].concat();
    let mut state = Blowfish::bc_init_state();
    state.salted_expand_key(salt, &key);
    for _ in 0..1 << COST {
        state.bc_expand_key(&key);
        state.bc_expand_key(salt);
    }
    let mut hash = Vec::with_capacity(24);
    for pair in TEXT.chunks(2) {
        let [left, right] = pair else { continue };
        let mut block = [*left, *right];
        for _ in 0..64 {
            block = state.bc_encrypt(block);
        }
        block
            .iter()
            .for_each(|word| hash.extend_from_slice(&word.to_be_bytes()));
    }
    hash.pop();
    format!("$2a${COST}${}{}", bcrypt_base64(salt), bcrypt_base64(&hash))
}

/// Base64 with bcrypt's own alphabet and no padding.
fn bcrypt_base64(data: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut out = String::new();
    for chunk in data.chunks(3) {
        let mut block = [0_u8; 4];
        block
            .iter_mut()
            .skip(1)
            .zip(chunk)
            .for_each(|(to, from)| *to = *from);
        let bits = u32::from_be_bytes(block);
        for at in 0..=chunk.len() {
            let index = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or(0);
            out.extend(ALPHABET.get(index).map(|byte| char::from(*byte)));
        }
    }
    out
}

/// The password as a key of 32 bytes, cut or filled with zeros.
fn cipher(password: &[u8]) -> Aes256 {
    let mut key = [0; 32];
    key.iter_mut().zip(password).for_each(|(to, from)| *to = *from);
    Aes256::new(&key.into())
}

fn encrypt(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let plain = bytes(a, 1);
    if plain.is_empty() {
        return Ok(Value::empty_string());
    }
    reserve(run, plain.len().saturating_mul(2))?;
    let padding = 16 - plain.len() % 16;
    let mut content = plain.to_vec();
    content.resize(plain.len() + padding, u8::try_from(padding).unwrap_or(16));
    let mut last = [0_u8; 16];
    run.world.random(&mut last);
    let cipher = cipher(bytes(a, 0));
    let mut out = last.to_vec();
    for chunk in content.chunks(16) {
        last.iter_mut().zip(chunk).for_each(|(to, from)| *to ^= *from);
        let mut block = aes::Block::from(last);
        cipher.encrypt_block(&mut block);
        last = block.into();
        out.extend_from_slice(&last);
    }
    Ok(STANDARD.encode(out).into())
}

fn decrypt(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    if bytes(a, 1).is_empty() {
        return Ok(Value::empty_string());
    }
    let data = crate::golang::base64::decode(bytes(a, 1))?;
    let Some((iv, body)) = data.split_at_checked(16) else {
        return Err(format!(
            "runtime error: slice bounds out of range [:16] with capacity {}",
            bytes(a, 1).len() / 4 * 3
        )
        .into());
    };
    if body.len() % 16 != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let cipher = cipher(bytes(a, 0));
    let mut out = Vec::with_capacity(body.len());
    let mut last = iv;
    for chunk in body.chunks(16) {
        let mut block = aes::Block::default();
        block.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        cipher.decrypt_block(&mut block);
        out.extend(block.iter().zip(last).map(|(a, b)| a ^ b));
        last = chunk;
    }
    let Some(padding) = out.last().copied() else {
        return Err("runtime error: index out of range [-1]".into());
    };
    let length = i64::try_from(out.len()).unwrap_or(i64::MAX) - i64::from(padding);
    match usize::try_from(length).ok().and_then(|length| out.get(..length)) {
        Some(plain) => Ok(Value::String(plain.into())),
        None => Err(format!("runtime error: slice bounds out of range [:{length}]").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bcrypt_gives_known_hashes() {
        let salt = [
            0x14, 0x4b, 0x3d, 0x69, 0x1a, 0x7b, 0x4e, 0xcf, 0x39, 0xcf, 0x73, 0x5c, 0x7f, 0xa7, 0xa7, 0x9c,
        ];
        let hash = bcrypt_with(b"", &salt);
        assert_eq!(hash.get(..29), Some("$2a$10$DCq7YPn5Rq63x1Lad4cll."));
        assert_eq!(bcrypt_base64(&salt), "DCq7YPn5Rq63x1Lad4cll.");
        assert_eq!(hash.len(), 60);
    }

    #[test]
    fn sums() {
        assert_eq!(adler32(b"hello"), 103_547_413);
        assert_eq!(hex(&[0, 255]), "00ff");
    }
}
