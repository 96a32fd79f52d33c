use super::*;

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("testdata/", $name)).as_slice()
    };
}

const ALICE: (&str, &[u8]) = ("945bf2ab9225eed2cf9ea45e8585a6124ae1db7d", data!("commit-alice"));

/// When the signatures of the tests were made, and some seconds.
fn then() -> Timestamp {
    "2025-01-01T13:00:00Z".parse().expect("a time")
}

fn commit((id, bytes): (&str, &[u8])) -> Object {
    Object::read(ObjectKind::Commit, id, bytes).expect("a commit")
}

fn keys(data: &[(&str, &[u8])]) -> Keys {
    Keys::of(data.iter().copied())
}

fn refused(object: &Object, keys: &Keys, now: Timestamp) -> String {
    object
        .verify(keys, now)
        .expect_err("the signature does not count")
        .to_string()
}

#[test]
fn a_commit_is_vouched_for_by_the_key_that_signed_it() {
    let cases = [
        (ALICE, ("alice.asc", data!("alice.asc"))),
        (
            ("3e60235c3ca769abfe58b9a08f4bd238c8249c87", data!("commit-rsa")),
            ("rsa.asc", data!("rsa.asc")),
        ),
        (
            ("d93fca08fbff80aae6bd24c53620df157db29a01", data!("commit-curve")),
            ("curve.asc", data!("curve.asc")),
        ),
        (
            ("7d475b6293b4978416d41261ce6c0d4d46539d11", data!("commit-brief")),
            ("brief.asc", data!("brief.asc")),
        ),
        // A key with any other name is read as one of OpenPGP too.
        (
            ("4cc8eb636691956f5240a9b42fb0a5794285ef0a", data!("commit-house")),
            ("house", data!("house.asc")),
        ),
        (
            (
                "3e1b2c61d506d223602bef5850afcbb51e9d9396",
                data!("commit-ssh-ed25519"),
            ),
            ("a.sshpub", data!("ssh-ed25519.sshpub")),
        ),
        (
            (
                "effde58c3ad498ec714232a35fa623bb3b341cdb",
                data!("commit-ssh-ecdsa"),
            ),
            ("a.sshpub", data!("ssh-ecdsa.sshpub")),
        ),
        (
            (
                "b337262958cb2ede6c46027a50450d415957fe36",
                data!("commit-ssh-rsa"),
            ),
            ("a.sshpub", data!("ssh-rsa.sshpub")),
        ),
    ];
    for (object, key) in cases {
        let others = [("other.asc", data!("other.asc")), ("broken.asc", b"no key"), key];
        let signer = commit(object).verify(&keys(&others), then());
        assert!(signer.is_ok(), "{}: {signer:?}", key.0);
    }
}

#[test]
fn the_signer_is_named_as_flux_names_it() {
    let pgp = commit(ALICE).verify(&keys(&[("a.asc", data!("alice.asc"))]), then());
    assert_eq!(pgp.as_deref(), Ok("7063810DFF9F72D6"));
    // That of the primary key, though a subkey has signed.
    let house = commit(("4cc8eb636691956f5240a9b42fb0a5794285ef0a", data!("commit-house")));
    let house = house.verify(&keys(&[("a.asc", data!("house.asc"))]), then());
    assert_eq!(house.as_deref(), Ok("9E5D4C36D6648BAC"));
    let ssh = commit((
        "3e1b2c61d506d223602bef5850afcbb51e9d9396",
        data!("commit-ssh-ed25519"),
    ));
    let ssh = ssh.verify(&keys(&[("a.sshpub", data!("ssh-ed25519.sshpub"))]), then());
    assert_eq!(
        ssh.as_deref(),
        Ok("SHA256:N7dN1Zp1ylgXztOUxxSFen8mmW+bek8QbO6+QA7F+e4")
    );
}

#[test]
fn a_tag_is_signed_at_its_end_and_names_its_commit() {
    let tag = |id, bytes| Object::read(ObjectKind::Tag, id, bytes).expect("a tag");
    let pgp = tag("a07b6fb1d826d62e0998546c50b6ceb6af8b1d77", data!("tag-alice"));
    assert_eq!(pgp.target(), Some("b566aa44588d1bae636b7a2757f77606137f5f62"));
    assert!(
        pgp.verify(&keys(&[("a.asc", data!("alice.asc"))]), then())
            .is_ok()
    );
    let ssh = tag("81ba37016c3e5f8e03fe4a43392c939ef490d4b9", data!("tag-ssh"));
    assert!(
        ssh.verify(&keys(&[("a.sshpub", data!("ssh-ed25519.sshpub"))]), then())
            .is_ok()
    );
    let unsigned = tag("235dbfec7ef881dc5688b99b2a6e582ef5fcc33f", data!("tag-unsigned"));
    assert!(!unsigned.is_signed() && pgp.is_signed());
}

