//! What benefits cover, and what that leaves to be charged.

use super::super::asking::Asking;
use super::super::{Accrued, Fact, Line, Piece, Place};
use super::*;
use crate::rating::{Largest, ValueCount};
use crate::time::Timestamp;

const MARCH: &str = r#"valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z""#;
const PACK: &str = r#"kind = "storage_package", product = "p", meter = "m""#;
const INSTANCE: &str = r#"kind = "reserved_instance", product = "p", meter = "m""#;
const PLAN: &str = r#"kind = "savings_plan", product = "p""#;
const RICH: &str = r#"amount = "1000", currency = "USD", method = "bank_transfer""#;

fn rich() -> Asking {
    let mut asking = Asking::with_members();
    asking.table(&format!("operator | top_up | billing_account = \"ba-a\", {RICH} | ok"));
    asking
}

/// R9.8: a storage package is a total over its validity, and what it covers does not enter Q.
#[test]
fn r9_8_a_storage_package_covers_a_total() {
    rich().table(&format!(
        r#"
        a | buy_benefit | billing_account = "ba-a", benefit = "pack", {PACK}, quantity = "10", price = "5", {MARCH} | ok
        use | a | 4
        see | balance ba-a | unsettled_current = "0"
        see | benefit ba-a/pack | covered = "4", drawn = "4", left = "6"
        at | 2026-03-20T00:00:00Z
        # In part: 6 are covered.
        use | a | 10
        see | benefit ba-a/pack | covered = "10", left = "0"
        see | balance ba-a | unsettled_current = "4"
        use | a | 1
        see | balance ba-a | unsettled_current = "5"
        "#
    ));
}

/// R9.8: a reserved instance is so much per hour of use, whenever it is told.
#[test]
fn r9_8_a_reserved_instance_covers_so_much_an_hour() {
    rich().table(&format!(
        r#"
        a | buy_benefit | billing_account = "ba-a", benefit = "ri", {INSTANCE}, quantity = "3", price = "5", {MARCH} | ok
        at | 2026-03-01T00:10:00Z
        use | a | 2
        use | a | 2
        see | balance ba-a | unsettled_current = "1"
        see | benefit ba-a/ri | covered = "3", left = "0"
        at | 2026-03-01T01:10:00Z
        # Unused, it lapses; each hour has its own.
        use | a | 3
        use | a | 1 | p/m@2026-03-01T00:50:00Z
        see | balance ba-a | unsettled_current = "1"
        see | benefit ba-a/ri | covered = "6", left = "0"
        at | 2026-03-01T02:00:00Z
        see | benefit ba-a/ri | left = "3"
        "#
    ));
}

/// R9.8: a savings plan is drawn at the price change less its discount; unused, it lapses.
#[test]
fn r9_8_a_savings_plan_spends_so_much_an_hour() {
    rich().table(&format!(
        r#"
        a | buy_benefit | billing_account = "ba-a", benefit = "plan", {PLAN}, commitment = "8", discount = "0.2", price = "5", {MARCH} | ok
        at | 2026-03-01T00:10:00Z
        use | a | 5
        see | benefit ba-a/plan | covered = "5", drawn = "4", left = "4"
        see | balance ba-a | unsettled_current = "0"
        # 10 would draw 8, of which 4 are left: half of it is covered.
        use | a | 10
        see | benefit ba-a/plan | covered = "10", drawn = "8", left = "0"
        see | balance ba-a | unsettled_current = "5"
        at | 2026-03-01T01:00:00Z
        see | benefit ba-a/plan | left = "8"
        use | a | 3
        see | benefit ba-a/plan | covered = "13", drawn = "10.4", left = "5.6"
        "#
    ));
}

