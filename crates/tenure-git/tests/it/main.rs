//! Fetching from real servers: ssh and https in this process, git's own `upload-pack` and `http-backend` behind.

mod content;
mod https;
mod measure;
mod ssh;
mod submodules;
mod support;
