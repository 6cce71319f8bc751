//! What travels on the topics between our own consumers, and what others may read. Each is declared
//! once; the schemas under `schemas/avro` are made from these declarations.

use drawdown_domain::commands::{Asked, BenefitKind, Command};
use drawdown_domain::ids::{
    AccountId, BenefitId, Country, MeterId, MethodId, OrderId, PrincipalId, ProductId, Text,
    WalletId,
};
use drawdown_domain::invoices::{Invoice, InvoiceType};
use drawdown_domain::ledger::{Balance, Cause};
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::notices::{Notice, NoticeKind, Service};
use drawdown_domain::payments::{MethodKind, Payment, PaymentAnswer, PaymentCause};
use drawdown_domain::rating::{Aggregate, Change, Offer, ValueCount};
use drawdown_domain::refusal::Refusal;
use drawdown_domain::registry::RemittanceRow;
use drawdown_domain::requests::{Addressee, Crossing, PaymentRequest};
use drawdown_domain::runs::InvoiceRun;
use drawdown_domain::time::{Minute, Month, Timestamp};
use drawdown_domain::usage::Reject;
use drawdown_domain::vocabulary::{Described, Shape};
use drawdown_domain::{one_of, record, symbols};

/// Bytes that are encoded as Avro `bytes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Described for Bytes {
    fn shape() -> Shape {
        Shape::Bytes
    }
}

impl serde::Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

record! {
    /// A command as the outside sends it to the topic `commands`.
    pub struct CommandMessage {
        /// Who asks.
        pub principal: PrincipalId,
        /// Repeated with the same key, a command gets its first answer and does nothing else.
        pub key: Option<Text>,
        /// From where: an address, a program.
        pub origin: Option<Text>,
        pub command: Command,
    }
}

record! {
    /// A control record on a topic where foreigners write: signed, so that none of theirs passes for
    /// one of ours.
    pub struct Signed {
        pub signature: Bytes,
        pub payload: Bytes,
    }
}

record! {
    /// Time goes on, though nothing else came.
    pub struct Tick {
        pub at: Timestamp,
    }
}

record! {
    /// A ledger has decided a command that the registry sent it.
    pub struct Settled {
        pub at: Timestamp,
        /// The command's place on the topic `commands`.
        pub command: u64,
        pub accepted: bool,
    }
}

record! {
    /// A period of a billing account is closed: its invoice needs a number, and that is its issue.
    pub struct NumberWanted {
        pub at: Timestamp,
        /// The ledger that asks.
        pub ledger: u32,
        /// What it knows the invoice by until it has a number.
        pub invoice: u64,
        pub issuer_country: Country,
        pub kind: InvoiceType,
    }
}

one_of! {
    /// What our own consumers write to `commands`.
    pub enum CommandControl { Tick, Settled, NumberWanted }
}

record! {
    /// An account exists: usage of it is counted for this ledger, under this number.
    pub struct AccountRouted {
        pub at: Timestamp,
        pub account: AccountId,
        pub ledger: u32,
        pub number: u32,
        pub currency: Currency,
    }
}

record! {
    /// An account is closed: usage from `closed_at` on is refused.
    pub struct AccountShut {
        pub at: Timestamp,
        pub account: AccountId,
        pub closed_at: Timestamp,
    }
}

record! {
    /// A meter and all that it is offered for.
    pub struct MeterOffered {
        pub product: ProductId,
        pub meter: MeterId,
        pub offers: Vec<Offer>,
        pub aggregate: Aggregate = Aggregate::Sum,
        /// Whose values are counted by `unique`.
        pub tag: Option<Text>,
    }
}

record! {
    /// All meters that are for sale, in the order of their numbers.
    pub struct Catalogue {
        pub at: Timestamp,
        pub meters: Vec<MeterOffered>,
    }
}

record! {
    /// New settings are in force.
    pub struct SettingsInForce {
        pub at: Timestamp,
        pub document: String,
    }
}

record! {
    /// Usage that came to the wrong partition, or is sent again from the rejects.
    pub struct PassedOn {
        pub at: Timestamp,
        /// When it arrived first, by which its age is judged.
        pub first_arrival: Timestamp,
        /// One message as it came.
        pub message: Bytes,
    }
}