/// R9.8, R2.5: a void takes uncovered quantity of that hour first, then gives coverage back, latest first.
#[test]
fn r9_8_a_void_takes_what_was_not_covered_first() {
    rich().table(&format!(
        r#"
        a | buy_benefit | billing_account = "ba-a", benefit = "plan", {PLAN}, commitment = "4", discount = "0.2", price = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-03-02T00:00:00Z" | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "pack", {PACK}, quantity = "3", price = "5", {MARCH} | ok
        at | 2026-03-01T00:10:00Z
        # Of 10 the plan covers half for its 4, the package 3, and 2 are left.
        use | a | 10
        see | benefit ba-a/plan | covered = "5", drawn = "4", left = "0"
        see | benefit ba-a/pack | covered = "3", left = "0"
        see | balance ba-a | unsettled_current = "2"
        at | 2026-03-01T01:10:00Z
        see | balance ba-a | cash = "988", unsettled_current = "0"
        use | a | 1
        see | benefit ba-a/plan | covered = "6", drawn = "4.8"
        # The hour's own uncovered 2 go first, which are billed already; then the package's latest.
        void | a | 3 | p/m@2026-03-01T00:10:00Z
        see | benefit ba-a/pack | covered = "2", drawn = "2", left = "1"
        see | balance ba-a | unsettled_current = "-2"
        void | a | 4 | p/m@2026-03-01T00:10:00Z
        see | benefit ba-a/pack | covered = "0", drawn = "0", left = "3"
        # Two of the plan's five: two fifths of what they drew.
        see | benefit ba-a/plan | covered = "4", drawn = "3.2"
        # That is there again in that hour for what comes late.
        use | a | 2 | p/m@2026-03-01T00:20:00Z
        see | benefit ba-a/plan | covered = "6", drawn = "4.8"
        see | balance ba-a | unsettled_current = "-2"
        void | a | 5 | p/m@2026-03-01T00:10:00Z
        see | benefit ba-a/plan | covered = "1", drawn = "0.8"
        # Nothing of that hour is left, and another hour's is untouched.
        void | a | 1 | p/m@2026-03-01T01:10:00Z
        see | benefit ba-a/plan | covered = "0", drawn = "0", left = "4"
        at | 2026-03-01T02:00:00Z
        see | balance ba-a | cash = "990", unsettled_current = "0"
        "#
    ));
}

/// R9.8, R3.2: prices by tier go on with what was not covered. What costs nothing is not covered.
#[test]
fn r9_8_what_is_covered_does_not_enter_q() {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "graduated", tiers = [{ up_to = "100", unit_price = "0" }, { unit_price = "0.1" }] },
            { product = "p", meter = "fee", currency = "USD", model = "flat", amount = "9" },
            { product = "p", meter = "block", currency = "USD", model = "package", package = "10", amount = "7" },
            { product = "p", meter = "calls", currency = "USD", model = "per_unit", unit_price = "1", aggregate = "count" },
            { product = "p", meter = "peak", currency = "USD", model = "per_unit", unit_price = "1", aggregate = "max" },
        ]"#,
    );
    asking.members();
    asking.table(&format!(
        r#"
        operator | top_up | billing_account = "ba-a", {RICH} | ok
        operator | top_up | billing_account = "ba-b", {RICH} | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "pack", {PACK}, quantity = "50", price = "5", {MARCH} | ok
        # 50 are covered, and 100 are free beside.
        use | a | 200
        see | balance ba-a | unsettled_current = "5"
        b | buy_benefit | billing_account = "ba-b", benefit = "plan", {PLAN}, commitment = "1", discount = "0.5", price = "5", {MARCH} | ok
        use | b | 90
        see | benefit ba-b/plan | covered = "0"
        # 10 are free, and enter Q; 10 cost 1, and draw half of that.
        use | b | 20
        see | benefit ba-b/plan | covered = "10", drawn = "0.5"
        use | b | 20
        see | benefit ba-b/plan | covered = "20", drawn = "1", left = "0"
        # 10 of 20 were covered before the commitment ran out.
        see | balance ba-b | unsettled_current = "1"
        c | buy_benefit | billing_account = "ba-c", benefit = "all", kind = "storage_package", product = "p", quantity = "2", price = "5", {MARCH} | insufficient_funds
        operator | top_up | billing_account = "ba-c", {RICH} | ok
        c | buy_benefit | billing_account = "ba-c", benefit = "all", kind = "storage_package", product = "p", quantity = "2", price = "5", {MARCH} | ok
        # A fee is for no quantity. Records are counted.
        use | c | 1 | p/fee
        see | benefit ba-c/all | covered = "0"
        use | c | 5 | p/calls
        see | benefit ba-c/all | covered = "1"
        use | c | 5 | p/block
        see | benefit ba-c/all | covered = "2", left = "0"
        # 4 of the block are left to be charged, so it is started.
        see | balance ba-c | unsettled_current = "16"
        operator | buy_benefit | billing_account = "ba-c", benefit = "plan", {PLAN}, commitment = "100", price = "5", {MARCH} | ok
        # What is sold in blocks is not for a savings plan.
        use | c | 10 | p/block
        see | benefit ba-c/plan | covered = "0"
        see | balance ba-c | unsettled_current = "23"
        "#
    ));
}

