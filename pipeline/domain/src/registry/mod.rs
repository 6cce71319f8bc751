//! What is unique over all enterprises: ids, idempotency keys, who acts for whom, payment methods, e-mail addresses,
//! transfers that nobody has claimed, the price book that may be loaded, the numbers of invoices. The registry claims
//! and forwards; the ledger concerned decides, and the registry keeps or releases.

mod explaining;
mod load;
mod names;
mod numbering;
mod remittances;
mod requests;

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use load::{MethodServes, WalletServes};
pub use load::{NotAPiece, Place, RegistryPiece};
pub use names::ActingName;
use numbering::SeriesName;
pub use numbering::{NumberKey, NumberedInvoice, Numberless};
pub use remittances::{
    Remittance, RemittanceClaim, RemittanceReceived, RemittanceRow, Whereabouts,
};
pub use requests::RequestRoute;

use crate::commands::{
    Command, DeregisterBillingAccount, FinishAuthentication, LinkPaymentMethod, LoadPrices,
    LoadSettings, OpenAccount, OpenEnterprise, Subject, UnlinkPaymentMethod,
};
use crate::ids::{
    AccountId, Country, EnterpriseId, MethodId, PrincipalId, RequestId, Text, WalletId,
};
use crate::invoices::InvoiceType;
use crate::money::Currency;
use crate::rating::{self, Change, PriceBook};
use crate::refusal::Refusal;
use crate::requests::Addressee;
use crate::rights;
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
        /// That of an enterprise that is to be opened.
        pub country: Option<Country>,
        pub account: Option<Box<AccountClaim>>,
        pub method: Option<MethodClaim>,
        pub remittance: Option<RemittanceClaim>,
        /// A wallet that is to be closed.
        pub closes: Option<WalletId>,
        pub request: Option<Box<RequestRoute>>,
        /// Who is to act under a role or key.
        pub acts: Option<PrincipalId>,
    }
}

impl Claimed {
    /// A claim for nothing yet.
    fn of(command: u64, enterprise: EnterpriseId) -> Claimed {
        let (country, account, method, remittance) = (None, None, None, None);
        let (closes, request, acts) = (None, None, None);
        Claimed { command, enterprise, country, account, method, remittance, closes, request, acts }
    }
}

record! {
    /// An account that is to be opened, with a wallet of its own.
    pub struct AccountClaim {
        pub account: AccountId,
        pub wallet: WalletId,
        /// As addresses are compared.
        pub email: Text,
        pub currency: Currency,
    }
}

