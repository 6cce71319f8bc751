//! Metering that lags, stops, and takes records in other orders.

use std::collections::BTreeMap;

use bookkeeper::{BookKeeper, Usage, Verdict};
use drawdown_domain::money::Amount;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_wire::messages::Charge;
use drawdown_wire::usage::{NewUsage, packed_message, put_record};
use serde_json::{Value, json};

use super::plant::{ALL, BALANCE, BillOf, METERING, PARTITIONS, Plant, REGISTRY};
use crate::end_to_end::random::Random;

/// What a month's quantity costs depends on all of it, so that an order that mattered would show.
const TIERED: &str = r#"
price = [
  { product = "compute", meter = "hours", currency = "USD", model = "per_unit", unit_price = "0.0137" },
  { product = "compute", meter = "calls", currency = "USD", model = "graduated", aggregate = "count", tiers = [{ up_to = "20", unit_price = "0.11" }, { up_to = "60", unit_price = "0.07" }, { unit_price = "0.03" }] },
  { product = "storage", meter = "gigabytes", currency = "USD", model = "volume", tiers = [{ up_to = "400", unit_price = "0.02" }, { unit_price = "0.01" }] },
]
"#;
/// Prices that do not ask what came before.
const PER_UNIT: &str = r#"
price = [
  { product = "compute", meter = "hours", currency = "USD", model = "per_unit", unit_price = "0.0137" },
  { product = "compute", meter = "calls", currency = "USD", model = "per_unit", unit_price = "0.07" },
  { product = "storage", meter = "gigabytes", currency = "USD", model = "per_unit", unit_price = "0.02" },
]
"#;
/// Where records are not added up: the largest counts, the last, or how many different ones there are.
const MEASURED: &str = r#"
price = [
  { product = "compute", meter = "hours", currency = "USD", model = "graduated", aggregate = "max", tiers = [{ up_to = "6", unit_price = "0.11" }, { unit_price = "0.07", flat = "1" }] },
  { product = "compute", meter = "calls", currency = "USD", model = "package", aggregate = "unique", tag = "user", package = "3", amount = "7" },
  { product = "storage", meter = "gigabytes", currency = "USD", model = "volume", aggregate = "last", tiers = [{ up_to = "8", unit_price = "0.2" }, { unit_price = "0.1" }] },
]
"#;
const METERS: [(&str, &str); 3] =
    [("compute", "hours"), ("compute", "calls"), ("storage", "gigabytes")];
const ACCOUNTS: usize = 8;
const HOURS: i32 = 8;
const RECORDS: u64 = 700;

fn start() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn minute(minutes: i32) -> Timestamp {
    start().plus(Span::minutes(minutes))
}

#[derive(Clone, Debug)]
struct Record {
    id: String,
    account: String,
    meter: (&'static str, &'static str),
    quantity: Amount,
    user: String,
    used: i32,
    /// The minute in which it reaches the log.
    arrives: i32,
}

/// Records in the order in which they were used, each arriving when it was used.
fn records(seed: u64) -> Vec<Record> {
    let mut random = Random(seed);
    let mut records: Vec<Record> = (0..RECORDS)
        .map(|number| {
            let used = random.below(HOURS as u64 * 60) as i32;
            Record {
                id: number.to_string(),
                account: format!("a{}", random.below(ACCOUNTS as u64)),
                meter: *random.pick(&METERS),
                quantity: Amount::from_raw(250_000_000_000 * (1 + random.below(60) as i128)),
                user: format!("u{}", number % 13),
                used,
                arrives: used,
            }
        })
        .collect();
    records.sort_by_key(|record| record.arrives);
    records
}

/// The same records, each at another moment before the end of its half hour, which lies in one cycle in
/// every zone; some are sent twice.
fn in_another_order(records: &[Record], random: &mut Random) -> Vec<Record> {
    let mut moved = records.to_vec();
    for record in &mut moved {
        let left = 30 - record.used.rem_euclid(30);
        record.arrives = record.used + random.below(left as u64) as i32;
    }
    let mut repeats: Vec<Record> = moved.iter().filter(|_| random.one_in(10)).cloned().collect();
    repeats.iter_mut().for_each(|repeat| repeat.arrives += random.below(90) as i32);
    moved.extend(repeats);
    moved.sort_by_cached_key(|record| (record.arrives, random.next()));
    moved
}

