//! R12.1: which runs are held, what approving them issues, and that nothing is issued twice.

use super::super::asking::Asking;
use super::super::recording::pieces;
use super::super::{Fact, Ledger};
use super::*;

/// Three wallets with a bill each, one of them four hours behind, one in another currency, and another enterprise.
const USED: &str = r#"
    operator | open_account | account = "far", enterprise = "e", email = "x@y.example", mode = "postpaid", time_zone = "America/New_York" | ok
    operator | open_account | account = "euro", enterprise = "e", email = "x@y.example", mode = "postpaid", currency = "EUR" | ok
    operator | top_up | billing_account = "ba-euro", amount = "500", currency = "EUR", method = "bank_transfer" | ok
    at | 2026-03-10T00:00:00Z
    use | a | 60
    use | b | 41
    use | far | 30
    use | x | 90
"#;

fn used(settings: &str) -> Asking {
    let mut asking = Asking::with_members();
    asking.settings(settings);
    asking.table(USED);
    asking
}

fn key(asking: &Asking, run: &str) -> RunKey {
    let RunId { day, currency, enterprise } = run.parse().unwrap();
    RunKey { enterprise: asking.ledger.enterprise_named(&enterprise).unwrap(), day, currency }
}

fn run(asking: &Asking, run: &str) -> String {
    let Some(row) = asking.ledger.invoice_run(key(asking, run)) else { return "none".to_owned() };
    let held_for = row.held_for.map_or("", HeldFor::text);
    let status = format!("{} {held_for}", row.status);
    format!("{} {}/{}/{} {}", status.trim(), row.invoices, row.issued, row.held, row.total)
}

fn issued(asking: &Asking) -> usize {
    asking.facts.0.iter().filter(|fact| matches!(fact, Fact::InvoiceIssued(_))).count()
}

#[test]
fn r12_1_every_refusal_of_an_approval_in_order() {
    let mut asking = used("invoices.hold_above = \"100\"");
    asking.table(
        r#"
        # The platform's, so the operator's alone.
        a        | approve_invoice_run | run = "2026-03-16.usd.e" | not_permitted
        boss     | approve_invoice_run | run = "2026-03-16.usd.none" | not_permitted
        operator | approve_invoice_run | run = "2026-03-16.usd.none" | not_found
        # There is none yet.
        operator | approve_invoice_run | run = "2026-03-16.usd.e" | not_found
        at | 2026-03-16T00:00:00Z
        operator | approve_invoice_run | run = "2026-03-16.eur.e" | not_found
        operator | approve_invoice_run | run = "2026-04-01.usd.e" | not_found
        # It is below the amount, and not held.
        operator | approve_invoice_run | run = "2026-03-16.usd.f" | not_found
        operator | approve_invoice_run | run = "2026-03-16.usd.e" | ok
        # Nothing waits any more.
        operator | approve_invoice_run | run = "2026-03-16.usd.e" | not_found
        "#,
    );
}

#[test]
fn r12_1_a_run_above_an_amount_is_held_as_a_whole_until_it_is_approved() {
    let mut asking = used("invoices.hold_above = \"100\"");
    asking.table("at | 2026-03-16T00:00:00Z\nnumber | invoices");
    // 60 and 41 are more than 100 together; the other enterprise's 90, and another currency, are not.
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "held approval 2/0/2 101");
    assert_eq!(run(&asking, "2026-03-16.usd.f"), "issued 1/1/0 90");
    assert_eq!(run(&asking, "2026-03-16.eur.e"), "issued 1/1/0 0");
    assert_eq!(issued(&asking), 2);

    // Whose day ends later joins what waits.
    asking.table("at | 2026-03-16T04:00:00Z\nnumber | invoices");
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "held approval 3/0/3 131");

    // Settings that hold no more let nobody go who is held.
    asking.settings("");
    asking.table("at | 2026-03-20T00:00:00Z\nnumber | invoices");
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "held approval 3/0/3 131");

    asking.table("operator | approve_invoice_run | run = \"2026-03-16.usd.e\" | ok");
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "issuing 3/0/0 131");
    asking.table("number | invoices");
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "issued 3/3/0 131");
    assert_eq!(issued(&asking), 5);
}

#[test]
fn r12_1_what_joins_an_approved_run_is_judged_anew() {
    for (above, later) in [("100", "issued 3/3/0 131"), ("29", "held approval 3/2/1 131")] {
        let mut asking = used(&format!("invoices.hold_above = {{ USD = \"{above}\" }}"));
        asking.table(
            r#"
            at | 2026-03-16T00:00:00Z
            operator | approve_invoice_run | run = "2026-03-16.usd.e" | ok
            number | invoices
            at | 2026-03-16T04:00:00Z
            number | invoices
            "#,
        );
        assert_eq!(run(&asking, "2026-03-16.usd.e"), later, "{above}");
    }
}