#[test]
fn a_key_that_did_not_sign_vouches_for_nothing() {
    let error = refused(&commit(ALICE), &keys(&[("a.asc", data!("other.asc"))]), then());
    assert_eq!(
        error,
        "unable to verify Git commit: unable to verify payload with any of the given key rings: no matching key"
    );
    let ssh = commit((
        "3e1b2c61d506d223602bef5850afcbb51e9d9396",
        data!("commit-ssh-ed25519"),
    ));
    let error = refused(&ssh, &keys(&[("a.sshpub", data!("ssh-rsa.sshpub"))]), then());
    assert!(error.contains("no matching key"), "{error}");
}

#[test]
fn a_key_vouches_while_it_lives() {
    let brief = commit(("7d475b6293b4978416d41261ce6c0d4d46539d11", data!("commit-brief")));
    let ring = keys(&[("a.asc", data!("brief.asc"))]);
    let days_later = "2025-01-05T00:00:00Z".parse().expect("a time");
    assert!(
        refused(&brief, &ring, days_later).ends_with("is by a key that has expired, or is from the future")
    );
    let before = "2024-12-31T00:00:00Z".parse().expect("a time");
    assert!(refused(&brief, &ring, before).contains("from the future"));
    let stolen = commit(("10423611f4015d90751021f458f21b68d6c1df03", data!("commit-stolen")));
    assert!(
        stolen
            .verify(&keys(&[("a.asc", data!("stolen.asc"))]), then())
            .is_ok()
    );
    let revoked = keys(&[("a.asc", data!("stolen-revoked.asc"))]);
    assert!(refused(&stolen, &revoked, then()).ends_with("is by a key that was revoked"));
}

#[test]
fn a_digest_that_can_be_forged_vouches_for_nothing() {
    let weak = commit(("8c0cffb9b2bb002d6b79bdfb0cc6fe96dbe2b30d", data!("commit-sha1")));
    let error = refused(&weak, &keys(&[("a.asc", data!("rsa.asc"))]), then());
    assert!(error.contains("SHA-256"), "{error}");
}

#[test]
fn a_signature_is_good_for_what_it_was_made_for() {
    let text = String::from_utf8(data!("file.sig").to_vec()).expect("text");
    let other = Object {
        signature: text,
        payload: b"a file".to_vec(),
        ..commit(ALICE)
    };
    let error = refused(
        &other,
        &keys(&[("a.sshpub", data!("ssh-ed25519.sshpub"))]),
        then(),
    );
    assert!(error.contains("\"file\""), "{error}");
}

#[test]
fn without_a_key_of_the_right_kind_the_error_says_which() {
    let error = refused(
        &commit(ALICE),
        &keys(&[("a.sshpub", data!("ssh-rsa.sshpub"))]),
        then(),
    );
    assert!(error.contains(".asc suffix"), "{error}");
    let ssh = commit((
        "3e1b2c61d506d223602bef5850afcbb51e9d9396",
        data!("commit-ssh-ed25519"),
    ));
    assert!(refused(&ssh, &keys(&[("a.asc", data!("alice.asc"))]), then()).contains(".sshpub suffix"));
    let unsigned = commit((
        "b566aa44588d1bae636b7a2757f77606137f5f62",
        data!("commit-unsigned"),
    ));
    assert_eq!(
        refused(&unsigned, &keys(&[]), then()),
        "unsupported signature type: empty"
    );
    let broken = refused(&commit(ALICE), &keys(&[("a.asc", b"no key")]), then());
    assert!(broken.contains("unable to read armored key ring"), "{broken}");
}

#[test]
fn other_bytes_are_another_object() {
    let (id, bytes) = ALICE;
    let changed: Vec<u8> = bytes
        .iter()
        .map(|byte| if *byte == b'y' { b'z' } else { *byte })
        .collect();
    let read = |id, bytes: &[u8]| Object::read(ObjectKind::Commit, id, bytes).map(drop);
    assert!(matches!(read(id, &changed), Err(ObjectError::Other { .. })));
    assert!(matches!(read("main", bytes), Err(ObjectError::Id(_))));
    assert!(matches!(
        Object::read(ObjectKind::Tag, id, bytes),
        Err(ObjectError::Other { .. })
    ));
}

#[test]
fn what_was_changed_after_signing_is_not_what_was_signed() {
    let good = commit(ALICE);
    let changed = Object {
        payload: [good.payload.as_slice(), b"and more\n"].concat(),
        ..good.clone()
    };
    assert!(refused(&changed, &keys(&[("a.asc", data!("alice.asc"))]), then()).contains("no matching key"));
}

#[test]
fn a_second_signature_is_no_way_to_bring_in_another_payload() {
    let text = String::from_utf8(data!("commit-alice").to_vec()).expect("text");
    let twice = text.replacen("gpgsig", "gpgsig first\ngpgsig", 1);
    assert_eq!(
        object::two_signatures(twice.as_bytes()),
        Err("it has two signatures")
    );
}
