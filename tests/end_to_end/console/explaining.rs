//! Where amounts come from (R13.4), on the real engine: worked cases are rehearsed, their log fills ClickHouse, and
//! whatever stands in the lists is explained.

use std::path::Path;

use drawdown::rehearse::{Stage, rehearse};
use drawdown_domain::money::Amount;
use drawdown_runtime::clock::Clock;
use serde_json::{Value, json};

use super::rig::Rig;

/// What a scenario leaves behind.
pub fn rehearsed(name: &str) -> Rig {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(name);
    let stage = Stage::memory().unwrap();
    let report = rehearse(&file, &stage).unwrap();
    assert!(report.failures.is_empty(), "{name}: {:?}", report.failures);
    // Later than anything that happens in a scenario; nothing is decided by it.
    Rig::over(&stage, Clock::manual("2030-01-01T00:00:00Z".parse().unwrap()))
}

fn explained(rig: &Rig, id: &str) -> Value {
    let answer = rig.client.get(&format!("/v1/explain/{id}?records=1000"));
    assert_eq!(answer.status, 200, "{id}: {}", answer.body);
    answer.json()
}

fn amount(value: &Value) -> Amount {
    value.as_str().unwrap_or_else(|| panic!("{value} is no amount")).parse().unwrap()
}

fn parts<'a>(node: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let parts = node["parts"].as_array().into_iter().flatten();
    parts.filter(move |part| part["kind"] == kind)
}

/// Adds up again what the console says that adds up; how many sums that were.
fn add_up(node: &Value) -> usize {
    let below = node["parts"].as_array().into_iter().flatten();
    let all = below.clone().chain(node["beside"].as_array().into_iter().flatten());
    let mut sums: usize = all.map(add_up).sum();
    if node["kind"] == "usage" && node["left_off"].is_null() && node["records"] != 0 {
        let quantities = below.clone().map(|part| amount(&part["quantity"]));
        assert_eq!(Amount::sum(quantities).unwrap(), amount(&node["quantity"]), "R13.4: {node}");
        assert_eq!(below.clone().count() as u64, node["records"].as_u64().unwrap(), "{node}");
        sums += 1;
    }
    if node["kind"] == "charges" {
        let usage = parts(node, "usage").next().unwrap();
        if usage["adds_up"] == true {
            assert_eq!(usage["records"], node["records"], "R13.4: {node}");
        }
    }
    if node["adds_up"] == true && !node["parts_come_to"].is_null() {
        let amounts = below.filter(|part| !part["amount"].is_null());
        let amounts = amounts.map(|part| amount(&part["amount"]));
        assert_eq!(Amount::sum(amounts).unwrap(), amount(&node["amount"]), "R13.4: {node}");
        sums += 1;
    }
    sums
}

