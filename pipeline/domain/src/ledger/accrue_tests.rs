//! What becomes of a line: on which tab it lands, at what price, and what is set aside.

use super::super::Ledger;
use super::super::asking::Asking;
use super::super::fact::{Fact, SetAside, Unpriced};
use super::*;

const PRICES: &str = r#"price = [
    { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
    { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "2", effective_from = "2026-03-01T00:30:00Z" },
    { product = "p", meter = "tiers", currency = "USD", model = "graduated", tiers = [{ up_to = "10", unit_price = "1" }, { unit_price = "2" }] },
    { product = "p", meter = "fee", currency = "USD", model = "flat", amount = "9" },
    { product = "p", meter = "euro", currency = "EUR", model = "per_unit", unit_price = "1" },
]"#;

fn asking() -> Asking {
    let mut asking = Asking::with_prices(PRICES);
    asking.members();
    asking
}

/// The tabs of an account: region, tier, quantity, exact charge, the end of their cycle, and whether they are late.
fn tabs(ledger: &Ledger, account: &str) -> Vec<String> {
    let account = ledger.account(ledger.account_named(&account.parse().unwrap()).unwrap()).unwrap();
    let said = |tab: &Tab| {
        let Tab { region, tier, quantity, exact, ends, adjustment, .. } = tab;
        let late = if *adjustment { " late" } else { "" };
        format!("{} {} {quantity} {exact} {}{late}", region.0, tier.0, ends.starts())
    };
    account.tabs.iter().map(said).collect()
}

fn line(ledger: &Ledger, usage_partition: u32, region: RegionNumber, used: &str) -> Line {
    let meter = ledger.book().meter(&"p".parse().unwrap(), &"m".parse().unwrap());
    Line {
        usage_partition,
        account: ledger.account_named(&"a".parse().unwrap()).unwrap(),
        meter: meter.unwrap(),
        region,
        used: used.parse::<Timestamp>().unwrap().minute(),
        quantity: Amount::whole(1),
        records: 1,
    }
}

/// R2.3: a line without a price is set aside whole, with the reason, and costs nothing.
#[test]
fn r2_3_what_has_no_price_is_set_aside_whole() {
    let mut asking = asking();
    asking.table(
        r#"
        at | 2026-03-01T00:10:00Z
        use | a | 5 | p/euro
        see | balance ba-a | unsettled_current = "0"
        "#,
    );
    let aside = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::SetAside(aside) => Some(aside.clone()),
        _ => None,
    });
    let expected = SetAside {
        account: asking.ledger.account_named(&"a".parse().unwrap()).unwrap(),
        used: "2026-03-01T00:10:00Z".parse::<Timestamp>().unwrap().minute(),
        quantity: Amount::whole(5),
        records: 1,
        why: Unpriced::NoPrice,
    };
    assert_eq!(aside.collect::<Vec<_>>(), [expected]);
}

/// R3.2: a fee is for records, not for their quantity: one of no quantity costs it as well, and it comes once.
#[test]
fn r3_2_a_fee_comes_with_the_first_record_whatever_its_quantity() {
    asking().table(
        r#"
        use | a | 0 | p/fee
        see | balance ba-a | unsettled_current = "9"
        use | a | 100 | p/fee
        see | balance ba-a | unsettled_current = "9"
        "#,
    );
}

/// A region is numbered when usage first names it, and keeps its number.
#[test]
fn regions_are_numbered_in_the_order_in_which_they_are_named() {
    let mut asking = asking();
    let numbers = ["eu", "us", "eu", "us", "sg"].map(|region| {
        let (ledger, facts) = (&mut asking.ledger, &mut asking.facts);
        ledger.region_number(&region.parse().unwrap(), facts).unwrap().0
    });
    assert_eq!(numbers, [1, 2, 1, 2, 3]);
}

/// R12.3, R3.1: what a bill shows apart is kept apart from the first record on: prices, tiers and regions. What has all
/// of these in common is one.
#[test]
fn r12_3_prices_tiers_and_regions_have_tabs_of_their_own() {
    let mut asking = asking();
    asking.table(
        r#"
        at | 2026-03-01T00:10:00Z
        use | a | 3
        at | 2026-03-01T00:40:00Z
        use | a | 5
        use | a | 1 | p/m@2026-03-01T00:20:00Z
        use | a | 2
        use | b | 4 | p/tiers
        use | b | 10 | p/tiers
        use | b | 1 | p/tiers
        use | b | 0.5 | p/tiers
        "#,
    );
    let end_of_hour = "2026-03-01T01:00:00Z";
    assert_eq!(
        tabs(&asking.ledger, "a"),
        [format!("0 0 4 4 {end_of_hour}"), format!("0 0 7 14 {end_of_hour}")]
    );
    assert_eq!(
        tabs(&asking.ledger, "b"),
        [format!("0 1 10 10 {end_of_hour}"), format!("0 2 5.5 11 {end_of_hour}")]
    );
    for region in ["eu", "us", "us", "eu"] {
        let (ledger, facts) = (&mut asking.ledger, &mut asking.facts);
        let region = ledger.region_number(&region.parse().unwrap(), facts).unwrap();
        let line = line(ledger, 0, region, "2026-03-01T00:40:00Z");
        ledger.line(&line, facts).unwrap();
    }
    assert_eq!(
        tabs(&asking.ledger, "a")[2..],
        [format!("1 0 2 4 {end_of_hour}"), format!("2 0 2 4 {end_of_hour}")]
    );
}

