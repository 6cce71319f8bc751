//! What is charged by itself.

use super::super::asking::Asking;

/// R6.1, R6.5: a retry is for all then owed, and the open cycle is part of that.
#[test]
fn r6_5_a_retry_charges_the_open_cycle_too() {
    Asking::with_members().table(
        r#"
        operator | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        at | 2026-03-01T00:10:00Z
        use | a | 1000
        answer | ba-a | declined
        at | 2026-03-02T00:05:00Z
        use | a | 7
        see | balance ba-a | unsettled_current = "1007"
        at | 2026-03-02T00:10:00Z
        answer | ba-a | succeeded
        see | balance ba-a | unsettled_current = "0"
        "#,
    );
}
