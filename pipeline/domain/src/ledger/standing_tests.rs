//! Headroom saves judgements, and must change none: a ledger that judges after every line, and is taken
//! apart and put together again all the time, decides the same.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{
    AccountNumber, Accrued, Fact, Journal, Ledger, Line, Place, PricesArrived, PricesInForce,
    RegionNumber, SettingsChanged, WalletNumber,
};
use crate::commands::{Asked, Command};
use crate::ids::PrincipalId;
use crate::money::Amount;
use crate::payments::PaymentAnswer;
use crate::rating::{self, MeterNumber, PriceBook};
use crate::time::{Span, Timestamp};

/// Facts in the order of their decision; accruals are left out.
#[derive(Default)]
struct Recorder(Vec<Fact>);

impl Journal for Recorder {
    fn fact(&mut self, _: &Ledger, fact: &Fact) {
        self.0.push(fact.clone());
    }

    fn accrued(&mut self, _: &Ledger, _: &[Accrued], _: &Line) {}
}

#[derive(Clone, Debug)]
enum Input {
    /// So many cents of use of an account; of the second meter a tier makes the month's use cheaper, of the third one
    /// nearly free.
    Use {
        account: u32,
        meter: u32,
        cents: i64,
    },
    Pass {
        minutes: i32,
    },
    /// Time passes, and metering lags: what falls due waits for its marks.
    Lag {
        minutes: i32,
    },
    TopUp {
        wallet: usize,
        units: i64,
    },
    Alert {
        wallet: usize,
        threshold: i64,
    },
    Limit {
        wallet: usize,
        units: i64,
    },
    Link {
        wallet: usize,
    },
    Prefer {
        wallet: usize,
    },
    Answer {
        wallet: usize,
        answer: PaymentAnswer,
    },
    /// Pays what is used within so many hours, once so much is.
    Coupon {
        wallet: usize,
        units: i64,
        minimum: i64,
        hours: i32,
    },
    /// From so many hours on.
    Payer {
        account: usize,
        wallet: usize,
        hours: i32,
    },
    /// Tops itself up by so much; not at all, if that is nothing.
    Recharge {
        wallet: usize,
        units: i64,
    },
    /// Services run on for so many hours.
    Delay {
        wallet: usize,
        hours: u32,
    },
    Pay {
        wallet: usize,
    },
    Settle,
    /// Freezes what is not frozen, and lets go what is.
    Freeze {
        wallet: usize,
    },
    /// Ends a membership, or invites and accepts again.
    Leave {
        account: usize,
    },
    /// Caps an account's month, and from time to time its credit; with nothing said there is no cap any more.
    Allocate {
        account: usize,
        cap: i64,
        credit: i64,
    },
    Authorize {
        account: usize,
        units: i64,
    },
}

const ACCOUNTS: [&str; 3] = ["a", "b", "c"];
const WALLETS: [&str; 3] = ["ba-a", "ba-b", "ba-c"];
const BEGINS: &str = "2026-03-30T20:00:00Z";

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let wallet = 0..WALLETS.len();
    let answers = prop_oneof![
        Just(PaymentAnswer::Succeeded),
        Just(PaymentAnswer::Declined),
        Just(PaymentAnswer::AuthenticationRequired),
    ];
    let input = prop_oneof![
        12 => (0..3u32, 0..3u32, 0..4_000i64)
            .prop_map(|(account, meter, cents)| Input::Use { account, meter, cents }),
        4 => (1..700i32).prop_map(|minutes| Input::Pass { minutes }),
        2 => (1..3_000i32).prop_map(|minutes| Input::Lag { minutes }),
        2 => (wallet.clone(), 20..100i64).prop_map(|(wallet, units)| Input::TopUp { wallet, units }),
        1 => (wallet.clone(), 0..60i64)
            .prop_map(|(wallet, threshold)| Input::Alert { wallet, threshold }),
        1 => (wallet.clone(), 0..100i64).prop_map(|(wallet, units)| Input::Limit { wallet, units }),
        1 => wallet.clone().prop_map(|wallet| Input::Link { wallet }),
        1 => wallet.clone().prop_map(|wallet| Input::Prefer { wallet }),
        3 => (wallet.clone(), answers).prop_map(|(wallet, answer)| Input::Answer { wallet, answer }),
        2 => (wallet.clone(), 1..80i64, -10..60i64, 1..40i32).prop_map(
            |(wallet, units, minimum, hours)| Input::Coupon { wallet, units, minimum, hours }),
        1 => (0..3usize, wallet.clone(), 0..6i32)
            .prop_map(|(account, wallet, hours)| Input::Payer { account, wallet, hours }),
        1 => (wallet.clone(), 0..60i64)
            .prop_map(|(wallet, units)| Input::Recharge { wallet, units }),
        1 => (wallet.clone(), 0..12u32).prop_map(|(wallet, hours)| Input::Delay { wallet, hours }),
        1 => wallet.clone().prop_map(|wallet| Input::Pay { wallet }),
        1 => Just(Input::Settle),
        1 => wallet.prop_map(|wallet| Input::Freeze { wallet }),
        1 => (0..3usize).prop_map(|account| Input::Leave { account }),
        2 => (0..3usize, -5..90i64, -60..200i64)
            .prop_map(|(account, cap, credit)| Input::Allocate { account, cap, credit }),
        3 => (0..3usize, 0..20i64)
            .prop_map(|(account, units)| Input::Authorize { account, units }),
    ];
    prop::collection::vec(input, 1..120)
}

