//! Payment methods (R7.4 to R7.6).

use serde_json::json;

use super::super::desk_tests::check;
use super::super::{Answer, Fact};
use crate::commands::{Asked, Command};
use crate::ids::PrincipalId;
use crate::payments::PaymentAnswer;

const ACCOUNTS: &str = "
    open_enterprise enterprise=f name=F country=FR
    open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
    open_account account=f enterprise=f email=f@x.example currency=USD mode=postpaid
    open_account account=b enterprise=e email=b@x.example currency=USD mode=postpaid kind=ecosystem partner=p
";

fn methods(table: &str) {
    check("", &format!("{ACCOUNTS}{table}"));
}

#[test]
fn r7_4_every_refusal_of_a_link_in_its_order() {
    methods(
        "
        link_payment_method billing_account=ba-x method=m kind=card token=t brand=amex expires=2026-03 -> not_found
        link_payment_method billing_account=ba-b method=m kind=card token=t brand=amex expires=2026-03 -> not_for_ecosystem
        link_payment_method billing_account=ba-a method=m kind=card token=t brand=amex expires=2026-03 -> method_not_allowed
        link_payment_method billing_account=ba-a method=m kind=card token=t brand=visa expires=2026-03 -> card_expired
        link_payment_method billing_account=ba-a method=m kind=card token=t brand=visa expires=2026-04 -> later
        link_payment_method billing_account=ba-a method=m kind=card token=t brand=amex                 -> already_exists
        answers ba-a declined                        -> preauthorisation_failed
        methods ba-a                                 ->
        link_payment_method billing_account=ba-a method=m kind=card token=t -> later
        answers ba-a declined:expired_card           -> card_expired
        link_payment_method billing_account=ba-a method=m kind=card token=t -> later
        answers ba-a declined:card_expired           -> card_expired
        link_payment_method billing_account=ba-a method=m kind=card token=t -> later
        answers ba-a declined:insufficient_funds     -> preauthorisation_failed
        link_payment_method billing_account=ba-a method=m kind=card token=t -> later
        answers ba-a authentication_required:https://x -> authentication_required
        link_payment_method billing_account=ba-a method=m kind=card token=t brand=visa expires=2026-04 -> later
        answers ba-a succeeded
        methods ba-a                                 -> *m active
        ",
    );
}

/// R7.4: who has proven to the gateway who he is goes on with what he had asked for.
#[test]
fn r7_4_a_link_goes_on_once_its_owner_has_proven_who_he_is() {
    methods(
        "
        finish_authentication billing_account=ba-x method=m -> not_found
        finish_authentication billing_account=ba-b method=m -> not_for_ecosystem
        finish_authentication billing_account=ba-a method=m -> not_found
        link_payment_method billing_account=ba-a method=m kind=card token=t expires=2026-04 -> later
        answers ba-a authentication_required         -> authentication_required
        finish_authentication billing_account=ba-a method=m -> later
        answers ba-a authentication_required         -> authentication_required
        finish_authentication billing_account=ba-a method=m -> later
        finish_authentication billing_account=ba-a method=m -> not_found
        answers ba-a succeeded
        methods ba-a                                 -> *m active
        finish_authentication billing_account=ba-a method=m -> not_found
        link_payment_method billing_account=ba-a method=n kind=card token=t expires=2026-04 -> later
        answers ba-a authentication_required         -> authentication_required
        at 2026-04-01T00:00:00Z
        finish_authentication billing_account=ba-a method=n -> card_expired
        ",
    );
}

/// R7.4: the European Union demands strong authentication of cards; who lives elsewhere, and PayPal, need none.
#[test]
fn r7_4_strong_authentication_is_demanded_by_country() {
    methods(
        "
        link_payment_method billing_account=ba-a method=m kind=card token=t -> later
        answers ba-a unauthenticated
        methods ba-a                                 -> *m active
        link_payment_method billing_account=ba-f method=n kind=card token=t -> later
        answers ba-f unauthenticated                 -> authentication_required
        methods ba-f                                 ->
        finish_authentication billing_account=ba-f method=n -> later
        answers ba-f succeeded
        link_payment_method billing_account=ba-f method=pal kind=paypal token=t -> later
        answers ba-f unauthenticated
        methods ba-f                                 -> *n active, pal active
        ",
    );
}

#[test]
fn r7_4_paypal_is_pending_until_its_agreement_is_approved() {
    methods(
        "
        link_payment_method billing_account=ba-a method=pal kind=paypal token=t -> later
        answers ba-a awaits_approval
        methods ba-a                                 -> *pal pending
        top_up billing_account=ba-a amount=20.00 currency=USD method=pal -> no_method
        prefer_payment_method billing_account=ba-a method=pal            -> no_method
        use a p 60000
        asked ba-a                                   ->
        # Only an active one pays, and once it is active it pays.
        answers ba-a 1 succeeded
        methods ba-a                                 -> *pal active
        asked ba-a                                   -> threshold 600 pal
        answers ba-a succeeded
        link_payment_method billing_account=ba-a method=pal-2 kind=paypal token=t -> later
        answers ba-a awaits_approval
        answers ba-a 3 declined
        methods ba-a                                 -> *pal active, pal-2 inactive
        ",
    );
}

