//! Who may do what (R11.1): which right each command needs, and where; which rights each role gives.
//!
//! Only tables live here. Whether somebody holds a right is for the ledger to say, which knows who owns and
//! administers what, and whom roles were granted to.

use smallvec::{SmallVec, smallvec};

use crate::commands::{
    AcceptInvitation, AllocateSpend, ApprovePaymentRequest, Authorize, BuyBenefit,
    CancelPaymentRequest, ChangePayer, ClaimRemittance, CloseAccount, Command, Configure,
    ConfirmContract, CreateKey, DeregisterBillingAccount, EndMembership, FinishAuthentication,
    FreezeBillingAccount, FreezeRecharge, GrantAdmin, GrantRole, InviteAccount, LinkPaymentMethod,
    OpenAccount, Pay, PlaceOrder, PreferPaymentMethod, RejectPaymentRequest, RenameBillingAccount,
    RequestPayment, RevokeAdmin, RevokeKey, RevokeRole, RevokeTransfer, SetOrganisation,
    SetSharingRule, SetTaxId, SettleEnterprise, ShareBenefit, TopUp, Transfer,
    UnfreezeBillingAccount, UnfreezeRecharge, UnlinkPaymentMethod, UnshareBenefit, Withdraw,
};
use crate::ids::{AccountId, EnterpriseId, PrincipalId, RequestId, ScopeId, WalletId};
use crate::symbols;

symbols! {
    /// What somebody may do somewhere.
    pub enum Right {
        /// What only the operator of the platform may do.
        Operate = "operate",
        /// Say who may do what.
        Grant = "grant",
        /// Open and close, freeze and unfreeze; say who pays for whom and who belongs.
        Govern = "govern",
        /// Decide in the name of an account.
        Join = "join",
        /// Change how a billing account is called, set up and paid, and tax data.
        Change = "change",
        /// Move money, and promise it.
        Spend = "spend",
        /// Stop and allow top-ups under an enterprise.
        FreezeRecharge = "freeze_recharge",
        /// Ask whether something may be spent.
        Authorize = "authorize",
        /// Send usage.
        SendUsage = "send_usage",
        /// See all of a billing account.
        See = "see",
        /// See invoices, usage and balance; not payment methods, not tax data.
        SeeBilling = "see_billing",
        /// See whether services run.
        SeeService = "see_service",
        /// See who asked for what.
        SeeTrail = "see_trail",
    }
}

symbols! {
    /// A role to be granted.
    pub enum Role {
        /// All that concerns money.
        FinanceAdmin = "finance_admin",
        /// May change the billing account.
        BillingEditor = "billing_editor",
        /// Reads all of it.
        FinanceViewer = "finance_viewer",
        /// Reads invoices, usage and balance.
        BillingViewer = "billing_viewer",
        /// Asks for what it may spend.
        IsolatedSpender = "isolated_spender",
        /// Stops top-ups under an enterprise, and allows them again.
        Freezer = "freezer",
        /// Sends usage, and reads whether services run.
        Platform = "platform",
        /// Reads everything, and who asked for what.
        Auditor = "auditor",
    }
}

impl Role {
    /// What whoever has it may do.
    pub const fn gives(self) -> &'static [Right] {
        use Right::*;
        match self {
            Role::FinanceAdmin => &[Change, Spend, Authorize, See, SeeBilling, SeeService],
            Role::BillingEditor => &[Change, See, SeeBilling, SeeService],
            Role::FinanceViewer => &[See, SeeBilling, SeeService],
            Role::BillingViewer => &[SeeBilling],
            Role::IsolatedSpender => &[Authorize],
            Role::Freezer => &[FreezeRecharge],
            Role::Platform => &[SendUsage, SeeService],
            Role::Auditor => &[See, SeeBilling, SeeService, SeeTrail],
        }
    }
}

