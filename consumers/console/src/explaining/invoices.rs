//! An invoice: its lines, each back to exact charges and their rounding, orders or coupons; the bills of its
//! period; and its tax.

use drawdown_domain::money::{Amount, Currency, Overflow};

use super::Explaining;
use super::asking::{Read, ask, ask_one, short};
use super::node::{Node, too_large};
use super::usage::{Of, Scope};
use crate::Row;
use crate::api::Shared;
use crate::lists::{INSTANT, Query, TEXT};
use crate::numbers::counted;
use crate::problem::Problem;

/// So many lines are followed down to usage records; the others can be, bill by bill.
const LINES_MAX: usize = 40;
/// So many bills of a period are listed.
const BILLS_MAX: usize = 100;

/// Who pays an invoice; none: there is no such invoice.
pub(super) async fn payer(site: &Shared, number: &str) -> Result<Option<String>, Problem> {
    let row = ask_one(site, |query| {
        let number = query.bind(TEXT, number);
        format!("SELECT billing_account FROM invoices WHERE number = {number}")
    });
    row.await?.map(|row| row.text("billing_account")).transpose()
}

/// An issued invoice.
pub(super) struct Issued {
    number: String,
    kind: String,
    corrects: Option<String>,
    reason: Option<String>,
    from: String,
    until: String,
    issued_at: String,
    lines: Vec<Row>,
    net: Amount,
    tax_rate: Amount,
    tax_note: String,
    tax: Amount,
    /// What its tax must be, by the rate on the net, rounded once (R12.4).
    tax_due: Amount,
    total: Amount,
}

/// The bills that an invoice covers.
struct Period {
    count: i64,
    sum: Amount,
    listed: Vec<Row>,
    /// A cycle that is longer than the period was billed in parts that belong to different periods (R3.5).
    is_torn: bool,
}

impl Issued {
    fn node(&self) -> Node {
        let kind = self.kind.replace('_', " ");
        Node::new(
            "invoice",
            format!("{kind} over {} until {}", short(&self.from), short(&self.until)),
        )
        .named(self.number.as_str())
        .amount(self.total)
        .fact("type", self.kind.as_str())
        .fact("issued_at", self.issued_at.as_str())
        .fact("net", self.net.to_string())
        .fact("tax", self.tax.to_string())
        .perhaps("corrects", self.corrects.as_deref())
        .perhaps("reason", self.reason.as_deref())
    }

    /// Its tax, and whether it is its rate on its net.
    pub(super) fn tax_node(&self) -> Node {
        let (rate, net) = (self.tax_rate, self.net);
        let what = match self.tax_note.as_str() {
            "rated" => format!("tax: {rate} of {net}, rounded"),
            "reverse_charge" => "tax: none, the receiver pays it (reverse charge)".to_owned(),
            _ => "tax: none, the country is in no table of rates".to_owned(),
        };
        Node::new("tax", what)
            .amount(self.tax)
            .fact("rate", rate.to_string())
            .fact("net", net.to_string())
            .adds_up(Some(self.tax == self.tax_due))
    }
}

impl Explaining {
    pub(super) async fn read_invoice(&self, number: &str) -> Result<Option<Issued>, Problem> {
        let row = ask_one(&self.site, |query| {
            let (wallet, number) = (query.bind(TEXT, &self.wallet), query.bind(TEXT, number));
            format!(
                "SELECT number, type, corrects, reason, `from`, until, issued_at, lines, net, tax_rate, tax_note, tax, total \
                 FROM invoices WHERE billing_account = {wallet} AND number = {number}"
            )
        });
        let Some(row) = row.await? else { return Ok(None) };
        let (net, tax_rate) = (row.amount("net")?, row.amount("tax_rate")?);
        let due = || -> Result<Amount, Overflow> {
            net.times(tax_rate)?.rounded_half_even()?.rounded_half_away(self.currency)
        };
        Ok(Some(Issued {
            number: row.text("number")?,
            kind: row.text("type")?,
            corrects: row.optional("corrects"),
            reason: row.optional("reason"),
            from: row.text("from")?,
            until: row.text("until")?,
            issued_at: row.text("issued_at")?,
            lines: row.rows("lines")?,
            net,
            tax_rate,
            tax_note: row.text("tax_note")?,
            tax: row.amount("tax")?,
            tax_due: due().map_err(too_large)?,
            total: row.amount("total")?,
        }))
    }

