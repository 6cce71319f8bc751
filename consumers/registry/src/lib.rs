//! REGISTRY: claims what is unique over all enterprises and forwards commands to their ledgers.

use std::hash::Hasher;

use drawdown_domain::commands::{ClaimRemittance, Command, ReceiveRemittance};
use drawdown_domain::ids::{EnterpriseId, PrincipalId, Text};
use drawdown_domain::record;
use drawdown_domain::refusal::Refusal;
use drawdown_domain::registry::{
    Admission, Asked, KeyHash, Numberless, Place, Registry as State, RegistryFact,
};
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::Message;
use drawdown_runtime::{Input, Output, Station, Stop};
use drawdown_wire::avro;
use drawdown_wire::content::content_of;
use drawdown_wire::messages::{
    Admitted, Bytes, Catalogue, CommandControl, CommandMessage, InvoiceNumbered, LedgerInput,
    LedgerMessage, MeterOffered, NewSettings, NumberWanted, Outcome, Outcomes, PriceChanges,
    PricesComplete, RemittanceNow, SettingsInForce, Tick, UsageControl,
};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas::{self, Schema};
use drawdown_wire::signature::Secret;
use drawdown_wire::state::{RegistryDelta, RegistryPart};
use drawdown_wire::topics::{Topic, Topics};
use siphasher::sip128::{Hasher128, SipHasher24};

/// What the registry is told.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    pub topics: Topics,
    pub secret: Secret,
    /// How often it tells itself the time when nothing else does; none: never.
    pub tick_every: Option<Span>,
}

record! {
    /// How a command begins.
    pub struct Asker {
        pub principal: PrincipalId,
        pub key: Option<Text>,
        pub origin: Option<Text>,
    }
}

/// The registry's one partition.
#[derive(Debug)]
pub struct Registry {
    options: RegistryOptions,
    state: State,
    facts: Vec<u8>,
    outcomes: Vec<Outcome>,
    /// Bank transfers that changed since the last step.
    remittances: Vec<RemittanceNow>,
    ticked: Timestamp,
}

/// What a command is called that cannot be read.
const UNREADABLE: &str = "unreadable";
/// Price changes go ahead in messages of so many.
const CHANGES_PER_MESSAGE: usize = 500;

