//! What a refusal says beside its code: names, amounts, times.

use super::super::asking::Asking;

#[test]
fn a_refusal_says_what_it_concerns_and_how_much() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "10", currency = "USD", method = "bank_transfer" | below_minimum | the smallest top-up is 20 USD; this is 10 USD
        operator | top_up | billing_account = "ba-a", amount = "20.001", currency = "USD", method = "bank_transfer" | invalid_amount | 20.001 has too many decimals: USD is paid in 0.01
        operator | top_up | billing_account = "ba-a", amount = "0", currency = "USD", method = "bank_transfer" | invalid_amount | 0 is not more than zero
        operator | top_up | billing_account = "ba-a", amount = "1000000000000000", currency = "USD", method = "bank_transfer" | invalid_amount | 1000000000000000 USD is too large
        operator | top_up | billing_account = "ba-a", amount = "50", currency = "EUR", method = "bank_transfer" | currency_mismatch | ba-a is in USD, the amount in EUR
        operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "visa" | method_not_allowed | ba-a has no payment method visa; none is linked; bank_transfer needs none
        operator | top_up | billing_account = "ba-a", amount = "5", currency = "USD", method = "bank_transfer", test = true | invalid_amount | a test goes with 1, not 5
        b        | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted | b may not top_up billing account ba-a; whoever administers it can grant a role
        operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        operator | transfer | from = "ba-a", to = "ba-a", amount = "5" | malformed | from and to are the same
        operator | transfer | from = "ba-a", to = "ba-b", amount = "60" | exceeds_transferable | 50 USD can leave ba-a
        operator | transfer | from = "ba-a", to = "ba-x", amount = "5" | different_enterprise | ba-a and ba-x belong to different enterprises
        operator | transfer | from = "ba-a", to = "ba-b", amount = "5" | ok
        operator | revoke_transfer | from = "ba-a", to = "ba-b", amount = "6" | exceeds_revocable | 5 USD can be taken back from ba-b
        operator | adjust | billing_account = "ba-a", amount = "5" | malformed | an adjustment needs a reason
        operator | adjust | billing_account = "ba-a", amount = "-80", reason = "r" | insufficient_funds | ba-a has 45 USD available, and 45 USD of own cash
        operator | pay | billing_account = "ba-a", amount = "3" | exceeds_outstanding | the unpaid bills of ba-a come to 0 USD in all
        operator | pay | billing_account = "ba-a", bills = ["ba-a.7"] | not_found | ba-a.7 is no issued bill of ba-a
        operator | pay | billing_account = "ba-a", method = "visa" | not_found | ba-a has no payment method visa; none is linked
        operator | prefer_payment_method | billing_account = "ba-a", method = "visa" | not_found | ba-a has no payment method visa; none is linked
        operator | place_order | billing_account = "ba-a", order = "o", amount = "5" | ok
        operator | place_order | billing_account = "ba-a", order = "o", amount = "5" | already_exists | there is an order o
        operator | place_order | billing_account = "ba-a", order = "q", amount = "500" | insufficient_funds | ba-a has 40 USD available, and 40 USD of own cash
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "6", to = "cash" | invalid_amount | 6 is more than o cost and was not given back yet
        operator | refund_order | billing_account = "ba-a", order = "n", amount = "6", to = "original" | not_found | ba-a has no order n; one of another system can be refunded to cash or credit
        operator | confirm_contract | billing_account = "ba-a" | not_found | no credit limit of ba-a waits for a contract
        operator | unfreeze_billing_account | billing_account = "ba-a" | not_found | ba-a is not frozen
        operator | lift_bad_debt | billing_account = "ba-a" | not_found | ba-a has no bad debt
        operator | set_quota | billing_account = "ba-a", quota = "5" | not_found | ba-a settles directly, and has no quota
        operator | unfreeze_recharge | enterprise = "e" | not_found | recharge is not frozen in e
        operator | revoke_role | principal = "b", role = "auditor", scope = "ba-a" | not_found | there is no auditor of b over ba-a
        operator | share_benefit | billing_account = "ba-a", benefit = "k", accounts = ["b"] | not_found | ba-a has neither a benefit nor a coupon k
        operator | deregister_billing_account | billing_account = "ba-a" | not_empty | ba-a holds 40 USD and owes 0 USD; it paid for an account
        operator | change_payer | account = "a", billing_account = "ba-b", effective_at = "2026-02-01T00:00:00Z" | in_the_past | 2026-02-01T00:00:00Z has passed: it is 2026-03-01T00:00:00Z
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        operator | transfer | from = "ba-a", to = "ba-b", amount = "5" | frozen | ba-a: The billing account is frozen: nothing goes out of it.
        "#,
    );
}

#[test]
fn a_limit_says_how_far_it_can_go() {
    Asking::with_members().table(
        r#"
        operator | open_enterprise | enterprise = "g", name = "G", country = "US", credit_total = "100" | ok
        operator | open_account | account = "g", enterprise = "g", email = "x@y.example", mode = "postpaid" | ok
        operator | set_credit_limit | billing_account = "ba-g", limit = "-1" | invalid_amount | -1 is below zero
        operator | set_credit_limit | billing_account = "ba-g", limit = "150" | exceeds_entity_credit | all limits of g may come to 100; the others come to 0
        operator | set_credit_limit | billing_account = "ba-g", limit = "80" | ok
        operator | confirm_contract | billing_account = "ba-g" | ok
        use | g | 30
        operator | set_credit_limit | billing_account = "ba-g", limit = "20" | limit_in_use | ba-g has a limit of 80 and 50 available: the limit can go down to 30 USD
        "#,
    );
}