    /// An invoice by its figures alone.
    pub(super) async fn invoice_in_short(&self, number: &str) -> Result<Option<Node>, Problem> {
        Ok(self.read_invoice(number).await?.map(|invoice| invoice.node()))
    }

    /// An invoice, down to the usage records.
    pub(super) async fn invoice(&self, number: &str) -> Result<Option<Node>, Problem> {
        let Some(invoice) = self.read_invoice(number).await? else { return Ok(None) };
        let by_command = self.bills_of_note(number).await?;
        let mut node = invoice.node();
        if by_command.count > 0 {
            for line in &invoice.lines {
                node = node.part(line_in_short(line)?);
            }
            let bills = by_command.node("of the credit note");
            let adds_up = by_command.sum == invoice.net;
            let node = node.part(invoice.tax_node()).added_up()?;
            let corrected = match &invoice.corrects {
                Some(corrected) => self.invoice_in_short(corrected).await?,
                None => None,
            };
            return Ok(Some(node.beside([bills?.adds_up(Some(adds_up))]).beside(corrected)));
        }
        let period = self.period(&invoice).await?;
        let mut coupons = Amount::ZERO;
        let mut before_rounding = Amount::ZERO;
        for (place, lines) in invoice.lines.chunk_by(share_charges).enumerate() {
            let Some(line) = lines.first() else { continue };
            let amount = Explaining::sum_of(lines, "amount")?;
            let part = match line.text("kind")?.as_str() {
                "usage" | "adjustment" => {
                    before_rounding = before_rounding.plus(amount).map_err(too_large)?;
                    match place < LINES_MAX {
                        true => self.usage_lines(&invoice, line, lines, &period).await?,
                        false => lines_in_short(line, lines)?
                            .note("the lines before it are followed to the usage records; its bills can be explained one by one"),
                    }
                }
                "coupons" => {
                    coupons = coupons.plus(amount).map_err(too_large)?;
                    self.coupons_line(&invoice, line).await?
                }
                "order" => {
                    before_rounding = before_rounding.plus(amount).map_err(too_large)?;
                    self.order_line(line).await?
                }
                "rounding" => {
                    let due = period.sum.minus(before_rounding).map_err(too_large)?;
                    line_in_short(line)?
                        .fact("bills", period.sum.to_string())
                        .fact("lines", before_rounding.to_string())
                        .adds_up(Some(due == amount))
                }
                _ => {
                    before_rounding = before_rounding.plus(amount).map_err(too_large)?;
                    line_in_short(line)?
                }
            };
            node = node.part(part);
        }
        let with_coupons = period.sum.plus(coupons).map_err(too_large)?;
        let bills = period.node("of the period, before coupons")?;
        let bills = bills.fact("coupons", coupons.to_string()).fact("net", invoice.net.to_string());
        let bills = bills.adds_up(Some(with_coupons == invoice.net));
        let node = node.part(invoice.tax_node()).added_up()?.beside([bills]);
        Ok(Some(node.beside(self.tax_bill_in_short(number).await?)))
    }

