//! R12.6: what may be asked for, when it holds, and what is held without a rate.

use super::super::Fact;
use super::super::asking::Asking;
use crate::invoices::Invoice;

fn invoices(asking: &Asking) -> Vec<&Invoice> {
    let issued = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::InvoiceIssued(issued) => Some(&*issued.invoice),
        _ => None,
    });
    issued.collect()
}

#[test]
fn r12_6_every_refusal_of_a_settlement_currency_in_order() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | open_account | account = "eco", enterprise = "e", email = "x@y.example", mode = "postpaid", kind = "ecosystem", partner = "p" | ok
        operator | open_account | account = "yen", enterprise = "e", email = "x@y.example", mode = "postpaid", currency = "JPY" | ok
        b        | configure | billing_account = "ba-a", settlement_currency = "EUR" | not_permitted
        operator | configure | billing_account = "ba-none", settlement_currency = "AED" | not_found
        operator | configure | billing_account = "ba-eco", settlement_currency = "AED" | not_for_ecosystem
        operator | configure | billing_account = "ba-eco", invoice_schedule = "monthly" | not_for_ecosystem
        operator | configure | billing_account = "ba-a", settlement_currency = "AED" | malformed
        operator | configure | billing_account = "ba-a", settlement_currency = "JPY", invoice_schedule = "monthly" | malformed
        # All of it holds, or nothing.
        see | billing_account ba-a | settlement_currency = "USD", invoice_schedule = "semi_monthly"
        a        | configure | billing_account = "ba-a", settlement_currency = "HKD" | ok
        a        | configure | billing_account = "ba-a", settlement_currency = "SGD" | ok
        see | billing_account ba-a | settlement_currency = "USD", settlement_currency_next = "SGD"
        a        | configure | billing_account = "ba-a", settlement_currency = "USD" | ok
        # Its own currency is no other one, whichever it is.
        operator | configure | billing_account = "ba-yen", settlement_currency = "EUR" | ok
        see | billing_account ba-yen | settlement_currency = "JPY", settlement_currency_next = "EUR"
        at | 2026-04-01T00:00:00Z
        see | billing_account ba-yen | settlement_currency = "EUR"
        operator | configure | billing_account = "ba-yen", settlement_currency = "JPY" | ok
        see | billing_account ba-yen | settlement_currency = "EUR", settlement_currency_next = "JPY"
        at | 2026-05-01T00:00:00Z
        see | billing_account ba-yen | settlement_currency = "JPY"
        see | billing_account ba-a | settlement_currency = "USD"
        "#,
    );
}

/// R12.6: the month of an invoice is that of its period in the billing account's zone, whenever it is issued.
#[test]
fn r12_6_a_change_holds_for_the_invoices_of_the_months_from_the_next_one_on() {
    let mut asking = Asking::with_members();
    asking.settings(
        r#"fx = { "2026-03" = { "USD/EUR" = "0.3" }, "2026-04" = { "USD/EUR" = "0.4" } }"#,
    );
    asking.table(
        r#"
        at | 2026-03-20T00:00:00Z
        use | a | 10
        a | configure | billing_account = "ba-a", settlement_currency = "EUR" | ok
        # Issued in April, and March's.
        at | 2026-04-01T00:00:00Z
        number | invoices
        use | a | 10
        at | 2026-04-20T00:00:00Z
        number | invoices
        use | a | 10
        # A change on the last day of April is none of April's.
        at | 2026-04-30T23:00:00Z
        a | configure | billing_account = "ba-a", settlement_currency = "USD" | ok
        at | 2026-05-01T00:00:00Z
        number | invoices
        use | a | 10
        at | 2026-05-16T00:00:00Z
        number | invoices
        "#,
    );
    let settled = |invoice: &Invoice| invoice.settled_net.map(|net| net.to_string());
    let found: Vec<_> = invoices(&asking).into_iter().map(settled).collect();
    let is = |net: &str| Some(net.to_owned());
    assert_eq!(found, [None, is("4"), is("4"), None]);
}

/// R12.6: what lacks its rate waits for settings that state it, and is released once.
#[test]
fn r12_6_an_invoice_without_a_rate_is_held_until_settings_state_it() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        a | configure | billing_account = "ba-a", settlement_currency = "EUR" | ok
        at | 2026-04-10T00:00:00Z
        use | a | 10
        use | b | 20
        at | 2026-04-16T00:00:00Z
        number | invoices
        at | 2026-04-20T00:00:00Z
        use | a | 30
        at | 2026-05-10T00:00:00Z
        number | invoices
        at | 2026-06-20T00:00:00Z
        "#,
    );
    // Held, while others are issued.
    assert_eq!(invoices(&asking).len(), 1);
    let held = |asking: &Asking| {
        let drafts = asking.ledger.wallets().iter().flat_map(|wallet| wallet.drafts());
        drafts.filter(|draft| draft.held_for().is_some()).count()
    };
    assert_eq!(held(&asking), 2);

    for (document, still_held) in [
        (r#"fx = { "2026-04" = { "EUR/USD" = "1.1" } }"#, 2),
        (r#"fx = { "2026-05" = { "USD/EUR" = "0.9" } }"#, 2),
        (r#"fx = { "2026-04" = { "USD/EUR" = "0.9" } }"#, 0),
        (r#"fx = { "2026-04" = { "USD/EUR" = "0.8" } }"#, 0),
    ] {
        asking.settings(document);
        asking.table("at | 2026-06-20T00:00:00Z\nnumber | invoices");
        assert_eq!(held(&asking), still_held, "{document}");
    }
    let settled: Vec<_> =
        invoices(&asking).into_iter().filter_map(|invoice| invoice.settled_net).collect();
    assert_eq!(settled, ["9".parse().unwrap(), "27".parse().unwrap()]);
    let released = |fact: &&Fact| matches!(fact, Fact::DraftSettled(_));
    assert_eq!(asking.facts.0.iter().filter(released).count(), 2);
}

/// R12.6: the last word of a month stands for the next one, and alone.
#[test]
fn r12_6_a_later_change_replaces_one_that_has_not_begun() {
    let mut asking = Asking::with_members();
    let known = |asking: &Asking| {
        let wallet = asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
        let wallet = asking.ledger.wallet(wallet).unwrap();
        let changes = wallet.invoicing.as_ref().unwrap().settlements.iter();
        changes.map(|it| format!("{} {}", it.from, it.currency)).collect::<Vec<_>>()
    };
    asking.table(
        r#"
        a | configure | billing_account = "ba-a", settlement_currency = "HKD" | ok
        a | configure | billing_account = "ba-a", settlement_currency = "SGD" | ok
        "#,
    );
    assert_eq!(known(&asking), ["2026-04 SGD"]);
    asking.table(
        r#"
        at | 2026-04-10T00:00:00Z
        a | configure | billing_account = "ba-a", settlement_currency = "EUR" | ok
        "#,
    );
    assert_eq!(known(&asking), ["2026-04 SGD", "2026-05 EUR"]);
}
