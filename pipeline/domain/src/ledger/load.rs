//! A ledger taken apart and put together again: in pieces small enough to be written beside the daily
//! business, while it goes on.

use serde::Serialize;

use super::coverage::{CoveredHour, HourOfUse};
use super::state::{Account, AccountNumber, Enterprise, EnterpriseNumber, Wallet, WalletNumber};
use super::values::{SeriesValues, ValuePlace};
use super::{Broken, Clock, Ledger};
use crate::ids::RegionId;
use crate::money::Amount;
use crate::rating::{Change, PriceBook, Prices};
use crate::settings::Settings;
use crate::{one_of, record};

record! {
    /// What a ledger has only one of.
    pub struct Shared {
        pub settings: String,
        pub prices: Prices,
        pub arriving: Vec<Change>,
        pub clock: Clock,
        pub regions: Vec<RegionId>,
    }
}

record! {
    /// Some enterprises, in the order of their numbers.
    pub struct SomeEnterprises {
        /// The number of the first.
        pub from: u32,
        pub enterprises: Vec<Enterprise>,
    }
}

record! {
    /// Some accounts, in the order of their numbers.
    pub struct SomeAccounts {
        /// The number of the first.
        pub from: u32,
        pub accounts: Vec<Account>,
    }
}

record! {
    /// Some wallets, in the order of their numbers.
    pub struct SomeWallets {
        /// The number of the first.
        pub from: u32,
        pub wallets: Vec<Wallet>,
    }
}

record! {
    /// Some of what records said that are not added up, in the order of the table.
    pub struct SomeValues {
        pub series: Vec<SeriesValues>,
        /// The last of their places; none: no more follow.
        pub until: Option<ValuePlace>,
    }
}

record! {
    /// Some of what benefits have covered, in the order of the table.
    pub struct SomeCoverage {
        pub hours: Vec<CoveredHour>,
        /// The last of them; none: no more follow.
        pub until: Option<HourOfUse>,
    }
}

one_of! {
    /// A piece of a ledger. Accounts come before wallets: what a fact does to a wallet may need its
    /// account, never the other way round.
    pub enum Piece { Shared, SomeEnterprises, SomeAccounts, SomeWallets, SomeValues, SomeCoverage }
}

/// A piece where it lies in the ledger, to be written as a [`Piece`] is.
#[derive(Debug, Serialize)]
pub enum PieceInPlace<'a> {
    Shared(Shared),
    SomeEnterprises(Run<'a, Enterprise>),
    SomeAccounts(Run<'a, Account>),
    SomeWallets(Run<'a, Wallet>),
    SomeValues(SomeValues),
    SomeCoverage(SomeCoverage),
}

/// Some of a table, in the order of their numbers.
#[derive(Debug, Serialize)]
pub struct Run<'a, T> {
    from: u32,
    items: &'a [T],
}

impl From<PieceInPlace<'_>> for Piece {
    fn from(piece: PieceInPlace<'_>) -> Piece {
        match piece {
            PieceInPlace::Shared(shared) => shared.into(),
            PieceInPlace::SomeEnterprises(Run { from, items }) => {
                SomeEnterprises { from, enterprises: items.to_vec() }.into()
            }
            PieceInPlace::SomeAccounts(Run { from, items }) => {
                SomeAccounts { from, accounts: items.to_vec() }.into()
            }
            PieceInPlace::SomeWallets(Run { from, items }) => {
                SomeWallets { from, wallets: items.to_vec() }.into()
            }
            PieceInPlace::SomeValues(values) => values.into(),
            PieceInPlace::SomeCoverage(coverage) => coverage.into(),
        }
    }
}

/// So many values take about as much as one account.
const VALUES_FOR_ONE: usize = 8;

/// How far a ledger has been taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Shared,
    Enterprises(u32),
    Accounts(u32),
    /// Behind this value; none: from the first on.
    Values(Option<ValuePlace>),
    /// Behind this hour of use; none: from the first on.
    Coverage(Option<HourOfUse>),
    Wallets(u32),
}

