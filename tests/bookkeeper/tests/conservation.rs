//! R1.3: whatever happens, nothing is made or lost; and what happens is the same each time.

#![allow(clippy::unwrap_used)]

mod common;
use bookkeeper::{Usage, Verdict};
use common::{Case, PRICES, at};
use serde_json::{Value, json};

/// A small generator of numbers, so that every run is the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn amount(&mut self, most: u64) -> String {
        format!("{}.{:02}", self.below(most), self.below(100))
    }
}

const TOKENS: [&str; 6] = [
    "tok_ok",
    "tok_ok_then_declined",
    "tok_declined_once",
    "tok_unknown_then_ok",
    "tok_unknown_then_declined",
    "tok_ok_then_no_hold",
];

const WALLETS: [&str; 4] = ["ba-a", "ba-b", "ba-c", "ba-e"];

/// What was accepted so far: the command and the name of what it made.
type Known = Vec<(&'static str, String)>;

/// One of the last few things that this command has made.
fn one_of(dice: &mut Dice, known: &Known, command: &str) -> String {
    let mut made = known.iter().rev().filter(|(by, _)| *by == command);
    let place = dice.below(6) as usize;
    made.nth(place).map_or("none".to_string(), |(_, name)| name.clone())
}

fn command(dice: &mut Dice, now: i64, serial: u64, known: &Known) -> (&'static str, Value) {
    let ba = dice.pick(&WALLETS);
    let amount = dice.amount(100);
    let much = dice.amount(4_000);
    let name = format!("n{serial}");
    let time = |instant: i64| jiff::Timestamp::from_microsecond(instant).unwrap().to_string();
    match dice.below(41) {
        24 | 25 => {
            let kind = dice.pick(&["storage_package", "reserved_instance", "savings_plan"]);
            let size = if kind == "savings_plan" { "commitment" } else { "quantity" };
            (
                "buy_benefit",
                json!({
                    "billing_account": ba, "benefit": name, "kind": kind, size: amount,
                    "product": dice.pick(&["unit", "traffic", "storage"]), "price": dice.amount(20),
                    "valid_from": time(now - dice.below(9 * 86_400) as i64 * 1_000_000),
                    "valid_until": time(now + 1_000_000 + dice.below(20 * 86_400) as i64 * 1_000_000),
                    "accounts": if dice.below(2) == 0 { json!(["a", "b"]) } else { json!([]) },
                }),
            )
        }
        26 => {
            let benefit = one_of(dice, known, "buy_benefit");
            let command = dice.pick(&["share_benefit", "unshare_benefit"]);
            (command, json!({ "billing_account": ba, "benefit": benefit, "accounts": ["c"] }))
        }
        27 => (
            "place_order",
            json!({
                "billing_account": ba, "order": name, "amount": dice.amount(20), "renews": true,
                "method": if dice.below(2) == 0 { json!(null) } else { json!(format!("m{}", dice.below(12))) },
            }),
        ),
        28 => match dice.below(4) {
            0 => ("freeze_billing_account", json!({ "billing_account": ba })),
            _ => ("unfreeze_billing_account", json!({ "billing_account": ba })),
        },
        29 => ("settle_enterprise", json!({ "enterprise": "acme" })),
        30 => (
            "request_payment",
            json!({
                "request": name, "requester": ba, "payer": dice.pick(&["a", "b", "c"]), "service": "s",
                "amount": amount,
            }),
        ),
        31 | 32 => {
            let request = one_of(dice, known, "request_payment");
            let method = json!(format!("m{}", dice.below(12)));
            match dice.below(5) {
                0 => ("reject_payment_request", json!({ "request": request })),
                1 => ("cancel_payment_request", json!({ "request": request })),
                _ => ("approve_payment_request", json!({ "request": request, "method": method })),
            }
        }
        33 => (
            "configure",
            json!({
                "billing_account": ba,
                "auto_recharge": { "enabled": dice.below(3) > 0, "amount": "60.00", "percents": ["20", "5"] },
                "low_balance_alert": { "enabled": true, "threshold": amount },
                "delayed_suspension": { "hours": dice.below(5) },
            }),
        ),
        34 => (
            "receive_remittance",
            json!({ "reference": name, "amount": "50.00", "currency": "USD" }),
        ),
        35 => {
            let reference = one_of(dice, known, "receive_remittance");
            let fields =
                json!({ "billing_account": ba, "reference": reference, "amount": "50.00" });
            ("claim_remittance", fields)
        }
        36 => match dice.below(3) {
            0 => ("end_membership", json!({ "account": dice.pick(&["a", "b", "c"]) })),
            1 => ("invite_account", json!({ "account": dice.pick(&["a", "b", "c"]) })),
            _ => ("accept_invitation", json!({ "account": dice.pick(&["a", "b", "c"]) })),
        },
        37 => match dice.below(3) {
            0 => ("freeze_recharge", json!({ "enterprise": "acme" })),
            _ => ("unfreeze_recharge", json!({ "enterprise": "acme" })),
        },
        40 => (
            "credit_invoice",
            json!({
                "invoice": format!("US-2026-{:06}", 1 + dice.below(4)), "amount": dice.amount(30), "reason": "r",
            }),
        ),
        38 | 39 => (
            "void_usage",
            json!({
                "account": dice.pick(&["a", "b", "c", "e"]), "source": "s",
                "id": one_of(dice, known, "usage"),
            }),
        ),
        0 | 1 => (
            "top_up",
            json!({ "billing_account": ba, "amount": much, "currency": "USD", "method": "bank_transfer" }),
        ),
        2 => (
            "adjust",
            json!({ "billing_account": ba, "amount": format!("-{}", dice.amount(30)), "reason": "r" }),
        ),
        3 | 4 => {
            let from = now - dice.below(20 * 86_400) as i64 * 1_000_000;
            let until = now + dice.below(40 * 86_400) as i64 * 1_000_000;
            let products = [json!([]), json!(["unit"]), json!(["traffic", "storage"])]
                [dice.below(3) as usize]
                .clone();
            let minimum = ["0", "50", "500"][dice.below(3) as usize];
            (
                "grant_coupon",
                json!({
                    "billing_account": ba, "coupon": name, "amount": amount, "cash": dice.below(2) == 0,
                    "products": products, "minimum": minimum, "valid_from": time(from), "valid_until": time(until),
                }),
            )
        }
        5 => ("set_credit_limit", json!({ "billing_account": ba, "limit": amount })),
        6 => ("confirm_contract", json!({ "billing_account": ba })),
        7 => ("configure", json!({ "billing_account": ba, "auto_write_off": dice.below(3) == 0 })),
        8 => (
            "configure",
            json!({ "billing_account": ba, "write_off_previous": dice.below(2) == 0 }),
        ),
        9 => (
            "configure",
            json!({ "billing_account": ba, "bill_cycle": dice.pick(&["hour", "day", "month"]) }),
        ),
        10 => ("transfer", json!({ "from": ba, "to": dice.pick(&WALLETS), "amount": amount })),
        11 => {
            ("revoke_transfer", json!({ "from": ba, "to": dice.pick(&WALLETS), "amount": amount }))
        }
        12 | 13 => (
            "place_order",
            json!({ "billing_account": ba, "order": name, "amount": amount, "product": dice.pick(&["unit", "plan"]) }),
        ),
        14 => {
            let order = one_of(dice, known, "place_order");
            let to = dice.pick(&["original", "cash", "credit"]);
            (
                "refund_order",
                json!({ "billing_account": ba, "order": order, "amount": dice.amount(60), "to": to }),
            )
        }
        16 => (
            "link_payment_method",
            json!({
                "billing_account": ba, "method": format!("m{}", dice.below(12)),
                "kind": dice.pick(&["card", "paypal", "card", "alipay"]), "token": dice.pick(&TOKENS),
            }),
        ),
        17 => (
            "prefer_payment_method",
            json!({ "billing_account": ba, "method": format!("m{}", dice.below(12)) }),
        ),
        18 => match dice.below(4) {
            0 => (
                "unlink_payment_method",
                json!({ "billing_account": ba, "method": format!("m{}", dice.below(12)) }),
            ),
            1 => ("configure", json!({ "billing_account": ba, "auto_pay_threshold": "90.00" })),
            _ => ("withdraw", json!({ "billing_account": ba, "amount": amount })),
        },
        19 => ("pay", json!({ "billing_account": ba })),
        20 => ("pay", json!({ "billing_account": ba, "amount": amount })),
        21 => (
            "top_up",
            json!({
                "billing_account": ba, "amount": much, "currency": "USD",
                "method": format!("m{}", dice.below(12)),
            }),
        ),
        22 => (
            "place_order",
            json!({
                "billing_account": ba, "order": name, "amount": much,
                "method": format!("m{}", dice.below(12)),
            }),
        ),
        23 => (
            "void_usage",
            json!({
                "account": dice.pick(&["a", "b", "c", "e"]), "source": "s",
                "id": one_of(dice, known, "usage"),
            }),
        ),
        15 => ("set_quota", json!({ "billing_account": "ba-e", "quota": dice.amount(5000) })),
        _ => {
            let account = dice.pick(&["a", "b", "c", "e"]);
            ("change_payer", json!({ "account": account, "billing_account": dice.pick(&WALLETS) }))
        }
    }
}

/// Five weeks of whatever comes, checked all the way.
fn live(seed: u64) -> Case {
    let mut dice = Dice(seed);
    let settings = "payments.card_threshold = { USD = \"150\" }\npayments.paypal_threshold = { USD = [\"8\", \"100\"] }\ntax.rates = { US = \"0.07\" }";
    let mut case = Case::with(settings, PRICES);
    let acme =
        json!({ "enterprise": "acme", "name": "Acme", "country": "US", "account_center": true });
    case.accept("2026-01-01T00:00", "open_enterprise", acme);
    for (account, zone) in [("a", "UTC"), ("b", "America/New_York"), ("c", "Asia/Kolkata")] {
        case.open(account, json!({ "time_zone": zone }));
    }
    case.open("e", json!({ "kind": "ecosystem" }));
    let mut now = at("2026-02-20T00:00");
    let mut known = Known::new();
    for serial in 0..3_000 {
        now += dice.below(1_000) as i64 * 1_000_000;
        if dice.below(3) == 0 {
            let (name, fields) = command(&mut dice, now, serial, &known);
            // Accepted or refused: either way the books must balance.
            let accepted = case.keeper.command(now, "operator", None, name, &fields).is_ok();
            if accepted {
                known.push((name, format!("n{serial}")));
            }
        } else {
            let (product, meter) =
                [("unit", "usd"), ("traffic", "gb"), ("storage", "gb")][dice.below(3) as usize];
            let late = if dice.below(4) == 0 {
                dice.below(20 * 86_400) as i64
            } else {
                dice.below(200) as i64
            };
            let record = Usage {
                source: "s".to_string(),
                id: format!("u{}", dice.below(4_000)),
                account: dice.pick(&["a", "b", "c", "e"]).to_string(),
                product: product.to_string(),
                meter: meter.to_string(),
                quantity: format!("{}.{:03}", dice.below(60), dice.below(1_000)),
                time: now - late * 1_000_000,
                region: None,
                unit: None,
                tags: [].into(),
            };
            if case.keeper.usage(now, &record) == Verdict::Counted {
                known.push(("usage", record.id));
            }
        }
        if serial % 30 == 0 {
            assert_eq!(case.keeper.check(), Ok(()), "seed {seed}, step {serial}");
        }
    }
    case.keeper.pass(now + 40 * 86_400 * 1_000_000);
    assert_eq!(case.keeper.check(), Ok(()), "seed {seed}, at the end");
    case
}

#[test]
fn nothing_is_made_or_lost() {
    // R1.3
    let (mut negative, mut credited) = (0, 0);
    let mut payments = std::collections::BTreeMap::new();
    for seed in 0..8 {
        let case = live(seed);
        for payment in case.keeper.payments() {
            *payments.entry((payment.cause, payment.status)).or_insert(0) += 1;
        }
        let notes = case.keeper.invoices().into_iter();
        credited += notes.filter(|invoice| invoice.reason.is_some()).count();
        negative += case.amounts().iter().filter(|amount| amount.starts_with('-')).count();
    }
    println!("{payments:?}");
    for cause in ["threshold", "month_end", "retry", "manual", "top_up"] {
        for status in ["succeeded", "declined"] {
            let known = payments.get(&(cause.to_string(), status.to_string()));
            assert!(known.is_some(), "no {cause} has {status}: {payments:?}");
        }
    }
    assert!(credited > 5, "{credited} credit notes were made by command only");
    assert!(negative > 20, "cheaper tiers were reached {negative} times only");
}

#[test]
fn the_same_input_gives_the_same_money() {
    // The rules are a pure function of state, input and time.
    let (first, second) = (live(77), live(77));
    assert_eq!(first.keeper.bills(), second.keeper.bills());
    assert_eq!(first.keeper.entries(), second.keeper.entries());
    assert_eq!(first.keeper.charges_total(), second.keeper.charges_total());
}
