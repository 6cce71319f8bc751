//! Plans: every refusal, and what becomes of them period by period.

use super::super::asking::Asking;
use super::super::recording::pieces;
use super::super::{Fact, Ledger};
use crate::notices::NoticeKind;

/// The plans whose people were told that they are not renewed.
fn told(asking: &Asking) -> Vec<String> {
    let ended = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::Noticed(told) if told.kind == NoticeKind::PaymentFailed => told.plan.as_ref(),
        _ => None,
    });
    ended.map(ToString::to_string).collect()
}

/// R5.8: a plan renews at its end, a month of the calendar after it began, as an order of its own.
#[test]
fn r5_8_a_plan_is_renewed_month_by_month_until_nothing_pays_for_it() {
    let mut asking = Asking::with_members();
    let long = "x".repeat(59);
    asking.table(&format!(
        r#"
        at | 2026-03-31T10:00:00Z
        operator | top_up | billing_account = "ba-a", amount = "35", currency = "USD", method = "bank_transfer" | ok
        a | place_order | billing_account = "ba-a", order = "{long}", amount = "10", renews = true | malformed
        a | place_order | billing_account = "ba-a", order = "plan", amount = "100", renews = true | insufficient_funds
        a | place_order | billing_account = "ba-a", order = "plan", amount = "10", renews = true | ok
        a | place_order | billing_account = "ba-a", order = "plan", amount = "10", renews = true | already_exists
        a | place_order | billing_account = "ba-a", order = "plan.3", amount = "1", renews = false | ok
        see | balance ba-a | cash = "24"
        at | 2026-04-30T09:59:00Z
        see | balance ba-a | cash = "24"
        at | 2026-04-30T10:00:00Z
        see | balance ba-a | cash = "14"
        at | 2026-05-31T09:59:00Z
        see | balance ba-a | cash = "14"
        # A name that is taken is passed over.
        at | 2026-05-31T10:00:00Z
        see | balance ba-a | cash = "4"
        operator | refund_order | billing_account = "ba-a", order = "plan.4", amount = "99", to = "cash" | invalid_amount
        at | 2026-06-30T10:00:00Z
        see | balance ba-a | cash = "4"
        "#
    ));
    assert_eq!(told(&asking), ["plan"]);
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        at | 2026-08-31T10:00:00Z
        see | balance ba-a | cash = "104"
        "#,
    );
    assert_eq!(told(&asking).len(), 1);
}

/// R5.8: whoever has money back for the running period has no further one; for an earlier one the plan goes on.
#[test]
fn r5_8_a_plan_ends_with_the_refund_of_its_running_period() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        a | place_order | billing_account = "ba-a", order = "plan", amount = "10", renews = true | ok
        at | 2026-04-01T00:00:00Z
        see | balance ba-a | cash = "80"
        operator | refund_order | billing_account = "ba-a", order = "plan", amount = "10", to = "cash" | ok
        at | 2026-05-01T00:00:00Z
        see | balance ba-a | cash = "80"
        operator | refund_order | billing_account = "ba-a", order = "plan.3", amount = "1", to = "cash" | ok
        at | 2026-06-01T00:00:00Z
        see | balance ba-a | cash = "81"
        "#,
    );
    assert_eq!(told(&asking), [""; 0]);
}

/// R4.5, R5.8: a plan waits while its billing account is frozen, and what passed meanwhile is not made good.
#[test]
fn r5_8_a_plan_waits_while_nothing_may_go_out() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        a | place_order | billing_account = "ba-a", order = "plan", amount = "10", renews = true | ok
        operator | freeze_billing_account | billing_account = "ba-a" | ok
        at | 2026-06-15T00:00:00Z
        see | balance ba-a | cash = "90"
        operator | unfreeze_billing_account | billing_account = "ba-a" | ok
        at | 2026-06-15T00:01:00Z
        see | balance ba-a | cash = "80"
        at | 2026-06-30T23:59:00Z
        see | balance ba-a | cash = "80"
        at | 2026-07-01T00:00:00Z
        see | balance ba-a | cash = "70"
        "#,
    );
}

/// R5.8: the method that was chosen pays each period; declined, the plan ends. R6.3: it waits for another payment.
#[test]
fn r5_8_a_plan_by_a_method_is_charged_at_each_end() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        a | place_order | billing_account = "ba-a", order = "plan", amount = "10", method = "visa", renews = true | ok
        answer | ba-a | succeeded
        at | 2026-03-31T23:00:00Z
        a | place_order | billing_account = "ba-a", order = "other", amount = "7", method = "visa" | ok
        at | 2026-04-01T01:00:00Z
        operator | refund_order | billing_account = "ba-a", order = "plan.2", amount = "10", to = "original" | not_found
        answer | ba-a | succeeded
        # What waited for the other payment is being charged.
        a | place_order | billing_account = "ba-a", order = "plan.2", amount = "10" | already_exists
        operator | refund_order | billing_account = "ba-a", order = "plan.2", amount = "10", to = "original" | not_found
        answer | ba-a | succeeded
        operator | refund_order | billing_account = "ba-a", order = "plan", amount = "1", to = "original" | ok
        at | 2026-05-01T00:00:00Z
        answer | ba-a | declined
        at | 2026-06-01T00:00:00Z
        a | place_order | billing_account = "ba-a", order = "plan.4", amount = "1" | ok
        "#,
    );
    assert_eq!(told(&asking), [""; 0], "that a method did not pay is told by itself");
}

/// R5.8: a plan whose first order waits for its payment begins when that is bought, not when it was asked for.
#[test]
fn r5_8_a_plan_begins_when_it_is_paid() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        at | 2026-03-10T10:00:00Z
        a | place_order | billing_account = "ba-a", order = "plan", amount = "10", method = "visa", renews = true | ok
        at | 2026-03-12T10:00:00Z
        answer | ba-a | succeeded
        at | 2026-04-12T09:59:00Z
        a | place_order | billing_account = "ba-a", order = "other", amount = "1", method = "visa" | ok
        answer | ba-a | succeeded
        at | 2026-04-12T10:00:00Z
        a | place_order | billing_account = "ba-a", order = "plan.2", amount = "10" | already_exists
        "#,
    );
}

/// A plan that was begun comes back with a restored ledger.
#[test]
fn r5_8_a_restored_ledger_renews_as_one_that_went_on() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        a | place_order | billing_account = "ba-a", order = "plan", amount = "10", renews = true | ok
        "#,
    );
    let mut restored = Ledger::new(1);
    restored.begin_load();
    pieces(&asking.ledger).into_iter().for_each(|piece| restored.load(piece).unwrap());
    restored.loaded();
    asking.ledger = restored;
    asking.table(
        r#"
        at | 2026-04-01T00:00:00Z
        see | balance ba-a | cash = "80"
        "#,
    );
}

/// R5.8, R4.6: nothing more is bought for an account that is closed, though somebody else would pay, and nobody is told
/// that a payment failed.
#[test]
fn r5_8_the_plan_of_a_closed_account_ends() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | adjust | billing_account = "ba-a", amount = "100", reason = "r" | ok
        a | place_order | billing_account = "ba-a", order = "plan", account = "b", amount = "10", renews = true | ok
        a | place_order | billing_account = "ba-a", order = "other", account = "c", amount = "1", renews = true | ok
        operator | close_account | account = "b" | ok
        at | 2026-04-01T00:00:00Z
        see | balance ba-a | cash = "88"
        at | 2026-05-01T00:00:00Z
        see | balance ba-a | cash = "87"
        "#,
    );
    assert_eq!(told(&asking), Vec::<String>::new());
}
