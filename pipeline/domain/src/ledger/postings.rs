//! What each fact books, as double entry (R1.3): every movement is a debit here and a credit there.
//!
//! The ledger itself needs none of this. It is a second telling of the same facts, from which an
//! auditor rebuilds every total and holds it against the state. `docs/chart-of-accounts.md` explains
//! the books.

use smallvec::{SmallVec, smallvec};

use super::fact::{
    Accrued, BillIssued, BillPaid, BillReduced, Cause, Fact, HeldPaid, Moved, PaymentUndone,
    PeriodClosed, RequestChanged, RequestFunded, SharedCouponPaid, SharedCouponReturned,
};
use super::state::{Lot, Wallet, WalletNumber};
use super::{Broken, Ledger};
use crate::money::Amount;
use crate::requests::{Direction, RequestStatus};

macro_rules! books {
    ($($(#[doc = $doc:literal])* $book:ident = $name:literal,)*) => {
        /// A book of the chart of accounts; each is kept for every wallet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Book {
            $($(#[doc = $doc])* $book,)*
        }

        impl Book {
            pub const ALL: &[Book] = &[$(Book::$book),*];

            /// What it is called in proofs.
            pub const fn name(self) -> &'static str {
                match self { $(Book::$book => $name,)* }
            }
        }
    };
}

books! {
    /// Own cash of wallets: owed to their owners.
    OwnCash = "own cash",
    /// Cash that other wallets sent.
    TransferredCash = "transferred cash",
    /// What was refunded on credit and not used yet.
    CreditRefunds = "credit refunds",
    /// What is left of coupons.
    Coupons = "coupons",
    /// What is left of cash coupons.
    CashCoupons = "cash coupons",
    /// What is left of partners' quotas.
    Quota = "quota",
    /// Issued bills as far as they are not paid.
    Receivable = "bills receivable",
    /// Exact charges that no bill holds yet.
    Unbilled = "unbilled charges",
    /// Exact charges that bills hold, less what those bills come to.
    Rounding = "rounding",
    /// Negative bills, until what they undo is undone. What stays was never billed: rounding.
    Corrections = "corrections",
    /// Payments undone, until the lot that paid has its money back. What stays has lapsed with its
    /// coupon.
    GivenBack = "given back",
    /// What is set aside for orders whose payment is in flight.
    Held = "held for orders",
    /// Between two wallets; nothing stays.
    Between = "between wallets",
    /// What was paid for others and has not arrived: no longer the payer's, not yet theirs.
    ForOthers = "paid for others, on its way",
    /// Between two ledgers: what has arrived, and the sender does not know yet.
    BetweenLedgers = "between ledgers",
    /// Bank transfers that somebody has claimed, on their way from the registry.
    OnTheWay = "claimed, on its way",
    /// Bank transfers that nobody has claimed: owed to owners not known yet.
    Unclaimed = "unclaimed",
    /// The outside world: what credit notes took back of usage.
    Credited = "credited",
    /// The outside world: usage that was charged.
    Usage = "usage",
    /// The outside world: what was ordered.
    Orders = "orders",
    /// The outside world: banks, and gateways.
    Bank = "bank",
    /// The outside world: the operator's adjustments.
    Adjustments = "adjustments",
    /// The outside world: what was granted for nothing.
    Grants = "grants",
    /// The outside world: orders that were given back.
    Refunds = "refunds",
    /// The outside world: partners, who grant quotas.
    Partners = "partners",
    /// The outside world: taxes of invoices, which are owed on.
    Taxes = "taxes",
    /// A memorandum: what was billed less what coupons paid of it, and is on no invoice yet.
    ToInvoice = "to be invoiced",
    /// The other side of that: what was invoiced.
    Invoiced = "invoiced",
    /// What stood in the books when they were opened.
    Opening = "opening",
}

impl Book {
    /// Its place in [`Book::ALL`].
    pub const fn place(self) -> usize {
        self as usize
    }

    /// Where a lot is kept.
    pub const fn of(lot: &Lot) -> Book {
        match lot {
            Lot::OwnCash(_) => Book::OwnCash,
            Lot::TransferredCash(_) => Book::TransferredCash,
            Lot::RefundedCredit(_) => Book::CreditRefunds,
            Lot::CouponLot(_) => Book::Coupons,
            // Where it is kept is its holder's.
            Lot::SharedCouponLot(_) => Book::Between,
            Lot::CashCouponLot(_) => Book::CashCoupons,
            Lot::QuotaLot(_) => Book::Quota,
            Lot::MethodPaid(_) => Book::Bank,
        }
    }
}

/// So much is debited to a book of a wallet; credited, if it is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    pub wallet: WalletNumber,
    pub book: Book,
    pub debit: Amount,
}

/// What one fact books. Debits equal credits.
pub type Postings = SmallVec<[Posting; 5]>;

impl Ledger {
    /// What a fact books, told before it is applied.
    pub fn postings(&self, fact: &Fact) -> Result<Postings, Broken> {
        match fact {
            Fact::Moved(fact) => moved(fact),
            Fact::BillIssued(fact) => self.issued(fact),
            Fact::BillReduced(fact) => reduced(fact),
            Fact::PaymentUndone(fact) => undone(fact),
            Fact::PeriodClosed(PeriodClosed { wallet, draft, .. }) => {
                transfer(*wallet, Book::ToInvoice, Book::Invoiced, draft.net)
            }
            Fact::BillPaid(BillPaid { wallet, amount, .. }) => {
                transfer(*wallet, Book::Receivable, Book::Bank, *amount)
            }
            Fact::RequestChanged(fact) => self.request_changed(fact),
            // What a method pays is on its way at once.
            Fact::RequestFunded(RequestFunded { wallet, amount, .. }) => {
                transfer(*wallet, Book::ForOthers, Book::Bank, *amount)
            }
            Fact::SharedCouponPaid(fact) => {
                let SharedCouponPaid { wallet, amount, .. } = &**fact;
                let mut postings = transfer(*wallet, Book::Receivable, Book::Between, *amount)?;
                postings.extend(transfer(*wallet, Book::ToInvoice, Book::Invoiced, *amount)?);
                Ok(postings)
            }
            Fact::HeldPaid(fact) => {
                let HeldPaid { wallet, lot, amount, .. } = &**fact;
                let mut postings = transfer(*wallet, Book::Receivable, Book::Held, *amount)?;
                if let Lot::CouponLot(_) = lot {
                    postings.extend(transfer(*wallet, Book::ToInvoice, Book::Invoiced, *amount)?);
                }
                Ok(postings)
            }
            Fact::SharedCouponReturned(SharedCouponReturned { wallet, amount, .. }) => {
                transfer(*wallet, Book::Between, Book::GivenBack, *amount)
            }
            // A coupon's money comes with the entry that grants it, a wallet's with those that fill it.
            Fact::CouponOpened(_)
            | Fact::WalletOpened(_)
            | Fact::OrderPlaced(_)
            | Fact::OrderRefunded(_) => Ok(Postings::new()),
            // These move no money.
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
            | Fact::ValuesCounted(_)
            | Fact::CycleBilled(_)
            | Fact::LimitChanged(_)
            | Fact::Configured(_)
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
            | Fact::OverdueChanged(_)
            | Fact::Noticed(_)
            | Fact::SpendAllocated(_)
            | Fact::Authorized(_)
            | Fact::CapNeared(_)
            | Fact::PeriodJoined(_)
            | Fact::InvoiceIssued(_)
            | Fact::CreditDrafted(_)
            | Fact::InvoicingConfigured(_)
            | Fact::DraftSettled(_)
            | Fact::RunHeld(_)
            | Fact::RunApproved(_)
            | Fact::DraftReleased(_)
            | Fact::MembershipChanged(_)
            | Fact::TaxIdChanged(_)
            | Fact::RechargeFrozen(_)
            | Fact::RoleGranted(_)
            | Fact::RoleRevoked(_)
            | Fact::KeyCreated(_)
            | Fact::KeyRevoked(_)
            | Fact::WalletRenamed(_)
            | Fact::WalletStateChanged(_)
            | Fact::AdministratorsChanged(_)
            | Fact::BadDebtChanged(_)
            | Fact::VoidAsked(_)
            | Fact::ValueTakenBack(_)
            | Fact::CorrectionWaits(_)
            | Fact::RequestOpened(_)
            | Fact::SaidAcross(_)
            // What a benefit costs is its order's bill; covered usage costs nothing.
            | Fact::BenefitBought(_)
            | Fact::BenefitEnded(_)
            | Fact::SharingChanged(_)
            | Fact::SharingRuleChanged(_)
            | Fact::OrganisationChanged(_)
            | Fact::ServedChanged(_)
            | Fact::Covered(_)
            | Fact::OrderBegun(_)
            | Fact::OrderEnded(_)
            | Fact::PlanChanged(_) => Ok(Postings::new()),
        }
    }

    /// What an accrual books.
    #[inline]
    pub fn postings_of_accrual(&self, accrued: &Accrued) -> Result<Postings, Broken> {
        let account = self.account(accrued.account).ok_or(Broken("an unknown account"))?;
        let tab = account.tabs.get(accrued.tab as usize).ok_or(Broken("an unknown tab"))?;
        transfer(tab.wallet, Book::Usage, Book::Unbilled, accrued.charge)
    }

    /// What a wallet's books hold if all that they tell is in the state.
    pub fn books_of(&self, number: WalletNumber) -> Result<Vec<Posting>, Broken> {
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let credits = credits_of(wallet)?;
        let mut books = Vec::with_capacity(8);
        for (book, credit) in credits {
            books.push(Posting { wallet: number, book, debit: credit.negated()? });
        }
        let owed = Amount::sum(wallet.unpaid.iter().map(super::Bill::owed))?;
        books.push(Posting { wallet: number, book: Book::Receivable, debit: owed });
        let debit = self.unbilled(number, wallet)?;
        books.push(Posting { wallet: number, book: Book::Unbilled, debit });
        let debit = to_invoice(wallet)?;
        books.push(Posting { wallet: number, book: Book::ToInvoice, debit });
        Ok(books)
    }

    fn issued(&self, fact: &BillIssued) -> Result<Postings, Broken> {
        let (wallet, amount) = (fact.wallet, fact.bill.amount);
        let owed = if amount.is_negative() { Book::Corrections } else { Book::Receivable };
        if fact.bill.is_tax() {
            return transfer(wallet, Book::Taxes, owed, amount);
        }
        // The invoice and the credit note cancel out: nothing of either is to be invoiced.
        if fact.credit_note.is_some() {
            return match fact.bill.order {
                Some(_) => transfer(wallet, Book::Orders, Book::Refunds, amount),
                None => transfer(wallet, Book::Credited, Book::Corrections, amount),
            };
        }
        let mut postings = match fact.bill.order {
            Some(_) => transfer(wallet, Book::Orders, Book::Receivable, amount)?,
            None => smallvec![
                Posting { wallet, book: Book::Unbilled, debit: fact.exact.negated()? },
                Posting { wallet, book: Book::Rounding, debit: fact.exact.minus(amount)? },
                Posting { wallet, book: owed, debit: amount },
            ],
        };
        // We invoice no partner's wallet.
        if !self.wallet(wallet).is_some_and(Wallet::is_ecosystem) {
            postings.extend(transfer(wallet, Book::Invoiced, Book::ToInvoice, amount)?);
        }
        Ok(postings)
    }

    /// What arrives crosses from the books of the payer's ledger into those of the requester's.
    fn request_changed(&self, fact: &RequestChanged) -> Result<Postings, Broken> {
        if fact.status != RequestStatus::Paid {
            return Ok(Postings::new());
        }
        let wallet = self.wallet(fact.wallet).ok_or(Broken("an unknown wallet"))?;
        let known = wallet.requests(fact.direction).iter();
        let known = known.rev().find(|known| known.terms.request == fact.request);
        let request = known.ok_or(Broken("an unknown request to pay"))?;
        match fact.direction {
            Direction::ToPay => {
                transfer(fact.wallet, Book::BetweenLedgers, Book::ForOthers, request.in_flight)
            }
            Direction::Asked => {
                let amount = request.terms.amount;
                transfer(fact.wallet, Book::ForOthers, Book::BetweenLedgers, amount)
            }
        }
    }

    fn unbilled(&self, number: WalletNumber, wallet: &Wallet) -> Result<Amount, Broken> {
        let mut unbilled = Amount::ZERO;
        for cycle in &wallet.open_cycles {
            for account in cycle.accounts.iter().filter_map(|account| self.account(*account)) {
                for tab in &account.tabs {
                    if tab.wallet == number && tab.ends == cycle.ends {
                        unbilled = unbilled.plus(tab.exact)?;
                    }
                }
            }
        }
        Ok(unbilled)
    }
}

/// What a wallet holds, by book.
fn credits_of(wallet: &Wallet) -> Result<[(Book, Amount); 8], Broken> {
    let left = |cash: bool| {
        Amount::sum(wallet.coupons.iter().filter(|c| c.cash == cash).map(|coupon| coupon.left))
    };
    Ok([
        (Book::OwnCash, wallet.own_cash),
        (Book::TransferredCash, Amount::sum(wallet.transferred.iter().map(|lot| lot.left))?),
        (Book::CreditRefunds, Amount::sum(wallet.refunds.iter().map(|refund| refund.left))?),
        (Book::Coupons, left(false)?),
        (Book::CashCoupons, left(true)?),
        (Book::Quota, wallet.quota.minus(wallet.quota_consumed)?),
        (Book::ForOthers, wallet.in_flight()),
        (Book::Held, wallet.held()?),
    ])
}

/// Credits one book and debits another.
fn transfer(
    wallet: WalletNumber,
    credit: Book,
    debit: Book,
    amount: Amount,
) -> Result<Postings, Broken> {
    Ok(smallvec![
        Posting { wallet, book: debit, debit: amount },
        Posting { wallet, book: credit, debit: amount.negated()? },
    ])
}

fn moved(fact: &Moved) -> Result<Postings, Broken> {
    let other = match fact.cause {
        Cause::TopUp | Cause::Payment | Cause::Withdrawal => Book::Bank,
        Cause::Remittance => Book::OnTheWay,
        Cause::PaymentRequest => Book::ForOthers,
        Cause::Held => Book::Held,
        Cause::Adjustment => Book::Adjustments,
        Cause::Transfer | Cause::Revocation | Cause::Shared => Book::Between,
        Cause::Grant => Book::Grants,
        Cause::QuotaSet => Book::Partners,
        Cause::Bill => Book::Receivable,
        Cause::BillReversed => Book::GivenBack,
        Cause::Refund => Book::Refunds,
        Cause::TaxReturned | Cause::CreditNote => Book::Corrections,
    };
    let mut postings = transfer(fact.wallet, Book::of(&fact.lot), other, fact.amount)?;
    // What a coupon pays lowers the net of an invoice.
    if let (Lot::CouponLot(_), Cause::Bill) = (&fact.lot, fact.cause) {
        postings.extend(transfer(fact.wallet, Book::Invoiced, Book::ToInvoice, fact.amount)?);
    }
    Ok(postings)
}

/// A payment is undone; what a coupon paid is on an invoice after all.
fn undone(fact: &PaymentUndone) -> Result<Postings, Broken> {
    let PaymentUndone { wallet, amount, .. } = *fact;
    let mut postings = transfer(wallet, Book::GivenBack, Book::Corrections, amount)?;
    if let Lot::CouponLot(_) | Lot::SharedCouponLot(_) = fact.lot {
        postings.extend(transfer(wallet, Book::Invoiced, Book::ToInvoice, amount)?);
    }
    Ok(postings)
}

/// What a wallet's open periods would be invoiced with.
fn to_invoice(wallet: &Wallet) -> Result<Amount, Broken> {
    let mut sum = Amount::ZERO;
    for period in wallet.periods() {
        let orders = Amount::sum(period.orders.iter().map(|order| order.amount))?;
        sum = sum.plus(period.billed)?.plus(orders)?.minus(period.coupons)?;
    }
    Ok(sum)
}

fn reduced(fact: &BillReduced) -> Result<Postings, Broken> {
    // A bill that reduces itself is that of an order which was given back.
    let other = if fact.by == fact.bill { Book::Refunds } else { Book::Corrections };
    transfer(fact.wallet, Book::Receivable, other, fact.amount)
}

#[cfg(test)]
#[path = "postings_tests.rs"]
mod tests;
