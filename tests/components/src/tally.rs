//! Which real components the tests of one run met, and what those say of it themselves.
//!
//! `make test` names a folder; each process of a test keeps a file there, and `main.rs` sums them at the end.
//! A test that somebody runs alone keeps none.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// Names the folder.
const FOLDER: &str = "COMPONENTS_TALLY";

/// A real component. Without it, or without a test that met it, the tests have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Component {
    Kafka,
    Smtp,
    ClickHouse,
    ClickHouseConnect,
    ConfluentKafka,
    Browser,
    Pdf,
}

impl Component {
    pub const ALL: [Component; 7] = [
        Component::Kafka,
        Component::Smtp,
        Component::ClickHouse,
        Component::ClickHouseConnect,
        Component::ConfluentKafka,
        Component::Browser,
        Component::Pdf,
    ];

    fn name(self) -> &'static str {
        match self {
            Component::Kafka => "Apache Kafka 4.3.0",
            Component::Smtp => "SMTP server aiosmtpd 1.4.6",
            Component::ClickHouse => "ClickHouse engine libchdb 26.7.3",
            Component::ClickHouseConnect => "clickhouse-connect 1.12.0",
            Component::ConfluentKafka => "confluent-kafka 2.16.1",
            Component::Browser => "Chromium by playwright-core 1.65.1",
            Component::Pdf => "pdftotext of poppler",
        }
    }

    /// A client counts nothing itself: what it did is counted by whom it asked.
    fn counts_itself(self) -> bool {
        !matches!(self, Component::ClickHouseConnect | Component::ConfluentKafka)
    }

    /// Where its counts come from.
    fn source(self) -> &'static str {
        match self {
            Component::Kafka => "the offsets of all topics at the brokers",
            Component::Smtp => "the servers' own record",
            Component::ClickHouse => "system.events; this engine keeps no query log",
            Component::ClickHouseConnect => "what it did is counted by the engine",
            Component::ConfluentKafka => "what it sent is counted by the broker",
            Component::Browser => "the browser's traces",
            Component::Pdf => "what it found in our PDFs",
        }
    }
}

/// What a component counted, by what it counts.
pub(crate) type Counts = BTreeMap<String, u64>;

/// A line of a process's file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    component: Component,
    /// One broker, server, engine or run of the browser among those of all tests.
    instance: String,
    /// The test that met it, if that is what the line says.
    test: Option<String>,
    counts: Counts,
    /// Why it could not be asked.
    trouble: Option<String>,
    /// A file that it left to be looked at.
    kept: Option<String>,
}

/// Whether this run keeps a tally, so that components need to be asked.
pub(crate) fn is_kept() -> bool {
    std::env::var_os(FOLDER).is_some()
}

/// The test that runs on this thread meets a component.
pub(crate) fn met(component: Component, instance: &str) {
    let test = std::thread::current().name().unwrap_or("unnamed").to_owned();
    write(component, instance, |line| line.test = Some(test));
}

/// What a component counted so far; of several times the largest stands.
pub(crate) fn counted(component: Component, instance: &str, counts: anyhow::Result<Counts>) {
    write(component, instance, |line| match counts {
        Ok(counts) => line.counts = counts,
        Err(error) => line.trouble = Some(format!("{error:#}")),
    });
}

pub(crate) fn kept(component: Component, instance: &str, file: &Path) {
    write(component, instance, |line| line.kept = Some(file.display().to_string()));
}

fn write(component: Component, instance: &str, say: impl FnOnce(&mut Line)) {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let binary = std::env::current_exe().unwrap_or_default();
    let binary = binary.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let path = Path::new(&folder).join(format!("{binary}-{}.jsonl", std::process::id()));
    let (instance, counts) = (format!("{}-{instance}", std::process::id()), Counts::new());
    let mut line = Line { component, instance, test: None, counts, trouble: None, kept: None };
    say(&mut line);
    // A line is written at once, so that those of several threads do not mix.
    let written = serde_json::to_string(&line).map_err(anyhow::Error::from).and_then(|text| {
        let mut file = File::options().create(true).append(true).open(&path)?;
        Ok(file.write_all(format!("{text}\n").as_bytes())?)
    });
    // Who asked for a tally must get a whole one.
    assert!(written.is_ok(), "{}: {written:?}", path.display());
}

/// A component that several tests of a process share is never dropped: it is asked whenever one of them ends.
pub(crate) trait Shared: Sync {
    fn count(&self);
}

