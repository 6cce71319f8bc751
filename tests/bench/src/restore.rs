//! How fast the consumers are back after their process ended: accounts restored in a second, and the
//! seconds until the first commit, with and without what is kept on the local disk.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::money::Amount;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::Log;
use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_log::kafka::Kafka;

use crate::site::{Setting, Site, check};
use crate::table::{Row, Table, median};
use crate::usage::{Made, Plan, Spread};
use crate::{Quantities, Scale, as_set_up, fill};

/// So many records of the first step are new, and as many are repeats from long before.
const FIRST_STEP_RECORDS: u64 = 1_000;
/// What a restart takes depends on how long ago the last snapshot began. From one to the next it takes this much usage, for
/// ten million records of half a million accounts: so this often the ledgers are restored, a third of those apart.
const MOMENTS: u64 = 6;
const SEED: u64 = 600;

/// Where an installation comes back.
struct Ground<'a> {
    engine: &'static str,
    /// Opens the log anew, as a process that starts.
    open: &'a dyn Fn() -> anyhow::Result<Arc<dyn Log>>,
    setting: Setting,
    reach: [&'static str; 2],
}

pub(crate) fn measure(scale: &Scale, table: &mut Table) -> anyhow::Result<()> {
    let broker = Broker::start(BrokerOptions::default())?;
    on_kafka(scale, &broker.bootstrap(), table)?;
    drop(broker);
    on_the_embedded_log(scale, table)
}

fn on_kafka(scale: &Scale, bootstrap: &str, table: &mut Table) -> anyhow::Result<()> {
    let open = || -> anyhow::Result<Arc<dyn Log>> {
        Ok(Arc::new(Kafka::new(as_set_up(bootstrap, "restore."))?))
    };
    Kafka::new(as_set_up(bootstrap, "restore."))?.create(&scale.topics("restore."), 1)?;
    let local = tempfile::tempdir()?;
    let setting = Setting::new(&scale.plan, "restore.")?.keeping(&local.path().join("identities"));
    let ground = Ground { engine: "Kafka", open: &open, setting, reach: ["1.5 M/s", "0.3 M/s"] };
    ground.measure(scale, table)
}

fn on_the_embedded_log(scale: &Scale, table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let open = || -> anyhow::Result<Arc<dyn Log>> {
        let config = EmbeddedConfig::new(
            folder.path().join("log"),
            scale.embedded_topics(),
            Arc::new(|| Timestamp::START),
        );
        Ok(Arc::new(Embedded::open(config)?))
    };
    let setting = Setting::new(&scale.plan, "")?.keeping(&folder.path().join("identities"));
    let ground = Ground { engine: "embedded", open: &open, setting, reach: ["5 M/s", "1 M/s"] };
    ground.measure(scale, table)
}

impl Ground<'_> {
    fn site(&self) -> anyhow::Result<Site> {
        Ok(self.setting.site((self.open)()?))
    }

    fn measure(&self, scale: &Scale, table: &mut Table) -> anyhow::Result<()> {
        let (engine, accounts) = (self.engine, scale.accounts.div_euclid(2));
        self.site()?.open_accounts(accounts)?;
        let metering = self.restored(scale.runs, accounts, Site::restored_metering)?;
        let mut quantities: Quantities = vec![[0; 2]; accounts as usize];
        let plan = Plan {
            records: scale.records,
            accounts,
            first: 0,
            spread: Spread::Uniform,
            packed: 100,
            age: Span::ZERO,
            seed: SEED,
        };
        let mut made = self.use_some(&plan, &mut quantities)?;
        let mut balance = self.restored(1, accounts, Site::restored_balance)?;
        for moment in 1..MOMENTS {
            let records = plan.records.div_euclid(3);
            let more = Plan { records, seed: SEED + 100 + moment, ..plan };
            made = made.and(&self.use_some(&more, &mut quantities)?)?;
            balance.extend(self.restored(1, accounts, Site::restored_balance)?);
        }
        let ids = made.records.saturating_sub(made.repeats).div_euclid(1_000_000);
        for ((who, rates), reach) in
            [("METERING", metering), ("BALANCE", balance)].into_iter().zip(self.reach)
        {
            let what = format!("{engine}, accounts restored, {who}");
            table.push(Row::rate("g6", &what, reach, rates));
        }
        let mut seed = SEED;
        for is_kept in [true, false] {
            let mut seconds = Vec::new();
            for _ in 0..scale.runs {
                if !is_kept {
                    self.delete_local()?;
                }
                seed += 1;
                let next = Plan { seed, ..plan };
                let (some, all) = self.first_commits(&plan, &next, &mut quantities)?;
                made = made.and(&some)?;
                check(all.booked, &made)?;
                seconds.push(all.seconds);
            }
            let of = |who: usize| median(seconds.iter().map(|seconds| seconds[who]));
            let from = if is_kept { "the local disk" } else { "the log alone" };
            let what = format!(
                "  {engine}, first commit after {accounts} accounts and {ids} M ids from {from}"
            );
            let found = format!("METERING {:.2} s, BALANCE {:.2} s", of(0), of(1));
            table.push(Row::new("", &what, found, "-"));
        }
        Ok(())
    }

    /// Makes some usage and books it.
    fn use_some(&self, plan: &Plan, quantities: &mut Quantities) -> anyhow::Result<Made> {
        let site = self.site()?;
        let made = fill(plan, &site, quantities)?;
        site.run(&made)?;
        Ok(made)
    }

    /// Accounts restored in a second, in each of so many runs.
    fn restored(
        &self,
        runs: usize,
        accounts: u32,
        restore: impl Fn(&Site) -> anyhow::Result<(usize, f64)>,
    ) -> anyhow::Result<Vec<f64>> {
        let mut rates = Vec::new();
        for _ in 0..runs {
            let (found, seconds) = restore(&self.site()?)?;
            ensure!(found == accounts as usize, "{found} of {accounts} accounts were restored");
            rates.push(f64::from(accounts) / seconds);
        }
        Ok(rates)
    }

    fn delete_local(&self) -> anyhow::Result<()> {
        let local = self.setting.local.as_deref().context("nothing is kept")?;
        Ok(fs::remove_dir_all(local)?)
    }

    /// Sends some old records once more and some new ones, and brings both consumers back: the new ones,
    /// and what both came to.
    fn first_commits(
        &self,
        old: &Plan,
        new: &Plan,
        quantities: &mut Quantities,
    ) -> anyhow::Result<(Made, CameBack)> {
        let made = {
            let (site, records) = (self.site()?, FIRST_STEP_RECORDS);
            fill(&Plan { records, ..*old }, &site, &mut vec![[0; 2]; quantities.len()])?;
            fill(&Plan { records, ..*new }, &site, quantities)?
        };
        let began = Instant::now();
        let (seconds, booked) = self.site()?.come_back(began)?;
        Ok((made, CameBack { seconds, booked }))
    }
}

/// Consumers that came back.
struct CameBack {
    /// Until metering, and until the ledgers had committed a step.
    seconds: [f64; 2],
    /// All that was ever booked.
    booked: Amount,
}
