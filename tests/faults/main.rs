//! Whatever is killed, restarted, full or gone: the system comes back to what the repository says, and
//! nobody has to help.

mod api_server;
mod at_random;
mod cache;
mod disk;
mod each_request;
mod names;
mod processes;
mod replicas;
mod rules;
mod set;
mod sleep;
mod soak;
mod supervisor;
mod supervisors;
mod upgrade;
mod wire;
mod worker;
