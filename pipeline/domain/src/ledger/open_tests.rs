//! Accounts and billing accounts are opened, and paid for by somebody else.

use super::super::asking::Asking;
use super::super::desk_tests::check;

/// R4.6: neither an account nor a billing account is opened under a name that is taken.
#[test]
fn r4_6_names_are_taken_once() {
    let rest = r#"enterprise = "e", email = "x@y.example", mode = "postpaid""#;
    Asking::with_members().table(&format!(
        r#"
        operator | open_account | account = "a", billing_account = "new", {rest} | already_exists
        operator | open_account | account = "new", billing_account = "ba-a", {rest} | already_exists
        operator | open_account | account = "new", billing_account = "new", {rest} | ok
        operator | open_account | account = "a", {rest} | already_exists
        "#
    ));
}

/// R8.3, R9.4: who is no longer paid for from a billing account has nothing delayed there; if it pays for him again, it
/// begins anew.
#[test]
fn r8_3_a_change_of_payer_ends_what_was_delayed() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
        open_account account=b enterprise=e email=b@x.example currency=USD mode=prepaid
        top_up billing_account=ba-b amount=500 currency=USD method=bank_transfer
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        configure billing_account=ba-a delayed_suspension={\"hours\":10}
        change_payer account=b billing_account=ba-a
        at 2026-03-01T00:10:00Z
        use b p 3000
        service b                   -> running
        at 2026-03-01T05:10:00Z
        change_payer account=b billing_account=ba-b
        at 2026-03-01T06:10:00Z
        change_payer account=b billing_account=ba-a
        at 2026-03-01T10:30:00Z
        service a                   -> suspended
        service b                   -> running
        at 2026-03-01T16:09:59Z
        service b                   -> running
        at 2026-03-01T16:10:00Z
        service b                   -> suspended
        ",
    );
}
