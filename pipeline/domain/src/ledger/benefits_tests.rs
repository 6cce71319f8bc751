//! Buying benefits: every refusal, in its order, and what follows.

use super::super::Fact;
use super::super::asking::Asking;

const VALID: &str = r#"valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z""#;
const PACK: &str = r#"kind = "storage_package", product = "p", meter = "m""#;
const PLAN: &str = r#"kind = "savings_plan", product = "p""#;
const RICH: &str = r#"amount = "1000", currency = "USD", method = "bank_transfer""#;

fn rich() -> Asking {
    let mut asking = Asking::with_members();
    asking.table(&format!("operator | top_up | billing_account = \"ba-a\", {RICH} | ok"));
    asking
}

/// R9.8: what is bought is an order, and refused like one.
#[test]
fn r9_8_benefits_are_bought() {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "p", meter = "peak", currency = "USD", model = "per_unit", unit_price = "1", aggregate = "max" },
        ]"#,
    );
    asking.members();
    let many = format!("[{}]", vec![r#""b""#; 101].join(", "));
    let ba = r#"billing_account = "ba-a""#;
    let pack = r#"benefit = "pack", kind = "storage_package", product = "p", meter = "m""#;
    let plan = r#"benefit = "plan", kind = "savings_plan", product = "p""#;
    asking.table(&format!(
        r#"
        operator | top_up | {ba}, amount = "100", currency = "USD", method = "bank_transfer" | ok
        operator | grant_coupon | {ba}, coupon = "k", amount = "5", {VALID} | ok
        operator | place_order | {ba}, order = "o", amount = "1" | ok
        b | buy_benefit | {ba}, {pack}, quantity = "10", price = "20", {VALID} | not_permitted
        operator | buy_benefit | billing_account = "none", {pack}, quantity = "10", price = "20", {VALID} | not_found
        operator | buy_benefit | {ba}, benefit = "o", kind = "storage_package", product = "p", price = "20", {VALID} | already_exists
        operator | buy_benefit | {ba}, benefit = "k", kind = "storage_package", product = "p", price = "20", {VALID} | already_exists
        # Each kind has its own terms.
        operator | buy_benefit | {ba}, {pack}, price = "20", {VALID} | malformed
        operator | buy_benefit | {ba}, {pack}, quantity = "10", commitment = "1", price = "20", {VALID} | malformed
        operator | buy_benefit | {ba}, {pack}, quantity = "10", discount = "0.1", price = "20", {VALID} | malformed
        operator | buy_benefit | {ba}, {plan}, price = "20", {VALID} | malformed
        operator | buy_benefit | {ba}, {plan}, commitment = "1", quantity = "10", price = "20", {VALID} | malformed
        operator | buy_benefit | {ba}, {pack}, quantity = "10", price = "20", valid_from = "2026-03-02T00:00:00Z", valid_until = "2026-03-02T00:00:00Z" | malformed
        operator | buy_benefit | {ba}, benefit = "x", kind = "storage_package", product = "none", quantity = "10", price = "20", {VALID} | not_found
        operator | buy_benefit | {ba}, benefit = "x", kind = "storage_package", product = "p", meter = "none", quantity = "10", price = "20", {VALID} | not_found
        # The largest of some quantities has no part that could be covered.
        operator | buy_benefit | {ba}, benefit = "x", kind = "storage_package", product = "p", meter = "peak", quantity = "10", price = "20", {VALID} | malformed
        operator | buy_benefit | {ba}, {pack}, quantity = "10", price = "0", {VALID} | invalid_amount
        operator | buy_benefit | {ba}, {pack}, quantity = "10", price = "1.001", {VALID} | invalid_amount
        operator | buy_benefit | {ba}, {pack}, quantity = "0", price = "20", {VALID} | invalid_amount
        operator | buy_benefit | {ba}, {plan}, commitment = "-1", price = "20", {VALID} | invalid_amount
        operator | buy_benefit | {ba}, {plan}, commitment = "1", discount = "1", price = "20", {VALID} | invalid_amount
        operator | buy_benefit | {ba}, {plan}, commitment = "1", discount = "-0.1", price = "20", {VALID} | invalid_amount
        operator | buy_benefit | {ba}, {pack}, quantity = "10", price = "20", valid_from = "2026-02-01T00:00:00Z", valid_until = "2026-03-01T00:00:00Z" | in_the_past
        operator | buy_benefit | {ba}, {pack}, quantity = "10", price = "20", {VALID}, accounts = {many} | too_many_accounts
        operator | buy_benefit | {ba}, {pack}, quantity = "10", price = "20", {VALID}, organisation = "none" | not_found
        operator | buy_benefit | {ba}, {pack}, quantity = "10", price = "20", {VALID}, accounts = ["x"] | different_enterprise
        operator | buy_benefit | {ba}, {pack}, quantity = "10", price = "104.01", {VALID} | insufficient_funds
        a | freeze_billing_account | {ba} | ok
        operator | buy_benefit | {ba}, {pack}, quantity = "10", price = "20", {VALID} | frozen
        operator | unfreeze_billing_account | {ba} | ok
        see | balance ba-a | cash = "100"
        a | buy_benefit | {ba}, {pack}, quantity = "10", price = "20", {VALID}, accounts = ["b"] | ok
        # The coupon, which paid the order before, paid 4 of it.
        see | balance ba-a | cash = "84"
        see | benefit ba-a/pack | kind = "storage_package", product = "p", meter = "m", quantity = "10", price = "20", covered = "0", left = "10", accounts = ["b"], organisations = []
        a | buy_benefit | {ba}, {pack}, quantity = "10", price = "20", {VALID} | already_exists
        operator | grant_coupon | {ba}, coupon = "pack", amount = "5", {VALID} | already_exists
        operator | place_order | {ba}, order = "pack", amount = "5" | already_exists
        operator | adjust | {ba}, amount = "-84", reason = "gone" | ok
        operator | deregister_billing_account | {ba} | not_empty
        use | a | 11
        operator | buy_benefit | {ba}, {plan}, commitment = "1", price = "20", {VALID} | overdue
        "#
    ));
}

/// R9.8, R5.8: who has his money back for a benefit has it no longer.
#[test]
fn r9_8_a_benefit_ends_when_its_order_is_given_back() {
    Asking::with_members().table(&format!(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "pack", kind = "storage_package", product = "p", quantity = "10", price = "20", {VALID} | ok
        at | 2026-03-01T00:10:00Z
        use | a | 1
        operator | refund_order | billing_account = "ba-a", order = "pack", amount = "5", to = "original" | ok
        use | a | 1
        see | benefit ba-a/pack | covered = "2", left = "8"
        at | 2026-03-01T00:20:30Z
        operator | refund_order | billing_account = "ba-a", order = "pack", amount = "15", to = "original" | ok
        see | benefit ba-a/pack | valid_until = "2026-03-01T00:21:00Z"
        at | 2026-03-01T00:21:00Z
        use | a | 1
        see | benefit ba-a/pack | covered = "2"
        see | balance ba-a | cash = "100", unsettled_current = "1"
        # What was used before is covered, however late it comes.
        use | a | 1 | p/m@2026-03-01T00:20:00Z
        see | benefit ba-a/pack | covered = "3"
        see | balance ba-a | unsettled_current = "1"
        "#
    ));
}

/// R5.8: a benefit that ends in the minute in which its order is given back ends then anyway.
#[test]
fn r5_8_what_ends_by_itself_is_not_ended_again() {
    for (until, ends) in [("00:21:00", 0), ("00:22:00", 1)] {
        let mut asking = Asking::with_members();
        asking.table(&format!(
            r#"
            operator | adjust | billing_account = "ba-a", amount = "100", reason = "r" | ok
            a | buy_benefit | billing_account = "ba-a", benefit = "pack", kind = "storage_package", product = "p", quantity = "10", price = "20", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-03-01T{until}Z" | ok
            at | 2026-03-01T00:20:30Z
            operator | refund_order | billing_account = "ba-a", order = "pack", amount = "-1", to = "cash" | invalid_amount
            operator | refund_order | billing_account = "ba-a", order = "pack", amount = "0" , to = "cash" | invalid_amount
            operator | refund_order | billing_account = "ba-a", order = "pack", amount = "0.001", to = "cash" | invalid_amount
            operator | refund_order | billing_account = "ba-a", order = "pack", amount = "20", to = "cash" | ok
            see | benefit ba-a/pack | valid_until = "2026-03-01T00:21:00Z"
            "#
        ));
        let ended = asking.facts.0.iter().filter(|fact| matches!(fact, Fact::BenefitEnded(_)));
        assert_eq!(ended.count(), ends, "{until}");
    }
}

/// R9.8: a benefit covers its product, or its meter of that product, and nothing else.
#[test]
fn r9_8_a_benefit_is_for_a_product_or_a_meter_of_it() {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "p", meter = "n", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "q", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
        ]"#,
    );
    asking.members();
    asking.table(&format!(
        r#"
        operator | top_up | billing_account = "ba-a", {RICH} | ok
        operator | top_up | billing_account = "ba-b", {RICH} | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "meter", {PACK}, quantity = "10", price = "5", {VALID} | ok
        b | buy_benefit | billing_account = "ba-b", benefit = "product", kind = "storage_package", product = "p", quantity = "10", price = "5", {VALID} | ok
        use | a | 1 | p/n
        use | a | 2 | q/m
        use | a | 3 | p/m
        see | balance ba-a | unsettled_current = "3"
        see | benefit ba-a/meter | covered = "3"
        use | b | 1 | p/n
        use | b | 2 | q/m
        use | b | 3 | p/m
        see | balance ba-b | unsettled_current = "2"
        see | benefit ba-b/product | covered = "4"
        "#
    ));
}

