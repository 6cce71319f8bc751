//! Rejects that are sent again: by then an identity may have been counted long ago.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::sync::Arc;

use drawdown_domain::money::Currency;
use drawdown_domain::rating::{Aggregate, Offer};
use drawdown_domain::time::{Span, Timestamp, Window};
use drawdown_log::{Faults, Log as _, Memory, Message, Offset};
use drawdown_metering::identities::{IdentityOptions, Shelves};
use drawdown_metering::{Metering, MeteringOptions, identity_key};
use drawdown_runtime::{Input, Output, Station};
use drawdown_wire::avro;
use drawdown_wire::messages::{
    AccountRouted, Bytes, Catalogue, MeterOffered, PassedOn, Rejected, Rejects, SettingsInForce,
    UsageControl,
};
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{DEFAULT_PLAN, TopicPlan, Topics};
use drawdown_wire::usage::from_json;

const BEGINS: &str = "2026-03-01T00:00:00Z";

/// A partition in which the account `a` uses the one meter there is.
struct Rig {
    metering: Metering,
    log: Arc<Memory>,
    secret: Secret,
    offset: i64,
}

impl Rig {
    fn new() -> Rig {
        let secret = Secret::new([7; 32]);
        let log = Arc::new(Memory::new([("identities", 1)], Faults::default()));
        let metering = metering(&log, &secret);
        let mut rig = Rig { metering, log, secret, offset: 0 };
        let at = BEGINS.parse().unwrap();
        let offer = Offer { region: None, currency: Currency::Usd, holds: Window::ALWAYS };
        let meter = MeterOffered {
            product: "p".parse().unwrap(),
            meter: "m".parse().unwrap(),
            offers: vec![offer],
            aggregate: Aggregate::Sum,
            tag: None,
        };
        rig.control(at, Catalogue { at, meters: vec![meter] });
        let (account, currency) = ("a".parse().unwrap(), Currency::Usd);
        rig.control(at, AccountRouted { at, account, ledger: 0, number: 0, currency });
        rig
    }

    /// Takes a message; says what was rejected.
    fn take(&mut self, at: Timestamp, value: &[u8]) -> Vec<Rejected> {
        let message = Message { partition: 0, offset: Offset(self.offset), at, value };
        self.offset += 1;
        let mut output = Output::default();
        self.metering.take(Input { messages: &[message] }, &mut output).unwrap();
        self.metering.finish(&mut output).unwrap();
        let (appends, _) = output.into_parts();
        for append in appends.iter().filter(|append| append.topic == "identities") {
            self.log.append("identities", 0, at, &[&append.value]).unwrap();
        }
        self.metering.committed().unwrap();
        let rejects = appends.iter().filter(|append| append.topic == "rejects");
        rejects
            .flat_map(|append| schemas::REJECTS.read::<Rejects>(&append.value).unwrap().rejects)
            .collect()
    }

    /// Loses the partition and its disk, and takes it again from a snapshot and the log.
    fn restart(&mut self) {
        let mut again = metering(&self.log, &self.secret);
        let mut place = Some(Vec::new());
        while let Some(at) = place {
            let (piece, after) = self.metering.piece(&at, usize::MAX);
            again.load(&piece).unwrap();
            place = after;
        }
        again.restored().unwrap();
        self.metering = again;
    }

    fn control(&mut self, at: Timestamp, control: impl Into<UsageControl>) -> Vec<Rejected> {
        let payload = schemas::USAGE_CONTROL.message(&control.into());
        let signed = self.secret.sign("usage", payload);
        self.take(at, &signed)
    }
}

fn metering(log: &Arc<Memory>, secret: &Secret) -> Metering {
    let options = MeteringOptions {
        topics: Topics::new("", &TopicPlan::parse(DEFAULT_PLAN).unwrap()),
        secret: secret.clone(),
        log: log.clone(),
        shelves: Arc::new(Shelves::new(IdentityOptions::default(), &identity_key(secret))),
        tick_every: None,
    };
    Metering::new(options, 0)
}

fn used_at(time: &str) -> Vec<u8> {
    let record = format!(
        r#"{{ "source": "s", "id": "u", "account": "a", "product": "p", "meter": "m", "quantity": "2", "time": "{time}" }}"#
    );
    let mut message = Vec::new();
    avro::put_header(&mut message, schemas::USAGE_RECORD.fingerprint());
    message.extend(from_json(record.as_bytes()).unwrap());
    message
}

/// R2.2, R2.3: what is sent again from the rejects is accepted for seven days more than other usage, so for so long
/// it is known that its identity was counted.
#[test]
fn r2_2_an_identity_counts_once_for_as_long_as_a_reject_of_it_may_come_again() {
    let used: Timestamp = BEGINS.parse().unwrap();
    let record = used_at(BEGINS);
    let mut rig = Rig::new();
    // It came first, and was rejected, on its last day; mended by its sender it counts the day after.
    let (first, mended) = (used.plus(Span::days(34)), used.plus(Span::days(35)));
    assert!(rig.take(mended, &record).is_empty());
    assert_eq!((rig.metering.duplicates(), rig.metering.remembered().unwrap().len()), (0, 1));
    for (days, duplicates) in [(36, 1), (38, 2), (41, 3)] {
        let at = used.plus(Span::days(days));
        let message = Bytes(record.clone());
        let rejected = rig.control(at, PassedOn { at, first_arrival: first, message });
        assert!(rejected.is_empty(), "R2.2: {days} days: {rejected:?}");
        assert_eq!(rig.metering.duplicates(), duplicates, "R2.2: {days} days");
    }
    // A moment later it may not be sent again any more.
    let at = first.plus(Span::days(7)).plus(Span::micros(1));
    let message = Bytes(record);
    let rejected = rig.control(at, PassedOn { at, first_arrival: first, message });
    assert_eq!(rejected.len(), 1, "R2.3: {rejected:?}");
    assert_eq!(rejected[0].reason.code(), "too_old", "R2.3");
}

/// R2.2: a snapshot that says how old usage may be forgets no identity that is of use by that, though by the usual
/// settings it would be.
#[test]
fn r2_2_identities_are_kept_for_as_long_as_the_settings_say_through_a_restart() {
    let used: Timestamp = BEGINS.parse().unwrap();
    let mut rig = Rig::new();
    let document = "usage.max_age = \"60d\"\n".to_owned();
    rig.control(used, SettingsInForce { at: used, document });
    let record = used_at(BEGINS);
    assert!(rig.take(used, &record).is_empty());
    let at = used.plus(Span::days(50));
    assert!(rig.take(at, &record).is_empty());
    assert_eq!(rig.metering.duplicates(), 1, "R2.2");
    rig.restart();
    assert_eq!(rig.metering.remembered().unwrap().len(), 1, "R2.2");
    assert!(rig.take(at.plus(Span::days(9)), &record).is_empty());
    assert_eq!((rig.metering.duplicates(), rig.metering.remembered().unwrap().len()), (1, 1));
}
