//! The console before real workers on the embedded log.

mod api;
mod browser;
mod client;
#[path = "../../../pipeline/documents/tests/invoices/mod.rs"]
mod invoices;
mod lists;
mod processes;
mod rig;