impl Registry {
    pub fn new(options: RegistryOptions) -> Registry {
        Registry {
            options,
            state: State::default(),
            facts: Vec::new(),
            outcomes: Vec::new(),
            remittances: Vec::new(),
            ticked: Timestamp::START,
        }
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    fn name(&self, topic: Topic) -> &str {
        self.options.topics.name(topic)
    }

    fn message(&mut self, message: &Message<'_>, output: &mut Output) -> Result<(), Stop> {
        match self.options.secret.open(self.name(Topic::Commands), message.value) {
            Some(Ok(payload)) => {
                let control = schemas::COMMAND_CONTROL.read(&payload).map_err(|error| {
                    Stop::Broken(format!("a control record of ours cannot be read: {error}"))
                })?;
                self.control(control, output);
            }
            Some(Err(forged)) => {
                self.pass(message.at);
                self.unread(message, None, forged.to_string(), output);
            }
            None => {
                self.pass(message.at);
                self.command(message, output);
            }
        }
        Ok(())
    }

    fn pass(&mut self, at: Timestamp) {
        let facts = &mut self.facts;
        self.state.pass(at, &mut |fact| put_fact(facts, fact));
    }

    fn control(&mut self, control: CommandControl, output: &mut Output) {
        match control {
            CommandControl::Tick(tick) => self.pass(tick.at),
            CommandControl::Settled(settled) => {
                self.pass(settled.at);
                let claimed = self.state.remittance_claimed_by(settled.command).cloned();
                let facts = &mut self.facts;
                let put = &mut |fact: &RegistryFact| put_fact(facts, fact);
                self.state.settle(settled.command, settled.accepted, put);
                claimed.iter().for_each(|reference| self.tell_remittance(reference));
            }
            CommandControl::NumberWanted(wanted) => {
                self.pass(wanted.at);
                self.number(&wanted, output);
            }
        }
    }

    /// An invoice is issued by its number.
    fn number(&mut self, wanted: &NumberWanted, output: &mut Output) {
        let NumberWanted { ledger, invoice, issuer_country, kind, .. } = *wanted;
        let facts = &mut self.facts;
        let asks = Numberless { ledger, invoice, issuer_country, kind };
        let number = self.state.number(asks, &mut |fact| put_fact(facts, fact));
        self.tell_ledger(ledger, InvoiceNumbered { invoice, number }.into(), output);
    }

    fn command(&mut self, message: &Message<'_>, output: &mut Output) {
        output.hurry();
        let value = match schemas::COMMAND.value(message.value) {
            Ok(value) => value,
            Err(why) => return self.unread(message, None, why.to_string(), output),
        };
        match avro::decode(&value) {
            Ok(asked) => self.asked(number_of(message), asked, output),
            Err(why) => {
                let asker = avro::decode_prefix(&value).ok().map(|(asker, _)| asker);
                self.unread(message, asker, why.to_string(), output);
            }
        }
    }

    /// Whoever asked in a way that cannot be read is answered as far as he is known (R11.4). No key is
    /// taken: under it the same may be asked again, mended.
    fn unread(
        &mut self,
        message: &Message<'_>,
        asker: Option<Asker>,
        why: String,
        output: &mut Output,
    ) {
        output.hurry();
        let unknown = Asker { principal: PrincipalId::unknown(), key: None, origin: None };
        let Asker { principal, key, origin } = asker.unwrap_or(unknown);
        self.outcomes.push(Outcome {
            command: number_of(message),
            at: self.state.now(),
            principal,
            key,
            origin,
            name: UNREADABLE.to_owned(),
            refused: Some(Refusal::Malformed),
            detail: Some(why),
            repeats: None,
        });
    }

    fn asked(&mut self, number: u64, message: CommandMessage, output: &mut Output) {
        let CommandMessage { principal, key, origin, command } = message;
        let key_hash = key.as_ref().map(|key| key_hash(principal.as_str(), key.as_str()));
        let content = content_hash(&content_of(&command));
        let facts = &mut self.facts;
        let asked =
            Asked { number, key: key_hash, content, principal: &principal, command: &command };
        let admission = self.state.ask(asked, &mut |fact| put_fact(facts, fact));
        match (&command, &admission) {
            (Command::ReceiveRemittance(ReceiveRemittance { reference, .. }), Admission::Done)
            | (Command::ClaimRemittance(ClaimRemittance { reference, .. }), Admission::Carry(..)) =>
            {
                self.tell_remittance(reference);
            }
            _ => {}
        }
        let name = command.name().to_owned();
        let mut outcome = Outcome {
            command: number,
            at: self.state.now(),
            principal: principal.clone(),
            key: key.clone(),
            origin: origin.clone(),
            name,
            refused: None,
            detail: None,
            repeats: None,
        };
        let (carries, payer, invoice) = (None, None, None);
        let mut admitted =
            Admitted { number, principal, key, origin, command, carries, payer, invoice };
        match admission {
            Admission::Forward(enterprise) => return self.forward(&enterprise, admitted, output),
            Admission::Carry(enterprise, currency) => {
                admitted.carries = Some(currency);
                return self.forward(&enterprise, admitted, output);
            }
            Admission::Invoice { ledger, invoice } => {
                admitted.invoice = Some(invoice);
                return self.tell_ledger(ledger, admitted.into(), output);
            }
            Admission::Ask(enterprise, payer) => {
                admitted.payer = Some(Box::new(payer));
                return self.forward(&enterprise, admitted, output);
            }
            Admission::Done => {}
            Admission::Prices(changes) => self.tell_prices(&changes, output),
            Admission::Settings(document) => self.tell_settings(&document, output),
            Admission::Repeats(first) => outcome.repeats = Some(first),
            Admission::Refused(refusal, detail) => {
                outcome.refused = Some(refusal);
                let (principal, command) = (&admitted.principal, &admitted.command);
                let asked = Asked { number, key: key_hash, content, principal, command };
                outcome.detail = detail.or_else(|| self.state.why(&asked, refusal));
            }
        }
        self.outcomes.push(outcome);
    }

    fn tell_remittance(&mut self, reference: &Text) {
        let Some(remittance) = self.state.remittance(reference) else { return };
        self.remittances.push(RemittanceNow { at: self.state.now(), remittance: remittance.row() });
    }

    /// The ledger of an enterprise decides.
    fn forward(&self, enterprise: &EnterpriseId, admitted: Admitted, output: &mut Output) {
        let ledgers = self.options.topics.ledger_partitions;
        let ledger = partition_of(enterprise.as_str().as_bytes(), ledgers);
        self.tell_ledger(ledger, admitted.into(), output);
    }

    fn tell_ledger(&self, ledger: u32, input: LedgerInput, output: &mut Output) {
        let message = LedgerMessage { at: self.state.now(), input };
        output.append(self.name(Topic::Ledger), ledger, schemas::LEDGER.message(&message));
    }

    fn tell_prices(&self, changes: &[drawdown_domain::rating::Change], output: &mut Output) {
        for ledger in 0..self.options.topics.ledger_partitions {
            for changes in changes.chunks(CHANGES_PER_MESSAGE) {
                self.tell_ledger(ledger, PriceChanges { changes: changes.to_vec() }.into(), output);
            }
            self.tell_ledger(
                ledger,
                PricesComplete { loads: self.state.book().loads() }.into(),
                output,
            );
        }
        let meters = self.state.book().offers().map(|(meter, offers)| MeterOffered {
            product: meter.product.clone(),
            meter: meter.meter.clone(),
            offers,
            aggregate: meter.aggregate,
            tag: meter.tag.clone(),
        });
        let catalogue = Catalogue { at: self.state.now(), meters: meters.collect() };
        self.tell_metering(&catalogue.into(), output);
    }

    fn tell_settings(&self, document: &str, output: &mut Output) {
        for ledger in 0..self.options.topics.ledger_partitions {
            self.tell_ledger(ledger, NewSettings { document: document.to_owned() }.into(), output);
        }
        let settings = SettingsInForce { at: self.state.now(), document: document.to_owned() };
        self.tell_metering(&settings.into(), output);
    }

    fn tell_metering(&self, control: &UsageControl, output: &mut Output) {
        let topic = self.name(Topic::Usage);
        for partition in 0..self.options.topics.usage_partitions {
            let message = self.options.secret.sign(topic, schemas::USAGE_CONTROL.message(control));
            output.append(topic, partition, message);
        }
    }
}

fn number_of(message: &Message<'_>) -> u64 {
    u64::try_from(message.offset.0).unwrap_or(u64::MAX)
}

fn key_hash(principal: &str, key: &str) -> KeyHash {
    let mut hasher = SipHasher24::new();
    hasher.write_usize(principal.len());
    hasher.write(principal.as_bytes());
    hasher.write(key.as_bytes());
    let hash = hasher.finish128();
    KeyHash(hash.h1, hash.h2)
}

fn content_hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(bytes);
    hasher.finish128().h1
}

