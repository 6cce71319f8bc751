//! R2.5: without a record that was taken back everything is as if it had never been sent.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::super::asking::Asking;
use super::super::desk_tests::check;
use super::super::recording::{Recorded, Recorder, pieces};
use super::super::{
    AccountNumber, Cause, Fact, Ledger, Line, Place, PricesArrived, PricesInForce, RegionNumber,
};
use super::*;
use crate::commands::Command;
use crate::ids::PrincipalId;
use crate::rating::{
    self, Distinct, Largest, Latest, MeterNumber, Moment, PriceBook, TierNumber, TierPart,
};
use crate::time::{Span, Timestamp};

const BEGINS: &str = "2026-03-10T00:00:00Z";
const AGGREGATES: [&str; 5] = ["sum", "count", "max", "last", "unique"];
const MODELS: [&str; 5] = [
    r#"model = "per_unit", unit_price = "0.3""#,
    r#"model = "graduated", tiers = [{ up_to = "3", unit_price = "1", flat = "2" }, { unit_price = "0.3", flat = "5" }]"#,
    r#"model = "volume", tiers = [{ up_to = "3", unit_price = "1", flat = "2" }, { unit_price = "0.3" }]"#,
    r#"model = "package", package = "4", amount = "7""#,
    r#"model = "flat", amount = "9.99""#,
];

/// A record as metering sees it.
#[derive(Clone, Debug)]
struct Record {
    aggregate: usize,
    model: usize,
    minute: i32,
    id: u8,
    quantity: i64,
    user: Option<i64>,
}

impl Record {
    fn line(&self) -> Line {
        let begins: Timestamp = BEGINS.parse().unwrap();
        Line {
            usage_partition: 0,
            account: AccountNumber(0),
            meter: MeterNumber(u32::try_from(self.aggregate * MODELS.len() + self.model).unwrap()),
            region: RegionNumber::NONE,
            used: begins.plus(Span::minutes(self.minute)).minute(),
            quantity: Amount::whole(self.quantity),
            records: 1,
        }
    }

    fn value(&self) -> Option<Value> {
        let quantity = Amount::whole(self.quantity);
        let used =
            Box::new(Moment { time: self.line().used.starts(), id: self.id.to_string().into() });
        match AGGREGATES[self.aggregate] {
            "max" => Some(Largest { quantity }.into()),
            "last" => Some(Latest { used, quantity }.into()),
            "unique" => self.user.map(|low| Distinct { high: 0, low }.into()),
            _ => None,
        }
    }
}

/// Quantities and what they cost, by meter and tier.
type ByTier = BTreeMap<(MeterNumber, TierNumber), (Amount, Amount)>;

fn by_tier(parts: impl Iterator<Item = (MeterNumber, TierPart)>) -> ByTier {
    let mut sums = ByTier::new();
    for (meter, part) in parts {
        let (quantity, charge) = sums.entry((meter, part.tier)).or_default();
        *quantity = quantity.plus(part.quantity).unwrap();
        *charge = charge.plus(part.charge).unwrap();
    }
    sums.retain(|_, (quantity, charge)| !quantity.is_zero() || !charge.is_zero());
    sums
}

struct Rig {
    ledger: Ledger,
    recorder: Recorder,
}

