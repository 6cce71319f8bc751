//! Administrators, roles and the freeze of recharge: every refusal, in its order.

use super::super::asking::Asking;

/// R9.5: who is made an administrator, and who cannot.
#[test]
fn r9_5_administrators_are_granted_and_revoked() {
    let many = |count: usize| format!("[{}]", vec![r#""b""#; count].join(", "));
    let mut asking = Asking::with_members();
    asking.table(&format!(
        r#"
        operator | open_enterprise | enterprise = "g", name = "G", country = "US", management_account = "boss-g" | ok
        operator | open_account | account = "y", enterprise = "g", email = "x@y.example", mode = "prepaid" | ok
        operator | open_account | account = "gone", enterprise = "e", email = "x@y.example", mode = "prepaid" | ok
        operator | close_account | account = "gone" | ok
        operator | grant_admin | billing_account = "ba-none", accounts = ["b"] | not_found
        operator | grant_admin | billing_account = "ba-a", accounts = [] | malformed
        operator | grant_admin | billing_account = "ba-a", accounts = {too_many} | too_many_accounts
        operator | grant_admin | billing_account = "ba-a", accounts = ["b", "boss"] | super_administrator
        operator | grant_admin | billing_account = "ba-y", accounts = ["y"] | account_center_off
        operator | grant_admin | billing_account = "ba-a", accounts = ["b", "x"] | different_enterprise
        operator | grant_admin | billing_account = "ba-a", accounts = ["b", "elsewhere"] | different_enterprise
        operator | grant_admin | billing_account = "ba-a", accounts = ["b", "gone"] | account_closed
        see | billing_account ba-a | administrators = []
        boss | grant_admin | billing_account = "ba-a", accounts = {most} | ok
        boss | grant_admin | billing_account = "ba-a", accounts = ["c", "b"] | ok
        see | billing_account ba-a | administrators = ["b", "c"]
        see | enterprise e | administrators = ["b", "c"], management_account = "boss"
        operator | revoke_admin | billing_account = "ba-a", accounts = [] | malformed
        operator | revoke_admin | billing_account = "ba-a", accounts = {too_many} | too_many_accounts
        operator | revoke_admin | billing_account = "ba-a", accounts = ["boss"] | super_administrator
        operator | revoke_admin | billing_account = "ba-y", accounts = ["y"] | account_center_off
        operator | revoke_admin | billing_account = "ba-a", accounts = ["x"] | different_enterprise
        operator | revoke_admin | billing_account = "ba-a", accounts = ["b", "a"] | not_found
        # The owner has every right over his own.
        a | revoke_admin | billing_account = "ba-a", accounts = ["c"] | ok
        see | billing_account ba-a | administrators = ["b"]
        a | grant_admin | billing_account = "ba-a", accounts = ["c"] | ok
        b | revoke_admin | billing_account = "ba-a", accounts = ["c"] | not_permitted
        "#,
        too_many = many(21),
        most = many(20),
    ));
}

/// R9.5: twenty accounts are the most of one call, not of a billing account.
#[test]
fn r9_5_more_than_twenty_are_granted_by_several_calls() {
    let mut asking = Asking::with_members();
    let names: Vec<String> = (0..20).map(|number| format!("m{number}")).collect();
    for name in &names {
        asking.table(&format!(
            "operator | open_account | account = \"{name}\", enterprise = \"e\", email = \"x@y.example\", mode = \"postpaid\" | ok"
        ));
    }
    let names = format!("\"{}\"", names.join("\", \""));
    asking.table(&format!(
        r#"
        boss | grant_admin | billing_account = "ba-a", accounts = [{names}] | ok
        boss | grant_admin | billing_account = "ba-a", accounts = ["b", "c"] | ok
        see | billing_account ba-a | administrators = ["b", "c", {names}]
        "#
    ));
}

/// R11.1: roles are granted where he who grants may, and one of each.
#[test]
fn r11_1_roles_are_granted_and_revoked() {
    Asking::with_members().table(
        r#"
        operator | grant_role | principal = "p", role = "auditor", scope = "none" | not_found
        operator | grant_role | principal = "p", role = "finance_admin", scope = "ba-a", top_up_limit = "-1" | invalid_amount
        operator | grant_role | principal = "p", role = "finance_admin", scope = "ba-a", top_up_limit = "1.001" | invalid_amount
        a | grant_role | principal = "p", role = "finance_admin", scope = "ba-a", top_up_limit = "10" | ok
        a | grant_role | principal = "p", role = "finance_admin", scope = "ba-b" | not_permitted
        a | grant_role | principal = "p", role = "finance_admin", scope = "e" | not_permitted
        boss | grant_role | principal = "p", role = "auditor", scope = "e" | ok
        boss | grant_role | principal = "p", role = "auditor", scope = "f" | not_permitted
        see | enterprise e | roles = [{ principal = "p", role = "finance_admin", scope = "ba-a", top_up_limit = "10" }, { principal = "p", role = "auditor", scope = "e" }]
        a | grant_role | principal = "p", role = "finance_admin", scope = "ba-a" | ok
        see | enterprise e | roles = [{ principal = "p", role = "finance_admin", scope = "ba-a" }, { principal = "p", role = "auditor", scope = "e" }]
        a | revoke_role | principal = "p", role = "auditor", scope = "ba-a" | not_found
        a | revoke_role | principal = "p", role = "finance_admin", scope = "ba-a" | ok
        a | revoke_role | principal = "p", role = "finance_admin", scope = "ba-a" | not_found
        operator | revoke_role | principal = "p", role = "auditor", scope = "none" | not_found
        see | enterprise e | roles = [{ principal = "p", role = "auditor", scope = "e" }]
        "#,
    );
}

/// R11.3: one call stops top-ups under the whole enterprise, whoever asks; one allows them again.
#[test]
fn r11_3_a_freezer_stops_top_ups() {
    Asking::with_members().table(
        r#"
        a | freeze_recharge | enterprise = "e" | not_permitted
        boss | grant_role | principal = "brake", role = "freezer", scope = "e" | ok
        brake | freeze_recharge | enterprise = "f" | not_permitted
        brake | unfreeze_recharge | enterprise = "e" | not_found
        brake | freeze_recharge | enterprise = "e" | ok
        see | enterprise e | recharge_frozen = true
        see | enterprise f | recharge_frozen = false
        brake | freeze_recharge | enterprise = "e" | recharge_frozen
        a | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | recharge_frozen
        operator | top_up | billing_account = "ba-b", amount = "0", currency = "EUR", method = "bank_transfer" | recharge_frozen
        b | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | not_permitted
        operator | top_up | billing_account = "ba-x", amount = "50", currency = "USD", method = "bank_transfer" | ok
        # Other money comes in.
        operator | adjust | billing_account = "ba-a", amount = "50", reason = "goodwill" | ok
        a | transfer | from = "ba-a", to = "ba-b", amount = "5" | ok
        brake | unfreeze_recharge | enterprise = "e" | ok
        a | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        operator | freeze_recharge | enterprise = "none" | not_found
        "#,
    );
}

/// R12.4: a tax number that is entered later stands from then on.
#[test]
fn r12_4_a_tax_number_is_set() {
    Asking::with_members().table(
        r#"
        boss | set_tax_id | enterprise = "e", tax_id = "SG1" | ok
        see | enterprise e | tax_id = "SG1"
        operator | set_tax_id | enterprise = "none", tax_id = "SG1" | not_found
        # R12.4: each by the rule of its enterprise's country.
        operator | open_enterprise | enterprise = "de", name = "D", country = "DE", tax_id = "DE136695978" | tax_id_invalid
        operator | open_enterprise | enterprise = "de", name = "D", country = "DE", credit_total = "-1", tax_id = "DE136695978" | invalid_amount
        operator | open_enterprise | enterprise = "de", name = "D", country = "DE", tax_id = "DE 136 695 976" | ok
        operator | open_enterprise | enterprise = "de", name = "D", country = "DE", tax_id = "DE136695978" | already_exists
        see | enterprise de | tax_id = "DE 136 695 976"
        operator | set_tax_id | enterprise = "de", tax_id = "ATU13585626" | tax_id_invalid
        see | enterprise de | tax_id = "DE 136 695 976"
        operator | set_tax_id | enterprise = "de", tax_id = "ATU13585627" | ok
        see | enterprise de | tax_id = "ATU13585627"
        "#,
    );
}
