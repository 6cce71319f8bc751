//! What was used, and what covers it.

use super::Fact;
use crate::commands::Asked;
use crate::ids::{AuthorizationId, BenefitId, RegionId};
use crate::ledger::benefits::Benefit;
use crate::ledger::coverage::CoveredHour;
use crate::ledger::sharing::{Organisation, Served, Sharing, SharingRule};
use crate::ledger::spending::{AllocatedCredit, CapTold, MonthlyCap};
use crate::ledger::state::{AccountNumber, EnterpriseNumber, Series, Tab, WalletNumber};
use crate::ledger::values::SeriesKey;
use crate::money::Amount;
use crate::rating::{Value, ValueCount};
use crate::time::Minute;
use crate::{record, symbols};

record! {
    /// Usage named a region for the first time.
    pub struct RegionNamed {
        pub region: RegionId,
    }
}

record! {
    /// A month's quantity begins, or is found again under another span of minutes.
    pub struct SeriesOpened {
        pub account: AccountNumber,
        pub series: Series,
    }
}

record! {
    pub struct TabOpened {
        pub account: AccountNumber,
        pub tab: Tab,
    }
}

record! {
    /// A tab takes no more usage from `until` on: a coupon begins or ends there.
    pub struct TabCut {
        pub account: AccountNumber,
        pub tab: u32,
        pub until: Minute,
    }
}

record! {
    /// Usage turned into money, exact. A line that reaches into several tiers of a price is as many of these.
    #[derive(Copy)]
    pub struct Accrued {
        pub account: AccountNumber,
        pub series: u32,
        pub tab: u32,
        pub quantity: Amount,
        pub charge: Amount,
    }
}

/// What usage does to an account, and to the open cycle of who pays for it: nearly everything that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used {
    Accrued(Accrued),
    Series(SeriesOpened),
    Tab(TabOpened),
}

impl Used {
    pub fn account(&self) -> AccountNumber {
        match self {
            Used::Accrued(accrued) => accrued.account,
            Used::Series(opened) => opened.account,
            Used::Tab(opened) => opened.account,
        }
    }
}

impl Fact {
    /// The same, if usage did no more.
    pub fn used(&self) -> Option<Used> {
        match self {
            Fact::SeriesOpened(opened) => Some(Used::Series(opened.clone())),
            Fact::TabOpened(opened) => Some(Used::Tab(opened.clone())),
            _ => None,
        }
    }
}

symbols! {
    /// Why a line could not be priced.
    pub enum Unpriced {
        NoAccount = "no_account",
        NoPrice = "no_price",
        TooLarge = "too_large",
        TooManyValues = "too_many_values",
    }
}

record! {
    /// A counted line could not be priced. It is kept aside as a difference that `audit` names.
    pub struct SetAside {
        pub account: AccountNumber,
        pub used: Minute,
        pub quantity: Amount,
        pub records: i64,
        pub why: Unpriced,
    }
}

record! {
    /// Records were counted whose values make their month's quantity, not their sum (R3.3).
    pub struct ValuesCounted {
        pub series: SeriesKey,
        pub values: Vec<ValueCount>,
    }
}

record! {
    /// A usage record is to be taken back (R2.5): metering is asked which it was.
    pub struct VoidAsked {
        pub account: AccountNumber,
        pub source: String,
        pub id: String,
        /// Who waits for the answer.
        pub asked: Asked,
    }
}

record! {
    /// A record was taken back whose value made its month's quantity, not its sum with others (R2.5).
    pub struct ValueTakenBack {
        pub series: SeriesKey,
        pub value: Value,
    }
}

record! {
    /// A benefit was bought (R9.8).
    pub struct BenefitBought {
        pub wallet: WalletNumber,
        pub benefit: Benefit,
    }
}

record! {
    /// A benefit covers no usage from then on: its order was given back.
    pub struct BenefitEnded {
        pub wallet: WalletNumber,
        pub benefit: BenefitId,
        pub until: Minute,
    }
}

record! {
    /// With whom a benefit or coupon is shared from now on (R9.7).
    pub struct SharingChanged {
        pub wallet: WalletNumber,
        pub benefit: BenefitId,
        pub sharing: Sharing,
    }
}

record! {
    /// With whom what a wallet buys from now on is shared.
    pub struct SharingRuleChanged {
        pub wallet: WalletNumber,
        pub rule: SharingRule,
    }
}

record! {
    /// Who makes an organisation from now on; nobody: there is none.
    pub struct OrganisationChanged {
        pub enterprise: EnterpriseNumber,
        pub organisation: Organisation,
    }
}

record! {
    /// In which minutes of use another wallet's benefit or coupon serves an account; one that had begun in
    /// the same minute is replaced.
    pub struct ServedChanged {
        pub account: AccountNumber,
        pub served: Served,
    }
}

record! {
    /// Usage was covered, or could have been (R9.8).
    pub struct Covered {
        /// Who pays for the rest.
        pub payer: WalletNumber,
        pub used: Minute,
        /// What this adds to its hour of use.
        pub hour: CoveredHour,
    }
}

record! {
    /// What an account may spend from now on, with what has been charged to its credit so far (R11.2).
    pub struct SpendAllocated {
        pub account: AccountNumber,
        pub credit: Option<AllocatedCredit>,
        pub monthly_cap: Option<MonthlyCap>,
    }
}

record! {
    /// An account may spend so much, which is set aside until it is used or lapses.
    pub struct Authorized {
        pub account: AccountNumber,
        pub authorization: AuthorizationId,
        pub amount: Amount,
        pub lapses_at: Minute,
    }
}

record! {
    /// That an account's charges have come near its cap, or to it, is told.
    pub struct CapNeared {
        pub account: AccountNumber,
        pub told: CapTold,
    }
}
