//! The station: records come in, lines, rejects and marks go out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use drawdown_domain::settings::Settings;
use drawdown_domain::time::{Minute, Span, Timestamp};
use drawdown_domain::usage::{Arrival, Reject, dated};
use drawdown_log::{Log, Message, Next};
use drawdown_runtime::{Held, Input, Output, Station, Stop};
use drawdown_wire::avro;
use drawdown_wire::lines::LinesBuilder;
use drawdown_wire::messages::{
    AccountRouted, Bytes, LedgerMessage, Mark, Measured, PassedOn, Rejected, Rejects,
    SettingsInForce, Tick, UsageControl,
};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas::{self, Schema};
use drawdown_wire::signature::{ForgedSignature, Secret};
use drawdown_wire::state::{
    MeteringDelta, MeteringFact, MeteringPiece, QuarterClosed, RecordReread, Remembered, TimeMoved,
};
use drawdown_wire::topics::{Topic, Topics};
use drawdown_wire::usage::{Read, Usage, each_record, split_registered};

use crate::accounts::{Account, Accounts, Route};
use crate::catalogue::Catalogue;
use crate::identities::{
    Entry, Fill, Identities, Known, Position, Shelves, Teller, Told, day_of, stop,
};
use crate::measured::{MeasuredLines, Place, moment, value_of};
use crate::registered::{Registered, SchemaRegistry};
use crate::rejecting::message_of;
use crate::window::{Part, Seen, Window};

/// What metering is told.
#[derive(Clone, Debug)]
pub struct MeteringOptions {
    pub topics: Topics,
    pub secret: Secret,
    /// From which the memory of duplicates is rebuilt.
    pub log: Arc<dyn Log>,
    /// Where it is kept beside the log.
    pub shelves: Arc<Shelves>,
    /// Where the schemas are that messages name by number, if there is such a place.
    pub registry: Option<Arc<dyn SchemaRegistry>>,
    /// How often the owner of a partition tells it the time when nothing else does; none: never.
    pub tick_every: Option<Span>,
}

/// What goes out in packed messages is put out when it has come to this, in the middle of a step.
const MESSAGE_BYTES: usize = 512 * 1024;
/// Accounts in one piece of a snapshot take about this.
const ACCOUNT_BYTES: usize = 64;

/// One partition of usage.
#[derive(Debug)]
pub struct Metering {
    pub(crate) options: MeteringOptions,
    pub(crate) partition: u32,
    pub(crate) teller: Teller,
    pub(crate) now: Timestamp,
    ticked: Timestamp,
    /// The quarter of an hour up to which marks are out.
    marked: Timestamp,
    pub(crate) settings: Settings,
    settings_document: String,
    pub(crate) accounts: Accounts,
    pub(crate) catalogue: Catalogue,
    pub(crate) identities: Identities,
    /// How far the identities reach that the state knows.
    remembered: Position,
    /// The memory of duplicates is not what it should be; the station cannot go on.
    pub(crate) broken: Option<Stop>,
    lines: Vec<LinesBuilder>,
    /// For the ledgers that have any.
    measured: BTreeMap<u32, MeasuredLines>,
    /// Those of one ledger fill a message.
    lines_are_many: bool,
    first_offset: Option<i64>,
    last_offset: i64,
    pub(crate) rejects: Vec<Rejected>,
    facts: Vec<u8>,
    /// Records that were dropped as repeats.
    duplicates: u64,
    pub(crate) registered: Option<Registered>,
    /// What was read again in a step that is being decided again.
    pub(crate) reread_then: VecDeque<RecordReread>,
    /// The step has messages.
    has_taken: bool,
    /// The step forgets identities, and is to have no messages.
    makes_room: bool,
}

/// The key under which identities are hashed: the memory of duplicates is of no use under another.
pub fn identity_key(secret: &Secret) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&secret.derived("identities")[..16]);
    key
}