/// R9.8, R9.7: what serves an account already, because its wallet pays or is the account's own, serves it once when it
/// is shared with it as well.
#[test]
fn r9_8_a_benefit_serves_once_however_it_reaches_an_account() {
    rich().table(&format!(
        r#"
        operator | top_up | billing_account = "ba-c", {RICH} | ok
        operator | change_payer | account = "b", billing_account = "ba-a" | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "pack", {PACK}, quantity = "10", price = "5", {VALID}, accounts = ["b"] | ok
        at | 2026-03-01T00:10:00Z
        use | b | 15
        see | benefit ba-a/pack | covered = "10", left = "0"
        see | balance ba-a | unsettled_current = "5"
        c | buy_benefit | billing_account = "ba-c", benefit = "own", {PACK}, quantity = "10", price = "5", {VALID}, accounts = ["c"] | ok
        operator | change_payer | account = "c", billing_account = "ba-b" | ok
        at | 2026-03-01T00:20:00Z
        use | c | 15
        see | benefit ba-c/own | covered = "10", left = "0"
        see | balance ba-b | unsettled_current = "5"
        "#
    ));
}

/// R9.8: quantity has no currency: a package serves whoever it is shared with, whatever he pays in. Money of a savings
/// plan is refused there (R9.7).
#[test]
fn r9_8_a_package_serves_other_currencies_and_a_plan_does_not() {
    rich().table(&format!(
        r#"
        operator | open_account | account = "euro", enterprise = "e", email = "x@y.example", mode = "postpaid", currency = "EUR" | ok
        operator | adjust | billing_account = "ba-euro", amount = "100", reason = "r" | ok
        operator | buy_benefit | billing_account = "ba-euro", benefit = "plan", {PLAN}, commitment = "8", price = "5", {VALID}, accounts = ["b"] | currency_mismatch
        operator | buy_benefit | billing_account = "ba-euro", benefit = "pack", {PACK}, quantity = "10", price = "5", {VALID}, accounts = ["b"] | ok
        use | b | 4
        see | balance ba-b | unsettled_current = "0"
        see | benefit ba-euro/pack | covered = "4"
        "#
    ));
}

