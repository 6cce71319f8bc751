//! An independent book-keeper: what a billing account must come to, from the rules alone.
//!
//! It is deliberately naive. It has one thread, no input or output and no clock: time comes in with every call, and
//! everything that falls due up to then happens first. Each file treats one subject and cites the rules it follows;
//! `DECISIONS.md` says what was decided where the rules are silent.

mod alerts;
mod automatic;
mod benefits;
mod bills;
mod burn;
mod by_hand;
mod calendar;
mod check;
mod commands;
mod configure;
mod corrections;
mod coupons;
mod credit;
mod credit_notes;
mod currency;
mod exact;
mod fields;
mod hours;
mod invoices;
mod keys;
mod ledger;
mod lines;
mod membership;
mod methods;
mod notices;
mod orders;
mod passing;
mod paying_in;
mod payments;
mod plans;
mod price_book;
mod rating;
mod recharge;
mod refunds;
mod registry;
mod remittances;
mod requests;
mod rights;
mod runway;
mod sandbox;
mod services;
mod settings;
mod settlement;
mod sharing;
mod spending;
mod standing;
mod states;
mod tax_ids;
mod transfers;
mod usage;
mod views;
mod voids;
mod wallet;
mod write_off;

pub use usage::{Usage, Verdict};
pub use views::{Bill, Entry, Invoice, Line, Notice, Order, Payment, PaymentRequest};

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Everything the book-keeper knows.
pub struct BookKeeper {
    settings: settings::Settings,
    prices: price_book::PriceBook,
    /// Everything that falls due up to and at this instant has happened.
    now: i64,
    /// What is dated is judged as of this instant. While the bills of an instant are made, it lies just before that
    /// instant, because what begins or expires then does so last (R3.6).
    dated: i64,
    /// Who asks for what is being done; what happens by itself the operator does.
    asking: String,
    granted: rights::Granted,
    enterprises: BTreeMap<String, registry::Enterprise>,
    accounts: BTreeMap<String, registry::Account>,
    /// The billing accounts in the order of opening; their position here is their number elsewhere.
    wallets: Vec<wallet::Wallet>,
    wallet_numbers: BTreeMap<String, usize>,
    /// Every bill in the order of issue.
    bills: Vec<bills::IssuedBill>,
    /// What the charges of open cycles are for, and those of each usage bill (R12.3).
    open_parts: HashMap<lines::OpenKey, lines::Parts>,
    bill_parts: HashMap<usize, lines::Parts>,
    orders: BTreeMap<(usize, String), orders::Order>,
    /// Plans by the name of their first order.
    plans: BTreeMap<(usize, String), plans::Plan>,
    /// Every payment by a method, in order.
    payments: Vec<payments::MethodPayment>,
    /// What gateways are about to answer: which payment, and whether it succeeded.
    answering: VecDeque<(usize, bool)>,
    benefits: Vec<benefits::Benefit>,
    /// With whom each wallet shares every new benefit.
    rules: BTreeMap<usize, benefits::Rule>,
    /// The accounts of each enterprise's organisations.
    organisations: BTreeMap<(String, String), BTreeSet<String>>,
    /// What was covered and what was not, by the hour of use (R9.8).
    hours: HashMap<hours::HourKey, hours::HourOfUse>,
    /// Every invoice, in the order of issue.
    invoices: Vec<invoices::IssuedInvoice>,
    /// Bank transfers that named no account, by reference.
    remittances: BTreeMap<String, remittances::Remittance>,
    requests: BTreeMap<String, requests::Request>,
    /// What owners were told, in order.
    notices: Vec<Notice>,
    /// What falls due when; the order within one instant is the order of `Due` (R3.6).
    due: BTreeMap<i64, BTreeSet<passing::Due>>,
    /// What the records of each month have come to (R3.2).
    quantities: HashMap<usage::QuantityKey, rating::MonthQuantity>,
    /// The usage records that have been counted, by identity (R2.1).
    identities: HashMap<usage::Identity, usage::CountedRecord>,
    /// The answers given under an idempotency key, by principal and key (R11.5).
    answers: HashMap<(String, String), commands::Answer>,
    entries: Vec<Entry>,
    ledger: ledger::Ledger,
    charged_by_account: BTreeMap<String, exact::Exact>,
    /// What accounts may spend and have spent (R11.2).
    spending: BTreeMap<String, spending::Spending>,
}

impl BookKeeper {
    /// The settings are TOML as under `[settings]` in a scenario file, the prices TOML with `[[price]]` tables.
    /// The clock starts at the epoch.
    pub fn new(settings: &str, prices: &str) -> Result<BookKeeper, String> {
        let settings = settings::Settings::read(settings)?;
        Ok(BookKeeper::empty(settings, price_book::PriceBook::read(prices)?))
    }

    fn empty(settings: settings::Settings, prices: price_book::PriceBook) -> BookKeeper {
        BookKeeper {
            settings,
            prices,
            now: 0,
            dated: 0,
            asking: rights::OPERATOR.to_string(),
            granted: rights::Granted::default(),
            enterprises: BTreeMap::new(),
            accounts: BTreeMap::new(),
            wallets: Vec::new(),
            wallet_numbers: BTreeMap::new(),
            bills: Vec::new(),
            open_parts: HashMap::new(),
            bill_parts: HashMap::new(),
            orders: BTreeMap::new(),
            plans: BTreeMap::new(),
            payments: Vec::new(),
            answering: VecDeque::new(),
            remittances: BTreeMap::new(),
            requests: BTreeMap::new(),
            benefits: Vec::new(),
            rules: BTreeMap::new(),
            organisations: BTreeMap::new(),
            hours: HashMap::new(),
            invoices: Vec::new(),
            notices: Vec::new(),
            due: BTreeMap::new(),
            quantities: HashMap::new(),
            identities: HashMap::new(),
            answers: HashMap::new(),
            entries: Vec::new(),
            ledger: ledger::Ledger::default(),
            charged_by_account: BTreeMap::new(),
            spending: BTreeMap::new(),
        }
    }

    /// A copy to try something on: billing accounts and bills, without what has happened and without what falls due.
    fn trial(&self) -> BookKeeper {
        BookKeeper {
            now: self.now,
            dated: self.dated,
            wallets: self.wallets.clone(),
            bills: self.bills.clone(),
            payments: self.payments.clone(),
            ..BookKeeper::empty(self.settings.clone(), price_book::PriceBook::default())
        }
    }
}
