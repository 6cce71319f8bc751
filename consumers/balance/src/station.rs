//! The station: one ledger, and what it reads and says.

use drawdown_domain::commands::{Asked, Command};
use drawdown_domain::ids::RegionId;
use drawdown_domain::ledger::{
    AccountNumber, Answer, EnterpriseNumber, Fact, Ledger, Line, PieceInPlace, Place,
    PricesArrived, PricesInForce, RegionNumber, SettingsChanged, Undecided, WalletNumber,
    wallet_of_draft,
};
use drawdown_domain::money::Amount;
use drawdown_domain::rating::MeterNumber;
use drawdown_domain::refusal::Refusal;
use drawdown_domain::requests::Crossing;
use drawdown_domain::time::{Minute, Span, Timestamp};
use drawdown_log::Message;
use drawdown_runtime::{Input, Output, Station, Stop};
use drawdown_wire::avro::{self, Cursor};
use drawdown_wire::lines::{LinesHeader, each_line, open_lines};
use drawdown_wire::messages::{
    Admitted, Balances, CommandControl, Entries, InvoiceNumbered, InvoiceRuns, Invoices,
    LedgerInput, LedgerMessage, Measured, MeasuredLine, Notices, Outcome, Outcomes,
    PaymentAnswered, PaymentRequests, PaymentWishes, Payments, PeriodsClosed, RecordVoided,
    Services, Settled, TimeOnly, VoidRefused,
};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas::{self, Schema};
use drawdown_wire::signature::Secret;
use drawdown_wire::state::BalancePiece;
use drawdown_wire::topics::{Topic, Topics};

use crate::scribe::Scribe;
use crate::waiting::Waiting;

/// What the balance consumer is told.
#[derive(Clone, Debug)]
pub struct BalanceOptions {
    pub topics: Topics,
    pub secret: Secret,
    /// Due timers that fire between two messages.
    pub timers_per_message_max: usize,
    /// Changed balances that a step tells.
    pub balances_per_step_max: usize,
    /// How often the owner of a partition tells it the time when nothing else does, and how often a balance is
    /// told at most; none: somebody else drives the time.
    pub tick_every: Option<Span>,
}

/// One partition's ledger.
#[derive(Debug)]
pub struct Balance {
    pub(crate) options: BalanceOptions,
    partition: u32,
    pub(crate) ledger: Ledger,
    pub(crate) scribe: Scribe,
    /// Until the ledger is restored; then nothing does.
    pub(crate) waiting: Waiting,
    /// Lines whose accounts are being read.
    ahead: Vec<Line>,
    told_at: Timestamp,
    ticked: Timestamp,
}

/// The command whose answer metering has.
const VOID: &str = "void_usage";

/// What so many lines ask for stays in the nearest caches until they are decided.
const LINES_AHEAD: usize = 128;
const BALANCES_AHEAD: usize = 32;
/// What the command is called whose answer comes from another ledger.
const CANCEL: &str = "cancel_payment_request";

