//! What mails say (R8.5): each why it came, how the billing account stands, and what costs most; and a
//! page that a phone shows well, by day and by night, without asking anybody for anything.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

mod notices;

use drawdown_alerts::letter;
use drawdown_domain::money::Amount;
use drawdown_domain::notices::{LimitTold, Notice, NoticeKind};
use drawdown_ports::mail::Letter;

use notices::{cap, notice};

fn told(kind: NoticeKind) -> Letter {
    letter(&notice("n-1", kind, &["ann@acme.example"]), "ann@acme.example", "n-1.0@x".to_owned())
        .unwrap()
}

#[test]
fn r8_5_a_low_balance_mail_says_why_it_came_and_how_the_account_stands() {
    let letter = told(NoticeKind::LowBalance);
    assert_eq!(letter.subject, "Low balance: 1,099.50 USD left (ba-acme)");
    let expected = "\
Low balance: 1,099.50 USD left

The available credit of ba-acme has fallen below the 2,000.00 USD you asked to be warned at.
This is mail 2 of at most five, one a day while it stays below.
Top up to keep services running.

How ba-acme stands, 1 March 2026, 08:00 (Asia/Singapore)

  Available credit  1,099.50 USD
  Unpaid bills      12.00 USD
  Daily burn        250.00 USD
  Days left         4.39
  Empty on          5 March 2026, 17:33

Costliest this month

  1,234.57 USD  compute / vcpu_hours, acme
  88.00 USD  storage / gigabytes, acme-2

--
You get this mail because ann@acme.example is among those who are told
of \"low_balance\" for ba-acme of Acme <&> Söhne.";
    assert_eq!(letter.text, expected);
}

/// R8.1: who is overdue by what no bill holds yet is not told of bills.
#[test]
fn r8_1_being_overdue_without_an_unpaid_bill_is_about_credit() {
    let mut notice = notice("n-1", NoticeKind::Overdue, &["ann@acme.example"]);
    notice.standing.owed = Amount::ZERO;
    notice.standing.available = "-3.2".parse().unwrap();
    let letter = letter(&notice, "ann@acme.example", "n-1.0@x".to_owned()).unwrap();
    assert_eq!(letter.subject, "Overdue: available credit is -3.20 USD (ba-acme)");
    for text in [&letter.text, &letter.html] {
        assert!(text.contains("has used more than it has credit for"), "{text}");
        assert!(!text.contains("are overdue"), "{text}");
    }
}

/// R9.3: that a limit waits and that it takes effect are two things, said in words of their own.
#[test]
fn r9_3_a_limit_that_waits_is_not_told_as_one_in_effect() {
    let told = |limit: u32, pending: Option<u32>| {
        let pending = pending.map(|amount| Amount::whole(amount.into()));
        let limit = LimitTold { limit: Amount::whole(limit.into()), pending };
        let notice = Notice {
            credit_limit: Some(limit),
            ..notice("n-1", NoticeKind::CreditLimit, &["ann@acme.example"])
        };
        let letter = letter(&notice, "ann@acme.example", "n-1.0@x".to_owned()).unwrap();
        (letter.subject, letter.text)
    };
    let (subject, text) = told(0, Some(500));
    assert_eq!(subject, "Credit limit of 500.00 USD: please confirm the contract (ba-acme)");
    assert!(text.contains("counts for nothing until"), "{text}");
    let (subject, text) = told(500, None);
    assert_eq!(subject, "Credit limit of 500.00 USD is in effect (ba-acme)");
    assert!(text.contains("may go down to 500.00 USD below zero"), "{text}");
    let (subject, text) = told(0, None);
    assert_eq!(subject, "No credit limit any more (ba-acme)");
    assert!(text.contains("as soon as they are issued"), "{text}");
}

/// What the words of a kind must say, in the text and on the page.
fn check(kind: NoticeKind, says: &[&str]) {
    let letter = told(kind);
    for said in says {
        assert!(letter.text.contains(said), "{kind}: {said} is not in\n{}", letter.text);
        let page = letter.html.replace("<b>", "").replace("</b>", "");
        assert!(page.contains(said), "{kind}: {said} is not in\n{page}");
    }
}

