//! What the size of an installation, and the shape of its usage, change.

use std::sync::Arc;

use drawdown_components::Broker;
use drawdown_domain::time::Timestamp;
use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_wire::topics::TopicPlan;

use crate::site::Site;
use crate::table::{Row, Table, memory_bytes};
use crate::usage::{ACCOUNTS_PER_ENTERPRISE, Plan};
use crate::{Quantities, Scale, embedded_run, fill, kafka_site, runs};

const HOT_SEED: u64 = 3_000;
const FLAT_SEED: u64 = 800;

/// All usage of one enterprise, whose lines one ledger books, or of one account, which one partition has.
pub(crate) fn hot(
    scale: &Scale,
    site: &Site,
    quantities: &mut Quantities,
    table: &mut Table,
) -> anyhow::Result<()> {
    for (what, accounts) in [("one enterprise", ACCOUNTS_PER_ENTERPRISE), ("one account", 1)] {
        let seed = HOT_SEED + u64::from(accounts);
        let plan = Plan { records: scale.records / 2, accounts, ..scale.usage("hot", seed) };
        let figures = site.run(&fill(&plan, site, quantities)?)?;
        eprintln!("hot {what}: {figures}");
        table.push(Row::rate("hot", &format!("Kafka, all of it of {what}"), "-", [figures.rate]));
    }
    Ok(())
}

/// As many partitions as a small installation has, and a large one; with a tenth of the accounts.
pub(crate) fn partitions(scale: &Scale, broker: &Broker, table: &mut Table) -> anyhow::Result<()> {
    for partitions in [4, 16, 64] {
        let plan = TopicPlan {
            usage_partitions: partitions,
            ledger_partitions: partitions,
            ..scale.plan.clone()
        };
        let scale = Scale { accounts: scale.accounts / 10, plan, runs: 1, ..scale.clone() };
        let prefix = format!("of-{partitions}.");
        let local = tempfile::tempdir()?;
        let site = kafka_site(&scale, broker, &prefix, local.path())?;
        site.open_accounts(scale.accounts)?;
        let mut quantities: Quantities = vec![[0; 2]; scale.accounts as usize];
        let figures = runs(&scale, "partitions", &site, &mut quantities)?;
        let what = format!("Kafka, {partitions} partitions, {} accounts", scale.accounts);
        table.push(Row::rate("g1", &what, "-", figures.iter().map(|figures| figures.rate)));
    }
    Ok(())
}

/// What an account takes in all consumers of a process together, with what is not given back while tables grow.
const ACCOUNT_BYTES: u64 = 2_700;

/// What a record costs beside few accounts and beside many.
pub(crate) fn accounts(scale: &Scale, table: &mut Table) -> anyhow::Result<()> {
    let sizes = [1_000, 10_000, 100_000, 1_000_000, 5_000_000, 10_000_000];
    for accounts in sizes.into_iter().filter(|accounts| *accounts / 10 <= scale.accounts) {
        let needed = u64::from(accounts).saturating_mul(ACCOUNT_BYTES);
        if memory_bytes() < needed {
            table.note(&format!("{accounts} accounts need {} GiB of memory", needed >> 30));
            continue;
        }
        let folder = tempfile::tempdir()?;
        let topics = scale.embedded_topics();
        let config = EmbeddedConfig::new(folder.path(), topics, Arc::new(|| Timestamp::START));
        let site = Site::new(Arc::new(Embedded::open(config)?), &scale.plan)?;
        let seconds = site.open_accounts(accounts)?;
        eprintln!("{accounts} accounts opened in {seconds:.0} s");
        let mut quantities: Quantities = vec![[0; 2]; accounts as usize];
        let plan = Plan { accounts, first: 0, ..scale.usage("g4", FLAT_SEED) };
        let figures = embedded_run(&plan, &site, &mut quantities)?;
        let what = format!("embedded, 100 records a message, {accounts} accounts");
        table.push(Row::cpu("flat", &what, "-", [figures.cpu_per_million]));
    }
    Ok(())
}