impl Balance {
    pub fn new(options: BalanceOptions, partition: u32) -> Balance {
        let ledger = Ledger::new(options.topics.usage_partitions);
        let scribe = Scribe::new(partition);
        Balance {
            options,
            partition,
            ledger,
            scribe,
            waiting: Waiting::default(),
            ahead: Vec::new(),
            told_at: Timestamp::START,
            ticked: Timestamp::START,
        }
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn message(&mut self, message: &Message<'_>, output: &mut Output) -> Result<(), Stop> {
        let broken = |why: &dyn std::fmt::Display| {
            Stop::Broken(format!("offset {} of the ledger: {why}", message.offset.0))
        };
        let value = schemas::LEDGER.value(message.value).map_err(|error| broken(&error))?;
        match open_lines(&value).map_err(|error| broken(&error))? {
            Some((header, cursor)) => self.lines(&header, cursor)?,
            None => {
                let LedgerMessage { at, input } =
                    avro::decode(&value).map_err(|error| broken(&error))?;
                self.pass(at)?;
                self.input(input, at, output)?;
            }
        }
        self.ledger.fire(self.options.timers_per_message_max, &mut self.scribe).map_err(stop)?;
        self.scribe.delta.message();
        Ok(())
    }

    fn pass(&mut self, at: Timestamp) -> Result<(), Stop> {
        self.ledger.pass(at, &mut self.scribe).map_err(stop)
    }

    fn lines(&mut self, header: &LinesHeader<'_>, cursor: Cursor<'_>) -> Result<(), Stop> {
        self.pass(header.at)?;
        let mut regions = vec![RegionNumber::NONE];
        for region in &header.regions {
            regions.push(self.region(Some(region))?);
        }
        self.scribe.begin_span(
            &self.ledger,
            header.usage_partition,
            header.first_offset,
            header.last_offset,
        );
        let base = i64::from(header.base.number());
        let (ledger, scribe, ahead) = (&mut self.ledger, &mut self.scribe, &mut self.ahead);
        let mut decide = |ahead: &mut Vec<Line>| {
            ledger.read_ahead(ahead);
            ahead.drain(..).try_for_each(|line| ledger.line(&line, scribe))
        };
        each_line::<LineTrouble>(cursor, |counted| {
            let used = u32::try_from(base.saturating_add(counted.minute))
                .map_err(|_| LineTrouble::Unreadable)?;
            let region =
                regions.get(counted.region as usize).copied().ok_or(LineTrouble::Unreadable)?;
            let line = Line {
                usage_partition: header.usage_partition,
                account: AccountNumber(counted.account),
                meter: MeterNumber(counted.meter),
                region,
                used: Minute::from_number(used),
                quantity: counted.quantity,
                records: counted.records.into(),
            };
            ahead.push(line);
            if ahead.len() >= LINES_AHEAD {
                decide(ahead).map_err(LineTrouble::Broken)
            } else {
                Ok(())
            }
        })
        .and_then(|()| decide(ahead).map_err(LineTrouble::Broken))
        .map_err(|trouble| match trouble {
            LineTrouble::Unreadable => Stop::Broken("counted lines that cannot be read".to_owned()),
            LineTrouble::Broken(broken) => stop(broken),
        })
    }

    fn region(&mut self, region: Option<&str>) -> Result<RegionNumber, Stop> {
        let Some(region) = region else { return Ok(RegionNumber::NONE) };
        let region: RegionId = region
            .parse()
            .map_err(|_| Stop::Broken("metering passed on a region that is none".to_owned()))?;
        self.ledger.region_number(&region, &mut self.scribe).map_err(stop)
    }

    fn measured(&mut self, measured: Measured) -> Result<(), Stop> {
        let Measured { usage_partition, first_offset, last_offset, lines } = measured;
        self.scribe.begin_span(&self.ledger, usage_partition, first_offset, last_offset);
        for MeasuredLine { account, meter, region, used, records, values } in lines {
            let region = self.region(region.as_deref())?;
            let line = Line {
                usage_partition,
                account: AccountNumber(account),
                meter: MeterNumber(meter),
                region,
                used,
                quantity: Amount::ZERO,
                records: records.into(),
            };
            self.ledger.measured(&line, &values, &mut self.scribe).map_err(stop)?;
        }
        Ok(())
    }

    fn input(
        &mut self,
        input: LedgerInput,
        at: Timestamp,
        output: &mut Output,
    ) -> Result<(), Stop> {
        match input {
            LedgerInput::Lines(_) | LedgerInput::TimeOnly(_) => {}
            LedgerInput::Mark(mark) => {
                self.ledger
                    .mark(mark.usage_partition, mark.until, &mut self.scribe)
                    .map_err(stop)?;
            }
            LedgerInput::Admitted(admitted) => {
                output.hurry();
                self.admitted(&admitted)?;
            }
            LedgerInput::PriceChanges(arrived) => {
                self.fact(PricesArrived { changes: arrived.changes })?;
            }
            LedgerInput::PricesComplete(complete) => {
                self.fact(PricesInForce { loads: complete.loads })?;
            }
            LedgerInput::NewSettings(settings) => {
                self.fact(SettingsChanged { document: settings.document })?;
            }
            LedgerInput::Measured(measured) => self.measured(measured)?,
            LedgerInput::RecordVoided(voided) => {
                output.hurry();
                self.voided(voided)?;
            }
            LedgerInput::VoidRefused(VoidRefused { asked, refused, .. }) => {
                output.hurry();
                self.answer(asked, VOID, Some(refused), None);
            }
            LedgerInput::InvoiceNumbered(numbered) => self.numbered(&numbered, at)?,
            LedgerInput::PaymentAnswered(answered) => {
                output.hurry();
                self.payment_answered(answered)?;
            }
            LedgerInput::Crossing(crossing) => {
                output.hurry();
                self.hear(crossing)?;
            }
        }
        Ok(())
    }

    /// What the registry has decided for all ledgers is a fact here.
    fn fact(&mut self, fact: impl Into<Fact>) -> Result<(), Stop> {
        self.ledger.take(fact.into(), &mut self.scribe).map_err(stop)
    }

    fn admitted(&mut self, admitted: &Admitted) -> Result<(), Stop> {
        let of_invoice = admitted.invoice.and_then(|draft| self.enterprise_of_draft(draft));
        let subject = self.ledger.enterprise_of(admitted.command.subject());
        if let Some(enterprise) = subject.or(of_invoice) {
            self.ledger.fire_for(enterprise, &mut self.scribe).map_err(stop)?;
        }
        let asked = Asked {
            number: admitted.number,
            principal: admitted.principal.clone(),
            key: admitted.key.clone(),
            origin: admitted.origin.clone(),
        };
        let (ledger, scribe) = (&mut self.ledger, &mut self.scribe);
        let decided = match &admitted.command {
            command @ Command::ClaimRemittance(_) => {
                let claimed = ledger.claimed(&asked, command, admitted.carries, scribe);
                claimed.map(|()| Answer::Accepted)
            }
            command @ Command::RequestPayment(_) => {
                let requested =
                    ledger.requested(&asked, command, admitted.payer.as_deref(), scribe);
                requested.map(|()| Answer::Accepted)
            }
            command @ Command::CreditInvoice(_) => {
                let credited = ledger.credited(&asked, command, admitted.invoice, scribe);
                credited.map(|()| Answer::Accepted)
            }
            command => ledger.command(&asked, command, scribe),
        };
        let refused = match decided {
            Ok(Answer::Accepted) => None,
            Ok(Answer::Later) => return Ok(()),
            Err(Undecided::Refused(refusal)) => Some(refusal),
            Err(Undecided::Broken(broken)) => return Err(stop(broken)),
        };
        let why = refused.and_then(|why| self.ledger.why(&asked, &admitted.command, why));
        self.answer(asked, admitted.command.name(), refused, why);
        Ok(())
    }

    /// Says what became of a command.
    fn answer(
        &mut self,
        asked: Asked,
        name: &str,
        refused: Option<Refusal>,
        detail: Option<String>,
    ) {
        let at = self.ledger.clock().now();
        let Asked { number: command, principal, key, origin } = asked;
        self.scribe.settled.push(Settled { at, command, accepted: refused.is_none() });
        self.scribe.outcomes.push(Outcome {
            command,
            at,
            principal,
            key,
            origin,
            name: name.to_owned(),
            refused,
            detail,
            repeats: None,
        });
    }

    /// Metering has found a record that is to be taken back.
    fn voided(&mut self, voided: RecordVoided) -> Result<(), Stop> {
        let RecordVoided { usage_partition, asked, account, ref values, .. } = voided;
        let account = AccountNumber(account);
        if let Some(enterprise) = self.ledger.account(account).map(|account| account.enterprise) {
            self.ledger.fire_for(enterprise, &mut self.scribe).map_err(stop)?;
        }
        let region = self.region(voided.region.as_deref())?;
        let line = Line {
            usage_partition,
            account,
            meter: MeterNumber(voided.meter),
            region,
            used: voided.used,
            quantity: voided.quantity,
            records: 1,
        };
        let (ledger, scribe) = (&mut self.ledger, &mut self.scribe);
        scribe.begin_void(ledger, usage_partition, voided.record_offset, voided.record_index);
        let value = values.first().map(|said| &said.value);
        let taken_back = ledger.take_back(&line, value, scribe);
        scribe.end_void(ledger);
        match taken_back {
            Ok(()) => self.answer(asked, VOID, None, None),
            Err(Undecided::Refused(refusal)) => self.answer(asked, VOID, Some(refusal), None),
            Err(Undecided::Broken(broken)) => return Err(stop(broken)),
        }
        Ok(())
    }

    /// Another ledger says something, or this one to itself.
    fn hear(&mut self, crossing: Crossing) -> Result<(), Stop> {
        let wallet = self.ledger.wallet_named(&crossing.billing_account);
        let wallet = wallet.and_then(|wallet| self.ledger.wallet(wallet));
        let Some(enterprise) = wallet.map(|wallet| wallet.enterprise) else {
            let Crossing { billing_account, request, .. } = crossing;
            let what = format!("{request} concerns {billing_account}, which is not here");
            return Err(Stop::Broken(what));
        };
        self.ledger.fire_for(enterprise, &mut self.scribe).map_err(stop)?;
        if let Some(answered) = self.ledger.hear(crossing, &mut self.scribe).map_err(stop)? {
            self.answer(answered.asked, CANCEL, answered.refused, None);
        }
        Ok(())
    }

    /// The registry's number is the issue of an invoice: its time counts, by which the year was judged.
    fn numbered(&mut self, numbered: &InvoiceNumbered, issued_at: Timestamp) -> Result<(), Stop> {
        let InvoiceNumbered { invoice, number } = numbered;
        if let Some(enterprise) = self.enterprise_of_draft(*invoice) {
            self.ledger.fire_for(enterprise, &mut self.scribe).map_err(stop)?;
        }
        self.ledger.number_invoice(*invoice, number, issued_at, &mut self.scribe).map_err(stop)
    }

    /// The enterprise whose invoice was known by that name as a draft.
    fn enterprise_of_draft(&self, draft: u64) -> Option<EnterpriseNumber> {
        self.ledger.wallet(wallet_of_draft(draft)).map(|wallet| wallet.enterprise)
    }

    fn payment_answered(&mut self, answered: PaymentAnswered) -> Result<(), Stop> {
        let PaymentAnswered { billing_account, payment, answer, reason, .. } = answered;
        let asked = || {
            let number = self.ledger.wallet_named(&billing_account)?;
            let wallet = self.ledger.wallet(number)?;
            Some((number, wallet.enterprise, wallet.payment_number(&payment)?))
        };
        let Some((wallet, enterprise, number)) = asked() else {
            return Err(Stop::Broken(format!("{payment} was answered, and nobody asked for it")));
        };
        self.ledger.fire_for(enterprise, &mut self.scribe).map_err(stop)?;
        self.ledger.payment_answered(wallet, number, answer, reason, &mut self.scribe).map_err(stop)
    }

    fn name(&self, topic: Topic) -> &str {
        self.options.topics.name(topic)
    }

    /// Balances that have changed, at most once a second each.
    fn tell_balances(&mut self, output: &mut Output) -> Result<(), Stop> {
        let now = self.ledger.clock().now();
        if self.scribe.changed.round_is_over() {
            if self.options.tick_every.is_some_and(|every| now < self.told_at.plus(every)) {
                return Ok(());
            }
            self.scribe.changed.begin_round();
            self.told_at = now;
        }
        let mut wallets = Vec::new();
        while wallets.len() < self.options.balances_per_step_max {
            let Some(wallet) = self.scribe.changed.next() else { break };
            wallets.push(wallet);
        }
        let mut balances = Vec::with_capacity(wallets.len());
        for wallets in wallets.chunks(BALANCES_AHEAD) {
            self.ledger.read_ahead_balances(wallets);
            for balance in wallets.iter().filter_map(|wallet| self.ledger.balance(*wallet)) {
                let out_of_range = |_| Stop::Broken("a balance left its range".to_owned());
                balances.push(balance.map_err(out_of_range)?);
            }
        }
        if !balances.is_empty() {
            let message = schemas::BALANCES.message(&Balances { at: now, balances });
            output.append(self.name(Topic::Balances), self.partition, message);
        }
        Ok(())
    }

    fn say_controls(&mut self, output: &mut Output) {
        for (account, control) in std::mem::take(&mut self.scribe.controls) {
            let partition = partition_of(account.as_bytes(), self.options.topics.usage_partitions);
            let topic = self.name(Topic::Usage);
            let message = self.options.secret.sign(topic, schemas::USAGE_CONTROL.message(&control));
            output.append(topic, partition, message);
        }
        let settled = std::mem::take(&mut self.scribe.settled).into_iter();
        let wanted = std::mem::take(&mut self.scribe.wanted).into_iter();
        let settled = settled.map(CommandControl::Settled);
        for (enterprise, crossing) in std::mem::take(&mut self.scribe.crossings) {
            let ledgers = self.options.topics.ledger_partitions;
            let ledger = partition_of(enterprise.as_str().as_bytes(), ledgers);
            let message = LedgerMessage { at: self.ledger.clock().now(), input: crossing.into() };
            output.append(self.name(Topic::Ledger), ledger, schemas::LEDGER.message(&message));
        }
        for control in settled.chain(wanted.map(CommandControl::NumberWanted)) {
            let topic = self.name(Topic::Commands);
            let message =
                self.options.secret.sign(topic, schemas::COMMAND_CONTROL.message(&control));
            output.append(topic, 0, message);
        }
    }

    fn say_rows(&mut self, output: &mut Output) {
        let scribe = &mut self.scribe;
        let mut messages = Vec::new();
        if !scribe.entries.is_empty() {
            let entries = std::mem::take(&mut scribe.entries);
            messages.push((Topic::Entries, schemas::ENTRIES.message(&Entries { entries })));
        }
        if let Some(bills) = scribe.take_bills() {
            messages.push((Topic::Bills, schemas::BILLS.message(&bills)));
        }
        if !scribe.closed.is_empty() {
            let closed = PeriodsClosed { closed: std::mem::take(&mut scribe.closed) };
            messages.push((Topic::PeriodClosed, schemas::PERIODS_CLOSED.message(&closed)));
        }
        if !scribe.runs.is_empty() {
            let runs = std::mem::take(&mut scribe.runs).into_values().collect();
            messages
                .push((Topic::InvoiceRuns, schemas::INVOICE_RUNS.message(&InvoiceRuns { runs })));
        }
        if !scribe.invoices.is_empty() {
            let invoices = Invoices { invoices: std::mem::take(&mut scribe.invoices) };
            messages.push((Topic::Invoices, schemas::INVOICES.message(&invoices)));
        }
        for message in scribe.take_charges(&self.ledger) {
            messages.push((Topic::Charges, message));
        }
        if !scribe.outcomes.is_empty() {
            let (outcomes, remittances) = (std::mem::take(&mut scribe.outcomes), Vec::new());
            let outcomes = Outcomes { outcomes, remittances };
            messages.push((Topic::Outcomes, schemas::OUTCOMES.message(&outcomes)));
        }
        if !scribe.wishes.is_empty() {
            let wishes = std::mem::take(&mut scribe.wishes);
            let message = schemas::PAYMENT_WISHES.message(&PaymentWishes { wishes });
            messages.push((Topic::PaymentWishes, message));
        }
        if !scribe.payments.is_empty() {
            let payments = std::mem::take(&mut scribe.payments);
            messages.push((Topic::Payments, schemas::PAYMENTS.message(&Payments { payments })));
        }
        if !scribe.requests.is_empty() {
            let requests = std::mem::take(&mut scribe.requests);
            let message = schemas::PAYMENT_REQUESTS.message(&PaymentRequests { requests });
            messages.push((Topic::PaymentRequests, message));
        }
        if !scribe.notices.is_empty() {
            let notices = std::mem::take(&mut scribe.notices);
            messages.push((Topic::Notices, schemas::NOTICES.message(&Notices { notices })));
        }
        if !scribe.services.is_empty() {
            let services = std::mem::take(&mut scribe.services);
            messages.push((Topic::Services, schemas::SERVICES.message(&Services { services })));
        }
        for (topic, message) in messages {
            output.append(self.name(topic), self.partition, message);
        }
    }
}

enum LineTrouble {
    Unreadable,
    Broken(drawdown_domain::ledger::Broken),
}

impl From<avro::Truncated> for LineTrouble {
    fn from(_: avro::Truncated) -> LineTrouble {
        LineTrouble::Unreadable
    }
}

pub(crate) fn stop(broken: drawdown_domain::ledger::Broken) -> Stop {
    Stop::Broken(broken.to_string())
}

impl Station for Balance {
    const DELTA: &'static Schema = &schemas::BALANCE_DELTA;
    const PIECE: &'static Schema = &schemas::BALANCE_PIECE;
    const PIECES_KEEP_THEIR_ORDER: bool = true;

