//! A registry taken apart and put together again: in pieces small enough to be written beside the
//! daily business, while it goes on.
//!
//! **Invariant:** claims come before ids. A claim that is settled names the ids it releases, and until
//! it has been loaded none of them has.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::{
    ActingName, Address, Claimed, KeyHash, KeyUsed, NumberKey, NumberedInvoice, Registry,
    Remittance, RequestRoute,
};
use crate::ids::{
    AccountId, Country, EnterpriseId, MethodId, PrincipalId, RequestId, Text, WalletId,
};
use crate::invoices::InvoiceType;
use crate::money::Currency;
use crate::rating::{PriceBook, Prices};
use crate::settings::Settings;
use crate::time::Timestamp;
use crate::{one_of, record};

record! {
    /// What a registry has only one of.
    pub struct RegistryShared {
        pub now: Timestamp,
        pub prices: Prices,
        pub settings: String,
        pub numbered: Vec<Numbered>,
    }
}

record! {
    /// How many numbers a series of invoices has given.
    pub struct Numbered {
        pub issuer_country: Country,
        pub year: u32,
        pub kind: InvoiceType,
        pub count: u64,
    }
}

record! {
    pub struct EnterpriseKnown {
        pub enterprise: EnterpriseId,
        pub country: Country,
    }
}

record! {
    /// An account and the wallet that was opened with it.
    pub struct AccountOwns {
        pub account: AccountId,
        pub wallet: WalletId,
    }
}

record! {
    /// A wallet, the enterprise it belongs to, and what it holds.
    pub struct WalletBelongs {
        pub wallet: WalletId,
        pub enterprise: EnterpriseId,
        pub currency: Currency,
    }
}

/// The enterprise a wallet belongs to, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WalletServes {
    pub(super) enterprise: EnterpriseId,
    pub(super) currency: Currency,
}

record! {
    /// An e-mail address, and an account that has it.
    pub struct AccountAddressed {
        pub email: Text,
        pub account: Option<AccountId>,
    }
}

record! {
    pub struct SomeClaims {
        pub claims: Vec<Claimed>,
    }
}

record! {
    pub struct SomeIds {
        pub enterprises: Vec<EnterpriseKnown>,
    }
}

record! {
    pub struct SomeOwned {
        pub accounts: Vec<AccountOwns>,
    }
}

record! {
    pub struct SomePaying {
        pub wallets: Vec<WalletBelongs>,
    }
}

record! {
    /// A payment method and the wallet it serves.
    pub struct MethodServes {
        pub method: MethodId,
        pub wallet: WalletId,
        /// Its wallet is closed, and from then on it can serve another one (R7.5).
        pub free_at: Option<Timestamp>,
    }
}

impl MethodServes {
    /// Whether it is taken at that time.
    pub(super) fn serves_at(&self, now: Timestamp) -> bool {
        self.free_at.is_none_or(|free_at| now < free_at)
    }
}

record! {
    pub struct SomeAddressed {
        pub addresses: Vec<AccountAddressed>,
    }
}

record! {
    pub struct SomeRequests {
        pub requests: Vec<RequestRoute>,
    }
}

record! {
    pub struct SomeRemittances {
        pub remittances: Vec<Remittance>,
    }
}

record! {
    pub struct SomeActing {
        pub names: Vec<ActingName>,
    }
}

record! {
    pub struct SomeInvoices {
        pub invoices: Vec<NumberedInvoice>,
    }
}

record! {
    pub struct SomeMethods {
        pub methods: Vec<MethodServes>,
    }
}

record! {
    pub struct SomeKeys {
        pub keys: Vec<KeyUsed>,
    }
}

one_of! {
    /// A piece of a registry.
    pub enum RegistryPiece {
        RegistryShared,
        SomeClaims,
        SomeIds,
        SomeOwned,
        SomePaying,
        SomeKeys,
        SomeMethods,
        SomeRemittances,
        SomeAddressed,
        SomeRequests,
        SomeInvoices,
        SomeActing,
    }
}

/// How far a registry has been taken apart: what is behind the named one comes next, none: from the
/// first on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    Shared,
    Claims(Option<u64>),
    Enterprises(Option<EnterpriseId>),
    Accounts(Option<AccountId>),
    Wallets(Option<WalletId>),
    Emails(Option<Address>),
    Methods(Option<MethodId>),
    Remittances(Option<Text>),
    Requests(Option<RequestId>),
    Invoices(Option<NumberKey>),
    Keys(Option<KeyHash>),
    Acting(Option<PrincipalId>),
}

