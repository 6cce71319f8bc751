//! Entries, bills, charges and balances.

use drawdown_domain::ids::WalletId;
use drawdown_domain::ledger::Balance;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use drawdown_wire::messages::{Balances, Bills, Charges, Entries};
use drawdown_wire::schemas::{self, Unreadable};
use serde::Serialize;

use crate::native::Kind::{
    Decimal, Flag, Instant, Number32, Number64, OptionalNumber32, OptionalText, Text,
};
use crate::rows::{Columns, Lines, Place, Rows};

const ENTRIES: Lines = Lines { table: "entries", by: "at" };
const BILLS_ISSUED: Lines = Lines { table: "bills_issued", by: "issued_at" };
const BILL_PAYMENTS: Lines = Lines { table: "bill_payments", by: "at" };
const BALANCE: Lines = Lines { table: "balance", by: "at" };
const CHARGES: Columns = Columns {
    table: "charges",
    by: "used",
    layout: &[
        ("account", Text),
        ("billing_account", Text),
        ("product", Text),
        ("meter", Text),
        ("region", OptionalText),
        ("price", Number32),
        ("used", Instant),
        ("quantity", Decimal),
        ("charge", Decimal),
        ("records", Number64),
        ("adjustment", Flag),
        ("cycle_end", Instant),
        ("usage_partition", Number32),
        ("first_offset", Number64),
        ("last_offset", Number64),
        ("voids", OptionalNumber32),
        ("_partition", Number32),
        ("_offset", Number64),
        ("_index", Number32),
    ],
};

pub(super) fn entries(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Entries { entries } = schemas::ENTRIES.read(message)?;
    for (entry, index) in entries.iter().zip(0..) {
        rows.line(ENTRIES, entry.at, place, index, entry);
    }
    Ok(())
}

/// A payment of a bill, with whose it is.
#[derive(Serialize)]
struct PaidBill<'a> {
    bill: &'a str,
    billing_account: &'a str,
    at: Timestamp,
    amount: Amount,
}

pub(super) fn bills(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Bills { issued, payments } = schemas::BILLS.read(message)?;
    for (bill, index) in issued.iter().zip(0..) {
        rows.line(BILLS_ISSUED, bill.issued_at, place, index, bill);
    }
    for (payment, index) in payments.iter().zip(0..) {
        // A bill is called by its billing account and its number there.
        let billing_account = payment.bill.rsplit_once('.').map_or("", |(wallet, _)| wallet);
        let (bill, at, amount) = (payment.bill.as_str(), payment.at, payment.amount);
        let paid = PaidBill { bill, billing_account, at, amount };
        rows.line(BILL_PAYMENTS, at, place, index, &paid);
    }
    Ok(())
}

/// A balance, and when it was told.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    balance: &'a Balance,
    at: Timestamp,
}

pub(super) fn balances(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Balances { at, balances } = schemas::BALANCES.read(message)?;
    for (balance, index) in balances.iter().zip(0..) {
        rows.line(BALANCE, at, place, index, &Told { balance, at });
    }
    Ok(())
}

pub(super) fn charges(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let charges: Charges = schemas::CHARGES.read(message)?;
    let mut index = 0;
    for group in &charges.groups {
        for line in &group.lines {
            let used = line.used.starts();
            let Some(mut row) = rows.row(CHARGES, used) else { continue };
            let billing_account: &WalletId = &line.billing_account;
            row.text(line.account.as_str()).text(billing_account.as_str());
            row.text(group.product.as_str()).text(group.meter.as_str());
            row.optional(group.region.as_deref()).number32(group.price).instant(used);
            row.decimal(line.quantity).decimal(line.charge).number64(line.records);
            row.flag(group.adjustment).instant(group.cycle_end).number32(charges.usage_partition);
            row.number64(charges.first_offset).number64(charges.last_offset);
            row.optional_number32(charges.voids);
            row.number32(place.partition).number64(place.offset).number32(index);
            index += 1;
        }
    }
    Ok(())
}
