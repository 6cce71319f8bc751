//! Bills paid by hand (R6.6).

use super::super::asking::Asking;
use super::super::desk_tests::check;

/// An account that owes 50.00 of three bills, and a billing account that settles with a partner.
const OWES: &str = "
    open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
    open_account account=b enterprise=e email=b@x.example currency=USD mode=postpaid kind=ecosystem partner=p
    use a p 1000
    at 2026-03-01T01:00:00Z
    use a p 1500
    at 2026-03-01T02:00:00Z
    use a p 2500
    at 2026-03-01T03:00:00Z
";

fn pays(table: &str) {
    check("", &format!("{OWES}{table}"));
}

#[test]
fn r6_6_every_refusal_in_its_order() {
    pays(
        r#"
        pay billing_account=ba-nobody amount=0.001 method=visa -> not_found
        pay billing_account=ba-b amount=0.001                  -> not_for_ecosystem
        pay billing_account=ba-a bills=["ba-a.4"] amount=0.001 -> not_found
        pay billing_account=ba-a bills=["ba-a.0"]              -> not_found
        pay billing_account=ba-a bills=["ba-b.1"]              -> not_found
        pay billing_account=ba-a method=visa amount=0.001      -> not_found
        pay billing_account=ba-a amount=0.001                  -> invalid_amount
        pay billing_account=ba-a amount=0.00                   -> invalid_amount
        pay billing_account=ba-a amount=-5.00                  -> invalid_amount
        pay billing_account=ba-a amount=50.01                  -> exceeds_outstanding
        pay billing_account=ba-a bills=["ba-a.2"] amount=15.01 -> exceeds_outstanding
        pay billing_account=ba-a amount=50.00                  -> no_method
        link_payment_method billing_account=ba-a method=visa kind=card token=t expires=2026-04 -> later
        answers ba-a succeeded
        pay billing_account=ba-a amount=5.00
        # While it is in flight that comes before all that is said of the particular payment.
        pay billing_account=ba-b amount=0.001                  -> not_for_ecosystem
        pay billing_account=ba-a amount=0.001 method=nobody bills=["x"] -> payment_in_progress
        answers ba-a declined
        # The charge at the end of March is declined when its card has expired.
        at 2026-05-01T00:00:00Z
        answers ba-a declined
        pay billing_account=ba-a amount=5.00 method=visa       -> no_method
    "#,
    );
}

#[test]
fn r6_6_the_oldest_bills_first_or_those_that_are_chosen() {
    pays(
        r#"
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        pay billing_account=ba-a amount=12.00
        asked ba-a                      -> manual 12 visa
        answers ba-a succeeded
        balance ba-a                    -> unsettled_current=38 cash=0
        pay billing_account=ba-a bills=["ba-a.1"]
        asked ba-a                      ->
        pay billing_account=ba-a bills=["ba-a.3","ba-a.1","ba-a.3"] amount=24.00
        asked ba-a                      -> manual 24 visa
        answers ba-a succeeded
        balance ba-a                    -> unsettled_current=14 cash=0
        pay billing_account=ba-a
        asked ba-a                      -> manual 14 visa
        answers ba-a succeeded
        balance ba-a                    -> unsettled_current=0 cash=0
        # Nothing is owed, and nothing happens.
        pay billing_account=ba-a
        asked ba-a                      ->
    "#,
    );
}

#[test]
fn r6_6_what_the_balance_covers_and_the_rest_by_the_method() {
    pays(
        r#"
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        set_credit_limit billing_account=ba-a limit=100
        confirm_contract billing_account=ba-a
        configure billing_account=ba-a auto_write_off=false
        top_up billing_account=ba-a amount=30.00 currency=USD method=bank_transfer
        balance ba-a                    -> cash=30 unsettled_current=50
        pay billing_account=ba-a amount=20.00
        asked ba-a                      ->
        balance ba-a                    -> cash=10 unsettled_current=30
        pay billing_account=ba-a
        asked ba-a                      -> manual 20 visa
        balance ba-a                    -> cash=0 unsettled_current=20
        answers ba-a succeeded
        balance ba-a                    -> cash=0 unsettled_current=0
    "#,
    );
}

