//! Isolated spend, asked for line by line (R11.2).

use super::super::Fact;
use super::super::asking::Asking;
use super::super::recording::{Recorded, Recorder};
use super::*;
use crate::commands::{Asked, Command};
use crate::ids::PrincipalId;
use crate::time::Span;

/// The members, with enough cash that nobody is overdue.
fn rich() -> Asking {
    let mut asking = Asking::with_members();
    for wallet in ["ba-a", "ba-b", "ba-c"] {
        let fields = format!(r#"billing_account = "{wallet}", amount = "5000", reason = "test""#);
        assert_eq!(asking.ask("operator", "adjust", &fields), "ok");
    }
    asking
}

/// What was told of caps: account, month, percent and charges.
fn told(asking: &Asking) -> Vec<String> {
    let facts = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::Noticed(noticed) => Some((noticed.wallet, noticed.cap.as_deref()?)),
        _ => None,
    });
    let said = |(wallet, cap): (WalletNumber, &CapReached)| {
        let payer = &asking.ledger.wallet(wallet).unwrap().id;
        let CapReached { account, month, percent, monthly_cap, charged } = cap;
        format!("{payer}: {account} {month} {percent}% of {monthly_cap}, {charged}")
    };
    facts.map(said).collect()
}

/// R11.2: every refusal of an allocation, in its order, and who may allocate: whoever may spend from the
/// billing account that pays.
#[test]
fn r11_2_every_refusal_of_an_allocation_in_its_order() {
    Asking::with_members().table(
        r#"
        boss | change_payer | account = "c", billing_account = "ba-b" | ok
        boss | grant_role | principal = "books", role = "finance_admin", scope = "ba-b" | ok
        boss | grant_role | principal = "clerk", role = "billing_editor", scope = "e" | ok
        boss | grant_role | principal = "bot", role = "isolated_spender", scope = "e" | ok

        operator | allocate_spend | account = "none", credit = "-1" | not_found
        c     | allocate_spend | account = "c", credit = "-1" | not_permitted
        bot   | allocate_spend | account = "c", credit = "-1" | not_permitted
        clerk | allocate_spend | account = "c", credit = "-1" | not_permitted
        x     | allocate_spend | account = "c", credit = "-1" | not_permitted
        books | allocate_spend | account = "a", credit = "-1" | not_permitted
        books | allocate_spend | account = "c", credit = "-1" | invalid_amount
        books | allocate_spend | account = "c", monthly_cap = "-1" | invalid_amount
        books | allocate_spend | account = "c", credit = "1", monthly_cap = "0.001" | invalid_amount
        books | allocate_spend | account = "c", credit = "1000000000000000" | invalid_amount
        books | allocate_spend | account = "c", credit = "0", monthly_cap = "0" | ok
        b     | allocate_spend | account = "c", credit = "1" | ok
        boss  | allocate_spend | account = "c", credit = "1" | ok
        # Who pays for himself says for himself.
        a     | allocate_spend | account = "a", credit = "1" | ok
        boss  | close_account | account = "c" | ok
        books | allocate_spend | account = "c", credit = "-1" | account_closed
        "#,
    );
}

