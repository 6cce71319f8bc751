//! Bills are paid by hand: what the balance covers, the rest by a payment method (R6.6).

use super::fact::Journal;
use super::orders::spend;
use super::payments::Charge;
use super::state::{Lot, Method, Share, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::Pay;
use crate::ids::Text;
use crate::money::{Amount, Overflow};
use crate::payments::PaymentCause;
use crate::refusal::Refusal;

/// How bills are paid by hand.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What the wallet itself pays, in order.
    pub(super) by_balance: Vec<(u64, Lot, Amount)>,
    /// What is left for a method.
    pub(super) shares: Vec<Share>,
}

impl Plan {
    pub(super) fn remainder(&self) -> Result<Amount, Overflow> {
        Amount::sum(self.shares.iter().map(|share| share.amount))
    }
}

impl Ledger {
    pub(super) fn pay_by_hand(
        &mut self,
        command: &Pay,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        if wallet.paying.as_deref().is_some_and(|paying| paying.in_flight.is_some()) {
            return Err(Refusal::PaymentInProgress.into());
        }
        let chosen = match &command.bills {
            Some(names) => wallet.bills_named(names)?,
            None => wallet.unpaid.iter().map(|bill| bill.number).collect(),
        };
        let named = command.method.as_ref();
        let named = named.map(|id| wallet.method(id).ok_or(Refusal::NotFound)).transpose()?;
        let owed = wallet.unpaid.iter().filter(|bill| chosen.contains(&bill.number));
        let owed = Amount::sum(owed.map(super::Bill::owed))?;
        if command
            .amount
            .is_some_and(|amount| !amount.is_positive() || !amount.is_payable(wallet.currency))
        {
            return Err(Refusal::InvalidAmount.into());
        }
        let amount = command.amount.unwrap_or(owed);
        if amount > owed {
            return Err(Refusal::ExceedsOutstanding.into());
        }
        let plan = self.plan_payment(wallet, number, &chosen, amount)?;
        let method = match named {
            Some(method) => Some(method).filter(|method| method.is_active()),
            None => wallet.active_method(),
        };
        let method = method.map(|method: &Method| method.method.clone());
        let remainder = plan.remainder()?;
        let method = match (remainder.is_positive(), method) {
            (true, None) => return Err(Refusal::NoMethod.into()),
            (true, method) => method,
            (false, _) => None,
        };

        self.pay_as_planned(number, plan.by_balance, journal)?;
        let Some(method) = method else { return Ok(()) };
        let charge = Charge::of(PaymentCause::Manual, method, remainder);
        let charge = Charge { shares: plan.shares, by_hand: true, ..charge };
        self.begin_charge(number, charge, journal)
    }

    /// How so much of these bills would be paid now, the oldest first, each from the wallet as far as that
    /// reaches.
    pub(super) fn plan_payment(
        &self,
        wallet: &Wallet,
        number: WalletNumber,
        chosen: &[u64],
        amount: Amount,
    ) -> Result<Plan, Overflow> {
        let (mut after, mut left, mut plan) = (wallet.clone(), amount, Plan::default());
        for bill in wallet.unpaid.iter().filter(|bill| chosen.contains(&bill.number)) {
            let mut wanted = bill.owed().min(left);
            left = left.minus(wanted)?;
            while wanted.is_positive() {
                let Some((lot, available)) = self.next_lot(&after, bill) else { break };
                let amount = wanted.min(available);
                spend(&mut after, number, lot.clone(), amount)?;
                wanted = wanted.minus(amount)?;
                plan.by_balance.push((bill.number, lot, amount));
            }
            if wanted.is_positive() {
                plan.shares.push(Share { bill: bill.number, amount: wanted });
            }
        }
        Ok(plan)
    }

    pub(super) fn pay_as_planned(
        &mut self,
        number: WalletNumber,
        by_balance: Vec<(u64, Lot, Amount)>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        by_balance
            .into_iter()
            .try_for_each(|(bill, lot, amount)| self.pay(number, bill, lot, amount, journal))
    }
}

impl Wallet {
    /// The numbers of issued bills. One that is paid already is owed nothing of.
    fn bills_named(&self, names: &[Text]) -> Result<Vec<u64>, Refusal> {
        names.iter().map(|name| self.bill_named(name)).collect()
    }

    pub(super) fn bill_named(&self, name: &Text) -> Result<u64, Refusal> {
        let number = name.as_str().strip_prefix(self.id.as_str());
        let number = number.and_then(|number| number.strip_prefix('.')?.parse().ok());
        number.filter(|number| (1..=self.bills_issued).contains(number)).ok_or(Refusal::NotFound)
    }
}

#[cfg(test)]
#[path = "pay_tests.rs"]
mod tests;
