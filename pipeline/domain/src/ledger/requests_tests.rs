//! Pay for me: both sides of a request, by the one ledger that plays them (R10.1 to R10.4).

use super::super::asking::Asking;
use super::super::recording::pieces;
use super::super::{Cause, Fact, Ledger};
use crate::notices::NoticeKind;

/// `x` of the enterprise `f` has 100 USD and a card, and is asked by `a` of `e`, who owes 30.
fn two_sides() -> Asking {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-x", amount = "100", currency = "USD", method = "bank_transfer" | ok
        x | link_payment_method | billing_account = "ba-x", method = "card", kind = "card", token = "t" | ok
        answer | ba-x | succeeded
        use | a | 30
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | cash = "0", unsettled_current = "30"
        "#,
    );
    asking
}

fn ask_for(asking: &mut Asking, request: &str, amount: &str) {
    let line = format!(
        r#"a | request_payment | request = "{request}", requester = "ba-a", payer = "x", service = "compute", amount = "{amount}" | ok"#
    );
    asking.table(&line);
}

/// The kinds of notices so far about requests to pay, with whom they are for.
fn told(asking: &Asking) -> Vec<String> {
    let facts = asking.facts.0.iter().filter_map(|fact| match fact {
        super::super::Fact::Noticed(noticed) if noticed.request.is_some() => {
            let wallet = asking.ledger.wallet(noticed.wallet).unwrap();
            Some(format!("{} {}", wallet.id, noticed.kind.text()))
        }
        _ => None,
    });
    facts.collect()
}

/// R10.1: every refusal of a request, in its order.
#[test]
fn r10_1_every_refusal_of_a_request_in_its_order() {
    let mut asking = two_sides();
    asking.table(
        r#"
        operator | open_account | account = "p", enterprise = "e", email = "p@x.example", mode = "postpaid", kind = "ecosystem", partner = "q" | ok
        operator | open_account | account = "w", enterprise = "e", email = "w@x.example", mode = "postpaid", partner = "q", partner_pays = true | ok
        operator | open_account | account = "eur", enterprise = "f", email = "u@x.example", mode = "postpaid", currency = "EUR" | ok

        b | request_payment | request = "r", requester = "ba-a", payer = "x", service = "s", amount = "0" | not_permitted
        operator | request_payment | request = "r", requester = "ba-p", payer = "nobody", service = "s", amount = "0" | not_for_ecosystem
        operator | request_payment | request = "r", requester = "ba-w", payer = "nobody", service = "s", amount = "0" | not_found
        operator | request_payment | request = "r", requester = "ba-w", payer = "w", service = "s", amount = "0" | malformed
        operator | request_payment | request = "r", requester = "ba-w", payer = "eur", service = "s", amount = "0" | invalid_amount
        operator | request_payment | request = "r", requester = "ba-w", payer = "eur", service = "s", amount = "-1" | invalid_amount
        operator | request_payment | request = "r", requester = "ba-w", payer = "eur", service = "s", amount = "0.001" | invalid_amount
        operator | request_payment | request = "r", requester = "ba-w", payer = "eur", service = "s", amount = "1", resends = "none" | currency_mismatch
        operator | request_payment | request = "r", requester = "ba-w", payer = "x", service = "s", amount = "1", resends = "none" | partner_pays
        a | request_payment | request = "r", requester = "ba-a", payer = "x", service = "s", amount = "1", resends = "none" | not_found
        "#,
    );
    assert!(told(&asking).is_empty());
}

