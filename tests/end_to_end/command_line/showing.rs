//! `drawdown show`.

use std::io::{BufRead, BufReader};
use std::time::Instant;

use serde_json::{Value, json};

use super::canned::Canned;
use super::{drawdown, opened, said, told, well};
use crate::end_to_end::console::rig::{Rig, WITHIN};

#[test]
fn a_row_is_a_block_and_a_list_is_a_table() {
    let rig = Rig::new();
    opened(&rig);
    let block = well(&rig, "show balance ba-acme");
    let available = block.lines().find(|line| line.starts_with("available ")).unwrap();
    assert!(available.ends_with("  100.00"), "{block}");
    let json: Value = serde_json::from_str(&well(&rig, "show balance ba-acme --json")).unwrap();
    assert_eq!(json["available"], "100");
    for (amount, reason) in [("7.25", "a"), ("-1200", "b"), ("30", "c")] {
        let cash = if amount.starts_with('-') { "1300" } else { "0.01" };
        well(&rig, &format!("do adjust --billing_account ba-acme --amount {cash} --reason room"));
        well(
            &rig,
            &format!("do adjust --billing_account ba-acme --amount {amount} --reason {reason}"),
        );
    }
    let table =
        well(&rig, "show entries ba-acme --columns number,amount,cause --where cause=adjustment");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "number    amount  cause", "{table}");
    assert_eq!(lines[1], "     7     30     adjustment", "{table}");
    assert_eq!(lines[3], "     5  -1200     adjustment", "{table}");
    assert_eq!(lines[5], "     3      7.25  adjustment", "{table}");
    assert_eq!(lines.last(), Some(&"6 rows"), "{table}");
    let some = well(&rig, "show entries --limit 2");
    assert!(some.ends_with("2 rows; there are more: --all, or --limit ROWS\n"), "{some}");
    let all: Value = serde_json::from_str(&well(&rig, "show entries --all --json")).unwrap();
    assert_eq!((all["rows"].as_array().unwrap().len(), &all["next"]), (7, &Value::Null));
    assert!(well(&rig, "show bills ba-acme").ends_with("0 rows\n"));
    let csv = well(&rig, "show entries ba-acme --csv");
    assert!(csv.lines().count() >= 7, "{csv}");
    let number =
        rig.client.get("/v1/show/commands?limit=1").json()["rows"][0]["command"].to_string();
    assert!(well(&rig, &format!("show commands {number}")).contains("adjust"));
    let none = told(&rig, "show balance ba-nobody", 1);
    assert!(none.contains("not_found: ") && none.contains("ba-nobody"), "{none}");
    let wrong = told(&rig, "show entries --where couse=adjustment", 2);
    assert!(wrong.contains("no field couse (is cause meant?); it has"), "{wrong}");
}

