//! The accounts whose usage comes through a partition, and the ledger each belongs to.

use std::hash::BuildHasher;

use compact_str::CompactString;
use drawdown_domain::money::Currency;
use drawdown_domain::time::Timestamp;

use crate::places::Places;

/// Where the usage of an account goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) ledger: u32,
    pub(crate) number: u32,
    pub(crate) currency: Currency,
    pub(crate) closed_at: Option<Timestamp>,
}

/// An account. With its name, unless that is long, it takes one cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Account {
    pub(crate) name: CompactString,
    pub(crate) route: Route,
}

/// Accounts by name, in the order in which they were opened.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
    places: Places,
    hasher: foldhash::fast::RandomState,
}

impl Accounts {
    /// By which an account is found. It is another in each process.
    #[inline]
    pub(crate) fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(name)
    }

    #[inline]
    fn place(&self, hash: u64, name: &str) -> Option<usize> {
        let is_it = |place: usize| self.accounts.get(place).is_some_and(|known| known.name == name);
        self.places.find(hash, is_it)
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, name: &str) -> Option<&Route> {
        self.accounts.get(self.place(hash, name)?).map(|account| &account.route)
    }

    /// Reads what [`Accounts::find`] will, for many accounts at a time, so that the processor waits for
    /// all of it together.
    pub(crate) fn read_ahead(&self, hashes: impl Iterator<Item = u64> + Clone) {
        let places = hashes.clone().map(|hash| self.places.guess(hash));
        std::hint::black_box(places.fold(0, |seen, place| seen ^ place));
        let routes = hashes.filter_map(|hash| self.accounts.get(self.places.guess(hash)));
        std::hint::black_box(routes.fold(0, |seen, account| seen ^ account.route.number));
    }

    pub(crate) fn open(&mut self, name: &str, route: Route) {
        let hash = self.hash(name);
        match self.place(hash, name) {
            Some(place) => self.accounts[place].route = route,
            None => {
                let place = self.accounts.len();
                self.accounts.push(Account { name: name.into(), route });
                let hash_of = |place: usize| self.hasher.hash_one(&*self.accounts[place].name);
                self.places.put(hash, place, |_| false, hash_of);
            }
        }
    }

    pub(crate) fn close(&mut self, name: &str, at: Timestamp) {
        if let Some(place) = self.place(self.hash(name), name) {
            self.accounts[place].route.closed_at = Some(at);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.accounts.len()
    }

    /// All accounts in the order in which they were opened.
    pub(crate) fn in_order(&self) -> &[Account] {
        &self.accounts
    }
}
