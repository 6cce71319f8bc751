//! Views of one thing, as pure functions of the ledgers: the same for rehearsals and for workers.

use drawdown_domain::ids::{AccountId, WalletId};
use drawdown_domain::invoices::Invoice;
use drawdown_domain::ledger::{Ledger, WalletNumber};
use drawdown_domain::money::Overflow;
use drawdown_domain::time::Span;
use serde::Serialize;
use serde_json::Value;

/// The views of one thing.
pub const SINGLE: &[&str] = &["balance", "billing_account", "due", "runway", "service"];

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
    let row = match view {
        "balance" => wallet().and_then(|(ledger, wallet)| shown(ledger.balance(wallet))),
        "billing_account" => {
            wallet().and_then(|(ledger, wallet)| shown(ledger.billing_account(wallet).map(Ok)))
        }
        "due" => wallet().and_then(|(ledger, wallet)| shown(ledger.due(wallet))),
        "runway" => wallet().and_then(|(ledger, wallet)| shown(ledger.runway_row(wallet))),
        "service" => {
            let account: Option<AccountId> = of.parse().ok();
            let found = account.and_then(|account| {
                let mut ledgers = ledgers.iter();
                ledgers.find_map(|ledger| ledger.service(ledger.account_named(&account)?))
            });
            shown(found.map(Ok))
        }
        other => return Err(NoSuchView(other.to_owned())),
    };
    Ok(row)
}

fn shown<T: Serialize>(row: Option<Result<T, Overflow>>) -> Option<Value> {
    row?.ok().and_then(|row| serde_json::to_value(row).ok())
}