impl Metering {
    pub fn new(options: MeteringOptions, partition: u32) -> Metering {
        let key = identity_key(&options.secret);
        let identities = Identities::new(options.shelves.clone(), partition);
        let ledgers = options.topics.ledger_partitions;
        let registered = options.registry.clone().map(Registered::new);
        Metering {
            options,
            partition,
            teller: Teller::new(key),
            now: Timestamp::START,
            ticked: Timestamp::START,
            marked: Timestamp::START,
            settings: Settings::default(),
            settings_document: String::new(),
            accounts: Accounts::default(),
            catalogue: Catalogue::default(),
            identities,
            remembered: Position::default(),
            broken: None,
            lines: (0..ledgers).map(|_| LinesBuilder::default()).collect(),
            measured: BTreeMap::new(),
            lines_are_many: false,
            first_offset: None,
            last_offset: 0,
            rejects: Vec::new(),
            facts: Vec::new(),
            duplicates: 0,
            registered,
            reread_then: VecDeque::new(),
            has_taken: false,
            makes_room: false,
        }
    }

    /// How many repeats this station has dropped since it began or was restored.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many accounts send usage through this partition.
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// The identities that are remembered, in their order.
    pub fn remembered(&self) -> Result<Vec<Entry>, Stop> {
        self.identities.in_order().map_err(stop)
    }

    /// How much of what may be remembered is.
    pub fn fill(&self) -> Fill {
        self.identities.fill()
    }

    pub(crate) fn name(&self, topic: Topic) -> &str {
        self.options.topics.name(topic)
    }

    /// A message of ours, or one that pretends to be.
    fn signed(
        &mut self,
        opened: Result<Vec<u8>, ForgedSignature>,
        message: &Message<'_>,
        output: &mut Output,
    ) -> Result<(), Stop> {
        match opened {
            Ok(payload) => {
                let control = schemas::USAGE_CONTROL.read(&payload).map_err(|error| {
                    Stop::Broken(format!("a control record of ours cannot be read: {error}"))
                })?;
                self.control(control, message, output);
            }
            Err(forged) => {
                self.pass(message.at, output);
                let arrival = Arrival::fresh(self.now);
                self.reject_message(message, message.value, arrival, forged.to_string());
            }
        }
        self.taken(message, output);
        self.broken.take().map_or(Ok(()), Err)
    }