/// Up to `most` of `all` behind `from`, and the last of them unless nothing follows.
fn part<K: Ord + Clone, V, T>(
    all: &BTreeMap<K, V>,
    from: &Option<K>,
    most: usize,
    item: impl Fn(&K, &V) -> T,
) -> (Vec<T>, Option<K>) {
    let from = from.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = all.range((from, Bound::Unbounded)).peekable();
    let (mut items, mut last) = (Vec::new(), None);
    while items.len() < most.max(1) {
        let Some((key, value)) = rest.next() else { break };
        items.push(item(key, value));
        last = Some(key.clone());
    }
    (items, last.filter(|_| rest.peek().is_some()))
}

impl Registry {
    /// The piece at `place`, of up to `most` things, and the place after it; none behind the last.
    pub fn piece(&self, place: &Place, most: usize) -> (RegistryPiece, Option<Place>) {
        match place {
            Place::Shared => {
                let (prices, settings) =
                    (self.book.prices().clone(), self.settings_document.clone());
                let numbered = self.numbered.iter().map(|((issuer_country, year, kind), count)| {
                    let (issuer_country, year, kind) = (*issuer_country, *year, *kind);
                    Numbered { issuer_country, year, kind, count: *count }
                });
                let numbered = numbered.collect();
                let shared = RegistryShared { now: self.now, prices, settings, numbered };
                (shared.into(), Some(Place::Claims(None)))
            }
            Place::Claims(from) => {
                let (claims, last) = part(&self.claims, from, most, |_, claim| claim.clone());
                let after = last.map_or(Place::Enterprises(None), |last| Place::Claims(Some(last)));
                (SomeClaims { claims }.into(), Some(after))
            }
            Place::Enterprises(from) => {
                let known = |enterprise: &EnterpriseId, country: &Country| EnterpriseKnown {
                    enterprise: enterprise.clone(),
                    country: *country,
                };
                let (enterprises, last) = part(&self.enterprises, from, most, known);
                let after =
                    last.map_or(Place::Accounts(None), |last| Place::Enterprises(Some(last)));
                (SomeIds { enterprises }.into(), Some(after))
            }
            Place::Accounts(from) => {
                let owns = |account: &AccountId, wallet: &WalletId| AccountOwns {
                    account: account.clone(),
                    wallet: wallet.clone(),
                };
                let (accounts, last) = part(&self.accounts, from, most, owns);
                let after = last.map_or(Place::Wallets(None), |last| Place::Accounts(Some(last)));
                (SomeOwned { accounts }.into(), Some(after))
            }
            Place::Wallets(from) => {
                let belongs = |wallet: &WalletId, serves: &WalletServes| WalletBelongs {
                    wallet: wallet.clone(),
                    enterprise: serves.enterprise.clone(),
                    currency: serves.currency,
                };
                let (wallets, last) = part(&self.wallets, from, most, belongs);
                let after = last.map_or(Place::Emails(None), |last| Place::Wallets(Some(last)));
                (SomePaying { wallets }.into(), Some(after))
            }
            Place::Emails(from) => {
                let addressed = |(email, account): &Address, (): &()| AccountAddressed {
                    email: email.clone(),
                    account: account.clone(),
                };
                let (addresses, last) = part(&self.emails, from, most, addressed);
                let after = last.map_or(Place::Methods(None), |last| Place::Emails(Some(last)));
                (SomeAddressed { addresses }.into(), Some(after))
            }
            Place::Methods(from) => {
                let (methods, last) = part(&self.methods, from, most, |_, serves| serves.clone());
                let after =
                    last.map_or(Place::Remittances(None), |last| Place::Methods(Some(last)));
                (SomeMethods { methods }.into(), Some(after))
            }
            Place::Remittances(from) => {
                let (remittances, last) =
                    part(&self.remittances, from, most, |_, known| known.clone());
                let after =
                    last.map_or(Place::Requests(None), |last| Place::Remittances(Some(last)));
                (SomeRemittances { remittances }.into(), Some(after))
            }
            Place::Requests(from) => {
                let (requests, last) = part(&self.requests, from, most, |_, route| route.clone());
                let after = last.map_or(Place::Invoices(None), |last| Place::Requests(Some(last)));
                (SomeRequests { requests }.into(), Some(after))
            }
            Place::Acting(from) => {
                let (names, last) = part(&self.acting, from, most, |_, known| known.clone());
                (SomeActing { names }.into(), last.map(|last| Place::Acting(Some(last))))
            }
            Place::Invoices(from) => {
                let (invoices, last) = part(&self.invoices, from, most, |_, known| *known);
                let after = last.map_or(Place::Keys(None), |last| Place::Invoices(Some(last)));
                (SomeInvoices { invoices }.into(), Some(after))
            }
            Place::Keys(from) => {
                let used = |key: &KeyHash, used: &super::Used| KeyUsed {
                    key_high: key.0,
                    key_low: key.1,
                    content: used.content,
                    command: used.command,
                    at: used.at,
                };
                let (keys, last) = part(&self.keys, from, most, used);
                let after = last.map_or(Place::Acting(None), |last| Place::Keys(Some(last)));
                (SomeKeys { keys }.into(), Some(after))
            }
        }
    }

