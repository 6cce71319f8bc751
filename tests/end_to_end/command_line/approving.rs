//! R12.1: `drawdown invoices approve`.

use super::canned::Canned;
use super::{drawdown, said};

const DECIDED: &str = r#"{"command":7,"at":"2026-04-01T00:00:00Z","detail":null,"repeats":null}"#;

#[test]
fn r12_1_every_run_of_a_day_that_waits_is_approved() {
    let canned = Canned::new(&[
        ("200 OK", r#"{"rows":[{"run":"2026-04-01.usd.acme","held":2,"total":"110"}],"next":"c"}"#),
        ("200 OK", r#"{"rows":[{"run":"2026-04-01.eur.b","held":1,"total":"99.5"}],"next":null}"#),
        ("200 OK", DECIDED),
        ("200 OK", DECIDED),
    ]);
    let approve = ["invoices", "approve", "--as-of", "2026-04-01"];
    let (out, _) = said(&drawdown(canned.port, &approve).output().unwrap(), 0);
    assert!(out.contains("2026-04-01.usd.acme: 2 invoices are held, all of it comes to 110"));
    assert_eq!(out.matches("approve_invoice_run is done").count(), 2, "{out}");
    let asked = canned.asked();
    let first = "GET /v1/show/invoice_runs?day=2026-04-01&held_for=approval&limit=1000";
    assert!(asked[0].starts_with(first) && asked[1].contains("cursor=c"), "{asked:?}");
    for (asked, run) in asked[2..].iter().zip(["2026-04-01.usd.acme", "2026-04-01.eur.b"]) {
        assert!(asked.starts_with("POST /v1/do/approve_invoice_run"), "{asked}");
        assert!(asked.contains(&format!(r#"{{"run":"{run}"}}"#)), "{asked}");
    }
}

#[test]
fn r12_1_one_run_is_approved_by_its_name_and_none_is_no_error() {
    let canned = Canned::new(&[("200 OK", DECIDED), ("200 OK", r#"{"rows":[],"next":null}"#)]);
    let approve = ["invoices", "approve", "--as-of", "2026-04-01"];
    let named = [&approve[..], &["--run", "2026-04-01.usd.acme"]].concat();
    said(&drawdown(canned.port, &named).output().unwrap(), 0);
    let (out, _) = said(&drawdown(canned.port, &approve).output().unwrap(), 0);
    assert!(out.contains("no invoice run of 2026-04-01 waits for approval"), "{out}");
    let wrong = [&approve[..], &["--run", "acme"]].concat();
    let (_, err) = said(&drawdown(1, &wrong).output().unwrap(), 2);
    assert!(err.contains("as 2026-04-01.usd.acme is"), "{err}");
}
