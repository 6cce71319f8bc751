//! The console before real workers on the embedded log.

mod api;
mod browser;
pub mod client;
mod processes;
pub mod rig;
mod rights;
