//! Facts change the state; this is the only place where they do, and it decides nothing.
//!
//! While a ledger is being loaded from a snapshot that was taken bit by bit, facts reach parts of it
//! that are not there yet. Such a part comes later, with the fact already in it, so the fact is passed
//! over for that part alone. That works because each part needs nothing but the fact and itself:
//! **Invariant:** what a fact does to an account or wallet is never read from another one.

use smallvec::smallvec;
use thin_vec::ThinVec;

use super::fact::{
    Accrued, BillIssued, BillReduced, Cause, CorrectionWaits, CouponOpened, Fact, LimitChanged,
    Moved, OrderRefunded, PaidBill, PaymentUndone, SeriesOpened, SharedCouponPaid, TabOpened, Used,
};
use super::state::{
    Account, AccountNumber, Bill, BillsPaid, CycleChange, Lot, MonthBills, OpenCycle, PaidFrom,
    ProductNumber, Refund, Series, SuspensionDelay, Transferred, Wallet, WalletNumber,
};
use super::timers::Timer;
use super::{Broken, Ledger};
use crate::money::Amount;
use crate::settings::Settings;
use crate::time::{HalfMonth, Minute, Month, Timestamp};

fn add(to: &mut Amount, amount: Amount) -> Result<(), Broken> {
    *to = to.plus(amount)?;
    Ok(())
}

/// Adds to something that is owned and can only be spent once.
fn add_owned(to: &mut Amount, amount: Amount) -> Result<(), Broken> {
    add(to, amount)?;
    if to.is_negative() { Err(Broken("more spent than there was")) } else { Ok(()) }
}

