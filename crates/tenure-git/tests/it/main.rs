//! Fetching from real servers: ssh and https in this process, git's own `upload-pack` and `http-backend` behind.

mod content;
mod https;
mod ssh;
mod support;