record! {
    /// A usage record is to be taken back (R2.5): metering says which it was.
    pub struct VoidAsked {
        /// By which its age is judged.
        pub at: Timestamp,
        /// The ledger that asks.
        pub ledger: u32,
        pub account: AccountId,
        pub source: String,
        pub id: String,
        /// Who waits for the answer.
        pub asked: Asked,
    }
}

one_of! {
    /// What our own consumers write to `usage`.
    pub enum UsageControl {
        Tick,
        AccountRouted,
        AccountShut,
        Catalogue,
        SettingsInForce,
        PassedOn,
        VoidAsked,
    }
}

record! {
    /// One or more records of an account's meter in one minute.
    pub struct CountedLine {
        pub account: u32,
        pub meter: u32,
        /// The place in `regions`, counted from one; zero for none.
        pub region: u32,
        /// The minute of use, counted from the batch's `base`.
        pub minute: i64,
        pub quantity: Amount,
        pub records: u32,
    }
}

record! {
    /// What metering counted of a span of offsets of a usage partition.
    pub struct Lines {
        pub usage_partition: u32,
        pub first_offset: i64,
        pub last_offset: i64,
        pub base: Minute,
        pub regions: Vec<String>,
        pub lines: Vec<CountedLine>,
    }
}

record! {
    /// One or more records of an account's meter in one minute, where their values count and not their sum.
    pub struct MeasuredLine {
        pub account: u32,
        pub meter: u32,
        pub region: Option<String>,
        pub used: Minute,
        pub records: u32,
        /// What they said, each once; a record that lacks the tag says nothing.
        pub values: Vec<ValueCount>,
    }
}

record! {
    /// What metering counted by value of a span of offsets of a usage partition.
    pub struct Measured {
        pub usage_partition: u32,
        pub first_offset: i64,
        pub last_offset: i64,
        pub lines: Vec<MeasuredLine>,
    }
}

record! {
    /// A record was found that is to be taken back, and is remembered as taken back: nobody will find it again.
    pub struct RecordVoided {
        pub usage_partition: u32,
        /// Where that was asked for on the usage partition.
        pub asked_at_offset: i64,
        /// Who waits for the answer.
        pub asked: Asked,
        pub account: u32,
        pub meter: u32,
        pub region: Option<String>,
        /// The minute of use under which it was counted.
        pub used: Minute,
        pub quantity: Amount,
        /// What it said, where values count and not their sum; nothing if it lacks the tag.
        pub values: Vec<ValueCount>,
        /// Where the record stands on the usage partition, and its place in its message.
        pub record_offset: i64,
        pub record_index: u32,
    }
}

record! {
    /// No record can be taken back.
    pub struct VoidRefused {
        pub usage_partition: u32,
        /// Where that was asked for on the usage partition.
        pub asked_at_offset: i64,
        /// Who waits for the answer.
        pub asked: Asked,
        pub refused: Refusal,
    }
}

record! {
    /// All usage of a partition that arrived before `until` has been counted and sent on.
    pub struct Mark {
        pub usage_partition: u32,
        pub until: Timestamp,
    }
}

record! {
    /// A command that the registry has admitted.
    pub struct Admitted {
        /// The command's place on the topic `commands`.
        pub number: u64,
        pub principal: PrincipalId,
        pub key: Option<Text>,
        /// From where: an address, a program.
        pub origin: Option<Text>,
        pub command: Command,
        /// Money comes with it, as much as the command says, in this currency.
        pub carries: Option<Currency>,
        /// Whom a request to pay goes to.
        pub payer: Option<Box<Addressee>>,
        /// The invoice that it names by a number, as its ledger knows it.
        pub invoice: Option<u64>,
    }
}

record! {
    /// Part of a price book.
    pub struct PriceChanges {
        pub changes: Vec<Change>,
    }
}

record! {
    /// What has come of a price book is in force.
    pub struct PricesComplete {
        pub loads: u32,
    }
}

record! {
    /// New settings.
    pub struct NewSettings {
        pub document: String,
    }
}

record! {
    /// Nothing but that time goes on.
    pub struct TimeOnly {}
}

record! {
    /// A gateway has said what became of a payment.
    pub struct PaymentAnswered {
        pub billing_account: WalletId,
        pub payment: String,
        pub answer: PaymentAnswer,
        /// Why not; or where its owner has to go on.
        pub reason: Option<Text>,
        /// What the gateway knows it by.
        pub reference: Option<Text>,
    }
}

