//! What is charged by itself.

use super::super::Fact;
use super::super::asking::Asking;
use super::super::desk_tests::check;

/// R6.1, R6.5: a retry is for all then owed, and the open cycle is part of that.
#[test]
fn r6_5_a_retry_charges_the_open_cycle_too() {
    Asking::with_members().table(
        r#"
        operator | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        at | 2026-03-01T00:10:00Z
        use | a | 1000
        answer | ba-a | declined
        at | 2026-03-02T00:05:00Z
        use | a | 7
        see | balance ba-a | unsettled_current = "1007"
        at | 2026-03-02T00:10:00Z
        answer | ba-a | succeeded
        see | balance ba-a | unsettled_current = "0"
        "#,
    );
}

/// R6.2, R3.6: all that is owed at the end of a month is charged then, what was used in its last hour too.
#[test]
fn r6_2_the_last_hour_of_a_month_is_charged_with_it() {
    super::super::desk_tests::check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100
        at 2026-03-31T23:30:00Z
        use a p 1
        at 2026-03-31T23:59:59Z
        asked ba-a                  ->
        at 2026-04-01T00:00:00Z
        asked ba-a                  -> month_end 1.01 visa
        answers ba-a succeeded
        at 2026-04-30T23:59:59Z
        asked ba-a                  ->
        ",
    );
}

/// R6.2: all that is owed at the end of a month is charged, however little that is.
#[test]
fn r6_2_a_cent_is_charged_at_the_end_of_a_month() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 1
        at 2026-03-31T23:59:59Z
        asked ba-a                  ->
        at 2026-04-01T00:00:00Z
        asked ba-a                  -> month_end 0.01 visa
        ",
    );
}

/// R6.8, R6.1: what accrues before the result of a threshold's payment stays owed: there is no second payment for it.
#[test]
fn r6_8_what_accrues_before_the_result_stays_owed() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        asked ba-a                  -> threshold 1000 visa
        use a p 40
        answers ba-a succeeded
        asked ba-a                  ->
        balance ba-a                -> unsettled_current=0.4
        at 2026-03-31T23:59:59Z
        asked ba-a                  ->
        balance ba-a                -> unsettled_current=0.4
        ",
    );
}

/// R6.3: when a payment is declined, money that came meanwhile pays the bills that were in flight, the oldest first.
#[test]
fn r6_3_what_came_meanwhile_pays_bills_whose_payment_is_declined() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        asked ba-a                  -> threshold 1000 visa
        top_up billing_account=ba-a amount=300 currency=USD method=bank_transfer
        balance ba-a                -> cash=300
        answers ba-a declined
        balance ba-a                -> cash=0 unsettled_current=700
        ",
    );
}

/// R3.5: a bill that a threshold issues early belongs to the invoice period of its last covered instant, which is
/// now and not the end of its cycle.
#[test]
fn r3_5_an_early_bill_belongs_to_the_period_of_its_issue() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | configure | billing_account = "ba-a", bill_cycle = "month" | ok
        operator | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        at | 2026-03-05T00:00:00Z
        use | a | 1000
        answer | ba-a | succeeded
        use | a | 7
        at | 2026-04-01T00:00:00Z
        "#,
    );
    let halves = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::BillIssued(issued) => Some(format!("{} {:?}", issued.bill.amount, issued.bill.half)),
        _ => None,
    });
    assert_eq!(halves.collect::<Vec<_>>(), ["1000 2026-03/1", "7 2026-03/2"], "R3.5");
}

/// R6.5: tried again one, three and five days after the first decline, whatever the tries between came to.
#[test]
fn r6_5_tries_are_counted_from_the_first_decline() {
    super::super::desk_tests::check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        asked ba-a                  -> threshold 1000 visa
        answers ba-a declined
        at 2026-03-02T00:00:00Z
        asked ba-a                  -> retry 1000 visa
        answers ba-a declined
        at 2026-03-03T23:59:59Z
        asked ba-a                  ->
        at 2026-03-04T00:00:00Z
        asked ba-a                  -> retry 1000 visa
        answers ba-a declined
        at 2026-03-05T23:59:59Z
        asked ba-a                  ->
        at 2026-03-06T00:00:00Z
        asked ba-a                  -> retry 1000 visa
        answers ba-a declined
        at 2026-04-02T00:00:00Z
        asked ba-a                  ->
        ",
    );
}

/// R6.1: owed is what the open cycle would bill, so a threshold counts as reached by what rounds up to it.
#[test]
fn r6_1_a_threshold_is_reached_by_rounding_up() {
    super::super::desk_tests::check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 10000
        use a p 89999.4
        asked ba-a                  ->
        use a p 0.1
        asked ba-a                  -> threshold 1000 visa
        ",
    );
}

