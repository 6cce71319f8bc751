//! The sandbox gateway: how each token behaves, and a book in which each key stands once.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command};

use drawdown_domain::money::Currency;
use drawdown_domain::payments::MethodKind;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_ports::payments::{Booked, BookedAnswer, BookedKind, Gateway, Order, Said, Sandbox};

fn at(seconds: i64) -> Timestamp {
    "2026-03-01T00:00:00Z".parse::<Timestamp>().unwrap().plus(Span::micros(seconds * 1_000_000))
}

fn order(key: &str, token: &str) -> Order {
    Order {
        key: key.to_owned(),
        method: "visa-1".parse().unwrap(),
        kind: MethodKind::Card,
        token: token.parse().unwrap(),
        amount: "1000.00".parse().unwrap(),
        currency: Currency::Usd,
        authenticated: false,
        since: at(0),
        at: at(0),
    }
}

fn wait<T>(asking: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(asking)
}

fn short(said: &Said) -> String {
    match said {
        Said::Succeeded { .. } => "succeeded".to_owned(),
        Said::Declined { reason, .. } => reason.clone(),
        Said::AuthenticationRequired { go_on_at, .. } => {
            assert!(go_on_at.starts_with("https://"), "{go_on_at}");
            "authentication".to_owned()
        }
        Said::Unknown { .. } => "unknown".to_owned(),
        Said::Unauthenticated { .. } | Said::AwaitsApproval { .. } => {
            panic!("the sandbox asks who it is, and approves at once")
        }
        Said::Away { why } => panic!("{why}"),
    }
}

/// The answers to two holds and then to three charges, each asked once more after a minute.
fn check(token: &str, holds: [&str; 2], charges: [&str; 3], known: [&str; 3]) {
    let sandbox = Sandbox::in_memory();
    for (number, expected) in holds.into_iter().enumerate() {
        let order = order(&format!("hold-{number}"), token);
        assert_eq!(short(&wait(sandbox.preauthorise(&order))), expected, "{token}, hold {number}");
    }
    for (number, (first, later)) in charges.into_iter().zip(known).enumerate() {
        let order = order(&format!("charge-{number}"), token);
        assert_eq!(short(&wait(sandbox.charge(&order))), first, "{token}, charge {number}");
        let early = Order { at: at(59), ..order.clone() };
        assert_eq!(short(&wait(sandbox.charge(&early))), first, "{token}, charge {number}, early");
        let late = Order { at: at(60), ..order };
        assert_eq!(short(&wait(sandbox.charge(&late))), later, "{token}, charge {number}, late");
    }
}

#[test]
fn each_token_behaves_as_the_contract_says() {
    let (ok, no) = (["succeeded"; 3], ["card_declined"; 3]);
    let holds = ["succeeded"; 2];
    check("tok_ok", holds, ok, ok);
    check("tok_ok_then_declined", holds, no, no);
    let once = ["card_declined", "succeeded", "succeeded"];
    check("tok_declined_once", holds, once, once);
    check("tok_authentication_at_charge", holds, ["authentication"; 3], ["authentication"; 3]);
    check("tok_unknown_then_ok", holds, ["unknown"; 3], ok);
    check("tok_unknown_then_declined", holds, ["unknown"; 3], no);
    check("tok_ok_then_no_hold", ["succeeded", "hold_refused"], ok, ok);
    for (token, says) in [
        ("tok_declined", "card_declined"),
        ("tok_expired", "card_expired"),
        ("tok_no_funds", "insufficient_funds"),
        ("tok_nonsense", "no_such_token"),
    ] {
        check(token, [says; 2], [says; 3], [says; 3]);
    }
    check("tok_3ds", ["authentication"; 2], ok, ok);
}

/// R7.4: whoever has proven who he is can go on.
#[test]
fn who_has_authenticated_is_not_asked_again() {
    let sandbox = Sandbox::in_memory();
    let first = order("a", "tok_3ds");
    assert_eq!(short(&wait(sandbox.preauthorise(&first))), "authentication");
    let second = Order { authenticated: true, ..order("b", "tok_3ds") };
    assert_eq!(short(&wait(sandbox.preauthorise(&second))), "succeeded");
    // What it is used for later needs no proof any more.
    assert_eq!(short(&wait(sandbox.preauthorise(&order("c", "tok_3ds")))), "succeeded");
}