impl Ledger {
    /// Applies a fact. A failure means that state and facts do not belong together.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), Broken> {
        match fact {
            Fact::TimePassed(fact) => self.clock.pass(fact.at, self.settings.bills.wait),
            Fact::Marked(fact) => {
                self.clock.mark_until(fact.usage_partition, fact.until, self.settings.bills.wait);
            }
            Fact::SettingsChanged(fact) => {
                self.settings = Settings::parse(&fact.document)
                    .map_err(|_| Broken("settings that cannot be read"))?;
                self.settings_document.clone_from(&fact.document);
                self.headroom.fill(Amount::ZERO);
                for number in (0..).take(self.wallets.len()).map(WalletNumber) {
                    self.watch_unpaid(number);
                    self.watch_held(number);
                }
            }
            Fact::PricesArrived(fact) => self.arriving.extend_from_slice(&fact.changes),
            Fact::PricesInForce(_) => {
                let changes = std::mem::take(&mut self.arriving);
                self.book.apply(&changes);
            }
            Fact::RegionNamed(fact) => self.regions.push(fact.region.clone()),
            Fact::EnterpriseOpened(fact) => {
                self.add_enterprise(fact.number, fact.enterprise.clone())?
            }
            Fact::WalletOpened(fact) => {
                match self.enterprises.get_mut(fact.wallet.enterprise.index()) {
                    Some(enterprise) => enterprise.wallets.push(fact.number),
                    None => self.absent("an unknown enterprise")?,
                }
                self.add_wallet(fact.number, (*fact.wallet).clone())?;
            }
            Fact::AccountOpened(fact) => self.add_account(fact.number, (*fact.account).clone())?,
            Fact::AccountClosed(fact) => {
                if let Some(account) = self.account_mut(fact.account)? {
                    account.closed_at = Some(fact.at);
                }
            }
            Fact::PayerChanged(fact) => {
                let now = self.clock.now().minute();
                if let Some(account) = self.account_mut(fact.account)? {
                    account.change_payer(now, fact.from, fact.wallet);
                    let before = account.payer_before(fact.from);
                    self.note_payer(fact.wallet, fact.account, fact.from, before);
                }
            }
            Fact::MembershipChanged(_)
            | Fact::TaxIdChanged(_)
            | Fact::RechargeFrozen(_)
            | Fact::RoleGranted(_)
            | Fact::RoleRevoked(_)
            | Fact::KeyCreated(_)
            | Fact::KeyRevoked(_)
            | Fact::WalletRenamed(_)
            | Fact::WalletStateChanged(_)
            | Fact::AdministratorsChanged(_)
            | Fact::BadDebtChanged(_) => self.apply_governing(fact)?,
            Fact::SeriesOpened(fact) => self.apply_series(self.clock.now(), fact)?,
            Fact::TabOpened(fact) => self.apply_tab(fact)?,
            Fact::TabCut(fact) => {
                if let Some(account) = self.account_mut(fact.account)? {
                    let tab = account.tabs.get_mut(fact.tab as usize);
                    tab.ok_or(Broken("an unknown tab"))?.used.until = fact.until;
                }
            }
            Fact::SetAside(_) | Fact::VoidAsked(_) => {}
            Fact::BillIssued(fact) => self.apply_bill(fact)?,
            Fact::CycleBilled(fact) => {
                if let Some(wallet) = self.wallet_mut(fact.wallet)? {
                    wallet.open_cycles.retain(|cycle| cycle.ends != fact.ends);
                    self.due.remove(fact.ends, Timer::CycleEnds, fact.wallet);
                }
            }
            Fact::Moved(fact) => self.apply_moved(fact)?,
            Fact::BillReduced(fact) => self.apply_bill_reduced(fact)?,
            Fact::PaymentUndone(fact) => self.apply_payment_undone(fact)?,
            Fact::CorrectionWaits(fact) => {
                let CorrectionWaits { wallet, correction } = &**fact;
                if let Some(wallet) = self.wallet_mut(*wallet)? {
                    let bill = &correction.bill;
                    wallet.corrections.retain(|known| known.bill.number != bill.number);
                    let waits = bill.amount.is_negative();
                    wallet.corrections.extend(waits.then(|| correction.clone()));
                }
            }
            Fact::CouponOpened(fact) => {
                let CouponOpened { wallet, coupon } = &**fact;
                let now = self.clock.now().minute();
                if let Some(found) = self.wallet_mut(*wallet)? {
                    found.coupons.push(coupon.clone());
                    if coupon.cash && coupon.valid.from > now {
                        self.due.insert(coupon.valid.from, Timer::CashCouponBegins, *wallet);
                    }
                }
            }
            Fact::LimitChanged(LimitChanged { wallet: number, limit, pending }) => {
                if let Some(wallet) = self.wallet_mut(*number)? {
                    (wallet.limit, wallet.limit_pending) = (*limit, *pending);
                    wallet.contract_confirmed |= limit.is_positive();
                }
                self.watch_unpaid(*number);
            }
            Fact::Configured(fact) => {
                self.retimed(fact.wallet, |wallet| {
                    wallet.auto_write_off = fact.auto_write_off;
                    wallet.write_off_previous = fact.write_off_previous;
                    wallet.auto_pay_threshold = fact.auto_pay_threshold;
                    wallet.delayed_suspension = fact.delayed_suspension;
                    if let Some(change) = fact.cycle {
                        wallet.change_cycle(change);
                    }
                    Ok(())
                })?;
            }
            Fact::OrderPlaced(fact) => {
                if let Some(wallet) = self.wallet_mut(fact.wallet)? {
                    wallet.orders.push(fact.order.clone());
                }
            }
            Fact::TellingConfigured(fact) => {
                if let Some(wallet) = self.wallet_mut(fact.wallet)? {
                    let telling = wallet.telling_mut();
                    telling.low_balance_alert = fact.low_balance_alert;
                    telling.set_with = fact.set_with;
                    telling.billing_email.clone_from(&fact.billing_email);
                    telling.recipients.clone_from(&fact.recipients);
                }
                // Being below a new threshold counts at the next change, whatever that is.
                if let Some(headroom) = self.headroom.get_mut(fact.wallet.index()) {
                    *headroom = Amount::ZERO;
                }
            }
            Fact::Noticed(fact) => {
                if let Some(wallet) = self.wallet_mut(fact.wallet)? {
                    wallet.telling_mut().notices = fact.number;
                }
            }
            Fact::OverdueChanged(fact) => {
                if let Some(wallet) = self.wallet_mut(fact.wallet)? {
                    wallet.telling_mut().overdue = fact.overdue;
                }
            }
            Fact::FallChanged(fact) => {
                self.retimed(fact.wallet, |wallet| {
                    let telling = wallet.telling_mut();
                    telling.fall.clone_from(&fact.fall);
                    telling.set_with = fact.set_with;
                    Ok(())
                })?;
            }
            Fact::RechargeChanged(fact) => {
                self.retimed(fact.wallet, |wallet| {
                    wallet.recharge = fact.recharge.clone().map(Box::new);
                    Ok(())
                })?;
            }
            Fact::SettlementChanged(fact) => {
                match self.enterprises.get_mut(fact.enterprise.index()) {
                    Some(enterprise) => enterprise.settling.clone_from(&fact.awaits),
                    None => self.absent("an unknown enterprise")?,
                }
            }
            Fact::SuspensionDelayed(fact) => {
                self.retimed(fact.wallet, |wallet| {
                    wallet.delays.retain(|delay| delay.account != fact.account);
                    let delay = fact.since.map(|since| (fact.account, since));
                    let delay = delay.map(|(account, since)| SuspensionDelay { account, since });
                    wallet.delays.extend(delay);
                    Ok(())
                })?;
            }
            Fact::RunwayChanged(fact) => {
                if let Some(wallet) = self.wallet_mut(fact.wallet)? {
                    wallet.telling_mut().runway = Some(fact.alert);
                }
            }
            Fact::NearDueChanged(fact) => {
                if let Some(wallet) = self.wallet_mut(fact.wallet)? {
                    let telling = wallet.telling_mut();
                    (telling.near_due, telling.near_due_waits) = (fact.near, fact.waits);
                }
            }
            Fact::ServiceChanged(fact) => {
                if let Some(account) = self.account_mut(fact.account)? {
                    account.services = Some(fact.services);
                }
            }
            Fact::LinkBegun(_)
            | Fact::LinkEnded(_)
            | Fact::MethodUnlinked(_)
            | Fact::MethodPreferred(_)
            | Fact::MethodChanged(_)
            | Fact::ProductChecked(_)
            | Fact::PaymentBegun(_)
            | Fact::PaymentDelayed(_)
            | Fact::BillPaid(_)
            | Fact::PaymentEnded(_)
            | Fact::RetryPassed(_)
            | Fact::Cured(_)
            | Fact::MonthSwept(_)
            | Fact::OrderBegun(_)
            | Fact::HeldPaid(_)
            | Fact::OrderEnded(_) => self.apply_paying(fact)?,
            Fact::RequestOpened(_) | Fact::RequestChanged(_) | Fact::RequestFunded(_) => {
                self.apply_request(fact)?;
            }
            // It changes the ledger that hears it.
            Fact::SaidAcross(_) => {}
            Fact::PlanChanged(fact) => self.apply_plan(fact)?,
            Fact::OrderRefunded(OrderRefunded { wallet, order, amount }) => {
                if let Some(wallet) = self.wallet_mut(*wallet)? {
                    let placed = wallet.orders.iter_mut().find(|placed| placed.order == *order);
                    add(
                        &mut placed.ok_or(Broken("an order that was not placed"))?.refunded,
                        *amount,
                    )?;
                }
            }
            Fact::PeriodJoined(fact) => self.apply_joined(fact)?,
            Fact::PeriodClosed(fact) => {
                self.count_decided(fact)?;
                self.apply_closed(fact)?;
            }
            Fact::InvoiceIssued(fact) => {
                self.count_issued(fact)?;
                self.apply_invoice(fact)?;
            }
            Fact::CreditDrafted(fact) => self.apply_credit(fact)?,
            Fact::InvoicingConfigured(fact) => self.apply_invoicing_configured(fact)?,
            Fact::DraftSettled(fact) => {
                self.count_settled(fact)?;
                self.apply_draft_settled(fact)?;
            }
            Fact::RunHeld(fact) => self.apply_run_held(fact)?,
            Fact::RunApproved(fact) => self.apply_run_approved(fact)?,
            Fact::DraftReleased(fact) => self.apply_released(fact)?,
            Fact::ValuesCounted(fact) => self.apply_values(fact)?,
            Fact::ValueTakenBack(fact) => self.apply_value_taken_back(fact)?,
            Fact::SharedCouponPaid(fact) => self.apply_shared_coupon(fact)?,
            // Its holder has it back by an entry of its own.
            Fact::SharedCouponReturned(_) => {}
            Fact::BenefitBought(fact) => self.apply_benefit(fact)?,
            Fact::BenefitEnded(fact) => self.apply_benefit_end(fact)?,
            Fact::SharingChanged(fact) => self.apply_sharing(fact)?,
            Fact::SharingRuleChanged(fact) => self.apply_sharing_rule(fact)?,
            Fact::OrganisationChanged(fact) => self.apply_organisation(fact)?,
            Fact::ServedChanged(fact) => self.apply_served(fact)?,
            Fact::Covered(fact) => self.apply_covered(fact)?,
            Fact::SpendAllocated(fact) => self.apply_allocation(fact)?,
            Fact::Authorized(fact) => self.apply_authorized(fact)?,
            Fact::CapNeared(fact) => self.apply_cap_neared(fact)?,
        }
        Ok(())
    }

    /// Applies an accrual: a lookup and a few additions.
    #[inline]
    pub fn apply_accrued(&mut self, fact: &Accrued) -> Result<(), Broken> {
        self.apply_accrued_at(self.clock.now(), fact)
    }

    #[inline]
    fn apply_accrued_at(&mut self, now: Timestamp, fact: &Accrued) -> Result<(), Broken> {
        let Some(account) = self.accounts.get_mut(fact.account.index()) else {
            return self.absent("an unknown account");
        };
        if let Some(spending) = account.spending.as_deref_mut() {
            spending.charge(fact.charge, now)?;
        }
        let series = account.series.get_mut(fact.series as usize);
        let series = series.ok_or(Broken("an unknown series"))?;
        let tab = account.tabs.get_mut(fact.tab as usize).ok_or(Broken("an unknown tab"))?;
        add(&mut series.quantity, fact.quantity)?;
        add(&mut tab.quantity, fact.quantity)?;
        add(&mut tab.exact, fact.charge)
    }

    /// Whether what accrues to an account comes to the same whenever it is applied, as long as the oldest month that is
    /// kept is this one: nothing that its charges use up lapses, and its series keep their places. None: it is still to
    /// come.
    #[inline]
    pub fn adds_up(&self, account: AccountNumber) -> Option<bool> {
        let account = self.account(account)?;
        let oldest = self.oldest_month_kept();
        let is_kept = |series: &Series| series.month >= oldest;
        Some(account.spending.is_none() && account.series.iter().all(is_kept))
    }

    /// Applies what some usage did, each as of its time, one after the other. What it changes lies anywhere in memory: all
    /// of it is looked at first, which takes hardly longer than to look at one.
    pub fn apply_used(&mut self, used: &[(Timestamp, Used)]) -> Result<(), Broken> {
        let accounts = || {
            let found = |(_, used): &(Timestamp, Used)| self.accounts.get(used.account().index());
            used.iter().map(found).zip(used)
        };
        let lists = accounts().filter_map(|(account, _)| account).map(|account| {
            account.series.len() | account.tabs.len() | usize::from(account.spending.is_some())
        });
        std::hint::black_box(lists.fold(0, |seen, list| seen | list));
        let amounts = accounts().map(|(account, (_, used))| match used {
            Used::Accrued(accrued) => {
                let series = account.and_then(|it| it.series.get(accrued.series as usize));
                let tab = account.and_then(|it| it.tabs.get(accrued.tab as usize));
                series.map_or(0, |it| it.quantity.raw()) | tab.map_or(0, |it| it.exact.raw())
            }
            Used::Tab(opened) => {
                let wallet = self.wallet(opened.tab.wallet);
                wallet.map_or(0, |it| i128::from(it.open_cycles.is_empty()))
            }
            Used::Series(_) => 0,
        });
        std::hint::black_box(amounts.fold(0, |seen, amount| seen | amount));
        used.iter().try_for_each(|(at, used)| match used {
            Used::Accrued(accrued) => self.apply_accrued_at(*at, accrued),
            Used::Series(opened) => self.apply_series(*at, opened),
            Used::Tab(opened) => self.apply_tab(opened),
        })
    }

    pub(super) fn absent(&self, what: &'static str) -> Result<(), Broken> {
        if self.loading { Ok(()) } else { Err(Broken(what)) }
    }

    pub(super) fn account_mut(
        &mut self,
        account: AccountNumber,
    ) -> Result<Option<&mut Account>, Broken> {
        match self.accounts.get_mut(account.index()) {
            None if !self.loading => Err(Broken("an unknown account")),
            found => Ok(found),
        }
    }

    pub(super) fn wallet_mut(
        &mut self,
        wallet: WalletNumber,
    ) -> Result<Option<&mut Wallet>, Broken> {
        match self.wallets.get_mut(wallet.index()) {
            None if !self.loading => Err(Broken("an unknown wallet")),
            found => Ok(found),
        }
    }

    fn apply_series(
        &mut self,
        now: Timestamp,
        SeriesOpened { account, series }: &SeriesOpened,
    ) -> Result<(), Broken> {
        let oldest = self.oldest_month_kept_at(now);
        let Some(account) = self.account_mut(*account)? else { return Ok(()) };
        let same_key = account.series.iter_mut().find(|known| known.key() == series.key());
        match same_key {
            // What it has come to by then may still wait, for whoever restores.
            Some(known) => (known.same, known.loads) = (series.same, series.loads),
            None => {
                account.series.retain(|known| known.month >= oldest);
                account.months.retain(|known| known.month >= oldest);
                push_tightly(&mut account.series, series.clone());
            }
        }
        Ok(())
    }

    /// No record that is still accepted can lie in an earlier month than this.
    pub fn oldest_month_kept(&self) -> Month {
        self.oldest_month_kept_at(self.clock.now())
    }

    fn oldest_month_kept_at(&self, now: Timestamp) -> Month {
        let oldest = now.minus(self.settings.usage.max_age);
        let oldest =
            oldest.minus(self.settings.rejects.replay_for).minus(crate::time::Span::days(2));
        crate::time::Zone::UTC.month_of(oldest)
    }

    fn apply_tab(&mut self, TabOpened { account: number, tab }: &TabOpened) -> Result<(), Broken> {
        if let Some(account) = self.account_mut(*number)? {
            push_tightly(&mut account.tabs, tab.clone());
        }
        let Some(wallet) = self.wallet_mut(tab.wallet)? else { return Ok(()) };
        let place = wallet.open_cycles.partition_point(|cycle| cycle.ends < tab.ends);
        match wallet.open_cycles.get_mut(place).filter(|cycle| cycle.ends == tab.ends) {
            Some(cycle) => {
                if let Err(place) = cycle.accounts.binary_search(number) {
                    cycle.accounts.insert(place, *number);
                }
            }
            None => {
                let opened = OpenCycle { ends: tab.ends, accounts: smallvec![*number] };
                wallet.open_cycles.insert(place, opened);
                self.due.insert(tab.ends, Timer::CycleEnds, tab.wallet);
            }
        }
        Ok(())
    }

    fn apply_bill(&mut self, fact: &BillIssued) -> Result<(), Broken> {
        let BillIssued { wallet: payer, bill, exact, ends, burned, lines, .. } = fact;
        if fact.credit_note.is_some() {
            return self.apply_credit_bill(fact);
        }
        let now = self.clock.now();
        if let Some(wallet) = self.wallet_mut(*payer)? {
            wallet.bills_issued = bill.number;
            wallet.note_spent(bill)?;
            wallet.note_burned(burned, now)?;
            if bill.owed().is_positive() {
                wallet.unpaid.push_back(bill.clone());
            }
        }
        self.note(*payer, bill.half, |wallet| wallet.note_bill(bill, lines))?;
        if bill.owed().is_positive() {
            self.watch_unpaid_of(*payer, bill.month);
        }
        let (Some(product), None) = (bill.product, &bill.order) else { return Ok(()) };
        let (accounts, book) = (&mut self.accounts, &self.book);
        let Some(account) = accounts.get_mut(bill.account.index()) else {
            return self.absent("an unknown account");
        };
        account.tabs.retain(|tab| {
            (tab.wallet, tab.ends) != (*payer, *ends) || book.product_of(tab.meter) != Some(product)
        });
        let months = account.month_bills(*payer, product, bill.month);
        add(&mut months.exact, *exact)?;
        add(&mut months.billed, bill.amount)
    }

    fn apply_moved(&mut self, fact: &Moved) -> Result<(), Broken> {
        let now = self.clock.now();
        if let Some(wallet) = self.wallet_mut(fact.wallet)? {
            wallet.entries_made = wallet.entries_made.saturating_add(1);
            wallet.add_to(fact)?;
            let half_now = wallet.zone.half_month_of(now);
            let half_paid = match (fact.bill, &fact.paid) {
                (Some(number), Some(paid)) => {
                    Some(wallet.pay(number, &fact.lot, fact.amount.negated()?, paid)?)
                }
                _ => None,
            };
            if let (Some(half), Lot::CouponLot(_)) = (half_paid, &fact.lot) {
                let paid = fact.amount.negated()?;
                self.note(fact.wallet, half, |wallet| wallet.note_coupon(half, paid))?;
            }
            if matches!(fact.cause, Cause::TopUp | Cause::Remittance) {
                self.note(fact.wallet, half_now, |wallet| {
                    wallet.note_top_up(half_now, now, fact);
                    Ok(())
                })?;
            }
        }
        match &fact.paid {
            Some(paid) => {
                self.forget_bad_debt_of(fact.wallet, paid.month);
                let bill = fact.bill.ok_or(Broken("a payment of no bill"))?;
                self.note_payment(fact.wallet, bill, &fact.lot, fact.amount.negated()?, paid)
            }
            None => Ok(()),
        }
    }

    /// A shared coupon of another wallet paid. That one's entry is a fact of its own.
    fn apply_shared_coupon(&mut self, fact: &SharedCouponPaid) -> Result<(), Broken> {
        let SharedCouponPaid { wallet: number, bill, lot, amount, paid } = fact;
        let lot = Lot::from(lot.clone());
        if let Some(wallet) = self.wallet_mut(*number)? {
            let half = wallet.pay(*bill, &lot, *amount, paid)?;
            self.note(*number, half, |wallet| wallet.note_coupon(half, *amount))?;
        }
        self.forget_bad_debt_of(*number, paid.month);
        self.note_payment(*number, *bill, &lot, *amount, paid)
    }

    /// Remembers with the account what paid its bills of a month.
    pub(super) fn note_payment(
        &mut self,
        payer: WalletNumber,
        bill: u64,
        lot: &Lot,
        amount: Amount,
        paid: &PaidBill,
    ) -> Result<(), Broken> {
        let PaidBill { account, product: Some(product), month, order: None } = paid else {
            return Ok(());
        };
        // What is paid later for an earlier one goes in before the payments of this bill.
        let unpaid = self.wallet(payer).and_then(|wallet| {
            let earlier = wallet.unpaid.partition_point(|known| known.number < bill);
            let of_same =
                |known: &&Bill| (known.account, known.product) == (*account, Some(*product));
            wallet.unpaid.range(..earlier).rev().find(of_same).map(|known| known.number)
        });
        if let Some(account) = self.account_mut(*account)? {
            let payments = &mut account.month_bills(payer, *product, *month).payments;
            let place = payments.partition_point(|known| known.bill <= bill);
            match payments[..place].last_mut() {
                Some(last)
                    if last.lot == *lot && unpaid.is_none_or(|unpaid| unpaid < last.bill) =>
                {
                    last.bill = bill;
                    add(&mut last.amount, amount)?;
                }
                _ => payments.insert(place, BillsPaid { bill, lot: lot.clone(), amount }),
            }
        }
        Ok(())
    }

    /// Changes a wallet, and what it waits for with it.
    pub(super) fn retimed(
        &mut self,
        number: WalletNumber,
        change: impl FnOnce(&mut Wallet) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        match self.wallets.get_mut(number.index()) {
            Some(wallet) => {
                wallet.own_timers().for_each(|(at, timer)| self.due.remove(at, timer, number));
                change(wallet)?;
                wallet.own_timers().for_each(|(at, timer)| self.due.insert(at, timer, number));
                Ok(())
            }
            None => self.absent("an unknown wallet"),
        }
    }

    fn apply_bill_reduced(&mut self, fact: &BillReduced) -> Result<(), Broken> {
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        let reduced = wallet.unpaid.iter().find(|bill| bill.number == fact.bill);
        let month = reduced.map(|bill| bill.month);
        wallet.reduce_owed(fact.bill, fact.amount)?;
        month.into_iter().for_each(|month| self.forget_bad_debt_of(fact.wallet, month));
        Ok(())
    }

    fn apply_payment_undone(&mut self, fact: &PaymentUndone) -> Result<(), Broken> {
        if let Lot::CouponLot(_) | Lot::SharedCouponLot(_) = &fact.lot {
            let back = fact.amount.negated()?;
            self.note(fact.wallet, fact.half, |wallet| wallet.note_coupon(fact.half, back))?;
        }
        let Some(account) = self.account_mut(fact.account)? else { return Ok(()) };
        let months = account.month_bills(fact.wallet, fact.product, fact.month);
        let last = months.payments.last_mut().ok_or(Broken("no payment to undo"))?;
        add(&mut last.amount, fact.amount.negated()?)?;
        if last.amount.is_zero() {
            months.payments.pop();
        }
        Ok(())
    }
}