/// R9.8: own before shared, soonest expiry first, then by name; own is what its wallet pays for and its owner
/// uses.
#[test]
fn r9_8_own_before_shared_and_the_soonest_expiry_first() {
    let until = |day: u32| {
        format!(r#"valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-03-{day}T00:00:00Z""#)
    };
    rich().table(&format!(
        r#"
        operator | top_up | billing_account = "ba-b", {RICH} | ok
        b | buy_benefit | billing_account = "ba-b", benefit = "sooner", {PACK}, quantity = "2", price = "1", {ten}, accounts = ["a"] | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "z", {PACK}, quantity = "2", price = "1", {twenty} | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "y", {PACK}, quantity = "2", price = "1", {twenty} | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "x", {PACK}, quantity = "2", price = "1", {thirty} | ok
        use | a | 1
        see | benefit ba-a/y | left = "1"
        use | a | 3
        see | benefit ba-a/z | left = "0"
        use | a | 3
        see | benefit ba-a/x | left = "0"
        see | benefit ba-b/sooner | left = "1"
        # It serves those for whom its wallet pays, and goes on to serve its owner.
        operator | change_payer | account = "a", billing_account = "ba-c" | ok
        operator | change_payer | account = "c", billing_account = "ba-b" | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "own", {PACK}, quantity = "2", price = "1", {ten} | ok
        at | 2026-03-01T00:01:00Z
        use | c | 1
        see | benefit ba-b/sooner | left = "0"
        use | a | 2
        see | benefit ba-a/own | left = "0"
        see | balance ba-a | unsettled_current = "0"
        see | balance ba-b | unsettled_current = "0"
        see | balance ba-c | unsettled_current = "0"
        use | a | 2
        see | balance ba-c | unsettled_current = "2"
        "#,
        ten = until(10),
        twenty = until(20),
        thirty = until(30),
    ));
}

/// R9.8, R3.5: hours are those of the billing account whose benefit it is.
#[test]
fn r9_8_hours_of_use_are_local() {
    let mut asking = Asking::with_members();
    asking.table(&format!(
        r#"
        operator | open_account | account = "k", enterprise = "e", email = "x@y.example", mode = "postpaid", time_zone = "Asia/Kolkata" | ok
        operator | top_up | billing_account = "ba-k", {RICH} | ok
        k | buy_benefit | billing_account = "ba-k", benefit = "ri", {INSTANCE}, quantity = "1", price = "1", {MARCH} | ok
        at | 2026-03-01T00:20:00Z
        use | k | 1
        at | 2026-03-01T00:40:00Z
        use | k | 1
        see | benefit ba-k/ri | covered = "2"
        at | 2026-03-01T01:20:00Z
        use | k | 1
        see | benefit ba-k/ri | covered = "2"
        see | balance ba-k | unsettled_current = "1"
        "#
    ));
}

/// R9.8: what a record taken back will need is known: what of its hour was not covered, and what was, in order.
#[test]
fn r9_8_an_hour_knows_what_was_covered_in_it() {
    let mut asking = rich();
    asking.table(&format!(
        r#"
        at | 2026-03-01T00:10:00Z
        use | a | 5
        a | buy_benefit | billing_account = "ba-a", benefit = "ri", {INSTANCE}, quantity = "3", price = "5", {MARCH} | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "pack", {PACK}, quantity = "2", price = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-05-01T00:00:00Z" | ok
        use | a | 2
        use | a | 4
        at | 2026-03-01T01:10:00Z
        use | a | 1
        "#
    ));
    let hours = covered_hours(&asking.ledger);
    let [first, second] = &hours[..] else { panic!("{hours:?}") };
    assert_eq!(first.uncovered.to_string(), "6");
    let of = |place: usize| {
        let portion = &first.portions[place];
        (portion.benefit.to_string(), portion.quantity.to_string())
    };
    assert_eq!(of(0), ("ri".to_owned(), "3".to_owned()));
    assert_eq!(of(1), ("pack".to_owned(), "2".to_owned()));
    assert_eq!(first.portions.len(), 2);
    assert!(second.uncovered.is_zero() && second.portions.len() == 1);
    // Once no record of it can come or be taken back any more, it is forgotten.
    asking.table("at | 2026-03-31T23:00:00Z\nuse | a | 1\nat | 2026-05-20T00:00:00Z\n");
    asking.table(&format!(
        r#"
        a | buy_benefit | billing_account = "ba-a", benefit = "later", {PACK}, quantity = "2", price = "5", valid_from = "2026-05-01T00:00:00Z", valid_until = "2026-06-01T00:00:00Z" | ok
        use | a | 1
        "#
    ));
    assert_eq!(covered_hours(&asking.ledger).len(), 1);
}

fn covered_hours(ledger: &Ledger) -> Vec<CoveredHour> {
    match ledger.piece(Place::Coverage(None), usize::MAX) {
        (Piece::SomeCoverage(piece), Some(Place::Wallets(0))) => piece.hours,
        other => panic!("{other:?}"),
    }
}

/// Accounts that nobody has bought anything for leave no trace of it.
#[test]
fn r9_8_who_has_no_benefit_is_charged_as_ever() {
    let mut asking = rich();
    asking.table(&format!(
        r#"
        a | buy_benefit | billing_account = "ba-a", benefit = "pack", {PACK}, quantity = "2", price = "5", {MARCH} | ok
        use | b | 5
        see | balance ba-b | unsettled_current = "5"
        see | benefit ba-a/pack | covered = "0"
        "#
    ));
    assert!(!asking.facts.0.iter().any(|fact| matches!(fact, Fact::Covered(_))));
}

/// The table is taken apart hour by hour while usage comes, and put together again.
#[test]
fn coverage_is_loaded_piece_by_piece() {
    let mut asking = rich();
    asking.table(&format!(
        "a | buy_benefit | billing_account = \"ba-a\", benefit = \"ri\", {INSTANCE}, quantity = \"3\", price = \"5\", {MARCH} | ok",
    ));
    let bought = asking.facts.0.len();
    for hour in 0..6 {
        asking.table(&format!("at | 2026-03-01T0{hour}:10:00Z\nuse | a | 2"));
        let late = hour / 2;
        asking.table(&format!("use | a | 2 | p/m@2026-03-01T0{late}:40:00Z"));
    }
    let facts: Vec<&Fact> =
        asking.facts.0[bought..].iter().filter(|fact| matches!(fact, Fact::Covered(_))).collect();
    let expected = covered_hours(&asking.ledger);
    let begun = || {
        let mut ledger = Ledger::new(1);
        asking.facts.0[..bought].iter().for_each(|fact| ledger.apply(fact).unwrap());
        ledger
    };
    for most in 1..4 {
        let (mut source, mut target, mut place) = (begun(), begun(), Some(Place::Coverage(None)));
        target.begin_load();
        let mut facts = facts.iter();
        while let Some(at @ Place::Coverage(_)) = place {
            let (piece, after) = source.piece(at, most);
            target.load(piece).unwrap();
            place = after;
            for fact in facts.by_ref().take(most) {
                source.apply(fact).unwrap();
                target.apply(fact).unwrap();
            }
        }
        target.loaded();
        for fact in facts {
            target.apply(fact).unwrap();
        }
        assert_eq!(covered_hours(&target), expected, "{most} at a time");
    }
}

/// What a charge says was used is what was not covered; where records count, it is what they said (R13.4).
#[test]
fn r13_4_a_charge_shows_what_was_not_covered() {
    #[derive(Default)]
    struct Shown(Vec<String>);
    impl Journal for Shown {
        fn fact(&mut self, _: &Ledger, _: &Fact) {}
        fn accrued(&mut self, _: &Ledger, accrued: &[Accrued], line: &Line) {
            let entered = Amount::sum(accrued.iter().map(|it| it.quantity)).unwrap();
            self.0.push(format!("{} {entered}", line.quantity));
        }
    }
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "p", meter = "calls", currency = "USD", model = "per_unit", unit_price = "1", aggregate = "count" },
            { product = "p", meter = "peak", currency = "USD", model = "per_unit", unit_price = "1", aggregate = "max" },
        ]"#,
    );
    asking.members();
    asking.table(&format!(
        r#"
        operator | top_up | billing_account = "ba-a", {RICH} | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "pack", {PACK}, quantity = "4", price = "5", {MARCH} | ok
        "#
    ));
    let line = |ledger: &Ledger, meter: &str, quantity: i64| Line {
        usage_partition: 0,
        account: ledger.account_named(&"a".parse().unwrap()).unwrap(),
        meter: ledger.book().meter(&"p".parse().unwrap(), &meter.parse().unwrap()).unwrap(),
        region: RegionNumber::NONE,
        used: ledger.clock().now().minute(),
        quantity: Amount::whole(quantity),
        records: 1,
    };
    let mut shown = Shown::default();
    for (meter, quantity) in [("m", 10), ("m", 3), ("calls", 7)] {
        let line = line(&asking.ledger, meter, quantity);
        asking.ledger.line(&line, &mut shown).unwrap();
    }
    // Of 13 units 9 entered the month's quantity: of 11 taken back they go first.
    for (meter, quantity) in [("calls", 7), ("m", 2), ("m", 9)] {
        let line = line(&asking.ledger, meter, quantity);
        asking.ledger.take_back(&line, None, &mut shown).unwrap();
    }
    assert_eq!(shown.0, ["6 6", "3 3", "7 1", "-7 -1", "-2 -2", "-7 -7"]);
    // Where a value makes the month's quantity, it is by how much that has risen.
    for (largest, expected) in [(7, "7 7"), (9, "2 2"), (8, "0 0")] {
        let line = line(&asking.ledger, "peak", 1);
        let value = Largest { quantity: Amount::whole(largest) }.into();
        let values = [ValueCount { value, records: 1 }];
        asking.ledger.measured(&line, &values, &mut shown).unwrap();
        assert_eq!(shown.0.last().unwrap(), expected);
    }
}

