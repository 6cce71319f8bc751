//! An enterprise settles all its bills (R5.6), with the switch that lets bills rest on a limit (R5.4).

use super::super::Fact;
use super::super::asking::Asking;
use super::super::desk_tests::check;

/// One that owes 10.00 and has a card; one that owes 20.00, has 50.00, and lets its bills rest on a limit.
const OWE: &str = "
    open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
    open_account account=b enterprise=e email=b@x.example currency=USD mode=postpaid
    open_account account=p enterprise=e email=p@x.example currency=USD mode=postpaid kind=ecosystem partner=p
    link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
    answers ba-a succeeded
    configure billing_account=ba-b auto_write_off=false -> write_off_required
    set_credit_limit billing_account=ba-b limit=25
    confirm_contract billing_account=ba-b
    configure billing_account=ba-b auto_write_off=false
    top_up billing_account=ba-b amount=50 currency=USD method=bank_transfer
    use a p 1000
    use b p 2000
    at 2026-03-01T01:00:00Z
    balance ba-b                -> cash=50 unsettled_current=20
";

fn settles(table: &str) {
    check("", &format!("{OWE}{table}"));
}

#[test]
fn r5_6_every_refusal_in_its_order() {
    settles(
        "
        settle_enterprise enterprise=x                          -> not_found
        settle_enterprise enterprise=e
        settle_enterprise enterprise=e                          -> settlement_in_progress
        configure billing_account=ba-b auto_write_off=true      -> settlement_in_progress
        configure billing_account=ba-a auto_write_off=true      -> settlement_in_progress
        answers ba-a declined
        configure billing_account=ba-b auto_write_off=true
        settle_enterprise enterprise=e
        answers ba-a succeeded
        ",
    );
}

#[test]
fn r5_6_from_own_assets_and_then_the_method_and_meanwhile_nothing_is_written_off() {
    settles(
        "
        settle_enterprise enterprise=e
        asked ba-a                  -> manual 10 visa
        asked ba-b                  ->
        balance ba-b                -> cash=30 unsettled_current=0
        # New bills wait, what is above a limit too, and money that comes.
        use a p 500
        use b p 3000
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        at 2026-03-01T02:00:00Z
        balance ba-a                -> cash=20 unsettled_current=15
        balance ba-b                -> cash=30 unsettled_current=30
        answers ba-a succeeded
        balance ba-a                -> cash=15 unsettled_current=0
        balance ba-b                -> cash=25 unsettled_current=25
        ",
    );
}

/// What a partner settles is none of what waits.
#[test]
fn r4_3_a_partners_bills_move_to_consumed_while_its_enterprise_is_settled() {
    settles(
        "
        settle_enterprise enterprise=e
        use p p 500
        balance ba-p                -> quota_consumed=0 unbilled=5
        at 2026-03-01T02:00:00Z
        balance ba-p                -> quota_consumed=5 unbilled=0
        answers ba-a succeeded
        balance ba-p                -> quota_consumed=5 unbilled=0
        ",
    );
}

/// One that has nothing to charge is settled at once, and so is the enterprise.
#[test]
fn r5_6_without_anything_to_charge_it_is_over_at_once() {
    settles(
        "
        pay billing_account=ba-a
        asked ba-a                  -> manual 10 visa
        settle_enterprise enterprise=e
        asked ba-a                  ->
        configure billing_account=ba-b auto_write_off=true
        balance ba-b                -> cash=30 unsettled_current=0
        ",
    );
}

/// A threshold that is reached meanwhile is charged after the last result.
#[test]
fn r5_6_thresholds_wait_for_the_last_result() {
    settles(
        "
        settle_enterprise enterprise=e
        link_payment_method billing_account=ba-b method=master kind=card token=t -> later
        answers ba-b succeeded
        use b p 200000
        asked ba-b                  ->
        answers ba-a succeeded
        # 20.00 were settled; of 2,000.00 the wallet pays the 1,975.00 above its limit, as far as it can.
        asked ba-b                  -> threshold 1970 master
        ",
    );
}