/// There are millions of these lists, most of them short: they hold little more room than they use. Few hold one item
/// only, and to begin with room for one leaves holes behind.
fn push_tightly<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(room_for(list.len()).max(2));
    }
    list.push(item);
}

/// The same for a list that most have no use for: to have none takes a word.
pub(super) fn insert_tightly<T>(list: &mut ThinVec<T>, place: usize, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(room_for(list.len()));
    }
    list.insert(place, item);
}

fn room_for(len: usize) -> usize {
    len.div_euclid(4).saturating_add(1)
}

fn push_payment(payments: &mut Vec<PaidFrom>, lot: &Lot, amount: Amount) -> Result<(), Broken> {
    match payments.last_mut() {
        Some(last) if last.lot == *lot => add(&mut last.amount, amount),
        _ => {
            payments.push(PaidFrom { lot: lot.clone(), amount });
            Ok(())
        }
    }
}

impl Account {
    fn change_payer(&mut self, now: Minute, from: Minute, wallet: WalletNumber) {
        // A later command replaces every change that is still to come, also one that would come before.
        self.payers.retain(|payer| payer.from <= now && payer.from != from);
        self.payers.push(super::Payer { from, wallet });
        for series in &mut self.series {
            series.same = super::fact::NOWHERE;
        }
    }

