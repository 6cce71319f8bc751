//! When services stop: from the first change on (R8.2), and with a delay (R8.3).

use super::super::desk_tests::check;

fn prepaid(table: &str) {
    let accounts = "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
    ";
    check("", &format!("{accounts}{table}"));
}

#[test]
fn r8_3_services_run_on_for_some_hours() {
    prepaid(
        r#"
        configure billing_account=ba-a delayed_suspension={"hours":2}
        use a p 2000
        service a                   -> running
        at 2026-03-01T01:59:59Z
        service a                   -> running
        at 2026-03-01T02:00:00Z
        service a                   -> suspended
        "#,
    );
}

#[test]
fn r8_3_or_until_debt_is_too_great() {
    prepaid(
        r#"
        configure billing_account=ba-a delayed_suspension={"hours":2,"debt":"0.001"}  -> invalid_amount
        configure billing_account=ba-a delayed_suspension={"hours":2,"debt":"-1.00"}  -> invalid_amount
        configure billing_account=ba-a delayed_suspension={"hours":2,"debt":"5.00"}
        use a p 2500
        service a                   -> running
        use a p 1
        service a                   -> suspended
        "#,
    );
}

#[test]
fn r8_3_debt_alone_delays_for_ever() {
    prepaid(
        r#"
        configure billing_account=ba-a delayed_suspension={"debt":"5.00"}
        use a p 2500
        at 2026-03-20T00:00:00Z
        service a                   -> running
        use a p 1
        service a                   -> suspended
        "#,
    );
}

/// Not what is left of the first span, but a new one.
#[test]
fn r8_3_a_recovery_starts_it_anew() {
    prepaid(
        r#"
        configure billing_account=ba-a delayed_suspension={"hours":2}
        use a p 2000
        at 2026-03-01T01:30:00Z
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        use a p 2000
        at 2026-03-01T03:29:59Z
        service a                   -> running
        at 2026-03-01T03:30:00Z
        service a                   -> suspended
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        service a                   -> running
        "#,
    );
}

#[test]
fn r8_3_switched_off_services_stop_at_once() {
    prepaid(
        r#"
        configure billing_account=ba-a delayed_suspension={"hours":2}
        use a p 2000
        service a                   -> running
        configure billing_account=ba-a delayed_suspension={}
        service a                   -> suspended
        "#,
    );
}

/// Nobody is told that services have stopped before anything has happened.
#[test]
fn r8_2_what_changes_no_figures_stops_nothing() {
    let opened = "open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid";
    check(
        "",
        &format!(
            r#"
            {opened}
            configure billing_account=ba-a low_balance_alert={{"enabled":true,"threshold":"5.00"}}
            use a p 0
            set_credit_limit billing_account=ba-a limit=5
            service a                   -> running
            told ba-a                   -> credit_limit
            use a p 1
            service a                   -> suspended
            "#
        ),
    );
    // What has come and gone was a change.
    check(
        "",
        &format!(
            r#"
            {opened}
            top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
            service a                   -> running
            withdraw billing_account=ba-a amount=20
            service a                   -> suspended
            "#
        ),
    );
    // Also what was used, billed and taken back, of which rounding leaves nothing.
    check(
        "",
        &format!(
            r#"
            {opened}
            configure billing_account=ba-a delayed_suspension={{"hours":5}}
            use a p 0.3
            at 2026-03-01T01:10:00Z
            use a p -0.3
            service a                   -> running
            at 2026-03-01T06:59:59Z
            service a                   -> running
            at 2026-03-01T07:00:00Z
            service a                   -> suspended
            "#
        ),
    );
}

/// R8.4: stop and resume alternate: another cause stops nothing a second time, and is one mail less.
#[test]
fn r8_4_another_cause_stops_nothing_again() {
    check(
        "runway.alert_days = 0",
        r#"
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        use a p 1000
        told ba-a                   -> overdue, suspended
        # Below its buffer first, and overdue with a limit then.
        set_credit_limit billing_account=ba-a limit=5
        confirm_contract billing_account=ba-a
        service a                   -> suspended
        told ba-a                   -> credit_limit, credit_limit
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        service a                   -> running
        told ba-a                   -> resumed
        "#,
    );
}

/// R8.2: the buffer of the region where it has one, else that of the currency.
#[test]
fn r8_2_the_buffer_is_the_regions_or_else_the_currencys() {
    check(
        r#"suspension.buffer = { CNY = "100", shanghai = "40" }"#,
        r#"
        open_account account=a enterprise=e email=a@x.example currency=CNY mode=postpaid region=shanghai
        open_account account=c enterprise=e email=c@x.example currency=CNY mode=postpaid region=beijing
        top_up billing_account=ba-a amount=120 currency=CNY method=bank_transfer
        top_up billing_account=ba-c amount=120 currency=CNY method=bank_transfer
        use a p 8000
        service a                   -> running
        use a p 1
        service a                   -> suspended
        use c p 2000
        service c                   -> running
        use c p 1
        service c                   -> suspended
        "#,
    );
}

