//! Everything the outside may ask for, by the names and fields of CONTRACT.md.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::ids::{
    AccountId, AuthorizationId, BenefitId, Country, CouponId, EnterpriseId, MeterId, MethodId,
    OrderId, OrganisationId, PrincipalId, ProductId, RegionId, RequestId, ScopeId, Text, WalletId,
};
use crate::money::{Amount, Currency};
use crate::notices::NoticeKind;
use crate::payments::MethodKind;
use crate::rights::Role;
use crate::runs::RunId;
use crate::settings::Schedule;
use crate::time::{Cycle, Month, Timestamp, Zone};
use crate::vocabulary::{Described, DescribedRecord, Record, Shape};
use crate::{record, symbols};

symbols! {
    /// When an account pays: before use or after it.
    pub enum Mode {
        Prepaid = "prepaid",
        Postpaid = "postpaid",
    }
}

symbols! {
    /// Who settles a billing account: its owner with us, or a partner.
    pub enum Kind {
        Direct = "direct",
        Ecosystem = "ecosystem",
    }
}

symbols! {
    /// Where the money of a refund goes.
    pub enum RefundTo {
        Original = "original",
        Cash = "cash",
        Credit = "credit",
    }
}

symbols! {
    /// What a benefit gives (R9.8).
    pub enum BenefitKind {
        /// So much in all.
        StoragePackage = "storage_package",
        /// So much for each hour of use.
        ReservedInstance = "reserved_instance",
        /// For each hour of use so much money at lower prices.
        SavingsPlan = "savings_plan",
    }
}

record! {
    /// Who asked for a command, and under which number it is known.
    pub struct Asked {
        /// The command's place on the topic `commands`.
        pub number: u64,
        pub principal: PrincipalId,
        pub key: Option<Text>,
        /// From where: an address, a program.
        pub origin: Option<Text>,
    }
}

record! {
    /// Warns the owner when available credit falls below `threshold` (R8.5).
    #[derive(Copy)]
    pub struct LowBalanceAlert {
        pub enabled: bool,
        pub threshold: Amount,
    }
}

record! {
    /// Tops up by itself when available credit falls to a percent of what a month usually costs (R6.7).
    pub struct AutoRecharge {
        pub enabled: bool,
        /// By default those of the settings.
        pub percents: Option<Vec<Amount>>,
        pub amount: Amount,
    }
}

record! {
    /// Lets services run on for a while after they would have stopped (R8.3).
    #[derive(Copy)]
    pub struct DelayedSuspension {
        pub hours: Option<u32>,
        /// How far below zero available credit may fall meanwhile.
        pub debt: Option<Amount>,
    }
}

record! {
    /// Who gets the mails of one kind.
    pub struct Recipients {
        pub kind: NoticeKind,
        pub mails: Vec<Text>,
    }
}

