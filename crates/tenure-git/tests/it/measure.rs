use std::time::Instant;

use crate::support::repo::Repo;
use crate::support::ssh::SshServer;
use crate::support::{Place, main_branch};
use tenure_git::{Limits, resolve};

/// 4,000 files of about 2 KiB, as a large platform repository has them.
#[test]
#[ignore = "a measurement: run it with --ignored --nocapture"]
fn a_fetch_takes_as_long_as_gits_own() {
    let place = Place::new();
    let repo = Repo::empty(&place.root(), "app.git");
    let mut listing = String::new();
    for i in 0..4000u32 {
        use std::fmt::Write as _;
        let body: String = (0..60u32)
            .map(|j| format!("key{j}: value-{}\n", i.wrapping_mul(j + 2_654_435_761)))
            .collect();
        write!(listing, "blob\nmark :{}\ndata {}\n{body}\n", i + 1, body.len()).expect("a String takes all");
    }
    listing.push_str("commit refs/heads/main\ncommitter t <t@t> 1700000000 +0000\ndata 1\nm\n");
    for i in 0..4000u32 {
        use std::fmt::Write as _;
        writeln!(listing, "M 100644 :{} apps/team-{}/file-{i}.yaml", i + 1, i % 50)
            .expect("a String takes all");
    }
    repo.git(&["fast-import", "--quiet"], listing.as_bytes());
    let server = SshServer::start(place.root(), true);
    let remote = server.remote("app.git");

    let start = Instant::now();
    resolve(&remote, &main_branch(), &Limits::default()).expect("it resolves");
    println!("resolve            {:?}", start.elapsed());
    let start = Instant::now();
    let (fetched, files) = place.main(&remote).expect("it fetches");
    println!(
        "resolve and fetch  {:?}, {} entries, pack {} B, artifact {} B",
        start.elapsed(),
        files.len(),
        fetched.packed_bytes,
        fetched.size
    );
    let start = Instant::now();
    place.main(&remote).expect("it fetches");
    println!("again, no download {:?}", start.elapsed());
    let start = Instant::now();
    let url = format!("file://{}", repo.path.display());
    repo.git(
        &["clone", "-q", "--depth", "1", "--no-checkout", &url, "clone"],
        b"",
    );
    println!("git clone (file)   {:?}", start.elapsed());
}
