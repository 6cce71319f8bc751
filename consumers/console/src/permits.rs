//! Whether somebody may see something, or send usage. The ledgers know who has which right where (R11.1); they
//! are asked each time, so that a right that was revoked is gone.
//!
//! Commands are not judged here: the ledger that decides them does that, and its refusal stands on the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::rights::{Right, to_see};
use serde_json::Value;

use crate::Site;
use crate::problem::Problem;
use crate::rows::Answer;

/// What somebody asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over<'a> {
    /// A billing account, an account or an enterprise, by the field that names it.
    One(&'static str, &'a str),
    /// All that there is, which is for the operator.
    All,
}

const WALLET: &str = "billing_account";
const ACCOUNT: &str = "account";
const ENTERPRISE: &str = "enterprise";

impl<'a> Over<'a> {
    /// What a row of a view is about.
    pub(crate) fn row(view: &str, id: &'a str) -> Over<'a> {
        match view {
            "account" | "service" => Over::One(ACCOUNT, id),
            "enterprise" => Over::One(ENTERPRISE, id),
            _ => Over::One(WALLET, id),
        }
    }

    /// What the rows of a list are about, by the fields they must have.
    pub(crate) fn rows(filters: &'a [(String, String)]) -> Over<'a> {
        let named = |field: &'static str| {
            let found = filters.iter().find(|(name, _)| name == field);
            found.map(|(_, id)| Over::One(field, id))
        };
        named(WALLET).or_else(|| named(ACCOUNT)).unwrap_or(Over::All)
    }
}

/// Whether somebody may see a view of something.
pub(crate) async fn may_see(
    site: &Site,
    who: &PrincipalId,
    view: &str,
    over: Over<'_>,
) -> Result<(), Problem> {
    if holds(site, who, to_see(view), over).await? {
        return Ok(());
    }
    Err(refused(match over {
        Over::One(_, id) => format!("{who} has no role that allows to see {view} of {id}"),
        Over::All => format!("{who} sees {view} of one billing account: name it"),
    }))
}

/// For what concerns all billing accounts alike.
pub(crate) fn only_the_operator(who: &PrincipalId, what: &str) -> Result<(), Problem> {
    match *who == PrincipalId::operator() {
        true => Ok(()),
        false => Err(refused(format!("{what} is for the operator"))),
    }
}

fn refused(detail: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not_permitted", detail)
}

async fn holds(
    site: &Site,
    who: &PrincipalId,
    right: Right,
    over: Over<'_>,
) -> Result<bool, Problem> {
    if *who == PrincipalId::operator() {
        return Ok(true);
    }
    let Over::One(kind, id) = over else { return Ok(false) };
    match site.rows.ask("rights", &format!("{who}:{kind}:{id}")).await {
        Ok(Answer::Row(row)) => {
            let rights = row.get("rights").and_then(Value::as_array);
            Ok(rights.is_some_and(|rights| rights.iter().any(|held| held == right.text())))
        }
        // To whom it does not exist it is as good as somebody else's.
        Ok(Answer::NotHere) => Ok(false),
        Ok(Answer::NoSuchView(why)) => Err(Problem::unavailable(why)),
        Err(why) => Err(Problem::unavailable(why.to_string())),
    }
}

/// So long it is remembered that somebody may send usage of an account.
const SENDER_KNOWN_FOR: Duration = Duration::from_secs(10);
const SENDERS_MAX: usize = 100_000;

/// Who may send usage of which accounts, lately.
#[derive(Debug, Default)]
pub(crate) struct Senders(Mutex<BTreeMap<(PrincipalId, String), Instant>>);

impl Senders {
    fn knows(&self, who: &PrincipalId, account: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = known.get(&(who.clone(), account.to_owned()));
        asked.is_some_and(|asked| asked.elapsed() < SENDER_KNOWN_FOR)
    }

    fn note(&self, who: &PrincipalId, account: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SENDERS_MAX {
            known.clear();
        }
        known.insert((who.clone(), account.to_owned()), Instant::now());
    }
}

/// Whether somebody may send usage of all these accounts.
pub(crate) async fn may_send(
    site: &Site,
    who: &PrincipalId,
    accounts: &BTreeSet<String>,
) -> Result<(), Problem> {
    for account in accounts {
        if site.senders.knows(who, account) {
            continue;
        }
        if !holds(site, who, Right::SendUsage, Over::One(ACCOUNT, account)).await? {
            return Err(refused(format!(
                "{who} has no role that allows to send usage of {account}"
            )));
        }
        site.senders.note(who, account);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_about_what_its_rows_must_name() {
        let filter = |name: &str| (name.to_owned(), format!("the-{name}"));
        let check = |names: &[&str], expected: Over<'_>| {
            let filters: Vec<_> = names.iter().map(|name| filter(name)).collect();
            assert_eq!(Over::rows(&filters), expected, "{names:?}");
        };
        check(&["billing_account", "account"], Over::One(WALLET, "the-billing_account"));
        check(&["account", "day"], Over::One(ACCOUNT, "the-account"));
        check(&["day"], Over::All);
        check(&[], Over::All);
    }
}