/// These do not work from one minute until another.
struct Stop {
    who: &'static [usize],
    from: i32,
    until: i32,
}

/// How a history is lived through.
struct Way<'a> {
    prices: &'static str,
    zones: &'static [&'static str],
    settings: &'static str,
    stops: &'a [Stop],
    /// Who lags and where steps are cut; none: all keep up and every minute is a step.
    cuts: Option<Random>,
}

fn commands(way: &Way<'_>) -> Vec<(&'static str, Value)> {
    let mut commands = vec![
        ("load_settings", json!({ "document": way.settings })),
        ("load_prices", json!({ "document": way.prices })),
        ("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "SG" })),
        ("open_enterprise", json!({ "enterprise": "f", "name": "F", "country": "SG" })),
    ];
    for account in 0..ACCOUNTS {
        let zone = way.zones[account % way.zones.len()];
        commands.push((
            "open_account",
            json!({ "account": format!("a{account}"),
            "enterprise": if account % 2 == 0 { "e" } else { "f" }, "email": "x@y.example",
            "currency": "USD", "mode": "postpaid", "time_zone": zone }),
        ));
        let wallet = format!("ba-a{account}");
        if account % 3 == 0 {
            commands.push((
                "top_up",
                json!({ "billing_account": wallet, "amount": "20",
                "currency": "USD", "method": "bank_transfer" }),
            ));
        }
        if account % 3 == 1 {
            commands.push(("grant_coupon", json!({ "billing_account": wallet,
                "coupon": format!("k{account}"), "amount": "7", "valid_from": "2026-01-01T00:00:00Z",
                "valid_until": "2026-05-01T00:00:00Z", "cash": false })));
        }
    }
    commands
}

fn packed(records: &[&Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        put_record(
            &mut bytes,
            &NewUsage {
                source: "s",
                id: &record.id,
                account: &record.account,
                product: record.meter.0,
                meter: record.meter.1,
                quantity: record.quantity,
                time: minute(record.used),
                region: None,
                unit: None,
                tags: &[("user", &record.user)],
            },
        );
    }
    packed_message(records.len(), &bytes)
}

/// Lives through a history until every bill is out.
fn live(records: &[Record], way: &mut Way<'_>) -> Plant {
    let mut plant = Plant::new(start());
    for (name, fields) in commands(way) {
        plant.command(start(), name, fields);
    }
    let mut rest = records;
    for now in 0..(HOURS + 4) * 60 {
        let arriving = rest.partition_point(|record| record.arrives <= now);
        let (arrived, later) = rest.split_at(arriving);
        rest = later;
        let stopped = |who: usize| {
            way.stops
                .iter()
                .any(|stop| stop.who.contains(&who) && (stop.from..stop.until).contains(&now))
        };
        let working: Vec<usize> = ALL.into_iter().filter(|who| !stopped(*who)).collect();
        for partition in 0..PARTITIONS {
            let own: Vec<&Record> = arrived
                .iter()
                .filter(|record| Plant::partition_of(&record.account) == partition)
                .collect();
            let size = way.cuts.as_mut().map_or(usize::MAX, |cuts| 1 + cuts.below(5) as usize);
            for pack in own.chunks(size) {
                plant.usage(minute(now), partition, &packed(pack));
                if let Some(cuts) = way.cuts.as_mut().filter(|_| !working.is_empty()) {
                    let who = *cuts.pick(&working);
                    plant.turn(who);
                }
            }
        }
        plant.tell_time(minute(now), &working);
        let lagging = way.cuts.as_mut().filter(|_| now % 90 != 89);
        match lagging {
            Some(cuts) => {
                for _ in 0..cuts.below(6) {
                    let lucky = *cuts.pick(&ALL);
                    if working.contains(&lucky) {
                        plant.turn(lucky);
                    }
                }
            }
            None => plant.settle(&working),
        }
    }
    plant.settle(&ALL);
    let rejects = plant.rejects();
    assert!(rejects.is_empty(), "{rejects:?}");
    plant
}

/// What the book-keeper bills for records that arrive in this order.
fn expected(records: &[Record], way: &Way<'_>) -> BTreeMap<BillOf, (Amount, Amount)> {
    let mut keeper = BookKeeper::new("", way.prices).unwrap();
    for (name, fields) in commands(way).into_iter().filter(|(name, _)| !name.starts_with("load")) {
        keeper.command(start().as_micros(), "operator", None, name, &fields).unwrap();
    }
    for record in records {
        let usage = Usage {
            source: "s".to_owned(),
            id: record.id.clone(),
            account: record.account.clone(),
            product: record.meter.0.to_owned(),
            meter: record.meter.1.to_owned(),
            quantity: record.quantity.to_string(),
            time: minute(record.used).as_micros(),
            region: None,
            unit: None,
            tags: BTreeMap::from([("user".to_owned(), record.user.clone())]),
        };
        let verdict = keeper.usage(minute(record.arrives).as_micros(), &usage);
        assert!(matches!(verdict, Verdict::Counted), "{record:?}");
    }
    keeper.pass(minute((HOURS + 3) * 60).as_micros());
    keeper.check().unwrap();
    let amount = |text: &str| text.parse::<Amount>().unwrap();
    let bills = keeper.bills().into_iter().map(|bill| {
        let cycle_end = Timestamp::from_micros(bill.cycle_end);
        let of = BillOf { account: bill.account, product: bill.product, cycle_end };
        (of, (amount(&bill.amount), amount(&bill.paid)))
    });
    bills.collect()
}

fn tiered(stops: &[Stop], cuts: Option<Random>) -> Way<'_> {
    let zones = &["UTC", "Asia/Kolkata", "America/New_York"];
    Way { prices: TIERED, zones, settings: "", stops, cuts }
}

