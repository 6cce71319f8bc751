//! The worked cases in `tests/scenarios`, as far as the book-keeper has their commands and views.

#![allow(clippy::unwrap_used)]

mod common;
use bookkeeper::{BookKeeper, Line, Usage, Verdict};
use common::at;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The files whose every command that matters to money is understood here.
const FILES: [&str; 95] = [
    "r13-1-spend",
    "r11-1-keys",
    "r11-5-idempotency",
    "r5-7-latest-bill-first",
    "r11-1-roles",
    "r11-2-isolated-spend",
    "r11-2-standing",
    "r11-2-what-counts",
    "r11-4-audit-trail",
    "r12-2-credit-notes",
    "r12-4-tax-ids",
    "r4-6-membership",
    "r9-7-sharing",
    "across-enterprises",
    "contract-example",
    "r1-2-rounding-never-drifts",
    "r1-3-the-books-balance",
    "r10-1-requests",
    "r10-2-balance-pays",
    "r10-2-method-pays",
    "r10-4-paid-once",
    "r11-3-recharge-freeze",
    "r12-1-half-months",
    "r12-2-numbers",
    "r12-3-lines",
    "r12-4-tax",
    "r12-5-tax-is-billed",
    "r2-2-duplicates-are-dropped",
    "r2-3-rejects",
    "r2-4-grace",
    "r2-4-late-and-early-usage",
    "r2-5-after-the-bill",
    "r2-5-after-the-invoice",
    "r2-5-aggregates",
    "r2-5-price-models",
    "r2-5-taken-back",
    "r3-2-price-functions",
    "r3-2-volume-can-cost-less",
    "r3-3-count",
    "r3-3-last",
    "r3-3-max",
    "r3-3-unique",
    "r3-4-graduated",
    "r3-4-package",
    "r3-4-volume",
    "r3-5-months-and-cycles-are-local",
    "r3-6-bills-before-expiries",
    "r4-2-unsettled-by-month",
    "r4-3-available-credit",
    "r4-3-ecosystem",
    "r4-4-entries",
    "r4-5-deregistered",
    "r4-5-frozen",
    "r4-5-month-end-while-frozen",
    "r5-2-coupons",
    "r5-2-coupons-count-by-time-of-use",
    "r5-3-order-of-assets",
    "r5-3-write-off-runs-when-money-arrives",
    "r5-4-write-off-switch",
    "r5-5-credit-refund",
    "r5-6-settle-enterprise",
    "r5-7-bills-in-flight",
    "r5-8-order-by-method",
    "r5-8-plan-renews",
    "r6-1-threshold",
    "r6-2-month-end",
    "r6-4-unknown-outcome",
    "r6-5-declined",
    "r6-6-pay-by-hand",
    "r6-7-automatic-recharge",
    "r6-7-recharge-fails",
    "r7-1-top-ups",
    "r7-2-test-top-ups",
    "r7-3-remittances",
    "r7-4-authentication-at-a-charge",
    "r7-4-payment-methods",
    "r7-5-cool-down",
    "r7-6-paypal-first-use",
    "r7-7-withdraw",
    "r8-1-overdue-refuses",
    "r8-3-delayed-suspension",
    "r8-5-low-balance",
    "r8-6-runway",
    "r8-8-near-due",
    "r9-1-bad-debt",
    "r9-2-revocation",
    "r9-3-credit-limit",
    "r9-4-payer",
    "r9-5-administrators",
    "r9-7-a-hundred-accounts",
    "r9-7-shared-coupons",
    "r9-8-reserved-instance",
    "r9-8-savings-plan",
    "r9-8-storage-package",
    "r9-8-taken-back",
];

fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(file);
    let text = std::fs::read_to_string(path.with_extension("toml")).unwrap();
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

fn to_toml(value: &Value) -> toml::Table {
    toml::Table::try_from(value).unwrap()
}

