//! The command line's work, as a library, so that tests do what the binary does.

pub mod audit;
pub mod cli;
pub mod demo;
pub mod installation;
pub mod rehearse;
pub mod serve;
pub mod views;