    fn take(&mut self, input: Input<'_>, output: &mut Output) -> Result<(), Stop> {
        for message in input.messages {
            self.message(message, output)?;
        }
        Ok(())
    }

    fn idle(&mut self, now: Timestamp, output: &mut Output) -> Result<bool, Stop> {
        let more = self.fire_idle(self.options.timers_per_message_max)?;
        // A round that a flood has left over goes on while nothing else is to be decided.
        if self.scribe.changed.round_is_over() || self.scribe.delta.bytes() == 0 {
            self.tell_balances(output)?;
        }
        let silent_since = self.ledger.clock().now().max(self.ticked);
        if self.options.tick_every.is_some_and(|every| now >= silent_since.plus(every)) {
            self.ticked = now;
            let tick = LedgerMessage { at: now, input: TimeOnly {}.into() };
            output.append(self.name(Topic::Ledger), self.partition, schemas::LEDGER.message(&tick));
        }
        Ok(more)
    }

    fn time(&self) -> Timestamp {
        self.ledger.clock().now()
    }

    fn unsaid_bytes(&self) -> usize {
        self.scribe.bytes()
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), Stop> {
        if let Some(what) = self.scribe.unsaid {
            return Err(Stop::Broken(what.to_owned()));
        }
        self.say_controls(output);
        self.tell_balances(output)?;
        self.say_rows(output);
        self.scribe.delta.finish(self.options.timers_per_message_max, output.delta());
        Ok(())
    }

