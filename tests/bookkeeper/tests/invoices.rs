//! Section 12 as figures: tax numbers (R12.4), lines (R12.3) and credit notes by command (R12.2).

#![allow(clippy::unwrap_used)]

mod common;
use bookkeeper::{Invoice, Line};
use common::{Case, PRICES, at};
use serde_json::{Value, json};

const TAXED: &str = "tax.rates = { SG = \"0.10\" }";

fn last(case: &Case) -> Invoice {
    case.keeper.invoices().pop().unwrap()
}

/// Kind, product, meter, tier, quantity and amount of each line; what there is not is empty.
fn lines(invoice: &Invoice) -> Vec<String> {
    let show = |line: &Line| {
        let tier = line.tier.map(|tier| tier.to_string());
        let shown = [&line.product, &line.meter, &tier, &line.quantity];
        let shown: Vec<&str> = shown.iter().map(|text| text.as_deref().unwrap_or("-")).collect();
        format!("{} {} {}", line.kind, shown.join(" "), line.amount)
    };
    invoice.lines.iter().map(show).collect()
}

/// The invoice over 100 of an enterprise in this country.
fn invoice_of(issuer: &str, country: &str, tax_id: Value) -> Invoice {
    let rates =
        "tax.rates = { IE = \"0.23\", DE = \"0.19\", AU = \"0.10\", GB = \"0.20\", SG = \"0.09\" }";
    let settings = format!("tax.issuer_country = \"{issuer}\"\n{rates}");
    let mut case = Case::with(&settings, PRICES);
    let acme =
        json!({ "enterprise": "acme", "name": "Acme", "country": country, "tax_id": tax_id });
    case.accept("2026-01-01T00:00", "open_enterprise", acme);
    case.open("a", json!({}));
    case.uses("2026-03-05T10:00", "a", "unit/usd", "100");
    case.pass("2026-03-16T00:00");
    last(&case)
}

#[test]
fn who_has_a_number_of_another_country_pays_the_tax_there() {
    // R12.4
    let table = [
        ("IE", "DE", "DE136695976", "0", "reverse_charge"),
        ("SG", "DE", "DE136695976", "0", "reverse_charge"),
        ("DE", "DE", "DE136695976", "19", "rated"),
        ("IE", "IE", "IE6433435F", "23", "rated"),
        ("IE", "AU", "51 824 753 556", "0", "reverse_charge"),
        ("AU", "AU", "51824753556", "10", "rated"),
        ("IE", "GB", "GB980780684", "20", "rated"),
        ("IE", "SG", "whatever", "9", "rated"),
        ("IE", "FR", "FR40303265045", "0", "reverse_charge"),
    ];
    for (issuer, country, number, tax, note) in table {
        let invoice = invoice_of(issuer, country, json!(number));
        let found = (invoice.tax.as_str(), invoice.tax_note.as_str());
        assert_eq!(found, (tax, note), "{number} with an issuer in {issuer}");
    }
    for (country, tax, note) in [("DE", "19", "rated"), ("NO", "0", "not_listed")] {
        let invoice = invoice_of("IE", country, json!(null));
        assert_eq!((invoice.tax.as_str(), invoice.tax_note.as_str()), (tax, note), "{country}");
    }
}

