//! Why a command is refused. The codes are the API's codes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::Overflow;
use crate::tax_ids::NotATaxId;

macro_rules! refusals {
    ($($(#[doc = $doc:literal])* $variant:ident = $code:literal),* $(,)?) => {
        /// The reason a command was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Refusal {
            $($(#[doc = $doc])* #[serde(rename = $code)] $variant,)*
        }

        impl Refusal {
            pub const ALL: &[Refusal] = &[$(Refusal::$variant),*];

            /// The code that API, command line and scenario files show.
            pub const fn code(self) -> &'static str {
                match self { $(Refusal::$variant => $code,)* }
            }

            /// What it means and what to do.
            pub const fn help(self) -> &'static str {
                match self { $(Refusal::$variant => concat!($($doc),*),)* }
            }
        }
    };
}

refusals! {
    /// A field is missing, unknown or not of its kind, or a document contradicts itself.
    Malformed = "malformed",
    /// The amount is negative, zero where something must move, too large, or has more decimals than the currency.
    InvalidAmount = "invalid_amount",
    /// The amount is in another currency than the billing account. Open another one for that currency.
    CurrencyMismatch = "currency_mismatch",
    /// The idempotency key was used before for another command. Take a new key.
    KeyReused = "key_reused",
    /// Nothing has that name.
    NotFound = "not_found",
    /// The name is taken.
    AlreadyExists = "already_exists",
    /// It lies too far back.
    TooOld = "too_old",
    /// It would hold from a time that has passed.
    InThePast = "in_the_past",
    /// A billing account that settles with a partner has no such thing.
    NotForEcosystem = "not_for_ecosystem",
    /// A partner pays for this billing account.
    PartnerPays = "partner_pays",
    /// Less than the smallest top-up in that currency.
    BelowMinimum = "below_minimum",
    /// That payment method cannot be used for this.
    MethodNotAllowed = "method_not_allowed",
    /// The billing account has no active payment method.
    NoMethod = "no_method",
    /// A payment of the billing account is under way. Wait for its result.
    PaymentInProgress = "payment_in_progress",
    /// More than is owed on those bills.
    ExceedsOutstanding = "exceeds_outstanding",
    /// The enterprise's bills are being settled. Wait for the last result.
    SettlementInProgress = "settlement_in_progress",
    /// Somebody has claimed that transfer.
    AlreadyClaimed = "already_claimed",
    /// Several accounts have that e-mail address. Name one of them.
    PayerAmbiguous = "payer_ambiguous",
    /// The request is not pending: it was approved, rejected, cancelled or has expired.
    NotPending = "not_pending",
    /// The method is in use: it has a payment in flight, or serves another billing account.
    MethodInUse = "method_in_use",
    /// The card expires this month or before. Link another one.
    CardExpired = "card_expired",
    /// The gateway would not hold the small amount that shows whether a method can pay.
    PreauthorisationFailed = "preauthorisation_failed",
    /// The owner has to prove to the gateway who he is; the detail says where.
    AuthenticationRequired = "authentication_required",
    /// There is not enough to pay with.
    InsufficientFunds = "insufficient_funds",
    /// Without a credit limit automatic write-off stays on.
    WriteOffRequired = "write_off_required",
    /// The limit may not go below what keeps the available credit at or above zero.
    LimitInUse = "limit_in_use",
    /// The limits of the enterprise together would exceed its total.
    ExceedsEntityCredit = "exceeds_entity_credit",
    /// The two billing accounts belong to different enterprises.
    DifferentEnterprise = "different_enterprise",
    /// More than can be transferred.
    ExceedsTransferable = "exceeds_transferable",
    /// More than can be revoked.
    ExceedsRevocable = "exceeds_revocable",
    /// Nothing was ever sent between the two.
    NothingToRevoke = "nothing_to_revoke",
    /// The billing account is overdue. Pay what is due first.
    Overdue = "overdue",
    /// The account's services are suspended. They resume once its payer can pay again.
    Suspended = "suspended",
    /// The month's charges, with what is authorized already, would go over the account's monthly cap.
    OverMonthlyCap = "over_monthly_cap",
    /// The charges since its credit was allocated, with what is authorized already, would go over that credit.
    OverAllocatedCredit = "over_allocated_credit",
    /// The account is closed.
    AccountClosed = "account_closed",
    /// The accounts of this enterprise may not pay for each other: its account centre is off.
    AccountCenterOff = "account_center_off",
    /// Something is still owed or left, or it paid for an account less than 35 days ago.
    NotEmpty = "not_empty",
    /// Whoever asks may not do that. Somebody who may can grant a role.
    NotPermitted = "not_permitted",
    /// More than the role of whoever asks may top up at once.
    OverRoleLimit = "over_role_limit",
    /// The billing account is frozen: nothing goes out of it.
    Frozen = "frozen",
    /// The billing account is deregistered, for good.
    Deregistered = "deregistered",
    /// The management account administers all billing accounts of its enterprise, always.
    SuperAdministrator = "super_administrator",
    /// More accounts than one call, or one benefit, may name.
    TooManyAccounts = "too_many_accounts",
    /// Top-ups are stopped in this enterprise.
    RechargeFrozen = "recharge_frozen",
    /// The tax number does not fit the rule by which numbers of that country are checked.
    TaxIdInvalid = "tax_id_invalid",
    /// There was bad debt: neither credit nor transfers, until the operator lifts it.
    CreditNotAvailable = "credit_not_available",
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for Refusal {}

impl From<NotATaxId> for Refusal {
    fn from(_: NotATaxId) -> Refusal {
        Refusal::TaxIdInvalid
    }
}

/// A sum that cannot be held exactly is no amount (R1.5).
impl From<Overflow> for Refusal {
    fn from(_: Overflow) -> Refusal {
        Refusal::InvalidAmount
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_shown_by_its_code() {
        assert_eq!(Refusal::from(NotATaxId).to_string(), "tax_id_invalid");
        assert_eq!(Refusal::from(Overflow).to_string(), "invalid_amount");
        for refusal in Refusal::ALL {
            assert_eq!(refusal.to_string(), refusal.code());
        }
    }
}