impl Rig {
    fn new() -> Rig {
        let mut rig = Rig { ledger: Ledger::new(1), recorder: Recorder::default() };
        let begins: Timestamp = BEGINS.parse().unwrap();
        let meters = AGGREGATES.iter().flat_map(|aggregate| {
            let tag = if *aggregate == "unique" { "tag = \"user\"," } else { "" };
            MODELS.iter().enumerate().map(move |(number, model)| {
                format!("{{ product = \"p\", meter = \"{aggregate}{number}\", currency = \"USD\", aggregate = \"{aggregate}\", {tag} {model} }}")
            })
        });
        let document = format!("price = [{}]", meters.collect::<Vec<_>>().join(", "));
        let entries = rating::parse(&document).unwrap();
        let changes = PriceBook::default().changes(entries, begins).unwrap();
        rig.ledger.pass(begins, &mut rig.recorder).unwrap();
        for fact in [Fact::from(PricesArrived { changes }), PricesInForce { loads: 1 }.into()] {
            rig.ledger.take(fact, &mut rig.recorder).unwrap();
        }
        rig.ask("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "US" }));
        rig.ask(
            "open_account",
            json!({ "account": "a", "enterprise": "e", "email": "x@y.example", "mode": "postpaid" }),
        );
        rig
    }

    fn ask(&mut self, name: &str, fields: serde_json::Value) {
        let asked =
            Asked { number: 1, principal: PrincipalId::operator(), key: None, origin: None };
        let command = Command::read(name, fields).unwrap().unwrap();
        self.ledger.command(&asked, &command, &mut self.recorder).unwrap();
    }

    fn count(&mut self, record: &Record) {
        let line = record.line();
        if AGGREGATES[record.aggregate] == "sum" || AGGREGATES[record.aggregate] == "count" {
            return self.ledger.line(&line, &mut self.recorder).unwrap();
        }
        let line = Line { quantity: Amount::ZERO, ..line };
        let said = record.value().map(|value| crate::rating::ValueCount { value, records: 1 });
        let said: Vec<_> = said.into_iter().collect();
        self.ledger.measured(&line, &said, &mut self.recorder).unwrap();
    }

    fn void(&mut self, record: &Record) -> Result<(), Undecided> {
        self.ledger.take_back(&record.line(), record.value().as_ref(), &mut self.recorder)
    }

    fn pass(&mut self, to: Timestamp) {
        self.ledger.pass(to, &mut self.recorder).unwrap();
        self.ledger.mark(0, to, &mut self.recorder).unwrap();
        while self.ledger.fire(usize::MAX, &mut self.recorder).unwrap().more {}
    }

    /// What the months came to that are not nothing.
    fn months(&self) -> Vec<(MeterNumber, Amount)> {
        let series = self.ledger.accounts()[0].series.iter();
        let of = series.map(|series| (series.meter, series.quantity));
        let mut months: Vec<_> = of.filter(|(_, quantity)| !quantity.is_zero()).collect();
        months.sort_by_key(|(meter, ..)| *meter);
        months
    }

    /// What tiers have come to on bills and tabs.
    fn tiers(&self) -> ByTier {
        let bills = self.recorder.0.iter().filter_map(|recorded| match recorded {
            Recorded::Fact(fact) => match &**fact {
                Fact::BillIssued(issued) => Some(issued.lines.iter()),
                _ => None,
            },
            Recorded::Accrued(_) => None,
        });
        let part = |tier, quantity, charge| TierPart { tier, quantity, charge };
        let billed = bills.flatten();
        let billed = billed.map(|line| (line.meter, part(line.tier, line.quantity, line.exact)));
        let tabs = self.ledger.accounts()[0].tabs.iter();
        let open = tabs.map(|tab| (tab.meter, part(tab.tier, tab.quantity, tab.exact)));
        by_tier(billed.chain(open))
    }

    /// What tiers come to by the months' quantities alone.
    fn tiers_of_months(&self) -> ByTier {
        let series = self.ledger.accounts()[0].series.iter();
        by_tier(series.flat_map(|series| {
            let (model, _) = self.ledger.priced(series.meter, series.price).unwrap();
            let mut parts = model.split(Amount::ZERO, series.quantity).unwrap();
            if model.tiers_reached(Amount::ZERO, Amount::ZERO).0 == TierNumber::NONE {
                let (tier, quantity) = (TierNumber::NONE, series.quantity);
                parts.push(TierPart { tier, quantity, charge: model.price(quantity).unwrap() });
            }
            parts.into_iter().map(|part| (series.meter, part))
        }))
    }

    /// What the months cost by their quantities.
    fn costs(&self) -> Amount {
        let series = self.ledger.accounts()[0].series.iter();
        Amount::sum(series.map(|series| self.ledger.cost_of(series).unwrap())).unwrap()
    }

    /// All that was ever charged: what is on tabs, and what bills hold.
    fn charged(&self) -> Amount {
        let account = &self.ledger.accounts()[0];
        let open = account.tabs.iter().map(|tab| tab.exact);
        Amount::sum(open.chain(account.months.iter().map(|months| months.exact))).unwrap()
    }
}

fn record() -> impl Strategy<Value = Record> {
    let meter = (0..AGGREGATES.len(), 0..MODELS.len());
    (meter, 0..120i32, 0..6u8, 0..7i64, prop::option::of(0..3i64)).prop_map(
        |((aggregate, model), minute, id, quantity, user)| Record {
            aggregate,
            model,
            minute,
            id,
            quantity,
            user,
        },
    )
}

proptest! {
    /// R2.5: for every aggregate and price model, before and after bills, what is left costs what it would have
    /// cost by itself, each tier by itself (R12.3); and the facts say so.
    #[test]
    fn r2_5_what_is_left_costs_what_it_costs_by_itself(
        records in prop::collection::vec((record(), any::<bool>()), 1..30),
        bills in any::<bool>(),
    ) {
        let (mut rig, mut alone) = (Rig::new(), Rig::new());
        for (record, stays) in &records {
            rig.count(record);
            if *stays {
                alone.count(record);
            }
        }
        let begins: Timestamp = BEGINS.parse().unwrap();
        if bills {
            rig.pass(begins.plus(Span::minutes(61)));
        }
        for (record, _) in records.iter().filter(|(_, stays)| !stays) {
            rig.void(record).unwrap();
        }
        prop_assert_eq!(rig.months(), alone.months());
        prop_assert_eq!(rig.charged(), alone.charged());
        prop_assert_eq!(rig.charged(), rig.costs());
        prop_assert_eq!(alone.tiers(), alone.tiers_of_months(), "R12.3");
        prop_assert_eq!(rig.tiers(), rig.tiers_of_months(), "R12.3");
        if bills {
            rig.pass(begins.plus(Span::minutes(181)));
            prop_assert_eq!(rig.charged(), alone.charged());
        }

        let mut told = Ledger::new(1);
        for recorded in &rig.recorder.0 {
            match recorded {
                Recorded::Fact(fact) => {
                    let postings = told.postings(fact).unwrap();
                    let sum = Amount::sum(postings.iter().map(|posting| posting.debit)).unwrap();
                    prop_assert!(sum.is_zero(), "R1.3: {:?}", fact);
                    told.apply(fact).unwrap();
                }
                Recorded::Accrued(accrued) => told.apply_accrued(accrued).unwrap(),
            }
        }
        prop_assert!(pieces(&told) == pieces(&rig.ledger));
    }

    /// A ledger that is loaded in parts while records are taken back holds what the other holds.
    #[test]
    fn r2_5_what_is_taken_back_while_a_ledger_is_loaded_is_gone(
        records in prop::collection::vec(record(), 1..20), begin in 0..20usize, pace in 0..3usize,
    ) {
        let mut rig = Rig::new();
        records.iter().for_each(|record| rig.count(record));
        let (mut copy, mut place) = (Ledger::new(1), Some(Place::Shared));
        let mut load = |copy: &mut Ledger, ledger: &Ledger| {
            let Some(at) = place.take() else { return false };
            copy.begin_load();
            let (piece, after) = ledger.piece(at, 1);
            copy.load(piece).unwrap();
            place = after;
            if place.is_none() {
                copy.loaded();
            }
            true
        };
        for (at, record) in records.iter().enumerate() {
            let told = rig.recorder.0.len();
            rig.void(record).unwrap();
            for recorded in rig.recorder.0.iter().skip(told).filter(|_| at > begin) {
                recorded.apply_to(&mut copy);
            }
            let turns = if at == begin { 4 } else { pace };
            (0..turns).filter(|_| at >= begin).for_each(|_| { load(&mut copy, &rig.ledger); });
        }
        while load(&mut copy, &rig.ledger) {}
        prop_assert!(pieces(&copy) == pieces(&rig.ledger));
        prop_assert_eq!(rig.months(), []);
        prop_assert_eq!(rig.charged(), Amount::ZERO);
    }
}

/// R2.5: a line that could not be priced is in no quantity, so nothing can be taken back of it.
#[test]
fn r2_5_what_was_set_aside_is_not_taken_back() {
    let mut rig = Rig::new();
    let record = Record { aggregate: 0, model: 0, minute: 0, id: 0, quantity: 5, user: None };
    let refused = |rig: &mut Rig, record: &Record| {
        let told = rig.recorder.0.len();
        let outcome = rig.void(record);
        assert_eq!(rig.recorder.0.len(), told, "a refusal changes nothing");
        outcome
    };
    let not_found = Err(Undecided::Refused(Refusal::NotFound));
    assert_eq!(refused(&mut rig, &record), not_found);
    rig.count(&Record { quantity: 4, ..record.clone() });
    assert_eq!(refused(&mut rig, &record), not_found);
    let largest = Record { aggregate: 2, ..record };
    rig.count(&largest);
    assert_eq!(refused(&mut rig, &Record { quantity: 4, ..largest.clone() }), not_found);
    assert_eq!(rig.void(&largest), Ok(()));
}

/// R2.5, R9.4: who has begun to pay in the minute of a record, named behind it, has not paid for it.
#[test]
fn r2_5_it_is_taken_back_from_who_paid() {
    let mut rig = Rig::new();
    rig.ask(
        "open_enterprise",
        json!({ "enterprise": "f", "name": "F", "country": "US", "account_center": true }),
    );
    for account in ["b", "c"] {
        rig.ask(
            "open_account",
            json!({ "account": account, "enterprise": "f", "email": "x@y.example", "mode": "postpaid" }),
        );
    }
    let record = Record { aggregate: 0, model: 0, minute: 0, id: 0, quantity: 5, user: None };
    let line = Line { account: AccountNumber(1), ..record.line() };
    rig.ledger.line(&line, &mut rig.recorder).unwrap();
    rig.ask("change_payer", json!({ "account": "b", "billing_account": "ba-c" }));
    assert_eq!(rig.ledger.accounts()[1].payer_at(line.used).0, WalletNumber(2));
    rig.ledger.take_back(&line, None, &mut rig.recorder).unwrap();
    let [series] = &rig.ledger.accounts()[1].series[..] else { panic!() };
    assert_eq!((series.wallet, series.quantity), (WalletNumber(1), Amount::ZERO));
}

/// R2.5, R5.7: an open bill becomes smaller, a paid one gives back, and what is judged by it is judged.
#[test]
fn r2_5_money_comes_back() {
    check(
        "",
        "
        open_account account=a enterprise=e email=x@y.example currency=USD mode=prepaid
        void_usage account=nobody source=s id=u1               -> not_found
        void_usage account=a source=s id=u1                    -> later
        use a p 500
        balance ba-a                                           -> available=-5 overdue=true
        service a                                              -> suspended
        # In the open cycle.
        takes_back a p 300 2026-03-01T00:00:00Z
        balance ba-a                                           -> available=-2 unsettled_current=2
        takes_back a p 300 2026-03-01T00:00:00Z                -> not_found
        takes_back a p 200 2026-03-01T00:00:00Z
        balance ba-a                                           -> available=0 unsettled_current=0 overdue=false
        # Of a bill that is unpaid.
        use a p 500
        at 2026-03-01T01:00:00Z
        balance ba-a                                           -> available=-5
        takes_back a p 400 2026-03-01T00:00:00Z
        balance ba-a                                           -> available=-1
        at 2026-03-01T02:00:00Z
        balance ba-a                                           -> available=-1 unsettled_current=1
        # Of one that was paid.
        top_up billing_account=ba-a amount=20.00 currency=USD method=bank_transfer
        balance ba-a                                           -> cash=19 available=19
        service a                                              -> running
        takes_back a p 100 2026-03-01T00:00:00Z
        balance ba-a                                           -> cash=19 available=20
        at 2026-03-01T03:00:00Z
        balance ba-a                                           -> cash=20 available=20 unsettled_current=0
        ",
    );
}

/// R4.4, R5.7: what comes back says which negative bill gave it back, so that its entry names that bill.
#[test]
fn r5_7_what_is_given_back_names_its_negative_bill() {
    let mut rig = Rig::new();
    rig.ask(
        "top_up",
        json!({ "billing_account": "ba-a", "amount": "20", "currency": "USD", "method": "bank_transfer" }),
    );
    let record = Record { aggregate: 0, model: 0, minute: 0, id: 0, quantity: 10, user: None };
    rig.count(&record);
    let begins: Timestamp = BEGINS.parse().unwrap();
    rig.pass(begins.plus(Span::days(40)));
    assert_eq!(rig.void(&record), Ok(()));
    rig.pass(begins.plus(Span::days(80)));
    let facts: Vec<&Fact> = rig
        .recorder
        .0
        .iter()
        .filter_map(|recorded| match recorded {
            Recorded::Fact(fact) => Some(&**fact),
            Recorded::Accrued(_) => None,
        })
        .collect();
    let negative = facts.iter().find_map(|fact| match fact {
        Fact::BillIssued(issued) if issued.bill.amount.is_negative() => Some(issued.bill.number),
        _ => None,
    });
    let given_back = facts.iter().find_map(|fact| match fact {
        Fact::Moved(moved) if moved.cause == Cause::BillReversed => Some(moved.bill),
        _ => None,
    });
    assert!(negative.is_some() && given_back == Some(negative), "{negative:?} {given_back:?}");
}

/// R5.7: bills in flight are passed over until the result; then what is left of a negative bill is undone.
#[test]
fn r5_7_what_is_in_flight_is_undone_after_the_result() {
    let begun = "
        open_account account=a enterprise=e email=x@y.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t  -> later
        answers ba-a succeeded
        use a p 100000
        asked ba-a                                             -> threshold 1000 visa
        takes_back a p 40000 2026-03-01T00:00:00Z
        balance ba-a                                           -> cash=0 unsettled_current=600
        at 2026-03-01T01:00:00Z
        balance ba-a                                           -> cash=0 unsettled_current=600 available=-600
        top_up billing_account=ba-a amount=30.00 currency=USD method=bank_transfer
        balance ba-a                                           -> cash=30
    ";
    let paid = "
        answers ba-a succeeded
        balance ba-a                                           -> cash=430 unsettled_current=0
        answers ba-a succeeded
        balance ba-a                                           -> cash=430
    ";
    check("", &format!("{begun}{paid}"));
    let declined = "
        answers ba-a declined
        balance ba-a                                           -> cash=0 unsettled_current=570
        at 2026-03-02T01:00:00Z
        asked ba-a                                             -> retry 570 visa
        answers ba-a succeeded
        balance ba-a                                           -> cash=0 unsettled_current=0
    ";
    check("", &format!("{begun}{declined}"));
}

/// R5.7: what a cash coupon paid goes back to it, and lapses once it has expired.
#[test]
fn r5_7_what_an_expired_cash_coupon_paid_lapses() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | grant_coupon | billing_account = "ba-a", coupon = "soon", cash = true, amount = "10", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-03-02T00:00:00Z" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "late", cash = true, amount = "10", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | ok
        use | a | 15
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | cash = "0", unsettled_current = "0"
        at | 2026-03-02T00:30:00Z
        void | a | 15 | p/m@2026-03-01T00:00:00Z
        at | 2026-03-02T01:00:00Z
        see | balance ba-a | cash = "0", unsettled_current = "0"
        "#,
    );
    let wallet = asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    let coupons = asking.ledger.coupons(wallet).unwrap().coupons;
    let left: Vec<_> = coupons.iter().map(|row| (row.coupon.as_str(), row.left)).collect();
    assert_eq!(left, [("soon", Amount::ZERO), ("late", Amount::whole(10))], "R5.7");
}

