//! What has been decided, told once more: decided again with the same cuts, or taken as decided. For
//! those who restore a ledger and those who check one.

use drawdown_domain::ledger::{Ledger, Used};
use drawdown_domain::time::Timestamp;
use drawdown_runtime::{Input, Output, Station, Stop};

use crate::Balance;
use crate::delta::{self, Part, each_part};
use crate::station::stop;

/// So much waits at most: 16 MB of it.
const WAITING_MAX: usize = 1 << 18;
/// Accounts whose numbers are the same but for so many bits lie in the near caches together.
const NEAR_BITS: u32 = 10;
/// So much is applied together.
const AT_A_TIME: usize = 32;

/// What usage did and waits to be applied with what it did to the same accounts and those beside them. As it comes, each
/// piece of it asks for memory that lies anywhere.
#[derive(Debug, Default)]
struct Waiting {
    /// In the order in which it came, by its accounts.
    near: Vec<Vec<(Timestamp, Used)>>,
    /// Those of `near` that hold any.
    used: Vec<usize>,
    /// All that wait.
    count: usize,
}

impl Waiting {
    fn push(&mut self, at: Timestamp, used: Used) {
        let place = used.account().index() >> NEAR_BITS;
        if place >= self.near.len() {
            self.near.resize_with(place + 1, Vec::new);
        }
        if self.near[place].is_empty() {
            self.used.push(place);
        }
        self.near[place].push((at, used));
        self.count += 1;
    }

    fn is_full(&self) -> bool {
        self.count >= WAITING_MAX
    }

    /// Shows some at a time: what is of an account in the order in which it came. None is left.
    fn show(
        &mut self,
        mut visit: impl FnMut(&[(Timestamp, Used)]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.count = 0;
        for place in self.used.drain(..) {
            self.near[place].chunks(AT_A_TIME).try_for_each(&mut visit)?;
            self.near[place].clear();
        }
        Ok(())
    }
}

impl Balance {
    /// Applies deltas, one after the other; notes whose balance they changed.
    pub(crate) fn take_back(
        &mut self,
        deltas: &mut dyn Iterator<Item = &[u8]>,
    ) -> Result<(), Stop> {
        let mut waiting = Waiting::default();
        for delta in deltas {
            each_part(delta, &mut |part| {
                let used = match part {
                    Part::Accrued(accrued) => Ok(Used::Accrued(accrued)),
                    Part::Fact(fact) => Used::try_from(*fact),
                };
                match used {
                    Ok(used) => {
                        waiting.push(self.ledger.clock().now(), used);
                        if waiting.is_full() { self.take_back_used(&mut waiting) } else { Ok(()) }
                    }
                    Err(fact) => {
                        if !fact.lets_usage_pass() {
                            self.take_back_used(&mut waiting)?;
                        }
                        self.scribe.changed.touch_by(&fact);
                        self.ledger.apply(&fact).map_err(stop)
                    }
                }
            })?;
        }
        self.take_back_used(&mut waiting)
    }

    fn take_back_used(&mut self, waiting: &mut Waiting) -> Result<(), Stop> {
        let (ledger, changed) = (&mut self.ledger, &mut self.scribe.changed);
        waiting.show(|some| {
            ledger.apply_used(some).map_err(stop)?;
            for (_, used) in some {
                if let Used::Accrued(accrued) = used {
                    changed.touch_by_accrual(ledger, accrued);
                }
            }
            Ok(())
        })
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
                Part::Fact(fact) => ledger.take(*fact, scribe).map_err(stop),
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
    use drawdown_domain::time::{Minute, Span};
    use drawdown_wire::signature::Secret;
    use drawdown_wire::topics::{DEFAULT_PLAN, TopicPlan, Topics};
    use serde_json::{Value, json};

    use super::*;
    use crate::BalanceOptions;

    /// Not all near each other.
    const ACCOUNTS: u32 = FAR + 100;
    const FAR: u32 = 1 << NEAR_BITS;
    const PRICES: &str = r#"price = [
        { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "0.01" },
        { product = "p", meter = "n", currency = "USD", model = "per_unit", unit_price = "0.03" },
    ]"#;

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

    /// Decides, and keeps the deltas of its steps.
    struct Decider {
        balance: Balance,
        deltas: Vec<Vec<u8>>,
    }

    impl Decider {
        fn now(&self) -> Timestamp {
            self.balance.ledger.clock().now()
        }

        fn pass(&mut self, minutes: i32) {
            let at = self.now().plus(Span::minutes(minutes));
            let (ledger, scribe) = (&mut self.balance.ledger, &mut self.balance.scribe);
            ledger.pass(at, scribe).unwrap();
            ledger.mark(0, at, scribe).unwrap();
            ledger.fire(100, scribe).unwrap();
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
            let line = Line {
                usage_partition: 0,
                account: AccountNumber(account),
                meter: MeterNumber(meter),
                region: RegionNumber::NONE,
                used,
                quantity: Amount::whole(i64::from(account % FAR) + 1),
                records: 1,
            };
            self.balance.ledger.line(&line, &mut self.balance.scribe).unwrap();
        }

        /// Accounts take turns, and so do the meters; one account uses something all the time.
        fn go_on(&mut self, turns: u32, minutes: i32) {
            for turn in 0..turns {
                self.use_some((turn * 517) % ACCOUNTS, turn % 2);
                self.use_some(3, 0);
                self.pass(minutes);
                if turn % 4 == 0 {
                    self.step();
                }
            }
        }

        fn step(&mut self) {
            let mut delta = Vec::new();
            self.balance.scribe.delta.finish(100, &mut delta);
            self.deltas.push(delta);
        }
    }

    /// Hours are billed; then one account has two authorizations, the first of which lapses before it is used up.
    fn told() -> Decider {
        let mut told = Decider { balance: balance(), deltas: Vec::new() };
        let begins: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let changes = PriceBook::default().changes(rating::parse(PRICES).unwrap(), begins).unwrap();
        told.balance.ledger.pass(begins, &mut told.balance.scribe).unwrap();
        told.fact(SettingsChanged { document: "authorizations.expire_after = \"1h\"".to_owned() });
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
        told.go_on(80, 3);
        // Another pays for a while. What was used before and after is of one series, which is opened at each turn.
        let before = told.now().minute();
        for payer in ["ba-a4", "ba-a3"] {
            told.ask("change_payer", json!({ "account": "a3", "billing_account": payer }));
            told.pass(2);
        }
        for used in [before, told.now().minute()].repeat(4) {
            told.used(3, 0, used);
        }
        for (name, amount) in [("j", "3"), ("k", "3")] {
            let fields = json!({ "account": "a3", "authorization": name, "amount": amount });
            told.ask("authorize", fields);
            told.go_on(45, 1);
        }
        // Of two accounts on one cycle the one that opens it is put back last, as it is not near the others.
        told.pass(60);
        [4, FAR, 3].into_iter().for_each(|account| told.use_some(account, 1));
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
        together.apply_all(&told.deltas).unwrap();
        told.deltas.iter().for_each(|delta| each.apply(delta).unwrap());
        assert!(told.balance.ledger.wallets()[3].bills_issued > 1);
        assert_eq!(pieces(&together), expected);
        assert_eq!(pieces(&each), expected);
    }
}
