//! Coupons: how they are granted, which charges they pay, and which they do not.

use super::super::Fact;
use super::super::asking::Asking;
use super::*;
use crate::time::Timestamp;

const MARCH: &str = r#"valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z""#;

fn valid(from: &str, until: &str) -> String {
    format!(r#"valid_from = "2026-03-01T{from}Z", valid_until = "2026-03-01T{until}Z""#)
}

/// R1.5, R9.8: every refusal of a grant, in its order.
#[test]
fn r5_2_every_refusal_of_a_coupon_in_its_order() {
    let ba = r#"billing_account = "ba-a""#;
    Asking::with_members().table(&format!(
        r#"
        operator | open_account | account = "eco", enterprise = "e", email = "x@y.example", mode = "postpaid", kind = "ecosystem", partner = "p" | ok
        operator | grant_coupon | billing_account = "none", coupon = "k", amount = "0", {backwards} | malformed
        operator | grant_coupon | billing_account = "none", coupon = "k", amount = "0", {empty} | malformed
        operator | grant_coupon | billing_account = "none", coupon = "k", amount = "0", {MARCH} | not_found
        operator | grant_coupon | billing_account = "ba-eco", coupon = "k", amount = "0", {MARCH} | not_for_ecosystem
        operator | grant_coupon | {ba}, coupon = "k", amount = "0", {MARCH} | invalid_amount
        operator | grant_coupon | {ba}, coupon = "k", amount = "-1", {MARCH} | invalid_amount
        operator | grant_coupon | {ba}, coupon = "k", amount = "0.001", {MARCH} | invalid_amount
        operator | grant_coupon | {ba}, coupon = "k", amount = "1", minimum = "-0.01", {MARCH} | invalid_amount
        operator | grant_coupon | {ba}, coupon = "k", amount = "1", minimum = "0", {minute} | ok
        operator | grant_coupon | {ba}, coupon = "k", amount = "1", {MARCH} | already_exists
        operator | grant_coupon | {ba}, coupon = "l", amount = "0.01", cash = true, {MARCH} | ok
        "#,
        backwards = valid("00:10:00", "00:09:00"),
        // Both mean the same full minute.
        empty = valid("00:10:01", "00:10:59"),
        minute = valid("00:10:00", "00:11:00"),
    ));
}

/// Where the open tab of an hour is cut when a coupon is granted.
fn cut(now: &str, coupon: &str) -> Vec<Timestamp> {
    let mut asking = Asking::with_members();
    asking.table(&format!(
        r#"
        at | 2026-03-01T00:00:00Z
        use | a | 5
        use | b | 5
        at | 2026-03-01T{now}Z
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "50", {coupon} | ok
        "#
    ));
    let a = asking.ledger.account_named(&"a".parse().unwrap()).unwrap();
    let cuts = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::TabCut(cut) => {
            assert_eq!((cut.account, cut.tab), (a, 0));
            Some(cut.until.starts())
        }
        _ => None,
    });
    cuts.collect()
}

/// R5.2: a coupon's begin and end cut what is collected of its wallet, but not earlier than the next minute, and only
/// where they divide it. A cash coupon pays bills, and cuts nothing.
#[test]
fn r5_2_a_new_coupon_cuts_the_open_tab_where_it_divides_it() {
    let day = r#"valid_from = "2026-02-28T00:00:00Z", valid_until = "2026-03-02T00:00:00Z""#;
    let cases = [
        ("00:20:00", valid("00:30:00", "02:00:00"), Some("00:30:00")),
        ("00:20:00", valid("00:00:00", "00:40:00"), Some("00:40:00")),
        ("00:20:00", valid("00:30:00", "00:40:00"), Some("00:30:00")),
        // An edge that lies behind cuts at the next full minute.
        ("00:20:30", valid("00:10:00", "02:00:00"), Some("00:21:00")),
        ("00:20:30", valid("00:10:00", "00:50:00"), Some("00:21:00")),
        ("00:58:59", valid("00:10:00", "02:00:00"), Some("00:59:00")),
        // Then the tab is over.
        ("00:59:00", valid("00:10:00", "02:00:00"), None),
        ("00:20:00", valid("00:00:00", "01:00:00"), None),
        ("00:20:00", valid("01:00:00", "02:00:00"), None),
        ("00:20:00", day.to_owned(), None),
        ("00:20:00", format!("{}, cash = true", valid("00:30:00", "00:40:00")), None),
    ];
    for (now, coupon, expected) in cases {
        let expected = expected.map(|at| format!("2026-03-01T{at}Z").parse::<Timestamp>().unwrap());
        assert_eq!(cut(now, &coupon), Vec::from_iter(expected), "{now} {coupon}");
    }
}

/// R5.2: a coupon pays what was used while it is valid: the charges of an hour are divided where it begins and ends. A
/// cash coupon divides nothing.
#[test]
fn r5_2_a_coupon_pays_what_was_used_while_it_is_valid() {
    Asking::with_members().table(&format!(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "early", amount = "100", {early} | ok
        at | 2026-03-01T00:29:00Z
        use | a | 5
        at | 2026-03-01T00:30:00Z
        use | a | 7
        see | balance ba-a | unsettled_current = "7"
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | unsettled_current = "7"
        # One that is granted in the middle of an hour pays what is used from the next minute on.
        at | 2026-03-01T01:20:00Z
        use | a | 1
        operator | grant_coupon | billing_account = "ba-a", coupon = "later", amount = "100", {later} | ok
        use | a | 2
        at | 2026-03-01T01:21:00Z
        use | a | 4
        at | 2026-03-01T02:00:00Z
        see | balance ba-a | unsettled_current = "10"
        "#,
        early = valid("00:00:00", "00:30:00"),
        later = valid("01:20:00", "02:00:00"),
    ));
}

