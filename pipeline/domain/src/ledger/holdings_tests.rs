//! What a billing account has, as whoever looks is shown it.

use super::super::asking::Asking;

#[test]
fn methods_coupons_and_orders_are_shown_with_what_became_of_them() {
    Asking::with_members().table(
        r#"
        see | payment_methods ba-a | billing_account = "ba-a", payment_methods = []
        a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", brand = "visa", expires = "2027-01" | ok
        answer | ba-a | succeeded
        a | link_payment_method | billing_account = "ba-a", method = "pp", kind = "paypal", token = "t" | ok
        see | payment_methods ba-a | payment_methods = [{ method = "visa", kind = "card", brand = "visa", expires = "2027-01", state = "active", preferred = true, linked_at = "2026-03-01T00:00:00Z" }, { method = "pp", kind = "paypal", state = "pending", preferred = false, linked_at = "2026-03-01T00:00:00Z" }]

        see | coupons ba-a | billing_account = "ba-a", coupons = []
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "10", minimum = "2", products = ["p"], valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "c", amount = "5", cash = true, valid_from = "2026-03-02T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | ok
        use | a | 4
        at | 2026-03-01T01:00:00Z
        see | coupons ba-a | coupons = [{ coupon = "k", cash = false, amount = "10", left = "6", products = ["p"], minimum = "2", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" }, { coupon = "c", cash = true, amount = "5", left = "5", products = [], minimum = "0", valid_from = "2026-03-02T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" }]

        see | orders ba-b | billing_account = "ba-b", orders = []
        operator | set_credit_limit | billing_account = "ba-b", limit = "50" | ok
        operator | confirm_contract | billing_account = "ba-b" | ok
        operator | top_up | billing_account = "ba-b", amount = "20", currency = "USD", method = "bank_transfer" | ok
        b | place_order | billing_account = "ba-b", order = "o", amount = "15" | ok
        b | place_order | billing_account = "ba-b", order = "r", amount = "12", renews = true | ok
        operator | refund_order | billing_account = "ba-b", order = "o", amount = "3", to = "cash" | ok
        see | orders ba-b | orders = [{ order = "o", bill = "ba-b.1", amount = "15", on_credit = "0", refunded = "3" }, { order = "r", bill = "ba-b.2", amount = "12", on_credit = "7", refunded = "0", renews_at = "2026-04-01T01:00:00Z" }]
        "#,
    );
}
