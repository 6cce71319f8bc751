//! R12.2: credit notes by command, a line a command, every refusal in order; and what they pay back.

use super::super::asking::Asking;
use crate::invoices::{Invoice, InvoiceType};
use crate::ledger::{BillIssued, Cause, Fact, Preview};
use crate::money::Amount;

/// Two halves of March for `a`, who has paid nothing yet: usage of 60, 40 of it in the first half.
const INVOICED: &str = r#"
    at | 2026-03-05T00:00:00Z
    use | a | 40
    at | 2026-03-16T01:00:00Z
    number | invoices
"#;

fn invoiced() -> Asking {
    let mut asking = Asking::with_members();
    asking.settings(r#"tax.rates = { US = "0.10" }"#);
    asking.table(INVOICED);
    asking
}

fn invoices(asking: &Asking) -> Vec<&Invoice> {
    let issued = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::InvoiceIssued(issued) => Some(&*issued.invoice),
        _ => None,
    });
    issued.collect()
}

fn credit_bills(asking: &Asking) -> Vec<&BillIssued> {
    let issued = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::BillIssued(issued) if issued.credit_note.is_some() => Some(&**issued),
        _ => None,
    });
    issued.collect()
}

#[test]
fn r12_2_every_refusal_of_a_credit_note_in_order() {
    let mut asking = invoiced();
    asking.table(
        r#"
        # Only the operator, and only what was issued.
        a        | credit_invoice | invoice = "SG-2026-000001", amount = "1", reason = "r" | not_permitted
        boss     | credit_invoice | invoice = "SG-2026-000001", amount = "1", reason = "r" | not_permitted
        operator | credit_invoice | invoice = "SG-2026-000002", amount = "1", reason = "r" | not_found
        # A reason, and one of lines and amount.
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "1", reason = "" | malformed
        operator | credit_invoice | invoice = "SG-2026-000001", reason = "r" | malformed
        operator | credit_invoice | invoice = "SG-2026-000001", lines = [1], amount = "1", reason = "r" | malformed
        operator | credit_invoice | invoice = "SG-2026-000001", lines = [], reason = "r" | malformed
        # Lines that there are, each once.
        operator | credit_invoice | invoice = "SG-2026-000001", lines = [0], reason = "r" | not_found
        operator | credit_invoice | invoice = "SG-2026-000001", lines = [2], reason = "r" | not_found
        operator | credit_invoice | invoice = "SG-2026-000001", lines = [1, 1], reason = "r" | malformed
        # An amount that is one, and never more than what is left.
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "0", reason = "r" | invalid_amount
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "-1", reason = "r" | invalid_amount
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "0.001", reason = "r" | invalid_amount
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "40.01", reason = "r" | invalid_amount
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "30", reason = "r" | ok
        # Already before it has its number.
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "10.01", reason = "r" | invalid_amount
        number   | invoices
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "10.01", reason = "r" | invalid_amount
        operator | credit_invoice | invoice = "SG-2026-000001", lines = [1], reason = "r" | ok
        operator | credit_invoice | invoice = "SG-2026-000001", lines = [1], reason = "r" | invalid_amount
        number   | invoices
        # A credit note is not taken back.
        operator | credit_invoice | invoice = "SG-2026-000002", amount = "1", reason = "r" | not_found
        "#,
    );
}

