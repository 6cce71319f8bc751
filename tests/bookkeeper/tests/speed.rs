//! A million records must be no trouble. Run with `cargo test --release --test speed -- --ignored`.

mod common;
use bookkeeper::{Usage, Verdict};
use common::{Case, at};
use serde_json::json;

#[test]
#[ignore = "takes its time without optimisation"]
fn a_million_records() {
    let mut case = Case::new();
    for number in 0..50 {
        case.open(&format!("n{number}"), json!({ "time_zone": "America/New_York" }));
        let fields = json!({ "billing_account": format!("ba-n{number}"), "amount": "1000", "reason": "start" });
        case.accept("2026-03-01T00:00", "adjust", fields);
    }
    let start = at("2026-03-01T00:00");
    let meters = [("compute", "hours"), ("storage", "gb"), ("traffic", "gb"), ("unit", "usd")];
    let began = std::time::Instant::now();
    for number in 0..1_000_000_i64 {
        let (product, meter) = meters[(number % 4) as usize];
        let arrival = start + number * 2_000_000;
        let record = Usage {
            source: "s".to_string(),
            id: format!("u{number}"),
            account: format!("n{}", number / 4 % 50),
            product: product.to_string(),
            meter: meter.to_string(),
            quantity: format!("0.{:06}", number % 1_000_000),
            time: arrival - number % 7 * 900_000_000,
            region: None,
            unit: None,
            tags: [].into(),
        };
        assert_eq!(case.keeper.usage(arrival, &record), Verdict::Counted);
    }
    let fed = began.elapsed();
    case.keeper.pass(start + 60 * 86_400 * 1_000_000);
    assert_eq!(case.keeper.check(), Ok(()));
    println!(
        "fed in {fed:?}, checked in {:?}, {} bills",
        began.elapsed() - fed,
        case.keeper.bills().len()
    );
    assert!(fed.as_secs() < 30);
}