/// What was issued before a run came to the amount stays, and counts.
#[test]
fn r12_1_a_later_day_can_bring_a_run_above_the_amount() {
    let mut asking = used("invoices.hold_above = \"101\"");
    asking.table("at | 2026-03-16T00:00:00Z\nnumber | invoices");
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "issued 2/2/0 101");
    asking.table("at | 2026-03-16T04:00:00Z\nnumber | invoices");
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "held approval 3/2/1 131");
}

/// R12.1, R12.6: an approval states no rate, and a rate approves nothing.
#[test]
fn r12_6_what_waits_for_a_rate_and_for_approval_waits_for_both() {
    let rate = r#"fx = { "2026-04" = { "USD/EUR" = "0.9" } }"#;
    for approved_first in [true, false] {
        let mut asking = used("invoices.hold_above = \"50\"");
        asking.table(
            r#"
            a | configure | billing_account = "ba-a", settlement_currency = "EUR" | ok
            at | 2026-04-10T00:00:00Z
            use | a | 60
            at | 2026-04-16T00:00:00Z
            "#,
        );
        let name = "2026-04-16.usd.e";
        assert_eq!(run(&asking, name), "held approval 1/0/1 60");
        let approve = "operator | approve_invoice_run | run = \"2026-04-16.usd.e\" | ok";
        if approved_first {
            asking.table(approve);
            assert_eq!(run(&asking, name), "held no_rate 1/0/1 60");
        }
        asking.settings(&format!("invoices.hold_above = \"50\"\n{rate}"));
        asking.table("at | 2026-04-16T00:00:01Z");
        if !approved_first {
            assert_eq!(run(&asking, name), "held approval 1/0/1 60");
            asking.table(approve);
        }
        assert_eq!(run(&asking, name), "issuing 1/0/0 60");
        asking.table("number | invoices");
        assert_eq!(run(&asking, name), "issued 1/1/0 60");
    }
}

/// A command that comes before the timers have fired finds the same run held, whichever wallet is looked at first.
#[test]
fn r12_1_a_run_is_judged_alike_if_a_command_comes_first() {
    for command in ["ba-a", "ba-b"] {
        let mut asking = used("invoices.hold_above = \"100\"");
        let at = "2026-03-16T00:00:00Z".parse().unwrap();
        asking.ledger.pass(at, &mut asking.facts).unwrap();
        asking.ledger.mark(0, at, &mut asking.facts).unwrap();
        let enterprise = key(&asking, "2026-03-16.usd.e").enterprise;
        asking.ledger.fire_for(enterprise, &mut asking.facts).unwrap();
        asking.table(&format!(
            "operator | top_up | billing_account = \"{command}\", amount = \"50\", currency = \"USD\", method = \"bank_transfer\" | ok"
        ));
        assert_eq!(run(&asking, "2026-03-16.usd.e"), "held approval 2/0/2 101");
    }
}

/// A ledger that is put together while a run is held goes on with it alike.
#[test]
fn r12_1_a_held_run_survives_a_restart() {
    let mut asking = used("invoices.hold_above = \"100\"");
    asking.table("at | 2026-03-16T00:00:00Z");
    let mut again = Ledger::new(1);
    again.begin_load();
    pieces(&asking.ledger).into_iter().for_each(|piece| again.load(piece).unwrap());
    again.loaded();
    asking.ledger = again;
    asking.table("at | 2026-03-16T04:00:00Z\nnumber | invoices");
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "held approval 3/0/3 131");
    asking.table(
        "operator | approve_invoice_run | run = \"2026-03-16.usd.e\" | ok\nnumber | invoices",
    );
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "issued 3/3/0 131");
}

/// A run of an earlier day is forgotten once it is issued, and never before.
#[test]
fn r12_1_only_what_is_issued_is_forgotten() {
    let mut asking = used("invoices.hold_above = \"100\"");
    asking.table(
        r#"
        at | 2026-03-16T04:00:00Z
        number | invoices
        use | a | 1
        use | x | 1
        at | 2026-04-01T04:00:00Z
        number | invoices
        "#,
    );
    assert_eq!(run(&asking, "2026-03-16.usd.e"), "held approval 3/0/3 131");
    assert_eq!(run(&asking, "2026-04-01.usd.e"), "issued 1/1/0 1");
    assert_eq!(run(&asking, "2026-03-16.usd.f"), "none");
}

/// A run of an enterprise that nobody knows is an error, unless the enterprise is still to be loaded.
#[test]
fn a_run_of_an_unknown_enterprise_is_passed_over_only_while_loading() {
    let (enterprise, day) = (EnterpriseNumber(0), "2026-03-16".parse().unwrap());
    let approved =
        Fact::from(RunApproved { run: RunKey { enterprise, day, currency: Currency::Usd } });
    let mut ledger = Ledger::new(1);
    assert_eq!(ledger.apply(&approved), Err(Broken("an unknown enterprise")));
    ledger.begin_load();
    assert_eq!(ledger.apply(&approved), Ok(()));
    ledger.loaded();
    assert_eq!(ledger.apply(&approved), Err(Broken("an unknown enterprise")));
}
