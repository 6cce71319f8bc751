//! With whom benefits and coupons are shared: every refusal, in its order, and from when on it holds.

use super::super::Book;
use super::super::asking::Asking;

const MARCH: &str = r#"valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z""#;
const PACK: &str =
    r#"benefit = "pack", kind = "storage_package", product = "p", quantity = "100", price = "5""#;

/// Members `b`, `c`, and so many more; `ba-a` has a storage package and coupons.
fn asking(more: usize) -> Asking {
    let mut asking = Asking::with_members();
    for number in 0..more {
        asking.table(&format!(
            "operator | open_account | account = \"m{number}\", enterprise = \"e\", email = \"x@y.example\", mode = \"postpaid\" | ok"
        ));
    }
    asking.table(&format!(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "1000", currency = "USD", method = "bank_transfer" | ok
        a | buy_benefit | billing_account = "ba-a", {PACK}, {MARCH} | ok
        "#
    ));
    asking
}

fn names(range: std::ops::Range<usize>) -> String {
    let names: Vec<String> = range.map(|number| format!("\"m{number}\"")).collect();
    format!("[{}]", names.join(", "))
}

/// R9.7: up to 100 accounts in all, members of organisations included.
#[test]
fn r9_7_at_most_100_accounts_in_all() {
    let too_many = format!("[{}]", vec![r#""b""#; 101].join(", "));
    let mut asking = asking(101);
    asking.table(&format!(
        r#"
        operator | open_account | account = "gone", enterprise = "e", email = "x@y.example", mode = "prepaid" | ok
        operator | close_account | account = "gone" | ok
        operator | open_account | account = "left", enterprise = "e", email = "x@y.example", mode = "prepaid" | ok
        operator | end_membership | account = "left" | ok
        operator | open_account | account = "euro", enterprise = "e", email = "x@y.example", mode = "prepaid", currency = "EUR" | ok

        a | set_organisation | enterprise = "e", organisation = "o", accounts = ["b"] | not_permitted
        operator | set_organisation | enterprise = "none", organisation = "o", accounts = ["b"] | not_found
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = {too_many} | too_many_accounts
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = ["b", "x"] | different_enterprise
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = ["b", "left"] | different_enterprise
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = ["b", "gone"] | account_closed
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = {fifty} | ok
        see | enterprise e | organisations = [{{ organisation = "o", accounts = {fifty} }}]

        b | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"] | not_permitted
        operator | share_benefit | billing_account = "none", benefit = "pack", accounts = ["b"] | not_found
        a | share_benefit | billing_account = "ba-a", benefit = "pack" | malformed
        a | share_benefit | billing_account = "ba-a", benefit = "none", accounts = ["b"] | not_found
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = {too_many} | too_many_accounts
        a | share_benefit | billing_account = "ba-a", benefit = "pack", organisation = "none" | not_found
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["x"] | different_enterprise
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["left"] | different_enterprise
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["gone"] | account_closed
        # Quantity has no currency, money has.
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["euro"] | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "5", {MARCH} | ok
        a | share_benefit | billing_account = "ba-a", benefit = "k", accounts = ["euro"] | currency_mismatch
        operator | grant_coupon | billing_account = "ba-a", coupon = "cash", amount = "5", cash = true, {MARCH} | ok
        a | share_benefit | billing_account = "ba-a", benefit = "cash", accounts = ["b"] | not_found

        a | share_benefit | billing_account = "ba-a", benefit = "pack", organisation = "o" | ok
        # 1 and 50 and 49 are 100; who is there twice counts once.
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = {last_fifty} | too_many_accounts
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = {last} | ok
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"] | too_many_accounts
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["m0"] | ok
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = {more} | too_many_accounts
        a | freeze_billing_account | billing_account = "ba-a" | ok
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["m0"] | frozen
        a | unfreeze_billing_account | billing_account = "ba-a" | ok

        a | unshare_benefit | billing_account = "ba-a", benefit = "none", accounts = ["b"] | not_found
        a | unshare_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"] | not_found
        a | unshare_benefit | billing_account = "ba-a", benefit = "pack", organisation = "other" | not_found
        b | unshare_benefit | billing_account = "ba-a", benefit = "pack" | not_permitted
        a | unshare_benefit | billing_account = "ba-a", benefit = "pack" | ok
        see | benefit ba-a/pack | accounts = [], organisations = []
        "#,
        fifty = names(0..50),
        last_fifty = names(50..100),
        last = names(50..99),
        more = names(0..100).replace("\"m99\"", "\"m100\""),
    ));
}

/// R9.7: named accounts at once, an organisation after one minute, each from a full minute on (R3.1); only usage
/// from then on is served.
#[test]
fn r9_7_sharing_holds_from_a_full_minute_on() {
    asking(0).table(
        r#"
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = ["c"] | ok
        at | 2026-03-01T00:10:00Z
        use | b | 1
        at | 2026-03-01T00:10:30Z
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"], organisation = "o" | ok
        see | benefit ba-a/pack | accounts = ["b", "c"], organisations = ["o"]
        use | b | 1
        see | balance ba-b | unsettled_current = "2"
        at | 2026-03-01T00:11:00Z
        use | b | 1
        see | balance ba-b | unsettled_current = "2"
        # What was used before is not served, however late it comes.
        use | b | 1 | p/m@2026-03-01T00:10:00Z
        see | balance ba-b | unsettled_current = "3"
        use | c | 1
        see | balance ba-c | unsettled_current = "1"
        at | 2026-03-01T00:12:00Z
        use | c | 1
        see | balance ba-c | unsettled_current = "1"
        see | benefit ba-a/pack | covered = "2"
        # Unshared, it serves what was used until the next full minute.
        at | 2026-03-01T00:20:30Z
        a | unshare_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"] | ok
        use | b | 1
        at | 2026-03-01T00:21:00Z
        use | b | 1
        use | b | 1 | p/m@2026-03-01T00:20:00Z
        see | balance ba-b | unsettled_current = "4"
        see | benefit ba-a/pack | covered = "4", accounts = ["c"]
        # Shared again, it begins anew.
        at | 2026-03-01T00:30:00Z
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"] | ok
        use | b | 1
        use | b | 1 | p/m@2026-03-01T00:25:00Z
        see | balance ba-b | unsettled_current = "5"
        "#,
    );
}

/// R9.7: an organisation's members come and go, a minute later or at once; who is named as well stays.
#[test]
fn r9_7_organisations_change() {
    asking(0).table(
        r#"
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = ["b", "c"] | ok
        at | 2026-03-01T00:10:00Z
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"], organisation = "o" | ok
        at | 2026-03-01T00:20:00Z
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = ["boss"] | ok
        see | benefit ba-a/pack | accounts = ["boss", "b"]
        use | b | 1
        use | c | 1
        use | boss | 1
        see | balance ba-b | unsettled_current = "0"
        see | balance ba-c | unsettled_current = "1"
        see | balance ba-boss | unsettled_current = "1"
        at | 2026-03-01T00:21:00Z
        use | boss | 1
        see | balance ba-boss | unsettled_current = "1"
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = [] | ok
        see | enterprise e | organisations = []
        see | benefit ba-a/pack | accounts = ["b"]
        "#,
    );
}

/// R9.7: what a rule will share reaches up to 100 accounts as well, however its organisation grows.
#[test]
fn r9_7_no_rule_reaches_more_than_100() {
    asking(99).table(&format!(
        r#"
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = {fifty} | ok
        a | set_sharing_rule | billing_account = "ba-a", accounts = ["b", "c"], organisation = "o" | ok
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = {too_many} | too_many_accounts
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = {most} | ok
        "#,
        fifty = names(0..50),
        too_many = names(0..99),
        most = names(0..98),
    ));
}

/// R9.7: a rule shares everything new a minute after it was bought.
#[test]
fn r9_7_a_rule_shares_what_is_new() {
    let many = format!("[{}]", vec![r#""b""#; 101].join(", "));
    asking(0).table(&format!(
        r#"
        b | set_sharing_rule | billing_account = "ba-a", accounts = ["b"] | not_permitted
        operator | set_sharing_rule | billing_account = "none", accounts = ["b"] | not_found
        a | set_sharing_rule | billing_account = "ba-a", accounts = {many} | too_many_accounts
        a | set_sharing_rule | billing_account = "ba-a", organisation = "none" | not_found
        a | set_sharing_rule | billing_account = "ba-a", accounts = ["x"] | different_enterprise
        a | set_sharing_rule | billing_account = "ba-a", accounts = ["b"] | ok
        see | benefit ba-a/pack | accounts = []
        at | 2026-03-01T00:10:00Z
        a | buy_benefit | billing_account = "ba-a", benefit = "new", kind = "reserved_instance", product = "p", quantity = "5", price = "1", {MARCH}, accounts = ["c"] | ok
        see | benefit ba-a/new | accounts = ["b", "c"]
        use | b | 1
        use | c | 1
        see | balance ba-b | unsettled_current = "1"
        see | balance ba-c | unsettled_current = "0"
        at | 2026-03-01T00:11:00Z
        use | b | 1
        see | balance ba-b | unsettled_current = "1"
        a | set_sharing_rule | billing_account = "ba-a" | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "newer", kind = "reserved_instance", product = "p", quantity = "5", price = "1", {MARCH} | ok
        see | benefit ba-a/newer | accounts = []
        "#
    ));
}

/// R9.7, R4.6: who leaves the enterprise shares nothing with it any more, nor it with him.
#[test]
fn r9_7_who_leaves_shares_nothing_any_more() {
    asking(0).table(&format!(
        r#"
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = ["b", "c"] | ok
        a | set_sharing_rule | billing_account = "ba-a", accounts = ["b"], organisation = "o" | ok
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"], organisation = "o" | ok
        at | 2026-03-01T00:10:00Z
        use | b | 1
        b | end_membership | account = "b" | ok
        see | enterprise e | organisations = [{{ organisation = "o", accounts = ["c"] }}]
        see | benefit ba-a/pack | accounts = ["c"], covered = "1"
        use | b | 1
        see | balance ba-b | unsettled_current = "1"
        a | buy_benefit | billing_account = "ba-a", benefit = "new", kind = "reserved_instance", product = "p", quantity = "5", price = "1", {MARCH} | ok
        see | benefit ba-a/new | accounts = ["c"]
        a | end_membership | account = "a" | ok
        see | benefit ba-a/pack | accounts = [], organisations = []
        use | c | 1
        see | balance ba-c | unsettled_current = "1"
        # His own serves him still.
        use | a | 1
        see | balance ba-a | unsettled_current = "0"
        "#
    ));
}

/// R9.7, R5.2: a shared coupon pays usage of those it is shared with, after their own; not orders.
#[test]
fn r9_7_coupons_are_shared() {
    asking(0).table(&format!(
        r#"
        operator | top_up | billing_account = "ba-b", amount = "100", currency = "USD", method = "bank_transfer" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "10", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-03-10T00:00:00Z" | ok
        operator | grant_coupon | billing_account = "ba-b", coupon = "own", amount = "3", {MARCH} | ok
        at | 2026-03-01T00:10:00Z
        use | b | 2
        at | 2026-03-01T00:30:00Z
        a | share_benefit | billing_account = "ba-a", benefit = "k", accounts = ["b"] | ok
        operator | place_order | billing_account = "ba-b", order = "o", amount = "5" | ok
        see | balance ba-b | cash = "98"
        use | b | 4
        # It is counted on only once it has paid: others may use it up.
        see | balance ba-b | unsettled_current = "6"
        at | 2026-03-01T01:00:00Z
        # 4 by the shared coupon: what was used before it was shared is not its business.
        see | balance ba-b | cash = "96"
        # What it paid is paid from it once.
        use | b | 8
        at | 2026-03-01T02:00:00Z
        see | balance ba-b | cash = "94"
        use | b | 1
        at | 2026-03-01T03:00:00Z
        see | balance ba-b | cash = "93"
        see | balance ba-a | cash = "995"
        "#
    ));
}

/// R9.7, R4.3: what a partner settles is his, whoever shares a coupon with the account.
#[test]
fn r9_7_a_shared_coupon_pays_nothing_that_a_partner_settles() {
    asking(0).table(&format!(
        r#"
        operator | open_account | account = "eco", enterprise = "e", email = "x@y.example", mode = "prepaid", kind = "ecosystem", partner = "p" | ok
        operator | set_quota | billing_account = "ba-eco", quota = "100" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "10", {MARCH} | ok
        a | share_benefit | billing_account = "ba-a", benefit = "k", accounts = ["b", "eco"] | ok
        at | 2026-03-01T00:10:00Z
        use | b | 3
        use | eco | 4
        at | 2026-03-01T01:00:00Z
        see | balance ba-eco | quota_consumed = "4"
        # That of the other was paid by it.
        see | balance ba-b | unsettled_current = "0", available = "0"
        "#
    ));
}

/// R9.7, R5.7: what a shared coupon paid goes back to it, unless it has expired.
#[test]
fn r9_7_what_a_shared_coupon_paid_goes_back_to_it() {
    let mut asking = Asking::with_prices(
        r#"price = [{ product = "p", meter = "m", currency = "USD", model = "volume", tiers = [{ up_to = "10", unit_price = "1" }, { unit_price = "0.1" }] }]"#,
    );
    asking.members();
    asking.table(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "10", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-10T00:00:00Z", products = ["p"] | ok
        a | share_benefit | billing_account = "ba-a", benefit = "k", accounts = ["b", "c"] | ok
        use | b | 10
        at | 2026-03-01T01:00:00Z
        see | balance ba-b | unsettled_current = "0"
        # 20 cost 2 in all: 8 of 10 go back.
        use | b | 10
        at | 2026-03-01T02:00:00Z
        see | balance ba-b | unsettled_current = "0"
        use | c | 9
        at | 2026-03-01T03:00:00Z
        see | balance ba-c | unsettled_current = "1"
        "#,
    );
    let wallet = asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    assert!(asking.ledger.wallet(wallet).unwrap().coupons[0].left.is_zero());
}

/// R1.3: what goes back to a shared coupon is to be invoiced after all, by the facts and by the state alike.
#[test]
fn r1_3_what_goes_back_to_a_shared_coupon_is_to_be_invoiced() {
    let mut asking = Asking::with_prices(
        r#"price = [{ product = "p", meter = "m", currency = "USD", model = "volume", tiers = [{ up_to = "10", unit_price = "1" }, { unit_price = "0.1" }] }]"#,
    );
    asking.members();
    asking.table(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "10", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-10T00:00:00Z" | ok
        a | share_benefit | billing_account = "ba-a", benefit = "k", accounts = ["b"] | ok
        use | b | 10
        at | 2026-03-01T01:00:00Z
        use | b | 10
        at | 2026-03-01T02:00:00Z
        "#,
    );
    let (told, stands) = asking.booked("ba-b", Book::ToInvoice);
    assert_eq!(told, stands, "R1.3");
}