/// R11.2: every refusal of an authorization, in its order, and who may ask: the root, and an isolated spender
/// at the billing account that pays.
#[test]
fn r11_2_every_refusal_of_an_authorization_in_its_order() {
    Asking::with_members().table(
        r#"
        operator | open_account | account = "p", enterprise = "e", email = "p@x.example", mode = "prepaid" | ok
        operator | adjust | billing_account = "ba-p", amount = "10", reason = "test" | ok
        boss | change_payer | account = "c", billing_account = "ba-p" | ok
        boss | change_payer | account = "b", billing_account = "ba-p" | ok
        boss | grant_role | principal = "bot", role = "isolated_spender", scope = "ba-p" | ok
        boss | grant_role | principal = "elsewhere", role = "isolated_spender", scope = "ba-a" | ok
        boss | grant_role | principal = "eyes", role = "auditor", scope = "e" | ok
        boss | allocate_spend | account = "p", credit = "12", monthly_cap = "11" | ok

        operator  | authorize | account = "none", amount = "-1", authorization = "j" | not_found
        elsewhere | authorize | account = "p", amount = "-1", authorization = "j" | not_permitted
        eyes      | authorize | account = "p", amount = "-1", authorization = "j" | not_permitted
        a         | authorize | account = "p", amount = "-1", authorization = "j" | not_permitted
        bot       | authorize | account = "a", amount = "-1", authorization = "j" | not_permitted
        bot       | authorize | account = "p", amount = "1", authorization = "j" | ok
        boss      | freeze_billing_account | billing_account = "ba-p" | ok
        bot       | authorize | account = "p", amount = "-1", authorization = "j" | frozen
        c         | authorize | account = "c", amount = "1", authorization = "j" | frozen
        boss      | unfreeze_billing_account | billing_account = "ba-p" | ok
        boss      | close_account | account = "b" | ok
        bot       | authorize | account = "b", amount = "-1", authorization = "j" | account_closed
        bot       | authorize | account = "p", amount = "-1", authorization = "j" | already_exists

        # Ten are used: nothing is left, and the prepaid account stops.
        use | p | 10
        bot       | authorize | account = "p", amount = "-1", authorization = "k" | invalid_amount
        bot       | authorize | account = "p", amount = "0.001", authorization = "k" | invalid_amount
        bot       | authorize | account = "p", amount = "9", authorization = "k" | suspended
        c         | authorize | account = "c", amount = "9", authorization = "k" | ok
        use | c | 1
        bot       | authorize | account = "p", amount = "9", authorization = "k" | overdue
        c         | authorize | account = "c", amount = "9", authorization = "l" | overdue
        operator  | adjust | billing_account = "ba-p", amount = "10", reason = "test" | ok
        # The cap comes before the credit.
        p         | authorize | account = "p", amount = "9", authorization = "k" | over_monthly_cap
        boss      | allocate_spend | account = "p", monthly_cap = "100" | ok
        p         | authorize | account = "p", amount = "2.01", authorization = "k" | over_allocated_credit
        p         | authorize | account = "p", amount = "2", authorization = "k" | ok
        boss      | authorize | account = "p", amount = "0", authorization = "l" | ok
        # Whom the enterprise gives a role has it for all that is paid for under it.
        boss      | grant_role | principal = "elsewhere", role = "isolated_spender", scope = "e" | ok
        elsewhere | authorize | account = "p", amount = "0.01", authorization = "m" | over_allocated_credit
        "#,
    );
}

/// R11.2: month's charges, open authorizations and the estimate stay within the cap; usage uses up the oldest
/// authorization first, and beyond what was authorized it counts by itself.
#[test]
fn r11_2_a_cap_holds_charges_and_promises_together() {
    rich().table(
        r#"
        a | allocate_spend | account = "a", monthly_cap = "100" | ok
        see | account a | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "0", authorized = "0", left = "100" }
        use | a | 30
        a | authorize | account = "a", amount = "40", authorization = "one" | ok
        at | 2026-03-01T00:01:00Z
        a | authorize | account = "a", amount = "30.01", authorization = "two" | over_monthly_cap
        a | authorize | account = "a", amount = "30", authorization = "two" | ok
        a | authorize | account = "a", amount = "0.01", authorization = "three" | over_monthly_cap
        a | authorize | account = "a", amount = "0", authorization = "three" | ok
        use | a | 25
        see | account a | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "55", authorized = "45", left = "0" }
        # 15 of the first are left, then the second: 5 of it are used.
        use | a | 20
        see | account a | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "75", authorized = "25", left = "0" }
        # The bill changes nothing.
        at | 2026-03-01T01:00:00Z
        see | account a | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "75", authorized = "25", left = "0" }
        use | a | 40
        see | account a | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "115", authorized = "0", left = "0" }
        a | authorize | account = "a", amount = "0", authorization = "four" | over_monthly_cap
        "#,
    );
}

