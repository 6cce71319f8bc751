//! Bank transfers that name nobody wait here, in the registry's own books, until somebody claims them
//! (R7.3).

use super::{Admission, Claimed, Registry, RegistryFact};
use crate::commands::{ClaimRemittance, ReceiveRemittance, Subject};
use crate::ids::{Text, WalletId};
use crate::money::{Amount, Currency};
use crate::record;
use crate::refusal::Refusal;
use crate::time::Timestamp;

record! {
    /// A bank transfer that names nobody has come.
    pub struct RemittanceReceived {
        pub reference: Text,
        pub amount: Amount,
        pub currency: Currency,
        pub remark: Option<Text>,
        pub at: Timestamp,
    }
}

record! {
    /// A transfer that is to go to a wallet.
    pub struct RemittanceClaim {
        pub reference: Text,
        pub wallet: WalletId,
    }
}

record! {
    /// A transfer that named nobody, and what became of it.
    pub struct Remittance {
        pub reference: Text,
        pub amount: Amount,
        pub currency: Currency,
        pub remark: Option<Text>,
        pub received_at: Timestamp,
        /// Whose it is.
        pub claimed_by: Option<WalletId>,
        /// It has arrived there; till then it is on its way.
        pub arrived: bool,
    }
}

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whereabouts {
    Unclaimed,
    OnTheWay,
    Arrived,
}

impl Whereabouts {
    pub const fn text(self) -> &'static str {
        match self {
            Whereabouts::Unclaimed => "unclaimed",
            Whereabouts::OnTheWay => "in_flight",
            Whereabouts::Arrived => "claimed",
        }
    }
}

record! {
    /// A row of the view `remittances`.
    pub struct RemittanceRow {
        pub reference: Text,
        pub amount: Amount,
        pub currency: Currency,
        pub remark: Option<Text>,
        pub received_at: Timestamp,
        /// Who has claimed it.
        pub billing_account: Option<WalletId>,
        /// `unclaimed`, `in_flight` or `claimed`.
        pub status: String,
    }
}

impl Remittance {
    pub fn row(&self) -> RemittanceRow {
        RemittanceRow {
            reference: self.reference.clone(),
            amount: self.amount,
            currency: self.currency,
            remark: self.remark.clone(),
            received_at: self.received_at,
            billing_account: self.claimed_by.clone(),
            status: self.whereabouts().text().to_owned(),
        }
    }

    pub fn whereabouts(&self) -> Whereabouts {
        match (&self.claimed_by, self.arrived) {
            (None, _) => Whereabouts::Unclaimed,
            (Some(_), false) => Whereabouts::OnTheWay,
            (Some(_), true) => Whereabouts::Arrived,
        }
    }
}

impl Registry {
    /// Every transfer that named nobody, by its reference.
    pub fn remittances(&self) -> impl Iterator<Item = &Remittance> {
        self.remittances.values()
    }

    pub fn remittance(&self, reference: &Text) -> Option<&Remittance> {
        self.remittances.get(reference)
    }

    /// The transfer that a command claims, while its ledger decides.
    pub fn remittance_claimed_by(&self, command: u64) -> Option<&Text> {
        Some(&self.claims.get(&command)?.remittance.as_ref()?.reference)
    }

    pub(super) fn receive_remittance(
        &mut self,
        command: &ReceiveRemittance,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let ReceiveRemittance { reference, amount, currency, remark } = command.clone();
        if reference.as_str().is_empty() {
            return Admission::Refused(
                Refusal::Malformed,
                Some("a reference says something".into()),
            );
        }
        if self.remittances.contains_key(&reference) {
            return Admission::Refused(Refusal::AlreadyExists, None);
        }
        if !amount.is_positive() || !amount.is_payable(currency) {
            return Admission::Refused(Refusal::InvalidAmount, None);
        }

        let at = self.now;
        self.record(RemittanceReceived { reference, amount, currency, remark, at }, facts);
        Admission::Done
    }

    /// Whoever names its reference and exact amount gets it, once.
    pub(super) fn claim_remittance(
        &mut self,
        number: u64,
        command: &ClaimRemittance,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let wallet = &command.billing_account;
        let Some(enterprise) = self.enterprise_of(Subject::Wallet(wallet)) else {
            return Admission::Refused(Refusal::NotFound, None);
        };
        let known = self.remittances.get(&command.reference);
        let Some(known) = known.filter(|known| known.amount == command.amount) else {
            return Admission::Refused(Refusal::NotFound, None);
        };
        if known.claimed_by.is_some() {
            return Admission::Refused(Refusal::AlreadyClaimed, None);
        }

        let currency = known.currency;
        let claim =
            RemittanceClaim { reference: command.reference.clone(), wallet: wallet.clone() };
        let remittance = Some(claim);
        self.record(Claimed { remittance, ..Claimed::of(number, enterprise.clone()) }, facts);
        Admission::Carry(enterprise, currency)
    }

    pub(super) fn put_remittance(&mut self, fact: &RemittanceReceived) {
        let RemittanceReceived { reference, amount, currency, remark, at } = fact.clone();
        let (claimed_by, arrived) = (None, false);
        let remittance = Remittance {
            reference: reference.clone(),
            amount,
            currency,
            remark,
            received_at: at,
            claimed_by,
            arrived,
        };
        self.remittances.insert(reference, remittance);
    }

    /// Its ledger has taken a transfer, or will not have it.
    pub(super) fn settle_remittance(&mut self, claim: &RemittanceClaim, kept: bool) {
        if let Some(known) = self.remittances.get_mut(&claim.reference) {
            known.arrived = kept;
            if !kept {
                known.claimed_by = None;
            }
        }
    }
}