macro_rules! commands {
    ($($(#[doc = $doc:literal])* $text:literal => $name:ident {
        $($(#[doc = $field_doc:literal])* $field:ident: $type:ty,)*
    })*) => {
        $(record! {
            $(#[doc = $doc])*
            pub struct $name {
                $($(#[doc = $field_doc])* pub $field: $type,)*
            }
        })*

        /// What the outside may ask for.
        #[derive(Clone, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        pub enum Command {
            $(#[serde(rename = $text)] $name($name),)*
        }

        $(impl From<$name> for Command {
            fn from(command: $name) -> Command {
                Command::$name(command)
            }
        })*

        impl Command {
            pub const NAMES: &[&str] = &[$($text),*];

            pub const fn name(&self) -> &'static str {
                match self { $(Command::$name(_) => $text,)* }
            }

            /// Reads the fields of the command called `name`; `None` if there is none of that name.
            pub fn read<'de, D: Deserializer<'de>>(name: &str, fields: D) -> Option<Result<Command, D::Error>> {
                match name {
                    $($text => Some($name::deserialize(fields).map(Command::from)),)*
                    _ => None,
                }
            }

            /// Every command with its fields, as help, forms and the API's description show it.
            pub fn described() -> Vec<(&'static str, Record)> {
                vec![$(($text, <$name as DescribedRecord>::record())),*]
            }
        }

        impl Described for Command {
            fn shape() -> Shape {
                Shape::OneOf { name: "CommandBody", records: vec![$(<$name as DescribedRecord>::record()),*] }
            }
        }
    };
}

commands! {
    /// Opens an enterprise: a verified legal entity inside which money can be shared.
    "open_enterprise" => OpenEnterprise {
        enterprise: EnterpriseId,
        name: Text,
        country: Country,
        tax_id: Option<Text>,
        /// The language of mails and invoices; by default the country's.
        language: Option<Text>,
        /// Whether the accounts of this enterprise may pay for each other.
        account_center: Option<bool>,
        /// The account that administers all billing accounts of the enterprise.
        management_account: Option<AccountId>,
        /// The most that all credit limits of the enterprise may come to.
        credit_total: Option<Amount>,
    }

    /// Opens an account together with a billing account of its own.
    "open_account" => OpenAccount {
        account: AccountId,
        enterprise: EnterpriseId,
        email: Text,
        /// By default the currency of the enterprise's country.
        currency: Option<Currency>,
        /// Where the account's days and months begin and end; by default UTC.
        time_zone: Option<Zone>,
        /// The name of its billing account; by default `ba-` and the account.
        billing_account: Option<WalletId>,
        mode: Mode,
        region: Option<RegionId>,
        kind: Option<Kind>,
        partner: Option<Text>,
        partner_pays: Option<bool>,
    }

    /// Closes an account: usage from now on is refused, what was used before is still billed.
    "close_account" => CloseAccount {
        account: AccountId,
    }

    /// Invites an account back into the enterprise it was opened under.
    "invite_account" => InviteAccount {
        account: AccountId,
        enterprise: Option<EnterpriseId>,
    }

    /// Accepts an invitation, in the name of the account.
    "accept_invitation" => AcceptInvitation {
        account: AccountId,
        enterprise: Option<EnterpriseId>,
    }

    /// Ends a membership, or declines an invitation: nothing is shared with the enterprise any more.
    "end_membership" => EndMembership {
        account: AccountId,
        enterprise: Option<EnterpriseId>,
    }

    /// Stores the enterprise's tax number, for later invoices.
    "set_tax_id" => SetTaxId {
        enterprise: EnterpriseId,
        tax_id: Text,
    }

    /// Gives a billing account another name to be shown by.
    "rename_billing_account" => RenameBillingAccount {
        billing_account: WalletId,
        name: Text,
    }

    /// Freezes a billing account: nothing goes out of it, what comes in is taken.
    "freeze_billing_account" => FreezeBillingAccount {
        billing_account: WalletId,
    }

    /// Lifts a freeze: what waited runs.
    "unfreeze_billing_account" => UnfreezeBillingAccount {
        billing_account: WalletId,
    }

    /// Closes an empty billing account, for good.
    "deregister_billing_account" => DeregisterBillingAccount {
        billing_account: WalletId,
    }

    /// Makes accounts of the enterprise administrators of a billing account.
    "grant_admin" => GrantAdmin {
        billing_account: WalletId,
        /// At most 20.
        accounts: Vec<AccountId>,
    }

    /// Takes the administration of a billing account from accounts.
    "revoke_admin" => RevokeAdmin {
        billing_account: WalletId,
        /// At most 20.
        accounts: Vec<AccountId>,
    }

    /// Gives somebody a role over a billing account, or over all of an enterprise.
    "grant_role" => GrantRole {
        /// An account, or whom a key names.
        principal: PrincipalId,
        role: Role,
        scope: ScopeId,
        /// The most that may be topped up at once under this role.
        top_up_limit: Option<Amount>,
    }

    /// Takes a role away.
    "revoke_role" => RevokeRole {
        principal: PrincipalId,
        role: Role,
        scope: ScopeId,
    }

    /// Makes a key for the API, whose holder acts as the principal, with a role over a billing account, or over all of an
    /// enterprise. The answer shows the key, and nothing does later.
    "create_key" => CreateKey {
        /// A new name, or an account: its root alone may let a key act as itself. Each has one key at a time.
        principal: PrincipalId,
        role: Role,
        scope: ScopeId,
        /// The most that may be topped up at once under this role.
        top_up_limit: Option<Amount>,
        /// The SHA-256 of the key, as 64 hexadecimal digits, of whoever makes it himself: the scope, `~`, and at least 32
        /// characters that nobody can guess. By default a key is made.
        hash: Option<Text>,
    }

    /// Takes a key away, and the role that it was made with.
    "revoke_key" => RevokeKey {
        principal: PrincipalId,
        role: Role,
        scope: ScopeId,
    }

    /// Stops top-ups and automatic recharge under a whole enterprise.
    "freeze_recharge" => FreezeRecharge {
        enterprise: EnterpriseId,
    }

    /// Allows top-ups and automatic recharge under an enterprise again.
    "unfreeze_recharge" => UnfreezeRecharge {
        enterprise: EnterpriseId,
    }

    /// Lets another billing account of the enterprise pay for an account, now or from a later time on.
    "change_payer" => ChangePayer {
        account: AccountId,
        billing_account: WalletId,
        effective_at: Option<Timestamp>,
    }

    /// Pays cash into a billing account.
    "top_up" => TopUp {
        billing_account: WalletId,
        amount: Amount,
        currency: Currency,
        /// `bank_transfer`, or the name of a linked payment method.
        method: MethodId,
        remark: Option<Text>,
        /// Sends the money through the method and back without touching the billing account.
        test: Option<bool>,
    }

    /// Pays own cash out of a billing account, at most what could be transferred.
    "withdraw" => Withdraw {
        billing_account: WalletId,
        amount: Amount,
        reason: Option<Text>,
    }

    /// Takes in a bank transfer that names no billing account: it waits until its owner claims it.
    "receive_remittance" => ReceiveRemittance {
        reference: Text,
        amount: Amount,
        currency: Currency,
        remark: Option<Text>,
    }

    /// Claims a bank transfer that waits, by its reference and exact amount.
    "claim_remittance" => ClaimRemittance {
        billing_account: WalletId,
        reference: Text,
        amount: Amount,
    }

    /// Lets the operator correct the cash of a billing account.
    "adjust" => Adjust {
        billing_account: WalletId,
        /// What is added; negative to take away.
        amount: Amount,
        reason: Option<Text>,
    }

    /// Sets how far a billing account may go below what it holds. The first limit waits for its contract.
    "set_credit_limit" => SetCreditLimit {
        billing_account: WalletId,
        limit: Amount,
    }

    /// Forgives bad debt: credit and transfers are possible again.
    "lift_bad_debt" => LiftBadDebt {
        billing_account: WalletId,
    }

    /// Confirms the contract that a first credit limit waits for.
    "confirm_contract" => ConfirmContract {
        billing_account: WalletId,
    }

    /// Gives a billing account a coupon, or with `cash` a cash coupon.
    "grant_coupon" => GrantCoupon {
        billing_account: WalletId,
        coupon: CouponId,
        amount: Amount,
        /// A cash coupon pays bills after they were issued, like cash; a coupon lowers them.
        cash: Option<bool>,
        /// The products whose charges it pays; by default all.
        products: Option<Vec<ProductId>>,
        /// The month's charges in scope must reach this before it pays.
        minimum: Option<Amount>,
        valid_from: Timestamp,
        valid_until: Timestamp,
    }

    /// Buys something for a price that is known beforehand.
    "place_order" => PlaceOrder {
        billing_account: WalletId,
        order: OrderId,
        amount: Amount,
        account: Option<AccountId>,
        product: Option<ProductId>,
        method: Option<MethodId>,
        renews: Option<bool>,
    }

    /// Buys a benefit: usage that is paid for beforehand.
    "buy_benefit" => BuyBenefit {
        billing_account: WalletId,
        /// The order is called so, too.
        benefit: BenefitId,
        kind: BenefitKind,
        product: ProductId,
        /// By default every meter of the product.
        meter: Option<MeterId>,
        /// What a storage package covers in all, and a reserved instance in each hour of use.
        quantity: Option<Amount>,
        /// What a savings plan has to spend in each hour of use.
        commitment: Option<Amount>,
        /// The fraction by which a savings plan lowers prices: 0.2 for a fifth.
        discount: Option<Amount>,
        price: Amount,
        valid_from: Timestamp,
        valid_until: Timestamp,
        /// With whom it is shared at once.
        accounts: Option<Vec<AccountId>>,
        organisation: Option<OrganisationId>,
    }

    /// Shares a benefit or coupon with accounts of the enterprise, or with an organisation.
    "share_benefit" => ShareBenefit {
        billing_account: WalletId,
        benefit: BenefitId,
        accounts: Option<Vec<AccountId>>,
        organisation: Option<OrganisationId>,
    }

    /// Ends the sharing of a benefit or coupon: with those who are named, or with everybody.
    "unshare_benefit" => UnshareBenefit {
        billing_account: WalletId,
        benefit: BenefitId,
        accounts: Option<Vec<AccountId>>,
        organisation: Option<OrganisationId>,
    }

    /// Says with whom every new benefit and coupon of a billing account is shared; nobody: none is.
    "set_sharing_rule" => SetSharingRule {
        billing_account: WalletId,
        accounts: Option<Vec<AccountId>>,
        organisation: Option<OrganisationId>,
    }

    /// Says which accounts make an organisation, with which benefits can be shared; nobody: there is none.
    "set_organisation" => SetOrganisation {
        enterprise: EnterpriseId,
        organisation: OrganisationId,
        /// At most 100.
        accounts: Vec<AccountId>,
    }

    /// Gives back what an order cost, or part of it.
    "refund_order" => RefundOrder {
        billing_account: WalletId,
        order: OrderId,
        amount: Amount,
        to: RefundTo,
    }

    /// Takes back an issued invoice, or part of it, by a credit note.
    "credit_invoice" => CreditInvoice {
        /// The number of the invoice.
        invoice: Text,
        /// Lines of the invoice, counted from one: what is left of each is taken back.
        lines: Option<Vec<u32>>,
        /// So much of its net is taken back instead, from its lines in their order.
        amount: Option<Amount>,
        reason: Text,
    }

    /// Approves an invoice run that is held: what it has come to is issued.
    "approve_invoice_run" => ApproveInvoiceRun {
        /// As the view `invoice_runs` calls it: `2026-04-01.usd.acme`.
        run: RunId,
    }

    /// Sets the quota of a billing account that settles with a partner.
    "set_quota" => SetQuota {
        billing_account: WalletId,
        quota: Amount,
    }

    /// Moves own cash to another billing account of the enterprise.
    "transfer" => Transfer {
        from: WalletId,
        to: WalletId,
        amount: Amount,
        remark: Option<Text>,
    }

    /// Takes back transferred cash that was not spent; `from` and `to` as the transfer named them.
    "revoke_transfer" => RevokeTransfer {
        from: WalletId,
        to: WalletId,
        amount: Amount,
        remark: Option<Text>,
    }

    /// Changes the settings of a billing account.
    "configure" => Configure {
        billing_account: WalletId,
        /// Whether bills are paid from the wallet as soon as they are issued.
        auto_write_off: Option<bool>,
        /// Whether a credit refund also pays bills of months before its own.
        write_off_previous: Option<bool>,
        /// How long the charges of one bill are collected.
        bill_cycle: Option<Cycle>,
        /// Warns when available credit falls below a threshold.
        low_balance_alert: Option<LowBalanceAlert>,
        /// From what owed amount on PayPal is charged.
        auto_pay_threshold: Option<Amount>,
        /// Where mails and invoices go.
        billing_email: Option<Text>,
        /// Who gets the mails of a kind, instead; an empty list takes them back.
        recipients: Option<BTreeMap<String, Vec<Text>>>,
        /// Tops up by itself when credit runs low.
        auto_recharge: Option<AutoRecharge>,
        /// Lets services run on for a while; with neither hours nor debt they stop at once again.
        delayed_suspension: Option<DelayedSuspension>,
        /// From next month on invoices are settled in this currency, too: USD, EUR, SGD or HKD; in the billing
        /// account's own, no longer in another one.
        settlement_currency: Option<Currency>,
        /// How often an invoice comes.
        invoice_schedule: Option<Schedule>,
    }

    /// Links a payment method, known by the gateway's token; a small amount is held and given back.
    "link_payment_method" => LinkPaymentMethod {
        billing_account: WalletId,
        /// Names the card or PayPal account itself: the same name elsewhere is the same card.
        method: MethodId,
        kind: MethodKind,
        token: Text,
        brand: Option<Text>,
        /// The last month in which a card can pay.
        expires: Option<Month>,
    }

    /// Goes on with a link for which the owner had to prove to the gateway who he is, once he has.
    "finish_authentication" => FinishAuthentication {
        billing_account: WalletId,
        method: MethodId,
    }

    /// Takes a payment method away.
    "unlink_payment_method" => UnlinkPaymentMethod {
        billing_account: WalletId,
        method: MethodId,
    }

    /// Makes a payment method the one that is charged.
    "prefer_payment_method" => PreferPaymentMethod {
        billing_account: WalletId,
        method: MethodId,
    }

    /// Pays issued bills by hand: first what the balance covers, the rest by a payment method.
    "pay" => Pay {
        billing_account: WalletId,
        /// By default all that is owed on the bills.
        amount: Option<Amount>,
        /// By default the preferred one.
        method: Option<MethodId>,
        /// By default all unpaid ones, the oldest first.
        bills: Option<Vec<Text>>,
    }

    /// Settles the bills of every billing account of an enterprise: from its own assets, then its
    /// preferred payment method.
    "settle_enterprise" => SettleEnterprise {
        enterprise: EnterpriseId,
    }

    /// Takes a usage record back, within 35 days of its time of use: it costs nothing, and cannot be sent again.
    "void_usage" => VoidUsage {
        account: AccountId,
        /// Who measured it.
        source: String,
        /// What it is called there.
        id: String,
    }

    /// Asks somebody, in whatever enterprise, to pay bills of a billing account.
    "request_payment" => RequestPayment {
        /// A name for the request, unique for ever.
        request: RequestId,
        /// The billing account whose bills are to be paid.
        requester: WalletId,
        /// An account, or the e-mail address of one.
        payer: Text,
        /// What the money is for.
        service: Text,
        amount: Amount,
        note: Option<Text>,
        /// A request of the same billing account that was rejected.
        resends: Option<RequestId>,
    }

    /// Pays what somebody asks for: from own cash as far as that reaches, the rest by a method.
    "approve_payment_request" => ApprovePaymentRequest {
        request: RequestId,
        /// Without one only the balance pays.
        method: Option<MethodId>,
    }

    /// Declines to pay what somebody asks for.
    "reject_payment_request" => RejectPaymentRequest {
        request: RequestId,
        reason: Option<Text>,
    }

    /// Takes back a request that nobody has answered.
    "cancel_payment_request" => CancelPaymentRequest {
        request: RequestId,
        reason: Option<Text>,
    }

    /// Allocates what an account may spend: a credit, from now on, a cap for each month, or both. What is not said stays
    /// as it was; with neither the account has no allocation any more.
    "allocate_spend" => AllocateSpend {
        account: AccountId,
        /// The most that all its charges from now on may come to.
        credit: Option<Amount>,
        /// The most that its charges of a month may come to.
        monthly_cap: Option<Amount>,
    }

    /// Asks whether an account may spend so much, and sets that aside until its usage has come.
    "authorize" => Authorize {
        account: AccountId,
        /// An estimate; 0 only asks.
        amount: Amount,
        /// A name for it, among the authorizations of the account.
        authorization: AuthorizationId,
    }

    /// Loads a price book: the whole document as text.
    "load_prices" => LoadPrices {
        document: String,
    }

    /// Loads settings: the whole document as text.
    "load_settings" => LoadSettings {
        document: String,
    }
}

/// So many accounts can be made administrators, or be it no more, in one call (R9.5).
pub const ADMINS_A_CALL_MAX: usize = 20;

/// A benefit is shared with so many accounts at most, members of organisations included (R9.7).
pub const SHARED_WITH_MAX: usize = 100;

/// Whom a command concerns first: that decides which ledger judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    Enterprise(&'a EnterpriseId),
    Account(&'a AccountId),
    Wallet(&'a WalletId),
    /// The enterprise of that name, or else the billing account.
    Scope(&'a ScopeId),
    /// The billing account that has asked somebody to pay.
    RequestOf(&'a RequestId),
    /// The billing account that is asked to pay.
    RequestTo(&'a RequestId),
    /// The billing account that got the invoice of that number, which the registry knows.
    Invoice(&'a Text),
    /// All ledgers alike.
    Everyone,
}

impl Command {
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Command::OpenEnterprise(OpenEnterprise { enterprise, .. })
            | Command::OpenAccount(OpenAccount { enterprise, .. })
            | Command::SettleEnterprise(SettleEnterprise { enterprise })
            | Command::SetTaxId(SetTaxId { enterprise, .. })
            | Command::SetOrganisation(SetOrganisation { enterprise, .. })
            | Command::FreezeRecharge(FreezeRecharge { enterprise })
            | Command::UnfreezeRecharge(UnfreezeRecharge { enterprise }) => {
                Subject::Enterprise(enterprise)
            }
            Command::CloseAccount(CloseAccount { account })
            | Command::InviteAccount(InviteAccount { account, .. })
            | Command::AcceptInvitation(AcceptInvitation { account, .. })
            | Command::EndMembership(EndMembership { account, .. })
            | Command::VoidUsage(VoidUsage { account, .. })
            | Command::AllocateSpend(AllocateSpend { account, .. })
            | Command::Authorize(Authorize { account, .. })
            | Command::ChangePayer(ChangePayer { account, .. }) => Subject::Account(account),
            Command::GrantRole(GrantRole { scope, .. })
            | Command::RevokeRole(RevokeRole { scope, .. })
            | Command::CreateKey(CreateKey { scope, .. })
            | Command::RevokeKey(RevokeKey { scope, .. }) => Subject::Scope(scope),
            Command::TopUp(TopUp { billing_account, .. })
            | Command::Withdraw(Withdraw { billing_account, .. })
            | Command::ClaimRemittance(ClaimRemittance { billing_account, .. })
            | Command::RenameBillingAccount(RenameBillingAccount { billing_account, .. })
            | Command::FreezeBillingAccount(FreezeBillingAccount { billing_account })
            | Command::UnfreezeBillingAccount(UnfreezeBillingAccount { billing_account })
            | Command::DeregisterBillingAccount(DeregisterBillingAccount { billing_account })
            | Command::GrantAdmin(GrantAdmin { billing_account, .. })
            | Command::RevokeAdmin(RevokeAdmin { billing_account, .. })
            | Command::LiftBadDebt(LiftBadDebt { billing_account })
            | Command::Adjust(Adjust { billing_account, .. })
            | Command::SetCreditLimit(SetCreditLimit { billing_account, .. })
            | Command::ConfirmContract(ConfirmContract { billing_account })
            | Command::GrantCoupon(GrantCoupon { billing_account, .. })
            | Command::PlaceOrder(PlaceOrder { billing_account, .. })
            | Command::BuyBenefit(BuyBenefit { billing_account, .. })
            | Command::ShareBenefit(ShareBenefit { billing_account, .. })
            | Command::UnshareBenefit(UnshareBenefit { billing_account, .. })
            | Command::SetSharingRule(SetSharingRule { billing_account, .. })
            | Command::RefundOrder(RefundOrder { billing_account, .. })
            | Command::SetQuota(SetQuota { billing_account, .. })
            | Command::Configure(Configure { billing_account, .. })
            | Command::LinkPaymentMethod(LinkPaymentMethod { billing_account, .. })
            | Command::FinishAuthentication(FinishAuthentication { billing_account, .. })
            | Command::UnlinkPaymentMethod(UnlinkPaymentMethod { billing_account, .. })
            | Command::PreferPaymentMethod(PreferPaymentMethod { billing_account, .. })
            | Command::Pay(Pay { billing_account, .. })
            | Command::RequestPayment(RequestPayment { requester: billing_account, .. })
            | Command::Transfer(Transfer { from: billing_account, .. })
            | Command::RevokeTransfer(RevokeTransfer { from: billing_account, .. }) => {
                Subject::Wallet(billing_account)
            }
            Command::CancelPaymentRequest(CancelPaymentRequest { request, .. }) => {
                Subject::RequestOf(request)
            }
            Command::ApprovePaymentRequest(ApprovePaymentRequest { request, .. })
            | Command::RejectPaymentRequest(RejectPaymentRequest { request, .. }) => {
                Subject::RequestTo(request)
            }
            Command::ApproveInvoiceRun(ApproveInvoiceRun { run }) => {
                Subject::Enterprise(&run.enterprise)
            }
            Command::CreditInvoice(CreditInvoice { invoice, .. }) => Subject::Invoice(invoice),
            Command::ReceiveRemittance(_) | Command::LoadPrices(_) | Command::LoadSettings(_) => {
                Subject::Everyone
            }
        }
    }
}

impl Command {
    /// The accounts that a command names beside its subject. Those that are too many anyway are not looked for.
    pub fn other_accounts(&self) -> &[AccountId] {
        match self {
            Command::GrantAdmin(GrantAdmin { accounts, .. })
            | Command::RevokeAdmin(RevokeAdmin { accounts, .. })
                if accounts.len() <= ADMINS_A_CALL_MAX =>
            {
                accounts
            }
            Command::SetOrganisation(SetOrganisation { accounts, .. })
            | Command::BuyBenefit(BuyBenefit { accounts: Some(accounts), .. })
            | Command::ShareBenefit(ShareBenefit { accounts: Some(accounts), .. })
            | Command::UnshareBenefit(UnshareBenefit { accounts: Some(accounts), .. })
            | Command::SetSharingRule(SetSharingRule { accounts: Some(accounts), .. })
                if accounts.len() <= SHARED_WITH_MAX =>
            {
                accounts
            }
            Command::PlaceOrder(PlaceOrder { account: Some(account), .. }) => {
                std::slice::from_ref(account)
            }
            _ => &[],
        }
    }

    /// The enterprise that a command names beside its subject.
    pub fn other_enterprise(&self) -> Option<&EnterpriseId> {
        match self {
            Command::InviteAccount(InviteAccount { enterprise, .. })
            | Command::AcceptInvitation(AcceptInvitation { enterprise, .. })
            | Command::EndMembership(EndMembership { enterprise, .. }) => enterprise.as_ref(),
            _ => None,
        }
    }

    /// The other billing account that a command names, beside its subject.
    pub fn other_wallet(&self) -> Option<&WalletId> {
        match self {
            Command::ChangePayer(ChangePayer { billing_account: other, .. })
            | Command::Transfer(Transfer { to: other, .. })
            | Command::RevokeTransfer(RevokeTransfer { to: other, .. }) => Some(other),
            _ => None,
        }
    }
}

impl Described for Cycle {
    fn shape() -> Shape {
        Shape::Symbol { name: "Cycle", symbols: vec!["hour", "day", "month"] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_by_the_names_of_the_contract() {
        let fields = serde_json::json!({
            "billing_account": "ba-acme", "amount": "100.00", "currency": "USD", "method": "bank_transfer"
        });
        let command = Command::read("top_up", fields).unwrap().unwrap();
        assert_eq!(command.name(), "top_up");
        let Command::TopUp(top_up) = command else { panic!("{command:?}") };
        assert_eq!(top_up.amount, Amount::whole(100));
    }

    #[test]
    fn what_is_wrong_with_a_command_is_said_by_name() {
        let check = |name: &str, fields: serde_json::Value, expected: &str| {
            let error = Command::read(name, fields).unwrap().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("close_account", serde_json::json!({}), "missing field `account`");
        check("close_account", serde_json::json!({ "account": "A" }), "an id has 1 to 64");
        check("close_account", serde_json::json!({ "acount": "a" }), "unknown field `acount`");
        check(
            "set_quota",
            serde_json::json!({ "billing_account": "b", "quota": 5 }),
            "a decimal number as text",
        );
        assert!(Command::read("fly", serde_json::json!({})).is_none());
    }

    #[test]
    fn every_command_describes_its_fields() {
        for (name, record) in Command::described() {
            assert!(Command::NAMES.contains(&name));
            assert!(!record.doc.is_empty() && !record.fields.is_empty(), "{name}");
        }
    }

    /// What a command names beside its subject: accounts, an enterprise, a billing account.
    #[test]
    fn what_a_command_names_besides_is_looked_for() {
        let many = |count: usize| vec!["n"; count];
        let (role, benefit) = ("ba-a", serde_json::json!({ "billing_account": "ba-a" }));
        let with = |base: &serde_json::Value, more: serde_json::Value| {
            let mut fields = base.as_object().unwrap().clone();
            fields.extend(more.as_object().unwrap().clone());
            serde_json::Value::Object(fields)
        };
        let admins =
            |count| serde_json::json!({ "billing_account": role, "accounts": many(count) });
        let shared =
            |count| with(&benefit, serde_json::json!({ "benefit": "b", "accounts": many(count) }));
        let order = serde_json::json!({ "order": "o", "amount": "1" });
        let member = |enterprise| serde_json::json!({ "account": "a", "enterprise": enterprise });
        let pays = serde_json::json!({ "account": "a", "billing_account": "ba-b" });
        let moves = serde_json::json!({ "from": "ba-a", "to": "ba-b", "amount": "1" });
        for (name, fields, accounts, enterprise, wallet) in [
            ("grant_admin", admins(1), 1, None, None),
            ("revoke_admin", admins(20), 20, None, None),
            ("revoke_admin", admins(21), 0, None, None),
            ("share_benefit", shared(100), 100, None, None),
            ("unshare_benefit", shared(1), 1, None, None),
            ("unshare_benefit", shared(101), 0, None, None),
            ("place_order", with(&benefit, order.clone()), 0, None, None),
            (
                "place_order",
                with(&with(&benefit, order), serde_json::json!({ "account": "n" })),
                1,
                None,
                None,
            ),
            ("invite_account", member("f"), 0, Some("f"), None),
            ("accept_invitation", member("f"), 0, Some("f"), None),
            ("end_membership", member("f"), 0, Some("f"), None),
            ("change_payer", pays, 0, None, Some("ba-b")),
            ("transfer", moves.clone(), 0, None, Some("ba-b")),
            ("revoke_transfer", moves, 0, None, Some("ba-b")),
            ("freeze_billing_account", benefit.clone(), 0, None, None),
        ] {
            let command = Command::read(name, fields).unwrap().unwrap();
            let named: Vec<&str> = command.other_accounts().iter().map(AccountId::as_str).collect();
            assert_eq!(named, many(accounts), "{command:?}");
            let others = (command.other_enterprise(), command.other_wallet());
            let others = (others.0.map(EnterpriseId::as_str), others.1.map(WalletId::as_str));
            assert_eq!(others, (enterprise, wallet), "{command:?}");
        }
    }
}
