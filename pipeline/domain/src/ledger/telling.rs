//! What a wallet's people are told: recorded as a fact, and told with how the wallet then stood (R8.5).

use super::fact::{Journal, Noticed};
use super::state::{AccountNumber, Telling, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::ids::Text;
use crate::money::Overflow;
use crate::notices::{CapReached, LimitTold, Notice, NoticeKind, Service, ServiceState, Standing};
use crate::payments::Payment;
use crate::requests::PaymentRequest;

/// Mails name so many of the month's costliest meters.
const COSTLIEST: usize = 3;

impl Wallet {
    pub(super) fn telling_mut(&mut self) -> &mut Telling {
        self.telling.get_or_insert_with(|| {
            Box::new(Telling {
                low_balance_alert: None,
                set_with: None,
                billing_email: None,
                recipients: Vec::new(),
                fall: None,
                overdue: false,
                notices: 0,
                runway: None,
                near_due: false,
                near_due_waits: None,
            })
        })
    }

    fn notices(&self) -> u64 {
        self.telling.as_deref().map_or(0, |telling| telling.notices)
    }
}

impl Ledger {
    pub(super) fn notice(
        &mut self,
        number: WalletNumber,
        kind: NoticeKind,
        account: Option<AccountNumber>,
        payment: Option<Payment>,
        of_series: Option<u32>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let next = self.next_notice(number, kind);
        self.record(journal, Noticed { account, payment, of_series, ..next })?;
        Ok(())
    }

    /// Tells whoever pays for an account how near it is to its cap.
    pub(super) fn notice_cap(
        &mut self,
        wallet: WalletNumber,
        cap: CapReached,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let next = self.next_notice(wallet, NoticeKind::SpendCap);
        self.record(journal, Noticed { cap: Some(Box::new(cap)), ..next })?;
        Ok(())
    }

    /// The next notice to a wallet's people, about nothing yet.
    pub(super) fn next_notice(&self, wallet: WalletNumber, kind: NoticeKind) -> Noticed {
        let number = self.wallet(wallet).map_or(0, Wallet::notices).saturating_add(1);
        let (account, payment, of_series) = (None, None, None);
        let (request, plan, cap) = (None, None, None);
        Noticed { wallet, number, kind, account, payment, of_series, request, plan, cap }
    }

    /// Tells one side of a request how it stands.
    pub(super) fn notice_request(
        &mut self,
        wallet: WalletNumber,
        kind: NoticeKind,
        request: Option<PaymentRequest>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let next = self.next_notice(wallet, kind);
        self.record(journal, Noticed { request: request.map(Box::new), ..next })?;
        Ok(())
    }

    /// What a fact that somebody is told says, as things stand now.
    pub fn notice_of(&self, fact: &Noticed) -> Option<Result<Notice, Overflow>> {
        let wallet = self.wallet(fact.wallet)?;
        let enterprise = self.enterprise(wallet.enterprise)?;
        let service = fact.account.and_then(|account| self.service(account));
        let telling = wallet.telling.as_deref();
        let alert = telling.and_then(|telling| telling.low_balance_alert);
        let standing = self.standing(fact.wallet)?;
        let credit_limit = (fact.kind == NoticeKind::CreditLimit)
            .then_some(LimitTold { limit: wallet.limit, pending: wallet.limit_pending });
        Some(standing.map(|standing| Notice {
            notice: format!("{}.n{}", wallet.id, fact.number),
            kind: fact.kind,
            at: self.clock.now(),
            billing_account: wallet.id.clone(),
            enterprise_name: enterprise.name.clone(),
            country: enterprise.country,
            language: enterprise.language.clone(),
            time_zone: wallet.zone,
            currency: wallet.currency,
            recipients: self.recipients(wallet, fact.kind),
            standing,
            threshold: alert.filter(|alert| alert.enabled).map(|alert| alert.threshold),
            of_series: fact.of_series,
            service,
            payment: fact.payment.clone(),
            request: fact.request.as_deref().cloned(),
            plan: fact.plan.clone(),
            cap: fact.cap.as_deref().cloned(),
            credit_limit,
        }))
    }

    fn standing(&self, number: WalletNumber) -> Option<Result<Standing, Overflow>> {
        let wallet = self.wallet(number)?;
        let standing = || {
            let available = self.available(wallet, number)?;
            let runway = self.runway(number, available)?;
            Ok(Standing {
                available,
                owed: wallet.owed(),
                burn_per_day: runway.burn_per_day,
                days_left: runway.days_left,
                empty_on: runway.empty_on,
                costliest: self.costliest(number, COSTLIEST),
            })
        };
        Some(standing())
    }

    /// Who gets notices of a kind: those named for it, else the billing address, else the owner.
    pub(super) fn recipients(&self, wallet: &Wallet, kind: NoticeKind) -> Vec<Text> {
        let telling = wallet.telling.as_deref();
        let named = telling.and_then(|telling| {
            telling.recipients.iter().find(|recipients| recipients.kind == kind)
        });
        if let Some(named) = named {
            return named.mails.clone();
        }
        let billing = telling.and_then(|telling| telling.billing_email.clone());
        let owner = || self.account(wallet.owner).map(|owner| owner.email.clone());
        billing.or_else(owner).into_iter().collect()
    }

    /// The view `service`.
    pub fn service(&self, number: AccountNumber) -> Option<Service> {
        let account = self.account(number)?;
        let (payer, _) = account.payer_at(self.clock.now().minute());
        let payer = self.wallet(payer)?;
        let cause = account.services.and_then(|services| services.stopped);
        let opened_at = self.wallet(account.payers.first()?.wallet)?.opened_at;
        Some(Service {
            account: account.id.clone(),
            billing_account: payer.id.clone(),
            state: match cause {
                Some(_) => ServiceState::Suspended,
                None => ServiceState::Running,
            },
            since: account.services.map_or(opened_at, |services| services.since),
            cause,
        })
    }
}

#[cfg(test)]
#[path = "telling_tests.rs"]
mod tests;