/// What owners are told that the book-keeper tells, too.
const KINDS: [&str; 21] = [
    "spend_cap",
    "credit_limit",
    "payment_request_approved",
    "payment_request_cancelled",
    "payment_request_expired",
    "payment_request_failed",
    "payment_request_new",
    "payment_request_paid",
    "payment_request_rejected",
    "low_balance",
    "near_due",
    "overdue",
    "recovered",
    "resumed",
    "runway",
    "suspended",
    "authentication_required",
    "payment_failed",
    "payment_succeeded",
    "recharge_failed",
    "test_top_up_failed",
];

/// Numbers that look alike are the same, and so are instants.
fn is_same(found: &Value, expected: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (found, expected) = (text(found), text(expected));
    let plain = |text: &str| match text.split_once('.') {
        Some((whole, places))
            if !places.is_empty() && places.bytes().all(|b| b.is_ascii_digit()) =>
        {
            format!("{whole}.{places}").trim_end_matches('0').trim_end_matches('.').to_string()
        }
        _ => text.to_string(),
    };
    let instant = |text: &str| text.parse::<jiff::Timestamp>().ok();
    expected == "*"
        || plain(&found) == plain(&expected)
        || instant(&found).is_some() && instant(&found) == instant(&expected)
}

struct Run {
    keeper: BookKeeper,
    compared: usize,
    /// There are several recipients, so that mails are not counted.
    several: bool,
}

impl Run {
    fn step(&mut self, step: &Map<String, Value>) {
        let text = |name: &str| step.get(name).and_then(Value::as_str);
        self.several |= step.contains_key("recipients");
        let now = at(text("at").unwrap());
        if let Some(usage) = step.get("usage") {
            let verdict = self.keeper.usage(now, &record(now, usage));
            match text("rejected") {
                Some(reason) => assert!(
                    matches!(verdict, Verdict::Rejected(found) if found == reason),
                    "{verdict:?}"
                ),
                None => assert!(!matches!(verdict, Verdict::Rejected(_)), "{verdict:?}"),
            }
        } else if let Some(gateway) = step.get("gateway") {
            assert_eq!(gateway["payment"], "last");
            let last = self.keeper.payments().len() - 1;
            self.keeper.gateway(now, last, gateway["says"] == "succeeded");
        } else if let Some(name) = text("do") {
            let refused = text("refused");
            if name == "wait" {
                return self.keeper.pass(now);
            }
            let mut fields = step.clone();
            for other in ["at", "do", "by", "refused"] {
                fields.remove(other);
            }
            let key = fields.remove("idempotency_key");
            let key = key.as_ref().and_then(Value::as_str);
            let by = text("by").unwrap_or("operator");
            let found = self.keeper.command(now, by, key, name, &Value::Object(fields));
            match refused {
                _ if found == Err("not_supported".to_string()) => {}
                None => assert_eq!(found, Ok(())),
                Some("*") => assert!(found.is_err()),
                Some(code) => assert_eq!(found, Err(code.to_string())),
            }
        } else {
            self.keeper.pass(now);
            self.expect(step);
        }
        assert_eq!(self.keeper.check(), Ok(()));
    }

