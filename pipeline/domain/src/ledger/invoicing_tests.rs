//! R12: whatever happens, what is invoiced is what was billed less what coupons paid.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::recording::pieces;
use super::super::{
    AccountNumber, Accrued, Fact, Journal, Ledger, Line, Lot, PricesArrived, PricesInForce,
    RegionNumber, SettingsChanged,
};
use super::*;
use crate::commands::{Asked, Command};
use crate::fx::converted;
use crate::ids::PrincipalId;
use crate::invoices::{HeldFor, Invoice, InvoiceType};
use crate::money::Currency;
use crate::rating::{self, MeterNumber, PriceBook};
use crate::time::Zone;

const PRICES: &str = r#"price = [
  { product = "compute", meter = "hours", currency = "USD", model = "per_unit", unit_price = "0.333" },
  { product = "compute", meter = "calls", currency = "USD", model = "per_unit", unit_price = "0.0041" },
  { product = "storage", meter = "gigabytes", currency = "USD", model = "volume", tiers = [{ up_to = "50", unit_price = "1" }, { unit_price = "0.10" }] },
]"#;
const METERS: u32 = 3;
const WALLETS: [&str; 3] = ["a", "b", "c"];

/// A ledger, and all that it has told.
struct Story {
    ledger: Ledger,
    facts: Facts,
    /// How many drafts have been numbered.
    numbered: usize,
}

#[derive(Default)]
struct Facts(Vec<Fact>);

impl Journal for Facts {
    fn fact(&mut self, _: &Ledger, fact: &Fact) {
        self.0.push(fact.clone());
    }

    fn accrued(&mut self, _: &Ledger, _: &[Accrued], _: &Line) {}
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

impl Story {
    /// Three accounts of one enterprise, each with a wallet of its own and a day of its own.
    fn begin(settings: &str) -> Story {
        let begins = at("2026-02-10T00:00:00Z");
        let mut story = Story { ledger: Ledger::new(1), facts: Facts::default(), numbered: 0 };
        let changes = PriceBook::default().changes(rating::parse(PRICES).unwrap(), begins);
        let Story { ledger, facts, .. } = &mut story;
        ledger.pass(begins, facts).unwrap();
        ledger.take(SettingsChanged { document: settings.to_owned() }.into(), facts).unwrap();
        ledger.take(PricesArrived { changes: changes.unwrap() }.into(), facts).unwrap();
        ledger.take(PricesInForce { loads: 1 }.into(), facts).unwrap();
        story.ask(
            "open_enterprise",
            json!({ "enterprise": "e", "name": "E Ltd", "country": "SG", "account_center": true }),
        );
        for (account, zone) in WALLETS.into_iter().zip(["UTC", "Asia/Kolkata", "America/New_York"])
        {
            story.ask("open_account", json!({ "account": account, "enterprise": "e", "email": format!("{account}@e.example"), "currency": "USD", "mode": "postpaid", "time_zone": zone }));
        }
        story
    }

    /// Asks for something that may be refused.
    fn ask(&mut self, name: &str, fields: Value) {
        let asked =
            Asked { number: 1, principal: PrincipalId::operator(), key: None, origin: None };
        let command = Command::read(name, fields).unwrap().unwrap();
        match self.ledger.command(&asked, &command, &mut self.facts) {
            Ok(_) | Err(Undecided::Refused(_)) => {}
            Err(Undecided::Broken(broken)) => panic!("{broken}"),
        }
    }

    fn approve_runs(&mut self) {
        let enterprise = &self.ledger.enterprises()[0];
        let held = enterprise.runs.iter().filter(|run| run.awaits_approval);
        let held: Vec<String> = held.map(|run| format!("{}.usd.e", run.day)).collect();
        held.iter().for_each(|run| self.ask("approve_invoice_run", json!({ "run": run })));
    }

    /// Takes back what may be left of a wallet's latest invoice, or be more than that.
    fn credit(&mut self, wallet: usize, amount: u32) {
        let wallet = &self.ledger.wallets()[wallet];
        let issued = wallet.invoicing.as_ref().and_then(|invoicing| invoicing.issued.last());
        let Some((draft, number)) = issued.map(|issued| (issued.draft, issued.number.clone()))
        else {
            return;
        };
        let asked =
            Asked { number: 1, principal: PrincipalId::operator(), key: None, origin: None };
        let fields = json!({ "invoice": number, "amount": amount.to_string(), "reason": "r" });
        let command = Command::read("credit_invoice", fields).unwrap().unwrap();
        match self.ledger.credited(&asked, &command, Some(draft), &mut self.facts) {
            Ok(()) | Err(Undecided::Refused(_)) => {}
            Err(Undecided::Broken(broken)) => panic!("{broken}"),
        }
    }

