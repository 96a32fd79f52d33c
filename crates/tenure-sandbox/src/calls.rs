//! Which system calls a child may make.
//!
//! The list says what is allowed, so that a call that a later kernel brings, or one of another ABI, is not. What is not on it
//! is answered as by a kernel that does not have it (`ENOSYS`): the C library and the runtimes know what to do then, as with
//! `clone3`, in whose stead `clone` is called, which can be checked. Programs (`execve`) and the memory of other processes
//! (`ptrace`) are refused aloud (`EPERM`).

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule, TargetArch,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Wrong = seccompiler::Error;

/// Allowed whatever their arguments are.
const ALLOWED: &[libc::c_long] = &[
    // files, beneath what Landlock leaves
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_lseek,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_readlinkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_utimensat,
    libc::SYS_umask,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_memfd_create,
    // memory
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_msync,
    libc::SYS_mincore,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    libc::SYS_membarrier,
    // threads of its own
    libc::SYS_futex,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_restart_syscall,
    // signals; Landlock keeps them from other processes
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_kill,
    // what it is, and what time it is
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getcpu,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrusage,
    libc::SYS_prlimit64,
    libc::SYS_prctl,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_uname,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    // waiting
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_signalfd4,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    // sockets; which kinds is said below
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_socketpair,
];

/// The older names of the above, which later architectures never had.
#[cfg(target_arch = "x86_64")]
const OLDER: &[libc::c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_getdents,
    libc::SYS_getrlimit,
    libc::SYS_arch_prctl,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[libc::c_long] = &[libc::SYS_renameat];

/// Families of sockets: TCP and UDP, those within the machine, and what the C library sorts addresses with.
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Would give a thread namespaces of its own, and with them rights that it does not have.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// Refused aloud: programs, and the memory of other processes.
const ALOUD: [libc::c_long; 5] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
];

/// For this thread and all that it will start, for good.
pub(crate) fn restrict() -> Result<(), Wrong> {
    let aloud = || ALOUD.into_iter().map(|call| (call, Vec::new()));
    seccompiler::apply_filter(&program(
        aloud().collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno(libc::EPERM)),
    )?)?;
    // of two filters the stricter one holds, and of two refusals the later one is said: so what is refused aloud is left to
    // the first
    let mut rules = rules()?;
    rules.extend(aloud());
    seccompiler::apply_filter(&program(
        rules,
        SeccompAction::Errno(errno(libc::ENOSYS)),
        SeccompAction::Allow,
    )?)
}

fn errno(number: libc::c_int) -> u32 {
    number.unsigned_abs()
}

fn program(rules: Rules, otherwise: SeccompAction, on_match: SeccompAction) -> Result<BpfProgram, Wrong> {
    let target: TargetArch = std::env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(rules, otherwise, on_match, target)?.try_into()?)
}

fn rules() -> Result<Rules, Wrong> {
    let always = ALLOWED.iter().chain(OLDER).map(|call| (*call, Vec::new()));
    let mut rules: Rules = always.collect();
    let families = FAMILIES.into_iter().map(|family| {
        let family = u64::from(family.unsigned_abs());
        rule(vec![Condition::new(0, Len::Dword, Op::Eq, family)?])
    });
    rules.insert(libc::SYS_socket, families.collect::<Result<_, Wrong>>()?);
    let namespaces = u64::from(NAMESPACES.unsigned_abs());
    let none_new = Condition::new(0, Len::Qword, Op::MaskedEq(namespaces), 0)?;
    // a process would outlive this one, whose end is its parent's to see to
    let a_thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let a_thread = Condition::new(0, Len::Qword, Op::MaskedEq(a_thread), a_thread)?;
    rules.insert(libc::SYS_clone, vec![rule(vec![none_new, a_thread])?]);
    // what is typed into a terminal is not for a child to say
    let not_typing = Condition::new(1, Len::Dword, Op::Ne, libc::TIOCSTI)?;
    rules.insert(libc::SYS_ioctl, vec![rule(vec![not_typing])?]);
    Ok(rules)
}

fn rule(conditions: Vec<Condition>) -> Result<SeccompRule, Wrong> {
    Ok(SeccompRule::new(conditions)?)
}
