//! What the embedded engine promises beyond the seam: what a crash, a fault of the disk, a full disk
//! or a second process does to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // tests, all of it

mod embedded {
    mod bounded;
    mod children;
    mod crashes;
    mod damage;
    mod full;
    mod kills;
    mod opening;
    mod refusals;
    mod retention;
    mod rig;
    mod stress;
    mod torn;
}