#[test]
fn all_pages_are_asked_for_behind_each_other() {
    let canned = Canned::new(&[
        ("200 OK", r#"{"rows":[{"bill":"b1","amount":"1"}],"next":"c 1"}"#),
        ("200 OK", r#"{"rows":[{"bill":"b2","amount":"2.5"}],"next":null}"#),
    ]);
    let show = ["show", "bills", "ba-acme", "--all", "--where", "product=com&pute"];
    let (out, _) = said(&drawdown(canned.port, &show).output().unwrap(), 0);
    assert_eq!(out, "bill  amount\nb1       1\nb2       2.5\n2 rows\n");
    let asked = canned.asked();
    let line = |request: &str| request.lines().next().unwrap().to_owned();
    assert_eq!(
        line(&asked[0]),
        "GET /v1/show/bills/ba-acme?product=com%26pute&limit=1000 HTTP/1.1"
    );
    assert_eq!(
        line(&asked[1]),
        "GET /v1/show/bills/ba-acme?product=com%26pute&limit=1000&cursor=c%201 HTTP/1.1"
    );
    assert!(asked[1].contains("authorization: Bearer demo"), "{}", asked[1]);
}

/// A list shows the last command of its caller, though another process asks for it.
#[test]
fn a_list_waits_for_what_was_asked_for_before() {
    let decided = r#"{"command":7,"at":"2026-03-01T00:00:00Z","detail":null,"repeats":null}"#;
    let none = ("200 OK", r#"{"rows":[],"next":null}"#);
    let late = ("503 Service Unavailable", r#"{"code":"unavailable","detail":"not yet"}"#);
    let canned =
        Canned::new(&[("200 OK\r\ndrawdown-position: p7", decided), none, late, none, none]);
    let close = ["do", "close_account", "--account", "acme"];
    said(&drawdown(canned.port, &close).output().unwrap(), 0);
    let show = ["show", "bills"];
    said(&drawdown(canned.port, &show).output().unwrap(), 0);
    let (_, err) = said(&drawdown(canned.port, &show).output().unwrap(), 0);
    assert!(err.contains("may not show your last command"), "{err}");
    said(&drawdown(canned.port, &show).output().unwrap(), 0);
    let asked = canned.asked();
    let carry: Vec<bool> =
        asked.iter().map(|asked| asked.contains("drawdown-position: p7")).collect();
    assert_eq!(carry, [false, true, true, false, false]);
}

#[test]
fn what_changes_is_watched_until_the_server_stops() {
    let rig = Rig::new();
    opened(&rig);
    let port = rig.client.port;
    let mut watching = drawdown(port, &["show", "balance", "ba-acme", "--watch"]).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("available ")), "first the row as it is");
    well(&rig, "do adjust --billing_account ba-acme --amount 23 --reason x");
    assert!(lines.any(|line| line.contains("available 123.00 (was 100.00)")));
    drop(rig);
    let ended = watching.wait_with_output().unwrap();
    let (_, err) = said(&ended, 1);
    assert!(err.contains("shows no more"), "{err}");
    let nobody = Rig::new();
    let none = told(&nobody, "show balance ba-nobody --watch", 1);
    assert!(none.contains("not_found"), "{none}");
}

#[test]
fn what_is_in_force_is_shown_as_tables() {
    let rig = Rig::new();
    rig.priced();
    opened(&rig);
    let prices = well(&rig, "show prices");
    assert!(prices.contains("vcpu_hours") && prices.contains("0.5 each"), "{prices}");
    assert!(prices.ends_with("1 row\n"), "{prices}");
    let settings = well(&rig, "show settings --where setting=topup.minimum --columns value");
    assert!(settings.contains("USD 20"), "{settings}");
}

/// R2.3: beside what runs, whose log nobody else may open.
#[test]
fn r2_3_rejects_are_dealt_with_through_the_api() {
    let rig = Rig::new();
    rig.priced();
    opened(&rig);
    let now = rig.clock.now();
    let record = |id: &str, account: &str, quantity: &str| {
        json!({ "source": "s", "id": id, "account": account, "product": "compute",
            "meter": "vcpu_hours", "quantity": quantity, "time": now })
        .to_string()
    };
    let usage = [record("a", "acme", "-5"), record("b", "bolt", "8")].join("\n");
    let answer = rig.client.post("/v1/usage", &[("content-type", "application/x-ndjson")], &usage);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let deadline = Instant::now() + WITHIN;
    while !well(&rig, "rejects list").ends_with("2 rejects\n") {
        assert!(Instant::now() < deadline);
    }
    let negative = well(&rig, "rejects list --reason negative_quantity --json");
    let negative: Value = serde_json::from_str(&negative).unwrap();
    assert_eq!((&negative["record"]["quantity"], &negative["id"]), (&json!("-5"), &json!("a")));
    let name = negative["reject"].as_str().unwrap();
    let mended = well(&rig, &format!("rejects mend {name} --field quantity=5"));
    assert_eq!(mended, format!("{name} is mended and sent\n"));
    rig.await_row("balance", "ba-acme", |row| row["available"] == "97.5");
    rig.opened("bolt", "50.00");
    let sent = well(&rig, "rejects replay --account bolt");
    assert!(sent.starts_with("1 record sent again"), "{sent}");
    rig.await_row("balance", "ba-bolt", |row| row["available"] == "46");
    let unknown = told(&rig, "rejects replay 0-99999-0", 1);
    assert!(unknown.contains("not_found: there is no reject 0-99999-0"), "{unknown}");
    let stranger = told(&rig, "rejects list --key nobodys", 1);
    assert!(stranger.contains("nobody holds the key that was sent"), "{stranger}");
}

/// A port that is taken is said by the name of its flag, and nothing is left behind.
#[test]
fn a_port_that_is_taken_leaves_no_folder() {
    let rig = Rig::new();
    let folder = rig.folder.path().join("tour");
    let (port, data) = (rig.client.port.to_string(), folder.display().to_string());
    let up = drawdown(rig.client.port, &["up", "--port", &port, "--data", &data]).output().unwrap();
    let (_, err) = said(&up, 1);
    assert!(err.contains("--port") && err.contains(&port), "{err}");
    assert!(!folder.exists());
}
