//! Writes down what the ledger decides: the delta for itself, and rows for others.

use std::collections::{BTreeSet, VecDeque};

use drawdown_domain::ledger::{
    AccountOpened, Accrued, BillIssued, BillReduced, Fact, Journal, Ledger, Line, Lot, Moved,
    WalletNumber,
};
use drawdown_domain::money::Amount;
use drawdown_wire::messages::{
    AccountRouted, AccountShut, BillPayment, Bills, Charge, Entry, IssuedBill, UsageControl,
};

use crate::delta::DeltaWriter;

/// Everything a step has to say, collected while the ledger decides.
#[derive(Debug)]
pub(crate) struct Scribe {
    pub(crate) delta: DeltaWriter,
    pub(crate) entries: Vec<Entry>,
    bills: Bills,
    pub(crate) charges: Vec<Charge>,
    pub(crate) controls: Vec<(String, UsageControl)>,
    /// Wallets whose balance has changed since it was last told.
    changed: VecDeque<WalletNumber>,
    is_changed: BTreeSet<WalletNumber>,
    /// The ledger this scribe writes for, as accounts are told about it.
    ledger: u32,
}

impl Journal for Scribe {
    fn fact(&mut self, ledger: &Ledger, fact: &Fact) {
        self.delta.fact(fact);
        match fact {
            Fact::Moved(moved) => self.moved(ledger, moved),
            Fact::BillIssued(issued) => self.issued(ledger, issued),
            Fact::BillReduced(reduced) => self.reduced(ledger, reduced),
            Fact::AccountOpened(opened) => self.opened(ledger, opened),
            Fact::AccountClosed(closed) => {
                let Some(account) = ledger.account(closed.account) else { return };
                let (at, closed_at) = (ledger.clock().now(), closed.at);
                let shut = AccountShut { at, account: account.id.clone(), closed_at };
                self.controls.push((account.id.to_string(), shut.into()));
            }
            Fact::TabOpened(opened) => self.touch(opened.tab.wallet),
            Fact::LimitChanged(changed) => self.touch(changed.wallet),
            Fact::CouponOpened(opened) => self.touch(opened.wallet),
            Fact::WalletOpened(opened) => self.touch(opened.number),
            Fact::TimePassed(_)
            | Fact::Marked(_)
            | Fact::SettingsChanged(_)
            | Fact::PricesArrived(_)
            | Fact::PricesInForce(_)
            | Fact::EnterpriseOpened(_)
            | Fact::PayerChanged(_)
            | Fact::RegionNamed(_)
            | Fact::SeriesOpened(_)
            | Fact::TabCut(_)
            | Fact::SetAside(_)
            | Fact::CycleBilled(_)
            | Fact::PaymentUndone(_)
            | Fact::Configured(_)
            | Fact::OrderPlaced(_)
            | Fact::OrderRefunded(_) => {}
        }
    }

    fn accrued(&mut self, ledger: &Ledger, accrued: &Accrued, line: &Line, late: bool) {
        self.delta.accrued(accrued);
        if let Some(charge) = charge_row(ledger, accrued, line, late) {
            self.charges.push(charge);
        }
    }
}

impl Scribe {
    pub(crate) fn new(ledger: u32) -> Scribe {
        Scribe {
            delta: DeltaWriter::default(),
            entries: Vec::new(),
            bills: no_bills(),
            charges: Vec::new(),
            controls: Vec::new(),
            changed: VecDeque::new(),
            is_changed: BTreeSet::new(),
            ledger,
        }
    }

    /// The bills collected so far; none are left.
    pub(crate) fn take_bills(&mut self) -> Option<Bills> {
        let any = !self.bills.issued.is_empty() || !self.bills.payments.is_empty();
        any.then(|| std::mem::replace(&mut self.bills, no_bills()))
    }

    fn touch(&mut self, wallet: WalletNumber) {
        if self.is_changed.insert(wallet) {
            self.changed.push_back(wallet);
        }
    }

    /// The next wallet whose changed balance is to be told.
    pub(crate) fn next_changed(&mut self) -> Option<WalletNumber> {
        let wallet = self.changed.pop_front()?;
        self.is_changed.remove(&wallet);
        Some(wallet)
    }