    /// Reads a message ahead, and decides what was read whenever there is enough of it.
    fn read_ahead<'a>(
        &mut self,
        message: &'a Message<'a>,
        window: &mut Window<'a>,
        output: &mut Output,
    ) -> Result<(), Stop> {
        let mut outcome = Ok(());
        window.begin(message);
        each_record(message.value, |index, read| {
            window.see(self.seen(index, read));
            if window.is_full() && outcome.is_ok() {
                outcome = self.decide(window, output);
            }
        });
        window.end();
        outcome
    }

    /// Decides all that was read ahead, in order.
    fn decide(&mut self, window: &mut Window<'_>, output: &mut Output) -> Result<(), Stop> {
        self.accounts.read_ahead(window.records.iter().map(|seen| seen.hash));
        self.identities.read_ahead(window.records.iter().map(|seen| seen.told.identity));
        let mut from = 0;
        for Part { message, until, is_whole } in window.parts() {
            self.pass(message.at, output);
            // What is ahead counts as the minute in which the log took it, so that it follows from the message
            // alone. Its age is judged by the partition's time, as that by which identities are forgotten.
            let arrival = Arrival { now: message.at, first: self.now };
            for seen in &window.records[from..until] {
                match seen.read.usage() {
                    Ok(record) => self.record(&record, seen, message, arrival, output),
                    Err(why) => {
                        self.reject_malformed(message.value, message, seen.index, arrival, &why);
                    }
                }
            }
            if is_whole {
                self.taken(message, output);
            }
            from = until;
        }
        window.clear();
        self.broken.take().map_or(Ok(()), Err)
    }

    /// A message is done with.
    fn taken(&mut self, message: &Message<'_>, output: &mut Output) {
        self.first_offset.get_or_insert(message.offset.0);
        self.last_offset = message.offset.0;
        if self.lines_are_many {
            self.say_lines(output);
        }
    }

    /// Time goes on. At a quarter of an hour the batch is cut: all that arrived before goes out, and
    /// the mark behind it.
    pub(crate) fn pass(&mut self, at: Timestamp, output: &mut Output) {
        if at <= self.now {
            return;
        }
        if at.quarter() > self.marked {
            self.say_lines(output);
            let until = at.quarter();
            let mark = Mark { usage_partition: self.partition, until };
            let message = schemas::LEDGER.message(&LedgerMessage { at, input: mark.into() });
            for ledger in 0..self.options.topics.ledger_partitions {
                output.append(self.name(Topic::Ledger), ledger, message.clone());
            }
            self.learn(QuarterClosed { until }.into());
        }
        self.now = at;
    }

    /// Where nothing is taken because all of the memory is full, time goes on without messages as soon as it lets
    /// identities be forgotten; in a step of its own, so that the step says what time it was. What waits is judged by it.
    fn make_room(&mut self, now: Timestamp, output: &mut Output) {
        let kept_from = day_of(now.quarter().minus(self.identities_kept_for()));
        let forgets = now.quarter() > self.marked && kept_from > self.identities.kept_from();
        if self.identities.is_full() && forgets && !self.has_taken {
            self.pass(now, output);
            self.makes_room = true;
        }
    }

    fn fact(&mut self, fact: impl Into<MeteringFact>) {
        put_fact(&mut self.facts, &fact.into());
    }

    fn control(&mut self, control: UsageControl, message: &Message<'_>, output: &mut Output) {
        match control {
            UsageControl::Tick(tick) => self.pass(tick.at, output),
            UsageControl::PassedOn(passed) => {
                self.pass(passed.at, output);
                let arrival = Arrival { now: passed.at, first: passed.first_arrival };
                self.passed_on(&passed.message.0, message, arrival, output);
            }
            UsageControl::AccountRouted(routed) => {
                self.pass(routed.at, output);
                self.learn(routed.into());
            }
            UsageControl::AccountShut(shut) => {
                self.pass(shut.at, output);
                self.learn(shut.into());
            }
            UsageControl::Catalogue(catalogue) => {
                self.pass(catalogue.at, output);
                self.learn(catalogue.into());
            }
            UsageControl::SettingsInForce(settings) => {
                self.pass(settings.at, output);
                self.learn(settings.into());
            }
            UsageControl::VoidAsked(void) => {
                self.pass(void.at, output);
                self.void(void, message, output);
            }
        }
    }

    /// How long an identity may still be of use: two records of one are never further apart.
    fn identities_kept_for(&self) -> Span {
        let Settings { usage, rejects, .. } = &self.settings;
        usage.max_age.plus(rejects.replay_for).plus(Span::days(1))
    }

    /// Records a fact and applies it.
    pub(crate) fn learn(&mut self, fact: MeteringFact) {
        put_fact(&mut self.facts, &fact);
        self.known(fact);
    }

    /// Applies a fact.
    fn known(&mut self, fact: MeteringFact) {
        match fact {
            MeteringFact::TimeMoved(moved) => self.now = moved.at,
            MeteringFact::QuarterClosed(closed) => {
                self.marked = closed.until;
                let kept = self.identities_kept_for();
                self.identities.forget_before(day_of(closed.until.minus(kept)));
            }
            MeteringFact::Remembered(Remembered { total, checksum, kept_from_day }) => {
                self.remembered = Position { total, checksum };
                let day = i32::try_from(kept_from_day).unwrap_or(i32::MIN);
                self.identities.forget_before(day);
            }
            MeteringFact::AccountRouted(AccountRouted {
                account,
                ledger,
                number,
                currency,
                ..
            }) => {
                self.accounts
                    .open(account.as_str(), Route { ledger, number, currency, closed_at: None });
            }
            MeteringFact::AccountShut(shut) => {
                self.accounts.close(shut.account.as_str(), shut.closed_at)
            }
            MeteringFact::Catalogue(catalogue) => self.catalogue = Catalogue::new(catalogue.meters),
            MeteringFact::SettingsInForce(settings) => {
                if let Ok(parsed) = Settings::parse(&settings.document) {
                    self.settings = parsed;
                    self.settings_document = settings.document;
                }
            }
            // It was of use to that step only.
            MeteringFact::RecordReread(_) => {}
        }
    }

    fn passed_on(
        &mut self,
        value: &[u8],
        message: &Message<'_>,
        arrival: Arrival,
        output: &mut Output,
    ) {
        match self.translate(value, message, arrival, output) {
            Ok(true) => return,
            Ok(false) => {}
            Err(why) => {
                self.broken.get_or_insert(why);
                return;
            }
        }
        each_record(value, |index, read| {
            let seen = self.seen(index, read);
            match seen.read.usage() {
                Ok(record) => self.record(&record, &seen, message, arrival, output),
                Err(why) => self.reject_malformed(value, message, index, arrival, &why),
            }
        });
    }

    #[inline]
    fn seen<'a>(&self, index: u32, read: Read<'a>) -> Seen<'a> {
        let (hash, told) = match read.usage() {
            Ok(usage) => {
                (self.accounts.hash(usage.account), self.teller.tell(usage.identity, usage.content))
            }
            Err(_) => (0, Told::default()),
        };
        Seen { index, read, hash, told }
    }

    fn record(
        &mut self,
        record: &Usage<'_>,
        seen: &Seen<'_>,
        message: &Message<'_>,
        arrival: Arrival,
        output: &mut Output,
    ) {
        let Some(route) = self.accounts.find(seen.hash, record.account).copied() else {
            let home = self.home_of(record.account);
            if home == self.partition {
                self.reject(record, seen.index, message, arrival, Reject::UnknownAccount);
            } else {
                self.pass_on(record, home, arrival, output);
            }
            return;
        };
        match self.judge(record, route, arrival) {
            Ok(counted) => self.count(record, &counted, seen, message),
            Err(reason) => self.reject(record, seen.index, message, arrival, reason),
        }
    }

    /// Whether a record of a known account can be used, and as what: the first reason that holds, in the
    /// order of R2.3.
    fn judge(&self, record: &Usage<'_>, route: Route, arrival: Arrival) -> Result<Counted, Reject> {
        if route.closed_at.is_some_and(|closed| record.time.min(arrival.now) >= closed) {
            return Err(Reject::AccountClosed);
        }
        let meter = self.catalogue.meter(record.product, record.meter)?;
        let used = record.time.min(arrival.now).minute();
        if !self.catalogue.has_price(meter, record.region, route.currency, used) {
            return Err(Reject::NoPrice);
        }
        let used = dated(record.time, record.quantity, arrival, &self.settings)?;
        // Whenever it was first seen: what was counted of that day is forgotten, so nobody can tell whether it was.
        if day_of(record.time) < self.identities.kept_from() {
            return Err(Reject::TooOld);
        }
        Ok(Counted { route, meter, used, arrived: arrival.now })
    }

    fn count(
        &mut self,
        record: &Usage<'_>,
        counted: &Counted,
        seen: &Seen<'_>,
        message: &Message<'_>,
    ) {
        let (told, index) = (seen.told, seen.index);
        let known = match self.identities.look(told) {
            Ok(known) => known,
            Err(trouble) => {
                self.broken.get_or_insert(stop(trouble));
                return;
            }
        };
        match known {
            Known::Duplicate => self.duplicates += 1,
            Known::Conflict => {
                let arrival = Arrival::fresh(self.now);
                self.reject(record, index, message, arrival, Reject::ConflictingDuplicate);
            }
            Known::New => {
                self.identities.remember(told, record.time, message.offset.0, index);
                if self.catalogue.measure(counted.meter).is_some() {
                    return self.measure(record, counted);
                }
                let Some(lines) = self.lines.get_mut(counted.route.ledger as usize) else { return };
                let region = lines.region(record.region);
                lines.push(
                    counted.route.number,
                    counted.meter,
                    region,
                    counted.used,
                    record.quantity,
                    1,
                );
                self.lines_are_many |= lines.bytes() >= MESSAGE_BYTES;
            }
        }
    }

    /// Counts a record whose value counts, not its sum with others.
    #[cold]
    fn measure(&mut self, record: &Usage<'_>, counted: &Counted) {
        let Some(measure) = self.catalogue.measure(counted.meter) else { return };
        let Counted { route, meter, used, arrived } = *counted;
        let value = value_of(measure, record, moment(record.time, arrived), &self.teller);
        let region = record.region.map(Into::into);
        let measured = self.measured.entry(route.ledger).or_default();
        measured.push(Place { account: route.number, meter, region, used }, value);
        self.lines_are_many |= measured.bytes() >= MESSAGE_BYTES;
    }

    pub(crate) fn home_of(&self, account: &str) -> u32 {
        partition_of(account.as_bytes(), self.options.topics.usage_partitions)
    }

    pub(crate) fn pass_on(
        &mut self,
        record: &Usage<'_>,
        home: u32,
        arrival: Arrival,
        output: &mut Output,
    ) {
        let message = Bytes(message_of(record));
        let passed = PassedOn { at: self.now, first_arrival: arrival.first, message };
        let topic = self.name(Topic::Usage);
        let control = UsageControl::PassedOn(passed);
        let signed = self.options.secret.sign(topic, schemas::USAGE_CONTROL.message(&control));
        output.append(topic, home, signed);
    }

    fn reached(&self) -> Remembered {
        let Position { total, checksum } = self.identities.reached();
        Remembered { total, checksum, kept_from_day: self.identities.kept_from().into() }
    }

    pub(crate) fn say_lines(&mut self, output: &mut Output) {
        let first = self.first_offset.unwrap_or(self.last_offset);
        for (lines, ledger) in self.lines.iter_mut().zip(0u32..) {
            if lines.is_empty() {
                continue;
            }
            let mut message = Vec::with_capacity(64);
            avro::put_header(&mut message, schemas::LEDGER.fingerprint());
            lines.finish(&mut message, self.now, self.partition, first, self.last_offset);
            output.append(self.options.topics.name(Topic::Ledger), ledger, message);
        }
        self.say_measured(first, output);
        self.first_offset = None;
        self.lines_are_many = false;
    }

    fn say_measured(&mut self, first_offset: i64, output: &mut Output) {
        for (ledger, measured) in &mut self.measured {
            if measured.is_empty() {
                continue;
            }
            let input = Measured {
                usage_partition: self.partition,
                first_offset,
                last_offset: self.last_offset,
                lines: measured.take(),
            };
            let message = LedgerMessage { at: self.now, input: input.into() };
            let message = schemas::LEDGER.message(&message);
            output.append(self.options.topics.name(Topic::Ledger), *ledger, message);
        }
    }

    /// Rejects go out whole, so a few may be as large as many.
    fn say_rejects(&mut self, output: &mut Output) {
        let mut rejects = std::mem::take(&mut self.rejects).into_iter().peekable();
        while rejects.peek().is_some() {
            let (mut bytes, mut some) = (0, Vec::new());
            while let Some(reject) = rejects.next_if(|_| bytes < MESSAGE_BYTES) {
                bytes += reject.message.0.len();
                some.push(reject);
            }
            let message = schemas::REJECTS.message(&Rejects { rejects: some });
            output.append(self.name(Topic::Rejects), self.partition, message);
        }
    }
}