/// R6.2: all that is owed at the end of a month is charged then, what earlier months left unpaid too.
#[test]
fn r6_2_what_earlier_months_left_is_charged_with_it() {
    super::super::desk_tests::check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        use a p 100
        at 2026-04-10T00:00:00Z
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 50
        at 2026-04-30T23:59:59Z
        balance ba-a                -> unsettled_previous=1 unsettled_current=0.5
        asked ba-a                  ->
        at 2026-05-01T00:00:00Z
        asked ba-a                  -> month_end 1.5 visa
        answers ba-a succeeded
        balance ba-a                -> unsettled_previous=0 unsettled_current=0
        ",
    );
}

/// R6.5: a try that comes due when what was used since makes up for what was declined asks for nothing, and is passed.
#[test]
fn r6_5_a_try_for_nothing_is_passed() {
    super::super::desk_tests::check(
        "payments.retry_after = [\"90m\", \"3h\"]",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        answers ba-a declined
        at 2026-03-01T01:10:00Z
        use a p -100000
        at 2026-03-01T01:45:00Z
        asked ba-a                  -> threshold 1000 visa
        use a p 100000
        at 2026-03-01T03:00:00Z
        asked ba-a                  -> retry 1000 visa
        ",
    );
}

/// R6.5: a method that is linked where there is none is preferred, and pays at once what was declined.
#[test]
fn r6_5_the_next_method_pays_what_was_declined() {
    super::super::desk_tests::check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        answers ba-a declined
        asked ba-a                  -> threshold 1000 visa
        unlink_payment_method billing_account=ba-a method=visa
        link_payment_method billing_account=ba-a method=pal kind=paypal token=t -> later
        answers ba-a awaits_approval
        asked ba-a                  ->
        answers ba-a succeeded
        asked ba-a                  -> manual 1000 pal
        ",
    );
}

/// R6.5: whoever unlinks what was declined is not billed early, as nothing is there to be charged.
#[test]
fn r6_5_without_a_method_nothing_is_billed_early() {
    let desk = super::super::desk_tests::check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        answers ba-a declined
        use a p 50
        unlink_payment_method billing_account=ba-a method=visa
        ",
    );
    let billed = desk.recorder.0.iter().filter(|fact| matches!(fact, Fact::BillIssued(_)));
    assert_eq!(billed.count(), 1);
}

/// R6.4, R6.5: a try that got through after all cures only if nothing that was declined is left.
#[test]
fn r6_5_a_late_success_cures_if_it_pays_all_that_was_declined() {
    super::super::desk_tests::check(
        "payments.retry_after = [\"1d\"]",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        answers ba-a declined
        use a p 500
        at 2026-03-02T00:00:00Z
        asked ba-a                  -> threshold 1000 visa, retry 1005 visa
        answers ba-a declined
        balance ba-a                -> overdue=true
        answers ba-a 2 succeeded
        balance ba-a                -> overdue=true unsettled_current=5
        answers ba-a 3 succeeded
        balance ba-a                -> overdue=false cash=1000
        ",
    );
}

/// R8.1: with a method it is overdue when the tries have run out, not while the last one is under way; another payment
/// that is under way since changes nothing of that.
#[test]
fn r8_1_a_payment_by_hand_ends_it_only_by_its_success() {
    super::super::desk_tests::check(
        "payments.retry_after = [\"1d\"]",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        answers ba-a declined
        at 2026-03-02T00:00:00Z
        asked ba-a                  -> threshold 1000 visa, retry 1000 visa
        balance ba-a                -> overdue=false
        answers ba-a declined
        balance ba-a                -> overdue=true
        pay billing_account=ba-a
        asked ba-a                  -> manual 1000 visa
        balance ba-a                -> overdue=true
        answers ba-a succeeded
        balance ba-a                -> overdue=false
        ",
    );
}

/// R5.4, R6.1: with automatic write-off off, cash pays down to the limit and no further; what is left of the limit is
/// what counts for the threshold.
#[test]
fn r6_1_cash_that_pays_down_to_the_limit_leaves_the_rest_to_be_charged() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        set_credit_limit billing_account=ba-a limit=1500
        confirm_contract billing_account=ba-a
        configure billing_account=ba-a auto_write_off=false
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        top_up billing_account=ba-a amount=2000 currency=USD method=bank_transfer
        use a p 99999
        asked ba-a                  ->
        use a p 150001
        asked ba-a                  -> threshold 1500 visa
        balance ba-a                -> cash=1000
        ",
    );
}
