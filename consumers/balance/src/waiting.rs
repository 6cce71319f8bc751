//! What usage did, on its way back into a ledger that is restored. As it comes, each piece of it asks for memory that lies
//! anywhere: so what comes to a tab is added up first, which is nearly all of it, and the rest is gathered with what is
//! near it.

use drawdown_domain::ledger::{AccountNumber, Accrued, Ledger, Used};
use drawdown_domain::money::Amount;
use drawdown_domain::time::{Month, Timestamp};
use drawdown_runtime::Stop;

/// So many tabs of an account are added up at a time.
const SUMS: usize = 4;
/// So much is added up or applied together.
const AT_A_TIME: usize = 32;
/// So much is gathered at most: 20 MB of it.
const GATHERED_MAX: usize = 1 << 18;
/// Accounts whose numbers are the same but for so many bits lie in the near caches together.
pub(crate) const NEAR_BITS: u32 = 10;

/// What of an account waits is in the order in which it came, but for accruals: what is added up comes behind what is
/// gathered, where it comes to the same.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Is added up next.
    next: Vec<Accrued>,
    /// By their accounts, and the last bits of their tabs.
    sums: Vec<[Sum; SUMS]>,
    /// The accounts of all sums, some perhaps twice.
    summed: Vec<AccountNumber>,
    /// Whether the accruals of an account may be added up, if the ledger was asked since anything but usage changed it.
    add_up: Vec<Option<bool>>,
    /// The oldest month that was kept when a series was opened last, as long as no account was asked for under another.
    oldest: Option<Month>,
    /// By its accounts.
    gathered: Vec<Vec<(Timestamp, Used)>>,
    /// Those of `gathered` that hold any.
    used: Vec<usize>,
    /// All that is gathered.
    count: usize,
}

/// What came to a tab, if it is not too much to be held in little.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    series: u32,
    tab: u32,
    quantity: i64,
    charge: i64,
}

impl Sum {
    fn of(accrued: &Accrued) -> Option<Sum> {
        let Accrued { series, tab, quantity, charge, .. } = *accrued;
        let quantity = i64::try_from(quantity.raw()).ok()?;
        let charge = i64::try_from(charge.raw()).ok()?;
        Some(Sum { series, tab, quantity, charge })
    }

    fn is_nothing(&self) -> bool {
        (self.quantity, self.charge) == (0, 0)
    }

    fn with(&self, other: &Sum) -> Option<Sum> {
        let Sum { series, tab, .. } = *self;
        let quantity = self.quantity.checked_add(other.quantity)?;
        let charge = self.charge.checked_add(other.charge)?;
        let sum = Sum { series, tab, quantity, charge };
        ((series, tab) == (other.series, other.tab)).then_some(sum)
    }

    fn to_use(self, account: AccountNumber) -> Used {
        let Sum { series, tab, quantity, charge } = self;
        let quantity = Amount::from_raw(quantity.into());
        let charge = Amount::from_raw(charge.into());
        Used::Accrued(Accrued { account, series, tab, quantity, charge })
    }
}

impl Waiting {
    /// The ledger is as it was when this was decided, but for what waits.
    #[inline]
    pub(crate) fn accrued(&mut self, accrued: Accrued, ledger: &Ledger) {
        self.next.push(accrued);
        if self.next.len() >= AT_A_TIME {
            self.settle(ledger);
        }
    }

    /// False if places of series may change by this to which sums refer: what is of months that are no longer kept goes
    /// when a series is opened.
    pub(crate) fn may_take(&mut self, used: &Used, ledger: &Ledger) -> bool {
        let Used::Series(opened) = used else { return true };
        let oldest = ledger.oldest_month_kept();
        self.oldest.replace(oldest) == Some(oldest) && opened.series.month >= oldest
    }

    pub(crate) fn used(&mut self, used: Used, ledger: &Ledger) {
        // Where not all adds up, series of months that are no longer kept may go before what is next is applied.
        if matches!(used, Used::Series(_)) && !self.adds_up(used.account()) {
            self.settle(ledger);
        }
        // A wallet comes after its accounts: its piece may bring the cycle that a tab opens, which is then there already.
        if ledger.comes_later(used.account()) {
            return;
        }
        self.push(ledger.clock().now(), used);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count >= GATHERED_MAX
    }