    /// Lines over usage that share their charges: these, exact, and what rounding made of them.
    async fn usage_lines(
        &self,
        invoice: &Issued,
        line: &Row,
        lines: &[Row],
        period: &Period,
    ) -> Result<Node, Problem> {
        let of = Of::Line {
            from: invoice.from.clone(),
            until: invoice.until.clone(),
            meter: line.text("meter")?,
            region: line.optional("region").unwrap_or_default(),
            adjustment: line.text("kind")? == "adjustment",
        };
        let (account, product) = (line.text("account")?, line.text("product")?);
        let charges = self.charges(&Scope { account, product, of }).await?;
        let exact = Amount::sum(charges.iter().filter_map(Node::amount_of)).map_err(too_large)?;
        let amounts: Vec<Amount> =
            lines.iter().map(|line| line.amount("amount")).collect::<Result<_, _>>()?;
        let rounded = rounded(exact, &amounts, self.currency).map_err(too_large)?;
        let rounding = rounded.minus(exact).map_err(too_large)?;
        let mut node = charges.into_iter().fold(lines_in_short(line, lines)?, Node::part);
        if !rounding.is_zero() {
            let what = format!("rounding: {exact} of exact charges become {rounded}");
            node = node.part(Node::new("rounding", what).amount(rounding));
        }
        let node = node.added_up()?;
        Ok(match period.is_torn {
            true => node.adds_up(None).note("a cycle that reaches beyond the period was billed before its end (R6.1), and charges say their cycle and not their bill: the bills of the period are added up beside"),
            false => node,
        })
    }

    /// The line over an order: its bill.
    async fn order_line(&self, line: &Row) -> Result<Node, Problem> {
        let order = line.text("order")?;
        let bills = ask(&self.site, |query| {
            let (wallet, order) = (query.bind(TEXT, &self.wallet), query.bind(TEXT, &order));
            format!(
                "SELECT bill, account, product, `order`, amount FROM bills_issued \
                 WHERE billing_account = {wallet} AND `order` = {order} AND credit_note IS NULL"
            )
        });
        let node = line_in_short(line)?;
        bills
            .await?
            .iter()
            .try_fold(node, |node, row| Ok(node.part(bill_in_short(row)?)))?
            .added_up()
    }

    /// The line of what coupons took off: which coupons that were.
    async fn coupons_line(&self, invoice: &Issued, line: &Row) -> Result<Node, Problem> {
        let rows = ask(&self.site, |query| {
            let bills = self.covered_by(invoice, query);
            let wallet = query.bind(TEXT, &self.wallet);
            format!(
                "SELECT lot, sum(entries.amount) AS amount FROM entries WHERE billing_account = {wallet} \
                 AND asset = 'coupon' AND cause IN ('bill', 'bill_reversed') AND bill IN (SELECT bill FROM {bills}) \
                 GROUP BY lot ORDER BY lot"
            )
        });
        let mut node = line_in_short(line)?;
        for row in &rows.await? {
            let lot = row.text("lot")?;
            let part = Node::new("coupon", format!("coupon {lot}"));
            node = node.part(part.named(lot).amount(row.amount("amount")?));
        }
        let (node, amount) = (node.added_up()?, line.amount("amount")?);
        Ok(match node.comes_to(amount) {
            true => node,
            false => node.adds_up(None).note("the rest is in no entry of its bills: coupons that others share are in their holders', what was held for an order is set aside before, and what an expired coupon paid lapses when it is undone (R5.7)"),
        })
    }

    /// The bills of an invoice's period, as a table: a usage bill belongs to the period of its last covered instant,
    /// or of its issue before that, an order's to that of its issue (R3.5).
    fn covered_by(&self, invoice: &Issued, query: &mut Query) -> String {
        let wallet = query.bind(TEXT, &self.wallet);
        let (from, until) =
            (query.bind(INSTANT, &invoice.from), query.bind(INSTANT, &invoice.until));
        format!(
            "(SELECT bill, account, product, `order`, amount, issued_at, \
             if(`order` IS NULL, least(cycle_end - toIntervalMicrosecond(1), issued_at), issued_at) AS covers \
             FROM bills_issued WHERE billing_account = {wallet} AND invoice IS NULL AND credit_note IS NULL \
             AND covers >= {from} AND covers < {until})"
        )
    }