/// R2.4, R3.2, R5.1: whatever stops for less than `bills.wait`, no record is lost and every bill is that
/// of the undisturbed run.
#[test]
fn r5_1_bills_wait_for_metering_that_is_held_back() {
    let records = records(1);
    let expected = expected(&records, &tiered(&[], None));
    assert!(expected.len() > 80, "{}", expected.len());
    assert_eq!(live(&records, &mut tiered(&[], None)).bills(), expected, "undisturbed");
    let disturbances: [(&str, &[Stop]); 5] = [
        ("the first partition", &[Stop { who: &METERING[..1], from: 95, until: 215 }]),
        ("the second partition", &[Stop { who: &METERING[1..], from: 30, until: 150 }]),
        ("all of metering", &[Stop { who: &METERING, from: 119, until: 180 }]),
        ("everything", &[Stop { who: &ALL, from: 130, until: 310 }]),
        (
            "one after the other",
            &[
                Stop { who: &METERING[..1], from: 60, until: 150 },
                Stop { who: &[BALANCE], from: 140, until: 260 },
                Stop { who: &METERING[1..], from: 200, until: 300 },
                Stop { who: &[REGISTRY, 0], from: 320, until: 400 },
            ],
        ),
    ];
    for (what, stops) in disturbances {
        assert_eq!(live(&records, &mut tiered(stops, None)).bills(), expected, "{what}");
    }
}

/// R2.2, R3.2, R5.1: equal bills for any order of arrival, any cut of batches and steps, any lag.
#[test]
fn r3_2_twenty_histories_of_the_same_usage_have_the_same_bills() {
    let records = records(2);
    let expected = expected(&records, &tiered(&[], None));
    let first = std::env::var("FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    for seed in first..first + 20 {
        let mut random = Random(seed);
        let moved = in_another_order(&records, &mut random);
        let plant = live(&moved, &mut tiered(&[], Some(random)));
        let counted: i64 = plant.charges().iter().map(|charge| charge.records).sum();
        assert_eq!(u64::try_from(counted), Ok(RECORDS), "seed {seed}");
        assert_eq!(plant.bills(), expected, "seed {seed}");
    }
}

