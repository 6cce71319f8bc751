//! What an invoice shows of its period.

use super::super::Fact;
use super::super::asking::Asking;
use crate::invoices::Invoice;
use crate::ledger::Line;
use crate::money::Amount;

fn asking() -> Asking {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "graduated", tiers = [{ up_to = "10", unit_price = "1" }, { unit_price = "2" }] },
            { product = "q", meter = "n", currency = "USD", model = "per_unit", unit_price = "1" },
        ]"#,
    );
    asking.members();
    asking
}

/// The one invoice that was issued, and its lines: kind, account, product, meter, region, tier, order, quantity, amount.
fn issued(asking: &Asking) -> (&Invoice, Vec<String>) {
    let mut issued = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::InvoiceIssued(issued) => Some(&*issued.invoice),
        _ => None,
    });
    let invoice = issued.next().unwrap();
    assert_eq!(issued.next(), None);
    fn said<T: ToString>(what: &Option<T>) -> String {
        what.as_ref().map_or("-".to_owned(), ToString::to_string)
    }
    let lines = invoice.lines.iter().map(|it| {
        let about = [said(&it.account), said(&it.product), said(&it.meter), said(&it.region)];
        let rest = [said(&it.tier), said(&it.order), said(&it.quantity), it.amount.to_string()];
        format!("{} {} {}", it.kind, about.join(" "), rest.join(" "))
    });
    (invoice, lines.collect())
}

/// R12.3: lines by account, product, meter, region and tier, and orders by whom and what they are for.
#[test]
fn r12_3_a_line_says_what_it_is_about() {
    let mut asking = asking();
    asking.table(
        r#"
        operator | change_payer | account = "b", billing_account = "ba-a" | ok
        operator | adjust | billing_account = "ba-a", amount = "5", reason = "r" | ok
        operator | place_order | billing_account = "ba-a", order = "o", account = "b", product = "q", amount = "2" | ok
        operator | place_order | billing_account = "ba-a", order = "plain", amount = "3" | ok
        at | 2026-03-01T00:10:00Z
        use | a | 15 | p/m
        use | b | 4 | q/n
        "#,
    );
    let (ledger, facts) = (&mut asking.ledger, &mut asking.facts);
    let region = ledger.region_number(&"eu".parse().unwrap(), facts).unwrap();
    let line = Line {
        usage_partition: 0,
        account: ledger.account_named(&"b".parse().unwrap()).unwrap(),
        meter: ledger.book().meter(&"q".parse().unwrap(), &"n".parse().unwrap()).unwrap(),
        region,
        used: ledger.clock().now().minute(),
        quantity: Amount::whole(6),
        records: 1,
    };
    ledger.line(&line, facts).unwrap();
    asking.table("at | 2026-03-16T01:00:00Z\nnumber | invoices\n");
    let (_, mut lines) = issued(&asking);
    lines.sort();
    assert_eq!(
        lines,
        [
            "order a - - - - plain - 3",
            "order b q - - - o - 2",
            "usage a p m - 1 - 10 10",
            "usage a p m - 2 - 5 10",
            "usage b q n - - - 4 4",
            "usage b q n eu - - 6 6",
        ]
    );
}

/// R12.1: a monthly invoice shows both halves of its month as one: usage, orders, coupons and top-ups.
#[test]
fn r12_1_a_monthly_invoice_joins_both_halves() {
    let mut asking = asking();
    asking.table(
        r#"
        a | configure | billing_account = "ba-a", invoice_schedule = "monthly" | ok
        operator | top_up | billing_account = "ba-a", amount = "30", currency = "USD", method = "bank_transfer" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "c", amount = "9", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-06-01T00:00:00Z" | ok
        at | 2026-03-05T00:00:00Z
        use | a | 5 | q/n
        operator | place_order | billing_account = "ba-a", order = "o", amount = "2" | ok
        at | 2026-03-20T00:00:00Z
        operator | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "bank_transfer" | ok
        operator | place_order | billing_account = "ba-a", order = "p", amount = "3" | ok
        use | a | 7 | q/n
        at | 2026-04-01T01:00:00Z
        number | invoices
        "#,
    );
    let (invoice, lines) = issued(&asking);
    assert_eq!(
        lines,
        [
            "order a - - - - o - 2",
            "order a - - - - p - 3",
            "usage a q n - - - 12 12",
            "coupons - - - - - - - -9",
        ]
    );
    let top_ups = invoice.top_ups.iter().map(|it| it.amount.whole_part()).collect::<Vec<_>>();
    assert_eq!((invoice.net.whole_part(), top_ups), (8, vec![30, 20]));
}

/// R3.5, R12.2: what a coupon gets back once the result of a payment is known counts in the period of that moment: the
/// one before is closed, and has had its invoice.
#[test]
fn r3_5_what_waited_for_a_result_is_shown_when_it_is_undone() {
    let mut asking = asking();
    asking.table(
        r#"
        a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        at | 2026-03-15T22:00:00Z
        use | a | 20 | q/n
        at | 2026-03-15T23:00:00Z
        a | pay | billing_account = "ba-a", method = "visa" | ok
        void | a | 20 | q/n@2026-03-15T22:00:00Z
        at | 2026-03-16T00:00:00Z
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "8", valid_from = "2026-03-16T00:00:00Z", valid_until = "2026-06-01T00:00:00Z" | ok
        use | a | 8 | q/n
        at | 2026-03-16T01:00:00Z
        see | balance ba-a | unsettled_current = "0", cash = "0"
        answer | ba-a | succeeded
        see | balance ba-a | unsettled_current = "0", cash = "12"
        "#,
    );
    let wallet = asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    let wallet = asking.ledger.wallet(wallet).unwrap();
    assert_eq!(wallet.coupons[0].left, Amount::whole(8));
    let periods = wallet.periods().iter().map(|it| (it.half.is_first(), it.billed, it.coupons));
    assert_eq!(periods.collect::<Vec<_>>(), [(false, Amount::whole(8), Amount::ZERO)]);
}
