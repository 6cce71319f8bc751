//! What a notice says: as things stand when it is told, and to whom.

use super::super::Fact;
use super::super::asking::Asking;
use super::*;

/// The last notice of a kind, as it is told now.
fn told(asking: &Asking, kind: NoticeKind) -> Notice {
    let mut facts = asking.facts.0.iter().rev();
    let noticed = facts.find_map(|fact| match fact {
        Fact::Noticed(noticed) if noticed.kind == kind => Some(noticed),
        _ => None,
    });
    asking.ledger.notice_of(noticed.unwrap()).unwrap().unwrap()
}

fn at(time: &str) -> crate::time::Timestamp {
    format!("2026-03-01T{time}Z").parse().unwrap()
}

/// R8.5: each mail says why it came, balance, burn, and the three costliest meters.
#[test]
fn r8_5_a_notice_says_why_it_came_and_how_things_stand() {
    let mut asking = Asking::with_prices(
        r#"price = [
            { product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "p", meter = "n", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "q", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" },
            { product = "q", meter = "n", currency = "USD", model = "per_unit", unit_price = "1" },
        ]"#,
    );
    asking.members();
    asking.table(
        r#"
        operator | open_enterprise | enterprise = "g", name = "Gamma", country = "DE", language = "fr" | ok
        operator | open_account | account = "g", enterprise = "g", email = "g@g.example", mode = "prepaid", currency = "USD", time_zone = "Europe/Berlin" | ok
        operator | top_up | billing_account = "ba-g", amount = "20", currency = "USD", method = "bank_transfer" | ok
        operator | configure | billing_account = "ba-g", low_balance_alert = { enabled = true, threshold = "10" } | ok
        at | 2026-03-01T00:30:00Z
        use | g | 1 | p/m
        use | g | 4 | p/n
        use | g | 3 | q/m
        use | g | 2 | q/n
        operator | adjust | billing_account = "ba-g", amount = "-1", reason = "r" | ok
        "#,
    );
    let notice = told(&asking, NoticeKind::LowBalance);
    let number = notice.notice.strip_prefix("ba-g.n").unwrap().parse::<u64>();
    let noticed = asking.facts.0.iter().filter(|fact| matches!(fact, Fact::Noticed(_))).count();
    assert_eq!(number, Ok(noticed.try_into().unwrap()));
    assert_eq!((notice.kind, notice.at), (NoticeKind::LowBalance, at("00:30:00")));
    assert_eq!(notice.billing_account.as_str(), "ba-g");
    assert_eq!(notice.enterprise_name.as_str(), "Gamma");
    let place = (notice.country.to_string(), notice.language.unwrap().as_str().to_owned());
    assert_eq!(place, ("DE".to_owned(), "fr".to_owned()));
    assert_eq!(notice.time_zone, "Europe/Berlin".parse().unwrap());
    assert_eq!((notice.threshold, notice.of_series), ("10".parse().ok(), Some(1)));
    assert_eq!((notice.credit_limit, notice.service, notice.payment), (None, None, None));
    let standing = notice.standing;
    assert_eq!(
        (standing.available, standing.owed, standing.burn_per_day),
        (
            crate::money::Amount::whole(9),
            crate::money::Amount::ZERO,
            crate::money::Amount::whole(10)
        )
    );
    assert_eq!(standing.days_left, "0.9".parse().ok());
    let costliest = standing.costliest.iter();
    let costliest: Vec<_> = costliest.map(|it| format!("{}/{}", it.product, it.meter)).collect();
    assert_eq!(costliest, ["p/n", "q/m", "q/n"]);

    // An alert that is off has no threshold.
    asking.table(
        r#"
        operator | configure | billing_account = "ba-g", low_balance_alert = { enabled = false, threshold = "10" } | ok
        use | g | 9
        "#,
    );
    let notice = told(&asking, NoticeKind::Suspended);
    assert_eq!(notice.notice, "ba-g.n3");
    let service = notice.service.unwrap();
    assert_eq!((notice.threshold, service.account.as_str()), (None, "g"));
    assert_eq!(service.state, ServiceState::Suspended);
}

/// R6.5: a notice about a payment says which it was.
#[test]
fn r6_5_a_notice_of_a_payment_says_which() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        a | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t" | ok
        answer | ba-a | succeeded
        use | a | 1500
        answer | ba-a | declined
        "#,
    );
    let payment = told(&asking, NoticeKind::PaymentFailed).payment.unwrap();
    assert_eq!((payment.method.as_str(), payment.amount.to_string()), ("visa", "1500".to_owned()));
}

/// R9.3: a notice about a credit limit says it, and what waits for the contract.
#[test]
fn r9_3_a_notice_of_a_limit_says_the_limit() {
    let mut asking = Asking::with_members();
    let limit = |asking: &Asking| told(asking, NoticeKind::CreditLimit).credit_limit.unwrap();
    asking.table(r#"operator | set_credit_limit | billing_account = "ba-a", limit = "80" | ok"#);
    let pending = limit(&asking);
    assert_eq!((pending.limit.to_string(), pending.pending), ("0".to_owned(), "80".parse().ok()));
    asking.table(r#"operator | confirm_contract | billing_account = "ba-a" | ok"#);
    let confirmed = limit(&asking);
    assert_eq!((confirmed.limit.to_string(), confirmed.pending), ("80".to_owned(), None));
}

/// R8.5: several recipients, per kind; else the billing address, else the owner.
#[test]
fn r8_5_each_kind_has_its_recipients() {
    let mut asking = Asking::with_members();
    let recipients = |asking: &Asking| {
        [NoticeKind::LowBalance, NoticeKind::Overdue].map(|kind| {
            let wallet = &asking.ledger.wallets()[1];
            let mails = asking.ledger.recipients(wallet, kind);
            mails.iter().map(|mail| mail.as_str().to_owned()).collect::<Vec<_>>().join(" ")
        })
    };
    assert_eq!(recipients(&asking), ["x@y.example", "x@y.example"]);
    let mut check = |fields: &str, expected: [&str; 2]| {
        asking.table(&format!(r#"a | configure | billing_account = "ba-a", {fields} | ok"#));
        assert_eq!(recipients(&asking), expected, "{fields}");
    };
    check(r#"billing_email = "bills@a.example""#, ["bills@a.example", "bills@a.example"]);
    check(
        r#"recipients = { overdue = ["one@a.example", "two@a.example"] }"#,
        ["bills@a.example", "one@a.example two@a.example"],
    );
    check(r#"recipients = { overdue = [] }"#, ["bills@a.example", "bills@a.example"]);
}

/// R8.2, R8.4: services run from the opening on, and since when they do otherwise is told.
#[test]
fn r8_2_services_show_since_when_they_are_as_they_are() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | open_account | account = "p", enterprise = "e", email = "x@y.example", mode = "prepaid" | ok
        at | 2026-03-01T00:10:00Z
        see | service p | account = "p", billing_account = "ba-p", state = "running", since = "2026-03-01T00:00:00Z"
        use | p | 1
        see | service p | state = "suspended", since = "2026-03-01T00:10:00Z", cause = "no_credit"
        at | 2026-03-01T00:20:00Z
        operator | top_up | billing_account = "ba-p", amount = "20", currency = "USD", method = "bank_transfer" | ok
        see | service p | state = "running", since = "2026-03-01T00:20:00Z"
        boss | change_payer | account = "p", billing_account = "ba-b" | ok
        see | service p | billing_account = "ba-b"
        "#,
    );
    assert_eq!(asking.ledger.service(super::AccountNumber(99)), None);
}
