//! Views of one thing, as pure functions of the ledgers: the same for rehearsals and for workers.

use drawdown_domain::commands::Subject;
use drawdown_domain::ids::{AccountId, EnterpriseId, WalletId};
use drawdown_domain::invoices::Invoice;
use drawdown_domain::ledger::{AccountNumber, EnterpriseNumber, Ledger, WalletNumber};
use drawdown_domain::money::Overflow;
use drawdown_domain::time::Span;
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

/// A row of the view `invoices`: all that the invoice says, and what a list shows of it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct InvoiceRow<'a> {
    #[serde(flatten)]
    invoice: &'a Invoice,
    /// From the first to the last day, both included.
    period: String,
    status: &'static str,
}

/// The rows of the view `invoices`.
pub fn invoices(invoices: &[Invoice]) -> Vec<InvoiceRow<'_>> {
    invoices.iter().map(InvoiceRow::of).collect()
}

impl InvoiceRow<'_> {
    fn of(invoice: &Invoice) -> InvoiceRow<'_> {
        let Invoice { time_zone, from, until, .. } = *invoice;
        let last = until.minus(Span::micros(1));
        let period = format!("{}/{}", time_zone.date_of(from), time_zone.date_of(last));
        InvoiceRow { invoice, period, status: "issued" }
    }
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
        other => return Err(NoSuchView(other.to_owned())),
    };
    Ok(row)
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

fn shown<T: Serialize>(row: Option<Result<T, Overflow>>) -> Option<Value> {
    row?.ok().and_then(|row| serde_json::to_value(row).ok())
}
