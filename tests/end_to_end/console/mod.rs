//! The console before real workers on the embedded log.

mod api;
mod browser;
pub mod client;
pub mod explaining;
#[path = "../../../pipeline/documents/tests/invoices/mod.rs"]
mod invoices;
mod processes;
pub mod rig;
mod rights;