/// R11.2: a cap is measured by all that a line costs, however many tiers it reaches into.
#[test]
fn r11_2_a_line_over_several_tiers_counts_whole_against_a_cap() {
    let mut asking = asking();
    asking.table(
        r#"
        operator | adjust | billing_account = "ba-a", amount = "100", reason = "r" | ok
        a | allocate_spend | account = "a", monthly_cap = "15" | ok
        use | a | 5 | p/tiers
        use | a | 6 | p/tiers
        see | account a | allocation = { monthly_cap = "15", month = "2026-03", month_charged = "12", authorized = "0", left = "3" }
        "#,
    );
    let told = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::Noticed(noticed) => noticed.cap.as_ref().map(|cap| (cap.percent, cap.charged)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(80, Amount::whole(12))]);
}

/// The same ledger, heard from by two partitions of usage.
fn of_two_partitions() -> Ledger {
    let mut ledger = Ledger::new(2);
    asking().facts.0.iter().for_each(|fact| ledger.apply(fact).unwrap());
    ledger
}

fn marks(ledger: &mut Ledger, now: &str, marks: [&str; 2]) {
    let facts = &mut super::super::asking::Facts::default();
    ledger.pass(now.parse().unwrap(), facts).unwrap();
    for (partition, mark) in (0..).zip(marks) {
        ledger.mark(partition, mark.parse().unwrap(), facts).unwrap();
    }
    while ledger.fire(usize::MAX, facts).unwrap().more {}
}

fn takes(ledger: &mut Ledger, usage_partition: u32, used: &str) {
    let line = line(ledger, usage_partition, RegionNumber::NONE, used);
    ledger.line(&line, &mut super::super::asking::Facts::default()).unwrap();
}

/// R2.4: usage is late by the mark of the partition it comes from. What another still brings in time goes on the bill
/// of its cycle, which waits for that.
#[test]
fn r2_4_usage_is_late_by_the_mark_of_its_own_partition() {
    let mut ledger = of_two_partitions();
    marks(&mut ledger, "2026-03-01T00:40:00Z", ["2026-03-01T00:40:00Z"; 2]);
    takes(&mut ledger, 0, "2026-03-01T00:10:00Z");
    let times = ["2026-03-01T01:10:00Z", "2026-03-01T00:59:59Z"];
    marks(&mut ledger, "2026-03-01T01:10:00Z", times);
    takes(&mut ledger, 1, "2026-03-01T00:20:00Z");
    takes(&mut ledger, 0, "2026-03-01T00:20:00Z");
    assert_eq!(
        tabs(&ledger, "a"),
        ["0 0 2 2 2026-03-01T01:00:00Z", "0 0 1 1 2026-03-01T02:00:00Z late"]
    );
    // At the very end of the cycle it is late, too, and joins the cycle in which it arrives.
    marks(&mut ledger, "2026-03-01T01:10:00Z", [times[0], "2026-03-01T01:00:00Z"]);
    takes(&mut ledger, 1, "2026-03-01T00:20:00Z");
    assert_eq!(tabs(&ledger, "a"), ["0 0 2 2 2026-03-01T02:00:00Z late"]);
}

/// R2.4, R5.1: a partition that lags longer than bills wait for it brings late usage, which joins the first cycle whose
/// bill is not out yet.
#[test]
fn r2_4_usage_of_a_partition_that_lags_joins_a_bill_that_is_not_out_yet() {
    let mut ledger = of_two_partitions();
    let lag = "2026-03-01T00:50:00Z";
    let begins: Timestamp = "2026-03-01T00:50:00Z".parse().unwrap();
    for minute in 0..=371 {
        let now = begins.plus(crate::time::Span::minutes(minute)).to_string();
        marks(&mut ledger, &now, [&now, lag]);
    }
    assert_eq!(ledger.clock().gate(), "2026-03-01T01:00:00Z".parse().unwrap());
    takes(&mut ledger, 1, "2026-03-01T00:55:00Z");
    assert_eq!(tabs(&ledger, "a"), ["0 0 1 2 2026-03-01T02:00:00Z late"]);
}
