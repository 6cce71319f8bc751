//! A log that has lived longer than its input is kept: audits begin with the oldest snapshot that is
//! kept, workers with the newest.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use drawdown::audit::{Figure, audit};
use drawdown::rehearse::{Pipeline, Stage};
use drawdown_domain::commands::{Command, LoadPrices, LoadSettings};
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::{Log, Next};
use drawdown_wire::messages::CommandMessage;
use drawdown_wire::schemas;
use drawdown_wire::state::{Frame, FrameKind};
use drawdown_wire::topics::{Topic, TopicPlan, Topics};
use serde_json::json;
use tempfile::TempDir;

const PRICES: &str = r#"
price = [
  { product = "compute", meter = "hours", currency = "USD", model = "per_unit", unit_price = "0.333" },
]
"#;
/// Identities are of use for two days and four hours at most then.
const SETTINGS: &str = "usage.max_age = \"3h\"\nrejects.replay_for = \"1h\"\n";
const HOURS: i32 = 84;
/// Something happens so often.
const HOURS_APART: i32 = 2;
const KEPT_HOURS: i32 = 18;
const IDENTITIES_KEPT_FOR: Span = Span::minutes(62 * 60);

/// Input is kept for some hours.
fn plan() -> TopicPlan {
    let mut plan = Stage::plan().unwrap();
    let inputs = [Topic::Usage, Topic::Commands, Topic::Ledger];
    let kept = inputs.map(|topic| (topic, KEPT_HOURS * 60));
    for (topic, minutes) in kept {
        plan.topics.get_mut(topic.name()).unwrap().keep = Some(Span::minutes(minutes));
    }
    plan
}

struct LongLived {
    folder: TempDir,
    now: Arc<AtomicI64>,
}

impl LongLived {
    fn log(&self) -> Embedded {
        let plan = plan();
        let topics = Topic::ALL.iter().map(|topic| embedded::Topic {
            name: topic.name().to_owned(),
            partitions: plan.partitions(*topic),
            keep: plan.settings(*topic).and_then(|settings| settings.keep),
        });
        let now = self.now.clone();
        let clock = Arc::new(move || Timestamp::from_micros(now.load(Ordering::Relaxed)));
        Embedded::open(EmbeddedConfig {
            segment_span_max: Span::minutes(60),
            ..EmbeddedConfig::new(self.folder.path(), topics, clock)
        })
        .unwrap()
    }

    fn frames(log: &dyn Log, topic: Topic) -> Vec<Frame> {
        let mut frames = Vec::new();
        let end = log.bounds(topic.name(), 0).unwrap().end;
        log.scan(topic.name(), 0, Next::START, end, &mut |message| {
            frames.push(schemas::FRAME.read(message.value).unwrap());
            true
        })
        .unwrap();
        frames
    }
}

#[test]
fn a_long_lived_log_is_audited_from_the_oldest_snapshot_that_is_kept() {
    let mut now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let site = LongLived {
        folder: TempDir::with_prefix("drawdown-long-lived-").unwrap(),
        now: Arc::new(AtomicI64::new(now.as_micros())),
    };
    let log = Arc::new(site.log());
    let stage = Stage {
        log: log.clone(),
        topics: Topics::new("", &plan()),
        data: None,
        restarts: true,
        timers_per_message_max: usize::MAX,
    };
    let mut pipeline = Pipeline::new(&stage, now);
    pipeline.advance(now).unwrap();
    let ask = |pipeline: &mut Pipeline, command: Command| {
        let message =
            CommandMessage { principal: PrincipalId::operator(), key: None, origin: None, command };
        pipeline.command(now, message).unwrap();
    };
    ask(&mut pipeline, LoadSettings { document: SETTINGS.to_owned() }.into());
    ask(&mut pipeline, LoadPrices { document: PRICES.to_owned() }.into());
    for (name, fields) in [
        ("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "SG" })),
        (
            "open_account",
            json!({ "account": "a", "enterprise": "e", "email": "x@y.example", "currency": "USD", "mode": "postpaid" }),
        ),
        (
            "open_account",
            json!({ "account": "b", "enterprise": "e", "email": "x@y.example", "currency": "USD", "mode": "postpaid" }),
        ),
        (
            "top_up",
            json!({ "billing_account": "ba-a", "amount": "100", "currency": "USD", "method": "bank_transfer" }),
        ),
    ] {
        ask(&mut pipeline, Command::read(name, fields).unwrap().unwrap());
    }
    for hour in (0..HOURS).step_by(HOURS_APART as usize) {
        for account in ["a", "b"] {
            // The second one says again what the first one said.
            for id in [hour, hour, hour - HOURS_APART] {
                let used = now.minus(Span::minutes(60 * (hour - id)));
                let record = json!({ "source": "s", "id": id.to_string(), "account": account,
                    "product": "compute", "meter": "hours", "quantity": "1.5", "time": used.to_string() });
                pipeline.usage(now, account, record.to_string().as_bytes()).unwrap();
            }
        }
        if hour % 14 == 0 {
            // Workers come and go.
            pipeline.between_steps().unwrap();
        }
        now = now.plus(Span::minutes(60 * HOURS_APART));
        site.now.store(now.as_micros(), Ordering::Relaxed);
        pipeline.advance(now).unwrap();
        log.tidy().unwrap();
    }
    // Identities go a little after they are of use, as on a broker.
    for partition in 0..2 {
        let (mut kept, end) = (None, log.bounds("identities", partition).unwrap().end);
        log.scan("identities", partition, Next::START, end, &mut |message| {
            kept = Some(message.offset).filter(|_| message.at >= now.minus(IDENTITIES_KEPT_FOR));
            kept.is_none()
        })
        .unwrap();
        log.truncate("identities", partition, kept.map_or(end, |kept| Next(kept.0))).unwrap();
    }
    // Time has deleted input and identities, and the workers state that nobody needs for audits.
    for topic in [Topic::Usage, Topic::Ledger, Topic::Identities, Topic::BalanceState] {
        let first = (0..2).map(|partition| log.bounds(topic.name(), partition).unwrap().first);
        assert!(first.max() > Some(Next::START), "{} is whole", topic.name());
    }
    let report = audit(pipeline.installation(), &|_, _, _| ()).unwrap();
    assert_eq!(report.differences(), 0, "{report}");
    for topic in [Topic::MeteringState, Topic::BalanceState] {
        let frames = LongLived::frames(&*log, topic);
        let whole = frames.iter().filter(|own| own.kind == FrameKind::Piece && own.last);
        assert!(whole.count() > 1, "{} has few snapshots", topic.name());
    }
    // All that has its input is decided again, long before the newest snapshot; metering as far back as
    // its memory of duplicates is kept.
    let figure = |figure| report.figure(figure);
    let steps = u64::try_from(KEPT_HOURS / HOURS_APART).unwrap();
    assert!(figure(Figure::BalanceSteps) >= steps, "{report}");
    assert!(figure(Figure::RegistrySteps) >= steps, "{report}");
    assert!(figure(Figure::MeteringSteps) >= 4, "{report}");
    assert!(figure(Figure::MeteringInputGone) >= 4, "{report}");
    assert!(figure(Figure::UsageMessages) > 0 && figure(Figure::SaidToLedgers) > 0, "{report}");
    println!("{report}");
}