struct Rig {
    ledger: Ledger,
    recorder: Recorder,
    now: Timestamp,
    commands: u64,
    /// Judges at every line, and is taken apart and put together again whenever time passes.
    always: bool,
}

impl Rig {
    fn new(always: bool) -> Rig {
        let now: Timestamp = BEGINS.parse().unwrap();
        let mut rig =
            Rig { ledger: Ledger::new(1), recorder: Recorder::default(), now, commands: 0, always };
        let entries = rating::parse(
            r#"price = [
                { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "0.01" },
                { product = "p", meter = "v", currency = "USD", model = "volume", tiers = [
                    { up_to = "5000", unit_price = "0.01" }, { unit_price = "0.004" }] },
                { product = "q", meter = "g", currency = "USD", model = "graduated", tiers = [
                    { up_to = "3000", unit_price = "0.01" }, { unit_price = "0.0001" }] },
            ]"#,
        );
        let changes = PriceBook::default().changes(entries.unwrap(), now).unwrap();
        let settings = "payments.card_threshold = { USD = \"30.00\" }\npayments.retry_after = [\"2h\", \"5h\"]\noverdue.bad_debt_after = \"1d\"";
        rig.ledger.pass(now, &mut rig.recorder).unwrap();
        let facts: [Fact; 3] = [
            SettingsChanged { document: settings.to_owned() }.into(),
            PricesArrived { changes }.into(),
            PricesInForce { loads: 1 }.into(),
        ];
        facts.into_iter().for_each(|fact| rig.ledger.take(fact, &mut rig.recorder).unwrap());
        rig.ask(
            "open_enterprise",
            json!({ "enterprise": "e", "name": "E", "country": "US", "account_center": true }),
        );
        for (account, mode) in [("a", "prepaid"), ("b", "postpaid"), ("c", "postpaid")] {
            rig.ask("open_account", json!({ "account": account, "enterprise": "e", "email": "x@y.example", "mode": mode }));
        }
        rig
    }

    fn ask(&mut self, name: &str, fields: Value) {
        self.commands += 1;
        let asked = Asked {
            number: self.commands,
            principal: PrincipalId::operator(),
            key: None,
            origin: None,
        };
        let command = Command::read(name, fields).unwrap().unwrap();
        // Refusals are as good as anything else: both ledgers must refuse alike.
        self.ledger.command(&asked, &command, &mut self.recorder).ok();
    }

    fn take(&mut self, input: &Input) {
        match input {
            Input::Use { account, meter, cents } => {
                if self.always {
                    self.ledger.headroom.fill(Amount::ZERO);
                    self.ledger.cap_rooms.clear();
                }
                let line = Line {
                    usage_partition: 0,
                    account: AccountNumber(*account),
                    meter: MeterNumber(*meter),
                    region: RegionNumber::NONE,
                    used: self.now.minute(),
                    quantity: Amount::whole(*cents),
                    records: 1,
                };
                self.ledger.line(&line, &mut self.recorder).unwrap();
            }
            Input::Pass { minutes } | Input::Lag { minutes } => {
                if self.always {
                    self.ledger = restored(&self.ledger);
                }
                self.now = self.now.plus(Span::minutes(*minutes));
                self.ledger.pass(self.now, &mut self.recorder).unwrap();
                if matches!(input, Input::Pass { .. }) {
                    self.ledger.mark(0, self.now, &mut self.recorder).unwrap();
                }
                while self.ledger.fire(usize::MAX, &mut self.recorder).unwrap().more {}
            }
            Input::TopUp { wallet, units } => self.ask("top_up", json!({ "billing_account": WALLETS[*wallet], "amount": units.to_string(), "currency": "USD", "method": "bank_transfer" })),
            Input::Alert { wallet, threshold } => self.ask("configure", json!({ "billing_account": WALLETS[*wallet], "low_balance_alert": { "enabled": *threshold > 5, "threshold": threshold.to_string() } })),
            Input::Limit { wallet, units } => {
                self.ask("set_credit_limit", json!({ "billing_account": WALLETS[*wallet], "limit": units.to_string() }));
                self.ask("confirm_contract", json!({ "billing_account": WALLETS[*wallet] }));
            }
            Input::Link { wallet } => {
                let method = format!("card-{}", self.commands);
                let kind = if self.commands.is_multiple_of(3) { "paypal" } else { "card" };
                self.ask("link_payment_method", json!({ "billing_account": WALLETS[*wallet], "method": method, "kind": kind, "token": "t" }));
            }
            Input::Prefer { wallet } => {
                let number = WalletNumber(u32::try_from(*wallet).unwrap());
                let known = self.ledger.methods(number).unwrap().payment_methods;
                if let Some(method) = known.last() {
                    let method = method.method.to_string();
                    self.ask("prefer_payment_method", json!({ "billing_account": WALLETS[*wallet], "method": method }));
                }
            }
            Input::Answer { wallet, answer } => {
                let number = WalletNumber(u32::try_from(*wallet).unwrap());
                let paying = self.ledger.wallet(number).unwrap().paying.as_deref();
                let begun = paying.map_or(0, |paying| paying.begun);
                let (ledger, recorder) = (&mut self.ledger, &mut self.recorder);
                ledger.payment_answered(number, begun, *answer, None, recorder).unwrap();
            }
            Input::Coupon { wallet, units, minimum, hours } => {
                let fields = json!({
                    "billing_account": WALLETS[*wallet],
                    "coupon": format!("k{}", self.commands),
                    "amount": units.to_string(),
                    "minimum": minimum.max(&0).to_string(),
                    "cash": units % 5 == 0,
                    "valid_from": self.now.minus(Span::minutes(60)).to_string(),
                    "valid_until": self.now.plus(Span::minutes(60 * hours)).to_string(),
                });
                self.ask("grant_coupon", fields);
            }
            Input::Recharge { wallet, units } => self.ask("configure", json!({ "billing_account": WALLETS[*wallet], "auto_recharge": { "enabled": *units > 0, "amount": units.max(&20).to_string(), "percents": ["60", "20", "5"] } })),
            Input::Delay { wallet, hours } => {
                let delayed = match hours {
                    0 => json!({}),
                    hours => json!({ "hours": hours, "debt": (hours * 3).to_string() }),
                };
                self.ask("configure", json!({ "billing_account": WALLETS[*wallet], "delayed_suspension": delayed }));
            }
            Input::Pay { wallet } => self.ask("pay", json!({ "billing_account": WALLETS[*wallet] })),
            Input::Settle => self.ask("settle_enterprise", json!({ "enterprise": "e" })),
            Input::Freeze { wallet } => {
                let fields = json!({ "billing_account": WALLETS[*wallet] });
                let number = WalletNumber(u32::try_from(*wallet).unwrap());
                let frozen = self.ledger.wallet(number).unwrap().is_frozen();
                let name = if frozen { "unfreeze_billing_account" } else { "freeze_billing_account" };
                self.ask(name, fields);
            }
            Input::Leave { account } => {
                let number = AccountNumber(u32::try_from(*account).unwrap());
                let active = self.ledger.account(number).unwrap().is_active();
                let names: &[&str] =
                    if active { &["end_membership"] } else { &["invite_account", "accept_invitation"] };
                names.iter().for_each(|name| self.ask(name, json!({ "account": ACCOUNTS[*account] })));
            }
            Input::Allocate { account, cap, credit } => {
                let mut fields = json!({ "account": ACCOUNTS[*account] });
                let said = [("monthly_cap", cap), ("credit", credit)];
                for (field, units) in said.into_iter().filter(|(_, units)| **units >= 0) {
                    fields[field] = units.to_string().into();
                }
                self.ask("allocate_spend", fields);
            }
            Input::Authorize { account, units } => {
                let name = format!("j{}", self.commands);
                self.ask("authorize", json!({ "account": ACCOUNTS[*account], "amount": units.to_string(), "authorization": name }));
            }
            Input::Payer { account, wallet, hours } => {
                let from = self.now.plus(Span::minutes(60 * hours)).to_string();
                self.ask("change_payer", json!({ "account": ACCOUNTS[*account], "billing_account": WALLETS[*wallet], "effective_at": from }));
            }
        }
    }
}

