//! Members that come and go.

use super::super::asking::Asking;

/// R4.6: by whom, in which state, in the order of refusals.
#[test]
fn r4_6_a_membership_is_ended_invited_and_accepted() {
    Asking::with_members().table(
        r#"
        see | account a | state = "active"
        boss | invite_account | account = "a", enterprise = "e" | already_exists
        a    | accept_invitation | account = "a", enterprise = "e" | not_found
        boss | end_membership | account = "boss" | super_administrator
        a    | end_membership | account = "a", enterprise = "f" | different_enterprise
        b    | end_membership | account = "a" | not_permitted
        boss | end_membership | account = "a", enterprise = "e" | ok
        see | account a | state = "ended"
        boss | end_membership | account = "a" | not_found
        # Who left may not invite himself, and nobody accepts for him.
        a    | invite_account | account = "a" | not_permitted
        boss-f | invite_account | account = "a" | not_permitted
        boss | invite_account | account = "a", enterprise = "f" | different_enterprise
        boss | invite_account | account = "a" | ok
        boss | invite_account | account = "a" | already_exists
        see | account a | state = "invited"
        boss | accept_invitation | account = "a" | not_permitted
        a    | accept_invitation | account = "a", enterprise = "f" | different_enterprise
        a    | accept_invitation | account = "a" | ok
        see | account a | state = "active"
        # Both sides may end it, and an invitation can be declined or withdrawn.
        a    | end_membership | account = "a" | ok
        boss | invite_account | account = "a" | ok
        a    | end_membership | account = "a" | ok
        boss | invite_account | account = "a" | ok
        boss | end_membership | account = "a" | ok
        a    | close_account | account = "a" | ok
        boss | invite_account | account = "a" | account_closed
        operator | accept_invitation | account = "a" | account_closed
        operator | invite_account | account = "none" | not_found
        "#,
    );
}

/// R4.6: section 9 needs an active member on both sides.
#[test]
fn r4_6_nothing_is_shared_with_who_left() {
    for leave in [
        r#"boss | end_membership | account = "a" | ok"#,
        r#"
        boss | end_membership | account = "a" | ok
        boss | invite_account | account = "a" | ok
        "#,
    ] {
        let mut asking = Asking::with_members();
        asking.table(
            r#"
            operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
            operator | top_up | billing_account = "ba-b", amount = "50", currency = "USD", method = "bank_transfer" | ok
            a | transfer | from = "ba-a", to = "ba-b", amount = "5" | ok
            "#,
        );
        asking.table(leave);
        asking.table(
            r#"
            operator | transfer | from = "ba-a", to = "ba-b", amount = "5" | different_enterprise
            operator | transfer | from = "ba-b", to = "ba-a", amount = "5" | different_enterprise
            operator | revoke_transfer | from = "ba-a", to = "ba-b", amount = "5" | different_enterprise
            operator | change_payer | account = "a", billing_account = "ba-b" | different_enterprise
            operator | change_payer | account = "b", billing_account = "ba-a" | different_enterprise
            operator | grant_admin | billing_account = "ba-b", accounts = ["a"] | different_enterprise
            operator | grant_admin | billing_account = "ba-a", accounts = ["b"] | different_enterprise
            # Who administers all others does not administer his.
            boss | rename_billing_account | billing_account = "ba-a", name = "Mine" | not_permitted
            boss | close_account | account = "a" | not_permitted
            boss | rename_billing_account | billing_account = "ba-b", name = "Ours" | ok
            # What is his own is.
            a | rename_billing_account | billing_account = "ba-a", name = "Mine" | ok
            operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
            operator | invite_account | account = "b" | already_exists
            "#,
        );
    }
}

/// R4.6, R9.4, R9.5: who leaves pays for himself alone, and neither administers nor is administered.
#[test]
fn r4_6_whoever_leaves_takes_nothing_along() {
    Asking::with_members().table(
        r#"
        boss | change_payer | account = "a", billing_account = "ba-b" | ok
        boss | change_payer | account = "c", billing_account = "ba-a", effective_at = "2026-03-05T00:00:00Z" | ok
        boss | grant_admin | billing_account = "ba-b", accounts = ["a", "c"] | ok
        boss | grant_admin | billing_account = "ba-a", accounts = ["c"] | ok
        boss | grant_role | principal = "a", role = "finance_admin", scope = "e" | ok
        boss | grant_role | principal = "a", role = "billing_editor", scope = "ba-a" | ok
        boss | grant_role | principal = "c", role = "auditor", scope = "ba-a" | ok
        see | account a | payer = "ba-b", administers = ["ba-b"]
        see | account c | payer = "ba-c", next_payer = "ba-a", next_payer_from = "2026-03-05T00:00:00Z"
        at | 2026-03-02T00:00:00Z
        a | end_membership | account = "a" | ok
        see | account a | payer = "ba-a", administers = [], roles = [{ principal = "a", role = "billing_editor", scope = "ba-a" }]
        see | billing_account ba-b | administrators = ["c"], payer_of = ["b"]
        see | billing_account ba-a | administrators = [], payer_of = ["a"]
        at | 2026-03-06T00:00:00Z
        see | account c | payer = "ba-c"
        a | rename_billing_account | billing_account = "ba-b", name = "Mine" | not_permitted
        # Back again, he begins anew.
        boss | invite_account | account = "a" | ok
        a | accept_invitation | account = "a" | ok
        a | rename_billing_account | billing_account = "ba-b", name = "Mine" | not_permitted
        see | account a | payer = "ba-a"
        "#,
    );
}

/// R4.6, R9.4: for whom he paid, each pays for himself again from the next full minute on; who paid for himself
/// goes on as before.
#[test]
fn r4_6_whoever_leaves_pays_for_nobody_else() {
    Asking::with_members().table(
        r#"
        boss | change_payer | account = "c", billing_account = "ba-a" | ok
        boss | change_payer | account = "b", billing_account = "ba-a", effective_at = "2026-03-05T00:00:00Z" | ok
        at | 2026-03-02T00:00:30Z
        see | billing_account ba-a | payer_of = ["a", "c"]
        a | end_membership | account = "a" | ok
        see | account c | next_payer = "ba-c", next_payer_from = "2026-03-02T00:01:00Z"
        at | 2026-03-02T00:01:00Z
        see | account c | payer = "ba-c"
        see | account a | payer = "ba-a"
        see | billing_account ba-a | payer_of = ["a"]
        at | 2026-03-06T00:00:00Z
        see | account b | payer = "ba-b"
        "#,
    );
}

/// R4.6, R11.1: over what is his own, those to whom he gave a role keep it when he leaves; roles for the whole
/// enterprise, and for others, do not reach it.
#[test]
fn r4_6_whoever_leaves_keeps_those_to_whom_he_gave_a_role() {
    Asking::with_members().table(
        r#"
        boss | grant_role | principal = "books", role = "finance_admin", scope = "ba-a" | ok
        boss | grant_role | principal = "clerk", role = "finance_admin", scope = "e" | ok
        boss | grant_role | principal = "other", role = "finance_admin", scope = "ba-b" | ok
        boss | end_membership | account = "a" | ok
        books | rename_billing_account | billing_account = "ba-a", name = "Ours" | ok
        clerk | rename_billing_account | billing_account = "ba-a", name = "Ours" | not_permitted
        other | rename_billing_account | billing_account = "ba-a", name = "Ours" | not_permitted
        books | rename_billing_account | billing_account = "ba-b", name = "Ours" | not_permitted
        "#,
    );
}