    fn moved(&mut self, ledger: &Ledger, fact: &Moved) {
        let Some(wallet) = ledger.wallet(fact.wallet) else { return };
        let after = wallet.lot_total(&fact.lot);
        let bill = fact.bill.map(|number| bill_name(wallet.id.as_str(), number));
        self.entries.push(Entry {
            billing_account: wallet.id.clone(),
            number: wallet.entries_made,
            at: ledger.clock().now(),
            asset: fact.lot.asset().to_owned(),
            lot: lot_name(ledger, &fact.lot),
            before: after.minus(fact.amount).unwrap_or_default(),
            amount: fact.amount,
            after,
            cause: fact.cause,
            bill,
            remark: fact.remark.clone(),
        });
        if let (Some(number), Some(_), Ok(paid)) = (fact.bill, &fact.paid, fact.amount.negated()) {
            self.paid(ledger, fact.wallet, number, paid);
        }
        self.touch(fact.wallet);
    }

    fn issued(&mut self, ledger: &Ledger, fact: &BillIssued) {
        let bill = &fact.bill;
        let (payer, account) = (ledger.wallet(fact.wallet), ledger.account(bill.account));
        let (Some(payer), Some(account)) = (payer, account) else { return };
        self.bills.issued.push(IssuedBill {
            bill: bill_name(payer.id.as_str(), bill.number),
            billing_account: payer.id.clone(),
            account: account.id.clone(),
            product: bill.product.and_then(|product| ledger.book().product(product)).cloned(),
            month: bill.month,
            // An order is billed at once.
            cycle_end: if bill.order.is_some() { bill.issued_at } else { fact.ends.starts() },
            amount: bill.amount,
            currency: payer.currency,
            issued_at: bill.issued_at,
        });
        if bill.amount.is_negative() {
            // What it undoes pays it at once.
            self.paid(ledger, fact.wallet, bill.number, bill.amount);
        }
        self.touch(fact.wallet);
    }

    fn reduced(&mut self, ledger: &Ledger, fact: &BillReduced) {
        self.paid(ledger, fact.wallet, fact.bill, fact.amount);
        self.touch(fact.wallet);
    }

    fn paid(&mut self, ledger: &Ledger, wallet: WalletNumber, number: u64, amount: Amount) {
        let Some(payer) = ledger.wallet(wallet) else { return };
        let bill = bill_name(payer.id.as_str(), number);
        self.bills.payments.push(BillPayment { bill, at: ledger.clock().now(), amount });
    }

    fn opened(&mut self, ledger: &Ledger, fact: &AccountOpened) {
        let routed = AccountRouted {
            at: ledger.clock().now(),
            account: fact.account.id.clone(),
            ledger: self.ledger,
            number: fact.number.0,
            currency: fact.account.currency,
        };
        self.controls.push((fact.account.id.to_string(), routed.into()));
    }
}

fn no_bills() -> Bills {
    Bills { issued: Vec::new(), payments: Vec::new() }
}

/// The name of a wallet's bill.
pub(crate) fn bill_name(wallet: &str, number: u64) -> String {
    format!("{wallet}.{number}")
}

fn lot_name(ledger: &Ledger, lot: &Lot) -> String {
    match lot {
        Lot::OwnCash(_) => "own".to_owned(),
        Lot::TransferredCash(lot) => {
            ledger.wallet(lot.sender).map(|w| w.id.to_string()).unwrap_or_default()
        }
        Lot::RefundedCredit(lot) => lot.month.to_string(),
        Lot::CouponLot(lot) => lot.coupon.to_string(),
        Lot::CashCouponLot(lot) => lot.coupon.to_string(),
        Lot::QuotaLot(_) => "quota".to_owned(),
    }
}

fn charge_row(ledger: &Ledger, accrued: &Accrued, line: &Line, late: bool) -> Option<Charge> {
    let account = ledger.account(accrued.account)?;
    let series = account.series.get(accrued.series as usize)?;
    let tab = account.tabs.get(accrued.tab as usize)?;
    let (product, meter) = ledger.book().names(series.meter)?;
    Some(Charge {
        account: account.id.clone(),
        billing_account: ledger.wallet(series.wallet)?.id.clone(),
        product: product.clone(),
        meter: meter.clone(),
        region: ledger.region(series.region).map(ToString::to_string),
        price: series.price.0,
        used: line.used.starts(),
        quantity: line.quantity,
        charge: accrued.charge,
        records: line.records,
        adjustment: late,
        cycle_end: tab.ends.starts(),
    })
}
