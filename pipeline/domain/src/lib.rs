//! Every rule about money, as pure code.
//!
//! What lives here decides: a state, an input and a time go in, facts or a named refusal come out.
//! No Kafka, no async, no clock, no files, no floats: an effect is a value that somebody else carries
//! out, so that a replay gives the same money to the last digit.

#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod vocabulary;

pub mod money;

pub mod ids;

pub mod time;

pub mod tax;

pub mod tax_ids;

pub mod fx;

pub mod settings;

pub mod usage;

pub mod rating;

pub mod refusal;

pub mod commands;

pub mod rights;

pub mod payments;

pub mod requests;

pub mod notices;

pub mod invoices;

pub mod runs;

pub mod registry;

pub mod ledger;
