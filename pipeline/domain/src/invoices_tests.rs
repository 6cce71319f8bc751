//! R12.3, R12.6: what a draft waits for, and what it becomes.

use super::*;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn draft(total: &str) -> InvoiceDraft {
    InvoiceDraft {
        draft: 1,
        corrects: None,
        reason: None,
        billing_account: "ba-a".parse().unwrap(),
        enterprise: "e".parse().unwrap(),
        enterprise_name: "E".parse().unwrap(),
        country: Country::SINGAPORE,
        tax_id: None,
        language: None,
        recipients: Vec::new(),
        time_zone: "Asia/Singapore".parse().unwrap(),
        from: "2026-03-15T16:00:00Z".parse().unwrap(),
        until: "2026-03-31T16:00:00Z".parse().unwrap(),
        issuer_country: Country::SINGAPORE,
        issuer_name: None,
        issuer_address: None,
        issuer_tax_id: None,
        currency: Currency::Usd,
        lines: Vec::new(),
        top_ups: Vec::new(),
        net: amount(total),
        tax_rate: Amount::ZERO,
        tax_note: TaxNote::NotListed,
        tax: Amount::ZERO,
        total: amount(total),
        settlement_currency: None,
        settled: None,
        awaits_approval: false,
    }
}

fn settled() -> Settled {
    let settlement = Settlement { currency: Currency::Eur, rate: amount("0.9") };
    assert_eq!(settlement.of(amount("0.05")), Ok(amount("0.05")));
    assert_eq!(settlement.of(amount("10")), Ok(amount("9")));
    Settled::of(settlement, amount("9"), amount("0.81")).unwrap()
}

/// R12.1, R12.6: a run's approval is told before a rate that is missing.
#[test]
fn r12_6_a_draft_says_what_it_waits_for() {
    let euro = Some(Currency::Eur);
    for (awaits_approval, settlement_currency, settled, held_for, lacks_rate) in [
        (false, None, None, None, false),
        (false, euro, None, Some(HeldFor::NoRate), true),
        (false, euro, Some(settled()), None, false),
        (true, None, None, Some(HeldFor::Approval), false),
        (true, euro, None, Some(HeldFor::Approval), true),
    ] {
        let draft = InvoiceDraft { awaits_approval, settlement_currency, settled, ..draft("10") };
        assert_eq!((draft.held_for(), draft.lacks_rate()), (held_for, lacks_rate), "{draft:?}");
    }
}

/// R12.3: a credit note corrects what it names, else the invoice before it; an invoice corrects nothing.
#[test]
fn r12_3_a_negative_total_is_a_credit_note_for_the_last_invoice() {
    let (last, named) = (Some("SG-2026-000001".to_owned()), Some("SG-2026-000007".to_owned()));
    for (total, named, kind, corrects) in [
        ("0.01", None, InvoiceType::Invoice, None),
        ("0", None, InvoiceType::Invoice, None),
        ("-0.01", None, InvoiceType::CreditNote, last.clone()),
        ("-0.01", named.clone(), InvoiceType::CreditNote, named),
    ] {
        let draft = InvoiceDraft { corrects: named, ..draft(total) };
        assert_eq!(draft.kind(), kind, "R12.3: {total}");
        let invoice = draft.issued("n".to_owned(), Timestamp::START, last.clone());
        assert_eq!((invoice.r#type, &invoice.corrects), (kind, &corrects), "R12.3: {total}");
    }
}

#[test]
fn r12_6_an_issued_invoice_says_how_it_is_settled_and_for_which_days() {
    let issued = |draft: InvoiceDraft| draft.issued("n".to_owned(), Timestamp::START, None);
    let plain = issued(draft("10"));
    assert_eq!((plain.settlement(), plain.settled_total), (None, None));
    assert_eq!(plain.period(), "2026-03-16/2026-03-31");
    let (settled, currency) = (settled(), Some(Currency::Eur));
    let other = issued(InvoiceDraft {
        settlement_currency: currency,
        settled: Some(settled),
        ..draft("10")
    });
    assert_eq!(other.settlement(), Some(settled.settlement));
    assert_eq!(other.settlement_rate, Some(amount("0.9")));
    let figures = [other.settled_net, other.settled_tax, other.settled_total];
    assert_eq!(figures, ["9", "0.81", "9.81"].map(|figure| Some(amount(figure))));
}
