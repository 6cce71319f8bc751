//! For tests: a journal that keeps all it is told, ledgers made of it again, and a ledger in pieces.

use super::{Accrued, Fact, Journal, Ledger, Line, Piece, Place};

#[derive(Clone, Debug)]
pub(super) enum Recorded {
    Fact(Box<Fact>),
    Accrued(Accrued),
}

impl Recorded {
    pub(super) fn apply_to(&self, ledger: &mut Ledger) {
        match self {
            Recorded::Fact(fact) => ledger.apply(fact).unwrap(),
            Recorded::Accrued(accrued) => ledger.apply_accrued(accrued).unwrap(),
        }
    }
}

#[derive(Default)]
pub(super) struct Recorder(pub(super) Vec<Recorded>);

impl Journal for Recorder {
    fn fact(&mut self, _: &Ledger, fact: &Fact) {
        self.0.push(Recorded::Fact(Box::new(fact.clone())));
    }

    fn accrued(&mut self, _: &Ledger, accrued: &[Accrued], _: &Line) {
        self.0.extend(accrued.iter().copied().map(Recorded::Accrued));
    }
}

/// All that a ledger holds.
pub(super) fn pieces(ledger: &Ledger) -> Vec<Piece> {
    let (mut pieces, mut place) = (Vec::new(), Some(Place::Shared));
    while let Some(at) = place {
        let (piece, after) = ledger.piece(at, usize::MAX);
        pieces.push(piece);
        place = after;
    }
    pieces
}
