//! What each fact does to the state, where the lives of whole ledgers would not show it: what lies next to what a fact is
//! about, and what does not fit.

use thin_vec::thin_vec;

use super::super::asking::Asking;
use super::super::fact::{AccountClosed, CycleBilled, SettlementChanged, SuspensionDelayed};
use super::super::state::{
    CashCouponLot, Coupon, CouponLot, Order, RefundedCredit, TransferredCash,
};
use super::super::{BillsPaid, EnterpriseNumber, MethodPaid, Payer, RechargeChanged};
use super::*;
use crate::time::{Cycle, Window};

const A: WalletNumber = WalletNumber(1);
const B: WalletNumber = WalletNumber(2);
const PRODUCT: ProductNumber = ProductNumber(0);
const MARCH: Month = Month::from_number(674);

fn whole(amount: i64) -> Amount {
    Amount::whole(amount)
}

fn minute(number: u32) -> Minute {
    Minute::from_number(number)
}

/// The members, `a` and `b` with a wallet each, one of which is changed by hand.
fn members() -> Ledger {
    Asking::with_members().ledger
}

fn coupon(name: &str) -> Coupon {
    Coupon {
        coupon: name.parse().unwrap(),
        cash: false,
        amount: whole(10),
        left: whole(10),
        products: Vec::new(),
        minimum: Amount::ZERO,
        valid: Window::ALWAYS,
        sharing: None,
    }
}

fn bill(number: u64, account: u32, product: ProductNumber, month: Month) -> Bill {
    Bill {
        number,
        account: AccountNumber(account),
        product: Some(product),
        month,
        amount: whole(10),
        paid: Amount::ZERO,
        issued_at: Minute::START.starts(),
        order: None,
        half: HalfMonth::first_of(month),
    }
}

#[test]
fn a_fact_about_somebody_unknown_is_passed_over_only_while_a_ledger_is_loaded() {
    let (account, wallet, enterprise) = (AccountNumber(0), WalletNumber(0), EnterpriseNumber(0));
    let (at, ends) = (Minute::START.starts(), Minute::START);
    let unknown: [(Fact, &str); 4] = [
        (AccountClosed { account, at }.into(), "an unknown account"),
        (CycleBilled { wallet, ends }.into(), "an unknown wallet"),
        (RechargeChanged { wallet, recharge: None }.into(), "an unknown wallet"),
        (SettlementChanged { enterprise, awaits: vec![] }.into(), "an unknown enterprise"),
    ];
    let mut ledger = Ledger::new(1);
    for (fact, why) in &unknown {
        assert_eq!(ledger.apply(fact), Err(Broken(why)), "{fact:?}");
    }
    let (quantity, charge) = (whole(1), whole(1));
    let accrued = Accrued { account, series: 0, tab: 0, quantity, charge };
    let used = [(at, Used::Accrued(accrued))];
    assert_eq!(ledger.apply_used(&used), Err(Broken("an unknown account")));

    ledger.begin_load();
    for (fact, _) in &unknown {
        assert_eq!(ledger.apply(fact), Ok(()), "{fact:?}");
    }
    assert_eq!(ledger.apply_used(&used), Ok(()));
}

/// R9.4: what has begun stays; what was still to come, or begins in the same minute, is replaced.
#[test]
fn r9_4_a_payer_who_is_still_to_come_is_replaced() {
    let payers = |payers: &[(u32, u32)]| -> Vec<Payer> {
        let payer = |(from, wallet): &(u32, u32)| Payer {
            from: minute(*from),
            wallet: WalletNumber(*wallet),
        };
        payers.iter().map(payer).collect()
    };
    let mut asking = Asking::with_members();
    asking.table("use | a | 1");
    let used = asking.ledger.accounts[1].clone();
    let cases = [
        (9, 30, vec![(0, 0), (30, 9)]),
        (10, 30, vec![(0, 0), (10, 1), (30, 9)]),
        (11, 30, vec![(0, 0), (10, 1), (30, 9)]),
        (10, 10, vec![(0, 0), (10, 9)]),
        (25, 30, vec![(0, 0), (10, 1), (20, 2), (30, 9)]),
    ];
    for (now, from, expected) in cases {
        let mut account = used.clone();
        account.payers = payers(&[(0, 0), (10, 1), (20, 2)]).into();
        assert!(account.series[0].same.from < account.series[0].same.until);
        account.change_payer(minute(now), minute(from), WalletNumber(9));
        assert_eq!(account.payers.to_vec(), payers(&expected), "at {now} from {from} on");
        assert_eq!(account.series[0].same, super::super::fact::NOWHERE);
    }
}