#[test]
fn r7_4_the_first_linked_is_preferred_and_then_the_longest_linked() {
    methods(
        "
        prefer_payment_method billing_account=ba-x method=m -> not_found
        prefer_payment_method billing_account=ba-b method=m -> not_for_ecosystem
        prefer_payment_method billing_account=ba-a method=m -> not_found
        unlink_payment_method billing_account=ba-x method=m -> not_found
        unlink_payment_method billing_account=ba-b method=m -> not_for_ecosystem
        unlink_payment_method billing_account=ba-a method=m -> not_found
        link_payment_method billing_account=ba-a method=one kind=card token=t -> later
        answers ba-a succeeded
        link_payment_method billing_account=ba-a method=two kind=card token=t -> later
        answers ba-a succeeded
        link_payment_method billing_account=ba-a method=three kind=card token=t -> later
        answers ba-a succeeded
        prefer_payment_method billing_account=ba-a method=three
        methods ba-a                                 -> one active, two active, *three active
        use a p 100000
        asked ba-a                                   -> threshold 1000 three
        unlink_payment_method billing_account=ba-a method=three -> method_in_use
        answers ba-a succeeded
        unlink_payment_method billing_account=ba-a method=three
        methods ba-a                                 -> *one active, two active
        ",
    );
}

/// R7.4, R3.6: a card pays once more for the month in which it expires, and is inactive after it; whoever
/// has no other method is judged by what is available from then on (R8.1).
#[test]
fn r7_4_a_card_is_inactive_after_its_expiry_month() {
    methods(
        "
        link_payment_method billing_account=ba-a method=m kind=card token=t expires=2026-04 -> later
        answers ba-a succeeded
        use a p 500
        at 2026-04-01T00:00:00Z
        asked ba-a                                   -> month_end 5 m
        answers ba-a succeeded
        use a p 700
        at 2026-04-30T23:59:59Z
        methods ba-a                                 -> *m active
        told ba-a                                    -> payment_succeeded
        at 2026-05-01T00:00:00Z
        asked ba-a                                   -> month_end 7 m
        methods ba-a                                 -> *m inactive
        told ba-a                                    ->
        answers ba-a declined
        told ba-a                                    -> payment_failed, overdue, suspended
        ",
    );
}

/// R7.6: the first use of each product asks once whether PayPal could pay for it.
#[test]
fn r7_6_the_first_use_of_each_product_is_checked() {
    methods(
        "
        use a q 100
        link_payment_method billing_account=ba-a method=pal kind=paypal token=t -> later
        answers ba-a succeeded
        asked ba-a                                   ->
        use a p 100
        asked ba-a                                   -> preauthorisation 1 pal
        answers ba-a succeeded
        at 2026-03-01T01:00:00Z
        use a p 100
        use a p 100
        asked ba-a                                   ->
        told ba-a                                    -> overdue, suspended, runway, resumed
        use a q 100
        asked ba-a                                   -> preauthorisation 1 pal
        unlink_payment_method billing_account=ba-a method=pal -> method_in_use
        answers ba-a declined
        told ba-a                                    -> payment_failed, overdue, suspended
        methods ba-a                                 -> *pal inactive
        at 2026-03-01T02:00:00Z
        use a p 100
        asked ba-a                                   ->
        ",
    );
}

/// R7.6: a product that was used before PayPal was linked is checked with its next use, in the same hour, too.
#[test]
fn r7_6_the_first_use_since_it_was_linked_is_checked() {
    methods(
        "
        use a q 100
        link_payment_method billing_account=ba-a method=pal kind=paypal token=t -> later
        answers ba-a succeeded
        asked ba-a                                   ->
        use a q 100
        asked ba-a                                   -> preauthorisation 1 pal
        ",
    );
}

/// R7.6: before a first use is checked nothing is charged for it, nor after a check that failed.
#[test]
fn r7_6_who_fails_the_check_is_not_charged_for_that_use() {
    for (answer, asked) in [("succeeded", "threshold 500 pal"), ("declined", "")] {
        methods(&format!(
            "
            link_payment_method billing_account=ba-a method=pal kind=paypal token=t -> later
            answers ba-a succeeded
            use a p 50000
            asked ba-a                                   -> preauthorisation 1 pal
            answers ba-a {answer}
            asked ba-a                                   -> {asked}
            "
        ));
    }
}