record! {
    /// A payment method that a wallet is to have, or to lose.
    pub struct MethodClaim {
        pub method: MethodId,
        pub wallet: WalletId,
        pub leaves: bool,
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
    /// A wallet is closed: its payment methods can serve another one from then on (R7.5).
    pub struct MethodsCoolDown {
        pub wallet: WalletId,
        pub free_at: Timestamp,
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

record! {
    /// An invoice has its number, which is its issue.
    pub struct NumberGiven {
        pub issuer_country: Country,
        /// The year of issue, where the issuer is.
        pub year: u32,
        pub kind: InvoiceType,
        /// Its place in its series, counted from one.
        pub count: u64,
        /// The ledger that asked, and what it knows the invoice by.
        pub ledger: u32,
        pub invoice: u64,
    }
}

one_of! {
    /// What can happen to the registry.
    pub enum RegistryFact {
        RegistryTime,
        KeyUsed,
        Claimed,
        ClaimSettled,
        PricesLoaded,
        SettingsLoaded,
        NumberGiven,
        RemittanceReceived,
        MethodsCoolDown,
    }
}

/// An e-mail address and one of its accounts. None comes before all of them.
type Address = (Text, Option<AccountId>);

/// What becomes of a command that asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The ledger of this enterprise decides.
    Forward(EnterpriseId),
    /// The ledger of this enterprise decides, and gets money of this currency with the command: as much as
    /// the command says.
    Carry(EnterpriseId, Currency),
    /// The ledger of this enterprise decides whether somebody is asked to pay.
    Ask(EnterpriseId, Addressee),
    /// This ledger decides, which knows the invoice that the command is about by that name.
    Invoice {
        ledger: u32,
        invoice: u64,
    },
    /// It is done: no ledger is concerned.
    Done,
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
    pub principal: &'a PrincipalId,
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
    enterprises: BTreeMap<EnterpriseId, Country>,
    /// Each with the wallet that was opened with it.
    accounts: BTreeMap<AccountId, WalletId>,
    wallets: BTreeMap<WalletId, WalletServes>,
    emails: BTreeMap<Address, ()>,
    methods: BTreeMap<MethodId, MethodServes>,
    claims: BTreeMap<u64, Claimed>,
    remittances: BTreeMap<Text, Remittance>,
    requests: BTreeMap<RequestId, RequestRoute>,
    acting: BTreeMap<PrincipalId, ActingName>,
    book: PriceBook,
    settings: Settings,
    settings_document: String,
    /// How many numbers each series of invoices has given.
    numbered: BTreeMap<SeriesName, u64>,
    /// Invoices that can still be taken back, by their numbers.
    invoices: BTreeMap<NumberKey, NumberedInvoice>,
    /// Some of the state is still to come: what a fact does to it is passed over.
    loading: Option<Place>,
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
            emails: BTreeMap::new(),
            methods: BTreeMap::new(),
            claims: BTreeMap::new(),
            remittances: BTreeMap::new(),
            requests: BTreeMap::new(),
            acting: BTreeMap::new(),
            book: PriceBook::default(),
            settings: Settings::default(),
            settings_document: String::new(),
            numbered: BTreeMap::new(),
            invoices: BTreeMap::new(),
            loading: None,
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
        // Whom roles were granted to ledgers know; this needs no ledger to be known.
        if *asked.principal != PrincipalId::operator() && rights::is_for_the_operator(asked.command)
        {
            return Admission::Refused(Refusal::NotPermitted, None);
        }
        match asked.command {
            Command::OpenEnterprise(command) => self.open_enterprise(asked.number, command, facts),
            Command::OpenAccount(command) => self.open_account(asked.number, command, facts),
            Command::LinkPaymentMethod(LinkPaymentMethod { billing_account, method, .. })
            | Command::FinishAuthentication(FinishAuthentication { billing_account, method }) => {
                self.link_method(asked.number, billing_account, method, facts)
            }
            Command::ReceiveRemittance(command) => self.receive_remittance(command, facts),
            Command::ClaimRemittance(command) => {
                self.claim_remittance(asked.number, command, facts)
            }
            Command::RequestPayment(command) => self.request_payment(asked.number, command, facts),
            Command::UnlinkPaymentMethod(command) => {
                self.unlink_method(asked.number, command, facts)
            }
            Command::DeregisterBillingAccount(command) => {
                self.close_wallet(asked.number, command, facts)
            }
            Command::GrantRole(command) => self.grant_role(asked.number, command, facts),
            Command::CreateKey(command) => self.create_key(asked.number, command, facts),
            Command::CreditInvoice(command) => self.find_invoice(&command.invoice),
            Command::LoadPrices(command) => self.load_prices(command, facts),
            Command::LoadSettings(command) => self.load_settings(command, facts),
            other if self.names_what_is_not(other) => Admission::Refused(Refusal::NotFound, None),
            other => match self.enterprise_of(other.subject()) {
                Some(enterprise) => Admission::Forward(enterprise),
                None => Admission::Refused(Refusal::NotFound, None),
            },
        }
    }

    /// Whether a command names, beside its subject, something that is nowhere.
    fn names_what_is_not(&self, command: &Command) -> bool {
        command.other_wallet().is_some_and(|id| !self.wallets.contains_key(id))
            || command.other_enterprise().is_some_and(|id| !self.enterprises.contains_key(id))
            || command.other_accounts().iter().any(|id| !self.accounts.contains_key(id))
    }

    /// A ledger has decided a command.
    pub fn settle(&mut self, command: u64, kept: bool, facts: &mut dyn FnMut(&RegistryFact)) {
        let Some(claimed) = self.claims.get(&command) else { return };
        let closed = claimed.closes.clone().filter(|_| kept);
        self.record(ClaimSettled { command, kept }, facts);
        if let Some(wallet) = closed {
            let free_at = self.now.plus(self.settings.methods.cool_down);
            self.record(MethodsCoolDown { wallet, free_at }, facts);
        }
    }

    fn open_enterprise(
        &mut self,
        number: u64,
        command: &OpenEnterprise,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        if !command.country.is_assigned() {
            let why = format!("ISO 3166 knows no country {}", command.country);
            return Admission::Refused(Refusal::Malformed, Some(why));
        }
        if self.enterprises.contains_key(&command.enterprise) {
            return Admission::Refused(Refusal::AlreadyExists, None);
        }
        let (enterprise, country) = (command.enterprise.clone(), Some(command.country));
        self.record(Claimed { country, ..Claimed::of(number, enterprise) }, facts);
        Admission::Forward(command.enterprise.clone())
    }

