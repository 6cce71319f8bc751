//! Lists straight from the log, for tests of what stands before them: every row of every topic, read
//! anew for each question.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use drawdown_console::{Coming, Format, List, Lists, NoList, Row, View, Wanted};
use drawdown_domain::money::Amount;
use drawdown_log::{Log, Next};
use drawdown_wire::messages::{
    Balances, Bills, Charges, Entries, Invoices, Mails, Notices, Outcomes, Payments, Rejects,
};
use drawdown_wire::schemas;
use drawdown_wire::topics::{Topic, Topics};
use serde_json::{Value, json};

#[derive(Debug)]
pub struct LogLists {
    pub log: Arc<dyn Log>,
    pub topics: Topics,
}

fn row<T: serde::Serialize>(row: &T) -> Row {
    match serde_json::to_value(row).unwrap() {
        Value::Object(row) => row,
        other => panic!("{other} is no row"),
    }
}

fn text(row: &Row, field: &str) -> String {
    match row.get(field) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn amount(row: &Row, field: &str) -> Amount {
    text(row, field).parse().unwrap_or_default()
}

impl LogLists {
    fn messages(&self, topic: Topic) -> Vec<Vec<u8>> {
        let name = self.topics.name(topic);
        let count = self.log.partitions().unwrap()[name];
        let mut messages = Vec::new();
        for partition in 0..count {
            let read =
                self.log.scan(name, partition, Next::START, Next(i64::MAX), &mut |message| {
                    messages.push(message.value.to_vec());
                    true
                });
            read.unwrap();
        }
        messages
    }

    fn all(&self, view: &str, topic: Topic) -> Vec<Row> {
        let messages = self.messages(topic);
        let mut rows = Vec::new();
        for message in &messages {
            match view {
                "balances" => {
                    let read: Balances = schemas::BALANCES.read(message).unwrap();
                    rows.extend(read.balances.iter().map(row));
                }
                "entries" | "money_by_month" => {
                    let read: Entries = schemas::ENTRIES.read(message).unwrap();
                    rows.extend(read.entries.iter().map(row));
                }
                "charges" | "spend_by_day" | "usage_by_day" => {
                    let read: Charges = schemas::CHARGES.read(message).unwrap();
                    rows.extend(read.rows().map(|charge| row(&charge)));
                }
                "bills" => {
                    let read: Bills = schemas::BILLS.read(message).unwrap();
                    rows.extend(read.issued.iter().map(row));
                    for payment in &read.payments {
                        let bill = rows.iter_mut().find(|row| text(row, "bill") == payment.bill);
                        let bill = bill.unwrap();
                        let paid = amount(bill, "paid").plus(payment.amount).unwrap();
                        bill.insert("paid".to_owned(), json!(paid));
                    }
                }
                "payments" => {
                    let read: Payments = schemas::PAYMENTS.read(message).unwrap();
                    rows.extend(read.payments.iter().map(row));
                }
                "notices" => {
                    let read: Notices = schemas::NOTICES.read(message).unwrap();
                    rows.extend(read.notices.iter().map(row));
                }
                "mail" => {
                    let read: Mails = schemas::MAILS.read(message).unwrap();
                    rows.extend(read.mails.iter().map(row));
                }
                "invoices" => {
                    let read: Invoices = schemas::INVOICES.read(message).unwrap();
                    rows.extend(read.invoices.iter().map(row));
                }
                "commands" => {
                    let read: Outcomes = schemas::OUTCOMES.read(message).unwrap();
                    rows.extend(read.outcomes.iter().map(row));
                }
                "rejects" => {
                    let read: Rejects = schemas::REJECTS.read(message).unwrap();
                    rows.extend(read.rejects.iter().map(row));
                }
                other => panic!("{other} is not read here"),
            }
        }
        match view {
            "balances" => latest(rows, "billing_account"),
            "payments" => latest(rows, "payment"),
            "bills" => rows.into_iter().map(with_status).collect(),
            "money_by_month" => months(&rows),
            "spend_by_day" => days(&rows),
            "usage_by_day" => together(&days(&rows)),
            _ => rows,
        }
    }
}

fn latest(rows: Vec<Row>, key: &str) -> Vec<Row> {
    rows.into_iter()
        .map(|row| (text(&row, key), row))
        .collect::<BTreeMap<_, _>>()
        .into_values()
        .collect()
}

fn with_status(mut bill: Row) -> Row {
    let (owed, paid) = (amount(&bill, "amount"), amount(&bill, "paid"));
    let status = if paid >= owed {
        "paid"
    } else if paid.is_positive() {
        "partly_paid"
    } else {
        "unpaid"
    };
    bill.insert("paid".to_owned(), json!(paid));
    bill.insert("status".to_owned(), status.into());
    bill
}

fn months(entries: &[Row]) -> Vec<Row> {
    let mut months: BTreeMap<(String, String), (Amount, Amount)> = BTreeMap::new();
    for entry in entries {
        let key = (text(entry, "billing_account"), text(entry, "at")[..7].to_owned());
        let (money_in, money_out) = months.entry(key).or_default();
        let moved = amount(entry, "amount");
        let sum = if moved.is_negative() { money_out } else { money_in };
        *sum = sum.plus(moved).unwrap();
    }
    let rows = months.into_iter().map(|((billing_account, month), (money_in, money_out))| {
        row(&json!({ "billing_account": billing_account, "month": month, "money_in": money_in,
            "money_out": money_out }))
    });
    rows.collect()
}

fn days(charges: &[Row]) -> Vec<Row> {
    let mut days: BTreeMap<(String, String), (Amount, u64)> = BTreeMap::new();
    for charge in charges {
        let key = (text(charge, "billing_account"), text(charge, "used")[..10].to_owned());
        let day = days.entry(key).or_default();
        day.0 = day.0.plus(amount(charge, "charge")).unwrap();
        day.1 += charge["records"].as_u64().unwrap();
    }
    let rows = days.into_iter().map(|((billing_account, day), (charge, records))| {
        row(&json!({ "billing_account": billing_account, "day": day, "charge": charge, "records": records }))
    });
    rows.collect()
}

fn together(days: &[Row]) -> Vec<Row> {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for day in days {
        *all.entry(text(day, "day")).or_default() += day["records"].as_u64().unwrap();
    }
    let rows =
        all.into_iter().map(|(day, records)| row(&json!({ "day": day, "records": records })));
    rows.collect()
}

/// Values of the fields that order a list, comparable: numbers as numbers.
fn key(list: &List, row: &Row) -> Vec<(Amount, String)> {
    let key = list.order.iter().map(|field| comparable(&text(row, field)));
    key.collect()
}

fn comparable(text: &str) -> (Amount, String) {
    text.parse().map_or_else(|_| (Amount::ZERO, text.to_owned()), |number| (number, String::new()))
}

impl Lists for LogLists {
    fn rows<'a>(
        &'a self,
        view: &'a View,
        list: &'a List,
        wanted: &'a Wanted,
    ) -> Coming<'a, Vec<Row>> {
        Box::pin(async move {
            let mut rows = self.all(view.name, list.topic);
            let record = (view.record)();
            for (field, value) in &wanted.filters {
                if !record.fields.iter().any(|known| known.name == field) {
                    return Err(NoList::Malformed(format!("{} has no field {field}", view.name)));
                }
                rows.retain(|row| text(row, field) == *value);
            }
            rows.sort_by_key(|row| key(list, row));
            if list.descending {
                rows.reverse();
            }
            if let Some(after) = &wanted.after {
                let after: Vec<_> = after.iter().map(|text| comparable(text)).collect();
                rows.retain(|row| {
                    (key(list, row) < after) == list.descending && key(list, row) != after
                });
            }
            rows.truncate(wanted.rows_max);
            Ok(rows)
        })
    }

    fn export<'a>(
        &'a self,
        view: &'a View,
        list: &'a List,
        wanted: &'a Wanted,
        _format: Format,
    ) -> Coming<'a, Body> {
        Box::pin(async move {
            let rows = self.rows(view, list, wanted).await?;
            let mut lines = format!("{}\n", list.order.join(","));
            for row in rows {
                let values: Vec<String> =
                    list.order.iter().map(|field| text(&row, field)).collect();
                lines.push_str(&format!("{}\n", values.join(",")));
            }
            Ok(Body::from(lines))
        })
    }
}