    fn now(&self) -> Timestamp {
        self.ledger.clock().now()
    }

    fn use_meter(&mut self, account: u32, meter: u32, quantity: &str, used: Timestamp) {
        let line = Line {
            usage_partition: 0,
            account: AccountNumber(account),
            meter: MeterNumber(meter),
            region: RegionNumber::NONE,
            used: used.minute(),
            quantity: amount(quantity),
            records: 1,
        };
        self.ledger.line(&line, &mut self.facts).unwrap();
    }

    /// Time goes on, what falls due happens, and every draft is numbered at once.
    fn pass(&mut self, to: Timestamp) {
        while self.now() < to {
            // No further than an hour at a time, as metering marks it.
            let next = self.now().plus(Span::minutes(60)).min(to);
            self.ledger.pass(next, &mut self.facts).unwrap();
            self.ledger.mark(0, next.quarter(), &mut self.facts).unwrap();
            assert!(!self.ledger.fire(usize::MAX, &mut self.facts).unwrap().more);
            self.number_drafts();
        }
    }

    /// Those that are not held.
    fn number_drafts(&mut self) {
        let wallets = self.ledger.wallets().iter();
        let waiting = wallets.flat_map(|it| it.drafts()).filter(|it| it.held_for().is_none());
        let drafts: Vec<u64> = waiting.map(|it| it.draft).collect();
        for draft in drafts {
            self.numbered += 1;
            let number = format!("SG-2026-{:06}", self.numbered);
            self.ledger.number_invoice(draft, &number, self.now(), &mut self.facts).unwrap();
        }
    }

    /// The same ledger, put together again.
    fn put_together(&self) -> Story {
        let mut ledger = Ledger::new(1);
        ledger.begin_load();
        for piece in pieces(&self.ledger) {
            ledger.load(piece).unwrap();
        }
        ledger.loaded();
        let facts = Facts(self.facts.0.clone());
        Story { ledger, facts, numbered: self.numbered }
    }

    fn drafts(&self) -> impl Iterator<Item = (WalletNumber, &InvoiceDraft)> {
        self.facts.0.iter().filter_map(|fact| match fact {
            Fact::PeriodClosed(closed) => Some((closed.wallet, &*closed.draft)),
            _ => None,
        })
    }

    fn invoices(&self) -> Vec<&Invoice> {
        let issued = self.facts.0.iter().filter_map(|fact| match fact {
            Fact::InvoiceIssued(issued) => Some(&*issued.invoice),
            _ => None,
        });
        issued.collect()
    }

    fn bills(&self) -> impl Iterator<Item = &BillIssued> {
        self.facts.0.iter().filter_map(|fact| match fact {
            Fact::BillIssued(issued) => Some(&**issued),
            _ => None,
        })
    }

