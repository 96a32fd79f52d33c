use tenure_git::{Credential, Filter, GitError, Limits};

use crate::support::https::{Behaviour, HttpsServer};
use crate::support::repo::Repo;
use crate::support::{Files, Place, main_branch, names};

struct Served {
    place: Place,
    repo: Repo,
    server: HttpsServer,
}

fn served() -> Served {
    let place = Place::new();
    let repo = Repo::empty(&place.root(), "app.git");
    let server = HttpsServer::start(Behaviour {
        root: place.root(),
        ..Behaviour::default()
    });
    Served { place, repo, server }
}

impl Served {
    fn get(&self, filter: &Filter, limits: &Limits) -> Result<(tenure_git::Fetched, Files), GitError> {
        self.place.get(
            &self.server.remote("app.git", Credential::None),
            &main_branch(),
            filter,
            limits,
        )
    }
}

#[test]
fn executables_links_and_directories_come_as_flux_packs_them() {
    let served = served();
    served.repo.commit(
        "main",
        "All",
        &[
            ("100755", "bin/run", b"#!"),
            ("120000", "link", b"../../etc/passwd"),
            ("100644", "bin.txt", b"x"),
        ],
    );
    let (fetched, files) = served
        .get(&Filter::default(), &Limits::default())
        .expect("it fetches");
    assert_eq!(names(&files), ["bin.txt", "bin/", "bin/run"]);
    let modes: Vec<u32> = files.values().map(|(mode, _)| *mode).collect();
    assert_eq!(modes, [0o600, 0o750, 0o700]);
    assert_eq!(
        fetched.dropped_symlinks,
        [("link".to_owned(), "../../etc/passwd".to_owned())]
    );
}

#[test]
fn ignore_rules_hold_by_default_by_file_and_by_spec() {
    let served = served();
    let entries: [(&str, &str, &[u8]); 5] = [
        ("100644", "a.png", b"p"),
        ("100644", "d/.gitignore", b""),
        ("100644", "d/b.txt", b"b"),
        ("100644", "d/c.yaml", b"c"),
        ("100644", ".github/x.yml", b"x"),
    ];
    served.repo.commit("main", "Plain", &entries);
    let (_, files) = served
        .get(&Filter::default(), &Limits::default())
        .expect("it fetches");
    assert_eq!(names(&files), ["d/", "d/b.txt", "d/c.yaml"]);

    let mut with_file = entries.to_vec();
    with_file.push(("100644", "d/.sourceignore", b"*.txt\n"));
    served.repo.commit("main", "File", &with_file);
    let (_, files) = served
        .get(&Filter::default(), &Limits::default())
        .expect("it fetches");
    assert_eq!(
        names(&files),
        [
            ".github/",
            ".github/x.yml",
            "a.png",
            "d/",
            "d/.sourceignore",
            "d/c.yaml"
        ]
    );

    let spec = Filter {
        ignore: Some("/*\n!/d/\n".to_owned()),
        ..Filter::default()
    };
    let (_, files) = served.get(&spec, &Limits::default()).expect("it fetches");
    // the last word, even over what is left out by default: Flux appends user patterns to its own
    assert_eq!(
        names(&files),
        ["d/", "d/.gitignore", "d/.sourceignore", "d/b.txt", "d/c.yaml"]
    );
}

#[test]
fn sparse_directories_are_all_that_is_kept() {
    let served = served();
    served.repo.commit(
        "main",
        "S",
        &[
            ("100644", "root.yaml", b"r"),
            ("100644", "a/x.yaml", b"x"),
            ("100644", "ab/y.yaml", b"y"),
            ("100644", "c/d/z.yaml", b"z"),
        ],
    );
    let only = |sparse: &[&str]| Filter {
        sparse: sparse.iter().map(ToString::to_string).collect(),
        ..Filter::default()
    };
    let (_, files) = served
        .get(&only(&["a", "./c/d/"]), &Limits::default())
        .expect("it fetches");
    assert_eq!(names(&files), ["a/", "a/x.yaml", "c/", "c/d/", "c/d/z.yaml"]);
    let (_, files) = served
        .get(&only(&["./"]), &Limits::default())
        .expect("it fetches");
    assert_eq!(names(&files), ["root.yaml"]);
}

#[test]
fn hostile_names_in_a_tree_are_refused() {
    for name in [
        &b".."[..],
        b".git",
        b".GIT",
        b"git~1",
        b"a\\b",
        b"a\nb",
        b"a/../../b",
    ] {
        let served = served();
        let blob = served.repo.blob(b"x");
        let tree = served.repo.raw_tree("100644", name, &blob);
        served.repo.commit_tree("main", "Hostile", &tree);
        let error = served
            .get(&Filter::default(), &Limits::default())
            .expect_err("it is refused");
        assert!(
            matches!(error, GitError::Malformed { .. }),
            "{}: {error}",
            String::from_utf8_lossy(name)
        );
    }
}

#[test]
fn limits_stop_content_packs_and_objects() {
    let served = served();
    let noise: Vec<u8> = (0..20_000u32)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    served.repo.commit(
        "main",
        "Large",
        &[
            ("100644", "a.bin", &noise),
            ("100644", "b.bin", b"b"),
            ("100644", "c", b"c"),
        ],
    );
    let limits = Limits::default();
    for limits in [
        Limits {
            artifact_bytes: 1000,
            ..limits
        },
        Limits {
            pack_bytes: 1000,
            ..limits
        },
        Limits { objects: 2, ..limits },
    ] {
        let fresh = Place {
            temp: tempfile::tempdir().expect("a temporary directory"),
        };
        let remote = served.server.remote("app.git", Credential::None);
        let error = fresh
            .get(&remote, &main_branch(), &Filter::default(), &limits)
            .expect_err("it is too large");
        assert!(matches!(error, GitError::TooLarge { .. }), "{limits:?}: {error}");
    }
}

/// Objects are named by SHA-1: what was made to have another's name is found out while it is hashed.
#[test]
fn a_collision_of_sha_1_is_found_out() {
    let hashed = |bytes: &[u8]| {
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        hasher.update(bytes);
        hasher.try_finalize()
    };
    // one of two files with the same SHA-1, https://sha-mbles.github.io
    let forged = include_bytes!("fixtures/sha-mbles-1.bin");
    assert!(hashed(forged).is_err());
    let mut other = forged.to_vec();
    other[0] ^= 1;
    assert!(hashed(&other).is_ok(), "only what was made for it");
}
