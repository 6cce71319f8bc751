//! The books after the storm against those of the book-keeper, who reads the same log.

use std::collections::BTreeMap;
use std::fmt;

use bookkeeper::{BookKeeper, Usage, Verdict};
use drawdown::audit;
use drawdown_domain::money::Amount;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Bounds, Message, Next};
use drawdown_wire::avro;
use drawdown_wire::messages::{
    Bills, Charges, CommandMessage, Entries, Outcomes, Rejects, UsageControl, VoidAsked,
};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use drawdown_wire::usage::{each_record, tags_of};
use serde_json::json;

use super::load::Sent;
use super::site::{PRICES, Site};

/// What was compared, and what differs.
#[derive(Debug, Default)]
pub struct Books {
    sent: Sent,
    counted: u64,
    voided: u64,
    duplicates: u64,
    rejected: BTreeMap<String, u64>,
    bills: usize,
    entries: usize,
    pub differences: Vec<String>,
}

impl Books {
    /// Records that are billed.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// Records that were billed, and were taken back.
    pub fn voided(&self) -> u64 {
        self.voided
    }

    /// All that could be read as a record.
    pub fn records_on_the_log(&self) -> u64 {
        self.counted + self.duplicates + self.rejected.values().sum::<u64>()
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sent { records, repeats, late, broken, voids } = self.sent;
        writeln!(f, "records sent: {records} ({repeats} repeats, {late} late, {broken} broken)")?;
        writeln!(
            f,
            "counted: {}, taken back: {} of {voids}, duplicates dropped: {}, rejected: {:?}",
            self.counted, self.voided, self.duplicates, self.rejected
        )?;
        write!(
            f,
            "bills: {}, entries: {}, differences: {}",
            self.bills,
            self.entries,
            self.differences.len()
        )
    }
}

/// The book-keeper knows no payment methods, so accounts that have some, and their enterprise, are none of his
/// business: their names begin with this.
pub const NOT_KEPT: &str = "outside";

fn is_kept(account: &str) -> bool {
    !account.trim_start_matches("ba-").starts_with(NOT_KEPT)
}

/// Whether the book-keeper can be told of a command.
fn is_for_the_keeper(name: &str, fields: &serde_json::Value) -> bool {
    let about = ["enterprise", "account", "billing_account"].map(|field| fields[field].as_str());
    !matches!(name, "load_prices" | "load_settings") && about.into_iter().flatten().all(is_kept)
}

/// The command whose answer metering has.
const VOID: &str = "void_usage";

/// Something that happened, in the order in which the pipeline took it.
enum Happened {
    Asked(String, serde_json::Value),
    Used(Usage),
}

pub fn compare(site: &Site, sent: &Sent) -> Books {
    let mut books = Books { sent: *sent, ..Books::default() };
    let mut happened = usage(site, &mut books);
    happened.extend(commands(site));
    happened.sort_by_key(|(at, order, _)| (*at, *order));
    let mut keeper = BookKeeper::new("", PRICES).unwrap();
    let mut expected_rejects = BTreeMap::<String, u64>::new();
    let mut last = Timestamp::START;
    for (at, _, what) in happened {
        last = last.max(at);
        match what {
            Happened::Asked(name, fields) if is_for_the_keeper(&name, &fields) => {
                let decided = keeper.command(at.as_micros(), "operator", None, &name, &fields);
                assert_eq!(decided, Ok(()), "{at} {name} {fields}");
                books.voided += u64::from(name == VOID);
            }
            Happened::Asked(..) => {}
            Happened::Used(usage) => match keeper.usage(at.as_micros(), &usage) {
                Verdict::Counted => books.counted += 1,
                Verdict::Duplicate => books.duplicates += 1,
                Verdict::Rejected(reason) => {
                    *expected_rejects.entry(reason.to_owned()).or_default() += 1
                }
            },
        }
    }
    keeper.pass(last.plus(Span::minutes(180)).as_micros());
    if let Err(error) = keeper.check() {
        books.differences.push(format!("the book-keeper does not balance: {error}"));
    }
    books.differences.extend(undecided(site));
    compare_rejects(site, &mut books, expected_rejects);
    compare_charges(site, &mut books, &keeper);
    compare_bills(site, &mut books, &keeper);
    compare_cash(site, &mut books, &keeper);
    let installation = site.setup.installation(site.log.clone()).unwrap();
    let report = audit::audit(&installation, &|_, _, _| ()).unwrap();
    println!("{report}");
    books.differences.extend(report.found().iter().map(|found| format!("audit: {found}")));
    assert_eq!(report.differences() > 0, !report.found().is_empty());
    books
}

/// The partitions whose readers wait, though no worker is at work any more that could end a commit.
fn undecided(site: &Site) -> Vec<String> {
    let mut found = Vec::new();
    for topic in Topic::ALL {
        let topic = site.setup.topics.name(*topic);
        for partition in 0..site.log.partitions(topic).unwrap() {
            let Bounds { stable, end, .. } = site.log.bounds(topic, partition).unwrap();
            if stable < end {
                found.push(format!(
                    "{topic} {partition} is undecided from {} to {}",
                    stable.0, end.0
                ));
            }
        }
    }
    found
}

