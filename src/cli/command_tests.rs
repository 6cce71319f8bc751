use clap::Parser;
use serde_json::json;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: DoOptions,
}

fn parsed(words: &[&str]) -> Result<Asked, clap::Error> {
    Line::try_parse_from(["do"].iter().chain(words)).map(|line| line.options.asked)
}

#[test]
fn every_example_in_the_help_is_a_command() {
    let folder = tempfile::TempDir::new().unwrap();
    let document = folder.path().join("document.toml");
    std::fs::write(&document, "x = 1").unwrap();
    for (name, record) in Command::described() {
        let line = example(name, &record);
        let line = line.strip_prefix("drawdown do ").unwrap();
        let line = line.replace("'Acme Ltd'", "Acme");
        let document = format!("@{}", document.display());
        let line = line.replace("@prices.toml", &document).replace("@settings.toml", &document);
        let words: Vec<&str> = line.split(' ').collect();
        let asked = parsed(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(asked.name, name);
        assert!(Command::read(name, Value::Object(asked.fields)).unwrap().is_ok());
    }
}

#[test]
fn every_field_has_a_flag_that_says_what_it_is() {
    use clap::CommandFactory;
    Line::command().debug_assert();
    for (name, record) in Command::described() {
        let mut command = Line::command();
        let help = command.find_subcommand_mut(name).unwrap().render_long_help().to_string();
        for field in &record.fields {
            assert!(help.contains(&format!("--{} ", field.name)), "{name} {}: {help}", field.name);
        }
        assert!(help.contains("Example:"), "{name}");
    }
}

fn check(words: &str, expected: Value) {
    let words: Vec<&str> = words.split(' ').collect();
    let asked = parsed(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    assert_eq!(Value::Object(asked.fields), expected, "{words:?}");
}

#[test]
fn values_with_parts_are_given_whole_or_in_parts() {
    let alert = json!({ "billing_account": "b",
        "low_balance_alert": { "enabled": true, "threshold": "20" } });
    check(
        "configure --billing_account b --low_balance_alert.enabled --low_balance_alert.threshold 20",
        alert.clone(),
    );
    check(
        r#"configure --billing_account b --low_balance_alert {"enabled":true,"threshold":"20"}"#,
        alert,
    );
    check(
        "configure --billing-account b --recipients invoice=a@b.example,c@b.example --recipients overdue=",
        json!({ "billing_account": "b",
            "recipients": { "invoice": ["a@b.example", "c@b.example"], "overdue": [] } }),
    );
    let coupon = "grant_coupon --billing_account b --coupon c --amount 5 --valid_from 2026-12-01T00:00:00Z --valid_until 2027-12-01T00:00:00Z --products";
    let both = json!({ "billing_account": "b", "coupon": "c", "amount": "5", "products": ["x", "y"],
        "valid_from": "2026-12-01T00:00:00Z", "valid_until": "2027-12-01T00:00:00Z" });
    check(&format!("{coupon} x,y"), both.clone());
    check(&format!("{coupon} x --products y"), both);
    check(
        "adjust --billing_account b --amount -5 --reason typo",
        json!({ "billing_account": "b", "amount": "-5", "reason": "typo" }),
    );
}

fn refused(words: &str, says: &[&str]) {
    let words: Vec<&str> = words.split(' ').collect();
    let error = parsed(&words).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let said = error.to_string();
    for text in says {
        assert!(said.contains(text), "{words:?} should say {text:?}, but said: {said}");
    }
}

#[test]
fn what_is_wrong_is_said_by_name_with_what_is_near() {
    refused("top_upp --amount 5", &["top_upp", "top_up"]);
    refused("top_up --amonut 5", &["--amonut", "--amount"]);
    refused("top_up --amount 5", &["--billing_account", "--currency", "--method"]);
    refused("top_up --billing_account b --amount 5 --currency UDS --method m", &["UDS", "USD"]);
    refused("set_quota --billing_account B --quota 5", &["--billing_account", "1 to 64"]);
    refused(
        "set_quota --billing_account b --quota much",
        &["--quota", "decimal", "Usage: drawdown do set_quota "],
    );
    refused("set_quota --billing_account b --quota 5 --quota 6", &["--quota", "2 times"]);
    refused("load_prices --document @/away.toml", &["--document", "/away.toml", "@@"]);
    refused("configure --billing_account b --low_balance_alert on", &["--low_balance_alert.PART"]);
    refused("configure --billing_account b --low_balance_alert {x", &["no JSON"]);
    refused("configure --billing_account b --recipients x", &["KEY=VALUE"]);
}