#[test]
fn r12_2_an_invoice_is_remembered_for_so_long() {
    let mut asking = invoiced();
    asking.settings(r#"invoices.credit_within = "10d""#);
    asking.table(
        r#"
        at | 2026-03-26T01:00:00Z
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "1", reason = "r" | ok
        at | 2026-03-26T01:00:01Z
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "1", reason = "r" | not_found
        "#,
    );
}

#[test]
fn r12_2_a_credit_note_names_its_invoice_and_is_on_no_invoice_again() {
    let mut asking = invoiced();
    asking.table(
        r#"
        see | balance ba-a | unsettled_current = "44"
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "15", reason = "sold by mistake" | ok
        # Its number is its issue: until then nothing has changed.
        see | balance ba-a | unsettled_current = "44"
        number | invoices
        see | balance ba-a | unsettled_current = "27.50"
        operator | top_up | billing_account = "ba-a", amount = "40", currency = "USD", method = "bank_transfer" | ok
        see | balance ba-a | cash = "12.50", unsettled_current = "0"
        operator | credit_invoice | invoice = "SG-2026-000001", lines = [1], reason = "all of it" | ok
        number | invoices
        # What paid is paid back.
        see | balance ba-a | cash = "40"
        at | 2026-03-20T00:00:00Z
        use | a | 7
        at | 2026-04-01T01:00:00Z
        number | invoices
        "#,
    );
    let issued = invoices(&asking);
    let figures: Vec<String> = issued
        .iter()
        .map(|it| format!("{} {} {} {:?} {:?}", it.r#type, it.net, it.tax, it.corrects, it.reason))
        .collect();
    assert_eq!(
        figures,
        [
            r#"invoice 40 4 None None"#,
            r#"credit_note -15 -1.5 Some("SG-2026-000001") Some("sold by mistake")"#,
            r#"credit_note -25 -2.5 Some("SG-2026-000001") Some("all of it")"#,
            r#"invoice 7 0.7 None None"#,
        ]
    );
    assert!(issued.iter().all(|it| it.lines.iter().all(|line| line.account.is_some())));
    assert_eq!((issued[1].from, issued[1].until), (issued[0].from, issued[0].until));
    assert_eq!(issued[1].r#type, InvoiceType::CreditNote);
    // What an amount takes back of a line is no quantity.
    let quantities = issued.iter().map(|it| it.lines[0].quantity.map(Amount::whole_part));
    assert_eq!(quantities.collect::<Vec<_>>(), [Some(40), None, None, Some(7)]);
    let taxed = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::BillIssued(issued) => issued.invoice.as_deref(),
        _ => None,
    });
    // Each tax is billed for its own document.
    assert!(taxed.eq(issued.iter().map(|it| it.number.as_str())));
    let bills = credit_bills(&asking);
    assert_eq!(bills.len(), 2);
    assert!(bills.iter().all(|it| it.bill.month == "2026-03".parse().unwrap()));
}

/// Parts are taxed so that together they come to the tax of the whole.
#[test]
fn r12_2_the_tax_of_credit_notes_never_drifts() {
    let mut asking = Asking::with_members();
    asking.settings(r#"tax.rates = { US = "0.07" }"#);
    asking.table(
        r#"
        at | 2026-03-05T00:00:00Z
        use | a | 1
        at | 2026-03-16T01:00:00Z
        number | invoices
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "0.35", reason = "r" | ok
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "0.35", reason = "r" | ok
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "0.30", reason = "r" | ok
        number | invoices
        see | balance ba-a | unsettled_current = "0", cash = "0"
        "#,
    );
    let taxes: Vec<String> = invoices(&asking).iter().map(|it| it.tax.to_string()).collect();
    assert_eq!(taxes, ["0.07", "-0.02", "-0.03", "-0.02"]);
}

/// What a coupon paid gets its own back, and counts on the next invoice; what is left over becomes cash.
#[test]
fn r12_2_r5_7_what_paid_is_paid_back() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "c", amount = "10", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-06-01T00:00:00Z" | ok
        operator | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        at | 2026-03-05T00:00:00Z
        use | a | 40
        at | 2026-03-16T01:00:00Z
        number | invoices
        see | balance ba-a | cash = "70"
        # 30 is what was invoiced, whatever the line says.
        operator | credit_invoice | invoice = "SG-2026-000001", lines = [1], reason = "r" | invalid_amount
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "30", reason = "r" | ok
        number | invoices
        see | balance ba-a | cash = "100"
        "#,
    );
}

/// R5.7: what a credit note takes back of bills in flight waits for the result, its tax, too: paid after all, it is paid
/// back; declined, it is owed no longer, and nobody has had money for what he did not pay.
#[test]
fn r12_2_r5_7_a_credit_note_over_bills_in_flight_waits() {
    for (answer, cash, unsettled) in [("succeeded", "16.50", "0"), ("declined", "0", "27.50")] {
        let mut asking = invoiced();
        asking.table(&format!(
            r#"
            a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
            answer | ba-a | succeeded
            a | pay | billing_account = "ba-a", method = "visa" | ok
            operator | credit_invoice | invoice = "SG-2026-000001", amount = "15", reason = "r" | ok
            number | invoices
            see | balance ba-a | cash = "0", unsettled_current = "27.50"
            answer | ba-a | {answer}
            see | balance ba-a | cash = "{cash}", unsettled_current = "{unsettled}"
            "#
        ));
    }
}

/// An order that was given back is not given back again because of its credit note.
#[test]
fn r12_2_a_credit_note_says_what_was_given_back_of_an_order() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        operator | place_order | billing_account = "ba-a", order = "o", amount = "50" | ok
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "20", to = "cash" | ok
        see | balance ba-a | cash = "70"
        at | 2026-03-16T01:00:00Z
        number | invoices
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "20", reason = "given back" | ok
        number | invoices
        see | balance ba-a | cash = "70"
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "10", reason = "r" | ok
        number | invoices
        see | balance ba-a | cash = "80"
        # 20 are left of it, either way.
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "20.01", to = "cash" | invalid_amount
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "20.01", reason = "r" | invalid_amount
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "20", to = "cash" | ok
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "20", reason = "given back" | ok
        number | invoices
        see | balance ba-a | cash = "100"
        "#,
    );
}

