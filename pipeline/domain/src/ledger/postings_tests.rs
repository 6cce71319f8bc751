//! R1.3: whatever a fact says, what it books is balanced.

use proptest::prelude::*;

use super::super::{
    AccountNumber, Bill, CashCouponLot, CouponLot, OwnCash, PaidBill, ProductNumber, QuotaLot,
    RefundedCredit, TransferredCash,
};
use super::*;
use crate::time::{Minute, Month, Timestamp};

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
        Just(Cause::Lapse),
        Just(Cause::QuotaSet),
        Just(Cause::Bill),
        Just(Cause::BillReversed),
        Just(Cause::Refund),
    ]
}

fn bill(amount: Amount, order: bool) -> Bill {
    Bill {
        number: 7,
        account: AccountNumber(0),
        product: Some(ProductNumber(0)),
        month: month(),
        amount,
        paid: Amount::ZERO,
        issued_at: Timestamp::START,
        order: order.then(|| "o".parse().unwrap()),
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
        (amount(), amount(), any::<bool>()).prop_map(move |(amount, exact, order)| {
            BillIssued {
                wallet,
                bill: bill(amount, order),
                exact,
                ends: Minute::START,
                burned: Vec::new(),
            }
            .into()
        }),
        (amount(), 1u64..3, 1u64..3).prop_map(move |(amount, bill, by)| {
            BillReduced { wallet, bill, by, amount }.into()
        }),
        amount().prop_map(move |amount| {
            let (account, product) = (AccountNumber(0), ProductNumber(0));
            PaymentUndone { wallet, account, product, month: month(), amount }.into()
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
    let issued = BillIssued {
        wallet: WalletNumber(1),
        bill: bill(Amount::ZERO, false),
        exact,
        ends: Minute::START,
        burned: Vec::new(),
    };
    let postings = Ledger::new(1).postings(&issued.into()).unwrap();
    let rounding = postings.iter().find(|p| p.book == Book::Rounding).unwrap();
    assert_eq!(rounding.debit, exact);
}
