//! Where an amount comes from, as a tree that opens.

use std::fmt::Display;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use drawdown_domain::money::{Amount, Currency};

use super::money::{decimals, number};
use super::table::{currency, time};
use super::{NoPage, shown};
use crate::api::{RECORDS_MAX, Shared, asker, records_asked};
use crate::explaining::{Node, can_be_explained, explain};
use crate::numbers::counted;
use crate::outside::escaped;

#[derive(Template)]
#[template(path = "explain.html")]
struct Explanation<'a> {
    here: &'static str,
    title: String,
    billing_account: &'a str,
    account_page: String,
    verdict: String,
    comes_out: bool,
    /// Leads to all records, where some are left off.
    all: Option<String>,
    whole: Part<'a>,
}

/// A part and what it is made of, open where a reader looks first.
#[derive(Template)]
#[template(path = "part.html")]
struct Part<'a> {
    what: &'a str,
    /// What it is called, and the page that explains it by itself.
    name: Option<(&'a str, String)>,
    amount: String,
    measure: String,
    place: String,
    adds_up: Option<bool>,
    come_to: String,
    notes: &'a [String],
    parts: Vec<Part<'a>>,
    left_off: Option<i64>,
    beside: Vec<Part<'a>>,
    is_open: bool,
}

impl<'a> Part<'a> {
    /// A whole, to the currency's minor unit at least.
    fn whole(node: &'a Node) -> Part<'a> {
        let currency = currency(&node.facts).unwrap_or(Currency::Usd);
        Part { name: None, ..Part::of(node, 0, decimals(currency)) }
    }

    fn of(node: &'a Node, depth: usize, places: usize) -> Part<'a> {
        let below = |nodes: &'a [Node]| -> Vec<Part<'a>> {
            nodes.iter().map(|node| Part::of(node, depth.saturating_add(1), places)).collect()
        };
        let name = node.name.as_deref().filter(|name| can_be_explained(node.kind, name));
        let name = name.map(|name| (name, format!("/explain/{}", escaped(name))));
        let records = node.records.filter(|_| node.kind == "charges");
        let measure = [
            node.quantity.map(|quantity| format!("quantity {}", exact(quantity, 0))),
            records.map(|records| counted(records, "record")),
        ];
        Part {
            what: &node.what,
            name,
            amount: node.amount.map(|amount| exact(amount, places)).unwrap_or_default(),
            measure: measure.into_iter().flatten().collect::<Vec<_>>().join(", "),
            place: if node.kind == "record" { place(node) } else { String::new() },
            adds_up: node.adds_up,
            come_to: node.parts_come_to.map(|sum| exact(sum, places)).unwrap_or_default(),
            notes: &node.notes,
            parts: below(&node.parts),
            left_off: node.left_off,
            beside: below(&node.beside),
            is_open: depth < 2,
        }
    }

    fn is_leaf(&self) -> bool {
        self.parts.is_empty()
            && self.beside.is_empty()
            && self.notes.is_empty()
            && self.left_off.is_none()
            && self.adds_up.is_none()
    }
}

/// An amount with all its places, and so many at least.
fn exact(amount: Amount, places_min: usize) -> String {
    number(&amount.to_string(), places_min)
}

/// When a record was used, and where it stands on the log.
fn place(record: &Node) -> String {
    let fact = |name: &str| record.facts.get(name).map(|value| value as &dyn Display);
    let used = record.facts.get("time").and_then(|at| at.as_str()).map(time);
    let place = match (fact("partition"), fact("offset"), fact("index")) {
        (Some(partition), Some(offset), Some(index)) => {
            Some(format!("at {partition}/{offset}/{index} of the topic usage"))
        }
        _ => None,
    };
    used.into_iter().chain(place).collect::<Vec<_>>().join(", ")
}

pub(super) async fn page(
    State(site): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    let who = asker(&site, &Method::GET, &headers).await?;
    let records_max = records_asked(&query)?;
    let node = explain(&site, &who, &id, records_max).await?;
    let fact = |name: &str| node.facts.get(name).and_then(|fact| fact.as_str()).unwrap_or_default();
    let whole = Part::whole(&node);
    let (sums, wrong) = node.tried();
    let some_left_off = node.leaves_off() && records_max < RECORDS_MAX;
    Ok(shown(&Explanation {
        here: "",
        title: format!("{id}: {} {}", whole.amount, fact("currency")),
        billing_account: fact("billing_account"),
        account_page: format!("/accounts/{}", escaped(fact("billing_account"))),
        verdict: match wrong {
            0 if sums == 1 => "1 sum checked, and it comes out".to_owned(),
            0 => format!("{sums} sums checked, and all come out"),
            _ => format!("{wrong} of {} do not come out", counted(sums as i128, "sum")),
        },
        comes_out: wrong == 0,
        all: some_left_off.then(|| format!("/explain/{}?records={RECORDS_MAX}", escaped(&id))),
        whole,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_all_their_places() {
        let shown = |text: &str| exact(text.parse().unwrap(), 2);
        assert_eq!(shown("1234567.000000000001"), "1,234,567.000000000001");
        assert_eq!(shown("-1200"), "\u{2212}1,200.00");
        assert_eq!(shown("-0.004"), "\u{2212}0.004");
        assert_eq!(exact("1200.5".parse().unwrap(), 0), "1,200.5");
        assert_eq!(exact("1200".parse().unwrap(), 0), "1,200");
    }

    #[test]
    fn what_others_wrote_is_text() {
        let node = Node::new("bill", "<b>of</b> acme").part(
            Node::new("record", "u1 of <s>")
                .fact("time", "2026-03-01T01:02:03Z")
                .fact("partition", 0)
                .fact("offset", 3)
                .fact("index", 1),
        );
        let whole = Node::new("invoice", "i").part(node.named("ba-acme.1"));
        let html = Part::whole(&whole).render().unwrap();
        assert!(!html.contains("<b>of") && !html.contains("<s>"), "{html}");
        assert!(html.contains("2026-03-01 01:02, at 0/3/1 of the topic usage"), "{html}");
        assert!(html.contains("href=\"/explain/ba-acme.1\""), "{html}");
    }
}
