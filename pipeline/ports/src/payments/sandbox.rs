//! A gateway that moves no money. The token of a method says how it behaves, and a book says what it
//! did, as the book of a real one would.

use std::io;
use std::path::Path;
use std::sync::Arc;

use drawdown_domain::time::Span;

use super::book::{Book, Booked, BookedAnswer, BookedKind, Pages};
use super::{Asking, Gateway, Order, Said};

/// An answer that gets lost is known after so long.
const KNOWN_AFTER: Span = Span::minutes(1);

/// The sandbox. Clones share its book.
#[derive(Clone, Debug)]
pub struct Sandbox {
    book: Arc<Book>,
    /// The book is read and written beside whoever asks.
    on_disk: bool,
}

/// What is decided, before it is booked.
struct Decision {
    answer: BookedAnswer,
    reason: Option<&'static str>,
    /// Nobody hears of it at first.
    lost: bool,
}

const fn succeeds() -> Decision {
    Decision { answer: BookedAnswer::Succeeded, reason: None, lost: false }
}

const fn declined(reason: &'static str) -> Decision {
    Decision { answer: BookedAnswer::Declined, reason: Some(reason), lost: false }
}

const fn asks_who_it_is() -> Decision {
    Decision { answer: BookedAnswer::AuthenticationRequired, reason: None, lost: false }
}

const fn lost(decision: Decision) -> Decision {
    Decision { lost: true, ..decision }
}

/// What is asked for, and as what it is given back.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    kind: BookedKind,
    back: Option<BookedKind>,
}

const CHARGE: Wanted = Wanted { kind: BookedKind::Charge, back: None };

impl Sandbox {
    /// A sandbox whose book is a file, one line of JSON for each charge, hold and release. Several
    /// processes may share it.
    pub fn with_book(path: &Path) -> io::Result<Sandbox> {
        Ok(Sandbox { book: Arc::new(Book::in_file(path)?), on_disk: true })
    }

    /// A sandbox whose book is gone with it.
    pub fn in_memory() -> Sandbox {
        Sandbox { book: Arc::new(Book::in_memory()), on_disk: false }
    }

    fn asked(&self, wanted: Wanted, order: &Order) -> Asking<'static> {
        let (book, order) = (self.book.clone(), order.clone());
        if !self.on_disk {
            return Box::pin(async move { said(&book, wanted, &order) });
        }
        let asked = move || said(&book, wanted, &order);
        Box::pin(async move {
            let why = |error: tokio::task::JoinError| Said::Away { why: error.to_string() };
            tokio::task::spawn_blocking(asked).await.unwrap_or_else(why)
        })
    }
}

impl Gateway for Sandbox {
    fn charge<'a>(&'a self, order: &'a Order) -> Asking<'a> {
        self.asked(CHARGE, order)
    }

    fn charge_and_return<'a>(&'a self, order: &'a Order) -> Asking<'a> {
        self.asked(Wanted { back: Some(BookedKind::Return), ..CHARGE }, order)
    }

    fn preauthorise<'a>(&'a self, order: &'a Order) -> Asking<'a> {
        self.asked(Wanted { kind: BookedKind::Hold, back: Some(BookedKind::Release) }, order)
    }
}

fn said(book: &Book, wanted: Wanted, order: &Order) -> Said {
    match book.decided(&order.key, |pages| lines(pages, wanted, order)) {
        Ok(Some(booked)) => told(booked, wanted.kind, order),
        Ok(None) => Said::Away { why: "the sandbox decided nothing".to_owned() },
        Err(error) => Said::Away { why: format!("the sandbox's book: {error}") },
    }
}

/// What the book will hold of this order.
fn lines(pages: &Pages, Wanted { kind, back }: Wanted, order: &Order) -> Vec<Booked> {
    let before = pages.asked(&order.method, &order.token, kind);
    let Decision { answer, reason, lost } = match kind {
        BookedKind::Charge | BookedKind::Return => charge(order.token.as_str(), before),
        BookedKind::Hold | BookedKind::Release => {
            // What was held once was held for somebody who had proven who he is.
            let held = pages.asked(&order.method, &order.token, BookedKind::Release) > 0;
            hold(order, before, order.authenticated || held)
        }
    };
    let booked = Booked {
        key: order.key.clone(),
        kind,
        method: order.method.clone(),
        token: order.token.clone(),
        amount: order.amount,
        currency: order.currency,
        answer,
        reason: reason.map(str::to_owned),
        reference: format!("sandbox-{}", pages.lines().saturating_add(1)),
        at: order.at,
        known_from: lost.then(|| order.at.plus(KNOWN_AFTER)),
    };
    let back = back.filter(|_| answer == BookedAnswer::Succeeded);
    let back = back.map(|kind| Booked { kind, ..booked.clone() });
    [Some(booked), back].into_iter().flatten().collect()
}

fn charge(token: &str, before: u64) -> Decision {
    match token {
        // That of `tok_3ds` is charged once its owner has proven who he is.
        "tok_ok" | "tok_ok_then_no_hold" | "tok_3ds" => succeeds(),
        "tok_ok_then_declined" => declined("card_declined"),
        "tok_declined_once" if before == 0 => declined("card_declined"),
        "tok_declined_once" => succeeds(),
        "tok_authentication_at_charge" => asks_who_it_is(),
        "tok_unknown_then_ok" => lost(succeeds()),
        "tok_unknown_then_declined" => lost(declined("card_declined")),
        other => never_linked(other),
    }
}

/// A pre-authorisation is no charge: what links can be held, whatever its charges come to, and who its
/// owner is has been proven.
fn hold(order: &Order, before: u64, is_proven: bool) -> Decision {
    match order.token.as_str() {
        "tok_3ds" if is_proven => succeeds(),
        "tok_ok_then_no_hold" if before > 0 => declined("hold_refused"),
        "tok_ok"
        | "tok_ok_then_no_hold"
        | "tok_ok_then_declined"
        | "tok_declined_once"
        | "tok_authentication_at_charge"
        | "tok_unknown_then_ok"
        | "tok_unknown_then_declined" => succeeds(),
        other => never_linked(other),
    }
}

fn never_linked(token: &str) -> Decision {
    match token {
        "tok_declined" => declined("card_declined"),
        "tok_expired" => declined("card_expired"),
        "tok_no_funds" => declined("insufficient_funds"),
        "tok_3ds" => asks_who_it_is(),
        _ => declined("no_such_token"),
    }
}

/// What whoever asks gets to hear of what stands in the book.
fn told(booked: Booked, kind: BookedKind, order: &Order) -> Said {
    let is_same = booked.kind == kind
        && booked.method == order.method
        && booked.amount == order.amount
        && booked.currency == order.currency;
    if !is_same {
        let why = format!("{} stands for something else in the gateway's book", order.key);
        return Said::Unknown { why, again_after: None };
    }
    if let Some(known_from) = booked.known_from.filter(|known_from| order.at < *known_from) {
        let again_after = Some(known_from.since(order.at));
        return Said::Unknown { why: "the answer was lost".to_owned(), again_after };
    }
    let (reason, reference) = (booked.reason.unwrap_or_default(), booked.reference);
    match booked.answer {
        BookedAnswer::Succeeded => Said::Succeeded { reference },
        BookedAnswer::Declined => Said::Declined { reason, reference: Some(reference) },
        BookedAnswer::AuthenticationRequired => Said::AuthenticationRequired {
            go_on_at: format!("https://sandbox.invalid/authenticate/{reference}"),
            reference: Some(reference),
        },
    }
}
