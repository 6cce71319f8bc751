//! Usage becomes money: a counted line is priced and put on the tab of its bill (R3.2, R2.4).

use smallvec::SmallVec;

use super::fact::{Accrued, Journal, RegionNamed, SeriesOpened, SetAside, TabOpened, Unpriced};
use super::standing::Occasion;
use super::state::{AccountNumber, RegionNumber, Series, Tab, Wallet, WalletNumber};
use super::values::SeriesKey;
use super::{Broken, Ledger, Undecided};
use crate::ids::RegionId;
use crate::money::{Amount, Overflow};
use crate::rating::{Aggregate, MeterNumber, Model, PriceNumber, TierNumber, ValueCount};
use crate::time::{Cycle, Minute, Timestamp, Window};

/// What metering counted: one or more records of an account's meter in one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub usage_partition: u32,
    pub account: AccountNumber,
    pub meter: MeterNumber,
    pub region: RegionNumber,
    pub used: Minute,
    /// The sum of the records' quantities.
    pub quantity: Amount,
    /// How many there are; -1 for one that is taken back.
    pub records: i64,
}

/// Why a line cannot be priced, or why the ledger is broken.
pub(super) enum Trouble {
    Unpriced(Unpriced),
    Broken(Broken),
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Trouble {
        Trouble::Broken(broken)
    }
}

impl From<Overflow> for Trouble {
    fn from(_: Overflow) -> Trouble {
        Trouble::Unpriced(Unpriced::TooLarge)
    }
}

impl From<Unpriced> for Trouble {
    fn from(why: Unpriced) -> Trouble {
        Trouble::Unpriced(why)
    }
}

/// What a line does to a month's quantity, and what that costs.
#[derive(Clone, Copy)]
pub(super) struct Change {
    quantity: Amount,
    charge: Amount,
    /// The tiers of the price that are reached before and after it (R12.3).
    tiers: (TierNumber, TierNumber),
}

impl Change {
    /// So much more, or less.
    #[inline]
    pub(super) fn by(quantity: Amount, series: &Series, model: &Model) -> Result<Change, Overflow> {
        let after = series.quantity.plus(quantity)?;
        Ok(Change {
            quantity,
            charge: model.change(series.quantity, after)?,
            tiers: model.tiers_reached(series.quantity, after),
        })
    }
}

impl Ledger {
    /// Prices a line. One that cannot be priced is set aside, and the partition goes on.
    #[inline]
    pub fn line(&mut self, line: &Line, journal: &mut dyn Journal) -> Result<(), Broken> {
        let outcome = self.accrue(line, journal);
        self.or_set_aside(line, outcome, journal)
    }

    #[inline]
    fn or_set_aside(
        &mut self,
        line: &Line,
        outcome: Result<(), Trouble>,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        match outcome {
            Ok(()) => Ok(()),
            Err(Trouble::Broken(broken)) => Err(broken),
            Err(Trouble::Unpriced(why)) => self.record(
                journal,
                SetAside {
                    account: line.account,
                    used: line.used,
                    quantity: line.quantity,
                    records: line.records,
                    why,
                },
            ),
        }
    }

    /// Reads what these lines ask for, so that the processor waits for all of it together and not for
    /// each in turn. Decides nothing.
    pub fn read_ahead(&self, lines: &[Line]) {
        let accounts = || lines.iter().filter_map(|line| self.account(line.account));
        let lengths = accounts().map(|account| account.series.len() ^ account.id.as_str().len());
        std::hint::black_box(lengths.fold(0, |all, seen| all ^ seen));
        let of_account = accounts().map(|account| {
            let payer = account.series.last().map_or(0, |series| series.wallet.0);
            payer ^ account.tabs.last().map_or(0, |tab| tab.wallet.0)
        });
        std::hint::black_box(of_account.fold(0, |all, seen| all ^ seen));
        let payers = accounts().filter_map(|account| self.wallet(account.series.last()?.wallet));
        std::hint::black_box(payers.fold(0, |all, payer| all ^ payer.id.as_str().len()));
        let rooms = accounts().filter_map(|account| {
            self.headroom.get(account.series.last()?.wallet.index()).map(|room| room.raw())
        });
        std::hint::black_box(rooms.fold(0, |all, room| all ^ room));
    }

