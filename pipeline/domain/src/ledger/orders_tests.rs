//! Orders: what is refused, and what pays for one.

use super::super::asking::Asking;

/// R5.8, R1.5: an order is for a positive amount of whole minor units, of an account of the enterprise that is open.
#[test]
fn r5_8_every_refusal_of_an_order_in_its_order() {
    Asking::with_members().table(
        r#"
        operator | open_account | account = "gone", enterprise = "e", email = "x@y.example", mode = "postpaid" | ok
        operator | close_account | account = "gone" | ok
        operator | open_account | account = "eco", enterprise = "e", email = "x@y.example", mode = "postpaid", kind = "ecosystem", partner = "p" | ok
        operator | place_order | billing_account = "none", order = "o", amount = "0" | not_found
        operator | place_order | billing_account = "ba-eco", order = "o", method = "visa", amount = "0" | not_for_ecosystem
        operator | place_order | billing_account = "ba-a", order = "o", account = "none", amount = "0" | different_enterprise
        operator | place_order | billing_account = "ba-a", order = "o", account = "x", amount = "0" | different_enterprise
        operator | place_order | billing_account = "ba-a", order = "o", account = "gone", amount = "0" | account_closed
        operator | place_order | billing_account = "ba-a", order = "o", amount = "0" | invalid_amount
        operator | place_order | billing_account = "ba-a", order = "o", amount = "-1" | invalid_amount
        operator | place_order | billing_account = "ba-a", order = "o", amount = "0.001" | invalid_amount
        operator | place_order | billing_account = "ba-a", order = "o", amount = "0.01" | insufficient_funds
        operator | adjust | billing_account = "ba-a", amount = "0.01", reason = "r" | ok
        operator | place_order | billing_account = "ba-a", order = "o", amount = "0.02" | insufficient_funds
        operator | place_order | billing_account = "ba-a", order = "o", amount = "0.01" | ok
        operator | place_order | billing_account = "ba-a", order = "o", amount = "0.001" | already_exists
        "#,
    );
}

/// R5.8, R4.3: all that is left of a quota can be ordered for, and no more.
#[test]
fn r5_8_a_partners_order_takes_no_more_than_its_quota() {
    Asking::with_members().table(
        r#"
        operator | open_account | account = "eco", enterprise = "e", email = "x@y.example", mode = "postpaid", kind = "ecosystem", partner = "p" | ok
        operator | set_quota | billing_account = "ba-eco", quota = "10" | ok
        operator | place_order | billing_account = "ba-eco", order = "o", amount = "10.01" | insufficient_funds
        operator | place_order | billing_account = "ba-eco", order = "o", amount = "6" | ok
        see | balance ba-eco | quota_consumed = "6", available = "4"
        operator | place_order | billing_account = "ba-eco", order = "p", amount = "4.01" | insufficient_funds
        operator | place_order | billing_account = "ba-eco", order = "p", amount = "4" | ok
        see | balance ba-eco | quota_consumed = "10", available = "0"
        "#,
    );
}

/// R5.2, R5.8: a coupon pays an order that is bought while it is valid.
#[test]
fn r5_8_a_coupon_pays_what_is_ordered_while_it_is_valid() {
    Asking::with_members().table(
        r#"
        operator | adjust | billing_account = "ba-a", amount = "100", reason = "r" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "50", valid_from = "2026-03-01T00:20:00Z", valid_until = "2026-03-01T00:40:00Z" | ok
        at | 2026-03-01T00:19:59Z
        operator | place_order | billing_account = "ba-a", order = "before", amount = "10" | ok
        see | balance ba-a | cash = "90"
        at | 2026-03-01T00:20:00Z
        operator | place_order | billing_account = "ba-a", order = "first", amount = "10" | ok
        at | 2026-03-01T00:39:59Z
        operator | place_order | billing_account = "ba-a", order = "last", amount = "10" | ok
        see | balance ba-a | cash = "90"
        at | 2026-03-01T00:40:00Z
        operator | place_order | billing_account = "ba-a", order = "after", amount = "10" | ok
        see | balance ba-a | cash = "80"
        "#,
    );
}