/// R5.1: of the lengths of a cycle the latest that has begun is kept beside the next, which a later choice replaces.
#[test]
fn r5_1_the_length_of_a_cycle_changes_at_its_end() {
    let mut wallet = members().wallets[1].clone();
    let day = |from: u32| CycleChange { from: minute(from), cycle: Cycle::Day };
    let cases: [(u32, &[u32]); 5] =
        [(10, &[10]), (20, &[10, 20]), (20, &[10, 20]), (30, &[20, 30]), (25, &[20, 25])];
    for (from, expected) in cases {
        wallet.change_cycle(day(from));
        let expected: Vec<CycleChange> = expected.iter().copied().map(day).collect();
        assert_eq!(wallet.cycles.to_vec(), expected, "{from}");
    }
}

/// R4.1, R1.3: each lot by itself, credit refunds by their months; none but a quota can be spent below zero.
#[test]
fn r4_1_what_moves_goes_to_its_own_lot() {
    let mut wallet = members().wallets[1].clone();
    wallet.coupons = thin_vec![coupon("j"), coupon("k")];
    let month = |number: u16| Month::from_number(number);
    let refund = |number: u16| Lot::from(RefundedCredit { month: month(number) });
    let sent = |sender: u32| Lot::from(TransferredCash { sender: WalletNumber(sender) });
    let k = || "k".parse().unwrap();
    let moves = [
        (refund(3), 5, Cause::Refund),
        (refund(1), 3, Cause::Refund),
        (refund(2), 4, Cause::Refund),
        (refund(3), 2, Cause::Refund),
        (refund(1), -3, Cause::Bill),
        (sent(7), 5, Cause::Transfer),
        (sent(8), 6, Cause::Transfer),
        (sent(7), 4, Cause::Transfer),
        (sent(7), -2, Cause::Revocation),
        (sent(8), -1, Cause::Bill),
        (CouponLot { coupon: k() }.into(), -3, Cause::Bill),
        (CashCouponLot { coupon: k() }.into(), -1, Cause::Bill),
        (Lot::OWN_CASH, 9, Cause::TopUp),
        (Lot::QUOTA, 20, Cause::QuotaSet),
        (Lot::QUOTA, -25, Cause::Bill),
    ];
    for (lot, amount, cause) in moves {
        wallet.add_to(&Moved::of(A, lot, whole(amount), cause)).unwrap();
    }
    let refunds: Vec<_> = wallet.refunds.iter().map(|it| (it.month, it.left)).collect();
    assert_eq!(refunds, [(month(2), whole(4)), (month(3), whole(7))]);
    let transferred = wallet.transferred.iter();
    let transferred: Vec<_> = transferred.map(|it| (it.sender.0, it.left, it.net_sent)).collect();
    assert_eq!(transferred, [(7, whole(7), whole(7)), (8, whole(5), whole(6))]);
    let coupons: Vec<Amount> = wallet.coupons.iter().map(|it| it.left).collect();
    assert_eq!(coupons, [whole(10), whole(6)]);
    assert_eq!((wallet.quota, wallet.quota_consumed), (whole(20), whole(25)));

    let lots = [
        (Lot::OWN_CASH, 9),
        (sent(7), 7),
        (sent(8), 5),
        (sent(9), 0),
        (refund(3), 7),
        (refund(1), 0),
        (CouponLot { coupon: k() }.into(), 6),
        (CouponLot { coupon: "n".parse().unwrap() }.into(), 0),
        (Lot::QUOTA, -5),
        (MethodPaid { payment: 1 }.into(), 0),
    ];
    for (lot, expected) in lots {
        assert_eq!(wallet.lot_total(&lot), whole(expected), "{lot:?}");
        if lot == Lot::QUOTA {
            continue;
        }
        let beyond = Moved::of(A, lot.clone(), whole(-expected - 1), Cause::Bill);
        assert!(wallet.clone().add_to(&beyond).is_err(), "{lot:?}");
    }
    let totals = (wallet.cash(), wallet.transferred_in(), wallet.credit_refunds());
    assert_eq!(totals, (whole(21), whole(12), whole(11)));
}

