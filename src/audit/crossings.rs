//! Whether money that left one ledger for another entered it, once, and nowhere else (R1.3, R10.4).

use std::collections::BTreeMap;

use drawdown_domain::ids::{RequestId, WalletId};
use drawdown_domain::ledger::{Cause, Fact, Ledger};
use drawdown_domain::money::Amount;
use drawdown_domain::requests::{Direction, MoneySent, RequestStatus, Word};
use drawdown_domain::time::Timestamp;

/// To which wallet, how much, and when.
type Moved = (WalletId, Amount, Timestamp);

/// What ledgers sent each other for requests to pay, and what they got.
#[derive(Clone, Debug, Default)]
pub(super) struct Crossings {
    sent: BTreeMap<RequestId, Moved>,
    got: BTreeMap<RequestId, Moved>,
    /// The sender knows that it has arrived; or has it back.
    ended: BTreeMap<RequestId, (RequestStatus, Timestamp)>,
    /// Every ledger was read at least as far as this.
    until: Option<Timestamp>,
    /// Some of what the ledgers did is no longer kept.
    some_gone: bool,
}

impl Crossings {
    /// A ledger is read; not from its first step on, if it is not whole.
    pub(super) fn read(&mut self, whole: bool) {
        self.some_gone |= !whole;
    }

    /// All of a ledger was read.
    pub(super) fn close(&mut self, ledger: &Ledger) {
        self.until = Some(ledger.clock().now());
    }

    /// A ledger sends or gets something; the ledger is as it was before.
    pub(super) fn take(&mut self, ledger: &Ledger, fact: &Fact) -> Option<String> {
        let now = ledger.clock().now();
        match fact {
            Fact::SaidAcross(said) => {
                let Word::MoneySent(MoneySent { amount }) = said.crossing.word else { return None };
                let moved = (said.crossing.billing_account.clone(), amount, now);
                let request = said.crossing.request.clone();
                put(&mut self.sent, request, moved, "sent")
            }
            Fact::Moved(moved) if moved.cause == Cause::PaymentRequest => {
                let wallet = ledger.wallet(moved.wallet)?;
                let request = moved.remark.as_ref().and_then(|id| id.as_str().parse().ok());
                let Some(request) = request else {
                    return Some(format!("{} paid for a request without a name", wallet.id));
                };
                let asked = wallet.requests(Direction::Asked);
                if !asked.iter().any(|known| known.terms.request == request) {
                    // It is the payer's: what goes out, or comes back.
                    return None;
                }
                put(&mut self.got, request, (wallet.id.clone(), moved.amount, now), "booked")
            }
            Fact::RequestChanged(changed) if changed.direction == Direction::ToPay => {
                if matches!(changed.status, RequestStatus::Paid | RequestStatus::Failed) {
                    self.ended.insert(changed.request.clone(), (changed.status, now));
                }
                None
            }
            _ => None,
        }
    }

    /// Adds what another ledger sent and got; names what was sent or booked twice.
    pub(super) fn add(&mut self, other: Crossings) -> Vec<String> {
        self.until = self.until.into_iter().chain(other.until).min();
        self.some_gone |= other.some_gone;
        self.ended.extend(other.ended);
        let mut twice = Vec::new();
        for (request, moved) in other.sent {
            twice.extend(put(&mut self.sent, request, moved, "sent"));
        }
        for (request, moved) in other.got {
            twice.extend(put(&mut self.got, request, moved, "booked"));
        }
        twice
    }

    /// How many payments arrived as they were sent.
    pub(super) fn arrived(&self) -> u64 {
        let same = |(request, (wallet, amount, _)): &(&RequestId, &Moved)| {
            self.sent.get(*request).is_some_and(|sent| (&sent.0, &sent.1) == (wallet, amount))
        };
        self.got.iter().filter(same).count() as u64
    }

