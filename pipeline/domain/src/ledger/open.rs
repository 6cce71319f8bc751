//! Opening and closing: enterprises, accounts with their wallets, and who pays for whom (R4.6, R9.4).

use thin_vec::ThinVec;

use super::fact::{
    AccountClosed, AccountOpened, EnterpriseOpened, Journal, PayerChanged, WalletOpened,
};
use super::state::{Account, AccountNumber, Enterprise, Membership, Payer, Wallet, WalletNumber};
use super::{Broken, EnterpriseNumber, Ledger, Undecided};
use crate::commands::{Asked, ChangePayer, CloseAccount, Kind, OpenAccount, OpenEnterprise};
use crate::ids::WalletId;
use crate::money::{Amount, Currency};
use crate::refusal::Refusal;
use crate::tax_ids::TaxId;
use crate::time::{Minute, Zone};

impl Ledger {
    pub(super) fn open_enterprise(
        &mut self,
        command: &OpenEnterprise,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        if self.enterprise_named(&command.enterprise).is_some() {
            return Err(Refusal::AlreadyExists.into());
        }
        if command.credit_total.is_some_and(Amount::is_negative) {
            return Err(Refusal::InvalidAmount.into());
        }
        if let Some(tax_id) = &command.tax_id {
            TaxId::read(command.country, tax_id.as_str()).map_err(Refusal::from)?;
        }

        let number = EnterpriseNumber(count(self.enterprises.len()));
        let enterprise = Enterprise {
            id: command.enterprise.clone(),
            name: command.name.clone(),
            country: command.country,
            tax_id: command.tax_id.clone(),
            language: command.language.clone(),
            account_center: command.account_center.unwrap_or(false),
            management_account: command.management_account.clone(),
            credit_total: command.credit_total,
            wallets: Vec::new(),
            settling: Vec::new(),
            grants: Vec::new(),
            keys: Vec::new(),
            recharge_frozen: false,
            organisations: Vec::new(),
            runs: Vec::new(),
        };
        self.record(journal, EnterpriseOpened { number, enterprise })?;
        Ok(())
    }

    pub(super) fn open_account(
        &mut self,
        asked: &Asked,
        command: &OpenAccount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let number = self.enterprise_named(&command.enterprise).ok_or(Refusal::NotFound)?;
        let enterprise = self.enterprise(number).ok_or(Refusal::NotFound)?;
        let own = match &command.billing_account {
            Some(named) => named.clone(),
            None => WalletId::own_of(&command.account).ok_or(Refusal::Malformed)?,
        };
        if self.account_named(&command.account).is_some() || self.wallet_named(&own).is_some() {
            return Err(Refusal::AlreadyExists.into());
        }
        // Whoever holds such a key would act as its root.
        if enterprise.keys.iter().any(|key| key.principal.is_root_of(&command.account)) {
            return Err(Refusal::AlreadyExists.into());
        }
        let partner_pays = command.partner_pays.unwrap_or(false);
        if partner_pays && command.partner.is_none() {
            return Err(Refusal::Malformed.into());
        }

        let currency = command.currency.unwrap_or_else(|| enterprise.country.currency());
        let wallet = WalletNumber(count(self.wallets.len()));
        let account = AccountNumber(count(self.accounts.len()));
        let opened = Wallet {
            number: asked.number,
            ..self.new_wallet(own, number, account, command, currency)
        };
        self.record(journal, WalletOpened { number: wallet, wallet: Box::new(opened) })?;
        let opened = Account {
            id: command.account.clone(),
            enterprise: number,
            email: command.email.clone(),
            mode: command.mode,
            region: command.region.clone(),
            currency,
            membership: Membership::Active,
            closed_at: None,
            payers: [Payer { from: Minute::START, wallet }].into_iter().collect(),
            series: Vec::new(),
            tabs: Vec::new(),
            months: ThinVec::new(),
            services: None,
            served: ThinVec::new(),
            spending: None,
        };
        self.record(journal, AccountOpened { number: account, account: Box::new(opened) })?;
        Ok(())
    }

