//! Commands at random, valid and invalid.

use drawdown_domain::time::Span;
use serde_json::json;

use super::Simulation;

impl Simulation {
    pub(super) fn amount(&mut self) -> String {
        let amounts =
            ["0", "0.01", "1", "5.50", "20", "33.33", "100", "250", "-3", "1.005", "7", "60"];
        (*self.random.pick(&amounts)).to_owned()
    }

    pub(super) fn some_command(&mut self) {
        match self.random.below(100) {
            0..42 => self.some_command_of_money(),
            42..50 => self.some_right(),
            50..60 => self.some_setting(),
            60..66 => self.freeze_something(),
            66..69 => self.some_command_of_the_operator(),
            69..76 => self.some_benefit(),
            76..80 => self.some_sharing(),
            80..87 => self.some_request(),
            87..90 => self.some_remittance(),
            90..93 => self.some_membership(),
            93..96 => self.some_account(),
            96 if self.random.one_in(2) => self.settle(),
            96 => self.credit_something(),
            97 => self.repeat(),
            _ => self.gateway_says(),
        }
    }

    fn some_command_of_money(&mut self) {
        let wallet = self.wallet();
        let amount = self.amount();
        match self.random.below(20) {
            0..=2 => {
                let currency = self.currency_of(&wallet);
                let bank = self.random.one_in(2);
                let method = if bank { "bank_transfer".to_owned() } else { self.method() };
                let mut fields = json!({ "billing_account": wallet, "amount": amount, "currency": currency, "method": method });
                if self.random.one_in(10) {
                    fields["test"] = json!(true);
                    fields["amount"] = json!("1");
                }
                self.command("top_up", fields);
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
            6 => {
                let fields = json!({ "billing_account": wallet, "limit": amount });
                self.command("set_credit_limit", fields);
            }
            7 => {
                self.command("confirm_contract", json!({ "billing_account": wallet }));
            }
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
            9 => {
                let fields =
                    json!({ "billing_account": wallet, "amount": amount, "reason": "because" });
                self.command("adjust", fields);
            }
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
                if self.random.one_in(3) {
                    fields["renews"] = json!(true);
                }
                if self.random.one_in(6) {
                    fields["account"] = json!(self.account());
                }
                self.command("place_order", fields);
            }
            11 => {
                let order = format!("o{}", self.random.below(6));
                let to = *self.random.pick(&["cash", "credit"]);
                self.command("refund_order", json!({ "billing_account": wallet, "order": order, "amount": amount, "to": to }));
            }
            12 => {
                self.command("set_quota", json!({ "billing_account": wallet, "quota": amount }));
            }
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
                let account = self.account();
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
