//! The rights, proven: what each part of the system may do is asked of the API server, the kernel and
//! the cache, with the tokens and in the processes that the parts really have.

mod callers;
mod canaries;
mod impersonation;
mod keys;
mod neighbours;
mod pods;
mod process;
mod refused;
mod rendered;
mod supervisor;
mod table;
mod tenant;
mod world;