    fn open_account(
        &mut self,
        number: u64,
        command: &OpenAccount,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        if !requests::is_address(&command.email) {
            let why = format!(
                "{} is no e-mail address: it looks like finance@acme.example",
                command.email
            );
            return Admission::Refused(Refusal::Malformed, Some(why));
        }
        let Some(country) = self.enterprises.get(&command.enterprise).copied() else {
            return Admission::Refused(Refusal::NotFound, None);
        };
        let own = command.billing_account.clone().or_else(|| WalletId::own_of(&command.account));
        let Some(wallet) = own else {
            let detail =
                "the account's name is too long to be preceded by ba-; name its billing account";
            return Admission::Refused(Refusal::Malformed, Some(detail.to_owned()));
        };
        let root = command.account.root();
        if is_taken(&root) || self.acts_elsewhere(&root, &command.enterprise) {
            let detail = "somebody else acts under this name; take another one";
            return Admission::Refused(Refusal::AlreadyExists, Some(detail.to_owned()));
        }
        if self.accounts.contains_key(&command.account) || self.wallets.contains_key(&wallet) {
            return Admission::Refused(Refusal::AlreadyExists, None);
        }
        let (enterprise, account) = (command.enterprise.clone(), command.account.clone());
        let email = requests::compared(&command.email);
        let currency = command.currency.unwrap_or_else(|| country.currency());
        let account = Some(Box::new(AccountClaim { account, wallet, email, currency }));
        self.record(Claimed { account, ..Claimed::of(number, enterprise) }, facts);
        Admission::Forward(command.enterprise.clone())
    }

    /// One card or PayPal account serves one billing account (R7.5).
    fn link_method(
        &mut self,
        number: u64,
        wallet: &WalletId,
        method: &MethodId,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let Some(enterprise) = self.enterprise_of(Subject::Wallet(wallet)) else {
            return Admission::Refused(Refusal::NotFound, None);
        };
        match self.methods.get(method).filter(|known| known.serves_at(self.now)) {
            Some(known) if known.wallet != *wallet => {
                Admission::Refused(Refusal::MethodInUse, None)
            }
            Some(_) => Admission::Forward(enterprise),
            None => {
                let (method, wallet) = (method.clone(), wallet.clone());
                let method = MethodClaim { method, wallet, leaves: false };
                self.claim_method(number, enterprise, method, facts)
            }
        }
    }

    fn unlink_method(
        &mut self,
        number: u64,
        command: &UnlinkPaymentMethod,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let wallet = &command.billing_account;
        let Some(enterprise) = self.enterprise_of(Subject::Wallet(wallet)) else {
            return Admission::Refused(Refusal::NotFound, None);
        };
        // Its ledger says that there is none, to those who may know.
        let known = self.methods.get(&command.method);
        if known.is_none_or(|known| known.wallet != *wallet) {
            return Admission::Forward(enterprise);
        }
        let (method, wallet) = (command.method.clone(), wallet.clone());
        let method = MethodClaim { method, wallet, leaves: true };
        self.claim_method(number, enterprise, method, facts)
    }

    /// Its ledger says whether it can be closed.
    fn close_wallet(
        &mut self,
        number: u64,
        command: &DeregisterBillingAccount,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let Some(enterprise) = self.enterprise_of(Subject::Wallet(&command.billing_account)) else {
            return Admission::Refused(Refusal::NotFound, None);
        };
        let closes = Some(command.billing_account.clone());
        self.record(Claimed { closes, ..Claimed::of(number, enterprise.clone()) }, facts);
        Admission::Forward(enterprise)
    }

