//! What an installation, its enterprises and their people are.

use crate::commands::{DelayedSuspension, LowBalanceAlert, Recipients};
use crate::ids::{PrincipalId, Text};
use crate::ledger::state::{
    Account, AccountNumber, ApiKey, BadDebt, CycleChange, Enterprise, EnterpriseNumber, Grant,
    Membership, Wallet, WalletNumber, WalletState,
};
use crate::money::Amount;
use crate::rating::Change;
use crate::record;
use crate::rights::Role;
use crate::time::{Minute, Timestamp};

record! {
    /// The ledger's time went on.
    pub struct TimePassed {
        pub at: Timestamp,
    }
}

record! {
    /// A usage partition has been metered up to here: of its usage that arrived before `until`,
    /// everything has come.
    pub struct Marked {
        pub usage_partition: u32,
        pub until: Timestamp,
    }
}

record! {
    /// New settings are in force.
    pub struct SettingsChanged {
        pub document: String,
    }
}

record! {
    /// Part of a price book has come; it is not in force yet.
    pub struct PricesArrived {
        pub changes: Vec<Change>,
    }
}

record! {
    /// What has come of the price book is in force.
    pub struct PricesInForce {
        pub loads: u32,
    }
}

record! {
    pub struct EnterpriseOpened {
        pub number: EnterpriseNumber,
        pub enterprise: Enterprise,
    }
}

record! {
    pub struct WalletOpened {
        pub number: WalletNumber,
        pub wallet: Box<Wallet>,
    }
}

record! {
    pub struct AccountOpened {
        pub number: AccountNumber,
        pub account: Box<Account>,
    }
}

record! {
    pub struct AccountClosed {
        pub account: AccountNumber,
        pub at: Timestamp,
    }
}

record! {
    /// An account shares in its enterprise, or does so no more (R4.6).
    pub struct MembershipChanged {
        pub account: AccountNumber,
        pub membership: Membership,
    }
}

record! {
    /// An enterprise has another tax number.
    pub struct TaxIdChanged {
        pub enterprise: EnterpriseNumber,
        pub tax_id: Text,
    }
}

record! {
    /// Top-ups are stopped under an enterprise, or allowed again (R11.3).
    pub struct RechargeFrozen {
        pub enterprise: EnterpriseNumber,
        pub frozen: bool,
    }
}

record! {
    /// Somebody has a role; what he had before of the same role at the same place is replaced.
    pub struct RoleGranted {
        pub enterprise: EnterpriseNumber,
        pub grant: Grant,
    }
}

record! {
    pub struct RoleRevoked {
        pub enterprise: EnterpriseNumber,
        pub principal: PrincipalId,
        pub role: Role,
        pub wallet: Option<WalletNumber>,
    }
}

record! {
    /// A wallet is shown by another name.
    pub struct WalletRenamed {
        pub wallet: WalletNumber,
        pub name: Text,
    }
}

record! {
    /// A wallet is frozen, works again, or is closed for good (R4.5).
    pub struct WalletStateChanged {
        pub wallet: WalletNumber,
        pub state: WalletState,
        /// Who froze it.
        pub frozen_by: Option<PrincipalId>,
    }
}

record! {
    /// The regular administrators of a wallet, in the order of their numbers (R9.5).
    pub struct AdministratorsChanged {
        pub wallet: WalletNumber,
        pub administrators: Vec<AccountNumber>,
    }
}

record! {
    /// Bad debt arose, or was forgiven (R9.1).
    pub struct BadDebtChanged {
        pub wallet: WalletNumber,
        pub bad_debt: BadDebt,
    }
}

record! {
    pub struct PayerChanged {
        pub account: AccountNumber,
        pub wallet: WalletNumber,
        pub from: Minute,
    }
}

record! {
    pub struct LimitChanged {
        pub wallet: WalletNumber,
        pub limit: Amount,
        pub pending: Option<Amount>,
    }
}

record! {
    pub struct Configured {
        pub wallet: WalletNumber,
        pub auto_write_off: bool,
        pub write_off_previous: bool,
        pub cycle: Option<CycleChange>,
        pub auto_pay_threshold: Option<Amount>,
        pub delayed_suspension: Option<DelayedSuspension>,
    }
}

record! {
    /// Whom a wallet's owner wants told.
    pub struct TellingConfigured {
        pub wallet: WalletNumber,
        pub low_balance_alert: Option<LowBalanceAlert>,
        pub billing_email: Option<Text>,
        pub recipients: Vec<Recipients>,
        /// Available credit now, if the alert is another than before.
        pub set_with: Option<Amount> = None,
    }
}

record! {
    /// Whose results a settlement of an enterprise waits for; nobody's: there is none (R5.6).
    pub struct SettlementChanged {
        pub enterprise: EnterpriseNumber,
        pub awaits: Vec<WalletNumber>,
    }
}

record! {
    /// A key opens the API.
    pub struct KeyCreated {
        pub enterprise: EnterpriseNumber,
        pub key: ApiKey,
    }
}

record! {
    /// A principal's key opens nothing any more.
    pub struct KeyRevoked {
        pub enterprise: EnterpriseNumber,
        pub principal: PrincipalId,
        pub at: Timestamp,
    }
}