/// R12.6: a credit note is settled in the currency of its invoice, and all of them come to what that came to.
#[test]
fn r12_6_credit_notes_are_settled_like_their_invoice() {
    let mut asking = Asking::with_members();
    asking.settings(
        r#"
        tax.rates = { US = "0.10" }
        fx = { "2026-04" = { "USD/EUR" = "0.333" } }
        "#,
    );
    asking.table(
        r#"
        a | configure | billing_account = "ba-a", settlement_currency = "EUR" | ok
        at | 2026-04-01T00:00:00Z
        use | a | 10
        use | b | 10
        at | 2026-04-16T01:00:00Z
        number | invoices
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "3.50", reason = "r" | ok
        number | invoices
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "6.50", reason = "r" | ok
        operator | credit_invoice | invoice = "SG-2026-000002", amount = "1", reason = "r" | ok
        number | invoices
        "#,
    );
    let figures = invoices(&asking).into_iter().map(|it| {
        let said =
            |amount: Option<Amount>| amount.map_or("none".to_owned(), |amount| amount.to_string());
        format!("{} {} {} {}", it.net, it.tax, said(it.settled_net), said(it.settled_tax))
    });
    assert_eq!(
        figures.collect::<Vec<_>>(),
        [
            "10 1 3.33 0.33",
            "10 1 none none",
            "-3.5 -0.35 -1.17 -0.12",
            "-6.5 -0.65 -2.16 -0.21",
            "-1 -0.1 none none",
        ]
    );
}

/// A credit note comes from whoever issued its invoice: whoever issues by now is not named on it.
#[test]
fn r12_2_another_issuers_name_is_not_on_a_credit_note() {
    for (country, name) in [("SG", Some("New")), ("DE", None)] {
        let mut asking = Asking::with_members();
        asking.settings(r#"tax.issuer_name = "Old""#);
        asking.table(INVOICED);
        asking
            .settings(&format!(r#"tax = {{ issuer_country = "{country}", issuer_name = "New" }}"#));
        asking.table(
            r#"
            operator | credit_invoice | invoice = "SG-2026-000001", amount = "1", reason = "r" | ok
            number | invoices
            "#,
        );
        let [invoice, note] = invoices(&asking)[..] else { panic!("two are issued") };
        assert_eq!(invoice.issuer_name.as_ref().map(|it| it.as_str()), Some("Old"));
        assert_eq!(note.issuer_country.as_str(), "SG");
        assert_eq!(note.issuer_name.as_ref().map(|it| it.as_str()), name, "{country}");
    }
}

/// What coupons paid of an order nobody gets back as money: what is left of its line is what else paid, order by order.
#[test]
fn r12_2_what_coupons_paid_of_an_order_is_not_credited() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | adjust | billing_account = "ba-a", amount = "100", reason = "r" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "c", amount = "20", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-06-01T00:00:00Z" | ok
        operator | place_order | billing_account = "ba-a", order = "o", amount = "50" | ok
        operator | place_order | billing_account = "ba-a", order = "p", amount = "40" | ok
        see | balance ba-a | cash = "30"
        at | 2026-03-16T01:00:00Z
        number | invoices
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "70.01", reason = "r" | invalid_amount
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "70", reason = "r" | ok
        number | invoices
        see | balance ba-a | cash = "100"
        "#,
    );
    let [_, note] = invoices(&asking)[..] else { panic!("two are issued") };
    let lines = note.lines.iter().map(|it| format!("{} {}", it.order.as_ref().unwrap(), it.amount));
    assert_eq!(lines.collect::<Vec<_>>(), ["o -30", "p -40"]);
}

/// A credit note issues one negative bill for each account and product that it takes back from.
#[test]
fn r12_2_a_credit_note_is_one_bill_for_each_account_and_product() {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "graduated", tiers = [{ up_to = "10", unit_price = "1" }, { unit_price = "2" }] },
            { product = "q", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
        ]"#,
    );
    asking.members();
    asking.table(
        r#"
        operator | change_payer | account = "b", billing_account = "ba-a" | ok
        at | 2026-03-01T00:10:00Z
        use | a | 15
        use | a | 7 | q/m
        use | b | 3
        at | 2026-03-16T01:00:00Z
        number | invoices
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "30", reason = "r" | ok
        number | invoices
        see | balance ba-a | unsettled_current = "0", cash = "0"
        "#,
    );
    let mut amounts: Vec<_> =
        credit_bills(&asking).iter().map(|it| it.bill.amount.whole_part()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [-20, -7, -3]);
}

