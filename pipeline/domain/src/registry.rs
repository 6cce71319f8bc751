//! What is unique over all enterprises: ids, idempotency keys, the price book that may be loaded. The
//! registry claims and forwards; the ledger concerned decides, and the registry keeps or releases.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::commands::{Command, LoadPrices, LoadSettings, OpenAccount, OpenEnterprise, Subject};
use crate::ids::{AccountId, EnterpriseId, WalletId};
use crate::rating::{self, Change, PriceBook, Prices};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::time::{Span, Timestamp};
use crate::{one_of, record};

/// How long a repeated key gets its first answer (R11.5).
pub const KEYS_KEPT: Span = Span::days(35);

/// A principal's idempotency key, and what was asked under it, each as a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyHash(pub u64, pub u64);

record! {
    /// The registry's time went on.
    pub struct RegistryTime {
        pub at: Timestamp,
    }
}

record! {
    /// A key was used for the first time.
    pub struct KeyUsed {
        pub key_high: u64,
        pub key_low: u64,
        pub content: u64,
        pub command: u64,
        pub at: Timestamp,
    }
}

record! {
    /// Ids are taken for a command that its ledger has yet to decide.
    pub struct Claimed {
        pub command: u64,
        pub enterprise: EnterpriseId,
        pub account: Option<AccountId>,
        pub wallet: Option<WalletId>,
    }
}

record! {
    /// The ledger has decided the command for which ids were taken.
    pub struct ClaimSettled {
        pub command: u64,
        pub kept: bool,
    }
}

record! {
    /// A price book was loaded.
    pub struct PricesLoaded {
        pub changes: Vec<Change>,
    }
}

record! {
    /// Settings were loaded.
    pub struct SettingsLoaded {
        pub document: String,
    }
}

one_of! {
    /// What can happen to the registry.
    pub enum RegistryFact { RegistryTime, KeyUsed, Claimed, ClaimSettled, PricesLoaded, SettingsLoaded }
}

/// What becomes of a command that asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The ledger of this enterprise decides.
    Forward(EnterpriseId),
    /// Every ledger gets these prices, and metering what is for sale.
    Prices(Vec<Change>),
    /// Everybody gets these settings.
    Settings(String),
    /// The same command was asked before, as this one.
    Repeats(u64),
    Refused(Refusal, Option<String>),
}

/// A command as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its place in the log.
    pub number: u64,
    pub key: Option<KeyHash>,
    /// A hash of all it says.
    pub content: u64,
    pub command: &'a Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Used {
    content: u64,
    command: u64,
    at: Timestamp,
}

/// The state.
#[derive(Debug)]
pub struct Registry {
    now: Timestamp,
    keys: BTreeMap<KeyHash, Used>,
    /// The keys in the order of their use, to forget the oldest.
    keys_by_age: VecDeque<KeyHash>,
    enterprises: BTreeMap<EnterpriseId, ()>,
    accounts: BTreeMap<AccountId, EnterpriseId>,
    wallets: BTreeMap<WalletId, EnterpriseId>,
    claims: BTreeMap<u64, Claimed>,
    book: PriceBook,
    settings: Settings,
    settings_document: String,
}

impl Default for Registry {
    fn default() -> Registry {
        Registry {
            now: Timestamp::START,
            keys: BTreeMap::new(),
            keys_by_age: VecDeque::new(),
            enterprises: BTreeMap::new(),
            accounts: BTreeMap::new(),
            wallets: BTreeMap::new(),
            claims: BTreeMap::new(),
            book: PriceBook::default(),
            settings: Settings::default(),
            settings_document: String::new(),
        }
    }
}

