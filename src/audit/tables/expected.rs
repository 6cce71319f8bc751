//! What the tables should hold, from the messages themselves.

use anyhow::{Context, bail};
use drawdown_domain::money::Amount;
use drawdown_log::Next;
use drawdown_wire::identities::{Entry, Packed};
use drawdown_wire::messages::{
    Balances, Bills, Charges, Entries, InvoiceRuns, Invoices, Mails, Notices, Outcomes,
    PaymentRequests, Payments, Rejects, Services, UsageControl,
};
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use drawdown_wire::usage::each_record;

use super::{Span, Sum, Table};
use crate::audit::reader::{Held, Reader};
use crate::installation::Installation;

/// The sums of a partition, for each of a topic's tables.
pub(super) struct Expected {
    pub(super) sums: Vec<Sum>,
    /// Messages beyond what was to be counted.
    pub(super) behind: u64,
}

impl Expected {
    pub(super) fn read(
        installation: &Installation,
        topic: Topic,
        tables: &[Table],
        partition: u32,
        span: &Span,
    ) -> anyhow::Result<Expected> {
        let Installation { log, topics, .. } = installation;
        let sums = tables
            .iter()
            .map(|table| Sum { sums: vec![Amount::ZERO; table.sums.len()], ..Sum::default() });
        let mut expected = Expected { sums: sums.collect(), behind: 0 };
        let mut reader = Reader::new(log.clone(), topics.name(topic), partition)?;
        let mut counted = match topic {
            Topic::Usage => Some(Counted::new(installation, partition)?),
            _ => None,
        };
        while let Some(held) = reader.pop()? {
            let at = Next(held.offset.0);
            if at >= span.end {
                break;
            }
            if at >= span.until {
                expected.behind += 1;
                continue;
            }
            match &mut counted {
                Some(counted) => expected.usage(installation, &held, counted)?,
                None => expected.message(topic, &held).with_context(|| {
                    format!("{} {partition} at {}", topics.name(topic), held.offset.0)
                })?,
            }
        }
        Ok(expected)
    }

    fn row(
        &mut self,
        table: usize,
        held: &Held,
        index: usize,
        sums: &[Amount],
    ) -> anyhow::Result<()> {
        let Some(sum) = self.sums.get_mut(table) else { bail!("there is no table {table}") };
        sum.rows += 1;
        let place = (held.offset.0 as u64).wrapping_mul(1_000_003).wrapping_add(index as u64);
        sum.places = sum.places.wrapping_add(mixed(place));
        for (sum, more) in sum.sums.iter_mut().zip(sums) {
            *sum = sum.plus(*more)?;
        }
        Ok(())
    }

    fn message(&mut self, topic: Topic, held: &Held) -> anyhow::Result<()> {
        let value = held.value.as_slice();
        match topic {
            Topic::Entries => {
                let Entries { entries } = schemas::ENTRIES.read(value)?;
                for (index, entry) in entries.iter().enumerate() {
                    self.row(0, held, index, &[entry.amount, entry.after])?;
                }
            }
            Topic::Bills => {
                let Bills { issued, payments } = schemas::BILLS.read(value)?;
                for (index, bill) in issued.iter().enumerate() {
                    self.row(0, held, index, &[bill.amount])?;
                }
                for (index, payment) in payments.iter().enumerate() {
                    self.row(1, held, index, &[payment.amount])?;
                }
            }
            Topic::Charges => {
                let charges: Charges = schemas::CHARGES.read(value)?;
                for (index, row) in charges.rows().enumerate() {
                    let sums = [row.quantity, row.charge, Amount::whole(row.records)];
                    self.row(0, held, index, &sums)?;
                }
                for (index, row) in charges.coverage().enumerate() {
                    self.row(1, held, index, &[row.quantity, row.drawn])?;
                }
            }
            Topic::Balances => {
                let Balances { balances, .. } = schemas::BALANCES.read(value)?;
                for (index, balance) in balances.iter().enumerate() {
                    self.row(0, held, index, &[balance.cash, balance.available])?;
                }
            }
            Topic::Payments => {
                let Payments { payments } = schemas::PAYMENTS.read(value)?;
                for (index, payment) in payments.iter().enumerate() {
                    self.row(0, held, index, &[payment.amount])?;
                }
            }
            Topic::PaymentRequests => {
                let PaymentRequests { requests } = schemas::PAYMENT_REQUESTS.read(value)?;
                for (index, request) in requests.iter().enumerate() {
                    self.row(0, held, index, &[request.amount, request.in_flight])?;
                }
            }
            Topic::InvoiceRuns => {
                let InvoiceRuns { runs } = schemas::INVOICE_RUNS.read(value)?;
                for (index, run) in runs.iter().enumerate() {
                    self.row(0, held, index, &[run.net, run.tax, run.total])?;
                }
            }
            Topic::Invoices => {
                let Invoices { invoices } = schemas::INVOICES.read(value)?;
                for (index, invoice) in invoices.iter().enumerate() {
                    self.row(0, held, index, &[invoice.net, invoice.tax, invoice.total])?;
                }
            }
            Topic::Outcomes => {
                let Outcomes { outcomes, remittances } = schemas::OUTCOMES.read(value)?;
                for (index, outcome) in outcomes.iter().enumerate() {
                    self.row(0, held, index, &[whole(outcome.command)])?;
                }
                for (index, now) in remittances.iter().enumerate() {
                    self.row(1, held, index, &[now.remittance.amount])?;
                }
            }
            other => self.other(other, held)?,
        }
        Ok(())
    }