/// R11.2: what is not used lapses after 24 hours, oldest first; a name is taken until then.
#[test]
fn r11_2_the_rest_lapses() {
    rich().table(
        r#"
        a | allocate_spend | account = "a", monthly_cap = "100" | ok
        at | 2026-03-01T10:00:00Z
        a | authorize | account = "a", amount = "60", authorization = "one" | ok
        at | 2026-03-01T11:00:00Z
        a | authorize | account = "a", amount = "40", authorization = "two" | ok
        use | a | 10
        at | 2026-03-02T09:59:59Z
        a | authorize | account = "a", amount = "1", authorization = "three" | over_monthly_cap
        a | authorize | account = "a", amount = "50", authorization = "one" | already_exists
        see | account a | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "10", authorized = "90", left = "0" }
        at | 2026-03-02T10:00:00Z
        see | account a | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "10", authorized = "40", left = "50" }
        # What has lapsed is not used up: the second is.
        use | a | 5
        see | account a | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "15", authorized = "35", left = "50" }
        a | authorize | account = "a", amount = "50.01", authorization = "one" | over_monthly_cap
        a | authorize | account = "a", amount = "50", authorization = "one" | ok
        at | 2026-03-02T11:00:00Z
        see | account a | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "15", authorized = "50", left = "35" }
        "#,
    );
    let mut asking = rich();
    asking.settings("authorizations.expire_after = \"1h\"");
    asking.table(
        r#"
        a | allocate_spend | account = "a", credit = "10" | ok
        at | 2026-03-01T10:00:00Z
        a | authorize | account = "a", amount = "10", authorization = "one" | ok
        at | 2026-03-01T10:59:59Z
        a | authorize | account = "a", amount = "10", authorization = "two" | over_allocated_credit
        at | 2026-03-01T11:00:00Z
        a | authorize | account = "a", amount = "10", authorization = "two" | ok
        "#,
    );
    // What was authorized before keeps its time, whatever the setting says by now.
    asking.settings("authorizations.expire_after = \"10m\"");
    asking.table(
        r#"
        a | allocate_spend | account = "a", credit = "20" | ok
        a | authorize | account = "a", amount = "10", authorization = "three" | ok
        at | 2026-03-01T11:10:00Z
        see | account a | allocation = { credit = "20", credit_since = "2026-03-01T11:00:00Z", credit_charged = "0", month = "2026-03", month_charged = "0", authorized = "10", left = "10" }
        use | a | 4
        a | authorize | account = "a", amount = "10", authorization = "three" | ok
        at | 2026-03-01T12:00:00Z
        see | account a | allocation = { credit = "20", credit_since = "2026-03-01T11:00:00Z", credit_charged = "4", month = "2026-03", month_charged = "4", authorized = "0", left = "16" }
        "#,
    );
}

/// R11.2: against the credit all charges count since it was allocated, also those of months that are over; a
/// cap begins anew with the month of whoever pays.
#[test]
fn r11_2_a_credit_outlasts_months_and_a_cap_does_not() {
    let mut asking = rich();
    asking.table(
        r#"
        operator | open_account | account = "t", enterprise = "e", email = "t@x.example", mode = "postpaid", time_zone = "Asia/Tokyo" | ok
        operator | adjust | billing_account = "ba-t", amount = "5000", reason = "test" | ok
        use | t | 10
        t | allocate_spend | account = "t", credit = "100", monthly_cap = "70" | ok
        # What was charged before counts for the month only.
        see | account t | allocation = { credit = "100", credit_since = "2026-03-01T00:00:00Z", credit_charged = "0", monthly_cap = "70", month = "2026-03", month_charged = "10", authorized = "0", left = "60" }
        use | t | 40
        t | authorize | account = "t", amount = "21", authorization = "a" | over_monthly_cap
        # In Tokyo it is April.
        at | 2026-03-31T14:59:59Z
        t | authorize | account = "t", amount = "21", authorization = "a" | over_monthly_cap
        at | 2026-03-31T15:00:00Z
        see | account t | allocation = { credit = "100", credit_since = "2026-03-01T00:00:00Z", credit_charged = "40", monthly_cap = "70", month = "2026-04", month_charged = "0", authorized = "0", left = "60" }
        t | authorize | account = "t", amount = "61", authorization = "a" | over_allocated_credit
        t | authorize | account = "t", amount = "60", authorization = "a" | ok
        # Late usage counts in the month in which it is billed, and against the credit (R2.4).
        use | t | 5 | p/m@2026-03-10T00:00:00Z
        see | account t | allocation = { credit = "100", credit_since = "2026-03-01T00:00:00Z", credit_charged = "45", monthly_cap = "70", month = "2026-04", month_charged = "5", authorized = "55", left = "0" }
        # Another credit counts from now on; the promises are still there.
        t | allocate_spend | account = "t", credit = "100" | ok
        see | account t | allocation = { credit = "100", credit_since = "2026-03-31T15:00:00Z", credit_charged = "0", monthly_cap = "70", month = "2026-04", month_charged = "5", authorized = "55", left = "10" }
        "#,
    );
}

