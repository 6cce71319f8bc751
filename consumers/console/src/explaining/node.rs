//! A part of an explanation, and whether what is below it comes to it.

use drawdown_domain::money::Amount;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// One part, and what it is made of.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Node {
    /// `invoice`, `line`, `tax`, `bill`, `charges`, `rounding`, `usage`, `record` and so on.
    pub(crate) kind: &'static str,
    /// By which it can be explained by itself, or found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// What it is, in words.
    pub(crate) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quantity: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records: Option<i64>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) facts: Map<String, Value>,
    /// What the amounts of its parts come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parts_come_to: Option<Amount>,
    /// Whether its parts come to it; none: it is not made of parts, or nothing can be said.
    pub(crate) adds_up: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    /// What it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Node>,
    /// Parts that are counted above and not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left_off: Option<i64>,
    /// What belongs to it and is no part of its sum: how it was paid, say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) beside: Vec<Node>,
}

impl Node {
    pub(crate) fn new(kind: &'static str, what: impl Into<String>) -> Node {
        Node {
            kind,
            name: None,
            what: what.into(),
            amount: None,
            quantity: None,
            records: None,
            facts: Map::new(),
            parts_come_to: None,
            adds_up: None,
            notes: Vec::new(),
            parts: Vec::new(),
            left_off: None,
            beside: Vec::new(),
        }
    }

    pub(crate) fn named(mut self, name: impl Into<String>) -> Node {
        self.name = Some(name.into());
        self
    }

    pub(super) fn amount(mut self, amount: Amount) -> Node {
        self.amount = Some(amount);
        self
    }

    pub(super) fn amount_of(&self) -> Option<Amount> {
        self.amount
    }

    pub(super) fn quantity(mut self, quantity: Amount) -> Node {
        self.quantity = Some(quantity);
        self
    }

    pub(super) fn records(mut self, records: i64) -> Node {
        self.records = Some(records);
        self
    }

    pub(crate) fn fact(mut self, name: &str, value: impl Into<Value>) -> Node {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// A fact, where there is one.
    pub(super) fn perhaps(self, name: &str, value: Option<impl Into<Value>>) -> Node {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Node {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn part(mut self, part: Node) -> Node {
        self.parts.push(part);
        self
    }

    pub(super) fn left_off(mut self, left_off: i64) -> Node {
        self.left_off = (left_off > 0).then_some(left_off);
        self
    }

    pub(super) fn beside(mut self, more: impl IntoIterator<Item = Node>) -> Node {
        self.beside.extend(more);
        self
    }

    /// What was found about it in another way than by adding up amounts.
    pub(super) fn adds_up(mut self, adds_up: Option<bool>) -> Node {
        self.adds_up = adds_up;
        self
    }

    /// Adds its parts up, and says whether they come to it.
    pub(super) fn added_up(mut self) -> Result<Node, Problem> {
        let sum = Amount::sum(self.parts.iter().filter_map(|part| part.amount));
        let sum = sum.map_err(too_large)?;
        self.parts_come_to = Some(sum);
        self.adds_up = self.amount.map(|amount| amount == sum);
        Ok(self)
    }

    /// Whether its parts come to an amount.
    pub(super) fn comes_to(&self, amount: Amount) -> bool {
        self.parts_come_to == Some(amount)
    }

    /// Whether some parts are counted and not listed.
    pub(crate) fn leaves_off(&self) -> bool {
        self.left_off.is_some() || self.parts.iter().chain(&self.beside).any(Node::leaves_off)
    }

    /// How many sums below it were tried, and how many of them do not come out.
    pub(crate) fn tried(&self) -> (usize, usize) {
        let own = match self.adds_up {
            Some(true) => (1, 0),
            Some(false) => (1, 1),
            None => (0, 0),
        };
        let below = self.parts.iter().chain(&self.beside).map(Node::tried);
        below.fold(own, |(all, wrong), (more, wrong_too)| {
            (all.saturating_add(more), wrong.saturating_add(wrong_too))
        })
    }
}

pub(super) fn too_large(error: drawdown_domain::money::Overflow) -> Problem {
    Problem::unavailable(format!("the sums cannot be made: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn r13_4_parts_come_to_the_whole_or_it_is_said() {
        let part = |text: &str| Node::new("charges", "c").amount(amount(text));
        let made = |text: &str| {
            let bill = Node::new("bill", "b").amount(amount(text));
            bill.part(part("0.004")).part(part("-0.004").beside([part("7")])).added_up().unwrap()
        };
        let right = made("0");
        assert_eq!((right.adds_up, right.tried()), (Some(true), (1, 0)));
        let wrong = made("0.01");
        assert_eq!((wrong.adds_up, wrong.parts_come_to), (Some(false), Some(Amount::ZERO)));
        let above = Node::new("invoice", "i").part(wrong).beside([right]);
        assert_eq!(above.tried(), (2, 1), "what stands beside is tried as well");
    }
}