    fn expect(&mut self, step: &Map<String, Value>) {
        let (view, of) = (step["expect"].as_str().unwrap(), step["of"].as_str().unwrap());
        if view == "account" {
            return self.expect_allocation(step, of);
        }
        let figures = match view {
            "balance" => self.keeper.balance(of),
            "due" => self.keeper.due(of),
            "payment_requests" => {
                let mut all = self.keeper.payment_requests().into_iter();
                all.rfind(|request| request.request == of).map(|request| {
                    let shown = [("status", request.status), ("in_flight", request.in_flight)];
                    shown.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
                })
            }
            "service" => self.keeper.service(of).map(|(state, since)| {
                let since = jiff::Timestamp::from_microsecond(since).unwrap().to_string();
                BTreeMap::from([("state".to_string(), state), ("since".to_string(), since)])
            }),
            "runway" => self.keeper.runway(of).map(|(burn, days, at)| {
                let at = at.map(|at| jiff::Timestamp::from_microsecond(at).unwrap().to_string());
                let shown = [("burn_per_day", Some(burn)), ("days_left", days), ("empty_on", at)];
                let known = shown.into_iter().filter_map(|(name, value)| Some((name, value?)));
                known.map(|(name, value)| (name.to_string(), value)).collect()
            }),
            "enterprise" => self.keeper.recharge_frozen(of).map(|frozen| {
                BTreeMap::from([("recharge_frozen".to_string(), frozen.to_string())])
            }),
            _ => None,
        };
        if let Some(figures) = figures {
            for (name, expected) in step {
                if let Some(found) = figures.get(name) {
                    assert!(is_same(&json!(found), expected), "{name} is {found}");
                    self.compared += 1;
                }
            }
            return;
        }
        let kind = step.get("where").and_then(|fields| fields["kind"].as_str());
        if kind.is_some_and(|kind| !KINDS.contains(&kind)) || view == "mail" && self.several {
            return;
        }
        let Some(rows) = self.rows(view, of) else { return };
        let matches = |row: &Value, fields: &Value| {
            let known = |(name, _): &(&String, &Value)| row.get(name.as_str()).is_some();
            fields
                .as_object()
                .unwrap()
                .iter()
                .filter(known)
                .all(|(name, value)| agree(&row[name], value))
        };
        let chosen: Vec<Value> = rows
            .into_iter()
            .filter(|row| step.get("where").is_none_or(|fields| matches(row, fields)))
            .collect();
        if let Some(count) = step.get("count").and_then(Value::as_u64) {
            assert_eq!(chosen.len() as u64, count, "{chosen:?}");
            self.compared += 1;
        }
        if let Some(last) = step.get("last") {
            assert!(chosen.last().is_some_and(|row| matches(row, last)), "{chosen:?}");
            self.compared += 1;
        }
    }

    /// What an account may spend (R11.2). Other fields of the view are not known here.
    fn expect_allocation(&mut self, step: &Map<String, Value>, of: &str) {
        let Some(expected) = step.get("allocation") else { return };
        let found = json!(self.keeper.allocation(of).unwrap_or_default());
        assert!(agree(&found, expected), "the allocation is {found}");
        self.compared += 1;
    }

    /// The rows of a list view, with the fields that are known here.
    fn rows(&self, view: &str, of: &str) -> Option<Vec<Value>> {
        let mine = |billing_account: &str| billing_account == of;
        let rows = match view {
            "payments" => {
                let all = self.keeper.payments().into_iter();
                all.filter(|row| mine(&row.billing_account))
                    .map(|row| {
                        json!({
                            "cause": row.cause, "amount": row.amount, "status": row.status, "method": row.method,
                            "currency": row.currency,
                        })
                    })
                    .collect()
            }
            "bills" => {
                let all = self.keeper.bills().into_iter();
                all.filter(|row| mine(&row.billing_account))
                    .map(|row| {
                        json!({
                            "bill": row.bill, "account": row.account, "amount": row.amount, "paid": row.paid,
                            "month": row.month, "product": row.product,
                            "cycle_end": jiff::Timestamp::from_microsecond(row.cycle_end).unwrap().to_string(),
                            "status": status(&row.amount, &row.paid),
                        })
                    })
                    .collect()
            }
            "entries" => {
                let all = self.keeper.entries().into_iter();
                all.filter(|row| mine(&row.billing_account))
                    .map(|row| {
                        json!({
                            "amount": row.amount, "after": row.after, "asset": row.asset, "lot": row.lot,
                            "remark": row.remark,
                            "cause": row.cause,
                        })
                    })
                    .collect()
            }
            "orders" => {
                let all = self.keeper.orders(of).into_iter();
                all.map(|row| {
                    let at = row.renews_at;
                    let at =
                        at.map(|at| jiff::Timestamp::from_microsecond(at).unwrap().to_string());
                    json!({
                        "order": row.order, "bill": row.bill, "amount": row.amount,
                        "refunded": row.refunded, "renews_at": at.unwrap_or_default(),
                    })
                })
                .collect()
            }
            "payment_methods" => {
                let all = self.keeper.payment_methods(of).into_iter();
                all.map(|(method, state, preferred)| {
                    json!({ "method": method, "state": state, "preferred": preferred })
                })
                .collect()
            }
            "coupons" => {
                let all = self.keeper.coupons(of).into_iter();
                all.map(|(coupon, left)| json!({ "coupon": coupon, "left": left })).collect()
            }
            "benefits" => {
                let all = self.keeper.benefits(of).into_iter();
                all.map(|[benefit, covered, drawn, left]| {
                    json!({ "benefit": benefit, "covered": covered, "drawn": drawn, "left": left })
                })
                .collect()
            }
            "invoices" => {
                let all = self.keeper.invoices().into_iter();
                all.filter(|row| mine(&row.billing_account) || of == "all")
                    .map(|row| {
                        let kind = if row.is_credit_note { "credit_note" } else { "invoice" };
                        json!({
                            "number": row.number, "net": row.net, "tax": row.tax, "total": row.total,
                            "type": kind, "tax_rate": row.tax_rate, "tax_note": row.tax_note,
                            "corrects": row.corrects, "reason": row.reason,
                            "lines": row.lines.iter().map(line).collect::<Vec<_>>(),
                        })
                    })
                    .collect()
            }
            // One message for each notice, and one mail where there is one recipient.
            "mail" | "messages" => {
                let all = self.keeper.notices().into_iter();
                all.filter(|row| mine(&row.billing_account))
                    .map(|row| json!({ "kind": row.kind }))
                    .collect()
            }
            _ => return None,
        };
        Some(rows)
    }
}

