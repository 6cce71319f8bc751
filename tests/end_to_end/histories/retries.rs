//! A record that is sent again in another form.

use drawdown_domain::time::{Span, Timestamp};
use drawdown_wire::usage::{NewUsage, packed_message, put_record, single_message};
use serde_json::json;

use super::plant::{ALL, Plant};

const PRICES: &str = r#"
price = [{ product = "compute", meter = "hours", currency = "USD", model = "per_unit", unit_price = "1" }]
"#;

/// R2.2: a repeat is the same record whatever it is written as; other content under its identity is not.
#[test]
fn r2_2_retries_in_another_form_are_duplicates_and_no_conflicts() {
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let now = start.plus(Span::minutes(20));
    let mut plant = Plant::new(start);
    plant.command(start, "load_prices", json!({ "document": PRICES }));
    plant.command(
        start,
        "open_enterprise",
        json!({ "enterprise": "e", "name": "E", "country": "SG" }),
    );
    plant.command(
        start,
        "open_account",
        json!({ "account": "a", "enterprise": "e", "email": "x@y.example", "currency": "USD", "mode": "postpaid" }),
    );
    plant.tick(now, &ALL);
    let own = Plant::partition_of("a");
    let record = NewUsage {
        source: "s",
        id: "1",
        account: "a",
        product: "compute",
        meter: "hours",
        quantity: "1.1".parse().unwrap(),
        time: start.plus(Span::minutes(15)),
        region: None,
        unit: None,
        tags: &[("region", "eu"), ("team", "search")],
    };
    let json = |quantity: &str, tags: &str| {
        format!(
            r#"{{ "tags": {tags}, "quantity": "{quantity}", "time": "2026-03-01T08:15:00.000+08:00",
                "meter": "hours", "product": "compute", "id": "1", "account": "a", "source": "s" }}"#
        )
        .into_bytes()
    };
    let mut packed = Vec::new();
    put_record(&mut packed, &record);
    put_record(&mut packed, &record);
    let tags = r#"{ "team": "search", "region": "eu" }"#;
    let forms = [
        single_message(&record),
        json("1.1", tags),
        json("1.10", r#"{ "region": "eu", "team": "search" }"#),
        json("1.1000", tags),
        packed_message(2, &packed),
    ];
    for message in &forms {
        plant.usage(now, own, message);
        plant.settle(&ALL);
    }
    let counted = |plant: &Plant| plant.charges().iter().map(|charge| charge.records).sum::<i64>();
    assert_eq!((counted(&plant), plant.rejects().len()), (1, 0));
    assert_eq!(plant.station(own).duplicates(), 5);
    for conflicting in [json("1.11", tags), json("1.1", r#"{ "team": "search" }"#)] {
        plant.usage(now, own, &conflicting);
    }
    plant.settle(&ALL);
    let reasons: Vec<String> =
        plant.rejects().iter().map(|reject| reject.reason.code().to_owned()).collect();
    assert_eq!(reasons, ["conflicting_duplicate"; 2]);
    assert_eq!(counted(&plant), 1);
}
