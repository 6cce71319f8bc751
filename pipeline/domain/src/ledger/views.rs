//! Rows about one wallet, for whoever looks: computed from the state, never stored.

use super::Ledger;
use super::state::{Method, WalletNumber};
use crate::ids::{MethodId, Text, WalletId};
use crate::money::{Amount, Currency, Overflow};
use crate::payments::{MethodKind, MethodState};
use crate::record;
use crate::time::{Month, Timestamp};

record! {
    /// The view `due`: what is owed on issued bills, and how that would be paid now.
    pub struct Due {
        pub billing_account: WalletId,
        pub currency: Currency,
        /// Unpaid parts of issued bills.
        pub owed: Amount,
        /// What the billing account itself could pay of it.
        pub covered_by_balance: Amount,
        pub remainder: Amount,
    }
}

record! {
    /// The view `runway`: how long what is available lasts.
    pub struct RunwayRow {
        pub billing_account: WalletId,
        pub currency: Currency,
        pub available: Amount,
        /// Charges a day, by use in the last seven days.
        pub burn_per_day: Amount,
        /// None without burn.
        pub days_left: Option<Amount>,
        pub empty_on: Option<Timestamp>,
    }
}

record! {
    /// A row of the view `payment_methods`.
    pub struct MethodRow {
        pub billing_account: WalletId,
        pub method: MethodId,
        pub kind: MethodKind,
        pub brand: Option<Text>,
        pub expires: Option<Month>,
        pub state: MethodState,
        pub preferred: bool,
        pub linked_at: Timestamp,
    }
}

impl Ledger {
    pub fn due(&self, number: WalletNumber) -> Option<Result<Due, Overflow>> {
        let wallet = self.wallet(number)?;
        let due = || {
            let (owed, mut after) = (wallet.owed(), wallet.clone());
            // Even where nothing is written off by itself, it could be.
            after.auto_write_off = true;
            self.write_off_copy(&mut after, number)?;
            let remainder = after.owed();
            Ok(Due {
                billing_account: wallet.id.clone(),
                currency: wallet.currency,
                owed,
                covered_by_balance: owed.minus(remainder)?,
                remainder,
            })
        };
        Some(due())
    }

    pub fn runway_row(&self, number: WalletNumber) -> Option<Result<RunwayRow, Overflow>> {
        let wallet = self.wallet(number)?;
        let row = || {
            let available = self.available(wallet, number)?;
            let runway = self.runway(number, available)?;
            Ok(RunwayRow {
                billing_account: wallet.id.clone(),
                currency: wallet.currency,
                available,
                burn_per_day: runway.burn_per_day,
                days_left: runway.days_left,
                empty_on: runway.empty_on,
            })
        };
        Some(row())
    }

    /// The view `payment_methods`, in the order of linking.
    pub fn methods(&self, number: WalletNumber) -> Vec<MethodRow> {
        let Some(wallet) = self.wallet(number) else { return Vec::new() };
        let Some(paying) = wallet.paying.as_deref() else { return Vec::new() };
        let linking = paying.linking.iter().map(|linking| &linking.method);
        let row = |method: &Method| MethodRow {
            billing_account: wallet.id.clone(),
            method: method.method.clone(),
            kind: method.kind,
            brand: method.brand.clone(),
            expires: method.expires,
            state: method.state,
            preferred: paying.preferred.as_ref() == Some(&method.method),
            linked_at: method.linked_at,
        };
        paying.methods.iter().chain(linking).map(row).collect()
    }
}
