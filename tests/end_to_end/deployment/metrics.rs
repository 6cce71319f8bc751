//! Metrics: those of a real process, of the code, of the dashboard, of the rules, and of the page that explains
//! them, are the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drawdown_analytics::{MIGRATIONS, Store, StoreOptions, migrate};
use drawdown_components::{ClickHouse, ask, free_port};
use serde_json::Value;
use tempfile::TempDir;

use super::{root, text, yaml};
use crate::end_to_end::console::client::Client;

const WITHIN: Duration = Duration::from_secs(60);

/// Whatever begins like one of ours in a text; the parts of a summary count as the summary.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (place, _) in text.match_indices("drawdown_") {
        let rest = &text[place..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
        let name = &rest[..end];
        let summary = ["_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        found.insert(summary.unwrap_or(name).to_owned());
    }
    found
}

/// Those that the code tells: names in quotes, behind a word that makes a metric.
fn told_by_the_code() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root().join("src"), root().join("pipeline"), root().join("consumers")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = fs::read_to_string(&path).unwrap();
                for part in code.split(['(', '\n']) {
                    let part = part.trim();
                    if let Some(name) = part.strip_prefix("\"drawdown_")
                        && let Some((name, _)) = name.split_once('"')
                    {
                        found.insert(format!("drawdown_{name}"));
                    }
                }
            }
        }
    }
    found
}

/// Those that the page explains: a row of a table each.
fn explained() -> BTreeSet<String> {
    let page = text("docs/operations.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `drawdown_"));
    rows.map(|row| format!("drawdown_{}", row.split('`').next().unwrap())).collect()
}

/// What a panel asks, of all panels.
pub fn targets(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
}

/// A process with every consumer, on the embedded log.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(folder: &Path, clickhouse: &ClickHouse) -> (Running, Client) {
    let port = free_port().unwrap();
    let said = fs::File::create(folder.join("said")).unwrap();
    let nobody = Command::new(env!("CARGO_BIN_EXE_drawdown")).args(["worker", "nobody"]).output();
    let known = String::from_utf8(nobody.unwrap().stderr).unwrap();
    let names: Vec<&str> = known.trim().split_once("there are ").unwrap().1.split(", ").collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
    command.arg("worker").args(names);
    for set in [
        "log.engine=embedded".to_owned(),
        format!("worker.http=127.0.0.1:{port}"),
        format!("installation.secret={}", "5a".repeat(32)),
        "console.demo_key=demo".to_owned(),
        format!("clickhouse.url={}", clickhouse.url()),
    ] {
        command.args(["--set", &set]);
    }
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
    (Running(command.spawn().unwrap()), Client { port })
}

/// What a process tells once all its consumers have committed something, and rows are in ClickHouse.
fn scraped() -> BTreeSet<String> {
    let folder = TempDir::with_prefix("drawdown-metrics-").unwrap();
    let clickhouse = ClickHouse::start(Path::new(env!("CARGO_BIN_EXE_drawdown"))).unwrap();
    let (_running, client) = start(folder.path(), &clickhouse);
    let headers = [
        ("authorization", "Bearer demo"),
        ("content-type", "application/json"),
        ("idempotency-key", "once"),
    ];
    let fields = br#"{ "enterprise": "acme", "name": "Acme", "country": "SG" }"#;
    let deadline = Instant::now() + WITHIN;
    loop {
        let done = client.try_send("POST", "/v1/do/open_enterprise", &headers, fields);
        let told = if done == Some(200) { client.get("/metrics").body } else { String::new() };
        let steps = |consumer: &str| format!("drawdown_steps_total{{consumer=\"{consumer}\"}} ");
        let committed = ["metering", "registry", "balance"].iter().all(|consumer| {
            let steps = steps(consumer);
            told.lines().any(|line| line.strip_prefix(&steps).is_some_and(|count| count != "0"))
        });
        let has_rows = told.contains("drawdown_analytics_rows_total");
        if committed && has_rows && told.contains("drawdown_identities_remembered") {
            return named(&told);
        }
        let said = || fs::read_to_string(folder.path().join("said")).unwrap();
        assert!(Instant::now() < deadline, "{told}\n{}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// On the engine, with the tables and views that ANALYTICS makes.
#[test]
fn the_dashboards_queries_run() {
    let engine = ClickHouse::start(Path::new(env!("CARGO_BIN_EXE_drawdown"))).unwrap();
    let store = Store::new(StoreOptions {
        url: engine.url(),
        database: "drawdown".to_owned(),
        user: "default".to_owned(),
        password: String::new(),
        deadline: WITHIN,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(migrate(&store, MIGRATIONS)).unwrap();
    let dashboard: Value = serde_json::from_str(&text("schemas/grafana/drawdown.json")).unwrap();
    let queries: Vec<&str> =
        targets(&dashboard).filter_map(|target| target["rawSql"].as_str()).collect();
    assert!(queries.len() >= 6, "{queries:?}");
    for query in queries {
        let (status, said) =
            ask(engine.port(), "POST", "/", &[], query.as_bytes(), WITHIN).unwrap();
        assert_eq!(status, 200, "{query}: {}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn the_page_explains_every_metric_and_no_other() {
    assert_eq!(explained(), told_by_the_code());
}

#[test]
fn dashboard_and_rules_ask_for_what_a_worker_tells() {
    let scraped = scraped();
    let explained = explained();
    let made_up: Vec<_> = scraped.difference(&explained).collect();
    assert!(made_up.is_empty(), "told and not explained: {made_up:?}");
    let dashboard: Value = serde_json::from_str(&text("schemas/grafana/drawdown.json")).unwrap();
    let mut asked = BTreeSet::new();
    for target in targets(&dashboard) {
        if let Some(expression) = target["expr"].as_str() {
            let names = named(expression);
            assert!(!names.is_empty(), "{expression} asks for nothing of ours");
            asked.extend(names);
        }
    }
    let rules = yaml(&text("schemas/prometheus/drawdown.yml"));
    let page = text("docs/operations.md");
    let groups = rules["groups"].as_array().unwrap().iter();
    let rules: Vec<&Value> = groups.flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() >= 8, "{} rules", rules.len());
    for rule in rules {
        let alarm = rule["alert"].as_str().unwrap();
        assert!(page.contains(&format!("| `{alarm}` |")), "{alarm} is not explained");
        assert!(rule["annotations"]["summary"].is_string(), "{alarm} says nothing");
        assert!(rule["for"].is_string(), "{alarm}");
        asked.extend(named(rule["expr"].as_str().unwrap()));
    }
    let missing: Vec<_> = asked.difference(&scraped).collect();
    assert!(missing.is_empty(), "asked for and never told: {missing:?}");
}