/// R8.2: naming a region's buffer, or another currency's, leaves 100 of CNY where nothing is named; else 0.
#[test]
fn r8_2_what_is_not_named_keeps_its_own_buffer() {
    for (named, used) in [(r#"USD = "10", shanghai = "40""#, 2_000), (r#"CNY = "10""#, 11_000)] {
        check(
            &format!("suspension.buffer = {{ {named} }}"),
            &format!(
                "
                open_account account=c enterprise=e email=c@x.example currency=CNY mode=postpaid region=beijing
                top_up billing_account=ba-c amount=120 currency=CNY method=bank_transfer
                use c p {used}
                service c                   -> running
                use c p 1
                service c                   -> suspended
                "
            ),
        );
    }
}

/// R8.2: below the buffer they stop where neither limit nor method is; a card that has expired is none.
#[test]
fn r8_2_a_method_that_cannot_pay_is_none() {
    check(
        r#"suspension.buffer = { USD = "10" }"#,
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t expires=2026-04 -> later
        answers ba-a succeeded
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        use a p 1500
        at 2026-04-30T23:59:59Z
        service a                   -> running
        at 2026-05-01T00:00:00Z
        service a                   -> suspended
        balance ba-a                -> available=5 overdue=false
        ",
    );
}

/// R8.1, R8.2: a card that is charged at the end of its last month carries until the gateway has answered.
#[test]
fn r8_2_nobody_is_suspended_while_an_expiring_card_is_charged() {
    for (answer, then) in [("succeeded", "running"), ("declined", "suspended")] {
        check(
            "",
            &format!(
                "
                open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
                link_payment_method billing_account=ba-a method=visa kind=card token=t expires=2026-04 -> later
                answers ba-a succeeded
                at 2026-04-01T00:00:05Z
                use a p 1500
                at 2026-05-01T00:00:05Z
                service a                   -> running
                balance ba-a                -> available=-15 overdue=false
                answers ba-a {answer}
                service a                   -> {then}
                "
            ),
        );
    }
}

/// R8.2: where a partner pays they stop below zero, not at it.
#[test]
fn r8_2_all_of_a_quota_can_be_used() {
    check(
        "",
        "
        open_account account=b enterprise=e email=b@x.example currency=USD mode=prepaid kind=ecosystem partner=p
        set_quota billing_account=ba-b quota=10
        use b p 1000
        balance ba-b                -> available=0
        service b                   -> running
        use b p 1
        service b                   -> suspended
        set_quota billing_account=ba-b quota=10.01
        service b                   -> running
        ",
    );
}

/// R8.4: that services of an account stop and resume is told to whoever pays for it.
#[test]
fn r8_4_whoever_pays_is_told() {
    check(
        "runway.alert_days = 0",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
        open_account account=c enterprise=e email=c@x.example currency=USD mode=postpaid
        top_up billing_account=ba-c amount=20 currency=USD method=bank_transfer
        change_payer account=a billing_account=ba-c
        use a p 2000
        service a                   -> suspended
        told ba-c                   -> suspended
        top_up billing_account=ba-c amount=20 currency=USD method=bank_transfer
        service a                   -> running
        told ba-c                   -> resumed
        ",
    );
}

/// R8.2: that somebody else will pay from some day on changes no figure of an account that was just opened.
#[test]
fn r8_2_a_payer_who_is_still_to_come_is_no_change() {
    prepaid_accounts(
        "
        change_payer account=b billing_account=ba-a effective_at=2026-03-02T00:00:00Z
        configure billing_account=ba-b bill_cycle=day
        use b p 0
        service b                   -> running
        at 2026-03-01T12:00:00Z
        told ba-b                   ->
        ",
    );
}

/// R8.3: a delay that has begun ends in its time, also where what began it was taken back and nothing is left.
#[test]
fn r8_3_a_delay_ends_though_its_use_was_taken_back() {
    prepaid_accounts(
        r#"
        configure billing_account=ba-b delayed_suspension={"hours":2}
        use b p 500
        takes_back b p 500 2026-03-01T00:00:00Z
        balance ba-b                -> available=0
        service b                   -> running
        at 2026-03-01T01:59:59Z
        service b                   -> running
        at 2026-03-01T02:00:00Z
        service b                   -> suspended
        "#,
    );
}

/// Two prepaid accounts without any money.
fn prepaid_accounts(table: &str) {
    let accounts = "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
        open_account account=b enterprise=e email=b@x.example currency=USD mode=prepaid
    ";
    check("", &format!("{accounts}{table}"));
}
