//! Usage that benefits cover (R9.8). What is covered does not enter the month's quantity, so it costs
//! nothing; what is left is priced as ever.
//!
//! What was covered stands in one table beside the accounts, by the hour of use, as long as late usage may
//! come for it or a record of it may be taken back (R2.4, R2.5). Few accounts are there.

use std::collections::BTreeMap;
use std::ops::Bound;

use smallvec::SmallVec;

use super::accrue::{Change, Line, Trouble};
use super::benefits::{Benefit, adds_up};
use super::fact::{Covered, Journal};
use super::state::{Account, AccountNumber, RegionNumber, Series, Wallet, WalletNumber};
use super::{Broken, Ledger};
use crate::commands::BenefitKind;
use crate::ids::BenefitId;
use crate::money::{Amount, Overflow};
use crate::rating::{MeterNumber, Model};
use crate::record;
use crate::time::{Minute, Span};

record! {
    /// The usage of an account's meter in an hour of its payer's day. Hours come first: they are forgotten in
    /// that order.
    #[derive(Copy, PartialOrd, Ord)]
    pub struct HourOfUse {
        pub hour: Minute,
        pub account: AccountNumber,
        pub meter: MeterNumber,
        pub region: RegionNumber,
    }
}

record! {
    /// What a benefit covered.
    pub struct Portion {
        pub wallet: WalletNumber,
        pub benefit: BenefitId,
        /// The hour of its wallet's day that it was drawn from; none: it has no hours.
        pub hour: Option<Minute>,
        pub quantity: Amount,
        /// What was drawn for that: quantity, or money of a savings plan.
        pub drawn: Amount,
    }
}

record! {
    /// What became of an hour's usage that benefits could cover.
    pub struct CoveredHour {
        pub of: HourOfUse,
        /// What has entered the month's quantity.
        pub uncovered: Amount,
        /// What was covered, in order; portions of one benefit in a row are one.
        pub portions: Vec<Portion>,
    }
}

/// How far the table has been loaded.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    /// Up to this hour of use.
    Until(Option<HourOfUse>),
    All,
}

/// What an hour of a benefit's day is drawn on by.
type Hour = (Minute, WalletNumber, BenefitId);

#[derive(Debug)]
pub(super) struct Coverage {
    table: BTreeMap<HourOfUse, (Amount, Vec<Portion>)>,
    /// What was drawn on benefits in each hour of theirs. Derived from the table, never stored.
    drawn: BTreeMap<Hour, Amount>,
    reach: Reach,
}

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage { table: BTreeMap::new(), drawn: BTreeMap::new(), reach: Reach::All }
    }
}

impl Coverage {
    /// What stands there of an hour of use.
    pub(super) fn of(&self, hour: &HourOfUse) -> Option<(Amount, &[Portion])> {
        let (uncovered, portions) = self.table.get(hour)?;
        Some((*uncovered, portions))
    }

    fn drawn(&self, hour: Minute, wallet: WalletNumber, benefit: &BenefitId) -> Amount {
        self.drawn.get(&(hour, wallet, benefit.clone())).copied().unwrap_or_default()
    }

    fn add(&mut self, more: &CoveredHour) -> Result<(), Broken> {
        let comes_later = match &self.reach {
            Reach::All => false,
            Reach::Until(until) => until.is_none_or(|until| more.of > until),
        };
        if comes_later { Ok(()) } else { self.put(more) }
    }

    fn put(&mut self, more: &CoveredHour) -> Result<(), Broken> {
        let (uncovered, portions) = self.table.entry(more.of).or_default();
        *uncovered = uncovered.plus(more.uncovered)?;
        for portion in &more.portions {
            if let Some(hour) = portion.hour {
                let key = (hour, portion.wallet, portion.benefit.clone());
                let drawn = self.drawn.entry(key).or_default();
                *drawn = drawn.plus(portion.drawn)?;
            }
            match portions.last_mut().filter(|last| last.is_of(portion)) {
                Some(last) => {
                    last.quantity = last.quantity.plus(portion.quantity)?;
                    last.drawn = last.drawn.plus(portion.drawn)?;
                    // What is given back is of the latest portion (R9.8).
                    if last.quantity.is_zero() {
                        portions.pop();
                    }
                }
                None => portions.push(portion.clone()),
            }
        }
        Ok(())
    }

