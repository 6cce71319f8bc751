//! Pay for me, and bank transfers that name no account.

use serde_json::json;

use super::Simulation;

impl Simulation {
    pub(super) fn some_request(&mut self) {
        let request = format!("r{}", self.random.below(12));
        match self.random.below(8) {
            0..=2 => {
                let payer = match self.random.one_in(6) {
                    true => format!("{}@z.example", self.random.pick(&["n", "M", "x"])),
                    false => self.account(),
                };
                let mut fields = json!({ "request": request, "requester": self.wallet(), "payer": payer,
                    "service": "compute", "amount": self.amount() });
                if self.random.one_in(4) {
                    fields["resends"] = json!(format!("r{}", self.random.below(12)));
                }
                self.command("request_payment", fields);
            }
            3..=5 => {
                let mut fields = json!({ "request": request });
                if self.random.one_in(2) {
                    fields["method"] = json!(self.method());
                }
                self.command("approve_payment_request", fields);
            }
            6 => {
                self.command(
                    "reject_payment_request",
                    json!({ "request": request, "reason": "no" }),
                );
            }
            _ => {
                self.command("cancel_payment_request", json!({ "request": request }));
            }
        }
    }

    pub(super) fn some_remittance(&mut self) {
        let (wallet, amount) = (self.wallet(), self.amount());
        if self.world.remittances.is_empty() || self.random.one_in(2) {
            let reference = format!("t{}", self.random.below(20));
            let currency = self.currency_of(&wallet);
            let fields = json!({ "reference": reference, "amount": amount, "currency": currency });
            if self.command("receive_remittance", fields) {
                self.world.remittances.push((reference, amount));
            }
            return;
        }
        let (reference, exact) = self.random.pick(&self.world.remittances).clone();
        let amount = if self.random.one_in(6) { amount } else { exact };
        let fields = json!({ "billing_account": wallet, "reference": reference, "amount": amount });
        self.command("claim_remittance", fields);
    }
}