    async fn period(&self, invoice: &Issued) -> Result<Period, Problem> {
        let sums = ask_one(&self.site, |query| {
            let bills = self.covered_by(invoice, query);
            format!("SELECT count() AS count, sum(amount) AS sum FROM {bills}")
        });
        let torn = ask_one(&self.site, |query| {
            let wallet = query.bind(TEXT, &self.wallet);
            let (from, until) =
                (query.bind(INSTANT, &invoice.from), query.bind(INSTANT, &invoice.until));
            format!(
                "SELECT count() > 0 AS is_torn FROM bills_issued WHERE billing_account = {wallet} AND issued_at < cycle_end \
                 AND ((issued_at < {from} AND cycle_end > {from}) OR (issued_at < {until} AND cycle_end > {until}))"
            )
        });
        let listed = ask(&self.site, |query| {
            let bills = self.covered_by(invoice, query);
            format!(
                "SELECT bill, account, product, `order`, amount FROM {bills} ORDER BY issued_at, length(bill), bill LIMIT {BILLS_MAX}"
            )
        });
        let (sums, torn) = (sums.await?.unwrap_or_default(), torn.await?.unwrap_or_default());
        Ok(Period {
            count: sums.number("count")?,
            sum: sums.amount("sum")?,
            listed: listed.await?,
            is_torn: torn.flag("is_torn")?,
        })
    }

    /// The bills of a credit note by command (R12.2).
    async fn bills_of_note(&self, number: &str) -> Result<Period, Problem> {
        let listed = ask(&self.site, |query| {
            let (wallet, number) = (query.bind(TEXT, &self.wallet), query.bind(TEXT, number));
            format!(
                "SELECT bill, account, product, `order`, amount FROM bills_issued \
                 WHERE billing_account = {wallet} AND credit_note = {number} ORDER BY length(bill), bill"
            )
        });
        let listed = listed.await?;
        let sum = Explaining::sum_of(&listed, "amount")?;
        let count = i64::try_from(listed.len()).unwrap_or(i64::MAX);
        Ok(Period { count, sum, listed, is_torn: false })
    }
}

impl Period {
    fn node(&self, what: &str) -> Result<Node, Problem> {
        let mut node =
            Node::new("bills", format!("{} {what}", counted(self.count, "bill"))).amount(self.sum);
        for row in self.listed.iter().take(BILLS_MAX) {
            node = node.part(bill_in_short(row)?);
        }
        let listed = i64::try_from(self.listed.len().min(BILLS_MAX)).unwrap_or(i64::MAX);
        Ok(node.left_off(self.count.saturating_sub(listed)))
    }
}

fn bill_in_short(row: &Row) -> Result<Node, Problem> {
    let over = match row.optional("order") {
        Some(order) => format!("order {order}"),
        None => row.optional("product").unwrap_or_default(),
    };
    let bill = Node::new("bill", format!("{over} of {}", row.text("account")?));
    Ok(bill.named(row.text("bill")?).amount(row.amount("amount")?))
}

/// Whether lines are those of the tiers of one price: charges do not say their tier, so these lines are
/// explained by the same ones.
fn share_charges(one: &Row, other: &Row) -> bool {
    let fields = ["kind", "account", "product", "meter", "region"];
    let is_usage = one.text("kind").is_ok_and(|kind| ["usage", "adjustment"].contains(&&*kind));
    is_usage && fields.into_iter().all(|field| one.get(field) == other.get(field))
}

/// What lines over exact charges come to, each rounded by itself: one is the rounded sum, and several are by
/// half a unit each away from it at most. Else it is what one line would come to, which they are not.
fn rounded(exact: Amount, lines: &[Amount], currency: Currency) -> Result<Amount, Overflow> {
    let sum = Amount::sum(lines.iter().copied())?;
    let off_twice = sum.minus(exact)?.many(2)?;
    let most = currency.minor_unit().many(lines.len())?;
    let may_be = lines.len() > 1 && off_twice <= most && off_twice >= most.negated()?;
    if may_be { Ok(sum) } else { exact.rounded_half_away(currency) }
}