/// R5.8: payments of an order in a row from one lot are one; the order in which lots paid is kept.
#[test]
fn r5_8_payments_of_an_order_are_kept_in_their_order() {
    let mut payments = Vec::new();
    let sent = Lot::from(TransferredCash { sender: B });
    for (lot, amount) in [(&sent, 1), (&sent, 2), (&Lot::OWN_CASH, 3), (&sent, 4)] {
        push_payment(&mut payments, lot, whole(amount)).unwrap();
    }
    let paid = |lot: &Lot, amount: i64| PaidFrom { lot: lot.clone(), amount: whole(amount) };
    assert_eq!(payments, [paid(&sent, 3), paid(&Lot::OWN_CASH, 3), paid(&sent, 4)]);

    let mut ledger = members();
    let order = |name: &str, bill: u64| Order {
        order: name.parse().unwrap(),
        bill,
        amount: whole(10),
        on_credit: Amount::ZERO,
        refunded: Amount::ZERO,
        credited: Amount::ZERO,
        payments: Vec::new(),
    };
    ledger.wallets[1].orders = thin_vec![order("o", 1), order("p", 2)];
    let refunded =
        |name: &str| OrderRefunded { wallet: A, order: name.parse().unwrap(), amount: whole(4) };
    ledger.apply(&refunded("p").into()).unwrap();
    ledger.apply(&refunded("p").into()).unwrap();
    ledger.apply(&refunded("o").into()).unwrap();
    let refunds: Vec<_> = ledger.wallets[1].orders.iter().map(|order| order.refunded).collect();
    assert_eq!(refunds, [whole(4), whole(8)]);
    let unknown = ledger.apply(&refunded("q").into());
    assert_eq!(unknown, Err(Broken("an order that was not placed")));

    let mut tax = bill(2, 1, PRODUCT, MARCH);
    tax.order = Some("p".parse().unwrap());
    ledger.wallets[1].unpaid = [bill(1, 1, PRODUCT, MARCH), tax].into();
    let order = Some("p".parse().unwrap());
    let paid = PaidBill { account: AccountNumber(1), product: Some(PRODUCT), month: MARCH, order };
    ledger.wallets[1].pay(2, &sent, whole(10), &paid).unwrap();
    let payments: Vec<_> =
        ledger.wallets[1].orders.iter().map(|order| order.payments.len()).collect();
    let unpaid: Vec<u64> = ledger.wallets[1].unpaid.iter().map(|bill| bill.number).collect();
    assert_eq!((payments, unpaid), (vec![0, 1], vec![1]));
}

/// What paid the bills of `a`, of wallet `a`, when these bills of it are unpaid and these payments come: bill, lot,
/// amount.
#[track_caller]
fn check_payments(unpaid: &[Bill], paid: &[(u64, &Lot, i64)], expected: &[(u64, &Lot, i64)]) {
    let mut ledger = members();
    ledger.wallets[1].unpaid = unpaid.to_vec().into();
    let of =
        PaidBill { account: AccountNumber(1), product: Some(PRODUCT), month: MARCH, order: None };
    for (bill, lot, amount) in paid {
        ledger.note_payment(A, *bill, lot, whole(*amount), &of).unwrap();
    }
    let row = |(bill, lot, amount): &(u64, &Lot, i64)| BillsPaid {
        bill: *bill,
        lot: (*lot).clone(),
        amount: whole(*amount),
    };
    let expected: Vec<BillsPaid> = expected.iter().map(row).collect();
    assert_eq!(ledger.accounts[1].months[0].payments, expected);
}