impl Registry {
    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn book(&self) -> &PriceBook {
        &self.book
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Time goes on.
    pub fn pass(&mut self, at: Timestamp, facts: &mut dyn FnMut(&RegistryFact)) {
        if at > self.now {
            self.record(RegistryTime { at }, facts);
        }
    }

    /// Admits a command, claims what must be unique, and says who decides. Idempotency comes first
    /// (R11.5).
    pub fn ask(&mut self, asked: Asked<'_>, facts: &mut dyn FnMut(&RegistryFact)) -> Admission {
        if let Some(key) = asked.key {
            match self.keys.get(&key).filter(|used| used.at.plus(KEYS_KEPT) >= self.now) {
                Some(used) if used.content == asked.content => {
                    return Admission::Repeats(used.command);
                }
                Some(_) => return Admission::Refused(Refusal::KeyReused, None),
                None => {
                    let KeyHash(key_high, key_low) = key;
                    let (content, command, at) = (asked.content, asked.number, self.now);
                    self.record(KeyUsed { key_high, key_low, content, command, at }, facts);
                }
            }
        }
        match asked.command {
            Command::OpenEnterprise(command) => self.open_enterprise(asked.number, command, facts),
            Command::OpenAccount(command) => self.open_account(asked.number, command, facts),
            Command::LoadPrices(command) => self.load_prices(command, facts),
            Command::LoadSettings(command) => self.load_settings(command, facts),
            other if other.other_wallet().is_some_and(|id| !self.wallets.contains_key(id)) => {
                Admission::Refused(Refusal::NotFound, None)
            }
            other => match self.enterprise_of(other.subject()) {
                Some(enterprise) => Admission::Forward(enterprise),
                None => Admission::Refused(Refusal::NotFound, None),
            },
        }
    }

    /// A ledger has decided a command.
    pub fn settle(&mut self, command: u64, kept: bool, facts: &mut dyn FnMut(&RegistryFact)) {
        if self.claims.contains_key(&command) {
            self.record(ClaimSettled { command, kept }, facts);
        }
    }

    fn open_enterprise(
        &mut self,
        number: u64,
        command: &OpenEnterprise,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        if self.enterprises.contains_key(&command.enterprise) {
            return Admission::Refused(Refusal::AlreadyExists, None);
        }
        let enterprise = command.enterprise.clone();
        let claimed = Claimed { command: number, enterprise, account: None, wallet: None };
        self.record(claimed, facts);
        Admission::Forward(command.enterprise.clone())
    }

    fn open_account(
        &mut self,
        number: u64,
        command: &OpenAccount,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        if !self.enterprises.contains_key(&command.enterprise) {
            return Admission::Refused(Refusal::NotFound, None);
        }
        let own = command.billing_account.clone().or_else(|| WalletId::own_of(&command.account));
        let Some(wallet) = own else {
            let detail =
                "the account's name is too long to be preceded by ba-; name its billing account";
            return Admission::Refused(Refusal::Malformed, Some(detail.to_owned()));
        };
        if self.accounts.contains_key(&command.account) || self.wallets.contains_key(&wallet) {
            return Admission::Refused(Refusal::AlreadyExists, None);
        }
        let (enterprise, account) = (command.enterprise.clone(), Some(command.account.clone()));
        self.record(Claimed { command: number, enterprise, account, wallet: Some(wallet) }, facts);
        Admission::Forward(command.enterprise.clone())
    }

    fn load_prices(
        &mut self,
        command: &LoadPrices,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let changes = rating::parse(&command.document)
            .and_then(|entries| self.book.changes(entries, self.now));
        match changes {
            Ok(changes) => {
                self.record(PricesLoaded { changes: changes.clone() }, facts);
                Admission::Prices(changes)
            }
            Err(why @ rating::NotAPriceBook::InThePast { .. }) => {
                Admission::Refused(Refusal::InThePast, Some(why.to_string()))
            }
            Err(why) => Admission::Refused(Refusal::Malformed, Some(why.to_string())),
        }
    }

    fn load_settings(
        &mut self,
        command: &LoadSettings,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        match Settings::parse(&command.document) {
            Ok(_) => {
                self.record(SettingsLoaded { document: command.document.clone() }, facts);
                Admission::Settings(command.document.clone())
            }
            Err(why) => Admission::Refused(Refusal::Malformed, Some(why.to_string())),
        }
    }

    fn enterprise_of(&self, subject: Subject<'_>) -> Option<EnterpriseId> {
        match subject {
            Subject::Enterprise(id) => {
                self.enterprises.get_key_value(id).map(|(id, ())| id.clone())
            }
            Subject::Account(id) => self.accounts.get(id).cloned(),
            Subject::Wallet(id) => self.wallets.get(id).cloned(),
            Subject::Everyone => None,
        }
    }

    fn record(&mut self, fact: impl Into<RegistryFact>, facts: &mut dyn FnMut(&RegistryFact)) {
        let fact = fact.into();
        self.apply(&fact);
        facts(&fact);
    }

    /// Applies a fact; decides nothing.
    pub fn apply(&mut self, fact: &RegistryFact) {
        match fact {
            RegistryFact::RegistryTime(fact) => {
                self.now = fact.at;
                self.forget_old_keys();
            }
            RegistryFact::KeyUsed(fact) => {
                let key = KeyHash(fact.key_high, fact.key_low);
                let used = Used { content: fact.content, command: fact.command, at: fact.at };
                self.keys.insert(key, used);
                self.keys_by_age.push_back(key);
            }
            RegistryFact::Claimed(fact) => {
                self.enterprises.insert(fact.enterprise.clone(), ());
                if let Some(account) = &fact.account {
                    self.accounts.insert(account.clone(), fact.enterprise.clone());
                }
                if let Some(wallet) = &fact.wallet {
                    self.wallets.insert(wallet.clone(), fact.enterprise.clone());
                }
                self.claims.insert(fact.command, fact.clone());
            }
            RegistryFact::ClaimSettled(fact) => {
                let claimed = self.claims.remove(&fact.command).filter(|_| !fact.kept);
                let Some(Claimed { enterprise, account, wallet, .. }) = claimed else { return };
                if account.is_none() && wallet.is_none() {
                    self.enterprises.remove(&enterprise);
                }
                if let Some(account) = account {
                    self.accounts.remove(&account);
                }
                if let Some(wallet) = wallet {
                    self.wallets.remove(&wallet);
                }
            }
            RegistryFact::PricesLoaded(fact) => self.book.apply(&fact.changes),
            RegistryFact::SettingsLoaded(fact) => {
                if let Ok(settings) = Settings::parse(&fact.document) {
                    self.settings = settings;
                    self.settings_document.clone_from(&fact.document);
                }
            }
        }
    }

    fn forget_old_keys(&mut self) {
        while let Some(oldest) = self.keys_by_age.front() {
            let expired =
                self.keys.get(oldest).is_none_or(|used| used.at.plus(KEYS_KEPT) < self.now);
            if !expired {
                break;
            }
            self.keys.remove(oldest);
            self.keys_by_age.pop_front();
        }
    }
}

record! {
    /// An account or wallet and the enterprise it belongs to.
    pub struct Belongs {
        pub enterprise: EnterpriseId,
        pub account: Option<AccountId>,
        pub wallet: Option<WalletId>,
    }
}

record! {
    /// A piece of the registry.
    pub struct RegistryPiece {
        pub now: Timestamp,
        pub keys: Vec<KeyUsed>,
        pub enterprises: Vec<EnterpriseId>,
        pub belongs: Vec<Belongs>,
        pub claims: Vec<Claimed>,
        pub prices: Prices,
        pub settings: String,
    }
}

impl Registry {
    /// All of the state. The registry knows little of each id, so it goes in one piece.
    pub fn piece(&self) -> RegistryPiece {
        let keys = self.keys_by_age.iter().filter_map(|key| {
            let used = self.keys.get(key)?;
            let (KeyHash(key_high, key_low), Used { content, command, at }) = (*key, *used);
            Some(KeyUsed { key_high, key_low, content, command, at })
        });
        let accounts = self.accounts.iter().map(|(account, enterprise)| Belongs {
            enterprise: enterprise.clone(),
            account: Some(account.clone()),
            wallet: None,
        });
        let wallets = self.wallets.iter().map(|(wallet, enterprise)| Belongs {
            enterprise: enterprise.clone(),
            account: None,
            wallet: Some(wallet.clone()),
        });
        RegistryPiece {
            now: self.now,
            keys: keys.collect(),
            enterprises: self.enterprises.keys().cloned().collect(),
            belongs: accounts.chain(wallets).collect(),
            claims: self.claims.values().cloned().collect(),
            prices: self.book.prices().clone(),
            settings: self.settings_document.clone(),
        }
    }

