//! The table that is printed: what was measured, the goal beside it.

use std::fmt::{self, Write as _};
use std::path::Path;

use drawdown_runtime::clock::Clock;
use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    goal: String,
    what: String,
    found: String,
    reach: String,
    /// The middle one, of the rows that are figures.
    figure: Option<f64>,
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
        let found = spread(&figures, |rate| format!("{:.0} k/s", rate / 1e3));
        Row { figure: Some(median(figures)), ..Row::new(goal, what, found, reach) }
    }

    /// CPU-seconds for a million records.
    pub(crate) fn cpu(
        goal: &str,
        what: &str,
        reach: &str,
        figures: impl IntoIterator<Item = f64>,
    ) -> Row {
        let figures: Vec<f64> = figures.into_iter().collect();
        let found = spread(&figures, |cpu| format!("{cpu:.2} CPU-s/M"));
        Row { figure: Some(median(figures)), ..Row::new(goal, what, found, reach) }
    }

    pub(crate) fn new(goal: &str, what: &str, found: String, reach: &str) -> Row {
        let (what, reach) = (what.to_owned(), reach.to_owned());
        Row { goal: goal.to_uppercase(), what, found, reach, figure: None }
    }
}

/// All rows, and what else is to be said.
#[derive(Debug, Serialize, Deserialize)]
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

    /// Gives the table to the process that asked for it.
    pub(crate) fn hand_over(&self) -> anyhow::Result<()> {
        Ok(serde_json::to_writer(std::io::stdout(), self)?)
    }

    /// Takes what another process has measured.
    pub(crate) fn append(&mut self, measured: &[u8]) -> anyhow::Result<()> {
        let Table { notes, rows, .. } = serde_json::from_slice(measured)?;
        self.notes.extend(notes);
        self.rows.extend(rows);
        Ok(())
    }
}

/// What is drawn of the rows of some goals: as what page's picture, saying what, and a figure as so many of a unit.
struct Drawing {
    goals: &'static [&'static str],
    name: &'static str,
    says: &'static str,
    of: f64,
    unit: &'static str,
}

const DRAWINGS: [Drawing; 2] = [
    Drawing {
        goals: &["G1", "G1-ZIPF", "G1P", "G3", "G4", "HOT"],
        name: "",
        says: "Records a second until they are booked, ours and our peers'",
        of: 1e3,
        unit: "k/s",
    },
    Drawing {
        goals: &["FLAT"],
        name: "-accounts",
        says: "Seconds of a processor for a million records, by how many accounts there are",
        of: 1.0,
        unit: "s",
    },
];

const BAR: u32 = 22;
const LABELS: f64 = 360.0;
const BARS: f64 = 420.0;

impl Table {
    /// Writes the table as a page, with pictures.
    pub(crate) fn write_to(&self, folder: &Path, name: &str) -> anyhow::Result<()> {
        let mut page = format!("# {}\n\n{} on {}.\n", self.title, today(), machine());
        for drawing in &DRAWINGS {
            if let Some(picture) = self.picture(drawing) {
                let file = format!("{name}{}.svg", drawing.name);
                std::fs::write(folder.join(&file), picture)?;
                writeln!(page, "\n![{}]({file})", drawing.says)?;
            }
        }
        writeln!(page, "\n| | what | found | goal |\n|---|---|---|---|")?;
        for Row { goal, what, found, reach, .. } in &self.rows {
            writeln!(page, "| {goal} | {} | {found} | {reach} |", what.trim())?;
        }
        writeln!(page)?;
        self.notes.iter().try_for_each(|note| writeln!(page, "{note}."))?;
        Ok(std::fs::write(folder.join(format!("{name}.md")), page)?)
    }

    fn picture(&self, drawing: &Drawing) -> Option<String> {
        let drawn = self.rows.iter().filter(|row| drawing.goals.contains(&row.goal.as_str()));
        let drawn: Vec<(&str, f64)> =
            drawn.filter_map(|row| Some((row.what.as_str(), row.figure?))).collect();
        let most = drawn.iter().map(|(_, figure)| *figure).fold(0.0, f64::max);
        if drawn.len() < 2 || most <= 0.0 {
            return None;
        }
        let height = BAR * (drawn.len() as u32 + 1);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
            LABELS + BARS + 100.0
        );
        for (place, (what, figure)) in (0_u32..).zip(&drawn) {
            let (top, width) = (BAR * place + BAR / 2, (figure / most * BARS).max(1.0));
            let is_ours = !PEERS.iter().any(|peer| what.starts_with(peer));
            let colour = if is_ours { "#1b7f5c" } else { "#9aa5b1" };
            let shown = figure / drawing.of;
            let shown = if shown < 10.0 { format!("{shown:.2}") } else { format!("{shown:.0}") };
            svg.push_str(&format!(
                "<text x=\"{:.0}\" y=\"{}\" text-anchor=\"end\">{what}</text>\n\
                 <rect x=\"{LABELS:.0}\" y=\"{top}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>\n\
                 <text x=\"{:.1}\" y=\"{}\">{shown} {}</text>\n",
                LABELS - 8.0,
                top + 13,
                BAR - 6,
                LABELS + width + 6.0,
                top + 13,
                drawing.unit
            ));
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }
}

const PEERS: [&str; 2] = ["Kafka Streams", "PostgreSQL"];

fn today() -> String {
    Clock::Real.now().to_string().chars().take(10).collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{} on {}\n", self.title, machine())?;
        let width = self.rows.iter().map(|row| row.what.len()).max().unwrap_or(0);
        let found = self.rows.iter().map(|row| row.found.len()).max().unwrap_or(0);
        writeln!(f, "{:8} {:width$}  {:found$}  goal", "", "what", "found")?;
        for Row { goal, what, found: figure, reach, .. } in &self.rows {
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
    format!(
        "{} cores of {}, {} GiB",
        cores,
        model.map_or("an unknown processor", |(_, name)| name),
        memory_bytes() >> 30
    )
}

/// What this machine has.
pub(crate) fn memory_bytes() -> u64 {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}
