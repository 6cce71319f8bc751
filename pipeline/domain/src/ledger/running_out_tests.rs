//! Owners are told that credit runs out (R8.6, R8.8).

use super::super::Fact;
use super::super::desk_tests::check;
use crate::money::Amount;

fn prepaid(settings: &str, units: u32, table: &str) {
    let accounts = format!(
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
        top_up billing_account=ba-a amount={units} currency=USD method=bank_transfer
        "
    );
    check(settings, &format!("{accounts}{table}"));
}

#[test]
fn r8_6_told_when_credit_lasts_too_few_days_and_once_a_local_day() {
    prepaid(
        "",
        100,
        "
        # 10.00 a day, 90.00 left: nine days.
        use a p 1000
        told ba-a                   ->
        # 16.66 a day, 83.34 left: five days and a little. Then not quite.
        use a p 666
        told ba-a                   ->
        use a p 1
        told ba-a                   -> runway
        use a p 100
        at 2026-03-01T01:00:00Z
        told ba-a                   ->
        # It recovers and falls again on the same day: told on the next one.
        top_up billing_account=ba-a amount=100 currency=USD method=bank_transfer
        use a p 3000
        at 2026-03-01T23:59:59Z
        told ba-a                   ->
        at 2026-03-02T00:30:00Z
        use a p 100
        told ba-a                   -> runway
        ",
    );
}

/// Whose services are stopped by something else than available credit is not warned of it.
#[test]
fn r8_6_only_where_available_credit_is_judged_directly() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 1000
        at 2026-03-01T01:00:00Z
        told ba-a                   ->
        unlink_payment_method billing_account=ba-a method=visa
        told ba-a                   -> runway
        ",
    );
}

#[test]
fn r8_8_told_at_the_end_of_a_cycle_that_the_next_ones_are_not_covered() {
    prepaid(
        "runway.alert_days = 0",
        50,
        "
        # 10.00 in seven hours: three hours at that rate cost 4.28.
        use a p 1000
        at 2026-03-01T01:00:00Z
        told ba-a                   ->
        # 42.00 in seven hours: three hours at that rate cost 18.00, and 8.00 are left.
        use a p 3200
        told ba-a                   ->
        at 2026-03-01T01:59:59Z
        told ba-a                   ->
        at 2026-03-01T02:00:00Z
        told ba-a                   -> near_due
        use a p 100
        at 2026-03-01T03:00:00Z
        told ba-a                   ->
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        use a p 100
        at 2026-03-01T04:00:00Z
        told ba-a                   ->
        use a p 1500
        at 2026-03-01T05:00:00Z
        told ba-a                   -> near_due
        ",
    );
}

/// R3.6, R8.8: whose payer changes as a cycle ends is told of by the one who has paid for it.
#[test]
fn r8_8_a_new_payer_begins_behind_the_end_of_a_cycle() {
    prepaid(
        "runway.alert_days = 0",
        50,
        "
        open_account account=c enterprise=e email=c@x.example currency=USD mode=prepaid
        use a p 4200
        change_payer account=a billing_account=ba-c effective_at=2026-03-01T01:00:00Z
        at 2026-03-01T01:00:00Z
        told ba-a                   -> near_due
        ",
    );
}

/// Where nothing is told for a while, because services stop by something else, it has not recovered.
#[test]
fn r8_8_one_notice_until_credit_covers_the_next_cycles_again() {
    check(
        "runway.alert_days = 0",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        top_up billing_account=ba-a amount=50 currency=USD method=bank_transfer
        use a p 4500
        at 2026-03-01T01:00:00Z
        told ba-a                   -> near_due
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100
        at 2026-03-01T02:00:00Z
        unlink_payment_method billing_account=ba-a method=visa
        use a p 100
        at 2026-03-01T03:00:00Z
        told ba-a                   ->
        ",
    );
}

#[test]
fn r1_5_a_threshold_is_an_amount() {
    check(
        "",
        r#"
        open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"-1.00"}  -> invalid_amount
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"0.001"}  -> invalid_amount
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"0.00"}
        "#,
    );
}

/// The owner knows what he sets; what comes after that is told.
#[test]
fn r8_5_being_below_a_new_threshold_counts_at_the_next_change() {
    prepaid(
        "runway.alert_days = 0",
        20,
        r#"
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"50.00"}
        use a p 0
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"60.00"}
        configure billing_account=ba-a write_off_previous=true
        told ba-a                   ->
        use a p 1
        told ba-a                   -> low_balance
        # So does being above a lower one; meanwhile the series is silent.
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"10.00"}
        told ba-a                   ->
        at 2026-03-02T00:00:00Z
        told ba-a                   ->
        use a p 1
        told ba-a                   -> recovered
        "#,
    );
}

