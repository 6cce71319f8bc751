//! What owners set, and what stops and starts a billing account.

use serde_json::json;

use super::Simulation;

impl Simulation {
    pub(super) fn some_setting(&mut self) {
        let wallet = self.wallet();
        let mut fields = json!({ "billing_account": wallet });
        let amount = self.amount();
        match self.random.below(5) {
            0 | 1 => {
                let mut recharge = json!({ "enabled": !self.random.one_in(4) });
                if !self.random.one_in(8) {
                    recharge["amount"] = json!(amount);
                }
                if self.random.one_in(3) {
                    let lists: [&[&str]; 5] =
                        [&["100"], &["80", "30"], &["0"], &["101"], &["99.5", "33.333", "1"]];
                    recharge["percents"] = json!(self.random.pick(&lists));
                }
                fields["auto_recharge"] = recharge;
            }
            2 => {
                let mut alert = json!({ "enabled": !self.random.one_in(4) });
                if !self.random.one_in(8) {
                    alert["threshold"] = json!(amount);
                }
                fields["low_balance_alert"] = alert;
            }
            3 => {
                let mut delay = json!({});
                if self.random.one_in(2) {
                    delay["hours"] = json!(self.random.below(50) as i64 - 1);
                }
                if self.random.one_in(2) {
                    delay["debt"] = json!(amount);
                }
                fields["delayed_suspension"] = delay;
            }
            _ => {
                let schedules = ["monthly", "semi_monthly", "semi_monthly", "yearly"];
                fields["invoice_schedule"] = json!(self.random.pick(&schedules));
            }
        }
        self.command("configure", fields);
    }

    pub(super) fn freeze_something(&mut self) {
        let (wallet, enterprise) = (self.wallet(), self.enterprise());
        let name = *self.random.pick(&[
            "freeze_billing_account",
            "unfreeze_billing_account",
            "unfreeze_billing_account",
            "freeze_recharge",
            "unfreeze_recharge",
        ]);
        let fields = match name.ends_with("recharge") {
            true => json!({ "enterprise": enterprise }),
            false => json!({ "billing_account": wallet }),
        };
        self.command(name, fields);
    }

    pub(super) fn some_command_of_the_operator(&mut self) {
        let (wallet, method) = (self.wallet(), self.method());
        match self.random.below(3) {
            0 => self.command("lift_bad_debt", json!({ "billing_account": wallet })),
            1 => self.command("deregister_billing_account", json!({ "billing_account": wallet })),
            _ => {
                let fields = json!({ "billing_account": wallet, "method": method });
                self.command("finish_authentication", fields)
            }
        };
    }
}
