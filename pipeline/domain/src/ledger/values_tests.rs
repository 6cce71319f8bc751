//! R3.3: the largest, the last and the different ones, whatever way their records are put together.

use proptest::prelude::*;
use serde_json::json;

use super::super::recording::{Recorder, pieces};
use super::super::{Fact, Line, Place, PricesArrived, PricesInForce, SomeValues};
use super::*;
use crate::commands::{Asked, Command};
use crate::ids::PrincipalId;
use crate::rating::{self, Distinct, Largest, Latest, Moment, PriceBook};
use crate::time::{Minute, Timestamp};

const BEGINS: &str = "2026-03-10T00:00:00Z";
/// One meter for each kind of value, all priced by tiers, so that what a change costs depends on Q.
const METERS: [(&str, &str); 3] = [("max", ""), ("last", ""), ("unique", "tag = \"user\",")];

/// A record as metering sees it.
#[derive(Clone, Debug)]
struct Record {
    minute: u32,
    second: u32,
    id: u8,
    quantity: i64,
    user: Option<i64>,
}

impl Record {
    fn used(&self) -> Minute {
        let begins: Timestamp = BEGINS.parse().unwrap();
        Minute::from_number(begins.minute().number() + self.minute)
    }

    fn value(&self, meter: usize) -> Option<Value> {
        let quantity = Amount::whole(self.quantity);
        let time = self
            .used()
            .starts()
            .plus(crate::time::Span::micros(i64::from(self.second) * 1_000_000));
        let used = Box::new(Moment { time, id: self.id.to_string().into() });
        match METERS[meter].0 {
            "max" => Some(Largest { quantity }.into()),
            "last" => Some(Latest { used, quantity }.into()),
            _ => self.user.map(|low| Distinct { high: 0, low }.into()),
        }
    }
}

struct Rig {
    ledger: Ledger,
    recorder: Recorder,
}