    /// The registry that `piece` was taken of.
    pub fn from_piece(piece: RegistryPiece) -> Registry {
        let mut registry = Registry { now: piece.now, ..Registry::default() };
        for key in piece.keys {
            registry.apply(&key.into());
        }
        registry.enterprises = piece.enterprises.into_iter().map(|id| (id, ())).collect();
        for Belongs { enterprise, account, wallet } in piece.belongs {
            if let Some(account) = account {
                registry.accounts.insert(account, enterprise.clone());
            }
            if let Some(wallet) = wallet {
                registry.wallets.insert(wallet, enterprise);
            }
        }
        registry.claims = piece.claims.into_iter().map(|claim| (claim.command, claim)).collect();
        registry.book = PriceBook::from(piece.prices);
        registry.settings = Settings::parse(&piece.settings).unwrap_or_default();
        registry.settings_document = piece.settings;
        registry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{Mode, TopUp};
    use crate::money::{Amount, Currency};

    fn asked(number: u64, key: Option<u64>, content: u64, command: &Command) -> Asked<'_> {
        Asked { number, key: key.map(|key| KeyHash(0, key)), content, command }
    }

    fn open(enterprise: &str) -> Command {
        OpenEnterprise {
            enterprise: enterprise.parse().unwrap(),
            name: "E".parse().unwrap(),
            country: "SG".parse().unwrap(),
            tax_id: None,
            language: None,
            account_center: None,
            management_account: None,
            credit_total: None,
        }
        .into()
    }