fn hour(minute: &str, quantity: i64) -> CoveredHour {
    let hour = minute.parse::<Timestamp>().unwrap().minute();
    let portion = Portion {
        wallet: WalletNumber(0),
        benefit: "ri".parse().unwrap(),
        hour: Some(hour),
        quantity: Amount::whole(quantity),
        drawn: Amount::whole(quantity),
    };
    let (account, meter, region) = (AccountNumber(0), MeterNumber(0), RegionNumber::NONE);
    let of = HourOfUse { hour, account, meter, region };
    CoveredHour { of, uncovered: Amount::ZERO, portions: vec![portion] }
}

/// While the table is loaded, what happens to hours that are there already is added, and what happens to later ones
/// comes with them.
#[test]
fn only_hours_that_are_loaded_are_added_to() {
    let [first, second, third] =
        ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "2026-03-01T02:00:00Z"];
    let mut coverage = Coverage::default();
    let quantities = |coverage: &Coverage| {
        [first, second, third].map(|at| {
            let (_, portions) = coverage.of(&hour(at, 0).of)?;
            Some(portions[0].quantity.whole_part())
        })
    };
    coverage.begin_load();
    coverage.add(&hour(first, 1)).unwrap();
    assert_eq!(quantities(&coverage), [None, None, None]);
    coverage.load(&[hour(first, 10), hour(second, 10)], Some(hour(second, 0).of)).unwrap();
    for at in [first, second, third] {
        coverage.add(&hour(at, 2)).unwrap();
    }
    assert_eq!(quantities(&coverage), [Some(12), Some(12), None]);
    coverage.loaded();
    coverage.add(&hour(third, 3)).unwrap();
    assert_eq!(quantities(&coverage), [Some(12), Some(12), Some(3)]);
    let drawn = coverage.drawn(hour(second, 0).of.hour, WalletNumber(0), &"ri".parse().unwrap());
    assert_eq!(drawn, Amount::whole(12));
}

/// R2.4: an hour is kept as long as a record of it may come or be taken back, and not a minute longer.
#[test]
fn r2_4_hours_that_no_record_can_reach_are_forgotten() {
    let [first, second] = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"];
    let kept = |oldest: &str| {
        let mut coverage = Coverage::default();
        [first, second].iter().for_each(|at| coverage.add(&hour(at, 1)).unwrap());
        coverage.forget_before(oldest.parse::<Timestamp>().unwrap().minute());
        (coverage.table.len(), coverage.drawn.len())
    };
    assert_eq!(kept(first), (2, 2));
    assert_eq!(kept("2026-03-01T00:01:00Z"), (1, 1));
    assert_eq!(kept(second), (1, 1));
    assert_eq!(kept("2026-03-01T01:01:00Z"), (0, 0));
}