/// R13.4: the three cycles of 0.004 whose bills are 0.00, 0.01 and 0.00 (R1.2).
#[test]
fn r13_4_a_bill_leads_back_to_its_usage_records() {
    let rig = rehearsed("r1-2-rounding-never-drifts.toml");
    for (bill, record, billed, so_far, before, rounding) in [
        ("ba-acme.1", "u1", "0", "0.004", "0", "-0.004"),
        ("ba-acme.2", "u2", "0.01", "0.008", "0", "0.006"),
        ("ba-acme.3", "u3", "0", "0.012", "0.01", "-0.004"),
    ] {
        let answer = explained(&rig, bill);
        let node = &answer["explained"];
        assert_eq!(answer["sums_wrong"], 0, "{answer}");
        assert_eq!((&node["amount"], &node["adds_up"]), (&json!(billed), &json!(true)), "{node}");
        let charges: Vec<&Value> = parts(node, "charges").collect();
        assert_eq!(charges.len(), 1, "{node}");
        assert_eq!(
            (&charges[0]["amount"], &charges[0]["quantity"]),
            (&json!("0.004"), &json!("1"))
        );
        assert_eq!(charges[0]["facts"]["price"], "0.004 each", "{node}");
        let usage = parts(charges[0], "usage").next().unwrap();
        assert_eq!((&usage["records"], &usage["adds_up"]), (&json!(1), &json!(true)), "{usage}");
        assert_eq!(usage["parts"][0]["facts"]["id"], record);
        let rounded = parts(node, "rounding").next().unwrap();
        assert_eq!(rounded["amount"], rounding, "R1.2: {rounded}");
        let facts = &rounded["facts"];
        let figures = (&facts["exact_so_far"], &facts["billed_before"]);
        assert_eq!(figures, (&json!(so_far), &json!(before)), "R1.2");
        assert!(add_up(node) >= 2, "{node}");
    }
    // No more records are listed than are asked for, and all are counted.
    let none = rig.client.get("/v1/explain/ba-acme.2?records=0").json();
    let usage = &none["explained"]["parts"][0]["parts"][0];
    assert_eq!((&usage["records"], &usage["left_off"]), (&json!(1), &json!(1)), "{usage}");

    // What somebody takes away or changes in ClickHouse is noticed.
    rig.sql("ALTER TABLE usage DELETE WHERE id = 'u2' SETTINGS mutations_sync = 1");
    let short = explained(&rig, "ba-acme.2");
    assert_eq!(short["sums_wrong"], 1, "{short}");
    let usage = &short["explained"]["parts"][0]["parts"][0];
    assert_eq!(usage["adds_up"], false, "{usage}");
    assert!(
        usage["notes"].to_string().contains("charged: 1 record with a quantity of 1;"),
        "{usage}"
    );
    rig.sql("TRUNCATE TABLE usage");
    let gone = explained(&rig, "ba-acme.2");
    assert_eq!(gone["sums_wrong"], 0, "{gone}");
    let usage = &gone["explained"]["parts"][0]["parts"][0];
    assert_eq!(usage["adds_up"], Value::Null, "{usage}");
    assert!(usage["notes"].to_string().contains("no usage is kept in ClickHouse"), "{usage}");
    rig.sql("ALTER TABLE charges UPDATE charge = 0.02 WHERE cycle_end = '2026-03-01 02:00:00' SETTINGS mutations_sync = 1");
    let wrong = explained(&rig, "ba-acme.2");
    assert_eq!(wrong["explained"]["adds_up"], false, "{wrong}");
    rig.sql("TRUNCATE TABLE charges");
    let gone = explained(&rig, "ba-acme.2");
    assert_eq!(gone["explained"]["adds_up"], Value::Null, "{gone}");
    assert!(gone["explained"]["notes"].to_string().contains("not kept in ClickHouse"), "{gone}");
}

/// Worked cases with everything that becomes an amount.
const CASES: [&str; 19] = [
    "contract-example.toml",
    "r2-4-late-and-early-usage.toml",
    "r2-5-after-the-bill.toml",
    "r2-5-after-the-invoice.toml",
    "r2-5-taken-back.toml",
    "r3-3-max.toml",
    "r3-3-unique.toml",
    "r3-4-package.toml",
    "r5-2-coupons.toml",
    "r5-3-order-of-assets.toml",
    "r5-8-plan-renews.toml",
    "r6-1-threshold.toml",
    "r6-6-pay-by-hand.toml",
    "r9-2-revocation.toml",
    "r9-8-storage-package.toml",
    "r12-2-credit-notes.toml",
    "r12-3-lines.toml",
    "r12-3-tiers.toml",
    "r12-5-tax-is-billed.toml",
];

