//! Who is let through, at which place, and how far.

use super::super::asking::Asking;
use crate::commands::{Command, Subject};
use crate::rights::{Right, Role};
use crate::vocabulary::{Record, Shape};
use serde_json::{Map, Value, json};

/// R11.1: an account's root has every right over its own billing account and no other.
#[test]
fn r11_1_a_root_has_its_own_and_no_other() {
    Asking::with_members().table(
        r#"
        a      | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        b      | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        x      | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        nobody | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        a      | rename_billing_account | billing_account = "ba-a", name = "Ours" | ok
        b      | configure | billing_account = "ba-a", bill_cycle = "day" | not_permitted
        a      | transfer | from = "ba-a", to = "ba-b", amount = "5" | ok
        b      | transfer | from = "ba-a", to = "ba-b", amount = "5" | not_permitted
        # A revocation is the sender's.
        b      | revoke_transfer | from = "ba-a", to = "ba-b", amount = "5" | not_permitted
        a      | revoke_transfer | from = "ba-a", to = "ba-b", amount = "5" | ok
        a      | close_account | account = "b" | not_permitted
        a      | open_account | account = "n", enterprise = "e", email = "x@y.example", mode = "prepaid" | not_permitted
        a      | set_tax_id | enterprise = "e", tax_id = "SG1" | not_permitted
        a      | end_membership | account = "b" | not_permitted
        a      | close_account | account = "a" | ok
        # What it owes it may still pay, and close what is left.
        a      | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        # What is not there is no secret.
        b      | top_up | billing_account = "ba-n", amount = "50", currency = "USD", method = "bank_transfer" | not_found
        "#,
    );
}

