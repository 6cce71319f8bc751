//! Questions that the state answers of itself, at and beside each edge.

use super::super::asking::Asking;
use super::*;
use crate::money::Currency;

const HOUR: Cycle = Cycle::Hour;

fn at(time: &str) -> Timestamp {
    format!("2026-03-{time}Z").parse().unwrap()
}

/// The account and the wallet of `a`.
fn opened() -> (Account, Wallet) {
    let ledger = Asking::with_members().ledger;
    let account = ledger.account(AccountNumber(1)).unwrap().clone();
    (account, ledger.wallet(WalletNumber(1)).unwrap().clone())
}

/// R9.4: one payer at any time, the first also before he begins.
#[test]
fn r9_4_an_account_has_one_payer_in_every_minute() {
    let (mut account, _) = opened();
    let minute = Minute::from_number;
    let payer = |(from, wallet)| Payer { from: minute(from), wallet: WalletNumber(wallet) };
    account.payers = [(10, 5), (20, 6), (30, 7)].map(payer).into_iter().collect();
    let (start, end) = (Minute::START, Minute::END);
    let cases = [
        (0, 5, start, minute(20)),
        (10, 5, start, minute(20)),
        (19, 5, start, minute(20)),
        (20, 6, minute(20), minute(30)),
        (29, 6, minute(20), minute(30)),
        (30, 7, minute(30), end),
        (99, 7, minute(30), end),
    ];
    for (used, wallet, from, until) in cases {
        let expected = (WalletNumber(wallet), Window { from, until });
        assert_eq!(account.payer_at(minute(used)), expected, "{used}");
    }
    for (from, before) in
        [(10, None), (11, Some(5)), (20, Some(5)), (21, Some(6)), (30, Some(6)), (31, Some(7))]
    {
        assert_eq!(account.payer_before(minute(from)), before.map(WalletNumber), "{from}");
    }
}

/// R5.1: a cycle that was open when the length was changed ends as it would have.
#[test]
fn r5_1_a_cycle_lies_between_two_changes_of_its_length() {
    let (_, mut wallet) = opened();
    let change = |from: &str, cycle| CycleChange { from: at(from).minute(), cycle };
    let changes = [("02T03:00:00", Cycle::Day), ("02T10:00:00", Cycle::Month)];
    wallet.cycles = changes.map(|(from, cycle)| change(from, cycle)).to_vec().into();
    let cases = [
        ("02T02:59:59", HOUR, "2026-03-02T02:00:00Z", "2026-03-02T03:00:00Z"),
        ("02T03:00:00", Cycle::Day, "2026-03-02T03:00:00Z", "2026-03-02T10:00:00Z"),
        ("02T09:59:59", Cycle::Day, "2026-03-02T03:00:00Z", "2026-03-02T10:00:00Z"),
        ("02T10:00:00", Cycle::Month, "2026-03-02T10:00:00Z", "2026-04-01T00:00:00Z"),
        ("03T00:00:00", Cycle::Month, "2026-03-02T10:00:00Z", "2026-04-01T00:00:00Z"),
    ];
    for (time, length, from, until) in cases {
        assert_eq!(wallet.cycle_length(at(time), HOUR), length, "{time}");
        let found = wallet.cycle_at(at(time), HOUR);
        let found = [found.from, found.until].map(|edge| edge.starts().to_string());
        assert_eq!(found, [from, until], "{time}");
    }
}

/// R3.5: a bill belongs to the month of its last instant.
#[test]
fn r3_5_a_bill_at_the_begin_of_a_month_is_of_the_month_before() {
    let (_, wallet) = opened();
    for (ends, month) in [("01T00:00:00", "2026-02"), ("01T00:01:00", "2026-03")] {
        assert_eq!(wallet.month_billed(at(ends).minute()), month.parse().unwrap(), "{ends}");
    }
}

