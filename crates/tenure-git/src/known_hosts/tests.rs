use super::*;
use russh::keys::PrivateKey;

fn key() -> PublicKey {
    let seed: [u8; 32] = rand::random();
    PrivateKey::from(russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&seed))
        .public_key()
        .clone()
}

fn line(hosts: &str, key: &PublicKey) -> String {
    format!("{hosts} {}\n", key.to_openssh().expect("a key prints"))
}

fn hashed(name: &str) -> String {
    let encode = |b: &[u8]| base64::engine::general_purpose::STANDARD.encode(b);
    let salt = [7u8; 20];
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).expect("any length");
    mac.update(name.as_bytes());
    format!("|1|{}|{}", encode(&salt), encode(&mac.finalize().into_bytes()))
}

#[test]
fn a_host_is_trusted_as_ssh_would() {
    let key = key();
    for (hosts, host, port) in [
        ("git.example.com", "git.example.com", 22),
        ("Git.Example.COM", "git.example.com", 22),
        ("a,git.example.com,b", "git.example.com", 22),
        ("*.example.com", "git.example.com", 22),
        ("git?example.com", "git.example.com", 22),
        ("[127.0.0.1]:2222", "127.0.0.1", 2222),
        ("::1", "[::1]", 22),
        (&hashed("git.example.com"), "git.example.com", 22),
        (&hashed("[127.0.0.1]:2222"), "127.0.0.1", 2222),
    ] {
        assert_eq!(
            KnownHosts::parse(&line(hosts, &key)).judge(host, port, &key),
            Verdict::Trusted,
            "{hosts}"
        );
    }
}

#[test]
fn another_host_port_or_negated_name_is_unknown() {
    let key = key();
    for (hosts, host, port) in [
        ("git.example.com", "git.example.com", 2222),
        ("[git.example.com]:2222", "git.example.com", 22),
        ("git.example.com", "example.com", 22),
        ("*.example.com,!git.example.com", "git.example.com", 22),
        ("|1|garbage", "git.example.com", 22),
        (&hashed("other"), "git.example.com", 22),
        ("@cert-authority *", "git.example.com", 22),
        ("#git.example.com", "git.example.com", 22),
    ] {
        assert_eq!(
            KnownHosts::parse(&line(hosts, &key)).judge(host, port, &key),
            Verdict::Unknown,
            "{hosts}"
        );
    }
    assert_eq!(KnownHosts::parse("").judge("h", 22, &key), Verdict::Unknown);
}

#[test]
fn another_key_is_told_from_an_unknown_host_and_a_revoked_one_wins() {
    let (good, bad) = (key(), key());
    let text = line("h", &good);
    assert_eq!(KnownHosts::parse(&text).judge("h", 22, &bad), Verdict::Other);
    let revoked = text + &line("@revoked *", &good);
    assert_eq!(
        KnownHosts::parse(&revoked).judge("h", 22, &good),
        Verdict::Revoked
    );
}

#[test]
fn a_broken_line_hides_no_other() {
    let key = key();
    let text = format!("h ssh-ed25519 %%%\nnonsense\n{}", line("h", &key));
    assert_eq!(KnownHosts::parse(&text).judge("h", 22, &key), Verdict::Trusted);
    assert_eq!(KnownHosts::parse(&text).algorithms("h", 22), [Algorithm::Ed25519]);
}