    /// Earlier hours are of no use: no record that is still accepted lies there.
    fn forget_before(&mut self, oldest: Minute) {
        while let Some(first) = self.table.first_entry()
            && first.key().hour < oldest
        {
            first.remove();
        }
        while let Some(first) = self.drawn.first_entry()
            && first.key().0 < oldest
        {
            first.remove();
        }
    }

    pub(super) fn begin_load(&mut self) {
        self.reach = Reach::Until(None);
    }

    pub(super) fn loaded(&mut self) {
        self.reach = Reach::All;
    }

    /// Up to `most` hours of use behind one, and the last of them; none if there are no more.
    pub(super) fn part(
        &self,
        after: Option<&HourOfUse>,
        most: usize,
    ) -> (Vec<CoveredHour>, Option<HourOfUse>) {
        let begin = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        let mut rest = self.table.range((begin, Bound::Unbounded)).peekable();
        let hours = rest.by_ref().take(most).map(|(of, (uncovered, portions))| CoveredHour {
            of: *of,
            uncovered: *uncovered,
            portions: portions.clone(),
        });
        let part: Vec<CoveredHour> = hours.collect();
        let until = rest.peek().and_then(|_| part.last()).map(|last| last.of);
        (part, until)
    }

    /// Puts a part in its place.
    pub(super) fn load(
        &mut self,
        part: &[CoveredHour],
        until: Option<HourOfUse>,
    ) -> Result<(), Broken> {
        part.iter().try_for_each(|hour| self.put(hour))?;
        self.reach = until.map_or(Reach::All, |until| Reach::Until(Some(until)));
        Ok(())
    }
}

impl Portion {
    fn is_of(&self, other: &Portion) -> bool {
        (self.wallet, &self.benefit, self.hour) == (other.wallet, &other.benefit, other.hour)
    }
}

impl Benefit {
    /// The hour of its wallet's day that usage of a minute draws on; none: it has no hours.
    pub(super) fn drawn_from(&self, wallet: &Wallet, used: Minute) -> Option<Minute> {
        self.is_hourly().then(|| wallet.hour_of(used))
    }
}

/// What becomes of a line that benefits could cover.
struct Covering {
    /// What enters the month's quantity.
    left: Amount,
    portions: Vec<Portion>,
}

/// A benefit that serves a line.
struct Serving<'a> {
    number: WalletNumber,
    wallet: &'a Wallet,
    benefit: &'a Benefit,
    shared: bool,
}

impl Ledger {
    /// Whether an account's usage may be covered: asked for every line, and answered at once where nobody
    /// holds a benefit.
    #[inline]
    pub(super) fn may_be_covered(&self, account: &Account, payer: WalletNumber) -> bool {
        !self.holders.is_empty()
            && (!account.served.is_empty()
                || self.holders.contains(&payer)
                || account.own_wallet().is_some_and(|own| self.holders.contains(&own)))
    }