/// R8.8: credit that covers the next three cycles to the cent covers them.
#[test]
fn r8_8_just_enough_is_enough() {
    prepaid(
        "runway.alert_days = 0",
        60,
        "
        # 42.00 in seven hours: three hours at that rate cost 18.00, and 18.00 are left.
        use a p 4200
        at 2026-03-01T01:00:00Z
        told ba-a                   ->
        use a p 1
        at 2026-03-01T02:00:00Z
        told ba-a                   -> near_due
        ",
    );
}

/// R3.6, R8.8: payments go before notices, so who is charged at a cycle's end is judged once that is answered.
#[test]
fn r8_8_who_is_being_charged_is_not_warned_before_the_answer() {
    for (answer, told) in
        [("succeeded", "payment_succeeded"), ("declined", "payment_failed, near_due")]
    {
        prepaid(
            "runway.alert_days = 0\nalerts.near_due_cycles = 0",
            20,
            &format!(
                "
                link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
                answers ba-a succeeded
                at 2026-03-31T23:30:00Z
                use a p 3000
                told ba-a                   -> suspended
                at 2026-04-01T00:00:00Z
                asked ba-a                  -> month_end 10 visa
                told ba-a                   ->
                answers ba-a {answer}
                told ba-a                   -> {told}
                "
            ),
        );
    }
}

/// R8.6: told once until credit lasts long enough again, on whatever day something else changes; that it does is noted
/// once as well.
#[test]
fn r8_6_what_was_told_is_not_told_again_before_it_is_over() {
    let desk = check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
        top_up billing_account=ba-a amount=100 currency=USD method=bank_transfer
        use a p 5000
        told ba-a                   -> runway
        at 2026-03-02T00:30:00Z
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        told ba-a                   ->
        top_up billing_account=ba-a amount=1000 currency=USD method=bank_transfer
        top_up billing_account=ba-a amount=50 currency=USD method=bank_transfer
        told ba-a                   ->
        ",
    );
    let alerts = desk.recorder.0.iter().filter_map(|fact| match fact {
        Fact::RunwayChanged(changed) => {
            Some(format!("{} {}", changed.alert.told_at, changed.alert.recovered))
        }
        _ => None,
    });
    let expected = ["2026-03-01T00:00:00Z false", "2026-03-01T00:00:00Z true"];
    assert_eq!(alerts.collect::<Vec<_>>(), expected);
}

/// R8.6: where an account is closed, or somebody else pays for it, nobody is warned for it.
#[test]
fn r8_6_only_open_accounts_that_it_pays_for_count() {
    for ends in ["close_account account=a", "change_payer account=a billing_account=ba-c"] {
        prepaid(
            "",
            100,
            &format!(
                "
                open_account account=c enterprise=e email=c@x.example currency=USD mode=prepaid
                use a p 1000
                {ends}
                at 2026-03-01T00:01:00Z
                withdraw billing_account=ba-a amount=50.00
                told ba-a                   ->
                "
            ),
        );
    }
    prepaid(
        "",
        100,
        "
        use a p 1000
        at 2026-03-01T00:01:00Z
        withdraw billing_account=ba-a amount=50.00
        told ba-a                   -> runway
        ",
    );
}

/// R8.6: how far charges may go before anybody need be told: a sixth of what is left over five days, nothing where it
/// is short already, and no bound at all where it was told or credit stops nothing.
#[test]
fn r8_6_headroom_ends_before_a_warning_could_be_due() {
    let headroom = |table: &str, available: i64| {
        let desk = check(
            "",
            &format!(
                "
                open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
                open_account account=c enterprise=e email=c@x.example currency=USD mode=postpaid
                top_up billing_account=ba-a amount=100 currency=USD method=bank_transfer
                {table}
                "
            ),
        );
        let number = desk.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
        let wallet = desk.ledger.wallet(number).unwrap();
        desk.ledger.runway_headroom(number, wallet, Amount::whole(available)).unwrap()
    };
    assert_eq!(headroom("use a p 1000", 90), Some("6.666666666667".parse().unwrap()));
    assert_eq!(headroom("use a p 1000", 50), Some(Amount::ZERO));
    assert_eq!(headroom("use a p 1000", -5), Some(Amount::ZERO));
    assert_eq!(headroom("use a p 2000", 80), None, "it is told");
    let recovers =
        "use a p 2000\n top_up billing_account=ba-a amount=100 currency=USD method=bank_transfer";
    assert_eq!(headroom(recovers, 180), Some("13.333333333333".parse().unwrap()));
    assert_eq!(headroom("use a p 1000\n close_account account=a", 90), None, "nothing stops");
}
