//! `drawdown ingest`: usage from files, packed and sent. Safe to repeat: what was counted is known.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, bail};
use drawdown_log::Log;
use drawdown_runtime::clock::Clock;
use drawdown_wire::partition::partition_of;
use drawdown_wire::topics::{Topic, Topics};
use drawdown_wire::usage::{from_json, packed_message};

use super::Setup;

const RECORDS_PER_MESSAGE_MAX: usize = 500;
const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    sent: u64,
    malformed: u64,
}

/// Sends NDJSON usage from files, or from standard input for `-`.
pub fn ingest(
    setup: &Setup,
    files: &[std::path::PathBuf],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (log, clock) = (setup.log()?, setup.clock()?);
    let mut totals = Totals::default();
    for file in files {
        let mut sender = Sender::new(&*log, &setup.topics, &clock);
        let name = file.display().to_string();
        let lines: Box<dyn BufRead> = match name.as_str() {
            "-" => Box::new(BufReader::new(std::io::stdin())),
            _ => Box::new(BufReader::new(
                File::open(Path::new(file)).with_context(|| format!("{name} cannot be read"))?,
            )),
        };
        for (line, number) in lines.split(b'\n').zip(1u64..) {
            let line = line.with_context(|| format!("{name} line {number}"))?;
            if line.trim_ascii().is_empty() {
                continue;
            }
            match from_json(&line) {
                Ok(record) => {
                    sender.send(&record)?;
                    totals.sent += 1;
                }
                Err(why) => {
                    writeln!(out, "{name} line {number}: malformed: {why}")?;
                    totals.malformed += 1;
                }
            }
        }
        sender.flush()?;
    }
    writeln!(out, "{} records sent, {} lines malformed", totals.sent, totals.malformed)?;
    if totals.malformed > 0 {
        bail!(
            "{} lines were not usage records; mend them and send the files again, what was counted is known",
            totals.malformed
        );
    }
    Ok(())
}

/// Packs records by partition.
struct Sender<'a> {
    log: &'a dyn Log,
    topics: &'a Topics,
    clock: &'a Clock,
    packs: BTreeMap<u32, (usize, Vec<u8>)>,
}

impl Sender<'_> {
    fn new<'a>(log: &'a dyn Log, topics: &'a Topics, clock: &'a Clock) -> Sender<'a> {
        Sender { log, topics, clock, packs: BTreeMap::new() }
    }

    /// Takes a record in its canonical form.
    fn send(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let account = account_of(record)?;
        let partition = partition_of(account, self.topics.usage_partitions);
        let (count, bytes) = self.packs.entry(partition).or_default();
        *count += 1;
        bytes.extend_from_slice(record);
        if *count >= RECORDS_PER_MESSAGE_MAX || bytes.len() >= MESSAGE_BYTES_MAX {
            self.send_pack(partition)?;
        }
        Ok(())
    }

    fn send_pack(&mut self, partition: u32) -> anyhow::Result<()> {
        if let Some((count, bytes)) = self.packs.remove(&partition) {
            let message = packed_message(count, &bytes);
            self.log.append(
                self.topics.name(Topic::Usage),
                partition,
                self.clock.now(),
                &[&message],
            )?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let partitions: Vec<u32> = self.packs.keys().copied().collect();
        partitions.into_iter().try_for_each(|partition| self.send_pack(partition))
    }
}

/// The account of a record in its canonical form: its third text.
fn account_of(record: &[u8]) -> anyhow::Result<&[u8]> {
    let mut cursor = drawdown_wire::avro::Cursor::new(record);
    cursor.bytes()?;
    cursor.bytes()?;
    Ok(cursor.bytes()?)
}
