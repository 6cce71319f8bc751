//! The books of one ledger: every fact booked as double entry, and held against the state (R1.3).

use std::collections::{BTreeMap, BTreeSet};

use drawdown_balance::Part;
use drawdown_domain::ledger::{Book, Fact, Ledger, Postings, WalletNumber};
use drawdown_domain::money::{Amount, Currency};

use super::report::Report;

const BOOKS: usize = Book::ALL.len();

/// What a wallet's books hold, as debits.
type Balances = [Amount; BOOKS];

#[derive(Debug, Default)]
pub(super) struct Books {
    wallets: Vec<Balances>,
    /// Debits and credits of each book.
    totals: BTreeMap<Currency, [(Amount, Amount); BOOKS]>,
    /// What lies between two wallets; nothing, after every step.
    between: BTreeMap<Currency, Amount>,
    /// Wallets that facts have touched since the last step.
    touched: BTreeSet<WalletNumber>,
    pub(super) booked: u64,
}

/// Books that the state has as well.
const IN_STATE: [Book; 11] = [
    Book::OwnCash,
    Book::TransferredCash,
    Book::CreditRefunds,
    Book::Coupons,
    Book::CashCoupons,
    Book::Quota,
    Book::ForOthers,
    Book::Held,
    Book::Receivable,
    Book::Unbilled,
    Book::ToInvoice,
];

impl Books {
    /// Opens the books with what a snapshot holds.
    pub(super) fn open(&mut self, ledger: &Ledger) -> anyhow::Result<()> {
        for number in wallets_of(ledger) {
            for posting in ledger.books_of(number)? {
                let back = drawdown_domain::ledger::Posting {
                    book: Book::Opening,
                    debit: posting.debit.negated()?,
                    ..posting
                };
                self.book(ledger, &Postings::from_slice(&[posting, back]))?;
            }
        }
        self.touched.clear();
        self.booked = 0;
        Ok(())
    }

    /// Books a part of a delta; the ledger is as it was before. Says what does not balance.
    pub(super) fn take(&mut self, ledger: &Ledger, part: &Part) -> anyhow::Result<Option<String>> {
        self.booked += 1;
        let postings = match part {
            Part::Fact(fact) => {
                let postings = ledger.postings(fact)?;
                self.touched.extend(postings.iter().map(|posting| posting.wallet));
                if let Fact::WalletOpened(opened) = fact {
                    self.touched.insert(opened.number);
                }
                postings
            }
            Part::Accrued(accrued) => ledger.postings_of_accrual(accrued)?,
        };
        let sum = Amount::sum(postings.iter().map(|posting| posting.debit))?;
        self.book(ledger, &postings)?;
        Ok((!sum.is_zero()).then(|| format!("{part:?} does not balance: {sum} is left over")))
    }

    fn book(&mut self, ledger: &Ledger, postings: &Postings) -> anyhow::Result<()> {
        for posting in postings {
            let place = posting.book.place();
            let number = posting.wallet.index();
            if number >= self.wallets.len() {
                self.wallets.resize(number + 1, [Amount::ZERO; BOOKS]);
            }
            let known = &mut self.wallets[number][place];
            *known = known.plus(posting.debit)?;
            let Some(wallet) = ledger.wallet(posting.wallet) else {
                anyhow::bail!("wallet {number} is not open yet and books something");
            };
            let totals = self.totals.entry(wallet.currency).or_insert([Default::default(); BOOKS]);
            let (debit, credit) = &mut totals[place];
            if posting.debit.is_negative() {
                *credit = credit.plus(posting.debit.negated()?)?;
            } else {
                *debit = debit.plus(posting.debit)?;
            }
            if posting.book == Book::Between {
                let between = self.between.entry(wallet.currency).or_default();
                *between = between.plus(posting.debit)?;
            }
        }
        Ok(())
    }

    /// What a step has left out of balance.
    pub(super) fn after_step(&mut self, ledger: &Ledger) -> anyhow::Result<Vec<String>> {
        let mut wrong = Vec::new();
        for (currency, between) in &self.between {
            if !between.is_zero() {
                wrong.push(format!("{between} {currency} is between two wallets and in neither"));
            }
        }
        for number in std::mem::take(&mut self.touched) {
            wrong.extend(self.compare(ledger, number)?);
        }
        Ok(wrong)
    }

    /// Where a wallet's books and its state differ.
    pub(super) fn compare(
        &self,
        ledger: &Ledger,
        number: WalletNumber,
    ) -> anyhow::Result<Vec<String>> {
        let Some(wallet) = ledger.wallet(number) else { return Ok(Vec::new()) };
        let none = [Amount::ZERO; BOOKS];
        let booked = self.wallets.get(number.index()).unwrap_or(&none);
        let mut wrong = Vec::new();
        for known in ledger.books_of(number)? {
            debug_assert!(IN_STATE.contains(&known.book));
            let found = booked[known.book.place()];
            if found != known.debit {
                wrong.push(format!(
                    "{}: {} is {} by its facts and {} by its state",
                    wallet.id,
                    known.book.name(),
                    found,
                    known.debit
                ));
            }
        }
        // What a negative bill does not find to undo was never billed; it cannot undo more than it is.
        for book in [Book::Corrections, Book::GivenBack] {
            let left = booked[book.place()];
            if left.is_positive() {
                wrong.push(format!(
                    "{}: {left} more was undone than there was ({})",
                    wallet.id,
                    book.name()
                ));
            }
        }
        Ok(wrong)
    }

    /// Holds debits against credits, and adds them to what other ledgers come to.
    pub(super) fn close(self, report: &mut Report) -> anyhow::Result<Vec<String>> {
        let mut wrong = Vec::new();
        for (currency, totals) in self.totals {
            let debits = Amount::sum(totals.iter().map(|(debit, _)| *debit))?;
            let credits = Amount::sum(totals.iter().map(|(_, credit)| *credit))?;
            if debits != credits {
                wrong.push(format!("{currency}: debits are {debits}, credits {credits}"));
            }
            for (book, (debit, credit)) in Book::ALL.iter().zip(totals) {
                if !debit.is_zero() || !credit.is_zero() {
                    let known = report.books.entry((currency, *book)).or_default();
                    *known = (known.0.plus(debit)?, known.1.plus(credit)?);
                }
            }
        }
        Ok(wrong)
    }
}

/// The numbers of all wallets.
pub(super) fn wallets_of(ledger: &Ledger) -> impl Iterator<Item = WalletNumber> + use<> {
    (0..u32::try_from(ledger.wallets().len()).unwrap_or(u32::MAX)).map(WalletNumber)
}
