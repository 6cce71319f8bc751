//! Records that are taken back (R2.5), wherever they stand, and audits of that when they stand there no more.

use drawdown::audit::{Figure, Report};
use drawdown::rehearse::{Pipeline, Stage};
use drawdown_domain::commands::{Command, LoadPrices};
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::money::Amount;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::Next;
use drawdown_wire::avro;
use drawdown_wire::messages::{Charges, CommandMessage, Outcomes, Tick, UsageControl};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas;
use drawdown_wire::state::{MeteringDelta, MeteringFact, RecordReread};
use drawdown_wire::topics::Topic;
use drawdown_wire::usage::{NewUsage, packed_message, put_record};
use serde_json::{Value, json};

use super::names;
use super::tamper::{Change, History};

const PRICES: &str = r#"
price = [
  { product = "p", meter = "sum", currency = "USD", model = "graduated", tiers = [{ up_to = "3", unit_price = "2" }, { unit_price = "0.5" }] },
  { product = "p", meter = "last", currency = "USD", aggregate = "last", model = "per_unit", unit_price = "1" },
]
"#;
const ACCOUNT: &str = "a";

/// What was charged, by month of use.
type Months = Vec<(String, Amount)>;
/// Offsets of messages, and places in them.
type Places = Vec<(i64, u32)>;

struct Site {
    stage: Stage,
    pipeline: Pipeline,
    now: Timestamp,
}

impl Site {
    fn open(stage: Stage, now: &str) -> Site {
        let now: Timestamp = now.parse().unwrap();
        let mut site = Site { pipeline: Pipeline::new(&stage, now), stage, now };
        site.pipeline.advance(now).unwrap();
        site.ask(LoadPrices { document: PRICES.to_owned() }.into());
        site.command("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "SG" }));
        site.command("open_account", json!({ "account": ACCOUNT, "enterprise": "e", "email": "x@y.example", "currency": "USD", "mode": "postpaid" }));
        site
    }

    fn ask(&mut self, command: Command) -> u64 {
        let message =
            CommandMessage { principal: PrincipalId::operator(), key: None, origin: None, command };
        self.pipeline.command(self.now, message).unwrap()
    }

    fn command(&mut self, name: &str, fields: Value) -> u64 {
        self.ask(Command::read(name, fields).unwrap().unwrap())
    }

    /// The code with which it is refused; nothing if it is not.
    fn void(&mut self, id: &str) -> &'static str {
        let number =
            self.command("void_usage", json!({ "account": ACCOUNT, "source": "s", "id": id }));
        let mut refused = None;
        self.each(Topic::Outcomes, &mut |message| {
            let Outcomes { outcomes, .. } = schemas::OUTCOMES.read(message).unwrap();
            let asked = outcomes.into_iter().find(|outcome| outcome.command == number);
            refused = asked
                .map(|outcome| outcome.refused.map_or("", |refusal| refusal.code()))
                .or(refused);
        });
        refused.expect("it is answered")
    }

    fn packed(ids: &[&str], meter: &str, time: Timestamp) -> Vec<u8> {
        let mut records = Vec::new();
        for id in ids {
            let quantity = Amount::whole(5);
            let record = NewUsage {
                source: "s",
                id,
                account: ACCOUNT,
                product: "p",
                meter,
                quantity,
                time,
                region: None,
                unit: None,
                tags: &[],
            };
            put_record(&mut records, &record);
        }
        packed_message(ids.len(), &records)
    }

    /// Where usage of the account belongs.
    fn home(&self) -> u32 {
        partition_of(ACCOUNT.as_bytes(), self.stage.topics.usage_partitions)
    }

    fn append(&mut self, partition: u32, at: Timestamp, message: &[u8]) {
        self.stage.log.append(Topic::Usage.name(), partition, at, &[message]).unwrap();
        self.pipeline.settle().unwrap();
    }

    fn pass(&mut self, minutes: i32) {
        self.now = self.now.plus(Span::minutes(minutes));
        self.pipeline.advance(self.now).unwrap();
    }

    fn each(&self, topic: Topic, visit: &mut dyn FnMut(&[u8])) {
        for partition in 0..Stage::plan().unwrap().partitions(topic) {
            let scan = self.stage.log.scan(
                topic.name(),
                partition,
                Next::START,
                Next(i64::MAX),
                &mut |message| {
                    visit(message.value);
                    true
                },
            );
            scan.unwrap();
        }
    }

    /// What each month of use has cost, and the places of records that charges take back.
    fn charged(&self) -> (Months, Places) {
        let (mut months, mut voids) =
            (std::collections::BTreeMap::<String, Amount>::new(), Vec::new());
        self.each(Topic::Charges, &mut |message| {
            let charges: Charges = schemas::CHARGES.read(message).unwrap();
            voids.extend(charges.voids.map(|index| (charges.first_offset, index)));
            for row in charges.rows() {
                let month = row.used.to_string()[..7].to_owned();
                let sum = months.entry(month).or_default();
                *sum = sum.plus(row.charge).unwrap();
                assert_eq!(row.records.is_negative(), charges.voids.is_some());
            }
        });
        (months.into_iter().collect(), voids)
    }