    fn claim_method(
        &mut self,
        command: u64,
        enterprise: EnterpriseId,
        method: MethodClaim,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let (method, forward) = (Some(method), enterprise.clone());
        self.record(Claimed { method, ..Claimed::of(command, enterprise) }, facts);
        Admission::Forward(forward)
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
            Subject::Enterprise(id) => self.enterprises.get_key_value(id).map(|(id, _)| id.clone()),
            Subject::Account(id) => self.enterprise_of(Subject::Wallet(self.accounts.get(id)?)),
            Subject::Wallet(id) => self.wallets.get(id).map(|serves| serves.enterprise.clone()),
            Subject::RequestOf(id) => self.requests.get(id).map(|route| route.requester.clone()),
            Subject::RequestTo(id) => self.requests.get(id).map(|route| route.payer.clone()),
            Subject::Scope(id) => {
                let enterprise = self.enterprise_of(Subject::Enterprise(&id.enterprise()));
                enterprise.or_else(|| self.enterprise_of(Subject::Wallet(&id.wallet())))
            }
            Subject::Invoice(_) | Subject::Everyone => None,
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
                if self.has(&Place::Keys(Some(key))) {
                    self.put_key(fact);
                }
            }
            RegistryFact::Claimed(fact) => self.claim(fact),
            RegistryFact::ClaimSettled(fact) => {
                let Some(claimed) = self.claims.remove(&fact.command) else { return };
                let Claimed {
                    enterprise, account, method, remittance, closes, request, acts, ..
                } = claimed;
                if closes.is_some() {
                    return;
                }
                if let Some(principal) = acts {
                    self.settle_name(&principal, fact.kept);
                    return;
                }
                if let Some(claim) = remittance {
                    self.settle_remittance(&claim, fact.kept);
                    return;
                }
                if let Some(method) = method {
                    // A method that leaves stays its wallet's until the ledger has let it go.
                    if method.leaves == fact.kept {
                        self.methods.remove(&method.method);
                    }
                    return;
                }
                if fact.kept {
                    return;
                }
                if let Some(route) = request {
                    self.requests.remove(&route.request);
                    return;
                }
                match account {
                    Some(claim) => {
                        let AccountClaim { account, wallet, email, .. } = *claim;
                        self.accounts.remove(&account);
                        self.wallets.remove(&wallet);
                        self.emails.remove(&(email, Some(account)));
                    }
                    None => {
                        self.enterprises.remove(&enterprise);
                    }
                }
            }
            RegistryFact::PricesLoaded(fact) => self.book.apply(&fact.changes),
            RegistryFact::SettingsLoaded(fact) => {
                if let Ok(settings) = Settings::parse(&fact.document) {
                    self.settings = settings;
                    self.settings_document.clone_from(&fact.document);
                }
            }
            RegistryFact::RemittanceReceived(fact) => {
                if self.has(&Place::Remittances(Some(fact.reference.clone()))) {
                    self.put_remittance(fact);
                }
            }
            RegistryFact::MethodsCoolDown(fact) => {
                let own = self.methods.values_mut().filter(|known| known.wallet == fact.wallet);
                own.for_each(|known| known.free_at = Some(fact.free_at));
            }
            RegistryFact::NumberGiven(fact) => self.put_number(fact),
        }
    }

    fn claim(&mut self, fact: &Claimed) {
        let Claimed {
            command,
            enterprise,
            country,
            account,
            method,
            remittance,
            closes,
            request,
            acts,
        } = fact;
        if self.has(&Place::Claims(Some(*command))) {
            self.claims.insert(*command, fact.clone());
        }
        if closes.is_some() {
            return;
        }
        if let Some(principal) = acts {
            if self.has(&Place::Acting(Some(principal.clone()))) {
                self.claim_name(principal, enterprise);
            }
            return;
        }
        if let Some(RemittanceClaim { reference, wallet }) = remittance {
            if let Some(known) = self.remittances.get_mut(reference) {
                known.claimed_by = Some(wallet.clone());
            }
            return;
        }
        if let Some(MethodClaim { method, wallet, leaves }) = method {
            if !leaves && self.has(&Place::Methods(Some(method.clone()))) {
                let (method, wallet) = (method.clone(), wallet.clone());
                let serves = MethodServes { method: method.clone(), wallet, free_at: None };
                self.methods.insert(method, serves);
            }
            return;
        }
        if let Some(route) = request {
            if self.has(&Place::Requests(Some(route.request.clone()))) {
                self.requests.insert(route.request.clone(), (**route).clone());
            }
            return;
        }
        if let Some(country) = country
            && self.has(&Place::Enterprises(Some(enterprise.clone())))
        {
            self.enterprises.insert(enterprise.clone(), *country);
        }
        if let Some(account) = account {
            self.claim_account(enterprise, account);
        }
    }

    fn claim_account(&mut self, enterprise: &EnterpriseId, claim: &AccountClaim) {
        let AccountClaim { account, wallet, email, currency } = claim.clone();
        if self.has(&Place::Accounts(Some(account.clone()))) {
            self.accounts.insert(account.clone(), wallet.clone());
        }
        if self.has(&Place::Wallets(Some(wallet.clone()))) {
            self.wallets.insert(wallet, WalletServes { enterprise: enterprise.clone(), currency });
        }
        let address = (email, Some(account));
        if self.has(&Place::Emails(Some(address.clone()))) {
            self.emails.insert(address, ());
        }
    }

    fn put_key(&mut self, used: &KeyUsed) {
        let key = KeyHash(used.key_high, used.key_low);
        let KeyUsed { content, command, at, .. } = *used;
        self.keys.insert(key, Used { content, command, at });
        self.keys_by_age.push_back(key);
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

/// Whether whoever is called so would act as the platform does.
fn is_taken(name: &PrincipalId) -> bool {
    [PrincipalId::operator(), PrincipalId::unknown()].contains(name)
}

#[cfg(test)]
#[path = "../registry_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "claiming_tests.rs"]
mod claiming_tests;