impl Ledger {
    /// The piece at `place`, of up to `most` enterprises, accounts or wallets, and the place after it;
    /// none behind the last.
    pub fn piece(&self, place: Place, most: usize) -> (Piece, Option<Place>) {
        let (piece, after) = self.piece_in_place(place, most);
        (piece.into(), after)
    }

    /// The same, not taken out of the ledger.
    pub fn piece_in_place(&self, place: Place, most: usize) -> (PieceInPlace<'_>, Option<Place>) {
        match place {
            Place::Shared => (PieceInPlace::Shared(self.shared()), Some(Place::Enterprises(0))),
            Place::Enterprises(from) => {
                let (run, next) = part(&self.enterprises, from, most);
                let after = next.map_or(Place::Accounts(0), Place::Enterprises);
                (PieceInPlace::SomeEnterprises(run), Some(after))
            }
            Place::Accounts(from) => {
                let (run, next) = part(&self.accounts, from, most);
                let after = next.map_or(Place::Values(None), Place::Accounts);
                (PieceInPlace::SomeAccounts(run), Some(after))
            }
            Place::Values(after) => {
                let most = most.saturating_mul(VALUES_FOR_ONE);
                let (series, until) = self.values.part(after.as_ref(), most);
                let after = match until.clone() {
                    Some(until) => Place::Values(Some(until)),
                    None => Place::Coverage(None),
                };
                (PieceInPlace::SomeValues(SomeValues { series, until }), Some(after))
            }
            Place::Coverage(after) => {
                let (hours, until) = self.coverage.part(after.as_ref(), most);
                let after = until.map_or(Place::Wallets(0), |until| Place::Coverage(Some(until)));
                (PieceInPlace::SomeCoverage(SomeCoverage { hours, until }), Some(after))
            }
            Place::Wallets(from) => {
                let (run, next) = part(&self.wallets, from, most);
                (PieceInPlace::SomeWallets(run), next.map(Place::Wallets))
            }
        }
    }

    fn shared(&self) -> Shared {
        Shared {
            settings: self.settings_document.clone(),
            prices: self.book.prices().clone(),
            arriving: self.arriving.clone(),
            clock: self.clock.clone(),
            regions: self.regions.clone(),
        }
    }

    /// Begins to load: facts about what is not there yet are passed over until [`Ledger::loaded`].
    pub fn begin_load(&mut self) {
        if !self.loading {
            self.loading = true;
            self.values.begin_load();
            self.coverage.begin_load();
        }
    }

    /// Puts a piece in its place; pieces come in the order in which they were taken.
    pub fn load(&mut self, piece: Piece) -> Result<(), Broken> {
        match piece {
            Piece::Shared(shared) => {
                self.settings = Settings::parse(&shared.settings)
                    .map_err(|_| Broken("settings that cannot be read"))?;
                self.settings_document = shared.settings;
                self.book = PriceBook::from(shared.prices);
                self.arriving = shared.arriving;
                self.clock = shared.clock;
                self.regions = shared.regions;
            }
            Piece::SomeEnterprises(piece) => {
                for (number, enterprise) in (piece.from..).zip(piece.enterprises) {
                    if self.is_new(number, self.enterprises.len())? {
                        self.put_enterprise(EnterpriseNumber(number), enterprise);
                    }
                }
            }
            Piece::SomeAccounts(piece) => {
                for (number, account) in (piece.from..).zip(piece.accounts) {
                    if self.is_new(number, self.accounts.len())? {
                        self.put_account(AccountNumber(number), account);
                    }
                }
            }
            Piece::SomeValues(piece) => self.values.load(piece.series, piece.until),
            Piece::SomeCoverage(piece) => self.coverage.load(&piece.hours, piece.until)?,
            Piece::SomeWallets(piece) => {
                for (number, wallet) in (piece.from..).zip(piece.wallets) {
                    if self.is_new(number, self.wallets.len())? {
                        self.put_wallet(WalletNumber(number), wallet);
                    }
                }
            }
        }
        Ok(())
    }

