//! Periods, drafts and invoices.

use crate::invoices::{Invoice, InvoiceDraft, Settled};
use crate::ledger::converting::SettlementChange;
use crate::ledger::runs::RunKey;
use crate::ledger::state::WalletNumber;
use crate::money::Amount;
use crate::record;
use crate::settings::Schedule;
use crate::time::HalfMonth;

record! {
    /// A period is over, and what its invoice will say is decided for good. It wants a number.
    pub struct PeriodClosed {
        pub wallet: WalletNumber,
        /// The last half-month it covers.
        pub last: HalfMonth,
        pub draft: Box<InvoiceDraft>,
        /// The run that it belongs to.
        pub run: RunKey,
    }
}

record! {
    /// Part of an issued invoice is taken back, and what its credit note will say is decided for good. It
    /// wants a number (R12.2).
    pub struct CreditDrafted {
        pub wallet: WalletNumber,
        /// What that invoice was known by as a draft.
        pub invoice: u64,
        pub taken: Vec<LineTaken>,
        pub draft: Box<InvoiceDraft>,
    }
}

record! {
    /// So much of a line of an invoice.
    #[derive(Copy)]
    pub struct LineTaken {
        /// Its place on the invoice, counted from one.
        pub line: u32,
        pub amount: Amount,
    }
}

record! {
    /// Invoices are monthly: the first half is shown with the second.
    pub struct PeriodJoined {
        pub wallet: WalletNumber,
        pub half: HalfMonth,
    }
}

record! {
    /// How a wallet's owner wants invoices.
    pub struct InvoicingConfigured {
        pub wallet: WalletNumber,
        /// None: as it was.
        pub settlement: Option<SettlementChange>,
        pub schedule: Option<Schedule>,
    }
}

record! {
    /// The rate at which a draft is settled was stated, and it is converted (R12.6).
    pub struct DraftSettled {
        pub wallet: WalletNumber,
        pub draft: u64,
        pub settled: Settled,
        pub run: RunKey,
        /// It waits for something else.
        pub still_held: bool,
    }
}

record! {
    /// A run has come to more than is issued without approval (R12.1).
    #[derive(Copy)]
    pub struct RunHeld {
        pub run: RunKey,
    }
}

record! {
    /// What a run has come to is approved.
    #[derive(Copy)]
    pub struct RunApproved {
        pub run: RunKey,
    }
}

record! {
    /// A draft waits for its run no more: that may be issued as it is, or was approved.
    #[derive(Copy)]
    pub struct DraftReleased {
        pub wallet: WalletNumber,
        pub draft: u64,
        pub run: RunKey,
        /// It waits for something else.
        pub still_held: bool,
    }
}

record! {
    /// A draft has its number: it is an invoice.
    pub struct InvoiceIssued {
        pub wallet: WalletNumber,
        pub draft: u64,
        pub invoice: Box<Invoice>,
        /// The run that it belongs to; none: somebody asked for this credit note.
        pub run: Option<RunKey>,
    }
}