    fn decide_again(
        &mut self,
        input: Input<'_>,
        delta: &[u8],
        output: &mut Output,
    ) -> Result<(), Stop> {
        self.decide_with_cuts(input, delta, output)
    }

    fn apply(&mut self, delta: &[u8]) -> Result<(), Stop> {
        self.take_back(delta)?;
        self.take_all_back()
    }

    fn catch_up(&mut self, delta: &[u8]) -> Result<(), Stop> {
        self.take_back(delta)
    }

    fn piece(&self, place: &[u8], bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        // About as many bytes as an account or wallet takes with a few months of history.
        const BYTES_EACH: usize = 512;
        let most = bytes_max.div_euclid(BYTES_EACH).max(1);
        let (part, after) = self.ledger.piece_in_place(unpacked(place), most);
        let untold = match after {
            None => self.scribe.changed.waiting().collect(),
            Some(_) => Vec::new(),
        };
        let mut piece = Vec::new();
        put_piece(&mut piece, &part, &untold);
        (piece, after.map(packed))
    }

    fn load(&mut self, piece: &[u8]) -> Result<(), Stop> {
        self.waiting.settle(&self.ledger);
        self.ledger.begin_load();
        let piece: BalancePiece = avro::decode(piece).map_err(|error| {
            Stop::Broken(format!("a piece of the ledger cannot be read: {error}"))
        })?;
        self.scribe.changed.resume(piece.untold);
        self.ledger.load(piece.part).map_err(stop)
    }

