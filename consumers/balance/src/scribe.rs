//! Writes down what the ledger decides: the delta for itself, and rows for others.

use std::collections::BTreeMap;

use drawdown_domain::ids::{EnterpriseId, ProductId, RegionId, RequestId, Text};
use drawdown_domain::invoices::{Invoice, InvoiceDraft};
use drawdown_domain::ledger::{
    self, AccountOpened, Accrued, Bill, BillIssued, Covered, Fact, HELD, Journal, Ledger, Line,
    LinkBegun, LinkEnded, Linking, Lot, Method, Moved, PaymentBegun, PaymentDelayed, PaymentEnded,
    Portion, ProductNumber, RunKey, Wallet, WalletNumber,
};
use drawdown_domain::money::Amount;
use drawdown_domain::notices::{Notice, Service};
use drawdown_domain::payments::{Payment, PaymentAnswer, PaymentCause, PaymentStatus};
use drawdown_domain::requests::{Crossing, Direction, PaymentRequest};
use drawdown_domain::runs::InvoiceRun;
use drawdown_wire::avro;
use drawdown_wire::charges::{ChargedRow, ChargesBuilder, GroupKey, GroupNames};
use drawdown_wire::messages::{
    AccountRouted, AccountShut, BillPayment, Bills, CoveredLine, Entry, IssuedBill, NumberWanted,
    Outcome, PaymentWish, PeriodClosed, Settled, UsageControl, VoidAsked,
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
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) settled: Vec<Settled>,
    pub(crate) wishes: Vec<PaymentWish>,
    pub(crate) payments: Vec<Payment>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) services: Vec<Service>,
    pub(crate) requests: Vec<PaymentRequest>,
    /// What is said to ledgers, and to whose.
    pub(crate) crossings: Vec<(EnterpriseId, Crossing)>,
    /// What was to be said and cannot be: state and facts do not fit together.
    pub(crate) unsaid: Option<&'static str>,
    bills: Bills,
    charges: ChargesBuilder,
    /// The usage whose charges are being collected: partition, first and last offset.
    span: (u32, i64, i64),
    /// The record that is being taken back, by its place in the message of that span.
    voids: Option<u32>,
    /// Messages of charges that are closed.
    charge_messages: Vec<Vec<u8>>,
    pub(crate) controls: Vec<(String, UsageControl)>,
    /// Periods that were closed, and the numbers their invoices want.
    pub(crate) closed: Vec<PeriodClosed>,
    pub(crate) wanted: Vec<NumberWanted>,
    pub(crate) invoices: Vec<Invoice>,
    /// Runs that something has changed about, as they stand now.
    pub(crate) runs: BTreeMap<RunKey, InvoiceRun>,
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
            Fact::BillPaid(paid) => self.paid(ledger, paid.wallet, paid.bill, paid.amount),
            Fact::SharedCouponPaid(paid) => self.paid(ledger, paid.wallet, paid.bill, paid.amount),
            Fact::HeldPaid(paid) => self.paid(ledger, paid.wallet, paid.bill, paid.amount),
            Fact::Covered(covered) => self.covered(ledger, covered),
            Fact::LinkBegun(begun) => self.link_begun(ledger, begun),
            Fact::LinkEnded(ended) => self.link_ended(ledger, ended),
            Fact::PaymentBegun(begun) => self.payment_begun(ledger, begun),
            Fact::PaymentDelayed(delayed) => self.payment_delayed(ledger, delayed),
            Fact::PaymentEnded(ended) => self.payment_ended(ledger, ended),
            Fact::RequestOpened(opened) => {
                let request = &opened.request.terms.request;
                self.request(ledger, opened.wallet, opened.direction, request);
            }
            Fact::RequestChanged(changed) => {
                self.request(ledger, changed.wallet, changed.direction, &changed.request);
            }
            Fact::RequestFunded(funded) => {
                self.request(ledger, funded.wallet, Direction::ToPay, &funded.request);
            }
            Fact::SaidAcross(said) => {
                self.crossings.push((said.to.clone(), (*said.crossing).clone()));
            }
            Fact::ServiceChanged(changed) => self.services.extend(ledger.service(changed.account)),
            Fact::Noticed(noticed) => match ledger.notice_of(noticed) {
                Some(Ok(notice)) => self.notices.push(notice),
                _ => self.unsaid = Some("a notice that cannot be written"),
            },
            Fact::AccountOpened(opened) => self.opened(ledger, opened),
            Fact::AccountClosed(closed) => {
                let Some(account) = ledger.account(closed.account) else { return };
                let (at, closed_at) = (ledger.clock().now(), closed.at);
                let shut = AccountShut { at, account: account.id.clone(), closed_at };
                self.controls.push((account.id.to_string(), shut.into()));
            }
            Fact::VoidAsked(void) => self.void_asked(ledger, void),
            Fact::PeriodClosed(closed) => self.closed(ledger, closed),
            Fact::CreditDrafted(credit) => self.want_number(ledger, &credit.draft),
            Fact::DraftSettled(settled) => {
                self.released(ledger, settled.wallet, settled.draft);
                self.run(ledger, settled.run);
            }
            Fact::DraftReleased(released) => {
                self.released(ledger, released.wallet, released.draft);
                self.run(ledger, released.run);
            }
            Fact::RunHeld(held) => self.run(ledger, held.run),
            Fact::RunApproved(approved) => self.run(ledger, approved.run),
            Fact::InvoiceIssued(issued) => {
                self.invoices.push((*issued.invoice).clone());
                issued.run.into_iter().for_each(|run| self.run(ledger, run));
            }
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
            | Fact::ValuesCounted(_)
            | Fact::ValueTakenBack(_)
            | Fact::CorrectionWaits(_)
            | Fact::CycleBilled(_)
            | Fact::PaymentUndone(_)
            | Fact::LimitChanged(_)
            | Fact::CouponOpened(_)
            | Fact::Configured(_)
            | Fact::OrderPlaced(_)
            | Fact::OrderRefunded(_)
            | Fact::TellingConfigured(_)
            | Fact::MethodUnlinked(_)
            | Fact::MethodPreferred(_)
            | Fact::MethodChanged(_)
            | Fact::ProductChecked(_)
            | Fact::RechargeChanged(_)
            | Fact::SettlementChanged(_)
            | Fact::RetryPassed(_)
            | Fact::Cured(_)
            | Fact::MonthSwept(_)
            | Fact::SuspensionDelayed(_)
            | Fact::RunwayChanged(_)
            | Fact::NearDueChanged(_)
            | Fact::FallChanged(_)
            | Fact::OverdueChanged(_)
            | Fact::PeriodJoined(_)
            | Fact::InvoicingConfigured(_)
            | Fact::MembershipChanged(_)
            | Fact::TaxIdChanged(_)
            | Fact::RechargeFrozen(_)
            | Fact::RoleGranted(_)
            | Fact::RoleRevoked(_)
            | Fact::KeyCreated(_)
            | Fact::KeyRevoked(_)
            | Fact::WalletRenamed(_)
            | Fact::WalletStateChanged(_)
            | Fact::AdministratorsChanged(_)
            | Fact::BadDebtChanged(_)
            | Fact::SharedCouponReturned(_)
            | Fact::BenefitBought(_)
            | Fact::BenefitEnded(_)
            | Fact::SharingChanged(_)
            | Fact::SharingRuleChanged(_)
            | Fact::OrganisationChanged(_)
            | Fact::ServedChanged(_)
            | Fact::OrderBegun(_)
            | Fact::OrderEnded(_)
            | Fact::PlanChanged(_)
            | Fact::SpendAllocated(_)
            | Fact::Authorized(_)
            | Fact::CapNeared(_) => {}
        }
    }

    fn accrued(&mut self, ledger: &Ledger, accrued: &[Accrued], line: &Line) {
        accrued.iter().for_each(|part| self.delta.accrued(part));
        let Some((key, row, payer)) = charged_row(ledger, accrued, line) else {
            self.unsaid = Some("a charge whose account, price or payer is unknown");
            return;
        };
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
            outcomes: Vec::new(),
            settled: Vec::new(),
            wishes: Vec::new(),
            payments: Vec::new(),
            notices: Vec::new(),
            services: Vec::new(),
            requests: Vec::new(),
            crossings: Vec::new(),
            unsaid: None,
            bills: no_bills(),
            charges: ChargesBuilder::default(),
            span: (0, 0, 0),
            voids: None,
            charge_messages: Vec::new(),
            controls: Vec::new(),
            closed: Vec::new(),
            wanted: Vec::new(),
            invoices: Vec::new(),
            runs: BTreeMap::new(),
            changed: Changed::default(),
            ledger,
        }
    }

    /// The bills collected so far; none are left.
    pub(crate) fn take_bills(&mut self) -> Option<Bills> {
        let any = !self.bills.issued.is_empty() || !self.bills.payments.is_empty();
        any.then(|| std::mem::replace(&mut self.bills, no_bills()))
    }

    /// What follows are charges for usage of these offsets.
    pub(crate) fn begin_span(&mut self, ledger: &Ledger, partition: u32, first: i64, last: i64) {
        let (known, known_first, known_last) = self.span;
        if partition == known && !self.charges.is_empty() {
            self.span = (partition, known_first.min(first), known_last.max(last));
            return;
        }
        self.close_charges(ledger);
        self.span = (partition, first, last);
    }

    /// What follows is the charge of one record that is taken back, in a message of its own.
    pub(crate) fn begin_void(&mut self, ledger: &Ledger, partition: u32, offset: i64, index: u32) {
        self.close_charges(ledger);
        (self.span, self.voids) = ((partition, offset, offset), Some(index));
    }

    pub(crate) fn end_void(&mut self, ledger: &Ledger) {
        self.close_charges(ledger);
        self.voids = None;
    }

    fn close_charges(&mut self, ledger: &Ledger) {
        if self.charges.is_empty() {
            return;
        }
        let (partition, first, last) = self.span;
        let mut message = Vec::with_capacity(self.charges.bytes() + 64);
        avro::put_header(&mut message, schemas::CHARGES.fingerprint());
        let at = ledger.clock().now();
        self.charges.finish(&mut message, at, partition, (first, last), self.voids);
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
        let bill = fact.bill.map(|number| wallet.bill_name(number));
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
            bill: payer.bill_name(bill.number),
            billing_account: payer.id.clone(),
            account: account.id.clone(),
            product: product_of(ledger, bill),
            month: bill.month,
            // An order is billed at once, and so are a tax and a credit note.
            cycle_end: match bill.order.is_some() || bill.is_tax() || fact.credit_note.is_some() {
                true => bill.issued_at,
                false => fact.ends.starts(),
            },
            amount: bill.amount,
            currency: payer.currency,
            issued_at: bill.issued_at,
            invoice: fact.invoice.clone(),
            credit_note: fact.credit_note.clone(),
            order: bill.order.clone(),
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
        self.want_number(ledger, draft);
        self.run(ledger, fact.run);
    }

    fn run(&mut self, ledger: &Ledger, key: RunKey) {
        match ledger.invoice_run(key) {
            Some(run) => drop(self.runs.insert(key, run)),
            None => self.unsaid = Some("an invoice run that is not there"),
        }
    }

    /// A draft may have lost what held it.
    fn released(&mut self, ledger: &Ledger, wallet: WalletNumber, draft: u64) {
        let drafts = ledger.wallet(wallet).map(Wallet::drafts).unwrap_or_default();
        match drafts.iter().find(|known| known.draft == draft) {
            Some(draft) => self.want_number(ledger, draft),
            None => self.unsaid = Some("an invoice that is released and not there"),
        }
    }

    /// What is held wants none yet.
    fn want_number(&mut self, ledger: &Ledger, draft: &InvoiceDraft) {
        if draft.held_for().is_some() {
            return;
        }
        self.wanted.push(NumberWanted {
            at: ledger.clock().now(),
            ledger: self.ledger,
            invoice: draft.draft,
            issuer_country: draft.issuer_country,
            kind: draft.kind(),
        });
    }

    fn paid(&mut self, ledger: &Ledger, wallet: WalletNumber, number: u64, amount: Amount) {
        let Some(payer) = ledger.wallet(wallet) else { return };
        let bill = payer.bill_name(number);
        self.bills.payments.push(BillPayment { bill, at: ledger.clock().now(), amount });
    }

    /// Metering is asked for the record.
    fn void_asked(&mut self, ledger: &Ledger, fact: &ledger::VoidAsked) {
        let Some(account) = ledger.account(fact.account) else {
            return self.unsaid = Some("a void for an unknown account");
        };
        let void = VoidAsked {
            at: ledger.clock().now(),
            ledger: self.ledger,
            account: account.id.clone(),
            source: fact.source.clone(),
            id: fact.id.clone(),
            asked: fact.asked.clone(),
        };
        self.controls.push((account.id.to_string(), void.into()));
    }

    fn covered(&mut self, ledger: &Ledger, fact: &Covered) {
        for portion in &fact.hour.portions {
            match covered_line(ledger, fact, portion) {
                Some(line) => self.charges.cover(&line),
                None => self.unsaid = Some("usage that was covered by an unknown benefit"),
            }
        }
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

/// What gateways are asked to do, and how payments stand.
impl Scribe {
    fn link_begun(&mut self, ledger: &Ledger, fact: &LinkBegun) {
        let Some(row) = link_row(ledger, fact.wallet, &fact.linking, PaymentStatus::Pending, None)
        else {
            return self.unsaid = Some("a link of an unknown wallet");
        };
        self.wish(&row, &fact.linking.method, fact.linking.authenticated);
        self.payments.push(row);
    }

    fn link_ended(&mut self, ledger: &Ledger, fact: &LinkEnded) {
        let status = match fact.refused {
            None => PaymentStatus::Succeeded,
            Some(_) => PaymentStatus::Declined,
        };
        let reason = fact.reason.clone();
        match link_row(ledger, fact.wallet, &fact.linking, status, reason) {
            Some(row) => self.payments.push(row),
            None => self.unsaid = Some("a link of an unknown wallet"),
        }
        let (at, asked) = (ledger.clock().now(), &fact.linking.asked);
        let accepted = fact.refused.is_none();
        self.settled.push(Settled { at, command: asked.number, accepted });
        self.outcomes.push(Outcome {
            command: asked.number,
            at,
            principal: asked.principal.clone(),
            key: asked.key.clone(),
            origin: asked.origin.clone(),
            name: if fact.linking.authenticated { FINISH } else { LINK }.to_owned(),
            refused: fact.refused,
            detail: fact.reason.as_ref().map(Text::to_string),
            repeats: None,
        });
    }

    fn request(
        &mut self,
        ledger: &Ledger,
        wallet: WalletNumber,
        direction: Direction,
        request: &RequestId,
    ) {
        match ledger.payment_request(wallet, direction, request) {
            Some(row) => self.requests.push(row),
            None => self.unsaid = Some("a request to pay that is not there"),
        }
    }

    fn payment_begun(&mut self, ledger: &Ledger, fact: &PaymentBegun) {
        let PaymentBegun { wallet, payment } = fact;
        let row = ledger.payment_row(*wallet, payment, PaymentStatus::Pending, None);
        let method = ledger.wallet(*wallet).and_then(|wallet| wallet.method(&payment.method));
        let Some((row, method)) = row.zip(method) else {
            return self.unsaid = Some("a payment by an unknown method");
        };
        self.wish(&row, method, false);
        self.payments.push(row);
    }

    fn payment_delayed(&mut self, ledger: &Ledger, fact: &PaymentDelayed) {
        let paying = ledger.wallet(fact.wallet).and_then(|wallet| wallet.paying.as_deref());
        let Some(payment) = paying.and_then(|paying| paying.payment(fact.payment)) else {
            return self.unsaid = Some("a delayed payment that is not in flight");
        };
        let row = ledger.payment_row(fact.wallet, payment, PaymentStatus::Delayed, None);
        self.payments.extend(row);
    }

    fn payment_ended(&mut self, ledger: &Ledger, fact: &PaymentEnded) {
        let status = match fact.answer {
            PaymentAnswer::Succeeded | PaymentAnswer::Unauthenticated => PaymentStatus::Succeeded,
            PaymentAnswer::AwaitsApproval => PaymentStatus::Pending,
            PaymentAnswer::Declined | PaymentAnswer::AuthenticationRequired => {
                PaymentStatus::Declined
            }
        };
        let row = ledger.payment_row(fact.wallet, &fact.payment, status, fact.reason.clone());
        self.payments.extend(row);
    }

    fn wish(&mut self, row: &Payment, method: &Method, authenticated: bool) {
        self.wishes.push(PaymentWish {
            payment: row.payment.clone(),
            billing_account: row.billing_account.clone(),
            at: row.at,
            cause: row.cause,
            method: row.method.clone(),
            kind: method.kind,
            token: method.token.clone(),
            amount: row.amount,
            currency: row.currency,
            authenticated,
        });
    }
}

/// What the commands are called whose answer comes from a gateway.
const LINK: &str = "link_payment_method";
const FINISH: &str = "finish_authentication";

/// What shows whether a method can pay, as a payment.
fn link_row(
    ledger: &Ledger,
    wallet: WalletNumber,
    linking: &Linking,
    status: PaymentStatus,
    reason: Option<Text>,
) -> Option<Payment> {
    let (amount, currency) = HELD;
    let wallet = ledger.wallet(wallet)?;
    Some(Payment {
        payment: wallet.payment_name(linking.payment),
        billing_account: wallet.id.clone(),
        status,
        cause: PaymentCause::Preauthorisation,
        amount,
        currency,
        method: linking.method.method.clone(),
        begun_at: linking.begun_at,
        at: ledger.clock().now(),
        reason,
        bills: Vec::new(),
    })
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
        Lot::MethodPaid(lot) => lot.payment.to_string(),
        Lot::SharedCouponLot(lot) => lot.coupon.to_string(),
    }
}

