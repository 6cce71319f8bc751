//! What can happen to a ledger. Deciding makes facts; applying them makes the state; nothing else
//! does either.

mod billing;
mod invoicing;
mod paying;
mod setup;
mod standing;
mod usage;

use crate::ledger::state::WalletNumber;
use crate::one_of;
use crate::time::{Minute, Window};

pub use billing::{
    BillIssued, BillPaid, BillReduced, BilledLine, Cause, CorrectionWaits, CouponOpened,
    CycleBilled, HeldPaid, Moved, OrderBegun, OrderEnded, OrderPlaced, OrderRefunded, PaidBill,
    PaymentUndone, PlanChanged, SharedCouponPaid, SharedCouponReturned,
};
pub use invoicing::{
    CreditDrafted, DraftReleased, DraftSettled, InvoiceIssued, InvoicingConfigured, LineTaken,
    PeriodClosed, PeriodJoined, RunApproved, RunHeld,
};
pub use paying::{
    Cured, LinkBegun, LinkEnded, MethodChanged, MethodPreferred, MethodUnlinked, MonthSwept,
    PaymentBegun, PaymentDelayed, PaymentEnded, ProductChecked, RechargeChanged, RequestChanged,
    RequestFunded, RequestOpened, RetryPassed, SaidAcross,
};
pub use setup::{
    AccountClosed, AccountOpened, AdministratorsChanged, BadDebtChanged, Configured,
    EnterpriseOpened, KeyCreated, KeyRevoked, LimitChanged, Marked, MembershipChanged,
    PayerChanged, PricesArrived, PricesInForce, RechargeFrozen, RoleGranted, RoleRevoked,
    SettingsChanged, SettlementChanged, TaxIdChanged, TellingConfigured, TimePassed, WalletOpened,
    WalletRenamed, WalletStateChanged,
};
pub use standing::{
    FallChanged, NearDueChanged, Noticed, OverdueChanged, RunwayChanged, ServiceChanged,
    SuspensionDelayed,
};
pub use usage::{
    Accrued, Authorized, BenefitBought, BenefitEnded, CapNeared, Covered, OrganisationChanged,
    RegionNamed, SeriesOpened, ServedChanged, SetAside, SharingChanged, SharingRuleChanged,
    SpendAllocated, TabCut, TabOpened, Unpriced, Used, ValueTakenBack, ValuesCounted, VoidAsked,
};

one_of! {
    /// What can happen to a ledger. All are as large as the largest, so what is large and seldom has a place of its own.
    pub enum Fact {
        TimePassed,
        Marked,
        SettingsChanged,
        PricesArrived,
        PricesInForce,
        EnterpriseOpened in Box,
        WalletOpened,
        AccountOpened,
        AccountClosed,
        PayerChanged,
        RegionNamed,
        SeriesOpened,
        TabOpened,
        TabCut,
        SetAside,
        BillIssued in Box,
        CycleBilled,
        Moved in Box,
        BillReduced,
        PaymentUndone,
        CouponOpened in Box,
        LimitChanged,
        Configured,
        OrderPlaced in Box,
        OrderRefunded,
        TellingConfigured in Box,
        LinkBegun in Box,
        LinkEnded in Box,
        MethodUnlinked,
        MethodPreferred,
        MethodChanged,
        ProductChecked,
        RechargeChanged in Box,
        SettlementChanged,
        PaymentBegun in Box,
        PaymentDelayed,
        BillPaid,
        PaymentEnded in Box,
        RetryPassed,
        Cured,
        MonthSwept,
        ServiceChanged,
        SuspensionDelayed,
        RunwayChanged,
        NearDueChanged,
        FallChanged,
        OverdueChanged,
        Noticed in Box,
        PeriodJoined,
        PeriodClosed,
        InvoiceIssued,
        CreditDrafted,
        InvoicingConfigured,
        DraftSettled in Box,
        RunHeld,
        RunApproved,
        DraftReleased,
        ValuesCounted,
        MembershipChanged,
        TaxIdChanged,
        RechargeFrozen,
        RoleGranted,
        RoleRevoked,
        KeyCreated in Box,
        KeyRevoked,
        WalletRenamed,
        WalletStateChanged,
        AdministratorsChanged,
        BadDebtChanged,
        VoidAsked in Box,
        ValueTakenBack,
        CorrectionWaits in Box,
        RequestOpened,
        RequestChanged in Box,
        RequestFunded,
        SaidAcross,
        SharedCouponPaid in Box,
        SharedCouponReturned,
        BenefitBought in Box,
        BenefitEnded,
        SharingChanged,
        SharingRuleChanged,
        OrganisationChanged,
        ServedChanged,
        Covered,
        OrderBegun in Box,
        HeldPaid in Box,
        OrderEnded,
        PlanChanged in Box,
        SpendAllocated in Box,
        Authorized,
        CapNeared,
    }
}

impl Fact {
    /// Whether what usage did before it may as well be applied behind it, each as of its own time: neither reads what the
    /// other changes.
    pub fn lets_usage_pass(&self) -> bool {
        matches!(
            self,
            Fact::TimePassed(_)
                | Fact::Marked(_)
                | Fact::Noticed(_)
                | Fact::OverdueChanged(_)
                | Fact::RunwayChanged(_)
                | Fact::ServiceChanged(_)
        )
    }