/// R6.5: what was asked for by hand is told, begins no series, and is not tried again.
#[test]
fn r6_5_a_payment_by_hand_is_not_retried() {
    pays(
        r#"
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        told ba-a                       -> overdue, suspended, runway, near_due, resumed
        pay billing_account=ba-a bills=["ba-a.1"]
        asked ba-a                      -> manual 10 visa
        answers ba-a declined
        told ba-a                       -> payment_failed
        at 2026-03-20T00:00:00Z
        asked ba-a                      ->
        # It is charged as ever at the end of the month.
        at 2026-04-01T00:00:00Z
        asked ba-a                      -> month_end 50 visa
        answers ba-a declined
        # A payment by hand neither takes the place of a retry nor ends the series, unless it pays for it.
        pay billing_account=ba-a amount=1.00
        asked ba-a                      -> manual 1 visa
        at 2026-04-02T01:00:00Z
        asked ba-a                      ->
        answers ba-a succeeded
        at 2026-04-02T01:00:01Z
        asked ba-a                      -> retry 49 visa
        answers ba-a declined
        pay billing_account=ba-a
        answers ba-a succeeded
        asked ba-a                      -> manual 49 visa
        at 2026-04-20T00:00:00Z
        asked ba-a                      ->
    "#,
    );
}

/// R6.4: money that was really received is booked, to its bills or as cash.
#[test]
fn r6_4_a_payment_by_hand_that_was_paid_after_all_is_booked_once() {
    pays(
        r#"
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        pay billing_account=ba-a amount=15.00
        answers ba-a declined
        top_up billing_account=ba-a amount=20.00 currency=USD method=bank_transfer
        balance ba-a                    -> cash=0 unsettled_current=30
        answers ba-a succeeded
        balance ba-a                    -> cash=0 unsettled_current=15
        answers ba-a succeeded
        balance ba-a                    -> cash=0 unsettled_current=15
    "#,
    );
}

/// R1.2: rounding is held back by whoever pays: what one billing account has not been billed for is no other's.
#[test]
fn r1_2_what_rounding_holds_back_stays_with_its_payer() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        open_account account=c enterprise=e email=c@x.example currency=USD mode=postpaid
        use a p 0.4
        at 2026-03-01T01:00:00Z
        change_payer account=a billing_account=ba-c
        use a p 0.4
        at 2026-03-01T02:00:00Z
        balance ba-a                    -> unsettled_current=0
        balance ba-c                    -> unsettled_current=0
        use a p 0.4
        at 2026-03-01T03:00:00Z
        balance ba-c                    -> unsettled_current=0.01
        ",
    );
}

/// R1.2: what rounding held back joins the next bill of that month, and none of a later one.
#[test]
fn r1_2_what_rounding_holds_back_ends_with_its_month() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        at 2026-03-31T23:30:00Z
        use a p 0.4
        at 2026-04-01T00:30:00Z
        balance ba-a                    -> unsettled_previous=0 unsettled_current=0
        use a p 0.4
        at 2026-04-01T01:00:00Z
        balance ba-a                    -> unsettled_previous=0 unsettled_current=0
        use a p 0.4
        at 2026-04-01T02:00:00Z
        balance ba-a                    -> unsettled_previous=0 unsettled_current=0.01
        ",
    );
}

/// R5.1: a bill holds the charges of its own cycle; those of the next, which is open already, wait for theirs.
#[test]
fn r5_1_a_bill_leaves_the_next_cycle_open() {
    check(
        "bills.grace = \"15m\"",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        at 2026-03-01T00:30:00Z
        use a p 1000
        at 2026-03-01T01:05:00Z
        use a p 500
        at 2026-03-01T01:15:00Z
        balance ba-a                    -> unsettled_current=15
        pay billing_account=ba-a amount=10.01 -> exceeds_outstanding
        at 2026-03-01T02:15:00Z
        balance ba-a                    -> unsettled_current=15
        pay billing_account=ba-a amount=15.01 -> exceeds_outstanding
        pay billing_account=ba-a amount=15.00 -> no_method
        ",
    );
}

/// R5.3: write-off runs when a switch that allows it is turned on, that of earlier months too.
#[test]
fn r5_3_a_switch_that_allows_write_off_sets_it_off() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        use a p 1000
        at 2026-04-01T01:00:00Z
        refund_order billing_account=ba-a order=o amount=30.00 to=credit
        balance ba-a                    -> credit_refund=30 unsettled_previous=10
        configure billing_account=ba-a write_off_previous=true
        balance ba-a                    -> credit_refund=20 unsettled_previous=0
        ",
    );
}

