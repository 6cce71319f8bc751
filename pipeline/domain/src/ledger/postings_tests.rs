//! R1.3: whatever a fact says, what it books is balanced.

use proptest::prelude::*;

use super::super::asking::Asking;
use super::super::{
    AccountNumber, Bill, CashCouponLot, CouponLot, MethodPaid, OwnCash, PaidBill, ProductNumber,
    QuotaLot, RefundedCredit, SharedCouponLot, TransferredCash,
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

/// What a fact books: each book with its debit.
fn books(ledger: &Ledger, fact: impl Into<Fact>) -> String {
    let fact = fact.into();
    let postings = ledger.postings(&fact).unwrap();
    let told = postings.iter().map(|it| format!("{} {}", it.book.name(), it.debit));
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn every_book_has_its_place() {
    for (place, book) in Book::ALL.iter().enumerate() {
        assert_eq!(book.place(), place, "{book:?}");
    }
    let wallet = WalletNumber(1);
    let coupon = || "k".parse().unwrap();
    let lots: [(Lot, Book); 8] = [
        (Lot::OWN_CASH, Book::OwnCash),
        (TransferredCash { sender: wallet }.into(), Book::TransferredCash),
        (RefundedCredit { month: month() }.into(), Book::CreditRefunds),
        (CouponLot { coupon: coupon() }.into(), Book::Coupons),
        (SharedCouponLot { holder: wallet, coupon: coupon() }.into(), Book::Between),
        (CashCouponLot { coupon: coupon() }.into(), Book::CashCoupons),
        (Lot::QUOTA, Book::Quota),
        (MethodPaid { payment: 1 }.into(), Book::Bank),
    ];
    for (lot, book) in lots {
        assert_eq!(Book::of(&lot), book);
    }
}

/// R1.3: whence an asset came, and where it went.
#[test]
fn r1_3_each_cause_has_its_other_side() {
    let ledger = Ledger::new(1);
    let moved = |lot, cause| Moved::of(WalletNumber(1), lot, Amount::whole(5), cause);
    let causes = [
        (Cause::TopUp, "bank"),
        (Cause::Payment, "bank"),
        (Cause::Withdrawal, "bank"),
        (Cause::Remittance, "claimed, on its way"),
        (Cause::PaymentRequest, "paid for others, on its way"),
        (Cause::Held, "held for orders"),
        (Cause::Adjustment, "adjustments"),
        (Cause::Transfer, "between wallets"),
        (Cause::Revocation, "between wallets"),
        (Cause::Shared, "between wallets"),
        (Cause::Grant, "grants"),
        (Cause::QuotaSet, "partners"),
        (Cause::Bill, "bills receivable"),
        (Cause::BillReversed, "given back"),
        (Cause::Refund, "refunds"),
        (Cause::TaxReturned, "corrections"),
        (Cause::CreditNote, "corrections"),
    ];
    for (cause, other) in causes {
        let expected = format!("{other} 5, own cash -5");
        assert_eq!(books(&ledger, moved(Lot::OWN_CASH, cause)), expected, "{cause}");
    }
    // What a coupon pays lowers the net of an invoice; a cash coupon is a payment (R12.3).
    let coupon = || CouponLot { coupon: "k".parse().unwrap() }.into();
    let cash = || CashCouponLot { coupon: "k".parse().unwrap() }.into();
    let cases: [(Lot, Cause, &str); 3] = [
        (coupon(), Cause::Bill, "bills receivable 5, coupons -5, to be invoiced 5, invoiced -5"),
        (coupon(), Cause::Refund, "refunds 5, coupons -5"),
        (cash(), Cause::Bill, "bills receivable 5, cash coupons -5"),
    ];
    for (lot, cause, expected) in cases {
        assert_eq!(books(&ledger, moved(lot, cause)), expected, "{cause}");
    }
}

/// R1.3: what a bill is over, what it undoes, and who it is for.
#[test]
fn r1_3_a_bill_is_booked_by_what_it_is_over() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"operator | open_account | account = "eco", enterprise = "e", email = "x@y.example", mode = "postpaid", kind = "ecosystem", partner = "p" | ok"#,
    );
    let ledger = asking.ledger;
    let whole = Amount::whole;
    let exact: Amount = "4.996".parse().unwrap();
    let of = |amount: i64, over| issued(whole(amount), exact, over);
    let note = |over| BillIssued {
        credit_note: Some("CN-1".to_owned()),
        ..issued(whole(-5), whole(-5), over)
    };
    let usage = "unbilled charges -4.996, rounding -0.004, bills receivable 5";
    let cases = [
        (of(5, Over::Usage), format!("{usage}, to be invoiced 5, invoiced -5")),
        (
            issued(whole(-5), whole(-5), Over::Usage),
            "unbilled charges 5, rounding 0, corrections -5, to be invoiced -5, invoiced 5"
                .to_owned(),
        ),
        (
            of(5, Over::Order),
            "bills receivable 5, orders -5, to be invoiced 5, invoiced -5".to_owned(),
        ),
        (of(5, Over::Tax), "bills receivable 5, taxes -5".to_owned()),
        (of(-5, Over::Tax), "corrections -5, taxes 5".to_owned()),
        (note(Over::Usage), "corrections -5, credited 5".to_owned()),
        (note(Over::Order), "refunds -5, orders 5".to_owned()),
        // We invoice no partner's wallet.
        (BillIssued { wallet: WalletNumber(6), ..of(5, Over::Usage) }, usage.to_owned()),
    ];
    for (fact, expected) in cases {
        assert_eq!(books(&ledger, fact.clone()), expected, "{fact:?}");
    }
}

