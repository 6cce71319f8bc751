//! How much memory things take, from what a process of its own holds before and after: what other rows have
//! freed would be used again.

use std::io::Write;
use std::process::Command as Process;

use drawdown_domain::commands::{Asked, Command};
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::ledger::{
    AccountNumber, Accrued, Fact, Journal, Ledger, Line, PricesArrived, PricesInForce, RegionNumber,
};
use drawdown_domain::money::Amount;
use drawdown_domain::rating::{self, MeterNumber, PriceBook};
use drawdown_domain::time::Timestamp;
use serde_json::json;

use anyhow::Context;

use crate::site::STARTS_AT;
use crate::table::{Row, Table};
use crate::usage::{ACCOUNTS_PER_ENTERPRISE, PRICES, account_name};

const WALLETS: u32 = 500_000;

/// Nobody is told.
struct Silent;

impl Journal for Silent {
    fn fact(&mut self, _: &Ledger, _: &Fact) {}

    fn accrued(&mut self, _: &Ledger, _: &[Accrued], _: &Line) {}
}

/// Set for the process that measures.
const ALONE: &str = "DRAWDOWN_BENCH_MEMORY";

/// Whether this is the process that measures.
pub(crate) fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Adds the rows for a ledger with many wallets.
pub(crate) fn measure(table: &mut Table) -> anyhow::Result<()> {
    let measured = Process::new(std::env::current_exe()?).env(ALONE, "1").output()?;
    let said = String::from_utf8_lossy(&measured.stdout).into_owned();
    let mut bytes = said.split_whitespace();
    let mut next = || {
        let each: Option<u64> = bytes.next().and_then(|bytes| bytes.parse().ok());
        each.map(|each| format!("{each} B")).context("memory was not measured")
    };
    table.push(Row::new("g7", "BALANCE, a wallet and its account", next()?, "400 B"));
    table.push(Row::new("g7", "BALANCE, a meter in a month, tab included", next()?, "64 B"));
    Ok(())
}

/// Measures, and prints bytes: of a wallet with its account, and of a meter in a month with its tab.
pub(crate) fn print() -> anyhow::Result<()> {
    let start: Timestamp = STARTS_AT.parse().context("a time")?;
    let mut ledger = Ledger::new(1);
    ledger.pass(start, &mut Silent)?;
    let changes = PriceBook::default().changes(rating::parse(PRICES)?, start)?;
    ledger.take(PricesArrived { changes }.into(), &mut Silent)?;
    ledger.take(PricesInForce { loads: 1 }.into(), &mut Silent)?;
    let empty = resident_bytes();
    for account in 0..WALLETS {
        let enterprise = format!("e{}", account.div_euclid(ACCOUNTS_PER_ENTERPRISE));
        if account % ACCOUNTS_PER_ENTERPRISE == 0 {
            let fields = json!({ "enterprise": enterprise, "name": "Bench", "country": "US" });
            ask(&mut ledger, "open_enterprise", fields)?;
        }
        let fields = json!({ "account": account_name(account), "enterprise": enterprise,
            "email": "billing@bench.example", "currency": "USD", "mode": "postpaid" });
        ask(&mut ledger, "open_account", fields)?;
    }
    let opened = resident_bytes();
    for meter in 0..2 {
        for account in 0..WALLETS {
            let line = Line {
                usage_partition: 0,
                account: AccountNumber(account),
                meter: MeterNumber(meter),
                region: RegionNumber::NONE,
                used: start.minute(),
                quantity: Amount::whole(1),
                records: 1,
            };
            ledger.line(&line, &mut Silent)?;
        }
    }
    let used = resident_bytes();
    let wallet = opened.saturating_sub(empty) / u64::from(WALLETS);
    let month = used.saturating_sub(opened) / u64::from(WALLETS * 2);
    writeln!(std::io::stdout(), "{wallet} {month}")?;
    Ok(())
}

fn ask(ledger: &mut Ledger, name: &str, fields: serde_json::Value) -> anyhow::Result<()> {
    let command = Command::read(name, fields).context("no such command")??;
    let asked = Asked { number: 1, principal: PrincipalId::operator(), key: None, origin: None };
    ledger.command(&asked, &command, &mut Silent)?;
    Ok(())
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(4096)
}