/// R7.4: an automatic charge that asks for authentication counts as declined, and the owner is told where to go.
#[test]
fn r7_4_a_charge_may_ask_for_authentication() {
    methods(
        "
        link_payment_method billing_account=ba-a method=m kind=card token=t -> later
        answers ba-a succeeded
        use a p 100000
        asked ba-a                                   -> threshold 1000 m
        answers ba-a authentication_required:https://x
        told ba-a                                    -> payment_failed, authentication_required
        at 2026-03-02T00:00:00Z
        asked ba-a                                   -> retry 1000 m
        # He went there, and the gateway says so.
        answers ba-a 2 succeeded
        balance ba-a                                 -> unsettled_current=0
        ",
    );
}

/// R7.4: a method that can pay is no longer asked about: an answer to its link that comes late changes nothing. One whose
/// owner had to prove who he is counts as linked when he has gone on.
#[test]
fn r7_4_a_late_answer_to_a_link_changes_nothing() {
    let desk = check(
        "",
        &format!(
            "{ACCOUNTS}
            link_payment_method billing_account=ba-a method=m kind=card token=t -> later
            answers ba-a 1 succeeded
            answers ba-a 1 declined
            methods ba-a                                 -> *m active
            link_payment_method billing_account=ba-a method=pal kind=paypal token=t -> later
            answers ba-a 2 awaits_approval
            # What is said of another link, and of none, is not said of this one.
            answers ba-a 1 declined
            answers ba-a 7 declined
            methods ba-a                                 -> *m active, pal pending
            link_payment_method billing_account=ba-a method=n kind=card token=t -> later
            answers ba-a authentication_required         -> authentication_required
            at 2026-03-02T00:00:00Z
            finish_authentication billing_account=ba-a method=n -> later
            answers ba-a succeeded
            "
        ),
    );
    let wallet = desk.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    let rows = desk.ledger.methods(wallet).unwrap().payment_methods;
    let linked: Vec<_> =
        rows.iter().map(|row| format!("{} {}", row.method, row.linked_at)).collect();
    let expected = ["m 2026-03-01T00:00:00Z", "pal 2026-03-01T00:00:00Z", "n 2026-03-02T00:00:00Z"];
    assert_eq!(linked, expected);
}

/// R7.6: only the check of the very method that is charged holds a charge back: neither a top-up by it nor the
/// check of another one.
#[test]
fn r7_6_nothing_but_its_own_check_holds_a_method_back() {
    methods(
        "
        link_payment_method billing_account=ba-a method=m kind=card token=t -> later
        answers ba-a succeeded
        top_up billing_account=ba-a amount=20.00 currency=USD method=m
        asked ba-a                                   -> top_up 20 m
        use a p 100000
        asked ba-a                                   -> threshold 1000 m
        answers ba-a succeeded
        link_payment_method billing_account=ba-a method=pal kind=paypal token=t -> later
        answers ba-a succeeded
        prefer_payment_method billing_account=ba-a method=pal
        use a p 100
        asked ba-a                                   -> preauthorisation 1 pal
        prefer_payment_method billing_account=ba-a method=m
        use a p 99900
        asked ba-a                                   -> threshold 1000 m
        ",
    );
}

/// R7.6, R2.5: what is taken back is no use of a product.
#[test]
fn r7_6_what_is_taken_back_checks_nothing() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        use a p 500
        link_payment_method billing_account=ba-a method=pal kind=paypal token=t -> later
        answers ba-a succeeded
        takes_back a p 500 2026-03-01T00:00:00Z
        asked ba-a                  ->
        use a p 500
        asked ba-a                  -> preauthorisation 1 pal
        ",
    );
}

/// R11.4: who asked for a link, and from where, is known when the gateway answers.
#[test]
fn r11_4_a_link_remembers_from_where_it_was_asked() {
    let mut desk = check("", ACCOUNTS);
    let link = json!({ "billing_account": "ba-a", "method": "m", "kind": "card", "token": "t" });
    let go_on = json!({ "billing_account": "ba-a", "method": "m" });
    for (number, name, fields) in
        [(77, "link_payment_method", link), (78, "finish_authentication", go_on)]
    {
        let (key, origin) = (Some("k".parse().unwrap()), Some("192.0.2.7".parse().unwrap()));
        let asked = Asked { number, principal: PrincipalId::operator(), key, origin };
        let command = Command::read(name, fields).unwrap().unwrap();
        let answer = desk.ledger.command(&asked, &command, &mut desk.recorder);
        assert_eq!(answer, Ok(Answer::Later), "{name}");
        let wallet = desk.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
        let begun = desk.ledger.wallet(wallet).unwrap().paying.as_ref().unwrap().begun;
        let refused = PaymentAnswer::AuthenticationRequired;
        desk.ledger.payment_answered(wallet, begun, refused, None, &mut desk.recorder).unwrap();
        let ended = desk.recorder.0.iter().rev().find_map(|fact| match fact {
            Fact::LinkEnded(ended) => Some(&ended.linking.asked),
            _ => None,
        });
        assert_eq!(ended, Some(&asked), "{name}");
    }
}