record! {
    /// The registry has numbered an invoice.
    pub struct InvoiceNumbered {
        /// What the ledger knows the invoice by.
        pub invoice: u64,
        pub number: String,
    }
}

one_of! {
    /// What a ledger reads.
    pub enum LedgerInput {
        Lines,
        Mark,
        TimeOnly,
        Admitted,
        PriceChanges,
        PricesComplete,
        NewSettings,
        PaymentAnswered,
        InvoiceNumbered,
        Measured,
        RecordVoided,
        VoidRefused,
        Crossing,
    }
}

record! {
    /// A message on the topic `ledger`.
    pub struct LedgerMessage {
        pub at: Timestamp,
        pub input: LedgerInput,
    }
}

record! {
    /// What became of a command.
    pub struct Outcome {
        /// The command's place on the topic `commands`.
        pub command: u64,
        /// When it was decided.
        pub at: Timestamp,
        /// Who asked.
        pub principal: PrincipalId,
        /// The key under which it was asked.
        pub key: Option<Text>,
        /// From where it was asked: an address, a program.
        pub origin: Option<Text>,
        /// What the command is called.
        pub name: String,
        /// None: accepted.
        pub refused: Option<Refusal>,
        /// What exactly was wrong, where there is more to say.
        pub detail: Option<String>,
        /// It had been asked before: the answer is that of this command.
        pub repeats: Option<u64>,
    }
}

record! {
    /// A bank transfer that named no account, as it stands from then on.
    pub struct RemittanceNow {
        pub at: Timestamp,
        pub remittance: RemittanceRow,
    }
}

record! {
    /// What became of some commands.
    pub struct Outcomes {
        pub outcomes: Vec<Outcome>,
        /// What they changed of bank transfers that named no account.
        pub remittances: Vec<RemittanceNow>,
    }
}

record! {
    /// A change of an asset (R4.4).
    pub struct Entry {
        pub billing_account: WalletId,
        /// Counts the entries of its billing account, from one on.
        pub number: u64,
        /// When it was decided.
        pub at: Timestamp,
        /// What changed: `cash`, `credit_refund`, `coupon`, `cash_coupon`, `quota`.
        pub asset: String,
        /// The part of the asset that changed, such as a coupon.
        pub lot: String,
        pub before: Amount,
        /// Negative when it went out; `before` and `amount` make `after`.
        pub amount: Amount,
        pub after: Amount,
        /// What moved it.
        pub cause: Cause,
        /// The bill it paid, was paid back for, or undoes.
        pub bill: Option<String>,
        pub remark: Option<Text>,
    }
}

record! {
    /// Changes of assets, in the order in which they were decided.
    pub struct Entries {
        pub entries: Vec<Entry>,
    }
}

record! {
    /// A bill as it was issued.
    pub struct IssuedBill {
        /// Its number, unique for ever.
        pub bill: String,
        /// Who pays.
        pub billing_account: WalletId,
        /// Whose usage or order it is.
        pub account: AccountId,
        /// None: an order that names no product. The bill over the tax of an invoice has `tax`.
        pub product: Option<ProductId>,
        /// The month it belongs to.
        pub month: Month,
        /// The end of the cycle it bills; its issue for an order or a tax.
        pub cycle_end: Timestamp,
        /// Rounded to the currency; negative after corrections.
        pub amount: Amount,
        pub currency: Currency,
        pub issued_at: Timestamp,
        /// The number of the invoice whose tax it is.
        pub invoice: Option<String>,
        /// The number of the credit note by command whose net it takes back.
        pub credit_note: Option<String>,
        /// The order it is for, or takes back.
        pub order: Option<OrderId>,
    }
}

record! {
    /// So much of a bill was paid, or is owed no longer.
    pub struct BillPayment {
        pub bill: String,
        pub at: Timestamp,
        /// Never more than is still owed.
        pub amount: Amount,
    }
}

record! {
    /// Bills that were issued, then payments of these or earlier ones.
    pub struct Bills {
        pub issued: Vec<IssuedBill>,
        pub payments: Vec<BillPayment>,
    }
}

