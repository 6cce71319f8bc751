//! Views of one thing, as pure functions of the ledgers: the same for rehearsals and for workers.

use drawdown_domain::commands::Subject;
use drawdown_domain::ids::{AccountId, EnterpriseId, WalletId};
use drawdown_domain::invoices::{Invoice, InvoiceType};
use drawdown_domain::ledger::{AccountNumber, EnterpriseNumber, Ledger, WalletNumber};
use drawdown_domain::money::{Amount, Overflow};
use drawdown_domain::time::Span;
use drawdown_wire::messages::IssuedBill;
use serde::Serialize;
use serde_json::{Value, json};

/// The views of one thing.
pub const SINGLE: &[&str] = &[
    "account",
    "balance",
    "benefits",
    "billing_account",
    "coupons",
    "due",
    "enterprise",
    "orders",
    "payment_methods",
    "runway",
    "service",
];

/// Those of them that are one list, which is called as they are.
pub const HELD: &[&str] = &["benefits", "coupons", "orders", "payment_methods"];

/// There is no view of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no view {name} of one thing; there are {known}", name = .0, known = SINGLE.join(", "))]
pub struct NoSuchView(String);

/// A row of the view `invoices`: all that the invoice says, and what of it is paid.
#[derive(Clone, Debug, serde::Serialize)]
pub struct InvoiceRow<'a> {
    #[serde(flatten)]
    invoice: &'a Invoice,
    /// From the first to the last day, both included.
    period: String,
    paid: Amount,
    open: Amount,
    status: &'static str,
}

/// A bill, and what was paid of it.
#[derive(Clone, Debug)]
pub struct BillNow {
    pub bill: IssuedBill,
    pub paid: Amount,
}

impl BillNow {
    /// Whether an invoice is over it: a cycle belongs to the period of its last instant, or of its bill's issue if that
    /// comes before, an order to that of its issue, and a tax names its invoice.
    fn is_of(&self, invoice: &Invoice) -> bool {
        let IssuedBill { billing_account, cycle_end, issued_at, order, .. } = &self.bill;
        if let Some(number) = &self.bill.invoice {
            return *number == invoice.number;
        }
        let covered = match order {
            Some(_) => *issued_at,
            None => cycle_end.minus(Span::micros(1)).min(*issued_at),
        };
        *billing_account == invoice.billing_account
            && (invoice.from..invoice.until).contains(&covered)
    }
}

/// A row of the view `invoices`, as ClickHouse's `invoices_now` has it.
pub fn invoice<'a>(invoice: &'a Invoice, bills: &[BillNow]) -> Result<InvoiceRow<'a>, Overflow> {
    let mut open = Amount::ZERO;
    if invoice.r#type == InvoiceType::Invoice && invoice.corrects.is_none() {
        for bill in bills.iter().filter(|bill| bill.is_of(invoice)) {
            open = open.plus(bill.bill.amount.minus(bill.paid)?.max(Amount::ZERO))?;
        }
    }
    let status = match open {
        _ if invoice.r#type != InvoiceType::Invoice => "credited",
        open if !open.is_positive() => "paid",
        open if open >= invoice.total => "open",
        _ => "partly_paid",
    };
    let paid = invoice.total.minus(open)?.max(Amount::ZERO);
    Ok(InvoiceRow { invoice, period: invoice.period(), paid, open, status })
}

