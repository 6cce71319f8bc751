//! What has been decided, told once more: decided again with the same cuts, or taken as decided. For
//! those who restore a ledger and those who check one.

use drawdown_domain::ledger::{Accrued, Ledger};
use drawdown_runtime::{Input, Output, Station, Stop};

use crate::Balance;
use crate::delta::{self, Part, each_part};
use crate::station::stop;

/// So many accruals are applied together.
const ACCRUALS_AT_A_TIME: usize = 32;

impl Balance {
    /// Applies a delta; notes whose balance it changed.
    pub(crate) fn take_back(&mut self, delta: &[u8]) -> Result<(), Stop> {
        let mut accruals = Vec::with_capacity(ACCRUALS_AT_A_TIME);
        each_part(delta, &mut |part| match part {
            Part::Fact(fact) => {
                self.take_back_accruals(&mut accruals)?;
                self.scribe.changed.touch_by(&fact);
                self.ledger.apply(&fact).map_err(stop)
            }
            Part::Accrued(accrued) => {
                accruals.push(accrued);
                if accruals.len() < ACCRUALS_AT_A_TIME {
                    return Ok(());
                }
                self.take_back_accruals(&mut accruals)
            }
        })?;
        self.take_back_accruals(&mut accruals)
    }

    fn take_back_accruals(&mut self, accruals: &mut Vec<Accrued>) -> Result<(), Stop> {
        self.ledger.apply_accruals(accruals).map_err(stop)?;
        for accrued in accruals.drain(..) {
            self.scribe.changed.touch_by_accrual(&self.ledger, &accrued);
        }
        Ok(())
    }

    /// Applies a delta and says what follows from it: entries and bills, as they were said when it was
    /// decided. Charges need the lines as well and are not said. Before each part is applied, it is
    /// shown with the ledger as it is then.
    pub fn tell_again(
        &mut self,
        delta: &[u8],
        output: &mut Output,
        show: &mut dyn FnMut(&Ledger, &Part) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let (ledger, scribe) = (&mut self.ledger, &mut self.scribe);
        each_part(delta, &mut |part| {
            show(ledger, &part)?;
            match part {
                Part::Fact(fact) => ledger.take(*fact, scribe).map_err(stop),
                Part::Accrued(accrued) => ledger.apply_accrued(&accrued).map_err(stop),
            }
        })?;
        self.finish(output)
    }

    /// Decides a step again with the cuts that its delta names.
    pub(crate) fn decide_with_cuts(
        &mut self,
        input: Input<'_>,
        delta: &[u8],
        output: &mut Output,
    ) -> Result<(), Stop> {
        let (cuts, _) = delta::read_cuts(delta).map_err(delta::unreadable)?;
        let usual = self.options.timers_per_message_max;
        self.options.timers_per_message_max = cuts.timers_per_message_max.unwrap_or(usual);
        let mut rest = input.messages;
        for cut in &cuts.idle {
            let taken = input.messages.len() - rest.len();
            let (before, after) = rest
                .split_at_checked((cut.messages as usize).saturating_sub(taken))
                .ok_or_else(|| Stop::Broken("a delta with a cut behind its messages".to_owned()))?;
            self.take(Input { messages: before }, output)?;
            self.fire_idle(cut.timers as usize)?;
            rest = after;
        }
        self.take(Input { messages: rest }, output)?;
        self.finish(output)?;
        self.options.timers_per_message_max = usual;
        Ok(())
    }

    /// Fires timers while nothing comes; true if more are due.
    pub(crate) fn fire_idle(&mut self, timers_max: usize) -> Result<bool, Stop> {
        let fired = self.ledger.fire(timers_max, &mut self.scribe).map_err(stop)?;
        if fired.timers > 0 {
            self.scribe.delta.idle(fired.timers);
        }
        Ok(fired.more)
    }
}