/// A line, or several that share their charges, as one, with each of them beside it.
fn lines_in_short(first: &Row, lines: &[Row]) -> Result<Node, Problem> {
    if lines.len() < 2 {
        return line_in_short(first);
    }
    let mut together = first.clone();
    together.remove("tier");
    for field in ["amount", "quantity"] {
        let sum = Explaining::sum_of(lines, field)?.to_string();
        together.insert(field.to_owned(), sum.into());
    }
    let tiers: Vec<Node> = lines.iter().map(line_in_short).collect::<Result<_, _>>()?;
    Ok(line_in_short(&together)?.beside(tiers))
}

/// A line as it stands on the invoice.
fn line_in_short(line: &Row) -> Result<Node, Problem> {
    let kind = line.text("kind")?;
    let fields = ["account", "product", "meter", "region", "order"];
    let said = fields.into_iter().filter_map(|field| Some((field, line.optional(field)?)));
    let said: Vec<(&str, String)> = said.collect();
    let tier = line.number("tier").ok();
    let in_words = tier.map(|tier| format!("tier {tier}"));
    let words = said.iter().map(|(_, value)| value.as_str()).chain(in_words.as_deref());
    let what = std::iter::once(kind.as_str()).chain(words).collect::<Vec<_>>().join(" ");
    let node = Node::new("line", what).amount(line.amount("amount")?).fact("line", kind);
    let node = node.perhaps("tier", tier);
    let node = said.iter().fold(node, |node, (field, value)| node.fact(field, value.as_str()));
    Ok(match line.amount("quantity") {
        Ok(quantity) => node.quantity(quantity),
        Err(_) => node,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn r13_4_lines_by_tier_are_rounded_each_and_no_further() {
        let check = |exact: &str, lines: &[&str], expected: &str| {
            let lines: Vec<Amount> = lines.iter().map(|line| amount(line)).collect();
            let rounded = rounded(amount(exact), &lines, Currency::Usd).unwrap();
            assert_eq!(rounded, amount(expected), "{exact} {lines:?}");
        };
        check("0.014", &["0.01"], "0.01");
        check("0.014", &["0.02"], "0.01");
        // 0.005 and 0.005; 0.004 and 0.004.
        check("0.01", &["0.01", "0.01"], "0.02");
        check("0.008", &["0.00", "0.00"], "0");
        check("-0.01", &["-0.01", "-0.01"], "-0.02");
        // No two lines are so far away.
        check("0.01", &["0.02", "0.01"], "0.01");
        check("0.011", &["0.00", "0.00"], "0.01");
    }

    #[test]
    fn r13_4_only_tiers_of_one_price_share_their_charges() {
        let line = |kind: &str, region: Option<&str>, tier: Option<u8>| {
            let line = json!({ "kind": kind, "account": "acme", "product": "p", "meter": "m",
                "region": region, "tier": tier, "quantity": "1.5", "amount": "0.01", "order": null });
            line.as_object().unwrap().clone()
        };
        let lines = [
            line("usage", None, Some(1)),
            line("usage", None, Some(2)),
            line("usage", Some("eu"), Some(2)),
            line("adjustment", Some("eu"), Some(2)),
            line("order", None, None),
            line("order", None, None),
        ];
        let counts: Vec<usize> = lines.chunk_by(share_charges).map(<[Row]>::len).collect();
        assert_eq!(counts, [2, 1, 1, 1, 1]);
        let node = serde_json::to_value(lines_in_short(&lines[0], &lines[..2]).unwrap()).unwrap();
        assert_eq!((&node["what"], &node["amount"]), (&json!("usage acme p m"), &json!("0.02")));
        assert_eq!(
            (&node["quantity"], &node["beside"][1]["facts"]["tier"]),
            (&json!("3"), &json!(2))
        );
        let node = serde_json::to_value(lines_in_short(&lines[1], &lines[1..2]).unwrap()).unwrap();
        assert_eq!(
            (&node["what"], &node["beside"]),
            (&json!("usage acme p m tier 2"), &json!(null))
        );
    }
}