#[test]
fn a_number_that_is_entered_later_holds_for_later_invoices() {
    // R12.4
    let mut case = Case::with("tax.rates = { DE = \"0.19\" }", PRICES);
    let german = |further: Value| {
        let mut fields = json!({ "enterprise": "acme", "name": "Acme", "country": "DE" });
        for (name, value) in further.as_object().unwrap() {
            fields[name] = value.clone();
        }
        fields
    };
    let wrong = german(json!({ "tax_id": "DE136695977" }));
    case.refuse("2026-01-01T00:00", "open_enterprise", wrong, "tax_id_invalid");
    case.accept("2026-01-01T00:00", "open_enterprise", german(json!({})));
    case.open("a", json!({}));
    case.uses("2026-03-05T10:00", "a", "unit/usd", "100");
    case.pass("2026-03-16T00:00");
    let table = [
        (json!({ "enterprise": "acme" }), "malformed"),
        (json!({ "enterprise": "acme", "tax_id": "" }), "malformed"),
        (json!({ "enterprise": "none", "tax_id": "DE136695977" }), "not_found"),
        (json!({ "enterprise": "acme", "tax_id": "DE136695977" }), "tax_id_invalid"),
    ];
    for (fields, code) in table {
        case.refuse("2026-03-16T00:00", "set_tax_id", fields, code);
    }
    assert_eq!(last(&case).tax, "19");
    let number = json!({ "enterprise": "acme", "tax_id": "DE 136 695 976" });
    case.accept("2026-03-17T00:00", "set_tax_id", number);
    assert_eq!(last(&case).tax, "19");
    case.uses("2026-03-20T10:00", "a", "unit/usd", "50");
    case.pass("2026-04-01T00:00");
    let invoice = last(&case);
    assert_eq!((invoice.net.as_str(), invoice.tax.as_str()), ("50", "0"));
}

#[test]
fn lines_name_the_tier_where_each_is_priced_by_itself() {
    // R12.3: graduated has tiers, volume has none.
    let mut case = Case::new();
    for product in ["storage/gb", "traffic/gb"] {
        case.uses("2026-03-05T10:00", "a", product, "150");
    }
    case.pass("2026-03-16T00:00");
    let first =
        ["usage storage gb 1 100 0", "usage storage gb 2 50 5", "usage traffic gb - 150 15"];
    assert_eq!(lines(&last(&case)), first);
    for product in ["storage/gb", "traffic/gb"] {
        case.uses("2026-03-20T10:00", "a", product, "1050");
    }
    case.pass("2026-04-01T00:00");
    let second =
        ["usage storage gb 2 850 85", "usage storage gb 3 200 10", "usage traffic gb - 1050 45"];
    assert_eq!(lines(&last(&case)), second);
}

#[test]
fn a_line_is_rounded_by_itself_and_the_rest_is_one_line() {
    // R12.3: 0.011 and 0.014 are billed with 0.03 and shown as 0.01 and 0.01.
    let prices = PRICES.replace("unit_price = \"0.50\"", "unit_price = \"0.001\"");
    let calls = "[[price]]\nproduct = \"compute\"\nmeter = \"calls\"\ncurrency = \"USD\"\nmodel = \"per_unit\"\nunit_price = \"0.001\"\n";
    let mut case = Case::with("", &format!("{prices}\n{calls}"));
    let acme = json!({ "enterprise": "acme", "name": "Acme", "country": "SG" });
    case.accept("2026-01-01T00:00", "open_enterprise", acme);
    case.open("a", json!({}));
    case.uses("2026-03-05T10:00", "a", "compute/hours", "11");
    case.uses("2026-03-05T10:10", "a", "compute/calls", "14");
    case.pass("2026-03-16T00:00");
    let invoice = last(&case);
    assert_eq!(invoice.net, "0.03");
    let shown =
        ["usage compute calls - 14 0.01", "usage compute hours - 11 0.01", "rounding - - - - 0.01"];
    assert_eq!(lines(&invoice), shown);
}