/// R5.7: what paid bills in a row out of one lot is one entry, unless another bill of the account and product between them
/// is unpaid: what pays that one later must come before.
#[test]
fn r5_7_payments_are_remembered_in_the_order_of_their_bills() {
    let cash = &Lot::OWN_CASH;
    let sent = &Lot::from(TransferredCash { sender: B });
    let own = |number: u64| bill(number, 1, PRODUCT, MARCH);
    check_payments(&[], &[(1, cash, 1), (2, cash, 2)], &[(2, cash, 3)]);
    check_payments(
        &[],
        &[(1, cash, 1), (2, sent, 2), (3, cash, 4)],
        &[(1, cash, 1), (2, sent, 2), (3, cash, 4)],
    );
    // Bill 2 is unpaid: it comes between, and is paid later.
    check_payments(&[own(2), own(3)], &[(1, cash, 1), (3, cash, 2)], &[(1, cash, 1), (3, cash, 2)]);
    check_payments(
        &[own(2)],
        &[(1, cash, 1), (3, sent, 2), (2, cash, 4)],
        &[(2, cash, 5), (3, sent, 2)],
    );
    // An unpaid bill before both does not divide them.
    check_payments(&[own(1)], &[(2, cash, 1), (3, cash, 2)], &[(3, cash, 3)]);
    // Bill 2 is paid in part: the rest of it comes before bill 3.
    check_payments(&[own(2)], &[(2, cash, 1), (3, cash, 2)], &[(2, cash, 1), (3, cash, 2)]);
    // It may be paid in parts itself.
    check_payments(&[own(2)], &[(2, cash, 1), (2, cash, 2)], &[(2, cash, 3)]);
    // What comes later, and bills of another product or account, divide nothing.
    let other = bill(2, 1, ProductNumber(7), MARCH);
    check_payments(&[other, own(4)], &[(1, cash, 1), (3, cash, 2)], &[(3, cash, 3)]);
    let other = bill(2, 2, PRODUCT, MARCH);
    check_payments(&[other], &[(1, cash, 1), (3, cash, 2)], &[(3, cash, 3)]);
}

/// R5.7: the latest payment is undone first, and is forgotten once all of it is.
#[test]
fn r5_7_a_payment_is_undone_from_its_end() {
    let mut ledger = members();
    let of =
        PaidBill { account: AccountNumber(1), product: Some(PRODUCT), month: MARCH, order: None };
    let sent = Lot::from(TransferredCash { sender: B });
    ledger.note_payment(A, 1, &Lot::OWN_CASH, whole(5), &of).unwrap();
    ledger.note_payment(A, 2, &sent, whole(5), &of).unwrap();
    let mut undo = |lot: &Lot, amount: i64| {
        let undone = PaymentUndone {
            wallet: A,
            account: AccountNumber(1),
            product: PRODUCT,
            month: MARCH,
            amount: whole(amount),
            lot: lot.clone(),
            half: HalfMonth::first_of(MARCH),
        };
        let done = ledger.apply(&undone.into());
        let left = ledger.accounts[1].months[0].payments.iter().map(|it| it.amount);
        done.map(|()| left.collect::<Vec<_>>())
    };
    assert_eq!(undo(&sent, 4), Ok(vec![whole(5), whole(1)]));
    assert_eq!(undo(&sent, 1), Ok(vec![whole(5)]));
    assert_eq!(undo(&Lot::OWN_CASH, 5), Ok(vec![]));
    assert_eq!(undo(&Lot::OWN_CASH, 1), Err(Broken("no payment to undo")));
}

