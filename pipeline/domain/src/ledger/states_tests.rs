//! Billing accounts that are named, frozen, let go and closed.

use super::super::asking::Asking;

/// R4.5: a name is what it is shown by; its id and number stay.
#[test]
fn r4_5_a_billing_account_has_a_name() {
    Asking::with_members().table(
        r#"
        see | billing_account ba-a | name = "ba-a", number = 4, owner = "a", kind = "direct", state = "valid", opened_at = "2026-03-01T00:00:00Z"
        a | rename_billing_account | billing_account = "ba-a", name = "" | malformed
        a | rename_billing_account | billing_account = "ba-a", name = "Ours" | ok
        see | billing_account ba-a | name = "Ours", number = 4
        operator | rename_billing_account | billing_account = "ba-none", name = "N" | not_found
        "#,
    );
}

/// R4.5: nothing goes out of a frozen one; bills are issued, money in is taken; then what waited runs.
#[test]
fn r4_5_nothing_goes_out_while_frozen() {
    Asking::with_members().table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        operator | top_up | billing_account = "ba-b", amount = "50", currency = "USD", method = "bank_transfer" | ok
        operator | transfer | from = "ba-b", to = "ba-a", amount = "10" | ok
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        operator | freeze_billing_account | billing_account = "ba-a" | frozen
        see | balance ba-a | state = "frozen", cash = "60"
        operator | transfer | from = "ba-a", to = "ba-b", amount = "1" | frozen
        operator | revoke_transfer | from = "ba-b", to = "ba-a", amount = "1" | frozen
        operator | place_order | billing_account = "ba-a", order = "o", amount = "1" | frozen
        # Judged before what would be wrong with it besides, and after whether he may ask.
        operator | transfer | from = "ba-a", to = "ba-x", amount = "0" | frozen
        b | transfer | from = "ba-a", to = "ba-b", amount = "1" | not_permitted
        operator | deregister_billing_account | billing_account = "ba-a" | frozen
        # Money in is taken, from wherever.
        operator | transfer | from = "ba-b", to = "ba-a", amount = "5" | ok
        operator | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "bank_transfer" | ok
        operator | adjust | billing_account = "ba-a", amount = "-2", reason = "a mistake" | ok
        use | a | 30
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | cash = "83", unsettled_current = "30", available = "53"
        operator | unfreeze_billing_account | billing_account = "ba-a" | ok
        see | balance ba-a | state = "valid", cash = "53", unsettled_current = "0", available = "53"
        operator | unfreeze_billing_account | billing_account = "ba-a" | not_found
        operator | transfer | from = "ba-a", to = "ba-b", amount = "1" | ok
        "#,
    );
}

/// R4.5: who froze it may let it go; what the operator froze only the operator does.
#[test]
fn r4_5_the_operators_freeze_is_the_operators() {
    Asking::with_members().table(
        r#"
        a        | freeze_billing_account | billing_account = "ba-a" | ok
        a        | unfreeze_billing_account | billing_account = "ba-a" | ok
        a        | freeze_billing_account | billing_account = "ba-a" | ok
        operator | unfreeze_billing_account | billing_account = "ba-a" | ok
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        a        | unfreeze_billing_account | billing_account = "ba-a" | not_permitted
        boss     | unfreeze_billing_account | billing_account = "ba-a" | not_permitted
        operator | unfreeze_billing_account | billing_account = "ba-a" | ok
        "#,
    );
}

