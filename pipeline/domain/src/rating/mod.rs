//! What usage costs: price functions of a month's quantity, and the book that says which one holds.

mod book;
mod document;
mod model;
mod tiers;
mod values;

pub use book::{Change, Found, Meter, MeterNumber, Offer, Price, PriceBook, PriceNumber, Prices};
pub use document::{Entry, NotAPriceBook, Place, parse};
pub use model::{Aggregate, Flat, Graduated, Model, Package, PerUnit, Tier, Volume};
pub use tiers::{TierNumber, TierPart};
pub use values::{Distinct, Largest, Latest, Moment, Value, ValueCount};