/// A ledger put together from the pieces of another one.
fn restored(ledger: &Ledger) -> Ledger {
    let mut restored = Ledger::new(1);
    restored.begin_load();
    let mut place = Some(Place::Shared);
    while let Some(at) = place {
        let (piece, after) = ledger.piece(at, 2);
        restored.load(piece).unwrap();
        place = after;
    }
    restored.loaded();
    restored
}

/// R8.2: who has used something is judged also where all of it was paid by a method and nothing is left of it: without
/// the method the buffer counts.
#[test]
fn r8_2_who_has_paid_by_a_card_is_not_as_on_the_first_day() {
    super::super::desk_tests::check(
        "suspension.buffer = { USD = \"5\" }",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t expires=2026-04 -> later
        answers ba-a succeeded
        use a p 100000
        answers ba-a succeeded
        told ba-a                   -> payment_succeeded
        at 2026-04-30T23:59:00Z
        told ba-a                   ->
        at 2026-05-01T00:00:00Z
        balance ba-a                -> available=0
        told ba-a                   -> suspended
        ",
    );
}

/// R5.2, R8.4: the charge that brings a coupon to its minimum makes more available, and services resume with it.
#[test]
fn r8_4_services_resume_with_the_charge_that_reaches_a_minimum() {
    super::super::desk_tests::check(
        "bills.cycle = \"month\"",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        grant_coupon billing_account=ba-a coupon=k amount=60 minimum=3 valid_from=2026-03-01T00:00:00Z valid_until=2026-04-01T00:00:00Z
        use a p 200
        told ba-a                   -> overdue, suspended, runway
        use a p 99
        told ba-a                   ->
        use a p 1
        told ba-a                   -> resumed
        balance ba-a                -> available=0
        ",
    );
}

