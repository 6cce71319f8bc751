//! `drawdown rejects`: usage that could not be used is listed, mended and sent again (R2.3).

use std::io::Write;

use anyhow::{Context, bail, ensure};
use drawdown_domain::settings::RejectSettings;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Log, Next};
use drawdown_wire::messages::{Bytes, PassedOn, Rejected, Rejects, UsageControl};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas;
use drawdown_wire::topics::{Topic, Topics};
use drawdown_wire::usage::{Read, Usage, each_record, from_json, packed_message, tags_of};
use serde_json::{Map, Value, json};

use super::Setup;

/// Which rejects are meant.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Selection {
    /// Only those with this reason, such as unknown_account.
    #[arg(long)]
    pub reason: Option<String>,
    /// Only those of this account.
    #[arg(long)]
    pub account: Option<String>,
}

impl Selection {
    fn takes(&self, reject: &Rejected) -> bool {
        self.reason.as_deref().is_none_or(|reason| reject.reason.code() == reason)
            && self.account.as_deref().is_none_or(|id| reject.account.as_deref() == Some(id))
    }
}

/// Lists rejects, oldest first in each partition, a line or a JSON object each.
pub fn list_rejects(
    setup: &Setup,
    selection: &Selection,
    as_json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let log = setup.log()?;
    let mut count = 0_u64;
    for reject in rejects(&*log, &setup.topics)?.iter().filter(|reject| selection.takes(reject)) {
        count += 1;
        if as_json {
            writeln!(out, "{}", shown(reject))?;
        } else {
            let Rejected { at, reason, account, source, id, detail, .. } = reject;
            let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let (account, source, id) = (known(account), known(source), known(id));
            let detail = detail.clone().unwrap_or_default();
            let name = name(reject);
            writeln!(out, "{name}\t{at}\t{}\t{account}\t{source}\t{id}\t{detail}", reason.code())?;
        }
    }
    if !as_json {
        writeln!(out, "{count} rejects")?;
    }
    Ok(())
}

/// Sends rejects again as they were: for what has changed around them, an account that was opened, say.
pub fn replay_rejects(
    setup: &Setup,
    names: &[String],
    selection: &Selection,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let log = setup.log()?;
    let all = rejects(&*log, &setup.topics)?;
    let named = |reject: &&Rejected| match names {
        [] => selection.takes(reject),
        names => names.contains(&name(reject)),
    };
    let chosen: Vec<&Rejected> = all.iter().filter(named).collect();
    for name in names {
        ensure!(chosen.iter().any(|known| self::name(known) == *name), "there is no reject {name}");
    }
    let (mut sent, mut late) = (0_u64, 0_u64);
    for reject in chosen {
        if is_late(setup, reject)? {
            late += 1;
            continue;
        }
        send(setup, &*log, reject, reject.message.0.clone())?;
        sent += 1;
    }
    writeln!(
        out,
        "{sent} records sent again; what was counted meanwhile is known, and what cannot be used yet is rejected again"
    )?;
    if late > 0 {
        bail!("{late} records came first more than {} ago, and are not sent again", keep());
    }
    Ok(())
}

/// Mends one reject and sends it.
pub fn mend_reject(
    setup: &Setup,
    name: &str,
    record: Option<&str>,
    fields: &[String],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let log = setup.log()?;
    let all = rejects(&*log, &setup.topics)?;
    let reject = all.iter().find(|reject| self::name(reject) == name);
    let reject = reject.with_context(|| format!("there is no reject {name}"))?;
    ensure!(!is_late(setup, reject)?, "{name} came first more than {} ago", keep());
    let mut mended = match record {
        Some(record) => serde_json::from_str(record).context("--record is no JSON object")?,
        None => fields_of(&reject.message.0).context(
            "what was rejected is no record at all; say the whole record with --record '{...}'",
        )?,
    };
    for field in fields {
        let (key, value) = field.split_once('=').context("--field looks like quantity=5")?;
        mended.insert(key.to_owned(), value.into());
    }
    let text = serde_json::to_vec(&mended)?;
    let canonical = from_json(&text).with_context(|| format!("{}", Value::Object(mended)))?;
    send(setup, &*log, reject, packed_message(1, &canonical))?;
    Ok(writeln!(out, "{name} is mended and sent")?)
}

/// All rejects that are kept.
fn rejects(log: &dyn Log, topics: &Topics) -> anyhow::Result<Vec<Rejected>> {
    let (topic, mut found) = (topics.name(Topic::Rejects), Vec::new());
    for partition in 0..topics.usage_partitions {
        let bounds = log.bounds(topic, partition)?;
        let mut unreadable = None;
        log.scan(topic, partition, bounds.first, bounds.stable, &mut |message| {
            match schemas::REJECTS.read(message.value) {
                Ok(Rejects { rejects }) => found.extend(rejects),
                Err(error) => unreadable = Some((Next(message.offset.0), error)),
            }
            unreadable.is_none()
        })?;
        if let Some((Next(offset), error)) = unreadable {
            bail!("{topic} {partition} at {offset}: {error}");
        }
    }
    Ok(found)
}

/// What a reject is called: where its record stands.
fn name(reject: &Rejected) -> String {
    format!("{}-{}-{}", reject.usage_partition, reject.offset, reject.index)
}

fn shown(reject: &Rejected) -> Value {
    json!({
        "reject": name(reject), "at": reject.at, "first_arrival": reject.first_arrival,
        "reason": reject.reason, "detail": reject.detail, "account": reject.account,
        "source": reject.source, "id": reject.id, "record": fields_of(&reject.message.0),
    })
}

/// How long after its first arrival a reject can be sent again.
fn keep() -> Span {
    RejectSettings::default().replay_for
}

fn is_late(setup: &Setup, reject: &Rejected) -> anyhow::Result<bool> {
    let now: Timestamp = setup.clock()?.now();
    Ok(now > reject.first_arrival.plus(keep()))
}

/// Passes a record on, with its first arrival, by which its age is judged.
fn send(setup: &Setup, log: &dyn Log, reject: &Rejected, message: Vec<u8>) -> anyhow::Result<()> {
    let at = setup.clock()?.now();
    let mut account = None;
    each_record(&message, |_, read| {
        account = read.usage().ok().map(|usage| usage.account.to_owned());
    });
    let partitions = setup.topics.usage_partitions;
    let home = account.map_or(reject.usage_partition, |id| partition_of(id.as_bytes(), partitions));
    let passed = PassedOn { at, first_arrival: reject.first_arrival, message: Bytes(message) };
    let topic = setup.topics.name(Topic::Usage);
    let control = schemas::USAGE_CONTROL.message(&UsageControl::PassedOn(passed));
    log.append(topic, home, at, &[&setup.secret()?.sign(topic, control)])?;
    Ok(())
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
