//! Payment methods, payments by hand, and what gateways say of their own accord.

use drawdown_domain::payments::PaymentAnswer;
use drawdown_domain::time::Timestamp;
use drawdown_wire::messages::PaymentAnswered;
use serde_json::{Value, json};

use super::Simulation;
use super::comparing::{alike, shown};

/// What is said comes late for one of the last payments.
const LAST: usize = 6;

impl Simulation {
    /// One of a few methods, linked or not.
    pub(super) fn method(&mut self) -> String {
        format!("m{}", self.random.below(self.world.methods))
    }

    pub(super) fn link_method(&mut self, wallet: &str) {
        let method = self.method();
        let token = *self.random.pick(&[
            "tok_ok",
            "tok_ok",
            "tok_declined",
            "tok_expired",
            "tok_3ds",
            "tok_no_funds",
            "tok_ok_then_declined",
            "tok_declined_once",
            "tok_authentication_at_charge",
            "tok_unknown_then_ok",
            "tok_unknown_then_declined",
        ]);
        // A check that fails (`tok_ok_then_no_hold`) is answered by gateways a moment after the use it is for, and here at
        // once: what is told in between differs.
        let kind = *self.random.pick(&["card", "card", "paypal"]);
        let mut fields =
            json!({ "billing_account": wallet, "method": method, "kind": kind, "token": token });
        if kind == "card" {
            let expires = ["2026-01", "2026-03", "2026-05", "2030-12"];
            fields["expires"] = json!(*self.random.pick(&expires));
            if self.random.one_in(8) {
                fields["brand"] = json!(*self.random.pick(&["visa", "jcb"]));
            }
        }
        self.command("link_payment_method", fields);
    }

    pub(super) fn pay(&mut self, wallet: &str, amount: &str) {
        let mut fields = json!({ "billing_account": wallet });
        if self.random.one_in(2) {
            fields["amount"] = json!(amount);
        }
        if self.random.one_in(3) {
            fields["method"] = json!(self.method());
        }
        if self.random.one_in(4) {
            let bills: Vec<Value> =
                (0..2).map(|_| json!(format!("{wallet}.{}", self.random.below(20)))).collect();
            fields["bills"] = json!(bills);
        }
        self.command("pay", fields);
    }

    /// The outcome of a payment: of one that nothing is known of, or once more, or otherwise than before (R6.4).
    pub(super) fn gateway_says(&mut self) {
        let payments = self.book_keeper.payments();
        let Some(last) = payments.len().checked_sub(1) else { return };
        let chosen = last - self.random.below(LAST.min(payments.len()) as u64) as usize;
        let succeeded = !self.random.one_in(3);
        let payment = &payments[chosen];
        let begun_at = Timestamp::from_micros(payment.at).to_string();
        let fields = ["billing_account", "begun_at", "cause", "method", "amount"];
        let (cause, method) = (&*payment.cause, &*payment.method);
        let expected = [&*payment.billing_account, &*begun_at, cause, method, &*payment.amount];
        let expected = expected.map(alike);
        let rows = self.rows.list("payments", "all", &self.pipeline).unwrap();
        let mut same = rows.iter().filter(|row| fields.map(|field| shown(&row[field])) == expected);
        // Of two that look alike nobody could say which is meant, and 1.00 that is held or tried with is no charge.
        let (Some(row), None) = (same.next(), same.next()) else { return };
        if ["preauthorisation", "test"].contains(&cause) {
            return;
        }
        self.script.push(format!("{} of {expected:?} the gateway says {succeeded}", self.now));
        let answered = PaymentAnswered {
            billing_account: payment.billing_account.parse().unwrap(),
            payment: shown(&row["payment"]),
            answer: if succeeded { PaymentAnswer::Succeeded } else { PaymentAnswer::Declined },
            reason: None,
            reference: None,
        };
        self.pipeline.gateway_says(self.now, answered).unwrap();
        self.book_keeper.gateway(self.now.as_micros(), chosen, succeeded);
    }
}
