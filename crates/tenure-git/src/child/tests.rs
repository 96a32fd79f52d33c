use super::*;
use crate::Credential;
use tenure_core::Secret;

fn job() -> Job {
    let url = "https://bob:hunter2@127.0.0.1:1/a.git".parse().expect("a URL");
    let credential = Credential::Basic {
        username: "bob".to_owned(),
        password: Secret::from("hunter2".to_owned()),
    };
    let mut remote = Remote::new(url, credential);
    remote.outbound.tls.ca_pem = Some(b"pem".to_vec());
    Job::Resolve {
        remote,
        reference: Reference::default(),
        limits: Limits::default(),
    }
}

#[tokio::test]
async fn a_job_arrives_with_its_secrets_and_an_answer_comes_back_without() {
    let (parent, child) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
    parent.set_nonblocking(true).expect("it can");
    let mut parent = tokio::net::UnixStream::from_std(parent).expect("it can");
    let served = tokio::task::spawn_blocking(move || serve(child));
    send_job(&mut parent, &job()).await.expect("it is sent");
    let answer = read_answer(&mut parent).await.expect("it answers");
    served.await.expect("no panic").expect("it served");
    assert!(
        matches!(answer, Answer::Failed(GitError::AuthenticationFailed { .. })),
        "the CA is no PEM: {answer:?}"
    );
    assert!(!format!("{answer:?}").contains("hunter2"));
}

#[test]
fn the_wire_keeps_every_secret_and_debug_shows_none() {
    let frame = frame::encode(&wire::Job::of(&job())).expect("it fits");
    let back = frame::decode::<wire::Job>(&frame[4..])
        .expect("JSON")
        .into_job()
        .expect("a job");
    let Job::Resolve { remote, .. } = &back else {
        panic!("another job")
    };
    assert_eq!(remote.url.expose_password(), Some("hunter2"));
    assert!(
        matches!(&remote.credential, Credential::Basic { password, .. } if password.expose() == b"hunter2")
    );
    assert!(!format!("{back:?}").contains("hunter2"));
}

#[tokio::test]
async fn frames_that_are_too_large_or_no_answer_are_refused() {
    let huge = u32::MAX.to_be_bytes();
    assert_eq!(
        read_answer(&mut &huge[..]).await.map_err(|e| e.kind()),
        Err(io::ErrorKind::InvalidData)
    );
    let garbage = [&[0, 0, 0, 2][..], b"hi"].concat();
    assert_eq!(
        read_answer(&mut &garbage[..]).await.map_err(|e| e.kind()),
        Err(io::ErrorKind::InvalidData)
    );
    assert_eq!(
        read_answer(&mut &b""[..]).await.map_err(|e| e.kind()),
        Err(io::ErrorKind::UnexpectedEof)
    );
}
