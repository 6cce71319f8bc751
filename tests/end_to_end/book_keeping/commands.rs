//! Commands at random, valid and invalid.

use drawdown_domain::time::Span;
use serde_json::{Value, json};

use super::{ACCOUNTS, Simulation};

impl Simulation {
    fn wallet(&mut self) -> String {
        if self.random.one_in(40) {
            return "ba-nobody".to_owned();
        }
        format!("ba-{}", self.random.pick(&ACCOUNTS))
    }

    fn amount(&mut self) -> String {
        let amounts =
            ["0", "0.01", "1", "5.50", "20", "33.33", "100", "250", "-3", "1.005", "7", "60"];
        (*self.random.pick(&amounts)).to_owned()
    }

    pub(super) fn some_command(&mut self) {
        let wallet = self.wallet();
        let amount = self.amount();
        match self.random.below(20) {
            0..=2 => {
                let currency =
                    if wallet == "ba-c" && !self.random.one_in(8) { "JPY" } else { "USD" };
                let bank = self.random.one_in(2);
                let method = if bank { "bank_transfer".to_owned() } else { self.method() };
                self.command("top_up", json!({ "billing_account": wallet, "amount": amount, "currency": currency, "method": method }));
            }
            3 => {
                let to = self.wallet();
                self.command("transfer", json!({ "from": wallet, "to": to, "amount": amount }));
            }
            4 => {
                let to = self.wallet();
                self.command(
                    "revoke_transfer",
                    json!({ "from": wallet, "to": to, "amount": amount }),
                );
            }
            5 => self.grant_coupon(&wallet, &amount),
            6 => self
                .command("set_credit_limit", json!({ "billing_account": wallet, "limit": amount })),
            7 => self.command("confirm_contract", json!({ "billing_account": wallet })),
            8 => {
                let mut fields = json!({ "billing_account": wallet });
                if self.random.one_in(2) {
                    fields["auto_write_off"] = json!(self.random.one_in(2));
                }
                if self.random.one_in(2) {
                    fields["write_off_previous"] = json!(self.random.one_in(2));
                }
                if self.random.one_in(6) {
                    fields["bill_cycle"] = json!(*self.random.pick(&["hour", "day", "month"]));
                }
                self.command("configure", fields);
            }
            9 => self.command(
                "adjust",
                json!({ "billing_account": wallet, "amount": amount, "reason": "because" }),
            ),
            10 => {
                let order = format!("o{}", self.random.below(6));
                let mut fields =
                    json!({ "billing_account": wallet, "order": order, "amount": amount });
                if self.random.one_in(2) {
                    fields["product"] = json!(*self.random.pick(&["compute", "storage"]));
                }
                if self.random.one_in(3) {
                    fields["method"] = json!(self.method());
                }
                self.command("place_order", fields);
            }
            11 => {
                let order = format!("o{}", self.random.below(6));
                let to = *self.random.pick(&["cash", "credit"]);
                self.command("refund_order", json!({ "billing_account": wallet, "order": order, "amount": amount, "to": to }));
            }
            12 => self.command("set_quota", json!({ "billing_account": wallet, "quota": amount })),
            13 | 14 => self.link_method(&wallet),
            15 => {
                let name = *self.random.pick(&["unlink_payment_method", "prefer_payment_method"]);
                let method = self.method();
                self.command(name, json!({ "billing_account": wallet, "method": method }));
            }
            16 => self.pay(&wallet, &amount),
            17 => {
                self.command("withdraw", json!({ "billing_account": wallet, "amount": amount }));
            }
            18 => {
                let fields = json!({ "billing_account": wallet, "auto_pay_threshold": amount });
                self.command("configure", fields);
            }
            _ => {
                let account = *self.random.pick(&["a", "b", "c", "other"]);
                let mut fields = json!({ "account": account, "billing_account": wallet });
                if self.random.one_in(2) {
                    let at = self
                        .now
                        .plus(Span::micros((self.random.below(86_400) as i64 - 3_600) * 1_000_000));
                    fields["effective_at"] = json!(at.to_string());
                }
                self.command("change_payer", fields);
            }
        }
    }

    /// One of a few methods, linked or not.
    fn method(&mut self) -> String {
        format!("m{}", self.random.below(6))
    }

    fn link_method(&mut self, wallet: &str) {
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
            "tok_ok_then_no_hold",
        ]);
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

    fn pay(&mut self, wallet: &str, amount: &str) {
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

    fn grant_coupon(&mut self, wallet: &str, amount: &str) {
        // One that begins inside a cycle that is open already counts there from its grant on
        // (docs/decisions.md, 5.2), which the book-keeper, who remembers every minute, need not say.
        let length = self.random.below(6 * 86_400) as i64;
        let from = match self.random.below(3) {
            0 => "2026-01-15T00:00:00Z".parse().unwrap(),
            _ => self.now.plus(Span::micros(self.random.below(3 * 86_400) as i64 * 1_000_000)),
        };
        let length = if from < self.now {
            self.now.since(from).as_micros() / 1_000_000 + length
        } else {
            length
        };
        let until = from.plus(Span::micros(length * 1_000_000)).full_minute().starts();
        let coupon = format!("k{}", self.random.below(8));
        let mut fields = json!({ "billing_account": wallet, "coupon": coupon, "amount": amount,
            "valid_from": from.to_string(), "valid_until": until.to_string(), "cash": self.random.one_in(3) });
        if self.random.one_in(3) {
            fields["products"] = json!(["storage"]);
        }
        if self.random.one_in(3) {
            fields["minimum"] = json!("3");
        }
        self.command("grant_coupon", fields);
    }
}
