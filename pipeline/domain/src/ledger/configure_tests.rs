//! The settings of a billing account.

use super::super::asking::Asking;
use super::super::desk_tests::check;

const ACCOUNTS: &str = "
    open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
    open_account account=c enterprise=e email=c@x.example currency=CNY mode=postpaid
    open_account account=b enterprise=e email=b@x.example currency=USD mode=postpaid kind=ecosystem partner=p
";

/// R4.1: whoever settles with a partner neither writes off nor is charged: each of those settings by itself is
/// refused.
#[test]
fn what_concerns_write_off_and_charges_is_not_for_an_ecosystem_account() {
    check(
        "",
        &format!(
            r#"{ACCOUNTS}
            configure billing_account=ba-b auto_write_off=true                              -> not_for_ecosystem
            configure billing_account=ba-b write_off_previous=true                          -> not_for_ecosystem
            configure billing_account=ba-b auto_recharge={{"enabled":true,"amount":"50"}}   -> not_for_ecosystem
            configure billing_account=ba-b auto_pay_threshold=50                            -> not_for_ecosystem
            configure billing_account=ba-b settlement_currency=EUR                          -> not_for_ecosystem
            configure billing_account=ba-b bill_cycle=day
            "#
        ),
    );
}

/// R6.1: PayPal charges at the amount that was set last, within the bounds of its currency and payable in it;
/// another setting leaves it as it is.
#[test]
fn r6_1_a_threshold_lies_within_its_bounds_and_lasts() {
    check(
        "",
        &format!(
            "{ACCOUNTS}
            configure billing_account=ba-c auto_pay_threshold=100       -> invalid_amount
            configure billing_account=ba-a auto_pay_threshold=7.99      -> invalid_amount
            configure billing_account=ba-a auto_pay_threshold=500.01    -> invalid_amount
            configure billing_account=ba-a auto_pay_threshold=100.001   -> invalid_amount
            configure billing_account=ba-a auto_pay_threshold=500
            configure billing_account=ba-a auto_pay_threshold=8
            configure billing_account=ba-a write_off_previous=true
            link_payment_method billing_account=ba-a method=pal kind=paypal token=t -> later
            answers ba-a succeeded
            use a p 799
            asked ba-a                  -> preauthorisation 1 pal
            answers ba-a succeeded
            asked ba-a                  ->
            use a p 1
            asked ba-a                  -> threshold 8 pal
            "
        ),
    );
}

/// Who is told of a kind of notice is named anew for that kind alone; with nobody named, it is as if none ever was.
#[test]
fn recipients_are_named_by_kind() {
    let mut asking = Asking::with_members();
    let named = |asking: &Asking| {
        let wallet = asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
        let telling = asking.ledger.wallet(wallet).unwrap().telling.as_deref().unwrap();
        let named = telling.recipients.iter().map(|it| format!("{}: {}", it.kind, it.mails.len()));
        named.collect::<Vec<_>>()
    };
    for (recipients, expected) in [
        (
            r#"{ overdue = ["x@y.example"], near_due = ["y@y.example"] }"#,
            vec!["near_due: 1", "overdue: 1"],
        ),
        (r#"{ overdue = ["x@y.example", "z@y.example"] }"#, vec!["near_due: 1", "overdue: 2"]),
        (r#"{ near_due = [] }"#, vec!["overdue: 2"]),
        (r#"{ suspended = [] }"#, vec!["overdue: 2"]),
    ] {
        let fields = format!(r#"billing_account = "ba-a", recipients = {recipients}"#);
        assert_eq!(asking.ask("a", "configure", &fields), "ok", "{recipients}");
        let mut found = named(&asking);
        found.sort_unstable();
        assert_eq!(found, expected, "{recipients}");
    }
    let unknown = r#"billing_account = "ba-a", recipients = { weather = ["x@y.example"] }"#;
    assert_eq!(asking.ask("a", "configure", unknown), "malformed");
}
