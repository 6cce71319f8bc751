//! The console before real workers on the embedded log.

mod api;
mod browser;
pub mod client;
mod lists;
mod processes;
pub mod rig;