/// R13.4: every entry, bill, payment and invoice of worked cases is explained, and every sum comes out.
#[test]
fn r13_4_every_amount_of_worked_cases_adds_up() {
    let (mut wrong, mut sums, mut counts) = (String::new(), 0, [0usize; 4]);
    for case in CASES {
        let rig = rehearsed(case);
        for (place, view) in ["entries", "bills", "payments", "invoices"].iter().enumerate() {
            let rows = rig.client.get(&format!("/v1/show/{view}?limit=1000")).json();
            for row in rows["rows"].as_array().unwrap() {
                let id = match *view {
                    "entries" => {
                        format!("{}.e{}", row["billing_account"].as_str().unwrap(), row["number"])
                    }
                    "bills" => row["bill"].as_str().unwrap().to_owned(),
                    "payments" => row["payment"].as_str().unwrap().to_owned(),
                    _ => row["number"].as_str().unwrap().to_owned(),
                };
                let answer = explained(&rig, &id);
                counts[place] += 1;
                sums += add_up(&answer["explained"]);
                if answer["sums_wrong"] != 0 {
                    wrong.push_str(&format!("{case} {id}: {answer:#}\n"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "R13.4:\n{wrong}");
    println!("{counts:?} entries, bills, payments and invoices, {sums} sums");
    assert!(counts.iter().all(|count| *count > 3) && sums > 200, "{counts:?} {sums}");
}

/// R13.4, R12.3: an invoice line leads back to the charges that it holds, late ones apart.
#[test]
fn r13_4_an_invoice_line_leads_back_to_its_charges() {
    let rig = rehearsed("r12-3-lines.toml");
    let rows = rig.client.get("/v1/show/invoices/ba-acme").json();
    let first = rows["rows"].as_array().unwrap().last().unwrap()["number"].as_str().unwrap();
    let answer = explained(&rig, first);
    let node = &answer["explained"];
    assert_eq!((&answer["sums_wrong"], &node["amount"]), (&json!(0), &json!("23.02")), "{answer}");
    let line = |what: &str| {
        let found = parts(node, "line").find(|line| line["what"] == what);
        found.unwrap_or_else(|| panic!("no line {what}: {node:#}"))
    };
    let ids = |line: &Value| {
        let charges = parts(line, "charges").flat_map(|charges| parts(charges, "usage"));
        let records = charges.flat_map(|usage| parts(usage, "record"));
        let ids = records.map(|record| record["facts"]["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(line("usage acme compute hours")), ["u1", "u4"]);
    assert_eq!(ids(line("usage acme compute hours eu")), ["u3"]);
    assert_eq!(ids(line("adjustment acme compute hours")), ["u5"], "R2.4");
    assert_eq!(ids(line("usage lab storage gigabytes")), ["l1"]);
    let hours = line("usage acme compute hours");
    assert_eq!(parts(hours, "charges").next().unwrap()["amount"], "0.012", "{hours}");
    assert_eq!(parts(hours, "rounding").next().unwrap()["amount"], "-0.002", "{hours}");
    let coupons = line("coupons");
    assert_eq!(parts(coupons, "coupon").next().unwrap()["name"], "spring", "{coupons}");
    assert_eq!(coupons["adds_up"], true, "{coupons}");
    let bills = &node["beside"][0];
    assert_eq!((&bills["amount"], &bills["adds_up"]), (&json!("28.02"), &json!(true)), "{bills}");
}

/// R13.4, R12.5: beside an invoice stands the bill over its tax, and beside that the invoice.
#[test]
fn r13_4_an_invoice_names_the_bill_over_its_tax() {
    let rig = rehearsed("r12-5-tax-is-billed.toml");
    let rows = rig.client.get("/v1/show/invoices?limit=1000").json();
    let mut taxed = 0;
    for row in rows["rows"].as_array().unwrap().iter().filter(|row| row["tax"] != "0") {
        let number = row["number"].as_str().unwrap();
        let answer = explained(&rig, number);
        let beside = answer["explained"]["beside"].as_array().unwrap();
        let what = json!(format!("the tax of invoice {number}"));
        let bill = beside.iter().find(|node| node["kind"] == "bill" && node["what"] == what);
        let bill = bill.unwrap_or_else(|| panic!("no bill over the tax: {answer:#}"));
        assert_eq!(bill["amount"], row["tax"], "{bill:#}");
        let back = explained(&rig, bill["name"].as_str().unwrap());
        let beside = back["explained"]["beside"].as_array().unwrap();
        assert!(beside.iter().any(|node| node["name"] == number), "{back:#}");
        taxed += 1;
    }
    assert!(taxed > 0, "{rows:#}");
}

/// R13.4, R12.3: charges do not say their tier, so the lines of a price's tiers are explained together.
#[test]
fn r13_4_lines_by_tier_lead_back_to_the_charges_that_they_share() {
    let rig = rehearsed("r12-3-tiers.toml");
    let check = |number: &str, what: &str, amount: &str, rounding: Option<&str>, tiers: &[&str]| {
        let answer = explained(&rig, number);
        assert_eq!(answer["sums_wrong"], 0, "{answer:#}");
        let mut lines = parts(&answer["explained"], "line");
        let line = lines.find(|line| line["what"] == what);
        let line = line.unwrap_or_else(|| panic!("no line {what}: {answer:#}"));
        assert_eq!((&line["amount"], &line["adds_up"]), (&json!(amount), &json!(true)), "{line:#}");
        let found = parts(line, "rounding").next().map(|rounding| &rounding["amount"]);
        assert_eq!(found, rounding.map(|text| json!(text)).as_ref(), "{line:#}");
        let beside = line["beside"].as_array().into_iter().flatten();
        let beside = beside.filter(|part| part["kind"] == "line");
        let beside: Vec<String> = beside
            .map(|tier| {
                format!("{}: {} of {}", tier["facts"]["tier"], tier["amount"], tier["quantity"])
            })
            .map(|text| text.replace('"', ""))
            .collect();
        assert_eq!(beside, tiers, "{line:#}");
    };
    let (first, second) = ("SG-2026-000001", "SG-2026-000002");
    check(first, "usage acme compute hours", "8.03", None, &["1: 0.03 of 10", "2: 8 of 30"]);
    check(first, "usage acme compute hours eu", "5.23", None, &["1: 0.03 of 10", "2: 5.2 of 2"]);
    check(first, "adjustment acme compute hours tier 2", "2", None, &[]);
    check(first, "usage acme storage gigabytes", "15", None, &[]);
    // 0.505 and -0.505, each rounded.
    let tiers = &["2: 4 of 40", "3: 0.51 of 10.1"];
    check(second, "usage acme compute hours", "4.51", Some("0.005"), tiers);
    let tiers = &["2: -1.29 of -12.9", "3: -0.51 of -10.1"];
    check(second, "adjustment acme compute hours", "-1.8", Some("-0.005"), tiers);

    // Two lines are a cent away from their charges at most: what is changed in ClickHouse beyond that is noticed.
    rig.sql("ALTER TABLE charges UPDATE charge = charge + 0.006 WHERE used = '2026-03-20 10:00:00' AND region IS NULL SETTINGS mutations_sync = 1");
    check(
        second,
        "usage acme compute hours",
        "4.51",
        Some("-0.001"),
        &["2: 4 of 40", "3: 0.51 of 10.1"],
    );
    rig.sql("ALTER TABLE charges UPDATE charge = charge + 0.01 WHERE used = '2026-03-20 10:00:00' AND region IS NULL SETTINGS mutations_sync = 1");
    let wrong = explained(&rig, second);
    assert!(wrong["sums_wrong"].as_u64().unwrap() > 0, "{wrong:#}");
}

#[test]
fn what_cannot_be_explained_is_refused_by_name() {
    let rig = Rig::new();
    rig.priced();
    rig.opened("acme", "100.00");
    rig.opened("other", "50.00");
    for (principal, role) in [("books", "finance_admin"), ("eyes", "billing_viewer")] {
        rig.done(
            "grant_role",
            &json!({ "principal": principal, "role": role, "scope": "ba-acme" }),
        );
    }
    rig.await_lists();
    let check = |who: &str, id: &str, status: u16, says: &str| {
        let key = format!("Bearer {who}");
        let path = format!("/v1/explain/{id}");
        let answer = rig.client.send("GET", &path, &[("authorization", key.as_str())], b"");
        assert_eq!(answer.status, status, "{who} {id}: {}", answer.body);
        assert!(answer.body.contains(says), "{who} {id}: {}", answer.body);
    };
    check("nobody", "ba-acme.e1", 401, "not_authenticated");
    check("demo", "ba-acme.e1?records=1001", 400, "records is a number up to 1000");
    check("demo", "ba-acme.e1?limit=5", 400, "takes records, and no limit");
    for unknown in ["ba-acme", "17", "ba-acme.x1", "ba-acme.07"] {
        check(
            "demo",
            unknown,
            404,
            "a bill looks like ba-acme.7, entry 17 of ba-acme is ba-acme.e17",
        );
    }
    for missing in ["ba-acme.99", "ba-acme.e99", "ba-acme.p99", "ba-nobody.1", "SG-2026-000099"] {
        check("demo", missing, 404, &format!("is called {missing};"));
        // Whether there is one is nobody else's business.
        check("other-key", missing, 403, "not_permitted");
    }
    // R11.1: who may see the rows may see how they came about.
    for (who, status) in
        [("acme-key", 200), ("books-key", 200), ("eyes-key", 200), ("other-key", 403)]
    {
        check(who, "ba-acme.e1", status, "");
    }
    check("eyes-key", "ba-acme.p1", 403, "not_permitted");
    check("books-key", "ba-acme.p1", 404, "is called ba-acme.p1;");
    // What else was decided at an instant is the operator's to see.
    check("demo", "ba-acme.e1", 200, "top_up, command ");
    let seen = rig.client.send(
        "GET",
        "/v1/explain/ba-acme.e1",
        &[("authorization", "Bearer eyes-key")],
        b"",
    );
    assert!(!seen.body.contains("command "), "{}", seen.body);
}

/// Lists come from ClickHouse: without it nothing can be explained, and it is said what is missing.
#[test]
fn without_clickhouse_it_says_what_is_missing() {
    let rig = Rig::new();
    rig.opened("acme", "100.00");
    rig.await_lists();
    rig.sql(&format!("DROP DATABASE {}", rig.store.database));
    let answer = rig.client.get("/v1/explain/ba-acme.e1");
    assert_eq!(answer.status, 503, "{}", answer.body);
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("lists cannot be read now: ClickHouse at "), "{detail}");
}
