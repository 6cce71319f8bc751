//! Benefits, and with whom they are shared.

use drawdown_domain::time::Span;
use serde_json::{Value, json};

use super::Simulation;

impl Simulation {
    pub(super) fn some_benefit(&mut self) {
        let (wallet, amount) = (self.wallet(), self.amount());
        let products = [
            ("storage", Some("gigabytes")),
            ("storage", None),
            ("compute", Some("hours")),
            ("compute", Some("calls")),
            ("compute", None),
            ("support", Some("seats")),
            ("storage", Some("nothing")),
        ];
        let (product, meter) = *self.random.pick(&products);
        let kind = *self.random.pick(&["storage_package", "reserved_instance", "savings_plan"]);
        let begins = self.random.below(2 * 86_400) as i64 - 86_400;
        let lasts = self.random.below(10 * 86_400) as i64;
        let from = self.now.plus(Span::micros(begins * 1_000_000));
        let until = from.plus(Span::micros(lasts * 1_000_000)).full_minute().starts();
        let mut fields = json!({
            "billing_account": wallet,
            "benefit": format!("b{}", self.random.below(8)),
            "kind": kind,
            "product": product,
            "price": amount,
            "valid_from": from.to_string(),
            "valid_until": until.to_string(),
        });
        if let Some(meter) = meter {
            fields["meter"] = json!(meter);
        }
        if (kind == "savings_plan") != self.random.one_in(30) {
            let sizes = ["0.01", "0.5", "3", "0.333333333333"];
            fields["commitment"] = json!(self.random.pick(&sizes));
            if self.random.one_in(2) {
                fields["discount"] = json!(self.random.pick(&["0.1", "0.25", "0.333333", "1"]));
            }
        } else {
            let sizes = ["1", "10", "100", "0.5", "1000", "0"];
            fields["quantity"] = json!(self.random.pick(&sizes));
        }
        if self.random.one_in(4) {
            self.name_somebody(&mut fields);
        }
        self.command("buy_benefit", fields);
    }

    fn name_somebody(&mut self, fields: &mut Value) {
        if !self.random.one_in(4) {
            let accounts: Vec<String> =
                (0..1 + self.random.below(3)).map(|_| self.account()).collect();
            fields["accounts"] = json!(accounts);
        }
        if self.random.one_in(3) {
            fields["organisation"] = json!(self.organisation());
        }
    }

    fn organisation(&mut self) -> String {
        format!("g{}", self.random.below(3))
    }

    pub(super) fn some_sharing(&mut self) {
        let benefit = match self.random.one_in(3) {
            true => format!("k{}", self.random.below(8)),
            false => format!("b{}", self.random.below(8)),
        };
        let wallet = self.wallet();
        match self.random.below(8) {
            0..=3 => {
                let mut fields = json!({ "billing_account": wallet, "benefit": benefit });
                self.name_somebody(&mut fields);
                self.command("share_benefit", fields);
            }
            4 => {
                let mut fields = json!({ "billing_account": wallet, "benefit": benefit });
                if self.random.one_in(2) {
                    self.name_somebody(&mut fields);
                }
                self.command("unshare_benefit", fields);
            }
            5 => {
                let mut fields = json!({ "billing_account": wallet });
                self.name_somebody(&mut fields);
                self.command("set_sharing_rule", fields);
            }
            _ => {
                let accounts: Vec<String> =
                    (0..self.random.below(4)).map(|_| self.account()).collect();
                let fields = json!({ "enterprise": self.enterprise(), "organisation": self.organisation(), "accounts": accounts });
                self.command("set_organisation", fields);
            }
        }
    }
}