/// R1.3: what pays a bill beside the lots of its wallet, and what is undone of it.
#[test]
fn r1_3_what_is_paid_and_undone_is_booked_on_both_sides() {
    let ledger = Ledger::new(1);
    let (wallet, amount) = (WalletNumber(1), Amount::whole(5));
    let paid =
        || PaidBill { account: AccountNumber(0), product: None, month: month(), order: None };
    let coupon = || CouponLot { coupon: "k".parse().unwrap() }.into();
    let shared = || SharedCouponLot { holder: WalletNumber(2), coupon: "k".parse().unwrap() };
    let undone = |lot| PaymentUndone {
        wallet,
        account: AccountNumber(0),
        product: ProductNumber(0),
        month: month(),
        amount,
        lot,
        half: HalfMonth::first_of(month()),
    };
    let held = |lot| HeldPaid { wallet, bill: 7, lot, amount, paid: paid() };
    let run = RunKey {
        enterprise: EnterpriseNumber(0),
        day: Zone::UTC.date_of(Timestamp::START),
        currency: Currency::Usd,
    };
    let closed = PeriodClosed {
        wallet,
        last: HalfMonth::first_of(month()),
        draft: Box::new(draft(amount)),
        run,
    };
    let request = "r".parse().unwrap();
    let cases: [(Fact, &str); 11] = [
        (BillReduced { wallet, bill: 7, by: 7, amount }.into(), "refunds 5, bills receivable -5"),
        (
            BillReduced { wallet, bill: 7, by: 8, amount }.into(),
            "corrections 5, bills receivable -5",
        ),
        (undone(Lot::OWN_CASH).into(), "corrections 5, given back -5"),
        (undone(coupon()).into(), "corrections 5, given back -5, to be invoiced 5, invoiced -5"),
        (
            undone(shared().into()).into(),
            "corrections 5, given back -5, to be invoiced 5, invoiced -5",
        ),
        (
            BillPaid { wallet, bill: 7, payment: 1, amount, paid: paid() }.into(),
            "bank 5, bills receivable -5",
        ),
        (
            SharedCouponPaid { wallet, bill: 7, lot: shared(), amount, paid: paid() }.into(),
            "between wallets 5, bills receivable -5, invoiced 5, to be invoiced -5",
        ),
        (held(Lot::OWN_CASH).into(), "held for orders 5, bills receivable -5"),
        (
            held(coupon()).into(),
            "held for orders 5, bills receivable -5, invoiced 5, to be invoiced -5",
        ),
        (closed.into(), "invoiced 5, to be invoiced -5"),
        (
            RequestFunded { wallet, request, amount }.into(),
            "bank 5, paid for others, on its way -5",
        ),
    ];
    for (fact, expected) in cases {
        assert_eq!(books(&ledger, fact.clone()), expected, "{fact:?}");
    }
    let back = SharedCouponReturned { wallet, lot: shared(), amount };
    assert_eq!(books(&ledger, back), "given back 5, between wallets -5");
}

