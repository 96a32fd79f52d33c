use tenure_core::Secret;
use tenure_git::{Credential, Filter, GitError, Limits};

use crate::support::https::{Behaviour, HttpsServer};
use crate::support::repo::Repo;
use crate::support::{Files, Place, main_branch, names};

const BASIC: &str = "Basic Ym9iOmh1bnRlcjI=";

fn bob() -> Credential {
    Credential::Basic {
        username: "bob".to_owned(),
        password: Secret::from("hunter2".to_owned()),
    }
}

/// `team/app.git` and `team/lib.git`, on a server that lets in bob only.
struct Scene {
    place: Place,
    app: Repo,
    lib: Repo,
    server: HttpsServer,
}

fn scene() -> Scene {
    let place = Place::new();
    let repo = |name: &str| Repo::empty(&place.root(), name);
    let (app, lib) = (repo("team/app.git"), repo("team/lib.git"));
    let server = HttpsServer::start(Behaviour {
        root: place.root(),
        authorization: Some(BASIC.to_owned()),
        ..Behaviour::default()
    });
    Scene {
        place,
        app,
        lib,
        server,
    }
}

fn modules(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries = entries.iter();
    let sections =
        entries.map(|(path, url)| format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n"));
    sections.collect::<String>().into_bytes()
}

impl Scene {
    /// The application, with its submodules where `entries` say, all at `commit`.
    fn commit(&self, entries: &[(&str, &str)], commit: &str) {
        let file = modules(entries);
        let mut files = vec![
            ("100644", ".gitmodules", &file[..]),
            ("100644", "a.yaml", b"a: 1\n"),
        ];
        files.extend(
            entries
                .iter()
                .map(|(path, _)| ("160000", *path, commit.as_bytes())),
        );
        self.app.commit("main", "With submodules", &files);
    }

    fn get(&self, filter: &Filter) -> Result<Files, GitError> {
        let remote = self.server.remote("team/app.git", bob());
        self.place
            .get(&remote, &main_branch(), filter, &Limits::default())
            .map(|(_, files)| files)
    }
}

fn with(prefixes: &[&str]) -> Filter {
    Filter {
        submodules: Some(prefixes.iter().map(|prefix| (*prefix).to_owned()).collect()),
        ..Filter::default()
    }
}

#[test]
fn submodules_in_submodules_are_packed_where_they_belong_and_only_when_asked_for() {
    let scene = scene();
    let deep = Repo::empty(&scene.place.root(), "other/deep.git");
    let bottom = deep.commit("main", "Deep", &[("100644", "deep.yaml", b"d: 1\n")]);
    let file = modules(&[("below", "../../other/deep.git")]);
    let middle = scene.lib.commit(
        "main",
        "Lib",
        &[
            ("100644", ".gitmodules", &file),
            ("100644", ".sourceignore", b"skipped.yaml\n"),
            ("100644", "lib.yaml", b"l: 1\n"),
            ("100644", "skipped.yaml", b"s: 1\n"),
            ("160000", "below", bottom.as_bytes()),
        ],
    );
    // neither is the tip of a branch any more
    scene
        .lib
        .commit("main", "Later", &[("100644", "later.yaml", b"x")]);
    deep.commit("main", "Later", &[("100644", "later.yaml", b"x")]);
    scene.commit(&[("libs/lib", "../lib.git")], &middle);
    let without = scene.get(&Filter::default()).expect("it fetches");
    assert_eq!(names(&without), ["a.yaml", "libs/"]);
    let files = scene.get(&with(&[])).expect("it fetches");
    let all = [
        "a.yaml",
        "libs/",
        "libs/lib/",
        "libs/lib/.sourceignore",
        "libs/lib/below/",
        "libs/lib/below/deep.yaml",
        "libs/lib/lib.yaml",
    ];
    assert_eq!(names(&files), all);
    let sparse = Filter {
        sparse: vec!["./".to_owned()],
        ..with(&[])
    };
    let before = scene.server.seen().len();
    assert_eq!(names(&scene.get(&sparse).expect("it fetches")), ["a.yaml"]);
    let asked = scene.server.seen().split_off(before);
    assert!(
        asked.iter().all(|seen| seen.path.starts_with("/team/app.git/")),
        "what is not kept is not downloaded: {asked:?}"
    );
}

#[test]
fn a_submodule_outside_the_tenants_prefixes_is_not_asked_for() {
    let scene = scene();
    let commit = scene
        .lib
        .commit("main", "Lib", &[("100644", "l.yaml", b"l: 1\n")]);
    scene.commit(&[("lib", "../lib.git")], &commit);
    let prefix = |rest: &str| format!("https://127.0.0.1:{}/{rest}", scene.server.port);
    let allowed = with(&[&prefix("team")]);
    assert_eq!(
        names(&scene.get(&allowed).expect("it fetches")),
        ["a.yaml", "lib/", "lib/l.yaml"]
    );
    let before = scene.server.seen().len();
    let error = scene
        .get(&with(&[&prefix("team/app.git")]))
        .expect_err("it is refused");
    assert!(matches!(error, GitError::Forbidden { .. }), "{error}");
    assert!(error.to_string().contains("spec.sources.allow") && error.to_string().contains("\"lib\""));
    let asked = scene.server.seen().split_off(before);
    assert!(
        asked.iter().all(|seen| !seen.path.contains("lib.git")),
        "{asked:?}"
    );
}

#[test]
fn a_submodule_on_another_host_gets_no_credential() {
    let scene = scene();
    let elsewhere = Place::new();
    let lib = Repo::empty(&elsewhere.root(), "lib.git");
    let commit = lib.commit("main", "Lib", &[("100644", "l.yaml", b"l: 1\n")]);
    let other = HttpsServer::start(Behaviour {
        root: elsewhere.root(),
        ..Behaviour::default()
    });
    let url = format!("https://127.0.0.1:{}/lib.git", other.port);
    scene.commit(&[("lib", &url)], &commit);
    let mut remote = scene.server.remote("team/app.git", bob());
    let authorities = [scene.server.ca_pem.clone(), other.ca_pem.clone()].concat();
    remote.outbound.tls.ca_pem = Some(authorities);
    let got = scene
        .place
        .get(&remote, &main_branch(), &with(&[]), &Limits::default());
    assert_eq!(
        names(&got.expect("it fetches").1),
        ["a.yaml", "lib/", "lib/l.yaml"]
    );
    let seen = other.seen();
    assert!(
        !seen.is_empty() && seen.iter().all(|seen| seen.authorization.is_none()),
        "{seen:?}"
    );
}

#[test]
fn hostile_submodules_are_refused() {
    let scene = scene();
    let commit = scene
        .lib
        .commit("main", "Lib", &[("100644", "l.yaml", b"l: 1\n")]);
    for url in [
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "../../../../etc",
        "https://127.0.0.1/team/../x",
    ] {
        scene.commit(&[("lib", url)], &commit);
        let error = scene.get(&with(&[])).expect_err(url);
        assert!(matches!(error, GitError::Malformed { .. }), "{url}: {error}");
    }
    scene.commit(&[("lib", "https://169.254.169.254/x")], &commit);
    let error = scene.get(&with(&[])).expect_err("an address that is not allowed");
    assert!(matches!(error, GitError::Forbidden { .. }), "{error}");
    scene.commit(&[("lib", "../none.git")], &commit);
    let error = scene.get(&with(&[])).expect_err("no such repository");
    assert!(error.to_string().contains("submodule \"lib\""), "{error}");
    let of_itself = modules(&[("again", "./")]);
    let bare = scene
        .app
        .commit("main", "Self", &[("100644", ".gitmodules", &of_itself)]);
    scene.commit(&[("again", "./")], &bare);
    scene.get(&with(&[])).expect("one step into itself ends");
}

#[test]
fn submodules_count_towards_the_limits_of_the_whole() {
    let scene = scene();
    let random: Vec<u8> = (0..200_000u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let files = [("100644", "l.bin", &random[..]), ("100644", "m.yaml", b"m: 1\n")];
    let commit = scene.lib.commit("main", "Lib", &files);
    scene.commit(&[("lib", "../lib.git")], &commit);
    let remote = scene.server.remote("team/app.git", bob());
    for limits in [
        Limits {
            objects: 4,
            ..Limits::default()
        },
        Limits {
            artifact_bytes: 100_000,
            ..Limits::default()
        },
    ] {
        let error = scene
            .place
            .get(&remote, &main_branch(), &with(&[]), &limits)
            .expect_err("too large");
        assert!(matches!(error, GitError::TooLarge { .. }), "{error}");
    }
}
