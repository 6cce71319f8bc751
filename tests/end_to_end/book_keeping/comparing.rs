//! The pipeline's figures beside the book-keeper's.

use drawdown_domain::ids::WalletId;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use serde_json::Value;

use super::Simulation;

type Row = serde_json::Map<String, Value>;

impl Simulation {
    pub(super) fn compare_balances(&mut self, accounts: &[String]) {
        for account in accounts {
            let name = format!("ba-{account}");
            let wallet: WalletId = name.parse().unwrap();
            let found = self
                .pipeline
                .ledgers()
                .find_map(|ledger| ledger.balance(ledger.wallet_named(&wallet)?));
            let found = serde_json::to_value(found.unwrap().unwrap()).unwrap();
            for (field, expected) in self.book_keeper.balance(&name).unwrap() {
                let (found, expected) = (shown(&found[&field]), alike(&expected));
                if found != expected {
                    // Bills and entries say more than sums.
                    self.compare_bills();
                    self.compare_entries();
                    self.compare_payments();
                }
                self.same(&format!("{name} {field}"), found, expected);
            }
        }
    }

    pub(super) fn compare_services(&mut self, accounts: &[String]) {
        for account in accounts {
            let id = account.parse().unwrap();
            let found = self
                .pipeline
                .ledgers()
                .find_map(|ledger| ledger.service(ledger.account_named(&id)?));
            let found = found.map(|service| (service.state.to_string(), service.since.as_micros()));
            let expected = self.book_keeper.service(account);
            if found != expected {
                // What was paid and told says more.
                self.compare_payments();
                self.compare_bills();
                self.compare_notices();
            }
            self.same(&format!("services of {account}"), found, expected);
        }
    }

    pub(super) fn compare_lists_of_all(&mut self) {
        self.compare_payments();
        self.compare_bills();
        self.compare_notices();
        self.compare_entries();
        self.compare_invoices();
        self.compare_requests();
        self.compare_remittances();
        let accounts = self.world.accounts.clone();
        for account in &accounts {
            self.compare_benefits(&format!("ba-{account}"));
            self.compare_orders(&format!("ba-{account}"));
        }
        self.compare_balances(&accounts);
        self.compare_services(&accounts);
    }

    /// What owners were told, at which instant. Not compared are mails of invoices, which tell no figures of their
    /// own, and `runway`: that credit lasts longer again is noted with whatever changes next (docs/decisions.md,
    /// 8.6), and the book-keeper does not know what all of that is.
    fn compare_notices(&mut self) {
        let is_compared = |kind: &str| !["invoice", "runway"].contains(&kind);
        let notices = self.book_keeper.notices().into_iter().map(|notice| {
            let at = Timestamp::from_micros(notice.at).to_string();
            [notice.billing_account, at, notice.kind]
        });
        let notices: Vec<_> = notices.filter(|[_, _, kind]| is_compared(kind)).collect();
        let mut rows = self.rows.list("messages", "all", &self.pipeline).unwrap();
        rows.retain(|row| is_compared(&shown(&row["kind"])));
        self.compare_rows("messages", rows, ["billing_account", "at", "kind"], notices.into_iter());
    }

    /// One movement of a lot may be told in several entries that follow on each other (a bill that one lot paid twice):
    /// they are compared as one. What a credit note gives back of orders and of usage of one product is not told apart,
    /// as the rules do not say which of the two comes first.
    fn compare_entries(&mut self) {
        let expected = self.book_keeper.entries().into_iter().map(|entry| {
            let at = Timestamp::from_micros(entry.at).to_string();
            let (before, amount, after) = (entry.before, entry.amount, entry.after);
            let (asset, lot, cause) = (entry.asset, entry.lot, entry.cause);
            [entry.billing_account, at, asset, lot, cause, before, amount, after]
        });
        let credited = self.credited.clone();
        let by_credit_notes = |mut row: [String; 8]| {
            if row[4] == "refund" && credited.contains(&row[1]) {
                "bill_reversed".clone_into(&mut row[4]);
            }
            row
        };
        let expected = movements(expected.map(|row| by_credit_notes(row.map(|it| alike(&it)))));
        let fields =
            ["billing_account", "at", "asset", "lot", "cause", "before", "amount", "after"];
        let rows = self.rows.list("entries", "all", &self.pipeline).unwrap();
        let found = rows.iter().map(|row| by_credit_notes(fields.map(|field| shown(&row[field]))));
        let found = movements(found);
        let named = |row: &[String; 8]| -> Row {
            let pairs = fields.iter().zip(row);
            pairs.map(|(field, text)| ((*field).to_owned(), Value::from(text.clone()))).collect()
        };
        let rows: Vec<Row> = found.iter().map(named).collect();
        self.compare_rows("entries", rows, fields, expected.into_iter());
    }

    /// Their numbers go up with the time of issue and leave none out; which of those of one instant has which the rules
    /// do not say, as ledgers ask for them side by side.
    fn compare_invoices(&mut self) {
        let invoices = self.book_keeper.invoices();
        let at = |micros: i64| Timestamp::from_micros(micros).to_string();
        let numbers =
            invoices.iter().map(|invoice| [invoice.number.clone(), at(invoice.issued_at)]);
        self.compare_lists("invoices", ["number", "issued_at"], numbers);
        let figures = invoices.into_iter().map(|invoice| {
            let kind = if invoice.is_credit_note { "credit_note" } else { "invoice" }.to_owned();
            let (from, until) = (at(invoice.from), at(invoice.until));
            let (net, tax, total) = (invoice.net, invoice.tax, invoice.total);
            [invoice.billing_account, kind, from, until, at(invoice.issued_at), net, tax, total]
        });
        let fields =
            ["billing_account", "type", "from", "until", "issued_at", "net", "tax", "total"];
        self.compare_lists("invoices", fields, figures);
    }

