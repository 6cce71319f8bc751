//! Automatic recharge (R6.7) and the tests of its method (R7.2).

use super::super::Burned;
use super::super::desk_tests::check;
use crate::money::Amount;
use crate::time::Timestamp;

const ACCOUNTS: &str = r#"
    open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
    open_account account=c enterprise=e email=c@x.example currency=CNY mode=postpaid
    open_account account=b enterprise=e email=b@x.example currency=USD mode=postpaid kind=ecosystem partner=p
"#;

/// 10.00 of use a day makes 300.00 a month; 1,990.00 are available, and a recharge brings 500.00.
const ON: &str = r#"
    link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
    answers ba-a succeeded
    top_up billing_account=ba-a amount=2000 currency=USD method=bank_transfer
    use a p 1000
    configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"500.00"}
"#;

fn recharge(settings: &str, table: &str) {
    check(settings, &format!("{ACCOUNTS}{table}"));
}

#[test]
fn r6_7_every_refusal_in_its_order() {
    recharge(
        "",
        r#"
        configure billing_account=ba-x auto_recharge={"enabled":true,"amount":"0.001","percents":[]}     -> not_found
        configure billing_account=ba-b auto_recharge={"enabled":true,"amount":"0.001","percents":[]}     -> not_for_ecosystem
        configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"0.001","percents":[]}     -> malformed
        configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"0.001","percents":["0"]}  -> malformed
        configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"0.001","percents":["101"]} -> malformed
        configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"0.001"}                   -> invalid_amount
        configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"19.99"}                   -> below_minimum
        configure billing_account=ba-c auto_recharge={"enabled":true,"amount":"50000.01"}                -> method_not_allowed
        configure billing_account=ba-c auto_recharge={"enabled":true,"amount":"50000.00","percents":["50"]}
        "#,
    );
}

#[test]
fn r6_7_what_a_month_costs_stays_fixed_till_midnight() {
    recharge(
        "",
        &format!(
            r#"{ON}
            use a p 99000
            configure billing_account=ba-a auto_recharge={{"enabled":true,"amount":"600.00"}}
            asked ba-a                  ->
            "#
        ),
    );
}

#[test]
fn r11_3_what_could_not_be_recharged_is_recharged_once_it_is_allowed_again() {
    recharge(
        "",
        &format!(
            "{ON}
            freeze_recharge enterprise=e
            use a p 193000
            asked ba-a                  ->
            unfreeze_recharge enterprise=e
            asked ba-a                  -> recharge 500 visa
            "
        ),
    );
}

#[test]
fn r11_3_no_method_is_tested_while_top_ups_are_stopped() {
    recharge(
        "topup.test_every = \"1d\"",
        &format!(
            "{ON}
            freeze_recharge enterprise=e
            at 2026-03-02T00:00:00Z
            asked ba-a                  ->
            told ba-a                   ->
            unfreeze_recharge enterprise=e
            at 2026-03-03T00:00:00Z
            asked ba-a                  -> test 1 visa
            "
        ),
    );
}

#[test]
fn r6_7_a_percent_is_spent_until_available_credit_is_above_it() {
    recharge(
        "",
        &format!(
            "{ON}
            use a p 192999
            asked ba-a                  ->
            # 20% of 300.00 are left.
            use a p 1
            asked ba-a                  -> recharge 500 visa
            use a p 1000
            asked ba-a                  ->
            # 5% are left, while the first is still in flight.
            use a p 3500
            asked ba-a                  -> recharge 500 visa
            use a p 10000
            asked ba-a                  ->
            answers ba-a 2 succeeded
            balance ba-a                -> available=415
            # Both are armed again; several that are crossed at once are one recharge.
            use a p 120000
            asked ba-a                  -> recharge 500 visa
            # All of them are spent by it, however far below them it still is.
            answers ba-a 3 succeeded
            balance ba-a                -> available=-285
            asked ba-a                  ->
            answers ba-a 4 succeeded
            balance ba-a                -> available=215
            "
        ),
    );
}