    /// What does not fit. One ledger may have been read further than another.
    pub(super) fn unlike(&self) -> Vec<String> {
        let Some(until) = self.until else { return Vec::new() };
        let mut wrong = Vec::new();
        for (request, (wallet, amount, at)) in &self.got {
            match self.sent.get(request) {
                Some((to, sent, _)) if (to, sent) == (wallet, amount) => {}
                None if self.some_gone || *at > until => {}
                _ => wrong.push(format!(
                    "{wallet} got {amount} for the request {request}, which nobody sent"
                )),
            }
        }
        for (request, (status, at)) in &self.ended {
            let (sent, got) = (self.sent.get(request), self.got.contains_key(request));
            match (sent, status) {
                (Some((wallet, amount, _)), RequestStatus::Paid)
                    if !got && !self.some_gone && *at <= until =>
                {
                    wrong.push(format!(
                        "{amount} for the request {request} went to {wallet} and did not arrive"
                    ));
                }
                (None, RequestStatus::Paid) if !self.some_gone => {
                    wrong.push(format!("the request {request} was paid, and nothing was sent"));
                }
                (_, RequestStatus::Failed) if got => {
                    wrong.push(format!("the request {request} was paid, and the money went back"));
                }
                _ => {}
            }
        }
        wrong
    }
}

fn put(
    all: &mut BTreeMap<RequestId, Moved>,
    request: RequestId,
    moved: Moved,
    how: &str,
) -> Option<String> {
    let twice = format!("the money for the request {request} was {how} twice");
    all.insert(request, moved).map(|_| twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(request: &str) -> RequestId {
        request.parse().unwrap()
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn moved(wallet: &str, amount: i64, at: i64) -> BTreeMap<RequestId, Moved> {
        let moved = (wallet.parse().unwrap(), Amount::whole(amount), second(at));
        BTreeMap::from([(id("r"), moved)])
    }

    fn payer(ended: Option<RequestStatus>) -> Crossings {
        let ended = ended.map(|status| (id("r"), (status, second(8))));
        let ended = ended.into_iter().collect();
        Crossings { sent: moved("ba-a", 5, 6), ended, until: Some(second(9)), ..Default::default() }
    }

    fn requester(wallet: &str, amount: i64, at: i64) -> Crossings {
        let got = moved(wallet, amount, at);
        Crossings { got, until: Some(second(9)), ..Default::default() }
    }

    fn nothing() -> Crossings {
        Crossings { until: Some(second(9)), ..Default::default() }
    }

    #[track_caller]
    fn check(parts: &[Crossings], expected: usize) {
        let mut all = Crossings::default();
        parts.iter().for_each(|part| assert!(all.add(part.clone()).is_empty()));
        assert_eq!(all.unlike().len(), expected, "{:?}", all.unlike());
    }

    #[test]
    fn r10_4_money_on_its_way_may_have_arrived_or_not() {
        check(&[payer(None), nothing()], 0);
        check(&[payer(None), requester("ba-a", 5, 7)], 0);
        check(&[payer(Some(RequestStatus::Paid)), requester("ba-a", 5, 7)], 0);
        check(&[payer(Some(RequestStatus::Failed)), nothing()], 0);
    }

    #[test]
    fn r10_4_what_was_sent_arrives_there_and_nowhere_else() {
        check(&[payer(Some(RequestStatus::Paid)), nothing()], 1);
        check(&[payer(None), requester("ba-b", 5, 7)], 1);
        check(&[payer(None), requester("ba-a", 6, 7)], 1);
        check(&[nothing(), requester("ba-a", 5, 7)], 1);
        check(&[payer(Some(RequestStatus::Failed)), requester("ba-a", 5, 7)], 1);
        let unsent = Crossings { sent: BTreeMap::new(), ..payer(Some(RequestStatus::Paid)) };
        check(&[unsent, requester("ba-a", 5, 7)], 2);
        // The requester's ledger was read when the payer's had not come so far.
        check(&[nothing(), requester("ba-a", 5, 10)], 0);
        let mut gone = nothing();
        gone.read(false);
        check(&[gone, requester("ba-a", 5, 7)], 0);
    }

    #[test]
    fn r10_4_money_is_sent_and_booked_once() {
        let mut all = payer(None);
        assert_eq!(all.add(payer(None)), ["the money for the request r was sent twice"]);
        let mut all = requester("ba-a", 5, 7);
        let twice = all.add(requester("ba-a", 5, 8));
        assert_eq!(twice, ["the money for the request r was booked twice"]);
    }
}
