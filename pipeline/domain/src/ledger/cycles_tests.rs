//! What a bill is made of, and in which order bills are issued.

use super::super::Fact;
use super::super::asking::Asking;
use super::super::fact::BillIssued;

fn asking() -> Asking {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "q", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "p", meter = "n", currency = "USD", model = "per_unit", unit_price = "10" },
        ]"#,
    );
    asking.members();
    asking
}

fn issued(asking: &Asking) -> Vec<&BillIssued> {
    let issued = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::BillIssued(issued) => Some(&**issued),
        _ => None,
    });
    issued.collect()
}

/// R5.2, R5.3: bills of one instant are taken by account, then product, by their names, in whatever order they were
/// opened and used.
#[test]
fn r5_2_bills_of_an_instant_are_issued_by_account_and_product() {
    let mut asking = asking();
    asking.table(
        r#"
        operator | change_payer | account = "boss", billing_account = "ba-a" | ok
        operator | change_payer | account = "c", billing_account = "ba-a" | ok
        at | 2026-03-01T00:10:00Z
        use | c | 1 | q/m
        use | boss | 2 | q/m
        use | boss | 3 | p/m
        use | a | 4 | q/m
        at | 2026-03-01T01:00:00Z
        "#,
    );
    let named = issued(&asking).into_iter().map(|it| {
        let (account, product) = (it.bill.account, it.bill.product.unwrap());
        let account = &asking.ledger.account(account).unwrap().id;
        let product = asking.ledger.book().product(product).unwrap();
        format!("{} {account} {product} {}", it.bill.number, it.bill.amount)
    });
    assert_eq!(named.collect::<Vec<_>>(), ["1 a q 4", "2 boss p 3", "3 boss q 2", "4 c q 1"]);
}

/// R12.3, R8.6: however often coupons divide an hour, a bill shows a meter's usage as one line, and burns by the hour
/// of use.
#[test]
fn r12_3_a_bill_shows_a_meter_once_and_burns_by_the_hour() {
    let mut asking = asking();
    asking.settings(r#"bills.cycle = "day""#);
    asking.table(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "1", valid_from = "2026-03-01T00:20:00Z", valid_until = "2026-03-01T00:40:00Z" | ok
        at | 2026-03-01T00:10:00Z
        use | a | 1
        use | a | 1 | p/n
        at | 2026-03-01T00:30:00Z
        use | a | 2
        at | 2026-03-01T00:50:00Z
        use | a | 4
        use | a | 2 | p/n
        at | 2026-03-01T03:00:00Z
        use | a | 8
        at | 2026-03-02T00:00:00Z
        "#,
    );
    let issued = issued(&asking);
    let [bill] = issued[..] else { panic!("{issued:?}") };
    let name = |line: &super::BilledLine| {
        let meter = asking.ledger.book().names(line.meter).unwrap().1;
        format!("{meter} {} {}", line.quantity, line.exact)
    };
    let mut lines: Vec<String> = bill.lines.iter().map(name).collect();
    lines.sort();
    assert_eq!(lines, ["m 15 15", "n 3 30"]);
    let burned = bill.burned.iter().map(|it| format!("{} {}", it.hour.starts(), it.charge));
    assert_eq!(burned.collect::<Vec<_>>(), ["2026-03-01T00:00:00Z 37", "2026-03-01T03:00:00Z 8"]);
}