/// While an enterprise settles, automatic write-off is shown as off wherever it was on.
#[test]
fn r5_6_the_switch_shows_off_while_a_settlement_goes_on() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        use | a | 10
        at | 2026-03-01T01:00:00Z
        see | billing_account ba-a | auto_write_off = true
        see | billing_account ba-b | auto_write_off = true
        boss | settle_enterprise | enterprise = "e" | ok
        see | billing_account ba-a | auto_write_off = false
        see | billing_account ba-b | auto_write_off = false
        answer | ba-a | succeeded
        see | billing_account ba-a | auto_write_off = true
        see | billing_account ba-b | auto_write_off = true
        "#,
    );
}

/// R4.5, R5.6: nothing goes out of a billing account that is frozen, and its method is not charged.
#[test]
fn r5_6_one_that_is_frozen_is_passed_over() {
    settles(
        "
        freeze_billing_account billing_account=ba-b
        freeze_billing_account billing_account=ba-a
        settle_enterprise enterprise=e
        asked ba-a                  ->
        balance ba-b                -> cash=50 unsettled_current=20
        # With nothing to wait for it is over at once.
        settle_enterprise enterprise=e
        unfreeze_billing_account billing_account=ba-a
        settle_enterprise enterprise=e
        asked ba-a                  -> manual 10 visa
        ",
    );
}

/// R5.6: only the result of a charge of the settlement ends it, not that of a top-up, nor one of another billing account.
#[test]
fn r5_6_it_lasts_until_its_own_last_result() {
    settles(
        "
        link_payment_method billing_account=ba-b method=master kind=card token=u -> later
        answers ba-b succeeded
        use b p 5500
        at 2026-03-01T02:00:00Z
        balance ba-b                -> cash=0 unsettled_current=25
        settle_enterprise enterprise=e
        asked ba-a                  -> manual 10 visa
        top_up billing_account=ba-a amount=20 currency=USD method=visa
        answers ba-a 3 succeeded
        settle_enterprise enterprise=e -> settlement_in_progress
        answers ba-b succeeded
        settle_enterprise enterprise=e -> settlement_in_progress
        answers ba-a 2 succeeded
        settle_enterprise enterprise=e
        ",
    );
}

/// R5.6: a payment outside of a settlement says nothing of one.
#[test]
fn r5_6_an_ordinary_payment_is_no_settlement() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        use | a | 10
        at | 2026-03-01T01:00:00Z
        a | pay | billing_account = "ba-a", method = "visa" | ok
        answer | ba-a | succeeded
        a | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "visa" | ok
        answer | ba-a | succeeded
        see | balance ba-a | cash = "20", unsettled_current = "0"
        "#,
    );
    assert!(!asking.facts.0.iter().any(|fact| matches!(fact, Fact::SettlementChanged(_))));
}

/// R5.6, R6.5: what a settlement charges is for the bills that its assets did not pay, and is a payment by hand: it is
/// not retried.
#[test]
fn r5_6_a_declined_charge_of_a_settlement_is_not_retried() {
    settles(
        "
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        balance ba-a                -> cash=10 unsettled_current=0
        use a p 2500
        at 2026-03-01T02:00:00Z
        balance ba-a                -> cash=0 unsettled_current=15
        settle_enterprise enterprise=e
        asked ba-a                  -> manual 15 visa
        # It is set aside for its result: money that comes meanwhile does not pay it.
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        balance ba-a                -> cash=20 unsettled_current=15
        answers ba-a declined
        balance ba-a                -> cash=5 unsettled_current=0
        use a p 1500
        at 2026-03-01T03:00:00Z
        settle_enterprise enterprise=e
        asked ba-a                  -> manual 10 visa
        answers ba-a declined
        at 2026-03-08T00:00:00Z
        asked ba-a                  ->
        balance ba-a                -> cash=0 unsettled_current=10
        ",
    );
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        use | a | 10
        at | 2026-03-01T01:00:00Z
        boss | settle_enterprise | enterprise = "e" | ok
        "#,
    );
    let mut begun = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::PaymentBegun(begun) => Some(begun.payment.shares.len()),
        _ => None,
    });
    assert_eq!(begun.next_back(), Some(1));
}