/// R11.1: nobody gives himself money, and no right is as far as the operator's.
#[test]
fn r11_1_what_the_operator_alone_may() {
    let mut asking = Asking::with_members();
    for who in ["a", "boss"] {
        for (name, fields) in [
            ("adjust", r#"billing_account = "ba-a", amount = "5", reason = "r""#),
            ("set_credit_limit", r#"billing_account = "ba-a", limit = "5""#),
            ("lift_bad_debt", r#"billing_account = "ba-a""#),
            (
                "grant_coupon",
                r#"billing_account = "ba-a", coupon = "k", amount = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z""#,
            ),
            ("refund_order", r#"billing_account = "ba-a", order = "o", amount = "5", to = "cash""#),
            ("set_quota", r#"billing_account = "ba-a", quota = "5""#),
            ("open_enterprise", r#"enterprise = "e", name = "E", country = "US""#),
        ] {
            assert_eq!(asking.ask(who, name, fields), "not_permitted", "{who} {name}");
        }
    }
}

/// R9.5, R11.1: with the account centre on, the management account may do all under its enterprise; without,
/// it is a root like any other. An account of that name elsewhere is nobody.
#[test]
fn r11_1_the_management_account_is_over_its_enterprise() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | open_enterprise | enterprise = "g", name = "G", country = "US", management_account = "boss-g" | ok
        operator | open_enterprise | enterprise = "h", name = "H", country = "US", account_center = true, management_account = "boss-g" | ok
        operator | open_account | account = "boss-g", enterprise = "g", email = "x@y.example", mode = "prepaid" | ok
        operator | open_account | account = "y", enterprise = "g", email = "x@y.example", mode = "prepaid" | ok
        operator | open_account | account = "z", enterprise = "h", email = "x@y.example", mode = "prepaid" | ok
        boss   | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        boss   | transfer | from = "ba-a", to = "ba-b", amount = "5" | ok
        boss   | open_account | account = "n", enterprise = "e", email = "x@y.example", mode = "prepaid" | ok
        boss   | set_tax_id | enterprise = "e", tax_id = "SG1" | ok
        boss   | close_account | account = "n" | ok
        boss   | top_up | billing_account = "ba-x", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        boss-f | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        boss-g | rename_billing_account | billing_account = "ba-boss-g", name = "Own" | ok
        boss-g | rename_billing_account | billing_account = "ba-y", name = "Mine" | not_permitted
        boss-g | rename_billing_account | billing_account = "ba-z", name = "Mine" | not_permitted
        "#,
    );
}

/// R9.5, R9.6: a regular administrator may do everything on that billing account but say who may do what, and
/// has no right from the moment he is revoked.
#[test]
fn r9_5_a_regular_administrator() {
    Asking::with_members().table(
        r#"
        operator | grant_admin | billing_account = "ba-a", accounts = ["b"] | ok
        operator | grant_admin | billing_account = "ba-c", accounts = ["b", "a"] | ok
        b | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        b | top_up | billing_account = "ba-c", amount = "50", currency = "USD", method = "bank_transfer" | ok
        b | rename_billing_account | billing_account = "ba-a", name = "N" | ok
        b | freeze_billing_account | billing_account = "ba-a" | ok
        b | unfreeze_billing_account | billing_account = "ba-a" | ok
        b | transfer | from = "ba-a", to = "ba-b", amount = "5" | ok
        b | grant_admin | billing_account = "ba-a", accounts = ["c"] | not_permitted
        b | revoke_admin | billing_account = "ba-a", accounts = ["b"] | not_permitted
        b | grant_role | principal = "b", role = "finance_admin", scope = "ba-a" | not_permitted
        b | revoke_role | principal = "b", role = "finance_admin", scope = "ba-a" | not_permitted
        # The account itself is not his.
        b | close_account | account = "a" | not_permitted
        boss | revoke_admin | billing_account = "ba-a", accounts = ["b"] | ok
        b | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        b | top_up | billing_account = "ba-c", amount = "50", currency = "USD", method = "bank_transfer" | ok
        "#,
    );
}

/// R9.4, R11.1: a payer is changed by whoever may spend from it and governs the account.
#[test]
fn r9_4_both_sides_agree_to_a_payer() {
    Asking::with_members().table(
        r#"
        a    | change_payer | account = "a", billing_account = "ba-b" | not_permitted
        b    | change_payer | account = "a", billing_account = "ba-b" | not_permitted
        boss | change_payer | account = "a", billing_account = "ba-b" | ok
        a    | change_payer | account = "a", billing_account = "ba-a" | ok
        boss | grant_role | principal = "a", role = "finance_admin", scope = "ba-b" | ok
        a    | change_payer | account = "a", billing_account = "ba-b" | ok
        # Whichever ledger the other enterprise is in, this is said of it.
        a    | change_payer | account = "a", billing_account = "ba-x" | different_enterprise
        a    | change_payer | account = "a", billing_account = "ba-elsewhere" | different_enterprise
        "#,
    );
}

/// R11.1: what each role may, for one billing account or all of an enterprise, until it is revoked.
#[test]
fn r11_1_a_role_may_what_it_gives_where_it_was_given() {
    Asking::with_members().table(
        r#"
        boss | grant_role | principal = "books", role = "finance_admin", scope = "ba-a" | ok
        boss | grant_role | principal = "clerk", role = "billing_editor", scope = "e" | ok
        boss | grant_role | principal = "eyes", role = "finance_viewer", scope = "e" | ok
        boss | grant_role | principal = "feed", role = "platform", scope = "e" | ok
        books | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        books | configure | billing_account = "ba-a", bill_cycle = "day" | ok
        books | top_up | billing_account = "ba-b", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        books | freeze_billing_account | billing_account = "ba-a" | not_permitted
        books | grant_role | principal = "books", role = "auditor", scope = "ba-a" | not_permitted
        clerk | configure | billing_account = "ba-a", bill_cycle = "day" | ok
        clerk | configure | billing_account = "ba-b", bill_cycle = "day" | ok
        clerk | configure | billing_account = "ba-x", bill_cycle = "day" | not_permitted
        clerk | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        clerk | set_tax_id | enterprise = "e", tax_id = "SG1" | ok
        eyes  | rename_billing_account | billing_account = "ba-a", name = "N" | not_permitted
        feed  | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        boss  | revoke_role | principal = "books", role = "finance_admin", scope = "ba-a" | ok
        books | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        "#,
    );
}

/// R11.1: a grant's limit holds for one top-up at a time; of several grants the furthest counts.
#[test]
fn r11_1_a_role_may_top_up_so_much() {
    Asking::with_members().table(
        r#"
        boss  | grant_role | principal = "books", role = "finance_admin", scope = "ba-a", top_up_limit = "100" | ok
        books | top_up | billing_account = "ba-a", amount = "100.01", currency = "USD", method = "bank_transfer" | over_role_limit
        books | top_up | billing_account = "ba-a", amount = "100", currency = "USD", method = "bank_transfer" | ok
        books | transfer | from = "ba-a", to = "ba-b", amount = "100" | ok
        # Judged before what would be wrong with it besides.
        books | top_up | billing_account = "ba-a", amount = "100.01", currency = "EUR", method = "bank_transfer" | over_role_limit
        boss  | grant_role | principal = "books", role = "finance_admin", scope = "e", top_up_limit = "500" | ok
        books | top_up | billing_account = "ba-a", amount = "500", currency = "USD", method = "bank_transfer" | ok
        boss  | grant_role | principal = "books", role = "finance_admin", scope = "e", top_up_limit = "200" | ok
        books | top_up | billing_account = "ba-a", amount = "500", currency = "USD", method = "bank_transfer" | over_role_limit
        # A root has no limit, whatever else it was granted.
        boss  | grant_role | principal = "a", role = "finance_admin", scope = "ba-a", top_up_limit = "1" | ok
        a     | top_up | billing_account = "ba-a", amount = "900", currency = "USD", method = "bank_transfer" | ok
        "#,
    );
}

/// R11.1: somebody without any right is refused every command there is, but for what he may do for himself.
#[test]
fn r11_1_every_command_asks_for_a_right() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"a | request_payment | request = "x", requester = "ba-a", payer = "x", service = "s", amount = "5" | ok"#,
    );
    for (name, record) in Command::described() {
        let fields = Value::Object(some(&record));
        let fields = toml::Table::try_from(&fields).unwrap().to_string();
        let fields = fields.trim().replace('\n', ", ");
        assert_eq!(asking.ask("nobody", name, &fields), "not_permitted", "{name} {fields}");
    }
}

/// Something for each field of a command that must be said.
fn some(record: &Record) -> Map<String, Value> {
    let needed = record.fields.iter().filter(|field| !matches!(field.shape, Shape::Optional(_)));
    let value = |shape: &Shape| match shape {
        Shape::Decimal => json!("5"),
        Shape::Instant => json!("2026-03-02T00:00:00Z"),
        Shape::Flag => json!(true),
        Shape::List(_) => json!(["a"]),
        Shape::Symbol { symbols, .. } => json!(symbols[0]),
        Shape::Text("enterprise" | "enterprise or billing account") => json!("e"),
        Shape::Text("account") => json!("a"),
        Shape::Text("billing account") => json!("ba-a"),
        Shape::Text("country") => json!("US"),
        Shape::Text("invoice run") => json!("2026-03-16.usd.e"),
        _ => json!("x"),
    };
    needed.map(|field| (field.name.to_owned(), value(&field.shape))).collect()
}

/// R11.1: the roles as their names promise, right by right.
#[test]
fn r11_1_what_each_role_gives() {
    let mut found = String::new();
    for role in Role::ALL {
        let rights: Vec<&str> = role.gives().iter().map(|right| right.text()).collect();
        found.push_str(&format!("{role}: {}\n", rights.join(" ")));
    }
    let expected = "\
finance_admin: change spend authorize see see_billing see_service
billing_editor: change see see_billing see_service
finance_viewer: see see_billing see_service
billing_viewer: see_billing
isolated_spender: authorize
freezer: freeze_recharge
platform: send_usage see_service
auditor: see see_billing see_service see_trail
";
    assert_eq!(found, expected);
    // None of them says who may do what, closes or freezes anything, or decides for an account.
    for right in [Right::Operate, Right::Grant, Right::Govern, Right::Join] {
        assert!(Role::ALL.iter().all(|role| !role.gives().contains(&right)), "{right}");
    }
}

/// R9.6: a billing account may have several administrators, whenever each was granted, and each stays one.
#[test]
fn r9_6_another_administrator_replaces_nobody() {
    Asking::with_members().table(
        r#"
        boss | grant_admin | billing_account = "ba-a", accounts = ["b"] | ok
        boss | grant_admin | billing_account = "ba-a", accounts = ["c"] | ok
        see | billing_account ba-a | administrators = ["b", "c"]
        b | rename_billing_account | billing_account = "ba-a", name = "N" | ok
        c | rename_billing_account | billing_account = "ba-a", name = "M" | ok
        boss | revoke_admin | billing_account = "ba-a", accounts = ["b"] | ok
        see | billing_account ba-a | administrators = ["c"]
        "#,
    );
}

/// R11.1: what somebody may do is listed for whoever shows it: all for the operator, nothing for a stranger, and for
/// others what their roles give at that very place.
#[test]
fn r11_1_the_rights_over_something_are_listed() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        boss | grant_role | principal = "eyes", role = "billing_viewer", scope = "ba-a" | ok
        boss | grant_role | principal = "clerk", role = "billing_editor", scope = "e" | ok
        boss | grant_role | principal = "books", role = "finance_admin", scope = "ba-a", top_up_limit = "10" | ok
        a | request_payment | request = "r", requester = "ba-a", payer = "b", service = "s", amount = "5" | ok
        "#,
    );
    let rights = |who: &str, subject: Subject<'_>| {
        let rights = asking.ledger.rights_over(&who.parse().unwrap(), subject);
        rights.map(|rights| rights.iter().map(|right| right.text()).collect::<Vec<_>>().join(" "))
    };
    let all: Vec<&str> = Right::ALL.iter().map(|right| right.text()).collect();
    let all = all.join(" ");
    let (own, elsewhere) = ("ba-a".parse().unwrap(), "ba-none".parse().unwrap());
    let editor = "change see see_billing see_service";
    for (who, expected) in [
        ("operator", all.as_str()),
        ("nobody", ""),
        ("b", ""),
        ("eyes", "see_billing"),
        ("clerk", editor),
        ("books", "change spend authorize see see_billing see_service"),
    ] {
        assert_eq!(rights(who, Subject::Wallet(&own)).as_deref(), Some(expected), "{who}");
        assert_eq!(rights(who, Subject::Wallet(&elsewhere)), None, "{who}");
    }
    let (enterprise, account, scope, request) =
        ("e".parse().unwrap(), "a".parse().unwrap(), "ba-a".parse().unwrap(), "r".parse().unwrap());
    for (subject, of_eyes, of_clerk) in [
        (Subject::Enterprise(&enterprise), "", editor),
        (Subject::Account(&account), "", editor),
        (Subject::Scope(&scope), "see_billing", editor),
        (Subject::RequestOf(&request), "see_billing", editor),
        // Whoever is asked pays from another billing account.
        (Subject::RequestTo(&request), "", editor),
    ] {
        assert_eq!(rights("eyes", subject).as_deref(), Some(of_eyes), "{subject:?}");
        assert_eq!(rights("clerk", subject).as_deref(), Some(of_clerk), "{subject:?}");
    }
}