/// What is expected of a value, as far as its fields are known here.
fn agree(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| agree(found, expected))
        }
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .filter_map(|(name, expected)| Some((found.get(name)?, expected)))
            .all(|(found, expected)| agree(found, expected)),
        _ => is_same(found, expected),
    }
}

fn line(line: &Line) -> Value {
    json!({
        "kind": line.kind, "account": line.account, "product": line.product, "meter": line.meter,
        "region": line.region, "tier": line.tier, "order": line.order, "quantity": line.quantity,
        "amount": line.amount,
    })
}

fn status(amount: &str, paid: &str) -> &'static str {
    match paid {
        paid if paid == amount => "paid",
        "0" => "unpaid",
        _ => "partly_paid",
    }
}

fn record(now: i64, usage: &Value) -> Usage {
    let text = |name: &str| usage.get(name).and_then(Value::as_str).map(str::to_string);
    Usage {
        source: text("source").unwrap(),
        id: text("id").unwrap(),
        account: text("account").unwrap(),
        product: text("product").unwrap(),
        meter: text("meter").unwrap(),
        quantity: text("quantity").unwrap(),
        time: text("time").map_or(now, |time| at(&time)),
        region: text("region"),
        unit: text("unit"),
        tags: usage.get("tags").map_or_else(BTreeMap::new, |tags| {
            let text = |value: &Value| value.as_str().unwrap().to_string();
            tags.as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect()
        }),
    }
}

fn play(file: &str) -> Result<usize, String> {
    let scenario = read(file);
    let settings = scenario.get("settings").cloned().unwrap_or(json!({}));
    let prices = json!({ "price": scenario.get("price").cloned().unwrap_or(json!([])) });
    let keeper = BookKeeper::new(&to_toml(&settings).to_string(), &to_toml(&prices).to_string());
    let mut run = Run { keeper: keeper.unwrap(), compared: 0, several: false };
    for (number, step) in scenario["step"].as_array().unwrap().iter().enumerate() {
        let step_of_run = || run.step(step.as_object().unwrap());
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(step_of_run)).is_err() {
            return Err(format!("{file}, step {}: {step}", number + 1));
        }
    }
    Ok(run.compared)
}

#[test]
fn the_worked_cases_come_out() {
    let mut failed = Vec::new();
    let mut compared = 0;
    for file in FILES {
        match play(file) {
            Ok(more) => compared += more,
            Err(step) => failed.push(step),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(compared > 500, "{compared} expectations are compared only");
}