#[test]
fn r8_each_kind_says_what_it_is_about() {
    use NoticeKind as Kind;
    check(Kind::Recovered, &["Balance recovered", "back at or above", "2,000.00 USD"]);
    check(Kind::Runway, &["Credit lasts 4.39 more days", "will be used up on 5 March 2026, 17:33"]);
    check(Kind::Overdue, &["Overdue: 12.00 USD unpaid", "services may stop"]);
    check(Kind::Suspended, &["Services of acme have stopped", "because there is no credit left"]);
    check(Kind::Resumed, &["Services of acme are running again", "1 March 2026, 08:00"]);
    check(
        Kind::PaymentSucceeded,
        &["Payment received: 1,000.00 USD", "visa-1", "reached the charging threshold"],
    );
    check(Kind::PaymentFailed, &["Payment failed: 1,000.00 USD", "still owed", "card declined"]);
    check(Kind::PaymentDelayed, &["Payment delayed", "you pay once"]);
    check(
        Kind::AuthenticationRequired,
        &["Please confirm", "https://sandbox.invalid/authenticate/7"],
    );
    let asked = ["1,234.50 USD", "compute", "ba-bolt, 1 March 2026, 08:00", "march", "not ours"];
    for (kind, says) in [
        (Kind::PaymentRequestNew, "You are asked to pay 1,234.50 USD"),
        (Kind::PaymentRequestApproved, "the money is on its way"),
        (Kind::PaymentRequestRejected, "It can be sent anew"),
        (Kind::PaymentRequestCancelled, "has taken the request back"),
        (Kind::PaymentRequestExpired, "Nobody has answered"),
        (Kind::PaymentRequestPaid, "The money has arrived"),
        (Kind::PaymentRequestFailed, "has gone back"),
    ] {
        check(kind, &asked);
        check(kind, &[says]);
    }
    let plan = Some("premium".parse().unwrap());
    let about =
        Notice { payment: None, plan, ..notice("n-1", Kind::PaymentFailed, &["a@b.example"]) };
    let ended = letter(&about, "a@b.example", "n-1.0@x".to_owned()).unwrap();
    assert!(
        ended.text.contains("premium was not renewed") && ended.text.contains("order it again")
    );
}

/// R11.2: how much of which cap, and what follows from it.
#[test]
fn r11_2_a_mail_about_a_cap_says_whose_it_is_and_how_near() {
    let told = told(NoticeKind::SpendCap);
    assert_eq!(told.subject, "dev has used 80% of its monthly cap (ba-acme)");
    for said in [
        "The charges of account dev, which ba-acme pays for, have come to\n80% of its cap of this month.\n\n",
        "  Account           dev\n  Month             2026-03\n  Charged           412.35 USD\n  Monthly cap       500.00 USD\n",
    ] {
        assert!(told.text.contains(said), "{said} is not in\n{}", told.text);
    }
    assert!(told.html.contains("<tr><th scope=\"row\">Monthly cap</th><td>500.00 USD</td></tr>"));
    let mut notice = notice("n-1", NoticeKind::SpendCap, &["ann@acme.example"]);
    notice.cap = Some(cap(100));
    let told = letter(&notice, "ann@acme.example", "n-1.0@x".to_owned()).unwrap();
    assert_eq!(told.subject, "dev has used 100% of its monthly cap (ba-acme)");
    let text = told.text.replace('\n', " ");
    let said = "come to its cap of this month. Nothing more is authorized until the month is over";
    assert!(text.contains(said), "{text}");
    assert!(told.html.contains("Nothing more is authorized until the month is over"));
}

#[test]
fn every_page_stands_by_itself_and_keeps_what_is_foreign_harmless() {
    let folder = std::env::var_os("DRAWDOWN_TEST_LETTERS");
    for kind in NoticeKind::ALL {
        let letter = told(*kind);
        let (text, html) = (&letter.text, &letter.html);
        for part in ["ba-acme", "1,099.50 USD", "Asia/Singapore", "ann@acme.example", kind.text()] {
            assert!(text.contains(part) && html.contains(part), "{kind}: {part}");
        }
        assert!(
            letter.subject.ends_with("(ba-acme)") && letter.subject.len() < 100,
            "{}",
            letter.subject
        );
        assert!(html.contains("prefers-color-scheme: dark") && html.contains("name=\"viewport\""));
        assert!(html.contains("Acme &#60;&#38;&#62; Söhne"), "{kind}: {html}");
        for remote in ["src=", "url(", "@import", "<link", "<script", "http://"] {
            assert!(!html.contains(remote), "{kind}: {remote}");
        }
        assert!(!text.contains("\n\n\n") && !text.contains("&#"), "{kind}: {text}");
        // To be looked at.
        if let Some(folder) = &folder {
            let folder = std::path::Path::new(folder);
            std::fs::write(folder.join(format!("{kind}.html")), html).unwrap();
            std::fs::write(folder.join(format!("{kind}.txt")), text).unwrap();
        }
    }
}