/// R5.2, R12.5: each product's bills by the month, this one and the one before; a tax is no spending.
#[test]
fn r5_2_what_was_spent_is_kept_for_two_months() {
    let (_, mut wallet) = opened();
    let month = |number: u16| Month::from_number(number);
    let product = |number: u32| Some(ProductNumber(number));
    let bills = [
        (1, product(0), 5),
        (1, product(1), 3),
        (1, product(0), 2),
        (1, Some(ProductNumber::TAX), 9),
        (2, product(0), 4),
        (2, None, 6),
    ];
    let mut note = |number: u16, product, amount: i64| {
        let bill = Bill {
            number: 1,
            account: AccountNumber(1),
            product,
            month: month(number),
            amount: Amount::whole(amount),
            paid: Amount::ZERO,
            issued_at: Timestamp::START,
            order: None,
            half: HalfMonth::first_of(month(number)),
        };
        wallet.note_spent(&bill).unwrap();
        let spent = wallet.spent.iter();
        let spent = spent.map(|it| (it.month.number(), it.product, it.amount));
        spent.collect::<Vec<_>>()
    };
    let noted = bills.map(|(month, product, amount)| note(month, product, amount));
    let spent = |month, product, amount| (month, product, Amount::whole(amount));
    let two = vec![spent(1, product(0), 7), spent(1, product(1), 3)];
    assert_eq!(noted[3], two);
    let second = vec![spent(2, product(0), 4), spent(2, None, 6)];
    assert_eq!(noted[5], [two, second.clone()].concat());
    let kept = [second, vec![spent(3, product(0), 1)]].concat();
    assert_eq!(note(3, product(0), 1), kept);
}

/// R4.5, R9.1, R4.1: how a wallet is, by what was said of it.
#[test]
fn a_wallet_says_how_it_is() {
    let (_, mut wallet) = opened();
    assert_eq!((wallet.currency, wallet.is_ecosystem()), (Currency::Usd, false));
    assert_eq!((wallet.state(), wallet.is_frozen()), (WalletState::Valid, false));
    assert!(!wallet.has_bad_debt() && wallet.administrators().is_empty());
    let governing = wallet.governing_mut();
    governing.administrators = vec![AccountNumber(4), AccountNumber(2)];
    for (state, frozen) in [
        (WalletState::Valid, false),
        (WalletState::Frozen, true),
        (WalletState::Deregistered, false),
    ] {
        wallet.governing_mut().state = state;
        assert_eq!((wallet.state(), wallet.is_frozen()), (state, frozen));
    }
    for lifted in [true, false] {
        let month = Month::from_number(1);
        wallet.governing_mut().bad_debt = Some(BadDebt { month, lifted });
        assert_eq!(wallet.has_bad_debt(), !lifted);
    }
    assert_eq!(wallet.administrators(), [AccountNumber(4), AccountNumber(2)]);
    wallet.kind = Kind::Ecosystem;
    assert!(wallet.is_ecosystem());
}

/// R4.4: entries show the asset that a lot is of.
#[test]
fn r4_4_every_lot_is_of_an_asset() {
    let coupon = || "k".parse().unwrap();
    let lots: [(Lot, &str); 8] = [
        (Lot::OWN_CASH, "cash"),
        (TransferredCash { sender: WalletNumber(1) }.into(), "cash"),
        (RefundedCredit { month: Month::from_number(1) }.into(), "credit_refund"),
        (CouponLot { coupon: coupon() }.into(), "coupon"),
        (SharedCouponLot { holder: WalletNumber(1), coupon: coupon() }.into(), "coupon"),
        (CashCouponLot { coupon: coupon() }.into(), "cash_coupon"),
        (Lot::QUOTA, "quota"),
        (MethodPaid { payment: 1 }.into(), "method"),
    ];
    for (lot, asset) in lots {
        assert_eq!(lot.asset(), asset);
    }
}

#[test]
fn a_window_is_described_by_its_edges() {
    let Shape::Record(record) = Window::shape() else { panic!("{:?}", Window::shape()) };
    let fields: Vec<_> = record.fields.iter().map(|field| field.name).collect();
    assert_eq!((record.name, fields), ("Window", vec!["from", "until"]));
}
