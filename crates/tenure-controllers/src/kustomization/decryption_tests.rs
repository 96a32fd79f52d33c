use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tenure_kustomize::{MemFs, flux};

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tenure-sops/tests/fixtures/", $name))
    };
}

const KEY: &str = fixture!("keys/tenant.agekey");
const SECRET: &str = fixture!("out/secret-age.yaml");
const LINES: &str = fixture!("out/age-lines.env");
const CANARY: &str = "canary-of-a-decrypted-value";

fn decryptor(key: &str, mac: Mac) -> Decryptor {
    let mut keys = Keyring::default();
    keys.add_age(key).expect("a good key");
    Decryptor {
        keys,
        mac,
        limits: Limits::default(),
        hidden: Mask::default(),
    }
}

fn built(files: &MemFs, decryptor: &mut Decryptor) -> Result<Vec<Value>, String> {
    let files = decryptor.sources(files, "./app")?;
    let built = flux::build(&files, "./app", &flux::Overlay::default());
    let mut objects = built.expect("a build").objects;
    decryptor.objects(&mut objects)?;
    Ok(objects.into_vec())
}

#[test]
fn an_object_of_the_build_is_decrypted_whole_and_hidden() {
    let files = MemFs::new([("app/secret.yaml", SECRET)]);
    let mut decryptor = decryptor(KEY, Mac::Verify);
    let objects = built(&files, &mut decryptor).expect("decrypted");
    assert_eq!(
        objects[0]["stringData"],
        json!({"password": CANARY, "port": "5432"})
    );
    assert_eq!(objects[0].get("sops"), None);
    assert_eq!(decryptor.hidden.hide(format!("is {CANARY}")), "is ****");
    assert_eq!(refuse_encrypted(&objects), Ok(()));
}

#[test]
fn sources_are_decrypted_through_resources_and_components() {
    let generator = "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nsecretGenerator: [{name: lines, envs: [lines.env]}]\n\
                     generatorOptions: {disableNameSuffixHash: true}\n";
    let files = MemFs::new([
        ("app/kustomization.yaml", "components: [../more]\n"),
        ("more/kustomization.yaml", generator),
        ("more/lines.env", LINES),
    ]);
    let objects = built(&files, &mut decryptor(KEY, Mac::Verify)).expect("decrypted");
    assert_eq!(objects[0]["data"]["C"], STANDARD.encode("d e=f"));
    assert_eq!(
        files
            .read(&RelPath::parse("more/lines.env").expect("a path"), 1 << 20)
            .expect("a file"),
        LINES.as_bytes()
    );
}

#[test]
fn a_changed_file_is_refused_by_its_name_unless_its_mac_is_ignored() {
    let changed = format!("ADDED_unencrypted=x\n{LINES}");
    let files = MemFs::new([
        (
            "app/kustomization.yaml",
            "secretGenerator: [{name: lines, envs: [lines.env]}]\n",
        ),
        ("app/lines.env", &changed),
    ]);
    let message = built(&files, &mut decryptor(KEY, Mac::Verify)).expect_err("it was changed");
    assert!(
        message.starts_with("error decrypting sources: app/lines.env: "),
        "{message}"
    );
    assert!(
        message.contains("MAC mismatch") && message.contains("tenure.dev/sops-mac: ignore"),
        "{message}"
    );
    assert!(built(&files, &mut decryptor(KEY, Mac::Ignore)).is_ok());
}

#[test]
fn values_of_secrets_that_are_documents_are_decrypted_one_by_one() {
    let mut objects = Objects::from_iter([json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
        "data": {"lines.env": STANDARD.encode(LINES), "plain": STANDARD.encode("x"), "bad": "?"},
    })]);
    decryptor(KEY, Mac::Verify)
        .objects(&mut objects)
        .expect("decrypted");
    let objects = objects.into_vec();
    let lines = STANDARD
        .decode(objects[0]["data"]["lines.env"].as_str().expect("text"))
        .expect("base64");
    assert_eq!(lines, fixture!("out/age-lines.env.plain").as_bytes());
    assert_eq!(objects[0]["data"]["plain"], STANDARD.encode("x"));
}

#[test]
fn what_is_marked_stays_and_what_is_left_is_refused_in_flux_s_words() {
    let mut secret: Value =
        tenure_yaml::parse_one(SECRET.as_bytes(), &tenure_yaml::Options::kustomize()).expect("YAML");
    secret["metadata"]["namespace"] = json!("team");
    let message = refuse_encrypted(std::slice::from_ref(&secret)).expect_err("it is encrypted");
    let want = "Secret/team/credentials is SOPS encrypted, configuring decryption is required for this secret to be reconciled";
    assert_eq!(message, want);
    secret["metadata"]["annotations"] = json!({"kustomize.toolkit.fluxcd.io/decrypt": "Disabled"});
    let mut marked = Objects::from_iter([secret.clone()]);
    decryptor(KEY, Mac::Verify)
        .objects(&mut marked)
        .expect("nothing to do");
    let marked = marked.into_vec();
    assert_eq!(marked, [secret]);
    assert_eq!(refuse_encrypted(&marked), Ok(()));
}

#[test]
fn the_wrong_key_is_said_with_object_and_recipient() {
    let files = MemFs::new([("app/secret.yaml", SECRET)]);
    let message =
        built(&files, &mut decryptor(fixture!("keys/other.agekey"), Mac::Verify)).expect_err("another's");
    let start = "decryption failed for 'Secret.v1.[noGrp]/credentials': failed to decrypt and format '/credentials' Secret data: \
                 cannot get sops data key: none of the file's recipients could be used: age age1";
    assert!(message.starts_with(start), "{message}");
}
