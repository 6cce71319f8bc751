//! The compose file and the image.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde_json::Value;

use super::{entries, text, texts, yaml};

fn compose() -> Value {
    yaml(&text("docker-compose.yml"))
}

fn is_ours(service: &Value) -> bool {
    service["image"].as_str().unwrap().starts_with("drawdown:")
}

fn drawdown(arguments: &[&str], environment: &[(String, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
    command.args(arguments).env_clear().envs(environment.iter().cloned()).output().unwrap()
}

/// What compose would set, with a secret that one would have made.
fn environment(service: &Value) -> Vec<(String, String)> {
    let value = |value: &Value| match value.as_str().unwrap() {
        asked if asked.starts_with("${DRAWDOWN_INSTALLATION_SECRET:?") => "5a".repeat(32),
        plain => {
            assert!(!plain.contains("${"), "{plain} would be asked of the operator, too");
            plain.to_owned()
        }
    };
    entries(&service["environment"]).map(|(name, set)| (name.to_owned(), value(set))).collect()
}

fn port_of(address: &str) -> &str {
    address.trim_end_matches('/').rsplit(':').next().unwrap()
}

#[test]
fn images_are_pinned_and_every_service_says_whether_it_is_well() {
    let compose = compose();
    let declared = |kind: &str| entries(&compose[kind]).map(|(name, _)| name.to_owned());
    let (volumes, configs) = (
        declared("volumes").collect::<BTreeSet<_>>(),
        declared("configs").collect::<BTreeSet<_>>(),
    );
    let dockerfile = text("Dockerfile");
    let healthy_image = dockerfile.contains("HEALTHCHECK");
    for (name, service) in entries(&compose["services"]) {
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag.starts_with(|c: char| c.is_ascii_digit() || c == 'v')));
        assert_ne!(tag, Some("latest"), "{name}");
        let asks = service["healthcheck"]["test"].is_array() || (is_ours(service) && healthy_image);
        assert!(asks, "{name} has no health check");
        for (on, how) in entries(&service["depends_on"]) {
            let other = &compose["services"][on];
            assert!(other.is_object(), "{name} depends on {on}, which is not there");
            let ends = other["restart"] == "no";
            let condition = if ends { "service_completed_successfully" } else { "service_healthy" };
            assert_eq!(how["condition"], condition, "{name} on {on}");
        }
        for mount in texts(&service["volumes"]) {
            let source = mount.split(':').next().unwrap();
            let is_there = match source.strip_prefix("./") {
                Some(path) => super::root().join(path).is_dir(),
                None => volumes.contains(source),
            };
            assert!(is_there, "{name} mounts {source}, which is not there");
        }
        for used in service["configs"].as_array().into_iter().flatten() {
            let source = used["source"].as_str().unwrap();
            assert!(configs.contains(source), "{name} uses the config {source}");
        }
    }
    for (name, config) in entries(&compose["configs"]) {
        let content = config["content"].as_str().unwrap_or_else(|| panic!("{name} has no content"));
        assert!(yaml(content).is_object(), "{name}");
    }
}

#[test]
fn every_setting_is_one_that_drawdown_knows() {
    let compose = compose();
    let nobody = drawdown(&["worker", "nobody"], &[]);
    let said = String::from_utf8(nobody.stderr).unwrap();
    let (_, known) = said.trim().split_once("there are ").unwrap();
    let mut missing: BTreeSet<&str> = known.split(", ").collect();
    for (name, service) in entries(&compose["services"]).filter(|(_, service)| is_ours(service)) {
        let shown = drawdown(&["config"], &environment(service));
        assert!(shown.status.success(), "{name}: {}", String::from_utf8_lossy(&shown.stderr));
        let words: Vec<&str> = service["command"].as_str().unwrap().split(' ').collect();
        match words[..] {
            ["worker", ref names @ ..] => {
                for consumer in names {
                    assert!(
                        missing.remove(consumer),
                        "{name}: {consumer} is unknown, or there twice"
                    );
                }
            }
            _ => {
                let help = [&words[..], &["--help"]].concat();
                assert!(drawdown(&help, &[]).status.success(), "{name}: {words:?}");
            }
        }
    }
    assert!(missing.is_empty(), "nobody runs {missing:?}");
}

