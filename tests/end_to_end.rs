//! The end-to-end tests, in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)] // tests, all of it

mod end_to_end {
    mod analytics;
    mod auditing;
    mod book_keeping;
    mod command_line;
    mod console;
    mod deployment;
    mod faults;
    mod full_memory;
    mod histories;
    mod kept_data;
    mod random;
    mod readme;
    mod registered;
    mod restoring;
    mod scenarios;
    mod surroundings;
    mod turn;
    mod workers;
}
