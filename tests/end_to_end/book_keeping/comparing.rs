//! The pipeline's figures beside the book-keeper's.

use drawdown_domain::ids::WalletId;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use serde_json::Value;

use super::{ACCOUNTS, Simulation};

impl Simulation {
    pub(super) fn compare_balances(&self) {
        for account in ACCOUNTS {
            let name = format!("ba-{account}");
            let wallet: WalletId = name.parse().unwrap();
            let found = self
                .pipeline
                .ledgers()
                .find_map(|ledger| ledger.balance(ledger.wallet_named(&wallet)?));
            let found = serde_json::to_value(found.unwrap().unwrap()).unwrap();
            for (field, expected) in self.book_keeper.balance(&name).unwrap() {
                self.same(&format!("{name} {field}"), shown(&found[&field]), alike(&expected));
            }
        }
    }

    pub(super) fn compare_bills(&mut self) {
        let bills = self.book_keeper.bills().into_iter().map(|bill| {
            let cycle_end = Timestamp::from_micros(bill.cycle_end).to_string();
            let (paid, amount) = (bill.paid, bill.amount);
            [bill.billing_account, bill.account, bill.product, bill.month, cycle_end, amount, paid]
        });
        let fields =
            ["billing_account", "account", "product", "month", "cycle_end", "amount", "paid"];
        self.compare_lists("bills", fields, bills);
    }

    /// Each as it was when the gateway last said something of it.
    pub(super) fn compare_payments(&mut self) {
        let payments = self.book_keeper.payments().into_iter().map(|payment| {
            let begun_at = Timestamp::from_micros(payment.at).to_string();
            let (cause, status) = (payment.cause, payment.status);
            [payment.billing_account, begun_at, cause, payment.method, payment.amount, status]
        });
        let fields = ["billing_account", "begun_at", "cause", "method", "amount", "status"];
        self.compare_lists("payments", fields, payments);
    }

    /// Lists hold the same rows, in whatever order.
    fn compare_lists<const N: usize>(
        &mut self,
        view: &str,
        fields: [&str; N],
        expected: impl Iterator<Item = [String; N]>,
    ) {
        let rows = self.rows.list(view, "all", &self.pipeline).unwrap();
        let found = rows.iter().map(|row| fields.map(|field| shown(&row[field])).join(" "));
        let found: Vec<String> = found.collect();
        let expected = expected.map(|row| row.map(|text| alike(&text)).join(" "));
        let mut expected: Vec<String> = expected.collect();
        let mut only_found = Vec::new();
        for row in found {
            match expected.iter().position(|known| *known == row) {
                Some(place) => {
                    expected.swap_remove(place);
                }
                None => only_found.push(row),
            }
        }
        self.same(view, only_found, expected);
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => alike(text),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Amounts as one of their texts.
fn alike(text: &str) -> String {
    text.parse::<Amount>().map_or_else(|_| text.to_owned(), |amount| amount.to_string())
}