/// What a record that can be used counts as.
struct Counted {
    route: Route,
    meter: u32,
    used: Minute,
    arrived: Timestamp,
}

fn facts_of(delta: &[u8]) -> Result<impl Iterator<Item = MeteringFact> + use<>, Stop> {
    let MeteringDelta { facts } = avro::decode(delta)
        .map_err(|error| Stop::Broken(format!("a delta of metering cannot be read: {error}")))?;
    Ok(facts.into_iter())
}

fn reread(fact: MeteringFact) -> Option<RecordReread> {
    match fact {
        MeteringFact::RecordReread(reread) => Some(reread),
        _ => None,
    }
}

fn moved(fact: MeteringFact) -> Option<Timestamp> {
    match fact {
        MeteringFact::TimeMoved(moved) => Some(moved.at),
        _ => None,
    }
}

/// Appends a fact to a delta, in a block of its own.
fn put_fact(delta: &mut Vec<u8>, fact: &MeteringFact) {
    avro::put_long(delta, 1);
    avro::encode_into(delta, fact);
}

impl Station for Metering {
    const DELTA: &'static Schema = &schemas::METERING_DELTA;
    const PIECE: &'static Schema = &schemas::METERING_PIECE;
    /// Accounts are in the order in which they were heard of, and whoever loads hears of some beside the pieces.
    const PIECES_KEEP_THEIR_ORDER: bool = false;

