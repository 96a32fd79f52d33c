//! The engine from outside: small charts with what Helm prints for them, and charts that mean harm.

mod args;
mod cases;
mod hostile;
mod load;
mod package;
mod random;
mod render;