/// R9.8, R3.2: where more usage costs less, there is nothing for a savings plan to draw.
#[test]
fn r9_8_a_plan_covers_no_change_that_costs_less() {
    let mut asking = Asking::with_prices(
        r#"price = [{ product = "p", meter = "m", currency = "USD", model = "volume", tiers = [{ up_to = "10", unit_price = "1" }, { unit_price = "0.1" }] }]"#,
    );
    asking.members();
    asking.table(&format!(
        r#"
        operator | top_up | billing_account = "ba-a", {RICH} | ok
        use | a | 10
        a | buy_benefit | billing_account = "ba-a", benefit = "plan", {PLAN}, commitment = "100", price = "5", {VALID} | ok
        use | a | 10
        see | balance ba-a | unsettled_current = "2"
        see | benefit ba-a/plan | covered = "0", drawn = "0"
        "#
    ));
}

/// R9.8, R1.1: a plan that is used up for the hour covers nothing, not even what would round to nothing.
#[test]
fn r9_8_a_plan_that_is_used_up_covers_nothing() {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "p", meter = "tiny", currency = "USD", model = "per_unit", unit_price = "0.000000000001" },
        ]"#,
    );
    asking.members();
    asking.table(&format!(
        r#"
        operator | top_up | billing_account = "ba-a", {RICH} | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "plan", {PLAN}, commitment = "4", discount = "0.5", price = "5", {VALID} | ok
        use | a | 1 | p/tiny
        see | benefit ba-a/plan | covered = "1", drawn = "0"
        use | a | 8
        see | benefit ba-a/plan | covered = "9", drawn = "4", left = "0"
        use | a | 1 | p/tiny
        see | benefit ba-a/plan | covered = "9", drawn = "4"
        see | balance ba-a | unsettled_current = "0.000000000001"
        "#
    ));
}