    /// By wallet and half-month, all bills but taxes and credit notes, less what coupons paid of them.
    fn to_invoice(&self) -> BTreeMap<(WalletNumber, HalfMonth), Amount> {
        let mut sums = BTreeMap::new();
        let mut halves = BTreeMap::new();
        let mut add = |wallet: WalletNumber, half: HalfMonth, amount: Amount| {
            let sum: &mut Amount = sums.entry((wallet, half)).or_default();
            *sum = sum.plus(amount).unwrap();
        };
        for fact in &self.facts.0 {
            match fact {
                Fact::BillIssued(issued)
                    if !issued.bill.is_tax() && issued.credit_note.is_none() =>
                {
                    halves.insert((issued.wallet, issued.bill.number), issued.bill.half);
                    add(issued.wallet, issued.bill.half, issued.bill.amount);
                }
                Fact::Moved(moved)
                    if moved.cause == Cause::Bill && matches!(moved.lot, Lot::CouponLot(_)) =>
                {
                    let wallet = moved.wallet;
                    let half = moved.bill.map(|bill| halves[&(wallet, bill)]);
                    add(wallet, half.unwrap(), moved.amount);
                }
                Fact::PaymentUndone(undone) if matches!(undone.lot, Lot::CouponLot(_)) => {
                    add(undone.wallet, undone.half, undone.amount);
                }
                _ => {}
            }
        }
        sums
    }
}

/// Each bill is on exactly one invoice, and each invoice comes to its bills (R12.1, R12.3).
fn assert_invoiced(story: &Story) {
    let sums = story.to_invoice();
    let mut ended: BTreeMap<WalletNumber, Timestamp> = BTreeMap::new();
    for (wallet, draft) in story.drafts() {
        let zone = story.ledger.wallet(wallet).unwrap().zone;
        let before = ended.insert(wallet, draft.until);
        assert!(
            before.is_none_or(|before| before <= draft.from),
            "{draft:?} begins before {before:?}"
        );
        let (first, last) = (
            zone.half_month_of(draft.from),
            zone.half_month_of(draft.until.minus(Span::micros(1))),
        );
        let covered = sums.range((wallet, first)..=(wallet, last)).map(|(_, sum)| *sum);
        assert_eq!(draft.net, Amount::sum(covered).unwrap(), "{draft:?}");
        let lines = Amount::sum(draft.lines.iter().map(|line| line.amount)).unwrap();
        assert_eq!(draft.net, lines, "{draft:?}");
        assert!(draft.top_ups.iter().all(|paid| draft.from <= paid.at && paid.at < draft.until));
    }
    for (number, until) in ended {
        let zone = story.ledger.wallet(number).unwrap().zone;
        let open = story.ledger.wallet(number).unwrap().periods();
        assert!(open.iter().all(|period| zone.bounds_of_half(period.half).0 >= until));
    }
    // What is on no invoice yet is in the state, and everything is in one of the two.
    for (number, wallet) in (0..).map(WalletNumber).zip(story.ledger.wallets()) {
        let of_wallet = sums.iter().filter(|((payer, _), _)| *payer == number);
        let billed = Amount::sum(of_wallet.map(|(_, sum)| *sum)).unwrap();
        let drafts = story.drafts().filter(|(payer, _)| *payer == number);
        let invoiced = Amount::sum(drafts.map(|(_, draft)| draft.net)).unwrap();
        let open = wallet.periods().iter().map(|period| {
            let orders = Amount::sum(period.orders.iter().map(|order| order.amount)).unwrap();
            period.billed.plus(orders).unwrap().minus(period.coupons).unwrap()
        });
        assert_eq!(billed, invoiced.plus(Amount::sum(open).unwrap()).unwrap(), "{}", wallet.id);
    }
}

/// Every invoice has its tax billed once, and nothing else has (R12.5).
fn assert_taxed(story: &Story) {
    let taxes: BTreeMap<String, Amount> = story
        .bills()
        .filter_map(|issued| Some((issued.invoice.clone()?, issued.bill.amount)))
        .collect();
    for invoice in story.invoices() {
        let billed = taxes.get(&invoice.number).copied().unwrap_or_default();
        assert_eq!(billed, invoice.tax, "{invoice:?}");
        let exact = invoice.net.times(invoice.tax_rate).unwrap().rounded_half_even().unwrap();
        let rounded = exact.rounded_half_away(invoice.currency).unwrap();
        // Parts of an invoice are taxed so that together they come to its tax.
        let apart = if invoice.reason.is_some() { amount("0.01") } else { Amount::ZERO };
        let drift = invoice.tax.minus(rounded).unwrap();
        assert!(drift.max(drift.negated().unwrap()) <= apart, "{invoice:?}");
        assert_eq!(invoice.total, invoice.net.plus(invoice.tax).unwrap());
        let negative = invoice.total.is_negative();
        assert_eq!(invoice.r#type == InvoiceType::CreditNote, negative, "{invoice:?}");
    }
    assert_eq!(taxes.len(), story.bills().filter(|issued| issued.bill.is_tax()).count());
}

/// Credit notes take back no more of an invoice than there is, and their bills come to their nets (R12.2).
fn assert_credited(story: &Story) {
    let mut left: BTreeMap<&str, (Amount, Amount)> = BTreeMap::new();
    for invoice in story.invoices() {
        let Some(_) = &invoice.reason else {
            left.insert(&invoice.number, (invoice.net, invoice.tax));
            continue;
        };
        let corrected = left.get_mut(invoice.corrects.as_deref().unwrap()).unwrap();
        corrected.0 = corrected.0.plus(invoice.net).unwrap();
        corrected.1 = corrected.1.plus(invoice.tax).unwrap();
        assert!(!corrected.0.is_negative(), "{invoice:?}");
        assert!(!corrected.0.is_zero() || corrected.1.is_zero(), "{invoice:?}");
        let of_note = story.bills().filter(|it| it.credit_note.as_ref() == Some(&invoice.number));
        let billed = Amount::sum(of_note.map(|issued| issued.bill.amount)).unwrap();
        assert_eq!(billed, invoice.net, "{invoice:?}");
    }
}

#[derive(Clone, Debug)]
enum Event {
    Use {
        account: u32,
        meter: u32,
        quantity: u32,
        hours_ago: u16,
    },
    TopUp {
        wallet: usize,
        amount: u32,
    },
    Coupon {
        wallet: usize,
        amount: u32,
        cash: bool,
        days: u32,
    },
    Order {
        wallet: usize,
        amount: u32,
    },
    Refund {
        wallet: usize,
        order: u32,
    },
    Credit {
        wallet: usize,
        amount: u32,
    },
    Payer {
        account: usize,
        wallet: usize,
    },
    Cycle {
        wallet: usize,
        cycle: &'static str,
    },
    Limit {
        wallet: usize,
        limit: u32,
    },
    Settings {
        schedule: &'static str,
        rate: Option<u32>,
        hold_above: Option<u32>,
    },
    /// Approves all runs that wait for it.
    Approve,
    Settle {
        wallet: usize,
        currency: &'static str,
    },
    Wait {
        hours: u32,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let wallet = || 0..WALLETS.len();
    prop_oneof![
        10 => (0..3u32, 0..METERS, 0..90u32, prop_oneof![3 => Just(0u16), 1 => 0..600u16]).prop_map(
            |(account, meter, quantity, hours_ago)| Event::Use { account, meter, quantity, hours_ago }
        ),
        2 => (wallet(), 20..200u32).prop_map(|(wallet, amount)| Event::TopUp { wallet, amount }),
        2 => (wallet(), 1..60u32, any::<bool>(), 1..40u32)
            .prop_map(|(wallet, amount, cash, days)| Event::Coupon { wallet, amount, cash, days }),
        1 => (wallet(), 1..40u32).prop_map(|(wallet, amount)| Event::Order { wallet, amount }),
        1 => (wallet(), 0..6u32).prop_map(|(wallet, order)| Event::Refund { wallet, order }),
        2 => (wallet(), 1..60u32).prop_map(|(wallet, amount)| Event::Credit { wallet, amount }),
        1 => (wallet(), wallet()).prop_map(|(account, wallet)| Event::Payer { account, wallet }),
        1 => (wallet(), prop_oneof![Just("hour"), Just("day"), Just("month")])
            .prop_map(|(wallet, cycle)| Event::Cycle { wallet, cycle }),
        1 => (wallet(), 0..500u32).prop_map(|(wallet, limit)| Event::Limit { wallet, limit }),
        1 => (prop_oneof![Just("monthly"), Just("semi_monthly")], proptest::option::of(1..100_000u32), proptest::option::of(0..60u32))
            .prop_map(|(schedule, rate, hold_above)| Event::Settings { schedule, rate, hold_above }),
        1 => Just(Event::Approve),
        1 => (0..WALLETS.len(), prop_oneof![Just("USD"), Just("EUR")])
            .prop_map(|(wallet, currency)| Event::Settle { wallet, currency }),
        6 => (1..200u32).prop_map(|hours| Event::Wait { hours }),
    ]
}

/// Rates for the months of these stories, or none; what one dollar is in hundred-thousandths of a euro.
fn stated(rate: Option<u32>) -> String {
    let Some(rate) = rate else { return String::new() };
    let month = |month| format!("\"2026-{month:02}\" = {{ \"USD/EUR\" = \"0.{rate:05}\" }}");
    format!("fx = {{ {} }}", (1..=12).map(month).collect::<Vec<_>>().join(", "))
}

fn held_above(amount: Option<u32>) -> String {
    amount.map_or(String::new(), |amount| format!("\ninvoices.hold_above = \"{amount}\""))
}

/// A run counts what there is of it (R12.1).
fn assert_counted(story: &Story) {
    let [enterprise] = story.ledger.enterprises() else { panic!("one enterprise") };
    let wallets = story.ledger.wallets().iter();
    let drafts = wallets.flat_map(|wallet| wallet.drafts().iter().map(move |it| (wallet, it)));
    let drafts: Vec<_> = drafts.filter(|(_, draft)| draft.corrects.is_none()).collect();
    let mut counted = 0;
    for run in &enterprise.runs {
        let own = drafts.iter().filter(|(wallet, draft)| {
            let key = wallet.run_of(draft);
            (key.day, key.currency) == (run.day, run.currency)
        });
        let own: Vec<_> = own.map(|(_, draft)| draft).collect();
        let count = |of: &dyn Fn(&InvoiceDraft) -> bool| -> u32 {
            own.iter().filter(|draft| of(draft)).count().try_into().unwrap()
        };
        assert_eq!(run.decided - run.issued, count(&|_| true), "{run:?}");
        assert_eq!(run.held, count(&|draft| draft.held_for().is_some()), "{run:?}");
        assert_eq!(run.lacking_rate, count(&InvoiceDraft::lacks_rate), "{run:?}");
        let waits = own.iter().any(|draft| draft.awaits_approval);
        assert_eq!(run.awaits_approval, waits, "{run:?}");
        assert_eq!(run.net.plus(run.tax), Ok(run.total));
        counted += own.len();
    }
    assert_eq!(counted, drafts.len());
}

/// What is settled in another currency is converted once, at a rate that was stated, and nothing else is held
/// (R12.6).
fn assert_settled(story: &Story) {
    for invoice in story.invoices() {
        let settled = [invoice.settled_net, invoice.settled_tax, invoice.settled_total];
        let Some(currency) = invoice.settlement_currency else {
            assert_eq!((invoice.settlement_rate, settled), (None, [None; 3]));
            continue;
        };
        let (rate, [net, tax, total]) =
            (invoice.settlement_rate.unwrap(), settled.map(Option::unwrap));
        assert_eq!(net.plus(tax), Ok(total));
        // Credit notes take back their part of what was settled, so that nothing is left of it.
        if invoice.reason.is_none() {
            assert_eq!(converted(invoice.net, rate, currency), Ok(net));
            assert_eq!(converted(invoice.tax, rate, currency), Ok(tax));
        }
    }
    let drafts = story.ledger.wallets().iter().flat_map(|wallet| wallet.drafts());
    for draft in drafts.filter(|draft| !draft.awaits_approval) {
        let month = Zone::UTC.month_of(draft.until.minus(Span::days(1)));
        let rate = story.ledger.settings().fx.stated(month, Currency::Usd, Currency::Eur);
        assert_eq!((draft.held_for(), rate), (Some(HeldFor::NoRate), None), "{draft:?}");
    }
}

fn happen(story: &mut Story, event: Event, place: usize) {
    let name = |wallet: usize| format!("ba-{}", WALLETS[wallet]);
    match event {
        Event::Use { account, meter, quantity, hours_ago } => {
            let used = story.now().minus(Span::minutes(60 * i32::from(hours_ago)));
            story.use_meter(account, meter, &quantity.to_string(), used);
        }
        Event::TopUp { wallet, amount } => story.ask("top_up", json!({ "billing_account": name(wallet), "amount": amount.to_string(), "currency": "USD", "method": "bank_transfer" })),
        Event::Coupon { wallet, amount, cash, days } => {
            let until = story.now().plus(Span::days(days.try_into().unwrap()));
            story.ask("grant_coupon", json!({ "billing_account": name(wallet), "coupon": format!("k{place}"), "amount": amount.to_string(), "cash": cash, "valid_from": "2026-02-01T00:00:00Z", "valid_until": until.to_string() }));
        }
        Event::Order { wallet, amount } => story.ask("place_order", json!({ "billing_account": name(wallet), "order": format!("o{}", place % 6), "amount": amount.to_string(), "product": "compute" })),
        Event::Refund { wallet, order } => story.ask("refund_order", json!({ "billing_account": name(wallet), "order": format!("o{order}"), "amount": "1", "to": "cash" })),
        Event::Credit { wallet, amount } => story.credit(wallet, amount),
        Event::Payer { account, wallet } => story.ask("change_payer", json!({ "account": WALLETS[account], "billing_account": name(wallet) })),
        Event::Cycle { wallet, cycle } => story.ask("configure", json!({ "billing_account": name(wallet), "bill_cycle": cycle })),
        Event::Limit { wallet, limit } => {
            story.ask("set_credit_limit", json!({ "billing_account": name(wallet), "limit": limit.to_string() }));
            story.ask("confirm_contract", json!({ "billing_account": name(wallet) }));
        }
        Event::Settle { wallet, currency } => story.ask("configure", json!({ "billing_account": name(wallet), "settlement_currency": currency })),
        Event::Approve => story.approve_runs(),
        Event::Settings { schedule, rate, hold_above } => {
            let document = format!("invoices.schedule = \"{schedule}\"\ntax.rates = {{ SG = \"0.09\" }}\n{}{}", stated(rate), held_above(hold_above));
            story.ledger.take(SettingsChanged { document }.into(), &mut story.facts).unwrap();
        }
        Event::Wait { hours } => {
            let to = story.now().plus(Span::minutes(60 * i32::try_from(hours).unwrap()));
            story.pass(to);
        }
    }
}

/// A preview has the figures that the invoice is issued with, and issues nothing.
#[test]
fn r12_1_a_preview_says_what_is_issued() {
    let mut story = Story::begin(r#"tax.rates = { SG = "0.09" }"#);
    let (wallet, day) = (WalletNumber(0), "2026-02-16".parse().unwrap());
    let preview = |story: &Story, day| story.ledger.preview_invoices(wallet, day).unwrap();
    assert_eq!(preview(&story, day), []);
    story.use_meter(0, 0, "10", story.now());
    story.pass(at("2026-02-15T22:00:00Z"));
    // The half-month before this day is the second of January.
    assert_eq!(preview(&story, "2026-02-15".parse().unwrap()), []);
    let told = story.facts.0.len();
    let before = preview(&story, day);
    assert_eq!((before.len(), told), (1, story.facts.0.len()));
    story.pass(at("2026-02-16T01:00:00Z"));
    let (_, issued) = story.drafts().next().unwrap();
    assert_eq!(issued.net, amount("3.33"));
    assert_eq!(before, [Preview::Open(issued.clone())]);
    assert_eq!(preview(&story, day), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// R12.1, R12.3, R12.5: over any history half-months partition the bills, the nets of invoices are the
    /// bills less coupons, and each tax is billed once. A ledger that is put together from pieces goes on alike.
    #[test]
    fn r12_3_invoices_come_to_the_bills_less_coupons(events in proptest::collection::vec(event(), 1..60)) {
        let mut story = Story::begin("tax.rates = { SG = \"0.09\" }");
        for (place, event) in events.into_iter().enumerate() {
            happen(&mut story, event, place);
        }
        let mut again = story.put_together();
        let to = story.now().plus(Span::days(32));
        story.pass(to);
        again.pass(to);
        assert_invoiced(&story);
        assert_taxed(&story);
        assert_credited(&story);
        assert_settled(&story);
        assert_counted(&story);
        prop_assert_eq!(pieces(&again.ledger), pieces(&story.ledger));
    }
}

/// R12.1: when an invoice is due, by zone and schedule.
#[test]
fn r12_1_an_invoice_is_due_at_the_end_of_its_period_in_the_wallets_zone() {
    for (wallet, schedule, used, due, from) in [
        (
            "a",
            "semi_monthly",
            "2026-03-03T10:00:00Z",
            "2026-03-16T00:00:00Z",
            "2026-03-01T00:00:00Z",
        ),
        (
            "a",
            "semi_monthly",
            "2026-03-15T23:59:00Z",
            "2026-03-16T00:00:00Z",
            "2026-03-01T00:00:00Z",
        ),
        (
            "a",
            "semi_monthly",
            "2026-03-16T00:00:00Z",
            "2026-04-01T00:00:00Z",
            "2026-03-16T00:00:00Z",
        ),
        ("a", "monthly", "2026-03-03T10:00:00Z", "2026-04-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("a", "monthly", "2026-03-20T10:00:00Z", "2026-04-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        // Half past five ahead of UTC.
        (
            "b",
            "semi_monthly",
            "2026-03-15T18:29:00Z",
            "2026-03-15T18:30:00Z",
            "2026-02-28T18:30:00Z",
        ),
        (
            "b",
            "semi_monthly",
            "2026-03-15T18:30:00Z",
            "2026-03-31T18:30:00Z",
            "2026-03-15T18:30:00Z",
        ),
        // Summer time begins on the 8th of March.
        (
            "c",
            "semi_monthly",
            "2026-03-03T10:00:00Z",
            "2026-03-16T04:00:00Z",
            "2026-03-01T05:00:00Z",
        ),
        (
            "c",
            "semi_monthly",
            "2026-02-27T10:00:00Z",
            "2026-03-01T05:00:00Z",
            "2026-02-16T05:00:00Z",
        ),
    ] {
        let mut story = Story::begin(&format!("invoices.schedule = \"{schedule}\""));
        let account = WALLETS.iter().position(|known| *known == wallet).unwrap();
        story.pass(at(used));
        story.use_meter(account.try_into().unwrap(), 0, "10", at(used));
        story.pass(at(due).minus(Span::micros(1)));
        assert_eq!(story.invoices().len(), 0, "{wallet} {schedule} {used}");
        story.pass(at(due));
        let invoices = story.invoices();
        assert_eq!(invoices.len(), 1, "{wallet} {schedule} {used}");
        assert_eq!((invoices[0].from, invoices[0].until), (at(from), at(due)), "{wallet} {used}");
        assert_eq!(invoices[0].net, amount("3.33"));
    }
}

/// R12.1, R2.4: the bills of a period that metering or a grace holds back are waited for, and what is paid in
/// meanwhile belongs to the new period.
#[test]
fn r12_1_a_period_is_closed_behind_its_last_bill() {
    let mut story = Story::begin("bills.grace = \"2h\"");
    story.pass(at("2026-03-15T23:30:00Z"));
    story.use_meter(0, 0, "10", at("2026-03-15T23:30:00Z"));
    story.pass(at("2026-03-16T01:00:00Z"));
    story.ask("top_up", json!({ "billing_account": "ba-a", "amount": "20", "currency": "USD", "method": "bank_transfer" }));
    story.use_meter(0, 0, "10", at("2026-03-15T23:40:00Z"));
    assert_eq!(story.invoices().len(), 0);
    story.pass(at("2026-03-16T02:00:00Z"));
    let invoices = story.invoices();
    assert_eq!((invoices.len(), invoices[0].net), (1, amount("6.66")));
    assert_eq!(invoices[0].top_ups, []);
    // Metering lags: the gate stays shut.
    story.use_meter(0, 0, "10", at("2026-03-31T23:30:00Z"));
    story.pass(at("2026-03-31T23:45:00Z"));
    let Story { ledger, facts, .. } = &mut story;
    ledger.pass(at("2026-04-01T03:00:00Z"), facts).unwrap();
    assert_eq!(ledger.fire(usize::MAX, facts).unwrap().timers, 0);
    assert_eq!(story.invoices().len(), 1);
    story.pass(at("2026-04-01T04:00:00Z"));
    assert_eq!(story.invoices().len(), 2);
    assert_eq!(story.invoices()[1].top_ups.len(), 1);
    assert_invoiced(&story);
}

/// R3.6, R5.3: a bill that waited for metering is paid as it would have been when it fell due.
#[test]
fn r3_6_a_bill_that_waited_is_paid_by_the_coupon_that_was_valid_when_it_fell_due() {
    for (valid_until, pays) in [("2026-03-03T11:00:00Z", true), ("2026-03-03T10:45:00Z", false)] {
        let mut story = Story::begin("");
        story.ask(
            "grant_coupon",
            json!({ "billing_account": "ba-a", "coupon": "k", "cash": true, "amount": "100",
            "valid_from": "2026-03-01T00:00:00Z", "valid_until": valid_until }),
        );
        story.pass(at("2026-03-03T10:00:00Z"));
        story.use_meter(0, 2, "50", at("2026-03-03T10:00:00Z"));
        let Story { ledger, facts, .. } = &mut story;
        ledger.pass(at("2026-03-03T14:00:00Z"), facts).unwrap();
        ledger.fire(usize::MAX, facts).unwrap();
        assert_eq!(ledger.wallets()[0].owed(), Amount::ZERO, "no bill while metering lags");
        story.pass(at("2026-03-03T15:00:00Z"));
        assert_eq!(story.ledger.wallets()[0].owed().is_zero(), pays, "{valid_until}");
    }
}

/// R12.5, R5.7: a negative tax takes back what paid earlier ones; what no payment is known for is own cash.
#[test]
fn r12_5_a_negative_tax_undoes_what_was_paid() {
    let taxed = |rate: &str| format!("tax.rates = {{ SG = \"{rate}\" }}");
    for (first_rate, second_rate, cash_back) in [("0.10", "0.10", "3.99"), ("0", "0.10", "3.99")] {
        let mut story = Story::begin(&taxed(first_rate));
        story.ask("top_up", json!({ "billing_account": "ba-a", "amount": "100", "currency": "USD", "method": "bank_transfer" }));
        story.pass(at("2026-03-03T10:00:00Z"));
        story.use_meter(0, 2, "50", at("2026-03-03T10:00:00Z"));
        story.pass(at("2026-03-16T00:00:00Z"));
        let document = taxed(second_rate);
        story.ledger.take(SettingsChanged { document }.into(), &mut story.facts).unwrap();
        // 101 gigabytes cost 10.10 in all, 39.90 less than 50.
        story.use_meter(0, 2, "51", at("2026-03-16T00:00:00Z"));
        story.pass(at("2026-03-31T00:00:00Z"));
        let before = story.ledger.wallets()[0].own_cash;
        story.pass(at("2026-04-01T00:00:00Z"));
        // The first invoice shows nothing but the top-up.
        let [_, _, note] = story.invoices()[..] else { panic!("{first_rate}") };
        assert_eq!((note.net, note.tax), (amount("-39.90"), amount("-3.99")));
        assert_eq!(note.corrects.as_deref(), Some("SG-2026-000002"));
        let after = story.ledger.wallets()[0].own_cash;
        assert_eq!(after.minus(before).unwrap(), amount(cash_back), "{first_rate}");
        assert_eq!(story.ledger.wallets()[0].owed(), Amount::ZERO);
    }
}

/// R5.7, R12.3: a correction brings back what a coupon paid, and the net with it, also when that has expired.
#[test]
fn r12_3_what_a_coupon_paid_of_an_undone_bill_lowers_no_net() {
    for (until, left) in [("2026-06-01T00:00:00Z", "89.9"), ("2026-03-10T00:00:00Z", "50")] {
        let mut story = Story::begin("");
        story.ask("grant_coupon", json!({ "billing_account": "ba-a", "coupon": "k", "amount": "100", "valid_from": "2026-03-01T00:00:00Z", "valid_until": until }));
        story.pass(at("2026-03-03T10:00:00Z"));
        story.use_meter(0, 2, "50", at("2026-03-03T10:00:00Z"));
        story.pass(at("2026-03-16T00:00:00Z"));
        assert_eq!(story.invoices()[0].net, Amount::ZERO);
        story.use_meter(0, 2, "51", at("2026-03-16T00:00:00Z"));
        story.pass(at("2026-04-01T00:00:00Z"));
        assert_eq!(story.invoices()[1].net, Amount::ZERO, "{until}");
        assert_eq!(story.ledger.wallets()[0].coupons[0].left, amount(left), "{until}");
    }
}

/// R12.3: an ecosystem's wallet settles with its partner, and gets no invoice by us.
#[test]
fn r12_3_a_partners_wallet_gets_no_invoice() {
    let mut story = Story::begin("tax.rates = { SG = \"0.09\" }");
    story.ask("open_account", json!({ "account": "eco", "enterprise": "e", "email": "x@y.example", "currency": "USD", "mode": "postpaid", "kind": "ecosystem", "partner": "p" }));
    story.use_meter(3, 0, "10", story.now());
    story.pass(at("2026-03-16T00:00:00Z"));
    assert_eq!(story.bills().count(), 1);
    assert_eq!(story.invoices().len(), 0);
    assert_eq!(story.ledger.wallets()[3].invoicing, None);
}

#[test]
fn a_draft_names_its_wallet() {
    for (wallet, place) in [(0, 0), (7, 3), (u32::MAX, u32::MAX)] {
        let draft = draft_name(WalletNumber(wallet), place);
        assert_eq!(wallet_of_draft(draft), WalletNumber(wallet));
    }
    assert_ne!(draft_name(WalletNumber(1), 2), draft_name(WalletNumber(1), 3));
}

/// A number for what was never drafted, or has its number, breaks the ledger.
#[test]
fn a_number_that_nobody_asked_for_is_an_error() {
    let mut story = Story::begin("");
    story.use_meter(0, 0, "10", story.now());
    story.pass(at("2026-02-16T00:00:00Z"));
    let draft = story.drafts().next().unwrap().1.draft;
    for draft in [draft, draft + 1, u64::MAX] {
        let result = story.ledger.number_invoice(
            draft,
            "SG-2026-000009",
            story.now(),
            &mut Facts::default(),
        );
        assert!(result.is_err(), "{draft}");
    }
}
