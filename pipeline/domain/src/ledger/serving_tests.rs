//! What serves whom in which minutes, at and beside each edge (R9.7).

use super::super::Fact;
use super::super::asking::Asking;
use super::*;

const MARCH: &str = r#"valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z""#;

/// `ba-a` has a storage package, and a reserved instance that is valid for ten minutes.
fn asking() -> Asking {
    let mut asking = Asking::with_members();
    asking.table(&format!(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "1000", currency = "USD", method = "bank_transfer" | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "pack", kind = "storage_package", product = "p", quantity = "100", price = "5", {MARCH} | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "short", kind = "reserved_instance", product = "p", quantity = "1", price = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-03-01T00:10:00Z" | ok
        "#
    ));
    asking
}

/// What serves `b`: benefit, and the minutes by the clock of the first of March.
fn served(asking: &Asking) -> Vec<String> {
    let row = |it: &Served| {
        let time = |minute: Minute| minute.starts().to_string()[11..16].to_owned();
        format!("{} {}-{}", it.benefit, time(it.valid.from), time(it.valid.until))
    };
    asking.ledger.account(AccountNumber(2)).unwrap().served.iter().map(row).collect()
}

/// How many facts have said so of `b`.
fn said(asking: &Asking) -> usize {
    let b = AccountNumber(2);
    let of_b = |fact: &&Fact| matches!(fact, Fact::ServedChanged(changed) if changed.account == b);
    asking.facts.0.iter().filter(of_b).count()
}

fn shared(account: u32, from: u32) -> SharedAccount {
    SharedAccount { account: AccountNumber(account), from: Minute::from_number(from) }
}

fn organised(organisation: &str, from: u32) -> SharedOrganisation {
    let organisation = organisation.parse().unwrap();
    SharedOrganisation { organisation, from: Minute::from_number(from) }
}

#[test]
fn r9_7_two_sharings_together_begin_each_with_the_sooner() {
    let one = Sharing {
        accounts: vec![shared(3, 10), shared(1, 20)],
        organisations: vec![organised("o", 10), organised("q", 20)],
    };
    let other = Sharing {
        accounts: vec![shared(1, 15), shared(2, 5), shared(3, 12)],
        organisations: vec![organised("q", 15), organised("r", 1), organised("o", 12)],
    };
    let joined = one.joined(other);
    assert_eq!(joined.accounts, [shared(1, 15), shared(2, 5), shared(3, 10)]);
    assert_eq!(joined.organisations, [organised("o", 10), organised("q", 15), organised("r", 1)]);
    assert!(!joined.is_empty() && Sharing::default().is_empty());
    let accounts = Sharing { organisations: vec![], ..joined.clone() };
    let organisations = Sharing { accounts: vec![], ..joined.clone() };
    assert!(!accounts.is_empty() && !organisations.is_empty());
    assert_eq!(accounts.without(AccountNumber(2)).accounts, [shared(1, 15), shared(3, 10)]);
    let named = ["o", "r", "s"].map(|name| joined.is_with(&name.parse().unwrap()));
    assert_eq!(named, [true, true, false]);
}

/// R9.7: of what reaches an account in several ways the first counts; who has been in an organisation stays as he is.
#[test]
fn r9_7_what_begins_sooner_takes_the_place_of_what_would_begin() {
    let mut asking = asking();
    asking.table(
        r#"
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = ["b"] | ok
        boss | set_organisation | enterprise = "e", organisation = "q", accounts = ["c"] | ok
        at | 2026-03-01T00:04:00Z
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = ["b", "c"] | ok
        a | share_benefit | billing_account = "ba-a", benefit = "pack", organisation = "o" | ok
        "#,
    );
    let organisations = &asking.ledger.enterprises()[0].organisations;
    let first = "2026-03-01T00:01:00Z".parse::<crate::time::Timestamp>().unwrap().minute();
    let fifth = Minute::from_number(first.number() + 4);
    let member = |account: u32, from| SharedAccount { account: AccountNumber(account), from };
    let members: Vec<_> = organisations.iter().map(|it| it.members.clone()).collect();
    assert_eq!(members, [vec![member(2, first), member(3, fifth)], vec![member(3, first)]]);

    assert_eq!((served(&asking), said(&asking)), (vec!["pack 00:05-00:00".to_owned()], 1));
    asking.table(
        r#"a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"] | ok"#,
    );
    assert_eq!((served(&asking), said(&asking)), (vec!["pack 00:04-00:00".to_owned()], 3));
    // What would begin later changes nothing, nor does the end of one of two ways.
    asking.table(
        r#"
        at | 2026-03-01T00:05:00Z
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["c"], organisation = "q" | ok
        a | unshare_benefit | billing_account = "ba-a", benefit = "pack", organisation = "o" | ok
        see | benefit ba-a/pack | accounts = ["b", "c"], organisations = ["q"]
        "#,
    );
    assert_eq!((served(&asking), said(&asking)), (vec!["pack 00:04-00:00".to_owned()], 3));
    // Unshared and shared again within a minute it goes on.
    asking.table(
        r#"
        a | unshare_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"] | ok
        see | benefit ba-a/pack | accounts = ["c"]
        "#,
    );
    assert_eq!(served(&asking), ["pack 00:04-00:05"]);
    asking.table(
        r#"a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["b"] | ok"#,
    );
    assert_eq!(served(&asking), ["pack 00:04-00:05", "pack 00:05-00:00"]);
    // Each benefit by itself, and none that is over.
    asking.table(
        r#"
        at | 2026-03-01T00:09:00Z
        a | share_benefit | billing_account = "ba-a", benefit = "short", accounts = ["b"] | ok
        "#,
    );
    let three = ["pack 00:04-00:05", "pack 00:05-00:00", "short 00:09-00:10"];
    assert_eq!(served(&asking), three);
    let before = said(&asking);
    asking.table(
        r#"
        at | 2026-03-01T00:10:00Z
        a | unshare_benefit | billing_account = "ba-a", benefit = "short" | ok
        a | share_benefit | billing_account = "ba-a", benefit = "short", accounts = ["b"] | ok
        "#,
    );
    assert_eq!((served(&asking), said(&asking)), (three.map(str::to_owned).to_vec(), before));
}

