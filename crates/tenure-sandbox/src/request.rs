//! What a stage is asked, and what it answers: one datagram each, over a pair of sockets that nobody else has.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Bytes of all arguments together, at most.
const LONGEST: usize = 16 << 10;
/// Descriptors at most: the lifeline, and where output and errors go.
const DESCRIPTORS: usize = 3;

/// A child that is wanted.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its arguments, without the name.
    pub(crate) args: Vec<OsString>,
    /// The lifeline, and, unless they are the parent's, where standard output and error go.
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// Asks for a child.
pub(crate) fn send(to: BorrowedFd<'_>, args: &[OsString], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let joined = args
        .iter()
        .map(OsString::as_os_str)
        .collect::<Vec<_>>()
        .join(OsStr::from_bytes(&[0]));
    let bytes = joined.as_bytes();
    let parts = bytes.split(|byte| *byte == 0).count();
    if bytes.is_empty() || bytes.len() > LONGEST || parts != args.len() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the arguments are none, too long, or hold a NUL",
        ));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("more descriptors than a child can be given"));
    }
    sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next request; `None` when nobody can ask any more. The inner error is of one that did not come whole.
pub(crate) fn receive(from: BorrowedFd<'_>) -> io::Result<Option<io::Result<Request>>> {
    let mut bytes = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut bytes)];
    let said = rustix::io::retry_on_intr(|| recvmsg(from, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC))?;
    let descriptors: Vec<OwnedFd> = control
        .drain()
        .flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => rights.collect(),
            _ => Vec::new(),
        })
        .collect();
    if said.bytes == 0 {
        return Ok(None);
    }
    // without a lifeline of its own a child would have the stage's
    let broken = ReturnFlags::TRUNC | ReturnFlags::CTRUNC;
    if said.flags.intersects(broken) || !matches!(descriptors.len(), 1 | DESCRIPTORS) {
        return Ok(Some(Err(io::Error::from_raw_os_error(libc::EIO))));
    }
    let args = bytes.get(..said.bytes).unwrap_or_default();
    Ok(Some(Ok(Request {
        args: args
            .split(|byte| *byte == 0)
            .map(|word| OsString::from_vec(word.to_vec()))
            .collect(),
        descriptors,
    })))
}

/// The child's process id, or the number of the error.
pub(crate) fn answer(to: BorrowedFd<'_>, result: io::Result<i32>) -> io::Result<()> {
    let number = result.unwrap_or_else(|error| -error.raw_os_error().unwrap_or(libc::EIO));
    rustix::net::send(to, &number.to_ne_bytes(), SendFlags::NOSIGNAL)?;
    Ok(())
}

/// What [`answer`] said: the inner error is the stage's, the outer one means that there is none any more, or none that can be
/// asked again.
pub(crate) fn answered(from: impl AsFd) -> io::Result<io::Result<i32>> {
    let mut number = [0; 4];
    let (_, length) =
        rustix::io::retry_on_intr(|| rustix::net::recv(from.as_fd(), &mut number, RecvFlags::empty()))?;
    if length != number.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(match i32::from_ne_bytes(number) {
        pid @ 1.. => Ok(pid),
        error => Err(io::Error::from_raw_os_error(-error)),
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .expect("a pair")
    }

    #[test]
    fn a_request_comes_as_it_was_sent_with_its_descriptors() {
        let (ours, theirs) = pair();
        let args: Vec<OsString> = ["worker", "", "--home", "apps"].map(Into::into).to_vec();
        let given = std::fs::File::open("/dev/null").expect("there");
        let three = [given.as_fd(), given.as_fd(), given.as_fd()];
        send(ours.as_fd(), &args, &three).expect("sent");
        let received = || receive(theirs.as_fd()).expect("received").expect("one");
        let request = received().expect("whole");
        assert_eq!(request.args, args);
        assert_eq!(request.descriptors.len(), 3);
        assert!(
            request
                .descriptors
                .iter()
                .all(|fd| fd.as_raw_fd() != given.as_raw_fd())
        );
        for number in [0, 2] {
            send(ours.as_fd(), &args, &three[..number]).expect("sent");
            received().expect_err("there is a lifeline, or all three");
        }
        drop(ours);
        assert!(receive(theirs.as_fd()).expect("received").is_none());
    }

    #[test]
    fn what_can_not_be_arguments_is_refused() {
        let (ours, _theirs) = pair();
        let null = std::fs::File::open("/dev/null").expect("there");
        for args in [vec![], vec!["a\0b".into()], vec!["a".repeat(LONGEST + 1).into()]] {
            let error = send(ours.as_fd(), &args, &[null.as_fd()]).expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn an_answer_is_a_process_or_an_error() {
        let (ours, theirs) = pair();
        answer(theirs.as_fd(), Ok(77)).expect("said");
        assert_eq!(answered(&ours).expect("an answer").expect("a process"), 77);
        answer(theirs.as_fd(), Err(io::Error::from_raw_os_error(libc::EAGAIN))).expect("said");
        assert_eq!(
            answered(&ours)
                .expect("an answer")
                .expect_err("an error")
                .raw_os_error(),
            Some(libc::EAGAIN)
        );
        drop(theirs);
        assert_eq!(
            answered(&ours).expect_err("nobody").kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