    /// Whether what is at `place` has been loaded.
    pub(super) fn has(&self, place: &Place) -> bool {
        self.loading.as_ref().is_none_or(|loaded| place <= loaded)
    }

    /// Puts a piece in its place; pieces come in the order in which they were taken, and facts between
    /// them. `after` is the place after this one.
    pub fn load(&mut self, piece: RegistryPiece, after: Option<Place>) -> Result<(), NotAPiece> {
        match piece {
            RegistryPiece::RegistryShared(shared) => {
                self.now = shared.now;
                self.book = PriceBook::from(shared.prices);
                self.settings = Settings::parse(&shared.settings).map_err(|_| NotAPiece)?;
                self.settings_document = shared.settings;
                let series = |known: &Numbered| (known.issuer_country, known.year, known.kind);
                let numbered = shared.numbered.iter().map(|known| (series(known), known.count));
                self.numbered = numbered.collect();
            }
            RegistryPiece::SomeClaims(part) => {
                self.claims.extend(part.claims.into_iter().map(|claim| (claim.command, claim)));
            }
            RegistryPiece::SomeIds(part) => {
                let known = |known: EnterpriseKnown| (known.enterprise, known.country);
                self.enterprises.extend(part.enterprises.into_iter().map(known));
            }
            RegistryPiece::SomeOwned(part) => {
                let owns = |owner: AccountOwns| (owner.account, owner.wallet);
                self.accounts.extend(part.accounts.into_iter().map(owns));
            }
            RegistryPiece::SomePaying(part) => {
                let belongs = |WalletBelongs { wallet, enterprise, currency }| {
                    (wallet, WalletServes { enterprise, currency })
                };
                self.wallets.extend(part.wallets.into_iter().map(belongs));
            }
            RegistryPiece::SomeMethods(part) => {
                let serves = |serves: MethodServes| (serves.method.clone(), serves);
                self.methods.extend(part.methods.into_iter().map(serves));
            }
            RegistryPiece::SomeRemittances(part) => {
                let known = |known: Remittance| (known.reference.clone(), known);
                self.remittances.extend(part.remittances.into_iter().map(known));
            }
            RegistryPiece::SomeAddressed(part) => {
                let addressed = |known: AccountAddressed| ((known.email, known.account), ());
                self.emails.extend(part.addresses.into_iter().map(addressed));
            }
            RegistryPiece::SomeRequests(part) => {
                let known = |route: RequestRoute| (route.request.clone(), route);
                self.requests.extend(part.requests.into_iter().map(known));
            }
            RegistryPiece::SomeActing(part) => {
                let known = |known: ActingName| (known.principal.clone(), known);
                self.acting.extend(part.names.into_iter().map(known));
            }
            RegistryPiece::SomeInvoices(part) => {
                let known = |known: NumberedInvoice| (known.key(), known);
                self.invoices.extend(part.invoices.into_iter().map(known));
            }
            RegistryPiece::SomeKeys(part) => part.keys.iter().for_each(|used| self.put_key(used)),
        }
        self.loading = after;
        if self.loading.is_none() {
            self.order_keys();
        }
        Ok(())
    }

    fn order_keys(&mut self) {
        let age = |key: &KeyHash| self.keys.get(key).map(|used| (used.at, used.command));
        self.keys_by_age.make_contiguous().sort_by_key(age);
        self.forget_old_keys();
    }
}

/// A piece does not hold what a piece holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a piece of the registry makes no sense")]
pub struct NotAPiece;