/// R5.1: a cycle is open for each account that has charges in it, once; when it is billed the others stay open.
#[test]
fn r5_1_a_cycle_is_open_for_every_account_that_used_something() {
    let mut asking = Asking::with_members();
    asking.table("use | a | 1");
    let mut ledger = asking.ledger;
    let tab = ledger.accounts[1].tabs[0].clone();
    let (first, later) = (tab.ends, minute(tab.ends.number() + 60));
    for (account, ends) in [(1, first), (2, first), (1, first), (1, later), (2, later)] {
        let tab = super::super::Tab { ends, ..tab.clone() };
        ledger.apply(&TabOpened { account: AccountNumber(account), tab }.into()).unwrap();
    }
    let open = |ledger: &Ledger| -> Vec<(Minute, Vec<u32>)> {
        let cycles = ledger.wallets[1].open_cycles.iter();
        cycles.map(|it| (it.ends, it.accounts.iter().map(|it| it.0).collect())).collect()
    };
    assert_eq!(open(&ledger), [(first, vec![1, 2]), (later, vec![1, 2])]);
    assert_eq!(ledger.next_timer(), Some(first.starts()));
    ledger.apply(&CycleBilled { wallet: A, ends: first }.into()).unwrap();
    assert_eq!(open(&ledger), [(later, vec![1, 2])]);
    assert_eq!(ledger.next_timer(), Some(later.starts()));
}

/// R5.3: the begin of a cash coupon is the arrival of an asset, if it is still to come.
#[test]
fn r5_3_the_begin_of_a_cash_coupon_is_waited_for() {
    let now = members().clock.now().minute().number();
    for (cash, from, waits) in [
        (true, now - 1, false),
        (true, now, false),
        (true, now + 1, true),
        (false, now + 1, false),
        (false, now - 1, false),
    ] {
        let mut ledger = members();
        let from = minute(from);
        let valid = Window { from, until: Minute::END };
        let coupon = Coupon { cash, valid, ..coupon("k") };
        ledger.apply(&CouponOpened { wallet: A, coupon: coupon.clone() }.into()).unwrap();
        assert_eq!(ledger.wallets[1].coupons, [coupon]);
        let waited = ledger.next_timer();
        assert_eq!(waited, waits.then(|| from.starts()), "cash {cash}, from {from:?}");
    }
}

/// R5.7, R8.3, R9.3: what is said of one bill, account or limit leaves what was said of others.
#[test]
fn what_is_said_of_one_leaves_the_others() {
    let mut ledger = members();
    let correction = |number: u64, amount: i64| CorrectionWaits {
        wallet: A,
        correction: super::super::Correction {
            bill: Bill { amount: whole(amount), ..bill(number, 1, PRODUCT, MARCH) },
            rest: None,
        },
    };
    let waits = |ledger: &Ledger| -> Vec<(u64, Amount)> {
        let waiting = ledger.wallets[1].corrections.iter();
        waiting.map(|it| (it.bill.number, it.bill.amount)).collect()
    };
    for (number, amount) in [(1, -5), (2, -6), (1, -4)] {
        ledger.apply(&correction(number, amount).into()).unwrap();
    }
    assert_eq!(waits(&ledger), [(2, whole(-6)), (1, whole(-4))]);
    ledger.apply(&correction(2, 0).into()).unwrap();
    assert_eq!(waits(&ledger), [(1, whole(-4))]);

    let since = ledger.clock.now();
    let delayed = |account: u32, since| SuspensionDelayed {
        wallet: A,
        account: AccountNumber(account),
        since,
    };
    for (account, since) in [(1, Some(since)), (2, Some(since)), (1, None)] {
        ledger.apply(&delayed(account, since).into()).unwrap();
    }
    let account = AccountNumber(2);
    assert_eq!(ledger.wallets[1].delays, [SuspensionDelay { account, since }]);

    // A contract stays confirmed when the limit is given up.
    for (limit, confirmed) in [(0, false), (5, true), (0, true)] {
        let changed = LimitChanged { wallet: A, limit: whole(limit), pending: None };
        ledger.apply(&changed.into()).unwrap();
        assert_eq!(ledger.wallets[1].contract_confirmed, confirmed, "{limit}");
    }
}