    fn audited(&self) -> Report {
        let report = self.pipeline.audit().unwrap();
        assert_eq!(report.differences(), 0, "{report}");
        report
    }
}

/// R2.5: in the middle of a message, passed on from where it did not belong, ahead of the clock of the log while the
/// partition's time is ahead of both: it is taken back from where it was counted.
#[test]
fn r2_5_a_record_is_found_wherever_it_stands() {
    let mut site =
        Site::open(Stage { restarts: true, ..Stage::memory().unwrap() }, "2026-03-31T23:58:00Z");
    let home = site.home();
    site.append(home, site.now, &Site::packed(&["u1", "u2", "u3"], "sum", site.now));
    site.append(1 - home, site.now, &Site::packed(&["v1", "v2"], "sum", site.now));
    // A tick of April, and a message that the log had taken in March, of records that say to be of April.
    let at: Timestamp = "2026-04-01T00:00:30Z".parse().unwrap();
    let tick = schemas::USAGE_CONTROL.message(&UsageControl::Tick(Tick { at }));
    let tick = site.pipeline.installation().secret.sign(Topic::Usage.name(), tick);
    site.append(home, at, &tick);
    let (before, ahead) = ("2026-03-31T23:59:59Z", "2026-04-01T00:02:00Z");
    for meter in ["sum", "last"] {
        let id = format!("ahead-{meter}");
        let message = Site::packed(&[&id], meter, ahead.parse().unwrap());
        site.append(home, before.parse().unwrap(), &message);
    }
    site.now = at;
    site.pipeline.advance(at).unwrap();
    // Seven records of one month: 3 at 2, and 27 at 0.50; and the last one's 5.
    assert_eq!(site.charged().0, [("2026-03".to_owned(), "24.5".parse().unwrap())]);
    for id in ["u2", "v2", "ahead-sum", "ahead-last", "u1", "v1"] {
        site.pass(20);
        site.pipeline.between_steps().unwrap();
        assert_eq!(site.void(id), "", "{id}");
        assert_eq!(site.void(id), "already_exists", "{id}");
    }
    let (months, voids) = site.charged();
    assert_eq!(months, [("2026-03".to_owned(), Amount::whole(7))], "u3 by itself");
    assert_eq!(voids.len(), 6);
    // What was passed on has a message of its own.
    assert_eq!(voids.iter().filter(|(_, index)| *index == 1).count(), 1, "u2: {voids:?}");
    site.audited();
}

/// R2.5: what was decided is decided again also when the record is kept no longer; and one that is kept no longer
/// cannot be taken back.
#[test]
fn r2_5_a_void_is_audited_when_its_record_is_gone() {
    let mut site = Site::open(Stage::memory().unwrap(), "2026-03-01T00:00:00Z");
    let home = site.home();
    for id in ["u1", "u2", "u3"] {
        site.append(home, site.now, &Site::packed(&[id], "sum", site.now));
    }
    site.pass(90);
    let end = site.stage.log.bounds(Topic::Usage.name(), home).unwrap().end;
    assert_eq!(site.void("u2"), "");
    assert_eq!(site.audited().figure(Figure::MeteringInputGone), 0);
    site.stage.log.truncate(Topic::Usage.name(), home, end).unwrap();
    let report = site.audited();
    assert!(report.figure(Figure::MeteringInputGone) > 0, "{report}");
    assert!(report.figure(Figure::MeteringSteps) > 0, "{report}");
    site.pass(90);
    assert_eq!(site.void("u3"), "too_old");
    assert_eq!(site.void("u2"), "already_exists");
    site.pass(90);
    site.audited();
}

/// R2.5: what a step says that it had read again is held against the record, as long as that is kept.
#[test]
fn r2_5_what_was_read_again_otherwise_is_found() {
    let history = History::told();
    let mut changed = 0;
    let frames = history.frames(Topic::MeteringState, &mut |_, _, frame| {
        let Ok(MeteringDelta { facts }) = schemas::METERING_DELTA.read(&frame.payload.0) else {
            return;
        };
        let arrived = facts.iter().find_map(|fact| match fact {
            MeteringFact::RecordReread(RecordReread { record }) => Some(record.as_ref()?.arrived),
            _ => None,
        });
        let Some(arrived) = arrived else { return };
        // As if it had come a microsecond later.
        let [was, is] = [0, 1].map(|later| {
            let mut bytes = Vec::new();
            avro::put_long(&mut bytes, arrived.as_micros() + later);
            bytes
        });
        let payload = &mut frame.payload.0;
        let at = payload.windows(was.len()).position(|bytes| bytes == was).unwrap();
        payload.splice(at..at + was.len(), is);
        changed += 1;
    });
    assert_eq!(changed, 1);
    let report = history.audit_with(&mut |topic, partition, offset, _| match topic {
        Topic::MeteringState => Change::To(frames[&(partition, offset)].clone()),
        _ => Change::Keep,
    });
    names(&report, "metering_state ", &["step", "decided again another one"]);
}
