//! What metering and the registry say to the ledgers: decided again on one side, read on the other, and
//! held together by a chain of hashes, so that neither side has to be read twice.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use drawdown_domain::time::Timestamp;
use drawdown_log::{Next, Offset};
use drawdown_wire::avro;
use drawdown_wire::lines::open_lines;
use drawdown_wire::messages::{LedgerInput, LedgerMessage};
use drawdown_wire::schemas;

use super::reader::{Held, Reader};

/// Who says something to a ledger, beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Registry,
    /// Metering, with one partition of usage.
    Metering(u32),
}

/// A message to a ledger, as far as it concerns whence it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) source: Source,
    /// By this both sides find the same place: a mark's end, or a command's number. It only grows.
    pub(super) sign: Option<i64>,
    /// The last message of the source's input that it stands for.
    offset: Option<i64>,
    at: Timestamp,
}

/// Who says a message; none if it cannot be read, or is a ledger's own tick.
pub(super) fn spoken(message: &[u8]) -> Option<Spoken> {
    let value = schemas::LEDGER.value(message).ok()?;
    if let Some((header, _)) = open_lines(&value).ok()? {
        let source = Source::Metering(header.usage_partition);
        return Some(Spoken {
            source,
            sign: None,
            offset: Some(header.last_offset),
            at: header.at,
        });
    }
    let LedgerMessage { at, input } = avro::decode(&value).ok()?;
    let (source, sign, offset) = match input {
        LedgerInput::Mark(mark) => {
            (Source::Metering(mark.usage_partition), Some(mark.until.as_micros()), None)
        }
        LedgerInput::Admitted(admitted) => {
            let number = i64::try_from(admitted.number).ok()?;
            (Source::Registry, Some(number), Some(number))
        }
        LedgerInput::Measured(measured) => {
            (Source::Metering(measured.usage_partition), None, Some(measured.last_offset))
        }
        LedgerInput::RecordVoided(voided) => {
            (Source::Metering(voided.usage_partition), None, Some(voided.asked_at_offset))
        }
        LedgerInput::VoidRefused(void) => {
            (Source::Metering(void.usage_partition), None, Some(void.asked_at_offset))
        }
        LedgerInput::PriceChanges(_)
        | LedgerInput::PricesComplete(_)
        | LedgerInput::NewSettings(_)
        | LedgerInput::InvoiceNumbered(_) => (Source::Registry, None, None),
        // What a gateway says is decided by nobody here; what ledgers say to each other is held against both
        // (`crossings`).
        LedgerInput::Lines(_)
        | LedgerInput::TimeOnly(_)
        | LedgerInput::PaymentAnswered(_)
        | LedgerInput::Crossing(_) => return None,
    };
    Some(Spoken { source, sign, offset, at })
}

/// Messages in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Chain {
    count: u64,
    hash: u64,
}

impl Chain {
    fn add(&mut self, message: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.hash);
        hasher.write(message);
        (self.count, self.hash) = (self.count.wrapping_add(1), hasher.finish());
    }
}

/// From where on a source and a ledger are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// Everything that was ever said.
    Start,
    /// From the message with this sign on.
    Sign(i64),
    /// Not yet: some of what was said is not decided again.
    Unknown,
}

/// What a source was decided again to say to one ledger.
#[derive(Clone, Copy, Debug)]
struct ToLedger {
    since: Since,
    chain: Chain,
    /// Signs below this are no longer kept by the ledger.
    kept_from: i64,
}

/// What a source was decided again to say.
#[derive(Clone, Debug)]
pub(super) struct Saying {
    ledgers: Vec<ToLedger>,
    /// How far it was decided again: in its input, by its last sign, and in time.
    until: Next,
    sign: i64,
    at: Timestamp,
}

impl Saying {
    /// Nothing yet. `kept_from` has for each ledger the oldest sign of this source that is kept, if
    /// older messages are not.
    pub(super) fn new(kept_from: &[Option<i64>]) -> Saying {
        let to_ledger = |kept: &Option<i64>| ToLedger {
            since: Since::Unknown,
            chain: Chain::default(),
            kept_from: kept.unwrap_or(i64::MIN),
        };
        let ledgers = kept_from.iter().map(to_ledger).collect();
        Saying { ledgers, until: Next::START, sign: i64::MIN, at: Timestamp::START }
    }

    /// Everything the source ever said will be decided again.
    pub(super) fn begin_at_the_start(&mut self) {
        for ledger in self.ledgers.iter_mut().filter(|ledger| ledger.kept_from == i64::MIN) {
            ledger.since = Since::Start;
        }
    }

    /// Something was said that is not decided again.
    pub(super) fn lose_place(&mut self) {
        for ledger in &mut self.ledgers {
            (ledger.since, ledger.chain) = (Since::Unknown, Chain::default());
        }
    }

    /// This was decided to be said to a ledger. Whether it is compared.
    pub(super) fn say(&mut self, ledger: u32, message: &[u8]) -> bool {
        let Some(spoken) = spoken(message) else { return false };
        self.at = self.at.max(spoken.at);
        self.sign = self.sign.max(spoken.sign.unwrap_or(i64::MIN));
        let Some(ledger) = self.ledgers.get_mut(ledger as usize) else { return false };
        if let (Since::Unknown, Some(sign)) = (ledger.since, spoken.sign)
            && sign >= ledger.kept_from
        {
            ledger.since = Since::Sign(sign);
        }
        if ledger.since == Since::Unknown {
            return false;
        }
        ledger.chain.add(message);
        true
    }