    fn account(account: &str, enterprise: &str) -> Command {
        OpenAccount {
            account: account.parse().unwrap(),
            enterprise: enterprise.parse().unwrap(),
            email: "a@b.example".parse().unwrap(),
            currency: None,
            time_zone: None,
            billing_account: None,
            mode: Mode::Prepaid,
            region: None,
            kind: None,
            partner: None,
            partner_pays: None,
        }
        .into()
    }

    fn top_up(wallet: &str) -> Command {
        TopUp {
            billing_account: wallet.parse().unwrap(),
            amount: Amount::whole(100),
            currency: Currency::Usd,
            method: "bank_transfer".parse().unwrap(),
            remark: None,
            test: None,
        }
        .into()
    }

    #[test]
    fn r11_5_a_repeated_key_gets_the_first_answer_and_another_content_is_refused() {
        let mut registry = Registry::default();
        let mut ask = |number, key, content, at: i64| {
            registry.pass(Timestamp::from_micros(at), &mut |_| {});
            registry.ask(asked(number, Some(key), content, &top_up("ba-a")), &mut |_| {})
        };
        let kept = KEYS_KEPT.as_micros();
        assert_eq!(ask(1, 7, 70, 0), Admission::Refused(Refusal::NotFound, None));
        assert_eq!(ask(2, 7, 70, 5), Admission::Repeats(1));
        assert_eq!(ask(3, 7, 71, 6), Admission::Refused(Refusal::KeyReused, None));
        assert_eq!(ask(4, 7, 70, kept), Admission::Repeats(1));
        assert_eq!(ask(5, 7, 71, kept + 1), Admission::Refused(Refusal::NotFound, None));
    }

    #[test]
    fn ids_are_claimed_once_and_released_if_the_ledger_refuses() {
        let mut registry = Registry::default();
        let mut ask =
            |number, command: &Command| registry.ask(asked(number, None, 0, command), &mut |_| {});
        let taken = Admission::Refused(Refusal::AlreadyExists, None);
        assert_eq!(ask(1, &account("a", "e")), Admission::Refused(Refusal::NotFound, None));
        assert_eq!(ask(2, &open("e")), Admission::Forward("e".parse().unwrap()));
        assert_eq!(ask(3, &open("e")), taken);
        assert_eq!(ask(4, &account("a", "e")), Admission::Forward("e".parse().unwrap()));
        assert_eq!(ask(5, &account("a", "e")), taken);
        assert_eq!(ask(6, &top_up("ba-a")), Admission::Forward("e".parse().unwrap()));
        registry.settle(4, false, &mut |_| {});
        let mut ask =
            |number, command: &Command| registry.ask(asked(number, None, 0, command), &mut |_| {});
        assert_eq!(ask(7, &top_up("ba-a")), Admission::Refused(Refusal::NotFound, None));
        assert_eq!(ask(8, &account("a", "e")), Admission::Forward("e".parse().unwrap()));
    }

    #[test]
    fn the_registry_is_what_its_facts_make_it() {
        let (mut registry, mut replayed) = (Registry::default(), Registry::default());
        let mut facts = Vec::new();
        for (number, command) in
            (1..).zip([open("e"), account("a", "e"), account("b", "e"), top_up("ba-a")])
        {
            registry.pass(Timestamp::from_micros(number), &mut |fact| facts.push(fact.clone()));
            let number = number as u64;
            registry.ask(asked(number, Some(number), number, &command), &mut |fact| {
                facts.push(fact.clone())
            });
        }
        registry.settle(3, false, &mut |fact| facts.push(fact.clone()));
        for fact in &facts {
            replayed.apply(fact);
        }
        assert_eq!(replayed.piece(), registry.piece());
        assert_eq!(Registry::from_piece(registry.piece()).piece(), registry.piece());
    }
}
