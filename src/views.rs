//! Views of one thing, as pure functions of the ledgers: the same for rehearsals and for workers.

use drawdown_domain::ids::WalletId;
use drawdown_domain::invoices::Invoice;
use drawdown_domain::ledger::Ledger;
use drawdown_domain::time::Span;
use serde_json::Value;

/// There is no view of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no view {0} of one thing; there are balance and billing_account")]
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
    let found = || {
        let wallet: WalletId = of.parse().ok()?;
        ledgers.iter().find_map(|ledger| Some((*ledger, ledger.wallet_named(&wallet)?)))
    };
    let row = match view {
        "balance" => found().and_then(|(ledger, wallet)| {
            ledger.balance(wallet)?.ok().and_then(|balance| serde_json::to_value(balance).ok())
        }),
        "billing_account" => found().and_then(|(ledger, wallet)| {
            serde_json::to_value(ledger.billing_account(wallet)?).ok()
        }),
        other => return Err(NoSuchView(other.to_owned())),
    };
    Ok(row)
}
