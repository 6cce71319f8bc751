//! A ledger taken apart while it goes on, at every possible moment, is the ledger it was.

use serde_json::{Value, json};

use super::super::{
    AccountNumber, Accrued, Fact, Journal, Ledger, Line, PricesArrived, PricesInForce, RegionNumber,
};
use super::{Piece, Place};
use crate::commands::Command;
use crate::money::Amount;
use crate::rating::{self, MeterNumber, PriceBook};
use crate::time::Timestamp;

#[derive(Clone)]
enum Recorded {
    Fact(Fact),
    Accrued(Accrued),
}

#[derive(Default)]
struct Recorder(Vec<Recorded>);

impl Journal for Recorder {
    fn fact(&mut self, _: &Ledger, fact: &Fact) {
        self.0.push(Recorded::Fact(fact.clone()));
    }

    fn accrued(&mut self, _: &Ledger, accrued: &Accrued, _: &Line) {
        self.0.push(Recorded::Accrued(*accrued));
    }
}

fn apply(ledger: &mut Ledger, recorded: &Recorded) {
    match recorded {
        Recorded::Fact(fact) => ledger.apply(fact).unwrap(),
        Recorded::Accrued(accrued) => ledger.apply_accrued(accrued).unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A short life in which everything that a piece can hold is opened, used and billed.
fn life() -> Vec<Recorded> {
    let (mut ledger, mut recorder) = (Ledger::new(1), Recorder::default());
    let begins = at("2026-03-01T00:00:00Z");
    let entries = rating::parse(
        r#"price = [{ product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" }]"#,
    );
    let changes = PriceBook::default().changes(entries.unwrap(), begins).unwrap();
    let ask = |ledger: &mut Ledger, recorder: &mut Recorder, name: &str, fields: Value| {
        ledger.command(&Command::read(name, fields).unwrap().unwrap(), recorder).unwrap();
    };
    ledger.pass(begins, &mut recorder).unwrap();
    ledger.take(PricesArrived { changes }.into(), &mut recorder).unwrap();
    ledger.take(PricesInForce { loads: 1 }.into(), &mut recorder).unwrap();
    for enterprise in ["e", "f"] {
        let fields = json!({ "enterprise": enterprise, "name": "E", "country": "SG", "account_center": true });
        ask(&mut ledger, &mut recorder, "open_enterprise", fields);
    }
    for (account, enterprise) in [("a", "e"), ("b", "e"), ("c", "f")] {
        let fields = json!({ "account": account, "enterprise": enterprise, "email": "x@y.example", "currency": "USD", "mode": "postpaid" });
        ask(&mut ledger, &mut recorder, "open_account", fields);
    }
    let wallet = json!({ "billing_account": "ba-a", "amount": "50", "currency": "USD", "method": "bank_transfer" });
    ask(&mut ledger, &mut recorder, "top_up", wallet);
    let sent = json!({ "from": "ba-a", "to": "ba-b", "amount": "20" });
    ask(&mut ledger, &mut recorder, "transfer", sent);
    let payer = json!({ "account": "b", "billing_account": "ba-a" });
    ask(&mut ledger, &mut recorder, "change_payer", payer);
    for account in 0..3 {
        let line = Line {
            usage_partition: 0,
            account: AccountNumber(account),
            meter: MeterNumber(0),
            region: RegionNumber::NONE,
            used: begins.minute(),
            quantity: Amount::whole(2),
            records: 1,
        };
        ledger.line(&line, &mut recorder).unwrap();
    }
    ledger.pass(at("2026-03-01T01:00:00Z"), &mut recorder).unwrap();
    ledger.mark(0, at("2026-03-01T01:00:00Z"), &mut recorder).unwrap();
    while ledger.fire(usize::MAX, &mut recorder).unwrap().more {}
    recorder.0
}

/// All that a ledger holds.
fn dump(ledger: &Ledger) -> (Vec<Piece>, Option<Timestamp>) {
    let (mut pieces, mut place) = (Vec::new(), Some(Place::Shared));
    while let Some(at) = place {
        let (piece, after) = ledger.piece(at, usize::MAX);
        pieces.push(piece);
        place = after;
    }
    (pieces, ledger.next_timer())
}

/// The ledger as it was after each fact.
fn stages(life: &[Recorded]) -> Vec<Ledger> {
    (0..=life.len())
        .map(|facts| {
            let mut ledger = Ledger::new(1);
            life[..facts].iter().for_each(|recorded| apply(&mut ledger, recorded));
            ledger
        })
        .collect()
}

#[test]
fn pieces_taken_at_any_moments_make_the_same_ledger() {
    let life = life();
    let stages = stages(&life);
    let expected = dump(stages.last().unwrap());
    let piece = |place: Place, after: usize| -> Piece { stages[after].piece(place, usize::MAX).0 };
    let moments = |from: usize| from..=life.len();
    let mut loads = 0;
    for shared in moments(0) {
        for enterprises in moments(shared) {
            for accounts in moments(enterprises) {
                for wallets in moments(accounts) {
                    let mut ledger = Ledger::new(1);
                    ledger.begin_load();
                    ledger.load(piece(Place::Shared, shared)).unwrap();
                    life[shared..enterprises].iter().for_each(|fact| apply(&mut ledger, fact));
                    ledger.load(piece(Place::Enterprises(0), enterprises)).unwrap();
                    life[enterprises..accounts].iter().for_each(|fact| apply(&mut ledger, fact));
                    ledger.load(piece(Place::Accounts(0), accounts)).unwrap();
                    life[accounts..wallets].iter().for_each(|fact| apply(&mut ledger, fact));
                    ledger.load(piece(Place::Wallets(0), wallets)).unwrap();
                    ledger.loaded();
                    life[wallets..].iter().for_each(|fact| apply(&mut ledger, fact));
                    assert!(
                        dump(&ledger) == expected,
                        "pieces after {shared}, {enterprises}, {accounts}, {wallets} facts"
                    );
                    loads += 1;
                }
            }
        }
    }
    println!("{} facts, {loads} ways to take the ledger apart", life.len());
}