/// R2.5, R3.2: of what is charged by the record a record is taken back, whatever its quantity was.
#[test]
fn r2_5_a_fee_is_taken_back_with_its_last_record() {
    let mut asking = Asking::with_prices(
        r#"price = [{ product = "p", meter = "fee", currency = "USD", model = "flat", amount = "9" }]"#,
    );
    asking.members();
    asking.table(
        r#"
        use | a | 5 | p/fee
        use | a | 0.5 | p/fee
        void | a | 5 | p/fee@2026-03-01T00:00:00Z
        see | balance ba-a | unsettled_current = "9"
        void | a | 0.5 | p/fee@2026-03-01T00:00:00Z
        see | balance ba-a | unsettled_current = "0"
        "#,
    );
}

/// R5.7: a negative bill undoes bills of its account and product for usage: not an order of the same product, though it
/// is unpaid and later.
#[test]
fn r5_7_a_negative_bill_leaves_orders_alone() {
    Asking::with_members().table(
        r#"
        operator | set_credit_limit | billing_account = "ba-a", limit = "500" | ok
        boss | confirm_contract | billing_account = "ba-a" | ok
        use | a | 20
        at | 2026-03-01T01:00:00Z
        operator | place_order | billing_account = "ba-a", order = "o", product = "p", amount = "30" | ok
        see | balance ba-a | unsettled_current = "50", cash = "0"
        void | a | 20 | p/m@2026-03-01T00:00:00Z
        at | 2026-03-01T02:00:00Z
        see | balance ba-a | unsettled_current = "30", cash = "0"
        # So there is an order of 30 left to be given back.
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "30", to = "original" | ok
        see | balance ba-a | unsettled_current = "0", cash = "0"
        "#,
    );
}

/// R5.7: only bills in flight of its own account and product hold up a negative bill.
#[test]
fn r5_7_another_products_bill_in_flight_holds_nothing_up() {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "q", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
        ]"#,
    );
    asking.members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "bank_transfer" | ok
        use | a | 20
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | cash = "0", unsettled_current = "0"
        a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        use | a | 7 | q/m
        at | 2026-03-01T02:00:00Z
        a | pay | billing_account = "ba-a", method = "visa" | ok
        void | a | 20 | p/m@2026-03-01T00:00:00Z
        at | 2026-03-01T03:00:00Z
        see | balance ba-a | cash = "20", unsettled_current = "7"
        "#,
    );
    let wallet = asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    assert!(asking.ledger.wallet(wallet).unwrap().corrections.is_empty());
    let waits = asking.facts.0.iter().filter(|fact| matches!(fact, Fact::CorrectionWaits(_)));
    assert_eq!(waits.count(), 0);
}
