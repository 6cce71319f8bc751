//! A ledger: the money of the enterprises of one partition.
//!
//! [`Ledger::line`], [`Ledger::command`] and [`Ledger::pass`] decide: they check, and record facts.
//! [`Ledger::apply`] is the only function that changes the state, and it decides nothing, so that a
//! ledger rebuilt from its facts is the ledger that made them.

mod accrue;
mod administering;
mod apply;
mod approving;
#[cfg(test)]
mod asking;
mod bad_debt;
mod balance;
mod benefits;
mod burn;
mod clock;
mod configure;
mod converting;
mod coupons;
mod coverage;
mod credit;
mod crediting;
mod cycles;
#[cfg(test)]
mod desk_tests;
mod explaining;
mod fact;
mod governing;
mod holdings;
mod in_force;
mod invoicing;
pub(crate) mod keys;
mod load;
mod membership;
mod methods;
mod open;
mod orders;
mod pay;
mod paying;
mod payments;
mod pending;
mod periods;
mod permitting;
mod plans;
mod postings;
mod recharge;
#[cfg(test)]
mod recording;
mod refunds;
mod requests;
mod reversal;
mod running_out;
mod runs;
mod services;
mod settlement;
mod sharing;
mod spending;
mod standing;
mod state;
mod states;
mod telling;
mod timers;
mod top_up;
mod transfer;
mod values;
mod views;
mod voiding;
mod write_off;

use std::collections::VecDeque;
use std::fmt;
use std::hash::BuildHasher;

use hashbrown::{HashMap, HashSet, HashTable};
use smallvec::SmallVec;

pub use accrue::Line;
pub use balance::{Balance, BillingAccount};
pub use benefits::{Benefit, BenefitRow, Benefits, BenefitsRow, SharedCouponRow};
pub use burn::Runway;
pub use clock::Clock;
pub use converting::SettlementChange;
pub use coverage::{CoveredHour, HourOfUse, Portion};
pub use crediting::IssuedInvoice;
pub(crate) use explaining::{place_of, unpayable};
pub use fact::*;
pub use holdings::{CouponRow, CouponsRow, MethodRow, MethodsRow, OrderRow, OrdersRow};
pub use in_force::{PriceRow, SettingRow};
pub use invoicing::{Preview, wallet_of_draft};
pub use keys::KeyRow;
pub use load::*;
pub use methods::HELD;
pub use periods::{Invoicing, Period, PeriodLine, PeriodOrder, PeriodTopUp};
pub use plans::{Plan, Plans};
pub use postings::{Book, Posting, Postings};
pub use requests::Answered;
pub use reversal::Correction;
pub use runs::{RunKey, RunProgress};
pub use sharing::{Organisation, Served, SharedAccount, SharedOrganisation, Sharing, SharingRule};
pub use spending::{
    AllocatedCredit, Allocation, AuthorizationName, CapTold, MonthlyCap, OpenAuthorizations,
    Spending,
};
pub use state::*;
pub use timers::Fired;
pub use values::{SeriesKey, SeriesValues, VALUES_MAX, ValuePlace};
pub use views::{AccountRow, Due, EnterpriseRow, RoleRow, RunwayRow};

use crate::commands::{Asked, Command};
use crate::ids::{AccountId, EnterpriseId, RegionId, WalletId};
use crate::money::{Amount, Currency, Overflow};
use crate::rating::{Change, PriceBook};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::time::Minute;

/// Names what decides, so that a replay knows whether it is the same decider.
pub const RULES_VERSION: u32 = 1;

/// The money of the enterprises of one partition.
pub struct Ledger {
    settings: Settings,
    settings_document: String,
    book: PriceBook,
    arriving: Vec<Change>,
    clock: Clock,
    regions: Vec<RegionId>,
    enterprises: Vec<Enterprise>,
    accounts: Vec<Account>,
    wallets: Vec<Wallet>,
    /// What records said that are not added up.
    values: Box<values::Values>,
    /// What benefits have covered.
    coverage: Box<coverage::Coverage>,
    /// The wallets that have bought benefits. Derived, never stored.
    holders: HashSet<WalletNumber, foldhash::fast::FixedState>,
    enterprise_names: Names,
    account_names: Names,
    wallet_names: Names,
    due: timers::Due,
    /// Whose requests to pay are whose. Derived, never stored.
    requests: requests::Sides,
    /// For each wallet the least charge that could change how it is judged. Derived, never stored.
    headroom: Vec<Amount>,
    /// For each account with a cap how much more it may be charged before that is looked at. Derived, never stored.
    cap_rooms: HashMap<AccountNumber, spending::CapRoom, foldhash::fast::FixedState>,
    /// For each wallet the accounts it pays for, or has paid for. Derived, never stored.
    payees: Vec<SmallVec<[AccountNumber; 1]>>,
    /// Wallets whose money has changed and that are to be judged; none between two decisions.
    touched: VecDeque<WalletNumber>,
    /// While the bills of an instant are issued, the minute before it: what begins or expires then does so last (R3.6).
    /// None between two decisions.
    billed_as_of: Option<Minute>,
    /// How many facts were decided here.
    recorded: u64,
    /// Some of the state is still to come: facts about it are passed over.
    loading: bool,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({} wallets at {})", self.wallets.len(), self.clock.now())
    }
}