    /// The number of a region, given out when usage first names it.
    pub fn region_number(
        &mut self,
        region: &RegionId,
        journal: &mut dyn Journal,
    ) -> Result<RegionNumber, Broken> {
        let known = self.regions.iter().position(|known| known == region);
        let place = match known {
            Some(place) => place,
            None => {
                self.record(journal, RegionNamed { region: region.clone() })?;
                self.regions.len().saturating_sub(1)
            }
        };
        let number = u16::try_from(place.saturating_add(1));
        number.map(RegionNumber).map_err(|_| Broken("more regions than can be numbered"))
    }

    fn accrue(&mut self, line: &Line, journal: &mut dyn Journal) -> Result<(), Trouble> {
        let series = match self.series_of(line) {
            Some(place) => place,
            None => self.open_series(line, journal)?,
        };
        let account = self.account(line.account).ok_or(Unpriced::NoAccount)?;
        let found = account.series.get(series).ok_or(Broken("a series out of place"))?;
        let (wallet, price) = (found.wallet, found.price);
        let (model, aggregate) = self.priced(found.meter, price)?;
        let quantity = match aggregate {
            Aggregate::Sum if !model.counts_records() => line.quantity,
            Aggregate::Sum | Aggregate::Count => Amount::whole(line.records),
            Aggregate::Max | Aggregate::Last | Aggregate::Unique => {
                return Err(Broken("records were added up whose values count").into());
            }
        };
        if self.may_be_covered(account, wallet) {
            return self.accrue_uncovered(line, series, quantity, journal);
        }
        let change = Change::by(quantity, found, model)?;
        self.charge(line, (wallet, price), series, change, journal)
    }

    /// Puts what a change of a month's quantity costs on the tab it belongs to.
    #[inline]
    pub(super) fn charge(
        &mut self,
        line: &Line,
        payer: (WalletNumber, PriceNumber),
        series: usize,
        change: Change,
        journal: &mut dyn Journal,
    ) -> Result<(), Trouble> {
        let Change { quantity, charge, tiers: (tier, until) } = change;
        if tier != until {
            return self.charge_by_tier(line, payer, series, change, journal);
        }
        let tab = self.tab_for(line, payer, tier, journal)?;
        let series = place_number(series)?;
        let accrued = Accrued { account: line.account, series, tab, quantity, charge };
        self.apply_accrued(&accrued)?;
        journal.accrued(self, std::slice::from_ref(&accrued), line);
        self.charged(line, payer.0, &accrued, journal)
    }

    /// Puts each tier's part of a change on a tab of its own (R12.3).
    #[cold]
    fn charge_by_tier(
        &mut self,
        line: &Line,
        payer: (WalletNumber, PriceNumber),
        series: usize,
        change: Change,
        journal: &mut dyn Journal,
    ) -> Result<(), Trouble> {
        let account = self.account(line.account).ok_or(Unpriced::NoAccount)?;
        let found = account.series.get(series).ok_or(Broken("a series out of place"))?;
        let (model, _) = self.priced(found.meter, found.price)?;
        let after = found.quantity.plus(change.quantity)?;
        let split = model.split(found.quantity, after)?;
        let series = place_number(series)?;
        let mut parts: SmallVec<[Accrued; 4]> = SmallVec::with_capacity(split.len());
        for part in split {
            let tab = self.tab_for(line, payer, part.tier, journal)?;
            let (account, quantity, charge) = (line.account, part.quantity, part.charge);
            parts.push(Accrued { account, series, tab, quantity, charge });
        }
        parts.iter().try_for_each(|part| self.apply_accrued(part))?;
        journal.accrued(self, &parts, line);
        let last = parts.last().ok_or(Broken("a change of no tier"))?;
        let Change { quantity, charge, .. } = change;
        self.charged(line, payer.0, &Accrued { quantity, charge, ..*last }, journal)
    }

    /// A line has been charged: what follows from that.
    #[inline]
    fn charged(
        &mut self,
        line: &Line,
        wallet: WalletNumber,
        accrued: &Accrued,
        journal: &mut dyn Journal,
    ) -> Result<(), Trouble> {
        self.watch_cap(accrued, journal).map_err(super::timers::broken)?;
        // What is taken back is no use.
        if line.records.is_positive() {
            self.check_first_use(wallet, line.meter, journal).map_err(super::timers::broken)?;
        }
        let is_spent = self.spend_headroom(wallet, accrued.charge);
        let judged = match self.touched.is_empty() {
            false => self.judge_touched(journal),
            true if is_spent => self.judge(wallet, Occasion::Charge, journal),
            true => return Ok(()),
        };
        judged.map_err(super::timers::broken)?;
        Ok(())
    }

