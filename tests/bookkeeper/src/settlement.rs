//! The settlement of a whole enterprise (R5.6).

use crate::BookKeeper;
use crate::exact::Exact;
use crate::fields::{Fields, Refusal};
use crate::payments::Purpose;
use crate::wallet::Kind;

impl BookKeeper {
    pub(crate) fn is_settling(&self, wallet: usize) -> bool {
        let enterprise = self.enterprises.get(&self.wallets[wallet].enterprise);
        enterprise.is_some_and(|enterprise| enterprise.settling)
    }

    /// Every billing account's issued bills are paid from its own assets, then by its default method. Until the last
    /// result nothing is written off in the enterprise, and thresholds and month ends wait.
    pub(crate) fn settle_enterprise(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let id = fields.text("enterprise")?.to_string();
        self.enterprise(&id)?;
        self.may_pay_for_enterprise(&id)?;
        let enterprise = self.enterprises.get_mut(&id).ok_or("not_found")?;
        if enterprise.settling {
            return Err("settlement_in_progress");
        }
        enterprise.settling = true;
        for wallet in self.members_wallets(&id) {
            if self.wallets[wallet].kind == Kind::Direct && !self.wallets[wallet].frozen {
                self.settle_bills(wallet);
            }
        }
        self.end_settlement_if_over(&id);
        Ok(())
    }

    fn members_wallets(&self, enterprise: &str) -> Vec<usize> {
        let mut wallets: Vec<usize> = (0..self.wallets.len()).collect();
        wallets.retain(|wallet| self.wallets[*wallet].enterprise == enterprise);
        wallets
    }

    fn settle_bills(&mut self, wallet: usize) {
        let bills = self.wallets[wallet].not_in_flight();
        let mut owed = Exact::zero();
        for bill in &bills {
            owed += &self.bills[*bill].unpaid();
        }
        let plan = self.plan_by_hand(wallet, &bills, &owed);
        for (bill, lot, part) in &plan.by_balance {
            self.pay_from_lot(*bill, lot, part, "bill");
        }
        let rest: Exact = plan.rest.iter().map(|(_, part)| part).sum();
        let owner = &self.wallets[wallet];
        let method = owner.paying_method(self.dated).map(|method| method.name.clone());
        if let Some(method) = method
            && rest.is_positive()
            && owner.in_flight.is_none()
        {
            self.wallets[wallet].settles = Some(self.payments.len());
            self.charge_method(wallet, "manual", &method, rest, Purpose::Bills(plan.rest));
        }
    }

    /// A result is known. With the last one each billing account has its former setting back.
    pub(crate) fn end_settlement_if_over(&mut self, enterprise: &str) {
        let wallets = self.members_wallets(enterprise);
        let goes_on = |wallet: &usize| {
            let payment =
                self.wallets[*wallet].settles.and_then(|number| self.payments.get(number));
            payment.is_some_and(|payment| payment.is_under_way())
        };
        if wallets.iter().any(goes_on) {
            return;
        }
        if let Some(enterprise) = self.enterprises.get_mut(enterprise) {
            enterprise.settling = false;
        }
        for wallet in &wallets {
            self.wallets[*wallet].settles = None;
            self.write_off_after_issue(*wallet);
        }
        for wallet in wallets {
            self.charge_what_is_due(wallet, true);
        }
    }
}