    fn month_bills(
        &mut self,
        wallet: WalletNumber,
        product: ProductNumber,
        month: Month,
    ) -> &mut MonthBills {
        let same = |known: &MonthBills| {
            (known.wallet, known.product, known.month) == (wallet, product, month)
        };
        let place = self.months.iter().position(same).unwrap_or_else(|| {
            let (exact, billed) = (Amount::ZERO, Amount::ZERO);
            let payments = ThinVec::new();
            let bills = MonthBills { wallet, product, month, exact, billed, payments };
            let place = self.months.len();
            insert_tightly(&mut self.months, place, bills);
            place
        });
        &mut self.months[place]
    }
}

impl Wallet {
    fn change_cycle(&mut self, change: CycleChange) {
        // A change that has not begun is replaced; what ended before the last one is needed no more.
        self.cycles.retain(|known| known.from < change.from);
        if self.cycles.len() > 1 {
            self.cycles.remove(0);
        }
        self.cycles.push(change);
    }

    /// Counts a payment towards its bill; says to which half-month that belongs.
    pub(super) fn pay(
        &mut self,
        number: u64,
        lot: &Lot,
        amount: Amount,
        paid: &PaidBill,
    ) -> Result<HalfMonth, Broken> {
        let half = self.reduce_owed(number, amount)?;
        let Some(order) = &paid.order else { return Ok(half) };
        let placed = self.orders.iter_mut().find(|placed| placed.order == *order);
        let placed = placed.ok_or(Broken("a bill for an order that was not placed"))?;
        push_payment(&mut placed.payments, lot, amount)?;
        Ok(half)
    }