/// R5.2, R4.2: of part of a bill whole minor units are paid; before it is billed all decimals are counted on.
#[test]
fn r5_2_part_of_a_bill_is_paid_in_whole_minor_units() {
    Asking::with_members().table(&format!(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "100", {} | ok
        at | 2026-03-01T00:10:00Z
        use | a | 5.555
        at | 2026-03-01T00:40:00Z
        use | a | 2.445
        see | balance ba-a | unsettled_current = "2.445"
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | unsettled_current = "2.45"
        "#,
        valid("00:00:00", "00:30:00"),
    ));
}

/// R5.2: no charge is paid twice, and what a coupon cannot pay is left to another.
#[test]
fn r5_2_what_one_coupon_has_paid_no_other_pays() {
    // Two coupons: amount and validity; used at 00:10, 00:30 and 00:50; what is left unpaid of it.
    let cases = [
        // The second finds 5 of the first ten.
        (("5", "00:00:00", "00:25:00"), ("20", "00:00:00", "00:45:00"), ["10", "0", "10"], "10"),
        // The first pays nothing of what was used before it, so the second finds 5 of what both may pay.
        (("5", "00:20:00", "00:40:00"), ("20", "00:20:00", "00:45:00"), ["10", "10", "0"], "10"),
        // What it covers is all paid by the first.
        (("10", "00:20:00", "00:40:00"), ("20", "00:20:00", "00:45:00"), ["10", "10", "0"], "10"),
        (("10", "00:20:00", "00:40:00"), ("20", "00:00:00", "00:45:00"), ["10", "10", "1"], "1"),
    ];
    for ((amount, from, until), (other, begins, ends), [early, middle, late], left) in cases {
        Asking::with_members().table(&format!(
            r#"
            operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "{amount}", {} | ok
            operator | grant_coupon | billing_account = "ba-a", coupon = "l", amount = "{other}", {} | ok
            at | 2026-03-01T00:10:00Z
            use | a | {early}
            at | 2026-03-01T00:30:00Z
            use | a | {middle}
            at | 2026-03-01T00:50:00Z
            use | a | {late}
            see | balance ba-a | unsettled_current = "{left}"
            at | 2026-03-01T01:00:00Z
            see | balance ba-a | unsettled_current = "{left}"
            "#,
            valid(from, until),
            valid(begins, ends),
        ));
    }
}

/// R9.7: a coupon that is shared with an account its own wallet pays for pays there once. One whose holder is frozen
/// pays for nobody else (R4.5).
#[test]
fn r9_7_a_shared_coupon_pays_once_and_not_for_a_frozen_holder() {
    let mut asking = Asking::with_members();
    asking.table(&format!(
        r#"
        operator | change_payer | account = "b", billing_account = "ba-a" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "10", {MARCH} | ok
        a | share_benefit | billing_account = "ba-a", benefit = "k", accounts = ["b", "c"] | ok
        at | 2026-03-01T00:10:00Z
        use | b | 15
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | unsettled_current = "5"
        operator | grant_coupon | billing_account = "ba-a", coupon = "l", amount = "10", {MARCH} | ok
        a | share_benefit | billing_account = "ba-a", benefit = "l", accounts = ["c"] | ok
        at | 2026-03-01T01:10:00Z
        use | c | 3
        a | freeze_billing_account | billing_account = "ba-a" | ok
        at | 2026-03-01T02:00:00Z
        see | balance ba-c | unsettled_current = "3"
        a | unfreeze_billing_account | billing_account = "ba-a" | ok
        at | 2026-03-01T02:10:00Z
        use | c | 4
        at | 2026-03-01T03:00:00Z
        see | balance ba-c | unsettled_current = "3"
        "#
    ));
    // The holder's entry says whose bill it paid.
    let wallet = |id: &str| asking.ledger.wallet_named(&id.parse().unwrap()).unwrap();
    let shared = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::Moved(moved) if moved.cause == Cause::Shared => Some(moved),
        _ => None,
    });
    let shared: Vec<_> =
        shared.map(|it| (it.wallet, it.amount, it.remark.as_ref().unwrap().as_str())).collect();
    let bill = asking.ledger.wallet(wallet("ba-c")).unwrap().bill_name(2);
    assert_eq!(shared, [(wallet("ba-a"), Amount::whole(-4), &*format!("bill {bill}"))]);
}

/// R9.7: a sharing rule shares new coupons, and the view says with whom; cash coupons are shared with nobody.
#[test]
fn r9_7_a_rule_shares_new_coupons_and_no_cash_coupons() {
    let mut asking = Asking::with_members();
    asking.table(&format!(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "before", amount = "10", {MARCH} | ok
        a | set_sharing_rule | billing_account = "ba-a", accounts = ["b"] | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "10", {MARCH} | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "cash", amount = "10", cash = true, {MARCH} | ok
        "#
    ));
    let number = asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    let row = asking.ledger.benefits(number).unwrap();
    let shared: Vec<_> = row
        .shared_coupons
        .iter()
        .map(|it| (it.coupon.as_str(), it.left, it.accounts.clone(), it.organisations.len()))
        .collect();
    assert_eq!(shared, [("k", Amount::whole(10), vec!["b".parse().unwrap()], 0)]);
    let served = asking.facts.0.iter().filter(|fact| matches!(fact, Fact::ServedChanged(_)));
    assert_eq!(served.count(), 1);
}