/// R10.2: every refusal of an approval, in its order; who is refused leaves it pending.
#[test]
fn r10_2_every_refusal_of_an_approval_in_its_order() {
    let mut asking = two_sides();
    asking.table(
        r#"
        operator | open_account | account = "p", enterprise = "f", email = "p@x.example", mode = "postpaid", kind = "ecosystem", partner = "q" | ok
        operator | open_account | account = "w", enterprise = "f", email = "w@x.example", mode = "prepaid", partner = "q", partner_pays = true | ok
        operator | open_account | account = "o", enterprise = "f", email = "o@x.example", mode = "prepaid" | ok
        operator | adjust | billing_account = "ba-o", amount = "10", reason = "test" | ok
        a | request_payment | request = "to-p", requester = "ba-a", payer = "p", service = "s", amount = "10" | ok
        a | request_payment | request = "to-w", requester = "ba-a", payer = "w", service = "s", amount = "10" | ok
        a | request_payment | request = "to-o", requester = "ba-a", payer = "o", service = "s", amount = "10" | ok
        a | request_payment | request = "to-x", requester = "ba-a", payer = "x", service = "s", amount = "130" | ok

        operator | approve_payment_request | request = "none" | not_found
        a | approve_payment_request | request = "to-x" | not_permitted
        operator | freeze_billing_account | billing_account = "ba-p" | ok
        operator | approve_payment_request | request = "to-p" | frozen
        operator | unfreeze_billing_account | billing_account = "ba-p" | ok
        operator | approve_payment_request | request = "to-p", method = "none" | not_for_ecosystem
        use | o | 11
        o | approve_payment_request | request = "to-o", method = "none" | not_found
        o | approve_payment_request | request = "to-o" | overdue
        operator | approve_payment_request | request = "to-w" | partner_pays
        x | approve_payment_request | request = "to-x" | insufficient_funds

        # One thing is charged at a time.
        use | x | 110
        at | 2026-03-01T02:00:00Z
        x | pay | billing_account = "ba-x" | ok
        x | approve_payment_request | request = "to-x", method = "card" | payment_in_progress
        answer | ba-x | succeeded
        at | 2026-04-01T00:00:00Z
        "#,
    );
    asking.table(
        r#"
        see | to_pay to-o | status = "expired"
        a | request_payment | request = "late", requester = "ba-a", payer = "x", service = "s", amount = "130" | ok
        x | link_payment_method | billing_account = "ba-x", method = "old", kind = "card", token = "t", expires = "2026-05" | ok
        answer | ba-x | succeeded
        at | 2026-06-01T00:01:00Z
        "#,
    );
    ask_for(&mut asking, "last", "130");
    asking.table(
        r#"
        x | approve_payment_request | request = "last", method = "old" | no_method
        see | to_pay last | status = "pending"
        x | reject_payment_request | request = "last" | ok
        x | approve_payment_request | request = "last", method = "none" | not_pending
        "#,
    );
}

/// R10.2: the balance pays all of it: the bills, oldest first, and the rest is own cash. No fee.
#[test]
fn r10_2_the_balance_pays_the_requesters_bills_and_the_rest_is_own_cash() {
    let mut asking = two_sides();
    ask_for(&mut asking, "r", "50");
    asking.table(
        r#"
        see | asked r | direction = "asked", billing_account = "ba-a", requester = "ba-a", payer = "x", service = "compute", amount = "50", currency = "USD", status = "pending", in_flight = "0"
        see | to_pay r | direction = "to_pay", billing_account = "ba-x", status = "pending"
        hold | messages
        x | approve_payment_request | request = "r" | ok
        see | to_pay r | status = "approved", in_flight = "50"
        see | balance ba-x | cash = "50", in_flight = "50"
        see | asked r | status = "pending"
        let | messages
        see | to_pay r | status = "paid", in_flight = "0"
        see | asked r | status = "paid", in_flight = "0"
        see | balance ba-x | cash = "50", in_flight = "0"
        see | balance ba-a | cash = "20", cash_transferred_in = "0", unsettled_current = "0", transferable = "20"
        "#,
    );
    let told = told(&asking);
    let expected = [
        "ba-x payment_request_new",
        "ba-a payment_request_approved",
        "ba-a payment_request_paid",
        "ba-x payment_request_paid",
    ];
    assert_eq!(told, expected);
}

/// R10.2: what arrives pays the oldest bills first.
#[test]
fn r10_2_the_oldest_bills_are_paid_first() {
    let mut asking = two_sides();
    asking.table(
        r#"
        at | 2026-04-01T00:10:00Z
        use | a | 20
        at | 2026-04-01T01:00:00Z
        see | balance ba-a | unsettled_previous = "30", unsettled_current = "20"
        "#,
    );
    ask_for(&mut asking, "r", "35");
    asking.table(
        r#"
        x | approve_payment_request | request = "r" | ok
        see | balance ba-a | cash = "0", unsettled_previous = "0", unsettled_current = "15"
        "#,
    );
}

/// R10.2: min(own cash, available), then the method; it arrives whole.
#[test]
fn r10_2_the_method_pays_what_the_balance_does_not() {
    let mut asking = two_sides();
    ask_for(&mut asking, "r", "130");
    asking.table(
        r#"
        # Of 100 cash 40 is used up already.
        use | x | 40
        x | approve_payment_request | request = "r", method = "card" | ok
        see | balance ba-x | cash = "40", available = "0", in_flight = "60"
        see | to_pay r | status = "approved", in_flight = "60"
        see | asked r | status = "approved", in_flight = "60"
        see | balance ba-a | cash = "0"
        # Whose outcome is not known holds up all else that pays bills (R6.4).
        at | 2026-03-01T01:30:00Z
        x | pay | billing_account = "ba-x" | payment_in_progress
        hold | messages
        answer | ba-x | succeeded
        see | to_pay r | status = "approved", in_flight = "130"
        see | balance ba-x | in_flight = "130"
        let | messages
        see | to_pay r | status = "paid", in_flight = "0"
        see | balance ba-a | cash = "100", unsettled_current = "0"
        # However often the gateway says so.
        answer | ba-x | succeeded
        answer | ba-x | declined
        see | balance ba-x | cash = "40", in_flight = "0"
        see | balance ba-a | cash = "100"
        "#,
    );
}

