//! What becomes of bills that nobody pays.

use super::super::asking::Asking;

/// R9.1, R9.3: 90 days after its month an unpaid bill is bad debt, until the operator lifts it.
#[test]
fn r9_1_neither_credit_nor_transfers_after_bad_debt() {
    Asking::with_members().table(
        r#"
        use | a | 5
        at | 2026-06-29T23:59:59Z
        operator | set_credit_limit | billing_account = "ba-a", limit = "100" | ok
        operator | confirm_contract | billing_account = "ba-a" | ok
        operator | lift_bad_debt | billing_account = "ba-a" | not_found
        at | 2026-06-30T00:00:00Z
        operator | set_credit_limit | billing_account = "ba-a", limit = "50" | credit_not_available
        operator | set_credit_limit | billing_account = "ba-a", limit = "-1" | invalid_amount
        # Paid, it was bad debt all the same.
        operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        a | transfer | from = "ba-a", to = "ba-b", amount = "5" | credit_not_available
        # The receiver's does not count.
        operator | top_up | billing_account = "ba-b", amount = "50", currency = "USD", method = "bank_transfer" | ok
        b | transfer | from = "ba-b", to = "ba-a", amount = "5" | ok
        boss | lift_bad_debt | billing_account = "ba-a" | not_permitted
        operator | lift_bad_debt | billing_account = "ba-a" | ok
        operator | lift_bad_debt | billing_account = "ba-a" | not_found
        a | transfer | from = "ba-a", to = "ba-b", amount = "5" | ok
        operator | set_credit_limit | billing_account = "ba-a", limit = "50" | ok
        "#,
    );
}

/// R9.1: lifted, it stays so until the bills of a later month are bad debt.
#[test]
fn r9_1_only_another_month_makes_bad_debt_again() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        use | a | 5
        at | 2026-04-10T00:00:00Z
        use | a | 5
        at | 2026-06-30T00:00:00Z
        operator | lift_bad_debt | billing_account = "ba-a" | ok
        at | 2026-07-29T23:59:59Z
        operator | lift_bad_debt | billing_account = "ba-a" | not_found
        at | 2026-07-30T00:00:00Z
        operator | lift_bad_debt | billing_account = "ba-a" | ok
        "#,
    );
    // A setting, and paid in time.
    asking.settings("overdue.bad_debt_after = \"10d\"");
    asking.table(
        r#"
        use | b | 5
        at | 2026-08-01T00:00:00Z
        operator | top_up | billing_account = "ba-b", amount = "50", currency = "USD", method = "bank_transfer" | ok
        use | c | 5
        at | 2026-08-11T00:00:00Z
        operator | lift_bad_debt | billing_account = "ba-b" | not_found
        operator | lift_bad_debt | billing_account = "ba-c" | not_found
        at | 2026-09-11T00:00:00Z
        operator | lift_bad_debt | billing_account = "ba-c" | ok
        "#,
    );
}
