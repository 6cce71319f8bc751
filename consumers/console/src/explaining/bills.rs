//! A bill: the exact charges it holds and what rounding made of them, or the order, tax or credit note it is over;
//! and how it was paid.

use drawdown_domain::money::{Amount, Overflow};

use super::Explaining;
use super::asking::{Read, ask, ask_one, short};
use super::node::{Node, too_large};
use super::usage::{Of, Scope};
use crate::Row;
use crate::lists::{INSTANT, Query, TEXT};
use crate::problem::Problem;
use crate::rows::Answer;

/// So many movements are listed that paid a bill.
const PAID_MAX: usize = 50;

/// What is said where what a bill is over is not found.
const NOT_KEPT: &str = "its charges are not kept in ClickHouse, or not there yet: what has just come is listed a moment later";

/// A bill as it stands.
struct Bill {
    bill: String,
    account: String,
    product: Option<String>,
    month: String,
    cycle_end: String,
    amount: Amount,
    paid: Amount,
    issued_at: String,
    invoice: Option<String>,
    credit_note: Option<String>,
    order: Option<String>,
    status: String,
    /// It was issued before its cycle ended (R6.1).
    is_early: bool,
}

impl Bill {
    fn read(row: &Row) -> Result<Bill, Problem> {
        Ok(Bill {
            bill: row.text("bill")?,
            account: row.text("account")?,
            product: row.optional("product"),
            month: row.text("month")?,
            cycle_end: row.text("cycle_end")?,
            amount: row.amount("amount")?,
            paid: row.amount("paid")?,
            issued_at: row.text("issued_at")?,
            invoice: row.optional("invoice"),
            credit_note: row.optional("credit_note"),
            order: row.optional("order"),
            status: row.text("status")?,
            is_early: row.flag("is_early")?,
        })
    }

    fn node(&self) -> Node {
        let product = self.product.as_deref().unwrap_or("what was bought");
        let what = match (&self.invoice, &self.credit_note, &self.order) {
            (Some(invoice), _, _) => format!("the tax of invoice {invoice}"),
            (_, Some(note), _) => format!("what credit note {note} takes back"),
            (_, _, Some(order)) => format!("order {order} of {}", self.account),
            (None, None, None) => format!("{product} of {}", self.account),
        };
        self.node_of(what)
    }

    /// The bill of a cycle of usage.
    fn of_cycle(&self, product: &str) -> Node {
        let until = short(&self.cycle_end);
        let early = if self.is_early { ", billed before its end" } else { "" };
        self.node_of(format!("{product} of {}, of the cycle until {until}{early}", self.account))
    }

    fn node_of(&self, what: String) -> Node {
        Node::new("bill", what)
            .named(self.bill.as_str())
            .amount(self.amount)
            .fact("account", self.account.as_str())
            .perhaps("product", self.product.as_deref())
            .perhaps("order", self.order.as_deref())
            .fact("month", self.month.as_str())
            .fact("cycle_end", self.cycle_end.as_str())
            .fact("issued_at", self.issued_at.as_str())
            .fact("paid", self.paid.to_string())
            .fact("status", self.status.as_str())
    }
}

/// The bills of one cycle, and of the cycles of its month before it.
struct Cycle {
    bills: Vec<Row>,
    /// What they come to.
    billed: Amount,
    /// Whether all of them were issued before the cycle ended, so that more may come.
    is_open: bool,
    exact_before: Amount,
    billed_before: Amount,
}

impl Explaining {
    /// A bill, down to the usage records.
    pub(super) async fn bill(&self, name: &str) -> Result<Option<Node>, Problem> {
        let Some(bill) = self.read_bill(name).await? else { return Ok(None) };
        let paid = self.paid(&bill).await?;
        let node = match (&bill.invoice, &bill.credit_note, &bill.order) {
            (Some(invoice), _, _) => self.tax(&bill, invoice).await?,
            (_, Some(note), _) => bill.node().beside(self.invoice_in_short(note).await?),
            (_, _, Some(order)) => self.of_order(&bill, order).await?,
            (None, None, None) => self.of_usage(&bill).await?,
        };
        Ok(Some(node.beside([paid])))
    }

    async fn read_bill(&self, name: &str) -> Result<Option<Bill>, Problem> {
        self.read_bill_by("bill", name).await
    }

    /// The bill over the tax of an invoice, which may not be there yet, by its figures alone.
    pub(super) async fn tax_bill_in_short(&self, invoice: &str) -> Result<Option<Node>, Problem> {
        Ok(self.read_bill_by("invoice", invoice).await?.map(|bill| bill.node()))
    }

    async fn read_bill_by(&self, column: &str, value: &str) -> Result<Option<Bill>, Problem> {
        let row = ask_one(&self.site, |query| {
            let (wallet, value) = (query.bind(TEXT, &self.wallet), query.bind(TEXT, value));
            format!(
                "SELECT bill, account, product, month, cycle_end, amount, paid, issued_at, invoice, credit_note, `order`, \
                 status, (issued_at < cycle_end) AS is_early \
                 FROM bills WHERE billing_account = {wallet} AND {column} = {value}"
            )
        });
        row.await?.map(|row| Bill::read(&row)).transpose()
    }

