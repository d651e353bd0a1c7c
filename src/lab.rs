//! The laboratory: a made-up shop, and experiments on everything below.

pub(crate) mod bench;
pub mod cost;
pub mod eval;
pub mod generator;
pub mod memory;
pub mod replay;
pub mod restore;
pub mod verify;