/// What becomes of a command that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    /// Somebody else has to be asked first, a gateway or another ledger: what became of it is said later.
    Later,
}

/// A decision came to no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// A rule says no; nothing has changed.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// State and facts do not fit together. Whoever runs the ledger must stop and rebuild it.
    #[error("{0}")]
    Broken(#[from] Broken),
}

/// A fact that does not fit the state it is applied to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger does not fit its facts: {0}")]
pub struct Broken(pub &'static str);

impl From<Overflow> for Undecided {
    fn from(overflow: Overflow) -> Undecided {
        Undecided::Refused(overflow.into())
    }
}

impl From<Overflow> for Broken {
    fn from(_: Overflow) -> Broken {
        Broken("an amount left its range")
    }
}

impl Ledger {
    /// An empty ledger that hears from `usage_partitions` partitions of usage.
    pub fn new(usage_partitions: u32) -> Ledger {
        Ledger {
            settings: Settings::default(),
            settings_document: String::new(),
            book: PriceBook::default(),
            arriving: Vec::new(),
            clock: Clock::new(usage_partitions),
            regions: Vec::new(),
            enterprises: Vec::new(),
            accounts: Vec::new(),
            wallets: Vec::new(),
            values: Box::default(),
            coverage: Box::default(),
            holders: HashSet::default(),
            enterprise_names: Names::default(),
            account_names: Names::default(),
            wallet_names: Names::default(),
            due: timers::Due::default(),
            requests: requests::Sides::default(),
            headroom: Vec::new(),
            cap_rooms: HashMap::default(),
            payees: Vec::new(),
            touched: VecDeque::new(),
            billed_as_of: None,
            recorded: 0,
            loading: false,
        }
    }

    /// Applies a fact and tells the journal.
    fn record(&mut self, journal: &mut dyn Journal, fact: impl Into<Fact>) -> Result<(), Broken> {
        let fact = fact.into();
        self.apply(&fact)?;
        journal.fact(self, &fact);
        self.recorded = self.recorded.wrapping_add(1);
        if let Some(wallet) = fact.calls_for_judgement_of() {
            self.touch(wallet);
        }
        Ok(())
    }

    /// This wallet is to be judged before the next input.
    fn touch(&mut self, wallet: WalletNumber) {
        if !self.touched.contains(&wallet) {
            self.touched.push_back(wallet);
        }
    }

    /// Takes a fact that was decided elsewhere for all ledgers alike: prices, settings.
    pub fn take(&mut self, fact: Fact, journal: &mut dyn Journal) -> Result<(), Broken> {
        self.record(journal, fact)
    }

    /// Decides a command. What is refused changes nothing.
    pub fn command(
        &mut self,
        asked: &Asked,
        command: &Command,
        journal: &mut dyn Journal,
    ) -> Result<Answer, Undecided> {
        self.permit(asked, command)?;
        self.admit(command)?;
        let answer = match command {
            Command::LinkPaymentMethod(command) => self.link_method(asked, command, journal)?,
            Command::FinishAuthentication(command) => {
                self.finish_authentication(asked, command, journal)?
            }
            Command::VoidUsage(command) => self.ask_for_void(asked, command, journal)?,
            Command::CancelPaymentRequest(command) => {
                self.cancel_request(asked, command, journal)?
            }
            command => {
                self.decide(asked, command, journal)?;
                Answer::Accepted
            }
        };
        self.judge_touched(journal).map_err(timers::broken)?;
        Ok(answer)
    }

    /// Decides whether a transfer that named nobody can go to whoever has claimed it. None: the registry
    /// knew of no such transfer.
    pub fn claimed(
        &mut self,
        asked: &Asked,
        command: &Command,
        currency: Option<Currency>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        self.permit(asked, command)?;
        self.admit(command)?;
        let Command::ClaimRemittance(command) = command else {
            return Err(Refusal::Malformed.into());
        };
        self.claim_remittance(command, currency, journal)?;
        self.judge_touched(journal).map_err(|undecided| timers::broken(undecided).into())
    }

    fn decide(
        &mut self,
        asked: &Asked,
        command: &Command,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        match command {
            Command::OpenEnterprise(command) => self.open_enterprise(command, journal),
            Command::OpenAccount(command) => self.open_account(asked, command, journal),
            Command::InviteAccount(command) => self.invite_account(command, journal),
            Command::AcceptInvitation(command) => self.accept_invitation(command, journal),
            Command::EndMembership(command) => self.end_membership(command, journal),
            Command::SetTaxId(command) => self.set_tax_id(command, journal),
            Command::RenameBillingAccount(command) => self.rename_wallet(command, journal),
            Command::FreezeBillingAccount(command) => self.freeze_wallet(asked, command, journal),
            Command::UnfreezeBillingAccount(command) => {
                self.unfreeze_wallet(asked, command, journal)
            }
            Command::DeregisterBillingAccount(command) => self.deregister_wallet(command, journal),
            Command::GrantAdmin(command) => self.grant_admin(command, journal),
            Command::RevokeAdmin(command) => self.revoke_admin(command, journal),
            Command::GrantRole(command) => self.grant_role(command, journal),
            Command::RevokeRole(command) => self.revoke_role(command, journal),
            Command::CreateKey(command) => self.create_key(command, journal),
            Command::RevokeKey(command) => self.revoke_key(command, journal),
            Command::FreezeRecharge(command) => self.freeze_recharge(&command.enterprise, journal),
            Command::UnfreezeRecharge(command) => {
                self.unfreeze_recharge(&command.enterprise, journal)
            }
            Command::LiftBadDebt(command) => self.lift_bad_debt(command, journal),
            Command::CloseAccount(command) => self.close_account(command, journal),
            Command::ChangePayer(command) => self.change_payer(command, journal),
            Command::TopUp(command) => self.top_up(command, journal),
            Command::Withdraw(command) => self.withdraw(command, journal),
            Command::Adjust(command) => self.adjust(command, journal),
            Command::SetCreditLimit(command) => self.set_credit_limit(command, journal),
            Command::ConfirmContract(command) => self.confirm_contract(command, journal),
            Command::GrantCoupon(command) => self.grant_coupon(command, journal),
            Command::PlaceOrder(command) => self.place_order(command, journal),
            Command::BuyBenefit(command) => self.buy_benefit(command, journal),
            Command::ShareBenefit(command) => self.share_benefit(command, journal),
            Command::UnshareBenefit(command) => self.unshare_benefit(command, journal),
            Command::SetSharingRule(command) => self.set_sharing_rule(command, journal),
            Command::SetOrganisation(command) => self.set_organisation(command, journal),
            Command::RefundOrder(command) => self.refund_order(command, journal),
            Command::ApproveInvoiceRun(command) => self.approve_run(command, journal),
            Command::SetQuota(command) => self.set_quota(command, journal),
            Command::Transfer(command) => self.transfer(command, journal),
            Command::RevokeTransfer(command) => self.revoke_transfer(command, journal),
            Command::Configure(command) => self.configure(command, journal),
            Command::UnlinkPaymentMethod(command) => self.unlink_method(command, journal),
            Command::PreferPaymentMethod(command) => self.prefer_method(command, journal),
            Command::ApprovePaymentRequest(command) => self.approve_request(command, journal),
            Command::RejectPaymentRequest(command) => self.reject_request(command, journal),
            Command::Pay(command) => self.pay_by_hand(command, journal),
            Command::SettleEnterprise(command) => self.settle_enterprise(command, journal),
            Command::AllocateSpend(command) => self.allocate_spend(command, journal),
            Command::Authorize(command) => self.authorize(command, journal),
            // The first four have an answer of their own. What is claimed or credited, and whom is asked, comes with what
            // the registry knows of it. The others concern every ledger or none, and the registry checks them once and
            // sends what they change.
            Command::LinkPaymentMethod(_)
            | Command::FinishAuthentication(_)
            | Command::VoidUsage(_)
            | Command::CancelPaymentRequest(_)
            | Command::ClaimRemittance(_)
            | Command::RequestPayment(_)
            | Command::CreditInvoice(_)
            | Command::ReceiveRemittance(_)
            | Command::LoadPrices(_)
            | Command::LoadSettings(_) => Err(Refusal::Malformed.into()),
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn settings_document(&self) -> &str {
        &self.settings_document
    }

    pub fn book(&self) -> &PriceBook {
        &self.book
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn enterprises(&self) -> &[Enterprise] {
        &self.enterprises
    }

    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    pub fn wallets(&self) -> &[Wallet] {
        &self.wallets
    }

    pub fn enterprise(&self, number: EnterpriseNumber) -> Option<&Enterprise> {
        self.enterprises.get(number.index())
    }

    pub fn account(&self, number: AccountNumber) -> Option<&Account> {
        self.accounts.get(number.index())
    }

    pub fn wallet(&self, number: WalletNumber) -> Option<&Wallet> {
        self.wallets.get(number.index())
    }

    pub fn enterprise_named(&self, id: &EnterpriseId) -> Option<EnterpriseNumber> {
        let place = self
            .enterprise_names
            .find(id.as_str(), |at| self.enterprises.get(at)?.id.as_str().into())?;
        Some(EnterpriseNumber(place))
    }

    pub fn account_named(&self, id: &AccountId) -> Option<AccountNumber> {
        let place =
            self.account_names.find(id.as_str(), |at| self.accounts.get(at)?.id.as_str().into())?;
        Some(AccountNumber(place))
    }

    pub fn wallet_named(&self, id: &WalletId) -> Option<WalletNumber> {
        let place =
            self.wallet_names.find(id.as_str(), |at| self.wallets.get(at)?.id.as_str().into())?;
        Some(WalletNumber(place))
    }

    /// The name behind a region's number; none for [`RegionNumber::NONE`].
    pub fn region(&self, number: RegionNumber) -> Option<&RegionId> {
        self.regions.get(number.index().checked_sub(1)?)
    }

    pub fn regions(&self) -> &[RegionId] {
        &self.regions
    }

    fn wallet_of(&self, id: &WalletId) -> Result<(WalletNumber, &Wallet), Refusal> {
        let number = self.wallet_named(id).ok_or(Refusal::NotFound)?;
        let wallet = self.wallet(number).ok_or(Refusal::NotFound)?;
        Ok((number, wallet))
    }

    /// A wallet that a command names beside its subject. The registry knows that it exists, so one that
    /// is not found here belongs to an enterprise of another ledger.
    fn wallet_within(
        &self,
        enterprise: EnterpriseNumber,
        id: &WalletId,
    ) -> Result<(WalletNumber, &Wallet), Refusal> {
        let found = self.wallet_of(id).ok().filter(|(_, wallet)| wallet.enterprise == enterprise);
        found.ok_or(Refusal::DifferentEnterprise)
    }

    fn direct_wallet_of(&self, id: &WalletId) -> Result<(WalletNumber, &Wallet), Refusal> {
        let (number, wallet) = self.wallet_of(id)?;
        if wallet.is_ecosystem() {
            return Err(Refusal::NotForEcosystem);
        }
        Ok((number, wallet))
    }
}

/// Names to numbers. Only the numbers are held: the names stand in what they name.
#[derive(Default)]
struct Names {
    table: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
}

impl Names {
    fn find<'a>(&self, name: &str, name_at: impl Fn(usize) -> Option<&'a str>) -> Option<u32> {
        self.table
            .find(self.hasher.hash_one(name), |at| name_at(*at as usize) == Some(name))
            .copied()
    }

    /// What is named has the numbers from 0 on. When the table grows, their names are asked for in this order, in which
    /// they lie in memory.
    fn insert<'a>(&mut self, number: u32, name_at: impl Fn(usize) -> Option<&'a str>) {
        let hasher = &self.hasher;
        let hash_at = |at: &u32| hasher.hash_one(name_at(*at as usize).unwrap_or_default());
        if self.table.len() == self.table.capacity() {
            let mut larger = HashTable::with_capacity(self.table.len().max(1).saturating_mul(2));
            for known in 0..number {
                larger.insert_unique(hash_at(&known), known, hash_at);
            }
            self.table = larger;
        }
        self.table.insert_unique(hash_at(&number), number, hash_at);
    }
}
