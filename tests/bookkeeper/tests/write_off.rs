//! R5.3 to R5.5 and R5.7: write-off and negative bills.

mod common;
use common::Case;
use serde_json::json;

fn causes(case: &Case) -> Vec<(String, String, String)> {
    let entries = case
        .keeper
        .entries()
        .into_iter()
        .filter(|entry| entry.cause == "bill" && entry.asset != "coupon");
    entries.map(|entry| (entry.asset, entry.lot, entry.amount)).collect()
}

fn line(asset: &str, lot: &str, amount: &str) -> (String, String, String) {
    (asset.to_string(), lot.to_string(), amount.to_string())
}

fn refund_to_credit(case: &mut Case, time: &str, order: &str, amount: &str) {
    let fields =
        json!({ "billing_account": "ba-a", "order": order, "amount": amount, "to": "credit" });
    case.accept(time, "refund_order", fields);
}

#[test]
fn assets_pay_in_their_order() {
    // R5.3: cash coupons by expiry, credit refunds oldest first, cash transferred in before own, oldest lot first.
    let mut case = Case::new();
    for account in ["x", "y"] {
        case.open(account, json!({}));
        case.top_up("2026-02-01T00:00", &format!("ba-{account}"), "100");
    }
    case.top_up("2026-02-01T00:00", "ba-a", "100");
    for (from, amount) in [("ba-y", "5"), ("ba-x", "5"), ("ba-y", "1")] {
        case.accept(
            "2026-02-01T00:00",
            "transfer",
            json!({ "from": from, "to": "ba-a", "amount": amount }),
        );
    }
    refund_to_credit(&mut case, "2026-02-01T00:00", "o1", "4");
    refund_to_credit(&mut case, "2026-03-01T00:00", "o2", "3");
    case.coupon("2026-03-01T00:00", "later", "2", json!({ "cash": true }));
    let soon = json!({ "cash": true, "valid_until": "2026-03-15T00:00:00Z" });
    case.coupon("2026-03-01T00:00", "sooner", "1", soon);
    let other_product = json!({ "cash": true, "products": ["compute"] });
    case.coupon("2026-03-01T00:00", "other", "9", other_product);
    case.coupon("2026-03-01T00:00", "poor", "9", json!({ "cash": true, "minimum": "1000" }));
    case.uses("2026-03-01T00:30", "a", "unit/usd", "25");
    case.pass("2026-03-01T01:00");
    let expected = [
        line("cash_coupon", "sooner", "-1"),
        line("cash_coupon", "later", "-2"),
        line("credit_refund", "2026-02", "-4"),
        line("credit_refund", "2026-03", "-3"),
        line("cash", "ba-y", "-6"),
        line("cash", "ba-x", "-5"),
        line("cash", "own", "-4"),
    ];
    assert_eq!(causes(&case), expected);
}

#[test]
fn bills_are_paid_in_the_order_of_issue_when_money_arrives() {
    // R5.3
    let mut case = Case::new();
    case.uses("2026-03-01T00:30", "a", "unit/usd", "15");
    case.uses("2026-03-01T00:30", "a", "compute/hours", "10");
    case.uses("2026-03-01T01:30", "a", "compute/hours", "20");
    case.pass("2026-03-01T02:00");
    case.top_up("2026-03-01T03:00", "ba-a", "22");
    let product_and_paid: Vec<_> = case.bills().into_iter().map(|bill| (bill.1, bill.3)).collect();
    let expected = [("compute", "5"), ("unit", "15"), ("compute", "2")]
        .map(|(a, b)| (a.to_string(), b.to_string()));
    assert_eq!(product_and_paid, expected);
    case.shows(
        "ba-a",
        &[("cash", "0"), ("unsettled_current", "8"), ("available", "-8"), ("overdue", "true")],
    );
}

#[test]
fn a_cash_coupon_pays_from_its_beginning_to_its_end() {
    // R3.6, R5.3: what expires at an instant does so after the bills of that instant.
    let mut case = Case::new();
    case.coupon(
        "2026-03-01T00:00",
        "c",
        "9",
        json!({
            "cash": true, "valid_from": "2026-03-01T02:00:00Z", "valid_until": "2026-03-01T03:00:00Z",
        }),
    );
    case.uses("2026-03-01T00:30", "a", "unit/usd", "1");
    case.pass("2026-03-01T01:59");
    assert_eq!(case.paid(), ["0"]);
    case.pass("2026-03-01T02:00");
    assert_eq!(case.paid(), ["1"]);
    case.uses("2026-03-01T02:30", "a", "unit/usd", "2");
    case.uses("2026-03-01T03:00", "a", "unit/usd", "4");
    assert_eq!(case.paid(), ["1", "2"]);
    case.pass("2026-03-01T04:00");
    assert_eq!(
        (case.paid(), case.left("c")),
        (vec!["1".into(), "2".into(), "0".into()], "6".to_string())
    );
}

