//! Keys: every refusal, in its order, and whom they open for.

use super::super::asking::Asking;
use super::is_hash;

/// A hash that is that of no key.
fn hash(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// R11.1: whoever may say who may do what makes keys, with a role; an account's root alone lets a key act as itself.
#[test]
fn r11_1_every_refusal_of_keys_in_its_order() {
    let (one, two) = (hash('1'), hash('2'));
    Asking::with_members().table(&format!(
        r#"
        operator | create_key | principal = "ci", role = "platform", scope = "none", hash = "{one}" | not_found
        a | create_key | principal = "ci", role = "platform", scope = "ba-b", hash = "{one}" | not_permitted
        a | create_key | principal = "ci", role = "platform", scope = "e", hash = "{one}" | not_permitted
        # Whoever governs an account does not act in its name.
        boss | create_key | principal = "a", role = "auditor", scope = "ba-a", hash = "{one}" | not_permitted
        b | create_key | principal = "b", role = "auditor", scope = "ba-a", hash = "{one}" | not_permitted
        a | create_key | principal = "ci", role = "finance_admin", scope = "ba-a", top_up_limit = "1.001", hash = "{one}" | invalid_amount
        a | create_key | principal = "ci", role = "finance_admin", scope = "ba-a", top_up_limit = "-1", hash = "{one}" | invalid_amount
        a | create_key | principal = "ci", role = "finance_admin", scope = "ba-a" | malformed
        a | create_key | principal = "ci", role = "finance_admin", scope = "ba-a", top_up_limit = "10", hash = "{one}" | ok
        see | enterprise e | keys = [{{ principal = "ci", role = "finance_admin", scope = "ba-a", created_at = "2026-03-01T00:00:00Z" }}]
        see | enterprise e | roles = [{{ principal = "ci", role = "finance_admin", scope = "ba-a", top_up_limit = "10" }}]
        # It may do what its role allows, and no more.
        ci | rename_billing_account | billing_account = "ba-a", name = "A" | ok
        ci | rename_billing_account | billing_account = "ba-b", name = "B" | not_permitted
        ci | create_key | principal = "more", role = "auditor", scope = "ba-a", hash = "{two}" | not_permitted
        # One name has one key, and one key one name.
        boss | create_key | principal = "ci", role = "auditor", scope = "e", top_up_limit = "-1", hash = "{two}" | already_exists
        boss | create_key | principal = "other", role = "auditor", scope = "e", hash = "{one}" | already_exists
        a | create_key | principal = "a", role = "auditor", scope = "ba-a", hash = "{two}" | ok
        # Nor is an account opened whose root the key would be.
        boss | open_account | account = "ci", enterprise = "e", email = "x@y.example", mode = "prepaid" | already_exists
        b | revoke_key | principal = "ci", role = "finance_admin", scope = "ba-a" | not_permitted
        a | revoke_key | principal = "ci", role = "auditor", scope = "ba-a" | not_found
        boss | revoke_key | principal = "ci", role = "finance_admin", scope = "e" | not_found
        operator | revoke_key | principal = "ci", role = "finance_admin", scope = "none" | not_found
        a | revoke_key | principal = "ci", role = "finance_admin", scope = "ba-a" | ok
        a | revoke_key | principal = "ci", role = "finance_admin", scope = "ba-a" | not_found
        see | enterprise e | keys = [{{ principal = "a", role = "auditor", scope = "ba-a", created_at = "2026-03-01T00:00:00Z" }}], roles = [{{ principal = "a", role = "auditor", scope = "ba-a" }}]
        ci | rename_billing_account | billing_account = "ba-a", name = "A" | not_permitted
        # What was revoked never opens anything again.
        a | create_key | principal = "ci", role = "auditor", scope = "ba-a", hash = "{one}" | already_exists
        # A role that was taken away before is not missed.
        a | revoke_role | principal = "a", role = "auditor", scope = "ba-a" | ok
        a | revoke_key | principal = "a", role = "auditor", scope = "ba-a" | ok
        see | enterprise e | keys = [], roles = []
        "#
    ));
}

/// A key opens from its making to its revocation, by the scope that it begins with.
#[test]
fn a_key_is_known_by_its_scope_and_hash_while_it_is_in_force() {
    let (one, two) = (hash('1'), hash('2'));
    let mut asking = Asking::with_members();
    let holder = |asking: &Asking, scope: &str, hash: &str| {
        let found = asking.ledger.key_holder(&scope.parse().unwrap(), hash);
        found.map(ToString::to_string)
    };
    assert_eq!(holder(&asking, "ba-a", &one), None);
    asking.table(&format!(
        r#"
        a | create_key | principal = "ci", role = "platform", scope = "ba-a", hash = "{one}" | ok
        "#
    ));
    assert_eq!(holder(&asking, "ba-a", &one).as_deref(), Some("ci"));
    assert_eq!(holder(&asking, "e", &one).as_deref(), Some("ci"));
    for (scope, hash) in [("ba-a", &two), ("ba-y", &one), ("f", &one), ("none", &one)] {
        assert_eq!(holder(&asking, scope, hash), None, "{scope}");
    }
    asking.table(&format!(
        r#"
        a | revoke_key | principal = "ci", role = "platform", scope = "ba-a" | ok
        a | create_key | principal = "ci", role = "platform", scope = "ba-a", hash = "{two}" | ok
        "#
    ));
    assert_eq!(holder(&asking, "ba-a", &one), None);
    assert_eq!(holder(&asking, "ba-a", &two).as_deref(), Some("ci"));
}

/// R11.1: the role that came with a key goes with it, and no other one.
#[test]
fn r11_1_a_key_takes_its_own_role_along() {
    Asking::with_members().table(&format!(
        r#"
        a | create_key | principal = "ci", role = "platform", scope = "ba-a", hash = "{one}" | ok
        a | revoke_key | principal = "ci", role = "platform", scope = "ba-a" | ok
        see | enterprise e | keys = [], roles = []
        a | create_key | principal = "ci", role = "platform", scope = "ba-a", hash = "{two}" | ok
        a | grant_role | principal = "ci", role = "auditor", scope = "ba-a" | ok
        a | revoke_key | principal = "ci", role = "platform", scope = "ba-a" | ok
        see | enterprise e | keys = [], roles = [{{ principal = "ci", role = "auditor", scope = "ba-a" }}]
        "#,
        one = hash('1'),
        two = hash('2'),
    ));
}

/// Whoever is refused a key is told whether to choose another name, or never to send this one again.
#[test]
fn a_refused_key_says_why_it_is_taken() {
    Asking::with_members().table(&format!(
        r#"
        a | create_key | principal = "ci", role = "platform", scope = "ba-a", hash = "{one}" | ok
        a | create_key | principal = "other", role = "platform", scope = "ba-a", hash = "{one}" | already_exists | this very key is that of ci
        a | create_key | principal = "ci", role = "platform", scope = "ba-a", hash = "{two}" | already_exists | ci has a key; revoke it, or choose another name
        a | revoke_key | principal = "ci", role = "platform", scope = "ba-a" | ok
        a | create_key | principal = "ci", role = "platform", scope = "ba-a", hash = "{one}" | already_exists | this very key was revoked; ask under another idempotency key
        "#,
        one = hash('1'),
        two = hash('2'),
    ));
}

/// A hash has 64 digits, all of them hexadecimal and small.
#[test]
fn only_what_a_sha_256_looks_like_is_a_hash() {
    let mixed = "0123456789abcdef".repeat(4);
    let short = "a".repeat(63);
    for (text, is_one) in [
        (mixed.clone(), true),
        (hash('0'), true),
        (short.clone(), false),
        (format!("{}a", hash('a')), false),
        (format!("{short}g"), false),
        (format!("{short}A"), false),
        (format!("{short}/"), false),
        (format!("{short}:"), false),
        (mixed.to_uppercase(), false),
    ] {
        assert_eq!(is_hash(&text.parse().unwrap()), is_one, "{text}");
    }
}
