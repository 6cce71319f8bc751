//! From the configuration to a console.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anyhow::Context;
use drawdown_console::{ClickHouse, Console, ConsoleOptions, Keys, Question, Rows};
use drawdown_log::Log;

use super::Setup;
use super::setup::duration;

/// ClickHouse's database of ours.
const DATABASE: &str = "drawdown";
/// A list that takes longer is given up.
const LIST_WITHIN: Duration = Duration::from_secs(10);

impl Setup {
    /// The console: who asks, and where rows and lists come from. `ledgers` are those of this process.
    pub fn console(
        &self,
        log: Arc<dyn Log>,
        ledgers: Option<SyncSender<Question>>,
    ) -> anyhow::Result<Console> {
        let (section, installation) = (self.config.console(), self.config.installation());
        let demo_key = (!section.demo_key.is_empty()).then_some(section.demo_key.as_str());
        let keys = Keys::new(&section.keys, demo_key)?;
        let workers = section.workers.split(',').map(str::trim).filter(|name| !name.is_empty());
        let rows = Rows { here: ledgers, elsewhere: workers.map(str::to_owned).collect() };
        let mail = self.config.mail();
        let options = ConsoleOptions {
            invoices: (!section.invoices.is_empty()).then(|| section.invoices.clone().into()),
            mails: (mail.delivery == "captured").then(|| mail.folder.clone().into()),
            command_answered_within: duration(section.command_answered_within),
            usage_queue_bytes_max: section.usage_queue_bytes_max,
            lists_group: Some(format!("{}analytics", installation.prefix)),
            ..ConsoleOptions::new(keys, &installation.prefix, &installation.instance)
        };
        let lists = Arc::new(self.lists()?);
        Ok(Console::start(log, self.topics.clone(), self.clock()?, rows, lists, options)?)
    }

    fn lists(&self) -> anyhow::Result<ClickHouse> {
        let section = self.config.clickhouse();
        let address = section.url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let address = address.filter(|address| address.contains(':') && !address.contains('/'));
        let address = address.with_context(|| {
            format!("clickhouse.url is {}; it looks like http://127.0.0.1:8123", section.url)
        })?;
        Ok(ClickHouse {
            address: address.to_owned(),
            database: DATABASE.to_owned(),
            user: section.user.clone(),
            password: section.password.clone(),
            deadline: LIST_WITHIN,
        })
    }
}