/// What a line costs, and who pays it. Its parts by tier are one charge, and their tabs of one cycle.
fn charged_row<'a>(
    ledger: &'a Ledger,
    accrued: &[Accrued],
    line: &Line,
) -> Option<(GroupKey, ChargedRow<'a>, WalletNumber)> {
    let (first, more) = accrued.split_first()?;
    let account = ledger.account(first.account)?;
    let series = account.series.get(first.series as usize)?;
    let tab = account.tabs.get(first.tab as usize)?;
    let charge = more.iter().try_fold(first.charge, |sum, part| sum.plus(part.charge)).ok()?;
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
        charge,
        records: line.records,
    };
    Some((key, row, series.wallet))
}

/// What a benefit covered, as others know it.
fn covered_line(ledger: &Ledger, fact: &Covered, portion: &Portion) -> Option<CoveredLine> {
    let (of, holder) = (&fact.hour.of, ledger.wallet(portion.wallet)?);
    let benefit = holder.bought().iter().find(|known| known.benefit == portion.benefit)?;
    let (product, meter) = ledger.book().names(of.meter)?;
    Some(CoveredLine {
        account: ledger.account(of.account)?.id.clone(),
        billing_account: ledger.wallet(fact.payer)?.id.clone(),
        product: product.clone(),
        meter: meter.clone(),
        region: ledger.region(of.region).map(RegionId::to_string),
        used: fact.used,
        holder: holder.id.clone(),
        benefit: portion.benefit.clone(),
        kind: benefit.kind,
        quantity: portion.quantity,
        drawn: portion.drawn,
    })
}

fn group_names<'a>(ledger: &'a Ledger, line: &Line) -> Option<GroupNames<'a>> {
    let (product, meter) = ledger.book().names(line.meter)?;
    let region = ledger.region(line.region).map(RegionId::as_str);
    Some(GroupNames { product: product.as_str(), meter: meter.as_str(), region })
}