    /// Every piece is in its place.
    pub fn loaded(&mut self) {
        self.loading = false;
        self.values.loaded();
        self.coverage.loaded();
    }

    /// Whether a piece is still to bring this account, with all that has happened to it until then.
    pub fn comes_later(&self, account: AccountNumber) -> bool {
        self.loading && account.index() >= self.accounts.len()
    }

    pub(super) fn add_enterprise(
        &mut self,
        number: EnterpriseNumber,
        enterprise: Enterprise,
    ) -> Result<(), Broken> {
        if self.is_to_come(number.index(), self.enterprises.len())? {
            return Ok(());
        }
        self.put_enterprise(number, enterprise);
        Ok(())
    }

    pub(super) fn add_account(
        &mut self,
        number: AccountNumber,
        account: Account,
    ) -> Result<(), Broken> {
        if self.is_to_come(number.index(), self.accounts.len())? {
            return Ok(());
        }
        self.put_account(number, account);
        Ok(())
    }

    pub(super) fn add_wallet(
        &mut self,
        number: WalletNumber,
        wallet: Wallet,
    ) -> Result<(), Broken> {
        if self.is_to_come(number.index(), self.wallets.len())? {
            return Ok(());
        }
        self.put_wallet(number, wallet);
        Ok(())
    }

    /// Whether a part of a piece is not there yet. It may be: it was opened by a fact between the piece
    /// before and this one, and has met every fact since.
    fn is_new(&self, number: u32, known: usize) -> Result<bool, Broken> {
        match (number as usize).cmp(&known) {
            std::cmp::Ordering::Equal => Ok(true),
            std::cmp::Ordering::Less => Ok(false),
            std::cmp::Ordering::Greater => Err(Broken("a piece out of turn")),
        }
    }

    /// Whether something new lies behind what has been loaded so far, so that a piece will bring it.
    fn is_to_come(&self, number: usize, known: usize) -> Result<bool, Broken> {
        match number.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(false),
            std::cmp::Ordering::Greater if self.loading => Ok(true),
            std::cmp::Ordering::Greater | std::cmp::Ordering::Less => {
                Err(Broken("a number out of turn"))
            }
        }
    }

    fn put_enterprise(&mut self, number: EnterpriseNumber, enterprise: Enterprise) {
        self.enterprises.push(enterprise);
        let names = &self.enterprises;
        self.enterprise_names.insert(number.0, |at| Some(names.get(at)?.id.as_str()));
    }

    fn put_account(&mut self, number: AccountNumber, account: Account) {
        for payer in &account.payers {
            let before = account.payer_before(payer.from);
            self.note_payer(payer.wallet, number, payer.from, before);
        }
        self.accounts.push(account);
        let names = &self.accounts;
        self.account_names.insert(number.0, |at| Some(names.get(at)?.id.as_str()));
    }

    fn put_wallet(&mut self, number: WalletNumber, mut wallet: Wallet) {
        // They used to be in the order in which they were opened.
        wallet.open_cycles.sort_by_key(|cycle| cycle.ends);
        wallet.open_cycles.iter_mut().for_each(|cycle| cycle.accounts.sort_unstable());
        self.due.insert_all(number, &wallet);
        self.requests.note_all(number, &wallet);
        if !wallet.bought().is_empty() {
            self.holders.insert(number);
        }
        self.wallets.push(wallet);
        self.headroom.push(Amount::ZERO);
        self.watch_unpaid(number);
        let names = &self.wallets;
        self.wallet_names.insert(number.0, |at| Some(names.get(at)?.id.as_str()));
    }
}

/// Up to `most` of `all` from a number on, and the number after them unless they are the last.
fn part<T>(all: &[T], from: u32, most: usize) -> (Run<'_, T>, Option<u32>) {
    let rest = all.get(from as usize..).unwrap_or_default();
    let items = rest.get(..most).unwrap_or(rest);
    let next = from.saturating_add(count(items.len()));
    (Run { from, items }, (items.len() < rest.len()).then_some(next))
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