#[test]
fn ports_and_names_agree() {
    let (compose, dockerfile) = (compose(), text("Dockerfile"));
    let services = &compose["services"];
    let exposed = dockerfile.lines().find_map(|line| line.strip_prefix("EXPOSE ")).unwrap().trim();
    assert!(dockerfile.contains(&format!("http://127.0.0.1:{exposed}/healthz")));
    let version = format!("drawdown:{}", env!("CARGO_PKG_VERSION"));
    let mut workers = BTreeSet::new();
    for (name, service) in entries(services).filter(|(_, service)| is_ours(service)) {
        assert_eq!(service["image"], version, "{name}");
        let set = &service["environment"];
        assert_eq!(port_of(set["DRAWDOWN_WORKER_HTTP"].as_str().unwrap()), exposed, "{name}");
        let bootstrap = set["DRAWDOWN_KAFKA_BOOTSTRAP"].as_str().unwrap();
        let advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].as_str();
        assert!(advertised.unwrap().split(',').any(|one| one.ends_with(&format!("//{bootstrap}"))));
        for (setting, value) in entries(set) {
            let value = value.as_str().unwrap();
            let host = value.trim_start_matches("http://").split(':').next().unwrap();
            match setting {
                "DRAWDOWN_CONSOLE_WORKERS" => {
                    for worker in value.split(',') {
                        let (host, port) = worker.trim().split_once(':').unwrap();
                        assert_eq!(port, exposed, "{name}");
                        let runs = services[host]["command"].as_str().unwrap();
                        assert!(runs.contains("balance"), "{host} keeps no ledgers");
                    }
                }
                "DRAWDOWN_CLICKHOUSE_URL" | "DRAWDOWN_MAIL_HOST" => {
                    assert!(services[host].is_object(), "{name}: there is no {host}");
                }
                _ => {}
            }
        }
        if service["command"].as_str().unwrap().starts_with("worker ") {
            workers.insert(format!("{name}:{exposed}"));
        }
    }
    let published = texts(&services["console"]["ports"]).next().unwrap();
    assert_eq!(port_of(published), exposed);
    for service in ["clickhouse", "kafka", "console", "grafana", "prometheus", "mail"] {
        for port in texts(&services[service]["ports"]) {
            assert!(
                port.starts_with("127.0.0.1:"),
                "{service} can be reached from outside: {port}"
            );
        }
    }
    let prometheus = yaml(compose["configs"]["prometheus"]["content"].as_str().unwrap());
    let scraped = &prometheus["scrape_configs"][0]["static_configs"][0]["targets"];
    let scraped: BTreeSet<String> = texts(scraped).map(str::to_owned).collect();
    assert_eq!(scraped, workers, "Prometheus asks all workers");
    let sources = yaml(compose["configs"]["grafana_sources"]["content"].as_str().unwrap());
    let uids: Vec<&str> = sources["datasources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["uid"].as_str().unwrap())
        .collect();
    let dashboard: Value = serde_json::from_str(&text("schemas/grafana/drawdown.json")).unwrap();
    for target in super::metrics::targets(&dashboard) {
        let uid = target["datasource"]["uid"].as_str().unwrap();
        assert!(uids.contains(&uid), "the dashboard asks {uid}, which nobody provides");
    }
}

#[test]
fn the_image_builds_what_this_is() {
    let dockerfile = text("Dockerfile");
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(
        dockerfile.contains(&format!("FROM rust:{rust}-")),
        "built by another Rust than {rust}"
    );
    for line in dockerfile.lines().filter(|line| line.starts_with("FROM ")) {
        assert!(line.contains(':') && !line.contains(":latest"), "{line}");
    }
    let set_up = |word: &str| assert!(dockerfile.contains(word), "{word}");
    ["--locked", "USER drawdown", "ENTRYPOINT [\"drawdown\"]"].into_iter().for_each(set_up);
}
