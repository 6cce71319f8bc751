//! What every consumer runs on: the step loop, state and its restoring, clocks.
//!
//! A consumer is a [`Station`]: for one partition of its input it turns messages into output and a
//! delta of its state. Everything else is here, once.

pub mod clock;
pub mod config;
pub mod errands;
mod generations;
mod memory;
mod output;
mod replay;
mod restore;
mod state;
mod station;
mod telemetry;
mod worker;

pub use output::Output;
pub use replay::{Replay, Step};
pub use restore::read_to_end;
pub use state::STATE_DELTA_BYTES_MAX;
pub use station::{Held, Input, Station, Stop};
pub use telemetry::Progress;
pub use worker::{Turn, Worker, WorkerOptions};