    /// Prices a line of records whose values make the month's quantity, each value standing there once.
    pub fn measured(
        &mut self,
        line: &Line,
        values: &[ValueCount],
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let outcome = self.accrue_values(line, values, journal);
        self.or_set_aside(line, outcome, journal)
    }

    fn accrue_values(
        &mut self,
        line: &Line,
        values: &[ValueCount],
        journal: &mut dyn Journal,
    ) -> Result<(), Trouble> {
        let place = match self.series_of(line) {
            Some(place) => place,
            None => self.open_series(line, journal)?,
        };
        let account = self.account(line.account).ok_or(Unpriced::NoAccount)?;
        let found = account.series.get(place).ok_or(Broken("a series out of place"))?;
        let (key, payer) = (SeriesKey::of(line.account, found), (found.wallet, found.price));
        let (model, _) = self.priced(found.meter, found.price)?;
        let (quantity, values) = match model.counts_records() {
            true => (found.quantity.plus(Amount::whole(line.records))?, &[][..]),
            false => (self.values.quantity_with(&key, values)?, values),
        };
        let change = Change::by(quantity.minus(found.quantity)?, found, model)?;
        // Nothing is refused from here on.
        self.count_values(key, values, journal)?;
        let line = Line { quantity: change.quantity, ..*line };
        self.charge(&line, payer, place, change, journal)
    }

    /// What a month's quantity has cost so far.
    pub(super) fn cost_of(&self, series: &Series) -> Option<Amount> {
        let (model, _) = self.priced(series.meter, series.price).ok()?;
        model.price(series.quantity).ok()
    }

    pub(super) fn priced(
        &self,
        meter: MeterNumber,
        price: PriceNumber,
    ) -> Result<(&Model, Aggregate), Broken> {
        let model = self.book.price(price).map(|price| &price.model);
        let aggregate = self.book.aggregate(meter).copied();
        model.zip(aggregate).ok_or(Broken("a series without a price"))
    }

    /// The series that surely takes this line, without asking payers, calendars or the price book.
    #[inline]
    fn series_of(&self, line: &Line) -> Option<usize> {
        let loads = self.book.loads();
        self.account(line.account)?.series.iter().position(|series| {
            series.meter == line.meter
                && series.region == line.region
                && series.same.contains(line.used)
                && series.loads == loads
        })
    }

    #[cold]
    fn open_series(&mut self, line: &Line, journal: &mut dyn Journal) -> Result<usize, Trouble> {
        let account = self.account(line.account).ok_or(Unpriced::NoAccount)?;
        let (payer, paid_by) = account.payer_at(line.used);
        let wallet = self.wallet(payer).ok_or(Unpriced::NoAccount)?;
        let region = self.region(line.region);
        let found = self.book.find(line.meter, region, wallet.currency, line.used);
        let found = found.ok_or(Unpriced::NoPrice)?;
        let month = wallet.zone.month_of(line.used.starts());
        let same = wallet.zone.window_of(month).overlap(paid_by).overlap(found.same);
        let key = (payer, line.meter, line.region, found.price, month);
        let known = account.series.iter().find(|series| series.key() == key);
        let series = Series {
            wallet: payer,
            meter: line.meter,
            region: line.region,
            price: found.price,
            month,
            same,
            loads: self.book.loads(),
            quantity: known.map_or(Amount::ZERO, |known| known.quantity),
        };
        self.record(journal, SeriesOpened { account: line.account, series })?;
        self.series_of(line).ok_or(Trouble::Broken(Broken("a series that was just opened")))
    }

    /// The tab this line goes on, and whether it was not there before.
    #[inline]
    fn tab_for(
        &mut self,
        line: &Line,
        payer: (WalletNumber, PriceNumber),
        tier: TierNumber,
        journal: &mut dyn Journal,
    ) -> Result<u32, Trouble> {
        let place = match self.tab_of(line, payer, tier) {
            Some(place) => place,
            None => self.open_tab(line, payer, tier, journal)?,
        };
        Ok(place_number(place)?)
    }

