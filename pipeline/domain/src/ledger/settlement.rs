//! An enterprise settles all bills of its wallets at once: each from its own assets, then by its preferred
//! method (R5.6). Until the last result has come nothing else pays bills there.

use super::fact::{Journal, SettlementChanged};
use super::payments::Charge;
use super::state::{EnterpriseNumber, InFlight, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::SettleEnterprise;
use crate::payments::{PaymentCause, Purpose};
use crate::refusal::Refusal;

impl Ledger {
    pub(super) fn settle_enterprise(
        &mut self,
        command: &SettleEnterprise,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let number = self.enterprise_named(&command.enterprise).ok_or(Refusal::NotFound)?;
        let enterprise = self.enterprise(number).ok_or(Refusal::NotFound)?;
        if !enterprise.settling.is_empty() {
            return Err(Refusal::SettlementInProgress.into());
        }

        let mut awaits = Vec::new();
        for wallet in enterprise.wallets.clone() {
            if let Some(charge) = self.settle_from_assets(wallet, journal)? {
                awaits.push((wallet, charge));
            }
        }
        if awaits.is_empty() {
            return Ok(());
        }
        let wallets = awaits.iter().map(|(wallet, _)| *wallet).collect();
        self.record(journal, SettlementChanged { enterprise: number, awaits: wallets })?;
        awaits
            .into_iter()
            .try_for_each(|(wallet, charge)| self.begin_charge(wallet, charge, journal))
    }

    /// Pays all that a wallet owes from its own assets; says what its method is to be charged. One whose
    /// method is being charged already goes on with that.
    fn settle_from_assets(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<Option<Charge>, Undecided> {
        let Some(wallet) =
            self.wallet(number).filter(|wallet| !wallet.is_ecosystem() && !wallet.is_frozen())
        else {
            return Ok(None);
        };
        let set_aside: Vec<u64> = wallet.bills_in_flight().collect();
        let bills = wallet.unpaid.iter().map(|bill| bill.number);
        let bills: Vec<u64> = bills.filter(|number| !set_aside.contains(number)).collect();
        let plan = self.plan_payment(wallet, number, &bills, wallet.owed())?;
        let method = wallet.active_method();
        let is_free = wallet.paying.as_deref().is_some_and(|paying| paying.in_flight.is_none());
        let method = method.filter(|_| is_free).map(|method| method.method.clone());
        let amount = plan.remainder()?;
        self.pay_as_planned(number, plan.by_balance, journal)?;
        let Some(method) = method.filter(|_| amount.is_positive()) else { return Ok(None) };
        let charge = Charge::of(PaymentCause::Manual, method, amount);
        Ok(Some(Charge { shares: plan.shares, by_hand: true, ..charge }))
    }

    /// Whether bills are paid by a settlement only.
    pub(super) fn is_settling(&self, wallet: &Wallet) -> bool {
        self.is_settling_within(wallet.enterprise)
    }

    fn is_settling_within(&self, enterprise: EnterpriseNumber) -> bool {
        self.enterprise(enterprise).is_some_and(|enterprise| !enterprise.settling.is_empty())
    }

    /// A payment of bills has its result. After the last one of a settlement everybody pays as before, and
    /// what waited runs.
    pub(super) fn settlement_answered(
        &mut self,
        number: WalletNumber,
        payment: &InFlight,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let (enterprise, free) = (wallet.enterprise, wallet.bills_in_flight().next().is_none());
        let Some(known) = self.enterprise(enterprise) else { return Ok(()) };
        let is_awaited = known.settling.contains(&number) && free;
        if payment.cause.purpose() != Purpose::Bills || !is_awaited {
            return Ok(());
        }
        let awaits = known.settling.iter().copied().filter(|wallet| *wallet != number).collect();
        let wallets = known.wallets.clone();
        self.record(journal, SettlementChanged { enterprise, awaits })?;
        if self.is_settling_within(enterprise) {
            return Ok(());
        }
        for wallet in wallets {
            self.write_off_issued(wallet, journal)?;
            self.touch(wallet);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "settlement_tests.rs"]
mod tests;
