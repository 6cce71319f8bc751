//! What has been decided, told once more: decided again with the same cuts, or taken as decided. For
//! those who restore a ledger and those who check one.

use drawdown_domain::ledger::{Ledger, Used};
use drawdown_domain::time::Timestamp;
use drawdown_runtime::{Input, Output, Station, Stop};

use crate::Balance;
use crate::changed::Changed;
use crate::delta::{self, Part, each_part};
use crate::station::stop;

impl Balance {
    /// Applies a delta, and notes whose balance it changes. What usage did may wait until [`Balance::take_all_back`].
    pub(crate) fn take_back(&mut self, delta: &[u8]) -> Result<(), Stop> {
        each_part(delta, &mut |part| {
            let fact = match part {
                Part::Accrued(accrued) => {
                    self.waiting.accrued(accrued, &self.ledger);
                    return self.take_some_back();
                }
                Part::Fact(fact) => fact,
            };
            if let Some(used) = fact.used()
                && self.waiting.may_take(&used, &self.ledger)
            {
                self.waiting.used(used, &self.ledger);
                return self.take_some_back();
            }
            match fact.lets_usage_pass() {
                true => self.waiting.settle(&self.ledger),
                false => self.take_all_back()?,
            }
            self.scribe.changed.touch_by(&fact);
            self.ledger.apply(&fact).map_err(stop)
        })
    }

    fn take_some_back(&mut self) -> Result<(), Stop> {
        if self.waiting.is_full() { self.take_gathered_back() } else { Ok(()) }
    }

    /// Nothing waits any more.
    pub(crate) fn take_all_back(&mut self) -> Result<(), Stop> {
        self.waiting.settle(&self.ledger);
        self.take_gathered_back()?;
        let (ledger, changed) = (&mut self.ledger, &mut self.scribe.changed);
        let now = ledger.clock().now();
        self.waiting.show_sums(now, |some| take_used_back(ledger, changed, some))
    }

    fn take_gathered_back(&mut self) -> Result<(), Stop> {
        let (ledger, changed) = (&mut self.ledger, &mut self.scribe.changed);
        self.waiting.show_gathered(|some| take_used_back(ledger, changed, some))
    }

    /// Applies a delta and says what follows from it: entries and bills, as they were said when it was
    /// decided. Charges need the lines as well and are not said. Before each part is applied, it is
    /// shown with the ledger as it is then.
    pub fn tell_again(
        &mut self,
        delta: &[u8],
        output: &mut Output,
        show: &mut dyn FnMut(&Ledger, &Part) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let (ledger, scribe) = (&mut self.ledger, &mut self.scribe);
        each_part(delta, &mut |part| {
            show(ledger, &part)?;
            match part {
                Part::Fact(fact) => ledger.take(fact, scribe).map_err(stop),
                Part::Accrued(accrued) => ledger.apply_accrued(&accrued).map_err(stop),
            }
        })?;
        self.finish(output)
    }

    /// Decides a step again with the cuts that its delta names.
    pub(crate) fn decide_with_cuts(
        &mut self,
        input: Input<'_>,
        delta: &[u8],
        output: &mut Output,
    ) -> Result<(), Stop> {
        let (cuts, _) = delta::read_cuts(delta).map_err(delta::unreadable)?;
        let usual = self.options.timers_per_message_max;
        self.options.timers_per_message_max = cuts.timers_per_message_max.unwrap_or(usual);
        let mut rest = input.messages;
        for cut in &cuts.idle {
            let taken = input.messages.len() - rest.len();
            let (before, after) = rest
                .split_at_checked((cut.messages as usize).saturating_sub(taken))
                .ok_or_else(|| Stop::Broken("a delta with a cut behind its messages".to_owned()))?;
            self.take(Input { messages: before }, output)?;
            self.fire_idle(cut.timers as usize)?;
            rest = after;
        }
        self.take(Input { messages: rest }, output)?;
        self.finish(output)?;
        self.options.timers_per_message_max = usual;
        Ok(())
    }

    /// Fires timers while nothing comes; true if more are due.
    pub(crate) fn fire_idle(&mut self, timers_max: usize) -> Result<bool, Stop> {
        let fired = self.ledger.fire(timers_max, &mut self.scribe).map_err(stop)?;
        if fired.timers > 0 {
            self.scribe.delta.idle(fired.timers);
        }
        Ok(fired.more)
    }
}

