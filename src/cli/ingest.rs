//! `drawdown ingest`: usage from files, packed and sent. Safe to repeat: what was counted is known.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, bail};
use drawdown_log::Log;
use drawdown_runtime::clock::Clock;
use drawdown_wire::topics::{Topic, Topics};
use drawdown_wire::usage::from_json;
use drawdown_wire::usage::packing::{Pack, Packs};

use super::Setup;

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

/// Packs records by partition, and sends them.
struct Sender<'a> {
    log: &'a dyn Log,
    topics: &'a Topics,
    clock: &'a Clock,
    packs: Packs,
}

impl Sender<'_> {
    fn new<'a>(log: &'a dyn Log, topics: &'a Topics, clock: &'a Clock) -> Sender<'a> {
        Sender { log, topics, clock, packs: Packs::new(topics.usage_partitions) }
    }

    /// Takes a record in its canonical form.
    fn send(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let full = self.packs.push(record)?;
        full.map_or(Ok(()), |(partition, pack)| self.send_pack(partition, &pack))
    }

    fn send_pack(&self, partition: u32, pack: &Pack) -> anyhow::Result<()> {
        let topic = self.topics.name(Topic::Usage);
        self.log.append(topic, partition, self.clock.now(), &[&pack.message()])?;
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.packs.finish().try_for_each(|(partition, pack)| self.send_pack(partition, &pack))
    }
}
