//! The same usage in other orders, cuts and lags, on the memory engine and a clock that the test sets:
//! what may differ and what may not.

mod disturbed;
mod plant;
mod requests;
mod retries;