#[test]
fn without_a_limit_write_off_stays_on() {
    // R5.4, R9.3
    let mut case = Case::new();
    let off = json!({ "billing_account": "ba-a", "auto_write_off": false });
    case.refuse("2026-03-01T00:00", "configure", off.clone(), "write_off_required");
    case.accept(
        "2026-03-01T00:00",
        "set_credit_limit",
        json!({ "billing_account": "ba-a", "limit": "50" }),
    );
    case.refuse("2026-03-01T00:00", "configure", off.clone(), "write_off_required");
    case.accept("2026-03-01T00:00", "confirm_contract", json!({ "billing_account": "ba-a" }));
    case.accept("2026-03-01T00:00", "configure", off);
    case.top_up("2026-03-01T00:00", "ba-a", "20");
    case.uses("2026-03-01T00:30", "a", "unit/usd", "15");
    case.pass("2026-03-01T01:00");
    assert_eq!(case.paid(), ["0"]);
    // A limit of nothing turns it on again, and it runs.
    case.accept(
        "2026-03-01T01:00",
        "set_credit_limit",
        json!({ "billing_account": "ba-a", "limit": "0" }),
    );
    assert_eq!(case.paid(), ["15"]);
}

#[test]
fn only_what_lies_above_the_limit_is_written_off() {
    // R5.4
    let mut case = Case::new();
    case.limit("2026-03-01T00:00", "ba-a", "50");
    case.configure("2026-03-01T00:00", "ba-a", "auto_write_off", json!(false));
    case.top_up("2026-03-01T00:00", "ba-a", "100");
    case.uses("2026-03-01T00:30", "a", "unit/usd", "40");
    case.pass("2026-03-01T01:00");
    assert_eq!(case.paid(), ["0"]);
    case.uses("2026-03-01T01:30", "a", "unit/usd", "30");
    case.pass("2026-03-01T02:00");
    assert_eq!(case.paid(), ["20", "0"]);
    case.shows("ba-a", &[("cash", "80"), ("unsettled_current", "50"), ("available", "80")]);
    // Money that arrives waits for the next issue; turning the switch on pays all.
    case.top_up("2026-03-01T02:10", "ba-a", "20");
    assert_eq!(case.paid(), ["20", "0"]);
    case.configure("2026-03-01T02:20", "ba-a", "auto_write_off", json!(true));
    assert_eq!(case.paid(), ["40", "30"]);
}

fn february_and_march(write_off_previous: bool) -> Case {
    let mut case = Case::new();
    case.configure("2026-02-01T00:00", "ba-a", "write_off_previous", json!(write_off_previous));
    case.uses("2026-02-10T00:30", "a", "unit/usd", "20");
    case.uses("2026-03-10T00:30", "a", "unit/usd", "25");
    case.pass("2026-03-10T01:00");
    refund_to_credit(&mut case, "2026-03-10T01:00", "elsewhere", "30");
    case
}

#[test]
fn the_worked_case_of_credit_refunds() {
    // R5.5: refund 30 of March; unsettled February 20, March 25.
    let off = february_and_march(false);
    assert_eq!(off.paid(), ["0", "25"]);
    off.shows(
        "ba-a",
        &[("credit_refund", "5"), ("unsettled_previous", "20"), ("unsettled_current", "0")],
    );
    let on = february_and_march(true);
    assert_eq!(on.paid(), ["20", "10"]);
    on.shows(
        "ba-a",
        &[("credit_refund", "0"), ("unsettled_previous", "0"), ("unsettled_current", "15")],
    );
}

#[test]
fn turning_the_switch_on_lets_the_refund_pay_earlier_months() {
    // R5.3, R5.5
    let mut case = february_and_march(false);
    case.configure("2026-03-11T00:00", "ba-a", "write_off_previous", json!(true));
    assert_eq!(case.paid(), ["5", "25"]);
    // What is invoiced is never lowered.
    assert_eq!(case.amounts(), ["20", "25"]);
}

#[test]
fn a_negative_bill_undoes_unpaid_parts_first() {
    // R5.7: 100 by volume, of which 30 is paid; the cheaper tier takes back 40.
    let mut case = Case::new();
    case.top_up("2026-03-01T00:00", "ba-a", "30");
    case.uses("2026-03-01T00:30", "a", "traffic/gb", "1000");
    case.uses("2026-03-01T00:30", "a", "unit/usd", "5");
    case.uses("2026-03-01T01:30", "a", "traffic/gb", "200");
    case.pass("2026-03-01T02:00");
    assert_eq!(case.amounts(), ["100", "5", "-40"]);
    assert_eq!(case.paid(), ["70", "0", "-40"]);
    case.shows("ba-a", &[("cash", "0"), ("unsettled_current", "35")]);
}