#[test]
fn lines_come_by_account_and_product_with_coupons_at_the_end() {
    // R12.3, R2.4
    let mut case = Case::new();
    case.open("b", json!({}));
    let payer = json!({ "account": "b", "billing_account": "ba-a" });
    case.accept("2026-03-01T00:00", "change_payer", payer);
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    case.coupon("2026-03-01T00:00", "c", "4", json!({ "products": ["unit"] }));
    case.uses("2026-03-05T10:00", "b", "unit/usd", "3");
    case.uses("2026-03-05T10:00", "a", "unit/usd", "7");
    // What comes an hour late is an adjustment, and what is taken back in its hour is nothing.
    case.uses_late("2026-03-05T12:00", "2026-03-05T10:10", "a", "unit/usd", "2");
    let record = case.record("2026-03-05T13:00", "a", "traffic/gb", "5");
    case.keeper.usage(at("2026-03-05T13:00"), &record);
    let void = json!({ "account": "a", "source": "test", "id": record.id });
    case.accept("2026-03-05T13:10", "void_usage", void);
    let order =
        json!({ "billing_account": "ba-a", "order": "o", "amount": "20", "product": "plan" });
    case.accept("2026-03-06T00:00", "place_order", order);
    case.pass("2026-03-16T00:00");
    let invoice = last(&case);
    assert_eq!(invoice.net, "28");
    let shown = [
        "order plan - - - 20",
        "usage unit usd - 7 7",
        "adjustment unit usd - 2 2",
        "usage unit usd - 3 3",
        "coupons - - - - -4",
    ];
    assert_eq!(lines(&invoice), shown);
    let accounts: Vec<_> = invoice.lines.iter().map(|line| line.account.as_deref()).collect();
    assert_eq!(accounts, [Some("a"), Some("a"), Some("a"), Some("b"), None]);
    assert_eq!(invoice.lines[0].order.as_deref(), Some("o"));
}

/// `ba-a` with 100 of cash used compute for 20 and 30 of `unit`, and has paid both and the tax of 5.
fn fifty() -> Case {
    let mut case = Case::with_settings(TAXED);
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    case.uses("2026-03-05T10:00", "a", "compute/hours", "40");
    case.uses("2026-03-05T10:00", "a", "unit/usd", "30");
    case.pass("2026-03-16T00:00");
    case.shows("ba-a", &[("cash", "45")]);
    assert_eq!(last(&case).number, "SG-2026-000001");
    case
}

fn credit(further: Value) -> Value {
    let mut fields = json!({ "invoice": "SG-2026-000001", "reason": "an outage" });
    for (name, value) in further.as_object().unwrap() {
        fields[name] = value.clone();
    }
    fields
}

#[test]
fn every_refusal_of_a_credit_note_in_order() {
    // R12.2: each step mends the fault named before.
    let mut case = fifty();
    let table = [
        (json!({ "reason": null, "invoice": "none", "amount": "60" }), "malformed"),
        (json!({ "lines": ["2"], "invoice": "none" }), "malformed"),
        (json!({ "invoice": "none" }), "not_found"),
        (json!({}), "malformed"),
        (json!({ "lines": [9], "amount": "60" }), "malformed"),
        (json!({ "lines": [] }), "malformed"),
        (json!({ "lines": [1, 3] }), "not_found"),
        (json!({ "lines": [0] }), "not_found"),
        (json!({ "lines": [-1] }), "not_found"),
        (json!({ "amount": "50.01" }), "invalid_amount"),
        (json!({ "amount": "1.001" }), "invalid_amount"),
        (json!({ "amount": "0" }), "invalid_amount"),
        (json!({ "amount": "-1" }), "invalid_amount"),
        (json!({ "amount": 1 }), "invalid_amount"),
    ];
    for (further, code) in table {
        case.refuse("2026-03-17T00:00", "credit_invoice", credit(further), code);
    }
    let by_owner = case.keeper.command(
        at("2026-03-17T00:00"),
        "a",
        None,
        "credit_invoice",
        &credit(json!({ "amount": "1" })),
    );
    assert_eq!(by_owner, Err("not_permitted".to_string()));
    assert_eq!(case.keeper.invoices().len(), 1);
    // A line is taken back once, and not whole where half of it is gone already.
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "lines": [2] })));
    let again = credit(json!({ "lines": [2] }));
    case.refuse("2026-03-17T00:00", "credit_invoice", again, "invalid_amount");
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "amount": "10" })));
    let too_much = credit(json!({ "lines": [1] }));
    case.refuse("2026-03-17T00:00", "credit_invoice", too_much, "invalid_amount");
    let too_much = credit(json!({ "amount": "10.01" }));
    case.refuse("2026-03-17T00:00", "credit_invoice", too_much, "invalid_amount");
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "amount": "10" })));
    // A credit note is no invoice that anything could be taken back of.
    let of_note = credit(json!({ "invoice": "CN-SG-2026-000001", "amount": "1" }));
    case.refuse("2026-03-17T00:00", "credit_invoice", of_note, "invalid_amount");
    case.shows("ba-a", &[("cash", "100")]);
}