record! {
    /// How billing accounts stood.
    pub struct Balances {
        pub at: Timestamp,
        pub balances: Vec<Balance>,
    }
}

record! {
    /// One priced line, beside those it shares all else with.
    pub struct ChargedLine {
        /// Whose usage.
        pub account: AccountId,
        /// Who pays.
        pub billing_account: WalletId,
        /// The minute of use.
        pub used: Minute,
        /// What was used and not covered by a benefit.
        pub quantity: Amount,
        /// What that costs, exact; the bill is rounded.
        pub charge: Amount,
        /// How many usage records make this line; -1 where one is taken back.
        pub records: i64,
    }
}

record! {
    /// Lines of one meter under one price that one cycle's bills will hold.
    pub struct ChargeGroup {
        pub product: ProductId,
        pub meter: MeterId,
        pub region: Option<String>,
        /// The number of the price that held.
        pub price: u32,
        /// They came after the bills of their cycle, and join later ones.
        pub adjustment: bool,
        /// The end of the cycle whose bills will hold them.
        pub cycle_end: Timestamp,
        pub lines: Vec<ChargedLine>,
    }
}

record! {
    /// What a benefit covered of a line. It is in no charge.
    pub struct CoveredLine {
        /// Whose usage.
        pub account: AccountId,
        /// Who pays for the rest.
        pub billing_account: WalletId,
        pub product: ProductId,
        pub meter: MeterId,
        pub region: Option<String>,
        /// The minute of use.
        pub used: Minute,
        /// Whose benefit it is.
        pub holder: WalletId,
        pub benefit: BenefitId,
        pub kind: BenefitKind,
        pub quantity: Amount,
        /// What that has drawn on the benefit: quantity, or money of a savings plan.
        pub drawn: Amount,
    }
}

record! {
    /// What the usage of a span of offsets costs.
    pub struct Charges {
        pub at: Timestamp,
        /// The partition of `usage` on which the records stand.
        pub usage_partition: u32,
        /// The first offset of the span.
        pub first_offset: i64,
        /// The last offset of the span.
        pub last_offset: i64,
        pub groups: Vec<ChargeGroup>,
        /// The charges are for a usage record that is taken back: that with this place in the message at
        /// `first_offset`.
        pub voids: Option<u32>,
        /// What benefits covered of it.
        pub covered: Vec<CoveredLine> = Vec::new(),
    }
}

record! {
    /// A priced line by itself: a row of the view `charges`.
    pub struct Charge {
        pub account: AccountId,
        pub billing_account: WalletId,
        pub product: ProductId,
        pub meter: MeterId,
        pub region: Option<String>,
        /// The number of the price that held.
        pub price: u32,
        /// The minute of use.
        pub used: Timestamp,
        pub quantity: Amount,
        /// Exact; the bill is rounded.
        pub charge: Amount,
        /// How many usage records make this line; -1 where one is taken back.
        pub records: i64,
        /// It came after the bills of its cycle, and joins later ones.
        pub adjustment: bool,
        pub cycle_end: Timestamp,
    }
}

record! {
    /// A row of the view `covered`: what a benefit covered of a line.
    pub struct Coverage {
        pub account: AccountId,
        pub billing_account: WalletId,
        pub product: ProductId,
        pub meter: MeterId,
        pub region: Option<String>,
        /// The minute of use.
        pub used: Timestamp,
        /// Whose benefit it is.
        pub holder: WalletId,
        pub benefit: BenefitId,
        pub kind: BenefitKind,
        pub quantity: Amount,
        /// What that has drawn on the benefit: quantity, or money of a savings plan.
        pub drawn: Amount,
    }
}

impl Charges {
    /// Each covered line by itself.
    pub fn coverage(&self) -> impl Iterator<Item = Coverage> {
        self.covered.iter().cloned().map(|line| Coverage {
            account: line.account,
            billing_account: line.billing_account,
            product: line.product,
            meter: line.meter,
            region: line.region,
            used: line.used.starts(),
            holder: line.holder,
            benefit: line.benefit,
            kind: line.kind,
            quantity: line.quantity,
            drawn: line.drawn,
        })
    }