    fn loaded(&mut self) -> Result<(), Stop> {
        self.take_all_back()?;
        self.ledger.loaded();
        Ok(())
    }

    fn restored(&mut self) -> Result<(), Stop> {
        self.take_all_back()?;
        self.waiting = Waiting::default();
        Ok(())
    }
}

/// Appends a `BalancePiece`, one field after the other.
fn put_piece(to: &mut Vec<u8>, part: &PieceInPlace<'_>, untold: &Vec<WalletNumber>) {
    avro::encode_into(to, part);
    avro::encode_into(to, untold);
}

/// A place as the worker keeps it: the kind, then the number.
fn packed(place: Place) -> Vec<u8> {
    let (kind, number) = match place {
        Place::Shared => (0, 0u32.to_be_bytes().to_vec()),
        Place::Enterprises(number) => (1, number.to_be_bytes().to_vec()),
        Place::Accounts(number) => (2, number.to_be_bytes().to_vec()),
        Place::Wallets(number) => (3, number.to_be_bytes().to_vec()),
        Place::Values(after) => (4, after.map_or_else(Vec::new, |after| avro::encode(&after))),
        Place::Coverage(after) => (5, after.map_or_else(Vec::new, |after| avro::encode(&after))),
    };
    [vec![kind], number].concat()
}

fn unpacked(place: &[u8]) -> Place {
    let Some((kind, number)) = place.split_first() else { return Place::Shared };
    let (value, hour) = (|| avro::decode(number).ok(), || avro::decode(number).ok());
    let number = number.try_into().map_or(0, u32::from_be_bytes);
    match kind {
        4 => Place::Values(value()),
        5 => Place::Coverage(hour()),
        0 => Place::Shared,
        1 => Place::Enterprises(number),
        2 => Place::Accounts(number),
        _ => Place::Wallets(number),
    }
}

#[cfg(test)]
mod tests {
    use drawdown_domain::commands::{Asked, Command};
    use drawdown_domain::ids::PrincipalId;
    use drawdown_domain::ledger::{Accrued, Fact, Journal, Line};
    use serde_json::{Value, json};