/// R9.7: exactly 100 names are not too many, and a savings plan, which is money, is shared in its currency only.
#[test]
fn r9_7_who_can_be_named() {
    let names = |count: usize| format!("[{}]", vec![r#""b""#; count].join(", "));
    let mut asking = asking();
    asking.table(&format!(
        r#"
        operator | open_account | account = "euro", enterprise = "e", email = "x@y.example", mode = "prepaid", currency = "EUR" | ok
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = {hundred} | ok
        boss | set_organisation | enterprise = "e", organisation = "o", accounts = {more} | too_many_accounts
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = {hundred} | ok
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = {more} | too_many_accounts
        a | buy_benefit | billing_account = "ba-a", benefit = "plan", kind = "savings_plan", product = "p", commitment = "1", discount = "0.5", price = "5", {MARCH} | ok
        a | share_benefit | billing_account = "ba-a", benefit = "plan", accounts = ["euro"] | currency_mismatch
        a | share_benefit | billing_account = "ba-a", benefit = "plan", accounts = ["c"] | ok
        a | share_benefit | billing_account = "ba-a", benefit = "pack", accounts = ["euro"] | ok
        "#,
        hundred = names(100),
        more = names(101),
    ));
}

/// R9.7: what has served is kept as long as such usage can come; what begins in the same minute is replaced.
#[test]
fn r9_7_what_has_served_is_kept_as_long_as_usage_can_come() {
    let mut ledger = Asking::with_members().ledger;
    let oldest = ledger.oldest_minute_kept().number();
    assert_eq!(Minute::from_number(oldest).starts().to_string(), "2026-01-16T00:00:00Z");
    let now = ledger.clock().now().minute().number();
    let of = |wallet: u32, benefit: &str, from: u32, until: u32| Served {
        wallet: WalletNumber(wallet),
        benefit: benefit.parse().unwrap(),
        valid: Window { from: Minute::from_number(from), until: Minute::from_number(until) },
        coupon: false,
    };
    let apply = |ledger: &mut Ledger, served: Served| {
        let account = AccountNumber(1);
        ledger.apply(&ServedChanged { account, served }.into()).unwrap();
        ledger.account(account).unwrap().served.clone()
    };
    let kept = [
        of(1, "k", oldest - 10, oldest + 1),
        of(1, "j", now, now + 9),
        of(2, "k", now, now + 9),
        of(1, "k", now - 1, now + 9),
    ];
    ledger.accounts[1].served = kept.clone().into();
    ledger.accounts[1].served.insert(0, of(1, "k", oldest - 20, oldest));
    ledger.accounts[1].served.push(of(1, "k", now, now + 9));
    let five = of(1, "k", now, now + 5);
    assert_eq!(apply(&mut ledger, five.clone()), [kept.as_slice(), &[five]].concat());
    // One that ends as it begins is none.
    assert_eq!(apply(&mut ledger, of(1, "k", now, now)), kept);
    let one = of(1, "k", now, now + 1);
    assert_eq!(apply(&mut ledger, one.clone()), [kept.as_slice(), &[one]].concat());
}

/// R9.7: an organisation without members is none, and they stand by their names.
#[test]
fn r9_7_organisations_stand_by_their_names() {
    let mut enterprise = Asking::with_members().ledger.enterprises()[0].clone();
    let mut put = |name: &str, members: &[SharedAccount]| {
        let organisation = name.parse().unwrap();
        let members = members.to_vec();
        enterprise.put_organisation(&Organisation { organisation, members });
        let known = enterprise.organisations.iter();
        known.map(|it| format!("{} {}", it.organisation, it.members.len())).collect::<Vec<_>>()
    };
    assert_eq!(put("q", &[shared(1, 1)]), ["q 1"]);
    assert_eq!(put("o", &[shared(1, 1)]), ["o 1", "q 1"]);
    assert_eq!(put("o", &[shared(1, 1), shared(2, 1)]), ["o 2", "q 1"]);
    assert_eq!(put("q", &[]), ["o 2"]);
}
