//! What a balance counts on before anything is billed.

use super::super::asking::Asking;

const MARCH: &str = r#"valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z""#;

/// R4.2, R4.3: coupons are counted on once, over all bills that would be issued, cycle by cycle; a cash coupon is none.
#[test]
fn r4_2_what_a_coupon_would_pay_of_one_bill_it_does_not_pay_of_the_next() {
    let mut asking = Asking::with_members();
    asking.settings(r#"bills.grace = "30m""#);
    asking.table(&format!(
        r#"
        operator | change_payer | account = "b", billing_account = "ba-a" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "cash", amount = "50", cash = true, {MARCH} | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "5", {MARCH} | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "l", amount = "4", {MARCH} | ok
        at | 2026-03-01T00:10:00Z
        # Of what will be rounded up it pays the exact charge.
        use | a | 0.555
        see | balance ba-a | unsettled_current = "0", available = "0"
        use | a | 5.445
        see | balance ba-a | unsettled_current = "0"
        use | b | 2
        see | balance ba-a | unsettled_current = "0"
        # Its bill is not out yet when the next cycle has charges.
        at | 2026-03-01T01:10:00Z
        use | a | 2
        see | balance ba-a | unsettled_current = "1", available = "-1"
        use | b | 3
        see | balance ba-a | unsettled_current = "4", available = "-4"
        "#
    ));
}