    /// The wallet whose balance this changes.
    pub fn changes_balance_of(&self) -> Option<WalletNumber> {
        match self {
            Fact::Moved(fact) => Some(fact.wallet),
            Fact::BillIssued(fact) => Some(fact.wallet),
            Fact::BillReduced(fact) => Some(fact.wallet),
            Fact::BillPaid(fact) => Some(fact.wallet),
            Fact::CorrectionWaits(fact) => Some(fact.wallet),
            Fact::LimitChanged(fact) => Some(fact.wallet),
            Fact::CouponOpened(fact) => Some(fact.wallet),
            Fact::OverdueChanged(fact) => Some(fact.wallet),
            Fact::WalletOpened(fact) => Some(fact.number),
            Fact::WalletStateChanged(fact) => Some(fact.wallet),
            Fact::RequestChanged(fact) => Some(fact.wallet),
            Fact::RequestFunded(fact) => Some(fact.wallet),
            Fact::SharedCouponPaid(fact) => Some(fact.wallet),
            Fact::HeldPaid(fact) => Some(fact.wallet),
            Fact::TimePassed(_)
            | Fact::Marked(_)
            | Fact::SettingsChanged(_)
            | Fact::PricesArrived(_)
            | Fact::PricesInForce(_)
            | Fact::EnterpriseOpened(_)
            | Fact::AccountOpened(_)
            | Fact::AccountClosed(_)
            | Fact::PayerChanged(_)
            | Fact::RegionNamed(_)
            | Fact::SeriesOpened(_)
            | Fact::TabOpened(_)
            | Fact::TabCut(_)
            | Fact::SetAside(_)
            | Fact::CycleBilled(_)
            | Fact::PaymentUndone(_)
            | Fact::Configured(_)
            | Fact::OrderPlaced(_)
            | Fact::OrderRefunded(_)
            | Fact::TellingConfigured(_)
            | Fact::LinkBegun(_)
            | Fact::LinkEnded(_)
            | Fact::MethodUnlinked(_)
            | Fact::MethodPreferred(_)
            | Fact::MethodChanged(_)
            | Fact::ProductChecked(_)
            | Fact::RechargeChanged(_)
            | Fact::SettlementChanged(_)
            | Fact::PaymentBegun(_)
            | Fact::PaymentDelayed(_)
            | Fact::PaymentEnded(_)
            | Fact::RetryPassed(_)
            | Fact::Cured(_)
            | Fact::MonthSwept(_)
            | Fact::ServiceChanged(_)
            | Fact::SuspensionDelayed(_)
            | Fact::RunwayChanged(_)
            | Fact::NearDueChanged(_)
            | Fact::FallChanged(_)
            | Fact::Noticed(_)
            | Fact::PeriodJoined(_)
            | Fact::PeriodClosed(_)
            | Fact::InvoiceIssued(_)
            | Fact::CreditDrafted(_)
            | Fact::InvoicingConfigured(_)
            | Fact::DraftSettled(_)
            | Fact::RunHeld(_)
            | Fact::RunApproved(_)
            | Fact::DraftReleased(_)
            | Fact::ValuesCounted(_)
            | Fact::MembershipChanged(_)
            | Fact::TaxIdChanged(_)
            | Fact::RechargeFrozen(_)
            | Fact::RoleGranted(_)
            | Fact::RoleRevoked(_)
            | Fact::KeyCreated(_)
            | Fact::KeyRevoked(_)
            | Fact::WalletRenamed(_)
            | Fact::AdministratorsChanged(_)
            | Fact::BadDebtChanged(_)
            | Fact::VoidAsked(_)
            | Fact::ValueTakenBack(_)
            | Fact::RequestOpened(_)
            | Fact::SaidAcross(_)
            | Fact::SharedCouponReturned(_)
            | Fact::BenefitBought(_)
            | Fact::BenefitEnded(_)
            | Fact::SharingChanged(_)
            | Fact::SharingRuleChanged(_)
            | Fact::OrganisationChanged(_)
            | Fact::ServedChanged(_)
            | Fact::Covered(_)
            | Fact::OrderBegun(_)
            | Fact::OrderEnded(_)
            | Fact::PlanChanged(_)
            | Fact::SpendAllocated(_)
            | Fact::Authorized(_)
            | Fact::CapNeared(_) => None,
        }
    }

    /// The wallet that is to be judged after this. Its opening changes nothing yet (R8.2).
    pub(super) fn calls_for_judgement_of(&self) -> Option<WalletNumber> {
        match self {
            Fact::WalletOpened(_) | Fact::OverdueChanged(_) => None,
            Fact::Configured(fact) => Some(fact.wallet),
            Fact::PayerChanged(fact) => Some(fact.wallet),
            Fact::LinkEnded(fact) => Some(fact.wallet),
            Fact::MethodUnlinked(fact) => Some(fact.wallet),
            Fact::MethodPreferred(fact) => Some(fact.wallet),
            Fact::MethodChanged(fact) => Some(fact.wallet),
            Fact::RechargeChanged(fact) => Some(fact.wallet),
            Fact::PaymentBegun(fact) => Some(fact.wallet),
            Fact::PaymentDelayed(fact) => Some(fact.wallet),
            Fact::PaymentEnded(fact) => Some(fact.wallet),
            Fact::RetryPassed(fact) => Some(fact.wallet),
            Fact::Cured(fact) => Some(fact.wallet),
            fact => fact.changes_balance_of(),
        }
    }
}

/// Whoever is told what a ledger decides, in order, each with the ledger as it then is.
pub trait Journal {
    fn fact(&mut self, ledger: &super::Ledger, fact: &Fact);

    /// A line was priced. By far the most frequent fact, so it has a way of its own. It is never none, and more
    /// than one where the line reaches into several tiers of its price.
    fn accrued(&mut self, ledger: &super::Ledger, accrued: &[Accrued], line: &super::Line);
}

/// The span a series surely covers, when that is not known.
pub(super) const NOWHERE: Window = Window { from: Minute::END, until: Minute::START };