    fn compare_requests(&mut self) {
        let mut requests = Vec::new();
        for request in self.book_keeper.payment_requests() {
            for direction in ["asked", "to_pay"] {
                // Whom it goes to is an account, and each was opened with the billing account called after it.
                let payer = request.payer.trim_start_matches("ba-").to_owned();
                let requester = request.requester.clone();
                let (amount, status) = (request.amount.clone(), request.status.clone());
                let (request, direction) = (request.request.clone(), direction.to_owned());
                requests.push([request, requester, payer, amount, status, direction]);
            }
        }
        let fields = ["request", "requester", "payer", "amount", "status", "direction"];
        self.compare_lists("payment_requests", fields, requests.into_iter());
    }

    fn compare_remittances(&mut self) {
        let known = self.book_keeper.remittances().into_iter();
        let remittances = known.map(|(reference, amount, claimed)| {
            [reference, amount, if claimed { "claimed" } else { "unclaimed" }.to_owned()]
        });
        self.compare_lists("remittances", ["reference", "amount", "status"], remittances);
    }

    fn compare_benefits(&mut self, wallet: &str) {
        let benefits = self.book_keeper.benefits(wallet).into_iter();
        let fields = ["benefit", "covered", "drawn", "left"];
        self.compare_lists_of("benefits", wallet, fields, benefits);
    }

    fn compare_orders(&mut self, wallet: &str) {
        let orders = self.book_keeper.orders(wallet).into_iter().map(|order| {
            let renews_at = order.renews_at.map(|at| Timestamp::from_micros(at).to_string());
            [order.order, order.bill, order.amount, order.refunded, renews_at.unwrap_or_default()]
        });
        let fields = ["order", "bill", "amount", "refunded", "renews_at"];
        self.compare_lists_of("orders", wallet, fields, orders);
    }

    fn compare_bills(&mut self) {
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
    fn compare_payments(&mut self) {
        let payments = self.book_keeper.payments().into_iter().map(|payment| {
            let begun_at = Timestamp::from_micros(payment.at).to_string();
            let (cause, status) = (payment.cause, payment.status);
            [payment.billing_account, begun_at, cause, payment.method, payment.amount, status]
        });
        let fields = ["billing_account", "begun_at", "cause", "method", "amount", "status"];
        self.compare_lists("payments", fields, payments);
    }

    fn compare_lists<const N: usize>(
        &mut self,
        view: &str,
        fields: [&str; N],
        expected: impl Iterator<Item = [String; N]>,
    ) {
        self.compare_lists_of(view, "all", fields, expected);
    }

    fn compare_lists_of<const N: usize>(
        &mut self,
        view: &str,
        of: &str,
        fields: [&str; N],
        expected: impl Iterator<Item = [String; N]>,
    ) {
        let rows = self.rows.list(view, of, &self.pipeline).unwrap();
        self.compare_rows(&format!("{view} of {of}"), rows, fields, expected);
    }

    /// Lists hold the same rows, in whatever order.
    fn compare_rows<const N: usize>(
        &self,
        what: &str,
        rows: Vec<Row>,
        fields: [&str; N],
        expected: impl Iterator<Item = [String; N]>,
    ) {
        let found = rows.iter().map(|row| fields.map(|field| shown(&row[field])).join(" "));
        let expected = expected.map(|row| row.map(|text| alike(&text)).join(" "));
        let mut expected: Vec<String> = expected.collect();
        let (mut only_found, mut in_both) = (Vec::new(), Vec::new());
        for row in found {
            match expected.iter().position(|known| *known == row) {
                Some(place) => in_both.push(expected.swap_remove(place)),
                None => only_found.push(row),
            }
        }
        if let Some(row) = only_found.first().or(expected.first()) {
            // What both say of the same billing account helps to see why.
            let about = row.split(' ').next();
            in_both.retain(|known| known.split(' ').next() == about);
            self.same(&format!("{what} beside {in_both:#?}"), only_found, expected);
        }
    }
}

/// Entries of the same billing account, instant, asset, lot and cause that follow on each other, each as one.
fn movements(entries: impl Iterator<Item = [String; 8]>) -> Vec<[String; 8]> {
    let mut movements: Vec<[String; 8]> = Vec::new();
    for entry in entries {
        let of_lot = |known: &[String; 8]| known[0] == entry[0] && known[2..4] == entry[2..4];
        let last = movements.iter().rposition(of_lot).filter(|place| {
            let last = &movements[*place];
            last[..5] == entry[..5] && last[7] == entry[5]
        });
        match last {
            Some(place) => {
                let last = &mut movements[place];
                let read = |text: &str| text.parse::<Amount>().unwrap();
                last[6] = read(&last[6]).plus(read(&entry[6])).unwrap().to_string();
                last[7].clone_from(&entry[7]);
            }
            None => movements.push(entry),
        }
    }
    movements
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => alike(text),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Amounts as one of their texts.
pub(super) fn alike(text: &str) -> String {
    text.parse::<Amount>().map_or_else(|_| text.to_owned(), |amount| amount.to_string())
}