/// R4.5, R6.2: a charge that came due while frozen is made at unfreezing, after write-off.
#[test]
fn r4_5_what_came_due_is_charged_at_unfreezing() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        a | link_payment_method | billing_account = "ba-a", method = "card", kind = "card", token = "t" | ok
        answer | ba-a | succeeded
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        use | a | 1500
        at | 2026-03-01T02:00:00Z
        operator | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        "#,
    );
    assert!(charged(&asking).is_empty());
    asking.table(r#"operator | unfreeze_billing_account | billing_account = "ba-a" | ok"#);
    // The threshold of 1,000 is reached, and cash pays first.
    assert_eq!(charged(&asking), ["threshold 1400"]);
    asking.table(
        r#"
        answer | ba-a | succeeded
        use | a | 5
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        at | 2026-04-01T00:00:00Z
        "#,
    );
    assert_eq!(charged(&asking).len(), 1);
    asking.table(r#"operator | unfreeze_billing_account | billing_account = "ba-a" | ok"#);
    assert_eq!(charged(&asking), ["threshold 1400", "month_end 5"]);
}

/// R4.5, R6.5: retries wait while it is frozen, and a method that was preferred meanwhile is charged first.
#[test]
fn r4_5_retries_wait_for_unfreezing() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        a | link_payment_method | billing_account = "ba-a", method = "card", kind = "card", token = "t" | ok
        answer | ba-a | succeeded
        a | link_payment_method | billing_account = "ba-a", method = "other", kind = "card", token = "t" | ok
        answer | ba-a | succeeded
        use | a | 1500
        answer | ba-a | declined
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        at | 2026-03-03T00:00:00Z
        "#,
    );
    assert_eq!(charged(&asking), ["threshold 1500"]);
    asking.table(r#"operator | unfreeze_billing_account | billing_account = "ba-a" | ok"#);
    assert_eq!(charged(&asking), ["threshold 1500", "retry 1500"]);
    asking.table(
        r#"
        answer | ba-a | declined
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        a | prefer_payment_method | billing_account = "ba-a", method = "other" | ok
        "#,
    );
    assert_eq!(charged(&asking).len(), 2);
    asking.table(r#"operator | unfreeze_billing_account | billing_account = "ba-a" | ok"#);
    assert_eq!(charged(&asking), ["threshold 1500", "retry 1500", "manual 1500"]);
}

/// R4.5: closed for good, when nothing is owed or left and it has paid for nobody for 35 days.
#[test]
fn r4_5_only_what_is_empty_is_closed() {
    Asking::with_members().table(
        r#"
        # It pays for its own account.
        a | deregister_billing_account | billing_account = "ba-a" | not_empty
        operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        use | a | 1
        at | 2026-03-01T12:00:00Z
        boss | change_payer | account = "a", billing_account = "ba-b" | ok
        at | 2026-04-05T11:59:59Z
        a | transfer | from = "ba-a", to = "ba-b", amount = "49" | ok
        a | deregister_billing_account | billing_account = "ba-a" | not_empty
        at | 2026-04-05T12:00:00Z
        # Nor while an invoice waits for its number.
        a | deregister_billing_account | billing_account = "ba-a" | not_empty
        number | invoices
        a | deregister_billing_account | billing_account = "ba-a" | ok
        see | billing_account ba-a | state = "deregistered", payer_of = []
        # Final, whoever asks for whatever.
        a | deregister_billing_account | billing_account = "ba-a" | deregistered
        operator | freeze_billing_account | billing_account = "ba-a" | deregistered
        operator | top_up | billing_account = "ba-a", amount = "0", currency = "EUR", method = "bank_transfer" | deregistered
        operator | transfer | from = "ba-b", to = "ba-a", amount = "1" | deregistered
        operator | change_payer | account = "a", billing_account = "ba-a" | deregistered
        operator | grant_role | principal = "p", role = "auditor", scope = "ba-a" | deregistered
        b | top_up | billing_account = "ba-a", amount = "1", currency = "USD", method = "bank_transfer" | not_permitted
        # An account that was closed is paid for no more.
        boss | close_account | account = "c" | ok
        at | 2026-05-10T11:59:59Z
        c | deregister_billing_account | billing_account = "ba-c" | not_empty
        at | 2026-05-10T12:00:00Z
        c | deregister_billing_account | billing_account = "ba-c" | ok
        "#,
    );
}

/// R4.5: each thing that may be left or owed keeps it open.
#[test]
fn r4_5_whatever_is_left_keeps_it_open() {
    let left: [(&str, &str); 5] = [
        (
            "cash",
            r#"operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok"#,
        ),
        (
            "a coupon",
            r#"operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2027-03-01T00:00:00Z" | ok"#,
        ),
        ("an unpaid bill", "use | a | 5"),
        (
            "a credit refund",
            r#"operator | refund_order | billing_account = "ba-a", order = "p", amount = "5", to = "credit" | ok"#,
        ),
        (
            "an account that it will pay for",
            r#"boss | change_payer | account = "c", billing_account = "ba-a", effective_at = "2026-06-01T00:00:00Z" | ok"#,
        ),
    ];
    for (what, line) in left.iter().copied().chain([("nothing", "")]) {
        let mut asking = Asking::with_members();
        asking.table(line);
        asking.table(
            r#"
            boss | change_payer | account = "a", billing_account = "ba-b" | ok
            at | 2026-05-01T00:00:00Z
            "#,
        );
        let found = asking.ask("a", "deregister_billing_account", r#"billing_account = "ba-a""#);
        let expected = if what == "nothing" { "ok" } else { "not_empty" };
        assert_eq!(found, expected, "{what} is left");
    }
}

/// R4.5: what has expired or is over keeps nothing open; what may still be paid, answered or invoiced does.
#[test]
fn r4_5_what_is_over_or_under_way_decides() {
    let card = r#"
        a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t" | ok
        answer | ba-a | succeeded"#;
    let pending = r#"a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t" | ok"#;
    let top_up = r#"a | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "visa" | ok"#;
    let coupon = |until: &str| {
        format!(
            r#"operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "{until}" | ok"#
        )
    };
    let used = format!("{}\n use | a | 5", coupon("2026-06-01T00:00:00Z"));
    let benefit = |until: &str| {
        format!(
            r#"
            operator | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "bank_transfer" | ok
            a | buy_benefit | billing_account = "ba-a", benefit = "k", kind = "storage_package", product = "p", quantity = "100", price = "20", valid_from = "2026-03-01T00:00:00Z", valid_until = "{until}" | ok"#
        )
    };
    // What has been before, what comes last, and whether it can be closed then.
    let cases = [
        (card.to_owned(), String::new(), true),
        (pending.to_owned(), String::new(), false),
        (format!("{card}\n{top_up}"), String::new(), false),
        (coupon("2026-05-01T00:00:00Z"), String::new(), true),
        (coupon("2026-05-01T00:01:00Z"), String::new(), false),
        (used, String::new(), true),
        (benefit("2026-05-01T00:00:00Z"), String::new(), true),
        (benefit("2026-05-01T00:01:00Z"), String::new(), false),
        // An order is still to be invoiced, though it is paid.
        (String::new(), benefit("2026-05-01T00:30:00Z"), false),
    ];
    for (before, last, closes) in cases {
        let mut asking = Asking::with_members();
        asking.table(&before);
        asking.table(
            r#"
            boss | change_payer | account = "a", billing_account = "ba-b" | ok
            at | 2026-05-01T00:00:00Z
            number | invoices
            "#,
        );
        asking.table(&last);
        if !last.is_empty() {
            asking.table("at | 2026-05-01T01:00:00Z");
        }
        let found = asking.ask("a", "deregister_billing_account", r#"billing_account = "ba-a""#);
        assert_eq!(found, if closes { "ok" } else { "not_empty" }, "{before} {last}");
    }
}

/// R2.4, R4.5: late usage that was paid is still to be invoiced.
#[test]
fn r4_5_usage_to_be_invoiced_keeps_it_open() {
    Asking::with_members().table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "bank_transfer" | ok
        at | 2026-03-01T12:00:00Z
        boss | change_payer | account = "a", billing_account = "ba-b" | ok
        at | 2026-04-05T11:00:00Z
        use | a | 20 | p/m@2026-03-01T11:50:00Z
        at | 2026-04-05T12:00:00Z
        see | balance ba-a | cash = "0", unsettled_current = "0"
        a | deregister_billing_account | billing_account = "ba-a" | not_empty
        at | 2026-04-16T00:00:00Z
        number | invoices
        a | deregister_billing_account | billing_account = "ba-a" | ok
        "#,
    );
}

/// R4.5, R6.5: at unfreezing nothing is charged at once but what another method has declined.
#[test]
fn r4_5_unfreezing_charges_no_method_that_was_not_preferred_since() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        a | link_payment_method | billing_account = "ba-a", method = "card", kind = "card", token = "t" | ok
        answer | ba-a | succeeded
        use | a | 5
        at | 2026-03-01T01:00:00Z
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        operator | unfreeze_billing_account | billing_account = "ba-a" | ok
        "#,
    );
    assert!(charged(&asking).is_empty());
    asking.table(
        r#"
        use | a | 1500
        answer | ba-a | declined
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        operator | unfreeze_billing_account | billing_account = "ba-a" | ok
        "#,
    );
    assert_eq!(charged(&asking), ["threshold 1505"]);
}

/// Payments of bills in the order in which they were begun.
fn charged(asking: &Asking) -> Vec<String> {
    let begun = asking.facts.0.iter().filter_map(|fact| match fact {
        super::super::Fact::PaymentBegun(begun) => {
            Some(format!("{} {}", begun.payment.cause, begun.payment.amount))
        }
        _ => None,
    });
    begun.collect()
}
