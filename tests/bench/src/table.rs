//! The table that is printed: what was measured, the goal beside it.

use std::fmt;

/// One figure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    goal: String,
    what: String,
    found: String,
    reach: String,
}

/// The middle one of some figures.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len().div_euclid(2)).copied().unwrap_or_default()
}

fn spread(figures: &[f64], show: impl Fn(f64) -> String) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(0.0, f64::max);
    match figures.len() {
        1 => show(least),
        _ => {
            format!("{} ({} to {})", show(median(figures.iter().copied())), show(least), show(most))
        }
    }
}

impl Row {
    /// Records a second.
    pub(crate) fn rate(
        goal: &str,
        what: &str,
        reach: &str,
        figures: impl IntoIterator<Item = f64>,
    ) -> Row {
        let figures: Vec<f64> = figures.into_iter().collect();
        Row::new(goal, what, spread(&figures, |rate| format!("{:.0} k/s", rate / 1e3)), reach)
    }

    /// CPU-seconds for a million records.
    pub(crate) fn cpu(
        goal: &str,
        what: &str,
        reach: &str,
        figures: impl IntoIterator<Item = f64>,
    ) -> Row {
        let figures: Vec<f64> = figures.into_iter().collect();
        Row::new(goal, what, spread(&figures, |cpu| format!("{cpu:.2} CPU-s/M")), reach)
    }

    pub(crate) fn new(goal: &str, what: &str, found: String, reach: &str) -> Row {
        Row { goal: goal.to_uppercase(), what: what.to_owned(), found, reach: reach.to_owned() }
    }
}

/// All rows, and what else is to be said.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    notes: Vec<String>,
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(title: &str) -> Table {
        Table { title: title.to_owned(), notes: Vec::new(), rows: Vec::new() }
    }

    pub(crate) fn note(&mut self, note: &str) {
        eprintln!("{note}");
        self.notes.push(note.to_owned());
    }

    pub(crate) fn push(&mut self, row: Row) {
        eprintln!("{} {}: {}", row.goal, row.what, row.found);
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{} on {}\n", self.title, machine())?;
        let width = self.rows.iter().map(|row| row.what.len()).max().unwrap_or(0);
        let found = self.rows.iter().map(|row| row.found.len()).max().unwrap_or(0);
        writeln!(f, "{:8} {:width$}  {:found$}  goal", "", "what", "found")?;
        for Row { goal, what, found: figure, reach } in &self.rows {
            writeln!(f, "{goal:8} {what:width$}  {figure:found$}  {reach}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

/// What this machine is, for whoever reads the figures.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
    format!(
        "{} cores of {}, {} GiB",
        cores,
        model.map_or("an unknown processor", |(_, name)| name),
        kilobytes.unwrap_or(0) >> 20
    )
}
