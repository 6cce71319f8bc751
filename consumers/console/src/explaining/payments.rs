//! A payment: the bills it paid, and what of it became cash.

use drawdown_domain::money::Amount;

use super::Explaining;
use super::asking::{Read, ask, ask_one};
use super::node::{Node, too_large};
use crate::Row;
use crate::lists::{INSTANT, MONEY, TEXT};
use crate::problem::Problem;

/// So many bills or payments are listed.
const LISTED_MAX: usize = 100;

fn node(row: &Row) -> Result<Node, Problem> {
    let (cause, method, status) = (row.text("cause")?, row.text("method")?, row.text("status")?);
    let node = Node::new("payment", format!("{status}: {cause} by {method}"));
    Ok(node
        .named(row.text("payment")?)
        .amount(row.amount("amount")?)
        .fact("cause", cause)
        .fact("method", method)
        .fact("status", status)
        .fact("at", row.text("at")?)
        .perhaps("reason", row.optional("reason")))
}

const FIELDS: &str = "payment, status, cause, amount, method, at, reason, moved";

impl Explaining {
    /// A payment, down to the bills it paid.
    pub(super) async fn payment(&self, name: &str) -> Result<Option<Node>, Problem> {
        let row = ask_one(&self.site, |query| {
            let (wallet, payment) = (query.bind(TEXT, &self.wallet), query.bind(TEXT, name));
            format!(
                "SELECT {FIELDS} FROM payments_now WHERE billing_account = {wallet} AND payment = {payment}"
            )
        });
        let Some(row) = row.await? else { return Ok(None) };
        let whole = node(&row)?;
        let (moved, cause) = (row.amount("moved")?, row.text("cause")?);
        if moved.is_zero() {
            return Ok(Some(whole.note(
                "it moved nothing: it did not succeed, or only showed that a method can pay",
            )));
        }
        let (at, mut whole) = (row.text("at")?, whole);
        for row in &self.paid_then(name, &at).await? {
            let bill = row.text("bill")?;
            let paid = Node::new("bill_paid", "what it paid of this bill").named(bill);
            whole = whole.part(paid.amount(row.amount("paid")?));
        }
        for row in &self.became_cash(&row, &at).await? {
            let number = row.number("number")?;
            let entry = Node::new("entry", format!("{} to cash", row.text("cause")?));
            let entry = entry.named(format!("{}.e{number}", self.wallet));
            whole = whole.part(entry.amount(row.amount("amount")?));
        }
        let whole = whole.added_up()?;
        Ok(Some(match cause.as_str() {
            "order" | "payment_request" => whole
                .adds_up(None)
                .note("what it paid is the order's bill, or the bills of whoever asked for it (R10.2), which say no more of it than their amounts"),
            _ => whole,
        }))
    }

    /// What a payment paid of each of its bills: all that was paid of them then, less what entries say that the
    /// wallet paid in the same step.
    async fn paid_then(&self, payment: &str, at: &str) -> Result<Vec<Row>, Problem> {
        ask(&self.site, |query| {
            let (wallet, at) = (query.bind(TEXT, &self.wallet), query.bind(INSTANT, at));
            let payment = query.bind(TEXT, payment);
            format!(
                "SELECT bill, sum(parts.amount) AS paid FROM (\
                 SELECT bill, amount FROM bill_payments WHERE billing_account = {wallet} AND at = {at} \
                 UNION ALL SELECT assumeNotNull(bill) AS bill, amount FROM entries \
                 WHERE billing_account = {wallet} AND at = {at} AND cause = 'bill') AS parts \
                 WHERE bill IN (SELECT arrayJoin(bills) FROM payments_now \
                 WHERE billing_account = {wallet} AND payment = {payment}) \
                 GROUP BY bill HAVING paid != 0 ORDER BY length(bill), bill"
            )
        })
        .await
    }

    /// What of a payment became cash: of a top-up all of it, of a payment for bills what they needed no more.
    async fn became_cash(&self, payment: &Row, at: &str) -> Result<Vec<Row>, Problem> {
        let is_cash = matches!(payment.text("cause")?.as_str(), "top_up" | "recharge");
        let moved = payment.amount("moved")?.to_string();
        ask(&self.site, |query| {
            let (wallet, at) = (query.bind(TEXT, &self.wallet), query.bind(INSTANT, at));
            let which = match is_cash {
                true => format!("cause = 'top_up' AND amount = {}", query.bind(MONEY, &moved)),
                false => "cause = 'payment'".to_owned(),
            };
            format!(
                "SELECT number, cause, amount FROM entries WHERE billing_account = {wallet} AND at = {at} \
                 AND {which} ORDER BY number LIMIT 1"
            )
        })
        .await
    }

    /// The payments that a bill was in.
    pub(super) async fn payments_of(&self, bill: &str) -> Result<Vec<Node>, Problem> {
        let rows = ask(&self.site, |query| {
            let (wallet, bill) = (query.bind(TEXT, &self.wallet), query.bind(TEXT, bill));
            format!(
                "SELECT {FIELDS} FROM payments_now WHERE billing_account = {wallet} AND has(bills, {bill}) \
                 ORDER BY at, length(payment), payment LIMIT {LISTED_MAX}"
            )
        });
        rows.await?.iter().map(node).collect()
    }

    /// The payments that brought so much at an instant.
    pub(super) async fn payments_at(&self, at: &str) -> Result<Vec<Node>, Problem> {
        let rows = ask(&self.site, |query| {
            let (wallet, at) = (query.bind(TEXT, &self.wallet), query.bind(INSTANT, at));
            format!(
                "SELECT {FIELDS} FROM payments_now WHERE billing_account = {wallet} AND at = {at} AND moved > 0 \
                 ORDER BY length(payment), payment LIMIT {LISTED_MAX}"
            )
        });
        rows.await?.iter().map(node).collect()
    }

    /// What several amounts of rows come to.
    pub(super) fn sum_of(rows: &[Row], field: &str) -> Result<Amount, Problem> {
        let amounts = rows.iter().map(|row| row.amount(field));
        let amounts: Vec<Amount> = amounts.collect::<Result<_, _>>()?;
        Amount::sum(amounts).map_err(too_large)
    }
}
