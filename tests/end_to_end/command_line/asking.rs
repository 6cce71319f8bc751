//! `drawdown do`.

use std::fs;
use std::time::Duration;

use drawdown_components::free_port;
use serde_json::Value;

use super::canned::Canned;
use super::{drawdown, opened, said, told, well};
use crate::end_to_end::console::rig::Rig;

#[test]
fn r11_5_a_command_is_done_once_and_says_so() {
    let rig = Rig::new();
    opened(&rig);
    assert_eq!(rig.row("balance", "ba-acme")["cash"], "100");
    let top_up = "do top_up --billing_account ba-acme --amount 50 --currency USD --method bank_transfer --idempotency-key k1";
    let first = well(&rig, top_up);
    assert!(first.starts_with("top_up is done: command "), "{first}");
    assert!(well(&rig, top_up).starts_with("top_up was done before, as command "), "R11.5");
    assert_eq!(rig.row("balance", "ba-acme")["cash"], "150", "R11.5");
    let json: Value = serde_json::from_str(&well(&rig, &format!("{top_up} --json"))).unwrap();
    assert_eq!((&json["status"], &json["key"]), (&"accepted".into(), &"k1".into()));

    well(
        &rig,
        "do configure --billing_account ba-acme --low_balance_alert.enabled --low_balance_alert.threshold 20 --auto_write_off true",
    );
    let document = rig.folder.path().join("prices.toml");
    fs::write(&document, "[[price]]\nproduct = \"a\"\nmeter = \"b\"\ncurrency = \"USD\"\nmodel = \"per_unit\"\nunit_price = \"1\"\n").unwrap();
    well(&rig, &format!("do load_prices --document @{}", document.display()));
}

#[test]
fn what_is_refused_is_said_with_its_code_and_what_to_do() {
    let rig = Rig::new();
    opened(&rig);
    let refused = told(
        &rig,
        "do top_up --billing_account ba-acme --amount 50 --currency EUR --method bank_transfer",
        1,
    );
    assert!(refused.starts_with("drawdown: currency_mismatch: "), "{refused}");
    assert!(refused.contains("Open another one for that currency"), "{refused}");
    let json = "do adjust --billing_account ba-nobody --amount -5 --reason x --json";
    let words: Vec<&str> = json.split(' ').collect();
    let (out, err) = said(&drawdown(rig.client.port, &words).output().unwrap(), 1);
    let problem: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&"not_found".into(), &404.into()));
    assert!(err.contains("not_found"), "{err}");
    let unknown = told(&rig, "do top_up --billing_account ba-acme --amonut 5", 2);
    assert!(unknown.contains("--amonut") && unknown.contains("--amount"), "{unknown}");
    let wrong = told(&rig, "do set_quota --billing_account ba-acme --quota much", 2);
    assert!(wrong.contains("--quota") && wrong.contains("drawdown do set_quota --help"), "{wrong}");
    let listed = well(&rig, "do --help");
    assert!(listed.contains("top_up") && listed.contains("Pays cash into"), "{listed}");
    let helped = well(&rig, "do top_up --help");
    assert!(helped.contains("--amount <AMOUNT>") && helped.contains("Example:"), "{helped}");
    let mut keyless = drawdown(rig.client.port, &["show", "balance", "ba-acme"]);
    let (_, err) = said(&keyless.env("DRAWDOWN_KEY", "wrong").output().unwrap(), 1);
    assert!(err.contains("not_authenticated") && err.contains("--key or DRAWDOWN_KEY"), "{err}");
}

/// A key is printed once, with the command that made it.
#[test]
fn a_key_is_shown_when_it_is_made() {
    let rig = Rig::new();
    opened(&rig);
    let create = "do create_key --principal ci --role billing_viewer --scope ba-acme";
    let said = well(&rig, create);
    let key = said.lines().find_map(|line| line.split_once("look up later: "));
    let key = key.unwrap_or_else(|| panic!("{said}")).1.trim();
    let words = ["show", "balance", "ba-acme", "--key", key];
    let (row, _) = super::said(&drawdown(rig.client.port, &words).output().unwrap(), 0);
    assert!(row.contains("100"), "{row}");
    well(&rig, "do revoke_key --principal ci --role billing_viewer --scope ba-acme");
    let (_, refused) = super::said(&drawdown(rig.client.port, &words).output().unwrap(), 1);
    assert!(refused.contains("not_authenticated"), "{refused}");
}

#[test]
fn an_outcome_that_is_still_to_come_is_waited_for() {
    let rig = Rig::with(|options| options.command_answered_within = Duration::ZERO);
    opened(&rig);
    // The key was shown before its outcome was known.
    let made = well(&rig, "do create_key --principal ci --role auditor --scope ba-acme");
    assert!(made.contains("look up later: ba-acme~"), "{made}");
    assert_eq!(rig.row("balance", "ba-acme")["cash"], "100");
    let refused = told(&rig, "do open_enterprise --enterprise acme --name Acme --country SG", 1);
    assert!(
        refused.contains("already_exists") && refused.contains("The name is taken"),
        "{refused}"
    );
}

/// R11.5: who does not know whether it was done is given the key under which to ask again.
#[test]
fn r11_5_a_server_that_does_not_answer_is_named_with_what_to_do() {
    let port = free_port().unwrap();
    let close = ["do", "close_account", "--account", "acme"];
    let (_, err) = said(&drawdown(port, &close).output().unwrap(), 1);
    assert!(err.contains("cannot be reached") && err.contains("drawdown up"), "{err}");
    assert!(!err.contains("--idempotency-key"), "nothing was sent: {err}");

    let canned = Canned::new(&[("", "")]);
    let (_, err) = said(&drawdown(canned.port, &close).output().unwrap(), 1);
    let sent = canned.asked().remove(0);
    let key = sent.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap();
    assert!(err.contains("not known whether close_account was done"), "{err}");
    assert!(err.contains(&format!("--idempotency-key {key}")), "{err}");

    let busy = r#"{"code":"busy","detail":"too many commands wait"}"#;
    let canned = Canned::new(&[("429 Too Many Requests\r\nretry-after: 3", busy)]);
    let (_, err) = said(&drawdown(canned.port, &close).output().unwrap(), 1);
    assert!(err.contains("busy") && err.contains("in 3 seconds") && err.contains("cli-"), "{err}");
    canned.asked();

    let canned = Canned::new(&[("200 OK", "<html>")]);
    let (_, err) = said(&drawdown(canned.port, &close).output().unwrap(), 1);
    assert!(err.contains("--server"), "{err}");
    canned.asked();
    let mut wrong = drawdown(port, &["show", "balance", "x", "--server", "ftp://x"]);
    let (_, err) = said(&wrong.output().unwrap(), 1);
    assert!(err.contains("--server is ftp://x; it looks like http://127.0.0.1:8080"), "{err}");
}
