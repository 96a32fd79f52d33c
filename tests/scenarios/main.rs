//! The main job, end to end: a tenant commits, its worker applies. And what a person is told when it
//! can't be done.

mod article;
mod bad_input;
mod bucket;
mod budget;
mod cloud;
mod flux_cli;
mod git;
mod helm;
mod inventory;
mod kustomization;
mod moved;
mod oci;
mod signed;
mod watch_modes;
mod world;
