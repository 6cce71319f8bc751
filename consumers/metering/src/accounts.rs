//! The accounts whose usage comes through a partition, and the ledger each belongs to.

use drawdown_domain::money::Currency;
use drawdown_domain::time::Timestamp;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Where the usage of an account goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) ledger: u32,
    pub(crate) number: u32,
    pub(crate) currency: Currency,
    pub(crate) closed_at: Option<Timestamp>,
}

/// Accounts by name, in the order in which they were opened.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    routes: Vec<(Box<str>, Route)>,
    places: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl Accounts {
    #[inline]
    fn place(&self, account: &str) -> Option<usize> {
        let hash = self.hasher.hash_one(account);
        let same = |place: &u32| {
            self.routes.get(*place as usize).is_some_and(|(name, _)| &**name == account)
        };
        self.places.find(hash, same).map(|place| *place as usize)
    }

    #[inline]
    pub(crate) fn find(&self, account: &str) -> Option<&Route> {
        self.routes.get(self.place(account)?).map(|(_, route)| route)
    }

    pub(crate) fn open(&mut self, account: &str, route: Route) {
        match self.place(account) {
            Some(place) => self.routes[place].1 = route,
            None => {
                let place = u32::try_from(self.routes.len()).unwrap_or(u32::MAX);
                self.routes.push((account.into(), route));
                let (routes, hasher) = (&self.routes, &self.hasher);
                let hash = |place: &u32| hasher.hash_one(&*routes[*place as usize].0);
                self.places.insert_unique(hasher.hash_one(account), place, hash);
            }
        }
    }

    pub(crate) fn close(&mut self, account: &str, at: Timestamp) {
        if let Some(place) = self.place(account) {
            self.routes[place].1.closed_at = Some(at);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.routes.len()
    }

    /// All accounts in the order in which they were opened.
    pub(crate) fn in_order(&self) -> &[(Box<str>, Route)] {
        &self.routes
    }
}