impl Rig {
    fn new() -> Rig {
        let mut rig = Rig { ledger: Ledger::new(1), recorder: Recorder::default() };
        let begins: Timestamp = BEGINS.parse().unwrap();
        let prices = METERS.map(|(aggregate, tag)| {
            format!(
                "{{ product = \"p\", meter = \"{aggregate}\", currency = \"USD\", aggregate = \"{aggregate}\", {tag}
                model = \"volume\", tiers = [{{ up_to = \"3\", unit_price = \"1\", flat = \"2\" }}, {{ unit_price = \"0.3\" }}] }}"
            )
        });
        let entries = rating::parse(&format!("price = [{}]", prices.join(", "))).unwrap();
        let changes = PriceBook::default().changes(entries, begins).unwrap();
        rig.ledger.pass(begins, &mut rig.recorder).unwrap();
        for fact in [Fact::from(PricesArrived { changes }), PricesInForce { loads: 1 }.into()] {
            rig.ledger.take(fact, &mut rig.recorder).unwrap();
        }
        rig.ask("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "US" }));
        rig.ask(
            "open_account",
            json!({ "account": "a", "enterprise": "e", "email": "x@y.example", "mode": "postpaid" }),
        );
        rig
    }

    fn ask(&mut self, name: &str, fields: serde_json::Value) {
        let asked =
            Asked { number: 1, principal: PrincipalId::operator(), key: None, origin: None };
        let command = Command::read(name, fields).unwrap().unwrap();
        self.ledger.command(&asked, &command, &mut self.recorder).unwrap();
    }

    /// Counts records that a step of metering put together: those of a minute are one line.
    fn count(&mut self, meter: usize, records: &[Record]) {
        let mut minutes: BTreeMap<Minute, (u32, BTreeMap<Value, u32>)> = BTreeMap::new();
        for record in records {
            let (count, values) = minutes.entry(record.used()).or_default();
            *count += 1;
            if let Some(value) = record.value(meter) {
                *values.entry(value).or_default() += 1;
            }
        }
        for (used, (records, values)) in minutes {
            let values: Vec<ValueCount> =
                values.into_iter().map(|(value, records)| ValueCount { value, records }).collect();
            let line = line(meter, used, records);
            self.ledger.measured(&line, &values, &mut self.recorder).unwrap();
        }
    }

    /// What the month came to, and what was charged for it.
    fn month(&self, meter: usize) -> (Amount, Amount) {
        let account = &self.ledger.accounts()[0];
        let series = account.series.iter().find(|series| series.meter.0 as usize == meter).unwrap();
        let tabs = account.tabs.iter().filter(|tab| tab.meter.0 as usize == meter);
        (series.quantity, Amount::sum(tabs.map(|tab| tab.exact)).unwrap())
    }
}

fn line(meter: usize, used: Minute, records: u32) -> Line {
    Line {
        usage_partition: 0,
        account: AccountNumber(0),
        meter: MeterNumber(u32::try_from(meter).unwrap()),
        region: RegionNumber::NONE,
        used,
        quantity: Amount::ZERO,
        records: records.into(),
    }
}

/// Q as R3.3 says it, of all records at once.
fn quantity(meter: usize, records: &[Record]) -> i64 {
    match METERS[meter].0 {
        "max" => records.iter().map(|record| record.quantity).max().unwrap(),
        "last" => {
            let last =
                records.iter().max_by_key(|r| (r.minute, r.second, r.id.to_string(), r.quantity));
            last.unwrap().quantity
        }
        _ => {
            let users = records.iter().filter_map(|record| record.user);
            i64::try_from(users.collect::<std::collections::BTreeSet<_>>().len()).unwrap()
        }
    }
}

fn price(quantity: i64) -> Amount {
    match quantity {
        0 => Amount::ZERO,
        1..=3 => Amount::whole(quantity + 2),
        _ => Amount::whole(quantity)
            .times("0.3".parse().unwrap())
            .unwrap()
            .rounded_half_even()
            .unwrap(),
    }
}

fn record() -> impl Strategy<Value = Record> {
    (0..4u32, 0..3u32, 0..12u8, 0..7i64, prop::option::of(0..6i64)).prop_map(
        |(minute, second, id, quantity, user)| Record { minute, second, id, quantity, user },
    )
}

proptest! {
    /// R3.2, R3.3: any order and any grouping of records costs the same in total.
    #[test]
    fn r3_3_any_grouping_costs_the_same(
        records in prop::collection::vec(record(), 1..24).prop_shuffle(),
        cuts in prop::collection::vec(1..6usize, 24),
        meter in 0..METERS.len(),
    ) {
        let mut rig = Rig::new();
        let (mut rest, mut seen) = (&records[..], 0);
        for cut in cuts {
            let (some, more) = rest.split_at(cut.min(rest.len()));
            if some.is_empty() {
                break;
            }
            rig.count(meter, some);
            (rest, seen) = (more, seen + some.len());
            let expected = quantity(meter, &records[..seen]);
            prop_assert_eq!(rig.month(meter), (Amount::whole(expected), price(expected)));
        }
        // What is on the tabs is what the month costs.
        let tabs = Amount::sum(rig.ledger.accounts()[0].tabs.iter().map(|tab| tab.exact)).unwrap();
        prop_assert_eq!(tabs, rig.month(meter).1);
    }

    /// A ledger that is loaded in parts while records are counted holds what the other holds.
    #[test]
    fn values_loaded_in_parts_are_all_there(
        records in prop::collection::vec((0..METERS.len(), record()), 1..40),
        begin in 0..40usize, pace in 0..4usize,
    ) {
        let mut rig = Rig::new();
        let mut copy = Ledger::new(1);
        let mut place = Some(Place::Shared);
        for (at, (meter, record)) in records.iter().enumerate() {
            let told = rig.recorder.0.len();
            rig.count(*meter, std::slice::from_ref(record));
            for recorded in rig.recorder.0.iter().skip(told).filter(|_| at > begin) {
                recorded.apply_to(&mut copy);
            }
            let turns = if at == begin { 4 } else { pace };
            for _ in (0..turns).filter(|_| at >= begin) {
                load(&mut copy, &rig.ledger, &mut place);
            }
        }
        while place.is_some() {
            load(&mut copy, &rig.ledger, &mut place);
        }
        prop_assert!(pieces(&copy) == pieces(&rig.ledger));
    }
}

/// Loads the next piece. One of values has two.
fn load(copy: &mut Ledger, ledger: &Ledger, place: &mut Option<Place>) {
    let Some(at) = place.take() else { return };
    copy.begin_load();
    let (piece, after) = match at {
        Place::Values(from) => {
            let (series, until) = ledger.values.part(from.as_ref(), 2);
            let after = until.clone().map_or(Place::Wallets(0), |until| Place::Values(Some(until)));
            (SomeValues { series, until }.into(), Some(after))
        }
        at => ledger.piece(at, 1),
    };
    copy.load(piece).unwrap();
    *place = after;
    if place.is_none() {
        copy.loaded();
    }
}

/// R3.3: by time of use, then by id; of one id and time (two sources) the larger.
#[test]
fn r3_3_the_last_by_time_of_use_ties_by_id() {
    let mut rig = Rig::new();
    let mut check = |minute, second, id, quantity, expected| {
        rig.count(1, &[Record { minute, second, id, quantity, user: None }]);
        assert_eq!(rig.month(1).0, Amount::whole(expected), "{minute}:{second} {id}");
    };
    check(1, 30, 5, 9, 9);
    check(1, 29, 9, 4, 9);
    check(0, 59, 9, 4, 9);
    check(1, 30, 4, 8, 9);
    check(1, 30, 6, 2, 2);
    check(1, 30, 6, 3, 3);
    check(1, 31, 0, 0, 0);
}

/// R3.3: a record without the tag has none of its values, but is a record.
#[test]
fn r3_3_a_record_without_the_tag_is_no_value() {
    let mut rig = Rig::new();
    let mut check = |user, expected| {
        rig.count(2, &[Record { minute: 0, second: 0, id: 0, quantity: 7, user }]);
        assert_eq!(rig.month(2).0, Amount::whole(expected));
    };
    check(None, 0);
    check(Some(4), 1);
    check(Some(4), 1);
    check(None, 1);
    check(Some(5), 2);
}

/// A month's values go when no record of it is accepted any more.
#[test]
fn values_are_forgotten_with_their_month() {
    let mut rig = Rig::new();
    let used: Timestamp = BEGINS.parse().unwrap();
    let count = |rig: &mut Rig, used: Timestamp| {
        let values = [ValueCount { value: Largest { quantity: Amount::ONE }.into(), records: 1 }];
        rig.ledger.measured(&line(0, used.minute(), 1), &values, &mut rig.recorder).unwrap();
        rig.ledger.values.table.keys().map(|key| key.month.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(count(&mut rig, used), ["2026-03"]);
    let pass = |rig: &mut Rig, days| {
        let now = used.plus(crate::time::Span::days(days));
        rig.ledger.pass(now, &mut rig.recorder).unwrap();
        now
    };
    // 35 days of age, 7 in the rejects, and the widest of time zones.
    let now = pass(&mut rig, 64);
    assert_eq!(count(&mut rig, now), ["2026-03", "2026-05"]);
    let now = pass(&mut rig, 67);
    assert_eq!(count(&mut rig, now), ["2026-05"]);
}

/// The month's series of an account, and a value of it that so many records said.
fn key(account: u32) -> SeriesKey {
    SeriesKey {
        month: "2026-03".parse().unwrap(),
        account: AccountNumber(account),
        wallet: WalletNumber(0),
        meter: MeterNumber(0),
        region: RegionNumber::NONE,
        price: PriceNumber(0),
    }
}

fn largest(quantity: i64) -> Value {
    Largest { quantity: Amount::whole(quantity) }.into()
}

fn distinct(low: i64) -> Value {
    Distinct { high: 0, low }.into()
}

/// R2.5: a value stays as long as another record said it; then the one before it counts.
#[test]
fn r2_5_a_value_goes_with_the_last_record_that_said_it() {
    let mut values = Values::default();
    let said = [(largest(5), 1), (largest(7), 2), (distinct(1), 1)];
    for (value, records) in said {
        let series = key(u32::from(matches!(value, Value::Distinct(_))));
        values.add(series, &ValueCount { value, records }).unwrap();
    }
    values.add(key(1), &ValueCount { value: distinct(2), records: 3 }).unwrap();
    let without = |values: &Values, series, value: &Value| {
        values.quantity_without(&key(series), value).map(|it| it.to_string())
    };
    let cases: [(u32, Value, Option<&str>); 6] = [
        (0, largest(7), Some("7")),
        (0, largest(5), Some("7")),
        (0, largest(6), None),
        (1, distinct(1), Some("1")),
        (1, distinct(2), Some("2")),
        (2, distinct(2), None),
    ];
    for (series, value, expected) in cases {
        assert_eq!(without(&values, series, &value).as_deref(), expected, "{series} {value:?}");
    }
    values.take_back(key(0), &largest(7)).unwrap();
    assert_eq!(without(&values, 0, &largest(7)).as_deref(), Some("5"));
    assert_eq!(without(&values, 0, &largest(5)).as_deref(), Some("7"));
    values.take_back(key(0), &largest(7)).unwrap();
    assert_eq!(without(&values, 0, &largest(7)), None);
    assert_eq!(without(&values, 0, &largest(5)).as_deref(), Some("0"));
    values.take_back(key(0), &largest(5)).unwrap();
    assert!(!values.table.contains_key(&key(0)));
    let broken = Err(Broken("a value is taken back that no record said"));
    assert_eq!(values.take_back(key(0), &largest(5)), broken);
    assert_eq!(values.take_back(key(1), &distinct(7)), broken);
}

/// A fact about a value that a piece is still to bring is passed over; about one that is loaded it is not.
#[test]
fn values_behind_what_is_loaded_come_with_a_later_piece() {
    let mut values = Values::default();
    let place = |series, value| ValuePlace { series: key(series), value };
    let cases = [(0, 9, true), (1, 4, true), (1, 5, true), (1, 6, false), (2, 1, false)];
    for (series, quantity, is_there) in cases {
        values.reach = Reach::Until(Some(place(1, largest(5))));
        let value = largest(quantity);
        values.add(key(series), &ValueCount { value: value.clone(), records: 1 }).unwrap();
        let known = values.table.get(&key(series)).is_some_and(|it| it.contains_key(&value));
        assert_eq!(known, is_there, "{series} {quantity}");
    }
    values.begin_load();
    values.add(key(0), &ValueCount { value: largest(1), records: 1 }).unwrap();
    assert_eq!(values.take_back(key(7), &largest(1)), Ok(()));
    values.loaded();
    assert_eq!(values.table[&key(0)].len(), 1);
}

/// A month's quantity is made of a million different values at most; what is there already is no new one.
#[test]
fn a_month_has_a_million_different_values_at_most() {
    let mut values = Values::default();
    let most = i64::try_from(VALUES_MAX).unwrap();
    let known = (1..most).map(|low| (distinct(low), 1)).collect();
    values.table.insert(key(0), known);
    let with = |new: &[i64]| {
        let more = new.iter().map(|low| ValueCount { value: distinct(*low), records: 1 });
        values.quantity_with(&key(0), &more.collect::<Vec<_>>())
    };
    assert_eq!(with(&[1, 2]), Ok(Amount::whole(most - 1)));
    assert_eq!(with(&[1, most]), Ok(Amount::whole(most)));
    assert_eq!(with(&[most, most + 1]), Err(Unpriced::TooManyValues));
}
