//! The last step of `make test`.

#![allow(clippy::unwrap_used)] // tests, all of it

use std::fs;
use std::process::Command;

#[test]
fn a_component_that_no_test_met_fails_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let line = r#"{"component":"Kafka","instance":"a","test":"t","counts":{"messages":12345},"trouble":null,"kept":null}"#;
    fs::write(folder.path().join("process.jsonl"), line).unwrap();
    let report = || {
        let report = Command::new(env!("CARGO_BIN_EXE_drawdown-components"))
            .arg("tally")
            .arg(folder.path())
            .output()
            .unwrap();
        let (said, why) = (String::from_utf8(report.stdout), String::from_utf8(report.stderr));
        (report.status.success(), said.unwrap(), why.unwrap())
    };
    let (success, said, why) = report();
    assert!(!success && said.contains("1 test   12,345 messages"), "{said}");
    assert!(why.contains("no test met SMTP server") && !why.contains("Kafka"), "{why}");
    for component in ["Smtp", "ClickHouse", "ClickHouseConnect", "ConfluentKafka", "Browser", "Pdf"]
    {
        let file = folder.path().join(format!("{component}.jsonl"));
        fs::write(file, line.replace("Kafka", component)).unwrap();
    }
    let (success, said, why) = report();
    assert!(success && !said.contains("NONE"), "{said}{why}");
}