/// R11.2: what is not said of an allocation stays; with nothing said there is none any more, and all is allowed
/// that the payer's standing allows. What was authorized without one counts once there is one.
#[test]
fn r11_2_an_allocation_is_lowered_raised_and_taken_away() {
    rich().table(
        r#"
        a | authorize | account = "a", amount = "999999", authorization = "free" | ok
        a | authorize | account = "a", amount = "1", authorization = "free" | already_exists
        a | allocate_spend | account = "a", credit = "1000000" | ok
        see | account a | allocation = { credit = "1000000", credit_since = "2026-03-01T00:00:00Z", credit_charged = "0", month = "2026-03", month_charged = "0", authorized = "999999", left = "1" }
        at | 2026-03-02T00:00:00Z
        use | a | 50
        a | allocate_spend | account = "a", monthly_cap = "80" | ok
        a | authorize | account = "a", amount = "20", authorization = "one" | ok
        # Lower than what is promised already: nothing is taken back, and nothing more is given.
        a | allocate_spend | account = "a", monthly_cap = "60" | ok
        see | account a | allocation = { credit = "1000000", credit_since = "2026-03-01T00:00:00Z", credit_charged = "50", monthly_cap = "60", month = "2026-03", month_charged = "50", authorized = "20", left = "0" }
        a | authorize | account = "a", amount = "0", authorization = "two" | over_monthly_cap
        a | allocate_spend | account = "a" | ok
        a | authorize | account = "a", amount = "999999", authorization = "two" | ok
        # Zero is a limit like any other.
        a | allocate_spend | account = "a", credit = "0" | ok
        a | authorize | account = "a", amount = "0", authorization = "three" | over_allocated_credit
        b | allocate_spend | account = "b", credit = "0" | ok
        b | authorize | account = "b", amount = "0", authorization = "one" | ok
        b | authorize | account = "b", amount = "0.01", authorization = "two" | over_allocated_credit
        "#,
    );
    let mut asking = rich();
    asking.table(
        r#"
        a | allocate_spend | account = "a", credit = "5" | ok
        a | allocate_spend | account = "a" | ok
        "#,
    );
    let account = asking.ledger.account_named(&"a".parse().unwrap()).unwrap();
    assert_eq!(asking.ledger.account_row(account).unwrap().allocation, None);
}

/// R11.2, R9.4: an allocation is the account's. Its month is that of whoever pays now, and charges count
/// whoever paid; so do standing and freezing.
#[test]
fn r11_2_another_payer_in_mid_month() {
    Asking::with_members().table(
        r#"
        boss | allocate_spend | account = "c", monthly_cap = "100" | ok
        use | c | 60
        at | 2026-03-10T00:00:00Z
        boss | change_payer | account = "c", billing_account = "ba-b" | ok
        at | 2026-03-10T00:01:00Z
        use | c | 30
        see | account c | allocation = { monthly_cap = "100", month = "2026-03", month_charged = "90", authorized = "0", left = "10" }
        c | authorize | account = "c", amount = "10.01", authorization = "a" | overdue
        operator | adjust | billing_account = "ba-b", amount = "100", reason = "test" | ok
        c | authorize | account = "c", amount = "10.01", authorization = "a" | over_monthly_cap
        c | authorize | account = "c", amount = "10", authorization = "a" | ok
        # It is not for him any more, who pays no more.
        c | allocate_spend | account = "c", monthly_cap = "1000" | not_permitted
        b | allocate_spend | account = "c", monthly_cap = "1000" | ok
        "#,
    );
}

/// R11.2, R12.5: orders, taxes and coupons change no cap: charges count, before coupons and without tax.
#[test]
fn r11_2_only_charges_count() {
    let mut asking = Asking::with_members();
    asking.settings("tax.rates = { US = \"0.5\" }");
    asking.table(
        r#"
        operator | adjust | billing_account = "ba-a", amount = "1000", reason = "test" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "30", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-06-01T00:00:00Z" | ok
        a | allocate_spend | account = "a", credit = "500", monthly_cap = "200" | ok
        a | place_order | billing_account = "ba-a", order = "o", amount = "150" | ok
        use | a | 40
        at | 2026-03-16T00:00:00Z
        number | invoices
        see | balance ba-a | cash = "760"
        see | account a | allocation = { credit = "500", credit_since = "2026-03-01T00:00:00Z", credit_charged = "40", monthly_cap = "200", month = "2026-03", month_charged = "40", authorized = "0", left = "160" }
        "#,
    );
}