    /// Prices what benefits leave of a line.
    #[cold]
    pub(super) fn accrue_uncovered(
        &mut self,
        line: &Line,
        place: usize,
        quantity: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Trouble> {
        let account = self.account(line.account).ok_or(Broken("an unknown account"))?;
        let series = account.series.get(place).ok_or(Broken("a series out of place"))?;
        let payer = (series.wallet, series.price);
        let (model, _) = self.priced(series.meter, series.price)?;
        let of = self.hour_of_use(line, series.wallet)?;
        let covering = self.covering(line, account, series, model, quantity)?;
        let Covering { left, portions } = covering.unwrap_or_else(|| Covering::none(quantity));
        let change = Change::by(left, series, model)?;
        // What could not be covered counts as well: it is taken back first (R9.8).
        let known = self.coverage.of(&of).is_some();
        let fact = (known || !portions.is_empty()).then(|| -> Result<Covered, Overflow> {
            let before = if known { Amount::ZERO } else { self.uncovered_before(&of, account)? };
            let uncovered = left.plus(before)?;
            let (used, hour) = (line.used, CoveredHour { of, uncovered, portions });
            Ok(Covered { payer: payer.0, used, hour })
        });
        let fact = fact.transpose()?;
        // Nothing is refused from here on.
        let line = if left == quantity { *line } else { Line { quantity: left, ..*line } };
        if let Some(fact) = fact {
            self.record(journal, fact)?;
        }
        self.charge(&line, payer, place, change, journal)
    }

    fn hour_of_use(&self, line: &Line, payer: WalletNumber) -> Result<HourOfUse, Broken> {
        let wallet = self.wallet(payer).ok_or(Broken("an unknown wallet"))?;
        let Line { account, meter, region, used, .. } = *line;
        Ok(HourOfUse { hour: wallet.hour_of(used), account, meter, region })
    }

    /// How much of a quantity that is taken back had entered the month's, which is `entered`, and what is given back
    /// to benefits: first goes what of its hour was not covered, then what was, latest first (R9.8).
    pub(super) fn uncovering(
        &self,
        line: &Line,
        payer: WalletNumber,
        quantity: Amount,
        entered: Amount,
    ) -> Result<(Amount, Option<Covered>), Broken> {
        let of = self.hour_of_use(line, payer)?;
        let Some((uncovered, covered)) = self.coverage.of(&of) else {
            return Ok((quantity, None));
        };
        let known = quantity.min(uncovered).min(entered);
        let (mut left, mut portions) = (quantity.minus(known)?, Vec::new());
        for portion in covered.iter().rev() {
            if !left.is_positive() {
                break;
            }
            let quantity = portion.quantity.min(left);
            left = left.minus(quantity)?;
            let drawn = match quantity == portion.quantity {
                true => portion.drawn,
                false => portion.drawn.portion(quantity, portion.quantity)?,
            };
            let (quantity, drawn) = (quantity.negated()?, drawn.negated()?);
            portions.push(Portion { quantity, drawn, ..portion.clone() });
        }
        // What was billed before the first of the hour was covered is not remembered here.
        let hour = CoveredHour { of, uncovered: known.negated()?, portions };
        Ok((known.plus(left)?, Some(Covered { payer, used: line.used, hour })))
    }

    /// What had entered the month's quantity of an hour before any of it was covered: all that is on tabs.
    fn uncovered_before(&self, of: &HourOfUse, account: &Account) -> Result<Amount, Overflow> {
        let tabs = account.tabs.iter().filter(|tab| {
            let hour = self.wallet(tab.wallet).map(|wallet| wallet.hour_of(tab.used.from));
            (tab.meter, tab.region, hour) == (of.meter, of.region, Some(of.hour))
        });
        Amount::sum(tabs.map(|tab| tab.quantity))
    }

    /// What benefits cover of a line, own before shared, soonest expiry first; none if none serves it.
    fn covering(
        &self,
        line: &Line,
        account: &Account,
        series: &Series,
        model: &Model,
        quantity: Amount,
    ) -> Result<Option<Covering>, Trouble> {
        let aggregate = self.book.aggregate(line.meter).copied();
        // A fee is for no quantity.
        if model.counts_records() || !aggregate.is_some_and(adds_up) {
            return Ok(None);
        }
        let serving = self.serving(line, account, series.wallet)?;
        if serving.is_empty() {
            return Ok(None);
        }
        let mut covering = Covering::none(quantity);
        for Serving { number, wallet, benefit, .. } in serving {
            let hour = benefit.drawn_from(wallet, line.used);
            let there = self.left_of(number, benefit, hour)?;
            if !there.is_positive() || !covering.left.is_positive() {
                continue;
            }
            let (quantity, drawn) = match benefit.kind {
                BenefitKind::StoragePackage | BenefitKind::ReservedInstance => {
                    let quantity = covering.left.min(there);
                    (quantity, quantity)
                }
                BenefitKind::SavingsPlan => planned(benefit, there, series, model, covering.left)?,
            };
            if !quantity.is_positive() {
                continue;
            }
            covering.left = covering.left.minus(quantity)?;
            let benefit = benefit.benefit.clone();
            covering.portions.push(Portion { wallet: number, benefit, hour, quantity, drawn });
        }
        Ok(Some(covering))
    }

    /// The benefits that serve a line, in the order in which they are drawn on.
    fn serving<'a>(
        &'a self,
        line: &Line,
        account: &Account,
        payer: WalletNumber,
    ) -> Result<SmallVec<[Serving<'a>; 4]>, Broken> {
        let product = self.book.product_of(line.meter).ok_or(Broken("a meter without product"))?;
        let mut serving: SmallVec<[Serving<'a>; 4]> = SmallVec::new();
        // Its own: those of whoever pays for the usage, and of the account's own billing account.
        let own = account.own_wallet().filter(|own| *own != payer);
        for number in [payer].into_iter().chain(own) {
            let Some(wallet) = self.wallet(number) else { continue };
            let own = wallet.bought().iter();
            serving.extend(own.map(|benefit| Serving { number, wallet, benefit, shared: false }));
        }
        let shared = account.served.iter().filter(|served| {
            let is_own = served.wallet == payer || Some(served.wallet) == own;
            !served.coupon && !is_own && served.valid.contains(line.used)
        });
        serving.extend(shared.filter_map(|served| {
            let (number, wallet) = (served.wallet, self.wallet(served.wallet)?);
            let benefit = wallet.benefit(&served.benefit)?;
            Some(Serving { number, wallet, benefit, shared: true })
        }));
        let currency = self.wallet(payer).map(|wallet| wallet.currency);
        serving.retain(|Serving { wallet, benefit, .. }| {
            benefit.is_for(product, line.meter)
                && benefit.valid.contains(line.used)
                && (benefit.kind != BenefitKind::SavingsPlan || Some(wallet.currency) == currency)
        });
        serving.sort_by(|one, other| one.rank().cmp(&other.rank()));
        Ok(serving)
    }

    /// What is left to draw on: of all there is, or in an hour.
    pub(super) fn left_of(
        &self,
        wallet: WalletNumber,
        benefit: &Benefit,
        hour: Option<Minute>,
    ) -> Result<Amount, Overflow> {
        let drawn = match hour {
            None => benefit.drawn,
            Some(hour) => self.coverage.drawn(hour, wallet, &benefit.benefit),
        };
        benefit.amount.minus(drawn)
    }

    /// No record that is still accepted, or may still be taken back, lies in an earlier minute than this.
    pub(super) fn oldest_minute_kept(&self) -> Minute {
        let oldest = self.clock.now().minus(self.settings.usage.max_age);
        oldest.minus(self.settings.rejects.replay_for).minus(Span::days(2)).minute()
    }

    pub(super) fn apply_covered(&mut self, fact: &Covered) -> Result<(), Broken> {
        let oldest = self.oldest_minute_kept();
        self.coverage.forget_before(oldest);
        self.coverage.add(&fact.hour)?;
        for portion in &fact.hour.portions {
            let Some(wallet) = self.wallet_mut(portion.wallet)? else { continue };
            let benefit = wallet.benefit_mut(&portion.benefit);
            let benefit = benefit.ok_or(Broken("an unknown benefit"))?;
            benefit.covered = benefit.covered.plus(portion.quantity)?;
            benefit.drawn = benefit.drawn.plus(portion.drawn)?;
        }
        Ok(())
    }
}

impl Covering {
    fn none(left: Amount) -> Covering {
        Covering { left, portions: Vec::new() }
    }
}

impl Serving<'_> {
    /// Own before shared, soonest expiry first, then by name.
    fn rank(&self) -> (bool, Minute, &str, WalletNumber) {
        (self.shared, self.benefit.valid.until, self.benefit.benefit.as_str(), self.number)
    }
}

/// How much of a quantity a savings plan covers and what it draws for that, where so much is left in the
/// hour: the change of the price, less its discount. What costs nothing is not covered, nor what is sold in
/// blocks: a block that is covered would not have been started.
fn planned(
    plan: &Benefit,
    there: Amount,
    series: &Series,
    model: &Model,
    quantity: Amount,
) -> Result<(Amount, Amount), Overflow> {
    const NONE: (Amount, Amount) = (Amount::ZERO, Amount::ZERO);
    let change = model.change(series.quantity, series.quantity.plus(quantity)?)?;
    let free = model.free_until(series.quantity).minus(series.quantity)?;
    let costly = quantity.minus(free.max(Amount::ZERO).min(quantity))?;
    if !change.is_positive() || !costly.is_positive() || model.is_in_blocks() {
        return Ok(NONE);
    }
    let due = change.times(Amount::whole(1).minus(plan.discount)?)?.rounded_half_even()?;
    if due <= there {
        return Ok((costly, due));
    }
    // As much of it as is paid for, each unit alike.
    let covered = costly.portion(there, due)?;
    Ok(if covered.is_positive() { (covered, there) } else { NONE })
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
