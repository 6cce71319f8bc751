//! Payments by hand (R6.6), and what is due.

use crate::BookKeeper;
use crate::exact::Exact;
use crate::fields::{Fields, INVALID_AMOUNT, NOT_FOUND, Refusal};
use crate::ledger::Lot;
use crate::payments::Purpose;
use crate::rights::Right;

/// How an amount would be paid: by the wallet at once, the rest by a method.
pub struct Plan {
    pub by_balance: Vec<(usize, Lot, Exact)>,
    pub rest: Vec<(usize, Exact)>,
}

impl BookKeeper {
    /// Pays issued bills, the oldest first, all or chosen ones. What the balance covers pays at once, and stays paid
    /// if the method is declined. It begins no series of tries.
    pub(crate) fn pay(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let named = fields.optional_text("method")?;
        let chosen = fields.texts("bills")?;
        let wallet = self.asked_wallet(wallet_name, Right::Pay)?;
        self.not_frozen(wallet)?;
        self.direct_wallet(wallet_name)?;
        if self.wallets[wallet].in_flight.is_some() {
            return Err("payment_in_progress");
        }
        let bills: Vec<usize> = match chosen.is_empty() {
            true => self.wallets[wallet].unpaid.iter().copied().collect(),
            false => self.bills_of_names(wallet, &chosen)?,
        };
        if named.is_some_and(|name| self.wallets[wallet].method(name).is_none()) {
            return Err(NOT_FOUND);
        }
        let mut owed = Exact::zero();
        for bill in &bills {
            owed += &self.bills[*bill].unpaid();
        }
        let amount = match fields.has("amount") {
            true => {
                let amount = fields.amount_or_zero("amount", self.wallets[wallet].currency)?;
                if amount.is_zero() {
                    return Err(INVALID_AMOUNT);
                }
                amount
            }
            false => owed.clone(),
        };
        if amount > owed {
            return Err("exceeds_outstanding");
        }
        let plan = self.plan_by_hand(wallet, &bills, &amount);
        let rest: Exact = plan.rest.iter().map(|(_, part)| part).sum();
        let owner = &self.wallets[wallet];
        let method = match named {
            Some(name) => owner.method(name).filter(|method| owner.is_active(method, self.dated)),
            None => owner.paying_method(self.dated),
        }
        .map(|method| method.name.clone());
        if rest.is_positive() && method.is_none() {
            return Err("no_method");
        }
        for (bill, lot, part) in &plan.by_balance {
            self.pay_from_lot(*bill, lot, part, "bill");
        }
        if let Some(method) = method
            && rest.is_positive()
        {
            self.charge_method(wallet, "manual", &method, rest, Purpose::Bills(plan.rest));
        }
        Ok(())
    }

    /// The bills of these names, each once, in the order of issue.
    fn bills_of_names(&self, wallet: usize, names: &[String]) -> Result<Vec<usize>, Refusal> {
        let mut bills = Vec::new();
        for name in names {
            let number = name
                .strip_prefix(&self.wallets[wallet].name)
                .and_then(|rest| rest.strip_prefix('.'))
                .and_then(|rest| rest.parse::<usize>().ok())
                .and_then(|number| number.checked_sub(1))
                .ok_or(NOT_FOUND)?;
            bills.push(*self.wallets[wallet].issued.get(number).ok_or(NOT_FOUND)?);
        }
        bills.sort_unstable();
        bills.dedup();
        Ok(bills)
    }

    /// What could be written off of these bills now, in the order of R5.3, whatever the switch says, and what is left
    /// of this amount. Bills in flight are set aside.
    pub(crate) fn plan_by_hand(&self, wallet: usize, bills: &[usize], amount: &Exact) -> Plan {
        let mut copy = self.wallets[wallet].clone();
        let mut plan = Plan { by_balance: Vec::new(), rest: Vec::new() };
        let mut to_pay = amount.clone();
        for bill in bills {
            let issued = &self.bills[*bill];
            let mut part = issued.unpaid().min(to_pay.clone()).at_least_zero();
            to_pay -= &part;
            if !copy.set_aside.contains(bill) && !copy.frozen {
                let pays = copy.plan_payment(&issued.product, issued.month, &part, self.dated);
                for (lot, pays) in pays {
                    copy.change(&lot, &-&pays);
                    part -= &pays;
                    plan.by_balance.push((*bill, lot, pays));
                }
            }
            if part.is_positive() {
                plan.rest.push((*bill, part));
            }
        }
        plan
    }

    /// What is owed of issued bills, and what the balance covers of it: the view `due`.
    pub(crate) fn due_now(&self, wallet: usize) -> (Exact, Exact) {
        let bills: Vec<usize> = self.wallets[wallet].unpaid.iter().copied().collect();
        let owed = self.wallets[wallet].unpaid_total();
        let plan = self.plan_by_hand(wallet, &bills, &owed);
        let covered = plan.by_balance.iter().map(|(_, _, part)| part).sum();
        (owed, covered)
    }
}