/// The row of a view that concerns `of`; none if none of the ledgers knows it.
pub fn one(view: &str, of: &str, ledgers: &[&Ledger]) -> Result<Option<Value>, NoSuchView> {
    let wallet = || -> Option<(&Ledger, WalletNumber)> {
        let wallet: WalletId = of.parse().ok()?;
        ledgers.iter().find_map(|ledger| Some((*ledger, ledger.wallet_named(&wallet)?)))
    };
    let account = || -> Option<(&Ledger, AccountNumber)> {
        let account: AccountId = of.parse().ok()?;
        ledgers.iter().find_map(|ledger| Some((*ledger, ledger.account_named(&account)?)))
    };
    let enterprise = || -> Option<(&Ledger, EnterpriseNumber)> {
        let enterprise: EnterpriseId = of.parse().ok()?;
        ledgers.iter().find_map(|ledger| Some((*ledger, ledger.enterprise_named(&enterprise)?)))
    };
    let row = match view {
        "account" => {
            account().and_then(|(ledger, account)| shown(ledger.account_row(account).map(Ok)))
        }
        "enterprise" => {
            enterprise().and_then(|(ledger, number)| shown(ledger.enterprise_row(number).map(Ok)))
        }
        "balance" => wallet().and_then(|(ledger, wallet)| shown(ledger.balance(wallet))),
        "billing_account" => {
            wallet().and_then(|(ledger, wallet)| shown(ledger.billing_account(wallet).map(Ok)))
        }
        "benefits" => wallet().and_then(|(ledger, wallet)| shown(ledger.benefits(wallet).map(Ok))),
        "coupons" => wallet().and_then(|(ledger, wallet)| shown(ledger.coupons(wallet).map(Ok))),
        "orders" => wallet().and_then(|(ledger, wallet)| shown(ledger.orders(wallet).map(Ok))),
        "payment_methods" => {
            wallet().and_then(|(ledger, wallet)| shown(ledger.methods(wallet).map(Ok)))
        }
        "due" => wallet().and_then(|(ledger, wallet)| shown(ledger.due(wallet))),
        "runway" => wallet().and_then(|(ledger, wallet)| shown(ledger.runway_row(wallet))),
        "service" => account().and_then(|(ledger, account)| shown(ledger.service(account).map(Ok))),
        // What somebody may do, for the console: `principal:billing_account:id`.
        "rights" => rights(of, ledgers),
        // Whose a key is, for the console: `scope:hash`.
        "key" => key(of, ledgers),
        other => return Err(NoSuchView(other.to_owned())),
    };
    Ok(row)
}

/// The rows of a view that every ledger has alike. None: it is no such view, or there is no ledger here.
pub fn everywhere(view: &str, ledgers: &[&Ledger]) -> Option<Vec<Value>> {
    let ledger = ledgers.first()?;
    match view {
        "prices" => Some(all_shown(&ledger.price_rows())),
        "settings" => Some(all_shown(&ledger.setting_rows())),
        _ => None,
    }
}

/// The views that every ledger has alike.
pub const EVERYWHERE: &[&str] = &["prices", "settings"];

fn all_shown<T: Serialize>(rows: &[T]) -> Vec<Value> {
    rows.iter().filter_map(|row| serde_json::to_value(row).ok()).collect()
}

/// The rights that somebody has over a billing account, an account or an enterprise.
fn rights(of: &str, ledgers: &[&Ledger]) -> Option<Value> {
    let mut parts = of.split(':');
    let (who, kind, id) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let held =
        |subject: Subject<'_>| ledgers.iter().find_map(|ledger| ledger.rights_over(&who, subject));
    let rights = match kind {
        "billing_account" => held(Subject::Wallet(&id.parse().ok()?)),
        "account" => held(Subject::Account(&id.parse().ok()?)),
        "enterprise" => held(Subject::Enterprise(&id.parse().ok()?)),
        _ => None,
    };
    rights.map(|rights| json!({ "rights": rights }))
}

/// Whom the holder of a key acts as.
fn key(of: &str, ledgers: &[&Ledger]) -> Option<Value> {
    let (scope, hash) = of.split_once(':')?;
    let scope = scope.parse().ok()?;
    let holder = ledgers.iter().find_map(|ledger| ledger.key_holder(&scope, hash));
    holder.map(|principal| json!({ "principal": principal }))
}

fn shown<T: Serialize>(row: Option<Result<T, Overflow>>) -> Option<Value> {
    row?.ok().and_then(|row| serde_json::to_value(row).ok())
}
