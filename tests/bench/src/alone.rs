//! Each consumer by itself, on one core and the log in memory: what its own work costs, without a
//! broker and without the other.

use std::sync::Arc;

use drawdown_log::{Faults, Memory};
use drawdown_wire::topics::Topic;

use crate::site::{Site, check};
use crate::table::{Row, Table};
use crate::{Quantities, Scale, answers, fill};

/// More would not fit into memory beside the accounts, and changes nothing.
const RECORDS_MAX: u64 = 4_000_000;
const COMMANDS_MAX: u64 = 1_000_000;
const HOUR_ENDS_SOON: &str = "2026-03-31T12:59:40Z";

pub(crate) fn measure(scale: &Scale, table: &mut Table) -> anyhow::Result<()> {
    let topics = Topic::ALL.iter().map(|topic| (topic.name(), scale.plan.partitions(*topic)));
    let log = Arc::new(Memory::new(topics, Faults::default()));
    let site = Site::new(log, &scale.plan)?;
    site.open_accounts(scale.accounts)?;
    let mut quantities: Quantities = vec![[0; 2]; scale.accounts as usize];
    let (mut metering, mut ledger) = (Vec::new(), Vec::new());
    for run in 0..scale.runs {
        let records = scale.records.min(RECORDS_MAX);
        let plan = crate::Plan { records, ..scale.usage("g12", 1_200 + run as u64) };
        let made = fill(&plan, &site, &mut quantities)?;
        metering.push(records as f64 / site.meter()?);
        let (seconds, booked) = site.book()?;
        ledger.push(records as f64 / seconds);
        check(booked, &made)?;
    }
    table.push(Row::rate("g12", "METERING alone, one core, packed, in memory", "-", metering));
    table.push(Row::rate("", "  the ledger alone, the same", "1 M/s", ledger));
    let commands = scale.records.min(COMMANDS_MAX) as u32;
    let seconds = site.decide(commands, scale.accounts)?;
    let rate = f64::from(commands) / seconds;
    table.push(Row::rate("", "  commands, the same", "200 k/s", [rate]));
    let billed = quantities.iter().filter(|meters| **meters != [0; 2]).count();
    let site = site.at(HOUR_ENDS_SOON.parse()?);
    answers::at_the_end_of_an_hour(&site, scale.accounts, billed as u64, table)
}