/// R11.2: whoever pays is told at 80 and at 100 percent, once each a month, whoever's usage it is; a charge
/// that comes to both tells of the second.
#[test]
fn r11_2_caps_are_told_once_each_a_month() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        boss | change_payer | account = "c", billing_account = "ba-b" | ok
        at | 2026-03-01T00:01:00Z
        boss | allocate_spend | account = "c", monthly_cap = "100" | ok
        use | c | 79.99
        "#,
    );
    assert!(told(&asking).is_empty());
    asking.table(
        r#"
        use | c | 0.01
        use | c | 10
        at | 2026-03-01T01:00:00Z
        use | c | 9.99
        "#,
    );
    assert_eq!(told(&asking), ["ba-b: c 2026-03 80% of 100, 80"]);
    asking.table(
        r#"
        use | c | 0.01
        use | c | 50
        at | 2026-03-20T00:00:00Z
        use | c | 50
        at | 2026-04-01T00:00:00Z
        use | c | 79
        use | c | 30
        "#,
    );
    let both = told(&asking)[1..].to_vec();
    assert_eq!(both, ["ba-b: c 2026-03 100% of 100, 100", "ba-b: c 2026-04 100% of 100, 109"]);
    // Of another cap it is told anew, with the next charge; of the same cap it is not.
    asking.table(
        r#"
        boss | allocate_spend | account = "c", monthly_cap = "100" | ok
        use | c | 1
        boss | allocate_spend | account = "c", monthly_cap = "130" | ok
        "#,
    );
    assert_eq!(told(&asking).len(), 3);
    asking.table("use | c | 0");
    assert_eq!(told(&asking).len(), 3, "what costs nothing comes no nearer to a cap");
    asking.table("use | c | 0.01");
    assert_eq!(told(&asking)[3..], ["ba-b: c 2026-04 80% of 130, 110.01"]);
    asking.table(
        r#"
        boss | allocate_spend | account = "c", monthly_cap = "0" | ok
        use | c | 1
        at | 2026-05-01T00:00:00Z
        use | c | 0
        "#,
    );
    assert_eq!(told(&asking)[4..], ["ba-b: c 2026-04 100% of 0, 111.01"]);
    asking.table("use | c | 0.5");
    assert_eq!(told(&asking)[5..], ["ba-b: c 2026-05 100% of 0, 0.5"]);
}

/// R11.2, R5.1: usage that metering brings after the month belongs to it as long as its bill is not out, and
/// is told for it.
#[test]
fn r11_2_a_month_is_told_of_while_metering_lags() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        a | allocate_spend | account = "a", monthly_cap = "100" | ok
        use | a | 70
        at | 2026-03-31T23:50:00Z
        "#,
    );
    // Time goes on, and the marks do not.
    let at = "2026-04-01T00:10:00Z".parse().unwrap();
    asking.ledger.pass(at, &mut asking.facts).unwrap();
    asking.table(
        r#"
        use | a | 20 | p/m@2026-03-31T23:59:00Z
        see | account a | allocation = { monthly_cap = "100", month = "2026-04", month_charged = "0", authorized = "0", left = "100" }
        use | a | 80
        use | a | 20 | p/m@2026-03-31T23:59:00Z
        see | account a | allocation = { monthly_cap = "100", month = "2026-04", month_charged = "80", authorized = "0", left = "20" }
        use | a | 20
        "#,
    );
    let expected = [
        "ba-a: a 2026-03 80% of 100, 90",
        "ba-a: a 2026-04 80% of 100, 80",
        "ba-a: a 2026-04 100% of 100, 100",
    ];
    assert_eq!(told(&asking), expected);
}