    /// A bill is `round(exact charges of the month so far) - billed so far` (R1.2).
    async fn of_usage(&self, bill: &Bill) -> Result<Node, Problem> {
        let Some(product) = &bill.product else { return Ok(bill.node().note(NOT_KEPT)) };
        let (account, of) = (bill.account.clone(), Of::Cycle { ends: bill.cycle_end.clone() });
        let charges = self.charges(&Scope { account, product: product.clone(), of }).await?;
        if charges.is_empty() {
            return Ok(bill.node().note(NOT_KEPT));
        }
        let cycle = self.cycle(bill, product).await?;
        let rounded = |exact: Amount| exact.rounded_half_away(self.currency);
        let made = |exact: Amount| -> Result<_, Overflow> {
            let so_far = cycle.exact_before.plus(exact)?;
            let due = rounded(so_far)?.minus(cycle.billed_before)?;
            Ok((so_far, due, due.minus(exact)?, cycle.billed.minus(due)?))
        };
        let exact = charges.iter().filter_map(Node::amount_of);
        let exact = Amount::sum(exact).map_err(too_large)?;
        let (so_far, due, rounding, beyond) = made(exact).map_err(too_large)?;
        let words = format!(
            "rounding: the charges of {} come to {so_far} with these, rounded less {} that was billed before",
            bill.month, cycle.billed_before
        );
        let rounding = Node::new("rounding", words)
            .amount(rounding)
            .fact("exact_so_far", so_far.to_string())
            .fact("billed_before", cycle.billed_before.to_string())
            .fact("due", due.to_string());
        let whole = |node: Node| charges.iter().cloned().fold(node, Node::part).part(rounding);
        // What came after the last bill of a cycle that goes on will be billed at its end.
        let is_to_come = cycle.is_open && !beyond.is_zero();
        let to_come =
            Node::new("to_come", "charges since, which a further bill of the cycle holds")
                .amount(beyond);
        let to_come = |node: Node| if is_to_come { node.part(to_come) } else { node };
        if cycle.bills.len() <= 1 {
            return to_come(whole(bill.of_cycle(product))).added_up();
        }
        let what = format!(
            "the cycle until {}, billed in {} parts",
            short(&bill.cycle_end),
            cycle.bills.len()
        );
        let mut together =
            to_come(whole(Node::new("cycle", what).amount(cycle.billed))).added_up()?;
        for row in &cycle.bills {
            let issued_at = row.text("issued_at")?;
            let node = Node::new("bill", format!("issued at {}", short(&issued_at)));
            let node = node.named(row.text("bill")?).amount(row.amount("amount")?);
            together = together.beside([node.fact("issued_at", issued_at)]);
        }
        let why = "a threshold had the cycle billed before its end (R6.1): charges say their cycle and not their bill, so the bills of the cycle are added up together";
        Ok(bill.of_cycle(product).fact("is_early", bill.is_early).note(why).beside([together]))
    }

    async fn cycle(&self, bill: &Bill, product: &str) -> Result<Cycle, Problem> {
        let whose = |query: &mut Query| {
            let (wallet, account) =
                (query.bind(TEXT, &self.wallet), query.bind(TEXT, &bill.account));
            let product = query.bind(TEXT, product);
            format!("billing_account = {wallet} AND account = {account} AND product = {product}")
        };
        let of_usage = "invoice IS NULL AND credit_note IS NULL AND `order` IS NULL";
        let bills = ask(&self.site, |query| {
            let (whose, ends) = (whose(query), query.bind(INSTANT, &bill.cycle_end));
            format!(
                "SELECT bill, amount, issued_at, (issued_at < cycle_end) AS is_early FROM bills_issued \
                 WHERE {whose} AND {of_usage} AND cycle_end = {ends} ORDER BY issued_at, length(bill), bill"
            )
        });
        let before = ask_one(&self.site, |query| {
            let (whose, ends) = (whose(query), query.bind(INSTANT, &bill.cycle_end));
            let month = query.bind(TEXT, &bill.month);
            let earlier =
                format!("{whose} AND {of_usage} AND month = {month} AND cycle_end < {ends}");
            format!(
                "SELECT (SELECT sum(charge) FROM charges WHERE {whose} AND cycle_end < {ends} \
                 AND cycle_end IN (SELECT cycle_end FROM bills_issued WHERE {earlier})) AS exact, \
                 (SELECT sum(amount) FROM bills_issued WHERE {earlier}) AS billed"
            )
        });
        let (bills, before) = (bills.await?, before.await?.unwrap_or_default());
        let amounts = bills.iter().map(|row| row.amount("amount"));
        let amounts: Vec<Amount> = amounts.collect::<Result<_, _>>()?;
        let early = bills.iter().map(|row| row.flag("is_early"));
        Ok(Cycle {
            is_open: early.collect::<Result<Vec<bool>, _>>()?.into_iter().all(|early| early),
            billed: Amount::sum(amounts).map_err(too_large)?,
            bills,
            exact_before: before.amount("exact")?,
            billed_before: before.amount("billed")?,
        })
    }