/// Where a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Everywhere: the platform itself.
    Platform,
    Enterprise(&'a EnterpriseId),
    /// The enterprise that an account belongs to.
    EnterpriseOf(&'a AccountId),
    /// An account: its root has every right, whoever governs its enterprise has, while it is a member.
    Account(&'a AccountId),
    /// Whom a key is to act as: an account says so itself, a name that is no account's is free.
    ActingAs(&'a PrincipalId),
    /// Either side of a membership: the account's root, or whoever governs the enterprise.
    Membership(&'a AccountId),
    Wallet(&'a WalletId),
    /// The billing account that pays for an account now.
    PayerOf(&'a AccountId),
    /// The use of an account: its root's, and that of whoever may do so at the billing account that pays for it.
    UseOf(&'a AccountId),
    Scope(&'a ScopeId),
    /// The billing account that has asked somebody to pay.
    RequestOf(&'a RequestId),
    /// The billing account that is asked to pay.
    RequestTo(&'a RequestId),
}

/// A right, and where it is needed.
pub type Need<'a> = (Right, Place<'a>);

/// The rights that a command needs: all of them.
pub fn needs(command: &Command) -> SmallVec<[Need<'_>; 2]> {
    use Place::{
        Account, ActingAs, Enterprise, EnterpriseOf, Membership, PayerOf, Platform, RequestOf,
        RequestTo, Scope, UseOf, Wallet,
    };
    use Right::{Change, Govern, Grant, Join, Operate, Spend};
    let need = match command {
        Command::OpenEnterprise(_)
        | Command::Adjust(_)
        | Command::SetCreditLimit(_)
        | Command::LiftBadDebt(_)
        | Command::GrantCoupon(_)
        | Command::RefundOrder(_)
        | Command::CreditInvoice(_)
        | Command::ApproveInvoiceRun(_)
        | Command::SetQuota(_)
        | Command::ReceiveRemittance(_)
        | Command::VoidUsage(_)
        | Command::LoadPrices(_)
        | Command::LoadSettings(_) => (Operate, Platform),

        Command::GrantAdmin(GrantAdmin { billing_account, .. })
        | Command::RevokeAdmin(RevokeAdmin { billing_account, .. }) => {
            (Grant, Wallet(billing_account))
        }
        Command::GrantRole(GrantRole { scope, .. })
        | Command::RevokeRole(RevokeRole { scope, .. })
        | Command::RevokeKey(RevokeKey { scope, .. }) => (Grant, Scope(scope)),
        Command::CreateKey(CreateKey { principal, scope, .. }) => {
            return smallvec![(Grant, Scope(scope)), (Join, ActingAs(principal))];
        }

        Command::OpenAccount(OpenAccount { enterprise, .. })
        | Command::SetOrganisation(SetOrganisation { enterprise, .. }) => {
            (Govern, Enterprise(enterprise))
        }
        Command::InviteAccount(InviteAccount { account, .. }) => (Govern, EnterpriseOf(account)),
        Command::AcceptInvitation(AcceptInvitation { account, .. }) => (Join, Account(account)),
        Command::EndMembership(EndMembership { account, .. }) => (Govern, Membership(account)),
        Command::CloseAccount(CloseAccount { account }) => (Govern, Account(account)),
        Command::FreezeBillingAccount(FreezeBillingAccount { billing_account })
        | Command::UnfreezeBillingAccount(UnfreezeBillingAccount { billing_account })
        | Command::DeregisterBillingAccount(DeregisterBillingAccount { billing_account }) => {
            (Govern, Wallet(billing_account))
        }
        // Who is paid for agrees as well as who pays.
        Command::ChangePayer(ChangePayer { account, billing_account, .. }) => {
            return smallvec![(Govern, Account(account)), (Spend, Wallet(billing_account))];
        }

        Command::SetTaxId(SetTaxId { enterprise, .. }) => (Change, Enterprise(enterprise)),
        Command::RenameBillingAccount(RenameBillingAccount { billing_account, .. })
        | Command::Configure(Configure { billing_account, .. })
        | Command::LinkPaymentMethod(LinkPaymentMethod { billing_account, .. })
        | Command::FinishAuthentication(FinishAuthentication { billing_account, .. })
        | Command::UnlinkPaymentMethod(UnlinkPaymentMethod { billing_account, .. })
        | Command::PreferPaymentMethod(PreferPaymentMethod { billing_account, .. }) => {
            (Change, Wallet(billing_account))
        }

        Command::SettleEnterprise(SettleEnterprise { enterprise }) => {
            (Spend, Enterprise(enterprise))
        }
        Command::TopUp(TopUp { billing_account, .. })
        | Command::Pay(Pay { billing_account, .. })
        | Command::Withdraw(Withdraw { billing_account, .. })
        | Command::ClaimRemittance(ClaimRemittance { billing_account, .. })
        | Command::ConfirmContract(ConfirmContract { billing_account })
        | Command::PlaceOrder(PlaceOrder { billing_account, .. })
        | Command::RequestPayment(RequestPayment { requester: billing_account, .. })
        | Command::BuyBenefit(BuyBenefit { billing_account, .. })
        | Command::ShareBenefit(ShareBenefit { billing_account, .. })
        | Command::UnshareBenefit(UnshareBenefit { billing_account, .. })
        | Command::SetSharingRule(SetSharingRule { billing_account, .. })
        | Command::Transfer(Transfer { from: billing_account, .. })
        | Command::RevokeTransfer(RevokeTransfer { from: billing_account, .. }) => {
            (Spend, Wallet(billing_account))
        }

        Command::CancelPaymentRequest(CancelPaymentRequest { request, .. }) => {
            (Spend, RequestOf(request))
        }
        Command::ApprovePaymentRequest(ApprovePaymentRequest { request, .. })
        | Command::RejectPaymentRequest(RejectPaymentRequest { request, .. }) => {
            (Spend, RequestTo(request))
        }

        // Who is paid for does not say how much.
        Command::AllocateSpend(AllocateSpend { account, .. }) => (Spend, PayerOf(account)),
        Command::Authorize(Authorize { account, .. }) => (Right::Authorize, UseOf(account)),

        Command::FreezeRecharge(FreezeRecharge { enterprise })
        | Command::UnfreezeRecharge(UnfreezeRecharge { enterprise }) => {
            (Right::FreezeRecharge, Enterprise(enterprise))
        }
    };
    smallvec![need]
}

/// Whether only the operator may ask for this, whatever else there is.
pub fn is_for_the_operator(command: &Command) -> bool {
    needs(command).iter().any(|(right, _)| *right == Right::Operate)
}

/// The right to see a view of a billing account or of one of its accounts.
pub fn to_see(view: &str) -> Right {
    match view {
        "service" => Right::SeeService,
        "commands" => Right::SeeTrail,
        "balance"
        | "balances"
        | "due"
        | "runway"
        | "bills"
        | "charges"
        | "entries"
        | "money_by_month"
        | "invoices"
        | "spend"
        | "spend_by"
        | "spend_by_day"
        | "usage_by_day"
        | "spend_by_month"
        | "refunds"
        | "coupons"
        | "orders"
        | "benefits"
        | "covered"
        | "payment_requests"
        | "payment_request_history"
        | "payment_request_totals" => Right::SeeBilling,
        // What is not said to be harmless is for those who may see all.
        _ => Right::See,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R11.1: views of money are for whoever may read bills, and what is not named is for those who see all.
    #[test]
    fn r11_1_every_view_needs_a_right() {
        for (view, right) in [
            ("service", Right::SeeService),
            ("commands", Right::SeeTrail),
            ("balance", Right::SeeBilling),
            ("charges", Right::SeeBilling),
            ("payment_request_totals", Right::SeeBilling),
            ("methods", Right::See),
            ("what_is_to_come", Right::See),
        ] {
            assert_eq!(to_see(view), right, "{view}");
        }
    }
}
