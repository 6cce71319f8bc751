//! Schemas of released versions: messages that have them are still on the log, or still sent by others.
//!
//! `make release-schemas VERSION=x` adds a version and its files. A schema that did not change since the
//! version before it is not listed again.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::avro::{self, Fingerprint, Plan};

/// A schema as a version wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Released {
    pub version: &'static str,
    pub name: &'static str,
    /// Its file in `schemas/released`.
    pub text: &'static str,
}

macro_rules! released {
    ($($version:literal: $($name:ident)*;)*) => {
        /// Every schema that was released, the oldest first.
        pub static ALL: &[Released] = &[$($(Released {
            version: $version,
            name: stringify!($name),
            text: include_str!(concat!(
                "../../../schemas/released/", $version, "/avro/", stringify!($name), ".avsc"
            )),
        }),*),*];
    };
}

released! {
    "0.1.0":
        BalanceDelta
        BalancePiece
        Balances
        Bills
        Charges
        Command
        CommandControl
        Entries
        ErrandsDelta
        ErrandsPiece
        Frame
        InvoiceRuns
        Invoices
        LedgerMessage
        Mails
        MeteringDelta
        MeteringPiece
        Notices
        Outcomes
        PaymentRequests
        PaymentWishes
        Payments
        PeriodsClosed
        RegistryDelta
        RegistryPart
        Rejects
        Services
        Signed
        UsageBatch
        UsageControl
        UsageRecord
    ;
}

/// How messages of older forms of a schema are read, by the fingerprints of those.
pub type Plans = BTreeMap<Fingerprint, Plan>;

/// How messages of a schema's released forms are read with its present one.
pub(crate) fn plans(name: &str, present: &Value) -> Plans {
    let known = ALL.iter().filter(|released| released.name == name);
    plans_of(known.filter_map(|released| serde_json::from_str(released.text).ok()), present)
}

/// How messages of these forms of a schema are read with its present one.
pub fn plans_of(older: impl IntoIterator<Item = Value>, present: &Value) -> Plans {
    let plans = older
        .into_iter()
        .filter_map(|older| Some((avro::fingerprint(&older), Plan::new(&older, present).ok()?)));
    plans.collect()
}