    /// Each line by itself.
    pub fn rows(&self) -> impl Iterator<Item = Charge> {
        self.groups.iter().flat_map(|group| {
            group.lines.iter().map(|line| Charge {
                account: line.account.clone(),
                billing_account: line.billing_account.clone(),
                product: group.product.clone(),
                meter: group.meter.clone(),
                region: group.region.clone(),
                price: group.price,
                used: line.used.starts(),
                quantity: line.quantity,
                charge: line.charge,
                records: line.records,
                adjustment: group.adjustment,
                cycle_end: group.cycle_end,
            })
        })
    }
}

record! {
    /// A usage record that could not be used, whole, with the first reason that holds (R2.3).
    pub struct Rejected {
        /// The partition of `usage` on which it stands.
        pub usage_partition: u32,
        pub offset: i64,
        /// Its place in a packed message.
        pub index: u32,
        /// When it came.
        pub at: Timestamp,
        /// When it came first, if it was sent again.
        pub first_arrival: Timestamp,
        /// The first reason that holds.
        pub reason: Reject,
        /// What exactly was wrong, where there is more to say.
        pub detail: Option<String>,
        pub account: Option<String>,
        pub source: Option<String>,
        pub id: Option<String>,
        /// The record as it came, in its own message.
        pub message: Bytes,
    }
}

record! {
    /// Usage records that could not be used.
    pub struct Rejects {
        pub rejects: Vec<Rejected>,
    }
}

record! {
    /// Something a gateway is asked to do.
    pub struct PaymentWish {
        /// Its name, by which the gateway knows it again however often it is asked.
        pub payment: String,
        pub billing_account: WalletId,
        pub at: Timestamp,
        /// With `preauthorisation` the amount is held and given back, with `test` it is charged and given
        /// back; else it is charged.
        pub cause: PaymentCause,
        pub method: MethodId,
        pub kind: MethodKind,
        /// What the gateway knows the method by.
        pub token: Text,
        pub amount: Amount,
        pub currency: Currency,
        /// The owner says that he has proven to the gateway who he is.
        pub authenticated: bool = false,
    }
}

record! {
    /// What gateways are asked to do.
    pub struct PaymentWishes {
        pub wishes: Vec<PaymentWish>,
    }
}

record! {
    /// Payments, each as it stood when its status was decided.
    pub struct Payments {
        pub payments: Vec<Payment>,
    }
}

record! {
    /// Requests to pay, each as it stood when its status was decided, for one of its two sides.
    pub struct PaymentRequests {
        pub requests: Vec<PaymentRequest>,
    }
}

record! {
    /// What people are told.
    pub struct Notices {
        pub notices: Vec<Notice>,
    }
}

record! {
    /// Services that are to stop, or may go on.
    pub struct Services {
        pub services: Vec<Service>,
    }
}

record! {
    /// A period of a billing account whose last bill is out.
    pub struct PeriodClosed {
        pub billing_account: WalletId,
        pub at: Timestamp,
        pub from: Timestamp,
        pub until: Timestamp,
        /// The sum its invoice will come to, before tax.
        pub net: Amount,
        pub currency: Currency,
    }
}

record! {
    /// Periods that were closed.
    pub struct PeriodsClosed {
        pub closed: Vec<PeriodClosed>,
    }
}

record! {
    /// Invoice runs, each as it stood behind a step that changed something about it.
    pub struct InvoiceRuns {
        pub runs: Vec<InvoiceRun>,
    }
}

record! {
    /// Invoices that were issued.
    pub struct Invoices {
        pub invoices: Vec<Invoice>,
    }
}

symbols! {
    /// What became of a mail.
    pub enum MailState {
        Sent = "sent",
        /// The server will not have it: the address is wrong, say.
        Refused = "refused",
        /// Given up after the last try.
        Failed = "failed",
    }
}

record! {
    /// A mail, as a row of the view `mail`.
    pub struct Mail {
        /// Its Message-ID, the same however often it was sent.
        pub mail: String,
        pub to: Text,
        pub kind: NoticeKind,
        pub billing_account: WalletId,
        pub subject: String,
        pub at: Timestamp,
        pub state: MailState,
        /// How often it was tried.
        pub tries: u32,
        /// What the server said, if it refused.
        pub detail: Option<String>,
    }
}

record! {
    /// Mails that were sent, or could not be.
    pub struct Mails {
        pub mails: Vec<Mail>,
    }
}
