//! Views of one thing, as pure functions of the ledgers: the same for rehearsals and for workers.

use drawdown_domain::ids::WalletId;
use drawdown_domain::ledger::Ledger;
use serde_json::Value;

/// There is no view of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no view {0} of one thing; there are balance and billing_account")]
pub struct NoSuchView(String);

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
