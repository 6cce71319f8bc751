//! Payments, requests to pay, invoices and services.

use drawdown_domain::invoices::Invoice;
use drawdown_wire::messages::{InvoiceRuns, Invoices, PaymentRequests, Payments, Services};
use drawdown_wire::schemas::{self, Unreadable};

use crate::rows::{Lines, Place, Rows};

const PAYMENTS: Lines = Lines { table: "payments", by: "at" };
const PAYMENT_REQUESTS: Lines = Lines { table: "payment_requests", by: "at" };
const INVOICE_RUNS: Lines = Lines { table: "invoice_runs", by: "at" };
const INVOICES: Lines = Lines { table: "invoices", by: "issued_at" };
const SERVICES: Lines = Lines { table: "services", by: "since" };

pub(super) fn payments(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Payments { payments } = schemas::PAYMENTS.read(message)?;
    for (payment, index) in payments.iter().zip(0..) {
        rows.line(PAYMENTS, payment.at, place, index, payment);
    }
    Ok(())
}

pub(super) fn payment_requests(
    message: &[u8],
    place: Place,
    rows: &mut Rows,
) -> Result<(), Unreadable> {
    let PaymentRequests { requests } = schemas::PAYMENT_REQUESTS.read(message)?;
    for (request, index) in requests.iter().zip(0..) {
        rows.line(PAYMENT_REQUESTS, request.at, place, index, request);
    }
    Ok(())
}

/// An invoice, and its period in days, which no view could write: zones differ from row to row.
#[derive(serde::Serialize)]
struct InvoiceRow<'a> {
    #[serde(flatten)]
    invoice: &'a Invoice,
    period: String,
}

pub(super) fn invoices(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Invoices { invoices } = schemas::INVOICES.read(message)?;
    for (invoice, index) in invoices.iter().zip(0..) {
        let row = InvoiceRow { invoice, period: invoice.period() };
        rows.line(INVOICES, invoice.issued_at, place, index, &row);
    }
    Ok(())
}

pub(super) fn invoice_runs(
    message: &[u8],
    place: Place,
    rows: &mut Rows,
) -> Result<(), Unreadable> {
    let InvoiceRuns { runs } = schemas::INVOICE_RUNS.read(message)?;
    for (run, index) in runs.iter().zip(0..) {
        rows.line(INVOICE_RUNS, run.at, place, index, run);
    }
    Ok(())
}

pub(super) fn services(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Services { services } = schemas::SERVICES.read(message)?;
    for (service, index) in services.iter().zip(0..) {
        rows.line(SERVICES, service.since, place, index, service);
    }
    Ok(())
}