struct Visits(Vec<&'static dyn Shared>);

impl Drop for Visits {
    fn drop(&mut self) {
        self.0.iter().for_each(|shared| shared.count());
    }
}

thread_local! {
    static VISITS: RefCell<Visits> = const { RefCell::new(Visits(Vec::new())) };
}

/// Lets a shared component be asked when this test's thread ends.
pub(crate) fn ask_at_end(shared: &'static dyn Shared) {
    VISITS.with_borrow_mut(|visits| {
        let place = std::ptr::from_ref(shared).cast::<()>();
        if !visits.0.iter().any(|known| std::ptr::from_ref(*known).cast::<()>() == place) {
            visits.0.push(shared);
        }
    });
}

/// The files of a folder, summed up.
#[derive(Debug, Default)]
pub struct Tally {
    rows: BTreeMap<Component, Row>,
}

#[derive(Debug, Default)]
struct Row {
    tests: BTreeSet<(String, String)>,
    instances: BTreeMap<String, Counts>,
    troubles: Vec<String>,
    kept: Vec<String>,
}

impl Tally {
    pub fn read(folder: &Path) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let files = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        for file in files {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            let process = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            for line in fs::read_to_string(&path)?.lines() {
                let line =
                    serde_json::from_str(line).with_context(|| path.display().to_string())?;
                tally.add(&process, line);
            }
        }
        Ok(tally)
    }

    fn add(&mut self, process: &str, line: Line) {
        let row = self.rows.entry(line.component).or_default();
        row.tests.extend(line.test.map(|test| (process.to_owned(), test)));
        let known = row.instances.entry(line.instance).or_default();
        for (what, count) in line.counts {
            let largest = known.entry(what).or_default();
            *largest = count.max(*largest);
        }
        row.troubles.extend(line.trouble);
        row.kept.extend(line.kept);
    }

    /// Fails if a component was not met, or says that nothing happened there.
    pub fn check(&self) -> anyhow::Result<()> {
        let missing: Vec<&str> = Component::ALL
            .into_iter()
            .filter(|component| {
                !self.rows.get(component).is_some_and(|row| row.was_met(*component))
            })
            .map(Component::name)
            .collect();
        if !missing.is_empty() {
            bail!("no test met {}", missing.join(", nor "));
        }
        Ok(())
    }
}

impl Row {
    fn was_met(&self, component: Component) -> bool {
        let counted = self.sums().values().any(|count| *count > 0);
        !self.tests.is_empty() && (counted || !component.counts_itself())
    }

    fn sums(&self) -> Counts {
        let mut sums = Counts::new();
        for (what, count) in self.instances.values().flatten() {
            let sum = sums.entry(what.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        sums
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The real components that tests met, and what these counted themselves:")?;
        for component in Component::ALL {
            let Some(row) = self.rows.get(&component) else {
                writeln!(f, "  {:<36} NONE", component.name())?;
                continue;
            };
            let tests = row.tests.len();
            let mut counts: Vec<String> = row
                .sums()
                .iter()
                .map(|(what, count)| format!("{} {what}", with_commas(*count)))
                .collect();
            if row.instances.len() > 1 {
                counts.insert(0, format!("{} times", row.instances.len()));
            }
            writeln!(
                f,
                "  {:<36} {tests:>3} {}  {} ({})",
                component.name(),
                if tests == 1 { "test " } else { "tests" },
                counts.join(", "),
                component.source()
            )?;
            for trouble in &row.troubles {
                writeln!(f, "      not counted: {trouble}")?;
            }
            for kept in &row.kept {
                writeln!(f, "      kept: {kept}")?;
            }
        }
        Ok(())
    }
}

fn with_commas(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(
        component: Component,
        instance: &str,
        test: Option<&str>,
        counts: &[(&str, u64)],
    ) -> Line {
        Line {
            component,
            instance: instance.to_owned(),
            test: test.map(str::to_owned),
            counts: counts.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect(),
            trouble: None,
            kept: None,
        }
    }

    #[test]
    fn what_instances_counted_last_is_summed_and_what_is_missing_is_named() {
        let mut tally = Tally::default();
        for component in Component::ALL {
            tally.add("one", line(component, "a", Some("t"), &[("things", 1_200)]));
        }
        tally.add("one", line(Component::Kafka, "a", Some("t"), &[("things", 2_000)]));
        tally.add("two", line(Component::Kafka, "b", Some("t"), &[("things", 1_999_000)]));
        for client in [Component::ClickHouseConnect, Component::ConfluentKafka] {
            tally.rows.remove(&client);
            tally.add("one", line(client, "", Some("t"), &[]));
        }
        tally.check().unwrap();
        let shown = tally.to_string();
        assert!(shown.contains("2 tests  2 times, 2,001,000 things"), "{shown}");

        tally.rows.remove(&Component::Smtp);
        tally.rows.remove(&Component::ClickHouse);
        tally.add("one", line(Component::ClickHouse, "a", Some("t"), &[("things", 0)]));
        let missing = tally.check().unwrap_err().to_string();
        assert_eq!(
            missing,
            "no test met SMTP server aiosmtpd 1.4.6, nor ClickHouse engine libchdb 26.7.3"
        );
        assert!(tally.to_string().contains("NONE"));
    }
}
