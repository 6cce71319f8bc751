//! A station of METERING by itself, message by message.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

mod station {
    mod marks;
    mod registered;
    mod replays;
    mod rig;
}