    /// Shows some at a time. What is added up stays.
    pub(crate) fn show_gathered(
        &mut self,
        mut visit: impl FnMut(&[(Timestamp, Used)]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.count = 0;
        for place in self.used.drain(..) {
            self.gathered[place].chunks(AT_A_TIME).try_for_each(&mut visit)?;
            self.gathered[place].clear();
        }
        Ok(())
    }

    /// Shows what is added up, account by account and some at a time. What is gathered is shown before.
    pub(crate) fn show_sums(
        &mut self,
        now: Timestamp,
        mut visit: impl FnMut(&[(Timestamp, Used)]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.add_up.clear();
        self.summed.sort_unstable();
        let mut some = Vec::with_capacity(AT_A_TIME + SUMS);
        for account in self.summed.drain(..) {
            let sums = self.sums.get_mut(account.index()).map(std::mem::take).unwrap_or_default();
            let sums = sums.into_iter().filter(|sum| !sum.is_nothing());
            some.extend(sums.map(|sum| (now, sum.to_use(account))));
            if some.len() >= AT_A_TIME {
                visit(&some)?;
                some.clear();
            }
        }
        visit(&some)
    }

    /// Adds up what is next, as the ledger is about to change by something else. All sums that are added to are looked at
    /// first, and all accounts that are new here, which takes hardly longer than to look at one.
    pub(crate) fn settle(&mut self, ledger: &Ledger) {
        if self.next.is_empty() {
            return;
        }
        if self.sums.len() < ledger.accounts().len() {
            self.sums.resize_with(ledger.accounts().len(), Default::default);
        }
        self.add_up.resize(self.sums.len(), None);
        let oldest = ledger.oldest_month_kept();
        for accrued in &self.next {
            if let Some(known @ None) = self.add_up.get_mut(accrued.account.index()) {
                *known = ledger.adds_up(accrued.account);
                self.oldest = self.oldest.filter(|known| *known == oldest);
            }
        }
        let mut next = std::mem::take(&mut self.next);
        let quantities = next.iter().map(|accrued| self.sum(accrued).map_or(0, |it| it.quantity));
        std::hint::black_box(quantities.fold(0, |seen, quantity| seen | quantity));
        for accrued in next.drain(..) {
            if !self.adds(&accrued) {
                self.begin_sum(accrued, ledger);
            }
        }
        self.next = next;
    }

    fn sum(&mut self, accrued: &Accrued) -> Option<&mut Sum> {
        self.sums.get_mut(accrued.account.index())?.get_mut(accrued.tab as usize % SUMS)
    }

    /// False if there is no sum yet that this can be added to. One that would come to nothing is none: its wallet has been
    /// charged all the same.
    fn adds(&mut self, accrued: &Accrued) -> bool {
        let Some(sum) = self.sum(accrued).filter(|sum| !sum.is_nothing()) else { return false };
        let both = Sum::of(accrued).and_then(|new| sum.with(&new));
        let Some(both) = both.filter(|both| !both.is_nothing()) else { return false };
        *sum = both;
        true
    }

    /// Of an account of which not all adds up, each accrual is applied in its turn and as of its own time. One that comes
    /// with a piece of a snapshot comes with this in it.
    #[cold]
    fn begin_sum(&mut self, accrued: Accrued, ledger: &Ledger) {
        let (now, account) = (ledger.clock().now(), accrued.account);
        if ledger.comes_later(account) {
            return;
        }
        let new = Sum::of(&accrued).filter(|new| !new.is_nothing());
        let new = new.filter(|_| self.adds_up(account));
        let (Some(new), Some(sum)) = (new, self.sum(&accrued)) else {
            return self.push(now, Used::Accrued(accrued));
        };
        let before = std::mem::replace(sum, new);
        match before.is_nothing() {
            true => self.summed.push(account),
            false => self.push(now, before.to_use(account)),
        }
    }

    /// False if the ledger was not asked yet.
    fn adds_up(&self, account: AccountNumber) -> bool {
        self.add_up.get(account.index()) == Some(&Some(true))
    }

    fn push(&mut self, at: Timestamp, used: Used) {
        let place = used.account().index() >> NEAR_BITS;
        if place >= self.gathered.len() {
            self.gathered.resize_with(place + 1, Vec::new);
        }
        if self.gathered[place].is_empty() {
            self.used.push(place);
        }
        self.gathered[place].push((at, used));
        self.count += 1;
    }
}
