//! An entry: what the lot held before and after, and what moved it.

use super::Explaining;
use super::asking::{Read, ask, ask_one};
use super::node::{Node, too_large};
use crate::Row;
use crate::lists::{INSTANT, TEXT};
use crate::problem::Problem;

/// So many things are listed that came with an entry.
const LISTED_MAX: usize = 10;

/// Which command is behind a cause, where one is.
const ASKED_FOR_BY: &[(&str, &[&str])] = &[
    ("top_up", &["top_up"]),
    ("adjustment", &["adjust"]),
    ("transfer", &["transfer"]),
    ("revocation", &["revoke_transfer"]),
    ("grant", &["grant_coupon"]),
    ("quota_set", &["set_quota"]),
    ("refund", &["refund_order"]),
    ("withdrawal", &["withdraw"]),
    ("remittance", &["claim_remittance", "receive_remittance"]),
    ("payment_request", &["approve_payment_request"]),
    ("held", &["place_order", "buy_benefit"]),
];

impl Explaining {
    /// An entry, down to the usage records of the bill it paid.
    pub(super) async fn entry(&self, number: u64) -> Result<Option<Node>, Problem> {
        let row = ask_one(&self.site, |query| {
            let wallet = query.bind(TEXT, &self.wallet);
            let number = query.bind("UInt64", &number.to_string());
            format!(
                "SELECT number, at, asset, lot, before, amount, after, cause, bill, remark FROM entries \
                 WHERE billing_account = {wallet} AND number = {number}"
            )
        });
        let Some(row) = row.await? else { return Ok(None) };
        let (asset, lot, cause) = (row.text("asset")?, row.text("lot")?, row.text("cause")?);
        let (before, amount) = (row.amount("before")?, row.amount("amount")?);
        let (after, at, bill) = (row.amount("after")?, row.text("at")?, row.optional("bill"));
        let adds_up = before.plus(amount).map_err(too_large)? == after;
        let mut node =
            Node::new("entry", format!("{cause}: {asset} {lot}, {before} before, {after} after"))
                .named(format!("{}.e{number}", self.wallet))
                .amount(amount)
                .fact("at", at.as_str())
                .fact("asset", asset)
                .fact("lot", lot)
                .fact("cause", cause.as_str())
                .fact("before", before.to_string())
                .fact("after", after.to_string())
                .perhaps("bill", bill.as_deref())
                .perhaps("remark", row.optional("remark"))
                .adds_up(Some(adds_up));
        if matches!(cause.as_str(), "top_up" | "payment") && self.sees_payments {
            node = node.beside(self.payments_at(&at).await?);
        }
        if self.sees_commands {
            node = node.beside(self.commands(&cause, &at).await?);
            if matches!(cause.as_str(), "transfer" | "revocation") {
                node = node.beside(self.other_side(&cause, &at).await?);
            }
        }
        if cause == "payment_request" {
            node = node.beside(self.requests(&at).await?);
        }
        if let Some(bill) = bill {
            node = match self.bill(&bill).await? {
                Some(bill) => node.beside([bill]),
                None => node.note(format!("bill {bill} is not listed yet")),
            };
        }
        Ok(Some(node))
    }

    /// The entries of other billing accounts that a transfer made in the same step.
    async fn other_side(&self, cause: &str, at: &str) -> Result<Vec<Node>, Problem> {
        let rows = ask(&self.site, |query| {
            let (wallet, at) = (query.bind(TEXT, &self.wallet), query.bind(INSTANT, at));
            let cause = query.bind(TEXT, cause);
            format!(
                "SELECT billing_account, number, asset, lot, amount FROM entries \
                 WHERE at = {at} AND cause = {cause} AND billing_account != {wallet} \
                 ORDER BY billing_account, number LIMIT {LISTED_MAX}"
            )
        });
        let entry = |row: &Row| -> Result<Node, Problem> {
            let (wallet, number) = (row.text("billing_account")?, row.number("number")?);
            let what = format!("{cause}: {} {}", row.text("asset")?, row.text("lot")?);
            let entry = Node::new("entry", what).named(format!("{wallet}.e{number}"));
            Ok(entry.amount(row.amount("amount")?))
        };
        rows.await?.iter().map(entry).collect()
    }

    /// The requests to pay that money moved for in its step (R10.2).
    async fn requests(&self, at: &str) -> Result<Vec<Node>, Problem> {
        let rows = ask(&self.site, |query| {
            let (wallet, at) = (query.bind(TEXT, &self.wallet), query.bind(INSTANT, at));
            format!(
                "SELECT request, service, status, amount FROM payment_requests \
                 WHERE billing_account = {wallet} AND at = {at} ORDER BY request, _offset, _index LIMIT {LISTED_MAX}"
            )
        });
        let request = |row: &Row| -> Result<Node, Problem> {
            let (request, service) = (row.text("request")?, row.text("service")?);
            let what = format!("request {request} for {service}, {}", row.text("status")?);
            Ok(Node::new("request", what).named(request).amount(row.amount("amount")?))
        };
        rows.await?.iter().map(request).collect()
    }

    /// The commands that may have asked for it: an entry is decided in the step of its command.
    async fn commands(&self, cause: &str, at: &str) -> Result<Vec<Node>, Problem> {
        let named = ASKED_FOR_BY.iter().find(|(known, _)| *known == cause);
        let Some((_, names)) = named else { return Ok(Vec::new()) };
        let rows = ask(&self.site, |query| {
            let at = query.bind(INSTANT, at);
            let names: Vec<String> = names.iter().map(|name| query.bind(TEXT, name)).collect();
            format!(
                "SELECT command, name FROM commands WHERE at = {at} AND name IN ({}) AND refused IS NULL \
                 AND repeats IS NULL ORDER BY command LIMIT {LISTED_MAX}",
                names.join(", ")
            )
        });
        let command = |row: &Row| -> Result<Node, Problem> {
            let number = row.number("command")?;
            let name = row.text("name")?;
            Ok(Node::new("command", format!("{name}, command {number}")).fact("command", number))
        };
        rows.await?.iter().map(command).collect()
    }
}