/// R5.3: write-off runs when money arrives, that which a sender takes back too.
#[test]
fn r5_3_what_is_taken_back_pays_what_waited() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        open_account account=c enterprise=e email=c@x.example currency=USD mode=postpaid
        top_up billing_account=ba-a amount=50 currency=USD method=bank_transfer
        transfer from=ba-a to=ba-c amount=50.00
        use a p 1000
        at 2026-03-01T01:00:00Z
        balance ba-a                    -> cash=0 unsettled_current=10
        revoke_transfer from=ba-a to=ba-c amount=30.00
        balance ba-a                    -> cash=20 unsettled_current=0
        ",
    );
}

/// R5.3: cash coupons pay while they are valid, then cash, that which others sent before own.
#[test]
fn r5_3_what_others_sent_goes_before_own_cash_and_no_expired_coupon_pays() {
    Asking::with_members().table(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", cash = true, amount = "10", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-03-01T01:30:00Z" | ok
        operator | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "bank_transfer" | ok
        operator | top_up | billing_account = "ba-c", amount = "20", currency = "USD", method = "bank_transfer" | ok
        operator | transfer | from = "ba-c", to = "ba-a", amount = "20" | ok
        use | a | 5
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | cash = "40", cash_transferred_in = "20", unsettled_current = "0"
        use | a | 5
        # It has expired, and what is left of it pays nothing more.
        at | 2026-03-01T02:00:00Z
        see | balance ba-a | cash = "35", cash_transferred_in = "15", unsettled_current = "0"
        "#,
    );
}

/// R3.6, R5.3: what begins or expires at an instant does so after the bills of that instant.
#[test]
fn r3_6_a_cash_coupon_pays_the_bills_of_the_instant_at_which_it_expires() {
    Asking::with_members().table(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "ends", cash = true, amount = "10", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-03-01T02:00:00Z" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "begins", cash = true, amount = "10", valid_from = "2026-03-01T02:00:00Z", valid_until = "2026-03-01T03:00:00Z" | ok
        at | 2026-03-01T01:00:00Z
        use | a | 12
        at | 2026-03-01T02:00:00Z
        # 10 of the one that ends, then 2 of the one that begins.
        see | balance ba-a | unsettled_current = "0"
        use | a | 7
        at | 2026-03-01T03:00:00Z
        see | balance ba-a | unsettled_current = "0"
        use | a | 1
        at | 2026-03-01T04:00:00Z
        # One that is over pays nothing more, whatever is left of it.
        see | balance ba-a | unsettled_current = "1"
        "#,
    );
}

/// R5.8: what coupons paid of an order that is given back goes to them, and is lost if they have expired.
#[test]
fn r5_8_what_an_expired_coupon_paid_of_an_order_is_lost() {
    let desk = check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        grant_coupon billing_account=ba-a coupon=soon amount=5 valid_from=2026-03-01T00:00:00Z valid_until=2026-03-02T00:00:00Z
        grant_coupon billing_account=ba-a coupon=late amount=5 valid_from=2026-03-01T00:00:00Z valid_until=2026-04-01T00:00:00Z
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        place_order billing_account=ba-a order=o amount=20
        balance ba-a                    -> cash=10
        at 2026-03-02T00:00:00Z
        refund_order billing_account=ba-a order=o amount=20.00 to=original
        balance ba-a                    -> cash=20
        ",
    );
    let wallet = desk.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    let coupons = desk.ledger.coupons(wallet).unwrap().coupons;
    let left: Vec<_> = coupons.iter().map(|row| format!("{} {}", row.coupon, row.left)).collect();
    assert_eq!(left, ["soon 0", "late 5"], "R5.8");
}

/// R4.2: what is unsettled is kept by month, and the last cycle of a month is of that month while its bill waits.
#[test]
fn r4_2_an_open_cycle_belongs_to_the_month_it_ends() {
    check(
        "bills.grace = \"15m\"",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        at 2026-03-31T23:30:00Z
        use a p 1000
        balance ba-a                    -> unsettled_current=10 unsettled_previous=0
        at 2026-04-01T00:05:00Z
        use a p 300
        balance ba-a                    -> unsettled_current=3 unsettled_previous=10
        at 2026-04-01T00:15:00Z
        balance ba-a                    -> unsettled_current=3 unsettled_previous=10
        ",
    );
}