/// What a month usually costs is fixed at local midnight: 10.00 a day first, and 1,960.00 in two days then.
#[test]
fn r6_7_the_usual_cost_is_fixed_at_midnight() {
    recharge(
        "",
        &format!(
            "{ON}
            use a p 100000
            use a p 80000
            balance ba-a                -> available=190
            asked ba-a                  ->
            at 2026-03-01T23:59:59Z
            asked ba-a                  ->
            at 2026-03-02T00:00:00Z
            asked ba-a                  -> recharge 500 visa
            "
        ),
    );
}

/// March 300.00, April 600.00, May 900.00: usually 600.00. In the last seven days there was no use.
#[test]
fn r6_7_three_full_months_are_better_than_the_daily_burn() {
    recharge(
        "",
        r#"
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        top_up billing_account=ba-a amount=3000 currency=USD method=bank_transfer
        use a p 30000
        at 2026-04-10T00:00:00Z
        use a p 60000
        at 2026-05-10T00:00:00Z
        use a p 90000
        at 2026-06-01T00:00:00Z
        configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"20.00","percents":["50","10"]}
        use a p 89999
        asked ba-a                  ->
        use a p 1
        asked ba-a                  -> recharge 20 visa
        answers ba-a succeeded
        "#,
    );
}

/// R6.7: a month that was charged from its tenth day on is no full one: the daily burn counts, and there is none.
#[test]
fn r6_7_a_month_that_began_later_is_no_full_month() {
    recharge(
        "",
        r#"
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        top_up billing_account=ba-a amount=3000 currency=USD method=bank_transfer
        at 2026-03-10T00:00:00Z
        use a p 30000
        at 2026-04-10T00:00:00Z
        use a p 60000
        at 2026-05-10T00:00:00Z
        use a p 90000
        at 2026-06-01T00:00:00Z
        configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"20.00","percents":["50","10"]}
        use a p 90000
        asked ba-a                  ->
        "#,
    );
}

#[test]
fn r6_7_without_burn_nothing_fires() {
    recharge(
        "",
        r#"
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"20.00"}
        at 2026-03-03T00:00:00Z
        asked ba-a                  ->
        "#,
    );
}

/// Failure tells someone, at once and always: that there is no method, too. Nothing is tried again.
#[test]
fn r6_7_failure_is_told_at_once() {
    recharge(
        "",
        &format!(
            "{ON}
            told ba-a                   ->
            use a p 193000
            asked ba-a                  -> recharge 500 visa
            told ba-a                   ->
            answers ba-a declined
            told ba-a                   -> recharge_failed
            at 2026-03-01T23:00:00Z
            asked ba-a                  ->
            unlink_payment_method billing_account=ba-a method=visa
            use a p 4500
            asked ba-a                  ->
            told ba-a                   -> runway, recharge_failed
            "
        ),
    );
}

/// R6.5: from the first decline until it is cured nothing else is charged by itself; a recharge waits.
#[test]
fn r6_7_a_recharge_waits_for_the_cure_of_a_decline() {
    recharge(
        "payments.retry_after = [\"3h\"]",
        r#"
        link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        asked ba-a                  -> threshold 1000 visa
        answers ba-a declined
        configure billing_account=ba-a auto_recharge={"enabled":true,"amount":"20.00"}
        asked ba-a                  ->
        at 2026-03-01T03:00:00Z
        asked ba-a                  -> retry 1000 visa
        answers ba-a succeeded
        asked ba-a                  -> recharge 20 visa
        "#,
    );
}

/// R6.7: what is charged for bills raises available credit, so a recharge waits for the answer, though not for ever.
#[test]
fn r6_7_a_recharge_waits_for_a_payment_of_bills() {
    let asked = |table: &str| {
        recharge(
            "",
            &format!(
                r#"
                link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
                answers ba-a succeeded
                use a p 100000
                asked ba-a                  -> threshold 1000 visa
                configure billing_account=ba-a auto_recharge={{"enabled":true,"amount":"20.00"}}
                asked ba-a                  ->
                {table}
                "#
            ),
        );
    };
    asked("answers ba-a succeeded\nasked ba-a -> recharge 20 visa");
    asked(
        "at 2026-03-01T00:29:00Z\nasked ba-a ->\nat 2026-03-01T00:31:00Z\nasked ba-a -> recharge 20 visa",
    );
}