/// R5.3, R5.7: what a credit note gives back pays what is still owed, also where there is no tax to give back.
#[test]
fn r5_7_what_an_untaxed_credit_note_gives_back_pays_what_is_owed() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | adjust | billing_account = "ba-a", amount = "40", reason = "r" | ok
        at | 2026-03-05T00:00:00Z
        use | a | 40
        at | 2026-03-16T01:00:00Z
        number | invoices
        operator | place_order | billing_account = "ba-a", order = "o", amount = "1" | insufficient_funds
        operator | change_payer | account = "b", billing_account = "ba-a" | ok
        at | 2026-03-16T01:10:00Z
        use | b | 15
        at | 2026-03-16T02:00:00Z
        see | balance ba-a | unsettled_current = "15", cash = "0"
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "10", reason = "r" | ok
        number | invoices
        see | balance ba-a | unsettled_current = "5", cash = "0"
        "#,
    );
}

/// R12.2: an invoice is known until its time to be taken back is over, and those after it do not end that.
#[test]
fn r12_2_an_earlier_invoice_can_still_be_credited() {
    let mut asking = invoiced();
    asking.settings(r#"invoices.credit_within = "16d""#);
    asking.table(
        r#"
        use | a | 5
        at | 2026-04-01T01:00:00Z
        number | invoices
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "1", reason = "r" | ok
        operator | credit_invoice | invoice = "SG-2026-000002", amount = "1", reason = "r" | ok
        use | a | 5
        at | 2026-04-16T01:00:00Z
        number | invoices
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "1", reason = "r" | not_found
        operator | credit_invoice | invoice = "SG-2026-000002", amount = "1", reason = "r" | ok
        "#,
    );
}

/// R12.1: a preview begins with what is decided and waits for its number, up to the end of the period that it is for.
#[test]
fn r12_1_a_preview_begins_with_what_waits_for_its_number() {
    let mut asking = Asking::with_members();
    asking.table("at | 2026-03-05T00:00:00Z\nuse | a | 40\nat | 2026-03-16T01:00:00Z\nuse | a | 2");
    let wallet = asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    let nets = |day: &str| {
        let previews = asking.ledger.preview_invoices(wallet, day.parse().unwrap()).unwrap();
        let said = previews.iter().map(|preview| match preview {
            Preview::Decided(draft) => format!("decided {}", draft.net),
            Preview::Open(draft) => format!("open {}", draft.net),
        });
        said.collect::<Vec<_>>()
    };
    assert_eq!(nets("2026-03-01"), Vec::<String>::new());
    assert_eq!(nets("2026-03-16"), ["decided 40"]);
    assert_eq!(nets("2026-04-01")[0], "decided 40");
}

/// R5.7: what was given back already becomes cash, at once: another product's bill in flight holds nothing up.
#[test]
fn r5_7_what_is_left_of_a_credit_note_waits_for_its_own_bills_only() {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "q", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
        ]"#,
    );
    asking.members();
    asking.table(
        r#"
        operator | adjust | billing_account = "ba-a", amount = "40", reason = "r" | ok
        at | 2026-03-05T00:00:00Z
        use | a | 40
        at | 2026-03-16T01:00:00Z
        number | invoices
        void | a | 10 | p/m@2026-03-05T00:00:00Z
        at | 2026-03-16T02:00:00Z
        see | balance ba-a | unsettled_current = "0", cash = "10"
        a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        use | a | 17 | q/m
        at | 2026-03-16T03:00:00Z
        a | pay | billing_account = "ba-a", method = "visa" | ok
        see | balance ba-a | unsettled_current = "7", cash = "0"
        operator | credit_invoice | invoice = "SG-2026-000001", amount = "40", reason = "r" | ok
        number | invoices
        see | balance ba-a | unsettled_current = "7", cash = "40"
        answer | ba-a | succeeded
        see | balance ba-a | unsettled_current = "0", cash = "40"
        "#,
    );
    let [bill] = credit_bills(&asking)[..] else { panic!("one is issued") };
    let rest = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::Moved(moved) if moved.cause == Cause::CreditNote => Some((moved.bill, moved.amount)),
        _ => None,
    });
    assert_eq!(rest.collect::<Vec<_>>(), [(Some(bill.bill.number), Amount::whole(10))]);
}