#[test]
fn a_line_is_taken_back_once() {
    // R12.2: both lines are of one account and product, so that enough would be left for the first one again.
    let mut case = Case::new();
    case.uses("2026-03-05T10:00", "a", "unit/usd", "30");
    case.uses_late("2026-03-05T12:00", "2026-03-05T10:10", "a", "unit/usd", "30");
    case.pass("2026-03-16T00:00");
    let first = || credit(json!({ "lines": [1, 1] }));
    case.accept("2026-03-17T00:00", "credit_invoice", first());
    assert_eq!(last(&case).net, "-30");
    case.refuse("2026-03-17T00:00", "credit_invoice", first(), "invalid_amount");
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "lines": [2] })));
    case.shows("ba-a", &[("unsettled_current", "0")]);
}

#[test]
fn a_closed_billing_account_is_credited_nothing() {
    // R12.2, R4.5: that comes after who may ask and which invoice, before everything else. A frozen one takes it.
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "30");
    case.uses("2026-03-05T10:00", "a", "unit/usd", "30");
    case.accept("2026-03-16T00:00", "close_account", json!({ "account": "a" }));
    let ba = || json!({ "billing_account": "ba-a" });
    case.accept("2026-03-17T00:00", "freeze_billing_account", ba());
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "amount": "1" })));
    case.accept("2026-03-17T00:00", "unfreeze_billing_account", ba());
    case.adjust("2026-03-17T00:00", "ba-a", "-1");
    case.accept("2026-05-01T00:00", "deregister_billing_account", ba());
    case.refuse("2026-05-01T00:00", "credit_invoice", credit(json!({})), "deregistered");
}

#[test]
fn a_credit_note_pays_back_what_paid() {
    // R12.2, R5.7, R12.5
    let mut case = fifty();
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "lines": [2] })));
    case.shows("ba-a", &[("cash", "78")]);
    let note = last(&case);
    assert_eq!(note.number, "CN-SG-2026-000001");
    assert!(note.is_credit_note);
    assert_eq!(note.corrects.as_deref(), Some("SG-2026-000001"));
    assert_eq!(note.reason.as_deref(), Some("an outage"));
    assert_eq!((note.net.as_str(), note.tax.as_str(), note.total.as_str()), ("-30", "-3", "-33"));
    assert_eq!(lines(&note), ["usage unit usd - -30 -30"]);
    assert_eq!(case.amounts(), ["20", "30", "5", "-30", "-3"]);
    let months: Vec<String> = case.keeper.bills().into_iter().map(|bill| bill.month).collect();
    assert_eq!(months, ["2026-03"; 5]);
    // Charges are as they were, what they come to for a coupon's `minimum` too, and it is on no invoice again.
    assert_eq!(case.keeper.charges_total()["a"], "50");
    case.coupon("2026-03-17T00:00", "c", "5", json!({ "minimum": "60" }));
    case.uses("2026-03-20T10:00", "a", "unit/usd", "10");
    case.pass("2026-04-01T00:00");
    assert_eq!(case.left("c"), "0");
    let next = last(&case);
    assert_eq!((next.number.as_str(), next.net.as_str()), ("SG-2026-000002", "5"));
}

#[test]
fn an_amount_is_taken_back_in_proportion() {
    // R12.2: 20 of compute and 30 of `unit` are left of 50.
    let mut case = fifty();
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "amount": "10" })));
    assert_eq!(case.amounts()[3..], ["-4", "-6", "-1"]);
    assert_eq!(lines(&last(&case)), ["adjustment compute - - - -4", "adjustment unit - - - -6"]);
    // Of a cent one gets all.
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "amount": "0.01" })));
    assert_eq!(case.amounts()[6..], ["-0.01"]);
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "amount": "39.99" })));
    let given_back = ["-16", "-23.99", "-4"];
    assert_eq!(case.amounts()[7..], given_back);
    case.shows("ba-a", &[("cash", "100")]);
}