fn take_used_back(
    ledger: &mut Ledger,
    changed: &mut Changed,
    some: &[(Timestamp, Used)],
) -> Result<(), Stop> {
    ledger.apply_used(some).map_err(stop)?;
    for (_, used) in some {
        if let Used::Accrued(accrued) = used {
            changed.touch_by_accrual(ledger, accrued);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use drawdown_domain::commands::{Asked, Command};
    use drawdown_domain::ids::PrincipalId;
    use drawdown_domain::ledger::{
        AccountNumber, Fact, Line, Place, PricesArrived, PricesInForce, RegionNumber,
        SettingsChanged,
    };
    use drawdown_domain::money::Amount;
    use drawdown_domain::rating::{self, MeterNumber, PriceBook};
    use drawdown_domain::time::{Minute, Span, Timestamp};
    use drawdown_wire::signature::Secret;
    use drawdown_wire::topics::{DEFAULT_PLAN, TopicPlan, Topics};
    use serde_json::{Value, json};

    use super::*;
    use crate::BalanceOptions;
    use crate::waiting::NEAR_BITS;

    /// Not all near each other.
    const ACCOUNTS: u32 = FAR + 100;
    const FAR: u32 = 1 << NEAR_BITS;
    /// More than are added up at a time.
    const METERS: u32 = 5;
    const PIECE_BYTES: usize = 1 << 16;
    const SETTINGS: &str = "authorizations.expire_after = \"1h\"\nbills.grace = \"5m\"";

    fn prices() -> String {
        let unit_price = |meter| if meter == 1 { "2" } else { "0.01" };
        let price = |meter| {
            format!(
                r#"{{ product = "p", meter = "m{meter}", currency = "USD", model = "per_unit", unit_price = "{}" }}"#,
                unit_price(meter)
            )
        };
        format!("price = [{}]", (0..METERS).map(price).collect::<Vec<_>>().join(", "))
    }

    fn balance() -> Balance {
        let plan = TopicPlan::parse(DEFAULT_PLAN).unwrap();
        let topics = Topics::new("", &TopicPlan { usage_partitions: 1, ..plan });
        let options = BalanceOptions {
            topics,
            secret: Secret::new([7; 32]),
            timers_per_message_max: 100,
            balances_per_step_max: 100,
            tick_every: None,
        };
        Balance::new(options, 0)
    }

    /// Decides, and keeps the deltas of its steps and the pieces of a snapshot that was taken beside them.
    struct Decider {
        balance: Balance,
        deltas: Vec<Vec<u8>>,
        /// Each with how many deltas stand before it.
        pieces: Vec<(usize, Vec<u8>)>,
        /// Where the next piece is, while a snapshot is taken.
        place: Option<Vec<u8>>,
    }

    impl Decider {
        fn now(&self) -> Timestamp {
            self.balance.ledger.clock().now()
        }

        fn pass(&mut self, minutes: i32) {
            self.pass_to(self.now().plus(Span::minutes(minutes)));
        }

        /// True if more is due.
        fn pass_to(&mut self, at: Timestamp) -> bool {
            let (ledger, scribe) = (&mut self.balance.ledger, &mut self.balance.scribe);
            ledger.pass(at, scribe).unwrap();
            ledger.mark(0, at, scribe).unwrap();
            ledger.fire(100, scribe).unwrap().more
        }

        fn fact(&mut self, fact: impl Into<Fact>) {
            self.balance.ledger.take(fact.into(), &mut self.balance.scribe).unwrap();
        }

        fn ask(&mut self, name: &str, fields: Value) {
            let command = Command::read(name, fields).unwrap().unwrap();
            let principal = PrincipalId::operator();
            let asked = Asked { number: 1, principal, key: None, origin: None };
            self.balance.ledger.command(&asked, &command, &mut self.balance.scribe).unwrap();
        }

        fn use_some(&mut self, account: u32, meter: u32) {
            self.used(account, meter, self.now().minute());
        }

        fn used(&mut self, account: u32, meter: u32, used: Minute) {
            self.line(account, meter, used, i64::from(account % FAR) + 1);
        }

        fn line(&mut self, account: u32, meter: u32, used: Minute, quantity: i64) {
            let line = Line {
                usage_partition: 0,
                account: AccountNumber(account),
                meter: MeterNumber(meter),
                region: RegionNumber::NONE,
                used,
                quantity: Amount::whole(quantity),
                records: 1,
            };
            self.balance.ledger.line(&line, &mut self.balance.scribe).unwrap();
        }

        /// Accounts take turns, and so do the meters; one account uses something all the time.
        fn go_on(&mut self, turns: u32, minutes: i32) {
            for turn in 0..turns {
                self.use_some((turn * 517) % ACCOUNTS, turn % METERS);
                self.use_some(5, turn % METERS);
                self.use_some(3, 0);
                self.pass(minutes);
                if turn % 4 == 0 {
                    // The last of a delta, and of a snapshot.
                    self.use_some(ACCOUNTS - 1, 0);
                    self.step();
                }
            }
        }

        fn step(&mut self) {
            let mut delta = Vec::new();
            self.balance.scribe.delta.finish(100, &mut delta);
            self.deltas.push(delta);
            if let Some(place) = self.place.take() {
                let (piece, after) = self.balance.piece(&place, PIECE_BYTES);
                self.pieces.push((self.deltas.len(), piece));
                self.place = after;
            }
        }
    }

    /// Hours are billed; then one account has two authorizations, the first of which lapses before it is used up.
    fn told() -> Decider {
        let (deltas, pieces) = (Vec::new(), Vec::new());
        let mut told = Decider { balance: balance(), deltas, pieces, place: None };
        let begins: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let changes =
            PriceBook::default().changes(rating::parse(&prices()).unwrap(), begins).unwrap();
        told.balance.ledger.pass(begins, &mut told.balance.scribe).unwrap();
        told.fact(SettingsChanged { document: SETTINGS.to_owned() });
        told.fact(PricesArrived { changes });
        told.fact(PricesInForce { loads: 1 });
        let fields =
            json!({ "enterprise": "e", "name": "E", "country": "SG", "account_center": true });
        told.ask("open_enterprise", fields);
        for account in 0..ACCOUNTS {
            let fields = json!({ "account": format!("a{account}"), "enterprise": "e", "email": "x@y.example",
                "currency": "USD", "mode": "postpaid" });
            told.ask("open_account", fields);
        }
        let fields = json!({ "billing_account": "ba-a3", "amount": "50", "currency": "USD",
            "method": "bank_transfer" });
        told.ask("top_up", fields);
        let fields = json!({ "account": format!("a{FAR}"), "billing_account": "ba-a3" });
        told.ask("change_payer", fields);
        told.place = Some(Vec::new());
        told.go_on(80, 3);
        // What is too much to be held in little, and of which two are: a quantity, and a charge.
        for (meter, quantity) in [(0, 20_000_000), (0, 6_000_000), (0, 6_000_000), (1, 3_000_000)] {
            told.line(6, meter, told.now().minute(), quantity);
        }
        told.line(6, 1, told.now().minute(), 3_000_000);
        // Another pays for a while. What was used before and after is of one series, which is opened at each turn.
        let before = told.now().minute();
        told.pass(2);
        for payer in ["ba-a4", "ba-a3"] {
            told.ask("change_payer", json!({ "account": "a3", "billing_account": payer }));
            told.pass(2);
        }
        for used in [before, told.now().minute()].repeat(4) {
            told.used(3, 0, used);
        }
        // Of two accounts on one cycle the one that opens it is put back last, as it is not near the others.
        told.pass(60);
        [4, FAR, 3].into_iter().for_each(|account| told.use_some(account, 1));
        for (name, amount) in [("j", "3"), ("k", "3")] {
            let fields = json!({ "account": "a3", "authorization": name, "amount": amount });
            told.ask("authorize", fields);
            told.go_on(45, 1);
        }
        // Usage of an hour that is not billed yet, beside that of the next one: more tabs than are added up at a time.
        told.pass(22);
        let before = told.now().minute();
        told.pass(4);
        for used in [before, told.now().minute()].repeat(4) {
            (0..4).for_each(|meter| told.used(7, meter, used));
        }
        // What is of March goes from the fifteenth of May on, when an account's next series is opened. Of the first one
        // usage waits that came before that day, of the other there is a series of March still.
        let (first, other, third) = (8, 9, 10);
        [first, other, third].into_iter().for_each(|account| told.use_some(account, 0));
        while told.pass_to("2026-05-14T23:58:00Z".parse().unwrap()) {}
        [other, third, first].into_iter().for_each(|account| told.use_some(account, 2));
        told.use_some(first, 2);
        told.pass(3);
        for account in [first, other] {
            [2, 2, 3, 2].into_iter().for_each(|meter| told.use_some(account, meter));
        }
        // Then March is kept once more, for two minutes.
        let document = format!("{SETTINGS}\nusage.max_age = \"50402m\"");
        told.fact(SettingsChanged { document });
        told.use_some(third, 2);
        told.pass(2);
        [3, 2].into_iter().for_each(|meter| told.use_some(third, meter));
        told.step();
        told
    }

    fn pieces(balance: &Balance) -> Vec<String> {
        let mut pieces = Vec::new();
        let mut at = Some(Place::Shared);
        while let Some(place) = at {
            let (piece, after) = balance.ledger.piece(place, 100);
            pieces.push(format!("{piece:?}"));
            at = after;
        }
        pieces
    }

    #[test]
    fn usage_that_waited_for_other_comes_to_the_same() {
        let told = told();
        let expected = pieces(&told.balance);
        let (mut together, mut each) = (balance(), balance());
        told.deltas.iter().for_each(|delta| together.catch_up(delta).unwrap());
        together.restored().unwrap();
        told.deltas.iter().for_each(|delta| each.apply(delta).unwrap());
        let (mut beside, mut applied) = (balance(), told.pieces[0].0);
        for (before, piece) in &told.pieces {
            told.deltas[applied..*before].iter().for_each(|delta| beside.catch_up(delta).unwrap());
            beside.load(piece).unwrap();
            applied = *before;
        }
        beside.loaded().unwrap();
        told.deltas[applied..].iter().for_each(|delta| beside.catch_up(delta).unwrap());
        beside.restored().unwrap();
        assert!(told.place.is_none() && told.pieces.len() > 10 && applied < told.deltas.len());
        assert!(told.balance.ledger.wallets()[3].bills_issued > 1);
        assert_eq!(pieces(&together), expected);
        assert_eq!(pieces(&each), expected);
        assert_eq!(pieces(&beside), expected);
    }
}
