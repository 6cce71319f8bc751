//! What a refusal says beside its code: names, amounts, times.

use super::super::asking::{Asking, table};
use crate::commands::{Asked, Command};
use crate::ids::PrincipalId;
use crate::refusal::Refusal;

/// Takes lines of `command | fields | code | what is said`; nothing behind the code: the code alone says it.
#[track_caller]
fn check_said(asking: &Asking, lines: &str) {
    let mut wrong = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, fields, code, expected] = cells[..] else { panic!("{line}") };
        let command = Command::read(name, table(fields)).expect(name).expect(line);
        let refusal = Refusal::ALL.iter().find(|refusal| refusal.code() == code).expect(line);
        let asked =
            Asked { number: 1, principal: PrincipalId::operator(), key: None, origin: None };
        let found = asking.ledger.why(&asked, &command, *refusal);
        if found.as_deref().unwrap_or_default() != expected {
            wrong.push_str(&format!("{line}\n    found: {found:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The members, and beside them `eco`, whose partner settles, and `eur`, who pays in euro. `ba-a` has a card, coupon, key
/// and benefit; of its requests `x` has turned down the first, and has not answered the second.
fn things_to_name() -> Asking {
    let mut asking = Asking::with_members();
    asking.settings(r#"topup.bank_only_above = { USD = "1000" }"#);
    asking.table(
        r#"
        operator | open_account | account = "eco", enterprise = "e", email = "x@y.example", mode = "postpaid", kind = "ecosystem", partner = "p" | ok
        operator | open_account | account = "eur", enterprise = "e", email = "x@y.example", mode = "postpaid", currency = "EUR" | ok
        operator | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", brand = "visa" | ok
        answer | ba-a | succeeded
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | ok
        boss | grant_admin | billing_account = "ba-a", accounts = ["b", "c"] | ok
        a | request_payment | request = "r", requester = "ba-a", payer = "x", service = "s", amount = "5" | ok
        x | reject_payment_request | request = "r" | ok
        a | request_payment | request = "s", requester = "ba-a", payer = "x", service = "s", amount = "5" | ok
        "#,
    );
    asking
}

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

#[test]
fn what_is_not_there_is_named() {
    check_said(
        &things_to_name(),
        r#"
        place_order | billing_account = "ba-a", order = "o", amount = "5", account = "nobody", method = "paypal" | not_found | there is no account nobody
        place_order | billing_account = "ba-a", order = "o", amount = "5", account = "b", method = "paypal" | not_found | ba-a has no payment method paypal; linked are visa (active)
        place_order | billing_account = "ba-a", order = "o", amount = "5", account = "b", method = "visa" | not_found |
        approve_payment_request | request = "s", method = "visa" | not_found | ba-x has no payment method visa; none is linked
        unlink_payment_method | billing_account = "ba-a", method = "paypal" | not_found | ba-a has no payment method paypal; linked are visa (active)
        finish_authentication | billing_account = "ba-a", method = "paypal" | not_found | no link of paypal waits for a proof
        buy_benefit | billing_account = "ba-a", benefit = "n", kind = "storage_package", product = "p", meter = "n", price = "1", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | not_found | the price book has no meter n of p
        buy_benefit | billing_account = "ba-a", benefit = "n", kind = "storage_package", product = "q", meter = "n", price = "1", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | not_found | the price book has no product q
        share_benefit | billing_account = "ba-a", benefit = "k", accounts = ["b"] | not_found | k is not shared with all who are named
        unshare_benefit | billing_account = "ba-a", benefit = "k", accounts = ["b"] | not_found | k is not shared with all who are named
        unshare_benefit | billing_account = "ba-a", benefit = "n", accounts = ["b"] | not_found | ba-a has neither a benefit nor a coupon n
        revoke_admin | billing_account = "ba-a", accounts = ["x"] | not_found | ba-a is administered by b, c
        revoke_admin | billing_account = "ba-b", accounts = ["x"] | not_found | ba-b is administered by nobody
        accept_invitation | account = "b" | not_found | b is not invited
        end_membership | account = "b" | not_found | the membership of b has ended
        void_usage | account = "b", source = "meter", id = "7" | not_found | no record 7 of meter that can be taken back is known for b
        revoke_key | principal = "ci", role = "auditor", scope = "ba-a" | not_found | there is no key of ci as auditor over ba-a
        withdraw | billing_account = "ba-a", amount = "5" | not_found |
        withdraw | billing_account = "nobody", amount = "5" | not_found |
        "#,
    );
}

#[test]
fn what_is_there_already_and_what_has_passed_is_named() {
    let mut asking = things_to_name();
    let hash = "1".repeat(64);
    asking.table(&format!(
        r#"a | create_key | principal = "ci", role = "auditor", scope = "ba-a", hash = "{hash}" | ok"#
    ));
    check_said(
        &asking,
        r#"
        buy_benefit | billing_account = "ba-a", benefit = "k", kind = "storage_package", product = "p", price = "1", valid_from = "2026-02-01T00:00:00Z", valid_until = "2026-02-02T00:00:00Z" | already_exists | there is an order k
        buy_benefit | billing_account = "ba-a", benefit = "k", kind = "storage_package", product = "p", price = "1", valid_from = "2026-02-01T00:00:00Z", valid_until = "2026-02-02T00:00:00Z" | in_the_past | 2026-02-01T00:00:00Z has passed: it is 2026-03-01T00:00:00Z
        grant_coupon | billing_account = "ba-a", coupon = "k", amount = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | already_exists | there is a coupon k
        link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t" | already_exists | visa is linked
        create_key | principal = "ci", role = "auditor", scope = "ba-a", hash = "2" | already_exists | ci has a key; revoke it, or choose another name
        invite_account | account = "b" | already_exists |
        withdraw | billing_account = "ba-a", amount = "5" | in_the_past |
        link_payment_method | billing_account = "ba-a", method = "old", kind = "card", token = "t", expires = "2026-03" | card_expired | old expires 2026-03; it is 2026-03-01T00:00:00Z
        withdraw | billing_account = "ba-a", amount = "5" | card_expired |
        reject_payment_request | request = "r" | not_pending | the request r is rejected
        cancel_payment_request | request = "s" | not_pending | the request s is pending
        reject_payment_request | request = "t" | not_pending |
        withdraw | billing_account = "ba-a", amount = "5" | not_pending |
        grant_admin | billing_account = "ba-a", accounts = ["b"] | too_many_accounts | one call may name 20 accounts
        share_benefit | billing_account = "ba-a", benefit = "k", accounts = ["b"] | too_many_accounts | it may be shared with 100 accounts
        "#,
    );
}

#[test]
fn whoever_does_not_fit_is_named() {
    check_said(
        &things_to_name(),
        r#"
        transfer | from = "ba-a", to = "ba-eur", amount = "5" | currency_mismatch | ba-a is in USD, ba-eur in EUR
        change_payer | account = "a", billing_account = "ba-eur" | currency_mismatch | ba-a is in USD, ba-eur in EUR
        withdraw | billing_account = "ba-a", amount = "5" | currency_mismatch |
        transfer | from = "ba-a", to = "ba-eco", amount = "5" | not_for_ecosystem | ba-eco settles with a partner
        transfer | from = "ba-eco", to = "ba-a", amount = "5" | not_for_ecosystem | ba-eco settles with a partner
        withdraw | billing_account = "ba-eco", amount = "5" | not_for_ecosystem | ba-eco settles with a partner
        change_payer | account = "a", billing_account = "ba-x" | different_enterprise | ba-a and ba-x belong to different enterprises
        open_enterprise | enterprise = "g", name = "G", country = "DE", tax_id = "DE1" | tax_id_invalid | DE1 is no tax number of DE
        open_enterprise | enterprise = "g", name = "G", country = "DE" | tax_id_invalid |
        set_tax_id | enterprise = "e", tax_id = "US1" | tax_id_invalid | US1 is no tax number of US
        set_tax_id | enterprise = "nobody", tax_id = "US1" | tax_id_invalid |
        withdraw | billing_account = "ba-a", amount = "5" | tax_id_invalid |
        top_up | billing_account = "ba-a", amount = "1000.01", currency = "USD", method = "visa" | method_not_allowed | more than 1000 USD comes by bank_transfer only
        top_up | billing_account = "ba-a", amount = "1000", currency = "USD", method = "visa" | method_not_allowed | cards of these brands are taken: visa, mastercard
        top_up | billing_account = "ba-a", amount = "1000.01", currency = "USD", method = "paypal" | method_not_allowed | ba-a has no payment method paypal; linked are visa (active); bank_transfer needs none
        link_payment_method | billing_account = "ba-a", method = "amex", kind = "card", token = "t" | method_not_allowed | cards of these brands are taken: visa, mastercard
        configure | billing_account = "ba-a" | method_not_allowed | ba-a is charged 1000 USD at most
        refund_order | billing_account = "ba-a", order = "o", amount = "5", to = "credit" | method_not_allowed | it was not paid on credit: refund to cash
        withdraw | billing_account = "ba-a", amount = "5" | method_not_allowed |
        pay | billing_account = "ba-a" | no_method | ba-a has visa (active)
        pay | billing_account = "ba-b" | no_method | ba-b has no payment method: link one
        "#,
    );
}

#[test]
fn whoever_lacks_a_right_is_told_over_what() {
    check_said(
        &things_to_name(),
        r#"
        freeze_recharge | enterprise = "e" | not_permitted | operator may not freeze_recharge enterprise e; whoever administers it can grant a role
        close_account | account = "a" | not_permitted | operator may not close_account account a; whoever administers it can grant a role
        grant_role | principal = "b", role = "auditor", scope = "ba-a" | not_permitted | operator may not grant_role auditor of b over ba-a; whoever administers it can grant a role
        create_key | principal = "b", role = "auditor", scope = "ba-a" | not_permitted | operator may not create_key ba-a; whoever administers it can grant a role
        revoke_key | principal = "b", role = "auditor", scope = "ba-a" | not_permitted | operator may not revoke_key key of b as auditor over ba-a; whoever administers it can grant a role
        cancel_payment_request | request = "r" | not_permitted | operator may not cancel_payment_request payment request r; whoever administers it can grant a role
        credit_invoice | invoice = "SG-2026-000001", reason = "r" | not_permitted | operator may not credit_invoice invoice SG-2026-000001; whoever administers it can grant a role
        load_settings | document = "" | not_permitted | operator may not load_settings; whoever administers it can grant a role
        cancel_payment_request | request = "r" | frozen | ba-a: The billing account is frozen: nothing goes out of it.
        approve_payment_request | request = "r" | frozen | ba-x: The billing account is frozen: nothing goes out of it.
        freeze_recharge | enterprise = "e" | frozen |
        "#,
    );
}

/// R1.5: every command that names an amount is told what is wrong with it.
#[test]
fn r1_5_an_invalid_amount_is_told_what_is_wrong_with_it() {
    let valid = r#"valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z""#;
    check_said(
        &things_to_name(),
        &format!(
            r#"
        withdraw | billing_account = "ba-a", amount = "0" | invalid_amount | 0 is not more than zero
        adjust | billing_account = "ba-a", amount = "0" | invalid_amount | 0 is not more than zero
        set_credit_limit | billing_account = "ba-a", limit = "0" | invalid_amount | 0 is not more than zero
        set_credit_limit | billing_account = "ba-a", limit = "5" | invalid_amount |
        grant_coupon | billing_account = "ba-a", coupon = "k", amount = "0", {valid} | invalid_amount | 0 is not more than zero
        place_order | billing_account = "ba-a", order = "o", amount = "0" | invalid_amount | 0 is not more than zero
        buy_benefit | billing_account = "ba-a", benefit = "n", kind = "storage_package", product = "p", price = "0", {valid} | invalid_amount | 0 is not more than zero
        refund_order | billing_account = "ba-a", order = "o", amount = "0", to = "cash" | invalid_amount | 0 is not more than zero
        set_quota | billing_account = "ba-eco", quota = "-1" | invalid_amount | -1 is below zero
        set_quota | billing_account = "ba-eco", quota = "1.001" | invalid_amount | 1.001 has too many decimals: USD is paid in 0.01
        transfer | from = "ba-a", to = "ba-b", amount = "0" | invalid_amount | 0 is not more than zero
        revoke_transfer | from = "ba-a", to = "ba-b", amount = "0" | invalid_amount | 0 is not more than zero
        request_payment | request = "n", requester = "ba-a", payer = "x", service = "s", amount = "0" | invalid_amount | 0 is not more than zero
        claim_remittance | billing_account = "ba-a", reference = "r", amount = "0" | invalid_amount | 0 is not more than zero
        pay | billing_account = "ba-a", amount = "0" | invalid_amount | 0 is not more than zero
        pay | billing_account = "ba-a" | invalid_amount |
        authorize | account = "a", authorization = "n", amount = "-1" | invalid_amount | -1 is not more than zero
        configure | billing_account = "ba-a", auto_recharge = {{ enabled = true, amount = "0" }} | invalid_amount | 0 is not more than zero
        configure | billing_account = "ba-a" | invalid_amount |
        close_account | account = "a" | invalid_amount |
        top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "visa" | invalid_amount |
        top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "visa", test = false | invalid_amount |
        top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "visa", test = true | invalid_amount | a test goes with 1, not 50
        "#
        ),
    );
}

#[test]
fn a_command_that_contradicts_itself_is_told_where() {
    check_said(
        &things_to_name(),
        r#"
        adjust | billing_account = "ba-a", amount = "5", reason = "r" | malformed |
        transfer | from = "ba-a", to = "ba-b", amount = "5" | malformed |
        revoke_transfer | from = "ba-a", to = "ba-a", amount = "5" | malformed | from and to are the same
        revoke_transfer | from = "ba-a", to = "ba-b", amount = "5" | malformed |
        rename_billing_account | billing_account = "ba-a", name = "" | malformed | a name says something
        place_order | billing_account = "ba-a", order = "o", amount = "5", renews = true | malformed | the name of an order that renews has at most 58 characters
        grant_coupon | billing_account = "ba-a", coupon = "k", amount = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-03-01T00:00:00Z" | malformed | valid_until must lie behind valid_from
        open_account | account = "n", enterprise = "e", email = "x@y.example", mode = "prepaid", partner_pays = true | malformed | partner_pays needs a partner
        withdraw | billing_account = "ba-a", amount = "5" | malformed |
        "#,
    );
}
