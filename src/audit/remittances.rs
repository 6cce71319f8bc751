//! Whether transfers that named nobody went to whoever claimed them, once, and to nobody else (R7.3).

use std::collections::BTreeMap;

use drawdown_domain::ids::{Text, WalletId};
use drawdown_domain::ledger::{Book, Cause, Fact, Ledger};
use drawdown_domain::money::{Amount, Overflow};
use drawdown_domain::registry::{Registry, Whereabouts};
use drawdown_domain::time::Timestamp;

use super::report::Report;

/// A claim: by whom, of how much, and whether its ledger has said that it has it.
type Claim = (WalletId, Amount, bool);

/// What the registry gave away, and what the ledgers got.
#[derive(Clone, Debug, Default)]
pub(super) struct Remittances {
    claims: BTreeMap<Text, Claim>,
    /// When the registry was last known.
    until: Option<Timestamp>,
    got: BTreeMap<Text, (WalletId, Amount, Timestamp)>,
    /// Some of what the ledgers did is no longer kept.
    some_gone: bool,
}

impl Remittances {
    /// What the registry says in the end: told, and booked in its own books.
    pub(super) fn close_registry(registry: &Registry, report: &mut Report) -> Result<(), Overflow> {
        for remittance in registry.remittances() {
            let whereabouts = remittance.whereabouts();
            let moves: &[(Book, Book)] = match whereabouts {
                Whereabouts::Unclaimed => &[(Book::Bank, Book::Unclaimed)],
                Whereabouts::OnTheWay | Whereabouts::Arrived => {
                    &[(Book::Bank, Book::Unclaimed), (Book::Unclaimed, Book::OnTheWay)]
                }
            };
            for (debit, credit) in moves {
                let amount = remittance.amount;
                let known = report.books.entry((remittance.currency, *debit)).or_default();
                known.0 = known.0.plus(amount)?;
                let known = report.books.entry((remittance.currency, *credit)).or_default();
                known.1 = known.1.plus(amount)?;
            }
            if let Some(wallet) = &remittance.claimed_by {
                let arrived = whereabouts == Whereabouts::Arrived;
                let claim = (wallet.clone(), remittance.amount, arrived);
                report.remittances.claims.insert(remittance.reference.clone(), claim);
            }
        }
        report.remittances.until = Some(registry.now());
        Ok(())
    }

    /// A ledger was read; not from its first step on, if it is not whole.
    pub(super) fn read(&mut self, whole: bool) {
        self.some_gone |= !whole;
    }

    /// A ledger has got a transfer.
    pub(super) fn take(&mut self, ledger: &Ledger, fact: &Fact) -> Option<String> {
        let Fact::Moved(moved) = fact else { return None };
        if moved.cause != Cause::Remittance {
            return None;
        }
        let (Some(reference), Some(wallet)) = (&moved.remark, ledger.wallet(moved.wallet)) else {
            return Some("a transfer without a reference was booked".to_owned());
        };
        let got = (wallet.id.clone(), moved.amount, ledger.clock().now());
        let before = self.got.insert(reference.clone(), got);
        before.map(|_| format!("the transfer {} was booked twice", reference.as_str()))
    }

    /// Adds what another ledger got, or the registry says; names what was booked twice.
    pub(super) fn add(&mut self, other: Remittances) -> Vec<String> {
        self.claims.extend(other.claims);
        self.until = self.until.or(other.until);
        self.some_gone |= other.some_gone;
        let mut twice = Vec::new();
        for (reference, got) in other.got {
            if self.got.insert(reference.clone(), got).is_some() {
                twice.push(format!("the transfer {} was booked twice", reference.as_str()));
            }
        }
        twice
    }

    /// What does not fit. A ledger may have been read further than the registry.
    pub(super) fn unlike(&self) -> Vec<String> {
        let Some(until) = self.until else { return Vec::new() };
        let mut wrong = Vec::new();
        for (reference, (wallet, amount, at)) in &self.got {
            match self.claims.get(reference) {
                Some((claimed_by, claimed, _)) if (claimed_by, claimed) == (wallet, amount) => {}
                None if *at > until => {}
                _ => wrong.push(format!(
                    "{wallet} got {amount} of the transfer {}, which it has not claimed",
                    reference.as_str()
                )),
            }
        }
        for (reference, (wallet, amount, arrived)) in &self.claims {
            if *arrived && !self.some_gone && !self.got.contains_key(reference) {
                wrong.push(format!(
                    "{amount} of the transfer {} went to {wallet} and did not arrive",
                    reference.as_str()
                ));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        text.parse().unwrap()
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn claimed(arrived: bool) -> Remittances {
        let claim = ("ba-a".parse().unwrap(), Amount::whole(5), arrived);
        let claims = BTreeMap::from([(text("r"), claim)]);
        Remittances { claims, until: Some(second(9)), ..Remittances::default() }
    }

    fn got(wallet: &str, amount: i64, at: i64) -> Remittances {
        let got = (wallet.parse().unwrap(), Amount::whole(amount), second(at));
        Remittances { got: BTreeMap::from([(text("r"), got)]), ..Remittances::default() }
    }

    fn unlike(parts: &[Remittances]) -> usize {
        let mut all = Remittances::default();
        parts.iter().for_each(|part| assert!(all.add(part.clone()).is_empty()));
        all.unlike().len()
    }

    #[test]
    fn r7_3_a_claim_on_its_way_may_have_arrived_or_not() {
        assert_eq!(unlike(&[claimed(false)]), 0);
        assert_eq!(unlike(&[claimed(false), got("ba-a", 5, 8)]), 0);
        assert_eq!(unlike(&[claimed(true), got("ba-a", 5, 8)]), 0);
    }

    #[test]
    fn r7_3_what_was_claimed_arrives_there_and_nowhere_else() {
        assert_eq!(unlike(&[claimed(true)]), 1);
        assert_eq!(unlike(&[claimed(true), got("ba-b", 5, 8)]), 1);
        assert_eq!(unlike(&[claimed(true), got("ba-a", 6, 8)]), 1);
        let mut gone = claimed(true);
        gone.read(false);
        assert_eq!(unlike(&[gone]), 0);
        let nothing = Remittances { until: Some(second(9)), ..Remittances::default() };
        assert_eq!(unlike(&[nothing.clone(), got("ba-a", 5, 8)]), 1);
        // The ledger was read when the registry had gone on.
        assert_eq!(unlike(&[nothing, got("ba-a", 5, 10)]), 0);
    }

    #[test]
    fn r7_3_a_transfer_is_booked_once() {
        let mut all = got("ba-a", 5, 8);
        assert_eq!(all.add(got("ba-b", 5, 8)), ["the transfer r was booked twice"]);
    }
}