/// R5.2: a minimum counts the charges of the month in scope, and no others.
#[test]
fn r5_2_a_minimum_counts_its_products_and_its_month() {
    super::super::desk_tests::check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        grant_coupon billing_account=ba-a coupon=k amount=60 minimum=3 products=[\"q\"] valid_from=2026-03-01T00:00:00Z valid_until=2026-06-01T00:00:00Z
        use a p 500
        use a q 100
        balance ba-a                -> available=-6
        use a q 200
        balance ba-a                -> available=-5
        at 2026-04-01T00:00:00Z
        use a q 100
        balance ba-a                -> available=-6
        ",
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn r8_2_neither_headroom_nor_restoring_changes_how_a_wallet_is_judged(inputs in inputs()) {
        let (mut spared, mut always) = (Rig::new(false), Rig::new(true));
        for input in &inputs {
            spared.take(input);
            always.take(input);
            let more = always.recorder.0.get(spared.recorder.0.len()..);
            prop_assert_eq!(spared.recorder.0.len(), always.recorder.0.len(), "after {:?}: {:?}", input, more);
        }
        prop_assert_eq!(&spared.recorder.0, &always.recorder.0);
    }

    /// R1.3: whatever is paid by whom, each fact is balanced, and money is neither made nor lost.
    #[test]
    fn r1_3_facts_of_payments_are_balanced(inputs in inputs()) {
        let mut rig = Rig::new(false);
        inputs.iter().for_each(|input| rig.take(input));
        for fact in &rig.recorder.0 {
            let postings = rig.ledger.postings(fact).unwrap();
            let sum = Amount::sum(postings.iter().map(|posting| posting.debit)).unwrap();
            prop_assert!(sum.is_zero(), "{:?}", fact);
        }
    }
}

/// R8.1: when the oldest unpaid bill is paid, the next month's is what is waited for.
#[test]
fn r8_1_each_months_bills_are_waited_for() {
    for always in [false, true] {
        let mut rig = Rig::new(always);
        let day = |days: i32| Input::Pass { minutes: days * 24 * 60 };
        let usage = |cents| Input::Use { account: 1, meter: 0, cents };
        // Bills of March and April rest on the limit; a top-up pays that of March.
        rig.take(&Input::Limit { wallet: 1, units: 100 });
        for input in [usage(500), day(5), usage(3_000), day(1)] {
            rig.take(&input);
        }
        rig.take(&Input::TopUp { wallet: 1, units: 20 });
        let overdue = |rig: &Rig| {
            rig.recorder
                .0
                .iter()
                .any(|fact| matches!(fact, Fact::OverdueChanged(now) if now.overdue))
        };
        // The 16th of May is the 15th day after April.
        rig.take(&day(39));
        assert!(!overdue(&rig), "{}", rig.now);
        rig.take(&day(2));
        assert!(overdue(&rig), "{}", rig.now);
    }
}