/// R7.2: a test is charged and given back, and one that is declined is not given back.
#[test]
fn what_is_charged_as_a_test_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("sandbox.jsonl");
    let sandbox = Sandbox::with_book(&book).unwrap();
    for key in ["a", "b", "b"] {
        wait(sandbox.charge_and_return(&order(key, "tok_declined_once")));
    }
    let lines = lines(&book);
    let shown: Vec<_> =
        lines.iter().map(|line| (line.key.as_str(), line.kind, line.answer)).collect();
    let expected = [
        ("a", BookedKind::Charge, BookedAnswer::Declined),
        ("b", BookedKind::Charge, BookedAnswer::Succeeded),
        ("b", BookedKind::Return, BookedAnswer::Succeeded),
    ];
    assert_eq!(shown, expected);
}

/// The card is the method: its token only says how it behaves.
#[test]
fn methods_with_one_token_are_different_cards() {
    let sandbox = Sandbox::in_memory();
    for method in ["visa-1", "visa-2"] {
        let order = Order { method: method.parse().unwrap(), ..order(method, "tok_declined_once") };
        assert_eq!(short(&wait(sandbox.charge(&order))), "card_declined");
    }
}

#[test]
fn a_key_that_stands_for_something_else_is_never_done() {
    let sandbox = Sandbox::in_memory();
    let first = order("k", "tok_ok");
    wait(sandbox.charge(&first));
    let other = Order { amount: "1.00".parse().unwrap(), ..first.clone() };
    assert_eq!(short(&wait(sandbox.charge(&other))), "unknown");
    assert_eq!(short(&wait(sandbox.preauthorise(&first))), "unknown");
    assert_eq!(short(&wait(sandbox.charge(&first))), "succeeded");
}

fn lines(book: &Path) -> Vec<Booked> {
    let text = fs::read_to_string(book).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_book_survives_its_process_and_a_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("in/a/folder/sandbox.jsonl");
    let charge = |key: &str| {
        let sandbox = Sandbox::with_book(&book).unwrap();
        wait(sandbox.charge(&order(key, "tok_declined_once")))
    };
    let first = charge("a");
    assert_eq!(short(&first), "card_declined");
    // A process was killed while it wrote.
    let mut file = OpenOptions::new().append(true).open(&book).unwrap();
    file.write_all(b"{\"key\":\"b\",\"kin").unwrap();
    assert_eq!(charge("a"), first);
    assert_eq!(short(&charge("b")), "succeeded");
    wait(Sandbox::with_book(&book).unwrap().preauthorise(&order("c", "tok_ok")));
    let lines = lines(&book);
    let shown: Vec<_> =
        lines.iter().map(|line| (line.key.as_str(), line.kind, line.answer)).collect();
    let (yes, no) = (BookedAnswer::Succeeded, BookedAnswer::Declined);
    let expected = [
        ("a", BookedKind::Charge, no),
        ("b", BookedKind::Charge, yes),
        ("c", BookedKind::Hold, yes),
        ("c", BookedKind::Release, yes),
    ];
    assert_eq!(shown, expected);
    // What nobody of ours wrote is named.
    file.write_all(b"nonsense\n").unwrap();
    let error = Sandbox::with_book(&book).unwrap_err().to_string();
    assert!(error.contains("sandbox.jsonl") && error.contains("byte"), "{error}");
}

const BOOK: &str = "DRAWDOWN_TEST_BOOK";
const KEYS: usize = 60;

/// Not a test: one of several processes that share a book. All ask for the same, each in its own order.
#[test]
#[ignore = "is started by the other test"]
fn child() {
    let Ok(book) = std::env::var(BOOK) else { return };
    let sandbox = Sandbox::with_book(Path::new(&book)).unwrap();
    let step = 2 * (std::process::id() as usize % 20) + 7;
    for place in 0..KEYS {
        let key = format!("key-{}", (place * step) % KEYS);
        wait(sandbox.charge(&order(&key, "tok_declined_once")));
    }
}

#[test]
fn processes_that_share_a_book_charge_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("sandbox.jsonl");
    let start = |_| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "child"]).env(BOOK, &book).spawn().unwrap()
    };
    let children: Vec<Child> = (0..4).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut answers = BTreeMap::new();
    for line in lines(&book) {
        *answers.entry(line.answer.text()).or_insert(0) += 1;
        assert!(line.key.starts_with("key-"));
    }
    let keys: std::collections::BTreeSet<String> =
        lines(&book).into_iter().map(|line| line.key).collect();
    // One line for each key that was asked for, and the card's first charge alone is declined.
    assert_eq!(keys.len(), lines(&book).len());
    assert_eq!(answers, BTreeMap::from([("declined", 1), ("succeeded", keys.len() - 1)]));
    assert!(keys.len() > KEYS / 6, "{keys:?}");
}
