//! What facts of governing do to one role or key, and what they leave.

use super::super::asking::Asking;
use super::super::{EnterpriseNumber, Place, RegionNamed};
use super::*;
use crate::time::Timestamp;

const E: EnterpriseNumber = EnterpriseNumber(0);

fn key(principal: &str, hash: &str) -> Fact {
    let (principal, hash) = (principal.parse().unwrap(), hash.parse().unwrap());
    let role = crate::rights::Role::Auditor;
    let (created_at, revoked_at) = (Timestamp::START, None);
    let key = ApiKey { principal, role, wallet: None, hash, created_at, revoked_at };
    KeyCreated { enterprise: E, key }.into()
}

fn revoked(principal: &str, at: Timestamp) -> Fact {
    KeyRevoked { enterprise: E, principal: principal.parse().unwrap(), at }.into()
}

/// R11.1: a key that is revoked leaves the others in force, and one that was revoked before as it was.
#[test]
fn r11_1_a_revoked_key_leaves_the_others() {
    let mut ledger = Asking::with_members().ledger;
    let (first, later): (Timestamp, Timestamp) =
        ("2026-03-01T00:00:00Z".parse().unwrap(), "2026-03-02T00:00:00Z".parse().unwrap());
    let facts = [
        key("ci", "1"),
        key("feed", "2"),
        revoked("ci", first),
        key("ci", "3"),
        revoked("ci", later),
    ];
    facts.iter().for_each(|fact| ledger.apply_governing(fact).unwrap());
    let keys = ledger.enterprises[0].keys.iter();
    let keys: Vec<_> = keys.map(|key| (key.hash.as_str(), key.revoked_at)).collect();
    assert_eq!(keys, [("1", Some(first)), ("2", None), ("3", Some(later))]);
}

/// R11.1: roles are told apart by who holds them, what they are and where; a role granted again is replaced.
#[test]
fn r11_1_a_revoked_role_leaves_the_others() {
    let mut ledger = Asking::with_members().ledger;
    let auditor = crate::rights::Role::Auditor;
    let wallet = Some(super::super::WalletNumber(1));
    let grant = |principal: &str, wallet, limit: Option<&str>| -> Fact {
        let principal = principal.parse().unwrap();
        let top_up_limit = limit.map(|limit| limit.parse().unwrap());
        let grant = Grant { principal, role: auditor, wallet, top_up_limit };
        RoleGranted { enterprise: E, grant }.into()
    };
    let principal = "b".parse().unwrap();
    let revoked = RoleRevoked { enterprise: E, principal, role: auditor, wallet };
    let facts = [
        grant("c", None, None),
        grant("b", wallet, None),
        grant("b", None, Some("5")),
        grant("b", None, Some("7")),
        revoked.into(),
    ];
    facts.iter().for_each(|fact| ledger.apply_governing(fact).unwrap());
    let grants = ledger.enterprises[0].grants.iter();
    let limit = |grant: &Grant| grant.top_up_limit.map(|limit| limit.to_string());
    let grants: Vec<_> =
        grants.map(|it| (it.principal.to_string(), it.wallet, limit(it))).collect();
    let seven = Some("7".to_owned());
    assert_eq!(grants, [("b".to_owned(), None, seven), ("c".to_owned(), None, None)]);
}

#[test]
fn a_fact_of_an_unknown_enterprise_is_passed_over_only_while_a_ledger_is_loaded() {
    let mut ledger = Ledger::new(1);
    let unknown = Err(Broken("an unknown enterprise"));
    assert_eq!(ledger.apply_governing(&key("ci", "1")), unknown);
    ledger.begin_load();
    assert_eq!(ledger.apply_governing(&key("ci", "1")), Ok(()));
    assert_eq!(ledger.piece(Place::Enterprises(0), 1).1, Some(Place::Accounts(0)));
    let other = RegionNamed { region: "eu".parse().unwrap() }.into();
    let broken = Err(Broken("a fact about something else than governing"));
    assert_eq!(ledger.apply_governing(&other), broken);
}
