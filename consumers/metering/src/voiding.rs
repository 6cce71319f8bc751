//! Records that are taken back (R2.5). Metering alone knows them: it finds the identity, reads the record again
//! from where it stands, remembers that it is taken back, and tells the ledger what it was.
//!
//! **Invariant:** that a record was taken back is remembered as records are, under an identity of its own and
//! as long as the record's: so it survives whatever identities survive. It is listed on `identities` with the
//! place of the control record that asked for it.

use std::borrow::Cow;

use drawdown_domain::rating::ValueCount;
use drawdown_domain::refusal::Refusal;
use drawdown_log::{Message, Next};
use drawdown_runtime::{Output, Stop};
use drawdown_wire::messages::{
    Bytes, LedgerInput, LedgerMessage, RecordVoided, UsageControl, VoidAsked, VoidRefused,
};
use drawdown_wire::schemas;
use drawdown_wire::state::{RecordReread, RereadRecord};
use drawdown_wire::topics::Topic;
use drawdown_wire::usage::{Usage, each_record, identity_of};

use crate::identities::{Entry, Told, stop};
use crate::measured::{moment, value_of};
use crate::rejecting::message_of;
use crate::station::Metering;

/// A void comes to no record.
enum NoRecord {
    Refused(Refusal),
    /// The memory of duplicates or the log cannot be read.
    Unread(Stop),
}

impl From<Stop> for NoRecord {
    fn from(stop: Stop) -> NoRecord {
        NoRecord::Unread(stop)
    }
}

impl From<Refusal> for NoRecord {
    fn from(refusal: Refusal) -> NoRecord {
        NoRecord::Refused(refusal)
    }
}

impl Metering {
    pub(crate) fn void(&mut self, void: VoidAsked, message: &Message<'_>, output: &mut Output) {
        output.hurry();
        let (usage_partition, asked_at_offset) = (self.partition, message.offset.0);
        let (ledger, asked) = (void.ledger, void.asked.clone());
        let input: LedgerInput = match self.voided(&void, asked_at_offset) {
            Ok(voided) => voided.into(),
            Err(NoRecord::Refused(refused)) => {
                VoidRefused { usage_partition, asked_at_offset, asked, refused }.into()
            }
            Err(NoRecord::Unread(why)) => {
                self.broken.get_or_insert(why);
                return;
            }
        };
        // The record may be on a line that is not said yet.
        self.say_lines(output);
        let message = schemas::LEDGER.message(&LedgerMessage { at: self.now, input });
        output.append(self.options.topics.name(Topic::Ledger), ledger, message);
    }

    /// Finds a record that can be taken back, and remembers that it is.
    fn voided(&mut self, void: &VoidAsked, offset: i64) -> Result<RecordVoided, NoRecord> {
        let VoidAsked { at, account, source, id, asked, .. } = void;
        let route = self.accounts.find(self.accounts.hash(account.as_str()), account.as_str());
        let route = *route.ok_or(Refusal::NotFound)?;
        let identity = identity_of(source, id, account.as_str());
        let entry =
            self.identities.find(self.teller.tell(&identity, &[]).identity).map_err(stop)?;
        let entry = entry.ok_or(Refusal::NotFound)?;
        let taken_back = self.told_back(&identity);
        if self.identities.find(taken_back.identity).map_err(stop)?.is_some() {
            return Err(Refusal::AlreadyExists.into());
        }
        let RereadRecord { arrived, message: Bytes(message) } =
            self.reread(&entry)?.ok_or(Refusal::TooOld)?;
        let mut voided = Err(Refusal::NotFound);
        each_record(&message, |_, read| {
            let Ok(record) = read.usage() else { return };
            // Its age when it was asked for, whenever that comes here.
            let is_too_old = record.time < at.minus(self.settings.usage.max_age);
            voided = match self.catalogue.meter(record.product, record.meter) {
                _ if is_too_old => Err(Refusal::TooOld),
                Err(_) => Err(Refusal::NotFound),
                Ok(meter) => {
                    let used = moment(record.time, arrived);
                    let measure = self.catalogue.measure(meter);
                    let value =
                        measure.and_then(|known| value_of(known, &record, used, &self.teller));
                    let said = value.map(|value| ValueCount { value, records: 1 });
                    let voided = RecordVoided {
                        usage_partition: self.partition,
                        asked_at_offset: offset,
                        asked: asked.clone(),
                        account: route.number,
                        meter,
                        region: record.region.map(str::to_owned),
                        used: used.minute(),
                        quantity: record.quantity,
                        values: said.into_iter().collect(),
                        record_offset: entry.offset,
                        record_index: entry.index,
                    };
                    Ok((voided, record.time))
                }
            };
        });
        let (voided, time) = voided?;
        self.identities.remember(taken_back, time, offset, 0);
        Ok(voided)
    }

    /// Under which it is remembered that a record is taken back. No record has this identity: its source would
    /// be empty.
    fn told_back(&self, identity: &[u8]) -> Told {
        self.teller.tell(&[&[0], identity].concat(), &[])
    }

    /// A counted record from where it stands on the topic; none if it is no longer kept. A step that is decided
    /// again takes what it had then, where that is so by now.
    fn reread(&mut self, entry: &Entry) -> Result<Option<RereadRecord>, Stop> {
        let then = self.reread_then.pop_front();
        let record = match then {
            Some(RecordReread { record: None }) => None,
            Some(RecordReread { record: then }) => self.read(entry)?.or(then),
            None => self.read(entry)?,
        };
        self.learn(RecordReread { record: record.clone() }.into());
        Ok(record)
    }

    fn read(&self, entry: &Entry) -> Result<Option<RereadRecord>, Stop> {
        let (from, until) = (Next(entry.offset), Next(entry.offset.saturating_add(1)));
        let topic = self.name(Topic::Usage);
        let mut found = None;
        self.options.log.scan(topic, self.partition, from, until, &mut |message| {
            found = Some(self.record_in(&message, entry));
            false
        })?;
        let Some(found) = found else { return Ok(None) };
        let foreign = || {
            let (partition, offset) = (self.partition, entry.offset);
            Stop::Broken(format!(
                "{topic} {partition} at {offset} does not hold the record that was counted from there"
            ))
        };
        found.ok_or_else(foreign).map(Some)
    }

    /// The record of a message that an entry is about.
    fn record_in(&self, message: &Message<'_>, entry: &Entry) -> Option<RereadRecord> {
        let opened = self.options.secret.open(self.name(Topic::Usage), message.value);
        let (arrived, value) = match opened {
            None => (message.at, Cow::Borrowed(message.value)),
            Some(opened) => match schemas::USAGE_CONTROL.read(&opened.ok()?).ok()? {
                UsageControl::PassedOn(passed) => (passed.at, Cow::Owned(passed.message.0)),
                _ => return None,
            },
        };
        let is_it = |record: &Usage<'_>| {
            let Told { identity, content } = self.teller.tell(record.identity, record.content);
            (identity, content) == (entry.identity, entry.content)
        };
        let mut found = None;
        each_record(&value, |index, read| {
            if index == entry.index
                && let Ok(record) = read.usage()
                && is_it(&record)
            {
                found = Some(RereadRecord { arrived, message: Bytes(message_of(&record)) });
            }
        });
        found
    }
}