/// Appends a fact to a delta, in a block of its own.
fn put_fact(delta: &mut Vec<u8>, fact: &RegistryFact) {
    avro::put_long(delta, 1);
    avro::encode_into(delta, fact);
}

/// About as much as a claim, an id with its enterprise, or a key takes in a piece.
const BYTES_EACH: usize = 96;

impl Station for Registry {
    const DELTA: &'static Schema = &schemas::REGISTRY_DELTA;
    const PIECE: &'static Schema = &schemas::REGISTRY_PIECE;
    const PIECES_KEEP_THEIR_ORDER: bool = true;

    fn take(&mut self, input: Input<'_>, output: &mut Output) -> Result<(), Stop> {
        for message in input.messages {
            self.message(message, output)?;
        }
        Ok(())
    }

    fn idle(&mut self, now: Timestamp, output: &mut Output) -> Result<bool, Stop> {
        let silent_since = self.state.now().max(self.ticked);
        if self.options.tick_every.is_some_and(|every| now >= silent_since.plus(every)) {
            self.ticked = now;
            let topic = self.name(Topic::Commands);
            let tick = CommandControl::Tick(Tick { at: now });
            let message = self.options.secret.sign(topic, schemas::COMMAND_CONTROL.message(&tick));
            output.append(topic, 0, message);
        }
        Ok(false)
    }

    fn time(&self) -> Timestamp {
        self.state.now()
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), Stop> {
        if !self.outcomes.is_empty() || !self.remittances.is_empty() {
            let (outcomes, remittances) =
                (std::mem::take(&mut self.outcomes), std::mem::take(&mut self.remittances));
            let outcomes = Outcomes { outcomes, remittances };
            output.append(self.name(Topic::Outcomes), 0, schemas::OUTCOMES.message(&outcomes));
        }
        if !self.facts.is_empty() {
            output.delta().append(&mut self.facts);
            avro::put_long(output.delta(), 0);
        }
        Ok(())
    }

    fn apply(&mut self, delta: &[u8]) -> Result<(), Stop> {
        if delta.is_empty() {
            return Ok(());
        }
        let RegistryDelta { facts } = avro::decode(delta).map_err(|error| {
            Stop::Broken(format!("a delta of the registry cannot be read: {error}"))
        })?;
        facts.iter().for_each(|fact| self.state.apply(fact));
        Ok(())
    }

    fn piece(&self, place: &[u8], bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        let most = bytes_max.div_euclid(BYTES_EACH);
        let at = if place.is_empty() { Some(Place::Shared) } else { avro::decode(place).ok() };
        let (piece, after) = self.state.piece(&at.unwrap_or(Place::Shared), most);
        let next = after.as_ref().map(avro::encode);
        (avro::encode(&RegistryPart { piece, after: next.clone().map(Bytes) }), next)
    }

    fn load(&mut self, piece: &[u8]) -> Result<(), Stop> {
        let unreadable = |error: avro::NotDecodable| {
            Stop::Broken(format!("a piece of the registry cannot be read: {error}"))
        };
        let RegistryPart { piece, after } = avro::decode(piece).map_err(unreadable)?;
        let after = after.map(|Bytes(place)| avro::decode(&place)).transpose();
        let after = after.map_err(unreadable)?;
        self.state.load(piece, after).map_err(|error| Stop::Broken(error.to_string()))
    }

    fn restored(&mut self) -> Result<(), Stop> {
        Ok(())
    }
}