    fn take(&mut self, input: Input<'_>, output: &mut Output) -> Result<(), Stop> {
        self.has_taken = true;
        let mut window = Window::default();
        for message in input.messages {
            match self.options.secret.open(self.name(Topic::Usage), message.value) {
                None if self.registered.is_some() && split_registered(message.value).is_some() => {
                    self.decide(&mut window, output)?;
                    self.pass(message.at, output);
                    let arrival = Arrival { now: message.at, first: self.now };
                    self.translate(message.value, message, arrival, output)?;
                    self.taken(message, output);
                }
                None => self.read_ahead(message, &mut window, output)?,
                Some(opened) => {
                    self.decide(&mut window, output)?;
                    self.signed(opened, message, output)?;
                }
            }
        }
        self.decide(&mut window, output)
    }

    fn idle(&mut self, now: Timestamp, output: &mut Output) -> Result<bool, Stop> {
        let silent_since = self.now.max(self.ticked);
        if self.options.tick_every.is_some_and(|every| now >= silent_since.plus(every)) {
            self.ticked = now;
            let topic = self.name(Topic::Usage);
            let tick = schemas::USAGE_CONTROL.message(&UsageControl::Tick(Tick { at: now }));
            let tick = self.options.secret.sign(topic, tick);
            output.append(topic, self.partition, tick);
        }
        self.identities.settle().map_err(stop)?;
        if self.identities.waits_for_a_commit() {
            output.hurry();
        }
        self.make_room(now, output);
        Ok(false)
    }

