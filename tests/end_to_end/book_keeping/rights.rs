//! Who asks, who may, and what is promised to whom; tax numbers and credit notes.

use drawdown_domain::time::Timestamp;
use serde_json::{Value, json};

use super::Simulation;
use super::comparing::shown;

/// Commands by which rights are given and taken.
pub(super) const OF_RIGHTS: [&str; 6] =
    ["grant_role", "revoke_role", "create_key", "revoke_key", "grant_admin", "revoke_admin"];
const ROLES: [&str; 9] = [
    "finance_admin",
    "finance_admin",
    "billing_editor",
    "finance_viewer",
    "billing_viewer",
    "isolated_spender",
    "freezer",
    "platform",
    "auditor",
];

impl Simulation {
    /// Mostly the operator, who may do all; else an account, or somebody with or without a role.
    pub(super) fn somebody(&mut self) -> String {
        match self.random.below(12) {
            0..8 => "operator".to_owned(),
            8 | 9 => self.account(),
            _ => self.random.pick(&self.world.people).clone(),
        }
    }

    pub(super) fn some_right(&mut self) {
        match self.random.below(8) {
            0..=3 => self.some_role(),
            4 => self.some_administrators(),
            5 => self.some_tax_id(),
            _ => self.some_promise(),
        }
    }

    fn some_role(&mut self) {
        let name = *self.random.pick(&[
            "grant_role",
            "grant_role",
            "grant_role",
            "revoke_role",
            "create_key",
            "revoke_key",
        ]);
        let principal = match name {
            // Each has one key at a time (docs/decisions.md, 11.1).
            "create_key" => format!("key-{}", self.world.people.len()),
            _ if self.random.one_in(4) => self.account(),
            _ => self.random.pick(&self.world.people).clone(),
        };
        let scope = if self.random.one_in(2) { self.wallet() } else { self.enterprise() };
        let mut fields =
            json!({ "principal": principal, "role": self.random.pick(&ROLES), "scope": scope });
        if !name.starts_with("revoke") && self.random.one_in(3) {
            // Whose places a limit over an enterprise of several currencies must have the rules do not say.
            fields["top_up_limit"] = json!(*self.random.pick(&["-3", "0", "7", "20", "60"]));
        }
        if self.command(name, fields) && name == "create_key" {
            self.world.people.push(principal);
        }
    }

    fn some_administrators(&mut self) {
        let name = *self.random.pick(&["grant_admin", "grant_admin", "revoke_admin"]);
        let (wallet, account) = (self.wallet(), self.account());
        self.command(name, json!({ "billing_account": wallet, "accounts": [account] }));
    }

    fn some_tax_id(&mut self) {
        let enterprise = self.enterprise();
        let numbers = ["DE136695976", "DE136695978", "201912345K", "M90360015T", "none"];
        let fields = json!({ "enterprise": enterprise, "tax_id": self.random.pick(&numbers) });
        self.command("set_tax_id", fields);
    }

    fn some_promise(&mut self) {
        let (account, amount) = (self.account(), self.amount());
        if self.random.one_in(2) {
            let mut fields = json!({ "account": account });
            for what in ["credit", "monthly_cap"] {
                if self.random.one_in(2) {
                    fields[what] = json!(self.amount());
                }
            }
            self.command("allocate_spend", fields);
        } else {
            let name = format!("z{}", self.random.below(12));
            let fields = json!({ "account": account, "amount": amount, "authorization": name });
            self.command("authorize", fields);
        }
    }

    /// Some of an invoice is taken back. Which of the invoices of one instant has which number is not the rules'.
    pub(super) fn credit_something(&mut self) {
        let mut invoices = self.book_keeper.invoices();
        // In which order lines stand, and over which of them a part is spread, the rules do not say.
        invoices.retain(|invoice| !invoice.is_credit_note && invoice.lines.len() == 1);
        if invoices.is_empty() {
            return;
        }
        let chosen = self.random.pick(&invoices).clone();
        let at = |micros: i64| Timestamp::from_micros(micros).to_string();
        let of = [
            ("billing_account", chosen.billing_account.clone()),
            ("type", "invoice".to_owned()),
            ("from", at(chosen.from)),
            ("until", at(chosen.until)),
            ("issued_at", at(chosen.issued_at)),
        ];
        let rows = self.rows.list("invoices", "all", &self.pipeline).unwrap();
        let is_it = |row: &&serde_json::Map<String, Value>| {
            of.iter().all(|(field, value)| shown(&row[*field]) == *value)
        };
        let mut same = rows.iter().filter(is_it);
        let (Some(row), None) = (same.next(), same.next()) else { return };
        let number = shown(&row["number"]);
        let mut fields = json!({ "reason": "because" });
        // Of which of several lines a part is taken back first the rules do not say.
        let has_one_line = row["lines"].as_array().is_some_and(|lines| lines.len() == 1);
        match self.random.below(2) {
            0 => fields["amount"] = json!(chosen.net),
            _ if !has_one_line => return,
            _ => fields["amount"] = json!(*self.random.pick(&["0", "-3", "1", "1.005"])),
        }
        let named = |number: &str| {
            let mut fields = fields.clone();
            fields["invoice"] = json!(number);
            fields
        };
        let (here, there) = (named(&number), named(&chosen.number));
        if self.command_of_both(None, "credit_invoice", here, &there) {
            self.credited.insert(self.now.to_string());
        }
    }
}
