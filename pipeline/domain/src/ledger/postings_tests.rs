//! R1.3: whatever a fact says, what it books is balanced.

use proptest::prelude::*;

use super::super::{
    AccountNumber, Bill, CashCouponLot, CouponLot, OwnCash, PaidBill, ProductNumber, QuotaLot,
    RefundedCredit, TransferredCash,
};
use super::*;
use crate::invoices::{InvoiceDraft, TaxNote};
use crate::ledger::{EnterpriseNumber, RunKey};
use crate::money::Currency;
use crate::time::{HalfMonth, Minute, Month, Timestamp, Zone};

fn amount() -> impl Strategy<Value = Amount> {
    any::<i64>().prop_map(|raw| Amount::from_raw(raw.into()))
}

fn month() -> Month {
    "2026-03".parse().unwrap()
}

fn lot() -> impl Strategy<Value = Lot> {
    prop_oneof![
        Just(Lot::OwnCash(OwnCash {})),
        Just(Lot::TransferredCash(TransferredCash { sender: WalletNumber(3) })),
        Just(Lot::RefundedCredit(RefundedCredit { month: month() })),
        Just(Lot::CouponLot(CouponLot { coupon: "k".parse().unwrap() })),
        Just(Lot::CashCouponLot(CashCouponLot { coupon: "k".parse().unwrap() })),
        Just(Lot::QuotaLot(QuotaLot {})),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::TopUp),
        Just(Cause::Adjustment),
        Just(Cause::Transfer),
        Just(Cause::Revocation),
        Just(Cause::Grant),
        Just(Cause::QuotaSet),
        Just(Cause::Bill),
        Just(Cause::BillReversed),
        Just(Cause::Refund),
        Just(Cause::TaxReturned),
        Just(Cause::CreditNote),
    ]
}

/// What a bill may be over.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Usage,
    Order,
    Tax,
}

fn bill(amount: Amount, over: Over) -> Bill {
    Bill {
        number: 7,
        account: AccountNumber(0),
        product: Some(if over == Over::Tax { ProductNumber::TAX } else { ProductNumber(0) }),
        month: month(),
        amount,
        paid: Amount::ZERO,
        issued_at: Timestamp::START,
        order: (over == Over::Order).then(|| "o".parse().unwrap()),
        half: HalfMonth::first_of(month()),
    }
}

fn issued(amount: Amount, exact: Amount, over: Over) -> BillIssued {
    let (wallet, bill, ends) = (WalletNumber(1), bill(amount, over), Minute::START);
    BillIssued::of(wallet, bill, exact, ends)
}

fn draft(net: Amount) -> InvoiceDraft {
    InvoiceDraft {
        draft: 1 << 32,
        corrects: None,
        reason: None,
        billing_account: "ba-a".parse().unwrap(),
        enterprise: "e".parse().unwrap(),
        enterprise_name: "E".parse().unwrap(),
        country: "SG".parse().unwrap(),
        tax_id: None,
        language: None,
        recipients: Vec::new(),
        time_zone: Zone::UTC,
        from: Timestamp::START,
        until: Timestamp::START,
        issuer_country: "SG".parse().unwrap(),
        issuer_name: None,
        issuer_address: None,
        issuer_tax_id: None,
        currency: Currency::Usd,
        lines: Vec::new(),
        top_ups: Vec::new(),
        net,
        tax_rate: Amount::ZERO,
        tax_note: TaxNote::NotListed,
        tax: Amount::ZERO,
        total: net,
        settlement_currency: None,
        settled: None,
        awaits_approval: false,
    }
}

fn fact() -> impl Strategy<Value = Fact> {
    let wallet = WalletNumber(1);
    prop_oneof![
        (lot(), cause(), amount(), any::<bool>()).prop_map(move |(lot, cause, amount, pays)| {
            let paid =
                PaidBill { account: AccountNumber(0), product: None, month: month(), order: None };
            let moved = Moved::of(wallet, lot, amount, cause);
            Moved { bill: pays.then_some(7), paid: pays.then_some(paid), ..moved }.into()
        }),
        (amount(), amount(), prop_oneof![Just(Over::Usage), Just(Over::Order), Just(Over::Tax)])
            .prop_map(|(amount, exact, over)| issued(amount, exact, over).into()),
        (amount(), prop_oneof![Just(Over::Usage), Just(Over::Order)]).prop_map(|(amount, over)| {
            let credit_note = Some("CN-SG-2026-000001".to_owned());
            BillIssued { credit_note, ..issued(amount, amount, over) }.into()
        }),
        amount().prop_map(move |net| {
            let (last, draft) = (HalfMonth::first_of(month()), Box::new(draft(net)));
            let (enterprise, currency) = (EnterpriseNumber(0), Currency::Usd);
            let run = RunKey { enterprise, day: Zone::UTC.date_of(Timestamp::START), currency };
            PeriodClosed { wallet, last, draft, run }.into()
        }),
        (amount(), 1u64..3, 1u64..3).prop_map(move |(amount, bill, by)| {
            BillReduced { wallet, bill, by, amount }.into()
        }),
        (amount(), lot()).prop_map(move |(amount, lot)| {
            let (account, product) = (AccountNumber(0), ProductNumber(0));
            let (month, half) = (month(), HalfMonth::first_of(month()));
            PaymentUndone { wallet, account, product, month, amount, lot, half }.into()
        }),
    ]
}

fn balance(postings: &Postings) -> Amount {
    Amount::sum(postings.iter().map(|posting| posting.debit)).unwrap()
}

proptest! {
    #[test]
    fn r1_3_every_fact_books_as_much_here_as_there(fact in fact()) {
        let postings = Ledger::new(1).postings(&fact).unwrap();
        prop_assert!(postings.len() >= 2, "{fact:?} books nothing");
        prop_assert_eq!(balance(&postings), Amount::ZERO);
    }
}

#[test]
fn r1_3_a_payment_empties_the_lot_and_the_bill() {
    let moved = Moved::of(WalletNumber(1), Lot::OWN_CASH, Amount::whole(-5), Cause::Bill);
    let postings = Ledger::new(1).postings(&moved.into()).unwrap();
    let debits: Vec<_> = postings.iter().map(|p| (p.book, p.debit)).collect();
    let (five, back) = (Amount::whole(5), Amount::whole(-5));
    assert_eq!(debits, [(Book::Receivable, back), (Book::OwnCash, five)]);
}

/// R1.2: what a bill does not hold of its charges stays in rounding.
#[test]
fn r1_3_a_rounded_bill_books_the_rest_as_rounding() {
    let exact: Amount = "0.004".parse().unwrap();
    let issued = issued(Amount::ZERO, exact, Over::Usage);
    let postings = Ledger::new(1).postings(&issued.into()).unwrap();
    let rounding = postings.iter().find(|p| p.book == Book::Rounding).unwrap();
    assert_eq!(rounding.debit, exact);
}
