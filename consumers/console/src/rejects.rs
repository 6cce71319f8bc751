//! Usage that could not be used: found, mended and sent again (R2.3).

use drawdown_domain::time::Timestamp;
use drawdown_domain::usage::Reject;
use drawdown_log::Log;
use drawdown_wire::messages::{Bytes, PassedOn, Rejected, Rejects, UsageControl};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{Topic, Topics};
use drawdown_wire::usage::{Read, Usage, each_record, from_json, packed_message, tags_of};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Which rejects are meant: those that are named, else those with a reason or of an account, else all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chosen {
    pub rejects: Vec<String>,
    pub reason: Option<String>,
    pub account: Option<String>,
}

impl Chosen {
    pub fn takes(&self, reject: &Rejected) -> bool {
        if !self.rejects.is_empty() {
            return self.rejects.contains(&name(reject));
        }
        self.reason.as_deref().is_none_or(|reason| reject.reason.code() == reason)
            && self.account.as_deref().is_none_or(|id| reject.account.as_deref() == Some(id))
    }
}

/// What is changed of one reject before it is sent: the whole record, and fields of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mending {
    pub reject: String,
    #[serde(default)]
    pub record: Option<Map<String, Value>>,
    #[serde(default)]
    pub fields: Map<String, Value>,
}

/// How many were sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAgain {
    pub sent: u64,
}

/// Why rejects are not sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    #[error("there is no reject {0}; `drawdown rejects list` names all")]
    Unknown(String),
    #[error("{0}")]
    Malformed(String),
    #[error("a message of rejects cannot be read: {0}")]
    Unreadable(String),
    #[error(transparent)]
    Log(#[from] drawdown_log::Error),
}

/// What a reject is called: where its record stands.
pub fn name(reject: &Rejected) -> String {
    format!("{}-{}-{}", reject.usage_partition, reject.offset, reject.index)
}

/// Where rejects are, and what sends them.
#[derive(Debug)]
pub struct Desk<'a> {
    pub log: &'a dyn Log,
    pub topics: &'a Topics,
    pub secret: &'a Secret,
    pub now: Timestamp,
}

impl Desk<'_> {
    /// Sends rejects again as they were: for what has changed around them, an account that was opened, say.
    pub fn replay(&self, chosen: &Chosen) -> Result<SentAgain, NotSent> {
        let all = all(self.log, self.topics)?;
        let known: Vec<&Rejected> = all.iter().filter(|reject| chosen.takes(reject)).collect();
        let is_known = |wanted: &&String| known.iter().any(|reject| name(reject) == **wanted);
        if let Some(missing) = chosen.rejects.iter().find(|wanted| !is_known(wanted)) {
            return Err(NotSent::Unknown(missing.clone()));
        }
        let mut done = SentAgain::default();
        for reject in known {
            self.send(reject, reject.message.0.clone())?;
            done.sent = done.sent.saturating_add(1);
        }
        Ok(done)
    }

    /// Mends one reject and sends it.
    pub fn mend(&self, mending: &Mending) -> Result<(), NotSent> {
        let all = all(self.log, self.topics)?;
        let reject = all.iter().find(|reject| name(reject) == mending.reject);
        let reject = reject.ok_or_else(|| NotSent::Unknown(mending.reject.clone()))?;
        let whole = mending.record.clone().or_else(|| fields_of(&reject.message.0));
        let mut mended = whole.ok_or_else(|| {
            let why = "what was rejected is no record at all; say the whole record";
            NotSent::Malformed(why.to_owned())
        })?;
        mended.extend(mending.fields.clone());
        let text = Value::Object(mended).to_string();
        let canonical = from_json(text.as_bytes())
            .map_err(|error| NotSent::Malformed(format!("{error}: {text}")))?;
        self.send(reject, packed_message(1, &canonical))
    }

    /// Passes a record on, with its first arrival, by which its age is judged: whoever counts refuses what comes again
    /// after `rejects.replay_for`.
    fn send(&self, reject: &Rejected, message: Vec<u8>) -> Result<(), NotSent> {
        let mut account = None;
        each_record(&message, |_, read| {
            account = read.usage().ok().map(|usage| usage.account.to_owned());
        });
        let partitions = self.topics.usage_partitions;
        let home =
            account.map_or(reject.usage_partition, |id| partition_of(id.as_bytes(), partitions));
        let (at, first_arrival) = (self.now, reject.first_arrival);
        let passed = PassedOn { at, first_arrival, message: Bytes(message) };
        let topic = self.topics.name(Topic::Usage);
        let control = schemas::USAGE_CONTROL.message(&UsageControl::PassedOn(passed));
        self.log.append(topic, home, at, &[&self.secret.sign(topic, control)])?;
        Ok(())
    }
}

