//! How far it is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

const SAID_EVERY: Duration = Duration::from_secs(5);
/// So many records are taken between two looks at the clock.
const RECORDS_PER_LOOK: u64 = 4_096;

/// How far a file is read.
pub(super) struct Progress {
    name: String,
    began: Instant,
    said: Instant,
    records: u64,
    read: Arc<AtomicU64>,
    bytes: Option<u64>,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(name: &str, bytes: Option<u64>, read: Arc<AtomicU64>) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let (bar, shape) = match bytes {
                Some(bytes) => (
                    ProgressBar::new(bytes),
                    "{prefix} {bar:30} {percent:>3}% {bytes}/{total_bytes}, {msg}, {eta} left",
                ),
                None => (ProgressBar::new_spinner(), "{prefix} {spinner} {bytes}, {msg}"),
            };
            bar.set_prefix(name.to_owned());
            // A shape that cannot be read would be a bar without one.
            if let Ok(style) = ProgressStyle::with_template(shape) {
                bar.set_style(style);
            }
            bar
        });
        let now = Instant::now();
        Progress { name: name.to_owned(), began: now, said: now, records: 0, read, bytes, bar }
    }

    /// A record was read.
    pub(super) fn record(&mut self) -> std::io::Result<()> {
        self.records = self.records.saturating_add(1);
        if self.records.is_multiple_of(RECORDS_PER_LOOK) {
            self.say()?;
        }
        Ok(())
    }

    fn say(&mut self) -> std::io::Result<()> {
        let read = self.read.load(Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_position(read);
            bar.set_message(rate(self.records, self.began.elapsed()));
        } else if self.said.elapsed() >= SAID_EVERY {
            self.said = Instant::now();
            let percent = self.bytes.map(|bytes| read.saturating_mul(100).checked_div(bytes));
            let percent = percent.flatten().map(|percent| format!(", {percent}%"));
            let how = rate(self.records, self.began.elapsed());
            writeln!(std::io::stderr(), "{}: {how}{}", self.name, percent.unwrap_or_default())?;
        }
        Ok(())
    }

    /// Writes something beside the bar.
    pub(super) fn beside(
        &self,
        write: impl FnOnce() -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// So many records, and how fast.
pub(super) fn rate(records: u64, took: Duration) -> String {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = records.saturating_mul(1_000).checked_div(millis).unwrap_or(0);
    format!("{} records, {}/s", HumanCount(records), HumanCount(rate))
}