    use super::*;

    struct Silent;

    impl Journal for Silent {
        fn fact(&mut self, _: &Ledger, _: &Fact) {}

        fn accrued(&mut self, _: &Ledger, _: &[Accrued], _: &Line) {}
    }

    fn ask(ledger: &mut Ledger, name: &str, fields: Value) {
        let command = Command::read(name, fields).unwrap().unwrap();
        let principal = PrincipalId::operator();
        let asked = Asked { number: 1, principal, key: None, origin: None };
        ledger.command(&asked, &command, &mut Silent).unwrap();
    }

    /// What is written without being taken out of the ledger is what the declaration says.
    #[test]
    fn a_piece_is_a_value_of_its_schema() {
        let mut ledger = Ledger::new(1);
        for enterprise in ["e1", "e2"] {
            let fields = json!({ "enterprise": enterprise, "name": "Acme", "country": "US" });
            ask(&mut ledger, "open_enterprise", fields);
            for account in 0..3 {
                let fields = json!({ "account": format!("{enterprise}-{account}"), "enterprise": enterprise,
                    "email": "billing@acme.example", "currency": "USD", "mode": "postpaid" });
                ask(&mut ledger, "open_account", fields);
            }
        }
        assert_eq!(ledger.accounts().len(), 6);
        let (mut at, mut pieces, mut untold) = (Some(Place::Shared), 0, Vec::new());
        while let Some(place) = at {
            let (part, after) = ledger.piece_in_place(place.clone(), 4);
            let mut written = Vec::new();
            put_piece(&mut written, &part, &untold);
            let owned = BalancePiece { part: ledger.piece(place, 4).0, untold: untold.clone() };
            assert_eq!(written, avro::encode(&owned));
            (at, pieces) = (after, pieces + 1);
            untold.push(WalletNumber(pieces));
        }
        assert_eq!(pieces, 8);
    }
}