    fn new_wallet(
        &self,
        id: WalletId,
        enterprise: EnterpriseNumber,
        owner: AccountNumber,
        command: &OpenAccount,
        currency: Currency,
    ) -> Wallet {
        Wallet {
            id,
            enterprise,
            owner,
            kind: command.kind.unwrap_or(Kind::Direct),
            partner: command.partner.clone(),
            partner_pays: command.partner_pays.unwrap_or(false),
            currency,
            zone: command.time_zone.unwrap_or(Zone::UTC),
            opened_at: self.clock.now(),
            cycles: Default::default(),
            auto_write_off: true,
            write_off_previous: false,
            own_cash: Amount::ZERO,
            transferred: ThinVec::new(),
            refunds: ThinVec::new(),
            coupons: ThinVec::new(),
            limit: Amount::ZERO,
            limit_pending: None,
            contract_confirmed: false,
            quota: Amount::ZERO,
            quota_consumed: Amount::ZERO,
            open_cycles: Default::default(),
            unpaid: Default::default(),
            orders: ThinVec::new(),
            spent: ThinVec::new(),
            bills_issued: 0,
            entries_made: 0,
            auto_pay_threshold: None,
            burn: ThinVec::new(),
            first_charge: None,
            was_charged: false,
            paying: None,
            telling: None,
            invoicing: None,
            burned_months: ThinVec::new(),
            recharge: None,
            delayed_suspension: None,
            delays: ThinVec::new(),
            number: 0,
            governing: None,
            corrections: ThinVec::new(),
            requests: None,
            benefits: None,
            plans: None,
        }
    }

    pub(super) fn close_account(
        &mut self,
        command: &CloseAccount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let account = self.account_named(&command.account).ok_or(Refusal::NotFound)?;
        if self.account(account).is_some_and(|account| account.closed_at.is_some()) {
            return Err(Refusal::AccountClosed.into());
        }

        let at = self.clock.now();
        self.record(journal, AccountClosed { account, at })?;
        // Its services are nobody's business any more.
        let payer = self.account(account).map(|closed| closed.payer_at(at.minute()).0);
        payer.into_iter().for_each(|payer| self.touch(payer));
        Ok(())
    }

    pub(super) fn change_payer(
        &mut self,
        command: &ChangePayer,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let account = self.account_named(&command.account).ok_or(Refusal::NotFound)?;
        let payee = self.account(account).ok_or(Refusal::NotFound)?;
        if payee.closed_at.is_some() {
            return Err(Refusal::AccountClosed.into());
        }
        let center =
            self.enterprise(payee.enterprise).is_some_and(|enterprise| enterprise.account_center);
        if !center {
            return Err(Refusal::AccountCenterOff.into());
        }
        let (number, wallet) = self.wallet_within(payee.enterprise, &command.billing_account)?;
        self.together(account, wallet.owner)?;
        if wallet.currency != payee.currency {
            return Err(Refusal::CurrencyMismatch.into());
        }
        let now = self.clock.now();
        let effective = command.effective_at.unwrap_or(now);
        if effective < now {
            return Err(Refusal::InThePast.into());
        }

        // Dated things hold from a full minute on (R3.1).
        let from = effective.full_minute();
        self.pay_from(account, number, from, journal)?;
        Ok(())
    }

    /// Another wallet pays for an account from a minute on. Who paid until now is judged as well: what it
    /// delayed for the account is over.
    pub(super) fn pay_from(
        &mut self,
        account: AccountNumber,
        wallet: WalletNumber,
        from: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let now = self.clock.now().minute();
        let before = self.account(account).map(|account| account.payer_at(now).0);
        self.record(journal, PayerChanged { account, wallet, from })?;
        before.filter(|_| from <= now).into_iter().for_each(|before| self.touch(before));
        Ok(())
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