/// R10.2, R6.4: declined, the balance part returns; paid after all, it is the payer's own cash, once.
#[test]
fn r10_2_a_declined_method_gives_the_balance_part_back() {
    let mut asking = two_sides();
    ask_for(&mut asking, "r", "130");
    asking.table(
        r#"
        x | approve_payment_request | request = "r", method = "card" | ok
        see | balance ba-x | cash = "0", in_flight = "100"
        answer | ba-x | declined
        see | balance ba-x | cash = "100", in_flight = "0"
        see | to_pay r | status = "failed", in_flight = "0", reason = "the payment was declined"
        see | asked r | status = "failed", in_flight = "0"
        x | approve_payment_request | request = "r" | not_pending
        at | 2026-03-09T00:00:00Z
        answer | ba-x | succeeded
        answer | ba-x | succeeded
        see | balance ba-x | cash = "130"
        see | to_pay r | status = "failed"
        see | balance ba-a | cash = "0"
        "#,
    );
    let told = told(&asking);
    assert_eq!(
        told[told.len() - 2..],
        ["ba-x payment_request_failed", "ba-a payment_request_failed"]
    );
    // Somebody asked for it: no series of tries begins (R6.5).
    let x = asking.ledger.wallet_named(&"ba-x".parse().unwrap()).unwrap();
    let paying = asking.ledger.wallet(x).unwrap().paying.as_deref().unwrap();
    assert!(paying.declined.is_none());
}

/// R10.1: rejected, with a reason; only pending can be acted on; sent anew, linked to the old, once.
#[test]
fn r10_1_a_rejected_one_can_be_sent_anew() {
    let mut asking = two_sides();
    ask_for(&mut asking, "r", "50");
    asking.table(
        r#"
        a | request_payment | request = "r2", requester = "ba-a", payer = "x", service = "s", amount = "50", resends = "r" | not_found
        a | reject_payment_request | request = "r" | not_permitted
        x | reject_payment_request | request = "none" | not_found
        operator | reject_payment_request | request = "none" | not_found
        x | reject_payment_request | request = "r", reason = "not ours" | ok
        see | to_pay r | status = "rejected", reason = "not ours"
        see | asked r | status = "rejected", reason = "not ours"
        x | reject_payment_request | request = "r" | not_pending
        x | approve_payment_request | request = "r" | not_pending
        a | cancel_payment_request | request = "r" | not_pending
        b | request_payment | request = "r2", requester = "ba-b", payer = "x", service = "s", amount = "50", resends = "r" | not_found
        a | request_payment | request = "r2", requester = "ba-a", payer = "x", service = "s", amount = "50", resends = "r" | ok
        see | to_pay r2 | status = "pending", resends = "r"
        a | request_payment | request = "r3", requester = "ba-a", payer = "x", service = "s", amount = "50", resends = "r" | already_exists
        a | cancel_payment_request | request = "r2", reason = "a mistake" | ok
        # What repeats it came to nothing, so it can be sent anew again.
        a | request_payment | request = "r3", requester = "ba-a", payer = "x", service = "s", amount = "40", resends = "r" | ok
        x | approve_payment_request | request = "r3" | ok
        a | request_payment | request = "r4", requester = "ba-a", payer = "x", service = "s", amount = "40", resends = "r" | already_exists
        # What was answered expires no more.
        at | 2026-04-05T00:00:00Z
        see | to_pay r | status = "rejected", reason = "not ours"
        see | asked r | status = "rejected"
        see | to_pay r2 | status = "cancelled"
        see | to_pay r3 | status = "paid"
        "#,
    );
    assert!(told(&asking).contains(&format!("ba-a {}", NoticeKind::PaymentRequestRejected)));
}