/// All rejects that are kept, oldest first in each partition.
pub fn all(log: &dyn Log, topics: &Topics) -> Result<Vec<Rejected>, NotSent> {
    let (topic, mut found) = (topics.name(Topic::Rejects), Vec::new());
    for partition in 0..topics.usage_partitions {
        let bounds = log.bounds(topic, partition)?;
        let mut unreadable = None;
        log.scan(topic, partition, bounds.first, bounds.stable, &mut |message| {
            match schemas::REJECTS.read(message.value) {
                Ok(Rejects { rejects }) => found.extend(rejects),
                Err(error) => {
                    let offset = message.offset.0;
                    unreadable = Some(format!("{topic} {partition} at {offset}: {error}"));
                }
            }
            unreadable.is_none()
        })?;
        if let Some(why) = unreadable {
            return Err(NotSent::Unreadable(why));
        }
    }
    Ok(found)
}

/// A reject with its name and its record, for people and programs.
pub fn shown(reject: &Rejected) -> Value {
    let record = fields_of(&reject.message.0);
    let detail = reject.detail.clone().or_else(|| detail(reject, record.as_ref()?));
    json!({
        "reject": name(reject), "at": reject.at, "first_arrival": reject.first_arrival,
        "reason": reject.reason, "detail": detail, "account": reject.account,
        "source": reject.source, "id": reject.id, "record": record,
    })
}

/// What exactly was wrong, as far as the record says it by itself.
fn detail(reject: &Rejected, record: &Map<String, Value>) -> Option<String> {
    let field = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let minute = |at: &str| at.get(..16).unwrap_or(at).replace('T', " ");
    let (account, used) = (field("account"), minute(field("time")));
    let arrival = minute(&reject.first_arrival.to_string());
    let meter = format!("{}/{}", field("product"), field("meter"));
    Some(match reject.reason {
        Reject::Malformed => return None,
        Reject::UnknownAccount => format!("no account is called {account}"),
        Reject::AccountClosed => format!("{account} is closed; the usage is of {used}"),
        Reject::UnknownMeter => format!("the price book has no {meter}"),
        Reject::NoPrice => {
            let region = match field("region") {
                "" => String::new(),
                region => format!(" in {region}"),
            };
            format!("{meter}{region} has no price in the currency of {account}'s payer")
        }
        Reject::NegativeQuantity => format!("the quantity is {}", field("quantity")),
        Reject::TooOld => format!("of {used}, and came only at {arrival}"),
        Reject::InTheFuture => format!("of {used}, and came at {arrival}"),
        Reject::ConflictingDuplicate => {
            format!(
                "{} of {} had come before and said something else",
                field("id"),
                field("source")
            )
        }
    })
}

/// The fields of a record as JSON has them; none if the message holds no record.
fn fields_of(message: &[u8]) -> Option<Map<String, Value>> {
    let mut fields = None;
    each_record(message, |_, read: Read<'_>| {
        fields = fields.take().or_else(|| read.usage().ok().and_then(|usage| record(&usage)));
    });
    // One that is only wrong in a field is JSON still.
    fields.or_else(|| serde_json::from_slice(message).ok())
}

fn record(usage: &Usage<'_>) -> Option<Map<String, Value>> {
    let tags: Map<String, Value> =
        tags_of(usage).ok()?.into_iter().map(|(key, tag)| (key.to_owned(), tag.into())).collect();
    let fields = json!({
        "source": usage.source, "id": usage.id, "account": usage.account,
        "product": usage.product, "meter": usage.meter, "quantity": usage.quantity,
        "time": usage.time, "region": usage.region, "unit": usage.unit, "tags": tags,
    });
    match fields {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}