/// R3.3: the same where the largest, the last and the different ones count.
#[test]
fn r3_3_twenty_histories_of_what_is_not_added_up_have_the_same_bills() {
    let way = |cuts| Way { prices: MEASURED, ..tiered(&[], cuts) };
    let records = records(4);
    let expected = live(&records, &mut way(None)).bills();
    assert!(expected.len() > 80, "{}", expected.len());
    for seed in 1..=20 {
        let mut random = Random(seed);
        let moved = in_another_order(&records, &mut random);
        let plant = live(&moved, &mut way(Some(random)));
        let counted: i64 = plant.charges().iter().map(|charge| charge.records).sum();
        assert_eq!(u64::try_from(counted), Ok(RECORDS), "seed {seed}");
        assert_eq!(plant.bills(), expected, "seed {seed}");
    }
}

/// What was charged, by account, product and the cycle that `cycle` tells.
fn exact(charges: &[Charge], cycle: impl Fn(&Charge) -> Timestamp) -> BTreeMap<BillOf, Amount> {
    let mut totals = BTreeMap::<BillOf, Amount>::new();
    for charge in charges {
        let (account, product) = (charge.account.to_string(), charge.product.to_string());
        let of = BillOf { account, product, cycle_end: cycle(charge) };
        let total = totals.entry(of).or_default();
        *total = total.plus(charge.charge).unwrap();
    }
    totals
}

/// The hour that a charge was used in.
fn own_cycle(charge: &Charge) -> Timestamp {
    const HOUR: i64 = 3_600_000_000;
    Timestamp::from_micros((charge.used.as_micros().div_euclid(HOUR) + 1) * HOUR)
}

/// R2.4, R5.1: metering held back for longer than `bills.wait`. Its usage joins later cycles, line by
/// line as an adjustment, and nothing else differs.
#[test]
fn r2_4_what_comes_after_the_wait_is_an_adjustment_and_nothing_else_differs() {
    let way = |stops| Way {
        prices: PER_UNIT,
        zones: &["UTC"],
        settings: "bills.wait = \"1h\"",
        stops,
        cuts: None,
    };
    let records = records(3);
    let stops = [Stop { who: &METERING[..1], from: 70, until: 250 }];
    let undisturbed = live(&records, &mut way(&[]));
    let disturbed = live(&records, &mut way(&stops));
    assert_eq!(undisturbed.bills(), expected(&records, &way(&[])));
    assert!(undisturbed.charges().iter().all(|charge| !charge.adjustment));

    let charges = disturbed.charges();
    let (late, in_time): (Vec<&Charge>, Vec<&Charge>) =
        charges.iter().partition(|charge| charge.adjustment);
    assert!(in_time.iter().all(|charge| charge.cycle_end == own_cycle(charge)));
    for charge in &late {
        assert_eq!(Plant::partition_of(charge.account.as_str()), 0);
        assert!(charge.cycle_end > own_cycle(charge), "{charge:?}");
    }
    let late_records: i64 = late.iter().map(|charge| charge.records).sum();
    assert!(late_records > 50, "only {late_records} records were late");
    assert_eq!(
        exact(&charges, own_cycle),
        exact(&undisturbed.charges(), |charge| charge.cycle_end),
        "by its time of use everything is charged as if nothing had happened"
    );
    check_bills(&disturbed.bills(), &exact(&charges, |charge| charge.cycle_end));
    println!("{late_records} records in {} lines were adjustments", late.len());
}

/// Each bill is what its month has come to, rounded, less what was billed before (R1.2).
fn check_bills(bills: &BTreeMap<BillOf, (Amount, Amount)>, exact: &BTreeMap<BillOf, Amount>) {
    let cent = drawdown_domain::money::Currency::Usd;
    let mut so_far = BTreeMap::<(String, String), (Amount, Amount)>::new();
    let mut issued = 0;
    for (of, charged) in exact {
        let key = (of.account.clone(), of.product.clone());
        let (total, billed) = so_far.entry(key).or_default();
        *total = total.plus(*charged).unwrap();
        let amount = total.rounded_half_away(cent).unwrap().minus(*billed).unwrap();
        *billed = billed.plus(amount).unwrap();
        let found = bills.get(of).map(|(amount, _)| *amount);
        assert_eq!(found.unwrap_or_default(), amount, "{of:?}");
        issued += usize::from(found.is_some());
    }
    assert_eq!(bills.len(), issued, "there are bills for what was not charged");
}