/// R10.1, R10.4: what becomes of a request has one order, whoever is quicker.
#[test]
fn r10_1_cancelled_or_approved_but_never_both() {
    let mut asking = two_sides();
    ask_for(&mut asking, "r", "50");
    ask_for(&mut asking, "s", "50");
    asking.table(
        r#"
        b | cancel_payment_request | request = "r" | not_permitted
        operator | cancel_payment_request | request = "none" | not_found
        a | cancel_payment_request | request = "r", reason = "paid already" | ok
        see | to_pay r | status = "cancelled", reason = "paid already"
        see | asked r | status = "cancelled", reason = "paid already"
        x | approve_payment_request | request = "r" | not_pending
        x | reject_payment_request | request = "r" | not_pending
        a | cancel_payment_request | request = "r" | not_pending
        see | balance ba-x | cash = "100"
        # Approved while the wish to take it back is on its way.
        hold | messages
        a | cancel_payment_request | request = "s" | later
        x | approve_payment_request | request = "s" | ok
        let | messages
        see | to_pay s | status = "paid"
        see | asked s | status = "paid"
        see | balance ba-x | cash = "50", in_flight = "0"
        see | balance ba-a | cash = "20"
        "#,
    );
    let told = told(&asking);
    assert_eq!(told.iter().filter(|told| told.contains("cancelled")).collect::<Vec<_>>().len(), 1);
}

/// R10.1: thirty days (a setting) after it was asked for, and both sides are told.
#[test]
fn r10_1_what_nobody_answers_expires() {
    let mut asking = two_sides();
    ask_for(&mut asking, "r", "50");
    asking.table(
        r#"
        at | 2026-03-31T00:59:59Z
        see | to_pay r | status = "pending"
        at | 2026-03-31T01:00:00Z
        see | to_pay r | status = "expired"
        see | asked r | status = "expired"
        x | approve_payment_request | request = "r" | not_pending
        a | cancel_payment_request | request = "r" | not_pending
        "#,
    );
    let told = told(&asking);
    let expected = [
        "ba-x payment_request_new",
        "ba-x payment_request_expired",
        "ba-a payment_request_expired",
    ];
    assert_eq!(told, expected);
    asking.settings("requests.expire_after = \"1h\"");
    ask_for(&mut asking, "s", "50");
    asking.table(
        r#"
        at | 2026-03-31T02:00:00Z
        see | to_pay s | status = "expired"
        "#,
    );
}

/// R4.5: money in is taken by a frozen requester, and its bills wait; of a frozen payer nothing goes out.
#[test]
fn r4_5_a_frozen_requester_takes_the_money() {
    let mut asking = two_sides();
    ask_for(&mut asking, "r", "50");
    asking.table(
        r#"
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        operator | freeze_billing_account | billing_account = "ba-x" | ok
        x | approve_payment_request | request = "r" | frozen
        x | unfreeze_billing_account | billing_account = "ba-x" | not_permitted
        operator | unfreeze_billing_account | billing_account = "ba-x" | ok
        x | approve_payment_request | request = "r" | ok
        see | asked r | status = "paid"
        see | balance ba-a | cash = "50", unsettled_current = "30"
        use | a | 20
        at | 2026-03-01T02:00:00Z
        see | balance ba-a | cash = "50", unsettled_current = "50"
        operator | unfreeze_billing_account | billing_account = "ba-a" | ok
        see | balance ba-a | cash = "0", unsettled_current = "0"
        # Frozen, it can still ask and be rejected.
        operator | freeze_billing_account | billing_account = "ba-x" | ok
        a | request_payment | request = "s", requester = "ba-a", payer = "x", service = "s", amount = "5" | ok
        x | reject_payment_request | request = "s" | ok
        "#,
    );
}

/// R10.4, R10.3: a requester that was closed meanwhile takes nothing: the money returns to whoever paid, and both sides
/// are told.
#[test]
fn r10_4_money_for_a_closed_requester_returns() {
    let mut asking = two_sides();
    asking.table(
        r#"
        operator | close_account | account = "b" | ok
        at | 2026-05-01T00:00:00Z
        b | request_payment | request = "r", requester = "ba-b", payer = "x", service = "s", amount = "130" | ok
        hold | messages
        x | approve_payment_request | request = "r", method = "card" | ok
        answer | ba-x | succeeded
        see | balance ba-x | in_flight = "130", cash = "0"
        # Its own side does not know yet.
        operator | deregister_billing_account | billing_account = "ba-b" | ok
        let | messages
        see | to_pay r | status = "failed", in_flight = "0", reason = "the billing account is deregistered"
        see | asked r | status = "failed", in_flight = "0"
        see | balance ba-x | cash = "130", in_flight = "0"
        see | balance ba-b | cash = "0"
        b | request_payment | request = "s", requester = "ba-b", payer = "x", service = "s", amount = "1" | deregistered
        "#,
    );
    let told = told(&asking);
    assert_eq!(
        told[told.len() - 2..],
        ["ba-b payment_request_failed", "ba-x payment_request_failed"],
        "R10.3"
    );
}