fn each(site: &Site, topic: Topic, visit: &mut dyn FnMut(Message<'_>)) {
    let name = site.setup.topics.name(topic);
    for partition in 0..site.setup.plan.partitions(topic) {
        let scanned = site.log.scan(name, partition, Next::START, Next(i64::MAX), &mut |message| {
            visit(message);
            true
        });
        scanned.unwrap();
    }
}

pub fn decoded<T: serde::de::DeserializeOwned>(message: &Message<'_>) -> T {
    let (_, value) = avro::split_header(message.value).unwrap();
    avro::decode(value).unwrap()
}

/// Usage in the order in which its partition took it, each with the time that the partition had.
fn usage(site: &Site, books: &mut Books) -> Vec<(Timestamp, u64, Happened)> {
    let (secret, topic) = (site.setup.secret().unwrap(), site.setup.topics.name(Topic::Usage));
    let partitions = site.setup.topics.usage_partitions;
    let mut times = BTreeMap::<u32, Timestamp>::new();
    let mut happened = Vec::new();
    each(site, Topic::Usage, &mut |message| {
        let now = times.entry(message.partition).or_insert(Timestamp::START);
        let mut take = |value: &[u8], at: Timestamp| {
            *now = at.max(*now);
            each_record(value, |_, record| match record.usage() {
                Err(_) => *books.rejected.entry("malformed".to_owned()).or_default() += 1,
                Ok(record) => {
                    let is_here =
                        partition_of(record.account.as_bytes(), partitions) == message.partition;
                    if !is_here || !is_kept(record.account) {
                        return;
                    }
                    let tags = tags_of(&record).unwrap();
                    let owned = |text: &str| text.to_owned();
                    let order = happened.len() as u64 + 1_000_000;
                    happened.push((
                        *now,
                        order,
                        Happened::Used(Usage {
                            source: owned(record.source),
                            id: owned(record.id),
                            account: owned(record.account),
                            product: owned(record.product),
                            meter: owned(record.meter),
                            quantity: record.quantity.to_string(),
                            time: record.time.as_micros(),
                            region: record.region.map(owned),
                            unit: record.unit.map(owned),
                            tags: tags
                                .iter()
                                .map(|(key, value)| (owned(key), owned(value)))
                                .collect(),
                        }),
                    ));
                }
            });
        };
        match secret.open(topic, message.value) {
            None => take(message.value, message.at),
            Some(payload) => match schemas::USAGE_CONTROL.read(&payload.unwrap()).unwrap() {
                UsageControl::PassedOn(passed) => take(&passed.message.0, passed.at),
                UsageControl::Tick(tick) => *now = tick.at.max(*now),
                UsageControl::AccountRouted(routed) => *now = routed.at.max(*now),
                UsageControl::AccountShut(shut) => *now = shut.at.max(*now),
                UsageControl::Catalogue(catalogue) => *now = catalogue.at.max(*now),
                UsageControl::SettingsInForce(settings) => *now = settings.at.max(*now),
                UsageControl::VoidAsked(void) => {
                    *now = void.at.max(*now);
                    let order = happened.len() as u64 + 1_000_000;
                    let VoidAsked { account, source, id, .. } = void;
                    let fields = json!({ "account": account, "source": source, "id": id });
                    happened.push((*now, order, Happened::Asked(VOID.to_owned(), fields)));
                }
            },
        }
    });
    happened
}

/// Commands at the time at which they were decided.
fn commands(site: &Site) -> Vec<(Timestamp, u64, Happened)> {
    let mut decided = BTreeMap::new();
    each(site, Topic::Outcomes, &mut |message| {
        for outcome in decoded::<Outcomes>(&message).outcomes {
            assert!(
                decided.insert(outcome.command, outcome).is_none(),
                "a command has two outcomes"
            );
        }
    });
    let secret = site.setup.secret().unwrap();
    let (mut happened, mut last) = (Vec::new(), Timestamp::START);
    each(site, Topic::Commands, &mut |message| {
        if secret.open(site.setup.topics.name(Topic::Commands), message.value).is_some() {
            return;
        }
        let asked: CommandMessage = decoded(&message);
        let number = message.offset.0 as u64;
        let outcome = decided.remove(&number).expect("a command without an outcome");
        assert_eq!(outcome.refused, None);
        let name = asked.command.name().to_owned();
        let mut fields = serde_json::to_value(&asked.command).unwrap()[&name].take();
        fields.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        // Ledgers tell times of their own; the registry's order is that of the commands.
        last = last.max(outcome.at);
        // What is taken back is so in the order of usage.
        if name != VOID {
            happened.push((last, number, Happened::Asked(name, fields)));
        }
    });
    happened
}

impl Books {
    fn same<T: PartialEq + fmt::Debug>(&mut self, what: impl fmt::Display, found: T, expected: T) {
        if found != expected {
            self.differences.push(format!("{what}: found {found:?}, expected {expected:?}"));
        }
    }
}

fn compare_rejects(site: &Site, books: &mut Books, mut expected: BTreeMap<String, u64>) {
    for (reason, count) in std::mem::take(&mut books.rejected) {
        *expected.entry(reason).or_default() += count;
    }
    each(site, Topic::Rejects, &mut |message| {
        for reject in decoded::<Rejects>(&message).rejects {
            *books.rejected.entry(reject.reason.code().to_owned()).or_default() += 1;
        }
    });
    let found = books.rejected.clone();
    books.same("rejects", found, expected);
}

fn compare_charges(site: &Site, books: &mut Books, keeper: &BookKeeper) {
    let (mut records, mut charged) = (0, BTreeMap::<String, Amount>::new());
    each(site, Topic::Charges, &mut |message| {
        for charge in decoded::<Charges>(&message).rows() {
            if !is_kept(charge.account.as_str()) {
                continue;
            }
            records += charge.records;
            let total = charged.entry(charge.account.to_string()).or_default();
            *total = total.plus(charge.charge).unwrap();
        }
    });
    let counted = books.counted - books.voided;
    books.same("records counted", u64::try_from(records), Ok(counted));
    let (voided, asked) = (books.voided, books.sent.voids);
    books.same("records taken back", voided, asked);
    for (account, expected) in keeper.charges_total() {
        let found = charged.remove(&account).unwrap_or_default();
        books.same(format!("charges of {account}"), found, expected.parse().unwrap());
    }
    let left: Vec<_> = charged.into_iter().collect();
    books.same("charges of others", left, Vec::new());
}

fn compare_bills(site: &Site, books: &mut Books, keeper: &BookKeeper) {
    let mut issued = BTreeMap::new();
    let mut paid = BTreeMap::<String, Amount>::new();
    each(site, Topic::Bills, &mut |message| {
        let bills: Bills = decoded(&message);
        for bill in bills.issued {
            if issued.insert(bill.bill.clone(), bill).is_some() {
                books.differences.push("a bill was issued twice".to_owned());
            }
        }
        for payment in bills.payments {
            let total = paid.entry(payment.bill).or_default();
            *total = total.plus(payment.amount).unwrap();
        }
    });
    books.bills = issued.len();
    let mut found: Vec<String> = issued
        .values()
        .filter(|bill| is_kept(bill.account.as_str()))
        .map(|bill| {
            let product = bill.product.as_ref().map(ToString::to_string).unwrap_or_default();
            let paid = paid.get(&bill.bill).copied().unwrap_or_default();
            format!(
                "{} {} {product} {} {} {} {paid}",
                bill.billing_account, bill.account, bill.month, bill.cycle_end, bill.amount
            )
        })
        .collect();
    let number = |text: &str| text.parse::<Amount>().unwrap();
    let mut expected: Vec<String> = keeper
        .bills()
        .iter()
        .map(|bill| {
            let cycle_end = Timestamp::from_micros(bill.cycle_end);
            format!(
                "{} {} {} {} {cycle_end} {} {}",
                bill.billing_account,
                bill.account,
                bill.product,
                bill.month,
                number(&bill.amount),
                number(&bill.paid)
            )
        })
        .collect();
    found.sort();
    expected.sort();
    for missing in expected.iter().filter(|bill| found.binary_search(bill).is_err()).take(10) {
        books.differences.push(format!("missing bill {missing}"));
    }
    for extra in found.iter().filter(|bill| expected.binary_search(bill).is_err()).take(10) {
        books.differences.push(format!("unexpected bill {extra}"));
    }
}

fn compare_cash(site: &Site, books: &mut Books, keeper: &BookKeeper) {
    let mut cash = BTreeMap::<String, Amount>::new();
    let mut numbers = BTreeMap::<String, u64>::new();
    each(site, Topic::Entries, &mut |message| {
        for entry in decoded::<Entries>(&message).entries {
            books.entries += 1;
            let wallet = entry.billing_account.to_string();
            let number = numbers.entry(wallet.clone()).or_default();
            if entry.number != *number + 1 {
                books
                    .differences
                    .push(format!("entry {} of {wallet} follows {number}", entry.number));
            }
            *number = entry.number;
            let total = cash.entry(wallet.clone()).or_default();
            *total = total.plus(entry.amount).unwrap();
            if entry.after != *total {
                books.differences.push(format!(
                    "entry {} of {wallet} ends at {}, its sum is {total}",
                    entry.number, entry.after
                ));
            }
        }
    });
    for (wallet, found) in cash.into_iter().filter(|(wallet, _)| is_kept(wallet)) {
        let expected = keeper.balance(&wallet).unwrap()["cash"].parse().unwrap();
        books.same(format!("cash of {wallet}"), found, expected);
    }
}
