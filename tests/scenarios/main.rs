//! The main job, end to end: a tenant commits, its worker applies.

mod article;