    /// The tab this line goes on in time: its hour has charges already, and is still collected. An
    /// account that is billed seldom has many tabs, and usage mostly belongs to the newest.
    #[inline]
    fn tab_of(
        &self,
        line: &Line,
        (wallet, price): (WalletNumber, PriceNumber),
        tier: TierNumber,
    ) -> Option<usize> {
        self.account(line.account)?.tabs.iter().rposition(|tab| {
            tab.meter == line.meter
                && tab.price == price
                && tab.tier == tier
                && tab.region == line.region
                && tab.wallet == wallet
                && tab.used.contains(line.used)
                && line.used < tab.ends
                && !self.is_late(line.usage_partition, tab.ends)
        })
    }

    /// Whether usage of a cycle that ends then comes too late for its bill (R2.4).
    #[inline]
    fn is_late(&self, usage_partition: u32, ends: Minute) -> bool {
        let closes = ends.starts().plus(self.settings.bills.grace);
        self.clock.mark(usage_partition) >= closes || self.clock.gate() >= closes
    }

    #[cold]
    fn open_tab(
        &mut self,
        line: &Line,
        (payer, price): (WalletNumber, PriceNumber),
        tier: TierNumber,
        journal: &mut dyn Journal,
    ) -> Result<usize, Trouble> {
        let wallet = self.wallet(payer).ok_or(Broken("an unknown wallet"))?;
        let (used, own) = self.cycle_and_hour(wallet, line.used);
        let account = self.account(line.account).ok_or(Unpriced::NoAccount)?;
        let used = used.overlap(account.undivided_by_shared_coupons(line.used));
        let adjustment = self.is_late(line.usage_partition, own.until);
        let ends = match adjustment {
            true => self.cycle_collected_after(line.usage_partition, payer),
            false => own.until,
        };
        let tab = Tab {
            wallet: payer,
            ends,
            used,
            exact: Amount::ZERO,
            quantity: Amount::ZERO,
            meter: line.meter,
            price,
            region: line.region,
            adjustment,
            tier,
        };
        if let Some(place) = account.tabs.iter().rposition(|known| known.key() == tab.key()) {
            return Ok(place);
        }
        let place = account.tabs.len();
        self.record(journal, TabOpened { account: line.account, tab })?;
        Ok(place)
    }

    /// The minutes around `used` that one tab may hold, and the bill cycle they lie in.
    fn cycle_and_hour(&self, wallet: &Wallet, used: Minute) -> (Window, Window) {
        let (at, default) = (used.starts(), self.settings.bills.cycle);
        let own = wallet.cycle_at(at, default);
        let hour = match wallet.cycle_length(at, default) {
            Cycle::Hour => own,
            Cycle::Day | Cycle::Month => wallet.zone.hour_around(at).overlap(own),
        };
        (hour.overlap(wallet.undivided_by_coupons(used)), own)
    }

    /// The end of the cycle in which late usage of a partition arrives: the one its mark lies in, or
    /// the first later one whose bill is not out yet.
    fn cycle_collected_after(&self, usage_partition: u32, payer: WalletNumber) -> Minute {
        let Some(wallet) = self.wallet(payer) else { return Minute::END };
        let mut arrived: Timestamp = self.clock.mark(usage_partition).max(Minute::START.starts());
        loop {
            let ends = wallet.cycle_at(arrived, self.settings.bills.cycle).until;
            let closes = ends.starts().plus(self.settings.bills.grace);
            if closes > self.clock.gate() || ends == Minute::END {
                return ends;
            }
            arrived = self.clock.gate().max(ends.starts());
        }
    }
}

fn place_number(place: usize) -> Result<u32, Broken> {
    u32::try_from(place).map_err(|_| Broken("more parts of an account than can be numbered"))
}

impl From<Trouble> for Undecided {
    fn from(trouble: Trouble) -> Undecided {
        match trouble {
            Trouble::Broken(broken) => broken.into(),
            Trouble::Unpriced(_) => Broken("an unpriced line outside pricing").into(),
        }
    }
}

#[cfg(test)]
#[path = "accrue_tests.rs"]
mod tests;