    /// The bill of an order, whose price it is (R5.8).
    async fn of_order(&self, bill: &Bill, name: &str) -> Result<Node, Problem> {
        let row = match self.site.rows.ask("orders", &self.wallet).await {
            Ok(Answer::Row(row)) => row,
            Ok(Answer::NotHere | Answer::NoSuchView(_)) => return Ok(bill.node()),
            Err(why) => return Err(Problem::unavailable(why.to_string())),
        };
        let orders = row.get("orders").and_then(|orders| orders.as_array());
        let orders = orders.into_iter().flatten().filter_map(|order| order.as_object());
        let is_its = |order: &&Row| order.text("order").is_ok_and(|known| known == name);
        let Some(order) = orders.into_iter().find(is_its) else {
            return Ok(bill.node().note(NOT_KEPT));
        };
        let refunded = order.amount("refunded")?;
        let price = Node::new("order", format!("the price of order {name}"));
        let price = price.named(name).amount(order.amount("amount")?);
        let price = price.fact("refunded", refunded.to_string());
        bill.node().part(price).added_up()
    }

    /// The bill over the tax of an invoice: its rate on its net, rounded once (R12.4, R12.5).
    async fn tax(&self, bill: &Bill, number: &str) -> Result<Node, Problem> {
        let invoice = self.read_invoice(number).await?;
        let Some(invoice) = invoice else {
            return Ok(bill.node().note(format!("invoice {number} is not listed yet")));
        };
        let node = bill.node().part(invoice.tax_node()).added_up()?;
        Ok(node.beside(self.invoice_in_short(number).await?))
    }

    /// How a bill was paid, or what its negative amount undid: from the wallet by entries, and the rest past it.
    async fn paid(&self, bill: &Bill) -> Result<Node, Problem> {
        let rows = ask(&self.site, |query| {
            let (wallet, name) = (query.bind(TEXT, &self.wallet), query.bind(TEXT, &bill.bill));
            format!(
                "SELECT number, at, asset, lot, -amount AS paid, cause FROM entries \
                 WHERE billing_account = {wallet} AND bill = {name} ORDER BY number"
            )
        });
        let mut node = Node::new("paid", "what of it is paid").amount(bill.paid);
        let rows = rows.await?;
        let mut from_wallet = Amount::ZERO;
        for (place, row) in rows.iter().enumerate() {
            let paid = row.amount("paid")?;
            let pays = row.text("cause")? == PAYS;
            if pays {
                from_wallet = from_wallet.plus(paid).map_err(too_large)?;
            }
            if place >= PAID_MAX {
                continue;
            }
            let entry = entry_in_short(&self.wallet, row, paid)?;
            node = if pays { node.part(entry) } else { node.beside([entry]) };
        }
        let left = rows.len().saturating_sub(PAID_MAX);
        let node = node.left_off(i64::try_from(left).unwrap_or(i64::MAX));
        if bill.amount.is_negative() {
            return Ok(node.note("a negative bill undoes what paid earlier ones (R5.7)"));
        }
        if left > 0 {
            return Ok(node);
        }
        let past = bill.paid.minus(from_wallet).map_err(too_large)?;
        if past.is_zero() {
            return node.added_up();
        }
        let payments = match self.sees_payments {
            true => self.payments_of(&bill.bill).await?,
            false => Vec::new(),
        };
        let mut methods: Vec<&str> = payments.iter().filter_map(method_that_paid).collect();
        methods.sort_unstable();
        methods.dedup();
        let what = match methods.is_empty() {
            true => "paid without an entry: by payment methods, by what was held for an order, by coupons that others share, or by negative bills".to_owned(),
            false => format!("paid past the wallet, by {}", methods.join(" and ")),
        };
        let rest = Node::new("past_the_wallet", what).amount(past).beside(payments);
        node.part(rest).added_up()
    }
}

/// The method of a payment that succeeded.
fn method_that_paid(payment: &Node) -> Option<&str> {
    let fact = |name: &str| payment.facts.get(name)?.as_str();
    fact("method").filter(|_| fact("status") == Some("succeeded"))
}

/// The cause of entries that pay bills.
const PAYS: &str = "bill";

/// An entry by its name and what it moved for a bill.
fn entry_in_short(wallet: &str, row: &Row, paid: Amount) -> Result<Node, Problem> {
    let (asset, lot, cause) = (row.text("asset")?, row.text("lot")?, row.text("cause")?);
    let node = Node::new("entry", format!("{cause} from {asset} {lot}"));
    let node = node.named(format!("{wallet}.e{}", row.number("number")?)).amount(paid);
    Ok(node.fact("at", row.text("at")?).fact("asset", asset).fact("lot", lot).fact("cause", cause))
}