#[test]
fn taxes_taken_back_come_together_to_the_invoices() {
    // R12.2, R12.4: 0.005, 0.01 and 0.015 of 0.15 at 0.10.
    let mut case = Case::with_settings(TAXED);
    case.uses("2026-03-05T10:00", "a", "unit/usd", "0.15");
    case.pass("2026-03-16T00:00");
    assert_eq!(last(&case).tax, "0.02");
    for tax in ["-0.01", "0", "-0.01"] {
        case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "amount": "0.05" })));
        assert_eq!(last(&case).tax, tax);
    }
    // Nobody had paid: nothing is owed any more.
    case.shows("ba-a", &[("cash", "0"), ("unsettled_current", "0"), ("available", "0")]);
}

#[test]
fn what_coupons_paid_is_not_taken_back() {
    // R12.2, R12.3
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    case.coupon("2026-03-01T00:00", "c", "10", json!({}));
    case.uses("2026-03-05T10:00", "a", "unit/usd", "30");
    case.pass("2026-03-16T00:00");
    for number in [1, 2] {
        let fields = credit(json!({ "lines": [number] }));
        case.refuse("2026-03-17T00:00", "credit_invoice", fields, "invalid_amount");
    }
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "amount": "20" })));
    case.shows("ba-a", &[("cash", "100")]);
    assert_eq!(case.left("c"), "0");
}

#[test]
fn an_order_is_taken_back_too() {
    // R12.2
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    let order =
        json!({ "billing_account": "ba-a", "order": "o", "amount": "20", "product": "plan" });
    case.accept("2026-03-06T00:00", "place_order", order);
    case.pass("2026-03-16T00:00");
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "lines": [1] })));
    case.shows("ba-a", &[("cash", "100")]);
    assert_eq!(case.amounts(), ["20", "-20"]);
    assert_eq!(case.moves("ba-a", "cash").last().unwrap().0, "refund");
}

#[test]
fn what_finds_nothing_to_undo_becomes_own_cash() {
    // R12.2: the usage was taken back already, by a negative bill.
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    let record = case.record("2026-03-05T10:00", "a", "unit/usd", "30");
    case.keeper.usage(at("2026-03-05T10:00"), &record);
    case.pass("2026-03-16T00:00");
    let void = json!({ "account": "a", "source": "test", "id": record.id });
    case.accept("2026-03-16T00:10", "void_usage", void);
    case.pass("2026-03-16T01:00");
    case.shows("ba-a", &[("cash", "100")]);
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "amount": "30" })));
    case.shows("ba-a", &[("cash", "130")]);
    let last_move = case.moves("ba-a", "cash").pop().unwrap();
    assert_eq!(last_move, ("credit_note".to_string(), "30".to_string()));
}

#[test]
fn what_is_in_flight_is_taken_back_after_the_result() {
    // R12.2, R5.7
    let mut case = Case::new();
    let card = json!({
        "billing_account": "ba-a", "method": "m", "kind": "card", "token": "tok_unknown_then_ok",
    });
    case.accept("2026-03-01T00:00", "link_payment_method", card);
    case.uses("2026-03-05T10:00", "a", "unit/usd", "30");
    case.pass("2026-03-16T00:00");
    case.accept("2026-03-17T00:00", "pay", json!({ "billing_account": "ba-a" }));
    case.accept("2026-03-17T00:00", "credit_invoice", credit(json!({ "lines": [1] })));
    case.shows("ba-a", &[("cash", "0"), ("unsettled_current", "0")]);
    case.pass("2026-03-17T00:01");
    case.shows("ba-a", &[("cash", "30"), ("unsettled_current", "0")]);
}

#[test]
fn an_invoice_can_be_credited_for_a_while() {
    // R12.2
    let mut case = Case::with_settings("invoices.credit_within = \"60d\"");
    case.uses("2026-03-05T10:00", "a", "unit/usd", "30");
    case.pass("2026-03-16T00:00");
    let one = || credit(json!({ "amount": "1" }));
    case.accept("2026-05-15T00:00", "credit_invoice", one());
    case.refuse("2026-05-15T00:00:01Z", "credit_invoice", one(), "not_found");
}