/// R11.2: what lowers charges (a cheaper tier, a void) makes room, and gives no authorization back; what was
/// told is not told again.
#[test]
fn r11_2_negative_charges_make_room() {
    let mut asking = Asking::with_prices(
        r#"price = [{ product = "p", meter = "m", currency = "USD", model = "volume", tiers = [
            { up_to = "50", unit_price = "2" }, { unit_price = "1" }] }]"#,
    );
    asking.members();
    asking.table(
        r#"
        operator | adjust | billing_account = "ba-a", amount = "5000", reason = "test" | ok
        a | allocate_spend | account = "a", credit = "200", monthly_cap = "100" | ok
        a | authorize | account = "a", amount = "30", authorization = "one" | ok
        use | a | 50
        see | account a | allocation = { credit = "200", credit_since = "2026-03-01T00:00:00Z", credit_charged = "100", monthly_cap = "100", month = "2026-03", month_charged = "100", authorized = "0", left = "0" }
        use | a | 10
        see | account a | allocation = { credit = "200", credit_since = "2026-03-01T00:00:00Z", credit_charged = "60", monthly_cap = "100", month = "2026-03", month_charged = "60", authorized = "0", left = "40" }
        use | a | 40
        "#,
    );
    assert_eq!(told(&asking), ["ba-a: a 2026-03 100% of 100, 100"]);
}

/// R11.2: the last thousand names are remembered, and amounts by the minute: so there is a bound to what an
/// account takes, and none to how often it asks.
#[test]
fn r11_2_whoever_asks_often_takes_no_more_room() {
    let mut asking = Asking::with_members();
    asking.table(r#"a | allocate_spend | account = "a", credit = "100000" | ok"#);
    for number in 0..1_200 {
        let fields = format!(r#"account = "a", amount = "1", authorization = "j{number}""#);
        assert_eq!(asking.ask("a", "authorize", &fields), "ok");
        if number == 600 {
            asking.table("at | 2026-03-01T00:05:00Z");
        }
    }
    let account = asking.ledger.account_named(&"a".parse().unwrap()).unwrap();
    let kept = |asking: &Asking| {
        let spending = asking.ledger.account(account).unwrap().spending.as_deref().unwrap();
        (spending.open.len(), spending.names.len())
    };
    assert_eq!(kept(&asking), (2, NAMES_MAX));
    asking.table(
        r#"
        a | authorize | account = "a", amount = "1", authorization = "j200" | already_exists
        a | authorize | account = "a", amount = "1", authorization = "j199" | ok
        a | authorize | account = "a", amount = "98799.01", authorization = "rest" | over_allocated_credit
        a | authorize | account = "a", amount = "98799", authorization = "rest" | ok
        at | 2026-03-01T00:06:00Z
        a | authorize | account = "a", amount = "0", authorization = "nothing" | ok
        "#,
    );
    assert_eq!(kept(&asking), (2, NAMES_MAX), "of nothing no amount is kept");
}

/// R11.2: room saves judgements and must change none: a ledger that is put together again from its facts before
/// every charge tells the same.
#[test]
fn r11_2_a_restored_ledger_tells_the_same() {
    let run = |restored: bool| {
        let mut asking = Asking::with_members();
        asking.table(r#"a | allocate_spend | account = "a", monthly_cap = "40" | ok"#);
        for step in 0..60 {
            if restored {
                asking.ledger.cap_rooms.clear();
            }
            asking.table(&format!("use | a | {}", step % 7));
            if step % 9 == 0 {
                let at: Timestamp = "2026-03-28T00:00:00Z".parse().unwrap();
                let at = at.plus(Span::minutes(step * 130));
                asking.table(&format!("at | {at}"));
            }
        }
        told(&asking)
    };
    let live = run(false);
    assert_eq!(live.len(), 4, "{live:?}");
    assert_eq!(live, run(true));
}

/// R11.2: a refused authorization changes nothing.
#[test]
fn r11_2_who_is_refused_leaves_nothing_behind() {
    let mut asking = Asking::with_members();
    asking.table(r#"a | allocate_spend | account = "a", credit = "5" | ok"#);
    let mut recorder = Recorder::default();
    let asked = Asked { number: 99, principal: PrincipalId::operator(), key: None, origin: None };
    for (amount, recorded) in [("5.01", 0), ("5", 1)] {
        let command = Command::from(Authorize {
            account: "a".parse().unwrap(),
            amount: amount.parse().unwrap(),
            authorization: "j".parse().unwrap(),
        });
        asking.ledger.command(&asked, &command, &mut recorder).ok();
        assert_eq!(recorder.0.len(), recorded, "{amount}");
    }
    let Some(Recorded::Fact(fact)) = recorder.0.first() else { panic!("nothing was recorded") };
    assert!(matches!(&**fact, Fact::Authorized(_)), "{fact:?}");
}
