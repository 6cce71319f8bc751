//! Rows about accounts, wallets and enterprises, and what a ledger says of itself.

use super::super::asking::Asking;
use super::super::{RegionNamed, RegionNumber};
use super::*;

/// R9.4, R4.6: who pays for an account and who will, and how it stands in its enterprise.
#[test]
fn r9_4_an_account_shows_its_payers_and_its_state() {
    Asking::with_members().table(
        r#"
        see | account a | account = "a", enterprise = "e", email = "x@y.example", mode = "postpaid", currency = "USD", state = "active", payer = "ba-a", roles = [], administers = []
        boss | change_payer | account = "a", billing_account = "ba-b", effective_at = "2026-03-01T00:10:00Z" | ok
        see | account a | payer = "ba-a", next_payer = "ba-b", next_payer_from = "2026-03-01T00:10:00Z"
        at | 2026-03-01T00:09:59Z
        see | account a | payer = "ba-a", next_payer = "ba-b"
        at | 2026-03-01T00:10:00Z
        see | account a | payer = "ba-b"
        boss | grant_admin | billing_account = "ba-b", accounts = ["a"] | ok
        boss | grant_role | principal = "a", role = "auditor", scope = "e" | ok
        boss | grant_role | principal = "a", role = "finance_admin", scope = "ba-c", top_up_limit = "50" | ok
        boss | grant_role | principal = "b", role = "auditor", scope = "e" | ok
        see | account a | administers = ["ba-b"], roles = [{ principal = "a", role = "finance_admin", scope = "ba-c", top_up_limit = "50" }, { principal = "a", role = "auditor", scope = "e" }]
        c | end_membership | account = "c" | ok
        see | account c | state = "ended"
        boss | invite_account | account = "c" | ok
        see | account c | state = "invited"
        c | accept_invitation | account = "c" | ok
        see | account c | state = "active"
        boss | close_account | account = "c" | ok
        see | account c | state = "closed"
        see | enterprise e | name = "E", country = "US", account_center = true, management_account = "boss", administrators = ["a"], recharge_frozen = false, members = [{ account = "boss", state = "active" }, { account = "a", state = "active" }, { account = "b", state = "active" }, { account = "c", state = "closed" }]
        "#,
    );
}

/// R9.4: whoever has begun to pay is the next no more.
#[test]
fn r9_4_a_payer_is_the_next_one_until_he_begins() {
    let mut asking = Asking::with_members();
    let next = |asking: &Asking| {
        let row = asking.ledger.account_row(AccountNumber(1)).unwrap();
        (row.next_payer.map(|it| it.to_string()), row.next_payer_from.map(|it| it.to_string()))
    };
    assert_eq!(next(&asking), (None, None));
    asking.table(
        r#"boss | change_payer | account = "a", billing_account = "ba-b", effective_at = "2026-03-01T00:10:00Z" | ok"#,
    );
    let later = (Some("ba-b".to_owned()), Some("2026-03-01T00:10:00Z".to_owned()));
    assert_eq!(next(&asking), later);
    asking.table("at | 2026-03-01T00:09:59Z");
    assert_eq!(next(&asking), later);
    asking.table("at | 2026-03-01T00:10:00Z");
    assert_eq!(next(&asking), (None, None));
}

/// R13.1: what is due, and what the balance covers of it, also where nothing is written off by itself.
#[test]
fn r13_1_what_is_due_shows_what_the_balance_covers() {
    Asking::with_members().table(
        r#"
        operator | set_credit_limit | billing_account = "ba-a", limit = "100" | ok
        operator | confirm_contract | billing_account = "ba-a" | ok
        operator | configure | billing_account = "ba-a", auto_write_off = false | ok
        operator | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "bank_transfer" | ok
        use | a | 50
        see | due ba-a | billing_account = "ba-a", currency = "USD", owed = "0", covered_by_balance = "0", remainder = "0"
        at | 2026-03-01T01:00:00Z
        see | due ba-a | owed = "50", covered_by_balance = "20", remainder = "30"
        see | runway ba-a | billing_account = "ba-a", currency = "USD", available = "70", burn_per_day = "50", days_left = "1.4", empty_on = "2026-03-02T10:36:00Z"
        see | runway ba-b | available = "0", burn_per_day = "0"
        "#,
    );
    let asking = Asking::with_members();
    let row = asking.ledger.runway_row(WalletNumber(2)).unwrap().unwrap();
    assert_eq!((row.days_left, row.empty_on), (None, None));
}

#[test]
fn a_ledger_says_what_it_holds() {
    let mut asking = Asking::with_members();
    asking.settings("runway.alert_days = 1");
    let mut ledger = asking.ledger;
    for region in ["eu", "us"] {
        let region = region.parse().unwrap();
        ledger.take(RegionNamed { region }.into(), &mut asking.facts).unwrap();
    }
    assert_eq!(format!("{ledger:?}"), "Ledger(6 wallets at 2026-03-01T00:00:00Z)");
    assert_eq!(ledger.settings_document(), "runway.alert_days = 1");
    let held = (ledger.enterprises().len(), ledger.accounts().len(), ledger.wallets().len());
    assert_eq!(held, (2, 6, 6));
    let regions: Vec<&str> = ledger.regions().iter().map(|region| region.as_str()).collect();
    assert_eq!(regions, ["eu", "us"]);
    let named = [0, 1, 2, 3].map(|number| ledger.region(RegionNumber(number)));
    assert_eq!(named.map(|it| it.map(|it| it.as_str())), [None, Some("eu"), Some("us"), None]);
}