    fn time(&self) -> Timestamp {
        self.now
    }

    fn unsaid_bytes(&self) -> usize {
        let measured: usize = self.measured.values().map(MeasuredLines::bytes).sum();
        let lines: usize = self.lines.iter().map(LinesBuilder::bytes).sum();
        lines + measured + self.identities.unsaid_bytes()
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), Stop> {
        self.say_lines(output);
        if let Some(registered) = &mut self.registered {
            registered.forget_unknown();
        }
        let packed = self.identities.take_packed();
        if !packed.is_empty() {
            self.fact(self.reached());
        }
        for message in packed {
            output.append(self.name(Topic::Identities), self.partition, message);
        }
        self.say_rejects(output);
        self.fact(TimeMoved { at: self.now });
        self.has_taken = false;
        output.delta().append(&mut self.facts);
        avro::put_long(output.delta(), 0);
        Ok(())
    }

    fn committed(&mut self) -> Result<(), Stop> {
        let (log, topic) = (&self.options.log, self.options.topics.name(Topic::Identities));
        let partition = self.partition;
        self.identities.committed(|| log.bounds(topic, partition).ok().map(|bounds| bounds.end));
        self.makes_room &= !self.identities.has_forgotten();
        self.identities.settle().map_err(stop)
    }

    fn holds(&self) -> Option<Held> {
        if self.makes_room {
            return Some(Held::Waits("identities are being forgotten to make room".to_owned()));
        }
        self.identities.full().map(Held::Stands)
    }

