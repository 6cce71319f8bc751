//! Whether ClickHouse is there, as all fillers of a process share it.

use std::sync::{Mutex, PoisonError};

use drawdown_domain::time::Span;
use drawdown_runtime::clock::Clock;
use drawdown_runtime::errands::Circuit;
use metrics::gauge;

/// How long nobody tries at most while ClickHouse is away.
const LONGEST_PAUSE: Span = Span::micros(30_000_000);
const NAME: &str = "clickhouse";

/// A circuit: while ClickHouse is away one try is let through now and then.
#[derive(Debug)]
pub(crate) struct Outage(Mutex<Circuit>);

impl Default for Outage {
    fn default() -> Outage {
        Outage(Mutex::new(Circuit::new(LONGEST_PAUSE)))
    }
}

impl Outage {
    fn circuit<T>(&self, ask: impl FnOnce(&mut Circuit) -> T) -> T {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether one may try.
    pub(crate) fn lets(&self) -> bool {
        self.circuit(|circuit| circuit.lets(NAME, Clock::Real.now()))
    }

    /// It was not there, or too busy.
    pub(crate) fn found_nobody(&self, why: &str) {
        if self.circuit(|circuit| circuit.found_nobody(NAME, Clock::Real.now())) {
            gauge!("drawdown_outside_away", "consumer" => "analytics").set(1.0);
            tracing::error!(error = why, "ClickHouse is away; it is tried now and then");
        }
    }

    /// It answered.
    pub(crate) fn found_somebody(&self) {
        if self.circuit(Circuit::found_somebody) {
            gauge!("drawdown_outside_away", "consumer" => "analytics").set(0.0);
            tracing::info!("ClickHouse is back");
        }
    }
}