    fn reduce_owed(&mut self, number: u64, amount: Amount) -> Result<HalfMonth, Broken> {
        let place = self.unpaid.iter().position(|bill| bill.number == number);
        let place = place.ok_or(Broken("a bill that is not owed"))?;
        let bill = self.unpaid.get_mut(place).ok_or(Broken("a bill out of place"))?;
        add(&mut bill.paid, amount)?;
        let half = bill.half;
        if bill.owed().is_zero() {
            self.unpaid.remove(place);
        }
        Ok(half)
    }

    /// Moves an asset. Nothing but a quota can be left below zero.
    pub(super) fn add_to(&mut self, fact: &Moved) -> Result<(), Broken> {
        match &fact.lot {
            Lot::OwnCash(_) => add_owned(&mut self.own_cash, fact.amount),
            Lot::TransferredCash(lot) => self.add_transferred(lot.sender, fact),
            Lot::RefundedCredit(lot) => self.add_refunded(lot.month, fact.amount),
            Lot::CouponLot(super::CouponLot { coupon })
            | Lot::CashCouponLot(super::CashCouponLot { coupon }) => {
                let found = self.coupons.iter_mut().find(|known| known.coupon == *coupon);
                add_owned(&mut found.ok_or(Broken("an unknown coupon"))?.left, fact.amount)
            }
            Lot::QuotaLot(_) if fact.cause == Cause::QuotaSet => add(&mut self.quota, fact.amount),
            Lot::QuotaLot(_) => add(&mut self.quota_consumed, fact.amount.negated()?),
            Lot::MethodPaid(_) | Lot::SharedCouponLot(_) => {
                Err(Broken("what paid was never in the wallet"))
            }
        }
    }

    fn add_refunded(&mut self, month: Month, amount: Amount) -> Result<(), Broken> {
        let place = match self.refunds.iter().position(|refund| refund.month >= month) {
            Some(place) if self.refunds[place].month == month => place,
            later => {
                let place = later.unwrap_or(self.refunds.len());
                self.refunds.insert(place, Refund { month, left: Amount::ZERO });
                place
            }
        };
        add_owned(&mut self.refunds[place].left, amount)?;
        if self.refunds[place].left.is_zero() {
            self.refunds.remove(place);
        }
        Ok(())
    }

    fn add_transferred(&mut self, sender: WalletNumber, fact: &Moved) -> Result<(), Broken> {
        let place = self.transferred.iter().position(|lot| lot.sender == sender);
        // A sender's cash is one lot, as old as the first that came.
        let place = place.unwrap_or_else(|| {
            self.transferred.push(Transferred {
                sender,
                left: Amount::ZERO,
                net_sent: Amount::ZERO,
            });
            self.transferred.len().saturating_sub(1)
        });
        let lot = &mut self.transferred[place];
        add_owned(&mut lot.left, fact.amount)?;
        if matches!(fact.cause, Cause::Transfer | Cause::Revocation) {
            add(&mut lot.net_sent, fact.amount)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