#[test]
fn a_negative_bill_returns_payments_latest_first_to_the_lots_that_paid() {
    // R5.7: the bills are 50, 50, then -40; the latest bill was paid by a coupon (10), then a cash coupon (25), then
    // cash (15). Cash and cash coupon come back; then write-off pays an unpaid bill of another product with them.
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "65");
    case.uses("2026-03-01T00:30", "a", "traffic/gb", "500");
    case.pass("2026-03-01T01:00");
    case.coupon("2026-03-01T01:00", "c", "10", json!({}));
    case.coupon("2026-03-01T01:00", "k", "25", json!({ "cash": true }));
    case.uses("2026-03-01T01:30", "a", "traffic/gb", "500");
    case.uses("2026-03-01T02:30", "a", "unit/usd", "7");
    case.uses("2026-03-01T02:30", "a", "traffic/gb", "200");
    case.shows("ba-a", &[("cash", "0"), ("unsettled_current", "-33")]);
    case.pass("2026-03-01T03:00");
    assert_eq!(case.amounts(), ["50", "50", "-40", "7"]);
    assert_eq!(case.paid(), ["50", "50", "-40", "7"]);
    assert_eq!((case.left("c"), case.left("k")), ("0".to_string(), "18".to_string()));
    case.shows("ba-a", &[("cash", "15"), ("unsettled_current", "0")]);
}

#[test]
fn what_an_expired_coupon_paid_lapses() {
    // R5.7
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "100", json!({ "valid_until": "2026-03-01T00:40:00Z" }));
    case.uses("2026-03-01T00:30", "a", "traffic/gb", "1000");
    case.uses("2026-03-01T01:30", "a", "traffic/gb", "200");
    case.pass("2026-03-01T02:00");
    assert_eq!(case.amounts(), ["100", "-40"]);
    assert_eq!(
        (case.left("c"), case.paid()),
        ("0".to_string(), vec!["100".to_string(), "-40".to_string()])
    );
    case.shows("ba-a", &[("cash", "0"), ("available", "0")]);
}

#[test]
fn a_negative_bill_leaves_other_accounts_and_orders_alone() {
    // R5.7
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "150");
    case.uses("2026-03-01T00:30", "a", "traffic/gb", "1000");
    case.pass("2026-03-01T01:00");
    let order =
        json!({ "billing_account": "ba-a", "order": "o", "amount": "50", "product": "traffic" });
    case.accept("2026-03-01T01:00", "place_order", order);
    case.uses("2026-03-01T01:30", "a", "traffic/gb", "200");
    case.pass("2026-03-01T02:00");
    case.shows("ba-a", &[("cash", "40")]);
    let returned = json!({ "billing_account": "ba-a", "order": "o", "amount": "50", "to": "cash" });
    case.accept("2026-03-01T02:00", "refund_order", returned);
    case.shows("ba-a", &[("cash", "90")]);
}

#[test]
fn a_late_record_can_make_an_earlier_month_cheaper() {
    // R2.4, R5.7: February's volume falls into the cheaper tier in March; February's payments are undone.
    let mut case = Case::new();
    case.adjust("2026-02-01T00:00", "ba-a", "100");
    case.uses("2026-02-20T00:30", "a", "traffic/gb", "1000");
    case.uses_late("2026-03-01T00:30", "2026-02-20T01:30", "a", "traffic/gb", "200");
    case.pass("2026-03-01T01:00");
    assert_eq!(case.keeper.bills()[1].month, "2026-03");
    assert_eq!(case.amounts(), ["100", "-40"]);
    case.shows("ba-a", &[("cash", "40"), ("unsettled_current", "0")]);
}

#[test]
fn what_was_never_billed_is_not_given_back() {
    // R1.2, R5.7: twice 0.004 of February were held back by rounding in two months; the cheaper tier takes 0.008.
    let prices = r#"
        [[price]]
        product = "p"
        meter = "m"
        currency = "USD"
        model = "volume"
        tiers = [{ up_to = "2", unit_price = "0.004" }, { unit_price = "0" }]
    "#;
    let mut case = Case::with("", prices);
    let acme = json!({ "enterprise": "acme", "name": "Acme", "country": "SG" });
    case.accept("2026-01-01T00:00", "open_enterprise", acme);
    case.open("a", json!({}));
    case.uses("2026-02-28T23:10", "a", "p/m", "1");
    case.uses_late("2026-03-01T00:30", "2026-02-28T23:20", "a", "p/m", "1");
    case.uses_late("2026-03-31T23:30", "2026-02-28T23:20", "a", "p/m", "0");
    case.uses_late("2026-04-01T00:30", "2026-02-28T23:30", "a", "p/m", "1");
    case.pass("2026-04-01T01:00");
    assert_eq!(case.amounts(), ["0", "0", "0", "-0.01"]);
    case.shows("ba-a", &[("cash", "0"), ("available", "0")]);
}
