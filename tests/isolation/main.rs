//! The rights, proven: what each part of the system may do is asked of the API server, the kernel and
//! the cache, with the tokens and in the processes that the parts really have.

mod impersonation;
mod neighbours;
mod refused;
mod supervisor;
mod table;
mod tenant;
mod world;
