use std::io::{Read, Write};

use super::*;
use crate::{Credential, Repository};
use tenure_core::Secret;

fn job() -> Job {
    let repository = Repository::from_url("oci://127.0.0.1:1/app").expect("a name");
    let credential = Credential::Basic {
        username: "bob".to_owned(),
        password: Secret::from("CANARY".to_owned()),
    };
    Job::Resolve {
        remote: Remote::new(repository, credential),
        reference: Reference::default(),
        limits: Limits::default(),
    }
}

#[test]
fn a_job_arrives_with_its_secret_and_does_not_print_it() {
    let job = job();
    assert!(!format!("{job:?}").contains("CANARY"));
    let sent = frame::encode(&wire::Job::from(job)).expect("small");
    let received: Job = frame::decode::<wire::Job>(&sent[4..]).expect("as sent").into();
    let Job::Resolve { remote, .. } = received else {
        panic!("another job");
    };
    assert_eq!(remote.credential.secrets(), ["CANARY"]);
}

#[test]
fn a_child_answers_a_job_and_refuses_this_machine() {
    let (mut parent, child) = std::os::unix::net::UnixStream::pair().expect("sockets");
    let served = std::thread::spawn(move || serve(child));
    let sent = frame::encode(&wire::Job::from(job())).expect("small");
    parent.write_all(&sent).expect("the child reads");
    let mut answer = Vec::new();
    parent.read_to_end(&mut answer).expect("the child answers");
    served.join().expect("no panic").expect("it served");
    let answer: Answer = frame::decode(&answer[4..]).expect("an answer");
    let Answer::Failed(OciError::Forbidden { message, .. }) = answer else {
        panic!("{answer:?}");
    };
    assert!(message.contains("127.0.0.1"), "{message}");
}
