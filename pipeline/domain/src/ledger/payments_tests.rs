//! Payments as the outside sees them (R6.4).

use super::super::desk_tests::{Desk, check};
use super::super::{Cause, Fact};
use crate::payments::PaymentAnswer;

const ACCOUNTS: &str = "
    open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
    open_account account=c enterprise=e email=c@x.example currency=CNY mode=postpaid
    link_payment_method billing_account=ba-a method=visa kind=card token=t -> later
    answers ba-a succeeded
    link_payment_method billing_account=ba-c method=pal kind=paypal token=t -> later
    answers ba-c succeeded
";

fn payments(table: &str) -> Desk {
    check("", &format!("{ACCOUNTS}{table}"))
}

/// A gateway knows a payment by its name, and only a name of the same billing account says which it is.
#[test]
fn a_payment_and_a_bill_are_called_by_their_billing_account() {
    let desk = payments("");
    let wallet = desk.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    let wallet = desk.ledger.wallet(wallet).unwrap();
    assert_eq!(
        (wallet.payment_name(12), wallet.bill_name(3)),
        ("ba-a.p12".into(), "ba-a.3".into())
    );
    for (name, number) in [
        ("ba-a.p12", Some(12)),
        ("ba-a.p7", Some(7)),
        ("ba-a.12", None),
        ("ba-a.p", None),
        ("ba-a.p7x", None),
        ("ba-c.p7", None),
        ("p7", None),
    ] {
        assert_eq!(wallet.payment_number(name), number, "{name}");
    }
}

/// R6.4, R7.6: what is told of a payment names its bills and why it was declined; what is held to check a method is held
/// in US dollars, whatever the account's currency.
#[test]
fn r6_4_what_is_told_of_a_payment() {
    let desk = payments(
        "
        use a p 60000
        at 2026-03-01T01:00:00Z
        use a p 40000
        answers ba-a succeeded
        use c p 100
        answers ba-c declined:insufficient_funds
        top_up billing_account=ba-c amount=200.00 currency=CNY method=bank_transfer
        top_up billing_account=ba-a amount=20.00 currency=USD method=visa
        at 2026-03-01T01:30:00Z
        ",
    );
    let rows = desk.recorder.0.iter().filter_map(|fact| match fact {
        Fact::Noticed(noticed) => noticed.payment.as_ref(),
        _ => None,
    });
    let rows = rows.map(|row| {
        let reason = row.reason.as_ref().map_or("", |it| it.as_str());
        let bills = row.bills.join(" ");
        let head =
            format!("{} of {}: {} {}", row.payment, row.billing_account, row.cause, row.status);
        let money = format!("{} {} {}", row.amount, row.currency, row.method);
        format!("{head}, {money}, {} to {}; {bills} {reason}", row.begun_at, row.at)
    });
    let expected = [
        "ba-a.p2 of ba-a: threshold succeeded, 1000 USD visa, 2026-03-01T01:00:00Z to 2026-03-01T01:00:00Z; ba-a.1 ba-a.2 ",
        "ba-c.p2 of ba-c: preauthorisation declined, 1 USD pal, 2026-03-01T01:00:00Z to 2026-03-01T01:00:00Z;  insufficient_funds",
        "ba-a.p3 of ba-a: top_up delayed, 20 USD visa, 2026-03-01T01:00:00Z to 2026-03-01T01:30:00Z;  ",
    ];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

/// R6.4, R7.1: a top-up is cash by its method and with its remark; what a payment of bills has left over is cash
/// without either.
#[test]
fn r6_4_cash_says_whether_it_was_a_top_up() {
    let desk = payments(
        "
        use a p 1500
        at 2026-03-01T01:00:00Z
        top_up billing_account=ba-a amount=20.55 currency=USD method=visa remark=april
        pay billing_account=ba-a
        answers ba-a 2 succeeded
        answers ba-a 3 succeeded
        balance ba-a                -> cash=20.55 unsettled_current=0
        use a p 3000
        at 2026-03-01T02:00:00Z
        pay billing_account=ba-a
        answers ba-a declined
        top_up billing_account=ba-a amount=20.00 currency=USD method=bank_transfer
        balance ba-a                -> cash=10.55 unsettled_current=0
        answers ba-a succeeded
        balance ba-a                -> cash=20
        ",
    );
    let moved = desk.recorder.0.iter().filter_map(|fact| match fact {
        Fact::Moved(moved) if matches!(moved.cause, Cause::TopUp | Cause::Payment) => {
            let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
            let method = text(moved.method.as_ref().map(|it| it.as_str()));
            let remark = text(moved.remark.as_ref().map(|it| it.as_str()));
            Some(format!("{:?} {} {method} {remark}", moved.cause, moved.amount))
        }
        _ => None,
    });
    let expected = ["TopUp 20.55 visa april", "TopUp 20 bank_transfer -", "Payment 9.45 - -"];
    assert_eq!(moved.collect::<Vec<_>>(), expected);
}

/// R6.5: only a charge of bills that nobody asked for says when it is tried again.
#[test]
fn r6_5_what_is_tried_again() {
    let desk = payments(
        "
        top_up billing_account=ba-a amount=20.00 currency=USD method=visa
        answers ba-a declined
        use a p 1500
        at 2026-03-01T01:00:00Z
        pay billing_account=ba-a
        answers ba-a declined
        use a p 98500
        answers ba-a declined
        at 2026-03-02T01:00:00Z
        answers ba-a succeeded
        ",
    );
    let ended = desk.recorder.0.iter().filter_map(|fact| match fact {
        Fact::PaymentEnded(ended) => {
            let again = ended.retry_at.map_or("never".to_owned(), |at| at.starts().to_string());
            let succeeded = ended.answer == PaymentAnswer::Succeeded;
            Some(format!("{} {} {succeeded} {again}", ended.payment.cause, ended.payment.by_hand))
        }
        _ => None,
    });
    let expected = [
        "top_up true false never",
        "manual true false never",
        "threshold false false 2026-03-02T01:00:00Z",
        "retry false true never",
    ];
    assert_eq!(ended.collect::<Vec<_>>(), expected);
}
