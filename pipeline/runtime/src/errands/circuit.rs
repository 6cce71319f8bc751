//! An outside that is away is left alone, but for one try now and then.

use drawdown_domain::time::{Span, Timestamp};

use super::backoff::{LONGEST, backoff_up_to};

/// So many tries in a row find nobody before the outside counts as away.
const IN_A_ROW: u32 = 5;

/// What is known of an outside that several ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// The longest pause between two tries.
    longest: Span,
    in_a_row: u32,
    /// It is away: nobody tries before this.
    away_until: Option<Timestamp>,
    /// Tries that were let through since.
    probes: u32,
}

impl Default for Circuit {
    fn default() -> Circuit {
        Circuit::new(LONGEST)
    }
}

impl Circuit {
    /// The outside is there, as far as is known.
    pub fn new(longest: Span) -> Circuit {
        Circuit { longest, in_a_row: 0, away_until: None, probes: 0 }
    }

    /// Whether one may try. While the outside is away one is let through after each pause, and until it
    /// is back each pause is longer than the one before.
    pub fn lets(&mut self, name: &str, now: Timestamp) -> bool {
        match self.away_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.probes = self.probes.saturating_add(1);
                self.pause(name, now);
                true
            }
        }
    }

    /// A try found nobody. True if the outside counts as away from now on.
    pub fn found_nobody(&mut self, name: &str, now: Timestamp) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        let begins = self.away_until.is_none() && self.in_a_row >= IN_A_ROW;
        if begins {
            self.pause(name, now);
        }
        begins
    }

    /// A try found somebody. True if the outside was away until now.
    pub fn found_somebody(&mut self) -> bool {
        let was_away = self.away_until.is_some();
        *self = Circuit::new(self.longest);
        was_away
    }

    fn pause(&mut self, name: &str, now: Timestamp) {
        self.away_until =
            Some(now.plus(backoff_up_to(self.longest, name, self.probes.saturating_add(1))));
    }
}

#[cfg(test)]
mod tests {
    use drawdown_domain::time::Span;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(0).plus(Span::micros(seconds * 1_000_000))
    }

    #[test]
    fn an_outside_that_is_away_is_tried_ever_more_seldom_and_at_once_when_it_is_back() {
        let mut circuit = Circuit::default();
        let begun: Vec<bool> = (0..6).map(|_| circuit.found_nobody("mail", at(0))).collect();
        assert_eq!(begun, [false, false, false, false, true, false]);
        assert!(!circuit.lets("mail", at(0)));
        // An hour of asking each second.
        let let_through = (1..=3_600).filter(|second| circuit.lets("mail", at(*second))).count();
        assert!((15..40).contains(&let_through), "{let_through}");
        assert!(circuit.found_somebody());
        assert!(circuit.lets("mail", at(3_600)) && circuit.lets("mail", at(3_600)));
        assert!(!circuit.found_somebody());
    }

    #[test]
    fn one_that_answers_now_and_then_is_not_away() {
        let mut circuit = Circuit::default();
        for _ in 0..10 {
            for _ in 0..4 {
                assert!(!circuit.found_nobody("mail", at(0)));
            }
            assert!(!circuit.found_somebody());
        }
        assert!(circuit.lets("mail", at(0)));
    }
}
