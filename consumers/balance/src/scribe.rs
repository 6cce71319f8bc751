//! Writes down what the ledger decides: the delta for itself, and rows for others.

use drawdown_domain::ids::{ProductId, RegionId};
use drawdown_domain::invoices::Invoice;
use drawdown_domain::ledger::{
    self, AccountOpened, Accrued, Bill, BillIssued, Fact, Journal, Ledger, Line, Lot, Moved,
    ProductNumber, WalletNumber,
};
use drawdown_domain::money::Amount;
use drawdown_wire::avro;
use drawdown_wire::charges::{ChargedRow, ChargesBuilder, GroupKey, GroupNames};
use drawdown_wire::lines::LinesHeader;
use drawdown_wire::messages::{
    AccountRouted, AccountShut, BillPayment, Bills, Entry, IssuedBill, NumberWanted, PeriodClosed,
    UsageControl,
};
use drawdown_wire::schemas;

use crate::changed::Changed;
use crate::delta::DeltaWriter;

/// A message of charges is closed when it has come to this.
const CHARGES_BYTES: usize = 512 * 1024;

/// Everything a step has to say, collected while the ledger decides.
#[derive(Debug)]
pub(crate) struct Scribe {
    pub(crate) delta: DeltaWriter,
    pub(crate) entries: Vec<Entry>,
    bills: Bills,
    charges: ChargesBuilder,
    /// The usage whose charges are being collected: partition, first and last offset.
    span: (u32, i64, i64),
    /// Messages of charges that are closed.
    charge_messages: Vec<Vec<u8>>,
    pub(crate) controls: Vec<(String, UsageControl)>,
    /// Periods that were closed, and the numbers their invoices want.
    pub(crate) closed: Vec<PeriodClosed>,
    pub(crate) wanted: Vec<NumberWanted>,
    pub(crate) invoices: Vec<Invoice>,
    /// Wallets whose balance has changed since it was last told.
    pub(crate) changed: Changed,
    /// The ledger this scribe writes for, as accounts are told about it.
    ledger: u32,
}

impl Journal for Scribe {
    fn fact(&mut self, ledger: &Ledger, fact: &Fact) {
        self.delta.fact(fact);
        self.changed.touch_by(fact);
        match fact {
            Fact::Moved(moved) => self.moved(ledger, moved),
            Fact::BillIssued(issued) => self.issued(ledger, issued),
            Fact::BillReduced(reduced) => {
                self.paid(ledger, reduced.wallet, reduced.bill, reduced.amount)
            }
            Fact::AccountOpened(opened) => self.opened(ledger, opened),
            Fact::AccountClosed(closed) => {
                let Some(account) = ledger.account(closed.account) else { return };
                let (at, closed_at) = (ledger.clock().now(), closed.at);
                let shut = AccountShut { at, account: account.id.clone(), closed_at };
                self.controls.push((account.id.to_string(), shut.into()));
            }
            Fact::PeriodClosed(closed) => self.closed(ledger, closed),
            Fact::InvoiceIssued(issued) => self.invoices.push((*issued.invoice).clone()),
            // Nobody outside hears of the rest.
            Fact::TimePassed(_)
            | Fact::Marked(_)
            | Fact::SettingsChanged(_)
            | Fact::PricesArrived(_)
            | Fact::PricesInForce(_)
            | Fact::EnterpriseOpened(_)
            | Fact::WalletOpened(_)
            | Fact::PayerChanged(_)
            | Fact::RegionNamed(_)
            | Fact::SeriesOpened(_)
            | Fact::TabOpened(_)
            | Fact::TabCut(_)
            | Fact::SetAside(_)
            | Fact::CycleBilled(_)
            | Fact::PaymentUndone(_)
            | Fact::LimitChanged(_)
            | Fact::CouponOpened(_)
            | Fact::Configured(_)
            | Fact::OrderPlaced(_)
            | Fact::OrderRefunded(_) => {}
        }
    }

    fn accrued(&mut self, ledger: &Ledger, accrued: &Accrued, line: &Line) {
        self.delta.accrued(accrued);
        let Some((key, row, payer)) = charged_row(ledger, accrued, line) else { return };
        self.charges.push(key, || group_names(ledger, line), &row);
        self.changed.touch(payer);
        if self.charges.bytes() >= CHARGES_BYTES {
            self.close_charges(ledger);
        }
    }
}

impl Scribe {
    pub(crate) fn new(ledger: u32) -> Scribe {
        Scribe {
            delta: DeltaWriter::default(),
            entries: Vec::new(),
            bills: no_bills(),
            charges: ChargesBuilder::default(),
            span: (0, 0, 0),
            charge_messages: Vec::new(),
            controls: Vec::new(),
            closed: Vec::new(),
            wanted: Vec::new(),
            invoices: Vec::new(),
            changed: Changed::default(),
            ledger,
        }
    }

