//! What an audit has proven, and what it has found wrong.

use std::collections::BTreeMap;
use std::fmt;

use drawdown_domain::ledger::Book;
use drawdown_domain::money::{Amount, Currency};
use drawdown_log::Offset;

use super::crossings::Crossings;
use super::numbers::Numbers;
use super::remittances::Remittances;

/// Where a difference was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub topic: String,
    pub partition: u32,
    /// None: at the end, in what the messages add up to.
    pub offset: Option<Offset>,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub place: Place,
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { topic, partition, offset } = &self.place;
        match offset {
            Some(offset) => write!(f, "{topic} {partition} at {}: {}", offset.0, self.what),
            None => write!(f, "{topic} {partition}: {}", self.what),
        }
    }
}

macro_rules! figures {
    ($($figure:ident = $text:literal,)*) => {
        /// What is counted, in the order in which it is printed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Figure {
            $($figure,)*
        }

        impl Figure {
            pub const ALL: &[Figure] = &[$(Figure::$figure),*];

            pub const fn text(self) -> &'static str {
                match self { $(Figure::$figure => $text,)* }
            }
        }
    };
}

figures! {
    MeteringSteps = "metering: steps decided again, same lines, marks, rejects and identities",
    MeteringOtherRules = "metering: steps of other rules, not decided again",
    MeteringInputGone = "metering: steps whose usage is gone, not decided again",
    MeteringUnproven = "metering: steps behind a difference, not decided again",
    MeteringBefore = "metering: state messages before the oldest whole snapshot",
    UsageMessages = "metering: usage messages decided again",
    RegistrySteps = "registry: steps decided again, same facts",
    RegistryOtherRules = "registry: steps of other rules, not decided again",
    RegistryInputGone = "registry: steps whose commands are gone, not decided again",
    RegistryUnproven = "registry: steps behind a difference, not decided again",
    RegistryBefore = "registry: state messages before the oldest whole snapshot",
    CommandMessages = "registry: command messages decided again",
    SaidToLedgers = "ledger: messages of metering and registry that were decided again",
    BalanceSteps = "balance: steps decided again, same facts, entries, bills and charges",
    BalanceOtherRules = "balance: steps of other rules, by arithmetic only",
    BalanceInputGone = "balance: steps whose input is gone, by arithmetic only",
    BalanceBefore = "balance: state messages before the oldest whole snapshot",
    LedgerMessages = "balance: ledger messages decided again",
    FactsBooked = "conservation: facts and accruals booked, debits equal credits after every step",
    WalletsProven = "conservation: wallets whose balance is the opening and its entries",
    MonthsProven = "conservation: months whose charges are their bills, rounding and open tabs",
    SetAside = "lines set aside because they could not be priced",
    EntriesRead = "entries: on the topic, in an unbroken chain",
    BillsRead = "bills: on the topic, each paid at most once",
    ChargesRead = "charges: on the topic, summed by month",
    InvoicesRead = "invoices: on the topic, each adds up",
    InvoicesNumbered = "invoices: numbered one after the other, none left out",
    MoneyCrossed = "payment requests: money that left one ledger and entered another, once",
    BalancesCompared = "balances: latest rows that are the ledger's",
    BalancesMoving = "balances: wallets that were not at rest",
}

/// What an audit came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    figures: BTreeMap<Figure, u64>,
    /// Debits and credits by currency and book, over all ledgers.
    pub books: BTreeMap<(Currency, Book), (Amount, Amount)>,
    /// The numbers of invoices, over all ledgers.
    pub(super) numbers: Numbers,
    /// Transfers that named nobody, over all ledgers.
    pub(super) remittances: Remittances,
    /// What one ledger sent and another got, over all ledgers.
    pub(super) crossings: Crossings,
    differences: Vec<Difference>,
    count: usize,
}

/// So many differences are kept whole; the rest are counted.
const DIFFERENCES_MAX: usize = 1_000;

impl Report {
    pub fn count(&mut self, figure: Figure, more: u64) {
        let known = self.figures.entry(figure).or_default();
        *known = known.saturating_add(more);
    }

    pub fn figure(&self, figure: Figure) -> u64 {
        self.figures.get(&figure).copied().unwrap_or(0)
    }

    pub(super) fn differs(
        &mut self,
        topic: &str,
        partition: u32,
        offset: Option<Offset>,
        what: impl fmt::Display,
    ) {
        self.count += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            let place = Place { topic: topic.to_owned(), partition, offset };
            self.differences.push(Difference { place, what: what.to_string() });
        }
    }

    /// How many differences there are.
    pub fn differences(&self) -> usize {
        self.count
    }

    /// The first of them.
    pub fn found(&self) -> &[Difference] {
        &self.differences
    }

    /// Adds what was proven of another part of the log.
    pub(super) fn add(
        &mut self,
        other: Report,
        invoices: &str,
        entries: &str,
    ) -> anyhow::Result<()> {
        for what in self.numbers.add(other.numbers) {
            self.differs(invoices, 0, None, what);
        }
        for what in self.crossings.add(other.crossings) {
            self.differs(entries, 0, None, what);
        }
        for what in self.remittances.add(other.remittances) {
            self.differs(entries, 0, None, what);
        }
        for (figure, count) in other.figures {
            self.count(figure, count);
        }
        for (book, (debit, credit)) in other.books {
            let known = self.books.entry(book).or_default();
            *known = (known.0.plus(debit)?, known.1.plus(credit)?);
        }
        self.count += other.count;
        let room = DIFFERENCES_MAX.saturating_sub(self.differences.len());
        self.differences.extend(other.differences.into_iter().take(room));
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for figure in Figure::ALL {
            writeln!(f, "{:>14}  {}", self.figure(*figure), figure.text())?;
        }
        writeln!(f, "\n{:8} {:20} {:>26} {:>26}", "currency", "book", "debit", "credit")?;
        let mut sums = BTreeMap::<Currency, (Amount, Amount)>::new();
        for ((currency, book), (debit, credit)) in &self.books {
            writeln!(
                f,
                "{:8} {:20} {:>26} {:>26}",
                currency.code(),
                book.name(),
                debit.to_string(),
                credit.to_string()
            )?;
            let sum = sums.entry(*currency).or_default();
            sum.0 = sum.0.plus(*debit).unwrap_or(Amount::MAX);
            sum.1 = sum.1.plus(*credit).unwrap_or(Amount::MAX);
        }
        for (currency, (debit, credit)) in sums {
            writeln!(
                f,
                "{:8} {:20} {:>26} {:>26}",
                currency.code(),
                "all books",
                debit.to_string(),
                credit.to_string()
            )?;
        }
        writeln!(f)?;
        for difference in &self.differences {
            writeln!(f, "difference: {difference}")?;
        }
        if self.count > self.differences.len() {
            writeln!(f, "and {} more", self.count.saturating_sub(self.differences.len()))?;
        }
        write!(f, "differences: {}", self.count)
    }
}
