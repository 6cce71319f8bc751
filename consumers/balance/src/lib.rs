//! BALANCE: counted usage and commands become charges, bills, entries and balances.
//!
//! The rules are the domain's; here messages become calls, and facts become messages.

mod changed;
mod delta;
mod retell;
mod scribe;
mod station;
mod waiting;

pub use delta::{Part, each_part};
pub use station::{Balance, BalanceOptions};