/// R1.3, R10.4: what arrives for one request leaves what is on its way for another.
#[test]
fn r10_4_what_arrives_crosses_between_two_ledgers() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-x", amount = "100", currency = "USD", method = "bank_transfer" | ok
        a | request_payment | request = "r", requester = "ba-a", payer = "x", service = "s", amount = "30" | ok
        a | request_payment | request = "s", requester = "ba-a", payer = "x", service = "s", amount = "7" | ok
        hold | messages
        x | approve_payment_request | request = "r" | ok
        x | approve_payment_request | request = "s" | ok
        "#,
    );
    let changed = |wallet, direction, request: &str, status| RequestChanged {
        wallet: WalletNumber(wallet),
        direction,
        request: request.parse().unwrap(),
        status,
        reason: None,
        in_flight: Amount::ZERO,
        payment: None,
    };
    let cases = [
        (
            5,
            Direction::ToPay,
            "r",
            RequestStatus::Paid,
            "paid for others, on its way 30, between ledgers -30",
        ),
        (
            5,
            Direction::ToPay,
            "s",
            RequestStatus::Paid,
            "paid for others, on its way 7, between ledgers -7",
        ),
        (
            1,
            Direction::Asked,
            "r",
            RequestStatus::Paid,
            "between ledgers 30, paid for others, on its way -30",
        ),
        (5, Direction::ToPay, "r", RequestStatus::Failed, ""),
    ];
    for (wallet, direction, request, status, expected) in cases {
        let found = books(&asking.ledger, changed(wallet, direction, request, status));
        assert_eq!(found, expected, "{request}");
    }
    let unknown = changed(5, Direction::ToPay, "t", RequestStatus::Paid).into();
    assert_eq!(asking.ledger.postings(&unknown), Err(Broken("an unknown request to pay")));
    assert_eq!(asking.booked("ba-x", Book::ForOthers), (Amount::whole(-37), Amount::whole(-37)));
}

/// R1.3: the state holds what the facts have booked, of each wallet by itself.
#[test]
fn r1_3_the_books_of_a_wallet_are_its_own() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "10", valid_from = "2026-03-10T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "c", amount = "3", cash = true, valid_from = "2026-03-10T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | ok
        use | a | 1
        use | b | 2
        boss | change_payer | account = "b", billing_account = "ba-a" | ok
        at | 2026-03-01T00:10:00Z
        use | b | 4
        "#,
    );
    let stands = |asking: &Asking, wallet: u32, book: Book| {
        let books = asking.ledger.books_of(WalletNumber(wallet)).unwrap();
        let of_book = books.iter().filter(|it| it.book == book && it.wallet.0 == wallet);
        Amount::sum(of_book.map(|it| it.debit)).unwrap()
    };
    let whole = Amount::whole;
    let unbilled = |asking: &Asking| [1, 2].map(|wallet| stands(asking, wallet, Book::Unbilled));
    assert_eq!(unbilled(&asking), [whole(5), whole(2)]);
    let coupons = [Book::Coupons, Book::CashCoupons].map(|book| stands(&asking, 1, book));
    assert_eq!(coupons, [whole(-10), whole(-3)]);
    // While metering lags, three cycles are open.
    for (at, expected) in [("2026-03-01T01:10:00Z", 13), ("2026-03-01T02:10:00Z", 21)] {
        asking.ledger.pass(at.parse().unwrap(), &mut asking.facts).unwrap();
        asking.table("use | b | 8");
        assert_eq!(unbilled(&asking), [whole(expected), whole(2)], "{at}");
    }
    asking.table("at | 2026-03-01T02:10:00Z");
    assert_eq!(unbilled(&asking), [whole(8), whole(0)]);
    assert_eq!(stands(&asking, 1, Book::Receivable), whole(13));
}