#[test]
fn r6_7_switched_off_it_does_nothing() {
    recharge(
        "",
        &format!(
            r#"{ON}
            configure billing_account=ba-a auto_recharge={{"enabled":false,"amount":"500.00"}}
            use a p 199000
            asked ba-a                  ->
            at 2026-06-15T00:00:00Z
            asked ba-a                  ->
            "#
        ),
    );
}

#[test]
fn r7_2_its_method_is_tested_every_ninety_days() {
    recharge(
        "",
        &format!(
            "{ON}
            at 2026-05-29T23:59:59Z
            asked ba-a                  ->
            at 2026-05-30T00:00:00Z
            asked ba-a                  -> test 1 visa
            told ba-a                   ->
            answers ba-a declined
            told ba-a                   -> test_top_up_failed
            unlink_payment_method billing_account=ba-a method=visa
            at 2026-08-28T00:00:00Z
            asked ba-a                  ->
            told ba-a                   -> test_top_up_failed
            "
        ),
    );
}

/// R7.2: every ninety days where it is on, whatever is set anew meanwhile.
#[test]
fn r7_2_setting_it_anew_puts_no_test_off() {
    recharge(
        "",
        &format!(
            r#"{ON}
            at 2026-04-30T00:00:00Z
            configure billing_account=ba-a auto_recharge={{"enabled":true,"amount":"600.00"}}
            at 2026-05-29T23:59:59Z
            asked ba-a                  ->
            at 2026-05-30T00:00:00Z
            asked ba-a                  -> test 1 visa
            "#
        ),
    );
}

/// R6.7: at most ten percents, each more than zero and at most a hundred.
#[test]
fn r6_7_percents_have_their_bounds() {
    let percents = |count: u32| {
        let percents: Vec<String> = (1..=count).map(|percent| format!("\"{percent}\"")).collect();
        percents.join(",")
    };
    for (percents, refused) in [
        (percents(10), ""),
        (percents(11), "malformed"),
        (String::new(), "malformed"),
        ("\"100\"".to_owned(), ""),
        ("\"100.01\"".to_owned(), "malformed"),
        ("\"0.01\"".to_owned(), ""),
        ("\"0\"".to_owned(), "malformed"),
        ("\"50\",\"-1\"".to_owned(), "malformed"),
    ] {
        let fields = format!(r#"{{"enabled":true,"amount":"50","percents":[{percents}]}}"#);
        recharge(
            "",
            &format!("configure billing_account=ba-a auto_recharge={fields} -> {refused}"),
        );
    }
}

/// R6.7: charges count towards the month of their use, each month once and in its order, whenever they are told; those
/// before the last three full months are forgotten.
#[test]
fn r6_7_charges_are_kept_by_their_months() {
    let mut wallet = {
        let desk = check("", ACCOUNTS);
        let number = desk.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
        desk.ledger.wallet(number).unwrap().clone()
    };
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let mut note = |hours: &[(&str, i64)], now: &str| {
        let burned = hours
            .iter()
            .map(|(hour, units)| Burned { hour: at(hour).minute(), charge: Amount::whole(*units) });
        wallet.note_burned_months(&burned.collect::<Vec<_>>(), at(now)).unwrap();
        let months = wallet.burned_months.iter();
        months.map(|it| format!("{} {}", it.month, it.charge)).collect::<Vec<_>>()
    };
    let april = "2026-04-20T00:00:00Z";
    assert_eq!(note(&[("2026-03-31T23:00:00Z", 5)], april), ["2026-03 5"]);
    assert_eq!(note(&[("2026-04-01T00:00:00Z", 7)], april), ["2026-03 5", "2026-04 7"]);
    let late =
        [("2026-03-02T00:00:00Z", 2), ("2026-02-02T00:00:00Z", 3), ("2026-04-03T00:00:00Z", 1)];
    assert_eq!(note(&late, april), ["2026-02 3", "2026-03 7", "2026-04 8"]);
    let june = "2026-06-30T23:00:00Z";
    assert_eq!(note(&[(june, 9)], june), ["2026-03 7", "2026-04 8", "2026-06 9"]);
    assert_eq!(note(&[], "2026-07-01T00:00:00Z"), ["2026-04 8", "2026-06 9"]);
}