    /// What was read again then may be kept no longer, and what time it was without a message no message says.
    fn decide_again(
        &mut self,
        input: Input<'_>,
        delta: &[u8],
        output: &mut Output,
    ) -> Result<(), Stop> {
        self.reread_then = facts_of(delta)?.filter_map(reread).collect();
        if input.messages.is_empty() {
            facts_of(delta)?.filter_map(moved).for_each(|at| self.pass(at, output));
        }
        self.take(input, output)?;
        self.finish(output)
    }

    fn apply(&mut self, delta: &[u8]) -> Result<(), Stop> {
        facts_of(delta)?.for_each(|fact| self.known(fact));
        Ok(())
    }

    fn piece(&self, place: &[u8], bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        let from = place.try_into().map_or(0, usize::from_be_bytes);
        let mut facts = Vec::new();
        if from == 0 {
            facts.push(TimeMoved { at: self.now }.into());
            // By the settings a quarter's end forgets identities, so they come first.
            let document = self.settings_document.clone();
            facts.push(SettingsInForce { at: self.now, document }.into());
            facts.push(QuarterClosed { until: self.marked }.into());
            facts.push(self.reached().into());
            let meters = self.catalogue.listed().to_vec();
            facts.push(drawdown_wire::messages::Catalogue { at: self.now, meters }.into());
        }
        let most = bytes_max.div_euclid(ACCOUNT_BYTES).max(1);
        let accounts = self.accounts.in_order();
        for Account { name, route } in accounts.iter().skip(from).take(most) {
            let Ok(account) = name.parse::<drawdown_domain::ids::AccountId>() else { continue };
            let Route { ledger, number, currency, closed_at } = *route;
            let at = self.now;
            facts.push(
                AccountRouted { at, account: account.clone(), ledger, number, currency }.into(),
            );
            if let Some(closed_at) = closed_at {
                facts.push(drawdown_wire::messages::AccountShut { at, account, closed_at }.into());
            }
        }
        let after = from.saturating_add(most);
        let after = (after < accounts.len()).then(|| after.to_be_bytes().to_vec());
        (avro::encode(&MeteringPiece { facts }), after)
    }

    fn load(&mut self, piece: &[u8]) -> Result<(), Stop> {
        let piece: MeteringPiece = avro::decode(piece).map_err(|error| {
            Stop::Broken(format!("a piece of metering cannot be read: {error}"))
        })?;
        for fact in piece.facts {
            self.known(fact);
        }
        Ok(())
    }

    /// Identities are kept on their topic for as long as they are of use today. In an earlier step some
    /// were of use that are gone by now.
    fn decided_again_from(&self) -> Result<Timestamp, Stop> {
        let (log, topic) = (&self.options.log, self.options.topics.name(Topic::Identities));
        let bounds = log.bounds(topic, self.partition)?;
        if bounds.first == Next::START {
            return Ok(Timestamp::START);
        }
        let mut oldest = Timestamp::END;
        log.scan(topic, self.partition, bounds.first, bounds.stable, &mut |message| {
            oldest = message.at;
            false
        })?;
        // They are forgotten day by day, and some were used a little after they came.
        let of_use = self.identities_kept_for().plus(Span::days(1));
        Ok(oldest.plus(of_use.plus(self.settings.usage.max_ahead)))
    }

    fn restored(&mut self) -> Result<(), Stop> {
        let topic = self.options.topics.name(Topic::Identities).to_owned();
        let log = self.options.log.clone();
        self.identities.restore(&*log, &topic, self.remembered)
    }
}
