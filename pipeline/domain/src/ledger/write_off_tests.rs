//! Which bills are written off, and from which lots.

use super::super::asking::{Asking, Facts};

const MARCH: &str = r#"valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z""#;

/// R5.3: a cash coupon pays what lies in its scope, once its minimum is reached, and no other bill.
#[test]
fn r5_3_a_cash_coupon_pays_in_its_scope_from_its_minimum_on() {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "q", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
        ]"#,
    );
    asking.members();
    asking.table(&format!(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "100", cash = true, products = ["q"], minimum = "10", {MARCH} | ok
        at | 2026-03-01T00:10:00Z
        use | a | 20
        use | a | 9 | q/m
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | unsettled_current = "29"
        use | a | 1 | q/m
        at | 2026-03-01T02:00:00Z
        see | balance ba-a | unsettled_current = "20"
        "#
    ));
}

/// R3.6, R5.3: to the bills of an instant a cash coupon that expires then still pays, one that begins then does not
/// yet.
#[test]
fn r3_6_a_cash_coupon_that_expires_with_a_cycle_pays_its_bill() {
    // From and until, and what is left of 5 in cash once 5 were billed at one o'clock.
    let cases = [
        ("00:10:00", "00:59:00", "0"),
        ("00:10:00", "01:00:00", "5"),
        ("00:10:00", "01:01:00", "5"),
        ("00:58:00", "01:30:00", "5"),
        ("00:59:00", "01:30:00", "5"),
        ("01:00:00", "01:30:00", "0"),
        ("01:10:00", "01:30:00", "0"),
    ];
    for (from, until, cash) in cases {
        Asking::with_members().table(&format!(
            r#"
            at | 2026-03-01T00:10:00Z
            operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "100", cash = true, valid_from = "2026-03-01T{from}Z", valid_until = "2026-03-01T{until}Z" | ok
            operator | adjust | billing_account = "ba-a", amount = "5", reason = "r" | ok
            use | a | 5
            at | 2026-03-01T01:00:00Z
            see | balance ba-a | unsettled_current = "0", cash = "{cash}"
            "#
        ));
    }
}

/// R5.1, R5.3: a bill that waits for metering is paid by what is there when it is issued at last: also by a cash coupon
/// that has begun since its cycle ended.
#[test]
fn r5_3_a_bill_that_had_to_wait_is_paid_by_what_has_begun_meanwhile() {
    for (from, cash) in [("01:19:00", "5"), ("01:20:00", "0")] {
        let mut asking = Asking::with_members();
        asking.table(&format!(
            r#"
            at | 2026-03-01T00:10:00Z
            operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "100", cash = true, valid_from = "2026-03-01T{from}Z", valid_until = "2026-03-01T02:00:00Z" | ok
            operator | adjust | billing_account = "ba-a", amount = "5", reason = "r" | ok
            use | a | 5
            "#
        ));
        let (ledger, facts) = (&mut asking.ledger, &mut Facts::default());
        ledger.pass("2026-03-01T01:20:00Z".parse().unwrap(), facts).unwrap();
        assert!(!ledger.fire(usize::MAX, facts).unwrap().more);
        ledger.mark(0, "2026-03-01T01:00:00Z".parse().unwrap(), facts).unwrap();
        while ledger.fire(usize::MAX, facts).unwrap().more {}
        asking.table(&format!("see | balance ba-a | unsettled_current = \"0\", cash = \"{cash}\""));
    }
}

/// R5.4: with a limit bills are written off as ever, until the switch says otherwise; then only what exceeds the limit
/// is, oldest bill first. What is ordered is paid at once either way (R5.8).
#[test]
fn r5_4_only_with_the_switch_off_do_bills_rest_on_the_limit() {
    Asking::with_members().table(
        r#"
        operator | set_credit_limit | billing_account = "ba-a", limit = "50" | ok
        boss | confirm_contract | billing_account = "ba-a" | ok
        operator | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        at | 2026-03-01T00:10:00Z
        use | a | 30
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | cash = "70", unsettled_current = "0"
        a | configure | billing_account = "ba-a", auto_write_off = false | ok
        use | a | 10
        at | 2026-03-01T02:00:00Z
        see | balance ba-a | cash = "70", unsettled_current = "10"
        operator | place_order | billing_account = "ba-a", order = "o", amount = "20" | ok
        see | balance ba-a | cash = "50", unsettled_current = "10"
        use | a | 40
        at | 2026-03-01T03:00:00Z
        see | balance ba-a | cash = "50", unsettled_current = "50"
        use | a | 5
        at | 2026-03-01T04:00:00Z
        see | balance ba-a | cash = "45", unsettled_current = "50"
        a | configure | billing_account = "ba-a", auto_write_off = true | ok
        see | balance ba-a | cash = "0", unsettled_current = "5"
        "#,
    );
}
