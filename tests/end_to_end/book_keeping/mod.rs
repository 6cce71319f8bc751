//! The pipeline beside an independent book-keeper: random histories, valid and invalid, and every
//! verdict, refusal, balance, bill and entry compared.

mod benefits;
mod commands;
mod comparing;
mod enterprises;
mod owners;
mod payments;
mod requests;
mod rights;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bookkeeper::{BookKeeper, Usage, Verdict};
use drawdown::rehearse::{Pipeline, Rows, Stage};
use drawdown_domain::commands::{Command, LoadPrices, LoadSettings};
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_wire::messages::CommandMessage;
use serde_json::{Value, json};

use crate::end_to_end::random::Random;
use world::World;

const PRICES: &str = r#"
price = [
  { product = "compute", meter = "hours", currency = "USD", model = "per_unit", unit_price = "0.004" },
  { product = "compute", meter = "hours", currency = "USD", region = "eu", model = "per_unit", unit_price = "0.0071" },
  { product = "compute", meter = "hours", currency = "JPY", model = "per_unit", unit_price = "0.37" },
  { product = "compute", meter = "calls", currency = "USD", model = "graduated", aggregate = "count", tiers = [{ up_to = "3", unit_price = "0", flat = "1" }, { up_to = "10", unit_price = "0.10" }, { unit_price = "0.05", flat = "2" }] },
  { product = "storage", meter = "gigabytes", currency = "USD", model = "volume", tiers = [{ up_to = "20", unit_price = "0.50" }, { up_to = "100", unit_price = "0.30", flat = "1" }, { unit_price = "0.10" }] },
  { product = "storage", meter = "gigabytes", currency = "JPY", model = "package", package = "10", amount = "7" },
  { product = "support", meter = "seats", currency = "USD", model = "flat", amount = "9.99" },
  { product = "support", meter = "later", currency = "USD", model = "per_unit", unit_price = "1", effective_from = "2026-03-03T00:00:00Z" },
  { product = "support", meter = "later", currency = "USD", model = "per_unit", unit_price = "2", effective_from = "2026-03-09T12:34:56Z" },
]
"#;

#[derive(Clone)]
struct Keyed {
    by: String,
    key: String,
    name: String,
    fields: Value,
}

struct Simulation {
    seed: u64,
    random: Random,
    now: Timestamp,
    world: World,
    pipeline: Pipeline,
    rows: Rows,
    book_keeper: BookKeeper,
    sent: Vec<Usage>,
    script: Vec<String>,
    /// Who asks for what comes next.
    asking: String,
    /// Commands that were given a key, by whom, and that key.
    keyed: Vec<Keyed>,
    /// When credit notes were asked for.
    credited: BTreeSet<String>,
}

impl Simulation {
    fn new(seed: u64, world: impl FnOnce(&mut Random) -> World, stage: &Stage) -> Simulation {
        let mut random = Random(seed);
        let world = world(&mut random);
        let settings = world::some_settings(&mut random);
        let now: Timestamp = "2026-02-26T22:00:00Z".parse().unwrap();
        let mut simulation = Simulation {
            seed,
            random,
            now,
            world,
            pipeline: Pipeline::new(stage, now),
            rows: Rows::default(),
            book_keeper: BookKeeper::new(&settings, PRICES).unwrap(),
            sent: Vec::new(),
            script: vec![settings.clone()],
            asking: "operator".to_owned(),
            keyed: Vec::new(),
            credited: BTreeSet::new(),
        };
        simulation.pipeline.advance(now).unwrap();
        simulation.prepare(LoadSettings { document: settings }.into());
        simulation.prepare(LoadPrices { document: PRICES.to_owned() }.into());
        simulation.open();
        simulation
    }

    fn prepare(&mut self, command: Command) {
        let message =
            CommandMessage { principal: PrincipalId::operator(), key: None, origin: None, command };
        let number = self.pipeline.command(self.now, message).unwrap();
        assert_eq!(self.rows.outcome(number, &self.pipeline).unwrap().refused, None);
    }

    fn fail(&self, what: &str) -> ! {
        let script = self.script.join("\n");
        panic!("seed {}: {what}\n{script}", self.seed);
    }

    fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, found: T, expected: T) {
        if found != expected {
            self.fail(&format!(
                "{what}: the pipeline says {found:?}, the book-keeper {expected:?}"
            ));
        }
    }

    /// Asks both, and says whether it was accepted.
    fn command(&mut self, name: &str, fields: Value) -> bool {
        let key = self.random.one_in(12).then(|| format!("key-{}", self.keyed.len()));
        if let Some(key) = &key {
            let (by, name, fields) = (self.asking.clone(), name.to_owned(), fields.clone());
            self.keyed.push(Keyed { by, key: key.clone(), name, fields });
        }
        self.command_under(key.as_deref(), name, fields)
    }

    /// The same command once more, or another one under its key.
    fn repeat(&mut self) {
        if self.keyed.is_empty() {
            return;
        }
        let Keyed { by, key, .. } = self.random.pick(&self.keyed).clone();
        let same = !self.random.one_in(4);
        let of = self.keyed.iter().find(|known| same && known.key == key);
        let of = of.cloned().unwrap_or_else(|| self.random.pick(&self.keyed).clone());
        self.asking = by;
        self.command_under(Some(&key), &of.name, of.fields);
    }

    fn command_under(&mut self, key: Option<&str>, name: &str, fields: Value) -> bool {
        self.command_of_both(key, name, fields.clone(), &fields)
    }

    /// A command whose fields the book-keeper knows by names of its own.
    fn command_of_both(
        &mut self,
        key: Option<&str>,
        name: &str,
        fields: Value,
        of_book_keeper: &Value,
    ) -> bool {
        let (now, by) = (self.now, self.asking.clone());
        self.script.push(format!("{now} {by}: {name} {fields} {}", key.unwrap_or_default()));
        let command = Command::read(name, fields).unwrap();
        // What cannot be read as a command at all is none, and takes no key.
        let key = key.filter(|_| command.is_ok());
        let at = self.now.as_micros();
        let expected = self.book_keeper.command(at, &by, key, name, of_book_keeper).err();
        let found = match command {
            Err(_) => Some("malformed".to_owned()),
            Ok(mut command) => {
                let principal: PrincipalId = by.parse().unwrap();
                if let Command::CreateKey(command) = &mut command {
                    let line = self.script.len().to_string();
                    self.pipeline.make_key(command, &principal, key.unwrap_or(&line));
                }
                let message = CommandMessage {
                    principal,
                    key: key.map(|key| key.parse().unwrap()),
                    origin: None,
                    command,
                };
                let number = self.pipeline.command(self.now, message).unwrap();
                let outcome = self.rows.outcome(number, &self.pipeline).unwrap();
                outcome.refused.map(|refusal| refusal.code().to_owned())
            }
        };
        let accepted = found.is_none();
        let codes = || [&found, &expected].into_iter().flatten().map(String::as_str);
        let lacks_right = by != "operator"
            && codes().any(|it| ["not_permitted", "over_role_limit"].contains(&it));
        // Two of the accounts that are named may each be wrong in its way.
        let of_accounts =
            codes().all(|it| ["account_closed", "different_enterprise"].contains(&it));
        if lacks_right || of_accounts || rights::OF_RIGHTS.contains(&name) {
            // In which order these are judged the rules do not say.
            self.same(name, accepted, expected.is_none());
        } else {
            self.same(name, found, expected);
        }
        accepted
    }

    fn usage(&mut self, usage: Usage) {
        self.script.push(format!("{} {usage:?}", self.now));
        let expected = match self.book_keeper.usage(self.now.as_micros(), &usage) {
            Verdict::Counted | Verdict::Duplicate => None,
            Verdict::Rejected(reason) => Some(reason.to_owned()),
        };
        let before = self.rows.rejects(&self.pipeline).unwrap();
        let time = Timestamp::from_micros(usage.time).to_string();
        let mut record = json!({ "source": usage.source, "id": usage.id, "account": usage.account,
            "product": usage.product, "meter": usage.meter, "quantity": usage.quantity, "time": time, "tags": usage.tags });
        if let Some(region) = &usage.region {
            record["region"] = json!(region);
        }
        self.pipeline.usage(self.now, &usage.account, record.to_string().as_bytes()).unwrap();
        let found = self.rows.rejected(before, &self.pipeline).unwrap().map(str::to_owned);
        self.same("usage", found, expected);
        self.sent.push(usage);
    }

    fn step(&mut self) {
        let pause = self.world.pace.pause(&mut self.random);
        let micros =
            if self.random.one_in(4) { 0 } else { self.random.below(1_000) as i64 * 1_000 };
        self.now = self.now.plus(Span::micros(pause as i64 * 1_000_000 + micros));
        self.pipeline.advance(self.now).unwrap();
        self.book_keeper.pass(self.now.as_micros());
        match self.random.below(10) {
            0..=5 => {
                let usage = self.some_usage();
                self.usage(usage);
            }
            6 if !self.sent.is_empty() => self.void(),
            _ => {
                self.asking = self.somebody();
                self.some_command();
                self.asking = "operator".to_owned();
            }
        }
        let watched = self.world.watched(&mut self.random);
        self.compare_balances(&watched);
        self.compare_services(&watched);
        self.pipeline.between_steps().unwrap_or_else(|error| self.fail(&error.to_string()));
    }

    /// Takes some record back: one that was counted, one that was not, or one that was taken back before. By when
    /// those that are too old are forgotten the book-keeper, who forgets nothing, cannot say.
    fn void(&mut self) {
        let Usage { account, source, id, time, .. } = self.random.pick(&self.sent).clone();
        if self.now.since(Timestamp::from_micros(time)) <= Span::days(42) {
            let fields = json!({ "account": account, "source": source, "id": id });
            self.command("void_usage", fields);
        }
    }

    fn some_usage(&mut self) -> Usage {
        if !self.sent.is_empty() && self.random.one_in(10) {
            let mut again = self.random.pick(&self.sent).clone();
            if self.random.one_in(3) {
                again.quantity.push('7');
            }
            return again;
        }
        let account = self.account();
        let meters = [
            ("compute", "hours"),
            ("compute", "calls"),
            ("storage", "gigabytes"),
            ("support", "seats"),
            ("support", "later"),
            ("storage", "nothing"),
        ];
        let (product, meter) = *self.random.pick(&meters);
        let quantity = *self.random.pick(&[
            "0",
            "1",
            "2.5",
            "0.3",
            "12",
            "40",
            "0.000000000001",
            "333.333333333333",
            "-1",
        ]);
        let age = match self.random.below(20) {
            0 => -(self.random.below(600) as i64),
            1 => self.random.below(40 * 86_400) as i64,
            2..=4 => self.random.below(2 * 86_400) as i64,
            5..=8 => self.random.below(5_400) as i64,
            _ => self.random.below(60) as i64,
        };
        let region = match self.random.below(4) {
            0 => Some("eu".to_owned()),
            1 => Some("us".to_owned()),
            _ => None,
        };
        Usage {
            source: "s".to_owned(),
            id: format!("u{}", self.sent.len()),
            account,
            product: product.to_owned(),
            meter: meter.to_owned(),
            quantity: quantity.to_owned(),
            time: self.now.as_micros() - age * 1_000_000,
            region,
            unit: None,
            tags: BTreeMap::new(),
        }
    }
}

