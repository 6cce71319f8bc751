//! The real ClickHouse engine in this process, served over ClickHouse's HTTP protocol, so that clients
//! need not know that there is no server. What the engine can do, it does; here is only what the
//! protocol needs: where a statement ends and rows begin, settings and parameters, compression, errors
//! with their codes, sessions, and bounds on everything.
//!
//! A request gets a connection of its own (a tenth of a millisecond) unless it names a session, so that
//! no setting of one meets another. It runs on a thread that may wait; bodies stream both ways, a few
//! pieces ahead.

mod answer;
mod asked;
mod blocks;
mod body;
mod coding;
mod engine;
mod exception;
pub mod library;
mod listener;
mod pieces;
mod run;
mod serve;
mod sessions;
mod statement;

pub use engine::{Chunk, Connection, Engine, Inserting, NoEngine, Parameters, Selected};
pub use exception::Exception;
pub use serve::{Server, ServerOptions, listen};
