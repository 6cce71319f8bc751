//! Credit limits (R9.3).

use super::super::asking::Asking;
use super::super::desk_tests::check;

const ACCOUNT: &str = "
    open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
";

/// R9.3: the limits of one currency stay within the enterprise's total, those that wait for a contract included;
/// the limit that is replaced does not count beside its successor.
#[test]
fn r9_3_limits_stay_within_what_the_enterprise_has_in_all() {
    Asking::with_members().table(
        r#"
        operator | open_enterprise | enterprise = "g", name = "G", country = "US", credit_total = "100" | ok
        operator | open_account | account = "one", enterprise = "g", email = "x@y.example", mode = "postpaid" | ok
        operator | open_account | account = "two", enterprise = "g", email = "x@y.example", mode = "postpaid" | ok
        operator | open_account | account = "euro", enterprise = "g", email = "x@y.example", mode = "postpaid", currency = "EUR" | ok
        operator | set_credit_limit | billing_account = "ba-one", limit = "100.01" | exceeds_entity_credit
        operator | set_credit_limit | billing_account = "ba-one", limit = "60" | ok
        operator | set_credit_limit | billing_account = "ba-two", limit = "40.01" | exceeds_entity_credit
        operator | set_credit_limit | billing_account = "ba-two", limit = "40" | ok
        operator | confirm_contract | billing_account = "ba-one" | ok
        operator | set_credit_limit | billing_account = "ba-one", limit = "60.01" | exceeds_entity_credit
        operator | set_credit_limit | billing_account = "ba-one", limit = "60" | ok
        operator | set_credit_limit | billing_account = "ba-euro", limit = "100.01" | exceeds_entity_credit
        operator | set_credit_limit | billing_account = "ba-euro", limit = "100" | ok
        see | balance ba-one | credit_limit = "60", credit_limit_pending = "0"
        see | balance ba-two | credit_limit = "0", credit_limit_pending = "40"
        see | balance ba-euro | credit_limit = "0", credit_limit_pending = "100"
        # An enterprise without a total has no bound.
        operator | set_credit_limit | billing_account = "ba-a", limit = "100000" | ok
        "#,
    );
}

/// R9.3: the first limit waits for a contract, every later one holds at once; where there is none and none
/// waits, none is set and nobody is told.
#[test]
fn r9_3_only_the_first_limit_waits_for_a_contract() {
    check(
        "",
        &format!(
            "{ACCOUNT}
            set_credit_limit billing_account=ba-a limit=0
            told ba-a                   ->
            confirm_contract billing_account=ba-a -> not_found
            set_credit_limit billing_account=ba-a limit=100
            told ba-a                   -> credit_limit
            balance ba-a                -> credit_limit=0 credit_limit_pending=100
            set_credit_limit billing_account=ba-a limit=0
            told ba-a                   -> credit_limit
            balance ba-a                -> credit_limit=0 credit_limit_pending=0
            set_credit_limit billing_account=ba-a limit=100
            confirm_contract billing_account=ba-a
            told ba-a                   -> credit_limit, credit_limit
            balance ba-a                -> credit_limit=100 credit_limit_pending=0
            set_credit_limit billing_account=ba-a limit=80
            told ba-a                   -> credit_limit
            balance ba-a                -> credit_limit=80 credit_limit_pending=0
            "
        ),
    );
}

/// R9.3: a limit is lowered only as far as it is free; one that is left as it is, or raised, asks for nothing, however
/// much is owed.
#[test]
fn r9_3_a_limit_in_use_is_not_lowered() {
    check(
        "",
        &format!(
            "{ACCOUNT}
            set_credit_limit billing_account=ba-a limit=80
            confirm_contract billing_account=ba-a
            use a p 13000
            balance ba-a                -> available=-50
            set_credit_limit billing_account=ba-a limit=79.99 -> limit_in_use
            set_credit_limit billing_account=ba-a limit=80
            set_credit_limit billing_account=ba-a limit=90
            balance ba-a                -> available=-40 credit_limit=90
            top_up billing_account=ba-a amount=50 currency=USD method=bank_transfer
            set_credit_limit billing_account=ba-a limit=79.99 -> limit_in_use
            set_credit_limit billing_account=ba-a limit=80
            balance ba-a                -> available=0 credit_limit=80
            "
        ),
    );
}

/// R5.4: a limit that is changed leaves the switch as it is; without any, bills are written off again.
#[test]
fn r5_4_without_a_limit_write_off_is_on() {
    check(
        "",
        &format!(
            "{ACCOUNT}
            set_credit_limit billing_account=ba-a limit=100
            # It waits for its contract, and is no limit yet.
            configure billing_account=ba-a auto_write_off=false -> write_off_required
            confirm_contract billing_account=ba-a
            configure billing_account=ba-a auto_write_off=false
            set_credit_limit billing_account=ba-a limit=80
            top_up billing_account=ba-a amount=50 currency=USD method=bank_transfer
            use a p 1000
            at 2026-03-01T01:00:00Z
            balance ba-a                -> cash=50 unsettled_current=10
            set_credit_limit billing_account=ba-a limit=0
            balance ba-a                -> cash=40 unsettled_current=0
            use a p 500
            at 2026-03-01T02:00:00Z
            balance ba-a                -> cash=35 unsettled_current=0
            configure billing_account=ba-a auto_write_off=false -> write_off_required
            "
        ),
    );
}