fn simulate(seed: u64, world: impl FnOnce(&mut Random) -> World, steps: usize, stage: &Stage) {
    let mut simulation = Simulation::new(seed, world, stage);
    for _ in 0..steps {
        simulation.step();
    }
    simulation.compare_lists_of_all();
    simulation.book_keeper.check().unwrap();
    let report = simulation.pipeline.audit().unwrap();
    if report.differences() > 0 {
        simulation.fail(&report.to_string());
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// So many histories after each other go by before the number of those that are over is shown.
const SHOWN_EVERY: u64 = 500;

/// Histories side by side, each a seed: FIRST_SEED and SEEDS in the environment say which. One that differs does not
/// keep the others from being told.
fn simulate_all(first: u64, seeds: u64, run: impl Fn(u64) + Sync) {
    let first = from_environment("FIRST_SEED", first);
    let until = first + from_environment("SEEDS", seeds);
    let (next, began) = (AtomicU64::new(first), Instant::now());
    let differing = Mutex::new(Vec::new());
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= until {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
                        differing.lock().unwrap().push(seed);
                    }
                    let over = seed + 1 - first;
                    if over.is_multiple_of(SHOWN_EVERY) {
                        println!("{over} histories, {:.0} s", began.elapsed().as_secs_f64());
                    }
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    let differing = differing.into_inner().unwrap();
    println!(
        "{} histories from seed {first} on, {} differences, {seconds:.0} s",
        until - first,
        differing.len()
    );
    assert!(differing.is_empty(), "the histories of these seeds differ: {differing:?}");
}

/// R1.1 to R5.8, R6.1 to R6.7, R7.1 to R7.7, R8.1 to R8.5 and R8.8, R9.1 to R9.4, R9.7, R9.8, R10.1 to R10.4, R11.3,
/// R11.5 and R12.1 to R12.5 (reverse charge and credit notes by command apart): whatever happens, the pipeline's books are
/// the book-keeper's, and people are told the same.
#[test]
fn random_histories_agree_with_the_book_keeper() {
    simulate_all(1, 100, |seed| simulate(seed, World::some, 150, &Stage::memory().unwrap()));
}

/// The same, with every consumer restarted after every step.
#[test]
fn random_histories_agree_with_the_book_keeper_through_restarts() {
    simulate_all(10_001, 20, |seed| {
        simulate(seed, World::some, 100, &Stage { restarts: true, ..Stage::memory().unwrap() });
    });
}

/// The same over three months, with thousands of accounts.
#[test]
#[ignore = "takes half a minute: part of `make simulate`"]
fn large_random_histories_agree_with_the_book_keeper() {
    simulate_all(1, 5, |seed| {
        // A step takes four fifths of this in the mean, and there are two thousand.
        let mean_secs = 4_700;
        simulate(seed, |_| World::large(5_000, mean_secs), 2_000, &Stage::memory().unwrap());
    });
}
