//! How fast a wallet is used up, and by what.

use super::super::asking::Asking;
use super::*;

fn asking() -> Asking {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "2", effective_from = "2026-03-02T00:00:00Z" },
            { product = "p", meter = "n", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "q", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "q", meter = "free", currency = "USD", model = "per_unit", unit_price = "0" },
        ]"#,
    );
    asking.members();
    asking
}

fn number(asking: &Asking) -> WalletNumber {
    asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

/// The hours of use that a wallet remembers, and what they cost.
fn burn(asking: &Asking) -> Vec<String> {
    let wallet = asking.ledger.wallet(number(asking)).unwrap();
    wallet.burn.iter().map(|it| format!("{} {}", it.hour.starts(), it.charge)).collect()
}

/// R8.6: charges burn by their time of use, however late they come; the hours of the last 168 are remembered.
#[test]
fn r8_6_hours_of_use_stand_in_their_order_for_168_hours() {
    let mut asking = asking();
    asking.table(
        r#"
        at | 2026-03-01T00:10:00Z
        use | a | 5
        at | 2026-03-01T03:10:00Z
        use | a | 7
        at | 2026-03-01T04:10:00Z
        use | a | 1 | p/m@2026-03-01T00:30:00Z
        use | a | 2 | p/m@2026-03-01T01:30:00Z
        use | a | 3 | p/m@2026-03-01T03:30:00Z
        at | 2026-03-01T05:00:00Z
        "#,
    );
    let [first, second, third] =
        ["2026-03-01T00:00:00Z 6", "2026-03-01T01:00:00Z 2", "2026-03-01T03:00:00Z 10"];
    assert_eq!(burn(&asking), [first, second, third]);
    asking.table("at | 2026-03-08T00:10:00Z\nuse | a | 1 | q/m\nat | 2026-03-08T01:00:00Z\n");
    // An hour that began before the last 168 hours is over; one that began with them is not.
    assert_eq!(burn(&asking), [second, third, "2026-03-08T00:00:00Z 1"]);
    assert_eq!(
        asking.ledger.wallet(number(&asking)).unwrap().first_charge.unwrap().starts(),
        "2026-03-01T00:00:00Z".parse().unwrap()
    );
}

/// R8.6: what is available over burn, in days, two places, down and never negative; no burn, no date.
#[test]
fn r8_6_runway_is_what_is_available_over_the_daily_burn() {
    let mut asking = asking();
    let ledger = &asking.ledger;
    let none = Runway { burn_per_day: Amount::ZERO, days_left: None, empty_on: None };
    assert_eq!(ledger.runway(number(&asking), amount("10")).unwrap(), none);
    asking.table("use | a | 3\n");
    let cases = [
        ("10", "3.33", "2026-03-04T08:00:00Z"),
        ("3", "1", "2026-03-02T00:00:00Z"),
        ("1.5", "0.5", "2026-03-01T12:00:00Z"),
        ("0", "0", "2026-03-01T00:00:00Z"),
        ("-9", "0", "2026-03-01T00:00:00Z"),
    ];
    for (available, days, date) in cases {
        let runway = asking.ledger.runway(number(&asking), amount(available)).unwrap();
        assert_eq!(runway.burn_per_day, amount("3"), "{available}");
        assert_eq!(runway.days_left, Some(amount(days)), "{available}");
        let empty_on = runway.empty_on.unwrap().since("2026-03-01T00:00:00Z".parse().unwrap());
        let expected = date.parse::<Timestamp>().unwrap();
        let expected = expected.since("2026-03-01T00:00:00Z".parse().unwrap());
        // The quotient is exact to twelve places.
        let apart = (empty_on.as_micros() - expected.as_micros()).abs();
        assert!(apart <= 1, "{available}: {empty_on:?}");
    }
}

/// R8.5: the costliest meters are those of this month and this payer, per account, over all prices; what costs nothing
/// is not among them.
#[test]
fn r8_5_the_costliest_meters_of_the_month() {
    let mut asking = asking();
    asking.table(
        r#"
        operator | change_payer | account = "b", billing_account = "ba-a" | ok
        at | 2026-03-01T00:10:00Z
        use | a | 3
        use | a | 8 | p/n
        use | b | 4
        use | b | 8 | q/m
        use | b | 100 | q/free
        use | c | 1000
        at | 2026-03-02T00:10:00Z
        # The second price of the same meter.
        use | a | 2
        "#,
    );
    let costliest = |asking: &Asking, most| {
        let meters = asking.ledger.costliest(number(asking), most).into_iter();
        let said =
            meters.map(|it| format!("{} {}/{} {}", it.account, it.product, it.meter, it.charge));
        said.collect::<Vec<_>>()
    };
    let all = ["a p/n 8", "b q/m 8", "a p/m 7", "b p/m 4"];
    assert_eq!(costliest(&asking, 9), all);
    assert_eq!(costliest(&asking, 3), all[..3]);
    assert_eq!(costliest(&asking, 0), Vec::<String>::new());
    asking.table(
        r#"
        # From now on somebody else pays, in another month.
        at | 2026-04-01T00:10:00Z
        operator | change_payer | account = "b", billing_account = "ba-c" | ok
        use | b | 50
        use | a | 6
        "#,
    );
    assert_eq!(costliest(&asking, 9), ["a p/m 12"]);
}