/// R4.5: what is on its way keeps both sides open.
#[test]
fn r4_5_nobody_is_closed_while_money_is_on_its_way() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-x", amount = "100", currency = "USD", method = "bank_transfer" | ok
        x | link_payment_method | billing_account = "ba-x", method = "card", kind = "card", token = "t" | ok
        answer | ba-x | succeeded
        operator | close_account | account = "x" | ok
        operator | close_account | account = "b" | ok
        at | 2026-05-01T00:00:00Z
        number | invoices
        b | request_payment | request = "r", requester = "ba-b", payer = "x", service = "s", amount = "130" | ok
        x | approve_payment_request | request = "r", method = "card" | ok
        operator | deregister_billing_account | billing_account = "ba-b" | not_empty
        operator | deregister_billing_account | billing_account = "ba-x" | not_empty
        answer | ba-x | succeeded
        operator | deregister_billing_account | billing_account = "ba-x" | ok
        a | request_payment | request = "s", requester = "ba-a", payer = "x", service = "s", amount = "1" | ok
        operator | approve_payment_request | request = "s" | deregistered
        a | cancel_payment_request | request = "s" | ok
        "#,
    );
}

/// R10.2, R5.4: the bills are paid also where automatic write-off is off; bills that a payment in flight is for
/// are not (R6.3).
#[test]
fn r10_2_bills_are_paid_whatever_the_switch_says() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-x", amount = "100", currency = "USD", method = "bank_transfer" | ok
        operator | set_credit_limit | billing_account = "ba-a", limit = "1000" | ok
        operator | confirm_contract | billing_account = "ba-a" | ok
        operator | configure | billing_account = "ba-a", auto_write_off = false | ok
        use | a | 30
        at | 2026-03-01T01:00:00Z
        use | a | 40
        at | 2026-03-01T02:00:00Z
        see | balance ba-a | unsettled_current = "70"
        a | request_payment | request = "r", requester = "ba-a", payer = "x", service = "s", amount = "45" | ok
        x | approve_payment_request | request = "r" | ok
        see | balance ba-a | cash = "0", unsettled_current = "25"
        a | link_payment_method | billing_account = "ba-a", method = "card", kind = "card", token = "t" | ok
        answer | ba-a | succeeded
        a | pay | billing_account = "ba-a" | ok
        a | request_payment | request = "s", requester = "ba-a", payer = "x", service = "s", amount = "10" | ok
        x | approve_payment_request | request = "s" | ok
        see | balance ba-a | cash = "10", unsettled_current = "25"
        answer | ba-a | succeeded
        see | balance ba-a | cash = "10", unsettled_current = "0"
        "#,
    );
}

/// R10.2: the money of a request names it on both sides, and its charge is one that somebody asked for, which leaves
/// what waits to be charged waiting (R6.2).
#[test]
fn r10_2_the_money_of_a_request_names_it() {
    let mut asking = two_sides();
    ask_for(&mut asking, "r", "130");
    asking.table(
        r#"
        x | approve_payment_request | request = "r", method = "card" | ok
        answer | ba-x | succeeded
        "#,
    );
    let said = |fact: &Fact| match fact {
        Fact::Moved(moved) if moved.cause == Cause::PaymentRequest => {
            let remark = moved.remark.as_ref().map_or("", |it| it.as_str());
            Some(format!("{} for {remark}", moved.amount))
        }
        Fact::PaymentBegun(begun) => {
            let payment = &begun.payment;
            Some(format!("{} {}, by hand {}", payment.cause, payment.amount, payment.by_hand))
        }
        _ => None,
    };
    let found: Vec<_> = asking.facts.0.iter().filter_map(said).collect();
    assert_eq!(found, ["-100 for r", "payment_request 30, by hand true", "130 for r"], "R10.2");
}

/// A ledger that is loaded knows on whose side each request stands.
#[test]
fn a_loaded_ledger_knows_both_sides_of_a_request() {
    let mut asking = two_sides();
    ask_for(&mut asking, "r", "50");
    let mut loaded = Ledger::new(1);
    loaded.begin_load();
    pieces(&asking.ledger).into_iter().for_each(|piece| loaded.load(piece).unwrap());
    loaded.loaded();
    let (id, wallet) =
        ("r".parse().unwrap(), |name: &str| loaded.wallet_named(&name.parse().unwrap()));
    assert_eq!(
        (loaded.requests.of(&id), loaded.requests.to(&id)),
        (wallet("ba-a"), wallet("ba-x"))
    );
    assert_eq!(loaded.requests.of(&"s".parse().unwrap()), None);
}