    /// The bills collected so far; none are left.
    pub(crate) fn take_bills(&mut self) -> Option<Bills> {
        let any = !self.bills.issued.is_empty() || !self.bills.payments.is_empty();
        any.then(|| std::mem::replace(&mut self.bills, no_bills()))
    }

    /// What follows are charges for these lines.
    pub(crate) fn begin_lines(&mut self, ledger: &Ledger, header: &LinesHeader<'_>) {
        let (partition, first, last) = self.span;
        if partition == header.usage_partition && !self.charges.is_empty() {
            self.span = (partition, first.min(header.first_offset), last.max(header.last_offset));
            return;
        }
        self.close_charges(ledger);
        self.span = (header.usage_partition, header.first_offset, header.last_offset);
    }

    fn close_charges(&mut self, ledger: &Ledger) {
        if self.charges.is_empty() {
            return;
        }
        let (partition, first, last) = self.span;
        let mut message = Vec::with_capacity(self.charges.bytes() + 64);
        avro::put_header(&mut message, schemas::CHARGES.fingerprint());
        self.charges.finish(&mut message, ledger.clock().now(), partition, first, last);
        self.charge_messages.push(message);
    }

    /// About how much is collected: nearly all of it is charges and the delta.
    pub(crate) fn bytes(&self) -> usize {
        let closed: usize = self.charge_messages.iter().map(Vec::len).sum();
        closed + self.charges.bytes() + self.delta.bytes()
    }

    /// The messages of charges collected so far; none are left.
    pub(crate) fn take_charges(&mut self, ledger: &Ledger) -> Vec<Vec<u8>> {
        self.close_charges(ledger);
        std::mem::take(&mut self.charge_messages)
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
    }

    fn issued(&mut self, ledger: &Ledger, fact: &BillIssued) {
        let bill = &fact.bill;
        let (payer, account) = (ledger.wallet(fact.wallet), ledger.account(bill.account));
        let (Some(payer), Some(account)) = (payer, account) else { return };
        self.bills.issued.push(IssuedBill {
            bill: bill_name(payer.id.as_str(), bill.number),
            billing_account: payer.id.clone(),
            account: account.id.clone(),
            product: product_of(ledger, bill),
            month: bill.month,
            // An order is billed at once, and so is a tax.
            cycle_end: match bill.order.is_some() || bill.is_tax() {
                true => bill.issued_at,
                false => fact.ends.starts(),
            },
            amount: bill.amount,
            currency: payer.currency,
            issued_at: bill.issued_at,
            invoice: fact.invoice.clone(),
        });
        if bill.amount.is_negative() {
            // What it undoes pays it at once.
            self.paid(ledger, fact.wallet, bill.number, bill.amount);
        }
    }

    fn closed(&mut self, ledger: &Ledger, fact: &ledger::PeriodClosed) {
        let (at, draft) = (ledger.clock().now(), &fact.draft);
        self.closed.push(PeriodClosed {
            billing_account: draft.billing_account.clone(),
            at,
            from: draft.from,
            until: draft.until,
            net: draft.net,
            currency: draft.currency,
        });
        self.wanted.push(NumberWanted {
            at,
            ledger: self.ledger,
            invoice: draft.draft,
            issuer_country: draft.issuer_country,
            kind: draft.kind(),
        });
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

/// What a bill is for. That over a tax has a name of its own.
fn product_of(ledger: &Ledger, bill: &Bill) -> Option<ProductId> {
    match bill.product {
        Some(ProductNumber::TAX) => TAX.parse().ok(),
        product => ledger.book().product(product?).cloned(),
    }
}

/// The product of bills over the tax of invoices, as others see them.
const TAX: &str = "tax";

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

/// What a line costs, and who pays it.
fn charged_row<'a>(
    ledger: &'a Ledger,
    accrued: &Accrued,
    line: &Line,
) -> Option<(GroupKey, ChargedRow<'a>, WalletNumber)> {
    let account = ledger.account(accrued.account)?;
    let series = account.series.get(accrued.series as usize)?;
    let tab = account.tabs.get(accrued.tab as usize)?;
    let key = GroupKey {
        meter: series.meter.0,
        region: series.region.0.into(),
        price: series.price.0,
        adjustment: tab.adjustment,
        cycle_end: tab.ends.starts(),
    };
    let row = ChargedRow {
        account: account.id.as_str(),
        billing_account: ledger.wallet(series.wallet)?.id.as_str(),
        used: line.used,
        quantity: line.quantity,
        charge: accrued.charge,
        records: line.records,
    };
    Some((key, row, series.wallet))
}

fn group_names<'a>(ledger: &'a Ledger, line: &Line) -> Option<GroupNames<'a>> {
    let (product, meter) = ledger.book().names(line.meter)?;
    let region = ledger.region(line.region).map(RegionId::as_str);
    Some(GroupNames { product: product.as_str(), meter: meter.as_str(), region })
}
