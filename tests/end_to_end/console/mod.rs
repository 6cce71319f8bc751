//! The console before real workers on the embedded log.

mod api;
mod browser;
mod client;
mod lists;
mod processes;
mod rig;
mod rights;
