//! Real processes on a real broker and on the embedded log, killed, frozen, held back and without their
//! broker, with records in flight; afterwards the books must be those of the book-keeper.

pub mod check;
pub mod load;
pub mod rig;
pub mod site;

mod broker_away;
mod each_in_turn;
mod embedded;
mod frozen;
mod held_back;
mod kills;