/// R9.1: a reduced bill leaves its month waiting for bad debt only as long as another of that month is unpaid.
#[test]
fn r9_1_a_bill_that_is_reduced_away_is_no_bad_debt() {
    let mut ledger = members();
    let april = MARCH.next();
    ledger.wallets[1].unpaid =
        [bill(1, 1, PRODUCT, MARCH), bill(2, 1, PRODUCT, april), bill(3, 1, PRODUCT, april)].into();
    ledger.watch_unpaid(A);
    let waits = |ledger: &Ledger| {
        [MARCH, april].map(|month| {
            let at = ledger.bad_debt_at(A, month).unwrap();
            ledger.due.contains(at, Timer::BadDebt, A)
        })
    };
    assert_eq!(waits(&ledger), [true, true]);
    let cases = [(2, [true, true]), (1, [false, true]), (3, [false, false])];
    for (number, expected) in cases {
        let reduced = BillReduced { wallet: A, bill: number, by: 9, amount: whole(10) };
        ledger.apply(&reduced.into()).unwrap();
        assert_eq!(waits(&ledger), expected, "bill {number}");
    }
    let unknown = ledger.apply(&BillReduced { wallet: A, bill: 7, by: 9, amount: whole(1) }.into());
    assert_eq!(unknown, Err(Broken("a bill that is not owed")));
}

/// R2.4: a month is kept as long as records of it can still come: 35 days, and 7 more for rejects.
#[test]
fn r2_4_months_are_forgotten_when_no_record_of_them_can_come() {
    let mut asking = Asking::with_members();
    asking.table("use | a | 1");
    let mut ledger = asking.ledger;
    for (at, oldest) in [("2026-03-16T23:59:59Z", "2026-01"), ("2026-04-14T00:00:00Z", "2026-03")] {
        ledger.clock.now = at.parse().unwrap();
        assert_eq!(ledger.oldest_month_kept(), oldest.parse().unwrap(), "{at}");
    }
    let series = ledger.accounts[1].series[0].clone();
    let months = |number: i32| Month::from_number((674 + number).try_into().unwrap());
    let of = |month: Month| super::super::Series { month, ..series.clone() };
    ledger.accounts[1].series = [-2, -1, 0, 1].map(|number| of(months(number))).into();
    for number in -2..=1 {
        let added = ledger.accounts[1].month_bills(A, PRODUCT, months(number));
        added.exact = whole(number.into());
    }
    // The same series opened again takes its own place, and what it has come to stays.
    let again = super::super::Series { loads: 7, ..of(MARCH) };
    let account = AccountNumber(1);
    let opened = super::super::Series { quantity: Amount::ZERO, ..again.clone() };
    ledger.apply(&SeriesOpened { account, series: opened }.into()).unwrap();
    let loads: Vec<u32> = ledger.accounts[1].series.iter().map(|it| it.loads).collect();
    assert_eq!(loads, [series.loads, series.loads, 7, series.loads]);
    // Another one makes room.
    let other = super::super::Series { wallet: B, ..of(MARCH) };
    ledger.apply(&SeriesOpened { account, series: other.clone() }.into()).unwrap();
    assert_eq!(ledger.accounts[1].series, [again, of(months(1)), other]);
    let kept: Vec<_> = ledger.accounts[1].months.iter().map(|it| (it.month, it.exact)).collect();
    assert_eq!(kept, [(MARCH, whole(0)), (months(1), whole(1))]);
}

/// There are millions of these lists: they hold little more room than they use, however long they grow.
#[test]
fn lists_hold_little_more_room_than_they_use() {
    let (mut list, mut thin) = (Vec::new(), ThinVec::new());
    for number in 0..100 {
        push_tightly(&mut list, number);
        insert_tightly(&mut thin, 0, number);
        let most = list.len() + list.len() / 4 + 1;
        for capacity in [list.capacity(), thin.capacity()] {
            assert!(capacity <= most, "{capacity} for {}", list.len());
        }
    }
    assert!(list.into_iter().eq(0..100));
    assert!(thin.into_iter().rev().eq(0..100));
}