    /// What carries no money.
    fn other(&mut self, topic: Topic, held: &Held) -> anyhow::Result<()> {
        let value = held.value.as_slice();
        let rows: Vec<Option<u64>> = match topic {
            Topic::Services => {
                let Services { services } = schemas::SERVICES.read(value)?;
                services.iter().map(|_| None).collect()
            }
            Topic::Notices => {
                let Notices { notices } = schemas::NOTICES.read(value)?;
                notices.iter().map(|_| None).collect()
            }
            Topic::Mails => {
                let Mails { mails } = schemas::MAILS.read(value)?;
                mails.iter().map(|mail| Some(mail.tries.into())).collect()
            }
            Topic::Rejects => {
                let Rejects { rejects } = schemas::REJECTS.read(value)?;
                rejects.iter().map(|_| None).collect()
            }
            other => bail!("{} has no table", other.name()),
        };
        for (index, number) in rows.into_iter().enumerate() {
            let sums: Vec<Amount> = number.map(whole).into_iter().collect();
            self.row(0, held, index, &sums)?;
        }
        Ok(())
    }

    /// The records of a message that METERING counted.
    fn usage(
        &mut self,
        installation: &Installation,
        held: &Held,
        counted: &mut Counted,
    ) -> anyhow::Result<()> {
        let listed = counted.of(held.offset.0)?;
        if listed.is_empty() {
            return Ok(());
        }
        let usage = installation.topics.name(Topic::Usage);
        let passed_on = match installation.secret.open(usage, &held.value) {
            None => None,
            Some(opened) => match schemas::USAGE_CONTROL.read(&opened?)? {
                UsageControl::PassedOn(passed) => Some(passed.message.0),
                // That a record was taken back is listed as well, and is no record.
                UsageControl::VoidAsked(_) => return Ok(()),
                other => bail!("a record of {other:?} was counted"),
            },
        };
        let mut quantities = Vec::new();
        each_record(passed_on.as_deref().unwrap_or(&held.value), |index, read| {
            if let Ok(usage) = read.usage()
                && listed.contains(&index)
            {
                quantities.push((index, usage.quantity));
            }
        });
        for (index, quantity) in quantities {
            self.row(0, held, index as usize, &[quantity])?;
        }
        Ok(())
    }
}

/// A whole number as an amount.
fn whole(number: u64) -> Amount {
    Amount::from_raw(i128::from(number) * 1_000_000_000_000)
}

/// ClickHouse's `intHash64`.
fn mixed(number: u64) -> u64 {
    let mut number = number ^ 0x4CF2_D2BA_AE6D_A887;
    number ^= number >> 33;
    number = number.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    number ^= number >> 33;
    number = number.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    number ^ (number >> 33)
}

/// What METERING lists as counted, in its order.
struct Counted {
    reader: Reader,
    entries: std::collections::VecDeque<Entry>,
}

impl Counted {
    fn new(installation: &Installation, partition: u32) -> anyhow::Result<Counted> {
        let Installation { log, topics, .. } = installation;
        let reader = Reader::new(log.clone(), topics.name(Topic::Identities), partition)?;
        Ok(Counted { reader, entries: Default::default() })
    }

    /// The counted records of the message at an offset. Messages are asked for in their order.
    fn of(&mut self, offset: i64) -> anyhow::Result<Vec<u32>> {
        let mut indexes = Vec::new();
        loop {
            while let Some(entry) = self.entries.front().filter(|entry| entry.offset <= offset) {
                if entry.offset == offset {
                    indexes.push(entry.index);
                }
                self.entries.pop_front();
            }
            if !self.entries.is_empty() {
                return Ok(indexes);
            }
            let Some(held) = self.reader.pop()? else { return Ok(indexes) };
            let entries = &mut self.entries;
            Packed::open(&held.value)?.each(&mut |entry| entries.push_back(entry))?;
        }
    }
}