    /// A step was decided again.
    pub(super) fn reach(&mut self, next: Next) {
        self.until = next;
    }

    /// Whether a message on a ledger is one that was to be decided again.
    fn covers(&self, spoken: &Spoken) -> bool {
        match (spoken.offset, spoken.sign) {
            (Some(offset), _) => offset < self.until.0,
            (None, Some(sign)) => sign <= self.sign,
            (None, None) => spoken.at <= self.at,
        }
    }
}

/// What all sources were decided again to say.
pub(super) type Sayings = BTreeMap<Source, Saying>;

/// What one ledger has heard of them.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    ledger: u32,
    sayings: Sayings,
    chains: BTreeMap<Source, Chain>,
}

impl Heard {
    pub(super) fn new(ledger: u32, sayings: &Sayings) -> Heard {
        Heard { ledger, sayings: sayings.clone(), chains: BTreeMap::new() }
    }

    /// A message of the ledger. Whose it is, if it is compared with what that source was decided to say.
    pub(super) fn take(&mut self, held: &Held) -> Option<Source> {
        let spoken = spoken(&held.value)?;
        let saying = self.sayings.get(&spoken.source)?;
        let since = saying.ledgers.get(self.ledger as usize)?.since;
        let begins = match since {
            Since::Start => true,
            Since::Sign(sign) => spoken.sign == Some(sign),
            Since::Unknown => false,
        };
        if begins {
            self.chains.entry(spoken.source).or_default();
        }
        let chain = self.chains.get_mut(&spoken.source).filter(|_| saying.covers(&spoken))?;
        chain.add(&held.value);
        Some(spoken.source)
    }

    /// How many messages were compared, and the sources that were decided to say something else.
    pub(super) fn finish(&self) -> (u64, Vec<Source>) {
        let (mut compared, mut unlike) = (0, Vec::new());
        for (source, saying) in &self.sayings {
            let Some(decided) = saying.ledgers.get(self.ledger as usize) else { continue };
            let heard = self.chains.get(source).copied().unwrap_or_default();
            if decided.chain == heard {
                compared += heard.count;
            } else {
                unlike.push(*source);
            }
        }
        (compared, unlike)
    }
}

/// So many messages are looked through for the oldest sign of every source.
const LOOKED_THROUGH_MAX: usize = 100_000;

/// The oldest sign of each source that a ledger keeps, if it has forgotten older messages. A source
/// without a sign among the first messages is not compared there.
pub(super) fn oldest_signs(
    mut reader: Reader,
    sources: &[Source],
) -> anyhow::Result<BTreeMap<Source, i64>> {
    let mut signs = BTreeMap::new();
    if reader.first == Next::START {
        return Ok(signs);
    }
    for _ in 0..LOOKED_THROUGH_MAX {
        let Some(held) = reader.pop()? else { break };
        if let Some(Spoken { source, sign: Some(sign), .. }) = spoken(&held.value) {
            signs.entry(source).or_insert(sign);
        }
        if signs.len() == sources.len() {
            break;
        }
    }
    for source in sources {
        signs.entry(*source).or_insert(i64::MAX);
    }
    Ok(signs)
}

/// Where a ledger first differs from what a source was decided to say: both are shown again, message
/// by message.
#[derive(Debug)]
pub(super) struct Search {
    reader: Reader,
    heard: Heard,
    source: Source,
    pub(super) found: Option<(Option<Offset>, String)>,
}

impl Search {
    pub(super) fn new(reader: Reader, source: Source, sayings: &Sayings) -> Search {
        let heard = Heard::new(reader.partition, sayings);
        Search { reader, heard, source, found: None }
    }

    fn next(&mut self) -> anyhow::Result<Option<Held>> {
        while let Some(held) = self.reader.pop()? {
            if self.heard.take(&held) == Some(self.source) {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }

    /// This was decided to be said next, and is compared.
    pub(super) fn expect(&mut self, message: &[u8]) -> anyhow::Result<()> {
        if self.found.is_some() {
            return Ok(());
        }
        let found = self.next()?;
        if found.as_ref().is_some_and(|held| held.value == message) {
            return Ok(());
        }
        let shown_there = found.as_ref().map_or("nothing".to_owned(), |held| shown(&held.value));
        let what =
            format!("{:?} said {shown_there}, decided again {}", self.source, shown(message));
        self.found = Some((found.map(|held| held.offset), what));
        Ok(())
    }

    /// Nothing more was decided.
    pub(super) fn finish(mut self) -> anyhow::Result<Option<(Option<Offset>, String)>> {
        if self.found.is_none()
            && let Some(held) = self.next()?
        {
            let what = format!("{:?} was not decided to say {}", self.source, shown(&held.value));
            self.found = Some((Some(held.offset), what));
        }
        Ok(self.found)
    }
}

/// So much of a message is shown.
const SHOWN_MAX: usize = 600;

fn shown(message: &[u8]) -> String {
    let text = schemas::LEDGER
        .read::<LedgerMessage>(message)
        .ok()
        .and_then(|message| serde_json::to_string(&message).ok());
    let text = text.unwrap_or_else(|| format!("{} bytes that cannot be read", message.len()));
    text.chars().take(SHOWN_MAX).collect()
}
